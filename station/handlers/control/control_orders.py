"""Control orders: who wants to trip, close or keep power where, who agrees, and did it happen?

An order goes over a dry run that names every device with what it showed last and the exact frames.
For several devices, a group, a terminal or an important meter somebody else has to agree.
"""

from typing import Any

from pydantic import BaseModel, Field

from station.collector.commands import (
    REQUEST_ID_SIZE_MAX,
)
from station.collector.control_errands import CONTROL_STATE
from station.collector.keep_power import REASON_SIZE_MAX
from station.errors import Conflict, InvalidValue, NotFound, StationError
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.base import ListQuery
from station.handlers.contract import contract
from station.handlers.control.command_views import COMMAND_KIND_NAMES, STATE_NAMES
from station.handlers.control.control_plans import (
    ControlBody,
    ControlHandler,
    ControlQuery,
    ControlTargets,
    TargetsQuery,
    all_groups,
    show_form,
    show_plan,
)
from station.handlers.control.control_views import (
    CONTROL_STATE_NAMES,
    ORDER_COLUMNS,
    TARGET_COLUMNS,
    ControlOrderList,
    ControlOrderView,
    ControlPlan,
    OneControlOrderView,
    PlannedTarget,
    order_fields,
)
from station.handlers.control.parameter_orders import (
    BatchView,
)
from station.store.objects.base import new_id
from station.store.objects.control_orders import ControlOrder, ControlState

LOOK_MIN = 15  # So long a look at relays waits for a link: it answers a question of now.


class DecisionBody(BaseModel):
    """What a second person says to a control order; a refusal needs its reason."""

    reason: str = Field("", max_length=REASON_SIZE_MAX)


class LookBody(ControlTargets):
    """An order to look at relays; a form leaves the `request_id` to the station."""

    request_id: str = Field("", max_length=REQUEST_ID_SIZE_MAX)


class ControlOrdersQuery(ListQuery):
    """Which control orders to show."""

    state: ControlState | None = None


