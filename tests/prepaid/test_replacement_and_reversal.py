"""Lost cards and sales that are taken back: the meter credits what was paid, once."""

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
from sale_site import Counter, Home, Town, open_home, sell_home

from bench import new_card
from station.errors import CardFailed, Conflict, StationError
from station.prepaid.terms import ReplacementRequest
from station.store.objects.base import new_id
from station.store.objects.orders import Order


async def replaced(
    counter: Counter, home: Home, amount_fen: int = 0, meter_count: int | None = None
) -> Order:
    """Replace a home's card and write the new one."""
    request = ReplacementRequest("lost", amount_fen, meter_count)
    order = await counter.sales.replace(home.account, request, request_id=new_id(), by=CLERK)
    return await written(counter, order, home.new_card())


async def reverse(counter: Counter, order: Order) -> Order:
    return await counter.sales.reverse(order.id, "mistyped", request_id=new_id(), by=CLERK)


@pytest.mark.parametrize("first", ["old", "new", "only new"])
@pytest.mark.parametrize("purchases", [0, 1])
async def test_a_card_lost_before_the_meter_saw_it(
    town: Town, counter: Counter, purchases: int, first: str
) -> None:
    """Case (b): the same amount and the same count again, on whichever card it comes first."""
    home = await town.new_home()
    await open_home(counter, home, 100_00)
    for _ in range(purchases):
        home.carry()
        await sell_home(counter, home, 50_00)
    old = home.card
    order = await replaced(counter, home)
    assert (order.amount_fen, order.count) == (0, 1 + purchases)
    if first == "old":
        home.carry(old)
    assert home.carry().code == 0
    if first == "new":
        assert home.carry(old).credited_fen == 0
    assert home.meter.balance_fen == await paid_fen(town, home) == 100_00 + 50_00 * purchases
    if first != "new" or purchases:
        await sell_home(counter, home, 20_00)
        assert home.carry().credited_fen == 20_00


async def test_a_card_lost_after_the_meter_took_it_in(town: Town, counter: Counter) -> None:
    """Case (a): the next count with a new amount, once the last count is known to be in."""
    home = await opened(town, counter)
    request = ReplacementRequest("broken", 30_00)
    replace = counter.sales.replace
    with pytest.raises(Conflict, match="nobody knows whether the last purchase has entered"):
        await replace(home.account, request, request_id=new_id(), by=CLERK)
    with pytest.raises(Conflict, match="the meter shows 2 purchases and the account has 1"):
        await replaced(counter, home, 30_00, meter_count=2)
    order = await replaced(counter, home, 30_00, meter_count=1)
    assert (order.count, order.card_amount_fen) == (2, 30_00)
    assert home.carry().credited_fen == 30_00
    await sell_home(counter, home, 20_00)
    assert home.carry().credited_fen == 20_00
    assert home.meter.balance_fen == await paid_fen(town, home)


async def test_a_new_card_is_sold_on_only_after_the_meter_knows_it(
    town: Town, counter: Counter
) -> None:
    home = await opened(town, counter)
    counter.insert(home.card)
    await counter.sales.look(DESK)
    order = await replaced(counter, home)
    assert (order.count, order.card_amount_fen) == (1, 0), "the return file proved that it is in"
    sale = await reserved(counter, home)
    assert await refused(counter, sale, home.card) == "not_inserted"
    assert await refused(counter, sale, home.cards[0]) == "replaced"
    assert home.carry().code == 0
    await written(counter, sale, home.card)
    assert home.carry().credited_fen == 50_00
    assert home.carry(home.cards[0]).credited_fen == 0


async def test_a_card_that_dies_while_it_is_written_is_replaced(
    town: Town, counter: Counter
) -> None:
    """Whether the dead card carries the order or not, the meter credits it once."""
    for dies_before in (True, False):
        home = await opened(town, counter)
        sale = await reserved(counter, home)

        def die(number: int, apdu: bytes) -> None:
            if apdu[:3] == bytes.fromhex("04D682"):
                counter.readers[0].pull()

        counter.insert(home.card)
        hook = "before_apdu" if dies_before else "after_apdu"
        setattr(counter.readers[0], hook, die)
        with pytest.raises(CardFailed) as failure:
            await counter.sales.write(sale.id, DESK, by=CLERK)
        assert failure.value.may_have_written
        counter.readers[0].calm()
        order = await replaced(counter, home)
        assert (order.count, order.card_amount_fen) == (2, 50_00)
        settled = await town.database.orders.get(sale.id)
        assert (settled.state, settled.end_reason[:17]) == ("written", "the card was lost")
        home.carry(home.cards[0])
        home.carry()
        assert home.meter.balance_fen == await paid_fen(town, home) == 150_00


async def test_replacement_waits_for_an_order_that_no_card_has_seen(
    town: Town, counter: Counter
) -> None:
    home = await opened(town, counter)
    await reserved(counter, home)
    with pytest.raises(Conflict, match="unfinished order"):
        await replaced(counter, home)


async def test_reversal_of_a_purchase_restores_the_card(town: Town, counter: Counter) -> None:
    home = await opened(town, counter)
    sale = await sell_home(counter, home, 50_00)
    undo = await reverse(counter, sale)
    assert (undo.amount_fen, undo.count, undo.card_amount_fen) == (-50_00, 1, 100_00)
    undo = await written(counter, undo, home.card)
    sale = await town.database.orders.get(sale.id)
    assert (sale.state, sale.reversed_by, sale.holds_count) == ("written", undo.id, False)
    assert home.carry().credited_fen == 0
    assert (await account_of(town, home)).purchase_count == 1
    with pytest.raises(Conflict, match="reversed already"):
        await reverse(counter, sale)
    again = await sell_home(counter, home, 70_00)
    assert again.count == 2
    assert home.carry().credited_fen == 70_00
    assert home.meter.balance_fen == await paid_fen(town, home) == 170_00


