"""Rules that say to whom alarms are told, and the messages that wait to be sent or were.

A message is made once for each rule, alarm and act: that is a unique index. It stays waiting until
it is taken by the other side, given up, or not needed any more; the database drops it when it is
old.
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from typing import Literal

from station.store.driver import Document
from station.store.objects.base import Many, Objects, Page, new_id
from station.units import utc_now

Way = Literal["email", "webhook"]
MessageAct = Literal["raised", "cleared"]
MessageState = Literal["waiting", "sent", "given_up", "dropped"]

MESSAGE_DAYS = 90  # Long enough to answer "was I told?".


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """Which alarms go where: to e-mail addresses, or to one URL.

    Empty `kinds`, `areas` (ids of places) and `groups` (of meters and terminals) stand for all.
    `person` is whose rule it is: what lies outside of that person's areas is not told. `quiet` is
    a span of local minutes of the day, and may pass midnight; what comes then waits for its end,
    unless it is critical and `critical_always`.
    """

    id: str
    name: str
    way: Way
    targets: tuple[str, ...]
    _: KW_ONLY
    least: str = "major"
    kinds: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    person: str = ""
    quiet: tuple[int, int] | None = None
    critical_always: bool = True
    also_cleared: bool = True
    enabled: bool = True
    muted_until: datetime | None = None
    language: str = "en"
    created_at: datetime = field(default_factory=utc_now)


class AlarmRules(Objects[AlarmRule]):
    """The rules of the site."""

    shape = AlarmRule
    key = "id"
    word = "alarm rule"

    async def all(self) -> Many[AlarmRule]:
        """Return every rule, the oldest first."""
        return await self._all({})


@dataclass(frozen=True, slots=True)
class AlarmMessage:
    """One alarm that is to be told by one rule, not before `due_at`."""

    id: str
    rule: str
    alarm: str
    act: MessageAct
    created_at: datetime
    due_at: datetime
    _: KW_ONLY
    station: str
    state: MessageState = "waiting"
    attempts: int = 0
    reason: str = ""
    ended_at: datetime | None = None


class AlarmMessages(Objects[AlarmMessage]):
    """What is to be sent, and what was."""

    shape = AlarmMessage
    key = "id"
    word = "message"

    async def put(self, messages: Sequence[AlarmMessage]) -> None:
        """Keep these; one that was made for the same rule, alarm and act before stays alone."""
        await self._keep_new(messages)

    async def due(self, station: str, at: datetime, limit: int) -> Many[AlarmMessage]:
        """Return what may be sent now, the longest due first."""
        query = {"station": station, "state": "waiting", "due_at": {"$lte": at}}
        found = await self._collection.find(query, order=[("due_at", 1), ("_id", 1)], limit=limit)
        return [self._from_document(document) for document in found]

    async def untold_raises(self, messages: Sequence[AlarmMessage]) -> set[tuple[str, str]]:
        """Return rule and alarm of those among these whose raising was not sent."""
        wanted = {(each.rule, each.alarm) for each in messages if each.act == "cleared"}
        query = {
            "rule": {"$in": [*{rule for rule, _ in wanted}]},
            "alarm": {"$in": [*{alarm for _, alarm in wanted}]},
            "act": "raised",
            "state": "sent",
        }
        sent = await self._collection.find(query, fields={"rule": 1, "alarm": 1}) if wanted else []
        return wanted - {(each["rule"], each["alarm"]) for each in sent}

    async def next_due(self, station: str) -> datetime | None:
        """Return when the next one may be sent; None when nothing waits."""
        found = await self._collection.find(
            {"station": station, "state": "waiting"}, order=[("due_at", 1)], limit=1
        )
        moment: datetime | None = found[0]["due_at"] if found else None
        return moment

    async def end(
        self, ids: Sequence[str], state: MessageState, at: datetime, reason: str = ""
    ) -> None:
        """Note how these ended."""
        change = {"state": state, "ended_at": at, "reason": reason}
        query = {"_id": {"$in": [*ids]}, "state": "waiting"}
        await self._collection.update_all(query, {"$set": change})

    async def put_off(self, ids: Sequence[str], until: datetime, reason: str) -> None:
        """Note that these were tried in vain and are tried again later."""
        query = {"_id": {"$in": [*ids]}, "state": "waiting"}
        change = {"$set": {"due_at": until, "reason": reason}, "$inc": {"attempts": 1}}
        await self._collection.update_all(query, change)

    async def drop_oldest(self, station: str, keep: int, at: datetime, reason: str) -> int:
        """Give up the oldest beyond so many that wait; return how many that were."""
        query = {"station": station, "state": "waiting"}
        surplus = await self._collection.count(query) - keep
        if surplus <= 0:
            return 0
        oldest = await self._collection.find(
            query, fields={"_id": 1}, order=[("created_at", 1), ("_id", 1)], limit=surplus
        )
        await self.end([each["_id"] for each in oldest], "dropped", at, reason)
        return len(oldest)

    async def list(
        self,
        rule: str | None = None,
        alarm: str | None = None,
        skip: int = 0,
        limit: int = 100,
    ) -> Page[AlarmMessage]:
        """Return a page of messages, the newest first, and how many there are."""
        wanted = {"rule": rule, "alarm": alarm}
        query: Document = {name: value for name, value in wanted.items() if value is not None}
        return await self._page(query, skip, limit, order=[("created_at", -1), ("_id", -1)])


def new_message(
    rule: str, alarm: str, act: MessageAct, at: datetime, due_at: datetime, station: str
) -> AlarmMessage:
    """Return a message that waits."""
    return AlarmMessage(new_id(), rule, alarm, act, at, due_at, station=station)
