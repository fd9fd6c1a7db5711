"""What the rest of Station knows of a link: buses to ask meters on, terminals to ask themselves."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Generic, Literal, Protocol, TypeVar

from station.errors import StationError
from station.protocols.dlt645 import frame as dlt645
from station.protocols.dlt698 import frame as dlt698
from station.protocols.qgdw1376 import frame as qgdw1376
from station.protocols.qgdw1376.units import DataUnit

log = logging.getLogger(__name__)

# What goes wrong on a link that is up: an answer nobody waits for any more, one that came twice, a
# question without an answer, bytes that are no sound frame, the answer of another device.
Fault = Literal["late", "duplicate", "timeouts", "bad", "wrong_address"]

MeterFrame = dlt645.Frame | dlt698.Frame
FrameT = TypeVar("FrameT")
FrameT_co = TypeVar("FrameT_co", covariant=True)


class Priority(IntEnum):
    """Who goes first when several wait."""

    CONTROL = 0
    RECALL = 1
    TASK_HIGH = 2
    TASK = 3
    TASK_LOW = 4
    GAP = 5


class Inquiry(Protocol[FrameT_co]):
    """A question to a meter, whatever way it takes; see `station.frontend.inquiries`."""

    @property
    def meter(self) -> str:
        """Return the address of the meter that is asked."""
        ...

    @property
    def asked(self) -> str:
        """Return what it is asked for, as messages name it."""
        ...

    @property
    def raw(self) -> bytes:
        """Return the bytes on the meter's line, the preamble included."""
        ...

    def answer_in(self, frame: MeterFrame) -> FrameT_co | None:
        """Return the frame if it is the answer."""
        ...

    def fault_of(self, frame: MeterFrame) -> StationError | None:
        """Return why a frame is no answer, or None for an echo of the question."""
        ...


@dataclass(frozen=True, slots=True)
class Answer(Generic[FrameT]):
    """A meter's answer; `at` is also the moment of the frame record that carried it.

    `waited_s` is the time from the sending of the question to the answer.
    """

    frame: FrameT
    at: datetime
    exchange: int
    waited_s: float


class Bus(Protocol):
    """A line with meters on it."""

    @property
    def name(self) -> str:
        """Return "LINK" or "LINK:PORT"; buses of one name cannot carry two questions at once."""
        ...

    async def exchange(
        self, inquiry: Inquiry[FrameT], *, priority: Priority, timeout_s: float
    ) -> Answer[FrameT]:
        """Ask a meter and return its answer, which may be an error reply.

        The time runs from the sending of the question. Raises LinkDown, MeterTimeout, BadAnswer
        (WrongAddress, BadChecksum), Refused (the terminal will not forward), or ExchangeError when
        too many wait already.
        """
        ...


@dataclass(frozen=True, slots=True)
class TerminalAnswer:
    """All frames of a terminal's answer; `at` is the moment of the first one's frame record.

    `waited_s` is the time from the sending of the question to that first frame.
    """

    frames: tuple[qgdw1376.Frame, ...]
    at: datetime
    exchange: int
    waited_s: float = 0.0


class TerminalPort(Protocol):
    """A terminal that is asked itself: of Q/GDW 1376.1 by `ask`, of DL/T 698.45 by `exchange`."""

    @property
    def name(self) -> str:
        """Return the terminal's address."""
        ...

    @property
    def protocol(self) -> str:
        """Return the terminal's protocol."""
        ...

    async def ask(
        self,
        afn: int,
        units: Sequence[DataUnit],
        *,
        priority: Priority,
        timeout_s: float,
        password: bytes | None = None,
        not_after: datetime | None = None,
    ) -> TerminalAnswer:
        """Ask a terminal of Q/GDW 1376.1 and return its whole answer.

        A confirmation alone (AFN00) answers what is written. The time runs anew with each frame of
        the answer. `not_after` is when it may not be sent any more. Raises Refused when the
        terminal denies, MeterTimeout, BadAnswer, LinkDown, TooLate, and InvalidValue where the
        terminal does not speak this protocol.
        """
        ...

    async def exchange(
        self, inquiry: Inquiry[FrameT], *, priority: Priority, timeout_s: float
    ) -> Answer[FrameT]:
        """Ask a terminal of DL/T 698.45; see `Bus.exchange`.

        Raises InvalidValue where the terminal does not speak this protocol.
        """
        ...


@dataclass(frozen=True, slots=True)
class Report:
    """A frame that nobody asked for; the link has confirmed it if that was asked for.

    `link` is a terminal's address or a channel's name, `protocol` that of the frame: "qgdw1376",
    "dlt698" or "dlt645". `at` is the moment of its frame record.
    """

    link: str
    protocol: str
    frame: qgdw1376.Frame | dlt698.Frame | dlt645.Frame
    at: datetime
    exchange: int | None = None


def hand_on(on_report: Callable[[Report], None] | None, report: Report) -> None:
    """Give a report to whom it may concern; what goes wrong there does not touch the link."""
    if on_report is None:
        return
    try:
        on_report(report)
    except Exception:  # The border between links and what others make of their frames.
        log.exception("a report of %s was not taken", report.link)


# The database keeps milliseconds; the frames of a burst may run ahead of the clock by this much.
_TICK = timedelta(milliseconds=1)
_BURST = timedelta(seconds=1)


def next_moment(now: datetime, last: datetime | None) -> datetime:
    """Return `now`, but after `last`: the moment of an answer has to find its frame again."""
    if last is None or now > last or now < last - _BURST:
        return now
    return last + _TICK
