"""A computer that lends its readers: paired once, written through, cut off, and never trusted."""

import asyncio
import contextlib
import os
import signal
import stat
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect
from virtual_pcscd import VirtualPcscd
from web_helpers import Office, Visitor, open_office, words_of

from bench import TEST_ROOT, MemoryReader, new_card
from station import tasks
from station.errors import (
    CardFailed,
    Conflict,
    InvalidValue,
    NoCard,
    NoReader,
    NotFound,
    ReaderFailed,
    StartError,
)
from station.prepaid.cards.dialog import CardFiles
from station.prepaid.cards.layout import Parameters, PriceFile, Profile, Wallet
from station.prepaid.cards.security import diversified
from station.prepaid.readers import agent as station_end
from station.prepaid.readers import agent_client
from station.prepaid.readers.agent import Agents
from station.prepaid.readers.agent_client import (
    ReaderAgent,
    Unpaired,
    pair,
    recall,
    remember,
    station_address,
)
from station.prepaid.readers.agent_wire import BadMessage, Paired, answer_or_lent
from station.prepaid.readers.base import CardReader, FixedReaders
from station.prepaid.readers.workplace import Workplace
from station.store.database import Database

DESK = "counter-2"
FILES = CardFiles(
    Profile.GW13,
    Parameters("000000123456", "000000654321", 1, 1, 0x8F),
    Wallet(10_000, 1),
    PriceFile((Decimal("0.5"),)),
    PriceFile((Decimal("0.6"),)),
)
WALLET_WRITE = bytes.fromhex("04D682")
SOON_S = 8.0


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_client, "PAUSES_S", (0.02,))
    monkeypatch.setattr(agent_client, "LOOK_EVERY_S", 0.02)


@pytest.fixture
async def office(database: Database) -> AsyncIterator[Office]:
    """A station's pages on real parts."""
    async with open_office(database) as opened:
        yield opened


@pytest.fixture
async def clerk(office: Office) -> Visitor:
    """A clerk who is logged in."""
    return await office.somebody("clerk")


class Sockets:
    """A source of readers that are plugged in and out."""

    def __init__(self, *readers: CardReader) -> None:
        self.readers: list[CardReader] = [*readers]

    def find(self) -> Sequence[CardReader]:
        return [*self.readers]

    def close(self) -> None:
        """Nothing is held."""


async def soon(done: Callable[[], bool], what: str) -> None:
    """Wait, within a bound, until something is so."""
    deadline = time.monotonic() + SOON_S
    while not done():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.005)


async def paired(office: Office) -> Paired:
    """Pair a desk the short way."""
    offer = office.parts.agents.offer(DESK, "clerk0")
    return await pair(office.url, offer.code)


@contextlib.asynccontextmanager
async def lending(office: Office, *readers: CardReader) -> AsyncIterator[Workplace]:
    """Have an agent lend these readers, and give the workplace that has them."""
    agent = ReaderAgent(office.url, (await paired(office)).token, [FixedReaders(*readers)])
    running = tasks.spawn(agent.run(), name="agent")
    try:
        await lent(office, len(readers))
        yield office.parts.workplaces.get(DESK)
    finally:
        await tasks.cancel(running)


async def lent(office: Office, count: int) -> None:
    """Wait until the station knows so many readers of the desk."""
    readers = office.parts.agents._lent[DESK]
    await soon(lambda: len(readers.find()) == count, f"{count} readers are lent")


# --- pairing --------------------------------------------------------------------------------------


async def test_a_clerk_pairs_a_computer_with_the_code_of_the_page(
    office: Office, clerk: Visitor
) -> None:
    assert "No computer lends its readers" in words_of(await clerk.get("/agents"))
    page = words_of(await clerk.post("/agents", workplace=DESK))
    command = f"station reader-agent --station {office.url} --code "
    assert command in page
    code = page.split(command)[1].split()[0]
    answer = await pair(office.url, code)
    assert answer.workplace == DESK
    assert DESK in office.parts.workplaces.names()
    status, listed = await clerk.json("GET", "/api/agents")
    assert (status, listed["total"]) == (200, 1)
    assert listed["items"][0]["is_connected"] is False
    assert answer.token not in str(await office.database.reader_agents.all())
    with pytest.raises(StartError, match="this code is not known, or no longer good"):
        await pair(office.url, code)


