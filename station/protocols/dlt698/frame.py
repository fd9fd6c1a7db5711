"""One frame of DL/T 698.45 (digest, section 1).

    68H | L 2 | C | AF, SA 1..16 | CA | HCS 2 | user data | FCS 2 | 16H

L counts all bytes but the first and the last. HCS covers L..CA, FCS covers L..user data with HCS in
between. Of the link layer the lowest byte goes first; SA too, so its digits are reversed. User data
is an APDU or, when C says so, a piece of one behind a format word (section 3); with SC set, 33H has
been added to each of its bytes and the checksums are those of the bytes as sent.
"""

import struct
from binascii import crc_hqx
from dataclasses import dataclass
from functools import lru_cache

from station.protocols.faults import FrameError

from .identifiers import ADDRESS_SIZE_MAX, SINGLE, WILDCARD, Tsa, address_byte

__all__ = ["Frame", "FrameError", "ServerAddress"]

START = 0x68
END = 0x16
PREAMBLE = 0xFE

# C
UP = 0x80  # DIR: the server, a terminal or a meter, sends.
BY_CLIENT = 0x40  # PRM: the client opened the exchange.
SPLIT = 0x20
SCRAMBLED = 0x08  # SC
FUNCTION_MASK = 0x07

# Functions of C.
LINK_MANAGEMENT = 1
USER_DATA = 3

LENGTH_MASK = 0x3FFF  # The two top bits are a matter of later editions.
LENGTH_MIN = 10
LENGTH_MAX = LENGTH_MASK
ENVELOPE_SIZE = 2  # 68H and 16H, which L does not count.
FRAME_SIZE_MIN = LENGTH_MIN + ENVELOPE_SIZE
FRAME_SIZE_MAX = LENGTH_MAX + ENVELOPE_SIZE

CHECKSUM_SIZE = 2
HEADER_START_SIZE = 5  # 68H, L, C and AF, which says how long the rest of the header is.
HEADER_SIZE_MIN = HEADER_START_SIZE + 1 + 1 + CHECKSUM_SIZE
HEADER_SIZE_MAX = HEADER_START_SIZE + ADDRESS_SIZE_MAX + 1 + CHECKSUM_SIZE
TRAILER_SIZE = CHECKSUM_SIZE + 1
FORMAT_WORD_SIZE = 2

NO_CLIENT = 0  # CA: not specified, as terminals put it into their logins (digest, section 1.2).

HEX_DIGITS = frozenset("0123456789ABCDEF")
ADDRESSES_CACHED_MAX = 32768  # Twice the terminals one station is built for.

_START_AND_LENGTH = struct.Struct("<BH")

_ADD_33 = bytes((value + 0x33) & 0xFF for value in range(256))
_SUBTRACT_33 = bytes((value - 0x33) & 0xFF for value in range(256))
_MIRROR = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
_MIRROR_AND_INVERT = bytes(value ^ 0xFF for value in _MIRROR)


