"""Proofs and seals for a card: who computes them, and the two ways software can.

Rules: a reader knows no key and gets whole commands; keys stay inside the objects here and are
never in a text, a log or the database. Cards of the grid companies use SM1, a cipher that exists
only in chips: they need a key machine, for which `KeyMachine` is the border.
"""

import hmac
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4

from station.errors import CardFailed

KEY_SIZE = 16
BLOCK = 8  # Of DES; a challenge for authentication and a serial are as long.
SM4_BLOCK = 16
MAC_SIZE = 4
TEST_ROOT = bytes(range(KEY_SIZE))  # Of the digest's vectors: simulated sites, nothing else.

ECB = modes.ECB()  # noqa: S305  Cards and ISO/IEC 9797-1 prescribe it, for single blocks.


class CardSecurity(Protocol):
    """What a conversation with a card needs of whoever holds the keys.

    `serial` is the card's, 8 bytes. An implementation that asks a machine may raise CardFailed.
    """

    def card_cryptogram(self, serial: bytes, challenge: bytes) -> bytes:
        """Return what a genuine card answers to our 8-byte challenge."""

    def reader_cryptogram(self, serial: bytes, challenge: bytes) -> bytes:
        """Return what proves us to a card that gave an 8-byte challenge."""

    def seal(self, serial: bytes, challenge: bytes, head: bytes, data: bytes) -> bytes:
        """Return the complete write command: head (4), Lc, data and MAC over a 4-byte challenge."""


def is_genuine(security: CardSecurity, serial: bytes, challenge: bytes, answer: bytes) -> bool:
    """Say whether a card's answer to a challenge proves that it holds the key."""
    return hmac.compare_digest(security.card_cryptogram(serial, challenge), answer)


@dataclass(frozen=True)
class Roots:
    """The three root keys, 16 bytes each; many systems use one for all."""

    card: bytes = field(repr=False)  # Internal authentication, key 1.
    reader: bytes = field(repr=False)  # External authentication, key 2.
    writing: bytes = field(repr=False)  # The MAC of writes.

    def __post_init__(self) -> None:
        if any(len(root) != KEY_SIZE for root in (self.card, self.reader, self.writing)):
            raise ValueError(f"a root key has {KEY_SIZE} bytes")

    @classmethod
    def same(cls, root: bytes) -> "Roots":
        """Return one root for all three uses."""
        return cls(root, root, root)


class Soft3Des:
    """3DES with two keys, diversified by the card's serial (digest section 11)."""

    def __init__(self, roots: Roots) -> None:
        self._roots = roots

    def card_cryptogram(self, serial: bytes, challenge: bytes) -> bytes:
        return _des3(diversified(self._roots.card, serial), challenge)

    def reader_cryptogram(self, serial: bytes, challenge: bytes) -> bytes:
        return _des3(diversified(self._roots.reader, serial), challenge)

    def seal(self, serial: bytes, challenge: bytes, head: bytes, data: bytes) -> bytes:
        key = diversified(self._roots.writing, serial)
        command = _command(head, data)
        return command + retail_mac(key, challenge, command)


class SoftSm4:
    """SM4 in the same shape. UNCONFIRMED against any card: for trials with a supplier only."""

    def __init__(self, roots: Roots) -> None:
        self._roots = roots

    def card_cryptogram(self, serial: bytes, challenge: bytes) -> bytes:
        return _sm4_cryptogram(self._roots.card, serial, challenge)

    def reader_cryptogram(self, serial: bytes, challenge: bytes) -> bytes:
        return _sm4_cryptogram(self._roots.reader, serial, challenge)

    def seal(self, serial: bytes, challenge: bytes, head: bytes, data: bytes) -> bytes:
        command = _command(head, data)
        key = _sm4_key(self._roots.writing, serial)
        start = challenge + bytes(SM4_BLOCK - len(challenge))
        sealed = _encipher(SM4(key), modes.CBC(start), _padded(command, SM4_BLOCK))
        return command + sealed[-SM4_BLOCK:][:MAC_SIZE]


