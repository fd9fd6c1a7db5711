"""Terminals of DL/T 698.45 over real sockets: upkeep, reports, split frames, and their meters."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from frontend_peers import METER, REPLY, REQUEST, Front, meter_on, running_front, soon
from object_peers import (
    CLOCK,
    OBJECT_METER,
    OBJECT_TERMINAL,
    ObjectTerminal,
    energy_reply,
    get_energy,
    report,
)

from station.errors import BadChecksum, InvalidValue, LinkDown, MeterTimeout, Refused, WrongAddress
from station.frontend.inquiries import Inquiry645, Inquiry698
from station.frontend.link import Bus, Inquiry, Priority
from station.protocols.dlt645.frame import PREAMBLE
from station.protocols.dlt698.apdu import decode_apdu
from station.protocols.dlt698.association import LinkResponse
from station.protocols.dlt698.dar import Dar
from station.protocols.dlt698.frame import Frame, ServerAddress
from station.protocols.dlt698.link import heartbeat, is_confirmation, login, logout
from station.protocols.dlt698.report import ReportResponseList
from station.protocols.dlt698.segments import Kind, kind_of, number_of, split
from station.protocols.line import LineSettings
from station.store.objects.terminals import Terminal as ArchivedTerminal

BAD_METER = energy_reply("000000000099")


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with running_front() as running:
        yield running


def object_meter(point: int = 1, port: int = 1) -> Bus:
    return meter_on(OBJECT_TERMINAL, OBJECT_METER, protocol="dlt698.45", point=point, port=port)


def ask(bus: Bus, inquiry: Inquiry, timeout_s: float = 5.0) -> asyncio.Future:
    return asyncio.ensure_future(
        bus.exchange(inquiry, priority=Priority.RECALL, timeout_s=timeout_s)
    )


async def test_login_heartbeat_and_logout_are_confirmed(front: Front) -> None:
    terminal = await ObjectTerminal.dial(front)
    for function in (login, heartbeat):
        confirmation = await terminal.say(function)
        assert is_confirmation(confirmation)
        assert confirmation.server.text == OBJECT_TERMINAL
    state = front.registry.state(OBJECT_TERMINAL)
    assert state is not None
    assert (state.state, state.protocol, state.logins) == ("online", "dlt698.45", 1)
    assert is_confirmation(await terminal.say(logout))
    assert await terminal.closed() == b""
    assert (await front.ear.hear("links", state="offline"))["reason"] == "logged out"


async def test_terminals_are_told_the_time_of_their_zone() -> None:
    zone = ZoneInfo("Asia/Shanghai")
    async with running_front(zone=zone) as front:
        confirmation = await (await ObjectTerminal.dial(front)).say(login)
        response = decode_apdu(confirmation.apdu)
        assert isinstance(response, LinkResponse)
        assert response.request_time.local == CLOCK
        told = response.received_time.local
        assert told is not None
        assert abs(told - datetime.now(zone).replace(tzinfo=None)) < timedelta(seconds=5)


@pytest.mark.parametrize("address", ["AAAAAAAAAAAA", "FFFFFFFFFFFF", "000000000000"])
async def test_nobody_logs_in_with_the_address_of_nobody(front: Front, address: str) -> None:
    terminal = await ObjectTerminal.dial(front, address)
    await terminal.send(login(terminal.server, CLOCK, 60))
    terminal.server = ServerAddress(OBJECT_TERMINAL)
    assert (await terminal.say(heartbeat)).server.text == OBJECT_TERMINAL
    assert [state.address for state in front.registry.states()] == [OBJECT_TERMINAL]


async def test_all_protocols_on_several_ports() -> None:
    async with running_front(more_ports=(0,)) as front:
        assert len(set(front.server.ports)) == 2
        front.server.port = front.server.ports[1]
        await ObjectTerminal.online(front)
        await front.online()
        protocols = {state.address: state.protocol for state in front.registry.states()}
        assert protocols == {OBJECT_TERMINAL: "dlt698.45", "02001234": "qgdw1376"}


async def test_a_login_in_pieces_and_one_behind_noise(front: Front) -> None:
    raw = login(ServerAddress(OBJECT_TERMINAL), CLOCK, 60).to_bytes()
    terminal = await ObjectTerminal.dial(front)
    for byte in b"\x00\x68\x68" + raw:
        await terminal.send(bytes((byte,)))
    assert is_confirmation(await terminal.receive())
    beats = heartbeat(terminal.server, CLOCK, 60).to_bytes() * 5
    await terminal.send(beats[:70])
    await terminal.send(beats[70:])
    for _ in range(5):
        assert is_confirmation(await terminal.receive())


async def test_reports_are_confirmed_and_handed_on(front: Front) -> None:
    terminal = await ObjectTerminal.online(front)
    await terminal.send(report())
    confirmation = await terminal.receive()
    apdu = decode_apdu(confirmation.apdu)
    assert isinstance(apdu, ReportResponseList)
    assert (apdu.piid, [oad.text for oad in apdu.oads]) == (7, ["00100201"])
    (handed_on,) = front.reports
    assert (handed_on.link, handed_on.protocol) == (OBJECT_TERMINAL, "dlt698")
    assert handed_on.frame == report()
    out, came = front.trace.recent(OBJECT_TERMINAL, limit=2)
    assert (came.at, came.exchange) == (handed_on.at, handed_on.exchange)
    assert out.exchange == came.exchange is not None


async def test_split_frames_are_acknowledged_and_joined(front: Front) -> None:
    terminal = await ObjectTerminal.online(front)
    *pieces, last = split(report(), length_max=20)
    assert len(pieces) > 1
    for piece in pieces:
        await terminal.send(piece)
        acknowledgement = await terminal.receive()
        assert kind_of(acknowledgement) is Kind.ACKNOWLEDGEMENT
        assert number_of(acknowledgement) == number_of(piece)
    await terminal.send(last)
    assert decode_apdu((await terminal.receive()).apdu) is not None
    assert [each.frame for each in front.reports] == [report()]


async def test_a_terminal_is_asked_itself(front: Front) -> None:
    terminal = await ObjectTerminal.online(front)
    port = front.registry.terminal(OBJECT_TERMINAL)
    assert (port.protocol, port.name) == ("dlt698.45", OBJECT_TERMINAL)
    question = ask(port, Inquiry698(get_energy()))
    assert await terminal.receive() == get_energy()
    for piece in split(energy_reply(), length_max=22):
        await terminal.send(piece)
        if kind_of(piece) is not Kind.LAST:
            await terminal.receive()
    found = await question
    assert found.frame == energy_reply()
    assert {record.exchange for record in front.trace.recent(limit=5)} == {found.exchange}
    with pytest.raises(InvalidValue):
        await port.ask(0x0C, [], priority=Priority.RECALL, timeout_s=1.0)


async def test_a_meter_that_is_its_own_terminal(front: Front) -> None:
    terminal = await ObjectTerminal.online(front)
    bus = front.registry.bus(object_meter(point=0))
    question = ask(bus, Inquiry698(get_energy()), timeout_s=0.1)
    await terminal.receive()
    with pytest.raises(MeterTimeout, match=r"no answer to GET-Request Normal 00100201 in 0\.1 s"):
        await question
    await terminal.send(energy_reply())
    again = ask(bus, Inquiry698(get_energy(piid=6)))
    await terminal.receive()
    await terminal.send(energy_reply(piid=6))
    await again
    await terminal.send(energy_reply(piid=6))
    assert is_confirmation(await terminal.say(heartbeat))
    state = front.registry.state(OBJECT_TERMINAL)
    assert state is not None
    assert (state.timeouts, state.late, state.duplicate) == (1, 1, 1)


async def test_a_645_meter_behind_the_terminal(front: Front) -> None:
    terminal = await ObjectTerminal.online(front)
    bus = front.registry.bus(meter_on(OBJECT_TERMINAL, port=2, line="9600 8E1"))
    assert bus.name == OBJECT_TERMINAL
    question = ask(bus, Inquiry645(REQUEST))
    asked, command = await terminal.command()
    assert command.port.text == "F2010202"
    assert command.settings.line == LineSettings.parse("9600 8E1")
    assert (command.timeout_s, command.byte_timeout_ms) == (4, 500)
    assert command.command == PREAMBLE + REQUEST.to_bytes()
    await terminal.bring(asked, PREAMBLE + REPLY.to_bytes())
    assert (await question).frame == REPLY
    assert front.trace.recent(limit=1)[0].meter == METER


async def test_a_698_meter_behind_the_terminal_answers_in_pieces(front: Front) -> None:
    terminal = await ObjectTerminal.online(front)
    bus = front.registry.bus(object_meter(port=31))
    question = ask(bus, Inquiry698(get_energy(OBJECT_METER)))
    for piece in split(energy_reply(OBJECT_METER), length_max=22):
        asked, command = await terminal.command()
        assert command.port.text == "F2090201"
        await terminal.bring(asked, piece.to_bytes())
    assert (await question).frame == energy_reply(OBJECT_METER)


@pytest.mark.parametrize(
    ("reply", "error", "text"),
    [
        (Dar(33), MeterTimeout, "in 0.0 s through terminal"),
        (b"", MeterTimeout, "in 0.0 s through terminal"),
        (Dar(3), Refused, "read or write denied"),
        (BAD_METER.to_bytes(), WrongAddress, "meter 000000000099 answered"),
        (REPLY.to_bytes()[:-2] + b"\x00\x16", BadChecksum, "checksum"),
    ],
)
async def test_why_a_meter_behind_the_terminal_gave_nothing(
    front: Front, reply: Dar | bytes, error: type[Exception], text: str
) -> None:
    terminal = await ObjectTerminal.online(front)
    question = ask(front.registry.bus(object_meter()), Inquiry698(get_energy(OBJECT_METER)))
    asked, _ = await terminal.command()
    await terminal.bring(asked, reply)
    with pytest.raises(error, match=text):
        await soon(question)
    state = front.registry.state(OBJECT_TERMINAL)
    assert state is not None
    counted = (state.timeouts, state.wrong_address, state.bad)
    assert counted == tuple(
        int(error is each) for each in (MeterTimeout, WrongAddress, BadChecksum)
    )


async def test_one_question_per_port_where_the_terminal_allows_it(front: Front) -> None:
    front.registry.set_terminals(
        [ArchivedTerminal(OBJECT_TERMINAL, "", protocol="dlt698.45", parallel_ports=True)]
    )
    terminal = await ObjectTerminal.online(front)
    buses = [front.registry.bus(object_meter(port=port)) for port in (1, 2)]
    assert [bus.name for bus in buses] == [f"{OBJECT_TERMINAL}:1", f"{OBJECT_TERMINAL}:2"]
    questions = [ask(bus, Inquiry698(get_energy(OBJECT_METER))) for bus in buses]
    asked: list[Frame] = [(await terminal.command())[0] for _ in buses]
    for each in reversed(asked):
        await terminal.bring(each, energy_reply(OBJECT_METER).to_bytes())
    for question in questions:
        assert (await question).frame == energy_reply(OBJECT_METER)


async def test_questions_fail_when_the_connection_goes(front: Front) -> None:
    terminal = await ObjectTerminal.online(front)
    question = ask(front.registry.bus(object_meter()), Inquiry698(get_energy(OBJECT_METER)), 60)
    await terminal.receive()
    terminal.writer.close()
    with pytest.raises(LinkDown, match="terminal 000000000012: the terminal closed"):
        await soon(question)


@pytest.mark.parametrize("fields", [{"line": "fast"}, {"port": 0}, {"port": 32}])
async def test_a_port_that_a_terminal_cannot_be_told_of(front: Front, fields: dict) -> None:
    await ObjectTerminal.online(front)
    with pytest.raises(InvalidValue):
        front.registry.bus(meter_on(OBJECT_TERMINAL, **fields))
