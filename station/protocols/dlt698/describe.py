"""A frame as people and programs read it: plain dicts, lists and texts that JSON can hold.

    {"protocol": "dlt698.45", "direction": "up", "address": "001812040002", "client": 0,
     "control": "C3", "apdu": "GET-Response", "apdu_zh": ..., "choice": "Normal", "piid": 29,
     "objects": [{"oad": "00100200", "name": "forward active energy", "name_zh": ...,
                  "value": ["1.02", "0.36"], "unit": "kWh"}]}

An object of a request has no "value"; one that failed has "dar" with "error" in words. A value of a
record says its "record" and "row", one of a meter behind a terminal its "meter", one that was read
after writing another object comes behind that. A method is an object with its "method". What else
the APDU says stands in "fields"; events that came along in "follow_report"; what a port sent or is
to send in "forwarded", described in its turn. An APDU that cannot be decoded has "error" and
"offset" with its bytes in "raw"; nothing in it is guessed.
"""

from collections.abc import Callable
from typing import Any

from station.protocols import dlt645
from station.protocols.dlt645.describe import describe as describe_meter_frame
from station.protocols.faults import FrameError
from station.words import Text

from .action import ActionItem, ActionResult, ActionThenGetItem, ActionThenGetResult
from .apdu import decode_apdu, piid_of, service_of
from .association import (
    CONNECT_RESULTS,
    ERROR_KINDS,
    LINK_KINDS,
    LINK_RESULT_MASK,
    LINK_RESULTS,
    ClientError,
    ConnectResponse,
    LinkRequest,
    LinkResponse,
    PasswordAccess,
    ServerError,
)
from .axdr import Wire, layout_of
from .dar import Dar
from .data import Data, DataType
from .envelope import (
    Apdu,
    AttributeResult,
    AttributeResults,
    RecordResult,
    RecordResults,
    TimeTag,
)
from .frame import Frame
from .get import GetResponseMd5, RecordQuery
from .identifiers import Oad, Omd, Road
from .objects import argument_shape_of, method_name, name_of, shape_of
from .parser import Parser
from .proxy import ProxyRequestTransCommand, ProxyResponseTransCommand
from .report import ReportNotificationTransData
from .security import plain_bytes
from .segments import kind_of, number_of
from .set import SetItem, SetResult, SetThenGetItem, SetThenGetResult
from .shapes import Shape
from .values import HIDDEN, dar_view, plain, units_of, value_of

DEPTH_MAX = 3  # A frame in a frame in a frame: more are nobody's.

View = dict[str, Any]


def describe(frame: Frame) -> View:
    """Return the JSON view of a frame; the module's head shows it."""
    return _describe(frame, 1)


def _describe(frame: Frame, depth: int) -> View:
    view: View = {
        "protocol": "dlt698.45",
        "direction": "up" if frame.from_terminal else "down",
        "address": frame.server.text,
        "client": frame.client,
        "control": f"{frame.control:02X}",
    }
    kind = kind_of(frame)
    if kind is None:
        return view | _apdu_view(frame.apdu, depth)
    return view | {
        "apdu": "fragment",
        "apdu_zh": "分帧",
        "piid": None,
        "objects": [],
        "fragment": {
            "kind": kind.name.lower(),
            "number": number_of(frame),
            "raw": frame.apdu.hex().upper(),
        },
    }


def _apdu_view(raw: bytes, depth: int) -> View:
    name, choice = service_of(raw)
    view: View = {"apdu": name.en, "apdu_zh": name.zh, "choice": choice, "piid": None}
    try:
        apdu = decode_apdu(raw)
        view["piid"] = piid_of(raw)
    except FrameError as error:
        fault = {"error": error.reason, "offset": error.offset, "raw": raw.hex().upper()}
        return view | {"objects": []} | fault
    inner = plain_bytes(apdu)
    if inner is not None:
        return view | {"secured": _fields_view(apdu), **_inner_view(inner, depth)}
    view["objects"] = _objects_of(apdu)
    return view | _rest_view(apdu, depth)


