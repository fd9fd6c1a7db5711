"""Meters behind a terminal, asked over a real socket through AFN10."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from frontend_peers import (
    ENERGY,
    ENERGY_BYTES,
    METER,
    REPLY,
    REQUEST,
    TERMINAL,
    Front,
    Terminal,
    meter_on,
    running_front,
    soon,
)
from object_peers import OBJECT_METER, energy_reply, get_energy

from station.errors import (
    BadAnswer,
    BadChecksum,
    InvalidValue,
    LinkDown,
    MeterTimeout,
    Refused,
    WrongAddress,
)
from station.frontend.inquiries import Inquiry645, Inquiry698
from station.frontend.link import Answer, Bus, Priority
from station.protocols.dlt645.frame import PREAMBLE, Version
from station.protocols.dlt645.requests import ACTIVE_REPORT, answer, read, refuse
from station.protocols.dlt698.segments import acknowledgement, split
from station.protocols.line import LineSettings
from station.protocols.qgdw1376.confirmation import deny
from station.protocols.qgdw1376.forward import (
    forward_answer,
    forwarded_line,
    forwarded_port,
    inner_bytes,
)
from station.protocols.qgdw1376.frame import Frame
from station.store.database import Database

OTHER_METER = "000000999999"


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with running_front() as running:
        yield running


def ask(bus: Bus, timeout_s: float = 5.0, priority: Priority = Priority.RECALL) -> "Asked":
    return asyncio.ensure_future(
        bus.exchange(Inquiry645(REQUEST), priority=priority, timeout_s=timeout_s)
    )


Asked = asyncio.Future[Answer[Any]]


async def asked(front: Front, timeout_s: float = 5.0) -> tuple[Terminal, Asked, Frame]:
    """A question that has just reached the terminal."""
    terminal = await front.online()
    bus = front.registry.bus(meter_on(TERMINAL))
    question = ask(bus, timeout_s)
    outer, inner = await terminal.meter_request()
    assert inner == REQUEST
    return terminal, question, outer


async def bring(front: Front, inner: bytes, timeout_s: float = 5.0) -> Asked:
    """The question, to which the terminal has brought back these bytes of the line."""
    terminal, question, outer = await asked(front, timeout_s)
    await terminal.send(forward_answer(outer, inner))
    return question


async def test_a_meter_is_asked_through_its_terminal(front: Front) -> None:
    terminal = await front.online()
    bus = front.registry.bus(meter_on(TERMINAL, port=3, line="9600 8N1"))
    assert bus.name == TERMINAL
    question = ask(bus)
    outer, inner = await terminal.meter_request()
    assert inner == REQUEST
    assert (forwarded_port(outer), forwarded_line(outer)) == (3, LineSettings.parse("9600 8N1"))
    assert outer.address.master == 1
    assert outer.data[6] == 0x80 | 4, "the terminal is told to wait shorter than the station does"
    await terminal.send(forward_answer(outer, PREAMBLE + REPLY.to_bytes()))
    assert (await question).frame == REPLY


async def test_the_frames_of_an_exchange_are_found_by_the_moment_of_its_answer(
    database: Database,
) -> None:
    async with running_front(database.links, database.frames) as front:
        question = await bring(front, REPLY.to_bytes())
        found = await question
        recent = front.trace.recent(TERMINAL, limit=2)
        assert [(record.direction, record.meter) for record in recent] == [
            ("in", METER),
            ("out", METER),
        ]
        assert recent[0].at == found.at
        assert recent[0].exchange == recent[1].exchange is not None
    kept = await database.frames.exchange_of(METER, found.at)
    assert [record.direction for record in kept] == ["out", "in"]


@pytest.mark.parametrize(
    "inner",
    [
        REPLY.to_bytes(),
        b"\x00\x33" + PREAMBLE + REPLY.to_bytes() + b"\x68\xff",
        PREAMBLE + REQUEST.to_bytes() + PREAMBLE + REPLY.to_bytes(),
        b"\x68\x68\x68" + REPLY.to_bytes(),
    ],
    ids=["bare", "noise around it", "behind an echo", "false starts"],
)
async def test_the_answer_is_found_in_what_the_terminal_brings(front: Front, inner: bytes) -> None:
    assert (await (await bring(front, inner))).frame == REPLY


async def test_an_error_reply_of_the_meter_is_an_answer(front: Front) -> None:
    reply = refuse(REQUEST, 0x02)
    assert (await (await bring(front, reply.to_bytes()))).frame == reply


SILENCE = r"^meter 000000123456: no answer to 00010000 in \d\.\d s through terminal 02001234$"


async def test_a_denial_and_an_empty_answer_mean_a_silent_meter(front: Front) -> None:
    with pytest.raises(MeterTimeout, match=SILENCE):
        await (await bring(front, b""))
    with pytest.raises(MeterTimeout, match=SILENCE):
        await (await bring(front, REQUEST.to_bytes()))
    terminal, question, outer = await asked(front)
    await terminal.send(deny(outer))
    with pytest.raises(MeterTimeout, match=SILENCE):
        await question


async def test_a_silent_terminal(front: Front) -> None:
    _, question, _ = await asked(front, timeout_s=0.2)
    with pytest.raises(MeterTimeout) as failure:
        await question
    assert str(failure.value) == (
        "meter 000000123456: no answer to 00010000 in 0.2 s through terminal 02001234"
    )


async def test_a_terminal_that_refuses_for_a_reason(front: Front) -> None:
    terminal, question, outer = await asked(front)
    item = bytes.fromhex("00000400 10 00000100 01")
    await terminal.send(Frame(0x80, outer.address, 0x00, 0x60 | outer.sequence, item))
    with pytest.raises(Refused, match="terminal 02001234: it refused with error 1"):
        await question


async def test_an_acknowledgement_is_not_yet_the_answer(front: Front) -> None:
    terminal, question, outer = await asked(front)
    await terminal.send(
        Frame(0x80, outer.address, 0x00, 0x60 | outer.sequence, bytes.fromhex("00000100"))
    )
    await terminal.send(forward_answer(outer, REPLY.to_bytes()))
    assert (await question).frame == REPLY


BROKEN = REPLY.to_bytes()[:-2] + b"\x00\x16"


@pytest.mark.parametrize(
    ("inner", "error", "fault"),
    [
        (BROKEN, BadChecksum, "wrong checksum"),
        (REPLY.to_bytes()[:-3], BadAnswer, "L says 20 bytes, 17 are here"),
        (
            answer(read(Version.V2007, OTHER_METER, ENERGY)).to_bytes() + b"\x55",
            WrongAddress,
            f"meter {OTHER_METER} answer",
        ),
        (
            answer(read(Version.V2007, METER, 0x02010100)).to_bytes(),
            BadAnswer,
            "it answered 02010100",
        ),
    ],
)
async def test_what_is_no_answer_is_told_at_once(
    front: Front, inner: bytes, error: type[BadAnswer], fault: str
) -> None:
    question = await bring(front, inner)
    expected = f"meter {METER}: no answer to 00010000 through terminal {TERMINAL}: {fault}"
    with pytest.raises(error, match=expected) as failure:
        await soon(question)
    assert type(failure.value) is error


async def test_a_698_meter_answers_in_pieces(front: Front) -> None:
    terminal = await front.online()
    bus = front.registry.bus(meter_on(TERMINAL, OBJECT_METER, protocol="dlt698.45"))
    inquiry = Inquiry698(get_energy(OBJECT_METER))
    question = asyncio.ensure_future(bus.exchange(inquiry, priority=Priority.RECALL, timeout_s=5.0))
    sent = inquiry.raw
    for piece in split(energy_reply(OBJECT_METER), length_max=24):
        outer = await terminal.receive()
        assert inner_bytes(outer) == sent
        await terminal.send(forward_answer(outer, PREAMBLE + piece.to_bytes()))
        sent = PREAMBLE + acknowledgement(piece).to_bytes()
    found = await question
    assert found.frame == energy_reply(OBJECT_METER)
    assert {record.exchange for record in front.trace.recent(limit=4)} == {found.exchange}


async def test_an_active_report_in_place_of_the_answer(front: Front) -> None:
    report = answer(read(Version.V2007, METER, ACTIVE_REPORT), bytes(12))
    question = await bring(front, report.to_bytes())
    with pytest.raises(BadAnswer, match="it sent its active report status instead"):
        await question
    assert [(each.link, each.protocol, each.frame) for each in front.reports] == [
        (TERMINAL, "dlt645", report)
    ]


async def test_a_late_answer_finds_nobody(front: Front) -> None:
    terminal, question, first = await asked(front, timeout_s=0.1)
    with pytest.raises(MeterTimeout):
        await question
    again = ask(front.registry.bus(meter_on(TERMINAL)))
    second, _ = await terminal.meter_request()
    assert second.sequence != first.sequence
    late = answer(REQUEST, bytes.fromhex("99999999"))
    await terminal.send(forward_answer(first, late.to_bytes()))
    await terminal.send(forward_answer(second, REPLY.to_bytes()))
    assert (await again).frame == REPLY
    assert front.notes() == ["", "late", ""]


async def test_an_exchange_fails_at_once_when_its_connection_goes(front: Front) -> None:
    terminal, question, _ = await asked(front, timeout_s=60)
    waiting = ask(front.registry.bus(meter_on(TERMINAL)), timeout_s=60)
    terminal.hang_up()
    for each in (question, waiting):
        with pytest.raises(LinkDown, match="terminal 02001234: the terminal closed the connection"):
            await soon(each)


async def test_an_exchange_fails_at_once_when_its_connection_is_replaced(front: Front) -> None:
    _, question, _ = await asked(front, timeout_s=60)
    bus = front.registry.bus(meter_on(TERMINAL))
    newer = await front.online()
    for each in (question, ask(bus)):
        with pytest.raises(LinkDown, match=f"replaced by a newer connection from {newer.remote}"):
            await soon(each)
    again = ask(front.registry.bus(meter_on(TERMINAL)))
    outer, _ = await newer.meter_request()
    await newer.send(forward_answer(outer, REPLY.to_bytes()))
    assert (await again).frame == REPLY


async def test_a_bus_does_not_follow_its_connection_to_another_terminal(front: Front) -> None:
    terminal = await front.online()
    bus = front.registry.bus(meter_on(TERMINAL))
    terminal.address = Terminal.address_of("02005678")
    await terminal.login()
    with pytest.raises(LinkDown, match="terminal 02001234: terminal 02005678 took over"):
        await soon(ask(bus))


async def test_reports_and_heartbeats_pass_between_question_and_answer(front: Front) -> None:
    terminal, question, outer = await asked(front)
    await terminal.send(terminal.report(confirm=True))
    assert (await terminal.receive()).afn == 0
    assert (await terminal.heartbeat()).afn == 0
    await terminal.send(forward_answer(outer, REPLY.to_bytes()))
    assert (await question).frame == REPLY


async def test_one_question_at_a_time_by_priority_then_age(front: Front) -> None:
    terminal = await front.online()
    bus = front.registry.bus(meter_on(TERMINAL))
    names = ["under way", "gap", "task", "recall", "task 2", "given up", "control"]
    priorities = [5, 5, 3, 1, 3, 0, 0]
    questions = {}
    for place, (name, priority) in enumerate(zip(names, priorities, strict=True)):
        request = read(Version.V2007, f"{place:012}", ENERGY)
        exchange = bus.exchange(Inquiry645(request), priority=Priority(priority), timeout_s=5.0)
        questions[name] = asyncio.ensure_future(exchange)
        await asyncio.sleep(0)  # Each takes its place before the next one comes.
    questions.pop("given up").cancel()
    served = []
    for _ in questions:
        outer, inner = await terminal.meter_request()
        served.append(names[int(inner.address)])
        await terminal.send(forward_answer(outer, answer(inner, ENERGY_BYTES).to_bytes()))
    assert served == ["under way", "control", "recall", "task", "task 2", "gap"]
    await asyncio.gather(*questions.values())


async def test_a_cancelled_question_frees_the_bus(front: Front) -> None:
    terminal, question, _ = await asked(front, timeout_s=60)
    question.cancel()
    again = ask(front.registry.bus(meter_on(TERMINAL)))
    outer, _ = await terminal.meter_request()
    await terminal.send(forward_answer(outer, REPLY.to_bytes()))
    assert (await again).frame == REPLY


async def test_many_terminals_at_once(front: Front) -> None:
    addresses = [f"0200{number:04X}" for number in range(1, 21)]
    serving = []
    for address in addresses:
        terminal = await front.online(address)
        serving.append(asyncio.ensure_future(terminal.serve(lambda _: REPLY.to_bytes())))
    buses = [front.registry.bus(meter_on(address)) for address in addresses]
    answers = await soon(asyncio.gather(*(ask(bus) for bus in buses for _ in range(10))))
    assert {found.frame for found in answers} == {REPLY}
    moments = [record.at for record in front.trace.recent(addresses[0]) if record.meter == METER]
    assert moments == sorted(moments, reverse=True)
    for each in serving:
        each.cancel()


@pytest.mark.parametrize("fields", [{"line": "115200 8N1"}, {"line": "fast"}, {"port": 0}])
async def test_a_line_that_a_terminal_cannot_be_told_of(front: Front, fields: dict) -> None:
    await front.online()
    with pytest.raises(InvalidValue):
        front.registry.bus(meter_on(TERMINAL, **fields))
