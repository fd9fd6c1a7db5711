"""The moments of tasks, on usual days and on those on which clocks change; windows."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.collector import grid
from station.store.objects.tasks import Task
from station.units import MINUTE, UTC, day_minutes, day_start, local_day, slot_of

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
SPRING, AUTUMN, USUAL = date(2026, 3, 29), date(2026, 10, 25), date(2026, 11, 22)
CRONS = (
    "0 0 1 * *",
    "*/15 * * * *",
    "30 2 * * *",
    "0 */2 * * *",
    "5 8-17 * * MON-FRI",
    "0 0 * * *",
    "15,45 3 28-31 * *",
)
MOMENTS = st.integers(0, 2 * 365 * 86_400).map(
    lambda seconds: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
ZONES = st.sampled_from([SHANGHAI, BERLIN])


def task(cron: str = "", **changes: object) -> Task:
    return replace(Task("t", "t", ("power_total",), 15, cron=cron), **changes)


TASKS = st.one_of(
    st.sampled_from(CRONS).map(task),
    st.sampled_from([1, 5, 15, 30, 60, 1440]).map(lambda minutes: task(period_min=minutes)),
)


def walls(one: Task, day: date, zone: ZoneInfo) -> list[str]:
    start = day_start(day, zone)
    moments = [start + slot * MINUTE for slot in grid.day_slots(one, day, zone)]
    return [f"{moment.astimezone(zone):%H:%M}" for moment in moments]


@pytest.mark.parametrize(
    ("cron", "zone", "day", "expected"),
    [
        ("30 2 * * *", SHANGHAI, USUAL, ["02:30"]),
        ("30 2 * * *", BERLIN, SPRING, ["03:00"]),  # 02:30 is skipped: when the clock has jumped.
        ("30 2 * * *", BERLIN, AUTUMN, ["02:30"]),  # It comes twice, and counts once.
        ("0 */6 * * *", BERLIN, SPRING, ["00:00", "06:00", "12:00", "18:00"]),
        ("0 0 1 * *", BERLIN, date(2026, 4, 1), ["00:00"]),
        ("0 0 1 * *", BERLIN, SPRING, []),
    ],
)
def test_cron_days(cron: str, zone: ZoneInfo, day: date, expected: list[str]) -> None:
    assert walls(task(cron), day, zone) == expected


@pytest.mark.parametrize(("day", "hours"), [(SPRING, 23), (AUTUMN, 25), (USUAL, 24)])
def test_every_hour_is_every_real_hour(day: date, hours: int) -> None:
    assert len(grid.day_slots(task("0 * * * *"), day, BERLIN)) == hours
    assert len(grid.day_slots(task(period_min=60), day, BERLIN)) == hours


@given(TASKS, MOMENTS, ZONES)
def test_a_moment_of_the_grid_is_a_slot_of_its_day(
    one: Task, now: datetime, zone: ZoneInfo
) -> None:
    current, following = grid.current_moment(one, now, zone), grid.next_moment(one, now, zone)
    assert current is not None
    assert following is not None
    assert current <= now < following
    for moment in (current, following):
        day, slot = slot_of(moment, zone)
        assert slot in grid.day_slots(one, day, zone)
    assert grid.next_moment(one, current, zone) == following
    assert grid.current_moment(one, following - timedelta(seconds=1), zone) == current
    assert grid.spacing(one, zone) <= following - current or not one.cron


@given(TASKS, st.dates(date(2026, 1, 1), date(2027, 12, 31)), ZONES)
def test_slots_of_a_day_lie_in_it_in_order(one: Task, day: date, zone: ZoneInfo) -> None:
    slots = list(grid.day_slots(one, day, zone))
    assert slots == sorted(set(slots))
    assert all(0 <= slot < day_minutes(day, zone) for slot in slots)


def test_a_single_moment_has_no_other() -> None:
    at = datetime(2026, 11, 22, 3, 7, tzinfo=UTC)
    once = task(once_at=at)
    assert grid.next_moment(once, at - MINUTE, SHANGHAI) == at
    assert grid.current_moment(once, at - MINUTE, SHANGHAI) is None
    assert grid.next_moment(once, at, SHANGHAI) is None
    assert grid.current_moment(once, at, SHANGHAI) == at
    day, slot = slot_of(at, SHANGHAI)
    assert list(grid.day_slots(once, day, SHANGHAI)) == [slot]
    assert list(grid.day_slots(once, day + timedelta(days=1), SHANGHAI)) == []


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("* * * *", "has 5 fields, not 4"),
        ("0 0 0 * * *", "has 5 fields, not 6"),
        ("61 * * * *", "is no cron expression"),
        ("0 0 30 2 *", "no cron expression|never comes"),
    ],
)
def test_expressions_that_are_none(expression: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        grid.check_cron(expression)


def test_expressions_that_are_some() -> None:
    for expression in CRONS:
        grid.check_cron(expression)


def at(hour: int, minute: int = 0, day: date = USUAL) -> datetime:
    return day_start(day, SHANGHAI) + timedelta(hours=hour, minutes=minute)


def test_a_window_within_a_day() -> None:
    one = task(window=(8 * 60, 18 * 60))
    assert not grid.is_open(one, at(7, 59), SHANGHAI)
    assert grid.is_open(one, at(8), SHANGHAI)
    assert grid.window_end(one, at(8), SHANGHAI) == at(18)
    assert not grid.is_open(one, at(18), SHANGHAI)
    assert grid.next_opening(one, at(18), SHANGHAI) == at(32)
    assert grid.next_opening(one, at(9), SHANGHAI) == at(9)


def test_a_window_past_midnight() -> None:
    one = task(window=(22 * 60, 6 * 60))
    assert grid.is_open(one, at(23), SHANGHAI)
    assert grid.window_end(one, at(23), SHANGHAI) == at(30)
    assert grid.window_end(one, at(5, 59), SHANGHAI) == at(6)
    assert not grid.is_open(one, at(6), SHANGHAI)
    assert grid.next_opening(one, at(6), SHANGHAI) == at(22)
    assert grid.window_seconds(one.window) == 8 * 3600
    assert grid.is_open(task(), at(6), SHANGHAI)
    assert grid.window_end(task(), at(6), SHANGHAI) is None


@given(MOMENTS, ZONES, st.integers(0, 1439), st.integers(0, 1440))
def test_an_open_window_stays_open_until_its_end(
    now: datetime, zone: ZoneInfo, first: int, end: int
) -> None:
    if first == end:
        return
    one = task(window=(first, end))
    opening = grid.next_opening(one, now, zone)
    assert opening - now <= timedelta(hours=26)
    closing = grid.window_end(one, opening, zone)
    if closing is None:  # A window that the clock skips in spring.
        assert local_day(opening, zone) == date(2026, 3, 29) or zone is BERLIN
        return
    assert grid.is_open(one, closing - timedelta(seconds=1), zone)
