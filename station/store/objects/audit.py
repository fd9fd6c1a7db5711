"""The audit log: who did what to what, what stood there before, and what after. It only grows.

    begun -> in the log (done, refused, failed)          begun, then a crash -> in the log (unknown)

An act is noted as begun before it is done, and stays noted until its entry is in the log: whatever
breaks in between, the next start finds it and writes the entry. Entries are numbered without gaps;
each carries the hash of the one before, so none can be changed, taken out or put in without every
later hash telling. The number is the key: of two writers at once one comes first, and the other
takes the next number. An act has one entry, however often it is written.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import KW_ONLY, dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Literal

from pymongo.errors import DuplicateKeyError

from station.errors import Conflict
from station.store.driver import Collection, Document
from station.store.objects.base import Many, Page, matching, new_id
from station.store.objects.sorts import order_of
from station.units import UTC, utc_now

Outcome = Literal["begun", "done", "refused", "failed", "unknown"]
Via = Literal["browser", "token", "command line", "station"]

FIRST = "0" * 64  # What stands where the first entry has no other before it.
VALUES_SIZE_MAX = 16_384  # Characters of what stood before or after; the longest form has 4,000.
APPEND_ATTEMPTS = 1000  # Each one lost means that another writer's entry came first.
COUNTED_MAX = 10_000  # Entries of a filter that are counted; nobody turns so many pages.
LEAF = 1000  # Entries that are held in memory at once while all are gone through.


@dataclass(frozen=True, slots=True)
class Entry:
    """One act: a person, a moment, what was done to what, and what came of it.

    `who` is empty for somebody who did not prove to be anybody. `act` is a code such as
    `terminals.change`, `object` the address of a thing's page, `led_to` that of what was made.
    `before` and `after` are JSON objects as text, or empty. `sequence`, `previous` and `hash` are
    0 and empty until the entry stands in the log.
    """

    act: str
    object: str
    who: str
    _: KW_ONLY
    station: str
    at: datetime = field(default_factory=utc_now)
    via: Via = "browser"
    address: str = ""
    outcome: Outcome = "begun"
    detail: str = ""
    led_to: str = ""
    before: str = ""
    after: str = ""
    id: str = field(default_factory=new_id)
    sequence: int = 0
    previous: str = ""
    hash: str = ""

    def chained(self, last: "Entry | None") -> "Entry":
        """Return the entry as it stands in the log, behind the last one."""
        sequence, previous = (1, FIRST) if last is None else (last.sequence + 1, last.hash)
        placed = replace(self, sequence=sequence, previous=previous)
        return replace(placed, hash=placed.proof())

    def proof(self) -> str:
        """Return the hash that belongs to what the entry says: SHA-256 of all else as JSON."""
        is_moment = isinstance(self.at, datetime)  # Unless somebody has spoilt it.
        at = self.at.astimezone(UTC).isoformat(timespec="milliseconds") if is_moment else self.at
        said = [self.sequence, at, *(getattr(self, name) for name in _TEXTS)]
        text = json.dumps(said, separators=(",", ":"), default=str)
        return hashlib.sha256(text.encode()).hexdigest()


# In the order in which they are hashed.
_TEXTS = (
    "previous", "id", "station", "who", "via", "address", "act", "object", "outcome", "detail",
    "led_to", "before", "after",
)  # fmt: skip
NAMES = tuple(each.name for each in fields(Entry))
assert {*_TEXTS, "at", "sequence", "hash"} == {*NAMES}, "what an entry says is hashed"

NUMBERED: Mapping[str, Any] = {"_id": {"$type": "number"}}  # As every entry of ours is.


def values_text(values: Mapping[str, Any] | None) -> str:
    """Return values as the log keeps them: a JSON object with its keys in order, or nothing.

    What is too long is left out, and its size said.
    """
    if not values:
        return ""
    text = json.dumps(values, ensure_ascii=False, sort_keys=True, default=str)
    if len(text) <= VALUES_SIZE_MAX:
        return text
    sizes = {name: len(str(value)) for name, value in values.items()}
    short = {name: values[name] for name, size in sizes.items() if size <= 100}
    text = json.dumps({**short, "…": len(text)}, ensure_ascii=False, sort_keys=True, default=str)
    return text if len(text) <= VALUES_SIZE_MAX else json.dumps({"…": len(text)})


@dataclass(frozen=True, slots=True)
class Broken:
    """The first place where the chain does not hold."""

    sequence: int
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What going through the whole log has shown; `waiting` acts have no entry yet."""

    count: int
    head: Entry | None
    waiting: int
    broken: Broken | None = None


