"""One frame of Q/GDW 376.1 / 1376.1 (digest, sections 1 to 6).

    68H | L 2 | L 2 | 68H | C | A1 2, A2 2, A3 1 | AFN | SEQ | data | PW, EC, Tp | CS | 16H

L holds the size of C..Tp times four, plus the protocol identification. CS is the sum of these
bytes, modulo 256. Which of PW, EC and Tp are there follows from AFN, from C and from SEQ; they are
taken off the end, and one that would eat into the first data unit identification is taken as
absent, because terminals set the bits without appending the bytes. Encoding is exact: what was read
is written again byte for byte.
"""

import struct
from dataclasses import dataclass
from functools import lru_cache

from station.protocols.checksum import byte_sum
from station.protocols.faults import FrameError

START = 0x68
END = 0x16
PREAMBLE = 0xFE

# L D1-D0, section 1.
PROTOCOL_2005 = 1  # Q/GDW 130-2005: the same envelope, other contents.
PROTOCOL_2009 = 2

ENVELOPE_SIZE = 8  # Both 68H, both L, CS and 16H.
HEADER_SIZE = 6
USER_SIZE_MIN = 8  # C, A, AFN, SEQ: AFN08 carries no data.
USER_SIZE_MAX = 16383  # Fourteen bits of L.
FRAME_SIZE_MIN = ENVELOPE_SIZE + USER_SIZE_MIN
DATA_START = 14
IDENTIFICATION_SIZE = 4  # DA and DT of the first data unit.

PASSWORD_SIZE = 16
EVENTS_SIZE = 2
TIME_TAG_SIZE = 6

# C
UP = 0x80  # DIR: the terminal sends.
INITIATOR = 0x40  # PRM
ACCESS_DEMAND = 0x20  # ACD, up only: important events wait, EC is appended.
FUNCTION_MASK = 0x0F

# SEQ
TIME_TAGGED = 0x80  # TpV
FIRST = 0x40
LAST = 0x20
SINGLE = FIRST | LAST
CONFIRM = 0x10  # CON
SEQUENCE_MASK = 0x0F

# AFN, section 7.
CONFIRMATION = 0x00
RESET = 0x01
LINK_TEST = 0x02
RELAY_STATION = 0x03
SET_PARAMETERS = 0x04
CONTROL = 0x05
AUTHENTICATION = 0x06
CASCADE = 0x08
CONFIGURATION = 0x09
QUERY_PARAMETERS = 0x0A
TASK_DATA = 0x0B
CLASS_1 = 0x0C
CLASS_2 = 0x0D
CLASS_3 = 0x0E
FILE_TRANSFER = 0x0F
FORWARDING = 0x10

# PW closes these frames, section 6 and the list of section 7 (AFN06 both ways).
PASSWORD_DOWN = frozenset(
    (RESET, SET_PARAMETERS, CONTROL, AUTHENTICATION, FILE_TRANSFER, FORWARDING)
)
PASSWORD_UP = frozenset((AUTHENTICATION,))

HEX_DIGITS = frozenset("0123456789ABCDEF")
ADDRESSES_CACHED_MAX = 32768  # Twice the terminals one station is built for.

_HEADER = struct.Struct("<BHHB")
_ADDRESS = struct.Struct("<HHB")
_USER_HEAD = struct.Struct("<BHHBBB")


@dataclass(frozen=True, slots=True)
class Address:
    """Address field A (section 3); regions that are not BCD are met and kept.

    `region` is A1 as four upper-case hex digits, `terminal` is A2, `master` is MSA.
    """

    region: str
    terminal: int
    master: int = 0
    group: bool = False

    def __post_init__(self) -> None:
        if len(self.region) != 4 or not set(self.region) <= HEX_DIGITS:
            raise ValueError(f"a region is four upper-case hex digits, got {self.region!r}")
        if not 0 <= self.terminal <= 0xFFFF:
            raise ValueError(f"a terminal address is 0..65535, got {self.terminal}")
        if not 0 <= self.master <= 127:
            raise ValueError(f"a master station address is 0..127, got {self.master}")

    @classmethod
    def from_text(cls, text: str, master: int = 0) -> "Address":
        """Return the address written as 8 hex digits. Raises ValueError if it is not."""
        digits = text.upper()
        if len(digits) != 8 or not set(digits) <= HEX_DIGITS:
            raise ValueError(f"a terminal address is eight hex digits, got {text!r}")
        return cls(digits[:4], int(digits[4:], 16), master)

    @property
    def text(self) -> str:
        """Return A1 and A2 as 8 hex digits: the key of a terminal everywhere."""
        return f"{self.region}{self.terminal:04X}"

    def with_master(self, master: int) -> "Address":
        """Return the same terminal, asked by another master station."""
        return Address(self.region, self.terminal, master, self.group)

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Address":
        """Return the address that 5 wire bytes hold."""
        region, terminal, last = _ADDRESS.unpack(raw)
        return cls(f"{region:04X}", terminal, last >> 1, bool(last & 1))

    def to_bytes(self) -> bytes:
        """Return the 5 wire bytes."""
        return _ADDRESS.pack(int(self.region, 16), self.terminal, self.master << 1 | self.group)


# Frames of one terminal repeat one address; finding it again is ten times cheaper than making it.
_address_of = lru_cache(maxsize=ADDRESSES_CACHED_MAX)(Address.from_bytes)


