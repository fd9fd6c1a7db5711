"""The cells of a row that came in, by field, and what a row is held against. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from station.store.objects.imports import Problem
from station.store.objects.places import PlaceTree


@dataclass(frozen=True)
class Surroundings:
    """What a row is held against.

    `things` are those that are there, by key; `ends` the place of each terminal and channel;
    `allowed` the places that the person may deal with, None for all.
    """

    things: Mapping[str, Any]
    ends: Mapping[str, str]
    places: PlaceTree
    now: datetime
    by: str
    allowed: frozenset[str] | None = None
    _named: dict[str, str | None] = field(default_factory=dict)

    def place(self, text: str) -> str:
        """Return the id of the place that a text names. Raises ValueError."""
        if text not in self._named:
            found = self.places.named(text)
            self._named[text] = None if found is None else found.id
        place = self._named[text]
        if place is None:
            raise ValueError(f"there is no place {text}")
        return place


class RowCells:
    """The cells of one row, by field."""

    def __init__(self, number: int, row: Sequence[str], columns: Sequence[str | None]) -> None:
        self.number = number
        self._row = row
        self._columns = columns

    def text(self, name: str) -> str:
        """Return what is in a field's cell, nothing if there is no such column."""
        index = self._index(name)
        return self._row[index] if index is not None and index < len(self._row) else ""

    def has(self, name: str) -> bool:
        """Tell whether the file has a column of this field."""
        return self._index(name) is not None

    def problem(self, name: str, message: str) -> Problem:
        """Return what is wrong with a field, and where it stands."""
        index = self._index(name)
        cell = "" if index is None else f"{_letters(index)}{self.number}"
        return Problem(name, cell, self.text(name), message)

    def _index(self, name: str) -> int | None:
        return self._columns.index(name) if name in self._columns else None


def _letters(index: int) -> str:
    """Return the letters of a column: A is 0, AA is 26."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
