"""The front-end over real sockets: logging in, staying, leaving, and all that goes wrong."""

import asyncio
import socket
from pathlib import Path

import pytest
from frontend_peers import (
    METER,
    TERMINAL,
    Front,
    HangingStore,
    Terminal,
    meter_on,
    running_front,
    soon,
)

from station.errors import LinkDown, StartError
from station.frontend import connection, registry, trace
from station.frontend import server as front_server
from station.protocols.qgdw1376.frame import Frame
from station.protocols.qgdw1376.link import confirm, heartbeat, login
from station.store.database import Database
from station.store.objects.terminals import Terminal as ArchivedTerminal

LOGIN = login(Terminal.address_of(TERMINAL), 1).to_bytes()


async def online_frame(front: Front) -> Frame:
    """What a login is answered with, which shows that the front-end is well."""
    terminal = await front.dial("02009999")
    frame = await terminal.login()
    terminal.hang_up()
    return frame


async def test_login_is_confirmed_and_the_terminal_is_online() -> None:
    async with running_front() as front:
        terminal = await front.dial()
        confirmation = await terminal.login(sequence=5)
        assert confirmation == confirm(login(terminal.address, 5))
        heard = await front.ear.hear("links", address=TERMINAL)
        assert (heard["state"], heard["reason"]) == ("online", "")
        state = front.registry.state(TERMINAL)
        assert state is not None
        assert (state.state, state.kind, state.protocol) == ("online", "terminal", "qgdw1376")
        assert (state.remote, state.logins, state.replaced) == (terminal.remote, 1, 0)
        assert (state.bytes_in, state.bytes_out) == (20, 26)
        assert state.last_seen == state.since


@pytest.mark.parametrize(
    ("setting", "data"), [("F3", "00000400 02 00000100 00"), ("F1", "00000100")]
)
async def test_the_settings_choose_the_confirmation(setting: str, data: str) -> None:
    async with running_front(confirmation=setting) as front:
        confirmation = await (await front.dial()).login()
        assert confirmation.data == bytes.fromhex(data)


async def test_heartbeats_are_confirmed() -> None:
    async with running_front() as front:
        terminal = await front.online()
        for sequence in range(2, 6):
            assert (await terminal.heartbeat(sequence)).sequence == sequence
        state = front.registry.state(TERMINAL)
        assert state is not None
        assert state.logins == 1
        assert len(front.trace.recent(TERMINAL)) == 10


async def test_logout_is_confirmed_and_closes() -> None:
    async with running_front() as front:
        terminal = await front.online()
        assert (await terminal.logout()).data[-2:] == b"\x00\x00"
        assert await terminal.closed() == b""
        assert (await front.ear.hear("links", state="offline"))["reason"] == "logged out"


@pytest.mark.parametrize("first", ["heartbeat", "report"])
async def test_a_terminal_may_begin_without_a_login(first: str) -> None:
    async with running_front() as front:
        terminal = await front.dial()
        if first == "heartbeat":
            assert (await terminal.heartbeat()).afn == 0
        else:
            await terminal.send(terminal.report())
        await front.ear.hear("links", address=TERMINAL, state="online")


async def test_reports_are_confirmed_when_they_ask_for_it() -> None:
    async with running_front() as front:
        terminal = await front.online()
        await terminal.send(terminal.report(sequence=4))
        await terminal.send(terminal.report(sequence=5, confirm=True))
        confirmation = await terminal.receive()
        assert confirmation.sequence == 5
        assert confirmation.data == bytes.fromhex("00000100")
        assert not confirmation.wants_confirmation


async def test_a_terminal_that_hangs_up_is_offline() -> None:
    async with running_front() as front:
        terminal = await front.online()
        terminal.hang_up()
        heard = await front.ear.hear("links", state="offline")
        assert heard["reason"] == "the terminal closed the connection"
        with pytest.raises(LinkDown, match=r"meter 000000123456: link 02001234 is down, offline"):
            front.registry.bus(meter_on(TERMINAL))


async def test_the_clock_before_login() -> None:
    async with running_front(login_timeout_s=0.2) as front:
        terminal = await front.dial()
        assert await terminal.closed() == b""
        assert front.registry.states() == []
        stayed = await front.online()
        await asyncio.gather((await front.dial()).closed(), (await front.dial()).closed())
        assert (await stayed.heartbeat()).afn == 0


