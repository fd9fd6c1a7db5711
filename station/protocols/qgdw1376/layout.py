"""How the values of a data unit lie one behind the other: the words the tables are written in.

A layout reads bytes into a dict and writes the same bytes from it:

    Layout(Field("port", "端口", U8), Series("points", "测量点", U16, counted(U8)))

A value that is missing on the wire becomes `NoValue`, which keeps its bytes; None is written as
EEH. What the wire repeats becomes a list. Keys are English names with underscores.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from station.protocols.qgdw1376.formats import (
    MISSING,
    TEXT_ENCODING,
    Format,
    Octets,
    Unsigned,
    Value,
)
from station.words import Text

Values = dict[str, Any]
Row = dict[str, Any]


class Unfit(ValueError):
    """The bytes do not hold this layout."""


@dataclass(frozen=True, slots=True)
class NoValue:
    """Bytes that hold no value of their format: EEH for "missing", or something else."""

    raw: bytes


_ABBREVIATIONS = frozenset(("afn", "apn", "ct", "ip", "pt", "rts", "sms"))


def name_of(key: str) -> str:
    """Return a key as English words; abbreviations in capitals."""
    return " ".join(word.upper() if word in _ABBREVIATIONS else word for word in key.split("_"))


def take(data: bytes, at: int, size: int) -> bytes:
    """Return so many bytes at an offset. Raises Unfit if the data ends before."""
    raw = data[at : at + size]
    if len(raw) < size:
        raise Unfit(f"the data unit is cut off: {size} bytes are due at {at}, {len(raw)} are here")
    return raw


def read_value(layout: Format, data: bytes, at: int) -> Value | NoValue:
    """Return the value at an offset. Raises Unfit if the data ends before."""
    raw = take(data, at, layout.size)
    value = layout.decode(raw)
    return NoValue(raw) if value is None else value


def write_value(layout: Format, value: Value | NoValue | None) -> bytes:
    """Return the bytes of a value. Raises ValueError if it does not fit."""
    if value is None:
        return bytes((MISSING,)) * layout.size
    return value.raw if isinstance(value, NoValue) else layout.encode(value)


def value_words(layout: Format, value: Value | NoValue | None) -> str | None:
    """Return a value as text, None if there is none."""
    return None if value is None or isinstance(value, NoValue) else layout.words(value)


class Part(ABC):
    """One piece of a layout."""

    @abstractmethod
    def read(self, data: bytes, at: int, values: Values) -> int:
        """Put what stands at an offset into the values, return the offset behind. Raises Unfit."""

    @abstractmethod
    def write(self, values: Mapping[str, Any]) -> bytes:
        """Return the bytes of the values. Raises ValueError or KeyError."""

    @abstractmethod
    def rows(self, values: Mapping[str, Any]) -> list[Row]:
        """Return the values by name, as JSON holds them."""


class Layout:
    """Parts one behind the other."""

    def __init__(self, *parts: Part) -> None:
        self.parts = parts

    def __add__(self, other: "Layout") -> "Layout":
        return Layout(*self.parts, *other.parts)

    def read(self, data: bytes, at: int = 0) -> tuple[Values, int]:
        """Return the values at an offset and the offset behind them. Raises Unfit."""
        values: Values = {}
        for part in self.parts:
            at = part.read(data, at, values)
        return values, at

    def decode(self, data: bytes) -> Values:
        """Return the values of exactly these bytes. Raises Unfit."""
        values, end = self.read(data)
        if end != len(data):
            raise Unfit(f"{len(data) - end} bytes are left over")
        return values

    def encode(self, values: Mapping[str, Any]) -> bytes:
        """Return the bytes of the values. Raises ValueError, naming what is missing or wrong."""
        try:
            return b"".join(part.write(values) for part in self.parts)
        except KeyError as error:
            raise ValueError(f"{error.args[0]} is missing") from None

    def rows(self, values: Mapping[str, Any]) -> list[Row]:
        """Return the values by name, as JSON holds them."""
        return [row for part in self.parts for row in part.rows(values)]


EMPTY = Layout()

Meanings = Mapping[int, Text]


@dataclass(frozen=True)
class Field(Part):
    """One value; `meanings` tells what its numbers stand for."""

    key: str
    zh: str
    layout: Format
    unit: str = ""
    meanings: Meanings = field(default_factory=dict)

    def read(self, data: bytes, at: int, values: Values) -> int:
        """Read one value."""
        values[self.key] = read_value(self.layout, data, at)
        return at + self.layout.size

    def write(self, values: Mapping[str, Any]) -> bytes:
        """Write one value."""
        return write_value(self.layout, values[self.key])

    def rows(self, values: Mapping[str, Any]) -> list[Row]:
        """Return one row."""
        value = values[self.key]
        return [_row(self, value_words(self.layout, value), value)]


def _row(part: "Field | Bit", words: Any, value: object) -> Row:
    row: Row = {"name": name_of(part.key), "name_zh": part.zh, "value": words, "unit": part.unit}
    if isinstance(value, int) and value in part.meanings:
        meaning = part.meanings[value]
        row |= {"meaning": meaning.en, "meaning_zh": meaning.zh}
    return row


@dataclass(frozen=True)
class Bit:
    """Some bits of a byte, from D`low` upwards."""

    key: str
    zh: str
    low: int
    width: int = 1
    unit: str = ""
    meanings: Meanings = field(default_factory=dict)

    @property
    def mask(self) -> int:
        """Return the bits of the value, not yet shifted."""
        return (1 << self.width) - 1


class Packed(Part):
    """Several numbers in the bits of a few bytes; bits not named are kept under `spare`."""

    def __init__(self, size: int, *bits: Bit) -> None:
        self.layout = Unsigned(size)
        self.bits = bits
        used = 0
        for bit in bits:
            assert not used & bit.mask << bit.low, f"{bit.key} overlaps"
            used |= bit.mask << bit.low
        self.spare = ~used & (1 << 8 * size) - 1
        self.spare_key = f"spare_of_{bits[0].key}"

    def read(self, data: bytes, at: int, values: Values) -> int:
        """Read each number; what stands in unused bits too, if it is not zero."""
        number = int.from_bytes(take(data, at, self.layout.size), "little")
        for bit in self.bits:
            values[bit.key] = number >> bit.low & bit.mask
        if number & self.spare:
            values[self.spare_key] = number & self.spare
        return at + self.layout.size

    def write(self, values: Mapping[str, Any]) -> bytes:
        """Write all numbers into their bits."""
        number = values.get(self.spare_key, 0)
        for bit in self.bits:
            value = values[bit.key]
            if not isinstance(value, int) or not 0 <= value <= bit.mask:
                raise ValueError(f"{bit.key} must be 0..{bit.mask}, got {value!r}")
            number |= value << bit.low
        return self.layout.encode(number)

    def rows(self, values: Mapping[str, Any]) -> list[Row]:
        """Return a row for each number."""
        return [_row(bit, str(values[bit.key]), values[bit.key]) for bit in self.bits]


@dataclass(frozen=True)
class Sized(Part):
    """A length, then so many bytes: a text, or hex digits when `is_text` is off."""

    key: str
    zh: str
    length: Unsigned
    is_text: bool = False
    most: int | None = None

    def read(self, data: bytes, at: int, values: Values) -> int:
        """Read the length and the bytes."""
        size = int.from_bytes(take(data, at, self.length.size), "little")
        if self.most is not None and size > self.most:
            raise Unfit(f"{self.key} has {size} bytes, {self.most} are allowed")
        at += self.length.size
        raw = take(data, at, size)
        values[self.key] = _text(raw) if self.is_text else raw.hex().upper()
        return at + size

    def write(self, values: Mapping[str, Any]) -> bytes:
        """Write the length and the bytes."""
        value: str | NoValue = values[self.key]
        if isinstance(value, NoValue):
            raw = value.raw
        else:
            raw = value.encode(TEXT_ENCODING) if self.is_text else bytes.fromhex(value)
        if self.most is not None and len(raw) > self.most:
            raise ValueError(f"{self.key} has {len(raw)} bytes, {self.most} are allowed")
        return self.length.encode(len(raw)) + raw

    def rows(self, values: Mapping[str, Any]) -> list[Row]:
        """Return one row."""
        value = values[self.key]
        words = None if isinstance(value, NoValue) else value
        return [{"name": name_of(self.key), "name_zh": self.zh, "value": words, "unit": ""}]


def _text(raw: bytes) -> str | NoValue:
    try:
        text = raw.decode(TEXT_ENCODING)
    except UnicodeDecodeError:
        return NoValue(raw)
    return text if text.encode(TEXT_ENCODING) == raw else NoValue(raw)


@dataclass(frozen=True)
class Rest(Part):
    """All bytes up to the end, as hex digits; no row when there are none."""

    key: str
    zh: str

    def read(self, data: bytes, at: int, values: Values) -> int:
        """Read the rest."""
        values[self.key] = data[at:].hex().upper()
        return len(data)

    def write(self, values: Mapping[str, Any]) -> bytes:
        """Write the rest."""
        return bytes.fromhex(values.get(self.key, ""))

    def rows(self, values: Mapping[str, Any]) -> list[Row]:
        """Return one row, or none."""
        if not values.get(self.key):
            return []
        return Field(self.key, self.zh, Octets(0)).rows(values)


class Optional(Part):
    """A layout that is there or not at the end of a data unit."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def read(self, data: bytes, at: int, values: Values) -> int:
        """Read the layout unless the data has ended."""
        if at == len(data):
            return at
        found, end = self.layout.read(data, at)
        values |= found
        return end

    def write(self, values: Mapping[str, Any]) -> bytes:
        """Write the layout if the values have anything of it."""
        return self.layout.encode(values) if values else b""

    def rows(self, values: Mapping[str, Any]) -> list[Row]:
        """Return the rows of the layout if it was there."""
        return self.layout.rows(values) if values else []
