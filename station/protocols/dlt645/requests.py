"""Builds every request of both versions, and tells which frame answers which (digest 2 and 13).

A meter that is not meant stays silent, a late reply to an earlier request looks like any other, and
echoes of the own request come back on half-duplex lines: `is_answer` is the one judge of that.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from station.protocols import bcd
from station.words import Text

from . import functions
from .frame import BROADCAST, ERROR, FROM_METER, MORE, WILDCARD, Frame, Version
from .functions import data_id_of, identifier_size, version_of

ACTIVE_REPORT = 0x04001501  # A 2013 meter may answer any read with its report status first.
EVERYTHING = 0xFFFFFFFF  # In `clear_events`.

FREEZE_NOW = "99999999"  # MMDDhhmm; 99DDhhmm is monthly, 9999hhmm daily, 999999mm hourly.

# Digest 2.1: one bit a rate; those beside 08, 10 and 20 follow the pattern.
BAUD_BITS = {600: 0x02, 1200: 0x04, 2400: 0x08, 4800: 0x10, 9600: 0x20, 19200: 0x40}
_WILD = "AA"


@dataclass(frozen=True, slots=True)
class Authority:
    """Who asks: PA (`level`), P0..P2 (`password`, 6 digits) and C0..C3 (`operator`, 8 digits).

    Digits stand highest first. Level 98H or 99H says that the security chip protects the data.
    """

    level: int = 0x02
    password: str = field(default="000000", repr=False)
    operator: str = "00000000"

    def password_bytes(self) -> bytes:
        """Return PA P0 P1 P2. Raises ValueError unless the password is 6 hexadecimal digits."""
        return bytes((self.level,)) + _exactly(self.password, 3, "password")

    def to_bytes(self) -> bytes:
        """Return PA P0 P1 P2 C0 C1 C2 C3. Raises ValueError if a field has the wrong length."""
        return self.password_bytes() + _exactly(self.operator, 4, "operator code")


class Command(Enum):
    """What 1CH orders (digest 2.3); the values are N1."""

    TRIP = 0x1A
    PERMIT_CLOSING = 0x1B
    CLOSE = 0x1C
    TRIP_RECLOSING = 0x1D
    TRIP_RECLOSING_2 = 0x1E
    ALARM_ON = 0x2A
    ALARM_OFF = 0x2B
    KEEP_POWER = 0x3A
    END_KEEP_POWER = 0x3B


COMMAND_NAMES = {
    Command.TRIP: Text("trip", "跳闸"),
    Command.PERMIT_CLOSING: Text("permit closing", "合闸允许"),
    Command.CLOSE: Text("close", "直接合闸"),
    Command.TRIP_RECLOSING: Text("trip with automatic re-closing", "跳闸后自动合闸"),
    Command.TRIP_RECLOSING_2: Text("trip with automatic re-closing (1EH)", "跳闸后自动合闸(1EH)"),
    Command.ALARM_ON: Text("alarm on", "报警"),
    Command.ALARM_OFF: Text("alarm off", "报警解除"),
    Command.KEEP_POWER: Text("keep power", "保电"),
    Command.END_KEEP_POWER: Text("end keep power", "保电解除"),
}


# Requests of both versions.


def read(version: Version, address: str, data_id: int, tail: bytes = b"") -> Frame:
    """Ask for a data item; `tail` follows the identifier: N, or N and a time (load profile)."""
    code = functions.READ if version is Version.V2007 else functions.READ_1997
    return Frame(address, code, _identifier(version, data_id) + tail)


def read_following(version: Version, address: str, data_id: int, sequence: int = 1) -> Frame:
    """Ask for the next part of a long answer; 1997 has no sequence number."""
    if version is Version.V1997:
        return Frame(address, functions.READ_FOLLOWING_1997, _identifier(version, data_id))
    data = _identifier(version, data_id) + bytes((sequence,))
    return Frame(address, functions.READ_FOLLOWING, data)


def write(version: Version, address: str, data_id: int, data: bytes, authority: Authority) -> Frame:
    """Set a data item. With level 98H or 99H the data ends with the cipher's parts."""
    if version is Version.V1997:
        secret = authority.password_bytes()
        return Frame(address, functions.WRITE_1997, _identifier(version, data_id) + secret + data)
    body = _identifier(version, data_id) + authority.to_bytes() + data
    return Frame(address, functions.WRITE, body)