async def test_the_clock_after_login() -> None:
    async with running_front(idle_timeout_s=0.2) as front:
        waiting = await front.dial()
        terminal = await front.online()
        assert await terminal.closed() == b""
        heard = await front.ear.hear("links", state="offline")
        assert heard["reason"] == "silent for 0.2 s"
        assert (await waiting.login()).afn == 0


async def test_noise_does_not_hold_a_link() -> None:
    async with running_front(idle_timeout_s=0.3) as front:
        terminal = await front.online()

        async def mutter() -> None:
            while True:
                await terminal.send(b"\x00")
                await asyncio.sleep(0.02)

        muttering = asyncio.ensure_future(mutter())
        assert (await front.ear.hear("links", state="offline"))["reason"] == "silent for 0.3 s"
        muttering.cancel()


async def test_the_newest_connection_wins() -> None:
    async with running_front() as front:
        older = await front.online()
        newer = await front.online()
        assert await older.closed() == b""
        state = front.registry.state(TERMINAL)
        assert state is not None
        assert (state.state, state.remote, state.replaced) == ("online", newer.remote, 1)
        assert state.reason == f"took the place of {older.remote}"
        assert (await newer.heartbeat()).afn == 0
        announced = [message["state"] for topic, message in front.ear.messages if topic == "links"]
        assert announced == ["online", "online"]


async def test_a_connection_can_become_another_terminals() -> None:
    async with running_front() as front:
        terminal = await front.online()
        terminal.address = Terminal.address_of("02005678")
        await terminal.login()
        heard = await front.ear.hear("links", address=TERMINAL, state="offline")
        assert heard["reason"] == "terminal 02005678 took over its connection"
        assert front.registry.find("02005678") is not None


async def test_unknown_terminals_are_held_and_shown() -> None:
    async with running_front() as front:
        front.registry.set_terminals([ArchivedTerminal(TERMINAL, "")])
        await front.online()
        await front.online("02005678")
        states = [(state.address, state.known) for state in front.registry.states()]
        assert states == [(TERMINAL, True), ("02005678", False)]
        front.registry.set_terminals(ArchivedTerminal(each, "") for each in (TERMINAL, "02005678"))
        assert all(state.known for state in front.registry.states())


async def test_frames_cut_anywhere() -> None:
    async with running_front() as front:
        for cut in range(1, len(LOGIN)):
            terminal = await front.dial()
            await terminal.send(LOGIN[:cut])
            await terminal.send(LOGIN[cut:])
            assert (await terminal.receive()).afn == 0
            terminal.hang_up()


async def test_frames_byte_by_byte_and_several_in_one_segment() -> None:
    async with running_front() as front:
        terminal = await front.dial()
        for byte in LOGIN:
            await terminal.send(bytes((byte,)))
        assert (await terminal.receive()).sequence == 1
        beats = [heartbeat(terminal.address, sequence, None) for sequence in range(2, 12)]
        await terminal.send(b"".join(beat.to_bytes() for beat in beats))
        assert [(await terminal.receive()).sequence for _ in beats] == list(range(2, 12))


async def test_garbage_around_frames_is_traced() -> None:
    async with running_front() as front:
        terminal = await front.dial()
        await terminal.send(b"\xfe\xfe\x55\x68\x32\x00" + LOGIN + b"\x68\x68\x01")
        assert (await terminal.receive()).afn == 0
        oldest = front.trace.recent(limit=10)[-1]
        assert oldest.raw == b"\xfe\xfe\x55\x68\x32\x00"
        assert oldest.note.startswith("noise, 6 bytes")
        assert oldest.link == terminal.remote
        beat = heartbeat(terminal.address, 2, None).to_bytes()
        await terminal.send(beat)
        assert (await terminal.receive()).sequence == 2


async def test_a_frame_that_stays_half_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PARTIAL_FRAME_S", 0.05)
    async with running_front(login_timeout_s=0.5, idle_timeout_s=20) as front:
        terminal = await front.dial()
        long_frame = Frame(0xC4, terminal.address, 0x0C, 0x61, bytes(1000)).to_bytes()
        await terminal.send(long_frame[:100] + LOGIN)
        assert (await terminal.receive()).afn == 0
        assert "L says 1016 bytes, 120 are here" in front.trace.recent(limit=10)[-1].note


