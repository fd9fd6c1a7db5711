"""Wrong passwords and codes: how many there were, and until when the next has to wait."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pymongo import ReplaceOne

from station.store.objects.base import Many, Objects

KEPT_S = 86_400  # After a day without an attempt the count begins anew.


@dataclass(frozen=True, slots=True)
class Attempt:
    """The attempts under one key: of a person, of an address, or of both together."""

    key: str
    count: int
    free_at: datetime
    last_at: datetime


class Attempts(Objects[Attempt]):
    """The attempts of the last day."""

    shape = Attempt
    key = "key"
    word = "attempt"

    async def many(self, keys: Sequence[str]) -> Many[Attempt]:
        """Return what is known of these keys."""
        return await self._all({"_id": {"$in": [*keys]}})

    async def put(self, attempts: Sequence[Attempt]) -> None:
        """Keep these in place of what stood under their keys."""
        await self._collection.write(
            [
                ReplaceOne({"_id": attempt.key}, self._to_document(attempt), upsert=True)
                for attempt in attempts
            ]
        )

    async def forget(self, keys: Sequence[str]) -> None:
        """Forget what is known of these keys."""
        await self._collection.remove({"_id": {"$in": [*keys]}})

    async def take_back(self, key: str, now: datetime) -> None:
        """Count one attempt less, and let the next one in: it was right."""
        change = {"$inc": {"count": -1}, "$set": {"free_at": now}}
        await self._collection.update({"_id": key, "count": {"$gt": 0}}, change)
