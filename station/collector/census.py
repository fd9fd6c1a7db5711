"""How many terminals and meters hang on each place, and how many of them can be heard.

Counted over all places at once, from what this process knows of the archive: a page with a hundred
places asks nothing of the database. What was counted may be shown again for a while, the longer it
took, the longer; a change of the archive is counted at once.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields

from station.collector.memory import Memory
from station.frontend.registry import Registry
from station.store.database import Database
from station.store.objects.meters import Spot
from station.store.objects.places import PlaceTree
from station.store.objects.stages import ACTIVE, REMOVED

SPOTS_AT_ONCE = 500  # Of one query: some 3 ms, then the links are heard.
SPOTS_KEPT_S = 60.0  # How late another station's change of the archive is noticed here.
METERS_PER_TURN = 1000  # Counted in about a millisecond.
AGE_MIN_S = 1.0
SHARE_MAX = 0.05  # Of one core for counting, however many pages are open.


@dataclass(slots=True)
class Count:
    """What hangs on a place and below it; removed things do not count.

    `silent` meters are active, and were silent in several runs in a row.
    """

    terminals: int = 0
    online: int = 0
    meters: int = 0
    silent: int = 0

    def add(self, other: "Count") -> None:
        """Count the other's things as well."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


NOTHING = Count()


class Census:
    """Keeps the last count. Its counts are by place; those of "" have no place."""

    def __init__(self, database: Database, registry: Registry, memory: Memory) -> None:
        self._database = database
        self._registry = registry
        self._memory = memory
        self._counting = asyncio.Lock()
        self._spots: list[Spot] | None = None
        self._spots_at = 0.0
        self._changes = 0
        self._counts: Mapping[str, Count] | None = None
        self._good_until = 0.0
        self._links: Mapping[str, Count] = {}

    def of_link(self, address: str) -> Count:
        """Return the meters of a terminal or channel, as the last count found them."""
        return self._links.get(address, NOTHING)

    def archive_changed(self) -> None:
        """Have the archive read again before the next count."""
        self._changes += 1
        self._spots = None
        self._counts = None

    async def counts(self, tree: PlaceTree) -> Mapping[str, Count]:
        """Return the counts of every place that has any; of many who ask at once, one counts."""
        async with self._counting:
            started = time.monotonic()
            if self._counts is None or started >= self._good_until:
                changes = self._changes
                spots = await self._current_spots()
                counts = await self._count(tree, spots)
                self._counts = counts if changes == self._changes else None
                took_s = time.monotonic() - started
                self._good_until = time.monotonic() + max(AGE_MIN_S, took_s / SHARE_MAX)
                return counts
            return self._counts

    async def spots(self) -> list[Spot]:
        """Return where every meter hangs, as it was read some seconds ago."""
        async with self._counting:
            return await self._current_spots()

    async def _count(self, tree: PlaceTree, spots: list[Spot]) -> Mapping[str, Count]:
        own: dict[str, Count] = {}
        links: dict[str, Count] = {}
        terminals = self._registry.terminals
        for terminal in terminals.values():
            if terminal.stage != REMOVED:
                count = own.setdefault(_known(tree, terminal.place), Count())
                count.terminals += 1
                count.online += self._registry.find(terminal.address) is not None
        for number, spot in enumerate(spots):
            if number % METERS_PER_TURN == METERS_PER_TURN - 1:
                await asyncio.sleep(0)
            if spot.stage == REMOVED:
                continue
            end = terminals.get(spot.link)
            place = spot.place or ("" if end is None else end.place)
            silent = spot.stage == ACTIVE and self._memory.is_dead(spot.address)
            for count in (
                own.setdefault(_known(tree, place), Count()),
                links.setdefault(spot.link, Count()),
            ):
                count.meters += 1
                count.silent += silent
        self._links = links
        return _with_all_below(tree, own)

    async def _current_spots(self) -> list[Spot]:
        if self._spots is not None and time.monotonic() - self._spots_at < SPOTS_KEPT_S:
            return self._spots
        read_at, changes = time.monotonic(), self._changes
        spots: list[Spot] = []
        while True:
            last = spots[-1].address if spots else ""
            some = await self._database.meters.spots(last, SPOTS_AT_ONCE)
            spots += some
            if len(some) < SPOTS_AT_ONCE:
                break
        if changes == self._changes:
            self._spots, self._spots_at = spots, read_at
        return spots


def _known(tree: PlaceTree, place_id: str) -> str:
    return place_id if place_id in tree.by_id else ""


def _with_all_below(tree: PlaceTree, own: Mapping[str, Count]) -> Mapping[str, Count]:
    counts: dict[str, Count] = {}
    for place_id, count in own.items():
        above = [each.id for each in tree.path(place_id)] or [""]
        for each in above:
            counts.setdefault(each, Count()).add(count)
    return counts
