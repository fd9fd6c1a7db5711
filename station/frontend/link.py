"""What the rest of Station knows of a link: a bus to ask meters on, one question at a time.

A half-duplex line carries one question; the others wait for their turn, by priority and then by
age. A question that is under way is never interrupted, and each ends: with its answer, with the end
of its time, or at once when the link goes down. An answer that comes later finds nobody.
"""

import asyncio
import heapq
import itertools
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Generic, Protocol, TypeVar

from station.errors import ExchangeError, LinkDown, StationError
from station.protocols.dlt645.frame import Frame
from station.protocols.dlt645.functions import data_id_of, identifier_size
from station.protocols.dlt645.requests import is_active_report

# A page asks for tens of items of a meter, and a task asks one at a time; more is a defect.
WAITING_MAX = 1000


class Priority(IntEnum):
    """Who goes first when several wait."""

    CONTROL = 0
    RECALL = 1
    TASK = 2
    GAP = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """A meter's answer; `at` is also the moment of the frame record that carried it."""

    frame: Frame
    at: datetime


class Bus(Protocol):
    """A line with meters on it."""

    @property
    def name(self) -> str:
        """Return the name of the link; buses of one name cannot carry two questions at once."""
        ...

    async def exchange(self, request: Frame, *, priority: Priority, timeout_s: float) -> Answer:
        """Ask a meter and return its answer, which may be an error reply.

        The time runs from the sending of the request. Raises LinkDown, MeterTimeout, BadAnswer,
        Refused (the terminal will not forward), or ExchangeError when too many wait already.
        """
        ...


FrameT = TypeVar("FrameT")
WireFrame = TypeVar("WireFrame", contravariant=True)


class Question(Protocol[WireFrame]):
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

    def belongs(self, frame: WireFrame) -> bool:
        """Tell whether a frame that came in is part of this exchange."""
        ...

    def answer_in(self, frame: WireFrame, at: datetime) -> Answer | None:
        """Return the answer in a frame that belongs here, or None if it is still to come.

        Raises an ExchangeError if the frame says that there will be none.
        """
        ...

    def silence(self) -> StationError:
        """Return what to raise when the time is over."""
        ...


# The database keeps milliseconds; the frames of a burst may run ahead of the clock by this much.
_TICK = timedelta(milliseconds=1)
_BURST = timedelta(seconds=1)

_Place = tuple[Priority, int, "asyncio.Future[None]"]


class Line(Generic[FrameT]):
    """The turn-taking of one link, from its coming up to its going down."""

    __slots__ = ("_age", "_busy", "_down", "_question", "_result", "_waiting", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._age = itertools.count()
        self._busy = False
        self._down: str | None = None
        self._waiting: list[_Place] = []
        self._question: Question[FrameT] | None = None
        self._result: asyncio.Future[Answer | StationError] | None = None

    async def ask(self, question: Question[FrameT], priority: Priority) -> Answer:
        """Wait for the turn, send the question and return its answer; raises as `Bus.exchange`."""
        await self._take_turn(priority)
        self._question = question
        result: asyncio.Future[Answer | StationError]
        self._result = result = asyncio.get_running_loop().create_future()
        try:
            question.send()
            await asyncio.wait((result,), timeout=question.timeout_s)
            outcome = result.result() if result.done() else question.silence()
            if isinstance(outcome, StationError):
                raise outcome
            return outcome
        finally:
            self._question = self._result = None
            self._pass_turn()

    def find_question(self, frame: FrameT) -> Question[FrameT] | None:
        """Return the open question if a frame that came in belongs to it."""
        question = self._question
        return question if question is not None and question.belongs(frame) else None

    def hear(self, frame: FrameT, at: datetime) -> None:
        """Take a frame that belongs to the open question."""
        result = self._result
        if self._question is None or result is None or result.done():
            return
        try:
            answer = self._question.answer_in(frame, at)
        except StationError as error:
            result.set_result(error)
        else:
            if answer is not None:
                result.set_result(answer)

    def go_down(self, reason: str) -> None:
        """Fail the open question and all that wait with LinkDown, and every later one."""
        self._down = reason
        if self._result is not None and not self._result.done():
            self._result.set_result(self._link_down())
        while self._waiting:
            _, _, turn = self._waiting.pop()
            if not turn.done():
                turn.set_result(None)

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


def asked_text(request: Frame) -> str:
    """Return what a request asks for, as messages name it: its data identifier or its function."""
    data_id = data_id_of(request)
    if data_id is None:
        return f"function {request.function:02X}H"
    return f"{data_id:0{2 * identifier_size(request)}X}"


def fault_text(request: Frame, frame: Frame) -> str:
    """Return in words why a frame that a meter sent is no answer to a request."""
    if frame.address != request.address:
        return f"meter {frame.address} answered"
    if is_active_report(request, frame):
        return "it sent its active report status instead"
    return f"it answered {asked_text(frame)}"


def next_moment(now: datetime, last: datetime | None) -> datetime:
    """Return `now`, but after `last`: the moment of an answer has to find its frame again."""
    if last is not None and last - _BURST <= now <= last:
        return last + _TICK
    return now
