"""Drivers: one module per protocol says how a meter is read. `driver_for` picks.

A terminal that collects keeps records of its meters; `stored_driver_for` reads those of many meters
at once, and a meter's own driver has them as one more way.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from zoneinfo import ZoneInfo

from station.collector.drivers import dlt645, dlt698, terminal698, terminal1376
from station.collector.drivers.base import (
    Driver,
    Memory,
    NoMemory,
    ReadWay,
    Refusals,
    StoredDriver,
    read_by_ways,
)
from station.collector.drivers.dlt645 import Dlt645Driver
from station.collector.drivers.dlt698 import Dlt698Driver
from station.collector.drivers.dlt698_talk import (
    Asker,
    DirectAsker,
    ForwardingBus,
    ProxyAsker,
    Talk698,
)
from station.collector.drivers.terminal698 import Terminal698
from station.collector.drivers.terminal1376 import Terminal1376
from station.collector.items import DLT698
from station.collector.outcome import Outcome
from station.collector.plan import Want, Way
from station.frontend.link import Priority
from station.frontend.registry import Registry
from station.store.objects.meters import Meter
from station.store.objects.terminals import Terminal

__all__ = [
    "Driver",
    "Memory",
    "NoMemory",
    "StoredDriver",
    "driver_for",
    "exchanges_of",
    "stored_driver_for",
]

_QGDW1376 = "qgdw1376"


def driver_for(
    meter: Meter,
    terminal: Terminal | None,
    registry: Registry,
    *,
    priority: Priority,
    zone: ZoneInfo,
    memory: Memory | None = None,
) -> Driver:
    """Return what reads a meter; `terminal` is that of its link, None on a channel.

    Raises LinkDown, or InvalidValue when the terminal cannot be told of the meter's port.
    """
    kept = memory or NoMemory()
    ways: dict[Way, ReadWay] = {}
    if terminal is not None:
        stored = stored_driver_for(terminal, registry, priority=priority, zone=zone, memory=kept)
        if stored is not None:
            ways[Way.TERMINAL] = partial(_read_stored, stored, meter)
    bus = registry.bus(meter)
    is_behind = terminal is not None and meter.address != terminal.address
    if terminal is not None and is_behind and terminal.protocol == DLT698:
        port, address = registry.terminal(terminal.address), terminal.address
        bus = ForwardingBus(
            bus, Talk698(port, address, address, priority=priority, memory=NoMemory())
        )
    if meter.protocol != DLT698:
        return _WaysDriver(
            ways | Dlt645Driver(bus, meter, priority=priority, zone=zone, memory=kept).ways
        )
    refusals = Refusals(kept, meter.address, zone)
    asker: Asker = DirectAsker(
        Talk698(bus, meter.address, meter.address, priority=priority, memory=kept), meter.line
    )
    if terminal is not None and terminal.collects and terminal.protocol == DLT698:
        port = registry.terminal(terminal.address)
        talk = Talk698(port, terminal.address, meter.address, priority=priority, memory=kept)
        asker = ProxyAsker(talk, asker, refusals, meter.line)
    return _WaysDriver(ways | Dlt698Driver(asker, meter, zone=zone, refusals=refusals).ways)


def stored_driver_for(
    terminal: Terminal,
    registry: Registry,
    *,
    priority: Priority,
    zone: ZoneInfo,
    memory: Memory | None = None,
) -> StoredDriver | None:
    """Return what reads the records that a terminal keeps of its meters, or None if it keeps none.

    Raises LinkDown.
    """
    if not terminal.collects or terminal.protocol not in (DLT698, _QGDW1376):
        return None
    kept = memory or NoMemory()
    port = registry.terminal(terminal.address)
    if terminal.protocol == DLT698:
        return Terminal698(port, terminal.address, priority=priority, zone=zone, memory=kept)
    return Terminal1376(port, priority=priority, zone=zone, memory=kept)


def exchanges_of(meter: Meter, terminal: Terminal | None, wants: Sequence[Want]) -> int:
    """Return how many exchanges these points take when each is had in its best way."""
    by_way: dict[Way, list[Want]] = defaultdict(list)
    for want in wants:
        by_way[want.ways[0]].append(want)
    stored = by_way.pop(Way.TERMINAL, [])
    count = _exchanges_of_stored(terminal, stored) if stored else 0
    for way, members in by_way.items():
        if meter.protocol == DLT698:
            count += dlt698.exchanges_of(members, way)
        else:
            count += dlt645.exchanges_of(meter, members, way)
    return count


def _exchanges_of_stored(terminal: Terminal | None, wants: Sequence[Want]) -> int:
    if terminal is not None and terminal.protocol == DLT698:
        return terminal698.exchanges_of(wants)
    return terminal1376.exchanges_of(wants)


class _WaysDriver:
    """A driver made of ways."""

    def __init__(self, ways: Mapping[Way, ReadWay]) -> None:
        self._ways = ways

    async def read(self, wants: Sequence[Want]) -> AsyncIterator[list[Outcome]]:
        """Yield what came of the points, exchange by exchange; see `Driver`."""
        async for outcomes in read_by_ways(self._ways, wants):
            yield outcomes


async def _read_stored(
    stored: StoredDriver, meter: Meter, wants: Sequence[Want]
) -> AsyncIterator[list[Outcome]]:
    async for outcomes in stored.read([(meter, wants)]):
        yield [outcome for _, outcome in outcomes]
