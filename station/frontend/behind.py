"""Things that are written to the store later, in the background, so that nobody waits for it.

While the database is away they are held up to a limit; beyond it the oldest are dropped, counted
and told in the log. What was handed to the database and not acknowledged is written again, so
writing a thing twice must change nothing.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from station import tasks
from station.errors import DatabaseDown

log = logging.getLogger(__name__)

WRITE_PERIOD_S = 0.5
WRITE_BATCH_MAX = 1000
WRITE_TIMEOUT_S = 30.0

Thing = TypeVar("Thing")


class WriteBehind(Generic[Thing]):
    """A queue in front of one store; `name` is what a person calls the things, in the log."""

    def __init__(
        self,
        name: str,
        save: Callable[[Sequence[Thing]], Awaitable[None]],
        waiting_max: int,
        period_s: float = WRITE_PERIOD_S,
    ) -> None:
        self._name = name
        self._save = save
        self._waiting_max = waiting_max
        self._period_s = period_s
        self._waiting: deque[Thing] = deque()
        self._dropped = 0  # Since the database went away.
        self._database_down = False
        self._writing = asyncio.Lock()
        self._writer: asyncio.Task[None] | None = None
        self.dropped_total = 0

    def start(self) -> None:
        """Begin to write."""
        work = tasks.periodically(self._period_s, self.flush, name=self._name)
        self._writer = tasks.spawn(work, name=self._name)

    async def stop(self, timeout_s: float) -> None:
        """Write what waits, if the database takes it in time, and end the writing."""
        await tasks.cancel(self._writer)
        try:
            await asyncio.wait_for(self.flush(), timeout_s)
        except asyncio.TimeoutError:
            log.warning("%s: %d were not written", self._name, len(self._waiting))

    def put(self, thing: Thing) -> None:
        """Have a thing written."""
        self._waiting.append(thing)
        while len(self._waiting) > self._waiting_max:
            self._waiting.popleft()
            self._dropped += 1
            self.dropped_total += 1

    async def flush(self) -> None:
        """Write what waits; what the database does not take now is tried again later."""
        try:
            async with self._writing:
                while self._waiting:
                    await asyncio.wait_for(self._write_batch(), WRITE_TIMEOUT_S)
        except (DatabaseDown, asyncio.TimeoutError) as error:
            if not self._database_down:
                log.warning("%s wait for the database: %s", self._name, error or "no answer")
            self._database_down = True
            return
        if self._database_down:
            log.info("%s are written again; %d were dropped meanwhile", self._name, self._dropped)
        self._database_down = False
        self._dropped = 0

    async def _write_batch(self) -> None:
        size = min(len(self._waiting), WRITE_BATCH_MAX)
        batch = [self._waiting.popleft() for _ in range(size)]
        try:
            await self._save(batch)
        except BaseException:
            self._waiting.extendleft(reversed(batch))
            raise
