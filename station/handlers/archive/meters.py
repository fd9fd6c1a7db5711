"""Meters: the list with the latest values, each with its curve and how it answers; their forms."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from operator import attrgetter
from typing import Any

from pydantic import BaseModel, Field

from station.collector.archive_checks import PROFILE_INTERVALS_MIN, RATIO_MAX
from station.collector.items import ITEM_BY_CODE, ITEMS, Item
from station.collector.plan import has_item
from station.errors import Conflict, InvalidValue, NotFound, StationError
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.archive.groups import Groups
from station.handlers.archive.place_views import path_of, person_of, place_named, within_of
from station.handlers.base import ListQuery, Nothing
from station.handlers.collection.item_groups import grouped
from station.handlers.collection.readings import CurveHandler, ReadingView
from station.handlers.communication.link_views import LINKS_MAX, LinkView, find_link
from station.handlers.contract import contract
from station.handlers.download import Column
from station.handlers.marking import N_
from station.handlers.tables import check_sort
from station.store.objects.meters import Meter
from station.store.objects.readings import Reading
from station.units import local_day, utc_now

ENERGY, POWER = "energy_import_total", "power_total"


class MetersQuery(ListQuery):
    """Which meters to show; `link` is a terminal's address or a channel's name."""

    link: str | None = Field(None, max_length=64)
    place: str | None = Field(None, max_length=32)  # A place's id, with all below it.
    silent: bool = False  # Only those that should have said something today and did not.


class NewMeterQuery(BaseModel):
    """The terminal or channel that a new meter hangs on."""

    link: str = Field("", max_length=64)


class MeterPageQuery(BaseModel):
    """The curve that the page opens with: an item, and the days, both included."""

    item: str = Field("", max_length=64)
    first: str = Field("", alias="from", max_length=32)
    last: str = Field("", alias="to", max_length=32)


class MeterChange(BaseModel):
    """What may change of a meter; the archive checks the values."""

    name: str = Field("", max_length=64)
    protocol: str = "dlt645-2007"
    link: str = Field(min_length=1, max_length=64)
    point: int = Field(1, ge=0, le=2040)
    port: int = Field(2, ge=1, le=31)
    line: str = Field("2400 8E1", max_length=20)
    profile_interval_min: int = 0
    tariffs: int = Field(4, ge=1, le=63)
    groups: Groups = ()
    # An id, a code or a path of names; empty: its terminal's; None: as it is.
    place: str | None = Field(None, max_length=1000)


class MeterBody(MeterChange):
    """What is entered of a meter; later the ratios change by a record of their own."""

    address: str = Field(min_length=1, max_length=32)
    ct: int = Field(1, ge=1, le=RATIO_MAX)
    pt: int = Field(1, ge=1, le=RATIO_MAX)


class MeterRow(BaseModel):
    """A meter in a list, with its latest energy and power."""

    address: str
    name: str
    protocol: str
    link: str
    link_state: str
    stage: str
    energy: ReadingView | None
    power: ReadingView | None
    last_read_at: datetime | None


class MeterList(BaseModel):
    items: list[MeterRow]
    total: int


class HealthView(BaseModel):
    """How a meter has behaved lately: failures in a row, and the blocks that it does not take."""

    failures: int
    since: datetime | None
    last_success: datetime | None
    cause: str
    refused: list[str]
    answer_s: float


class MeterView(BaseModel):
    """Everything about one meter; `latest` is one reading for each item that was ever read."""

    address: str
    name: str
    protocol: str
    link: str
    point: int
    port: int
    line: str
    profile_interval_min: int
    tariffs: int
    groups: list[str]
    place: str
    ct: int
    pt: int
    stage: str
    stage_since: datetime | None
    created_at: datetime
    link_state: LinkView | None
    health: HealthView
    latest: list[ReadingView]


COLUMNS = (
    Column[MeterRow](N_("Address"), lambda meter: meter.address, sort="address"),
    Column[MeterRow](N_("Name"), lambda meter: meter.name, sort="name"),
    Column[MeterRow](N_("Protocol"), lambda meter: meter.protocol, more=True),
    Column[MeterRow](N_("Link"), lambda meter: meter.link, sort="link", look="nowrap"),
    Column[MeterRow](N_("State"), lambda meter: meter.link_state, within="link"),
    Column[MeterRow](
        N_("Energy in kWh"),
        lambda meter: meter.energy and meter.energy.value,
        key="energy",
        head=N_("Energy"),
        unit="kWh",
        look="number",
    ),
    Column[MeterRow](N_("Energy at"), lambda meter: meter.energy and meter.energy.time, more=True),
    Column[MeterRow](
        N_("Power in kW"),
        lambda meter: meter.power and meter.power.value,
        key="power",
        head=N_("Power"),
        unit="kW",
        look="number",
    ),
    Column[MeterRow](N_("Power at"), lambda meter: meter.power and meter.power.time, more=True),
    Column[MeterRow](N_("Last read"), lambda meter: meter.last_read_at, look="only-wide"),
    Column[MeterRow](N_("Stage"), lambda meter: meter.stage, within="name"),
)


class MeterHandler(CurveHandler):
    """What the handlers of meters share."""

    async def rows_of(self, meters: Sequence[Meter]) -> list[MeterRow]:
        """Return meters as rows of a list."""
        latest = await self.parts.database.readings.latest([meter.address for meter in meters])
        return [self._row(meter, latest.get(meter.address, [])) for meter in meters]

    async def view_of(self, meter: Meter) -> MeterView:
        """Return everything about a meter."""
        latest = await self.parts.database.readings.latest([meter.address])
        by_item = {reading.item: reading for reading in latest.get(meter.address, [])}
        return MeterView(
            address=meter.address,
            name=meter.name,
            protocol=meter.protocol,
            link=meter.link,
            point=meter.point,
            port=meter.port,
            line=meter.line,
            profile_interval_min=meter.profile_interval_min,
            tariffs=meter.tariffs,
            groups=list(meter.groups),
            place=meter.place,
            ct=meter.ct,
            pt=meter.pt,
            stage=meter.stage,
            stage_since=meter.stage_since,
            created_at=meter.created_at,
            health=self._health(meter.address),
            link_state=await find_link(self.parts, meter.link),
            latest=[
                self.reading_view(by_item[item.code]) for item in ITEMS if item.code in by_item
            ],
        )

    async def place_typed(self, body: "MeterChange", before: str = "") -> str:
        """Return the id of the place that was typed, or the one before when there is none.

        Somebody with areas keeps the meter within them. Raises InvalidValue.
        """
        place = before if body.place is None else await place_named(self, body.place)
        within = await within_of(self, None)
        if within is not None and not within.has_meter(place, body.link):
            raise InvalidValue("place", "it has to hang on a place of yours")
        return place

    def terminal_place(self, link: str) -> str:
        """Return the id of the place of a terminal; channels have none."""
        terminal = self.parts.registry.terminals.get(link)
        return "" if terminal is None else terminal.place

    def _health(self, address: str) -> HealthView:
        health = self.parts.memory.health(address)
        return HealthView(
            failures=health.failures,
            since=health.failing_since,
            last_success=health.last_success,
            cause=health.last_cause,
            refused=list(health.refused),
            answer_s=round(health.waited_s, 3),
        )

    async def form_choices(self, link: str = "") -> dict[str, Any]:
        """Return what the form of a meter offers; `link` is what it has, wherever that is."""
        within = await self.parts.archive.places_of(self.areas)
        terminals, _ = await self.parts.database.terminals.list(limit=LINKS_MAX, within=within)
        links = [(each.address, f"{each.address} {each.name}".strip()) for each in terminals]
        if within is None:
            channels, _ = await self.parts.database.channels.list(limit=LINKS_MAX)
            links += [(each.name, each.name) for each in channels]
        elif link and not within.has_terminal(link):
            links.append((link, link))
        say = self.language.say
        intervals = [
            (
                minutes,
                say("every %(minutes)s min", minutes=minutes)
                if minutes
                else say("no load profile"),
            )
            for minutes in PROFILE_INTERVALS_MIN
        ]
        return {"links": links, "intervals": intervals}

    async def refuse(self, error: StationError, meter: Meter | None) -> None:
        """Show the form again with what was typed."""
        link = "" if meter is None else meter.link
        choices = {} if self.wants_json else await self.form_choices(link)
        self.refuse_form("meter_form.html", error, meter=meter, **choices)

    def _row(self, meter: Meter, readings: Sequence[Reading]) -> MeterRow:
        views = {reading.item: self.reading_view(reading) for reading in readings}
        return MeterRow(
            address=meter.address,
            name=meter.name,
            protocol=meter.protocol,
            link=meter.link,
            link_state="online" if self.parts.registry.find(meter.link) else "offline",
            stage=meter.stage,
            energy=views.get(ENERGY),
            power=views.get(POWER),
            last_read_at=max((reading.read_at for reading in readings), default=None),
        )


class MetersHandler(MeterHandler):
    """/meters, /api/meters"""

    @requires(Permission.VIEW)
    @contract(MeterList, query=MetersQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(MetersQuery)
        meters, total = await self._find(query)
        rows = await self.rows_of(meters)
        choices = {} if self.wants_json else await self.form_choices()
        view = MeterList(items=rows, total=total)
        place = await path_of(self, query.place or "")
        await self.show_list(
            "meters.html", view, rows, COLUMNS, filter=query, place=place, **choices
        )

    async def _find(self, query: MetersQuery) -> tuple[list[Meter], int]:
        skip, limit = self.span(query)
        database = self.parts.database
        within = await within_of(self, query.place)
        if not query.silent:
            return await database.meters.list(
                query.text, query.link, skip=skip, limit=limit, within=within, sort=query.sort
            )
        silent = (await self.tools.today.counts()).silent
        meters = [
            meter
            for meter in await database.meters.many(silent)
            if query.link in (None, meter.link)
            and (within is None or within.has_meter(meter.place, meter.link))
            and (query.text or "").casefold() in f"{meter.address} {meter.name}".casefold()
        ]
        check_sort(COLUMNS, query.sort)
        meters.sort(
            key=attrgetter(query.sort.removeprefix("-") or "address"),
            reverse=query.sort.startswith("-"),
        )
        return meters[skip : skip + limit], len(meters)

    @requires(Permission.CONFIGURE)
    @contract(MeterView, body=MeterBody, status=201)
    async def post(self) -> None:
        try:
            body = self.parse_body(MeterBody)
            place = await self.place_typed(body)
            values = {**body.model_dump(), "address": body.address.upper(), "place": place}
            meter = Meter(**values, created_at=utc_now())
            await self.parts.archive.add_meter(meter, by=person_of(self))
        except (InvalidValue, Conflict, NotFound) as error:
            await self.refuse(error, None)
            return
        notice = self.language.say("Meter %(address)s is saved.", address=meter.address)
        self.done(await self.view_of(meter), f"/meters/{meter.address}", notice, status=201)


class NewMeterHandler(MeterHandler):
    """/meters/new"""

    @requires(Permission.CONFIGURE)
    @contract(None, query=NewMeterQuery)
    async def get(self) -> None:
        query = self.parse_query(NewMeterQuery)
        typed = MeterBody.model_construct(link=query.link, address="")
        choices = await self.form_choices()
        fields = {**typed.model_dump(), "groups": ""}
        self.finish_page("meter_form.html", typed=fields, meter=None, **choices)


class OneMeterHandler(MeterHandler):
    """/meters/ADDRESS, /api/meters/ADDRESS"""

    @requires(Permission.VIEW)
    @contract(MeterView, query=MeterPageQuery)
    async def get(self, address: str) -> None:
        query = self.parse_query(MeterPageQuery)
        meter = await self.parts.database.meters.get(address)
        view = await self.view_of(meter)
        items = [item for item in ITEMS if has_item(meter, item)]
        self.show(
            "meter.html",
            view,
            latest_by_code={reading.item: reading for reading in view.latest},
            groups=grouped(items),
            item=_item_to_show(query.item, view.latest),
            today=local_day(utc_now(), self.parts.config.site.zone_info),
            place=await path_of(self, meter.place or self.terminal_place(meter.link)),
            account=await self._account(address),
        )

    async def _account(self, address: str) -> tuple[str, str] | None:
        """Return the id of the meter's account and the customer's name, to who may see them."""
        if self.wants_json or self.areas:
            return None
        account = await self.parts.database.accounts.of_meter(address)
        if account is None:
            return None
        number = account.owner or account.customer
        customer = await self.parts.database.customers.find(number)
        return account.id, number if customer is None else customer.name

    @requires(Permission.CONFIGURE)
    @contract(MeterView, body=MeterChange)
    async def post(self, address: str) -> None:
        await self.put(address)

    @requires(Permission.CONFIGURE)
    @contract(MeterView, body=MeterChange)
    async def put(self, address: str) -> None:
        before = await self.parts.database.meters.get(address)
        try:
            body = self.parse_body(MeterChange)
            place = await self.place_typed(body, before.place)
            meter = replace(before, **{**body.model_dump(), "place": place})
            await self.parts.archive.save_meter(meter, by=person_of(self))
        except (InvalidValue, Conflict, NotFound) as error:
            await self.refuse(error, before)
            return
        self.record(before=before, after=meter)
        notice = self.language.say("Meter %(address)s is saved.", address=address)
        self.done(await self.view_of(meter), f"/meters/{address}", notice)

    @requires(Permission.CONFIGURE)
    @contract(Nothing)
    async def delete(self, address: str) -> None:
        await self.parts.archive.remove_meter(address, by=person_of(self))
        notice = self.language.say("Meter %(address)s is removed.", address=address)
        self.done(Nothing(), "/meters", notice)


class EditMeterHandler(MeterHandler):
    """/meters/ADDRESS/edit"""

    @requires(Permission.CONFIGURE)
    @contract(None)
    async def get(self, address: str) -> None:
        meter = await self.parts.database.meters.get(address)
        typed = {name: getattr(meter, name) for name in MeterBody.model_fields}
        typed["groups"] = ", ".join(meter.groups)
        typed["place"] = await path_of(self, meter.place)
        choices = await self.form_choices(meter.link)
        self.finish_page("meter_form.html", typed=typed, meter=meter, **choices)


def _item_to_show(wanted: str, latest: Sequence[ReadingView]) -> Item:
    """Return the item whose curve a page opens with: the wanted one, or one that has values."""
    read = {reading.item for reading in latest}
    for code in (wanted, POWER, ENERGY, *(item.code for item in ITEMS if item.code in read)):
        if code == wanted and code in ITEM_BY_CODE:
            return ITEM_BY_CODE[code]
        if code in read:
            return ITEM_BY_CODE[code]
    return ITEM_BY_CODE[ENERGY]
