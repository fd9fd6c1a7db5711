"""The simulated terminal, over real loopback sockets against a small front-end of the test."""

import asyncio
import socket
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from station.protocols import dlt645
from station.protocols.dlt645 import LongAnswer, Version, items, profile
from station.protocols.line import LineSettings
from station.protocols.noise import Noise
from station.protocols.qgdw1376 import forward, link
from station.protocols.qgdw1376.frame import Address, Frame
from station.protocols.qgdw1376.parser import Parser
from station.protocols.qgdw1376.requests import is_answer
from station.simulator.demo_site import DEMO_SITE
from station.simulator.meter import Meter
from station.simulator.site import LineSite, MeterSite, Site, TerminalSite
from station.simulator.terminal import run_site
from station.units import utc_now

ZONE = ZoneInfo("Asia/Shanghai")
TERMINAL = "99000001"
METER, OTHER, OLD = "990000000101", "990000000102", "990000000103"
ENERGY = 0x0001FF00
WAIT_S = 5.0


class Connection:
    """One terminal at the front-end of the test; `frames` are those not yet taken."""

    def __init__(self, reader, writer, *, confirms):
        self.frames = asyncio.Queue()
        self.closed = asyncio.Event()
        self._reader = reader
        self._writer = writer
        self._confirms = confirms
        self._sequence = 0

    async def pump(self):
        parser = Parser()
        while data := await self._reader.read(4096):
            parser.receive_data(data)
            while (event := parser.next_event()) is not None:
                assert isinstance(event, Frame)
                if link.link_function(event) is not None and self._confirms:
                    self.send(link.confirm(event))
                self.frames.put_nowait(event)
        self.closed.set()
        self._writer.close()

    def send(self, frame):
        self._writer.write(frame.to_bytes())

    def send_bytes(self, raw):
        self._writer.write(raw)

    def close(self):
        self._writer.close()

    async def next(self, function=None):
        """Return the next frame, or the next of one link function."""
        while True:
            frame = await asyncio.wait_for(self.frames.get(), WAIT_S)
            if function is None or link.link_function(frame) is function:
                return frame

    async def ask(self, request):
        """Send a request and return its answer, whatever came before it."""
        self.send(request)
        while not is_answer(request, frame := await self.next()):
            pass
        return frame

    def forwarded(self, request, *, port=2, terminal=TERMINAL, frame_timeout_s=5):
        self._sequence = (self._sequence + 1) % 16
        return forward.forward_request(
            Address.from_text(terminal),
            port,
            LineSettings.parse("2400 8E1"),
            dlt645.PREAMBLE + request.to_bytes(),
            frame_timeout_s=frame_timeout_s,
            byte_timeout_ms=500,
            sequence=self._sequence,
            master=1,
        )

    async def read(self, address, data_id=ENERGY, version=Version.V2007, **options):
        """Ask a meter through the terminal and return the terminal's answer."""
        return await self.ask(self.forwarded(dlt645.read(version, address, data_id), **options))


class FrontEnd:
    """Takes what dials in; `confirms` says whether links are confirmed."""

    def __init__(self, *, confirms=True):
        self._confirms = confirms
        self._waiting = asyncio.Queue()
        self.count = 0

    async def accept(self, reader, writer):
        connection = Connection(reader, writer, confirms=self._confirms)
        self.count += 1
        self._waiting.put_nowait(connection)
        await connection.pump()

    async def next(self):
        return await asyncio.wait_for(self._waiting.get(), WAIT_S)


@asynccontextmanager
async def front_end(**options):
    front = FrontEnd(**options)
    server = await asyncio.start_server(front.accept, "127.0.0.1", 0)
    front.port = server.sockets[0].getsockname()[1]
    try:
        yield front
    finally:
        server.close()


@asynccontextmanager
async def running(front, site):
    task = asyncio.get_running_loop().create_task(run_site(site, "127.0.0.1", front.port))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=WAIT_S)
        assert task.cancelled()


def site_of(*lines, **terminal):
    options = {"delay_ms": (1, 2), "redial_s": 0.02, **terminal}
    return Site(terminals=(TerminalSite(address=TERMINAL, lines=lines, **options),))


def line(*meters, **options):
    return LineSite(meters=tuple(meters), **options)


SITE = site_of(
    line(MeterSite(address=METER), MeterSite(address=OTHER, dead=True)),
    line(MeterSite(address=OLD, protocol=Version.V1997), port=3, settings="1200 8E1"),
)


@asynccontextmanager
async def logged_in(site, **options):
    """A front-end of the test and the first terminal of a site, after its login."""
    async with front_end(**options) as front, running(front, site):
        connection = await front.next()
        login = await connection.next()
        assert link.link_function(login) is link.LinkFunction.LOGIN
        yield front, connection


