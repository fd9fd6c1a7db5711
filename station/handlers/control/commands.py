"""Commands: what was ordered, did it happen, and ordering more.

Whoever may collect may order a read. A set and a control need a permission of their own, and go
over a page that names the meter and asks why.
"""

import secrets
from typing import Any
from urllib.parse import urlencode

from pydantic import BaseModel, Field

from station.collector.commands import (
    PURPOSE_SIZE_MAX,
    REQUEST_ID_SIZE_MAX,
    VALID_MIN,
    VALID_MIN_MAX,
    Order,
)
from station.collector.control import RELAY_ORDERS, VALUE_SIZE_MAX
from station.collector.control_orders import ControlRequest
from station.collector.errands import ADDRESS, PASSWORD, check_order
from station.collector.items import ITEMS
from station.collector.plan import has_item
from station.errors import Conflict, InvalidValue, NeedsApproval, StationError
from station.handlers.access.identity import Forbidden, requires
from station.handlers.access.people import Permission
from station.handlers.areas import check_device
from station.handlers.base import Handler, ListQuery
from station.handlers.collection.item_groups import grouped
from station.handlers.communication.link_views import find_link
from station.handlers.contract import contract
from station.handlers.control.command_views import (
    COLUMNS,
    COMMAND_KIND_NAMES,
    STATE_NAMES,
    STEP_NAMES,
    CommandList,
    CommandView,
    command_view,
    result_rows,
    settable,
    steps_of,
    title_of,
)
from station.handlers.control.control_views import (
    CONTROL_STATE_NAMES,
    ControlOrderView,
    order_fields,
)
from station.handlers.marking import N_
from station.handlers.sights import Sight
from station.protocols.dlt645 import Version
from station.protocols.dlt645.requests import Authority
from station.store.objects.commands import Command, CommandKind, CommandState
from station.store.objects.meters import Meter

REQUEST_ID_SIZE = 16  # Bytes of randomness: no two forms share one.
VALIDITIES_MIN = (5, 60, 24 * 60, VALID_MIN_MAX)
LEVELS = (2, 3, 4)  # Password levels that may write or control (digest dlt645.md, section 2.1).
NOTHING_TYPED = {
    "items": (),
    "parameter": "",
    "value": "",
    "purpose": "",
    "level": 0,
    "valid_min": 0,
}
WAITING_MAX = 20  # Control orders that wait, above the commands; the others have a page.
# Setting is what parameters do, too; controlling cuts people off.
NEEDED: dict[CommandKind, Permission] = {
    "read": Permission.COLLECT,
    "set": Permission.CONFIGURE,
    "control": Permission.CONTROL,
}
DECIMAL = frozenset("0123456789")


class CommandsQuery(ListQuery):
    """Which commands to show."""

    state: CommandState | None = None
    kind: CommandKind | None = None
    meter: str | None = Field(None, max_length=12)


class What(BaseModel):
    """What to do to a meter: `items` of a read, `parameter` and `value` of a set, `order` of a
    control. The parameter is `clock`, `address` (the value is the new one), `password` (of the
    level), or a data identifier in hex."""

    kind: CommandKind
    items: tuple[str, ...] = Field((), max_length=len(ITEMS))
    parameter: str = Field("", max_length=8)
    value: str = Field("", max_length=VALUE_SIZE_MAX)
    order: str = Field("", max_length=20)
    level: int = Field(2, ge=0, le=9)

    def what(self) -> dict[str, Any]:
        """Return what the command is kept with."""
        if self.kind == "read":
            return {"items": [*self.items]}
        if self.kind == "control":
            return {"order": self.order}
        if self.parameter == PASSWORD:
            return {"parameter": PASSWORD, "level": self.level}
        return {"parameter": self.parameter, "value": self.value}


class CommandBody(What):
    """An order. `request_id` is the caller's own, so that an order sent twice is one command.

    A set and a control need the meter's password, of which nothing is kept.
    """

    request_id: str = Field(min_length=1, max_length=REQUEST_ID_SIZE_MAX)
    meter: str = Field(min_length=1, max_length=12)
    purpose: str = Field("", max_length=PURPOSE_SIZE_MAX)
    valid_min: int = Field(VALID_MIN, ge=1, le=VALID_MIN_MAX)
    password: str = Field("", max_length=20, description=N_("6 digits"))
    new_password: str = Field("", max_length=20, description=N_("6 digits"))
    operator: str = Field("00000000", max_length=20, description=N_("8 digits"))

    def authority(self) -> Authority | None:
        """Return the right by which this is ordered. Raises InvalidValue, which says no digit."""
        if self.kind == "read" or not self.password:
            return None
        digits("password", self.password, 6)
        digits("operator", self.operator, 8)
        return Authority(self.level, self.password, self.operator)

    def secret(self) -> Authority | None:
        """Return the new password, where that is what is ordered. Raises InvalidValue."""
        if self.kind != "set" or self.parameter != PASSWORD:
            return None
        digits("new_password", self.new_password, 6)
        return Authority(self.level, self.new_password)


