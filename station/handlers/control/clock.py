"""Clocks: whose is wrong? Looking at them, and setting those that are, many at once.

A look and a set are commands, one for each device, so that each waits for its link and tells by
itself what became of it. Only clocks that were looked at are set.
"""

import secrets
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from station.collector.clock import BROADCAST, CLOCK_WORD, SET, pause_before
from station.collector.clock_rounds import Progress, has_clock
from station.collector.clocks import check_clock
from station.collector.commands import (
    PURPOSE_SIZE_MAX,
    REQUEST_ID_SIZE_MAX,
    VALID_MIN,
    VALID_MIN_MAX,
)
from station.collector.parameter_dialects import Device
from station.errors import InvalidValue
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.base import ListQuery
from station.handlers.contract import TABLE, contract
from station.handlers.control.commands import LEVELS, REQUEST_ID_SIZE, digits
from station.handlers.control.parameter_orders import (
    TARGETS_MAX,
    BatchView,
    ParameterOrderHandler,
    Targets,
)
from station.handlers.control.parameter_views import KIND_NAMES
from station.handlers.control.parameters import groups_of
from station.handlers.download import Column
from station.handlers.marking import N_
from station.protocols.dlt645.requests import Authority
from station.store.objects.base import new_id
from station.store.objects.clocks import BANDS_MS, ClockState
from station.store.objects.parameters import DeviceKind
from station.units import utc_now
from station.words import Text

OVER_S = 30  # What is set unless somebody says otherwise; clocks nearer than this are left alone.
OVER_S_MAX = 86_400

WAYS = {
    BROADCAST: Text(
        "broadcast (no password; 5 minutes at most)", "广播校时（无需密码，最多5分钟）"
    ),
    SET: Text("set date and time (with the password)", "设置日期和时间（需密码）"),
}


class ClocksQuery(ListQuery):
    """Which clocks to show: those that are off by more than `over_s`, if it is given."""

    kind: DeviceKind | None = None
    over_s: int | None = Field(None, ge=0, le=OVER_S_MAX)


class ClockTargets(Targets):
    """Which clocks: of the devices named, of a group, of a link's meters, or (`all`) of all."""

    link: str = Field("", max_length=64)
    all: bool = False


class CheckBody(ClockTargets):
    """An order to look at clocks."""

    request_id: str = Field("", max_length=REQUEST_ID_SIZE_MAX)
    valid_min: int = Field(VALID_MIN, ge=1, le=VALID_MIN_MAX)


class SynchroniseBody(ClockTargets):
    """An order to set the clocks that are off by more than `over_s`.

    `even_now`: at once, even near the hour. `way` is that of meters: a broadcast, or a set with the
    password.
    """

    request_id: str = Field(min_length=1, max_length=REQUEST_ID_SIZE_MAX)
    purpose: str = Field(min_length=1, max_length=PURPOSE_SIZE_MAX)
    over_s: int = Field(OVER_S, ge=0, le=OVER_S_MAX)
    way: Literal["broadcast", "set"] = "broadcast"
    even_now: bool = False
    valid_min: int = Field(VALID_MIN, ge=1, le=VALID_MIN_MAX)
    level: int = Field(2, ge=0, le=9)
    password: str = Field("", max_length=20)
    operator: str = Field("00000000", max_length=20)


class ClockView(BaseModel):
    """One clock; a positive deviation is that of a fast one, known to `uncertainty_s`.

    `drift_s_a_day` is by how much it goes wrong by itself; null unless looks lie half a day apart.
    """

    device: str
    kind: DeviceKind
    name: str
    link: str
    looked_at: datetime | None
    deviation_s: float | None
    uncertainty_s: float
    problem: str
    problem_at: datetime | None
    looks: int
    drift_s_a_day: float | None


class ClockBand(BaseModel):
    """How many clocks are off by `up_to_s` at most; 0: by more than that, None: nobody knows."""

    up_to_s: int | None
    count: int


class RoundView(BaseModel):
    """A round over all clocks, under way or the last one: `left` were not looked at yet."""

    began: datetime
    ends: datetime
    total: int
    left: int
    is_running: bool


