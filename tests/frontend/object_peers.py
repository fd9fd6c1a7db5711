"""A terminal of DL/T 698.45 that dials in, on a real socket."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from frontend_peers import Front, soon

from station.protocols.dlt698.apdu import decode_apdu
from station.protocols.dlt698.dar import Dar
from station.protocols.dlt698.frame import BY_CLIENT, UP, USER_DATA, Frame, ServerAddress
from station.protocols.dlt698.get import GetRequestNormal
from station.protocols.dlt698.identifiers import Oad
from station.protocols.dlt698.link import login
from station.protocols.dlt698.parser import Parser
from station.protocols.dlt698.proxy import ProxyRequestTransCommand, ProxyResponseTransCommand
from station.protocols.dlt698.requests import answer, request
from station.protocols.noise import Noise

OBJECT_TERMINAL = "000000000012"
OBJECT_METER = "000000000034"
CLOCK = datetime.fromisoformat("2026-03-01T08:30:00")  # Terminals know no zone.
HEARTBEAT_S = 60

LinkFrame = Callable[[ServerAddress, datetime, int], Frame]


def get_energy(server: str = OBJECT_TERMINAL, piid: int = 5) -> Frame:
    """A GET of the forward energy."""
    return request(ServerAddress(server), 1, GetRequestNormal(piid, Oad.from_text("00100201")))


def energy_reply(server: str = OBJECT_TERMINAL, piid: int = 5) -> Frame:
    """The answer to it: 0.26 kWh."""
    apdu = bytes((0x85, 0x01, piid)) + bytes.fromhex("00100201 01 06 0000001A 00 00")
    return Frame(UP | BY_CLIENT | USER_DATA, ServerAddress(server), 1, apdu)


def report(server: str = OBJECT_TERMINAL, piid: int = 7) -> Frame:
    """A report of one object, the forward energy."""
    apdu = bytes((0x88, 0x01, piid)) + bytes.fromhex("01 00100201 01 06 0000001A 00 00")
    return Frame(UP | USER_DATA, ServerAddress(server), 0, apdu)


@dataclass
class ObjectTerminal:
    """A terminal of DL/T 698.45."""

    server: ServerAddress
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    parser: Parser = field(default_factory=Parser)

    @classmethod
    async def dial(cls, front: Front, address: str = OBJECT_TERMINAL) -> "ObjectTerminal":
        """Connect; it has not logged in yet."""
        reader, writer = await asyncio.open_connection("127.0.0.1", front.server.port)
        front.others.append(writer)
        return cls(ServerAddress(address), reader, writer)

    @classmethod
    async def online(cls, front: Front, address: str = OBJECT_TERMINAL) -> "ObjectTerminal":
        """Connect and log in."""
        terminal = await cls.dial(front, address)
        await terminal.say(login)
        return terminal

    async def say(self, link_frame: LinkFrame) -> Frame:
        """Log in, beat or log out; what the station confirms."""
        await self.send(link_frame(self.server, CLOCK, HEARTBEAT_S))
        return await self.receive()

    async def send(self, data: Frame | bytes) -> None:
        self.writer.write(data.to_bytes() if isinstance(data, Frame) else data)
        await self.writer.drain()

    async def receive(self) -> Frame:
        """The next frame from the station."""
        return await soon(self._receive())

    async def command(self) -> tuple[Frame, ProxyRequestTransCommand]:
        """The next PROXY request, and what it says."""
        frame = await self.receive()
        apdu = decode_apdu(frame.apdu)
        assert isinstance(apdu, ProxyRequestTransCommand)
        return frame, apdu

    async def bring(self, asked: Frame, reply: Dar | bytes) -> None:
        """Answer a PROXY request with the bytes of the port, or with why there are none."""
        command = decode_apdu(asked.apdu)
        assert isinstance(command, ProxyRequestTransCommand)
        response = ProxyResponseTransCommand(command.piid, command.port, reply)
        await self.send(answer(asked, response))

    async def closed(self) -> bytes:
        """Wait until the station closes; what it sent until then."""
        return await soon(self.reader.read())

    async def _receive(self) -> Frame:
        while True:
            event = self.parser.next_event()
            assert not isinstance(event, Noise), event
            if event is not None:
                return event
            data = await self.reader.read(4096)
            assert data, "the station closed the connection"
            self.parser.receive_data(data)
