"""What many tests need: one real mongod for all of them, and an empty database for each."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from zoneinfo import ZoneInfo

import pytest
from motor.motor_asyncio import AsyncIOMotorClient

from station.store.database import Database
from station.store.embedded import EmbeddedMongo


@pytest.fixture(scope="session")
def zone() -> ZoneInfo:
    """The zone of the site in tests."""
    return ZoneInfo("Asia/Shanghai")


@pytest.fixture(scope="session")
def mongo_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The uri of a running mongod."""
    mongo = EmbeddedMongo(tmp_path_factory.mktemp("mongo") / "data")
    uri = asyncio.run(mongo.start())
    try:
        yield uri
    finally:
        asyncio.run(mongo.stop())


@pytest.fixture
async def database(mongo_uri: str, zone: ZoneInfo) -> AsyncIterator[Database]:
    """An empty database; collections and indexes are made but once, since they take a second."""
    opened = await Database.connect(mongo_uri, "tests", zone=zone)
    try:
        yield opened
    finally:
        await opened.close()
        client: AsyncIOMotorClient = AsyncIOMotorClient(mongo_uri)
        found = await client["tests"].list_collection_names(filter={"type": "collection"})
        await asyncio.gather(*(client["tests"][name].delete_many({}) for name in found))
        client.close()
