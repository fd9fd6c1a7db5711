"""A question to a meter that a terminal carries for the station, whatever the terminal's protocol.

Silence of the meter is told by the terminal, or by nobody; both are the meter's silence. What the
terminal brings back may hold preambles, noise and an echo around the answer.
"""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Generic

from station.errors import MeterTimeout, StationError
from station.frontend.inquiries import Joining, Piece, answer_among
from station.frontend.link import Answer, FrameT, Inquiry, Priority
from station.frontend.terminal import TerminalLines
from station.frontend.turns import Question


class CarriedQuestion(Generic[FrameT]):
    """The half of such a question that knows the meter; subclasses know the terminal's frames."""

    def __init__(
        self,
        terminal: TerminalLines[Any],
        inquiry: Joining[FrameT],
        timeout_s: float,
        exchange: int,
    ) -> None:
        self._terminal = terminal
        self._inquiry = inquiry
        self._sent_at = 0.0
        self.timeout_s = timeout_s
        self.exchange = exchange

    def silence(self) -> MeterTimeout:
        """Return what to raise when the time is over."""
        return self._silent(self.timeout_s)

    def _send(self, raw: bytes) -> None:
        """Send the terminal's frame with the question in it."""
        self._sent_at = time.monotonic()
        self._terminal.link.send(raw, meter=self._inquiry.meter, exchange=self.exchange)

    def _waited_s(self) -> float:
        return time.monotonic() - self._sent_at

    def _answer_among(self, inner: bytes, at: datetime) -> Answer[FrameT | Piece]:
        """Return the answer in what came from the meter's line. Raises as `Bus.exchange`."""
        waited_s = self._waited_s()
        answer: FrameT | Piece | StationError | None
        answer = answer_among(
            self._inquiry,
            inner,
            lambda report: self._terminal.link.report("dlt645", report, at, self.exchange),
        )
        if answer is None:
            raise self._silent(waited_s)
        if isinstance(answer, StationError):
            raise self._terminal.told(answer, self._failure())
        return Answer(answer, at, self.exchange, waited_s)

    def _silent(self, waited_s: float) -> MeterTimeout:
        meter, asked, terminal = self._inquiry.meter, self._inquiry.asked, self._terminal.name
        return MeterTimeout(
            f"meter {meter}: no answer to {asked} in {waited_s:.1f} s through terminal {terminal}"
        )

    def _failure(self) -> str:
        meter, asked = self._inquiry.meter, self._inquiry.asked
        return f"meter {meter}: no answer to {asked} through terminal {self._terminal.name}"


async def ask_through(
    terminal: TerminalLines[Any],
    port: int,
    inquiry: Inquiry[FrameT],
    question: Callable[[Joining[FrameT], int], Question[Any, Answer[FrameT | Piece]]],
    priority: Priority,
) -> Answer[FrameT]:
    """Ask a meter behind a port until its answer is whole; `question` makes each of the questions.

    It is given what is asked and the number of the exchange.
    """
    joining = Joining(inquiry)
    exchange = terminal.link.new_exchange()
    while True:
        answer = await terminal.line(port).ask(question(joining, exchange), priority)
        whole = joining.take(answer.frame)
        if whole is not None:
            return Answer(whole, answer.at, exchange, answer.waited_s)
