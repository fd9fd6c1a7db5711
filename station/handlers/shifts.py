"""Shifts: is the drawer right? Open with the float, count blind, read the report."""

from typing import Any

from pydantic import BaseModel, Field

from station.errors import Conflict, InvalidValue
from station.handlers.base import Handler, ListQuery
from station.handlers.identity import Forbidden, requires
from station.handlers.marking import N_
from station.handlers.money import Yuan, whole_fen
from station.handlers.people import Permission
from station.handlers.shift_views import (
    LINE_NAMES,
    SHIFT_COLUMNS,
    SHIFT_STATES,
    ShiftList,
    shift_view,
)
from station.prepaid.limits import REASON_SIZE_MAX
from station.prepaid.shifts import Shifts
from station.store.objects.shifts import Shift, ShiftState

AMOUNT = N_("an amount such as 100.00")


class ShiftsQuery(ListQuery):
    """Which shifts to show."""

    state: ShiftState | None = None
    clerk: str | None = Field(None, max_length=64)


class OpenBody(BaseModel):
    """The float: programs say `float_fen`, the form `float` in yuan."""

    float_fen: int | None = None
    float_yuan: Yuan | None = Field(None, alias="float", description=AMOUNT)


class CloseBody(BaseModel):
    """What was counted: programs say `counted_fen`, the form `counted` in yuan."""

    counted_fen: int | None = None
    counted: Yuan | None = Field(None, description=AMOUNT)
    note: str = Field("", max_length=REASON_SIZE_MAX)


class ShiftHandler(Handler):
    """What the handlers of shifts share."""

    @property
    def shifts(self) -> Shifts:
        """The shifts of the site."""
        return Shifts(self.parts.database.shifts)

    @property
    def clerk(self) -> str:
        """The name of the person who asks."""
        assert self.user is not None, "a permission needs a person"
        return self.user.name

    def fen(self, field: str, fen: int | None, amount: Yuan | None) -> int:
        """Return an amount, however it was said. Raises InvalidValue when it was not."""
        if fen is not None:
            return fen
        if amount is None:
            raise InvalidValue(field, "is needed")
        return whole_fen(amount)

    async def shift(self, shift_id: str) -> Shift:
        """Return a shift that this person may see: the own ones, or all with the right to approve.

        Raises NotFound and Forbidden.
        """
        shift = await self.parts.database.shifts.get(shift_id)
        if shift.clerk != self.clerk and not self.can(Permission.APPROVE):
            raise Forbidden(self.language.say("this is another clerk's shift"))
        return shift

    async def show_shift(self, shift: Shift, typed: dict[str, Any], errors: dict[str, str]) -> None:
        """Show a shift: its report, or the form to count the drawer."""
        self.show(
            "shift.html",
            shift_view(shift),
            status=self.get_status(),
            typed={"counted": "", "note": ""} | typed,
            errors=errors,
            line_names=LINE_NAMES,
            shift_states=SHIFT_STATES,
        )


class ShiftsHandler(ShiftHandler):
    """/shifts, /api/shifts"""

    @requires(Permission.SELL)
    async def get(self) -> None:
        await self._show({}, {})

    @requires(Permission.SELL)
    async def post(self) -> None:
        try:
            body = self.parse_body(OpenBody)
            amount_fen = self.fen("float", body.float_fen, body.float_yuan)
            shift = await self.shifts.open(self.clerk, amount_fen)
        except (InvalidValue, Conflict) as error:
            if self.wants_json:
                raise
            self.set_status(400 if isinstance(error, InvalidValue) else 409)
            await self._show(self.typed(), problems(self.problems_of(error), "float"))
            return
        notice = self.language.say("The shift is open.")
        self.done(shift_view(shift), "/shifts", notice, status=201)

    async def _show(self, typed: dict[str, Any], errors: dict[str, str]) -> None:
        """Show the clerk's own shift above, and those that this person may see below."""
        query = self.parse_query(ShiftsQuery)
        if not self.can(Permission.APPROVE):
            query.clerk = self.clerk
        skip, limit = self.span(query)
        shifts, total = await self.parts.database.shifts.list(
            query.text, query.state, query.clerk, skip=skip, limit=limit
        )
        rows = [shift_view(shift) for shift in shifts]
        await self.show_list(
            "shifts.html",
            ShiftList(items=rows, total=total),
            rows,
            SHIFT_COLUMNS,
            status=self.get_status(),
            own=await self.shifts.open_of(self.clerk),
            filter=query,
            typed={"float": ""} | typed,
            errors=errors,
            shift_states=SHIFT_STATES,
        )


class OneShiftHandler(ShiftHandler):
    """/shifts/ID, /api/shifts/ID"""

    @requires(Permission.SELL)
    async def get(self, shift_id: str) -> None:
        await self.show_shift(await self.shift(shift_id), {}, {})


class CloseShiftHandler(ShiftHandler):
    """/shifts/ID/close, /api/shifts/ID/close"""

    @requires(Permission.SELL)
    async def post(self, shift_id: str) -> None:
        before = await self.shift(shift_id)
        try:
            body = self.parse_body(CloseBody)
            counted_fen = self.fen("counted", body.counted_fen, body.counted)
            shift = await self.shifts.close(
                before.id, counted_fen, by=self.clerk, note=" ".join(body.note.split())
            )
        except InvalidValue as error:
            if self.wants_json:
                raise
            self.set_status(400)
            await self.show_shift(
                before, self.typed(), problems(self.problems_of(error), "counted")
            )
            return
        notice = self.language.say("The shift is closed.")
        self.done(shift_view(shift), f"/shifts/{shift.id}", notice)


def problems(found: dict[str, str], field: str) -> dict[str, str]:
    """Return what was wrong under the names that the form has."""
    return {
        name.removesuffix("_fen") if name == f"{field}_fen" else name: text
        for name, text in found.items()
    }
