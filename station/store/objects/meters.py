"""Meters of the archive. A meter hangs on one link end, which stays while the meter does."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from typing import Any

from pymongo.errors import DuplicateKeyError

from station.errors import Conflict, InvalidValue
from station.store.driver import Collection, Document
from station.store.objects.base import Many, Objects, Page, matching, new_id
from station.store.objects.changes import Changes
from station.store.objects.places import Within, hold_place
from station.store.objects.stages import ACTIVE, REMOVED
from station.units import utc_now


@dataclass(frozen=True, slots=True)
class Meter:
    """A meter: `address` is 12 digits, `link` a terminal's address or a channel's name.

    A meter of DL/T 698.45 may have 2 to 32 hex digits. Point 0 is the link itself: a meter that
    dials in by itself. `place` is a place's id; empty: where its terminal is. `ct` and `pt` are
    the ratios of its transformers. `stage` is one of STAGES, since `stage_since`.
    """

    address: str
    name: str
    _: KW_ONLY
    link: str
    protocol: str = "dlt645-2007"
    point: int = 1
    port: int = 2
    line: str = "2400 8E1"
    profile_interval_min: int = 0  # 0: the meter keeps no load profile that the station reads.
    tariffs: int = 4
    groups: tuple[str, ...] = ()
    place: str = ""
    ct: int = 1
    pt: int = 1
    stage: str = ACTIVE
    stage_since: datetime | None = None  # None: as long as it is in the archive.
    created_at: datetime = field(default_factory=utc_now)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a meter hangs, and in which stage it is since `began`."""

    address: str
    link: str
    point: int
    place: str
    stage: str
    began: datetime


SPOT_FIELDS = ("link", "point", "place", "stage", "stage_since", "created_at")
Spots = list[Spot]  # Named here, because the verb `list` hides the type inside the class.


class Meters(Objects[Meter]):
    """The meters of the archive."""

    shape = Meter
    key = "address"
    word = "meter"

    def __init__(
        self, collection: Collection, ends: Collection, places: Collection, changes: Changes
    ) -> None:
        super().__init__(collection)
        self._ends = ends
        self._places = places
        self._changes = changes

    async def add(self, thing: Meter, *, by: str = "") -> None:
        """Add a new one. Raises Conflict, and InvalidValue for a link or place that is not."""

        async def work(session: Any) -> None:
            await self.add_within(session, thing, by=by)

        try:
            await self._collection.transaction(work)
        except DuplicateKeyError:
            raise self._taken(thing.address) from None

    async def add_within(self, session: Any, thing: Meter, *, by: str, reason: str = "") -> None:
        """Add a new one in somebody's transaction. Raises the driver's DuplicateKeyError."""
        await self._hold(thing, session)
        await self._collection.insert(self._to_document(thing), session=session)
        await self._changes.enter(
            self.word, thing.address, None, thing, by, session=session, reason=reason
        )

    async def save(self, thing: Meter, *, by: str = "", reason: str = "") -> None:
        """Replace it. Raises NotFound, and InvalidValue for a link or place that is not."""

        async def work(session: Any) -> None:
            await self.save_within(session, thing, by=by, reason=reason)

        await self._collection.transaction(work)

    async def save_within(
        self, session: Any, thing: Meter, *, by: str, reason: str = "", seen: Meter | None = None
    ) -> None:
        """Replace one in somebody's transaction; `seen` is what the caller took it for.

        Raises NotFound, InvalidValue, and Conflict when it is not as it was seen any more.
        """
        query = self._query(thing.address)
        document = await self._collection.find_one(query, session=session)
        if document is None:
            raise self._missing(thing.address)
        before = self._from_document(document)
        if seen is not None and before != seen:
            raise Conflict(f"meter {thing.address} has been changed meanwhile; look at it again")
        await self._hold(thing, session)
        await self._collection.replace(query, self._to_document(thing), session=session)
        await self._changes.enter(
            self.word, thing.address, before, thing, by, session=session, reason=reason
        )

    async def remove(self, key: str, *, by: str = "") -> None:
        """Remove it. Raises NotFound."""

        async def work(session: Any) -> None:
            before = await self._collection.find_one(self._query(key), session=session)
            if before is None:
                raise self._missing(key)
            await self._collection.remove(self._query(key), session=session)
            meter = self._from_document(before)
            await self._changes.enter(self.word, key, meter, None, by, session=session)

        await self._collection.transaction(work)

    async def list(
        self,
        text: str | None = None,
        link: str | None = None,
        skip: int = 0,
        limit: int = 100,
        *,
        within: Within | None = None,
        sort: str = "",
    ) -> Page[Meter]:
        """Return a page of meters, by address or as `sort` says, and how many there are."""
        query = matching(text, "_id", "name")
        if link is not None:
            query["link"] = link
        if within is not None:
            query = {"$and": [query, _within(within)]}
        return await self._page(query, skip, limit, order=self._order(sort))

    async def on_link(self, link: str) -> Many[Meter]:
        """Return every meter of one link, by address."""
        return await self._all({"link": link})

    async def on_place(self, place: str, limit: int) -> Page[Meter]:
        """Return the first meters that hang on a place themselves, and how many do."""
        return await self._page({"place": place, "stage": {"$ne": REMOVED}}, 0, limit)

    async def after(self, address: str, limit: int) -> Many[Meter]:
        """Return the next meters behind an address, in order; "" is before all."""
        found = await self._collection.find(
            {"_id": {"$gt": address}}, order=[("_id", 1)], limit=limit
        )
        return [self._from_document(document) for document in found]

    async def spots(self, address: str, limit: int) -> Spots:
        """Return where the next meters behind an address hang, in order; "" is before all."""
        found = await self._collection.find(
            {"_id": {"$gt": address}},
            fields=dict.fromkeys(SPOT_FIELDS, 1),
            order=[("_id", 1)],
            limit=limit,
        )
        return [_spot(each) for each in found]

    async def addresses(self, within: Within) -> Sequence[str]:
        """Return the addresses of the meters within some places."""
        found = await self._collection.find(_within(within), fields={"_id": 1})
        return [each["_id"] for each in found]

    async def many(self, addresses: Sequence[str] | None = None) -> Many[Meter]:
        """Return the meters with these addresses, or all; unknown ones are left out."""
        return await self._all({} if addresses is None else {"_id": {"$in": [*addresses]}})

    async def _hold(self, thing: Meter, session: Any) -> None:
        """Write to what the meter hangs on, so that its removal at this moment conflicts."""
        change = {"$set": {"held": new_id()}}
        if not await self._ends.update({"_id": thing.link}, change, session=session):
            raise InvalidValue("link", f"there is no terminal or channel {thing.link}")
        await hold_place(self._places, thing.place, session)


def _spot(document: Document) -> Spot:
    return Spot(
        document["_id"],
        document["link"],
        document.get("point", 1),
        document.get("place", ""),
        document.get("stage", ACTIVE),
        document.get("stage_since") or document["created_at"],
    )


def _within(within: Within) -> Document:
    at_terminal = {"place": {"$in": ["", None]}, "link": {"$in": [*within.terminals]}}
    return {"$or": [{"place": {"$in": [*within.places]}}, at_terminal]}
