"""The change log of the archive: who changed which object when, from what to what.

A change is entered in the transaction of the write that it tells of, so neither is there without
the other. It holds only the fields that differ, as JSON would say them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pymongo import InsertOne

from station.store.driver import Document
from station.store.objects.base import Objects, Page, matching, new_id
from station.units import utc_now

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

NOT_CHANGES = frozenset({"created_at"})


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one object: `before` and `after` hold the fields that differ.

    `object` is "terminal", "channel", "meter" or "place", `key` its key. `act` is "added",
    "changed" or "removed". `by` is a person's name, empty for the station itself.
    """

    id: str
    object: str
    key: str
    _: KW_ONLY
    at: datetime
    by: str
    act: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    reason: str = ""


def change_of(
    word: str,
    key: str,
    before: "DataclassInstance | None",
    after: "DataclassInstance | None",
    by: str,
    reason: str = "",
) -> Change | None:
    """Return the change between two states of an object; None if nothing differs."""
    old, new = _values(before), _values(after)
    differing = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    if not differing:
        return None
    act = "added" if before is None else "removed" if after is None else "changed"
    return Change(
        new_id(),
        word,
        key,
        at=utc_now(),
        by=by,
        act=act,
        before={name: old[name] for name in differing if name in old},
        after={name: new[name] for name in differing if name in new},
        reason=reason,
    )


def _values(thing: "DataclassInstance | None") -> dict[str, Any]:
    if thing is None:
        return {}
    values = {each.name: getattr(thing, each.name) for each in fields(thing)}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if name not in NOT_CHANGES
    }


class Changes(Objects[Change]):
    """The changes of all objects of the archive; never edited, never removed."""

    shape = Change
    key = "id"
    word = "change"

    async def enter(
        self,
        word: str,
        key: str,
        before: "DataclassInstance | None",
        after: "DataclassInstance | None",
        by: str,
        *,
        session: Any,
        reason: str = "",
    ) -> None:
        """Keep the change between two states of an object, if they differ."""
        change = change_of(word, key, before, after, by, reason)
        if change is not None:
            await self._collection.insert(self._to_document(change), session=session)

    async def enter_many(self, changes: Iterable[Change], *, session: Any) -> None:
        """Keep many changes at once."""
        documents = [InsertOne(self._to_document(change)) for change in changes]
        if documents:
            await self._collection.write(documents, session=session)

    async def list(
        self,
        text: str | None = None,
        *,
        of: str | None = None,
        key: str | None = None,
        by: str | None = None,
        keys: Sequence[str] | None = None,
        skip: int = 0,
        limit: int = 100,
        sort: str = "",
    ) -> Page[Change]:
        """Return a page of changes, the newest first, and how many there are.

        `of` is a kind of object; `keys` are those in sight.
        """
        query: Document = matching(text, "key", "by", "reason", "before.name", "after.name")
        wanted = {"object": of, "key": key, "by": by}
        query.update({name: value for name, value in wanted.items() if value is not None})
        if keys is not None:
            query = {"$and": [query, {"key": {"$in": [*keys]}}]}
        return await self._page(
            query, skip, limit, order=self._order(sort, [("at", -1), ("_id", -1)])
        )
