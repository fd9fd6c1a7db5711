"""How one value lies in the data field: the formats of the standard, both ways (digest 3).

A format has a `size` in bytes, `decode(data)` and `encode(value)`. `decode` returns None where
every byte is FFH (the meter has no such item or phase) or EEH (the same, from concentrators), and
raises ValueError for digits that mean nothing. `encode` takes what `decode` returns and raises
ValueError for a value that does not fit.
"""

from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import NamedTuple, Protocol

from station.protocols import bcd

Value = Decimal | datetime | date | time | str | int | None

ALL_THAT_IS_LEFT = -1  # The size of a format that takes what the other parts leave.
_ABSENT = (0xFF, 0xEE)
_SIGN = 0x80  # The top bit of the top byte.
_HIGHEST_FIRST = slice(None, None, -1)


class Timed(NamedTuple):
    """A maximum and the time at which it occurred."""

    value: Value
    time: Value


Content = Value | Timed


class Format(Protocol):
    """What every format below can do."""

    @property
    def size(self) -> int:
        """Bytes on the line, or ALL_THAT_IS_LEFT."""

    def decode(self, data: bytes) -> Content:
        """Return the value of exactly `size` bytes. Raises ValueError."""

    def encode(self, value: Content) -> bytes:
        """Return the bytes of a value. Raises ValueError."""


def is_absent(data: bytes) -> bool:
    """Whether the meter says that it has no such value."""
    return bool(data) and data[0] in _ABSENT and data == data[:1] * len(data)


def _require_absent(data: bytes) -> None:
    """Raise ValueError unless the meter says that it has no such value."""
    if not is_absent(data):
        raise ValueError(f"{data.hex(' ').upper()} is no value")


class Bcd:
    """A number without sign, such as `XXXXXX.XX`: packed BCD, the point implied."""

    def __init__(self, picture: str) -> None:
        whole, _, fraction = picture.partition(".")
        self.picture = picture
        self.size = (len(whole) + len(fraction) + 1) // 2  # XXX is sent as 0XXX.
        self._decimals = len(fraction)
        self._step = Decimal(1).scaleb(-len(fraction))

    def decode(self, data: bytes) -> Decimal | None:
        try:  # Quicker than a look at the digits first and than a Decimal of the text.
            return int(data[_HIGHEST_FIRST].hex()) * self._step
        except ValueError:
            _require_absent(data)
            return None

    def encode(self, value: Content) -> bytes:
        if value is None:
            return b"\xff" * self.size
        return bcd.from_number(self._scaled(value), self.size)

    def _scaled(self, value: Content) -> int:
        if not isinstance(value, Decimal | int):
            raise ValueError(f"{value!r} is no number")
        number = Decimal(value).scaleb(self._decimals)
        if number != number.to_integral_value():
            raise ValueError(f"{value} has more than {self._decimals} decimals")
        return int(number)


class SignedBcd(Bcd):
    """A number whose top bit is its sign; `34 12 00 80` is -12.34. Its top digit is at most 7."""

    def decode(self, data: bytes) -> Decimal | None:
        digits = data[_HIGHEST_FIRST].hex()
        try:
            if digits < "8":
                return int(digits) * self._step
            return -int(f"{int(digits[0], 16) - 8}{digits[1:]}") * self._step
        except ValueError:
            _require_absent(data)
            return None

    def encode(self, value: Content) -> bytes:
        if value is None:
            return b"\xff" * self.size
        number = self._scaled(value)
        data = bcd.from_number(abs(number), self.size)
        if data[-1] & _SIGN:
            raise ValueError(f"{value} is out of the range of {self.picture} with a sign")
        return data if number >= 0 else data[:-1] + bytes((data[-1] | _SIGN,))


