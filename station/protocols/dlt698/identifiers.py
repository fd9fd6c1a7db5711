"""What names things: objects and their columns, methods, target addresses (digest, sections 7, 14).

None of these holds `Data`; selections of records and of meters do, and stand in `data`.
"""

from dataclasses import dataclass
from typing import Annotated

from station.protocols.line import LineSettings, Parity

from .axdr import I8, U8, U16, U32, Choice, Wire

# The two top bits of AF, and of the first byte of a TSA (section 1.2).
SINGLE = 0
WILDCARD = 1
GROUP = 2
BROADCAST = 3

ADDRESS_SIZE_MAX = 16  # Four bits hold the size less one.

# TI
SECOND, MINUTE, HOUR, DAY, MONTH, YEAR = range(6)

BAUD_RATES = (300, 600, 1200, 2400, 4800, 7200, 9600, 19200, 38400, 57600, 115200)
BAUD_AUTO = 255
PARITIES: tuple[Parity, ...] = ("N", "O", "E")


@dataclass(frozen=True, slots=True)
class Oad(Wire):
    """Object attribute descriptor: OI 2, attribute 1, index 1; `code` is all of it."""

    code: U32

    @classmethod
    def of(cls, oi: int, attribute: int = 2, index: int = 0) -> "Oad":
        """Return the descriptor of an attribute of an object, or of one element of it."""
        return cls(oi << 16 | attribute << 8 | index)

    @classmethod
    def from_text(cls, text: str) -> "Oad":
        """Return the descriptor written as 8 hex digits. Raises ValueError if it is not."""
        return cls(_code_of(text))

    @property
    def text(self) -> str:
        """Return the 8 hex digits."""
        return f"{self.code:08X}"

    @property
    def oi(self) -> int:
        """Return the object identifier."""
        return self.code >> 16

    @property
    def attribute(self) -> int:
        """Return the number of the attribute; 0 is all of them, 2 the value of most classes."""
        return self.code >> 8 & 0x1F

    @property
    def feature(self) -> int:
        """Return the snapshot feature, the three bits above the attribute."""
        return self.code >> 13 & 0x07

    @property
    def index(self) -> int:
        """Return which element is meant: 0 all, else counted from 1 (records: from the last)."""
        return self.code & 0xFF


@dataclass(frozen=True, slots=True)
class Omd(Wire):
    """Object method descriptor: OI 2, method 1, mode 1; `code` is all of it."""

    code: U32

    @classmethod
    def of(cls, oi: int, method: int, mode: int = 0) -> "Omd":
        """Return the descriptor of a method of an object."""
        return cls(oi << 16 | method << 8 | mode)

    @classmethod
    def from_text(cls, text: str) -> "Omd":
        """Return the descriptor written as 8 hex digits. Raises ValueError if it is not."""
        return cls(_code_of(text))

    @property
    def text(self) -> str:
        """Return the 8 hex digits."""
        return f"{self.code:08X}"

    @property
    def oi(self) -> int:
        """Return the object identifier."""
        return self.code >> 16

    @property
    def method(self) -> int:
        """Return the number of the method."""
        return self.code >> 8 & 0xFF

    @property
    def mode(self) -> int:
        """Return the mode; the standard knows 0 only."""
        return self.code & 0xFF


def _code_of(text: str) -> int:
    if len(text) != 8:
        raise ValueError(f"a descriptor is eight hex digits, got {text!r}")
    return int.from_bytes(bytes.fromhex(text), "big")


@dataclass(frozen=True, slots=True)
class Road(Wire):
    """Record object: a store and the columns wanted from it."""

    oad: Oad
    columns: tuple[Oad, ...]


# One column of a record, and all of them.
Csd = Annotated[Oad | Road, Choice("CSD", {0: Oad, 1: Road})]
Rcsd = tuple[Csd, ...]


@dataclass(frozen=True, slots=True)
class Ti(Wire):
    """Time interval: a unit (SECOND .. YEAR) and how many of it."""

    unit: U8
    count: U16


@dataclass(frozen=True, slots=True)
class Tsa(Wire):
    """Target server address: a byte like AF, then the address highest digits first."""

    raw: bytes

    @classmethod
    def of(cls, address: str, kind: int = SINGLE, logical: int = 0) -> "Tsa":
        """Return the address written in hex digits. Raises ValueError if it is not."""
        digits = bytes.fromhex(address)
        return cls(bytes((address_byte(kind, logical, len(digits)),)) + digits)

    @property
    def address(self) -> str:
        """Return the address in hex digits, highest first."""
        return self.raw[1:].hex().upper()

    @property
    def kind(self) -> int:
        """Return SINGLE, WILDCARD, GROUP or BROADCAST; an empty TSA is SINGLE."""
        return self.raw[0] >> 6 if self.raw else SINGLE

    @property
    def logical(self) -> int:
        """Return the logical address, 0..3."""
        return self.raw[0] >> 4 & 0x03 if self.raw else 0


def address_byte(kind: int, logical: int, size: int) -> int:
    """Return AF. Raises ValueError for what its bits cannot hold."""
    if not 0 <= kind <= BROADCAST:
        raise ValueError(f"an address kind is 0..{BROADCAST}, got {kind}")
    if not 0 <= logical <= 3:
        raise ValueError(f"a logical address is 0..3, got {logical}")
    if not 1 <= size <= ADDRESS_SIZE_MAX:
        raise ValueError(f"an address has 1..{ADDRESS_SIZE_MAX} bytes, got {size}")
    return kind << 6 | logical << 4 | size - 1


@dataclass(frozen=True, slots=True)
class ScalerUnit(Wire):
    """value = integer times ten to the exponent, in the unit (`shapes.UNITS`)."""

    exponent: I8
    unit: U8


@dataclass(frozen=True, slots=True)
class Sid(Wire):
    """Security identification: of the key, with data that belongs to it."""

    identity: U32
    attachment: bytes


@dataclass(frozen=True, slots=True)
class SidMac(Wire):
    """Security identification with the message authentication code."""

    sid: Sid
    mac: bytes


@dataclass(frozen=True, slots=True)
class Comdcb(Wire):
    """Settings of a port: baud rate and parity by number, bits, flow control (0 is none)."""

    baud: U8
    parity: U8
    data_bits: U8
    stop_bits: U8
    flow: U8 = 0

    @classmethod
    def of(cls, line: LineSettings) -> "Comdcb":
        """Return the settings of a line. Raises ValueError for a speed that has no number."""
        if line.speed not in BAUD_RATES:
            allowed = ", ".join(map(str, BAUD_RATES))
            raise ValueError(f"a port runs at {allowed} bit/s, not at {line.speed}")
        baud = BAUD_RATES.index(line.speed)
        return cls(baud, PARITIES.index(line.parity), line.data_bits, line.stop_bits)

    @property
    def line(self) -> LineSettings | None:
        """Return the settings as those of a line, or None if they are none (such as auto)."""
        try:
            return LineSettings(
                BAUD_RATES[self.baud], PARITIES[self.parity], self.data_bits, self.stop_bits
            )
        except (IndexError, ValueError):
            return None
