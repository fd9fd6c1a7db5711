"""Links: who is online, since when, and why not; and what became of each."""

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel

from station.errors import Conflict, NotFound
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.archive.place_views import person_of
from station.handlers.base import Handler, ListQuery
from station.handlers.communication.link_views import (
    LinkEventView,
    LinkView,
    TrafficView,
    event_view,
    find_link,
    live_view,
    traffic_view,
)
from station.handlers.contract import contract
from station.handlers.download import Column
from station.handlers.freshness import written
from station.handlers.marking import N_
from station.store.objects.terminals import PROTOCOLS, Terminal
from station.units import local_day, utc_now

TRAFFIC_DAYS = 31  # Of the history's page: a month, today with it.

Sort = Literal[
    "address", "name", "state", "since", "last_seen", "traffic", "faults",
    "-address", "-name", "-state", "-since", "-last_seen", "-traffic", "-faults",
]  # fmt: skip


class LinksQuery(ListQuery):
    """Which links to show, and in which order: `-` in front of it turns it round."""

    state: Literal["online", "offline"] | None = None
    kind: Literal["terminal", "channel"] | None = None
    protocol: str | None = None
    known: bool | None = None
    flapping: bool | None = None
    sort: Sort = "address"


class LinkCounts(BaseModel):
    """How many links there are, whatever the filter."""

    all: int
    online: int
    offline: int
    unknown: int


class LinkList(BaseModel):
    """A page of links; `counts` and `flapping` are of all links, not only those that match."""

    items: list[LinkView]
    total: int
    counts: LinkCounts
    flapping: int


class LinkHistory(BaseModel):
    """What became of a link, the newest first, and what crossed it on each day."""

    link: LinkView
    items: list[LinkEventView]
    total: int
    traffic: list[TrafficView]


COLUMNS = (
    Column[LinkView](N_("Address"), lambda link: link.address, sort="address"),
    Column[LinkView](N_("Name"), lambda link: link.name, sort="name"),
    Column[LinkView](N_("Kind"), lambda link: link.kind, within="address"),
    Column[LinkView](N_("Protocol"), lambda link: link.protocol, within="address"),
    Column[LinkView](N_("State"), lambda link: link.state, sort="state"),
    Column[LinkView](N_("Since"), lambda link: link.since, sort="-since"),
    Column[LinkView](
        N_("Last seen"), lambda link: link.last_seen, sort="-last_seen", look="only-wide"
    ),
    Column[LinkView](N_("Reason"), lambda link: link.reason, within="state"),
    Column[LinkView](N_("Remote end"), lambda link: link.remote, look="only-wide"),
    Column[LinkView](
        N_("Bytes in"),
        lambda link: link.traffic.bytes_in,
        head=N_("Traffic"),
        sort="-traffic",
        look="number only-wide",
    ),
    Column[LinkView](N_("Bytes out"), lambda link: link.traffic.bytes_out, within="bytes_in"),
    Column[LinkView](N_("Known"), lambda link: link.known, within="name"),
    Column[LinkView](N_("Flapping"), lambda link: link.flapping, within="state"),
    Column[LinkView](
        N_("Late"),
        lambda link: link.quality.late,
        head=N_("Faults"),
        sort="-faults",
        look="number only-wide",
    ),
    Column[LinkView](N_("Duplicate"), lambda link: link.quality.duplicate, within="late"),
    Column[LinkView](N_("Unanswered"), lambda link: link.quality.timeouts, within="late"),
    Column[LinkView](N_("Damaged"), lambda link: link.quality.bad, within="late"),
    Column[LinkView](N_("Wrong address"), lambda link: link.quality.wrong_address, within="late"),
)

EVENT_COLUMNS = (
    Column[LinkEventView](N_("Time"), lambda event: event.at, look="nowrap"),
    Column[LinkEventView](N_("State"), lambda event: event.state),
    Column[LinkEventView](N_("Reason"), lambda event: event.reason),
    Column[LinkEventView](N_("Remote end"), lambda event: event.remote, look="small only-wide"),
    Column[LinkEventView](
        N_("Lasted, s"),
        lambda event: round(event.lasted_s),
        key="lasted",
        head=N_("Lasted"),
        look="nowrap",
    ),
)


