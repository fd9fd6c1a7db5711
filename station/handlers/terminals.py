"""Terminals of the archive: the list, each with its link and its meters, and their forms."""

import asyncio
from dataclasses import replace
from datetime import datetime

from pydantic import BaseModel, Field

from station.errors import Conflict, InvalidValue
from station.handlers.base import Handler, ListQuery, Nothing
from station.handlers.download import Column
from station.handlers.identity import requires
from station.handlers.link_views import LinkView, link_of
from station.handlers.people import Permission
from station.handlers.sentences import N_
from station.store.objects.meters import Meter
from station.store.objects.terminals import Terminal
from station.units import utc_now


class TerminalBody(BaseModel):
    """What is entered of a terminal."""

    address: str = Field(pattern=r"^[0-9A-Fa-f]{8}$", description=N_("8 hex digits"))
    name: str = Field("", max_length=64)


class TerminalChange(BaseModel):
    """What may change of a terminal."""

    name: str = Field("", max_length=64)


class TerminalView(BaseModel):
    """A terminal, its link and how many meters hang on it."""

    address: str
    name: str
    protocol: str
    created_at: datetime
    link: LinkView
    meters: int


class TerminalList(BaseModel):
    items: list[TerminalView]
    total: int


COLUMNS = (
    Column[TerminalView](N_("Address"), lambda terminal: terminal.address),
    Column[TerminalView](N_("Name"), lambda terminal: terminal.name),
    Column[TerminalView](N_("State"), lambda terminal: terminal.link.state),
    Column[TerminalView](N_("Since"), lambda terminal: terminal.link.since),
    Column[TerminalView](N_("Last seen"), lambda terminal: terminal.link.last_seen),
    Column[TerminalView](N_("Reason"), lambda terminal: terminal.link.reason),
    Column[TerminalView](N_("Meters"), lambda terminal: terminal.meters),
)


class TerminalHandler(Handler):
    """What the handlers of terminals share."""

    async def view_of(self, terminal: Terminal) -> TerminalView:
        """Return a terminal with its link and the number of its meters."""
        link, (_, meters) = await asyncio.gather(
            link_of(self.parts, terminal),
            self.parts.database.meters.list(link=terminal.address, limit=1),
        )
        return TerminalView(
            address=terminal.address,
            name=terminal.name,
            protocol=terminal.protocol,
            created_at=terminal.created_at,
            link=link,
            meters=meters,
        )


class TerminalsHandler(TerminalHandler):
    """/terminals, /api/terminals"""

    @requires(Permission.VIEW)
    async def get(self) -> None:
        query = self.parse_query(ListQuery)
        skip, limit = self.span(query)
        terminals, total = await self.parts.database.terminals.list(query.text, skip, limit)
        items = await asyncio.gather(*map(self.view_of, terminals))
        view = TerminalList(items=items, total=total)
        self.show_list("terminals.html", view, items, COLUMNS, filter=query)

    @requires(Permission.CONFIGURE)
    async def post(self) -> None:
        try:
            body = self.parse_body(TerminalBody)
            terminal = Terminal(address=body.address.upper(), name=body.name, created_at=utc_now())
            await self.parts.archive.add_terminal(terminal)
        except (InvalidValue, Conflict) as error:
            self.refuse_form("terminal_form.html", error, terminal=None)
            return
        notice = self.language.say("Terminal %(address)s is saved.", address=terminal.address)
        location = f"/terminals/{terminal.address}"
        self.done(await self.view_of(terminal), location, notice, status=201)


class NewTerminalHandler(Handler):
    """/terminals/new"""

    @requires(Permission.CONFIGURE)
    async def get(self) -> None:
        typed = {"address": self.get_query_argument("address", ""), "name": ""}
        self.finish_page("terminal_form.html", typed=typed, terminal=None)


class OneTerminalHandler(TerminalHandler):
    """/terminals/ADDRESS, /api/terminals/ADDRESS"""

    @requires(Permission.VIEW)
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
        self.show("terminal.html", await self.view_of(terminal), meters=meters, seen=seen)

    @requires(Permission.CONFIGURE)
    async def post(self, address: str) -> None:
        await self.put(address)

    @requires(Permission.CONFIGURE)
    async def put(self, address: str) -> None:
        before = await self.parts.database.terminals.get(address)
        try:
            terminal = replace(before, name=self.parse_body(TerminalChange).name)
            await self.parts.archive.save_terminal(terminal)
        except (InvalidValue, Conflict) as error:
            self.refuse_form("terminal_form.html", error, terminal=before)
            return
        notice = self.language.say("Terminal %(address)s is saved.", address=address)
        self.done(await self.view_of(terminal), f"/terminals/{address}", notice)

    @requires(Permission.CONFIGURE)
    async def delete(self, address: str) -> None:
        await self.parts.archive.remove_terminal(address)
        notice = self.language.say("Terminal %(address)s is removed.", address=address)
        self.done(Nothing(), "/terminals", notice)


class EditTerminalHandler(Handler):
    """/terminals/ADDRESS/edit"""

    @requires(Permission.CONFIGURE)
    async def get(self, address: str) -> None:
        terminal = await self.parts.database.terminals.get(address)
        typed = {"address": terminal.address, "name": terminal.name}
        self.finish_page("terminal_form.html", typed=typed, terminal=terminal)