async def test_codes_that_are_wrong_or_old_are_refused(office: Office, clerk: Visitor) -> None:
    for code in ("", "ABCD-EFGH", "x" * 40):
        with pytest.raises(StartError, match="does not take the code"):
            await pair(office.url, code)
    status, offer = await clerk.json("POST", "/api/agents", {"workplace": DESK})
    assert status == 201
    office.parts.agents._expected = {
        code: station_end._Expected(each.workplace, each.by, time.monotonic())
        for code, each in office.parts.agents._expected.items()
    }
    with pytest.raises(StartError, match="no longer good"):
        await pair(office.url, offer["code"])
    with pytest.raises(StartError, match="cannot be asked"):
        await pair("http://127.0.0.1:1", "ABCD-EFGH")


async def test_names_and_limits_of_workplaces(office: Office, clerk: Visitor) -> None:
    agents: Agents = office.parts.agents
    for name in ("", "-", "a/b", "x" * 33):
        with pytest.raises(InvalidValue):
            agents.offer(name, "clerk0")
    with pytest.raises(Conflict, match="readers of its own"):
        agents.offer("box", "clerk0")
    page = await clerk.post("/agents", workplace="a/b")
    assert page.code == 400
    assert "name has 1 to 32 letters" in words_of(page)
    for number in range(station_end.CODES_MAX):
        agents.offer(f"窗口 {number}", "clerk0")
    with pytest.raises(Conflict, match="use them first"):
        agents.offer(DESK, "clerk0")


async def test_who_may_pair(office: Office) -> None:
    technician = await office.somebody("technician")
    assert (await technician.json("POST", "/api/agents", {"workplace": DESK}))[0] == 403
    assert (await technician.json("DELETE", f"/api/agents/{DESK}"))[0] == 403
    assert (await technician.json("GET", "/api/agents"))[0] == 200


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
async def test_a_stranger_gets_no_connection(office: Office, headers: dict[str, str]) -> None:
    url = office.url.replace("http", "ws") + "/agents/link"
    with pytest.raises(HTTPClientError) as refusal:
        await websocket_connect(HTTPRequest(url, headers=headers))
    assert refusal.value.code == 401


async def test_a_forgotten_agent_ends_and_its_workplace_with_it(
    office: Office, clerk: Visitor
) -> None:
    agent = ReaderAgent(office.url, (await paired(office)).token, [FixedReaders(MemoryReader())])
    running = asyncio.ensure_future(agent.run())
    await lent(office, 1)
    assert (await clerk.json("DELETE", f"/api/agents/{DESK}"))[0] == 200
    with pytest.raises(Unpaired):
        await asyncio.wait_for(running, SOON_S)
    with pytest.raises(NotFound):
        office.parts.workplaces.get(DESK)
    assert (await clerk.json("DELETE", f"/api/agents/{DESK}"))[0] == 404


async def test_workplaces_that_were_paired_are_known_after_a_start(office: Office) -> None:
    await paired(office)
    again = station_end.Workplaces(None)
    agents = Agents(office.database.reader_agents, again)
    await agents.start()
    assert again.names() == ["box", DESK]
    with pytest.raises(NoReader):
        await again.get(DESK).read()
    await again.stop()


# --- lending --------------------------------------------------------------------------------------


