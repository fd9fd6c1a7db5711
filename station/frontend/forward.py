"""A bus behind a terminal: a meter's frames travel inside AFN10 F1 of 1376.1 (digest, section 15).

The terminal is told to wait a little shorter than the station does, so that its word of a silent
meter still comes in time. A denial, an empty answer and silence all mean that the meter did not
answer.
"""

from datetime import datetime

from station.errors import BadAnswer, InvalidValue, Refused
from station.frontend.inquiries import Joining, Piece
from station.frontend.link import Answer, FrameT, Inquiry, Priority
from station.frontend.terminal import BYTE_TIMEOUT_MS, TOLD_SHARE
from station.frontend.terminal1376 import Sequenced, Terminal1376
from station.frontend.through import CarriedQuestion, ask_through
from station.protocols.line import LineSettings
from station.protocols.qgdw1376.confirmation import is_denial, item_errors
from station.protocols.qgdw1376.forward import (
    FRAME_TIMEOUT_MAX_S,
    forward_request,
    forwarded_port,
    inner_bytes,
)
from station.protocols.qgdw1376.frame import CONFIRMATION, Frame
from station.protocols.qgdw1376.requests import is_answer


class ForwardedBus:
    """A line with meters on it, at one port of a terminal."""

    def __init__(self, terminal: Terminal1376, port: int, line: str) -> None:
        """Raises InvalidValue if a terminal cannot be told of this port or line."""
        self._terminal = terminal
        self._port = port
        if not 0 < port <= 0xFF:
            raise InvalidValue("port", f"a terminal's port is 1..255, got {port}")
        try:
            self._line = LineSettings.parse(line)
            self._line.control_byte()
        except ValueError as error:
            raise InvalidValue("line", str(error)) from error

    @property
    def name(self) -> str:
        """Return the terminal's address, with the port where ports do not share one request."""
        return self._terminal.bus_name(self._port)

    async def exchange(
        self, inquiry: Inquiry[FrameT], *, priority: Priority, timeout_s: float
    ) -> Answer[FrameT]:
        """Ask a meter; see `station.frontend.link.Bus`."""

        def question(joining: Joining[FrameT], exchange: int) -> _Question[FrameT]:
            return _Question(self._terminal, self._port, self._line, joining, timeout_s, exchange)

        return await ask_through(self._terminal, self._port, inquiry, question, priority)


class _Question(CarriedQuestion[FrameT], Sequenced):
    """One forwarded request and what comes of it."""

    def __init__(
        self,
        terminal: Terminal1376,
        port: int,
        line: LineSettings,
        inquiry: Joining[FrameT],
        timeout_s: float,
        exchange: int,
    ) -> None:
        super().__init__(terminal, inquiry, timeout_s, exchange)
        self._terminal: Terminal1376 = terminal
        self._port = port
        self._line = line
        self._outer: Frame | None = None

    def send(self) -> None:
        told_s = int(self.timeout_s * TOLD_SHARE)
        terminal = self._terminal
        self._outer = forward_request(
            terminal.address,
            self._port,
            self._line,
            self._inquiry.raw,
            frame_timeout_s=min(max(told_s, 1), FRAME_TIMEOUT_MAX_S),
            byte_timeout_ms=BYTE_TIMEOUT_MS,
            sequence=terminal.next_sequence(),
            master=terminal.link.master,
        )
        self.sequence = self._outer.sequence
        self._send(self._outer.to_bytes())

    def belongs(self, frame: Frame) -> bool:
        if self._outer is None or not is_answer(self._outer, frame):
            return False
        return forwarded_port(frame) in (self._port, None)

    def answer_in(self, frame: Frame, at: datetime) -> Answer[FrameT | Piece] | None:
        errors = item_errors(frame)
        if any(errors):
            raise Refused(f"{self._failure()}: it refused with error {max(errors)}")
        if is_denial(frame):
            raise self._silent(self._waited_s())
        if frame.afn == CONFIRMATION:
            return None  # "I will"; the data comes in a frame of its own.
        inner = inner_bytes(frame)
        if inner is None:
            raise BadAnswer(f"{self._failure()}: it answered another function")
        return self._answer_among(inner, at)
