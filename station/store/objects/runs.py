"""The ledger of runs: what was due, what was done, and why the rest was not."""

import contextlib
from collections.abc import Collection as Ids
from collections.abc import Mapping
from dataclasses import KW_ONLY, asdict, dataclass, field
from datetime import datetime
from typing import Literal

from pymongo.errors import DuplicateKeyError

from station.store.driver import Document
from station.store.objects.base import Objects, Page, among

RunKind = Literal["task", "gap", "manual", "fill"]
RunState = Literal["running", "finished", "interrupted", "cancelled"]

FAILURES_MAX = 200  # Enough to see what is wrong; the causes are counted in full.


@dataclass(frozen=True, slots=True)
class Failure:
    """One item of one meter that could not be read, and why."""

    meter: str
    item: str
    cause: str
    text: str


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a task; `moment` is the tick it is for, counts are of points.

    A `task` run reads the newest moment, a `gap` run fills holes, a `manual` one a person started,
    and a `fill` fills the holes that a person pointed at; it may serve several tasks, and then
    has no task of its own.
    """

    id: str
    task_id: str
    task_name: str
    moment: datetime
    started_at: datetime
    _: KW_ONLY
    station: str
    kind: RunKind = "task"
    ended_at: datetime | None = None
    state: RunState = "running"
    due: int = 0
    done: int = 0
    success: int = 0
    first_round: int = 0
    rounds: int = 0
    causes: Mapping[str, int] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()


class Runs(Objects[Run]):
    """The ledger of runs."""

    shape = Run
    key = "id"
    word = "run"

    async def enter(self, run: Run) -> None:
        """Enter how far a run has come; one that has ended stays as it ended.

        Entering the same twice, or late, changes nothing.
        """
        under_way = {"_id": run.id, "state": "running"}
        with contextlib.suppress(DuplicateKeyError):  # It is there and has ended.
            await self._collection.replace(under_way, self._to_document(run), upsert=True)

    async def interrupt_running(self, station: str, at: datetime) -> int:
        """Mark what this station left running as interrupted and return how many that were."""
        return await self._collection.update_all(
            {"station": station, "state": "running"},
            {"$set": {"state": "interrupted", "ended_at": at}},
        )

    async def list(
        self,
        task_id: str | None = None,
        skip: int = 0,
        limit: int = 100,
        *,
        tasks: Ids[str] | None = None,
        sort: str = "",
    ) -> Page[Run]:
        """Return a page of runs, the last one first, and how many there are; of `tasks` only."""
        query = among("task_id", tasks) if task_id is None else {"task_id": task_id}
        order = self._order(sort, [("started_at", -1), ("_id", -1)])
        return await self._page(query, skip, limit, order=order)

    def _to_document(self, thing: Run) -> Document:
        document = super()._to_document(thing)
        document["causes"] = dict(thing.causes)
        document["failures"] = [asdict(failure) for failure in thing.failures[:FAILURES_MAX]]
        return document

    def _from_document(self, document: Document) -> Run:
        failures = tuple(Failure(**failure) for failure in document["failures"])
        return super()._from_document({**document, "failures": failures})
