"""Link upkeep, AFN02 (digest, section 8): login, logout, heartbeat, and their confirmation."""

from datetime import datetime
from enum import Enum

from station.protocols.qgdw1376.confirmation import confirm, is_confirmation
from station.protocols.qgdw1376.formats import A1, Clock
from station.protocols.qgdw1376.frame import (
    CONFIRM,
    IDENTIFICATION_SIZE,
    LINK_TEST,
    SEQUENCE_MASK,
    SINGLE,
    Address,
    Frame,
)

__all__ = [
    "LinkFunction",
    "confirm",
    "heartbeat",
    "heartbeat_clock",
    "is_confirmation",
    "link_function",
    "login",
    "logout",
]

LINK_CONTROL = 0xC9


class LinkFunction(Enum):
    """What a terminal says about its link; the value is the data unit identification, p0 Fn."""

    LOGIN = b"\x00\x00\x01\x00"
    LOGOUT = b"\x00\x00\x02\x00"
    HEARTBEAT = b"\x00\x00\x04\x00"


_BY_IDENTIFICATION = {function.value: function for function in LinkFunction}


def link_function(frame: Frame) -> LinkFunction | None:
    """Return what a terminal says about its link, or None if the frame is about something else."""
    if frame.afn != LINK_TEST or not frame.from_terminal:
        return None
    return _BY_IDENTIFICATION.get(frame.data[:IDENTIFICATION_SIZE])


def login(address: Address, sequence: int) -> Frame:
    """Return the first frame of a terminal on a new connection."""
    return _link_frame(address, sequence, LinkFunction.LOGIN)


def logout(address: Address, sequence: int) -> Frame:
    """Return the last frame of a terminal before it closes the connection."""
    return _link_frame(address, sequence, LinkFunction.LOGOUT)


def heartbeat(address: Address, sequence: int, clock: datetime | None = None) -> Frame:
    """Return a heartbeat, with the clock of the terminal (local time) as newer ones send it."""
    unit = b"" if clock is None else A1.encode(Clock.of(clock))
    return _link_frame(address, sequence, LinkFunction.HEARTBEAT, unit)


def heartbeat_clock(frame: Frame) -> datetime | None:
    """Return the clock (local time) that a heartbeat carries, if it carries a sound one."""
    if link_function(frame) is not LinkFunction.HEARTBEAT:
        return None
    unit = frame.data[IDENTIFICATION_SIZE:]
    clock = A1.decode(unit) if len(unit) == A1.size else None
    return None if clock is None else clock.time


def _link_frame(
    address: Address, sequence: int, function: LinkFunction, unit: bytes = b""
) -> Frame:
    seq = SINGLE | CONFIRM | sequence & SEQUENCE_MASK
    return Frame(LINK_CONTROL, address, LINK_TEST, seq, function.value + unit)
