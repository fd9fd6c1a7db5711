"""`station simulate` as a process of its own."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from station.protocols.qgdw1376 import link
from station.protocols.qgdw1376.frame import Frame
from station.protocols.qgdw1376.parser import Parser

WAIT_S = 20.0  # For a Python that has to start on a busy box.
SITE = """\
terminals:
  - address: 99000077
    name: {en: Mill, zh: 磨坊}
    lines: [{meters: [{address: 990000000161}]}]
"""


class FrontEnd:
    """Confirms links and keeps what the terminals said about theirs."""

    def __init__(self):
        self.said = asyncio.Queue()

    async def accept(self, reader, writer):
        parser = Parser()
        while data := await reader.read(4096):
            parser.receive_data(data)
            while (event := parser.next_event()) is not None:
                if not isinstance(event, Frame):  # Of a protocol that is not spoken here.
                    continue
                writer.write(link.confirm(event).to_bytes())
                self.said.put_nowait((event.address.text, link.link_function(event)))
        self.said.put_nowait(None)
        writer.close()

    async def next(self):
        return await asyncio.wait_for(self.said.get(), WAIT_S)


@pytest.fixture
async def front():
    front = FrontEnd()
    server = await asyncio.start_server(front.accept, "127.0.0.1", 0)
    front.place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield front
    server.close()


@pytest.fixture
def site(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text(SITE, encoding="utf-8")
    return path


PROGRAM = """
import argparse, sys
from station.simulator import command
parser = argparse.ArgumentParser()
command.add_arguments(parser)
sys.exit(command.main(parser.parse_args()))
"""


async def start(*arguments):
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        *map(str, arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_runs_until_told_and_logs_out(front, site, number):
    process = await start("--connect", front.place, "--site", site, "--language", "zh")
    assert await front.next() == ("99000077", link.LinkFunction.LOGIN)
    dials, enters = [
        (await asyncio.wait_for(process.stdout.readline(), WAIT_S)).decode() for _ in range(2)
    ]
    assert dials.endswith(f" dialling {front.place}; terminals: 1, meters: 1\n")
    assert enters.endswith(" 99000077 磨坊: logged in\n")
    process.send_signal(number)
    assert await front.next() == ("99000077", link.LinkFunction.LOGOUT)
    out, err = await asyncio.wait_for(process.communicate(), WAIT_S)
    assert (process.returncode, err) == (0, b"")
    assert out.decode().endswith(" 99000077 磨坊: logged out\n")


async def test_demo_site_is_what_runs_without_a_file(front):
    process = await start("--connect", front.place, "--seed", "3")
    logins = [await front.next() for _ in range(5)]
    assert {address for address, _ in logins} == {f"9900000{number}" for number in range(1, 6)}
    process.terminate()
    await asyncio.wait_for(process.communicate(), WAIT_S)
    assert process.returncode == 0


async def test_site_made_from_numbers(front):
    made = ("--terminals", 3, "--meters", 2, "--delay-ms", 5, "--dead", "50%", "--lost", "2%")
    process = await start("--connect", front.place, *made)
    logins = [await front.next() for _ in range(3)]
    assert {address for address, _ in logins} == {f"9800000{number}" for number in range(1, 4)}
    process.terminate()
    out, _ = await asyncio.wait_for(process.communicate(), WAIT_S)
    assert b"terminals: 3, meters: 6" in out
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--terminals", 0), "expected 1..9999, got '0'"),
        (("--terminals", 2, "--lost", "200%"), "expected a share such as 2% or 0.02, got '200%'"),
        (("--terminals", 2, "--site", "x.yaml"), "not allowed with argument"),
    ],
)
async def test_numbers_that_make_no_site(words, says):
    process = await start("--connect", "127.0.0.1:7001", *words)
    _, err = await asyncio.wait_for(process.communicate(), WAIT_S)
    assert process.returncode == 2
    assert says in err.decode()


async def test_bad_site_is_named_and_ends_with_2(front, site):
    site.write_text(SITE.replace("meters:", "meter:"))
    process = await start("--connect", front.place, "--site", site)
    out, err = await asyncio.wait_for(process.communicate(), WAIT_S)
    assert (process.returncode, out) == (2, b"")
    assert err.decode().splitlines() == [
        f"{site}:4: terminals.0.lines.0.meters: Field required",
        f"{site}:4: terminals.0.lines.0.meter: Extra inputs are not permitted",
    ]


@pytest.mark.parametrize("place", ["7001", "host:", ":7001", "host:0", "host:70000", "host:x"])
async def test_place_must_be_host_and_port(place):
    process = await start("--connect", place)
    _, err = await asyncio.wait_for(process.communicate(), WAIT_S)
    assert process.returncode == 2
    assert f"expected HOST:PORT, got '{place}'" in err.decode()


async def test_ends_with_its_parent(front, site):
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        textwrap.dedent(
            """
            import os, subprocess, sys
            command = [sys.executable, "-c", *sys.argv[1:], "--with-parent", str(os.getpid())]
            subprocess.Popen(command, stdout=subprocess.DEVNULL)
            sys.stdin.read()
            """
        ),
        PROGRAM,
        "--connect",
        front.place,
        "--site",
        str(site),
        stdin=subprocess.PIPE,
    )
    assert await front.next() == ("99000077", link.LinkFunction.LOGIN)
    parent.kill()
    await parent.wait()
    assert await front.next() == ("99000077", link.LinkFunction.LOGOUT)
    assert await front.next() is None


async def test_does_not_start_when_its_parent_is_gone_already(front, site):
    process = await start(
        "--connect", front.place, "--site", site, "--with-parent", os.getpid() + 1
    )
    out, _ = await asyncio.wait_for(process.communicate(), WAIT_S)
    assert (process.returncode, out) == (0, b"")
    assert front.said.empty()
