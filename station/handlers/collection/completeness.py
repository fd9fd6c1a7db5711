"""The completeness calendar: meters by days of a month, where the holes are, and why."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from station.collector.completeness import MeterDays
from station.collector.items import ITEM_BY_CODE
from station.errors import InvalidValue, NotFound
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.areas import check_device
from station.handlers.base import ListQuery
from station.handlers.collection.runs import FILL_NAME, RunHandler, cause_name, item_name
from station.handlers.contract import TABLE, contract
from station.handlers.download import ROWS_MAX, Column
from station.handlers.marking import N_
from station.handlers.pieces import send_pieces
from station.store.objects.meters import Meter
from station.store.objects.runs import Run
from station.store.objects.tasks import Task
from station.units import local_day, utc_now
from station.words import Text

METERS_MAX = 100  # Of one answer: 3,000 cells, which are made in some 20 ms.
METERS_PER_STEP = 30  # Of a file: some 1,000 rows at a time.
FILLS_SHOWN = 5
YEAR_MIN = 2000  # Nothing here is older.

_MONTH = re.compile(r"(\d{4})-(\d{2})")


def _first_of(value: object) -> object:
    """Take `2026-01` for the first day of that month."""
    found = _MONTH.fullmatch(value) if isinstance(value, str) else None
    if found is None or int(found[1]) < YEAR_MIN:
        raise ValueError("expected a month such as 2026-01")
    return date(int(found[1]), int(found[2]), 1)


Month = Annotated[
    date | None,
    BeforeValidator(_first_of),
    WithJsonSchema({"type": "string", "pattern": r"^[2-9][0-9]{3}-(0[1-9]|1[0-2])$"}),
]


class CalendarQuery(ListQuery):
    """Which month, which task or one item of it, and which of its meters."""

    month: Month = Field(None, description=N_("a month such as 2026-01"))
    task: str | None = Field(None, max_length=64)
    item: str | None = Field(None, max_length=64)
    group: str | None = Field(None, max_length=64)
    link: str | None = Field(None, max_length=64)
    size: int = Field(50, ge=1, le=METERS_MAX)


class FillBody(CalendarQuery):
    """What to fill: a meter, a day, both, or else all that the page shows."""

    meter: str | None = Field(None, max_length=32)
    day: date | None = None


class HoleView(BaseModel):
    """Points of an item that are missing on a day; the cause is null when none is known."""

    item: str
    missing: int
    cause: str | None
    at: datetime | None


class CellView(BaseModel):
    """One day of one meter."""

    day: date
    expected: int
    stored: int
    holes: list[HoleView]

    @property
    def level(self) -> str:
        """How full the day is, in few steps, for its colour."""
        if not self.expected:
            return "none"
        if self.stored >= self.expected:
            return "full"
        steps = ((0.95, "most"), (0.8, "some"), (0.0001, "few"))
        share = self.stored / self.expected
        return next((name for least, name in steps if share >= least), "empty")

    @property
    def percent(self) -> int:
        """How many of a hundred points are there, never rounded up."""
        return 100 * self.stored // self.expected if self.expected else 0


class RowView(BaseModel):
    """One meter's month."""

    meter: str
    name: str
    link: str
    expected: int
    stored: int
    days: list[CellView]


class Calendar(BaseModel):
    """A page of meters; `causes` counts the missing points of the page."""

    month: str
    task: str
    task_name: str
    item: str | None
    days: list[date]
    expected: int
    stored: int
    causes: dict[str, int]
    items: list[RowView]
    total: int


class FillView(BaseModel):
    """A run that fills holes; `finish_at` is when it will be done, as the buses go."""

    run: str
    task_name: str
    started_at: datetime
    due: int
    done: int
    success: int
    finish_at: datetime | None


class FillList(BaseModel):
    items: list[FillView]
    total: int


class DayRow(BaseModel):
    """One meter's day, as a row of a file."""

    row: RowView
    cell: CellView


UNKNOWN = Text("no cause noted", "未记录原因")

COLUMNS = (
    Column[DayRow](N_("Meter"), lambda each: each.row.meter),
    Column[DayRow](N_("Name"), lambda each: each.row.name),
    Column[DayRow](N_("Link"), lambda each: each.row.link),
    Column[DayRow](N_("Day"), lambda each: each.cell.day),
    Column[DayRow](N_("Expected"), lambda each: each.cell.expected),
    Column[DayRow](N_("Stored"), lambda each: each.cell.stored),
    Column[DayRow](N_("Missing"), lambda each: each.cell.expected - each.cell.stored),
    Column[DayRow](N_("Causes"), lambda each: _causes_of(each.cell)),
)


