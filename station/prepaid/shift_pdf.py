"""The close report of a shift as PDF: one page A4, in English or in Chinese.

It says what the shift holds and nothing else, so a second print says the same as the first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from reportlab.lib.colors import Color, black
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm

from station.prepaid.paper import GREY, RED, Language, Pen, Row, chinese_font
from station.prepaid.receipt_words import CLERK, KIND_NAMES, NUMBER, SIGNATURE_CLERK, SIMULATION
from station.store.objects.shifts import ABANDONED, Report, ReportLine, Shift
from station.words import Text

UNFINISHED_MAX = 12  # Named on the page; the page of the shift has them all.
LINE_NAMES = KIND_NAMES | {ABANDONED: Text("Abandoned, money given back", "放弃的订单（已退款）")}

TITLE = Text("Shift close report", "结班报表")
BEGAN = Text("Began", "开始")
ENDED = Text("Ended", "结束")
CLOSED_BY = Text("Closed by", "结班人")
ORDERS = Text("Orders", "订单数")
NOTE = Text("Note", "备注")
KIND = Text("Kind", "业务")
TAKEN = Text("Taken", "收款")
GIVEN = Text("Given back", "退款")
FLOAT = Text("Float", "备用金")
EXPECTED = Text("Expected money", "应有金额")
COUNTED = Text("Counted money", "实点金额")
DIFFERENCE = Text("Difference", "差额")
FACES = Text("Notes and coins", "券别明细")
UNFINISHED = Text(
    "Money was taken, and the card was still to be written:", "已收款、尚未写卡的订单："
)
MORE = Text("and {number} more", "另有 {number} 笔")
SIGNATURE_SECOND = Text("Received by", "接收人签字")
PRINTED = Text("Printed {at} by {by}", "打印 {at} {by}")


@dataclass(frozen=True, slots=True)
class Printing:
    """How a report is printed: moments are shown in the zone, `by` is who prints it at `at`."""

    site: str
    simulation: bool
    zone: ZoneInfo
    language: Language
    by: str
    at: datetime


def to_pdf(shift: Shift, printing: Printing) -> bytes:
    """Return the close report of a closed shift as a PDF document."""
    assert shift.report is not None, "an open shift has no report"
    return _Sheet(shift, shift.report, printing).a4()


def number_text(number: int | None) -> str:
    """Return a report's number as it is shown: 6 digits or more."""
    return f"{number or 0:06d}"


