"""Turn-taking where sockets are too slow to reach: what happens in one and the same moment."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from frontend_peers import ENERGY, METER, NOW, REPLY, REQUEST

from station.errors import ExchangeError, LinkDown, MeterTimeout, StationError
from station.frontend import turns
from station.frontend.inquiries import asked_text
from station.frontend.link import Answer, Priority, next_moment
from station.frontend.turns import Line
from station.protocols.dlt645.frame import Frame, Version
from station.protocols.dlt645.requests import read, read_address


@dataclass
class Asked:
    """A question that remembers whether it was sent."""

    timeout_s: float = 5.0
    exchange: int = 1
    sent: asyncio.Event = field(default_factory=asyncio.Event)

    def send(self) -> None:
        self.sent.set()

    def belongs(self, frame: Frame) -> bool:
        return frame.address == METER

    def answer_in(self, frame: Frame, at: datetime) -> Answer[Frame]:
        return Answer(frame, at, self.exchange, 0.1)

    def silence(self) -> StationError:
        return MeterTimeout("no answer")


def ask(line: Line[Frame], question: Asked) -> "asyncio.Task[Answer[Frame]]":
    return asyncio.ensure_future(line.ask(question, Priority.TASK))


async def test_the_turn_passes_on_when_its_next_owner_is_cancelled_in_that_moment() -> None:
    line: Line[Frame] = Line("line")
    first, second, third = Asked(), Asked(), Asked()
    waiting = [ask(line, second), ask(line, third)]  # They run when the first has its turn.
    asyncio.get_running_loop().call_later(0.01, line.hear, REPLY, NOW)
    await line.ask(first, Priority.TASK)
    assert second.sent.is_set()  # It went out in the moment of the answer.
    waiting[0].cancel()
    await third.sent.wait()
    line.hear(REPLY, NOW)
    assert (await waiting[1]).frame == REPLY


async def test_a_second_answer_and_one_after_the_end_find_nobody() -> None:
    line: Line[Frame] = Line("line")
    asking = ask(line, question := Asked())
    await question.sent.wait()
    line.hear(REPLY, NOW)
    line.hear(REPLY, NOW + timedelta(seconds=1))
    assert (await asking).at == NOW
    assert line.find_question(REPLY) is None
    line.hear(REPLY, NOW)


async def test_a_line_that_is_down_answers_at_once() -> None:
    line: Line[Frame] = Line("line")
    asking, waiting = ask(line, Asked()), ask(line, Asked())
    await asyncio.sleep(0)
    line.go_down("unplugged")
    for each in (asking, waiting, ask(line, Asked())):
        with pytest.raises(LinkDown, match=r"^line: unplugged$"):
            await each


async def test_too_many_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "WAITING_MAX", 2)
    line: Line[Frame] = Line("line")
    asking = [ask(line, Asked()) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(ExchangeError, match="line: 2 questions wait already"):
        await ask(line, Asked())
    for each in asking:
        each.cancel()


@pytest.mark.parametrize(
    ("request_frame", "text"),
    [
        (REQUEST, "00010000"),
        (read(Version.V1997, METER, 0x9010), "9010"),
        (read(Version.V2007, METER, ENERGY, b"\x01"), "00010000"),
        (read_address(), "function 13H"),
    ],
)
def test_messages_name_what_was_asked(request_frame: Frame, text: str) -> None:
    assert asked_text(request_frame) == text


def test_moments_of_one_link_are_never_twice_the_same() -> None:
    tick = timedelta(milliseconds=1)
    assert next_moment(NOW, None) == NOW
    assert next_moment(NOW, NOW - tick) == NOW
    assert next_moment(NOW, NOW) == NOW + tick
    assert next_moment(NOW, NOW + 5 * tick) == NOW + 6 * tick
    assert next_moment(NOW, NOW + timedelta(hours=1)) == NOW, "the clock was set back"
