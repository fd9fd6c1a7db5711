"""Simulated devices that are no terminals of 1376.1, and what goes wrong on purpose."""

import asyncio
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from station.protocols import dlt645
from station.protocols.dlt645 import Version
from station.protocols.dlt698 import get, link, proxy, report, requests
from station.protocols.dlt698.apdu import decode_apdu
from station.protocols.dlt698.dar import Dar
from station.protocols.dlt698.data import NULL, Data, DataType, RecordEqual, RecordRange
from station.protocols.dlt698.frame import Frame, ServerAddress
from station.protocols.dlt698.identifiers import Comdcb, Oad
from station.protocols.dlt698.moments import DateTimeS
from station.protocols.dlt698.parser import Parser
from station.protocols.line import LineSettings
from station.protocols.qgdw1376 import frame as terminal_frame
from station.protocols.qgdw1376 import link as terminal_link
from station.protocols.qgdw1376.frame import CLASS_3
from station.protocols.qgdw1376.parser import Parser as TerminalParser
from station.simulator.dialler import with_a_wrong_bit
from station.simulator.faults import Faults
from station.simulator.metering import Metering
from station.simulator.site import LineSite, MeterSite, Site, TerminalSite
from station.simulator.terminal import run_site
from station.units import utc_now

ZONE = ZoneInfo("Asia/Shanghai")
WAIT_S = 5.0
TERMINAL, METER, DEAD = "990000000005", "990000000501", "990000000502"
OBJECT_METERS = (
    MeterSite(address=METER, protocol="dlt698.45", phases=3),
    MeterSite(address=DEAD, protocol="dlt698.45", dead=True),
)
QUICK = {"delay_ms": (0, 1), "silence_ms": 1}
OBJECTS = TerminalSite(
    protocol="dlt698.45", address=TERMINAL, lines=(LineSite(meters=OBJECT_METERS),), **QUICK
)
ENERGY, VOLTAGE, CLOCK = Oad.of(0x0010), Oad.of(0x2000), Oad.of(0x4000)
FREEZE_TIME, DAY_FREEZE, MINUTE_FREEZE = Oad.of(0x2021), Oad.of(0x5004), Oad.of(0x5002)
TIMED_OUT, UNDEFINED = Dar(33), Dar(4)


