"""Remembers in the store which readers were used, under the name of this station."""

from datetime import datetime

from station.prepaid.readers.base import ReaderIdentity
from station.store.objects.workplaces import ReaderUse, ReaderUses


class Remembered:
    """The memory of a station's workplaces."""

    def __init__(self, uses: ReaderUses, station: str) -> None:
        self._uses = uses
        self._station = station

    async def last_used(self, workplace: str) -> ReaderIdentity | None:
        """Return the reader that was used last. Raises DatabaseDown."""
        used = await self.used(workplace)
        return next(iter(used), None)

    async def used(self, workplace: str) -> dict[ReaderIdentity, datetime]:
        """Return the readers that were used, the last one first. Raises DatabaseDown."""
        return {
            ReaderIdentity(use.model, use.name, use.serial, use.port): use.used_at
            for use in await self._uses.at(self._station, workplace)
        }

    async def remember(self, workplace: str, reader: ReaderIdentity, at: datetime) -> None:
        """Keep that a reader was used. Raises DatabaseDown."""
        key = "|".join((self._station, workplace, reader.name, reader.port))
        await self._uses.keep(
            ReaderUse(
                id=key,
                station=self._station,
                workplace=workplace,
                model=reader.model,
                name=reader.name,
                serial=reader.serial,
                port=reader.port,
                used_at=at,
            )
        )
