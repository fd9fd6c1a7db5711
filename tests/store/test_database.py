"""The database: what it refuses to open, what it says, and how it goes down and comes back."""

import asyncio
import os
import signal
import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection
from store_helpers import comes_back, cut_off, kill

from station.errors import DatabaseDown, StartError
from station.store import driver
from station.store.database import MIGRATIONS, SCHEMA_VERSION, Database
from station.store.embedded import EmbeddedMongo, find_binary
from station.store.indexes import INDEXES
from station.store.objects.customers import Customer
from station.store.objects.readings import Reading
from station.units import utc_now


async def index_names(uri: str, database: str, collection: str) -> dict[str, dict]:
    client: AsyncIOMotorClient = AsyncIOMotorClient(uri)
    try:
        return await client[database][collection].index_information()
    finally:
        client.close()


async def test_every_index_of_the_table_is_made(database: Database, mongo_uri: str) -> None:
    for index in INDEXES:
        made = await index_names(mongo_uri, database.name, index.collection)
        assert index.keys in [each["key"] for each in made.values()]


async def test_all_of_a_large_collection_are_not_counted_one_by_one(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[int] = []
    count = AsyncIOMotorCollection.count_documents

    def counted(self: AsyncIOMotorCollection, query: dict, **bound: int) -> object:
        noted.append(len(query))
        return count(self, query, **bound)

    for number in range(6):
        await database.customers.add(Customer(f"{number:012d}", f"Customer {number}"))
    monkeypatch.setattr(AsyncIOMotorCollection, "count_documents", counted)
    assert (await database.customers.list())[1] == 6
    assert noted == [0], "a few are counted, whatever the server has noted"
    monkeypatch.setattr(driver, "COUNTED_MAX", 5)
    assert (await database.customers.list())[1] == 6
    assert noted == [0]
    assert (await database.customers.list("Customer 3"))[1] == 1
    assert noted == [0, 1]


async def test_large_collections_are_compressed(database: Database, mongo_uri: str) -> None:
    client: AsyncIOMotorClient = AsyncIOMotorClient(mongo_uri)
    for name in ("sheets", "frames", "coverage"):
        stats = await client[database.name].command("collStats", name)
        assert "block_compressor=zstd" in stats["wiredTiger"]["creationString"]
    client.close()


async def test_opened_again_it_is_the_same(
    database: Database, mongo_uri: str, zone: ZoneInfo
) -> None:
    await database.settings.set("thing", {"a": [1, 2]})
    again = await Database.connect(mongo_uri, database.name, zone=zone)
    assert await again.settings.get("thing") == {"a": [1, 2]}
    assert await again.settings.get("schema") == SCHEMA_VERSION == len(MIGRATIONS)
    await again.close()


async def test_two_stations_open_a_new_database_at_once(mongo_uri: str, zone: ZoneInfo) -> None:
    name = "test_at_once"
    opened = await asyncio.gather(*(Database.connect(mongo_uri, name, zone=zone) for _ in range(4)))
    client: AsyncIOMotorClient = AsyncIOMotorClient(mongo_uri)
    try:
        assert await opened[0].settings.get("schema") == SCHEMA_VERSION
    finally:
        for each in opened:
            await each.close()
        await client.drop_database(name)
        client.close()


async def test_migration_cut_off_is_done_again(
    database: Database, mongo_uri: str, zone: ZoneInfo
) -> None:
    await database.settings.set("schema", 0)  # Its collections are there, its mark is not.
    again = await Database.connect(mongo_uri, database.name, zone=zone)
    assert await again.settings.get("schema") == SCHEMA_VERSION
    await again.close()


async def test_newer_schema_is_refused(database: Database, mongo_uri: str, zone: ZoneInfo) -> None:
    await database.settings.set("schema", SCHEMA_VERSION + 1)
    with pytest.raises(StartError, match="written by a newer Station"):
        await Database.connect(mongo_uri, database.name, zone=zone)


async def test_zone_is_fixed_by_the_first_reading(database: Database, mongo_uri: str) -> None:
    tokyo, berlin = ZoneInfo("Asia/Tokyo"), ZoneInfo("Europe/Berlin")
    empty = await Database.connect(mongo_uri, database.name, zone=tokyo)
    moment = utc_now()
    await empty.readings.save([Reading("000000000161", "clock", moment, 1, moment)])
    await empty.close()
    with pytest.raises(StartError, match=r"Asia/Tokyo; site\.zone cannot become Europe/Berlin"):
        await Database.connect(mongo_uri, database.name, zone=berlin)


async def test_age_of_frames_can_be_changed(
    database: Database, mongo_uri: str, zone: ZoneInfo
) -> None:
    again = await Database.connect(mongo_uri, database.name, zone=zone, frame_days=7)
    await again.close()
    made = await index_names(mongo_uri, database.name, "frames")
    assert [each["expireAfterSeconds"] for each in made.values() if each["key"] == [("at", 1)]] == [
        7 * 86_400
    ]


async def test_wrong_password(mongo_uri: str, zone: ZoneInfo) -> None:
    uri = f"mongodb://station:open-sesame@{mongo_uri.split('@')[1]}"
    with pytest.raises(StartError, match="user or password is not right") as refusal:
        await Database.connect(uri, "test", zone=zone)
    assert "127.0.0.1:" in str(refusal.value)
    assert "open-sesame" not in str(refusal.value)


async def test_nobody_there(zone: ZoneInfo) -> None:
    uri = "mongodb://station:open-sesame@127.0.0.1:9/?directConnection=true"
    with pytest.raises(StartError, match=r"127\.0\.0\.1:9: no answer") as refusal:
        await Database.connect(uri, "test", zone=zone, timeout_s=0.3)
    assert "open-sesame" not in str(refusal.value)


@pytest.mark.parametrize(
    "uri",
    ["127.0.0.1", "mongodb://", "mongodb://a:b:c@127.0.0.1"],
)
async def test_not_a_uri(uri: str, zone: ZoneInfo) -> None:
    with pytest.raises(StartError, match=r"database\.uri"):
        await Database.connect(uri, "test", zone=zone, timeout_s=0.3)


async def test_without_transactions_it_is_refused(tmp_path, zone: ZoneInfo) -> None:
    port = "27831"
    process = await asyncio.create_subprocess_exec(
        str(find_binary()), "--dbpath", str(tmp_path), "--port", port, "--bind_ip", "127.0.0.1",
        "--nounixsocket", stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        with pytest.raises(StartError, match="make it a replica set"):
            await Database.connect(f"mongodb://127.0.0.1:{port}", "test", zone=zone, timeout_s=20)
    finally:
        process.kill()
        await process.wait()


async def test_killed_and_started_again(mongo: EmbeddedMongo, zone: ZoneInfo) -> None:
    database = await Database.connect(await mongo.start(), "test", zone=zone, timeout_s=0.5)
    await database.settings.set("before", 1)
    assert mongo.pid is not None
    kill(mongo.pid)
    for use in (
        database.ping(),
        database.settings.get("before"),
        database.settings.set("during", 1),
        database.meters.many(),
        database.meters.list(text="1"),
        database.terminals.remove("02001234"),
        database.readings.save([Reading("1", "a", utc_now(), 1, utc_now())]),
    ):
        began = time.monotonic()
        with pytest.raises(DatabaseDown, match="the database does not answer"):
            await use
        assert time.monotonic() - began < 3, "well after the timeout, but on a busy box"
    await mongo.stop()
    await mongo.start()
    assert await database.readings.save([Reading("1", "a", utc_now(), 1, utc_now())]) == 1
    assert await database.settings.get("before") == 1
    await database.close()


def await_standstill(pid: int) -> None:
    """Wait until a process that was stopped is; it may run on for a moment on another core."""
    stat = Path(f"/proc/{pid}/stat")
    while stat.read_text().rsplit(")", 1)[1].split()[0] != "T":
        time.sleep(0.01)


async def test_stuck_and_going_on(mongo: EmbeddedMongo, zone: ZoneInfo) -> None:
    database = await Database.connect(await mongo.start(), "test", zone=zone, timeout_s=0.5)
    assert mongo.pid is not None
    os.kill(mongo.pid, signal.SIGSTOP)
    await asyncio.to_thread(await_standstill, mongo.pid)
    began = time.monotonic()
    try:
        with pytest.raises(DatabaseDown):
            await database.settings.get("schema")
        with pytest.raises(DatabaseDown):
            await database.readings.save([Reading("1", "a", utc_now(), 1, utc_now())])
    finally:
        os.kill(mongo.pid, signal.SIGCONT)
    assert time.monotonic() - began < 5
    await comes_back(database)
    assert await database.settings.get("schema") == SCHEMA_VERSION
    await database.close()


async def test_short_absence_is_ridden_out(mongo: EmbeddedMongo, zone: ZoneInfo) -> None:
    database = await Database.connect(await mongo.start(), "test", zone=zone, timeout_s=20)
    await cut_off(mongo)
    saved = asyncio.ensure_future(
        database.readings.save([Reading("1", "a", utc_now(), 1, utc_now())])
    )
    written = asyncio.ensure_future(database.settings.set("during", 1))
    await mongo.start()
    assert await saved == 1
    await written
    assert await database.settings.get("during") == 1
    await database.close()


async def test_closed_database_is_down(mongo_uri: str, zone: ZoneInfo, database: Database) -> None:
    again = await Database.connect(mongo_uri, database.name, zone=zone)
    await again.close()
    with pytest.raises(DatabaseDown):
        await again.settings.get("schema")


async def test_user_taken_away(mongo: EmbeddedMongo, zone: ZoneInfo) -> None:
    uri = await mongo.start()
    database = await Database.connect(uri, "test", zone=zone)
    client: AsyncIOMotorClient = AsyncIOMotorClient(uri)
    await client.admin.command({"dropUser": "station"})
    with pytest.raises(DatabaseDown, match="does not let the station in"):
        await database.settings.get("schema")
    client.close()
    await database.close()


async def test_transactions_share_sessions_until_one_goes_wrong(database: Database) -> None:
    settings = database.settings._collection
    kept = settings._resting

    async def used(name: str, fails: bool = False) -> object:
        async def work(session: object) -> object:
            await settings.insert({"_id": name}, session=session)
            if fails:
                raise ValueError
            return session

        return await settings.transaction(work)

    first = await used("one")
    assert await used("two") is first
    both = await asyncio.gather(used("three"), used("four"))
    assert (first in both, both[0] is both[1], len(kept)) == (True, False, 2)
    with pytest.raises(ValueError):
        await used("five", fails=True)
    assert len(kept) == 1
    names = {each["_id"] for each in await settings.find({"_id": {"$in": ["one", "five"]}})}
    assert names == {"one"}, "what went wrong left nothing"
