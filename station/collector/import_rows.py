"""What the rows of a table would change in the archive: terminals, meters, customers. Pure.

Rules. A row is known by its key; a key that is not there is a new thing. A column that the file
does not have changes nothing. An empty cell empties a text and leaves everything else as it is (of
a new thing: at its usual value). Nothing is ever removed by an import. Zeros that a spreadsheet
took off the left of an address are put back.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from station.collector.archive_checks import checked_meter, checked_terminal
from station.collector.import_cells import RowCells, Surroundings
from station.collector.items import DLT698
from station.errors import InvalidValue
from station.store.objects.customers import Customer
from station.store.objects.imports import ImportRow, Problem
from station.store.objects.meters import Meter
from station.store.objects.places import Place, PlaceTree
from station.store.objects.stages import ACTIVE
from station.store.objects.terminals import Terminal

CUSTOMER_SIZES = MappingProxyType({"name": 64, "phone": 32, "address": 200, "note": 200})
NUMBER_SIZE = 12  # Digits of a meter of DL/T 645 and of a customer,
TERMINAL_SIZE = 8  # and of a terminal of Q/GDW 1376.1.

_COMMAS = re.compile(r"[,，;；、]")  # Those of a Chinese keyboard too.
_YES_NO = {
    "true": True, "yes": True, "1": True, "是": True,
    "false": False, "no": False, "0": False, "否": False,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Table:
    """A kind of things that can be imported: its shape, its key, and the fields by their kinds."""

    shape: Callable[..., Any]
    key: str
    fields: Mapping[str, str]  # Name: "text", "word", "number", "yes_no", "names" or "place".


# The order is that of the columns in a file. A "word" is a text that an empty cell does not empty.
TABLES: Final[Mapping[str, Table]] = MappingProxyType(
    {
        "places": Table(
            Place,
            "id",
            {"id": "word", "kind": "word", "name": "word", "parent": "place", "code": "text"},
        ),
        "terminals": Table(
            Terminal,
            "address",
            {
                "address": "word",
                "name": "text",
                "protocol": "word",
                "place": "place",
                "stage": "word",
                "groups": "names",
                "registration": "text",
                "heartbeat": "text",
                "echo": "yes_no",
                "parallel_ports": "yes_no",
                "collects": "yes_no",
            },
        ),
        "meters": Table(
            Meter,
            "address",
            {
                "address": "word",
                "name": "text",
                "link": "word",
                "protocol": "word",
                "point": "number",
                "port": "number",
                "line": "word",
                "profile_interval_min": "number",
                "tariffs": "number",
                "ct": "number",
                "pt": "number",
                "place": "place",
                "stage": "word",
                "groups": "names",
            },
        ),
        "customers": Table(
            Customer,
            "number",
            {
                "number": "word",
                "name": "word",
                "phone": "text",
                "address": "text",
                "note": "text",
            },
        ),
    }
)


def fields_of_heads(
    heads: Sequence[str], names: Mapping[str, str]
) -> tuple[list[str | None], list[str]]:
    """Return the field of each column, None where there is none, and the heads without a field.

    `names` gives the field of each head, in small letters. Raises InvalidValue for `file` when two
    columns are of one field.
    """
    columns: list[str | None] = []
    unread = []
    for head in heads:
        name = names.get(head.strip().casefold())
        if name is not None and name in columns:
            raise InvalidValue("file", f"two columns are called {head}")
        if name is None and head.strip():
            unread.append(head.strip())
        columns.append(name)
    return columns, unread


def plan_rows(
    kind: str,
    rows: Sequence[Sequence[str]],
    columns: Sequence[str | None],
    surroundings: Surroundings,
) -> Iterator[ImportRow]:
    """Yield what each row would do; `rows` are those behind the head, which is row 1."""
    table = TABLES[kind]
    seen: dict[str, int] = {}
    for number, row in enumerate(rows, start=2):
        if not any(row):
            continue
        cells = RowCells(number, row, columns)
        planned = _plan(kind, table, cells, surroundings)
        if planned.key and planned.key in seen:
            message = f"row {seen[planned.key]} has the same one already"
            problem = cells.problem(table.key, message)
            planned = ImportRow(number, planned.key, "error", problems=(problem,))
        seen.setdefault(planned.key, number)
        yield planned


def text_of_field(value: object, kind: str, places: PlaceTree) -> str | int | bool:
    """Return a field as a file holds it: the reverse of reading it from a cell."""
    if kind == "names":
        assert isinstance(value, tuple), "names are a tuple"
        return ", ".join(value)
    if kind == "place":
        place = places.by_id.get(str(value))
        return "" if place is None else place.code or places.path_text(place.id)
    if kind == "yes_no":
        return "yes" if value else "no"
    assert isinstance(value, str | int), "the others are texts and numbers"
    return value


def _plan(kind: str, table: Table, cells: RowCells, around: Surroundings) -> ImportRow:
    number = cells.number
    try:
        key = _key(kind, cells, around)
    except ValueError as error:
        return ImportRow(number, "", "error", problems=(cells.problem(table.key, str(error)),))
    before = around.things.get(key)
    values, problems = _values(table, cells, around)
    values[table.key] = key
    if problems:
        return ImportRow(number, key, "error", problems=tuple(problems))
    try:
        after = _after(kind, table, before, values, around)
        _check(kind, before, after, around)
    except InvalidValue as error:
        problem = cells.problem(error.field, str(error))
        return ImportRow(number, key, "error", problems=(problem,))
    if before is None:
        return ImportRow(number, key, "new", after=after)
    if after == before:
        return ImportRow(number, key, "unchanged")
    return ImportRow(number, key, "changed", before=before, after=after)


def _key(kind: str, cells: RowCells, around: Surroundings) -> str:
    """Return the key of a row, with the zeros that a spreadsheet took off. Raises ValueError."""
    text = cells.text(TABLES[kind].key)
    if not text:
        raise ValueError("is needed")
    if text in around.things:
        return text
    if kind == "customers":
        if not (text.isascii() and text.isdecimal()) or len(text) > NUMBER_SIZE or not int(text):
            raise ValueError(f"{text} is not up to 12 digits")
        return text.zfill(NUMBER_SIZE)
    protocol = cells.text("protocol")
    if protocol == "dtu":
        return text
    text = text.upper()
    if text.isascii() and text.isdecimal() and protocol != DLT698:
        return text.zfill(NUMBER_SIZE if kind == "meters" else TERMINAL_SIZE)
    return text


def _values(
    table: Table, cells: RowCells, around: Surroundings
) -> tuple[dict[str, Any], list[Problem]]:
    values: dict[str, Any] = {}
    problems = []
    for name, kind in table.fields.items():
        text = cells.text(name)
        if not cells.has(name) or (not text and kind not in ("text", "names", "place")):
            continue
        try:
            values[name] = _value(kind, text, around)
        except ValueError as error:
            problems.append(cells.problem(name, str(error)))
    return values, problems


def _value(kind: str, text: str, around: Surroundings) -> object:
    if kind == "number":
        if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
            raise ValueError("expected a whole number")
        return int(text)
    if kind == "yes_no":
        if text.casefold() not in _YES_NO:
            raise ValueError("expected yes or no")
        return _YES_NO[text.casefold()]
    if kind == "names":
        return tuple(name for part in _COMMAS.split(text) if (name := part.strip()))
    if kind == "place":
        return around.place(text) if text else ""
    return text


def _after(
    kind: str, table: Table, before: Any, values: Mapping[str, Any], around: Surroundings
) -> Any:
    """Return the thing as the row wants it, checked. Raises InvalidValue."""
    if before is None:
        needed = {"meters": "link", "customers": "name"}.get(kind)
        if needed is not None and needed not in values:
            raise InvalidValue(needed, "is needed")
        after = table.shape(**{"name": "", **values}, created_at=around.now)
    else:
        after = replace(before, **values)
    if kind == "customers":
        return _checked_customer(after if before else replace(after, created_by=around.by))
    stage_before = ACTIVE if before is None else before.stage
    if after.stage != stage_before:
        after = replace(after, stage_since=around.now)
    return checked_meter(after) if kind == "meters" else checked_terminal(after)


def _checked_customer(customer: Customer) -> Customer:
    if not customer.name:
        raise InvalidValue("name", "is needed")
    for name, size in CUSTOMER_SIZES.items():
        if len(getattr(customer, name)) > size:
            raise InvalidValue(name, f"may have at most {size} characters")
    return customer


def _check(kind: str, before: Any, after: Any, around: Surroundings) -> None:
    """Check a thing against what it hangs on and the person's areas. Raises InvalidValue."""
    if kind == "customers":
        return
    if kind == "meters":
        if after.link not in around.ends:
            raise InvalidValue("link", f"there is no terminal or channel {after.link}")
        if before is not None and (before.ct, before.pt) != (after.ct, after.pt):
            name = "ct" if before.ct != after.ct else "pt"
            raise InvalidValue(name, "a ratio is changed on the meter's page, with the readings")
    elif before is None and after.address in around.ends:
        raise InvalidValue("address", f"the name {after.address} is taken by a channel")
    if around.allowed is None:
        return
    for thing in (before, after):
        if thing is not None and _place_of(thing, around) not in around.allowed:
            raise InvalidValue("place", "lies outside your areas")


def _place_of(thing: Terminal | Meter, around: Surroundings) -> str:
    if thing.place or isinstance(thing, Terminal):
        return thing.place
    return around.ends.get(thing.link, "")
