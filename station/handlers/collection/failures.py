"""Failures: which meters stay silent, and what to do about each."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from pydantic import BaseModel, Field

from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.base import Handler, ListQuery, Nothing
from station.handlers.collection.runs import (
    FILL_NAME,
    RunHandler,
    RunView,
    cause_name,
    run_in_sight,
    run_view,
)
from station.handlers.contract import contract
from station.handlers.download import ROWS_MAX, Column
from station.handlers.marking import N_
from station.store.objects.meter_health import MeterHealth
from station.store.objects.meters import Meter
from station.units import local_day, utc_now

REFILL_DAYS = 7  # What one click fills; a task's own gap filling or the calendar goes further.
REFILL_DAYS_MAX = 62  # Meters keep no more daily freezes.


class FailuresQuery(ListQuery):
    """Which meters: those that failed in at least so many runs in a row."""

    least: int = Field(1, ge=1, le=1_000_000)
    link: str | None = Field(None, max_length=64)


class FailureRow(BaseModel):
    """A meter that gave nothing in its last runs; `refused` are blocks that it does not take."""

    meter: str
    name: str
    link: str
    link_state: str
    failures: int
    since: datetime | None
    last_try: datetime | None
    last_success: datetime | None
    cause: str
    refused: list[str]


class FailureList(BaseModel):
    items: list[FailureRow]
    total: int


class RefillBody(BaseModel):
    """How many days back holes are filled, today being the first."""

    days: int = Field(REFILL_DAYS, ge=1, le=REFILL_DAYS_MAX)


COLUMNS = (
    Column[FailureRow](N_("Meter"), lambda row: row.meter, sort="meter"),
    Column[FailureRow](N_("Name"), lambda row: row.name, within="meter"),
    Column[FailureRow](N_("Link"), lambda row: row.link, look="only-wide nowrap"),
    Column[FailureRow](N_("State"), lambda row: row.link_state, within="link"),
    Column[FailureRow](
        N_("Failures in a row"),
        lambda row: row.failures,
        key="failures",
        head=N_("In a row"),
        sort="-failures",
        look="number",
    ),
    Column[FailureRow](N_("Since"), lambda row: row.since, look="only-wide"),
    Column[FailureRow](N_("Last try"), lambda row: row.last_try, more=True),
    Column[FailureRow](N_("Last success"), lambda row: row.last_success, look="only-wide"),
    Column[FailureRow](N_("Cause"), lambda row: cause_name(row.cause) if row.cause else ""),
    Column[FailureRow](
        N_("Refused blocks"), lambda row: ", ".join(row.refused), look="only-wide small"
    ),
)


class FailuresHandler(Handler):
    """/failures, /api/failures"""

    @requires(Permission.VIEW)
    @contract(FailureList, query=FailuresQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(FailuresQuery)
        rows, total = await self._find(query)
        view = FailureList(items=rows, total=total)
        await self.show_list("failures.html", view, rows, COLUMNS, filter=query)

    async def _find(self, query: FailuresQuery) -> tuple[list[FailureRow], int]:
        skip, limit = self.span(query)
        database, seen = self.parts.database, await self.meters_in_sight()
        if not (query.text or query.link):
            found, total = await database.meter_health.failing(
                query.least, skip, limit, sort=query.sort, meters=seen
            )
            return await self._rows(found), total
        found, _ = await database.meter_health.failing(
            query.least, 0, ROWS_MAX, sort=query.sort, meters=seen
        )
        rows = [row for row in await self._rows(found) if _matches(row, query)]
        return rows[skip : skip + limit], len(rows)

    async def _rows(self, found: Sequence[MeterHealth]) -> list[FailureRow]:
        """Return those that are still in the archive as rows."""
        meters = await self.parts.database.meters.many([each.meter for each in found])
        known = {meter.address: meter for meter in meters}
        return [self._row(each, known[each.meter]) for each in found if each.meter in known]

    def _row(self, health: MeterHealth, meter: Meter) -> FailureRow:
        return FailureRow(
            meter=meter.address,
            name=meter.name,
            link=meter.link,
            link_state="online" if self.parts.registry.find(meter.link) else "offline",
            failures=health.failures,
            since=health.failing_since,
            last_try=health.last_try,
            last_success=health.last_success,
            cause=health.last_cause,
            refused=list(health.refused),
        )


class RefillHandler(RunHandler):
    """/meters/ADDRESS/refill, /api/meters/ADDRESS/refill: fill a meter's holes of the last days"""

    @requires(Permission.COLLECT)
    @contract(RunView, body=RefillBody, status=201)
    async def post(self, address: str) -> None:
        body = self.parse_body(RefillBody)
        meter = await self.parts.database.meters.get(address)
        today = local_day(utc_now(), self.parts.config.site.zone_info)
        first = today - timedelta(days=body.days - 1)
        run = await self.parts.scheduler.fill([meter.address], first, today)
        self.tell_end("run", [run.id], run.task_name or FILL_NAME, f"/runs/{run.id}")
        view = run_in_sight(run_view(run), await self.meters_in_sight())
        self.done(view, f"/runs/{run.id}", self.said_of(run), status=201)


class ForgetHandler(Handler):
    """/meters/ADDRESS/forget, /api/meters/ADDRESS/forget: ask a meter as if it were new"""

    @requires(Permission.COLLECT)
    @contract(Nothing)
    async def post(self, address: str) -> None:
        meter = await self.parts.database.meters.get(address)
        self.parts.memory.forget(meter.address)
        notice = self.language.say(
            "Meter %(address)s is asked as if it were new.", address=meter.address
        )
        self.done(Nothing(), f"/meters/{meter.address}", notice)


def _matches(row: FailureRow, query: FailuresQuery) -> bool:
    text = (query.text or "").casefold()
    return query.link in (None, row.link) and text in f"{row.meter} {row.name}".casefold()
