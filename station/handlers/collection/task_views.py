"""Tasks as forms and JSON give them, and as pages and JSON show them.

A form and a JSON body go through `TaskBody`. Times of the day are written HH:MM, a moment without a
zone is meant in the site's.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, Field

from station.collector.archive_checks import BACKFILL_DAYS_MAX, PERIODS_MIN
from station.collector.items import ITEM_BY_CODE
from station.errors import InvalidValue
from station.handlers.collection.runs import RunView
from station.handlers.download import Column
from station.handlers.marking import N_
from station.store.objects.tasks import MissedPolicy, TargetKind, Task, TaskPriority
from station.units import from_local

TARGETS_MAX = 200_000  # More meters than a box can read.
CRON_SIZE_MAX = 100  # Characters; a row of five fields has some twenty.
MINUTES_A_DAY = 1440

PERIOD_NAMES = {
    1: N_("every minute"),
    5: N_("every 5 minutes"),
    15: N_("every 15 minutes"),
    30: N_("every 30 minutes"),
    60: N_("every hour"),
    1440: N_("every day"),
}
assert tuple(PERIOD_NAMES) == PERIODS_MIN, "a period without a name"

# Times that people ask for by name, as cron has them.
CRON_NAMES = {
    "0 0 1 * *": N_("on the 1st of each month, 00:00"),
    "0 0 * * 1": N_("every Monday, 00:00"),
    "0 8 * * *": N_("every day, 08:00"),
    "30 3 * * *": N_("every day, 03:30"),
    "0 */6 * * *": N_("every 6 hours"),
    "0 8-18 * * 1-5": N_("every hour from 08:00 to 18:00, Monday to Friday"),
}
MISSED_NAMES: dict[MissedPolicy, str] = {
    "all": N_("read all of them, as far back as gap filling reaches"),
    "once": N_("read the newest one only"),
    "skip": N_("leave them out"),
}
PRIORITY_NAMES: dict[TaskPriority, str] = {
    "high": N_("high"),
    "normal": N_("normal"),
    "low": N_("low"),
}


_TIME = re.compile(r"([0-9]{1,2}):([0-5][0-9])")


def _lines(value: object) -> object:
    """Take several targets from one text, a line each: so they are typed on a large site."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, (list, tuple)) or not all(isinstance(each, str) for each in value):
        return value
    return [line.strip() for each in value for line in each.splitlines() if line.strip()]


def _blank_is_none(value: object) -> object:
    return None if value == "" else value


class TaskBody(BaseModel):
    """What is entered of a task; the archive checks what the items and the times are.

    It reads every `period_min`, or at the moments of `cron` if given, or at `once_at` alone.
    """

    name: str = Field(min_length=1, max_length=64)
    items: tuple[str, ...] = Field(min_length=1, max_length=len(ITEM_BY_CODE))
    period_min: int = 15
    cron: str = Field("", max_length=CRON_SIZE_MAX)
    once_at: Annotated[datetime | None, BeforeValidator(_blank_is_none)] = None
    window_from: str = Field("", max_length=5)
    window_to: str = Field("", max_length=5)
    priority: TaskPriority = "normal"
    missed: MissedPolicy = "all"
    target_kind: TargetKind = "all"
    targets: Annotated[tuple[str, ...], BeforeValidator(_lines)] = Field((), max_length=TARGETS_MAX)
    backfill_days: int = Field(0, ge=0, le=BACKFILL_DAYS_MAX)
    enabled: bool = True

    def to_values(self, zone: ZoneInfo) -> dict[str, Any]:
        """Return the fields of a task. Raises InvalidValue for the window."""
        values = self.model_dump(exclude={"window_from", "window_to"})
        if self.once_at is not None and self.once_at.tzinfo is None:
            values["once_at"] = from_local(self.once_at, zone)
        values["cron"] = " ".join(self.cron.split())
        values["window"] = _window(self.window_from.strip(), self.window_to.strip())
        return values