class AuditLog:
    """The log, and beside it the acts that were begun and have no entry yet."""

    def __init__(self, entries: Collection, begun: Collection) -> None:
        self._entries = entries
        self._begun = begun
        self._head: Entry | None = None  # The last entry that this process has seen.

    async def begin(self, entry: Entry) -> None:
        """Note an act before it is done. Raises DatabaseDown: then it must not be done."""
        await self._begun.insert({**_document(entry), "_id": entry.id})

    async def forget(self, entry_id: str) -> None:
        """Drop the note of an act whose entry stands in the log, or that changed nothing."""
        await self._begun.remove({"_id": entry_id})

    async def begun(self, station: str) -> Many[Entry]:
        """Return the acts of a station that were begun and have no entry yet, as far as noted."""
        found = await self._begun.find({"station": station}, order=[("_id", 1)])
        return [_entry({**document, "_id": 0}) for document in found]

    async def append(self, entry: Entry) -> Entry:
        """Write an entry behind the last one, and return it as it stands in the log.

        Writing it again returns the one that stands. Raises DatabaseDown, after which it may
        stand or not.
        """
        for _ in range(APPEND_ATTEMPTS):
            chained = entry.chained(self._head)
            try:
                await self._entries.insert(_document(chained))
            except DuplicateKeyError:
                self._head = await self.head()
                standing = await self._entries.find_one({"id": entry.id})
                if standing is not None:
                    return _entry(standing)
                continue
            self._head = chained
            return chained
        raise Conflict("many entries are made right now; try again")

    async def head(self) -> Entry | None:
        """Return the last entry."""
        found = await self._entries.find(NUMBERED, order=[("_id", -1)], limit=1)
        return _entry(found[0]) if found else None

    async def get(self, sequence: int) -> Entry | None:
        """Return the entry of a number, or None."""
        found = await self._entries.find_one({"_id": sequence})
        return None if found is None else _entry(found)

    async def list(
        self,
        *,
        who: str | None = None,
        text: str | None = None,
        act: str | None = None,
        outcome: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        skip: int = 0,
        limit: int = 100,
        sort: str = "",
    ) -> Page[Entry]:
        """Return a page of entries, the newest first, and how many there are, up to COUNTED_MAX.

        The text is looked for in objects and reasons. Without a filter the last number is how many.
        """
        query = {**NUMBERED, **matching(text, "object", "led_to", "detail")}
        wanted = {"who": who, "act": act, "outcome": outcome}
        query.update({name: value for name, value in wanted.items() if value})
        span = {"$gte": since, "$lt": until}
        if since or until:
            query["at"] = {name: moment for name, moment in span.items() if moment is not None}
        order = order_of("entry", sort, [("_id", -1)])
        found = await self._entries.find(query, order=order, skip=skip, limit=limit)
        if query == NUMBERED:
            head = await self.head()
            return [_entry(document) for document in found], 0 if head is None else head.sequence
        total = await self._entries.count(query, limit=COUNTED_MAX)
        return [_entry(document) for document in found], total

    async def all(self) -> AsyncIterator[Entry]:
        """Yield every entry, the first one first."""
        last: Any = None
        while True:
            query = NUMBERED if last is None else {"_id": {"$gt": last}}
            leaf = await self._entries.find(query, order=[("_id", 1)], limit=LEAF)
            for document in leaf:
                yield _entry(document)
            if len(leaf) < LEAF:
                return
            last = leaf[-1]["_id"]

    async def _has_stranger(self) -> bool:
        """Tell whether the key of any entry is no number.

        Keys are in order by kind, and numbers lie together: such an entry is the first or the last.
        """
        for way in (1, -1):
            end = await self._entries.find({}, fields={"_id": 1}, order=[("_id", way)], limit=1)
            if any(not isinstance(each["_id"], int | float) for each in end):
                return True
        return False

    async def verify(self, noted: Mapping[int, str] | None = None) -> Verdict:
        """Go through the whole log; stop at the first entry that does not prove itself.

        `noted` are hashes by number that were written down elsewhere: with one of them it shows
        also when all of the log up to there, or its end, was made anew.
        """
        noted = noted or {}
        last: Entry | None = None
        waiting = await self._begun.count({})
        async for entry in self.all():
            reason = _reason(entry, last, noted)
            if reason is not None:
                count = _count(last)
                return Verdict(count, last, waiting, Broken(count + 1, reason))
            last = entry
        if await self._has_stranger():
            return Verdict(_count(last), last, waiting, Broken(0, "an entry has no number"))
        count = _count(last)
        cut = min((number for number in noted if number > count), default=None)
        if cut is not None:
            broken = Broken(count + 1, f"the log ends here, and entry {cut} was noted")
            return Verdict(count, last, waiting, broken)
        return Verdict(count, last, waiting)


def _count(last: Entry | None) -> int:
    return 0 if last is None else last.sequence


def _reason(entry: Entry, last: Entry | None, noted: Mapping[int, str]) -> str | None:
    """Return why an entry cannot stand behind the last one, or None."""
    number, previous = (1, FIRST) if last is None else (last.sequence + 1, last.hash)
    if entry.sequence != number:
        return f"entry {number} is missing; entry {entry.sequence} is the next"
    if entry.hash != entry.proof():
        return "what it says is not what its hash was made of"
    if entry.previous != previous:
        return "it does not continue the entry before it"
    if entry.sequence in noted and noted[entry.sequence] != entry.hash:
        return "its hash is another than the one that was noted"
    return None


def _document(entry: Entry) -> Document:
    return {"_id" if name == "sequence" else name: getattr(entry, name) for name in NAMES}


def _entry(document: Document) -> Entry:
    """Return an entry; one that somebody has spoilt keeps what it says, and proves nothing."""
    values: dict[str, Any] = {
        name: document.get("_id" if name == "sequence" else name) for name in NAMES
    }
    return Entry(**values)
