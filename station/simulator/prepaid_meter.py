"""A virtual local-fee meter: takes a card, credits it once, and writes back what it knows.

It follows the digest prepaid_card, section 9, row for row, and reads the card's bytes by itself, so
that the station's own layout is checked by other code. Two rules keep money right: a purchase is
credited only when the card's count is exactly one more than the meter's and its return file is
blank; and the meter fills the return file. Amounts are fen; below zero the customer is overdrawn.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal
from typing import NamedTuple

from station.prepaid.cards.layout import Profile
from station.simulator.card import (
    BACKUP_PRICES,
    CURRENT_PRICES,
    PARAMETERS,
    PRICE_SIZES,
    RETURN,
    SIZES,
    WALLET,
)
from station.simulator.card_session import CardSession, InsertedCard, MeterError

OPEN, PURCHASE, REPLACEMENT = 1, 2, 3
USER_CARD, RETURN_WRITE = 0x01, 0x11
BALANCE_MAX_FEN = 999_999_99

CARD_TYPE, NOT_AUTHORISED, METER_NUMBER, CUSTOMER_NUMBER, CARD_SERIAL, FORMAT = 8, 9, 11, 12, 13, 14
NOT_OPENED_PURCHASE, NOT_OPENED_REPLACEMENT, COUNT, NOT_BLANK, HOARDING = 15, 16, 17, 18, 21
COUNTED_AS_ILLEGAL = frozenset({4, 5, 6, 9, 10})  # [1 S1]
DISPLAYS = ((3, "Err-31"), (10, "Err-32"), (13, "Err-33"), (18, "Err-34"), (20, "Err-35"),
            (21, "Err-36"))  # fmt: skip

# What a card that is no opening card may change: its backup sets only.
FLAGS_OF_OTHERS = 0x7A
ALL_PARAMETERS, CURRENT_RATES, BACKUP_RATES, CURRENT_LADDER, BACKUP_LADDER = 0x80, 1, 2, 4, 8

RATES = slice(4, 132)  # Of a GW13 price file.
LADDER = slice(132, 196)
THRESHOLDS = slice(0, 24)  # Of the ladder.
DAYS = slice(52, 64)
LADDER_SWITCH = slice(196, 201)
NO_DAYS = (bytes(12), bytes.fromhex("99" * 12))
PRICE_SIZE = 4


class MeterResult(NamedTuple):
    """What an insertion came to: the code (0 is well), what was credited, what the meter shows."""

    code: int
    credited_fen: int
    display: str


class Deed(NamedTuple):
    """What a row of the decision table does."""

    code: int = 0
    credits: bool = False
    updates: bool = False
    binds: bool = False


# By the card's count less the meter's (held to -1..2), and whether the return file is blank.
DEEDS = {
    (-1, True): Deed(binds=True),
    (-1, False): Deed(binds=True),
    (0, True): Deed(updates=True, binds=True),
    (0, False): Deed(),
    (1, True): Deed(credits=True, updates=True, binds=True),
    (1, False): Deed(code=NOT_BLANK),
    (2, True): Deed(code=COUNT),
    (2, False): Deed(code=COUNT),
}


class OnCard(NamedTuple):
    """The parameter file, as the meter reads it (section 4)."""

    flag: int
    switch_at: bytes
    alarm1_fen: int
    alarm2_fen: int
    ct: int
    pt: int
    meter: str
    customer: str
    card_type: int


@dataclass
class Prices:
    """The price sets of the meter, as the card brought them."""

    current: bytes = b""
    backup: bytes = b""
    current_ladder: bytes = b""
    backup_ladder: bytes = b""
    switch_at: bytes = bytes(5)
    ladder_switch_at: bytes = bytes(5)


def _local_time() -> datetime:
    return datetime.now(timezone.utc).astimezone().replace(tzinfo=None)


@dataclass
class VirtualMeter:
    """One meter; `customer` is empty until it is opened."""

    meter: str
    root: bytes
    profile: Profile = Profile.GW13
    hoarding_fen: int = 0  # 0 is off.
    public_keys: bool = False  # A meter that was never given its keys takes no user card.
    needs_settlement_day: bool = False  # One firmware refuses thresholds without one [1 S1].
    clock: Callable[[], datetime] = _local_time
    customer: str = ""
    bound_serial: bytes = b""
    balance_fen: int = 0
    count: int = 0
    illegal_count: int = 0
    alarm1_fen: int = 0
    alarm2_fen: int = 0
    ct: int = 1
    pt: int = 1
    prices: Prices = field(default_factory=Prices)
    result: MeterResult | None = None  # Of the last insertion.

    def insert(self, card: InsertedCard, commands_max: int | None = None) -> MeterResult:
        """Take a card until it is done with it, or until it is pulled after so many commands."""
        before_fen = self.balance_fen
        try:
            code = self._serve(CardSession(card, self.root, commands_max))
        except MeterError as error:
            code = error.code
            self.illegal_count += code in COUNTED_AS_ILLEGAL
        self.result = MeterResult(code, self.balance_fen - before_fen, self._display(code))
        return self.result

    def use(self, amount_fen: int) -> None:
        """Take energy worth an amount; the balance may fall below zero."""
        self.balance_fen -= amount_fen

    @property
    def rates(self) -> tuple[Decimal, ...]:
        """The prices of the current set in yuan per kWh, as many as the card brought."""
        parts = range(0, len(self.prices.current), PRICE_SIZE)
        return tuple(_amount(self.prices.current[at : at + PRICE_SIZE], 4) for at in parts)

    def _serve(self, session: CardSession) -> int:
        head = session.read(PARAMETERS, 4)
        if head[0] == 0x68 and (self.public_keys or head[1] != USER_CARD):
            raise MeterError(NOT_AUTHORISED)
        session.check_card()
        on_card = _parameters(_unframed(session.read(PARAMETERS, SIZES[PARAMETERS]), USER_CARD))
        session.prove_itself()
        returned = session.read(RETURN, SIZES[RETURN])
        wallet = session.read_sealed(WALLET)
        amount_fen, count = (int.from_bytes(part, "big") for part in (wallet[:4], wallet[4:]))
        self._check(on_card, session.serial, count)
        is_blank = returned[0] != 0x68 and not any(returned[5:8])
        deed = DEEDS[max(-1, min(2, count - self.count)), is_blank]
        another = session.serial != self.bound_serial
        if deed == Deed() and on_card.card_type != PURCHASE and another:
            raise MeterError(CARD_SERIAL)
        self._do(deed, session, on_card, amount_fen)
        session.write(RETURN, self._return_file())
        return deed.code

    def _check(self, on_card: OnCard, serial: bytes, count: int) -> None:
        """Raise what forbids the card before its count is looked at."""
        kind = on_card.card_type
        if on_card.meter != self.meter:
            raise MeterError(METER_NUMBER)
        if kind not in (OPEN, PURCHASE, REPLACEMENT):
            raise MeterError(CARD_TYPE)
        if self.customer:
            if on_card.customer != self.customer:
                raise MeterError(CUSTOMER_NUMBER)
            if kind == PURCHASE and serial != self.bound_serial:
                raise MeterError(CARD_SERIAL)
        elif kind != OPEN:
            raise MeterError(NOT_OPENED_PURCHASE if kind == PURCHASE else NOT_OPENED_REPLACEMENT)
        if kind == OPEN and count > 1:
            raise MeterError(COUNT)

    def _do(self, deed: Deed, session: CardSession, on_card: OnCard, amount_fen: int) -> None:
        """Do what the row says; what could refuse is done before anything is changed."""
        total_fen = self.balance_fen + amount_fen
        if deed.credits and total_fen > min(self.hoarding_fen or BALANCE_MAX_FEN, BALANCE_MAX_FEN):
            raise MeterError(HOARDING)
        prices = self._new_prices(session, on_card) if deed.updates else self.prices
        if deed.credits:
            self.balance_fen = total_fen
            self.count += 1
        if deed.updates:
            self.prices = prices
            if self._flag(on_card) & ALL_PARAMETERS:
                self.alarm1_fen, self.alarm2_fen = on_card.alarm1_fen, on_card.alarm2_fen
                self.ct, self.pt = on_card.ct, on_card.pt
            if on_card.card_type == OPEN:
                self.customer = on_card.customer
        if deed.binds and on_card.card_type != PURCHASE:
            self.bound_serial = session.serial

    def _flag(self, on_card: OnCard) -> int:
        flag = 0 if on_card.flag == 0xFF else on_card.flag
        return flag if on_card.card_type == OPEN else flag & FLAGS_OF_OTHERS

    def _new_prices(self, session: CardSession, on_card: OnCard) -> Prices:
        flag = self._flag(on_card)
        old = self.prices
        current, ladder, _ = self._price_file(session, CURRENT_PRICES, flag & 0x01, flag & 0x04)
        backup, backup_ladder, at = self._price_file(session, BACKUP_PRICES, flag & 2, flag & 8)
        return Prices(
            current=current or old.current,
            backup=backup or old.backup,
            current_ladder=ladder or old.current_ladder,
            backup_ladder=backup_ladder or old.backup_ladder,
            switch_at=on_card.switch_at if backup else old.switch_at,
            ladder_switch_at=at if backup_ladder else old.ladder_switch_at,
        )

    def _price_file(
        self, session: CardSession, file: int, wants_rates: int, wants_ladder: int
    ) -> tuple[bytes, bytes, bytes]:
        """Return rates, ladder and its switch time of a price file, empty where not wanted."""
        has_ladder = self.profile is Profile.GW13
        if not wants_rates and not (wants_ladder and has_ladder):
            return b"", b"", b""
        raw = session.read(file, PRICE_SIZES[self.profile])
        content = _unframed(raw, USER_CARD)
        if not has_ladder:
            return content, b"", b""
        ladder = raw[LADDER] if wants_ladder else b""
        if not ladder.hex().isdecimal() and ladder:
            raise MeterError(FORMAT)
        if self.needs_settlement_day and any(ladder[THRESHOLDS]) and ladder[DAYS] in NO_DAYS:
            raise MeterError(FORMAT)
        return raw[RATES] if wants_rates else b"", ladder, raw[LADDER_SWITCH]

    def _return_file(self) -> bytes:
        """Return what the meter writes on the card (section 7)."""
        data = b"\x00" + _bcd(self.ct, 3) + _bcd(self.pt, 3)
        data += bytes.fromhex(self.meter) + bytes.fromhex(self.customer or "0" * 12)
        data += max(0, self.balance_fen).to_bytes(4, "big") + self.count.to_bytes(4, "big")
        data += _bcd(max(0, -self.balance_fen), 4) + bytes(4) + _bcd(self.illegal_count, 3)
        data += bytes.fromhex(f"{self.clock():%y%m%d%H%M}")
        return _framed(RETURN_WRITE, data)

    def _display(self, code: int) -> str:
        if code:
            return next(text for last, text in DISPLAYS if code <= last)
        return f"{'-' if self.balance_fen < 0 else ''}{abs(self.balance_fen) / Decimal(100):.2f}"


def _framed(command: int, data: bytes) -> bytes:
    body = bytes([command]) + len(data).to_bytes(2, "big") + data
    return b"\x68" + body + bytes([sum(body) & 0xFF, 0x16])


def _unframed(raw: bytes, command: int) -> bytes:
    """Return what a file holds (section 3)."""
    data = raw[4:-2]
    if raw != _framed(command, data):
        raise MeterError(FORMAT)
    return data


def _parameters(data: bytes) -> OnCard:
    """Return the fields; the offsets are those of the file less its head of 4."""
    return OnCard(
        flag=data[1],
        switch_at=data[6:11],
        alarm1_fen=_number(data[12:16]),
        alarm2_fen=_number(data[16:20]),
        ct=_number(data[20:23]),
        pt=_number(data[23:26]),
        meter=data[26:32].hex(),
        customer=data[32:38].hex(),
        card_type=data[38],
    )


def _number(raw: bytes) -> int:
    if not raw.hex().isdecimal():
        raise MeterError(FORMAT)
    return int(raw.hex())


def _amount(raw: bytes, decimals: int) -> Decimal:
    return Decimal(_number(raw)).scaleb(-decimals)


def _bcd(number: int, size: int) -> bytes:
    return bytes.fromhex(f"{number:0{2 * size}d}")
