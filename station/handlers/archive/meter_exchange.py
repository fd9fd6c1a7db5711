"""Exchanging a meter, changing the ratios of its transformers, and what was exchanged so far."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from station.collector.archive_checks import RATIO_MAX
from station.collector.items import ITEM_BY_CODE, Item
from station.collector.meter_exchange import REGISTERS, TOTAL, MeterExchanging, NewMeter
from station.collector.plan import has_item
from station.errors import Conflict, InvalidValue
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.archive.meters import MeterHandler
from station.handlers.archive.place_views import check_in_sight, moment_of, person_of, within_of
from station.handlers.base import ListQuery
from station.handlers.contract import contract
from station.handlers.download import Column
from station.handlers.marking import N_
from station.store.objects.exchanges import MeterExchange, RatioChange
from station.store.objects.meters import Meter
from station.store.objects.places import Within


def _blank_is_none(value: object) -> object:
    return None if value == "" else value


Moment = Annotated[datetime | None, BeforeValidator(_blank_is_none)]
Ratio = Annotated[int, Field(ge=1, le=RATIO_MAX)]
Registers = dict[str, Decimal]


class ExchangeBody(BaseModel):
    """What replaces a meter, when, and what both showed; a moment without a zone is local.

    Registers are by item, in kWh as displayed; a form sends each in a field of its own.
    """

    address: str = Field(min_length=1, max_length=32)
    protocol: str = Field("dlt645-2007", max_length=20)
    tariffs: int = Field(4, ge=1, le=63)
    ct: Ratio = 1
    pt: Ratio = 1
    at: Moment = None
    old_registers: Registers = Field(default_factory=dict)
    new_registers: Registers = Field(default_factory=dict)
    reason: str = Field("", max_length=200)


class RatioBody(BaseModel):
    """The new ratios of a meter's transformers, since when, and what it showed then."""

    ct: Ratio
    pt: Ratio
    at: Moment = None
    registers: Registers = Field(default_factory=dict)
    reason: str = Field("", max_length=200)


class ExchangeView(BaseModel):
    """One exchange: of a meter by another, or of the transformers before it (`new` is `old`)."""

    id: str
    kind: Literal["meter", "ratio"]
    at: datetime
    old: str
    new: str
    old_registers: dict[str, str]
    new_registers: dict[str, str]
    ct: int
    pt: int
    new_ct: int
    new_pt: int
    reason: str
    by: str
    entered_at: datetime


class ExchangeList(BaseModel):
    items: list[ExchangeView]
    total: int


class ExchangesQuery(ListQuery):
    """Which exchanges to show: those of one meter, as the old or as the new one."""

    meter: str | None = Field(None, max_length=32)


KINDS: Mapping[str, str] = {"meter": N_("meter exchange"), "ratio": N_("ratio change")}
COLUMNS = (
    Column[ExchangeView](N_("Time"), lambda each: each.at, sort="-time"),
    Column[ExchangeView](N_("What"), lambda each: each.kind),
    Column[ExchangeView](N_("Old meter"), lambda each: each.old, within="what"),
    Column[ExchangeView](N_("New meter"), lambda each: each.new, within="what"),
    Column[ExchangeView](
        N_("Old end in kWh"),
        lambda each: each.old_registers.get(TOTAL),
        key="old_end",
        head=N_("Old end"),
        unit="kWh",
        look="number",
    ),
    Column[ExchangeView](
        N_("New start in kWh"),
        lambda each: each.new_registers.get(TOTAL),
        key="new_start",
        head=N_("New start"),
        unit="kWh",
        look="number",
    ),
    Column[ExchangeView](
        N_("CT before"), lambda each: each.ct, key="ratios", head=N_("Ratios"), look="nowrap"
    ),
    Column[ExchangeView](N_("PT before"), lambda each: each.pt, within="ratios"),
    Column[ExchangeView](N_("CT after"), lambda each: each.new_ct, within="ratios"),
    Column[ExchangeView](N_("PT after"), lambda each: each.new_pt, within="ratios"),
    Column[ExchangeView](N_("Reason"), lambda each: each.reason, look="only-wide"),
    Column[ExchangeView](N_("By"), lambda each: each.by, look="only-wide"),
    Column[ExchangeView](N_("Entered"), lambda each: each.entered_at, more=True),
)