def inner_frames(answer):
    """The meter's frames in a terminal's answer."""
    parser = dlt645.Parser()
    parser.receive_data(forward.inner_bytes(answer) or b"")
    found = []
    while (event := parser.next_event()) is not None:
        if not isinstance(event, Noise):
            found.append(event)
    return found


async def test_logs_in_with_its_address_and_waits_for_the_confirmation():
    async with front_end(confirms=False) as front, running(front, SITE):
        connection = await front.next()
        login = await connection.next()
        assert login.address.text == TERMINAL
        assert login.wants_confirmation
        connection.send(connection.forwarded(dlt645.read(Version.V2007, METER, ENERGY)))
        connection.send(link.confirm(login))
        answer = await connection.read(METER)
        assert len(inner_frames(answer)) == 1


@pytest.mark.parametrize("item_by_item", [True, False])
async def test_either_confirmation_will_do(item_by_item):
    async with front_end(confirms=False) as front, running(front, SITE):
        connection = await front.next()
        connection.send(link.confirm(await connection.next(), item_by_item))
        assert inner_frames(await connection.read(METER))


async def test_forwards_to_the_meter_and_brings_its_answer():
    async with logged_in(SITE) as (_, connection):
        before = utc_now()
        answer = await connection.read(METER)
        (frame,) = inner_frames(answer)
        assert forward.forwarded_port(answer) == 2
        expected = Meter(MeterSite(address=METER), ZONE)
        low, high = (
            items.decode(
                Version.V2007,
                ENERGY,
                dlt645.payload(expected.answer(dlt645.read(Version.V2007, METER, ENERGY), at)),
            )
            for at in (before, utc_now())
        )
        found = items.decode(Version.V2007, ENERGY, dlt645.payload(frame))
        assert low[0].value <= found[0].value <= high[0].value


async def test_load_profile_comes_through_in_parts():
    async with logged_in(SITE) as (_, connection):
        start = utc_now().astimezone(ZONE).replace(tzinfo=None) - timedelta(days=3)
        request = profile.request(METER, start=start, count=4)
        answer = LongAnswer(request)
        while request is not None:
            (frame,) = inner_frames(await connection.ask(connection.forwarded(request)))
            request = answer.add(frame)
        records = profile.decode(answer.data)
        assert len(records) == 4
        assert records[0].time - start < timedelta(minutes=15)


async def test_each_port_is_a_line_of_its_own():
    async with logged_in(SITE) as (_, connection):
        assert inner_frames(await connection.read(OLD, 0x901F, Version.V1997, port=3))
        assert forward.is_denial(await connection.read(OLD, 0x901F, Version.V1997, port=2))
        assert forward.is_denial(await connection.read(METER, port=3))
        assert forward.is_denial(await connection.read(METER, port=30))


async def test_silent_meter_is_denied():
    async with logged_in(SITE) as (_, connection):
        assert forward.is_denial(await connection.read(OTHER))
        assert forward.is_denial(await connection.read("990000000999"))
        assert inner_frames(await connection.read(METER))


async def test_silent_meter_may_be_an_empty_answer():
    site = site_of(line(MeterSite(address=METER, dead=True)), silence="empty")
    async with logged_in(site) as (_, connection):
        answer = await connection.read(METER)
        assert forward.inner_bytes(answer) == b""
        assert not forward.is_denial(answer)


async def test_silent_meter_may_be_no_answer_at_all():
    site = site_of(
        line(MeterSite(address=METER, dead=True), MeterSite(address=OTHER)), silence="nothing"
    )
    async with logged_in(site) as (_, connection):
        silent = connection.forwarded(dlt645.read(Version.V2007, METER, ENERGY))
        connection.send(silent)
        answer = await connection.read(OTHER)
        assert not is_answer(silent, answer)
        assert inner_frames(answer)
        assert connection.frames.empty()


async def test_what_holds_no_request_is_silence():
    async with logged_in(SITE) as (_, connection):
        whole = connection.forwarded(dlt645.read(Version.V2007, METER, ENERGY))
        broken = whole.data[:-3] + b"\x00" + whole.data[-2:]
        frame = Frame(whole.control, whole.address, whole.afn, whole.seq, broken, whole.password)
        assert forward.is_denial(await connection.ask(frame))


async def test_other_functions_are_denied():
    async with logged_in(SITE) as (_, connection):
        request = Frame(0x4B, Address.from_text(TERMINAL, 1), 0x0C, 0x65, b"\x00\x00\x04\x00")
        answer = await connection.ask(request)
        assert forward.is_denial(answer)
        assert answer.address.master == 1