def checksum(data: bytes) -> bytes:
    """Return HCS or FCS as sent: the FCS-16 of PPP (polynomial 8408H, lowest bit first).

    `crc_hqx` has the same polynomial with the highest bit first, so it is fed mirrored bytes, and
    its result is mirrored and inverted.
    """
    return crc_hqx(data.translate(_MIRROR), 0xFFFF).to_bytes(2, "big").translate(_MIRROR_AND_INVERT)


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """AF and SA (section 1.2): of a terminal or meter.

    `digits` are the hex digits of SA, highest first. In a WILDCARD address A matches any digit.
    """

    digits: str
    kind: int = SINGLE
    logical: int = 0

    def __post_init__(self) -> None:
        if len(self.digits) % 2 or not set(self.digits) <= HEX_DIGITS:
            raise ValueError(f"an address is whole bytes in upper-case hex, got {self.digits!r}")
        address_byte(self.kind, self.logical, len(self.digits) // 2)

    @classmethod
    def from_text(cls, text: str) -> "ServerAddress":
        """Return the address of one device by its digits; an odd one out is filled up with F.

        Raises ValueError if they are none.
        """
        digits = text.upper()
        return cls(digits if len(digits) % 2 == 0 else digits + "F")

    @property
    def text(self) -> str:
        """Return the digits: the key of a terminal everywhere."""
        return self.digits

    @classmethod
    def from_bytes(cls, raw: bytes) -> "ServerAddress":
        """Return the address that AF and SA hold."""
        return cls(raw[:0:-1].hex().upper(), raw[0] >> 6, raw[0] >> 4 & 0x03)

    def to_bytes(self) -> bytes:
        """Return AF and SA."""
        address = bytes.fromhex(self.digits)[::-1]
        return bytes((address_byte(self.kind, self.logical, len(address)),)) + address

    def is_met_by(self, other: "ServerAddress") -> bool:
        """Tell whether a frame from `other` can be the answer to one sent here.

        Bench tools send A in every place without saying that it is a wildcard, and are answered.
        """
        if self.digits == other.digits or self.logical != other.logical:
            return self.logical == other.logical
        is_wildcard = self.kind == WILDCARD or set(self.digits) == {"A"}
        return (
            is_wildcard
            and len(self.digits) == len(other.digits)
            and all(mine in ("A", its) for mine, its in zip(self.digits, other.digits, strict=True))
        )

    @property
    def tsa(self) -> Tsa:
        """Return the same address as it stands inside an APDU."""
        return Tsa.of(self.digits, self.kind, self.logical)


# Frames of one terminal repeat one address; finding it again is ten times cheaper than making it.
_address_of = lru_cache(maxsize=ADDRESSES_CACHED_MAX)(ServerAddress.from_bytes)
_address_bytes = lru_cache(maxsize=ADDRESSES_CACHED_MAX)(ServerAddress.to_bytes)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; `client` is CA.

    `apdu` is the user data, never scrambled here. In a split frame it is a piece of the APDU, and
    `word` the format word in front of it.
    """

    control: int
    server: ServerAddress
    client: int
    apdu: bytes
    word: int | None = None

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Frame":
        """Return the frame that exactly these bytes hold. Raises FrameError."""
        size = frame_size(raw)
        if len(raw) != size:
            raise FrameError(f"L says {size} bytes, {len(raw)} are here", min(size, len(raw)))
        if raw[-1] != END:
            raise FrameError("no 16H", size - 1)
        end = size - TRAILER_SIZE
        if checksum(raw[1:end]) != raw[end:-1]:
            raise FrameError("wrong FCS", end)
        control = raw[3]
        header_size = HEADER_SIZE_MIN + (raw[4] & 0x0F)
        apdu = raw[header_size:end]
        if control & SCRAMBLED:
            apdu = apdu.translate(_SUBTRACT_33)
        word = None
        if control & SPLIT:
            if len(apdu) < FORMAT_WORD_SIZE:
                raise FrameError("a split frame without a format word", header_size)
            word = int.from_bytes(apdu[:FORMAT_WORD_SIZE], "little")
            apdu = apdu[FORMAT_WORD_SIZE:]
        address_end = header_size - CHECKSUM_SIZE - 1
        return cls(control, _address_of(raw[4:address_end]), raw[address_end], apdu, word)

    def to_bytes(self) -> bytes:
        """Return the wire bytes. Raises ValueError if the APDU is too long for one frame."""
        if bool(self.control & SPLIT) != (self.word is not None):
            raise ValueError("a split frame, and no other, has a format word")
        user = self.apdu
        if self.word is not None:
            if not 0 <= self.word <= 0xFFFF:
                raise ValueError(f"a format word is 0..FFFFH, got {self.word}")
            user = self.word.to_bytes(FORMAT_WORD_SIZE, "little") + user
        if self.control & SCRAMBLED:
            user = user.translate(_ADD_33)
        address = _address_bytes(self.server)
        size = HEADER_SIZE_MIN - 2 + len(address) + len(user) + TRAILER_SIZE
        if size > FRAME_SIZE_MAX:
            raise ValueError(f"a frame has {FRAME_SIZE_MAX} bytes at most, this one {size}")
        start = _START_AND_LENGTH.pack(START, size - ENVELOPE_SIZE)
        header = start + bytes((self.control, *address, self.client))
        body = header + checksum(header[1:]) + user
        return body + checksum(body[1:]) + b"\x16"

    @property
    def from_terminal(self) -> bool:
        """Tell whether the server, a terminal or meter, sends it (DIR)."""
        return bool(self.control & UP)

    @property
    def from_initiator(self) -> bool:
        """Tell whether its sender opened the exchange (DIR and PRM), so it is no answer."""
        return bool(self.control & UP) != bool(self.control & BY_CLIENT)

    @property
    def is_split(self) -> bool:
        """Tell whether it carries a piece of an APDU only, or the acknowledgement of one."""
        return bool(self.control & SPLIT)

    @property
    def is_scrambled(self) -> bool:
        """Tell whether its user data is sent with 33H added (SC)."""
        return bool(self.control & SCRAMBLED)

    @property
    def function(self) -> int:
        """Return LINK_MANAGEMENT, USER_DATA, or a number that is reserved."""
        return self.control & FUNCTION_MASK


def frame_size(raw: bytes) -> int:
    """Return the size of a frame by its header, HCS included. Raises FrameError."""
    if len(raw) < HEADER_START_SIZE:
        raise FrameError("the header is cut off", len(raw))
    start: int
    length: int
    start, length = _START_AND_LENGTH.unpack_from(raw)
    if start != START:
        raise FrameError("no 68H", 0)
    if length > LENGTH_MASK:
        raise FrameError(f"L is {length:04X}H, its two top bits belong to later editions", 1)
    header_size = HEADER_SIZE_MIN + (raw[4] & 0x0F)
    if length + ENVELOPE_SIZE < header_size + TRAILER_SIZE:
        raise FrameError(f"L says {length} bytes, its header has more", 1)
    if len(raw) < header_size:
        raise FrameError("the header is cut off", len(raw))
    hcs_at = header_size - CHECKSUM_SIZE
    if checksum(raw[1:hcs_at]) != raw[hcs_at:header_size]:
        raise FrameError("wrong HCS", hcs_at)
    return length + ENVELOPE_SIZE
