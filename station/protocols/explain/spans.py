"""The bytes of a frame from left to right, each explained once."""

from collections.abc import Callable
from dataclasses import dataclass

from station.words import Text


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `start` to `end` that mean one thing.

    `value` is in no language: hex digits, a number, a time, and empty where there is none; `words`
    say what it stands for. `depth` is 1 for a frame inside another, and so on.
    """

    start: int
    end: int
    name: Text
    value: str
    words: Text | None = None
    depth: int = 0


ExplainInside = Callable[[bytes, int, int], list[Span]]


class Spans:
    """Takes the bytes of one frame in order; what follows is always at `at`.

    `inside` explains bytes that are frames in their turn: it is given the bytes, where they start
    and their depth.
    """

    def __init__(self, raw: bytes, start: int, depth: int, inside: ExplainInside) -> None:
        self._raw = raw
        self._start = start
        self._depth = depth
        self._inside = inside
        self.at = 0
        self.spans: list[Span] = []

    @property
    def left(self) -> int:
        """Return how many bytes are not explained yet."""
        return len(self._raw) - self.at

    def peek(self, size: int) -> bytes:
        """Return the next bytes without taking them."""
        return self._raw[self.at : self.at + size]

    def take(
        self, size: int, name: Text, value: str | None = None, words: Text | None = None
    ) -> None:
        """Explain the next bytes, as many as there are; without a value they are shown in hex."""
        raw = self.peek(size)
        if not raw:
            return
        if value is None:
            value = hex_of(raw)
        start = self._start + self.at
        self.spans.append(Span(start, start + len(raw), name, value, words, self._depth))
        self.at += len(raw)

    def take_inside(self, size: int) -> None:
        """Explain the next bytes as those of a frame inside this one."""
        raw = self.peek(size)
        if raw:
            self.spans += self._inside(raw, self._start + self.at, self._depth + 1)
            self.at += len(raw)


def hex_of(raw: bytes) -> str:
    """Return bytes as pairs of digits."""
    return raw.hex(" ").upper()


def joined(words: list[Text]) -> Text | None:
    """Return several words in one, None for none."""
    if not words:
        return None
    return Text(", ".join(one.en for one in words), "，".join(one.zh for one in words))
