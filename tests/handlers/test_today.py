"""Who is silent today, and who only waits for a run that is under way."""

from datetime import date, timedelta
from typing import Any

from web_helpers import CONFIG, Office, open_office, words_of

from station.collector.completeness import TaskCompleteness
from station.handlers.today import asked_in_vain
from station.store.database import Database
from station.store.objects.meters import Meter
from station.store.objects.runs import Failure, Run, RunState
from station.store.objects.tasks import Task
from station.store.objects.terminals import Terminal
from station.units import day_start, local_day, utc_now

NOW = utc_now()
TODAY = day_start(local_day(NOW, CONFIG.site.zone_info), CONFIG.site.zone_info)
DEAD, NEW, READ, FAR = (f"00000000016{number}" for number in range(1, 5))


class Counted:
    """Completeness in which only one meter has been read."""

    async def of_day(self, _: date) -> list[TaskCompleteness]:
        meters = {DEAD: (4, 0), NEW: (4, 0), READ: (4, 4), FAR: (4, 0)}
        return [TaskCompleteness(Task("1", "Curve", ("power_total",), 15), 16, 4, meters)]


class UnderWay:
    """Scheduler with runs of these tasks under way."""

    def __init__(self, *tasks: str) -> None:
        self._runs = [run(task=task, kind="gap") for task in tasks]

    def active_runs(self) -> list[Run]:
        return self._runs


def run(number: str = "1", task: str = "1", state: RunState = "running", **more: Any) -> Run:
    return Run(number, task, "Curve", NOW, NOW, station="test", state=state, **more)


def failed(meter: str, cause: str = "no_answer") -> Failure:
    return Failure(meter, "power_total", cause, "")


def test_a_meter_was_asked_in_vain_when_it_did_not_answer_today() -> None:
    runs = [
        run("1", state="finished", ended_at=TODAY, failures=(failed("1"), failed("2", "refused"))),
        run("2", state="finished", ended_at=TODAY, failures=(failed("3", "link_down"),)),
        run("3", state="finished", ended_at=TODAY - timedelta(seconds=1), failures=(failed("4"),)),
        run("4"),
    ]
    assert asked_in_vain(runs, TODAY) == {"1", "2"}


async def test_who_waits_for_a_run_under_way_is_not_silent(
    database: Database, site: Office
) -> None:
    await site.parts.archive.add_terminal(Terminal("02009999", "Far", created_at=NOW))
    await site.parts.archive.add_meter(Meter(FAR, "Far", link="02009999", created_at=NOW))
    for tasks, waiting, silent in (
        (("1",), [DEAD, NEW], [FAR]),  # No run gets through to a link that is down.
        (("another",), [], [DEAD, NEW, FAR]),
        ((), [], [DEAD, NEW, FAR]),
    ):
        view, page = await overview(database, site, *tasks)
        assert (view["waiting"], view["silent"]) == (waiting, silent)
        assert ("meters wait for their first reading today" in page) == bool(waiting)
    ended = run("1", state="finished", ended_at=NOW, failures=(failed(DEAD),))
    await database.runs.enter(ended)
    view, page = await overview(database, site, "1")
    assert (view["waiting"], view["silent"]) == ([NEW], [DEAD, FAR])
    assert f"1 meter waits for its first reading today {NEW}" in page
    assert f"2 meters are silent today {DEAD}, {FAR}" in page


async def overview(database: Database, site: Office, *tasks: str) -> tuple[Any, str]:
    """Return the overview as JSON and in words while runs of these tasks are under way."""
    parts = {"completeness": Counted(), "scheduler": UnderWay(*tasks)}
    async with open_office(database, registry=site.parts.registry, **parts) as office:
        ann = await office.somebody("reader")
        _status, view = await ann.json("GET", "/api/overview")
        return view, words_of(await ann.get("/"))
