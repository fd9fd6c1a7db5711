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
from functools import lru_cache
from typing import Any, Literal, NamedTuple, get_args
from zoneinfo import ZoneInfo

from pymongo import InsertOne, UpdateOne

from station.store.driver import Document
from station.units import MINUTE, UTC, day_minutes, day_start, local_day

Source = Literal["task", "gap", "read_now", "report"]
Quality = Literal["doubtful", "late", "live", "recorded"]  # From worse to better.
SheetKey = tuple[str, str, date]  # Meter, item, local day.

QUALITY_BEFORE: Quality = "live"  # Of what was stored before there were qualities.
GRID_MIN = 15  # Minutes between the bits of the coverage.
MILLISECOND = timedelta(milliseconds=1)
DAY_S = 86_400

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


Slots = dict[int, Reading]  # Minutes since local midnight.


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
) -> tuple[dict[SheetKey, Slots], list[Reading]]:
    """Return readings by sheet and slot, and those whose slot is taken by one before them.

    Of these only the better ones are returned: they are to be saved after the others.
    """
    sheets: dict[SheetKey, Slots] = {}
    again: list[Reading] = []
    slots: Slots = {}
    meter: str | None = None
    item = ""
    start, length_s = datetime.min.replace(tzinfo=UTC), 0
    for reading in readings:
        of_meter, of_item, moment, value, _, _, quality = reading
        since = moment - start
        seconds = since.seconds
        if since.days or seconds >= length_s:  # Asking the zone is slow; one day serves many.
            day = local_day(moment, zone)
            start, length_s = day_start(day, zone), day_minutes(day, zone) * 60
            since = moment - start
            seconds = since.days * DAY_S + since.seconds
            meter = None
        if of_meter != meter or of_item != item:
            meter, item = of_meter, of_item
            slots = sheets.setdefault(checked((meter, item, day)), {})
        held = slots.setdefault(seconds // 60, reading)
        if held is not reading and is_better(value, quality, held.value, held.quality):
            again.append(reading)
    return sheets, again


def better(slots: Slots, sheet: Document) -> Slots:
    """Return what a sheet lacks, and what is better than what it holds."""
    values, qualities = sheet["values"], sheet.get("qualities", {})
    usual = sheet.get("quality", QUALITY_BEFORE)
    taken: Slots = {}
    for number, reading in slots.items():
        slot = str(number)
        if slot not in values or is_better(
            reading.value, reading.quality, values[slot], qualities.get(slot, usual)
        ):
            taken[number] = reading
    return taken


def write_of(
    identifier: str, sheet: Document | None, slots: Slots
) -> InsertOne[Document] | UpdateOne:
    """Return what makes a sheet of these slots, or takes them into the sheet that is there."""
    if sheet is None:
        first = next(iter(slots.values()))
        head = {
            "_id": identifier,
            "read_at": whole_ms(first.read_at),
            "source": first.source,
            "quality": first.quality,
        }
        return InsertOne({**head, **_columns(head, slots)})
    fields: Document = {}
    former: Document = {}
    for name, column in _columns(sheet, slots).items():
        fields.update((f"{name}.{slot}", value) for slot, value in column.items())
    for number, reading in slots.items():
        slot = str(number)
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


@lru_cache(maxsize=1024)  # Blocks of a site have few shapes.
def bits_of(slots: tuple[int, ...]) -> int:
    """Return the coverage of these slots: bit n stands for slot n * 15, others have none."""
    return sum(1 << slot // GRID_MIN for slot in set(slots) if slot % GRID_MIN == 0)


def whole_ms(moment: datetime) -> datetime:
    """Return the moment, cut to what the database keeps."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _columns(head: Document, slots: Slots) -> Document:
    """Return the fields of these slots, shaped as in a sheet with this head.

    Mostly the slots are one block, read at once: what differs is looked for only if something does.
    """
    names = _names(tuple(slots))
    _, _, _, values, read_ats, sources, qualities = zip(*slots.values(), strict=True)
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


@lru_cache(maxsize=1024)  # Blocks of a site have few shapes.
def _names(slots: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(map(str, slots))


def _former(sheet: Document, slot: str) -> dict[str, Any]:
    """Return what a sheet holds in a slot, as it stands under `former`."""
    return {
        "value": sheet["values"][slot],
        "read_at": sheet["read_at"] + sheet.get("later", {}).get(slot, 0) * MILLISECOND,
        "source": sheet.get("sources", {}).get(slot, sheet["source"]),
        "quality": sheet.get("qualities", {}).get(slot, sheet.get("quality", QUALITY_BEFORE)),
    }