class LinksHandler(Handler):
    """/links, /api/links"""

    @requires(Permission.VIEW)
    @contract(LinkList, query=LinksQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(LinksQuery)
        skip, limit = self.span(query)
        await written(self.parts.registry.flush())  # The list is the store's.
        sight = await self.sight()
        among = None if sight is None else sight.terminals
        states, total = await self.parts.database.links.list(
            query.text,
            query.state,
            query.kind,
            query.known,
            skip,
            limit,
            protocol=query.protocol,
            flapping=query.flapping,
            sort=query.sort,
            among=among,
        )
        items = [live_view(self.parts, state) for state in states]
        counts = await self.parts.database.links.counts(among)
        view = LinkList(
            items=items,
            total=total,
            counts=LinkCounts(
                all=counts.all,
                online=counts.online,
                offline=counts.all - counts.online,
                unknown=counts.unknown,
            ),
            flapping=counts.flapping,
        )
        protocols = (*PROTOCOLS, "dlt645")
        await self.show_list(
            "links.html", view, view.items, COLUMNS, filter=query, protocols=protocols
        )


class LinkHandler(Handler):
    """/links/ADDRESS, /api/links/ADDRESS"""

    @requires(Permission.VIEW)
    @contract(LinkView)
    async def get(self, address: str) -> None:
        link = await find_link(self.parts, address)
        if link is None:
            raise NotFound(f"there is no link {address}")
        if link.page is not None and not self.wants_json:
            self.redirect(link.page, status=303)
        else:
            self.show("link.html", link)


class LinkHistoryHandler(Handler):
    """/links/ADDRESS/history, /api/links/ADDRESS/history"""

    @requires(Permission.VIEW)
    @contract(LinkHistory, query=ListQuery, table=EVENT_COLUMNS)
    async def get(self, address: str) -> None:
        query = self.parse_query(ListQuery)
        link = await find_link(self.parts, address)
        if link is None:
            raise NotFound(f"there is no link {address}")
        items, total = await self._events(address, *self.span(query))
        view = LinkHistory(
            link=link, items=items, total=total, traffic=await self._traffic(address)
        )
        await self.show_list("link_history.html", view, items, EVENT_COLUMNS, filter=query)

    async def _events(self, address: str, skip: int, limit: int) -> tuple[list[LinkEventView], int]:
        """Return a page of events; each lasted until the one above it, the newest until now."""
        await written(self.parts.history.flush())
        above = min(skip, 1)
        events, total = await self.parts.database.link_events.list(
            address, skip - above, limit + above
        )
        ends = [utc_now(), *(event.at for event in events)]
        views = [event_view(event, until) for event, until in zip(events, ends, strict=False)]
        return views[above:], total

    async def _traffic(self, address: str) -> list[TrafficView]:
        await written(self.parts.traffic.flush(address))
        today = local_day(utc_now(), self.parts.config.site.zone_info)
        days = await self.parts.database.traffic.of_link(
            address, today - timedelta(days=TRAFFIC_DAYS - 1), today
        )
        return [traffic_view(day) for day in reversed(days)]


class AdoptHandler(Handler):
    """/links/ADDRESS/adopt: take a terminal that dialled in by itself into the archive."""

    @requires(Permission.CONFIGURE)
    @contract(LinkView, status=201)
    async def post(self, address: str) -> None:
        link = await find_link(self.parts, address)
        if link is None:
            raise NotFound(f"there is no link {address}")
        if link.known:
            raise Conflict(f"terminal {address} exists already")
        terminal = Terminal(address=address, name="", created_at=utc_now(), protocol=link.protocol)
        await self.parts.archive.add_terminal(terminal, by=person_of(self))
        adopted = link.model_copy(update={"known": True})
        notice = self.language.say("Terminal %(address)s is in the archive.", address=address)
        self.done(adopted, f"/terminals/{address}", notice, status=201)
