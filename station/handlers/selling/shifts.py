"""Shifts: is the drawer right? Open with the float, count blind, read the report."""

import asyncio
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, create_model

from station.errors import Conflict, InvalidValue, NotFound
from station.handlers.access.identity import Forbidden, requires
from station.handlers.access.people import Permission
from station.handlers.base import Handler, ListQuery
from station.handlers.contract import contract
from station.handlers.marking import N_
from station.handlers.selling.money import Sparse, Yuan, whole_fen
from station.handlers.selling.shift_views import (
    LINE_NAMES,
    SHIFT_COLUMNS,
    SHIFT_STATES,
    ShiftList,
    ShiftView,
    shift_view,
)
from station.prepaid.limits import REASON_SIZE_MAX
from station.prepaid.paper import drawing
from station.prepaid.shift_pdf import Printing, number_text, to_pdf
from station.prepaid.shifts import FACES_FEN, PIECES_MAX, Shifts
from station.store.objects.shifts import Shift, ShiftState
from station.units import utc_now

AMOUNT = N_("an amount such as 100.00")


class ShiftsQuery(ListQuery):
    """Which shifts to show."""

    state: ShiftState | None = None
    clerk: str | None = Field(None, max_length=64)


class OpenBody(BaseModel):
    """The float: programs say `float_fen`, the form `float` in yuan."""

    float_fen: int | None = None
    float_yuan: Yuan | None = Field(None, alias="float", description=AMOUNT)


PieceCount = Annotated[int, Field(ge=0, le=PIECES_MAX)]


class CloseBody(Sparse):
    """What was counted: programs say `counted_fen` and, by the face in fen, `pieces`.

    The form says `counted` in yuan, and `pieces_10000` and so on for each face.
    """

    counted_fen: int | None = None
    counted: Yuan | None = Field(None, description=AMOUNT)
    pieces: dict[int, PieceCount] = Field({}, max_length=len(FACES_FEN))
    note: str = Field("", max_length=REASON_SIZE_MAX)

    @property
    def fen(self) -> int | None:
        """The sum, however it was said; None when it was not."""
        if self.counted_fen is not None:
            return self.counted_fen
        return None if self.counted is None else whole_fen(self.counted)

    def by_face(self) -> dict[int, int]:
        """Return how many pieces of each face were counted."""
        typed = {face: getattr(self, f"pieces_{face}", None) for face in FACES_FEN}
        return self.pieces | {face: count for face, count in typed.items() if count is not None}


_face_fields: dict[str, Any] = {f"pieces_{face}": (PieceCount | None, None) for face in FACES_FEN}
NOTHING_COUNTED = dict.fromkeys(("counted", "note", *_face_fields), "")
CloseForm = create_model("CloseForm", __base__=CloseBody, **_face_fields)


class ReportQuery(BaseModel):
    """In which language a close report is printed; that of the pages when it is not said."""

    language: Literal["en", "zh"] | None = None


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
        own = await self.people_in_sight()
        if own is not None and shift.clerk not in own:
            raise NotFound(f"there is no shift {shift_id}")
        if shift.clerk != self.clerk and not self.can(Permission.APPROVE):
            raise Forbidden(self.language.say("this is another clerk's shift"))
        return shift

    async def show_shift(self, shift: Shift, typed: dict[str, Any], errors: dict[str, str]) -> None:
        """Show a shift: its report, or the form to count the drawer."""
        self.show(
            "shift.html",
            shift_view(shift),
            status=self.get_status(),
            typed=NOTHING_COUNTED | typed,
            errors=errors,
            faces=FACES_FEN,
            line_names=LINE_NAMES,
            shift_states=SHIFT_STATES,
        )


class ShiftsHandler(ShiftHandler):
    """/shifts, /api/shifts"""

    @requires(Permission.SELL)
    @contract(ShiftList, query=ShiftsQuery, table=SHIFT_COLUMNS)
    async def get(self) -> None:
        await self._show({}, {})

    @requires(Permission.SELL)
    @contract(ShiftView, body=OpenBody, status=201)
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
        self.record(after=shift)
        notice = self.language.say("The shift is open.")
        self.done(shift_view(shift), "/shifts", notice, status=201)

    async def _show(self, typed: dict[str, Any], errors: dict[str, str]) -> None:
        """Show the clerk's own shift above, and those that this person may see below."""
        query = self.parse_query(ShiftsQuery)
        if not self.can(Permission.APPROVE):
            query.clerk = self.clerk
        skip, limit = self.span(query)
        shifts, total = await self.parts.database.shifts.list(
            query.text,
            query.state,
            query.clerk,
            skip=skip,
            limit=limit,
            sort=query.sort,
            clerks=await self.people_in_sight(),
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
    @contract(ShiftView)
    async def get(self, shift_id: str) -> None:
        await self.show_shift(await self.shift(shift_id), {}, {})


class CloseShiftHandler(ShiftHandler):
    """/shifts/ID/close, /api/shifts/ID/close"""

    @requires(Permission.SELL)
    @contract(ShiftView, body=CloseForm)
    async def post(self, shift_id: str) -> None:
        before = await self.shift(shift_id)
        try:
            body = self.parse_body(CloseForm)
            shift = await self.shifts.close(
                before.id,
                body.fen,
                by=self.clerk,
                note=" ".join(body.note.split()),
                pieces=body.by_face(),
            )
        except InvalidValue as error:
            if self.wants_json:
                raise
            self.set_status(400)
            await self.show_shift(
                before, self.typed(), problems(self.problems_of(error), "counted")
            )
            return
        self.record(before=before, after=shift)
        notice = self.language.say("The shift is closed.")
        self.done(shift_view(shift), f"/shifts/{shift.id}", notice)


class ShiftReportHandler(ShiftHandler):
    """/shifts/ID/report, /api/shifts/ID/report: the close report on paper"""

    @requires(Permission.SELL)
    @contract(None, query=ReportQuery, files=("pdf",), fails=(409,))
    async def get(self, shift_id: str) -> None:
        query = self.parse_query(ReportQuery)
        shift = await self.shift(shift_id)
        if shift.report is None:
            raise Conflict("this shift is still open: its report comes when it is closed")
        site = self.parts.config.site
        printing = Printing(
            site.name,
            site.simulation,
            site.zone_info,
            query.language or ("zh" if self.language.code == "zh" else "en"),
            self.clerk,
            utc_now(),
        )
        loop = asyncio.get_running_loop()
        pdf = await loop.run_in_executor(drawing, to_pdf, shift, printing)
        name = f"shift-{number_text(shift.number)}.pdf"
        self.set_header("Content-Type", "application/pdf")
        self.set_header("Content-Disposition", f'inline; filename="{name}"')
        self.set_header("Cache-Control", "no-store")
        self.write(pdf)


def problems(found: dict[str, str], field: str) -> dict[str, str]:
    """Return what was wrong under the names that the form has."""
    return {
        name.removesuffix("_fen") if name == f"{field}_fen" else name: text
        for name, text in found.items()
    }
