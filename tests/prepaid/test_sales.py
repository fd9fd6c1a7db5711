"""Opening and purchases on virtual cards and a real database: once, whatever is repeated."""

import asyncio
from dataclasses import replace

import pytest
from sale_site import CLERKS, DESKS, Counter, Home, Town, open_home, opening_of, sell_home

from bench import new_card
from station.errors import Conflict, InvalidValue, NotFound, WrongCard
from station.store.objects.base import new_id
from station.store.objects.orders import Order

CLERK, DESK = CLERKS[0], DESKS[0]


async def opened(town: Town, counter: Counter, amount_fen: int = 100_00) -> Home:
    """Return a home whose opening card has been in its meter."""
    home = await town.new_home()
    await open_home(counter, home, amount_fen)
    assert home.carry().code == 0
    return home


async def journal(town: Town, home: Home) -> list[Order]:
    """Return the orders of a home's account."""
    return (await town.database.orders.list(account=home.account))[0]


async def refused(counter: Counter, home: Home, order_id: str) -> str:
    """Return the code with which the card on the desk is refused for an order."""
    with pytest.raises(WrongCard) as refusal:
        await counter.sales.write(order_id, DESK, by=CLERK)
    return refusal.value.code


async def sold(counter: Counter, home: Home, amount_fen: int = 50_00) -> str:
    """Reserve a purchase and return its id."""
    order = await counter.sales.sell(home.account, amount_fen, request_id=new_id(), by=CLERK)
    return order.id


async def test_opening_and_purchases_are_credited_once(town: Town, counter: Counter) -> None:
    home = await town.new_home()
    order = await open_home(counter, home, 100_00)
    assert (order.state, order.count, order.reader_model) == ("written", 1, "memory")
    assert order.card_serial == home.card.serial.hex().upper()
    account = await town.database.accounts.get(home.account)
    assert (account.state, account.purchase_count, account.balance_fen) == ("open", 1, None)
    assert home.carry().credited_fen == 100_00
    order = await sell_home(counter, home, 50_00)
    assert (order.count, order.previous_count, order.card_amount_fen) == (2, 1, 50_00)
    account = await town.database.accounts.get(home.account)
    assert (account.balance_fen, account.returned_count) == (100_00, 1), "the card brought it back"
    assert home.carry().credited_fen == 50_00
    assert home.carry().credited_fen == 0
    assert home.meter.balance_fen == sum(each.amount_fen for each in await journal(town, home))


async def test_opening_without_money_opens_the_meter(town: Town, counter: Counter) -> None:
    home = await opened(town, counter, 0)
    assert (home.meter.customer, home.meter.count) == (home.customer, 0)
    assert (await sell_home(counter, home, 30_00)).count == 1
    assert home.carry().credited_fen == 30_00


async def test_same_request_is_the_same_order(town: Town, counter: Counter) -> None:
    home = await opened(town, counter)
    request_id = new_id()
    sales = counter.sales

    async def sell(amount_fen: int, by: str = CLERK) -> str:
        order = await sales.sell(home.account, amount_fen, request_id=request_id, by=by)
        return order.id

    assert len({*await asyncio.gather(*(sell(20_00) for _ in range(4)))}) == 1
    for amount_fen, by in ((30_00, CLERK), (20_00, CLERKS[1])):
        with pytest.raises(Conflict, match="was another order"):
            await sell(amount_fen, by)
    counter.insert(home.card)
    order_id = await sell(20_00)
    written = await asyncio.gather(*(sales.write(order_id, DESK, by=CLERK) for _ in range(3)))
    assert {order.state for order in written} == {"written"}
    assert (await sell(20_00)) == order_id
    assert home.carry().credited_fen == 20_00
    assert len(await journal(town, home)) == 2


async def test_two_clerks_sell_to_one_account_at_once(town: Town, counter: Counter) -> None:
    home = await opened(town, counter)
    sell = counter.sales.sell
    done = await asyncio.gather(
        *(sell(home.account, 10_00, request_id=new_id(), by=clerk) for clerk in CLERKS),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in done) == ["Conflict", "Order"]
    with pytest.raises(Conflict, match="unfinished order: finish or abandon it first"):
        await sell(home.account, 10_00, request_id=new_id(), by=CLERK)
    assert [order.by for order in await counter.sales.unfinished()] == [
        order.by for order in done if not isinstance(order, BaseException)
    ]


async def test_two_accounts_of_one_meter_at_once(town: Town, counter: Counter) -> None:
    home = await town.new_home()
    open_account = counter.sales.open_account
    done = await asyncio.gather(
        *(open_account(opening_of(home, 10_00), request_id=new_id(), by=CLERK) for _ in range(3)),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in done) == ["Conflict", "Conflict", "Order"]
    with pytest.raises(Conflict, match="has an account already"):
        await open_account(opening_of(home, 10_00), request_id=new_id(), by=CLERK)


