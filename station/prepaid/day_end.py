"""The day end: what all shifts of a day come to. Pure.

A shift belongs to the day on which it was opened. One that is still open is only counted: what
should be in a drawer is told to nobody before the drawer was counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from station.store.objects.shifts import ReportLine, Shift


@dataclass(frozen=True, slots=True)
class DayEnd:
    """What the shifts of a day come to, in fen: sums of those that are closed."""

    closed: int
    open: int
    float_fen: int
    expected_fen: int
    counted_fen: int
    lines: tuple[ReportLine, ...]

    @property
    def difference_fen(self) -> int:
        """What was counted less what was expected: negative when money is missing."""
        return self.counted_fen - self.expected_fen


def day_end(shifts: Sequence[Shift]) -> DayEnd:
    """Return what the shifts of a day come to."""
    closed = [shift for shift in shifts if shift.report is not None]
    reports = [shift.report for shift in closed if shift.report is not None]
    return DayEnd(
        closed=len(closed),
        open=len(shifts) - len(closed),
        float_fen=sum(shift.float_fen for shift in closed),
        expected_fen=sum(report.expected_fen for report in reports),
        counted_fen=sum(shift.counted_fen or 0 for shift in closed),
        lines=_added([line for report in reports for line in report.lines]),
    )


def _added(lines: Sequence[ReportLine]) -> tuple[ReportLine, ...]:
    """Return one line for each kind, in the order of their first appearance."""
    return tuple(
        ReportLine(
            kind,
            sum(line.orders for line in lines if line.kind == kind),
            sum(line.taken_fen for line in lines if line.kind == kind),
            sum(line.given_fen for line in lines if line.kind == kind),
        )
        for kind in dict.fromkeys(line.kind for line in lines)
    )
