"""What the handlers of the counter share: who sells, at which desk, and what goes wrong there."""

import secrets
from typing import Any

from pydantic import Field

from station.errors import Conflict
from station.handlers.base import Handler
from station.handlers.selling.money import Sparse
from station.handlers.selling.order_views import OrderView, order_view, order_views
from station.prepaid.desk_sale import Desk
from station.prepaid.limits import REASON_SIZE_MAX
from station.prepaid.readers.workplace import BOX
from station.prepaid.sales import Sales
from station.prepaid.terms import REQUEST_ID_SIZE_MAX
from station.store.objects.accounts import Account
from station.store.objects.orders import Order

REQUEST_ID_SIZE = 16  # Bytes of randomness: no two forms share one.
WORKPLACE_COOKIE = "workplace"
RECENT_MAX = 10  # Orders below an account; the journal has them all.


class SellingOff(Conflict):
    """This station has no keys for cards, so nothing can be sold here."""


class Request(Sparse):
    """What every order's body has: `request_id` is the caller's own, so that an order sent twice
    is one order."""

    request_id: str = Field(min_length=1, max_length=REQUEST_ID_SIZE_MAX)


class AtDesk(Sparse):
    """Where the card lies; the desk that the browser chose when it is not said."""

    workplace: str = Field("", max_length=64)


class CardRequest(Request, AtDesk):
    """An order for a card. With `write` it is entered only when its card lies on the reader, and
    written at once."""

    write: bool = False


class AbandonBody(AtDesk):
    """Why an order is given up."""

    reason: str = Field(min_length=1, max_length=REASON_SIZE_MAX)


class DeskHandler(Handler):
    """Reaches selling, and knows the person and the desk."""

    @property
    def sales(self) -> Sales:
        """Selling. Raises SellingOff, so that nothing is sold that no card could carry."""
        if not self.is_selling:
            raise SellingOff(
                "selling is off: this station has no keys for cards; name their file as"
                " prepaid.keys in the configuration"
            )
        return self.parts.sales

    @property
    def is_selling(self) -> bool:
        """Whether this station has keys for cards; a simulated site has those of the tests."""
        config = self.parts.config
        return config.prepaid.keys is not None or config.site.simulation

    @property
    def clerk(self) -> str:
        """The name of the person who asks."""
        assert self.user is not None, "a permission needs a person"
        return self.user.name

    @property
    def desk(self) -> str:
        """The desk that this browser has chosen, or else the box itself."""
        chosen = self.get_cookie(WORKPLACE_COOKIE) or BOX
        return chosen if chosen in self.desks else BOX

    @property
    def desks(self) -> list[str]:
        """The names of all desks."""
        return self.parts.workplaces.names()

    def desk_for(self, body: CardRequest) -> Desk | None:
        """Return where an order is to be written at once, or None when it is only reserved."""
        return Desk(body.workplace or self.desk) if body.write else None

    def new_request_id(self) -> str:
        """Return an id for a fresh form."""
        return secrets.token_hex(REQUEST_ID_SIZE)

    async def request_id_after(self, request_id: str) -> str:
        """Return the id for a form that was refused: a fresh one only if the old is an order's.

        As long as nobody knows whether the order stands, sending the form again must not be a
        second one.
        """
        try:
            await self.parts.database.orders.of_request(request_id, "")
        except Conflict:  # An order stands under it, and it is another one.
            return self.new_request_id()
        return request_id

    async def order_views(self, orders: list[Order]) -> list[OrderView]:
        """Return orders as they are shown."""
        return await order_views(self.parts.database, orders)

    async def unfinished(self) -> list[OrderView]:
        """Return every unfinished order, the clerk's own first."""
        orders = await self.parts.database.orders.unfinished(meters=await self.meters_in_sight())
        own_first = sorted(orders, key=lambda order: order.by != self.clerk)
        return await self.order_views(own_first)

    async def finish_order(
        self,
        order: Order,
        notice: str | None = None,
        status: int = 200,
        *,
        before: Account | Order | None = None,
        account: Account | None = None,
    ) -> None:
        """Answer with an order: its JSON, or its page, which begins to write what is reserved.

        The audit log keeps what stood before, and the order and the account as they stand now.
        """
        [view] = await self.order_views([order])
        shown = order_view(before) if isinstance(before, Order) else before
        self.record(
            before=shown, after=view if account is None else {"account": account, "order": view}
        )
        begin = "#write" if order.state == "reserved" else ""
        self.done(view, f"/orders/{order.id}{begin}", notice, status=status)

    async def desk_context(self) -> dict[str, Any]:
        """Return what the pages of the counter show of the desk."""
        return {
            "desk": self.desk,
            "desks": self.desks,
            "is_selling": self.is_selling,
            "shift": await self.parts.database.shifts.open_of(self.clerk),
        }
