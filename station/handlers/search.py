"""The one search box: places, terminals, channels and meters, customers and their accounts."""

from typing import Literal

from pydantic import BaseModel, Field

from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.archive.place_views import part_of
from station.handlers.base import Handler
from station.handlers.contract import contract
from station.store.objects.accounts import Account

FOUND_MAX = 8  # Of each kind; whoever wants more opens the list.

Kind = Literal["place", "terminal", "channel", "meter", "customer", "account"]


class SearchQuery(BaseModel):
    text: str = Field("", max_length=100)


class Hit(BaseModel):
    """Something that was found, and its page."""

    kind: Kind
    key: str
    name: str
    page: str


class SearchResult(BaseModel):
    items: list[Hit]
    total: int


class SearchHandler(Handler):
    """/search, /api/search"""

    @requires(Permission.VIEW)
    @contract(SearchResult, query=SearchQuery)
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
        within = await self.parts.archive.places_of(self.areas)
        meters, meter_count = await database.meters.list(text, limit=FOUND_MAX, within=within)
        terminals, terminal_count = await database.terminals.list(
            text, limit=FOUND_MAX, within=within
        )
        places = await self._places(text)
        if within is not None:  # Channels are the whole site's.
            hits = [
                *places,
                *(_hit("terminal", each.address, each.name) for each in terminals),
                *(_hit("meter", each.address, each.name) for each in meters),
                *await self._customers_and_cards(text),
            ]
            return hits, max(len(hits), meter_count + terminal_count)
        channels, channel_count = await database.channels.list(text, limit=FOUND_MAX)
        hits = [
            *places,
            *(_hit("terminal", each.address, each.name) for each in terminals),
            *(_hit("channel", each.name, each.url) for each in channels),
            *(_hit("meter", each.address, each.name) for each in meters),
            *await self._customers_and_cards(text),
        ]
        return hits, max(len(hits), meter_count + terminal_count + channel_count)

    async def _places(self, text: str) -> list[Hit]:
        """Find places by name or code, as far as the person may see them."""
        tree = part_of(await self.parts.archive.places(), self.areas)
        wanted = text.casefold()
        found = [
            place for _, place in tree.walk() if wanted in f"{place.name} {place.code}".casefold()
        ]
        return [
            Hit(kind="place", key=each.name, name=tree.path_text(each.parent),
                page=f"/places/{each.id}")
            for each in found[:FOUND_MAX]
        ]  # fmt: skip

    async def _customers_and_cards(self, text: str) -> list[Hit]:
        """Find customers by number, name or phone, and the accounts of cards."""
        database = self.parts.database
        customers, _ = await database.customers.list(
            text, limit=FOUND_MAX, numbers=await self.customers_in_sight()
        )
        accounts, _ = await database.accounts.list(
            text, limit=FOUND_MAX, meters=await self.meters_in_sight()
        )
        cards = [each for each in accounts if text.upper() in each.card_serial]
        return [
            *(_hit("customer", each.number, each.name) for each in customers),
            *(_card_hit(each) for each in cards),
        ]


def _card_hit(account: Account) -> Hit:
    page = f"/accounts/{account.id}"
    return Hit(kind="account", key=account.card_serial, name=account.meter, page=page)


def _hit(kind: Kind, key: str, name: str) -> Hit:
    return Hit(kind=kind, key=key, name=name, page=f"/{kind}s/{key}")
