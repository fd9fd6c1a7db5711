"""How a meter talks with the card in its slot: APDUs from the meter's side (digest section 9).

The meter's security chip holds the root key. What goes wrong is a `MeterError` with the code that
the meter reports.
"""

import secrets
from typing import Protocol

from station.simulator import card_keys

READ_MAX = 250  # An offset is one byte, and a price file of 2009 has 258.
PURSE_HEAD = bytes.fromhex("8432000008")  # Of the chip's own command that takes the wallet.

COMMUNICATION, EARLY_REMOVAL = 19, 20
RESET, INTERNAL, EXTERNAL, NOT_ISSUED, MAC = 4, 5, 6, 7, 10
OK = 0x9000


class MeterError(Exception):
    """The meter breaks off and reports a code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"code {code}")
        self.code = code


class InsertedCard(Protocol):
    """What a meter needs of a card."""

    atr: bytes

    def power_on(self) -> None:
        """Begin anew."""

    def transmit(self, apdu: bytes) -> bytes:
        """Return the answer: data, if any, and two bytes of status."""


class CardSession:
    """One insertion of a card; with `commands_max` the card is pulled after so many commands."""

    def __init__(self, card: InsertedCard, root: bytes, commands_max: int | None = None) -> None:
        self._card = card
        self._left = commands_max
        card.power_on()
        self._ask("00A40000023F00")
        self.serial, status = self._ask("00B0990108")
        if status != OK or len(self.serial) != card_keys.BLOCK:
            raise MeterError(RESET)
        self._key = card_keys.diversify(root, self.serial)
        self._ask("00A4000002DF01")

    def read(self, file: int, size: int) -> bytes:
        """Return the first bytes of a file."""
        content = b""
        while len(content) < size:
            wanted = min(READ_MAX, size - len(content))
            part, status = self._ask(f"00B0{0x80 | file:02X}{len(content):02X}{wanted:02X}")
            if status == 0x6B00:
                raise MeterError(NOT_ISSUED)
            if status != OK or len(part) != wanted:
                raise MeterError(COMMUNICATION)
            content += part
        return content

    def check_card(self) -> None:
        """Have the card prove that it is genuine."""
        challenge = secrets.token_bytes(card_keys.BLOCK)
        answer, status = self._ask(f"0088000108{challenge.hex()}")
        if status != OK or answer != card_keys.encipher(self._key, challenge):
            raise MeterError(INTERNAL)

    def prove_itself(self) -> None:
        """Prove to the card that the meter may write."""
        challenge, status = self._ask("0084000008")
        if status == OK:
            cryptogram = card_keys.encipher(self._key, challenge)
            _, status = self._ask(f"0082000208{cryptogram.hex()}")
        if status != OK:
            raise MeterError(EXTERNAL)

    def read_sealed(self, file: int) -> bytes:
        """Return a file whose MAC the security chip has found right."""
        challenge = secrets.token_bytes(card_keys.MAC_SIZE)
        answer, status = self._ask(f"04B0{0x80 | file:02X}0009{challenge.hex()}{PURSE_HEAD.hex()}")
        if status != OK:
            raise MeterError(COMMUNICATION)
        data, seal = answer[: -card_keys.MAC_SIZE], answer[-card_keys.MAC_SIZE :]
        if seal != card_keys.mac(self._key, challenge, PURSE_HEAD + data):
            raise MeterError(MAC)
        return data

    def write(self, file: int, data: bytes) -> None:
        """Write a whole file with MAC."""
        challenge, _ = self._ask("0084000004")
        message = bytes([0x04, 0xD6, 0x80 | file, 0, len(data) + card_keys.MAC_SIZE]) + data
        seal = card_keys.mac(self._key, challenge, message)
        _, status = self._ask((message + seal).hex())
        if status != OK:
            raise MeterError(COMMUNICATION)

    def _ask(self, command: str) -> tuple[bytes, int]:
        """Send a command; an answer that the card keeps ready (61xx) is fetched."""
        answer = self._send(bytes.fromhex(command))
        if answer[-2] == 0x61:
            answer = self._send(bytes([0x00, 0xC0, 0x00, 0x00, answer[-1]]))
        return answer[:-2], int.from_bytes(answer[-2:], "big")

    def _send(self, command: bytes) -> bytes:
        if self._left is not None:
            if self._left == 0:
                raise MeterError(EARLY_REMOVAL)
            self._left -= 1
        return self._card.transmit(command)
