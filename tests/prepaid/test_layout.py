"""The files of a card, both ways: vectors, another decoder, every corruption, garbage."""

import json
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from card_decoder import PARAMETERS, PRICES_09, PRICES_13, RETURN, fields, framed
from hypothesis import given
from hypothesis import strategies as st

from station.prepaid.cards import apdu
from station.prepaid.cards.layout import (
    BLANK_RETURN,
    CardFormatError,
    Parameters,
    PriceFile,
    Profile,
    ReturnFile,
    Wallet,
    is_blank,
)

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/prepaid_card.json").read_text())

local = datetime.fromisoformat  # A meter's clock has no zone.

PARAMETERS_OF_VECTOR = Parameters(
    "000000123456", "000000654321", 1, 0, 0x8F, local("2026-01-01 00:00"), 5000, 2000, 1, 1
)
LADDER = PriceFile(
    rates=(Decimal("1.0285"), Decimal("0.8542"), Decimal("0.6000"), Decimal("0.3215")),
    thresholds=(Decimal("2160.00"), Decimal("4200.50")),
    step_prices=(Decimal("0.5469"), Decimal("0.5969"), Decimal("0.8469")),
    settlement_days=((1, 1, 0), (7, 1, 23)),
    ladder_switch_at=local("2027-01-01 00:00"),
)
RETURNED = ReturnFile(
    "000000123456", "000000654321", 40, 100, 12345, 7, 0, 3, local("2026-11-23 09:41")
)

digits = st.text("0123456789", min_size=12, max_size=12)
whole_minutes = st.datetimes(local("2000-01-01 00:00"), local("2099-12-31 23:59")).map(
    lambda moment: moment.replace(second=0, microsecond=0)
)
moments = st.none() | whole_minutes
prices = st.decimals(0, Decimal("9999.9999"), places=4)
counts = st.integers(0, 0xFFFF_FFFF)
amounts = st.integers(0, 9999_9999)
ratios = st.integers(0, 999_999)
byte_values = st.integers(0, 255)


def test_parameter_vectors():
    for vector in VECTORS["parameters"]:
        raw = bytes.fromhex(vector["hex"])
        found = Parameters.from_bytes(raw)
        assert found == PARAMETERS_OF_VECTOR
        assert found.to_bytes() == raw
        assert f"{found.update_flag:02X}" == vector["update_flag"]
        assert found.switch_at is not None
        assert found.switch_at.isoformat(timespec="minutes") == vector["switch_at"]
        for name in ("meter", "customer", "card_type", "alarm1_fen", "alarm2_fen", "ct", "pt"):
            assert getattr(found, name) == vector[name]


def test_wallet_vectors():
    for vector in VECTORS["wallet"]:
        wallet = Wallet(vector["amount_fen"], vector["count"])
        assert wallet.to_bytes().hex().upper() == vector["hex"]
        assert Wallet.from_bytes(bytes.fromhex(vector["hex"])) == wallet


def test_heads_and_sizes_of_files():
    for vector in VECTORS["frames"]:
        profile = Profile(vector["profile"])
        file = PriceFile((Decimal(1),)) if vector["file"] == "prices" else RETURNED
        raw = file.to_bytes(profile) if isinstance(file, PriceFile) else file.to_bytes()
        assert (raw[:4].hex().upper(), len(raw)) == (vector["head"], vector["size"])


def test_command_vectors():
    own = {
        "select_mf": apdu.SELECT_MF,
        "select_application": apdu.SELECT_APPLICATION,
        "serial": apdu.READ_SERIAL,
        "challenge_8": apdu.CHALLENGE_8,
        "challenge_4": apdu.CHALLENGE_4,
    }
    assert {v["name"]: v["hex"] for v in VECTORS["commands"]} == {
        name: command.hex().upper() for name, command in own.items()
    }


def test_another_decoder_reads_the_same_parameters():
    found = framed(replace(PARAMETERS_OF_VECTOR, ct=400, pt=100).to_bytes(), PARAMETERS)
    assert found == {
        "command": "01",
        "user_type": "00",
        "flag": "8F",
        "reserved": "00000000",
        "switch": "2601010000",
        "alarm1": "00005000",
        "alarm2": "00002000",
        "ct": "000400",
        "pt": "000100",
        "meter": "000000123456",
        "customer": "000000654321",
        "type": "01",
    }


def test_another_decoder_reads_the_same_return_file():
    found = framed(replace(RETURNED, overdraft_fen=1250, remaining_fen=0).to_bytes(), RETURN)
    assert found == {
        "command": "11",
        "user_type": "00",
        "ct": "000040",
        "pt": "000100",
        "meter": "000000123456",
        "customer": "000000654321",
        "remaining": 0,
        "count": 7,
        "overdraft": "00001250",
        "key_info": "00000000",
        "illegal": "000003",
        "time": "2611230941",
    }


