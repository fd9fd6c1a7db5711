"""Workplaces: which card readers wrote cards there, and when the last time was."""

from dataclasses import dataclass
from datetime import datetime

from station.store.objects.base import Many, Objects


@dataclass(frozen=True, slots=True)
class ReaderUse:
    """The last use of one reader at one workplace of one station; `id` is made of the three."""

    id: str
    station: str
    workplace: str
    model: str
    name: str
    serial: str
    port: str
    used_at: datetime


class ReaderUses(Objects[ReaderUse]):
    """The last use of every reader."""

    shape = ReaderUse
    key = "id"
    word = "reader"

    async def keep(self, use: ReaderUse) -> None:
        """Keep a use in place of the one before; of two at once either may stay."""
        await self._collection.replace({"_id": use.id}, self._to_document(use), upsert=True)

    async def at(self, station: str, workplace: str) -> Many[ReaderUse]:
        """Return the readers that were used at a workplace, the last one first."""
        query = {"station": station, "workplace": workplace}
        return await self._all(query, order=[("used_at", -1), ("_id", 1)])
