"""A half-duplex line with meters on it whose bytes come and go as they are.

Behind a serial port, a network port or a modem: frames of DL/T 645 and DL/T 698.45, preambles,
echoes and noise. What comes while a question is open and is not its answer is remembered, so that
the question that ends without an answer can say why.
"""

import asyncio
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Generic, Protocol

from station.errors import MeterTimeout, StationError
from station.frontend.inquiries import (
    PREAMBLE_698,
    fault_kind,
    fault_of_noise,
    is_active_report,
    is_from_meter,
    meter_address,
    more_telling,
)
from station.frontend.link import Answer, Fault, FrameT, Inquiry, MeterFrame, Priority
from station.frontend.turns import Line
from station.protocols.detect import Parser, Registration
from station.protocols.dlt645 import frame as dlt645
from station.protocols.dlt698 import frame as dlt698
from station.protocols.dlt698 import link as link698
from station.protocols.dlt698.segments import Joiner
from station.protocols.noise import Noise

PARTIAL_FRAME_S = 1.0  # Meters pause 0.5 s at most inside a frame; networks add to it.
NOISE_HELD_MAX = 1024  # Bytes that one record of the trace brings together.


class Wire(Protocol):
    """What carries the bytes and keeps the books: a channel, or the connection of a modem."""

    @property
    def name(self) -> str:
        """Return the name of the link."""
        ...

    def write(self, raw: bytes, listen_s: float, meter: str | None, exchange: int | None) -> None:
        """Send bytes, keep them in the trace, and listen closely for so long."""
        ...

    def moment(self) -> datetime:
        """Return the moment of what has just come."""
        ...

    def heard(self, at: datetime, size: int) -> None:
        """Bytes have come that are a frame."""
        ...

    def record(
        self, raw: bytes, at: datetime, meter: str | None, exchange: int | None, note: str
    ) -> None:
        """Keep in the trace what has come."""
        ...

    def hear_noise(self, noise: Noise) -> None:
        """Take bytes that are no frame."""
        ...

    def hear_packet(self, packet: bytes) -> None:
        """Take a registration or a heartbeat of a modem."""
        ...

    def count(self, fault: Fault) -> None:
        """Count something that has gone wrong."""
        ...

    def report(self, protocol: str, frame: MeterFrame, at: datetime) -> None:
        """Hand on a frame that nobody asked for."""
        ...

    def new_exchange(self) -> int:
        """Return the number of a new exchange."""
        ...


