"""The one search box: addresses and names of terminals, channels and meters."""

from typing import Literal

from pydantic import BaseModel, Field

from station.handlers.base import Handler
from station.handlers.identity import requires
from station.handlers.people import Permission

FOUND_MAX = 8  # Of each kind; whoever wants more opens the list.


class SearchQuery(BaseModel):
    text: str = Field("", max_length=100)


class Hit(BaseModel):
    """Something that was found, and its page."""

    kind: Literal["terminal", "channel", "meter"]
    key: str
    name: str
    page: str


class SearchResult(BaseModel):
    items: list[Hit]
    total: int


class SearchHandler(Handler):
    """/search, /api/search"""

    @requires(Permission.VIEW)
    async def get(self) -> None:
        text = self.parse_query(SearchQuery).text.strip()
        hits, total = await self._find(text) if text else ([], 0)
        if len(hits) == 1 and not (self.wants_json or self.is_partial):
            self.redirect(hits[0].page, status=303)
            return
        self.show(
            "search.html", SearchResult(items=hits, total=total), text=text, partial=self.is_partial
        )

    async def _find(self, text: str) -> tuple[list[Hit], int]:
        database = self.parts.database
        meters, meter_count = await database.meters.list(text, limit=FOUND_MAX)
        terminals, terminal_count = await database.terminals.list(text, limit=FOUND_MAX)
        channels, channel_count = await database.channels.list(text, limit=FOUND_MAX)
        hits = [
            *(_hit("terminal", each.address, each.name) for each in terminals),
            *(_hit("channel", each.name, each.url) for each in channels),
            *(_hit("meter", each.address, each.name) for each in meters),
        ]
        return hits, meter_count + terminal_count + channel_count


def _hit(kind: Literal["terminal", "channel", "meter"], key: str, name: str) -> Hit:
    return Hit(kind=kind, key=key, name=name, page=f"/{kind}s/{key}")
