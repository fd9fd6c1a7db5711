"""Trials: one operation at the counter, one cut, one way to go on, and the comparison after it.

A dry run counts an operation's calls of the card reader and of the database. Then each call can be
cut, before and after its effect, by each fault that can befall it; the work goes on in one of
several ways; and in the end every card is carried to the meter, twice. Then the journal, the card
and the meter must agree to the fen.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import pytest
from cuts import Cut, ProcessDied
from sale_site import CLERKS, DESKS, Counter, Home, Town, open_home, opening_of, sell_home

from bench import new_card
from station.errors import CardError, Conflict, DatabaseDown, StationError, WrongCard
from station.prepaid.desk_sale import Desk
from station.prepaid.sales import Sales
from station.prepaid.terms import ReplacementRequest
from station.store.objects.base import new_id
from station.store.objects.orders import Order

DESK, BY = DESKS[0], CLERKS[0]
AT_ONCE = 8  # So many cuts wait for the journal at the same time.
FIRST_FEN, SECOND_FEN, THIRD_FEN = 100_00, 50_01, 30_99

Prepare = Callable[[Counter, Home], Awaitable[str]]
Confirm = Callable[[Sales, Home, str, str, "Desk | None"], Awaitable[Order]]


class Ending(Enum):
    """How the work goes on after the cut."""

    AGAIN = "confirmed and written again"
    CARRIED = "the card is in the meter first"
    GIVEN_UP = "abandoned when the card allows it"
    LOST = "the card is lost and replaced"


@dataclass(frozen=True)
class Operation:
    """One sale: what comes before it, and how it is confirmed; `changes_card` takes a new card,
    `at_once` has it entered and written in one go."""

    name: str
    prepare: Prepare
    confirm: Confirm
    changes_card: bool = False
    at_once: bool = False


async def new_customer(counter: Counter, home: Home) -> str:
    return ""


async def entered_opening(counter: Counter, home: Home) -> str:
    order = await open_home(counter, home, FIRST_FEN)
    assert home.carry().credited_fen == FIRST_FEN
    return order.id


async def fresh_opening(counter: Counter, home: Home) -> str:
    return (await open_home(counter, home, FIRST_FEN)).id


async def fresh_purchase(counter: Counter, home: Home) -> str:
    await entered_opening(counter, home)
    return (await sell_home(counter, home, SECOND_FEN)).id


async def open_account(
    sales: Sales, home: Home, order: str, request_id: str, desk: Desk | None
) -> Order:
    request = opening_of(home, FIRST_FEN)
    made = await sales.open_account(request, request_id=request_id, by=BY, desk=desk)
    home.account = made.account
    return made


async def sell(sales: Sales, home: Home, order: str, request_id: str, desk: Desk | None) -> Order:
    return await sales.sell(home.account, THIRD_FEN, request_id=request_id, by=BY, desk=desk)


async def replace_and_sell(
    sales: Sales, home: Home, order: str, request_id: str, desk: Desk | None
) -> Order:
    request = ReplacementRequest("lost", THIRD_FEN, meter_count=home.meter.count)
    return await sales.replace(home.account, request, request_id=request_id, by=BY, desk=desk)


async def replace_only(
    sales: Sales, home: Home, order: str, request_id: str, desk: Desk | None
) -> Order:
    request = ReplacementRequest("lost", 0, meter_count=home.meter.count)
    return await sales.replace(home.account, request, request_id=request_id, by=BY, desk=desk)


async def reverse(
    sales: Sales, home: Home, order: str, request_id: str, desk: Desk | None
) -> Order:
    return await sales.reverse(order, "wrong amount", request_id=request_id, by=BY, desk=desk)


IN_STEPS = (
    Operation("opening", new_customer, open_account, changes_card=True),
    Operation("purchase", entered_opening, sell),
    Operation("replacement and sale", entered_opening, replace_and_sell, changes_card=True),
    Operation("replacement", fresh_purchase, replace_only, changes_card=True),
    Operation("reversal", fresh_purchase, reverse),
    Operation("reversal of an opening", fresh_opening, reverse),
)
OPERATIONS = (
    *IN_STEPS,
    *(replace(each, name=f"{each.name} at once", at_once=True) for each in IN_STEPS),
)


@dataclass
class Trial:
    """One operation on a home of its own, cut once, and brought to an end.

    With a `second` cut the first attempt at the end is cut, too, and made again.
    """

    town: Town
    operation: Operation
    ending: Ending
    cut: Cut | None
    second: Cut | None = None

    async def run(self) -> Counter:
        """Do it all and compare; return the station that was cut."""
        self.home = await self.town.new_home()
        self.request_id = new_id()
        helper = self.town.counter()
        self.before = await self.operation.prepare(helper, self.home)
        if self.operation.changes_card:
            self.home.new_card()
        counter = self.town.counter(self.cut)
        counter.insert(self.home.card)
        outcome = await counter.live(self._operate(counter))
        if self.cut is None:
            assert isinstance(outcome, Order), outcome
        else:
            self._check_outcome(counter, outcome)
            finishing = counter
            if self.second is not None:
                finishing = self._alive(finishing)
                finishing.process.arm(self.second)
                await finishing.live(self._end(finishing))
            finishing = self._alive(finishing)
            await self._end(finishing)
            await finishing.stop()
        await self._compare(helper)
        for each in (helper, counter):
            await each.stop()
        return counter

    def _alive(self, counter: Counter) -> Counter:
        """Return the station with nothing broken: the same, or the next one when it died."""
        counter.process.mend()
        return self.town.counter() if counter.process.is_dead else counter

    async def _operate(self, counter: Counter) -> Order:
        order = await self._confirm(counter)
        if self.operation.at_once:
            return order
        return await counter.sales.write(order.id, DESK, by=BY)

    async def _confirm(self, counter: Counter) -> Order:
        desk = Desk(DESK) if self.operation.at_once else None
        confirm = self.operation.confirm
        return await confirm(counter.sales, self.home, self.before, self.request_id, desk)

    def _check_outcome(self, counter: Counter, outcome: object) -> None:
        """The cut struck, and came out as what it is, or did no harm."""
        assert counter.process.has_struck, f"{self.cut} never came"
        assert isinstance(outcome, (Order, CardError, DatabaseDown, ProcessDied)), repr(outcome)
        if isinstance(outcome, Order) and not self.operation.at_once:
            assert outcome.state == "written"

    async def _end(self, counter: Counter) -> None:
        if self.ending is Ending.AGAIN:
            counter.insert(self.home.card)
            order = await self._confirm(counter)
            await self._no_other_card_will_do(counter, order)
            counter.insert(self.home.card)
            order = await counter.sales.write(order.id, DESK, by=BY)
            assert order.state == "written"
            assert await self._confirm(counter) == order, "the same request is the same order"
            return
        unfinished = [each for each in await self.town.journal_of(self.home) if is_open(each)]
        if self.ending is Ending.CARRIED:
            self.home.carry()
        counter.insert(self.home.card)
        for order in unfinished:
            await self._finish(counter, order)

    async def _finish(self, counter: Counter, order: Order) -> None:
        sales = counter.sales
        try:
            if self.ending is Ending.CARRIED:
                await sales.write(order.id, DESK, by=BY)
            elif self.ending is Ending.GIVEN_UP:
                await self._no_other_card_will_do(counter, order)
                counter.insert(self.home.card)
                await sales.abandon(order.id, DESK, by=BY, reason="gone")
            else:
                await self._replace(counter, order)
        except (WrongCard, Conflict):
            if self.ending is Ending.CARRIED:
                await sales.abandon(order.id, DESK, by=BY, reason="gone")
            else:
                await sales.write(order.id, DESK, by=BY)

    async def _replace(self, counter: Counter, order: Order) -> None:
        """The card is lost for ever; if nothing was begun on it the order is abandoned."""
        if not order.card_serial:
            await counter.sales.abandon(order.id, DESK, by=BY, reason="gone")
            return
        counter.insert(self.home.new_card())
        request = ReplacementRequest("lost", 0, meter_count=self.home.meter.count)
        made = await counter.sales.replace(order.account, request, request_id=new_id(), by=BY)
        await counter.sales.write(made.id, DESK, by=BY)

    async def _no_other_card_will_do(self, counter: Counter, order: Order) -> None:
        """A blank card proves nothing about an order that was begun on another."""
        if order.state != "reserved" or not order.card_serial:
            return
        counter.insert(new_card())
        with pytest.raises(WrongCard):
            await counter.sales.write(order.id, DESK, by=BY)
        with pytest.raises(WrongCard):
            await counter.sales.abandon(order.id, DESK, by=BY, reason="gone")

    async def _compare(self, counter: Counter) -> None:
        """Carry every card to the meter, twice; compare the journal, the cards and the meter."""
        home, journal = self.home, await self.town.journal_of(self.home)
        assert not [each for each in journal if is_open(each)]
        written = [each for each in journal if each.state == "written"]
        taken_fen = sum(each.amount_fen for each in written)
        is_odd = self.cut is not None and self.cut.number % 2
        for carried in (home.cards if is_odd else home.cards[::-1]) * 2:
            home.carry(carried)
        assert home.credited_fen == home.meter.balance_fen == taken_fen
        account = await self.town.account_of(home)
        if account is None or account.state == "closed":
            assert taken_fen == 0
            return
        card = next(each for each in home.cards if each.serial.hex().upper() == account.card_serial)
        wallet = card.files[2]
        on_card = (int.from_bytes(wallet[:4], "big"), int.from_bytes(wallet[4:], "big"))
        assert on_card == (account.card_amount_fen, account.purchase_count)
        assert home.meter.count == account.purchase_count
        counter.insert(card)
        look = await counter.sales.look(DESK)
        assert look.account is not None
        assert (look.account.balance_fen, look.unfinished) == (taken_fen, None), look


def is_open(order: Order) -> bool:
    return order.state == "reserved"


async def failures_of(
    town: Town, operation: Operation, trials: Sequence[tuple[Cut, Ending, Cut | None]]
) -> list[str]:
    """Run trials, several at once; return what was wrong."""
    gate = asyncio.Semaphore(AT_ONCE)
    failures: list[str] = []

    async def try_one(cut: Cut, ending: Ending, second: Cut | None) -> None:
        async with gate:
            try:
                await Trial(town, operation, ending, cut, second).run()
            except (AssertionError, StationError) as error:
                failures.append(f"{cut} {ending} {second}: {error!r}")

    await asyncio.gather(*(try_one(*each) for each in trials))
    return failures
