"""What a terminal of Q/GDW 1376.1 or DL/T 698.45 says, frame by frame, and what is done about it.

The session's table decides; the protocol's dialect reads and confirms. An answer goes to the
question that is open for it, and one that finds none is late, or came twice. Split frames of
DL/T 698.45 are acknowledged piece by piece, and their whole is taken like any other frame.
"""

from datetime import datetime
from typing import Any

from station.frontend.conversation import Connection
from station.frontend.dialects import Dialect, FrameParser
from station.frontend.forward import ForwardedBus
from station.frontend.link import Bus, Fault, TerminalPort
from station.frontend.proxy import ProxyBus, Terminal698
from station.frontend.session import Step
from station.frontend.terminal import TerminalLines
from station.frontend.terminal1376 import Terminal1376
from station.protocols.dlt698 import frame as dlt698
from station.protocols.dlt698.segments import Joiner
from station.protocols.noise import Noise
from station.protocols.qgdw1376 import frame as qgdw1376
from station.store.objects.meters import Meter

TerminalFrame = qgdw1376.Frame | dlt698.Frame

# As reports name the protocol of their frame.
_PROTOCOLS = {qgdw1376.Frame: "qgdw1376", dlt698.Frame: "dlt698"}


class TerminalTalk:
    """The conversation with one terminal."""

    __slots__ = ("_connection", "_dialect", "_joiner", "_own", "_parser", "_terminal")

    def __init__(self, connection: Connection, dialect: Dialect[Any]) -> None:
        self._connection = connection
        self._dialect = dialect
        self._parser: FrameParser[TerminalFrame] = dialect.parser()
        self._own = b""  # What its heartbeats of 1376.1 have in common, once it is known.
        self._joiner: Joiner | None = None  # While a split frame comes in.
        self._terminal: Terminal1376 | Terminal698 | None = None  # Made with the first question.

    def receive(self, data: bytes) -> None:
        """Bytes have come."""
        if self._own and not self._parser.waiting:
            reply = self._dialect.quick_answer(data, self._own)
            if reply is not None:
                self._connection.beat(data, reply)
                return
        self._parser.receive_data(data)
        self._take_events()

    def give_up(self) -> None:
        """Take what waits for the rest of its frame as noise, and frames that lie inside it."""
        if self._parser.waiting:
            self._parser.give_up()
            self._take_events()

    @property
    def is_joining(self) -> bool:
        """Tell whether a split frame is coming in."""
        return self._joiner is not None

    def bus(self, meter: Meter) -> Bus:
        """Return the bus of a meter. Raises InvalidValue."""
        terminal = self._asked()
        if isinstance(terminal, Terminal1376):
            return ForwardedBus(terminal, meter.port, meter.line)
        return terminal if meter.point == 0 else ProxyBus(terminal, meter.port, meter.line)

    def terminal(self) -> TerminalPort:
        """Return the terminal itself."""
        return self._asked()

    def go_down(self, reason: str) -> None:
        """Fail every question; whoever asks later asks another terminal."""
        if self._terminal is not None:
            self._terminal.go_down(reason)
            self._terminal = None

    def hear(self, frame: TerminalFrame) -> None:
        """Take a frame."""
        at = self._connection.moment()
        raw = frame.to_bytes()
        if isinstance(frame, dlt698.Frame) and frame.is_split:
            self._hear_piece(frame, raw, at)
        else:
            self._handle(frame, raw, at)

    def _take_events(self) -> None:
        connection, parser = self._connection, self._parser
        while connection.is_open and (event := parser.next_event()) is not None:
            if isinstance(event, Noise):
                connection.hear_noise(event)
            else:
                self.hear(event)

    def _handle(self, frame: TerminalFrame, raw: bytes, at: datetime) -> None:
        connection, dialect = self._connection, self._dialect
        row = connection.session.handle(dialect.heard(frame), dialect.address(frame))
        steps = row.steps
        if Step.ATTACH in steps and not connection.attach(dialect.protocol, at):
            connection.record(raw, at, None, None, "blocked")
            return
        if Step.ATTACH in steps:
            self._own = dialect.own_part(frame)
        connection.heard(at, len(raw))
        if Step.DELIVER in steps:
            self._deliver(frame, raw, at, Step.CONFIRM in steps)
            return
        if Step.MISTAKE in steps:
            connection.count("wrong_address")
        exchange = connection.new_exchange() if Step.REPORT in steps else None
        connection.record(raw, at, None, exchange, row.text)
        if Step.CONFIRM in steps:
            self._confirm(frame, exchange)
        if Step.REPORT in steps:
            connection.report(_PROTOCOLS[type(frame)], frame, at, exchange)
        if Step.CLOSE in steps:
            connection.close(row.text)

    def _deliver(self, frame: TerminalFrame, raw: bytes, at: datetime, confirm: bool) -> None:
        """Take an answer to the question that it belongs to."""
        connection = self._connection
        terminal: TerminalLines[Any] | None = self._terminal
        found = None if terminal is None else terminal.find(frame)
        if found is not None:
            line, question = found
            connection.record(raw, at, None, question.exchange, "")
            line.hear(frame, at)
        else:
            repeated = terminal is not None and terminal.is_repeated(frame)
            fault: Fault = "duplicate" if repeated else "late"
            connection.count(fault)
            connection.record(raw, at, None, None, fault)
        if confirm:
            self._confirm(frame, None)

    def _confirm(self, frame: TerminalFrame, exchange: int | None) -> None:
        confirmation = self._dialect.confirmation(frame)
        if confirmation is not None:
            self._connection.send(confirmation.to_bytes(), exchange=exchange)

    def _hear_piece(self, piece: dlt698.Frame, raw: bytes, at: datetime) -> None:
        """Take a piece of a split frame, and the whole if it was the last one."""
        connection, terminal = self._connection, self._terminal
        self._joiner = self._joiner or Joiner()
        joined = self._joiner.add(piece)
        if joined.whole is not None:
            self._joiner = None
            self._handle(joined.whole, raw, at)
            return
        connection.heard(at, len(raw))
        exchange = None if terminal is None else terminal.open_exchange()
        connection.record(raw, at, None, exchange, "piece")
        if joined.acknowledgement is None:
            self._joiner = None  # Nothing is being joined.
            return
        if terminal is not None:
            terminal.hear_piece()
        connection.send(joined.acknowledgement.to_bytes(), exchange=exchange)

    def _asked(self) -> Terminal1376 | Terminal698:
        """Return the terminal as those see it who ask."""
        if self._terminal is None:
            connection = self._connection
            address = connection.session.address
            kind = Terminal1376 if self._dialect.protocol == Terminal1376.protocol else Terminal698
            self._terminal = kind(connection, address, lambda: connection.is_parallel(address))
        return self._terminal