async def test_frames_for_another_terminal_and_broken_ones_are_not_heard():
    async with logged_in(SITE) as (_, connection):
        request = dlt645.read(Version.V2007, METER, ENERGY)
        connection.send(connection.forwarded(request, terminal="99000002"))
        raw = bytearray(connection.forwarded(request).to_bytes())
        raw[20] ^= 1
        connection.send_bytes(bytes(raw))
        answer = await connection.read(METER)
        assert inner_frames(answer)
        assert connection.frames.empty()


async def test_noisy_line_breaks_some_checksums():
    site = site_of(
        line(MeterSite(address=METER), noise=0.5), line(MeterSite(address=OTHER), port=3)
    )
    async with logged_in(site) as (_, connection):
        heard = [inner_frames(await connection.read(METER)) for _ in range(40)]
        assert 5 < sum(not frames for frames in heard) < 35
        clean = [inner_frames(await connection.read(OTHER, port=3)) for _ in range(20)]
        assert all(clean)


async def test_meters_that_speak_at_once_are_not_understood():
    site = site_of(line(MeterSite(address=METER), MeterSite(address="990000000156")))
    async with logged_in(site) as (_, connection):
        answer = await connection.read(dlt645.WILDCARD, 0x04000401)
        assert forward.inner_bytes(answer)
        assert inner_frames(answer) == []


async def test_requests_sent_at_once_are_answered_in_turn():
    async with logged_in(SITE) as (_, connection):
        request = dlt645.read(Version.V2007, METER, ENERGY)
        requests = [connection.forwarded(request) for _ in range(6)]
        connection.send_bytes(b"".join(one.to_bytes() for one in requests))
        for one in requests:
            assert is_answer(one, await connection.next())


async def test_exchange_takes_its_time():
    site = site_of(line(MeterSite(address=METER)), delay_ms=(30, 40))
    async with logged_in(site) as (_, connection):
        started = asyncio.get_running_loop().time()
        await connection.read(METER)
        assert asyncio.get_running_loop().time() - started >= 0.03


async def test_beats_with_its_clock():
    site = site_of(line(MeterSite(address=METER)), heartbeat_s=0.02)
    async with logged_in(site) as (_, connection):
        beats = [await connection.next(link.LinkFunction.HEARTBEAT) for _ in range(3)]
        assert len({frame.sequence for frame in beats}) == 3
        clock = link.heartbeat_clock(beats[0]).replace(tzinfo=ZONE)
        assert abs(clock - utc_now()) < timedelta(seconds=5)


async def test_beats_while_it_is_busy():
    site = site_of(line(MeterSite(address=METER)), heartbeat_s=0.02, delay_ms=(5, 5))
    async with logged_in(site) as (_, connection):
        requests = [
            connection.forwarded(dlt645.read(Version.V2007, METER, ENERGY)) for _ in range(12)
        ]
        connection.send_bytes(b"".join(one.to_bytes() for one in requests))
        kinds = []
        while kinds.count("answer") < 12:
            is_beat = link.link_function(await connection.next()) is not None
            kinds.append("beat" if is_beat else "answer")
        assert "beat" in kinds[:-1]


async def test_dials_again_when_heartbeats_are_not_confirmed():
    site = site_of(line(MeterSite(address=METER)), heartbeat_s=0.02)
    async with front_end(confirms=False) as front, running(front, site):
        connection = await front.next()
        connection.send(link.confirm(await connection.next()))
        for _ in range(3):
            await connection.next(link.LinkFunction.HEARTBEAT)
        await asyncio.wait_for(connection.closed.wait(), WAIT_S)
        again = await front.next()
        await again.next(link.LinkFunction.LOGIN)


async def test_dials_again_when_the_link_is_lost():
    async with logged_in(SITE) as (front, connection):
        connection.close()
        again = await front.next()
        await again.next(link.LinkFunction.LOGIN)
        assert inner_frames(await again.read(METER))


async def test_dials_until_somebody_is_there():
    async with front_end() as front:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            free = probe.getsockname()[1]
        task = asyncio.get_running_loop().create_task(run_site(SITE, "127.0.0.1", free))
        server = await asyncio.start_server(front.accept, "127.0.0.1", free)
        connection = await front.next()
        await connection.next(link.LinkFunction.LOGIN)
        task.cancel()
        await asyncio.wait([task], timeout=WAIT_S)
        server.close()


