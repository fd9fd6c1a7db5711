"""Values of Q/GDW 1376.1 layouts as texts that people read and type, and back. Pure.

Each field of a layout becomes one text; entries of a list are parted by semicolons, the fields of
such an entry by dashes: "06:00-22:00; 23:00-23:59". A mask of events becomes the numbers of its
events, a time "2026-01-31 08:00:00", "day 01 06:30" or "06:30".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from station.errors import InvalidValue
from station.protocols.qgdw1376.formats import (
    BS64,
    Bcd,
    Bits,
    Clock,
    ClockBcd,
    EnergyBcd,
    Format,
    PartTime,
    PercentBcd,
    ScaledBcd,
    TimeBcd,
    Unsigned,
    Value,
)
from station.protocols.qgdw1376.layout import (
    Bit,
    Field,
    Layout,
    NoValue,
    Packed,
    Sized,
    Unfit,
    name_of,
)
from station.protocols.qgdw1376.lists import Group, Series
from station.protocols.qgdw1376.units import Identification, encode_identification
from station.words import Text

TEXT_SIZE_MAX = 1000  # Characters of one field: a task with a hundred data units.
EVENTS_MAX = 64  # Of a mask of 8 bytes.

_BETWEEN_ENTRIES, _INSIDE_ENTRY = ";", "-"
_TIME_PARTS = ("year", "month", "day", "hour", "minute", "second")
_UNIT = re.compile(r"p(\d{1,4})\s*F(\d{1,3})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of a parameter: how it is called, and what may be typed.

    `choices` are the numbers that have a meaning, as texts; `example` says the form of the others.
    """

    key: str
    name: Text
    unit: str = ""
    choices: tuple[tuple[str, Text], ...] = ()
    example: str = ""


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """One parameter: `source` is the clause that defines it."""

    code: str
    name: Text
    fields: tuple[FieldSpec, ...]
    help: Text
    source: str


def fields_of(layout: Layout) -> tuple[FieldSpec, ...]:
    """Return the fields of a layout in their order."""
    found: list[FieldSpec] = []
    for part in layout.parts:
        if isinstance(part, Packed):
            found += [_spec(bit) for bit in part.bits]
        elif isinstance(part, Field):
            found.append(_spec(part, _example(part.layout)))
        elif isinstance(part, Series):
            found.append(_spec(part, f"{_example(part.layout) or '1'}; …"))
        elif isinstance(part, Group):
            entry = _INSIDE_ENTRY.join(each.example or "0" for each in fields_of(part.layout))
            found.append(_spec(part, f"{entry}; …"))
        elif isinstance(part, Sized):
            found.append(_spec(part))
    return tuple(found)


def texts_of(layout: Layout, values: Mapping[str, Any]) -> dict[str, str]:
    """Return decoded values as texts; what the device does not have is an empty text."""
    texts: dict[str, str] = {}
    for part in layout.parts:
        if isinstance(part, Packed):
            texts |= {bit.key: str(values[bit.key]) for bit in part.bits}
        elif isinstance(part, Field):
            texts[part.key] = _words(part.layout, values[part.key])
        elif isinstance(part, Series):
            entries = [_words(part.layout, each) for each in values[part.key]]
            texts[part.key] = f"{_BETWEEN_ENTRIES} ".join(entries)
        elif isinstance(part, Group):
            lines = [texts_of(part.layout, each).values() for each in values[part.key]]
            texts[part.key] = f"{_BETWEEN_ENTRIES} ".join(map(_INSIDE_ENTRY.join, lines))
        elif isinstance(part, Sized):
            value = values[part.key]
            texts[part.key] = "" if isinstance(value, NoValue) else value
    return texts


def values_of(layout: Layout, texts: Mapping[str, str]) -> dict[str, Any]:
    """Return values to encode. Raises InvalidValue that names the field."""
    values: dict[str, Any] = {}
    for part in layout.parts:
        if isinstance(part, Packed):
            for bit in part.bits:
                values[bit.key] = _parsed(bit.key, Unsigned(part.layout.size), texts)
                if values[bit.key] > bit.mask:
                    raise InvalidValue(bit.key, f"{values[bit.key]} is not in 0..{bit.mask}")
        elif isinstance(part, Field):
            values[part.key] = _parsed(part.key, part.layout, texts)
        elif isinstance(part, Series):
            entries = _entries(_text(part.key, texts))
            values[part.key] = [_value(part.key, part.layout, each) for each in entries]
        elif isinstance(part, Group):
            entries = _entries(_text(part.key, texts))
            values[part.key] = [_entry(part, each) for each in entries]
        elif isinstance(part, Sized):
            values[part.key] = _text(part.key, texts)
    return values


