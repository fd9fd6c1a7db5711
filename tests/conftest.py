"""What many tests need: one real mongod for all of them, and an empty database for each."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pymongo import MongoClient
from pymongo.database import Database as MongoDatabase

from station.store.database import COMMAND_TIMEOUT_S, Database, _client
from station.store.embedded import EmbeddedMongo

NAME = "tests"
# Files that take longest begin first, so that no worker is left alone with one at the end.
LONGEST = ("whole", "prepaid", "store", "handlers")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the rooms whose files take longest first, and those that only reckon last."""

    def rank(item: pytest.Item) -> int:
        room = item.path.parent.name
        return LONGEST.index(room) if room in LONGEST else len(LONGEST)

    items.sort(key=rank)


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


@pytest.fixture(scope="session")
def prepared(mongo_uri: str, zone: ZoneInfo) -> Iterator[MongoDatabase]:
    """The database of the tests with its collections, indexes and settings, seen by the driver.

    It is made but once, since that takes a tenth of a second, and most tests want one.
    """
    asyncio.run(_prepare(mongo_uri, zone))
    with MongoClient(mongo_uri, tz_aware=True) as client:
        yield client[NAME]


@pytest.fixture
async def database(
    mongo_uri: str, zone: ZoneInfo, prepared: MongoDatabase
) -> AsyncIterator[Database]:
    """An empty database, as one that was just opened for the first time."""
    settings = list(prepared.settings.find())
    opened = Database(_client(mongo_uri, COMMAND_TIMEOUT_S), NAME, zone, COMMAND_TIMEOUT_S)
    try:
        yield opened
    finally:
        await opened.close()
        for name in _holding(prepared):
            prepared[name].delete_many({})
        prepared.settings.insert_many(settings)


async def _prepare(uri: str, zone: ZoneInfo) -> None:
    opened = await Database.connect(uri, NAME, zone=zone)
    await opened.close()


def _holding(database: MongoDatabase) -> list[str]:
    """Return the collections that hold something, by one question for all of them."""
    first, *others = database.list_collection_names(filter={"type": "collection"})
    question = [*_named(first), *(_joined(name) for name in others)]
    return [found["name"] for found in database[first].aggregate(question)]


def _joined(name: str) -> dict[str, Any]:
    return {"$unionWith": {"coll": name, "pipeline": _named(name)}}


def _named(name: str) -> list[dict[str, Any]]:
    return [{"$limit": 1}, {"$project": {"_id": 0, "name": {"$literal": name}}}]
