"""Completeness: the points that the store holds, of those that the tasks expect.

Counted from the coverage, a bitmap per meter, item and day, so thousands of meters take no
thousands of queries; tasks that are finer than its quarter of an hour are counted from the day
sheets. Counting goes step by step, so that it never holds up the links for long.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from station.collector import grid, plan
from station.collector.items import ITEM_BY_CODE
from station.collector.roll import Roll
from station.store.database import Database
from station.store.objects.coverage import HoleCause
from station.store.objects.meters import Meter
from station.store.objects.readings import GRID_MIN, SheetKey
from station.store.objects.tasks import Task
from station.store.objects.terminals import Terminal
from station.units import MINUTE, day_start, utc_now

GRACE = timedelta(minutes=2)  # A moment counts once there has been time to read it.
DAY = timedelta(days=1)
TASKS_MAX = 1000
SHEETS_PER_STEP = 4_000  # Counted at a time: some 10 ms of work.


@dataclass(frozen=True, slots=True)
class TaskCompleteness:
    """What a task expects of a day so far, and what is there; per meter in `meters`."""

    task: Task
    expected: int
    stored: int
    meters: dict[str, tuple[int, int]]  # By address: expected, stored.


@dataclass(frozen=True, slots=True)
class Hole:
    """Points of an item that are missing on a day, and the last cause that was noted for them."""

    item: str
    missing: int
    cause: HoleCause | None


@dataclass(frozen=True, slots=True)
class MeterDays:
    """A meter's days: expected and stored points of each day, and the holes of those with any."""

    meter: Meter
    days: tuple[tuple[int, int], ...]
    holes: Mapping[date, tuple[Hole, ...]]


class Completeness:
    """Counts what is there."""

    def __init__(self, database: Database, zone: ZoneInfo, roll: Roll | None = None) -> None:
        """`roll` is told when the archive changes; without one it is read as it stands now."""
        self._database = database
        self._zone = zone
        self._roll = roll or Roll(database.meters, database.terminals)

    async def targets(self, task: Task) -> list[Meter]:
        """Return the meters that a task reads, by address."""
        devices = await self._roll.devices()
        return plan.targets_of(task, devices.meters, devices.terminals)

    async def terminals(self) -> Mapping[str, Terminal]:
        """Return all terminals, by address."""
        return (await self._roll.devices()).terminals

    async def of_day(self, day: date) -> list[TaskCompleteness]:
        """Return the completeness of a local day, task by task; paused tasks are left out."""
        tasks, _ = await self._database.tasks.list(limit=TASKS_MAX)
        devices = await self._roll.devices()
        meters, terminals = devices.meters, devices.terminals
        found = []
        for task in tasks:
            if task.enabled:
                targets = plan.targets_of(task, meters, terminals)
                expected = _Expected(task, terminals, [day], self._zone)
                counts = await self._of_day(expected, targets, day)
                sums = [sum(column) for column in zip(*counts.values(), strict=True)] or [0, 0]
                found.append(TaskCompleteness(task, sums[0], sums[1], counts))
        return found

    async def of_days(
        self, task: Task, meters: Sequence[Meter], items: Sequence[str], first_day: date,
        last_day: date,
    ) -> list[MeterDays]:  # fmt: skip
        """Return the days of meters, both included: items of a task, with the causes of holes."""
        days = list(_days(first_day, last_day))
        expected = _Expected(task, await self.terminals(), days, self._zone)
        found = []
        for some in _steps(meters, len(items) * len(days)):
            addresses = [meter.address for meter in some]
            held = await self._held(expected, addresses, items, first_day, last_day)
            missing = {
                meter.address: _missing(expected, held, meter, items, days) for meter in some
            }
            lacking = [address for address, (_, holes) in missing.items() if holes]
            causes = await self._database.coverage.causes(lacking, items, first_day, last_day)
            for meter in some:
                counts, holes = missing[meter.address]
                found.append(MeterDays(meter, counts, _with_causes(meter, holes, causes)))
        return found

    async def _of_day(
        self, expected: "_Expected", targets: Sequence[Meter], day: date
    ) -> dict[str, tuple[int, int]]:
        counts: dict[str, tuple[int, int]] = {}
        items = expected.task.items
        for some in _steps(targets, len(items)):
            addresses = [meter.address for meter in some]
            held = await self._held(expected, addresses, items, day, day)
            for meter in some:
                (counts[meter.address],), _ = _missing(expected, held, meter, items, [day])
            await asyncio.sleep(0)  # The links may go on.
        return counts

    async def _held(
        self, expected: "_Expected", meters: Sequence[str], items: Sequence[str],
        first_day: date, last_day: date,
    ) -> Mapping[SheetKey, int]:  # fmt: skip
        """Return what the store holds, as bits of the same width as what is expected."""
        readings = self._database.readings
        if expected.grid_min == GRID_MIN:
            return await readings.coverage(meters, items, first_day, last_day)
        stored = await readings.stored_slots(meters, items, first_day, last_day)
        return {key: _bits(slots, expected.grid_min) for key, slots in stored.items()}


