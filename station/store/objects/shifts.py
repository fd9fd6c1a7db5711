"""Shifts: a clerk's drawer from the counted float to the counted end, and its close report.

    open -> closed

A shift is inserted open and closed once; its report is written in that same step and never again.
Reports are numbered without gaps: a report is the highest number plus one, and a unique index lets
one of two through. What a clerk took and gave is what the journal of orders says of
the shift; nothing is added up elsewhere. An order that is abandoned gives its money back from the
drawer of the shift in which that happens. An order writes its id into the shift (`held`) in its own
transaction, so a close sees when an order came after it had added up.
"""

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Collection as Ids
from dataclasses import KW_ONLY, asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from pymongo.errors import DuplicateKeyError

from station.errors import Conflict, LimitReached
from station.store.driver import Collection, Document
from station.store.objects.base import Many, Objects, Page, among, matching

ShiftState = Literal["open", "closed"]

CLOSE_ATTEMPTS = 100  # Each one lost means that an order or another close came first.
ORDERS_MAX = 10_000  # Of one shift: far above what one person sells, and some 300 KB.
MONEY_FIELDS = {"kind": 1, "state": 1, "amount_fen": 1, "shift": 1, "ended_shift": 1}
ABANDONED = "abandoned"  # What a report calls money that went back because nothing was written.


@dataclass(frozen=True, slots=True)
class Entry:
    """What one order did to the drawer: fen taken from the customer, negative when given."""

    order: str
    kind: str
    amount_fen: int
    unfinished: bool = False


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One kind of order in a report: how many, what was taken and what was given, in fen."""

    kind: str
    orders: int
    taken_fen: int
    given_fen: int


@dataclass(frozen=True, slots=True)
class Report:
    """What is held of a closed shift; `expected_fen` was not shown before `counted_fen` stood.

    `difference_fen` is counted less expected: negative when money is missing. `unfinished` names
    the orders whose money was taken and whose card was still to be written.
    """

    expected_fen: int
    difference_fen: int
    lines: tuple[ReportLine, ...]
    orders: tuple[str, ...] = ()
    unfinished: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pieces:
    """How many notes and coins of one face were counted; the face in fen."""

    face_fen: int
    pieces: int


@dataclass(frozen=True, slots=True)
class Shift:
    """A clerk's shift; money in fen, moments UTC. An open one has neither number nor report.

    `pieces` is how the counted sum was made up, the largest face first, where that was told.
    `most_fen` is what may be taken from customers in it, as the drawer allowed it last.
    """

    id: str
    clerk: str
    float_fen: int
    opened_at: datetime
    _: KW_ONLY
    state: ShiftState = "open"
    number: int | None = None
    closed_at: datetime | None = None
    closed_by: str | None = None
    counted_fen: int | None = None
    pieces: tuple[Pieces, ...] = ()
    most_fen: int | None = None
    note: str = ""
    report: Report | None = None


class Shifts(Objects[Shift]):
    """The shifts of all clerks."""

    shape = Shift
    key = "id"
    word = "shift"

    def __init__(self, collection: Collection, orders: Collection) -> None:
        super().__init__(collection)
        self._orders = orders

    async def open(self, shift: Shift) -> None:
        """Open a shift. Raises Conflict when the clerk has one open."""
        try:
            await self._collection.insert(self._to_document(shift))
        except DuplicateKeyError:
            raise Conflict(f"{shift.clerk} has an open shift already; close it first") from None

    async def open_of(self, clerk: str) -> Shift | None:
        """Return a clerk's open shift, or None."""
        document = await self._collection.find_one({"clerk": clerk, "state": "open"})
        return None if document is None else self._from_document(document)

    async def allow(self, shift_id: str, most_fen: int) -> None:
        """Let an open shift take so much from customers in all; see `Orders.enter`."""
        query = {"_id": shift_id, "state": "open"}
        await self._collection.update(query, {"$set": {"most_fen": most_fen}})

    async def taken_fen(self, shift_id: str) -> int:
        """Return what a shift has taken from customers so far; see `taken_stages`."""
        return taken_in(await self._orders.aggregate(taken_stages(shift_id)))

    async def close(
        self, shift_id: str, closed: Callable[[Shift, Many[Entry], int], Shift]
    ) -> Shift:
        """Close an open shift and return it; one that is closed already is returned as it stands.

        `closed(shift, entries, number)` makes the closed shift. It is written in one step, and only
        when no order has come since the sums were made; else they are made again. Raises NotFound.
        """
        for _ in range(CLOSE_ATTEMPTS):
            query: Document = {"_id": shift_id, "state": "open"}
            document = await self._collection.find_one(query)
            if document is None:
                return await self.get(shift_id)
            entries = await self._entries(shift_id)
            after = closed(self._from_document(document), entries, await self._next_number())
            query["held"] = document.get("held")
            try:
                if await self._collection.replace(query, self._to_document(after)):
                    return after
            except DuplicateKeyError:
                continue  # Another shift took the number.
        raise Conflict(f"shift {shift_id} gets orders right now; close it again")

    async def list(
        self,
        text: str | None = None,
        state: str | None = None,
        clerk: str | None = None,
        skip: int = 0,
        limit: int = 100,
        *,
        sort: str = "",
        clerks: Ids[str] | None = None,
    ) -> Page[Shift]:
        """Return a page of shifts, the newest first, and how many there are; of `clerks` only."""
        query = {**matching(text, "clerk", "note"), **among("clerk", clerks)}
        wanted = {"state": state, "clerk": clerk}
        query.update({name: value for name, value in wanted.items() if value is not None})
        return await self._page(query, skip, limit, order=self._order(sort, [("_id", -1)]))

    async def opened(self, since: datetime, until: datetime) -> Many[Shift]:
        """Return the shifts with since <= opened_at < until, the oldest first."""
        query = {"opened_at": {"$gte": since, "$lt": until}}
        return await self._all(query, order=[("opened_at", 1), ("_id", 1)])

    async def _next_number(self) -> int:
        newest = await self._collection.find(
            {"state": "closed"}, fields={"number": 1}, order=[("number", -1)], limit=1
        )
        return newest[0]["number"] + 1 if newest else 1

    async def _entries(self, shift_id: str) -> Many[Entry]:
        found = await self._orders.find(
            {"$or": [{"shift": shift_id}, {"ended_shift": shift_id, "state": "abandoned"}]},
            fields=MONEY_FIELDS,
            order=[("_id", 1)],
            limit=ORDERS_MAX + 1,
        )
        if len(found) > ORDERS_MAX:
            raise Conflict(f"shift {shift_id} has more than {ORDERS_MAX} orders")
        return [entry for order in found for entry in _entries_of(order, shift_id)]

    def _to_document(self, thing: Shift) -> Document:
        document = super()._to_document(thing)
        document["report"] = None if thing.report is None else asdict(thing.report)
        document["pieces"] = [asdict(each) for each in thing.pieces]
        return document

    def _from_document(self, document: Document) -> Shift:
        held = document["report"]
        pieces = tuple(Pieces(**each) for each in document.get("pieces", ()))
        document = {**document, "pieces": pieces}
        if held is None:
            return super()._from_document(document)
        report = Report(
            held["expected_fen"],
            held["difference_fen"],
            tuple(ReportLine(**line) for line in held["lines"]),
            tuple(held["orders"]),
            tuple(held["unfinished"]),
        )
        return super()._from_document({**document, "report": report})


