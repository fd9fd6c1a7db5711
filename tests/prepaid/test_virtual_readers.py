"""Virtual cards in a real pcscd: they are what cards in real readers are to pyscard."""

import statistics
import threading
import time

import pytest
from smartcard.CardConnection import CardConnection
from smartcard.Exceptions import CardConnectionException, NoCardException
from smartcard.System import readers
from virtual_pcscd import VirtualPcscd, listed

from bench import TEST_ROOT, new_card
from station.simulator.card import VirtualCard
from station.simulator.prepaid_meter import VirtualMeter

SELECT = bytes.fromhex("00A4000002DF01")
READ_PARAMETERS = bytes.fromhex("00B081002D")
PULL_TIMEOUT_S = 5.0
NAME = "Generic CCID Reader 00 01"


def connect(name: str) -> CardConnection:
    connection = next(each for each in readers() if each.name == name).createConnection()
    connection.connect()
    return connection


def ask(connection: CardConnection, apdu: bytes) -> tuple[bytes, int]:
    data, sw1, sw2 = connection.transmit(list(apdu))
    return bytes(data), sw1 << 8 | sw2


def test_every_slot_is_listed_and_empty(pcscd: VirtualPcscd) -> None:
    assert set(listed()) == set(pcscd.slots)
    assert len(pcscd.slots) == 6
    reader = next(each for each in readers() if each.name == "ACS ACR38U 00 00")
    with pytest.raises(NoCardException):
        reader.createConnection().connect()


def test_three_readers_hold_three_cards_at_once(pcscd: VirtualPcscd) -> None:
    names = [name for name in pcscd.slots if name.endswith("00 00")]
    cards = [new_card() for _ in names]
    for name, card in zip(names, cards, strict=True):
        pcscd.insert(name, card)
    for name, card in zip(names, cards, strict=True):
        connection = connect(name)
        assert bytes(connection.getATR()) == card.atr
        assert ask(connection, bytes.fromhex("00A40000023F00")) == (b"", 0x9000)
        assert ask(connection, bytes.fromhex("00B0990108")) == (card.serial, 0x9000)
        connection.disconnect()
        pcscd.pull(name)


def test_an_apdu_takes_no_forty_milliseconds(pcscd: VirtualPcscd) -> None:
    pcscd.insert(NAME, new_card())
    connection = connect(NAME)
    assert ask(connection, SELECT)[1] == 0x9000
    spans = []
    for _ in range(50):
        began = time.perf_counter()
        assert ask(connection, READ_PARAMETERS)[1] == 0x9000
        spans.append(time.perf_counter() - began)
    connection.disconnect()
    pcscd.pull(NAME)
    assert statistics.median(spans) < 0.01


@pytest.mark.parametrize("when", ["before_apdu", "after_apdu"])
def test_a_card_may_be_pulled_in_the_middle_of_an_apdu(pcscd: VirtualPcscd, when: str) -> None:
    slot = pcscd.slots[NAME]
    card = new_card()
    pcscd.insert(NAME, card)
    connection = connect(NAME)
    assert ask(connection, SELECT)[1] == 0x9000
    pulled = threading.Event()

    def pull(number: int, apdu: bytes) -> None:
        slot.pull()
        pulled.set()

    setattr(slot, when, pull)
    try:
        with pytest.raises(CardConnectionException):
            ask(connection, READ_PARAMETERS)
    finally:
        slot.calm()
    assert pulled.wait(PULL_TIMEOUT_S)
    connection.disconnect()
    pcscd.pull(NAME)
    pcscd.insert(NAME, card)
    again = connect(NAME)
    assert ask(again, READ_PARAMETERS)[1] == 0x6A82, "the card was powered anew"
    again.disconnect()
    pcscd.pull(NAME)


def test_a_card_goes_from_the_reader_to_the_meter(pcscd: VirtualPcscd) -> None:
    card = VirtualCard(bytes(8), TEST_ROOT)
    pcscd.insert(NAME, card)
    connect(NAME).disconnect()
    pcscd.pull(NAME)
    assert VirtualMeter("000000123456", TEST_ROOT).insert(card).code == 11


def test_pcscd_may_be_started_anew(pcscd: VirtualPcscd) -> None:
    pcscd.stop()
    assert listed() == []
    pcscd.start()
    pcscd.insert(NAME, new_card())
    connection = connect(NAME)
    assert ask(connection, SELECT)[1] == 0x9000
    connection.disconnect()
    pcscd.pull(NAME)
