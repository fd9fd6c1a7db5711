"""Conversations with a virtual card: what is read, what is written in which order, what is refused.

The files that each operation leaves are read by another decoder.
"""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest
from card_decoder import PARAMETERS, PRICES_09, PRICES_13, RETURN, WALLET, fields, framed
from hypothesis import given, settings
from hypothesis import strategies as st
from key_machine import Machine

from bench import MemoryReader, new_card
from station.errors import CardError, CardFailed, NoCard, WrongCard
from station.prepaid.cards import apdu, dialog
from station.prepaid.cards.apdu import Response
from station.prepaid.cards.dialog import (
    CardContents,
    CardFiles,
    Step,
    Written,
    cleared,
    read_card,
    run_dialogue,
    write_card,
)
from station.prepaid.cards.keys import simulated
from station.prepaid.cards.layout import (
    BLANK_RETURN,
    LAYOUTS,
    CardFormatError,
    CardType,
    Parameters,
    PriceFile,
    Profile,
    ReturnFile,
    Wallet,
)
from station.prepaid.cards.security import MachineSecurity, Roots, Soft3Des
from station.simulator.card import VirtualCard

SECURITY = simulated()
METER, CUSTOMER = "000000123456", "000000654321"
MAIN = PriceFile((Decimal("0.5469"), Decimal("0.3215")))
BACKUP = PriceFile((Decimal("0.6000"),))
OPENING = CardFiles(
    Profile.GW13,
    Parameters(
        METER, CUSTOMER, CardType.OPEN, 1, 0x8F,
        datetime.fromisoformat("2027-01-01 00:00"), 5000, 2000, 40, 100,
    ),
    Wallet(10_000, 1),
    MAIN,
    BACKUP,
)  # fmt: skip
PURCHASE = CardFiles(
    Profile.GW13,
    replace(OPENING.parameters, card_type=CardType.PURCHASE, update_flag=0, switch_at=None),
    Wallet(5_050, 2),
)
REPLACEMENT = CardFiles(
    Profile.GW13,
    replace(PURCHASE.parameters, card_type=CardType.REPLACEMENT, update_flag=0x0A),
    Wallet(5_050, 2),
    backup=BACKUP,
)
RETURNED = ReturnFile(METER, CUSTOMER, 40, 100, 4321, 1, 0, 0, None)


def write(card: VirtualCard, files: CardFiles | None) -> Written:
    """Write files to a card in a reader."""
    return run_dialogue(
        write_card(lambda _: files, SECURITY), MemoryReader(card).connect().transmit
    )


def read(card: VirtualCard) -> CardContents:
    """Read a card in a reader."""
    return run_dialogue(read_card(SECURITY), MemoryReader(card).connect().transmit)


def framed_parameters(card: VirtualCard) -> dict[str, object]:
    return framed(card.files[apdu.PARAMETERS], PARAMETERS)


def opened_card() -> VirtualCard:
    """A card that was opened, put into the meter, and came back."""
    card = new_card()
    write(card, OPENING)
    card.files[apdu.RETURN] = RETURNED.to_bytes()
    return card


# --- what is read -------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", list(Profile))
def test_an_issued_card_is_blank_and_tells_its_rule(profile):
    card = new_card(profile)
    contents = read(card)
    assert (contents.state, contents.profile) == ("blank", profile)
    assert contents.serial == card.serial.hex().upper()
    assert contents.return_is_blank
    card.files[apdu.PARAMETERS] = bytes(45)  # Some suppliers leave zeros without a frame.
    assert read(card).state == "blank"


def test_a_card_in_use_is_read_whole():
    contents = read(opened_card())
    assert contents.state == "in_use"
    assert contents.parameters == OPENING.parameters
    assert contents.wallet == OPENING.wallet
    assert contents.returned == RETURNED
    assert not contents.return_is_blank


def test_a_chip_that_was_never_issued():
    assert read(new_card(issued=False)).state == "unissued"


def test_a_card_of_another_utility_is_foreign():
    card = VirtualCard(bytes(8), bytes(16))
    contents = read(card)
    assert contents.state == "foreign"
    assert "key" in contents.problem
    with pytest.raises(WrongCard) as refusal:
        write(card, OPENING)
    assert refusal.value.code == "foreign"


def test_a_card_with_a_spoilt_file_is_foreign():
    card = opened_card()
    card.files[apdu.PARAMETERS] = bytes([1]) + card.files[apdu.PARAMETERS][1:]
    contents = read(card)
    assert contents.state == "foreign"
    assert contents.problem.startswith("parameters, frame")
    assert contents.is_proved
    write(card, PURCHASE)  # As an order does that was cut off on this very card.
    assert read(card).parameters == PURCHASE.parameters


