"""The last known state of every link; a link's document names the station that serves it."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from typing import Literal

from pymongo import ReplaceOne

from station.store.objects.base import Objects, Page, matching


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
    since: datetime
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

    async def list(
        self,
        text: str | None = None,
        state: str | None = None,
        kind: str | None = None,
        known: bool | None = None,
        skip: int = 0,
        limit: int = 100,
    ) -> Page[LinkState]:
        """Return a page of links by address, and how many there are."""
        query = matching(text, "_id", "remote")
        wanted = {"state": state, "kind": kind, "known": known}
        query.update({name: value for name, value in wanted.items() if value is not None})
        return await self._page(query, skip, limit)

    async def all_offline(self, station: str, reason: str, at: datetime) -> int:
        """Mark what this station had online as offline and return how many that were."""
        return await self._collection.update_all(
            {"station": station, "state": "online"},
            {"$set": {"state": "offline", "since": at, "reason": reason}},
        )

    async def forget(self, address: str) -> None:
        """Remove the state of a link; one that is not there is no error."""
        await self._collection.remove({"_id": address})
