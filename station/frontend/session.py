"""One connection of a terminal as a state table: what was heard in, what to do out. Pure.

The same table serves every protocol; `dialects` says what a frame is in its own. A terminal is
known by the address of its first frame, whatever that frame is: terminals that were restarted begin
with a heartbeat or with data (digest of 1376.1, section 8). A login or a heartbeat with another
address makes the connection that terminal's; other frames of a stranger change nothing, but get the
confirmation they wait for.
"""

from enum import Enum
from typing import NamedTuple


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
    ANSWER_TO_CONFIRM = "answer to confirm"
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
    CONFIRM = "confirm"  # Send what the terminal waits for.
    REPORT = "report"  # Hand it on: nobody asked for it.
    DELIVER = "deliver"  # Offer it to the questions that are open.
    MISTAKE = "mistake"  # Count it: another device answers here.
    CLOSE = "close"


class Row(NamedTuple):
    """One row of the table: the next state, the steps, and a reason or a note for the trace."""

    next: State
    steps: tuple[Step, ...] = ()
    text: str = ""


_OTHER = "another terminal's address"
_STRAY = "not from a terminal"
_ATTACHED = (Step.ATTACH, Step.CONFIRM)

TABLE: dict[tuple[State, Heard], Row] = {
    (State.UNNAMED, Heard.LOGIN): Row(State.ONLINE, _ATTACHED),
    (State.UNNAMED, Heard.HEARTBEAT): Row(State.ONLINE, _ATTACHED),
    (State.UNNAMED, Heard.LOGOUT): Row(State.CLOSED, (Step.CONFIRM, Step.CLOSE), "logged out"),
    (State.UNNAMED, Heard.REPORT): Row(State.ONLINE, (Step.ATTACH, Step.REPORT)),
    (State.UNNAMED, Heard.REPORT_TO_CONFIRM): Row(State.ONLINE, (*_ATTACHED, Step.REPORT)),
    (State.UNNAMED, Heard.ANSWER): Row(State.ONLINE, (Step.ATTACH,)),
    (State.UNNAMED, Heard.ANSWER_TO_CONFIRM): Row(State.ONLINE, _ATTACHED),
    (State.UNNAMED, Heard.STRAY): Row(State.UNNAMED, (), _STRAY),
    (State.UNNAMED, Heard.SILENCE): Row(State.CLOSED, (Step.CLOSE,), "no login"),
    (State.ONLINE, Heard.LOGIN): Row(State.ONLINE, _ATTACHED),
    (State.ONLINE, Heard.HEARTBEAT): Row(State.ONLINE, (Step.CONFIRM,)),
    (State.ONLINE, Heard.LOGOUT): Row(State.CLOSED, (Step.CONFIRM, Step.CLOSE), "logged out"),
    (State.ONLINE, Heard.REPORT): Row(State.ONLINE, (Step.REPORT,)),
    (State.ONLINE, Heard.REPORT_TO_CONFIRM): Row(State.ONLINE, (Step.CONFIRM, Step.REPORT)),
    (State.ONLINE, Heard.ANSWER): Row(State.ONLINE, (Step.DELIVER,)),
    (State.ONLINE, Heard.ANSWER_TO_CONFIRM): Row(State.ONLINE, (Step.CONFIRM, Step.DELIVER)),
    (State.ONLINE, Heard.OTHER_LOGIN): Row(State.ONLINE, _ATTACHED, _OTHER),
    (State.ONLINE, Heard.OTHER_LOGOUT): Row(State.ONLINE, (Step.CONFIRM,), _OTHER),
    (State.ONLINE, Heard.OTHER_REPORT): Row(State.ONLINE, (), _OTHER),
    (State.ONLINE, Heard.OTHER_REPORT_TO_CONFIRM): Row(State.ONLINE, (Step.CONFIRM,), _OTHER),
    (State.ONLINE, Heard.OTHER_ANSWER): Row(State.ONLINE, (Step.MISTAKE,), _OTHER),
    (State.ONLINE, Heard.STRAY): Row(State.ONLINE, (), _STRAY),
    (State.ONLINE, Heard.SILENCE): Row(State.CLOSED, (Step.CLOSE,), "silent"),
}

_OF_ANOTHER = {
    Heard.LOGIN: Heard.OTHER_LOGIN,
    Heard.HEARTBEAT: Heard.OTHER_LOGIN,
    Heard.LOGOUT: Heard.OTHER_LOGOUT,
    Heard.REPORT: Heard.OTHER_REPORT,
    Heard.REPORT_TO_CONFIRM: Heard.OTHER_REPORT_TO_CONFIRM,
    Heard.ANSWER: Heard.OTHER_ANSWER,
    Heard.ANSWER_TO_CONFIRM: Heard.OTHER_ANSWER,
    Heard.STRAY: Heard.STRAY,
}


class Session:
    """The state of one connection, and whose it is."""

    __slots__ = ("address", "state")

    def __init__(self) -> None:
        self.state = State.UNNAMED
        self.address = ""  # Of the terminal, once it is known.

    def handle(self, heard: Heard, address: str) -> Row:
        """Take what a frame of this address is to its own terminal and return what to do."""
        if self.state is State.ONLINE and address != self.address:
            heard = _OF_ANOTHER[heard]
        row = self._go(heard)
        if Step.ATTACH in row.steps:
            self.address = address
        return row

    def silence(self) -> Row:
        """The clock of this state has run out; return what to do."""
        return self._go(Heard.SILENCE)

    def _go(self, heard: Heard) -> Row:
        row = TABLE[self.state, heard]
        self.state = row.next
        return row
