"""Completeness: the same as counting point by point, for thousands of meters, in small steps."""

import asyncio
import gc
import random
import time
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from motor.motor_asyncio import AsyncIOMotorClient

from station import tasks
from station.collector import plan
from station.collector.completeness import GRACE, Completeness, MeterDays
from station.collector.items import ITEM_BY_CODE
from station.store.database import Database
from station.store.objects.coverage import HoleCause
from station.store.objects.meters import Meter
from station.store.objects.readings import Reading
from station.store.objects.tasks import Task
from station.store.objects.terminals import Terminal
from station.units import day_start, local_day, moment_of, utc_now

LINK, COLLECTS = "02001234", "02001235"
FIRST, LAST = date(2024, 4, 28), date(2024, 5, 3)
DAYS = [FIRST + timedelta(days=number) for number in range(6)]
MONTHS_AGO = day_start(date(2024, 1, 1), ZoneInfo("Asia/Shanghai"))
LATER = moment_of(DAYS[2], 700, ZoneInfo("Asia/Shanghai"))
ENERGY, POWER = "energy_import_total", "power_total"
HOLD_MAX_S = 0.05


def meter(number: int, **changed: Any) -> Meter:
    return Meter(f"{number:012d}", "", **{"link": LINK, "created_at": MONTHS_AGO, **changed})


def task(**changed: Any) -> Task:
    given = {"items": (ENERGY, POWER), "period_min": 15, "created_at": MONTHS_AGO, **changed}
    return Task("1", "Curve", **given)


async def archive(database: Database, meters: list[Meter], task: Task) -> None:
    await database.terminals.add(Terminal(LINK, "North"))
    await database.terminals.add(Terminal(COLLECTS, "South", collects=True))
    for each in meters:
        await database.meters.add(each)
    await database.tasks.add(task)


async def counted_plainly(
    database: Database, task: Task, meters: list[Meter], zone: ZoneInfo
) -> dict[str, list[tuple[int, int]]]:
    """Return what is expected and stored of each day, slot by slot from the sheets."""
    terminals = {each.address: each for each in await database.terminals.many()}
    addresses = [each.address for each in meters]
    stored = await database.readings.stored_slots(addresses, task.items, FIRST, LAST)
    counts: dict[str, list[tuple[int, int]]] = {address: [] for address in addresses}
    for each in meters:
        for day in DAYS:
            wanted = present = 0
            for code in task.items:
                slots = plan.expected_slots(
                    task, each, ITEM_BY_CODE[code], day, until=utc_now() - GRACE, zone=zone,
                    terminal=terminals.get(each.link),
                )  # fmt: skip
                wanted += len(slots)
                present += len(stored.get((each.address, code, day), frozenset()) & {*slots})
            counts[each.address].append((wanted, present))
    return counts


@pytest.mark.parametrize(
    "when",
    [
        {"period_min": 15},
        {"period_min": 60, "backfill_days": 3},
        {"period_min": 15, "backfill_days": 3, "created_at": LATER},
        {"period_min": 5},
        {"period_min": 1440, "backfill_days": 30},
        {"period_min": 15, "cron": "7 */2 * * *"},
        {"period_min": 15, "cron": "30 4 1 * *"},
    ],
)
async def test_the_same_as_slot_by_slot(
    database: Database, zone: ZoneInfo, when: dict[str, Any]
) -> None:
    chance = random.Random(3)
    curve = task(**when)
    meters = [
        meter(1),
        meter(2, profile_interval_min=15),
        meter(3, profile_interval_min=60, created_at=moment_of(DAYS[3], 601, zone)),
        meter(4, protocol="dlt645-1997", created_at=moment_of(DAYS[1], 0, zone)),
        meter(5, link=COLLECTS, created_at=moment_of(DAYS[4], 1439, zone)),
        meter(6, link=COLLECTS, protocol="dlt698.45"),
        meter(7, created_at=utc_now()),
    ]
    await archive(database, meters, curve)
    readings = [
        Reading(each.address, code, moment_of(day, slot, zone), 1, MONTHS_AGO)
        for each in meters
        for code in (ENERGY, POWER, "voltage_a")
        for day in [FIRST - timedelta(days=1), *DAYS]
        for slot in [*chance.sample(range(0, 1440, 15), 30), 7, 127, 754]
    ]
    await database.readings.save(readings)
    completeness = Completeness(database, zone)
    found = await completeness.of_days(curve, meters, curve.items, FIRST, LAST)
    expected = await counted_plainly(database, curve, meters, zone)
    assert {each.meter.address: list(each.days) for each in found} == expected
    assert sum(wanted for days in expected.values() for wanted, _ in days) > 0
    for each in found:
        for day, (wanted, stored) in zip(DAYS, each.days, strict=True):
            assert sum(hole.missing for hole in each.holes.get(day, ())) == wanted - stored
    for number, day in enumerate(DAYS):
        (today,) = await completeness.of_day(day)
        assert today.meters == {address: days[number] for address, days in expected.items()}
        assert today.expected == sum(wanted for wanted, _ in today.meters.values())
        assert today.stored == sum(stored for _, stored in today.meters.values())


