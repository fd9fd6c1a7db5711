"""What crosses each link on each local day, and what goes wrong there, in the store.

The registry counts; here the counts are cut into days. Only links of the archive are kept. Each
link is written once a minute if anything moved, a part of them at a time, so that thousands make
no burst. A day that has ended is written at once for all links.
"""

import asyncio
import itertools
import logging
import secrets
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from zoneinfo import ZoneInfo

from station import tasks
from station.errors import DatabaseDown
from station.frontend.entry import Entry
from station.frontend.registry import Registry
from station.store.objects.traffic import Counts, Traffic, Traffics
from station.units import local_day, utc_now

log = logging.getLogger(__name__)

WRITE_PERIOD_S = 5.0  # So much of a day may be counted for its neighbour.
WRITES_PER_ROUND = 12  # Every link is looked at once in so many writes: once a minute.
WRITE_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 3.0
BATCH_MAX = 1000  # Links of one write.
UNSAVED_MAX = (
    100_000  # Days of links, while the database is away: some 20 MB, days of 20,000 links.
)

NOTHING = Counts()


class _Day:
    """What a link had counted when its day began, and when it was last written."""

    __slots__ = ("base", "written")

    def __init__(self, base: Counts, written: int) -> None:
        self.base = base
        self.written = written


class TrafficLog:
    """Writes the counts of the registry's links by local day."""

    def __init__(
        self,
        registry: Registry,
        traffic: Traffics,
        zone: ZoneInfo,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._registry = registry
        self._traffic = traffic
        self._zone = zone
        self._now = now
        self._start = f"{int(now().timestamp()):x}{secrets.token_hex(2)}"  # Names this process.
        self._today = local_day(now(), zone)
        self._days: dict[str, _Day] = {}
        self._unsaved: dict[tuple[str, date], Traffic] = {}
        self._round: Iterator[Entry] = iter(())
        self._writing = asyncio.Lock()
        self._writer: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write."""
        work = tasks.periodically(WRITE_PERIOD_S, self._write_more, name="traffic")
        self._writer = tasks.spawn(work, name="traffic")

    async def stop(self) -> None:
        """Write the last counts, if the database takes them soon, and end the writing."""
        await tasks.cancel(self._writer)
        try:
            await asyncio.wait_for(self.flush(), STOP_TIMEOUT_S)
        except asyncio.TimeoutError:
            log.warning("the last traffic of %d links was not written", len(self._unsaved))

    async def flush(self, address: str | None = None) -> None:
        """Write the counts of one link or of all now, if the database takes them."""
        self._begin_day()
        entries = self._registry.entries
        found = entries.values() if address is None else filter(None, [entries.get(address)])
        self._look_at(found)
        await self._write()

    async def _write_more(self) -> None:
        self._begin_day()
        share = len(self._registry.entries) // WRITES_PER_ROUND + 1
        part = list(itertools.islice(self._round, share))
        if len(part) < share:
            self._round = iter(tuple(self._registry.entries.values()))
        self._look_at(part)
        await self._write()

    def _begin_day(self) -> None:
        """Close the day of every link when a new one has begun."""
        today = local_day(self._now(), self._zone)
        if today == self._today:
            return
        entries = self._registry.entries
        self._look_at(entries.values())
        self._days = {
            address: _Day(entry.counts(), entry.moved)
            for address, entry in entries.items()
            if address in self._days
        }
        self._today = today

    def _look_at(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            day = self._days.get(entry.address)
            if day is None:
                if not self._registry.is_known(entry.address):
                    continue
                day = self._days[entry.address] = _Day(NOTHING, 0)
            if entry.moved != day.written and self._registry.entries.get(entry.address) is entry:
                day.written = entry.moved
                counts = entry.counts().minus(day.base)
                self._unsaved[entry.address, self._today] = Traffic(
                    entry.address, self._today, counts
                )
        while len(self._unsaved) > UNSAVED_MAX:
            del self._unsaved[next(iter(self._unsaved))]

    async def _write(self) -> None:
        """Write what waits; what the database does not take now is tried again later."""
        try:
            async with self._writing:
                while self._unsaved:
                    batch = list(itertools.islice(self._unsaved.items(), BATCH_MAX))
                    save = self._traffic.save_many(self._start, [each for _, each in batch])
                    await asyncio.wait_for(save, WRITE_TIMEOUT_S)
                    for key, written in batch:
                        if self._unsaved.get(key) is written:
                            del self._unsaved[key]
        except (DatabaseDown, asyncio.TimeoutError) as error:
            log.debug("traffic waits for the database: %s", error or "no answer")
