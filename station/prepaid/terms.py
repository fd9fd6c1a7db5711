"""What people ask of selling, and the bounds of each value. Pure.

Amounts are whole fen; meter and customer numbers are 12 digits, as on the card (digest section 4).
"""

from dataclasses import dataclass

from station.errors import InvalidValue
from station.prepaid.cards.layout import BCD_FEN_MAX, NOBODY, NUMBER_DIGITS
from station.prepaid.limits import REASON_SIZE_MAX, yuan

RATIO_MAX = 999_999  # Three bytes BCD on the card.
BALANCE_MAX_FEN = BCD_FEN_MAX  # 999,999.99 yuan: a meter shows no more (digest section 9).
REQUEST_ID_SIZE_MAX = 64  # Characters; a UUID has 36.
USER_TYPES = (1, 2, 3, 4)  # Single rate, several rates, ladder, rates and ladder (section 4).


@dataclass(frozen=True, slots=True)
class SaleTerms:
    """What holds at this site: the most for one sale, the rule of new meters."""

    sale_max_fen: int = 10_000_00
    profile: str = "GW13"


@dataclass(frozen=True, slots=True)
class OpeningRequest:
    """An account to open; None takes what the tariff proposes. The first amount may be 0."""

    meter: str
    customer: str
    tariff: str
    amount_fen: int = 0
    ct: int = 1
    pt: int = 1
    alarm1_fen: int | None = None
    alarm2_fen: int | None = None
    overdraft_fen: int | None = None
    hoarding_fen: int | None = None
    profile: str = ""  # The site's when empty.


@dataclass(frozen=True, slots=True)
class ReplacementRequest:
    """A new card for a lost or broken one.

    `meter_count` is the purchase count that the meter shows, where somebody looked. A new amount is
    sold only when the last purchase is known to have entered the meter (digest section 8).
    """

    reason: str
    amount_fen: int = 0
    meter_count: int | None = None


@dataclass(frozen=True, slots=True)
class MeterChangeRequest:
    """Another meter for an account: its number, and what the old one held at the end.

    `remaining_fen` is negative for an overdraft; `meter_count` the purchase count it showed.
    """

    meter: str
    remaining_fen: int
    meter_count: int
    reason: str
    ct: int = 1
    pt: int = 1
    approved_by: str | None = None


@dataclass(frozen=True, slots=True)
class ClosingRequest:
    """An account to close, and what is given back (negative: still to be paid).

    The card is made blank, so what lies on it and has not entered the meter may be given back too.
    """

    refund_fen: int
    reason: str
    approved_by: str | None = None


def check_number(field: str, number: str) -> None:
    """Refuse a meter or customer number that a card cannot hold."""
    if len(number) != NUMBER_DIGITS or not (number.isascii() and number.isdecimal()):
        raise InvalidValue(field, f"{number!r} is not {NUMBER_DIGITS} digits")
    if number == NOBODY:
        raise InvalidValue(field, "a number of zeros alone stands for a blank card")


def check_amount(field: str, amount_fen: int, low: int = 0, high: int = BALANCE_MAX_FEN) -> None:
    """Refuse an amount outside its bounds."""
    if not low <= amount_fen <= high:
        raise InvalidValue(field, f"expected {yuan(low)} to {yuan(high)} yuan")


def check_ratio(field: str, ratio: int) -> None:
    """Refuse a CT or PT ratio that a card cannot hold."""
    if not 1 <= ratio <= RATIO_MAX:
        raise InvalidValue(field, f"expected 1 to {RATIO_MAX}, got {ratio}")


def check_reason(reason: str) -> str:
    """Return a reason tidied; refuse one that says nothing or too much."""
    tidied = " ".join(reason.split())
    if not 1 <= len(tidied) <= REASON_SIZE_MAX:
        raise InvalidValue("reason", _size_wanted(REASON_SIZE_MAX, tidied))
    return tidied


def check_request_id(request_id: str) -> None:
    """Refuse the id of a request that is empty or too long."""
    if not 1 <= len(request_id) <= REQUEST_ID_SIZE_MAX:
        raise InvalidValue("request_id", _size_wanted(REQUEST_ID_SIZE_MAX, request_id))


def _size_wanted(limit: int, text: str) -> str:
    return f"expected 1 to {limit} characters, got {len(text)}"
