"""A place where stations and databases are killed for real, and what outlives them.

A `Lane` is what outlives: the data of a real mongod, a reader of a real pcscd, the cards and the
meters. A `KilledCounter` is a station there, a process of its own (`sales_process`): every APDU it
sends passes the card here, and every command to the database a line here: there it may end.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cuts import ProcessDied
from database_line import DatabaseLine
from killing import Kill, Run, Victim
from sale_site import ZONE, Town
from sales_process import Channel, Place
from virtual_pcscd import VirtualPcscd

from station.errors import StartError
from station.simulator.card import VirtualCard
from station.store.database import Database
from station.store.embedded import EmbeddedMongo

PATIENCE_S = 60.0  # Of what is not the station: a busy machine is no difference.
TRANSACTION_S = 1  # The server allows no shorter.
STARTS_MAX = 20  # A process that another lane forks holds the lock of the data, until it executes.
START_PAUSE_S = 0.05


class Lane:
    """A database and a reader, for one station at a time; `struck` tells who was killed here."""

    def __init__(self, folder: Path, pcscd: VirtualPcscd, reader: str, nursery: Path) -> None:
        self.reader, self.nursery = reader, nursery
        self.struck: list[Victim] = []
        self.run: Run | None = None
        self._pcscd = pcscd
        self._card: VirtualCard | None = None
        self._mongo = EmbeddedMongo(folder / "data")
        self._is_down = False
        self._revival: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator["Lane"]:
        """Start its database, and enter what selling needs."""
        self._loop = asyncio.get_running_loop()
        self.uri = await self._mongo.start()
        try:
            self.database = await Database.connect(
                self.uri, "kills", zone=ZONE, timeout_s=PATIENCE_S
            )
            await self._shorten_transactions()
            await Town(self.database).settle()
            yield self
            await self.database.close()
        finally:
            self._pcscd.slots[self.reader].pull()
            await self._mongo.stop()

    def kill_database(self) -> None:
        """Kill it, and return when it is dead; any thread may."""
        pid = self._mongo.pid
        assert pid is not None
        self._is_down = True
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    def revive(self) -> None:
        """Begin to start the database again if it is down; any thread may."""
        self._loop.call_soon_threadsafe(self._begin_revival)

    async def up(self) -> None:
        """Return when the database is up, or at once when it is to stay away."""
        await asyncio.sleep(0)  # A revival that was asked for has begun.
        if self._revival is not None:
            try:
                await self._revival
            finally:
                self._revival = None

    def lay(self, card: VirtualCard, run: Run) -> None:
        """Have this card in the reader, and nobody talk to it any more."""
        self.run = run
        if not self._pcscd.is_running:
            self._pcscd.start()
        if self._card is not card:
            self._pcscd.pull(self.reader)
            self._pcscd.insert(self.reader, _CardHere(self, card))
            self._card = card
        self._pcscd.wait_idle(self.reader)

    def pull(self) -> None:
        """Take the card out of the reader; any thread may."""
        self._pcscd.slots[self.reader].pull()
        self._card = None

    def kill_readers(self) -> None:
        """Kill the service of all readers; it is started again for the next card."""
        self._pcscd.kill()
        self._card = None

    def _begin_revival(self) -> None:
        if self._is_down and self._revival is None:
            self._revival = asyncio.ensure_future(self._start_again())

    async def _start_again(self) -> None:
        await self._mongo.stop()
        uri = ""
        for _ in range(STARTS_MAX):
            with contextlib.suppress(StartError):
                uri = await self._mongo.start()
                break
            await asyncio.sleep(START_PAUSE_S)
        assert uri == self.uri, "the database has another port, or never came back"
        await self._shorten_transactions()
        self._is_down = False

    async def _shorten_transactions(self) -> None:
        """Have it forget the transaction of a dead station soon; by itself it takes a minute."""
        limit = {"setParameter": 1, "transactionLifetimeLimitSeconds": TRANSACTION_S}
        await self.database._client.admin.command(limit)


class _CardHere:
    """A card that lies in the reader of a lane."""

    def __init__(self, lane: Lane, card: VirtualCard) -> None:
        self.atr = card.atr
        self._lane, self._card = lane, card

    def power_on(self) -> None:
        self._card.power_on()

    def transmit(self, apdu: bytes) -> bytes:
        assert self._lane.run is not None
        return self._lane.run.ask(self._card, apdu)


class KilledCounter:
    """One run of a station, a process of its own; what `sale_site.Counter` is in memory."""

    def __init__(self, lane: Lane, kill: Kill | None = None) -> None:
        self.process = Run(lane, kill)
        self.sales = _FarSales(lane, self.process)
        self._lane = lane

    def insert(self, card: VirtualCard) -> None:
        """Put a card into the reader."""
        self._lane.lay(card, self.process)

    async def live(self, work: Awaitable[Any]) -> Any:
        """Do this, and return what it returned or the error it ended with, once somebody died."""
        outcome: Any
        try:
            outcome = await work
        except (ProcessDied, Exception) as error:  # noqa: BLE001  The caller asserts on it.
            outcome = error
        await self.process.settle()
        return outcome

    async def stop(self) -> None:
        """End it."""
        self.sales.close()


class _FarSales:
    """What is asked of it is done by the `Sales` of a process that begins with the first verb."""

    def __init__(self, lane: Lane, run: Run) -> None:
        self._lane, self._run = lane, run
        self._line: DatabaseLine | None = None
        self._channel: Channel | None = None

    def __getattr__(self, verb: str) -> Any:
        async def call(*arguments: Any, **options: Any) -> Any:
            await self._lane.up()
            try:
                channel = self._channel or await self._begin()
                await channel.send((verb, arguments, options))
                answer = await channel.receive()
            except (EOFError, OSError):
                raise ProcessDied from None
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call

    async def _begin(self) -> Channel:
        lane = self._lane
        real = urlsplit(lane.uri)
        assert real.port is not None
        self._line = DatabaseLine(self._run, real.port)
        uri = lane.uri.replace(f":{real.port}/", f":{await self._line.open()}/")
        self._channel = channel = Channel(*await asyncio.open_unix_connection(lane.nursery))
        await channel.send(Place(uri, lane.database.name, lane.reader))
        self._run.pid = await channel.receive()
        return channel

    def close(self) -> None:
        """End the process."""
        for end in (self._channel, self._line):
            if end is not None:
                end.close()
