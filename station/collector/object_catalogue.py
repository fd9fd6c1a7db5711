"""Which parameters terminals of DL/T 698.45 have: objects, their fields, help and source. Pure.

A code is the OAD, "45000200"; an entry of a list has its number behind: "60000200.1" is meter 1 of
the terminal's archive, "60120200.1" task 1, "60140200.1" ordinary scheme 1. Entries are read with
their list and set by its method 127 or 128. Shapes: digest dlt698_45.md, section 14.
"""

from dataclasses import dataclass
from functools import lru_cache

from station.collector.object_lists import LISTS
from station.collector.object_parts import ObjectParameter
from station.collector.object_settings import ALWAYS, CHOSEN
from station.collector.parameter_texts import ParameterSpec
from station.errors import InvalidValue
from station.protocols.dlt698.objects import name_of
from station.words import Text

SOURCE = "DL/T 698.45-2017, {} attribute {}"
CODE_SIZE = 8  # Of an OAD in hex.


@dataclass(frozen=True, slots=True)
class ObjectCode:
    """A code taken apart: its row, and the number of the entry (0: none)."""

    row: ObjectParameter
    number: int


OBJECT_ROWS = (*ALWAYS, *LISTS, *CHOSEN)
_ROWS = {row.oad.text: row for row in OBJECT_ROWS}
assert len(_ROWS) == len(OBJECT_ROWS), "a parameter stands twice"

# Shown for every terminal; entries of lists that are in use or were added, the others if wanted.
OBJECT_MAIN = tuple(row.oad.text for row in ALWAYS)


def object_code(code: str) -> ObjectCode:
    """Return a code taken apart. Raises InvalidValue for one that is not here."""
    head, _, tail = code.partition(".")
    row = _ROWS.get(head)
    if row is None or bool(tail) != row.is_list or (tail and not _is_number(tail)):
        raise InvalidValue("code", f"there is no parameter {code!r}")
    number = int(tail or 0)
    if row.is_list and not 1 <= number <= row.most:
        raise InvalidValue("code", f"{number} is not in 1..{row.most}")
    return ObjectCode(row, number)


@lru_cache(maxsize=512)
def object_spec(code: str) -> ParameterSpec:
    """Return what is known of a parameter. Raises InvalidValue."""
    found = object_code(code)
    oad = found.row.oad
    name = name_of(oad)
    english = name.en[0].upper() + name.en[1:]
    label = Text(english, name.zh)
    if found.number:
        label = Text(f"{english}, {found.number}", f"{name.zh}（{found.number}）")
    source = SOURCE.format(f"{oad.oi:04X}", oad.attribute)
    return ParameterSpec(code, label, tuple(found.row.part.fields()), found.row.help, source)


def _is_number(text: str) -> bool:
    return text.isdecimal() and text.isascii() and len(text) <= 4
