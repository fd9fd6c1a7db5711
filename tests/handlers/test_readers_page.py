"""The page of card readers: who is there, what lies in it, who wrote last, what keeps one away."""

import re
from collections.abc import Sequence

from smartcard import scard
from web_helpers import Office, text_of

from station.errors import NoReader
from station.handlers.language import load_languages
from station.handlers.selling.reader_sentences import READER_SENTENCES
from station.prepaid.readers.base import CardReader, Condition, FixedReaders, ReaderIdentity
from station.prepaid.readers.pcsc import problem_of
from station.units import utc_now

DESK = ReaderIdentity("ACS ACR38U", "ACS ACR38U 00 00", port="PC/SC 00 00")
GONE = ReaderIdentity("ACS ACR30S", "ACS ACR30S on /dev/ttyUSB7", port="/dev/ttyUSB7")


class SeenReader:
    """A reader that only says what it sees."""

    def __init__(self, identity: ReaderIdentity, condition: Condition | None) -> None:
        self.identity = identity
        self.condition = condition

    def sense(self) -> Condition:
        if self.condition is None:
            raise NoReader("no reader on /dev/ttyS9: the port is not there")
        return self.condition

    def connect(self) -> None:
        raise NoReader("the page never connects")

    def close(self) -> None:
        pass


class DeadService:
    """A source whose service does not run."""

    def find(self) -> Sequence[CardReader]:
        raise NoReader("the card reader service (pcscd) does not run on this computer: start it")

    def close(self) -> None:
        pass


async def test_readers_with_what_is_in_them_and_the_last_use(office: Office) -> None:
    parts = office.parts
    lent = SeenReader(ReaderIdentity("ACS ACR1281S", "lent", port="/dev/ttyS9"), None)
    parts.workplaces.add(FixedReaders(SeenReader(DESK, "card")))
    parts.workplaces.add(DeadService())
    parts.workplaces.add(FixedReaders(lent), workplace="desk 2")
    at = utc_now().replace(microsecond=0)
    await parts.readers_used.remember("box", DESK, at)
    await parts.readers_used.remember("box", GONE, at)
    visitor = await office.somebody("reader")
    status, found = await visitor.json("GET", "/api/readers")
    assert status == 200
    assert [(each["model"], each["state"]) for each in found["items"]] == [
        ("ACS ACR38U", "card"),
        ("ACS ACR30S", "away"),
        ("ACS ACR1281S", "failed"),
    ]
    assert found["total"] == 3
    assert found["items"][0]["last_used_at"].startswith(at.isoformat()[:19])
    assert found["items"][2]["reason"] == "no reader on /dev/ttyS9: the port is not there"
    assert "pcscd" in found["troubles"][0]
    _, only = await visitor.json("GET", "/api/readers?workplace=desk%202")
    assert [each["workplace"] for each in only["items"]] == ["desk 2"]
    page = text_of(await visitor.get("/readers"))
    assert "card inserted" in page
    assert "not attached" in page
    chinese = text_of(await (await office.somebody("reader", language="zh")).get("/readers"))
    assert "本机未运行读卡器服务" in chinese
    assert "/dev/ttyS9 上没有读卡器：端口不存在" in chinese


async def test_without_a_reader_the_page_says_what_to_do(office: Office) -> None:
    visitor = await office.somebody("reader")
    assert "Plug a reader into this box" in text_of(await visitor.get("/readers"))
    assert await visitor.json("GET", "/api/readers?workplace=nowhere") == (
        200,
        {"items": [], "total": 0, "troubles": []},
    )


def test_what_readers_say_is_said_in_chinese() -> None:
    chinese = load_languages()["zh"]
    for form in READER_SENTENCES:
        values = {name: f"X{name}" for name in re.findall(r"%\((\w+)\)s", form)}
        said = chinese.sentence(form % values)
        assert said == chinese.say(form, **values), "no wider form takes it"
        assert said != form % values
    for problem in (
        problem_of(scard.SCARD_E_NO_SMARTCARD, "ACS ACR38U 00 00"),
        problem_of(scard.SCARD_E_UNKNOWN_READER, "ACS ACR38U 00 00"),
        problem_of(scard.SCARD_E_SHARING_VIOLATION, "ACS ACR38U 00 00"),
        problem_of(scard.SCARD_E_NO_SERVICE, "ACS ACR38U 00 00"),
        problem_of(scard.SCARD_W_SECURITY_VIOLATION, "ACS ACR38U 00 00"),
    ):
        assert chinese.sentence(str(problem)) != str(problem)