class CommandHandler(Handler):
    """What the handlers of commands share."""

    async def view_of(self, command: Command) -> CommandView:
        """Return a command with its steps and their frames."""
        view = command_view(command, await self._protocol(command.meter), self.language)
        view.steps = await steps_of(command, self.parts, self.language)
        return view

    async def views_of(self, commands: list[Command]) -> list[CommandView]:
        """Return commands as a list shows them."""
        addresses = [*{command.meter for command in commands}]
        meters = await self.parts.database.meters.many(addresses) if addresses else []
        protocols = {meter.address: meter.protocol for meter in meters}
        return [
            command_view(each, protocols.get(each.meter, Version.V2007.value), self.language)
            for each in commands
        ]

    async def show_form(self, meter: Meter, typed: dict[str, Any], errors: dict[str, str]) -> None:
        """Show what can be ordered of a meter."""
        items = [item for item in ITEMS if has_item(meter, item)]
        is_2007 = meter.protocol == Version.V2007.value
        self.finish_page(
            "command_form.html",
            meter=meter,
            typed={**NOTHING_TYPED, **typed},
            errors=errors,
            groups=grouped(items),
            orders=RELAY_ORDERS if is_2007 else {},
            parameters=settable(meter.protocol),
            can_set=meter.protocol in [version.value for version in Version],
            request_id=secrets.token_hex(REQUEST_ID_SIZE),
            link=await find_link(self.parts, meter.link),
        )

    async def show_confirmation(
        self, meter: Meter, what: What, typed: dict[str, Any], errors: dict[str, str]
    ) -> None:
        """Name the meter and what would be done to it, and ask why."""
        self.finish_page(
            "command_confirm.html",
            meter=meter,
            what=what,
            title=title_of(what.kind, what.what(), meter.protocol, self.language),
            typed={**NOTHING_TYPED, **typed},
            errors=errors,
            validities=VALIDITIES_MIN,
            levels=LEVELS,
            request_id=secrets.token_hex(REQUEST_ID_SIZE),
            link=await find_link(self.parts, meter.link),
        )

    def check_may(self, kind: CommandKind) -> None:
        """Raise Forbidden unless the person's role allows this kind of command."""
        if not self.can(NEEDED[kind]):
            role = self.user.role if self.user else ""
            raise Forbidden(self.language.say("the role %(role)s does not allow this", role=role))

    async def _protocol(self, address: str) -> str:
        meter = await self.parts.database.meters.find(address)
        return Version.V2007.value if meter is None else meter.protocol


