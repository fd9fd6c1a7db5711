"""What an amount buys, and the laws that no price set may break."""

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from station.errors import InvalidValue
from station.prepaid.cards.layout import PriceFile, Profile
from station.prepaid.tariffs import (
    Limits,
    StepLine,
    amount_for,
    card_thresholds,
    ladder_began,
    period_thresholds,
    preview,
    price_file,
    prices_at,
    sale_warnings,
)
from station.store.objects.tariffs import PriceSet, TariffVersion
from station.units import utc_now


def decimals(*texts: str) -> tuple[Decimal, ...]:
    return tuple(Decimal(text) for text in texts)


def local(text: str) -> datetime:
    """A moment as a meter's clock shows it, without a zone."""
    return datetime.fromisoformat(text)


FLAT = PriceSet(decimals("0.5"))
TOU = PriceSet(decimals("1.2", "0.9", "0.6", "0.3"))
LADDER = PriceSet(decimals("0.5"), decimals("200", "400"), decimals("0", "0.05", "0.3"))
YEARLY = replace(LADDER, period="year", settlement_days=((1, 1, 0),))


# --- what an amount buys, worked by hand ----------------------------------------------------------


def test_one_price() -> None:
    found = preview(FLAT, 10_000)
    assert found.energy == Decimal("200.00")
    assert found.steps == (StepLine(1, Decimal("0.5000"), Decimal("200.00"), 10_000),)
    assert (found.remainder_fen, found.settled_fen, found.balance_fen) == (0, 0, 10_000)


def test_what_buys_no_further_hundredth_is_left() -> None:
    found = preview(PriceSet(decimals("12")), 100)  # 0.01 kWh costs 12 fen.
    assert (found.energy, found.remainder_fen) == (Decimal("0.08"), 4)
    assert preview(PriceSet(decimals("12")), 11).energy == 0
    assert preview(PriceSet(decimals("12")), 11).remainder_fen == 11


def test_the_largest_amount_at_the_lowest_price() -> None:
    lowest = PriceSet(decimals("0.0001"))
    energy = preview(lowest, 99_999_999).energy
    assert energy == Decimal("9999999900.00")
    assert amount_for(lowest, energy) == 99_999_999
    with pytest.raises(InvalidValue):
        amount_for(lowest, Decimal("1e11"))


def test_each_step_at_its_own_price() -> None:
    found = preview(LADDER, 29_000)  # 200 x 0.50, 200 x 0.55, 100 x 0.80
    assert [(line.step, line.energy, line.amount_fen) for line in found.steps] == [
        (1, Decimal("200.00"), 10_000),
        (2, Decimal("200.00"), 11_000),
        (3, Decimal("100.00"), 8_000),
    ]
    assert [line.price for line in found.steps] == [*decimals("0.5", "0.55", "0.8")]
    assert amount_for(LADDER, Decimal(500)) == 29_000


def test_a_step_holds_up_to_and_including_its_end() -> None:
    assert amount_for(LADDER, Decimal("0.01"), used=Decimal("199.99")) == 1
    assert preview(LADDER, 100, used=Decimal(200)).steps[0].step == 2
    assert preview(LADDER, 100, used=Decimal("1e4")).steps[0].step == 3
    assert [line.step for line in preview(LADDER, 10_000, used=Decimal("150.5")).steps] == [1, 2]


def test_a_ladder_by_the_year_ends_its_steps_at_twelve_months() -> None:
    assert period_thresholds(YEARLY) == decimals("2400", "4800")
    assert len(preview(YEARLY, 100_000).steps) == 1
    assert amount_for(YEARLY, Decimal(2500)) == 2400 * 50 + 100 * 55


def test_rates_are_mixed_by_their_shares() -> None:
    assert preview(TOU, 7_500).energy == Decimal(100)  # Evenly: 0.75 yuan/kWh.
    assert preview(TOU, 3_000, shares=(0, 0, 0, 5)).energy == Decimal(100)
    assert preview(TOU, 4_500, shares=(0, 0, 1, 1)).energy == Decimal(100)
    thirds = preview(PriceSet(decimals("0.1", "0.1", "0.2")), 4_000)
    assert thirds.energy == Decimal(300)  # 0.4/3 yuan/kWh, and not 0.1333.
    assert thirds.steps[0].price == Decimal("0.1333")


def test_an_overdraft_is_settled_first() -> None:
    found = preview(FLAT, 10_000, balance_fen=-4_000)
    assert (found.settled_fen, found.energy, found.balance_fen) == (4_000, Decimal(120), 6_000)
    short = preview(FLAT, 1_000, balance_fen=-4_000)
    assert (short.settled_fen, short.energy, short.remainder_fen) == (1_000, 0, 0)
    assert [each.code for each in short.warnings] == ["overdrawn"]


