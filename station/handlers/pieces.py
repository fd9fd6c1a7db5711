"""Long lists, written piece by piece, so that the links go on meanwhile."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from typing import TypeVar

from pydantic import BaseModel
from tornado.iostream import StreamClosedError
from tornado.web import Finish

from station.handlers.base import Handler
from station.handlers.download import XLSX_TYPE, Column, Workbook, to_csv, writing

ROWS_PER_PIECE = 1000  # Made and written in some 20 ms.

Thing = TypeVar("Thing")
Row = TypeVar("Row")


async def rows_of(
    things: Sequence[Thing], make: Callable[[Thing], Row]
) -> AsyncIterator[Sequence[Row]]:
    """Yield rows made of things, a piece at a time."""
    for start in range(0, len(things), ROWS_PER_PIECE):
        yield [make(thing) for thing in things[start : start + ROWS_PER_PIECE]]


async def send_pieces(
    handler: Handler, pieces: AsyncIterable[Sequence[Row]], columns: Sequence[Column[Row]]
) -> None:
    """Write a table as the file that is asked for, CSV or a workbook."""
    if handler.wants_workbook:
        await _send_workbook(handler, pieces, columns)
    else:
        await _send_csv(handler, pieces, columns)


async def _send_csv(
    handler: Handler, pieces: AsyncIterable[Sequence[Row]], columns: Sequence[Column[Row]]
) -> None:
    zone = handler.parts.config.site.zone_info
    handler.send_file(to_csv([], columns, handler.language, zone), "csv", "text/csv")
    async for rows in pieces:
        text = to_csv(rows, columns, handler.language, zone)
        handler.write(text.split("\r\n", 1)[1])  # The head is there already.
        await _go_on(handler)


async def _send_workbook(
    handler: Handler, pieces: AsyncIterable[Sequence[Row]], columns: Sequence[Column[Row]]
) -> None:
    zone, loop = handler.parts.config.site.zone_info, asyncio.get_running_loop()
    book = Workbook(handler.file_name, columns, handler.language, zone)
    async for rows in pieces:
        await loop.run_in_executor(writing, book.add, rows)
    content = await loop.run_in_executor(writing, book.to_bytes)
    handler.send_file(content, "xlsx", XLSX_TYPE)


async def send_json(
    handler: Handler, pieces: AsyncIterable[Sequence[BaseModel]], total: int
) -> None:
    """Write a list as JSON: its items, and how many there are."""
    handler.set_header("Content-Type", "application/json; charset=UTF-8")
    handler.write('{"items":[')
    comma = ""
    async for rows in pieces:
        handler.write(comma + ",".join(row.model_dump_json() for row in rows))
        comma = ","
        await _go_on(handler)
    handler.write(f'],"total":{total}}}')


async def _go_on(handler: Handler) -> None:
    """Send what is written, and let the links have their turn.

    Raises Finish when nobody reads any more: who closes a page in the middle is no error.
    """
    try:
        await handler.flush()
    except StreamClosedError:
        raise Finish from None
    await asyncio.sleep(0)
