"""Days at the counter under whatever happens: the books always agree (see counter_day)."""

import asyncio
from collections import Counter as Tally
from collections.abc import Awaitable, Iterator

import pytest
from counter_day import Day, Resident
from cuts import FAULTS, Cut
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from motor.motor_asyncio import AsyncIOMotorClient
from sale_site import ZONE, Town

from station.store.database import Database

DAYS = 15
ACTS = 15
HOMES = 2
AHEAD_MAX = 60  # A sale and its write make about so many calls.
ACT_TIMEOUT_S = 120.0  # Then it hangs; the end of a day beside much other work took half a minute.

homes = st.integers(0, HOMES - 1)
desks = st.integers(0, 1)
amounts = st.integers(1, 300_00)
names = st.sampled_from(["write", "abandon", "sell"])
faults = st.sampled_from(sorted({fault for each in FAULTS.values() for fault in each}, key=str))
cuts = st.none() | st.builds(Cut, st.integers(0, AHEAD_MAX), is_after=st.booleans(), fault=faults)


class CounterDay(RuleBasedStateMachine):
    """Draws what happens on one day."""

    loop: asyncio.AbstractEventLoop
    town: Town
    days = 0

    def run(self, work: Awaitable[object]) -> None:
        self.loop.run_until_complete(asyncio.wait_for(work, ACT_TIMEOUT_S))

    def home(self, place: int) -> Resident:
        return self.day.homes[place]

    @initialize(amount=st.sampled_from([0, 100_00]))
    def begin(self, amount: int) -> None:
        type(self).days += 1
        self.day = Day(self.town)
        self.run(self.day.begin(HOMES))
        for home in self.day.homes:
            self.run(self.day.open(home, amount))
            self.run(self.day.finish(home))

    def breaks(self, cut: Cut | None) -> None:
        if cut is not None:
            self.day.arm(cut)

    @rule(place=homes, amount=st.sampled_from([0, 50_00, 123_45]), cut=cuts)
    def open(self, place: int, amount: int, cut: Cut | None) -> None:
        self.breaks(cut)
        self.run(self.day.open(self.home(place), amount))
        self.run(self.day.finish(self.home(place)))

    @rule(place=homes, amount=amounts, cut=cuts, is_carried=st.booleans())
    def buy(self, place: int, amount: int, cut: Cut | None, is_carried: bool) -> None:
        self.run(self.day.carry(self.home(place)))
        self.breaks(cut)
        self.run(self.day.sell(self.home(place), amount))
        self.run(self.day.finish(self.home(place)))
        if is_carried:
            self.run(self.day.carry(self.home(place)))

    @rule(place=homes, amount=amounts, cut=cuts)
    def sell(self, place: int, amount: int, cut: Cut | None) -> None:
        self.breaks(cut)
        self.run(self.day.sell(self.home(place), amount))

    @rule(place=homes, amount=amounts, desk=desks, cut=cuts, is_carried=st.booleans())
    def sell_at_once(
        self, place: int, amount: int, desk: int, cut: Cut | None, is_carried: bool
    ) -> None:
        if is_carried:
            self.run(self.day.carry(self.home(place)))
        self.breaks(cut)
        self.run(self.day.sell_at_once(self.home(place), amount, desk))

    @rule(place=homes, desk=desks)
    def finish(self, place: int, desk: int) -> None:
        self.run(self.day.finish(self.home(place), desk))

    @rule(place=homes)
    def write_other_card(self, place: int) -> None:
        self.run(self.day.write_other_card(self.home(place), self.home(1 - place)))

    @rule(place=homes, desk=desks, cut=cuts)
    def abandon(self, place: int, desk: int, cut: Cut | None) -> None:
        self.breaks(cut)
        self.run(self.day.abandon(self.home(place), desk))

    @rule(place=homes, amount=st.sampled_from([0, 0, 20_02]), cut=cuts, is_lost=st.booleans())
    def replace(self, place: int, amount: int, cut: Cut | None, is_lost: bool) -> None:
        if is_lost:
            self.run(self.day.lose(self.home(place)))
        self.breaks(cut)
        self.run(self.day.replace(self.home(place), amount))
        self.run(self.day.finish(self.home(place)))

    @rule(place=homes, back=st.integers(0, 2), cut=cuts)
    def reverse(self, place: int, back: int, cut: Cut | None) -> None:
        self.breaks(cut)
        self.run(self.day.reverse(self.home(place), back))
        self.run(self.day.finish(self.home(place)))

    @rule(place=homes, amount=st.sampled_from([-300, 500]))
    def correct(self, place: int, amount: int) -> None:
        self.run(self.day.correct(self.home(place), amount))

    @rule(place=homes, cut=cuts)
    def change_meter(self, place: int, cut: Cut | None) -> None:
        self.breaks(cut)
        self.run(self.day.change_meter(self.home(place)))

    @rule(place=homes, desk=desks)
    def look(self, place: int, desk: int) -> None:
        self.run(self.day.look(self.home(place), desk))

    @rule(place=homes, one=names, other=names, same=st.booleans(), cut=cuts)
    def two_at_once(self, place: int, one: str, other: str, same: bool, cut: Cut | None) -> None:
        self.breaks(cut)
        self.run(self.day.two_at_once(self.home(place), (one, other), same))

    @rule(place=homes)
    def carry(self, place: int) -> None:
        self.run(self.day.carry(self.home(place)))

    @rule(place=homes, card=st.integers(0, 9))
    def carry_any(self, place: int, card: int) -> None:
        self.day.carry_any(self.home(place), card)

    @rule(place=homes)
    def lose(self, place: int) -> None:
        self.run(self.day.lose(self.home(place)))

    @rule(place=homes, amount=amounts)
    def use(self, place: int, amount: int) -> None:
        self.day.use(self.home(place), amount)

    @rule()
    def restart(self) -> None:
        self.run(self.day.restart())

    @invariant()
    def books_agree(self) -> None:
        if hasattr(self, "day"):
            self.run(self.day.check())

    def teardown(self) -> None:
        if hasattr(self, "day"):
            self.run(self.day.end())


