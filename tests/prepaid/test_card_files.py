"""What each order puts on the card, read by a decoder that shares no code with it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from card_decoder import PARAMETERS, PRICES_09, PRICES_13, WALLET, fields
from counter_helpers import CLERK, written
from sale_site import TARIFF, Counter, Home, Town, opening_of

from bench import TEST_ROOT, new_card
from station.errors import InvalidValue
from station.prepaid.cards.layout import Profile
from station.prepaid.terms import OpeningRequest, ReplacementRequest
from station.simulator.prepaid_meter import VirtualMeter
from station.store.objects.base import new_id
from station.store.objects.orders import Order
from station.store.objects.tariffs import PriceSet, TariffVersion
from station.units import utc_now

LADDER = PriceSet(
    (Decimal("1.2"), Decimal("0.9"), Decimal("0.6"), Decimal("0.3")),
    (Decimal(180), Decimal(400)),
    (Decimal("0.01"), Decimal("0.06"), Decimal("0.31")),
    period="year",
    settlement_days=((1, 1, 0),),
)
DEARER = replace(LADDER, rates=tuple(rate + Decimal("0.0125") for rate in LADDER.rates))
LOCAL_NOW = utc_now().replace(tzinfo=None, second=0, microsecond=0)
NEXT_YEAR, LAST_YEAR = LOCAL_NOW + timedelta(days=365), LOCAL_NOW - timedelta(days=365)


async def approve(town: Town, tariff: str, **parts: Any) -> TariffVersion:
    """Enter a version of a tariff that holds now."""
    now = utc_now()
    version = TariffVersion(
        id=new_id(),
        tariff=tariff,
        name="Test tariff",
        effective_on=date(2020, 1, 1),
        created_by="author",
        created_at=now,
        **{"main": LADDER, **parts},
    )
    await town.database.tariffs.add_version(version)
    await town.database.tariffs.submit(version.id, "author", now)
    return await town.database.tariffs.approve(version.id, "second person", now)


async def open_on(counter: Counter, home: Home, request: OpeningRequest) -> Order:
    order = await counter.sales.open_account(request, request_id=new_id(), by=CLERK)
    home.account = order.account
    return await written(counter, order, home.new_card())


async def sell_on(counter: Counter, home: Home, amount_fen: int) -> Order:
    order = await counter.sales.sell(home.account, amount_fen, request_id=new_id(), by=CLERK)
    return await written(counter, order, home.card)


def card_of(home: Home) -> Callable[[int], bytes]:
    """Return the files of a home's card by SFI; a blank return file is asserted."""
    files = home.card.files
    assert files[5] == bytes(49)
    return lambda number: bytes(files[number])


def of_moment(moment: datetime | None) -> str:
    return "0" * 10 if moment is None else f"{moment:%y%m%d%H%M}"


async def test_opening_writes_everything(town: Town, counter: Counter) -> None:
    await approve(town, "LADDER", backup=DEARER, switch_at=NEXT_YEAR, ladder_switch_at=NEXT_YEAR)
    home = await town.new_home()
    request = replace(
        opening_of(home, 123_45), tariff="LADDER", ct=2, pt=3, alarm1_fen=50_00, alarm2_fen=20_05
    )
    await open_on(counter, home, request)
    card = card_of(home)
    assert fields(card(1), PARAMETERS) == {
        "user_type": "04",
        "flag": "8F",
        "reserved": "00000000",
        "switch": of_moment(NEXT_YEAR),
        "alarm1": "00005000",
        "alarm2": "00002005",
        "ct": "000002",
        "pt": "000003",
        "meter": home.meter.meter,
        "customer": home.customer,
        "type": "01",
    }
    assert fields(card(2), WALLET) == {"amount": 123_45, "count": 1}
    current, backup = fields(card(3), PRICES_13), fields(card(4), PRICES_13)
    assert [current[f"rate{n}"] for n in (1, 2, 3, 4, 32)] == [
        "00012000", "00009000", "00006000", "00003000", "00003000",
    ]  # fmt: skip
    assert [current[f"threshold{n}"] for n in (1, 2, 6)] == ["00036000", "00080000", "00080000"]
    assert [current[f"step{n}"] for n in (1, 2, 3, 7)] == [
        "00000100", "00000600", "00003100", "00003100",
    ]  # fmt: skip
    assert (current["day1"], current["day2"]) == ("010100", "999999")
    assert (current["ladder_switch"], backup["ladder_switch"]) == ("0" * 10, of_moment(NEXT_YEAR))
    assert backup["rate4"] == "00003125"
    assert home.carry().credited_fen == 123_45
    assert (home.meter.alarm1_fen, home.meter.ct, home.meter.pt) == (50_00, 2, 3)
    assert home.meter.rates[:4] == LADDER.rates


async def test_opening_after_the_switch_has_the_prices_that_hold(
    town: Town, counter: Counter
) -> None:
    await approve(town, "PAST", backup=DEARER, switch_at=LAST_YEAR, ladder_switch_at=LAST_YEAR)
    home = await town.new_home()
    await open_on(counter, home, replace(opening_of(home, 0), tariff="PAST"))
    card = card_of(home)
    assert fields(card(1), PARAMETERS)["switch"] == "0" * 10
    assert fields(card(2), WALLET) == {"amount": 0, "count": 0}
    assert fields(card(3), PRICES_13)["rate4"] == "00003125"
    home.carry()
    assert home.meter.rates[:4] == DEARER.rates


