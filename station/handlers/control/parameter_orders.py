"""Parameters go out: the dry run, the orders that are made of it, and what became of each.

A set is one command for each device, so that it waits for a link, goes on after a drop, and tells
by itself what became of it. Commands that were given together are one batch.
"""

import hashlib
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, Field

from station.collector.commands import (
    PURPOSE_SIZE_MAX,
    REQUEST_ID_SIZE_MAX,
    VALID_MIN,
    VALID_MIN_MAX,
    Order,
)
from station.collector.errands import PARAMETERS, ordered
from station.collector.parameter_dialects import Device, kind_of, spec_of
from station.collector.parameters import check_known
from station.errors import Conflict, InvalidValue, NotFound, StationError
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.base import ListQuery
from station.handlers.communication.frames import words_of
from station.handlers.contract import contract
from station.handlers.control.command_views import (
    COLUMNS,
    COMMAND_KIND_NAMES,
    STATE_NAMES,
    CommandView,
)
from station.handlers.control.commands import (
    LEVELS,
    REQUEST_ID_SIZE,
    VALIDITIES_MIN,
    CommandHandler,
    digits,
)
from station.handlers.control.parameter_views import KIND_NAMES, FieldView, field_views
from station.handlers.marking import N_
from station.protocols.dlt645.requests import Authority
from station.store.objects.base import new_id
from station.store.objects.commands import Command, CommandState
from station.store.objects.parameters import DeviceKind, Values
from station.store.objects.terminals import Terminal

TARGETS_MAX = 1000  # Devices of one batch; each is a command, and 10,000 may wait.
SHOWN_MAX = 100  # Devices of a dry run that a page shows with their frames; JSON has all.
CODES_MAX = 200


BATCH_NAME = N_("Orders of one go")


class Targets(BaseModel):
    """Which devices: those named, or all of a group.

    `codes` are the parameters; none stands for all that are not as wanted (to read: all there are).
    """

    kind: DeviceKind = "terminal"
    devices: tuple[str, ...] = Field((), max_length=TARGETS_MAX)
    group: str = Field("", max_length=64)
    codes: tuple[str, ...] = Field((), max_length=CODES_MAX)


class DryRunBody(Targets):
    """What to set; with a `template` what that wants, which then is wanted of each device."""

    template: str = Field("", max_length=24)


class SetBody(DryRunBody):
    """An order to set; `request_id` is the caller's own. Meters ask for their password."""

    request_id: str = Field(min_length=1, max_length=REQUEST_ID_SIZE_MAX)
    purpose: str = Field(min_length=1, max_length=PURPOSE_SIZE_MAX)
    valid_min: int = Field(VALID_MIN, ge=1, le=VALID_MIN_MAX)
    level: int = Field(2, ge=0, le=9)
    password: str = Field("", max_length=20)
    operator: str = Field("00000000", max_length=20)


class ReadBody(Targets):
    """An order to read; a form leaves the `request_id` to the station."""

    request_id: str = Field("", max_length=REQUEST_ID_SIZE_MAX)
    valid_min: int = Field(VALID_MIN, ge=1, le=VALID_MIN_MAX)


class PlannedParameter(BaseModel):
    """One parameter that would be set: in each field `held` is what stands, `wanted` what comes."""

    code: str
    name: str
    fields: list[FieldView]


class FrameToSend(BaseModel):
    """One frame that would be sent; a password in it is hidden."""

    codes: list[str]
    hex: str
    words: str


class PlannedDevice(BaseModel):
    """What would be sent to one device; `problem` is why nothing can be."""

    device: str
    name: str
    link: str
    online: bool
    parameters: list[PlannedParameter]
    frames: list[FrameToSend]
    problem: str


class DryRun(BaseModel):
    """What a set would do; nothing has been sent. `frames` is how many there are in all."""

    kind: DeviceKind
    items: list[PlannedDevice]
    total: int
    frames: int


class BatchView(BaseModel):
    """The commands of one batch; `refused` are devices of which nothing was ordered, and why."""

    batch: str
    counts: dict[str, int]
    items: list[CommandView]
    total: int
    refused: dict[str, str] = {}


class BatchQuery(ListQuery):
    """Which commands of a batch to show."""

    state: CommandState | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """A device, the values for it, or why there are none."""

    device: Device
    whole: dict[str, Values]
    problem: str = ""


