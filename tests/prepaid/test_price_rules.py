"""What is refused of a tariff version, and what is warned of."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from station.errors import InvalidValue
from station.prepaid.cards.layout import Profile
from station.prepaid.price_rules import (
    check_begins,
    check_prices,
    check_version,
    plan_warnings,
    settlement_day,
    settlement_text,
)
from station.prepaid.tariffs import price_file
from station.store.objects.tariffs import PriceSet, TariffVersion
from station.units import UTC, utc_now

BEGINS = date(2027, 1, 1)
SWITCH = datetime.fromisoformat("2027-07-01T00:00")


def decimals(*texts: str) -> tuple[Decimal, ...]:
    return tuple(Decimal(text) for text in texts)


def a_set(**changes: Any) -> PriceSet:
    prices = PriceSet(
        decimals("0.5"), decimals("200", "400"), decimals("0", "0.05", "0.3"), "year", ((1, 1, 0),)
    )
    return replace(prices, **changes)


def a_version(**changes: Any) -> TariffVersion:
    version = TariffVersion(
        "v1", "HOME-1", "Homes", a_set(), BEGINS, "first", utc_now(),
        alarm1_fen=5_000, alarm2_fen=2_000, hoarding_fen=100_000,
    )  # fmt: skip
    return replace(version, **changes)


def test_a_sound_version_passes() -> None:
    check_version(a_version())
    check_version(
        a_version(backup=a_set(rates=decimals("0.6")), switch_at=SWITCH, ladder_switch_at=SWITCH)
    )
    check_begins(a_version(), BEGINS)


LARGEST = a_set(
    rates=decimals("9999.9999") * 32,
    thresholds=decimals("83333.28", "83333.29", "83333.3", "83333.31", "83333.32", "83333.33"),
    step_prices=decimals("9999.9999") * 7,
    settlement_days=((1, 28, 23), (4, 1, 0), (7, 1, 0), (12, 28, 23)),
)


def test_whatever_passes_fits_on_a_card() -> None:
    check_prices(LARGEST)
    assert len(price_file(LARGEST, 1, 1).to_bytes(Profile.GW13)) == 203


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"rates": ()}, "rates", "1 to 32 rates"),
        ({"rates": decimals("0.5") * 33}, "rates", "1 to 32 rates"),
        ({"rates": decimals("10000")}, "rates", "expected 0 to 9999.9999"),
        ({"rates": decimals("-0.1")}, "rates", "expected 0 to"),
        ({"rates": decimals("NaN")}, "rates", "expected 0 to"),
        ({"rates": decimals("0.50001")}, "rates", "more than 4 decimals"),
        ({"rates": decimals("0." + "5" * 40)}, "rates", "more than 4 decimals"),
        ({"rates": decimals("0")}, "rates", "may not cost nothing"),
        ({"rates": decimals("0.5", "0")}, "rates", "may not cost nothing"),
        ({"step_prices": decimals("0", "0.1")}, "step_prices", "need 3 step prices, not 2"),
        ({"thresholds": ()}, "step_prices", "need 0 step prices, not 3"),
        ({"step_prices": decimals("0", "0.1", "1e4")}, "step_prices", "expected 0 to 9999.9999"),
        ({"thresholds": decimals("200", "200")}, "thresholds", "200 does not rise above 200"),
        ({"thresholds": decimals("0", "200")}, "thresholds", "0 does not rise above 0"),
        ({"thresholds": decimals("200", "NaN")}, "thresholds", "does not rise"),
        ({"thresholds": decimals("200", "83333.34")}, "thresholds", "got 1000000.08"),
        ({"thresholds": decimals("200", "200.001")}, "thresholds", "more than 2 decimals"),
        (
            {"thresholds": decimals(*"1234567"), "step_prices": decimals("0") * 8},
            "thresholds",
            "at most 6 ends",
        ),
        ({"period": "month"}, "settlement_days", "only a ladder by the year"),
        ({"settlement_days": ((13, 1, 0),)}, "settlement_days", "13-01 00 cannot be"),
        ({"settlement_days": ((1, 29, 0),)}, "settlement_days", "day 1 to 28"),
        ({"settlement_days": ((1, 1, 24),)}, "settlement_days", "hour 0 to 23"),
        ({"settlement_days": ((1, 1, 0),) * 2}, "settlement_days", "given twice"),
        (
            {"settlement_days": tuple((month, 1, 0) for month in range(1, 6))},
            "settlement_days",
            "at most 4",
        ),
    ],
)
def test_a_set_that_cannot_be(changes: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(InvalidValue, match=words) as refused:
        check_prices(a_set(**changes), "backup")
    assert refused.value.field == f"backup_{field}"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"tariff": ""}, "tariff"),
        ({"tariff": "two words"}, "tariff"),
        ({"tariff": "A" * 17}, "tariff"),
        ({"name": ""}, "name"),
        ({"note": "x" * 501}, "note"),
        ({"main": a_set(rates=())}, "main_rates"),
        ({"backup": a_set(rates=())}, "backup_rates"),
        ({"switch_at": SWITCH}, "switch_at"),
        ({"backup": a_set(), "switch_at": SWITCH - timedelta(days=182)}, "switch_at"),
        ({"backup": a_set(), "switch_at": SWITCH.replace(second=1)}, "switch_at"),
        ({"backup": a_set(), "switch_at": SWITCH.replace(tzinfo=UTC)}, "switch_at"),
        ({"backup": a_set(), "ladder_switch_at": SWITCH.replace(year=2100)}, "ladder_switch_at"),
        ({"alarm1_fen": -1}, "alarm1_fen"),
        ({"overdraft_fen": 100_000_000}, "overdraft_fen"),
        ({"alarm2_fen": 5_001}, "alarm2_fen"),
        ({"hoarding_fen": 5_000}, "hoarding_fen"),
    ],
)
def test_a_version_that_cannot_be(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        check_version(a_version(**changes))
    assert refused.value.field == field


def test_what_was_sold_keeps_its_price() -> None:
    with pytest.raises(InvalidValue, match="2027-01-01, lies in the past"):
        check_begins(a_version(), BEGINS + timedelta(days=1))


def codes(version: TariffVersion, before: TariffVersion | None = None) -> set[str]:
    return {each.code for each in plan_warnings(version, before)}


def test_a_ladder_without_a_settlement_day_is_warned_of() -> None:
    assert codes(a_version()) == set()
    assert codes(a_version(main=a_set(settlement_days=()))) == {"main_ladder_without_day"}
    monthly = a_set(settlement_days=(), period="month")
    assert codes(a_version(main=monthly)) == {"main_ladder_without_day"}
    flat = PriceSet(decimals("0.5"))
    assert codes(a_version(main=flat)) == set()


def test_a_backup_set_that_never_holds_is_warned_of() -> None:
    other = a_set(rates=decimals("0.6"), thresholds=decimals("100", "400"))
    assert codes(a_version(backup=other)) == {"rates_never", "ladder_never"}
    assert codes(a_version(backup=other, switch_at=SWITCH)) == {"ladder_never"}
    assert codes(a_version(backup=other, switch_at=SWITCH, ladder_switch_at=SWITCH)) == set()
    assert codes(a_version(backup=a_set(), switch_at=SWITCH)) == {"backup_same"}


def test_new_prices_in_the_main_set_do_not_reach_open_meters() -> None:
    """Card types 02 and 03 bring only the backup set (digest section 4)."""
    before = a_version(backup=a_set(rates=decimals("0.6")), switch_at=SWITCH)
    later = a_version(number=2, effective_on=SWITCH.date(), main=a_set(rates=decimals("0.6")))
    assert codes(later, before) == {"late_meters"}
    assert codes(replace(later, effective_on=BEGINS), before) == {"main_differs", "late_meters"}
    # For the meters that were never reached, the new prices come once more as a backup set.
    again = replace(later, backup=later.main, switch_at=SWITCH + timedelta(days=7))
    assert codes(again, before) == set()
    assert codes(replace(later, main=before.main), replace(before, backup=None)) == set()


@pytest.mark.parametrize(
    ("text", "day"),
    [("01-01 00", (1, 1, 0)), ("7-1", (7, 1, 0)), (" 12-28  23 ", (12, 28, 23))],
)
def test_settlement_days_as_people_write_them(text: str, day: tuple[int, int, int]) -> None:
    assert settlement_day(text) == day
    assert settlement_day(settlement_text(day)) == day


@pytest.mark.parametrize("text", ["", "1 January", "01/01", "01-01-00", "٠١-٠١ ٠٠"])
def test_what_is_no_settlement_day(text: str) -> None:
    with pytest.raises(InvalidValue):
        settlement_day(text)
