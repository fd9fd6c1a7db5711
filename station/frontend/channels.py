"""Links that the station opens itself: serial ports, TCP to serial servers, RFC 2217.

A channel is one half-duplex line with meters on it. It is online while its port is open; a port
that cannot be opened is tried again for as long as the channel is enabled in the archive.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Generic

from station.errors import LinkDown, MeterTimeout, StationError
from station.frontend.inquiries import (
    fault_of_noise,
    is_from_meter,
    meter_address,
    more_telling,
)
from station.frontend.link import (
    Answer,
    Bus,
    FrameT,
    Inquiry,
    Line,
    MeterFrame,
    Priority,
    next_moment,
)
from station.frontend.port import PAUSE_FIRST_S, PortThread
from station.frontend.registry import Entry, Registry
from station.frontend.trace import Trace
from station.protocols.detect import Parser
from station.protocols.dlt645 import frame as dlt645
from station.protocols.dlt698 import frame as dlt698
from station.protocols.noise import Noise
from station.store.objects.channels import Channel
from station.store.objects.meters import Meter
from station.units import utc_now

log = logging.getLogger(__name__)

PROTOCOL = "dlt645"

PARTIAL_FRAME_S = 1.0  # Meters pause 0.5 s at most inside a frame; networks add to it.
NOISE_HELD_MAX = 1024  # Bytes that one record of the trace brings together.
STOP_TIMEOUT_S = 8.0  # pyserial tries 5 s to connect; a driver that hangs longer is left behind.


class Channels:
    """The channels of the archive, as far as they are enabled."""

    def __init__(
        self, registry: Registry, trace: Trace, *, pause_first_s: float = PAUSE_FIRST_S
    ) -> None:
        self._registry = registry
        self._trace = trace
        self._pause_first_s = pause_first_s
        self._links: dict[str, ChannelLink] = {}
        self._shown: frozenset[str] = frozenset()

    async def apply(self, channels: Sequence[Channel]) -> None:
        """Open and close what has changed; what has not stays as it is."""
        wanted = {channel.name: channel for channel in channels if channel.enabled}
        await self._close(
            [name for name, link in self._links.items() if link.channel != wanted.get(name)]
        )
        names = frozenset(channel.name for channel in channels)
        for name in self._shown - names:
            self._registry.remove(name)
        self._shown = names
        now = utc_now()
        for channel in channels:
            if not channel.enabled:
                self._registry.not_opened(channel.name, PROTOCOL, channel.url, "disabled", now)
            elif channel.name not in self._links:
                link = ChannelLink(channel, self._registry, self._trace, self._pause_first_s)
                self._links[channel.name] = link
                link.start()

    async def stop(self) -> None:
        """Close every channel."""
        await self._close(list(self._links))

    async def _close(self, names: Sequence[str]) -> None:
        links = [self._links.pop(name) for name in names]
        await asyncio.gather(*(link.stop() for link in links))


class ChannelLink:
    """One channel: a bus, and a `LiveLink` while its port is open."""

    def __init__(
        self, channel: Channel, registry: Registry, trace: Trace, pause_first_s: float
    ) -> None:
        self.channel = channel
        self._registry = registry
        self._trace = trace
        self._port = PortThread(channel.name, channel.url, channel.line, self, pause_first_s)
        self._parser = Parser()
        self._line: Line[MeterFrame] | None = None  # While the port is open.
        self._entry: Entry | None = None
        self._reason = "it is not open yet"
        self._closing = False
        self._noise = bytearray()  # Until a frame or a pause says that it is all.
        self._noise_reason = ""
        self._pause: asyncio.TimerHandle | None = None
        self._fault: StationError | None = None

    @property
    def name(self) -> str:
        """Return the name of the channel."""
        return self.channel.name

    @property
    def remote(self) -> str:
        """Return the URL of the port."""
        return self.channel.url

    def bus(self, _meter: Meter) -> Bus:
        """Return the channel itself: it is one line."""
        return self

    def start(self) -> None:
        """Begin to open the port."""
        self._port.start()

    def close(self, reason: str) -> None:
        """Close the port and do not open it again."""
        self._closing = True
        self.closed(reason)
        self._port.end()

    async def stop(self) -> None:
        """Close the port and wait, within a bound, until its thread has ended."""
        self.close("the channel was closed")
        if not await self._port.ended(STOP_TIMEOUT_S):
            log.error("channel %s: its driver hangs, the port may stay open", self.name)

    async def exchange(
        self, inquiry: Inquiry[FrameT], *, priority: Priority, timeout_s: float
    ) -> Answer[FrameT]:
        """Ask a meter; see `station.frontend.link.Bus`."""
        if self._line is None:
            raise LinkDown(f"channel {self.name}: {self._reason}")
        return await self._line.ask(_Question(self, inquiry, timeout_s), priority)

    # What the thread tells, on the loop.

    def opened(self) -> None:
        """The port is open."""
        if not self._closing:
            self._line = Line(f"channel {self.name}")
            self._entry = self._registry.up(self.name, self, "channel", PROTOCOL, utc_now())

    def not_opened(self, reason: str) -> None:
        """The port could not be opened."""
        if not self._closing:
            self._reason = reason
            self._registry.not_opened(self.name, PROTOCOL, self.remote, reason, utc_now())

    def closed(self, reason: str) -> None:
        """The port is closed, for this reason."""
        if self._line is None:
            return
        self._reason = reason
        self.end_of_bytes()
        self._line.go_down(reason)
        self._line = self._entry = None
        self._registry.down(self.name, self, reason, utc_now())

    def received(self, data: bytes) -> None:
        """Bytes have come from the port."""
        if self._entry is None:
            return
        self._parser.receive_data(data)
        self._take_events(self._entry)
        self._stop_pause()
        loop = asyncio.get_running_loop()
        self._pause = loop.call_later(PARTIAL_FRAME_S, self.end_of_bytes)

    # What a question asks.

    def send(self, inquiry: Inquiry[FrameT], exchange: int, timeout_s: float) -> None:
        """Send a question; nothing that came before is part of its answer."""
        self.end_of_bytes()
        self._fault = None
        raw = inquiry.raw
        self._port.send(raw, timeout_s)
        if self._entry is not None:
            self._registry.sent(self._entry, len(raw))
        self._trace.record(self.name, "out", raw, utc_now(), inquiry.meter, exchange)

    def new_exchange(self) -> int:
        """Return the number of a new exchange."""
        return self._trace.new_exchange()

    def fault(self) -> StationError | None:
        """Return what came since the last request instead of its answer, or None for silence."""
        self.end_of_bytes()
        return self._fault

    def note_fault(self, fault: StationError | None) -> None:
        """Remember what came instead of an answer."""
        self._fault = more_telling(self._fault, fault)

    def end_of_bytes(self) -> None:
        """Nothing more belongs to what came so far: take it as noise, and frames inside it."""
        self._stop_pause()
        self._parser.give_up()
        if self._entry is not None:
            self._take_events(self._entry)
        self._record_noise()

    # Helpers.

    def _take_events(self, entry: Entry) -> None:
        while (event := self._parser.next_event()) is not None:
            at = next_moment(utc_now(), entry.last_seen)
            if isinstance(event, Noise):
                self._registry.heard(entry, at, len(event.data))
                self._hear_noise(event)
            elif isinstance(event, dlt645.Frame | dlt698.Frame):
                self._hear(event, entry, at)

    def _hear(self, frame: MeterFrame, entry: Entry, at: datetime) -> None:
        """Take a frame; a preamble in front of it is shown as part of it."""
        raw = frame.to_bytes()
        self._registry.heard(entry, at, len(raw))
        if self._noise_reason == "preamble":
            raw = bytes(self._noise) + raw
            self._noise.clear()
        self._record_noise()
        meter = meter_address(frame)
        question = None if self._line is None else self._line.find_question(frame)
        if question is None or self._line is None:
            note = "late" if is_from_meter(frame) else "echo"
            self._trace.record(self.name, "in", raw, at, meter, None, note)
            return
        self._trace.record(self.name, "in", raw, at, meter, question.exchange)
        self._line.hear(frame, at)

    def _hear_noise(self, noise: Noise) -> None:
        if noise.reason != self._noise_reason or len(self._noise) > NOISE_HELD_MAX:
            self._record_noise()
        self._noise += noise.data
        self._noise_reason = noise.reason
        self._fault = more_telling(self._fault, fault_of_noise(noise))

    def _record_noise(self) -> None:
        if self._noise:
            noise = Noise(bytes(self._noise), self._noise_reason)
            self._trace.record_noise(self.name, noise, utc_now())
            self._noise.clear()
        self._noise_reason = ""

    def _stop_pause(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None


class _Question(Generic[FrameT]):
    """One question on a channel and what comes of it."""

    def __init__(self, link: ChannelLink, inquiry: Inquiry[FrameT], timeout_s: float) -> None:
        self._link = link
        self._inquiry = inquiry
        self._sent_at = 0.0
        self.timeout_s = timeout_s
        self.exchange = link.new_exchange()

    def send(self) -> None:
        self._sent_at = time.monotonic()
        self._link.send(self._inquiry, self.exchange, self.timeout_s)

    def belongs(self, frame: MeterFrame) -> bool:
        if self._inquiry.answer_in(frame) is not None:
            return True
        self._link.note_fault(self._inquiry.fault_of(frame))
        return False

    def answer_in(self, frame: MeterFrame, at: datetime) -> Answer[FrameT] | None:
        answer = self._inquiry.answer_in(frame)
        if answer is None:
            return None
        return Answer(answer, at, self.exchange, time.monotonic() - self._sent_at)

    def silence(self) -> StationError:
        fault = self._link.fault()
        meter, asked = self._inquiry.meter, self._inquiry.asked
        text = f"meter {meter}: no answer to {asked} in {self.timeout_s:.1f} s on {self._link.name}"
        return MeterTimeout(text) if fault is None else type(fault)(f"{text}: {fault}")
