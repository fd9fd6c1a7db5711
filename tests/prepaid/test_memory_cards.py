"""Memory cards: raw bytes, and the counter that says whether a PIN was right."""

import pytest

from station.errors import CardFailed, InvalidValue, WrongCard
from station.prepaid.cards.apdu import Response
from station.prepaid.readers.memory import SLE4428, SLE4442, MemoryCard, MemoryType
from station.simulator import memory_card

PINS = {SLE4442: bytes.fromhex("FFFFFF"), SLE4428: bytes.fromhex("FFFF")}
TRIES = {SLE4442: 3, SLE4428: 8}
VIRTUAL = {SLE4442: memory_card.SLE4442, SLE4428: memory_card.SLE4428}


class Channel:
    """A reader with a virtual memory card; `tail` is what some readers append to what is read."""

    def __init__(self, kind: MemoryType, tail: bytes = b"") -> None:
        self.card = memory_card.MemoryCard(VIRTUAL[kind])
        self.atr = self.card.atr
        self.tail = tail
        self.heard: list[bytes] = []

    def transmit(self, apdu: bytes) -> Response:
        self.heard.append(apdu)
        answer = self.card.transmit(apdu)
        tail = self.tail if apdu[1] == 0xB0 else b""
        return Response(answer[:-2] + tail, int.from_bytes(answer[-2:], "big"))

    def disconnect(self) -> None:
        pass


KINDS = pytest.mark.parametrize("kind", [SLE4442, SLE4428], ids=lambda kind: kind.name)


@KINDS
@pytest.mark.parametrize("tail", [b"", bytes(4)], ids=["plainly", "with protection bytes"])
def test_read_and_write(kind: MemoryType, tail: bytes) -> None:
    channel = Channel(kind, tail)
    card = MemoryCard(channel, kind)
    card.present_pin(PINS[kind])
    last = kind.size - 70
    data = bytes(range(1, 71))
    card.write(last, data)
    assert card.read(last, 70) == data
    assert bytes(channel.card.memory[last:]) == data
    card.protect(0, kind.header)
    assert channel.heard[-1] == bytes.fromhex("FFD1000004") + kind.header


def test_the_commands_are_those_of_the_table() -> None:
    channel = Channel(SLE4442)
    card = MemoryCard(channel, SLE4442)
    card.present_pin(bytes.fromhex("FFFFFF"))
    card.change_pin(bytes.fromhex("123456"))
    assert [each.hex().upper() for each in channel.heard] == [
        "FFA400000106",
        "FFB0000004",
        "FFB1000004",
        "FF20000003FFFFFF",
        "FFD2000103123456",
    ]


@KINDS
def test_a_wrong_pin_is_counted_and_the_last_try_is_kept(kind: MemoryType) -> None:
    channel = Channel(kind)
    card = MemoryCard(channel, kind)
    wrong = bytes(kind.pin_size)
    for left in range(TRIES[kind] - 1, 0, -1):
        with pytest.raises(CardFailed, match=f"{left} tries left") as caught:
            card.present_pin(wrong)
        assert caught.value.code == "pin"
        assert wrong.hex() not in str(caught.value)
    heard = len(channel.heard)
    with pytest.raises(CardFailed, match="single try left"):
        card.present_pin(PINS[kind])
    assert channel.heard[heard:] == [bytes([0xFF, 0xB1, 0, 0, kind.counter_size])]
    channel.transmit(bytes([0xFF, 0x20, 0, 0, kind.pin_size]) + wrong)
    with pytest.raises(CardFailed, match="locked"):
        card.present_pin(PINS[kind])


@KINDS
def test_9000_is_no_success(kind: MemoryType, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = Channel(kind)
    card = MemoryCard(channel, kind)
    card_says = Response(bytes([kind.open_counter, 0, 0, 0]), 0x9000)
    monkeypatch.setattr(channel, "transmit", lambda _: card_says)
    with pytest.raises(CardFailed, match="0 tries left"):
        card.present_pin(PINS[kind])


def test_what_cannot_be() -> None:
    strange = Channel(SLE4442)
    strange.card.memory[0] = 0
    with pytest.raises(WrongCard, match="no SLE4442"):
        MemoryCard(strange, SLE4442)
    with pytest.raises(CardFailed, match="6982"):
        MemoryCard(Channel(SLE4428), SLE4442)
    channel = Channel(SLE4442)
    card = MemoryCard(channel, SLE4442)
    with pytest.raises(CardFailed, match="6982"):
        card.write(40, b"closed")
    for address, size in ((-1, 1), (256, 1), (250, 7), (0, 0)):
        with pytest.raises(InvalidValue, match="beyond"):
            card.read(address, size)
    with pytest.raises(InvalidValue, match="3 bytes"):
        card.present_pin(b"\xff\xff")
    with pytest.raises(InvalidValue, match="can be protected"):
        card.protect(30, bytes(3))
    with pytest.raises(InvalidValue, match="stands on the card"):
        card.protect(20, b"x")
    card.present_pin(PINS[SLE4442])
    card.protect(0, SLE4442.header)
    with pytest.raises(CardFailed, match="does not hold what was written at 0"):
        card.write(0, b"over")
    with pytest.raises(InvalidValue, match="not changed"):
        MemoryCard(Channel(SLE4428), SLE4428).change_pin(b"\xff\xff")