class ParameterOrderHandler(CommandHandler):
    """What the handlers of sets and reads share."""

    async def targets(self, body: Targets) -> list[Device]:
        """Return the devices that are meant, by address. Raises InvalidValue and NotFound."""
        archive = await self.parts.roll.devices()
        found: Sequence[Device]
        if body.devices:
            named = [*dict.fromkeys(body.devices)]
            found = [await self.parts.parameters.device(body.kind, each) for each in named]
        elif not body.group:
            raise InvalidValue("devices", "choose at least one device, or a group")
        elif body.kind == "terminal":
            found = [each for each in archive.terminals.values() if body.group in each.groups]
        else:
            found = [each for each in archive.meters if body.group in each.groups]
        if not 1 <= len(found) <= TARGETS_MAX:
            raise InvalidValue("devices", f"{len(found)} devices are not in 1..{TARGETS_MAX}")
        return [*found]

    async def plan(self, body: DryRunBody, devices: Sequence[Device]) -> list[Planned]:
        """Return the values for each device; the first error of one does not stop the others."""
        given: dict[str, Values] = {}
        if body.template:
            template = await self.parts.database.parameter_templates.get(body.template)
            if template.kind != body.kind:
                raise InvalidValue("template", f"this template is for a {template.kind}")
            given = dict(template.values)
        codes = [*body.codes] or [*given] or None
        if codes is not None:
            check_known(body.kind, codes)
        planned = []
        for device in devices:
            try:
                whole = await self.parts.parameters.to_set(device, codes, given)
                problem = "" if whole else "it holds all that is wanted"
                planned.append(Planned(device, whole, problem))
            except InvalidValue as error:
                planned.append(Planned(device, {}, str(error)))
        return planned

    async def dry_run(self, kind: DeviceKind, planned: Sequence[Planned]) -> DryRun:
        """Return what would be sent, in hex and in words."""
        items = [await self._planned_device(each) for each in planned]
        frames = sum(len(item.frames) for item in items)
        return DryRun(kind=kind, items=items, total=len(items), frames=frames)

    async def _planned_device(self, planned: Planned) -> PlannedDevice:
        device, problem = planned.device, planned.problem
        link = device.address if isinstance(device, Terminal) else device.link
        frames: list[FrameToSend] = []
        try:
            frames = [
                FrameToSend(
                    codes=[*each.codes],
                    hex=each.raw.hex().upper(),
                    words=words_of(each.raw, "", self.language),
                )
                for each in self.parts.parameters.frames(device, planned.whole)
            ]
        except InvalidValue as error:
            problem = str(error)
        rows = {row.code: row for row in await self.parts.parameters.rows(device)}
        parameters = []
        for code, texts in planned.whole.items():
            spec = spec_of(kind_of(device), code)
            held = rows[code].held if code in rows else {}
            fields = field_views(spec, texts, held, self.language)
            parameters.append(
                PlannedParameter(code=code, name=self.language.name(spec.name), fields=fields)
            )
        return PlannedDevice(
            device=device.address,
            name=device.name,
            link=link,
            online=self.parts.registry.find(link) is not None,
            parameters=parameters,
            frames=frames,
            problem=self.language.sentence(problem),
        )

    async def standing(self, request_id: str) -> dict[str, Command]:
        """Return what the same request has ordered before, by device."""
        commands, _ = await self.parts.database.commands.list(
            batch=_digest(request_id), limit=TARGETS_MAX
        )
        return {command.meter: command for command in commands}

    async def order_each(
        self,
        kind: Literal["read", "set"],
        request_id: str,
        orders: Sequence[tuple[Device, dict[str, Any]]],
        **how: Any,
    ) -> BatchView:
        """Order one command of each device. Raises DatabaseDown, after which it may be repeated."""
        assert self.user is not None, "a permission needs a person"
        batch, refused = _digest(request_id), {}
        made = [*(await self.standing(request_id)).values()]
        for device, what in orders:
            address = device.address
            order = Order(
                _digest(f"{request_id} {kind_of(device)} {address}"),
                kind,
                address,
                what,
                device=kind_of(device),
                batch=batch,
                **how,
            )
            try:
                made.append(await self.parts.commands.order(order, self.user.name))
            except (InvalidValue, Conflict, NotFound) as error:
                refused[address] = self.language.sentence(str(error))
        if made:
            ids = [command.id for command in made if command.is_open]
            location = f"/parameters/batches/{batch}"
            self.tell_end("commands", ids, BATCH_NAME, location)
        return BatchView(
            batch=batch,
            counts={**Counter(command.state for command in made)},
            items=await self.views_of(made),
            total=len(made),
            refused=refused,
        )


class DryRunHandler(ParameterOrderHandler):
    """/parameters/dry_run, /api/parameters/dry_run: what would be sent, before anything is"""

    is_act = False  # It changes nothing.

    @requires(Permission.CONFIGURE)
    @contract(DryRun, body=DryRunBody)
    async def post(self) -> None:
        body = self.parse_body(DryRunBody)
        planned = await self.plan(body, await self.targets(body))
        view = await self.dry_run(body.kind, planned if self.wants_json else planned[:SHOWN_MAX])
        self.show_dry_run(body, view, len(planned), {})

    def show_dry_run(
        self, body: DryRunBody, view: DryRun, total: int, errors: dict[str, str]
    ) -> None:
        """Show what would be sent, and ask why."""
        self.show(
            "parameter_dry_run.html",
            view.model_copy(update={"total": total}),
            status=400 if errors else 200,
            body=body,
            errors=errors,
            validities=VALIDITIES_MIN,
            levels=LEVELS,
            device_kinds=KIND_NAMES,
            typed={"purpose": getattr(body, "purpose", "")},
            request_id=secrets.token_hex(REQUEST_ID_SIZE),
        )


