"""Sending tables in, as the page of imports does, and waiting for what becomes of them."""

import asyncio
import io
from typing import Any

import xlsxwriter
from python_calamine import CalamineWorkbook
from tornado.httpclient import HTTPResponse
from web_helpers import Visitor


def workbook(rows: list[list[Any]]) -> bytes:
    """Return a workbook of these rows."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file)
    sheet = book.add_worksheet()
    for number, row in enumerate(rows):
        sheet.write_row(number, 0, row)
    book.close()
    return file.getvalue()


def cells_of(content: bytes) -> list[list[Any]]:
    """Return the cells of a workbook."""
    return CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()


async def send(
    visitor: Visitor, kind: str, content: bytes, name: str = "table.xlsx", **headers: str
) -> HTTPResponse:
    """Send a file as the form of the page does."""
    edge = "----edge"
    fields = {"_xsrf": visitor.cookies.get("_xsrf", ""), "kind": kind}
    parts = [
        f'--{edge}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    head = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body = b"".join([*parts, f"--{edge}\r\n{head}".encode(), content, f"\r\n--{edge}--".encode()])
    headers = {"Content-Type": f"multipart/form-data; boundary={edge}", **headers}
    return await visitor.send("POST", "/imports", body, headers)


async def ended(visitor: Visitor, place: str) -> Any:
    """Return an import once nothing is under way with it."""
    for _ in range(400):
        status, view = await visitor.json("GET", f"/api{place}")
        assert status == 200, view
        if view["work"] is None:
            return view
        await asyncio.sleep(0.02)
    raise AssertionError("it is still under way")


async def preview(visitor: Visitor, kind: str, rows: list[list[Any]]) -> tuple[str, Any]:
    """Send a table in; return the place of its preview, and the preview."""
    answer = await send(visitor, kind, workbook(rows))
    assert answer.code == 303, answer.body
    place = answer.headers["Location"]
    return place, await ended(visitor, place)


async def act(visitor: Visitor, place: str, name: str) -> Any:
    """Apply or undo an import, and return it when that has ended."""
    answer = await visitor.post(f"{place}/{name}")
    assert answer.code == 303, answer.body
    return await ended(visitor, place)