class CommandsHandler(CommandHandler):
    """/commands, /api/commands"""

    @requires(Permission.VIEW)
    @contract(CommandList, query=CommandsQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(CommandsQuery)
        skip, limit = self.span(query)
        sight = await self.sight()
        commands, total = await self.parts.database.commands.list(
            query.text,
            query.state,
            query.kind,
            query.meter,
            skip=skip,
            limit=limit,
            among=None if sight is None else sight.devices,
            sort=query.sort,
        )
        items = await self.views_of(commands)
        view = CommandList(items=items, total=total)
        await self.show_list(
            "commands.html",
            view,
            items,
            COLUMNS,
            filter=query,
            waiting=await self._waiting(sight),
            control_state_names=CONTROL_STATE_NAMES,
            state_names=STATE_NAMES,
            command_kinds=COMMAND_KIND_NAMES,
        )

    async def _waiting(self, sight: Sight | None) -> list[ControlOrderView]:
        """Return the control orders that wait for a second person; only the page shows them."""
        if self.wants_json or self.is_download:
            return []
        orders, _ = await self.parts.database.control_orders.list(
            state="waiting", limit=WAITING_MAX, among=None if sight is None else sight.devices
        )
        return [ControlOrderView(**order_fields(each, self.language)) for each in orders]

    @requires(Permission.COLLECT)
    @contract(CommandView, body=CommandBody, status=201)
    async def post(self) -> None:
        body: CommandBody | None = None
        try:
            body = self.parse_body(CommandBody)
            self.check_may(body.kind)
            await check_device(self.parts, self.areas, body.meter)
            assert self.user is not None, "a permission needs a person"
            if body.kind == "control":
                command = await self._control(body, self.user.name)
                view = (await self.views_of([command]))[0]
                notice = self.language.say("The command is taken.")
                self.done(view, f"/commands/{command.id}", notice, status=201)
                return
            order = Order(
                body.request_id,
                body.kind,
                body.meter,
                body.what(),
                " ".join(body.purpose.split()),
                body.valid_min,
                body.authority(),
                secret=body.secret(),
            )
            command = await self.parts.commands.order(order, self.user.name)
        except (InvalidValue, Conflict) as error:
            if self.wants_json or body is None:
                raise
            await self._refuse(body, error)
            return
        view = (await self.views_of([command]))[0]
        self.tell_end("commands", [command.id], view.title, f"/commands/{command.id}")
        notice = self.language.say("The command is taken.")
        self.done(view, f"/commands/{command.id}", notice, status=201)

    async def _control(self, body: CommandBody, by: str) -> Command:
        """Order a control of one meter that nobody else has to agree to.

        Raises NeedsApproval where somebody has to, and what `ControlOrders.order` raises.
        """
        meter = await self.parts.database.meters.get(body.meter)
        request = ControlRequest(
            body.request_id,
            "meter",
            body.what(),
            [meter],
            " ".join(body.purpose.split()),
            body.valid_min,
            authority=body.authority(),
        )
        orders = self.parts.control_orders
        why = orders.why_approval(request)
        if why:
            raise NeedsApproval(f"a second person has to agree: {why}; order it at /controls")
        order = await orders.order(request, by)
        commands = await orders.commands_of(order)
        if not commands:
            raise Conflict(order.targets[0].problem)
        return commands[0]

    async def _refuse(self, body: CommandBody, error: StationError) -> None:
        """Show the form again with what was typed, but for the password."""
        meter = await self.parts.database.meters.get(body.meter)
        field = error.field if isinstance(error, InvalidValue) else ""
        errors = {field: self.language.sentence(str(error))}
        typed = body.model_dump(exclude={"password", "new_password", "operator"})
        self.set_status(400 if isinstance(error, InvalidValue) else 409)
        if body.kind == "read":
            await self.show_form(meter, typed, errors)
        else:
            await self.show_confirmation(meter, body, typed, errors)


class OneCommandHandler(CommandHandler):
    """/commands/ID, /api/commands/ID"""

    @requires(Permission.VIEW)
    @contract(CommandView)
    async def get(self, command_id: str) -> None:
        command = await self.parts.database.commands.get(command_id)
        await check_device(self.parts, self.areas, command.meter)
        view = await self.view_of(command)
        self.show(
            "command.html",
            view,
            rows=result_rows(command, self.parts, self.language),
            state_names=STATE_NAMES,
            step_names=STEP_NAMES,
            command_kinds=COMMAND_KIND_NAMES,
        )


class CancelCommandHandler(CommandHandler):
    """/commands/ID/cancel, /api/commands/ID/cancel"""

    @requires(Permission.COLLECT)
    @contract(CommandView)
    async def post(self, command_id: str) -> None:
        command = await self.parts.database.commands.get(command_id)
        await check_device(self.parts, self.areas, command.meter)
        self.check_may(command.kind)
        assert self.user is not None, "a permission needs a person"
        cancelled = await self.parts.commands.cancel(command_id, self.user.name)
        view = (await self.views_of([cancelled]))[0]
        self.done(view, f"/commands/{command_id}", self.language.say("The command is cancelled."))


class NewCommandHandler(CommandHandler):
    """/meters/ADDRESS/commands/new"""

    @requires(Permission.COLLECT)
    @contract(None)
    async def get(self, address: str) -> None:
        await self.show_form(await self.parts.database.meters.get(address), {}, {})


class ConfirmCommandHandler(CommandHandler):
    """/meters/ADDRESS/commands/confirm"""

    @requires(Permission.COLLECT)
    @contract(None, query=What)
    async def get(self, address: str) -> None:
        meter = await self.parts.database.meters.get(address)
        what = self.parse_query(What)
        self.check_may(what.kind)
        if what.kind == "control":
            query = urlencode({"devices": address, "order": what.order})
            self.redirect(f"/controls/dry_run?{query}", status=303)
            return
        try:
            if what.kind == "read":
                raise InvalidValue("kind", "a read needs no confirmation")
            if what.kind != "set" or what.parameter != ADDRESS or what.value:
                check_order(what.kind, what.what(), meter)
        except InvalidValue as error:
            self.set_status(400)
            errors = {error.field: self.language.sentence(str(error))}
            await self.show_form(meter, what.model_dump(), errors)
            return
        await self.show_confirmation(meter, what, {}, {})


def digits(field: str, text: str, count: int) -> None:
    """Check a secret without repeating it."""
    if len(text) != count or not set(text) <= DECIMAL:
        raise InvalidValue(field, f"expected {count} digits")
