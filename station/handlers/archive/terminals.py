"""Terminals of the archive: the list, each with its link and its meters, and their forms."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from station.errors import Conflict, InvalidValue
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.archive.groups import Groups
from station.handlers.archive.place_views import own_place, path_of, person_of, within_of
from station.handlers.base import Handler, ListQuery, Nothing
from station.handlers.communication.link_views import LINKS_MAX, LinkView, link_of, live_view
from station.handlers.contract import contract
from station.handlers.download import Column
from station.handlers.marking import N_
from station.store.objects.meters import Meter
from station.store.objects.terminals import PROTOCOLS, Terminal
from station.units import utc_now

ONE_BY_ONE_MAX = 100  # Terminals of a list that are looked up by themselves: two queries each.
PACKET_TYPED_MAX = 300  # Characters: 64 bytes as hex, with blanks between them.


class TerminalChange(BaseModel):
    """What may change of a terminal; the archive checks the values.

    The packets of a DTU are hex digits, or the text itself where `..._as` says so.
    """

    name: str = Field("", max_length=64)
    protocol: Literal["qgdw1376", "dlt698.45", "dtu"] = "qgdw1376"
    registration: str = Field("", max_length=PACKET_TYPED_MAX)
    registration_as: Literal["hex", "text"] = "hex"
    heartbeat: str = Field("", max_length=PACKET_TYPED_MAX)
    heartbeat_as: Literal["hex", "text"] = "hex"
    echo: bool = False
    parallel_ports: bool = False
    collects: bool = False
    groups: Groups = ()
    place: str | None = Field(None, max_length=1000)  # Id, code or path; None: as it is.

    def to_values(self) -> dict[str, Any]:
        """Return the fields of a terminal."""
        values = self.model_dump(exclude={"registration_as", "heartbeat_as"})
        values["registration"] = _packet(self.registration, self.registration_as)
        values["heartbeat"] = _packet(self.heartbeat, self.heartbeat_as)
        return values


class TerminalBody(TerminalChange):
    """What is entered of a terminal."""

    address: str = Field(min_length=1, max_length=32)


class TerminalView(BaseModel):
    """A terminal, its link and how many meters hang on it."""

    address: str
    name: str
    protocol: str
    created_at: datetime
    registration: str
    heartbeat: str
    echo: bool
    parallel_ports: bool
    collects: bool
    groups: list[str]
    place: str
    stage: str
    stage_since: datetime | None
    link: LinkView
    meters: int


class NewTerminalQuery(BaseModel):
    """What the form of a new terminal begins with."""

    address: str = Field("", max_length=64)
    protocol: str = Field("", max_length=20)


class TerminalsQuery(ListQuery):
    """Which terminals to show; `place` is the id of a place, with all below it."""

    place: str | None = Field(None, max_length=32)


class TerminalList(BaseModel):
    items: list[TerminalView]
    total: int


COLUMNS = (
    Column[TerminalView](N_("Address"), lambda terminal: terminal.address, sort="address"),
    Column[TerminalView](N_("Name"), lambda terminal: terminal.name, sort="name"),
    Column[TerminalView](N_("State"), lambda terminal: terminal.link.state),
    Column[TerminalView](N_("Since"), lambda terminal: terminal.link.since, look="only-wide"),
    Column[TerminalView](N_("Last seen"), lambda terminal: terminal.link.last_seen),
    Column[TerminalView](N_("Reason"), lambda terminal: terminal.link.reason, within="state"),
    Column[TerminalView](N_("Meters"), lambda terminal: terminal.meters, look="number"),
    Column[TerminalView](N_("Protocol"), lambda terminal: terminal.protocol, look="only-wide"),
    Column[TerminalView](N_("Groups"), lambda terminal: ", ".join(terminal.groups), more=True),
    Column[TerminalView](N_("Stage"), lambda terminal: terminal.stage, within="name"),
)


class TerminalHandler(Handler):
    """What the handlers of terminals share."""

    async def view_of(self, terminal: Terminal) -> TerminalView:
        """Return a terminal with its link and the number of its meters."""
        link, (_, meters) = await asyncio.gather(
            link_of(self.parts, terminal),
            self.parts.database.meters.list(link=terminal.address, limit=1),
        )
        return terminal_view(terminal, link, meters)


class TerminalsHandler(TerminalHandler):
    """/terminals, /api/terminals"""

    async def _views(self, terminals: Sequence[Terminal]) -> list[TerminalView]:
        """Return terminals with their links and meters; of many at once, all are fetched once."""
        if len(terminals) <= ONE_BY_ONE_MAX:
            return await asyncio.gather(*map(self.view_of, terminals))
        stored, _ = await self.parts.database.links.list(kind="terminal", limit=LINKS_MAX)
        links = {state.address: live_view(self.parts, state) for state in stored}
        meters = Counter(meter.link for meter in (await self.parts.roll.devices()).meters)
        return [
            terminal_view(
                terminal,
                links.get(terminal.address) or await link_of(self.parts, terminal),
                meters[terminal.address],
            )
            for terminal in terminals
        ]

    @requires(Permission.VIEW)
    @contract(TerminalList, query=TerminalsQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(TerminalsQuery)
        skip, limit = self.span(query)
        terminals, total = await self.parts.database.terminals.list(
            query.text, skip, limit, within=await within_of(self, query.place), sort=query.sort
        )
        items = await self._views(terminals)
        view = TerminalList(items=items, total=total)
        place = await path_of(self, query.place or "")
        await self.show_list("terminals.html", view, items, COLUMNS, filter=query, place=place)

    @requires(Permission.CONFIGURE)
    @contract(TerminalView, body=TerminalBody, status=201)
    async def post(self) -> None:
        try:
            body = self.parse_body(TerminalBody)
            address = body.address if body.protocol == "dtu" else body.address.upper()
            place = await own_place(self, body.place)
            values = {**body.to_values(), "address": address, "place": place}
            terminal = Terminal(**values, created_at=utc_now())
            await self.parts.archive.add_terminal(terminal, by=person_of(self))
        except (InvalidValue, Conflict) as error:
            self.refuse_form("terminal_form.html", error, terminal=None)
            return
        notice = self.language.say("Terminal %(address)s is saved.", address=terminal.address)
        location = f"/terminals/{terminal.address}"
        self.done(await self.view_of(terminal), location, notice, status=201)


class NewTerminalHandler(Handler):
    """/terminals/new"""

    @requires(Permission.CONFIGURE)
    @contract(None, query=NewTerminalQuery)
    async def get(self) -> None:
        query = self.parse_query(NewTerminalQuery)
        blank = Terminal(query.address, "")
        typed = fields_of(blank)
        if query.protocol in PROTOCOLS:
            typed["protocol"] = query.protocol
        self.finish_page("terminal_form.html", typed=typed, terminal=None)


class OneTerminalHandler(TerminalHandler):
    """/terminals/ADDRESS, /api/terminals/ADDRESS"""

    @requires(Permission.VIEW)
    @contract(TerminalView)
    async def get(self, address: str) -> None:
        terminal = await self.parts.database.terminals.get(address)
        meters: list[Meter] = []
        if not self.wants_json:
            meters = await self.parts.database.meters.on_link(address)
        latest = await self.parts.database.readings.latest([meter.address for meter in meters])
        seen = {
            meter: max(reading.read_at for reading in readings)
            for meter, readings in latest.items()
            if readings
        }
        view = await self.view_of(terminal)
        place = await path_of(self, terminal.place)
        self.show("terminal.html", view, meters=meters, seen=seen, text_of=_text_of, place=place)

    @requires(Permission.CONFIGURE)
    @contract(TerminalView, body=TerminalChange)
    async def post(self, address: str) -> None:
        await self.put(address)

    @requires(Permission.CONFIGURE)
    @contract(TerminalView, body=TerminalChange)
    async def put(self, address: str) -> None:
        before = await self.parts.database.terminals.get(address)
        try:
            body = self.parse_body(TerminalChange)
            place = await own_place(self, body.place, before.place)
            terminal = replace(before, **{**body.to_values(), "place": place})
            await self.parts.archive.save_terminal(terminal, by=person_of(self))
        except (InvalidValue, Conflict) as error:
            self.refuse_form("terminal_form.html", error, terminal=before)
            return
        self.record(before=before, after=terminal)
        notice = self.language.say("Terminal %(address)s is saved.", address=address)
        self.done(await self.view_of(terminal), f"/terminals/{address}", notice)

    @requires(Permission.CONFIGURE)
    @contract(Nothing)
    async def delete(self, address: str) -> None:
        await self.parts.archive.remove_terminal(address, by=person_of(self))
        notice = self.language.say("Terminal %(address)s is removed.", address=address)
        self.done(Nothing(), "/terminals", notice)


class EditTerminalHandler(Handler):
    """/terminals/ADDRESS/edit"""

    @requires(Permission.CONFIGURE)
    @contract(None)
    async def get(self, address: str) -> None:
        terminal = await self.parts.database.terminals.get(address)
        typed = {**fields_of(terminal), "place": await path_of(self, terminal.place)}
        self.finish_page("terminal_form.html", typed=typed, terminal=terminal)


def terminal_view(terminal: Terminal, link: LinkView, meters: int) -> TerminalView:
    """Return a terminal as pages and JSON show it."""
    return TerminalView(
        address=terminal.address,
        name=terminal.name,
        protocol=terminal.protocol,
        created_at=terminal.created_at,
        registration=terminal.registration,
        heartbeat=terminal.heartbeat,
        echo=terminal.echo,
        parallel_ports=terminal.parallel_ports,
        collects=terminal.collects,
        groups=list(terminal.groups),
        place=terminal.place,
        stage=terminal.stage,
        stage_since=terminal.stage_since,
        link=link,
        meters=meters,
    )


def fields_of(terminal: Terminal) -> dict[str, Any]:
    """Return what the form of a terminal shows: a packet as text where every byte is a letter."""
    typed: dict[str, Any] = {
        name: getattr(terminal, name)
        for name in TerminalBody.model_fields
        if hasattr(terminal, name)
    }
    for name in ("registration", "heartbeat"):
        text = _text_of(typed[name])
        typed[name] = text or typed[name]
        typed[f"{name}_as"] = "text" if text or not typed[name] else "hex"
    return {**typed, "groups": ", ".join(terminal.groups)}


def _packet(typed: str, kind: Literal["hex", "text"]) -> str:
    return typed.encode().hex().upper() if kind == "text" else typed


def _text_of(packet: str) -> str:
    """Return a packet as text, or nothing if it is no plain text."""
    try:
        text = bytes.fromhex(packet).decode("ascii")
    except ValueError:
        return ""
    return text if text.isprintable() else ""
