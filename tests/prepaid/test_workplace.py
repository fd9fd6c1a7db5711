"""A workplace tries its readers in turn, and the right one writes and is remembered."""

import asyncio
import threading
import time
from datetime import datetime
from decimal import Decimal

import pytest

from bench import TEST_ROOT, MemoryReader, new_card
from station.errors import (
    CardFailed,
    Conflict,
    NoCard,
    NoReader,
    NotFound,
    ReaderFailed,
    WrongCard,
)
from station.prepaid.cards.dialog import CardContents, CardFiles
from station.prepaid.cards.layout import Parameters, PriceFile, Profile, Wallet
from station.prepaid.cards.security import Roots, Soft3Des
from station.prepaid.readers import workplace
from station.prepaid.readers.base import FixedReaders, ReaderIdentity
from station.prepaid.readers.worker import Worker
from station.prepaid.readers.workplace import BOX, UPDATE_BINARY, Workplace, Workplaces

SECURITY = Soft3Des(Roots.same(TEST_ROOT))
METER, CUSTOMER = "000000123456", "000000654321"
FILES = CardFiles(
    Profile.GW13,
    Parameters(METER, CUSTOMER, card_type=1, user_type=1, update_flag=0x8F, ct=1, pt=1),
    Wallet(10_000, 1),
    PriceFile((Decimal("0.5"),)),
    PriceFile((Decimal("0.6"),)),
)


class Memory:
    """Remembers one reader."""

    def __init__(self) -> None:
        self.reader: ReaderIdentity | None = None

    async def last_used(self, _workplace: str) -> ReaderIdentity | None:
        return self.reader

    async def remember(self, _workplace: str, reader: ReaderIdentity, _at: datetime) -> None:
        self.reader = reader


def only_blank(contents: CardContents) -> CardFiles | None:
    if contents.state != "blank":
        raise WrongCard("the card is not blank", code="not_blank")
    return FILES


def place_with(*readers: MemoryReader, memory: Memory | None = None) -> Workplace:
    place = Workplace(BOX, SECURITY, memory)
    place.add(FixedReaders(*readers))
    return place


async def test_write_goes_to_the_reader_with_the_right_card_and_it_is_remembered() -> None:
    used = new_card()
    first, second, third = (MemoryReader(name=name) for name in ("first", "second", "third"))
    first.insert(used)
    memory = Memory()
    place = place_with(first, second, third, memory=memory)
    await place.write(only_blank)
    third.insert(new_card())
    steps: list[str] = []
    done = await place.write(only_blank, steps.append)
    assert done.reader.name == "third"
    await asyncio.sleep(0)  # It is kept behind the write.
    assert memory.reader == third.identity
    assert steps[-1] == "write wallet"
    first.pull()
    third.insert(new_card())
    first.insert(new_card())
    assert (await place.write(only_blank)).reader.name == "third", "the last used is the first"
    first.insert(new_card())
    third.insert(new_card())
    told = await place.write(only_blank, remembered=first.identity)
    assert told.reader.name == "first"
    await place.stop()


async def test_what_comes_before_writing_is_over_before_the_first_byte() -> None:
    reader = MemoryReader(new_card())
    place = place_with(reader)
    seen: list[int] = []

    async def note(contents: CardContents) -> None:
        assert contents.state == "blank"
        seen.append(len(reader.apdus))
        await asyncio.sleep(0.05)
        seen.append(sum(apdu[1] == UPDATE_BINARY for apdu in reader.apdus))

    async def refuse(contents: CardContents) -> None:
        raise Conflict("somebody was faster")

    assert (await place.write(only_blank, before_writing=note)).written.contents.state == "in_use"
    assert seen[1] == 0, "nothing was written while it went on"
    assert len(reader.apdus) > seen[0]
    reader.insert(new_card())
    reader.apdus.clear()
    with pytest.raises(Conflict, match="faster"):
        await place.write(only_blank, before_writing=refuse)
    assert UPDATE_BINARY not in {apdu[1] for apdu in reader.apdus}
    await place.stop()


async def test_each_way_to_fail_has_its_own_error() -> None:
    empty = Workplace(BOX, SECURITY)
    with pytest.raises(NoReader, match="box"):
        await empty.read()
    reader, broken = MemoryReader(name="desk"), MemoryReader(name="broken")
    place = place_with(reader, broken)
    with pytest.raises(NoCard, match="any of the 2 readers"):
        await place.write(only_blank)

    def fail(number: int, apdu: bytes) -> None:
        raise ReaderFailed("broken: nonsense")

    broken.insert(new_card())
    broken.before_apdu = fail
    with pytest.raises(ReaderFailed, match="nonsense"):
        await place.write(only_blank)
    reader.insert(new_card(issued=False))
    with pytest.raises(WrongCard) as caught:
        await place.write(only_blank)
    assert caught.value.code == "not_blank"
    assert [state.state for state in await place.readers()] == ["card", "card"]
    reader.unplug()
    assert [state.state for state in await place.readers()] == ["failed", "card"]
    await place.stop()