def test_a_spoilt_return_file_is_neither_blank_nor_believed():
    card = opened_card()
    card.files[apdu.RETURN] = card.files[apdu.RETURN][:-2] + b"\x00\x16"
    contents = read(card)
    assert contents.state == "in_use"
    assert contents.returned is None
    assert not contents.return_is_blank
    assert "checksum" in contents.problem


def test_a_foreign_card_is_never_said_to_carry_the_order():
    with pytest.raises(WrongCard):
        write(VirtualCard(bytes(8), bytes(16)), None)


# --- what is written ----------------------------------------------------------------------------


def test_every_file_of_an_opening():
    card = new_card()
    written = write(card, OPENING)
    assert not written.already
    assert written.contents == read(card)
    assert framed_parameters(card) == {
        "command": "01", "user_type": "01", "flag": "8F", "reserved": "00000000",
        "switch": "2701010000", "alarm1": "00005000", "alarm2": "00002000", "ct": "000040",
        "pt": "000100", "meter": METER, "customer": CUSTOMER, "type": "01",
    }  # fmt: skip
    assert fields(card.files[apdu.WALLET], WALLET) == {"amount": 10_000, "count": 1}
    current = framed(card.files[apdu.CURRENT_PRICES], PRICES_13)
    assert (current["rate1"], current["rate2"], current["rate32"]) == (
        "00005469", "00003215", "00003215",
    )  # fmt: skip
    assert framed(card.files[apdu.BACKUP_PRICES], PRICES_13)["rate1"] == "00006000"
    assert card.files[apdu.RETURN] == bytes(49)


def test_every_file_of_a_purchase():
    card = opened_card()
    current = card.files[apdu.CURRENT_PRICES]
    written = write(card, PURCHASE)
    assert written.before.returned == RETURNED
    found = framed_parameters(card)
    assert (found["type"], found["flag"], found["switch"]) == ("02", "00", "0000000000")
    assert (found["meter"], found["customer"]) == (METER, CUSTOMER)
    assert fields(card.files[apdu.WALLET], WALLET) == {"amount": 5_050, "count": 2}
    assert card.files[apdu.CURRENT_PRICES] == current
    assert card.files[apdu.RETURN] == bytes(49)


def test_every_file_of_a_replacement():
    card = new_card()
    write(card, REPLACEMENT)
    found = framed_parameters(card)
    assert (found["type"], found["flag"]) == ("03", "0A")
    assert fields(card.files[apdu.WALLET], WALLET) == {"amount": 5_050, "count": 2}
    assert card.files[apdu.CURRENT_PRICES] == bytes(203)
    assert framed(card.files[apdu.BACKUP_PRICES], PRICES_13)["rate1"] == "00006000"
    assert card.files[apdu.RETURN] == bytes(49)


def test_every_file_of_a_cleared_card():
    card = opened_card()
    written = write(card, cleared(Profile.GW13))
    assert written.contents.state == "blank"
    found = framed_parameters(card)
    assert {value.strip("0") for name, value in found.items() if name != "command"} == {""}
    for file in (apdu.WALLET, apdu.CURRENT_PRICES, apdu.BACKUP_PRICES, apdu.RETURN):
        assert not any(card.files[file])
    assert read(card).state == "blank"


def test_a_card_of_the_old_rule_takes_its_prices_in_two_parts():
    card = new_card(Profile.GW09)
    write(card, replace(OPENING, profile=Profile.GW09))
    found = framed(card.files[apdu.CURRENT_PRICES], PRICES_09)
    assert (found["rate1"], found["rate2"], found["rate63"]) == (
        "00005469", "00003215", "00003215",
    )  # fmt: skip
    assert framed(card.files[apdu.BACKUP_PRICES], PRICES_09)["rate63"] == "00006000"
    assert read(card).profile is Profile.GW09


def test_the_return_file_that_another_decoder_sees_is_the_meters():
    assert framed(opened_card().files[apdu.RETURN], RETURN)["remaining"] == 4321


def test_the_order_of_writing_and_the_heads_of_the_commands():
    reader = MemoryReader(new_card())
    steps: list[str] = []
    run_dialogue(write_card(lambda _: OPENING, SECURITY), reader.connect().transmit, steps.append)
    writes = [command[:5].hex().upper() for command in reader.apdus if command[1] == 0xD6]
    assert writes == ["04D68300CF", "04D68400CF", "04D6810031", "04D6850035", "04D682000C"]
    assert [step for step in steps if step.startswith(("write", "clear"))] == [
        dialog.WRITE_PRICES, dialog.WRITE_BACKUP, dialog.WRITE_PARAMETERS, dialog.CLEAR_RETURN,
        dialog.WRITE_WALLET,
    ]  # fmt: skip
    assert steps[-1] == dialog.READ_BACK
    assert reader.apdus[-1][:3] == bytes([0x00, 0xB0, 0x80 | apdu.WALLET])
    assert steps.index(dialog.AUTHENTICATE_READER) < steps.index(dialog.WRITE_PRICES)


