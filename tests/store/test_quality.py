"""A better value replaces a worse one, whatever came first; what was replaced is not lost."""

import asyncio
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from itertools import count
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from motor.motor_asyncio import AsyncIOMotorClient

from station.store.database import Database
from station.store.objects.readings import Quality, Reading, Source
from station.units import UTC, day_start, moment_of

METER, ENERGY = "000000000161", "energy_import_total"
DAY, NEXT = date(2024, 5, 31), date(2024, 6, 1)
READ_AT = datetime(2024, 6, 2, 0, 0, 7, 123_000, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")
QUALITIES = get_args(Quality)

numbers = count()  # Each example has a meter of its own, so one database serves them all.
points = st.tuples(
    st.sampled_from([(DAY, 0), (DAY, 15), (DAY, 754), (DAY, 1425), (NEXT, 0), (NEXT, 30)]),
    st.sampled_from([None, 1, 2, 3]),
    st.integers(0, 5),
    st.sampled_from(get_args(Source)),
    st.sampled_from(QUALITIES),
)
calls = st.lists(st.lists(points, max_size=8), max_size=4)


def rank(reading: Reading) -> tuple[bool, int]:
    return reading.value is not None, QUALITIES.index(reading.quality)


def readings(meter: str, given: Iterable[tuple]) -> list[Reading]:
    return [
        Reading(meter, ENERGY, moment_of(*at, ZONE), value, READ_AT + n * timedelta(hours=1), *how)
        for at, value, n, *how in given
    ]


def expected(saved: Iterable[Reading]) -> dict[datetime, list[Reading]]:
    """Return what is held at each moment, the former ones first: the rule, as plain as can be."""
    held: dict[datetime, list[Reading]] = {}
    for reading in saved:
        entries = held.setdefault(reading.moment, [])
        if not entries or rank(reading) > rank(entries[-1]):
            entries.append(reading)
    return held


async def held_of(database: Database, meter: str) -> dict[datetime, list[Reading]]:
    span = day_start(DAY, ZONE), day_start(NEXT + timedelta(days=1), ZONE)
    former = await database.readings.former(meter, ENERGY, *span)
    curve = await database.readings.curve(meter, ENERGY, *span)
    assert former.keys() <= {each.moment for each in curve}
    return {each.moment: [*former.get(each.moment, []), each] for each in curve}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(given=calls, order=st.randoms(use_true_random=False))
async def test_any_order_gives_values_as_good_and_nothing_is_lost(
    database: Database, given: list[list[tuple]], order
) -> None:
    meter = f"{next(numbers):012d}"
    batches = [readings(meter, some) for some in given]
    everything = [each for batch in batches for each in batch]
    standing = expected(everything)
    taken = [await database.readings.save(batch) for batch in batches]
    assert await held_of(database, meter) == standing
    assert sum(taken) == sum(map(len, standing.values()))
    await check_derived(database, meter, standing)

    order.shuffle(everything)
    assert await database.readings.save(everything) == 0, "saving again changes nothing"
    assert await held_of(database, meter) == standing

    other = f"{next(numbers):012d}"
    everything = [each._replace(meter=other) for each in everything]
    for each in everything:
        await database.readings.save([each])
    again = await held_of(database, other)
    assert again == expected(everything)
    assert {moment: rank(each[-1]) for moment, each in again.items()} == {
        moment: rank(each[-1]) for moment, each in standing.items()
    }


async def check_derived(
    database: Database, meter: str, held: dict[datetime, list[Reading]]
) -> None:
    """Check that the latest reading and the coverage are those of the sheets."""
    latest = await database.readings.latest([meter])
    assert latest == ({meter: [held[max(held)][-1]]} if held else {})
    covered = await database.readings.coverage([meter], [ENERGY], DAY, NEXT)
    slots = {day: {slot for (on, slot) in map(slot_of, held) if on == day} for day in (DAY, NEXT)}
    bits = {
        (meter, ENERGY, day): sum(1 << slot // 15 for slot in some if slot % 15 == 0)
        for day, some in slots.items()
        if some
    }
    assert covered == bits
    counts = [await database.readings.count([meter], day) for day in (DAY, NEXT)]
    assert counts == [len(slots[DAY]), len(slots[NEXT])]


def slot_of(moment: datetime) -> tuple[date, int]:
    local = moment.astimezone(ZONE)
    return local.date(), local.hour * 60 + local.minute


@pytest.mark.parametrize("worse", QUALITIES[:-1])
async def test_better_replaces_worse_and_the_former_stays(database: Database, worse: str) -> None:
    at = moment_of(DAY, 15, ZONE)
    old = Reading(METER, ENERGY, at, 7, READ_AT, "read_now", worse)
    new = Reading(METER, ENERGY, at, 8, READ_AT + timedelta(days=1), "gap", "recorded")
    assert await database.readings.save([old]) == 1
    assert await database.readings.save([new]) == 1
    assert await database.readings.save([old]) == 0
    assert await held_of(database, METER) == {at: [old, new]}
    assert await database.readings.latest() == {METER: [new]}
    assert await database.readings.count([METER], DAY) == 1


async def test_no_number_never_replaces_a_number(database: Database) -> None:
    at = moment_of(DAY, 15, ZONE)
    number = Reading(METER, ENERGY, at, 7, READ_AT, "report", "doubtful")
    absent = number._replace(value=None, source="gap", quality="recorded")
    assert await database.readings.save([absent]) == 1
    assert await database.readings.save([number]) == 1
    assert await database.readings.save([absent]) == 0
    assert await held_of(database, METER) == {at: [absent, number]}


async def test_an_older_moment_that_is_replaced_is_not_the_latest(database: Database) -> None:
    first, last = (
        Reading(METER, ENERGY, moment_of(DAY, slot, ZONE), slot, READ_AT) for slot in (15, 30)
    )
    await database.readings.save([first, last])
    await database.readings.save([first._replace(quality="recorded", value=9)])
    assert await database.readings.latest() == {METER: [last]}


async def test_sheets_of_before_there_were_qualities(database: Database, mongo_uri: str) -> None:
    """Their values count as live, and their coverage is made when the database is opened."""
    client: AsyncIOMotorClient = AsyncIOMotorClient(mongo_uri)
    store = client[database.name]
    sheet = {
        "_id": f"{METER}/{ENERGY}/{DAY}",
        "read_at": READ_AT,
        "source": "task",
        "values": {"0": 5, "15": None, "754": 6},
        "later": {"15": 1000},
        "sources": {"15": "gap"},
    }
    await store.sheets.insert_one(sheet)
    await store.sheets.insert_one({**sheet, "_id": f"{METER}/{ENERGY}/{NEXT}"})
    await store.sheets.insert_one({**sheet, "_id": f"{METER}/voltage_a/{DAY}"})
    entry = {"moment": moment_of(NEXT, 754, ZONE), "value": 6, "read_at": READ_AT, "source": "task"}
    await store.latest.insert_one({"_id": METER, "items": {ENERGY: entry}})
    await store.coverage.drop()
    client.close()
    await database.settings.set("schema", 1)
    opened = await Database.connect(mongo_uri, database.name, zone=ZONE)
    try:
        old = readings(
            METER,
            [((DAY, 0), 5, 0, "task"), ((DAY, 15), None, 0, "gap"), ((DAY, 754), 6, 0, "task")],
        )
        old[1] = old[1]._replace(read_at=READ_AT + timedelta(seconds=1))
        span = day_start(DAY, ZONE), day_start(NEXT, ZONE)
        assert await opened.readings.curve(METER, ENERGY, *span) == old
        assert (await opened.readings.latest())[METER][0].quality == "live"
        covered = await opened.readings.coverage([METER], [ENERGY, "voltage_a"], DAY, NEXT)
        assert covered == {
            (METER, ENERGY, DAY): 0b11,
            (METER, ENERGY, NEXT): 0b11,
            (METER, "voltage_a", DAY): 0b11,
        }
        assert await opened.readings.count([METER], DAY) == 6
        better = old[0]._replace(value=4, quality="recorded")
        assert await opened.readings.save([*old, better]) == 1
        assert await opened.readings.former(METER, ENERGY, *span) == {old[0].moment: [old[0]]}
        assert await opened.readings.count([METER], DAY) == 6
    finally:
        await opened.close()


async def test_savers_of_all_qualities_at_once(database: Database) -> None:
    """Whoever comes first, the best stands, and what it replaced is there."""
    meters = [f"{n:012d}" for n in range(5)]
    moments = [moment_of(DAY, slot, ZONE) for slot in range(0, 1440, 60)]
    batches = [
        [
            Reading(meter, ENERGY, at, n, READ_AT, "gap", quality)
            for meter in meters
            for at in moments
        ]
        for n, quality in enumerate(QUALITIES * 2)
    ]
    taken = await asyncio.gather(*(database.readings.save(batch) for batch in batches))
    held = [await held_of(database, meter) for meter in meters]
    for entries in (some[at] for some in held for at in moments):
        ranks = [rank(each) for each in entries]
        assert ranks == sorted(set(ranks))
        assert entries[-1].quality == "recorded"
        assert all(QUALITIES[each.value % len(QUALITIES)] == each.quality for each in entries)
    assert sum(taken) == sum(len(entries) for some in held for entries in some.values())
    for meter, some in zip(meters, held, strict=True):
        await check_derived(database, meter, some)
