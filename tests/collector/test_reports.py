"""What devices send on their own account becomes events and readings, once each."""

import asyncio
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from station.collector import reports as reports_module
from station.collector.event_names import EVENT_NAMES, codes_named_as, event_name
from station.collector.reports import Reports
from station.config import FrontendConfig
from station.errors import DatabaseDown
from station.frontend.link import Report
from station.frontend.registry import Registry
from station.frontend.server import FrontServer
from station.frontend.trace import Trace
from station.live import Feed
from station.protocols.dlt645 import Version, requests
from station.protocols.dlt645 import frame as dlt645
from station.protocols.dlt645 import items as items645
from station.protocols.dlt698 import frame as dlt698
from station.protocols.dlt698.data import NULL, Data, DataType
from station.protocols.dlt698.envelope import AttributeResult, RecordResult
from station.protocols.dlt698.identifiers import Oad, Tsa
from station.protocols.dlt698.moments import DateTimeS
from station.protocols.dlt698.report import (
    ReportNotificationList,
    ReportNotificationRecordList,
    ReportNotificationTransData,
)
from station.protocols.qgdw1376 import frame as qgdw1376
from station.protocols.qgdw1376.functions import make_unit
from station.protocols.qgdw1376.link import login
from station.protocols.qgdw1376.parser import Parser
from station.protocols.qgdw1376.units import DataUnit, join
from station.store.database import Database
from station.store.objects.events import Event
from station.store.objects.meters import Meter
from station.store.objects.readings import Reading
from station.store.objects.terminals import Terminal
from station.units import UTC, utc_now

TERMINAL, METER, OTHER = "02001234", "000000000161", "000000000162"
WAIT_S = 10.0
AT = datetime(2026, 3, 2, 4, 5, 6, 789000, UTC)


def local(text: str) -> datetime:
    """A time by the clock of a device."""
    return datetime.fromisoformat(text)


class Storing:
    """A station's reports on a real database."""

    def __init__(self, database: Database, zone: ZoneInfo, **replaced: Any) -> None:
        self.database = database
        self.feed = Feed()
        given = {
            "meters": database.meters,
            "events": database.events,
            "readings": database.readings,
            **replaced,
        }
        self.reports = Reports(**given, feed=self.feed, station="test", zone=zone)

    async def stored(self, *frames: Any, at: datetime = AT) -> tuple[list[Event], list[Reading]]:
        """Hand frames over, wait until they are stored and return what is there then."""
        for frame in frames:
            self.reports.take(Report(TERMINAL, "any", frame, at, 7))
        await asyncio.wait_for(self.reports.all_stored(), WAIT_S)
        events, _ = await self.database.events.list()
        latest = await self.database.readings.latest()
        return events, [reading for readings in latest.values() for reading in readings]


@pytest.fixture
async def storing(database: Database, zone: ZoneInfo) -> Any:
    await database.terminals.add(Terminal(TERMINAL, "North"))
    await database.meters.add(Meter(METER, "Shop", link=TERMINAL, point=5))
    await database.meters.add(Meter(OTHER, "Yard", link=TERMINAL, point=6))
    made = Storing(database, zone)
    made.reports.start()
    yield made
    await made.reports.stop()


def from_terminal(afn: int, units: Sequence[DataUnit]) -> qgdw1376.Frame:
    """A frame that a terminal begins."""
    return qgdw1376.Frame(
        qgdw1376.UP | qgdw1376.INITIATOR | 4,
        qgdw1376.Address.from_text(TERMINAL),
        afn,
        qgdw1376.SINGLE | qgdw1376.CONFIRM,
        join(units),
    )


def records(*events: dict[str, Any]) -> qgdw1376.Frame:
    """Important events."""
    values = {
        "important_counter": len(events),
        "general_counter": 0,
        "start_pointer": 0,
        "end_pointer": len(events),
        "records": list(events),
    }
    return from_terminal(qgdw1376.CLASS_3, [make_unit(qgdw1376.CLASS_3, 0, 1, values, up=True)])


OUTAGE = {
    "erc": 14,
    "values": {"off": local("2026-03-02 11:00:00"), "on": local("2026-03-02 11:30:00")},
}
CLOCK_OFF = {"erc": 12, "values": {"time": local("2026-03-02 12:00:00"), "point": 5, "state": 1}}
STRANGE = {"erc": 200, "raw": b"\x01\x02"}


async def test_records_of_a_terminal(storing: Storing, zone: ZoneInfo) -> None:
    events, _ = await storing.stored(records(OUTAGE, CLOCK_OFF, STRANGE))
    found = {event.code: event for event in events}
    assert set(found) == {"1376-14", "1376-12", "1376-200"}
    assert found["1376-14"].happened_at == datetime(2026, 3, 2, 11, 30, tzinfo=zone)
    assert found["1376-14"].meter is None
    assert found["1376-12"].meter == METER
    assert {row["name_zh"] for row in found["1376-14"].values} == {"停电时间", "上电时间"}
    assert found["1376-200"].values[0]["raw"] == "0102"
    assert {event.link for event in events} == {TERMINAL}
    assert found["1376-14"].exchange == 7
    assert found["1376-14"].raw == records(OUTAGE, CLOCK_OFF, STRANGE).to_bytes()


