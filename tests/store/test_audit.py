"""The audit log: a chain that several writers continue, that no crash breaks and no hand bends."""

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from motor.motor_asyncio import AsyncIOMotorClient

from station.errors import Conflict, DatabaseDown
from station.handlers.access.audit_writer import REFUSALS_EACH_MIN, AuditWriter, act_of_command_line
from station.store.database import Database
from station.store.objects.audit import NAMES, AuditLog, Entry, values_text

WRITERS, ENTRIES = 4, 40
KILLS = 6


def entry(number: int = 0, who: str = "ann") -> Entry:
    return Entry("terminals.change", f"/terminals/{number}", who, station="test", outcome="done")


async def filled(database: Database, count: int = 7) -> list[Entry]:
    return [await database.audit.append(entry(number)) for number in range(count)]


async def test_several_writers_at_once_make_one_chain(
    database: Database, mongo_uri: str, zone: ZoneInfo
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        logs: list[AuditLog] = []
        for _ in range(WRITERS):  # Each with connections and a memory of its own, as processes.
            other = await Database.connect(mongo_uri, "tests", zone=zone)
            stack.push_async_callback(other.close)
            logs.append(other.audit)

        async def write(log: AuditLog, who: str) -> list[Entry]:
            return [await log.append(entry(number, who)) for number in range(ENTRIES)]

        written = await asyncio.gather(*(write(log, str(n)) for n, log in enumerate(logs)))
    numbers = sorted(each.sequence for one in written for each in one)
    assert numbers == list(range(1, WRITERS * ENTRIES + 1))
    for one in written:  # Each writer's own stand in the order in which it wrote them.
        assert [each.sequence for each in one] == sorted(each.sequence for each in one)
    verdict = await database.audit.verify()
    assert (verdict.count, verdict.broken) == (WRITERS * ENTRIES, None)


async def test_written_again_it_stands_once(database: Database) -> None:
    one = entry()
    first = await database.audit.append(one)
    await database.audit.append(entry(1))
    assert await database.audit.append(one) == first
    assert (await database.audit.verify()).count == 2


CHILD = """
import asyncio, sys
from zoneinfo import ZoneInfo
from dataclasses import replace
from station.store.database import Database
from station.store.objects.audit import Entry

async def act(log, number):
    while True:
        begun = Entry("terminals.change", "/terminals/1", "ann", station="test")
        await log.begin(begun)
        print("begun", begun.id, flush=True)
        await log.append(replace(begun, outcome="done"))
        print("done", begun.id, flush=True)
        await log.forget(begun.id)

async def main():
    database = await Database.connect(sys.argv[1], "tests", zone=ZoneInfo("Asia/Shanghai"))
    await asyncio.gather(*(act(database.audit, number) for number in range(3)))

asyncio.run(main())
"""


async def test_no_kill_breaks_the_chain_or_loses_an_act(
    database: Database, mongo_uri: str, tmp_path: Path
) -> None:
    script = tmp_path / "acts.py"
    script.write_text(CHILD)
    said: dict[str, set[str]] = {"begun": set(), "done": set()}
    with contextlib.ExitStack() as stack:
        children = [
            stack.enter_context(
                subprocess.Popen(  # noqa: ASYNC220  It takes milliseconds, and nothing else runs here.
                    [sys.executable, str(script), mongo_uri], stdout=subprocess.PIPE, text=True
                )
            )
            for _ in range(KILLS)
        ]
        for child in children:  # Whatever happens here, none of them writes on afterwards.
            stack.callback(child.kill)
        for number, child in enumerate(children):  # All at work while one after the other dies.
            assert child.stdout is not None
            lines = [child.stdout.readline() for _ in range(5 + 3 * number)]
            child.send_signal(signal.SIGKILL)
            # A line that the kill has cut tells nothing.
            lines += [line for line in child.stdout if line.endswith("\n")]
            for line in lines:
                word, act = line.split()
                said[word].add(act)
    verdict = await database.audit.verify()
    assert verdict.broken is None

    writer = AuditWriter(database.audit, "test")
    await writer.start()
    await writer.stop()
    verdict = await database.audit.verify()
    assert (verdict.broken, verdict.waiting) == (None, 0)
    entries = [each async for each in database.audit.all()]
    outcomes = {each.id: each.outcome for each in entries}
    assert len(entries) == len(outcomes) == verdict.count
    assert said["begun"] <= outcomes.keys()
    assert all(outcomes[act] == "done" for act in said["done"])
    assert len(said["done"]) >= KILLS
    assert set(outcomes.values()) <= {"done", "unknown"}


Hand = Callable[[AsyncIOMotorClient], Awaitable[object]]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "sequence"])
async def test_a_changed_value_is_found(database: Database, mongo_uri: str, name: str) -> None:
    await filled(database)
    client: AsyncIOMotorClient = AsyncIOMotorClient(mongo_uri)
    await client["tests"].audit.update_one({"_id": 4}, {"$set": {name: "another"}})
    client.close()
    broken = (await database.audit.verify()).broken
    assert broken is not None
    assert broken.sequence == 4


