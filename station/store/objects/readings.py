"""Readings: saved into day sheets, together with what pages want to know fast.

Each batch of sheets is one transaction, together with the latest readings of its meters and their
coverage: what it finds missing is missing until it has written it, or it is run again. So both are
always exactly what the sheets hold.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from itertools import groupby, islice, product
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

from pymongo import InsertOne, UpdateOne

from station.store.driver import Collection, Document
from station.store.objects import months
from station.store.objects.sheets import (
    GRID_MIN,
    QUALITY_BEFORE,
    Block,
    Quality,
    Reading,
    SheetKey,
    Source,
    better,
    former_of,
    group,
    readings_of,
    sheet_id,
    sheet_key,
    write_of,
)
from station.units import local_day

__all__ = ["GRID_MIN", "Quality", "Reading", "Readings", "SheetKey", "Source"]

SHEETS_PER_WRITE = 500  # One transaction: some 1.5 MB when full, well below a small cache.
LANES_MAX = 3  # Transactions at once: one is made ready while the database writes the others.
SHEETS_PER_LANE = 100  # Fewer are not worth a second transaction.
SHEETS_PER_STEP = 100  # Made into readings in some 10 ms.
KEYS_PER_QUERY = 5_000  # About 250 kB of keys in one command.
SHEETS_LOOKED_AT = 8  # For the first reading of a span; a day seldom holds none that is good.
METERS_PER_QUERY = 250  # Whose latest readings of ten items are made in some 5 ms.
MONTHS_PER_QUERY = 500  # With one item some 350 kB, whose decoding holds up the loop for 5 ms.


class Readings:
    """All readings, the latest of each meter, and which points are there."""

    def __init__(
        self, sheets: Collection, latest: Collection, coverage: Collection, zone: ZoneInfo
    ) -> None:
        self._sheets = sheets
        self._latest = latest
        self._coverage = coverage
        self._zone = zone

    async def save(self, readings: Iterable[Reading]) -> int:
        """Keep readings and return how many were taken: those that were missing, or better.

        Raises DatabaseDown; nobody knows then how much is kept, and repeating it is harmless.
        Raises ValueError, and keeps nothing, for a name that a sheet's key cannot hold.
        """
        taken = 0
        blocks, again = group(readings, self._zone)
        while blocks:
            lanes = [self._save_lane(blocks, keys) for keys in _lanes(sorted(blocks))]
            for saved in await asyncio.gather(*lanes, return_exceptions=True):
                if isinstance(saved, BaseException):
                    raise saved
                taken += saved
            blocks, again = group(again, self._zone)
        return taken

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

        Bit n stands for slot n * 15; values off that grid are not told. Both days included. Much
        faster than `stored_slots`.
        """
        bits: dict[SheetKey, int] = {}
        keys = months.keys(meters, first_day, last_day)
        fields = months.fields("held", items, first_day, last_day)
        for start in range(0, len(keys), MONTHS_PER_QUERY):
            query = {"_id": {"$in": keys[start : start + MONTHS_PER_QUERY]}}
            for document in await self._coverage.find(query, fields=fields):
                for key, held in months.entries(document, "held", first_day, last_day):
                    bits[key] = int.from_bytes(held, "little")
        return bits

    async def count(self, meters: Sequence[str], day: date) -> int:
        """Return how many values of all items these meters have on a local day."""
        total = 0
        name = str(day.day)
        keys = months.keys(meters, day, day)
        for start in range(0, len(keys), MONTHS_PER_QUERY):
            query = {"_id": {"$in": keys[start : start + MONTHS_PER_QUERY]}}
            found = await self._coverage.find(query, fields={f"counts.{name}": 1})
            total += sum(document["counts"].get(name, 0) for document in found)
        return total

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
        for number, (key, sheet) in enumerate(sorted(found, key=lambda each: each[0])):
            readings = readings_of(key, sheet, self._zone)
            curves[key[1]] += (each for each in readings if start <= each.moment < end)
            if number % SHEETS_PER_STEP == SHEETS_PER_STEP - 1:
                await asyncio.sleep(0)  # The links may go on.
        return curves

    async def first(self, meter: str, item: str, start: datetime, end: datetime) -> Reading | None:
        """Return the oldest reading with start <= moment < end, or None.

        It has a value and is not doubtful; of the days with readings only the first few are
        looked at.
        """
        days = (local_day(start, self._zone), local_day(end, self._zone))
        first, last = (sheet_id((meter, item, day)) for day in days)
        sheets = await self._sheets.find(
            {"_id": {"$gte": first, "$lte": last}}, order=[("_id", 1)], limit=SHEETS_LOOKED_AT
        )
        for sheet in sheets:
            for reading in readings_of(sheet_key(sheet["_id"]), sheet, self._zone):
                is_good = reading.value is not None and reading.quality != "doubtful"
                if is_good and start <= reading.moment < end:
                    return reading
        return None

    async def former(
        self, meter: str, item: str, start: datetime, end: datetime
    ) -> dict[datetime, list[Reading]]:
        """Return the readings that better ones replaced, by moment, the oldest first."""
        first_day, last_day = local_day(start, self._zone), local_day(end, self._zone)
        fields = {"former": 1}
        found = await self._find_sheets([meter], [item], first_day, last_day, fields)
        return {
            moment: readings
            for key, sheet in found
            for moment, readings in former_of(key, sheet, self._zone).items()
            if start <= moment < end
        }

    async def latest(self, meters: Sequence[str] | None = None) -> dict[str, list[Reading]]:
        """Return the reading of the newest moment of each item, per meter that has any."""
        if meters is None:
            return {each["_id"]: _latest_of(each) for each in await self._latest.find({})}
        latest: dict[str, list[Reading]] = {}
        for start in range(0, len(meters), METERS_PER_QUERY):
            query = {"_id": {"$in": [*meters[start : start + METERS_PER_QUERY]]}}
            for document in await self._latest.find(query):
                latest[document["_id"]] = _latest_of(document)
        return latest

    async def _save_lane(self, blocks: Mapping[SheetKey, Block], keys: Sequence[SheetKey]) -> int:
        """Save these blocks, a batch after the other, and return how many values were taken."""
        taken = 0
        for start in range(0, len(keys), SHEETS_PER_WRITE):
            batch = {key: blocks[key] for key in keys[start : start + SHEETS_PER_WRITE]}
            taken += await self._sheets.transaction(partial(self._fill, batch))
        return taken

    async def _fill(self, batch: Mapping[SheetKey, Block], session: Any) -> int:
        """Write what the sheets lack, and what is better, and return how many values that were."""
        ids = {sheet_id(key): key for key in batch}
        found = await self._sheets.find({"_id": {"$in": [*ids]}}, session=session)
        sheets = {sheet["_id"]: sheet for sheet in found}
        writes: list[Any] = []
        filled: list[tuple[SheetKey, Block, Document]] = []
        for identifier, key in ids.items():
            sheet = sheets.get(identifier)
            taken = batch[key] if sheet is None else better(batch[key], sheet)
            if taken is not None:
                writes.append(write_of(identifier, sheet, taken))
                filled.append((key, taken, {} if sheet is None else sheet["values"]))
        if writes:
            await self._sheets.write(writes, session=session)
            await self._coverage.write(months.writes(filled), session=session)
            await self._bring_forward((block.newest for _, block, _ in filled), session)
        return sum(len(block.readings) for _, block, _ in filled)

    async def _bring_forward(self, taken: Iterable[Reading], session: Any) -> None:
        """Take into the latest readings what is newer than they are, or better."""
        newest: defaultdict[str, dict[str, Reading]] = defaultdict(dict)
        for reading in taken:
            items = newest[reading.meter]
            known = items.get(reading.item)
            if known is None or known.moment < reading.moment:
                items[reading.item] = reading
        found = await self._latest.find({"_id": {"$in": [*newest]}}, session=session)
        held = {document["_id"]: document["items"] for document in found}
        writes = [_forward(meter, held.get(meter), items) for meter, items in newest.items()]
        if any(writes):
            await self._latest.write([write for write in writes if write], session=session)

    async def _find_sheets(
        self,
        meters: Sequence[str],
        items: Sequence[str],
        first_day: date,
        last_day: date,
        fields: Mapping[str, Any] | None = None,
    ) -> list[tuple[SheetKey, Document]]:
        days = [first_day + timedelta(n) for n in range((last_day - first_day).days + 1)]
        ids = (sheet_id(key) for key in product(meters, items, days))
        found: list[tuple[SheetKey, Document]] = []
        while some := list(islice(ids, KEYS_PER_QUERY)):
            sheets = await self._sheets.find({"_id": {"$in": some}}, fields=fields)
            found += ((sheet_key(sheet["_id"]), sheet) for sheet in sheets)
        return found


