"""The frame monitor and the frame parser: what is said on the links, and what hex means."""

import asyncio
from datetime import datetime
from functools import partial
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field

from station.decode import BadInput, bytes_of
from station.errors import InvalidValue
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.base import Handler, ListQuery
from station.handlers.communication.explained import cards_of, items_of
from station.handlers.communication.frame_search import (
    CHOICES,
    Wanted,
    find_page,
    keys_of_function,
    search_page,
)
from station.handlers.contract import TABLE, contract
from station.handlers.download import Column
from station.handlers.language import Language
from station.handlers.marking import N_
from station.handlers.templating import render, spaced_hex
from station.protocols.describe import describe, summary
from station.store.objects.frames import FrameRecord
from station.units import from_local

DOWNLOADED_MAX = 20_000  # Frames of one file; words of more would keep a core busy too long.
SHOWN_AT_ONCE_MAX = 100  # Frames that are put in words on the loop: some 20 ms.
# Characters that are pasted: the longest frame, 16 kB of DL/T 698.45, takes 50,000 with blanks.
# Each byte becomes an element of the page, and a browser has to stay quick with all of them.
HEX_SIZE_MAX = 60_000


class FramesQuery(ListQuery):
    """Which frames to show; `terminal` is a link's address, `function` a key as frames have them.

    A time without a zone is the site's.
    """

    size: int = Field(100, ge=1, le=1000)
    terminal: str | None = Field(None, max_length=64)
    meter: str | None = Field(None, max_length=12)
    direction: Literal["in", "out"] | None = None
    since: datetime | None = None
    until: datetime | None = None
    function: str | None = Field(None, max_length=32)


class FrameView(BaseModel):
    """Bytes that crossed a link, and what they say; `decoded` is left out where nobody reads it."""

    at: datetime
    link: str
    direction: Literal["in", "out"]
    hex: str
    meter: str | None
    note: str
    words: str
    protocol: str = ""
    functions: list[str] = []
    exchange: int | None = None
    decoded: dict[str, Any] | None = None


class FrameList(BaseModel):
    items: list[FrameView]
    total: int


class HexBody(BaseModel):
    """Hex digits in pairs; blanks, line breaks, the signs : , ; - and 0x may stand between them."""

    hex: str = Field(min_length=1, max_length=HEX_SIZE_MAX)


class Explained(BaseModel):
    """Each frame as `describe` gives it, or its error and offset; and what each byte means."""

    items: list[dict[str, Any]]


# Frames to begin with, by what they show.
EXAMPLES = (
    (
        N_("a meter answers"),
        "FE FE FE FE 68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16",
    ),
    (
        N_("a terminal forwards an answer"),
        "68 9E 00 9E 00 68 88 00 02 34 12 02 10 63 00 00 01 00 02 18 00 FE FE 68 61 01 "
        "00 00 00 00 68 91 0A 33 32 34 35 34 55 38 55 32 32 15 16 9C 16",
    ),
    (
        N_("an object is read"),
        "68 24 00 C3 05 01 00 20 03 25 01 00 0E 29 85 01 00 20 00 02 00 01 01 03 12 08 "
        "C1 12 00 00 12 00 00 00 00 F2 EC 16",
    ),
    (
        N_("a capture with a damaged frame"),
        "FE FE 68 61 01 00 00 00 00 68 11 04 33 32 34 35 15 16 00 FF 68 61 01 00 00 00 "
        "00 68 91 0A 33 32 34 35 34 55 38 55 32 32 EA 16",
    ),
)

# What `describe` tells of a frame besides its items, in the order it is shown.
DECODED_NAMES = (
    ("protocol", N_("Protocol")),
    ("direction", N_("Direction")),
    ("address", N_("Address")),
    ("function", N_("Function")),
    ("apdu", N_("Service")),
    ("choice", N_("Kind")),
    ("data_id", N_("Data identifier")),
    ("data_name", N_("Data")),
    ("error", N_("Refused because")),
    ("more", N_("More follows")),
    ("control", N_("Control field")),
    ("afn", "AFN"),
    ("seq", N_("Sequence")),
    ("event_counters", N_("Event counters")),
    ("time_tag", N_("Time tag")),
    ("rest", N_("Not decoded")),
    ("raw", N_("Not decoded")),
)

COLUMNS = (
    Column[FrameView](N_("Time"), lambda frame: frame.at),
    Column[FrameView](N_("Link"), lambda frame: frame.link),
    Column[FrameView](N_("Direction"), lambda frame: frame.direction),
    Column[FrameView](N_("Meter"), lambda frame: frame.meter),
    Column[FrameView](N_("In words"), lambda frame: frame.words),
    Column[FrameView](N_("Note"), lambda frame: frame.note),
    Column[FrameView](N_("Bytes"), lambda frame: frame.hex),
)


