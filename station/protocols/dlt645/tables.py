"""Rows of data identifiers, and what becomes of one identifier looked up in them.

A row's pattern is the identifier as the standard prints it: capital hexadecimal digits stand for
themselves, a small letter (twice in 2007, once in 1997) for an axis that the identifier counts
along: `0001ttdd` is forward active energy by tariff and settlement day. Where an axis allows it,
all ones in its place (FFH, or FH in 1997) ask for the block of all its items.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import NamedTuple

from station.words import Text

from .formats import ALL_THAT_IS_LEFT, Content, Format

BLOCK_ENDS = (0xAA, 0xDD)  # Some makers close a block with one of these (digest 3).
SEPARATOR = b"\xaa"  # Closes each part of a record in sections; no BCD byte can be AAH.

_CLASS_DIGITS = 2  # No axis begins before the third digit of a pattern.


class Label(NamedTuple):
    """What one place on an axis adds to an item's code and to its names."""

    code: str
    en: str
    zh: str


BLOCK_LABEL = Label("block", "block", "数据块")


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """A letter of the patterns, its places in order, and whether they can be read as a block."""

    letter: str
    labels: Mapping[int, Label]
    has_block: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One value of an item. `copy_of` is the pattern of the quantity that a kept copy is of."""

    code: str
    format: Format
    unit: str
    en: str
    zh: str
    copy_of: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One line of the tables. `{t}` in the texts stands for the place on the axis t.

    `repeated` is the axis along which the parts repeat inside the data, for as long as it lasts.
    `may_be_shorter` allows data to end after any part: old meters keep shorter event records.
    `sections` are rows whose data follow one another, each closed by AAH; then there are no parts.
    `axes` are the row's own, where its letters do not mean the table's.
    """

    pattern: str
    code: str
    en: str
    zh: str
    parts: tuple[Part, ...] = ()
    repeated: Axis | None = None
    may_be_shorter: bool = False
    sections: tuple["Row", ...] = ()
    axes: tuple[Axis, ...] = ()


def item(pattern: str, code: str, value: Format, unit: str, en: str, zh: str) -> Row:
    """Return the row of an item that is one value."""
    return Row(pattern, code, en, zh, (Part("", value, unit, "", ""),))


class Field(NamedTuple):
    """One value at its place in the data of an identifier."""

    data_id: int
    code: str
    name: Text
    unit: str
    size: int
    decode: Callable[[bytes], Content]
    encode: Callable[[Content], bytes]


class Layout:
    """The fields that the data of one identifier may hold, by the data's length."""

    def __init__(
        self, fields: Sequence[Field], *, width: int, is_block: bool, may_be_shorter: bool
    ) -> None:
        self.fields = tuple(fields)
        self._is_block = is_block
        self.fixed_size = sum(one.size for one in fields if one.size != ALL_THAT_IS_LEFT)
        self._is_open = any(one.size == ALL_THAT_IS_LEFT for one in fields)
        self.by_size: dict[int, tuple[Field, ...]] = {}
        if not self._is_open:
            step = 1 if may_be_shorter else width
            self.by_size = dict(self._whole_groups(step))

    def _whole_groups(self, step: int) -> Iterator[tuple[int, tuple[Field, ...]]]:
        size = 0
        for count, one in enumerate(self.fields, 1):
            size += one.size
            if count % step == 0:
                yield size, self.fields[:count]

    def fields_of(self, data: bytes) -> tuple[Field, ...] | None:
        """Return the fields that data of this length holds, or None if no layout is that long."""
        found = self.by_size.get(len(data))
        if found is not None:
            return found
        if self._is_open and len(data) >= self.fixed_size:
            rest = len(data) - self.fixed_size
            return tuple(
                one._replace(size=rest) if one.size == ALL_THAT_IS_LEFT else one
                for one in self.fields
            )
        if self._is_block and data and data[-1] in BLOCK_ENDS:
            return self.by_size.get(len(data) - 1)
        return None

    def fields_for(self, count: int) -> tuple[Field, ...] | None:
        """Return the fields that so many values fill, or None if no layout has that many."""
        if count == len(self.fields):
            return self.fields
        return next((found for found in self.by_size.values() if len(found) == count), None)


@dataclass(frozen=True, slots=True)
class Found:
    """What the tables say of an identifier: its names, and its layout or its sections."""

    code: str
    name: Text
    layout: Layout | None
    sections: tuple["Found", ...] = ()


