"""Schema 2: the coverage of the day sheets that are there already.

Goes through all sheets once, some 10,000 a second. What is written does not depend on what stood
there, so a migration that was cut off is done again from the beginning.
"""

from typing import TYPE_CHECKING

from pymongo import ReplaceOne
from pymongo.errors import OperationFailure

from station.store.driver import Document
from station.store.objects import months
from station.store.objects.sheets import sheet_key

if TYPE_CHECKING:
    from motor.motor_asyncio import AsyncIOMotorDatabase

NAMESPACE_EXISTS = 48  # A code of the server.
COMPRESSED = {"wiredTiger": {"configString": "block_compressor=zstd"}}
MONTHS_PER_WRITE = 500  # Well below the largest message, with all items of the catalogue too.


async def make_compressed(database: "AsyncIOMotorDatabase[Document]", name: str) -> None:
    """Make a collection that is compressed well. What is there already stays."""
    try:
        await database.command({"create": name, "storageEngine": COMPRESSED})
    except OperationFailure as error:
        if error.code != NAMESPACE_EXISTS:
            raise


async def make_coverage(database: "AsyncIOMotorDatabase[Document]") -> None:
    """Write the coverage of every sheet that there is."""
    await make_compressed(database, "coverage")
    kept: dict[str, Document] = {}
    meter = ""
    async for sheet in database.sheets.find({}, {"values": 1}).sort("_id"):
        key = sheet_key(sheet["_id"])
        if key[0] != meter and len(kept) >= MONTHS_PER_WRITE:
            await _write(database, kept)
            kept = {}
        meter = key[0]
        months.enter(kept, key, sheet["values"])
    await _write(database, kept)


async def _write(database: "AsyncIOMotorDatabase[Document]", kept: dict[str, Document]) -> None:
    if kept:
        writes = [ReplaceOne({"_id": key}, each, upsert=True) for key, each in kept.items()]
        await database.coverage.bulk_write(writes, ordered=False)
