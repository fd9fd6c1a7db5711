"""Meter change, closing, transfer, correction; and what is believed of a return file."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from counter_helpers import (
    CLERK,
    DESK,
    account_of,
    journal,
    opened,
    paid_fen,
    refused,
    reserved,
    written,
)
from sale_site import Counter, Home, Town, open_home, opening_of, sell_home

from bench import new_card
from station.errors import Conflict, InvalidValue
from station.prepaid.accounts import with_return
from station.prepaid.cards.dialog import CardContents
from station.prepaid.terms import ClosingRequest, MeterChangeRequest
from station.store.objects.base import new_id
from station.store.objects.customers import Customer
from station.store.objects.orders import Order


async def changed(town: Town, counter: Counter, home: Home, remaining_fen: int) -> Order:
    """Reserve another meter for a home, and put it on the wall."""
    spare = await town.new_home()
    request = MeterChangeRequest(
        spare.meter.meter, remaining_fen, home.meter.count, "the old meter is burnt"
    )
    change = counter.sales.change_meter
    order = await change(home.account, request, request_id=new_id(), by=CLERK)
    home.meter, home.account = spare.meter, order.account
    return order


async def look_at(counter: Counter, home: Home) -> None:
    counter.insert(home.card)
    await counter.sales.look(DESK)


@pytest.mark.parametrize("has_entered", [True, False])
async def test_another_meter_carries_the_balance_over(
    town: Town, counter: Counter, has_entered: bool
) -> None:
    home = await opened(town, counter)
    await sell_home(counter, home, 50_00)
    if has_entered:
        home.carry()
    home.meter.use(30_00)
    old, old_card, old_meter = home.account, home.card, home.meter
    remaining_fen = home.meter.balance_fen
    order = await changed(town, counter, home, remaining_fen)
    assert (order.kind, order.count, order.amount_fen) == ("meter_change", 1, 0)
    assert order.carried_fen == order.card_amount_fen == 120_00
    with pytest.raises(Conflict, match="waits for its new meter"):
        await counter.sales.sell(old, 1_00, request_id=new_id(), by=CLERK)
    assert await refused(counter, order, old_card) == "not_blank"
    await written(counter, order, home.new_card())
    before, after = await town.database.accounts.get(old), await account_of(town, home)
    assert (before.state, after.state, after.continues) == ("closed", "open", old)
    assert home.carry().credited_fen == 120_00
    assert home.carry(old_card).code == 11
    await sell_home(counter, home, 10_00)
    assert home.carry().credited_fen == 10_00
    assert (old_meter.meter, before.meter) == (before.meter, old_meter.meter)


async def test_overdraft_is_paid_when_the_meter_changes(town: Town, counter: Counter) -> None:
    home = await opened(town, counter)
    home.meter.use(120_00)
    order = await changed(town, counter, home, -20_00)
    assert (order.amount_fen, order.card_amount_fen, order.count) == (20_00, 0, 0)
    await written(counter, order, home.new_card())
    home.carry()
    assert (home.meter.balance_fen, home.meter.customer) == (0, home.customer)


async def test_meter_change_that_is_abandoned_leaves_the_old_meter_open(
    town: Town, counter: Counter
) -> None:
    home = await opened(town, counter)
    old, meter = home.account, home.meter
    order = await changed(town, counter, home, 100_00)
    await counter.sales.abandon(order.id, DESK, by=CLERK, reason="it works again")
    assert (await account_of(town, home)).state == "closed"
    home.account, home.meter = old, meter
    await sell_home(counter, home, 10_00)
    assert home.carry().credited_fen == 10_00
    with pytest.raises(Conflict, match="the meter shows 7 purchases and the account has 2"):
        await counter.sales.change_meter(
            old,
            MeterChangeRequest((await town.new_home()).meter.meter, 0, 7, "burnt"),
            request_id=new_id(),
            by=CLERK,
        )
    with pytest.raises(Conflict, match="has an account already"):
        await counter.sales.change_meter(
            old,
            MeterChangeRequest((await opened(town, counter)).meter.meter, 0, 2, "burnt"),
            request_id=new_id(),
            by=CLERK,
        )


async def test_closing_gives_back_what_the_card_proves(town: Town, counter: Counter) -> None:
    home = await opened(town, counter)
    await look_at(counter, home)
    sale = await sell_home(counter, home, 50_00)

    async def close(refund_fen: int) -> Order:
        request = ClosingRequest(refund_fen, "moves away")
        return await counter.sales.close(home.account, request, request_id=new_id(), by=CLERK)

    with pytest.raises(InvalidValue, match=r"brought back 100\.00 and may still carry 50\.00"):
        await close(150_01)
    order = await close(150_00)
    assert (order.amount_fen, order.carried_fen) == (-150_00, 50_00)
    assert await refused(counter, order, new_card()) == "blank"
    await written(counter, order, home.card)
    assert (await account_of(town, home)).state == "closed"
    assert home.carry().code == 11
    assert await paid_fen(town, home) == 0
    assert (await town.database.orders.get(sale.id)).state == "written"
    await open_home(counter, home, 5_00)
    assert (await account_of(town, home)).state == "open", "the meter may have another account"


async def test_closing_does_not_give_back_what_has_entered(town: Town, counter: Counter) -> None:
    home = await opened(town, counter)
    await sell_home(counter, home, 50_00)
    request = ClosingRequest(150_00, "moves away")
    close = counter.sales.close
    order = await close(home.account, request, request_id=new_id(), by=CLERK)
    home.carry()
    assert await refused(counter, order, home.card) == "inserted"
    await counter.sales.abandon(order.id, DESK, by=CLERK, reason="it is in the meter")
    await look_at(counter, home)
    order = await close(home.account, request, request_id=new_id(), by=CLERK)
    assert (order.carried_fen, (await written(counter, order, home.card)).state) == (0, "written")


async def test_transfer_and_correction_need_no_card(town: Town, counter: Counter) -> None:
    home = await opened(town, counter)
    await town.database.customers.add(Customer("000000000777", "Test customer"))

    async def transfer(customer: str) -> Order:
        return await counter.sales.transfer(
            home.account, customer, "sold the house", request_id=new_id(), by=CLERK
        )

    order = await transfer("000000000777")
    account = await account_of(town, home)
    assert (order.state, account.owner, account.customer) == (
        "written",
        "000000000777",
        home.customer,
    )
    with pytest.raises(Conflict, match="already"):
        await transfer("000000000777")
    with pytest.raises(InvalidValue, match="there is no customer"):
        await transfer("000000000778")
    request_id = new_id()
    for _ in range(2):
        order = await counter.sales.correct(
            home.account, -3_00, "overcharged", request_id=request_id, by=CLERK
        )
    assert (order.state, order.holds_count, order.parameters) == ("written", False, None)
    assert await paid_fen(town, home) == 97_00
    with pytest.raises(InvalidValue):
        await counter.sales.correct(home.account, 0, "none", request_id=new_id(), by=CLERK)
    await sell_home(counter, home, 10_00)
    assert home.carry().credited_fen == 10_00
    assert {each.kind for each in await journal(town, home)} == {
        "opening",
        "transfer",
        "correction",
        "purchase",
    }


async def test_return_file_is_believed_by_its_rules(town: Town, counter: Counter) -> None:
    home = await town.new_home()
    clock = datetime.fromisoformat("2026-05-04T12:30")
    home.meter.clock = lambda: clock
    await open_home(counter, home, 100_00)
    home.carry()
    counter.insert(home.card)
    look = await counter.sales.look(DESK)
    account = await account_of(town, home)
    assert look.account == account
    assert (account.balance_fen, account.balance_at, account.returned_count) == (100_00, clock, 1)
    revision = account.revision
    await counter.sales.look(DESK)
    assert (await account_of(town, home)).revision == revision, "nothing new, nothing written"
    contents = look.contents
    held = contents.returned
    assert held is not None

    def believed(**changes: Any) -> bool:
        returned = replace(held, remaining_fen=1, **changes)
        return with_return(account, replace(contents, returned=returned)).balance_fen == 1

    assert believed()
    assert believed(returned_at=clock + timedelta(minutes=1))
    assert believed(count=0)
    assert not believed(returned_at=clock - timedelta(minutes=1))
    assert not believed(returned_at=None)
    assert not believed(count=2)
    assert not believed(meter="000000000001")
    assert not believed(customer="000000000001")
    other: CardContents = replace(contents, serial="00" * 8)
    assert with_return(account, other) == account


async def test_look_says_whose_card_it_is(town: Town, counter: Counter) -> None:
    home = await opened(town, counter)

    async def problem() -> str:
        return (await counter.sales.look(DESK)).problem or ""

    counter.insert(home.card)
    assert await problem() == ""
    sale = await written(counter, await reserved(counter, home), home.card)
    assert "has not entered the meter" in await problem()
    counter.insert(new_card())
    look = await counter.sales.look(DESK)
    assert (look.account, look.unfinished, look.problem) == (None, None, None)
    counter.insert(new_card(issued=False))
    assert "never issued" in await problem()
    stranger = await town.new_home()
    order = await counter.sales.open_account(opening_of(stranger, 0), request_id=new_id(), by=CLERK)
    await written(counter, order, stranger.new_card())
    await counter.sales.reverse(order.id, "wrong", request_id=new_id(), by=CLERK)
    counter.insert(stranger.card)
    look = await counter.sales.look(DESK)
    assert look.unfinished is not None
    assert (look.unfinished.kind, look.problem) == ("reversal", None)
    assert sale.state == "written"