async def test_holes_have_the_last_cause_that_was_noted(database: Database, zone: ZoneInfo) -> None:
    curve = task(period_min=60)
    meters = [meter(1), meter(2)]
    await archive(database, meters, curve)
    full = [
        Reading(meters[0].address, code, moment_of(FIRST, slot, zone), 1, MONTHS_AGO)
        for code in curve.items
        for slot in range(0, 1440, 60)
    ]
    await database.readings.save(full[:-2])
    noted = HoleCause(meters[0].address, POWER, FIRST, "no_answer", MONTHS_AGO)
    await database.coverage.note_causes([noted, replace(noted, item=ENERGY)])
    await database.coverage.note_causes([replace(noted, cause="refused")])
    first, second = await first_day(database, curve, meters, zone)
    assert (first.days, second.days) == (((48, 46),), ((48, 0),))
    (hole,) = first.holes[FIRST]
    assert (hole.item, hole.missing) == (POWER, 2)
    assert hole.cause == replace(noted, cause="refused")
    assert [hole.cause for hole in second.holes[FIRST]] == [None, None]
    await database.readings.save(full)
    assert (await first_day(database, curve, meters, zone))[0].holes == {}


async def first_day(
    database: Database, task: Task, meters: list[Meter], zone: ZoneInfo
) -> list[MeterDays]:
    return await Completeness(database, zone).of_days(task, meters, task.items, FIRST, FIRST)


async def test_paused_tasks_are_not_counted(database: Database, zone: ZoneInfo) -> None:
    await archive(database, [meter(1)], task(enabled=False))
    assert await Completeness(database, zone).of_day(FIRST) == []


async def test_thousands_of_meters_do_not_hold_up_the_links(
    database: Database, zone: ZoneInfo, mongo_uri: str
) -> None:
    today = local_day(utc_now(), zone)
    meters = [meter(number) for number in range(4000)]
    await database.terminals.add(Terminal(LINK, "North"))
    client: AsyncIOMotorClient = AsyncIOMotorClient(mongo_uri)
    document = database.meters._to_document
    await client[database.name].meters.insert_many([document(each) for each in meters])
    client.close()
    await database.tasks.add(task())
    saved = [
        Reading(each.address, code, moment_of(today, 0, zone), 1, MONTHS_AGO)
        for each in meters
        for code in (ENERGY, POWER)
    ]
    await database.readings.save(saved)
    completeness = Completeness(database, zone)
    await completeness.of_day(today)
    gc.freeze()  # As the station does when it has started.
    beats: list[float] = []
    beating = tasks.spawn(beat(beats), name="beat")
    try:
        (counted,) = await completeness.of_day(today)
        month = await completeness.of_days(
            task(), meters[:1000], (ENERGY,), today - timedelta(days=30), today
        )
    finally:
        await tasks.cancel(beating)
        gc.unfreeze()
    assert len(counted.meters) == 4000
    assert counted.stored in (8000, 0), "0 in the first minutes of a day"
    assert len(month) == 1000
    assert max(later - earlier for earlier, later in pairwise(beats)) < HOLD_MAX_S


async def beat(beats: list[float]) -> None:
    while True:
        beats.append(time.process_time())  # Of this process alone: the box has other work.
        await asyncio.sleep(0)
