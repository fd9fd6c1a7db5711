"""Prices: what an amount buys, and how a price set lies on a card. Pure.

A kWh costs the price of its rate plus that of its ladder step; a step holds up to and including
its threshold. Money is whole fen, energy hundredths of a kWh; in between everything is reckoned in
whole numbers, so nothing is rounded but at the two ends: what an amount buys down to 0.01 kWh, and
what energy costs up to a fen. So energy never costs more than was paid for it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import ROUND_HALF_UP, Decimal

from station.errors import InvalidValue
from station.prepaid.cards.layout import (
    BCD_FEN_MAX,
    ENERGY_DECIMALS,
    PRICE_DECIMALS,
    PriceFile,
)
from station.store.objects.tariffs import PriceSet, TariffVersion
from station.units import scaled, unscaled

MONTHS = 12
PARTS: int = 10 ** (PRICE_DECIMALS + ENERGY_DECIMALS - 2)  # Of a fen, in the price of 0.01 kWh.
ENERGY_MAX = Decimal(10**11)  # kWh; the largest balance buys a tenth at the lowest price.


@dataclass(frozen=True, slots=True)
class Limits:
    """The amounts at which a meter warns or refuses, in fen; 0 is off."""

    alarm1_fen: int = 0
    alarm2_fen: int = 0
    hoarding_fen: int = 0


@dataclass(frozen=True, slots=True)
class StepLine:
    """What one ladder step gives: its number from 1, its mean price in yuan/kWh, and its part."""

    step: int
    price: Decimal
    energy: Decimal
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Warned:
    """Something a person should know before going on; `code` is for programs."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What an amount buys: kWh in all and by step, and the fen that buy nothing more.

    The amount is `settled_fen`, which the overdraft takes, the steps' parts, and the remainder.
    """

    energy: Decimal
    steps: tuple[StepLine, ...]
    settled_fen: int
    remainder_fen: int
    balance_fen: int
    warnings: tuple[Warned, ...]


def preview(
    prices: PriceSet,
    amount_fen: int,
    *,
    used: Decimal = Decimal(0),
    shares: Sequence[int] = (),
    balance_fen: int = 0,
    limits: Limits | None = None,
) -> Preview:
    """Return what an amount buys after `used` kWh of the ladder's period.

    `shares` are whole numbers that say how the energy falls on the rates, one for each; without
    them it falls evenly. A negative balance is overdrawn, and is settled first.
    Raises InvalidValue.
    """
    if not 0 <= amount_fen <= BCD_FEN_MAX:
        raise InvalidValue("amount_fen", f"expected 0 to {BCD_FEN_MAX}, got {amount_fen}")
    settled_fen = min(amount_fen, max(0, -balance_fen))
    weights = _weights(prices, shares)
    parts = PARTS * sum(weights)
    left = (amount_fen - settled_fen) * parts
    cost = spent_fen = energy = 0
    lines: list[StepLine] = []
    for step, room, price in _steps(prices, used, weights):
        taken = left // price if room is None else min(room, left // price)
        if taken:
            left, cost, energy = left - taken * price, cost + taken * price, energy + taken
            cost_fen = -(-cost // parts)
            mean = _mean(price, sum(weights))
            lines.append(
                StepLine(step, mean, unscaled(taken, ENERGY_DECIMALS), cost_fen - spent_fen)
            )
            spent_fen = cost_fen
        if room is None or taken < room:
            break
    return Preview(
        energy=unscaled(energy, ENERGY_DECIMALS),
        steps=tuple(lines),
        settled_fen=settled_fen,
        remainder_fen=amount_fen - settled_fen - spent_fen,
        balance_fen=balance_fen + amount_fen,
        warnings=sale_warnings(balance_fen + amount_fen, limits or Limits()),
    )


def amount_for(
    prices: PriceSet, energy: Decimal, *, used: Decimal = Decimal(0), shares: Sequence[int] = ()
) -> int:
    """Return the fewest fen that buy so many kWh, with at most 2 decimals. Raises InvalidValue."""
    wanted = _hundredths("energy", energy)
    weights = _weights(prices, shares)
    cost = 0
    for _, room, price in _steps(prices, used, weights):
        taken = wanted if room is None else min(room, wanted)
        cost, wanted = cost + taken * price, wanted - taken
        if not wanted:
            break
    return -(-cost // (PARTS * sum(weights)))


def sale_warnings(balance_fen: int, limits: Limits) -> tuple[Warned, ...]:
    """Return what a meter will say to the balance that a purchase makes (digest section 9)."""
    found = []
    if balance_fen > BCD_FEN_MAX:
        found.append(
            Warned(
                "balance_max",
                f"the balance would become {yuan(balance_fen)} yuan, more than the meter can hold"
                f" ({yuan(BCD_FEN_MAX)}): the meter refuses the card with error 21",
            )
        )
    if 0 < limits.hoarding_fen < balance_fen:
        found.append(
            Warned(
                "hoarding",
                f"the balance would become {yuan(balance_fen)} yuan, above the hoarding limit of"
                f" {yuan(limits.hoarding_fen)}: the meter refuses the card with error 21",
            )
        )
    if balance_fen < 0:
        found.append(Warned("overdrawn", f"the meter stays overdrawn by {yuan(-balance_fen)} yuan"))
    elif balance_fen < limits.alarm2_fen:
        found.append(_below(2, balance_fen, limits.alarm2_fen))
    elif balance_fen < limits.alarm1_fen:
        found.append(_below(1, balance_fen, limits.alarm1_fen))
    return tuple(found)


def prices_at(version: TariffVersion, at: datetime) -> PriceSet:
    """Return the prices a meter reckons with at a local moment, once it holds both sets.

    Rates and ladder go over to the backup set each at its own switch time.
    """
    main, backup = version.main, version.backup
    if backup is None:
        return main
    rates = backup.rates if _is_past(version.switch_at, at) else main.rates
    ladder = backup if _is_past(version.ladder_switch_at, at) else main
    return replace(ladder, rates=rates)


def ladder_began(prices: PriceSet, at: datetime) -> datetime | None:
    """Return when the period of the ladder began in which a local moment lies.

    A month begins on its first day at midnight, a year at the settlement day that came last. None
    where there is no ladder, or one by the year without a settlement day, which never begins anew.
    """
    if not prices.thresholds:
        return None
    if prices.period == "month":
        return datetime.combine(at.replace(day=1), time())
    days = [
        datetime.combine(date(year, month, day), time(hour))
        for year in (at.year - 1, at.year)
        for month, day, hour in prices.settlement_days
    ]
    return max((day for day in days if day <= at), default=None)


def period_thresholds(prices: PriceSet) -> tuple[Decimal, ...]:
    """Return the thresholds in kWh of the ladder's period: twelve months' worth in a year."""
    months = MONTHS if prices.period == "year" else 1
    return tuple(each * months for each in prices.thresholds)


def card_thresholds(prices: PriceSet, ct: int, pt: int) -> tuple[Decimal, ...]:
    """Return the thresholds as the meter counts them: secondary kWh of the ladder's period.

    They are divided by CT times PT and rounded half up to 0.01 kWh. Raises InvalidValue when a
    ratio leaves two of them the same.
    """
    if ct < 1 or pt < 1:
        raise InvalidValue("ct" if ct < 1 else "pt", "expected a ratio of 1 or more")
    unit = Decimal(1).scaleb(-ENERGY_DECIMALS)
    found = tuple(
        (each / (ct * pt)).quantize(unit, ROUND_HALF_UP) for each in period_thresholds(prices)
    )
    for lower, higher in zip((Decimal(0), *found), found, strict=False):
        if not lower < higher:
            raise InvalidValue(
                "thresholds", f"divided by CT {ct} times PT {pt}, two thresholds become the same"
            )
    return found


def price_file(
    prices: PriceSet, ct: int, pt: int, ladder_switch_at: datetime | None = None
) -> PriceFile:
    """Return the file of a price set for a meter of these ratios (digest section 6).

    The ladder's switch time goes with the backup set only. The meter itself multiplies by the
    ratios what a kWh costs, so prices stay as they are; unused rates and steps are filled when the
    file becomes bytes. Raises InvalidValue.
    """
    return PriceFile(
        rates=prices.rates,
        thresholds=card_thresholds(prices, ct, pt),
        step_prices=prices.step_prices,
        settlement_days=prices.settlement_days,
        ladder_switch_at=ladder_switch_at,
    )


def yuan(amount_fen: int) -> str:
    """Return an amount as people read it, without its unit: 1,234.50."""
    return f"{Decimal(amount_fen).scaleb(-2):,.2f}"


def _weights(prices: PriceSet, shares: Sequence[int]) -> tuple[int, ...]:
    if not shares:
        return (1,) * len(prices.rates)
    if len(shares) != len(prices.rates) or min(shares) < 0 or not sum(shares):
        raise InvalidValue("shares", f"expected {len(prices.rates)} shares that are not all 0")
    return tuple(shares)


def _steps(
    prices: PriceSet, used: Decimal, weights: Sequence[int]
) -> Iterator[tuple[int, int | None, int]]:
    """Yield each step from where `used` lies: number, hundredths of a kWh left in it, and price.

    The price is that of 0.01 kWh in parts of a fen, times the sum of the weights.
    """
    begun = _hundredths("used", used)
    rates = sum(
        scaled(rate, PRICE_DECIMALS) * weight
        for rate, weight in zip(prices.rates, weights, strict=True)
    )
    ends = [scaled(each, ENERGY_DECIMALS) for each in period_thresholds(prices)]
    step_prices = prices.step_prices or (Decimal(0),)
    for step, (end, added) in enumerate(zip((*ends, None), step_prices, strict=True), start=1):
        if end is not None and end <= begun:
            continue
        price = rates + scaled(added, PRICE_DECIMALS) * sum(weights)
        if price <= 0:
            raise InvalidValue("rates", f"step {step} costs nothing")
        yield step, None if end is None else end - begun, price
        begun = end or begun


def _hundredths(field: str, energy: Decimal) -> int:
    if not (energy.is_finite() and 0 <= energy < ENERGY_MAX):
        raise InvalidValue(field, f"expected 0 to {ENERGY_MAX} kWh, got {energy}")
    try:
        return scaled(energy, ENERGY_DECIMALS)
    except ValueError as error:
        raise InvalidValue(field, str(error)) from None


def _mean(price: int, weight: int) -> Decimal:
    unit = Decimal(1).scaleb(-PRICE_DECIMALS)
    return (unscaled(price, PRICE_DECIMALS) / weight).quantize(unit, ROUND_HALF_UP)


def _below(number: int, balance_fen: int, alarm_fen: int) -> Warned:
    return Warned(
        f"alarm{number}",
        f"the balance of {yuan(balance_fen)} yuan lies below alarm amount {number}"
        f" ({yuan(alarm_fen)}): the meter warns at once",
    )


def _is_past(switch_at: datetime | None, at: datetime) -> bool:
    return switch_at is not None and switch_at <= at
