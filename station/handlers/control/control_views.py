"""Control orders and the keep-power list as pages and JSON show them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from station.handlers.control.command_views import (
    STATE_NAMES,
    ResultRow,
    result_rows_of,
    title_of,
)
from station.handlers.download import Column
from station.handlers.language import Language
from station.handlers.marking import N_
from station.store.objects.commands import Command, CommandState, DeviceKind
from station.store.objects.control_looks import ControlLook
from station.store.objects.control_orders import ControlOrder, ControlState
from station.store.objects.protections import Protection, ProtectionState
from station.words import Text

CONTROL_STATE_NAMES: dict[ControlState, Text] = {
    "waiting": Text("waits for approval", "待审批"),
    "approved": Text("approved", "已批准"),
    "refused": Text("refused", "已驳回"),
    "withdrawn": Text("withdrawn", "已撤回"),
    "expired": Text("expired", "过期"),
}
PROTECTION_STATE_NAMES: dict[ProtectionState, Text] = {
    "standing": Text("in force", "生效中"),
    "over": Text("over", "已到期"),
    "lifted": Text("lifted", "已解除"),
}


class TargetView(BaseModel):
    """One device of a control order: `problem` is why nothing was ordered of it.

    `state` and `reason` are those of its command, `result` what the device showed in the end.
    """

    address: str
    name: str
    problem: str
    command: str | None
    state: CommandState | None
    reason: str
    result: dict[str, Any]
    shown: list[ResultRow]
    ended_at: datetime | None


class ControlOrderView(BaseModel):
    """A control order. `title` is what it orders in words, `why_approval` why somebody else has to
    agree (nothing: nobody has to), `devices` how many there are, `counts` how many of their
    commands are in each state."""

    id: str
    request_id: str
    device: DeviceKind
    what: dict[str, Any]
    title: str
    group: str
    devices: int
    problems: int
    purpose: str
    by: str
    created_at: datetime
    expires_at: datetime
    state: ControlState
    why_approval: str
    decided_by: str
    decided_at: datetime | None
    decision: str


class OneControlOrderView(ControlOrderView):
    """A control order with a page of its devices; of one that waits, the frames as they will be."""

    counts: dict[str, int]
    items: list[TargetView]
    total: int


class ControlOrderList(BaseModel):
    items: list[ControlOrderView]
    total: int


class FrameOfOrder(BaseModel):
    """One frame that would be sent; a password in it is hidden."""

    hex: str
    words: str


class PlannedTarget(BaseModel):
    """What would be sent to one device; `present` is what it last showed, at `looked_at`."""

    address: str
    name: str
    link: str
    online: bool
    present: list[ResultRow]
    looked_at: datetime | None
    frames: list[FrameOfOrder]
    problem: str


class ControlPlan(BaseModel):
    """What a control order would do; nothing has been sent."""

    device: DeviceKind
    what: dict[str, Any]
    title: str
    group: str
    items: list[PlannedTarget]
    total: int
    problems: int
    why_approval: str
    needs_password: bool


class ProtectionView(BaseModel):
    """One entry of the keep-power list."""

    id: str
    address: str
    device: DeviceKind
    name: str
    reason: str
    by: str
    created_at: datetime
    until: datetime | None
    state: ProtectionState
    lifted_by: str
    lifted_at: datetime | None
    lifted_because: str


class ProtectionList(BaseModel):
    items: list[ProtectionView]
    total: int


ORDER_COLUMNS = (
    Column[ControlOrderView](N_("Ordered"), lambda order: order.created_at, look="nowrap"),
    Column[ControlOrderView](N_("Control order"), lambda order: order.title),
    Column[ControlOrderView](
        N_("Number of devices"), lambda order: order.devices, key="devices", look="number"
    ),
    Column[ControlOrderView](
        N_("State"), lambda order: CONTROL_STATE_NAMES[order.state], look="nowrap"
    ),
    Column[ControlOrderView](N_("Why?"), lambda order: order.purpose, key="purpose"),
    Column[ControlOrderView](N_("By"), lambda order: order.by),
    Column[ControlOrderView](N_("Decided by"), lambda order: order.decided_by),
    Column[ControlOrderView](N_("Decided"), lambda order: order.decided_at, more=True),
    Column[ControlOrderView](N_("Decision"), lambda order: order.decision, more=True),
    Column[ControlOrderView](N_("Valid until"), lambda order: order.expires_at, more=True),
    Column[ControlOrderView](N_("Group"), lambda order: order.group, more=True),
)
TARGET_COLUMNS = (
    Column[TargetView](N_("Device"), lambda target: target.address),
    Column[TargetView](N_("Name"), lambda target: target.name),
    Column[TargetView](
        N_("State"), lambda target: STATE_NAMES[target.state] if target.state else None
    ),
    Column[TargetView](
        N_("Shown"), lambda target: "; ".join(f"{row.name}: {row.value}" for row in target.shown)
    ),
    Column[TargetView](N_("Reason"), lambda target: target.problem or target.reason),
    Column[TargetView](N_("Ended"), lambda target: target.ended_at, look="nowrap"),
)
PROTECTION_COLUMNS = (
    Column[ProtectionView](N_("Device"), lambda entry: entry.address),
    Column[ProtectionView](N_("Name"), lambda entry: entry.name),
    Column[ProtectionView](N_("Reason"), lambda entry: entry.reason),
    Column[ProtectionView](
        N_("State"), lambda entry: PROTECTION_STATE_NAMES[entry.state], look="nowrap"
    ),
    Column[ProtectionView](N_("Since"), lambda entry: entry.created_at, look="nowrap"),
    Column[ProtectionView](N_("Until"), lambda entry: entry.until, look="nowrap"),
    Column[ProtectionView](N_("By"), lambda entry: entry.by),
    Column[ProtectionView](N_("Lifted by"), lambda entry: entry.lifted_by, more=True),
    Column[ProtectionView](N_("Lifted"), lambda entry: entry.lifted_at, more=True),
    Column[ProtectionView](N_("Lifted because"), lambda entry: entry.lifted_because, more=True),
)


def order_title(order: ControlOrder, language: Language) -> str:
    """Return in words what is ordered."""
    return title_of("control", order.what, "", language)


def order_fields(order: ControlOrder, language: Language) -> dict[str, Any]:
    """Return what every view of a control order has."""
    return {
        "id": order.id,
        "request_id": order.request_id,
        "device": order.device,
        "what": dict(order.what),
        "title": order_title(order, language),
        "group": order.group,
        "devices": len(order.targets),
        "problems": sum(bool(target.problem) for target in order.targets),
        "purpose": order.purpose,
        "by": order.by,
        "created_at": order.created_at,
        "expires_at": order.expires_at,
        "state": order.state,
        "why_approval": language.sentence(order.why_approval),
        "decided_by": order.decided_by,
        "decided_at": order.decided_at,
        "decision": language.sentence(order.decision),
    }


def target_views(
    order: ControlOrder,
    commands: Sequence[Command],
    names: Mapping[str, str],
    language: Language,
) -> list[TargetView]:
    """Return the devices of an order with what became of each."""
    found = {command.meter: command for command in commands}
    views = []
    for target in order.targets:
        command = found.get(target.address)
        result = {} if command is None else dict(command.result)
        views.append(
            TargetView(
                address=target.address,
                name=names.get(target.address, ""),
                problem=language.sentence(target.problem),
                command=None if command is None else command.id,
                state=None if command is None else command.state,
                reason="" if command is None else language.sentence(command.reason),
                result=result,
                shown=result_rows_of(result, language),
                ended_at=None if command is None else command.ended_at,
            )
        )
    return views


def protection_view(entry: Protection, name: str, now: datetime) -> ProtectionView:
    """Return an entry of the keep-power list as it is at a moment."""
    return ProtectionView(
        id=entry.id,
        address=entry.address,
        device=entry.device,
        name=name,
        reason=entry.reason,
        by=entry.by,
        created_at=entry.created_at,
        until=entry.until,
        state=entry.state(now),
        lifted_by=entry.lifted_by,
        lifted_at=entry.lifted_at,
        lifted_because=entry.lifted_because,
    )


def present_rows(look: ControlLook | None, language: Language) -> list[ResultRow]:
    """Return what a device last showed, line by line."""
    return [] if look is None else result_rows_of(look.values, language)
