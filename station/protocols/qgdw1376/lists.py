"""What a layout repeats: values of one format, or entries with a layout of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from station.protocols.qgdw1376.formats import Format, Unsigned, Value
from station.protocols.qgdw1376.layout import (
    Layout,
    NoValue,
    Part,
    Row,
    Unfit,
    Values,
    name_of,
    read_value,
    take,
    value_words,
    write_value,
)
from station.words import Text


@dataclass(frozen=True)
class Count:
    """How many entries a list has; with nothing given they reach to the end of the bytes."""

    leading: Unsigned | None = None  # The count stands right before the entries.
    least: int = 0
    most: int | None = None
    key: str = ""  # A value further ahead tells it,
    more: int = 0  # and there are so many more (M tariffs have M + 1 registers),
    of: Mapping[int, int] | None = None  # or a table translates it.
    fixed: int | None = None  # The standard says it.

    def read(self, data: bytes, at: int, values: Values) -> tuple[int | None, int]:
        """Return the count, None for "up to the end", and the offset behind it. Raises Unfit."""
        if self.leading is None:
            return self._expected(values), at
        size = self.leading.size
        return self._checked(int.from_bytes(take(data, at, size), "little")), at + size

    def write(self, count: int, values: Mapping[str, Any]) -> bytes:
        """Return the bytes of the count. Raises ValueError if the list has another length."""
        if self.leading is not None:
            return self.leading.encode(self._checked(count))
        expected = self._expected(values)
        if expected is not None and count != expected:
            raise ValueError(f"{expected} entries are needed, got {count}")
        return b""

    def _expected(self, values: Mapping[str, Any]) -> int | None:
        if not self.key:
            return self.fixed
        number = values[self.key]
        if isinstance(number, NoValue) or number is None:
            raise Unfit(f"{self.key} is missing, so the size is not known")
        if self.of is None:
            return int(number) + self.more
        if number not in self.of:
            raise Unfit(f"{self.key} is {number}, so the size is not known")
        return self.of[number]

    def _checked(self, count: int) -> int:
        if count < self.least or (self.most is not None and count > self.most):
            most = "" if self.most is None else self.most
            raise Unfit(f"{count} entries, {self.least}..{most} are allowed")
        return count


TO_END = Count()


def counted(layout: Unsigned, *, least: int = 0, most: int | None = None) -> Count:
    """Return the count that stands right before its entries."""
    return Count(leading=layout, least=least, most=most)


def fixed(count: int) -> Count:
    """Return the count that the standard says."""
    return Count(fixed=count)


def as_told_by(key: str, *, more: int = 0, of: Mapping[int, int] | None = None) -> Count:
    """Return the count that an earlier value tells: plus `more`, or through the table `of`."""
    return Count(key=key, more=more, of=of)


def _read_list(
    count: Count, item: "Series | Group", data: bytes, at: int, values: Values
) -> tuple[list[Any], int]:
    number, at = count.read(data, at, values)
    entries: list[Any] = []
    while at < len(data) if number is None else len(entries) < number:
        entry, at = item.read_entry(data, at)
        entries.append(entry)
    return entries, at


@dataclass(frozen=True)
class Series(Part):
    """A list of values of one format; with `labels` each is shown under its own name."""

    key: str
    zh: str
    layout: Format
    count: Count
    unit: str = ""
    labels: tuple[Text, ...] = ()

    def read(self, data: bytes, at: int, values: Values) -> int:
        """Read as many values as are counted."""
        values[self.key], at = _read_list(self.count, self, data, at, values)
        return at

    def read_entry(self, data: bytes, at: int) -> tuple[Value | NoValue, int]:
        """Read one value."""
        return read_value(self.layout, data, at), at + self.layout.size

    def write(self, values: Mapping[str, Any]) -> bytes:
        """Write all values."""
        entries: Sequence[Value | NoValue | None] = values[self.key]
        head = self.count.write(len(entries), values)
        return head + b"".join(write_value(self.layout, entry) for entry in entries)

    def rows(self, values: Mapping[str, Any]) -> list[Row]:
        """Return a row for each label, or one row with a list."""
        words = [value_words(self.layout, entry) for entry in values[self.key]]
        if not self.labels:
            name = name_of(self.key)
            return [{"name": name, "name_zh": self.zh, "value": words, "unit": self.unit}]
        return [
            {"name": name.en, "name_zh": name.zh, "value": word, "unit": self.unit}
            for name, word in zip(_names(self, len(words)), words, strict=True)
        ]


@dataclass(frozen=True)
class Group(Part):
    """A list of entries that have a layout of their own; each becomes a dict."""

    key: str
    zh: str
    layout: Layout
    count: Count
    labels: tuple[Text, ...] = ()

    def read(self, data: bytes, at: int, values: Values) -> int:
        """Read as many entries as are counted."""
        values[self.key], at = _read_list(self.count, self, data, at, values)
        return at

    def read_entry(self, data: bytes, at: int) -> tuple[Values, int]:
        """Read one entry."""
        entry, end = self.layout.read(data, at)
        if end == at:
            raise Unfit("an entry of no bytes")
        return entry, end

    def write(self, values: Mapping[str, Any]) -> bytes:
        """Write all entries."""
        entries: Sequence[Values] = values[self.key]
        head = self.count.write(len(entries), values)
        return head + b"".join(self.layout.encode(entry) for entry in entries)

    def rows(self, values: Mapping[str, Any]) -> list[Row]:
        """Return a row for each entry; its value is the list of the rows of the entry."""
        entries = [self.layout.rows(entry) for entry in values[self.key]]
        return [
            {"name": name.en, "name_zh": name.zh, "value": entry, "unit": ""}
            for name, entry in zip(_names(self, len(entries)), entries, strict=True)
        ]


def _names(part: Series | Group, count: int) -> list[Text]:
    """Return a name for each entry: its label, or its number when the labels do not suffice."""
    labels = list(part.labels[:count])
    labels += [Text(str(number), str(number)) for number in range(len(labels) + 1, count + 1)]
    name = name_of(part.key)
    return [Text(f"{name}, {label.en}", f"{part.zh}（{label.zh}）") for label in labels]
