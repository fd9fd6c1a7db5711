"""What every input of the fuzzer has to go through without a failure.

Fed in two pieces, every byte has to come out of each parser again. Each frame found is decoded, put
into words, explained byte by byte, and answered as the front-end does. A failure is an exception
that a function does not announce, a byte that is lost or explained twice, a data unit or an APDU
that is not the same after encoding and decoding again, and a view that JSON cannot hold.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from station.protocols import describe, detect, dlt645
from station.protocols.dlt645 import profile
from station.protocols.dlt645.requests import learned_address
from station.protocols.dlt698 import blocks as object_blocks
from station.protocols.dlt698 import link as object_link
from station.protocols.dlt698 import requests as object_requests
from station.protocols.dlt698.apdu import decode_apdu
from station.protocols.dlt698.envelope import Apdu
from station.protocols.dlt698.frame import Frame as ObjectFrame
from station.protocols.dlt698.get import GetResponseNext
from station.protocols.dlt698.parser import Parser as ObjectParser
from station.protocols.dlt698.segments import Joiner
from station.protocols.explain import explain
from station.protocols.faults import FrameError
from station.protocols.noise import Noise
from station.protocols.qgdw1376 import forward
from station.protocols.qgdw1376 import link as terminal_link
from station.protocols.qgdw1376 import requests as terminal_requests
from station.protocols.qgdw1376.frame import Frame as TerminalFrame
from station.protocols.qgdw1376.functions import layout_of, units_of, values_of
from station.protocols.qgdw1376.parser import Parser as TerminalParser
from station.protocols.summary import line_of

REGISTRATION = b"\x68DTU-0001"  # Of a modem: begins like a frame.


class Failure(AssertionError):
    """A rule was broken without an exception."""


def examine(data: bytes) -> list[detect.AnyFrame]:
    """Return the frames in these bytes, examined. Raises whatever goes wrong."""
    frames: dict[detect.AnyFrame, None] = {}
    for parser, end in (
        (meters := dlt645.Parser(), meters.give_up),
        (terminals := TerminalParser(), terminals.give_up),
        (objects := ObjectParser(), objects.give_up),
        (anything := detect.Parser([REGISTRATION], accept_2005=True), anything.give_up),
    ):
        found = parse(parser, end, data)
        frames |= dict.fromkeys(one for one in found if isinstance(one, detect.AnyFrame))
    examine_answers(list(frames))
    for frame in frames:
        _EXAMINERS[type(frame)](frame)
        json.dumps(describe.describe_frame(frame))
        line_of(frame)
    if not frames:
        json.dumps(describe.describe(data))
    describe.meter_of(data)
    examine_spans(data)
    return list(frames)


def parse(parser: Any, end: Callable[[], None], data: bytes) -> list[Any]:
    """Return the events of a parser, which have to hold all bytes."""
    events = []
    half = len(data) // 2
    for piece in (data[:half], data[half:]):
        parser.receive_data(piece)
        events += iter(parser.next_event, None)
    end()
    events += iter(parser.next_event, None)
    if b"".join(map(bytes_of, events)) != data:
        raise Failure(f"{type(parser).__module__} lost bytes")
    return events


def bytes_of(event: Any) -> bytes:
    has_data = isinstance(event, Noise | detect.Registration)
    return event.data if has_data else event.to_bytes()


def examine_spans(data: bytes) -> None:
    at = 0
    for span in explain(data):
        if span.start != at or span.end <= at:
            raise Failure(f"bytes {at} to {span.start} are not explained once")
        at = span.end
    if at != len(data):
        raise Failure(f"bytes from {at} on are not explained")


def examine_answers(frames: list[detect.AnyFrame]) -> None:
    """Take each frame as the request or the piece that the ones behind it belong to."""
    joiner, blocks = Joiner(), object_blocks.LongAnswer()
    for request, reply in zip(frames, frames[1:] + frames[:1], strict=True):
        if isinstance(request, ObjectFrame):
            joined = joiner.add(request)
            apdu = None if request.is_split else decoded(request)
            if joined.whole is not None:
                decoded(joined.whole)
            if isinstance(apdu, GetResponseNext):
                blocks.add(apdu)
        if type(request) is not type(reply):
            continue
        if isinstance(request, dlt645.Frame):
            dlt645.is_answer(request, reply)
            dlt645.LongAnswer(request).add(reply)
        elif isinstance(request, TerminalFrame):
            terminal_requests.Answer(request).add(reply)
        else:
            object_requests.is_answer(request, reply)


def decoded(frame: ObjectFrame) -> Apdu | None:
    try:
        return decode_apdu(frame.apdu)
    except FrameError:
        return None


def examine_meter_frame(frame: dlt645.Frame) -> None:
    dlt645.values_of(frame)
    learned_address(frame)
    with suppress(ValueError):
        profile.decode(dlt645.payload(frame))
    with suppress(ValueError):
        profile.parse_request(frame)


def examine_terminal_frame(frame: TerminalFrame) -> None:
    for unit in units_of(frame).units:
        values = values_of(frame, unit)
        again = layout_of(frame.afn, unit.fn, up=frame.from_terminal).encode(values)
        if again != unit.data:
            raise Failure(f"AFN{frame.afn:02X} F{unit.fn} is encoded otherwise")
    terminal_link.heartbeat_clock(frame)
    terminal_link.confirm(frame).to_bytes()
    forward.deny(frame).to_bytes()
    forward.forwarded_line(frame)
    forward.forwarded_port(frame)
    forward.inner_bytes(frame)


def examine_object_frame(frame: ObjectFrame) -> None:
    object_link.is_confirmation(frame)
    if object_link.wants_confirmation(frame):
        with suppress(ValueError):
            object_link.confirm(frame).to_bytes()
    object_link.heartbeat_s(frame)
    apdu = decoded(frame)
    if apdu is not None and decode_apdu(apdu.to_bytes()) != apdu:
        raise Failure(f"{type(apdu).__name__} is decoded otherwise once it is encoded")


_EXAMINERS: dict[type, Callable[[Any], None]] = {
    dlt645.Frame: examine_meter_frame,
    TerminalFrame: examine_terminal_frame,
    ObjectFrame: examine_object_frame,
}
