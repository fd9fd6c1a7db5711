"""What tasks and collection schemes of DL/T 698.45 hold, as texts and back; see `object_forms`."""

import re
from dataclasses import dataclass
from typing import Any

from station.collector.object_forms import (
    BETWEEN_ENTRIES,
    ENTRIES_MAX,
    Form,
    Interval,
    Number,
    Server,
    expect,
    oad_of,
)
from station.protocols.dlt698.data import (
    AllMeters,
    Data,
    DataType,
    MeterAddresses,
    MeterAddressRegions,
    MeterNumberRegions,
    MeterNumbers,
    MeterTypeRegions,
    MeterTypes,
    NoMeters,
    Region,
)
from station.protocols.dlt698.identifiers import Csd, Road

_REGION = re.compile(r"([\[(])\s*(\w+)\s*,\s*(\w+)\s*([\])])")
_BRACKETS = (("[", ")"), ("(", "]"), ("[", "]"), ("(", ")"))  # Kinds of a region, by number.


@dataclass(frozen=True, slots=True)
class Span:
    """A slot of a day as four numbers: hour and minute of its begin and of its end."""

    example: str = "00:00-23:59"
    may_be_empty: bool = False

    def text(self, data: Data) -> str:
        expect(data, DataType.STRUCTURE)
        begin_hour, begin_minute, end_hour, end_minute = (each.value for each in data.value)
        return f"{begin_hour:02}:{begin_minute:02}-{end_hour:02}:{end_minute:02}"

    def data(self, text: str) -> Data:
        found = re.fullmatch(r"(\d\d):([0-5]\d)\s*-\s*(\d\d):([0-5]\d)", text)
        if found is None or int(found[1]) > 24 or int(found[3]) > 24:
            raise ValueError(text)
        numbers = tuple(Data(DataType.UNSIGNED, int(each)) for each in found.groups())
        return Data(DataType.STRUCTURE, numbers)


@dataclass(frozen=True, slots=True)
class Column:
    """A CSD: one object, or a store with the objects in it: "50040200>00100200,00200200"."""

    example: str = "50040200>00100200,00200200"
    may_be_empty: bool = False

    def text(self, data: Data) -> str:
        expect(data, DataType.CSD)
        column: Csd = data.value
        if isinstance(column, Road):
            return f"{column.oad.text}>{','.join(each.text for each in column.columns)}"
        return column.text

    def data(self, text: str) -> Data:
        store, sign, columns = text.partition(">")
        if not sign:
            return Data(DataType.CSD, oad_of(store))
        inside = tuple(oad_of(each) for each in columns.split(","))
        return Data(DataType.CSD, Road(oad_of(store), inside))


@dataclass(frozen=True, slots=True)
class HowToRead:
    """What of a record a scheme takes: its kind, and what that needs (digest, section 14, 6014)."""

    example: str = "1 1"
    may_be_empty: bool = False

    def text(self, data: Data) -> str:
        expect(data, DataType.STRUCTURE)
        kind, content = data.value
        if content.type is DataType.NULL:
            return str(kind.value)
        if content.type is DataType.UNSIGNED:
            return f"{kind.value} {content.value}"
        return f"{kind.value} {Interval().text(content)}"

    def data(self, text: str) -> Data:
        kind, _, rest = text.partition(" ")
        content = Data(DataType.NULL, None)
        if rest.strip().isdecimal():
            content = Number().data(rest.strip())
        elif rest.strip():
            content = Interval().data(rest.strip())
        return Data(DataType.STRUCTURE, (Number().data(kind), content))


@dataclass(frozen=True, slots=True)
class MeterSet:
    """An MS: "all", "none", or addresses, numbers or types, one by one or as ranges."""

    example: str = "all"
    may_be_empty: bool = False

    def text(self, data: Data) -> str:
        expect(data, DataType.MS)
        chosen = data.value
        if isinstance(chosen, AllMeters | NoMeters):
            return "all" if isinstance(chosen, AllMeters) else "none"
        word, (single, regions, form) = next(
            (word, row) for word, row in _SETS.items() if isinstance(chosen, row[:2])
        )
        if isinstance(chosen, regions):
            entries = [_region_text(each, form) for each in chosen.regions]
        else:
            told = getattr(chosen, _MEMBERS[single])
            entries = [form.text(Data(form_type(form), each)) for each in told]
        return f"{word} {f'{BETWEEN_ENTRIES} '.join(entries)}"

    def data(self, text: str) -> Data:
        if text in ("all", "none"):
            return Data(DataType.MS, AllMeters() if text == "all" else NoMeters())
        word, _, rest = text.partition(" ")
        if word not in _SETS:
            raise ValueError(text)
        single, regions, form = _SETS[word]
        entries = [each.strip() for each in rest.split(BETWEEN_ENTRIES) if each.strip()]
        if not 1 <= len(entries) <= ENTRIES_MAX:
            raise ValueError(text)
        if entries[0][0] in "[(":
            return Data(DataType.MS, regions(tuple(_region(each, form) for each in entries)))
        return Data(DataType.MS, single(tuple(form.data(each).value for each in entries)))


_SETS: dict[str, tuple[Any, Any, Form]] = {
    "types": (MeterTypes, MeterTypeRegions, Number()),
    "meters": (MeterAddresses, MeterAddressRegions, Server()),
    "numbers": (MeterNumbers, MeterNumberRegions, Number(DataType.LONG_UNSIGNED)),
}
_MEMBERS = {MeterTypes: "types", MeterAddresses: "addresses", MeterNumbers: "numbers"}


def form_type(form: Form) -> DataType:
    """Return the type of what a form of a meter set reads."""
    return DataType.TSA if isinstance(form, Server) else getattr(form, "type", DataType.UNSIGNED)


def _region_text(region: Region, form: Form) -> str:
    opens, closes = _BRACKETS[region.kind]
    return f"{opens}{form.text(region.begin)}, {form.text(region.end)}{closes}"


def _region(text: str, form: Form) -> Region:
    found = _REGION.fullmatch(text)
    if found is None:
        raise ValueError(text)
    kind = _BRACKETS.index((found[1], found[4]))
    return Region(kind, form.data(found[2]), form.data(found[3]))
