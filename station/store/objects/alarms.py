"""Alarms: what needs a person, one for each cause, and who did what about it.

    open -> acknowledged -> cleared        open -> cleared

While an alarm stands its cause has no other: that is a unique index. Every change names the
revision that it starts from, so of two changes at once one is refused. Cleared ones are dropped by
the database when they are old.
"""

from collections.abc import Collection as Ids
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal

from pymongo import InsertOne, ReplaceOne
from pymongo.errors import BulkWriteError

from station.errors import Conflict
from station.store.driver import Document
from station.store.objects.base import DUPLICATE_KEY, Many, Objects, Page, matching

Scope = Literal["meter", "link", "place", "station"]
State = Literal["open", "acknowledged", "cleared"]
ActName = Literal[
    "raised",
    "repeated",
    "changed",
    "acknowledged",
    "assigned",
    "commented",
    "muted",
    "cleared",
]

KEPT_DAYS = 1095  # As long as events.
STATION = "station"  # What the scope of an alarm of the whole site is called.
ACTS_MAX = 60  # The first and the newest are kept: enough to see how it went.
EVENTS_MAX = 20  # The newest events that told the cause; the page of events has all.
MEMBERS_MAX = 200  # Devices that are named; `members_all` counts them all.
RANKS: Mapping[str, int] = {"critical": 0, "major": 1, "minor": 2}


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did about an alarm; `by` is empty for the station itself.

    `to` is whom it was assigned to.
    """

    at: datetime
    name: ActName
    by: str = ""
    comment: str = ""
    to: str = ""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One cause: `kind` at `subject`, which is a meter's or link's address or a place's id.

    `lasts`: the station sees by itself when it is over, and clears it then. `members` are the
    devices that it covers. `detail` is a sentence. Nothing is sent of it before `muted_until`.
    `assigned_to` is who is to see to it; empty: nobody yet.
    """

    id: str
    cause: str
    kind: str
    severity: str
    scope: Scope
    subject: str
    raised_at: datetime
    last_at: datetime
    _: KW_ONLY
    station: str
    name: str = ""
    link: str = ""
    meter: str = ""
    place: str = ""
    state: State = "open"
    lasts: bool = False
    count: int = 1
    detail: str = ""
    members: tuple[str, ...] = ()
    members_all: int = 0
    events: tuple[str, ...] = ()
    muted_until: datetime | None = None
    acknowledged_by: str = ""
    acknowledged_at: datetime | None = None
    assigned_to: str = ""
    cleared_by: str = ""
    cleared_at: datetime | None = None
    history: tuple[Act, ...] = ()
    revision: int = 0

    @property
    def stands(self) -> bool:
        """Whether it still needs somebody."""
        return self.state != "cleared"

    def acted(self, act: Act, **changes: Any) -> "Alarm":
        """Return the alarm as it is after an act."""
        acts = (*self.history, act)
        if len(acts) > ACTS_MAX:
            acts = (*acts[: ACTS_MAX // 2], *acts[-ACTS_MAX // 2 :])
        return replace(self, revision=self.revision + 1, history=acts, **changes)


@dataclass(frozen=True, slots=True)
class AlarmCounts:
    """How many alarms stand, by severity, and how many of them nobody has acknowledged."""

    critical: int = 0
    major: int = 0
    minor: int = 0
    open: int = 0

    @property
    def all(self) -> int:
        """How many stand."""
        return self.critical + self.major + self.minor


class Alarms(Objects[Alarm]):
    """The alarms of all stations."""

    shape = Alarm
    key = "id"
    word = "alarm"

    async def raise_all(self, alarms: Sequence[Alarm]) -> Many[Alarm]:
        """Keep new alarms, and return those whose cause had none that stands."""
        if not alarms:
            return []
        try:
            await self._collection.write([InsertOne(self._to_document(each)) for each in alarms])
        except BulkWriteError as error:
            failed = error.details["writeErrors"]
            if any(each["code"] != DUPLICATE_KEY for each in failed):
                raise
            known = {each["index"] for each in failed}
            return [each for place, each in enumerate(alarms) if place not in known]
        return [*alarms]

    async def advance(self, before: Alarm, after: Alarm) -> Alarm:
        """Write what an alarm has become. Raises Conflict when it is not as it was before."""
        query = {"_id": before.id, "revision": before.revision}
        if not await self._collection.replace(query, self._to_document(after)):
            standing = await self.get(before.id)
            if standing != after:
                raise Conflict(f"alarm {before.id} has changed meanwhile; look at it again")
        return after

    async def advance_all(self, changes: Sequence[tuple[Alarm, Alarm]]) -> None:
        """Write what alarms have become; one that is not as it was before stays as it is."""
        if changes:
            await self._collection.write(
                [
                    ReplaceOne(
                        {"_id": before.id, "revision": before.revision}, self._to_document(after)
                    )
                    for before, after in changes
                ]
            )

    async def lasting(self, station: str) -> Many[Alarm]:
        """Return the alarms of a station that stand and that it clears by itself."""
        return await self._all({"station": station, "stands": True, "lasts": True})

    async def raised_since(self, station: str, since: datetime, limit: int) -> Many[Alarm]:
        """Return the alarms of a station that stand and were raised since a moment."""
        found = await self._collection.find(
            {"station": station, "stands": True, "raised_at": {"$gte": since}},
            order=[("_id", -1)],
            limit=limit,
        )
        return [self._from_document(document) for document in found]

    async def many(self, ids: Sequence[str]) -> dict[str, Alarm]:
        """Return the alarms with these ids, by id; unknown ones are left out."""
        return {each.id: each for each in await self._all({"_id": {"$in": [*ids]}})}

    async def latest(self, station: str, causes: Sequence[str]) -> dict[str, Alarm]:
        """Return the newest alarm of each of these causes, standing or not."""
        found = await self._collection.aggregate(
            [
                {"$match": {"station": station, "cause": {"$in": [*causes]}}},
                {"$sort": {"cause": 1, "_id": -1}},
                {"$group": {"_id": "$cause", "newest": {"$first": "$$ROOT"}}},
            ]
        )
        return {each["_id"]: self._from_document(each["newest"]) for each in found}

    async def list(
        self,
        text: str | None = None,
        *,
        state: str | None = None,
        severity: str | None = None,
        kind: str | None = None,
        link: str | None = None,
        meter: str | None = None,
        assigned_to: str | None = None,
        places: Ids[str] | None = None,
        skip: int = 0,
        limit: int = 100,
        sort: str = "",
    ) -> Page[Alarm]:
        """Return a page of alarms, and how many there are; None as state: all that stand.

        Those that stand come with the most urgent first, then the newest; cleared ones by time.
        `assigned_to` of nobody is empty. `places` leaves out what belongs to others; an alarm of
        the whole site is everybody's.
        """
        query: Document = {"stands": True} if state is None else {"state": state}
        wanted = {
            "severity": severity,
            "kind": kind,
            "link": link,
            "meter": meter,
            # Alarms of before there was anybody to be told have no such field.
            "assigned_to": {"$in": ["", None]} if assigned_to == "" else assigned_to,
        }
        query.update({name: value for name, value in wanted.items() if value is not None})
        query = {"$and": [query, matching(text, *_SEARCHED), _within(places)]}
        urgent: list[tuple[str, int]] = [("rank", 1), ("raised_at", -1), ("_id", -1)]
        order = [("cleared_at", -1), ("_id", -1)] if state == "cleared" else urgent
        return await self._page(query, skip, limit, order=self._order(sort, order))

    async def counts(self, places: Ids[str] | None = None) -> AlarmCounts:
        """Return how many alarms stand."""
        standing = {"stands": True, **_within(places)}
        count = self._collection.count
        by_severity = {
            name: await count({**standing, "rank": rank}) for name, rank in RANKS.items()
        }
        return AlarmCounts(**by_severity, open=await count({**standing, "state": "open"}))

    def _to_document(self, thing: Alarm) -> Document:
        document = super()._to_document(thing)
        document["history"] = [asdict(act) for act in thing.history]
        document["stands"], document["rank"] = thing.stands, RANKS[thing.severity]
        return document

    def _from_document(self, document: Document) -> Alarm:
        history = tuple(Act(**act) for act in document["history"])
        return super()._from_document({**document, "history": history})


_SEARCHED = ("subject", "name", "link", "meter", "members", "acknowledged_by", "assigned_to")


def _within(places: Ids[str] | None) -> Document:
    if places is None:
        return {}
    return {"$or": [{"place": {"$in": [*places]}}, {"scope": STATION}]}
