"""The plan: expected minus stored, and only what can still be had."""

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from station.collector import grid, plan
from station.collector.items import ITEM_BY_CODE, ITEMS
from station.collector.plan import Way
from station.store.objects.meters import Meter
from station.store.objects.stages import STAGES
from station.store.objects.tasks import Task
from station.store.objects.terminals import Terminal
from station.units import day_start

ZONE = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2026, 11, 22)
MIDNIGHT = day_start(DAY, ZONE)
LONG_AGO = datetime(2026, 1, 1, tzinfo=timezone.utc)


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    return MIDNIGHT + timedelta(hours=hour, minutes=minute, seconds=second)


def meter(**changes: object) -> Meter:
    recording = Meter("000000000161", "", link="02001234", profile_interval_min=15,
                      created_at=LONG_AGO)  # fmt: skip
    return replace(recording, **changes)


def task(*items: str, period_min: int = 15, backfill_days: int = 1, **changes: object) -> Task:
    made = Task("t", "t", items or ("power_total",), period_min, backfill_days=backfill_days,
                created_at=LONG_AGO, updated_at=LONG_AGO)  # fmt: skip
    return replace(made, **changes)


def ways(one: Meter, code: str, moment: datetime, now: datetime, period_min: int = 15):
    return plan.ways(
        one, ITEM_BY_CODE[code], moment,
        period=timedelta(minutes=period_min), now=now, zone=ZONE,
    )  # fmt: skip


def missing(one: Meter, job: Task, now: datetime, stored=None):
    days = [DAY - timedelta(days=back) for back in range(job.backfill_days, -1, -1)]
    return plan.missing(
        job, one, days, stored or {}, until=grid.current_moment(job, now, ZONE), now=now, zone=ZONE
    )


def test_what_the_meter_recorded_comes_first() -> None:
    assert ways(meter(), "power_total", at(10), at(10, 5)) == (Way.PROFILE, Way.LIVE)


def test_a_record_is_looked_for_once_it_can_be_there() -> None:
    assert ways(meter(), "power_total", at(10), at(10, 0, 19)) == (Way.LIVE,)
    assert ways(meter(), "power_total", at(10), at(10, 0, 20)) == (Way.PROFILE, Way.LIVE)


def test_a_task_finer_than_the_record_reads_live_first() -> None:
    found = ways(meter(), "power_total", at(10), at(10, 0, 30), period_min=1)
    assert found == (Way.LIVE, Way.PROFILE)


def test_a_live_value_is_good_for_its_period_only() -> None:
    plain = meter(profile_interval_min=0)
    assert ways(plain, "power_total", at(10), at(10, 14, 59)) == (Way.LIVE,)
    assert ways(plain, "power_total", at(10), at(10, 15)) == ()
    assert ways(plain, "power_total", at(10), at(10, 20), period_min=60) == ()


def test_a_past_value_comes_from_the_record_alone() -> None:
    assert ways(meter(), "power_total", at(3), at(10)) == (Way.PROFILE,)
    assert ways(meter(), "power_total", at(3, 5), at(10), period_min=5) == ()  # Not a record time.
    assert ways(meter(), "remaining_amount", at(3), at(10)) == ()  # Not in the record.


def test_midnight_energy_comes_from_the_daily_freeze() -> None:
    found = ways(meter(), "energy_import_t1", at(0), at(10), period_min=1440)
    assert found == (Way.FREEZE,)
    kept = MIDNIGHT - timedelta(days=61)
    gone = MIDNIGHT - timedelta(days=62)
    assert ways(meter(), "energy_import_t1", kept, at(10), period_min=1440) == (Way.FREEZE,)
    assert ways(meter(), "energy_import_t1", gone, at(10), period_min=1440) == ()


def test_a_1997_meter_has_no_record_and_fewer_items() -> None:
    old = meter(protocol="dlt645-1997")
    assert ways(old, "power_total", at(10), at(10, 5)) == (Way.LIVE,)
    assert ways(old, "power_total", at(9), at(10)) == ()
    assert ways(old, "frequency", at(10), at(10, 5)) == ()
    assert ways(old, "clock", at(10), at(10, 5)) == (Way.LIVE,)


