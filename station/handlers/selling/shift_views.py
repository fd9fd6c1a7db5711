"""Shifts, limits and approvals as pages and JSON show them."""

from datetime import datetime

from pydantic import BaseModel

from station.handlers.download import Column
from station.handlers.marking import N_
from station.handlers.selling.money import yuan_typed
from station.prepaid import shift_pdf
from station.store.objects.limits import Approval
from station.store.objects.shifts import ReportLine, Shift, ShiftState
from station.words import Text

LINE_NAMES = shift_pdf.LINE_NAMES
SHIFT_STATES = {"open": Text("open", "进行中"), "closed": Text("closed", "已结班")}


class LineView(BaseModel):
    """One kind of order in a close report."""

    kind: str
    orders: int
    taken_fen: int
    given_fen: int


class PiecesView(BaseModel):
    """How many notes and coins of one face were counted."""

    face_fen: int
    pieces: int


class ShiftView(BaseModel):
    """A shift; what should be in the drawer is there only once it is closed.

    `difference_fen` is counted less expected: negative when money is missing. `pieces` is how the
    counted sum was made up, where that was told.
    """

    id: str
    clerk: str
    state: ShiftState
    number: int | None
    float_fen: int
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    counted_fen: int | None
    expected_fen: int | None
    difference_fen: int | None
    taken_fen: int | None
    given_fen: int | None
    pieces: list[PiecesView]
    note: str
    lines: list[LineView]
    unfinished: list[str]
    orders: int | None


class ShiftList(BaseModel):
    items: list[ShiftView]
    total: int


class ApprovalView(BaseModel):
    """A second person's word; `order` is what used it, `id` what an order bears as approved_by."""

    id: str
    by: str
    kind: str
    amount_fen: int
    subject: str
    reason: str
    approved_by: str
    at: datetime
    expires_at: datetime
    order: str | None


class ApprovalList(BaseModel):
    items: list[ApprovalView]
    total: int


class LimitsView(BaseModel):
    """What holds for one person: own limits, or those of the site (the own ones are None)."""

    clerk: str
    role: str
    sale_max_fen: int
    shift_max_fen: int
    approval_above_fen: int
    own_sale_max_fen: int | None
    own_shift_max_fen: int | None
    own_approval_above_fen: int | None
    changed_by: str
    changed_at: datetime | None


class LimitsList(BaseModel):
    items: list[LimitsView]
    total: int


SHIFT_COLUMNS = (
    Column[ShiftView](N_("Report"), lambda shift: shift.number),
    Column[ShiftView](N_("Clerk"), lambda shift: shift.clerk, sort="clerk"),
    Column[ShiftView](N_("State"), lambda shift: SHIFT_STATES[shift.state], within="report"),
    Column[ShiftView](N_("Began"), lambda shift: shift.opened_at, sort="-began", look="nowrap"),
    Column[ShiftView](N_("Ended"), lambda shift: shift.closed_at, look="nowrap only-wide"),
    Column[ShiftView](
        N_("Float"), lambda shift: yuan_typed(shift.float_fen), more=True, look="number"
    ),
    Column[ShiftView](
        N_("Taken"), lambda shift: yuan_typed(shift.taken_fen), look="number only-wide"
    ),
    Column[ShiftView](
        N_("Given back"), lambda shift: yuan_typed(shift.given_fen), look="number only-wide"
    ),
    Column[ShiftView](
        N_("Expected money"), lambda shift: yuan_typed(shift.expected_fen), more=True, look="number"
    ),
    Column[ShiftView](
        N_("Counted money"), lambda shift: yuan_typed(shift.counted_fen), look="number"
    ),
    Column[ShiftView](
        N_("Difference"), lambda shift: yuan_typed(shift.difference_fen), look="nowrap"
    ),
    Column[ShiftView](N_("Note"), lambda shift: shift.note, more=True),
)
APPROVAL_COLUMNS = (
    Column[ApprovalView](N_("Time"), lambda approval: approval.at, sort="-time", look="nowrap"),
    Column[ApprovalView](N_("Approved by"), lambda approval: approval.approved_by),
    Column[ApprovalView](N_("Clerk"), lambda approval: approval.by),
    Column[ApprovalView](N_("Kind"), lambda approval: kind_name(approval.kind)),
    Column[ApprovalView](
        N_("Up to"), lambda approval: yuan_typed(approval.amount_fen), look="number"
    ),
    Column[ApprovalView](N_("For"), lambda approval: approval.subject, more=True),
    Column[ApprovalView](N_("Reason"), lambda approval: approval.reason, look="small"),
    Column[ApprovalView](N_("Used for order"), lambda approval: approval.order),
)


def kind_name(kind: str) -> Text:
    """Return what people call a kind of order."""
    return LINE_NAMES.get(kind, Text(kind, kind))


def shift_view(shift: Shift) -> ShiftView:
    """Return a shift as it is shown."""
    report = shift.report
    lines = () if report is None else report.lines
    return ShiftView(
        id=shift.id,
        clerk=shift.clerk,
        state=shift.state,
        number=shift.number,
        float_fen=shift.float_fen,
        opened_at=shift.opened_at,
        closed_at=shift.closed_at,
        closed_by=shift.closed_by,
        counted_fen=shift.counted_fen,
        expected_fen=None if report is None else report.expected_fen,
        difference_fen=None if report is None else report.difference_fen,
        taken_fen=None if report is None else sum(line.taken_fen for line in lines),
        given_fen=None if report is None else sum(line.given_fen for line in lines),
        pieces=[PiecesView(face_fen=it.face_fen, pieces=it.pieces) for it in shift.pieces],
        note=shift.note,
        lines=[line_view(line) for line in lines],
        unfinished=[] if report is None else [*report.unfinished],
        orders=None if report is None else len(report.orders),
    )


def line_view(line: ReportLine) -> LineView:
    """Return a line of a report as it is shown."""
    return LineView(
        kind=line.kind, orders=line.orders, taken_fen=line.taken_fen, given_fen=line.given_fen
    )


def approval_view(approval: Approval, order: str | None) -> ApprovalView:
    """Return an approval with the order that used it."""
    return ApprovalView(
        id=approval.id,
        by=approval.by,
        kind=approval.kind,
        amount_fen=approval.amount_fen,
        subject=approval.subject,
        reason=approval.reason,
        approved_by=approval.approved_by,
        at=approval.at,
        expires_at=approval.expires_at,
        order=order,
    )
