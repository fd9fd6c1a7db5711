"""What several savers hand in at once is written together.

While one transaction is under way, what comes in waits and goes into the next one: a hundred links
that each bring a few values a moment then cost one transaction, and not a hundred that wait for
the same disk and run into each other. A saver alone waits for nobody.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from station.errors import DatabaseDown
from station.tasks import spawn

Key = TypeVar("Key")
Value = TypeVar("Value")
Write = Callable[[Mapping[Key, Value]], Awaitable[Mapping[Key, int]]]


@dataclass(frozen=True, slots=True, eq=False)
class _Part(Generic[Key, Value]):
    """What a saver handed in, and where it waits for the number of values that were taken."""

    things: Mapping[Key, Value]
    taken: "asyncio.Future[int]"


class JointWriter(Generic[Key, Value]):
    """Writes things by their key; `write` returns how many values each key has got."""

    def __init__(self, write: Write[Key, Value], things_max: int) -> None:
        self._write = write
        self._things_max = things_max
        self._waiting: deque[_Part[Key, Value]] = deque()
        self._at_work = False

    async def save(self, things: Mapping[Key, Value]) -> int:
        """Write at most `things_max` things and return how many values were taken.

        Raises what `write` raises for these things.
        """
        part = _Part(things, asyncio.get_running_loop().create_future())
        self._waiting.append(part)
        if not self._at_work:
            self._at_work = True
            spawn(self._work(), name="writer of readings")
        return await part.taken

    async def _work(self) -> None:
        """Write until nothing waits; a saver that has gone is written all the same."""
        try:
            while self._waiting:
                await self._write_some(self._next())
        finally:
            self._at_work = False

    def _next(self) -> list[_Part[Key, Value]]:
        """Take the parts that go into one transaction: in their order, and no key twice."""
        parts: list[_Part[Key, Value]] = []
        keys: set[Key] = set()
        while self._waiting:
            things = self._waiting[0].things
            full = len(keys) + len(things) > self._things_max
            if parts and (full or not keys.isdisjoint(things)):
                break
            keys.update(things)
            parts.append(self._waiting.popleft())
        return parts

    async def _write_some(self, parts: list[_Part[Key, Value]]) -> None:
        together = {key: value for part in parts for key, value in part.things.items()}
        try:
            taken = await self._write(together)
        except DatabaseDown as error:
            _fail(parts, error)
        except Exception as error:  # noqa: BLE001  Handed to the saver whose fault it is.
            if len(parts) == 1:
                _fail(parts, error)
                return
            for part in parts:
                await self._write_some([part])
        except BaseException:
            for part in parts:
                part.taken.cancel()
            raise
        else:
            for part in parts:
                if not part.taken.done():
                    part.taken.set_result(sum(taken.get(key, 0) for key in part.things))


def _fail(parts: list[_Part[Key, Value]], error: Exception) -> None:
    for part in parts:
        if not part.taken.done():
            part.taken.set_exception(error)
