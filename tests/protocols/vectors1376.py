"""The frames of tests/vectors/qgdw1376_1.json, with what each has to become."""

import json
from pathlib import Path
from typing import Any

_FILE = Path(__file__).parents[1] / "vectors" / "qgdw1376_1.json"
_CONTENT: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))

ENTRIES: dict[str, dict[str, Any]] = {entry["id"]: entry for entry in _CONTENT["entries"]}
STREAMS: dict[str, dict[str, Any]] = {stream["id"]: stream for stream in _CONTENT["streams"]}

# These are read by anyone. The private extension (AFN FEH) has a sound frame with unknown contents.
SOUND = [entry for entry in ENTRIES.values() if entry["expect"] in ("valid", "private extension")]
# Dropped, unless a switch accepts the older edition: digest 16, rule 7.
OLD_EDITION = [entry for entry in ENTRIES.values() if entry["expect"].startswith("old protocol")]
REJECTED = [
    entry for entry in ENTRIES.values() if entry["expect"].startswith(("invalid", "reject"))
]
assert len(SOUND) + len(OLD_EDITION) + len(REJECTED) == len(ENTRIES)

# V-050 closes with a PW of 2 bytes in a frame of the new edition: a setting of its terminal.
PASSWORD_SIZES = {"V-050": 2}


def wire(entry: dict[str, Any]) -> bytes:
    """Return the bytes as found, with the filler around them."""
    return bytes.fromhex(entry["frame_hex"])


def frame_bytes(entry: dict[str, Any]) -> bytes:
    """Return the bytes of the frame alone."""
    start = entry.get("decoded", {}).get("preamble_bytes", 0)
    end = len(bytes.fromhex(entry.get("trailing_bytes_after_frame", "")))
    raw = wire(entry)
    return raw[start : len(raw) - end]


def password_size(entry: dict[str, Any]) -> int:
    """Return the setting of the terminal that the entry comes from."""
    return PASSWORD_SIZES.get(entry["id"], 16)