async def test_no_other_card_is_written_after_one_was_begun() -> None:
    first, second = MemoryReader(name="first"), MemoryReader(name="second")
    first.insert(new_card())
    second.insert(new_card())

    def pull_at_the_wallet(number: int, apdu: bytes) -> None:
        if apdu[:3] == bytes([0x04, 0xD6, 0x82]):
            first.pull()

    first.before_apdu = pull_at_the_wallet
    place = place_with(first, second)
    with pytest.raises(CardFailed) as caught:
        await place.write(only_blank)
    assert caught.value.may_have_written
    assert second.apdus == []
    await place.stop()


async def test_a_write_that_hangs_is_given_up_and_nobody_knows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workplace, "CARD_TIMEOUT_S", 0.3)
    reader, other = MemoryReader(new_card(), name="slow"), MemoryReader(new_card(), name="other")
    goes_on = threading.Event()

    def hang_at_the_parameters(number: int, apdu: bytes) -> None:
        if apdu[:3] == bytes([0x04, 0xD6, 0x81]):
            goes_on.wait(10)

    reader.before_apdu = hang_at_the_parameters
    place = place_with(reader, other)
    with pytest.raises(CardFailed, match="slow gave no answer") as caught:
        await place.write(only_blank)
    assert caught.value.may_have_written
    goes_on.set()
    assert (await place.read()).contents.wallet == Wallet(0, 0), "it was forbidden to go on"
    assert reader.apdus[-1][:2] != bytes([0x04, 0xD6])
    assert other.apdus == []
    await place.stop()


async def test_read_prefers_a_user_card() -> None:
    first, second = MemoryReader(name="first"), MemoryReader(name="second")
    first.insert(new_card(issued=False))
    place = place_with(first, second)
    assert (await place.read()).contents.state == "unissued"
    second.insert(new_card())
    found = await place.read(remembered=first.identity)
    assert (found.reader.name, found.contents.state) == ("second", "blank")
    await place.stop()


async def test_a_job_that_hangs_is_given_up_and_says_no_further_word() -> None:
    worker = Worker("reader of the test")
    release, heard = threading.Event(), []

    def hang(given_up: threading.Event) -> None:
        release.wait(10)
        heard.append(given_up.is_set())

    with pytest.raises(ReaderFailed, match="gave no answer for 0"):
        await worker.run(hang, 0.05)
    with pytest.raises(ReaderFailed, match="was in use"):
        await worker.run(lambda _: heard.append("never"), 0.05)
    release.set()
    assert await worker.run(lambda _: "next", 5.0) == "next"
    assert heard == [True]
    await worker.stop(lambda: heard.append("closed"), 5.0)
    assert heard == [True, "closed"]


async def test_a_write_under_way_ends_before_the_station_stops() -> None:
    reader = MemoryReader(new_card(), name="slow")
    reader.before_apdu = lambda *_: time.sleep(0.01)
    place = place_with(reader)
    began = asyncio.Event()
    writing = asyncio.ensure_future(place.write(only_blank, lambda _: began.set()))
    await asyncio.wait_for(began.wait(), 5)
    await place.stop()
    assert (await writing).written.contents.wallet == FILES.wallet


async def test_without_keys_readers_are_shown_and_cards_left_alone() -> None:
    place = Workplace(BOX, None)
    place.add(FixedReaders(MemoryReader(new_card(), name="desk")))
    assert [state.state for state in await place.readers()] == ["card"]
    with pytest.raises(CardFailed) as caught:
        await place.read()
    assert caught.value.code == "no_keys"
    await place.stop()


async def test_workplaces_come_and_go() -> None:
    places = Workplaces(SECURITY)
    assert places.names() == [BOX]
    reader = MemoryReader(new_card(), name="lent")
    places.add(FixedReaders(reader), workplace="desk 2")
    assert (await places.get("desk 2").read()).reader.name == "lent"
    with pytest.raises(NoReader):
        await places.get(BOX).read()
    await places.remove("desk 2")
    with pytest.raises(NotFound):
        places.get("desk 2")
    await places.stop()


async def test_two_clerks_at_once_each_get_their_card() -> None:
    first, second = MemoryReader(name="first"), MemoryReader(name="second")
    first.insert(new_card())
    second.insert(new_card())
    place = place_with(first, second)
    written = await asyncio.gather(place.write(only_blank), place.write(only_blank))
    assert {each.reader.name for each in written} == {"first", "second"}
    await place.stop()
