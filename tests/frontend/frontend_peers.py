"""The other ends of the front-end: a terminal that dials in, a line of meters, and the stores."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone, tzinfo
from typing import Any, Literal, TypeVar

from station.errors import DatabaseDown
from station.frontend.link import Report
from station.frontend.registry import Registry
from station.frontend.server import FrontServer
from station.frontend.trace import Trace
from station.live import Feed
from station.protocols.dlt645 import frame as dlt645
from station.protocols.dlt645.frame import Version
from station.protocols.dlt645.parser import Parser as MeterParser
from station.protocols.dlt645.requests import answer, read
from station.protocols.noise import Noise
from station.protocols.qgdw1376.forward import forward_answer, inner_bytes
from station.protocols.qgdw1376.frame import CONFIRM, Address, Frame
from station.protocols.qgdw1376.link import heartbeat, login, logout
from station.protocols.qgdw1376.parser import Parser
from station.store.objects.meters import Meter

PATIENCE_S = 5.0  # No wait of a test lasts longer.
NOW = datetime(2026, 3, 1, tzinfo=timezone.utc)

TERMINAL = "02001234"
METER = "000000123456"
ENERGY = 0x00010000
REQUEST = read(Version.V2007, METER, ENERGY)
ENERGY_BYTES = bytes.fromhex("26000000")  # 0.26 kWh
REPLY = answer(REQUEST, ENERGY_BYTES)

Result = TypeVar("Result")


async def soon(work: Awaitable[Result]) -> Result:
    """Wait for something that has to come."""
    return await asyncio.wait_for(work, PATIENCE_S)


def meter_on(link: str, address: str = METER, **fields: Any) -> Meter:
    """A meter of the archive."""
    return Meter(address=address, name="", link=link, created_at=NOW, **fields)


@dataclass
class Settings:
    """What the front-end is told, with an ephemeral port."""

    host: str = "127.0.0.1"
    port: int = 0
    more_ports: tuple[int, ...] = ()
    connections_max: int = 50
    login_timeout_s: float = 300.0
    idle_timeout_s: float = 1800.0
    confirmation: Literal["F1", "F3"] = "F3"
    master: int = 1


class AbsentStore:
    """A database that is away: what a store raises then."""

    async def save_many(self, _things: Sequence[Any]) -> None:
        raise DatabaseDown("the database does not answer")

    async def all_offline(self, *_values: Any) -> int:
        raise DatabaseDown("the database does not answer")

    async def forget(self, _address: str) -> None:
        raise DatabaseDown("the database does not answer")


class HangingStore:
    """A database that takes what it is given and never answers."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def save_many(self, _things: Sequence[Any]) -> None:
        await self._hang()

    async def all_offline(self, *_values: Any) -> int:
        return await self._hang()

    async def forget(self, _address: str) -> None:
        await self._hang()

    async def _hang(self) -> int:
        self.asked.set()
        return await asyncio.get_running_loop().create_future()