class ClockList(BaseModel):
    """A page of clocks, the most wrong first; the bands are of all."""

    items: list[ClockView]
    total: int
    bands: list[ClockBand]
    round: RoundView | None
    next_round: datetime | None


COLUMNS = (
    Column[ClockView](N_("Device"), lambda row: row.device, sort="device"),
    Column[ClockView](N_("Name"), lambda row: row.name, within="device"),
    Column[ClockView](N_("Kind"), lambda row: KIND_NAMES[row.kind], look="only-wide"),
    Column[ClockView](N_("Link"), lambda row: row.link, more=True),
    Column[ClockView](
        N_("Deviation in s"),
        lambda row: row.deviation_s,
        head=N_("Deviation"),
        unit="s",
        sort="-deviation",
        look="number",
    ),
    Column[ClockView](
        N_("Known to, in s"),
        lambda row: None if row.looked_at is None else row.uncertainty_s,
        head=N_("Known to"),
        unit="± s",
        look="number only-wide",
    ),
    Column[ClockView](
        N_("Drift in s a day"),
        lambda row: row.drift_s_a_day,
        head=N_("Drift"),
        unit=N_("s a day"),
        sort="-drift",
        look="number",
    ),
    Column[ClockView](N_("Looked at"), lambda row: row.looked_at, look="nowrap"),
    Column[ClockView](N_("Problem"), lambda row: row.problem, look="small soft"),
)


