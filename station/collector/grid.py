"""The moments of a task: its grid over the local days, and the windows in which it may ask. Pure.

A grid comes from a period (from each local midnight on), from a cron expression in the site's zone,
or is one single moment. A cron time that the clock skips in spring comes when the clock has jumped;
one that comes twice in autumn counts once, unless the expression says "every hour".
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from station.store.objects.tasks import Task
from station.units import (
    MINUTE,
    UTC,
    day_minutes,
    day_start,
    local_day,
    moment_of,
    slot_of,
)

MINUTES_A_DAY = 1440
CRON_FIELDS = 5  # Minute, hour, day, month, weekday; seconds are finer than any grid.
DAY = timedelta(days=1)
# How far back the newest moment of a cron expression is looked for: 29 February is the rarest.
_LOOKS_BACK = (timedelta(hours=1), DAY, 32 * DAY, 367 * DAY, 1500 * DAY)
_SPACING_FROM = datetime(2026, 1, 1, tzinfo=UTC)
_SPACING_MOMENTS = 100  # A day of quarter hours, or a week of hours: the closest two show.


def check_cron(expression: str) -> None:
    """Raises ValueError, in words, if it is no cron expression of five fields or never comes."""
    fields = len(expression.split())
    if fields != CRON_FIELDS:
        raise ValueError(f"a cron expression has {CRON_FIELDS} fields, not {fields}")
    try:
        next(CronSim(expression, _SPACING_FROM))
    except CronSimError as error:
        raise ValueError(f"{expression!r} is no cron expression: {error}") from None
    except StopIteration:
        raise ValueError(f"{expression!r} names a moment that never comes") from None


def day_slots(task: Task, day: date, zone: ZoneInfo) -> Sequence[int]:
    """Return the task's slots of a local day, in order, whatever the day's length."""
    if task.once_at is not None:
        of, slot = slot_of(task.once_at, zone)
        return (slot,) if of == day else ()
    if task.cron:
        return _cron_slots(task.cron, day, zone)
    return range(0, day_minutes(day, zone), task.period_min)


def current_moment(task: Task, now: datetime, zone: ZoneInfo) -> datetime | None:
    """Return the newest moment of the grid that is not after `now`; None if there was none."""
    if task.once_at is not None:
        return None if task.once_at > now else _whole_minute(task.once_at)
    if task.cron:
        return _last_of_cron(task.cron, now, zone)
    day, slot = slot_of(now, zone)
    return moment_of(day, slot // task.period_min * task.period_min, zone)


def next_moment(task: Task, now: datetime, zone: ZoneInfo) -> datetime | None:
    """Return the first moment of the grid after `now`; None if there is none any more."""
    if task.once_at is not None:
        return _whole_minute(task.once_at) if task.once_at > now else None
    if task.cron:
        return next(_cron(task.cron, now, zone), None)
    day, slot = slot_of(now, zone)
    start = moment_of(day, slot // task.period_min * task.period_min, zone)
    following = start + timedelta(minutes=task.period_min)
    return min(following, day_start(day + DAY, zone))


def spacing(task: Task, zone: ZoneInfo) -> timedelta:
    """Return the shortest time between two moments of the grid; a day for a single moment."""
    if task.once_at is not None:
        return DAY
    return _cron_spacing(task.cron, zone) if task.cron else timedelta(minutes=task.period_min)


# Windows.


def is_open(task: Task, now: datetime, zone: ZoneInfo) -> bool:
    """Tell whether the task may ask at this moment."""
    return task.window is None or window_end(task, now, zone) is not None


def window_end(task: Task, now: datetime, zone: ZoneInfo) -> datetime | None:
    """Return when the window that is open at this moment closes; None if none does."""
    if task.window is None:
        return None
    ends = [end for start, end in _windows(task.window, now, zone) if start <= now < end]
    return max(ends, default=None)


def next_opening(task: Task, now: datetime, zone: ZoneInfo) -> datetime:
    """Return when the task may ask: now if its window is open, else at the next opening."""
    if task.window is None or window_end(task, now, zone) is not None:
        return now
    return min(start for start, _ in _windows(task.window, now, zone) if start > now)


def window_seconds(window: tuple[int, int] | None) -> int:
    """Return how long a window is open on a usual day."""
    if window is None:
        return MINUTES_A_DAY * 60
    first, end = window
    return (end - first if first < end else end - first + MINUTES_A_DAY) * 60


def _windows(
    window: tuple[int, int], now: datetime, zone: ZoneInfo
) -> list[tuple[datetime, datetime]]:
    """Return the windows that open yesterday, today, tomorrow and, after a clock change, then."""
    first, end = window
    over = DAY if end <= first else timedelta()
    today = local_day(now, zone)
    days = [today + number * DAY for number in (-1, 0, 1, 2)]
    return [(_wall(day, first, zone), _wall(day + over, end, zone)) for day in days]


def _wall(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """Return the moment at which clocks show this minute of a day, the first one if twice."""
    day += minute // MINUTES_A_DAY * DAY
    hour, rest = divmod(minute % MINUTES_A_DAY, 60)
    return datetime.combine(day, time(hour, rest), zone).astimezone(UTC)


# Cron.


def _cron(expression: str, after: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield the moments of an expression after a moment."""
    for local in CronSim(expression, after.astimezone(zone)):
        yield local.astimezone(UTC)


@lru_cache(maxsize=4096)  # Plans ask for the same few days over and over.
def _cron_slots(expression: str, day: date, zone: ZoneInfo) -> tuple[int, ...]:
    start, end = day_start(day, zone), day_start(day + DAY, zone)
    slots = set()
    for moment in _cron(expression, start - timedelta(seconds=1), zone):
        if moment >= end:
            break
        slots.add((moment - start) // MINUTE)
    return tuple(sorted(slots))


@lru_cache(maxsize=256)
def _cron_spacing(expression: str, zone: ZoneInfo) -> timedelta:
    moments = list(islice(_cron(expression, _SPACING_FROM, zone), _SPACING_MOMENTS))
    steps = [later - earlier for earlier, later in pairwise(moments)]
    return min(steps, default=DAY)


def _last_of_cron(expression: str, now: datetime, zone: ZoneInfo) -> datetime | None:
    for back in _LOOKS_BACK:
        last = None
        for moment in _cron(expression, now - back, zone):
            if moment > now:
                break
            last = moment
        if last is not None:
            return last
    return None


def _whole_minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
