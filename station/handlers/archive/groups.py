"""Groups of terminals and meters: names with commas between them in a form, a list in JSON."""

import re
from typing import Annotated

from pydantic import BeforeValidator, Field

GROUPS_TYPED_MAX = 100  # The archive allows fewer, and says so.

_COMMAS = re.compile(r"[,，;；、]")  # Those of a Chinese keyboard too.


def _split(value: object) -> object:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, (list, tuple)) or not all(isinstance(each, str) for each in value):
        return value
    return [name for each in value for part in _COMMAS.split(each) if (name := part.strip())]


Groups = Annotated[tuple[str, ...], BeforeValidator(_split), Field(max_length=GROUPS_TYPED_MAX)]