class KeyMachine(Protocol):
    """A key machine or a PSAM: keys never leave it, whole commands do. Bytes in, bytes out."""

    def authentication(self, serial: bytes, challenge: bytes) -> bytes:
        """Return what a genuine card answers to the challenge."""

    def external_command(self, serial: bytes, challenge: bytes) -> bytes:
        """Return the complete command of external authentication: 5 bytes and the cryptogram."""

    def write_command(self, serial: bytes, challenge: bytes, head: bytes, data: bytes) -> bytes:
        """Return the complete write command with its MAC."""


class MachineSecurity:
    """CardSecurity by a key machine; what it returns is looked at before a card gets it."""

    def __init__(self, machine: KeyMachine) -> None:
        self._machine = machine

    def card_cryptogram(self, serial: bytes, challenge: bytes) -> bytes:
        return self._machine.authentication(serial, challenge)

    def reader_cryptogram(self, serial: bytes, challenge: bytes) -> bytes:
        command = self._machine.external_command(serial, challenge)
        return self._checked(command, command[:5], BLOCK)[5:]

    def seal(self, serial: bytes, challenge: bytes, head: bytes, data: bytes) -> bytes:
        command = self._machine.write_command(serial, challenge, head, data)
        return self._checked(command, _command(head, data), MAC_SIZE)

    def _checked(self, command: bytes, start: bytes, rest: int) -> bytes:
        if not command.startswith(start) or len(command) != len(start) + rest:
            raise CardFailed(
                "the key machine returned a command that was not asked for", code="key_machine"
            )
        return command


# --- 3DES ---------------------------------------------------------------------------------------


def diversified(root: bytes, factor: bytes) -> bytes:
    """Return the key that a root gives for an 8-byte factor: E(F) and E(not F), 16 bytes."""
    return _des3(root, factor + bytes(each ^ 0xFF for each in factor))


def retail_mac(key: bytes, challenge: bytes, command: bytes) -> bytes:
    """Return the 4-byte MAC of ISO/IEC 9797-1, algorithm 3, begun with a 4-byte challenge."""
    left, right = key[:BLOCK], key[BLOCK:]
    start = challenge + bytes(BLOCK - len(challenge))
    last = _encipher(_des(left), modes.CBC(start), _padded(command, BLOCK))[-BLOCK:]
    middle = Cipher(_des(right), ECB).decryptor().update(last)
    return _encipher(_des(left), ECB, middle)[:MAC_SIZE]


def _des3(key: bytes, data: bytes) -> bytes:
    return _encipher(TripleDES(key + key[:BLOCK]), ECB, data)


def _des(key: bytes) -> TripleDES:
    """Return single DES: 3DES with the same key three times."""
    return TripleDES(key * 3)


# --- SM4 ----------------------------------------------------------------------------------------


def _sm4_key(root: bytes, serial: bytes) -> bytes:
    factor = serial + bytes(each ^ 0xFF for each in serial)
    return _encipher(SM4(root), ECB, factor)


def _sm4_cryptogram(root: bytes, serial: bytes, challenge: bytes) -> bytes:
    key = _sm4_key(root, serial)
    block = _encipher(SM4(key), ECB, challenge + bytes(SM4_BLOCK - len(challenge)))
    return bytes(a ^ b for a, b in zip(block[:BLOCK], block[BLOCK:], strict=True))


# --- both ---------------------------------------------------------------------------------------


def _command(head: bytes, data: bytes) -> bytes:
    """Return head, Lc and data; Lc counts the MAC already."""
    return head + bytes([len(data) + MAC_SIZE]) + data


def _padded(data: bytes, block: int) -> bytes:
    """Add 80 and zeros up to a whole number of blocks; the 80 is always there."""
    return data + b"\x80" + bytes(-(len(data) + 1) % block)


def _encipher(algorithm: BlockCipherAlgorithm, mode: modes.CBC | modes.ECB, data: bytes) -> bytes:
    return Cipher(algorithm, mode).encryptor().update(data)
