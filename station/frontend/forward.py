"""A bus behind a terminal: a meter's frames travel inside AFN10 F1 of 1376.1 (digest, section 15).

The terminal is told to wait a little shorter than the station does, so that its word of a silent
meter still comes in time. A denial, an empty answer and silence all mean that the meter did not
answer. What the terminal brings back may hold preambles, noise and an echo around the answer.
"""

import time
from datetime import datetime
from typing import Generic

from station.errors import BadAnswer, InvalidValue, MeterTimeout, Refused, StationError
from station.frontend.inquiries import Joining, Piece, answer_among
from station.frontend.link import Answer, FrameT, Inquiry, Priority
from station.frontend.terminal import BYTE_TIMEOUT_MS, TOLD_SHARE
from station.frontend.terminal1376 import Sequenced, Terminal1376
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
        joining = Joining(inquiry)
        exchange = self._terminal.link.new_exchange()
        while True:
            question = _Question(
                self._terminal, self._port, self._line, joining, timeout_s, exchange
            )
            answer = await self._terminal.line(self._port).ask(question, priority)
            whole = joining.take(answer.frame)
            if whole is not None:
                return Answer(whole, answer.at, exchange, answer.waited_s)


class _Question(Sequenced, Generic[FrameT]):
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
        self._terminal = terminal
        self._port = port
        self._line = line
        self._inquiry = inquiry
        self._outer: Frame | None = None
        self._sent_at = 0.0
        self.timeout_s = timeout_s
        self.exchange = exchange

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
        self._sent_at = time.monotonic()
        meter = self._inquiry.meter
        terminal.link.send(self._outer.to_bytes(), meter=meter, exchange=self.exchange)

    def belongs(self, frame: Frame) -> bool:
        if self._outer is None or not is_answer(self._outer, frame):
            return False
        return forwarded_port(frame) in (self._port, None)

    def answer_in(self, frame: Frame, at: datetime) -> Answer[FrameT | Piece] | None:
        errors = item_errors(frame)
        if any(errors):
            raise Refused(f"{self._failure()}: it refused with error {max(errors)}")
        waited_s = time.monotonic() - self._sent_at
        if is_denial(frame):
            raise MeterTimeout(self._timeout_text(waited_s))
        if frame.afn == CONFIRMATION:
            return None  # "I will"; the data comes in a frame of its own.
        inner = inner_bytes(frame)
        if inner is None:
            raise BadAnswer(f"{self._failure()}: it answered another function")
        answer: FrameT | Piece | StationError | None
        answer = answer_among(
            self._inquiry,
            inner,
            lambda report: self._terminal.link.report("dlt645", report, at, self.exchange),
        )
        if answer is None:
            raise MeterTimeout(self._timeout_text(waited_s))
        if isinstance(answer, StationError):
            raise self._terminal.told(answer, self._failure())
        return Answer(answer, at, self.exchange, waited_s)

    def silence(self) -> MeterTimeout:
        return MeterTimeout(self._timeout_text(self.timeout_s))

    def _failure(self) -> str:
        meter, asked = self._inquiry.meter, self._inquiry.asked
        return f"meter {meter}: no answer to {asked} through terminal {self._terminal.name}"

    def _timeout_text(self, waited_s: float) -> str:
        meter, asked, terminal = self._inquiry.meter, self._inquiry.asked, self._terminal.name
        return (
            f"meter {meter}: no answer to {asked} in {waited_s:.1f} s through terminal {terminal}"
        )
