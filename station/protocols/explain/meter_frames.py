"""Every byte of a DL/T 645 frame (digest, section 1.1 for the envelope)."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from station.protocols import dlt645
from station.protocols.dlt645 import functions
from station.protocols.dlt645.arguments import LAYOUTS, WITH_VALUE
from station.protocols.dlt645.describe import describe
from station.protocols.dlt645.formats import LocalTime
from station.protocols.dlt645.frame import HEADER_SIZE, Version
from station.protocols.dlt645.functions import data_id_of, identifier_size, version_of
from station.protocols.dlt645.items import decode, find
from station.protocols.dlt645.prepayment import decode_request
from station.protocols.dlt645.profile import SECTIONS
from station.protocols.dlt645.tables import SEPARATOR
from station.protocols.dlt645.values import ItemValue
from station.protocols.explain.spans import Spans, joined
from station.words import Text

_START = Text("start", "起始符")
_ADDRESS = Text("address", "地址域")
_CONTROL = Text("control code", "控制码")
_LENGTH = Text("length", "数据域长度")
_IDENTIFIER = Text("data identifier", "数据标识")
_ERROR = Text("error word", "错误信息字")
_SEQUENCE = Text("sequence number", "帧序号")
_CONTENT = Text("content", "数据")
_CLOSING = Text("end of a block or section", "块或段结束符")
_CHECKSUM = Text("checksum", "校验码")
_END = Text("end", "结束符")

_BLOCK_MARK = Text("start of a record", "负荷记录起始码")
_BLOCK_SIZE = Text("length of the record", "负荷记录字节数")
_BLOCK_TIME = Text("record time", "负荷记录存储时间")
_BLOCK_SUM = Text("sum of the record", "负荷记录累加校验码")
_BLOCK_END = Text("end of the record", "负荷记录结束码")

_FROM_MASTER = Text("from the master station", "主站发出")
_FROM_METER = Text("from the meter", "从站发出")
_REFUSED = Text("refused", "异常应答")
_MORE = Text("more follows", "有后续数据帧")
_WILDCARD = Text("whoever is on the line", "通配地址")
_BROADCAST = Text("all meters", "广播地址")
_OFFSET = Text("33H is added to each byte of the data", "数据域每字节加33H传输")
_NO_VALUE = Text("no value", "无值")
_NOT_DECODED = Text("cannot be decoded", "无法解析")
_MAKERS_OWN = Text("a maker's own function", "厂家自定义功能")

_PROFILE_CLASS = 0x06
_PROFILE_MARK = b"\xa0\xa0"
_PROFILE_END = b"\xe5"
_PROFILE_TIME = LocalTime("YYMMDDhhmm")


class _Item(NamedTuple):
    """One value in the data field."""

    name: Text
    raw: bytes
    unit: str = ""


# What stands in the data: an item, or the byte that closes a block or a section.
Part = _Item | bytes


def clear_bytes(frame: dlt645.Frame, raw: bytes) -> bytes:
    """Return the bytes of a frame as they are without the 33H."""
    return raw[:HEADER_SIZE] + frame.data + raw[-2:]


def explain(frame: dlt645.Frame, spans: Spans) -> None:
    """Explain each byte of a frame."""
    version = version_of(frame)
    spans.take(1, _START)
    spans.take(6, _ADDRESS, frame.address, _address_words(frame.address))
    spans.take(1, _START)
    spans.take(1, _CONTROL, f"{frame.control:02X}", _control_words(version, frame))
    spans.take(1, _LENGTH, str(len(frame.data)), _OFFSET if frame.data else None)
    _explain_data(version, frame, spans)
    spans.take(spans.left - 2, _CONTENT, None, _NOT_DECODED)
    spans.take(1, _CHECKSUM)
    spans.take(1, _END)


def _address_words(address: str) -> Text | None:
    if address == dlt645.BROADCAST:
        return _BROADCAST
    return _WILDCARD if address.startswith("AA") else None


def _control_words(version: Version, frame: dlt645.Frame) -> Text | None:
    function = functions.find_function(version, frame.function)
    words = [_FROM_METER if frame.from_meter else _FROM_MASTER]
    words += [_REFUSED] if frame.is_error else []
    words += [_MORE] if frame.has_more else []
    return joined([*words, _MAKERS_OWN if function is None else function.name])


def _explain_data(version: Version, frame: dlt645.Frame, spans: Spans) -> None:
    view = describe(frame)
    size = identifier_size(frame)
    if size:
        name = Text(view["data_name"], view["data_name_zh"])
        spans.take(size, _IDENTIFIER, view["data_id"], name)
    if frame.is_error:
        words = Text(view["error"], view["error_zh"])
        spans.take(len(frame.data), _ERROR, None, words)
        return
    data = dlt645.payload(frame) if frame.from_meter else frame.data[size:]
    data_id = data_id_of(frame)
    if _is_profile(version, frame, data_id):
        _explain_records(data, spans)
    else:
        parts = [*_parts(version, frame, data_id, data)]
        _explain_items(parts, view["items"], spans)
    left = len(frame.data) - len(data) - size
    if left > 0:  # The sequence number of 92H, which `payload` takes off.
        spans.take(left, _SEQUENCE, str(frame.data[-1]))


def _explain_items(parts: Sequence[Part], views: list[dict[str, Any]], spans: Spans) -> None:
    """Explain items in the words that `describe` has for them, in the same order."""
    words = iter(views)
    for part in parts:
        if isinstance(part, bytes):
            spans.take(len(part), _CLOSING)
        else:
            _explain_item(part, next(words, {}), spans)


def _explain_item(item: _Item, view: dict[str, Any], spans: Spans) -> None:
    value = view.get("value")
    if value is None:
        words = _NOT_DECODED if "raw" in view else _NO_VALUE
        spans.take(len(item.raw), item.name, None, words)
        return
    at = f" @ {view['time']}" if view.get("time") else ""
    meaning = Text(view["meaning"], view["meaning_zh"]) if "meaning" in view else None
    spans.take(len(item.raw), item.name, f"{value} {item.unit}".rstrip() + at, meaning)


def _parts(
    version: Version, frame: dlt645.Frame, data_id: int | None, data: bytes
) -> Iterator[Part]:
    """Yield what the data consists of: the items that `describe` shows, and what closes blocks."""
    if frame.from_meter and data_id is not None:
        yield from _placed(decode(version, data_id, data), data)
        return
    arguments, rest = _arguments(version, frame, data)
    yield from arguments
    if not rest:
        return
    if data_id is None or (version, frame.function) not in WITH_VALUE:
        yield _Item(_CONTENT, rest)
    elif frame.function == functions.SECURITY:
        yield from _placed(decode_request(data_id, rest), rest)
    else:
        yield from _placed(decode(version, data_id, rest), rest)


def _arguments(version: Version, frame: dlt645.Frame, data: bytes) -> tuple[list[_Item], bytes]:
    """Return the arguments of a function, and the bytes that are none."""
    key = (version, frame.function, frame.from_meter)
    for layout in LAYOUTS.get(key, ()):
        size = layout.fixed_size if key[:2] in WITH_VALUE else len(data)
        fields = layout.fields_of(data[:size])
        if fields is not None:
            ends = [*accumulate(field.size for field in fields)]
            return [
                _Item(field.name, data[end - field.size : end], field.unit)
                for field, end in zip(fields, ends, strict=True)
            ], data[size:]
    return [], data


def _placed(values: Sequence[ItemValue], data: bytes) -> Iterator[Part]:
    """Yield items in their places; the bytes that are left over close blocks and sections."""
    closing = len(data) - sum(len(one.raw) for one in values)
    at = 0
    for one in values:
        while closing and data[at : at + 1] == SEPARATOR and not data.startswith(one.raw, at):
            yield SEPARATOR
            at += 1
            closing -= 1
        yield _Item(one.name, one.raw, one.unit)
        at += len(one.raw)
    for place in range(at, len(data)):
        yield data[place : place + 1]


def _is_profile(version: Version, frame: dlt645.Frame, data_id: int | None) -> bool:
    is_class = data_id is not None and data_id >> 24 == _PROFILE_CLASS
    return version is Version.V2007 and frame.from_meter and is_class


def _explain_records(data: bytes, spans: Spans) -> None:
    """Explain the blocks of a load profile (digest, section 11)."""
    at = 0
    while data.startswith(_PROFILE_MARK, at) and len(data) > at + 2:
        size = data[at + 2]
        body = data[at + 3 : at + 3 + size]
        tail = data[at + 3 + size : at + 5 + size]
        if len(tail) < 2 or tail[1:] != _PROFILE_END:
            break
        spans.take(2, _BLOCK_MARK)
        spans.take(1, _BLOCK_SIZE, str(size))
        _explain_record(body, spans)
        spans.take(1, _BLOCK_SUM)
        spans.take(1, _BLOCK_END)
        at += 5 + size
    spans.take(len(data) - at, _CONTENT, None, _NOT_DECODED)


def _explain_record(body: bytes, spans: Spans) -> None:
    _explain_value(body[: _PROFILE_TIME.size], _BLOCK_TIME, _PROFILE_TIME, spans)
    parts = body[_PROFILE_TIME.size :].split(SEPARATOR)
    for number, part in enumerate(parts):
        section = SECTIONS[number] if number < len(SECTIONS) else ()
        if len(part) == sum(layout.size for _, layout in section):
            _explain_section(section, part, spans)
        else:
            spans.take(len(part), _CONTENT, None, _NOT_DECODED)
        if number < len(parts) - 1:
            spans.take(1, _CLOSING)


def _explain_section(section: Sequence[tuple[int, Any]], part: bytes, spans: Spans) -> None:
    at = 0
    for data_id, layout in section:
        found = find(Version.V2007, data_id)[0]
        unit = found.layout.fields[0].unit if found.layout else ""
        _explain_value(part[at : at + layout.size], found.name, layout, spans, unit)
        at += layout.size


def _explain_value(raw: bytes, name: Text, layout: Any, spans: Spans, unit: str = "") -> None:
    try:
        value = layout.decode(raw)
    except ValueError:
        spans.take(len(raw), name, None, _NOT_DECODED)
        return
    if value is None:
        spans.take(len(raw), name, None, _NO_VALUE)
    else:
        text = value.isoformat() if hasattr(value, "isoformat") else f"{value:f}"
        spans.take(len(raw), name, f"{text} {unit}".rstrip())
