"""Reading now: what a person gets, and what the line carries for it."""

import asyncio

import pytest
from small_site import DEAD, METER, OLD, SITE, TERMINAL

from station.collector.outcome import Cause
from station.errors import InvalidValue, LinkDown, MeterTimeout, NotFound
from station.store.objects.readings import Reading
from station.units import utc_now


async def test_values_are_returned_in_the_order_asked_and_stored(collecting) -> None:
    await collecting.enter(SITE)
    await collecting.dial_in(SITE)
    items = ["voltage_a", "energy_import_total", "clock", "status_word_1"]
    results = await collecting.reader.read_now(METER, items)
    assert [result.item for result in results] == items
    latest = (await collecting.database.readings.latest([METER]))[METER]
    assert {(one.item, one.value) for one in latest} == {
        (result.item, result.reading.value) for result in results
    }
    assert {one.source for one in latest} == {"read_now"}
    assert ("readings", {"meter": METER, "count": 4}) in collecting.announced
    clock = next(one for one in latest if one.item == "clock")
    assert abs(clock.value - utc_now().timestamp()) < 5


async def test_the_frames_behind_a_value_are_found(collecting) -> None:
    await collecting.enter(SITE)
    await collecting.dial_in(SITE)
    (result,) = await collecting.reader.read_now(METER, ["voltage_a"])
    await collecting.trace.stop()  # What waits is written.
    frames = await collecting.database.frames.exchange_of(METER, result.reading.read_at)
    assert [frame.direction for frame in frames] == ["out", "in"]
    assert {frame.link for frame in frames} == {TERMINAL}


async def test_equal_questions_share_one_exchange(collecting) -> None:
    await collecting.enter(SITE)
    await collecting.dial_in(SITE)
    before = sum(record.direction == "out" for record in collecting.trace.recent(TERMINAL))
    answers = await asyncio.gather(
        *(collecting.reader.read_now(METER, ["voltage_a"]) for _ in range(5))
    )
    after = sum(record.direction == "out" for record in collecting.trace.recent(TERMINAL))
    assert after - before == 1
    assert all(answer == answers[0] for answer in answers)


async def test_an_item_the_meter_refuses_does_not_spoil_the_others(collecting) -> None:
    await collecting.enter(SITE)
    await collecting.dial_in(SITE)
    results = await collecting.reader.read_now(METER, ["remaining_energy", "voltage_a"])
    refused, read = results
    assert (refused.cause, refused.reading) == (Cause.REFUSED, None)
    assert METER in refused.text
    assert isinstance(read.reading, Reading)


async def test_a_1997_meter_is_read_too(collecting) -> None:
    await collecting.enter(SITE)
    await collecting.dial_in(SITE)
    results = await collecting.reader.read_now(OLD, ["energy_import_total", "voltage_a", "clock"])
    assert all(result.reading is not None for result in results)


async def test_what_cannot_be_read_is_said_by_name(collecting) -> None:
    await collecting.enter(SITE)
    with pytest.raises(NotFound, match="there is no meter 000000000999"):
        await collecting.reader.read_now("000000000999", ["voltage_a"])
    with pytest.raises(LinkDown, match=f"meter {METER}: link {TERMINAL} is down"):
        await collecting.reader.read_now(METER, ["voltage_a"])
    with pytest.raises(InvalidValue, match="there is no item 'volts'"):
        await collecting.reader.read_now(METER, ["volts"])
    with pytest.raises(InvalidValue, match="name at least one item"):
        await collecting.reader.read_now(METER, [])
    with pytest.raises(InvalidValue, match="meters of dlt645-1997 have no item 'frequency'"):
        await collecting.reader.read_now(OLD, ["frequency"])
    await collecting.dial_in(SITE)
    with pytest.raises(MeterTimeout, match=f"meter {DEAD}: no answer to 02010100"):
        await collecting.reader.read_now(DEAD, ["voltage_a"])