def normal(layout: Layout, texts: Mapping[str, str]) -> dict[str, str]:
    """Return texts as a device's answer would be shown. Raises InvalidValue that names the field.

    The texts may be those of some fields alone; an empty text is left out.
    """
    kept = {key: text for key, text in texts.items() if text.strip()}
    known = {field.key for field in fields_of(layout)}
    for key in kept:
        if key not in known:
            raise InvalidValue(key, f"there is no field {key!r}")
    for part in layout.parts:
        keys = [bit.key for bit in part.bits] if isinstance(part, Packed) else [_key(part)]
        chosen = {key: kept[key] for key in keys if key in kept}
        if not chosen:
            continue
        filled = dict.fromkeys(keys, "0") | chosen
        alone = Layout(part)
        try:
            values = alone.decode(alone.encode(values_of(alone, filled)))
        except (ValueError, Unfit) as error:
            raise InvalidValue(next(iter(chosen)), str(error)) from None
        shown = texts_of(alone, values)
        kept |= {key: shown[key] for key in chosen}
    return kept


def _key(part: Any) -> str:
    return str(part.key)


def _spec(part: Any, example: str = "") -> FieldSpec:
    meanings = part.meanings if isinstance(part, Bit | Field) else {}
    name = name_of(part.key)
    return FieldSpec(
        part.key,
        Text(name[0].upper() + name[1:], part.zh),
        getattr(part, "unit", ""),
        tuple((str(number), words) for number, words in meanings.items()),
        example,
    )


def _example(layout: Format) -> str:
    if layout is BS64:
        return "1; 4; 14"
    if isinstance(layout, Bits):
        return "0" * (2 * layout.size)
    if isinstance(layout, ClockBcd):
        return "2026-01-31 00:00:00"
    if isinstance(layout, Identification):
        return "p1 F25"
    if isinstance(layout, TimeBcd):
        return str(PartTime(**{part: _FIRST[part] for part in layout.parts}))
    return ""


_FIRST = {"year": 2026, "month": 1, "day": 1, "hour": 6, "minute": 30, "second": 0}


def _words(layout: Format, value: Value | NoValue | None) -> str:
    if value is None or isinstance(value, NoValue):
        return ""
    if layout is BS64 and isinstance(value, int):
        return "; ".join(str(bit + 1) for bit in range(EVENTS_MAX) if value >> bit & 1)
    if isinstance(value, Clock):
        return value.time.isoformat(sep=" ")
    return layout.words(value)


def _text(key: str, texts: Mapping[str, str]) -> str:
    text = texts.get(key, "").strip()
    if len(text) > TEXT_SIZE_MAX:
        raise InvalidValue(key, f"a value has at most {TEXT_SIZE_MAX} characters")
    return text


def _parsed(key: str, layout: Format, texts: Mapping[str, str]) -> Any:
    return _value(key, layout, _text(key, texts))


def _value(key: str, layout: Format, text: str) -> Any:
    """Return a text as a value of a format, which is encoded once to see whether it fits."""
    try:
        value = _read(layout, text)
        layout.encode(value)
    except (ValueError, InvalidOperation, OverflowError):
        shape = _example(layout)
        hint = f", such as {shape}" if shape else ""
        raise InvalidValue(key, f"the text {text!r} does not fit{hint}") from None
    return value


def _read(layout: Format, text: str) -> Any:
    if layout is BS64:
        numbers = [int(each) for each in re.findall(r"\d+", text)]
        if any(not 1 <= number <= EVENTS_MAX for number in numbers):
            raise ValueError(text)
        return sum(1 << number - 1 for number in set(numbers))
    if isinstance(layout, Bits):
        return int(text, 16)
    if isinstance(layout, Unsigned):
        return int(text)
    if isinstance(layout, Bcd | ScaledBcd | EnergyBcd | PercentBcd):
        return Decimal(text)
    if isinstance(layout, ClockBcd):
        return Clock.of(datetime.fromisoformat(text))
    if isinstance(layout, TimeBcd):
        return _time(layout, text)
    if isinstance(layout, Identification):
        found = _UNIT.fullmatch(text)
        return encode_identification(int(found[1]), int(found[2])).hex() if found else text
    return text


def _time(layout: TimeBcd, text: str) -> PartTime:
    numbers = [int(each) for each in re.findall(r"\d+", text)]
    parts = [part for part in _TIME_PARTS if part in layout.parts]
    if len(numbers) != len(parts):
        raise ValueError(text)
    return PartTime(**dict(zip(parts, numbers, strict=True)))


def _entries(text: str) -> list[str]:
    return [each.strip() for each in text.split(_BETWEEN_ENTRIES) if each.strip()]


def _entry(group: Group, text: str) -> dict[str, Any]:
    pieces = [each.strip() for each in text.split(_INSIDE_ENTRY)]
    keys = [field.key for field in fields_of(group.layout)]
    if len(pieces) != len(keys):
        raise InvalidValue(group.key, f"{text!r} has not {len(keys)} parts with dashes between")
    try:
        return values_of(group.layout, dict(zip(keys, pieces, strict=True)))
    except InvalidValue as error:
        raise InvalidValue(group.key, str(error)) from None
