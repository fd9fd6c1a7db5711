"""Links that the station opens itself, over real sockets, pseudo terminals and RFC 2217."""

import asyncio
import os
import socket
import threading
import time
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import serial
import serial.rfc2217
from frontend_peers import (
    ENERGY,
    METER,
    NOW,
    REPLY,
    REQUEST,
    Front,
    MeterLine,
    energy_reply,
    meter_frames,
    meter_on,
    running_front,
    soon,
)
from object_peers import OBJECT_METER, get_energy
from object_peers import energy_reply as object_reply

from station.errors import BadAnswer, BadChecksum, LinkDown, MeterTimeout, WrongAddress
from station.frontend import raw_line
from station.frontend.channels import Channels
from station.frontend.inquiries import Inquiry645, Inquiry698
from station.frontend.link import Answer, Priority
from station.protocols.dlt645.frame import PREAMBLE, Frame, Version
from station.protocols.dlt645.requests import answer, read
from station.protocols.dlt698.segments import acknowledgement, split
from station.store.objects.channels import Channel

OTHER_METER = "000000999999"


@asynccontextmanager
async def running_channels(*wanted: Channel) -> AsyncIterator[tuple[Front, Channels]]:
    async with running_front() as front:
        channels = Channels(front.registry, front.trace, pause_first_s=0.02)
        await channels.apply(wanted)
        try:
            yield front, channels
        finally:
            await channels.stop()


@asynccontextmanager
async def open_line(line: MeterLine) -> AsyncIterator[Front]:
    """A line of meters and the channel "line" to it, which is online."""
    await line.open()
    async with running_channels(over_tcp("line", line.port)) as (front, _):
        await front.ear.hear("links", address="line", state="online")
        yield front
    await line.close()


def over_tcp(name: str, port: int, **fields: Any) -> Channel:
    return Channel(name=name, url=f"socket://127.0.0.1:{port}", created_at=NOW, **fields)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def ask(
    front: Front, channel: str = "line", request: Frame = REQUEST, timeout_s: float = 5.0
) -> Answer[Frame]:
    bus = front.registry.bus(meter_on(channel))
    return await bus.exchange(Inquiry645(request), priority=Priority.TASK, timeout_s=timeout_s)


async def test_a_meter_on_a_tcp_line() -> None:
    async with open_line(MeterLine()) as front:
        found = await ask(front)
        assert found.frame == REPLY
        assert front.registry.bus(meter_on("line")).name == "line"
        received, sent = front.trace.recent("line")
        assert sent.raw == PREAMBLE + REQUEST.to_bytes()
        assert received.raw == PREAMBLE + REPLY.to_bytes()
        assert (sent.meter, received.meter) == (METER, METER)
        assert sent.exchange == received.exchange is not None
        assert received.at == found.at
        state = front.registry.state("line")
        assert state is not None
        assert (state.kind, state.protocol, state.known) == ("channel", "dlt645", True)
        assert (state.bytes_in, state.bytes_out) == (len(received.raw), len(sent.raw))


async def test_a_698_meter_on_a_tcp_line() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = PREAMBLE + get_energy(OBJECT_METER).to_bytes()
        assert await reader.readexactly(len(asked)) == asked
        *pieces, last = split(object_reply(OBJECT_METER), length_max=24)
        for piece in pieces:
            writer.write(PREAMBLE + piece.to_bytes())
            expected = PREAMBLE + acknowledgement(piece).to_bytes()
            assert await reader.readexactly(len(expected)) == expected
        writer.write(last.to_bytes())

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with running_channels(over_tcp("line", server.sockets[0].getsockname()[1])) as (front, _):
        await front.ear.hear("links", address="line", state="online")
        found = await front.registry.bus(meter_on("line")).exchange(
            Inquiry698(get_energy(OBJECT_METER)), priority=Priority.TASK, timeout_s=5.0
        )
        assert found.frame == object_reply(OBJECT_METER)
    server.close()


async def test_one_question_at_a_time() -> None:
    line = MeterLine()
    async with open_line(line) as front:
        requests = [read(Version.V2007, f"{number:012}", ENERGY) for number in range(8)]
        found = await asyncio.gather(*(ask(front, request=request) for request in requests))
        assert [each.frame.address for each in found] == [each.address for each in requests]
        directions = [record.direction for record in front.trace.recent("line")]
        assert directions == ["in", "out"] * len(requests)


async def test_a_silent_meter() -> None:
    async with open_line(MeterLine(lambda _: b"")) as front:
        with pytest.raises(MeterTimeout) as failure:
            await ask(front, timeout_s=0.1)
        expected = "meter 000000123456: no answer to 00010000 in 0.1 s on line"
        assert str(failure.value) == expected


BROKEN = REPLY.to_bytes()[:-2] + b"\x00\x16"


