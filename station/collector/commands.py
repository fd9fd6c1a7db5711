"""Commands that outlive a dropped link and a restart: read, set, control.

A command waits until its meter's link is up. The commands of one meter are carried out one at a
time, in the order in which they were given; `execution.py` says how. Passwords stay in this
process's memory: a command that still waits when the station is started again fails and says so;
one that was sent already is still asked for its outcome.
"""

import asyncio
import contextlib
import logging
import time
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from station import tasks
from station.collector.clocks import check_clock
from station.collector.control_errands import CONTROL_STATE, check_relays
from station.collector.errands import (
    ADDRESS,
    PARAMETERS,
    check_order,
    is_clock,
    needs_authority,
)
from station.collector.execution import DATABASE_PAUSE_S, Execution, Pending, ended
from station.collector.items import ITEM_BY_CODE, has_item
from station.collector.parameter_dialects import Device
from station.collector.parameters import check_codes
from station.errors import Conflict, DatabaseDown, InvalidValue, NotFound
from station.frontend.registry import Registry
from station.protocols.dlt645.requests import Authority
from station.store.objects import commands as store
from station.store.objects.base import new_id
from station.store.objects.commands import Command, CommandKind, DeviceKind, Step
from station.store.objects.meters import Meter, Meters
from station.store.objects.stages import check_there
from station.store.objects.terminals import Terminals
from station.units import utc_now

log = logging.getLogger(__name__)

OPEN_MAX = 10_000  # Commands that wait; some 20 MB of memory.
WORKERS_MAX = 200  # Meters at once; a line takes a thousand questions (frontend/link.py).
REQUEST_ID_SIZE_MAX = 64  # Characters; a UUID has 36.
PURPOSE_SIZE_MAX = 200  # Characters; a sentence.
VALID_MIN = 60  # How long an order is good for when nobody says otherwise,
VALID_MIN_MAX = 7 * 24 * 60  # and at most: a trip from last week surprises people.

TICK_S = 1.0  # How late an expiry or the end of a pause is noticed.
DEFECT_PAUSE_S = 300.0  # After an error that is ours, so that it fills no log.


@dataclass(frozen=True, slots=True)
class Order:
    """What a person, or a program, asks for; a set and a control need an `authority`.

    `what` is {"items": [codes]} of a read, {"parameter": "clock"} or {"parameter": data identifier,
    "value": text} of a set, {"order": a key of RELAY_ORDERS} of a control; of parameters of any
    device {"parameters": [codes]} of a read and {"parameters": [{"code", "values"}]} of a set.
    {"control_state": True} reads how relays stand. `meter` is the address of the device, `secret` a
    new password. A control is ordered through `control_orders`, which knows who has to agree.
    """

    request_id: str
    kind: CommandKind
    meter: str
    what: Mapping[str, Any]
    purpose: str = ""
    valid_min: int = VALID_MIN
    authority: Authority | None = None
    device: DeviceKind = "meter"
    batch: str = ""
    secret: Authority | None = None
    until: datetime | None = None  # Instead of `valid_min` from now.
    approved_by: str = ""


@dataclass(slots=True)
class _Lane:
    """The open commands of one meter, in order; `worker` carries out the first."""

    meter: str
    pending: deque[Pending] = field(default_factory=deque)
    not_before: float = 0.0
    worker: "asyncio.Task[None] | None" = None


