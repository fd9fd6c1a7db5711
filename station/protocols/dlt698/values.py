"""A `Data` as JSON holds it: numbers as decimal texts in their unit, all else as text.

Arrays and structures become lists, selections and other things with fields become dicts.
"""

import dataclasses
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from .axdr import Wire
from .dar import SUCCESS, Dar
from .data import BitString, Data, DataType
from .identifiers import Comdcb, Oad, Omd, ScalerUnit, Ti, Tsa
from .moments import Date, DateTime, DateTimeS, Time
from .shapes import UNITS, Array, Secret, Shape, Structure, Value

HIDDEN = "***"

_SCALED = frozenset(
    (
        DataType.DOUBLE_LONG,
        DataType.DOUBLE_LONG_UNSIGNED,
        DataType.INTEGER,
        DataType.LONG,
        DataType.UNSIGNED,
        DataType.LONG_UNSIGNED,
        DataType.LONG64,
        DataType.LONG64_UNSIGNED,
    )
)
_PADDING = " \0"
_INTERVALS = ("s", "min", "h", "day", "month", "year")


def value_of(data: Data, shape: Shape | None = None) -> Any:
    """Return a value; the shape, if known, gives its numbers their decimals and hides secrets."""
    if isinstance(shape, Secret):
        return HIDDEN
    if data.type in (DataType.ARRAY, DataType.STRUCTURE):
        return [value_of(item, part) for item, part in parts_of(data, shape)]
    if data.type in _SCALED:
        decimals = shape.decimals if isinstance(shape, Value) else 0
        return f"{Decimal(data.value).scaleb(-decimals):f}"
    if data.type is DataType.VISIBLE_STRING:
        return visible_text(data.value)
    if data.type is DataType.ENUM:
        return str(data.value)
    if data.type is DataType.OI:
        return f"{data.value:04X}"
    return plain(data.value)


def units_of(data: Data, shape: Shape | None) -> set[str]:
    """Return the units of the numbers in a value."""
    if data.type in (DataType.ARRAY, DataType.STRUCTURE):
        return {unit for item, part in parts_of(data, shape) for unit in units_of(item, part)}
    if data.type in _SCALED and isinstance(shape, Value) and shape.unit:
        return {shape.unit}
    return set()


def parts_of(data: Data, shape: Shape | None) -> list[tuple[Data, Shape | None]]:
    """Return the items of an array or a structure, each with its shape as far as known."""
    items: tuple[Data, ...] = data.value
    if isinstance(shape, Structure) and data.type is DataType.STRUCTURE:
        missing = (None,) * (len(items) - len(shape.parts))
        return list(zip(items, shape.parts + missing, strict=False))
    if isinstance(shape, Array):
        shape = shape.item
    elif data.type is DataType.STRUCTURE:
        shape = None  # Not what is expected here: nothing is known of its parts.
    return [(one, shape) for one in items]


def visible_text(text: str) -> str:
    """Return a text without its padding; meters of China write what is not ASCII in GBK."""
    if not text.isascii():
        text = text.encode("ascii", "surrogateescape").decode("gbk", "replace")
    return text.strip(_PADDING)


def plain(value: Any) -> Any:
    """Return anything that is no number with decimals as JSON holds it."""
    if isinstance(value, Data):
        return value_of(value)
    if isinstance(value, Wire):
        show: Callable[[Any], Any] = _SHOWN.get(type(value), _fields)
        return show(value)
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, int) or value is None:
        return value
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, bytes):
        return value.hex().upper()
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace").strip(_PADDING)
    raise TypeError(f"{value!r} has no place in JSON")


def dar_view(dar: Dar) -> dict[str, Any]:
    """Return a result by number and, unless all went well, in words."""
    if dar == SUCCESS:
        return {"dar": dar.code}
    words = dar.words
    return {"dar": dar.code, "error": words.en, "error_zh": words.zh}


def _fields(value: Any) -> dict[str, Any]:
    """Return the fields by name, with the name of what they belong to."""
    shown: dict[str, Any] = {"is": type(value).__name__}
    for field in dataclasses.fields(value):
        shown[field.name] = plain(getattr(value, field.name))
    return shown


def _interval(value: Ti) -> str:
    unit = _INTERVALS[value.unit] if value.unit < len(_INTERVALS) else f"unit {value.unit}"
    return f"{value.count} {unit}"


def _scale(value: ScalerUnit) -> dict[str, Any]:
    return {"exponent": value.exponent, "unit": UNITS.get(value.unit, f"unit {value.unit}")}


def _port_settings(value: Comdcb) -> Any:
    line = value.line
    return line.text if line is not None else _fields(value)


_SHOWN: dict[type, Callable[[Any], Any]] = {
    Dar: dar_view,
    Oad: lambda oad: oad.text,
    Omd: lambda omd: omd.text,
    Tsa: lambda tsa: tsa.address,
    Ti: _interval,
    Comdcb: _port_settings,
    ScalerUnit: _scale,
    BitString: lambda bits: bits.data.hex().upper(),
    DateTime: lambda moment: moment.text,
    DateTimeS: lambda moment: moment.text,
    Date: lambda day: day.text,
    Time: lambda moment: moment.text,
}
