"""How orders end, with the card on the reader: written, found written, or given up.

`write` is the first write and every finish: it looks at the card first and ends in one truth,
because
- the card a write is tried on is known before its first byte is written (see `writing`),
- the wallet is written last, and the meter takes its own count plus one only,
- the order and its account go forward in one transaction, which can be repeated.
Nothing is held in the database while a person or a card is waited for.
"""

import asyncio
import contextlib
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from station.errors import Conflict, StationError, WrongCard
from station.live import Feed
from station.prepaid import accounts, orders
from station.prepaid.cards.checks import check_blank
from station.prepaid.cards.dialog import CardContents
from station.prepaid.desk_sale import Desk, DeskSale, Prepare
from station.prepaid.gate import Drawer
from station.prepaid.readers.base import ReaderIdentity
from station.prepaid.readers.workplace import CardWritten, Workplace, Workplaces
from station.prepaid.terms import check_reason
from station.prepaid.writing import GivingUp, files_for, is_noted, proved, sale_problem
from station.store.database import Database
from station.store.objects.accounts import Account
from station.store.objects.orders import UNFINISHED, AccountChange, Order, OrderChange
from station.units import utc_now

OnStep = Callable[[str], None]

ATTEMPTS = 3  # At one card, when something moves between the look and the mark.
SETTLED = "the card was lost or broken: a replacement takes its place"


@dataclass(frozen=True, slots=True)
class Look:
    """The card on the reader: whose it is, what is unfinished, and what speaks against a sale."""

    reader: ReaderIdentity
    contents: CardContents
    account: Account | None = None
    unfinished: Order | None = None
    problem: str | None = None


