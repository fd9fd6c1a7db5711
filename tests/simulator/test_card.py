"""The virtual card: the digest's vectors, and what it answers to who may not."""

import pytest

from station.prepaid.cards.layout import Profile
from station.simulator import card_keys
from station.simulator.card import CURRENT_PRICES, PARAMETERS, RETURN, WALLET, VirtualCard

SERIAL = bytes.fromhex("0000000000123456")
ROOT = bytes(range(16))
KEY = card_keys.diversify(ROOT, SERIAL)

SELECT_MF = "00A40000023F00"
SELECT_APPLICATION = "00A4000002DF01"
HUNDRED_YUAN = bytes.fromhex("0000271000000001")


@pytest.fixture
def card() -> VirtualCard:
    return VirtualCard(SERIAL, ROOT)


def ask(card: VirtualCard, apdu: str) -> str:
    return card.transmit(bytes.fromhex(apdu)).hex().upper()


def authenticate(card: VirtualCard) -> None:
    assert ask(card, SELECT_APPLICATION) == "9000"
    challenge = card.transmit(bytes.fromhex("0084000008"))[:8]
    assert ask(card, "0082000208" + card_keys.encipher(KEY, challenge).hex()) == "9000"


def write(card: VirtualCard, head: str, data: bytes, *, damage: int = 0) -> str:
    challenge = card.transmit(bytes.fromhex("0084000004"))[:4]
    message = bytes.fromhex(head) + bytes([len(data) + 4]) + data
    seal = bytearray(card_keys.mac(KEY, challenge, message))
    seal[0] ^= damage
    return card.transmit(message + bytes(seal)).hex().upper()


def test_keys_and_macs_are_the_digests() -> None:
    """Section 11, the vectors."""
    assert KEY.hex().upper() == "B997EC8645F3FBBCECF6F2D3DBE3D07B"
    sealed = card_keys.encipher(KEY, bytes.fromhex("0102030405060708"))
    assert sealed.hex().upper() == "2C9FB2693DE5B72F"
    message = bytes.fromhex("04D682000C0000271000000001")
    assert card_keys.mac(KEY, bytes.fromhex("11223344"), message).hex().upper() == "4AC7AA91"


def test_it_tells_who_it_is_and_what_it_holds_to_anybody(card: VirtualCard) -> None:
    assert card.atr[1] == 0x69
    assert len(card.atr) == 13
    assert card.atr.endswith(SERIAL)
    assert ask(card, SELECT_MF) == "9000"
    assert ask(card, "00B0990108") == SERIAL.hex() + "9000"
    assert ask(card, SELECT_APPLICATION) == "9000"
    assert ask(card, "00B081002D") == "68010027" + "00" * 39 + "28169000"
    assert ask(card, "00B0820008") == "00" * 8 + "9000"
    assert ask(card, "00B0850031") == "00" * 49 + "9000"


@pytest.mark.parametrize(("profile", "size"), [(Profile.GW13, 203), (Profile.GW09, 258)])
def test_the_profile_says_how_long_a_price_file_is(profile: Profile, size: int) -> None:
    card = VirtualCard(SERIAL, ROOT, profile)
    ask(card, SELECT_APPLICATION)
    assert len(card.files[CURRENT_PRICES]) == size
    assert ask(card, f"00B083{size - 100:02X}FF") == "6C64"


def test_it_proves_that_it_is_genuine(card: VirtualCard) -> None:
    ask(card, SELECT_APPLICATION)
    assert ask(card, "00880001080102030405060708") == "6108"
    assert ask(card, "00C0000008") == "2C9FB2693DE5B72F9000"
    assert ask(card, "00C0000008") == "6985"


def test_who_is_authenticated_writes_with_a_fresh_challenge(card: VirtualCard) -> None:
    authenticate(card)
    assert write(card, "04D68200", HUNDRED_YUAN) == "9000"
    assert card.files[WALLET] == HUNDRED_YUAN
    assert write(card, "04D68302", b"\x11\x22") == "9000"
    assert card.files[CURRENT_PRICES][:5] == b"\x00\x00\x11\x22\x00"


@pytest.mark.parametrize(
    ("apdu", "status"),
    [
        ("00", "6700"),
        ("00A40000023F", "6700"),
        ("00A4000002DF02", "6A82"),
        ("00B0860001", "6A82"),
        ("00B0820801", "6B00"),
        ("00B082000C", "6C08"),
        ("00B00000", "6A82"),
        ("00B0820008FF", "6700"),
        ("0084000005", "6700"),
        ("00C0000008", "6985"),
        ("00880002080102030405060708", "6A88"),
        ("008200020801020304050607FF", "6985"),
        ("04D682000C000027100000000100000000", "6982"),
        ("04B08200091122334404D6820000", "6982"),
        ("00200000", "6D00"),
        ("80E00000", "6E00"),
    ],
)
def test_every_refusal_has_its_status_and_changes_nothing(
    card: VirtualCard, apdu: str, status: str
) -> None:
    ask(card, SELECT_APPLICATION)
    before = dict(card.files)
    assert ask(card, apdu) == status
    assert card.files == before


def test_a_wrong_seal_an_old_challenge_and_too_much_are_refused(card: VirtualCard) -> None:
    authenticate(card)
    assert write(card, "04D68200", HUNDRED_YUAN, damage=1) == "6988"
    challenge = card.transmit(bytes.fromhex("0084000004"))[:4]
    message = bytes.fromhex("04D682000C") + HUNDRED_YUAN
    sealed = message + card_keys.mac(KEY, challenge, message)
    assert card.transmit(sealed).hex() == "9000"
    assert card.transmit(sealed).hex() == "6985"
    assert write(card, "04D68201", HUNDRED_YUAN) == "6B00"
    ask(card, SELECT_APPLICATION)
    assert write(card, "04D68200", HUNDRED_YUAN) == "6982"


def test_three_wrong_cryptograms_block_it(card: VirtualCard) -> None:
    ask(card, SELECT_APPLICATION)
    answers = []
    for _ in range(4):
        ask(card, "0084000008")
        answers.append(ask(card, "0082000208" + "00" * 8))
    assert answers == ["63C2", "63C1", "63C0", "6983"]


def test_power_off_forgets_all_but_the_files(card: VirtualCard) -> None:
    authenticate(card)
    write(card, "04D68500", bytes(range(49)))
    card.power_on()
    assert card.files[RETURN] == bytes(range(49))
    assert ask(card, "00B0850031") == "6A82"
    ask(card, SELECT_APPLICATION)
    assert write(card, "04D68200", HUNDRED_YUAN) == "6982"


def test_a_chip_that_was_never_issued_has_no_application() -> None:
    card = VirtualCard(SERIAL, ROOT, issued=False)
    assert ask(card, SELECT_APPLICATION) == "6A82"
    assert ask(card, "00B0810004") == "6B00"
    ask(card, SELECT_MF)
    assert ask(card, "00B0990108") == SERIAL.hex() + "9000"


def test_a_test_may_have_it_refuse(card: VirtualCard) -> None:
    authenticate(card)
    card.refusals[bytes.fromhex("04D681")] = 0x6581
    assert write(card, "04D68100", bytes(45)) == "6581"
    assert write(card, "04D68200", HUNDRED_YUAN) == "9000"
    assert card.files[PARAMETERS] != bytes(45)
