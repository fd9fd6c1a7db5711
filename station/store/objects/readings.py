"""Readings, kept as day sheets: one document per meter, item and local day, values by slot.

    {_id: "000000000161/energy_import_total/2024-05-01",
     values: {"0": 12345, "15": 12360},     the slot is minutes since local midnight
     read_at: 2024-05-01T00:00:07.123Z,     when, and how, the first of these values was read
     source: "task",
     later: {"15": 899877},                 ms after `read_at`, of slots that differ
     sources: {"15": "read_now"}}           of slots that differ

The first value of a slot stays, whatever is saved later, so a re-read changes nothing. Each batch
of sheets is one transaction, together with the latest readings of its meters: what it finds
missing is missing until it has written it, or it is run again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from itertools import islice, product
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pymongo import InsertOne, UpdateOne

from station.store.driver import Collection, Document
from station.units import MINUTE, UTC, day_start, local_day

Source = Literal["task", "gap", "read_now", "report"]
Quality = Literal["doubtful", "late", "live", "recorded"]  # From worse to better.
SheetKey = tuple[str, str, date]  # Meter, item, local day.

GRID_MIN = 15  # Minutes between the bits of the coverage.
SHEETS_PER_WRITE = 500  # One transaction: some 1.5 MB when full, well below a small cache.
KEYS_PER_QUERY = 5_000  # About 250 kB of keys in one command.
MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of an item at a moment: `value` is scaled as the catalogue says, None is absent.

    The moment is kept to the minute, `read_at` to the millisecond.
    """

    meter: str
    item: str
    moment: datetime
    value: int | None
    read_at: datetime
    source: Source = "task"
    quality: Quality = "live"


Slots = dict[int, Reading]  # Minutes since local midnight.