class ChangingHandler(MeterHandler):
    """What the two forms share: the registers that are written down."""

    @property
    def exchanging(self) -> MeterExchanging:
        """What exchanges meters."""
        return MeterExchanging(self.parts.database, self.parts.archive)

    async def one(self, address: str) -> Meter:
        """Return a meter that the person may see. Raises NotFound."""
        await check_in_sight(self, meter=address)
        return await self.parts.database.meters.get(address)

    def registers(self, given: Registers, name: str) -> Registers:
        """Return the registers of a body: JSON has them in one field, a form in many."""
        if self.is_json_body:
            return given
        typed = {code: self.get_body_argument(f"{name}-{code}", "") for code in REGISTERS}
        return {code: _number(name, text) for code, text in typed.items() if text}

    async def context(self, meter: Meter) -> dict[str, Any]:
        """Return what both forms show: the registers of the meter, and what was last read."""
        latest = await self.parts.database.readings.latest([meter.address])
        by_item = {reading.item: reading for reading in latest.get(meter.address, [])}
        shown = [ITEM_BY_CODE[code] for code in REGISTERS if _is_shown(meter, ITEM_BY_CODE[code])]
        views = {code: self.reading_view(by_item[code]) for code in REGISTERS if code in by_item}
        return {"meter": meter, "registers": shown, "latest": views, "total": TOTAL}


class ExchangeHandler(ChangingHandler):
    """/meters/ADDRESS/exchange, /api/meters/ADDRESS/exchange"""

    @requires(Permission.CONFIGURE)
    @contract(None)
    async def get(self, address: str) -> None:
        meter = await self.one(address)
        typed = self.typed() | {
            "protocol": meter.protocol, "tariffs": meter.tariffs, "ct": meter.ct, "pt": meter.pt,
        }  # fmt: skip
        self.finish_page("meter_exchange.html", typed=typed, **await self.context(meter))

    @requires(Permission.CONFIGURE)
    @contract(ExchangeView, body=ExchangeBody, status=201)
    async def post(self, address: str) -> None:
        meter = await self.one(address)
        try:
            body = self.parse_body(ExchangeBody)
            record = await self.exchanging.exchange(
                address,
                NewMeter(body.address.upper(), body.protocol, body.tariffs, body.ct, body.pt),
                at=moment_of(self, body.at),
                old_registers=self.registers(body.old_registers, "old_registers"),
                new_registers=self.registers(body.new_registers, "new_registers"),
                by=person_of(self),
                reason=body.reason,
            )
        except (InvalidValue, Conflict) as error:
            self.refuse_form("meter_exchange.html", error, **await self.context(meter))
            return
        self.record(
            before={"meter": record.old, **_texts(record.old_registers)},
            after={"meter": record.new, **_texts(record.new_registers)},
        )
        self.done(
            exchange_view(record), f"/meters/{record.new}", await self._notice(record), status=201
        )

    async def _notice(self, record: MeterExchange) -> str:
        """Return what is done, and what is still to do: the account, and the terminal's list."""
        say = self.language.say
        old, new = record.old, record.new
        words = [say("Meter %(new)s hangs in the place of %(old)s.", new=new, old=old)]
        if await self.parts.database.accounts.of_meter(record.old) is not None:
            words.append(say("Its prepaid account has to be moved at the counter."))
        meter = await self.parts.database.meters.get(record.new)
        terminal = self.parts.registry.terminals.get(meter.link)
        if terminal is not None and terminal.protocol != "dtu":
            words.append(say("The terminal has to be told: set its list of meters."))
        return " ".join(words)


