"""How today stands: counted once for all pages that show it, as often as the counting allows.

A meter without a reading today is *waiting* while a run of its task is under way over its link, and
*silent* otherwise. One that a run of today has asked in vain is silent in any case: that run after
run goes on asking it does not make it wait for its first turn.

Counting walks through every meter and item, in pieces that do not hold up the links. So what was
counted is kept for a while (`station.kept`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from station.collector.completeness import TaskCompleteness
from station.collector.outcome import Cause
from station.collector.plan import targets_of
from station.handlers.parts import Parts
from station.kept import Kept
from station.store.objects.meters import Meter
from station.store.objects.runs import Run
from station.units import day_start, local_day, utc_now

AGE_MIN_S = 2.0  # On a small site a page that is loaded again soon may show the same.
RUNS_LOOKED_AT = 20  # The latest; a meter that does not answer is in every run of its task.


@dataclass(frozen=True, slots=True)
class DayCounts:
    """A local day so far: completeness by task, readings stored, and who should have spoken."""

    day: date
    tasks: Sequence[TaskCompleteness]
    readings: int
    asked: int
    silent: list[str]
    waiting: list[str]


class Today:
    """Keeps the last count."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._kept = Kept(self._count, name="counting today", age_min_s=AGE_MIN_S)
        self._parted: DayCounts | None = None  # What `_parts_of` are parts of.
        self._parts_of: dict[frozenset[str], DayCounts] = {}

    async def counts(self) -> DayCounts:
        """Return how today stands; of many who ask at once, one counts."""
        counts = await self._kept.get()
        if counts.day != self._day():
            self._kept.forget()
            counts = await self._kept.get()
        return counts

    async def counts_of(self, meters: frozenset[str] | None) -> DayCounts:
        """Return how today stands with some meters; None for all."""
        counts = await self.counts()
        if meters is None:
            return counts
        if self._parted is not counts:
            self._parted = counts
            self._parts_of.clear()
        if meters not in self._parts_of:
            self._parts_of[meters] = await self._part_of(counts, meters)
        return self._parts_of[meters]

    async def _part_of(self, counts: DayCounts, meters: frozenset[str]) -> DayCounts:
        parts = [_of_meters(each, meters) for each in counts.tasks]
        tasks = [part for part in parts if part.meters]
        return DayCounts(
            counts.day,
            tasks,
            await self._parts.database.readings.count([*meters], counts.day),
            silent_meters(tasks)[0],
            [meter for meter in counts.silent if meter in meters],
            [meter for meter in counts.waiting if meter in meters],
        )

    def _day(self) -> date:
        return local_day(utc_now(), self._parts.config.site.zone_info)

    async def _count(self) -> DayCounts:
        day = self._day()
        database = self._parts.database
        tasks = await self._parts.completeness.of_day(day)
        meters = (await self._parts.roll.devices()).meters
        stored = await database.readings.count([meter.address for meter in meters], day)
        asked, silent = silent_meters(tasks)
        waiting = set(silent).intersection(await self._under_way(tasks, meters, day))
        return DayCounts(
            day,
            tasks,
            stored,
            asked,
            [meter for meter in silent if meter not in waiting],
            sorted(waiting),
        )

    async def _under_way(
        self, tasks: Sequence[TaskCompleteness], meters: Sequence[Meter], day: date
    ) -> set[str]:
        """Return the meters that a run under way may still read for the first time today."""
        parts = self._parts
        active = {run.task_id for run in parts.scheduler.active_runs()}
        if not active:
            return set()
        reached = [meter for meter in meters if parts.registry.find(meter.link) is not None]
        terminals = (await parts.roll.devices()).terminals
        found = {
            meter.address
            for each in tasks
            if each.task.id in active
            for meter in targets_of(each.task, reached, terminals)
        }
        runs, _ = await parts.database.runs.list(limit=RUNS_LOOKED_AT)
        return found - asked_in_vain(runs, since=day_start(day, parts.config.site.zone_info))


def _of_meters(counts: TaskCompleteness, meters: frozenset[str]) -> TaskCompleteness:
    """Return what a task expects of some meters, and what is there."""
    own = {meter: each for meter, each in counts.meters.items() if meter in meters}
    return TaskCompleteness(
        counts.task,
        sum(expected for expected, _ in own.values()),
        sum(stored for _, stored in own.values()),
        own,
    )


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


def asked_in_vain(runs: Sequence[Run], since: datetime) -> set[str]:
    """Return the meters that did not answer in these runs; a link that was down is not theirs."""
    return {
        failure.meter
        for run in runs
        if run.ended_at is not None and run.ended_at >= since
        for failure in run.failures
        if failure.cause != Cause.LINK_DOWN.value
    }