class SetParametersHandler(DryRunHandler):
    """/parameters/set, /api/parameters/set"""

    is_act = True

    @requires(Permission.CONFIGURE)
    @contract(BatchView, body=SetBody, status=201)
    async def post(self) -> None:
        try:
            body = self.parse_body(SetBody)
            authority = _authority(body)
        except InvalidValue as error:
            await self._refuse(error)
            return
        standing = await self.standing(body.request_id)
        devices = [each for each in await self.targets(body) if each.address not in standing]
        planned = await self.plan(body, devices)
        ready = [each for each in planned if each.whole]
        if not ready and not standing:
            raise InvalidValue("devices", planned[0].problem)
        if body.template:
            await self._want(body.template, ready)
        view = await self.order_each(
            "set",
            body.request_id,
            [(each.device, ordered(each.whole)) for each in ready],
            purpose=" ".join(body.purpose.split()),
            valid_min=body.valid_min,
            authority=authority,
        )
        left = {each.device.address: each.problem for each in planned if not each.whole}
        view.refused |= {key: self.language.sentence(text) for key, text in left.items()}
        notice = self.language.say("The commands are taken.")
        self.done(view, f"/parameters/batches/{view.batch}", notice, status=201)

    async def _want(self, template_id: str, ready: Sequence[Planned]) -> None:
        """Want of each device what the template wants, so that it stays compared with it."""
        template = await self.parts.database.parameter_templates.get(template_id)
        by = self.language.say("template %(name)s", name=template.name)
        for each in ready:
            for code, values in template.values.items():
                if code in each.whole:
                    await self.parts.parameters.want(each.device, code, values, by)

    async def _refuse(self, error: StationError) -> None:
        """Show the dry run again with what was wrong about the order."""
        if self.wants_json:
            raise error
        body = self.parse_body(DryRunBody)
        planned = await self.plan(body, await self.targets(body))
        view = await self.dry_run(body.kind, planned[:SHOWN_MAX])
        self.show_dry_run(body, view, len(planned), self.problems_of(error))


class ReadParametersHandler(ParameterOrderHandler):
    """/parameters/read, /api/parameters/read"""

    @requires(Permission.COLLECT)
    @contract(BatchView, body=ReadBody, status=201)
    async def post(self) -> None:
        body = self.parse_body(ReadBody)
        orders: list[tuple[Device, dict[str, Any]]] = []
        for device in await self.targets(body):
            codes = [*body.codes]
            if not codes:
                codes = [row.code for row in await self.parts.parameters.rows(device)]
            orders.append((device, {PARAMETERS: codes}))
        request_id = body.request_id or new_id()
        view = await self.order_each("read", request_id, orders, valid_min=body.valid_min)
        if not view.items:
            raise InvalidValue("devices", next(iter(view.refused.values())))
        location = f"/parameters/batches/{view.batch}"
        if len(orders) == 1:
            location = f"/{body.kind}s/{orders[0][0].address}/parameters"
        notice = self.language.say("It is being read; values appear as they come.")
        self.done(view, location, notice, status=201)


class BatchHandler(ParameterOrderHandler):
    """/parameters/batches/ID, /api/parameters/batches/ID"""

    @requires(Permission.VIEW)
    @contract(BatchView, query=BatchQuery, table=COLUMNS)
    async def get(self, batch: str) -> None:
        query = self.parse_query(BatchQuery)
        skip, limit = self.span(query)
        store = self.parts.database.commands
        counts = await store.counts(batch)  # Before the list, which then is no older.
        if not counts:
            raise NotFound(f"there is no batch {batch}")
        commands, total = await store.list(
            query.text, query.state, batch=batch, skip=skip, limit=limit, sort=query.sort
        )
        items = await self.views_of(commands)
        view = BatchView(batch=batch, counts=counts, items=items, total=total)
        await self.show_list(
            "parameter_batch.html",
            view,
            items,
            COLUMNS,
            filter=query,
            state_names=STATE_NAMES,
            command_kinds=COMMAND_KIND_NAMES,
        )


def _digest(text: str) -> str:
    """Return an id that the same text gives again, so that an order sent twice is one."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _authority(body: SetBody) -> Authority | None:
    if body.kind == "terminal":
        return None
    digits("password", body.password, 6)
    digits("operator", body.operator, 8)
    return Authority(body.level, body.password, body.operator)
