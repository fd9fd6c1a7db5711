"""Where a sale can break: at every call of the card reader and of the database, before or after it.

A `Process` stands for one run of the station: it counts its calls, and breaks one of them. What
breaks is a cut: the card is pulled, the reader unplugged, the card refuses, the database is down
(once, or from then on), or the process itself dies. Cut after a call, the call has had its effect
and the caller never hears of it. A dead process has no effect any more, whatever it still tries.
"""

import asyncio
import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, NoReturn
from unittest.mock import patch
from zoneinfo import ZoneInfo

from station.errors import CardFailed, DatabaseDown, NoReader, ReaderFailed
from station.prepaid.cards.apdu import Response
from station.prepaid.readers.base import CardChannel, CardReader, ReaderIdentity
from station.store.database import Database
from station.store.driver import Collection

MEMORY_FAILURE = 0x6581  # ISO 7816-4: the card could not write.
WRITE = 0xD6


class Fault(Enum):
    """What breaks."""

    PULLED = "the card is pulled"
    UNPLUGGED = "the reader is unplugged"
    REFUSED = "the card refuses"
    DOWN_ONCE = "the database is down for one call"
    DOWN = "the database is down from then on"
    DIED = "the process dies"


FAULTS = {
    "reader": (Fault.PULLED, Fault.UNPLUGGED, Fault.REFUSED, Fault.DIED),
    "database": (Fault.DOWN_ONCE, Fault.DOWN, Fault.DIED),
}


class ProcessDied(BaseException):
    """The process is gone; no code of its own can catch this."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call that left the process: to the "reader" or to the "database"."""

    place: str
    name: str


@dataclass(frozen=True, slots=True)
class Cut:
    """A fault at the call of this number, before or after it has its effect."""

    number: int
    is_after: bool
    fault: Fault


def cuts_of(calls: Sequence[Call]) -> Iterator[Cut]:
    """Give every cut of a run that made these calls."""
    for number, call in enumerate(calls):
        for fault in FAULTS[call.place]:
            if fault is not Fault.REFUSED:
                yield Cut(number, is_after=True, fault=fault)
            elif call.name == "connect":
                continue
            yield Cut(number, is_after=False, fault=fault)


def some_cuts_of(calls: Sequence[Call], chance: random.Random) -> list[Cut]:
    """Return a cut before and a cut after every call, each by one of the faults that may be."""
    chosen: dict[tuple[int, bool], list[Cut]] = {}
    for cut in cuts_of(calls):
        chosen.setdefault((cut.number, cut.is_after), []).append(cut)
    return [chance.choice(each) for each in chosen.values()]


class Process:
    """One run of the station: its calls so far, and the cut that waits for it."""

    def __init__(self, cut: Cut | None = None) -> None:
        self.calls: list[Call] = []
        self.cut = cut
        self.has_struck = False
        self.is_dead = False
        self._lock = threading.Lock()  # Readers call from threads of their own.

    def enter(self, place: str, name: str) -> Cut | None:
        """Count a call, and return the cut if this is the call that it waits for."""
        with self._lock:
            if self.is_dead:
                raise ProcessDied
            self.calls.append(Call(place, name))
            cut = self.cut
            if cut is None or self.has_struck or len(self.calls) <= cut.number:
                return None
            if cut.fault not in FAULTS[place]:
                return None  # It strikes at the next call of its place.
            self.has_struck = True
            return cut

    def arm(self, cut: Cut) -> None:
        """Break a call to come: its number counts from now, its place is where its fault can be."""
        self.has_struck = False
        self.cut = replace(cut, number=len(self.calls) + cut.number)

    def mend(self) -> None:
        """Have nothing broken any more, unless the process is dead."""
        self.cut, self.has_struck = None, False

    def breaks(self, fault: Fault) -> bool:
        """Whether this fault struck earlier, and lasts."""
        return self.has_struck and self.cut is not None and self.cut.fault is fault

    def die(self) -> NoReturn:
        """End here: no call has an effect any more."""
        self.is_dead = True
        raise ProcessDied


class CuttingReader:
    """A reader whose card may be pulled, and which may be unplugged, at any call."""

    def __init__(self, inner: CardReader, process: Process) -> None:
        self._inner = inner
        self._process = process

    @property
    def identity(self) -> ReaderIdentity:
        return self._inner.identity

    def connect(self) -> "CuttingChannel":
        if self._process.breaks(Fault.UNPLUGGED):
            raise NoReader("the reader was unplugged")
        cut = self._process.enter("reader", "connect")
        if cut is not None and not cut.is_after:
            strike(cut.fault, self._process)
        channel = self._inner.connect()
        if cut is not None:
            strike(cut.fault, self._process)
        return CuttingChannel(channel, self._process)

    def close(self) -> None:
        self._inner.close()


class CuttingChannel:
    """The conversation with the card; once cut it stays cut."""

    def __init__(self, inner: CardChannel, process: Process) -> None:
        self.atr = inner.atr
        self._inner = inner
        self._process = process
        self._is_cut = False

    def transmit(self, apdu: bytes) -> Response:
        if self._is_cut:
            raise CardFailed("the card was pulled")
        cut = self._process.enter("reader", apdu[:4].hex())
        if cut is not None and not cut.is_after:
            if cut.fault is Fault.REFUSED:
                return Response(b"", MEMORY_FAILURE)
            self._strike(cut)
        answer = self._inner.transmit(apdu)
        if cut is not None:
            self._strike(cut)
        return answer

    def disconnect(self) -> None:
        self._inner.disconnect()

    def _strike(self, cut: Cut) -> None:
        self._is_cut = True
        strike(cut.fault, self._process)


def strike(fault: Fault, process: Process) -> NoReturn:
    """Raise what a reader raises when this happens."""
    if fault is Fault.DIED:
        process.die()
    if fault is Fault.UNPLUGGED:
        raise ReaderFailed("the reader was unplugged")
    raise CardFailed("the card was pulled")


class CuttingCollection:
    """A collection of the database whose every call may fail, before or after its effect."""

    def __init__(self, inner: Collection, name: str, process: Process) -> None:
        self._inner = inner
        self._name = name
        self._process = process

    def __getattr__(self, verb: str) -> Any:
        method = getattr(self._inner, verb)

        async def call(*arguments: Any, **options: Any) -> Any:
            with self._cutting(verb):
                return await method(*arguments, **options)

        def call_in_thread(*arguments: Any, **options: Any) -> Any:
            with self._cutting(verb):
                return method(*arguments, **options)

        if asyncio.iscoroutinefunction(method):
            return call
        return call_in_thread if verb.endswith("_in") else method

    @contextmanager
    def _cutting(self, verb: str) -> Iterator[None]:
        """Count a call, and cut it before or after it has its effect."""
        if self._process.breaks(Fault.DOWN):
            raise DatabaseDown("the database does not answer")
        cut = self._process.enter("database", f"{self._name}.{verb}")
        if cut is not None and not cut.is_after:
            self._strike(cut)
        yield
        if cut is not None:
            self._strike(cut)

    def _strike(self, cut: Cut) -> NoReturn:
        if cut.fault is Fault.DIED:
            self._process.die()
        raise DatabaseDown("the database does not answer")


def cutting_database(client: Any, name: str, zone: ZoneInfo, process: Process) -> Database:
    """Return the stores as one process sees them; the database must have its indexes already."""

    def collection(client: Any, database: str, name: str, timeout_s: float) -> CuttingCollection:
        return CuttingCollection(Collection(client, database, name, timeout_s), name, process)

    with patch("station.store.database.Collection", collection):
        return Database(client, name, zone, timeout_s=5.0)
