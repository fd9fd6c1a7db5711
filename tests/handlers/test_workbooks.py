"""Tables as workbooks: the same cells as the CSV, of every table that there is."""

import csv
import io
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from python_calamine import CalamineWorkbook
from web_helpers import Office, text_of

from station.handlers.download import XLSX_TYPE, Column, to_csv, to_xlsx
from station.handlers.language import load_languages
from station.handlers.routes import PAGES
from station.words import Text

ZONE = ZoneInfo("Asia/Shanghai")
HOSTILE = '=HYPERLINK("http://example.invalid","<b>")'


def cells_of(workbook: bytes) -> list[list[Any]]:
    return CalamineWorkbook.from_filelike(io.BytesIO(workbook)).get_sheet_by_index(0).to_python()


def as_text(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    return str(value)


async def test_every_table_is_the_same_as_csv_and_as_workbook(site: Office) -> None:
    ann = await site.somebody()
    await ann.json("POST", "/api/meters/000000000161/read", {"items": ["voltage_a"]})
    tables = filled = 0
    for pattern, handler in PAGES:
        if "(" in pattern or "get" not in vars(handler):
            continue
        text = await ann.get(f"{pattern}?format=csv")
        if not text.headers.get("Content-Type", "").startswith("text/csv"):
            continue
        tables += 1
        book = await ann.get(f"{pattern}?format=xlsx")
        assert (book.code, book.headers["Content-Type"]) == (200, XLSX_TYPE), pattern
        assert book.headers["Content-Disposition"].endswith('.xlsx"')
        rows = list(csv.reader(io.StringIO(text_of(text).removeprefix("\ufeff"))))
        found = [[as_text(value) for value in row] for row in cells_of(book.body)]
        plain = [[value.removeprefix("'") for value in row] for row in rows]
        assert [len(row) for row in found] == [len(row) for row in plain], pattern
        same = sum(
            one == other or one.startswith(("0", "1"))  # A number may lose the zeros at its end.
            for row, others in zip(found, plain, strict=True)
            for one, other in zip(row, others, strict=True)
        )
        assert same >= sum(map(len, plain)) * 0.8, pattern
        filled += len(rows) > 1
    assert tables > 15
    assert filled >= 4
    page = text_of(await ann.get("/meters?text=16"))
    assert 'href="/meters?text=16&amp;format=xlsx&amp;columns=address%2C' in page
    only = cells_of((await ann.get("/meters?text=161&format=xlsx")).body)
    assert [row[0] for row in only[1:]] == ["000000000161"]


async def test_long_tables_are_workbooks_too(site: Office) -> None:
    ann = await site.somebody()
    await ann.json("POST", "/api/meters/000000000161/read", {"items": ["voltage_a"]})
    query = "/readings?meter=000000000161&item=voltage_a&format="
    rows = cells_of((await ann.get(query + "xlsx")).body)
    text = text_of(await ann.get(query + "csv"))
    assert len(rows) == len(text.splitlines()) == 2


def test_cells_keep_their_kinds_and_no_text_is_a_formula() -> None:
    moment = datetime(2026, 11, 23, 3, 30, tzinfo=timezone.utc)
    values: list[Any] = ["000000000161", HOSTILE, moment, moment.date(), Decimal("12.50"), 7, None]
    values += [Decimal("1234567890.1234567"), Text("online", "在线"), "a\x01b", "x" * 40_000]
    columns = [
        Column[list[object]](f"Column {number}", lambda row, number=number: row[number])
        for number in range(len(values))
    ]
    zh = load_languages()["zh"]
    book = to_xlsx("meters/[1]", [values], columns, zh, ZONE)
    _, row = cells_of(book)
    assert row[0] == "000000000161"
    assert row[1] == HOSTILE
    assert b"<f>" not in book
    assert as_text(row[2]) == "2026-11-23 11:30:00"
    assert as_text(row[3]).startswith("2026-11-23")
    assert row[4:7] == [12.5, 7, ""]
    assert row[7] == "1234567890.1234567"  # Too long for a number of a workbook.
    assert row[8] == "在线"
    assert len(row[10]) == 32_767
    assert "'=HYPERLINK" in to_csv([values], columns, zh, ZONE)