def run_days(
    loop: asyncio.AbstractEventLoop, uri: str, days: int, acts: int = ACTS
) -> tuple[int, Tally[str]]:
    """Live through so many days in a database of their own.

    Return how many they were, and how many orders of each kind and state were made in them.
    """
    name = "counter_days"

    async def opened() -> Database:
        database = await Database.connect(uri, name, zone=ZONE)
        CounterDay.town = Town(database)
        await CounterDay.town.settle()
        return database

    async def dropped(database: Database) -> Tally[str]:
        orders = await database.orders._collection.find({}, fields={"kind": 1, "state": 1})
        await database.close()
        client: AsyncIOMotorClient[dict[str, object]] = AsyncIOMotorClient(uri)
        await client.drop_database(name)
        client.close()
        return Tally(f"{order['kind']} {order['state']}" for order in orders)

    CounterDay.loop, CounterDay.days = loop, 0
    database = loop.run_until_complete(opened())
    try:
        run_state_machine_as_test(
            CounterDay,
            settings=settings(
                max_examples=days,
                stateful_step_count=acts,
                deadline=None,
                report_multiple_bugs=False,
                suppress_health_check=[*HealthCheck],
                database=None,
            ),
        )
    finally:
        made = loop.run_until_complete(dropped(database))
    return CounterDay.days, made


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


def test_books_agree_on_every_day(mongo_uri: str, loop: asyncio.AbstractEventLoop) -> None:
    days, made = run_days(loop, mongo_uri, DAYS)
    assert days >= DAYS
    acts = sum(number for what, number in made.items() if not what.startswith("opening"))
    assert acts, "days on which nothing is done prove nothing"
