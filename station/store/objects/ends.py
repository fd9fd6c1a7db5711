"""The far ends of links: terminals that dial in and channels that the station opens.

Both share one space of names, so both lie in one collection, told apart by `kind`. An end is only
removed when no meter hangs on it; a meter is only hung on an end that is there. Each of these two
writes touches the end's document inside a transaction, so of two at once one sees the other.
"""

from typing import Any

from pymongo.errors import DuplicateKeyError

from station.errors import Conflict
from station.store.driver import Collection, Document
from station.store.objects.base import Objects, Thing
from station.store.objects.changes import Changes
from station.store.objects.places import hold_place


class Ends(Objects[Thing]):
    """One kind of link ends; `word` is the kind."""

    def __init__(
        self, collection: Collection, meters: Collection, places: Collection, changes: Changes
    ) -> None:
        super().__init__(collection)
        self._meters = meters
        self._places = places
        self._changes = changes

    async def add(self, thing: Thing, *, by: str = "") -> None:
        """Add a new one. Raises Conflict, and InvalidValue for a place that is not."""
        document = self._to_document(thing)
        key = document["_id"]

        async def work(session: Any) -> None:
            await hold_place(self._places, document.get("place", ""), session)
            await self._collection.insert(document, session=session)
            await self._changes.enter(self.word, key, None, thing, by, session=session)

        try:
            await self._collection.transaction(work)
        except DuplicateKeyError:
            raise self._taken(key) from None

    async def save(self, thing: Thing, *, by: str = "", reason: str = "") -> None:
        """Replace it. Raises NotFound, and InvalidValue for a place that is not."""
        document = self._to_document(thing)
        key = document["_id"]

        async def work(session: Any) -> None:
            before = await self._before(key, session)
            await hold_place(self._places, document.get("place", ""), session)
            await self._collection.replace(self._query(key), document, session=session)
            await self._changes.enter(
                self.word, key, before, thing, by, session=session, reason=reason
            )

        await self._collection.transaction(work)

    async def remove(self, key: str, *, by: str = "") -> None:
        """Remove it. Raises NotFound, and Conflict while meters hang on it."""

        async def work(session: Any) -> None:
            before = await self._before(key, session)
            await self._collection.remove(self._query(key), session=session)
            meter = await self._meters.find_one({"link": key}, session=session)
            if meter is not None:
                raise Conflict(f"meter {meter['_id']} still hangs on {self.word} {key}")
            await self._changes.enter(self.word, key, before, None, by, session=session)

        await self._collection.transaction(work)

    async def _before(self, key: str, session: Any) -> Thing:
        document = await self._collection.find_one(self._query(key), session=session)
        if document is None:
            raise self._missing(key)
        return self._from_document(document)

    def _query(self, key: str) -> Document:
        return {"_id": key, "kind": self.word}

    def _taken(self, key: str) -> Conflict:
        return Conflict(f"the name {key} is taken by a terminal or a channel")

    def _to_document(self, thing: Thing) -> Document:
        return {**super()._to_document(thing), "kind": self.word}
