"""Success: how many of the points that were asked for were answered, by whatever people ask."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Literal

from pydantic import BaseModel, Field

from station.errors import InvalidValue
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.base import Handler, TableQuery
from station.handlers.communication.link_views import LINKS_MAX
from station.handlers.contract import TABLE, contract
from station.handlers.download import Column
from station.handlers.marking import N_
from station.handlers.templating import PROTOCOL_NAMES
from station.store.objects.meter_days import MeterDay
from station.units import local_day, utc_now

DAYS_SHOWN = 14
DAYS_MAX = 92  # A quarter; every meter has one row a day.

Side = Literal["day", "group", "terminal", "protocol"]
SIDES: dict[Side, str] = {
    "day": N_("by day"),
    "group": N_("by group"),
    "terminal": N_("by link"),
    "protocol": N_("by protocol"),
}
NO_GROUP = N_("in no group")
REMOVED = N_("no longer in the archive")


class SuccessQuery(TableQuery):
    """What to count by, and over which days of the site, both included."""

    by: Side = "day"
    from_: date | None = Field(None, alias="from", description=N_("a date such as 2026-01-31"))
    to: date | None = Field(None, description=N_("a date such as 2026-01-31"))


class SuccessRow(BaseModel):
    """Points that were asked for, and answered, of meters that were asked at all."""

    key: str
    name: str
    meters: int
    asked: int
    answered: int


class DaySuccess(BaseModel):
    """Points asked and answered on a day."""

    day: date
    asked: int
    answered: int


class SuccessList(BaseModel):
    """Rows by the chosen side, the worst first unless they are days; and the course of the days."""

    items: list[SuccessRow]
    total: int
    days: list[DaySuccess]
    asked: int
    answered: int


COLUMNS = (
    Column[SuccessRow](N_("Of"), lambda row: row.name or row.key),
    Column[SuccessRow](N_("Meters"), lambda row: row.meters),
    Column[SuccessRow](N_("Asked"), lambda row: row.asked),
    Column[SuccessRow](N_("Answered"), lambda row: row.answered),
)


class SuccessHandler(Handler):
    """/success, /api/success"""

    @requires(Permission.VIEW)
    @contract(SuccessList, query=SuccessQuery, files=TABLE)
    async def get(self) -> None:
        query = self.parse_query(SuccessQuery)
        first, last = self._days(query)
        counts = await self.parts.database.meter_days.of_days(first, last)
        by_day = _rows_of(counts, lambda row: [row.day.isoformat()])
        if query.by == "day":
            items = by_day[::-1]
        else:
            items = sorted(await self._rows(query.by, counts), key=_worst_first)
        view = SuccessList(
            items=items,
            total=len(items),
            days=_every_day(by_day, first, last),
            asked=sum(row.asked for row in counts),
            answered=sum(row.answered for row in counts),
        )
        await self.show_list(
            "success.html", view, items, COLUMNS,
            filter=query, sides=SIDES, first=first, last=last,
        )  # fmt: skip

    def _days(self, query: SuccessQuery) -> tuple[date, date]:
        last = query.to or local_day(utc_now(), self.parts.config.site.zone_info)
        first = query.from_ or last - timedelta(days=DAYS_SHOWN - 1)
        if not timedelta() <= last - first < timedelta(days=DAYS_MAX):
            problem = self.language.say("expected 1 to %(days)s days", days=DAYS_MAX)
            raise InvalidValue("from", problem)
        return first, last

    async def _rows(self, by: Side, counts: Sequence[MeterDay]) -> list[SuccessRow]:
        """Return the counts by group, link or protocol."""
        database, say = self.parts.database, self.language.say
        meters = {meter.address: meter for meter in await database.meters.many(None)}
        terminals, _ = await database.terminals.list(limit=LINKS_MAX)
        groups = {terminal.address: terminal.groups for terminal in terminals}
        names = {terminal.address: terminal.name for terminal in terminals}
        names |= {**PROTOCOL_NAMES, NO_GROUP: say(NO_GROUP), REMOVED: say(REMOVED)}

        def keys(row: MeterDay) -> Sequence[str]:
            meter = meters.get(row.meter)
            if meter is None:
                return [REMOVED]
            if by == "group":
                return sorted({*meter.groups, *groups.get(meter.link, ())}) or [NO_GROUP]
            return [meter.link if by == "terminal" else meter.protocol]

        return _rows_of(counts, keys, names)


def _rows_of(
    counts: Sequence[MeterDay],
    keys: Callable[[MeterDay], Sequence[str]],
    names: Mapping[str, str] | None = None,
) -> list[SuccessRow]:
    """Return the sums of the counts under each of their keys, in the order of the keys."""
    meters: defaultdict[str, set[str]] = defaultdict(set)
    sums: dict[str, tuple[int, int]] = {}
    for row in counts:
        for key in keys(row):
            asked, answered = sums.get(key, (0, 0))
            sums[key] = asked + row.asked, answered + row.answered
            meters[key].add(row.meter)
    return [
        SuccessRow(
            key=key,
            name=(names or {}).get(key, ""),
            meters=len(meters[key]),
            asked=sums[key][0],
            answered=sums[key][1],
        )
        for key in sorted(sums)
    ]


def _worst_first(row: SuccessRow) -> tuple[float, str]:
    return row.answered / max(row.asked, 1), row.key


def _every_day(rows: Sequence[SuccessRow], first: date, last: date) -> list[DaySuccess]:
    """Return each day of the span, those without a question too."""
    found = {row.key: row for row in rows}
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    none = SuccessRow(key="", name="", meters=0, asked=0, answered=0)
    return [
        DaySuccess(day=day, asked=row.asked, answered=row.answered)
        for day in days
        for row in [found.get(day.isoformat(), none)]
    ]