def _inner_view(inner: bytes, depth: int) -> View:
    """Return the wrapped APDU in full, and its PIID and objects as those of the frame."""
    if depth == DEPTH_MAX:
        return {"objects": [], "raw": inner.hex().upper()}
    view = _apdu_view(inner, depth + 1)
    return {"inner": view, "piid": view["piid"], "objects": view["objects"]}


def _rest_view(apdu: Apdu, depth: int) -> View:
    """Return what an APDU says beside its objects."""
    view: View = {}
    fields = _fields_view(apdu)
    if fields:
        view["fields"] = fields
    follow_report = getattr(apdu, "follow_report", None)
    if follow_report is not None:
        view["follow_report"] = _objects(follow_report)
    time_tag = getattr(apdu, "time_tag", None)
    if isinstance(time_tag, TimeTag):
        view["time_tag"] = {"sent": time_tag.sent.text, "delay": plain(time_tag.delay)}
    if isinstance(apdu, ReportNotificationTransData):
        view["forwarded_blocks"] = [_forwarded_view(block, depth) for block in apdu.blocks]
    elif isinstance(apdu, ProxyRequestTransCommand):
        view["forwarded"] = _forwarded_view(apdu.command, depth)
    elif isinstance(apdu, ProxyResponseTransCommand) and isinstance(apdu.reply, bytes):
        view["forwarded"] = _forwarded_view(apdu.reply, depth)
    return view


def _forwarded_view(data: bytes, depth: int) -> View | None:
    """Return the frame among the bytes of a port, of this protocol or DL/T 645; None for none."""
    if not data:
        return None
    parser = Parser()
    parser.receive_data(data)
    parser.give_up()
    for event in iter(parser.next_event, None):
        if isinstance(event, Frame) and depth < DEPTH_MAX:
            return _describe(event, depth + 1)
    meter_parser = dlt645.Parser()
    meter_parser.receive_data(data)
    meter_parser.give_up()
    for meter_event in iter(meter_parser.next_event, None):
        if isinstance(meter_event, dlt645.Frame):
            return describe_meter_frame(meter_event)
    return {"error": "no frame", "data": data.hex().upper()}


def _fields_view(apdu: Apdu) -> View:
    """Return the fields of an APDU that are neither objects nor in all APDUs."""
    fields: View = {}
    for name, _ in layout_of(type(apdu)):
        value = getattr(apdu, name)
        if name in _SHOWN_ELSEWHERE or _holds_objects(value):
            continue
        fields[name] = HIDDEN if isinstance(value, PasswordAccess) else plain(value)
    return fields | _meaning(apdu)


def _meaning(apdu: Apdu) -> View:
    """Return in words what an APDU says by a number."""
    words: Text | None = None
    match apdu:
        case LinkRequest():
            words = LINK_KINDS.get(apdu.kind)
        case LinkResponse():
            words = LINK_RESULTS.get(apdu.result & LINK_RESULT_MASK)
        case ConnectResponse():
            words = CONNECT_RESULTS.get(apdu.result)
        case ClientError() | ServerError():
            words = ERROR_KINDS.get(apdu.kind)
    return {"meaning": words.en, "meaning_zh": words.zh} if words else {}


# What all APDUs have, what is said of each object, what a port carries or a method returned.
_SHOWN_ELSEWHERE = frozenset(
    ("piid", "follow_report", "time_tag", "meter", "blocks", "command", "reply")
)


def _objects_of(apdu: Apdu) -> list[View]:
    if isinstance(apdu, GetResponseMd5):
        return [_result(apdu.oad, apdu.reply)]
    if isinstance(apdu, ProxyResponseTransCommand) and isinstance(apdu.reply, Dar):
        return [_result(apdu.port, apdu.reply)]
    return _of_fields(apdu)


def _of_fields(value: Wire) -> list[View]:
    """Return the objects in the fields of something, with the meter that it names."""
    about: View = {}
    found: list[View] = []
    for name, _ in layout_of(type(value)):
        part = getattr(value, name)
        if name == "meter":
            about["meter"] = part.address
        elif _holds_objects(part) and name != "follow_report":
            found += _objects(part)
    return [view | about for view in found]


