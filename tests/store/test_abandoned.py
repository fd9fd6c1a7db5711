"""What a killed station left open stands in nobody's way; what is alive goes on."""

import asyncio
import subprocess
import sys
import time

import pytest
from motor.motor_asyncio import AsyncIOMotorClient

from station.store import abandoned
from station.store.abandoned import end_abandoned

WAIT_S = 10.0

DYING = """
import sys
import pymongo
client = pymongo.MongoClient(sys.argv[1])
session = client.start_session()
session.start_transaction()
client["abandoned"]["orders"].update_one({"_id": 1}, {"$inc": {"count": 100}}, session=session)
print("open", flush=True)
sys.stdin.read()
"""


def die_over(mongo_uri: str) -> None:
    """Have a process killed in the middle of its transaction."""
    command = [sys.executable, "-c", DYING, mongo_uri]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as dying:
        assert dying.stdout is not None
        assert dying.stdout.readline() == b"open\n"
        dying.kill()


async def test_a_dead_stations_transaction_is_ended(mongo_uri: str) -> None:
    """Its document can be written again at once, and holds nothing of what was not committed."""
    client: AsyncIOMotorClient = AsyncIOMotorClient(mongo_uri, timeoutMS=round(1000 * WAIT_S))
    orders = client["abandoned"]["orders"]
    await orders.insert_one({"_id": 1, "count": 0})
    await asyncio.to_thread(die_over, mongo_uri)
    began = time.monotonic()
    while not await end_abandoned(client):
        assert time.monotonic() < began + WAIT_S, "it was never found"
        await asyncio.sleep(0.05)
    await orders.update_one({"_id": 1}, {"$inc": {"count": 1}})
    assert time.monotonic() < began + WAIT_S
    assert await orders.find_one() == {"_id": 1, "count": 1}
    await client.drop_database("abandoned")
    client.close()


async def test_a_living_transaction_goes_on(
    mongo_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(abandoned, "IDLE_S", WAIT_S)  # This machine may be busy.
    client: AsyncIOMotorClient = AsyncIOMotorClient(mongo_uri)
    async with await client.start_session() as session, session.start_transaction():
        await client["alive"]["orders"].insert_one({"_id": 1}, session=session)
        assert await end_abandoned(client) == 0
    assert await client["alive"]["orders"].find_one() == {"_id": 1}
    await client.drop_database("alive")
    client.close()
