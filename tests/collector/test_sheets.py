"""Files that people send: what they hold comes out, and no file does harm."""

import io
import random
import zipfile
from datetime import datetime

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from station.collector import sheets
from station.collector.sheets import parse, read_cells
from station.errors import InvalidValue


def workbook(rows: list[list[object]], **cells: object) -> bytes:
    """Return a workbook of these rows, and of more cells by their names."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"default_date_format": "yyyy-mm-dd"})
    sheet = book.add_worksheet()
    for number, row in enumerate(rows):
        sheet.write_row(number, 0, row)
    for name, value in cells.items():
        sheet.write(name, value)
    book.close()
    return file.getvalue()


ROWS = [["address", "名称"], ["000000000161", "Shop; with, all"], ["", ""], ["000000000162", "中"]]
TEXT = 'address,名称\r\n000000000161,"Shop; with, all"\r\n,\r\n000000000162,中\r\n,\r\n'
CELLS = [ROWS[0], ROWS[1], [], ROWS[3]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_text_is_read_in_each_encoding(encoding: str) -> None:
    assert parse(TEXT.encode(encoding)) == CELLS


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_text_is_read_with_each_separator(separator: str) -> None:
    assert parse(f"a{separator}b\n1{separator}2".encode()) == [["a", "b"], ["1", "2"]]


async def test_workbook_is_read_by_the_child() -> None:
    assert await read_cells(workbook(ROWS)) == CELLS
    assert await read_cells(TEXT.encode()) == CELLS


def test_numbers_and_moments_are_written_as_people_write_them() -> None:
    rows = [["head"], [161.0], [12.5], [202611230001.0], [True], [datetime(2026, 1, 31)]]  # noqa: DTZ001  A workbook knows no zones.
    found = [row[0] for row in parse(workbook(rows))]
    assert found[1:5] == ["161", "12.5", "202611230001", "True"]
    assert found[5].startswith("2026-01-31")


def test_quote_that_keeps_a_text_from_being_a_formula_is_taken_off() -> None:
    assert parse(b"name\n'=1+1\n'quoted'\n") == [["name"], ["=1+1"], ["'quoted'"]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"x" * (sheets.FILE_SIZE_MAX + 1), "the file has more than 16 MB"),
        (b"\n\n,,\n", "the file holds no table"),
        (b"PK\x03\x04 but no more", "the file is no workbook that can be read"),
        (b"\xd0\xcf\x11\xe0 but no more", "the file is no workbook that can be read"),
        (b"\x00\x01\x02", "the file is neither a workbook nor a text"),
        (b"a\n" + b"x" * 1001, "field larger than field limit"),
        (b"a\n" * 50_001, "a file has at most 50000 rows"),
        (b"a," * 61 + b"a", "a file has at most 60 columns"),
        (workbook([["a"]], A50001=1), "a file has at most 50000 rows"),
        (workbook([["a"]], BJ1=1), "a file has at most 60 columns"),
        (workbook([["a"], ["x" * 1001]]), "a cell has at most 1000 characters"),
    ],
)
async def test_file_that_cannot_be_taken_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(InvalidValue, match=message) as refused:
        await read_cells(content)
    assert refused.value.field == "file"


async def test_small_file_that_unfolds_into_terabytes_hurts_only_the_child() -> None:
    """Two cells in the corners of a sheet are 17 milliard cells; a bomb is 250 MB of zeros."""
    with pytest.raises(InvalidValue, match="damaged, or far too large"):
        await read_cells(workbook([["a"]], XFD1048576=1))
    bomb = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook([["a"]]))) as sound,
        zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as made,
    ):
        for name in sound.namelist():
            if name != "xl/sharedStrings.xml":
                made.writestr(name, sound.read(name))
        with made.open("xl/sharedStrings.xml", "w") as strings:
            strings.write(b"<sst><si><t>")
            for _ in range(250):
                strings.write(b"0" * 1024 * 1024)
    assert len(bomb.getvalue()) < 1024 * 1024
    with pytest.raises(InvalidValue):
        await read_cells(bomb.getvalue())


async def test_damaged_workbooks_are_refused_or_read() -> None:
    sound = workbook([["address", "name"], *([f"{n:012}", f"Meter {n}"] for n in range(20))])
    dice = random.Random(6)
    read = 0
    for _ in range(12):
        damaged = bytearray(sound)
        for _ in range(dice.choice([1, 3, 30])):
            damaged[dice.randrange(4, len(damaged))] = dice.randrange(256)
        try:
            cells = await read_cells(bytes(damaged[: dice.choice([len(damaged), 2000])]))
        except InvalidValue:
            continue
        assert len(cells) <= sheets.ROWS_MAX
        read += 1
    assert read < 12


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.text(max_size=200).map(str.encode)))
def test_any_bytes_are_refused_or_read(content: bytes) -> None:
    try:
        cells = parse(content)
    except InvalidValue:
        return
    assert cells
    assert all(isinstance(cell, str) for row in cells for cell in row)
