"""The far ends of links: terminals that dial in and channels that the station opens.

Both share one space of names, so both lie in one collection, told apart by `kind`. An end is only
removed when no meter hangs on it; a meter is only hung on an end that is there. Each of these two
writes touches the end's document inside a transaction, so of two at once one sees the other.
"""

from typing import Any

from station.errors import Conflict
from station.store.driver import Collection, Document
from station.store.objects.base import Objects, Thing


class Ends(Objects[Thing]):
    """One kind of link ends; `word` is the kind."""

    def __init__(self, collection: Collection, meters: Collection) -> None:
        super().__init__(collection)
        self._meters = meters

    async def remove(self, key: str) -> None:
        """Remove it. Raises NotFound, and Conflict while meters hang on it."""

        async def work(session: Any) -> None:
            if not await self._collection.remove(self._query(key), session=session):
                raise self._missing(key)
            meter = await self._meters.find_one({"link": key}, session=session)
            if meter is not None:
                raise Conflict(f"meter {meter['_id']} still hangs on {self.word} {key}")

        await self._collection.transaction(work)

    def _query(self, key: str) -> Document:
        return {"_id": key, "kind": self.word}

    def _taken(self, key: str) -> Conflict:
        return Conflict(f"the name {key} is taken by a terminal or a channel")

    def _to_document(self, thing: Thing) -> Document:
        return {**super()._to_document(thing), "kind": self.word}
