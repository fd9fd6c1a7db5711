"""Commands: what was ordered happens once, and everybody can see what became of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from ordered_meter import OrderedBus, OrderedMeter

from station.collector import commands as commands_module
from station.collector import execution as execution_module
from station.collector.commands import Commands, Order
from station.collector.execution import Execution
from station.collector.reader import Reader
from station.errors import Conflict, InvalidValue, NotFound
from station.live import Feed
from station.protocols.dlt645.requests import Authority
from station.store.database import Database
from station.store.objects.base import new_id
from station.store.objects.channels import Channel
from station.store.objects.commands import Command
from station.store.objects.meters import Meter
from station.units import utc_now

METER, LINE = "000000000161", "line"
RIGHT, WRONG = Authority(password="123456"), Authority(password="654321")
WAIT_S = 10.0


@dataclass
class Ordering:
    """A meter, its bus, and the commands of a station that may be restarted."""

    database: Database
    meter: OrderedMeter
    bus: OrderedBus
    commands: Commands
    heard: list[dict[str, Any]]
    make: Callable[[], Commands]

    async def order(self, kind: str, authority: Authority | None = RIGHT, **what: Any) -> Command:
        order = Order(new_id(), kind, METER, what, "unpaid", authority=authority)
        return await self.commands.order(order, "admin")

    async def ended(self, command: Command) -> Command:
        """Return a command once it has ended."""
        return await self.until(command, lambda now: not now.is_open)

    async def until(self, command: Command, check: Callable[[Command], bool]) -> Command:
        """Return a command once it is as wanted."""
        deadline = asyncio.get_running_loop().time() + WAIT_S
        while not check(now := await self.database.commands.get(command.id)):
            assert asyncio.get_running_loop().time() < deadline, now
            await asyncio.sleep(0.005)
        return now

    async def restart(self) -> None:
        """Take the process away and start another one on the same database."""
        await self.commands.stop()
        self.commands = self.make()
        await self.commands.start()


@pytest.fixture
async def ordering(database: Database, zone: Any) -> AsyncIterator[Ordering]:
    await database.channels.add(Channel(LINE, "loop://"))
    await database.meters.add(Meter(METER, "Shop", link=LINE))
    meter = OrderedMeter(METER)
    bus = OrderedBus(meter)
    feed = Feed()
    heard: list[dict[str, Any]] = []

    def make() -> Commands:
        reader = Reader(bus, database.meters, database.readings, feed, zone)
        execution = Execution(
            registry=bus,
            meters=database.meters,
            commands=database.commands,
            reader=reader,
            feed=feed,
            zone=zone,
            pause_s=0.01,
        )
        return Commands(
            registry=bus,
            meters=database.meters,
            commands=database.commands,
            execution=execution,
            station="test",
            tick_s=0.01,
        )

    made = Ordering(database, meter, bus, make(), heard, make)
    await made.commands.start()
    with feed.listening(lambda topic, message: heard.append({**message, "topic": topic})):
        yield made
    await made.commands.stop()


def steps(command: Command) -> list[str]:
    return [step.name for step in command.history]


async def test_trip_is_done_looked_at_and_told(ordering: Ordering) -> None:
    command = await ordering.ended(await ordering.order("control", order="trip"))
    assert command.state == "confirmed"
    assert command.result["relay"] == "open"
    assert steps(command) == ["queued", "sent", "accepted", "confirmed"]
    assert [step.exchange for step in command.history] == [None, None, 1, 2]
    assert ordering.meter.changes == ["order 1A"]
    await ordering.until(command, lambda _: len(ordering.heard) == 4)
    told = [each["state"] for each in ordering.heard if each["topic"] == "commands"]
    assert told == ["queued", "sent", "sent", "confirmed"]


async def test_an_order_that_was_done_unheard_is_not_sent_again(ordering: Ordering) -> None:
    ordering.meter.fates.append("unheard")
    command = await ordering.ended(await ordering.order("control", order="trip"))
    assert command.state == "confirmed"
    assert steps(command) == ["queued", "sent", "unanswered", "confirmed"]
    assert ordering.meter.changes == ["order 1A"]


async def test_an_order_that_was_lost_is_sent_again_after_a_look(ordering: Ordering) -> None:
    ordering.meter.fates.append("lost")
    command = await ordering.ended(await ordering.order("control", order="trip"))
    assert command.state == "confirmed"
    assert command.attempts == 2
    assert steps(command)[2:6] == ["unanswered", "asked", "sent", "accepted"]
    assert ordering.meter.arrived[0] == "read 04000503"
    assert ordering.meter.changes == ["order 1A"]


async def test_attempts_end(ordering: Ordering) -> None:
    ordering.meter.fates.extend(["lost"] * 10)
    command = await ordering.ended(await ordering.order("control", order="trip"))
    assert command.state == "failed"
    assert command.reason == "it did not happen, its relay is closed (sent 3 times)"
    assert ordering.meter.changes == []


async def test_a_refusal_is_final(ordering: Ordering) -> None:
    command = await ordering.ended(await ordering.order("control", WRONG, order="trip"))
    assert command.state == "failed"
    assert command.reason.endswith("refused: wrong password or not authorised")
    assert ordering.meter.arrived == ["change 1C"], "a wrong password is not tried again"


async def test_it_waits_for_an_offline_link(ordering: Ordering) -> None:
    ordering.bus.is_up = False
    command = await ordering.order("control", order="trip")
    await ordering.order("control", order="close")
    assert ordering.commands.waiting == 2
    assert ordering.meter.arrived == []
    ordering.bus.come_up()
    assert (await ordering.ended(command)).state == "confirmed"
    await ordering.until(command, lambda _: ordering.commands.waiting == 0)
    assert ordering.meter.changes == ["order 1A", "order 1C"], "in the order given"


@pytest.mark.parametrize(("cut", "sendings"), [("before", 2), ("after", 1)])
async def test_a_link_cut_while_it_is_sent(ordering: Ordering, cut: str, sendings: int) -> None:
    ordering.bus.cut = cut
    command = await ordering.order("control", order="trip")
    await ordering.until(command, lambda now: "unanswered" in steps(now))
    ordering.bus.come_up()
    command = await ordering.ended(command)
    assert (command.state, command.attempts) == ("confirmed", sendings)
    assert ordering.meter.changes == ["order 1A"]


async def test_after_a_restart_the_outcome_is_asked(ordering: Ordering) -> None:
    ordering.bus.cut = "after"
    command = await ordering.order("control", order="trip")
    await ordering.until(command, lambda _: bool(ordering.meter.changes))
    await ordering.restart()
    ordering.bus.come_up()
    command = await ordering.ended(command)
    assert command.state == "confirmed"
    assert "restarted" in steps(command)
    assert ordering.meter.changes == ["order 1A"]


async def test_after_a_restart_nothing_is_sent_without_its_password(ordering: Ordering) -> None:
    ordering.bus.cut = "before"
    sent = await ordering.order("control", order="trip")
    waiting = await ordering.order("set", parameter="04000103", value="30")
    read = await ordering.order("read", None, items=["energy_import_total"])
    await ordering.until(sent, lambda now: now.state == "sent")
    await ordering.restart()
    told = await ordering.ended(waiting)
    assert told.state == "failed"
    assert "password was only kept in memory" in told.reason
    ordering.bus.come_up()
    assert (await ordering.ended(sent)).reason.startswith("it did not happen, its relay is closed")
    assert ordering.meter.changes == []
    assert (await ordering.ended(read)).state == "failed", "this meter has no energy"


async def test_read_waits_and_is_repeated(ordering: Ordering) -> None:
    ordering.meter.parameters[0x00010000] = bytes.fromhex("56341200")
    ordering.bus.cut = "after"
    command = await ordering.order("read", None, items=["energy_import_total"])
    await ordering.until(command, lambda now: "unanswered" in steps(now))
    ordering.bus.come_up()
    command = await ordering.ended(command)
    assert command.state == "confirmed"
    [value] = command.result["values"]
    assert (value["item"], value["value"]) == ("energy_import_total", 123456)
    [stored] = (await ordering.database.readings.latest([METER]))[METER]
    assert (stored.value, stored.source) == (123456, "read_now")


async def test_read_of_a_silent_meter_fails(ordering: Ordering) -> None:
    ordering.meter.silent = True
    command = await ordering.order("read", None, items=["energy_import_total"])
    command = await ordering.ended(command)
    assert (command.state, command.attempts) == ("failed", 3)
    assert "no answer" in command.reason


async def test_parameter_is_read_back(ordering: Ordering) -> None:
    command = await ordering.ended(await ordering.order("set", parameter="04000103", value="30"))
    assert command.state == "confirmed"
    assert command.result == {"held": "30", "value": "30"}
    assert ordering.meter.parameters[0x04000103] == b"\x30"


async def test_a_meter_that_says_done_and_is_not(ordering: Ordering) -> None:
    ordering.meter.parameters.clear()
    held = b"\x15"

    class Stubborn(dict[int, bytes]):
        def __setitem__(self, key: int, value: bytes) -> None:
            super().__setitem__(key, held)

    ordering.meter.parameters = Stubborn()
    command = await ordering.ended(await ordering.order("set", parameter="04000103", value="30"))
    assert command.state == "failed"
    assert command.reason == "the meter accepted it, but it holds 15"
    assert ordering.meter.changes == ["set 04000103"]


async def test_clock_is_set_and_looked_at(ordering: Ordering) -> None:
    command = await ordering.ended(await ordering.order("set", parameter="clock"))
    assert command.state == "confirmed"
    assert abs(command.result["deviation_s"]) <= 1
    assert ordering.meter.changes == ["set 04000101", "set 04000102"]


async def test_what_cannot_be_looked_at_is_what_the_meter_said(ordering: Ordering) -> None:
    said = await ordering.ended(await ordering.order("set", parameter="04000104", value="5"))
    assert said.state == "confirmed", "it holds it now"
    ordering.meter.fates.append("unheard")
    ordering.meter.parameters = _Forgetting()
    unheard = await ordering.ended(await ordering.order("set", parameter="04000104", value="6"))
    assert unheard.state == "failed"
    assert unheard.reason.startswith("its outcome is not known: ")


class _Forgetting(dict[int, bytes]):
    def __setitem__(self, key: int, value: bytes) -> None:
        """Keep nothing."""


async def test_expiry_while_the_link_is_down(
    ordering: Ordering, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordering.bus.is_up = False
    first = await ordering.order("control", order="trip")
    second = await ordering.order("control", order="close")
    for module in (commands_module, execution_module):
        monkeypatch.setattr(module, "utc_now", lambda: utc_now() + timedelta(hours=2))
    for command in (first, second):
        assert (await ordering.ended(command)).state == "expired"
    ordering.bus.come_up()
    await ordering.until(first, lambda _: ordering.commands.waiting == 0)
    assert ordering.meter.arrived == []


async def test_what_was_lost_is_not_sent_after_its_time(
    ordering: Ordering, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordering.bus.cut = "before"
    command = await ordering.order("control", order="trip")
    await ordering.until(command, lambda now: "unanswered" in steps(now))
    monkeypatch.setattr(execution_module, "utc_now", lambda: utc_now() + timedelta(hours=2))
    ordering.bus.come_up()
    command = await ordering.ended(command)
    assert (command.state, command.attempts) == ("expired", 1)
    assert ordering.meter.changes == []


async def test_an_outcome_that_nobody_can_tell_ends_some_day(
    ordering: Ordering, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordering.bus.cut = "after"
    command = await ordering.order("control", order="trip")
    await ordering.until(command, lambda now: "unanswered" in steps(now))
    monkeypatch.setattr(execution_module, "OFFLINE_LOOK_S", 0.01)
    monkeypatch.setattr(execution_module, "utc_now", lambda: utc_now() + timedelta(days=8))
    await ordering.restart()
    command = await ordering.ended(command)
    assert command.state == "failed"
    assert command.reason == "its outcome is not known: line is down"


async def test_cancel(ordering: Ordering) -> None:
    ordering.bus.is_up = False
    first = await ordering.order("control", order="trip")
    second = await ordering.order("control", order="close")
    cancelled = await ordering.commands.cancel(second.id, "boss")
    assert (cancelled.state, cancelled.reason) == ("failed", "cancelled by boss")
    with pytest.raises(Conflict, match="failed already"):
        await ordering.commands.cancel(second.id, "boss")
    with pytest.raises(NotFound):
        await ordering.commands.cancel("nothing", "boss")
    ordering.bus.come_up()
    await ordering.ended(first)
    await ordering.until(first, lambda _: ordering.commands.waiting == 0)
    assert ordering.meter.changes == ["order 1A"]


async def test_the_same_request_is_one_command(ordering: Ordering) -> None:
    order = Order("r1", "control", METER, {"order": "trip"}, "unpaid", authority=RIGHT)
    made = await asyncio.gather(*(ordering.commands.order(order, "admin") for _ in range(5)))
    assert len({command.id for command in made}) == 1
    await ordering.ended(made[0])
    assert (await ordering.commands.order(order, "admin")).state == "confirmed"
    assert ordering.meter.changes == ["order 1A"]
    with pytest.raises(Conflict):
        await ordering.commands.order(order, "somebody else")


async def test_a_silent_meter_is_asked_again_until_it_speaks(ordering: Ordering) -> None:
    ordering.meter.fates.append("unheard")
    command = await ordering.order("control", order="trip")
    await ordering.until(command, lambda now: now.state == "sent")
    ordering.meter.silent = True
    ordering.meter.arrived.clear()
    await ordering.until(command, lambda now: steps(now).count("asked") >= 2 or not now.is_open)
    ordering.meter.silent = False
    assert (await ordering.ended(command)).state == "confirmed"
    assert ordering.meter.changes == ["order 1A"]


@pytest.mark.parametrize(
    ("kind", "what", "field"),
    [
        ("control", {"order": "explode"}, "order"),
        ("set", {"parameter": "04000102", "value": "00:00:00"}, "parameter"),
        ("set", {"parameter": "04000C01", "value": "02123456"}, "parameter"),
        ("set", {"parameter": "00010000", "value": "1"}, "parameter"),
        ("set", {"parameter": "04000103", "value": "1.5"}, "value"),
        ("set", {"parameter": "04000103", "value": "9E+999999999"}, "value"),
        ("set", {"parameter": "04000103", "value": ""}, "value"),
        ("read", {"items": ["nonsense"]}, "items"),
        ("read", {"items": []}, "items"),
    ],
)
async def test_what_cannot_be_ordered(
    ordering: Ordering, kind: str, what: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidValue) as caught:
        await ordering.order(kind, **what)
    assert caught.value.field == field


async def test_a_change_needs_a_password_and_a_purpose(ordering: Ordering) -> None:
    with pytest.raises(InvalidValue, match="needs the meter's password"):
        await ordering.order("control", None, order="trip")
    order = Order("r1", "control", METER, {"order": "trip"}, authority=RIGHT)
    with pytest.raises(InvalidValue, match="say why"):
        await ordering.commands.order(order, "admin")
    assert await ordering.database.commands.list() == ([], 0)


async def test_no_password_in_the_database(ordering: Ordering) -> None:
    command = await ordering.ended(await ordering.order("control", order="trip"))
    held = await ordering.database.commands._collection.find_one({"_id": command.id})
    assert "123456" not in repr(held)
    assert "123456" not in repr(ordering.heard)
