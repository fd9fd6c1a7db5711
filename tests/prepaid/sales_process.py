"""A station that only sells, a process of its own, to be killed; forked, so that it is there fast.

`nursery` starts one helper that has imported everything and has no threads; each connection to it
is answered by a fork of it, which sells over the real database and one reader of PC/SC, and does
what it is asked over that connection: messages are pickles, each behind its length of four bytes.
"""

import asyncio
import contextlib
import gc
import logging
import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sale_site import DESKS, SECURITY, ZONE

from station.live import Feed
from station.prepaid.readers.base import FixedReaders
from station.prepaid.readers.pcsc import PcscReader
from station.prepaid.readers.remembered import Remembered
from station.prepaid.readers.workplace import Workplaces
from station.prepaid.sales import Sales
from station.store import processes
from station.store.database import COMMAND_TIMEOUT_S, Database, _client

LENGTH_SIZE = 4
QUEUE_MAX = 64  # Connections that wait for their fork.
READY = b"ready"


@dataclass(frozen=True)
class Place:
    """Where a station sells: its database, and its reader by the name that PC/SC gives it."""

    uri: str
    database: str
    reader: str


class Channel:
    """The pickles that go between a test and its station."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, message: object) -> None:
        raw = pickle.dumps(message)
        self._writer.write(len(raw).to_bytes(LENGTH_SIZE, "big") + raw)
        await self._writer.drain()

    async def receive(self) -> Any:
        """Return the next message. Raises EOFError or OSError when the other is gone."""
        head = await self._reader.readexactly(LENGTH_SIZE)
        return pickle.loads(await self._reader.readexactly(int.from_bytes(head, "big")))

    def close(self) -> None:
        self._writer.close()


@contextlib.contextmanager
def nursery(folder: Path) -> Iterator[Path]:
    """Run the helper; a connection to the path that is given is a station of its own."""
    path = folder / "nursery"
    command = [sys.executable, __file__, str(path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    helper = subprocess.Popen(
        command, stdout=subprocess.PIPE, env=environment, preexec_fn=processes.die_with_parent
    )
    assert helper.stdout is not None
    try:
        assert helper.stdout.readline().strip() == READY, "the helper did not start"
        yield path
    finally:
        helper.kill()
        helper.wait()
        helper.stdout.close()


def main() -> None:
    logging.disable(logging.WARNING)  # Databases that are down on purpose.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # Nobody waits for the dead.
    gc.freeze()  # What is there already stays shared with the forks.
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        listener.listen(QUEUE_MAX)
        os.write(sys.stdout.fileno(), READY + b"\n")
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _live(connection)
            connection.close()


def _live(connection: socket.socket) -> None:
    """Be a station until the other end of the connection is gone."""
    with contextlib.suppress(EOFError, OSError):
        asyncio.run(_serve(connection))
    os._exit(0)


async def _serve(connection: socket.socket) -> None:
    channel = Channel(*await asyncio.open_connection(sock=connection))
    sales = _sales(await channel.receive())
    await channel.send(os.getpid())
    while True:
        verb, arguments, options = await channel.receive()
        try:
            result = await getattr(sales, verb)(*arguments, **options)
        except Exception as error:  # noqa: BLE001  Whoever asked asserts on it.
            result = _portable(error)
        await channel.send(result)


def _sales(place: Place) -> Sales:
    """Return what sells, its options those of a real station."""
    client = _client(place.uri, COMMAND_TIMEOUT_S)
    database = Database(client, place.database, ZONE, COMMAND_TIMEOUT_S)
    workplaces = Workplaces(SECURITY, Remembered(database.reader_uses, "test"))
    workplaces.add(FixedReaders(PcscReader(place.reader)), DESKS[0])
    return Sales(database, workplaces, Feed(), ZONE)


def _portable(error: Exception) -> Exception:
    """Return an error that can be sent."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001  Errors of libraries need not be made for this.
        return RuntimeError(repr(error))
    return error


if __name__ == "__main__":
    main()
