"""Commands: what was ordered of a meter, how far it has come, and every step on the way.

    queued -> sent -> confirmed | failed | expired        queued -> failed | expired

A state only goes forward: every change names the state and the revision that it starts from, so of
two changes at once one is refused, and one that is written again changes nothing. No password is
ever part of a command.
"""

from collections.abc import Collection, Mapping
from dataclasses import KW_ONLY, asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from pymongo.errors import DuplicateKeyError

from station.errors import Conflict
from station.store.driver import Document
from station.store.objects.base import Many, Objects, Page, matching

CommandKind = Literal["read", "set", "control"]
DeviceKind = Literal["meter", "terminal"]
CommandState = Literal["queued", "sent", "confirmed", "failed", "expired"]
StepName = Literal[
    "queued",  # A person ordered it.
    "sent",  # It leaves for the meter; the moment is that before the first byte.
    "accepted",  # The meter said that it does it.
    "unanswered",  # Nobody knows what became of it: no answer, or a broken one.
    "asked",  # The meter was asked what became of it.
    "restarted",  # The station was started again while this was under way.
    "confirmed",
    "failed",
    "expired",
]

STEPS_MAX = 100  # A meter that stays silent for days is asked some hundred times.

FORWARD: Mapping[CommandState, frozenset[CommandState]] = {
    "queued": frozenset(("queued", "sent", "failed", "expired")),
    "sent": frozenset(("sent", "confirmed", "failed", "expired")),
    "confirmed": frozenset(),
    "failed": frozenset(),
    "expired": frozenset(),
}
OPEN: tuple[CommandState, ...] = ("queued", "sent")


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what happened at a moment, why, and the exchange whose frames show it.

    `began_at` is when the exchange began that was over at `at`; a step without one has none.
    """

    at: datetime
    name: StepName
    reason: str = ""
    exchange: int | None = None
    began_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """An order to a meter, or a terminal; `what` says which one, `purpose` why a person wants it.

    `meter` is the address of the device, whatever its kind. Orders of one `batch` were given
    together, one for each device; that of a control is its control order, which a second person may
    have `approved_by`. `request_id` is made by whoever orders, so that an order sent
    twice is one. `accepted` says that the device promised to do it. `result` is what it said in the
    end, `reason` why it did not.
    """

    id: str
    request_id: str
    kind: CommandKind
    meter: str
    link: str
    what: Mapping[str, Any]
    by: str
    created_at: datetime
    expires_at: datetime
    _: KW_ONLY
    station: str
    device: DeviceKind = "meter"
    batch: str = ""
    purpose: str = ""
    valid_min: int = 0
    approved_by: str = ""
    state: CommandState = "queued"
    revision: int = 0
    attempts: int = 0
    accepted: bool = False
    sent_at: datetime | None = None
    ended_at: datetime | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    history: tuple[Step, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether it may still change."""
        return self.state in OPEN

    def orders_the_same(self, other: "Command") -> bool:
        """Whether two orders ask for the same; when, and where the meter hangs, does not count."""
        return self._order() == other._order()

    def stepped(self, step: Step, **changes: Any) -> "Command":
        """Return the command as it is after a step; the first and the newest steps are kept."""
        steps = (*self.history, step)
        if len(steps) > STEPS_MAX:
            steps = (*steps[: STEPS_MAX // 2], *steps[-STEPS_MAX // 2 :])
        return replace(self, revision=self.revision + 1, history=steps, **changes)

    def _order(self) -> tuple[object, ...]:
        what = dict(self.what)
        return (self.kind, self.device, self.meter, what, self.by, self.purpose, self.valid_min)


class Commands(Objects[Command]):
    """The commands of all stations."""

    shape = Command
    key = "id"
    word = "command"

    async def order(self, command: Command) -> Command:
        """Keep a new command and return it, or the one that the same request made before.

        Raises Conflict when the request id stands for another order.
        """
        try:
            await self._collection.insert(self._to_document(command))
        except DuplicateKeyError:
            held = await self._collection.find_one({"request_id": command.request_id})
            standing = self._from_document(held) if held is not None else None
            if standing is None or not standing.orders_the_same(command):
                raise Conflict(f"request {command.request_id} was another order") from None
            return standing
        return command

    async def advance(self, before: Command, after: Command) -> Command:
        """Write what a command has become and return it; writing it again changes nothing.

        Raises Conflict when the command is no longer as it was before.
        """
        assert after.state in FORWARD[before.state], f"{before.state} does not become {after.state}"
        query = {"_id": before.id, "state": before.state, "revision": before.revision}
        if not await self._collection.replace(query, self._to_document(after)):
            standing = await self.get(before.id)
            if standing != after:
                raise Conflict(f"command {before.id} is {standing.state} already")
        return after

    async def open(self, station: str) -> Many[Command]:
        """Return every command of a station that may still change, the oldest first."""
        return await self._all({"station": station, "state": {"$in": [*OPEN]}})

    async def list(
        self,
        text: str | None = None,
        state: str | None = None,
        kind: str | None = None,
        meter: str | None = None,
        skip: int = 0,
        limit: int = 100,
        batch: str | None = None,
        *,
        among: Collection[str] | None = None,
        sort: str = "",
    ) -> Page[Command]:
        """Return a page of commands, the newest first, and how many there are.

        `among` are the only devices to look at.
        """
        query = matching(text, "meter", "link", "by", "purpose")
        if among is not None:
            query["$and"] = [{"meter": {"$in": [*among]}}]
        wanted = {"state": state, "kind": kind, "meter": meter, "batch": batch}
        query.update({name: value for name, value in wanted.items() if value is not None})
        return await self._page(query, skip, limit, order=self._order(sort, [("_id", -1)]))

    async def counts(self, batch: str) -> Mapping[CommandState, int]:
        """Return how many commands of a batch are in each state; nothing for no batch."""
        found = await self._collection.aggregate(
            [{"$match": {"batch": batch}}, {"$group": {"_id": "$state", "n": {"$sum": 1}}}]
        )
        return {each["_id"]: int(each["n"]) for each in found}

    def _to_document(self, thing: Command) -> Document:
        document = super()._to_document(thing)
        document["what"], document["result"] = dict(thing.what), dict(thing.result)
        document["history"] = [asdict(step) for step in thing.history]
        return document

    def _from_document(self, document: Document) -> Command:
        steps = tuple(Step(**step) for step in document["history"])
        return super()._from_document({**document, "history": steps})
