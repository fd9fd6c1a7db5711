"""Collection tasks: what is read, when, from whom."""

from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from station.collector.archive import BACKFILL_DAYS_MAX, PERIODS_MIN
from station.collector.items import ITEM_BY_CODE
from station.errors import Conflict, InvalidValue, StationError
from station.handlers.base import Handler, ListQuery, Nothing
from station.handlers.download import Column
from station.handlers.identity import requires
from station.handlers.item_groups import grouped
from station.handlers.link_views import LINKS_MAX
from station.handlers.people import Permission
from station.handlers.runs import RunView, run_view
from station.handlers.sentences import N_
from station.store.objects.base import new_id
from station.store.objects.runs import Run
from station.store.objects.tasks import Task
from station.units import utc_now

TARGETS_MAX = 200_000  # More meters than a box can read.
PERIOD_NAMES = {
    1: N_("every minute"),
    5: N_("every 5 minutes"),
    15: N_("every 15 minutes"),
    30: N_("every 30 minutes"),
    60: N_("every hour"),
    1440: N_("every day"),
}
assert tuple(PERIOD_NAMES) == PERIODS_MIN, "a period without a name"


class TaskBody(BaseModel):
    """What is entered of a task; the archive checks what the items and periods are."""

    name: str = Field(min_length=1, max_length=64)
    items: tuple[str, ...] = Field(min_length=1, max_length=len(ITEM_BY_CODE))
    period_min: int = 15
    target_kind: Literal["all", "links", "meters"] = "all"
    targets: tuple[str, ...] = Field((), max_length=TARGETS_MAX)
    backfill_days: int = Field(0, ge=0, le=BACKFILL_DAYS_MAX)
    enabled: bool = True


class PauseBody(BaseModel):
    """Whether a task goes on by itself."""

    enabled: bool


class TaskView(BaseModel):
    """A task with its next and its last run."""

    id: str
    name: str
    items: list[str]
    period_min: int
    target_kind: Literal["all", "links", "meters"]
    targets: list[str]
    backfill_days: int
    enabled: bool
    created_at: datetime
    updated_at: datetime
    next_run: datetime | None
    last_run: RunView | None


class TaskList(BaseModel):
    items: list[TaskView]
    total: int


COLUMNS = (
    Column[TaskView](N_("Name"), lambda task: task.name),
    Column[TaskView](N_("Items"), lambda task: ", ".join(task.items)),
    Column[TaskView](N_("Period in minutes"), lambda task: task.period_min),
    Column[TaskView](N_("Targets"), lambda task: ", ".join(task.targets) or task.target_kind),
    Column[TaskView](N_("Gap filling in days"), lambda task: task.backfill_days),
    Column[TaskView](N_("Goes on"), lambda task: task.enabled),
    Column[TaskView](N_("Next run"), lambda task: task.next_run),
    Column[TaskView](N_("Last run"), lambda task: task.last_run and task.last_run.started_at),
    Column[TaskView](N_("Due"), lambda task: task.last_run and task.last_run.due),
    Column[TaskView](N_("Success"), lambda task: task.last_run and task.last_run.success),
)


class TaskHandler(Handler):
    """What the handlers of tasks share."""

    async def view_of(self, task: Task) -> TaskView:
        """Return a task with its runs."""
        runs, _ = await self.parts.database.runs.list(task.id, limit=5)
        return TaskView(
            id=task.id,
            name=task.name,
            items=list(task.items),
            period_min=task.period_min,
            target_kind=task.target_kind,
            targets=list(task.targets),
            backfill_days=task.backfill_days,
            enabled=task.enabled,
            created_at=task.created_at,
            updated_at=task.updated_at,
            next_run=self.parts.scheduler.next_run(task),
            last_run=_last(runs),
        )

    async def form_choices(self) -> dict[str, Any]:
        """Return what the form of a task offers."""
        database = self.parts.database
        terminals, _ = await database.terminals.list(limit=LINKS_MAX)
        channels, _ = await database.channels.list(limit=LINKS_MAX)
        return {
            "links": [(each.address, each.name) for each in terminals]
            + [(each.name, each.url) for each in channels],
            "meters": [(meter.address, meter.name) for meter in await database.meters.many(None)],
            "groups": grouped(),
            "period_choices": [
                (minutes, self.language.say(name)) for minutes, name in PERIOD_NAMES.items()
            ],
            "backfill_max": BACKFILL_DAYS_MAX,
        }

    async def refuse(self, error: StationError, task: Task | None) -> None:
        """Show the form again with what was typed."""
        choices = {} if self.wants_json else await self.form_choices()
        self.refuse_form("task_form.html", error, task=task, **choices)


