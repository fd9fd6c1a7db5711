"""Clocks of devices: how wrong each was when it was last looked at, and before."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, field, replace
from datetime import datetime, timedelta

from pymongo import ReplaceOne

from station.store.driver import Document
from station.store.objects.base import Many, Objects, Page, matching
from station.store.objects.parameters import DeviceKind

ONE_DAY = timedelta(days=1)
DRIFT_OVER_MIN = timedelta(hours=12)  # A drift of 1 s a day is hidden by the way in less.
STEP_MS = 60_000  # More in a day is no drift: a sound meter goes wrong by half a second.
HISTORY_MAX = 60  # Looks that are kept of each clock: two months of daily ones.

# Upper ends of the bands of the statistics, in ms; what is further out is the last band.
BANDS_MS = (5_000, 30_000, 60_000, 300_000)


@dataclass(frozen=True, slots=True)
class ClockLook:
    """One look: `deviation_ms` is positive for a fast clock; `after_set`: it was just set."""

    at: datetime
    deviation_ms: int
    uncertainty_ms: int
    after_set: bool = False


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

    @property
    def drift_ms(self) -> int | None:
        """Return by how much the clock goes wrong in a day, positive for one that runs fast.

        It is reckoned over the looks since it was set last; None where they lie too close together.
        """
        looks = self.history[_begin_of(self.history) :]
        if not looks or looks[-1].at - looks[0].at < DRIFT_OVER_MIN:
            return None
        span = looks[-1].at - looks[0].at
        return round((looks[-1].deviation_ms - looks[0].deviation_ms) / (span / ONE_DAY))


def _begin_of(history: Sequence[ClockLook]) -> int:
    """Return the place of the first look since a clock was set, by us or by somebody else."""
    for place in range(len(history) - 1, 0, -1):
        before, look = history[place - 1], history[place]
        days = (look.at - before.at) / ONE_DAY
        step_ms = abs(look.deviation_ms - before.deviation_ms)
        known_ms = before.uncertainty_ms + look.uncertainty_ms
        if look.after_set or step_ms > known_ms + STEP_MS * max(days, 1):
            return place
    return 0


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
        drift_ms = thing.drift_ms
        looks = [asdict(look) for look in thing.history]
        known = {
            "off_ms": off_ms,
            "drift_ms": drift_ms,
            "drift_off_ms": None if drift_ms is None else abs(drift_ms),
            "history": looks,
        }
        return {**super()._to_document(thing), **known}

    def _from_document(self, document: Document) -> ClockState:
        looks = tuple(ClockLook(**look) for look in document["history"])
        return super()._from_document({**document, "history": looks})
