"""How fast the pages get what they show, with a year of readings in the store.

Loads days of 15-minute values of many meters (with holes: every so many sheets lack an hour),
through the store itself or, unless `--through-store` is given, as the very same documents in bulk;
then asks as the pages do. A month curve is one item of one meter; a completeness page is all
meters by all days of a month with the causes of the holes, through `Completeness`; latest is the
latest readings of all meters. Each is asked of a database that has just been started, every month
once (cold), and then again (warm).

Limits, 95th percentile of all: month curve 50 ms, completeness 300 ms, latest 300 ms.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from motor.motor_asyncio import AsyncIOMotorClient

from station.collector.completeness import Completeness
from station.collector.items import ITEMS
from station.store.database import Database
from station.store.embedded import EmbeddedMongo
from station.store.objects import months
from station.store.objects.coverage import HoleCause
from station.store.objects.meters import Meter
from station.store.objects.readings import Reading, SheetKey
from station.store.objects.sheets import group, sheet_id, write_of
from station.store.objects.tasks import Task
from station.store.objects.terminals import Terminal
from station.units import MINUTE, day_start

ZONE = ZoneInfo("Asia/Shanghai")
FIRST_DAY = date(2024, 1, 1)
ITEM = "energy_import_total"
LATEST_ITEMS = [item.code for item in ITEMS[:10]]
LINK = "02001234"
SLOTS = range(0, 1440, 15)
HOLE_EVERY = 50  # Sheets: one of so many lacks an hour.
METERS_PER_WRITE = 20  # Of a month each: some 60,000 points.
CURVES, PAGES, LATESTS = 300, 36, 40  # Samples of each.
LIMITS_MS = {"month_curve": 50.0, "completeness": 300.0, "latest": 300.0}

Ask = Callable[[Database, int], Awaitable[int]]  # The number chooses the month, and so on.


@dataclass(frozen=True)
class Site:
    """What is in the store."""

    meters: Sequence[Meter]
    days: Sequence[date]

    @property
    def months(self) -> list[tuple[date, date]]:
        """The first and the last day of each month, as far as there is something in it."""
        firsts = sorted({day.replace(day=1) for day in self.days})
        return [(first, max(each for each in self.days if _same(each, first))) for first in firsts]

    @property
    def task(self) -> Task:
        made = day_start(self.days[0], ZONE)
        return Task("1", "Curve", (ITEM,), 15, created_at=made)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--meters", type=int, default=1000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--through-store", action="store_true", help="save the readings one by one")
    options = parser.parse_args()
    made = day_start(FIRST_DAY, ZONE)
    site = Site(
        [Meter(f"{161 + n:012d}", "", link=LINK, created_at=made) for n in range(options.meters)],
        [FIRST_DAY + timedelta(days=n) for n in range(options.days)],
    )
    with tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(measure(Path(folder), site, through_store=options.through_store))
    print(json.dumps(result))
    return int(any(result[f"{name}_p95_ms"] > limit for name, limit in LIMITS_MS.items()))


async def measure(folder: Path, site: Site, *, through_store: bool) -> dict[str, Any]:
    mongo = EmbeddedMongo(folder / "data")
    chance = random.Random(1)
    samples: dict[str, dict[str, list[float]]] = {
        name: {"cold": [], "warm": []} for name in LIMITS_MS
    }
    asks: dict[str, tuple[Ask, int]] = {
        "month_curve": (lambda database, nth: _curve(database, site, nth), CURVES),
        "completeness": (lambda database, nth: _page(database, site, nth), PAGES),
        "latest": (lambda database, _: _latest(database, site), LATESTS),
    }
    try:
        database = await Database.connect(await mongo.start(), "query", zone=ZONE)
        began = time.perf_counter()
        points = await load(mongo, database, site, chance, through_store=through_store)
        load_s = time.perf_counter() - began
        await database.close()
        for name, (ask, number) in asks.items():
            await mongo.stop()
            database = await Database.connect(await mongo.start(), "query", zone=ZONE)
            cold = 1 if name == "latest" else len(site.months)
            for nth in range(max(number, 2 * cold)):
                began = time.perf_counter()
                if not await ask(database, nth):
                    sys.exit(f"{name}: nothing was found")
                spent = 1000 * (time.perf_counter() - began)
                samples[name]["cold" if nth < cold else "warm"].append(spent)
            await database.close()
    finally:
        await mongo.stop()
    print(f"{points:,} points of {len(site.meters)} meters in {load_s:.0f} s")
    print(f"{'':<14}{'samples':>8}{'median':>9}{'p95':>9}{'max':>9}  ms")
    result: dict[str, Any] = {"points": points, "load_s": round(load_s)}
    for name, ways in samples.items():
        for way, spent in [*ways.items(), ("all", [*ways["cold"], *ways["warm"]])]:
            print(
                f"{name if way == 'cold' else '':<14}{len(spent):>4} {way:<4}"
                f"{_part(spent, 0.5):>8.1f}{_part(spent, 0.95):>9.1f}{max(spent):>9.1f}"
            )
        spent = [*ways["cold"], *ways["warm"]]
        result[f"{name}_p95_ms"] = round(_part(spent, 0.95), 1)
        result[f"{name}_cold_max_ms"] = round(max(ways["cold"]), 1)
        result[f"{name}_samples"] = len(spent)
        result[f"{name}_limit_ms"] = LIMITS_MS[name]
    return result


async def _curve(database: Database, site: Site, nth: int) -> int:
    first, last = site.months[nth % len(site.months)]
    span = day_start(first, ZONE), day_start(last + timedelta(days=1), ZONE)
    meter = random.Random(nth).choice(site.meters).address
    return len(await database.readings.curve(meter, ITEM, *span))


async def _page(database: Database, site: Site, nth: int) -> int:
    first, last = site.months[nth % len(site.months)]
    completeness = Completeness(database, ZONE)
    found = await completeness.of_days(site.task, site.meters, [ITEM], first, last)
    holes = sum(len(each.holes) for each in found)
    stored = sum(stored for each in found for _, stored in each.days)
    wanted = sum(wanted for each in found for wanted, _ in each.days)
    days = (last - first).days + 1
    if wanted != len(site.meters) * days * len(SLOTS) or wanted - stored != 4 * holes:
        sys.exit(f"completeness: {stored} of {wanted} points, {holes} holes")
    return stored


async def _latest(database: Database, site: Site) -> int:
    found = await database.readings.latest([meter.address for meter in site.meters])
    if len(found) != len(site.meters):
        sys.exit(f"latest: {len(found)} of {len(site.meters)} meters")
    return len(found)


async def load(
    mongo: EmbeddedMongo,
    database: Database,
    site: Site,
    chance: random.Random,
    *,
    through_store: bool,
) -> int:
    """Put the archive and all readings into the store and return how many readings there are."""
    await database.terminals.add(Terminal(LINK, "North"))
    client: AsyncIOMotorClient = AsyncIOMotorClient(mongo.running_uri())
    points = 0
    values = {meter.address: chance.randrange(1_000_000) for meter in site.meters}
    for first, last in site.months:
        days = [day for day in site.days if first <= day <= last]
        causes = []
        for start in range(0, len(site.meters), METERS_PER_WRITE):
            readings: list[Reading] = []
            for meter in site.meters[start : start + METERS_PER_WRITE]:
                for day in days:
                    key = (meter.address, ITEM, day)
                    own = list(_readings(key, values, chance))
                    readings += own
                    if len(own) < len(SLOTS):
                        causes.append(HoleCause(*key, "no_answer", day_start(day, ZONE)))
            if through_store:
                await database.readings.save(readings)
            else:
                await _write(client["query"], readings)
            points += len(readings)
        await database.coverage.note_causes(causes)
    client.close()
    await _save_latest(database, site)
    return points


def _readings(key: SheetKey, values: dict[str, int], chance: random.Random) -> Iterator[Reading]:
    meter, item, day = key
    start = day_start(day, ZONE)
    read_at = start + timedelta(days=1, seconds=chance.randrange(1, 3600))
    hole = chance.randrange(24) * 60 if chance.randrange(HOLE_EVERY) == 0 else 1440
    value = values[meter]
    for slot, step in zip(SLOTS, chance.choices(range(60), k=len(SLOTS)), strict=True):
        value += step
        if not hole <= slot < hole + 60:
            moment = start + slot * MINUTE
            yield Reading(meter, item, moment, value, read_at, "task", "recorded")
    values[meter] = value


async def _write(store: Any, readings: Sequence[Reading]) -> None:
    """Write what the store itself would write: sheets, and their coverage."""
    blocks, _ = group(readings, ZONE)
    writes: list[Any] = [write_of(sheet_id(key), None, block) for key, block in blocks.items()]
    await store.sheets.bulk_write(writes, ordered=False)
    filled = [(key, block, {}) for key, block in blocks.items()]
    await store.coverage.bulk_write(months.writes(filled))


async def _save_latest(database: Database, site: Site) -> None:
    """Let the store make the latest readings: of several items, as meters have them."""
    end = day_start(site.days[-1] + timedelta(days=1), ZONE)
    await database.readings.save(
        Reading(meter.address, code, end, 1, end) for meter in site.meters for code in LATEST_ITEMS
    )


def _same(day: date, month: date) -> bool:
    return (day.year, day.month) == (month.year, month.month)


def _part(spent: Sequence[float], part: float) -> float:
    """Return the value that this part of the samples does not exceed."""
    ordered = sorted(spent)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


if __name__ == "__main__":
    sys.exit(main())
