"""Runs: what happened when a task was executed, while it happens and afterwards."""

from collections import Counter
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, Field

from station.collector.items import ITEM_BY_CODE
from station.collector.outcome import CAUSE_NAMES, Cause
from station.errors import Conflict, NotFound
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.base import Handler, ListQuery, TableQuery
from station.handlers.contract import contract
from station.handlers.download import Column
from station.handlers.marking import N_
from station.handlers.tables import sorted_rows
from station.store.objects.runs import Failure, Run
from station.units import local_day
from station.words import Text

KIND_NAMES = {
    "task": Text("periodic", "周期采集"),
    "gap": Text("gap filling", "补采"),
    "manual": Text("by hand", "手动"),
    "fill": Text("holes filled by hand", "手动补采"),
}


FILL_NAME = N_("Filling of holes")  # Of several tasks.


class RunsQuery(ListQuery):
    """Which runs to show."""

    task: str | None = Field(None, max_length=64)


class FailureView(BaseModel):
    """One item of one meter that was not read, and why."""

    meter: str
    item: str
    cause: str
    text: str


class RunView(BaseModel):
    """A run; counts are of points, `causes` say why points are missing.

    `finish_at` is when a run under way will have finished, by what its buses still have to carry.
    Counts are of the whole site: somebody who works in areas gets none, and the own failures only.
    """

    id: str
    task: str
    task_name: str
    kind: str
    moment: datetime
    started_at: datetime
    ended_at: datetime | None
    state: Literal["running", "finished", "interrupted", "cancelled"]
    due: int | None
    done: int | None
    success: int | None
    first_round: int | None
    rounds: int
    causes: dict[str, int]
    finish_at: datetime | None = None
    failures: list[FailureView] = []


class RunList(BaseModel):
    items: list[RunView]
    total: int


COLUMNS = (
    Column[RunView](N_("Started"), lambda run: run.started_at, sort="-started"),
    Column[RunView](
        N_("Task"),
        lambda run: run.task_name,
    ),
    Column[RunView](N_("Kind"), lambda run: KIND_NAMES.get(run.kind, run.kind), within="task"),
    Column[RunView](N_("Moment"), lambda run: run.moment, more=True),
    Column[RunView](N_("Ended"), lambda run: run.ended_at, more=True),
    Column[RunView](N_("State"), lambda run: run.state),
    Column[RunView](N_("Due"), lambda run: run.due, look="number only-wide"),
    Column[RunView](N_("Done"), lambda run: run.done, look="number only-wide"),
    Column[RunView](N_("Success"), lambda run: run.success, unit="%", look="number bar-cell"),
    Column[RunView](
        N_("In the first round"),
        lambda run: run.first_round,
        key="first_round",
        head=N_("First round"),
        unit="%",
        look="number only-wide",
    ),
    Column[RunView](N_("Rounds"), lambda run: run.rounds, look="number only-wide"),
    Column[RunView](N_("Causes"), lambda run: _causes_of(run), look="small only-wide"),
)
FAILURE_COLUMNS = (
    Column[FailureView](N_("Meter"), lambda failure: failure.meter, sort="meter"),
    Column[FailureView](N_("Item"), lambda failure: item_name(failure.item), sort="item"),
    Column[FailureView](
        N_("Cause"), lambda failure: cause_name(failure.cause), sort="cause", look="nowrap"
    ),
    Column[FailureView](N_("In words"), lambda failure: failure.text, look="small soft"),
)


def cause_name(cause: str) -> Text:
    """Return a cause in words; an old one that is not known any more names itself."""
    try:
        return CAUSE_NAMES[Cause(cause)]
    except ValueError:
        return Text(cause, cause)


def item_name(code: str) -> Text:
    """Return an item's name; one that is no longer in the catalogue names itself."""
    item = ITEM_BY_CODE.get(code)
    return Text(code, code) if item is None else item.name


def _causes_of(run: RunView) -> Text:
    named = [(cause_name(cause), number) for cause, number in run.causes.items()]
    return Text(
        "; ".join(f"{name.en} {number}" for name, number in named),
        "；".join(f"{name.zh} {number}" for name, number in named),
    )


def run_view(run: Run, *, failures: bool = False) -> RunView:
    """Return a run as pages and JSON show it."""
    return RunView(
        id=run.id,
        task=run.task_id,
        task_name=run.task_name,
        kind=run.kind,
        moment=run.moment,
        started_at=run.started_at,
        ended_at=run.ended_at,
        state=run.state,
        due=run.due,
        done=run.done,
        success=run.success,
        first_round=run.first_round,
        rounds=run.rounds,
        causes=dict(run.causes),
        failures=[_failure_view(failure) for failure in run.failures] if failures else [],
    )


