"""Orders: the journal of everything that was sold, given back or put right. It only grows.

    reserved -> written | abandoned

An order is inserted once; after that only what became of it is added: the card it was tried on, its
end, the order that reversed it. Its rules are indexes: one order for each request, one reserved
order for each account, one standing order for each purchase count of an account. An order and what
it does to accounts are one transaction, so neither is ever seen without the other.
"""

from collections.abc import Collection as Ids
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, fields
from datetime import datetime
from typing import Any, Literal

from pymongo.errors import DuplicateKeyError

from station.errors import Conflict
from station.store.driver import Collection, Document
from station.store.objects.accounts import Account, Accounts
from station.store.objects.base import Many, Objects, Page, among, matching
from station.store.objects.shifts import check_room, taken_in, taken_stages

OrderKind = Literal[
    "opening",
    "purchase",
    "replacement",
    "reversal",
    "meter_change",
    "closing",
    "transfer",
    "correction",
]
OrderState = Literal["reserved", "written", "abandoned"]

# What becomes of an order; nothing else of it ever changes (its receipt's number aside).
PROGRESS = (
    "state",
    "card_serial",
    "written_at",
    "ended_by",
    "ended_shift",
    "end_reason",
    "workplace",
    "reader_model",
    "reader_name",
    "reader_serial",
    "reader_port",
    "holds_count",
    "reversed_by",
)


@dataclass(frozen=True, slots=True)
class Order:
    """One entry of the journal; money in fen, moments UTC.

    `amount_fen` is what the customer paid, negative for what was given back; it counts unless the
    order is abandoned. `card_amount_fen` and `count` are the wallet that the card is to hold,
    `previous_amount_fen` and `previous_count` the one before. `parameters`, `current` and `backup`
    are the files for the card (digest sections 4 and 6); a price file of None is kept, an order
    without `parameters` needs no card. `carried_fen` is a balance brought from another meter.
    `card_serial` is the card that writing was tried on: before the first byte is written it is
    here. `holds_count` is true while its count is its alone.
    `fingerprint` tells whether the same request asked for the same. `approved_by` is the id of an
    approval, `shift` the clerk's shift, `ended_shift` the one in which it ended.
    """

    id: str
    request_id: str
    fingerprint: str
    account: str
    kind: OrderKind
    amount_fen: int
    by: str
    at: datetime
    _: KW_ONLY
    state: OrderState = "reserved"
    card_amount_fen: int = 0
    count: int = 0
    previous_amount_fen: int = 0
    previous_count: int = 0
    carried_fen: int = 0
    meter: str = ""
    customer: str = ""
    profile: str = "GW13"
    parameters: bytes | None = None
    current: bytes | None = None
    backup: bytes | None = None
    tariff_version: str = ""
    reason: str = ""
    approved_by: str | None = None
    reverses: str | None = None
    shift: str | None = None
    receipt: int | None = None
    # What became of it.
    holds_count: bool = False
    card_serial: str = ""
    workplace: str = ""
    reader_model: str = ""
    reader_name: str = ""
    reader_serial: str = ""
    reader_port: str = ""
    written_at: datetime | None = None
    ended_by: str = ""
    ended_shift: str | None = None
    end_reason: str = ""
    reversed_by: str | None = None


# Kinds that a second person looks at instead of the limit of the shift.
UNLIMITED: tuple[OrderKind, ...] = ("correction",)
UNFINISHED = "this account has an unfinished order: finish or abandon it first"

assert {*PROGRESS} <= {each.name for each in fields(Order)}, "a field of PROGRESS is not an order's"


@dataclass(frozen=True, slots=True)
class AccountChange:
    """What an order makes of an account; `before` is None for a new one."""

    before: Account | None
    after: Account


@dataclass(frozen=True, slots=True)
class OrderChange:
    """How an order goes forward; only the fields of PROGRESS differ."""

    before: Order
    after: Order


@dataclass(frozen=True, slots=True)
class Standing:
    """How many orders stand, and what they took in all, less what they gave back, in fen."""

    orders: int
    amount_fen: int