@pytest.mark.parametrize(
    ("reply", "error", "fault"),
    [
        (BROKEN, BadChecksum, "wrong checksum"),
        (REPLY.to_bytes()[:-1], BadAnswer, "L says 20 bytes, 19 are here"),
        (
            answer(read(Version.V2007, OTHER_METER, ENERGY)).to_bytes(),
            WrongAddress,
            f"meter {OTHER_METER} answer",
        ),
    ],
)
async def test_what_came_instead_of_an_answer(
    reply: bytes, error: type[BadAnswer], fault: str
) -> None:
    async with open_line(MeterLine(lambda _: reply)) as front:
        with pytest.raises(error, match=fault) as failure:
            await ask(front, timeout_s=0.2)
        assert type(failure.value) is error


async def test_echo_and_noise_before_the_answer() -> None:
    def reply(request: Frame) -> bytes:
        return request.to_bytes() + b"\x00\x01" + energy_reply(request)

    async with open_line(MeterLine(reply)) as front:
        assert (await ask(front)).frame == REPLY
        assert "echo" in front.notes()


async def test_a_half_frame_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_line, "PARTIAL_FRAME_S", 0.05)
    half = bytes.fromhex("68 99 99 99 99 99 99 68 91 FF")

    async with open_line(MeterLine(lambda request: half + energy_reply(request))) as front:
        assert (await ask(front)).frame == REPLY


async def test_a_late_answer_is_traced() -> None:
    line = MeterLine(lambda _: b"")
    async with open_line(line) as front:
        with pytest.raises(MeterTimeout):
            await ask(front, timeout_s=0.05)
        line.send(REPLY.to_bytes())
        await front.ear.hear("frames", direction="in", note="late", meter=METER)


async def test_a_line_that_goes_down_fails_its_exchange_and_comes_back() -> None:
    line = MeterLine(lambda _: b"")
    async with open_line(line) as front:
        question = asyncio.ensure_future(ask(front, timeout_s=60))
        await front.ear.hear("frames", direction="out")
        port = line.port
        await line.close()
        with pytest.raises(LinkDown, match=r"^channel line: "):
            await soon(question)
        await front.ear.hear("links", address="line", state="offline")
        with pytest.raises(LinkDown, match="link line is down"):
            front.registry.bus(meter_on("line"))
        line.reply = energy_reply
        await line.open(port)
        await front.ear.hear("links", address="line", state="online")
        assert (await ask(front)).frame == REPLY


async def test_a_refused_port_tells_why_and_comes_up_when_it_is_there() -> None:
    port = free_port()
    async with running_channels(over_tcp("line", port)) as (front, _):
        heard = await front.ear.hear("links", address="line", state="offline")
        assert "Connection refused" in heard["reason"]
        line = MeterLine()
        await line.open(port)
        await front.ear.hear("links", address="line", state="online")
        assert (await ask(front)).frame == REPLY
        await line.close()


async def test_channels_are_opened_and_closed_as_the_archive_says() -> None:
    first, second = MeterLine(), MeterLine()
    await asyncio.gather(first.open(), second.open())
    one, two = over_tcp("one", first.port), over_tcp("two", second.port)
    async with running_channels(one, two) as (front, channels):
        for name in ("one", "two"):
            await front.ear.hear("links", address=name, state="online")
        both = await asyncio.gather(ask(front, "one"), ask(front, "two"))
        assert [found.frame for found in both] == [REPLY, REPLY]

        moved = over_tcp("two", first.port, line="9600 8N1")
        await channels.apply([one, moved])
        await front.ear.hear("links", address="two", state="offline")
        await front.ear.hear("links", address="two", state="online")
        assert [state.logins for state in front.registry.states()] == [1, 2]

        disabled = Channel(name="one", url=one.url, created_at=NOW, enabled=False)
        await channels.apply([disabled])
        state = front.registry.state("one")
        assert state is not None
        assert (state.state, state.reason) == ("offline", "disabled")
        assert front.registry.state("two") is None
    await asyncio.gather(first.close(), second.close())


async def test_closing_fails_the_exchange_that_is_open() -> None:
    line = MeterLine(lambda _: b"")
    await line.open()
    async with running_channels(over_tcp("line", line.port)) as (front, channels):
        await front.ear.hear("links", address="line", state="online")
        question = asyncio.ensure_future(ask(front, timeout_s=60))
        await front.ear.hear("frames", direction="out")
        await channels.apply([])
        with pytest.raises(LinkDown, match="the channel was closed"):
            await soon(question)
    await line.close()


# A pseudo terminal stands for a serial port.


