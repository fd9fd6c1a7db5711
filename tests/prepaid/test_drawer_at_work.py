"""The drawer under real selling: what is refused leaves nothing behind, and the count comes out."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from counter_helpers import CLERK, DESK, written
from sale_site import TARIFF, ZONE, Counter, Home, Town

from station.errors import Conflict, LimitReached, NeedsApproval, NeedsShift
from station.live import Feed
from station.prepaid.limits import Allowed, Limits
from station.prepaid.receipts import Receipts, ReceiptStores
from station.prepaid.sales import Sales
from station.prepaid.shifts import Drawer, Shifts
from station.prepaid.terms import OpeningRequest
from station.store.objects.base import new_id
from station.store.objects.orders import Order, OrderChange

SITE = Allowed(sale_max_fen=200_00, shift_max_fen=500_00, approval_above_fen=20_00)


@pytest.fixture
async def counter(town: Town) -> AsyncIterator[Counter]:
    """A counter at which somebody counts."""
    counter = town.counter()
    drawer = Drawer(Shifts(town.database.shifts), limits(town))
    counter.sales = Sales(counter.database, counter.workplaces, Feed(), ZONE, drawer=drawer)
    yield counter
    await counter.stop()


def limits(town: Town) -> Limits:
    """Return the limits of the site."""
    return Limits(town.database.limits, town.database.approvals, SITE)


async def opening(counter: Counter, home: Home, amount_fen: int) -> Order:
    """Open the account of a home on a new card."""
    request = OpeningRequest(home.meter.meter, home.customer, TARIFF, amount_fen)
    order = await counter.sales.open_account(request, request_id=new_id(), by=CLERK)
    home.account = order.account
    return await written(counter, order, home.new_card())


async def sale(counter: Counter, home: Home, amount_fen: int) -> Order:
    """Reserve a purchase."""
    return await counter.sales.sell(home.account, amount_fen, request_id=new_id(), by=CLERK)


async def test_no_sale_without_a_shift(town: Town, counter: Counter) -> None:
    home = await town.new_home()
    with pytest.raises(NeedsShift, match="open one first"):
        await opening(counter, home, 100_00)
    assert await town.journal_of(home) == []
    shift = await Shifts(town.database.shifts).open(CLERK, 0)
    order = await opening(counter, home, 100_00)
    assert order.shift == shift.id
    assert home.carry().credited_fen == 100_00


async def test_a_shift_of_real_orders(town: Town, counter: Counter) -> None:
    shifts = Shifts(town.database.shifts)
    shift = await shifts.open(CLERK, 200_00)
    home = await town.new_home()
    await opening(counter, home, 100_00)
    home.carry()
    with pytest.raises(LimitReached, match="may sell at once"):
        await sale(counter, home, 200_01)
    given_up = await sale(counter, home, 40_00)
    given_up = await counter.sales.abandon(given_up.id, DESK, by=CLERK, reason="changed mind")
    assert given_up.ended_shift == shift.id
    bought = await written(counter, await sale(counter, home, 50_00), home.card)
    undone = await reversal(town, counter, bought)
    undone = await written(counter, undone, home.card)
    assert (undone.state, undone.amount_fen) == ("written", -50_00)
    await written(counter, await sale(counter, home, 30_00), home.card)
    for _ in range(2):
        home.carry()
        await written(counter, await sale(counter, home, 150_00), home.card)
    home.carry()
    with pytest.raises(LimitReached, match=r"more than 500\.00 in one shift"):
        await sale(counter, home, 20_01)
    closed = await shifts.close(shift.id, 200_00 + 430_00, by=CLERK)
    assert closed.report is not None
    journal = await town.journal_of(home)
    standing = sum(order.amount_fen for order in journal if order.state != "abandoned")
    assert standing == home.credited_fen == 430_00
    assert closed.report.expected_fen == 200_00 + standing
    assert closed.report.difference_fen == 0
    assert {*closed.report.orders} == {order.id for order in journal}
    assert {order.shift for order in journal} == {shift.id}


async def test_nothing_is_given_back_into_a_shift_that_was_closed(
    town: Town, counter: Counter
) -> None:
    shifts, journal = Shifts(town.database.shifts), town.database.orders
    shift = await shifts.open(CLERK, 0)
    home = await town.new_home()
    await opening(counter, home, 100_00)
    home.carry()
    order = await sale(counter, home, 40_00)
    await shifts.close(shift.id, 140_00, by=CLERK)
    late = replace(order, state="abandoned", ended_shift=shift.id, holds_count=False)
    with pytest.raises(Conflict, match="closed meanwhile"):
        await journal.advance(OrderChange(order, late))
    assert await journal.get(order.id) == order


async def reversal(town: Town, counter: Counter, order: Order) -> Order:
    """Reverse an order with a second person's approval, which holds once."""

    async def reverse(approved_by: str | None) -> Order:
        return await counter.sales.reverse(
            order.id, "wrong amount", request_id=new_id(), by=CLERK, approved_by=approved_by
        )

    with pytest.raises(NeedsApproval, match=r"50\.00 needs a second person's approval"):
        await reverse(None)
    approval = await limits(town).approve(
        CLERK, "reversal", 50_00, approved_by="supervisor", subject=order.id, reason="seen"
    )
    undone = await reverse(approval.id)
    assert undone.approved_by == approval.id
    assert await town.database.approvals.used([approval.id]) == {approval.id: undone.id}
    with pytest.raises(Conflict):
        await reverse(approval.id)
    return undone


async def test_receipts_of_real_orders(town: Town, counter: Counter) -> None:
    database = town.database
    await Shifts(database.shifts).open(CLERK, 0)
    stores = ReceiptStores(
        orders=database.orders,
        accounts=database.accounts,
        customers=database.customers,
        tariffs=database.tariffs,
        approvals=database.approvals,
        receipts=database.receipts,
        prints=database.prints,
    )
    receipts = Receipts(stores, site="Test site", zone=ZONE, simulation=True)
    home = await town.new_home()
    opened = await opening(counter, home, 100_00)
    home.carry()
    bought = await sale(counter, home, 50_00)
    with pytest.raises(Conflict, match="is not finished"):
        await receipts.issue(bought.id)
    bought = await written(counter, bought, home.card)
    undone = await written(counter, await reversal(town, counter, bought), home.card)
    issued = [await receipts.issue(order.id) for order in (opened, bought, undone)]
    assert [receipt.number for receipt in issued] == [1, 2, 3]
    first, _, last = issued
    assert (first.customer_name, first.tariff) == ("Test customer", "Homes (1)")
    assert (first.meter, first.card_serial) == (home.meter.meter, opened.card_serial)
    assert (last.amount_fen, last.reverses, last.approved_by) == (-50_00, 2, "supervisor")
    assert (await database.orders.get(undone.id)).receipt == 3
