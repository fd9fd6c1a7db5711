"""The frame monitor: what was and is being said on the links, in hex and in words."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field

from station.errors import InvalidValue
from station.handlers.base import Handler, ListQuery
from station.handlers.download import Column
from station.handlers.identity import requires
from station.handlers.language import Language
from station.handlers.people import Permission
from station.handlers.sentences import N_
from station.handlers.templating import spaced_hex
from station.protocols.describe import describe, summary
from station.store.objects.frames import FrameRecord

SEARCHED_MAX = 2000  # The newest frames that a text is looked for in; each is put in words first.
HEX_SIZE_MAX = 200_000  # Characters that are pasted; several of the longest frames.


class FramesQuery(ListQuery):
    """Which frames to show; `terminal` is a link's address, `text` is looked for in the newest."""

    size: int = Field(100, ge=1, le=1000)
    terminal: str | None = Field(None, max_length=64)
    meter: str | None = Field(None, max_length=12)
    direction: Literal["in", "out"] | None = None
    since: datetime | None = None
    until: datetime | None = None


class FrameView(BaseModel):
    """Bytes that crossed a link, and what they say; `decoded` is left out where nobody reads it."""

    at: datetime
    link: str
    direction: Literal["in", "out"]
    hex: str
    meter: str | None
    note: str
    words: str
    decoded: dict[str, Any] | None = None


class FrameList(BaseModel):
    items: list[FrameView]
    total: int


class HexBody(BaseModel):
    """A frame as hex digits, spaces allowed."""

    hex: str = Field(min_length=1, max_length=HEX_SIZE_MAX)


class Decoded(BaseModel):
    """A frame in words."""

    hex: str
    words: str
    decoded: dict[str, Any]


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
    async def get(self) -> None:
        query = self.parse_query(FramesQuery)
        records, total = await self._records(query)
        items = [frame_view(record, self.language, decoded=self.wants_json) for record in records]
        if query.text:
            items = [frame for frame in items if _holds(frame, query.text)]
            total = len(items)
            skip, limit = self.span(query)
            items = items[skip : skip + limit]
        if self.get_query_argument("format", "") == "text":
            zone = self.parts.config.site.zone_info
            self.send_file(
                "".join(_line(frame, zone) for frame in reversed(items)), "txt", "text/plain"
            )
            return
        view = FrameList(items=items, total=total)
        self.show_list("frames.html", view, items, COLUMNS, filter=query)

    async def _records(self, query: FramesQuery) -> tuple[list[FrameRecord], int]:
        """Return a page of the log; its first page begins with what is not yet stored."""
        skip, limit = (0, SEARCHED_MAX) if query.text else self.span(query)
        records, total = await self.parts.database.frames.list(
            link=query.terminal,
            meter=query.meter,
            since=query.since,
            until=query.until,
            direction=query.direction,
            skip=skip,
            limit=limit,
        )
        if skip or query.until is not None:
            return records, total
        stored = {record.id for record in records}
        fresh = [
            record
            for record in self.parts.trace.recent(query.terminal, limit)
            if record.id not in stored and _wanted(record, query, records)
        ]
        return [*fresh, *records][:limit], total + len(fresh)


class DecodeHandler(Handler):
    """/frames/decode, /api/frames/decode: what does this hex mean?"""

    @requires(Permission.VIEW)
    async def get(self) -> None:
        self.finish_page("decode.html", view=None, typed={"hex": ""})

    @requires(Permission.VIEW)
    async def post(self) -> None:
        try:
            body = self.parse_body(HexBody)
            raw = self._bytes(body.hex)
        except InvalidValue as error:
            self.refuse_form("decode.html", error, view=None)
            return
        view = Decoded(
            hex=raw.hex().upper(),
            words=self.language.name(summary(raw)),
            decoded=describe(raw),
        )
        self.show("decode.html", view, typed={"hex": body.hex})

    def _bytes(self, text: str) -> bytes:
        try:
            raw = bytes.fromhex(text.replace("-", " ").replace(":", " "))
        except ValueError:
            raise InvalidValue("hex", self.language.say("expected pairs of hex digits")) from None
        if not raw:
            raise InvalidValue("hex", self.language.say("expected pairs of hex digits"))
        return raw


def _wanted(record: FrameRecord, query: FramesQuery, stored: Sequence[FrameRecord]) -> bool:
    """Tell whether a record that is not among the stored ones belongs before them."""
    if stored and record.at < stored[0].at:
        return False
    return (
        (query.meter is None or record.meter == query.meter)
        and (query.direction is None or record.direction == query.direction)
        and (query.since is None or record.at >= query.since)
    )


def _holds(frame: FrameView, text: str) -> bool:
    wanted = text.casefold()
    pairs = spaced_hex(frame.hex)
    return wanted in f"{frame.words} {frame.note} {frame.hex} {pairs} {frame.link}".casefold()


def _line(frame: FrameView, zone: ZoneInfo) -> str:
    at = frame.at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    arrow = "->" if frame.direction == "out" else "<-"
    pairs = spaced_hex(frame.hex)
    return f"{at} {arrow} {frame.link}  {pairs}  {frame.words} {frame.note}".rstrip() + "\n"
