"""Collection tasks: what is read, how often, from whom."""

from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from typing import Literal

from station.store.objects.base import Objects, Page, matching
from station.units import utc_now


@dataclass(frozen=True, slots=True)
class Task:
    """A task: `targets` are addresses of links or meters, as `target_kind` says."""

    id: str
    name: str
    items: tuple[str, ...]
    period_min: int
    _: KW_ONLY
    target_kind: Literal["all", "links", "meters"] = "all"
    targets: tuple[str, ...] = ()
    backfill_days: int = 0
    enabled: bool = True
    created_at: datetime = field(default_factory=utc_now)
    updated_at: datetime = field(default_factory=utc_now)


class Tasks(Objects[Task]):
    """The collection tasks."""

    shape = Task
    key = "id"
    word = "task"

    async def list(self, text: str | None = None, skip: int = 0, limit: int = 100) -> Page[Task]:
        """Return a page of tasks in the order they were made, and how many there are."""
        return await self._page(matching(text, "name"), skip, limit)
