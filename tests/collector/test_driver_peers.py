"""The drivers against the independent package `dlt698`, over TCP and through the whole front-end.

Its terminal dials in, is in the archive, and is read like any other: as a meter that is the link
itself, and as a terminal that asks a meter for us. It serves nobody without an association and cuts
what is longer than some hundred bytes into pieces.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from station import tasks
from station.collector.drivers import driver_for
from station.collector.items import DLT698, ITEM_BY_CODE
from station.collector.outcome import Got, Outcome
from station.collector.plan import Want, Way
from station.frontend.link import Priority
from station.protocols.dlt645 import frame as dlt645
from station.protocols.dlt645.requests import answer
from station.protocols.dlt698.moments import DateTimeS
from station.store.objects.meters import Meter
from station.store.objects.terminals import Terminal
from station.units import day_start, local_day, utc_now

native = pytest.importorskip("dlt698._native", reason="its wheels need CPython 3.11 or newer")
expert = pytest.importorskip("dlt698.expert")

ADDRESS, METER = "000000000005", "000000000077"
POLL_S = 0.001
ENERGIES = (1000, 100, 200, 300, 400)
VOLTAGES = (2201, 2202, 2203)


def array(make: Callable[[int], Any], values: tuple[int, ...]) -> Any:
    return native.Data.array([make(value) for value in values])


def value_of(oad: Any) -> Any:
    """Return what their meter shows."""
    values = {0x0010: (native.Data.uint32, ENERGIES), 0x2000: (native.Data.uint16, VOLTAGES)}
    make, numbers = values[oad.oi]
    return make(numbers[oad.index - 1]) if oad.index else array(make, numbers)


def answer_of_line(command: bytes) -> bytes:
    """Return what the DL/T 645 meter on their line answers: 2.30 kWh, whatever it is asked."""
    request = dlt645.Frame.from_bytes(command.lstrip(dlt645.PREAMBLE))
    return dlt645.PREAMBLE + answer(request, bytes.fromhex("30020000")).to_bytes()


@dataclass
class Freezes:
    """Records of their meter: as many as are asked for."""

    zone: ZoneInfo
    asked: list[Any] = field(default_factory=list)

    def rows(self, query: Any) -> Any:
        """Return the record of each day from the begin on, at its midnight."""
        self.asked.append(query)
        midnight = day_start(local_day(utc_now(), self.zone), self.zone).astimezone(self.zone)
        rows = []
        for days in range(14, -1, -1):
            moment = DateTimeS.of(midnight - timedelta(days=days))
            energies = array(native.Data.uint32, (days, 2 * days, 3, 4, 5))
            rows.append([native.Data.date_time_s(list(moment.to_bytes())), energies])
        return native.RecordResult(attribute=query.attribute, columns=query.columns, result=rows)


class Behind(native.ProxyProvider):
    """The meter behind their terminal."""

    def __init__(self, freezes: Freezes) -> None:
        super().__init__()
        self.freezes = freezes
        self.asked: list[str] = []

    def async_request(self, server: Any, request: Any, callback: Callable[[Any], None]) -> None:
        self.asked.append(server.value.hex())
        head = {"piid_acd": request.piid, "list": getattr(request, "list", False)}
        if isinstance(request, native.GetRequest):
            results = [
                native.AttributeResult(attribute=oad, result=value_of(oad))
                for oad in request.attributes
            ]
            callback(native.GetResponse(attributes=results, **head))
        else:
            records = [self.freezes.rows(one) for one in request.records]
            callback(native.GetRecordResponse(records=records, **head))


class TheirTerminal:
    """Their terminal with some objects; it lives as long as it is polled."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self.freezes = Freezes(zone)
        self.behind = Behind(self.freezes)
        self._registry = native.ObjectRegistry()
        kind = native.DataType
        self._add(0x0010, kind.array, array(native.Data.uint32, ENERGIES))
        self._add(0x2000, kind.array, array(native.Data.uint16, VOLTAGES))
        day = native.MemoryObject()
        day.bind_record(2, self.freezes.rows)
        attribute = native.AttributeSchema(number=2, type=kind.array, readable=True, record=True)
        schema = native.ObjectSchema(oi=0x5004, name="day", attributes=[attribute])
        self._registry.register_object(schema, day)
        options = native.SessionOptions(
            role=native.Role.server,
            heartbeat_seconds=60,
            server=native.ServerAddress(bytes=bytes.fromhex(ADDRESS)[::-1]),
        )
        advanced = native.AdvancedServiceOptions(proxy=self.behind)
        self._bridge = native.TransBridge()
        self.endpoint = expert.Endpoint(options, self._registry, advanced, transparent=self._bridge)

    def _add(self, oi: int, kind: Any, value: Any) -> None:
        held = native.MemoryObject()
        held.set(2, value)
        attribute = native.AttributeSchema(number=2, type=kind, readable=True)
        schema = native.ObjectSchema(oi=oi, name=f"{oi:04X}", attributes=[attribute])
        self._registry.register_object(schema, held)

    async def live(self) -> None:
        while True:
            self.endpoint.poll(POLL_S)
            for job in self._bridge.drain():
                reply = answer_of_line(job.request.command)
                answer = native.ProxyTransResponse(port=job.request.port, result=reply)
                self._bridge.complete(job.token, answer)
            await asyncio.sleep(POLL_S)


