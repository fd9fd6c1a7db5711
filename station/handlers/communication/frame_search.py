"""Frames that are looked for: by link, meter, time, direction and function, and by a text.

Words that are the name of a function, as "heartbeat", "read data" or "读数据", are found in all of
the frame log, since it has an index of functions. Whatever else a frame says, and hex digits, are
looked for in the newest frames that fit the rest of the filter, up to a bound. What only memory
holds, heartbeats for the most part, is found among the others where it belongs by its time.
"""

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from station.handlers.freshness import written
from station.handlers.parts import Parts
from station.handlers.sights import Sight
from station.protocols.dlt645.functions import FUNCTIONS_1997, FUNCTIONS_2007
from station.protocols.dlt698.apdu import LATER_SERVICES, SERVICES
from station.protocols.qgdw1376.functions import AFN_NAMES, FUNCTIONS
from station.store.objects.frames import FrameRecord
from station.words import Text

UNLOGGED_MAX = 500  # Of those that only memory holds, the newest.
WORDED_MAX = 500  # The newest frames that are put in words to look for a text, 0.3 ms each.
HEX_SEARCHED_MAX = 10_000  # The newest frames whose bytes are looked through, which is quicker.
BATCH_MAX = 1000  # Frames that are fetched at once.
KEYS_MAX = 100  # The server merges so many walks along an index without sorting.
HEX_SIZE_MIN = 2  # Digits; one alone is everywhere.

# Control bytes of DL/T 645 beside that of the request: answer, answer with more to come, refusal.
_METER_BITS = (0x00, 0x80, 0xA0, 0xC0)

_HEX = re.compile(r"[0-9A-Fa-f\s]+")


Says = Callable[[FrameRecord], str]


@dataclass(frozen=True)
class Wanted:
    """Which frames; `until` is not included, and of `functions` a frame has at least one.

    With a `sight` only what was said with the devices in it.
    """

    link: str | None = None
    meter: str | None = None
    direction: Literal["in", "out"] | None = None
    since: datetime | None = None
    until: datetime | None = None
    functions: tuple[str, ...] = ()
    sight: Sight | None = None

    def fits(self, record: FrameRecord) -> bool:
        """Tell whether a frame is one of these."""
        exact = (
            (self.link, record.link),
            (self.meter, record.meter),
            (self.direction, record.direction),
        )
        return (
            all(value is None or value == own for value, own in exact)
            and (self.since is None or record.at >= self.since)
            and (self.until is None or record.at < self.until)
            and (not self.functions or not set(self.functions).isdisjoint(record.functions))
            and (self.sight is None or self.sight.has_frame(record.link, record.meter))
        )

    def narrowed(self, functions: tuple[str, ...], until: datetime) -> "Wanted | None":
        """Return those that are older and have one of the functions, None when none can be."""
        if self.functions:
            functions = tuple(key for key in self.functions if key in functions)
        if not functions:
            return None
        return replace(self, until=until, functions=functions)

    def query(self) -> dict[str, Any]:
        """Return the arguments of the store's verbs."""
        return {
            "link": self.link,
            "meter": self.meter,
            "direction": self.direction,
            "since": self.since,
            "until": self.until,
            "functions": self.functions,
            "sight": self.sight and (self.sight.terminals, self.sight.meters),
        }


async def find_page(
    parts: Parts, wanted: Wanted, skip: int, limit: int
) -> tuple[list[FrameRecord], int]:
    """Return a page of frames, newest first, and how many there are."""
    await written(parts.trace.flush())
    unlogged = _unlogged(parts, wanted)
    start = max(0, skip - len(unlogged))
    stored, total = await parts.database.frames.list(
        skip=start, limit=limit + skip - start, **wanted.query()
    )
    total += len(unlogged)
    if start and stored:  # What is newer than these is on an earlier page.
        newer = sum(record.at > stored[0].at for record in unlogged)
        start += newer
        unlogged = unlogged[newer:]
    merged = _merged(unlogged, stored)
    return merged[skip - start : skip - start + limit], total


async def search_page(
    parts: Parts, wanted: Wanted, text: str, says: Says, skip: int, limit: int
) -> tuple[list[FrameRecord], int]:
    """Return a page of the frames that hold a text, newest first, and how many were found.

    `says` puts a frame in words, as the page shows them.
    """
    await written(parts.trace.flush())
    found, reached = await _look_through(parts, wanted, text, says)
    older = None if reached is None else wanted.narrowed(keys_for(text), reached)
    if older is None:
        return found[skip : skip + limit], len(found)
    page = found[skip : skip + limit]
    more, total = await parts.database.frames.list(
        skip=max(0, skip - len(found)), limit=max(1, limit - len(page)), **older.query()
    )
    return [*page, *more][:limit], len(found) + total


