"""Imports into the archive: a file becomes a preview, a preview is applied, and may be undone.

Nothing in the archive changes before somebody applies the preview; then all of its rows do, or
none. One piece of work is under way at a time; it is told about here while it lasts, and its
outcome is in the store. Whoever depends on the archive hears of it once, at the end.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal

from station import tasks
from station.collector.archive import Archive
from station.collector.import_rows import TABLES, Surroundings, fields_of_heads, plan_rows
from station.collector.planner import patiently
from station.collector.sheets import read_cells
from station.errors import Conflict, InvalidValue, StationError
from station.live import Feed
from station.store.database import Database
from station.store.objects.base import new_id
from station.store.objects.imports import KEPT, Import, Progress, RowsChanged
from station.units import utc_now

THINGS_AT_ONCE = 500  # Read from the archive: some 10 ms.
OUTCOMES_KEPT = 100  # Of work that ended; who asks later looks at the import itself.
ROWS_BETWEEN_NEWS = 1000  # Done rows after which open pages hear of the progress.
FILE_NAME_SIZE_MAX = 100  # Characters.

Act = Literal["preview", "apply", "undo"]


@dataclass
class Work:
    """What is under way with an import, or how it ended: `error` is empty for success."""

    import_id: str
    kind: str
    file_name: str
    act: Act
    by: str
    at: datetime
    total: int
    done: int = 0
    error: str = ""
    keys: tuple[str, ...] = ()  # Of the rows that held it up.
    is_over: bool = False


class ArchiveImports:
    """Makes previews, applies and undoes them."""

    def __init__(self, database: Database, archive: Archive, feed: Feed) -> None:
        self._database = database
        self._archive = archive
        self._feed = feed
        self._works: dict[str, Work] = {}  # By import; the oldest first.
        self._task: asyncio.Task[None] | None = None

    async def stop(self) -> None:
        """End what is under way; what is not in the database by then does not happen."""
        await tasks.cancel(self._task)

    def work(self, import_id: str) -> Work | None:
        """Return what is under way with an import, or how the last of it ended."""
        return self._works.get(import_id)

    async def read(
        self,
        kind: str,
        file_name: str,
        content: bytes,
        names: Mapping[str, str],
        *,
        by: str,
        areas: tuple[str, ...] = (),
    ) -> str:
        """Read a file and begin its preview; return the import's id.

        `names` gives the field of each head, in small letters. Raises InvalidValue for `file`, and
        Conflict while other work is under way.
        """
        self._check_free()
        cells = await read_cells(content)
        columns, unread = fields_of_heads(cells[0], names)
        key = TABLES[kind].key
        if key not in columns:
            heads = ", ".join(head for head in cells[0] if head) or "–"
            raise InvalidValue("file", f"the first row has no column of the key: {heads[:200]}")
        import_ = Import(
            new_id(),
            kind,
            file_name=file_name[-FILE_NAME_SIZE_MAX:],
            by=by,
            at=utc_now(),
            expires_at=utc_now() + KEPT,
            fields=tuple(name for name in columns if name is not None),
            unread=tuple(unread),
            areas=areas,
        )
        rows = cells[1:]
        self._begin(_work(import_, "preview", by, len(rows)), partial(
            self._preview, import_, rows, columns
        ))  # fmt: skip
        return import_.id

    async def apply(self, import_: Import, *, by: str) -> None:
        """Begin to apply a preview. Raises Conflict when that cannot be."""
        if import_.state != "preview":
            raise Conflict(f"import {import_.id} is {import_.state} already")
        if import_.errors:
            raise Conflict(f"{import_.errors} rows have errors: correct them and send it again")
        if not import_.changes:
            raise Conflict("this import changes nothing")
        self._begin(_work(import_, "apply", by, import_.changes), partial(
            self._take, import_, self._database.imports.apply, by
        ))  # fmt: skip

    async def undo(self, import_: Import, *, by: str) -> None:
        """Begin to undo an import. Raises Conflict when that cannot be."""
        if import_.state != "applied":
            raise Conflict(f"import {import_.id} is not applied")
        self._begin(_work(import_, "undo", by, import_.changes), partial(
            self._take, import_, self._database.imports.undo, by
        ))  # fmt: skip

    async def discard(self, import_: Import) -> None:
        """Throw a preview away. Raises Conflict when it is no preview any more."""
        await self._database.imports.discard(import_.id)
        self._works.pop(import_.id, None)

    def _begin(self, work: Work, do: Callable[[Progress], Any]) -> None:
        self._check_free()
        self._works.pop(work.import_id, None)
        self._works[work.import_id] = work
        while len(self._works) > OUTCOMES_KEPT:
            del self._works[next(iter(self._works))]
        self._task = tasks.spawn(self._run(work, do), name=f"{work.act} of an import")

    def _check_free(self) -> None:
        if self._task is not None and not self._task.done():
            raise Conflict("another import is under way: wait until it has ended")

    async def _run(self, work: Work, do: Callable[[Progress], Any]) -> None:
        def progress(done: int, total: int) -> None:
            passed = done // ROWS_BETWEEN_NEWS > work.done // ROWS_BETWEEN_NEWS
            work.done, work.total = done, total
            if passed:
                self._tell(work)

        self._tell(work)
        try:
            await do(progress)
        except StationError as error:
            work.error = str(error)
            work.keys = error.keys if isinstance(error, RowsChanged) else ()
        except BaseException:
            work.error = "it was broken off; nothing has changed"
            raise
        finally:
            work.is_over = True
            self._tell(work)

    def _tell(self, work: Work) -> None:
        self._feed.announce(
            "imports",
            {"id": work.import_id, "act": work.act, "done": work.done, "total": work.total,
             "over": work.is_over, "error": work.error},
        )  # fmt: skip

    async def _preview(
        self,
        import_: Import,
        rows: Sequence[Sequence[str]],
        columns: Sequence[str | None],
        progress: Progress,
    ) -> None:
        around = await self._surroundings(import_)
        planned = plan_rows(import_.kind, rows, columns, around)
        await self._database.imports.keep(import_, planned, progress, len(rows))

    async def _take(
        self,
        import_: Import,
        take: Callable[[Import, str, datetime, Progress], Any],
        by: str,
        progress: Progress,
    ) -> None:
        await take(import_, by, utc_now(), progress)
        # Nothing was learned yet of a new meter; after an undo it is gone.
        is_new_meter = import_.kind == "meters" and import_.state == "preview"
        outcomes = ("changed",) if is_new_meter else ("new", "changed")
        await patiently(partial(self._publish, import_, outcomes))

    async def _publish(self, import_: Import, outcomes: Sequence[str]) -> None:
        keys = [key async for key in self._keys(import_, outcomes)]
        await self._archive.imported(import_.kind, keys)

    async def _keys(self, import_: Import, outcomes: Sequence[str]) -> AsyncIterator[str]:
        last = 0
        while True:
            rows, _ = await self._database.imports.rows(
                import_, outcomes, after=last, limit=THINGS_AT_ONCE
            )
            for row in rows:
                yield row.key
            if len(rows) < THINGS_AT_ONCE:
                return
            last = rows[-1].number

    async def _surroundings(self, import_: Import) -> Surroundings:
        database = self._database
        terminals = await database.terminals.many()
        channels, _ = await database.channels.list(limit=1_000_000)
        ends = {each.name: "" for each in channels} | {
            each.address: each.place for each in terminals
        }
        things: dict[str, Any] = {}
        if import_.kind == "terminals":
            things = {each.address: each for each in terminals}
        elif import_.kind == "meters":
            things = await self._meters()
        elif import_.kind == "customers":
            things = await self._customers()
        places = await database.places.tree()
        allowed = places.under(import_.areas) if import_.areas else None
        return Surroundings(things, ends, places, import_.at, import_.by, allowed)

    async def _meters(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        last = ""
        while some := await self._database.meters.after(last, THINGS_AT_ONCE):
            found |= {meter.address: meter for meter in some}
            last = some[-1].address
        return found

    async def _customers(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while some := (await self._database.customers.list(skip=len(found), limit=THINGS_AT_ONCE))[
            0
        ]:
            found |= {customer.number: customer for customer in some}
        return found


def _work(import_: Import, act: Act, by: str, total: int) -> Work:
    return Work(import_.id, import_.kind, import_.file_name, act, by, utc_now(), total)
