"""Shifts: one per clerk, a blind count, numbered reports, and what a clerk may do alone."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from drawer_helpers import Journal
from pymongo.errors import DuplicateKeyError

from station.errors import (
    Conflict,
    InvalidValue,
    LimitReached,
    NeedsApproval,
    NeedsShift,
    NotFound,
)
from station.prepaid.limits import Allowed, Limits, unfit
from station.prepaid.shifts import Drawer, Shifts
from station.store.database import Database
from station.store.objects.base import new_id
from station.store.objects.limits import Approval, ClerkLimits
from station.store.objects.orders import Order
from station.units import utc_now

SITE = Allowed(sale_max_fen=50_000, shift_max_fen=100_000, approval_above_fen=2_000)


@pytest.fixture
async def journal(mongo_uri: str, database: Database) -> AsyncIterator[Journal]:
    """The journal of orders."""
    journal = Journal(mongo_uri, database.name)
    yield journal
    journal.close()


@pytest.fixture
def shifts(database: Database) -> Shifts:
    """The shifts of the site."""
    return Shifts(database.shifts)


@pytest.fixture
def limits(database: Database) -> Limits:
    """The limits of the site."""
    return Limits(database.limits, database.approvals, SITE)


@pytest.fixture
def drawer(shifts: Shifts, limits: Limits) -> Drawer:
    """What selling asks."""
    return Drawer(shifts, limits)


async def test_a_clerk_has_one_open_shift(shifts: Shifts, drawer: Drawer) -> None:
    with pytest.raises(NeedsShift, match="clerk has no open shift; open one first"):
        await drawer.shift_of("clerk")
    outcomes = await asyncio.gather(
        *(shifts.open("clerk", 20_000) for _ in range(8)), return_exceptions=True
    )
    opened = [each for each in outcomes if not isinstance(each, BaseException)]
    assert len(opened) == 1
    assert all(isinstance(each, Conflict) for each in outcomes if each not in opened)
    assert await drawer.shift_of("clerk") == opened[0].id
    other = await shifts.open("other", 0)  # Two clerks, two drawers.
    assert await drawer.shift_of("other") == other.id


async def test_the_report_is_the_journal_s(shifts: Shifts, journal: Journal) -> None:
    shift = await shifts.open("clerk", 20_000)
    assert shift.report is None
    assert shift.number is None
    kept = [
        await journal.put(shift.id, 10_000),
        await journal.put(shift.id, 5_050),
        await journal.put(shift.id, -3_000, kind="reversal"),
        await journal.put(shift.id, 7_000, state="reserved"),
    ]
    kept.append(await journal.put(shift.id, 9_900, state="abandoned", ended_shift=shift.id))
    kept.append(await journal.put("earlier", 400, state="abandoned", ended_shift=shift.id))
    kept.append(await journal.put(shift.id, 600, state="abandoned", ended_shift="later"))
    await journal.put("another shift", 1_100)
    assert await shifts.taken_fen(shift.id) == 10_000 + 5_050 + 7_000 + 600
    closed = await shifts.close(shift.id, 39_000, by="clerk", note="a coin rolled away")
    assert closed.report is not None
    assert closed.report.expected_fen == 20_000 + 10_000 + 5_050 - 3_000 + 7_000 - 400 + 600
    assert closed.report.difference_fen == 39_000 - 39_250
    assert closed.report.orders == tuple(kept)
    assert closed.report.unfinished == (kept[3],)
    assert [(line.kind, line.orders, line.taken_fen, line.given_fen)
            for line in closed.report.lines] == [
        ("purchase", 5, 32_550, 0), ("reversal", 1, 0, 3_000), ("abandoned", 2, 0, 10_300),
    ]  # fmt: skip
    assert (closed.number, closed.state, closed.closed_by) == (1, "closed", "clerk")
    assert await shifts.open_of("clerk") is None


async def test_a_closed_shift_stays_as_it_is(
    shifts: Shifts, journal: Journal, database: Database
) -> None:
    shift = await shifts.open("clerk", 100)
    closed = await shifts.close(shift.id, 100, by="clerk")
    await journal.put(shift.id, 10_000)
    assert await shifts.close(shift.id, 100, by="clerk") == closed  # Said twice, done once.
    with pytest.raises(Conflict, match="closed already, with report 1"):
        await shifts.close(shift.id, 10_100, by="clerk")
    assert await database.shifts.get(shift.id) == closed
    with pytest.raises(NotFound):
        await shifts.close("no such shift", 0, by="clerk")


async def test_an_order_is_in_the_report_or_finds_the_shift_closed(
    shifts: Shifts, database: Database
) -> None:
    shift = await shifts.open("clerk", 0)
    outcomes: list[str] = []

    async def sell(number: int) -> None:
        order = Order(
            new_id(), f"request {number}", "", f"account {number}", "purchase", 100 + number,
            "clerk", utc_now(), shift=shift.id,
        )  # fmt: skip
        try:
            await database.orders.enter(order, ())
        except Conflict as error:
            outcomes.append(str(error))
        else:
            outcomes.append(order.id)

    sales = [asyncio.ensure_future(sell(number)) for number in range(40)]
    while len(outcomes) < 10:
        await asyncio.wait(sales, return_when=asyncio.FIRST_COMPLETED)
        sales = [each for each in sales if not each.done()]
    closed = await shifts.close(shift.id, 0, by="clerk")
    await asyncio.gather(*sales)
    assert closed.report is not None
    too_late = "the shift was closed meanwhile; open one first"
    assert {*closed.report.orders} == {each for each in outcomes if each != too_late}
    held, _ = await database.orders.list(shift=shift.id)
    assert sum(order.amount_fen for order in held) == closed.report.expected_fen
    assert outcomes.count(too_late) + len(closed.report.orders) == 40


async def test_reports_are_numbered_without_gaps(shifts: Shifts, database: Database) -> None:
    opened = [await shifts.open(f"clerk {number}", 0) for number in range(30)]
    twice = [*opened, *opened]
    closed = await asyncio.gather(*(shifts.close(each.id, 0, by=each.clerk) for each in twice))
    assert sorted({each.number for each in closed}) == [*range(1, 31)]
    listed, total = await database.shifts.list(state="closed", limit=100)
    assert sorted(each.number or 0 for each in listed) == [*range(1, 31)]
    assert total == 30


async def test_a_close_cut_off_at_any_moment_is_done_once(
    shifts: Shifts, database: Database
) -> None:
    opened = [await shifts.open(f"clerk {number}", 0) for number in range(40)]
    cut = 0
    for number, shift in enumerate(opened):
        closing = asyncio.ensure_future(shifts.close(shift.id, 0, by=shift.clerk))
        await asyncio.wait({closing}, timeout=number * 0.0003)
        cut += closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)
    assert cut > 5
    again = [await shifts.close(shift.id, 0, by=shift.clerk) for shift in opened]
    assert sorted(shift.number or 0 for shift in again) == [*range(1, 41)]


@pytest.mark.parametrize("amount_fen", [-1, 100_000_000])
async def test_impossible_money_is_refused(shifts: Shifts, amount_fen: int) -> None:
    with pytest.raises(InvalidValue, match=r"expected 0 to 100000\.00 yuan") as refused:
        await shifts.open("clerk", amount_fen)
    assert refused.value.field == "float_fen"
    shift = await shifts.open("clerk", 0)
    with pytest.raises(InvalidValue) as refused:
        await shifts.close(shift.id, amount_fen, by="clerk")
    assert refused.value.field == "counted_fen"


async def test_limits_of_a_sale_and_of_a_shift(
    drawer: Drawer, limits: Limits, shifts: Shifts, journal: Journal
) -> None:
    with pytest.raises(NeedsShift):
        await drawer.check("clerk", "purchase", 100, None)
    shift = await shifts.open("clerk", 0)
    await drawer.check("clerk", "purchase", 50_000, None)
    await drawer.check("clerk", "correction", 1_000, None)
    with pytest.raises(LimitReached, match=r"500\.01 is more than clerk may sell at once \(500"):
        await drawer.check("clerk", "purchase", 50_001, None)
    await journal.put(shift.id, 60_000)
    await journal.put(shift.id, -30_000, kind="reversal")  # Does not make room for more.
    await drawer.check("clerk", "purchase", 40_000, None)
    with pytest.raises(LimitReached, match=r"takes more than 1000\.00 in one shift"):
        await drawer.check("clerk", "purchase", 40_001, None)
    await limits.set(ClerkLimits("clerk", sale_max_fen=100, changed_by="admin"))
    assert await limits.of("clerk") == replace(SITE, sale_max_fen=100)
    with pytest.raises(LimitReached, match="more than clerk may sell at once"):
        await drawer.check("clerk", "purchase", 101, None)
    with pytest.raises(InvalidValue, match="expected 0 to"):
        await limits.set(ClerkLimits("clerk", shift_max_fen=-1))


@pytest.mark.parametrize(("kind", "amount_fen"), [
    ("reversal", -2_001), ("closing", -2_001), ("correction", 2_001), ("correction", -2_001),
])  # fmt: skip
async def test_a_second_person_above_the_limit(
    drawer: Drawer, limits: Limits, shifts: Shifts, journal: Journal, kind: str, amount_fen: int
) -> None:
    await shifts.open("clerk", 0)
    await drawer.check("clerk", kind, 2_000 if amount_fen > 0 else -2_000, None)
    with pytest.raises(NeedsApproval, match=r"20\.01 needs a second person's approval"):
        await drawer.check("clerk", kind, amount_fen, None)
    with pytest.raises(NeedsApproval, match="there is no such approval"):
        await drawer.check("clerk", kind, amount_fen, "supervisor")
    approval = await limits.approve(
        "clerk", kind, amount_fen, approved_by="supervisor", subject="order", reason="wrong meter"
    )
    await drawer.check("clerk", kind, amount_fen, approval.id)
    await drawer.check("clerk", kind, amount_fen, approval.id, "order")
    with pytest.raises(NeedsApproval, match="is for something else"):
        await drawer.check("clerk", kind, amount_fen, approval.id, "another order")
    with pytest.raises(NeedsApproval, match=r"holds up to 20\.01"):
        await drawer.check("clerk", kind, amount_fen * 2, approval.id)
    await journal.put(None, amount_fen, kind=kind, approved_by=approval.id)
    with pytest.raises(NeedsApproval, match="was used for another order"):
        await drawer.check("clerk", kind, amount_fen, approval.id)
    with pytest.raises(DuplicateKeyError):  # Two at once: the index lets one through.
        await journal.put(None, amount_fen, kind=kind, approved_by=approval.id)


async def test_nobody_approves_the_own_act(limits: Limits) -> None:
    with pytest.raises(InvalidValue, match="another person has to approve this"):
        await limits.approve("a", "reversal", -1, approved_by="a", subject="order", reason="x")


def test_an_approval_holds_for_one_clerk_one_kind_and_a_while() -> None:
    now = utc_now()
    approval = Approval("1", "clerk", "reversal", 100, "boss", now, now + timedelta(minutes=15))
    assert unfit(approval, "clerk", "reversal", 100, now) is None
    late = now + timedelta(minutes=15, milliseconds=1)
    for held in (
        unfit(approval, "other", "reversal", 100, now),
        unfit(approval, "clerk", "closing", 100, now),
        unfit(approval, "clerk", "reversal", 101, now),
        unfit(approval, "clerk", "reversal", 100, late),
    ):
        assert held is not None
        assert "ask for another" in held
