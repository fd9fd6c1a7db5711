"""The meters of one bus that a run still has to read, and whose turn it is.

A meter that gave less than was asked comes again in a later round, when its own pause is over; the
others are read meanwhile. A bus that has nothing else to do does not wait the whole pause.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from station.collector.plan import Want
from station.store.objects.meters import Meter
from station.store.objects.terminals import Terminal

# Of a pause that an idle bus waits: 0.1 s, then 0.4. Before, it was silent for a time-out anyway.
IDLE_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class MeterWork:
    """The points to read from one meter; `terminal` is the one of its link, if it is one."""

    meter: Meter
    wants: tuple[Want, ...]
    terminal: Terminal | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """One meter in one round, counted from 1."""

    work: MeterWork
    round_number: int


@dataclass(slots=True)
class _Later:
    turn: Turn
    failed_at: float  # Of the loop's clock.
    pause_s: float


class BusQueue:
    """Hands out turns until nothing is left; several workers may ask at once."""

    def __init__(self, work: Iterable[MeterWork], pauses_s: Sequence[float]) -> None:
        """`pauses_s` has one pause before each round; the first one is not waited."""
        self._first = deque(Turn(one, 1) for one in work)
        self._later: list[_Later] = []
        self._pauses_s = pauses_s
        self._in_hand: list[Turn] = []
        self._changed = asyncio.Event()

    async def next(self) -> Turn | None:
        """Return the next turn, or None when nothing is left."""
        while True:
            now = asyncio.get_running_loop().time()
            turn = self._due(now)
            if turn is not None:
                self._in_hand.append(turn)
                return turn
            if not self._later and not self._in_hand:
                return None
            await self._change(self._idle_end() - now if self._later else None)

    def ended(self, turn: Turn, left: tuple[Want, ...]) -> bool:
        """Take back a turn and the points worth another round; return whether there will be one."""
        self._in_hand.remove(turn)
        self._changed.set()
        number = turn.round_number
        if not left or number >= len(self._pauses_s):
            return False
        again = Turn(MeterWork(turn.work.meter, left, turn.work.terminal), number + 1)
        now = asyncio.get_running_loop().time()
        self._later.append(_Later(again, now, self._pauses_s[number]))
        return True

    def left(self) -> list[MeterWork]:
        """Return what has not been read yet."""
        turns = [*self._first, *(later.turn for later in self._later), *self._in_hand]
        return [turn.work for turn in turns]

    def rest(self) -> list[Turn]:
        """Return what was never handed out, and hand it out no more."""
        rest = [*self._first, *(later.turn for later in self._later)]
        self._first.clear()
        self._later.clear()
        self._changed.set()
        return rest

    def _due(self, now: float) -> Turn | None:
        """Return a meter whose pause is over, or one of the first round, or none."""
        share = 1.0 if self._first else IDLE_SHARE
        ripe = [each for each in self._later if each.failed_at + share * each.pause_s <= now]
        if ripe:
            oldest = min(ripe, key=lambda each: each.failed_at)
            self._later.remove(oldest)
            return oldest.turn
        return self._first.popleft() if self._first else None

    def _idle_end(self) -> float:
        return min(each.failed_at + IDLE_SHARE * each.pause_s for each in self._later)

    async def _change(self, timeout_s: float | None) -> None:
        """Wait until a turn has ended, or for a time."""
        self._changed.clear()
        timer = None
        if timeout_s is not None:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(max(timeout_s, 0), self._changed.set)
        try:
            await self._changed.wait()
        finally:
            if timer is not None:
                timer.cancel()
