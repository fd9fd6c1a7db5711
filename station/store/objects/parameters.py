"""Parameters of devices: what the archive wants beside what the device held when it was asked.

A value is a text for each field of the parameter. A field that is not wanted does not count: the
device may hold there what it likes. No password is ever kept here.
"""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from pymongo.errors import DuplicateKeyError

from station.errors import Conflict
from station.store.driver import Document
from station.store.objects.base import Many, Objects, Page, matching

DeviceKind = Literal["terminal", "meter"]
ParameterState = Literal[
    "same",  # The device holds what is wanted.
    "different",
    "unread",  # Something is wanted, and the device was never asked.
    "refused",  # It was asked, and gave no value.
    "held",  # Nothing is wanted; this is what the device holds.
]
STATES: tuple[ParameterState, ...] = ("different", "refused", "unread", "same", "held")

TRIES_MAX = 20  # Of a change that others come before; each takes a millisecond.

Values = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of one device; `device` is its address, `code` as "F3" or "04001001".

    `held` is what the device said at `held_at`; `problem` is why it gave no value then.
    """

    device: str
    code: str
    _: KW_ONLY
    kind: DeviceKind
    wanted: Values = field(default_factory=dict)
    wanted_by: str = ""
    wanted_at: datetime | None = None
    held: Values = field(default_factory=dict)
    held_at: datetime | None = None
    problem: str = ""
    revision: int = 0

    @property
    def id(self) -> str:
        """Return the key: device and code."""
        return key_of(self.device, self.code)

    @property
    def differences(self) -> list[str]:
        """Return the fields in which the device does not hold what is wanted."""
        return [name for name, text in self.wanted.items() if self.held.get(name) != text]

    @property
    def state(self) -> ParameterState:
        """Return how wanted and held compare."""
        if self.problem:
            return "refused"
        if not self.wanted:
            return "held"
        if self.held_at is None:
            return "unread"
        return "different" if self.differences else "same"


def key_of(device: str, code: str) -> str:
    """Return the key of a parameter of a device."""
    return f"{device} {code}"


class Parameters(Objects[Parameter]):
    """The parameters of all devices that anything is known of."""

    shape = Parameter
    key = "id"
    word = "parameter"

    async def want(
        self, kind: DeviceKind, device: str, code: str, values: Values, by: str, at: datetime
    ) -> Parameter:
        """Keep what the archive wants; no values: nothing is wanted any more."""

        def change(found: Parameter) -> Parameter:
            if dict(found.wanted) == dict(values):
                return found
            return replace(found, wanted=values, wanted_by=by, wanted_at=at)

        return await self._change(kind, device, code, change)

    async def hold(
        self,
        kind: DeviceKind,
        device: str,
        code: str,
        values: Values,
        at: datetime,
        problem: str = "",
    ) -> Parameter:
        """Keep what a device said; where it gave none, what it held before stays."""

        def change(found: Parameter) -> Parameter:
            if problem:
                return replace(found, problem=problem)
            return replace(found, held=values, held_at=at, problem="")

        return await self._change(kind, device, code, change)

    async def of(self, device: str) -> Many[Parameter]:
        """Return all that is known of a device's parameters, by code."""
        return await self._all({"device": device})

    async def list(
        self,
        text: str | None = None,
        state: str | None = None,
        kind: str | None = None,
        skip: int = 0,
        limit: int = 100,
        *,
        sort: str = "",
    ) -> Page[Parameter]:
        """Return a page of parameters, by device and code, and how many there are."""
        query = matching(text, "_id")
        given = {"state": state, "kind": kind}
        query.update({name: value for name, value in given.items() if value is not None})
        return await self._page(query, skip, limit, order=self._order(sort))

    async def counts(self) -> Mapping[ParameterState, int]:
        """Return how many parameters are in each state."""
        # Each is a walk along the index of states; to group them all reads every document.
        return {state: await self._collection.count({"state": state}) for state in STATES}

    async def forget(self, device: str, code: str) -> None:
        """Drop what is known of a parameter; nothing happens if that is nothing."""
        await self._collection.remove(self._query(key_of(device, code)))

    async def _change(
        self,
        kind: DeviceKind,
        device: str,
        code: str,
        change: Callable[[Parameter], Parameter],
    ) -> Parameter:
        """Change one parameter, whoever else changes it at this moment."""
        for _ in range(TRIES_MAX):
            found = await self.find(key_of(device, code))
            before = found or Parameter(device, code, kind=kind)
            after = change(before)
            if found is not None and after == before:
                return before
            after = replace(after, revision=before.revision + 1)
            document = self._to_document(after)
            if found is None:
                try:
                    await self._collection.insert(document)
                except DuplicateKeyError:
                    continue
                return after
            query = {"_id": before.id, "revision": before.revision}
            if await self._collection.replace(query, document):
                return after
        raise Conflict(f"parameter {code} of {device} is being changed by others")

    def _to_document(self, thing: Parameter) -> Document:
        document = super()._to_document(thing)
        kept: dict[str, Any] = {"wanted": dict(thing.wanted), "held": dict(thing.held)}
        return {**document, **kept, "_id": thing.id, "state": thing.state}
