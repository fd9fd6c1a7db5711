"""A frame as JSON for a person to read: every field by name, values as text, numbers in decimal."""

from collections.abc import Iterator
from typing import Any

from station.protocols import dlt645
from station.protocols.dlt645.describe import describe as describe_meter_frame
from station.protocols.noise import Noise
from station.protocols.qgdw1376.formats import A16
from station.protocols.qgdw1376.forward import inner_bytes
from station.protocols.qgdw1376.frame import PROTOCOL_2009, Frame, TimeTag
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


def describe(frame: Frame) -> dict[str, Any]:
    """Return a frame by name.

    `units` holds the data units as far as their layouts are known, each with `values`: rows of
    `name`, `name_zh`, `value` (text, null when missing, or a list) and `unit`; `cleared` holds the
    identifications without a unit. What lies behind stands in `rest` as hex, with `rest_reason`. A
    frame for or from a meter is in `forwarded`.
    """
    name = AFN_NAMES.get(frame.afn, UNKNOWN_AFN)
    view: dict[str, Any] = {
        "protocol": "qgdw1376" if frame.protocol == PROTOCOL_2009 else "qgdw130-2005",
        "direction": "up" if frame.from_terminal else "down",
        "address": frame.address.text,
        "master": frame.address.master,
        "group": frame.address.group,
        "control": f"{frame.control:02X}",
        "initiator": frame.from_initiator,
        "afn": f"{frame.afn:02X}",
        "function": name.en,
        "function_zh": name.zh,
        "sequence": frame.sequence,
        "first": frame.first,
        "last": frame.last,
        "wants_confirmation": frame.wants_confirmation,
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


def _unit_view(frame: Frame, unit: DataUnit) -> dict[str, Any]:
    function = find_function(frame.afn, unit.fn)
    name = UNKNOWN_FN if function is None else function.name
    layout = layout_of(frame.afn, unit.fn, up=frame.from_terminal)
    return {
        "pn": unit.pn,
        "fn": unit.fn,
        "name": name.en,
        "name_zh": name.zh,
        "values": layout.rows(values_of(frame, unit)),
        "data": unit.data.hex().upper(),
    }


def _forwarded_view(inner: bytes) -> dict[str, Any] | None:
    """Return the meter's frame among the bytes forwarded; None when nothing came back."""
    if not inner:
        return None
    reasons = []
    for event in meter_events(inner):
        if isinstance(event, dlt645.Frame):
            return describe_meter_frame(event)
        reasons.append(event.reason)
    return {"error": reasons[-1], "data": inner.hex().upper()}


def meter_events(inner: bytes) -> Iterator[dlt645.Frame | Noise]:
    """Return the frames of meters among bytes forwarded, and what stands around them."""
    parser = dlt645.Parser()
    parser.receive_data(inner)
    parser.expire()
    return iter(parser.next_event, None)


def _closing_view(frame: Frame) -> dict[str, Any]:
    """Return the closing fields that are there; of PW only its size, for it is a secret."""
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
