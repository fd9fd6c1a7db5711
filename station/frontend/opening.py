"""A connection that has not told yet what it speaks.

The registration of a modem, or the first frame of a terminal, tells it; whatever else comes is kept
in the trace, so that a person sees what an unknown device sends.
"""

from typing import Any

from station.errors import InvalidValue
from station.frontend.conversation import Connection
from station.frontend.dialects import Dialect
from station.frontend.dtu import ModemTalk, Registrations
from station.frontend.link import Bus, TerminalPort
from station.frontend.session import State
from station.frontend.talk import TerminalTalk
from station.protocols import detect
from station.protocols.noise import Noise
from station.store.objects.meters import Meter


class Opening:
    """A connection that has not told yet what it speaks."""

    __slots__ = ("_connection", "_held", "_registrations")

    def __init__(self, connection: Connection, registrations: Registrations) -> None:
        self._connection = connection
        self._registrations = registrations
        self._held = b""  # Less than the longest frame.

    def receive(self, data: bytes) -> None:
        """Bytes have come."""
        data = self._held + data
        self._held = b""
        modem = self._registrations.find(data)
        if modem is not None:
            talk = ModemTalk(self._connection, modem)
            self._connection.converse(talk)
            talk.receive(data)  # With the packet again, which logs the modem in.
        elif self._registrations.may_begin(data):
            self._held = data
        else:
            self._search(data)

    def give_up(self) -> None:
        """What came is all: find the frames inside it."""
        if self._held:
            data, self._held = self._held, b""
            self._search(data, given_up=True)

    def bus(self, _meter: Meter) -> Bus:
        """Refuse: nobody is there yet. Raises InvalidValue."""
        raise InvalidValue("link", f"{self._connection.name} has not logged in")

    def terminal(self) -> TerminalPort:
        """Refuse: nobody is there yet. Raises InvalidValue."""
        raise InvalidValue("link", f"{self._connection.name} has not logged in")

    def go_down(self, reason: str) -> None:
        """There is nothing to fail."""

    def _search(self, data: bytes, given_up: bool = False) -> None:
        parser = detect.Parser()
        parser.receive_data(data)
        if given_up:
            parser.give_up()
        end = 0
        while self._connection.is_open and (event := parser.next_event()) is not None:
            if isinstance(event, detect.Registration):
                continue  # None was given to the parser.
            raw = event.data if isinstance(event, Noise) else event.to_bytes()
            end += len(raw)
            dialect = self._connection.dialect_of(event)
            if isinstance(event, Noise):
                self._connection.hear_noise(event)
            elif dialect is None:
                note = "a meter's frame before any registration"
                self._connection.record(raw, self._connection.moment(), None, None, note)
            elif self._is_named_by(event, dialect):
                self._go_on(data[end:], given_up)
                return
        self._held = data[len(data) - parser.waiting :]

    def _is_named_by(self, frame: Any, dialect: Dialect[Any]) -> bool:
        """Hear a frame; tell whether the connection goes on in its protocol."""
        talk = TerminalTalk(self._connection, dialect)
        self._connection.converse(talk)
        talk.hear(frame)
        if self._connection.session.state is State.UNNAMED and not talk.is_joining:
            self._connection.converse(self)
            return False
        return True

    def _go_on(self, rest: bytes, given_up: bool) -> None:
        if rest and self._connection.is_open:
            conversation = self._connection.conversation
            conversation.receive(rest)
            if given_up:
                conversation.give_up()
