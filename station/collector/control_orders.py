"""Control orders: one act for one device or many, agreed to by a second person where that is due.

An order for several devices, or for a group, always waits for somebody else than who ordered it;
one for a single device does when it is important (see `why_approval`). Approved, it becomes one
command for each device; what speaks against a device is kept beside it and stops no other. The
keep-power list is asked when it is ordered, when it is approved, and before each command is sent.

Passwords stay in this process's memory. An order that waits for a person is withdrawn when the
station is started again, if its devices want one.
"""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from station import tasks
from station.collector.commands import (
    PURPOSE_SIZE_MAX,
    REQUEST_ID_SIZE_MAX,
    VALID_MIN_MAX,
    Commands,
    Order,
)
from station.collector.control_errands import check_control, needs_password, what_of
from station.collector.keep_power import Device, KeepPower, checked_reason
from station.config import ControlConfig
from station.errors import Conflict, DatabaseDown, InvalidValue, NotFound, Protected, StationError
from station.live import Feed
from station.protocols.dlt645.requests import Authority
from station.store.database import Database
from station.store.objects.base import new_id
from station.store.objects.commands import Command, DeviceKind
from station.store.objects.control_orders import ControlOrder, Decision, Target
from station.store.objects.stages import check_there
from station.store.objects.terminals import Terminal
from station.units import utc_now

log = logging.getLogger(__name__)

TARGETS_MAX = 1000  # Devices of one order; each becomes a command, and 10,000 may wait.
TICK_S = 5.0  # How late it is noticed that nobody agreed in time.
LOST = "the station was started again, and its password was only kept in memory"


@dataclass(frozen=True, slots=True)
class ControlRequest:
    """What a person, or a program, asks for.

    `what` is {"order": a key of RELAY_ORDERS}, for terminals with the fields of FIELDS_OF. `group`
    is the group whose devices these are, where that was what was ordered.
    """

    request_id: str
    device: DeviceKind
    what: Mapping[str, Any]
    devices: Sequence[Device]
    purpose: str
    valid_min: int
    group: str = ""
    authority: Authority | None = field(default=None, repr=False)