def write_address(version: Version, new_address: str, *, address: str = WILDCARD) -> Frame:
    """Give the only meter on the line another address; 1997 meters want 99 or AA, by maker."""
    code = functions.WRITE_ADDRESS if version is Version.V2007 else functions.WRITE_ADDRESS_1997
    return Frame(address, code, _exactly(new_address, 6, "address"))


def broadcast_time(local_time: datetime, *, address: str = BROADCAST) -> Frame:
    """Tell every meter the time; none answers, and a correction over 5 minutes is ignored."""
    return Frame(address, functions.BROADCAST_TIME, _wire_time(local_time))


def change_baud(version: Version, address: str, speed: int) -> Frame:
    """Change the speed once the meter has echoed it. Raises ValueError for an unknown speed."""
    if speed not in BAUD_BITS:
        raise ValueError(f"speed {speed} is none of {', '.join(map(str, BAUD_BITS))}")
    code = functions.CHANGE_BAUD if version is Version.V2007 else functions.CHANGE_BAUD_1997
    return Frame(address, code, bytes((BAUD_BITS[speed],)))


# Requests of 2007 alone.


def read_address() -> Frame:
    """Ask the only meter on the line for its address."""
    return Frame(WILDCARD, functions.READ_ADDRESS)


def freeze(address: str, moment: str = FREEZE_NOW) -> Frame:
    """Freeze at MMDDhhmm, with 99 for "every" from the left. Raises ValueError if malformed."""
    return Frame(address, functions.FREEZE, _exactly(moment, 4, "freeze time"))


def change_password(address: str, data_id: int, old: Authority, new: Authority) -> Frame:
    """Change the password of a level (04000C01..0A); the answer repeats the new one."""
    body = old.password_bytes() + new.password_bytes()
    return Frame(address, functions.CHANGE_PASSWORD, _identifier(Version.V2007, data_id) + body)


def reset_demand(address: str, authority: Authority) -> Frame:
    """Set the maximum demands back to zero."""
    return Frame(address, functions.RESET_DEMAND, authority.to_bytes())


def clear_meter(address: str, authority: Authority) -> Frame:
    """Set every register of the meter to zero."""
    return Frame(address, functions.CLEAR_METER, authority.to_bytes())


def clear_events(address: str, authority: Authority, data_id: int = EVERYTHING) -> Frame:
    """Delete event records: all, or with xxxxxxFFH one kind."""
    body = authority.to_bytes() + _identifier(Version.V2007, data_id)
    return Frame(address, functions.CLEAR_EVENTS, body)


def control(
    address: str, command: Command, until: datetime, authority: Authority, *, option: int = 0
) -> Frame:
    """Trip, close, alarm or keep power; a meter refuses once its own clock is past `until`."""
    body = authority.to_bytes() + bytes((command.value, option)) + _wire_time(until)
    return Frame(address, functions.CONTROL, body)


def control_ciphered(address: str, operator: str, cipher: bytes, mac: bytes) -> Frame:
    """Order 1CH as a security chip wants it: 16 bytes of cipher and a MAC of 4 (L = 1CH)."""
    authority = Authority(level=0x98, operator=operator)
    return Frame(address, functions.CONTROL, authority.to_bytes() + cipher + mac)


def terminal_output(address: str, output: int) -> Frame:
    """Choose the signal on the multi-function terminal (not confirmed by a capture)."""
    return Frame(address, functions.TERMINAL_OUTPUT, bytes((output,)))


def security(address: str, data_id: int, operator: str, body: bytes) -> Frame:
    """Speak to the security chip (03H); `prepayment.py` lays out the bodies."""
    data = _identifier(Version.V2007, data_id) + _exactly(operator, 4, "operator code") + body
    return Frame(address, functions.SECURITY, data)


# Requests of 1997 alone.


def read_again_1997(address: str) -> Frame:
    """Ask for the last answer once more."""
    return Frame(address, functions.READ_AGAIN_1997)


