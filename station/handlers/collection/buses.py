"""Buses: which one is full, and who eats it?"""

from pydantic import Field

from station.errors import NotFound
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.base import Handler, ListQuery
from station.handlers.collection.bus_views import BusList, BusView
from station.handlers.contract import contract
from station.handlers.download import Column
from station.handlers.marking import N_
from station.handlers.tables import sorted_rows

EATERS_SHOWN = 3  # Tasks and meters in a row of the list; the page of a bus has them all.


class BusesQuery(ListQuery):
    """Which buses to show: those with this text in their name, or that this task asks."""

    task: str | None = Field(None, max_length=64)


COLUMNS = (
    Column[BusView](N_("Bus"), lambda bus: bus.bus, sort="bus"),
    Column[BusView](N_("Link"), lambda bus: bus.link, more=True),
    Column[BusView](N_("Port"), lambda bus: bus.port, more=True, look="number"),
    Column[BusView](
        N_("Share of its time"),
        lambda bus: bus.share,
        key="share",
        head=N_("Share"),
        unit="%",
        sort="-share",
        look="number",
    ),
    Column[BusView](
        N_("Seconds a day"), lambda bus: bus.seconds, more=True, sort="-seconds", look="number"
    ),
    Column[BusView](
        N_("Tasks"),
        lambda bus: "; ".join(f"{each.name} {each.seconds:.0f}" for each in bus.tasks),
        head=N_("Who eats it, seconds a day"),
        look="load-cell",
    ),
    Column[BusView](
        N_("Slowest meters"),
        lambda bus: "; ".join(f"{each.meter} {each.seconds:.0f}" for each in bus.slowest),
        key="slowest",
        head=N_("Slowest meters, seconds a day"),
        look="only-wide small",
    ),
)


class BusesHandler(Handler):
    """/buses, /api/buses"""

    @requires(Permission.VIEW)
    @contract(BusList, query=BusesQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(BusesQuery)
        buses = await self.tools.buses.views_of(await self.sight())
        found = [bus for bus in buses if _matches(bus, query)]
        found = [*sorted_rows(found, COLUMNS, query.sort, self.language)]
        skip, limit = self.span(query)
        view = BusList(
            items=found[skip : skip + limit],
            total=len(found),
            overfull=sum(bus.share > 1 for bus in buses),
        )
        tasks = [] if self.wants_json else await self.offered_tasks()
        await self.show_list(
            "buses.html", view, view.items, COLUMNS,
            filter=query, tasks=tasks, eaters_shown=EATERS_SHOWN,
        )  # fmt: skip


class OneBusHandler(Handler):
    """/buses/NAME, /api/buses/NAME"""

    @requires(Permission.VIEW)
    @contract(BusView)
    async def get(self, name: str) -> None:
        buses = await self.tools.buses.views_of(await self.sight())
        bus = next((bus for bus in buses if bus.bus == name), None)
        if bus is None:
            raise NotFound(f"there is no bus {name} that a task asks")
        meters = await self.parts.database.meters.many([each.meter for each in bus.slowest])
        names = {meter.address: meter.name for meter in meters}
        self.show("bus.html", bus, names=names)


def _matches(bus: BusView, query: BusesQuery) -> bool:
    if query.text and query.text.casefold() not in bus.bus.casefold():
        return False
    return query.task is None or any(each.task == query.task for each in bus.tasks)
