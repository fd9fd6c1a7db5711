"""A receipt as PDF: A4 for the file, 80 mm for a till printer; in English or in Chinese.

Chinese is set in an embedded font of this machine; where there is none, in a font that the reader
of the PDF has to bring. Plain Latin text is set in Helvetica, which every reader has.
"""

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import segno
from reportlab.lib.colors import Color, black
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from station.prepaid import receipt_words as words
from station.store.objects.receipts import Print, Receipt
from station.words import Text

Size = Literal["a4", "80mm"]
Language = Literal["en", "zh"]

# TrueType fonts with Chinese in them, of the usual packages; the first that is there is taken.
FONT_FILES = (
    Path("/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc"),
    Path("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc"),
    Path("/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf"),
)
FONT = "StationChinese"
FONT_ELSEWHERE = "STSong-Light"  # Not embedded.
LATIN, LATIN_BOLD = "Helvetica", "Helvetica-Bold"
RUNS = re.compile(r"[\x20-\x7e\xa5\xb7]+|[^\x20-\x7e\xa5\xb7]+")

GREY = Color(0.42, 0.45, 0.5)
RULE = Color(0.82, 0.84, 0.87)
FAINT = Color(0.86, 0.2, 0.2, alpha=0.13)
RED = Color(0.75, 0.1, 0.1)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a receipt."""

    label: str
    value: str


def to_pdf(receipt: Receipt, made: Print, *, zone: ZoneInfo, fonts: str | None = None) -> bytes:
    """Return a receipt as a PDF document, marked as a copy unless it is the first print.

    Size and language are those of the print; moments are shown in the zone.
    """
    sheet = _Sheet(receipt, made, zone, fonts or chinese_font())
    return sheet.a4() if made.size == "a4" else sheet.till()


@lru_cache(maxsize=1)
def chinese_font() -> str:
    """Return the name of the font for Chinese, registered with the PDF library."""
    for path in FONT_FILES:
        if path.exists():
            pdfmetrics.registerFont(TTFont(FONT, str(path), subfontIndex=0))
            return FONT
    pdfmetrics.registerFont(UnicodeCIDFont(FONT_ELSEWHERE))
    return FONT_ELSEWHERE


class _Pen:
    """Draws texts, rules and the QR code on one page; lengths in points from the lower left."""

    def __init__(self, width: float, height: float, title: str, chinese: str) -> None:
        self._file = io.BytesIO()
        self.canvas = Canvas(self._file, pagesize=(width, height), pageCompression=1)
        self.canvas.setTitle(title)
        self.chinese = chinese
        self.width, self.height = width, height

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        *,
        color: Color = black,
        bold: bool = False,
        align: Literal["left", "right", "centre"] = "left",
    ) -> None:
        """Write one line; x is its left end, right end or middle."""
        if align != "left":
            x -= self.width_of(text, size, bold) * (1.0 if align == "right" else 0.5)
        self.canvas.saveState()  # How bold the letters are would last beyond this line.
        line = self.canvas.beginText(x, y)
        self.canvas.setFillColor(color)
        self.canvas.setStrokeColor(color)
        self.canvas.setLineWidth(size / 30)
        for run, font in self._runs(text, bold):
            line.setFont(font, size)
            # The Chinese font has one weight; a stroke around it makes it a bold one.
            line.setTextRenderMode(2 if bold and font == self.chinese else 0)
            line.textOut(run)
        self.canvas.drawText(line)
        self.canvas.restoreState()

    def width_of(self, text: str, size: float, bold: bool = False) -> float:
        """Return how wide a line is."""
        return sum(stringWidth(run, font, size) for run, font in self._runs(text, bold))

    def wrapped(self, text: str, size: float, width: float) -> list[str]:
        """Return a text as lines that fit, broken at a space where there is one near."""
        lines, line = [], ""
        for piece in re.findall(r"[\x21-\x7e]+ ?|.", text):
            if line and self.width_of(line + piece.rstrip(), size) > width:
                lines.append(line.rstrip())
                line = ""
            while self.width_of(piece.rstrip(), size) > width:
                fitting = self._fitting(piece, size, width)
                lines.append(piece[:fitting])
                piece = piece[fitting:]
            line += piece
        return [*lines, line.rstrip()]

    def rule(self, x: float, y: float, width: float, color: Color = RULE) -> None:
        """Draw a thin line to the right."""
        self.canvas.setStrokeColor(color)
        self.canvas.setLineWidth(0.6)
        self.canvas.line(x, y, x + width, y)

    def qr(self, x: float, y: float, side: float, text: str) -> None:
        """Draw a QR code whose lower left corner is at x, y."""
        rows = [*segno.make_qr(text, error="m").matrix]
        module = side / len(rows)
        path = self.canvas.beginPath()
        for index, row in enumerate(rows):
            for start, length in _dark_runs(row):
                top = y + side - (index + 1) * module
                path.rect(x + start * module, top, length * module, module)
        self.canvas.setFillColor(black)
        self.canvas.drawPath(path, stroke=0, fill=1)

    def watermark(self, text: str) -> None:
        """Write a large faint word across the page."""
        self.canvas.saveState()
        self.canvas.translate(self.width / 2, self.height / 2)
        self.canvas.rotate(32)
        self.text(0, 0, text, self.width / (1 + len(text)), color=FAINT, bold=True, align="centre")
        self.canvas.restoreState()

    def document(self) -> bytes:
        """Return the finished document."""
        self.canvas.save()
        return self._file.getvalue()

    def _runs(self, text: str, bold: bool) -> Iterator[tuple[str, str]]:
        latin = LATIN_BOLD if bold else LATIN
        for match in RUNS.finditer(text):
            run = match.group()
            yield run, latin if run[0] in "\xa5\xb7" or run[0].isascii() else self.chinese

    def _fitting(self, piece: str, size: float, width: float) -> int:
        """Return how many letters of a long word fit; at least one."""
        count = 1
        while self.width_of(piece[: count + 1], size) <= width:
            count += 1
        return count


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
        y = self._rows(pen, self._facts(), left, y - 24, right - left, 40 * mm, 11, 21)
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

    def _draw_till(self, pen: _Pen) -> tuple[_Pen, float]:
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
        y = self._rows(pen, self._facts(), left, y - 14, width, 27 * mm, 9, 13)
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

    def _amount_a4(self, pen: _Pen, x: float, y: float, width: float) -> float:
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

    def _signatures(self, pen: _Pen, x: float, y: float, width: float) -> None:
        for start, word in ((0.0, words.SIGNATURE_CLERK), (0.55, words.SIGNATURE_CUSTOMER)):
            pen.rule(x + start * width, y, 0.45 * width, GREY)
            pen.text(x + start * width, y - 13, self._say(word), 9, color=GREY)

    def _rows(
        self,
        pen: _Pen,
        rows: Sequence[Row],
        x: float,
        y: float,
        width: float,
        label_width: float,
        size: float,
        step: float,
    ) -> float:
        """Draw labels and values downwards from y; return where the next row would stand."""
        for row in rows:
            pen.text(x, y, row.label, size, color=GREY)
            for line in pen.wrapped(row.value, size, width - label_width):
                pen.text(x + label_width, y, line, size)
                y -= step
        return y

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

    def _pen(self, width: float, height: float) -> _Pen:
        return _Pen(width, height, f"{self._title} {self._number}", self._chinese)

    def _say(self, text: Text) -> str:
        return text.zh if self._language == "zh" else text.en

    def _moment(self, moment: datetime) -> str:
        return f"{moment.astimezone(self._zone):%Y-%m-%d %H:%M}"


def _dark_runs(row: bytes | bytearray) -> Iterator[tuple[int, int]]:
    """Yield where dark modules begin in a row of a QR code, and how many stand side by side."""
    for match in re.finditer(rb"\x01+", bytes(row)):
        yield match.start(), match.end() - match.start()
