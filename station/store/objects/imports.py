"""Imports: tables that were sent in, what each row would change, and what became of it.

An import is there only with all its rows. It is applied, and undone, in one transaction that also
takes its state forward, so it happens wholly and once; each thing must stand as the preview saw
it, else nothing is written. Rows are kept as long as their import, and go with it.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from pymongo import InsertOne
from pymongo.errors import BulkWriteError

from station.errors import Conflict, InvalidValue
from station.store.driver import Collection, Document
from station.store.objects.base import Many, Objects, Page, Turn, new_id
from station.store.objects.changes import Changes, change_of

ROWS_AT_ONCE = 500  # In one write: some 20 ms.
TRANSACTION_MAX_S = 50.0  # The server ends one after 60 s.
KEPT = timedelta(days=90)  # To see what an import did; the change log keeps it for ever.
LOGGED = frozenset({"places", "terminals", "meters"})  # What the archive's change log is about.
KEYS_SHOWN = 20  # Of the rows that hold up an import.

Outcome = Literal["new", "changed", "unchanged", "error"]
Progress = Callable[[int, int], None]  # Rows done, of all.


class RowsChanged(Conflict):
    """These things are not as the import left or saw them; `keys` names them."""

    def __init__(self, message: str, keys: Sequence[str]) -> None:
        super().__init__(message)
        self.keys = tuple(keys)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row cannot be: the field, its cell such as "D17", what is in it, and the reason."""

    field: str
    cell: str
    value: str
    message: str


@dataclass(frozen=True, slots=True)
class ImportRow:
    """A row of the file: what stands there and what would; None is "not there"."""

    number: int
    key: str
    outcome: Outcome
    _: KW_ONLY
    before: Any = None
    after: Any = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Import:
    """A table that was sent in. `kind` is "places", "terminals", "meters" or "customers".

    `fields` are those that the file has, `unread` the heads of its other columns; the counts are
    rows by outcome. `areas` are those of the person who sent it.
    """

    id: str
    kind: str
    _: KW_ONLY
    file_name: str
    by: str
    at: datetime
    expires_at: datetime
    fields: tuple[str, ...]
    unread: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    state: Literal["preview", "applied", "undone"] = "preview"
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    errors: int = 0
    applied_at: datetime | None = None
    applied_by: str = ""
    undone_at: datetime | None = None
    undone_by: str = ""

    @property
    def changes(self) -> int:
        """How many rows change something."""
        return self.new + self.changed


