"""The archive: names are taken once, and no meter ever hangs on a link that is not there."""

import asyncio
from dataclasses import replace

import pytest

from station.errors import Conflict, InvalidValue, NotFound
from station.store.database import Database
from station.store.objects.channels import Channel
from station.store.objects.meters import Meter
from station.store.objects.terminals import Terminal
from station.units import utc_now

TERMINAL = Terminal("02001234", "Mill lane", created_at=utc_now())
CHANNEL = Channel("workshop", "socket://10.0.0.9:4001", line="9600 8E1", enabled=False)
METER = Meter(
    "000000000161",
    "Kitchen (1)",
    link="02001234",
    protocol="dlt645-1997",
    point=3,
    port=1,
    line="1200 8E1",
    profile_interval_min=15,
    tariffs=1,
)


async def test_things_come_back_whole(database: Database) -> None:
    await database.terminals.add(TERMINAL)
    await database.channels.add(CHANNEL)
    await database.meters.add(METER)
    assert await database.terminals.get("02001234") == TERMINAL
    assert await database.channels.get("workshop") == CHANNEL
    assert await database.meters.get("000000000161") == METER
    assert await database.meters.find("000000000161") == METER


async def test_what_is_not_there(database: Database) -> None:
    assert await database.terminals.find("02001234") is None
    with pytest.raises(NotFound, match="there is no terminal 02001234"):
        await database.terminals.get("02001234")
    with pytest.raises(NotFound, match="there is no terminal 02001234"):
        await database.terminals.save(TERMINAL)
    with pytest.raises(NotFound, match="there is no terminal 02001234"):
        await database.terminals.remove("02001234")
    with pytest.raises(NotFound, match="there is no meter 000000000161"):
        await database.meters.remove("000000000161")
    await database.terminals.add(TERMINAL)
    with pytest.raises(NotFound, match="there is no meter 000000000161"):
        await database.meters.save(METER)


async def test_terminals_and_channels_share_their_names(database: Database) -> None:
    await database.terminals.add(TERMINAL)
    for again in (
        database.terminals.add(replace(TERMINAL, name="other")),
        database.channels.add(replace(CHANNEL, name="02001234")),
    ):
        with pytest.raises(Conflict, match="02001234 is taken"):
            await again
    assert await database.channels.find("02001234") is None
    with pytest.raises(NotFound):
        await database.channels.remove("02001234")
    with pytest.raises(NotFound):
        await database.channels.save(replace(CHANNEL, name="02001234"))
    assert await database.terminals.get("02001234") == TERMINAL


async def test_save_replaces(database: Database) -> None:
    await database.terminals.add(TERMINAL)
    await database.channels.add(CHANNEL)
    await database.meters.add(METER)
    terminal, channel = replace(TERMINAL, name="new"), replace(CHANNEL, enabled=True)
    meter = replace(METER, link="workshop", tariffs=4)
    await database.terminals.save(terminal)
    await database.channels.save(channel)
    await database.meters.save(meter)
    assert await database.terminals.get("02001234") == terminal
    assert await database.channels.get("workshop") == channel
    assert await database.meters.get("000000000161") == meter


async def test_meter_needs_its_link(database: Database) -> None:
    with pytest.raises(InvalidValue, match="no terminal or channel 02001234") as refusal:
        await database.meters.add(METER)
    assert refusal.value.field == "link"
    assert await database.meters.find(METER.address) is None
    await database.terminals.add(TERMINAL)
    await database.meters.add(METER)
    with pytest.raises(InvalidValue, match="no terminal or channel elsewhere"):
        await database.meters.save(replace(METER, link="elsewhere"))
    assert await database.meters.get(METER.address) == METER


async def test_meter_is_added_once(database: Database) -> None:
    await database.terminals.add(TERMINAL)
    await database.meters.add(METER)
    with pytest.raises(Conflict, match="meter 000000000161 exists already"):
        await database.meters.add(replace(METER, name="other"))
    assert await database.meters.get(METER.address) == METER


async def test_link_stays_while_a_meter_hangs_on_it(database: Database) -> None:
    await database.terminals.add(TERMINAL)
    await database.meters.add(METER)
    with pytest.raises(Conflict, match="meter 000000000161 still hangs on terminal 02001234"):
        await database.terminals.remove("02001234")
    await database.meters.remove("000000000161")
    await database.terminals.remove("02001234")
    assert await database.terminals.find("02001234") is None


@pytest.mark.parametrize("attempt", range(5))
async def test_link_removed_while_a_meter_is_hung_on_it(database: Database, attempt: int) -> None:
    """Of the two at once exactly one succeeds."""
    await database.terminals.add(TERMINAL)
    outcomes = await asyncio.gather(
        database.terminals.remove("02001234"),
        database.meters.add(METER),
        return_exceptions=True,
    )
    terminal = await database.terminals.find("02001234")
    meter = await database.meters.find(METER.address)
    assert (terminal is None) == (meter is None)
    assert [type(each) for each in outcomes] in (
        [type(None), InvalidValue],
        [Conflict, type(None)],
    )


async def test_same_thing_added_at_once(database: Database) -> None:
    await database.terminals.add(TERMINAL)
    outcomes = await asyncio.gather(
        *(database.meters.add(replace(METER, name=f"{n}")) for n in range(8)),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in outcomes) == ["Conflict"] * 7 + ["NoneType"]


async def test_pages_of_meters(database: Database) -> None:
    await database.terminals.add(TERMINAL)
    await database.channels.add(CHANNEL)
    meters = [
        replace(METER, address=f"{n:012d}", name=f"Flat {n}", link=("02001234", "workshop")[n % 2])
        for n in range(7)
    ]
    for meter in reversed(meters):
        await database.meters.add(meter)
    assert await database.meters.list() == (meters, 7)
    assert await database.meters.list(skip=2, limit=3) == (meters[2:5], 7)
    assert await database.meters.list(link="workshop") == (meters[1::2], 3)
    assert await database.meters.list(text="fLAT 3") == ([meters[3]], 1)
    assert await database.meters.list(text="0005") == ([meters[5]], 1)
    assert await database.meters.list(text="flat", link="workshop", limit=1) == ([meters[1]], 3)
    assert await database.meters.list(text=".*") == ([], 0), "not a pattern, a text"
    assert await database.meters.on_link("02001234") == meters[0::2]
    assert await database.meters.many() == meters
    assert await database.meters.many(["000000000003", "000000000001", "9"]) == [
        meters[1],
        meters[3],
    ]
    assert await database.meters.many([]) == []


async def test_lists_hold_one_kind(database: Database) -> None:
    await database.terminals.add(TERMINAL)
    await database.channels.add(CHANNEL)
    assert await database.terminals.list() == ([TERMINAL], 1)
    assert await database.terminals.list(text="MILL") == ([TERMINAL], 1)
    assert await database.terminals.list(text="workshop") == ([], 0)
    assert await database.channels.list() == ([CHANNEL], 1)
    assert await database.channels.list(text="4001") == ([CHANNEL], 1)
    assert await database.channels.list(text="mill") == ([], 0)