class CalendarHandler(RunHandler):
    """What the calendar and its acts share."""

    async def task_of(self, query: CalendarQuery) -> Task:
        """Return the task that is asked for, or the first. Raises NotFound and InvalidValue."""
        if query.task:
            task = await self.parts.database.tasks.get(query.task)
            seen = await self.tasks_in_sight()
            if seen is not None and task.id not in seen.tasks:
                raise NotFound(f"there is no task {query.task}")
        else:
            tasks = await self.offered_tasks()
            enabled = [each for each in tasks if each.enabled]
            if not tasks:
                raise NotFound(self.language.say("there is no task yet"))
            task = (enabled or tasks)[0]
        if query.item and query.item not in task.items:
            raise InvalidValue("item", self.language.say("the task does not read this item"))
        return task

    async def targets(self, task: Task) -> list[Meter]:
        """Return the meters of a task that the person deals with."""
        targets, seen = await self.parts.completeness.targets(task), await self.meters_in_sight()
        return [meter for meter in targets if seen is None or meter.address in seen]

    async def chosen(self, targets: Sequence[Meter], query: CalendarQuery) -> list[Meter]:
        """Return those of a task's meters that the filter leaves."""
        text = (query.text or "").casefold()
        links: set[str] = set()
        if query.group:
            terminals = await self.parts.completeness.terminals()
            links = {each.address for each in terminals.values() if query.group in each.groups}
        return [
            meter
            for meter in targets
            if query.link in (None, meter.link)
            and (not query.group or query.group in meter.groups or meter.link in links)
            and text in f"{meter.address} {meter.name}".casefold()
        ]

    def days_of(self, query: CalendarQuery) -> list[date]:
        """Return the days of the month that is asked for, or of this one."""
        zone = self.parts.config.site.zone_info
        first = query.month or local_day(utc_now(), zone).replace(day=1)
        days = (first + timedelta(days=number) for number in range(31))
        return [day for day in days if day.month == first.month]

    async def fills(self) -> list[FillView]:
        """Return the runs under way that fill holes, the last one first."""
        seen = await self.tasks_in_sight()
        runs = [
            run
            for run in self.parts.scheduler.active_runs()
            if run.kind == "fill" and (seen is None or run.task_id in seen.tasks)
        ]
        runs.sort(key=lambda run: run.started_at, reverse=True)
        return [await self.fill_view(run) for run in runs[:FILLS_SHOWN]]

    async def fill_view(self, run: Run) -> FillView:
        """Return how far a run has come, and when it will be done."""
        run = await self.parts.database.runs.find(run.id) or run
        return FillView(
            run=run.id,
            task_name=run.task_name,
            started_at=run.started_at,
            due=run.due,
            done=run.done,
            success=run.success,
            finish_at=await self.parts.budget.finish_of(run),
        )


