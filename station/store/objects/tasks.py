"""Collection tasks: what is read, when, from whom; and how far each task has come.

How far a task has come stands apart from the task: a person who saves a task does not set it back.
"""

from collections.abc import Collection as Ids
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from typing import Literal

from station.store.driver import Collection
from station.store.objects.base import Objects, Page, among, matching
from station.units import utc_now

TargetKind = Literal["all", "links", "meters", "groups"]
TaskPriority = Literal["high", "normal", "low"]
MissedPolicy = Literal["skip", "once", "all"]

SKIPPED_MAX = 50  # Absences that a task remembers; older ones lie behind its gap filling.


@dataclass(frozen=True, slots=True)
class Task:
    """A task: `targets` are addresses of links or meters, or groups, as `target_kind` says.

    Its moments come from `period_min`, from `cron` (five fields in the site's zone) when that is
    set, or are the one of `once_at`, after which it pauses itself. In `window`, two minutes of the
    local day of which the second may be past midnight, the station may ask; None is always.
    `missed` says what becomes of the moments at which the station was down or the task paused:
    none is read ("skip"), the newest one ("once"), or all as far as `backfill_days` goes.
    """

    id: str
    name: str
    items: tuple[str, ...]
    period_min: int
    _: KW_ONLY
    target_kind: TargetKind = "all"
    targets: tuple[str, ...] = ()
    backfill_days: int = 0
    cron: str = ""
    window: tuple[int, int] | None = None
    priority: TaskPriority = "normal"
    missed: MissedPolicy = "all"
    once_at: datetime | None = None
    enabled: bool = True
    created_at: datetime = field(default_factory=utc_now)
    updated_at: datetime = field(default_factory=utc_now)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a task has come: its last moment that was handled, and the spans it leaves out.

    A span is left out from its first moment on and up to, but not including, its last.
    """

    handled: datetime
    skipped: tuple[tuple[datetime, datetime], ...] = ()


class Tasks(Objects[Task]):
    """The collection tasks."""

    shape = Task
    key = "id"
    word = "task"

    def __init__(self, collection: Collection, progress: Collection) -> None:
        super().__init__(collection)
        self._progress = progress

    async def list(
        self,
        text: str | None = None,
        skip: int = 0,
        limit: int = 100,
        *,
        sort: str = "",
        ids: Ids[str] | None = None,
    ) -> Page[Task]:
        """Return a page of tasks in the order they were made, and how many there are."""
        query = {**matching(text, "name"), **among("_id", ids)}
        return await self._page(query, skip, limit, order=self._order(sort))

    async def progress(self) -> Mapping[str, Progress]:
        """Return how far each task has come that ever began."""
        return {
            found["_id"]: Progress(
                found["handled"], tuple((span[0], span[1]) for span in found["skipped"])
            )
            for found in await self._progress.find({})
        }

    async def keep_progress(self, task_id: str, progress: Progress) -> None:
        """Keep how far a task has come."""
        skipped = [list(span) for span in progress.skipped[-SKIPPED_MAX:]]
        document = {"_id": task_id, "handled": progress.handled, "skipped": skipped}
        await self._progress.replace({"_id": task_id}, document, upsert=True)

    async def pause(self, task_id: str) -> None:
        """Have a task not go on by itself; nothing happens if it is gone."""
        await self._collection.update({"_id": task_id}, {"$set": {"enabled": False}})

    async def remove(self, key: str) -> None:
        """Remove a task and how far it has come. Raises NotFound."""
        await super().remove(key)
        await self._progress.remove({"_id": key})
