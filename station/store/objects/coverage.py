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
from station.store.objects import months
from station.store.objects.sheets import SheetKey

MONTHS_PER_WRITE = 1000  # Some 200 bytes each in one command.
MONTHS_PER_QUERY = 500  # Some 2 kB each with a dead meter's whole month.


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
            fields = changes.setdefault(months.key_of(each.meter, each.day), {})
            fields[f"causes.{each.item}.{each.day.day}"] = {"cause": each.cause, "at": each.at}
        keys = sorted(changes)
        for start in range(0, len(keys), MONTHS_PER_WRITE):
            some = keys[start : start + MONTHS_PER_WRITE]
            await self._holes.write(
                [UpdateOne({"_id": key}, {"$set": changes[key]}, upsert=True) for key in some]
            )

    async def causes(
        self, meters: Sequence[str], items: Sequence[str], first_day: date, last_day: date
    ) -> dict[SheetKey, HoleCause]:
        """Return the causes that are known of these days, both included."""
        found: dict[SheetKey, HoleCause] = {}
        keys = months.keys(meters, first_day, last_day)
        fields = months.fields("causes", items, first_day, last_day)
        for start in range(0, len(keys), MONTHS_PER_QUERY):
            query = {"_id": {"$in": keys[start : start + MONTHS_PER_QUERY]}}
            for document in await self._holes.find(query, fields=fields):
                for key, noted in months.entries(document, "causes", first_day, last_day):
                    found[key] = HoleCause(*key, **noted)
        return found
