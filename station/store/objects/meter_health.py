"""How each meter has behaved lately: what collection remembers of it between two starts."""

from collections.abc import Collection as Ids
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime

from pymongo import ReplaceOne

from station.store.objects.base import Many, Objects, Page, among
from station.store.objects.sorts import order_of

WRITE_BATCH_MAX = 1000  # Documents in one write: some 300 kB.


@dataclass(frozen=True, slots=True)
class MeterHealth:
    """One meter's behaviour.

    `failures` counts the runs in a row in which it gave nothing, since `failing_since`.
    `refused` are the blocks that it refuses, as its driver calls them. `waited_s` is the usual
    time from a question's sending to its answer, `spread_s` how far the times lie from it; 0 is
    not known yet.
    """

    meter: str
    _: KW_ONLY
    failures: int = 0
    failing_since: datetime | None = None
    last_try: datetime | None = None
    last_success: datetime | None = None
    last_cause: str = ""
    refused: tuple[str, ...] = ()
    waited_s: float = 0.0
    spread_s: float = 0.0


class MeterHealths(Objects[MeterHealth]):
    """The behaviour of all meters."""

    shape = MeterHealth
    key = "meter"
    word = "meter"

    async def save_many(self, healths: Iterable[MeterHealth]) -> None:
        """Keep these; keeping the same twice changes nothing."""
        documents = [self._to_document(health) for health in healths]
        for start in range(0, len(documents), WRITE_BATCH_MAX):
            batch = documents[start : start + WRITE_BATCH_MAX]
            writes = [ReplaceOne({"_id": each["_id"]}, each, upsert=True) for each in batch]
            await self._collection.write(writes)

    async def all(self) -> Many[MeterHealth]:
        """Return what is remembered of every meter."""
        return await self._all({})

    async def heard(self, meters: Sequence[str]) -> dict[str, datetime]:
        """Return when each of these meters last gave something; others are left out."""
        found = await self._collection.find({"_id": {"$in": [*meters]}}, fields={"last_success": 1})
        return {each["_id"]: each["last_success"] for each in found if each.get("last_success")}

    async def failing(
        self,
        failures_min: int = 1,
        skip: int = 0,
        limit: int = 100,
        *,
        meters: Ids[str] | None = None,
        sort: str = "",
    ) -> Page[MeterHealth]:
        """Return a page of meters that failed so often in a row, the most stubborn ones first."""
        query = {"failures": {"$gte": failures_min}, **among("_id", meters)}
        order = order_of("meter health", sort, [("failures", -1), ("_id", 1)])
        return await self._page(query, skip, limit, order=order)
