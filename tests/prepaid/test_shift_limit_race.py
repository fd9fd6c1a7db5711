"""One shift, several tabs at once: what it takes never exceeds what its clerk may take."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from counter_helpers import CLERK, opened
from sale_site import ZONE, Counter, Home, Town

from station.errors import LimitReached
from station.live import Feed
from station.prepaid.limits import Allowed, Limits
from station.prepaid.sales import Sales
from station.prepaid.shifts import Drawer, Shifts
from station.store.database import Database
from station.store.objects.base import new_id
from station.store.objects.limits import ClerkLimits
from station.store.objects.orders import Order
from station.units import utc_now

TABS = 4
SITE = Allowed(sale_max_fen=500_00, shift_max_fen=100_00, approval_above_fen=50_00)


class Meeting(Drawer):
    """A drawer at which nobody goes on before all have asked: the worst moment, every time."""

    tabs = TABS

    def __init__(self, shifts: Shifts, limits: Limits) -> None:
        super().__init__(shifts, limits)
        self._asked = 0
        self._all_asked = asyncio.Event()

    async def check(
        self, by: str, kind: str, amount_fen: int, approved_by: str | None, subject: str = ""
    ) -> None:
        await super().check(by, kind, amount_fen, approved_by, subject)
        self._asked += 1
        if self._asked == self.tabs:
            self._all_asked.set()
        await asyncio.wait_for(self._all_asked.wait(), 10)


@pytest.fixture
async def counter(town: Town) -> AsyncIterator[Counter]:
    """A station that sells; its drawer is each test's own."""
    counter = town.counter()
    yield counter
    await counter.stop()


def limits_of(database: Database) -> Limits:
    return Limits(database.limits, database.approvals, SITE)


def selling(town: Town, counter: Counter) -> Sales:
    """Return selling whose drawer is passed by all tabs before any of them goes on."""
    drawer = Meeting(Shifts(town.database.shifts), limits_of(town.database))
    return Sales(town.database, counter.workplaces, Feed(), ZONE, drawer=drawer)


async def sold_at_once(sales: Sales, homes: list[Home], amount_fen: int) -> list[object]:
    """Sell to all homes in the same moment; return the orders and the refusals."""
    asked = (sales.sell(home.account, amount_fen, request_id=new_id(), by=CLERK) for home in homes)
    return await asyncio.gather(*asked, return_exceptions=True)


async def test_tabs_at_once_do_not_exceed_the_limit_of_the_shift(
    town: Town, counter: Counter
) -> None:
    homes = [await opened(town, counter) for _ in range(TABS)]
    shifts = Shifts(town.database.shifts)
    for _ in range(5):
        shift = await shifts.open(CLERK, 0)
        done = await sold_at_once(selling(town, counter), homes, 40_00)
        orders = [each for each in done if isinstance(each, Order)]
        refused = [str(each) for each in done if isinstance(each, LimitReached)]
        assert (len(orders), len(refused)) == (2, 2), done
        assert all("takes more than 100.00 in one shift" in each for each in refused)
        assert await shifts.taken_fen(shift.id) == 80_00
        for order in orders:
            await counter.sales.abandon(order.id, "", by=CLERK, reason="next round")
        await shifts.close(shift.id, 0, by=CLERK)


async def test_the_limit_that_holds_now_is_the_one(town: Town, counter: Counter) -> None:
    homes = [await opened(town, counter) for _ in range(TABS)]
    shifts, limits = Shifts(town.database.shifts), limits_of(town.database)
    shift = await shifts.open(CLERK, 0)
    for most_fen, wanted in ((40_00, 1), (160_00, 3)):  # It is raised while the shift is open.
        await limits.set(ClerkLimits(CLERK, shift_max_fen=most_fen))
        sales = selling(town, counter)
        sales._drawer.tabs = len(homes)
        done = await sold_at_once(sales, homes, 40_00)
        sold = [each for each in done if isinstance(each, Order)]
        assert len(sold) == wanted, done
        homes = [home for home in homes if home.account not in {order.account for order in sold}]
    assert await shifts.taken_fen(shift.id) == 160_00


async def test_what_counts_against_the_limit(town: Town) -> None:
    """A correction is never refused for it, but is money taken; what is given back makes no room,
    and what was abandoned in the shift is no money taken."""
    orders, shifts = town.database.orders, Shifts(town.database.shifts)
    shift = await shifts.open(CLERK, 0)

    async def enter(kind: str, amount_fen: int, **more: str) -> None:
        number = new_id()
        await orders.enter(
            Order(
                number, number, "", number, kind, amount_fen, CLERK, utc_now(),
                shift=shift.id, **more,
            ),
            (),
        )  # fmt: skip

    await enter("purchase", 60_00)  # Nobody has said how much it may take.
    await shifts.allow(shift, 100_00)
    await enter("purchase", 30_00, state="abandoned")
    await enter("correction", 30_00, state="written")
    await enter("reversal", -60_00)
    with pytest.raises(LimitReached, match=r"with 10\.01 more, .* more than 100\.00"):
        await enter("purchase", 10_01)
    await enter("purchase", 10_00)
    with pytest.raises(LimitReached):
        await enter("opening", 1)
    assert (await orders.list(shift=shift.id))[1] == 5
