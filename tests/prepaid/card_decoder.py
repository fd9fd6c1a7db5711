"""Another reading of a user card's files: a table of where each field lies, and no code of ours.

Written from the description of the files alone, so that what Station writes is checked by eyes that
do not share its mistakes. Values come back as plain text and whole numbers.
"""

from typing import Any

# File: (name, offset, size, kind). Kinds: b binary number, d decimal digits, h hexadecimal.
PARAMETERS = (
    ("user_type", 4, 1, "h"),
    ("flag", 5, 1, "h"),
    ("reserved", 6, 4, "h"),
    ("switch", 10, 5, "d"),
    ("alarm1", 16, 4, "d"),
    ("alarm2", 20, 4, "d"),
    ("ct", 24, 3, "d"),
    ("pt", 27, 3, "d"),
    ("meter", 30, 6, "d"),
    ("customer", 36, 6, "d"),
    ("type", 42, 1, "h"),
)
WALLET = (("amount", 0, 4, "b"), ("count", 4, 4, "b"))
RETURN = (
    ("user_type", 4, 1, "h"),
    ("ct", 5, 3, "d"),
    ("pt", 8, 3, "d"),
    ("meter", 11, 6, "d"),
    ("customer", 17, 6, "d"),
    ("remaining", 23, 4, "b"),
    ("count", 27, 4, "b"),
    ("overdraft", 31, 4, "d"),
    ("key_info", 35, 4, "h"),
    ("illegal", 39, 3, "d"),
    ("time", 42, 5, "d"),
)
PRICES_13 = (
    *((f"rate{n}", 4 * n, 4, "d") for n in range(1, 33)),
    *((f"threshold{n}", 128 + 4 * n, 4, "d") for n in range(1, 7)),
    *((f"step{n}", 152 + 4 * n, 4, "d") for n in range(1, 8)),
    *((f"day{n}", 181 + 3 * n, 3, "d") for n in range(1, 5)),
    ("ladder_switch", 196, 5, "d"),
)
PRICES_09 = tuple((f"rate{n}", 4 * n, 4, "d") for n in range(1, 64))


def fields(raw: bytes, table: tuple[tuple[str, int, int, str], ...]) -> dict[str, Any]:
    """Return the fields of a file by name."""
    found: dict[str, Any] = {}
    for name, at, size, kind in table:
        piece = raw[at : at + size]
        if kind == "b":
            number = 0
            for byte in piece:
                number = number * 256 + byte
            found[name] = number
        else:
            text = "".join(f"{byte >> 4:X}{byte & 15:X}" for byte in piece)
            assert kind == "h" or not set(text) & set("ABCDEF"), f"{name}: {text} is no BCD"
            found[name] = text
    return found


def framed(raw: bytes, table: tuple[tuple[str, int, int, str], ...]) -> dict[str, Any]:
    """Return the fields of a framed file whose frame holds."""
    assert raw[0] == 0x68
    assert raw[len(raw) - 1] == 0x16
    assert raw[2] * 256 + raw[3] == len(raw) - 6
    total = 0
    for byte in raw[1 : len(raw) - 2]:
        total += byte
    assert raw[len(raw) - 2] == total % 256
    return {"command": f"{raw[1]:02X}", **fields(raw, table)}
