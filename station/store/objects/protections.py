"""The keep-power list: devices that are never ordered to cut anybody off, why, and until when.

An entry stands until it is lifted or its time is over; it is never edited or removed. A device has
one standing entry at a time.
"""

from collections.abc import Collection, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from typing import Any, Literal

from pymongo.errors import DuplicateKeyError

from station.errors import Conflict
from station.store.driver import Document
from station.store.objects.base import Many, Objects, Page, matching
from station.store.objects.commands import DeviceKind

ProtectionState = Literal["standing", "over", "lifted"]


@dataclass(frozen=True, slots=True)
class Protection:
    """One entry; without `until` it stands until somebody lifts it."""

    id: str
    address: str
    device: DeviceKind
    reason: str
    by: str
    created_at: datetime
    until: datetime | None = None
    _: KW_ONLY
    is_open: bool = True  # Not lifted; the index that keeps entries single stands on it.
    lifted_by: str = ""
    lifted_at: datetime | None = None
    lifted_because: str = ""

    def state(self, now: datetime) -> ProtectionState:
        """Return how it is with this entry at a moment."""
        if self.lifted_at is not None:
            return "lifted"
        return "standing" if self.until is None or self.until > now else "over"


class Protections(Objects[Protection]):
    """The keep-power list of all stations."""

    shape = Protection
    key = "id"
    word = "keep-power entry"

    async def protect(self, entry: Protection) -> None:
        """Enter a device. Raises Conflict when it stands on the list already."""
        over = {"address": entry.address, "is_open": True, "until": {"$lte": entry.created_at}}
        await self._collection.update_all(over, {"$set": {"is_open": False}})
        try:
            await self._collection.insert(self._to_document(entry))
        except DuplicateKeyError:
            raise Conflict(
                f"{entry.device} {entry.address} stands on the keep-power list already"
            ) from None

    async def lift(self, entry_id: str, by: str, reason: str, now: datetime) -> Protection:
        """Lift an entry and return it. Raises NotFound, and Conflict for one that has ended."""
        query = {
            "_id": entry_id,
            "lifted_at": None,
            "$or": [{"until": None}, {"until": {"$gt": now}}],
        }
        change = {"is_open": False, "lifted_by": by, "lifted_at": now, "lifted_because": reason}
        changed = await self._collection.update(query, {"$set": change})
        standing = await self.get(entry_id)
        if not changed:
            state = standing.state(now)
            raise Conflict(f"keep-power entry {entry_id} is {state} already")
        return standing

    async def standing(self, addresses: Sequence[str], now: datetime) -> Many[Protection]:
        """Return the entries of these devices that stand at a moment."""
        return await self._all({"address": {"$in": [*addresses]}, **_standing(now)})

    async def list(
        self,
        text: str | None = None,
        state: str | None = None,
        skip: int = 0,
        limit: int = 100,
        *,
        now: datetime,
        among: Collection[str] | None = None,
    ) -> Page[Protection]:
        """Return a page of entries, the newest first, and how many there are.

        `among` are the only devices to look at.
        """
        parts: list[dict[str, Any]] = [matching(text, "address", "reason", "by", "lifted_by")]
        if among is not None:
            parts.append({"address": {"$in": [*among]}})
        if state is not None:
            parts.append(_STATES[state](now))
        return await self._page({"$and": parts}, skip, limit, order=[("_id", -1)])


def _standing(now: datetime) -> Document:
    return {"is_open": True, "$or": [{"until": None}, {"until": {"$gt": now}}]}


def _over(now: datetime) -> Document:
    return {"lifted_at": None, "until": {"$lte": now}}


def _lifted(_now: datetime) -> Document:
    return {"lifted_at": {"$ne": None}}


_STATES = {"standing": _standing, "over": _over, "lifted": _lifted}
