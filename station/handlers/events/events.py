"""Events: what devices told on their own account, with the frame that told it."""

from datetime import date, datetime, timedelta
from typing import Any

from pydantic import BaseModel, Field

from station.collector.event_names import EVENT_NAMES, GROUP_NAMES, codes_named_as, event_name
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.base import Handler, ListQuery
from station.handlers.contract import contract
from station.handlers.download import Column
from station.handlers.language import Language
from station.handlers.marking import N_
from station.store.objects.events import Event
from station.units import day_start
from station.words import Text

Choice = tuple[str, Text]

ONE_DAY = timedelta(days=1)


class EventsQuery(ListQuery):
    """Which events to show; `code` stands for every kind of event with the same name.

    `from` and `to` are days at the site, both included, on which they were received.
    """

    link: str | None = Field(None, max_length=64)
    meter: str | None = Field(None, max_length=12)
    code: str | None = Field(None, max_length=20)
    first_day: date | None = Field(None, alias="from")
    last_day: date | None = Field(None, alias="to")


class EventView(BaseModel):
    """An event; `happened_at` is by the device's clock, null where it told no time.

    `values` are rows with `name`, `name_zh`, `value` and `unit`; `hex` is the frame.
    """

    id: str
    code: str
    name: str
    link: str
    meter: str | None
    protocol: str
    happened_at: datetime | None
    received_at: datetime
    values: list[dict[str, Any]]
    exchange: int | None
    hex: str


class EventList(BaseModel):
    items: list[EventView]
    total: int


COLUMNS = (
    Column[EventView](
        N_("Received"), lambda event: event.received_at, sort="-received", look="nowrap"
    ),
    Column[EventView](N_("Happened"), lambda event: event.happened_at, look="nowrap"),
    Column[EventView](N_("Event"), lambda event: event.name),
    Column[EventView](N_("Code"), lambda event: event.code, within="event"),
    Column[EventView](N_("Link"), lambda event: event.link, sort="link"),
    Column[EventView](N_("Meter"), lambda event: event.meter, sort="meter"),
    Column[EventView](N_("Bytes"), lambda event: event.hex, head=N_("Told"), look="event-told"),
)


class EventsHandler(Handler):
    """/events, /api/events"""

    @requires(Permission.VIEW)
    @contract(EventList, query=EventsQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(EventsQuery)
        skip, limit = self.span(query)
        zone = self.parts.config.site.zone_info
        sight = await self.sight()
        events, total = await self.parts.database.events.list(
            query.link,
            query.meter,
            None if query.code is None else codes_named_as(query.code),
            None if query.first_day is None else day_start(query.first_day, zone),
            None if query.last_day is None else day_start(query.last_day + ONE_DAY, zone),
            skip=skip,
            limit=limit,
            of_links=None if sight is None else sight.terminals,
            of_meters=() if sight is None else sight.meters,
            sort=query.sort,
        )
        items = [event_view(event, self.language) for event in events]
        view = EventList(items=items, total=total)
        await self.show_list(
            "events.html", view, items, COLUMNS, filter=query, kinds=_kinds(), groups=GROUP_NAMES
        )


def event_view(event: Event, language: Language) -> EventView:
    """Return an event as pages and JSON show it."""
    return EventView(
        id=event.id,
        code=event.code,
        name=language.name(event_name(event.code)),
        link=event.link,
        meter=event.meter,
        protocol=event.protocol,
        happened_at=event.happened_at,
        received_at=event.received_at,
        values=[dict(row) for row in event.values],
        exchange=event.exchange,
        hex=event.raw.hex().upper(),
    )


def _kinds() -> dict[str, list[Choice]]:
    """Return what can be looked for, by protocol; each name once."""
    kinds: dict[str, dict[str, Choice]] = {group: {} for group in GROUP_NAMES}
    for code, name in EVENT_NAMES.items():
        kinds[code.split("-")[0]].setdefault(name.zh, (code, event_name(code)))
    return {group: [*choices.values()] for group, choices in kinds.items()}
