"""The topology of a place, of a transformer area above all: terminals, their buses, the meters.

The picture and the table below it are the same rows, so that nobody needs the picture. A meter
hangs where its terminal's bus is, also when its own place is another one within.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from station.collector.memory import DEAD_AFTER
from station.errors import NotFound
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.archive.place_views import PlaceHandler, PlaceView, within_of
from station.handlers.base import ListQuery
from station.handlers.contract import contract
from station.handlers.download import Column
from station.handlers.marking import N_
from station.handlers.tables import sorted_rows
from station.store.objects.meters import Meter
from station.store.objects.stages import ACTIVE, REMOVED

METERS_MAX = 1000  # More is no picture any more; a transformer area has a few hundred.

State = Literal["online", "offline", "answers", "silent", "unreachable", "idle"]

KINDS = {"link": N_("terminal or channel"), "bus": N_("bus"), "meter": N_("meter")}
STATES = {
    "online": N_("online"),
    "offline": N_("offline"),
    "answers": N_("answers"),
    "silent": N_("silent"),
    "unreachable": N_("its link is down"),
    "idle": N_("not in use"),
}


class TopologyQuery(ListQuery):
    """Which part of the table to show; the picture takes as much as there may be."""

    state: State | None = None
    size: int = Field(50, ge=1, le=3 * METERS_MAX)


class NodeRow(BaseModel):
    """One thing: `id` names it within this place, `parent` what it hangs on; "" is the place.

    A link is online or offline, a bus as its link; a meter answers, is silent, cannot be asked as
    its link is down, or is not in use. `heard_at` is when it was last heard.
    """

    id: str
    parent: str
    kind: Literal["link", "bus", "meter"]
    address: str
    name: str
    state: State
    heard_at: datetime | None = None
    page: str = ""
    on: str = ""  # The address of what it hangs on, in words.


class Topology(BaseModel):
    """The rows of a page of the table, how many there are, and how many meters of how many."""

    place: PlaceView
    items: list[NodeRow]
    total: int
    meters: int
    meters_all: int


COLUMNS = (
    Column[NodeRow](N_("Address"), lambda row: row.address, sort="address"),
    Column[NodeRow](N_("Name"), lambda row: row.name, sort="name"),
    Column[NodeRow](N_("Kind"), lambda row: row.kind, sort="kind"),
    Column[NodeRow](N_("Hangs on"), lambda row: row.on, sort="on", look="address"),
    Column[NodeRow](N_("State"), lambda row: row.state, sort="state", look="nowrap"),
    Column[NodeRow](N_("Last heard"), lambda row: row.heard_at, sort="-heard", look="only-wide"),
)


class TopologyHandler(PlaceHandler):
    """/places/ID/topology, /api/places/ID/topology"""

    @requires(Permission.VIEW)
    @contract(Topology, query=TopologyQuery, table=COLUMNS)
    async def get(self, place_id: str) -> None:
        query = self.parse_query(TopologyQuery)
        place = (await self.visible_tree()).by_id.get(place_id)
        if place is None:
            raise NotFound(f"there is no place {place_id}")
        nodes, shown, there = await self._nodes(place_id)
        text = (query.text or "").casefold()
        found = [
            node
            for node in nodes
            if query.state in (None, node.state)
            and text in f"{node.address} {node.name} {node.on}".casefold()
        ]
        found = [*sorted_rows(found, COLUMNS, query.sort, self.language)]
        skip, limit = self.span(query)
        rows = found[skip : skip + limit]
        view = Topology(
            place=await self.view_of(place),
            items=rows,
            total=len(found),
            meters=shown,
            meters_all=there,
        )
        await self.show_list(
            "topology.html", view, rows, COLUMNS, filter=query, kinds=KINDS, states=STATES
        )

    async def _nodes(self, place_id: str) -> tuple[list[NodeRow], int, int]:
        """Return what hangs on a place and below it, and how many meters of how many that are."""
        within = await within_of(self, place_id)
        assert within is not None, "a place was named"
        meters, there = await self.parts.database.meters.list(within=within, limit=METERS_MAX)
        in_use = [meter for meter in meters if meter.stage != REMOVED]
        links = sorted({*within.terminals, *(meter.link for meter in in_use)})
        nodes = [self._link_node(address) for address in links]
        nodes += self._bus_nodes(in_use)
        heard = await self.parts.database.meter_health.heard([each.address for each in in_use])
        nodes += [self._meter_node(meter, heard.get(meter.address)) for meter in in_use]
        return nodes, len(meters), there

    def _link_node(self, address: str) -> NodeRow:
        state = self.parts.registry.state(address)
        terminal = self.parts.registry.terminals.get(address)
        page = f"/terminals/{address}" if terminal else f"/links/{address}"
        return NodeRow(
            id=address,
            parent="",
            kind="link",
            address=address,
            name=terminal.name if terminal else "",
            state="online" if self._is_up(address) else "offline",
            heard_at=state.last_seen if state else None,
            page=page,
        )

    def _bus_nodes(self, meters: Iterable[Meter]) -> list[NodeRow]:
        return [
            NodeRow(
                id=f"{link}:{port}",
                parent=link,
                kind="bus",
                address=f"{link}:{port}",
                name=self.language.say("port %(port)s", port=port),
                state="online" if self._is_up(link) else "offline",
                page=f"/buses?text={link}",
                on=link,
            )
            for link, port in sorted({(meter.link, meter.port) for meter in meters})
        ]

    def _meter_node(self, meter: Meter, heard_at: datetime | None) -> NodeRow:
        return NodeRow(
            id=meter.address,
            parent=f"{meter.link}:{meter.port}",
            kind="meter",
            address=meter.address,
            name=meter.name,
            state=self._state_of(meter),
            heard_at=heard_at,
            page=f"/meters/{meter.address}",
            on=f"{meter.link}:{meter.port}",
        )

    def _state_of(self, meter: Meter) -> State:
        if meter.stage != ACTIVE:
            return "idle"
        if not self._is_up(meter.link):
            return "unreachable"
        silent = self.parts.memory.health(meter.address).failures >= DEAD_AFTER
        return "silent" if silent else "answers"

    def _is_up(self, link: str) -> bool:
        return self.parts.registry.find(link) is not None
