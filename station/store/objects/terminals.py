"""Terminals of the archive: devices that dial in."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from station.store.driver import Document
from station.store.objects.base import Many, Page, matching
from station.store.objects.ends import Ends
from station.store.objects.places import Within
from station.store.objects.stages import ACTIVE
from station.units import utc_now

Addresses = list[str]  # Named here, because the verb `list` hides the type inside the class.
PROTOCOLS = ("qgdw1376", "dlt698.45", "dtu")


@dataclass(frozen=True, slots=True)
class Terminal:
    """A device that dials in.

    `address` is 8 hex digits in capitals (1376.1), 2 to 32 hex digits (698.45), or a name (a DTU,
    which is known by its registration packet). `registration` and `heartbeat` are a DTU's packets
    in hex; `echo` sends them back. `parallel_ports`: it takes one question per port at a time.
    `collects`: it stores its meters' data itself. `place` is a place's id. `stage` is one of
    STAGES, since `stage_since`.
    """

    address: str
    name: str
    protocol: str = "qgdw1376"
    created_at: datetime = field(default_factory=utc_now)
    registration: str = ""
    heartbeat: str = ""
    echo: bool = False
    parallel_ports: bool = False
    collects: bool = False
    groups: tuple[str, ...] = ()
    place: str = ""
    stage: str = ACTIVE
    stage_since: datetime | None = None  # None: as long as it is in the archive.


class Terminals(Ends[Terminal]):
    """The terminals of the archive."""

    shape = Terminal
    key = "address"
    word = "terminal"

    async def list(
        self,
        text: str | None = None,
        skip: int = 0,
        limit: int = 100,
        *,
        within: Within | None = None,
        sort: str = "",
    ) -> Page[Terminal]:
        """Return a page of terminals, by address or as `sort` says, and how many there are."""
        query = {"kind": self.word, **matching(text, "_id", "name")}
        if within is not None:
            query["place"] = {"$in": [*within.places]}
        return await self._page(query, skip, limit, order=self._order(sort))

    async def at(self, places: Iterable[str]) -> Addresses:
        """Return the addresses of the terminals on these places."""
        query = {"kind": self.word, "place": {"$in": [*places]}}
        found = await self._collection.find(query, fields={"_id": 1})
        return [each["_id"] for each in found]

    async def many(self, addresses: Iterable[str] | None = None) -> Many[Terminal]:
        """Return the terminals with these addresses, or all, by address."""
        chosen: Document = {} if addresses is None else {"_id": {"$in": [*addresses]}}
        return await self._all({"kind": self.word, **chosen})
