"""Drivers: one module per protocol says how a meter is read. `driver_for` picks."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from station.collector.drivers.base import Driver, Memory, NoMemory
from station.collector.drivers.dlt645 import Dlt645Driver
from station.collector.plan import Want
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
    del terminal, memory
    return Dlt645Driver(registry.bus(meter), meter, priority=priority, zone=zone)


def exchanges_of(meter: Meter, terminal: Terminal | None, wants: Sequence[Want]) -> int:
    """Return about how many exchanges these points take when everything answers."""
    del meter, terminal
    return len({(want.moment, want.item.id_2007 or 0) for want in wants})
