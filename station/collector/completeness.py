"""Completeness: the points that the store holds, of those that the tasks expect of a day."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from station.collector import plan
from station.collector.items import ITEM_BY_CODE
from station.store.objects.meters import Meter, Meters
from station.store.objects.readings import Readings
from station.store.objects.tasks import Task, Tasks
from station.units import day_start, utc_now

GRACE = timedelta(minutes=2)  # A moment counts once there has been time to read it.
TASKS_MAX = 1000


@dataclass(frozen=True, slots=True)
class TaskCompleteness:
    """What a task expects of a day so far, and what is there; per meter in `meters`."""

    task: Task
    expected: int
    stored: int
    meters: dict[str, tuple[int, int]]  # By address: expected, stored.


class Completeness:
    """Counts what is there."""

    def __init__(self, tasks: Tasks, meters: Meters, readings: Readings, zone: ZoneInfo) -> None:
        self._tasks = tasks
        self._meters = meters
        self._readings = readings
        self._zone = zone

    async def of_day(self, day: date) -> list[TaskCompleteness]:
        """Return the completeness of a local day, task by task; paused tasks are left out."""
        tasks, _ = await self._tasks.list(limit=TASKS_MAX)
        meters = await self._meters.many(None)
        until = min(
            utc_now() - GRACE, day_start(day + timedelta(days=1), self._zone) - timedelta(minutes=1)
        )
        return [await self._of_task(task, meters, day, until) for task in tasks if task.enabled]

    async def _of_task(
        self, task: Task, meters: list[Meter], day: date, until: datetime
    ) -> TaskCompleteness:
        targets = plan.targets_of(task, meters)
        stored = await self._readings.stored_slots(
            [meter.address for meter in targets], task.items, day, day
        )
        counts = {}
        for meter in targets:
            expected = present = 0
            for code in task.items:
                slots = plan.expected_slots(
                    task, meter, ITEM_BY_CODE[code], day, until=until, zone=self._zone
                )
                have = stored.get((meter.address, code, day), frozenset())
                expected += len(slots)
                present += len(have.intersection(slots))
            counts[meter.address] = (expected, present)
        return TaskCompleteness(
            task,
            sum(expected for expected, _ in counts.values()),
            sum(present for _, present in counts.values()),
            counts,
        )
