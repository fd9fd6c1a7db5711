"""What to read now: points expected minus points stored. Pure.

Periodic reading and gap filling are this one rule. A *point* is one item of one meter at one
moment of a task's grid. A point that no way of reading can give any more is not wanted: it stays a
hole, and completeness shows it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from functools import lru_cache
from zoneinfo import ZoneInfo

from station.collector.items import ITEM_BY_CODE, Item
from station.protocols.dlt645 import Version
from station.protocols.dlt645.profile import PROFILE_IDS
from station.store.objects.meters import Meter
from station.store.objects.tasks import Task
from station.units import MINUTE, day_minutes, day_start, local_day, moment_of, slot_of

LIVE_WINDOW_MAX = timedelta(minutes=15)  # A value read later than this is not that moment's.
FREEZE_DAYS_MAX = 62  # Daily freezes a 2007 meter keeps (digest dlt645.md section 10).
RECORDING_TIME = timedelta(seconds=20)  # Device clocks lag; a record is looked for after this.

StoredSlots = Mapping[tuple[str, str, date], frozenset[int]]


class Way(Enum):
    """How a point can be had."""

    PROFILE = "load profile"
    FREEZE = "daily freeze"
    LIVE = "live read"


@dataclass(frozen=True, slots=True)
class Want:
    """One point to read, and the ways to have it, best first."""

    item: Item
    moment: datetime
    ways: tuple[Way, ...]


def targets_of(task: Task, meters: Sequence[Meter]) -> list[Meter]:
    """Return the meters that a task reads."""
    if task.target_kind == "all":
        return list(meters)
    if task.target_kind == "links":
        return [meter for meter in meters if meter.link in task.targets]
    return [meter for meter in meters if meter.address in task.targets]


def has_item(meter: Meter, item: Item) -> bool:
    """Tell whether the meter's protocol knows the item at all."""
    if meter.protocol == Version.V1997.value:
        return item.id_1997 is not None or item.kind == "clock"
    return item.id_2007 is not None


def ways(meter: Meter, item: Item, moment: datetime, *, period: timedelta, now: datetime,
         zone: ZoneInfo) -> tuple[Way, ...]:  # fmt: skip
    """Return how a point can still be had, best first; nothing if it is gone.

    What the meter recorded is exact, so it comes first, unless the task is finer than the record.
    """
    if not has_item(meter, item):
        return ()
    day, slot = slot_of(moment, zone)
    found = []
    if now - moment >= RECORDING_TIME:
        kept = (local_day(now, zone) - day).days < FREEZE_DAYS_MAX
        if slot == 0 and kept and _freezes(meter, item):
            found.append(Way.FREEZE)
        interval_min = meter.profile_interval_min
        if interval_min and slot % interval_min == 0 and _records(meter, item):
            found.append(Way.PROFILE)
    if now - moment < min(period, LIVE_WINDOW_MAX):
        finer = period < timedelta(minutes=meter.profile_interval_min)
        found.insert(0 if finer else len(found), Way.LIVE)
    return tuple(found)


def _records(meter: Meter, item: Item) -> bool:
    """Tell whether the item is in the meter's load profile, if it keeps one."""
    return meter.protocol == Version.V2007.value and item.id_2007 in PROFILE_IDS


def _freezes(meter: Meter, item: Item) -> bool:
    """Tell whether the item is in the meter's daily freezes."""
    return meter.protocol == Version.V2007.value and item.code.startswith("energy_")


def day_slots(task: Task, day: date, zone: ZoneInfo) -> range:
    """Return the task's slots of a day, midnight being one of them whatever the day's length."""
    return range(0, day_minutes(day, zone), task.period_min)


def current_moment(task: Task, now: datetime, zone: ZoneInfo) -> datetime:
    """Return the newest moment of the task's grid."""
    day, slot = slot_of(now, zone)
    return moment_of(day, slot // task.period_min * task.period_min, zone)


def next_moment(task: Task, now: datetime, zone: ZoneInfo) -> datetime:
    """Return the next moment of the task's grid."""
    following = current_moment(task, now, zone) + timedelta(minutes=task.period_min)
    return min(following, day_start(local_day(now, zone) + timedelta(days=1), zone))


def first_day(task: Task, now: datetime, zone: ZoneInfo) -> date:
    """Return the oldest day whose holes the task fills."""
    return local_day(now, zone) - timedelta(days=task.backfill_days)


def expected_slots(task: Task, meter: Meter, item: Item, day: date, *, until: datetime,
                   zone: ZoneInfo) -> tuple[int, ...]:  # fmt: skip
    """Return the slots of a day, up to a moment, at which the task expects the meter's item.

    What the meter records itself is expected for whole days; the rest only since both the task and
    the meter have been here.
    """
    if not has_item(meter, item):
        return ()
    midnight = day_start(day, zone)
    period = timedelta(minutes=task.period_min)
    known_since = max(task.created_at, meter.created_at) - min(period, LIVE_WINDOW_MAX)
    recording = task.backfill_days > 0
    return _expected(
        day_slots(task, day, zone),
        last=(until - midnight) // MINUTE,
        first_live=max(0, -((midnight - known_since) // MINUTE)),
        interval_min=meter.profile_interval_min if recording and _records(meter, item) else 0,
        freezes=recording and _freezes(meter, item),
    )


@lru_cache(maxsize=4096)  # The meters of a site differ in few of these.
def _expected(
    slots: range, *, last: int, first_live: int, interval_min: int, freezes: bool
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
            until: datetime, now: datetime, zone: ZoneInfo) -> list[Want]:  # fmt: skip
    """Return the points up to a moment that are to be read from a meter now, oldest first."""
    period = timedelta(minutes=task.period_min)
    wants = []
    for day in days:
        for item in map(ITEM_BY_CODE.__getitem__, task.items):
            have = stored.get((meter.address, item.code, day), frozenset())
            for slot in expected_slots(task, meter, item, day, until=until, zone=zone):
                if slot in have:
                    continue
                moment = moment_of(day, slot, zone)
                if found := ways(meter, item, moment, period=period, now=now, zone=zone):
                    wants.append(Want(item, moment, found))
    wants.sort(key=lambda want: want.moment)
    return wants