def fields_of(task: Task, zone: ZoneInfo) -> dict[str, Any]:
    """Return what the form of a task shows."""
    window_from, window_to = window_words(task)
    own = {name: getattr(task, name) for name in TaskBody.model_fields if hasattr(task, name)}
    once_at = ""
    if task.once_at is not None:
        once_at = task.once_at.astimezone(zone).strftime("%Y-%m-%dT%H:%M")
    return {
        **own,
        "rhythm": "once" if task.once_at else "cron" if task.cron else "period",
        "once_at": once_at,
        "window_from": window_from,
        "window_to": window_to,
    }


def window_words(task: Task) -> tuple[str, str]:
    """Return the window of a task as two times of the day, both empty if there is none."""
    if task.window is None:
        return "", ""
    first, last = (f"{minute // 60:02}:{minute % 60:02}" for minute in task.window)
    return first, last


def _window(first: str, last: str) -> tuple[int, int] | None:
    if not first and not last:
        return None
    return _minute("window_from", first), _minute("window_to", last)


def _minute(field: str, text: str) -> int:
    found = _TIME.fullmatch(text.replace("：", ":"))
    minute = int(found[1]) * 60 + int(found[2]) if found else MINUTES_A_DAY + 1
    if minute > MINUTES_A_DAY:
        raise InvalidValue(field, N_("expected a time of the day such as 23:30"))
    return minute


class TaskView(BaseModel):
    """A task with its next and its last run, and the last one that has ended.

    `load` is the share of its busiest bus that it needs, 1 being all; None if it asks nothing.
    """

    id: str
    name: str
    items: list[str]
    period_min: int
    cron: str
    once_at: datetime | None
    window_from: str
    window_to: str
    priority: TaskPriority
    missed: MissedPolicy
    target_kind: TargetKind
    targets: list[str]
    backfill_days: int
    enabled: bool
    created_at: datetime
    updated_at: datetime
    next_run: datetime | None
    last_run: RunView | None
    last_ended: RunView | None
    load: float | None


class TaskList(BaseModel):
    items: list[TaskView]
    total: int


class TemplateView(BaseModel):
    """A common task: `body` can be sent to /api/tasks as it is."""

    key: str
    name: str
    purpose: str
    body: TaskBody


class TemplateList(BaseModel):
    items: list[TemplateView]
    total: int


COLUMNS = (
    Column[TaskView](N_("Name"), lambda task: task.name, sort="name"),
    Column[TaskView](N_("Items"), lambda task: ", ".join(task.items), look="only-wide nowrap"),
    Column[TaskView](
        N_("Period in minutes"),
        lambda task: _period_of(task),
        key="rhythm",
        head=N_("When it reads"),
    ),
    Column[TaskView](N_("Calendar"), lambda task: task.cron, within="rhythm"),
    Column[TaskView](N_("Once at"), lambda task: task.once_at, within="rhythm"),
    Column[TaskView](N_("Priority"), lambda task: task.priority, more=True),
    Column[TaskView](
        N_("Targets"),
        lambda task: ", ".join(task.targets) or task.target_kind,
        look="only-wide nowrap",
    ),
    Column[TaskView](N_("Gap filling in days"), lambda task: task.backfill_days, within="rhythm"),
    Column[TaskView](N_("Goes on"), lambda task: task.enabled, within="next_run"),
    Column[TaskView](N_("Next run"), lambda task: task.next_run, look="only-wide"),
    Column[TaskView](
        N_("Last run"), lambda task: task.last_run and task.last_run.started_at, look="only-wide"
    ),
    Column[TaskView](
        N_("Due"), lambda task: task.last_ended and task.last_ended.due, within="success"
    ),
    Column[TaskView](
        N_("Success"),
        lambda task: task.last_ended and task.last_ended.success,
        unit="%",
        look="number bar-cell",
    ),
    Column[TaskView](
        N_("Share of its busiest bus"),
        lambda task: task.load,
        key="load",
        head=N_("Bus share"),
        unit="%",
        look="number bar-cell only-wide",
    ),
)


def _period_of(task: TaskView) -> int | None:
    return None if task.cron or task.once_at else task.period_min


def groups_of(things: Sequence[Any]) -> list[tuple[str, int]]:
    """Return the groups of terminals and meters by name, each with how many are in it."""
    counts: dict[str, int] = {}
    for thing in things:
        for group in thing.groups:
            counts[group] = counts.get(group, 0) + 1
    return sorted(counts.items())
