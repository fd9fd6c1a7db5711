"""Starts runs: at each task's ticks, when a link comes up, at the start, and when a person asks.

A tick reads the newest moment of the task's grid; a *gap* run fills the holes behind it over the
links that are online, with the lower priority. A task's tick is under way at most once, and a link
is in at most one of its gap runs. A crash needs no recovery: what is missing is still missing, and
the plan finds it.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from station.collector import plan
from station.collector.items import ITEM_BY_CODE
from station.collector.plan import Want, Way
from station.collector.run import MeterWork, Runner
from station.errors import Conflict, NotFound
from station.frontend.link import Priority
from station.frontend.registry import Registry
from station.store.objects.base import new_id
from station.store.objects.meters import Meter, Meters
from station.store.objects.readings import Readings
from station.store.objects.runs import Run, RunKind, Runs
from station.store.objects.tasks import Task, Tasks
from station.tasks import cancel, periodically, spawn
from station.units import MINUTE, local_day, utc_now

log = logging.getLogger(__name__)

TICK_S = 1.0
START_DELAY = timedelta(seconds=1)  # After a tick, so that clocks have passed it.
QUARTER_HOUR = timedelta(minutes=15)
TASKS_MAX = 1000  # A site has some tens; this bounds what a tick walks through.

_PRIORITY = {"task": Priority.TASK, "gap": Priority.GAP, "manual": Priority.TASK}


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A run under way; a gap run works these links, every other one all links of its task."""

    run: Run
    work: "asyncio.Task[None]"
    links: frozenset[str]


