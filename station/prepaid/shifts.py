"""Shifts: who is at the drawer, what should be in it, and what was counted.

The count is blind: nobody is told what should be in the drawer before the count is entered, and
what was entered stands. A difference is kept, never smoothed. An order bears its clerk's open
shift, so a shift's sums are those of the journal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from station.errors import Conflict, InvalidValue, NeedsShift
from station.prepaid.limits import AMOUNT_MAX_FEN, REASON_SIZE_MAX, Limits, yuan
from station.store.objects.base import new_id
from station.store.objects.shifts import Entry, Pieces, Report, ReportLine, Shift
from station.store.objects.shifts import Shifts as ShiftsStore
from station.units import utc_now

# Notes and coins of the renminbi, the largest first: 100 yuan down to 1 fen.
FACES_FEN = (100_00, 50_00, 20_00, 10_00, 5_00, 1_00, 50, 10, 5, 2, 1)
PIECES_MAX = 100_000  # Of one face; a drawer holds some thousands.
FLOAT_MAX_FEN = 10_000_000  # 100,000 yuan of change is no till any more.


class Shifts:
    """Opens and closes shifts."""

    def __init__(self, shifts: ShiftsStore) -> None:
        self._shifts = shifts

    async def open(self, clerk: str, float_fen: int) -> Shift:
        """Open a clerk's shift with the float that lies in the drawer.

        Raises InvalidValue, or Conflict when the clerk has an open shift.
        """
        _check_amount("float_fen", float_fen, FLOAT_MAX_FEN)
        shift = Shift(new_id(), clerk, float_fen, utc_now())
        await self._shifts.open(shift)
        return shift

    async def open_of(self, clerk: str) -> Shift | None:
        """Return a clerk's open shift, or None."""
        return await self._shifts.open_of(clerk)

    async def taken_fen(self, shift_id: str) -> int:
        """Return what a shift has taken from customers so far.

        Abandoned orders do not count; money given back for another reason makes no room for more.
        """
        return await self._shifts.taken_fen(shift_id)

    async def allow(self, shift: Shift, most_fen: int) -> None:
        """Note what a shift may take in all; each order is held to it when it is entered."""
        if shift.most_fen != most_fen:
            await self._shifts.allow(shift.id, most_fen)

    async def close(
        self,
        shift_id: str,
        counted_fen: int | None,
        *,
        by: str,
        note: str = "",
        pieces: Mapping[int, int] | None = None,
    ) -> Shift:
        """Close a shift with what was counted in the drawer, the float included.

        `pieces` says how many of which face, in fen; then the sum may be left out. Doing it again
        with the same count returns the same report. Raises InvalidValue, NotFound, or Conflict when
        it was closed with another count.
        """
        counted_by_face = _counted_pieces(pieces or {})
        counted_fen = _counted_fen(counted_fen, counted_by_face)
        _check_amount("counted_fen", counted_fen, AMOUNT_MAX_FEN)
        if len(note) > REASON_SIZE_MAX:
            raise InvalidValue("note", f"expected at most {REASON_SIZE_MAX} characters")
        now = utc_now()

        def closed(shift: Shift, entries: list[Entry], number: int) -> Shift:
            after = closed_shift(shift, entries, number, counted_fen, by=by, note=note, at=now)
            return replace(after, pieces=counted_by_face)

        shift = await self._shifts.close(shift_id, closed)
        if shift.counted_fen != counted_fen:
            raise Conflict(f"this shift is closed already, with report {shift.number}")
        return shift


class Drawer:
    """What selling asks before money moves: an open shift, the limits, the second person."""

    def __init__(self, shifts: Shifts, limits: Limits) -> None:
        self._shifts = shifts
        self._limits = limits

    async def shift_of(self, by: str) -> str:
        """Return the id of a clerk's open shift. Raises NeedsShift when there is none."""
        return (await self._shift_of(by)).id

    async def check(
        self, by: str, kind: str, amount_fen: int, approved_by: str | None, subject: str = ""
    ) -> None:
        """Check that a clerk may do this now; `amount_fen` is negative for money given back.

        `approved_by` is the id of an approval, which has to be for the subject (the order that is
        undone, or the account) where one is named. Raises NeedsShift, LimitReached, NeedsApproval.
        """
        shift = await self._shift_of(by)
        if amount_fen > 0:
            await self._shifts.allow(shift, (await self._limits.of(by)).shift_max_fen)
        taken_fen = await self._shifts.taken_fen(shift.id) if amount_fen > 0 else 0
        await self._limits.check(by, kind, amount_fen, approved_by, taken_fen, subject)

    async def _shift_of(self, by: str) -> Shift:
        shift = await self._shifts.open_of(by)
        if shift is None:
            raise NeedsShift(f"{by} has no open shift; open one first")
        return shift


def closed_shift(
    shift: Shift,
    entries: list[Entry],
    number: int,
    counted_fen: int,
    *,
    by: str,
    note: str,
    at: datetime,
) -> Shift:
    """Return an open shift as it is once closed, with its report."""
    expected_fen = shift.float_fen + sum(entry.amount_fen for entry in entries)
    report = Report(
        expected_fen,
        counted_fen - expected_fen,
        report_lines(entries),
        tuple(dict.fromkeys(entry.order for entry in entries)),
        tuple(entry.order for entry in entries if entry.unfinished),
    )
    return replace(
        shift,
        state="closed",
        number=number,
        closed_at=at,
        closed_by=by,
        counted_fen=counted_fen,
        note=note,
        report=report,
    )


def report_lines(entries: list[Entry]) -> tuple[ReportLine, ...]:
    """Return one line for each kind of order, in the order of their first appearance."""
    kinds = dict.fromkeys(entry.kind for entry in entries)
    return tuple(
        ReportLine(
            kind,
            sum(entry.kind == kind for entry in entries),
            sum(max(entry.amount_fen, 0) for entry in entries if entry.kind == kind),
            -sum(min(entry.amount_fen, 0) for entry in entries if entry.kind == kind),
        )
        for kind in kinds
    )


def _counted_pieces(pieces: Mapping[int, int]) -> tuple[Pieces, ...]:
    """Return the faces that there are any of, the largest first. Raises InvalidValue."""
    for face_fen, number in pieces.items():
        if face_fen not in FACES_FEN:
            raise InvalidValue("pieces", f"there is no note or coin of {yuan(face_fen)} yuan")
        if not 0 <= number <= PIECES_MAX:
            raise InvalidValue("pieces", f"expected 0 to {PIECES_MAX} pieces, got {number}")
    return tuple(Pieces(face, pieces[face]) for face in FACES_FEN if pieces.get(face))


def _counted_fen(counted_fen: int | None, pieces: Sequence[Pieces]) -> int:
    """Return the counted sum; where it is said both ways, both have to agree."""
    sum_fen = sum(each.face_fen * each.pieces for each in pieces)
    if counted_fen is None:
        if not pieces:
            raise InvalidValue("counted_fen", "is needed")
        return sum_fen
    if pieces and sum_fen != counted_fen:
        raise InvalidValue(
            "counted_fen",
            f"notes and coins come to {yuan(sum_fen)}, and {yuan(counted_fen)} was entered",
        )
    return counted_fen


def _check_amount(field: str, amount_fen: int, highest_fen: int) -> None:
    if not 0 <= amount_fen <= highest_fen:
        raise InvalidValue(field, f"expected 0 to {yuan(highest_fen)} yuan")
