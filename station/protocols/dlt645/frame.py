"""The frame of DL/T 645, the same in both versions (digest 1.1).

    before    0    1..6     7    8   9   10 ...        10+L  11+L
    FE FE ..  68H  A0..A5   68H  C   L   data + 33H    CS    16H

The address is sent with its lowest digits first. Each data byte is sent with 33H added. CS is the
sum of the bytes as sent, from the first 68H to the last data byte.
"""

from dataclasses import dataclass
from enum import Enum
from zlib import adler32

from station.protocols.checksum import SUMMED_AT_ONCE, byte_sum
from station.protocols.faults import FrameError

START = 0x68
END = 0x16
PREAMBLE = b"\xfe" * 4  # Wakes a sleeping receiver; not part of the frame.
WILDCARD = "AAAAAAAAAAAA"  # Whichever single meter is on the line.
BROADCAST = "999999999999"  # Every meter; none answers, but see `requests.is_answer` for 1997.

HEADER_SIZE = 10
OVERHEAD = HEADER_SIZE + 2
DATA_SIZE_MAX = 255  # What L can hold; the standard's 200 is passed by newer meters (digest 1.3).
FRAME_SIZE_MAX = OVERHEAD + DATA_SIZE_MAX

FROM_METER = 0x80  # Control code D7.
ERROR = 0x40  # D6.
MORE = 0x20  # D5.
FUNCTION = 0x1F  # D4..D0.

_ADDRESS, _DATA, _SUMMED = slice(6, 0, -1), slice(10, -2), slice(0, -2)
_LONG = SUMMED_AT_ONCE + 2
_ADD_33 = bytes((value + 0x33) & 0xFF for value in range(256))
_SUBTRACT_33 = bytes((value - 0x33) & 0xFF for value in range(256))


class Version(Enum):
    """The two editions; the values stand in the archive, in the configuration and in JSON."""

    V2007 = "dlt645-2007"
    V1997 = "dlt645-1997"


def _fault(raw: bytes) -> FrameError:
    """Return what keeps bytes from being a frame, the first fault from the left."""
    size = len(raw)
    if size < OVERHEAD:
        return FrameError("too short for a frame", size)
    if raw[0] != START:
        return FrameError("no start byte", 0)
    if raw[7] != START:
        return FrameError("no second start byte", 7)
    if size != OVERHEAD + raw[9]:
        return FrameError("length does not fit", 9)
    if raw[-1] != END:
        return FrameError("no end byte", size - 1)
    return FrameError("wrong checksum", size - 2)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: `address` is 12 hexadecimal digits, highest first; `data` is without the 33H."""

    address: str
    control: int
    data: bytes = b""

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Frame":
        """Return the frame that fills `raw` exactly. Raises FrameError (a ValueError)."""
        size = len(raw)
        is_whole = (
            size >= OVERHEAD
            and raw[0] == START
            and raw[7] == START
            and size == OVERHEAD + raw[9]
            and raw[-1] == END
            # The sum as in `byte_sum`, without the call: this is the path of every frame.
            and (adler32(raw[_SUMMED], 0) if size < _LONG else sum(raw[_SUMMED])) & 0xFF == raw[-2]
        )
        if not is_whole:
            raise _fault(raw)
        # Frozen dataclasses are slow to build; this saves a quarter of the whole decoding.
        frame = _new(cls)
        _set_address(frame, raw[_ADDRESS].hex().upper())
        _set_control(frame, raw[8])
        _set_data(frame, raw[_DATA].translate(_SUBTRACT_33))
        return frame

    def to_bytes(self) -> bytes:
        """Return the bytes on the line, no preamble. Raises ValueError if a field cannot be."""
        address = bytes.fromhex(self.address)[::-1]
        if len(address) != 6:
            raise ValueError(f"address {self.address!r} is not 12 hexadecimal digits")
        if len(self.data) > DATA_SIZE_MAX:
            raise ValueError(f"{len(self.data)} data bytes; a frame holds {DATA_SIZE_MAX}")
        head = b"\x68%b\x68%c%c" % (address, self.control, len(self.data))
        body = head + self.data.translate(_ADD_33)
        return body + bytes((byte_sum(body), END))

    @property
    def from_meter(self) -> bool:
        """Whether a meter sent it (D7)."""
        return bool(self.control & FROM_METER)

    @property
    def is_error(self) -> bool:
        """Whether it refuses a request (D6)."""
        return bool(self.control & ERROR)

    @property
    def has_more(self) -> bool:
        """Whether more data follows on request (D5)."""
        return bool(self.control & MORE)

    @property
    def function(self) -> int:
        """The function code (D4..D0), the same in a request and its reply."""
        return self.control & FUNCTION


_new = object.__new__
_set_address, _set_control, _set_data = (
    Frame.__dict__[name].__set__ for name in ("address", "control", "data")
)
