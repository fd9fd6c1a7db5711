"""One day's curve of a power, and its exact integral. Pure.

A curve is straight between knots five minutes apart. The integral is kept doubled and multiplied
by the length of a segment, so that it is a whole number in every second: from knot p towards knot
q it grows by `2 p s T + (q - p) s s` in s seconds of a segment of T seconds.

The energy of each tariff is given; the curve is stretched in the hours of that tariff until it
holds exactly that much.
"""

from array import array
from collections.abc import Sequence
from itertools import pairwise

HOUR_S = 3_600
DAY_S = 24 * HOUR_S
SEGMENT_S = 300  # Fine enough to show a kettle, and cheap: 288 segments a day.
SEGMENTS = DAY_S // SEGMENT_S
SEGMENTS_PER_HOUR = HOUR_S // SEGMENT_S

INTEGRAL_PER_MILLIWATT_HOUR = 2 * SEGMENT_S * HOUR_S

Knots = Sequence[int]  # SEGMENTS + 1 powers in mW (or mvar), none below 0.


class Periods:
    """Which segments of a day belong to which tariff."""

    def __init__(self, tariff_of_hour: Sequence[int]) -> None:
        self.of_hour = tuple(tariff - 1 for tariff in tariff_of_hour)
        self.count = max(tariff_of_hour)
        starts = [hour for hour in range(24) if hour == 0 or self._changes(hour)]
        spans = [
            (self.of_hour[start], start * SEGMENTS_PER_HOUR, end * SEGMENTS_PER_HOUR)
            for start, end in pairwise([*starts, 24])
        ]
        self.spans = tuple(
            tuple((start, end) for tariff, start, end in spans if tariff == wanted)
            for wanted in range(self.count)
        )

    def _changes(self, hour: int) -> bool:
        return self.of_hour[hour] != self.of_hour[hour - 1]


class Curve:
    """A day of one power; `energies` are the mWh of each tariff of that day."""

    def __init__(self, knots: Knots, energies: Sequence[int], periods: Periods) -> None:
        self._knots = array("q", knots)
        self._energies = tuple(energies)
        self._periods = periods
        self._integral = _integral(knots)
        self._totals = _totals(self._integral, periods)

    def energies(self, second: int) -> list[int]:
        """Return the mWh of each tariff from midnight to a second of the day."""
        segment, inside = divmod(second, SEGMENT_S)
        left, right = self._knots[segment], self._knots[segment + 1]
        reached = self._integral[segment]
        reached += 2 * left * inside * SEGMENT_S + (right - left) * inside * inside
        return [
            energy * self._within(spans, segment, reached) // total if total else 0
            for energy, total, spans in zip(
                self._energies, self._totals, self._periods.spans, strict=True
            )
        ]

    def power(self, second: int) -> float:
        """Return the watts in a second of the day."""
        segment, inside = divmod(second, SEGMENT_S)
        tariff = self._periods.of_hour[second // HOUR_S]
        if not self._totals[tariff]:
            return 0.0
        left, right = self._knots[segment], self._knots[segment + 1]
        stretch = self._energies[tariff] * INTEGRAL_PER_MILLIWATT_HOUR / self._totals[tariff]
        return stretch * (left + (right - left) * inside / SEGMENT_S) / 1000

    def _within(self, spans: Sequence[tuple[int, int]], segment: int, reached: int) -> int:
        """Return the part of the integral, up to what is reached, that lies in these spans."""
        return sum(
            (self._integral[end] if end <= segment else reached) - self._integral[start]
            for start, end in spans
            if start <= segment
        )


def energies_of(knots: Knots, periods: Periods) -> list[int]:
    """Return the mWh that an unstretched curve has in each tariff."""
    return [total // INTEGRAL_PER_MILLIWATT_HOUR for total in _totals(_integral(knots), periods)]


def _integral(knots: Knots) -> "array[int]":
    integral = array("q", [0])
    reached = 0
    for left, right in pairwise(knots):
        reached += (left + right) * SEGMENT_S * SEGMENT_S
        integral.append(reached)
    return integral


def _totals(integral: Sequence[int], periods: Periods) -> tuple[int, ...]:
    return tuple(
        sum(integral[end] - integral[start] for start, end in spans) for spans in periods.spans
    )
