"""The embedded mongod: every way to start, to die, and to come back with the data."""

import asyncio
import importlib.util
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.errors import OperationFailure
from store_helpers import comes_back, comes_true, cut_off, is_alive, kill

from station import tasks
from station.errors import StartError
from station.store import embedded, processes
from station.store.database import Database
from station.store.embedded import EmbeddedMongo

STATION = """
import asyncio, pathlib, sys
from station.store.embedded import EmbeddedMongo

async def main():
    mongo = EmbeddedMongo(pathlib.Path(sys.argv[1]))
    await mongo.start()
    print(mongo.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def write(uri: str, value: int) -> None:
    client: AsyncIOMotorClient = AsyncIOMotorClient(uri, w="majority", journal=True)
    await client.test.things.insert_one({"_id": value})
    client.close()


async def read(uri: str) -> list[int]:
    client: AsyncIOMotorClient = AsyncIOMotorClient(uri)
    found = await client.test.things.find().sort("_id").to_list(None)
    client.close()
    return [document["_id"] for document in found]


def port_of(uri: str) -> int:
    return int(uri.split("@127.0.0.1:")[1].split("/")[0])


async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


def listening_at(port: int) -> list[str]:
    """Return the addresses, in the kernel's hexadecimal, that listen at a port."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ends = [line[1].split(":") for line in lines if line[3] == "0A"]
    return [address for address, at in ends if int(at, 16) == port]


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedMongo]:
    """A mongod that runs, for the tests that only look at it."""
    mongo = EmbeddedMongo(tmp_path_factory.mktemp("running") / "data")
    asyncio.run(mongo.start())
    try:
        yield mongo
    finally:
        asyncio.run(cut_off(mongo))


def test_secrets_are_for_the_owner_only(running: EmbeddedMongo) -> None:
    data = running._data
    assert mode_of(data) == 0o700
    assert {name: mode_of(data / name) for name in ("key", "password", "port")} == {
        "key": 0o600,
        "password": 0o600,
        "port": 0o600,
    }


async def test_nobody_gets_in_without_the_password(running: EmbeddedMongo) -> None:
    uri = running._uri()
    client: AsyncIOMotorClient = AsyncIOMotorClient(
        f"mongodb://127.0.0.1:{port_of(uri)}/?directConnection=true"
    )
    with pytest.raises(OperationFailure, match="requires authentication"):
        await client.test.things.find_one()
    with pytest.raises(OperationFailure, match="requires authentication"):
        await client.admin.command({"createUser": "thief", "pwd": "x", "roles": ["root"]})
    client.close()


def test_listens_on_the_loopback_only(running: EmbeddedMongo) -> None:
    port = port_of(running._uri())
    assert listening_at(port) == ["0100007F"]


async def test_same_uri_and_data_after_a_clean_stop(mongo: EmbeddedMongo) -> None:
    uri = await mongo.start()
    await write(uri, 1)
    pid = mongo.pid
    await mongo.stop()
    assert pid is not None
    assert not is_alive(pid)
    assert await mongo.start() == uri
    assert await read(uri) == [1]


async def test_transactions_work(running: EmbeddedMongo) -> None:
    client: AsyncIOMotorClient = AsyncIOMotorClient(running._uri())
    async with await client.start_session() as session, session.start_transaction():
        await client.test.things.insert_one({"_id": 1}, session=session)
        await client.test.others.insert_one({"_id": 1}, session=session)
    assert await client.test.others.count_documents({}) == 1
    client.close()


async def test_acknowledged_writes_survive_a_kill(mongo: EmbeddedMongo, tmp_path: Path) -> None:
    uri = await mongo.start()
    await write(uri, 1)
    assert mongo.pid is not None
    kill(mongo.pid)
    await comes_true(lambda: not is_alive(mongo.pid or 0))
    assert (tmp_path / "data/db/mongod.lock").read_text().strip(), "the lock is stale"
    await mongo.stop()
    assert await mongo.start() == uri
    assert await read(uri) == [1]


