"""What devices last showed of their relays: open or closed, and whether they keep power."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import ReplaceOne

from station.store.objects.base import Many, Objects
from station.store.objects.commands import DeviceKind


@dataclass(frozen=True, slots=True)
class ControlLook:
    """What a device showed at a moment, in the words of a command's result."""

    device: str
    kind: DeviceKind
    values: Mapping[str, Any]
    at: datetime


class ControlLooks(Objects[ControlLook]):
    """The last look at each device."""

    shape = ControlLook
    key = "device"
    word = "look"

    async def keep(self, look: ControlLook) -> None:
        """Keep a look in place of the one before."""
        document = {**self._to_document(look), "values": dict(look.values)}
        await self._collection.write([ReplaceOne({"_id": look.device}, document, upsert=True)])

    async def of(self, devices: Sequence[str]) -> Many[ControlLook]:
        """Return the last looks at these devices."""
        return await self._all({"_id": {"$in": [*devices]}})