class Readings:
    """All readings, and the latest of each meter."""

    def __init__(self, sheets: Collection, latest: Collection, zone: ZoneInfo) -> None:
        self._sheets = sheets
        self._latest = latest
        self._zone = zone

    async def save(self, readings: Iterable[Reading]) -> int:
        """Keep readings and return how many were new; the first value of a slot stays.

        Raises DatabaseDown; nobody knows then how much is kept, and repeating it is harmless.
        Raises ValueError, and keeps nothing, for a name that a sheet's key cannot hold.
        """
        sheets = sorted(self._by_sheet(readings).items())
        new = 0
        for start in range(0, len(sheets), SHEETS_PER_WRITE):
            batch = dict(sheets[start : start + SHEETS_PER_WRITE])
            new += await self._sheets.transaction(partial(self._fill, batch))
        return new

    async def stored_slots(
        self, meters: Sequence[str], items: Sequence[str], first_day: date, last_day: date
    ) -> dict[SheetKey, frozenset[int]]:
        """Return which slots hold a value, of every sheet that there is; both days included."""
        found = await self._find_sheets(meters, items, first_day, last_day, {"values": 1})
        return {key: frozenset(map(int, sheet["values"])) for key, sheet in found}

    async def coverage(
        self, meters: Sequence[str], items: Sequence[str], first_day: date, last_day: date
    ) -> dict[SheetKey, int]:
        """Return which quarters of an hour hold a value, of every sheet that there is.

        Bit n stands for slot n * 15; values off that grid are not told. Both days included.
        """
        stored = await self.stored_slots(meters, items, first_day, last_day)
        return {
            key: sum(1 << slot // GRID_MIN for slot in slots if slot % GRID_MIN == 0)
            for key, slots in stored.items()
        }

    async def count_by_day(
        self, meters: Sequence[str], items: Sequence[str], first_day: date, last_day: date
    ) -> dict[SheetKey, int]:
        """Return how many slots hold a value, of every sheet that there is; both days included."""
        size = {"size": {"$size": {"$objectToArray": "$values"}}}
        found = await self._find_sheets(meters, items, first_day, last_day, size)
        return {key: sheet["size"] for key, sheet in found}

    async def curve(self, meter: str, item: str, start: datetime, end: datetime) -> list[Reading]:
        """Return the readings with start <= moment < end, oldest first."""
        return (await self.curves(meter, [item], start, end))[item]

    async def curves(
        self, meter: str, items: Sequence[str], start: datetime, end: datetime
    ) -> dict[str, list[Reading]]:
        """Return the curves of several items; each item has an entry."""
        curves: dict[str, list[Reading]] = {item: [] for item in items}
        first_day, last_day = local_day(start, self._zone), local_day(end, self._zone)
        found = await self._find_sheets([meter], items, first_day, last_day)
        for (_, item, day), sheet in sorted(found, key=lambda each: each[0]):
            readings = self._readings_of(meter, item, day, sheet)
            curves[item] += (each for each in readings if start <= each.moment < end)
        return curves

    async def latest(self, meters: Sequence[str] | None = None) -> dict[str, list[Reading]]:
        """Return the reading of the newest moment of each item, per meter that has any."""
        found = await self._latest.find({} if meters is None else {"_id": {"$in": [*meters]}})
        return {
            document["_id"]: [
                Reading(document["_id"], item, **entry) for item, entry in document["items"].items()
            ]
            for document in found
        }

    async def _fill(self, batch: Mapping[SheetKey, Slots], session: Any) -> int:
        """Write what the sheets lack and return how many values that were."""
        query = {"_id": {"$in": [_id(key) for key in batch]}}
        sheets = {sheet["_id"]: sheet for sheet in await self._sheets.find(query, session=session)}
        writes: list[Any] = []
        newest: list[Reading] = []
        count = 0
        for key, slots in batch.items():
            sheet = sheets.get(_id(key))
            missing = slots if sheet is None else _missing(slots, sheet["values"])
            if missing:
                writes.append(_write(_id(key), sheet, missing))
                newest.append(missing[max(missing)])
                count += len(missing)
        if writes:
            await self._sheets.write(writes, session=session)
            await self._bring_forward(newest, session)
        return count

    async def _bring_forward(self, new: Iterable[Reading], session: Any) -> None:
        """Take into the latest readings what is newer than they are."""
        newest: dict[str, dict[str, Reading]] = {}
        for reading in new:
            items = newest.setdefault(reading.meter, {})
            known = items.get(reading.item)
            if known is None or known.moment < reading.moment:
                items[reading.item] = reading
        found = await self._latest.find({"_id": {"$in": [*newest]}}, session=session)
        held = {document["_id"]: document["items"] for document in found}
        writes = [_forward(meter, held.get(meter), items) for meter, items in newest.items()]
        if any(writes):
            await self._latest.write([write for write in writes if write], session=session)

    def _by_sheet(self, readings: Iterable[Reading]) -> dict[SheetKey, Slots]:
        """Group readings by sheet and slot; of two for one slot the first counts."""
        sheets: dict[SheetKey, Slots] = {}
        slots: Slots = {}
        meter: str | None = None
        item = ""
        start = end = datetime.min.replace(tzinfo=UTC)
        for reading in readings:
            moment = reading.moment
            if not start <= moment < end:  # Asking the zone is slow; one day serves many.
                day = local_day(moment, self._zone)
                start = day_start(day, self._zone)
                end = day_start(day + timedelta(days=1), self._zone)
                meter = None
            if reading.meter != meter or reading.item != item:
                meter, item = reading.meter, reading.item
                slots = sheets.setdefault(_checked((meter, item, day)), {})
            slots.setdefault((moment - start) // MINUTE, reading)
        return sheets

    async def _find_sheets(
        self,
        meters: Sequence[str],
        items: Sequence[str],
        first_day: date,
        last_day: date,
        fields: Mapping[str, Any] | None = None,
    ) -> list[tuple[SheetKey, Document]]:
        days = [first_day + timedelta(n) for n in range((last_day - first_day).days + 1)]
        ids = (_id(key) for key in product(meters, items, days))
        found: list[tuple[SheetKey, Document]] = []
        while some := list(islice(ids, KEYS_PER_QUERY)):
            sheets = await self._sheets.find({"_id": {"$in": some}}, fields=fields)
            found += ((_key(sheet["_id"]), sheet) for sheet in sheets)
        return found

    def _readings_of(self, meter: str, item: str, day: date, sheet: Document) -> Iterator[Reading]:
        later, sources = sheet.get("later", {}), sheet.get("sources", {})
        start = day_start(day, self._zone)
        for slot in sorted(sheet["values"], key=int):
            yield Reading(
                meter,
                item,
                start + int(slot) * MINUTE,
                sheet["values"][slot],
                sheet["read_at"] + later.get(slot, 0) * MILLISECOND,
                sources.get(slot, sheet["source"]),
            )


def _id(key: SheetKey) -> str:
    meter, item, day = key
    return f"{meter}/{item}/{day}"


def _key(sheet_id: str) -> SheetKey:
    meter, item, day = sheet_id.split("/")
    return meter, item, date.fromisoformat(day)


def _checked(key: SheetKey) -> SheetKey:
    """Return the key. Raises ValueError if a name in it would break it or a field's path."""
    meter, item, _ = key
    if "/" in meter or not set("/.$").isdisjoint(item):
        raise ValueError(f"no sheet can be kept for meter {meter!r}, item {item!r}")
    return key


def _missing(slots: Slots, held: Document) -> Slots:
    return {slot: reading for slot, reading in slots.items() if str(slot) not in held}


def _write(sheet_id: str, sheet: Document | None, slots: Slots) -> InsertOne[Document] | UpdateOne:
    """Return what makes a sheet of these slots, or adds them to the sheet that is there."""
    if sheet is None:
        first = next(iter(slots.values()))
        head = {"_id": sheet_id, "read_at": _whole_ms(first.read_at), "source": first.source}
        return InsertOne({**head, **_columns(head, slots)})
    columns = _columns(sheet, slots).items()
    fields = {f"{name}.{slot}": value for name, column in columns for slot, value in column.items()}
    return UpdateOne({"_id": sheet_id}, {"$set": fields})


def _columns(head: Document, slots: Slots) -> Document:
    """Return the fields of these slots, shaped as in a sheet with this head."""
    values: Document = {}
    later: Document = {}
    sources: Document = {}
    for number, reading in slots.items():
        slot = str(number)
        values[slot] = reading.value
        if reading.read_at != head["read_at"]:
            later[slot] = (reading.read_at - head["read_at"]) // MILLISECOND
        if reading.source != head["source"]:
            sources[slot] = reading.source
    columns = {"values": values, "later": later, "sources": sources}
    return {name: column for name, column in columns.items() if column}


def _forward(
    meter: str, held: Document | None, items: Mapping[str, Reading]
) -> InsertOne[Document] | UpdateOne | None:
    """Return what brings a meter's latest readings forward, or None if nothing does."""
    if held is None:
        entries = {item: _entry(reading) for item, reading in items.items()}
        return InsertOne({"_id": meter, "items": entries})
    newer = {
        f"items.{item}": _entry(reading)
        for item, reading in items.items()
        if item not in held or held[item]["moment"] < reading.moment
    }
    return UpdateOne({"_id": meter}, {"$set": newer}) if newer else None


def _entry(reading: Reading) -> Document:
    return {
        "moment": reading.moment.replace(second=0, microsecond=0),
        "value": reading.value,
        "read_at": reading.read_at,
        "source": reading.source,
    }


def _whole_ms(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