async def _look_through(
    parts: Parts, wanted: Wanted, text: str, says: Says
) -> tuple[list[FrameRecord], datetime | None]:
    """Return what is found in the newest frames, and how far they reach, None for all."""
    digits = hex_of(text)
    bound = WORDED_MAX if digits is None else HEX_SEARCHED_MAX
    found: list[FrameRecord] = []
    unlogged = _unlogged(parts, wanted)
    for start in range(0, bound, BATCH_MAX):
        size = min(BATCH_MAX, bound - start)
        stored = await parts.database.frames.newest(skip=start, limit=size, **wanted.query())
        last = len(stored) < size
        newer = unlogged if last else [each for each in unlogged if each.at >= stored[-1].at]
        unlogged = unlogged[len(newer) :]
        batch = _merged(newer, stored)
        # In a thread: thousands of frames take a while, in which the links are not to wait.
        found += await asyncio.get_running_loop().run_in_executor(
            None, _holding, batch, text, digits, says
        )
        if last:
            return found, None
    return found, stored[-1].at


def _holding(
    records: Sequence[FrameRecord], text: str, digits: str | None, says: Says
) -> list[FrameRecord]:
    """Return those that hold the text: in their words, their bytes, or what is known of them."""
    wanted = text.strip().casefold()
    keys = set(keys_for(text))
    return [
        record
        for record in records
        if (digits is not None and digits in record.raw.hex().upper())
        or wanted in f"{record.link} {record.meter or ''} {record.note}".casefold()
        or not keys.isdisjoint(record.functions)
        or (digits is None and wanted in says(record).casefold())
    ]


def _unlogged(parts: Parts, wanted: Wanted) -> list[FrameRecord]:
    records = parts.trace.unlogged(wanted.link, UNLOGGED_MAX)
    return [record for record in records if wanted.fits(record)]


def _merged(one: Sequence[FrameRecord], other: Sequence[FrameRecord]) -> list[FrameRecord]:
    """Return both, newest first; of one millisecond in the order in which they were recorded."""
    return sorted((*one, *other), key=lambda record: (record.at, record.id), reverse=True)


# --- functions by name --------------------------------------------------------------------------


def keys_for(text: str) -> tuple[str, ...]:
    """Return the keys of the functions whose names hold this text; none when there are none.

    In English it has to begin a word of the name.
    """
    wanted = text.strip().casefold()
    if not wanted:
        return ()
    words = re.compile(rf"\b{re.escape(wanted)}")
    found = {
        key: None
        for key, name in NAMES.items()
        if words.search(name.en.casefold()) or wanted in name.zh.casefold()
    }
    return tuple(found)[:KEYS_MAX]


def keys_of_function(key: str) -> tuple[str, ...]:
    """Return the keys to look for: those of a request stand for its answers, too."""
    protocol, _, code = key.partition(" ")
    if protocol == "dlt645" and len(code) == 2 and hex_of(code) and int(code, 16) < 0x20:
        return tuple(f"dlt645 {int(code, 16) | bits:02X}" for bits in _METER_BITS)
    if protocol == "dlt698" and len(code) == 2 and hex_of(code) and int(code, 16) < 0x80:
        return (key, f"dlt698 {int(code, 16) | 0x80:02X}")
    return (key,)


def hex_of(text: str) -> str | None:
    """Return a text of hex digits without its blanks and in capitals, None for another text."""
    digits = "".join(text.split()).upper()
    return digits if _HEX.fullmatch(text) and len(digits) >= HEX_SIZE_MIN else None


def _names() -> Iterator[tuple[str, Text]]:
    """Yield every key that has a name, those of `station.frontend.keys`."""
    for afn, name in AFN_NAMES.items():
        yield f"qgdw1376 {afn:02X}", name
        for row in FUNCTIONS.get(afn, ()):
            yield f"qgdw1376 {afn:02X} F{row.fn}", row.name
    for function in (*FUNCTIONS_1997, *FUNCTIONS_2007):
        for bits in _METER_BITS:
            yield f"dlt645 {function.code | bits:02X}", function.name
    for service in SERVICES:
        yield f"dlt698 {service.tag:02X}", service.text
    for tag, name in LATER_SERVICES.items():
        yield f"dlt698 {tag:02X}", name


NAMES = dict(_names())

# What a filter offers, by protocol: the kinds of frames that there are, each with its answers.
CHOICES: tuple[tuple[str, tuple[tuple[str, Text], ...]], ...] = (
    ("qgdw1376", tuple((f"qgdw1376 {afn:02X}", name) for afn, name in AFN_NAMES.items())),
    (
        "dlt645",
        tuple(
            (f"dlt645 {each.code:02X}", each.name)
            for each in sorted((*FUNCTIONS_2007, *FUNCTIONS_1997), key=lambda each: each.code)
            if each.name == NAMES[f"dlt645 {each.code:02X}"]
        ),
    ),
    (
        "dlt698.45",
        tuple((f"dlt698 {each.tag:02X}", each.text) for each in SERVICES if each.tag < 0x80),
    ),
)
