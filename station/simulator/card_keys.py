"""What a virtual card, and a virtual meter's security chip, reckon with their keys: two-key 3DES.

Written for the simulator alone, so that what the station seals is checked by other code than what
sealed it. The source is the digest prepaid_card, section 11, whose vectors the tests hold. Keys are
16 bytes, left half and right half; a block is 8 bytes.
"""

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

BLOCK = 8
KEY_SIZE = 16
MAC_SIZE = 4


def diversify(root: bytes, factor: bytes) -> bytes:
    """Return the key that belongs to a factor of 8 bytes, such as a card's serial."""
    opposite = bytes(255 - byte for byte in factor)
    return encipher(root, factor) + encipher(root, opposite)


def encipher(key: bytes, block: bytes) -> bytes:
    """Return one block enciphered with a key of 16 bytes."""
    return _cipher(key + key[:BLOCK]).encryptor().update(block)


def mac(key: bytes, challenge: bytes, message: bytes) -> bytes:
    """Return the first 4 bytes of the retail MAC (ISO 9797-1, algorithm 3) of a message.

    The chain begins with the challenge of 4 bytes and four zeros; the padding is 80 and zeros.
    """
    left, right = key[:BLOCK], key[BLOCK:]
    padded = message + b"\x80"
    padded += bytes(-len(padded) % BLOCK)
    chain = challenge + bytes(BLOCK - len(challenge))
    for start in range(0, len(padded), BLOCK):
        mixed = bytes(a ^ b for a, b in zip(chain, padded[start : start + BLOCK], strict=True))
        chain = _cipher(left * 3).encryptor().update(mixed)
    opened = _cipher(right * 3).decryptor().update(chain)
    return _cipher(left * 3).encryptor().update(opened)[:MAC_SIZE]


def _cipher(key: bytes) -> "Cipher[modes.ECB]":
    return Cipher(TripleDES(key), modes.ECB())  # noqa: S305 - the cards' rule is 3DES by blocks.
