"""Turn-taking on a half-duplex line: it carries one question at a time.

The others wait for their turn, by priority and then by age. A question that is under way is never
interrupted, and each ends: with its answer, with the end of its time, or at once when the link goes
down. An answer that comes later finds nobody.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(slots=True)
class _Asking:
    """A question, from its waiting for the line to its end."""

    question: Question[Any, Any]
    result: "asyncio.Future[Any]"


_Place = tuple[Priority, int, _Asking]


class Line(Generic[WireFrame]):
    """The turn-taking of one line, from its coming up to its going down.

    The next question is sent in the moment in which the last one ends, so that the line is not idle
    while the answer is worked on. `on_timeout` is told of each question that was answered by
    nothing at all.
    """

    __slots__ = (
        "_age",
        "_answered",
        "_asking",
        "_down",
        "_on_timeout",
        "_parts",
        "_timer",
        "_waiting",
        "name",
    )

    def __init__(self, name: str, on_timeout: Callable[[], None] | None = None) -> None:
        self.name = name
        self._on_timeout = on_timeout
        self._age = itertools.count()
        self._asking: _Asking | None = None  # The one that is open.
        self._timer: asyncio.TimerHandle | None = None
        self._down: str | None = None
        self._waiting: list[_Place] = []
        self._parts = 0  # Of the answer to the open question; the time runs anew from each.
        self._answered: WireFrame | None = None  # The last frame that ended a question.

    @property
    def question(self) -> Question[WireFrame, Any] | None:
        """The question that is open."""
        return None if self._asking is None else self._asking.question

    async def ask(self, question: Question[WireFrame, ResultT], priority: Priority) -> ResultT:
        """Wait for the turn, send the question and return its answer; raises as `Bus.exchange`."""
        if self._down is not None:
            raise self._link_down()
        result: asyncio.Future[ResultT | StationError]
        result = asyncio.get_running_loop().create_future()
        asking = _Asking(question, result)
        if self._asking is None:
            self._open(asking)
        elif len(self._waiting) >= WAITING_MAX:
            raise ExchangeError(f"{self.name}: {WAITING_MAX} questions wait already")
        else:
            heapq.heappush(self._waiting, (priority, next(self._age), asking))
        try:
            outcome = await result
        except asyncio.CancelledError:
            self._give_up(asking)
            raise
        if isinstance(outcome, StationError):
            raise outcome
        return outcome

    def find_question(self, frame: WireFrame) -> Question[WireFrame, Any] | None:
        """Return the open question if a frame that came in belongs to it."""
        question = self.question
        return question if question is not None and question.belongs(frame) else None

    def hear(self, frame: WireFrame, at: datetime) -> None:
        """Take a frame that belongs to the open question."""
        if self._asking is None:
            return
        self._answered = frame
        try:
            answer = self._asking.question.answer_in(frame, at)
        except StationError as error:
            self._end(error)
        else:
            if answer is not None:
                self._end(answer)
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
        waiting, self._waiting = self._waiting, []
        for _, _, asking in waiting:
            if not asking.result.done():
                asking.result.set_result(self._link_down())
        if self._asking is not None:
            self._end(self._link_down())

    def _open(self, asking: _Asking) -> None:
        """Send a question; what cannot be sent ends at once, and the line is still free."""
        self._asking, self._parts = asking, 0
        try:
            asking.question.send()
        except StationError as error:
            self._asking = None
            asking.result.set_result(error)
        except Exception as error:  # noqa: BLE001 A defect is told to the one who asked.
            self._asking = None
            asking.result.set_exception(error)
        else:
            self._start_timer(0)

    def _start_timer(self, known: int) -> None:
        """Let the time run; it runs anew when parts of the answer have come meanwhile."""
        assert self._asking is not None, "no question is open"
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._asking.question.timeout_s, self._time_over, known)

    def _time_over(self, known: int) -> None:
        assert self._asking is not None, "a timer outlived its question"
        if self._parts != known and known <= PARTS_MAX:
            self._start_timer(self._parts)
            return
        self._end(self._asking.question.silence())

    def _end(self, outcome: object) -> None:
        """Give the open question its outcome, and the line to the next one."""
        if isinstance(outcome, MeterTimeout) and self._on_timeout is not None:
            self._on_timeout()
        asking = self._close()
        if asking is not None and not asking.result.done():
            asking.result.set_result(outcome)
        self._open_next()

    def _close(self) -> _Asking | None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        asking, self._asking = self._asking, None
        return asking

    def _open_next(self) -> None:
        while self._asking is None and self._waiting:
            _, _, asking = heapq.heappop(self._waiting)
            if not asking.result.done():  # Else its asker was cancelled.
                self._open(asking)

    def _give_up(self, asking: _Asking) -> None:
        """Its asker was cancelled: it is left out, or the line is free if it was open."""
        if self._asking is asking:
            self._close()
            self._open_next()
        else:
            self._waiting = [place for place in self._waiting if place[2] is not asking]
            heapq.heapify(self._waiting)

    def _link_down(self) -> LinkDown:
        return LinkDown(f"{self.name}: {self._down}")
