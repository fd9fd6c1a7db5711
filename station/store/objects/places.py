"""Places of the archive: the tree of organisations, substations, lines and transformer areas.

Terminals and meters hang on a place by its id. A place goes only when nothing hangs on it; a thing
is only hung on a place that is there. Both writes touch the place's document inside a transaction,
so of two at once one sees the other; a move touches every place above, so that no ring can close.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from pymongo import UpdateOne
from pymongo.errors import DuplicateKeyError

from station.errors import Conflict, InvalidValue
from station.store.driver import Collection
from station.store.objects.base import Many, Objects, new_id
from station.store.objects.changes import Change, Changes
from station.units import utc_now

KINDS: Final = ("organisation", "substation", "line", "area")  # From the top down.
DEPTH_MAX = 12  # Ministry to street is eight; more is a mistake.
PATH_SEPARATOR = " / "


@dataclass(frozen=True, slots=True)
class Place:
    """A node of the tree; `parent` is the id of the one above, empty at the top.

    `code` is the site's own number of it, unique where it is given. Names are unique among the
    places under one parent.
    """

    id: str
    kind: str
    name: str
    parent: str = ""
    code: str = ""
    _: KW_ONLY
    created_at: datetime = field(default_factory=utc_now)


@dataclass(frozen=True, slots=True)
class Within:
    """What lies within some places: their ids, and the terminals that hang on them."""

    places: frozenset[str]
    terminals: frozenset[str]

    def has_terminal(self, address: str) -> bool:
        """Tell whether a terminal is within."""
        return address in self.terminals

    def has_meter(self, place: str, link: str) -> bool:
        """Tell whether a meter with this place and link is within."""
        return place in self.places if place else link in self.terminals


class PlaceTree:
    """All places at one moment, and what lies below what. Places whose parent is gone are roots."""

    def __init__(self, places: Iterable[Place]) -> None:
        self.by_id = MappingProxyType({place.id: place for place in places})
        self._below: dict[str, list[Place]] = {}
        for place in sorted(self.by_id.values(), key=_order):
            parent = place.parent if place.parent in self.by_id else ""
            self._below.setdefault(parent, []).append(place)

    def children(self, place_id: str = "") -> Sequence[Place]:
        """Return the places right below one, or the roots; by kind and name."""
        return self._below.get(place_id, ())

    def under(self, place_ids: Iterable[str]) -> frozenset[str]:
        """Return these places and all below them; unknown ids are left out."""
        found: set[str] = set()
        waiting = [each for each in place_ids if each in self.by_id]
        while waiting:
            place_id = waiting.pop()
            if place_id not in found:
                found.add(place_id)
                waiting += [child.id for child in self.children(place_id)]
        return frozenset(found)

    def path(self, place_id: str) -> list[Place]:
        """Return the places from the root down to this one; nothing for an unknown id."""
        path: list[Place] = []
        place = self.by_id.get(place_id)
        while place is not None and len(path) < DEPTH_MAX:
            path.append(place)
            place = self.by_id.get(place.parent)
        return path[::-1]

    def path_text(self, place_id: str) -> str:
        """Return the names from the root down to this one, in one text."""
        return PATH_SEPARATOR.join(place.name for place in self.path(place_id))

    def named(self, text: str) -> Place | None:
        """Return the place that a person means: by its id, code, path, or a name that is unique."""
        text = " ".join(text.split())
        places = self.by_id.values()
        for found in (
            [place for place in places if text in (place.id, place.code) and text],
            [place for place in places if self.path_text(place.id) == text],
            [place for place in places if place.name == text],
        ):
            if found:
                return found[0] if len(found) == 1 else None
        return None

    def walk(self, place_id: str = "") -> Iterator[tuple[int, Place]]:
        """Yield every place below one, from the top down, each with its depth; 0 is the first."""
        waiting = [(0, place) for place in reversed(self.children(place_id))]
        while waiting:
            depth, place = waiting.pop()
            yield depth, place
            waiting += [(depth + 1, child) for child in reversed(self.children(place.id))]


class Places(Objects[Place]):
    """The places of the archive."""

    shape = Place
    key = "id"
    word = "place"

    def __init__(
        self, collection: Collection, ends: Collection, meters: Collection, changes: Changes
    ) -> None:
        super().__init__(collection)
        self._ends = ends
        self._meters = meters
        self._changes = changes

    async def all(self) -> Many[Place]:
        """Return every place."""
        return await self._all({})

    async def tree(self) -> PlaceTree:
        """Return the tree as it is now."""
        return PlaceTree(await self.all())

    async def under(self, place_ids: Iterable[str]) -> frozenset[str]:
        """Return the ids of these places and of all below them."""
        return (await self.tree()).under(place_ids)

    async def add(self, thing: Place, *, by: str = "") -> None:
        """Add a new one. Raises Conflict for a taken name or code, InvalidValue for its parent."""

        async def work(session: Any) -> None:
            await hold_place(self._collection, thing.parent, session, field="parent")
            await self._collection.insert(self._to_document(thing), session=session)
            await self._changes.enter(self.word, thing.id, None, thing, by, session=session)

        await self._unique(thing, work)

    async def save(self, thing: Place, *, by: str = "", reason: str = "") -> None:
        """Replace it. Raises NotFound, Conflict, and InvalidValue for a parent below itself."""

        async def work(session: Any) -> None:
            before = await self._before(thing.id, session)
            await self._hold_above(thing, session)
            await self._collection.replace(
                self._query(thing.id), self._to_document(thing), session=session
            )
            await self._changes.enter(
                self.word, thing.id, before, thing, by, session=session, reason=reason
            )

        await self._unique(thing, work)

    async def remove(self, key: str, *, by: str = "") -> None:
        """Remove it. Raises NotFound, and Conflict while something hangs on it."""

        async def work(session: Any) -> None:
            before = await self._before(key, session)
            await self._collection.remove(self._query(key), session=session)
            await self._check_bare(key, session)
            await self._changes.enter(self.word, key, before, None, by, session=session)

        await self._collection.transaction(work)

    async def hang(
        self, place_id: str, terminals: Iterable[str], meters: Iterable[str], *, by: str = ""
    ) -> tuple[int, int]:
        """Hang these on a place, all or none, and return how many hung elsewhere before."""

        async def work(session: Any) -> tuple[int, int]:
            await hold_place(self._collection, place_id, session)
            return (
                await self._hang("terminal", self._ends, terminals, place_id, by, session),
                await self._hang("meter", self._meters, meters, place_id, by, session),
            )

        return await self._collection.transaction(work)

    async def _hang(
        self, word: str, collection: Collection, keys: Iterable[str], place_id: str, by: str,
        session: Any,
    ) -> int:  # fmt: skip
        found = await collection.find(
            {"_id": {"$in": [*keys]}}, fields={"place": 1}, session=session
        )
        moved = [each for each in found if each.get("place", "") != place_id]
        if moved:
            change = {"$set": {"place": place_id}}
            await collection.write(
                [UpdateOne({"_id": each["_id"]}, change) for each in moved], session=session
            )
        at = utc_now()
        await self._changes.enter_many(
            [
                Change(
                    new_id(), word, each["_id"], at=at, by=by, act="changed",
                    before={"place": each.get("place", "")}, after={"place": place_id},
                )
                for each in moved
            ],
            session=session,
        )  # fmt: skip
        return len(moved)

    async def _unique(self, thing: Place, work: Any) -> None:
        try:
            await self._collection.transaction(work)
        except DuplicateKeyError as error:
            if "code" in (error.details or {}).get("keyPattern", {}):
                raise Conflict(f"the code {thing.code} is taken by another place") from None
            raise Conflict(f"there is a place {thing.name} under the same place already") from None

    async def _before(self, key: str, session: Any) -> Place:
        document = await self._collection.find_one(self._query(key), session=session)
        if document is None:
            raise self._missing(key)
        return self._from_document(document)

    async def _hold_above(self, thing: Place, session: Any) -> None:
        """Touch every place above, so that of two moves at once the second sees the first."""
        above = thing.parent
        for _ in range(DEPTH_MAX):
            if not above:
                return
            if above == thing.id:
                raise InvalidValue("parent", "a place cannot hang below itself")
            await hold_place(self._collection, above, session, field="parent")
            document = await self._collection.find_one({"_id": above}, session=session)
            above = "" if document is None else document.get("parent", "")
        raise InvalidValue("parent", f"a tree has at most {DEPTH_MAX} levels")

    async def _check_bare(self, key: str, session: Any) -> None:
        on_it = (
            (self._collection, {"parent": key}, "name"),
            (self._ends, {"place": key}, "_id"),
            (self._meters, {"place": key}, "_id"),
        )
        for collection, query, name in on_it:
            found = await collection.find_one(query, session=session)
            if found is not None:
                raise Conflict(f"{found[name]} still hangs on this place")


async def hold_place(
    places: Collection, place_id: str, session: Any, *, field: str = "place"
) -> None:
    """Write to the place's document, so that its removal at this moment conflicts."""
    if not place_id:
        return
    if not await places.update({"_id": place_id}, {"$set": {"held": new_id()}}, session=session):
        raise InvalidValue(field, f"there is no place {place_id}")


def _order(place: Place) -> tuple[int, str]:
    return (KINDS.index(place.kind) if place.kind in KINDS else len(KINDS), place.name)
