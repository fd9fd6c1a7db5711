"""What control orders are made of: the devices that are meant, and the dry run.

It names every device with what it showed last and the exact frames, before anything is sent.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from station.collector.commands import (
    PURPOSE_SIZE_MAX,
    REQUEST_ID_SIZE_MAX,
    VALID_MIN,
    VALID_MIN_MAX,
)
from station.collector.control import RELAY_ORDERS
from station.collector.control_errands import needs_password
from station.collector.control_orders import TARGETS_MAX, ControlRequest
from station.collector.keep_power import Device
from station.collector.terminal_control import FIELDS_OF, RANGES, ROUNDS
from station.errors import InvalidValue, NotFound
from station.handlers.base import ListQuery
from station.handlers.communication.frames import words_of
from station.handlers.control.command_views import title_of
from station.handlers.control.commands import LEVELS, REQUEST_ID_SIZE, VALIDITIES_MIN, digits
from station.handlers.control.control_views import (
    ControlPlan,
    FrameOfOrder,
    OneControlOrderView,
    PlannedTarget,
    order_fields,
    present_rows,
    target_views,
)
from station.handlers.control.parameter_orders import (
    ParameterOrderHandler,
    Targets,
)
from station.handlers.control.parameter_views import KIND_NAMES
from station.protocols.dlt645.requests import Authority
from station.store.objects.commands import CommandState
from station.store.objects.control_orders import ControlOrder
from station.store.objects.meters import Meter
from station.store.objects.parameters import DeviceKind
from station.units import utc_now

SHOWN_MAX = 100  # Devices of a dry run that a page shows with their frames; JSON has all.
_BETWEEN = re.compile(r"[\s,，;；、]+")


def _split(value: object) -> object:
    """Return addresses as they are typed into one field, with anything between them."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, (list, tuple)) or not all(isinstance(each, str) for each in value):
        return value
    return [part for each in value for part in _BETWEEN.split(each) if part]


Addresses = Annotated[tuple[str, ...], BeforeValidator(_split), Field(max_length=TARGETS_MAX)]


class ControlTargets(BaseModel):
    """Which devices: those named, or all of a group that can be controlled."""

    kind: DeviceKind = "meter"
    devices: Addresses = ()
    group: str = Field("", max_length=64)


class ControlQuery(ControlTargets):
    """What to order. `round`, `delay_min`, `limit_min` and `keep_min` are for terminals: which
    output, how long it warns before, how long it lasts (0: until it is ended)."""

    order: str = Field("", max_length=20)
    round: int = Field(1, ge=1, le=ROUNDS)
    delay_min: int = Field(0, ge=0, le=RANGES["delay_min"][1])
    limit_min: int = Field(0, ge=0, le=RANGES["limit_min"][1])
    keep_min: int = Field(0, ge=0, le=RANGES["keep_min"][1])
    valid_min: int = Field(VALID_MIN, ge=1, le=VALID_MIN_MAX)

    def what(self) -> dict[str, Any]:
        """Return what the order is kept with."""
        if self.order not in RELAY_ORDERS:
            raise InvalidValue("order", f"{self.order!r} is none of {', '.join(RELAY_ORDERS)}")
        fields = FIELDS_OF[self.order] if self.kind == "terminal" else ()
        return {"order": self.order, **{name: getattr(self, name) for name in fields}}


class ControlBody(ControlQuery):
    """A control order. `request_id` is the caller's own, so that an order sent twice is one.

    Meters with a relay ask for their password, of which nothing is kept.
    """

    request_id: str = Field(min_length=1, max_length=REQUEST_ID_SIZE_MAX)
    purpose: str = Field("", max_length=PURPOSE_SIZE_MAX)
    level: int = Field(2, ge=0, le=9)
    password: str = Field("", max_length=20, repr=False)
    operator: str = Field("00000000", max_length=20, repr=False)

    def authority(self) -> Authority | None:
        """Return the right by which this is ordered. Raises InvalidValue, which says no digit."""
        if not self.password:
            return None
        digits("password", self.password, 6)
        digits("operator", self.operator, 8)
        return Authority(self.level, self.password, self.operator)


class TargetsQuery(ListQuery):
    """Which devices of a control order to show."""

    state: CommandState | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """Devices that were chosen, and the group that they are of, if they were chosen so."""

    devices: list[Device]
    group: str


