"""Accepts terminals, keeps their links and answers them.

A link that is idle costs an object and a socket: no task, no stream, no lock and no timer of its
own. All links of the loop read into one buffer, which is free again before the next one reads. One
timer sweeps both idle clocks, before and after login. Whatever the other end sends, or fails to
read, a link holds no more than its limits, and loses only itself.
"""

import asyncio
import errno
import fcntl
import logging
import resource
import socket
import time
from datetime import datetime
from typing import Any, Literal, Protocol, cast

from station import tasks
from station.errors import StartError
from station.frontend.forward import ForwardedBus
from station.frontend.link import Bus, Line, next_moment
from station.frontend.registry import Entry, Registry
from station.frontend.session import Session, State, Step
from station.frontend.trace import Trace
from station.protocols.noise import Noise
from station.protocols.qgdw1376.frame import Frame
from station.protocols.qgdw1376.link import confirm
from station.protocols.qgdw1376.parser import Parser
from station.store.objects.meters import Meter
from station.units import utc_now

log = logging.getLogger(__name__)

PROTOCOL = "qgdw1376"

# One for all links of the loop; eight of the largest frames. Whoever sends without pause keeps the
# others waiting for no longer than it takes to work through one filling: 25 ms of heartbeats.
READ_BUFFER_SIZE = 16 * 1024
UNSENT_MAX = 64 * 1024  # A terminal is sent one frame at a time: thirty mean that it reads none.
NOISE_MAX = 64 * 1024  # Bytes since the last frame: thirty times the largest frame.
PARTIAL_FRAME_S = 5.0  # The rest of a frame that pauses longer does not come (digest, section 16).

SWEEPS_PER_CLOCK = 10  # A clock is noticed at most this share of its time late, and at most
SWEEP_PERIOD_MAX_S = 5.0  # this many seconds; a sweep of 20,000 links takes some milliseconds.

BACKLOG = 4096  # After a power cut all terminals dial in at once; the kernel may hold fewer.
CLOSE_TIMEOUT_S = 2.0  # For the last confirmations to leave when the station stops.

# Other parts, pyserial among them, use select(), which knows no descriptor above 1023.
LOW_DESCRIPTORS = 1024
SPARE_DESCRIPTORS = 512  # Beside the terminals': pages, database, channels, files.


