"""Links: who is online, since when, and why not."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel

from station.errors import Conflict, NotFound
from station.handlers.base import Handler, ListQuery
from station.handlers.download import Column
from station.handlers.identity import requires
from station.handlers.link_views import LinkView, all_links, find_link
from station.handlers.people import Permission
from station.handlers.sentences import N_
from station.store.objects.terminals import Terminal
from station.units import utc_now


class LinksQuery(ListQuery):
    """Which links to show."""

    state: Literal["online", "offline"] | None = None
    kind: Literal["terminal", "channel"] | None = None
    known: bool | None = None


class LinkCounts(BaseModel):
    """How many links there are, whatever the filter."""

    all: int
    online: int
    offline: int
    unknown: int


class LinkList(BaseModel):
    """Links by address; `counts` are of all links, not only those that match."""

    items: list[LinkView]
    total: int
    counts: LinkCounts


COLUMNS = (
    Column[LinkView](N_("Address"), lambda link: link.address),
    Column[LinkView](N_("Name"), lambda link: link.name),
    Column[LinkView](N_("Kind"), lambda link: link.kind),
    Column[LinkView](N_("Protocol"), lambda link: link.protocol),
    Column[LinkView](N_("State"), lambda link: link.state),
    Column[LinkView](N_("Since"), lambda link: link.since),
    Column[LinkView](N_("Last seen"), lambda link: link.last_seen),
    Column[LinkView](N_("Reason"), lambda link: link.reason),
    Column[LinkView](N_("Remote end"), lambda link: link.remote),
    Column[LinkView](N_("Bytes in"), lambda link: link.traffic.bytes_in),
    Column[LinkView](N_("Bytes out"), lambda link: link.traffic.bytes_out),
    Column[LinkView](N_("Known"), lambda link: link.known),
)


class LinksHandler(Handler):
    """/links, /api/links"""

    @requires(Permission.VIEW)
    async def get(self) -> None:
        query = self.parse_query(LinksQuery)
        links = await all_links(self.parts)
        found = [link for link in links if _matches(link, query)]
        skip, limit = self.span(query)
        view = LinkList(items=found[skip : skip + limit], total=len(found), counts=_counts(links))
        self.show_list("links.html", view, view.items, COLUMNS, filter=query)


class LinkHandler(Handler):
    """/links/ADDRESS, /api/links/ADDRESS"""

    @requires(Permission.VIEW)
    async def get(self, address: str) -> None:
        link = await find_link(self.parts, address)
        if link is None:
            raise NotFound(f"there is no link {address}")
        if link.page is not None and not self.wants_json:
            self.redirect(link.page, status=303)
        else:
            self.show("link.html", link)


class AdoptHandler(Handler):
    """/links/ADDRESS/adopt: take a terminal that dialled in by itself into the archive."""

    @requires(Permission.CONFIGURE)
    async def post(self, address: str) -> None:
        link = await find_link(self.parts, address)
        if link is None:
            raise NotFound(f"there is no link {address}")
        if link.known:
            raise Conflict(f"terminal {address} exists already")
        terminal = Terminal(address=address, name="", created_at=utc_now(), protocol=link.protocol)
        await self.parts.archive.add_terminal(terminal)
        adopted = link.model_copy(update={"known": True})
        notice = self.language.say("Terminal %(address)s is in the archive.", address=address)
        self.done(adopted, f"/terminals/{address}", notice, status=201)


def _matches(link: LinkView, query: LinksQuery) -> bool:
    if query.text:
        text = query.text.casefold()
        if not any(text in words.casefold() for words in (link.address, link.name, link.remote)):
            return False
    wanted = ((query.state, link.state), (query.kind, link.kind), (query.known, link.known))
    return all(value is None or value == own for value, own in wanted)


def _counts(links: Sequence[LinkView]) -> LinkCounts:
    online = sum(link.state == "online" for link in links)
    return LinkCounts(
        all=len(links),
        online=online,
        offline=len(links) - online,
        unknown=sum(not link.known for link in links),
    )
