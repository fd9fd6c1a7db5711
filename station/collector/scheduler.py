"""Starts runs: at each task's ticks, when a link comes up, at the start, and when a person asks.

A tick reads the newest moment of the task's grid; a *gap* run fills the holes behind it over the
links that are online, with the lower priority. A task's tick is under way at most once, and a link
is in at most one of its gap runs. A crash needs no recovery: what is missing is still missing, and
the plan finds it. Outside a task's window nothing is begun; what was due then is read when the
window opens.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from station.collector import grid, plan
from station.collector.memory import Memory
from station.collector.planner import Planner
from station.collector.run import Runner
from station.errors import Conflict, DatabaseDown, NotFound
from station.frontend.link import Priority
from station.frontend.registry import Registry
from station.store.objects.base import new_id
from station.store.objects.runs import Run, RunKind, Runs
from station.store.objects.tasks import Progress, Task, Tasks
from station.tasks import cancel, periodically, spawn
from station.units import day_start, utc_now

log = logging.getLogger(__name__)

TICK_S = 1.0
START_DELAY = plan.RECORDING_TIME / 20  # After a tick, so that clocks have passed it.
AGAIN_MIN = timedelta(minutes=1)  # After gap filling that left holes; doubled when it gave nothing:
AGAIN_MAX = timedelta(hours=1)  # what nobody has any more is looked for all the same.
TASKS_MAX = 1000  # A site has some tens; this bounds what a tick walks through.

_PRIORITY = {"high": Priority.TASK_HIGH, "normal": Priority.TASK, "low": Priority.TASK_LOW}


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A run under way; a gap run works these links, a fill these meters."""

    run: Run
    work: "asyncio.Task[object]"
    links: frozenset[str] = frozenset()
    meters: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Again:
    at: datetime
    pause: timedelta


