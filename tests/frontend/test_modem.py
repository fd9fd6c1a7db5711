"""Modems in front of meters: known by their registration, and a raw line behind it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from frontend_peers import (
    METER,
    REPLY,
    REQUEST,
    TERMINAL,
    Front,
    meter_on,
    running_front,
    soon,
)
from object_peers import OBJECT_METER, get_energy, report
from object_peers import energy_reply as object_reply

from station.errors import InvalidValue, LinkDown, MeterTimeout, WrongAddress
from station.frontend import raw_line
from station.frontend.dtu import Registrations
from station.frontend.inquiries import Inquiry645, Inquiry698
from station.frontend.link import Inquiry, Priority
from station.protocols.dlt645.frame import PREAMBLE, WILDCARD, Version
from station.protocols.dlt645.requests import ACTIVE_REPORT, answer, read
from station.protocols.dlt698.segments import split
from station.store.objects.terminals import Terminal as ArchivedTerminal

MODEM = "modem-1"
REGISTRATION = b"REG:0001"
HEARTBEAT = b"HB\x00"


def modem(name: str = MODEM, registration: bytes = REGISTRATION, **fields: Any) -> ArchivedTerminal:
    """A modem of the archive."""
    fields = {"heartbeat": HEARTBEAT.hex(), "echo": True, **fields}
    return ArchivedTerminal(name, "", protocol="dtu", registration=registration.hex(), **fields)


class Modem:
    """A modem on a real socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def dial(cls, front: Front) -> "Modem":
        modem = cls(*await asyncio.open_connection("127.0.0.1", front.server.port))
        front.others.append(modem.writer)
        return modem

    @classmethod
    async def online(cls, front: Front) -> "Modem":
        modem = await cls.dial(front)
        modem.writer.write(REGISTRATION)
        await modem.hear(REGISTRATION)
        return modem

    async def hear(self, data: bytes) -> None:
        """Wait for exactly these bytes."""
        assert await soon(self.reader.readexactly(len(data))) == data


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with running_front() as running:
        running.registry.set_terminals([modem()])
        yield running


def ask(front: Front, inquiry: Inquiry, timeout_s: float = 5.0) -> asyncio.Future:
    bus = front.registry.bus(meter_on(MODEM))
    return asyncio.ensure_future(bus.exchange(inquiry, priority=Priority.TASK, timeout_s=timeout_s))


@pytest.mark.parametrize("cut", range(len(REGISTRATION)))
async def test_a_registration_names_the_connection(front: Front, cut: int) -> None:
    connection = await Modem.dial(front)
    connection.writer.write(REGISTRATION[:cut])
    await connection.writer.drain()
    connection.writer.write(REGISTRATION[cut:] + HEARTBEAT)
    await connection.hear(REGISTRATION + HEARTBEAT)
    state = front.registry.state(MODEM)
    assert state is not None
    assert (state.state, state.protocol, state.known, state.logins) == ("online", "dtu", True, 1)
    notes = {record.note for record in front.trace.recent(MODEM) if record.direction == "in"}
    assert notes == {"login", "heartbeat"}


async def test_what_is_not_to_be_echoed_is_not(front: Front) -> None:
    front.registry.set_terminals([modem(echo=False)])
    connection = await Modem.dial(front)
    connection.writer.write(REGISTRATION)
    await front.ear.hear("links", address=MODEM, state="online")
    question = ask(front, Inquiry645(REQUEST))
    await connection.hear(PREAMBLE + REQUEST.to_bytes())
    connection.writer.write(REPLY.to_bytes())
    assert (await question).frame == REPLY


async def test_a_meter_behind_a_modem(front: Front) -> None:
    connection = await Modem.online(front)
    assert front.registry.bus(meter_on(MODEM)).name == MODEM
    question = ask(front, Inquiry645(REQUEST))
    await connection.hear(PREAMBLE + REQUEST.to_bytes())
    raw = PREAMBLE + REPLY.to_bytes()
    connection.writer.write(HEARTBEAT + raw[:9])
    await connection.hear(HEARTBEAT)
    connection.writer.write(raw[9:])
    found = await question
    assert found.frame == REPLY
    assert found.waited_s > 0
    record = front.trace.recent(MODEM, limit=1)[0]
    assert (record.meter, record.at, record.exchange) == (METER, found.at, found.exchange)
    with pytest.raises(InvalidValue):
        front.registry.terminal(MODEM)


async def test_a_698_meter_behind_a_modem_answers_in_pieces(front: Front) -> None:
    connection = await Modem.online(front)
    question = ask(front, Inquiry698(get_energy(OBJECT_METER)))
    await connection.hear(PREAMBLE + get_energy(OBJECT_METER).to_bytes())
    for piece in split(object_reply(OBJECT_METER), length_max=24):
        connection.writer.write(piece.to_bytes())
    assert (await question).frame == object_reply(OBJECT_METER)


async def test_what_nobody_asked_for(front: Front) -> None:
    connection = await Modem.online(front)
    active = answer(read(Version.V2007, METER, ACTIVE_REPORT), bytes(12))
    connection.writer.write(active.to_bytes() + report(OBJECT_METER).to_bytes())
    await connection.hear(PREAMBLE)  # Of the confirmation that the second one wants.
    handed_on = [(each.protocol, each.link, each.frame) for each in front.reports]
    assert handed_on == [("dlt645", MODEM, active), ("dlt698", MODEM, report(OBJECT_METER))]


