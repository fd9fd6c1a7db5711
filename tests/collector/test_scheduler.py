"""Runs: what starts them, what they store, what their ledger says."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from small_site import DEAD, METER, OLD, SITE, TERMINAL

from station.collector import grid
from station.collector import keeper as keeper_module
from station.collector import run as run_module
from station.collector import scheduler as scheduler_module
from station.errors import Conflict, NotFound
from station.simulator.metering import Metering
from station.store.objects.runs import Run
from station.store.objects.tasks import Progress, Task
from station.units import MINUTE, UTC, day_start, local_day, utc_now

ZONE = ZoneInfo("Asia/Shanghai")


def task(*items: str, **changes: object) -> Task:
    return Task("task-1", "Curve", items or ("power_total",), 15, **changes)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds, ticks and writes follow one another quickly."""
    monkeypatch.setattr(run_module, "ROUND_PAUSES_S", (0.0, 0.05, 0.1))
    monkeypatch.setattr(keeper_module, "GATHER_S", 0.01)
    monkeypatch.setattr(scheduler_module, "TICK_S", 0.02)


async def test_run_now_reads_every_target_and_keeps_its_ledger(collecting) -> None:
    await collecting.enter(SITE)
    await collecting.dial_in(SITE)
    await collecting.archive.add_task(task("voltage_a", "frequency"))
    started = await collecting.scheduler.run_task("task-1")
    run = await collecting.ended(started.id)
    # Two items of the 2007 meter, one of the 1997 meter, which has no frequency; two are silent.
    assert (run.state, run.due, run.done, run.success) == ("finished", 5, 5, 3)
    assert (run.first_round, run.rounds, dict(run.causes)) == (3, 3, {"no_answer": 2})
    assert {failure.meter for failure in run.failures} == {DEAD}
    stored = await collecting.database.readings.latest()
    assert set(stored) == {METER, OLD}
    states = [message["state"] for topic, message in collecting.announced if topic == "runs"]
    assert states[0] == "running"
    assert states[-1] == "finished"


async def test_holes_are_filled_from_the_meters_record_when_the_link_comes_up(collecting) -> None:
    await collecting.enter(SITE)
    await collecting.archive.add_task(task(backfill_days=1))
    await collecting.scheduler.start()
    await collecting.dial_in(SITE)
    day = local_day(utc_now(), ZONE) - timedelta(days=1)
    start = day_start(day, ZONE)
    end = start + timedelta(days=1)

    async def yesterday() -> list:
        return await collecting.database.readings.curve(METER, "power_total", start, end)

    readings: list = []
    for _ in range(400):
        readings = await yesterday()
        if len(readings) == 96:
            break
        await collecting.next_announcement()
    assert len(readings) == 96
    assert {reading.source for reading in readings} == {"gap"}
    meter = SITE.terminals[0].lines[0].meters[0]
    metering = Metering(meter, ZONE, seed=1)
    for reading in readings:
        local = reading.moment.astimezone(ZONE).replace(tzinfo=None)
        assert reading.value == metering.state(local).power[0]


async def test_a_link_that_is_down_is_a_cause(collecting) -> None:
    await collecting.enter(SITE)
    await collecting.archive.add_task(task(target_kind="meters", targets=(METER,)))
    started = await collecting.scheduler.run_task("task-1")
    run = await collecting.ended(started.id)
    assert (run.due, run.success, dict(run.causes)) == (1, 0, {"link_down": 1})
    assert TERMINAL in run.failures[0].text


async def test_a_run_is_cancelled_and_one_that_a_crash_left_is_interrupted(collecting) -> None:
    await collecting.enter(SITE)
    await collecting.dial_in(SITE)
    await collecting.archive.add_task(task())
    started = await collecting.scheduler.run_task("task-1")
    with pytest.raises(Conflict, match="task Curve is being run already"):
        await collecting.scheduler.run_task("task-1")
    await collecting.until(lambda: any(topic == "runs" for topic, _ in collecting.announced))
    collecting.scheduler.cancel(started.id)
    assert (await collecting.ended(started.id)).state == "cancelled"
    with pytest.raises(NotFound, match=f"there is no run {started.id} under way"):
        collecting.scheduler.cancel(started.id)

    left = Run("left", "task-1", "Curve", utc_now(), utc_now(), station="test")
    await collecting.database.runs.enter(left)
    await collecting.scheduler.start()
    assert (await collecting.database.runs.get("left")).state == "interrupted"