class Imports(Objects[Import]):
    """The imports and their rows; `targets` are the collections that they go into."""

    shape = Import
    key = "id"
    word = "import"

    def __init__(
        self,
        collection: Collection,
        rows: Collection,
        targets: Mapping[str, Objects[Any]],
        ties: "Ties",
        changes: Changes,
    ) -> None:
        super().__init__(collection)
        self._rows = rows
        self._targets = targets
        self._ties = ties
        self._changes = changes

    async def keep(
        self, import_: Import, rows: Iterable[ImportRow], progress: Progress, total: int
    ) -> Import:
        """Keep an import with its rows, and return it with its counts."""
        counts = dict.fromkeys(("new", "changed", "unchanged", "error"), 0)
        done = 0
        for some in _portions(rows):
            await self._rows.write([InsertOne(self._row_document(import_, row)) for row in some])
            for row in some:
                counts[row.outcome] += 1
            done += len(some)
            progress(done, total)
        kept = replace(
            import_,
            new=counts["new"],
            changed=counts["changed"],
            unchanged=counts["unchanged"],
            errors=counts["error"],
        )
        await self.add(kept)
        return kept

    async def list(self, *, by: str | None = None, skip: int = 0, limit: int = 100) -> Page[Import]:
        """Return a page of imports, the newest first, and how many there are."""
        query = {} if by is None else {"by": by}
        return await self._page(query, skip, limit, order=[("_id", -1)])

    async def rows(
        self,
        import_: Import,
        outcomes: Sequence[str] = (),
        after: int = 0,
        skip: int = 0,
        limit: int = 100,
    ) -> tuple[Many[ImportRow], int]:
        """Return a page of the rows with these outcomes, behind a row's number; and how many."""
        query: Document = {"import": import_.id, "number": {"$gt": after}}
        if outcomes:
            query["outcome"] = {"$in": [*outcomes]}
        found = await self._rows.find(query, order=[("number", 1)], skip=skip, limit=limit)
        things = self._targets[import_.kind]
        rows = [_row_of(document, things) for document in found]
        return rows, await self._rows.count(query)

    async def discard(self, import_id: str) -> None:
        """Remove a preview with its rows. Raises NotFound, and Conflict when it was applied."""
        if not await self._collection.remove({"_id": import_id, "state": "preview"}):
            raise Conflict(f"import {import_id} is {(await self.get(import_id)).state} already")
        await self._rows.remove({"import": import_id})

    async def apply(self, import_: Import, by: str, at: datetime, progress: Progress) -> None:
        """Bring every thing to the state of its row. Raises Conflict; RowsChanged names rows."""
        change = {"state": "applied", "applied_by": by, "applied_at": at}
        await self._take(import_, "preview", change, by, at, progress)

    async def undo(self, import_: Import, by: str, at: datetime, progress: Progress) -> None:
        """Bring every thing back. Raises Conflict, and RowsChanged when some were changed since."""
        change = {"state": "undone", "undone_by": by, "undone_at": at}
        await self._take(import_, "applied", change, by, at, progress)

    async def _take(
        self,
        import_: Import,
        state: str,
        change: Document,
        by: str,
        at: datetime,
        progress: Progress,
    ) -> None:
        """Turn all rows and take the state forward, in one transaction."""
        forward = state == "preview"

        async def work(session: Any) -> None:
            query = {"_id": import_.id, "state": state, "errors": 0}
            if not await self._collection.update(query, {"$set": change}, session=session):
                raise Conflict(f"import {import_.id} is not in the state {state} any more")
            strange: list[str] = []
            done = 0
            async for turns in self._turns(import_, forward):
                strange += await self._turn(import_, turns, by, at, session)
                done += len(turns)
                progress(done, import_.changes)
            if strange:
                raise _changed(strange)
            async for turns in self._turns(import_, forward):
                await self._ties.check(import_.kind, turns, session)

        try:
            await self._collection.transaction(work, timeout_s=TRANSACTION_MAX_S)
        except BulkWriteError as error:
            # A key or a name that is unique was taken after the look at it.
            taken = error.details["writeErrors"][0].get("keyValue", {})
            words = " ".join(str(value) for value in taken.values())
            raise Conflict(f"{words} is taken by another one") from None

    async def _turns(self, import_: Import, forward: bool) -> AsyncIterator[Sequence[Turn]]:
        number = 0
        while True:
            found = await self._rows.find(
                {
                    "import": import_.id,
                    "number": {"$gt": number},
                    "outcome": {"$in": ["new", "changed"]},
                },
                order=[("number", 1)],
                limit=ROWS_AT_ONCE,
            )
            if not found:
                return
            number = found[-1]["number"]
            yield [
                Turn(row["key"], row["before"], row["after"])
                if forward
                else Turn(row["key"], row["after"], row["before"])
                for row in found
            ]

    async def _turn(
        self, import_: Import, turns: Sequence[Turn], by: str, at: datetime, session: Any
    ) -> Sequence[str]:
        things = self._targets[import_.kind]
        strange = await things.turn(turns, session=session)
        if strange or import_.kind not in LOGGED:
            return strange
        changes = []
        for turn in turns:
            before = None if turn.before is None else things.thing_of(turn.before)
            after = None if turn.after is None else things.thing_of(turn.after)
            reason = f"import of {import_.file_name}"
            change = change_of(things.word, turn.key, before, after, by, reason)
            if change is not None:
                changes.append(replace(change, at=at))
        await self._changes.enter_many(changes, session=session)
        return []

    def _row_document(self, import_: Import, row: ImportRow) -> Document:
        things = self._targets[import_.kind]
        return {
            "_id": new_id(),
            "import": import_.id,
            "expires_at": import_.expires_at,
            "number": row.number,
            "key": row.key,
            "outcome": row.outcome,
            "before": None if row.before is None else things.document_of(row.before),
            "after": None if row.after is None else things.document_of(row.after),
            "problems": [asdict(problem) for problem in row.problems],
        }


