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

from station.prepaid.cards.fields import CENTURY as CENTURY
from station.prepaid.cards.fields import (
    HEAD_SIZE,
    START,
    UNUSED_DAY,
    Maker,
    Taker,
    check_size,
    framed,
    unframed,
    wrong,
)
from station.prepaid.cards.fields import NUMBER_DIGITS as NUMBER_DIGITS
from station.prepaid.cards.fields import CardFormatError as CardFormatError

USER_CARD, RETURN_WRITE = 0x01, 0x11  # CMD

PARAMETERS_SIZE, WALLET_SIZE, RETURN_SIZE = 45, 8, 49
BLANK_RETURN = bytes(RETURN_SIZE)
NOBODY = "0" * NUMBER_DIGITS  # On a card that is issued and not yet opened.
BCD_FEN_MAX = 9999_9999  # An amount as XXXXXX.XX.

STEP_THRESHOLDS, STEP_PRICES, SETTLEMENT_DAYS = 6, 7, 4  # GW13, digest section 6.
PRICE_DECIMALS, ENERGY_DECIMALS = 4, 2  # NNNN.NNNN yuan/kWh and NNNNNN.NN kWh.


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
        make = Maker("parameters")
        return framed(
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
        take = Taker("parameters", unframed("parameters", raw, USER_CARD, PARAMETERS_SIZE))
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
        make = Maker("wallet")
        return make.binary("amount_fen", self.amount_fen) + make.binary("count", self.count)

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Wallet":
        """Return what the 8 bytes say. Raises CardFormatError."""
        check_size("wallet", raw, WALLET_SIZE)
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
        make = Maker("prices")
        rates = [make.scaled("rates", each, PRICE_DECIMALS) for each in self.rates]
        data = b"".join(_filled(rates, layout.rates_max))
        if layout.has_ladder:
            data += self._ladder(make)
        return framed(USER_CARD, data)

    def _ladder(self, make: "Maker") -> bytes:
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
            raise wrong("prices", "thresholds", "there is no place for ladder steps")
        _check_count("thresholds", self.thresholds, STEP_THRESHOLDS)
        _check_count("settlement_days", self.settlement_days, SETTLEMENT_DAYS)
        if len(self.step_prices) != len(self.thresholds) + 1 and (
            self.step_prices or self.thresholds
        ):
            raise wrong(
                "prices",
                "step_prices",
                f"{len(self.thresholds)} thresholds make {len(self.thresholds) + 1} steps,"
                f" not {len(self.step_prices)}",
            )
        for lower, higher in zip((Decimal(0), *self.thresholds), self.thresholds, strict=False):
            if not lower < higher:
                raise wrong("prices", "thresholds", f"{higher} does not rise above {lower}")

    @classmethod
    def from_bytes(cls, profile: Profile, raw: bytes) -> "PriceFile":
        """Return what a file says, repeated fillings left out. Raises CardFormatError."""
        layout = LAYOUTS[profile]
        if raw == bytes(layout.price_size):
            return cls(())
        take = Taker("prices", unframed("prices", raw, USER_CARD, layout.price_size))
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
        make = Maker("return file")
        if len(self.key_info) != 4:
            raise wrong("return file", "key_info", f"expected 4 bytes, got {len(self.key_info)}")
        return framed(
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
        take = Taker("return file", unframed("return file", raw, RETURN_WRITE, RETURN_SIZE))
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


def _check_count(field: str, values: tuple[object, ...], limit: int) -> None:
    if len(values) > limit:
        raise wrong("prices", field, f"at most {limit}, got {len(values)}")


def _filled(values: list[bytes], count: int) -> list[bytes]:
    """Repeat the last value up to `count` of them; zeros where there is none."""
    return values + (values[-1:] or [bytes(4)]) * (count - len(values))


def _folded(values: tuple[Decimal, ...]) -> tuple[Decimal, ...]:
    """Leave out the repetitions at the end."""
    end = len(values)
    while end > 1 and values[end - 1] == values[end - 2]:
        end -= 1
    return values[:end]