async def test_the_next_run_is_a_little_after_the_moment(collecting) -> None:
    await collecting.archive.add_task(task())
    made = await collecting.database.tasks.get("task-1")
    due = collecting.scheduler.next_run(made)
    assert due is not None
    assert due.astimezone(UTC).minute % 15 == 0
    assert due.second == 20
    paused = task(enabled=False)
    assert collecting.scheduler.next_run(paused) is None


async def test_completeness_counts_what_is_there(collecting) -> None:
    await collecting.enter(SITE)
    await collecting.dial_in(SITE)
    await collecting.archive.add_task(task(target_kind="meters", targets=(METER,), backfill_days=1))
    yesterday = local_day(utc_now(), ZONE) - timedelta(days=1)
    (before,) = await collecting.completeness.of_day(yesterday)
    assert (before.expected, before.stored) == (96, 0)
    await collecting.scheduler.start()
    for _ in range(400):
        (now,) = await collecting.completeness.of_day(yesterday)
        if now.stored == 96:
            break
        await collecting.next_announcement()
    assert (now.expected, now.stored, now.meters) == (96, 96, {METER: (96, 96)})


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> "Clock":
    """The scheduler's own clock, which a test sets."""
    clock = Clock()
    monkeypatch.setattr(scheduler_module, "utc_now", lambda: clock.now)
    return clock


class Clock:
    """What time the scheduler takes it to be; it goes on when a test says so."""

    def __init__(self) -> None:
        self.now = utc_now()

    def at(self, hour: int, minute: int = 0, second: int = 0) -> None:
        """Set it to a local time of today."""
        day = local_day(utc_now(), ZONE)
        self.now = day_start(day, ZONE) + timedelta(hours=hour, minutes=minute, seconds=second)


async def kinds(collecting: Any) -> Counter[str]:
    """Return how many runs of each kind the ledger holds."""
    runs, _ = await collecting.database.runs.list()
    return Counter(run.kind for run in runs)


async def ticks(collecting: Any, number: int = 3) -> None:
    """Return when the scheduler has looked at its tasks so often."""
    for _ in range(number):
        await collecting.scheduler._tick()
    await collecting.until(lambda: not collecting.scheduler.active_runs())
    await collecting.keeper.stop()


async def left_out(collecting: Any) -> tuple[tuple[datetime, datetime], ...]:
    return (await collecting.database.tasks.progress())["task-1"].skipped


@pytest.mark.parametrize(
    ("missed", "spans"),
    [
        ("all", []),
        ("once", [(timedelta(hours=-2) + MINUTE, timedelta())]),
        ("skip", [(timedelta(hours=-2) + MINUTE, MINUTE)]),
    ],
)
async def test_what_a_station_that_was_down_leaves_out(
    collecting: Any,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    missed: Any,
    spans: list[Any],
) -> None:
    clock.at(10, 7)
    await collecting.archive.add_task(task(missed=missed, backfill_days=1))
    moment = clock.now - 7 * MINUTE
    await collecting.database.tasks.keep_progress("task-1", Progress(moment - timedelta(hours=2)))
    monkeypatch.setattr(scheduler_module, "TICK_S", 1000)
    await collecting.scheduler.start()
    await ticks(collecting)
    expected = tuple((moment + first, moment + last) for first, last in spans)
    assert await left_out(collecting) == expected
    assert (await collecting.database.tasks.progress())["task-1"].handled == moment
    clock.now += 15 * MINUTE
    await ticks(collecting)
    progress = (await collecting.database.tasks.progress())["task-1"]
    assert (progress.handled, progress.skipped) == (moment + 15 * MINUTE, expected)


async def test_moments_during_a_pause_are_missed_ones(collecting: Any, clock: Clock) -> None:
    clock.at(10, 7)
    moment = clock.now - 7 * MINUTE
    await collecting.archive.add_task(task(missed="skip"))
    await ticks(collecting)
    await collecting.archive.save_task(task(missed="skip", enabled=False))
    clock.now += timedelta(hours=1)
    await ticks(collecting)
    assert collecting.scheduler.next_run(task(enabled=False)) is None
    await collecting.archive.save_task(task(missed="skip"))
    await ticks(collecting)
    hour_later = moment + timedelta(hours=1)
    assert await left_out(collecting) == ((moment + MINUTE, hour_later + MINUTE),)