def test_another_decoder_reads_the_same_prices():
    found = framed(LADDER.to_bytes(Profile.GW13), PRICES_13)
    assert [found[f"rate{n}"] for n in (1, 2, 3, 4, 5, 32)] == [
        "00010285", "00008542", "00006000", "00003215", "00003215", "00003215",
    ]  # fmt: skip
    assert [found[f"threshold{n}"] for n in (1, 2, 3, 6)] == [
        "00216000", "00420050", "00420050", "00420050",
    ]  # fmt: skip
    assert [found[f"step{n}"] for n in (1, 2, 3, 7)] == [
        "00005469", "00005969", "00008469", "00008469",
    ]  # fmt: skip
    assert [found[f"day{n}"] for n in (1, 2, 3, 4)] == ["010100", "070123", "999999", "999999"]
    assert found["ladder_switch"] == "2701010000"


def test_prices_without_ladder():
    flat = PriceFile((Decimal("0.5469"),))
    found = framed(flat.to_bytes(Profile.GW13), PRICES_13)
    assert found["rate32"] == "00005469"
    assert {found["threshold1"], found["step1"], found["threshold6"]} == {"00000000"}
    old = framed(flat.to_bytes(Profile.GW09), PRICES_09)
    assert old["rate63"] == "00005469"


def test_a_file_without_prices_is_all_zeros():
    for profile, size in ((Profile.GW13, 203), (Profile.GW09, 258)):
        assert PriceFile(()).to_bytes(profile) == bytes(size)
        assert PriceFile.from_bytes(profile, bytes(size)) == PriceFile(())


@given(
    st.builds(
        Parameters,
        digits,
        digits,
        byte_values,
        byte_values,
        byte_values,
        moments,
        amounts,
        amounts,
        ratios,
        ratios,
    )
)
def test_parameters_come_back(parameters):
    assert Parameters.from_bytes(parameters.to_bytes()) == parameters


@given(counts, counts)
def test_wallet_comes_back(amount, count):
    wallet = Wallet(amount, count)
    assert Wallet.from_bytes(wallet.to_bytes()) == wallet


@given(
    st.builds(
        ReturnFile,
        digits,
        digits,
        ratios,
        ratios,
        counts,
        counts,
        amounts,
        ratios,
        moments,
        byte_values,
        st.binary(min_size=4, max_size=4),
    )
)
def test_return_file_comes_back(returned):
    assert ReturnFile.from_bytes(returned.to_bytes()) == returned


@st.composite
def price_files(draw):
    rates = tuple(draw(st.lists(prices, min_size=1, max_size=32)))
    steps = draw(st.integers(0, 6))
    energies = st.decimals(Decimal("0.01"), Decimal("999999.99"), places=2)
    thresholds = tuple(sorted(draw(st.sets(energies, min_size=steps, max_size=steps))))
    ladder = tuple(draw(st.lists(prices, min_size=steps + 1, max_size=steps + 1))) if steps else ()
    days = st.tuples(st.integers(1, 12), st.integers(1, 28), st.integers(0, 23))
    return PriceFile(
        rates, thresholds, ladder, tuple(draw(st.lists(days, max_size=4))), draw(moments)
    )


@given(price_files())
def test_prices_come_back_without_their_fillings(file):
    raw = file.to_bytes(Profile.GW13)
    found = PriceFile.from_bytes(Profile.GW13, raw)
    assert found.to_bytes(Profile.GW13) == raw
    assert found.rates == file.rates[: len(found.rates)]
    assert set(file.rates[len(found.rates) :]) <= {found.rates[-1]}
    assert replace(found, rates=()) == replace(file, rates=())


@given(st.lists(prices, min_size=1, max_size=63))
def test_old_prices_come_back(rates):
    raw = PriceFile(tuple(rates)).to_bytes(Profile.GW09)
    assert PriceFile.from_bytes(Profile.GW09, raw).to_bytes(Profile.GW09) == raw


@pytest.mark.parametrize(
    ("raw", "decode"),
    [
        (PARAMETERS_OF_VECTOR.to_bytes(), Parameters.from_bytes),
        (RETURNED.to_bytes(), ReturnFile.from_bytes),
        (LADDER.to_bytes(Profile.GW13), lambda raw: PriceFile.from_bytes(Profile.GW13, raw)),
    ],
    ids=["parameters", "return", "prices"],
)
def test_every_corrupted_byte_and_every_truncation_is_found(raw, decode):
    for at in range(len(raw)):
        for change in (0x01, 0x80, 0xFF):
            spoilt = raw[:at] + bytes([raw[at] ^ change]) + raw[at + 1 :]
            with pytest.raises(CardFormatError):
                decode(spoilt)
        with pytest.raises(CardFormatError):
            decode(raw[:at])


def _with_checksum(raw: bytes) -> bytes:
    return raw[:-2] + bytes([sum(raw[1:-2]) % 256]) + raw[-1:]


