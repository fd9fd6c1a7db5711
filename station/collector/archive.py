"""The archive: what is out there and what is read from it. The one way to change it.

Every value is checked where it comes in, and whoever depends on it hears of a change: the registry
which terminals are known, the channels which lines to open, the scheduler which task moved.
"""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from station.collector.anomalies import Anomaly, Inspection, Picture
from station.collector.archive_checks import (
    check_parent,
    checked_channel,
    checked_meter,
    checked_place,
    checked_task,
    checked_terminal,
)
from station.collector.census import Census, Count
from station.collector.memory import Memory
from station.collector.scheduler import Scheduler
from station.errors import InvalidValue
from station.frontend.channels import Channels as OpenChannels
from station.frontend.registry import Registry
from station.store.database import Database
from station.store.objects.channels import Channel
from station.store.objects.meters import Meter
from station.store.objects.places import Place, PlaceTree, Within
from station.store.objects.tasks import Task
from station.store.objects.terminals import Terminal
from station.units import utc_now

ALL = 1_000_000  # More links than a station can serve.
PLACES_KEPT_S = 5.0  # How late another station's change of the tree is noticed here.


class Archive:
    """Adds, changes and removes terminals, channels, meters and tasks.

    Methods raise InvalidValue (its field is the dataclass field), Conflict and NotFound.
    """

    def __init__(
        self,
        database: Database,
        registry: Registry,
        channels: OpenChannels,
        scheduler: Scheduler,
        memory: Memory,
    ) -> None:
        self._database = database
        self._registry = registry
        self._channels = channels
        self._scheduler = scheduler
        self._memory = memory
        self._census = Census(database, registry, memory)
        self._inspection = Inspection()
        self._places: tuple[float, PlaceTree] | None = None  # As they were read, and when.
        self._publishing = asyncio.Lock()
        self.revision = 0  # Another one with each change that is made here.
        self._moving = asyncio.Lock()  # A place is checked against the tree that it goes into.

    async def publish(self) -> None:
        """Tell the others all that the archive holds, at the start."""
        self._changed()
        self._registry.set_terminals(await self._database.terminals.many())
        await self._publish_channels()

    async def publish_terminals(self, addresses: Collection[str]) -> None:
        """Tell the others what has become of these terminals."""
        self._changed()
        async with self._publishing:  # Who looks later tells later.
            found = await self._database.terminals.many(addresses)
            gone = {*addresses} - {terminal.address for terminal in found}
            self._registry.change_terminals(found, [*gone])

    async def imported(self, kind: str, keys: Collection[str]) -> None:
        """Tell the others of things that an import has turned into other ones, by their keys.

        What was learned of meters is forgotten, for they may be other ones.
        """
        if kind == "terminals":
            await self.publish_terminals(keys)
        elif kind == "meters":
            for address in keys:
                self._memory.forget_if_known(address)
            self._changed()
        elif kind == "places":
            self._tree_changed()

    async def _publish_channels(self) -> None:
        channels, _ = await self._database.channels.list(limit=ALL)
        await self._channels.apply(channels)

    async def add_terminal(self, terminal: Terminal, *, by: str = "") -> None:
        terminal = checked_terminal(terminal)
        await self._database.terminals.add(terminal, by=by)
        await self.publish_terminals([terminal.address])

    async def save_terminal(self, terminal: Terminal, *, by: str = "", reason: str = "") -> None:
        terminal = checked_terminal(terminal)
        await self._database.terminals.save(terminal, by=by, reason=reason)
        await self.publish_terminals([terminal.address])

    async def remove_terminal(self, address: str, *, by: str = "") -> None:
        await self._database.terminals.remove(address, by=by)
        await self.publish_terminals([address])

    async def add_channel(self, channel: Channel, *, by: str = "") -> None:
        await self._database.channels.add(checked_channel(channel), by=by)
        self._changed()
        await self._publish_channels()

    async def save_channel(self, channel: Channel, *, by: str = "", reason: str = "") -> None:
        await self._database.channels.save(checked_channel(channel), by=by, reason=reason)
        self._changed()
        await self._publish_channels()

    async def remove_channel(self, name: str, *, by: str = "") -> None:
        await self._database.channels.remove(name, by=by)
        self._changed()
        await self._publish_channels()

    async def add_meter(self, meter: Meter, *, by: str = "") -> None:
        await self._database.meters.add(checked_meter(meter), by=by)
        self._changed()

    async def save_meter(self, meter: Meter, *, by: str = "", reason: str = "") -> None:
        """Replace a meter; what was learned of it is forgotten, for it may be another one."""
        await self._database.meters.save(checked_meter(meter), by=by, reason=reason)
        self._memory.forget(meter.address)
        self._changed()

    async def remove_meter(self, address: str, *, by: str = "") -> None:
        await self._database.meters.remove(address, by=by)
        self._memory.forget(address)
        self._changed()

    async def places(self) -> PlaceTree:
        """Return the tree of places, at most some seconds old."""
        now = time.monotonic()
        if self._places is None or now - self._places[0] > PLACES_KEPT_S:
            self._places = now, await self._database.places.tree()
        return self._places[1]

    async def places_of(self, areas: Collection[str]) -> Within | None:
        """Return what lies within these places and below them; None, that is all, for no areas."""
        if not areas:
            return None
        places = (await self.places()).under(areas)
        terminals = await self._database.terminals.at(places)
        return Within(places, frozenset(terminals))

    async def counts(self) -> Mapping[str, Count]:
        """Return how many terminals and meters hang on each place and below it."""
        return await self._census.counts(await self.places())

    def count_of(self, link: str) -> Count:
        """Return how many meters hang on a terminal or channel, as the last `counts` found."""
        return self._census.of_link(link)

    async def anomalies(self) -> Sequence[Anomaly]:
        """Return what cannot be right in the archive, or does not fit what is heard."""
        return await self._inspection.found(self._picture)

    async def add_place(self, place: Place, *, by: str = "") -> None:
        place = checked_place(place)
        async with self._moving:
            await self._check_place(place)
            await self._database.places.add(place, by=by)
            self._tree_changed()

    async def save_place(self, place: Place, *, by: str = "", reason: str = "") -> None:
        """Replace a place; another parent moves it with all that hangs below it."""
        place = checked_place(place)
        async with self._moving:
            await self._check_place(place)
            await self._database.places.save(place, by=by, reason=reason)
            self._tree_changed()

    async def remove_place(self, place_id: str, *, by: str = "") -> None:
        await self._database.places.remove(place_id, by=by)
        self._tree_changed()

    async def hang(
        self, addresses: Collection[str], place_id: str, *, by: str, areas: Collection[str] = ()
    ) -> tuple[int, int]:
        """Hang terminals and meters on a place, all or none; return how many of each moved.

        `areas` are the places whose devices this person may move. Raises InvalidValue.
        """
        within = await self.places_of(areas)
        wanted = {address.upper() for address in addresses} | set(addresses)
        meters = await self._database.meters.many([*wanted])
        known = self._registry.terminals
        terminals = [known[address] for address in wanted if address in known]
        own_meters = [
            each.address
            for each in meters
            if within is None or within.has_meter(each.place, each.link)
        ]
        own_terminals = [
            each.address
            for each in terminals
            if within is None or within.has_terminal(each.address)
        ]
        found = {*own_meters, *own_terminals}
        for address in addresses:
            if not found.intersection((address, address.upper())):
                raise InvalidValue("addresses", f"there is no terminal or meter {address}")
        moved = await self._database.places.hang(place_id, own_terminals, own_meters, by=by)
        await self.publish_terminals(own_terminals)
        return moved

    async def set_terminal_stage(
        self, address: str, stage: str, *, at: datetime | None = None, by: str, reason: str = ""
    ) -> Terminal:
        """Take a terminal to another stage of its life, since now or since `at`."""
        before = await self._database.terminals.get(address)
        terminal = replace(before, stage=stage, stage_since=_passed(at))
        await self.save_terminal(terminal, by=by, reason=reason)
        return terminal

    async def set_meter_stage(
        self, address: str, stage: str, *, at: datetime | None = None, by: str, reason: str = ""
    ) -> Meter:
        """Take a meter to another stage of its life, since now or since `at`."""
        before = await self._database.meters.get(address)
        meter = replace(before, stage=stage, stage_since=_passed(at))
        await self.save_meter(meter, by=by, reason=reason)
        return meter

    async def add_task(self, task: Task) -> None:
        await self._database.tasks.add(checked_task(task))
        self.revision += 1
        self._scheduler.task_changed(task.id)

    async def save_task(self, task: Task) -> None:
        await self._database.tasks.save(replace(checked_task(task), updated_at=utc_now()))
        self.revision += 1
        self._scheduler.task_changed(task.id)

    async def remove_task(self, task_id: str) -> None:
        await self._database.tasks.remove(task_id)
        self.revision += 1
        self._scheduler.task_changed(task_id)

    async def _picture(self) -> Picture:
        database, registry = self._database, self._registry
        tasks, _ = await database.tasks.list(limit=ALL)
        channels, _ = await database.channels.list(limit=ALL)
        links, _ = await database.links.list(kind="terminal", known=True, limit=ALL)
        return Picture(
            now=utc_now(),
            tree=await self.places(),
            terminals=dict(registry.terminals),
            channels={channel.name: channel for channel in channels},
            meters=await self._census.spots(),
            tasks=tasks,
            online=lambda address: registry.find(address) is not None,
            last_seen={link.address: link.last_seen for link in links},
            last_success=lambda address: self._memory.health(address).last_success,
        )

    def _changed(self) -> None:
        self.revision += 1
        self._scheduler.archive_changed()
        self._census.archive_changed()
        self._inspection.archive_changed()

    def _tree_changed(self) -> None:
        self._places = None
        self.revision += 1
        self._census.archive_changed()
        self._inspection.archive_changed()

    async def _check_place(self, place: Place) -> None:
        """Check a place against the tree as it stands in the database."""
        tree = await self._database.places.tree()
        if place.parent:
            parent = tree.by_id.get(place.parent)
            if parent is None:
                raise InvalidValue("parent", f"there is no place {place.parent}")
            check_parent(place.kind, parent.kind)
        for child in tree.children(place.id):
            check_parent(child.kind, place.kind)


def _passed(at: datetime | None) -> datetime:
    now = utc_now()
    if at is not None and at > now:
        raise InvalidValue("at", "this moment has not come yet")
    return at or now