@asynccontextmanager
async def serial_meter() -> AsyncIterator[str]:
    """A meter on a pseudo terminal; the path of the port."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    loop = asyncio.get_running_loop()

    def serve() -> None:
        for request in meter_frames(os.read(ours, 1024)):
            os.write(ours, energy_reply(request))

    loop.add_reader(ours, serve)
    try:
        yield os.ttyname(theirs)
    finally:
        loop.remove_reader(ours)
        os.close(ours)
        os.close(theirs)


async def test_a_meter_on_a_serial_port() -> None:
    async with serial_meter() as path:
        channel = Channel(name="line", url=path, line="9600 8N1", created_at=NOW)
        async with running_channels(channel) as (front, _):
            await front.ear.hear("links", address="line", state="online")
            assert (await ask(front)).frame == REPLY


async def test_a_port_that_does_not_take_its_settings_says_so() -> None:
    async with serial_meter() as path:
        serial.Serial(path, 2400).close()  # Only the parity is left to set, and it knows none.
        channel = Channel(name="line", url=path, line="2400 8E1", created_at=NOW)
        async with running_channels(channel) as (front, _):
            heard = await front.ear.hear("links", address="line")
            assert heard["state"] == "offline"
            assert heard["reason"] == "the port does not take 2400 8E1: Invalid argument"


async def test_a_port_that_somebody_else_has_open() -> None:
    async with serial_meter() as path:
        with serial.Serial(path, 9600, exclusive=True):
            channel = Channel(name="line", url=path, line="9600 8N1", created_at=NOW)
            async with running_channels(channel) as (front, _):
                heard = await front.ear.hear("links", address="line")
                assert heard["reason"] == "Resource temporarily unavailable"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("/dev/no-such-port", "No such file or directory"),
        ("carrier://x", "invalid URL, protocol 'carrier' not known"),
    ],
)
async def test_a_url_that_opens_nothing(url: str, reason: str) -> None:
    channel = Channel(name="line", url=url, created_at=NOW)
    async with running_channels(channel) as (front, _):
        assert (await front.ear.hear("links", address="line"))["reason"] == reason
        with pytest.raises(LinkDown, match=rf"link line is down, offline since .*\({reason}\)"):
            front.registry.bus(meter_on("line"))


class PseudoPort(serial.Serial):
    """A pseudo terminal with the modem lines of a serial port."""

    cts = dsr = ri = cd = rts = dtr = True


class Rfc2217Server:
    """A serial server that speaks RFC 2217 in front of a serial port."""

    def __init__(self, path: str) -> None:
        self._port = PseudoPort(path, 9600, timeout=0.02)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"rfc2217://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def write(self, data: bytes) -> None:
        self._client.sendall(data)

    def _run(self) -> None:
        self._client, _ = self._listener.accept()
        manager = serial.rfc2217.PortManager(self._port, self)
        forwarding = threading.Thread(target=self._forward, args=(manager,))
        forwarding.start()
        while data := self._client.recv(1024):
            self._port.write(b"".join(manager.filter(data)))
        self._client.close()
        self._port.close()
        forwarding.join()

    def _forward(self, manager: serial.rfc2217.PortManager) -> None:
        try:
            while True:
                if data := self._port.read(self._port.in_waiting or 1):
                    self._client.sendall(b"".join(manager.escape(data)))
        except (OSError, TypeError):
            return

    def close(self) -> None:
        self._listener.close()
        self._thread.join()


@pytest.mark.filterwarnings("ignore::DeprecationWarning:serial")
async def test_a_meter_behind_a_serial_server_of_rfc_2217() -> None:
    async with serial_meter() as path:
        server = Rfc2217Server(path)
        channel = Channel(name="line", url=server.url, line="9600 8N1", created_at=NOW)
        async with running_channels(channel) as (front, _):
            await front.ear.hear("links", address="line", state="online")
            assert (await ask(front)).frame == REPLY
        server.close()


async def test_waits_change_while_the_port_stays_open() -> None:
    line = MeterLine()
    await line.open()
    first = over_tcp("line", line.port)
    async with running_channels(first) as (front, channels):
        await front.ear.hear("links", address="line", state="online")
        link = front.registry.find("line")
        slow = replace(first, wait_ms=700, gap_ms=50, retry_max_s=5)
        await channels.apply([slow])
        assert front.registry.find("line") is link
        assert link is not None
        assert link.channel == slow
        began = time.monotonic()
        line.reply = lambda _: b""
        with pytest.raises(MeterTimeout, match=r"in 0\.8 s"):
            await ask(front, timeout_s=0.1)
        assert time.monotonic() - began >= 0.8
    await line.close()


async def test_a_line_that_hangs_is_opened_anew() -> None:
    line = MeterLine(lambda _: b"")
    await line.open()
    async with running_channels(over_tcp("line", line.port, reopen_after=2)) as (front, _):
        await front.ear.hear("links", address="line", state="online")
        for _ in range(2):
            with pytest.raises(MeterTimeout):
                await ask(front, timeout_s=0.05)
        down = await front.ear.hear("links", address="line", state="offline")
        assert "2 questions in a row had no answer" in str(down)
        await front.ear.hear("links", address="line", state="online")
    await line.close()
