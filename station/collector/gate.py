"""Lets the questions of runs start a few at a time, so that a full loop stays quick for others.

When more buses answer than the processor can keep up with, whoever else uses the loop (a page, a
heartbeat, a read that a person waits for) would wait behind all of them at each of its steps. Here
only some questions start in each turn of the loop, in the order in which they came.
"""

import asyncio
from collections import deque

STARTS_PER_TURN = 8  # Some milliseconds of work, with their answers.


class Gate:
    """Holds back those who want to go on, and lets some of them pass in each turn of the loop."""

    def __init__(self, per_turn: int = STARTS_PER_TURN) -> None:
        self._per_turn = per_turn
        self._free = per_turn
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Return when it is one's turn."""
        loop = asyncio.get_running_loop()
        if self._free:
            if self._free == self._per_turn:
                loop.call_soon(self._renew)
            self._free -= 1
            return
        passes: asyncio.Future[None] = loop.create_future()
        self._waiting.append(passes)
        await passes

    def _renew(self) -> None:
        """A turn of the loop has passed."""
        self._free = self._per_turn
        while self._free and self._waiting:
            passes = self._waiting.popleft()
            if not passes.done():  # Else it was cancelled.
                passes.set_result(None)
                self._free -= 1
        if self._free < self._per_turn:
            asyncio.get_running_loop().call_soon(self._renew)