class Scheduler:
    """Knows every task's next tick and every run under way."""

    def __init__(
        self,
        *,
        registry: Registry,
        runner: Runner,
        tasks: Tasks,
        meters: Meters,
        readings: Readings,
        runs: Runs,
        station: str,
        zone: ZoneInfo,
    ) -> None:
        self._registry = registry
        self._runner = runner
        self._tasks = tasks
        self._meters = meters
        self._readings = readings
        self._runs = runs
        self._station = station
        self._zone = zone
        self._due: dict[str, datetime] = {}
        self._active: dict[str, UnderWay] = {}
        self._came_up: set[str] = set()
        self._wait_for_gap_run: defaultdict[str, set[str]] = defaultdict(set)  # Links, by task.
        self._ticker: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Mark runs that a crash left behind, then begin."""
        await self._runs.interrupt_running(self._station, utc_now())
        self._registry.when_up(self._came_up.add)
        self._ticker = spawn(periodically(TICK_S, self._tick, name="scheduler"), name="scheduler")

    async def stop(self) -> None:
        """Cancel every run; what is missing is found again at the next start."""
        await cancel(self._ticker, *(active.work for active in self._active.values()))

    def next_run(self, task: Task) -> datetime | None:
        """Return the task's next tick, or None while it is paused."""
        if not task.enabled:
            return None
        return self._due.get(task.id) or _tick_after(task, utc_now(), self._zone)

    def active_runs(self) -> list[Run]:
        """Return the runs under way, as they were started."""
        return [active.run for active in self._active.values()]

    async def run_task(self, task_id: str) -> Run:
        """Read all of a task's targets now, and then its holes. Raises NotFound or Conflict."""
        task = await self._tasks.get(task_id)
        if self._is_active(task, "manual"):
            raise Conflict(f"task {task.name} is being run already")
        now = utc_now()
        run = self._begin(task, "manual", now.replace(second=0, microsecond=0), now)
        self._fill_gaps(task, self._online())
        return run

    def cancel(self, run_id: str) -> None:
        """End a run under way. Raises NotFound."""
        if run_id not in self._active:
            raise NotFound(f"there is no run {run_id} under way")
        self._active[run_id].work.cancel()

    def task_changed(self, task_id: str) -> None:
        """Forget a task's next tick, so that the next look finds it anew."""
        self._due.pop(task_id, None)

    async def _tick(self) -> None:
        now = utc_now()
        came_up = frozenset(self._came_up)
        self._came_up.clear()
        for task in await self._enabled():
            due = self._due.get(task.id)
            if due is not None and now < due:
                self._fill_gaps(task, came_up | self._wait_for_gap_run.pop(task.id, set()))
                continue
            if due is not None and not self._is_active(task, "task"):
                self._begin(task, "task", plan.current_moment(task, now, self._zone), now)
            self._fill_gaps(task, self._online())
            self._due[task.id] = _tick_after(task, now, self._zone)

    async def _enabled(self) -> list[Task]:
        tasks, _ = await self._tasks.list(limit=TASKS_MAX)
        return [task for task in tasks if task.enabled]

    def _online(self) -> frozenset[str]:
        states = self._registry.states()
        return frozenset(state.address for state in states if state.state == "online")

    def _is_active(self, task: Task, kind: RunKind) -> bool:
        runs = (active.run for active in self._active.values())
        return any(run.task_id == task.id and run.kind == kind for run in runs)

    def _fill_gaps(self, task: Task, links: Iterable[str]) -> None:
        """Fill the task's holes over these links; those in a gap run already wait for its end."""
        wanted = frozenset(links)
        busy = {
            link
            for active in self._active.values()
            if active.run.task_id == task.id and active.run.kind == "gap"
            for link in active.links
        }
        if waiting := wanted & busy:
            self._wait_for_gap_run[task.id] |= waiting
        if free := wanted - busy:
            now = utc_now()
            self._begin(task, "gap", plan.current_moment(task, now, self._zone), now, free)

    def _begin(
        self, task: Task, kind: RunKind, moment: datetime, now: datetime,
        links: frozenset[str] = frozenset(),
    ) -> Run:  # fmt: skip
        run = Run(new_id(), task.id, task.name, moment, now, station=self._station, kind=kind)
        work = spawn(self._execute(task, run, links), name=f"{kind} run of {task.name}")
        self._active[run.id] = UnderWay(run, work, links)
        work.add_done_callback(lambda _: self._active.pop(run.id))
        return run

    async def _execute(self, task: Task, run: Run, links: frozenset[str]) -> None:
        meters = plan.targets_of(task, await self._meters.many(None))
        if run.kind == "gap":
            meters = [meter for meter in meters if meter.link in links]
        if run.kind == "manual":
            work = _snapshot(task, meters, run.moment)
        else:
            work = await self._missing(task, meters, run)
        if not work and run.kind == "gap":
            return  # Nothing is missing: no line in the ledger.
        await self._runner.execute(
            run, work, priority=_PRIORITY[run.kind], source="gap" if run.kind == "gap" else "task"
        )

    async def _missing(self, task: Task, meters: Sequence[Meter], run: Run) -> list[MeterWork]:
        """Return what the store lacks: of the run's moment, or of all moments behind it.

        A gap run beside a tick leaves the newest moment to the tick.
        """
        now = utc_now()
        first, last = plan.first_day(task, now, self._zone), local_day(run.moment, self._zone)
        until = run.moment
        if run.kind == "task":
            first = last
        elif self._is_active(task, "task"):
            until -= MINUTE
        stored = await self._readings.stored_slots(
            [meter.address for meter in meters], task.items, first, last
        )
        work = []
        for meter in meters:
            wants = plan.missing(
                task, meter, _days(first, last), stored, until=until, now=now, zone=self._zone
            )
            if run.kind == "task":
                wants = [want for want in wants if want.moment == run.moment]
            if wants:
                work.append(MeterWork(meter, tuple(wants)))
        return work


def _tick_after(task: Task, now: datetime, zone: ZoneInfo) -> datetime:
    """Return the next tick: a little after the moment, when devices have recorded it."""
    slow = timedelta(minutes=task.period_min) >= QUARTER_HOUR
    return plan.next_moment(task, now, zone) + (plan.RECORDING_TIME if slow else START_DELAY)


def _snapshot(task: Task, meters: Sequence[Meter], moment: datetime) -> list[MeterWork]:
    """Return every item of every meter, to be read live at this minute."""
    items = [ITEM_BY_CODE[code] for code in task.items]
    work = []
    for meter in meters:
        known = [item for item in items if plan.has_item(meter, item)]
        if known:
            work.append(MeterWork(meter, tuple(Want(item, moment, (Way.LIVE,)) for item in known)))
    return work


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
