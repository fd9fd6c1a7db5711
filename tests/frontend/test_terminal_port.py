"""A terminal of Q/GDW 1376.1 that is asked itself, its reports, and its ports side by side."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from frontend_peers import (
    REPLY,
    REQUEST,
    TERMINAL,
    Front,
    Terminal,
    meter_on,
    running_front,
    soon,
)

from station.errors import BadAnswer, InvalidValue, LinkDown, MeterTimeout, Refused
from station.frontend.inquiries import Inquiry645
from station.frontend.link import Priority, TerminalAnswer
from station.protocols.qgdw1376.confirmation import confirm, deny
from station.protocols.qgdw1376.forward import forward_answer, forwarded_port
from station.protocols.qgdw1376.frame import CONFIRM, FIRST, LAST, Frame
from station.protocols.qgdw1376.units import DataUnit, join
from station.store.objects.terminals import Terminal as ArchivedTerminal

CLASS_1, SET_PARAMETERS = 0x0C, 0x04
READ = [DataUnit(1, 129)]
WRITE = [DataUnit(0, 1, bytes(6))]

Asked = asyncio.Future[TerminalAnswer]


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with running_front() as running:
        yield running


async def asked(
    front: Front, afn: int = CLASS_1, timeout_s: float = 5.0, password: bytes | None = None
) -> tuple[Terminal, Asked, Frame]:
    """A question that has just reached the terminal."""
    terminal = await front.online()
    port = front.registry.terminal(TERMINAL)
    assert (port.name, port.protocol) == (TERMINAL, "qgdw1376")
    units = WRITE if afn == SET_PARAMETERS else READ
    question = asyncio.ensure_future(
        port.ask(afn, units, priority=Priority.TASK, timeout_s=timeout_s, password=password)
    )
    request = await terminal.receive()
    assert (request.afn, request.data) == (afn, join(units))
    return terminal, question, request


def part(request: Frame, index: int, count: int, confirm: bool = False) -> Frame:
    """One frame of an answer of several."""
    seq = (FIRST if index == 0 else 0) | (LAST if index == count - 1 else 0)
    seq |= (request.sequence + index) & 0x0F | (CONFIRM if confirm else 0)
    return Frame(0x88, request.address, request.afn, seq, request.data[:4] + bytes((index,)))


async def test_an_answer_of_several_frames(front: Front) -> None:
    terminal, question, request = await asked(front)
    parts = [part(request, index, 20) for index in range(20)]
    for each in parts[:7]:
        await terminal.send(each)
    await terminal.send(parts[6])
    await terminal.send(b"".join(each.to_bytes() for each in parts[7:]))
    answer = await question
    assert answer.frames == tuple(parts)
    records = [each for each in front.trace.recent(limit=22) if each.exchange == answer.exchange]
    assert [each.direction for each in reversed(records)] == ["out"] + ["in"] * 20
    assert records[-2].at == answer.at
    state = front.registry.state(TERMINAL)
    assert state is not None
    assert (state.duplicate, state.late) == (1, 0)


async def test_frames_that_want_it_are_confirmed(front: Front) -> None:
    terminal, question, request = await asked(front)
    await terminal.send(part(request, 0, 1, confirm=True))
    assert (await terminal.receive()) == confirm(part(request, 0, 1, confirm=True))
    await question


async def test_an_answer_that_breaks_off(front: Front) -> None:
    terminal, question, request = await asked(front, timeout_s=0.2)
    await terminal.send(part(request, 0, 3))
    await terminal.send(part(request, 2, 3))
    with pytest.raises(BadAnswer, match="no answer to AFN0C p1 F129: it broke off after 1 frames"):
        await question


async def test_a_write_is_answered_by_its_confirmation(front: Front) -> None:
    terminal, question, request = await asked(front, SET_PARAMETERS, password=b"p" * 16)
    assert request.password == b"p" * 16
    await terminal.send(confirm(request))
    assert [frame.afn for frame in (await question).frames] == [0]


async def test_a_read_waits_for_the_data_behind_a_confirmation(front: Front) -> None:
    terminal, question, request = await asked(front)
    await terminal.send(confirm(request))
    await terminal.send(part(request, 0, 1))
    assert (await question).frames == (part(request, 0, 1),)


@pytest.mark.parametrize("afn", [CLASS_1, SET_PARAMETERS])
async def test_denials_and_silence(front: Front, afn: int) -> None:
    terminal, question, request = await asked(front, afn)
    await terminal.send(deny(request))
    with pytest.raises(Refused, match=r"terminal 02001234: no answer to AFN0\w p. F\d+: it denied"):
        await question
    port = front.registry.terminal(TERMINAL)
    with pytest.raises(MeterTimeout, match=r"in 0\.1 s"):
        await port.ask(afn, READ, priority=Priority.TASK, timeout_s=0.1)
    with pytest.raises(InvalidValue):
        await port.exchange(Inquiry645(REQUEST), priority=Priority.TASK, timeout_s=0.1)
    terminal.hang_up()
    await front.ear.hear("links", state="offline")
    with pytest.raises(LinkDown):
        front.registry.terminal(TERMINAL)


async def test_questions_to_the_terminal_and_its_meters_take_turns(front: Front) -> None:
    terminal, question, request = await asked(front)
    bus = front.registry.bus(meter_on(TERMINAL))
    meter = asyncio.ensure_future(
        bus.exchange(Inquiry645(REQUEST), priority=Priority.CONTROL, timeout_s=5.0)
    )
    await terminal.send(part(request, 0, 1))
    await question
    outer, _ = await terminal.meter_request()
    await terminal.send(forward_answer(outer, REPLY.to_bytes()))
    assert (await meter).frame == REPLY


async def test_one_question_per_port_where_the_terminal_allows_it(front: Front) -> None:
    front.registry.set_terminals([ArchivedTerminal(TERMINAL, "", parallel_ports=True)])
    terminal = await front.online()
    buses = [front.registry.bus(meter_on(TERMINAL, port=port)) for port in (2, 3, 31)]
    assert [bus.name for bus in buses] == [f"{TERMINAL}:{port}" for port in (2, 3, 31)]
    questions = [
        asyncio.ensure_future(
            bus.exchange(Inquiry645(REQUEST), priority=Priority.TASK, timeout_s=5.0)
        )
        for bus in (*buses, buses[0])
    ]
    outers = [(await terminal.meter_request())[0] for _ in buses]
    assert len({outer.sequence for outer in outers}) == 3
    for outer in reversed(outers):
        await terminal.send(forward_answer(outer, REPLY.to_bytes()))
    outer, _ = await terminal.meter_request()
    assert forwarded_port(outer) == 2
    await terminal.send(forward_answer(outer, REPLY.to_bytes()))
    assert {(await soon(question)).frame for question in questions} == {REPLY}


async def test_reports_are_handed_on_as_they_come(front: Front) -> None:
    terminal = await front.online()
    plain, to_confirm = terminal.report(sequence=4), terminal.report(sequence=5, confirm=True)
    await terminal.send(plain)
    await terminal.send(to_confirm)
    assert (await terminal.receive()).sequence == 5
    assert [(each.protocol, each.frame) for each in front.reports] == [
        ("qgdw1376", plain),
        ("qgdw1376", to_confirm),
    ]
    assert len({each.exchange for each in front.reports}) == 2


async def test_a_report_that_nobody_can_take_leaves_the_link_alone(front: Front) -> None:
    def fail(_report: object) -> None:
        raise RuntimeError("no")

    front.server.on_report = fail
    terminal = await front.online()
    await terminal.send(terminal.report(confirm=True))
    assert (await terminal.receive()).afn == 0
    assert (await terminal.heartbeat()).afn == 0


async def test_another_terminals_answers_are_counted(front: Front) -> None:
    terminal, question, request = await asked(front)
    stranger = Frame(0x88, Terminal.address_of("02009999"), CLASS_1, request.seq, request.data)
    await terminal.send(stranger)
    await terminal.send(part(request, 0, 1))
    await question
    state = front.registry.state(TERMINAL)
    assert state is not None
    assert state.wrong_address == 1