class Table:
    """Rows of one version; `digits` is the length of its identifiers in hexadecimal digits."""

    def __init__(self, rows: Sequence[Row], axes: Sequence[Axis], digits: int) -> None:
        self.rows = tuple(rows)
        self.digits = digits
        self._axes = {axis.letter: axis for axis in axes}
        self._rows_by_class: dict[str, list[Row]] = {}
        for row in rows:
            data_class = row.pattern[:_CLASS_DIGITS]
            assert data_class == data_class.upper(), f"{row.pattern} begins with an axis"
            self._rows_by_class.setdefault(data_class, []).append(row)

    def find(self, data_id: int, overrides: Sequence[Row] = ()) -> list[Found]:
        """Return what an identifier may mean; rows of the same pattern differ in length.

        `overrides` are rows that a model of meters has instead of those in the table.
        """
        data_class = f"{data_id:0{self.digits}X}"[:_CLASS_DIGITS]
        for rows in (overrides, self._rows_by_class.get(data_class, ())):
            found = [one for row in rows if (one := self._found(row, data_id)) is not None]
            if found:
                return found
        return []

    def axis(self, row: Row, letter: str) -> Axis:
        """Return what a letter of a row's pattern counts along."""
        own = next((axis for axis in row.axes if axis.letter == letter), None)
        return own or self._axes[letter]

    def _found(self, row: Row, data_id: int) -> Found | None:
        places = self._places(row, data_id)
        if places is None:
            return None
        labels = {axis.letter: _label(axis, place) for axis, place in places.items()}
        if row.sections:
            sections = [one for part in row.sections if (one := self._section(part, places))]
            return Found(_fill(row.code, labels, 0), _name(row, labels), None, tuple(sections))
        block = next((axis for axis, place in places.items() if place is None), row.repeated)
        fields = self._fields(row, places, block)
        layout = Layout(
            fields,
            width=len(row.parts),
            is_block=block is not None,
            may_be_shorter=row.may_be_shorter,
        )
        if row.repeated is not None:
            labels[row.repeated.letter] = BLOCK_LABEL
        return Found(_fill(row.code, labels, 0), _name(row, labels), layout)

    def _section(self, row: Row, places: Mapping[Axis, int | None]) -> Found | None:
        return self._found(row, self._identifier(row.pattern, places))

    def _places(self, row: Row, data_id: int) -> dict[Axis, int | None] | None:
        """Return the place on each axis (None for the block), or None if there is no match."""
        text = f"{data_id:0{self.digits}X}"
        places: dict[Axis, int | None] = {}
        for letter, start, end in _runs(row.pattern):
            digits = text[start:end]
            if not letter.islower():
                if digits != row.pattern[start:end]:
                    return None
                continue
            axis = self.axis(row, letter)
            place = int(digits, 16)
            if place in axis.labels:
                places[axis] = place
            elif axis.has_block and digits == "F" * len(digits) and None not in places.values():
                places[axis] = None
            else:
                return None
        return places

    def _fields(
        self, row: Row, places: Mapping[Axis, int | None], block: Axis | None
    ) -> list[Field]:
        if block is None:
            return self._group(row, places)
        return [one for place in block.labels for one in self._group(row, {**places, block: place})]

    def _group(self, row: Row, places: Mapping[Axis, int | None]) -> list[Field]:
        labels = {axis.letter: _label(axis, place) for axis, place in places.items()}
        name = _name(row, labels)
        return [
            Field(
                self._identifier(part.copy_of or row.pattern, places),
                "_".join(filter(None, (_fill(row.code, labels, 0), part.code))),
                Text(
                    f"{name.en}: {part.en}" if part.en else name.en,
                    f"{name.zh}: {part.zh}" if part.zh else name.zh,
                ),
                part.unit,
                part.format.size,
                part.format.decode,
                part.format.encode,
            )
            for part in row.parts
        ]

    def _identifier(self, pattern: str, places: Mapping[Axis, int | None]) -> int:
        by_letter = {axis.letter: place for axis, place in places.items()}
        text = ""
        for letter, start, end in _runs(pattern):
            place = by_letter.get(letter, 0)
            width = end - start
            if not letter.islower():
                text += pattern[start:end]
            elif place is None:
                text += "F" * width
            else:
                text += f"{place:0{width}X}"
        return int(text, 16)


@cache
def _runs(pattern: str) -> tuple[tuple[str, int, int], ...]:
    """Return the stretches of fixed digits and of each axis letter, with their borders."""
    runs = []
    start = 0
    for letter, run in groupby(pattern, key=lambda one: one if one.islower() else "A"):
        end = start + len(list(run))
        runs.append((letter, start, end))
        start = end
    return tuple(runs)


def _label(axis: Axis, place: int | None) -> Label:
    return BLOCK_LABEL if place is None else axis.labels[place]


def _fill(text: str, labels: Mapping[str, Label], language: int) -> str:
    return text.format(**{letter: label[language] for letter, label in labels.items()})


def _name(row: Row, labels: Mapping[str, Label]) -> Text:
    return Text(_fill(row.en, labels, 1), _fill(row.zh, labels, 2))
