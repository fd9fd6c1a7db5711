"""Channels of the archive: links that the station opens itself, to a serial port or server."""

from dataclasses import dataclass, field
from datetime import datetime

from station.store.objects.base import Page, matching
from station.store.objects.ends import Ends
from station.units import utc_now


@dataclass(frozen=True, slots=True)
class Channel:
    """A line that the station opens; `url` is a device path or any pyserial URL.

    `wait_ms` is waited longer for each answer, for a slow way; before a question the line is quiet
    for `gap_ms`. After `reopen_after` questions in a row without an answer the port is opened anew
    (0: never); one that does not open is tried again after `retry_max_s` at most.
    """

    name: str
    url: str
    line: str = "2400 8E1"
    enabled: bool = True
    wait_ms: int = 0
    gap_ms: int = 20
    reopen_after: int = 0
    retry_max_s: int = 60
    created_at: datetime = field(default_factory=utc_now)


# What may be set, least and most.
WAITS_MS = (0, 60_000)  # A satellite link takes some seconds.
GAPS_MS = (20, 5_000)  # DL/T 645 wants 20 ms (digest, section 1.3); old converters a second.
REOPENS_AFTER = (0, 1_000)
RETRIES_S = (1, 3_600)


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
