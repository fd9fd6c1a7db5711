"""The frames of tests/vectors/dlt645.json, as found, with filler and without."""

import json
from pathlib import Path
from typing import Any

_FILE = Path(__file__).parents[1] / "vectors" / "dlt645.json"
ENTRIES: list[dict[str, Any]] = json.loads(_FILE.read_text(encoding="utf-8"))["entries"]
SOUND = [entry for entry in ENTRIES if entry["expect"] == "valid"]


def wire(entry: dict[str, Any]) -> bytes:
    """Return the bytes as found."""
    return bytes.fromhex(entry["frame_hex"])


def frame_bytes(entry: dict[str, Any]) -> bytes:
    """Return the bytes of the frame alone."""
    return wire(entry).lstrip(b"\xfe")