def frame_view(record: FrameRecord, language: Language, *, decoded: bool) -> FrameView:
    """Return a frame of the log as pages and JSON show it."""
    return FrameView(
        at=record.at,
        link=record.link,
        direction=record.direction,
        hex=record.raw.hex().upper(),
        meter=record.meter,
        note=record.note,
        words=words_of(record.raw, record.note, language),
        protocol=record.protocol,
        functions=list(record.functions),
        exchange=record.exchange,
        decoded=describe(record.raw) if decoded else None,
    )


def words_of(raw: bytes, note: str, language: Language) -> str:
    """Return what bytes say, in one line; of bytes that are no frame, why they are none."""
    if note.startswith("noise"):
        return language.sentence(note)
    return language.name(summary(raw))


class FramesHandler(Handler):
    """/frames, /api/frames"""

    @requires(Permission.VIEW)
    @contract(FrameList, query=FramesQuery, files=(*TABLE, "text"))
    async def get(self) -> None:
        query = self.parse_query(FramesQuery)
        records, total = await self._records(query)
        items = await self._views(records)
        if self.wanted_format == "text":
            zone = self.parts.config.site.zone_info
            self.send_file(
                "".join(_line(frame, zone) for frame in reversed(items)), "txt", "text/plain"
            )
            return
        view = FrameList(items=items, total=total)
        shown = query.model_copy(
            update={"since": self._local(query.since), "until": self._local(query.until)}
        )
        await self.show_list(
            "frames.html", view, items, COLUMNS, fixed=True, filter=shown, choices=CHOICES
        )

    async def _records(self, query: FramesQuery) -> tuple[list[FrameRecord], int]:
        """Return a page of what was said, with what is in memory only."""
        wanted = Wanted(
            link=query.terminal,
            meter=query.meter,
            direction=query.direction,
            since=self._moment(query.since),
            until=self._moment(query.until),
            functions=() if query.function is None else keys_of_function(query.function),
            sight=await self.sight(),
        )
        skip, limit = self.span(query)
        limit = min(limit, DOWNLOADED_MAX)
        if not query.text:
            return await find_page(self.parts, wanted, skip, limit)

        def says(record: FrameRecord) -> str:
            return words_of(record.raw, record.note, self.language)

        return await search_page(self.parts, wanted, query.text, says, skip, limit)

    async def _views(self, records: list[FrameRecord]) -> list[FrameView]:
        """Put frames in words, in a thread: a download of thousands takes seconds."""

        def views() -> list[FrameView]:
            return [
                frame_view(record, self.language, decoded=self.wants_json) for record in records
            ]

        if len(records) <= SHOWN_AT_ONCE_MAX:
            return views()
        return await asyncio.get_running_loop().run_in_executor(None, views)

    def _moment(self, given: datetime | None) -> datetime | None:
        """Return a moment; one without a zone is meant in the site's."""
        if given is None or given.tzinfo is not None:
            return given
        return from_local(given, self.parts.config.site.zone_info)

    def _local(self, given: datetime | None) -> datetime | None:
        """Return a moment as a form shows it: the site's time, without a zone."""
        if given is None or given.tzinfo is None:
            return given
        return given.astimezone(self.parts.config.site.zone_info).replace(tzinfo=None)


class DecodeHandler(Handler):
    """/frames/decode, /api/frames/decode: what does this hex mean?"""

    is_act = False

    @requires(Permission.VIEW)
    @contract(None)
    async def get(self) -> None:
        self.finish_page("decode.html", typed={"hex": ""}, cards=[], examples=EXAMPLES)

    @requires(Permission.VIEW)
    @contract(Explained, body=HexBody)
    async def post(self) -> None:
        try:
            body = self.parse_body(HexBody)
            raw = self._bytes(body.hex)
        except InvalidValue as error:
            self.refuse_form("decode.html", error, cards=[], examples=EXAMPLES)
            return
        # A long capture takes a good part of a second, in which the links are not to wait.
        in_thread = partial(asyncio.get_running_loop().run_in_executor, None)
        items = await in_thread(items_of, raw)
        if self.wants_json:
            told = await in_thread(lambda: [item.to_json(raw) for item in items])
            self.write_json(Explained(items=told))
            return
        cards = await in_thread(cards_of, raw, items)
        shown = {"cards": cards, "size": len(raw), "typed": {"hex": body.hex}, "examples": EXAMPLES}
        context = {**self._page_context(), **shown}
        environment = self.tools.environments[self.language.code]
        page = await in_thread(render, environment, "decode.html", context)
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.write(page)

    def _bytes(self, text: str) -> bytes:
        try:
            return bytes_of(text)
        except BadInput as error:
            raise InvalidValue("hex", self.language.name(error.words)) from None


def _line(frame: FrameView, zone: ZoneInfo) -> str:
    at = frame.at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    arrow = "->" if frame.direction == "out" else "<-"
    pairs = spaced_hex(frame.hex)
    return f"{at} {arrow} {frame.link}  {pairs}  {frame.words} {frame.note}".rstrip() + "\n"
