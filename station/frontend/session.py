"""One connection of a terminal as a state table: what was heard in, what to do out. Pure.

A terminal is known by the address of its first frame, whatever that frame is: terminals that were
restarted begin with a heartbeat or with data (digest, section 8). A login or a heartbeat with
another address makes the connection that terminal's; other frames of a stranger change nothing, but
get the confirmation they wait for.
"""

from enum import Enum
from typing import NamedTuple

from station.protocols.qgdw1376.frame import Frame
from station.protocols.qgdw1376.link import LinkFunction, link_function

NO_TERMINAL = (0x0000, 0xFFFF)  # A2 of nobody and of everybody (digest, section 3).


class State(Enum):
    """Where a connection stands."""

    UNNAMED = "unnamed"  # Connected; no terminal has said its address yet.
    ONLINE = "online"
    CLOSED = "closed"


class Heard(Enum):
    """What a connection can bring; OTHER is a frame with another terminal's address."""

    LOGIN = "login"
    HEARTBEAT = "heartbeat"
    LOGOUT = "logout"
    REPORT = "report"  # Sent on the terminal's own account.
    REPORT_TO_CONFIRM = "report to confirm"
    ANSWER = "answer"
    OTHER_LOGIN = "other login"  # Or its heartbeat.
    OTHER_LOGOUT = "other logout"
    OTHER_REPORT = "other report"
    OTHER_REPORT_TO_CONFIRM = "other report to confirm"
    OTHER_ANSWER = "other answer"
    STRAY = "stray"  # Not from a terminal, or of no terminal.
    SILENCE = "silence"  # The clock of this state has run out.


class Step(Enum):
    """What to do, in the order of the row."""

    ATTACH = "attach"  # The connection is this terminal's from now on.
    CONFIRM = "confirm"  # Send the AFN00 that the terminal waits for.
    DELIVER = "deliver"  # Offer it to the exchange that is open.
    CLOSE = "close"


class Row(NamedTuple):
    """One row of the table: the next state, the steps, and a reason or a note for the trace."""

    next: State
    steps: tuple[Step, ...] = ()
    text: str = ""


_OTHER = "another terminal's address"
_ATTACHED = (Step.ATTACH, Step.CONFIRM)

TABLE: dict[tuple[State, Heard], Row] = {
    (State.UNNAMED, Heard.LOGIN): Row(State.ONLINE, _ATTACHED),
    (State.UNNAMED, Heard.HEARTBEAT): Row(State.ONLINE, _ATTACHED),
    (State.UNNAMED, Heard.LOGOUT): Row(State.CLOSED, (Step.CONFIRM, Step.CLOSE), "logged out"),
    (State.UNNAMED, Heard.REPORT): Row(State.ONLINE, (Step.ATTACH,)),
    (State.UNNAMED, Heard.REPORT_TO_CONFIRM): Row(State.ONLINE, (Step.ATTACH, Step.CONFIRM)),
    (State.UNNAMED, Heard.ANSWER): Row(State.ONLINE, (Step.ATTACH,)),
    (State.UNNAMED, Heard.STRAY): Row(State.UNNAMED, (), "not from a terminal"),
    (State.UNNAMED, Heard.SILENCE): Row(State.CLOSED, (Step.CLOSE,), "no login"),
    (State.ONLINE, Heard.LOGIN): Row(State.ONLINE, _ATTACHED),
    (State.ONLINE, Heard.HEARTBEAT): Row(State.ONLINE, (Step.CONFIRM,)),
    (State.ONLINE, Heard.LOGOUT): Row(State.CLOSED, (Step.CONFIRM, Step.CLOSE), "logged out"),
    (State.ONLINE, Heard.REPORT): Row(State.ONLINE, (Step.DELIVER,)),
    (State.ONLINE, Heard.REPORT_TO_CONFIRM): Row(State.ONLINE, (Step.DELIVER, Step.CONFIRM)),
    (State.ONLINE, Heard.ANSWER): Row(State.ONLINE, (Step.DELIVER,)),
    (State.ONLINE, Heard.OTHER_LOGIN): Row(State.ONLINE, _ATTACHED, _OTHER),
    (State.ONLINE, Heard.OTHER_LOGOUT): Row(State.ONLINE, (Step.CONFIRM,), _OTHER),
    (State.ONLINE, Heard.OTHER_REPORT): Row(State.ONLINE, (), _OTHER),
    (State.ONLINE, Heard.OTHER_REPORT_TO_CONFIRM): Row(State.ONLINE, (Step.CONFIRM,), _OTHER),
    (State.ONLINE, Heard.OTHER_ANSWER): Row(State.ONLINE, (), _OTHER),
    (State.ONLINE, Heard.STRAY): Row(State.ONLINE, (), "not from a terminal"),
    (State.ONLINE, Heard.SILENCE): Row(State.CLOSED, (Step.CLOSE,), "silent"),
}

_LINK = {
    LinkFunction.LOGIN: (Heard.LOGIN, Heard.OTHER_LOGIN),
    LinkFunction.HEARTBEAT: (Heard.HEARTBEAT, Heard.OTHER_LOGIN),
    LinkFunction.LOGOUT: (Heard.LOGOUT, Heard.OTHER_LOGOUT),
}
_REPORT = (Heard.REPORT, Heard.OTHER_REPORT)
_REPORT_TO_CONFIRM = (Heard.REPORT_TO_CONFIRM, Heard.OTHER_REPORT_TO_CONFIRM)
_ANSWER = (Heard.ANSWER, Heard.OTHER_ANSWER)


class Session:
    """The state of one connection, and whose it is."""

    __slots__ = ("address", "state")

    def __init__(self) -> None:
        self.state = State.UNNAMED
        self.address = ""  # Of the terminal, 8 hex digits, once it is known.

    def handle(self, frame: Frame) -> Row:
        """Take a frame and return what to do."""
        heard = self._heard(frame)
        row = self._go(heard)
        if Step.ATTACH in row.steps:
            self.address = frame.address.text
        return row

    def silence(self) -> Row:
        """The clock of this state has run out; return what to do."""
        return self._go(Heard.SILENCE)

    def _go(self, heard: Heard) -> Row:
        row = TABLE[self.state, heard]
        self.state = row.next
        return row

    def _heard(self, frame: Frame) -> Heard:
        if not frame.from_terminal or frame.address.terminal in NO_TERMINAL:
            return Heard.STRAY
        own, other = _sort(frame)
        if self.state is State.UNNAMED or frame.address.text == self.address:
            return own
        return other


def _sort(frame: Frame) -> tuple[Heard, Heard]:
    """Return what a frame is from the terminal of the connection, and from another one."""
    function = link_function(frame)
    if function is not None:
        return _LINK[function]
    if not frame.from_initiator:
        return _ANSWER
    return _REPORT_TO_CONFIRM if frame.wants_confirmation else _REPORT
