"""Control orders at their devices: what is sent, and what the device then shows.

A meter of DL/T 645-2007 has a relay; a terminal has rounds, and so, with one of them, a meter of
DL/T 698.45. Before anything is sent the keep-power list is asked once more.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from station.collector import object_control, terminal_control
from station.collector.control import (
    RELAY_ORDERS,
    Finding,
    Mandate,
    MeterLine,
    Relay,
    deed_of,
)
from station.collector.drivers.base import NoMemory
from station.collector.drivers.dlt698_talk import ForwardingBus, Port698, Talk698
from station.collector.items import DLT698
from station.collector.keep_power import Device, KeepPower
from station.collector.object_control import Rounds698
from station.collector.terminal_control import (
    Rounds1376,
    RoundsErrand,
    RoundsLine,
    TerminalOrder,
    terminal_order,
)
from station.frontend.link import Priority
from station.frontend.registry import Registry
from station.protocols.dlt645 import requests
from station.protocols.dlt645.requests import Authority
from station.protocols.secrecy import without_passwords
from station.store.objects.commands import DeviceKind
from station.store.objects.control_looks import ControlLook, ControlLooks
from station.store.objects.meters import Meter
from station.store.objects.terminals import Terminal
from station.units import utc_now

CONTROL_STATE = "control_state"  # What a read of it is kept with.
QGDW1376 = "qgdw1376"


class RelayErrand:
    """An order to a meter with a relay."""

    def __init__(self, relay: Relay, line: MeterLine) -> None:
        self._relay = relay
        self._line = line

    async def perform(self, mandate: Mandate) -> int:
        return await self._relay.perform(self._line, mandate)

    async def outcome(self, _mandate: Mandate | None) -> Finding:
        return await self._relay.outcome(self._line)


class ControlErrand:
    """An order that is refused of protected devices; what the device shows is kept."""

    def __init__(
        self,
        inner: RelayErrand | RoundsErrand,
        refusal: Callable[[], Awaitable[str]],
        on_finding: Callable[[Finding], Awaitable[None]],
    ) -> None:
        self._inner = inner
        self._refusal = refusal
        self._on_finding = on_finding

    async def refusal(self) -> str:
        """Return why it may not be sent, as it is at this moment; empty: it may."""
        return await self._refusal()

    async def perform(self, mandate: Mandate) -> int:
        return await self._inner.perform(mandate)

    async def outcome(self, mandate: Mandate | None) -> Finding:
        finding = await self._inner.outcome(mandate)
        await self._on_finding(finding)
        return finding


class Controls:
    """Makes the errands and the frames of control orders, and looks at devices."""

    def __init__(
        self,
        looks: ControlLooks,
        keep_power: KeepPower,
        registry: Registry,
        zone: ZoneInfo,
        *,
        master: int = 1,
    ) -> None:
        """`master` is the station's address in the frames that are shown before they are sent."""
        self.looks = looks
        self._keep_power = keep_power
        self._registry = registry
        self._zone = zone
        self._master = master

    def errand(self, device: Device, what: Mapping[str, Any]) -> ControlErrand:
        """Return what an order does. Raises LinkDown, and InvalidValue for what cannot be."""
        check_control(device, what)
        inner: RelayErrand | RoundsErrand
        if has_relay(device):
            assert isinstance(device, Meter), "only meters have one relay"
            deed = deed_of("control", what, device)
            assert isinstance(deed, Relay), "a control orders a relay"
            inner = RelayErrand(deed, self._meter_line(device))
        else:
            inner = RoundsErrand(self._rounds(device), _order_of(device, what))
        return ControlErrand(
            inner, partial(self._refusal, device, str(what["order"])), partial(self._keep, device)
        )

    async def look(self, device: Device) -> Mapping[str, Any]:
        """Ask what a device shows and keep it. Raises LinkDown and what an exchange raises."""
        check_relays(device)
        if has_relay(device):
            assert isinstance(device, Meter), "only meters have one relay"
            finding = await Relay(RELAY_ORDERS["trip"]).outcome(self._meter_line(device))
        else:
            rounds = await self._rounds(device).look()
            finding = Finding("done", rounds.result())
        await self._keep(device, finding)
        return finding.result

    def frames(
        self, device: Device, what: Mapping[str, Any], until: datetime, authority: Authority
    ) -> list[bytes]:
        """Return the frames of an order as they would be sent; the password is hidden.

        Raises InvalidValue for what cannot be ordered.
        """
        check_control(device, what)
        if has_relay(device):
            command = RELAY_ORDERS[str(what["order"])].command
            local = until.astimezone(self._zone)
            request = requests.control(device.address, command, local, authority)
            return [without_passwords(request.to_bytes())]
        order = _order_of(device, what)
        if device.protocol == QGDW1376:
            return [terminal_control.control_frame(device.address, order, self._master)]
        return [object_control.control_frame(device.address, order, until, self._zone)]

    def _meter_line(self, meter: Meter) -> MeterLine:
        return MeterLine(self._registry.bus(meter), meter, self._zone)

    def _rounds(self, device: Device) -> RoundsLine:
        if isinstance(device, Meter):
            return Rounds698(self._port(device), device.address, self._zone)
        terminal = self._registry.terminal(device.address)
        if device.protocol == QGDW1376:
            return Rounds1376(terminal)
        return Rounds698(terminal, device.address, self._zone)

    def _port(self, meter: Meter) -> Port698:
        """Return the way to a meter; a terminal may want an association before it forwards."""
        bus = self._registry.bus(meter)
        terminal = self._registry.terminals.get(meter.link)
        if terminal is None or terminal.protocol != DLT698 or terminal.address == meter.address:
            return bus
        port, address = self._registry.terminal(terminal.address), terminal.address
        return ForwardingBus(
            bus, Talk698(port, address, address, priority=Priority.CONTROL, memory=NoMemory())
        )

    async def _refusal(self, device: Device, order: str) -> str:
        return (await self._keep_power.refusals(order, [device])).get(device.address, "")

    async def _keep(self, device: Device, finding: Finding) -> None:
        kind: DeviceKind = "meter" if isinstance(device, Meter) else "terminal"
        look = ControlLook(device.address, kind, finding.result, utc_now())
        await self.looks.keep(look)


def has_relay(device: Device) -> bool:
    """Tell whether a device has the one relay of a meter of DL/T 645."""
    return isinstance(device, Meter) and device.protocol != DLT698


def needs_password(device: Device) -> bool:
    """Tell whether an order to a device carries a password."""
    return has_relay(device)


def check_relays(device: Device) -> None:
    """Check that a device has relays that can be looked at. Raises InvalidValue."""
    check_control(device, {"order": "trip"})


def check_control(device: Device, what: Mapping[str, Any]) -> None:
    """Check that a control can be ordered of a device. Raises InvalidValue."""
    if has_relay(device):
        assert isinstance(device, Meter), "only meters have one relay"
        deed_of("control", what, device)
    elif isinstance(device, Terminal):
        terminal_order(what, device.protocol)
    else:
        terminal_order({**what, "round": 1}, device.protocol)


def what_of(device: Device, what: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the command of one device is kept with."""
    return dict(what) if needs_password(device) else {**what, "keyless": True}


def _order_of(device: Device, what: Mapping[str, Any]) -> TerminalOrder:
    return terminal_order(
        what if isinstance(device, Terminal) else {**what, "round": 1}, device.protocol
    )
