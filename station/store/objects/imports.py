"""Imports: tables that were sent in, what each row would change, and what became of it.

An import is there only with all its rows. It is applied from its first row up and undone from its
last row down, a portion in a transaction: `position` says up to which row the archive is as the
file wants it, and moves in the transaction that makes it true. `heading` is the state that it is
on the way to, empty while it rests; whoever finds one on the way, after a crash say, can go on with
it. What cannot be finished turns round and heads for the state that it came from. A whole table in
one transaction is more than the cache of a small box holds.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from pymongo import InsertOne
from pymongo.errors import BulkWriteError

from station.errors import Conflict, InvalidValue
from station.store.driver import Collection, Document
from station.store.objects.base import DUPLICATE_KEY, Many, Objects, Page, Turn, new_id
from station.store.objects.changes import Changes, change_of

ROWS_AT_ONCE = 200  # In one transaction: some 20 ms of the loop, and 2 MB of the cache.
KEPT = timedelta(days=90)  # To see what an import did; the change log keeps it for ever.
LOGGED = frozenset({"places", "terminals", "meters"})  # What the archive's change log is about.
KEYS_SHOWN = 20  # Of the rows that hold up an import.

State = Literal["preview", "applied", "undone"]
Outcome = Literal["new", "changed", "unchanged", "error"]
Keys = list[str]  # Named here, because the verb `list` hides the type inside the class.
Progress = Callable[[int, int], None]  # Rows done, of all.


class RowsChanged(Conflict):
    """These things are not as the import left or saw them; `keys` names them."""

    def __init__(self, message: str, keys: Sequence[str]) -> None:
        super().__init__(message)
        self.keys = tuple(keys)


class MovedOn(Conflict):
    """The import is further on than this: look at it again."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row cannot be: the field, its cell such as "D17", what is in it, and the reason."""

    field: str
    cell: str
    value: str
    message: str


