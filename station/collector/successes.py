"""How many points were asked for, and answered, by meter and by local day.

Of each day there is a document for each meter, so that three months of ten thousand meters are a
million of them. A day that is over does not change any more once the memory of collection has
written it: it is read once, and kept as two plain arrays (80 KB for ten thousand meters).
"""

import asyncio
from array import array
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from station.collector.memory import DAYS_KEPT
from station.kept import Kept
from station.store.objects.meter_days import MeterDays
from station.units import local_day, utc_now

AGE_MIN_S = 5.0  # Collection writes its counts behind, as late as that;
FEW = 500  # but of so few meters what is there is read for everybody who looks.
SETTLED_MAX = 100  # Days; a page shows a quarter of a year at most.


@dataclass(frozen=True, slots=True)
class DayCount:
    """The points of all meters on a day, and how many meters were asked."""

    day: date
    meters: int
    asked: int
    answered: int


@dataclass(frozen=True, slots=True)
class Span:
    """Days, the first one first, and what each meter was asked, and answered, in all of them."""

    days: Sequence[DayCount]
    meters: Mapping[str, tuple[int, int]]

    @property
    def asked(self) -> int:
        """All points that were asked for."""
        return sum(each.asked for each in self.days)

    @property
    def answered(self) -> int:
        """All points that were answered."""
        return sum(each.answered for each in self.days)


@dataclass(frozen=True, slots=True)
class _Day:
    """The counts of the meters by their places; meters that came later have none."""

    asked: "array[int]"
    answered: "array[int]"


class Successes:
    """Counts how much was answered."""

    def __init__(self, days: MeterDays, zone: ZoneInfo) -> None:
        self._days = days
        self._zone = zone
        self._places: dict[str, int] = {}  # By meter: its place in the arrays.
        self._settled: dict[date, _Day] = {}
        self._recent = Kept(self._read_recent, name="counting successes", age_min_s=AGE_MIN_S)
        self._reading = asyncio.Lock()

    async def span(self, first: date, last: date, among: Collection[str] | None = None) -> Span:
        """Return the days from first to last, both included, of all meters or of some.

        Only meters that were asked are in it. Raises DatabaseDown.
        """
        meters = self._places if among is None else {*among}
        if len(self._places) <= FEW:
            self._recent.forget()
        asked, answered = array("Q"), array("Q")
        days = []
        for number in range((last - first).days + 1):
            day = first + timedelta(days=number)
            found = await self._day(day)
            days.append(_count(day, found, None if among is None else self._of(meters)))
            asked, answered = _sum(asked, found.asked), _sum(answered, found.answered)
            await asyncio.sleep(0)  # The links may go on.
        counts = zip(self._places, asked, answered, strict=False)
        return Span(
            days,
            {meter: (own, said) for meter, own, said in counts if own and meter in meters},
        )

    def _of(self, meters: Collection[str]) -> list[int]:
        return [self._places[meter] for meter in meters if meter in self._places]

    async def _day(self, day: date) -> _Day:
        today = local_day(utc_now(), self._zone)
        if day > today:
            return _Day(array("Q"), array("Q"))
        if day >= today - timedelta(days=DAYS_KEPT):
            recent = await self._recent.get()
            if day not in recent:
                self._recent.forget()  # A day has begun.
                recent = await self._recent.get()
            return recent.get(day) or await self._read(day)
        async with self._reading:
            found = self._settled.get(day)
            if found is None:
                found = self._settled[day] = await self._read(day)
                if len(self._settled) > SETTLED_MAX:
                    del self._settled[next(iter(self._settled))]
            return found

    async def _read_recent(self) -> Mapping[date, _Day]:
        """Return the days that collection may still write to."""
        today = local_day(utc_now(), self._zone)
        days = [today - timedelta(days=number) for number in range(DAYS_KEPT + 1)]
        return {day: await self._read(day) for day in days}

    async def _read(self, day: date) -> _Day:
        counts = await self._days.counts(day)
        for meter, _, _ in counts:
            self._places.setdefault(meter, len(self._places))
        zeros = bytes(8 * len(self._places))
        found = _Day(array("Q", zeros), array("Q", zeros))
        for meter, asked, answered in counts:
            place = self._places[meter]
            found.asked[place], found.answered[place] = asked, answered
        return found


def _count(day: date, found: _Day, places: Sequence[int] | None) -> DayCount:
    asked, answered = found.asked, found.answered
    if places is not None:
        known = [place for place in places if place < len(asked)]
        asked = array("Q", [asked[place] for place in known])
        answered = array("Q", [answered[place] for place in known])
    return DayCount(day, len(asked) - asked.count(0), sum(asked), sum(answered))


def _sum(one: "array[int]", other: "array[int]") -> "array[int]":
    """Return two arrays added place by place; the longer one goes on alone."""
    longer, shorter = (one, other) if len(one) > len(other) else (other, one)
    added = array("Q", map(int.__add__, longer, shorter))
    return added + longer[len(shorter) :]