class Orders(Objects[Order]):
    """The journal of the site."""

    shape = Order
    key = "id"
    word = "order"

    def __init__(self, collection: Collection, accounts: Accounts, shifts: Collection) -> None:
        super().__init__(collection)
        self._accounts = accounts
        self._shifts = shifts

    async def of_request(self, request_id: str, fingerprint: str) -> Order | None:
        """Return the order that a request made, or None. Raises Conflict for another body."""
        document = await self._collection.find_one({"request_id": request_id})
        if document is None:
            return None
        standing = self._from_document(document)
        if standing.fingerprint != fingerprint:
            raise Conflict(f"request {request_id} was another order")
        return standing

    async def enter(
        self,
        order: Order,
        accounts: Sequence[AccountChange],
        ended: Sequence[OrderChange] = (),
    ) -> Order:
        """Insert an order with all that it does, or nothing; return it as it stands.

        The same request again returns the order that it made. Raises Conflict, and LimitReached
        when its shift would take more than it may: of two orders at once one sees the other.
        """

        def work(session: Any) -> None:
            self._hold_shift(order.shift, order.id, session)
            self._check_room(order, session)
            for change in ended:
                self._forward(change, session)
            for account in accounts:
                self._change(account, session)
            self._collection.insert_in(session, self._to_document(order))

        try:
            await self._collection.at_once(work)
        except (DuplicateKeyError, Conflict) as error:
            standing = await self.of_request(order.request_id, order.fingerprint)
            if standing is not None:
                return standing
            if await self.unfinished_of(order.account) is not None:
                raise Conflict(UNFINISHED) from None
            raise self._refusal(order, error) from None
        return order

    async def advance(
        self,
        order: OrderChange,
        accounts: Sequence[AccountChange] = (),
        others: Sequence[OrderChange] = (),
    ) -> Order:
        """Take an order forward with all that it does, or not at all; return it as it stands.

        Doing it again changes nothing. Raises Conflict when an account or an order has changed
        meanwhile, or the shift in which it ends was closed.
        """
        after = order.after

        def work(session: Any) -> None:
            if after.state == "abandoned":
                self._hold_shift(after.ended_shift, f"{after.id} abandoned", session)
            for change in (order, *others):
                self._forward(change, session)
            for account in accounts:
                self._change(account, session)

        try:
            await self._collection.at_once(work)
        except Conflict:
            standing = await self.get(order.before.id)
            if standing != order.after:
                raise
        return order.after

    async def unfinished(
        self, by: str | None = None, *, meters: Ids[str] | None = None
    ) -> Many[Order]:
        """Return every reserved order, or those of one clerk or some meters, the oldest first."""
        query: Document = {"state": "reserved", **among("meter", meters)}
        if by is not None:
            query["by"] = by
        return await self._all(query)

    async def unfinished_of(self, account: str) -> Order | None:
        """Return the reserved order of an account, or None."""
        document = await self._collection.find_one({"account": account, "state": "reserved"})
        return None if document is None else self._from_document(document)

    async def unfinished_on(self, card_serial: str) -> Order | None:
        """Return the reserved order that was begun on a card, or None."""
        query = {"state": "reserved", "card_serial": card_serial}
        document = await self._collection.find_one(query)
        return None if document is None else self._from_document(document)

    async def holding(self, account: str, count: int) -> Order | None:
        """Return the standing order that a purchase count of an account belongs to, or None."""
        query = {"account": account, "count": count, "holds_count": True}
        document = await self._collection.find_one(query)
        return None if document is None else self._from_document(document)

    async def list(
        self,
        text: str | None = None,
        account: str | None = None,
        state: str | None = None,
        kind: str | None = None,
        by: str | None = None,
        shift: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        skip: int = 0,
        limit: int = 100,
        *,
        meters: Ids[str] | None = None,
        sort: str = "",
    ) -> Page[Order]:
        """Return a page of the journal, the newest first, and how many there are."""
        query = matching(text, "_id", "meter", "customer", "card_serial", "by", "reason")
        wanted = {"account": account, "state": state, "kind": kind, "by": by, "shift": shift}
        query.update({name: value for name, value in wanted.items() if value is not None})
        if since is not None or until is not None:
            span = {"$gte": since, "$lt": until}
            query["at"] = {name: value for name, value in span.items() if value is not None}
        query.update(among("meter", meters))
        return await self._page(query, skip, limit, order=self._order(sort, [("_id", -1)]))

    async def standing(
        self, since: datetime, until: datetime, *, meters: Ids[str] | None = None
    ) -> Standing:
        """Return what the orders with since <= at < until come to; abandoned ones do not count."""
        wanted = {"at": {"$gte": since, "$lt": until}, "state": {"$ne": "abandoned"}}
        wanted.update(among("meter", meters))
        sums = {"_id": None, "orders": {"$sum": 1}, "amount_fen": {"$sum": "$amount_fen"}}
        found = await self._collection.aggregate([{"$match": wanted}, {"$group": sums}])
        return Standing(found[0]["orders"], found[0]["amount_fen"]) if found else Standing(0, 0)

    def _hold_shift(self, shift: str | None, by: str, session: Any) -> None:
        """Write to the shift's document, so that its closing at this moment conflicts."""
        if shift is None:
            return
        query = {"_id": shift, "state": "open"}
        if not self._shifts.update_in(session, query, {"$set": {"held": by}}):
            raise Conflict("the shift was closed meanwhile; open one first")

    def _check_room(self, order: Order, session: Any) -> None:
        """Refuse an order for which its shift, which is held, has no room. Raises LimitReached."""
        if order.shift is None or order.amount_fen <= 0 or order.kind in UNLIMITED:
            return
        shift = self._shifts.find_one_in(session, {"_id": order.shift})
        most_fen = None if shift is None else shift.get("most_fen")
        if most_fen is not None:
            taken = taken_in(self._collection.aggregate_in(session, taken_stages(order.shift)))
            check_room(order.by, taken, order.amount_fen, most_fen)

    def _forward(self, change: OrderChange, session: Any) -> None:
        before, after = self._to_document(change.before), self._to_document(change.after)
        moved = {name: after[name] for name in PROGRESS if after[name] != before[name]}
        held = {name: before[name] for name in ("state", "card_serial", *moved)}
        query, change_ = (
            {"_id": before["_id"], **held},
            {"$set": moved or {"state": before["state"]}},
        )
        if not self._collection.update_in(session, query, change_):
            raise Conflict("this order has changed meanwhile: look at it again")

    def _change(self, change: AccountChange, session: Any) -> None:
        if not self._accounts.change_in(session, change.before, change.after):
            raise Conflict("this account has changed meanwhile: look at it again")

    def _refusal(self, order: Order, error: Exception) -> Exception:
        """Return what a broken rule means in words."""
        if not isinstance(error, DuplicateKeyError):
            return error
        broken = {*(error.details or {}).get("keyPattern", {})}
        if "meter" in broken:
            return Conflict(f"meter {order.meter} has an account already")
        if "approved_by" in broken:
            return Conflict("this approval was used for another order; ask for another")
        if "count" in broken:
            return Conflict(f"this account has a purchase {order.count} already")
        if "account" in broken:
            return Conflict(UNFINISHED)
        return error