async def test_late_repeated_and_foreign_answers_are_counted(front: Front) -> None:
    asked = PREAMBLE + REQUEST.to_bytes()
    foreign = answer(read(Version.V2007, "000000999999", 0x00010000), bytes(4)).to_bytes()
    connection = await Modem.online(front)
    with pytest.raises(MeterTimeout):
        await ask(front, Inquiry645(REQUEST), timeout_s=0.05)
    connection.writer.write(REPLY.to_bytes() + HEARTBEAT)
    await connection.hear(asked + HEARTBEAT)
    answered = ask(front, Inquiry645(REQUEST))
    await connection.hear(asked)
    connection.writer.write(REPLY.to_bytes() * 2 + HEARTBEAT)
    await connection.hear(HEARTBEAT)
    assert (await answered).frame == REPLY
    question = ask(front, Inquiry645(REQUEST), timeout_s=0.2)
    await connection.hear(asked)
    connection.writer.write(foreign)
    with pytest.raises(WrongAddress, match=r"in 0\.2 s on modem-1: meter 000000999999 answered"):
        await question
    state = front.registry.state(MODEM)
    assert state is not None
    counted = (state.timeouts, state.late, state.duplicate, state.wrong_address, state.bad)
    assert counted == (1, 1, 1, 1, 0)


async def test_wildcards_are_answered_with_whatever_address(front: Front) -> None:
    connection = await Modem.online(front)
    wild = read(Version.V2007, WILDCARD, 0x00010000)
    for address in (METER, WILDCARD):
        question = ask(front, Inquiry645(wild))
        await connection.hear(PREAMBLE + wild.to_bytes())
        connection.writer.write(answer(wild, bytes(4), address=address).to_bytes())
        assert (await question).frame.address == address
    anybody = get_energy("AAAAAAAAAAAA")
    object_question = ask(front, Inquiry698(anybody))
    await connection.hear(PREAMBLE + anybody.to_bytes())
    connection.writer.write(object_reply(OBJECT_METER).to_bytes())
    assert (await object_question).frame.server.text == OBJECT_METER


async def test_a_meter_that_answers_with_the_wildcard_is_not_the_one_asked(front: Front) -> None:
    connection = await Modem.online(front)
    question = ask(front, Inquiry645(REQUEST), timeout_s=0.2)
    await connection.hear(PREAMBLE + REQUEST.to_bytes())
    connection.writer.write(answer(REQUEST, bytes(4), address=WILDCARD).to_bytes())
    with pytest.raises(WrongAddress, match="meter AAAAAAAAAAAA answered"):
        await question
    state = front.registry.state(MODEM)
    assert state is not None
    assert (state.wrong_address, state.timeouts) == (1, 0)


async def test_noise_and_half_frames_on_the_line(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_line, "PARTIAL_FRAME_S", 0.05)
    connection = await Modem.online(front)
    question = ask(front, Inquiry645(REQUEST))
    await connection.hear(PREAMBLE + REQUEST.to_bytes())
    connection.writer.write(b"\x68\x00\x01" + REQUEST.to_bytes() + REPLY.to_bytes())
    assert (await question).frame == REPLY
    connection.writer.write(REPLY.to_bytes()[:-1])
    await front.ear.hear("frames", link=MODEM, note="noise, 19 bytes: L says 20 bytes, 19 are here")
    state = front.registry.state(MODEM)
    assert state is not None
    assert (state.state, state.bad) == ("online", 2)


async def test_questions_fail_when_the_modem_goes(front: Front) -> None:
    connection = await Modem.online(front)
    question = ask(front, Inquiry645(REQUEST), timeout_s=60)
    await connection.hear(PREAMBLE + REQUEST.to_bytes())
    connection.writer.close()
    with pytest.raises(LinkDown, match="modem modem-1: the terminal closed the connection"):
        await soon(question)


async def test_an_unknown_modem_is_seen_in_the_trace(front: Front) -> None:
    connection = await Modem.dial(front)
    connection.writer.write(b"REG:9999")
    await front.ear.hear("frames", hex=b"REG:9999".hex().upper())
    assert front.registry.states() == []


async def test_two_modems_and_a_terminal_on_one_port(front: Front) -> None:
    front.registry.set_terminals([modem(), modem("modem-2", b"REG:0002")])
    second = await Modem.dial(front)
    second.writer.write(b"REG:0002")
    await second.hear(b"REG:0002")
    await Modem.online(front)
    await front.online()
    assert {state.address for state in front.registry.states()} == {MODEM, "modem-2", TERMINAL}


def test_packets_of_the_archive() -> None:
    known = Registrations(
        [
            modem(),
            modem("twin"),
            modem("long", REGISTRATION + b"/A"),
            modem("none", b""),
            ArchivedTerminal(TERMINAL, ""),
        ]
    )
    found = known.find(REGISTRATION + b"\x68")
    assert found is not None
    assert (found.terminal.address, found.packet) == (MODEM, REGISTRATION)
    found = known.find(REGISTRATION + b"/A")
    assert found is not None
    assert found.terminal.address == "long"
    assert known.find(b"REG:0002") is None
    assert known.may_begin(b"REG")
    assert not known.may_begin(b"\x68")
    assert not Registrations().may_begin(b"")