class Finishing:
    """Takes orders to their end."""

    def __init__(
        self, database: Database, workplaces: Workplaces, feed: Feed, drawer: Drawer
    ) -> None:
        self._accounts = database.accounts
        self._orders = database.orders
        self._workplaces = workplaces
        self._feed = feed
        self._drawer = drawer
        self._turns: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    def turn(self, account_id: str) -> asyncio.Lock:
        """Return the lock of an account: its card is in one conversation at a time."""
        return self._turns.setdefault(account_id, asyncio.Lock())

    def announce(self, order: Order) -> None:
        """Tell open pages what became of an order."""
        told = {"id": order.id, "request": order.request_id, "state": order.state, "step": ""}
        self._feed.announce("orders", told)

    async def enter(self, head: orders.Head, prepare: Prepare, key: str) -> Order:
        """Enter an order that is written later, in the turn of `key`; return it as it stands.

        Raises what `prepare` raises, and as `Orders.enter`.
        """
        async with self.turn(key):
            standing = await self._standing(head)
            if standing is not None:
                return standing
            prepared = await prepare()
            order = await self._orders.enter(prepared.order, prepared.changes, prepared.ended)
            self.announce(order)
            return order

    async def sell(self, head: orders.Head, prepare: Prepare, key: str, desk: Desk) -> Order:
        """Enter an order when its card lies on the reader, and write it, in one conversation.

        Whatever goes wrong: when the order stands it is returned, as far as it came. When it does
        not, raises what `prepare` raises, as `Orders.enter`, CardError and DatabaseDown.
        """
        place = self._workplaces.get(desk.workplace)

        def tell(step: str) -> None:
            self._tell("", head.request_id, desk.on_step, step)

        async with self.turn(key):
            sale = DeskSale(prepare, self._orders)
            try:
                done = await place.write(
                    sale.decide, tell, remembered=sale.reader, before_writing=sale.enter
                )
                return await self._mark(*sale.entered, done, place.name, head.by)
            except StationError:
                await sale.end()
                if (standing := await self._standing(head)) is not None:
                    self.announce(standing)
                    return standing
                await sale.prepared()  # What is wrong with the sale goes before the card.
                raise

    async def write(
        self, order_id: str, workplace: str, *, by: str, on_step: OnStep | None = None
    ) -> Order:
        """Write an order on its card, or find it there, and mark it; doing it again is harmless.

        Raises NotFound, Conflict (it was abandoned), CardError, which tells what to do, and
        DatabaseDown; after both the order is as unfinished as before.
        """
        place = self._workplaces.get(workplace)
        order = await self._orders.get(order_id)
        tell = partial(self._tell, order.id, order.request_id, on_step)
        async with self.turn(order.account):
            for _ in range(ATTEMPTS):
                order = await self._orders.get(order_id)
                if order.state == "written":
                    return order
                if order.state == "abandoned":
                    raise Conflict("this order was abandoned: sell again")
                account = await self._accounts.get(order.account)
                with contextlib.suppress(Conflict):  # Something moved between: look again.
                    return await self._write_card(order, account, place, by, tell)
        raise Conflict("this account is changed by others right now: try again")

    async def _write_card(
        self, order: Order, account: Account, place: Workplace, by: str, tell: OnStep
    ) -> Order:
        """Look at the card, note which one it is, write it and mark the order.

        Raises Conflict when the order or its account has changed meanwhile.
        """
        orders.card_files(order)
        noted = order, account

        async def note(contents: CardContents) -> None:
            nonlocal noted
            if not is_noted(order, account, contents):
                noted = await self._note(order, account, contents)

        done = await place.write(
            partial(files_for, order, account),
            tell,
            remembered=accounts.last_reader(account),
            before_writing=note,
        )
        return await self._mark(*noted, done, place.name, by)

    async def abandon(self, order_id: str, workplace: str, *, by: str, reason: str) -> Order:
        """Give an order up; one that was tried on a card only when that card does not carry it.

        Raises as `write`, Conflict when it is written, or on the card: then finish it.
        """
        reason = check_reason(reason)
        order = await self._orders.get(order_id)
        async with self.turn(order.account):
            order = await self._orders.get(order_id)
            if order.state == "abandoned":
                return order
            if order.state == "written":
                raise Conflict("this order is on its card already: reverse it instead")
            account = await self._accounts.get(order.account)
            shift = await self._drawer.shift_of(by) if order.amount_fen else None
            if order.card_serial:
                look = GivingUp(order, account)
                place = self._workplaces.get(workplace)
                await place.write(look.decide, remembered=accounts.last_reader(account))
                if look.is_carried:
                    raise Conflict("the card carries this order: finish it")
            return await self._give_up(order, account, by, reason, shift)

    async def look(self, workplace: str, on_step: OnStep | None = None) -> Look:
        """Read the card on the reader, and take what it brought back into its account.

        Raises CardError and DatabaseDown.
        """
        read = await self._workplaces.get(workplace).read(on_step)
        contents = read.contents
        found = await self._account_of(contents)
        if found is None:
            return Look(read.reader, contents, problem=_stranger(contents))
        async with self.turn(found.id):
            account = await self._accounts.get(found.id)
            unfinished = await self._orders.unfinished_of(account.id)
            after = accounts.with_return(account, contents)
            if after != account and await self._accounts.change(account, after):
                account = after
        problem = sale_problem(account, contents) if unfinished is None else None
        return Look(read.reader, contents, account, unfinished, problem)

    async def _standing(self, head: orders.Head) -> Order | None:
        return await self._orders.of_request(head.request_id, head.fingerprint)

    async def settled(
        self, account: Account, by: str
    ) -> tuple[Account, list[AccountChange], list[OrderChange]]:
        """Return an account as it is once its unfinished order ends, since its card is lost.

        What sells is as good as written: the replacement carries the same count, and the meter
        takes each count once. What takes back is abandoned. Also returned is what else changes.
        """
        order = await self._orders.unfinished_of(account.id)
        if order is None:
            return account, [], []
        if not order.card_serial:
            raise Conflict(UNFINISHED)
        now = utc_now()
        after = replace(order, ended_by=by, end_reason=SETTLED)
        if order.kind in ("reversal", "closing"):
            shift = await self._drawer.shift_of(by)
            after = replace(after, state="abandoned", holds_count=False, ended_shift=shift)
            return accounts.abandoned(after, account, now), [], [OrderChange(order, after)]
        after = replace(after, state="written", written_at=now)
        others, _ = await self._along(after, account, now)
        return accounts.written(after, account, now), others, [OrderChange(order, after)]

    async def _note(
        self, order: Order, account: Account, contents: CardContents
    ) -> tuple[Order, Account]:
        """Keep which card the order is tried on and what it proves, before it is written.

        Returns both as they are then.
        """
        after = proved(order, account, contents)
        changes = [] if after == account else [AccountChange(account, after)]
        noted = replace(order, card_serial=contents.serial)
        await self._orders.advance(OrderChange(order, noted), changes)
        return noted, after

    async def _mark(
        self, order: Order, account: Account, done: CardWritten, workplace: str, by: str
    ) -> Order:
        """Mark an order that is on its card, and all that follows from it."""
        now, reader = utc_now(), done.reader
        after = replace(
            order,
            state="written",
            written_at=now,
            ended_by=by,
            workplace=workplace,
            reader_model=reader.model,
            reader_name=reader.name,
            reader_serial=reader.serial,
            reader_port=reader.port,
        )
        changed = accounts.written(after, account, now)
        changed = accounts.with_return(changed, done.written.contents)
        changed = accounts.with_reader(changed, reader)
        along, reversed_ = await self._along(after, account, now)
        changes = [AccountChange(account, changed), *along]
        await self._orders.advance(OrderChange(order, after), changes, reversed_)
        self.announce(after)
        return after

    async def _give_up(
        self, order: Order, account: Account, by: str, reason: str, shift: str | None
    ) -> Order:
        now = utc_now()
        after = replace(
            order,
            state="abandoned",
            ended_by=by,
            end_reason=reason,
            ended_shift=shift,
            holds_count=False,
        )
        along, _ = await self._along(after, account, now)
        changes = [AccountChange(account, accounts.abandoned(after, account, now)), *along]
        await self._orders.advance(OrderChange(order, after), changes)
        self.announce(after)
        return after

    async def _along(
        self, after: Order, account: Account, now: datetime
    ) -> tuple[list[AccountChange], list[OrderChange]]:
        """Return what else goes with the end of an order: the account that is continued, the order
        that is reversed."""
        is_written = after.state == "written"
        if after.kind == "meter_change":
            old = await self._accounts.get(account.continues)
            changed = replace(accounts.touched(old), state="closed" if is_written else "open")
            return [AccountChange(old, replace(changed, closed_at=now if is_written else None))], []
        if after.reverses is not None and is_written:
            target = await self._orders.get(after.reverses)
            undone = replace(target, reversed_by=after.id, holds_count=False)
            return [], [OrderChange(target, undone)]
        return [], []

    async def _account_of(self, contents: CardContents) -> Account | None:
        """Return the account that a card is about: of the order begun on it, by its numbers, or by
        its serial."""
        unfinished = await self._orders.unfinished_on(contents.serial)
        if unfinished is not None:
            return await self._accounts.get(unfinished.account)
        held = contents.parameters
        if contents.state == "in_use" and held is not None:
            account = await self._accounts.of_meter(held.meter)
            if account is not None and account.customer == held.customer:
                return account
            return None
        return None

    def _tell(self, order_id: str, request_id: str, on_step: OnStep | None, step: str) -> None:
        if on_step is not None:
            on_step(step)
        told = {"id": order_id, "request": request_id, "state": "reserved", "step": step}
        self._feed.announce("orders", told)


def _stranger(contents: CardContents) -> str | None:
    """Return why a card has no account; a blank one needs none."""
    if contents.state == "in_use" and contents.parameters is not None:
        held = contents.parameters
        return f"there is no account of customer {held.customer} at meter {held.meter}"
    try:
        check_blank(contents)
    except WrongCard as problem:
        return str(problem)
    return None
