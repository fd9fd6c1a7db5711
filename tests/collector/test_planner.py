"""Plans of many meters: in steps that do not hold the links, and in portions."""

import asyncio
import gc
import time
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from motor.motor_asyncio import AsyncIOMotorClient

from station.collector import planner as planner_module
from station.collector.memory import DEAD_AFTER, Memory
from station.collector.outcome import Cause
from station.collector.planner import Planner
from station.errors import DatabaseDown
from station.store.database import Database
from station.store.objects.meters import Meter
from station.store.objects.tasks import Task
from station.units import UTC, local_day, utc_now

ZONE = ZoneInfo("Asia/Shanghai")
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
TASK = Task("t", "Curve", ("power_total", "voltage_a"), 15, backfill_days=1, created_at=LONG_AGO)
HOLD_MAX_S = 0.05


async def enter(uri: str, database: Database, count: int, links: int) -> list[str]:
    """Put so many meters into the archive, and return their links."""
    ends = [f"9800{number:04d}" for number in range(1, links + 1)]
    meters = []
    for number in range(count):
        meter = Meter(f"{number:012d}", "", link=ends[number // (count // links)],
                      profile_interval_min=15, created_at=LONG_AGO)  # fmt: skip
        fields = asdict(meter)
        meters.append({"_id": fields.pop("address"), **fields})
    client: AsyncIOMotorClient = AsyncIOMotorClient(uri)
    await client[database.name].meters.insert_many(meters)
    client.close()
    return ends


def planner_of(database: Database, memory: Memory) -> Planner:
    return Planner(database.meters, database.terminals, database.readings, memory, ZONE)


async def test_a_yearly_task_that_is_new_has_nothing_to_fill(
    mongo_uri: str, database: Database, memory: Memory
) -> None:
    links = await enter(mongo_uri, database, 2, 1)
    planner = planner_of(database, memory)
    task = replace(TASK, cron="0 0 1 1 *", created_at=LONG_AGO + timedelta(days=40))
    holes = await planner.gaps(task, LONG_AGO, links, with_newest=True, skipped=())
    assert (holes.work, holes.more) == ([], False)


@pytest.fixture
def memory(database: Database) -> Memory:
    return Memory(database.meter_health, database.meter_days, ZONE)


async def longest_hold(work: Any) -> tuple[Any, float]:
    """Return what work gives, and the longest processor time without a turn for others."""
    held, ended = 0.0, False
    gc.collect()
    gc.freeze()  # What the other tests left is not for the collector to walk through.

    async def watch() -> None:
        nonlocal held
        last = time.thread_time()
        while not ended:
            await asyncio.sleep(0)
            now = time.thread_time()
            held, last = max(held, now - last), now

    watching = asyncio.ensure_future(watch())
    try:
        return await work, held
    finally:
        ended = True
        await watching
        gc.unfreeze()


async def test_ten_thousand_meters_do_not_hold_the_links(
    mongo_uri: str, database: Database, memory: Memory
) -> None:
    links = await enter(mongo_uri, database, 10_000, 200)
    planner = planner_of(database, memory)
    moment = utc_now().replace(minute=0, second=0, microsecond=0)
    await planner.at(TASK, moment)  # The first time, modules are loaded.
    planner.archive_changed()
    work, held_s = await longest_hold(planner.at(TASK, moment))
    assert len(work) == 10_000
    assert held_s < HOLD_MAX_S
    some = links[:20]
    gaps = planner.gaps(TASK, moment, some, with_newest=True, skipped=())
    holes, held_s = await longest_hold(gaps)
    assert {one.meter.link for one in holes.work} == set(some)
    assert held_s < HOLD_MAX_S


async def test_a_run_takes_a_portion_in_which_all_links_share(
    mongo_uri: str, database: Database, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = await enter(mongo_uri, database, 100, 25)
    planner = planner_of(database, memory)
    monkeypatch.setattr(planner_module, "POINTS_MAX", 1)
    moment = utc_now()
    holes = await planner.gaps(TASK, moment, links, with_newest=True, skipped=())
    assert holes.more
    assert [one.meter.link for one in holes.work] == links
    monkeypatch.setattr(planner_module, "METER_POINTS_MAX", 3)
    holes = await planner.gaps(TASK, moment, links[:1], with_newest=True, skipped=())
    newest = max(want.moment for want in holes.work[0].wants)
    assert holes.more
    assert moment - newest < timedelta(minutes=15)
    assert {len(one.wants) for one in holes.work} == {3}


async def test_a_dead_meter_is_asked_for_one_point(
    mongo_uri: str, database: Database, memory: Memory
) -> None:
    links = await enter(mongo_uri, database, 2, 1)
    planner, dead, moment = planner_of(database, memory), "000000000001", utc_now()
    for _ in range(DEAD_AFTER):
        memory.note_round(dead, False, Cause.NO_ANSWER)
    holes = await planner.gaps(TASK, moment, links, with_newest=True, skipped=())
    assert [one.meter.address for one in holes.work] == ["000000000000"]
    known = memory.health(dead)
    memory._known[dead] = replace(known, last_try=moment - timedelta(hours=1))
    holes = await planner.gaps(TASK, moment, links, with_newest=True, skipped=())
    assert {one.meter.address: len(one.wants) > 1 for one in holes.work} == {
        "000000000000": True,
        dead: False,
    }
    assert holes.more


async def test_what_is_left_out_is_not_wanted_but_a_click_wants_it(
    mongo_uri: str, database: Database, memory: Memory
) -> None:
    links = await enter(mongo_uri, database, 1, 1)
    planner, now = planner_of(database, memory), utc_now()
    span = (now - timedelta(days=3), now + timedelta(days=1))
    holes = await planner.gaps(TASK, now, links, with_newest=True, skipped=[span])
    assert holes.work == []
    yesterday = local_day(now, ZONE) - timedelta(days=1)
    holes = await planner.holes([TASK], ["000000000000"], yesterday, yesterday)
    assert len(holes.work[0].wants) == 2 * 96


async def test_a_plan_waits_for_the_database(
    mongo_uri: str, database: Database, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    await enter(mongo_uri, database, 1, 1)
    monkeypatch.setattr(planner_module, "PAUSES_S", (0.01,))
    real, failed = database.meters.after, []

    async def after(address: str, limit: int) -> list[Meter]:
        if len(failed) < 2:
            failed.append(address)
            raise DatabaseDown("the database does not answer")
        return await real(address, limit)

    monkeypatch.setattr(database.meters, "after", after)
    planner = planner_of(database, memory)
    assert len(await planner.snapshot(TASK, utc_now())) == 1
    assert len(failed) == 2
