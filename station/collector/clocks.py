"""Looks at the clocks of devices and keeps how wrong they are; see `clock` for the reckoning."""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from station.collector.clock import (
    SET,
    ClockLine,
    Look,
    MeterClock,
    TerminalClock,
)
from station.collector.clock_events import ClockEvents
from station.collector.control import MeterLine
from station.collector.drivers.base import NoMemory
from station.collector.drivers.dlt698_talk import Port698, Talk698, port_of
from station.collector.items import DLT698
from station.collector.object_clock import TIMEOUT_S, ObjectClock
from station.collector.parameter_catalogue import QGDW1376
from station.collector.parameter_dialects import Device, kind_of
from station.errors import ExchangeError, InvalidValue
from station.frontend.link import Priority
from station.frontend.registry import Registry
from station.live import Feed
from station.protocols.dlt645 import Version
from station.store.objects import clocks as store
from station.store.objects.clocks import ClockLook, ClockState
from station.store.objects.meters import Meter
from station.store.objects.terminals import Terminal
from station.units import utc_now

_MILLISECOND = timedelta(milliseconds=1)


class Clocks:
    """The clocks of all devices."""

    def __init__(
        self,
        clocks: store.Clocks,
        registry: Registry,
        feed: Feed,
        zone: ZoneInfo,
        events: ClockEvents | None = None,
    ) -> None:
        """`events` are told of what each look has found."""
        self._events = events
        self._store = clocks
        self._registry = registry
        self._feed = feed
        self._zone = zone

    def line(
        self, device: Device, *, way: str = SET, priority: Priority = Priority.CONTROL
    ) -> ClockLine:
        """Return a clock to look at and to set. Raises LinkDown, and InvalidValue (protocol)."""
        check_clock(device)
        if device.protocol == DLT698:
            return self._object_clock(device, priority)
        if isinstance(device, Terminal):
            return TerminalClock(self._registry.terminal(device.address), self._zone, priority)
        line = MeterLine(self._registry.bus(device), device, self._zone, priority)
        return MeterClock(line, way)

    def _object_clock(self, device: Device, priority: Priority) -> ObjectClock:
        address = device.address
        if isinstance(device, Terminal):
            port: Port698 = self._registry.terminal(address)
            talk = Talk698(port, address, address, priority=priority, memory=NoMemory())
            return ObjectClock(talk, self._zone, "terminal", TIMEOUT_S)
        port = port_of(self._registry, device, priority)
        talk = Talk698(port, address, address, priority=priority, memory=NoMemory())
        return ObjectClock(talk, self._zone, "meter")

    async def check(self, device: Device, *, priority: Priority = Priority.RECALL) -> Look:
        """Look at a clock and keep what it shows. Raises what `line` and an exchange raise."""
        line = self.line(device, priority=priority)
        try:
            look = await line.look()
        except ExchangeError as error:
            await self._keep(device, None, str(error))
            raise
        await self.note(device, look)
        return look

    async def note(self, device: Device, look: Look) -> None:
        """Keep what a clock shows."""
        await self._keep(device, look, "")

    async def note_set(self, device: Device, look: Look) -> None:
        """Keep what a clock shows after it was set: its drift is reckoned anew from here on."""
        await self._keep(device, look, "", after_set=True)

    async def _keep(
        self, device: Device, look: Look | None, problem: str, *, after_set: bool = False
    ) -> None:
        link = device.link if isinstance(device, Meter) else device.address
        found = await self._store.find(device.address)
        state = found or ClockState(device.address, kind_of(device), link)
        if look is None:
            state = replace(state, link=link, problem=problem, problem_at=utc_now())
        else:
            deviation_ms = round(look.deviation / _MILLISECOND)
            uncertainty_ms = round(look.uncertainty / _MILLISECOND)
            known = ClockLook(look.at, deviation_ms, uncertainty_ms, after_set)
            state = replace(state, link=link).with_look(known)
        await self._store.keep(state)
        if look is not None and self._events is not None:
            await self._events.note(found, state)
        self._feed.announce("clocks", {"device": device.address})


def way_of(device: Device, way: str) -> str:
    """Return the way to set a clock: a broadcast is for meters of DL/T 645 alone."""
    return way if isinstance(device, Meter) and device.protocol != DLT698 else SET


def check_clock(device: Device) -> None:
    """Refuse a device whose clock is not set from here. Raises InvalidValue."""
    others = [QGDW1376] if isinstance(device, Terminal) else [each.value for each in Version]
    if device.protocol not in (DLT698, *others):
        raise InvalidValue("protocol", f"clocks of {device.protocol} are not set from here")
