"""One connection that a terminal has opened, from its acceptance to its end.

An idle one costs an object and a socket: no task, no stream, no lock and no timer of its own.
Whatever the other end sends, or fails to read, it holds no more than its limits, and loses only
itself.
"""

import asyncio
import logging
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from station.frontend.conversation import Conversation
from station.frontend.dialects import Dialect
from station.frontend.link import Bus, Fault, MeterFrame, Report, TerminalPort
from station.frontend.opening import Opening
from station.frontend.registry import Entry
from station.frontend.session import Session, State
from station.protocols.noise import Noise
from station.protocols.qgdw1376 import frame as qgdw1376
from station.store.objects.meters import Meter
from station.units import utc_now

if TYPE_CHECKING:
    from station.frontend.server import FrontServer

log = logging.getLogger(__name__)

UNSENT_MAX = 64 * 1024  # A terminal is sent one frame at a time: thirty mean that it reads none.
NOISE_MAX = 64 * 1024  # Bytes since the last frame: thirty times the largest frame.
PARTIAL_FRAME_S = 5.0  # The rest of a frame that pauses longer does not come (digest, section 16).


class TerminalConnection(asyncio.BufferedProtocol):
    """One connection; a `LiveLink` once the terminal is known."""

    __slots__ = (
        "_clock",
        "_entry",
        "_noise_size",
        "_read_at",
        "_reason",
        "_server",
        "_transport",
        "conversation",
        "ip",
        "remote",
        "session",
    )

    def __init__(self, server: "FrontServer") -> None:
        self._server = server
        self.session = Session()
        self.conversation: Conversation = Opening(self, server.registrations)
        self._transport: asyncio.Transport | None = None
        self._entry: Entry | None = None
        self._reason: str | None = None  # Why it has ended.
        self._noise_size = 0  # Since the last frame.
        self._read_at = self._clock = time.monotonic()
        self.ip = ""
        self.remote = ""

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        host, port = transport.get_extra_info("peername", ("unknown", 0))[:2]
        self.ip = host
        self.remote = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._transport.set_write_buffer_limits(high=UNSENT_MAX)
        refusal = self._server.admit(self)
        if refusal is not None:
            self.abort(refusal)

    def get_buffer(self, _sizehint: int) -> memoryview:
        return self._server.buffer

    def buffer_updated(self, nbytes: int) -> None:
        now = time.monotonic()
        if now - self._read_at > PARTIAL_FRAME_S:
            self.conversation.give_up()
        self._read_at = now
        if self._reason is None:
            self.conversation.receive(bytes(self._server.buffer[:nbytes]))

    def pause_writing(self) -> None:
        self.abort(f"it does not read: {UNSENT_MAX} bytes are unsent")

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(str(exc) if exc else "the terminal closed the connection")
        self._server.gone(self)

    # What the registry and the server call.

    def bus(self, meter: Meter) -> Bus:
        """Return the bus of a meter behind this terminal. Raises InvalidValue."""
        return self.conversation.bus(meter)

    def terminal(self) -> TerminalPort:
        """Return the terminal itself. Raises InvalidValue where there is none to ask."""
        return self.conversation.terminal()

    def close(self, reason: str) -> None:
        """End the link now, and the connection when what was sent has left."""
        self._end(reason)
        if self._transport is not None:
            self._transport.close()

    def abort(self, reason: str) -> None:
        """End the link and the connection now."""
        self._end(reason)
        if self._transport is not None:
            self._transport.abort()

    def check_clocks(self, now: float) -> None:
        """Close a link that has been silent for too long."""
        if self._reason is not None:
            self.abort(self._reason)  # It had time to take what was sent.
            return
        if now - self._read_at > PARTIAL_FRAME_S:
            self.conversation.give_up()
        settings = self._server.settings
        unnamed = self.session.state is State.UNNAMED
        limit_s = settings.login_timeout_s if unnamed else settings.idle_timeout_s
        if now - self._clock > limit_s and self._reason is None:
            self.close(f"{self.session.silence().text} for {limit_s:g} s")

    # What its conversation calls.

    @property
    def name(self) -> str:
        """Return the terminal's address, or the other end while nobody knows it."""
        return self.session.address or self.remote

    @property
    def is_open(self) -> bool:
        """Tell whether it has not ended yet."""
        return self._reason is None

    @property
    def master(self) -> int:
        """Return the station's address in requests."""
        return self._server.settings.master

    def dialect_of(self, frame: object) -> Dialect[Any] | None:
        """Return the protocol of a terminal's frame; None for a meter's."""
        return self._server.dialects.get(type(frame))

    def is_parallel(self, address: str) -> bool:
        """Tell whether a terminal takes one question per port at a time."""
        terminal = self._server.registry.terminals.get(address)
        return terminal is not None and terminal.parallel_ports

    def converse(self, conversation: Conversation) -> None:
        """Go on with another conversation."""
        self.conversation = conversation

    def attach(self, protocol: str, at: datetime) -> bool:
        """Make it the link of the session's terminal; close it, and False, for a blocked one."""
        address = self.session.address
        refusal = self._server.refusal_of(address)
        if refusal is not None:
            self.close(refusal)
        if self._reason is not None:
            return False
        if self._entry is None:
            self._server.named(self)
        elif self._entry.address != address:
            self._leave(f"terminal {address} took over its connection", at)
        self._entry = self._server.registry.up(address, self, "terminal", protocol, at)
        return True

    def next_sequence(self) -> int:
        """Return the sequence number of the next request."""
        return 0 if self._entry is None else self._entry.next_sequence()

    def new_exchange(self) -> int:
        """Return the number of a new exchange."""
        return self._server.trace.new_exchange()

    def moment(self) -> datetime:
        """Return the moment of what has just come, after that of what came before."""
        entry = self._entry
        return self._server.moment_after(None if entry is None else entry.last_seen)

    def heard(self, at: datetime, size: int) -> None:
        """A frame has come."""
        if self._entry is not None:
            self._clock = self._read_at
            self._server.registry.heard(self._entry, at, size)
        self._noise_size = 0

    def beat(self, raw: bytes, reply: bytes) -> None:
        """A heartbeat has come: keep it, and send and keep its confirmation."""
        entry, server = self._entry, self._server
        if entry is None or self._transport is None:
            return
        at = server.moment_after(entry.last_seen)
        self._clock = self._read_at
        self._noise_size = 0
        self._transport.write(reply)
        server.registry.beat(entry, at, len(raw), len(reply))
        server.trace.record_beat(entry.address, raw, reply, at)

    def hear_noise(self, noise: Noise) -> None:
        """Take bytes that are no frame."""
        size = len(noise.data)
        at = self.moment()
        if self._entry is not None:
            self._server.registry.heard(self._entry, at, size)
            if noise.reason != "preamble":
                self.count("bad")
        self._server.trace.record_noise(self.name, noise, at)
        self._noise_size += size
        if self._noise_size > NOISE_MAX:
            self.close(f"{self._noise_size} bytes without a frame")

    def record(
        self, raw: bytes, at: datetime, meter: str | None, exchange: int | None, note: str
    ) -> None:
        """Keep in the trace what has come."""
        self._server.trace.record(self.name, "in", raw, at, meter, exchange, note)

    def send(self, raw: bytes, *, meter: str | None = None, exchange: int | None = None) -> None:
        """Send bytes and keep them in the trace."""
        if self._transport is None or self._reason is not None:
            return
        self._transport.write(raw)
        if self._entry is not None:
            self._server.registry.sent(self._entry, len(raw))
        self._server.trace.record(self.name, "out", raw, self.moment(), meter, exchange)

    def count(self, fault: Fault) -> None:
        """Count something that has gone wrong."""
        if self._entry is not None:
            self._server.registry.count(self._entry, fault)

    def report(
        self,
        protocol: str,
        frame: MeterFrame | qgdw1376.Frame,
        at: datetime,
        exchange: int | None = None,
    ) -> None:
        """Hand on a frame that nobody asked for."""
        if self._entry is not None:
            self._server.hand_on(Report(self._entry.address, protocol, frame, at, exchange))

    # Helpers.

    def _end(self, reason: str) -> None:
        if self._reason is None:
            self._reason = reason
            log.debug("%s, terminal %s: %s", self.remote, self.session.address or "unknown", reason)
            self._leave(reason, utc_now())

    def _leave(self, reason: str, at: datetime) -> None:
        """The link that this connection was is none any more."""
        self.conversation.go_down(reason)
        if self._entry is not None:
            self._server.registry.down(self._entry.address, self, reason, at)
            self._entry = None
