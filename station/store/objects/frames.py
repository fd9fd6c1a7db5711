"""The searchable frame log: the frames of the last days, and no more than so many.

The database drops them by age by itself.

A record makes its own id, so saving it again, when nobody knows what became of the first time,
changes nothing.
"""

from collections.abc import Collection as Ids
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from station.store.driver import Collection, Document
from station.store.objects.base import Many, Objects, Page, among, new_id

TOTAL_MAX = 10_000  # "More than ten thousand" is enough to know; counting millions is slow.
DROPPED_MAX = 10_000  # At once: a second of the database's work.
EXCHANGE_SPAN = timedelta(minutes=10)  # Exchange numbers begin anew with each start of a station.

Sight = tuple[Ids[str], Ids[str]]  # Links and meters.


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """Bytes that crossed a link at one moment, with what is known of them.

    `functions` are keys such as `qgdw1376 0C F25` and `dlt645 91`, the carrier's first.
    """

    at: datetime
    link: str
    direction: Literal["in", "out"]
    raw: bytes
    meter: str | None = None
    exchange: int | None = None
    note: str = ""
    protocol: str = ""
    functions: tuple[str, ...] = ()
    id: str = field(default_factory=new_id)


class Frames(Objects[FrameRecord]):
    """The frame log."""

    shape = FrameRecord
    key = "id"
    word = "frame"

    def __init__(self, collection: Collection, meters: Collection) -> None:
        super().__init__(collection)
        self._meters = meters

    async def save_many(self, records: Sequence[FrameRecord]) -> None:
        """Keep these records; ones that are kept already stay as they are."""
        await self._keep_new(records)

    async def list(
        self,
        link: str | None = None,
        meter: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        direction: str | None = None,
        skip: int = 0,
        limit: int = 100,
        *,
        functions: Sequence[str] = (),
        sight: Sight | None = None,
    ) -> Page[FrameRecord]:
        """Return a page of records, newest first; `until` is not included; total is bounded.

        `functions` are keys, of which a record has at least one. `sight` are links and meters: of
        other meters nothing is returned, and of other links only what their own meters said.
        """
        query = _query(link, meter, since, until, direction, functions, sight)
        found = await self._newest(query, skip, limit)
        return found, await self._collection.count(query, limit=TOTAL_MAX)

    async def newest(
        self,
        link: str | None = None,
        meter: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        direction: str | None = None,
        skip: int = 0,
        limit: int = 100,
        *,
        functions: Sequence[str] = (),
        sight: Sight | None = None,
    ) -> Many[FrameRecord]:
        """Return records as `list` does, without saying how many there are: to look through."""
        query = _query(link, meter, since, until, direction, functions, sight)
        return await self._newest(query, skip, limit)

    async def exchange_of(self, meter: str, read_at: datetime) -> Many[FrameRecord]:
        """Return all frames of the exchange whose answer came at that moment, oldest first.

        A terminal's own data about several meters is an answer of no one meter: there it is the
        frame that came at that moment over the meter's link.
        """
        came = {"at": read_at, "direction": "in", "exchange": {"$ne": None}}
        answer = await self._collection.find_one({"meter": meter, **came})
        if answer is None:
            archived = await self._meters.find_one({"_id": meter}, fields={"link": 1})
            if archived is not None:
                answer = await self._collection.find_one(
                    {"link": archived["link"], "meter": None, **came}
                )
        if answer is None:
            return []
        query = {
            "link": answer["link"],
            "exchange": answer["exchange"],
            "at": {"$gte": read_at - EXCHANGE_SPAN, "$lte": read_at + EXCHANGE_SPAN},
        }
        return await self._all(query, order=[("at", 1), ("_id", 1)])

    async def _newest(self, query: Document, skip: int, limit: int) -> Many[FrameRecord]:
        """Return records, newest first, and those of one millisecond as they were recorded."""
        found = await self._collection.find(query, order=[("at", -1)], skip=skip, limit=limit)
        records = [self._from_document(document) for document in found]
        return sorted(records, key=lambda record: (record.at, record.id), reverse=True)

    def _from_document(self, document: Document) -> FrameRecord:
        """Name the fields one by one: ten thousand frames are looked through for one page."""
        return FrameRecord(
            document["at"],
            document["link"],
            document["direction"],
            document["raw"],
            document.get("meter"),
            document.get("exchange"),
            document.get("note", ""),
            document.get("protocol", ""),
            tuple(document.get("functions", ())),
            document["_id"],
        )

    async def drop_oldest(self, kept_max: int) -> int:
        """Remove some of the oldest records if there are more than may be kept; return how many."""
        excess = await self._collection.estimated_count() - kept_max
        if excess <= 0:
            return 0
        found = await self._collection.find(
            {}, fields={"at": 1}, order=[("at", 1)], skip=min(excess, DROPPED_MAX), limit=1
        )
        if not found:
            return 0
        return await self._collection.remove({"at": {"$lt": found[0]["at"]}})


def _query(
    link: str | None,
    meter: str | None,
    since: datetime | None,
    until: datetime | None,
    direction: str | None,
    functions: Sequence[str],
    sight: Sight | None,
) -> Document:
    wanted = {"link": link, "meter": meter, "direction": direction}
    query: Document = {name: value for name, value in wanted.items() if value is not None}
    moments = {"$gte": since, "$lt": until}
    moments = {operator: moment for operator, moment in moments.items() if moment is not None}
    if moments:
        query["at"] = moments
    if functions:
        query["functions"] = functions[0] if len(functions) == 1 else {"$in": [*functions]}
    if sight is not None:
        links, meters = sight
        query["$or"] = [{"meter": None, **among("link", links)}, among("meter", meters)]
    return query
