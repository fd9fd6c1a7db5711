"""What lies in a person's areas: their devices, and the tasks that read them.

Finding it walks through the archive, so it is kept until the archive changes. Another station's
change is noticed a few seconds late.
"""

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from station.collector.completeness import TASKS_MAX
from station.collector.plan import targets_of
from station.handlers.parts import Parts
from station.store.objects.tasks import Task

KEPT_S = 5.0  # As the tree of places.
SIGHTS_MAX = 100  # Sets of areas; a utility has some ten.


@dataclass(frozen=True)
class Sight:
    """The devices that lie in a person's areas, by their addresses."""

    terminals: frozenset[str]
    meters: frozenset[str]

    @property
    def devices(self) -> frozenset[str]:
        """Both kinds together."""
        return self.terminals | self.meters

    def has_bus(self, bus: str) -> bool:
        """Tell whether a bus, `LINK` or `LINK:PORT`, is a terminal's in sight."""
        return bus in self.terminals or bus.rpartition(":")[0] in self.terminals

    def has_frame(self, link: str, meter: str | None) -> bool:
        """Tell whether what was said over a link to a meter, or to none, may be shown."""
        return meter in self.devices if meter else link in self.terminals

    def heard(self, topic: str, message: dict[str, Any]) -> dict[str, Any] | None:
        """Return what of an announcement a person with areas may hear, None for nothing.

        Of an alarm, an import or a control order only that there is one: the page that asks shows
        the right part.
        Runs and orders name no device: who hears them looks at what they are of.
        """
        if topic in ("alarms", "imports", "controls", "protections"):
            return {}
        if topic in ("runs", "orders"):
            return message
        meter = message.get("meter")
        if meter:
            return message if meter in self.devices else None
        for name in ("link", "address", "device"):
            if message.get(name):
                return message if message[name] in self.devices else None
        return None


@dataclass(frozen=True)
class TaskSight:
    """The tasks that read a meter in sight, and the groups to which devices in sight belong."""

    tasks: frozenset[str]
    groups: frozenset[str]
    devices: frozenset[str]

    def targets_of(self, task: Task) -> list[str]:
        """Return those of a task's targets that are in sight."""
        seen = self.groups if task.target_kind == "groups" else self.devices
        return [target for target in task.targets if target in seen]


@dataclass
class _Kept:
    revision: int
    until: float
    sight: Sight
    tasks: TaskSight | None = None


@dataclass
class Sights:
    """Keeps what was in sight of the people who asked last."""

    parts: Parts
    _kept: dict[tuple[str, ...], _Kept] = field(default_factory=dict)

    async def of(self, areas: tuple[str, ...]) -> Sight | None:
        """Return the devices in these areas; None, that is all, for no areas."""
        return (await self._of(areas)).sight if areas else None

    async def tasks_of(self, areas: tuple[str, ...]) -> TaskSight | None:
        """Return the tasks that read something in these areas; None, that is all, for no areas."""
        if not areas:
            return None
        kept = await self._of(areas)
        if kept.tasks is None:
            kept.tasks = await self._task_sight(kept.sight)
        return kept.tasks

    async def _of(self, areas: tuple[str, ...]) -> _Kept:
        now, revision = time.monotonic(), self.parts.archive.revision
        kept = self._kept.get(areas)
        if kept is None or kept.revision != revision or now >= kept.until:
            kept = _Kept(revision, now + KEPT_S, await self._sight(areas))
            if len(self._kept) >= SIGHTS_MAX:
                self._kept.clear()
            self._kept[areas] = kept
        return kept

    async def _sight(self, areas: Collection[str]) -> Sight:
        within = await self.parts.archive.places_of(areas)
        assert within is not None, "areas were given"
        meters = await self.parts.database.meters.addresses(within)
        return Sight(within.terminals, frozenset(meters))

    async def _task_sight(self, sight: Sight) -> TaskSight:
        tasks, _ = await self.parts.database.tasks.list(limit=TASKS_MAX)
        devices = await self.parts.roll.devices()
        meters = [meter for meter in devices.meters if meter.address in sight.meters]
        terminals = devices.terminals
        groups = {group for meter in meters for group in meter.groups}
        for address in sight.terminals & terminals.keys():
            groups |= {*terminals[address].groups}
        read = frozenset(task.id for task in tasks if targets_of(task, meters, terminals))
        return TaskSight(read, frozenset(groups), sight.devices)
