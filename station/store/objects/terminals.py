"""Terminals of the archive: devices that dial in."""

from dataclasses import dataclass, field
from datetime import datetime

from station.store.objects.base import Page, matching
from station.store.objects.ends import Ends
from station.units import utc_now


@dataclass(frozen=True, slots=True)
class Terminal:
    """A device that dials in; `address` is 8 hex digits in capitals."""

    address: str
    name: str
    protocol: str = "qgdw1376"
    created_at: datetime = field(default_factory=utc_now)


class Terminals(Ends[Terminal]):
    """The terminals of the archive."""

    shape = Terminal
    key = "address"
    word = "terminal"

    async def list(
        self, text: str | None = None, skip: int = 0, limit: int = 100
    ) -> Page[Terminal]:
        """Return a page of terminals by address, and how many there are."""
        query = {"kind": self.word, **matching(text, "_id", "name")}
        return await self._page(query, skip, limit)