class TasksHandler(TaskHandler):
    """/tasks, /api/tasks"""

    @requires(Permission.VIEW)
    async def get(self) -> None:
        query = self.parse_query(ListQuery)
        skip, limit = self.span(query)
        tasks, total = await self.parts.database.tasks.list(query.text, skip, limit)
        items = [await self.view_of(task) for task in tasks]
        view = TaskList(items=items, total=total)
        self.show_list("tasks.html", view, items, COLUMNS, filter=query, periods=PERIOD_NAMES)

    @requires(Permission.CONFIGURE)
    async def post(self) -> None:
        try:
            task = Task(id=new_id(), **self.parse_body(TaskBody).model_dump())
            await self.parts.archive.add_task(task)
        except (InvalidValue, Conflict) as error:
            await self.refuse(error, None)
            return
        notice = self.language.say("Task %(name)s is saved.", name=task.name)
        self.done(await self.view_of(task), "/tasks", notice, status=201)


class NewTaskHandler(TaskHandler):
    """/tasks/new"""

    @requires(Permission.CONFIGURE)
    async def get(self) -> None:
        typed = TaskBody.model_construct(name="", items=()).model_dump()
        self.finish_page("task_form.html", typed=typed, task=None, **await self.form_choices())


class OneTaskHandler(TaskHandler):
    """/tasks/ID, /api/tasks/ID"""

    @requires(Permission.VIEW)
    async def get(self, task_id: str) -> None:
        task = await self.parts.database.tasks.get(task_id)
        if self.wants_json:
            self.write_json(await self.view_of(task))
        else:
            self.redirect(f"/tasks/{task_id}/edit", status=303)

    @requires(Permission.CONFIGURE)
    async def post(self, task_id: str) -> None:
        await self.put(task_id)

    @requires(Permission.CONFIGURE)
    async def put(self, task_id: str) -> None:
        before = await self.parts.database.tasks.get(task_id)
        try:
            task = replace(before, **self.parse_body(TaskBody).model_dump(), updated_at=utc_now())
            await self.parts.archive.save_task(task)
        except (InvalidValue, Conflict) as error:
            await self.refuse(error, before)
            return
        notice = self.language.say("Task %(name)s is saved.", name=task.name)
        self.done(await self.view_of(task), "/tasks", notice)

    @requires(Permission.CONFIGURE)
    async def delete(self, task_id: str) -> None:
        task = await self.parts.database.tasks.get(task_id)
        await self.parts.archive.remove_task(task_id)
        notice = self.language.say("Task %(name)s is removed.", name=task.name)
        self.done(Nothing(), "/tasks", notice)


class EditTaskHandler(TaskHandler):
    """/tasks/ID/edit"""

    @requires(Permission.VIEW)
    async def get(self, task_id: str) -> None:
        task = await self.parts.database.tasks.get(task_id)
        typed = {name: getattr(task, name) for name in TaskBody.model_fields}
        self.finish_page("task_form.html", typed=typed, task=task, **await self.form_choices())


class PauseTaskHandler(TaskHandler):
    """/tasks/ID/pause, /api/tasks/ID/pause: hold a task, or let it go on"""

    @requires(Permission.CONFIGURE)
    async def post(self, task_id: str) -> None:
        body = self.parse_body(PauseBody)
        before = await self.parts.database.tasks.get(task_id)
        task = replace(before, enabled=body.enabled)
        await self.parts.archive.save_task(task)
        form = N_("Task %(name)s goes on.") if body.enabled else N_("Task %(name)s is paused.")
        self.done(await self.view_of(task), "/tasks", self.language.say(form, name=task.name))


class RunTaskHandler(Handler):
    """/tasks/ID/run, /api/tasks/ID/run"""

    @requires(Permission.COLLECT)
    async def post(self, task_id: str) -> None:
        run = await self.parts.scheduler.run_task(task_id)
        self.done(run_view(run), f"/runs/{run.id}", status=201)


def _last(runs: list[Run]) -> RunView | None:
    """Return the last run that people ask about: gap filling comes second."""
    periodic = [run for run in runs if run.kind != "gap"]
    found = next(iter(periodic or runs), None)
    return None if found is None else run_view(found)
