"""How often a meter was asked, and answered, on each local day.

    {_id: "000000000161/2026-11-22", meter, at: 2026-11-22T00:00Z,
     counts: {"<process start>": {asked, answered}}}

A document holds absolute counts for each start of a station, so that writing twice changes nothing
and two stations do not overwrite one another.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

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

    async def of_days(
        self, first: date, last: date, meters: Sequence[str] | None = None
    ) -> list[MeterDay]:
        """Return what there is of these days, both included, of these meters or of all."""
        query: dict[str, Any] = {"at": {"$gte": _at(first), "$lte": _at(last)}}
        if meters is not None:
            query["meter"] = {"$in": [*meters]}
        found = await self._collection.find(query, order=[("at", 1), ("meter", 1)])
        return [_row(document) for document in found]

    async def by_day(
        self, first: date, last: date, meters: Sequence[str] | None = None
    ) -> Mapping[date, tuple[int, int]]:
        """Return the points asked and answered on each day that has any."""
        sums: dict[date, tuple[int, int]] = {}
        for row in await self.of_days(first, last, meters):
            asked, answered = sums.get(row.day, (0, 0))
            sums[row.day] = asked + row.asked, answered + row.answered
        return sums


def _write(start: str, row: MeterDay) -> UpdateOne:
    counts = {"asked": row.asked, "answered": row.answered}
    fields = {"meter": row.meter, "at": _at(row.day), f"counts.{start}": counts}
    return UpdateOne({"_id": f"{row.meter}/{row.day}"}, {"$set": fields}, upsert=True)


def _row(document: Mapping[str, Any]) -> MeterDay:
    counts = document["counts"].values()
    return MeterDay(
        document["meter"],
        document["at"].date(),
        sum(count["asked"] for count in counts),
        sum(count["answered"] for count in counts),
    )


def _at(day: date) -> datetime:
    """Return what stands for a day: the database has no dates."""
    return datetime.combine(day, time(), UTC)
