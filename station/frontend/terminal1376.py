"""A terminal of Q/GDW 1376.1, asked itself: requests of any AFN and all frames of their answers."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from station.errors import (
    BadAnswer,
    InvalidValue,
    MeterTimeout,
    Refused,
    StationError,
    TooLate,
)
from station.frontend.link import Answer, Priority, TerminalAnswer
from station.frontend.terminal import WHOLE, TerminalLines, TerminalLink
from station.protocols.qgdw1376 import requests
from station.protocols.qgdw1376.confirmation import is_denial, item_errors
from station.protocols.qgdw1376.frame import (
    CONFIRMATION,
    CONTROL,
    RESET,
    SEQUENCE_MASK,
    SET_PARAMETERS,
    Address,
    Frame,
)
from station.protocols.qgdw1376.units import DataUnit
from station.units import utc_now

CONFIRMED = frozenset((RESET, SET_PARAMETERS, CONTROL))  # AFN00 is the whole answer to these.
FRAMES_MAX = 256  # Of one answer: a day of curves of all meters behind a concentrator.
UNITS_TOLD_MAX = 4  # Data units that a message names.


class Sequenced:
    """A question that a sequence number ties to its answer; None before it is sent."""

    sequence: int | None = None


class Terminal1376(TerminalLines[Frame]):
    """One terminal, for as long as the connection is its own; a `TerminalPort`."""

    protocol = "qgdw1376"

    def __init__(self, link: TerminalLink, address: str, is_parallel: Callable[[], bool]) -> None:
        super().__init__(link, address, is_parallel)
        self.address = Address.from_text(address)

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
        """Ask the terminal; see `station.frontend.link.TerminalPort`."""
        question = _TerminalQuestion(self, afn, units, timeout_s, password, not_after)
        return await self.line(WHOLE).ask(question, priority)

    async def exchange(self, *_asked: object, **_how: object) -> Answer[Any]:
        """Refuse: a terminal of this protocol is asked for data units. Raises InvalidValue."""
        raise InvalidValue("protocol", f"terminal {self.name} speaks {self.protocol}")

    def next_sequence(self) -> int:
        """Return the sequence number of the next request, that of no open question."""
        questions: list[object] = [line.question for line in self.lines.values()]
        taken = {each.sequence for each in questions if isinstance(each, Sequenced)}
        sequence = self.link.next_sequence()
        while sequence & SEQUENCE_MASK in taken:  # At most LINES_MAX of 16 are.
            sequence = self.link.next_sequence()
        return sequence


class _TerminalQuestion(Sequenced):
    """One request to a terminal and the frames of its answer."""

    def __init__(
        self,
        terminal: Terminal1376,
        afn: int,
        units: Sequence[DataUnit],
        timeout_s: float,
        password: bytes | None,
        not_after: datetime | None,
    ) -> None:
        self._terminal = terminal
        self._afn = afn
        self._units = units
        self._password = requests.NO_PASSWORD if password is None else password
        self._not_after = not_after
        self._answer: requests.Answer | None = None
        self._at: datetime | None = None
        self._sent_at = self._waited_s = 0.0
        self.timeout_s = timeout_s
        self.exchange = terminal.link.new_exchange()

    def send(self) -> None:
        terminal = self._terminal
        if self._not_after is not None and utc_now() >= self._not_after:
            raise TooLate(f"terminal {terminal.name}: its time was over before it could be sent")
        request = requests.ask(
            self._afn,
            terminal.address,
            self._units,
            sequence=terminal.next_sequence(),
            master=terminal.link.master,
            password=self._password,
        )
        self._answer = requests.Answer(request)
        self.sequence = request.sequence
        self._sent_at = time.monotonic()
        terminal.link.send(request.to_bytes(), exchange=self.exchange)

    def belongs(self, frame: Frame) -> bool:
        answer = self._answer
        if answer is None:
            return False
        if frame.afn == CONFIRMATION:
            return not answer.frames and requests.is_answer(answer.request, frame)
        return requests.is_further_answer(answer.request, frame, len(answer.frames))

    def answer_in(self, frame: Frame, at: datetime) -> TerminalAnswer | None:
        answer = self._answer
        if answer is None:
            return None
        if is_denial(frame):
            raise Refused(f"{self._failure()}: {_denial_text(frame)}")
        if frame.afn == CONFIRMATION and self._afn not in CONFIRMED:
            return None  # "I will"; the data comes in frames of its own.
        answer.add(frame)
        if self._at is None:
            self._at, self._waited_s = at, time.monotonic() - self._sent_at
        if answer.complete:
            return TerminalAnswer(tuple(answer.frames), self._at, self.exchange, self._waited_s)
        if len(answer.frames) >= FRAMES_MAX:
            raise BadAnswer(f"{self._failure()}: {FRAMES_MAX} frames, and no end")
        return None

    def silence(self) -> StationError:
        if self._answer is not None and self._answer.frames:
            count = len(self._answer.frames)
            return BadAnswer(f"{self._failure()}: it broke off after {count} frames")
        return MeterTimeout(f"{self._failure()} in {self.timeout_s:.1f} s")

    def _failure(self) -> str:
        names = [f"p{unit.pn} F{unit.fn}" for unit in self._units[:UNITS_TOLD_MAX]]
        if len(self._units) > UNITS_TOLD_MAX:
            names.append("…")
        asked = " ".join((f"AFN{self._afn:02X}", ", ".join(names))).rstrip()
        return f"terminal {self._terminal.name}: no answer to {asked}"


def _denial_text(frame: Frame) -> str:
    errors = [error for error in item_errors(frame) if error]
    return f"it refused with error {max(errors)}" if errors else "it denied"
