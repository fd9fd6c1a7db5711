"""A bench without hardware: a stock of cards, one card reader, and meters that take the cards.

A person moves cards by clicking, while the station talks with the card in the reader from a worker
thread; one lock keeps the two apart. What cards and meters hold is kept in a file after everything
that changes it, so that it fits the station's database at the next start.
"""

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from station.prepaid.cards.layout import CardFormatError, Parameters, Wallet, is_blank
from station.simulator.card import PARAMETERS, RETURN, WALLET, VirtualCard
from station.simulator.prepaid_meter import MeterResult, Prices, VirtualMeter

CARDS = 12  # Enough to open every meter of the bench, and to lose some.
SERIALS = 0x3100_0000_0000_0000  # And the number of the card.
WRITES = 0xD6  # INS of the command that changes a card.

# What is kept of a meter, beside its customer and the card it is bound to.
NUMBERS = ("balance_fen", "count", "illegal_count", "alarm1_fen", "alarm2_fen", "ct", "pt")
PRICES = ("current", "backup", "current_ladder", "backup_ladder", "switch_at", "ladder_switch_at")

CardState = Literal["blank", "waiting", "returned", "foreign"]


@dataclass(frozen=True)
class CardLabel:
    """What one can tell of a card: whose it is, and whether its purchase still has to be entered.

    "waiting": the meter has not seen what was written last; "returned": the meter wrote back.
    """

    number: int
    serial: str
    state: CardState
    meter: str = ""
    customer: str = ""
    amount_fen: int = 0
    count: int = 0


@dataclass
class Bench:
    """The bench; `cards` are by their number, from 1, and `meters` by theirs."""

    path: Path
    root: bytes
    meter_numbers: Sequence[str]
    clock: Callable[[], datetime]
    inserted: int | None = None
    is_attached: bool = True
    cards: dict[int, VirtualCard] = field(init=False)
    meters: dict[str, VirtualMeter] = field(init=False)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self.cards = {
            number: VirtualCard((SERIALS + number).to_bytes(8, "big"), self.root)
            for number in range(1, CARDS + 1)
        }
        self.meters = {
            number: VirtualMeter(number, self.root, clock=self.clock)
            for number in self.meter_numbers
        }
        if self.path.exists():
            self._load(json.loads(self.path.read_text(encoding="utf-8")))

    # --- by hand --------------------------------------------------------------------------------

    def insert(self, number: int) -> None:
        """Put a card into the reader; one that was there comes out. KeyError for no such card."""
        with self._lock:
            self.cards[number].power_on()
            self.inserted = number

    def pull(self) -> None:
        """Take the card out of the reader, whatever the station is doing with it."""
        with self._lock:
            self.inserted = None

    def attach(self, *, attached: bool) -> None:
        """Plug the reader in, or out with the card in it."""
        with self._lock:
            self.is_attached = attached

    def carry(self, number: int, meter: str) -> MeterResult:
        """Take a card to a meter and back; KeyError where there is no such card or meter."""
        with self._lock:
            card, target = self.cards[number], self.meters[meter]
            if self.inserted == number:
                self.inserted = None
            result = target.insert(card)
            self._save()
            return result

    def use(self, meter: str, amount_fen: int) -> None:
        """Have a customer use energy worth an amount. KeyError where there is no such meter."""
        with self._lock:
            self.meters[meter].use(amount_fen)
            self._save()

    def labels(self) -> list[CardLabel]:
        """Return what can be told of every card."""
        return [_label(number, card) for number, card in self.cards.items()]

    # --- by the station -------------------------------------------------------------------------

    def power_on(self) -> bytes | None:
        """Power the card in the reader and return its ATR; None when there is none."""
        with self._lock:
            if self.inserted is None:
                return None
            card = self.cards[self.inserted]
            card.power_on()
            return card.atr

    def transmit(self, atr: bytes, apdu: bytes) -> bytes | None:
        """Ask the card that answered with this ATR; None when it is not in the reader any more."""
        with self._lock:
            card = None if self.inserted is None else self.cards[self.inserted]
            if card is None or card.atr != atr or not self.is_attached:
                return None
            answer = card.transmit(apdu)
            if apdu[1] == WRITES:
                self._save()
            return answer

    # --- from one start to the next -------------------------------------------------------------

    def _save(self) -> None:
        cards = {
            number: {file: content.hex() for file, content in card.files.items()}
            for number, card in self.cards.items()
        }
        meters = {number: _saved(meter) for number, meter in self.meters.items()}
        temporary = self.path.with_suffix(".new")
        temporary.write_text(json.dumps({"cards": cards, "meters": meters}), encoding="utf-8")
        temporary.replace(self.path)

    def _load(self, saved: dict[str, Any]) -> None:
        for number, files in saved["cards"].items():
            card = self.cards[int(number)]
            card.files = {int(file): bytes.fromhex(content) for file, content in files.items()}
        for number, state in saved["meters"].items():
            if number in self.meters:
                _restore(self.meters[number], state)


def _saved(meter: VirtualMeter) -> dict[str, Any]:
    return {
        "customer": meter.customer,
        "bound_serial": meter.bound_serial.hex(),
        "numbers": {name: getattr(meter, name) for name in NUMBERS},
        "prices": {name: getattr(meter.prices, name).hex() for name in PRICES},
    }


def _restore(meter: VirtualMeter, state: dict[str, Any]) -> None:
    meter.customer = state["customer"]
    meter.bound_serial = bytes.fromhex(state["bound_serial"])
    for name, value in state["numbers"].items():
        setattr(meter, name, value)
    meter.prices = Prices(**{name: bytes.fromhex(raw) for name, raw in state["prices"].items()})


def _label(number: int, card: VirtualCard) -> CardLabel:
    serial = card.serial.hex().upper()
    try:
        held = Parameters.from_bytes(card.files[PARAMETERS])
    except CardFormatError:
        return CardLabel(number, serial, "foreign")
    if not held.card_type:
        return CardLabel(number, serial, "blank")
    wallet = Wallet.from_bytes(card.files[WALLET])
    state: CardState = "waiting" if is_blank(card.files[RETURN]) else "returned"
    return CardLabel(
        number, serial, state, held.meter, held.customer, wallet.amount_fen, wallet.count
    )
