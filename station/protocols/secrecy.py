"""Passwords taken out of frames, so that what is kept of them may be shown to anybody. Pure.

In a request of DL/T 645 that carries a password (digest dlt645.md, section 2.1) its three bytes
become AAH; the level stays, and what a security chip protects (level 98H, 99H) is no password. The
request may stand alone or be carried by a frame of Q/GDW 1376.1 or DL/T 698.45. The checksums are
made right again, so that everything else in the frame can still be read.
"""

from station.protocols.checksum import byte_sum
from station.protocols.dlt645 import functions
from station.protocols.dlt645.frame import END, HEADER_SIZE, OVERHEAD, START
from station.protocols.dlt698 import frame as dlt698
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
    if hidden == raw:
        return raw
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