async def test_purchase_brings_a_new_backup_set_once(town: Town, counter: Counter) -> None:
    home = await town.new_home()
    await open_on(counter, home, opening_of(home, 10_00))
    home.carry()
    kept = [bytes(home.card.files[number]) for number in (3, 4)]
    await sell_on(counter, home, 20_00)
    card = card_of(home)
    held = fields(card(1), PARAMETERS)
    assert (held["type"], held["flag"], held["switch"]) == ("02", "00", "0" * 10)
    assert (held["meter"], held["customer"]) == (home.meter.meter, home.customer)
    assert fields(card(2), WALLET) == {"amount": 20_00, "count": 2}
    assert [card(3), card(4)] == kept, "a purchase keeps the price files"
    home.carry()
    await approve(town, TARIFF, backup=DEARER, switch_at=NEXT_YEAR, ladder_switch_at=NEXT_YEAR)
    await sell_on(counter, home, 30_00)
    card = card_of(home)
    held = fields(card(1), PARAMETERS)
    assert (held["type"], held["flag"], held["switch"]) == ("02", "0A", of_moment(NEXT_YEAR))
    assert card(3) == kept[0], "what the meter reckons with now is not a purchase's to change"
    assert fields(card(4), PRICES_13)["rate4"] == "00003125"
    rates = home.meter.rates
    home.carry()
    assert home.meter.rates == rates
    assert home.meter.prices.backup == card(4)[4:132]
    await sell_on(counter, home, 40_00)
    assert fields(card_of(home)(1), PARAMETERS)["flag"] == "00", "once is enough"


async def test_a_reversed_backup_set_is_sold_again(town: Town, counter: Counter) -> None:
    home = await town.new_home()
    await open_on(counter, home, opening_of(home, 10_00))
    home.carry()
    await approve(town, TARIFF, backup=DEARER, switch_at=NEXT_YEAR)
    sale = await sell_on(counter, home, 20_00)
    undo = await counter.sales.reverse(sale.id, "mistyped", request_id=new_id(), by=CLERK)
    await written(counter, undo, home.card)
    card = card_of(home)
    held = fields(card(1), PARAMETERS)
    assert (held["type"], held["flag"], held["switch"]) == ("02", "00", "0" * 10)
    assert fields(card(2), WALLET) == {"amount": 10_00, "count": 1}
    home.carry()
    await sell_on(counter, home, 25_00)
    assert fields(card_of(home)(1), PARAMETERS)["flag"] == "0A"


async def test_replacement_has_the_type_of_its_case(town: Town, counter: Counter) -> None:
    home = await town.new_home()
    await open_on(counter, home, opening_of(home, 10_00))

    async def replaced(amount_fen: int = 0, meter_count: int | None = None) -> Order:
        request = ReplacementRequest("lost", amount_fen, meter_count)
        order = await counter.sales.replace(home.account, request, request_id=new_id(), by=CLERK)
        return await written(counter, order, home.new_card())

    def on_card() -> tuple[str, str, int, int]:
        held, wallet = fields(card_of(home)(1), PARAMETERS), fields(card_of(home)(2), WALLET)
        return held["type"], held["flag"], wallet["amount"], wallet["count"]

    await replaced()
    assert on_card() == ("01", "8F", 10_00, 1), "the meter may not be opened yet"
    home.carry()
    await replaced(20_00, 1)
    assert on_card() == ("03", "00", 20_00, 2)
    assert home.card.files[3] == bytes(203), "the current prices are kept"
    await replaced()
    assert on_card() == ("03", "00", 20_00, 2)
    home.carry()
    assert home.meter.balance_fen == 30_00


async def test_blank_again_means_numbers_and_wallet_of_zeros(town: Town, counter: Counter) -> None:
    home = await town.new_home()
    opening = await open_on(counter, home, opening_of(home, 10_00))
    undo = await counter.sales.reverse(opening.id, "wrong", request_id=new_id(), by=CLERK)
    await written(counter, undo, home.card)
    card = card_of(home)
    held = fields(card(1), PARAMETERS)
    assert {held.pop("type"), held.pop("flag"), held.pop("user_type")} == {"00"}
    assert {digit for value in held.values() for digit in value} == {"0"}
    assert card(2) == bytes(8)


async def test_cards_of_the_older_rule(town: Town, counter: Counter) -> None:
    await approve(town, "OLD", main=PriceSet(LADDER.rates), backup=PriceSet(DEARER.rates))
    home = await town.new_home()
    home.meter = VirtualMeter(home.meter.meter, TEST_ROOT, Profile.GW09)
    request = replace(opening_of(home, 10_00), tariff="OLD", profile="GW09")
    order = await counter.sales.open_account(request, request_id=new_id(), by=CLERK)
    home.account = order.account
    home.cards.append(new_card(Profile.GW09))
    await written(counter, order, home.card)
    card = card_of(home)
    held = fields(card(1), PARAMETERS)
    assert (held["user_type"], held["flag"]) == ("02", "83")
    assert fields(card(3), PRICES_09)["rate63"] == "00003000"
    assert home.carry().credited_fen == 10_00
    await approve(town, "OLD", main=PriceSet(LADDER.rates), backup=PriceSet(DEARER.rates[:1]))
    await sell_on(counter, home, 20_00)
    assert fields(card_of(home)(1), PARAMETERS)["flag"] == "02"
    assert home.carry().credited_fen == 20_00
    await approve(town, "STEPS")
    other = await town.new_home()
    with pytest.raises(InvalidValue, match="carry no ladder"):
        await counter.sales.open_account(
            replace(opening_of(other, 0), tariff="STEPS", profile="GW09"),
            request_id=new_id(),
            by=CLERK,
        )