class ControlOrdersHandler(ControlHandler):
    """/controls, /api/controls"""

    @requires(Permission.VIEW)
    @contract(ControlOrderList, query=ControlOrdersQuery, table=ORDER_COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(ControlOrdersQuery)
        skip, limit = self.span(query)
        sight = await self.sight()
        orders, total = await self.parts.database.control_orders.list(
            query.text,
            query.state,
            skip=skip,
            limit=limit,
            among=None if sight is None else sight.devices,
        )
        items = [ControlOrderView(**order_fields(each, self.language)) for each in orders]
        await self.show_list(
            "controls.html",
            ControlOrderList(items=items, total=total),
            items,
            ORDER_COLUMNS,
            filter=query,
            control_state_names=CONTROL_STATE_NAMES,
        )

    @requires(Permission.CONTROL)
    @contract(OneControlOrderView, body=ControlBody, status=201)
    async def post(self) -> None:
        assert self.user is not None, "a permission needs a person"
        try:
            body = self.parse_body(ControlBody)
            purpose = " ".join(body.purpose.split())
            request = self.request_of(
                body, await self.chosen(body), body.request_id, purpose, body.authority()
            )
            order = await self.parts.control_orders.order(request, self.user.name)
        except (InvalidValue, Conflict) as error:
            await self._refuse(error)
            return
        self.record(after=_recorded(order))
        view = await self.one_view(order)
        notice = self.language.say("It is ordered.")
        if order.state == "waiting":
            notice = self.language.say("It waits until somebody else agrees.")
        self.done(view, f"/controls/{order.id}", notice, status=201)

    async def _refuse(self, error: StationError) -> None:
        """Show the dry run again with what was typed, but for the password."""
        if self.wants_json:
            raise error
        body = self.parse_body(ControlQuery)
        typed = {name: self.get_body_argument(name, "") for name in ("purpose", "level")}
        await show_plan(self, body, typed, self.problems_of(error))


class DryRunControlHandler(ControlHandler):
    """/controls/dry_run, /api/controls/dry_run: what would be sent, before anything is"""

    is_act = False  # It changes nothing.

    @requires(Permission.CONTROL)
    @contract(ControlPlan, query=ControlQuery)
    async def get(self) -> None:
        await self._answer(self.parse_query(ControlQuery))

    @requires(Permission.CONTROL)
    @contract(ControlPlan, body=ControlQuery)
    async def post(self) -> None:
        await self._answer(self.parse_body(ControlQuery))

    async def _answer(self, body: ControlQuery) -> None:
        if self.wants_json:
            self.write_json(await self.plan_of(body))
            return
        try:
            await show_plan(self, body, {}, {})
        except (InvalidValue, NotFound) as error:
            show_form(self, body, self.problems_of(error), await all_groups(self))


class NewControlHandler(ControlHandler):
    """/controls/new: what to order, and of which devices"""

    @requires(Permission.CONTROL)
    @contract(None, query=ControlQuery)
    async def get(self) -> None:
        show_form(self, self.parse_query(ControlQuery), {}, await all_groups(self))


class LookControlHandler(ControlHandler):
    """/controls/look, /api/controls/look: ask devices how their relays stand"""

    @requires(Permission.COLLECT)
    @contract(BatchView, body=LookBody, status=201)
    async def post(self) -> None:
        body = self.parse_body(LookBody)
        chosen = await self.chosen(body)
        view = await self.order_each(
            "read",
            body.request_id or new_id(),
            [(device, {CONTROL_STATE: True}) for device in chosen.devices],
            valid_min=LOOK_MIN,
        )
        if not view.items:
            raise InvalidValue("devices", next(iter(view.refused.values())))
        notice = self.language.say("The relays are being looked at; what they show appears here.")
        self.done(view, f"/parameters/batches/{view.batch}", notice, status=201)


class OneControlOrderHandler(ControlHandler):
    """/controls/ID, /api/controls/ID"""

    @requires(Permission.VIEW)
    @contract(OneControlOrderView, query=TargetsQuery, table=TARGET_COLUMNS)
    async def get(self, order_id: str) -> None:
        query = self.parse_query(TargetsQuery)
        order = await self.order_of(order_id)
        view = await self.one_view(order, query)
        planned: list[PlannedTarget] = []
        if order.state == "waiting" and not self.wants_json and not self.is_download:
            planned = await self.planned_of(order, [each.address for each in view.items])
        await self.show_list(
            "control_order.html",
            view,
            view.items,
            TARGET_COLUMNS,
            filter=query,
            planned={each.address: each for each in planned},
            is_own=self.user is not None and order.by == self.user.name,
            state_names=STATE_NAMES,
            control_state_names=CONTROL_STATE_NAMES,
            command_kinds=COMMAND_KIND_NAMES,
        )


class DecideHandler(ControlHandler):
    """What decisions about a control order share."""

    async def decided(self, before: ControlOrder, order: ControlOrder, notice: str) -> None:
        """Show what has become of an order, and tell the audit log."""
        self.record(
            object=f"/controls/{order.id}", before=_recorded(before), after=_recorded(order)
        )
        self.done(await self.one_view(order), f"/controls/{order.id}", notice)


class ApproveControlHandler(DecideHandler):
    """/controls/ID/approve, /api/controls/ID/approve"""

    @requires(Permission.APPROVE_CONTROL)
    @contract(OneControlOrderView, body=DecisionBody)
    async def post(self, order_id: str) -> None:
        assert self.user is not None, "a permission needs a person"
        body = self.parse_body(DecisionBody)
        before = await self.order_of(order_id)
        orders = self.parts.control_orders
        order = await orders.approve(order_id, self.user.name, " ".join(body.reason.split()))
        await self.decided(before, order, self.language.say("It is approved, and is sent now."))


class RefuseControlHandler(DecideHandler):
    """/controls/ID/refuse, /api/controls/ID/refuse"""

    @requires(Permission.APPROVE_CONTROL)
    @contract(OneControlOrderView, body=DecisionBody)
    async def post(self, order_id: str) -> None:
        assert self.user is not None, "a permission needs a person"
        body = self.parse_body(DecisionBody)
        before = await self.order_of(order_id)
        order = await self.parts.control_orders.refuse(order_id, self.user.name, body.reason)
        await self.decided(before, order, self.language.say("It is refused; nothing is sent."))


class CancelControlHandler(DecideHandler):
    """/controls/ID/cancel, /api/controls/ID/cancel"""

    @requires(Permission.CONTROL)
    @contract(OneControlOrderView)
    async def post(self, order_id: str) -> None:
        assert self.user is not None, "a permission needs a person"
        before = await self.order_of(order_id)
        order = await self.parts.control_orders.cancel(order_id, self.user.name)
        await self.decided(before, order, self.language.say("What was not sent is withdrawn."))


def _recorded(order: ControlOrder) -> dict[str, Any]:
    """Return what the audit log keeps of an order."""
    return {
        **order.what,
        "devices": " ".join(order.ready),
        "group": order.group,
        "purpose": order.purpose,
        "state": order.state,
        "decided_by": order.decided_by,
        "decision": order.decision,
    }
