"""What crossed each link on each local day, and what went wrong there.

The numbers of a day are kept for each start of a station by itself, counted from the beginning of
that day or from the start: writing them again, with the same or with later numbers, is harmless.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import date, datetime, time

from pymongo import UpdateOne

from station.store.driver import Collection
from station.units import UTC

KEPT_DAYS = 400  # A month beside the same month of the year before.


@dataclass(frozen=True, slots=True)
class Counts:
    """How much, and how often; bytes are those of frames, without TCP's own."""

    bytes_in: int = 0
    bytes_out: int = 0
    frames_in: int = 0
    frames_out: int = 0
    logins: int = 0
    late: int = 0
    duplicate: int = 0
    timeouts: int = 0
    bad: int = 0
    wrong_address: int = 0

    def minus(self, other: "Counts") -> "Counts":
        """Return what was counted since the other."""
        return Counts(*(a - b for a, b in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, slots=True)
class Traffic:
    """The counts of one link on one local day."""

    address: str
    day: date
    counts: Counts


class Traffics:
    """The counts of all links by day."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def save_many(self, start: str, days: Sequence[Traffic]) -> None:
        """Keep what one start of a station has counted so far; `start` names it."""
        operations = [
            UpdateOne(
                {"_id": f"{each.address}|{each.day.isoformat()}"},
                {
                    "$set": {
                        "address": each.address,
                        "day": _stored(each.day),
                        f"starts.{start}": list(astuple(each.counts)),
                    }
                },
                upsert=True,
            )
            for each in days
        ]
        if operations:
            await self._collection.write(operations)

    async def of_link(self, address: str, first: date, last: date) -> Sequence[Traffic]:
        """Return the days of one link, oldest first; a day without any traffic is left out."""
        query = {"address": address, "day": {"$gte": _stored(first), "$lte": _stored(last)}}
        found = await self._collection.find(query, order=[("day", 1)])
        return [
            Traffic(address, document["day"].date(), _summed(document["starts"]))
            for document in found
        ]


def _stored(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _summed(starts: Mapping[str, Sequence[int]]) -> Counts:
    return Counts(*(sum(numbers) for numbers in zip(*starts.values(), strict=True)))