@pytest.mark.parametrize(
    ("balance_fen", "codes"),
    [
        (5_000, []),
        (4_999, ["alarm1"]),
        (2_000, ["alarm1"]),
        (1_999, ["alarm2"]),
        (0, ["alarm2"]),
        (-1, ["overdrawn"]),
        (100_000, []),
        (100_001, ["hoarding"]),
        (99_999_999, ["hoarding"]),
        (100_000_000, ["balance_max", "hoarding"]),
    ],
)
def test_what_the_meter_will_say_to_a_balance(balance_fen: int, codes: list[str]) -> None:
    limits = Limits(alarm1_fen=5_000, alarm2_fen=2_000, hoarding_fen=100_000)
    assert [each.code for each in sale_warnings(balance_fen, limits)] == codes


def test_limits_of_zero_are_off() -> None:
    assert sale_warnings(99_999_999, Limits()) == ()
    assert sale_warnings(0, Limits()) == ()


@pytest.mark.parametrize(
    ("prices", "amount_fen", "more", "field"),
    [
        (FLAT, -1, {}, "amount_fen"),
        (FLAT, 100_000_000, {}, "amount_fen"),
        (FLAT, 100, {"used": Decimal("-0.01")}, "used"),
        (FLAT, 100, {"used": Decimal("0.001")}, "used"),
        (FLAT, 100, {"used": Decimal("NaN")}, "used"),
        (FLAT, 100, {"shares": (1, 1)}, "shares"),
        (TOU, 100, {"shares": (0, 0, 0, 0)}, "shares"),
        (TOU, 100, {"shares": (2, 0, 0, -1)}, "shares"),
        (PriceSet(decimals("0")), 100, {}, "rates"),
    ],
)
def test_what_cannot_be_reckoned_is_refused(prices, amount_fen, more, field) -> None:
    with pytest.raises(InvalidValue) as refused:
        preview(prices, amount_fen, **more)
    assert refused.value.field == field


# --- laws ----------------------------------------------------------------------------------------

PRICES = st.integers(1, 30_000).map(lambda number: Decimal(number).scaleb(-4))
ADDED = st.integers(0, 10_000).map(lambda number: Decimal(number).scaleb(-4))
ENERGIES = st.integers(0, 10**7).map(lambda number: Decimal(number).scaleb(-2))
AMOUNTS = st.integers(0, 99_999_999)


@st.composite
def price_sets(draw: st.DrawFn) -> PriceSet:
    rates = tuple(draw(st.lists(PRICES, min_size=1, max_size=6)))
    ends = sorted(draw(st.sets(st.integers(1, 500_000), max_size=6)))
    thresholds = tuple(Decimal(each).scaleb(-2) for each in ends)
    count = len(ends) + 1 if ends else 0
    steps = tuple(draw(st.lists(ADDED, min_size=count, max_size=count)))
    return PriceSet(rates, thresholds, steps, draw(st.sampled_from(["month", "year"])))


@settings(max_examples=300)
@given(price_sets(), AMOUNTS, ENERGIES, st.integers(-10_000, 0))
def test_every_fen_is_accounted_for(prices, amount_fen, used, balance_fen) -> None:
    found = preview(prices, amount_fen, used=used, balance_fen=balance_fen)
    parts = [line.amount_fen for line in found.steps]
    assert found.settled_fen + sum(parts) + found.remainder_fen == amount_fen
    assert min([*parts, found.settled_fen, found.remainder_fen]) >= 0
    assert sum(line.energy for line in found.steps) == found.energy
    assert found.balance_fen == balance_fen + amount_fen


@settings(max_examples=300)
@given(price_sets(), AMOUNTS, ENERGIES)
def test_energy_never_costs_more_than_was_paid_and_none_is_held_back(
    prices, amount_fen, used
) -> None:
    energy = preview(prices, amount_fen, used=used).energy
    assert amount_for(prices, energy, used=used) <= amount_fen
    assert amount_for(prices, energy + Decimal("0.01"), used=used) > amount_fen


@settings(max_examples=300)
@given(price_sets(), AMOUNTS, AMOUNTS, ENERGIES)
def test_more_money_never_buys_less(prices, one_fen, other_fen, used) -> None:
    less, more = sorted((one_fen, other_fen))
    assert preview(prices, less, used=used).energy <= preview(prices, more, used=used).energy


@settings(max_examples=300)
@given(price_sets(), ENERGIES, ENERGIES)
def test_energy_to_amount_and_back(prices, energy, used) -> None:
    amount_fen = amount_for(prices, energy, used=used)
    if amount_fen > 99_999_999:
        return
    bought = preview(prices, amount_fen, used=used).energy
    assert bought >= energy
    assert amount_for(prices, bought, used=used) == amount_fen
    if amount_fen:
        assert preview(prices, amount_fen - 1, used=used).energy < energy


