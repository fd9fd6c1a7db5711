"""How often a meter was asked, and answered, on each local day.

    {_id: "000000000161/2026-11-22", meter, at: 2026-11-22T00:00Z,
     counts: {"<process start>": {asked, answered}}}

A document holds absolute counts for each start of a station, so that writing twice changes nothing
and two stations do not overwrite one another.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time

from pymongo import UpdateOne

from station.store.driver import Collection
from station.units import UTC

WRITE_BATCH_MAX = 1000  # Documents in one write: some 200 kB.


@dataclass(frozen=True, slots=True)
class MeterDay:
    """The points of a meter that were asked for on a local day, and those that were answered."""

    meter: str
    day: date
    asked: int
    answered: int


class MeterDays:
    """The counts of all meters and days."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def save_many(self, start: str, counts: Iterable[MeterDay]) -> None:
        """Keep the counts of one start of a station; keeping the same twice changes nothing."""
        rows = list(counts)
        for first in range(0, len(rows), WRITE_BATCH_MAX):
            batch = rows[first : first + WRITE_BATCH_MAX]
            await self._collection.write([_write(start, row) for row in batch])

    async def counts(self, day: date) -> list[tuple[str, int, int]]:
        """Return each meter of a day with its points asked and answered, in any order."""
        fields = {"_id": 0, "meter": 1, "counts": 1}
        found = await self._collection.find({"at": _at(day)}, fields=fields)
        return [(each["meter"], *_sums(each["counts"].values())) for each in found]


def _write(start: str, row: MeterDay) -> UpdateOne:
    counts = {"asked": row.asked, "answered": row.answered}
    fields = {"meter": row.meter, "at": _at(row.day), f"counts.{start}": counts}
    return UpdateOne({"_id": f"{row.meter}/{row.day}"}, {"$set": fields}, upsert=True)


def _sums(counts: Iterable[Mapping[str, int]]) -> tuple[int, int]:
    """Return what was asked and answered over all starts of stations."""
    asked = answered = 0
    for count in counts:
        asked += count["asked"]
        answered += count["answered"]
    return asked, answered


def _at(day: date) -> datetime:
    """Return what stands for a day: the database has no dates."""
    return datetime.combine(day, time(), UTC)
