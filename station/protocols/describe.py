"""Any frame by name: DL/T 645, Q/GDW 1376.1 or DL/T 698.45, alone or one inside the other."""

from dataclasses import dataclass
from typing import Any

from station.protocols import dlt645
from station.protocols.detect import (
    NO_START,
    AnyFrame,
    Broken,
    Registration,
    events_of,
)
from station.protocols.dlt645.describe import describe as describe_meter_frame
from station.protocols.dlt698 import frame as dlt698
from station.protocols.dlt698.describe import describe as describe_object_frame
from station.protocols.faults import FrameError
from station.protocols.noise import Noise
from station.protocols.qgdw1376 import frame as qgdw1376
from station.protocols.qgdw1376.describe import describe as describe_terminal_frame
from station.protocols.qgdw1376.forward import inner_bytes
from station.protocols.summary import line_of, no_frame_line
from station.words import Text

_START = b"\x68"


@dataclass(frozen=True, slots=True)
class Found:
    """A frame among other bytes, and where it stands."""

    frame: AnyFrame
    start: int
    end: int


def describe(raw: bytes) -> dict[str, Any]:
    """Return the first frame among these bytes by name, as JSON holds it.

    `before` and `after` are the hex digits around it, when there are any. Bytes without a frame
    give `{"error": reason, "offset": n}`.
    """
    found = find_frame(raw)
    if found is None:
        return fault_of(raw)
    view = describe_frame(found.frame)
    if found.start:
        view["before"] = raw[: found.start].hex().upper()
    if found.end < len(raw):
        view["after"] = raw[found.end :].hex().upper()
    return view


def describe_frame(frame: AnyFrame) -> dict[str, Any]:
    """Return a frame by name, as JSON holds it."""
    if isinstance(frame, dlt645.Frame):
        return describe_meter_frame(frame)
    if isinstance(frame, qgdw1376.Frame):
        return describe_terminal_frame(frame)
    return describe_object_frame(frame)


def summary(raw: bytes) -> Text:
    """Return the first frame among these bytes in one line."""
    found = find_frame(raw)
    return no_frame_line(len(raw)) if found is None else line_of(found.frame)


def meter_of(raw: bytes) -> str | None:
    """Return the address of the meter that a frame is for or from, or None.

    Inside a terminal's frame it is the frame for the meter, or the meter named by PROXY, that
    counts. The address of a DL/T 698.45 frame by itself may be a terminal's and does not count.
    Wildcards and several addresses at once name no meter.
    """
    found = find_frame(raw)
    if found is None:
        return None
    frame = found.frame
    if isinstance(frame, dlt645.Frame):
        return _one_meter(frame.address)
    if isinstance(frame, qgdw1376.Frame):
        return _meter_forwarded(describe_terminal_frame(frame)) if inner_bytes(frame) else None
    view = describe_object_frame(frame)
    view |= view.get("inner", {})  # What SECURITY wraps is what is said.
    if "forwarded" in view:
        return _meter_forwarded(view)
    meters = {one["meter"] for one in view["objects"] if "meter" in one}
    return _one_meter(meters.pop()) if len(meters) == 1 else None


def find_frame(raw: bytes) -> Found | None:
    """Return the first frame among these bytes."""
    for start, end, event in events_of(raw):
        if not isinstance(event, Noise | Registration):
            return Found(event, start, end)
    return None


def fault_of(raw: bytes) -> dict[str, Any]:
    """Return why there is no frame: `{"error": reason, "offset": n}`.

    That is what is wrong with the first start that fits a protocol; without one, with bytes that
    have at least the length they say.
    """
    for start, _, event in events_of(raw):
        if isinstance(event, Broken):
            return {"error": event.reason, "offset": start + event.offset}
    start = raw.find(_START)
    error = None if start < 0 else _error_of_its_length(raw[start:])
    if error is None:
        return {"error": NO_START, "offset": max(start, 0)}
    return {"error": error.reason, "offset": start + error.offset}


def _error_of_its_length(rest: bytes) -> FrameError | None:
    """Return what is wrong with bytes of just the length that they say they have."""
    if len(rest) < dlt645.frame.OVERHEAD:
        return None
    length = rest[1] | rest[2] << 8
    for size, read in (
        (rest[9] + dlt645.frame.OVERHEAD, dlt645.Frame.from_bytes),
        ((length >> 2) + qgdw1376.ENVELOPE_SIZE, qgdw1376.Frame.from_bytes),
        (length + dlt698.ENVELOPE_SIZE, dlt698.Frame.from_bytes),
    ):
        if size == len(rest):
            try:
                read(rest)
            except FrameError as error:
                return error
    return None


def _meter_forwarded(view: dict[str, Any]) -> str | None:
    """Return the meter that a frame inside a frame is for or from."""
    inner = view.get("forwarded")
    if not isinstance(inner, dict) or "protocol" not in inner:
        return None
    return _meter_forwarded(inner) or _one_meter(inner["address"])


def _one_meter(address: str) -> str | None:
    return address if address.isdecimal() and address != dlt645.BROADCAST else None
