"""Successes by day and meter: sums over days, days that are over, and meters that come later."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from station.collector.memory import DAYS_KEPT
from station.collector.successes import DayCount, Successes
from station.store.database import Database
from station.store.objects.meter_days import MeterDay, MeterDays
from station.units import local_day, utc_now

ZONE = ZoneInfo("Asia/Shanghai")
A, B, C = "000000000161", "000000000162", "000000000163"
TODAY = local_day(utc_now(), ZONE)
LONG_AGO = TODAY - timedelta(days=DAYS_KEPT + 5)


async def enter(database: Database, *rows: MeterDay) -> None:
    await database.meter_days.save_many("start", rows)


async def test_days_and_meters_are_added_up(database: Database) -> None:
    before = LONG_AGO - timedelta(days=1)
    await enter(database, MeterDay(A, before, 4, 3), MeterDay(B, before, 4, 4))
    await enter(database, MeterDay(A, LONG_AGO, 6, 6), MeterDay(C, LONG_AGO, 2, 0))
    await database.meter_days.save_many("later start", [MeterDay(A, LONG_AGO, 1, 1)])
    successes = Successes(database.meter_days, ZONE)
    span = await successes.span(before, LONG_AGO + timedelta(days=1))
    assert span.meters == {A: (11, 10), B: (4, 4), C: (2, 0)}
    assert [*span.days] == [
        DayCount(before, 2, 8, 7),
        DayCount(LONG_AGO, 2, 9, 7),
        DayCount(LONG_AGO + timedelta(days=1), 0, 0, 0),
    ]
    assert (span.asked, span.answered) == (17, 14)
    some = await successes.span(before, LONG_AGO, {A, "unknown"})
    assert some.meters == {A: (11, 10)}
    assert [(each.meters, each.asked) for each in some.days] == [(1, 4), (1, 7)]
    assert (await successes.span(before, before)).meters == {A: (4, 3), B: (4, 4)}


async def test_a_day_that_is_over_is_read_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[date] = []

    async def counts(self: MeterDays, day: date) -> list[tuple[str, int, int]]:
        read.append(day)
        return [(A, 1, 1)]

    monkeypatch.setattr(MeterDays, "counts", counts)
    successes = Successes(database.meter_days, ZONE)
    for _ in range(3):
        await successes.span(LONG_AGO, LONG_AGO)
    assert read == [LONG_AGO]


async def test_today_grows_and_tomorrow_is_empty(database: Database) -> None:
    await enter(database, MeterDay(A, TODAY, 1, 1))
    successes = Successes(database.meter_days, ZONE)
    assert (await successes.span(TODAY, TODAY + timedelta(days=1))).meters == {A: (1, 1)}
    await enter(database, MeterDay(A, TODAY, 2, 1), MeterDay(B, TODAY, 5, 5))
    assert (await successes.span(TODAY, TODAY)).meters == {A: (2, 1), B: (5, 5)}
