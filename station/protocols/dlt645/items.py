"""What the data of an identifier means, in both versions: bytes to values and back.

The rows of 2007 stand in the modules by class, those of 1997 in `items1997`. A block becomes one
value for each of its items, under the item's own identifier. Where rows of one identifier differ in
length, the one that fits is taken; data that fits none stays raw.
"""

from collections.abc import Sequence
from functools import lru_cache

from .axes import AXES_2007
from .events import EVENTS
from .formats import Content
from .frame import FROM_METER, MORE, Frame, Version
from .freezes import FREEZES
from .functions import READ, READ_1997, READ_FOLLOWING_1997, data_id_of, version_of
from .items1997 import TABLE_1997
from .measurements import MEASUREMENTS
from .parameters import PARAMETERS
from .prepayment import SECURITY_REPLIES
from .requests import payload
from .tables import Found, Row, Table
from .values import ItemValue, Placed, at_places, decode_as, decode_placed, encode_as

__all__ = ["TABLE_2007", "ItemValue", "decode", "encode", "find", "values_of"]

TABLE_2007 = Table(
    (*MEASUREMENTS, *EVENTS, *PARAMETERS, *FREEZES, *SECURITY_REPLIES), AXES_2007, digits=8
)

_KEPT = 4096  # Identifiers kept looked up: a meter park asks for the same few hundred.

# Where the identifier stands in answers that hold nothing but it and values, by control code.
_READINGS = {
    function | FROM_METER | more: slice(size)
    for function, size in ((READ, 4), (READ_1997, 2), (READ_FOLLOWING_1997, 2))
    for more in (0, MORE)
}


def values_of(reply: Frame, overrides: tuple[Row, ...] | None = None) -> list[ItemValue]:
    """Return the values in a meter's answer; none in a refusal or an answer without identifier."""
    place = _READINGS.get(reply.control)
    if place is not None:
        data = reply.data
        fields = _fields(data[place], len(data), overrides)
        if fields is not None:
            return decode_placed(fields, data)
    data_id = data_id_of(reply)
    if data_id is None:
        return []
    return decode(version_of(reply), data_id, payload(reply), overrides)


@lru_cache(_KEPT)
def _fields(
    identifier: bytes, size: int, overrides: tuple[Row, ...] | None
) -> tuple[Placed, ...] | None:
    """Return the fields of a reading, where its identifier and size alone decide them."""
    version = Version.V2007 if len(identifier) == 4 else Version.V1997
    for found in find(version, int.from_bytes(identifier, "little"), overrides):
        if found.layout is None:
            return None
        fields = found.layout.by_size.get(size - len(identifier))
        if fields is not None:
            return at_places(fields, len(identifier))
    return None


def decode(
    version: Version, data_id: int, data: bytes, overrides: tuple[Row, ...] | None = None
) -> list[ItemValue]:
    """Return the values in an answer's data (without the identifier), in their order.

    No data is no value: the meter has no such record. `overrides` are the rows in which a model of
    meters differs, such as `parameters.LADDERS_VALUES_FIRST`.
    """
    return decode_as(find(version, data_id, overrides), data_id, data)


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
    return encode_as(find(version, data_id, overrides), f"{data_id:0{digits}X}", values)


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
