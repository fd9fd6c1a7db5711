"""The line between a station and its database: each command that passes is a step, and can be cut.

Nothing is changed on the way. A command is told to the gate before it goes on and again when its
answer is back and the station has not heard it yet; what the driver says about itself (hello and
logging in) is no step. MongoDB's wire: a head of 16 bytes (length, id, id answered, kind), and in
an OP_MSG 4 bytes of flags, the kind of section, and BSON whose first entry is the command.
"""

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import Protocol, TypeVar

HOST = "127.0.0.1"
HEAD_SIZE = 16
OP_MSG = 2013
COMMAND_OFFSET = HEAD_SIZE + 4 + 1 + 4  # Behind flags, kind of section and the length of the BSON.
STRING = 0x02
NO_STEPS = {"hello", "isMaster", "ismaster", "saslStart", "saslContinue", "ping"}

Step = TypeVar("Step")


class Gate(Protocol[Step]):
    """Who is told of every command."""

    def command(self, name: str) -> Step:
        """A command is about to go to the database."""

    def goes_on(self, step: Step) -> bool:
        """Whether the command may go on to the database."""

    def sent(self, step: Step) -> None:
        """The command is on its way."""

    def is_heard(self, step: Step) -> bool:
        """Whether the station may hear the answer, which is back."""


class DatabaseLine:
    """A server that passes everything on to a database."""

    def __init__(self, gate: Gate[Step], port: int) -> None:
        self._gate, self._database_port = gate, port
        self._server: asyncio.Server | None = None

    async def open(self) -> int:
        """Listen, and return the port."""
        self._server = await asyncio.start_server(self._carry, HOST)
        return int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError), contextlib.closing(writer):
            far_reader, far_writer = await asyncio.open_connection(HOST, self._database_port)
            with contextlib.closing(far_writer):
                waiting: dict[bytes, Step] = {}
                pumps = {
                    asyncio.ensure_future(_to_its_end(self._ask(reader, far_writer, waiting))),
                    asyncio.ensure_future(_to_its_end(self._answer(far_reader, writer, waiting))),
                }
                try:
                    await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for pump in pumps:
                        pump.cancel()

    async def _ask(
        self,
        reader: asyncio.StreamReader,
        far_writer: asyncio.StreamWriter,
        waiting: dict[bytes, Step],
    ) -> None:
        while True:
            message = await _message(reader)
            name = command_of(message)
            if name.split(" ")[0] in NO_STEPS:
                far_writer.write(message)
                continue
            step = self._gate.command(name)
            if not self._gate.goes_on(step):
                return
            waiting[message[4:8]] = step
            far_writer.write(message)
            await far_writer.drain()
            self._gate.sent(step)

    async def _answer(
        self,
        far_reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        waiting: dict[bytes, Step],
    ) -> None:
        while True:
            message = await _message(far_reader)
            step = waiting.pop(message[8:12], None)
            if step is not None and not self._gate.is_heard(step):
                return
            writer.write(message)


async def _to_its_end(pump: Awaitable[None]) -> None:
    """Carry in one direction until either end is gone."""
    with contextlib.suppress(EOFError, OSError):
        await pump


async def _message(reader: asyncio.StreamReader) -> bytes:
    """Return one message. Raises EOFError or OSError at the end."""
    head = await reader.readexactly(HEAD_SIZE)
    return head + await reader.readexactly(int.from_bytes(head[:4], "little") - HEAD_SIZE)


def command_of(message: bytes) -> str:
    """Return the command of a message with the collection it is for, such as "insert orders"."""
    if int.from_bytes(message[12:16], "little") != OP_MSG:
        return "hello"  # The first word of a connection still has the kind of older servers.
    kind = message[COMMAND_OFFSET]
    name, _, rest = message[COMMAND_OFFSET + 1 :].partition(b"\0")
    if kind != STRING:
        return name.decode()
    value = rest[4 : 4 + int.from_bytes(rest[:4], "little") - 1]
    return f"{name.decode()} {value.decode()}"
