"""Bytes to values and back, along the layouts that the tables have for an identifier."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from station.words import Text

from .formats import Content, Timed, Value
from .tables import SEPARATOR, Field, Found

UNKNOWN = Text("unknown item", "未知数据项")

# A field and where it lies in the data. Plain tuples come apart quicker than named ones.
Placed = tuple[int, str, Text, str, slice, Callable[[bytes], Content]]

_new = tuple.__new__


class ItemValue(NamedTuple):
    """One decoded value. `value` is None where the meter has none, or with `valid` False, where the
    bytes mean nothing; `time` is when a maximum demand occurred. Times are the meter's own.
    """

    data_id: int
    code: str
    name: Text
    value: Value
    unit: str
    raw: bytes
    valid: bool = True
    time: Value = None


def decode_as(candidates: Sequence[Found], data_id: int, payload: bytes) -> list[ItemValue]:
    """Return the values in data that may have several layouts; the first that fits is taken.

    No data is no value. Data that fits no layout becomes one value that is not valid.
    """
    for found in candidates:
        if found.layout is not None:
            fields = found.layout.fields_of(payload)
            if fields is not None:
                return decode_fields(fields, payload)
        else:
            values = _decode_sections(found.sections, payload)
            if values is not None:
                return values
    if not payload:
        return []
    code, name = (candidates[0].code, candidates[0].name) if candidates else ("", UNKNOWN)
    return [ItemValue(data_id, code, name, None, "", payload, valid=False)]


def at_places(fields: Iterable[Field], start: int = 0) -> tuple[Placed, ...]:
    """Return fields that follow one another from an offset on, ready for `decode_placed`."""
    placed = []
    for one in fields:
        end = start + one.size
        placed.append((one.data_id, one.code, one.name, one.unit, slice(start, end), one.decode))
        start = end
    return tuple(placed)


def decode_fields(fields: Iterable[Field], data: bytes) -> list[ItemValue]:
    """Return the values of fields that follow one another in data of exactly their length."""
    return decode_placed(at_places(fields), data)


def decode_placed(fields: Iterable[Placed], data: bytes) -> list[ItemValue]:
    """Return the values of fields whose places are known. This is the path of every reading."""
    values = []
    for data_id, code, name, unit, place, decode in fields:
        raw = data[place]
        try:
            value = decode(raw)
        except ValueError:
            values.append(ItemValue(data_id, code, name, None, unit, raw, valid=False))
            continue
        time = None
        if type(value) is Timed:
            value, time = value
        # ItemValue(...) costs twice as much.
        values.append(_new(ItemValue, (data_id, code, name, value, unit, raw, True, time)))
    return values


def encode_as(candidates: Sequence[Found], identifier: str, values: Sequence[Content]) -> bytes:
    """Return the data that holds the values, in the first layout that takes them.

    Raises ValueError, naming the identifier, where none takes so many, or if a value does not fit.
    """
    failure = ValueError(f"{identifier} does not hold {len(values)} values")
    for found in candidates:
        fields = found.layout.fields_for(len(values)) if found.layout is not None else None
        if fields is None:
            continue
        try:
            pairs = zip(fields, values, strict=True)
            return b"".join(one.encode(value) for one, value in pairs)
        except ValueError as error:  # A layout of another length may hold it.
            failure = error
    raise failure


def _decode_sections(sections: Sequence[Found], data: bytes) -> list[ItemValue] | None:
    """Return the values of data whose parts are each closed by AAH, or None if they do not fit."""
    parts = data.split(SEPARATOR)
    if not parts[-1]:  # Behind the last AAH.
        parts.pop()
    if len(parts) != len(sections):
        return None
    return [
        one
        for section, part in zip(sections, parts, strict=True)
        for one in decode_as([section], 0, part)
    ]
