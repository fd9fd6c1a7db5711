"""What a register grew by, interval by interval. Pure.

An interval whose beginning or end was not read has no value; nothing is spread or guessed. A
register that went back (exchanged, rolled over) has no value there either.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

from station.store.objects.readings import Reading
from station.units import day_start, local_day

Step = Literal["reading", "hour", "day"]

READING_SPAN_MAX = timedelta(days=2)  # Beyond it, bars for each reading become hairlines.
HOUR_SPAN_MAX = timedelta(days=10)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Interval:
    """How much between two moments, in the register's last digits; None when it is not known."""

    start: datetime
    end: datetime
    value: int | None


def step_for(span: timedelta) -> Step:
    """Return the step whose bars can be told apart over a span."""
    if span <= READING_SPAN_MAX:
        return "reading"
    return "hour" if span <= HOUR_SPAN_MAX else "day"


def consumption(
    readings: Sequence[Reading], start: datetime, end: datetime, step: Step, zone: ZoneInfo
) -> list[Interval]:
    """Return the growth of a register in [start, end], from its readings, oldest first."""
    values = {reading.moment: reading.value for reading in readings}
    borders = list(values) if step == "reading" else list(_borders(start, end, step, zone))
    return [
        Interval(first, last, _growth(values.get(first), values.get(last)))
        for first, last in pairwise(borders)
    ]


def _growth(before: int | None, after: int | None) -> int | None:
    if before is None or after is None or after < before:
        return None
    return after - before


def _borders(start: datetime, end: datetime, step: Step, zone: ZoneInfo) -> Iterator[datetime]:
    day = local_day(start, zone)
    while (midnight := day_start(day, zone)) <= end:
        day += timedelta(days=1)
        if step == "day":
            yield midnight
            continue
        moment = midnight
        while moment < day_start(day, zone) and moment <= end:
            yield moment
            moment += HOUR
