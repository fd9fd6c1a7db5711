"""A long answer whose reader goes away in the middle."""

import asyncio
import logging

import pytest
from pydantic import BaseModel
from web_helpers import Office

from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.collection.readings import ReadingsHandler
from station.handlers.pieces import ROWS_PER_PIECE, rows_of, send_json


class Line(BaseModel):
    """A row of a long answer."""

    text: str = "x" * 500


async def test_a_reader_that_goes_away_is_no_error(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gone, ended = asyncio.Event(), asyncio.Event()

    @requires(Permission.VIEW)
    async def get(self: ReadingsHandler) -> None:
        try:
            await gone.wait()
            while True:
                await send_json(self, rows_of(range(2 * ROWS_PER_PIECE), lambda _: Line()), 0)
        finally:
            ended.set()

    monkeypatch.setattr(ReadingsHandler, "get", get)
    ann = await office.somebody("reader")
    cookies = "; ".join(f"{name}={value}" for name, value in ann.cookies.items())
    port = int(office.url.rsplit(":", 1)[1])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET /api/readings HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookies}\r\n\r\n".encode()
    )
    await writer.drain()
    writer.close()
    gone.set()
    await asyncio.wait_for(ended.wait(), 10)
    await asyncio.sleep(0)
    assert [each.message for each in caplog.records if each.levelno >= logging.ERROR] == []