@pytest.fixture
async def terminal(collecting, zone: ZoneInfo) -> AsyncIterator[TheirTerminal]:
    """Their terminal, online at a station that does not know it yet."""
    theirs = TheirTerminal(zone)
    living = tasks.spawn(theirs.live(), name="their terminal")
    profile = native.ConnectionProfile.remote_public
    theirs.endpoint.engine.connect_tcp(
        "127.0.0.1", collecting.front.port, profile, role=native.Role.server
    )
    await collecting.until(lambda: collecting.registry.find(ADDRESS))
    yield theirs
    await tasks.cancel(living)
    theirs.endpoint.close()


def energy(moment: datetime, way: Way, code: str = "energy_import_total") -> Want:
    return Want(ITEM_BY_CODE[code], moment, (way,))


async def outcomes_of(
    collecting, terminal: TheirTerminal, meter: Meter, end: Terminal, wants: list[Want]
) -> list[Outcome]:
    driver = driver_for(meter, end, collecting.registry, priority=Priority.TASK, zone=terminal.zone)
    found = {one.want: one async for some in driver.read(wants) for one in some}
    return [found[want] for want in wants]


def values(outcomes: list[Outcome]) -> list[int | None]:
    assert all(isinstance(one, Got) for one in outcomes), outcomes
    return [one.value for one in outcomes if isinstance(one, Got)]


async def test_their_meter_is_the_link_itself(collecting, terminal: TheirTerminal) -> None:
    end = Terminal(ADDRESS, "theirs", protocol=DLT698)
    meter = Meter(ADDRESS, "", link=ADDRESS, protocol=DLT698, point=0)
    await collecting.archive.add_terminal(end)
    await collecting.archive.add_meter(meter)
    codes = ["energy_import_total", "energy_import_t4", "voltage_b"]
    results = await collecting.reader.read_now(ADDRESS, codes)
    assert [one.reading and one.reading.value for one in results] == [1000, 400, 2202]
    midnight = day_start(local_day(utc_now(), terminal.zone), terminal.zone)
    wants = [energy(midnight - timedelta(days=days), Way.FREEZE) for days in (10, 2, 1, 0)]
    assert values(await outcomes_of(collecting, terminal, meter, end, wants)) == [10, 2, 1, 0]


async def test_their_terminal_asks_its_meter_for_us(collecting, terminal: TheirTerminal) -> None:
    end = Terminal(ADDRESS, "theirs", protocol=DLT698, collects=True)
    meter = Meter(METER, "", link=ADDRESS, protocol=DLT698, profile_interval_min=15)
    await collecting.archive.add_terminal(end)
    await collecting.archive.add_meter(meter)
    now = utc_now()
    midnight = day_start(local_day(now, terminal.zone), terminal.zone)
    wants = [energy(now, Way.LIVE), energy(now, Way.LIVE, "voltage_c")]
    assert values(await outcomes_of(collecting, terminal, meter, end, wants)) == [1000, 2203]
    wants = [energy(midnight, Way.FREEZE)]
    assert values(await outcomes_of(collecting, terminal, meter, end, wants)) == [0]
    assert len(terminal.behind.asked) == 2
    # It keeps no records of its own; the meter's are then asked for.
    both = Want(ITEM_BY_CODE["energy_import_total"], midnight, (Way.TERMINAL, Way.FREEZE))
    assert values(await outcomes_of(collecting, terminal, meter, end, [both])) == [0]


async def test_their_terminal_passes_frames_of_a_645_meter(
    collecting, terminal: TheirTerminal
) -> None:
    end = Terminal(ADDRESS, "theirs", protocol=DLT698)
    meter = Meter(METER, "", link=ADDRESS, port=1)
    await collecting.archive.add_terminal(end)
    await collecting.archive.add_meter(meter)
    wants = [energy(utc_now(), Way.LIVE)]
    assert values(await outcomes_of(collecting, terminal, meter, end, wants)) == [230]