def _lanes(keys: Sequence[SheetKey]) -> list[list[SheetKey]]:
    """Deal sorted keys into lanes; a meter is in one of them, so lanes are not in each other's way.

    Two transactions that touch the same meter would touch the same documents.
    """
    size = max(SHEETS_PER_LANE, -(-len(keys) // LANES_MAX))
    lanes: list[list[SheetKey]] = [[]]
    for _, own in groupby(keys, key=itemgetter(0)):
        if len(lanes[-1]) >= size:
            lanes.append([])
        lanes[-1] += own
    return lanes


def _latest_of(document: Document) -> list[Reading]:
    meter = document["_id"]
    return [
        Reading(
            meter,
            item,
            entry["moment"],
            entry["value"],
            entry["read_at"],
            entry["source"],
            entry.get("quality", QUALITY_BEFORE),
        )
        for item, entry in document["items"].items()
    ]


def _forward(
    meter: str, held: Document | None, items: Mapping[str, Reading]
) -> InsertOne[Document] | UpdateOne | None:
    """Return what brings a meter's latest readings forward, or None if nothing does.

    A reading of the moment that is held was taken into its sheet, so it is the one that stands.
    """
    if held is None:
        entries = {item: _entry(reading) for item, reading in items.items()}
        return InsertOne({"_id": meter, "items": entries})
    newer = {
        f"items.{item}": _entry(reading)
        for item, reading in items.items()
        if item not in held or held[item]["moment"] <= reading.moment
    }
    return UpdateOne({"_id": meter}, {"$set": newer}) if newer else None


def _entry(reading: Reading) -> Document:
    return {
        "moment": reading.moment.replace(second=0, microsecond=0),
        "value": reading.value,
        "read_at": reading.read_at,
        "source": reading.source,
        "quality": reading.quality,
    }
