"""The bus budget: what tasks take of each bus, from learned times or from the line's speed."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from station.collector.budget import REPEATED_SHARE, line_s
from station.collector.memory import DEAD_AFTER
from station.collector.outcome import Cause
from station.store.objects.meters import Meter
from station.store.objects.tasks import Task
from station.store.objects.terminals import Terminal

FAST, SLOW = "99000001", "99000002"
TASK = Task("t", "Volts", ("voltage_a",), 15)


async def enter(collecting: Any, **terminal: Any) -> None:
    """Ten meters on a fast line, and two on two ports of another terminal."""
    await collecting.archive.add_terminal(Terminal(FAST, ""))
    await collecting.archive.add_terminal(Terminal(SLOW, "", **terminal))
    for number in range(10):
        meter = Meter(f"{number:012d}", "", link=FAST, line="9600 8E1")
        await collecting.archive.add_meter(meter)
    for port in (2, 3):
        meter = Meter(f"{port:012d}1"[1:], "", link=SLOW, port=port, line="1200 8E1")
        await collecting.archive.add_meter(meter)


async def test_a_cycle_is_exchanges_times_what_the_line_needs(collecting: Any) -> None:
    await enter(collecting)
    shares = {share.bus: share for share in await collecting.budget.of_task(TASK)}
    assert set(shares) == {FAST, SLOW}
    assert (shares[FAST].exchanges, shares[FAST].meters) == (10, 10)
    assert shares[FAST].seconds == pytest.approx(10 * line_s("9600 8E1") * (1 + REPEATED_SHARE))
    assert shares[SLOW].seconds == pytest.approx(2 * line_s("1200 8E1") * (1 + REPEATED_SHARE))
    assert line_s("1200 8E1") > line_s("9600 8E1")
    assert shares[FAST].available_s == 900
    assert shares[FAST].fits


async def test_learned_times_count_more_and_dead_meters_cost_a_time_out(collecting: Any) -> None:
    await enter(collecting)
    memory = collecting.memory
    for meter in await collecting.database.meters.on_link(FAST):
        memory.meet(meter, FAST)
        memory.note_wait(meter.address, 100.0)
    shares = {share.bus: share for share in await collecting.budget.of_task(TASK)}
    assert shares[FAST].seconds == pytest.approx(1000 * (1 + REPEATED_SHARE))
    assert not shares[FAST].fits
    narrow = replace(TASK, window=(0, 1))
    assert {share.available_s for share in await collecting.budget.of_task(narrow)} == {60}
    for _ in range(DEAD_AFTER):
        memory.note_round("000000000000", False, Cause.NO_ANSWER)
    with_dead = {share.bus: share for share in await collecting.budget.of_task(TASK)}
    expected = 900 * (1 + REPEATED_SHARE) + memory.answer_timeout_s("000000000000")
    assert with_dead[FAST].seconds == pytest.approx(expected)


async def test_who_eats_which_bus(collecting: Any) -> None:
    await enter(collecting, parallel_ports=True)
    hourly = replace(TASK, id="h", name="Hourly", period_min=60)
    for task in (TASK, hourly, replace(TASK, id="p", name="Paused", enabled=False)):
        await collecting.archive.add_task(task)
    loads = await collecting.budget.of_buses()
    assert [(load.bus, load.link, load.port) for load in loads] == [
        (FAST, FAST, None),
        (f"{SLOW}:2", SLOW, 2),
        (f"{SLOW}:3", SLOW, 3),
    ]
    fast = loads[0]
    assert [name for _, name, _ in fast.tasks] == ["Volts", "Hourly"]
    assert fast.tasks[0][2] == pytest.approx(4 * fast.tasks[1][2])
    assert fast.share == pytest.approx(sum(row[2] for row in fast.tasks) / 86_400)
    assert len(fast.slowest) == 5


async def test_a_run_that_is_not_under_way_has_no_finish(collecting: Any) -> None:
    await enter(collecting)
    await collecting.archive.add_task(TASK)
    run = await collecting.scheduler.run_task("t")
    ended = await collecting.ended(run.id)
    assert await collecting.budget.finish_of(ended) is None
    assert ended.ended_at - ended.started_at < timedelta(seconds=30)
