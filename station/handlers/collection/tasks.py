"""Collection tasks: what is read, when, from whom."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from station.collector import grid
from station.collector.archive_checks import BACKFILL_DAYS_MAX, checked_task
from station.errors import Conflict, InvalidValue, NotFound, StationError
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.base import Handler, ListQuery, Nothing
from station.handlers.collection.bus_views import TaskCost, cost_of
from station.handlers.collection.item_groups import grouped
from station.handlers.collection.runs import RunView, run_in_sight, run_view
from station.handlers.collection.task_templates import TEMPLATE_BY_KEY, TEMPLATES, TaskTemplate
from station.handlers.collection.task_views import (
    COLUMNS,
    CRON_NAMES,
    MISSED_NAMES,
    PERIOD_NAMES,
    PRIORITY_NAMES,
    TaskBody,
    TaskList,
    TaskView,
    TemplateList,
    TemplateView,
    fields_of,
    groups_of,
    window_words,
)
from station.handlers.communication.link_views import LINKS_MAX
from station.handlers.contract import contract
from station.handlers.language import Language
from station.handlers.marking import N_
from station.store.objects.base import new_id
from station.store.objects.runs import Run
from station.store.objects.tasks import Task
from station.units import utc_now

MOMENTS_SHOWN = 5
DRAFT = "-"  # Stands for what is not entered yet.
RUNS_SHOWN = 8
METERS_LISTED_MAX = 500  # With boxes to tick; of more the addresses are typed.
LOOKED_AT = 10  # Runs among which the last one lies that was not gap filling.


class NewTaskQuery(BaseModel):
    """The common task that a new one begins as."""

    template: str = Field("", max_length=64)


class PauseBody(BaseModel):
    """Whether a task goes on by itself."""

    enabled: bool


class PreviewBody(TaskBody):
    """A task that is being entered: it may not have its name yet."""

    name: str = Field("", max_length=64)


class TaskPlan(TaskCost):
    """What a task will do: its next moments, and what a cycle takes on each bus."""

    moments: list[datetime]


class TaskHandler(Handler):
    """What the handlers of tasks share."""

    async def view_of(self, task: Task, load: float | None = None) -> TaskView:
        """Return a task with its runs; `load` is what it takes of its busiest bus."""
        runs, _ = await self.parts.database.runs.list(task.id, limit=LOOKED_AT)
        seen, meters = await self.tasks_in_sight(), await self.meters_in_sight()
        window_from, window_to = window_words(task)
        return TaskView(
            id=task.id,
            name=task.name,
            items=list(task.items),
            period_min=task.period_min,
            cron=task.cron,
            once_at=task.once_at,
            window_from=window_from,
            window_to=window_to,
            priority=task.priority,
            missed=task.missed,
            target_kind=task.target_kind,
            targets=list(task.targets) if seen is None else seen.targets_of(task),
            backfill_days=task.backfill_days,
            enabled=task.enabled,
            created_at=task.created_at,
            updated_at=task.updated_at,
            next_run=self.parts.scheduler.next_run(task),
            last_run=_last(runs, meters),
            last_ended=_last(runs, meters, ended=True),
            load=load,
        )

    async def plan_of(self, task: Task) -> TaskPlan:
        """Return what a task will do. Raises InvalidValue for times that cannot be."""
        sight, shares = await self.sight(), await self.parts.budget.of_task(task)
        cost = cost_of([each for each in shares if sight is None or sight.has_bus(each.bus)])
        zone = self.parts.config.site.zone_info
        moments: list[datetime] = []
        at = utc_now()
        while len(moments) < MOMENTS_SHOWN:
            following = grid.next_moment(task, at, zone)
            if following is None:
                break
            moments.append(following)
            at = following
        return TaskPlan(**cost.model_dump(), moments=moments)

    async def task(self, task_id: str) -> Task:
        """Return a task. Raises NotFound, also for one that reads nothing of the person's."""
        task, seen = await self.parts.database.tasks.get(task_id), await self.tasks_in_sight()
        if seen is not None and task.id not in seen.tasks:
            raise NotFound(f"there is no task {task_id}")
        return task

    def task_from_body(self, before: Task | None = None, body: type[TaskBody] = TaskBody) -> Task:
        """Return the task that was entered. Raises InvalidValue."""
        values = self.parse_body(body).to_values(self.parts.config.site.zone_info)
        if before is None:
            return Task(id=new_id(), **values)
        return replace(before, **values, updated_at=utc_now())

    def templates(self) -> list[TemplateView]:
        """Return the common tasks in the reader's language."""
        return [template_view(template, self.language) for template in TEMPLATES]

    async def form_choices(self) -> dict[str, Any]:
        """Return what the form of a task offers."""
        database, say = self.parts.database, self.language.say
        channels, _ = await database.channels.list(limit=LINKS_MAX)
        devices = await self.parts.roll.devices()
        terminals, meters = [*devices.terminals.values()], devices.meters
        ngettext = self.language.catalogue.ngettext
        return {
            "links": [(each.address, each.name) for each in terminals]
            + [(each.name, each.url) for each in channels],
            "meters": [(meter.address, meter.name) for meter in meters[:METERS_LISTED_MAX]],
            "lists_meters": len(meters) <= METERS_LISTED_MAX,
            "meter_groups": [
                (name, ngettext("%(num)s member", "%(num)s members", number) % {"num": number})
                for name, number in groups_of([*terminals, *meters])
            ],
            "groups": grouped(),
            "period_choices": [(minutes, say(name)) for minutes, name in PERIOD_NAMES.items()],
            "missed_choices": [(key, say(name)) for key, name in MISSED_NAMES.items()],
            "priority_choices": [(key, say(name)) for key, name in PRIORITY_NAMES.items()],
            "cron_names": CRON_NAMES,
            "backfill_max": BACKFILL_DAYS_MAX,
        }

    async def refuse(self, error: StationError, task: Task | None) -> None:
        """Show the form again with what was typed."""
        choices = {} if self.wants_json else await self.form_choices()
        self.refuse_form("task_form.html", error, task=task, **choices)