@dataclass(frozen=True, slots=True)
class TimeTag:
    """Tp (section 6): PFC, the four bytes of the sending time in A.16, the allowed delay."""

    counter: int
    sent: bytes
    delay_min: int

    @classmethod
    def from_bytes(cls, raw: bytes) -> "TimeTag":
        """Return the tag that 6 wire bytes hold."""
        return cls(raw[0], raw[1:5], raw[5])

    def to_bytes(self) -> bytes:
        """Return the 6 wire bytes."""
        return bytes((self.counter, *self.sent, self.delay_min))


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; `data` is everything between SEQ and the closing PW, EC and Tp."""

    control: int
    address: Address
    afn: int
    seq: int
    data: bytes
    password: bytes = b""
    events: tuple[int, int] | None = None
    time_tag: TimeTag | None = None
    protocol: int = PROTOCOL_2009

    @classmethod
    def from_bytes(
        cls, raw: bytes, password_size: int = PASSWORD_SIZE, accept_2005: bool = False
    ) -> "Frame":
        """Return the frame that exactly these bytes hold. Raises FrameError."""
        user_size, protocol = read_header(raw)
        size = user_size + ENVELOPE_SIZE
        if len(raw) != size:
            raise FrameError(f"L says {size} bytes, {len(raw)} are here", min(size, len(raw)))
        if protocol != PROTOCOL_2009:
            check_protocol(protocol, accept_2005)
        if raw[-1] != END:
            raise FrameError("no 16H", size - 1)
        total = byte_sum(raw[HEADER_SIZE:-2])
        if total != raw[-2]:
            raise FrameError(f"checksum is {raw[-2]:02X}H, sum is {total:02X}H", size - 2)
        return cls._from_sound(raw, size - 2, password_size, protocol)

    @classmethod
    def _from_sound(cls, raw: bytes, end: int, password_size: int, protocol: int) -> "Frame":
        control, afn, seq = raw[6], raw[12], raw[13]
        data_end_min = DATA_START + IDENTIFICATION_SIZE
        time_tag = events = None
        password = b""
        if seq & TIME_TAGGED and end - TIME_TAG_SIZE >= data_end_min:
            end -= TIME_TAG_SIZE
            time_tag = TimeTag.from_bytes(raw[end : end + TIME_TAG_SIZE])
        if control & UP:
            if control & ACCESS_DEMAND and end - EVENTS_SIZE >= data_end_min:
                end -= EVENTS_SIZE
                events = raw[end], raw[end + 1]
            closed = afn in PASSWORD_UP
        else:
            closed = afn in PASSWORD_DOWN
        if closed and end - password_size >= data_end_min:
            password = raw[end - password_size : end]
            end -= password_size
        return cls(
            control,
            _address_of(raw[7:12]),
            afn,
            seq,
            raw[DATA_START:end],
            password,
            events,
            time_tag,
            protocol,
        )

    def to_bytes(self) -> bytes:
        """Return the wire bytes. Raises ValueError if the data is too long for one frame."""
        address = self.address
        user = _USER_HEAD.pack(
            self.control,
            int(address.region, 16),
            address.terminal,
            address.master << 1 | address.group,
            self.afn,
            self.seq,
        )
        user += self.data + self.password
        if self.events is not None:
            user += bytes(self.events)
        if self.time_tag is not None:
            user += self.time_tag.to_bytes()
        if len(user) > USER_SIZE_MAX:
            raise ValueError(f"a frame holds {USER_SIZE_MAX} bytes, got {len(user)}")
        length = len(user) << 2 | self.protocol
        return _HEADER.pack(START, length, length, START) + user + bytes((byte_sum(user), END))

    @property
    def from_terminal(self) -> bool:
        """Tell whether the terminal sends it (DIR)."""
        return bool(self.control & UP)

    @property
    def from_initiator(self) -> bool:
        """Tell whether it opens an exchange (PRM) and is not an answer."""
        return bool(self.control & INITIATOR)

    @property
    def access_demand(self) -> bool:
        """Tell whether a terminal says that important events wait (ACD)."""
        return self.control & (UP | ACCESS_DEMAND) == UP | ACCESS_DEMAND

    @property
    def wants_confirmation(self) -> bool:
        """Tell whether the receiver has to confirm it (CON)."""
        return bool(self.seq & CONFIRM)

    @property
    def first(self) -> bool:
        """Tell whether it is the first frame of an answer (FIR)."""
        return bool(self.seq & FIRST)

    @property
    def last(self) -> bool:
        """Tell whether it is the last frame of an answer (FIN)."""
        return bool(self.seq & LAST)

    @property
    def sequence(self) -> int:
        """Return PSEQ or RSEQ, 0..15."""
        return self.seq & SEQUENCE_MASK


def read_header(raw: bytes) -> tuple[int, int]:
    """Return the size of C..Tp and the protocol identification. Raises FrameError."""
    if len(raw) < HEADER_SIZE:
        raise FrameError("the header is cut off", len(raw))
    start, length, again, second_start = _HEADER.unpack_from(raw)
    if start != START:
        raise FrameError("no 68H", 0)
    if length != again:
        raise FrameError("the two L differ", 3)
    if second_start != START:
        raise FrameError("no second 68H", 5)
    user_size = length >> 2
    if user_size < USER_SIZE_MIN:
        raise FrameError(f"L says {user_size} bytes, at least {USER_SIZE_MIN} are needed", 1)
    return user_size, length & 3


def check_protocol(protocol: int, accept_2005: bool) -> None:
    """Raise FrameError unless the protocol identification is one to accept."""
    if protocol == PROTOCOL_2009 or (protocol == PROTOCOL_2005 and accept_2005):
        return
    if protocol == PROTOCOL_2005:
        raise FrameError("old protocol identification 1 (Q/GDW 130-2005)", 1)
    raise FrameError(f"protocol identification {protocol} is not in use", 1)
