"""Channels of the archive: links that the station opens itself, to a serial port or server."""

from dataclasses import dataclass, field
from datetime import datetime

from station.store.objects.base import Page, matching
from station.store.objects.ends import Ends
from station.units import utc_now


@dataclass(frozen=True, slots=True)
class Channel:
    """A line that the station opens; `url` is a device path or any pyserial URL."""

    name: str
    url: str
    line: str = "2400 8E1"
    enabled: bool = True
    created_at: datetime = field(default_factory=utc_now)


class Channels(Ends[Channel]):
    """The channels of the archive; their names and the terminals' addresses never meet."""

    shape = Channel
    key = "name"
    word = "channel"

    async def list(
        self, text: str | None = None, skip: int = 0, limit: int = 100, *, sort: str = ""
    ) -> Page[Channel]:
        """Return a page of channels by name, and how many there are."""
        query = {"kind": self.word, **matching(text, "_id", "url")}
        return await self._page(query, skip, limit, order=self._order(sort))