class FrontSettings(Protocol):
    """What the front-end has to be told; see `config.yaml`."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def connections_max(self) -> int: ...
    @property
    def login_timeout_s(self) -> float: ...
    @property
    def idle_timeout_s(self) -> float: ...
    @property
    def confirmation(self) -> Literal["F1", "F3"]: ...
    @property
    def master(self) -> int: ...


class FrontServer:
    """The port that terminals dial in to."""

    def __init__(self, settings: FrontSettings, registry: Registry, trace: Trace) -> None:
        self.settings = settings
        self.registry = registry
        self.trace = trace
        self.buffer = memoryview(bytearray(READ_BUFFER_SIZE))
        self.connections: set[TerminalConnection] = set()
        self.refused = 0  # Connections beyond the limit, since the start.
        self.port = settings.port  # Another one once it listens, if the settings leave it open.
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._all_gone: asyncio.Future[None] | None = None  # Made when the server stops.
        self._refused_told = 0

    async def start(self) -> None:
        """Listen. Raises StartError if the port cannot be had."""
        settings = self.settings
        try:
            self._server = await self._listen()
        except OSError as error:
            raise StartError(_refusal_text(settings.host, settings.port, error)) from error
        self.port = self._server.sockets[0].getsockname()[1]
        _raise_descriptor_limit(LOW_DESCRIPTORS + settings.connections_max + SPARE_DESCRIPTORS)
        clock_s = min(settings.login_timeout_s, settings.idle_timeout_s)
        period_s = min(clock_s / SWEEPS_PER_CLOCK, SWEEP_PERIOD_MAX_S)
        self._sweeper = tasks.spawn(
            tasks.periodically(period_s, self._sweep, name="idle clocks"), name="idle clocks"
        )
        log.info("terminals may dial in on %s port %d", settings.host or "every address", self.port)

    async def stop(self) -> None:
        """Take no more connections and close those that are open."""
        if self._server is not None:
            self._server.close()
        await tasks.cancel(self._sweeper)
        self._all_gone = asyncio.get_running_loop().create_future()
        for connection in tuple(self.connections):
            connection.close("the station stops")
        if self.connections:
            await asyncio.wait((self._all_gone,), timeout=CLOSE_TIMEOUT_S)
        for connection in tuple(self.connections):
            connection.abort("the station stops")

    def admit(self, connection: "TerminalConnection") -> bool:
        """Take a new connection, unless there are too many."""
        if len(self.connections) >= self.settings.connections_max:
            self.refused += 1
            return False
        self.connections.add(connection)
        return True

    def gone(self, connection: "TerminalConnection") -> None:
        """A connection has ended."""
        self.connections.discard(connection)
        if self._all_gone is not None and not self.connections and not self._all_gone.done():
            self._all_gone.set_result(None)

    async def _listen(self) -> asyncio.Server:
        settings = self.settings
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(
            settings.host or None, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _, address = found[0]
        listener = _Listener(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNSENT_MAX)  # Each link's.
            listener.bind(address)
            return await loop.create_server(
                lambda: TerminalConnection(self), sock=listener, backlog=BACKLOG
            )
        except OSError:
            listener.close()
            raise

    async def _sweep(self) -> None:
        now = time.monotonic()
        for connection in tuple(self.connections):
            connection.check_clocks(now)
        if self.refused != self._refused_told:
            log.warning(
                "%d connections refused since the start: frontend.connections_max is %d",
                self.refused,
                self.settings.connections_max,
            )
            self._refused_told = self.refused


class TerminalConnection(asyncio.BufferedProtocol):
    """One connection, from its acceptance to its end; a `LiveLink` once the terminal is known."""

    __slots__ = (
        "_clock",
        "_entry",
        "_line",
        "_noise_size",
        "_parser",
        "_read_at",
        "_reason",
        "_server",
        "_session",
        "_transport",
        "remote",
    )

    def __init__(self, server: FrontServer) -> None:
        self._server = server
        self._session = Session()
        self._parser = Parser()
        self._transport: asyncio.Transport | None = None
        self._entry: Entry | None = None
        self._line: Line[Frame] | None = None  # Made with the first question.
        self._reason: str | None = None  # Why it has ended.
        self._noise_size = 0  # Since the last frame.
        self._read_at = self._clock = time.monotonic()
        self.remote = ""

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        host, port = transport.get_extra_info("peername", ("unknown", 0))[:2]
        self.remote = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if not self._server.admit(self):
            self._reason = "too many connections"
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(high=UNSENT_MAX)

    def get_buffer(self, _sizehint: int) -> memoryview:
        return self._server.buffer

    def buffer_updated(self, nbytes: int) -> None:
        now = time.monotonic()
        if now - self._read_at > PARTIAL_FRAME_S:
            self._drop_partial_frame()
        self._read_at = now
        self._parser.receive_data(self._server.buffer[:nbytes])
        self._take_events()

    def pause_writing(self) -> None:
        self.abort(f"it does not read: {UNSENT_MAX} bytes are unsent")

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(str(exc) if exc else "the terminal closed the connection")
        self._server.gone(self)

    # What the registry, the buses and the server call.

    @property
    def address(self) -> str:
        """Return the terminal's address, or "" before the first frame."""
        return self._session.address

    @property
    def master(self) -> int:
        """Return the station's address in requests."""
        return self._server.settings.master

    @property
    def line(self) -> Line[Frame]:
        """Return the turn-taking of this link."""
        if self._line is None:
            self._line = Line(f"terminal {self.address}")
            if self._reason is not None:
                self._line.go_down(self._reason)
        return self._line

    def bus(self, meter: Meter) -> Bus:
        """Return the bus of a meter behind this terminal. Raises InvalidValue."""
        return ForwardedBus(self, meter.port, meter.line)

    def next_sequence(self) -> int:
        """Return the sequence number of the next request."""
        return 0 if self._entry is None else self._entry.next_sequence()

    def new_exchange(self) -> int:
        """Return the number of a new exchange."""
        return self._server.trace.new_exchange()

    def send(self, frame: Frame, *, meter: str | None = None, exchange: int | None = None) -> None:
        """Send a frame and keep it in the trace."""
        if self._transport is None or self._reason is not None:
            return
        raw = frame.to_bytes()
        self._transport.write(raw)
        if self._entry is not None:
            self._server.registry.sent(self._entry, len(raw))
        self._server.trace.record(self._name(), "out", raw, utc_now(), meter, exchange)

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
            self._drop_partial_frame()
        settings = self._server.settings
        unnamed = self._session.state is State.UNNAMED
        limit_s = settings.login_timeout_s if unnamed else settings.idle_timeout_s
        if now - self._clock > limit_s:
            self.close(f"{self._session.silence().text} for {limit_s:g} s")

    # Helpers.

    def _name(self) -> str:
        return self._session.address or self.remote

    def _moment(self) -> datetime:
        entry = self._entry
        return next_moment(utc_now(), None if entry is None else entry.last_seen)

    def _take_events(self) -> None:
        while self._reason is None and (event := self._parser.next_event()) is not None:
            if isinstance(event, Noise):
                self._hear_noise(event)
            else:
                self._hear(event)

    def _hear(self, frame: Frame) -> None:
        at = self._moment()
        raw = frame.to_bytes()
        row = self._session.handle(frame)
        if Step.ATTACH in row.steps:
            self._attach(at)
        if self._entry is not None:
            self._clock = self._read_at
            self._server.registry.heard(self._entry, at, len(raw))
        self._noise_size = 0
        question, note = None, row.text
        if Step.DELIVER in row.steps:
            question = None if self._line is None else self._line.find_question(frame)
            if question is None and not frame.from_initiator:
                note = "late"
        exchange = None if question is None else question.exchange
        self._server.trace.record(self._name(), "in", raw, at, None, exchange, note)
        if Step.CONFIRM in row.steps:
            self.send(confirm(frame, self._server.settings.confirmation == "F3"))
        if question is not None and self._line is not None:
            self._line.hear(frame, at)
        if Step.CLOSE in row.steps:
            self.close(row.text)

    def _hear_noise(self, noise: Noise) -> None:
        size = len(noise.data)
        at = self._moment()
        if self._entry is not None:
            self._server.registry.heard(self._entry, at, size)
        self._server.trace.record_noise(self._name(), noise, at)
        self._noise_size += size
        if self._noise_size > NOISE_MAX:
            self.close(f"{self._noise_size} bytes without a frame")

    def _drop_partial_frame(self) -> None:
        """Take what waits for the rest of its frame as noise, and frames that lie inside it."""
        if self._parser.waiting:
            self._parser.give_up()
            self._take_events()

    def _attach(self, at: datetime) -> None:
        address = self._session.address
        if self._entry is not None and self._entry.address != address:
            self._leave(f"terminal {address} took over its connection", at)
        self._entry = self._server.registry.up(address, self, "terminal", PROTOCOL, at)

    def _end(self, reason: str) -> None:
        if self._reason is None:
            self._reason = reason
            log.debug("%s, terminal %s: %s", self.remote, self.address or "unknown", reason)
            self._leave(reason, utc_now())

    def _leave(self, reason: str, at: datetime) -> None:
        """The link that this connection was is none any more."""
        if self._line is not None:
            self._line.go_down(reason)
            self._line = None
        if self._entry is not None:
            self._server.registry.down(self._entry.address, self, reason, at)
            self._entry = None


class _Listener(socket.socket):
    """A listening socket that leaves the low descriptors to those who can use no others."""

    def accept(self) -> tuple[socket.socket, Any]:
        connection, address = super().accept()
        try:
            moved = fcntl.fcntl(connection, fcntl.F_DUPFD_CLOEXEC, LOW_DESCRIPTORS)
        except OSError:  # None is free up there: better a low one than no terminal.
            return connection, address
        family, kind, protocol = connection.family, connection.type, connection.proto
        connection.close()
        return socket.socket(family, kind, protocol, fileno=moved), address


def _raise_descriptor_limit(wanted: int) -> None:
    """Let this process open as many files as its links need, if the system allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        log.warning(
            "the system allows %d open files, frontend.connections_max needs %d", allowed, wanted
        )


def _refusal_text(host: str, port: int, error: OSError) -> str:
    where = f" on {host}" if host else ""
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use{where}; another program, or another station, listens there"
    return f"cannot listen on port {port}{where}: {error.strerror or error}"
