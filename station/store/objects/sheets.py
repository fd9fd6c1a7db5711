"""How readings lie in day sheets: one document per meter, item and local day. Pure.

    {_id: "000000000161/energy_import_total/2024-05-01",
     values: {"0": 12345, "15": 12360},     the slot is minutes since local midnight
     read_at: 2024-05-01T00:00:07.123Z,     when, how and how well most of these values were read:
     source: "task", quality: "live",       those of the first one
     later: {"15": 899877},                 ms after `read_at`, of slots that differ
     sources: {"15": "report"},             of slots that differ
     qualities: {"15": "recorded"},         of slots that differ
     former: {"15": [{value: 12359, read_at: …, source: "task", quality: "late"}]}}

A value stands until a better one comes: a number is better than no number, then the quality
decides. What it replaces stays in the sheet under `former`, the oldest first. An equal or worse
value changes nothing, so a re-read changes nothing. Sheets of before there were qualities have no
`quality`: what they hold counts as live.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Literal, NamedTuple, get_args
from zoneinfo import ZoneInfo

from pymongo import InsertOne, UpdateOne

from station.store.driver import Document
from station.units import MINUTE, day_start, slot_of

Source = Literal["task", "gap", "read_now", "report"]
Quality = Literal["doubtful", "late", "live", "recorded"]  # From worse to better.
SheetKey = tuple[str, str, date]  # Meter, item, local day.

QUALITY_BEFORE: Quality = "live"  # Of what was stored before there were qualities.
GRID_MIN = 15  # Minutes between the bits of the coverage.
MILLISECOND = timedelta(milliseconds=1)

_RANKS: Mapping[Quality, int] = {quality: rank for rank, quality in enumerate(get_args(Quality))}


class Reading(NamedTuple):
    """One value of an item at a moment: `value` is scaled as the catalogue says, None is absent.

    The moment is kept to the minute, `read_at` to the millisecond. (A tuple, because a frozen
    dataclass takes four times as long to make, which is most of what storing a point costs.)
    """

    meter: str
    item: str
    moment: datetime
    value: int | None
    read_at: datetime
    source: Source = "task"
    quality: Quality = "live"


class Shape(NamedTuple):
    """The slots of a block, all different; many blocks of a site have the same."""

    slots: tuple[int, ...]  # Minutes since local midnight.
    names: tuple[str, ...]  # The same, as the fields of a sheet.
    bits: int  # Bit n stands for slot n * 15, others have none.
    last: int  # The place of the last slot.


class Block(NamedTuple):
    """Readings that go into one sheet, one for each slot of the shape."""

    readings: Sequence[Reading]
    shape: Shape

    @property
    def newest(self) -> Reading:
        """The reading of the last moment."""
        return self.readings[self.shape.last]


def shape_of(slots: Iterable[int]) -> Shape:
    """Return the shape that these slots have."""
    slots = tuple(slots)
    bits = sum(1 << slot // GRID_MIN for slot in slots if slot % GRID_MIN == 0)
    last = slots.index(max(slots)) if slots else 0
    return Shape(slots, tuple(map(str, slots)), bits, last)


def sheet_id(key: SheetKey) -> str:
    """Return the `_id` of a sheet."""
    meter, item, day = key
    return f"{meter}/{item}/{day}"


def sheet_key(identifier: str) -> SheetKey:
    """Return what the `_id` of a sheet names."""
    meter, item, day = identifier.split("/")
    return meter, item, date.fromisoformat(day)


def checked(key: SheetKey) -> SheetKey:
    """Return the key. Raises ValueError if a name in it would break it or a field's path."""
    meter, item, _ = key
    if "/" in meter or not set("/.$").isdisjoint(item):
        raise ValueError(f"no sheet can be kept for meter {meter!r}, item {item!r}")
    return key


def is_better(value: int | None, quality: Quality, held: int | None, held_quality: Quality) -> bool:
    """Tell whether a value is to replace another one of the same point."""
    if (value is None) != (held is None):
        return held is None
    return _RANKS[quality] > _RANKS[held_quality]


def group(
    readings: Iterable[Reading], zone: ZoneInfo
) -> tuple[dict[SheetKey, Block], list[Reading]]:
    """Return readings by sheet, and those whose slot is taken by one before them.

    Of these only the better ones are returned: they are to be saved after the others.
    """
    blocks: dict[SheetKey, Block] = {}
    again: list[Reading] = []
    moments: list[datetime] = []
    parts: list[_Part] = []
    for (meter, item), own in _by_item(readings).items():
        theirs = [reading.moment for reading in own]
        if theirs != moments:  # Where moments lie is slow to find out; most blocks share them.
            moments, parts = theirs, _parts(theirs, zone)
        for part in parts:
            some = own if part.is_all else [own[n] for n in part.places]
            blocks[checked((meter, item, part.day))] = Block(some, part.shape)
            for number, first in part.taken:
                reading, held = own[number], own[first]
                if is_better(reading.value, reading.quality, held.value, held.quality):
                    again.append(reading)
    return blocks, again


def _by_item(readings: Iterable[Reading]) -> dict[tuple[str, str], list[Reading]]:
    found: dict[tuple[str, str], list[Reading]] = {}
    meter: str | None = None
    item = ""
    own: list[Reading] = []
    for reading in readings:
        if reading[0] != meter or reading[1] != item:
            meter, item = reading[0], reading[1]
            own = found.setdefault((meter, item), [])
        own.append(reading)
    return found


