"""The catalogue's items in groups, as people look for them."""

from collections.abc import Iterable
from typing import NamedTuple

from station.collector.items import ITEMS, Item
from station.words import Text


class Group(NamedTuple):
    """A group of items; `prefixes` are the beginnings of their codes."""

    name: Text
    prefixes: tuple[str, ...]


GROUPS = (
    Group(Text("Energy", "电能"), ("energy_",)),
    Group(Text("Demand", "需量"), ("demand_",)),
    Group(Text("Power", "功率"), ("power_", "reactive_power_")),
    Group(
        Text("Voltage, current, frequency", "电压、电流、频率"),
        ("voltage_", "current_", "frequency"),
    ),
    Group(Text("Clock and state", "时钟与状态"), ("clock", "status_word_")),
    Group(Text("Prepayment", "预付费"), ("remaining_",)),
)


def grouped(items: Iterable[Item] = ITEMS) -> list[tuple[Group, list[Item]]]:
    """Return items by group, in the catalogue's order; groups without items are left out."""
    found = [
        (group, [item for item in items if item.code.startswith(group.prefixes)])
        for group in GROUPS
    ]
    return [(group, members) for group, members in found if members]


assert sum(len(members) for _, members in grouped()) == len(ITEMS), "an item without a group"
