"""Simulated meters without a terminal: a serial server that others dial, all meters on one line.

What comes in on a connection goes on the line, and what is answered comes back. The line is
half-duplex: requests of several connections wait for each other. A request that several meters
hear, such as one for an address, is answered by all of them at once, as on a real line.
"""

import asyncio
import logging
from random import Random
from zoneinfo import ZoneInfo

from station import tasks
from station.errors import StartError
from station.protocols.dlt645.frame import Frame
from station.protocols.dlt645.parser import Parser
from station.simulator.line import Line
from station.simulator.site import LineSite, Site
from station.units import utc_now

log = logging.getLogger(__name__)

CONNECTIONS_MAX = 32  # More than anyone has hands; each costs a task and a buffer.
REAL_METER_TIMEOUT_S = 2.0  # For meters of the site with `tcp`; longer than a meter may take.
READ_SIZE = 4096


class LineServer:
    """Serves the meters of a site on a TCP port; port 0 is any free one."""

    def __init__(self, site: Site, host: str, port: int, *, seed: int = 1) -> None:
        zone = ZoneInfo(site.zone)
        meters = tuple(
            meter for terminal in site.terminals for line in terminal.lines for meter in line.meters
        )
        self._line = Line(LineSite(meters=meters), zone, Random(seed), seed=seed)
        self._host, self._port = host, port
        self._turn = asyncio.Lock()
        self._server: asyncio.Server | None = None
        self._calls: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """Return the port that is listened on."""
        return self._port

    async def start(self) -> None:
        """Begin to listen. Raises StartError if the port cannot be had."""
        try:
            self._server = await asyncio.start_server(self._accept, self._host, self._port)
        except OSError as error:
            place = f"{self._host}:{self._port}"
            raise StartError(f"cannot listen on {place}: {error.strerror}") from error
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and end all connections."""
        if self._server is not None:
            self._server.close()
        await tasks.cancel(*self._calls)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = "{}:{}".format(*writer.get_extra_info("peername")[:2])
        if len(self._calls) == CONNECTIONS_MAX:
            log.warning("%s refused: %d connections are open", peer, CONNECTIONS_MAX)
            writer.close()
            return
        log.info("%s connected", peer)
        call = tasks.spawn(self._serve(reader, writer, peer), name=f"meter line for {peer}")
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str
    ) -> None:
        parser = Parser()
        try:
            while data := await reader.read(READ_SIZE):
                parser.receive_data(data)
                while (event := parser.next_event()) is not None:
                    if isinstance(event, Frame):
                        writer.write(await self._answer(event))
                        await writer.drain()
        except OSError as error:
            log.info("%s: %s", peer, error)
        finally:
            writer.close()
            log.info("%s disconnected", peer)

    async def _answer(self, request: Frame) -> bytes:
        async with self._turn:
            return await self._line.exchange(
                request.to_bytes(), utc_now(), timeout_s=REAL_METER_TIMEOUT_S
            )


async def serve_site(site: Site, host: str, port: int, *, seed: int = 1) -> None:
    """Serve the meters of a site until cancelled. Raises StartError if the port cannot be had."""
    server = LineServer(site, host, port, seed=seed)
    await server.start()
    log.info("meters listen on %s:%d", host, server.port)
    try:
        await asyncio.Event().wait()
    finally:
        await server.stop()
