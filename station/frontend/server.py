"""The ports that terminals dial in to: who is let in, and for how long.

All connections of the loop read into one buffer, which is free again before the next one reads. One
timer sweeps both idle clocks, before and after login. Who never logs in leaves its place to others.
"""

import asyncio
import errno
import fcntl
import logging
import resource
import socket
import time
from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo
from typing import Any, Literal, Protocol

from station import tasks
from station.errors import StartError
from station.frontend.connection import UNSENT_MAX, TerminalConnection
from station.frontend.dialects import Dialect, Dialect698, Dialect1376
from station.frontend.dtu import Registrations
from station.frontend.link import Report, hand_on, next_moment
from station.frontend.registry import Registry
from station.frontend.trace import Trace
from station.frontend.unnamed import Unnamed
from station.protocols.dlt698 import frame as dlt698
from station.protocols.qgdw1376 import frame as qgdw1376
from station.units import utc_now

log = logging.getLogger(__name__)

# One for all links of the loop; eight of the largest frames. Whoever sends without pause keeps the
# others waiting for no longer than it takes to work through one filling: 25 ms of heartbeats.
READ_BUFFER_SIZE = 16 * 1024
SWEEPS_PER_CLOCK = 10  # A clock is noticed at most this share of its time late, and at most
SWEEP_PERIOD_MAX_S = 5.0  # this many seconds; a sweep of 20,000 links takes some milliseconds.

BACKLOG = 4096  # After a power cut all terminals dial in at once; the kernel may hold fewer.
NO_ROOM = "no login, and newer connections need the room"
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
    def more_ports(self) -> Sequence[int]: ...
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


class Doorkeeper(Protocol):
    """Who may dial in; `station.frontend.guard.Guard` is one."""

    def refusal(self, ip: str, now: float) -> str | None:
        """Count a new connection and return why it is refused, or None."""
        ...

    def address_refusal(self, address: str) -> str | None:
        """Return why a terminal is blocked, or None."""
        ...

    def logged_in(self, ip: str) -> None:
        """A terminal has logged in on a connection of this IP address."""
        ...


class FrontServer:
    """The ports that terminals dial in to; any protocol on any of them."""

    def __init__(
        self,
        settings: FrontSettings,
        registry: Registry,
        trace: Trace,
        *,
        guard: Doorkeeper | None = None,
        zone: tzinfo | None = None,
        on_report: Callable[[Report], None] | None = None,
    ) -> None:
        """`zone` is that of the terminals' clocks: without it, no terminal is told the time."""
        self.settings = settings
        self.registry = registry
        self.trace = trace
        self.on_report = on_report
        self.buffer = memoryview(bytearray(READ_BUFFER_SIZE))
        self.connections: set[TerminalConnection] = set()
        self.registrations = Registrations()
        self.dialects: dict[type, Dialect[Any]] = {
            qgdw1376.Frame: Dialect1376(settings.confirmation),
            dlt698.Frame: Dialect698(zone),
        }
        self.refused = 0  # Connections beyond the limits, since the start.
        self.port = settings.port  # Another one once it listens, if the settings leave it open.
        self.ports: list[int] = []  # All that it listens on.
        self._guard = guard
        self._unnamed: Unnamed[TerminalConnection] = Unnamed()
        self._servers: list[asyncio.Server] = []
        self._sweeper: asyncio.Task[None] | None = None
        self._all_gone: asyncio.Future[None] | None = None  # Made when the server stops.
        self._refused_told = 0
        self._now_ms, self._now = 0, utc_now()
        registry.when_terminals_change(self._learn_modems)
        self._learn_modems()

    async def start(self) -> None:
        """Listen. Raises StartError if a port cannot be had."""
        settings = self.settings
        for port in (settings.port, *settings.more_ports):
            try:
                server = await self._listen(port)
            except OSError as error:
                self._close_servers()
                raise StartError(_refusal_text(settings.host, port, error)) from error
            self._servers.append(server)
            self.ports.append(server.sockets[0].getsockname()[1])
        self.port = self.ports[0]
        _raise_descriptor_limit(LOW_DESCRIPTORS + settings.connections_max + SPARE_DESCRIPTORS)
        clock_s = min(settings.login_timeout_s, settings.idle_timeout_s)
        period_s = min(clock_s / SWEEPS_PER_CLOCK, SWEEP_PERIOD_MAX_S)
        self._sweeper = tasks.spawn(
            tasks.periodically(period_s, self._sweep, name="idle clocks"), name="idle clocks"
        )
        ports = ", ".join(map(str, self.ports))
        log.info("terminals may dial in on %s port %s", settings.host or "every address", ports)

    async def stop(self) -> None:
        """Take no more connections and close those that are open."""
        self._close_servers()
        await tasks.cancel(self._sweeper)
        self._all_gone = asyncio.get_running_loop().create_future()
        for connection in tuple(self.connections):
            connection.close("the station stops")
        if self.connections:
            await asyncio.wait((self._all_gone,), timeout=CLOSE_TIMEOUT_S)
        for connection in tuple(self.connections):
            connection.abort("the station stops")

    def admit(self, connection: TerminalConnection) -> str | None:
        """Take a new connection, or return why not; others without a login may have to go."""
        refusal = None
        if self._guard is not None:
            refusal = self._guard.refusal(connection.ip, time.monotonic())
        if refusal is None and len(self.connections) >= self.settings.connections_max:
            oldest = self._unnamed.oldest()
            if oldest is None:
                refusal = "too many connections"
            else:
                oldest.abort(NO_ROOM)
        if refusal is not None:
            self.refused += 1
            return refusal
        self.connections.add(connection)
        oldest = self._unnamed.add(connection, connection.ip)
        if oldest is not None:
            oldest.abort(NO_ROOM)
        return None

    def refusal_of(self, address: str) -> str | None:
        """Return why a terminal is blocked, or None."""
        return None if self._guard is None else self._guard.address_refusal(address)

    def named(self, connection: TerminalConnection) -> None:
        """A terminal has logged in on a connection."""
        self._unnamed.remove(connection)
        if self._guard is not None:
            self._guard.logged_in(connection.ip)

    def moment_after(self, last: datetime | None) -> datetime:
        """Return the moment of what has just come, see `next_moment`; one object per millisecond.

        Thousands of links keep the moments of their frames, and a busy one has many in each.
        """
        now_ms = time.time_ns() // 1_000_000
        if now_ms != self._now_ms:
            self._now_ms, self._now = now_ms, utc_now()
        return next_moment(self._now, last)

    def hand_on(self, report: Report) -> None:
        """Give a report to whom it may concern."""
        hand_on(self.on_report, report)

    def gone(self, connection: TerminalConnection) -> None:
        """A connection has ended."""
        self._unnamed.remove(connection)
        self.connections.discard(connection)
        if self._all_gone is not None and not self.connections and not self._all_gone.done():
            self._all_gone.set_result(None)

    async def _listen(self, port: int) -> asyncio.Server:
        settings = self.settings
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(
            settings.host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
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

    def _close_servers(self) -> None:
        for server in self._servers:
            server.close()

    def _learn_modems(self) -> None:
        self.registrations = Registrations(self.registry.terminals.values())

    async def _sweep(self) -> None:
        now = time.monotonic()
        for connection in tuple(self.connections):
            connection.check_clocks(now)
        if self.refused != self._refused_told:
            log.warning(
                "%d connections refused since the start; frontend.connections_max is %d",
                self.refused,
                self.settings.connections_max,
            )
            self._refused_told = self.refused


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
