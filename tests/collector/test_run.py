"""What a run does with its buses: dead meters, broken databases, windows, cancelling, causes."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from small_site import DEAD, METER, OLD, SITE, TERMINAL

from station.collector import keeper as keeper_module
from station.collector import run as run_module
from station.collector.items import ITEM_BY_CODE
from station.collector.memory import DEAD_AFTER
from station.collector.outcome import Cause
from station.collector.plan import Want, Way
from station.collector.rounds import MeterWork
from station.errors import DatabaseDown
from station.frontend.link import Priority
from station.store.objects.base import new_id
from station.store.objects.runs import Run
from station.units import local_day, utc_now

ZONE = ZoneInfo("Asia/Shanghai")
MOMENT = utc_now().replace(second=0, microsecond=0)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds and repeated writes follow one another quickly."""
    monkeypatch.setattr(run_module, "ROUND_PAUSES_S", (0.0, 0.05, 0.1))
    monkeypatch.setattr(keeper_module, "SAVE_PAUSES_S", (0.02,))
    monkeypatch.setattr(keeper_module, "GATHER_S", 0.01)


async def work_of(collecting: Any, *codes: str) -> list[MeterWork]:
    """Return these items of the meters of the site, to be read live."""
    wants = tuple(Want(ITEM_BY_CODE[code], MOMENT, (Way.LIVE,)) for code in codes)
    return [MeterWork(meter, wants) for meter in await collecting.database.meters.many()]


async def execute(collecting: Any, work: list[MeterWork], **more: Any) -> Run:
    run = Run(new_id(), "t", "t", MOMENT, utc_now(), station="test")
    given = {"priority": Priority.TASK, "source": "task", **more}
    return await collecting.runner.execute(run, work, **given)


def asked(collecting: Any) -> Counter[str]:
    """Return how many questions each meter was asked."""
    records = collecting.trace.recent(TERMINAL)
    return Counter(record.meter for record in records if record.direction == "out" and record.meter)


async def at_the_site(collecting: Any) -> None:
    await collecting.enter(SITE)
    await collecting.dial_in(SITE)


async def test_a_dead_meter_gets_one_question_per_run(collecting: Any) -> None:
    await at_the_site(collecting)
    work = [one for one in await work_of(collecting, "voltage_a") if one.meter.address == DEAD]
    for number in range(1, DEAD_AFTER + 1):
        run = await execute(collecting, work)
        assert (run.rounds, dict(run.causes)) == (3, {"no_answer": 1})
        assert collecting.memory.health(DEAD).failures == number
    before = asked(collecting)[DEAD]
    assert before == 3 * DEAD_AFTER
    run = await execute(collecting, work)
    assert (run.rounds, run.done, run.success) == (1, 1, 0)
    assert asked(collecting)[DEAD] == before + 1


async def test_a_dead_meter_is_asked_after_the_living_ones(collecting: Any) -> None:
    await at_the_site(collecting)
    for _ in range(DEAD_AFTER):
        collecting.memory.note_round(METER, False, Cause.NO_ANSWER)
    await execute(collecting, await work_of(collecting, "voltage_a"))
    records = [each for each in collecting.trace.recent(TERMINAL) if each.direction == "out"]
    meters = [each.meter for each in sorted(records, key=lambda each: each.at) if each.meter]
    assert meters[0] == OLD
    assert not collecting.memory.is_dead(METER)  # It answered, so it is alive again.


async def test_a_database_that_is_down_loses_nothing(
    collecting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await at_the_site(collecting)
    real, failed = collecting.database.readings.save, []

    async def save(readings: Any) -> int:
        if len(failed) < 3:
            failed.append(len(readings))
            raise DatabaseDown("the database does not answer")
        return await real(readings)

    monkeypatch.setattr(collecting.database.readings, "save", save)
    work = [one for one in await work_of(collecting, "voltage_a") if one.meter.address != DEAD]
    run = await execute(collecting, work)
    assert len(failed) == 3
    assert (run.state, run.success) == ("finished", 2)
    assert set(await collecting.database.readings.latest()) == {METER, OLD}


async def test_why_points_are_missing_is_kept(collecting: Any) -> None:
    await at_the_site(collecting)
    await execute(collecting, await work_of(collecting, "voltage_a", "frequency"))
    day = local_day(MOMENT, ZONE)
    await collecting.keeper.stop()
    causes = await collecting.database.coverage.causes(
        [METER, DEAD], ["voltage_a", "frequency"], day, day
    )
    assert {(meter, item): hole.cause for (meter, item, _), hole in causes.items()} == {
        (DEAD, "voltage_a"): "no_answer",
        (DEAD, "frequency"): "no_answer",
    }
    await collecting.memory.write()
    counts = await collecting.database.meter_days.counts(local_day(utc_now(), ZONE))
    assert {(METER, 2, 2), (DEAD, 2, 0)} <= {*counts}


async def test_a_window_that_closes_ends_the_run(collecting: Any) -> None:
    await at_the_site(collecting)
    work = await work_of(collecting, "voltage_a")
    run = await execute(collecting, work, until=utc_now() - timedelta(seconds=1))
    assert (run.state, run.due, run.done, run.success) == ("finished", 3, 3, 0)
    assert dict(run.causes) == {"window_over": 3}
    assert not asked(collecting)


async def test_a_run_can_be_cut_and_says_what_is_left(collecting: Any) -> None:
    await at_the_site(collecting)
    work = [one for one in await work_of(collecting, "voltage_a") if one.meter.address == DEAD]
    run = Run(new_id(), "t", "t", MOMENT, utc_now(), station="test")
    task = asyncio.ensure_future(
        collecting.runner.execute(run, work, priority=Priority.TASK, source="task")
    )
    await collecting.until(lambda: asked(collecting)[DEAD])
    assert [one.meter.address for one in collecting.runner.left(run.id)] == [DEAD]
    finish = await collecting.budget.finish_of(run)
    assert finish is not None
    assert timedelta() < finish - utc_now() < timedelta(minutes=1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert collecting.runner.left(run.id) is None
    await collecting.keeper.stop()
    assert (await collecting.database.runs.get(run.id)).state == "cancelled"
    assert not collecting.memory.health(DEAD).failures  # Nobody knows what it would have done.
