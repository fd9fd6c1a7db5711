"""Links that the station opens itself: serial ports, TCP to serial servers, RFC 2217.

A channel is one half-duplex line with meters on it. It is online while its port is open; a port
that cannot be opened is tried again for as long as the channel is enabled in the archive.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from station.errors import InvalidValue, LinkDown
from station.frontend.link import (
    Answer,
    Bus,
    Fault,
    FrameT,
    Inquiry,
    MeterFrame,
    Priority,
    Report,
    TerminalPort,
    hand_on,
    next_moment,
)
from station.frontend.port import PAUSE_FIRST_S, PortThread
from station.frontend.raw_line import RawLine
from station.frontend.registry import Entry, Registry
from station.frontend.trace import Trace
from station.protocols.noise import Noise
from station.store.objects.channels import Channel
from station.store.objects.meters import Meter
from station.units import utc_now

log = logging.getLogger(__name__)

PROTOCOL = "dlt645"

STOP_TIMEOUT_S = 8.0  # pyserial tries 5 s to connect; a driver that hangs longer is left behind.


class Channels:
    """The channels of the archive, as far as they are enabled."""

    def __init__(
        self,
        registry: Registry,
        trace: Trace,
        *,
        on_report: Callable[[Report], None] | None = None,
        pause_first_s: float = PAUSE_FIRST_S,
    ) -> None:
        self._on_report = on_report
        self._registry = registry
        self._trace = trace
        self._pause_first_s = pause_first_s
        self._links: dict[str, ChannelLink] = {}
        self._shown: frozenset[str] = frozenset()

    async def apply(self, channels: Sequence[Channel]) -> None:
        """Open and close what has changed; what has not stays open, with other times maybe."""
        wanted = {channel.name: channel for channel in channels if channel.enabled}
        await self._close(
            [name for name, link in self._links.items() if not link.may_become(wanted.get(name))]
        )
        for name, link in self._links.items():
            link.become(wanted[name])
        names = frozenset(channel.name for channel in channels)
        for name in self._shown - names:
            self._registry.remove(name)
        self._shown = names
        now = utc_now()
        for channel in channels:
            if not channel.enabled:
                self._registry.not_opened(channel.name, PROTOCOL, channel.url, "disabled", now)
            elif channel.name not in self._links:
                link = ChannelLink(
                    channel, self._registry, self._trace, self._on_report, self._pause_first_s
                )
                self._links[channel.name] = link
                link.start()

    async def stop(self) -> None:
        """Close every channel."""
        await self._close(list(self._links))

    async def _close(self, names: Sequence[str]) -> None:
        links = [self._links.pop(name) for name in names]
        await asyncio.gather(*(link.stop() for link in links))


class ChannelLink:
    """One channel: a `LiveLink` while its port is open."""

    def __init__(
        self,
        channel: Channel,
        registry: Registry,
        trace: Trace,
        on_report: Callable[[Report], None] | None,
        pause_first_s: float,
    ) -> None:
        self.channel = channel
        self._registry = registry
        self._trace = trace
        self._on_report = on_report
        self._port = PortThread(channel, self, pause_first_s)
        self._line: RawLine | None = None  # While the port is open.
        self._entry: Entry | None = None
        self._reason = "it is not open yet"
        self._closing = False
        self._unanswered = 0  # Questions in a row.

    def may_become(self, channel: Channel | None) -> bool:
        """Tell whether a channel can be taken on while the port stays open."""
        if channel is None:
            return False
        return (channel.url, channel.line) == (self.channel.url, self.channel.line)

    def become(self, channel: Channel) -> None:
        """Take on what a channel says of waits and gaps; the port stays open."""
        self.channel = channel
        self._port.take(channel)

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

    def terminal(self) -> TerminalPort:
        """Refuse: there are only meters on a channel. Raises InvalidValue."""
        raise InvalidValue("link", f"channel {self.name} is no terminal")

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
        longer_s = timeout_s + self.channel.wait_ms / 1000
        return await self._line.exchange(inquiry, priority=priority, timeout_s=longer_s)

    # What the thread tells, on the loop.

    def opened(self) -> None:
        """The port is open."""
        if not self._closing:
            self._unanswered = 0
            self._line = RawLine(self, f"channel {self.name}")
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
        self._line.go_down(reason)
        self._line = self._entry = None
        self._registry.down(self.name, self, reason, utc_now())

    def received(self, data: bytes) -> None:
        """Bytes have come from the port."""
        if self._line is not None:
            self._line.receive(data)

    # What the line tells.

    def write(self, raw: bytes, listen_s: float, meter: str | None, exchange: int | None) -> None:
        """Send bytes and keep them in the trace."""
        self._port.send(raw, listen_s)
        if self._entry is not None:
            self._registry.sent(self._entry, len(raw))
        self._trace.record(self.name, "out", raw, utc_now(), meter, exchange)

    def moment(self) -> datetime:
        """Return the moment of what has just come, after that of what came before."""
        return next_moment(utc_now(), None if self._entry is None else self._entry.last_seen)

    def heard(self, at: datetime, size: int) -> None:
        """Bytes have come that are a frame."""
        self._unanswered = 0
        if self._entry is not None:
            self._registry.heard(self._entry, at, size)

    def record(
        self, raw: bytes, at: datetime, meter: str | None, exchange: int | None, note: str
    ) -> None:
        """Keep in the trace what has come."""
        self._trace.record(self.name, "in", raw, at, meter, exchange, note)

    def hear_noise(self, noise: Noise) -> None:
        """Take bytes that are no frame."""
        at = self.moment()
        self.heard(at, len(noise.data))
        if noise.reason != "preamble":
            self.count("bad")
        self._trace.record_noise(self.name, noise, at)

    def hear_packet(self, packet: bytes) -> None:
        """Take what only modems send, as noise."""
        self.hear_noise(Noise(packet, "a modem's packet"))

    def count(self, fault: Fault) -> None:
        """Count something that has gone wrong; after enough silence the port is opened anew."""
        if self._entry is not None:
            self._registry.count(self._entry, fault)
        if fault != "timeouts":
            return
        self._unanswered += 1
        if 0 < self.channel.reopen_after <= self._unanswered:
            self._port.reopen(
                f"{self._unanswered} questions in a row had no answer: it is opened anew"
            )
            self._unanswered = 0

    def report(self, protocol: str, frame: MeterFrame, at: datetime) -> None:
        """Hand on a frame that nobody asked for."""
        hand_on(self._on_report, Report(self.name, protocol, frame, at))

    def new_exchange(self) -> int:
        """Return the number of a new exchange."""
        return self._trace.new_exchange()
