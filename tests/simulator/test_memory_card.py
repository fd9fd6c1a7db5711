"""Virtual memory cards: the rules of the digest prepaid_card, section 12."""

import pytest

from station.simulator.memory_card import SLE4428, SLE4442, Kind, MemoryCard


def ask(card: MemoryCard, apdu: str) -> str:
    return card.transmit(bytes.fromhex(apdu)).hex().upper()


def selected(kind: Kind) -> MemoryCard:
    card = MemoryCard(kind)
    assert ask(card, "FFB000000400"[:10]) == "6985", "select comes first"
    assert ask(card, f"FFA4000001{kind.select:02X}") == "9000"
    return card


def test_the_small_card() -> None:
    card = selected(SLE4442)
    assert card.atr.hex().upper() == "3B04A2131091"
    assert ask(card, "FFB0000004") == "A21310919000"
    assert ask(card, "FFB1000004") == "070000009000"
    assert ask(card, "FFD0002002AABB") == "6982"
    assert ask(card, "FF20000003FFFFFF") == "9007"
    assert ask(card, "FFD0002002AABB") == "9000"
    assert ask(card, "FFB0002003") == "AABBFF9000"
    assert ask(card, "FFB000FF02") == "6B00"
    assert ask(card, "FFD2000103112233") == "9000"
    card.power_on()
    ask(card, "FFA400000106")
    assert ask(card, "FFD0002001CC") == "6982"
    assert ask(card, "FF20000003112233") == "9007"


def test_the_large_card() -> None:
    card = selected(SLE4428)
    assert card.atr.hex().upper() == "3B0492231091"
    assert ask(card, "FFB1000003") == "FF00009000"
    assert ask(card, "FF20000002FFFF") == "90FF"
    assert ask(card, "FFD003FF0177") == "9000"
    assert ask(card, "FFB003FE02") == "FF779000"
    assert ask(card, "FFD2000103112233") == "6700"


@pytest.mark.parametrize(
    ("kind", "wrong", "right", "answers"),
    [
        (SLE4442, "FF20000003000000", "FF20000003FFFFFF", ["9003", "9001", "9000", "9000"]),
        (
            SLE4428, "FF200000020000", "FF20000002FFFF",
            ["907F", "903F", "901F", "900F", "9007", "9003", "9001", "9000", "9000"],
        ),
    ],
)  # fmt: skip
def test_wrong_pins_lock_it_and_9000_is_no_success(
    kind: Kind, wrong: str, right: str, answers: list[str]
) -> None:
    card = selected(kind)
    assert [ask(card, wrong) for _ in answers] == answers
    assert ask(card, right) == "9000"
    assert card.counter == 0
    assert ask(card, "FFD0002001CC") == "6982"


def test_the_right_pin_gives_the_tries_back() -> None:
    card = selected(SLE4442)
    assert ask(card, "FF20000003000000") == "9003"
    assert ask(card, "FF20000003FFFFFF") == "9007"
    assert ask(card, "FFB1000004") == "070000009000"


def test_a_protected_byte_stays() -> None:
    card = selected(SLE4442)
    ask(card, "FF20000003FFFFFF")
    assert ask(card, "FFD1000001A2") == "9000"
    assert ask(card, "FFD000000255EE") == "9000"
    assert ask(card, "FFB0000002") == "A2EE9000"
    assert ask(card, "FFD1002001FF") == "6B00"
