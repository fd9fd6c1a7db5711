"""What the session needs to know of a terminal's protocol: what a frame is, and how to confirm it.

Pure, but for the clock: a terminal of DL/T 698.45 may set its own by the confirmation it gets.
"""

from datetime import datetime, timezone, tzinfo
from typing import Literal, Protocol, TypeVar

from station.frontend.heartbeats import HeartbeatAnswers, own_part
from station.frontend.session import Heard
from station.protocols.dlt698 import frame as dlt698
from station.protocols.dlt698 import link as link698
from station.protocols.dlt698 import parser as parser698
from station.protocols.dlt698.identifiers import SINGLE
from station.protocols.noise import Noise
from station.protocols.qgdw1376 import frame as qgdw1376
from station.protocols.qgdw1376 import link as link1376
from station.protocols.qgdw1376 import parser as parser1376

NO_TERMINAL = (0x0000, 0xFFFF)  # A2 of nobody and of everybody (1376.1 digest, section 3).
_NO_DEVICE = (frozenset("A"), frozenset("F"), frozenset("0"))  # Digits of no DL/T 698.45 address.

_LINK = {"LOGIN": Heard.LOGIN, "HEARTBEAT": Heard.HEARTBEAT, "LOGOUT": Heard.LOGOUT}

EventT_co = TypeVar("EventT_co", covariant=True)
FrameT = TypeVar("FrameT")


class FrameParser(Protocol[EventT_co]):
    """What the parsers of terminals' protocols have in common."""

    def receive_data(self, data: bytes | memoryview) -> None:
        """Take the next bytes of the link."""
        ...

    def next_event(self) -> EventT_co | Noise | None:
        """Return the next frame, bytes that are none, or None for "need more"."""
        ...

    def give_up(self) -> None:
        """Say that the rest of what is held back does not come."""
        ...

    @property
    def waiting(self) -> int:
        """Return how many bytes are held back."""
        ...


class Dialect(Protocol[FrameT]):
    """One protocol of terminals."""

    @property
    def protocol(self) -> str:
        """Return the protocol as links show it."""
        ...

    def parser(self) -> FrameParser[FrameT]:
        """Return a parser for one connection."""
        ...

    def heard(self, frame: FrameT) -> Heard:
        """Return what a frame is if it is of the connection's own terminal."""
        ...

    def address(self, frame: FrameT) -> str:
        """Return the terminal's address as the archive has it."""
        ...

    def confirmation(self, frame: FrameT) -> FrameT | None:
        """Return what a terminal waits for, or None where nothing can be said."""
        ...

    def own_part(self, frame: FrameT) -> bytes:
        """Return what makes a terminal's heartbeats known to `quick_answer`, b"" for nothing."""
        ...

    def quick_answer(self, raw: bytes, own: bytes) -> bytes | None:
        """Return the confirmation if these bytes are a heartbeat of that terminal, or None."""
        ...


class Dialect1376:
    """Q/GDW 1376.1."""

    protocol = "qgdw1376"

    def __init__(self, confirmation: Literal["F1", "F3"] = "F3") -> None:
        self._item_by_item = confirmation == "F3"
        self.quick_answer = HeartbeatAnswers(self._item_by_item).answer

    def parser(self) -> FrameParser[qgdw1376.Frame]:
        """Return a parser for one connection."""
        return parser1376.Parser()

    def heard(self, frame: qgdw1376.Frame) -> Heard:
        """Return what a frame is."""
        if not frame.from_terminal or frame.address.terminal in NO_TERMINAL:
            return Heard.STRAY
        function = link1376.link_function(frame)
        if function is not None:
            return _LINK[function.name]
        confirm = frame.wants_confirmation
        if frame.from_initiator:
            return Heard.REPORT_TO_CONFIRM if confirm else Heard.REPORT
        if confirm and frame.afn != qgdw1376.CONFIRMATION:
            return Heard.ANSWER_TO_CONFIRM
        return Heard.ANSWER

    def address(self, frame: qgdw1376.Frame) -> str:
        """Return A1 and A2, 8 hex digits."""
        return frame.address.text

    def confirmation(self, frame: qgdw1376.Frame) -> qgdw1376.Frame:
        """Return the AFN00 that the terminal waits for."""
        return link1376.confirm(frame, self._item_by_item)

    def own_part(self, frame: qgdw1376.Frame) -> bytes:
        """Return what makes the terminal's heartbeats known to `quick_answer`."""
        return own_part(frame)


class Dialect698:
    """DL/T 698.45; `zone` is that of the terminals' clocks, None to say nothing of the time."""

    protocol = "dlt698.45"

    def __init__(self, zone: tzinfo | None = None) -> None:
        self._zone = zone

    def parser(self) -> FrameParser[dlt698.Frame]:
        """Return a parser for one connection."""
        return parser698.Parser()

    def heard(self, frame: dlt698.Frame) -> Heard:
        """Return what a frame is; pieces of a split one are joined before."""
        server = frame.server
        if not frame.from_terminal or server.kind != SINGLE:
            return Heard.STRAY
        if frozenset(server.digits) in _NO_DEVICE:
            return Heard.STRAY
        function = link698.link_function(frame)
        if function is not None:
            return _LINK[function.name]
        if link698.wants_confirmation(frame):
            return Heard.REPORT_TO_CONFIRM
        return Heard.REPORT if frame.from_initiator else Heard.ANSWER

    def address(self, frame: dlt698.Frame) -> str:
        """Return the digits of the server's address."""
        return frame.server.text

    def confirmation(self, frame: dlt698.Frame) -> dlt698.Frame | None:
        """Return the LINK- or REPORT-Response; None for a report that cannot be decoded."""
        now = None
        if self._zone is not None:
            now = datetime.now(timezone.utc).astimezone(self._zone).replace(tzinfo=None)
        try:
            return link698.confirm(frame, now, now)
        except ValueError:
            return None

    def own_part(self, _frame: dlt698.Frame) -> bytes:
        """Return nothing: each heartbeat tells the time, and is answered with it."""
        return b""

    def quick_answer(self, _raw: bytes, _own: bytes) -> bytes | None:
        """Return None."""
        return None
