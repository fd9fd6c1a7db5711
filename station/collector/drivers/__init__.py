"""Drivers: one module per protocol says how a meter is read. `driver_for` picks."""

from collections import defaultdict
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from station.collector.drivers import dlt645
from station.collector.drivers.base import Driver, Memory, NoMemory
from station.collector.drivers.dlt645 import Dlt645Driver
from station.collector.plan import Want, Way
from station.frontend.link import Priority
from station.frontend.registry import Registry
from station.store.objects.meters import Meter
from station.store.objects.terminals import Terminal

__all__ = ["Driver", "Memory", "NoMemory", "driver_for", "exchanges_of"]


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
    del terminal
    return Dlt645Driver(registry.bus(meter), meter, priority=priority, zone=zone, memory=memory)


def exchanges_of(meter: Meter, terminal: Terminal | None, wants: Sequence[Want]) -> int:
    """Return how many exchanges these points take when each is had in its best way."""
    del terminal
    by_way: dict[Way, list[Want]] = defaultdict(list)
    for want in wants:
        by_way[want.ways[0]].append(want)
    return sum(dlt645.exchanges_of(meter, members, way) for way, members in by_way.items())
