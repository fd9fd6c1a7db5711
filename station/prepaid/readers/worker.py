"""One reader's worker thread: what is asked of a reader is done there, one thing after another.

A job that outlasts its time is given up: whoever waits gets `ReaderFailed`, the job's `GivenUp` is
set, which forbids it a further word to the card, and the next job waits until it has returned. So
a vendor's library that hangs costs its own reader and no other.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from station.errors import ReaderFailed, StationError

log = logging.getLogger(__name__)

Result = TypeVar("Result")
GivenUp = threading.Event


@dataclass
class _Job(Generic[Result]):
    work: Callable[[GivenUp], Result]
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Result]"
    given_up: GivenUp = field(default_factory=GivenUp)
    began: bool = False


class Worker:
    """The thread of one reader; it begins with the first job and ends with `stop`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._waiting = 0

    @property
    def is_busy(self) -> bool:
        """Whether a job is under way or waits."""
        return self._waiting > 0

    async def run(self, work: Callable[[GivenUp], Result], timeout_s: float) -> Result:
        """Have the thread do this, after what was asked before, and return what it returned.

        Raises what it raised, and ReaderFailed when it was not over in time.
        """
        loop = asyncio.get_running_loop()
        job = _Job(work, loop, loop.create_future())
        job.future.add_done_callback(_retrieve)
        self._start()
        self._waiting += 1
        self._jobs.put(job)
        try:
            return await asyncio.wait_for(asyncio.shield(job.future), timeout_s)
        except asyncio.TimeoutError:
            said = "gave no answer" if job.began else "was in use"
            raise ReaderFailed(f"{self._name} {said} for {timeout_s:.0f} s") from None
        finally:
            job.given_up.set()

    async def stop(self, last: Callable[[], None], timeout_s: float) -> None:
        """Wait, within a bound, for what is under way, do a last thing, and end the thread."""
        if self._thread is None:
            return
        try:
            await self.run(lambda _: last(), timeout_s)
        except ReaderFailed as error:
            log.warning("stopping: %s", error)
        self._jobs.put(None)
        self._thread = None

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            result: Any = None
            error: BaseException | None = None
            if not job.given_up.is_set():
                job.began = True
                try:
                    result = job.work(job.given_up)
                except StationError as refusal:
                    error = refusal
                except BaseException as defect:  # noqa: BLE001  The border of a device's thread.
                    error = defect  # Whoever waits raises it, and it is logged there.
            try:
                job.loop.call_soon_threadsafe(self._finish, job, result, error)
            except RuntimeError:  # The loop is closed: Station has stopped.
                return

    def _finish(self, job: _Job[Any], result: object, error: BaseException | None) -> None:
        self._waiting -= 1
        if job.future.cancelled():
            return
        if error is not None:
            job.future.set_exception(error)
        else:
            job.future.set_result(result)


def _retrieve(future: "asyncio.Future[Any]") -> None:
    """Take note of an error that nobody waits for any more."""
    if not future.cancelled():
        future.exception()
