"""Readings: saved again nothing changes, nothing is lost and nothing is there twice."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from store_helpers import comes_back, kill

from station import tasks
from station.errors import DatabaseDown
from station.store.database import Database
from station.store.embedded import EmbeddedMongo
from station.store.objects import readings as readings_module
from station.store.objects.readings import Reading
from station.units import UTC, day_start, moment_of, slot_of

METER, OTHER = "000000000161", "000000000162"
ENERGY, VOLTAGE = "energy_import_total", "voltage_a"
DAY = date(2024, 5, 1)
READ_AT = datetime(2024, 5, 2, 0, 0, 7, 123_000, tzinfo=UTC)
MS = timedelta(milliseconds=1)


def whole_day(
    zone: ZoneInfo, meter: str = METER, item: str = ENERGY, day: date = DAY, **changed: object
) -> list[Reading]:
    """Return a day of 15-minute values, read in one block."""
    return [
        Reading(
            **{
                "meter": meter,
                "item": item,
                "moment": moment_of(day, slot, zone),
                "value": 1000 + slot,
                "read_at": READ_AT,
                **changed,
            }
        )
        for slot in range(0, 1440, 15)
    ]


async def all_of(database: Database, readings: Iterable[Reading]) -> list[Reading]:
    """Return what is stored for the meters, items and days of these readings."""
    meters = {each.meter for each in readings}
    items = {each.item for each in readings}
    moments = [each.moment for each in readings]
    found: list[Reading] = []
    for meter in sorted(meters):
        curves = await database.readings.curves(
            meter, sorted(items), min(moments), max(moments) + MS
        )
        found += [each for curve in curves.values() for each in curve]
    return found


async def coverage_is_exact(database: Database, zone: ZoneInfo, stored: list[Reading]) -> None:
    """Check the coverage against what the sheets hold."""
    bits: Counter[tuple[str, str, date]] = Counter()
    values: Counter[tuple[str, date]] = Counter()
    for each in stored:
        day, slot = slot_of(each.moment, zone)
        bits[each.meter, each.item, day] += 1 << slot // 15
        values[each.meter, day] += 1
    meters = sorted({meter for meter, _, _ in bits})
    items = sorted({item for _, item, _ in bits})
    days = [day for _, _, day in bits]
    assert await database.readings.coverage(meters, items, min(days), max(days)) == bits
    for (meter, day), number in values.items():
        assert await database.readings.count([meter], day) == number


def in_order(readings: Iterable[Reading]) -> list[Reading]:
    return sorted(readings, key=lambda each: (each.meter, each.item, each.moment))


async def raw_sheets(uri: str, database: Database) -> list[dict]:
    client: AsyncIOMotorClient = AsyncIOMotorClient(uri)
    try:
        return await client[database.name].sheets.find().sort("_id").to_list(None)
    finally:
        client.close()


async def test_what_is_saved_comes_back(database: Database, zone: ZoneInfo) -> None:
    saved = whole_day(zone)
    assert await database.readings.save(saved) == 96
    assert await all_of(database, saved) == saved


async def test_every_field_comes_back(database: Database, zone: ZoneInfo) -> None:
    at = moment_of(DAY, 0, zone)
    saved = [
        Reading(METER, ENERGY, at, 0, READ_AT),
        Reading(
            METER,
            ENERGY,
            at + 15 * timedelta(minutes=1),
            None,
            READ_AT + MS,
            "read_now",
            "recorded",
        ),
        Reading(METER, ENERGY, at + timedelta(minutes=30), -5, READ_AT - MS, "gap"),
        Reading(METER, ENERGY, at + timedelta(minutes=45), 2**31, READ_AT + timedelta(days=400)),
        Reading(METER, ENERGY, at + timedelta(minutes=60), 2**63 - 1, READ_AT, "task", "late"),
        Reading(METER, ENERGY, at + timedelta(minutes=75), -(2**63), READ_AT - timedelta(days=40)),
    ]
    for order in (saved, saved[::-1]):
        meter = f"{saved.index(order[0]):012d}"
        renamed = [Reading(meter, *_without_meter(each)) for each in order]
        assert await database.readings.save(renamed[:2]) == 2
        assert await database.readings.save(renamed[2:]) == 4
        assert await all_of(database, renamed) == in_order(renamed)


def _without_meter(reading: Reading) -> tuple:
    return reading[1:]


async def test_a_sheet_is_shaped_as_written_down(
    database: Database, zone: ZoneInfo, mongo_uri: str
) -> None:
    at = moment_of(DAY, 0, zone)
    quarter = timedelta(minutes=15)
    await database.readings.save([Reading(METER, ENERGY, at, 12345, READ_AT)])
    await database.readings.save(
        [Reading(METER, ENERGY, at + quarter, 12360, READ_AT + quarter, "read_now")]
    )
    assert await raw_sheets(mongo_uri, database) == [
        {
            "_id": "000000000161/energy_import_total/2024-05-01",
            "read_at": READ_AT.replace(tzinfo=None),
            "source": "task",
            "quality": "live",
            "values": {"0": 12345, "15": 12360},
            "later": {"15": 900_000},
            "sources": {"15": "read_now"},
        }
    ]


async def test_saved_again_nothing_changes(
    database: Database, zone: ZoneInfo, mongo_uri: str
) -> None:
    saved = whole_day(zone)
    await database.readings.save(saved)
    before = await raw_sheets(mongo_uri, database)
    assert await database.readings.save(saved) == 0
    assert await raw_sheets(mongo_uri, database) == before


async def test_first_of_equally_good_values_stays(
    database: Database, zone: ZoneInfo, mongo_uri: str
) -> None:
    saved = whole_day(zone)
    await database.readings.save(saved)
    before = await raw_sheets(mongo_uri, database)
    later = whole_day(zone, value=7, read_at=READ_AT + timedelta(hours=1), source="read_now")
    assert await database.readings.save(later) == 0
    assert await raw_sheets(mongo_uri, database) == before


async def test_absent_is_a_value_too(database: Database, zone: ZoneInfo) -> None:
    saved = whole_day(zone, value=None)
    assert await database.readings.save(saved) == 96
    assert await database.readings.save(whole_day(zone, value=None, source="gap")) == 0
    assert await all_of(database, saved) == saved


async def test_of_two_in_one_call_the_first_counts(database: Database, zone: ZoneInfo) -> None:
    first, second = whole_day(zone)[0], whole_day(zone, value=7)[0]
    assert await database.readings.save([first, second]) == 1
    assert await all_of(database, [first]) == [first]


async def test_moment_is_kept_to_the_minute(database: Database, zone: ZoneInfo) -> None:
    at = moment_of(DAY, 754, zone)
    reading = Reading(METER, VOLTAGE, at + timedelta(seconds=59, milliseconds=999), 2201, READ_AT)
    await database.readings.save([reading])
    kept = Reading(METER, VOLTAGE, at, 2201, READ_AT)
    assert await all_of(database, [reading]) == []  # Its minute began before.
    assert await database.readings.curve(METER, VOLTAGE, at, at + MS) == [kept]
    assert (await database.readings.latest())[METER] == [kept]


async def test_read_at_is_kept_to_the_millisecond(database: Database, zone: ZoneInfo) -> None:
    at = moment_of(DAY, 0, zone)
    read_ats = [READ_AT.replace(microsecond=us) for us in (0, 999_000, 123_999, 124_000)]
    saved = [
        Reading(METER, ENERGY, at + n * timedelta(minutes=15), n, read_at)
        for n, read_at in enumerate(read_ats)
    ]
    await database.readings.save([saved[2]])  # Its microseconds go, of the others nothing.
    await database.readings.save(saved)
    assert [each.read_at.microsecond for each in await all_of(database, saved)] == [
        0,
        999_000,
        123_000,
        124_000,
    ]


async def test_nothing_to_save(database: Database, mongo_uri: str) -> None:
    assert await database.readings.save([]) == 0
    assert await raw_sheets(mongo_uri, database) == []


@pytest.mark.parametrize("names", [("1/2", ENERGY), (METER, "a/b"), (METER, "a.b"), (METER, "$a")])
async def test_name_that_breaks_a_key(
    database: Database, zone: ZoneInfo, mongo_uri: str, names: tuple[str, str]
) -> None:
    readings = whole_day(zone)[:1]
    readings.append(Reading(*names, moment_of(DAY, 0, zone), 1, READ_AT))
    with pytest.raises(ValueError, match="no sheet can be kept"):
        await database.readings.save(readings)
    assert await raw_sheets(mongo_uri, database) == []


@pytest.mark.parametrize(
    ("zone_key", "day", "slots"),
    [
        ("Asia/Shanghai", date(2024, 3, 31), 96),
        ("Europe/Berlin", date(2024, 3, 31), 92),
        ("Europe/Berlin", date(2024, 10, 27), 100),
        ("America/Havana", date(2024, 3, 10), 92),  # There midnight itself is skipped.
    ],
)
async def test_days_of_any_length(
    mongo_uri: str, database: Database, zone_key: str, day: date, slots: int
) -> None:
    zone = ZoneInfo(zone_key)
    opened = await Database.connect(mongo_uri, database.name, zone=zone)
    start, end = day_start(day, zone), day_start(day + timedelta(days=1), zone)
    saved = [
        Reading(METER, ENERGY, start + n * timedelta(minutes=15), n, READ_AT)
        for n in range(-4, slots + 4)
    ]
    assert await opened.readings.save(saved) == slots + 8
    assert await opened.readings.curve(METER, ENERGY, start, end) == saved[4:-4]
    assert await opened.readings.coverage([METER], [ENERGY], day, day) == {
        (METER, ENERGY, day): (1 << slots) - 1
    }
    assert await opened.readings.count([METER], day) == slots
    await opened.close()


async def test_curve_takes_its_start_and_leaves_its_end(database: Database, zone: ZoneInfo) -> None:
    days = [DAY + timedelta(n) for n in range(3)]
    saved = [each for day in days for each in whole_day(zone, day=day)]
    await database.readings.save(random.Random(1).sample(saved, len(saved)))
    start, end = moment_of(DAY, 720, zone), moment_of(days[2], 720, zone)
    assert await database.readings.curve(METER, ENERGY, start, end) == saved[48:-48]
    assert await database.readings.curve(METER, ENERGY, start, start) == []
    assert await database.readings.curve(METER, ENERGY, end, start) == []


async def test_curves_have_an_entry_for_each_item(database: Database, zone: ZoneInfo) -> None:
    saved = whole_day(zone)
    await database.readings.save(saved + whole_day(zone, meter=OTHER, item=VOLTAGE))
    start, end = day_start(DAY, zone), day_start(DAY + timedelta(days=1), zone)
    assert await database.readings.curves(METER, [ENERGY, VOLTAGE], start, end) == {
        ENERGY: saved,
        VOLTAGE: [],
    }


async def test_stored_slots_and_counts(database: Database, zone: ZoneInfo) -> None:
    tomorrow = DAY + timedelta(days=1)
    saved = whole_day(zone)[:5] + whole_day(zone, meter=OTHER, day=tomorrow)
    saved += whole_day(zone, item=VOLTAGE)  # Not asked for.
    await database.readings.save(saved)
    asked = ([METER, OTHER], [ENERGY], DAY, tomorrow)
    assert await database.readings.stored_slots(*asked) == {
        (METER, ENERGY, DAY): frozenset({0, 15, 30, 45, 60}),
        (OTHER, ENERGY, tomorrow): frozenset(range(0, 1440, 15)),
    }
    assert await database.readings.coverage(*asked) == {
        (METER, ENERGY, DAY): 0b11111,
        (OTHER, ENERGY, tomorrow): 2**96 - 1,
    }
    assert await database.readings.coverage([METER], [ENERGY], DAY, DAY) == {
        (METER, ENERGY, DAY): 0b11111
    }
    assert await database.readings.count([METER, OTHER], DAY) == 5 + 96
    assert await database.readings.count([METER, OTHER], tomorrow) == 96
    assert await database.readings.stored_slots([], [ENERGY], DAY, DAY) == {}


async def test_many_keys_are_asked_in_parts(
    database: Database, zone: ZoneInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readings_module, "KEYS_PER_QUERY", 3)
    monkeypatch.setattr(readings_module, "SHEETS_PER_WRITE", 2)
    monkeypatch.setattr(readings_module, "SHEETS_PER_LANE", 1)
    meters = [f"{n:012d}" for n in range(10)]
    saved = [each for meter in meters for each in whole_day(zone, meter=meter)[:2]]
    assert await database.readings.save(saved) == 20
    monkeypatch.setattr(readings_module, "MONTHS_PER_QUERY", 3)
    stored = await database.readings.stored_slots(meters, [ENERGY], DAY, DAY)
    assert stored == {(meter, ENERGY, DAY): {0, 15} for meter in meters}
    covered = await database.readings.coverage(meters, [ENERGY], DAY, DAY)
    assert covered == {(meter, ENERGY, DAY): 0b11 for meter in meters}
    assert await database.readings.count(meters, DAY) == 20


async def test_latest_never_goes_back(database: Database, zone: ZoneInfo) -> None:
    days = [DAY + timedelta(n) for n in range(3)]
    newest = whole_day(zone, day=days[1])[-1]
    for day in (days[1], days[0]):  # The older day comes later.
        await database.readings.save(whole_day(zone, day=day))
        assert (await database.readings.latest())[METER] == [newest]
    await database.readings.save([*whole_day(zone, day=days[2])][::-1])
    assert (await database.readings.latest())[METER] == [whole_day(zone, day=days[2])[-1]]


async def test_latest_is_what_the_sheet_holds(database: Database, zone: ZoneInfo) -> None:
    first = whole_day(zone)[-1]
    await database.readings.save([first])
    await database.readings.save(
        whole_day(zone, value=7, read_at=READ_AT + timedelta(hours=1), source="read_now")
    )
    assert (await database.readings.latest())[METER] == [first]


async def test_latest_of_some_meters(database: Database, zone: ZoneInfo) -> None:
    await database.readings.save(whole_day(zone) + whole_day(zone, meter=OTHER, item=VOLTAGE))
    await database.readings.save(whole_day(zone, item=VOLTAGE))
    energy, voltage = whole_day(zone)[-1], whole_day(zone, item=VOLTAGE)[-1]
    latest = await database.readings.latest()
    assert set(latest) == {METER, OTHER}
    assert sorted(latest[METER], key=lambda each: each.item) == [energy, voltage]
    assert await database.readings.latest([OTHER, "000000000999"]) == {
        OTHER: whole_day(zone, meter=OTHER, item=VOLTAGE)[-1:]
    }
    assert await database.readings.latest([]) == {}


@pytest.fixture
async def patient(database: Database, mongo_uri: str, zone: ZoneInfo) -> AsyncIterator[Database]:
    """The same database, for savers who hinder each other: who wins is asked, and not how fast."""
    opened = await Database.connect(mongo_uri, database.name, zone=zone, timeout_s=60)
    yield opened
    await opened.close()


@pytest.mark.parametrize("savers", [2, 8])
async def test_savers_of_the_same_at_once(patient: Database, zone: ZoneInfo, savers: int) -> None:
    """Every saver has other values for overlapping slots; each slot has one winner."""
    database = patient
    meters = [f"{n:012d}" for n in range(5)]
    batches = [
        [
            each
            for meter in meters
            for each in whole_day(zone, meter=meter, value=n, read_at=READ_AT + n * MS)
        ][n * 20 :]
        for n in range(savers)
    ]
    counts = await asyncio.gather(*(database.readings.save(batch) for batch in batches))
    stored = await all_of(database, batches[0])
    assert sum(counts) == len(stored) == 5 * 96
    assert all(each.read_at == READ_AT + each.value * MS for each in stored), "fields mixed up"
    await coverage_is_exact(database, zone, stored)
    latest = await database.readings.latest(meters)
    assert [latest[meter] for meter in meters] == [[each] for each in stored[95::96]]


async def test_slots_of_one_sheet_at_once(patient: Database, zone: ZoneInfo) -> None:
    database, saved = patient, whole_day(zone)
    counts = await asyncio.gather(*(database.readings.save([each]) for each in saved[:40]))
    assert counts == [1] * 40
    assert await all_of(database, saved[:40]) == saved[:40]
    await coverage_is_exact(database, zone, saved[:40])
    assert (await database.readings.latest())[METER] == [saved[39]]


@pytest.fixture
async def own(mongo: EmbeddedMongo, zone: ZoneInfo) -> AsyncIterator[Database]:
    """A database whose mongod may be killed."""
    database = await Database.connect(await mongo.start(), "test", zone=zone, timeout_s=2)
    try:
        yield database
    finally:
        await database.close()


@pytest.mark.parametrize("pause_ms", [0, 10, 50])
async def test_save_cut_off_and_done_again(
    mongo: EmbeddedMongo, own: Database, zone: ZoneInfo, pause_ms: int
) -> None:
    meters = [f"{n:012d}" for n in range(40)]
    days = [DAY, DAY + timedelta(days=1)]
    saved = [
        each for meter in meters for day in days for each in whole_day(zone, meter=meter, day=day)
    ]
    await own.readings.save(saved[:1000])
    save = asyncio.ensure_future(own.readings.save(saved))
    await asyncio.sleep(pause_ms / 1000)  # Not to wait for a thing, but to hit another moment.
    assert mongo.pid is not None
    kill(mongo.pid)
    watch = tasks.spawn(mongo.watch(), name="watch of mongod")
    try:
        await asyncio.gather(save, return_exceptions=True)
        await comes_back(own)
        await _save_until_done(own, saved)
        assert await all_of(own, saved) == in_order(saved)
        await coverage_is_exact(own, zone, saved)
        latest = await own.readings.latest()
        assert latest == {
            meter: [whole_day(zone, meter=meter, day=days[1])[-1]] for meter in meters
        }
    finally:
        await tasks.cancel(watch)


async def _save_until_done(database: Database, readings: list[Reading]) -> None:
    for _ in range(10):
        try:
            await database.readings.save(readings)
        except DatabaseDown:
            continue
        return
    raise AssertionError("the database did not come back")
