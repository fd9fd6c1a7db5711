"""Every byte of a frame explained, for the page on which a field lights its bytes.

The spans of `explain` are in order, do not overlap and cover all bytes, also those that are no
frame. A frame inside another is explained too, one `depth` below.
"""

from station.protocols import dlt645
from station.protocols.detect import AnyFrame, Broken, Event, Registration, events_of
from station.protocols.explain import meter_frames, object_frames, terminal_frames
from station.protocols.explain.spans import Span, Spans
from station.protocols.noise import Noise
from station.protocols.qgdw1376 import frame as qgdw1376
from station.words import Text

__all__ = ["Span", "explain", "explain_frame"]

DEPTH_MAX = 3  # A frame in a frame in a frame in a frame: more are nobody's.

_PREAMBLE = Text("wake-up bytes", "前导字节")
_NOISE = Text("no frame", "非报文字节")
_BROKEN = Text("damaged frame", "错误报文")
_INSIDE = Text("content", "内容")


def explain(raw: bytes) -> list[Span]:
    """Return what each byte means."""
    return _explain_bytes(raw, 0, 0)


def explain_frame(frame: AnyFrame, start: int = 0) -> list[Span]:
    """Return what each byte of a frame means that begins at an offset."""
    return _explain_frame(frame, frame.to_bytes(), start, 0)


def _explain_bytes(raw: bytes, offset: int, depth: int) -> list[Span]:
    """Return the spans of all frames among these bytes, and of the bytes between."""
    if depth > DEPTH_MAX:
        return [Span(offset, offset + len(raw), _INSIDE, raw.hex(" ").upper(), None, depth)]
    spans: list[Span] = []
    for start, end, event in events_of(raw):
        spans += _explain_event(event, raw[start:end], offset + start, depth)
    return spans


def _explain_event(event: Event, raw: bytes, start: int, depth: int) -> list[Span]:
    if not isinstance(event, Noise | Registration):
        return _explain_frame(event, raw, start, depth)
    name, words = _NOISE, None
    if isinstance(event, Broken):
        name = _BROKEN
        words = Text(
            f"{event.reason} at byte {event.offset}", f"第{event.offset}字节：{event.reason}"
        )
    elif isinstance(event, Noise) and event.reason == "preamble":
        name = _PREAMBLE
    return [Span(start, start + len(raw), name, raw.hex(" ").upper(), words, depth)]


def _explain_frame(frame: AnyFrame, raw: bytes, start: int, depth: int) -> list[Span]:
    if isinstance(frame, dlt645.Frame):
        spans = Spans(meter_frames.clear_bytes(frame, raw), start, depth, _explain_bytes)
        meter_frames.explain(frame, spans)
    elif isinstance(frame, qgdw1376.Frame):
        spans = Spans(raw, start, depth, _explain_bytes)
        terminal_frames.explain(frame, spans)
    else:
        spans = Spans(object_frames.clear_bytes(frame, raw), start, depth, _explain_bytes)
        object_frames.explain(frame, spans)
    return spans.spans