@settings(max_examples=200)
@given(price_sets(), ENERGIES, ENERGIES)
def test_buying_in_two_parts_costs_a_fen_more_at_most(prices, first, second) -> None:
    whole = amount_for(prices, first + second)
    parts = amount_for(prices, first) + amount_for(prices, second, used=first)
    assert whole <= parts <= whole + 1


# --- as it lies on a card ------------------------------------------------------------------------


def test_thresholds_as_the_meter_counts_them() -> None:
    assert card_thresholds(YEARLY, 1, 1) == decimals("2400.00", "4800.00")
    assert card_thresholds(YEARLY, 30, 1) == decimals("80.00", "160.00")
    assert card_thresholds(LADDER, 30, 2) == decimals("3.33", "6.67")  # Half up.
    with pytest.raises(InvalidValue, match="two thresholds become the same"):
        card_thresholds(replace(LADDER, thresholds=decimals("200", "200.4")), 100, 1)
    with pytest.raises(InvalidValue, match="ratio of 1 or more"):
        card_thresholds(LADDER, 1, 0)


def test_bytes_of_a_price_file() -> None:
    """Every field where digest section 6 has it, found without the layout module."""
    raw = price_file(YEARLY, 10, 1, local("2027-01-01")).to_bytes(Profile.GW13)
    assert len(raw) == 203
    assert raw[:4].hex() == "680100c5"
    assert raw[4:132].hex() == "00005000" * 32  # Unused rates repeat the last one.
    assert raw[132:156].hex() == "00024000" + "00048000" * 5  # 2400 and 4800 kWh by ten.
    assert raw[156:184].hex() == "00000000" + "00000500" + "00003000" * 5
    assert raw[184:196].hex() == "010100" + "999999" * 3
    assert raw[196:201].hex() == "2701010000"
    assert raw[201] == sum(raw[1:201]) % 256
    assert raw[202] == 0x16


def test_four_rates_and_no_ladder() -> None:
    raw = price_file(TOU, 1, 1).to_bytes(Profile.GW13)
    assert raw[4:20].hex() == "00012000" + "00009000" + "00006000" + "00003000"
    assert raw[20:132].hex() == "00003000" * 28
    assert raw[132:184] == bytes(52)
    assert raw[184:196].hex() == "999999" * 4
    assert len(price_file(TOU, 1, 1).to_bytes(Profile.GW09)) == 258


@settings(max_examples=100)
@given(price_sets())
def test_what_lies_on_a_card_reads_as_it_was_meant(prices: PriceSet) -> None:
    file = price_file(prices, 1, 1)
    raw = file.to_bytes(Profile.GW13)
    assert PriceFile.from_bytes(Profile.GW13, raw).to_bytes(Profile.GW13) == raw
    assert [int(raw[132 + 4 * n : 136 + 4 * n].hex()) for n in range(len(prices.thresholds))] == [
        each * 100 for each in period_thresholds(prices)
    ]


def test_rates_and_ladder_go_over_each_at_its_own_time() -> None:
    later = PriceSet(decimals("0.7"), decimals("100"), decimals("0", "0.1"))
    version = TariffVersion(
        "1", "HOME", "Homes", LADDER, date(2026, 1, 1), "first", utc_now(), backup=later,
        switch_at=local("2026-07-01"), ladder_switch_at=local("2026-08-01"),
    )  # fmt: skip
    assert prices_at(version, local("2026-06-30T23:59")) == LADDER
    assert prices_at(version, local("2026-07-01")) == replace(LADDER, rates=later.rates)
    assert prices_at(version, local("2026-08-01")) == later
    assert prices_at(replace(version, backup=None), local("2027-01-01")) == LADDER
    assert prices_at(replace(version, switch_at=None), local("2026-07-05")) == LADDER


TWICE = replace(YEARLY, settlement_days=((3, 1, 8), (9, 15, 0)))


@pytest.mark.parametrize(("prices", "at", "began"), [
    (FLAT, "2026-05-17T10:00", None),
    (LADDER, "2026-05-17T10:00", "2026-05-01T00:00"),
    (LADDER, "2026-05-01T00:00", "2026-05-01T00:00"),
    (LADDER, "2026-04-30T23:59", "2026-04-01T00:00"),
    (replace(LADDER, period="year"), "2026-05-17T10:00", None),
    (YEARLY, "2026-01-01T00:00", "2026-01-01T00:00"),
    (YEARLY, "2025-12-31T23:59", "2025-01-01T00:00"),
    (TWICE, "2026-03-01T07:59", "2025-09-15T00:00"),
    (TWICE, "2026-03-01T08:00", "2026-03-01T08:00"),
])  # fmt: skip
def test_when_the_ladder_began(prices: PriceSet, at: str, began: str | None) -> None:
    assert ladder_began(prices, local(at)) == (None if began is None else local(began))
