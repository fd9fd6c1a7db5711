"""Parameters: does the device hold what we want? Over all devices, and device by device.

Whoever may collect may ask a device; whoever configures says what is wanted of it. What is wanted
goes out through `parameter_orders`, after a dry run.
"""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel, Field

from station.collector.parameter_dialects import Device, dialect_of, spec_of
from station.errors import InvalidValue
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.base import Handler, ListQuery, Nothing, TableQuery
from station.handlers.communication.link_views import find_link
from station.handlers.contract import contract
from station.handlers.control.parameter_views import (
    COLUMNS,
    KIND_NAMES,
    STATE_NAMES,
    Choice,
    ParameterList,
    ParameterView,
    choices_of,
    numbered_code,
    parameter_view,
)
from station.handlers.parts import Parts
from station.store.objects.meters import Meter
from station.store.objects.parameters import DeviceKind, Parameter, ParameterState

FIELD_PREFIX = "value."  # Of the inputs of a form, one for each field of a parameter.
CODE_SIZE_MAX = 16
VALUE_SIZE_MAX = 1000


class ParametersQuery(ListQuery):
    """Which parameters to show."""

    state: ParameterState | None = None
    kind: DeviceKind | None = None


class WantBody(BaseModel):
    """What is wanted of a parameter: a text for each field; an empty one is not wanted."""

    values: dict[str, str] = Field(default_factory=dict, max_length=40)


class DeviceParameters(BaseModel):
    """The parameters of a device; `problem` says why they cannot be asked from here."""

    device: str
    kind: DeviceKind
    name: str
    link: str
    protocol: str
    problem: str
    items: list[ParameterView]
    total: int


def groups_of(parts: Parts) -> list[str]:
    """Return the groups of the terminals, to be offered; those of meters alone are typed."""
    return sorted({name for each in parts.registry.terminals.values() for name in each.groups})


class ParameterHandler(Handler):
    """What the handlers of parameters share."""

    async def names_of(self, rows: Sequence[Parameter]) -> dict[str, str]:
        """Return the names of the devices that these belong to."""
        wanted = {row.device for row in rows}
        terminals = {
            address: terminal.name for address, terminal in self.parts.registry.terminals.items()
        }
        meters = await self.parts.database.meters.many([*wanted - set(terminals)])
        return {address: terminals[address] for address in wanted & set(terminals)} | {
            meter.address: meter.name for meter in meters
        }

    def form_values(self) -> WantBody:
        """Return the values of a JSON body or of a form."""
        if self.is_json_body:
            return self.parse_body(WantBody)
        names = [name for name in self.request.body_arguments if name.startswith(FIELD_PREFIX)]
        values = {name[len(FIELD_PREFIX) :]: self.get_body_argument(name) for name in names}
        body = self._validated(WantBody, {"values": values})
        self.note_body(body)
        return body


