"""Why points are missing: the last cause of each meter, item and local day, by meter and month.

    {_id: "000000000161/2024-05",
     causes: {"energy_import_total": {"1": {"cause": "no_answer", "at": 2024-05-01T01:00:00Z}}}}

A cause stays when its holes are filled; who reads it looks for the holes first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pymongo import UpdateOne

from station.store.driver import Collection

MONTHS_PER_WRITE = 1000  # Some 200 bytes each in one command.
HoleKey = tuple[str, str, date]  # Meter, item, local day.


@dataclass(frozen=True, slots=True)
class HoleCause:
    """Why points of an item of a meter are missing on a local day, as found at a moment."""

    meter: str
    item: str
    day: date
    cause: str
    at: datetime


class Coverage:
    """The causes of holes."""

    def __init__(self, holes: Collection) -> None:
        self._holes = holes

    async def note_causes(self, causes: Iterable[HoleCause]) -> None:
        """Keep causes in place of those noted before; noting the same twice changes nothing.

        Raises DatabaseDown.
        """
        changes: dict[str, dict[str, Any]] = {}
        for each in causes:
            fields = changes.setdefault(month_key(each.meter, each.day), {})
            fields[f"causes.{each.item}.{each.day.day}"] = {"cause": each.cause, "at": each.at}
        keys = sorted(changes)
        for start in range(0, len(keys), MONTHS_PER_WRITE):
            some = keys[start : start + MONTHS_PER_WRITE]
            await self._holes.write(
                [UpdateOne({"_id": key}, {"$set": changes[key]}, upsert=True) for key in some]
            )

    async def causes(
        self, meters: Sequence[str], items: Sequence[str], first_day: date, last_day: date
    ) -> dict[HoleKey, HoleCause]:
        """Return the causes that are known of these days, both included."""
        found: dict[HoleKey, HoleCause] = {}
        keys = [month_key(meter, day) for meter in meters for day in months(first_day, last_day)]
        for start in range(0, len(keys), MONTHS_PER_WRITE):
            query = {"_id": {"$in": keys[start : start + MONTHS_PER_WRITE]}}
            fields = {f"causes.{item}": 1 for item in items}
            for document in await self._holes.find(query, fields=fields):
                meter, month = document["_id"].split("/")
                for item, days in document.get("causes", {}).items():
                    for number, noted in days.items():
                        day = date.fromisoformat(f"{month}-{int(number):02}")
                        if first_day <= day <= last_day:
                            found[meter, item, day] = HoleCause(meter, item, day, **noted)
        return found


def month_key(meter: str, day: date) -> str:
    """Return the key of a meter's month: `000000000161/2024-05`."""
    return f"{meter}/{day:%Y-%m}"


def months(first_day: date, last_day: date) -> list[date]:
    """Return the first days of the months that these days lie in."""
    count = (last_day.year - first_day.year) * 12 + last_day.month - first_day.month + 1
    numbers = (first_day.year * 12 + first_day.month - 1 + n for n in range(count))
    return [date(number // 12, number % 12 + 1, 1) for number in numbers]
