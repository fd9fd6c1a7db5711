"""A terminal of DL/T 698.45 as a bus: itself, and the lines with meters behind its ports.

Meters are asked by PROXY-Request TransCommand (digest, section 11): their bytes go out of a port
and what comes back is brought in. A terminal that may carry a question on each port at once has a
line of turn-taking for each; the service numbers of its own requests then tell the answers apart.
"""

import itertools
import time
from collections.abc import Callable
from datetime import datetime
from typing import Generic

from station.errors import BadAnswer, InvalidValue, MeterTimeout, Refused
from station.frontend.inquiries import Joining, Piece
from station.frontend.link import Answer, FrameT, Inquiry, Priority, TerminalAnswer
from station.frontend.terminal import (
    BYTE_TIMEOUT_MS,
    TOLD_SHARE,
    WHOLE,
    TerminalLines,
    TerminalLink,
)
from station.frontend.through import CarriedQuestion, ask_through
from station.protocols.dlt698 import requests
from station.protocols.dlt698.apdu import decode_apdu
from station.protocols.dlt698.dar import RETRY, Dar
from station.protocols.dlt698.envelope import NUMBER_MASK
from station.protocols.dlt698.frame import NO_CLIENT, PREAMBLE, Frame, ServerAddress
from station.protocols.dlt698.identifiers import Comdcb, Oad
from station.protocols.dlt698.proxy import ProxyRequestTransCommand, ProxyResponseTransCommand
from station.protocols.faults import FrameError
from station.protocols.line import LineSettings

CARRIER_PORT = 31  # The number that 1376.1 gives to the carrier; others are RS-485 1, 2, ...
PORT_MAX = 0x1F  # The index of an element has five bits.

_RS485, _CARRIER = 0xF201, 0xF209


class Terminal698(TerminalLines[Frame]):
    """One terminal, for as long as the connection is its own; a `TerminalPort` and a `Bus`."""

    protocol = "dlt698.45"

    def __init__(self, link: TerminalLink, address: str, is_parallel: Callable[[], bool]) -> None:
        super().__init__(link, address, is_parallel)
        self.server = ServerAddress(address)
        self._numbers = itertools.count()

    async def ask(self, *_asked: object, **_how: object) -> TerminalAnswer:
        """Refuse: a terminal of this protocol has objects. Raises InvalidValue."""
        raise InvalidValue("protocol", f"terminal {self.name} speaks {self.protocol}")

    async def exchange(
        self, inquiry: Inquiry[FrameT], *, priority: Priority, timeout_s: float
    ) -> Answer[FrameT]:
        """Ask the terminal itself; see `station.frontend.link.Bus`."""
        return await self.line(WHOLE).ask(_DirectQuestion(self, inquiry, timeout_s), priority)

    def next_number(self) -> int:
        """Return the service number of the next request of this room."""
        return next(self._numbers) & NUMBER_MASK


class ProxyBus:
    """A line with meters on it, at one port of a terminal."""

    def __init__(self, terminal: Terminal698, port: int, line: str) -> None:
        """Raises InvalidValue if a terminal cannot be told of this port or line."""
        self._terminal = terminal
        self._port = port
        if not 0 < port <= PORT_MAX:
            raise InvalidValue("port", f"a terminal's port is 1..{PORT_MAX}, got {port}")
        try:
            self._settings = Comdcb.of(LineSettings.parse(line))
        except ValueError as error:
            raise InvalidValue("line", str(error)) from error

    @property
    def name(self) -> str:
        """Return the terminal's address, with the port where ports do not share one request."""
        return self._terminal.bus_name(self._port)

    async def exchange(
        self, inquiry: Inquiry[FrameT], *, priority: Priority, timeout_s: float
    ) -> Answer[FrameT]:
        """Ask a meter; see `station.frontend.link.Bus`."""

        def question(joining: Joining[FrameT], exchange: int) -> _ProxyQuestion[FrameT]:
            port = port_object(self._port)
            return _ProxyQuestion(
                self._terminal, port, self._settings, joining, timeout_s, exchange
            )

        return await ask_through(self._terminal, self._port, inquiry, question, priority)


def port_object(port: int) -> Oad:
    """Return the object that stands for a port of the archive: F2010201 is RS-485 1."""
    if port == CARRIER_PORT:
        return Oad.of(_CARRIER, index=1)
    return Oad.of(_RS485, index=port)


class _DirectQuestion(Generic[FrameT]):
    """A question to the terminal itself."""

    def __init__(self, terminal: Terminal698, inquiry: Inquiry[FrameT], timeout_s: float) -> None:
        self._terminal = terminal
        self._inquiry = inquiry
        self._sent_at: float | None = None
        self.timeout_s = timeout_s
        self.exchange = terminal.link.new_exchange()

    def send(self) -> None:
        self._sent_at = time.monotonic()
        raw = self._inquiry.raw.lstrip(bytes((PREAMBLE,)))  # A network needs no waking.
        self._terminal.link.send(raw, meter=self._inquiry.meter, exchange=self.exchange)

    def belongs(self, frame: Frame) -> bool:
        return self._sent_at is not None and self._inquiry.answer_in(frame) is not None

    def answer_in(self, frame: Frame, at: datetime) -> Answer[FrameT] | None:
        answer = self._inquiry.answer_in(frame)
        if answer is None or self._sent_at is None:
            return None
        return Answer(answer, at, self.exchange, time.monotonic() - self._sent_at)

    def silence(self) -> MeterTimeout:
        return MeterTimeout(
            f"terminal {self._terminal.name}: no answer to {self._inquiry.asked}"
            f" in {self.timeout_s:.1f} s"
        )


class _ProxyQuestion(CarriedQuestion[FrameT]):
    """One request to a meter through the terminal and what comes of it."""

    def __init__(
        self,
        terminal: Terminal698,
        port: Oad,
        settings: Comdcb,
        inquiry: Joining[FrameT],
        timeout_s: float,
        exchange: int,
    ) -> None:
        super().__init__(terminal, inquiry, timeout_s, exchange)
        self._terminal: Terminal698 = terminal
        self._port = port
        self._settings = settings
        self._outer: Frame | None = None

    def send(self) -> None:
        terminal = self._terminal
        command = ProxyRequestTransCommand(
            piid=terminal.next_number(),
            port=self._port,
            settings=self._settings,
            timeout_s=max(int(self.timeout_s * TOLD_SHARE), 1),
            byte_timeout_ms=BYTE_TIMEOUT_MS,
            command=self._inquiry.raw,
        )
        self._outer = requests.request(terminal.server, NO_CLIENT, command)
        self._send(self._outer.to_bytes())

    def belongs(self, frame: Frame) -> bool:
        if self._outer is None or not requests.is_answer(self._outer, frame):
            return False
        return frame.apdu[:1] != _PROXY_ANSWER or frame.apdu[:2] == ProxyResponseTransCommand.TAG

    def answer_in(self, frame: Frame, at: datetime) -> Answer[FrameT | Piece]:
        try:
            apdu = decode_apdu(frame.apdu)
        except FrameError as error:
            raise BadAnswer(f"{self._failure()}: {error}") from None
        if not isinstance(apdu, ProxyResponseTransCommand):
            raise Refused(f"{self._failure()}: it answered with an ERROR-Response")
        if isinstance(apdu.reply, Dar):
            if apdu.reply.code in RETRY:
                raise self._silent(self._waited_s())
            raise Refused(f"{self._failure()}: {apdu.reply.words.en}")
        return self._answer_among(apdu.reply, at)


_PROXY_ANSWER = ProxyResponseTransCommand.TAG[:1]
