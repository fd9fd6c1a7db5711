"""Control orders at simulated devices: who agrees, who is protected, and what really happens."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

import pytest

from station.collector.clocks import Clocks
from station.collector.commands import Commands, Order
from station.collector.control_errands import CONTROL_STATE, Controls
from station.collector.control_orders import LOST, ControlOrders, ControlRequest
from station.collector.errands import Tools
from station.collector.execution import Execution
from station.collector.keep_power import KeepPower
from station.collector.parameters import Parameters
from station.config import ControlConfig
from station.errors import Conflict, InvalidValue, NotFound, Protected
from station.protocols.dlt645 import Version
from station.protocols.dlt645.requests import Authority
from station.protocols.secrecy import HIDDEN
from station.simulator.site import LineSite, MeterSite, Site, TerminalSite
from station.store.objects.base import new_id
from station.store.objects.commands import Command
from station.store.objects.control_orders import ControlOrder
from station.units import utc_now

LOADS, OBJECTS = "99000001", "000000000002"  # A terminal of 1376.1, and one of 698.45.
SHOP, MILL, OLD, FARM = "990000000101", "990000000102", "990000000103", "990000000201"
SITE = Site(
    terminals=(
        TerminalSite(
            address=LOADS,
            delay_ms=(1, 3),
            redial_s=0.1,
            lines=(
                LineSite(
                    meters=(
                        MeterSite(address=SHOP),
                        MeterSite(address=MILL),
                        MeterSite(address=OLD, protocol=Version.V1997, profile_interval_min=0),
                    )
                ),
            ),
        ),
        TerminalSite(
            address=OBJECTS,
            protocol="dlt698.45",
            delay_ms=(1, 3),
            redial_s=0.1,
            lines=(LineSite(meters=(MeterSite(address=FARM, protocol="dlt698.45"),)),),
        ),
    )
)
PASSWORD = Authority(password="000000")
WAIT_S = 15.0


@dataclass
class Controlling:
    """Devices, and the commands and control orders of a station that may be restarted."""

    collecting: Any
    keep_power: KeepPower
    controls: Controls
    make: Callable[[], tuple[Commands, ControlOrders]]
    config: ControlConfig = field(default_factory=ControlConfig)
    commands: Commands = field(init=False)
    orders: ControlOrders = field(init=False)

    async def start(self) -> None:
        self.commands, self.orders = self.make()
        await self.commands.start()
        await self.orders.start()

    async def stop(self) -> None:
        await self.orders.stop()
        await self.commands.stop()

    async def devices(
        self, kind: Literal["meter", "terminal"], addresses: Sequence[str]
    ) -> list[Any]:
        return [await self.keep_power.device(kind, address) for address in addresses]

    async def order(
        self,
        *addresses: str,
        kind: Literal["meter", "terminal"] = "meter",
        by: str = "first",
        group: str = "",
        valid_min: int = 60,
        request_id: str = "",
        authority: Authority | None = PASSWORD,
        **what: Any,
    ) -> ControlOrder:
        request = ControlRequest(
            request_id or new_id(),
            kind,
            {"order": "trip", **what},
            await self.devices(kind, addresses),
            "unpaid",
            valid_min,
            group,
            authority,
        )
        return await self.orders.order(request, by)

    async def approved(self, *addresses: str, **what: Any) -> list[Command]:
        """Return the commands of an order that somebody else approved, once they have ended."""
        order = await self.order(*addresses, **what)
        if order.state == "waiting":
            order = await self.orders.approve(order.id, "second")
        return await self.ended(order)

    async def ended(self, order: ControlOrder) -> list[Command]:
        deadline = asyncio.get_running_loop().time() + WAIT_S
        found = await self.orders.commands_of(order)
        while not found or any(each.is_open for each in found):
            assert asyncio.get_running_loop().time() < deadline, found
            await asyncio.sleep(0.01)
            found = await self.orders.commands_of(order)
        return sorted(found, key=lambda command: command.meter)


@pytest.fixture
async def controlling(collecting: Any, zone: Any) -> AsyncIterator[Controlling]:
    """The archive of the site, whose devices have not dialled in yet."""
    await collecting.enter(SITE)
    database, registry, feed = collecting.database, collecting.registry, collecting.feed
    keep_power = KeepPower(database, feed)
    controls = Controls(database.control_looks, keep_power, registry, zone)

    def make() -> tuple[Commands, ControlOrders]:
        execution = Execution(
            registry=registry,
            meters=database.meters,
            commands=database.commands,
            reader=collecting.reader,
            feed=feed,
            zone=zone,
            terminals=database.terminals,
            tools=Tools(
                Parameters(database, registry, feed, zone),
                Clocks(database.clocks, registry, feed, zone),
                registry,
                zone,
            ),
            controls=controls,
            pause_s=0.01,
        )
        commands = Commands(
            registry=registry,
            meters=database.meters,
            commands=database.commands,
            execution=execution,
            station="test",
            terminals=database.terminals,
            tick_s=0.02,
        )
        orders = ControlOrders(
            database, commands, keep_power, feed, made.config, station="test", tick_s=0.02
        )
        return commands, orders

    made = Controlling(collecting, keep_power, controls, make)
    await made.start()
    yield made
    await made.stop()


async def one(controlling: Controlling, *addresses: str, **what: Any) -> tuple[str, Any, str]:
    """Return how an approved order to one device ended: its state, its result and its reason."""
    (command,) = await controlling.approved(*addresses, **what)
    return command.state, dict(command.result), command.reason


async def test_a_terminal_of_1376_does_as_it_is_ordered(controlling: Controlling) -> None:
    await controlling.collecting.dial_in(SITE)

    async def order(**what: Any) -> tuple[str, Any, str]:
        return await one(controlling, LOADS, kind="terminal", authority=None, **what)

    assert await order(round=2) == ("confirmed", {"rounds_open": "2", "keep_power": False}, "")
    assert (await order(round=3, limit_min=60))[1]["rounds_open"] == "2, 3"
    assert (await order(order="permit_closing", round=2))[1]["rounds_open"] == "3"
    state, _, reason = await order(round=1, delay_min=5)
    assert (state, reason) == ("confirmed", "its round 1 is closed"), "it has promised to"
    assert (await order(order="keep_power", keep_min=30))[1] == {
        "rounds_open": "0",
        "keep_power": True,
    }
    state, _, reason = await order(round=1)
    assert (state, reason.split(": ")[-1]) == ("failed", "it denied"), "it keeps power"
    assert (await order(order="end_keep_power"))[1]["keep_power"] is False

    read = Order(new_id(), "read", LOADS, {CONTROL_STATE: True}, device="terminal", batch="look")
    command = await controlling.commands.order(read, "first")
    deadline = asyncio.get_running_loop().time() + WAIT_S
    database = controlling.collecting.database
    while (command := await database.commands.get(command.id)).is_open:
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)
    assert command.result == {"rounds_open": "0", "keep_power": False}
    (look,) = await database.control_looks.of([LOADS])
    assert (look.kind, look.values["keep_power"]) == ("terminal", False)


async def test_devices_of_698_obey_with_a_time_tag(controlling: Controlling) -> None:
    await controlling.collecting.dial_in(SITE)

    async def order(address: str, kind: Any, order: str, **what: Any) -> tuple[str, Any, str]:
        return await one(controlling, address, kind=kind, authority=None, order=order, **what)

    assert (await order(OBJECTS, "terminal", "trip", round=4))[1]["rounds_open"] == "4"
    assert (await order(OBJECTS, "terminal", "close", round=4))[1]["rounds_open"] == "0"
    assert (await order(OBJECTS, "terminal", "keep_power"))[1]["keep_power"] is True
    assert (await order(OBJECTS, "terminal", "trip", round=1))[0] == "failed"
    assert (await order(FARM, "meter", "trip"))[1]["rounds_open"] == "1"
    assert (await order(FARM, "meter", "permit_closing"))[1]["rounds_open"] == "0"


async def test_meters_and_what_is_kept_of_them(controlling: Controlling) -> None:
    await controlling.collecting.dial_in(SITE)
    order = await controlling.order(SHOP)
    assert (order.state, order.why_approval, order.decided_by) == ("approved", "", "")
    (command,) = await controlling.ended(order)
    assert (command.state, command.result["relay"]) == ("confirmed", "open")
    assert (command.batch, command.by, command.approved_by) == (order.id, "first", "")
    assert command.expires_at == order.expires_at
    (look,) = await controlling.controls.looks.of([SHOP])
    assert look.values["relay"] == "open"
    again = await controlling.order(SHOP, request_id=order.request_id)
    assert again.id == order.id
    assert len(await controlling.orders.commands_of(order)) == 1
    with pytest.raises(Conflict, match="was another order"):
        await controlling.order(SHOP, request_id=order.request_id, order="close")


async def test_a_group_waits_for_a_second_person(controlling: Controlling) -> None:
    await controlling.collecting.dial_in(SITE)
    order = await controlling.order(SHOP, MILL, OLD)
    assert (order.state, order.why_approval) == ("waiting", "it is ordered of 3 devices")
    problems = {target.address: target.problem for target in order.targets}
    assert problems[OLD] == "meters of dlt645-1997 have no relay to order"
    assert order.ready == (SHOP, MILL)
    assert await controlling.orders.commands_of(order) == [], "nothing is ordered yet"
    with pytest.raises(Conflict, match="you ordered this"):
        await controlling.orders.approve(order.id, "first")
    settled = await asyncio.gather(
        controlling.orders.approve(order.id, "second"),
        controlling.orders.approve(order.id, "third"),
        return_exceptions=True,
    )
    assert {type(each) for each in settled} == {ControlOrder, Conflict}
    (approved,) = [each for each in settled if isinstance(each, ControlOrder)]
    commands = await controlling.ended(order)
    assert [(each.meter, each.state, each.approved_by) for each in commands] == [
        (SHOP, "confirmed", approved.decided_by),
        (MILL, "confirmed", approved.decided_by),
    ]
    with pytest.raises(Conflict, match="approved already"):
        await controlling.orders.approve(order.id, "third")
    with pytest.raises(Conflict, match="nothing left"):
        await controlling.orders.cancel(order.id, "first")


async def test_refused_withdrawn_and_too_late(controlling: Controlling) -> None:
    store = controlling.collecting.database.control_orders
    refused = await controlling.order(SHOP, MILL)
    with pytest.raises(InvalidValue, match="say why"):
        await controlling.orders.refuse(refused.id, "second", " ")
    refused = await controlling.orders.refuse(refused.id, "second", "they paid")
    assert (refused.state, refused.decided_by, refused.decision) == (
        "refused",
        "second",
        "they paid",
    )
    withdrawn = await controlling.order(SHOP, MILL)
    assert (await controlling.orders.cancel(withdrawn.id, "first")).state == "withdrawn"
    late = await controlling.order(SHOP, MILL)
    await store.save(
        ControlOrder(**{**_fields(late), "expires_at": utc_now() - timedelta(seconds=1)})
    )
    with pytest.raises(Conflict, match="expired already"):
        await controlling.orders.approve(late.id, "second")
    await controlling.collecting.until(lambda: ("controls", {}) in controlling.collecting.announced)
    assert (await store.get(late.id)).state == "expired"
    assert (await controlling.collecting.database.commands.list())[1] == 0
    with pytest.raises(NotFound):
        await controlling.orders.approve("nothing", "second")


def _fields(order: ControlOrder) -> dict[str, Any]:
    return {name: getattr(order, name) for name in ControlOrder.__dataclass_fields__}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"ct": 20}, "the meter's ratio is 20, above 1"),
        ({"groups": ("important",)}, "the meter is in the group important"),
        ({}, ""),
    ],
)
async def test_which_single_meters_are_important(
    controlling: Controlling, change: dict[str, Any], why: str
) -> None:
    (meter,) = await controlling.devices("meter", [SHOP])
    changed = type(meter)(**{**{name: getattr(meter, name) for name in meter.__slots__}, **change})
    request = ControlRequest("r", "meter", {"order": "trip"}, [changed], "x", 60)
    assert controlling.orders.why_approval(request) == why
    (terminal,) = await controlling.devices("terminal", [LOADS])
    request = ControlRequest("r", "terminal", {"order": "trip"}, [terminal], "x", 60)
    assert (
        controlling.orders.why_approval(request) == "a terminal switches all that hangs behind it"
    )


async def test_every_order_may_want_a_second_person(controlling: Controlling) -> None:
    await controlling.stop()
    controlling.config = ControlConfig(approval="always")
    await controlling.start()
    order = await controlling.order(SHOP)
    assert (order.state, order.why_approval) == (
        "waiting",
        "every control order needs a second person here",
    )


async def test_protected_devices_are_refused(controlling: Controlling) -> None:
    keep_power = controlling.keep_power
    entry = await keep_power.protect("meter", SHOP, "  dialysis   at home ", None, "first")
    assert entry.reason == "dialysis at home"
    with pytest.raises(Conflict, match="stands on the keep-power list already"):
        await keep_power.protect("meter", SHOP, "again", None, "first")
    words = "it stands on the keep-power list: dialysis at home"
    for order in ("trip", "end_keep_power"):
        with pytest.raises(Protected, match=words):
            await controlling.order(SHOP, order=order)
    with pytest.raises(Protected, match=f"meter {SHOP} behind it stands on the keep-power list"):
        await controlling.order(LOADS, kind="terminal", authority=None)
    assert (await controlling.order(SHOP, order="close")).state == "approved"
    group = await controlling.order(SHOP, MILL)
    assert {each.address: each.problem for each in group.targets} == {SHOP: words, MILL: ""}

    await keep_power.lift(entry.id, "moved away", "second")
    with pytest.raises(Conflict, match="lifted already"):
        await keep_power.lift(entry.id, "again", "second")
    assert (await controlling.order(SHOP)).state == "approved"
    soon = utc_now() + timedelta(milliseconds=50)
    await keep_power.protect("terminal", LOADS, "fair", soon, "first")
    with pytest.raises(Protected, match=f"its terminal {LOADS} stands on the keep-power list"):
        await controlling.order(MILL)
    await controlling.collecting.until(lambda: utc_now() > soon)
    assert (await controlling.order(MILL)).state == "approved"
    await keep_power.protect("terminal", LOADS, "another fair", None, "first")
    states = await controlling.collecting.database.protections.list(now=utc_now())
    assert [each.state(utc_now()) for each in states[0]] == ["standing", "over", "lifted"]
    for reason, until in ((" ", None), ("x", utc_now())):
        with pytest.raises(InvalidValue):
            await keep_power.protect("meter", OLD, reason, until, "first")


async def test_a_device_protected_meanwhile_is_not_cut_off(controlling: Controlling) -> None:
    """The list is asked again when it is approved, and right before anything is sent."""
    waiting = await controlling.order(SHOP, MILL)
    ordered = await controlling.order(MILL)
    assert (await controlling.orders.commands_of(ordered))[0].state == "queued"  # No link yet.
    await controlling.keep_power.protect("meter", MILL, "hospital", None, "third")
    issued = await controlling.orders.approve(waiting.id, "second")
    words = "it stands on the keep-power list: hospital"
    assert {each.address: each.problem for each in issued.targets} == {SHOP: "", MILL: words}
    await controlling.collecting.dial_in(SITE)
    (command,) = await controlling.ended(ordered)
    assert (command.state, command.reason, command.attempts) == ("failed", words, 0)
    assert [each.state for each in await controlling.ended(issued)] == ["confirmed"]


async def test_a_restart_forgets_passwords_and_nothing_else(controlling: Controlling) -> None:
    meters = await controlling.order(SHOP, MILL)
    rounds = await controlling.order(LOADS, kind="terminal", authority=None, round=5)
    await controlling.stop()
    await controlling.start()
    store = controlling.collecting.database.control_orders
    lost = await store.get(meters.id)
    assert (lost.state, lost.decided_by, lost.decision) == ("withdrawn", "", LOST)
    await store.decide(rounds.id, "approved", "second", "", utc_now())  # And then it was killed.
    await controlling.collecting.dial_in(SITE)
    await controlling.collecting.until(lambda: _closed(controlling, rounds.id))
    (command,) = await controlling.ended(rounds)
    assert (command.state, command.approved_by) == ("confirmed", "second")
    assert command.result["rounds_open"] == "5"


def _closed(controlling: Controlling, order_id: str) -> bool:
    told = [message for topic, message in controlling.collecting.announced if topic == "controls"]
    return {"id": order_id, "state": "approved"} in told


async def test_frames_before_they_are_sent(controlling: Controlling) -> None:
    until = utc_now() + timedelta(hours=1)
    (shop,) = await controlling.devices("meter", [SHOP])
    (frame,) = controlling.controls.frames(shop, {"order": "trip"}, until, Authority())
    assert bytes((HIDDEN + 0x33 & 0xFF,)) * 3 in frame, "its password is hidden"
    (loads, objects) = await controlling.devices("terminal", [LOADS, OBJECTS])
    (frame,) = controlling.controls.frames(
        loads, {"order": "trip", "round": 3, "limit_min": 60, "delay_min": 1}, until, Authority()
    )
    assert "0401010012" in frame.hex(), "p3 F1: one minute of alarm, two half hours"
    (frame,) = controlling.controls.frames(
        objects, {"order": "close", "round": 2}, until, Authority()
    )
    assert "8000820001010202 51f2050202 1601".replace(" ", "") in frame.hex()


@pytest.mark.parametrize(
    ("what", "field"),
    [
        ({"order": "close"}, "order"),  # 1376.1 closes nothing by itself.
        ({"round": 9}, "round"),
        ({"limit_min": 45}, "limit_min"),
        ({"limit_min": 480}, "limit_min"),
        ({"delay_min": 16}, "delay_min"),
        ({"order": "keep_power", "keep_min": 1470}, "keep_min"),
        ({"round": True}, "round"),
    ],
)
async def test_what_cannot_be_ordered_of_a_terminal(
    controlling: Controlling, what: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidValue) as refused:
        await controlling.order(LOADS, kind="terminal", authority=None, **what)
    assert refused.value.field == field


async def test_an_order_whose_time_is_over_in_the_queue_is_not_sent(
    controlling: Controlling,
) -> None:
    """Nothing in a frame of 1376.1 says until when it is good: the station looks at its turn."""
    await controlling.collecting.dial_in(SITE)
    order = await controlling.order(LOADS, kind="terminal", authority=None, round=6, valid_min=1)
    store = controlling.collecting.database.control_orders
    soon = utc_now() + timedelta(milliseconds=1)
    await store.save(ControlOrder(**{**_fields(order), "state": "approved", "expires_at": soon}))
    await controlling.collecting.until(lambda: _closed(controlling, order.id))
    (command,) = await controlling.ended(order)
    assert (command.state, command.accepted) == ("expired", False)
