"""The fields and the frame that the files of a user card are made of.

A frame is `68 | CMD | LEN (2) | DATA | CS | 16`; numbers lie with the highest byte first. Whatever
does not fit raises CardFormatError, which names the file and the field.
"""

from datetime import datetime
from decimal import Decimal

from station.errors import InvalidValue
from station.protocols.checksum import byte_sum
from station.units import scaled, unscaled

START, END = 0x68, 0x16
HEAD_SIZE = 4  # 68, CMD and two bytes of LEN.
FRAME_SIZE = HEAD_SIZE + 2  # And CS and 16.

NUMBER_DIGITS = 12  # Of a meter and of a customer.
BINARY_MAX = 0xFFFF_FFFF  # An amount or a count is four bytes binary.
UNUSED_DAY = bytes.fromhex("999999")
NO_MOMENT = bytes(5)
NO_MOMENTS = (NO_MOMENT, bytes.fromhex("9999999999"))
CENTURY = 2000  # A card writes two digits of the year.


class CardFormatError(InvalidValue):
    """A file breaks its format, or a value does not fit into it; `field` is FILE.FIELD."""


def wrong(file: str, field: str, message: str) -> CardFormatError:
    """Return the error that names a file and its field."""
    return CardFormatError(f"{file}.{field}", f"{file}, {field}: {message}")


def framed(command: int, data: bytes) -> bytes:
    """Return data in its frame."""
    body = bytes([command]) + len(data).to_bytes(2, "big") + data
    return bytes([START]) + body + bytes([byte_sum(body), END])


def unframed(file: str, raw: bytes, command: int, size: int) -> bytes:
    """Return the whole file again once its frame is found right."""
    check_size(file, raw, size)
    if raw[0] != START or raw[-1] != END:
        raise wrong(file, "frame", f"expected 68 .. 16, got {raw[0]:02X} .. {raw[-1]:02X}")
    if raw[1] != command:
        raise wrong(file, "command", f"expected {command:02X}, got {raw[1]:02X}")
    length = int.from_bytes(raw[2:4], "big")
    if length != size - FRAME_SIZE:
        raise wrong(file, "length", f"expected {size - FRAME_SIZE}, got {length}")
    if raw[-2] != byte_sum(raw[1:-2]):
        raise wrong(file, "checksum", f"expected {byte_sum(raw[1:-2]):02X}, got {raw[-2]:02X}")
    return raw


def check_size(file: str, raw: bytes, size: int) -> None:
    """Refuse a file of another size."""
    if len(raw) != size:
        raise wrong(file, "size", f"expected {size} bytes, got {len(raw)}")


# --- values to bytes ----------------------------------------------------------------------------


class Maker:
    """Turns the values of one file into bytes, and names the field that does not fit."""

    def __init__(self, file: str) -> None:
        self._file = file

    def byte(self, field: str, value: int) -> bytes:
        """Return one byte."""
        return self._whole(field, value, 0xFF).to_bytes(1, "big")

    def binary(self, field: str, value: int) -> bytes:
        """Return four bytes binary."""
        return self._whole(field, value, BINARY_MAX).to_bytes(4, "big")

    def bcd(self, field: str, value: int, size: int) -> bytes:
        """Return a whole number in BCD."""
        self._whole(field, value, 100**size - 1)
        return bytes.fromhex(f"{value:0{2 * size}d}")

    def scaled(self, field: str, value: Decimal, decimals: int) -> bytes:
        """Return a decimal as four bytes BCD of its last digit."""
        limit = 10 ** (8 - decimals)
        if not (value.is_finite() and 0 <= value < limit):
            raise wrong(self._file, field, f"expected 0 to {limit}, got {value}")
        try:
            return self.bcd(field, scaled(value, decimals), 4)
        except ValueError as error:
            raise wrong(self._file, field, str(error)) from None

    def number(self, field: str, digits: str) -> bytes:
        """Return the twelve digits of a meter or a customer."""
        if len(digits) != NUMBER_DIGITS or not (digits.isascii() and digits.isdecimal()):
            raise wrong(self._file, field, f"expected {NUMBER_DIGITS} digits, got {digits!r}")
        return bytes.fromhex(digits)

    def moment(self, field: str, moment: datetime | None) -> bytes:
        """Return YYMMDDhhmm, or zeros for None."""
        if moment is None:
            return NO_MOMENT
        if moment.tzinfo or moment.second or moment.microsecond:
            raise wrong(self._file, field, f"{moment} is no local time in whole minutes")
        if not CENTURY <= moment.year < CENTURY + 100:
            raise wrong(self._file, field, f"the year {moment.year} does not fit")
        return bytes.fromhex(moment.strftime("%y%m%d%H%M"))

    def day(self, field: str, day: tuple[int, int, int]) -> bytes:
        """Return MMDDhh."""
        try:
            datetime(CENTURY, *day)  # noqa: DTZ001  A day of the meter's calendar, not a moment.
        except (ValueError, TypeError):
            raise wrong(self._file, field, f"{day} is no month, day and hour") from None
        return bytes.fromhex("".join(f"{part:02d}" for part in day))

    def _whole(self, field: str, value: int, limit: int) -> int:
        if not 0 <= value <= limit:
            raise wrong(self._file, field, f"expected 0 to {limit}, got {value}")
        return value