class _Part(NamedTuple):
    """What of a list of moments lies on one day: the places of the first one in each slot."""

    day: date
    places: Sequence[int]
    shape: Shape
    is_all: bool  # The whole list, in its order.
    taken: Sequence[tuple[int, int]]  # Places of others, and of the first one in their slot.


def _parts(moments: Sequence[datetime], zone: ZoneInfo) -> list[_Part]:
    """Return where moments lie, day by day."""
    days: dict[date, dict[int, int]] = {}  # The place that has each slot.
    taken: dict[date, list[tuple[int, int]]] = {}
    for place, moment in enumerate(moments):
        day, slot = slot_of(moment, zone)
        first = days.setdefault(day, {}).setdefault(slot, place)
        if first != place:
            taken.setdefault(day, []).append((place, first))
    return [
        _Part(
            day,
            tuple(places.values()),
            shape_of(places),
            len(places) == len(moments),
            taken.get(day, ()),
        )
        for day, places in days.items()
    ]


def better(block: Block, sheet: Document) -> Block | None:
    """Return what a sheet lacks, and what is better than what it holds; None if nothing is."""
    values, qualities = sheet["values"], sheet.get("qualities", {})
    usual = sheet.get("quality", QUALITY_BEFORE)
    places = [
        place
        for place, (slot, reading) in enumerate(zip(block.shape.names, block.readings, strict=True))
        if slot not in values
        or is_better(reading.value, reading.quality, values[slot], qualities.get(slot, usual))
    ]
    if not places:
        return None
    if len(places) == len(block.readings):
        return block
    slots = block.shape.slots
    return Block([block.readings[n] for n in places], shape_of(slots[n] for n in places))


def write_of(
    identifier: str, sheet: Document | None, block: Block
) -> InsertOne[Document] | UpdateOne:
    """Return what makes a sheet of this block, or takes it into the sheet that is there."""
    if sheet is None:
        first = block.readings[0]
        head = {
            "_id": identifier,
            "read_at": whole_ms(first.read_at),
            "source": first.source,
            "quality": first.quality,
        }
        return InsertOne({**head, **_columns(head, block)})
    fields: Document = {}
    former: Document = {}
    for name, column in _columns(sheet, block).items():
        fields.update((f"{name}.{slot}", value) for slot, value in column.items())
    for slot, reading in zip(block.shape.names, block.readings, strict=True):
        if slot in sheet["values"]:
            former[f"former.{slot}"] = _former(sheet, slot)
            fields[f"later.{slot}"] = (reading.read_at - sheet["read_at"]) // MILLISECOND
            fields[f"sources.{slot}"] = reading.source
            fields[f"qualities.{slot}"] = reading.quality
    return UpdateOne({"_id": identifier}, {"$set": fields, **({"$push": former} if former else {})})


def readings_of(key: SheetKey, sheet: Document, zone: ZoneInfo) -> Iterator[Reading]:
    """Yield the readings that stand in a sheet, oldest first."""
    meter, item, day = key
    later, sources = sheet.get("later", {}), sheet.get("sources", {})
    qualities, usual = sheet.get("qualities", {}), sheet.get("quality", QUALITY_BEFORE)
    values, read_at, source = sheet["values"], sheet["read_at"], sheet["source"]
    start = day_start(day, zone)
    for number, slot in sorted((int(slot), slot) for slot in values):
        yield Reading(
            meter,
            item,
            start + number * MINUTE,
            values[slot],
            read_at + later[slot] * MILLISECOND if slot in later else read_at,
            sources.get(slot, source),
            qualities.get(slot, usual),
        )


def former_of(key: SheetKey, sheet: Document, zone: ZoneInfo) -> dict[datetime, list[Reading]]:
    """Return the readings of a sheet that better ones replaced, by moment, the oldest first."""
    meter, item, day = key
    start = day_start(day, zone)
    found: dict[datetime, list[Reading]] = {}
    for slot, entries in sorted(sheet.get("former", {}).items()):
        moment = start + int(slot) * MINUTE
        found[moment] = [Reading(meter, item, moment, **entry) for entry in entries]
    return found


def whole_ms(moment: datetime) -> datetime:
    """Return the moment, cut to what the database keeps."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _columns(head: Document, block: Block) -> Document:
    """Return the fields of a block, shaped as in a sheet with this head.

    Mostly all of it was read at once: what differs is looked for only if something does.
    """
    names = block.shape.names
    _, _, _, values, read_ats, sources, qualities = zip(*block.readings, strict=True)
    columns: Document = {"values": dict(zip(names, values, strict=True))}
    read_at, source, quality = head["read_at"], head["source"], head.get("quality", QUALITY_BEFORE)
    if read_ats.count(read_at) < len(names):
        columns["later"] = {
            name: (each - read_at) // MILLISECOND
            for name, each in zip(names, read_ats, strict=True)
            if each != read_at
        }
    if sources.count(source) < len(names):
        columns["sources"] = _others(names, sources, source)
    if qualities.count(quality) < len(names):
        columns["qualities"] = _others(names, qualities, quality)
    return columns


def _others(names: Sequence[str], column: Sequence[str], usual: str) -> dict[str, str]:
    return {name: each for name, each in zip(names, column, strict=True) if each != usual}


def _former(sheet: Document, slot: str) -> dict[str, Any]:
    """Return what a sheet holds in a slot, as it stands under `former`."""
    return {
        "value": sheet["values"][slot],
        "read_at": sheet["read_at"] + sheet.get("later", {}).get(slot, 0) * MILLISECOND,
        "source": sheet.get("sources", {}).get(slot, sheet["source"]),
        "quality": sheet.get("qualities", {}).get(slot, sheet.get("quality", QUALITY_BEFORE)),
    }