class CompletenessHandler(CalendarHandler):
    """/completeness, /api/completeness"""

    @requires(Permission.VIEW)
    @contract(Calendar, query=CalendarQuery, files=TABLE)
    async def get(self) -> None:
        query = self.parse_query(CalendarQuery)
        if not self.wants_json and not query.task and await self._has_no_task():
            self.finish_page("completeness.html", view=None, filter=query)
            return
        task, days = await self.task_of(query), self.days_of(query)
        targets = await self.targets(task)
        meters = await self.chosen(targets, query)
        if self.is_download:
            await self._send_rows(task, query, meters, days)
            return
        page = meters[query.skip : query.skip + query.size]
        items = [query.item] if query.item else list(task.items)
        found = await self.parts.completeness.of_days(task, page, items, days[0], days[-1])
        view = _calendar(task, query.item, days, [_row(each, days) for each in found], len(meters))
        context: dict[str, Any] = (
            {} if self.wants_json else await self._context(task, targets, days)
        )
        self.show("completeness.html", view, filter=query, **context)

    async def _has_no_task(self) -> bool:
        return not await self.offered_tasks()

    async def _context(
        self, task: Task, targets: Sequence[Meter], days: Sequence[date]
    ) -> dict[str, Any]:
        """Return what the page needs besides the view."""
        zone = self.parts.config.site.zone_info
        terminals, sight = await self.parts.completeness.terminals(), await self.sight()
        groups = {group for meter in targets for group in meter.groups}
        for address, terminal in terminals.items():
            if sight is None or address in sight.terminals:
                groups |= {*terminal.groups}
        today = local_day(utc_now(), zone)
        return {
            "tasks": await self.offered_tasks(),
            "task_items": [ITEM_BY_CODE[code] for code in task.items if code in ITEM_BY_CODE],
            "groups": sorted(groups),
            "fills": await self.fills(),
            "today": today,
            "earlier": f"{days[0] - timedelta(days=1):%Y-%m}",
            "later": f"{days[-1] + timedelta(days=1):%Y-%m}" if days[-1] < today else None,
            "words_of": self._words_of,
            "holes_on": _holes_on,
            "cause_of": lambda cause: cause_name(cause) if cause else UNKNOWN,
        }

    def _words_of(self, cell: CellView) -> str:
        """Return what a cell stands for: how much is there, and why the rest is not."""
        say, name = self.language.say, self.language.name
        words = [say("%(stored)s of %(expected)s", stored=cell.stored, expected=cell.expected)]
        for hole in cell.holes:
            cause = name(cause_name(hole.cause) if hole.cause else UNKNOWN)
            words.append(f"{name(item_name(hole.item))}: {hole.missing} {cause}")
        return "\n".join(words)

    async def _send_rows(
        self, task: Task, query: CalendarQuery, meters: Sequence[Meter], days: Sequence[date]
    ) -> None:
        """Write all meters as CSV, a row a day, piece by piece."""
        items = [query.item] if query.item else list(task.items)
        meters = meters[: ROWS_MAX // len(days)]

        async def pieces() -> AsyncIterator[Sequence[DayRow]]:
            for start in range(0, len(meters), METERS_PER_STEP):
                some = meters[start : start + METERS_PER_STEP]
                found = await self.parts.completeness.of_days(task, some, items, days[0], days[-1])
                yield [DayRow(row=row, cell=cell) for row, cell in _days_of(found, days)]

        await send_pieces(self, pieces(), COLUMNS)


class FillHandler(CalendarHandler):
    """/completeness/fill, /api/completeness/fill"""

    @requires(Permission.COLLECT)
    @contract(FillView, body=FillBody, status=201)
    async def post(self) -> None:
        body = self.parse_body(FillBody)
        task = await self.task_of(body)
        days = [body.day] if body.day else self.days_of(body)
        if body.meter:
            await check_device(self.parts, self.areas, body.meter)
            meters = [await self.parts.database.meters.get(body.meter)]
        else:
            found = await self.chosen(await self.targets(task), body)
            meters = found[body.skip : body.skip + body.size]
        addresses = [meter.address for meter in meters]
        run = await self.parts.scheduler.fill(addresses, days[0], days[-1], task.id)
        self.tell_end("run", [run.id], run.task_name or FILL_NAME, f"/runs/{run.id}")
        await asyncio.sleep(0)  # The run begins, and knows what it has to read.
        view = await self.fill_view(run)
        self.done(view, self._back(body, days[0]), self._said(view), status=201)

    def _said(self, view: FillView) -> str:
        if not view.due:
            return self.language.say("There is no hole that can still be filled.")
        if view.finish_at is None:
            return self.language.say("Filling %(points)s points.", points=view.due)
        at = view.finish_at.astimezone(self.parts.config.site.zone_info)
        return self.language.say(
            "Filling %(points)s points; done at about %(moment)s.",
            points=view.due,
            moment=f"{at:%Y-%m-%d %H:%M}",
        )

    def _back(self, body: FillBody, day: date) -> str:
        """Return the address of the page from which it was asked."""
        kept = body.model_dump(include={"task", "item", "group", "link", "text"}, exclude_none=True)
        if body.page > 1:
            kept["page"] = body.page
        return "/completeness?" + urlencode({"month": f"{day:%Y-%m}", **kept})


class FillsHandler(CalendarHandler):
    """/completeness/fills, /api/completeness/fills: the runs under way that fill holes"""

    @requires(Permission.VIEW)
    @contract(FillList)
    async def get(self) -> None:
        fills = await self.fills()
        self.show("parts/fills.html", FillList(items=fills, total=len(fills)), fills=fills)


def _calendar(
    task: Task, item: str | None, days: list[date], rows: list[RowView], total: int
) -> Calendar:
    causes: Counter[str] = Counter()
    for row in rows:
        for cell in row.days:
            for hole in cell.holes:
                causes[hole.cause or ""] += hole.missing
    return Calendar(
        month=f"{days[0]:%Y-%m}",
        task=task.id,
        task_name=task.name,
        item=item,
        days=days,
        expected=sum(row.expected for row in rows),
        stored=sum(row.stored for row in rows),
        causes=dict(causes.most_common()),
        items=rows,
        total=total,
    )


def _holes_on(view: Calendar, number: int) -> bool:
    """Tell whether the page has a hole on a day of its month, counted from 0."""
    return any(row.days[number].stored < row.days[number].expected for row in view.items)


def _row(each: MeterDays, days: Sequence[date]) -> RowView:
    cells = [
        CellView(
            day=day,
            expected=expected,
            stored=stored,
            holes=[
                HoleView(
                    item=hole.item,
                    missing=hole.missing,
                    cause=hole.cause.cause if hole.cause else None,
                    at=hole.cause.at if hole.cause else None,
                )
                for hole in each.holes.get(day, ())
            ],
        )
        for day, (expected, stored) in zip(days, each.days, strict=True)
    ]
    return RowView(
        meter=each.meter.address,
        name=each.meter.name,
        link=each.meter.link,
        expected=sum(cell.expected for cell in cells),
        stored=sum(cell.stored for cell in cells),
        days=cells,
    )


def _days_of(
    found: Sequence[MeterDays], days: Sequence[date]
) -> Iterator[tuple[RowView, CellView]]:
    """Yield each meter's days on which something is expected."""
    for row in (_row(each, days) for each in found):
        for cell in row.days:
            if cell.expected:
                yield row, cell


def _causes_of(cell: CellView) -> Text:
    causes: Counter[str | None] = Counter()
    for hole in cell.holes:
        causes[hole.cause] += hole.missing
    named = [(cause_name(cause) if cause else UNKNOWN, number) for cause, number in causes.items()]
    return Text(
        ", ".join(f"{name.en} {number}" for name, number in named),
        "、".join(f"{name.zh} {number}" for name, number in named),
    )
