"""The data formats A.1 to A.27 and the plain binary ones (digest, section 15), both ways.

`decode` takes exactly `size` bytes and returns None when they hold no value of the format: EEH says
"missing", and whatever else is not BCD is taken for the same. `encode` raises ValueError when a
value does not fit; it writes what was read byte for byte. Numbers keep the digits of the wire, so
A.7 gives Decimal("220.0"); times are the local times of the device.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

MISSING = 0xEE
CENTURY = 2000
TEXT_ENCODING = "gb18030"


@dataclass(frozen=True, slots=True)
class Clock:
    """A.1: a local time with its weekday, 1 to 7 for Monday to Sunday, 0 for none."""

    time: datetime
    weekday: int

    @classmethod
    def of(cls, time: datetime) -> "Clock":
        """Return a local time with the weekday it falls on."""
        return cls(time.replace(microsecond=0), time.isoweekday())

    def __str__(self) -> str:
        return self.time.isoformat()


@dataclass(frozen=True, slots=True)
class PartTime:
    """A local time of which the wire carries only some parts; None is not carried."""

    year: int | None = None
    month: int | None = None
    day: int | None = None
    hour: int | None = None
    minute: int | None = None
    second: int | None = None

    def __str__(self) -> str:
        dates = [f"{part:02d}" for part in (self.year, self.month, self.day) if part is not None]
        times = [
            f"{part:02d}" for part in (self.hour, self.minute, self.second) if part is not None
        ]
        day = "-".join(dates)
        if day and self.month is None:
            day = f"day {day}"
        time = ":".join(times) if len(times) != 1 else f"{times[0]} h"
        return " ".join(part for part in (day, time) if part)


Value = Decimal | int | str | datetime | date | Clock | PartTime


class Format(ABC):
    """How one value lies on the wire."""

    size: int

    @abstractmethod
    def decode(self, raw: bytes) -> Value | None:
        """Return the value of exactly `size` bytes, None if there is none."""

    @abstractmethod
    def encode(self, value: Value) -> bytes:
        """Return the `size` bytes of a value. Raises ValueError."""

    def words(self, value: Value) -> str:
        """Return a value as text: numbers in decimal, times as ISO writes them."""
        if isinstance(value, Decimal):
            return f"{value:f}"
        if isinstance(value, datetime):
            return value.isoformat()
        return str(value)


def bcd_digits(raw: bytes) -> str | None:
    """Return the digits of BCD bytes, low byte first, or None if they are not BCD."""
    digits = raw[::-1].hex()
    return digits if digits.isdigit() else None


def _wrong(value: object, expected: str) -> ValueError:
    return ValueError(f"expected {expected}, got {value!r}")


def _decimal(value: Value) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (Decimal, int)):
        raise _wrong(value, "a number")
    number = Decimal(value)
    if not number.is_finite():
        raise _wrong(value, "a finite number")
    return number


def _digits_of(number: Decimal, decimals: int, size: int) -> str:
    """Return the digits of |number| without the point. Raises ValueError if they do not fit."""
    shifted = abs(number).scaleb(decimals)
    if shifted != shifted.to_integral_value():
        raise ValueError(f"{number} has more than {decimals} decimals")
    digits = f"{int(shifted):0{size}d}"
    if len(digits) > size:
        raise ValueError(f"{number} has more than {size} digits")
    return digits


class Bcd(Format):
    """Digits as the printed standard draws them: "XXX.X", with a sign bit on top "±XXX.X"."""

    def __init__(self, picture: str) -> None:
        self.picture = picture
        self.signed = picture.startswith("±")
        whole, _, fraction = picture.lstrip("±").partition(".")
        self.decimals = len(fraction)
        self.digits = len(whole) + len(fraction)
        self.size = self.digits // 2

    def decode(self, raw: bytes) -> Decimal | None:
        """Return the number of exactly `size` bytes, None if they are not BCD."""
        sign = ""
        if self.signed and raw[-1] & 0x80:
            sign = "-"
            raw = raw[:-1] + bytes((raw[-1] & 0x7F,))
        digits = bcd_digits(raw)
        if digits is None:
            return None
        point = self.digits - self.decimals
        return Decimal(f"{sign}{digits[:point]}.{digits[point:]}")

    def encode(self, value: Value) -> bytes:
        """Return the bytes of a number. Raises ValueError if digits would be lost."""
        number = _decimal(value)
        digits = _digits_of(number, self.decimals, self.digits)
        if not number.is_signed():
            if self.signed and digits[0] > "7":
                raise ValueError(f"{number} does not fit {self.picture}: the top digit ends at 7")
            return bytes.fromhex(digits)[::-1]
        if not self.signed:
            raise ValueError(f"{number} is negative, {self.picture} has no sign")
        if digits[0] > "7":
            raise ValueError(f"{number} does not fit {self.picture}: the top digit ends at 7")
        raw = bytearray.fromhex(digits)
        raw[0] |= 0x80
        return bytes(raw[::-1])


class ScaledBcd(Format):
    """A.2: three digits with a power of ten; the exponent of the Decimal is that power."""

    size = 2
    exponent_max = 4  # Scale 000; each step is one power less, down to 111.
    exponent_min = -3

    def decode(self, raw: bytes) -> Decimal | None:
        """Return the number of 2 bytes, None if they are not BCD."""
        digits = bcd_digits(bytes((raw[0], raw[1] & 0x0F)))
        if digits is None:
            return None
        exponent = self.exponent_max - (raw[1] >> 5)
        return Decimal(f"{'-' if raw[1] & 0x10 else ''}{digits}E{exponent}")

    def encode(self, value: Value) -> bytes:
        """Return the 2 bytes of a number. Raises ValueError if digits would be lost."""
        number = _decimal(value)
        exponent = _exponent_for(number, 3, range(self.exponent_min, self.exponent_max + 1))
        digits = _digits_of(number, -exponent, 4)
        top = (self.exponent_max - exponent) << 5 | number.is_signed() << 4
        return bytes((int(digits[2:], 16), top | int(digits[:2], 16)))


class EnergyBcd(Format):
    """A.3: seven digits in kWh (exponent 0) or MWh (exponent 3), or in 1/1000 yuan and yuan."""

    size = 4
    digits = 7

    def decode(self, raw: bytes) -> Decimal | None:
        """Return the number of 4 bytes, None if they are not BCD."""
        top = raw[3]
        digits = bcd_digits(raw[:3] + bytes((top & 0x0F,)))
        if digits is None or top & 0xA0:
            return None
        return Decimal(f"{'-' if top & 0x10 else ''}{digits}E{3 if top & 0x40 else 0}")

    def encode(self, value: Value) -> bytes:
        """Return the 4 bytes of a number. Raises ValueError if digits would be lost."""
        number = _decimal(value)
        exponent = _exponent_for(number, self.digits, (0, 3))
        raw = bytearray.fromhex(_digits_of(number, -exponent, self.digits + 1))
        raw[0] |= (exponent == 3) << 6 | number.is_signed() << 4
        return bytes(raw[::-1])


def _exponent_for(number: Decimal, digits: int, exponents: "tuple[int, ...] | range") -> int:
    """Return the exponent the number has, or the first one of those given that loses no digit."""
    own = number.as_tuple().exponent
    for exponent in sorted(exponents, key=lambda exponent: exponent != own):
        shifted = abs(number).scaleb(-exponent)
        if shifted == shifted.to_integral_value() and shifted < 10**digits:
            return exponent
    raise ValueError(f"{number} does not fit {digits} digits")


class PercentBcd(Format):
    """A.4: two digits, 0 to 79 percent, D7 set when it goes down."""

    size = 1

    def decode(self, raw: bytes) -> Decimal | None:
        """Return the number of 1 byte, None if it is not BCD."""
        digits = bcd_digits(bytes((raw[0] & 0x7F,)))
        if digits is None:
            return None
        return Decimal(f"{'-' if raw[0] & 0x80 else ''}{digits}")

    def encode(self, value: Value) -> bytes:
        """Return the byte of a number. Raises ValueError if it does not fit."""
        number = _decimal(value)
        digits = _digits_of(number, 0, 2)
        if digits[0] > "7":
            raise ValueError(f"{number} is not -79..79")
        return bytes((int(digits, 16) | number.is_signed() << 7,))


class AddressBcd(Format):
    """A.12: the 12 digits of a meter; other hex digits are met (AAH wildcards) and kept."""

    size = 6

    def decode(self, raw: bytes) -> str | None:
        """Return 12 hex digits, most significant first; None if it is all EEH."""
        return None if raw == _MISSING_ADDRESS else raw[::-1].hex().upper()

    def encode(self, value: Value) -> bytes:
        """Return the 6 bytes of 12 hex digits. Raises ValueError."""
        if not isinstance(value, str) or len(value) != 12:
            raise _wrong(value, "12 digits")
        return bytes.fromhex(value)[::-1]


_MISSING_ADDRESS = bytes((MISSING,)) * AddressBcd.size

_PART_MAX = {"second": 59, "minute": 59, "hour": 24, "day": 31, "month": 12, "year": 99}


class TimeBcd(Format):
    """Two BCD digits for each part, in the order of the wire.

    The value is a datetime when the parts reach from the minute or second to the year, a date when
    they reach from the day to the year, else a PartTime.
    """

    def __init__(self, *parts: str) -> None:
        self.parts = parts
        self.size = len(parts)
        self._build: Callable[..., Value] = PartTime
        if parts[-5:] == ("minute", "hour", "day", "month", "year"):
            self._build = datetime
        elif parts == ("day", "month", "year"):
            self._build = date

    def decode(self, raw: bytes) -> Value | None:
        """Return the time of exactly `size` bytes, None if there is no such time."""
        digits = raw.hex()
        if not digits.isdigit():
            return None
        parts = {part: int(digits[2 * i : 2 * i + 2]) for i, part in enumerate(self.parts)}
        if any(number > _PART_MAX[part] for part, number in parts.items()):
            return None
        if "year" in parts:
            parts["year"] += CENTURY
        try:
            return self._build(**parts)
        except ValueError:
            return None

    def encode(self, value: Value) -> bytes:
        """Return the bytes of a time. Raises ValueError if it lacks a part."""
        digits = ""
        for part in self.parts:
            number = getattr(value, part, None)
            if number is None:
                raise _wrong(value, f"a time with its {part}")
            if part == "year":
                number -= CENTURY
            if not 0 <= number <= _PART_MAX[part]:
                raise _wrong(value, f"a time whose {part} fits")
            digits += f"{number:02d}"
        return bytes.fromhex(digits)


_CLOCK_TIME = TimeBcd("second", "minute", "hour", "day", "month", "year")


class ClockBcd(Format):
    """A.1: second to year, the weekday in the top bits of the month."""

    size = 6

    def decode(self, raw: bytes) -> Clock | None:
        """Return the clock of 6 bytes, None if there is no such time."""
        time = _CLOCK_TIME.decode(raw[:4] + bytes((raw[4] & 0x1F, raw[5])))
        return Clock(time, raw[4] >> 5) if isinstance(time, datetime) else None

    def encode(self, value: Value) -> bytes:
        """Return the 6 bytes of a clock, or of a local datetime. Raises ValueError."""
        clock = Clock.of(value) if isinstance(value, datetime) else value
        if not isinstance(clock, Clock) or not 0 <= clock.weekday <= 7:
            raise _wrong(value, "a clock")
        raw = bytearray(_CLOCK_TIME.encode(clock.time))
        raw[4] |= clock.weekday << 5
        return bytes(raw)


class Unsigned(Format):
    """A binary number, low byte first."""

    def __init__(self, size: int) -> None:
        self.size = size

    def decode(self, raw: bytes) -> int | None:
        """Return the number; every number is one, EEH too."""
        return int.from_bytes(raw, "little")

    def encode(self, value: Value) -> bytes:
        """Return the bytes of a number. Raises ValueError if it does not fit."""
        if not isinstance(value, int):
            raise _wrong(value, "a whole number")
        if not 0 <= value < 1 << 8 * self.size:
            raise _wrong(value, f"a number of {self.size} bytes")
        return value.to_bytes(self.size, "little")


class Bits(Unsigned):
    """BSn: single bits, D0 the least significant; in words hex digits, highest first."""

    def words(self, value: Value) -> str:
        """Return the bits as hex digits."""
        return f"{value:0{2 * self.size}X}"


class Octets(Format):
    """Bytes that are not looked into, as hex digits in the order of the wire."""

    def __init__(self, size: int) -> None:
        self.size = size

    def decode(self, raw: bytes) -> str | None:
        """Return the hex digits."""
        return raw.hex().upper()

    def encode(self, value: Value) -> bytes:
        """Return the bytes of hex digits. Raises ValueError if they are not `size` bytes."""
        if not isinstance(value, str):
            raise _wrong(value, "hex digits")
        raw = bytes.fromhex(value)
        if len(raw) != self.size:
            raise _wrong(value, f"{self.size} bytes")
        return raw


class Characters(Format):
    """Text, padded with zero bytes; GB18030, which holds ASCII and GB2312."""

    def __init__(self, size: int) -> None:
        self.size = size

    def decode(self, raw: bytes) -> str | None:
        """Return the text without its padding, None if it is no text."""
        try:
            text = raw.rstrip(b"\0").decode(TEXT_ENCODING)
        except UnicodeDecodeError:
            return None
        return text if text.encode(TEXT_ENCODING).ljust(self.size, b"\0") == raw else None

    def encode(self, value: Value) -> bytes:
        """Return the padded bytes of a text. Raises ValueError if it is too long."""
        if not isinstance(value, str):
            raise _wrong(value, "a text")
        raw = value.encode(TEXT_ENCODING)
        if len(raw) > self.size:
            raise _wrong(value, f"a text of {self.size} bytes")
        return raw.ljust(self.size, b"\0")


class Nibbles(Format):
    """A phone number: digits from left to right, filled up with F."""

    def __init__(self, size: int) -> None:
        self.size = size

    def decode(self, raw: bytes) -> str | None:
        """Return the digits (a to e stand for signs of their own), None if F stands inside."""
        digits = raw.hex().upper().rstrip("F")
        return None if "F" in digits else digits

    def encode(self, value: Value) -> bytes:
        """Return the padded bytes. Raises ValueError if there are too many digits."""
        if not isinstance(value, str) or len(value) > 2 * self.size or "F" in value.upper():
            raise _wrong(value, f"up to {2 * self.size} digits")
        return bytes.fromhex(value.ljust(2 * self.size, "F"))


class IpAddress(Format):
    """Four bytes in reading order."""

    size = 4

    def decode(self, raw: bytes) -> str | None:
        """Return "192.168.0.1"."""
        return ".".join(map(str, raw))

    def encode(self, value: Value) -> bytes:
        """Return the four bytes. Raises ValueError."""
        parts = value.split(".") if isinstance(value, str) else []
        if len(parts) != self.size or not all(part.isdigit() for part in parts):
            raise _wrong(value, "four numbers with points between")
        return bytes(map(int, parts))


class RegionBcd(Format):
    """A1 of a terminal's address as four hex digits."""

    size = 2

    def decode(self, raw: bytes) -> str | None:
        """Return four hex digits, most significant first."""
        return raw[::-1].hex().upper()

    def encode(self, value: Value) -> bytes:
        """Return the 2 bytes. Raises ValueError."""
        if not isinstance(value, str) or len(value) != 4:
            raise _wrong(value, "four hex digits")
        return bytes.fromhex(value)[::-1]


