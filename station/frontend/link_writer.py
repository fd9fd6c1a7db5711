"""The registry's picture of the links in the store, a moment later.

What happened to a link is written within a second, how much went over it within a minute, and of
the archive what lists of links need. A database that is away holds back no more than one state for
each address.
"""

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from station import tasks
from station.errors import DatabaseDown
from station.frontend.entry import NEVER_SAVED, Entry
from station.store.objects.links import LinkState
from station.units import utc_now

log = logging.getLogger(__name__)

WRITE_TIMEOUT_S = 30.0  # Then the write is given up and tried again with the newer states.
WRITE_BATCH_MAX = 1000  # Documents in one write: some 300 kB.
QUIET_WRITES = 60  # Every so many writes each link's counters are brought up to date.
STRANGER_KEPT = timedelta(days=7)  # Who was not adopted in a week is not shown for ever.
STOPPED = "the station was stopped"


class LinkStore(Protocol):
    """What is asked of the store; `station.store.objects.links.Links` is one."""

    async def save_many(self, states: Sequence[LinkState]) -> None:
        """Keep these states."""
        ...

    async def save_known(self, states: Sequence[LinkState]) -> None:
        """Keep what the archive says of these; the rest only if it is new."""
        ...

    async def save_unknown(self, addresses: Iterable[str]) -> None:
        """Keep that these are not in the archive any more."""
        ...

    async def all_offline(self, station: str, reason: str, at: datetime) -> int:
        """Mark everything that this station had online as offline."""
        ...

    async def gone_offline(self, station: str, at: datetime) -> Sequence[LinkState]:
        """Return what was marked as offline at that moment."""
        ...

    async def forget(self, address: str) -> None:
        """Remove a state."""
        ...

    async def forget_unknown(self, station: str, before: datetime) -> int:
        """Remove strangers that have been offline for so long."""
        ...


class LinkWriter:
    """Writes what the registry tells it has changed."""

    def __init__(
        self,
        links: LinkStore,
        station: str,
        entries: Mapping[str, Entry],
        state_of: Callable[[Entry], LinkState],
        was_online: Callable[[LinkState], None],
    ) -> None:
        """`was_online` hears of the links that were up when the station last ended."""
        self._links = links
        self._station = station
        self._entries = entries
        self._state_of = state_of
        self._was_online = was_online
        self._started_at = utc_now()
        self._some_were_online = False
        self._past_is_offline = False
        self._unsaved: dict[str, Entry] = {}
        self._forgotten: set[str] = set()
        self._archived: dict[str, LinkState] = {}
        self._removed: set[str] = set()
        self._round: Iterator[Entry] = iter(())
        self._database_down = False
        self._writing = asyncio.Lock()
        self._writer: asyncio.Task[None] | None = None

    def start(self, period_s: float) -> None:
        """Begin to write."""
        work = tasks.periodically(period_s, self._write_more, name="link states")
        self._writer = tasks.spawn(work, name="link states")

    async def stop(self, timeout_s: float) -> None:
        """Write the last states, if the database takes them in time, and end the writing."""
        await tasks.cancel(self._writer)
        for entry in self._entries.values():
            self._look_at(entry)
        try:
            await asyncio.wait_for(self.flush(), timeout_s)
        except asyncio.TimeoutError:
            log.warning("the last states of %d links were not written", len(self._unsaved))

    def changed(self, entry: Entry) -> None:
        """A link is another one now."""
        self._unsaved[entry.address] = entry
        self._forgotten.discard(entry.address)

    def forgotten(self, entry: Entry) -> None:
        """A link is to be removed from the store."""
        self._unsaved.pop(entry.address, None)
        if entry.saved != NEVER_SAVED:
            self._forgotten.add(entry.address)

    def archived(self, states: Iterable[LinkState], removed: Iterable[str]) -> None:
        """The archive has changed: what it says of these, and who is not in it any more."""
        for state in states:
            self._archived[state.address] = state
            self._removed.discard(state.address)
        for address in removed:
            self._archived.pop(address, None)
            self._removed.add(address)

    async def flush(self) -> None:
        """Write what has changed; what the database does not take now is tried again later."""
        try:
            async with self._writing:
                await asyncio.wait_for(self._write_all(), WRITE_TIMEOUT_S)
        except (DatabaseDown, asyncio.TimeoutError) as error:
            if not self._database_down:
                log.warning("link states wait for the database: %s", error or "no answer")
            self._database_down = True
        else:
            if self._database_down:
                log.info("link states are written again")
            self._database_down = False

    async def _write_more(self) -> None:
        """Write what has changed, and look at some of the links on which frames came and went."""
        share = len(self._entries) // QUIET_WRITES + 1
        looked_at = 0
        for entry in itertools.islice(self._round, share):
            self._look_at(entry)
            looked_at += 1
        if looked_at < share:
            self._round = iter(tuple(self._entries.values()))
        await self.flush()

    def _look_at(self, entry: Entry) -> None:
        if entry.moved != entry.saved and self._entries.get(entry.address) is entry:
            self._unsaved[entry.address] = entry

    async def _write_all(self) -> None:
        if not self._past_is_offline:
            await self._end_the_past()
        while self._forgotten:
            address = next(iter(self._forgotten))
            await self._links.forget(address)
            self._forgotten.discard(address)
        await self._write_archive()
        unsaved, self._unsaved = self._unsaved, {}
        try:
            while unsaved:
                batch = list(itertools.islice(unsaved.values(), WRITE_BATCH_MAX))
                moved = [entry.moved for entry in batch]
                await self._links.save_many([self._state_of(entry) for entry in batch])
                for entry, saved in zip(batch, moved, strict=True):
                    entry.saved = saved
                    del unsaved[entry.address]
        finally:
            for address, entry in unsaved.items():
                if self._entries.get(address) is entry:
                    self._unsaved[address] = entry

    async def _end_the_past(self) -> None:
        """What an earlier process left online is offline; strangers of long ago are forgotten."""
        marked = await self._links.all_offline(self._station, STOPPED, self._started_at)
        self._some_were_online = self._some_were_online or marked > 0
        if self._some_were_online:
            for state in await self._links.gone_offline(self._station, self._started_at):
                self._was_online(state)
        await self._links.forget_unknown(self._station, self._started_at - STRANGER_KEPT)
        self._past_is_offline = True

    async def _write_archive(self) -> None:
        while self._archived:
            batch = list(itertools.islice(self._archived.values(), WRITE_BATCH_MAX))
            await self._links.save_known(batch)
            for state in batch:
                if self._archived.get(state.address) is state:
                    del self._archived[state.address]
        if self._removed:
            removed = tuple(self._removed)
            await self._links.save_unknown(removed)
            self._removed.difference_update(removed)
