"""The day end: do all drawers of a day agree with what was sold?"""

from datetime import date, timedelta

from pydantic import BaseModel, Field

from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.base import TableQuery
from station.handlers.contract import contract
from station.handlers.marking import N_
from station.handlers.selling.desk import DeskHandler
from station.handlers.selling.order_views import ORDER_WORDS, OrderView
from station.handlers.selling.shift_views import (
    LINE_NAMES,
    SHIFT_COLUMNS,
    SHIFT_STATES,
    LineView,
    ShiftView,
    line_view,
    shift_view,
)
from station.prepaid.day_end import day_end
from station.units import day_start, local_day, utc_now


class DayQuery(TableQuery):
    """A day of the site; today when it is not said."""

    day: date | None = Field(None, description=N_("a date such as 2026-01-31"))


class DayEndView(BaseModel):
    """The shifts that were opened on a day, and what those that are closed come to, in fen.

    `unfinished` are their orders whose cards are still to be written now.
    """

    day: date
    closed: int
    open: int
    float_fen: int
    taken_fen: int
    given_fen: int
    expected_fen: int
    counted_fen: int
    difference_fen: int
    lines: list[LineView]
    shifts: list[ShiftView]
    unfinished: list[OrderView]


class DayEndHandler(DeskHandler):
    """/day_end, /api/day_end"""

    @requires(Permission.APPROVE)
    @contract(DayEndView, query=DayQuery, table=SHIFT_COLUMNS)
    async def get(self) -> None:
        zone, database = self.parts.config.site.zone_info, self.parts.database
        today = local_day(utc_now(), zone)
        query = self.parse_query(DayQuery)
        day = query.day or today
        since, until = day_start(day, zone), day_start(day + timedelta(days=1), zone)
        own = await self.people_in_sight()
        shifts = [
            shift
            for shift in await database.shifts.opened(since, until)
            if own is None or shift.clerk in own
        ]
        ids = {shift.id for shift in shifts}
        seen = await self.meters_in_sight()
        reserved = await database.orders.unfinished(meters=seen) if ids else []
        unfinished = [order for order in reserved if order.shift in ids]
        end = day_end(shifts)
        lines = [line_view(line) for line in end.lines]
        view = DayEndView(
            day=day,
            closed=end.closed,
            open=end.open,
            float_fen=end.float_fen,
            taken_fen=sum(line.taken_fen for line in lines),
            given_fen=sum(line.given_fen for line in lines),
            expected_fen=end.expected_fen,
            counted_fen=end.counted_fen,
            difference_fen=end.difference_fen,
            lines=lines,
            shifts=[shift_view(shift) for shift in shifts],
            unfinished=await self.order_views(unfinished),
        )
        await self.show_list(
            "day_end.html",
            view,
            view.shifts,
            SHIFT_COLUMNS,
            filter=query,
            before=day - timedelta(days=1),
            after=day + timedelta(days=1) if day < today else None,
            line_names=LINE_NAMES,
            shift_states=SHIFT_STATES,
            **ORDER_WORDS,
        )
