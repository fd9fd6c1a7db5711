"""The searchable frame log: every frame of the last days, dropped by age by the database itself.

A record makes its own id, so saving it again, when nobody knows what became of the first time,
changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from station.store.driver import Document
from station.store.objects.base import Many, Objects, Page, new_id

TOTAL_MAX = 10_000  # "More than ten thousand" is enough to know; counting millions is slow.
# As the indexes lie; within a millisecond that is the order of writing, the newest first.
NEWEST_FIRST = [("at", -1)]
EXCHANGE_SPAN = timedelta(minutes=10)  # Exchange numbers begin anew with each start of a station.


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
    ) -> Page[FrameRecord]:
        """Return a page of records, newest first; `until` is not included; total is bounded."""
        wanted = {"link": link, "meter": meter, "direction": direction}
        query: Document = {name: value for name, value in wanted.items() if value is not None}
        moments = {"$gte": since, "$lt": until}
        moments = {operator: moment for operator, moment in moments.items() if moment is not None}
        if moments:
            query["at"] = moments
        found = await self._collection.find(
            query, order=NEWEST_FIRST, skip=skip, limit=limit
        )
        total = await self._collection.count(query, limit=TOTAL_MAX)
        return [self._from_document(document) for document in found], total

    async def exchange_of(self, meter: str, read_at: datetime) -> Many[FrameRecord]:
        """Return all frames of the exchange whose answer came at that moment, oldest first."""
        answer = await self._collection.find_one(
            {"meter": meter, "at": read_at, "direction": "in", "exchange": {"$ne": None}}
        )
        if answer is None:
            return []
        query = {
            "link": answer["link"],
            "exchange": answer["exchange"],
            "at": {"$gte": read_at - EXCHANGE_SPAN, "$lte": read_at + EXCHANGE_SPAN},
        }
        return await self._all(query, order=[("at", 1), ("_id", 1)])