class Ties:
    """What hangs on what: nothing may come to hang on, or be left hanging on, what is not there."""

    def __init__(
        self, *, places: Collection, ends: Collection, meters: Collection, accounts: Collection
    ) -> None:
        self._places = places
        self._ends = ends
        self._meters = meters
        self._accounts = accounts

    async def check(self, kind: str, turns: Sequence[Turn], session: Any) -> None:
        """Check things that were turned, in their transaction. Raises Conflict, InvalidValue."""
        removed = [turn.key for turn in turns if turn.after is None]
        standing = [turn.after for turn in turns if turn.after is not None]
        await self._hold(self._places, "place", standing, session)
        if kind == "meters":
            await self._hold(self._ends, "link", standing, session)
        elif kind == "terminals":
            await self._check_bare(removed, self._meters, ("link",), session)
        elif kind == "places":
            await self._hold(self._places, "parent", standing, session)
            for collection, field in (
                (self._places, "parent"), (self._ends, "place"), (self._meters, "place"),
            ):  # fmt: skip
                await self._check_bare(removed, collection, (field,), session)
        elif kind == "customers":
            await self._check_bare(removed, self._accounts, ("customer", "owner"), session)

    async def _hold(
        self, collection: Collection, field: str, things: Sequence[Document], session: Any
    ) -> None:
        """Write to what these hang on, so that its removal at this moment conflicts."""
        keys = sorted({key for thing in things if (key := thing.get(field))})
        if not keys:
            return
        query = {"_id": {"$in": keys}}
        held = {"$set": {"held": new_id()}}
        if await collection.update_all(query, held, session=session) < len(keys):
            found = await collection.find(query, fields={"_id": 1}, session=session)
            missing = sorted({*keys} - {document["_id"] for document in found})
            what = "terminal or channel" if field == "link" else "place"
            raise InvalidValue(field, f"there is no {what} {missing[0]}")

    async def _check_bare(
        self, keys: Sequence[str], collection: Collection, fields: Sequence[str], session: Any
    ) -> None:
        if not keys:
            return
        for field in fields:
            found = await collection.find(
                {field: {"$in": [*keys]}}, fields={field: 1}, limit=KEYS_SHOWN, session=session
            )
            if found:
                raise _in_use(sorted({str(document[field]) for document in found}))


def _changed(keys: Sequence[str]) -> RowsChanged:
    return RowsChanged(f"{len(keys)} rows were changed by others meanwhile", keys[:KEYS_SHOWN])


def _in_use(keys: Sequence[str]) -> RowsChanged:
    return RowsChanged("other things hang on what would go", keys)


def _row_of(document: Document, things: Objects[Any]) -> ImportRow:
    before, after = document["before"], document["after"]
    return ImportRow(
        document["number"],
        document["key"],
        document["outcome"],
        before=None if before is None else things.thing_of(before),
        after=None if after is None else things.thing_of(after),
        problems=tuple(Problem(**problem) for problem in document["problems"]),
    )


def _portions(rows: Iterable[ImportRow]) -> Iterator[list[ImportRow]]:
    some: list[ImportRow] = []
    for row in rows:
        some.append(row)
        if len(some) == ROWS_AT_ONCE:
            yield some
            some = []
    if some:
        yield some
