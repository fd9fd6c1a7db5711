"""The conversation with a user card as steps: no reader, no thread, no key in here.

Rules: a dialogue yields commands and gets answers; `run_dialogue` carries them over any channel.
Writing looks at the card first, asks `decide` what it should hold, makes sure that the same card
still lies there, proves both sides to each other, and writes each file and reads it back; the
wallet is the last, because only it makes the meter credit (digest section 8).
"""

import secrets
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar

from station.errors import CardError, CardFailed, WrongCard
from station.prepaid.cards import apdu
from station.prepaid.cards.apdu import Response
from station.prepaid.cards.fields import START
from station.prepaid.cards.layout import (
    BLANK_RETURN,
    LAYOUTS,
    NOBODY,
    PARAMETERS_SIZE,
    RETURN_SIZE,
    WALLET_SIZE,
    CardFormatError,
    Parameters,
    PriceFile,
    Profile,
    ReturnFile,
    Wallet,
    is_blank,
)
from station.prepaid.cards.security import CardSecurity, is_genuine

FETCHES_MAX = 8  # Answers in a row that announce more; 2048 bytes are more than any file holds.
SERIAL_SIZE, CHALLENGE_SIZE, MAC_CHALLENGE_SIZE = 8, 8, 4

SELECT, SERIAL = "select", "serial"
READ_PARAMETERS, READ_WALLET, READ_RETURN = "read parameters", "read wallet", "read return file"
READ_PRICES, CHALLENGE, READ_BACK = "read prices", "challenge", "read back"
AUTHENTICATE_CARD, AUTHENTICATE_READER = "authenticate card", "authenticate reader"
WRITE_PRICES, WRITE_BACKUP = "write prices", "write backup prices"
WRITE_PARAMETERS, CLEAR_RETURN = "write parameters", "clear return file"
WRITE_WALLET = "write wallet"

