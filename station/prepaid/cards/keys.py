"""The key file: read once at start, checked, and never repeated in any text.

The file holds lines `name: value`: either `root` or all of `card`, `reader` and `writing`, each 32
hexadecimal digits, and perhaps `cipher: SM4` (3DES when it is not there); `#` begins a comment. It
is readable by its owner alone (mode 0600 or 0400), or it is a credential that systemd hands in.
"""

import logging
import os
import stat
from pathlib import Path
from typing import TextIO

from station.errors import StartError
from station.prepaid.cards.security import (
    KEY_SIZE,
    TEST_ROOT,
    CardSecurity,
    Roots,
    Soft3Des,
    SoftSm4,
)

log = logging.getLogger(__name__)

FILE_SIZE_MAX = 4096  # Bytes; four lines and some comments.
USES = ("card", "reader", "writing")
CIPHERS: dict[str, type[Soft3Des] | type[SoftSm4]] = {"3DES": Soft3Des, "SM4": SoftSm4}
OTHERS_BITS = stat.S_IRWXG | stat.S_IRWXO


def load(path: Path) -> CardSecurity:
    """Return what the keys in a file make. Raises StartError, which says what to do."""
    place = _credential(path)
    try:
        with (place or path).open(encoding="ascii") as file:
            if place is None:
                _check_private(path, file)
            text = file.read(FILE_SIZE_MAX + 1)
    except OSError as error:
        raise StartError(f"card keys: {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise StartError(f"card keys: {path} holds more than plain text") from None
    if len(text) > FILE_SIZE_MAX:
        raise StartError(f"card keys: {path} is longer than {FILE_SIZE_MAX} bytes")
    return _security(path, _entries(path, text))


def simulated() -> CardSecurity:
    """Return the well-known test keys: for simulated sites, where no card is worth anything."""
    return Soft3Des(Roots.same(TEST_ROOT))


def _credential(path: Path) -> Path | None:
    """Return the place of a credential of that name, if systemd handed one in."""
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        return None
    place = Path(directory) / path.name
    return place if place.is_file() else None


def _check_private(path: Path, file: TextIO) -> None:
    found = os.fstat(file.fileno())
    if not stat.S_ISREG(found.st_mode):
        raise StartError(f"card keys: {path} is no file")
    if found.st_mode & OTHERS_BITS:
        raise StartError(f"card keys: others may read {path}: run chmod 600 {path}")


def _entries(path: Path, text: str) -> dict[str, str]:
    entries: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        name, colon, value = (part.strip() for part in line.partition("#")[0].partition(":"))
        if not (name or colon):
            continue
        if name not in ("root", "cipher", *USES) or name in entries or not value:
            raise StartError(
                f"card keys: {path}, line {number}: expected root, card, reader, writing or cipher,"
                " each once, with a colon and its value"
            )
        entries[name] = value
    return entries


def _security(path: Path, entries: dict[str, str]) -> CardSecurity:
    cipher = CIPHERS.get(entries.pop("cipher", "3DES"))
    if cipher is None:
        raise StartError(f"card keys: {path}: the cipher is 3DES or SM4")
    if set(entries) not in ({"root"}, set(USES)):
        raise StartError(f"card keys: {path} needs root, or all of {', '.join(USES)}")
    keys = {name: _key(path, name, value) for name, value in entries.items()}
    if TEST_ROOT in keys.values():
        raise StartError(f"card keys: {path} holds the test key that everybody knows")
    roots = Roots.same(keys["root"]) if "root" in keys else Roots(**keys)
    if cipher is SoftSm4:
        log.warning("card keys: SM4 as here was never confirmed with a real card")
    return cipher(roots)


def _key(path: Path, name: str, digits: str) -> bytes:
    try:
        key = bytes.fromhex(digits)
    except ValueError:
        key = b""
    if len(key) != KEY_SIZE:
        raise StartError(f"card keys: {path}: {name} needs {2 * KEY_SIZE} hexadecimal digits")
    return key
