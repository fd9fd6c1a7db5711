"""Readers of a real pcscd: what is attached, what is in them, and what goes wrong how."""

import asyncio
import time
from collections.abc import Iterator

import pytest
from smartcard import scard
from virtual_pcscd import VirtualPcscd

from bench import new_card
from station.errors import CardFailed, NoCard, NoReader, ReaderFailed
from station.prepaid.cards.keys import simulated
from station.prepaid.readers.pcsc import PcscReader, PcscReaders, identity_of
from station.prepaid.readers.workplace import Workplace
from station.simulator.card_link import VirtualSlot

SELECT = bytes.fromhex("00A4000002DF01")
READ_PARAMETERS = bytes.fromhex("00B081002D")
NAME = "ACS ACR38U 00 00"


@pytest.fixture
def slot(pcscd: VirtualPcscd) -> Iterator[VirtualSlot]:
    """A slot that is empty and calm again afterwards."""
    yield pcscd.slots[NAME]
    pcscd.slots[NAME].calm()
    pcscd.pull(NAME)


def movements() -> int:
    """How often pcscd has seen a card move."""
    _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
    _, states = scard.SCardGetStatusChange(context, 0, [(NAME, scard.SCARD_STATE_UNAWARE)])
    scard.SCardReleaseContext(context)
    return int(states[0][1]) >> 16


def test_names_are_taken_apart() -> None:
    full = identity_of("ACS ACR39U [CCID Interface] (RR123-4) 01 00")
    assert (full.model, full.serial, full.port) == ("ACS ACR39U", "RR123-4", "PC/SC 01 00")
    assert identity_of("Odd name").model == "Odd name"
    assert identity_of(NAME).model == "ACS ACR38U"


def test_what_is_attached_and_what_is_in_it(pcscd: VirtualPcscd, slot: VirtualSlot) -> None:
    source = PcscReaders()
    readers = {reader.identity.name: reader for reader in source.find()}
    assert set(readers) == set(pcscd.slots)
    assert readers[NAME].sense() == "no_card"
    with pytest.raises(NoCard, match="no card lies in it"):
        readers[NAME].connect()
    card = new_card()
    pcscd.insert(NAME, card)
    assert readers[NAME].sense() == "card"
    channel = readers[NAME].connect()
    assert channel.atr == card.atr
    assert channel.transmit(SELECT).sw == 0x9000
    with pytest.raises(ReaderFailed, match="in use by another program"):
        PcscReader(NAME).connect()
    channel.disconnect()
    assert [*source.find()] == [*readers.values()], "a reader that stays is the same object"
    with pytest.raises(NoReader, match="not attached"):
        PcscReader("Gone 00 00").connect()
    with pytest.raises(NoReader, match="not attached"):
        PcscReader("Gone 00 00").sense()


@pytest.mark.parametrize("when", ["before_apdu", "after_apdu"])
def test_a_pulled_card_is_a_removed_card(pcscd: VirtualPcscd, slot: VirtualSlot, when: str) -> None:
    card = new_card()
    pcscd.insert(NAME, card)
    channel = PcscReader(NAME).connect()
    before = movements()
    setattr(slot, when, lambda *_: slot.pull())
    for _ in range(3):  # The code is another one each time: 0, 80100016, 80100069.
        with pytest.raises(CardFailed) as caught:
            channel.transmit(READ_PARAMETERS)
        assert caught.value.code == "removed"
    channel.disconnect()
    slot.calm()
    deadline = time.monotonic() + 5
    while movements() == before and time.monotonic() < deadline:
        time.sleep(0.02)  # No hand is faster than pcscd's look every 0.4 s.
    pcscd.insert(NAME, card)
    again = PcscReader(NAME).connect()
    assert again.transmit(READ_PARAMETERS).sw == 0x6A82, "the card was powered anew"
    again.disconnect()


def test_a_card_is_reset_when_it_is_let_go(pcscd: VirtualPcscd, slot: VirtualSlot) -> None:
    pcscd.insert(NAME, new_card())
    channel = PcscReader(NAME).connect()
    assert channel.transmit(SELECT).sw == 0x9000
    channel.disconnect()
    again = PcscReader(NAME).connect()
    assert again.transmit(READ_PARAMETERS).sw == 0x6A82, "nothing is selected any more"
    again.disconnect()


def test_without_the_service_and_after_its_restart(pcscd: VirtualPcscd, slot: VirtualSlot) -> None:
    source = PcscReaders()
    reader = source.find()[0]
    pcscd.insert(reader.identity.name, new_card())
    channel = reader.connect()
    pcscd.stop()
    with pytest.raises((ReaderFailed, CardFailed)):
        channel.transmit(SELECT)
    channel.disconnect()
    for ask in (source.find, reader.connect, reader.sense):
        with pytest.raises(NoReader, match="pcscd"):
            ask()
    pcscd.start()
    pcscd.insert(reader.identity.name, new_card())
    channel = reader.connect()
    assert channel.transmit(SELECT).sw == 0x9000
    channel.disconnect()
    pcscd.pull(reader.identity.name)


def test_a_service_that_lets_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    denied = (scard.SCARD_W_SECURITY_VIOLATION, 0)
    monkeypatch.setattr(scard, "SCardEstablishContext", lambda _: denied)
    with pytest.raises(NoReader, match="polkit"):
        PcscReaders().find()


async def test_the_loop_never_waits_for_a_reader(pcscd: VirtualPcscd, slot: VirtualSlot) -> None:
    pcscd.insert(NAME, new_card())
    slot.before_apdu = lambda *_: time.sleep(0.05)
    place = Workplace("box", simulated())
    place.add(PcscReaders())
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - before)

    watching = asyncio.ensure_future(watch())
    found = await place.read()
    watching.cancel()
    assert found.contents.state == "blank"
    assert longest < 0.045, "an APDU of 50 ms would have been seen"
    await place.stop()
