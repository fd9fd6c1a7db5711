"""How fast readings are stored, and how much room they take.

Saves days of 15-minute values of many meters in three ways. The first takes what drivers put out,
each meter's load profile of a day: made into readings, put into sheets, better values replacing
worse ones, with the latest readings and the coverage. The others are bare upserts of the same
sheets, made ready beforehand, and bare inserts of them, which cannot be repeated. The ways take
turns, and the best day of each counts: what else the box does can only add. Then days are saved
slot by slot, as a task reads them. The size is that on disk after a checkpoint: of the sheets and
of their coverage, with the indexes.

Limits: 10 bytes a point, half the speed of the bare upserts.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import InsertOne, UpdateOne

from station.app import settle_memory
from station.collector.items import ITEM_BY_CODE
from station.collector.outcome import Got
from station.collector.plan import Want, Way
from station.collector.run import reading_of
from station.store.database import Database
from station.store.embedded import EmbeddedMongo
from station.store.objects.meters import Meter
from station.store.objects.readings import Reading
from station.units import MINUTE, day_start

BYTES_PER_POINT_LIMIT = 10.0
RATIO_LIMIT = 0.5
RAW_BATCH = 500  # Sheets in one bulk write: larger ones are no faster.
SINGLE_DAYS = 3  # Fewer would mostly show the gaps in a small file.
FIRST_DAY = date(2024, 5, 1)
SLOTS = range(0, 1440, 15)
ZONE = ZoneInfo("Asia/Shanghai")
ZSTD = {"wiredTiger": {"configString": "block_compressor=zstd"}}

# Item, first value, smallest and largest step: registers grow, the others wander.
QUANTITIES = (
    ("energy_import_total", 1_234_567, 0, 60),
    ("voltage_a", 2_201, -8, 8),
    ("current_a", 5_310, -400, 400),
    ("power_total", 12_004, -900, 900),
)
ITEMS = tuple(ITEM_BY_CODE[code] for code, *_ in QUANTITIES)
STEPS = tuple(steps for _, *steps in QUANTITIES)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--meters", type=int, default=125, help="four items of each are stored")
    parser.add_argument("--days", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(measure(Path(folder), options.meters, options.days))
    print(json.dumps(result))
    too_large = result["bytes_per_point"] > BYTES_PER_POINT_LIMIT
    return int(too_large or result["ratio_vs_raw"] < RATIO_LIMIT)


async def measure(folder: Path, meters: int, days: int) -> dict[str, Any]:
    settle_memory()  # As the station does when it has started.
    mongo = EmbeddedMongo(folder / "data")
    uri = await mongo.start()
    client: AsyncIOMotorClient = AsyncIOMotorClient(uri, w="majority", journal=True)
    blocks = await Database.connect(uri, "blocks", zone=ZONE)
    singles = await Database.connect(uri, "singles", zone=ZONE)
    try:
        rounds = await save_blocks(blocks, client["blocks"], meters, days)
        single_s = [
            await save_singles(singles, meters, FIRST_DAY + timedelta(days=n))
            for n in range(SINGLE_DAYS)
        ]
        points = meters * len(QUANTITIES) * len(SLOTS)  # A day.
        speeds = {way: round(points / min(spent)) for way, spent in rounds.items()}
        speeds["single values"] = round(points / median(single_s))
        sizes = {
            "blocks": await bytes_on_disk(client["blocks"]) / (points * days),
            "singles": await bytes_on_disk(client["singles"]) / (points * SINGLE_DAYS),
        }
    finally:
        client.close()
        await blocks.close()
        await singles.close()
        await mongo.stop()
    for way, speed in speeds.items():
        print(f"{way:<16}{speed:>12,} points/s")
    for way, size in sizes.items():
        print(f"{way:<16}{size:>12.2f} bytes a point")
    return {
        "points": points * days,
        "points_per_s": speeds["store"],
        "raw_points_per_s": speeds["bare upserts"],
        "ratio_vs_raw": ratio(rounds["bare upserts"], rounds["store"]),
        "ratio_limit": RATIO_LIMIT,
        "ratio_vs_inserts": ratio(rounds["bare inserts"], rounds["store"]),
        "single_points_per_s": speeds["single values"],
        "bytes_per_point": round(sizes["blocks"], 2),
        "bytes_per_point_single": round(sizes["singles"], 2),
        "bytes_per_point_limit": BYTES_PER_POINT_LIMIT,
    }


async def save_blocks(
    database: Database, bare: AsyncIOMotorDatabase, meters: int, days: int
) -> dict[str, list[float]]:
    """Save whole days in each way and return the seconds that each day took."""
    for name in ("upserted", "inserted"):
        await bare.create_collection(name, storageEngine=ZSTD)
    chance = random.Random(1)
    rounds: dict[str, list[float]] = {"store": [], "bare upserts": [], "bare inserts": []}
    for day in (FIRST_DAY + timedelta(days=n) for n in range(days)):
        readings: list[Reading] = []
        spent = 0.0
        for number in range(meters):
            read, gots = meter(number), block(day, chance)  # Fresh, as from a driver.
            began = time.perf_counter()
            readings += [reading_of(read, got, "task") for got in gots]
            spent += time.perf_counter() - began
        began = time.perf_counter()
        taken = await database.readings.save(readings)
        rounds["store"].append(spent + time.perf_counter() - began)
        if taken != meters * len(QUANTITIES) * len(SLOTS):
            sys.exit(f"{taken} readings of {day} were stored")
        sheets = await bare.sheets.find({"_id": {"$regex": f"{day}$"}}).to_list(None)
        upserts = [
            UpdateOne({"_id": sheet.pop("_id")}, {"$set": sheet}, upsert=True)
            for sheet in map(dict, sheets)
        ]
        inserts = [InsertOne(each) for each in sheets]
        rounds["bare upserts"].append(await write(bare.upserted, upserts))
        rounds["bare inserts"].append(await write(bare.inserted, inserts))
    return rounds


def ratio(bare: list[float], store: list[float]) -> float:
    """Return how many times as fast as the bare way the store was, each on its best day."""
    return round(min(bare) / min(store), 2)


async def write(collection: AsyncIOMotorCollection, operations: list[Any]) -> float:
    """Write sheets in bulk and return the seconds it took."""
    began = time.perf_counter()
    for start in range(0, len(operations), RAW_BATCH):
        await collection.bulk_write(operations[start : start + RAW_BATCH], ordered=False)
    return time.perf_counter() - began


async def save_singles(database: Database, meters: int, day: date) -> float:
    """Save a day as a task reads it, all meters for each slot; return the seconds it took."""
    chance = random.Random(2)
    values = {
        (meter(n).address, item): walk(*steps, chance)
        for n in range(meters)
        for item, *steps in QUANTITIES
    }
    seconds = 0.0
    for number, slot in enumerate(SLOTS):
        moment = day_start(day, ZONE) + slot * MINUTE
        readings = []
        for (address, item), column in values.items():
            read_at = moment + timedelta(milliseconds=chance.randrange(1_000, 300_000))
            readings.append(Reading(address, item, moment, column[number], read_at))
        began = time.perf_counter()
        await database.readings.save(readings)
        seconds += time.perf_counter() - began
    return seconds


def block(day: date, chance: random.Random) -> list[Got]:
    """Return a day of all items of a meter, read in one go after midnight."""
    start = day_start(day, ZONE)
    read_at = start + timedelta(days=1, milliseconds=chance.randrange(1_000, 3_600_000))
    return [
        Got(Want(item, start + slot * MINUTE, (Way.PROFILE,)), value, read_at, "recorded")
        for item, steps in zip(ITEMS, STEPS, strict=True)
        for slot, value in zip(SLOTS, walk(*steps, chance), strict=True)
    ]


def walk(value: int, smallest: int, largest: int, chance: random.Random) -> list[int]:
    value += chance.randrange(100_000)
    return [value := value + chance.randint(smallest, largest) for _ in SLOTS]


def meter(number: int) -> Meter:
    return Meter(f"{161 + number:012d}", "", link="02001234")


async def bytes_on_disk(database: AsyncIOMotorDatabase) -> float:
    """Return the size of the day sheets, their coverage and the indexes after a checkpoint."""
    await database.client.admin.command("fsync")
    stats = [await database.command("collStats", name) for name in ("sheets", "coverage")]
    return float(sum(each["storageSize"] + each["totalIndexSize"] for each in stats))


if __name__ == "__main__":
    sys.exit(main())
