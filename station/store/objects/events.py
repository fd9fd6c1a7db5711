"""Events: what devices recorded and told on their own account.

An event's id is made from what the device said, so that a report which comes again, or is saved
again, is still one event. The database drops them by age.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from typing import Any

from pymongo import InsertOne
from pymongo.errors import BulkWriteError

from station.store.driver import Document
from station.store.objects.base import Objects, Page

TOTAL_MAX = 10_000  # "More than ten thousand" is enough to know; counting millions is slow.
KEPT_DAYS = 1095  # Three years: who disputes a bill may ask for as long.
DUPLICATE_KEY = 11000  # A code of the server.


def event_id(*parts: str | bytes) -> str:
    """Return the id of what a device said: 24 hex digits of a SHA-256."""
    digest = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode()
        digest.update(len(data).to_bytes(4, "big") + data)
    return digest.hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class Event:
    """One event: `code` names its kind as `station.collector.events` lists them.

    `happened_at` is by the device's clock, None where it told no time. `values` are what the device
    told beside it: rows with `name`, `name_zh`, `value`, `unit`, as frames are described. `raw` is
    the frame that brought it. `over`: it tells the end as well, or only the end.
    """

    id: str
    code: str
    link: str
    meter: str | None
    happened_at: datetime | None
    received_at: datetime
    raw: bytes
    _: KW_ONLY
    station: str
    protocol: str
    exchange: int | None = None
    values: tuple[Mapping[str, Any], ...] = ()
    over: bool = False


class Events(Objects[Event]):
    """The events of all devices."""

    shape = Event
    key = "id"
    word = "event"

    async def save_many(self, events: Sequence[Event]) -> None:
        """Keep these events; ones that are kept already stay as they are."""
        if not events:
            return
        try:
            await self._collection.write([InsertOne(self._to_document(event)) for event in events])
        except BulkWriteError as error:
            if any(each["code"] != DUPLICATE_KEY for each in error.details["writeErrors"]):
                raise

    async def list(
        self,
        link: str | None = None,
        meter: str | None = None,
        codes: Sequence[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        skip: int = 0,
        limit: int = 100,
        *,
        of_links: Collection[str] | None = None,
        of_meters: Collection[str] = (),
        sort: str = "",
    ) -> Page[Event]:
        """Return a page of events, the last received first; `until` is not included.

        With `of_links` only the events of these links themselves, and of these meters.

        The total is counted no further than TOTAL_MAX.
        """
        wanted = {"link": link, "meter": meter}
        query: Document = {name: value for name, value in wanted.items() if value is not None}
        if codes is not None:
            query["code"] = {"$in": [*codes]}
        if of_links is not None:
            own = {"meter": None, "link": {"$in": [*of_links]}}
            query["$or"] = [{"meter": {"$in": [*of_meters]}}, own]
        moments = {"$gte": since, "$lt": until}
        moments = {operator: moment for operator, moment in moments.items() if moment is not None}
        if moments:
            query["received_at"] = moments
        order = self._order(sort, [("received_at", -1), ("_id", -1)])
        found = await self._collection.find(query, order=order, skip=skip, limit=limit)
        total = await self._collection.count(query, limit=TOTAL_MAX)
        return [self._from_document(document) for document in found], total

    def _to_document(self, thing: Event) -> Document:
        return {**super()._to_document(thing), "values": [dict(row) for row in thing.values]}