class Commands:
    """Takes commands and sees each of them to its end."""

    def __init__(
        self,
        *,
        registry: Registry,
        meters: Meters,
        commands: store.Commands,
        execution: Execution,
        station: str,
        terminals: Terminals | None = None,
        tick_s: float = TICK_S,
    ) -> None:
        """Without `terminals` nothing is ordered of one."""
        self._meters = meters
        self._terminals = terminals
        self._store = commands
        self._execution = execution
        self._station = station
        self._tick_s = tick_s
        self._lanes: dict[str, _Lane] = {}
        self._links: dict[str, set[str]] = defaultdict(set)  # Link to the meters that wait for it.
        self._known: set[str] = set()  # Ids of the commands in the lanes.
        self._workers = asyncio.Semaphore(WORKERS_MAX)
        self._ticking: asyncio.Task[None] | None = None
        registry.when_up(self._link_up)

    async def start(self) -> None:
        """Take up what the last run of the station left open. Raises DatabaseDown."""
        for command in await self._store.open(self._station):
            self._enter(Pending(await self._take_up(command)))
        self._ticking = tasks.spawn(
            tasks.periodically(self._tick_s, self._tick, name="commands"), name="commands"
        )

    async def stop(self) -> None:
        """Stop; what is under way is asked for its outcome after the next start."""
        await tasks.cancel(self._ticking, *(lane.worker for lane in self._lanes.values()))

    @property
    def waiting(self) -> int:
        """Return how many commands are open."""
        return len(self._known)

    async def order(self, order: Order, by: str) -> Command:
        """Take an order and return its command; the same request again returns the same command.

        Raises InvalidValue, NotFound (the device), Conflict (the request id was another order, or
        too many commands wait) and DatabaseDown, after which the same request may be sent again.
        """
        device = await self._device(order)
        check_there(device)
        _check(order, device)
        if order.what.get("parameter") == ADDRESS and isinstance(device, Meter):
            await self._check_alone(device)
        if len(self._known) >= OPEN_MAX:
            raise Conflict(f"{OPEN_MAX} commands wait already")
        now = utc_now()
        command = Command(
            new_id(),
            order.request_id,
            order.kind,
            device.address,
            device.link if isinstance(device, Meter) else device.address,
            order.what,
            by,
            now,
            order.until or now + timedelta(minutes=order.valid_min),
            station=self._station,
            device=order.device,
            batch=order.batch,
            purpose=order.purpose,
            valid_min=order.valid_min,
            approved_by=order.approved_by,
            history=(Step(now, "queued", order.purpose),),
        )
        standing = await self._store.order(command)
        pending = Pending(standing, order.authority, order.secret)
        if standing.station == self._station and self._enter(pending):
            self._execution.announce(standing)
        return standing

    async def cancel(self, command_id: str, by: str) -> Command:
        """Withdraw a command that still waits, and return it.

        Raises NotFound, and Conflict when it has been sent or has ended.
        """
        command = await self._store.get(command_id)
        if command.state != "queued":
            raise Conflict(f"command {command_id} is {command.state} already")
        step = Step(utc_now(), "failed", f"cancelled by {by}")
        withdrawn = await self._store.advance(command, ended(command, step))
        self._execution.announce(withdrawn)
        lane = self._lanes.get(command.meter)
        for pending in lane.pending if lane is not None else ():
            if pending.command.id == command_id:
                pending.command = withdrawn
        self._wake(command.meter)
        return withdrawn

    async def _take_up(self, command: Command) -> Command:
        """Return a command as it stands after a restart."""
        now = utc_now()
        if command.state == "sent":
            reason = "the station was started again while this was under way"
            step = Step(now, "restarted", reason, began_at=command.sent_at)
            return await self._store.advance(command, command.stepped(step))
        if not needs_authority(command.kind, command.what, command.device):
            return command
        reason = "the station was started again, and its password was only kept in memory"
        return await self._store.advance(command, ended(command, Step(now, "failed", reason)))

    # Lanes.

    async def _device(self, order: Order) -> Device:
        if order.device == "meter":
            return await self._meters.get(order.meter)
        if self._terminals is None:
            raise NotFound(f"there is no terminal {order.meter}")
        return await self._terminals.get(order.meter)

    async def _check_alone(self, meter: Meter) -> None:
        """Refuse a new address where other meters would take it too (15H goes to all)."""
        others = [
            each.address
            for each in await self._meters.on_link(meter.link)
            if each.port == meter.port and each.address != meter.address
        ]
        if others:
            raise InvalidValue(
                "parameter",
                f"{len(others)} other meters are on the same line and would take the address too",
            )

    def _enter(self, pending: Pending) -> bool:
        """Put a command into its device's lane, unless it is there or has ended."""
        command = pending.command
        if not command.is_open or command.id in self._known:
            return False
        self._known.add(command.id)
        lane = self._lanes.setdefault(command.meter, _Lane(command.meter))
        lane.pending.append(pending)
        self._wake(command.meter)
        return True

    def _link_up(self, link: str) -> None:
        for meter in self._links.pop(link, ()):
            self._wake(meter)

    async def _tick(self) -> None:
        """Expire what waited too long, and go on where a pause is over."""
        now, moment = time.monotonic(), utc_now()
        for lane in tuple(self._lanes.values()):
            for pending in tuple(lane.pending)[1:]:
                if pending.command.state == "queued" and pending.command.expires_at <= moment:
                    with contextlib.suppress(Conflict):  # Withdrawn in the same moment.
                        await self._execution.expire(pending)
            first = lane.pending[0].command if lane.pending else None
            is_over = first and first.state == "queued" and first.expires_at <= moment
            if is_over or lane.not_before <= now:
                self._wake(lane.meter)

    def _wake(self, meter: str) -> None:
        lane = self._lanes.get(meter)
        if lane is not None and lane.worker is None:
            lane.worker = tasks.spawn(self._work(lane), name=f"commands of meter {meter}")

    async def _work(self, lane: _Lane) -> None:
        """Carry out a lane's commands until it is empty or has to pause."""
        pause_s = 0.0
        try:
            async with self._workers:
                while lane.pending and not pause_s:
                    pause_s = await self._step(lane.pending[0])
                    while lane.pending and not lane.pending[0].command.is_open:
                        self._known.discard(lane.pending.popleft().command.id)
        finally:
            lane.worker = None
            lane.not_before = time.monotonic() + pause_s
            if not lane.pending:
                self._lanes.pop(lane.meter, None)
            elif link := lane.pending[0].waits_for:
                self._links[link].add(lane.meter)

    async def _step(self, pending: Pending) -> float:
        """Take one step with a command and return how long to pause before the next, in s."""
        try:
            if pending.command.is_open:
                return await self._execution.step(pending)
        except DatabaseDown:
            return DATABASE_PAUSE_S
        except (Conflict, NotFound):  # A person withdrew it in the same moment.
            return await self._reload(pending)
        except Exception:  # The border of a command: the others of this station go on.
            log.exception("command %s", pending.command.id)
            return DEFECT_PAUSE_S
        return 0.0

    async def _reload(self, pending: Pending) -> float:
        try:
            pending.command = await self._store.get(pending.command.id)
        except DatabaseDown:
            return DATABASE_PAUSE_S
        return 0.0