class Binary:
    """A binary number, lowest byte first, with decimals implied; only prepayment has these."""

    def __init__(self, size: int, decimals: int = 0) -> None:
        self.size = size
        self._decimals = decimals

    def decode(self, data: bytes) -> Decimal:
        return Decimal(int.from_bytes(data, "little")).scaleb(-self._decimals)

    def encode(self, value: Content) -> bytes:
        if not isinstance(value, Decimal | int):
            raise ValueError(f"{value!r} is no number")
        number = Decimal(value).scaleb(self._decimals)
        if number != number.to_integral_value() or not 0 <= number < 256**self.size:
            raise ValueError(f"{value} does not fit into {self.size} bytes")
        return int(number).to_bytes(self.size, "little")


@dataclass(frozen=True, slots=True)
class Bits:
    """Flags, as a whole number whose bit 0 is the standard's bit 0."""

    size: int

    def decode(self, data: bytes) -> int | None:
        return None if is_absent(data) else int.from_bytes(data, "little")

    def encode(self, value: Content) -> bytes:
        if value is None:
            return b"\xff" * self.size
        if not isinstance(value, int) or not 0 <= value < 256**self.size:
            raise ValueError(f"{value!r} is not {8 * self.size} bits")
        return value.to_bytes(self.size, "little")


@dataclass(frozen=True, slots=True)
class Digits:
    """A code as its digits, highest first: addresses, numbers of things, data identifiers."""

    size: int

    def decode(self, data: bytes) -> str | None:
        return None if is_absent(data) else bcd.to_text(data)

    def encode(self, value: Content) -> bytes:
        if value is None:
            return b"\xff" * self.size
        if not isinstance(value, str) or len(value) != 2 * self.size:
            raise ValueError(f"{value!r} is not {2 * self.size} digits")
        return bcd.from_text(value)


@dataclass(frozen=True, slots=True)
class Ascii:
    """Text, sent last character first and padded with NUL; some meters pad with spaces."""

    size: int

    def decode(self, data: bytes) -> str | None:
        if is_absent(data):
            return None
        return data[::-1].decode("ascii").strip("\0 ")

    def encode(self, value: Content) -> bytes:
        if value is None:
            return b"\xff" * self.size
        if not isinstance(value, str) or len(value) > self.size:
            raise ValueError(f"{value!r} is not a text of at most {self.size} characters")
        return value.encode("ascii").ljust(self.size, b"\0")[::-1]


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes that only another party understands (ciphers, MACs), in hex as they are sent."""

    size: int = ALL_THAT_IS_LEFT

    def decode(self, data: bytes) -> str:
        return data.hex().upper()

    def encode(self, value: Content) -> bytes:
        data = bytes.fromhex(value) if isinstance(value, str) else b""
        if len(data) != self.size and self.size != ALL_THAT_IS_LEFT:
            raise ValueError(f"{value!r} is not {self.size} bytes in hex")
        return data


@dataclass(frozen=True, slots=True)
class Secret:
    """A password: written as its digits, never shown."""

    size: int

    def decode(self, data: bytes) -> str:
        return "*" * len(data)

    def encode(self, value: Content) -> bytes:
        return Digits(self.size).encode(value)


class _Clock:
    """The fields of a date or time in the standard's spelling, such as YYMMDDhhmm; ss goes first.

    A weekday (WW, Sunday is 00) follows from the date: it is written and not read. All zeros are a
    time that never was, and None like an absent one.
    """

    _CODES = (("YY", "%y"), ("MM", "%m"), ("DD", "%d"), ("WW", "0%w"), ("hh", "%H"), ("mm", "%M"))

    def __init__(self, fields: str) -> None:
        self.fields = fields
        self.size = len(fields) // 2
        self._layout = fields.replace("ss", "%S")
        for name, code in self._CODES:
            self._layout = self._layout.replace(name, code)
        # A field that is missing has the place -1, and its slice is empty.
        places = {name: fields.find(name) for name in ("YY", "MM", "DD", "hh", "mm", "ss")}
        self._year, self._month, self._day, self._hour, self._minute, self._second = (
            slice(place, place + 2) for place in places.values()
        )

    def _digits(self, data: bytes) -> str | None:
        digits = data[_HIGHEST_FIRST].hex()
        if digits.isdecimal():
            return digits if digits.strip("0") else None
        _require_absent(data)
        return None

    def _date(self, digits: str) -> str:
        return f"20{digits[self._year]}-{digits[self._month]}-{digits[self._day]}"

    def _time(self, digits: str) -> str:
        seconds = digits[self._second] or "00"
        return f"{digits[self._hour]}:{digits[self._minute]}:{seconds}"

    def _encode(self, value: date | time) -> bytes:
        if isinstance(value, date) and not 2000 <= value.year <= 2099:
            raise ValueError(f"the year of {value} cannot be sent")
        return bcd.from_text(value.strftime(self._layout))


class LocalTime(_Clock):
    """A date and time by the meter's clock, without zone: YYMMDDhhmm, YYMMDDhhmmss."""

    def decode(self, data: bytes) -> datetime | None:
        digits = self._digits(data)
        if digits is None:
            return None
        return datetime.fromisoformat(f"{self._date(digits)}T{self._time(digits)}")

    def encode(self, value: Content) -> bytes:
        if value is None:
            return b"\xff" * self.size
        if not isinstance(value, datetime):
            raise ValueError(f"{value!r} is no date and time")
        return self._encode(value)


