"""Modems (DTUs) in front of meters: known by the packet they send when they connect.

What the packets are stands in the archive. Behind the registration the connection is a raw line
with meters on it; registrations and heartbeats come between the meters' frames.
"""

import logging
from bisect import bisect_left
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from station.errors import InvalidValue
from station.frontend.conversation import Connection
from station.frontend.link import Bus, Fault, MeterFrame, TerminalPort
from station.frontend.raw_line import RawLine
from station.frontend.session import Heard, Step
from station.protocols.detect import REGISTRATION_SIZE_MAX
from station.protocols.noise import Noise
from station.store.objects.meters import Meter
from station.store.objects.terminals import Terminal

log = logging.getLogger(__name__)

PROTOCOL = "dtu"


class Registered(NamedTuple):
    """A modem that has told who it is, and its packet."""

    terminal: Terminal
    packet: bytes


class Registrations:
    """The registration packets of the archive's modems."""

    def __init__(self, terminals: Iterable[Terminal] = ()) -> None:
        """Packets that cannot be, or that another modem has already, are left out and told."""
        self._modems: dict[bytes, Terminal] = {}
        for terminal in terminals:
            if terminal.protocol == PROTOCOL:
                self._add(terminal)
        self._sizes = sorted({len(packet) for packet in self._modems}, reverse=True)
        self._packets = sorted(self._modems)

    def find(self, data: bytes) -> Registered | None:
        """Return the modem whose packet these bytes begin with, or None."""
        for size in self._sizes:
            terminal = self._modems.get(data[:size])
            if terminal is not None:
                return Registered(terminal, data[:size])
        return None

    def may_begin(self, data: bytes) -> bool:
        """Tell whether these bytes may be the beginning of a packet."""
        place = bisect_left(self._packets, data)
        return place < len(self._packets) and self._packets[place].startswith(data)

    def _add(self, terminal: Terminal) -> None:
        packet = packet_of(terminal.registration)
        if not packet:
            log.warning("modem %s has no registration packet", terminal.address)
        elif packet in self._modems:
            other = self._modems[packet].address
            log.warning("modems %s and %s register alike", other, terminal.address)
        else:
            self._modems[packet] = terminal


def packet_of(text: str) -> bytes:
    """Return the packet that the archive holds in hex; nothing for one that cannot be."""
    try:
        packet = bytes.fromhex(text)
    except ValueError:
        return b""
    return packet if len(packet) <= REGISTRATION_SIZE_MAX else b""


def packets_of(terminal: Terminal) -> list[bytes]:
    """Return what a modem sends of its own; the shorter one if the other begins with it."""
    packets = {packet_of(terminal.registration), packet_of(terminal.heartbeat)} - {b""}
    shortest, *longer = sorted(packets, key=len)
    return [shortest, *(packet for packet in longer if not packet.startswith(shortest))]


class ModemTalk:
    """The conversation with the meters behind a modem, and with the modem itself; a `Wire`."""

    __slots__ = ("_connection", "_heartbeat", "_line", "_terminal")

    def __init__(self, connection: Connection, modem: Registered) -> None:
        self._connection = connection
        self._terminal = modem.terminal
        self._heartbeat = packet_of(modem.terminal.heartbeat)
        self._line = RawLine(self, f"modem {self.name}", packets_of(modem.terminal))

    @property
    def name(self) -> str:
        """Return the modem's name in the archive."""
        return self._terminal.address

    def receive(self, data: bytes) -> None:
        """Bytes have come."""
        self._line.receive(data)

    def give_up(self) -> None:
        """Nothing more belongs to what came: the line's own, shorter pause has said so already."""

    def bus(self, _meter: Meter) -> Bus:
        """Return the line: all meters are on it."""
        return self._line

    def terminal(self) -> TerminalPort:
        """Refuse: a modem has nothing to ask. Raises InvalidValue."""
        raise InvalidValue("link", f"{self.name} is a modem, which has no data of its own")

    def go_down(self, reason: str) -> None:
        """Fail every question."""
        self._line.go_down(reason)

    # What the line tells.

    def write(self, raw: bytes, _listen_s: float, meter: str | None, exchange: int | None) -> None:
        """Send bytes and keep them in the trace."""
        self._connection.send(raw, meter=meter, exchange=exchange)

    def hear_packet(self, packet: bytes) -> None:
        """Take a registration or a heartbeat, and send it back if the modem wants that."""
        connection = self._connection
        if not connection.is_open:
            return
        at = connection.moment()
        heard = Heard.HEARTBEAT if packet == self._heartbeat else Heard.LOGIN
        row = connection.session.handle(heard, self.name)
        if Step.ATTACH in row.steps and not connection.attach(PROTOCOL, at):
            connection.record(packet, at, None, None, "blocked")
            return
        connection.heard(at, len(packet))
        connection.record(packet, at, None, None, heard.value)
        if self._terminal.echo:
            connection.send(packet)

    def moment(self) -> datetime:
        """Return the moment of what has just come."""
        return self._connection.moment()

    def heard(self, at: datetime, size: int) -> None:
        """A frame has come."""
        self._connection.heard(at, size)

    def record(
        self, raw: bytes, at: datetime, meter: str | None, exchange: int | None, note: str
    ) -> None:
        """Keep in the trace what has come."""
        self._connection.record(raw, at, meter, exchange, note)

    def hear_noise(self, noise: Noise) -> None:
        """Take bytes that are no frame."""
        self._connection.hear_noise(noise)

    def count(self, fault: Fault) -> None:
        """Count something that has gone wrong."""
        self._connection.count(fault)

    def report(self, protocol: str, frame: MeterFrame, at: datetime) -> None:
        """Hand on a frame that nobody asked for."""
        self._connection.report(protocol, frame, at)

    def new_exchange(self) -> int:
        """Return the number of a new exchange."""
        return self._connection.new_exchange()