class ParametersHandler(ParameterHandler):
    """/parameters, /api/parameters"""

    @requires(Permission.VIEW)
    @contract(ParameterList, query=ParametersQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(ParametersQuery)
        skip, limit = self.span(query)
        store = self.parts.database.parameters
        (rows, total), counts = await asyncio.gather(
            store.list(
                query.text, query.state, query.kind, skip=skip, limit=limit, sort=query.sort
            ),
            store.counts(),
        )
        names = await self.names_of(rows)
        items = [parameter_view(row, self.language, names.get(row.device, "")) for row in rows]
        view = ParameterList(items=items, total=total, counts={**counts})
        await self.show_list(
            "parameters.html",
            view,
            items,
            COLUMNS,
            filter=query,
            state_names=STATE_NAMES,
            device_kinds=KIND_NAMES,
            groups=groups_of(self.parts),
        )


class DeviceParametersHandler(ParameterHandler):
    """The parameters of one device."""

    kind: ClassVar[DeviceKind]

    @requires(Permission.VIEW)
    @contract(DeviceParameters, query=TableQuery, table=COLUMNS)
    async def get(self, address: str) -> None:
        device = await self.parts.parameters.device(self.kind, address)
        query = self.parse_query(TableQuery)
        view = await self._view(device)
        link = device.link if isinstance(device, Meter) else device.address
        await self.show_list(
            "device_parameters.html",
            view,
            view.items,
            COLUMNS,
            fixed=True,
            filter=query,
            state_names=STATE_NAMES,
            choices=self._choices(device, view),
            link=await find_link(self.parts, link),
        )

    async def _view(self, device: Device) -> DeviceParameters:
        problem = ""
        try:
            dialect_of(device)
        except InvalidValue as error:
            problem = self.language.sentence(str(error))
        rows = [] if problem else await self.parts.parameters.rows(device)
        items = [parameter_view(row, self.language, device.name) for row in rows]
        return DeviceParameters(
            device=device.address,
            kind=self.kind,
            name=device.name,
            link=device.link if isinstance(device, Meter) else device.address,
            protocol=device.protocol,
            problem=problem,
            items=items,
            total=len(items),
        )

    def _choices(self, device: Device, view: DeviceParameters) -> list[Choice]:
        if view.problem:
            return []
        there = {item.code for item in view.items}
        return [
            each
            for each in choices_of([dialect_of(device)], self.language)
            if each.numbered or each.code not in there
        ]


class TerminalParametersHandler(DeviceParametersHandler):
    """/terminals/ADDRESS/parameters, /api/terminals/ADDRESS/parameters"""

    kind = "terminal"


class MeterParametersHandler(DeviceParametersHandler):
    """/meters/ADDRESS/parameters, /api/meters/ADDRESS/parameters"""

    kind = "meter"


class OneParameterHandler(ParameterHandler):
    """One parameter of one device: what is wanted of it."""

    kind: ClassVar[DeviceKind]

    @requires(Permission.VIEW)
    @contract(ParameterView)
    async def get(self, address: str, code: str) -> None:
        device = await self.parts.parameters.device(self.kind, address)
        view = await self._view(device, code)
        self.show("parameter_form.html", view, state_names=STATE_NAMES, typed=view.wanted)

    @requires(Permission.CONFIGURE)
    @contract(ParameterView, body=WantBody)
    async def post(self, address: str, code: str) -> None:
        await self.put(address, code)

    @requires(Permission.CONFIGURE)
    @contract(ParameterView, body=WantBody)
    async def put(self, address: str, code: str) -> None:
        assert self.user is not None, "a permission needs a person"
        device = await self.parts.parameters.device(self.kind, address)
        before = await self._view(device, code)
        body = WantBody()
        try:
            body = self.form_values()
            wanted = await self.parts.parameters.want(device, code, body.values, self.user.name)
        except InvalidValue as error:
            shown = before.model_copy(update={"wanted": body.values})
            self.refuse_form("parameter_form.html", error, view=shown, state_names=STATE_NAMES)
            return
        self.record(before={code: before.wanted}, after={code: dict(wanted.wanted)})
        view = parameter_view(wanted, self.language, device.name)
        notice = self.language.say("What is wanted of %(code)s is saved.", code=code)
        self.done(view, f"/{self.kind}s/{address}/parameters", notice)

    @requires(Permission.CONFIGURE)
    @contract(Nothing)
    async def delete(self, address: str, code: str) -> None:
        device = await self.parts.parameters.device(self.kind, address)
        await self.parts.parameters.forget(device, code)
        notice = self.language.say("%(code)s is no longer looked at.", code=code)
        self.done(Nothing(), f"/{self.kind}s/{address}/parameters", notice)

    async def _view(self, device: Device, code: str) -> ParameterView:
        """Return the parameter; one of which nothing is known yet is empty."""
        spec_of(self.kind, code)
        rows = {row.code: row for row in await self.parts.parameters.rows(device)}
        row = rows.get(code) or Parameter(device.address, code, kind=self.kind)
        return parameter_view(row, self.language, device.name)


class OneTerminalParameterHandler(OneParameterHandler):
    """/terminals/ADDRESS/parameters/CODE, /api/terminals/ADDRESS/parameters/CODE"""

    kind = "terminal"


class OneMeterParameterHandler(OneParameterHandler):
    """/meters/ADDRESS/parameters/CODE, /api/meters/ADDRESS/parameters/CODE"""

    kind = "meter"


class ChooseQuery(BaseModel):
    """Which parameter of which device; `number` is that of a point, a task or a port."""

    kind: DeviceKind = "terminal"
    device: str = Field(min_length=1, max_length=32, pattern=r"^[0-9A-Za-z_.-]+$")
    code: str = Field(min_length=1, max_length=CODE_SIZE_MAX, pattern=r"^[0-9A-F]+$")
    number: int = Field(1, ge=1, le=2040)


class ChooseParameterHandler(ParameterHandler):
    """/parameters/choose: the form of a parameter that is not shown for a device yet"""

    @requires(Permission.CONFIGURE)
    @contract(None, query=ChooseQuery)
    async def get(self) -> None:
        query = self.parse_query(ChooseQuery)
        code = numbered_code(query.kind, query.code, str(query.number))
        self.redirect(f"/{query.kind}s/{query.device}/parameters/{code}", status=303)
