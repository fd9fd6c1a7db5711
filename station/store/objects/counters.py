"""Running numbers of the whole site: each is given once, and no number is skipped.

A number is taken inside the transaction that writes what bears it, so the two are there together
or not at all; of two transactions at once the later one waits and takes the next number.
"""

from typing import Any

from pymongo.errors import DuplicateKeyError

from station.store.driver import Collection


class Counters:
    """The counters of the site, by name; the first number of each is 1."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def prepare(self, name: str) -> None:
        """Make the counter if it is not there; to be called before the transaction."""
        if await self._collection.find_one({"_id": name}) is not None:
            return
        try:
            await self._collection.insert({"_id": name, "value": 0})
        except DuplicateKeyError:
            return  # Another station made it in this moment.

    async def next(self, name: str, session: Any) -> int:
        """Take the next number, as part of a transaction."""
        changed = await self._collection.update(
            {"_id": name}, {"$inc": {"value": 1}}, session=session
        )
        assert changed, f"the counter {name} was not prepared"
        document = await self._collection.find_one({"_id": name}, session=session)
        assert document is not None, "what was just written is there"
        return int(document["value"])