async def test_ticks_by_cron_run_once_each(collecting: Any, clock: Clock) -> None:
    await collecting.enter(SITE)
    clock.at(9, 58)
    noon = task(cron="0 10,12 * * *", created_at=clock.now)
    await collecting.archive.add_task(noon)
    await ticks(collecting)
    assert (await kinds(collecting))["task"] == 0
    assert collecting.scheduler.next_run(noon) == clock.now + timedelta(minutes=2, seconds=20)
    clock.at(10, 0, 21)
    await ticks(collecting)
    assert (await kinds(collecting))["task"] == 1
    clock.at(11, 59)
    await ticks(collecting)
    assert (await kinds(collecting))["task"] == 1


async def test_outside_its_window_a_task_waits_for_the_opening(
    collecting: Any, clock: Clock
) -> None:
    await collecting.enter(SITE)
    await collecting.dial_in(SITE)
    clock.at(9, 58)
    night = task(window=(11 * 60, 12 * 60), created_at=clock.now, backfill_days=1)
    await collecting.archive.add_task(night)
    await ticks(collecting)
    clock.at(10, 1)
    await ticks(collecting)
    assert not await kinds(collecting)
    assert collecting.scheduler.next_run(night) == grid.next_opening(night, clock.now, ZONE)
    clock.at(11, 0, 1)
    await ticks(collecting)
    assert (await kinds(collecting))["task"] == 1


async def test_a_single_moment_is_read_once_and_the_task_pauses(
    collecting: Any, clock: Clock
) -> None:
    await collecting.enter(SITE)
    clock.at(9, 58)
    once = task(once_at=clock.now + 2 * MINUTE, created_at=clock.now)
    await collecting.archive.add_task(once)
    await ticks(collecting)
    assert not await kinds(collecting)
    clock.now += timedelta(minutes=3)
    await ticks(collecting)
    assert (await kinds(collecting))["task"] == 1
    assert not (await collecting.database.tasks.get("task-1")).enabled
    await ticks(collecting)
    assert (await kinds(collecting))["task"] == 1


async def test_a_click_fills_the_holes_of_a_meter(collecting: Any) -> None:
    await collecting.enter(SITE)
    await collecting.dial_in(SITE)
    for name, code in (("task-1", "power_total"), ("task-2", "voltage_a")):
        await collecting.archive.add_task(
            replace(task(code), id=name, backfill_days=2, cron="0 6,12 * * *")
        )
    yesterday = local_day(utc_now(), ZONE) - timedelta(days=1)
    run = await collecting.scheduler.fill([METER], yesterday, yesterday)
    assert (run.kind, run.due) == ("fill", 4)  # Two items at two moments.
    with pytest.raises(Conflict, match="being filled already"):
        await collecting.scheduler.fill([METER], yesterday, yesterday)
    assert await collecting.budget.finish_of(run) is not None
    ended = await collecting.ended(run.id)
    assert (ended.state, ended.due, ended.success) == ("finished", 4, 4)
    items = ["power_total", "voltage_a"]
    stored = await collecting.database.readings.stored_slots([METER], items, yesterday, yesterday)
    assert {key[1]: set(slots) for key, slots in stored.items()} == {
        "power_total": {360, 720},
        "voltage_a": {360, 720},
    }
    again = await collecting.scheduler.fill([METER], yesterday, yesterday, "task-1")
    assert (again.due, again.task_id) == (0, "task-1")
    assert (await collecting.ended(again.id)).state == "finished"


async def test_groups_of_meters_and_terminals(collecting: Any) -> None:
    await collecting.enter(SITE)
    await collecting.dial_in(SITE)
    meter = await collecting.database.meters.get(OLD)
    await collecting.archive.save_meter(replace(meter, groups=("North  side", "north")))
    grouped = task("voltage_a", target_kind="groups", targets=("North side",))
    await collecting.archive.add_task(grouped)
    run = await collecting.ended((await collecting.scheduler.run_task("task-1")).id)
    assert (run.due, run.success) == (1, 1)
    terminal = await collecting.database.terminals.get(TERMINAL)
    await collecting.archive.save_terminal(replace(terminal, groups=("North side",)))
    run = await collecting.ended((await collecting.scheduler.run_task("task-1")).id)
    assert run.due == 3
