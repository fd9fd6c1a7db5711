"""Simulated meters behind a serial server, over real sockets."""

import asyncio
import re
import signal

import pytest
from test_simulate_command import SITE, WAIT_S, start

from station.errors import StartError
from station.protocols import dlt645
from station.protocols.dlt645 import Version, requests
from station.simulator.listener import CONNECTIONS_MAX, LineServer
from station.simulator.site import MeterSite, Site, TerminalSite

FIRST, SECOND, OLD = "990000000001", "990000000002", "990000000003"


def site_of(*meters):
    return Site(terminals=(TerminalSite(address="99000001", lines=({"meters": meters},)),))


@pytest.fixture
async def server():
    meters = (
        MeterSite(address=FIRST),
        MeterSite(address=SECOND, dead=True),
        MeterSite(address=OLD, protocol=Version.V1997, profile_interval_min=0),
    )
    server = LineServer(site_of(*meters), "127.0.0.1", 0)
    await server.start()
    yield server
    await server.stop()


class Client:
    """One connection to the line."""

    def __init__(self, reader, writer):
        self._reader, self._writer = reader, writer
        self._parser = dlt645.Parser()

    @classmethod
    async def dial(cls, server):
        return cls(*await asyncio.open_connection("127.0.0.1", server.port))

    def send(self, *raws):
        self._writer.write(b"".join(raws))

    async def frame(self):
        while True:
            while (event := self._parser.next_event()) is not None:
                if isinstance(event, dlt645.Frame):
                    return event
            data = await asyncio.wait_for(self._reader.read(4096), WAIT_S)
            assert data, "the connection was closed"
            self._parser.receive_data(data)

    async def ended(self):
        return await asyncio.wait_for(self._reader.read(), WAIT_S) == b""

    def close(self):
        self._writer.close()


READ = dlt645.read(Version.V2007, FIRST, 0x00010000).to_bytes()
READ_OLD = dlt645.read(Version.V1997, OLD, 0x9010).to_bytes()


async def test_meters_of_both_versions_answer(server):
    client = await Client.dial(server)
    client.send(READ)
    answer = await client.frame()
    assert requests.is_answer(dlt645.Frame.from_bytes(READ), answer)
    assert dlt645.values_of(answer)[0].value > 0
    client.send(READ_OLD)
    assert (await client.frame()).address == OLD
    client.close()


async def test_requests_in_pieces_together_and_behind_noise(server):
    client = await Client.dial(server)
    client.send(b"\xfe\xfe\x55" + READ[:5])
    client.send(READ[5:] + READ_OLD + b"\x16")
    assert [(await client.frame()).address, (await client.frame()).address] == [FIRST, OLD]
    client.close()


async def test_a_dead_meter_is_silent_and_the_next_answers(server):
    client = await Client.dial(server)
    client.send(dlt645.read(Version.V2007, SECOND, 0x00010000).to_bytes(), READ)
    assert (await client.frame()).address == FIRST
    client.close()


async def test_connections_share_the_line(server):
    clients = [await Client.dial(server) for _ in range(5)]
    for client in clients:
        client.send(READ * 3)
    answers = [await client.frame() for _ in range(3) for client in clients]
    assert len({answer.address for answer in answers}) == 1
    for client in clients:
        client.close()


async def test_more_connections_than_allowed_are_closed(server):
    clients = [await Client.dial(server) for _ in range(CONNECTIONS_MAX)]
    for client in clients:
        client.send(READ)
        await client.frame()
    late = await Client.dial(server)
    assert await late.ended()
    for client in clients:
        client.close()


async def test_stop_ends_the_connections(server):
    client = await Client.dial(server)
    client.send(READ)
    await client.frame()
    await server.stop()
    assert await client.ended()


async def test_a_port_in_use_is_named(server):
    second = LineServer(site_of(MeterSite(address=FIRST)), "127.0.0.1", server.port)
    with pytest.raises(StartError, match=f"cannot listen on 127.0.0.1:{server.port}"):
        await second.start()


async def test_as_a_command(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text(SITE, encoding="utf-8")
    process = await start("--listen", "0", "--site", path)
    line = (await asyncio.wait_for(process.stdout.readline(), WAIT_S)).decode()
    found = re.search(r" meters listen on 127\.0\.0\.1:(\d+)$", line.rstrip())
    assert found is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", int(found[1]))
    client = Client(reader, writer)
    client.send(dlt645.read_address().to_bytes())
    assert (await client.frame()).address == "990000000161"
    process.send_signal(signal.SIGTERM)
    _, err = await asyncio.wait_for(process.communicate(), WAIT_S)
    assert (process.returncode, err) == (0, b"")
    client.close()


@pytest.mark.parametrize("place", ["host:", ":7001", "70000", "x"])
async def test_place_must_be_a_port(place):
    process = await start("--listen", place)
    _, err = await asyncio.wait_for(process.communicate(), WAIT_S)
    assert process.returncode == 2
    assert f"expected [HOST:]PORT, got '{place}'" in err.decode()


async def test_dialling_and_listening_at_once_is_refused():
    process = await start("--listen", "0", "--connect", "127.0.0.1:1")
    _, err = await asyncio.wait_for(process.communicate(), WAIT_S)
    assert process.returncode == 2
    assert "not allowed with argument" in err.decode()