# --- bytes to values ----------------------------------------------------------------------------


class Taker:
    """Takes the values of one file out of its bytes, and names the field that is wrong."""

    def __init__(self, file: str, raw: bytes) -> None:
        self._file = file
        self._raw = raw

    def byte(self, at: int) -> int:
        """Return one byte."""
        return self._raw[at]

    def bcd(self, field: str, at: int, size: int) -> int:
        """Return a whole number of BCD."""
        return int(self._digits(field, at, size))

    def bcd_or_binary(self, at: int, size: int) -> int:
        """Return a number of BCD, or of binary where it is none."""
        raw = self._raw[at : at + size]
        return int(raw.hex()) if raw.hex().isdecimal() else int.from_bytes(raw, "big")

    def number(self, field: str, at: int) -> str:
        """Return twelve digits."""
        return self._digits(field, at, NUMBER_DIGITS // 2)

    def scaled(self, field: str, at: int, count: int, decimals: int) -> tuple[Decimal, ...]:
        """Return `count` numbers of four bytes each."""
        return tuple(
            unscaled(self.bcd(field, at + 4 * index, 4), decimals) for index in range(count)
        )

    def moment(self, field: str, at: int) -> datetime | None:
        """Return a local time, or None for none."""
        raw = self._raw[at : at + 5]
        if raw in NO_MOMENTS:
            return None
        moment = _moment(raw)
        if moment is None:
            raise wrong(self._file, field, f"{raw.hex().upper()} is no YYMMDDhhmm")
        return moment

    def moment_or_none(self, at: int) -> datetime | None:
        """Return a local time, or None for whatever is no time."""
        return _moment(self._raw[at : at + 5])

    def day(self, field: str, at: int) -> tuple[int, int, int] | None:
        """Return month, day and hour, or None for an unused day."""
        raw = self._raw[at : at + 3]
        if raw in (UNUSED_DAY, bytes(3)):
            return None
        digits = self._digits(field, at, 3)
        day = (int(digits[:2]), int(digits[2:4]), int(digits[4:]))
        Maker(self._file).day(field, day)
        return day

    def _digits(self, field: str, at: int, size: int) -> str:
        digits = self._raw[at : at + size].hex()
        if not digits.isdecimal():
            raise wrong(self._file, field, f"{digits.upper()} at {at} is no BCD")
        return digits


def _moment(raw: bytes) -> datetime | None:
    digits = raw.hex()
    if not digits.isdecimal():
        return None
    year, month, day, hour, minute = (int(digits[at : at + 2]) for at in range(0, 10, 2))
    try:
        return datetime(CENTURY + year, month, day, hour, minute)  # noqa: DTZ001  A local time.
    except ValueError:
        return None