def _holds_objects(value: Any) -> bool:
    if isinstance(value, tuple):
        return not any(isinstance(item, bytes) for item in value)
    return type(value) in _DESCRIBED


def _objects(value: Any) -> list[View]:
    if isinstance(value, tuple):
        return [view for item in value for view in _objects(item)]
    described = _DESCRIBED.get(type(value), _of_fields)
    return described(value)


def _named(oad: Oad) -> View:
    name = name_of(oad)
    return {"oad": oad.text, "name": name.en, "name_zh": name.zh}


def _method(omd: Omd) -> View:
    name = method_name(omd)
    return {"oad": omd.text, "name": name.en, "name_zh": name.zh, "method": omd.method}


def _value(data: Data, shape: Shape | None) -> View:
    view = {"value": value_of(data, shape)}
    units = units_of(data, shape)
    if len(units) == 1:
        view["unit"] = units.pop()
    return view


def _result(oad: Oad, result: Dar | Data | bytes) -> View:
    if isinstance(result, Dar):
        return _named(oad) | dar_view(result)
    if isinstance(result, Data):
        return _named(oad) | _value(result, shape_of(oad))
    return _named(oad) | {"value": plain(result)}


def _attribute_result(one: AttributeResult) -> list[View]:
    return [_result(one.oad, one.result)]


def _record_result(one: RecordResult) -> list[View]:
    """Return each value of each row; no row at all is a store with no value."""
    if isinstance(one.rows, Dar):
        return [_named(one.oad) | dar_view(one.rows)]
    if not one.rows:
        return [_named(one.oad) | {"value": []}]
    found = []
    for number, row in enumerate(one.rows):
        about = {"record": one.oad.text, "row": number}
        for column, data in zip(one.columns, row, strict=True):
            found += [view | about for view in _cell(column, data)]
    return found


def _cell(column: Oad | Road, data: Data) -> list[View]:
    """Return the value of a column; one that names a store holds a value for each of its own."""
    if isinstance(column, Oad):
        return [_result(column, data)]
    is_list = data.type in (DataType.ARRAY, DataType.STRUCTURE)
    if not is_list or len(data.value) != len(column.columns):
        return [_result(column.oad, data)]
    return [
        _result(oad, part) | {"store": column.oad.text}
        for oad, part in zip(column.columns, data.value, strict=True)
    ]


def _record_query(one: RecordQuery) -> list[View]:
    view = {"selection": plain(one.selection), "columns": plain(one.columns)}
    return [_named(one.oad) | view]


def _written(one: SetItem | SetThenGetItem) -> list[View]:
    return [_result(one.oad, one.data), *_read_then(one)]


def _called(one: ActionItem | ActionThenGetItem) -> list[View]:
    view = _method(one.omd) | _value(one.parameter, argument_shape_of(one.omd))
    return [view, *_read_then(one)]


def _read_then(one: Any) -> list[View]:
    if isinstance(one, SetThenGetItem | ActionThenGetItem):
        return [_named(one.read_oad) | {"delay_s": one.delay_s}]
    return []


def _write_result(one: SetResult | SetThenGetResult) -> list[View]:
    return [_result(one.oad, one.dar), *_reading(one)]


def _call_result(one: ActionResult | ActionThenGetResult) -> list[View]:
    view = _method(one.omd) | dar_view(one.dar)
    if one.data is not None:
        view |= _value(one.data, None)
    return [view, *_reading(one)]


def _reading(one: Any) -> list[View]:
    if isinstance(one, SetThenGetResult | ActionThenGetResult):
        return _attribute_result(one.reading)
    return []


_DESCRIBED: dict[type, Callable[[Any], list[View]]] = {
    Oad: lambda oad: [_named(oad)],
    RecordQuery: _record_query,
    AttributeResult: _attribute_result,
    AttributeResults: _of_fields,
    RecordResult: _record_result,
    RecordResults: _of_fields,
    SetItem: _written,
    SetThenGetItem: _written,
    SetResult: _write_result,
    SetThenGetResult: _write_result,
    ActionItem: _called,
    ActionThenGetItem: _called,
    ActionResult: _call_result,
    ActionThenGetResult: _call_result,
}
