"""Passwords taken out of APDUs: those of access points, of meters in the archive, of associations.

Pure. The object table says where a secret stands (`shapes.Secret`). Each sign of it is replaced, so
that sizes stay. What is split into several frames, or ciphered, is not looked into.
"""

from dataclasses import fields, is_dataclass, replace
from typing import Any

from station.protocols.faults import FrameError

from .action import ActionItem, ActionThenGetItem
from .apdu import decode_apdu
from .data import Data, DataType
from .envelope import AttributeResult
from .frame import SPLIT, Frame
from .objects import OBJECTS, argument_shape_of, shape_of
from .set import SetItem, SetThenGetItem
from .shapes import Array, Secret, Shape, Structure
from .values import parts_of

HIDDEN_SIGN, HIDDEN_BYTE = "*", b"\xaa"


def _holds_secret(shape: Shape | None) -> bool:
    if isinstance(shape, Structure):
        return any(map(_holds_secret, shape.parts))
    return _holds_secret(shape.item) if isinstance(shape, Array) else isinstance(shape, Secret)


# The objects that hold a secret, as they stand in an APDU.
_OBJECTS = tuple(
    row.oi.to_bytes(2, "big")
    for row in OBJECTS
    if any(map(_holds_secret, (*row.shapes.values(), *row.arguments.values())))
)


def without_secrets(raw: bytes) -> bytes:
    """Return a whole frame with the secrets in it hidden; mostly the same bytes."""
    if not any(name in raw for name in _OBJECTS):
        return raw
    try:
        frame = Frame.from_bytes(raw)
        if frame.control & SPLIT:
            return raw
        apdu = decode_apdu(frame.apdu)
        hidden = _without(apdu)
        if hidden == apdu:
            return raw
        return replace(frame, apdu=hidden.to_bytes()).to_bytes()
    except (FrameError, ValueError):
        return raw


def _without(value: Any) -> Any:
    """Return any part of an APDU with the secrets in it hidden."""
    if isinstance(value, SetItem | SetThenGetItem):
        return replace(value, data=_hidden(value.data, shape_of(value.oad)))
    if isinstance(value, AttributeResult):
        data = value.result
        return (
            replace(value, result=_hidden(data, shape_of(value.oad)))
            if isinstance(data, Data)
            else value
        )
    if isinstance(value, ActionItem | ActionThenGetItem):
        return replace(value, parameter=_hidden(value.parameter, argument_shape_of(value.omd)))
    if isinstance(value, tuple):
        return tuple(map(_without, value))
    if is_dataclass(value) and not isinstance(value, type):
        inside = {field.name: getattr(value, field.name) for field in fields(value)}
        return replace(value, **{name: _without(part) for name, part in inside.items()})
    return value


def _hidden(data: Data, shape: Shape | None) -> Data:
    if isinstance(shape, Secret):
        return _blank(data)
    if data.type not in (DataType.ARRAY, DataType.STRUCTURE):
        return data
    return Data(data.type, tuple(_hidden(one, part) for one, part in parts_of(data, shape)))


def _blank(data: Data) -> Data:
    if data.type in (DataType.VISIBLE_STRING, DataType.UTF8_STRING):
        return Data(data.type, HIDDEN_SIGN * len(data.value))
    if data.type is DataType.OCTET_STRING:
        return Data(data.type, HIDDEN_BYTE * len(data.value))
    return data
