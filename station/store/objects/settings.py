"""Small values of the whole site, by key."""

from typing import Any

from pymongo.errors import DuplicateKeyError

from station.store.driver import Collection


class Settings:
    """Values that every station on this database shares."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def get(self, key: str) -> Any:
        """Return the value of a key, or None."""
        document = await self._collection.find_one({"_id": key})
        return None if document is None else document["value"]

    async def set(self, key: str, value: Any) -> None:
        """Set the value of a key."""
        await self._collection.replace({"_id": key}, {"value": value}, upsert=True)

    async def claim(self, key: str, value: Any) -> Any:
        """Set the value if the key has none, and return the value that stands."""
        try:
            await self._collection.insert({"_id": key, "value": value})
        except DuplicateKeyError:
            return await self.get(key)
        return value
