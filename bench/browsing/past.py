"""What the makers of a past share: the database, a clock that stands, chance, and bulk writing."""

import random
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from motor.motor_asyncio import AsyncIOMotorDatabase

from station.simulator.site import Site
from station.store.database import Database
from station.store.objects.meters import Meter
from station.store.objects.places import Place
from station.store.objects.terminals import Terminal
from station.units import day_start, local_day, utc_now

Thing = TypeVar("Thing")

STATION = "station-1"  # As a configuration without a name has it.
BATCH = 5_000  # Documents in one write.
LINES, SUBSTATIONS = 40, 5
STREETS = 50
CLERKS = ("clerk-1", "clerk-2", "clerk-3", "clerk-4")
PEOPLE = ("technician", "supervisor", *CLERKS)


class Past:
    """A site that has been at work for some days; everything goes in by the stores' own shapes."""

    def __init__(
        self, site: Site, store: AsyncIOMotorDatabase[dict[str, Any]], database: Database, days: int
    ) -> None:
        self.store = store
        self.database = database
        self.zone = ZoneInfo(site.zone)
        self.now = utc_now()
        today = local_day(self.now, self.zone)
        self.days = [today - timedelta(days=n) for n in range(days, -1, -1)]
        self.made = day_start(self.days[0], self.zone) - timedelta(days=1)
        self._chance = random.Random(1)
        archive = site.archive()
        self.places = _places(len(archive["terminals"]), self.made)
        areas = (place for place in self.places if place.kind == "area")
        self.terminals = [
            Terminal(**each, created_at=self.made, place=area.id)
            for each, area in zip(archive["terminals"], areas, strict=True)
        ]
        self.meters = [
            Meter(**{**each, "groups": (f"Street {n % STREETS}",)}, created_at=self.made)
            for n, each in enumerate(archive["meters"])
        ]

    async def put(self, name: str, documents: Iterable[dict[str, Any]]) -> None:
        """Insert documents into a collection, in any order."""
        batch: list[dict[str, Any]] = []
        for document in documents:
            batch.append(document)
            if len(batch) == BATCH:
                await self.store[name].insert_many(batch, ordered=False)
                batch = []
        if batch:
            await self.store[name].insert_many(batch, ordered=False)

    def moment(self, days: float = 30) -> datetime:
        """Return a moment of the last so many days, to the millisecond."""
        return self.now - timedelta(milliseconds=self._chance.randrange(int(days * 86_400_000)))

    def one(self, things: Sequence[Thing]) -> Thing:
        """Return one of these things."""
        return self._chance.choice(things)

    def number(self, end: int) -> int:
        """Return a number from 0 up to, but not including, an end."""
        return self._chance.randrange(end)

    def meter(self) -> Meter:
        """Return one of the meters."""
        return self.one(self.meters)


def _places(areas: int, made: datetime) -> list[Place]:
    """Return a tree: a company, its substations and lines, and an area for each terminal."""
    company = Place("place-0", "organisation", "Power company", created_at=made)
    stations = [
        Place(f"place-s{n}", "substation", f"Substation {n + 1}", company.id, created_at=made)
        for n in range(SUBSTATIONS)
    ]
    lines = [
        Place(f"place-l{n}", "line", f"Line {n + 1}", stations[n % SUBSTATIONS].id, created_at=made)
        for n in range(LINES)
    ]
    below = [
        Place(f"place-{n + 1}", "area", f"Area {n + 1}", lines[n % LINES].id, created_at=made)
        for n in range(areas)
    ]
    return [company, *stations, *lines, *below]
