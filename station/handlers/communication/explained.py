"""Pasted bytes explained: every frame, and what each byte of it means.

Every byte belongs to one item. An item is a frame or a damaged one; what stands before it belongs
to it, and what follows the last one to the last. Places count from the first of all bytes.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from station.protocols.describe import describe_frame, fault_of
from station.protocols.detect import NO_START, AnyFrame, Broken, Registration, events_of
from station.protocols.explain import Span, explain
from station.protocols.noise import Noise
from station.protocols.summary import line_of
from station.words import Text

ROW_SIZE = 8  # Bytes; what a phone shows in a line, and half of what a wide screen shows.

_FAULT = Text("here it goes wrong", "此处出错")


@dataclass(frozen=True, slots=True)
class Item:
    """A frame, or why there is none, with the bytes around that belong to no other.

    The frame itself has the bytes `start` to `end`; the spans explain those around it too.
    """

    start: int
    end: int
    spans: tuple[Span, ...]
    frame: AnyFrame | None = None
    error: str = ""
    offset: int = 0

    @property
    def summary(self) -> Text | None:
        """The frame in one line."""
        return None if self.frame is None else line_of(self.frame)

    @property
    def described(self) -> dict[str, Any]:
        """The frame by name, or the error and its offset."""
        if self.frame is None:
            return {"error": self.error, "offset": self.offset}
        return describe_frame(self.frame)

    @property
    def fault_at(self) -> int | None:
        """The byte at fault; it may lie behind the last one, where a byte is missing."""
        return None if self.frame is not None or self.error == NO_START else self.offset

    def to_json(self, raw: bytes) -> dict[str, Any]:
        """Return the item as JSON holds it; `raw` are all bytes."""
        said = self.described
        if (words := self.summary) is not None:
            said |= {"summary": words.en, "summary_zh": words.zh}
        digits = raw[self.start : self.end].hex().upper()
        spans = [_span_to_json(span) for span in self.spans]
        return {**said, "start": self.start, "hex": digits, "spans": spans}


@dataclass(frozen=True, slots=True)
class Field:
    """A span on the page; its number is its own among all fields of the page."""

    number: int
    span: Span
    is_fault: bool
    is_between: bool  # It stands before or behind the frame.

    @property
    def kinds(self) -> str:
        """The classes of the field and its bytes; every second one is shaded against the others."""
        said = (
            ("is-odd", self.number % 2),
            ("is-between", self.is_between),
            ("is-fault", self.is_fault),
        )
        return "".join(f" {name}" for name, is_so in said if is_so)


@dataclass(frozen=True, slots=True)
class Cell:
    """A byte on the page: where it stands, the number of its field, and what kind that is of."""

    at: int
    hex: str
    field: int
    kinds: str


@dataclass(frozen=True, slots=True)
class Card:
    """An item on the page; `rows` are its bytes, line by line."""

    item: Item
    fields: tuple[Field, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def first(self) -> int:
        """Where the first byte stands."""
        return self.fields[0].span.start

    @property
    def last(self) -> int:
        """Where the last byte stands."""
        return self.fields[-1].span.end - 1


def items_of(raw: bytes) -> list[Item]:
    """Return all frames among these bytes; of bytes that hold none, why they are none."""
    spans = deque(explain(raw))
    items: list[Item] = []
    waiting: list[Span] = []  # Bytes that stand before the next frame.
    for start, end, event in events_of(raw):
        while spans and spans[0].start < end:
            waiting.append(spans.popleft())
        if not isinstance(event, Noise | Registration):
            items.append(Item(start, end, tuple(waiting), frame=event))
        elif isinstance(event, Broken):
            offset = start + event.offset
            waiting[-1:] = _around(offset, waiting[-1])
            items.append(Item(start, end, tuple(waiting), error=event.reason, offset=offset))
        else:
            continue
        waiting = []
    if not items:
        return [_no_frame(raw, waiting)]
    last = items[-1]
    items[-1] = replace(last, spans=(*last.spans, *waiting))
    return items


def cards_of(raw: bytes, items: Sequence[Item]) -> list[Card]:
    """Return items as the page shows them."""
    digits = raw.hex(" ").upper().split(" ")
    numbers = count()
    cards = []
    for item in items:
        fields = tuple(
            Field(
                number=next(numbers),
                span=span,
                is_fault=span.start == item.fault_at,
                is_between=not item.start <= span.start < item.end,
            )
            for span in item.spans
        )
        cells = [
            Cell(at, digits[at], field.number, kinds)
            for field, kinds in ((field, field.kinds) for field in fields)
            for at in range(field.span.start, field.span.end)
        ]
        rows = tuple(
            tuple(cells[first : first + ROW_SIZE]) for first in range(0, len(cells), ROW_SIZE)
        )
        cards.append(Card(item, fields, rows))
    return cards


def _no_frame(raw: bytes, spans: Sequence[Span]) -> Item:
    fault = fault_of(raw)
    offset = fault["offset"]
    item = Item(0, len(raw), tuple(spans), error=fault["error"], offset=offset)
    if item.fault_at is None:
        return item
    pieces = [piece for span in spans for piece in _around(offset, span)]
    return replace(item, spans=tuple(pieces))


def _around(offset: int, span: Span) -> list[Span]:
    """Return what stands before a byte at fault, the byte by itself, and what follows it."""
    if not span.start <= offset < span.end:
        return [replace(span, words=None)]
    pieces = (
        (span.start, offset, span.name),
        (offset, offset + 1, _FAULT),
        (offset + 1, span.end, span.name),
    )
    pairs = span.value.split(" ")
    return [
        Span(start, end, name, " ".join(pairs[start - span.start : end - span.start]))
        for start, end, name in pieces
        if start < end
    ]


def _span_to_json(span: Span) -> dict[str, Any]:
    words = span.words
    return {
        "start": span.start,
        "end": span.end,
        "name": span.name.en,
        "name_zh": span.name.zh,
        "value": span.value,
        "words": None if words is None else words.en,
        "words_zh": None if words is None else words.zh,
        "depth": span.depth,
    }