class Ear:
    """Hears a feed, and waits for what is announced."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self._new = asyncio.Event()

    def listen(self, topic: str, message: dict[str, Any]) -> None:
        self.messages.append((topic, message))
        self._new.set()

    async def hear(self, topic: str, **wanted: Any) -> dict[str, Any]:
        """Return and forget the first message of a topic that holds these values."""
        return await soon(self._hear(topic, wanted))

    async def _hear(self, topic: str, wanted: dict[str, Any]) -> dict[str, Any]:
        while True:
            for place, (name, message) in enumerate(self.messages):
                if name == topic and wanted.items() <= message.items():
                    del self.messages[place]
                    return message
            self._new.clear()
            await self._new.wait()


@dataclass
class Front:
    """A running front-end and what it needs."""

    server: FrontServer
    registry: Registry
    trace: Trace
    ear: Ear
    reports: list[Report]
    terminals: list["Terminal"] = field(default_factory=list)  # A forgotten one would hang up.
    others: list[asyncio.StreamWriter] = field(default_factory=list)

    async def dial(self, address: str = TERMINAL) -> "Terminal":
        """Connect a terminal; it has not logged in yet."""
        self.terminals.append(await Terminal.dial(self.server.port, address))
        return self.terminals[-1]

    async def online(self, address: str = TERMINAL) -> "Terminal":
        """Connect a terminal and log it in."""
        terminal = await self.dial(address)
        await terminal.login()
        return terminal

    def notes(self, direction: str = "in") -> list[str]:
        """The notes of the trace, oldest first."""
        records = reversed(self.trace.recent(limit=1000))
        return [record.note for record in records if record.direction == direction]


@asynccontextmanager
async def running_front(
    links: Any = None,
    frames: Any = None,
    station: str = "station-1",
    guard: Any = None,
    zone: tzinfo | None = None,
    **settings: Any,
) -> AsyncIterator[Front]:
    """A front-end on a port of its own; without stores it has a database that is away."""
    feed, ear = Feed(), Ear()
    registry = Registry(feed, links or AbsentStore(), station)
    trace = Trace(feed, frames or AbsentStore())
    reports: list[Report] = []
    server = FrontServer(
        Settings(**settings), registry, trace, guard=guard, zone=zone, on_report=reports.append
    )
    registry.start()
    trace.start()
    await server.start()
    try:
        with feed.listening(ear.listen):
            yield Front(server, registry, trace, ear, reports)
    finally:
        await server.stop()
        await asyncio.gather(registry.stop(), trace.stop())


@dataclass
class Terminal:
    """A terminal on a real socket."""

    address: Address
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    parser: Parser = field(default_factory=Parser)

    @classmethod
    async def dial(cls, port: int, address: str) -> "Terminal":
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        return cls(Address.from_text(address), reader, writer)

    @staticmethod
    def address_of(text: str) -> Address:
        return Address.from_text(text)

    @property
    def remote(self) -> str:
        """How the station sees this end."""
        host, port = self.writer.get_extra_info("sockname")[:2]
        return f"{host}:{port}"

    async def send(self, data: Frame | bytes) -> None:
        self.writer.write(data.to_bytes() if isinstance(data, Frame) else data)
        await self.writer.drain()

    async def send_again(self, data: bytes, times: int) -> None:
        for _ in range(times):
            await self.send(data)

    async def receive(self) -> Frame:
        """The next frame from the station."""
        return await soon(self._receive())

    async def _receive(self) -> Frame:
        while True:
            event = self.parser.next_event()
            assert not isinstance(event, Noise), event
            if event is not None:
                return event
            data = await self.reader.read(4096)
            assert data, "the station closed the connection"
            self.parser.receive_data(data)

    async def closed(self) -> bytes:
        """Wait until the station closes; what it sent until then."""
        try:
            return await soon(self.reader.read())
        except ConnectionResetError:
            return b""

    async def login(self, sequence: int = 1) -> Frame:
        await self.send(login(self.address, sequence))
        return await self.receive()

    async def heartbeat(self, sequence: int = 2) -> Frame:
        await self.send(heartbeat(self.address, sequence, None))
        return await self.receive()

    async def logout(self, sequence: int = 3) -> Frame:
        await self.send(logout(self.address, sequence))
        return await self.receive()

    def report(self, sequence: int = 5, confirm: bool = False) -> Frame:
        """Data of its own accord: AFN0C F25 of p1, as a task would send it."""
        seq = 0x60 | (CONFIRM if confirm else 0) | sequence
        return Frame(0xC4, self.address, 0x0C, seq, bytes.fromhex("01010103") + bytes(4))

    async def meter_request(self) -> tuple[Frame, dlt645.Frame]:
        """The next forward request and the meter's frame inside it."""
        outer = await self.receive()
        inner = inner_bytes(outer)
        assert inner is not None
        return outer, meter_frames(inner)[0]

    async def serve(self, reply: Callable[[dlt645.Frame], bytes]) -> None:
        """Forward for ever: bring back what `reply` makes of each meter's request."""
        while True:
            outer = await self._receive()
            request = meter_frames(inner_bytes(outer) or b"")[0]
            await self.send(forward_answer(outer, reply(request)))

    def hang_up(self) -> None:
        self.writer.close()


def meter_frames(data: bytes) -> list[dlt645.Frame]:
    """The frames of DL/T 645 in some bytes."""
    parser = MeterParser()
    parser.receive_data(data)
    events = iter(parser.next_event, None)
    return [event for event in events if isinstance(event, dlt645.Frame)]


def energy_reply(request: dlt645.Frame) -> bytes:
    """What a meter on the line answers, with a preamble."""
    return dlt645.PREAMBLE + answer(request, ENERGY_BYTES).to_bytes()


class MeterLine:
    """Meters behind a TCP socket; `replies` makes the bytes of each answer, or none."""

    def __init__(self, reply: Callable[[dlt645.Frame], bytes] = energy_reply) -> None:
        self.reply = reply
        self.requests: list[dlt645.Frame] = []
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    def send(self, data: bytes) -> None:
        """Put bytes on the line that nobody asked for."""
        for writer in self._writers:
            writer.write(data)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        parser = MeterParser()
        try:
            while data := await reader.read(1024):
                parser.receive_data(data)
                for event in iter(parser.next_event, None):
                    if isinstance(event, dlt645.Frame):
                        self.requests.append(event)
                        writer.write(self.reply(event))
        except ConnectionError:
            pass
        finally:
            self._writers.discard(writer)
            writer.close()
