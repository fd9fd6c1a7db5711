"""What to read now: points expected minus points stored. Pure.

Periodic reading and gap filling are this one rule. A *point* is one item of one meter at one
moment of a task's grid. A point that no way of reading can give any more is not wanted: it stays a
hole, and completeness shows it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from functools import lru_cache
from zoneinfo import ZoneInfo

from station.collector import grid, items
from station.collector.items import DLT698, ITEM_BY_CODE, Item
from station.protocols.dlt645 import Version
from station.protocols.dlt645.profile import PROFILE_IDS
from station.store.objects.meters import Meter
from station.store.objects.stages import is_read
from station.store.objects.tasks import Task
from station.store.objects.terminals import Terminal
from station.units import MINUTE, day_start, local_day, moment_of, slot_of

LIVE_WINDOW_MAX = timedelta(minutes=15)  # A value read later than this is not that moment's.
FREEZE_DAYS_MAX = 62  # Daily freezes a 2007 meter keeps (digest dlt645.md section 10).
RECORDING_TIME = timedelta(seconds=20)  # Device clocks lag; a record is looked for after this.
CURVE_INTERVAL_MIN = 15  # The finest curve of a terminal (digest qgdw1376_1.md section 13).

StoredSlots = Mapping[tuple[str, str, date], Collection[int]]
Span = tuple[datetime, datetime]  # From its first moment up to, but not including, its last.


class Way(Enum):
    """How a point can be had."""

    TERMINAL = "terminal's record"
    PROFILE = "load profile"
    FREEZE = "daily freeze"
    LIVE = "live read"


_KNOWN_WAYS: dict[tuple[Way, ...], tuple[Way, ...]] = {}  # A run has 200,000 wants, of few kinds.


@dataclass(frozen=True, slots=True)
class Want:
    """One point to read, and the ways to have it, best first."""

    item: Item
    moment: datetime
    ways: tuple[Way, ...]

    def __hash__(self) -> int:
        """A run looks wants up all the time, and an item has many fields."""
        return hash((self.item.code, self.moment))


def targets_of(
    task: Task, meters: Sequence[Meter], terminals: Mapping[str, Terminal] | None = None
) -> list[Meter]:
    """Return the meters that a task reads; a terminal's groups are those of its meters too.

    Only active meters are read, and only over active ends.
    """
    ends = terminals or {}
    meters = [meter for meter in meters if is_read(meter, ends)]
    if task.target_kind == "all":
        return meters
    wanted = frozenset(task.targets)
    if task.target_kind == "links":
        return [meter for meter in meters if meter.link in wanted]
    if task.target_kind == "groups":
        links = {address for address, end in ends.items() if not wanted.isdisjoint(end.groups)}
        return [
            meter for meter in meters if meter.link in links or not wanted.isdisjoint(meter.groups)
        ]
    return [meter for meter in meters if meter.address in wanted]


def has_item(meter: Meter, item: Item) -> bool:
    """Tell whether the meter's protocol knows the item at all."""
    return items.has_item(meter.protocol, item)


def ways(meter: Meter, item: Item, moment: datetime, *, period: timedelta, now: datetime,
         zone: ZoneInfo, terminal: Terminal | None = None) -> tuple[Way, ...]:  # fmt: skip
    """Return how a point can still be had, best first; nothing if it is gone.

    What was recorded is exact, so it comes first, unless the task is finer than the record; what
    the terminal recorded costs the meter's line nothing.
    """
    if not has_item(meter, item):
        return ()
    day, slot = slot_of(moment, zone)
    found = []
    if now - moment >= RECORDING_TIME:
        kept = (local_day(now, zone) - day).days < FREEZE_DAYS_MAX
        if kept and _terminal_keeps(terminal, item, slot):
            found.append(Way.TERMINAL)
        if slot == 0 and kept and _freezes(meter, item):
            found.append(Way.FREEZE)
        interval_min = meter.profile_interval_min
        if interval_min and slot % interval_min == 0 and _records(meter, item):
            found.append(Way.PROFILE)
    if now - moment < min(period, LIVE_WINDOW_MAX):
        finer = period < timedelta(minutes=meter.profile_interval_min)
        found.insert(0 if finer else len(found), Way.LIVE)
    known = tuple(found)
    return _KNOWN_WAYS.setdefault(known, known)


def _records(meter: Meter, item: Item) -> bool:
    """Tell whether the item is in the meter's load profile, if it keeps one."""
    if meter.protocol == DLT698:
        return item.id_698 is not None and item.kind in ("register", "instant")
    return meter.protocol == Version.V2007.value and item.id_2007 in PROFILE_IDS


