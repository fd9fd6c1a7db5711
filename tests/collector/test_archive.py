"""The archive takes what can be, and says by name what cannot."""

from dataclasses import replace

import pytest
from small_site import SITE, TERMINAL

from station.errors import Conflict, InvalidValue, NotFound
from station.store.objects.channels import Channel
from station.store.objects.meters import Meter
from station.store.objects.tasks import Task
from station.store.objects.terminals import Terminal

METER = Meter("000000000161", "Meter", link="99000001")
TASK = Task("t", "Curve", ("power_total",), 15)
CHANNEL = Channel("line-1", "/dev/ttyUSB0")


@pytest.mark.parametrize(
    ("change", "field", "text"),
    [
        ({"address": "123"}, "address", "'123' is not 12 digits"),
        ({"address": "00000000016G"}, "address", "'00000000016G' is not 12 digits"),
        ({"protocol": "modbus"}, "protocol", "there is no protocol 'modbus'"),
        ({"profile_interval_min": 7}, "profile_interval_min", "7 is none of 0, 1, 5, 15, 30, 60"),
        ({"point": 0}, "point", "0 is not in 1..2040"),
        ({"point": 2041}, "point", "2041 is not in 1..2040"),
        ({"port": 0}, "port", "0 is not in 1..31"),
        ({"port": 32}, "port", "32 is not in 1..31"),
        ({"tariffs": 64}, "tariffs", "64 is not in 1..63"),
        ({"line": "2400"}, "line", "2400"),
        ({"line": "57600 8N1"}, "line", "a terminal forwards at 300, .* bit/s, not at 57600"),
        ({"link": "99000009"}, "link", "there is no terminal or channel 99000009"),
        ({"name": "n" * 65}, "name", "a name has at most 64 characters, not 65"),
    ],
)
async def test_meters(collecting, change: dict, field: str, text: str) -> None:
    await collecting.archive.add_terminal(Terminal("99000001", "Area"))
    with pytest.raises(InvalidValue, match=text) as caught:
        await collecting.archive.add_meter(replace(METER, **change))
    assert caught.value.field == field
    assert await collecting.database.meters.list() == ([], 0)


@pytest.mark.parametrize("address", ["9900000", "990000011", "9900000G", "99000000"])
async def test_terminals(collecting, address: str) -> None:
    with pytest.raises(InvalidValue, match=address):
        await collecting.archive.add_terminal(Terminal(address, ""))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "1line"}, "name"),
        ({"name": ""}, "name"),
        ({"name": "ABCDEF12"}, "name"),
        ({"url": "/etc/passwd"}, "url"),
        ({"url": "file:///dev/ttyUSB0"}, "url"),
        ({"url": ""}, "url"),
        ({"line": "2400 8X1"}, "line"),
    ],
)
async def test_channels(collecting, change: dict, field: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        await collecting.archive.add_channel(replace(CHANNEL, **change))
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("change", "field", "text"),
    [
        ({"name": " "}, "name", "a task needs a name"),
        ({"items": ()}, "items", "choose at least one item"),
        ({"items": ("volts",)}, "items", "there is no item 'volts'"),
        ({"period_min": 7}, "period_min", "7 is none of 1, 5, 15, 30, 60, 1440"),
        ({"backfill_days": -1}, "backfill_days", "-1 is not in 0..62"),
        ({"backfill_days": 63}, "backfill_days", "63 is not in 0..62"),
        ({"target_kind": "links"}, "targets", "choose at least one of the links"),
    ],
)
async def test_tasks(collecting, change: dict, field: str, text: str) -> None:
    with pytest.raises(InvalidValue, match=text) as caught:
        await collecting.archive.add_task(replace(TASK, **change))
    assert caught.value.field == field


async def test_a_thing_is_added_once_changed_and_removed(collecting) -> None:
    archive, database = collecting.archive, collecting.database
    await archive.add_terminal(Terminal("99000001", "Area"))
    with pytest.raises(Conflict, match="99000001"):
        await archive.add_terminal(Terminal("99000001", "Again"))
    await archive.add_meter(METER)
    with pytest.raises(Conflict, match="99000001"):
        await archive.remove_terminal("99000001")
    await archive.save_meter(replace(METER, name="  Other   name "))
    assert (await database.meters.get(METER.address)).name == "Other name"
    await archive.remove_meter(METER.address)
    await archive.remove_terminal("99000001")
    with pytest.raises(NotFound):
        await archive.remove_terminal("99000001")


async def test_an_unknown_terminal_becomes_known(collecting) -> None:
    await collecting.dial_in(SITE)
    assert collecting.registry.state(TERMINAL).known is False
    await collecting.archive.add_terminal(Terminal(TERMINAL, "Area"))
    assert collecting.registry.state(TERMINAL).known is True
    await collecting.archive.remove_terminal(TERMINAL)
    assert collecting.registry.state(TERMINAL).known is False