async def test_the_same_record_again_is_one_event(storing: Storing) -> None:
    await storing.stored(records(OUTAGE), records(OUTAGE))
    again, _ = await storing.stored(records(CLOCK_OFF, OUTAGE), at=utc_now())
    assert sorted(event.code for event in again) == ["1376-12", "1376-14"]
    later = {"erc": 14, "values": {**OUTAGE["values"], "on": local("2026-03-03 09:00:00")}}
    events, _ = await storing.stored(records(later))
    assert len(events) == 3


def active_report(bits: Sequence[int], counts: bytes) -> dlt645.Frame:
    status = sum(1 << bit for bit in bits).to_bytes(12, "little")
    request = requests.read(Version.V2007, METER, requests.ACTIVE_REPORT)
    return requests.answer(request, status + counts)


async def test_active_report_of_a_meter(storing: Storing) -> None:
    frame = active_report([10, 16, 6], b"\x01\x02\x03")
    events, _ = await storing.stored(frame, frame)
    assert {event.code for event in events} == {"645-report-10", "645-report-16"}
    cover = next(event for event in events if event.code == "645-report-10")
    assert (cover.meter, cover.happened_at) == (METER, None)
    assert cover.values[0]["value"] == "02", "bit 6 is reserved, but has its count"
    events, _ = await storing.stored(frame, at=datetime(2026, 3, 3, 4, 5, tzinfo=UTC))
    assert len(events) == 4, "the next day it counts anew"


async def test_record_of_a_meter(storing: Storing, zone: ZoneInfo) -> None:
    start, end = local("2026-03-02 09:00:00"), local("2026-03-02 09:05:00")
    data = items645.encode(Version.V2007, 0x03110001, [start, end])
    frame = requests.answer(requests.read(Version.V2007, METER, 0x03110001), data)
    [event], readings = await storing.stored(frame)
    assert event.code == "645-031100"
    assert event_name(event.code).zh == "掉电"
    assert event.happened_at == start.replace(tzinfo=zone)
    assert readings == []


async def test_reading_of_a_meter(storing: Storing) -> None:
    energy = requests.answer(requests.read(Version.V2007, METER, 0x00010000), b"\x56\x34\x12\x00")
    stranger = requests.answer(
        requests.read(Version.V2007, "000000000999", 0x00010000), b"\x56\x34\x12\x00"
    )
    events, [reading] = await storing.stored(energy, stranger)
    assert events == []
    assert (reading.meter, reading.item, reading.value) == (METER, "energy_import_total", 123456)
    assert (reading.source, reading.moment) == ("report", AT.replace(second=0, microsecond=0))


async def test_daily_freeze_and_curve_of_a_terminal(storing: Storing, zone: ZoneInfo) -> None:
    registers = [Decimal("12.3400"), Decimal("1.0000")]
    read_time = local("2026-03-02 00:10:00")
    freeze = {"day": date(2026, 3, 1), "read_time": read_time, "tariffs": 1, "energy": registers}
    voltages = [Decimal("220.1"), Decimal("221.5")]
    start = local("2026-03-02 01:00:00")
    curve = {"start": start, "density": 1, "points": 2, "voltage": voltages}
    frame = from_terminal(
        qgdw1376.CLASS_2,
        [
            make_unit(qgdw1376.CLASS_2, 5, 161, freeze, up=True),
            make_unit(qgdw1376.CLASS_2, 6, 89, curve, up=True),
            make_unit(qgdw1376.CLASS_2, 9, 89, curve, up=True),
        ],
    )
    await storing.stored(frame)
    midnight = datetime(2026, 3, 2, tzinfo=zone)
    day_end = datetime(2026, 3, 3, tzinfo=zone)
    readings = storing.database.readings
    [energy] = await readings.curve(METER, "energy_import_total", midnight, day_end)
    assert (energy.moment, energy.value, energy.quality) == (midnight, 1234, "recorded")
    curve_read = await readings.curve(OTHER, "voltage_a", midnight, day_end)
    assert [reading.value for reading in curve_read] == [2201, 2215]
    assert curve_read[1].moment == datetime(2026, 3, 2, 1, 15, tzinfo=zone)


def object_frame(apdu: bytes, address: str = TERMINAL) -> dlt698.Frame:
    return dlt698.Frame(0x83, dlt698.ServerAddress.from_text(address), 0, apdu)