class Peer:
    """The station's side of one connection."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def read(self):
        return await asyncio.wait_for(self.reader.read(65536), WAIT_S)

    async def read_exactly(self, size):
        return await asyncio.wait_for(self.reader.readexactly(size), WAIT_S)

    def write(self, raw):
        self.writer.write(raw)


@asynccontextmanager
async def dialled(terminal):
    """Let one device dial in and return what it dials."""
    peers = asyncio.Queue()
    server = await asyncio.start_server(
        lambda reader, writer: peers.put_nowait(Peer(reader, writer)), "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]
    site = Site(terminals=(terminal,))
    task = asyncio.get_running_loop().create_task(run_site(site, "127.0.0.1", port))
    peer = None
    try:
        peer = await asyncio.wait_for(peers.get(), WAIT_S)
        yield peer
    finally:
        if peer is not None:
            peer.writer.close()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        server.close()


class Objects:
    """Speaks 698.45 with a terminal that has dialled in."""

    def __init__(self, peer, server=TERMINAL):
        self._peer = peer
        self._parser = Parser()
        self._server = ServerAddress.from_text(server)

    async def next(self):
        while (frame := self._parser.next_event()) is None:
            self._parser.receive_data(await self._peer.read())
        assert isinstance(frame, Frame)
        return frame

    async def log_in(self):
        login = await self.next()
        assert link.link_function(login) is link.LinkFunction.LOGIN
        self._peer.write(link.confirm(login).to_bytes())

    async def ask(self, apdu):
        request = requests.request(self._server, 0x10, apdu)
        self._peer.write(request.to_bytes())
        while not requests.is_answer(request, frame := await self.next()):
            pass
        return decode_apdu(frame.apdu)


def state(at):
    metering = Metering(OBJECT_METERS[0], ZONE, seed=1)
    return metering.state(at)


def time_of(local):
    return Data(DataType.DATE_TIME_S, DateTimeS.of(local))


async def test_object_terminal_logs_in_and_asks_its_meters():
    async with dialled(OBJECTS) as peer:
        terminal = Objects(peer)
        await terminal.log_in()
        meters = [ServerAddress.from_text(address).tsa for address in (METER, DEAD)]
        targets = tuple(proxy.ProxyGetTarget(meter, 5, (VOLTAGE, ENERGY)) for meter in meters)
        answer = await terminal.ask(proxy.ProxyRequestGetList(7, 10, targets))
        alive, dead = answer.targets
        assert [one.oad for one in alive.results] == [VOLTAGE, ENERGY]
        assert len(alive.results[0].result.value) == 3
        assert [one.result for one in dead.results] == [TIMED_OUT, TIMED_OUT]


async def test_object_terminal_asks_for_records():
    midnight = datetime.combine(utc_now().astimezone(ZONE).date(), datetime.min.time())
    query = get.RecordQuery(
        DAY_FREEZE, RecordEqual(FREEZE_TIME, time_of(midnight)), (FREEZE_TIME, ENERGY)
    )
    tsa = ServerAddress.from_text(METER).tsa
    async with dialled(OBJECTS) as peer:
        terminal = Objects(peer)
        await terminal.log_in()
        answer = await terminal.ask(proxy.ProxyRequestGetRecord(8, 10, tsa, query))
    ((time, energies),) = answer.result.rows
    assert time == time_of(midnight)
    assert tuple(energy.value for energy in energies.value) == state(midnight).energy_import


async def test_object_terminal_forwards_frames():
    inner = requests.request(ServerAddress.from_text(METER), 0x10, get.GetRequestNormal(1, CLOCK))
    port = Oad.of(0xF201, 2, 2)
    comdcb = Comdcb.of(LineSettings.parse("2400 8E1"))
    async with dialled(OBJECTS) as peer:
        terminal = Objects(peer)
        await terminal.log_in()
        command = proxy.ProxyRequestTransCommand(9, port, comdcb, 5, 500, inner.to_bytes())
        answer = await terminal.ask(command)
    parser = Parser()
    parser.receive_data(answer.reply)
    frames = [event for event in iter(parser.next_event, None) if isinstance(event, Frame)]
    assert len(frames) == 1
    assert requests.is_answer(inner, frames[0])


async def test_meter_that_is_the_link():
    meter = MeterSite(address=TERMINAL, protocol="dlt698.45", profile_interval_min=15)
    site = OBJECTS.model_copy(update={"lines": (LineSite(meters=(meter,)),)})
    assert Site(terminals=(site,)).archive()["meters"][0]["point"] == 0
    midnight = datetime.combine(utc_now().astimezone(ZONE).date(), datetime.min.time())
    begin, end = midnight - timedelta(hours=1), midnight - timedelta(minutes=1)
    records = RecordRange(FREEZE_TIME, time_of(begin), time_of(end), NULL)
    async with dialled(site) as peer:
        terminal = Objects(peer)
        await terminal.log_in()
        objects = await terminal.ask(get.GetRequestNormalList(1, (ENERGY, Oad.of(0x9999))))
        query = get.RecordQuery(MINUTE_FREEZE, records, (FREEZE_TIME, VOLTAGE))
        curve = await terminal.ask(get.GetRequestRecord(2, query))
    energy, unknown = objects.results
    assert len(energy.result.value) == 5
    assert unknown.result == UNDEFINED
    assert [row[0] for row in curve.result.rows] == [
        time_of(begin + number * timedelta(minutes=15)) for number in range(4)
    ]


async def test_object_terminal_reports_events():
    async with dialled(OBJECTS.model_copy(update={"event_every_s": 0.05})) as peer:
        terminal = Objects(peer)
        await terminal.log_in()
        frame = await terminal.next()
    assert isinstance(decode_apdu(frame.apdu), report.ReportNotificationRecordList)
    assert link.wants_confirmation(frame)


async def test_terminal_reports_events():
    site = TerminalSite(address="99000001", event_every_s=0.05, lines=())
    parser = TerminalParser()
    async with dialled(site) as peer:
        while True:
            while (event := parser.next_event()) is None:
                parser.receive_data(await peer.read())
            assert isinstance(event, terminal_frame.Frame)
            if event.afn == CLASS_3:
                break
            peer.write(terminal_link.confirm(event).to_bytes())
    assert event.from_initiator
    assert event.wants_confirmation


DTU = TerminalSite(
    protocol="dtu",
    address="cellar",
    registration="44545530303031",
    heartbeat="FEFE",
    heartbeat_s=0.05,
    lines=(LineSite(meters=(MeterSite(address="990000000601"),)),),
    **QUICK,
)


async def test_dtu_registers_beats_and_carries_its_line():
    async with dialled(DTU) as peer:
        assert await peer.read_exactly(7) == b"DTU0001"
        assert await peer.read_exactly(2) == b"\xfe\xfe"
        request = dlt645.read(Version.V2007, "990000000601", 0x00010000)
        peer.write(b"DTU0001" + dlt645.PREAMBLE + request.to_bytes())
        parser = dlt645.Parser()
        found = None
        while found is None:
            parser.receive_data(await peer.read())
            events = iter(parser.next_event, None)
            found = next((event for event in events if isinstance(event, dlt645.Frame)), None)
        assert dlt645.is_answer(request, found)


def faulty(**faults):
    return DTU.model_copy(update={"heartbeat_s": 60.0, "faults": Faults(**faults)})


@pytest.mark.parametrize(
    ("faults", "copies"),
    [({"split": 1}, 1), ({"duplicate": 1}, 2), ({"late": 1, "late_ms": 30}, 1), ({"noise": 1}, 1)],
)
async def test_faults_that_leave_the_answer_whole(faults, copies):
    request = dlt645.read(Version.V2007, "990000000601", 0x00010000)
    parser = dlt645.Parser()
    found = []
    async with dialled(faulty(**faults)) as peer:
        assert await peer.read_exactly(7) == b"DTU0001"
        peer.write(request.to_bytes())
        while len(found) < copies:
            parser.receive_data(await peer.read())
            events = iter(parser.next_event, None)
            found += [event for event in events if isinstance(event, dlt645.Frame)]
    assert all(dlt645.is_answer(request, frame) for frame in found)


async def test_faults_that_break_the_connection():
    async with dialled(faulty(drop=1)) as peer:
        assert await peer.read_exactly(7) == b"DTU0001"
        peer.write(dlt645.read(Version.V2007, "990000000601", 0x00010000).to_bytes())
        came = b""
        while data := await peer.read():
            came += data
    assert came.startswith(dlt645.PREAMBLE)
    assert len(came) < 20


def test_a_wrong_bit_is_one_bit():
    raw = bytes(20)
    for number in range(50):
        wrong = with_a_wrong_bit(raw, Random(number), 4)
        assert wrong[:4] == raw[:4]
        assert sum(byte.bit_count() for byte in wrong) == 1