async def test_what_cannot_be_opened(town: Town, counter: Counter) -> None:
    home = await town.new_home()
    good = replace(opening_of(home, 10_00), alarm1_fen=50_00)
    for field, bad in (
        ("meter", "123"),
        ("meter", "000000000000"),
        ("meter", "999999999999"),
        ("customer", "999999999999"),
        ("customer", "12345678901x"),
        ("amount_fen", -1),
        ("amount_fen", 10_000_01),
        ("ct", 0),
        ("pt", 1_000_000),
        ("alarm1_fen", 100_000_000),
        ("alarm2_fen", 50_01),
        ("profile", "GW99"),
    ):
        with pytest.raises(InvalidValue) as refusal:
            await counter.sales.open_account(
                replace(good, **{field: bad}), request_id=new_id(), by=CLERK
            )
        assert refusal.value.field == field
    with pytest.raises(NotFound, match="no approved version"):
        await counter.sales.open_account(
            replace(good, tariff="NONE"), request_id=new_id(), by=CLERK
        )
    with pytest.raises(InvalidValue, match="hoarding limit"):
        await counter.sales.open_account(
            replace(good, hoarding_fen=9_99), request_id=new_id(), by=CLERK
        )
    assert await counter.sales.unfinished() == []


async def test_opening_wants_a_blank_card(town: Town, counter: Counter) -> None:
    other = await opened(town, counter)
    home = await town.new_home()
    order = await counter.sales.open_account(opening_of(home, 10_00), request_id=new_id(), by=CLERK)
    counter.insert(other.card)
    assert await refused(counter, home, order.id) == "not_blank"
    counter.insert(new_card(issued=False))
    assert await refused(counter, home, order.id) == "unissued"
    counter.insert(home.new_card())
    assert (await counter.sales.write(order.id, DESK, by=CLERK)).state == "written"


async def test_purchase_wants_the_accounts_card_back_from_the_meter(
    town: Town, counter: Counter
) -> None:
    other, home = await opened(town, counter), await opened(town, counter)
    order_id = await sold(counter, home)
    counter.insert(new_card())
    assert await refused(counter, home, order_id) == "blank"
    counter.insert(other.card)
    assert await refused(counter, home, order_id) == "other_meter"
    counter.insert(home.card)
    await counter.sales.write(order_id, DESK, by=CLERK)
    order_id = await sold(counter, home)
    counter.insert(home.card)
    assert await refused(counter, home, order_id) == "not_inserted"
    look = await counter.sales.look(DESK)
    assert look.unfinished is not None
    assert look.unfinished.id == order_id
    home.carry()
    assert (await counter.sales.write(order_id, DESK, by=CLERK)).count == 3


async def test_hoarding_limit_looks_at_what_the_card_brings_back(
    town: Town, counter: Counter
) -> None:
    home = await town.new_home()
    request = replace(opening_of(home, 80_00), hoarding_fen=100_00)
    order = await counter.sales.open_account(request, request_id=new_id(), by=CLERK)
    home.account = order.account
    counter.insert(home.new_card())
    await counter.sales.write(order.id, DESK, by=CLERK)
    home.carry()
    order_id = await sold(counter, home, 30_00)  # The balance is not known yet.
    counter.insert(home.card)
    assert await refused(counter, home, order_id) == "over_hoarding"
    await counter.sales.abandon(order_id, DESK, by=CLERK, reason="too much")
    await counter.sales.look(DESK)
    with pytest.raises(InvalidValue, match=r"the meter held 80\.00 and takes in no more than 100"):
        await sold(counter, home, 20_01)
    assert (await sold(counter, home, 20_00)) != order_id


async def test_an_order_that_no_card_has_seen_is_abandoned_without_one(
    town: Town, counter: Counter
) -> None:
    home = await opened(town, counter)
    order_id = await sold(counter, home)
    counter.readers[0].pull()
    with pytest.raises(InvalidValue):
        await counter.sales.abandon(order_id, DESK, by=CLERK, reason="  ")
    order = await counter.sales.abandon(order_id, DESK, by=CLERK, reason="customer left")
    assert (order.state, order.end_reason, order.ended_by) == ("abandoned", "customer left", CLERK)
    assert await counter.sales.abandon(order_id, DESK, by=CLERK, reason="again") == order
    with pytest.raises(Conflict, match="abandoned"):
        await counter.sales.write(order_id, DESK, by=CLERK)
    assert (await sell_home(counter, home, 10_00)).count == 2
    assert home.carry().credited_fen == 10_00
