"""How today stands: counted once for all pages that show it, as often as the counting allows.

Counting walks through every meter and item. So what was counted may be shown again for a while:
the longer it took, the longer.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from station.collector.completeness import TaskCompleteness
from station.collector.items import ITEM_BY_CODE
from station.handlers.parts import Parts
from station.units import local_day, utc_now

AGE_MIN_S = 2.0  # On a small site a page that is loaded again soon may show the same.
SHARE_MAX = 0.05  # Of one core for counting, however many pages are open.


@dataclass(frozen=True, slots=True)
class DayCounts:
    """A local day so far: completeness by task, readings stored, and who should have spoken."""

    day: date
    tasks: Sequence[TaskCompleteness]
    readings: int
    asked: int
    silent: list[str]


class Today:
    """Keeps the last count."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._counting = asyncio.Lock()
        self._counts: DayCounts | None = None
        self._good_until = 0.0

    async def counts(self) -> DayCounts:
        """Return how today stands; of many who ask at once, one counts."""
        async with self._counting:
            today = local_day(utc_now(), self._parts.config.site.zone_info)
            started = time.monotonic()
            if self._counts is None or self._counts.day != today or started >= self._good_until:
                self._counts = await self._count(today)
                took_s = time.monotonic() - started
                self._good_until = time.monotonic() + max(AGE_MIN_S, took_s / SHARE_MAX)
            return self._counts

    async def _count(self, day: date) -> DayCounts:
        database = self._parts.database
        tasks = await self._parts.completeness.of_day(day)
        meters = [meter.address for meter in await database.meters.many(None)]
        stored = await database.readings.count_by_day(meters, [*ITEM_BY_CODE], day, day)
        asked, silent = silent_meters(tasks)
        return DayCounts(day, tasks, sum(stored.values()), asked, silent)


def silent_meters(tasks: Sequence[TaskCompleteness]) -> tuple[int, list[str]]:
    """Return how many meters should have said something, and those that said nothing."""
    expected: dict[str, int] = {}
    stored: dict[str, int] = {}
    for each in tasks:
        for meter, (wanted, present) in each.meters.items():
            expected[meter] = expected.get(meter, 0) + wanted
            stored[meter] = stored.get(meter, 0) + present
    asked = [meter for meter, wanted in expected.items() if wanted]
    return len(asked), sorted(meter for meter in asked if not stored[meter])
