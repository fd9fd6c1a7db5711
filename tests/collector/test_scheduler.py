"""Runs: what starts them, what they store, what their ledger says."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from small_site import DEAD, METER, OLD, SITE, TERMINAL

from station.collector import run as run_module
from station.errors import Conflict, NotFound
from station.simulator.metering import Metering
from station.store.objects.runs import Run
from station.store.objects.tasks import Task
from station.units import UTC, day_start, local_day, utc_now

ZONE = ZoneInfo("Asia/Shanghai")


def task(*items: str, **changes: object) -> Task:
    return Task("task-1", "Curve", items or ("power_total",), 15, **changes)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds follow one another quickly."""
    monkeypatch.setattr(run_module, "ROUND_PAUSES_S", (0.0, 0.05, 0.1))


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
