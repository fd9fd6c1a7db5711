"""What terminals of all protocols have in common: the turn-taking of their ports.

A terminal works on one request at a time; one that may carry a question on each port at once has a
line for each, and numbers of the protocol tell the answers apart.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Generic, Protocol

from station.errors import StationError
from station.frontend.inquiries import fault_kind
from station.frontend.link import Fault, MeterFrame
from station.frontend.turns import Line, Question, WireFrame

WHOLE = 0  # The line of a terminal that takes one question in all; no port has this number.
LINES_MAX = 14  # 1376.1 has 16 sequence numbers; ports beyond share a line.
TOLD_SHARE = 0.9  # Of the station's own wait; the rest is for the way there and back.
BYTE_TIMEOUT_MS = 500  # The longest gap inside a frame, DL/T 645 digest 1.3.


class TerminalLink(Protocol):
    """The connection to a terminal, as the terminal's lines see it."""

    @property
    def master(self) -> int:
        """Return the station's address in requests: MSA, or CA."""
        ...

    def next_sequence(self) -> int:
        """Return the sequence number of the next request."""
        ...

    def new_exchange(self) -> int:
        """Return the number of a new exchange."""
        ...

    def count(self, fault: Fault) -> None:
        """Count something that has gone wrong."""
        ...

    def report(
        self, protocol: str, frame: MeterFrame, at: datetime, exchange: int | None = None
    ) -> None:
        """Hand on a frame that nobody asked for."""
        ...

    def send(self, raw: bytes, *, meter: str | None = None, exchange: int | None = None) -> None:
        """Send bytes and keep them in the trace."""
        ...


class TerminalLines(Generic[WireFrame]):
    """The lines of one terminal, for as long as the connection is its own."""

    def __init__(self, link: TerminalLink, address: str, is_parallel: Callable[[], bool]) -> None:
        self.link = link
        self.name = address
        self.is_parallel = is_parallel
        self.lines: dict[int, Line[WireFrame]] = {}
        self._down: str | None = None

    def line(self, port: int) -> Line[WireFrame]:
        """Return the line of a port, which may be that of the whole terminal."""
        key = port if port and self.is_parallel() else WHOLE
        if key not in self.lines and len(self.lines) >= LINES_MAX:
            key = next(iter(self.lines))
        line = self.lines.get(key)
        if line is None:
            line = Line(f"terminal {self.name}", lambda: self.link.count("timeouts"))
            self.lines[key] = line
            if self._down is not None:
                line.go_down(self._down)
        return line

    def bus_name(self, port: int) -> str:
        """Return the name of the bus at a port: buses of one name share one turn."""
        return f"{self.name}:{port}" if self.is_parallel() else self.name

    def find(self, frame: WireFrame) -> tuple[Line[WireFrame], Question[WireFrame, Any]] | None:
        """Return the open question that a frame belongs to, and its line."""
        for line in self.lines.values():
            question = line.find_question(frame)
            if question is not None:
                return line, question
        return None

    def is_repeated(self, frame: WireFrame) -> bool:
        """Tell whether a frame has answered already and comes once more."""
        return any(line.is_repeated(frame) for line in self.lines.values())

    def open_exchange(self) -> int | None:
        """Return the exchange of the only open question, or None."""
        questions = [line.question for line in self.lines.values() if line.question is not None]
        return questions[0].exchange if len(questions) == 1 else None

    def hear_piece(self) -> None:
        """A piece of a split answer has come: wait on for the rest."""
        for line in self.lines.values():
            line.hear_part()

    def told(self, fault: StationError, failure: str) -> StationError:
        """Count what came instead of a meter's answer and return it with the whole story."""
        kind = fault_kind(fault)
        if kind is not None:
            self.link.count(kind)
        return type(fault)(f"{failure}: {fault}")

    def go_down(self, reason: str) -> None:
        """Fail what is asked, now and later."""
        self._down = reason
        for line in self.lines.values():
            line.go_down(reason)