async def test_an_entry_taken_out_put_in_or_made_anew_is_found(
    database: Database, mongo_uri: str
) -> None:
    client: AsyncIOMotorClient = AsyncIOMotorClient(mongo_uri)
    table = client["tests"].audit
    entries = await filled(database)
    third, fourth, fifth = [await table.find_one({"_id": number}) for number in (3, 4, 5)]

    async def first_broken() -> int | None:
        broken = (await database.audit.verify()).broken
        return None if broken is None else broken.sequence

    await table.delete_one({"_id": 4})
    assert await first_broken() == 4
    forged = replace(entries[3], who="bob").chained(entries[2])  # With a hash that fits.
    await table.insert_one({**fourth, "who": "bob", "hash": forged.hash})
    assert await first_broken() == 5
    await table.replace_one({"_id": 4}, {**fifth, "_id": 4, "id": "x"})
    assert await first_broken() == 4
    await table.replace_one({"_id": 4}, fourth)
    assert await first_broken() is None

    for odd in (4.5, "4", None):
        await table.insert_one({**third, "_id": odd, "id": "odd"})
        assert await first_broken() in (0, 5), odd
        await table.delete_one({"_id": odd})
    await table.delete_one({"_id": 1})
    assert await first_broken() == 1
    client.close()


async def test_an_end_cut_off_and_a_log_made_anew_are_found_by_a_noted_hash(
    database: Database, mongo_uri: str, zone: ZoneInfo
) -> None:
    entries = await filled(database)
    noted = {6: entries[5].hash}
    client: AsyncIOMotorClient = AsyncIOMotorClient(mongo_uri)
    await client["tests"].audit.delete_many({"_id": {"$gt": 4}})
    assert (await database.audit.verify()).broken is None  # Nothing in the log itself tells.
    broken = (await database.audit.verify(noted)).broken
    assert broken is not None
    assert broken.sequence == 5
    await database.audit.append(entry())  # But the station has seen more, and leaves a gap.
    broken = (await database.audit.verify()).broken
    assert broken is not None
    assert broken.sequence == 5

    await client["tests"].audit.delete_many({})
    client.close()
    anew = await Database.connect(mongo_uri, "tests", zone=zone)
    for number in range(7):
        await anew.audit.append(entry(number, "bob"))
    await anew.close()
    assert (await database.audit.verify()).broken is None
    broken = (await database.audit.verify(noted)).broken
    assert broken is not None
    assert broken.sequence == 6


def test_values_are_bounded_and_in_order() -> None:
    assert values_text({"b": 1, "a": "电"}) == '{"a": "电", "b": 1}'
    assert values_text({}) == values_text(None) == ""
    long = values_text({"name": "North", "rows": ["x" * 50] * 1000})
    assert long.startswith('{"name": "North", "…": ')
    assert len(long) < 100
    assert len(values_text({str(n): "x" * 90 for n in range(1000)})) < 100


class Failing:
    """The log of a database that goes away for a while."""

    def __init__(self, log: AuditLog, failures: int) -> None:
        self._log = log
        self.failures = failures

    def __getattr__(self, name: str) -> object:
        return getattr(self._log, name)

    async def append(self, one: Entry) -> Entry:
        if self.failures:
            self.failures -= 1
            raise DatabaseDown("gone")
        return await self._log.append(one)


async def test_what_happened_while_the_database_went_away_is_written_after(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("station.handlers.access.audit_writer.RETRY_S", 0.01)
    failing = Failing(database.audit, 3)
    writer = AuditWriter(failing, "test")
    await writer.start()
    begun = replace(entry(), outcome="begun")
    await writer.begin(begun)
    await writer.settle(replace(begun, outcome="done", after='{"a": 1}'))
    await writer.stop()
    assert failing.failures == 0
    found, total = await database.audit.list()
    assert (total, found[0].outcome, found[0].after) == (1, "done", '{"a": 1}')
    assert await database.audit.begun("test") == []


async def test_a_flood_of_refusals_is_counted(database: Database) -> None:
    writer = AuditWriter(database.audit, "test")
    await writer.start()
    for number in range(500):
        writer.refuse(replace(entry(number, ""), outcome="refused"))
    await writer.stop()
    found, total = await database.audit.list()
    assert total == REFUSALS_EACH_MIN + 1
    assert found[0].detail == "470 more attempts were turned away in this minute"


async def test_the_command_line_is_told_too(database: Database) -> None:
    log = database.audit
    async with act_of_command_line(log, "test", "users.add", "/users/eve", {"role": "clerk"}):
        assert len(await log.begun("test")) == 1
    with pytest.raises(Conflict):
        async with act_of_command_line(log, "test", "users.add", "/users/eve"):
            raise Conflict("user eve exists already")
    found, total = await log.list()
    assert (total, found[0].via, found[0].object) == (1, "command line", "/users/eve")
    assert found[0].who
    assert await log.begun("test") == []
