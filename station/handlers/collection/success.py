"""Success: how many of the points that were asked for were answered, by whatever people ask."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Literal

from pydantic import BaseModel, Field

from station.collector.successes import DayCount
from station.errors import InvalidValue
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.base import Handler, TableQuery
from station.handlers.contract import contract
from station.handlers.download import Column
from station.handlers.marking import N_
from station.handlers.tables import sorted_rows
from station.handlers.templating import PROTOCOL_NAMES
from station.units import local_day, utc_now

DAYS_SHOWN = 14
DAYS_MAX = 92  # A quarter: as many days as `collector.successes` keeps.

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
    Column[SuccessRow](N_("Of"), lambda row: row.name or row.key, sort="of"),
    Column[SuccessRow](
        N_("Meters"), lambda row: row.meters, sort="-meters", look="number only-wide"
    ),
    Column[SuccessRow](N_("Asked"), lambda row: row.asked, sort="-asked", look="number"),
    Column[SuccessRow](N_("Answered"), lambda row: row.answered, sort="-answered", look="number"),
    Column[SuccessRow](
        N_("Success"), lambda row: _percent(row), unit="%", sort="success", look="number bar-cell"
    ),
)


def _percent(row: SuccessRow) -> float | None:
    return round(100 * row.answered / row.asked, 1) if row.asked else None


class SuccessHandler(Handler):
    """/success, /api/success"""

    @requires(Permission.VIEW)
    @contract(SuccessList, query=SuccessQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(SuccessQuery)
        first, last = self._days(query)
        span = await self.parts.successes.span(first, last, await self.meters_in_sight())
        if query.by == "day":
            items = [_day_row(each) for each in reversed(span.days) if each.asked]
        else:
            items = sorted(await self._rows(query.by, span.meters), key=_worst_first)
        items = [*sorted_rows(items, COLUMNS, query.sort, self.language)]
        view = SuccessList(
            items=items,
            total=len(items),
            days=[
                DaySuccess(day=each.day, asked=each.asked, answered=each.answered)
                for each in span.days
            ],
            asked=span.asked,
            answered=span.answered,
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

    async def _rows(self, by: Side, counts: Mapping[str, tuple[int, int]]) -> list[SuccessRow]:
        """Return the counts by group, link or protocol."""
        say, devices = self.language.say, await self.parts.roll.devices()
        sight = await self.sight()
        terminals = [
            each
            for each in devices.terminals.values()
            if sight is None or each.address in sight.terminals
        ]  # A meter in sight may hang on a terminal out of it.
        meters = {meter.address: meter for meter in devices.meters}
        groups = {terminal.address: terminal.groups for terminal in terminals}
        names = {terminal.address: terminal.name for terminal in terminals}
        names |= {**PROTOCOL_NAMES, NO_GROUP: say(NO_GROUP), REMOVED: say(REMOVED)}

        def keys(address: str) -> Sequence[str]:
            meter = meters.get(address)
            if meter is None:
                return [REMOVED]
            if by == "group":
                return sorted({*meter.groups, *groups.get(meter.link, ())}) or [NO_GROUP]
            return [meter.link if by == "terminal" else meter.protocol]

        return _rows_of(counts, keys, names)


def _rows_of(
    counts: Mapping[str, tuple[int, int]],
    keys: Callable[[str], Sequence[str]],
    names: Mapping[str, str],
) -> list[SuccessRow]:
    """Return the sums of the counts under each of their keys, in the order of the keys."""
    sums: dict[str, tuple[int, int, int]] = {}
    for meter, (own_asked, own_answered) in counts.items():
        for key in keys(meter):
            meters, asked, answered = sums.get(key, (0, 0, 0))
            sums[key] = meters + 1, asked + own_asked, answered + own_answered
    return [
        SuccessRow(key=key, name=names.get(key, ""), meters=meters, asked=asked, answered=answered)
        for key, (meters, asked, answered) in sorted(sums.items())
    ]


def _day_row(count: DayCount) -> SuccessRow:
    return SuccessRow(
        key=count.day.isoformat(),
        name="",
        meters=count.meters,
        asked=count.asked,
        answered=count.answered,
    )


def _worst_first(row: SuccessRow) -> tuple[float, str]:
    return row.answered / max(row.asked, 1), row.key