async def test_another_port_when_the_old_one_is_taken(mongo: EmbeddedMongo) -> None:
    uri = await mongo.start()
    await write(uri, 1)
    await cut_off(mongo)
    async with await asyncio.start_server(hang_up, "127.0.0.1", port_of(uri)):
        moved = await mongo.start()
        assert port_of(moved) != port_of(uri)
        await write(moved, 2)
        await cut_off(mongo)
    assert await mongo.start() == moved, "it stays where it moved to"
    assert await read(moved) == [1, 2]


@pytest.mark.parametrize("command", ["replSetInitiate", "createUser"])
async def test_first_start_cut_off(
    mongo: EmbeddedMongo, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    sent = embedded._call

    async def killed(client: AsyncIOMotorClient, document: dict) -> None:
        if command in document:
            assert mongo.pid is not None
            kill(mongo.pid)
        await sent(client, document)

    with monkeypatch.context() as patch:
        patch.setattr(embedded, "_call", killed)
        patch.setattr(embedded, "CALL_TIMEOUT_S", 0.5)
        with pytest.raises(StartError):
            await mongo.start()
    uri = await mongo.start()
    await write(uri, 1)
    assert await read(uri) == [1]


async def test_first_start_cut_off_after_its_last_step(
    mongo: EmbeddedMongo, tmp_path: Path
) -> None:
    uri = await mongo.start()
    await write(uri, 1)
    await cut_off(mongo)
    (tmp_path / "data/ready").unlink()
    assert await mongo.start() == uri
    assert await read(uri) == [1]


async def test_one_station_per_directory(mongo: EmbeddedMongo, tmp_path: Path) -> None:
    second = EmbeddedMongo(tmp_path / "data")
    assert second.running_uri() is None
    uri = await mongo.start()
    with pytest.raises(StartError, match="another station is running"):
        await second.start()
    assert await read(uri) == [], "the first one is not disturbed"
    assert second.running_uri() == uri
    await cut_off(mongo)
    assert second.running_uri() is None


async def test_orphan_of_a_dead_station_is_replaced(mongo: EmbeddedMongo, tmp_path: Path) -> None:
    dead = EmbeddedMongo(tmp_path / "data")
    uri = await dead.start()
    await write(uri, 1)
    dead._close_lock()  # As the kernel does when a process dies.
    assert await mongo.start() == uri
    assert dead.pid is not None
    assert not is_alive(dead.pid)
    assert await read(uri) == [1]


async def test_orphan_that_will_not_stop_is_killed(
    mongo: EmbeddedMongo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = EmbeddedMongo(tmp_path / "data")
    await write(await dead.start(), 1)
    dead._close_lock()
    assert dead.pid is not None
    os.kill(dead.pid, signal.SIGSTOP)
    monkeypatch.setattr(processes, "STOP_TIMEOUT_S", 0.2)
    assert await read(await mongo.start()) == [1]


async def test_only_a_mongod_of_this_data_is_an_orphan(tmp_path: Path) -> None:
    other = EmbeddedMongo(tmp_path / "other")
    await other.start()
    mongo = EmbeddedMongo(tmp_path / "data")
    await mongo.start()
    assert other.pid is not None
    assert is_alive(other.pid)
    await cut_off(mongo)
    await cut_off(other)


async def test_dies_with_the_station(tmp_path: Path) -> None:
    station = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STATION, str(tmp_path / "data"), stdout=subprocess.PIPE
    )
    assert station.stdout is not None
    pid = int(await station.stdout.readline())
    assert is_alive(pid)
    station.kill()
    await station.wait()
    await comes_true(lambda: not is_alive(pid))


def test_a_terminal_cannot_interrupt_it(running: EmbeddedMongo) -> None:
    assert running.pid is not None
    assert os.getsid(running.pid) == os.getpgid(running.pid) == running.pid


async def test_stop_kills_what_will_not_stop(
    mongo: EmbeddedMongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    await mongo.start()
    pid = mongo.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    monkeypatch.setattr(processes, "STOP_TIMEOUT_S", 0.2)
    await mongo.stop()
    assert not is_alive(pid)


async def test_crash_is_repaired_in_place(mongo: EmbeddedMongo, zone: ZoneInfo) -> None:
    uri = await mongo.start()
    database = await Database.connect(uri, "test", zone=zone)
    watch = tasks.spawn(mongo.watch(), name="watch of mongod")
    try:
        await database.settings.set("before", 1)
        pid = mongo.pid
        assert pid is not None
        kill(pid)
        await comes_true(lambda: mongo.pid != pid)
        await comes_back(database)
        assert await database.settings.get("before") == 1
        await database.settings.set("after", 2)
    finally:
        await tasks.cancel(watch)
        await database.close()


async def test_watch_goes_on_trying(
    mongo: EmbeddedMongo, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(embedded, "RESTART_PAUSE_S", 0.01)
    uri = await mongo.start()
    watch = tasks.spawn(mongo.watch(), name="watch of mongod")
    try:
        with monkeypatch.context() as patch:
            patch.setattr(mongo, "_cache_mb", 1)  # mongod refuses so small a cache.
            assert mongo.pid is not None
            kill(mongo.pid)
            await comes_true(lambda: "cacheSizeGB must be" in caplog.text)
        await comes_true(lambda: "the database is up again" in caplog.text)
        await write(uri, 1)
    finally:
        await tasks.cancel(watch)


async def test_log_is_bounded(
    mongo: EmbeddedMongo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    await mongo.start()
    log = tmp_path / "data/mongod.log"
    monkeypatch.setattr(embedded, "LOG_SIZE_MAX", log.stat().st_size - 1)
    monkeypatch.setattr(embedded, "WATCH_PERIOD_S", 0.01)
    watch = tasks.spawn(mongo.watch(), name="watch of mongod")
    await comes_true(lambda: log.stat().st_size < 1000)
    await tasks.cancel(watch)
    await mongo.stop()
    assert "Now exiting" in log.read_text(), "mongod goes on writing to it"
    assert "MongoDB starting" in (tmp_path / "data/mongod.log.1").read_text()


async def test_no_binary(monkeypatch: pytest.MonkeyPatch, mongo: EmbeddedMongo) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(StartError, match=r"database\.uri.*station\[embedded\]"):
        await mongo.start()


async def test_binary_on_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    binary = tmp_path / "mongod"
    binary.write_text("#!/bin/sh\nexit 3\n")
    binary.chmod(0o755)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert embedded.find_binary() == binary


async def test_mongod_that_ends_at_once_says_why(tmp_path: Path) -> None:
    mongo = EmbeddedMongo(tmp_path / "data", cache_mb=1)
    with pytest.raises(StartError, match=r"exit code 1: .*cacheSizeGB must be"):
        await mongo.start()


async def test_data_that_is_broken_says_so(mongo: EmbeddedMongo, tmp_path: Path) -> None:
    await mongo.start()
    await cut_off(mongo)
    (tmp_path / "data/db/WiredTiger.turtle").write_text("nonsense")
    with pytest.raises(StartError, match="WiredTiger"):
        await mongo.start()


async def test_directory_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(StartError, match=r"cannot use .*/data for data: "):
        await EmbeddedMongo(tmp_path / "data").start()


async def test_not_ready_in_time(mongo: EmbeddedMongo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "READY_TIMEOUT_S", 0.05)
    with pytest.raises(StartError, match="not ready within"):
        await mongo.start()
    assert mongo.pid is None
    monkeypatch.setattr(embedded, "READY_TIMEOUT_S", 20.0)
    await write(await mongo.start(), 1)


async def test_cancelled_start_leaves_nothing(mongo: EmbeddedMongo) -> None:
    start = asyncio.ensure_future(mongo.start())
    await comes_true(lambda: mongo.pid is not None)
    pid = mongo.pid
    assert pid is not None
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert not is_alive(pid)