class Day(_Clock):
    """A date: YYMMDDWW."""

    def decode(self, data: bytes) -> date | None:
        digits = self._digits(data)
        return None if digits is None else date.fromisoformat(self._date(digits))

    def encode(self, value: Content) -> bytes:
        if value is None:
            return b"\xff" * self.size
        if not isinstance(value, date):
            raise ValueError(f"{value!r} is no date")
        return self._encode(value)


class TimeOfDay(_Clock):
    """A time of day: hhmmss."""

    def decode(self, data: bytes) -> time | None:
        digits = data[_HIGHEST_FIRST].hex()
        if digits.isdecimal():
            return time.fromisoformat(self._time(digits))
        _require_absent(data)
        return None

    def encode(self, value: Content) -> bytes:
        if value is None:
            return b"\xff" * self.size
        if not isinstance(value, time):
            raise ValueError(f"{value!r} is no time of day")
        return self._encode(value)


class Written:
    """Digits with their separators, such as `MM-DD hh:mm` or `hh:mm NN`: what is no full date."""

    def __init__(self, picture: str) -> None:
        self.picture = picture
        self.size = sum(map(str.isalpha, picture)) // 2
        self._layout = "".join("{}" if letter.isalpha() else letter for letter in picture)

    def decode(self, data: bytes) -> str | None:
        digits = data[_HIGHEST_FIRST].hex()
        if digits.isdecimal():
            return self._layout.format(*digits)
        _require_absent(data)
        return None

    def encode(self, value: Content) -> bytes:
        if value is None:
            return b"\xff" * self.size
        digits = "".join(filter(str.isdecimal, str(value)))
        if len(digits) != 2 * self.size or self._layout.format(*digits) != value:
            raise ValueError(f"{value!r} is not written as {self.picture}")
        return bcd.from_text(digits)


class WithTime:
    """A maximum followed by the time at which it occurred (demands)."""

    def __init__(self, number: Bcd, moment: LocalTime) -> None:
        self.size = number.size + moment.size
        self._number = number
        self._moment = moment

    def decode(self, data: bytes) -> Timed:
        """A time that means nothing is left out, so that it does not cost the number."""
        size = self._number.size
        number = self._number.decode(data[:size])
        try:
            return Timed(number, self._moment.decode(data[size:]))
        except ValueError:
            return Timed(number, None)

    def encode(self, value: Content) -> bytes:
        if not isinstance(value, tuple):
            raise ValueError(f"{value!r} is not a value with its time")
        number, moment = value
        return self._number.encode(number) + self._moment.encode(moment)
