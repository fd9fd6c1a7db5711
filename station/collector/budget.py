"""The bus budget: how many seconds of its line each task takes, and when a run will have finished.

The model. A bus carries one exchange at a time. A meter takes, for one moment of a task, as many
exchanges as its driver needs for the points (`drivers.exchanges_of`). An exchange takes what was
learned of the meter, or else of its bus, from the question's sending to its answer; and where
nothing was learned yet, what the line's speed says: question and answer, byte by byte, and the time
that the meter and the terminal need. A dead meter takes one time-out and no more. To this comes
the share of exchanges that are asked again. Retries by rounds, read-now and commands are not
foreseen. A run for which the bus is not free goes on only in the share of time that tasks of
higher priority leave.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from station.collector import grid, plan
from station.collector.drivers import exchanges_of
from station.collector.memory import Memory
from station.collector.plan import Want
from station.collector.planner import Planner
from station.collector.rounds import MeterWork
from station.collector.run import Runner, bus_of
from station.protocols.line import LineSettings
from station.store.objects.runs import Run
from station.store.objects.tasks import Task, Tasks
from station.units import local_day, utc_now

QUESTION_SIZE = 20  # Bytes of a DL/T 645 read with its preamble (digest dlt645.md section 1).
ANSWER_SIZE = 64  # Between one quantity (24 bytes) and a full block of the load profile (216).
BITS_PER_BYTE = 11
THINKING_S = 0.3  # Meter 0.1 s (digest dlt645.md section 1.3), terminal and network the rest.
REPEATED_SHARE = 0.03  # Of the exchanges, asked again after a lost or broken answer.
SHARE_MAX = 0.95  # A bus that is full leaves gap filling a little all the same.
SLOWEST_MAX = 5  # Meters that are named for a bus.
TASKS_MAX = 1000
METERS_PER_STEP = 100  # Some 10 ms of work.
FINISH_KEPT_S = 5.0  # A page that shows a run asks every second; ten thousand meters are walked.
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class BusShare:
    """What one cycle of a task takes of a bus, and the time it has for that."""

    bus: str
    seconds: float
    available_s: float
    exchanges: int
    meters: int

    @property
    def fits(self) -> bool:
        """Whether a cycle can end before the next one begins, or the window closes."""
        return self.seconds <= self.available_s


@dataclass(frozen=True, slots=True)
class BusLoad:
    """What all tasks that go on take of a bus on a day; `share` is of the whole day.

    `tasks` holds id, name and seconds a day, the greediest first; `slowest` the addresses of
    meters and their seconds a day. `port` is None when the ports of a link take turns.
    """

    bus: str
    link: str
    port: int | None
    share: float
    tasks: tuple[tuple[str, str, float], ...]
    slowest: tuple[tuple[str, float], ...]


class Budget:
    """Reckons with the time of the buses."""

    def __init__(
        self, tasks: Tasks, planner: Planner, runner: Runner, memory: Memory, zone: ZoneInfo
    ) -> None:
        self._tasks = tasks
        self._planner = planner
        self._runner = runner
        self._memory = memory
        self._zone = zone
        self._finishes: dict[str, tuple[float, datetime]] = {}  # By run, and when it was reckoned.

    async def of_task(self, task: Task) -> list[BusShare]:
        """Return what a cycle of a task takes of each bus, the fullest first."""
        available_s = self._available_s(task)
        by_bus: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
        async for one, exchanges in self._cycle(task):
            by_bus[bus_of(one)].append((self._seconds(one, exchanges), exchanges))
        shares = [
            BusShare(
                bus,
                sum(seconds for seconds, _ in rows),
                available_s,
                sum(exchanges for _, exchanges in rows),
                len(rows),
            )
            for bus, rows in by_bus.items()
        ]
        return sorted(shares, key=lambda share: -share.seconds)

    async def of_buses(self) -> list[BusLoad]:
        """Return what the tasks that go on take of each bus, the fullest first."""
        tasks, _ = await self._tasks.list(limit=TASKS_MAX)
        eaters: defaultdict[str, list[tuple[str, str, float]]] = defaultdict(list)
        meters: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
        places: dict[str, tuple[str, int | None]] = {}
        for task in tasks:
            times = self._times_a_day(task) if task.enabled else 0
            if not times:
                continue
            sums: defaultdict[str, float] = defaultdict(float)
            async for one, exchanges in self._cycle(task):
                bus, seconds = bus_of(one), self._seconds(one, exchanges) * times
                places[bus] = one.meter.link, one.meter.port if bus != one.meter.link else None
                sums[bus] += seconds
                meters[bus][one.meter.address] += seconds
            for bus, seconds in sums.items():
                eaters[bus].append((task.id, task.name, seconds))
        loads = [
            BusLoad(
                bus,
                *places[bus],
                sum(seconds for *_, seconds in rows) / DAY_S,
                tuple(sorted(rows, key=lambda row: -row[2])),
                tuple(sorted(meters[bus].items(), key=lambda row: -row[1])[:SLOWEST_MAX]),
            )
            for bus, rows in eaters.items()
        ]
        return sorted(loads, key=lambda load: -load.share)

    async def finish_of(self, run: Run) -> datetime | None:
        """Return when a run under way will have finished; None if it is not under way.

        Gap filling gets what the tasks leave of each bus.
        """
        now_s = time.monotonic()
        known = self._finishes.get(run.id)
        if known is not None and now_s - known[0] < FINISH_KEPT_S:
            return known[1]
        left = self._runner.left(run.id)
        if left is None:
            self._finishes.pop(run.id, None)
            return None
        sums: defaultdict[str, float] = defaultdict(float)
        for number, one in enumerate(left):
            if number % METERS_PER_STEP == 0:
                await asyncio.sleep(0)
            sums[bus_of(one)] += self.seconds(one)
        shares: Mapping[str, float] = {}
        if run.kind in ("gap", "fill") and sums:
            shares = {load.bus: load.share for load in await self.of_buses()}
        seconds = [need / (1 - min(shares.get(bus, 0.0), SHARE_MAX)) for bus, need in sums.items()]
        finish = utc_now() + timedelta(seconds=max(seconds, default=0.0))
        self._finishes = {
            run_id: kept
            for run_id, kept in self._finishes.items()
            if now_s - kept[0] < FINISH_KEPT_S
        }
        self._finishes[run.id] = now_s, finish
        return finish

    def seconds(self, work: MeterWork) -> float:
        """Return how long the bus is busy with these points of a meter."""
        return self._seconds(work, _exchanges(work))

    def _seconds(self, work: MeterWork, exchanges: int) -> float:
        meter = work.meter
        if self._memory.is_dead(meter.address):
            return self._memory.answer_timeout_s(meter.address)
        one_s = self._memory.exchange_s(meter.address, bus_of(work)) or line_s(meter.line)
        return exchanges * one_s * (1 + REPEATED_SHARE)

    async def _cycle(self, task: Task) -> AsyncIterator[tuple[MeterWork, int]]:
        """Yield the work of one moment of a task, as it is a little after it, and its exchanges.

        Meters that the plan treats alike share the answer; with thousands of them the links have
        their turns in between.
        """
        known: dict[tuple[object, ...], tuple[tuple[Want, ...], int]] = {}
        now = utc_now()
        moment = grid.current_moment(task, now, self._zone) or now.replace(second=0, microsecond=0)
        meters, terminals = await self._planner.targets(task)
        for number, meter in enumerate(meters):
            if number % METERS_PER_STEP == 0:
                await asyncio.sleep(0)
            terminal = terminals.get(meter.link)
            keeps = terminal.protocol if terminal is not None and terminal.collects else None
            kind = (meter.protocol, meter.profile_interval_min, meter.tariffs, keeps)
            if kind not in known:
                wants = tuple(
                    plan.points_at(
                        task, meter, moment, now=moment + plan.RECORDING_TIME, zone=self._zone,
                        terminal=terminal,
                    )
                )  # fmt: skip
                known[kind] = wants, _exchanges(MeterWork(meter, wants, terminal)) if wants else 0
            wants, exchanges = known[kind]
            if wants:
                yield MeterWork(meter, wants, terminal), exchanges

    def _available_s(self, task: Task) -> float:
        period_s = grid.spacing(task, self._zone).total_seconds()
        return min(period_s, grid.window_seconds(task.window))

    def _times_a_day(self, task: Task) -> int:
        """Return how often the task's cycle comes on a day; today stands for all."""
        slots = grid.day_slots(task, local_day(utc_now(), self._zone), self._zone)
        return len(slots)


def line_s(line: str) -> float:
    """Return how long a usual exchange takes on a line with these settings."""
    bits = (QUESTION_SIZE + ANSWER_SIZE) * BITS_PER_BYTE
    return bits / LineSettings.parse(line).speed + THINKING_S


def _exchanges(work: MeterWork) -> int:
    return max(1, exchanges_of(work.meter, work.terminal, work.wants))
