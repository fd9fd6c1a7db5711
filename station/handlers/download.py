"""Tables as files: the columns of a list, written as CSV that spreadsheets open as it is."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Generic, TypeVar
from zoneinfo import ZoneInfo

from station.handlers.language import Language
from station.words import Text

ROWS_MAX = 100_000  # Rows of one file; more is a matter for reports.

_BYTE_ORDER_MARK = "\ufeff"  # By this a spreadsheet knows UTF-8.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

Row = TypeVar("Row")


@dataclass(frozen=True)
class Column(Generic[Row]):
    """One column: its head, a message of the catalogue, and how a row fills it."""

    title: str
    value: Callable[[Row], object]


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
