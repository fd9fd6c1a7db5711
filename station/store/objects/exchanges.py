"""Exchanged meters and changed ratios: what the registers showed when something was put in place.

A record is entered in the transaction that changes the meters, and never edited: what is reckoned
over such a moment takes the old end and the new start from it.
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from pymongo.errors import DuplicateKeyError

from station.errors import Conflict
from station.store.driver import Collection, Document
from station.store.objects.base import Many, Objects, Page, Thing, matching
from station.store.objects.meters import Meter, Meters
from station.units import utc_now

Registers = Mapping[str, Decimal]  # By item: what the display showed, without the ratios.


@dataclass(frozen=True, slots=True)
class MeterExchange:
    """One meter in another's place at a moment: the old one's last registers, the new one's first.

    `ct`, `pt` and `new_ct`, `new_pt` are the ratios before and after.
    """

    id: str
    old: str
    new: str
    _: KW_ONLY
    at: datetime
    old_registers: Registers
    new_registers: Registers
    ct: int = 1
    pt: int = 1
    new_ct: int = 1
    new_pt: int = 1
    reason: str = ""
    by: str = ""
    entered_at: datetime = field(default_factory=utc_now)


@dataclass(frozen=True, slots=True)
class RatioChange:
    """Other transformers before a meter at a moment, and what its registers showed then."""

    id: str
    meter: str
    _: KW_ONLY
    at: datetime
    registers: Registers
    ct: int
    pt: int
    new_ct: int
    new_pt: int
    reason: str = ""
    by: str = ""
    entered_at: datetime = field(default_factory=utc_now)


class _Records(Objects[Thing]):
    """Records with registers, which are kept as exact texts."""

    registers: tuple[str, ...]

    def __init__(self, collection: Collection, meters: Meters) -> None:
        super().__init__(collection)
        self._meters = meters

    def _to_document(self, thing: Thing) -> Document:
        document = super()._to_document(thing)
        for name in self.registers:
            document[name] = {item: str(value) for item, value in document[name].items()}
        return document

    def _from_document(self, document: Document) -> Thing:
        values = {
            name: {item: Decimal(text) for item, text in document[name].items()}
            for name in self.registers
        }
        return super()._from_document({**document, **values})


class MeterExchanges(_Records[MeterExchange]):
    """The exchanges of meters."""

    shape = MeterExchange
    key = "id"
    word = "meter exchange"
    registers = ("old_registers", "new_registers")

    async def enter(
        self, record: MeterExchange, *, seen: Meter, old: Meter, new: Meter, known: Meter | None
    ) -> None:
        """Put one meter in another's place: `seen` becomes `old`, and `new` is added.

        `known` is the new meter as the archive has it, if it has. Raises Conflict, InvalidValue.
        """

        async def work(session: Any) -> None:
            by, reason = record.by, record.reason
            await self._meters.save_within(session, old, by=by, reason=reason, seen=seen)
            if known is None:
                await self._meters.add_within(session, new, by=by, reason=reason)
            else:
                await self._meters.save_within(session, new, by=by, reason=reason, seen=known)
            await self._collection.insert(self._to_document(record), session=session)

        try:
            await self._collection.transaction(work)
        except DuplicateKeyError:
            raise Conflict(f"meter {record.new} exists already") from None

    async def list(
        self,
        text: str | None = None,
        meter: str | None = None,
        skip: int = 0,
        limit: int = 100,
        *,
        sort: str = "",
    ) -> Page[MeterExchange]:
        """Return a page of exchanges, the latest first; `meter` is the old or the new one."""
        query = _about(matching(text, "old", "new", "by", "reason"), meter, "old", "new")
        order = self._order(sort, [("at", -1), ("_id", -1)])
        return await self._page(query, skip, limit, order=order)

    async def of_meter(self, meter: str) -> Many[MeterExchange]:
        """Return the exchanges that a meter took part in, the first one first."""
        return await self._all(_about({}, meter, "old", "new"), order=[("at", 1), ("_id", 1)])


class RatioChanges(_Records[RatioChange]):
    """The changes of ratios."""

    shape = RatioChange
    key = "id"
    word = "ratio change"
    registers = ("registers",)

    async def enter(self, record: RatioChange, *, seen: Meter, new: Meter) -> None:
        """Give a meter other ratios. Raises Conflict when it is not as it was seen."""

        async def work(session: Any) -> None:
            await self._meters.save_within(
                session, new, by=record.by, reason=record.reason, seen=seen
            )
            await self._collection.insert(self._to_document(record), session=session)

        await self._collection.transaction(work)

    async def list(
        self,
        text: str | None = None,
        meter: str | None = None,
        skip: int = 0,
        limit: int = 100,
        *,
        sort: str = "",
    ) -> Page[RatioChange]:
        """Return a page of changes of ratios, the latest first."""
        query = _about(matching(text, "meter", "by", "reason"), meter, "meter")
        order = self._order(sort, [("at", -1), ("_id", -1)])
        return await self._page(query, skip, limit, order=order)

    async def of_meter(self, meter: str) -> Many[RatioChange]:
        """Return the changes of a meter's ratios, the first one first."""
        return await self._all({"meter": meter}, order=[("at", 1), ("_id", 1)])


def _about(query: Document, meter: str | None, *names: str) -> Document:
    if meter is None:
        return query
    return {"$and": [query, {"$or": [{name: meter} for name in names]}]}