State = Literal["unissued", "blank", "in_use", "foreign"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step:
    """One command, and what it is for; `writes` when it changes the card."""

    name: str
    apdu: bytes
    writes: bool = False


Dialogue = Generator[Step, Response, T]


@dataclass(frozen=True, slots=True)
class CardContents:
    """What a card holds. `problem` says in words why a card is foreign or a file unreadable.

    A foreign card that has proved itself is one of ours with a spoilt file, as a write that was
    cut may leave it: it is written again when `decide` says so.
    """

    serial: str  # 16 hexadecimal digits; empty on a chip that has none
    state: State
    profile: Profile | None = None
    parameters: Parameters | None = None
    wallet: Wallet | None = None
    returned: ReturnFile | None = None  # None when blank, and when unreadable
    return_is_blank: bool = True
    problem: str = ""
    is_proved: bool = True  # It knows the key of this utility.


@dataclass(frozen=True, slots=True)
class CardFiles:
    """What a card is to hold; a price set of None is left as it lies there."""

    profile: Profile
    parameters: Parameters
    wallet: Wallet
    current: PriceFile | None = None
    backup: PriceFile | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What a write found and left; `already` when the card carried it before."""

    before: CardContents
    contents: CardContents
    already: bool


Decide = Callable[[CardContents], CardFiles | None]


class _FileWrite(NamedTuple):
    name: str
    file: int
    data: bytes
    parts: tuple[tuple[int, int], ...]


def cleared(profile: Profile) -> CardFiles:
    """Return the files of a card that is made blank again (digest section 8, clear)."""
    return CardFiles(
        profile,
        Parameters(NOBODY, NOBODY, card_type=0, user_type=0, update_flag=0, ct=0, pt=0),
        Wallet(0, 0),
        current=PriceFile(()),
        backup=PriceFile(()),
    )


# --- reading ------------------------------------------------------------------------------------


def read_card(security: CardSecurity) -> Dialogue[CardContents]:
    """Read what a card holds; a card that cannot prove that it is ours is "foreign"."""
    serial = yield from _serial()
    if serial is None or not (yield from _is_ok(SELECT, apdu.SELECT_APPLICATION)):
        digits = "" if serial is None else serial.hex().upper()
        return CardContents(digits, "unissued", is_proved=False)
    digits = serial.hex().upper()
    raw = yield from _read(READ_PARAMETERS, apdu.PARAMETERS, PARAMETERS_SIZE)
    if raw is None:
        return CardContents(digits, "unissued", is_proved=False)
    raw_wallet = yield from _read(READ_WALLET, apdu.WALLET, WALLET_SIZE)
    raw_return = yield from _read(READ_RETURN, apdu.RETURN, RETURN_SIZE)
    profile = yield from _profile()
    if raw_wallet is None or raw_return is None or profile is None:
        problem = "the card lacks a file of a user card"
        return CardContents(digits, "foreign", problem=problem, is_proved=False)
    if not (yield from _card_proves_itself(security, serial)):
        problem = "the card does not know the key of this utility"
        return CardContents(digits, "foreign", profile, problem=problem, is_proved=False)
    return _contents(digits, profile, raw, raw_wallet, raw_return)


def _contents(
    serial: str, profile: Profile, raw: bytes, raw_wallet: bytes, raw_return: bytes
) -> CardContents:
    wallet, blank, returned, problem = Wallet.from_bytes(raw_wallet), is_blank(raw_return), None, ""
    if not blank:
        try:
            returned = ReturnFile.from_bytes(raw_return)
        except CardFormatError as error:
            problem = str(error)
    if not any(raw):
        return CardContents(serial, "blank", profile, None, wallet, returned, blank, problem)
    try:
        parameters = Parameters.from_bytes(raw)
    except CardFormatError as error:
        return CardContents(serial, "foreign", profile, None, wallet, returned, blank, str(error))
    is_used = (parameters.meter, parameters.customer) != (NOBODY, NOBODY)
    state: State = "in_use" if is_used else "blank"
    return CardContents(serial, state, profile, parameters, wallet, returned, blank, problem)


def _serial() -> Dialogue[bytes | None]:
    yield from _is_ok(SELECT, apdu.SELECT_MF)
    data, sw = yield Step(SERIAL, apdu.READ_SERIAL)
    return data if sw == apdu.OK and len(data) == SERIAL_SIZE else None


def _profile() -> Dialogue[Profile | None]:
    """Find the card's rule: the frame of its price file says it, or else the file's size."""
    head = yield from _read(READ_PRICES, apdu.CURRENT_PRICES, 4)
    if head is None:
        return None
    if head[0] == START:
        length = int.from_bytes(head[2:4], "big") + 6
        sizes = {layout.price_size: profile for profile, layout in LAYOUTS.items()}
        return sizes.get(length)
    beyond = LAYOUTS[Profile.GW13].price_size
    more = yield from _read(READ_PRICES, apdu.CURRENT_PRICES, 1, offset=beyond)
    return Profile.GW13 if more is None else Profile.GW09


def _read(name: str, file: int, size: int, offset: int = 0) -> Dialogue[bytes | None]:
    """Read a part of a file; None when the card has not got it."""
    data, sw = yield Step(name, apdu.read(file, offset, size))
    return data if sw == apdu.OK and len(data) == size else None


def _is_ok(name: str, command: bytes) -> Dialogue[bool]:
    answer = yield Step(name, command)
    return answer.sw == apdu.OK


def _card_proves_itself(security: CardSecurity, serial: bytes) -> Dialogue[bool]:
    challenge = secrets.token_bytes(CHALLENGE_SIZE)
    answer = yield Step(AUTHENTICATE_CARD, apdu.internal_authenticate(challenge))
    return answer.sw == apdu.OK and is_genuine(security, serial, challenge, answer.data)


# --- writing ------------------------------------------------------------------------------------


def write_card(decide: Decide, security: CardSecurity) -> Dialogue[Written]:
    """Read the card, let `decide` say what it is to hold, and write that; the wallet last.

    `decide` returns None when the card carries it already, and raises WrongCard for a card that
    it must not touch. Raises CardFailed when the card refuses, or holds something else afterwards.
    """
    before = yield from read_card(security)
    files = decide(before)
    _check_ours(before)
    if files is None:
        return Written(before, before, already=True)
    _check_profile(before, files.profile)
    writes = _file_writes(files)
    yield from _prove_both(before, security)
    serial = bytes.fromhex(before.serial)
    for each in writes:
        yield from _write_file(each, serial, security)
    after = CardContents(
        before.serial, _state(files), files.profile, files.parameters, files.wallet
    )
    return Written(before, after, already=False)


def _state(files: CardFiles) -> State:
    numbers = (files.parameters.meter, files.parameters.customer)
    return "blank" if numbers == (NOBODY, NOBODY) else "in_use"


def _check_ours(contents: CardContents) -> None:
    """Refuse a card that has not proved itself, whatever was decided about it."""
    if not contents.is_proved:
        problem = contents.problem or "it was never issued"
        raise WrongCard(f"this card cannot be written: {problem}", code=contents.state)


def _check_profile(contents: CardContents, profile: Profile) -> None:
    if contents.profile is not profile:
        found = "unknown" if contents.profile is None else contents.profile.value
        raise WrongCard(
            f"this card follows rule {found} and the meter {profile.value}: take a card of rule"
            f" {profile.value}",
            code="other_year",
        )


def _file_writes(files: CardFiles) -> list[_FileWrite]:
    """Return the files in the order of writing. Raises CardFormatError before anything is sent."""
    parts = LAYOUTS[files.profile].price_parts
    writes = []
    if files.current is not None:
        data = files.current.to_bytes(files.profile)
        writes.append(_FileWrite(WRITE_PRICES, apdu.CURRENT_PRICES, data, parts))
    if files.backup is not None:
        data = files.backup.to_bytes(files.profile)
        writes.append(_FileWrite(WRITE_BACKUP, apdu.BACKUP_PRICES, data, parts))
    for name, file, data in (
        (WRITE_PARAMETERS, apdu.PARAMETERS, files.parameters.to_bytes()),
        (CLEAR_RETURN, apdu.RETURN, BLANK_RETURN),
        (WRITE_WALLET, apdu.WALLET, files.wallet.to_bytes()),
    ):
        writes.append(_FileWrite(name, file, data, ((0, len(data)),)))
    return writes


def _prove_both(before: CardContents, security: CardSecurity) -> Dialogue[None]:
    """See that the same card is there, and prove both sides to each other."""
    serial = yield from _serial()
    if serial is None or serial.hex().upper() != before.serial:
        raise WrongCard("another card was put in meanwhile: begin again", code="card_changed")
    yield from _need(SELECT, apdu.SELECT_APPLICATION)
    if not (yield from _card_proves_itself(security, serial)):
        raise WrongCard("the card does not know the key of this utility", code="foreign")
    challenge = yield from _need(CHALLENGE, apdu.CHALLENGE_8, CHALLENGE_SIZE)
    cryptogram = security.reader_cryptogram(serial, challenge)
    yield from _need(AUTHENTICATE_READER, apdu.external_authenticate(cryptogram))


def _write_file(write: _FileWrite, serial: bytes, security: CardSecurity) -> Dialogue[None]:
    """Write a file with a fresh challenge for each part, and read it back."""
    for offset, size in write.parts:
        challenge = yield from _need(CHALLENGE, apdu.CHALLENGE_4, MAC_CHALLENGE_SIZE)
        data = write.data[offset : offset + size]
        command = security.seal(serial, challenge, apdu.write_head(write.file, offset), data)
        yield from _need(write.name, command, writes=True)
    for offset, size in write.parts:
        held = yield from _read(READ_BACK, write.file, size, offset)
        if held != write.data[offset : offset + size]:
            raise CardFailed(
                f"after the step {write.name} the card holds something else: try again, or take"
                " another card",
                code="read_back",
            )


def _need(name: str, command: bytes, size: int = 0, *, writes: bool = False) -> Dialogue[bytes]:
    """Send a command that must succeed and bring `size` bytes. Raises CardFailed."""
    data, sw = yield Step(name, command, writes)
    if sw != apdu.OK:
        raise CardFailed(f"the card refused to {name} ({sw:04X}): {apdu.status_text(sw)}")
    if size and len(data) != size:
        raise CardFailed(f"the card answered {len(data)} bytes to {name}, not {size}")
    return data


# --- carrying it over a channel -----------------------------------------------------------------


def run_dialogue(
    dialogue: Dialogue[T],
    transmit: Callable[[bytes], Response],
    on_step: Callable[[str], None] | None = None,
) -> T:
    """Carry a dialogue over a channel; `on_step` hears each step's name before it is sent.

    What `transmit` raises before the first write goes on as it is; from then on every CardError
    becomes a CardFailed that may have written.
    """
    wrote = False
    try:
        step = next(dialogue)
        while True:
            if on_step is not None:
                on_step(step.name)
            wrote = wrote or step.writes
            step = dialogue.send(_exchange(step.apdu, transmit))
    except StopIteration as end:
        result: T = end.value
        return result
    except CardError as error:
        if not wrote:
            raise
        raise CardFailed(str(error), may_have_written=True, code=error.code) from error


def _exchange(command: bytes, transmit: Callable[[bytes], Response]) -> Response:
    """Send a command, and fetch what a T=0 card announces with 61xx, or repeat it after 6Cxx."""
    data, sw = transmit(command)
    collected = data
    for _ in range(FETCHES_MAX):
        if sw >> 8 == apdu.MORE_DATA:
            data, sw = transmit(apdu.get_response(sw & 0xFF))
        elif sw >> 8 == apdu.WRONG_LE and len(command) == 5:
            data, sw = transmit(command[:4] + bytes([sw & 0xFF]))
        else:
            break
        collected += data
    return Response(collected, sw)
