"""What the collections of things with a key have in common: add, save, find, get, remove.

A thing is a frozen dataclass; its key field is the document's `_id`, so uniqueness is an index.
"""

import re
from collections.abc import Collection as Ids
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from bson import ObjectId
from pymongo import DeleteOne, InsertOne, ReplaceOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from station.errors import Conflict, NotFound
from station.store.driver import Collection, Document, Order
from station.store.objects.sorts import order_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Thing = TypeVar("Thing", bound="DataclassInstance")

DUPLICATE_KEY = 11000  # A code of the server.

Many = list[Thing]  # Named here, because the verb `list` hides the type inside the classes.
Page = tuple[list[Thing], int]  # One page, and how many there are in all.


def new_id() -> str:
    """Return an id that no other station makes; later ones sort later."""
    return str(ObjectId())


def matching(text: str | None, *names: str) -> Document:
    """Return the query for "any of these fields holds this text, in capitals or not"."""
    if not text:
        return {}
    pattern = {"$regex": re.escape(text), "$options": "i"}
    return {"$or": [{name: pattern} for name in names]}


def among(name: str, values: Ids[str] | None) -> Document:
    """Return the query for "this field is one of these"; None for any."""
    return {} if values is None else {name: {"$in": [*values]}}


class Turn(NamedTuple):
    """One thing, as documents, before and after; None is "not there"."""

    key: str
    before: Document | None
    after: Document | None


class Objects(Generic[Thing]):
    """One collection of one shape of things; subclasses say which, and add their own verbs."""

    shape: type[Thing]
    key: str
    word: str  # What a person calls it, in messages.

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def add(self, thing: Thing) -> None:
        """Add a new one. Raises Conflict when its key is taken."""
        document = self._to_document(thing)
        try:
            await self._collection.insert(document)
        except DuplicateKeyError:
            raise self._taken(document["_id"]) from None

    async def save(self, thing: Thing) -> None:
        """Replace what stands under its key. Raises NotFound when nothing does."""
        document = self._to_document(thing)
        if not await self._collection.replace(self._query(document["_id"]), document):
            raise self._missing(document["_id"])

    async def find(self, key: str) -> Thing | None:
        """Return the one with this key, or None."""
        document = await self._collection.find_one(self._query(key))
        return None if document is None else self._from_document(document)

    async def get(self, key: str) -> Thing:
        """Return the one with this key. Raises NotFound."""
        thing = await self.find(key)
        if thing is None:
            raise self._missing(key)
        return thing

    async def remove(self, key: str) -> None:
        """Remove the one with this key. Raises NotFound."""
        if not await self._collection.remove(self._query(key)):
            raise self._missing(key)

    def document_of(self, thing: Thing) -> Document:
        """Return a thing as it lies in the collection."""
        return self._to_document(thing)

    def thing_of(self, document: Document) -> Thing:
        """Return what a document of the collection stands for."""
        return self._from_document(document)

    async def turn(self, turns: Sequence[Turn], *, session: Any) -> list[str]:
        """Bring things from one state to another, all at once; None is "not there".

        Return the keys of those that are in another state than the first; then nothing is written.
        """
        strange = await self.strangers(turns, session=session)
        if not strange:
            await self._collection.write([_operation(turn) for turn in turns], session=session)
        return strange

    async def strangers(self, turns: Sequence[Turn], *, session: Any = None) -> list[str]:
        """Return the keys of the things that are in another state than before these turns."""
        keys = [turn.key for turn in turns]
        found = await self._collection.find({"_id": {"$in": keys}}, session=session)
        standing = {document["_id"]: document for document in found}
        return [turn.key for turn in turns if not self._is(standing.get(turn.key), turn.before)]

    def _is(self, document: Document | None, state: Document | None) -> bool:
        if document is None or state is None:
            return document is state
        if document.get("kind") != state.get("kind"):
            return False
        return self._from_document(document) == self._from_document(state)

    async def _keep_new(self, things: Sequence[Thing]) -> None:
        """Insert these; ones whose keys are there already stay as they are."""
        if not things:
            return
        try:
            await self._collection.write([InsertOne(self._to_document(thing)) for thing in things])
        except BulkWriteError as error:
            if any(each["code"] != DUPLICATE_KEY for each in error.details["writeErrors"]):
                raise

    async def _all(self, query: Document, order: Order | None = None) -> Many[Thing]:
        found = await self._collection.find(query, order=order or [("_id", 1)])
        return [self._from_document(document) for document in found]

    async def _page(
        self, query: Document, skip: int, limit: int, order: Order | None = None
    ) -> Page[Thing]:
        found = await self._collection.find(
            query, order=order or [("_id", 1)], skip=skip, limit=limit
        )
        total = await self._collection.count(query)
        return [self._from_document(document) for document in found], total

    def _order(self, sort: str, usual: Order | None = None) -> Order:
        return order_of(self.word, sort, usual or [("_id", 1)])

    def _query(self, key: str) -> Document:
        return {"_id": key}

    def _taken(self, key: str) -> Conflict:
        return Conflict(f"{self.word} {key} exists already")

    def _missing(self, key: str) -> NotFound:
        return NotFound(f"there is no {self.word} {key}")

    def _to_document(self, thing: Thing) -> Document:
        return {
            "_id" if field.name == self.key else field.name: getattr(thing, field.name)
            for field in fields(thing)
        }

    def _from_document(self, document: Document) -> Thing:
        values: dict[str, Any] = {}
        for field in fields(self.shape):
            name = "_id" if field.name == self.key else field.name
            if name in document:
                value = document[name]
                values[field.name] = tuple(value) if isinstance(value, list) else value
        return self.shape(**values)


def _operation(turn: Turn) -> Any:
    if turn.after is None:
        return DeleteOne({"_id": turn.key})
    if turn.before is None:
        return InsertOne(turn.after)
    return ReplaceOne({"_id": turn.key}, turn.after)