async def test_events_and_records_of_an_object_terminal(storing: Storing, zone: ZoneInfo) -> None:
    happened = local("2026-03-02 10:20:30")
    event = RecordResult(
        Oad.of(0x3011, 2),
        (Oad.of(0x2022), Oad.of(0x201E), Oad.of(0x202A)),
        (
            (
                Data(DataType.DOUBLE_LONG_UNSIGNED, 3),
                Data(DataType.DATE_TIME_S, DateTimeS.of(happened)),
                Data(DataType.TSA, Tsa.of(METER)),
            ),
        ),
    )
    frozen_at = local("2026-03-02 00:00:00")
    freeze = RecordResult(
        Oad.of(0x5004, 2),
        (Oad.of(0x202A), Oad.of(0x2021), Oad.of(0x0010)),
        (
            (
                Data(DataType.TSA, Tsa.of(METER)),
                Data(DataType.DATE_TIME_S, DateTimeS.of(frozen_at)),
                Data(
                    DataType.ARRAY,
                    tuple(Data(DataType.DOUBLE_LONG_UNSIGNED, value) for value in (1234, 1000)),
                ),
            ),
            (NULL, NULL, NULL),
        ),
    )
    frame = object_frame(ReportNotificationRecordList(5, (event, freeze)).to_bytes())
    [found], readings = await storing.stored(frame, frame)
    assert (found.code, found.meter) == ("698-3011", METER)
    assert found.happened_at == happened.replace(tzinfo=zone)
    stored = {reading.item: reading for reading in readings}
    assert stored["energy_import_total"].value == 1234
    assert stored["energy_import_t1"].value == 1000
    assert stored["energy_import_total"].moment == frozen_at.replace(tzinfo=zone)
    assert stored["energy_import_total"].quality == "recorded"


async def test_what_a_port_passed_on(storing: Storing) -> None:
    inner = active_report([14], b"\x01").to_bytes()
    passed = ReportNotificationTransData(1, Oad.of(0xF201, 2, 1), (b"\xfe\xfe" + inner,))
    other = ReportNotificationList(2, (AttributeResult(Oad.of(0x3106, 2), NULL),))
    events, _ = await storing.stored(
        object_frame(passed.to_bytes()), object_frame(other.to_bytes())
    )
    assert {(event.code, event.meter) for event in events} == {
        ("645-report-14", METER),
        ("698-3106", None),
    }


async def test_nonsense_keeps_nobody_waiting(storing: Storing) -> None:
    broken = qgdw1376.Frame(
        0xC4, qgdw1376.Address.from_text(TERMINAL), qgdw1376.CLASS_3, 0x60, b"\x00\x00\x01\x00\x01"
    )
    events, _ = await storing.stored(
        broken, object_frame(b"\x88\x02\xff"), "no frame at all", records(OUTAGE)
    )
    assert [event.code for event in events] == ["1376-14"]


async def test_reports_wait_for_the_database(
    database: Database, zone: ZoneInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports_module, "RETRY_S", 0.01)
    tries: list[int] = []

    class Away:
        """A store of events that does not answer at first."""

        async def save_many(self, events: Sequence[Event]) -> None:
            tries.append(len(events))
            if len(tries) < 4:
                raise DatabaseDown("the database does not answer")
            await database.events.save_many(events)

    storing = Storing(database, zone, events=Away())
    storing.reports.start()
    events, _ = await storing.stored(records(OUTAGE))
    assert len(events) == 1
    assert tries == [1, 1, 1, 1]
    await storing.reports.stop()


async def test_the_queue_is_bounded(
    database: Database, zone: ZoneInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports_module, "QUEUE_MAX", 3)
    storing = Storing(database, zone)
    for minute in range(5):
        outage = {
            **OUTAGE,
            "values": {**OUTAGE["values"], "on": local(f"2026-03-02 12:{minute:02}:00")},
        }
        storing.reports.take(Report(TERMINAL, "qgdw1376", records(outage), AT))
    assert (storing.reports.waiting, storing.reports.lost) == (3, 2)
    storing.reports.start()
    events, _ = await storing.stored()
    assert {event.happened_at.minute for event in events if event.happened_at} == {2, 3, 4}
    await storing.reports.stop()


async def test_a_report_over_a_real_link(storing: Storing) -> None:
    """It is confirmed at once, and what it tells is stored with its frame."""
    registry = Registry(storing.feed, storing.database.links, "test")
    settings = FrontendConfig().model_copy(update={"host": "127.0.0.1", "port": 0})
    trace = Trace(storing.feed, storing.database.frames)
    front = FrontServer(settings, registry, trace, on_report=storing.reports.take)
    await front.start()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
        address = qgdw1376.Address.from_text(TERMINAL)
        writer.write(login(address, 1).to_bytes())
        parser = Parser()
        for frame in (None, records(OUTAGE), records(OUTAGE)):
            if frame is not None:
                writer.write(frame.to_bytes())
            confirmation = None
            while confirmation is None:
                parser.receive_data(await asyncio.wait_for(reader.read(1000), WAIT_S))
                confirmation = parser.next_event()
            assert isinstance(confirmation, qgdw1376.Frame)
            assert confirmation.afn == qgdw1376.CONFIRMATION
        [event], _ = await storing.stored()
        assert (event.code, event.link, event.protocol) == ("1376-14", TERMINAL, "qgdw1376")
        assert event.raw == records(OUTAGE).to_bytes()
        writer.close()
    finally:
        await front.stop()


def test_names_of_events() -> None:
    assert len(EVENT_NAMES) > 200
    assert all(name.en and name.zh for name in EVENT_NAMES.values())
    assert "645-report-10" in codes_named_as("645-03300D")
    assert codes_named_as("1376-200") == ["1376-200"]
    assert event_name("1376-200").en == "event 1376-200"
