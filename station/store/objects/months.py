"""Documents of one meter and month, which hold something for each of its items and days. Pure.

    {_id: "000000000161/2024-05",
     held: {energy_import_total: {"1": b"\\xff…"}},  bit n, from the lowest: slot n * 15 has a value
     counts: {"1": 96}}                              values of all items, on and off that grid

A completeness page wants to know of some thousand sheets how full they are, not what is in them:
with these it reads one small document instead of thirty sheets.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from pymongo import UpdateOne

from station.store.driver import Document
from station.store.objects.sheets import Block, SheetKey, shape_of


def key_of(meter: str, day: date) -> str:
    """Return the key of a meter's month: `000000000161/2024-05`."""
    return f"{meter}/{day.isoformat()[:7]}"


def keys(meters: Sequence[str], first_day: date, last_day: date) -> list[str]:
    """Return the keys of these meters' months in which these days lie."""
    first = first_day.year * 12 + first_day.month - 1
    last = last_day.year * 12 + last_day.month - 1
    months = [f"{number // 12}-{number % 12 + 1:02}" for number in range(first, last + 1)]
    return [f"{meter}/{month}" for meter in meters for month in months]


def fields(name: str, items: Sequence[str], first_day: date, last_day: date) -> dict[str, int]:
    """Return which fields to read for these items: of a day or a month of them."""
    if first_day == last_day:
        return {f"{name}.{item}.{first_day.day}": 1 for item in items}
    return {f"{name}.{item}": 1 for item in items}


def entries(
    document: Document, name: str, first_day: date, last_day: date
) -> Iterator[tuple[SheetKey, Any]]:
    """Yield what a document holds for each item and day from the first day to the last."""
    meter, month = document["_id"].split("/")
    days = _days(month, first_day, last_day)
    for item, held in document.get(name, {}).items():
        for number, entry in held.items():
            if number in days:
                yield (meter, item, days[number]), entry


@lru_cache(maxsize=64)
def _days(month: str, first_day: date, last_day: date) -> Mapping[str, date]:
    """Return the days of a month from the first day to the last, by their number as text."""
    first = date.fromisoformat(f"{month}-01")
    days = (first + timedelta(days=number) for number in range(31))
    return {
        str(day.day): day
        for day in days
        if day.month == first.month and first_day <= day <= last_day
    }


def writes(filled: Iterable[tuple[SheetKey, Block, Mapping[str, Any]]]) -> list[UpdateOne]:
    """Return what takes into the months that sheets, with the values they had, get these blocks."""
    held: defaultdict[str, Document] = defaultdict(dict)
    counts: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for (meter, item, day), block, values in filled:
        key, number = key_of(meter, day), day.day
        bits, new = block.shape.bits, len(block.readings)
        if values:
            bits |= shape_of(map(int, values)).bits
            new = sum(name not in values for name in block.shape.names)
        held[key][f"held.{item}.{number}"] = _packed(bits)
        counts[key][f"counts.{number}"] += new
    return [
        UpdateOne({"_id": key}, {"$set": fields, "$inc": counts[key]}, upsert=True)
        for key, fields in held.items()
    ]


def enter(kept: dict[str, Document], key: SheetKey, values: Mapping[str, Any]) -> None:
    """Enter a sheet with these values into the documents of months, which are made as needed."""
    meter, item, day = key
    document = kept.setdefault(key_of(meter, day), {"held": {}, "counts": {}})
    held, counts = document["held"].setdefault(item, {}), document["counts"]
    held[str(day.day)] = _packed(shape_of(map(int, values)).bits)
    counts[str(day.day)] = counts.get(str(day.day), 0) + len(values)


def _packed(bits: int) -> bytes:
    return bits.to_bytes((bits.bit_length() + 7) // 8, "little")
