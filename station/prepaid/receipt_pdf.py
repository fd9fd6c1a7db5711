"""A receipt as PDF: A4 for the file, 80 mm for a till printer; in English or in Chinese."""

from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from reportlab.lib.colors import Color, black
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm

from station.prepaid import receipt_words as words
from station.prepaid.paper import GREY, RED, Language, Pen, Row, chinese_font
from station.store.objects.receipts import Print, Receipt
from station.words import Text

Size = Literal["a4", "80mm"]


def to_pdf(receipt: Receipt, made: Print, *, zone: ZoneInfo, fonts: str | None = None) -> bytes:
    """Return a receipt as a PDF document, marked as a copy unless it is the first print.

    Size and language are those of the print; moments are shown in the zone.
    """
    sheet = _Sheet(receipt, made, zone, fonts or chinese_font())
    return sheet.a4() if made.size == "a4" else sheet.till()


class _Sheet:
    """One receipt on one sheet of paper."""

    def __init__(self, receipt: Receipt, made: Print, zone: ZoneInfo, chinese: str) -> None:
        self._receipt = receipt
        self._made = made
        self._zone = zone
        self._chinese = chinese
        self._language: Language = "zh" if made.language == "zh" else "en"
        given = receipt.amount_fen < 0
        self._title = self._say(words.TITLE_GIVEN if given else words.TITLE_PAID)
        self._paid = self._say(words.GIVEN if given else words.PAID)
        self._number = words.number_text(receipt.number)

    def a4(self) -> bytes:
        """Return the receipt on a page for the file."""
        width, height = A4
        pen, left, right = self._pen(width, height), 22 * mm, width - 22 * mm
        if self._is_copy:  # A till printer has no grey to print this in.
            pen.watermark(words.COPY.en)
        top = height - 22 * mm
        side = 26 * mm
        pen.text(left, top - 12, self._receipt.site, 13, color=GREY)
        pen.text(left, top - 42, self._title, 26, bold=True)
        pen.qr(right - side, top - side, side, self._number)
        number = f"{self._say(words.NUMBER)} {self._number}"
        pen.text(left, top - 62, number, 12, color=GREY)
        if self._is_copy:
            pen.text(right - side - 14, top - 42, self._say(words.COPY), 18, color=RED, bold=True,
                     align="right")  # fmt: skip
        y = top - side - 20
        pen.rule(left, y, right - left, black)
        y = pen.rows(self._facts(), left, y - 24, right - left, 40 * mm, 11, 21)
        y = self._amount_a4(pen, left, y - 4, right - left)
        self._signatures(pen, left, y - 62, right - left)
        pen.text(left, 20 * mm, self._printed(), 8.5, color=GREY)
        if self._receipt.simulation:
            pen.text(right, 20 * mm, self._say(words.SIMULATION), 8.5, color=RED, align="right")
        return pen.document()

    def till(self) -> bytes:
        """Return the receipt on a strip for an 80 mm printer, as long as its text."""
        height = self._draw_till(self._pen(80 * mm, 400 * mm))[1]
        return self._draw_till(self._pen(80 * mm, height))[0].document()

    def _draw_till(self, pen: Pen) -> tuple[Pen, float]:
        """Draw from the top down; return the pen, and the height that was needed."""
        left, width, middle = 5 * mm, 70 * mm, 40 * mm
        y = pen.height - 9 * mm
        for line in pen.wrapped(self._receipt.site, 10, width):
            pen.text(middle, y, line, 10, align="centre")
            y -= 13
        y -= 10
        pen.text(middle, y, self._title, 17, bold=True, align="centre")
        y -= 16
        number = f"{self._say(words.NUMBER)} {self._number}"
        pen.text(middle, y, number, 10, align="centre")
        for mark, shown in (
            (words.COPY, self._is_copy),
            (words.SIMULATION, self._receipt.simulation),
        ):
            if shown:
                y -= 17
                pen.text(middle, y, self._say(mark), 11, bold=True, align="centre")
        y -= 9
        pen.rule(left, y, width, black)
        y = pen.rows(self._facts(), left, y - 14, width, 27 * mm, 9, 13)
        pen.rule(left, y + 4, width, black)
        y -= 17
        pen.text(left, y, self._paid, 10, bold=True)
        amount = words.money_text(self._receipt.amount_fen)
        pen.text(left + width, y - 2, amount, 17, bold=True, align="right")
        y -= 12
        if self._language == "zh":
            for line in pen.wrapped(self._capitals, 9, width):
                y -= 6
                pen.text(left, y, line, 9)
                y -= 7
        pen.rule(left, y, width, black)
        side = 24 * mm
        y -= side + 10
        pen.qr(middle - side / 2, y, side, self._number)
        y -= 14
        pen.text(middle, y, self._say(words.KEEP), 9, align="centre")
        for line in pen.wrapped(self._printed(), 7, width):
            y -= 10
            pen.text(middle, y, line, 7, align="centre")
        return pen, pen.height - y + 8 * mm

    def _amount_a4(self, pen: Pen, x: float, y: float, width: float) -> float:
        """Draw the box with the amount below y; return where it ends."""
        height = 58.0
        pen.canvas.setFillColor(Color(0.95, 0.96, 0.97))
        pen.canvas.roundRect(x, y - height, width, height, 5, stroke=0, fill=1)
        middle = y - height / 2 - 5
        pen.text(x + 14, middle, self._paid, 13, bold=True)
        amount = words.money_text(self._receipt.amount_fen)
        pen.text(x + width - 14, middle - 4, amount, 26, bold=True, align="right")
        if self._language == "zh":
            free = width - 28 - pen.width_of(amount, 26, True) - 80
            for index, line in enumerate(pen.wrapped(self._capitals, 11, free)):
                pen.text(x + 84, middle + 1 - 14 * index, line, 11)
        return y - height

    def _signatures(self, pen: Pen, x: float, y: float, width: float) -> None:
        for start, word in ((0.0, words.SIGNATURE_CLERK), (0.55, words.SIGNATURE_CUSTOMER)):
            pen.rule(x + start * width, y, 0.45 * width, GREY)
            pen.text(x + start * width, y - 13, self._say(word), 9, color=GREY)

    def _facts(self) -> list[Row]:
        """Return what is printed above the amount; what is empty is left out."""
        it = self._receipt
        kind = words.KIND_NAMES.get(it.kind, Text(it.kind, it.kind))
        facts = (
            (words.SOLD_AT, self._moment(it.sold_at)),
            (words.KIND, self._say(kind)),
            (words.CUSTOMER, it.customer),
            (words.CUSTOMER_NAME, it.customer_name),
            (words.CUSTOMER_ADDRESS, it.customer_address),
            (words.METER, it.meter),
            (words.CARD, it.card_serial),
            (words.TARIFF, it.tariff),
            (words.COUNT, str(it.count or "")),
            (words.ON_CARD, words.money_text(it.card_amount_fen) if it.card_amount_fen else ""),
            (words.REVERSES, "" if it.reverses is None else words.number_text(it.reverses)),
            (words.REASON, it.reason),
            (words.APPROVED_BY, it.approved_by),
            (words.CLERK, it.clerk),
        )
        return [Row(self._say(label), value) for label, value in facts if value]

    def _printed(self) -> str:
        return self._say(words.PRINTED).format(
            issued=self._moment(self._receipt.issued_at),
            ordinal=self._made.ordinal,
            at=self._moment(self._made.at),
            by=self._made.by,
        )

    @property
    def _capitals(self) -> str:
        capital = words.capital_amount(self._receipt.amount_fen)
        return f"{self._say(words.IN_CAPITALS)}：人民币{capital}"

    @property
    def _is_copy(self) -> bool:
        return self._made.ordinal > 1

    def _pen(self, width: float, height: float) -> Pen:
        return Pen(width, height, f"{self._title} {self._number}", self._chinese)

    def _say(self, text: Text) -> str:
        return text.zh if self._language == "zh" else text.en

    def _moment(self, moment: datetime) -> str:
        return f"{moment.astimezone(self._zone):%Y-%m-%d %H:%M}"