class Scheduler:
    """Knows every task's next tick and every run under way."""

    def __init__(
        self,
        *,
        registry: Registry,
        runner: Runner,
        planner: Planner,
        memory: Memory,
        tasks: Tasks,
        runs: Runs,
        station: str,
        zone: ZoneInfo,
    ) -> None:
        self._registry = registry
        self._runner = runner
        self._planner = planner
        self._memory = memory
        self._tasks = tasks
        self._runs = runs
        self._station = station
        self._zone = zone
        self._due: dict[str, datetime | None] = {}  # None: it has no tick any more.
        self._postponed: set[str] = set()  # Tasks whose tick waits for their window.
        self._progress: dict[str, Progress] = {}
        self._unsaved: set[str] = set()
        self._again: dict[str, _Again] = {}  # When holes that stayed are looked at again, by task.
        self._active: dict[str, UnderWay] = {}
        self._came_up: set[str] = set()
        self._wait_for_gap_run: defaultdict[str, set[str]] = defaultdict(set)  # Links, by task.
        self._ticker: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Mark runs that a crash left behind, then begin."""
        await self._runs.interrupt_running(self._station, utc_now())
        self._progress = dict(await self._tasks.progress())
        self._registry.when_up(self._came_up.add)
        self._ticker = spawn(periodically(TICK_S, self._tick, name="scheduler"), name="scheduler")

    async def stop(self) -> None:
        """Cancel every run; what is missing is found again at the next start."""
        await cancel(self._ticker, *(active.work for active in self._active.values()))

    def next_run(self, task: Task) -> datetime | None:
        """Return the task's next tick; None while it is paused, or when it has none any more."""
        if not task.enabled:
            return None
        now = utc_now()
        if task.id in self._postponed:
            due: datetime | None = now
        elif task.id in self._due:
            due = self._due[task.id]
        else:
            due = _tick_after(task, now, self._zone)
        return None if due is None else grid.next_opening(task, due, self._zone)

    def active_runs(self) -> list[Run]:
        """Return the runs under way, as they were started."""
        return [active.run for active in self._active.values()]

    async def run_task(self, task_id: str) -> Run:
        """Read all of a task's targets now, and then its holes. Raises NotFound or Conflict.

        A person who asks is not held back by the task's window.
        """
        task = await self._tasks.get(task_id)
        if self._is_active(task, "manual"):
            raise Conflict(f"task {task.name} is being run already")
        now = utc_now()
        run = self._begin(task, "manual", now.replace(second=0, microsecond=0), now)
        self._fill_gaps(task, self._online())
        return run

    async def fill(
        self, meters: Sequence[str], first_day: date, last_day: date, task_id: str | None = None
    ) -> Run:
        """Fill the holes of meters on these days, both included: of a task, or of all tasks.

        A run without work ends at once; where very much is missing, more runs follow. Raises
        NotFound, or Conflict when it is done already.
        """
        if task_id is None:
            tasks = [task for task in await self._all_tasks() if task.enabled]
        else:
            tasks = [await self._tasks.get(task_id)]
        wanted = frozenset(meters)
        for active in self._active.values():
            if active.run.kind == "fill" and not wanted.isdisjoint(active.meters):
                raise Conflict("holes of these meters are being filled already")
        holes = await self._planner.holes(tasks, wanted, first_day, last_day)
        only = tasks[0] if len(tasks) == 1 else None
        run = Run(
            new_id(), only.id if only else "", only.name if only else "",
            day_start(first_day, self._zone), utc_now(), station=self._station, kind="fill",
            due=sum(len(one.wants) for one in holes.work),
        )  # fmt: skip

        async def work() -> None:
            closed = await self._runner.execute(
                run, holes.work, priority=Priority.GAP, source="gap"
            )
            if holes.more and closed.success:
                del self._active[run.id]
                await self.fill(meters, first_day, last_day, task_id)

        self._enter(UnderWay(run, spawn(work(), name=f"fill {run.id}"), meters=wanted))
        return run

    def cancel(self, run_id: str) -> None:
        """End a run under way. Raises NotFound."""
        if run_id not in self._active:
            raise NotFound(f"there is no run {run_id} under way")
        self._active[run_id].work.cancel()

    def task_changed(self, task_id: str) -> None:
        """Forget a task's next tick, so that the next look finds it anew."""
        self._due.pop(task_id, None)
        self._postponed.discard(task_id)
        self._again.pop(task_id, None)

    def archive_changed(self) -> None:
        """Take what is in the archive now for the next runs."""
        self._planner.archive_changed()

    # Ticks.

    async def _tick(self) -> None:
        try:
            tasks = await self._all_tasks()
        except DatabaseDown as error:
            log.warning("%s; ticks wait", error)
            return
        now = utc_now()
        came_up = frozenset(self._came_up)
        self._came_up.clear()
        for task in tasks:
            if task.enabled:
                await self._look_at(task, now, came_up)
            else:
                self.task_changed(task.id)  # It begins anew when it goes on.
        await self._save_progress()

    async def _look_at(self, task: Task, now: datetime, came_up: frozenset[str]) -> None:
        """Begin what is due of one task."""
        if task.id not in self._due:
            await self._begin_task(task, now)
        elif (due := self._due[task.id]) is not None and now >= due:
            self._postponed.add(task.id)
            self._set_due(task, now)
        is_open = grid.is_open(task, now, self._zone)
        if task.id in self._postponed and is_open:
            self._postponed.discard(task.id)
            await self._run_tick(task, now)
        elif is_open:
            again = self._again.get(task.id)
            waited = came_up | self._wait_for_gap_run.pop(task.id, set())
            if again is not None and again.at <= now:
                again.at = now + again.pause  # Until a gap run says otherwise.
                waited |= self._online()
            self._fill_gaps(task, waited)

    async def _begin_task(self, task: Task, now: datetime) -> None:
        """Look at a task for the first time since the start, or since it was changed."""
        moment = grid.current_moment(task, now, self._zone)
        progress = self._progress.get(task.id)
        if progress is not None and moment is not None and progress.handled < moment:
            left_out = plan.left_out(task, progress.handled, moment)
            if left_out is not None:
                progress = Progress(moment, (*progress.skipped, left_out))
            if task.once_at is not None and task.missed != "skip":
                self._postponed.add(task.id)
        if task.once_at is not None and progress is None and moment is not None:
            self._postponed.add(task.id)  # It was due before anybody looked.
        self._keep(task.id, progress or Progress(moment or now))
        self._set_due(task, now)
        if task.once_at is None:
            if grid.is_open(task, now, self._zone):
                self._fill_gaps(task, self._online())
            else:
                self._postponed.add(task.id)
        elif moment is not None and task.id not in self._postponed:
            await self._tasks.pause(task.id)

    def _set_due(self, task: Task, now: datetime) -> None:
        """Enter the next tick, and that all before it is handled."""
        moment = grid.current_moment(task, now, self._zone)
        if moment is not None:
            before = self._progress.get(task.id)
            self._keep(task.id, Progress(moment, before.skipped if before else ()))
        self._due[task.id] = _tick_after(task, now, self._zone)

    async def _run_tick(self, task: Task, now: datetime) -> None:
        if task.once_at is not None:
            self._begin(task, "task", now.replace(second=0, microsecond=0), now)
            await self._tasks.pause(task.id)
            return
        moment = grid.current_moment(task, now, self._zone)
        if moment is not None and not self._is_active(task, "task"):
            self._begin(task, "task", moment, now)
        self._fill_gaps(task, self._online())

    def _keep(self, task_id: str, progress: Progress) -> None:
        if self._progress.get(task_id) != progress:
            self._progress[task_id] = progress
            self._unsaved.add(task_id)

    async def _save_progress(self) -> None:
        for task_id in list(self._unsaved):
            try:
                await self._tasks.keep_progress(task_id, self._progress[task_id])
            except DatabaseDown as error:
                log.warning("%s; how far the tasks have come is written later", error)
                return
            self._unsaved.discard(task_id)

    async def _all_tasks(self) -> list[Task]:
        tasks, _ = await self._tasks.list(limit=TASKS_MAX)
        return tasks

    def _online(self) -> frozenset[str]:
        """Return the links that are up, but for those that come and go."""
        return frozenset(
            address
            for address, entry in self._registry.entries.items()
            if entry.link is not None and entry.hold_off is None
        )

    def _is_active(self, task: Task, kind: RunKind) -> bool:
        runs = (active.run for active in self._active.values())
        return any(run.task_id == task.id and run.kind == kind for run in runs)

    # Runs.

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
        free = wanted - busy
        now = utc_now()
        moment = grid.current_moment(task, now, self._zone)
        if free and moment is not None:
            self._begin(task, "gap", moment, now, free)

    def _begin(
        self, task: Task, kind: RunKind, moment: datetime, now: datetime,
        links: frozenset[str] = frozenset(),
    ) -> Run:  # fmt: skip
        run = Run(new_id(), task.id, task.name, moment, now, station=self._station, kind=kind)
        work = spawn(self._execute(task, run, links), name=f"{kind} run of {task.name}")
        self._enter(UnderWay(run, work, links))
        return run

    def _look_again(self, task: Task, run: Run) -> None:
        """Look soon at holes that stayed; later and later when nothing comes of it."""
        if run.success == run.due:
            self._again.pop(task.id, None)
            return
        before = self._again.get(task.id)
        pause = AGAIN_MIN
        if before is not None and not run.success:
            pause = min(before.pause * 2, AGAIN_MAX)
        self._again[task.id] = _Again(utc_now() + pause, pause)

    def _enter(self, under_way: UnderWay) -> None:
        run_id = under_way.run.id
        self._active[run_id] = under_way
        under_way.work.add_done_callback(lambda _: self._active.pop(run_id, None))

    async def _execute(self, task: Task, run: Run, links: frozenset[str]) -> None:
        until = None if run.kind == "manual" else grid.window_end(task, utc_now(), self._zone)
        if run.kind == "gap":
            progress = self._progress.get(task.id)
            holes = await self._planner.gaps(
                task, run.moment, links,
                with_newest=not self._is_active(task, "task"),
                skipped=progress.skipped if progress else (),
            )  # fmt: skip
            if not holes.work:
                return  # Nothing is missing: no line in the ledger.
            closed = await self._runner.execute(
                run, holes.work, priority=Priority.GAP, source="gap", until=until
            )
            if holes.more and closed.success:
                self._wait_for_gap_run[task.id] |= links
            self._look_again(task, closed)
            return
        if run.kind == "manual" or task.once_at is not None:
            work = await self._planner.snapshot(task, run.moment)
        else:
            work = await self._planner.at(task, run.moment)
        await self._runner.execute(
            run, work, priority=_PRIORITY[task.priority], source="task", until=until
        )


def _tick_after(task: Task, now: datetime, zone: ZoneInfo) -> datetime | None:
    """Return the next tick: a little after the moment, when devices have recorded it."""
    moment = grid.next_moment(task, now, zone)
    if moment is None:
        return None
    slow = grid.spacing(task, zone) >= plan.LIVE_WINDOW_MAX
    return moment + (plan.RECORDING_TIME if slow else START_DELAY)