def taken_stages(shift_id: str) -> list[Document]:
    """Return the pipeline over the orders that sums what a shift took from customers.

    What was abandoned in the shift itself does not count; money given back for another reason, or
    in a later shift, makes no room.
    """
    undone = {"state": ABANDONED, "ended_shift": {"$in": [shift_id, None]}}
    wanted = {"shift": shift_id, "amount_fen": {"$gt": 0}, "$nor": [undone]}
    return [{"$match": wanted}, {"$group": {"_id": None, "taken_fen": {"$sum": "$amount_fen"}}}]


def taken_in(found: Sequence[Document]) -> int:
    """Return the sum that the pipeline found; 0 when no order stands."""
    return int(found[0]["taken_fen"]) if found else 0


def check_room(clerk: str, taken_fen: int, amount_fen: int, most_fen: int) -> None:
    """Refuse to take more in one shift than the clerk may. Raises LimitReached."""
    if taken_fen + amount_fen > most_fen:
        more, most = Decimal(amount_fen).scaleb(-2), Decimal(most_fen).scaleb(-2)
        raise LimitReached(
            f"with {more} more, {clerk} takes more than {most} in one shift; close the shift and"
            " hand over the money"
        )


def _entries_of(order: Document, shift_id: str) -> Iterator[Entry]:
    """Yield what an order did to the drawer of a shift: it was made in it, or abandoned in it."""
    amount_fen = order["amount_fen"]
    if order["shift"] == shift_id:
        yield Entry(order["_id"], order["kind"], amount_fen, order["state"] == "reserved")
    ended_in = order.get("ended_shift") or order["shift"]
    if order["state"] == "abandoned" and ended_in == shift_id:
        yield Entry(order["_id"], ABANDONED, -amount_fen)