def test_a_card_that_carries_it_already_is_not_touched():
    card = opened_card()
    before = dict(card.files)
    reader = MemoryReader(card)
    written = run_dialogue(write_card(lambda _: None, SECURITY), reader.connect().transmit)
    assert written.already
    assert written.contents == written.before
    assert card.files == before
    assert not [command for command in reader.apdus if command[1] == 0xD6]


def test_a_card_is_written_with_whole_commands_of_a_key_machine():
    card, machine = new_card(), Machine()
    security = MachineSecurity(machine)
    reader = MemoryReader(card)
    run_dialogue(write_card(lambda _: OPENING, security), reader.connect().transmit)
    assert fields(card.files[apdu.WALLET], WALLET) == {"amount": 10_000, "count": 1}
    assert machine.asked == [
        "authentication", "authentication", "external",
        "04D68300", "04D68400", "04D68100", "04D68500", "04D68200",
    ]  # fmt: skip


# --- what is refused ----------------------------------------------------------------------------


def test_a_card_of_another_rule_is_refused():
    card = new_card(Profile.GW09)
    with pytest.raises(WrongCard, match="rule GW09 and the meter GW13") as refusal:
        write(card, OPENING)
    assert refusal.value.code == "other_year"
    assert not any(card.files[apdu.WALLET])


class SwappingCard:
    """Two cards of which the second takes the first one's place when it is first proved."""

    def __init__(self, first: VirtualCard, second: VirtualCard) -> None:
        self._card, self._second = first, second
        self._proofs = 0

    def transmit(self, command: bytes) -> Response:
        if command[:2] == b"\x00\xa4" and self._proofs == 1:
            self._card = self._second
        self._proofs += command[:2] == b"\x00\x88"
        answer = self._card.transmit(command)
        return Response(answer[:-2], int.from_bytes(answer[-2:], "big"))


def test_a_card_that_was_swapped_unnoticed_is_not_written():
    first, second = opened_card(), new_card()
    channel = SwappingCard(first, second)
    with pytest.raises(WrongCard) as refusal:
        run_dialogue(write_card(lambda _: PURCHASE, SECURITY), channel.transmit)
    assert refusal.value.code == "card_changed"
    assert not any(second.files[apdu.WALLET])


@pytest.mark.parametrize(
    ("head", "status", "told", "wrote"),
    [
        ("0084", 0x6D00, "6D00", False),
        ("0082", 0x63C2, "2 tries left", False),
        ("0082", 0x6983, "blocked", False),
        ("04D683", 0x6988, "MAC", True),
        ("04D682", 0x6581, "memory", True),
        ("04D682", 0x6F42, "unknown status", True),
    ],
)
def test_what_the_card_refuses_is_said_in_words(head, status, told, wrote):
    card = new_card()
    card.refusals[bytes.fromhex(head)] = status
    with pytest.raises(CardFailed, match=told) as failure:
        write(card, OPENING)
    assert failure.value.may_have_written is wrote


def test_a_reader_key_of_ours_that_the_card_does_not_know_is_refused():
    root, other = bytes(range(16)), bytes(16)
    security = Soft3Des(Roots(card=root, reader=other, writing=root))
    channel = MemoryReader(new_card()).connect()
    with pytest.raises(CardFailed, match="authenticate reader") as failure:
        run_dialogue(write_card(lambda _: OPENING, security), channel.transmit)
    assert not failure.value.may_have_written


def test_a_card_that_holds_something_else_afterwards_is_found():
    card = new_card()

    def forget(command: bytes) -> Response:
        answer = card.transmit(command)
        if command[:3] == bytes.fromhex("04D681"):
            card.files[apdu.PARAMETERS] = new_card().files[apdu.PARAMETERS]
        return Response(answer[:-2], int.from_bytes(answer[-2:], "big"))

    with pytest.raises(CardFailed) as failure:
        run_dialogue(write_card(lambda _: OPENING, SECURITY), forget)
    assert failure.value.code == "read_back"
    assert failure.value.may_have_written
    assert not any(card.files[apdu.WALLET])


def test_a_value_that_does_not_fit_is_found_before_anything_is_sent():
    reader = MemoryReader(new_card())
    files = replace(OPENING, wallet=Wallet(-1, 1))
    with pytest.raises(CardFormatError) as refusal:
        run_dialogue(write_card(lambda _: files, SECURITY), reader.connect().transmit)
    assert refusal.value.field == "wallet.amount_fen"
    assert not [command for command in reader.apdus if command[1] == 0xD6]


