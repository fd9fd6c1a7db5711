"""What a tariff version must be, and what a person should be warned of. Pure.

The limits are those of the card's price files (digest section 6): prices are NNNN.NNNN yuan/kWh,
thresholds NNNNNN.NN kWh, moments two digits of the year.
"""

import re
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal

from station.errors import InvalidValue
from station.prepaid.cards.fields import CENTURY
from station.prepaid.cards.layout import (
    BCD_FEN_MAX,
    ENERGY_DECIMALS,
    LAYOUTS,
    PRICE_DECIMALS,
    SETTLEMENT_DAYS,
    STEP_THRESHOLDS,
    Profile,
)
from station.prepaid.tariffs import ENERGY_MAX, Warned, period_thresholds, prices_at
from station.store.objects.tariffs import PriceSet, SettlementDay, TariffVersion

RATES_MAX = LAYOUTS[Profile.GW13].rates_max
WITHOUT_LADDER = tuple(each.value for each in Profile if not LAYOUTS[each].has_ladder)
BCD_DIGITS = 8  # Of a price and of a threshold.
DAY_MAX = 28  # A meter takes no later day as a settlement day.
CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,15}")
NAME_SIZE_MAX = 64  # Characters.
NOTE_SIZE_MAX = 500  # Characters.


def check_version(version: TariffVersion) -> None:
    """Check a version that is to be added. Raises InvalidValue, which names the field."""
    if not CODE.fullmatch(version.tariff):
        raise InvalidValue("tariff", "a code is 1 to 16 letters, digits, dashes or underscores")
    if not 1 <= len(version.name) <= NAME_SIZE_MAX:
        raise InvalidValue("name", f"a name has 1 to {NAME_SIZE_MAX} characters")
    if len(version.note) > NOTE_SIZE_MAX:
        raise InvalidValue("note", f"a note has at most {NOTE_SIZE_MAX} characters")
    check_prices(version.main, "main")
    if version.backup is not None:
        check_prices(version.backup, "backup")
    for name in ("switch_at", "ladder_switch_at"):
        _check_switch(name, getattr(version, name), version)
    for name in ("alarm1_fen", "alarm2_fen", "overdraft_fen", "hoarding_fen"):
        if not 0 <= getattr(version, name) <= BCD_FEN_MAX:
            raise InvalidValue(name, "expected 0 to 999,999.99 yuan")
    if 0 < version.alarm1_fen < version.alarm2_fen:
        raise InvalidValue("alarm2_fen", "alarm amount 2 lies above alarm amount 1")
    if 0 < version.hoarding_fen <= version.alarm1_fen:
        raise InvalidValue("hoarding_fen", "the hoarding limit lies below alarm amount 1")


def check_begins(version: TariffVersion, today: date) -> None:
    """Check that a version begins today at the earliest: what was sold keeps its price.

    Raises InvalidValue.
    """
    if version.effective_on < today:
        raise InvalidValue(
            "effective_on", f"its first day, {version.effective_on}, lies in the past"
        )


def check_profile(version: TariffVersion, profile: Profile) -> None:
    """Check that cards of a profile have a place for all of a version. Raises InvalidValue."""
    if not LAYOUTS[profile].has_ladder and has_ladder(version):
        raise InvalidValue(
            "tariff",
            f"cards of {profile.value} carry no ladder: choose a tariff without one, or other"
            " cards",
        )


def has_ladder(version: TariffVersion) -> bool:
    """Tell whether a version needs cards that carry a ladder."""
    sets = (version.main, *(() if version.backup is None else (version.backup,)))
    return version.ladder_switch_at is not None or any(prices.thresholds for prices in sets)


def check_prices(prices: PriceSet, name: str = "main") -> None:
    """Check one set of prices. Raises InvalidValue, whose field begins with the set's name."""
    if not 1 <= len(prices.rates) <= RATES_MAX:
        raise InvalidValue(f"{name}_rates", f"a set has 1 to {RATES_MAX} rates")
    for price in prices.rates:
        _check_number(f"{name}_rates", price, PRICE_DECIMALS)
    for price in prices.step_prices:
        _check_number(f"{name}_step_prices", price, PRICE_DECIMALS)
    _check_ladder(prices, name)
    if min(prices.rates) + min(prices.step_prices or (Decimal(0),)) <= 0:
        raise InvalidValue(f"{name}_rates", "a kWh may not cost nothing: rate plus step is 0")


def plan_warnings(
    version: TariffVersion, before: TariffVersion | None = None
) -> tuple[Warned, ...]:
    """Return what to think of before a version is approved; `before` is what holds until then."""
    found: list[Warned] = []
    for name, prices in (("main", version.main), ("backup", version.backup)):
        if prices is not None and prices.thresholds and not prices.settlement_days:
            found.append(_no_day(name, prices))
    if version.backup is not None:
        found += _never_holds(version, version.backup)
    found += _first(version) if before is None else _beside(version, before)
    return tuple(found)


def settlement_day(text: str, field: str = "settlement_days") -> SettlementDay:
    """Return the month, day and hour of a text such as `01-01 00`. Raises InvalidValue."""
    found = re.fullmatch(r"(\d{1,2})-(\d{1,2})(?: +(\d{1,2}))?", text.strip(), re.ASCII)
    if found is None:
        raise InvalidValue(field, f"{text} is no month, day and hour such as 01-01 00")
    return int(found[1]), int(found[2]), int(found[3] or 0)


