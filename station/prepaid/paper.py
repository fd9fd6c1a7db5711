"""Paper: what receipts and reports are drawn with; texts, rules, codes and rows on a page of a PDF.

Chinese is set in an embedded font of this machine; where there is none, in a font that the reader
of the PDF has to bring. Plain Latin text is set in Helvetica, which every reader has.
"""

import io
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import segno
from reportlab.lib.colors import Color, black
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

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

# One thread: the library's fonts are shared, and a page takes some 20 ms.
drawing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="paper")

GREY = Color(0.42, 0.45, 0.5)
RULE = Color(0.82, 0.84, 0.87)
FAINT = Color(0.86, 0.2, 0.2, alpha=0.13)
RED = Color(0.75, 0.1, 0.1)


@dataclass(frozen=True, slots=True)
class Row:
    """A label and its value."""

    label: str
    value: str


@lru_cache(maxsize=1)
def chinese_font() -> str:
    """Return the name of the font for Chinese, registered with the PDF library."""
    for path in FONT_FILES:
        if path.exists():
            pdfmetrics.registerFont(TTFont(FONT, str(path), subfontIndex=0))
            return FONT
    pdfmetrics.registerFont(UnicodeCIDFont(FONT_ELSEWHERE))
    return FONT_ELSEWHERE


class Pen:
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

    def rows(
        self,
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
            self.text(x, y, row.label, size, color=GREY)
            for line in self.wrapped(row.value, size, width - label_width):
                self.text(x + label_width, y, line, size)
                y -= step
        return y

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


def _dark_runs(row: bytes | bytearray) -> Iterator[tuple[int, int]]:
    """Yield where dark modules begin in a row of a QR code, and how many stand side by side."""
    for match in re.finditer(rb"\x01+", bytes(row)):
        yield match.start(), match.end() - match.start()
