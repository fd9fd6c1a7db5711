"""JSON that somebody has sent: an object whose texts the database can keep, or nothing. Pure."""

import json
from typing import Any

ZERO = "\0"  # No text of ours holds it, and the database takes none in a search.


def json_value(body: bytes) -> Any:
    """Return what JSON says.

    Raises ValueError for what is no JSON (such as NaN), is nested too deep, or has a text that is
    none.
    """
    try:
        value = json.loads(body or b"{}", parse_constant=_refuse)
        lowered = body.lower()
        if b"\\u0000" in lowered or b"\\ud" in lowered:  # A zero, or half of a letter.
            text = json.dumps(value, ensure_ascii=False)
            text.encode()
            if "\\u0000" in text:
                raise ValueError("a zero in a text")
    except RecursionError:
        raise ValueError("nested too deep") from None
    return value


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