class ControlOrders:
    """Takes control orders, and sees that the right people agree to them."""

    def __init__(
        self,
        database: Database,
        commands: Commands,
        keep_power: KeepPower,
        feed: Feed,
        config: ControlConfig,
        *,
        station: str,
        tick_s: float = TICK_S,
    ) -> None:
        self._database = database
        self._store = database.control_orders
        self._commands = commands
        self._keep_power = keep_power
        self._feed = feed
        self._config = config
        self._station = station
        self._tick_s = tick_s
        self._authorities: dict[str, tuple[Authority, datetime]] = {}  # And until when, by order.
        self._issuing = asyncio.Lock()
        self._ticking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take up what the last run of the station left open. Raises DatabaseDown."""
        now = utc_now()
        for order in await self._store.waiting(self._station):
            if order.expires_at > now and await self._wants_password(order):
                await self._decide(order.id, "withdrawn", "", LOST)
        self._ticking = tasks.spawn(
            tasks.periodically(self._tick_s, self._tick, name="control orders"),
            name="control orders",
        )

    async def stop(self) -> None:
        """Stop; what is approved and not yet ordered is, after the next start."""
        await tasks.cancel(self._ticking)

    def why_approval(self, request: ControlRequest) -> str:
        """Return why a second person has to agree; nothing where nobody has to."""
        if request.group:
            return f"it is ordered of the group {request.group}"
        if len(request.devices) > 1:
            return f"it is ordered of {len(request.devices)} devices"
        if self._config.approval == "always":
            return "every control order needs a second person here"
        device = request.devices[0]
        if isinstance(device, Terminal):
            return "a terminal switches all that hangs behind it"
        named = sorted({*device.groups} & {*self._config.important_groups})
        if named:
            return f"the meter is in the group {named[0]}"
        ratio = device.ct * device.pt
        if ratio > self._config.important_above_ratio:
            return f"the meter's ratio is {ratio}, above {self._config.important_above_ratio}"
        return ""

    async def problems(self, request: ControlRequest) -> dict[str, StationError]:
        """Return what speaks against the order, by the address of the device."""
        found: dict[str, StationError] = {}
        for device in request.devices:
            try:
                check_there(device)
                check_control(device, request.what)
            except (InvalidValue, Conflict) as error:
                found[device.address] = error
        order = str(request.what.get("order", ""))
        for address, words in (await self._keep_power.refusals(order, request.devices)).items():
            found.setdefault(address, Protected(words))
        return found

    async def order(self, request: ControlRequest, by: str) -> ControlOrder:
        """Take an order and return it; the same request again returns the same order.

        Raises InvalidValue, Protected, Conflict and DatabaseDown, after which the same request may
        be sent again. One device of many that cannot be ordered stops no other.
        """
        _check(request)
        problems = await self.problems(request)
        if len(problems) == len(request.devices):
            raise problems[request.devices[0].address]
        if request.authority is None and any(map(needs_password, request.devices)):
            raise InvalidValue("password", "a set or a control needs the meter's password")
        now, why = utc_now(), self.why_approval(request)
        wanted = ControlOrder(
            new_id(),
            request.request_id,
            request.device,
            dict(request.what),
            tuple(
                Target(each.address, str(problems.get(each.address, "")))
                for each in request.devices
            ),
            request.purpose,
            by,
            now,
            now + timedelta(minutes=request.valid_min),
            station=self._station,
            group=request.group,
            valid_min=request.valid_min,
            why_approval=why,
            state="waiting" if why else "approved",
            addresses=tuple(each.address for each in request.devices),
        )
        if request.authority is not None:  # Before anybody can find the order and make commands.
            self._authorities[wanted.id] = request.authority, wanted.expires_at
        try:
            standing = await self._store.order(wanted)
        except StationError:
            self._authorities.pop(wanted.id, None)
            raise
        if standing.id == wanted.id:
            self._announce(standing)
        else:
            self._authorities.pop(wanted.id, None)
        return await self._issue(standing) if standing.state == "approved" else standing

    async def approve(self, order_id: str, by: str, reason: str = "") -> ControlOrder:
        """Agree to an order as the second person. Raises NotFound and Conflict."""
        order = await self._store.get(order_id)
        if order.by == by:
            raise Conflict("a second person must approve: you ordered this")
        return await self._issue(await self._decide(order_id, "approved", by, reason))

    async def refuse(self, order_id: str, by: str, reason: str) -> ControlOrder:
        """Refuse an order as the second person. Raises InvalidValue, NotFound and Conflict."""
        return await self._decide(order_id, "refused", by, checked_reason(reason))

    async def cancel(self, order_id: str, by: str) -> ControlOrder:
        """Withdraw an order: all of one that waits for a person, else what is not yet sent.

        Raises NotFound, and Conflict when nothing is left to withdraw.
        """
        order = await self._store.get(order_id)
        if order.state != "approved":
            return await self._decide(order_id, "withdrawn", by, "")
        cancelled = 0
        for command in await self.commands_of(order, "queued"):
            with contextlib.suppress(Conflict):  # Sent in the same moment.
                await self._commands.cancel(command.id, by)
                cancelled += 1
        if not cancelled:
            raise Conflict(f"control order {order_id} has nothing left that is not sent")
        self._announce(order)
        return order

    async def commands_of(self, order: ControlOrder, state: str | None = None) -> list[Command]:
        """Return the commands that an order has become."""
        found, _ = await self._database.commands.list(
            batch=order.id, state=state, limit=TARGETS_MAX
        )
        return found

    async def _decide(
        self, order_id: str, decision: Decision, by: str, reason: str
    ) -> ControlOrder:
        order = await self._store.decide(order_id, decision, by, reason, utc_now())
        if decision != "approved":
            self._authorities.pop(order_id, None)
        self._announce(order)
        return order

    async def _issue(self, order: ControlOrder) -> ControlOrder:
        """Make the commands of an approved order, each once, however often this is tried."""
        async with self._issuing:
            order = await self._store.get(order.id)
            if order.issued:
                return order
            devices = {each.address: each for each in await self._devices(order)}
            ready = [devices[address] for address in order.ready if address in devices]
            refused = await self._keep_power.refusals(str(order.what["order"]), ready)
            targets = [
                replace(target, problem=await self._order_one(order, target, devices, refused))
                for target in order.targets
            ]
            issued = await self._store.issue(order, targets)
            self._authorities.pop(order.id, None)
        self._announce(issued)
        return issued

    async def _order_one(
        self,
        order: ControlOrder,
        target: Target,
        devices: Mapping[str, Device],
        refused: Mapping[str, str],
    ) -> str:
        """Order one device's command; return what speaks against it."""
        address = target.address
        problem = target.problem or refused.get(address, "")
        if problem:
            return problem
        device = devices.get(address)
        if device is None:
            return f"there is no {order.device} {address}"
        authority, _ = self._authorities.get(order.id, (None, None))
        try:
            await self._commands.order(
                Order(
                    _request_of(order, address),
                    "control",
                    address,
                    what_of(device, order.what),
                    order.purpose,
                    order.valid_min,
                    authority,
                    device=order.device,
                    batch=order.id,
                    until=order.expires_at,
                    approved_by=order.decided_by,
                ),
                order.by,
            )
        except InvalidValue as error:
            return LOST if error.field == "password" else str(error)
        except (Conflict, NotFound) as error:
            return str(error)
        return ""

    async def _devices(self, order: ControlOrder) -> Sequence[Device]:
        if order.device == "terminal":
            return await self._database.terminals.many(order.addresses)
        return await self._database.meters.many(order.addresses)

    async def _wants_password(self, order: ControlOrder) -> bool:
        return any(map(needs_password, await self._devices(order)))

    async def _tick(self) -> None:
        """End what nobody agreed to in time, and order what is approved and was left behind."""
        with contextlib.suppress(DatabaseDown):
            now = utc_now()
            for order_id, (_, until) in [*self._authorities.items()]:
                if until <= now:
                    del self._authorities[order_id]
            if await self._store.expire(self._station, now):
                self._feed.announce("controls", {})
            for order in await self._store.unissued(self._station):
                await self._issue(order)

    def _announce(self, order: ControlOrder) -> None:
        log.info("control order %s: %s", order.id, order.state)
        self._feed.announce("controls", {"id": order.id, "state": order.state})


def _request_of(order: ControlOrder, address: str) -> str:
    """Return the request id of one device's command: the same each time, and the person's own
    where there is one device only."""
    if len(order.targets) == 1:
        return order.request_id
    return hashlib.sha256(f"{order.id} {address}".encode()).hexdigest()[:32]


def _check(request: ControlRequest) -> None:
    if not 0 < len(request.request_id) <= REQUEST_ID_SIZE_MAX:
        raise InvalidValue("request_id", f"1 to {REQUEST_ID_SIZE_MAX} characters are needed")
    if not 1 <= len(request.devices) <= TARGETS_MAX:
        raise InvalidValue("devices", f"{len(request.devices)} devices are not in 1..{TARGETS_MAX}")
    if not 1 <= request.valid_min <= VALID_MIN_MAX:
        raise InvalidValue("valid_min", f"{request.valid_min} is not in 1..{VALID_MIN_MAX}")
    if len(request.purpose) > PURPOSE_SIZE_MAX:
        raise InvalidValue("purpose", f"at most {PURPOSE_SIZE_MAX} characters")
    if not request.purpose:
        raise InvalidValue("purpose", "say why this is ordered")