def settlement_text(day: SettlementDay) -> str:
    """Return a settlement day as people write it: `01-01 00`."""
    return f"{day[0]:02}-{day[1]:02} {day[2]:02}"


def _check_ladder(prices: PriceSet, name: str) -> None:
    if len(prices.thresholds) > STEP_THRESHOLDS:
        raise InvalidValue(f"{name}_thresholds", f"a ladder has at most {STEP_THRESHOLDS} ends")
    needed = len(prices.thresholds) + 1 if prices.thresholds else 0
    if len(prices.step_prices) != needed:
        raise InvalidValue(
            f"{name}_step_prices",
            f"{len(prices.thresholds)} ends of steps need {needed} step prices,"
            f" not {len(prices.step_prices)}",
        )
    _check_rising(f"{name}_thresholds", prices.thresholds)
    for threshold in (*prices.thresholds, *period_thresholds(prices)):
        _check_number(f"{name}_thresholds", threshold, ENERGY_DECIMALS)
    _check_days(f"{name}_settlement_days", prices)


def _check_rising(field: str, thresholds: Sequence[Decimal]) -> None:
    for lower, higher in zip((Decimal(0), *thresholds), thresholds, strict=False):
        if not (higher.is_finite() and lower < higher < ENERGY_MAX):
            raise InvalidValue(field, f"{higher} does not rise above {lower}")


def _check_days(field: str, prices: PriceSet) -> None:
    days = prices.settlement_days
    if days and (prices.period == "month" or not prices.thresholds):
        raise InvalidValue(field, "only a ladder by the year has settlement days")
    if len(days) > SETTLEMENT_DAYS:
        raise InvalidValue(field, f"at most {SETTLEMENT_DAYS} settlement days")
    if len(set(days)) < len(days):
        raise InvalidValue(field, "a settlement day is given twice")
    for month, day, hour in days:
        if not (1 <= month <= 12 and 1 <= day <= DAY_MAX and 0 <= hour <= 23):
            raise InvalidValue(
                field,
                f"{settlement_text((month, day, hour))} cannot be: month 1 to 12,"
                f" day 1 to {DAY_MAX}, hour 0 to 23",
            )


def _check_number(field: str, value: Decimal, decimals: int) -> None:
    limit = Decimal(10) ** (BCD_DIGITS - decimals)
    largest = limit - Decimal(1).scaleb(-decimals)
    if not (value.is_finite() and 0 <= value < limit):
        raise InvalidValue(field, f"expected 0 to {largest}, got {value}")
    if value != value.quantize(Decimal(1).scaleb(-decimals)):
        raise InvalidValue(field, f"{value} has more than {decimals} decimals")


def _check_switch(name: str, moment: datetime | None, version: TariffVersion) -> None:
    if moment is None:
        return
    if version.backup is None:
        raise InvalidValue(name, "without a backup set there is nothing to switch to")
    if moment.tzinfo or moment.second or moment.microsecond:
        raise InvalidValue(name, f"{moment} is no local time in whole minutes")
    if not CENTURY <= moment.year < CENTURY + 100:
        raise InvalidValue(name, f"the year {moment.year} does not fit")
    if moment < datetime.combine(version.effective_on, time()):
        raise InvalidValue(name, "a switch time lies after the first day of the version")


def _no_day(name: str, prices: PriceSet) -> Warned:
    if prices.period == "year":
        return Warned(
            f"{name}_ladder_without_day",
            "a ladder by the year without a settlement day never begins anew, and some meters"
            " refuse it",
        )
    return Warned(
        f"{name}_ladder_without_day",
        "some meters refuse a ladder without a settlement day, or never begin it anew: try one"
        " card at a meter of each kind first",
    )


def _never_holds(version: TariffVersion, backup: PriceSet) -> list[Warned]:
    found = []
    if backup.rates != version.main.rates and version.switch_at is None:
        found.append(
            Warned(
                "rates_never", "the rates of the backup set have no switch time: they never hold"
            )
        )
    if _ladder(backup) != _ladder(version.main) and version.ladder_switch_at is None:
        found.append(
            Warned(
                "ladder_never", "the ladder of the backup set has no switch time: it never holds"
            )
        )
    return found


def _first(version: TariffVersion) -> list[Warned]:
    """Return what to think of where no meter holds anything of this tariff yet."""
    if version.backup is not None and _same(version.backup, version.main):
        return [Warned("backup_same", "the backup set is the same as the main set")]
    return []


def _beside(version: TariffVersion, before: TariffVersion) -> list[Warned]:
    """Return what to think of for the meters that hold what the version before brought."""
    found = []
    if not _same(prices_at(before, datetime.combine(version.effective_on, time())), version.main):
        found.append(
            Warned(
                "main_differs",
                "the main set differs from what open meters hold, and purchase cards bring only"
                " the backup set: put new prices into the backup set, with a switch time",
            )
        )
    if before.backup is not None and version.backup is None:
        found.append(
            Warned(
                "late_meters",
                "accounts that bought nothing while the last version held have meters without its"
                " backup set: put the main prices into the backup set too, with a switch time",
            )
        )
    return found


def _same(one: PriceSet, other: PriceSet) -> bool:
    return one.rates == other.rates and _ladder(one) == _ladder(other)


def _ladder(prices: PriceSet) -> tuple[object, ...]:
    if not prices.thresholds:
        return ()
    return prices.thresholds, prices.step_prices, prices.period, prices.settlement_days
