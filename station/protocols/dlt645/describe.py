"""A frame as people and programs read it: plain dicts, lists and texts that JSON can hold.

    {"protocol": "dlt645-2007", "direction": "up", "address": "000000000161", "control": "91",
     "function": "read data", "function_zh": ..., "error": null, "error_zh": null, "more": false,
     "data_id": "00010000", "data_name": "Forward active energy, total", "data_name_zh": ...,
     "items": [{"data_id": "00010000", "code": "energy_import_total", "name": ..., "name_zh": ...,
                "value": "0.26", "unit": "kWh"}]}

`error` holds the reasons of a refusal in words. Numbers are decimal texts with all their digits,
bits are hexadecimal, times are ISO 8601 by the meter's clock; a maximum demand has its "time". An
item that could not be decoded has "value": null and its bytes under "raw"; coded values and
weekdays have a "meaning". Passwords are never shown.
"""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from station.words import Text

from . import functions, profile
from .arguments import LAYOUTS, WITH_VALUE
from .errors import error_words
from .formats import Value
from .frame import Frame, Version
from .functions import data_id_of, find_function, identifier_size, version_of
from .items import decode, find
from .parameters import STATUS_BITS
from .prepayment import decode_request
from .requests import BAUD_BITS, COMMAND_NAMES, payload
from .values import UNKNOWN, ItemValue, decode_fields

_WEEKDAYS = {  # As the meter has it, which may be wrong.
    day: Text(*names)
    for day, names in enumerate(
        [
            ("Sunday", "星期日"),
            ("Monday", "星期一"),
            ("Tuesday", "星期二"),
            ("Wednesday", "星期三"),
            ("Thursday", "星期四"),
            ("Friday", "星期五"),
            ("Saturday", "星期六"),
        ]
    )
}
_WEEKDAY_PLACES = {"date": 0, "clock": 3}  # The byte that holds WW.
_NO_REASON = Text("no reason given", "未说明原因")
_MAKERS_OWN = Text("a maker's own function", "厂家自定义功能")
_CONTENT = Text("content", "数据")
_RECORD_TIME = Text("record time", "负荷记录时间")
_PROFILE_CLASS = 0x06
_STATUS_WORDS = 0x04000500
_COMMANDS = {f"{command.value:02X}": name for command, name in COMMAND_NAMES.items()}
_SPEEDS = {
    f"{bit:02X}": Text(f"{speed} bit/s", f"{speed} bit/s") for speed, bit in BAUD_BITS.items()
}


def describe(frame: Frame) -> dict[str, Any]:
    """Return the JSON view of a frame; the module's head shows it."""
    version = version_of(frame)
    function = find_function(version, frame.function)
    name = function.name if function is not None else _MAKERS_OWN
    data_id = data_id_of(frame)
    data_name = _data_name(version, data_id)
    error = _error(version, frame)
    return {
        "protocol": version.value,
        "direction": "up" if frame.from_meter else "down",
        "address": frame.address,
        "control": f"{frame.control:02X}",
        "function": name.en,
        "function_zh": name.zh,
        "error": error.en if error else None,
        "error_zh": error.zh if error else None,
        "more": frame.has_more,
        "data_id": _hex(version, data_id),
        "data_name": data_name.en if data_name else None,
        "data_name_zh": data_name.zh if data_name else None,
        "items": [_view(version, one) for one in _items(version, frame, data_id)],
    }


def _error(version: Version, frame: Frame) -> Text | None:
    if not frame.is_error:
        return None
    return _joined(error_words(version, frame)) or _NO_REASON


def _joined(words: Iterable[Text]) -> Text | None:
    """Return words in one text for each language, or None for none."""
    both = [*words]
    return Text("; ".join(w.en for w in both), "; ".join(w.zh for w in both)) if both else None


def _data_name(version: Version, data_id: int | None) -> Text | None:
    if data_id is None:
        return None
    found = find(version, data_id)
    return found[0].name if found else UNKNOWN


