"""A site in a real database whose links come and go by a word, and the alarms of it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from station.business.alarms import Alarms
from station.business.watch import Watch
from station.frontend.registry import Registry
from station.live import Feed
from station.store.database import Database
from station.store.objects.alarms import Alarm
from station.store.objects.events import Event, event_id
from station.store.objects.meter_health import MeterHealth
from station.store.objects.meters import Meter
from station.store.objects.places import Place
from station.store.objects.terminals import Terminal
from station.units import utc_now

STATION = "test"
DEAD_AFTER = 3


class NoLink:
    """A link that is up and is never asked."""

    remote = "127.0.0.1:4000"

    def close(self, reason: str) -> None:
        """It was open for nobody."""


class Told:
    """A teller that remembers what it was to tell."""

    def __init__(self) -> None:
        self.acts: list[tuple[str, str, str]] = []

    async def put(self, alarms: Sequence[Alarm], act: str) -> None:
        self.acts += [(act, alarm.kind, alarm.subject) for alarm in alarms]


class Yard:
    """Three terminals in an area; the first has meters M1 to M3."""

    terminals = ("02000001", "02000002", "02000003")
    meters = ("000000000001", "000000000002", "000000000003")

    def __init__(self, database: Database) -> None:
        self.database = database
        self.feed = Feed()
        self.registry = Registry(self.feed, database.links, STATION)
        self.links = {address: NoLink() for address in self.terminals}
        self.told = Told()
        self.start()

    def start(self) -> None:
        """Make alarms that know nothing yet."""
        self.watch = Watch(
            self.database, self.registry, dead_after=DEAD_AFTER, silent_after=timedelta(0)
        )
        self.alarms = Alarms(
            self.database, self.watch, self.registry, self.feed, self.told, STATION
        )

    async def fill(self) -> None:
        """Enter the site, all of whose links are up."""
        await self.database.places.add(Place("area", "area", "Mill lane"))
        for address in self.terminals:
            await self.database.terminals.add(Terminal(address, f"At {address}", place="area"))
        for point, address in enumerate(self.meters, 1):
            await self.database.meters.add(
                Meter(address, f"Meter {point}", link=self.terminals[0], point=point)
            )
        self.registry.set_terminals(await self.database.terminals.many())
        self.up(*self.terminals)
        await self.watch.load()

    def up(self, *addresses: str) -> None:
        for address in addresses:
            link: Any = self.links[address]
            self.registry.up(address, link, "terminal", "qgdw1376", utc_now())

    def down(self, *addresses: str) -> None:
        for address in addresses:
            link: Any = self.links[address]
            self.registry.down(address, link, "closed by the terminal", utc_now())

    async def unread(self, *meters: str) -> None:
        """Have meters failed in so many runs that they count as failing."""
        await self.database.meter_health.save_many(
            [MeterHealth(meter, failures=DEAD_AFTER) for meter in meters]
        )
        self.watch._looked_at = None

    async def tell(self, *events: Event) -> None:
        """Store events, as the reports do, and hand them over."""
        await self.database.events.save_many(events)
        self.alarms.take(events)

    async def standing(self) -> list[tuple[str, str, str]]:
        """Look, and return the kind, scope and subject of every alarm that stands."""
        await self.alarms.all_taken()
        alarms, _ = await self.database.alarms.list()
        return sorted((alarm.kind, alarm.scope, alarm.subject) for alarm in alarms)

    async def only(self) -> Alarm:
        """Return the one alarm that stands."""
        await self.alarms.all_taken()
        (alarm,), _ = await self.database.alarms.list()
        return alarm


def event(code: str, link: str, meter: str | None = None, **values: Any) -> Event:
    """An event that is told now."""
    at = utc_now()
    identity = event_id(code, link, meter or "", str(values), at.isoformat())
    return Event(
        identity, code, link, meter, None, at, b"", station=STATION, protocol="test", **values
    )