def test_missing_is_expected_minus_stored_oldest_first() -> None:
    now = at(1, 0, 30)
    wants = missing(meter(), task(), now)
    assert len(wants) == 96 + 5
    assert wants[0].moment == MIDNIGHT - timedelta(days=1)
    assert wants[-1].moment == at(1)
    yesterday, today = (("000000000161", "power_total", DAY - timedelta(days=n)) for n in (1, 0))
    stored = {yesterday: frozenset(range(0, 1440, 15)), today: frozenset({0, 30, 31})}
    left = missing(meter(), task(), now, stored)
    assert [want.moment for want in left] == [at(0, 15), at(0, 45), at(1)]


def test_nothing_is_missing_when_all_is_stored() -> None:
    stored = {("000000000161", "power_total", DAY): frozenset(range(1440))}
    assert missing(meter(), task(backfill_days=0), at(23, 59), stored) == []


def test_live_points_are_expected_only_since_task_and_meter_are_here() -> None:
    plain = meter(profile_interval_min=0, created_at=at(9, 7))
    slots = plan.expected_slots(task(), plain, ITEM_BY_CODE["power_total"], DAY, until=at(10),
                                zone=ZONE)  # fmt: skip
    assert slots == (9 * 60, 9 * 60 + 15, 9 * 60 + 30, 9 * 60 + 45, 600)
    recorded = plan.expected_slots(task(), meter(created_at=at(9, 7)), ITEM_BY_CODE["power_total"],
                                   DAY, until=at(10), zone=ZONE)  # fmt: skip
    assert len(recorded) == 41


def test_without_gap_filling_nothing_before_the_task_is_expected() -> None:
    young = task(backfill_days=0, created_at=at(9, 7))
    slots = plan.expected_slots(young, meter(), ITEM_BY_CODE["power_total"], DAY, until=at(10),
                                zone=ZONE)  # fmt: skip
    assert slots[0] == 9 * 60


@pytest.mark.parametrize(("day", "slots"), [(date(2026, 3, 29), 92), (date(2026, 10, 25), 100)])
def test_days_with_a_clock_change_have_their_own_number_of_points(day: date, slots: int) -> None:
    end = day_start(day + timedelta(days=1), BERLIN) - timedelta(minutes=1)
    found = plan.expected_slots(task(), meter(), ITEM_BY_CODE["power_total"], day, until=end,
                                zone=BERLIN)  # fmt: skip
    assert len(found) == slots


def test_moments_of_the_grid() -> None:
    assert grid.current_moment(task(), at(10, 14, 59), ZONE) == at(10)
    assert grid.next_moment(task(), at(10, 15), ZONE) == at(10, 30)
    assert grid.next_moment(task(period_min=1440), at(10), ZONE) == MIDNIGHT + timedelta(days=1)


def test_every_item_has_its_own_identifiers() -> None:
    for edition in ("id_2007", "id_1997"):
        ids = [getattr(item, edition) for item in ITEMS if getattr(item, edition) is not None]
        assert len(ids) == len(set(ids))


def test_targets_of_a_task() -> None:
    here, there = meter(), meter(address="000000000162", link="other")
    assert plan.targets_of(task(), [here, there]) == [here, there]
    by_link = task(target_kind="links", targets=("other",))
    assert plan.targets_of(by_link, [here, there]) == [there]
    by_meter = task(target_kind="meters", targets=("000000000161",))
    assert plan.targets_of(by_meter, [here, there]) == [here]


@pytest.mark.parametrize("stage", STAGES)
def test_tasks_read_what_is_active(stage: str) -> None:
    read = [meter()] if stage == "active" else []
    terminals = {"02001234": Terminal("02001234", "")}
    staged = {"02001234": replace(terminals["02001234"], stage=stage)}
    for wanted in (task(), task(target_kind="meters", targets=("000000000161",))):
        assert plan.targets_of(wanted, [meter()], staged) == read
        of_stage = [meter(stage=stage)]
        assert plan.targets_of(wanted, of_stage, terminals) == (of_stage if read else [])