def _freezes(meter: Meter, item: Item) -> bool:
    """Tell whether the item is in the meter's daily freezes."""
    if meter.protocol == DLT698:
        return item.id_698 is not None and item.code.startswith("energy_")
    return meter.protocol == Version.V2007.value and item.code.startswith("energy_")


def _terminal_keeps(terminal: Terminal | None, item: Item, slot: int) -> bool:
    """Tell whether a terminal that collects keeps the item at this slot of a day."""
    if terminal is None or not terminal.collects:
        return False
    on_curve = slot % CURVE_INTERVAL_MIN == 0
    if terminal.protocol == DLT698:
        return item.id_698 is not None and on_curve
    return bool((item.fn_1376.curve and on_curve) or (item.fn_1376.day and slot == 0))


def first_day(task: Task, now: datetime, zone: ZoneInfo) -> date:
    """Return the oldest day whose holes the task fills."""
    return local_day(now, zone) - timedelta(days=task.backfill_days)


def expected_slots(
    task: Task,
    meter: Meter,
    item: Item,
    day: date,
    *,
    until: datetime,
    zone: ZoneInfo,
    terminal: Terminal | None = None,
) -> tuple[int, ...]:
    """Return the slots of a day, up to a moment, at which the task expects the meter's item.

    What the meter or its terminal records itself is expected for whole days, as far back as the
    task filled holes when it and the meter first were here; the rest only since then.
    """
    known_since = max(task.created_at, meter.created_at)
    if not has_item(meter, item) or day < first_day(task, known_since, zone):
        return ()
    midnight = day_start(day, zone)
    recording = task.backfill_days > 0
    interval_min = meter.profile_interval_min if recording and _records(meter, item) else 0
    if recording and _terminal_keeps(terminal, item, CURVE_INTERVAL_MIN):
        interval_min = min(interval_min or CURVE_INTERVAL_MIN, CURVE_INTERVAL_MIN)
    return _expected(
        grid.day_slots(task, day, zone),
        last=(until - midnight) // MINUTE,
        first_live=max(0, -((midnight - known_since + live_time(task, zone)) // MINUTE)),
        interval_min=interval_min,
        freezes=recording and (_freezes(meter, item) or _terminal_keeps(terminal, item, 0)),
    )


def live_time(task: Task, zone: ZoneInfo) -> timedelta:
    """Return how long after its moment a point of the task can be had by a live read."""
    return min(grid.spacing(task, zone), LIVE_WINDOW_MAX)


@lru_cache(maxsize=4096)  # The meters of a site differ in few of these.
def _expected(
    slots: Sequence[int], *, last: int, first_live: int, interval_min: int, freezes: bool
) -> tuple[int, ...]:
    return tuple(
        slot
        for slot in slots
        if slot <= last
        and (
            slot >= first_live
            or (interval_min > 0 and slot % interval_min == 0)
            or (freezes and slot == 0)
        )
    )


def missing(task: Task, meter: Meter, days: Iterable[date], stored: StoredSlots, *,
            until: datetime, now: datetime, zone: ZoneInfo, terminal: Terminal | None = None,
            skipped: Sequence[Span] = ()) -> list[Want]:  # fmt: skip
    """Return the points up to a moment that are to be read from a meter now, oldest first.

    What lies in one of the skipped spans is left out.
    """
    period = grid.spacing(task, zone)
    wants = []
    for day in days:
        for item in map(ITEM_BY_CODE.__getitem__, task.items):
            have = stored.get((meter.address, item.code, day), ())
            for slot in expected_slots(
                task, meter, item, day, until=until, zone=zone, terminal=terminal
            ):
                if slot in have:
                    continue
                moment = moment_of(day, slot, zone)
                if any(start <= moment < end for start, end in skipped):
                    continue
                found = ways(
                    meter, item, moment, period=period, now=now, zone=zone, terminal=terminal
                )
                if found:
                    wants.append(Want(item, moment, found))
    wants.sort(key=lambda want: want.moment)
    return wants


def points_at(task: Task, meter: Meter, moment: datetime, *, now: datetime, zone: ZoneInfo,
              terminal: Terminal | None = None) -> list[Want]:  # fmt: skip
    """Return the points of one moment of the grid that can be read from a meter now."""
    period = grid.spacing(task, zone)
    wants = []
    for item in map(ITEM_BY_CODE.__getitem__, task.items):
        found = ways(meter, item, moment, period=period, now=now, zone=zone, terminal=terminal)
        if found:
            wants.append(Want(item, moment, found))
    return wants


def left_out(task: Task, handled: datetime, newest: datetime) -> Span | None:
    """Return what of the moments that were missed is not to be read, by the task's own rule.

    `handled` is the last moment that was handled, `newest` that of now.
    """
    if task.missed == "all":
        return None
    first = handled + MINUTE
    end = newest if task.missed == "once" else newest + MINUTE
    return (first, end) if first < end else None