def _items(version: Version, frame: Frame, data_id: int | None) -> list[ItemValue]:
    """Return what the frame carries: arguments of its function, and values of its identifier."""
    if frame.is_error:
        return []
    data = payload(frame) if frame.from_meter else frame.data[identifier_size(frame) :]
    if frame.from_meter and data_id is not None:
        return _values(version, data_id, data)
    arguments, rest = _arguments(version, frame, data)
    if data_id is not None and rest and (version, frame.function) in WITH_VALUE:
        return arguments + _written(version, frame.function, data_id, rest)
    return arguments + _unread(rest)


def _arguments(version: Version, frame: Frame, data: bytes) -> tuple[list[ItemValue], bytes]:
    """Return the arguments of a function, and the bytes that are none."""
    key = (version, frame.function, frame.from_meter)
    for layout in LAYOUTS.get(key, ()):
        size = layout.fixed_size if key[:2] in WITH_VALUE else len(data)
        fields = layout.fields_of(data[:size])
        if fields is not None:
            return decode_fields(fields, data), data[size:]
    return [], data


def _written(version: Version, function: int, data_id: int, data: bytes) -> list[ItemValue]:
    if function == functions.SECURITY:
        return decode_request(data_id, data)
    return decode(version, data_id, data)


def _values(version: Version, data_id: int, data: bytes) -> list[ItemValue]:
    if version is Version.V2007 and data_id >> 24 == _PROFILE_CLASS:
        try:
            records = profile.decode(data)
        except ValueError:
            return _unread(data)
        return [one for record in records for one in _recorded(record)]
    return decode(version, data_id, data)


def _recorded(record: profile.ProfileRecord) -> list[ItemValue]:
    """Return the values of a load profile record, its time before them."""
    values = [ItemValue(0, "record_time", _RECORD_TIME, record.time, "", b"")]
    for data_id, value in record.values.items():
        found = find(Version.V2007, data_id)[0]
        unit = found.layout.fields[0].unit if found.layout else ""
        values.append(ItemValue(data_id, found.code, found.name, value, unit, b""))
    return values


def _unread(data: bytes) -> list[ItemValue]:
    return [ItemValue(0, "", _CONTENT, None, "", data, valid=False)] if data else []


def _view(version: Version, one: ItemValue) -> dict[str, Any]:
    view = {
        "data_id": _hex(version, one.data_id or None),
        "code": one.code,
        "name": one.name.en,
        "name_zh": one.name.zh,
        "value": _text(one.value, len(one.raw)),
        "unit": one.unit,
    }
    if one.time is not None:
        view["time"] = _text(one.time, 0)
    if not one.valid:
        view["raw"] = one.raw.hex().upper()
    meaning = _meaning(one)
    if meaning is not None:
        view |= {"meaning": meaning.en, "meaning_zh": meaning.zh}
    return view


def _text(value: Value, size: int) -> str | None:
    """Return a value as text; `size` is its bytes on the line, which bits show whole."""
    match value:
        case None:
            return None
        case Decimal():
            return f"{value:f}"
        case datetime():
            return value.isoformat()
        case int():
            return f"{value:0{2 * size}X}"
        case _:
            return str(value)


def _meaning(one: ItemValue) -> Text | None:
    """Return what a coded value stands for, or None for values that speak for themselves."""
    if one.code == "command" and isinstance(one.value, str):
        return _COMMANDS.get(one.value)
    if one.code == "baud" and isinstance(one.value, str):
        return _SPEEDS.get(one.value)
    if one.data_id & ~0xFF == _STATUS_WORDS and isinstance(one.value, int):
        names = STATUS_BITS[one.data_id & 0xFF]
        return _joined(names[bit] for bit in sorted(names) if one.value >> bit & 1)
    if isinstance(one.value, date) and (place := _WEEKDAY_PLACES.get(one.code)) is not None:
        return _WEEKDAYS.get(one.raw[place])
    return None


def _hex(version: Version, data_id: int | None) -> str | None:
    if data_id is None:
        return None
    return f"{data_id:0{8 if version is Version.V2007 else 4}X}"