async def test_ten_megabytes_without_a_frame() -> None:
    async with running_front() as front:
        terminal, noisy = await front.online(), await front.online("02005678")
        with pytest.raises(ConnectionError):
            await noisy.send_again(b"\x68" * 65536, times=160)
        heard = await front.ear.hear("links", address="02005678", state="offline")
        assert heard["reason"].endswith("bytes without a frame")
        shown = sum(len(record.raw) for record in front.trace.recent("02005678"))
        assert shown < 10_000
        assert (await terminal.heartbeat()).afn == 0


async def test_the_connection_limit() -> None:
    async with running_front(connections_max=2) as front:
        first, second = await front.online("02000001"), await front.online("02000002")
        third = await front.dial("02000003")
        assert await third.closed() == b""
        assert front.server.refused == 1
        assert (await first.heartbeat()).afn == 0
        second.hang_up()
        await front.ear.hear("links", address="02000002", state="offline")
        assert (await online_frame(front)).afn == 0


async def test_a_port_in_use() -> None:
    async with running_front() as front:
        with pytest.raises(StartError, match=rf"^port {front.server.port} is in use on 127.0.0.1"):
            async with running_front(port=front.server.port):
                pass
        with pytest.raises(StartError, match="cannot listen on port 0 on no-such-host"):
            async with running_front(host="no-such-host.invalid"):
                pass


async def test_terminals_over_ipv6() -> None:
    async with running_front(host="::1") as front:
        reader, writer = await asyncio.open_connection("::1", front.server.port)
        writer.write(LOGIN)
        assert len(await soon(reader.readexactly(26))) == 26
        state = front.registry.state(TERMINAL)
        assert state is not None
        assert state.remote == "[::1]:{}".format(writer.get_extra_info("sockname")[1])
        writer.close()


async def test_a_slow_reader_holds_no_memory() -> None:
    async with running_front() as front:
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(raw, ("127.0.0.1", front.server.port))
        beats = heartbeat(Terminal.address_of(TERMINAL), 2, None).to_bytes() * 1000

        async def pour() -> None:
            while True:
                await loop.sock_sendall(raw, beats)

        with pytest.raises(ConnectionError):
            await soon(pour())
        raw.close()
        heard = await front.ear.hear("links", address=TERMINAL, state="offline")
        assert heard["reason"].startswith("it does not read")
        assert (await online_frame(front)).afn == 0


def open_descriptors() -> list[int]:
    return [int(each.name) for each in Path("/proc/self/fd").iterdir()]


async def test_links_leave_the_low_descriptors_to_others() -> None:
    async with running_front() as front:
        await front.online()
        descriptors = open_descriptors()
        assert max(descriptors) >= front_server.LOW_DESCRIPTORS
        assert sorted(descriptors)[-2] < front_server.LOW_DESCRIPTORS


async def test_stopping_closes_every_link() -> None:
    async with running_front() as front:
        named, unnamed = await front.online(), await front.dial()
        await front.server.stop()
        assert await named.closed() == b""
        assert await unnamed.closed() == b""
        assert (await front.ear.hear("links", state="offline"))["reason"] == "the station stops"
        with pytest.raises(ConnectionRefusedError):
            await front.dial()


async def test_a_database_that_hangs_delays_no_confirmation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry, "STOP_TIMEOUT_S", 0.1)
    monkeypatch.setattr(trace, "STOP_TIMEOUT_S", 0.1)
    links, frames = HangingStore(), HangingStore()
    async with running_front(links, frames) as front:
        await front.online()
        await soon(asyncio.gather(links.asked.wait(), frames.asked.wait()))
        assert (await online_frame(front)).afn == 0
        assert front.registry.find(TERMINAL) is not None


async def test_states_and_frames_reach_the_database(database: Database) -> None:
    async with running_front(database.links, database.frames) as front:
        terminal = await front.online()
        terminal.hang_up()
        await front.ear.hear("links", state="offline")
    state = await database.links.find(TERMINAL)
    assert state is not None
    assert (state.state, state.station) == ("offline", "station-1")
    assert state.reason == "the terminal closed the connection"
    frames, total = await database.frames.list(link=TERMINAL)
    assert total == 2
    assert [frame.direction for frame in frames] == ["out", "in"]
    assert frames[1].raw == LOGIN
    assert METER not in {frame.meter for frame in frames}
