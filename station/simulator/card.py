"""A virtual prepaid user card: its files, its keys and its rules, byte for byte.

It does what the digest prepaid_card tells of a card in sections 2, 10 and 11, and no more: anybody
may read; a write needs external authentication since the application was selected, a fresh
challenge and the right MAC, else nothing changes. A challenge serves once. Power off forgets all
but the files. One write is whole or not at all, as the cards' memory promises.

Files by their short identifier (SFI): 1 parameters, 2 wallet, 3 and 4 prices, 5 return file.
"""

import secrets
from collections.abc import Callable

from station.prepaid.cards.layout import Profile
from station.simulator import card_keys

PARAMETERS, WALLET, CURRENT_PRICES, BACKUP_PRICES, RETURN = 1, 2, 3, 4, 5
PRICE_SIZES = {Profile.GW13: 203, Profile.GW09: 258}  # Section 1.
SIZES = {PARAMETERS: 45, WALLET: 8, RETURN: 49}

MASTER_FILE = bytes.fromhex("3F00")
APPLICATION = bytes.fromhex("DF01")
SERIAL_FILE = 0x19  # Under the master file; the serial lies at offset 1.
BLANK_PARAMETERS = bytes.fromhex("68010027" + "00" * 39 + "2816")

# T=0, nine historical bytes of which the last eight are the serial (section 2).
ATR_HEAD = bytes.fromhex("3B6900004A")

AUTHENTICATION_TRIES = 3

OK = 0x9000
MORE_DATA = 0x6100
WRONG_LE = 0x6C00
TRIES_LEFT = 0x63C0
WRONG_LENGTH = 0x6700
NOT_AUTHENTICATED = 0x6982
BLOCKED = 0x6983
NO_CHALLENGE = 0x6985
WRONG_MAC = 0x6988
NO_FILE = 0x6A82
NO_REFERENCE = 0x6A88
WRONG_OFFSET = 0x6B00
NO_INSTRUCTION = 0x6D00
NO_CLASS = 0x6E00


class CardRefuses(Exception):
    """The card answers with a status and no data."""

    def __init__(self, status: int) -> None:
        super().__init__(f"{status:04X}")
        self.status = status


