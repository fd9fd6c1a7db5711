"""The history of the links: every coming up and going down, with its reason.

An event makes its own id, so saving it again changes nothing. The database drops what is old.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from station.store.objects.base import Objects, Page, new_id

KEPT_DAYS = 180  # Long enough to see what a season or a changed SIM card did to a link.


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """A link came up or went down at one moment; `remote` is the other end of the connection."""

    address: str
    at: datetime
    state: Literal["online", "offline"]
    reason: str
    remote: str
    station: str
    id: str = field(default_factory=new_id)


class LinkEvents(Objects[LinkEvent]):
    """What became of the links."""

    shape = LinkEvent
    key = "id"
    word = "link event"

    async def save_many(self, events: Sequence[LinkEvent]) -> None:
        """Keep these events; ones that are kept already stay as they are."""
        await self._keep_new(events)

    async def list(
        self, address: str, skip: int = 0, limit: int = 100, *, sort: str = ""
    ) -> Page[LinkEvent]:
        """Return a page of one link's events, newest first, and how many there are."""
        order = self._order(sort, [("at", -1), ("_id", -1)])
        return await self._page({"address": address}, skip, limit, order=order)
