"""Passwords taken out of frames, so that what is kept of them may be shown to anybody. Pure.

In a request of DL/T 645 that carries a password (digest dlt645.md, section 2.1) its three bytes
become AAH; the level stays, and what a security chip protects (level 98H, 99H) is no password. The
request may stand alone or be carried by a frame of Q/GDW 1376.1 or DL/T 698.45. In frames of
Q/GDW 1376.1 that set or tell parameters (digest qgdw1376_1.md, section 9) the passwords of meters
in F10 and that of the network in F16 become AAH, too, and so does a PW that is not all zero. What
the objects of DL/T 698.45 hold of passwords is hidden by `dlt698.secrets`. The checksums are made
right again, so that everything else in the frame can still be read.
"""

from collections.abc import Iterator

from station.protocols.checksum import byte_sum
from station.protocols.dlt645 import functions
from station.protocols.dlt645.frame import END, HEADER_SIZE, OVERHEAD, START
from station.protocols.dlt698 import frame as dlt698
from station.protocols.dlt698.secrets import without_secrets
from station.protocols.faults import FrameError
from station.protocols.qgdw1376 import frame as qgdw1376

HIDDEN = 0xAA
PASSWORD_SIZE = 3
PROTECTED_LEVELS = frozenset((0x98, 0x99))

_OFFSET = 0x33  # Added to every byte of data on the line.
# Where PA stands in the data of a request, once for each password.
_LEVELS_AT = {
    functions.WRITE: (4,),
    functions.CHANGE_PASSWORD: (4, 8),
    functions.RESET_DEMAND: (0,),
    functions.CLEAR_METER: (0,),
    functions.CLEAR_EVENTS: (0,),
    functions.CONTROL: (0,),
    functions.WRITE_1997: (2,),
    functions.CHANGE_PASSWORD_1997: (0, 4),
}


def without_passwords(raw: bytes) -> bytes:
    """Return bytes that crossed a link with the passwords in them hidden; mostly the same bytes."""
    hidden = bytearray(raw)
    at = raw.find(START)
    while at >= 0:
        size = _request_size(raw, at)
        if size:
            _hide(hidden, at, size)
        at = raw.find(START, at + 1)
    _hide_parameters(hidden, raw)
    if hidden == raw:
        start = len(raw) - len(raw.lstrip(bytes((dlt698.PREAMBLE,))))
        return raw[:start] + without_secrets(raw[start:])
    _seal(hidden, raw)
    return bytes(hidden)


def _request_size(raw: bytes, at: int) -> int:
    """Return the size of the request with a password that begins here, or 0."""
    head = raw[at : at + HEADER_SIZE]
    if len(head) < HEADER_SIZE or head[7] != START or head[8] not in _LEVELS_AT:
        return 0
    size = OVERHEAD + head[9]
    frame = raw[at : at + size]
    is_whole = len(frame) == size and frame[-1] == END and byte_sum(frame[:-2]) == frame[-2]
    return size if is_whole else 0


def _hide(hidden: bytearray, at: int, size: int) -> None:
    for level_at in _LEVELS_AT[hidden[at + 8]]:
        place = at + HEADER_SIZE + level_at
        end = place + 1 + PASSWORD_SIZE
        if end <= at + size - 2 and (hidden[place] - _OFFSET) & 0xFF not in PROTECTED_LEVELS:
            hidden[place + 1 : end] = bytes(((HIDDEN + _OFFSET) & 0xFF,)) * PASSWORD_SIZE
    hidden[at + size - 2] = byte_sum(bytes(hidden[at : at + size - 2]))


def _hide_parameters(hidden: bytearray, raw: bytes) -> None:
    """Hide what is secret in a frame of Q/GDW 1376.1: its PW, and passwords in parameters."""
    start = len(raw) - len(raw.lstrip(bytes((qgdw1376.PREAMBLE,))))
    carrier = raw[start:]
    if len(carrier) < qgdw1376.FRAME_SIZE_MIN or carrier[5] != START:
        return
    if carrier[_AFN_AT] not in _WITH_SECRETS:
        return
    try:
        frame = qgdw1376.Frame.from_bytes(carrier)
    except (FrameError, ValueError):
        return
    first = start + qgdw1376.DATA_START
    if any(frame.password):
        end = first + len(frame.data)
        hidden[end : end + qgdw1376.PASSWORD_SIZE] = _aa(qgdw1376.PASSWORD_SIZE)
    if (frame.afn, frame.from_terminal) not in _TELL_PARAMETERS:
        return
    for identification, passwords_in in _PASSWORDS_IN.items():
        at = frame.data.find(identification)
        while at >= 0:
            unit = at + len(identification)
            for place, size in passwords_in(frame.data[unit:]):
                hidden[first + unit + place : first + unit + place + size] = _aa(size)
            at = frame.data.find(identification, at + 1)


def _meters(unit: bytes) -> Iterator[tuple[int, int]]:
    """Yield where passwords stand in F10: a count, then entries of 27 bytes."""
    count = int.from_bytes(unit[:2], "little")
    if len(unit) >= 2 + count * METER_ENTRY_SIZE:
        for number in range(count):
            yield 2 + number * METER_ENTRY_SIZE + METER_PASSWORD_AT, METER_PASSWORD_SIZE


def _network(unit: bytes) -> Iterator[tuple[int, int]]:
    """Yield where the password stands in F16: behind the user, each 32 bytes."""
    if len(unit) >= 2 * NETWORK_TEXT_SIZE:
        yield NETWORK_TEXT_SIZE, NETWORK_TEXT_SIZE


METER_ENTRY_SIZE, METER_PASSWORD_AT, METER_PASSWORD_SIZE = 27, 12, 6
NETWORK_TEXT_SIZE = 32
# p0 F10 and p0 F16, as they stand before their data.
_PASSWORDS_IN = {b"\x00\x00\x02\x01": _meters, b"\x00\x00\x80\x01": _network}
_AFN_AT = 12
_WITH_SECRETS = qgdw1376.PASSWORD_DOWN | {qgdw1376.QUERY_PARAMETERS}
_TELL_PARAMETERS = {(qgdw1376.SET_PARAMETERS, False), (qgdw1376.QUERY_PARAMETERS, True)}


def _aa(size: int) -> bytes:
    return bytes((HIDDEN,)) * size


def _seal(hidden: bytearray, raw: bytes) -> None:
    """Make the checksum of the frame right that carries a request, if one does."""
    start = len(raw) - len(raw.lstrip(bytes((dlt698.PREAMBLE,))))
    carrier = raw[start:]
    try:
        if qgdw1376.read_header(carrier)[0] + qgdw1376.ENVELOPE_SIZE == len(carrier):
            body = bytes(hidden[start + qgdw1376.HEADER_SIZE : -2])
            hidden[-2] = byte_sum(body)
            return
    except FrameError:
        pass
    try:
        if dlt698.frame_size(carrier) == len(carrier):
            end = len(hidden) - dlt698.TRAILER_SIZE
            hidden[end:-1] = dlt698.checksum(bytes(hidden[start + 1 : end]))
    except FrameError:
        return
