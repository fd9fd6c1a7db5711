"""Sales and the drawer together: shifts, limits and the second person, to the fen."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from counter_helpers import CLERK, DESK, opened, written
from sale_site import ZONE, Counter, Home, Town

from station.errors import LimitReached, NeedsApproval, NeedsShift, StationError
from station.live import Feed
from station.prepaid.limits import Allowed, Limits
from station.prepaid.sales import Sales
from station.prepaid.shifts import Drawer, Shifts
from station.prepaid.terms import ClosingRequest
from station.store.database import Database
from station.store.objects.base import new_id
from station.store.objects.orders import Order

SUPERVISOR = "supervisor"


@dataclass
class Office:
    """A counter whose clerk has a drawer."""

    town: Town
    counter: Counter
    home: Home
    shifts: Shifts
    limits: Limits
    sales: Sales

    async def sell(self, amount_fen: int) -> Order:
        return await self.sales.sell(self.home.account, amount_fen, request_id=new_id(), by=CLERK)

    async def reverse(self, order: Order, approved_by: str | None = None) -> Order:
        return await self.sales.reverse(
            order.id, "mistyped", request_id=new_id(), by=CLERK, approved_by=approved_by
        )

    async def expected_fen(self) -> int:
        """Close the shift and return what its report expects in the drawer."""
        shift = await self.shifts.open_of(CLERK)
        assert shift is not None
        closed = await self.shifts.close(shift.id, 0, by=CLERK)
        assert closed.report is not None
        return closed.report.expected_fen


@pytest.fixture
async def office(database: Database) -> AsyncIterator[Office]:
    """An office with one opened home; the clerk's shift is still to be opened."""
    town = Town(database)
    await town.settle()
    counter = town.counter()
    home = await opened(town, counter)
    shifts = Shifts(database.shifts)
    limits = Limits(database.limits, database.approvals, Allowed(500_00, 800_00, 50_00))
    drawer = Drawer(shifts, limits)
    sales = Sales(database, counter.workplaces, Feed(), ZONE, drawer=drawer)
    yield Office(town, counter, home, shifts, limits, sales)
    await counter.stop()


async def test_a_shift_holds_what_was_taken_and_given(office: Office) -> None:
    with pytest.raises(NeedsShift):
        await office.sell(40_00)
    shift = await office.shifts.open(CLERK, 20_00)
    sale = await written(office.counter, await office.sell(40_00), office.home.card)
    assert sale.shift == shift.id
    await written(office.counter, await office.reverse(sale), office.home.card)
    await written(office.counter, await office.sell(45_00), office.home.card)
    given_up = await office.sales.sell(
        (await opened(office.town, office.counter)).account, 30_00, request_id=new_id(), by=CLERK
    )
    given_up = await office.sales.abandon(given_up.id, DESK, by=CLERK, reason="left")
    assert given_up.ended_shift == shift.id
    assert await office.expected_fen() == 20_00 + 45_00


async def test_a_clerk_s_limits(office: Office) -> None:
    await office.shifts.open(CLERK, 0)
    with pytest.raises(LimitReached):
        await office.sell(500_01)
    await written(office.counter, await office.sell(500_00), office.home.card)
    office.home.carry()
    with pytest.raises(LimitReached):
        await office.sell(300_01)
    assert (await office.sell(300_00)).state == "reserved"


async def test_the_second_person_s_word_is_spent_once(office: Office) -> None:
    await office.shifts.open(CLERK, 0)
    sale = await written(office.counter, await office.sell(60_00), office.home.card)
    with pytest.raises(NeedsApproval):
        await office.reverse(sale)
    approval = await office.limits.approve(
        CLERK, "reversal", 60_00, approved_by=SUPERVISOR, subject=sale.id, reason="mistyped"
    )
    undo = await office.reverse(sale, approval.id)
    assert undo.approved_by == approval.id
    await office.sales.abandon(undo.id, DESK, by=CLERK, reason="not now")
    with pytest.raises(NeedsApproval, match="was used for"):
        await office.reverse(sale, approval.id)
    with pytest.raises(NeedsApproval):
        await office.sales.correct(
            office.home.account, -60_00, "overcharged", request_id=new_id(), by=CLERK
        )
    request = ClosingRequest(160_00, "moves away")
    with pytest.raises(NeedsApproval):
        await office.sales.close(office.home.account, request, request_id=new_id(), by=CLERK)


async def test_a_sale_is_in_the_report_or_finds_the_shift_closed(office: Office) -> None:
    """Selling and closing in the same moment: no order is left out of its shift's report."""
    homes = [office.home] + [await opened(office.town, office.counter) for _ in range(3)]
    shift = await office.shifts.open(CLERK, 0)
    sales = [
        office.sales.sell(home.account, 10_00, request_id=new_id(), by=CLERK) for home in homes
    ]
    done = await asyncio.gather(
        *sales[:2], office.shifts.close(shift.id, 0, by=CLERK), *sales[2:], return_exceptions=True
    )
    assert all(isinstance(each, StationError) for each in done if isinstance(each, BaseException))
    closed = await office.town.database.shifts.get(shift.id)
    assert closed.report is not None
    orders, _ = await office.town.database.orders.list(shift=shift.id)
    assert {order.id for order in orders} == {*closed.report.orders}
    assert closed.report.expected_fen == 10_00 * len(orders)