class RatioHandler(ChangingHandler):
    """/meters/ADDRESS/ratio, /api/meters/ADDRESS/ratio"""

    @requires(Permission.CONFIGURE)
    @contract(None)
    async def get(self, address: str) -> None:
        meter = await self.one(address)
        typed = self.typed() | {"ct": meter.ct, "pt": meter.pt}
        self.finish_page("ratio_change.html", typed=typed, **await self.context(meter))

    @requires(Permission.CONFIGURE)
    @contract(ExchangeView, body=RatioBody, status=201)
    async def post(self, address: str) -> None:
        meter = await self.one(address)
        try:
            body = self.parse_body(RatioBody)
            record = await self.exchanging.change_ratio(
                address,
                body.ct,
                body.pt,
                at=moment_of(self, body.at),
                registers=self.registers(body.registers, "registers"),
                by=person_of(self),
                reason=body.reason,
            )
        except (InvalidValue, Conflict) as error:
            self.refuse_form("ratio_change.html", error, **await self.context(meter))
            return
        self.record(
            before={"ct": record.ct, "pt": record.pt},
            after={"ct": record.new_ct, "pt": record.new_pt, **_texts(record.registers)},
        )
        notice = self.language.say("Meter %(address)s is saved.", address=address)
        self.done(exchange_view(record), f"/meters/{address}", notice, status=201)


class ExchangesHandler(MeterHandler):
    """/exchanges, /api/exchanges: meters and transformers that were exchanged."""

    @requires(Permission.VIEW)
    @contract(ExchangeList, query=ExchangesQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(ExchangesQuery)
        skip, limit = self.span(query)
        database, wanted = self.parts.database, skip + limit
        meters, exchanged = await database.meter_exchanges.list(
            query.text, query.meter, limit=wanted, sort=query.sort
        )
        ratios, changed = await database.ratio_changes.list(
            query.text, query.meter, limit=wanted, sort=query.sort
        )
        found = [*map(exchange_view, meters), *map(exchange_view, ratios)]
        within = await within_of(self, None)
        if within is not None:
            found = await self._in_sight(found, within)
            exchanged, changed = len(found), 0
        found.sort(key=lambda each: (each.at, each.id), reverse=query.sort != "time")
        rows = found[skip:wanted]
        view = ExchangeList(items=rows, total=exchanged + changed)
        await self.show_list(
            "exchanges.html", view, rows, COLUMNS, filter=query, kinds=KINDS, registers=ITEM_BY_CODE
        )

    async def _in_sight(self, found: list[ExchangeView], within: Within) -> list[ExchangeView]:
        meters = {
            meter.address: meter
            for meter in await self.parts.database.meters.many([each.new for each in found])
        }
        return [
            each
            for each in found
            if (meter := meters.get(each.new)) and within.has_meter(meter.place, meter.link)
        ]


def exchange_view(record: MeterExchange | RatioChange) -> ExchangeView:
    """Return a record as pages and JSON show it."""
    if isinstance(record, MeterExchange):
        kind: Literal["meter", "ratio"] = "meter"
        old, new = record.old, record.new
        before, after = record.old_registers, record.new_registers
    else:
        kind, old, new = "ratio", record.meter, record.meter
        before = after = record.registers
    return ExchangeView(
        id=record.id,
        kind=kind,
        at=record.at,
        old=old,
        new=new,
        old_registers=_texts(before),
        new_registers=_texts(after),
        ct=record.ct,
        pt=record.pt,
        new_ct=record.new_ct,
        new_pt=record.new_pt,
        reason=record.reason,
        by=record.by,
        entered_at=record.entered_at,
    )


def _texts(registers: Mapping[str, Decimal]) -> dict[str, str]:
    return {item: str(value) for item, value in registers.items()}


def _is_shown(meter: Meter, item: Item) -> bool:
    rate = item.code.rpartition("_t")[2]
    return has_item(meter, item) and (not rate.isdecimal() or int(rate) <= meter.tariffs)


def _number(name: str, text: str) -> Decimal:
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        raise InvalidValue(name, f"{text!r} is not a number") from None
    if not value.is_finite():
        raise InvalidValue(name, f"{text!r} is not a number")
    return value
