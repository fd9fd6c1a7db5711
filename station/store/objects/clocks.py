"""Clocks of devices: how wrong each was when it was last looked at, and before."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, field, replace
from datetime import datetime

from pymongo import ReplaceOne

from station.store.driver import Document
from station.store.objects.base import Many, Objects, Page, matching
from station.store.objects.parameters import DeviceKind

HISTORY_MAX = 60  # Looks that are kept of each clock: two months of daily ones.

# Upper ends of the bands of the statistics, in ms; what is further out is the last band.
BANDS_MS = (5_000, 30_000, 60_000, 300_000)


@dataclass(frozen=True, slots=True)
class ClockLook:
    """One look: `deviation_ms` is positive for a clock that is fast."""

    at: datetime
    deviation_ms: int
    uncertainty_ms: int


@dataclass(frozen=True, slots=True)
class ClockState:
    """The clock of one device; `problem` is why the last look gave nothing."""

    device: str
    kind: DeviceKind
    link: str
    _: KW_ONLY
    looked_at: datetime | None = None
    deviation_ms: int | None = None
    uncertainty_ms: int = 0
    problem: str = ""
    problem_at: datetime | None = None
    history: tuple[ClockLook, ...] = field(default_factory=tuple)

    def with_look(self, look: ClockLook) -> "ClockState":
        """Return the state after a look."""
        return replace(
            self,
            looked_at=look.at,
            deviation_ms=look.deviation_ms,
            uncertainty_ms=look.uncertainty_ms,
            problem="",
            problem_at=None,
            history=(*self.history, look)[-HISTORY_MAX:],
        )


class Clocks(Objects[ClockState]):
    """The clocks that were ever looked at."""

    shape = ClockState
    key = "device"
    word = "clock"

    async def keep(self, state: ClockState) -> None:
        """Keep a state in place of the one before."""
        document = self._to_document(state)
        await self._collection.write([ReplaceOne({"_id": state.device}, document, upsert=True)])

    async def of(self, devices: Sequence[str]) -> Many[ClockState]:
        """Return what is known of the clocks of these devices."""
        return await self._all({"_id": {"$in": [*devices]}})

    async def list(
        self,
        text: str | None = None,
        kind: str | None = None,
        over_ms: int | None = None,
        skip: int = 0,
        limit: int = 100,
        *,
        sort: str = "",
    ) -> Page[ClockState]:
        """Return a page of clocks, the most wrong first, and how many there are."""
        query = matching(text, "_id", "link")
        if kind is not None:
            query["kind"] = kind
        if over_ms is not None:
            query["off_ms"] = {"$gt": over_ms}
        order = self._order(sort, [("off_ms", -1), ("_id", 1)])
        return await self._page(query, skip, limit, order=order)

    async def bands(self) -> Mapping[int | None, int]:
        """Return how many clocks are within each of BANDS_MS, beyond all (0), or unknown (None)."""
        branches = [
            {"case": {"$eq": ["$off_ms", None]}, "then": None},
            *({"case": {"$lte": ["$off_ms", end]}, "then": end} for end in BANDS_MS),
        ]
        band = {"$switch": {"branches": branches, "default": 0}}
        found = await self._collection.aggregate([{"$group": {"_id": band, "n": {"$sum": 1}}}])
        return {each["_id"]: int(each["n"]) for each in found}

    def _to_document(self, thing: ClockState) -> Document:
        off_ms = None if thing.deviation_ms is None else abs(thing.deviation_ms)
        looks = [asdict(look) for look in thing.history]
        return {**super()._to_document(thing), "off_ms": off_ms, "history": looks}

    def _from_document(self, document: Document) -> ClockState:
        looks = tuple(ClockLook(**look) for look in document["history"])
        return super()._from_document({**document, "history": looks})
