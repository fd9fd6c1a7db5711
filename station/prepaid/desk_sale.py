"""A sale at the desk: the order is entered once its card was read, while the card lies there.

So nothing is sold for a card that is not there, or not the right one; and the order names its card
from the first moment on (see `writing`, rule 2).
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

from station.errors import Conflict
from station.prepaid.accounts import last_reader
from station.prepaid.cards.dialog import CardContents, CardFiles
from station.prepaid.readers.base import ReaderIdentity
from station.prepaid.writing import files_for, proved
from station.store.objects.accounts import Account
from station.store.objects.orders import AccountChange, Order, OrderChange, Orders


@dataclass(frozen=True, slots=True)
class Desk:
    """Where the card lies; `on_step` hears each step of the conversation with it."""

    workplace: str
    on_step: Callable[[str], None] | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """An order that may be entered, and all that it does.

    `change` is to its own account, `others` to other accounts, `ended` to other orders.
    """

    order: Order
    change: AccountChange
    others: Sequence[AccountChange] = ()
    ended: Sequence[OrderChange] = ()

    @property
    def changes(self) -> list[AccountChange]:
        """What it does to accounts."""
        return [self.change, *self.others]


Prepare = Callable[[], Coroutine[Any, Any, Prepared]]


class DeskSale:
    """One sale: it is prepared while the card is read, and entered while both sides prove
    themselves."""

    def __init__(self, prepare: Prepare, orders: Orders) -> None:
        """`prepare` begins at once."""
        self._orders = orders
        self._loop = asyncio.get_running_loop()
        self._preparing = asyncio.ensure_future(prepare())
        self._preparing.add_done_callback(_retrieve)
        self._entered: tuple[Order, Account] | None = None
        self._entering = asyncio.Lock()
        self._is_over = False

    @property
    def entered(self) -> tuple[Order, Account]:
        """The order, and its account, as they were entered."""
        assert self._entered is not None, "no card is written before the order is entered"
        return self._entered

    async def prepared(self) -> Prepared:
        """Return what is prepared. Raises what `prepare` raised."""
        return await self._preparing

    async def reader(self) -> ReaderIdentity | None:
        """Return the reader that wrote the account's card last. Raises as `prepared`."""
        return last_reader((await self._preparing).change.after)

    def decide(self, contents: CardContents) -> CardFiles | None:
        """Return what to write; called in the reader's thread. Raises WrongCard, as `prepared`."""
        prepared = asyncio.run_coroutine_threadsafe(self.prepared(), self._loop).result()
        return files_for(prepared.order, prepared.change.after, contents)

    async def enter(self, contents: CardContents) -> None:
        """Enter the order for this card. Raises as `Orders.enter`, and Conflict when another order
        was faster under the same request, or the sale is over."""
        async with self._entering:
            if self._is_over:
                raise Conflict("this sale was given up: the reader took too long")
            await self._enter(contents)

    async def end(self) -> None:
        """Wait for what is being entered, and let nothing be entered any more: a reader that was
        given up may come to itself later."""
        async with self._entering:
            self._is_over = True

    async def _enter(self, contents: CardContents) -> None:
        prepared = await self._preparing
        order = replace(prepared.order, card_serial=contents.serial)
        account = proved(order, prepared.change.after, contents)
        change = AccountChange(prepared.change.before, account)
        standing = await self._orders.enter(order, [change, *prepared.others], prepared.ended)
        if standing != order:
            raise Conflict(f"request {order.request_id} is an order already")
        self._entered = order, account


def _retrieve(task: "asyncio.Task[Prepared]") -> None:
    """Take note of an error that nobody asks for, because the order stands already."""
    if not task.cancelled():
        task.exception()