class ControlHandler(ParameterOrderHandler):
    """What the handlers of control orders share."""

    async def chosen(self, body: ControlTargets) -> Chosen:
        """Return the devices that are meant and lie in the person's areas.

        Raises InvalidValue and NotFound.
        """
        if not body.devices and not body.group:
            raise InvalidValue("devices", "choose at least one device, or a group")
        sight = await self.sight()
        found: Sequence[Device]
        if body.devices:
            named = [*dict.fromkeys(body.devices)]
            for address in named:
                if sight is not None and address not in sight.devices:
                    raise NotFound(f"there is no {body.kind} {address}")
            found = [await self.parts.keep_power.device(body.kind, each) for each in named]
        else:
            targets = Targets(kind=body.kind, group=body.group)
            found = [
                each
                for each in await self.targets(targets)
                if sight is None or each.address in sight.devices
            ]
        if not 1 <= len(found) <= TARGETS_MAX:
            raise InvalidValue("devices", f"{len(found)} devices are not in 1..{TARGETS_MAX}")
        return Chosen([*found], "" if body.devices else body.group)

    async def plan_of(self, body: ControlQuery, shown_max: int = TARGETS_MAX) -> ControlPlan:
        """Return what an order would do; of more devices than are shown only how many there are."""
        chosen = await self.chosen(body)
        request = self.request_of(body, chosen, "x", "x", None)
        problems = await self.parts.control_orders.problems(request)
        until = utc_now() + timedelta(minutes=body.valid_min)
        items = await self.planned(
            chosen.devices[:shown_max],
            request.what,
            until,
            {k: str(v) for k, v in problems.items()},
        )
        return ControlPlan(
            device=body.kind,
            what=dict(request.what),
            title=title_of("control", request.what, "", self.language),
            group=chosen.group,
            items=items,
            total=len(chosen.devices),
            problems=len(problems),
            why_approval=self.language.sentence(self.parts.control_orders.why_approval(request)),
            needs_password=any(map(needs_password, chosen.devices)),
        )

    async def planned(
        self,
        devices: Sequence[Device],
        what: Mapping[str, Any],
        until: datetime,
        problems: Mapping[str, str],
    ) -> list[PlannedTarget]:
        """Return devices with what they last showed and the frames that would be sent."""
        stored = await self.parts.database.control_looks.of([each.address for each in devices])
        looks = {look.device: look for look in stored}
        items = []
        for device in devices:
            link = device.link if isinstance(device, Meter) else device.address
            look = looks.get(device.address)
            problem = problems.get(device.address, "")
            items.append(
                PlannedTarget(
                    address=device.address,
                    name=device.name,
                    link=link,
                    online=self.parts.registry.find(link) is not None,
                    present=present_rows(look, self.language),
                    looked_at=None if look is None else look.at,
                    frames=[] if problem else self._frames(device, what, until),
                    problem=self.language.sentence(problem),
                )
            )
        return items

    def request_of(
        self,
        body: ControlQuery,
        chosen: Chosen,
        request_id: str,
        purpose: str,
        authority: Authority | None,
    ) -> ControlRequest:
        """Return what is asked of the control orders. Raises InvalidValue."""
        return ControlRequest(
            request_id,
            body.kind,
            body.what(),
            chosen.devices,
            purpose,
            body.valid_min,
            chosen.group,
            authority,
        )

    async def order_of(self, order_id: str) -> ControlOrder:
        """Return an order whose devices all lie in the person's areas. Raises NotFound."""
        order = await self.parts.database.control_orders.get(order_id)
        sight = await self.sight()
        if sight is not None and not sight.devices.issuperset(order.addresses):
            raise NotFound(f"there is no control order {order_id}")
        return order

    async def one_view(
        self, order: ControlOrder, query: TargetsQuery | None = None
    ) -> OneControlOrderView:
        """Return an order with a page of its devices."""
        query = query or TargetsQuery()
        commands = await self.parts.control_orders.commands_of(order)
        devices = await self._devices_of(order)
        names = {device.address: device.name for device in devices}
        found = target_views(order, commands, names, self.language)
        text = (query.text or "").casefold()
        matching = [
            each
            for each in found
            if query.state in (None, each.state)
            and text in f"{each.address} {each.name} {each.problem} {each.reason}".casefold()
        ]
        skip, limit = self.span(query)
        return OneControlOrderView(
            **order_fields(order, self.language),
            counts=dict(await self.parts.database.commands.counts(order.id)),
            items=matching[skip : skip + limit],
            total=len(matching),
        )

    async def planned_of(
        self, order: ControlOrder, addresses: Sequence[str]
    ) -> list[PlannedTarget]:
        """Return devices of an order that waits, as they stand now, with their frames."""
        devices = [each for each in await self._devices_of(order) if each.address in addresses]
        problems = {target.address: target.problem for target in order.targets}
        refused = await self.parts.keep_power.refusals(str(order.what["order"]), devices)
        return await self.planned(devices, order.what, order.expires_at, {**problems, **refused})

    async def _devices_of(self, order: ControlOrder) -> Sequence[Device]:
        stores = self.parts.database
        if order.device == "terminal":
            return await stores.terminals.many(order.addresses)
        return await stores.meters.many(order.addresses)

    def _frames(
        self, device: Device, what: Mapping[str, Any], until: datetime
    ) -> list[FrameOfOrder]:
        raws = self.parts.controls.frames(device, what, until, Authority())
        return [
            FrameOfOrder(hex=raw.hex().upper(), words=words_of(raw, "", self.language))
            for raw in raws
        ]


async def show_plan(
    handler: ControlHandler, body: ControlQuery, typed: dict[str, Any], errors: dict[str, str]
) -> None:
    """Show what would be sent, and ask why."""
    plan = await handler.plan_of(body, SHOWN_MAX)
    handler.show(
        "control_dry_run.html",
        plan,
        status=400 if errors else 200,
        body=body,
        typed={"purpose": "", "level": "", **typed},
        errors=errors,
        validities=VALIDITIES_MIN,
        levels=LEVELS,
        device_kinds=KIND_NAMES,
        request_id=secrets.token_hex(REQUEST_ID_SIZE),
    )


def show_form(
    handler: ControlHandler, body: ControlQuery, errors: dict[str, str], groups: Sequence[str]
) -> None:
    """Ask what to order, and of which devices."""
    handler.set_status(400 if errors else 200)
    handler.finish_page(
        "control_form.html",
        body=body,
        errors=errors,
        orders=RELAY_ORDERS,
        rounds=range(1, ROUNDS + 1),
        groups=groups,
        ranges=RANGES,
        validities=VALIDITIES_MIN,
        device_kinds=KIND_NAMES,
    )


async def all_groups(handler: ControlHandler) -> list[str]:
    """Return the names of the groups that devices are in."""
    devices = await handler.parts.roll.devices()
    everything: list[Device] = [*devices.terminals.values(), *devices.meters]
    return sorted({group for device in everything for group in device.groups})