class RawLine:
    """One line, from its coming up to its going down; a `Bus`."""

    def __init__(self, wire: Wire, title: str, packets: Iterable[bytes] = ()) -> None:
        """`title` names the line in messages; `packets` are those of a modem."""
        self.name = wire.name
        self._wire = wire
        self._line: Line[MeterFrame] = Line(title, lambda: wire.count("timeouts"))
        self._parser = Parser(packets)
        self._joiner = Joiner()
        self._noise = bytearray()  # Until a frame or a pause says that it is all.
        self._noise_reason = ""
        self._pause: asyncio.TimerHandle | None = None
        self._fault: StationError | None = None

    async def exchange(
        self, inquiry: Inquiry[FrameT], *, priority: Priority, timeout_s: float
    ) -> Answer[FrameT]:
        """Ask a meter; see `station.frontend.link.Bus`."""
        question = _Question(self, inquiry, timeout_s, self._wire.new_exchange())
        return await self._line.ask(question, priority)

    def receive(self, data: bytes | memoryview) -> None:
        """Bytes have come."""
        self._parser.receive_data(data)
        self._take_events()
        self._stop_pause()
        if self._noise or self._parser.waiting:
            loop = asyncio.get_running_loop()
            self._pause = loop.call_later(PARTIAL_FRAME_S, self.end_of_bytes)

    def end_of_bytes(self) -> None:
        """Nothing more belongs to what came so far: take it as noise, and frames inside it."""
        self._stop_pause()
        self._parser.give_up()
        self._take_events()
        self._tell_noise()

    def go_down(self, reason: str) -> None:
        """The line is none any more."""
        self.end_of_bytes()
        self._line.go_down(reason)

    # What a question asks.

    def send(self, inquiry: Inquiry[FrameT], exchange: int, timeout_s: float) -> None:
        """Send a question; nothing that came before is part of its answer."""
        self.end_of_bytes()
        self._fault = None
        self._wire.write(inquiry.raw, timeout_s, inquiry.meter, exchange)

    def fault(self) -> StationError | None:
        """Return what came since the last question instead of its answer, or None for silence."""
        self.end_of_bytes()
        return self._fault

    def note_fault(self, fault: StationError | None) -> None:
        """Remember what came instead of an answer."""
        self._fault = more_telling(self._fault, fault)
        if fault is not None and fault_kind(fault) == "wrong_address":
            self._wire.count("wrong_address")

    # Helpers.

    def _take_events(self) -> None:
        while (event := self._parser.next_event()) is not None:
            if isinstance(event, Noise):
                self._hear_noise(event)
            elif isinstance(event, Registration):
                self._tell_noise()
                self._wire.hear_packet(event.data)
            elif isinstance(event, dlt645.Frame | dlt698.Frame):
                self._hear(event)
            else:
                self._hear_noise(Noise(event.to_bytes(), "a terminal's frame"))

    def _hear(self, frame: MeterFrame) -> None:
        """Take a frame; a preamble in front of it is shown as part of it."""
        at = self._wire.moment()
        raw = frame.to_bytes()
        if self._noise_reason == "preamble":
            raw = bytes(self._noise) + raw
            self._noise.clear()
        self._tell_noise()
        self._wire.heard(at, len(raw))
        whole = frame
        if isinstance(frame, dlt698.Frame) and frame.is_split and frame.from_terminal:
            joined = self._joiner.add(frame)
            if joined.whole is None:
                self._record(frame, raw, at, self._open_exchange(), "piece")
                self._acknowledge(joined.acknowledgement)
                return
            whole = joined.whole
        question = self._line.find_question(whole)
        if question is not None:
            self._record(frame, raw, at, question.exchange, "")
            self._line.hear(whole, at)
        elif is_from_meter(whole):
            self._hear_unasked(whole, raw, at)
        else:
            self._record(frame, raw, at, None, "echo")

    def _hear_unasked(self, frame: MeterFrame, raw: bytes, at: datetime) -> None:
        """Take a meter's frame that answers nothing."""
        if isinstance(frame, dlt698.Frame) and frame.from_initiator:
            self._record(frame, raw, at, None, "")
            self._confirm(frame)
            if link698.link_function(frame) is None:
                self._wire.report("dlt698", frame, at)
        elif isinstance(frame, dlt645.Frame) and is_active_report(frame):
            self._record(frame, raw, at, None, "")
            self._wire.report("dlt645", frame, at)
        else:
            fault: Fault = "duplicate" if self._line.is_repeated(frame) else "late"
            if self._line.question is None or fault == "duplicate":
                self._wire.count(fault)
                self._record(frame, raw, at, None, fault)
            else:
                self._record(frame, raw, at, self._line.question.exchange, "not the answer")

    def _record(
        self, frame: MeterFrame, raw: bytes, at: datetime, exchange: int | None, note: str
    ) -> None:
        self._wire.record(raw, at, meter_address(frame), exchange, note)

    def _open_exchange(self) -> int | None:
        return None if self._line.question is None else self._line.question.exchange

    def _acknowledge(self, acknowledgement: dlt698.Frame | None) -> None:
        if acknowledgement is not None:
            self._line.hear_part()
            self._write_now(acknowledgement)

    def _confirm(self, frame: dlt698.Frame) -> None:
        if link698.wants_confirmation(frame):
            try:
                self._write_now(link698.confirm(frame))
            except ValueError:  # A report in a cipher, or one that cannot be decoded.
                return

    def _write_now(self, frame: dlt698.Frame) -> None:
        raw = PREAMBLE_698 + frame.to_bytes()
        self._wire.write(raw, PARTIAL_FRAME_S, frame.server.text, self._open_exchange())

    def _hear_noise(self, noise: Noise) -> None:
        if noise.reason != self._noise_reason or len(self._noise) > NOISE_HELD_MAX:
            self._tell_noise()
        self._noise += noise.data
        self._noise_reason = noise.reason
        self._fault = more_telling(self._fault, fault_of_noise(noise))

    def _tell_noise(self) -> None:
        if self._noise:
            noise = Noise(bytes(self._noise), self._noise_reason)
            self._noise.clear()
            self._wire.hear_noise(noise)
        self._noise_reason = ""

    def _stop_pause(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None


class _Question(Generic[FrameT]):
    """One question on the line and what comes of it."""

    def __init__(
        self, line: RawLine, inquiry: Inquiry[FrameT], timeout_s: float, exchange: int
    ) -> None:
        self._line = line
        self._inquiry = inquiry
        self._sent_at = 0.0
        self.timeout_s = timeout_s
        self.exchange = exchange

    def send(self) -> None:
        self._sent_at = time.monotonic()
        self._line.send(self._inquiry, self.exchange, self.timeout_s)

    def belongs(self, frame: MeterFrame) -> bool:
        if self._inquiry.answer_in(frame) is not None:
            return True
        self._line.note_fault(self._inquiry.fault_of(frame))
        return False

    def answer_in(self, frame: MeterFrame, at: datetime) -> Answer[FrameT] | None:
        answer = self._inquiry.answer_in(frame)
        if answer is None:
            return None
        return Answer(answer, at, self.exchange, time.monotonic() - self._sent_at)

    def silence(self) -> StationError:
        fault = self._line.fault()
        meter, asked = self._inquiry.meter, self._inquiry.asked
        text = f"meter {meter}: no answer to {asked} in {self.timeout_s:.1f} s on {self._line.name}"
        return MeterTimeout(text) if fault is None else type(fault)(f"{text}: {fault}")