@given(st.binary(max_size=300), st.booleans())
def test_garbage_raises_nothing_but_the_named_error(raw, framed_well):
    decoders = (
        (45, 0x01, Parameters.from_bytes),
        (8, None, Wallet.from_bytes),
        (49, 0x11, ReturnFile.from_bytes),
        (203, 0x01, lambda data: PriceFile.from_bytes(Profile.GW13, data)),
        (258, 0x01, lambda data: PriceFile.from_bytes(Profile.GW09, data)),
    )
    for size, command, decode in decoders:
        data = raw
        if framed_well and command is not None:
            body = raw[:size].ljust(size, b"\x00")[4:-2]
            data = b"\x68" + bytes([command]) + (size - 6).to_bytes(2, "big") + body + b"\x00\x16"
            data = _with_checksum(data)
        with suppress(CardFormatError):
            decode(data)
    assert is_blank(raw) == (not raw.startswith(b"\x68"))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"meter": "12345"}, "parameters.meter"),
        ({"meter": "00000012345A"}, "parameters.meter"),
        ({"customer": "１２３４５６７８９０１２"}, "parameters.customer"),  # Full-width digits.
        ({"alarm1_fen": 1_0000_0000}, "parameters.alarm1_fen"),
        ({"alarm2_fen": -1}, "parameters.alarm2_fen"),
        ({"ct": 1_000_000}, "parameters.ct"),
        ({"update_flag": 256}, "parameters.update_flag"),
        ({"switch_at": local("1999-12-31 00:00")}, "parameters.switch_at"),
        ({"switch_at": local("2026-01-01 00:00:01")}, "parameters.switch_at"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(change, field):
    with pytest.raises(CardFormatError) as refusal:
        replace(PARAMETERS_OF_VECTOR, **change).to_bytes()
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("change", "profile"),
    [
        ({"rates": (Decimal("0.00005"),)}, Profile.GW13),
        ({"rates": (Decimal("-0.1"),)}, Profile.GW13),
        ({"rates": (Decimal("10000"),)}, Profile.GW13),
        ({"rates": (Decimal("NaN"),)}, Profile.GW13),
        ({"rates": (Decimal("1E+999999"),)}, Profile.GW13),
        ({"rates": (Decimal(1),) * 33}, Profile.GW13),
        ({"rates": ()}, Profile.GW13),
        ({"thresholds": (Decimal(5), Decimal(5))}, Profile.GW13),
        ({"thresholds": (Decimal(5),)}, Profile.GW13),
        ({"thresholds": (Decimal(0), Decimal(5))}, Profile.GW13),
        ({"settlement_days": ((2, 30, 0),)}, Profile.GW13),
        ({"settlement_days": ((1, 1, 24),)}, Profile.GW13),
        ({"settlement_days": ((1, 1, 0),) * 5}, Profile.GW13),
        ({}, Profile.GW09),
    ],
)
def test_prices_that_do_not_fit_are_refused(change, profile):
    with pytest.raises(CardFormatError):
        replace(LADDER, **change).to_bytes(profile)


def test_no_switch_time_is_written_as_zeros_and_read_as_zeros_or_nines():
    raw = replace(PARAMETERS_OF_VECTOR, switch_at=None).to_bytes()
    assert fields(raw, PARAMETERS)["switch"] == "0000000000"
    nines = _with_checksum(raw[:10] + bytes.fromhex("9999999999") + raw[15:])
    assert Parameters.from_bytes(nines).switch_at is None
    impossible = _with_checksum(raw[:10] + bytes.fromhex("2613010000") + raw[15:])
    with pytest.raises(CardFormatError, match="2613010000"):
        Parameters.from_bytes(impossible)


def test_a_return_file_is_read_defensively():
    raw = RETURNED.to_bytes()
    binary = _with_checksum(raw[:31] + (0x0A0B).to_bytes(4, "big") + raw[35:])
    assert ReturnFile.from_bytes(binary).overdraft_fen == 0x0A0B
    no_time = _with_checksum(raw[:42] + bytes.fromhex("FFFFFFFFFF") + raw[47:])
    assert ReturnFile.from_bytes(no_time).returned_at is None
    assert is_blank(BLANK_RETURN)
    assert not is_blank(raw)
    with pytest.raises(CardFormatError):
        ReturnFile.from_bytes(BLANK_RETURN)


def test_shown_commands_hide_pins_and_keys():
    assert apdu.shown(bytes.fromhex("FF200000 03 112233")) == "FF 20 00 00 03 ** ** **"
    assert apdu.shown(bytes.fromhex("84D40101 02 ABCD")) == "84 D4 01 01 02 ** **"
    assert apdu.shown(bytes.fromhex("FFD20001 03 112233")).endswith("** ** **")
    assert apdu.shown(apdu.SELECT_MF) == "00 A4 00 00 02 3F 00"
    assert apdu.shown(b"") == ""