class ClockHandler(ParameterOrderHandler):
    """What the handlers of clocks share."""

    async def clock_targets(self, body: ClockTargets) -> list[Device]:
        """Return the devices that are meant and whose clocks are set from here."""
        found: Sequence[Device]
        stores = self.parts.database
        if body.devices or body.group:
            found = await self.targets(body)
        elif body.link:
            found = await stores.meters.on_link(body.link)
        elif not body.all:
            raise InvalidValue("devices", "choose at least one device, or a group")
        elif body.kind == "terminal":
            found = await stores.terminals.many()
        else:
            found = await stores.meters.many()
        if body.devices:
            for device in found:
                check_clock(device)
        settable = [device for device in found if has_clock(device)]
        if not 1 <= len(settable) <= TARGETS_MAX:
            raise InvalidValue("devices", f"{len(settable)} devices are not in 1..{TARGETS_MAX}")
        return settable

    async def show_clocks(self, status: int, **context: Any) -> None:
        """Show the list, with its forms as they were typed."""
        query = self.parse_query(ClocksQuery)
        skip, limit = self.span(query)
        over_ms = None if query.over_s is None else 1000 * query.over_s
        store = self.parts.database.clocks
        states, total = await store.list(
            query.text, query.kind, over_ms, skip, limit, sort=query.sort
        )
        items = await self._views(states)
        counted = await store.bands()
        bands = [
            ClockBand(up_to_s=None if end is None else end // 1000, count=counted.get(end, 0))
            for end in (*BANDS_MS, 0, None)
        ]
        rounds = self.parts.clock_rounds
        view = ClockList(
            items=items,
            total=total,
            bands=bands,
            round=round_view(rounds.progress),
            next_round=rounds.next_round(utc_now()),
        )
        pause = pause_before(utc_now(), self.parts.config.site.zone_info)
        self.set_status(status)
        if self.is_download or self.wants_json:
            await self.show_list("clock.html", view, items, COLUMNS, filter=query)
            return
        self.finish_page(
            "clock.html",
            view=view,
            filter=query,
            the_table=await self.table_of(COLUMNS, query),
            device_kinds=KIND_NAMES,
            ways=WAYS,
            levels=LEVELS,
            over_s=self.parts.config.clocks.wrong_over_s,
            groups=groups_of(self.parts),
            waits_until=utc_now() + pause if pause else None,
            request_id=secrets.token_hex(REQUEST_ID_SIZE),
            **context,
        )

    async def _views(self, states: Sequence[ClockState]) -> list[ClockView]:
        terminals = self.parts.registry.terminals
        addresses = [state.device for state in states if state.kind == "meter"]
        meters = await self.parts.database.meters.many(addresses)
        names = {address: terminal.name for address, terminal in terminals.items()}
        names |= {meter.address: meter.name for meter in meters}
        return [
            ClockView(
                device=state.device,
                kind=state.kind,
                name=names.get(state.device, ""),
                link=state.link,
                looked_at=state.looked_at,
                deviation_s=None if state.deviation_ms is None else state.deviation_ms / 1000,
                uncertainty_s=state.uncertainty_ms / 1000,
                problem=self.language.sentence(state.problem),
                problem_at=state.problem_at,
                looks=len(state.history),
                drift_s_a_day=None if state.drift_ms is None else state.drift_ms / 1000,
            )
            for state in states
        ]


class ClocksHandler(ClockHandler):
    """/clock, /api/clock"""

    @requires(Permission.VIEW)
    @contract(ClockList, query=ClocksQuery, files=TABLE)
    async def get(self) -> None:
        await self.show_clocks(200, typed={}, errors={})


class CheckClocksHandler(ClockHandler):
    """/clock/check, /api/clock/check"""

    @requires(Permission.COLLECT)
    @contract(BatchView, body=CheckBody, status=201)
    async def post(self) -> None:
        try:
            body = self.parse_body(CheckBody)
            devices = await self.clock_targets(body)
        except InvalidValue as error:
            if self.wants_json:
                raise
            await self.show_clocks(400, typed=self.typed(), errors=self.problems_of(error))
            return
        what = {"parameter": CLOCK_WORD, "way": SET}
        orders = [(device, dict(what)) for device in devices]
        request_id = body.request_id or new_id()
        view = await self.order_each("read", request_id, orders, valid_min=body.valid_min)
        self._taken(view)

    def _taken(self, view: BatchView) -> None:
        notice = self.language.say("The clocks are being looked at.")
        self.done(view, "/clock", notice, status=201)


class ClockRoundHandler(ClockHandler):
    """/clock/round, /api/clock/round: look at every clock, on whatever link it is"""

    @requires(Permission.COLLECT)
    @contract(RoundView, status=201)
    async def post(self) -> None:
        progress = await self.parts.clock_rounds.begin()
        view = round_view(progress)
        assert view is not None, "it has just begun"
        notice = self.language.say("The clocks are being looked at.")
        self.done(view, "/clock", notice, status=201)


class SynchroniseHandler(ClockHandler):
    """/clock/synchronise, /api/clock/synchronise"""

    @requires(Permission.CONFIGURE)
    @contract(BatchView, body=SynchroniseBody, status=201)
    async def post(self) -> None:
        try:
            body = self.parse_body(SynchroniseBody)
            authority = _authority(body)
            devices = await self._wrong(body)
        except InvalidValue as error:
            if self.wants_json:
                raise
            await self.show_clocks(400, typed=self.typed(), errors=self.problems_of(error))
            return
        way = body.way if body.kind == "meter" else SET
        what = {"parameter": CLOCK_WORD, "way": way, "guarded": not body.even_now}
        view = await self.order_each(
            "set",
            body.request_id,
            [(device, dict(what)) for device in devices],
            purpose=" ".join(body.purpose.split()),
            valid_min=body.valid_min,
            authority=authority,
        )
        notice = self.language.say("The commands are taken.")
        self.done(view, f"/parameters/batches/{view.batch}", notice, status=201)

    async def _wrong(self, body: SynchroniseBody) -> list[Device]:
        """Return the devices whose clocks are known to be off by more than is allowed."""
        devices = await self.clock_targets(body)
        known = await self.parts.database.clocks.of([device.address for device in devices])
        wrong = {
            state.device
            for state in known
            if state.deviation_ms is not None and abs(state.deviation_ms) > 1000 * body.over_s
        }
        standing = await self.standing(body.request_id)
        found = [each for each in devices if each.address in wrong - set(standing)]
        if not found and not standing:
            raise InvalidValue(
                "over_s", f"no clock is known to be off by more than {body.over_s} s"
            )
        return found


def _authority(body: SynchroniseBody) -> Authority | None:
    if body.kind == "terminal" or body.way == BROADCAST:
        return None
    digits("password", body.password, 6)
    digits("operator", body.operator, 8)
    return Authority(body.level, body.password, body.operator)


def round_view(progress: Progress | None) -> RoundView | None:
    """Return a round as pages and JSON show it."""
    return None if progress is None else RoundView(**asdict(progress))
