"""Packed BCD with the lowest byte first, as DL/T 645 and Q/GDW 1376.1 send every number.

Two decimal digits lie in a byte, so the hexadecimal text of the reversed bytes *is* the number.
"""


def to_text(data: bytes) -> str:
    """Return the digits of the bytes, highest first; letters A-F where a byte is no BCD."""
    return data[::-1].hex().upper()


def from_text(digits: str) -> bytes:
    """Return the bytes of an even count of hexadecimal digits. Raises ValueError if it is none."""
    return bytes.fromhex(digits)[::-1]


def to_number(data: bytes) -> int | None:
    """Return the number that the bytes hold, or None where a digit is not decimal."""
    digits = data[::-1].hex()
    return int(digits) if digits.isdecimal() else None


def from_number(number: int, size: int) -> bytes:
    """Return `size` bytes that hold a number. Raises ValueError if it is negative or too large."""
    digits = f"{number:0{2 * size}d}"
    if number < 0 or len(digits) > 2 * size:
        raise ValueError(f"{number} does not fit into {2 * size} digits")
    return bytes.fromhex(digits)[::-1]