@dataclass(frozen=True, slots=True)
class ImportRow:
    """A row of the file: what stands there and what would; None is "not there".

    Rows are applied in their `order`, which is their number unless it is given.
    """

    number: int
    key: str
    outcome: Outcome
    _: KW_ONLY
    order: int = 0
    before: Any = None
    after: Any = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Import:
    """A table that was sent in. `kind` is "places", "terminals", "meters" or "customers".

    `fields` are those that the file has, `unread` the heads of its other columns; the counts are
    rows by outcome. `areas` are those of the person who sent it. `trouble` is why the last act did
    not happen, `keys` names things that were in its way.
    """

    id: str
    kind: str
    _: KW_ONLY
    file_name: str
    by: str
    at: datetime
    expires_at: datetime
    station: str
    fields: tuple[str, ...]
    unread: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    state: State = "preview"
    heading: str = ""
    position: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    errors: int = 0
    applied_at: datetime | None = None
    applied_by: str = ""
    undone_at: datetime | None = None
    undone_by: str = ""
    trouble: str = ""
    keys: tuple[str, ...] = ()

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

    async def list(
        self, *, by: str | None = None, skip: int = 0, limit: int = 100, sort: str = ""
    ) -> Page[Import]:
        """Return a page of imports, the newest first, and how many there are."""
        query = {} if by is None else {"by": by}
        return await self._page(query, skip, limit, order=self._order(sort, [("_id", -1)]))

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
        if not await self._collection.remove({"_id": import_id, "state": "preview", "heading": ""}):
            raise Conflict(f"import {import_id} is {(await self.get(import_id)).state} already")
        await self._rows.remove({"import": import_id})

    async def under_way(self, station: str) -> Many[Import]:
        """Return the imports that this station has on the way."""
        return await self._all({"station": station, "heading": {"$gt": ""}})

    async def begin(
        self, import_: Import, heading: Literal["applied", "undone"], by: str, at: datetime
    ) -> Import:
        """Set an import at rest on the way to another state. Raises Conflict."""
        change: Document = {"heading": heading, "trouble": "", "keys": []}
        change |= {f"{heading}_by": by, f"{heading}_at": at}
        query = {"_id": import_.id, "state": import_.state, "heading": "", "errors": 0}
        if not await self._collection.update(query, {"$set": change}):
            raise Conflict(f"import {import_.id} is not in the state {import_.state} any more")
        return await self.get(import_.id)

    async def obstacles(self, import_: Import) -> tuple[int, Sequence[str]]:
        """Return how many things are in another state than the import saw or left; and some."""
        things = self._targets[import_.kind]
        is_up, position = import_.heading == "applied", import_.position
        number = 0
        keys: Keys = []
        while rows := await self._portion(import_, is_up, position, ROWS_AT_ONCE):
            strange = await things.strangers([_turn_of(row, is_up) for row in rows])
            number += len(strange)
            keys += strange[: KEYS_SHOWN - len(keys)]
            position = _passed(rows, is_up)
        return number, keys

    async def step(
        self, import_: Import, limit: int = ROWS_AT_ONCE, *, leaving: bool = False
    ) -> Import:
        """Turn the next rows on the way, or end it when there are none; return the import.

        `leaving` passes them by as they are. Raises Conflict and InvalidValue when a thing is not
        as it should be, or hangs on what is not there: then nothing is written.
        """
        is_up = import_.heading == "applied"
        rows = await self._portion(import_, is_up, import_.position, limit)
        if rows:
            change: Document = {"position": _passed(rows, is_up)}
        else:
            change = {"state": import_.heading, "heading": "", **_unsaid(import_)}
        turns = [] if leaving else [_turn_of(row, is_up) for row in rows]

        async def work(session: Any) -> None:
            query = {
                "_id": import_.id,
                "heading": import_.heading,
                "position": import_.position,
            }
            if not await self._collection.update(query, {"$set": change}, session=session):
                raise MovedOn(f"import {import_.id} is at another row")
            if turns:
                await self._turn(import_, turns, session)

        try:
            await self._collection.transaction(work)
        except BulkWriteError as error:
            wrong = error.details["writeErrors"][0]
            if wrong["code"] != DUPLICATE_KEY:
                raise
            # A key or a name that is unique was taken after the look at it.
            words = " ".join(str(value) for value in wrong.get("keyValue", {}).values())
            raise Conflict(f"{words} is taken by another one") from None
        return replace(import_, **change)

    async def turn_round(self, import_: Import, trouble: str, keys: Sequence[str]) -> Import:
        """Head for the state that an import came from, and keep why."""
        change = {"heading": import_.state, "trouble": trouble, "keys": [*keys]}
        query = {"_id": import_.id, "heading": import_.heading}
        await self._collection.update(query, {"$set": change})
        return await self.get(import_.id)

    async def _portion(
        self, import_: Import, is_up: bool, position: int, limit: int
    ) -> Sequence[Document]:
        query: Document = {"import": import_.id, "outcome": {"$in": ["new", "changed"]}}
        query["order"] = {"$gt": position} if is_up else {"$lte": position}
        order = [("order", 1 if is_up else -1)]
        return await self._rows.find(query, order=order, limit=limit)

    async def _turn(self, import_: Import, turns: Sequence[Turn], session: Any) -> None:
        things = self._targets[import_.kind]
        strange = await things.turn(turns, session=session)
        if strange:
            raise changed_rows(len(strange), strange[:KEYS_SHOWN])
        await self._ties.check(import_.kind, turns, session)
        if import_.kind not in LOGGED:
            return
        is_first = import_.state == "preview"
        by = import_.applied_by if is_first else import_.undone_by
        reason = f"import of {import_.file_name}"
        if import_.heading != "applied" or not is_first:
            reason = f"import of {import_.file_name} taken back"
        changes = []
        for turn in turns:
            before = None if turn.before is None else things.thing_of(turn.before)
            after = None if turn.after is None else things.thing_of(turn.after)
            change = change_of(things.word, turn.key, before, after, by, reason)
            if change is not None:
                changes.append(change)
        await self._changes.enter_many(changes, session=session)

    def _row_document(self, import_: Import, row: ImportRow) -> Document:
        things = self._targets[import_.kind]
        return {
            "_id": new_id(),
            "import": import_.id,
            "expires_at": import_.expires_at,
            "number": row.number,
            "order": row.order or row.number,
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


def changed_rows(number: int, keys: Sequence[str]) -> RowsChanged:
    """Return the refusal of an import because things are in another state than it saw or left."""
    return RowsChanged(f"{number} rows were changed by others meanwhile", keys)


def _unsaid(import_: Import) -> Document:
    """Return what takes back who did it, for an import that came back to where it was."""
    if import_.heading != import_.state:
        return {}
    act = "applied" if import_.state == "preview" else "undone"
    return {f"{act}_by": "", f"{act}_at": None}


def _turn_of(row: Document, is_up: bool) -> Turn:
    if is_up:
        return Turn(row["key"], row["before"], row["after"])
    return Turn(row["key"], row["after"], row["before"])


def _passed(rows: Sequence[Document], is_up: bool) -> int:
    """Return the position once these rows are turned."""
    return int(rows[-1]["order"]) if is_up else int(rows[-1]["order"]) - 1


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
