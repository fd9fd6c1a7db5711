"""What the data of an identifier means, in both versions: bytes to values and back.

The rows of 2007 stand in the modules by class, those of 1997 in `items1997`. A block becomes one
value for each of its items, under the item's own identifier. Where rows of one identifier differ in
length, the one that fits is taken; data that fits none stays raw.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from station.words import Text

from .axes import AXES_2007
from .events import EVENTS
from .formats import Content, Timed, Value
from .frame import Version
from .freezes import FREEZES
from .items1997 import TABLE_1997
from .measurements import MEASUREMENTS
from .parameters import PARAMETERS
from .prepayment import SECURITY_REPLIES
from .tables import SEPARATOR, Field, Found, Row, Table

TABLE_2007 = Table(
    (*MEASUREMENTS, *EVENTS, *PARAMETERS, *FREEZES, *SECURITY_REPLIES), AXES_2007, digits=8
)
UNKNOWN = Text("unknown item", "未知数据项")

_KEPT = 4096  # Identifiers kept looked up: a meter park asks for the same few hundred.


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


def decode(
    version: Version, data_id: int, payload: bytes, overrides: tuple[Row, ...] | None = None
) -> list[ItemValue]:
    """Return the values in an answer's data (without the identifier), in their order.

    No data is no value: the meter has no such record. `overrides` are the rows in which a model of
    meters differs, such as `parameters.LADDERS_VALUES_FIRST`.
    """
    return decode_as(find(version, data_id, overrides), data_id, payload)


def decode_as(candidates: Sequence[Found], data_id: int, payload: bytes) -> list[ItemValue]:
    """Return the values in data that may have several layouts; the first that fits is taken."""
    for found in candidates:
        if found.sections:
            values = _decode_sections(found, payload)
            if values is not None:
                return values
        elif found.layout is not None:
            fields = found.layout.fields_of(payload)
            if fields is not None:
                return decode_fields(fields, payload)
    if not payload:
        return []
    code, name = (candidates[0].code, candidates[0].name) if candidates else ("", UNKNOWN)
    return [ItemValue(data_id, code, name, None, "", payload, valid=False)]


def encode(
    version: Version,
    data_id: int,
    values: Sequence[Content],
    overrides: tuple[Row, ...] | None = None,
) -> bytes:
    """Return the data of an answer or a write that holds the values, in the order of `decode`.

    A maximum demand is a pair of value and time. Raises ValueError if the identifier is unknown,
    takes another number of values, or a value does not fit.
    """
    digits = 8 if version is Version.V2007 else 4
    failure = ValueError(f"{data_id:0{digits}X} does not hold {len(values)} values")
    for found in find(version, data_id, overrides):
        fields = found.layout.fields_for(len(values)) if found.layout is not None else None
        if fields is None:
            continue
        try:
            pairs = zip(fields, values, strict=True)
            return b"".join(one.encode(value) for one, value in pairs)
        except ValueError as error:  # A row of another length may hold it.
            failure = error
    raise failure


def find(version: Version, data_id: int, overrides: tuple[Row, ...] | None = None) -> list[Found]:
    """Return what the tables say of an identifier: several where rows differ in length."""
    if version is Version.V2007:
        return _find_2007(data_id, overrides)
    return _find_1997(data_id, overrides)


@lru_cache(_KEPT)
def _find_2007(data_id: int, overrides: tuple[Row, ...] | None) -> list[Found]:
    return TABLE_2007.find(data_id, overrides or ())


@lru_cache(_KEPT)
def _find_1997(data_id: int, overrides: tuple[Row, ...] | None) -> list[Found]:
    return TABLE_1997.find(data_id, overrides or ())


def decode_fields(fields: Sequence[Field], data: bytes) -> list[ItemValue]:
    """Return the values of fields that follow one another in data of exactly their length."""
    values = []
    start = 0
    for data_id, code, name, unit, size, decode_one, _ in fields:
        raw = data[start : start + size]
        start += size
        time: Value = None
        try:
            value = decode_one(raw)
        except ValueError:
            values.append(ItemValue(data_id, code, name, None, unit, raw, valid=False))
            continue
        if isinstance(value, Timed):
            value, time = value
        values.append(ItemValue(data_id, code, name, value, unit, raw, True, time))
    return values


def _decode_sections(found: Found, data: bytes) -> list[ItemValue] | None:
    """Return the values of data whose parts are each closed by AAH, or None if they do not fit."""
    parts = data.split(SEPARATOR)
    if not parts[-1]:  # Behind the last AAH.
        parts.pop()
    if len(parts) != len(found.sections):
        return None
    values: list[ItemValue] = []
    for section, part in zip(found.sections, parts, strict=True):
        fields = section.layout.fields_of(part) if section.layout is not None else None
        if fields is not None:
            values += decode_fields(fields, part)
        elif part:
            raw = ItemValue(0, section.code, section.name, None, "", part, valid=False)
            values.append(raw)
    return values
