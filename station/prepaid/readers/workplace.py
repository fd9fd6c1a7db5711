"""A clerk's desk: its readers are tried in turn, and the first with the right card is used.

The order is: the reader that is remembered, then the others as they were found. A reader that is
away, empty, broken, or holds another card leads to the next one. As soon as a card has been written
to, or refuses, no other is tried. When no reader has the right card, the error is the one that
tells the clerk most: wrong card before broken reader before no card before no reader.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from station import tasks
from station.errors import (
    CardError,
    CardFailed,
    DatabaseDown,
    NoCard,
    NoReader,
    NotFound,
    ReaderFailed,
    WrongCard,
)
from station.prepaid.cards.apdu import Response
from station.prepaid.cards.dialog import (
    CardContents,
    CardFiles,
    Decide,
    Dialogue,
    Written,
    read_card,
    run_dialogue,
    write_card,
)
from station.prepaid.cards.security import CardSecurity
from station.prepaid.readers.base import (
    READERS_MAX,
    CardReader,
    ReaderIdentity,
    ReaderSource,
    ReaderState,
    SensingReader,
)
from station.prepaid.readers.worker import GivenUp, Worker

log = logging.getLogger(__name__)

BOX = "box"  # The workplace of the readers at the box itself.

CARD_TIMEOUT_S = 30.0  # A card of 258-byte files at 9600 baud takes some 6 s.
SENSE_TIMEOUT_S = 5.0  # Opening a serial line and one answer.
FIND_TIMEOUT_S = 5.0  # pcscd answers at once, unless it hangs.
STOP_TIMEOUT_S = 10.0  # A write that is under way when Station stops.
REMEMBER_AGAIN_S = 60.0  # The time of a reader's last use is kept to the minute.

UPDATE_BINARY = 0xD6  # INS
USER_CARDS = ("in_use", "blank")
TELLING = (WrongCard, CardFailed, ReaderFailed, NoCard, NoReader)  # The most telling first.

OnStep = Callable[[str], None]
Recall = Callable[[], Awaitable[ReaderIdentity | None]]  # Asked only when there is a choice.
BeforeWriting = Callable[[CardContents], Coroutine[Any, Any, None]]
Result = TypeVar("Result")


@dataclass(frozen=True)
class CardRead:
    """What was on the card, and which reader it was in."""

    reader: ReaderIdentity
    contents: CardContents


@dataclass(frozen=True)
class CardWritten:
    """What became of the card, and which reader wrote it."""

    reader: ReaderIdentity
    written: Written


class Remembering(Protocol):
    """Remembers which readers were used at a workplace."""

    async def last_used(self, workplace: str) -> ReaderIdentity | None:
        """Return the reader that was used last."""

    async def remember(self, workplace: str, reader: ReaderIdentity, at: datetime) -> None:
        """Keep that this reader was used."""


class Workplace:
    """The readers of one desk."""

    def __init__(
        self, name: str, security: CardSecurity | None, memory: Remembering | None = None
    ) -> None:
        """Without keys the readers are shown, and cards neither read nor written."""
        self.name = name
        self.troubles: list[str] = []  # What kept sources from telling their readers, last time.
        self._keys = security
        self._memory = memory
        self._sources: dict[ReaderSource, Worker] = {}
        self._last: ReaderIdentity | None = None  # That wrote, since the start.
        self._remember_again = 0.0
        self._workers: dict[CardReader, Worker] = {}

    def add(self, source: ReaderSource) -> None:
        """Have the readers of a further source."""
        self._sources[source] = Worker(f"the list of readers of {self.name}")

    async def remove(self, source: ReaderSource) -> None:
        """Give the readers of a source up."""
        worker = self._sources.pop(source)
        await worker.stop(source.close, STOP_TIMEOUT_S)

    async def stop(self) -> None:
        """Wait, within a bound, for what is under way, and end the threads."""
        for reader, worker in self._workers.items():
            await worker.stop(reader.close, STOP_TIMEOUT_S)
        self._workers.clear()
        for source in [*self._sources]:
            await self.remove(source)

    async def readers(self) -> list[ReaderState]:
        """Return the readers that are there, and whether a card is in them."""
        return [*await asyncio.gather(*(self._sense(reader) for reader in await self._find()))]

    async def read(
        self, on_step: OnStep | None = None, *, remembered: ReaderIdentity | None = None
    ) -> CardRead:
        """Read the first user card; a card of another kind only when there is no user card.

        Raises NoReader, NoCard, CardFailed or ReaderFailed.
        """
        other: CardRead | None = None
        problems: list[CardError] = []
        for reader in await self._in_turn(remembered):
            talk = _Talk(reader, read_card(self._security), self._tell(on_step))
            try:
                contents = await self._worker(reader).run(talk.hold, CARD_TIMEOUT_S)
            except CardError as problem:
                problems.append(problem)
                continue
            found = CardRead(reader.identity, contents)
            if contents.state in USER_CARDS:
                return found
            other = other or found
        if other is None:
            raise _most_telling(problems)
        return other

    async def write(
        self,
        decide: Decide,
        on_step: OnStep | None = None,
        *,
        remembered: ReaderIdentity | Recall | None = None,
        before_writing: BeforeWriting | None = None,
    ) -> CardWritten:
        """Write the first card that `decide` takes; it raises WrongCard for any other.

        `before_writing` is awaited once it is decided what to write, and is over before the first
        byte is written; meanwhile card and reader prove themselves to each other.

        Raises NoReader, NoCard, WrongCard, ReaderFailed or CardFailed; when that one may have
        written, only the card can tell what it carries. What `before_writing` raises goes on.
        """
        problems: list[CardError] = []
        for reader in await self._in_turn(remembered):
            leave = _Leave(decide, before_writing)
            dialogue = write_card(leave.decide, self._security)
            talk = _Talk(reader, dialogue, self._tell(on_step), leave)
            try:
                written = await self._worker(reader).run(talk.hold, CARD_TIMEOUT_S)
            except CardError as problem:
                if talk.has_written:
                    raise _unclear(problem) from problem
                problems.append(problem)
                continue
            if talk.has_written:
                self._note_use(reader.identity)
            return CardWritten(reader.identity, written)
        raise _most_telling(problems)

    @property
    def _security(self) -> CardSecurity:
        if self._keys is None:
            raise CardFailed("there are no card keys: set prepaid.keys", code="no_keys")
        return self._keys

    async def _in_turn(self, remembered: ReaderIdentity | Recall | None) -> list[CardReader]:
        found = await self._find()
        if not found:
            raise NoReader(
                "; ".join(self.troubles)
                or f"no card reader is attached to {self.name}: connect one"
            )
        if len(found) == 1:
            return found
        if callable(remembered):
            remembered = await remembered()
        last = remembered or await self._last_used()
        return sorted(found, key=lambda reader: not reader.identity.is_same(last))

    async def _find(self) -> list[CardReader]:
        """Return the readers that are there; the threads of those that are gone end."""
        found: list[CardReader] = []
        troubles: list[str] = []
        for source, worker in [*self._sources.items()]:
            try:
                found += await worker.run(partial(_find_in, source), FIND_TIMEOUT_S)
            except CardError as problem:
                troubles.append(str(problem))
        self.troubles = troubles
        gone = [each for each in self._workers if each not in found]
        for reader in gone if not troubles else ():  # A source in trouble has not lost its readers.
            tasks.spawn(
                self._workers.pop(reader).stop(reader.close, STOP_TIMEOUT_S),
                name=f"end of reader {reader.identity.name}",
            )
        return found[:READERS_MAX]

    def _worker(self, reader: CardReader) -> Worker:
        return self._workers.setdefault(reader, Worker(reader.identity.name))

    async def _sense(self, reader: CardReader) -> ReaderState:
        worker = self._worker(reader)
        if worker.is_busy:
            return ReaderState(reader.identity, "ready", "it is at work right now")
        if not isinstance(reader, SensingReader):
            return ReaderState(reader.identity, "ready")
        try:
            condition = await worker.run(lambda _: reader.sense(), SENSE_TIMEOUT_S)
        except CardError as problem:
            return ReaderState(reader.identity, "failed", str(problem))
        return ReaderState(reader.identity, condition)

    def _tell(self, on_step: OnStep | None) -> OnStep:
        """Return what the worker thread calls with each step; it is told on the loop, when a
        conversation first comes to it."""
        loop = asyncio.get_running_loop()
        told: set[str] = set()

        def tell(name: str) -> None:
            if on_step is not None and name not in told:
                told.add(name)
                loop.call_soon_threadsafe(on_step, name)

        return tell

    async def _last_used(self) -> ReaderIdentity | None:
        if self._last is not None or self._memory is None:
            return self._last
        try:
            return await self._memory.last_used(self.name)
        except DatabaseDown:  # It only decides which reader is tried first.
            return None

    def _note_use(self, reader: ReaderIdentity) -> None:
        """Have it remembered which reader wrote; nobody waits for that."""
        now = time.monotonic()
        if reader == self._last and now < self._remember_again:
            return
        self._last, self._remember_again = reader, now + REMEMBER_AGAIN_S
        tasks.spawn(self._remember(reader), name=f"memory of {self.name}")

    async def _remember(self, reader: ReaderIdentity) -> None:
        if self._memory is None:
            return
        try:
            await self._memory.remember(self.name, reader, datetime.now(timezone.utc))
        except DatabaseDown as error:  # The card is written all the same.
            log.warning("%s: the reader is not remembered: %s", self.name, error)


class Workplaces:
    """Every desk of this station: the box itself, and those that lend their readers to it."""

    def __init__(self, security: CardSecurity | None, memory: Remembering | None = None) -> None:
        self._security = security
        self._memory = memory
        self._places: dict[str, Workplace] = {BOX: Workplace(BOX, security, memory)}

    def get(self, name: str) -> Workplace:
        """Return a workplace. Raises NotFound."""
        try:
            return self._places[name]
        except KeyError:
            raise NotFound(f"there is no workplace {name}") from None

    def names(self) -> list[str]:
        """Return the names of all workplaces; the box comes first."""
        return [*self._places]

    def add(self, source: ReaderSource, workplace: str = BOX) -> Workplace:
        """Add readers to a workplace, which is made if need be."""
        place = self._places.setdefault(
            workplace, Workplace(workplace, self._security, self._memory)
        )
        place.add(source)
        return place

    async def remove(self, name: str) -> None:
        """Take a workplace away, with its readers. Raises NotFound."""
        place = self.get(name)
        del self._places[name]
        await place.stop()

    async def stop(self) -> None:
        """Wait, within a bound, for what is under way everywhere, and end the threads."""
        await asyncio.gather(*(place.stop() for place in self._places.values()))


class _Leave:
    """What has to happen on the loop before the card is written; asked for in the reader's thread.

    It begins as soon as it is decided what to write.
    """

    def __init__(self, decide: Decide, before_writing: BeforeWriting | None) -> None:
        self._decide = decide
        self._before_writing = before_writing
        self._loop = asyncio.get_running_loop()
        self._begun: Future[None] | None = None

    def decide(self, contents: CardContents) -> CardFiles | None:
        """Return what the card is to hold, or None; begin what comes before the writing."""
        files = self._decide(contents)
        if files is not None and self._before_writing is not None:
            coroutine = self._before_writing(contents)
            self._begun = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        return files

    def wait(self) -> None:
        """Return when the card may be written. Raises what forbids it."""
        if self._begun is not None:
            self._begun.result()

    def settle(self) -> None:
        """Leave nothing under way: whoever hears that the card failed knows what was done."""
        if self._begun is not None:
            self._begun.exception()


class _Talk(Generic[Result]):
    """One conversation with the card of one reader, held in its worker thread."""

    def __init__(
        self,
        reader: CardReader,
        dialogue: Dialogue[Result],
        on_step: OnStep,
        leave: _Leave | None = None,
    ) -> None:
        self._reader = reader
        self._dialogue = dialogue
        self._on_step = on_step
        self._leave = leave
        self.has_written = False  # A write was sent, or was about to be.

    def hold(self, given_up: GivenUp) -> Result:
        """Connect, talk to the end, and let go of the card at once."""
        channel = self._reader.connect()

        def transmit(command: bytes) -> Response:
            if command[1] == UPDATE_BINARY and not self.has_written:
                if self._leave is not None:
                    self._leave.wait()
                self.has_written = True  # Before the look below: whoever gave up sees it.
            if given_up.is_set():
                raise ReaderFailed(f"{self._reader.identity.name} took too long")
            return channel.transmit(command)

        try:
            return run_dialogue(self._dialogue, transmit, self._on_step)
        finally:
            channel.disconnect()
            if self._leave is not None:
                self._leave.settle()


def _find_in(source: ReaderSource, _: GivenUp) -> Sequence[CardReader]:
    return source.find()


def _unclear(problem: CardError) -> CardFailed:
    """Return the problem as one after which a card may carry what it was to carry, or not."""
    return CardFailed(str(problem), may_have_written=True, code=problem.code)


def _most_telling(problems: Sequence[CardError]) -> CardError:
    """Return the problem that tells the clerk most."""
    empty = [problem for problem in problems if isinstance(problem, NoCard)]
    found = min(problems, key=lambda problem: TELLING.index(type(problem)))
    if len(empty) > 1 and found is empty[0]:
        return NoCard(f"no card lies in any of the {len(empty)} readers: put it in")
    return found
