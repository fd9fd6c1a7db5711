"""The servers that are measured, each in a process of its own: `python servers.py KIND FOLDER`.

front       the front-end as the station builds it; what it would store is thrown away
station     the whole station with its own database
bare        an `asyncio.BufferedProtocol` that answers every read with one and the same reply
iostream    a Tornado `IOStream` for each link that does the same

A process says its port on one line and serves until its standard input ends.
"""

import asyncio
import os
import resource
import sys
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tornado.iostream import IOStream, StreamClosedError
from tornado.tcpserver import TCPServer

from station.app import Station, settle_memory
from station.config import Config, DatabaseConfig, FrontendConfig, WebConfig
from station.frontend.guard import Guard
from station.frontend.history import History
from station.frontend.registry import Registry
from station.frontend.server import BACKLOG, READ_BUFFER_SIZE, FrontServer
from station.frontend.trace import Trace
from station.frontend.traffic import TrafficLog
from station.live import Feed
from station.protocols.qgdw1376 import link
from station.protocols.qgdw1376.frame import Address

HOST = "127.0.0.1"
ZONE = ZoneInfo("Asia/Shanghai")
DESCRIPTORS_KEPT = 2_000  # The front-end leaves the low ones to others, and has some itself.
IDLE_TIMEOUT_S = 3600.0  # Longer than any measurement: links wait while others have their turn.

_OWN = Address.from_text("99000001")
REPLY = link.confirm(link.login(_OWN, 0), True).to_bytes()  # Of the size that the station's have.


class Nowhere:
    """A store that takes everything at once and keeps nothing."""

    def __getattr__(self, _name: str) -> Any:
        return self._take

    async def _take(self, *_given: object, **_named: object) -> int:
        return 0


def settings() -> FrontendConfig:
    """Return the front-end's settings, with a free port and room for as many links as can be."""
    links = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - DESCRIPTORS_KEPT
    changed = {"host": HOST, "port": 0, "connections_max": links, "idle_timeout_s": IDLE_TIMEOUT_S}
    return FrontendConfig().model_copy(update=changed)


async def serve_front(_folder: Path) -> int:
    """Start the parts as `station.app` does, as far as terminals have to do with them."""
    feed: Any = Feed()
    nowhere: Any = Nowhere()
    registry = Registry(feed, nowhere, "bench")
    registry.start()
    History(registry, nowhere).start()
    TrafficLog(registry, nowhere, ZONE).start()
    trace = Trace(feed, nowhere)
    trace.start()
    front = FrontServer(settings(), registry, trace, guard=Guard(), zone=ZONE)
    await front.start()
    settle_memory()
    return front.port


async def serve_station(folder: Path) -> int:
    config = Config(
        web=WebConfig().model_copy(update={"host": HOST, "port": 0}),
        frontend=settings(),
        database=DatabaseConfig(data=folder / "data"),
    )
    station = Station(config)
    await station.start()
    settle_memory()
    return station.front.port


class Bare(asyncio.BufferedProtocol):
    """Answers without looking; all links read into one buffer."""

    buffer = memoryview(bytearray(READ_BUFFER_SIZE))

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def get_buffer(self, _sizehint: int) -> memoryview:
        return self.buffer

    def buffer_updated(self, _nbytes: int) -> None:
        self._transport.write(REPLY)


async def serve_bare(_folder: Path) -> int:
    server = await asyncio.get_running_loop().create_server(Bare, HOST, 0, backlog=BACKLOG)
    return int(server.sockets[0].getsockname()[1])


class Streams(TCPServer):
    """Answers without looking, as a Tornado program does it."""

    async def handle_stream(self, stream: IOStream, _address: object) -> None:
        try:
            while True:
                await stream.read_bytes(READ_BUFFER_SIZE, partial=True)
                await stream.write(REPLY)
        except StreamClosedError:
            pass


async def serve_iostream(_folder: Path) -> int:
    server = Streams()
    server.listen(0, HOST, backlog=BACKLOG)
    return int(next(iter(server._sockets.values())).getsockname()[1])


SERVERS = {
    "front": serve_front,
    "station": serve_station,
    "bare": serve_bare,
    "iostream": serve_iostream,
}


async def main(kind: str, folder: Path) -> None:
    print(await SERVERS[kind](folder), flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    await reader.read()
    os._exit(0)  # At once: taking down 20,000 links one by one is not what is measured.


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
