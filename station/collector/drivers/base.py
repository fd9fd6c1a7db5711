"""What a run knows of the drivers, and what a driver knows of the run.

A driver reads one meter in one round: points go in, outcomes come out, exchange by exchange. It
tries the ways of a point one after the other; a way that the device refuses, or in which it has no
record, leads to the next one.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol
from weakref import WeakValueDictionary
from zoneinfo import ZoneInfo

from station.collector.outcome import Cause, Missed, Outcome
from station.collector.plan import Want, Way
from station.protocols.line import LineSettings
from station.store.objects.meters import Meter
from station.store.objects.readings import Quality
from station.units import local_day, utc_now

LIVE_WITHIN = timedelta(minutes=5)  # A value read later than this after its moment is a late one.
CLOCK_TOLERANCE = timedelta(minutes=15)  # A record further ahead is that of a wrong clock.
ANSWER_TIMEOUT_S = 5.0  # A 200-byte answer takes 1 s at 2400 bit/s; a terminal adds its own time.
BITS_PER_BYTE = 11  # Start, eight of data, parity, stop.
ATTEMPTS_MAX = 2  # A broken answer is asked for once more; silence waits for the next round.

# They say that a device lacks the data. A meter that is silent is left for the round; where no
# answer is an outcome, a terminal did not give what it stores of a meter.
_OTHER_WAY_HELPS = (Cause.REFUSED, Cause.NO_RECORD, Cause.CLOCK_WRONG, Cause.NO_ANSWER)

Work = tuple[Meter, Sequence[Want]]  # The points to read of one meter.
ReadWay = Callable[[Sequence[Want]], AsyncIterator[list[Outcome]]]


class Driver(Protocol):
    """Reads one meter in one round."""

    def read(self, wants: Sequence[Want]) -> AsyncIterator[list[Outcome]]:
        """Yield what came of the points, exchange by exchange.

        Raises an ExchangeError or LinkDown; the points not yielded are then still open.
        """
        ...


class StoredDriver(Protocol):
    """Reads what a terminal stored of its meters, many of them in one question."""

    def read(self, works: Sequence[Work]) -> AsyncIterator[list[tuple[Meter, Outcome]]]:
        """Yield what came of points, question by question.

        A point that the terminal does not give is missed; another way may have it. Raises LinkDown.
        """
        ...


class Memory(Protocol):
    """What is remembered of meters from one round to the next."""

    def refuses(self, meter: str, block: str) -> bool:
        """Tell whether a meter, or a terminal for it, has refused a block of data."""
        ...

    def note_refusal(self, meter: str, block: str) -> None:
        """Remember that a block was refused, until it is forgotten."""
        ...

    def answer_timeout_s(self, meter: str) -> float:
        """Return how long to wait for an answer of a meter."""
        ...

    def note_wait(self, meter: str, waited_s: float) -> None:
        """Remember how long an answer took."""
        ...


class NoMemory:
    """Remembers nothing: every block is asked for."""

    def refuses(self, _meter: str, _block: str) -> bool:
        """Return False."""
        return False

    def note_refusal(self, _meter: str, _block: str) -> None:
        """Do nothing."""

    def answer_timeout_s(self, _meter: str) -> float:
        """Return the time that suits most lines."""
        return ANSWER_TIMEOUT_S

    def note_wait(self, _meter: str, _waited_s: float) -> None:
        """Do nothing."""


class AskedAgain(NoMemory):
    """What is remembered, for a person who asks: whatever was refused before is asked again."""

    def __init__(self, memory: Memory | None) -> None:
        self._memory = memory or NoMemory()

    def answer_timeout_s(self, meter: str) -> float:
        """Return how long to wait for an answer of a meter."""
        return self._memory.answer_timeout_s(meter)

    def note_wait(self, meter: str, waited_s: float) -> None:
        """Remember how long an answer took."""
        self._memory.note_wait(meter, waited_s)


class Refusals:
    """The blocks that one meter refuses today.

    Tomorrow each is asked for once more: a meter that had nothing to give yet is no meter that
    never has it.
    """

    def __init__(self, memory: Memory, meter: str, zone: ZoneInfo) -> None:
        self._memory = memory
        self._meter = meter
        self._day = f"{local_day(utc_now(), zone):%m-%d}"
        self._noted: set[str] = set()

    def __contains__(self, block: str) -> bool:
        return block in self._noted or self._memory.refuses(self._meter, f"{block} {self._day}")

    def note(self, block: str) -> None:
        """Remember that the meter refuses a block."""
        self._noted.add(block)
        self._memory.note_refusal(self._meter, f"{block} {self._day}")


# A new question makes a meter forget the rest of a long answer, so that one is heard out first.
_under_way: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()


def conversation(bus: str, address: str) -> asyncio.Lock:
    """Return the lock under which one meter is asked and heard out."""
    return _under_way.setdefault((bus, address), asyncio.Lock())


def transfer_s(line: str, size: int) -> float:
    """Return how long so many bytes take on a meter's line, such as "2400 8E1"."""
    return size * BITS_PER_BYTE / LineSettings.parse(line).speed


def quality_of_live(want: Want, read_at: datetime) -> Quality:
    """Return the quality of what a meter showed at a moment after the one that was wanted."""
    return "live" if read_at - want.moment <= LIVE_WITHIN else "late"


def is_ahead(moment: datetime, read_at: datetime) -> bool:
    """Tell whether a record's time lies behind its reading, so that the device's clock is wrong."""
    return moment - read_at > CLOCK_TOLERANCE


async def read_by_ways(
    ways: Mapping[Way, ReadWay], wants: Sequence[Want]
) -> AsyncIterator[list[Outcome]]:
    """Read points by their ways, best first; the ways are gone through in the order given.

    A way that the driver does not have is passed over.
    """
    left = [(want, _next_rank(want, -1, ways)) for want in wants]
    if lost := [want for want, rank in left if rank is None]:
        yield [_no_way(want) for want in lost]
    while left:
        again: list[tuple[Want, int | None]] = []
        for way, read in ways.items():
            ranks = {
                want: rank for want, rank in left if rank is not None and want.ways[rank] is way
            }
            if not ranks:
                continue
            async for outcomes in read(list(ranks)):
                final = []
                for one in outcomes:
                    rank = _next_rank(one.want, ranks[one.want], ways) if _may_pass(one) else None
                    if rank is None:
                        final.append(one)
                    else:
                        again.append((one.want, rank))
                if final:
                    yield final
        left = again


def _next_rank(want: Want, rank: int, ways: Mapping[Way, ReadWay]) -> int | None:
    for later in range(rank + 1, len(want.ways)):
        if want.ways[later] in ways:
            return later
    return None


def _may_pass(outcome: Outcome) -> bool:
    """Tell whether another way may give what this one did not."""
    return isinstance(outcome, Missed) and outcome.cause in _OTHER_WAY_HELPS


def _no_way(want: Want) -> Missed:
    return Missed(want, Cause.REFUSED, f"no way is left to have {want.item.code}")
