"""The life of commands under whatever happens: silence, refusals, cuts, restarts, no database.

Two things hold after every step: states only go forward, and nothing that changes a meter is sent
twice without an answered question about its outcome in between, so it is done once at most. And in
the end, when all is well again, every command has ended.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Iterator
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pytest
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
from ordered_meter import OrderedBus, OrderedMeter

from station.collector import execution as execution_module
from station.collector.commands import Commands, Order
from station.collector.execution import Execution
from station.collector.reader import Reader
from station.errors import Conflict, DatabaseDown
from station.frontend.link import Answer, Inquiry, Priority
from station.live import Feed
from station.protocols.dlt645 import functions
from station.protocols.dlt645.requests import Authority
from station.store.database import Database
from station.store.objects import commands as store
from station.store.objects.channels import Channel
from station.store.objects.commands import FORWARD, Command
from station.store.objects.meters import Meter

METER, LINE = "000000000161", "line"
ZONE = ZoneInfo("Asia/Shanghai")
RIGHT, WRONG = Authority(password="123456"), Authority(password="654321")
PARAMETERS = ("04000103", "04000104", "04000302")


class CountingBus(OrderedBus):
    """Counts every sending that could change the meter; may hang until the process is gone."""

    def __init__(self, meter: OrderedMeter) -> None:
        super().__init__(meter)
        self.sendings = 0
        self.hang_next = False
        self.hanging = asyncio.Event()

    async def exchange(
        self, inquiry: Inquiry[Any], *, priority: Priority, timeout_s: float
    ) -> Answer[Any]:
        is_change = inquiry.request.function in (functions.WRITE, functions.CONTROL)
        self.sendings += is_change
        answer = await super().exchange(inquiry, priority=priority, timeout_s=timeout_s)
        if is_change and self.hang_next:
            self.hang_next = False
            self.hanging.set()
            await asyncio.Event().wait()
        return answer


class FlakyCommands(store.Commands):
    """A store whose database goes away before or after it has written."""

    faults: deque[str]

    async def advance(self, before: Command, after: Command) -> Command:
        fault = self.faults.popleft() if self.faults else ""
        if fault == "before":
            raise DatabaseDown("the database does not answer")
        written = await super().advance(before, after)
        if fault == "after":
            raise DatabaseDown("the database does not answer")
        return written


class CommandMachine(RuleBasedStateMachine):
    """Orders commands and makes trouble."""

    loop: asyncio.AbstractEventLoop
    database: Database

    def run(self, work: Awaitable[Any]) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(work, 20))

    @initialize()
    def begin(self) -> None:
        self.run(self.database.commands._collection.remove({}))
        self.meter = OrderedMeter(METER)
        self.meter.parameters = {int(text, 16): b"\x00" for text in PARAMETERS}
        self.bus = CountingBus(self.meter)
        self.store = FlakyCommands(self.database.commands._collection)
        self.store.faults = deque()
        self.ordered: list[str] = []
        self.known: dict[str, Command] = {}
        self.commands = self.make()
        self.run(self.commands.start())

    def make(self) -> Commands:
        database, feed = self.database, Feed()
        execution = Execution(
            registry=self.bus,
            meters=database.meters,
            commands=self.store,
            reader=Reader(self.bus, database.meters, database.readings, feed, ZONE),
            feed=feed,
            zone=ZONE,
            pause_s=0.0001,
        )
        return Commands(
            registry=self.bus,
            meters=database.meters,
            commands=self.store,
            execution=execution,
            station="test",
            tick_s=3600,
        )

    async def settle(self) -> None:
        """Let work go on until every meter pauses, or a question hangs."""
        while True:
            workers = [lane.worker for lane in self.commands._lanes.values() if lane.worker]
            if not workers or self.bus.hanging.is_set():
                return
            hanging = asyncio.ensure_future(self.bus.hanging.wait())
            await asyncio.wait({*workers, hanging}, return_when=asyncio.FIRST_COMPLETED)
            hanging.cancel()

    async def order(self, kind: str, what: dict[str, Any], authority: Authority) -> None:
        request_id = f"r{len(self.ordered)}"
        self.ordered.append(request_id)
        order = Order(request_id, kind, METER, what, "why", authority=authority)
        await self.commands.order(order, "admin")
        await self.settle()

    @rule(what=st.sampled_from(["trip", "close"]), right=st.integers(0, 9))
    def control(self, what: str, right: int) -> None:
        self.run(self.order("control", {"order": what}, RIGHT if right else WRONG))

    @rule(parameter=st.sampled_from(PARAMETERS))
    def set(self, parameter: str) -> None:
        value = str(len(self.ordered) % 100)  # Each order sets another value.
        self.run(self.order("set", {"parameter": parameter, "value": value}, RIGHT))

    @rule(fate=st.sampled_from(["done", "lost", "unheard", "refused"]))
    def meter_will(self, fate: str) -> None:
        self.meter.fates.append(fate)

    @rule(fault=st.sampled_from(["before", "after", ""]))
    def database_will(self, fault: str) -> None:
        self.store.faults.append(fault)

    @rule(silent=st.booleans())
    def meter_is_silent(self, silent: bool) -> None:
        self.meter.silent = silent

    @rule(when=st.sampled_from(["before", "after"]))
    def link_will_be_cut(self, when: str) -> None:
        self.bus.cut = when

    @rule()
    def question_will_hang(self) -> None:
        self.bus.hang_next = True

    @rule()
    def link_comes_up(self) -> None:
        self.run(self.come_up())

    async def come_up(self) -> None:
        self.bus.come_up()
        await self.settle()

    @rule()
    def time_passes(self) -> None:
        self.run(self.go_on())

    async def go_on(self) -> None:
        for lane in self.commands._lanes.values():
            lane.not_before = 0.0
        await self.commands._tick()
        await self.settle()

    @rule()
    def restart(self) -> None:
        self.run(self.start_again())

    async def start_again(self) -> None:
        await self.commands.stop()
        self.bus._callbacks.clear()
        self.bus.hanging.clear()
        self.store.faults.clear()  # A station starts when its database is there.
        self.commands = self.make()
        await self.commands.start()
        await self.settle()

    @rule(place=st.integers(0, 20))
    def cancel(self, place: int) -> None:
        self.run(self.cancel_one(place))

    async def cancel_one(self, place: int) -> None:
        standing = await self.database.commands.open("test")
        if place < len(standing):
            try:
                await self.commands.cancel(standing[place].id, "boss")
            except (Conflict, DatabaseDown):
                return
            finally:
                await self.settle()

    @invariant()
    def holds(self) -> None:
        if not hasattr(self, "commands"):
            return
        commands, _ = self.run(self.database.commands.list(limit=1000))
        assert self.bus.sendings <= sum(command.attempts for command in commands)
        for command in commands:
            before = self.known.get(command.id, command)
            self.check_forward(before, command)
            self.check_asked(command)
            self.known[command.id] = command
        for change in {*self.meter.changes}:
            wanted = [command for command in commands if change == change_of(command)]
            assert self.meter.changes.count(change) <= len(wanted), "done twice"

    def check_forward(self, before: Command, now: Command) -> None:
        assert now.revision >= before.revision
        assert now.state == before.state or now.state in FORWARD[before.state] or before.is_open
        if not before.is_open:
            assert now == before, "it has ended"
        if before.state == "sent":
            assert now.state != "queued"

    def check_asked(self, command: Command) -> None:
        """Between two sendings the meter has answered what became of the first."""
        is_asked = True
        for step in command.history:
            if step.name == "sent":
                assert is_asked, f"sent again blindly: {command.history}"
                is_asked = False
            elif step.name == "asked" and step.exchange is not None:
                is_asked = True

    def teardown(self) -> None:
        if hasattr(self, "commands"):
            self.run(self.all_end())
            self.holds()

    async def all_end(self) -> None:
        self.meter.silent = False
        self.meter.fates.clear()
        self.bus.hang_next = False
        await self.start_again()
        self.bus.come_up()
        for _ in range(10 * (len(self.ordered) + 1)):
            await self.go_on()
        assert await self.database.commands.open("test") == []
        assert self.commands.waiting == 0
        await self.commands.stop()


def change_of(command: Command) -> str:
    """Return how the meter counts what a command does."""
    if command.kind == "control":
        return {"trip": "order 1A", "close": "order 1C"}[command.what["order"]]
    return f"set {command.what['parameter']}"


@pytest.fixture
def machine_database(mongo_uri: str) -> Iterator[tuple[asyncio.AbstractEventLoop, Database]]:
    loop = asyncio.new_event_loop()
    name = "test_command_machine"

    async def opened() -> Database:
        database = await Database.connect(mongo_uri, name, zone=ZONE)
        await database.channels.add(Channel(LINE, "loop://"))
        await database.meters.add(Meter(METER, "Shop", link=LINE))
        return database

    async def dropped(database: Database) -> None:
        await database.close()
        client: AsyncIOMotorClient[Any] = AsyncIOMotorClient(mongo_uri)
        await client.drop_database(name)
        client.close()

    database = loop.run_until_complete(opened())
    yield loop, database
    loop.run_until_complete(dropped(database))
    loop.close()


def test_commands_under_whatever_happens(
    machine_database: tuple[asyncio.AbstractEventLoop, Database],
) -> None:
    CommandMachine.loop, CommandMachine.database = machine_database
    with patch.object(execution_module, "DATABASE_PAUSE_S", 0.001):
        run_state_machine_as_test(
            CommandMachine,
            settings=settings(
                max_examples=60,
                stateful_step_count=20,
                deadline=None,
                suppress_health_check=[*HealthCheck],
                database=None,
            ),
        )
