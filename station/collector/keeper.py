"""Stores what runs bring in, behind them: a line never waits for the database.

Readings, causes of holes and ledgers are taken at once and written in batches. While the database
is down they are held and offered again; when so many readings are held that memory is at stake,
`put` waits, and with it the lines. Writing the same twice changes nothing.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import date
from functools import partial

from station import tasks
from station.errors import DatabaseDown
from station.live import Feed
from station.store.objects.coverage import Coverage, HoleCause
from station.store.objects.readings import Reading, Readings
from station.store.objects.runs import Run, Runs

log = logging.getLogger(__name__)

HELD_MAX = 50_000  # Readings: some 20 MB, and minutes of a busy site.
# Readings in one call of the store: a tenth of a second, for which a read-now may have to wait.
BATCH_MAX = 500
GATHER_S = 0.2  # A batch gathers for this long: ten times fewer transactions on a busy site.
SAVE_PAUSES_S = (0.5, 1.0, 2.0, 5.0)  # While the database is down; the last one repeats.
STOP_TIMEOUT_S = 5.0  # For the last batch; what is lost then is missing, and read again.


class Keeper:
    """Takes what runs bring in, and stores it."""

    def __init__(self, readings: Readings, coverage: Coverage, runs: Runs, feed: Feed) -> None:
        self._readings = readings
        self._coverage = coverage
        self._runs = runs
        self._feed = feed
        self._held: list[Reading] = []
        self._causes: dict[tuple[str, str, date], HoleCause] = {}
        self._ledgers: dict[str, Run] = {}
        self._taken = self._stored = 0  # Readings, ever.
        self._more = asyncio.Event()
        self._less = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    async def put(self, readings: Sequence[Reading]) -> None:
        """Take readings; waits only when too many are held already."""
        while len(self._held) >= HELD_MAX:
            self._less.clear()
            await self._less.wait()
        self._held += readings
        self._taken += len(readings)
        self._wake()

    def note_causes(self, causes: Iterable[HoleCause]) -> None:
        """Take why points are missing."""
        self._causes.update({(each.meter, each.item, each.day): each for each in causes})
        self._wake()

    def enter(self, run: Run) -> None:
        """Take how far a run has come."""
        self._ledgers[run.id] = run
        self._wake()

    async def settle(self) -> None:
        """Wait until all readings that were taken before are stored."""
        goal = self._taken
        while self._stored < goal:
            self._less.clear()
            await self._less.wait()

    async def stop(self) -> None:
        """Store what is held, if the database takes it soon."""
        if self._writer is not None and not self._writer.done():
            self._more.set()
            await asyncio.wait((self._writer,), timeout=STOP_TIMEOUT_S)
            await tasks.cancel(self._writer)

    def _wake(self) -> None:
        self._more.set()
        if self._writer is None or self._writer.done():
            self._writer = tasks.spawn(self._write(), name="keeper")

    async def _write(self) -> None:
        """Write until there is nothing left."""
        while self._held or self._causes or self._ledgers:
            if len(self._held) < BATCH_MAX:
                await asyncio.sleep(GATHER_S)
            batch, self._held = self._held[:BATCH_MAX], self._held[BATCH_MAX:]
            causes, self._causes = list(self._causes.values()), {}
            ledgers, self._ledgers = list(self._ledgers.values()), {}
            await self._until_stored(partial(self._readings.save, batch))
            self._stored += len(batch)
            self._less.set()
            for meter, count in Counter(reading.meter for reading in batch).items():
                self._feed.announce("readings", {"meter": meter, "count": count})
            if causes:
                await self._until_stored(partial(self._coverage.note_causes, causes))
            for run in ledgers:
                await self._until_stored(partial(self._runs.enter, run))

    async def _until_stored(self, write: Callable[[], Awaitable[object]]) -> None:
        attempt = 0
        while True:
            try:
                await write()
                return
            except DatabaseDown as error:
                pause_s = SAVE_PAUSES_S[min(attempt, len(SAVE_PAUSES_S) - 1)]
                log.warning("%s; %d readings wait %.1f s", error, len(self._held), pause_s)
                await asyncio.sleep(pause_s)
                attempt += 1
