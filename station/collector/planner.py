"""Finds the work of a run: what the plan wants, of what the store lacks.

A site has ten thousand meters and more, so meters are planned a few at a time: the links are heard
in between.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from operator import itemgetter
from typing import TypeVar
from zoneinfo import ZoneInfo

from station.collector import plan
from station.collector.items import ITEM_BY_CODE
from station.collector.memory import Memory
from station.collector.plan import Span, Want, Way
from station.collector.roll import Roll
from station.collector.rounds import MeterWork
from station.errors import DatabaseDown
from station.store.objects.meters import Meter, Meters
from station.store.objects.readings import Readings
from station.store.objects.tasks import Task
from station.store.objects.terminals import Terminal, Terminals
from station.units import MINUTE, day_start, local_day, utc_now

# A new task with weeks to fill wants millions of points: they are taken in portions.
POINTS_MAX = 200_000  # Of one run: some 40 MB, and 20 ms for the collector of garbage.
METER_POINTS_MAX = 5_000  # The newest ones of one meter: some weeks of an item.
METERS_AT_ONCE = 25  # In one query of what is stored.
METERS_PER_TURN = 5  # Some milliseconds of planning, then others have their turn.
PAUSES_S = (0.5, 1.0, 2.0, 5.0)  # While the database is down; the last one repeats.

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Holes:
    """What is missing and can be read; `more` when that is not all of it."""

    work: list[MeterWork]
    more: bool = False


class Planner:
    """Plans runs from the archive, the readings and what is remembered of the meters."""

    def __init__(
        self,
        meters: Meters,
        terminals: Terminals,
        readings: Readings,
        memory: Memory,
        zone: ZoneInfo,
    ) -> None:
        self.roll = Roll(meters, terminals)
        self._readings = readings
        self._memory = memory
        self._zone = zone

    def archive_changed(self) -> None:
        """Have the archive read again before the next run."""
        self.roll.archive_changed()

    async def targets(self, task: Task) -> tuple[list[Meter], Mapping[str, Terminal]]:
        """Return the meters that a task reads, and all terminals by address."""
        devices = await patiently(self.roll.devices)
        return plan.targets_of(task, devices.meters, devices.terminals), devices.terminals

    async def snapshot(self, task: Task, moment: datetime) -> list[MeterWork]:
        """Return every item of every meter of a task, to be read live at this minute."""
        meters, terminals = await self.targets(task)
        items = [ITEM_BY_CODE[code] for code in task.items]
        work = []
        for some in _chunks(meters):
            for meter in some:
                known = [item for item in items if plan.has_item(meter, item)]
                wants = tuple(Want(item, moment, (Way.LIVE,)) for item in known)
                if wants:
                    work.append(MeterWork(meter, wants, terminals.get(meter.link)))
            await asyncio.sleep(0)
        return work

    async def at(self, task: Task, moment: datetime) -> list[MeterWork]:
        """Return what can be read of one moment of the task's grid."""
        meters, terminals = await self.targets(task)
        now = utc_now()
        work = []
        for some in _chunks(meters):
            for meter in some:
                terminal = terminals.get(meter.link)
                wants = plan.points_at(
                    task, meter, moment, now=now, zone=self._zone, terminal=terminal
                )
                if wants:
                    work.append(MeterWork(meter, tuple(wants), terminal))
            await asyncio.sleep(0)
        return work

    async def gaps(
        self,
        task: Task,
        until: datetime,
        links: Collection[str],
        *,
        with_newest: bool,
        skipped: Sequence[Span],
    ) -> Holes:
        """Return what is missing up to a moment over these links, as deep as the task fills.

        Meters that gave nothing lately are asked less often, and dead ones for one point. The
        newest moment is left out when a tick is reading it.
        """
        meters, terminals = await self.targets(task)
        now = utc_now()
        due = [
            meter
            for meter in meters
            if meter.link in links and self._memory.probe_due(meter.address, now)
        ]
        days = _days(plan.first_day(task, now, self._zone), local_day(until, self._zone))
        last = until if with_newest else until - MINUTE
        found = await self._missing(task, due, terminals, days, last, skipped)
        dead = [one for one in found.work if self._memory.is_dead(one.meter.address)]
        probes = [replace(one, wants=one.wants[-1:]) for one in dead]
        living = [one for one in found.work if not self._memory.is_dead(one.meter.address)]
        return Holes([*living, *probes], found.more or any(len(one.wants) > 1 for one in dead))

    async def holes(
        self, tasks: Sequence[Task], meters: Collection[str], first: date, last: date
    ) -> Holes:
        """Return the holes of meters on these days, over tasks that may overlap."""
        end = min(day_start(last + timedelta(days=1), self._zone) - MINUTE, utc_now())
        found: dict[str, MeterWork] = {}
        more = False
        for task in tasks:
            own, terminals = await self.targets(task)
            chosen = [meter for meter in own if meter.address in meters]
            holes = await self._missing(task, chosen, terminals, _days(first, last), end, ())
            more = more or holes.more
            for one in holes.work:
                before = found.get(one.meter.address)
                found[one.meter.address] = one if before is None else _joined(before, one)
            if more:
                break
        return Holes(list(found.values()), more)

    async def _missing(
        self,
        task: Task,
        meters: Sequence[Meter],
        terminals: Mapping[str, Terminal],
        days: Sequence[date],
        until: datetime,
        skipped: Sequence[Span],
    ) -> Holes:
        now = utc_now()
        work: list[MeterWork] = []
        points, more = 0, False
        if not days:  # The last moment lies before the task, or before what it fills.
            return Holes(work)
        for some in _chunks(_side_by_side(meters)):
            if points >= POINTS_MAX:
                return Holes(work, more=True)
            addresses = [meter.address for meter in some]
            ask = partial(self._readings.stored_slots, addresses, task.items, days[0], days[-1])
            stored = await patiently(ask)
            for number, meter in enumerate(some):
                if number % METERS_PER_TURN == 0:
                    await asyncio.sleep(0)
                terminal = terminals.get(meter.link)
                wants = plan.missing(
                    task, meter, days, stored, until=until, now=now, zone=self._zone,
                    terminal=terminal, skipped=skipped,
                )  # fmt: skip
                if wants:
                    work.append(MeterWork(meter, tuple(wants[-METER_POINTS_MAX:]), terminal))
                    points += len(work[-1].wants)
                    more = more or len(wants) > METER_POINTS_MAX
        return Holes(work, more)


async def patiently(ask: Callable[[], Awaitable[Found]]) -> Found:
    """Ask the database until it answers; a run that is being planned waits for it."""
    attempt = 0
    while True:
        try:
            return await ask()
        except DatabaseDown:
            await asyncio.sleep(PAUSES_S[min(attempt, len(PAUSES_S) - 1)])
            attempt += 1


def _side_by_side(meters: Sequence[Meter]) -> list[Meter]:
    """Return meters so that all links have a share in every portion: the first of each, .."""
    numbers: Counter[str] = Counter()
    places = []
    for meter in meters:
        places.append((numbers[meter.link], meter))
        numbers[meter.link] += 1
    places.sort(key=itemgetter(0))
    return [meter for _, meter in places]


def _joined(one: MeterWork, other: MeterWork) -> MeterWork:
    wants = {(want.item.code, want.moment): want for want in (*one.wants, *other.wants)}
    return replace(one, wants=tuple(sorted(wants.values(), key=lambda want: want.moment)))


def _chunks(meters: Sequence[Meter]) -> Iterator[Sequence[Meter]]:
    for start in range(0, len(meters), METERS_AT_ONCE):
        yield meters[start : start + METERS_AT_ONCE]


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