def _check(order: Order, device: Device) -> None:
    _within("request_id", len(order.request_id), 1, REQUEST_ID_SIZE_MAX)
    _within("purpose", len(order.purpose), 0, PURPOSE_SIZE_MAX)
    _within("valid_min", order.valid_min, 1, VALID_MIN_MAX)
    if order.kind == "read":
        if PARAMETERS in order.what:
            check_codes(device, order.what[PARAMETERS])
        elif is_clock(order.what):
            check_clock(device)
        elif CONTROL_STATE in order.what:
            check_relays(device)
        elif isinstance(device, Meter):
            _check_items(order.what.get("items", ()), device)
        else:
            raise InvalidValue("items", "a terminal is read for its parameters")
        return
    check_order(order.kind, order.what, device)
    if order.authority is None and needs_authority(order.kind, order.what, order.device):
        raise InvalidValue("password", "a set or a control needs the meter's password")
    if not order.purpose:
        raise InvalidValue("purpose", "say why this is ordered")


def _check_items(codes: Any, meter: Meter) -> None:
    if not codes:
        raise InvalidValue("items", "name at least one item to read")
    for code in codes:
        if code not in ITEM_BY_CODE:
            raise InvalidValue("items", f"there is no item {code!r}")
        if not has_item(meter.protocol, ITEM_BY_CODE[code]):
            raise InvalidValue("items", f"meters of {meter.protocol} have no item {code!r}")


def _within(field_name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InvalidValue(field_name, f"{value} is not in {low}..{high}")
