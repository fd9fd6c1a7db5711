"""The files of a prepayment user card: values to bytes and back.

Rules: many-byte numbers lie with the highest byte first; a file that is framed is
`68 | CMD | LEN (2) | DATA | CS | 16`, CS being the sum of CMD, LEN and DATA (digest section 3); a
file that breaks a rule raises CardFormatError and nothing else. Times are the meter's own local
times. Nothing is rounded here: a value that does not fit its digits is refused.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum, IntEnum

from station.errors import InvalidValue
from station.protocols.checksum import byte_sum
from station.units import scaled, unscaled

START, END = 0x68, 0x16
HEAD_SIZE = 4  # 68, CMD and two bytes of LEN.
FRAME_SIZE = HEAD_SIZE + 2  # And CS and 16.
USER_CARD, RETURN_WRITE = 0x01, 0x11  # CMD

PARAMETERS_SIZE, WALLET_SIZE, RETURN_SIZE = 45, 8, 49
BLANK_RETURN = bytes(RETURN_SIZE)
NUMBER_DIGITS = 12  # Of a meter and of a customer.
NOBODY = "0" * NUMBER_DIGITS  # On a card that is issued and not yet opened.
BINARY_MAX = 0xFFFF_FFFF  # An amount or a count is four bytes binary.
BCD_FEN_MAX = 9999_9999  # An amount as XXXXXX.XX.

STEP_THRESHOLDS, STEP_PRICES, SETTLEMENT_DAYS = 6, 7, 4  # GW13, digest section 6.
PRICE_DECIMALS, ENERGY_DECIMALS = 4, 2  # NNNN.NNNN yuan/kWh and NNNNNN.NN kWh.
UNUSED_DAY = bytes.fromhex("999999")
NO_MOMENT = bytes(5)
NO_MOMENTS = (NO_MOMENT, bytes.fromhex("9999999999"))
CENTURY = 2000  # A card writes two digits of the year.


class CardFormatError(InvalidValue):
    """A file breaks its format, or a value does not fit into it; `field` is FILE.FIELD."""


class Profile(Enum):
    """The rule that a card and its meter follow; `LAYOUTS` holds what differs."""

    GW13 = "GW13"  # Q/GDW 1365-2013
    GW09 = "GW09"  # Q/GDW 365-2009


class CardType(IntEnum):
    """What a card does at the meter."""

    OPEN = 1
    PURCHASE = 2
    REPLACEMENT = 3


@dataclass(frozen=True, slots=True)
class Layout:
    """What a profile has of its own (digest sections 1, 4, 6, 10)."""

    price_size: int
    rates_max: int
    has_ladder: bool
    opening_flag: int  # Everything on the card is to be taken.
    backup_flag: int  # Only the backup set, as a purchase or a replacement may bring it.
    price_parts: tuple[tuple[int, int], ...]  # Offset and size of each write of a price file.


LAYOUTS = {
    Profile.GW13: Layout(203, 32, True, 0x8F, 0x0A, ((0, 203),)),
    Profile.GW09: Layout(258, 63, False, 0x83, 0x02, ((0, 128), (128, 130))),
}
assert all(sum(size for _, size in row.price_parts) == row.price_size for row in LAYOUTS.values())


@dataclass(frozen=True, slots=True)
class Parameters:
    """Parameter information, SFI 01 (digest section 4)."""

    meter: str  # 12 digits
    customer: str  # 12 digits
    card_type: int  # 0 on a blank card
    user_type: int
    update_flag: int
    switch_at: datetime | None = None
    alarm1_fen: int = 0
    alarm2_fen: int = 0
    ct: int = 1
    pt: int = 1

    def to_bytes(self) -> bytes:
        """Return the 45 bytes. Raises CardFormatError for a value that does not fit."""
        make = _Maker("parameters")
        return _framed(
            USER_CARD,
            make.byte("user_type", self.user_type)
            + make.byte("update_flag", self.update_flag)
            + bytes(4)
            + make.moment("switch_at", self.switch_at)
            + bytes(1)
            + make.bcd("alarm1_fen", self.alarm1_fen, 4)
            + make.bcd("alarm2_fen", self.alarm2_fen, 4)
            + make.bcd("ct", self.ct, 3)
            + make.bcd("pt", self.pt, 3)
            + make.number("meter", self.meter)
            + make.number("customer", self.customer)
            + make.byte("card_type", self.card_type),
        )

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Parameters":
        """Return what the 45 bytes say. Raises CardFormatError."""
        take = _Taker("parameters", _unframed("parameters", raw, USER_CARD, PARAMETERS_SIZE))
        return cls(
            user_type=take.byte(4),
            update_flag=take.byte(5),
            switch_at=take.moment("switch_at", 10),
            alarm1_fen=take.bcd("alarm1_fen", 16, 4),
            alarm2_fen=take.bcd("alarm2_fen", 20, 4),
            ct=take.bcd("ct", 24, 3),
            pt=take.bcd("pt", 27, 3),
            meter=take.number("meter", 30),
            customer=take.number("customer", 36),
            card_type=take.byte(42),
        )


@dataclass(frozen=True, slots=True)
class Wallet:
    """Amount and count of the purchase, SFI 02: binary and without a frame (digest section 5)."""

    amount_fen: int
    count: int

    def to_bytes(self) -> bytes:
        """Return the 8 bytes. Raises CardFormatError for a value that does not fit."""
        make = _Maker("wallet")
        return make.binary("amount_fen", self.amount_fen) + make.binary("count", self.count)

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Wallet":
        """Return what the 8 bytes say. Raises CardFormatError."""
        _check_size("wallet", raw, WALLET_SIZE)
        return cls(int.from_bytes(raw[:4], "big"), int.from_bytes(raw[4:], "big"))


@dataclass(frozen=True, slots=True)
class PriceFile:
    """A set of prices, SFI 03 or 04 (digest section 6).

    Rates and steps in yuan/kWh, thresholds in kWh as the meter counts them; a settlement day is
    (month, day, hour). Unused rates repeat the last one, unused steps the top one. Without rates
    the file is all zeros, as on a blank card.
    """

    rates: tuple[Decimal, ...]
    thresholds: tuple[Decimal, ...] = ()
    step_prices: tuple[Decimal, ...] = ()
    settlement_days: tuple[tuple[int, int, int], ...] = ()
    ladder_switch_at: datetime | None = None

    def to_bytes(self, profile: Profile) -> bytes:
        """Return the bytes of the whole file. Raises CardFormatError."""
        layout = LAYOUTS[profile]
        self._check(layout)
        if not self.rates:
            return bytes(layout.price_size)
        make = _Maker("prices")
        rates = [make.scaled("rates", each, PRICE_DECIMALS) for each in self.rates]
        data = b"".join(_filled(rates, layout.rates_max))
        if layout.has_ladder:
            data += self._ladder(make)
        return _framed(USER_CARD, data)

    def _ladder(self, make: "_Maker") -> bytes:
        thresholds = [make.scaled("thresholds", x, ENERGY_DECIMALS) for x in self.thresholds]
        prices = [make.scaled("step_prices", each, PRICE_DECIMALS) for each in self.step_prices]
        days = [make.day("settlement_days", each) for each in self.settlement_days]
        days += [UNUSED_DAY] * (SETTLEMENT_DAYS - len(days))
        return (
            b"".join(_filled(thresholds, STEP_THRESHOLDS))
            + b"".join(_filled(prices, STEP_PRICES))
            + b"".join(days)
            + make.moment("ladder_switch_at", self.ladder_switch_at)
        )

    def _check(self, layout: Layout) -> None:
        _check_count("rates", self.rates, layout.rates_max)
        ladder = (self.thresholds, self.step_prices, self.settlement_days, self.ladder_switch_at)
        if not (layout.has_ladder and self.rates) and any(ladder):
            raise _wrong("prices", "thresholds", "there is no place for ladder steps")
        _check_count("thresholds", self.thresholds, STEP_THRESHOLDS)
        _check_count("settlement_days", self.settlement_days, SETTLEMENT_DAYS)
        if len(self.step_prices) != len(self.thresholds) + 1 and (
            self.step_prices or self.thresholds
        ):
            raise _wrong(
                "prices",
                "step_prices",
                f"{len(self.thresholds)} thresholds make {len(self.thresholds) + 1} steps,"
                f" not {len(self.step_prices)}",
            )
        for lower, higher in zip((Decimal(0), *self.thresholds), self.thresholds, strict=False):
            if not lower < higher:
                raise _wrong("prices", "thresholds", f"{higher} does not rise above {lower}")

    @classmethod
    def from_bytes(cls, profile: Profile, raw: bytes) -> "PriceFile":
        """Return what a file says, repeated fillings left out. Raises CardFormatError."""
        layout = LAYOUTS[profile]
        if raw == bytes(layout.price_size):
            return cls(())
        take = _Taker("prices", _unframed("prices", raw, USER_CARD, layout.price_size))
        at = HEAD_SIZE
        rates = take.scaled("rates", at, layout.rates_max, PRICE_DECIMALS)
        if not layout.has_ladder:
            return cls(_folded(rates))
        at += 4 * layout.rates_max
        thresholds = take.scaled("thresholds", at, STEP_THRESHOLDS, ENERGY_DECIMALS)
        thresholds = _folded(thresholds) if any(thresholds) else ()
        at += 4 * STEP_THRESHOLDS
        steps = take.scaled("step_prices", at, STEP_PRICES, PRICE_DECIMALS)
        steps = steps[: len(thresholds) + 1] if any(steps) or thresholds else ()
        at += 4 * STEP_PRICES
        days = tuple(take.day("settlement_days", at + 3 * n) for n in range(SETTLEMENT_DAYS))
        at += 3 * SETTLEMENT_DAYS
        switch_at = take.moment("ladder_switch_at", at)
        used = tuple(day for day in days if day is not None)
        prices = cls(_folded(rates), thresholds, steps, used, switch_at)
        prices._check(layout)
        return prices


@dataclass(frozen=True, slots=True)
class ReturnFile:
    """What the meter wrote back, SFI 05 (digest section 7)."""

    meter: str
    customer: str
    ct: int
    pt: int
    remaining_fen: int  # 0 when overdrawn
    count: int
    overdraft_fen: int
    illegal_count: int  # Illegal cards the meter has seen
    returned_at: datetime | None  # None where the meter wrote no possible time
    user_type: int = 0
    key_info: bytes = bytes(4)

    def to_bytes(self) -> bytes:
        """Return the 49 bytes. Raises CardFormatError for a value that does not fit."""
        make = _Maker("return file")
        if len(self.key_info) != 4:
            raise _wrong("return file", "key_info", f"expected 4 bytes, got {len(self.key_info)}")
        return _framed(
            RETURN_WRITE,
            make.byte("user_type", self.user_type)
            + make.bcd("ct", self.ct, 3)
            + make.bcd("pt", self.pt, 3)
            + make.number("meter", self.meter)
            + make.number("customer", self.customer)
            + make.binary("remaining_fen", self.remaining_fen)
            + make.binary("count", self.count)
            + make.bcd("overdraft_fen", self.overdraft_fen, 4)
            + self.key_info
            + make.bcd("illegal_count", self.illegal_count, 3)
            + make.moment("returned_at", self.returned_at),
        )

    @classmethod
    def from_bytes(cls, raw: bytes) -> "ReturnFile":
        """Return what the 49 bytes say; raises CardFormatError, for a blank file too.

        An overdraft that is no BCD is taken as binary fen: old meters are not agreed on it.
        """
        take = _Taker("return file", _unframed("return file", raw, RETURN_WRITE, RETURN_SIZE))
        return cls(
            user_type=take.byte(4),
            ct=take.bcd("ct", 5, 3),
            pt=take.bcd("pt", 8, 3),
            meter=take.number("meter", 11),
            customer=take.number("customer", 17),
            remaining_fen=int.from_bytes(raw[23:27], "big"),
            count=int.from_bytes(raw[27:31], "big"),
            overdraft_fen=take.bcd_or_binary(31, 4),
            key_info=raw[35:39],
            illegal_count=take.bcd("illegal_count", 39, 3),
            returned_at=take.moment_or_none(42),
        )


def is_blank(raw: bytes) -> bool:
    """Say whether a return file waits for the meter: its first byte is not 68."""
    return not raw or raw[0] != START


# --- frames -------------------------------------------------------------------------------------


def _wrong(file: str, field: str, message: str) -> CardFormatError:
    return CardFormatError(f"{file}.{field}", f"{file}, {field}: {message}")


def _framed(command: int, data: bytes) -> bytes:
    body = bytes([command]) + len(data).to_bytes(2, "big") + data
    return bytes([START]) + body + bytes([byte_sum(body), END])


def _unframed(file: str, raw: bytes, command: int, size: int) -> bytes:
    """Return the whole file again once its frame is found right."""
    _check_size(file, raw, size)
    if raw[0] != START or raw[-1] != END:
        raise _wrong(file, "frame", f"expected 68 .. 16, got {raw[0]:02X} .. {raw[-1]:02X}")
    if raw[1] != command:
        raise _wrong(file, "command", f"expected {command:02X}, got {raw[1]:02X}")
    length = int.from_bytes(raw[2:4], "big")
    if length != size - FRAME_SIZE:
        raise _wrong(file, "length", f"expected {size - FRAME_SIZE}, got {length}")
    if raw[-2] != byte_sum(raw[1:-2]):
        raise _wrong(file, "checksum", f"expected {byte_sum(raw[1:-2]):02X}, got {raw[-2]:02X}")
    return raw


def _check_size(file: str, raw: bytes, size: int) -> None:
    if len(raw) != size:
        raise _wrong(file, "size", f"expected {size} bytes, got {len(raw)}")


def _check_count(field: str, values: tuple[object, ...], limit: int) -> None:
    if len(values) > limit:
        raise _wrong("prices", field, f"at most {limit}, got {len(values)}")


def _filled(values: list[bytes], count: int) -> list[bytes]:
    """Repeat the last value up to `count` of them; zeros where there is none."""
    return values + (values[-1:] or [bytes(4)]) * (count - len(values))


def _folded(values: tuple[Decimal, ...]) -> tuple[Decimal, ...]:
    """Leave out the repetitions at the end."""
    end = len(values)
    while end > 1 and values[end - 1] == values[end - 2]:
        end -= 1
    return values[:end]


# --- values to bytes ----------------------------------------------------------------------------


class _Maker:
    """Turns the values of one file into bytes, and names the field that does not fit."""

    def __init__(self, file: str) -> None:
        self._file = file

    def byte(self, field: str, value: int) -> bytes:
        return self._whole(field, value, 0xFF).to_bytes(1, "big")

    def binary(self, field: str, value: int) -> bytes:
        return self._whole(field, value, BINARY_MAX).to_bytes(4, "big")

    def bcd(self, field: str, value: int, size: int) -> bytes:
        self._whole(field, value, 100**size - 1)
        return bytes.fromhex(f"{value:0{2 * size}d}")

    def scaled(self, field: str, value: Decimal, decimals: int) -> bytes:
        limit = 10 ** (8 - decimals)
        if not (value.is_finite() and 0 <= value < limit):
            raise _wrong(self._file, field, f"expected 0 to {limit}, got {value}")
        try:
            return self.bcd(field, scaled(value, decimals), 4)
        except ValueError as error:
            raise _wrong(self._file, field, str(error)) from None

    def number(self, field: str, digits: str) -> bytes:
        if len(digits) != NUMBER_DIGITS or not (digits.isascii() and digits.isdecimal()):
            raise _wrong(self._file, field, f"expected {NUMBER_DIGITS} digits, got {digits!r}")
        return bytes.fromhex(digits)

    def moment(self, field: str, moment: datetime | None) -> bytes:
        if moment is None:
            return NO_MOMENT
        if moment.tzinfo or moment.second or moment.microsecond:
            raise _wrong(self._file, field, f"{moment} is no local time in whole minutes")
        if not CENTURY <= moment.year < CENTURY + 100:
            raise _wrong(self._file, field, f"the year {moment.year} does not fit")
        return bytes.fromhex(moment.strftime("%y%m%d%H%M"))

    def day(self, field: str, day: tuple[int, int, int]) -> bytes:
        try:
            datetime(CENTURY, *day)  # noqa: DTZ001  A day of the meter's calendar, not a moment.
        except (ValueError, TypeError):
            raise _wrong(self._file, field, f"{day} is no month, day and hour") from None
        return bytes.fromhex("".join(f"{part:02d}" for part in day))

    def _whole(self, field: str, value: int, limit: int) -> int:
        if not 0 <= value <= limit:
            raise _wrong(self._file, field, f"expected 0 to {limit}, got {value}")
        return value


# --- bytes to values ----------------------------------------------------------------------------


class _Taker:
    """Takes the values of one file out of its bytes, and names the field that is wrong."""

    def __init__(self, file: str, raw: bytes) -> None:
        self._file = file
        self._raw = raw

    def byte(self, at: int) -> int:
        return self._raw[at]

    def bcd(self, field: str, at: int, size: int) -> int:
        return int(self._digits(field, at, size))

    def bcd_or_binary(self, at: int, size: int) -> int:
        raw = self._raw[at : at + size]
        return int(raw.hex()) if raw.hex().isdecimal() else int.from_bytes(raw, "big")

    def number(self, field: str, at: int) -> str:
        return self._digits(field, at, NUMBER_DIGITS // 2)

    def scaled(self, field: str, at: int, count: int, decimals: int) -> tuple[Decimal, ...]:
        """Return `count` numbers of four bytes each."""
        return tuple(
            unscaled(self.bcd(field, at + 4 * index, 4), decimals) for index in range(count)
        )

    def moment(self, field: str, at: int) -> datetime | None:
        raw = self._raw[at : at + 5]
        if raw in NO_MOMENTS:
            return None
        moment = _moment(raw)
        if moment is None:
            raise _wrong(self._file, field, f"{raw.hex().upper()} is no YYMMDDhhmm")
        return moment

    def moment_or_none(self, at: int) -> datetime | None:
        return _moment(self._raw[at : at + 5])

    def day(self, field: str, at: int) -> tuple[int, int, int] | None:
        raw = self._raw[at : at + 3]
        if raw in (UNUSED_DAY, bytes(3)):
            return None
        digits = self._digits(field, at, 3)
        day = (int(digits[:2]), int(digits[2:4]), int(digits[4:]))
        _Maker(self._file).day(field, day)
        return day

    def _digits(self, field: str, at: int, size: int) -> str:
        digits = self._raw[at : at + size].hex()
        if not digits.isdecimal():
            raise _wrong(self._file, field, f"{digits.upper()} at {at} is no BCD")
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
