"""The bench of the demonstration: cards that are moved by hand, and kept from start to start."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from station.prepaid.cards.layout import Parameters, PriceFile, Profile, Wallet
from station.simulator.bench import Bench
from station.simulator.card import BACKUP_PRICES, CURRENT_PRICES, PARAMETERS, WALLET

PRICES = PriceFile((Decimal("0.5"),)).to_bytes(Profile.GW13)
NOW = datetime.fromisoformat("2026-01-01T12:30")
METER, CUSTOMER = "000000123456", "000000654321"


def new_bench(folder: Path) -> Bench:
    return Bench(folder / "bench.json", bytes(range(16)), [METER], lambda: NOW)


def sold(bench: Bench, number: int) -> None:
    """Write an opening with 100 yuan on a card."""
    files = bench.cards[number].files
    files[PARAMETERS] = Parameters(METER, CUSTOMER, 1, 1, 0x83).to_bytes()
    files[WALLET] = Wallet(10000, 1).to_bytes()
    files[CURRENT_PRICES] = files[BACKUP_PRICES] = PRICES


def test_a_card_is_inserted_asked_and_pulled(tmp_path: Path) -> None:
    bench = new_bench(tmp_path)
    assert bench.power_on() is None
    bench.insert(3)
    atr = bench.power_on()
    assert atr == bench.cards[3].atr
    assert bench.transmit(atr, bytes.fromhex("00A4000002DF01")) == b"\x90\x00"
    bench.insert(4)
    assert bench.transmit(atr, bytes.fromhex("00B081002D")) is None, "another card lies there"
    bench.pull()
    assert bench.power_on() is None


def test_an_unplugged_reader_answers_nothing(tmp_path: Path) -> None:
    bench = new_bench(tmp_path)
    bench.insert(1)
    atr = bench.power_on()
    assert atr is not None
    bench.attach(attached=False)
    assert bench.transmit(atr, bytes.fromhex("00A4000002DF01")) is None


def test_a_card_is_carried_to_the_meter_and_labels_tell_where_things_stand(
    tmp_path: Path,
) -> None:
    bench = new_bench(tmp_path)
    assert {label.state for label in bench.labels()} == {"blank"}
    sold(bench, 2)
    bench.insert(2)
    label = bench.labels()[1]
    assert (label.state, label.meter, label.amount_fen) == ("waiting", METER, 10000)
    assert bench.carry(2, METER).credited_fen == 10000
    assert bench.inserted is None, "it was taken out of the reader"
    assert bench.labels()[1].state == "returned"
    bench.use(METER, 12050)
    assert bench.meters[METER].balance_fen == -2050
    with pytest.raises(KeyError):
        bench.carry(2, "000000000000")


def test_it_is_the_same_after_a_new_start(tmp_path: Path) -> None:
    bench = new_bench(tmp_path)
    sold(bench, 2)
    bench.carry(2, METER)
    again = new_bench(tmp_path)
    assert again.cards[2].files == bench.cards[2].files
    assert again.meters[METER].balance_fen == 10000
    assert again.meters[METER].rates == bench.meters[METER].rates
    assert again.carry(2, METER).credited_fen == 0, "the meter remembers"