async def test_reversal_of_an_opening_makes_the_card_blank(town: Town, counter: Counter) -> None:
    for amount_fen in (100_00, 0):
        home = await town.new_home()
        opening = await open_home(counter, home, amount_fen)
        undo = await written(counter, await reverse(counter, opening), home.card)
        assert undo.state == "written"
        account = await account_of(town, home)
        assert (account.state, account.closed_at) == ("closed", undo.written_at)
        assert home.carry().code == 11
        assert await paid_fen(town, home) == home.meter.balance_fen == 0
        card = home.card
        other = await town.new_home()
        other.cards.append(card)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(other, "new_card", lambda card=card: card)
            await open_home(counter, other, 10_00)
        assert other.carry().credited_fen == 10_00


async def test_what_cannot_be_reversed(town: Town, counter: Counter) -> None:
    home = await opened(town, counter)
    opening = (await journal(town, home))[0]
    undo = await reverse(counter, opening)
    assert await refused(counter, undo, home.card) == "inserted"
    await counter.sales.abandon(undo.id, DESK, by=CLERK, reason="it is in the meter")
    sale = await sell_home(counter, home, 50_00)
    with pytest.raises(Conflict, match="only the last sale"):
        await reverse(counter, opening)
    await replaced(counter, home)
    with pytest.raises(Conflict, match="the card of this sale was replaced"):
        await reverse(counter, sale)
    for order in (undo, (await journal(town, home))[0]):
        with pytest.raises(Conflict):
            await reverse(counter, order)
    home.carry()
    counter.insert(home.card)
    await counter.sales.look(DESK)
    reserved_sale = await reserved(counter, home)
    with pytest.raises(StationError, match="never finished"):
        await reverse(counter, reserved_sale)
    assert await paid_fen(town, home) == home.meter.balance_fen


async def test_reversal_that_is_overtaken_by_the_meter(town: Town, counter: Counter) -> None:
    """The card leaves with a reversal half done, credits the sale, and comes back."""
    home = await opened(town, counter)
    sale = await sell_home(counter, home, 50_00)
    undo = await reverse(counter, sale)

    def pull(number: int, apdu: bytes) -> None:
        if apdu[:3] == bytes.fromhex("04D682"):
            counter.readers[0].pull()

    counter.insert(home.card)
    counter.readers[0].before_apdu = pull
    with pytest.raises(CardFailed):
        await counter.sales.write(undo.id, DESK, by=CLERK)
    counter.readers[0].calm()
    assert home.carry().credited_fen == 50_00
    assert await refused(counter, undo, home.card) == "inserted"
    with pytest.raises(Conflict, match="unfinished"):
        await reserved(counter, home)
    order = await counter.sales.abandon(undo.id, DESK, by=CLERK, reason="credited")
    assert order.state == "abandoned"
    assert home.meter.balance_fen == await paid_fen(town, home) == 150_00
    await sell_home(counter, home, 10_00)
    assert home.carry().credited_fen == 10_00


async def test_half_opened_card_is_cleared_when_the_opening_is_abandoned(
    town: Town, counter: Counter
) -> None:
    home = await town.new_home()
    await open_home(counter, home, 1_00)
    lost = await replaced_and_cut(counter, home)
    assert await refused(counter, lost, new_card()) == "other_card"
    counter.insert(home.card)
    await counter.sales.abandon(lost.id, DESK, by=CLERK, reason="found the old one")
    look = await counter.sales.look(DESK)
    assert (look.contents.state, look.account) == ("blank", None)
    assert home.carry(home.cards[0]).credited_fen == 1_00
    assert home.meter.bound_serial == home.cards[0].serial


async def replaced_and_cut(counter: Counter, home: Home) -> Order:
    """Reserve a replacement, and pull the new card before its wallet is written."""
    request = ReplacementRequest("lost")
    order = await counter.sales.replace(home.account, request, request_id=new_id(), by=CLERK)

    def pull(number: int, apdu: bytes) -> None:
        if apdu[:3] == bytes.fromhex("04D682"):
            counter.readers[0].pull()

    counter.insert(home.new_card())
    counter.readers[0].before_apdu = pull
    with pytest.raises(CardFailed):
        await counter.sales.write(order.id, DESK, by=CLERK)
    counter.readers[0].calm()
    return order


async def test_a_replacement_sold_on_a_wrong_count_is_taken_back(
    town: Town, counter: Counter
) -> None:
    """Somebody misread the meter: it refuses the new purchase, and the one before enters then."""
    home = await opened(town, counter)
    await sell_home(counter, home, 50_00)
    order = await replaced(counter, home, 30_00, meter_count=2)
    assert (order.count, home.carry().code) == (3, 17)
    counter.insert(home.card)
    look = await counter.sales.look(DESK)
    assert look.problem is not None
    assert "the meter knows 1 purchases and the account 3" in look.problem
    await written(counter, await reverse(counter, order), home.card)
    assert home.carry().credited_fen == 50_00
    assert home.meter.balance_fen == await paid_fen(town, home) == 150_00
    await sell_home(counter, home, 20_00)
    assert home.carry().credited_fen == 20_00