async def test_one_that_drops_goes_without_a_word_and_comes_back():
    site = site_of(line(MeterSite(address=METER)), drop_after_s=0.05, drop_for_s=0.05)
    async with logged_in(site) as (front, connection):
        await asyncio.wait_for(connection.closed.wait(), WAIT_S)
        assert connection.frames.empty()
        gone_at = asyncio.get_running_loop().time()
        again = await front.next()
        assert asyncio.get_running_loop().time() - gone_at >= 0.04
        await again.next(link.LinkFunction.LOGIN)


async def test_logs_out_when_it_is_stopped():
    async with front_end() as front:
        async with running(front, SITE):
            connection = await front.next()
            await connection.read(METER)
        await connection.next(link.LinkFunction.LOGOUT)
        await asyncio.wait_for(connection.closed.wait(), WAIT_S)
        assert front.count == 1


async def test_whole_demo_site_is_there_and_reads_quickly():
    site = Site(
        terminals=tuple(each for each in DEMO_SITE.terminals if each.protocol == "qgdw1376")
    )
    async with front_end() as front, running(front, site):
        connections = {}
        for _ in site.terminals:
            connection = await front.next()
            login = await connection.next(link.LinkFunction.LOGIN)
            connections[login.address.text] = connection
        archive = site.archive()
        assert set(connections) == {terminal["address"] for terminal in archive["terminals"]}

        async def read_all(terminal):
            heard = 0
            for meter in archive["meters"]:
                if meter["link"] == terminal:
                    version = Version(meter["protocol"])
                    data_id = ENERGY if version is Version.V2007 else 0x901F
                    answer = await connections[terminal].read(
                        meter["address"], data_id, version, port=meter["port"], terminal=terminal
                    )
                    heard += bool(inner_frames(answer))
            return heard

        started = asyncio.get_running_loop().time()
        heard = await asyncio.gather(*map(read_all, connections))
        assert 32 <= sum(heard) <= 35
        assert asyncio.get_running_loop().time() - started < 5


# A real meter line behind a simulated terminal.


@asynccontextmanager
async def meter_line(answer):
    """A meter line on TCP; `answer` turns the bytes of a request into pieces to send."""
    heard = []

    async def serve(reader, writer):
        raw = await reader.read(4096)
        heard.append(raw)
        for piece in answer(raw):
            writer.write(piece)
            await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", heard
    finally:
        server.close()


def real_answer(raw):
    """Echo, as half-duplex adapters do, then the answer in two pieces."""
    request = dlt645.Frame.from_bytes(raw.lstrip(b"\xfe"))
    reply = Meter(MeterSite(address=METER), ZONE).answer(request, datetime.now(ZONE)).to_bytes()
    return [raw, reply[:7], reply[7:]]


async def test_real_meter_line_is_bridged():
    async with meter_line(real_answer) as (place, heard):
        site = site_of(line(MeterSite(address=METER, tcp=place), MeterSite(address=OTHER)))
        async with logged_in(site) as (_, connection):
            answer = await connection.read(METER)
            echo, reply = inner_frames(answer)
            assert not echo.from_meter
            assert reply.from_meter
            assert heard == [dlt645.PREAMBLE + echo.to_bytes()]
            assert inner_frames(await connection.read(OTHER))
            assert len(heard) == 1


async def test_real_meter_line_that_says_nothing_ends_with_the_frame_timeout():
    async with meter_line(lambda _: []) as (place, heard):
        site = site_of(line(MeterSite(address=METER, tcp=place)))
        async with logged_in(site) as (_, connection):
            assert forward.is_denial(await connection.read(METER, frame_timeout_s=1))
            assert len(heard) == 1


async def test_real_meter_line_that_is_not_there_is_silence():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{probe.getsockname()[1]}"
    site = site_of(line(MeterSite(address=METER, tcp=place)))
    async with logged_in(site) as (_, connection):
        assert forward.is_denial(await connection.read(METER))


@pytest.mark.parametrize("parallel", [True, False])
async def test_ports_side_by_side_if_the_terminal_can(parallel):
    silent = LineSite(port=2, meters=(MeterSite(address=METER, dead=True),))
    lively = LineSite(port=3, meters=(MeterSite(address=OTHER),))
    terminal = TerminalSite(
        address=TERMINAL,
        delay_ms=(0, 0),
        silence_ms=300,
        parallel_ports=parallel,
        lines=(silent, lively),
    )
    async with front_end() as front, running(front, Site(terminals=(terminal,))):
        connection = await front.next()
        await connection.next(link.LinkFunction.LOGIN)
        for port, meter in ((2, METER), (3, OTHER)):
            request = dlt645.read(Version.V2007, meter, ENERGY)
            connection.send(connection.forwarded(request, port=port))
        first, second = await connection.next(), await connection.next()
    assert forward.is_denial(second if parallel else first)
    assert forward.inner_bytes(first if parallel else second)