class _Sheet:
    """One report on one page."""

    def __init__(self, shift: Shift, report: Report, printing: Printing) -> None:
        self._shift, self._report, self._printing = shift, report, printing
        self._left, self._right = 22 * mm, A4[0] - 22 * mm
        title = f"{self._say(TITLE)} {number_text(shift.number)}"
        self._pen = Pen(*A4, title, chinese_font())

    def a4(self) -> bytes:
        """Draw the page from the top down."""
        pen, left, width = self._pen, self._left, self._right - self._left
        top = A4[1] - 22 * mm
        pen.text(left, top - 12, self._printing.site, 13, color=GREY)
        pen.text(left, top - 42, self._say(TITLE), 26, bold=True)
        number = f"{self._say(NUMBER)} {number_text(self._shift.number)}"
        pen.text(self._right, top - 42, number, 16, bold=True, align="right")
        y = top - 58
        pen.rule(left, y, width, black)
        y = pen.rows(self._facts(), left, y - 22, width, 40 * mm, 10.5, 17)
        y = self._table(y - 8)
        y = self._money(y - 6)
        y = self._faces(y - 20)
        y = self._unfinished(y)
        self._signatures(min(y - 40, 62 * mm))
        self._foot()
        return pen.document()

    def _facts(self) -> list[Row]:
        it = self._shift
        facts = (
            (CLERK, it.clerk),
            (BEGAN, self._moment(it.opened_at)),
            (ENDED, self._moment(it.closed_at)),
            (CLOSED_BY, it.closed_by if it.closed_by != it.clerk else ""),
            (ORDERS, str(len(self._report.orders))),
            (NOTE, it.note),
        )
        return [Row(self._say(label), value) for label, value in facts if value]

    def _table(self, y: float) -> float:
        """Draw what each kind of order took and gave; return where it ends."""
        heads = (self._say(ORDERS), self._say(TAKEN), self._say(GIVEN))
        y = self._columns(y, self._say(KIND), heads, GREY)
        self._pen.rule(self._left, y + 12, self._right - self._left)
        for line in self._report.lines:
            y = self._columns(y, self._say(_name(line)), _numbers(line))
        return y

    def _columns(self, y: float, name: str, cells: Sequence[str], color: Color = black) -> float:
        self._pen.text(self._left, y, name, 10.5, color=color)
        for right, cell in zip((108 * mm, 148 * mm, self._right), cells, strict=True):
            self._pen.text(right, y, cell, 10.5, color=color, align="right")
        return y - 17

    def _money(self, y: float) -> float:
        """Draw the sums of the drawer; return where they end."""
        self._pen.rule(self._left, y + 14, self._right - self._left, black)
        sums = (
            (FLOAT, _money(self._shift.float_fen)),
            (EXPECTED, _money(self._report.expected_fen)),
            (COUNTED, _money(self._shift.counted_fen or 0)),
            (DIFFERENCE, _money(self._report.difference_fen, signed=True)),
        )
        for label, amount in sums:
            is_last = label is DIFFERENCE
            color = RED if is_last and self._report.difference_fen else black
            self._pen.text(self._left, y - 2, self._say(label), 12, bold=is_last, color=color)
            self._pen.text(self._right, y - 2, amount, 12, bold=is_last, color=color, align="right")
            y -= 19
        return y

    def _faces(self, y: float) -> float:
        """Draw how the counted sum was made up, in lines; return where they end."""
        pieces = self._shift.pieces
        if not pieces:
            return y
        made = [f"{_money(each.face_fen)} × {each.pieces}" for each in pieces]
        return self._paragraph(y, self._say(FACES), "   ".join(made))

    def _unfinished(self, y: float) -> float:
        orders = self._report.unfinished
        if not orders:
            return y
        named = ", ".join(orders[:UNFINISHED_MAX])
        more = len(orders) - UNFINISHED_MAX
        if more > 0:
            named += f", {self._say(MORE).format(number=more)}"
        return self._paragraph(y, self._say(UNFINISHED), named)

    def _paragraph(self, y: float, title: str, text: str) -> float:
        self._pen.text(self._left, y, title, 9.5, color=GREY)
        for line in self._pen.wrapped(text, 10, self._right - self._left):
            y -= 14
            self._pen.text(self._left, y, line, 10)
        return y - 22

    def _signatures(self, y: float) -> None:
        width = self._right - self._left
        for start, word in ((0.0, SIGNATURE_CLERK), (0.55, SIGNATURE_SECOND)):
            x = self._left + start * width
            self._pen.rule(x, y, 0.45 * width, GREY)
            self._pen.text(x, y - 13, self._say(word), 9, color=GREY)

    def _foot(self) -> None:
        printing, y = self._printing, 20 * mm
        printed = self._say(PRINTED).format(at=self._moment(printing.at), by=printing.by)
        self._pen.text(self._left, y, printed, 8.5, color=GREY)
        if printing.simulation:
            self._pen.text(self._right, y, self._say(SIMULATION), 8.5, color=RED, align="right")

    def _say(self, text: Text) -> str:
        return text.zh if self._printing.language == "zh" else text.en

    def _moment(self, moment: datetime | None) -> str:
        return "" if moment is None else f"{moment.astimezone(self._printing.zone):%Y-%m-%d %H:%M}"


def _name(line: ReportLine) -> Text:
    return LINE_NAMES.get(line.kind, Text(line.kind, line.kind))


def _numbers(line: ReportLine) -> tuple[str, str, str]:
    return str(line.orders), _money(line.taken_fen), _money(line.given_fen)


def _money(amount_fen: int, *, signed: bool = False) -> str:
    """Return an amount in yuan: 1,234.56; a difference with its sign."""
    whole, fen = divmod(abs(amount_fen), 100)
    sign = "-" if amount_fen < 0 else "+" if signed and amount_fen else ""
    return f"{sign}{whole:,}.{fen:02d}"
