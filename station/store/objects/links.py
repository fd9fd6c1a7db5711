"""The last known state of every link; a link's document names the station that serves it.

A terminal of the archive has a document before it ever dials in, so that a list of links is one
query. What the archive says of it, its name and that it is known, stands there too.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from typing import Literal

from pymongo import ReplaceOne, UpdateOne

from station.store.driver import Document, Order
from station.store.objects.base import Many, Objects, Page, matching

NEVER_SEEN = "never seen"

# What a list may be sorted by, and what is looked at for it.
SORTS: Mapping[str, str] = {
    "address": "_id",
    "name": "name",
    "state": "state",
    "since": "since",
    "last_seen": "last_seen",
    "traffic": "traffic",
    "faults": "faults",
}


@dataclass(frozen=True, slots=True)
class LinkState:
    """A link as it stands: since when, and why it is offline; counters are of this process.

    `late` to `wrong_address` count what went wrong while it was up; `flapping`: it came up too
    often of late.
    """

    address: str
    station: str
    kind: Literal["terminal", "channel"]
    protocol: str
    state: Literal["online", "offline"]
    since: datetime | None  # None: never seen.
    _: KW_ONLY
    last_seen: datetime | None = None
    remote: str = ""
    reason: str = ""
    known: bool = True
    bytes_in: int = 0
    bytes_out: int = 0
    logins: int = 0
    replaced: int = 0
    frames_in: int = 0
    frames_out: int = 0
    late: int = 0
    duplicate: int = 0
    timeouts: int = 0
    bad: int = 0
    wrong_address: int = 0
    flapping: bool = False
    name: str = ""

    @property
    def faults(self) -> int:
        """Return how often something went wrong."""
        return self.late + self.duplicate + self.timeouts + self.bad + self.wrong_address


@dataclass(frozen=True, slots=True)
class LinkCounts:
    """How many links there are, and in which states."""

    all: int
    online: int
    unknown: int
    flapping: int


class Links(Objects[LinkState]):
    """The states of the links."""

    shape = LinkState
    key = "address"
    word = "link"

    async def save_many(self, states: Sequence[LinkState]) -> None:
        """Keep these states, whatever was kept before."""
        documents = [self._to_document(state) for state in states]
        if documents:
            await self._collection.write(
                [ReplaceOne({"_id": each["_id"]}, each, upsert=True) for each in documents]
            )

    async def save_known(self, states: Sequence[LinkState]) -> None:
        """Keep what the archive says of these: name and protocol; the rest only if it is new."""
        operations = []
        for state in states:
            document = self._to_document(state)
            own = {name: document.pop(name) for name in ("name", "protocol", "known")}
            key = {"_id": document.pop("_id")}
            operations.append(UpdateOne(key, {"$set": own, "$setOnInsert": document}, upsert=True))
        if operations:
            await self._collection.write(operations)

    async def save_unknown(self, addresses: Iterable[str]) -> None:
        """Keep that these are not in the archive any more; those never seen are forgotten."""
        query = {"_id": {"$in": [*addresses]}}
        await self._collection.remove({**query, "since": None})
        await self._collection.update_all(query, {"$set": {"known": False, "name": ""}})

    async def list(
        self,
        text: str | None = None,
        state: str | None = None,
        kind: str | None = None,
        known: bool | None = None,
        skip: int = 0,
        limit: int = 100,
        *,
        protocol: str | None = None,
        flapping: bool | None = None,
        sort: str = "address",
        among: Collection[str] | None = None,
    ) -> Page[LinkState]:
        """Return a page of links and how many there are; `among` are the only ones to look at.

        `sort` is one of SORTS, with a minus in front for the largest or latest first.
        """
        query = matching(text, "_id", "name", "remote")
        wanted = {
            "state": state,
            "kind": kind,
            "known": known,
            "protocol": protocol,
            "flapping": flapping,
        }
        query.update({name: value for name, value in wanted.items() if value is not None})
        return await self._page({**query, **_among(among)}, skip, limit, order=_order(sort))

    async def counts(self, among: Collection[str] | None = None) -> LinkCounts:
        """Return how many links there are, or how many of some."""
        count, only = self._collection.count, _among(among)
        return LinkCounts(
            all=await count(only),
            online=await count({**only, "state": "online"}),
            unknown=await count({**only, "known": False}),
            flapping=await count({**only, "flapping": True}),
        )

    async def all_offline(self, station: str, reason: str, at: datetime) -> int:
        """Mark what this station had online as offline and return how many that were."""
        return await self._collection.update_all(
            {"station": station, "state": "online"},
            {"$set": {"state": "offline", "since": at, "reason": reason, "flapping": False}},
        )

    async def gone_offline(self, station: str, at: datetime) -> Many[LinkState]:
        """Return what this station marked as offline at that moment."""
        return await self._all({"station": station, "state": "offline", "since": at})

    async def forget(self, address: str) -> None:
        """Remove the state of a link; one that is not there is no error."""
        await self._collection.remove({"_id": address})

    async def forget_unknown(self, station: str, before: datetime) -> int:
        """Remove strangers that have been offline for so long and return how many that were."""
        query = {"station": station, "state": "offline", "known": False, "since": {"$lt": before}}
        return await self._collection.remove(query)

    def _to_document(self, thing: LinkState) -> Document:
        document = super()._to_document(thing)
        document["traffic"] = thing.bytes_in + thing.bytes_out
        document["faults"] = thing.faults
        return document


def _among(addresses: Collection[str] | None) -> Document:
    return {} if addresses is None else {"_id": {"$in": [*addresses]}}


def _order(sort: str) -> Order:
    name = SORTS[sort.removeprefix("-")]
    way = -1 if sort.startswith("-") else 1
    return [(name, way)] if name == "_id" else [(name, way), ("_id", 1)]
