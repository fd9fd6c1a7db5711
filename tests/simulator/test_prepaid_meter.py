"""The virtual prepayment meter: every row of the digest's decision table, and every code.

The cards are filled through the station's layout, so that the meter's own reading checks it.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

import pytest

from station.prepaid.cards.layout import Parameters, PriceFile, Profile, ReturnFile, Wallet
from station.simulator.card import (
    BACKUP_PRICES,
    CURRENT_PRICES,
    PARAMETERS,
    RETURN,
    WALLET,
    VirtualCard,
)
from station.simulator.prepaid_meter import MeterResult, VirtualMeter

ROOT = bytes(range(16))
NUMBER = "000000123456"
CUSTOMER = "000000654321"
NOW = datetime.fromisoformat("2026-01-01T12:30")
MINE, OTHER = bytes.fromhex("3100000000000001"), bytes.fromhex("3100000000000002")
MAIN = PriceFile((Decimal("1.2"), Decimal("0.9"), Decimal("0.6"), Decimal("0.3001")))
BACKUP = PriceFile((Decimal("2"),), (Decimal(180),), (Decimal("0.5"), Decimal("0.8")))
FIELDS = Parameters(
    meter=NUMBER, customer=CUSTOMER, card_type=1, user_type=2, update_flag=0x8F,
    switch_at=datetime.fromisoformat("2026-07-01"), alarm1_fen=5000, alarm2_fen=2000, ct=3, pt=2,
)  # fmt: skip
RETURNED = ReturnFile(NUMBER, CUSTOMER, 1, 1, 1000, 1, 0, 0, NOW)


def card_with(
    fields: Parameters = FIELDS,
    amount_fen: int = 10000,
    count: int = 1,
    *,
    serial: bytes = MINE,
    blank: bool = True,
    profile: Profile = Profile.GW13,
) -> VirtualCard:
    card = VirtualCard(serial, ROOT, profile)
    card.files[PARAMETERS] = fields.to_bytes()
    card.files[WALLET] = Wallet(amount_fen, count).to_bytes()
    card.files[CURRENT_PRICES] = MAIN.to_bytes(profile)
    backup = BACKUP if profile is Profile.GW13 else MAIN
    card.files[BACKUP_PRICES] = backup.to_bytes(profile)
    card.files[RETURN] = bytes(49) if blank else RETURNED.to_bytes()
    return card


def new_meter(**state: object) -> VirtualMeter:
    return VirtualMeter(NUMBER, ROOT, clock=lambda: NOW, **state)


def opened_meter(**state: object) -> VirtualMeter:
    """A meter that has taken three purchases from the card MINE."""
    return new_meter(
        **{"customer": CUSTOMER, "bound_serial": MINE, "balance_fen": 500, "count": 3} | state
    )


def test_an_opening_card_opens_credits_and_brings_all_parameters() -> None:
    meter, card = new_meter(), card_with()
    assert meter.insert(card) == MeterResult(0, 10000, "100.00")
    assert (meter.customer, meter.bound_serial, meter.count) == (CUSTOMER, MINE, 1)
    assert (meter.alarm1_fen, meter.alarm2_fen, meter.ct, meter.pt) == (5000, 2000, 3, 2)
    assert meter.rates[:4] == MAIN.rates
    assert meter.prices.backup == BACKUP.to_bytes(Profile.GW13)[4:132]
    assert meter.prices.backup_ladder == BACKUP.to_bytes(Profile.GW13)[132:196]
    assert meter.prices.switch_at.hex() == "2607010000"


def test_the_return_file_tells_the_station_what_the_meter_knows() -> None:
    meter, card = opened_meter(balance_fen=-250, illegal_count=7, ct=3), card_with()
    card.files[PARAMETERS] = replace(FIELDS, card_type=2, update_flag=0).to_bytes()
    card.files[WALLET] = Wallet(0, 4).to_bytes()
    assert meter.insert(card).display == "-2.50"
    assert ReturnFile.from_bytes(card.files[RETURN]) == ReturnFile(
        meter=NUMBER, customer=CUSTOMER, ct=3, pt=1, remaining_fen=0, count=4,
        overdraft_fen=250, illegal_count=7, returned_at=NOW,
    )  # fmt: skip


def test_one_card_credits_once() -> None:
    meter, card = new_meter(), card_with()
    assert [meter.insert(card).credited_fen for _ in range(3)] == [10000, 0, 0]
    assert meter.balance_fen == 10000


@dataclass(frozen=True)
class Row:
    """A row of the table, for an opened meter that counts three."""

    difference: int
    blank: bool
    kind: int
    serial: bytes
    code: int = 0
    credits: bool = False
    updates: bool = False
    binds: bool = False
    writes_back: bool = True


ROWS = [
    Row(-1, True, 2, MINE),
    Row(-1, False, 2, MINE),
    Row(-2, True, 3, OTHER, binds=True),
    Row(-2, False, 1, OTHER, binds=True),
    Row(0, True, 2, MINE, updates=True),
    Row(0, True, 3, OTHER, updates=True, binds=True),
    Row(0, False, 2, MINE),
    Row(0, False, 3, MINE),
    Row(0, False, 3, OTHER, code=13, writes_back=False),
    Row(0, False, 1, OTHER, code=17, writes_back=False),
    Row(1, False, 2, MINE, code=18),
    Row(1, False, 3, OTHER, code=18),
    Row(1, True, 2, MINE, credits=True, updates=True),
    Row(1, True, 3, OTHER, credits=True, updates=True, binds=True),
    Row(2, True, 2, MINE, code=17),
    Row(2, False, 3, OTHER, code=17),
    Row(9, True, 2, MINE, code=17),
    Row(1, True, 2, OTHER, code=13, writes_back=False),
]


@pytest.mark.parametrize("row", ROWS)
def test_every_row_of_the_table(row: Row) -> None:
    meter = opened_meter()
    fields = replace(FIELDS, card_type=row.kind, update_flag=0xFF & ~0x10)
    card = card_with(fields, 10000, 3 + row.difference, serial=row.serial, blank=row.blank)
    before = card.files[RETURN]
    result = meter.insert(card)
    assert (result.code, result.credited_fen) == (row.code, 10000 if row.credits else 0)
    assert meter.balance_fen == (10500 if row.credits else 500)
    assert meter.count == (4 if row.credits else 3)
    assert bool(meter.prices.backup) == row.updates
    assert not meter.prices.current, "only an opening card may change the current set"
    assert (meter.bound_serial == OTHER) == row.binds
    written = card.files[RETURN] != before
    assert written == row.writes_back
    if written:
        assert ReturnFile.from_bytes(card.files[RETURN]).count == meter.count


@pytest.mark.parametrize("count", [0, 1])
def test_an_opening_card_may_come_again_while_the_count_is_young(count: int) -> None:
    """A replacement of a first card is an opening card of the same count (section 8, b)."""
    meter = opened_meter(count=count, balance_fen=0)
    card = card_with(FIELDS, 10000, 1, serial=OTHER)
    assert meter.insert(card).credited_fen == (10000 if count == 0 else 0)
    assert meter.bound_serial == OTHER
    assert meter.rates[:4] == MAIN.rates


def test_an_opening_card_read_back_but_not_mine_is_refused() -> None:
    meter = opened_meter(count=1)
    assert meter.insert(card_with(count=1, serial=OTHER, blank=False)).code == 13


REFUSALS = [
    (replace(FIELDS, meter="000000999999"), 1, "opened", 11, "Err-33"),
    (replace(FIELDS, card_type=0), 1, "opened", 8, "Err-32"),
    (replace(FIELDS, card_type=4), 1, "new", 8, "Err-32"),
    (replace(FIELDS, customer="000000999999"), 4, "opened", 12, "Err-33"),
    (replace(FIELDS, card_type=2), 1, "new", 15, "Err-34"),
    (replace(FIELDS, card_type=3), 1, "new", 16, "Err-34"),
    (FIELDS, 2, "new", 17, "Err-34"),
]


@pytest.mark.parametrize(("fields", "count", "state", "code", "display"), REFUSALS)
def test_a_card_that_is_not_for_this_meter(
    fields: Parameters, count: int, state: str, code: int, display: str
) -> None:
    meter = new_meter() if state == "new" else opened_meter()
    card = card_with(fields, 10000, count)
    assert meter.insert(card) == MeterResult(code, 0, display)
    assert card.files[RETURN] == bytes(49)
    assert meter.illegal_count == 0


@pytest.mark.parametrize(
    ("limit_fen", "amount_fen", "code"),
    [(10500, 10000, 0), (10499, 10000, 21), (0, 999_994_99, 0), (0, 999_995_00, 21)],
)
def test_the_hoarding_limit_and_the_meters_own(limit_fen: int, amount_fen: int, code: int) -> None:
    meter = opened_meter(hoarding_fen=limit_fen)
    card = card_with(replace(FIELDS, card_type=2, update_flag=0), amount_fen, 4)
    assert meter.insert(card).code == code
    assert meter.balance_fen == 500 + (0 if code else amount_fen)
    assert (card.files[RETURN] == bytes(49)) == bool(code)


def test_a_card_of_other_keys_is_illegal_and_counted() -> None:
    meter = new_meter()
    foreign = VirtualCard(MINE, bytes(16))
    foreign.files[PARAMETERS] = FIELDS.to_bytes()
    assert meter.insert(foreign) == MeterResult(5, 0, "Err-32")
    assert meter.illegal_count == 1


@pytest.mark.parametrize(
    ("head", "code", "illegal"),
    [("00B099", 4, 1), ("0082", 6, 1), ("04B082", 19, 0), ("00B08200", 0, 0), ("04D685", 19, 0)],
)
def test_what_a_card_refuses_has_its_code(head: str, code: int, illegal: int) -> None:
    meter, card = new_meter(), card_with()
    card.refusals[bytes.fromhex(head)] = 0x6581
    assert meter.insert(card).code == code
    assert meter.illegal_count == illegal


def test_a_wallet_whose_mac_is_wrong_is_not_credited() -> None:
    class Liar(VirtualCard):
        def transmit(self, apdu: bytes) -> bytes:
            answer = super().transmit(apdu)
            return b"\x00\x00\xff\xff" + answer[4:] if len(answer) == 14 else answer

    meter, card = new_meter(), Liar(MINE, ROOT)
    card.files |= card_with().files
    assert meter.insert(card) == MeterResult(10, 0, "Err-32")
    assert meter.illegal_count == 1


def test_chips_without_application_preset_cards_and_broken_frames() -> None:
    assert new_meter().insert(VirtualCard(MINE, ROOT, issued=False)).code == 7
    preset = card_with()
    preset.files[PARAMETERS] = b"\x68\x06" + preset.files[PARAMETERS][2:]
    assert new_meter().insert(preset).code == 9
    assert new_meter(public_keys=True).insert(card_with()).code == 9
    for place in (0, 2, 43, 44):
        broken = card_with()
        content = bytearray(broken.files[PARAMETERS])
        content[place] ^= 1
        broken.files[PARAMETERS] = bytes(content)
        assert new_meter().insert(broken).code == 14


def test_prices_that_are_wrong_keep_the_money_on_the_card() -> None:
    meter, card = new_meter(), card_with()
    card.files[CURRENT_PRICES] = bytes(203)
    assert meter.insert(card).code == 14
    assert (meter.balance_fen, meter.customer) == (0, "")
    assert card.files[RETURN] == bytes(49)
    assert new_meter(needs_settlement_day=True).insert(card_with()).code == 14


def test_a_card_of_2009() -> None:
    meter = new_meter(profile=Profile.GW09)
    card = card_with(replace(FIELDS, update_flag=0x83), profile=Profile.GW09)
    assert meter.insert(card).credited_fen == 10000
    assert len(meter.rates) == 63
    assert meter.rates[3] == Decimal("0.3001")


def test_a_card_pulled_at_any_moment_credits_once() -> None:
    """The meter counts before it writes back: however early the card goes, it credits once."""
    commands = 0
    while True:
        meter, card = new_meter(), card_with()
        first = meter.insert(card, commands)
        assert first.code in (0, 20)
        assert first.credited_fen + meter.insert(card).credited_fen == 10000
        assert meter.balance_fen == 10000
        if first.code == 0:
            break
        commands += 1
    assert commands > 15