A1 = ClockBcd()
A2 = ScaledBcd()
A3 = EnergyBcd()
A4 = PercentBcd()
A5 = Bcd("±XXX.X")
A6 = Bcd("±XX.XX")
A7 = Bcd("XXX.X")
A8 = Bcd("XXXX")
A9 = Bcd("±XX.XXXX")
A10 = Bcd("XXXXXX")
A11 = Bcd("XXXXXX.XX")
A12 = AddressBcd()
A13 = Bcd("XXXX.XXXX")
A14 = Bcd("XXXXXX.XXXX")
A15 = TimeBcd("minute", "hour", "day", "month", "year")
A16 = TimeBcd("second", "minute", "hour", "day")
A17 = TimeBcd("minute", "hour", "day", "month")
A18 = TimeBcd("minute", "hour", "day")
A19 = TimeBcd("minute", "hour")
A20 = TimeBcd("day", "month", "year")
A21 = TimeBcd("month", "year")
A22 = Bcd("X.X")
A23 = Bcd("XX.XXXX")
A24 = TimeBcd("hour", "day")
A25 = Bcd("±XXX.XXX")
A26 = Bcd("X.XXX")
A27 = Bcd("XXXXXXXX")

U8 = Unsigned(1)
U16 = Unsigned(2)
U32 = Unsigned(4)
BS8 = Bits(1)
BS16 = Bits(2)
BS24 = Bits(3)
BS32 = Bits(4)
BS64 = Bits(8)
IP = IpAddress()
REGION = RegionBcd()