# --- cuts and garbage ---------------------------------------------------------------------------


@pytest.mark.parametrize("files", [OPENING, REPLACEMENT], ids=["opening", "replacement"])
@pytest.mark.parametrize("obeyed", [False, True], ids=["before", "after"])
def test_cut_at_every_command_the_next_try_completes_it(files, obeyed):
    whole = MemoryReader(new_card())
    run_dialogue(write_card(lambda _: files, SECURITY), whole.connect().transmit)
    first_write = next(n for n, command in enumerate(whole.apdus) if command[1] == 0xD6)
    for cut in range(len(whole.apdus)):
        card = new_card()
        reader = MemoryReader(card)

        def pull(number: int, _: bytes, reader=reader, cut=cut) -> None:
            if number == cut:
                reader.pull()

        reader.before_apdu, reader.after_apdu = (_pass, pull) if obeyed else (pull, _pass)
        with pytest.raises(CardFailed) as failure:
            run_dialogue(write_card(lambda _: files, SECURITY), reader.connect().transmit)
        assert failure.value.may_have_written is (cut >= first_write)
        reader.calm()
        card.power_on()
        contents = read(card)
        assert contents.state in ("blank", "in_use")
        carries = cut > _wallet_write(whole) or (obeyed and cut == _wallet_write(whole))
        assert (contents.wallet == files.wallet) is carries
        write(card, files)
        assert fields(card.files[apdu.WALLET], WALLET)["count"] == files.wallet.count


def _pass(number: int, command: bytes) -> None:
    """Let it pass."""


def _wallet_write(reader: MemoryReader) -> int:
    return next(
        n for n, command in enumerate(reader.apdus) if command[:3] == bytes.fromhex("04D682")
    )


def test_a_pulled_card_goes_on_as_it_is_before_a_write_and_as_a_failure_after():
    def absent(_: bytes) -> Response:
        raise NoCard("the card was taken out")

    with pytest.raises(NoCard):
        run_dialogue(write_card(lambda _: OPENING, SECURITY), absent)

    channel = MemoryReader(new_card()).connect()

    def absent_at_wallet(command: bytes) -> Response:
        if command[:3] == bytes.fromhex("04D682"):
            raise NoCard("the card was taken out")
        return channel.transmit(command)

    with pytest.raises(CardFailed) as failure:
        run_dialogue(write_card(lambda _: OPENING, SECURITY), absent_at_wallet)
    assert failure.value.may_have_written
    assert failure.value.code == "no_card"


def test_answers_that_are_announced_or_cut_are_fetched():
    sent: list[str] = []
    answers = iter([Response(b"", 0x6103), Response(b"abc", 0x6102), Response(b"de", 0x9000)])

    def one_step() -> dialog.Dialogue[Response]:
        return (yield Step("serial", apdu.READ_SERIAL))

    def transmit(command: bytes) -> Response:
        sent.append(command.hex().upper())
        return next(answers)

    assert run_dialogue(one_step(), transmit) == Response(b"abcde", 0x9000)
    assert sent == ["00B0990108", "00C0000003", "00C0000002"]
    sent.clear()
    answers = iter([Response(b"", 0x6C05), Response(b"12345", 0x9000)])
    assert run_dialogue(one_step(), transmit) == Response(b"12345", 0x9000)
    assert sent == ["00B0990108", "00B0990105"]


def test_a_card_that_announces_for_ever_is_left():
    def transmit(_: bytes) -> Response:
        return Response(b"x" * 255, 0x61FF)

    assert run_dialogue(read_card(SECURITY), transmit).state == "unissued"


@given(st.data())
@settings(max_examples=300)
def test_a_card_that_answers_garbage_raises_nothing_but_the_named_errors(data):
    statuses = st.sampled_from([0x9000, 0x9000, 0x9000, 0x6A82, 0x6B00, 0x6982, 0x6108, 0x6C05])

    def transmit(command: bytes) -> Response:
        size = command[4] if len(command) == 5 else 0
        answer = data.draw(
            st.one_of(st.binary(min_size=size, max_size=size), st.binary(max_size=60))
        )
        return Response(answer, data.draw(statuses))

    is_written = False
    with suppress(CardError):
        assert run_dialogue(read_card(SECURITY), transmit).state != "in_use"
        run_dialogue(write_card(lambda _: OPENING, SECURITY), transmit)
        is_written = True
    assert not is_written


def test_flags_are_those_of_the_profiles():
    assert (LAYOUTS[Profile.GW13].opening_flag, LAYOUTS[Profile.GW13].backup_flag) == (0x8F, 0x0A)
    assert (LAYOUTS[Profile.GW09].opening_flag, LAYOUTS[Profile.GW09].backup_flag) == (0x83, 0x02)
    assert bytes(49) == BLANK_RETURN
