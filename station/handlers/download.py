"""Tables as files: the columns of a list, written as CSV or as a workbook (XLSX).

Times are in the site's zone and heads in the reader's language. No text becomes a formula: CSV gets
a quote in front of what begins like one, a workbook marks every text as text.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import KW_ONLY, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Generic, TypeVar
from zoneinfo import ZoneInfo

import xlsxwriter

from station.handlers.language import Language
from station.words import Text

ROWS_MAX = 100_000  # Rows of one file; more is a matter for reports.
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_BYTE_ORDER_MARK = "\ufeff"  # By this a spreadsheet knows UTF-8.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_CELL_SIZE_MAX = 32_767  # Characters that a cell of a workbook can hold,
_DIGITS_MAX = 15  # the digits of a number in it,
_YEAR_MIN = 1900  # the first year that it knows,
_TITLE_SIZE_MAX = 31  # and the characters of a sheet's name.
_TITLE_FORBIDDEN = re.compile(r"[\[\]:*?/\\']")
_WORDS = re.compile("[a-z0-9]+")
_WIDTH_MIN, _WIDTH_MAX = 10, 40  # Characters of a column: an address fits, a long text is cut.
_ROWS_MEASURED = 200  # These say how wide the columns are.

# Workbooks are made here one after the other: thousands of rows take a second of a core.
writing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="workbooks")

Row = TypeVar("Row")


@dataclass(frozen=True)
class Column(Generic[Row]):
    """One column: its head, a message of the catalogue, and how a row fills it.

    `key` names it in addresses; without one it is made of the title. On a page the head is `head`,
    with the `unit` behind it. What stands `within` another column is written in that one's cell on
    a page, and beside it in a file; `more` is shown when it is chosen. `sort` is what the list can
    be sorted by here, with a minus where the largest or latest come first at the first click.
    `look` are classes of its cells.
    """

    title: str
    value: Callable[[Row], object]
    _: KW_ONLY
    key: str = ""
    head: str = ""
    unit: str = ""
    within: str = ""
    more: bool = False
    sort: str = ""
    look: str = ""

    @property
    def name(self) -> str:
        """What addresses call it: `last_seen`."""
        return self.key or "_".join(_WORDS.findall(self.title.lower()))


def to_csv(
    rows: Sequence[Row], columns: Sequence[Column[Row]], language: Language, zone: ZoneInfo
) -> str:
    """Return a table as CSV, heads in the reader's language, times in the site's zone."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([language.say(column.title) for column in columns])
    for row in rows:
        writer.writerow([_cell(column.value(row), language, zone) for column in columns])
    return _BYTE_ORDER_MARK + text.getvalue()


class Workbook(Generic[Row]):
    """A workbook of one table, filled row by row; it blocks, so it belongs into `writing`."""

    def __init__(
        self, title: str, columns: Sequence[Column[Row]], language: Language, zone: ZoneInfo
    ) -> None:
        self._columns, self._language, self._zone = columns, language, zone
        self._file = io.BytesIO()
        # What is written goes to a temporary file at once: memory holds one row.
        self._book = xlsxwriter.Workbook(self._file, {"constant_memory": True})
        self._sheet = self._book.add_worksheet(_sheet_name(title))
        self._moment = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._day = self._book.add_format({"num_format": "yyyy-mm-dd"})
        heads = [language.say(column.title) for column in columns]
        self._sheet.write_row(0, 0, heads, self._book.add_format({"bold": True}))
        self._sheet.freeze_panes(1, 0)
        self._widths = [_width(head) for head in heads]
        self._rows = 0

    def add(self, rows: Iterable[Row]) -> None:
        """Write these rows behind those that are there."""
        for row in rows:
            self._rows += 1
            for number, column in enumerate(self._columns):
                self._write(number, column.value(row))

    def to_bytes(self) -> bytes:
        """Return the file; after this nothing can be added."""
        last = max(len(self._columns) - 1, 0)
        self._sheet.autofilter(0, 0, self._rows, last)
        # An address is a text of digits on purpose.
        self._sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})
        for number, width in enumerate(self._widths):
            self._sheet.set_column(number, number, min(width, _WIDTH_MAX))
        self._book.close()
        return self._file.getvalue()

    def _write(self, column: int, value: object) -> None:
        if value is None:
            return
        if isinstance(value, datetime) and value.year >= _YEAR_MIN:
            local = value.astimezone(self._zone).replace(tzinfo=None)
            self._sheet.write_datetime(self._rows, column, local, self._moment)
            text = _cell(value, self._language, self._zone)
        elif isinstance(value, date) and not isinstance(value, datetime):
            self._sheet.write_datetime(self._rows, column, value, self._day)
            text = str(value)
        elif _is_exact(value):
            self._sheet.write_number(self._rows, column, value)
            text = str(value)
        else:
            text = self._language.name(value) if isinstance(value, Text) else str(value)
            self._sheet.write_string(self._rows, column, text[:_CELL_SIZE_MAX])
        if self._rows <= _ROWS_MEASURED:
            self._widths[column] = max(self._widths[column], _width(text))


def to_xlsx(
    title: str,
    rows: Iterable[Row],
    columns: Sequence[Column[Row]],
    language: Language,
    zone: ZoneInfo,
) -> bytes:
    """Return a table as a workbook with one sheet."""
    book = Workbook(title, columns, language, zone)
    book.add(rows)
    return book.to_bytes()


def _is_exact(value: object) -> bool:
    """Tell whether a value is a number that a workbook holds without rounding."""
    if isinstance(value, bool) or not isinstance(value, Decimal | int | float):
        return False
    digits = Decimal(str(value)).as_tuple()
    return isinstance(digits.exponent, int) and len(digits.digits) <= _DIGITS_MAX


def _sheet_name(title: str) -> str:
    return _TITLE_FORBIDDEN.sub("-", title)[:_TITLE_SIZE_MAX] or "table"


def _width(text: str) -> int:
    """Return how many columns of characters a text takes; a Chinese one takes two."""
    return max(_WIDTH_MIN, 2 + sum(1 if letter < "\u2e80" else 2 for letter in text))


def _cell(value: object, language: Language, zone: ZoneInfo) -> str:
    if value is None:
        return ""
    if isinstance(value, Text):
        return language.name(value)
    if isinstance(value, datetime):
        return value.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, Decimal | int | float | date):
        return str(value)
    text = str(value)
    # A name that begins like a formula must not become one.
    return f"'{text}" if text.startswith(_FORMULA_STARTS) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