def change_password_1997(address: str, old: Authority, new: Authority) -> Frame:
    """Change a password."""
    body = old.password_bytes() + new.password_bytes()
    return Frame(address, functions.CHANGE_PASSWORD_1997, body)


def reset_demand_1997(address: str) -> Frame:
    """Set the maximum demands back to zero."""
    return Frame(address, functions.RESET_DEMAND_1997)


# Answers.


def is_answer(request: Frame, frame: Frame) -> bool:
    """Whether a frame answers a request: sender, address, function and data identifier fit.

    A refusal carries no identifier and is an answer too. An answer with `ACTIVE_REPORT` in place of
    the identifier asked is none, see `is_active_report`.
    """
    if not _is_reply(request, frame):
        return False
    return frame.is_error or _identifier_fits(request, data_id_of(frame))


def is_active_report(request: Frame, frame: Frame) -> bool:
    """Whether the meter answered a read with its active report status instead (digest 13.4)."""
    if request.function not in (functions.READ, functions.READ_FOLLOWING):
        return False
    return _is_reply(request, frame) and data_id_of(frame) == ACTIVE_REPORT


def answer(
    request: Frame, data: bytes = b"", *, address: str | None = None, has_more: bool = False
) -> Frame:
    """Build a meter's answer; `data` is what follows the identifier repeated from the request.

    `address` is the meter's own, for requests to a wildcard.
    """
    control = request.function | FROM_METER | (MORE if has_more else 0)
    tail = request.data[4:5] if request.function == functions.READ_FOLLOWING else b""
    data = _repeated_identifier(request) + data + tail
    return Frame(request.address if address is None else address, control, data)


def refuse(request: Frame, error_bits: int, *, address: str | None = None) -> Frame:
    """Build a meter's refusal: an error word of one byte, or of two after 03H of 2007."""
    size = 2 if request.function == functions.SECURITY and request.data else 1
    control = request.function | FROM_METER | ERROR
    data = error_bits.to_bytes(size, "little")
    return Frame(request.address if address is None else address, control, data)


def payload(frame: Frame) -> bytes:
    """Return what an answer carries behind its identifier, without the sequence number of 92H."""
    data = frame.data[identifier_size(frame) :]
    if frame.function == functions.READ_FOLLOWING and frame.from_meter and not frame.is_error:
        return data[:-1]
    return data


def learned_address(reply: Frame) -> str | None:
    """Return the real address in the reply to a wildcard, or None where it keeps the AA."""
    if reply.function == functions.READ_ADDRESS and len(reply.data) == 6 and not reply.is_error:
        return bcd.to_text(reply.data)
    known = _WILD not in _pairs(reply.address) and reply.address != BROADCAST
    return reply.address if known else None


def _is_reply(request: Frame, frame: Frame) -> bool:
    return (
        frame.from_meter
        and frame.function == request.function
        and _address_fits(request.address, frame.address)
    )


def _address_fits(asked: str, answering: str) -> bool:
    """AA in the request stands for any digits; a reply may keep it. 1997 meters answer to 99."""
    if asked in (answering, WILDCARD, BROADCAST):
        return True
    if _WILD not in asked:
        return False
    pairs = zip(_pairs(asked), _pairs(answering), strict=True)
    return all(wanted in (_WILD, got) for wanted, got in pairs)


def _pairs(address: str) -> list[str]:
    return [address[place : place + 2] for place in range(0, 12, 2)]


def _identifier_fits(request: Frame, answered: int | None) -> bool:
    function = functions.find_function(version_of(request), request.function)
    if function is None or not function.reply_id:
        return True
    asked = data_id_of(request)
    return asked is None or asked == answered


def _repeated_identifier(request: Frame) -> bytes:
    function = functions.find_function(version_of(request), request.function)
    return b"" if function is None else request.data[: function.reply_id]


def _identifier(version: Version, data_id: int) -> bytes:
    return data_id.to_bytes(4 if version is Version.V2007 else 2, "little")


def _wire_time(local_time: datetime) -> bytes:
    return bcd.from_text(local_time.strftime("%y%m%d%H%M%S"))


def _exactly(digits: str, size: int, what: str) -> bytes:
    data = bcd.from_text(digits)
    if len(data) != size:
        raise ValueError(f"{what} is not {2 * size} digits")
    return data
