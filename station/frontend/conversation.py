"""What is said on a connection: nothing known yet, a terminal's frames, or a modem's raw line.

A connection begins as an `Opening`. As soon as its first bytes tell the protocol, it goes on with a
`TerminalTalk`, which has that protocol's own parser, or a `ModemTalk`. The connection does what
they have in common: the transport, the clocks, the registry and the trace.
"""

from datetime import datetime
from typing import Any, Protocol

from station.frontend.dialects import Dialect
from station.frontend.link import Bus, MeterFrame, TerminalPort
from station.frontend.session import Session
from station.frontend.terminal import TerminalLink
from station.protocols.noise import Noise
from station.protocols.qgdw1376 import frame as qgdw1376
from station.store.objects.meters import Meter


class Connection(TerminalLink, Protocol):
    """The connection as a conversation sees it."""

    @property
    def name(self) -> str:
        """Return the terminal's address, or the other end while nobody knows it."""
        ...

    @property
    def session(self) -> Session:
        """Return the state of the connection."""
        ...

    @property
    def is_open(self) -> bool:
        """Tell whether it has not ended yet."""
        ...

    def dialect_of(self, frame: object) -> Dialect[Any] | None:
        """Return the protocol of a terminal's frame; None for a meter's."""
        ...

    def is_parallel(self, address: str) -> bool:
        """Tell whether a terminal takes one question per port at a time."""
        ...

    @property
    def conversation(self) -> "Conversation":
        """Return what takes the bytes."""
        ...

    def converse(self, conversation: "Conversation") -> None:
        """Go on with another conversation."""
        ...

    def attach(self, protocol: str, at: datetime) -> bool:
        """Make it the link of the session's terminal; close it, and False, for a blocked one."""
        ...

    def moment(self) -> datetime:
        """Return the moment of what has just come."""
        ...

    def heard(self, at: datetime, size: int) -> None:
        """A frame has come."""
        ...

    def beat(self, raw: bytes, reply: bytes) -> None:
        """A heartbeat has come: keep it, and send and keep its confirmation."""
        ...

    def record(
        self, raw: bytes, at: datetime, meter: str | None, exchange: int | None, note: str
    ) -> None:
        """Keep in the trace what has come."""
        ...

    def hear_noise(self, noise: Noise) -> None:
        """Take bytes that are no frame."""
        ...

    def report(
        self,
        protocol: str,
        frame: MeterFrame | qgdw1376.Frame,
        at: datetime,
        exchange: int | None = None,
    ) -> None:
        """Hand on a frame that nobody asked for."""
        ...

    def close(self, reason: str) -> None:
        """End the link now, and the connection when what was sent has left."""
        ...


class Conversation(Protocol):
    """What a connection does with the bytes that come, and which ways lead out of it."""

    def receive(self, data: bytes) -> None:
        """Bytes have come."""
        ...

    def give_up(self) -> None:
        """What came of an unfinished frame is all: nothing more belongs to it."""
        ...

    def bus(self, meter: Meter, /) -> Bus:
        """Return the bus of a meter. Raises InvalidValue."""
        ...

    def terminal(self) -> TerminalPort:
        """Return the terminal itself. Raises InvalidValue."""
        ...

    def go_down(self, reason: str) -> None:
        """Fail every question."""
        ...
