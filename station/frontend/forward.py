"""A bus behind a terminal: a meter's frames travel inside AFN10 F1 of 1376.1 (digest, section 15).

The terminal is told to wait a little shorter than the station does, so that its word of a silent
meter still comes in time. A denial, an empty answer and silence all mean that the meter did not
answer. What the terminal brings back may hold preambles, noise and an echo around the answer.
"""

import time
from datetime import datetime
from typing import Generic, Protocol

from station.errors import (
    BadAnswer,
    InvalidValue,
    LinkDown,
    MeterTimeout,
    Refused,
    StationError,
)
from station.frontend.inquiries import fault_of_noise, more_telling
from station.frontend.link import Answer, FrameT, Inquiry, Line, Priority
from station.protocols.detect import Parser, Registration
from station.protocols.line import LineSettings
from station.protocols.noise import Noise
from station.protocols.qgdw1376.confirmation import is_denial, item_errors
from station.protocols.qgdw1376.forward import (
    FRAME_TIMEOUT_MAX_S,
    forward_request,
    inner_bytes,
)
from station.protocols.qgdw1376.frame import CONFIRMATION, Address, Frame
from station.protocols.qgdw1376.requests import is_answer

TOLD_SHARE = 0.9  # Of the station's own wait; the rest is for the way there and back.
BYTE_TIMEOUT_MS = 500  # The longest gap inside a frame, DL/T 645 digest 1.3.


class TerminalLink(Protocol):
    """The link to a terminal, as its buses see it."""

    @property
    def address(self) -> str:
        """Return the terminal's address, 8 hex digits."""
        ...

    @property
    def master(self) -> int:
        """Return the station's address in requests, MSA."""
        ...

    @property
    def line(self) -> Line[Frame]:
        """Return the turn-taking of the link; a terminal works on one request at a time."""
        ...

    def next_sequence(self) -> int:
        """Return the sequence number of the next request."""
        ...

    def new_exchange(self) -> int:
        """Return the number of a new exchange."""
        ...

    def send(self, frame: Frame, *, meter: str | None = None, exchange: int | None = None) -> None:
        """Send a frame and keep it in the trace."""
        ...


class ForwardedBus:
    """A line with meters on it, at one port of a terminal."""

    def __init__(self, link: TerminalLink, port: int, line: str) -> None:
        """Raises InvalidValue if a terminal cannot be told of this port or line."""
        self.name = link.address  # Its ports share the terminal's one request at a time.
        self._link = link
        self._port = port
        if not 0 < port <= 0xFF:
            raise InvalidValue("port", f"a terminal's port is 1..255, got {port}")
        try:
            self._line = LineSettings.parse(line)
            self._line.control_byte()
        except ValueError as error:
            raise InvalidValue("line", str(error)) from error

    async def exchange(
        self, inquiry: Inquiry[FrameT], *, priority: Priority, timeout_s: float
    ) -> Answer[FrameT]:
        """Ask a meter; see `station.frontend.link.Bus`."""
        if self._link.address != self.name:
            raise LinkDown(f"terminal {self.name}: its connection is now another terminal's")
        question = _Question(self._link, self._port, self._line, inquiry, timeout_s)
        return await self._link.line.ask(question, priority)


class _Question(Generic[FrameT]):
    """One forwarded request and what comes of it."""

    def __init__(
        self,
        link: TerminalLink,
        port: int,
        line: LineSettings,
        inquiry: Inquiry[FrameT],
        timeout_s: float,
    ) -> None:
        self._link = link
        self._port = port
        self._line = line
        self._inquiry = inquiry
        self._outer: Frame | None = None
        self._sent_at = 0.0
        self.timeout_s = timeout_s
        self.exchange = link.new_exchange()

    def send(self) -> None:
        told_s = int(self.timeout_s * TOLD_SHARE)
        self._outer = forward_request(
            Address.from_text(self._link.address),
            self._port,
            self._line,
            self._inquiry.raw,
            frame_timeout_s=min(max(told_s, 1), FRAME_TIMEOUT_MAX_S),
            byte_timeout_ms=BYTE_TIMEOUT_MS,
            sequence=self._link.next_sequence(),
            master=self._link.master,
        )
        self._sent_at = time.monotonic()
        self._link.send(self._outer, meter=self._inquiry.meter, exchange=self.exchange)

    def belongs(self, frame: Frame) -> bool:
        return self._outer is not None and is_answer(self._outer, frame)

    def answer_in(self, frame: Frame, at: datetime) -> Answer[FrameT] | None:
        errors = item_errors(frame)
        if any(errors):
            raise Refused(f"{self._failure()}: it refused with error {max(errors)}")
        if is_denial(frame):
            raise MeterTimeout(self._timeout_text(time.monotonic() - self._sent_at))
        if frame.afn == CONFIRMATION:
            return None  # "I will"; the data comes in a frame of its own.
        inner = inner_bytes(frame)
        if inner is None:
            raise BadAnswer(f"{self._failure()}: it answered another function")
        return self._meter_answer(inner, at)

    def silence(self) -> MeterTimeout:
        return MeterTimeout(self._timeout_text(self.timeout_s))

    def _meter_answer(self, inner: bytes, at: datetime) -> Answer[FrameT]:
        waited_s = time.monotonic() - self._sent_at
        parser = Parser()
        parser.receive_data(inner)
        parser.give_up()
        fault: StationError | None = None
        while (event := parser.next_event()) is not None:
            if isinstance(event, Noise):
                fault = more_telling(fault, fault_of_noise(event))
            elif not isinstance(event, Registration | Frame):
                answer = self._inquiry.answer_in(event)
                if answer is not None:
                    return Answer(answer, at, self.exchange, waited_s)
                fault = more_telling(fault, self._inquiry.fault_of(event))
        if fault is None:
            raise MeterTimeout(self._timeout_text(waited_s))
        raise type(fault)(f"{self._failure()}: {fault}")

    def _failure(self) -> str:
        meter, asked = self._inquiry.meter, self._inquiry.asked
        return f"meter {meter}: no answer to {asked} through terminal {self._link.address}"

    def _timeout_text(self, waited_s: float) -> str:
        meter, asked = self._inquiry.meter, self._inquiry.asked
        terminal = self._link.address
        return (
            f"meter {meter}: no answer to {asked} in {waited_s:.1f} s through terminal {terminal}"
        )