def run_in_sight(view: RunView, meters: Collection[str] | None) -> RunView:
    """Return of a run what somebody who deals with these meters may see; None for all."""
    if meters is None:
        return view
    own = [failure for failure in view.failures if failure.meter in meters]
    hidden = dict.fromkeys(("due", "done", "success", "first_round", "finish_at"))
    causes = Counter(failure.cause for failure in own)
    return view.model_copy(update={**hidden, "causes": dict(causes), "failures": own})


class RunsHandler(Handler):
    """/runs, /api/runs"""

    @requires(Permission.VIEW)
    @contract(RunList, query=RunsQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(RunsQuery)
        skip, limit = self.span(query)
        seen, meters = await self.tasks_in_sight(), await self.meters_in_sight()
        if seen is not None and query.task is not None and query.task not in seen.tasks:
            raise NotFound(f"there is no task {query.task}")
        runs, total = await self.parts.database.runs.list(
            query.task,
            skip=skip,
            limit=limit,
            sort=query.sort,
            tasks=None if seen is None else seen.tasks,
        )
        items = [run_in_sight(run_view(run), meters) for run in runs]
        tasks = [] if self.wants_json else await self.offered_tasks()
        view = RunList(items=items, total=total)
        await self.show_list("runs.html", view, items, COLUMNS, filter=query, tasks=tasks)


class RunHandler(Handler):
    """What the handlers of one run share."""

    async def find_run(self, run_id: str) -> Run:
        """Return a run, also one that has just begun and is not in the ledger.

        Raises NotFound, also for one that reads nothing of the person's.
        """
        run = await self.parts.database.runs.find(run_id)
        begun = {active.id: active for active in self.parts.scheduler.active_runs()}
        run = run or begun.get(run_id) or await self.parts.database.runs.get(run_id)
        seen = await self.tasks_in_sight()
        if seen is not None and run.task_id and run.task_id not in seen.tasks:
            raise NotFound(f"there is no run {run_id}")
        return run

    def said_of(self, fill: Run) -> str | None:
        """Return what to say of a run that fills holes, if there is nothing to fill."""
        if fill.due:
            return None
        return self.language.say("There is no hole that can still be filled.")


class OneRunHandler(RunHandler):
    """/runs/ID, /api/runs/ID"""

    @requires(Permission.VIEW)
    @contract(RunView, query=TableQuery, table=FAILURE_COLUMNS)
    async def get(self, run_id: str) -> None:
        query = self.parse_query(TableQuery)
        run = await self.find_run(run_id)
        view = run_view(run, failures=True)
        if run.state == "running":
            view.finish_at = await self.parts.budget.finish_of(run)
        view = run_in_sight(view, await self.meters_in_sight())
        view.failures = [*sorted_rows(view.failures, FAILURE_COLUMNS, query.sort, self.language)]
        await self.show_list("run.html", view, view.failures, FAILURE_COLUMNS, filter=query)


class RefillRunHandler(RunHandler):
    """/runs/ID/refill, /api/runs/ID/refill: fill the holes of the meters that failed in a run"""

    @requires(Permission.COLLECT)
    @contract(RunView, status=201)
    async def post(self, run_id: str) -> None:
        run = await self.find_run(run_id)
        seen = await self.meters_in_sight()
        failed = {failure.meter for failure in run.failures}
        meters = sorted(failed if seen is None else failed & seen)
        if not meters:
            raise Conflict(self.language.say("nothing failed in this run"))
        zone = self.parts.config.site.zone_info
        last = local_day(run.moment, zone)
        first = last
        task = await self.parts.database.tasks.find(run.task_id)
        if task is not None and run.kind == "gap":
            first = last - timedelta(days=task.backfill_days)
        fill = await self.parts.scheduler.fill(
            meters, first, last, None if task is None else task.id
        )
        self.tell_end("run", [fill.id], fill.task_name or FILL_NAME, f"/runs/{fill.id}")
        view = run_in_sight(run_view(fill), seen)
        self.done(view, f"/runs/{fill.id}", self.said_of(fill), status=201)


class CancelRunHandler(RunHandler):
    """/runs/ID/cancel, /api/runs/ID/cancel"""

    @requires(Permission.COLLECT)
    @contract(RunView)
    async def post(self, run_id: str) -> None:
        run = await self.find_run(run_id)
        self.parts.scheduler.cancel(run_id)
        self.done(run_view(run), f"/runs/{run_id}", self.language.say("The run is being ended."))


def _failure_view(failure: Failure) -> FailureView:
    return FailureView(
        meter=failure.meter, item=failure.item, cause=failure.cause, text=failure.text
    )
