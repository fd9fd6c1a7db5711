"""Tasks and the ledger of their runs."""

from dataclasses import replace
from datetime import timedelta

import pytest

from station.errors import Conflict, NotFound
from station.store.database import Database
from station.store.objects.base import new_id
from station.store.objects.runs import FAILURES_MAX, Failure, Run
from station.store.objects.tasks import Task
from station.units import utc_now

NOW = utc_now()
HOUR = timedelta(hours=1)
TASK = Task(
    new_id(),
    "Quarter hours",
    ("energy_import_total", "voltage_a"),
    15,
    target_kind="links",
    targets=("02001234", "workshop"),
    backfill_days=3,
    enabled=False,
)
FAILURE = Failure("000000000161", "voltage_a", "timeout", "no answer in 5.0 s")


def run(hours: int = 0, **changed: object) -> Run:
    values = {"station": "station-1", "moment": NOW + hours * HOUR, "started_at": NOW, **changed}
    return Run(id=new_id(), task_id=TASK.id, task_name=TASK.name, **values)


def test_ids_are_new_and_in_order() -> None:
    ids = [new_id() for _ in range(1000)]
    assert ids == sorted(set(ids))


async def test_tasks(database: Database) -> None:
    tasks = database.tasks
    await tasks.add(TASK)
    assert await tasks.get(TASK.id) == TASK
    with pytest.raises(Conflict):
        await tasks.add(TASK)
    other = replace(TASK, id=new_id(), name="Daily", targets=(), target_kind="all")
    await tasks.add(other)
    assert await tasks.list() == ([TASK, other], 2)
    assert await tasks.list(text="QUARTER") == ([TASK], 1)
    assert await tasks.list(skip=1, limit=1) == ([other], 2)
    changed = replace(TASK, enabled=True, items=())
    await tasks.save(changed)
    assert await tasks.find(TASK.id) == changed
    await tasks.remove(TASK.id)
    with pytest.raises(NotFound, match="there is no task"):
        await tasks.get(TASK.id)


async def test_a_run_from_start_to_end(database: Database) -> None:
    begun = run()
    await database.runs.enter(begun)
    assert await database.runs.get(begun.id) == begun
    await database.runs.enter(begun)
    assert await database.runs.list() == ([begun], 1)
    ended = replace(
        begun,
        kind="gap",
        ended_at=NOW + HOUR,
        state="finished",
        due=100,
        done=100,
        success=99,
        first_round=90,
        rounds=3,
        causes={"timeout": 1, "a.b": 2},
        failures=(FAILURE,),
    )
    await database.runs.enter(ended)
    assert await database.runs.get(begun.id) == ended
    await database.runs.enter(replace(begun, done=50))  # It comes late.
    assert await database.runs.get(begun.id) == ended


async def test_a_run_that_ends_before_it_was_entered(database: Database) -> None:
    ended = run(state="cancelled", ended_at=NOW + HOUR)
    await database.runs.enter(ended)
    await database.runs.enter(run())
    assert await database.runs.get(ended.id) == ended


async def test_failures_are_bounded(database: Database) -> None:
    begun = run(failures=(FAILURE,) * (FAILURES_MAX + 1))
    await database.runs.enter(begun)
    assert (await database.runs.get(begun.id)).failures == (FAILURE,) * FAILURES_MAX


async def test_runs_that_a_dead_station_left(database: Database) -> None:
    left, elsewhere = run(), run(station="station-2")
    finished = run(state="finished", ended_at=NOW)
    for each in (left, elsewhere, finished):
        await database.runs.enter(each)
    assert await database.runs.interrupt_running("station-1", NOW + HOUR) == 1
    assert await database.runs.get(left.id) == replace(
        left, state="interrupted", ended_at=NOW + HOUR
    )
    assert await database.runs.get(elsewhere.id) == elsewhere
    assert await database.runs.get(finished.id) == finished


async def test_last_run_comes_first(database: Database) -> None:
    runs = [run(started_at=NOW + n * HOUR) for n in range(3)]
    other = replace(run(started_at=NOW + 9 * HOUR), task_id="other")
    for each in (runs[1], runs[0], other, runs[2]):
        await database.runs.enter(each)
    assert await database.runs.list() == ([other, *runs[::-1]], 4)
    assert await database.runs.list(task_id=TASK.id, skip=1, limit=1) == ([runs[1]], 3)
