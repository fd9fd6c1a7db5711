"""Tables out of files that people send: a workbook (XLSX, XLS, ODS) or CSV, as rows of texts.

The file is read by a child process with bounded memory and time, because a small file can unfold
into anything: what it does to the reader, it does not do to the station. Run as a program this
module is that child: the file comes in, JSON goes out.

A number is written as people write it (no ".0"), a moment as ISO. CSV may be UTF-8, UTF-16 or
GB 18030, with commas, semicolons or tabs.
"""

import asyncio
import csv
import io
import json
import resource
import sys
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta

from python_calamine import CalamineError, CalamineWorkbook

from station.errors import InvalidValue, StationError

FILE_SIZE_MAX = 16 * 1024 * 1024  # Bytes; 50,000 meters take some 6 MB as CSV.
ROWS_MAX = 50_000  # With the head; a unit has 20,000 meters.
COLUMNS_MAX = 60  # Our widest table has 14, a register kept by hand perhaps 40.
CELL_SIZE_MAX = 1000  # Characters; the longest field takes 300.
TEXT_SIZE_MAX = 32 * 1024 * 1024  # Characters of all cells.
MEMORY_MAX = 768 * 1024 * 1024  # Bytes of the child; 50,000 full rows take 140 MB.
TIME_MAX_S = 40.0  # 50,000 full rows take a second.

_WORKBOOK_STARTS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # ZIP, and the older compound file.
_ENCODINGS = ("utf-8-sig", "gb18030")  # The second is what Chinese spreadsheets write.
_SEPARATORS = ",;\t"
_GUARDED = ("'=", "'+", "'-", "'@", "'\t", "'\r")  # How our CSV marks what is no formula.

Cells = list[list[str]]


async def read_cells(content: bytes) -> Cells:
    """Return the rows of a file's first table, the head first. Raises InvalidValue for `file`."""
    if not content:
        raise InvalidValue("file", "the file is empty")
    if len(content) > FILE_SIZE_MAX:
        raise InvalidValue("file", f"the file has more than {FILE_SIZE_MAX // 1024 // 1024} MB")
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-m", "station.collector.sheets",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        answer, _ = await asyncio.wait_for(child.communicate(content), TIME_MAX_S)
    except asyncio.TimeoutError:
        raise InvalidValue("file", "the file takes too long to read") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode != 0:
        raise InvalidValue("file", "the file cannot be read: it is damaged, or far too large")
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(None, json.loads, answer)
    if "error" in found:
        raise InvalidValue("file", found["error"])
    cells: Cells = found["cells"]
    return cells


def parse(content: bytes) -> Cells:
    """Return the rows of a file, without the empty ones at its end. Raises InvalidValue."""
    is_workbook = content.startswith(_WORKBOOK_STARTS)
    rows = _of_workbook(content) if is_workbook else _of_text(content)
    cells = _bounded(rows)
    while cells and not any(cells[-1]):
        cells.pop()
    if not cells:
        raise InvalidValue("file", "the file holds no table")
    return cells


def _of_workbook(content: bytes) -> Iterable[list[str]]:
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        sheet = book.get_sheet_by_index(0)
    except (CalamineError, ValueError, IndexError, OSError):
        raise InvalidValue("file", "the file is no workbook that can be read") from None
    if sheet.total_height > ROWS_MAX:
        raise _too_many_rows()
    if sheet.total_width > COLUMNS_MAX:
        raise _too_many_columns()
    return ([_text(value) for value in row] for row in sheet.to_python(skip_empty_area=False))


def _text(value: float | str | bool | datetime | date | time | timedelta | None) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return str(value).strip()


def _of_text(content: bytes) -> Iterable[list[str]]:
    text = _decoded(content)
    head = text.split("\n", 1)[0]
    separator = max(_SEPARATORS, key=head.count)
    csv.field_size_limit(CELL_SIZE_MAX)
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
            yield [_unguarded(cell.strip()) for cell in row]
    except csv.Error as error:
        raise InvalidValue("file", f"the file is no CSV: {error}") from None


def _decoded(content: bytes) -> str:
    is_wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    encodings = ("utf-16",) if is_wide else _ENCODINGS
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text
    raise InvalidValue("file", "the file is neither a workbook nor a text")


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith(_GUARDED) else cell


def _bounded(rows: Iterable[list[str]]) -> Cells:
    cells: Cells = []
    size = 0
    for row in rows:
        while row and not row[-1]:
            row.pop()
        if len(row) > COLUMNS_MAX:
            raise _too_many_columns()
        longest = max(map(len, row), default=0)
        if longest > CELL_SIZE_MAX:
            raise InvalidValue("file", f"a cell has at most {CELL_SIZE_MAX} characters")
        size += sum(map(len, row))
        if size > TEXT_SIZE_MAX:
            raise InvalidValue("file", "the file cannot be read: it is damaged, or far too large")
        cells.append(row)
        if len(cells) > ROWS_MAX:
            raise _too_many_rows()
    return cells


def _too_many_rows() -> InvalidValue:
    return InvalidValue("file", f"a file has at most {ROWS_MAX} rows")


def _too_many_columns() -> InvalidValue:
    return InvalidValue("file", f"a file has at most {COLUMNS_MAX} columns")


def main() -> None:
    """Read a file from standard input and write its cells, or what is wrong, as JSON."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (int(TIME_MAX_S), int(TIME_MAX_S)))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    content = sys.stdin.buffer.read(FILE_SIZE_MAX + 1)
    answer: dict[str, str | Cells]
    try:
        answer = {"cells": parse(content)}
    except StationError as error:
        answer = {"error": str(error)}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
