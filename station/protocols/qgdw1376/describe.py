"""A frame as JSON for a person to read: every field by name, values as text, numbers in decimal.

    {"protocol": "qgdw1376.1", "direction": "up", "prm": false,
     "address": {"text": "02001234", "region": "0200", "terminal": 4660, "master": 1,
                 "group": false},
     "control": "88", "afn": "0C", "function": "class 1 data", "function_zh": ...,
     "seq": {"tpv": false, "fir": true, "fin": true, "con": false, "number": 3},
     "units": [{"pn": 0, "fn": 2, "name": "terminal clock", "name_zh": ..., "data": "334513...",
                "fields": [{"name": "clock", "name_zh": ..., "value": "2020-12-14T13:45:33",
                            "unit": ""}]}]}

A frame of Q/GDW 130-2005 says so in "protocol". `units` goes as far as the layouts are known; a
field has null for a value that is missing, and a list or rows of its own where it repeats.
`cleared` holds the identifications without a unit; what lies behind stands in `rest` as hex, with
`rest_reason`. A frame for or from a meter is in `forwarded`. Of PW only the size is told, for it is
a secret.
"""

from typing import Any

from station.protocols import dlt645
from station.protocols.detect import Broken, Parser
from station.protocols.dlt645.describe import describe as describe_meter_frame
from station.protocols.dlt698 import frame as dlt698
from station.protocols.dlt698.describe import describe as describe_object_frame
from station.protocols.qgdw1376.formats import A16
from station.protocols.qgdw1376.forward import inner_bytes
from station.protocols.qgdw1376.frame import PROTOCOL_2009, TIME_TAGGED, Address, Frame, TimeTag
from station.protocols.qgdw1376.functions import (
    AFN_NAMES,
    find_function,
    layout_of,
    units_of,
    values_of,
)
from station.protocols.qgdw1376.layout import value_words
from station.protocols.qgdw1376.units import DataUnit
from station.words import Text

UNKNOWN_AFN = Text("not in the standard", "标准外功能")
UNKNOWN_FN = Text("not in the standard", "标准外数据项")
NO_METER_FRAME = "no frame of a meter"


def describe(frame: Frame) -> dict[str, Any]:
    """Return the JSON view of a frame; the module's head shows it."""
    name = AFN_NAMES.get(frame.afn, UNKNOWN_AFN)
    view: dict[str, Any] = {
        "protocol": "qgdw1376.1" if frame.protocol == PROTOCOL_2009 else "qgdw130-2005",
        "direction": "up" if frame.from_terminal else "down",
        "prm": frame.from_initiator,
        "address": _address_view(frame.address),
        "control": f"{frame.control:02X}",
        "afn": f"{frame.afn:02X}",
        "function": name.en,
        "function_zh": name.zh,
        "seq": _sequence_view(frame),
    }
    found = units_of(frame)
    view["units"] = [_unit_view(frame, unit) for unit in found.units]
    if found.cleared:
        view["cleared"] = [identification.hex().upper() for identification in found.cleared]
    if found.rest:
        view |= {"rest": found.rest.hex().upper(), "rest_reason": found.reason}
    inner = inner_bytes(frame)
    if inner is not None:
        view["forwarded"] = _forwarded_view(inner)
    return view | _closing_view(frame)


def _address_view(address: Address) -> dict[str, Any]:
    """Return the parts of the address; `text` is the key of the terminal everywhere else."""
    return {
        "text": address.text,
        "region": address.region,
        "terminal": address.terminal,
        "master": address.master,
        "group": address.group,
    }


def _sequence_view(frame: Frame) -> dict[str, Any]:
    return {
        "tpv": bool(frame.seq & TIME_TAGGED),
        "fir": frame.first,
        "fin": frame.last,
        "con": frame.wants_confirmation,
        "number": frame.sequence,
    }


def _unit_view(frame: Frame, unit: DataUnit) -> dict[str, Any]:
    function = find_function(frame.afn, unit.fn)
    name = UNKNOWN_FN if function is None else function.name
    layout = layout_of(frame.afn, unit.fn, up=frame.from_terminal)
    return {
        "pn": unit.pn,
        "fn": unit.fn,
        "name": name.en,
        "name_zh": name.zh,
        "fields": layout.rows(values_of(frame, unit)),
        "data": unit.data.hex().upper(),
    }


def _forwarded_view(inner: bytes) -> dict[str, Any] | None:
    """Return the meter's frame among the bytes forwarded; None when nothing came back."""
    if not inner:
        return None
    parser = Parser()
    parser.receive_data(inner)
    parser.give_up()
    reason = NO_METER_FRAME
    for event in iter(parser.next_event, None):
        if isinstance(event, dlt645.Frame):
            return describe_meter_frame(event)
        if isinstance(event, dlt698.Frame):
            return describe_object_frame(event)
        if isinstance(event, Broken):
            reason = event.reason
    return {"error": reason, "data": inner.hex().upper()}


def _closing_view(frame: Frame) -> dict[str, Any]:
    """Return the closing fields that are there."""
    view: dict[str, Any] = {}
    if frame.password:
        view["password_size"] = len(frame.password)
    if frame.events is not None:
        important, general = frame.events
        view["event_counters"] = {"important": important, "general": general}
    if frame.time_tag is not None:
        view["time_tag"] = _time_tag_view(frame.time_tag)
    return view


def _time_tag_view(tag: TimeTag) -> dict[str, Any]:
    return {
        "counter": tag.counter,
        "sent": value_words(A16, A16.decode(tag.sent)),
        "allowed_delay_min": tag.delay_min,
    }