@dataclass
class _Expected:
    """What a task expects of meters on some days, as bits: bit n stands for slot n * `grid_min`.

    Meters that the plan treats alike share the answer.
    """

    task: Task
    terminals: Mapping[str, Terminal]
    days: Sequence[date]
    zone: ZoneInfo
    now: datetime = field(default_factory=utc_now)

    def __post_init__(self) -> None:
        slots = (slot for day in self.days for slot in grid.day_slots(self.task, day, self.zone))
        self.grid_min = GRID_MIN if all(slot % GRID_MIN == 0 for slot in slots) else 1
        self._known: dict[tuple[object, ...], int] = {}
        self._rows: dict[tuple[object, ...], tuple[int, ...]] = {}
        self._first = day_start(self.days[0], self.zone) if self.days else self.now

    def of(self, meter: Meter, code: str) -> Sequence[int]:
        """Return what is expected of a meter's item, day by day."""
        if meter.created_at > self._first:
            return [self._of_day(meter, code, day) for day in self.days]
        key = (code, *self._kind(meter))
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = tuple(self._of_day(meter, code, day) for day in self.days)
        return row

    def _of_day(self, meter: Meter, code: str, day: date) -> int:
        """Only a day near the one on which a meter was added depends on that moment itself."""
        start = day_start(day, self.zone)
        added = min(max(meter.created_at, start), start + 2 * DAY)
        key = (code, day, added, *self._kind(meter))
        bits = self._known.get(key)
        if bits is None:
            until = min(self.now - GRACE, day_start(day + DAY, self.zone) - MINUTE)
            slots = plan.expected_slots(
                self.task, meter, ITEM_BY_CODE[code], day, until=until, zone=self.zone,
                terminal=self.terminals.get(meter.link),
            )  # fmt: skip
            bits = self._known[key] = _bits(slots, self.grid_min)
        return bits

    def _kind(self, meter: Meter) -> tuple[object, ...]:
        """Return what the plan looks at, but for the moment at which the meter was added."""
        terminal = self.terminals.get(meter.link)
        keeps = terminal.protocol if terminal is not None and terminal.collects else None
        return meter.protocol, meter.profile_interval_min, keeps


_Missing = dict[date, list[tuple[str, int]]]  # Items and how many of their points, by day.


def _missing(
    expected: _Expected,
    held: Mapping[SheetKey, int],
    meter: Meter,
    items: Sequence[str],
    days: Sequence[date],
) -> tuple[tuple[tuple[int, int], ...], _Missing]:
    """Return what is expected and stored day by day, and what is missing."""
    wanted = [0] * len(days)
    present = [0] * len(days)
    missing: _Missing = {}
    address = meter.address
    for code in items:
        for number, (day, bits) in enumerate(zip(days, expected.of(meter, code), strict=True)):
            if not bits:
                continue
            points = bits.bit_count()
            stored = (bits & held.get((address, code, day), 0)).bit_count()
            wanted[number] += points
            present[number] += stored
            if stored < points:
                missing.setdefault(day, []).append((code, points - stored))
    return tuple(zip(wanted, present, strict=True)), missing


def _with_causes(
    meter: Meter, missing: _Missing, causes: Mapping[SheetKey, HoleCause]
) -> dict[date, tuple[Hole, ...]]:
    return {
        day: tuple(
            Hole(code, number, causes.get((meter.address, code, day))) for code, number in holes
        )
        for day, holes in missing.items()
    }


def _bits(slots: Sequence[int] | frozenset[int], grid_min: int) -> int:
    """Return slots as bits; those that are not on the grid are left out."""
    return sum(1 << slot // grid_min for slot in slots if slot % grid_min == 0)


def _steps(meters: Sequence[Meter], sheets_each: int) -> Iterator[Sequence[Meter]]:
    """Yield the meters in pieces that are counted in one go."""
    size = max(1, SHEETS_PER_STEP // max(1, sheets_each))
    for start in range(0, len(meters), size):
        yield meters[start : start + size]


def _days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)