async def test_a_card_is_written_through_the_agent_and_no_key_goes_there(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    hear, parsed = station_end.AgentLink.hear, agent_client.parsed
    monkeypatch.setattr(
        station_end.AgentLink, "hear", lambda link, text: (said.append(text), hear(link, text))[1]
    )
    monkeypatch.setattr(
        agent_client, "parsed", lambda shape, text: (said.append(text), parsed(shape, text))[1]
    )
    card = new_card()
    steps: list[str] = []
    async with lending(office, MemoryReader(card, "Lent reader")) as place:
        states = await place.readers()
        assert [(each.identity.name, each.state) for each in states] == [("Lent reader", "card")]
        written = await place.write(lambda _: FILES, steps.append)
        assert written.reader.name == "Lent reader"
        assert written.written.contents.wallet == FILES.wallet
        assert (await place.read()).contents == written.written.contents
    assert card.files[2] == FILES.wallet.to_bytes()
    assert "write wallet" in steps
    traffic = "".join(map(str, said)).upper()
    assert "04D682000C" in traffic
    key = diversified(TEST_ROOT, card.serial)
    for secret in (TEST_ROOT, key, key[:8], key[8:]):
        assert secret.hex().upper() not in traffic


async def test_what_is_wrong_at_the_agent_is_told_as_it_is(office: Office) -> None:
    reader = MemoryReader()
    async with lending(office, reader) as place:
        with pytest.raises(NoCard):
            await place.read()
        reader.unplug()
        with pytest.raises(NoReader, match="not attached"):
            await place.read()
        reader.plug_in()
        reader.insert(new_card(issued=False))
        assert (await place.read()).contents.state == "unissued"


async def test_a_card_that_is_pulled_at_the_agent(office: Office) -> None:
    card = new_card()
    reader = MemoryReader(card)

    def pull(_: int, command: bytes) -> None:
        if command[:3] == WALLET_WRITE:
            reader.pull()

    async with lending(office, reader) as place:
        reader.before_apdu = pull
        with pytest.raises(CardFailed) as failure:
            await place.write(lambda _: FILES)
        assert failure.value.may_have_written
        reader.calm()
        reader.insert(card)
        assert (await place.write(lambda _: FILES)).written.contents.wallet == FILES.wallet


async def test_readers_that_are_plugged_in_and_out_are_told(office: Office) -> None:
    first, second = MemoryReader(name="First"), MemoryReader(name="Second")
    sockets = Sockets(first)
    agent = ReaderAgent(office.url, (await paired(office)).token, [sockets])
    running = tasks.spawn(agent.run(), name="agent")
    await lent(office, 1)
    kept = office.parts.agents._lent[DESK].find()[0]
    sockets.readers.append(second)
    await lent(office, 2)
    assert office.parts.agents._lent[DESK].find()[0] is kept
    sockets.readers.remove(first)
    await lent(office, 1)
    assert office.parts.agents._lent[DESK].find()[0].identity.name == "Second"
    with pytest.raises(NoReader, match="not attached any more"):
        await asyncio.get_running_loop().run_in_executor(None, kept.connect)
    await tasks.cancel(running)


# --- cut off --------------------------------------------------------------------------------------


@pytest.mark.parametrize("obeyed", [False, True], ids=["before", "after"])
async def test_an_agent_that_dies_during_the_wallet_write(office: Office, obeyed: bool) -> None:
    card = new_card()
    reader = MemoryReader(card)
    token = (await paired(office)).token
    agent = ReaderAgent(office.url, token, [FixedReaders(reader)])
    running = tasks.spawn(agent.run(), name="agent")
    await lent(office, 1)
    loop = asyncio.get_running_loop()

    def die(_: int, command: bytes) -> None:
        if command[:3] == WALLET_WRITE:
            loop.call_soon_threadsafe(running.cancel)
            if not obeyed:
                raise CardFailed("the computer was switched off")

    reader.before_apdu, reader.after_apdu = (reader.after_apdu, die) if obeyed else (
        die, reader.after_apdu
    )  # fmt: skip
    place = office.parts.workplaces.get(DESK)
    with pytest.raises(CardFailed) as failure:
        await place.write(lambda _: FILES)
    assert failure.value.may_have_written
    assert any(card.files[2]) is obeyed
    await lent(office, 0)
    with pytest.raises(NoReader):
        await place.read()
    reader.calm()
    again = tasks.spawn(
        ReaderAgent(office.url, token, [FixedReaders(reader)]).run(), name="agent again"
    )
    await lent(office, 1)
    wallet = (await place.read()).contents.wallet
    assert wallet is not None
    assert (wallet == FILES.wallet) is obeyed
    await tasks.cancel(again)


async def test_an_agent_comes_back_and_the_newer_connection_counts(office: Office) -> None:
    async with lending(office, MemoryReader(new_card())) as place:
        agents: Agents = office.parts.agents
        first = agents._lent[DESK].link
        assert first is not None
        first.close()
        await soon(lambda: agents._lent[DESK].link not in (None, first), "it came back")
        await lent(office, 1)
        assert (await place.read()).contents.state == "blank"
        with pytest.raises(ReaderFailed, match="not connected") as refusal:
            await asyncio.get_running_loop().run_in_executor(None, first.ask, 1, "connect")
        assert refusal.value.code == "agent_gone"


async def test_an_agent_that_stays_silent_is_given_up(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(station_end, "ANSWER_TIMEOUT_S", 0.1)
    connection = await connect_raw(office)
    await connection.write_message('{"readers": [{"key": 1, "model": "m", "name": "n"}]}')
    await lent(office, 1)
    with pytest.raises(ReaderFailed, match="gave no answer") as failure:
        await office.parts.workplaces.get(DESK).read()
    assert failure.value.code == "agent_silent"
    connection.close()


async def connect_raw(office: Office) -> agent_client.WebSocketClientConnection:
    """Connect as an agent that says what the test says."""
    headers = {"Authorization": f"Bearer {(await paired(office)).token}"}
    url = office.url.replace("http", "ws") + "/agents/link"
    connection = await websocket_connect(HTTPRequest(url, headers=headers))
    await soon(lambda: office.parts.agents.is_connected(DESK), "it is connected")
    return connection


@pytest.mark.parametrize(
    "garbage",
    [
        "", "[]", "{}", '{"id": 1, "sw": 65536}', '{"id": 1, "data": "ABC"}', "\ud83d\ude00",
        '{"readers": [' + ", ".join(['{"key":1,"model":"m","name":"n"}'] * 17) + "]}",
        b"\xff\xfe", '{"readers": [{"key": "' + "x" * 20_000 + '"}]}',
    ],
)  # fmt: skip
async def test_an_agent_that_talks_garbage_is_cut_off(office: Office, garbage: str | bytes) -> None:
    connection = await connect_raw(office)
    await connection.write_message(
        garbage if isinstance(garbage, bytes) else garbage.encode("utf-8", "surrogatepass"),
        binary=True,
    )
    assert await asyncio.wait_for(connection.read_message(), SOON_S) is None
    await soon(lambda: not office.parts.agents.is_connected(DESK), "it is forgotten")


@given(st.one_of(st.text(max_size=300), st.binary(max_size=300)))
def test_garbage_raises_nothing_but_the_named_error(text: str | bytes) -> None:
    with contextlib.suppress(BadMessage):
        answer_or_lent(text)


# --- what the agent keeps, and its command --------------------------------------------------------


def test_the_token_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "agent.json"
    with pytest.raises(StartError, match="never paired"):
        recall(path, "http://one")
    remember(path, "http://one", Paired(workplace="a", token="first"))
    remember(path, "http://two", Paired(workplace="b", token="second"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert recall(path, "http://one").token == "first"
    assert recall(path, "http://two").workplace == "b"
    path.write_text("{")
    with pytest.raises(StartError, match="cannot be read"):
        recall(path, "http://one")


def test_addresses_of_stations() -> None:
    assert station_address("box:8080/") == "http://box:8080"
    assert station_address("https://box/station/") == "https://box/station"
    for typed in ("ftp://box", "http://", ""):
        with pytest.raises(StartError):
            station_address(typed)


async def test_the_command_lends_readers_of_pcsc_and_comes_back_without_a_code(
    office: Office, pcscd: VirtualPcscd, tmp_path: Path
) -> None:
    name = "ACS ACR39U ICC Reader 00 00"
    card = new_card()
    pcscd.insert(name, card)
    offer = office.parts.agents.offer(DESK, "clerk0")
    command = (
        sys.executable, "-m", "station", "reader-agent", "--station", office.url,
        "--state", str(tmp_path / "agent.json"),
    )  # fmt: skip
    for more in (("--code", offer.code), ()):
        process = await asyncio.create_subprocess_exec(*command, *more, env={**os.environ})
        try:
            await soon(lambda: DESK in office.parts.agents._lent, "it is paired")
            await lent(office, len(pcscd.slots))
            place = office.parts.workplaces.get(DESK)
            written = await place.write(
                lambda contents: None if contents.state == "in_use" else FILES
            )
            assert written.reader.name == name
            assert written.written.already is (more == ())
        finally:
            process.send_signal(signal.SIGTERM)
            status = await asyncio.wait_for(process.wait(), SOON_S)
        assert status == 0
        await lent(office, 0)
    assert card.files[2] == FILES.wallet.to_bytes()
    pcscd.pull(name)


async def test_the_command_says_what_is_wrong(office: Office, tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "station", "reader-agent", "--station", office.url,
        "--state", str(tmp_path / "agent.json"), "--code", "ABCD-EFGH",
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await asyncio.wait_for(process.communicate(), SOON_S)
    assert process.returncode == 1
    assert "this code is not known" in said.decode()
    assert "Traceback" not in said.decode()