class VirtualCard:
    """One card. `files` is what it holds; `refusals` lets a test have it refuse.

    `refusals` maps the first bytes of a command to the status that answers it instead.
    """

    def __init__(
        self,
        serial: bytes,
        root: bytes,
        profile: Profile = Profile.GW13,
        *,
        issued: bool = True,
    ) -> None:
        self.serial = serial
        self.atr = ATR_HEAD + serial
        self.issued = issued
        self.files = {number: bytes(size) for number, size in SIZES.items()}
        self.files[PARAMETERS] = BLANK_PARAMETERS
        self.files[CURRENT_PRICES] = self.files[BACKUP_PRICES] = bytes(PRICE_SIZES[profile])
        self.refusals: dict[bytes, int] = {}
        self._key = card_keys.diversify(root, serial)
        self._tries = AUTHENTICATION_TRIES
        self.power_on()

    def power_on(self) -> None:
        """Begin anew, as after insertion or a reset."""
        self._in_application = False
        self._authenticated = False
        self._challenge = b""
        self._answer = b""

    def transmit(self, apdu: bytes) -> bytes:
        """Return what the card answers to a command: data, if any, and two bytes of status."""
        try:
            data, status = self._obey(apdu)
        except CardRefuses as refusal:
            data, status = b"", refusal.status
        return data + status.to_bytes(2, "big")

    def _obey(self, apdu: bytes) -> tuple[bytes, int]:
        for head, status in self.refusals.items():
            if apdu.startswith(head):
                raise CardRefuses(status)
        if len(apdu) < 4:
            raise CardRefuses(WRONG_LENGTH)
        command = self._commands().get((apdu[0], apdu[1]))
        if command is None:
            raise CardRefuses(NO_INSTRUCTION if apdu[0] in (0x00, 0x04) else NO_CLASS)
        answer, self._answer = self._answer, b""
        if command == self._get_response:
            self._answer = answer
        return command(apdu)

    def _commands(self) -> dict[tuple[int, int], Callable[[bytes], tuple[bytes, int]]]:
        return {
            (0x00, 0xA4): self._select,
            (0x00, 0xB0): self._read,
            (0x04, 0xB0): self._read_sealed,
            (0x00, 0x84): self._give_challenge,
            (0x00, 0x88): self._prove_itself,
            (0x00, 0x82): self._check_reader,
            (0x00, 0xC0): self._get_response,
            (0x04, 0xD6): self._write,
        }

    def _select(self, apdu: bytes) -> tuple[bytes, int]:
        name = _body(apdu)
        if name not in (MASTER_FILE, APPLICATION) or (name == APPLICATION and not self.issued):
            raise CardRefuses(NO_FILE)
        self._in_application = name == APPLICATION
        self._authenticated = False
        self._challenge = b""
        return b"", OK

    def _read(self, apdu: bytes) -> tuple[bytes, int]:
        content = self._file(apdu)
        offset, wanted = apdu[3], _expected(apdu)
        if offset >= len(content):
            raise CardRefuses(WRONG_OFFSET)
        there = len(content) - offset
        if wanted > there:
            raise CardRefuses(WRONG_LE | there)
        return content[offset : offset + wanted], OK

    def _read_sealed(self, apdu: bytes) -> tuple[bytes, int]:
        """Answer data with a MAC over the 5 bytes of a head, and the data, from a challenge of 4.

        The meter hands both to its security chip (section 10).
        """
        body = _body(apdu, also_le=True)
        if len(body) != 9:
            raise CardRefuses(WRONG_LENGTH)
        if not self._authenticated:
            raise CardRefuses(NOT_AUTHENTICATED)
        data = self._file(apdu)[apdu[3] :]
        self._answer = data + card_keys.mac(self._key, body[:4], body[4:] + data)
        return b"", MORE_DATA | len(self._answer)

    def _give_challenge(self, apdu: bytes) -> tuple[bytes, int]:
        size = _expected(apdu)
        if size not in (4, 8):
            raise CardRefuses(WRONG_LENGTH)
        self._challenge = secrets.token_bytes(size)
        return self._challenge, OK

    def _prove_itself(self, apdu: bytes) -> tuple[bytes, int]:
        challenge = _body(apdu, also_le=True)
        self._key_exists(apdu, 1)
        if len(challenge) != card_keys.BLOCK:
            raise CardRefuses(WRONG_LENGTH)
        self._answer = card_keys.encipher(self._key, challenge)
        return b"", MORE_DATA | len(self._answer)

    def _check_reader(self, apdu: bytes) -> tuple[bytes, int]:
        cryptogram = _body(apdu)
        self._key_exists(apdu, 2)
        challenge = self._take_challenge(8)
        if self._tries == 0:
            raise CardRefuses(BLOCKED)
        if cryptogram != card_keys.encipher(self._key, challenge):
            self._authenticated = False
            self._tries -= 1
            raise CardRefuses(TRIES_LEFT | self._tries)
        self._tries = AUTHENTICATION_TRIES
        self._authenticated = True
        return b"", OK

    def _write(self, apdu: bytes) -> tuple[bytes, int]:
        sealed = _body(apdu)
        content, offset = self._file(apdu), apdu[3]
        data = sealed[: -card_keys.MAC_SIZE]
        if not data:
            raise CardRefuses(WRONG_LENGTH)
        if not self._authenticated:
            raise CardRefuses(NOT_AUTHENTICATED)
        challenge = self._take_challenge(4)
        message = apdu[: -card_keys.MAC_SIZE]
        if sealed[len(data) :] != card_keys.mac(self._key, challenge, message):
            raise CardRefuses(WRONG_MAC)
        if offset + len(data) > len(content):
            raise CardRefuses(WRONG_OFFSET)
        self.files[apdu[2] & 0x1F] = content[:offset] + data + content[offset + len(data) :]
        return b"", OK

    def _get_response(self, apdu: bytes) -> tuple[bytes, int]:
        answer, wanted = self._answer, _expected(apdu)
        if not answer:
            raise CardRefuses(NO_CHALLENGE)
        if wanted > len(answer):
            raise CardRefuses(WRONG_LE | len(answer))
        self._answer = b""
        return answer[:wanted], OK

    def _file(self, apdu: bytes) -> bytes:
        """Return the file that the command's P1 names, where the card now stands."""
        if apdu[2] & 0xE0 != 0x80:
            raise CardRefuses(NO_FILE)
        number = apdu[2] & 0x1F
        if not self._in_application:
            if number == SERIAL_FILE:
                return b"\x00" + self.serial
            raise CardRefuses(NO_FILE if self.issued else WRONG_OFFSET)
        if number not in self.files:
            raise CardRefuses(NO_FILE)
        return self.files[number]

    def _key_exists(self, apdu: bytes, number: int) -> None:
        if not self._in_application or apdu[3] != number:
            raise CardRefuses(NO_REFERENCE)

    def _take_challenge(self, size: int) -> bytes:
        challenge, self._challenge = self._challenge, b""
        if len(challenge) != size:
            raise CardRefuses(NO_CHALLENGE)
        return challenge


def _body(apdu: bytes, *, also_le: bool = False) -> bytes:
    """Return the data that a command brings; some commands may say a length of answer behind it."""
    if len(apdu) < 6 or len(apdu) - 5 - apdu[4] not in ((0, 1) if also_le else (0,)):
        raise CardRefuses(WRONG_LENGTH)
    return apdu[5 : 5 + apdu[4]]


def _expected(apdu: bytes) -> int:
    """Return how many bytes a command without data wants; 00 stands for 256."""
    if len(apdu) != 5:
        raise CardRefuses(WRONG_LENGTH)
    return apdu[4] or 256
