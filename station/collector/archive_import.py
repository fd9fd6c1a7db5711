"""Imports into the archive: a file becomes a preview, a preview is applied, and may be undone.

Nothing in the archive changes before somebody applies the preview; then all of its rows do, or
none: they go in portion by portion, and if one of them cannot, all go back. A station that was cut
off meanwhile goes on at its next start. One piece of work is under way at a time; it is told about
here while it lasts, and its outcome is in the store. Whoever depends on the archive hears of it at
the end.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal

from station import tasks
from station.collector.archive import Archive
from station.collector.import_cells import Surroundings
from station.collector.import_places import plan_places
from station.collector.import_rows import TABLES, fields_of_heads, plan_rows
from station.collector.planner import patiently
from station.collector.sheets import read_cells
from station.errors import Conflict, DatabaseDown, InvalidValue, StationError
from station.live import Feed
from station.store.database import Database
from station.store.objects.base import new_id
from station.store.objects.imports import (
    KEPT,
    ROWS_AT_ONCE,
    Import,
    MovedOn,
    Progress,
    RowsChanged,
    changed_rows,
)
from station.units import utc_now

log = logging.getLogger(__name__)

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

    def __init__(self, database: Database, archive: Archive, feed: Feed, station: str) -> None:
        self._station = station
        self._database = database
        self._archive = archive
        self._feed = feed
        self._works: dict[str, Work] = {}  # By import; the oldest first.
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Go on with what the last process left on its way."""
        for import_ in await self._database.imports.under_way(self._station):
            act: Act = "undo" if import_.state == "applied" else "apply"
            by = import_.undone_by if act == "undo" else import_.applied_by
            self._begin(_work(import_, act, by, import_.changes), partial(self._carry, import_))
            break  # There is never more than one.

    async def stop(self) -> None:
        """Leave what is under way; the next start goes on with it."""
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
        key = "name" if kind == "places" else TABLES[kind].key
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
            station=self._station,
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
        self._check_free()
        begun = await self._database.imports.begin(import_, "applied", by, utc_now())
        self._begin(_work(import_, "apply", by, import_.changes), partial(self._carry, begun))

    async def undo(self, import_: Import, *, by: str) -> None:
        """Begin to undo an import. Raises Conflict when that cannot be."""
        if import_.state != "applied":
            raise Conflict(f"import {import_.id} is not applied")
        self._check_free()
        begun = await self._database.imports.begin(import_, "undone", by, utc_now())
        self._begin(_work(import_, "undo", by, import_.changes), partial(self._carry, begun))

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
        except asyncio.CancelledError:
            work.error = "it was broken off"
            raise
        except Exception:  # A defect; whoever looks at the page is told.
            log.exception("the %s of import %s failed", work.act, work.import_id)
            work.error = "it failed by a defect of the station: see its log"
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
        if import_.kind == "places":
            planned = plan_places(rows, columns, around)
        else:
            planned = plan_rows(import_.kind, rows, columns, around)
        await self._database.imports.keep(import_, planned, progress, len(rows))

    async def _carry(self, import_: Import, progress: Progress) -> None:
        """Take an import to where it heads, or back; a database that is down is waited for."""
        imports = self._database.imports
        if import_.heading != import_.state:
            number, keys = await patiently(partial(imports.obstacles, import_))
            if number:
                import_ = await self._turn_round(import_, changed_rows(number, keys))
        done, limit = 0, ROWS_AT_ONCE
        while import_.heading:
            try:
                import_ = await imports.step(import_, limit)
            except (DatabaseDown, MovedOn):
                import_ = await patiently(partial(imports.get, import_.id))
            except (Conflict, InvalidValue) as error:
                if import_.heading != import_.state:
                    import_ = await self._turn_round(import_, error)
                elif limit > 1:
                    limit = 1  # Somewhere here is what others have changed: it stays as it is.
                else:
                    import_ = await imports.step(import_, limit, leaving=True)
            done = min(done + limit, import_.changes)
            progress(done, import_.changes)
        await patiently(partial(self._publish, import_))
        if import_.trouble:
            raise RowsChanged(import_.trouble, import_.keys)

    async def _turn_round(self, import_: Import, error: StationError) -> Import:
        log.warning("import %s goes back: %s", import_.id, error)
        keys = error.keys if isinstance(error, RowsChanged) else ()
        turn = partial(self._database.imports.turn_round, import_, str(error), keys)
        return await patiently(turn)

    async def _publish(self, import_: Import) -> None:
        keys = [key async for key in self._keys(import_, ("new", "changed"))]
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
