"""Turn-taking on a half-duplex line: it carries one question at a time.

The others wait for their turn, by priority and then by age. A question that is under way is never
interrupted, and each ends: with its answer, with the end of its time, or at once when the link goes
down. An answer that comes later finds nobody.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from station.errors import ExchangeError, LinkDown, MeterTimeout, StationError
from station.frontend.link import Priority

# A page asks for tens of items of a meter, and a task asks one at a time; more is a defect.
WAITING_MAX = 1000

PARTS_MAX = 256  # Of one answer; a device that never ends one does not hold the line for ever.

WireFrame = TypeVar("WireFrame")
WireFrame_contra = TypeVar("WireFrame_contra", contravariant=True)
ResultT = TypeVar("ResultT")
ResultT_co = TypeVar("ResultT_co", covariant=True)


class Question(Protocol[WireFrame_contra, ResultT_co]):
    """A question as a line carries it: what to send, and what its answer looks like."""

    @property
    def exchange(self) -> int:
        """Return the number that ties the frames of this exchange together in the trace."""
        ...

    @property
    def timeout_s(self) -> float:
        """Return how long to wait for the answer."""
        ...

    def send(self) -> None:
        """Put the request on the wire."""
        ...

    def belongs(self, frame: WireFrame_contra) -> bool:
        """Tell whether a frame that came in is part of this exchange."""
        ...

    def answer_in(self, frame: WireFrame_contra, at: datetime) -> ResultT_co | None:
        """Return the answer in a frame that belongs here, or None if it is still to come.

        Raises an ExchangeError if the frame says that there will be none.
        """
        ...

    def silence(self) -> StationError:
        """Return what to raise when the time is over."""
        ...


_Place = tuple[Priority, int, "asyncio.Future[None]"]


class Line(Generic[WireFrame]):
    """The turn-taking of one line, from its coming up to its going down.

    `on_timeout` is told of each question that was answered by nothing at all.
    """

    __slots__ = (
        "_age",
        "_answered",
        "_busy",
        "_down",
        "_on_timeout",
        "_parts",
        "_result",
        "_waiting",
        "name",
        "question",
    )

    def __init__(self, name: str, on_timeout: Callable[[], None] | None = None) -> None:
        self.name = name
        self.question: Question[WireFrame, Any] | None = None  # The one that is open.
        self._on_timeout = on_timeout
        self._age = itertools.count()
        self._busy = False
        self._down: str | None = None
        self._waiting: list[_Place] = []
        self._result: asyncio.Future[Any] | None = None
        self._parts = 0  # Of the answer to the open question.
        self._answered: WireFrame | None = None  # The last frame that ended a question.

    async def ask(self, question: Question[WireFrame, ResultT], priority: Priority) -> ResultT:
        """Wait for the turn, send the question and return its answer; raises as `Bus.exchange`."""
        await self._take_turn(priority)
        self.question = question
        result: asyncio.Future[ResultT | StationError]
        self._result = result = asyncio.get_running_loop().create_future()
        try:
            question.send()
            await self._wait(result, question.timeout_s)
            outcome = result.result() if result.done() else question.silence()
            if isinstance(outcome, StationError):
                if isinstance(outcome, MeterTimeout) and self._on_timeout is not None:
                    self._on_timeout()
                raise outcome
            return outcome
        finally:
            self.question = self._result = None
            self._pass_turn()

    def find_question(self, frame: WireFrame) -> Question[WireFrame, Any] | None:
        """Return the open question if a frame that came in belongs to it."""
        question, result = self.question, self._result
        if question is None or result is None or result.done():
            return None
        return question if question.belongs(frame) else None

    def hear(self, frame: WireFrame, at: datetime) -> None:
        """Take a frame that belongs to the open question."""
        result = self._result
        if self.question is None or result is None or result.done():
            return
        self._answered = frame
        try:
            answer = self.question.answer_in(frame, at)
        except StationError as error:
            result.set_result(error)
        else:
            if answer is not None:
                result.set_result(answer)
            else:
                self.hear_part()

    def hear_part(self) -> None:
        """A part of the answer has come: wait for the rest as long as for the whole."""
        self._parts += 1

    def is_repeated(self, frame: WireFrame) -> bool:
        """Tell whether a frame has answered already and comes once more."""
        return self._answered is not None and frame == self._answered

    def go_down(self, reason: str) -> None:
        """Fail the open question and all that wait with LinkDown, and every later one."""
        self._down = reason
        if self._result is not None and not self._result.done():
            self._result.set_result(self._link_down())
        while self._waiting:
            _, _, turn = self._waiting.pop()
            if not turn.done():
                turn.set_result(None)

    async def _wait(self, result: "asyncio.Future[Any]", timeout_s: float) -> None:
        """Wait for the result, and anew as long as parts of it have come meanwhile."""
        self._parts = known = 0
        while True:
            await asyncio.wait((result,), timeout=timeout_s)
            if result.done() or self._parts == known or known > PARTS_MAX:
                return
            known = self._parts

    async def _take_turn(self, priority: Priority) -> None:
        if self._down is not None:
            raise self._link_down()
        if not self._busy:
            self._busy = True
            return
        if len(self._waiting) >= WAITING_MAX:
            raise ExchangeError(f"{self.name}: {WAITING_MAX} questions wait already")
        turn = asyncio.get_running_loop().create_future()
        place = (priority, next(self._age), turn)
        heapq.heappush(self._waiting, place)
        try:
            await turn
        except asyncio.CancelledError:
            if place in self._waiting:
                self._waiting.remove(place)
                heapq.heapify(self._waiting)
            else:  # The turn came in the same moment.
                self._pass_turn()
            raise
        if self._down is not None:
            raise self._link_down()

    def _pass_turn(self) -> None:
        while self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._busy = False

    def _link_down(self) -> LinkDown:
        return LinkDown(f"{self.name}: {self._down}")