class TasksHandler(TaskHandler):
    """/tasks, /api/tasks"""

    @requires(Permission.VIEW)
    @contract(TaskList, query=ListQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(ListQuery)
        skip, limit = self.span(query)
        seen = await self.tasks_in_sight()
        tasks, total = await self.parts.database.tasks.list(
            query.text, skip, limit, sort=query.sort, ids=None if seen is None else seen.tasks
        )
        loads = await self.tools.buses.load_of([task.id for task in tasks], await self.sight())
        items = [await self.view_of(task, loads.get(task.id)) for task in tasks]
        view = TaskList(items=items, total=total)
        await self.show_list(
            "tasks.html", view, items, COLUMNS, filter=query, templates=self.templates()
        )

    @requires(Permission.CONFIGURE)
    @contract(TaskView, body=TaskBody, status=201)
    async def post(self) -> None:
        try:
            task = self.task_from_body()
            await self.parts.archive.add_task(task)
        except (InvalidValue, Conflict) as error:
            await self.refuse(error, None)
            return
        self.tools.buses.changed()
        notice = self.language.say("Task %(name)s is saved.", name=task.name)
        self.done(await self.view_of(task), f"/tasks/{task.id}", notice, status=201)


class TemplatesHandler(TaskHandler):
    """/tasks/templates, /api/tasks/templates: tasks that most sites have"""

    @requires(Permission.VIEW)
    @contract(TemplateList)
    async def get(self) -> None:
        items = self.templates()
        self.show("task_templates.html", TemplateList(items=items, total=len(items)))


class PreviewHandler(TaskHandler):
    """/tasks/preview, /api/tasks/preview: what a task would do, before it is saved"""

    is_act = False

    @requires(Permission.CONFIGURE)
    @contract(TaskPlan, body=PreviewBody)
    async def post(self) -> None:
        try:
            task = self.task_from_body(body=PreviewBody)
            _check_draft(task)
            view = await self.plan_of(task)
        except InvalidValue as error:
            if self.wants_json:
                raise
            problems = self.problems_of(error)
            self.finish_page("task_plan.html", view=None, problem=_in_words(problems))
            return
        self.show("task_plan.html", view, problem=None)


class NewTaskHandler(TaskHandler):
    """/tasks/new"""

    @requires(Permission.CONFIGURE)
    @contract(None, query=NewTaskQuery)
    async def get(self) -> None:
        zone = self.parts.config.site.zone_info
        task = Task(id="", name="", items=(), period_min=15)
        template = TEMPLATE_BY_KEY.get(self.parse_query(NewTaskQuery).template)
        if template is not None:
            body = template_view(template, self.language).body
            task = Task(id="", **body.to_values(zone))
        typed = fields_of(task, zone)
        self.finish_page("task_form.html", typed=typed, task=None, **await self.form_choices())


class OneTaskHandler(TaskHandler):
    """/tasks/ID, /api/tasks/ID"""

    @requires(Permission.VIEW)
    @contract(TaskView)
    async def get(self, task_id: str) -> None:
        task = await self.task(task_id)
        loads = await self.tools.buses.load_of([task.id], await self.sight())
        view = await self.view_of(task, loads.get(task.id))
        if self.wants_json:
            self.write_json(view)
            return
        runs, _ = await self.parts.database.runs.list(task.id, limit=RUNS_SHOWN)
        self.finish_page(
            "task.html",
            view=view,
            plan=await self.plan_of(task),
            runs=[run_in_sight(run_view(run), await self.meters_in_sight()) for run in runs],
            missed_names=MISSED_NAMES,
            priority_names=PRIORITY_NAMES,
        )

    @requires(Permission.CONFIGURE)
    @contract(TaskView, body=TaskBody)
    async def post(self, task_id: str) -> None:
        await self.put(task_id)

    @requires(Permission.CONFIGURE)
    @contract(TaskView, body=TaskBody)
    async def put(self, task_id: str) -> None:
        before = await self.parts.database.tasks.get(task_id)
        try:
            task = self.task_from_body(before)
            await self.parts.archive.save_task(task)
        except (InvalidValue, Conflict) as error:
            await self.refuse(error, before)
            return
        self.tools.buses.changed()
        self.record(before=before, after=task)
        notice = self.language.say("Task %(name)s is saved.", name=task.name)
        self.done(await self.view_of(task), f"/tasks/{task.id}", notice)

    @requires(Permission.CONFIGURE)
    @contract(Nothing)
    async def delete(self, task_id: str) -> None:
        task = await self.parts.database.tasks.get(task_id)
        await self.parts.archive.remove_task(task_id)
        self.record(before=task)
        self.tools.buses.changed()
        notice = self.language.say("Task %(name)s is removed.", name=task.name)
        self.done(Nothing(), "/tasks", notice)


class TaskPlanHandler(TaskHandler):
    """/tasks/ID/plan, /api/tasks/ID/plan: what a task will do"""

    @requires(Permission.VIEW)
    @contract(TaskPlan)
    async def get(self, task_id: str) -> None:
        task = await self.task(task_id)
        self.show("task_plan.html", await self.plan_of(task), problem=None)


class EditTaskHandler(TaskHandler):
    """/tasks/ID/edit"""

    @requires(Permission.VIEW)
    @contract(None)
    async def get(self, task_id: str) -> None:
        task = await self.parts.database.tasks.get(task_id)
        typed = fields_of(task, self.parts.config.site.zone_info)
        self.finish_page("task_form.html", typed=typed, task=task, **await self.form_choices())


class PauseTaskHandler(TaskHandler):
    """/tasks/ID/pause, /api/tasks/ID/pause: hold a task, or let it go on"""

    @requires(Permission.CONFIGURE)
    @contract(TaskView, body=PauseBody)
    async def post(self, task_id: str) -> None:
        body = self.parse_body(PauseBody)
        before = await self.parts.database.tasks.get(task_id)
        task = replace(before, enabled=body.enabled)
        await self.parts.archive.save_task(task)
        self.tools.buses.changed()
        form = N_("Task %(name)s goes on.") if body.enabled else N_("Task %(name)s is paused.")
        self.done(await self.view_of(task), "/tasks", self.language.say(form, name=task.name))


class RunTaskHandler(Handler):
    """/tasks/ID/run, /api/tasks/ID/run"""

    @requires(Permission.COLLECT)
    @contract(RunView, status=201)
    async def post(self, task_id: str) -> None:
        run = await self.parts.scheduler.run_task(task_id)
        self.tell_end("run", [run.id], run.task_name, f"/runs/{run.id}")
        self.done(run_view(run), f"/runs/{run.id}", status=201)


def template_view(template: TaskTemplate, language: Language) -> TemplateView:
    """Return a common task in a language."""
    name = language.name(template.name)
    body = TaskBody(name=name, items=template.items, **template.fields)
    return TemplateView(
        key=template.key, name=name, purpose=language.name(template.purpose), body=body
    )


def _check_draft(task: Task) -> None:
    """Check a task that is being entered; its name and its targets may still be missing."""
    checked_task(replace(task, name=task.name or DRAFT, targets=task.targets or (DRAFT,)))


def _in_words(problems: dict[str, str]) -> str:
    return next((text for field, text in problems.items() if field not in ("name", "items")), "")


def _last(
    runs: list[Run], meters: Collection[str] | None, *, ended: bool = False
) -> RunView | None:
    """Return the last run that people ask about: gap filling comes second."""
    found = [run for run in runs if not ended or run.ended_at is not None]
    periodic = [run for run in found if run.kind not in ("gap", "fill")]
    last = next(iter(periodic or found), None)
    return None if last is None else run_in_sight(run_view(last), meters)
