"""Any frame in a person's words: DL/T 645 or Q/GDW 1376.1, alone or one inside the other.

Both begin with 68H and hold a second one, at another place; the checksum settles which it is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from station.protocols import dlt645
from station.protocols.dlt645.describe import describe as describe_meter_frame
from station.protocols.qgdw1376 import frame as qgdw1376
from station.protocols.qgdw1376.confirmation import is_confirmation, is_denial
from station.protocols.qgdw1376.describe import describe as describe_terminal_frame
from station.protocols.qgdw1376.describe import meter_events
from station.protocols.qgdw1376.forward import inner_bytes
from station.protocols.qgdw1376.link import LinkFunction, link_function
from station.words import Text

NAMED_MAX = 3  # Items or data units that one line of a summary names.

_START = bytes((qgdw1376.START,))
_METER_START_AT = 7  # Where the second 68H of a DL/T 645 frame stands,
_METER_SIZE_AT = 9  # the size of its data,
_METER_OVERHEAD = 12  # and the bytes around the data.

AnyFrame = dlt645.Frame | qgdw1376.Frame


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
        return _fault(raw)
    view = _view(found.frame)
    if found.start:
        view["before"] = raw[: found.start].hex().upper()
    if found.end < len(raw):
        view["after"] = raw[found.end :].hex().upper()
    return view


def summary(raw: bytes) -> Text:
    """Return the first frame among these bytes in one line."""
    found = find_frame(raw)
    if found is None:
        return _no_frame(raw)
    if isinstance(found.frame, dlt645.Frame):
        return _meter_line(found.frame)
    return _terminal_line(found.frame)


def meter_of(raw: bytes) -> str | None:
    """Return the address of the meter that a frame is for or from, or None.

    Inside a terminal's frame it is the meter's frame that counts. Wildcards name no meter.
    """
    found = find_frame(raw)
    frame = None if found is None else found.frame
    if isinstance(frame, qgdw1376.Frame):
        frame = _forwarded_frame(frame)
    if frame is None or not frame.address.isdigit() or frame.address == dlt645.BROADCAST:
        return None
    return frame.address


def find_frame(raw: bytes) -> Found | None:
    """Return the first frame among these bytes.

    A meter's frame behind the broken header of a terminal's frame does not count: it is a part of
    that frame, and what is wrong with the frame is the thing to tell.
    """
    readers = [_terminal_frame, _meter_frame]
    for start in _starts(raw):
        for read in readers:
            try:
                frame, size = read(raw, start)
            except (qgdw1376.FrameError, dlt645.FrameError):
                continue
            return Found(frame, start, start + size)
        if _begins_terminal_frame(raw, start):
            readers = [_terminal_frame]
    return None


def _begins_terminal_frame(raw: bytes, start: int) -> bool:
    try:
        qgdw1376.read_header(raw[start : start + qgdw1376.HEADER_SIZE])
    except qgdw1376.FrameError:
        return False
    return True


def _starts(raw: bytes) -> Iterator[int]:
    at = raw.find(_START)
    while at >= 0:
        yield at
        at = raw.find(_START, at + 1)


def _terminal_frame(raw: bytes, start: int) -> tuple[AnyFrame, int]:
    """Return the 1376.1 frame that starts here and its size. Raises FrameError."""
    header = raw[start : start + qgdw1376.HEADER_SIZE]
    size = qgdw1376.read_header(header)[0] + qgdw1376.ENVELOPE_SIZE
    return qgdw1376.Frame.from_bytes(raw[start : start + size], accept_2005=True), size


def _meter_frame(raw: bytes, start: int) -> tuple[AnyFrame, int]:
    """Return the DL/T 645 frame that starts here and its size. Raises FrameError."""
    data_size = raw[start + _METER_SIZE_AT : start + _METER_SIZE_AT + 1]
    size = _METER_OVERHEAD + (data_size[0] if data_size else 0)
    return dlt645.Frame.from_bytes(raw[start : start + size]), size


def _fault(raw: bytes) -> dict[str, Any]:
    """Return why there is no frame: what is wrong with the bytes that look most like one."""
    start = next((at for at in _starts(raw) if _begins_terminal_frame(raw, at)), -1)
    read = _terminal_frame
    if start < 0:
        read = _meter_frame
        after = _METER_START_AT
        start = next((at for at in _starts(raw) if raw[at + after : at + after + 1] == _START), -1)
    if start < 0:
        return {"error": "no start of a frame", "offset": max(raw.find(_START), 0)}
    try:
        read(raw, start)
    except (qgdw1376.FrameError, dlt645.FrameError) as error:
        return {"error": error.reason, "offset": start + error.offset}
    raise AssertionError("a frame was found after all")


def _view(frame: AnyFrame) -> dict[str, Any]:
    if isinstance(frame, dlt645.Frame):
        return describe_meter_frame(frame)
    return describe_terminal_frame(frame)


def _forwarded_frame(frame: qgdw1376.Frame) -> dlt645.Frame | None:
    inner = inner_bytes(frame)
    if not inner:
        return None
    return next((one for one in meter_events(inner) if isinstance(one, dlt645.Frame)), None)


def _no_frame(raw: bytes) -> Text:
    return Text(f"{len(raw)} bytes that are no frame", f"{len(raw)} 字节，不是完整报文")


_LINK_WORDS = {
    LinkFunction.LOGIN: Text("login", "登录"),
    LinkFunction.LOGOUT: Text("logout", "退出登录"),
    LinkFunction.HEARTBEAT: Text("heartbeat", "心跳"),
}


def _terminal_line(frame: qgdw1376.Frame) -> Text:
    terminal = frame.address.text
    function = link_function(frame)
    if function is not None:
        words = _LINK_WORDS[function]
        return Text(f"{words.en} of terminal {terminal}", f"终端 {terminal} {words.zh}")
    inner = inner_bytes(frame)
    if inner is not None:
        return _forwarded_line(frame, inner)
    verdict = _verdict(frame)
    if verdict is not None:
        return verdict
    view = describe_terminal_frame(frame)
    who = _who(frame)
    units = _units_words(view["units"])
    return Text(
        f"{who.en} {view['function']}{': ' if units.en else ''}{units.en}",
        f"{who.zh}{view['function_zh']}{'：' if units.zh else ''}{units.zh}",
    )


def _who(frame: qgdw1376.Frame) -> Text:
    terminal = frame.address.text
    if not frame.from_terminal:
        return Text(f"to terminal {terminal}:", f"至终端 {terminal}：")
    if frame.from_initiator:
        return Text(f"terminal {terminal} reports", f"终端 {terminal} 主动上报：")
    return Text(f"terminal {terminal} answers", f"终端 {terminal} 应答：")


def _verdict(frame: qgdw1376.Frame) -> Text | None:
    """Return the line of an AFN00, None for other frames."""
    terminal = frame.address.text
    if is_confirmation(frame):
        if frame.from_terminal:
            return Text(f"terminal {terminal} confirms", f"终端 {terminal} 确认")
        return Text(f"confirmation to terminal {terminal}", f"确认终端 {terminal}")
    if is_denial(frame):
        if frame.from_terminal:
            return Text(f"terminal {terminal} denies", f"终端 {terminal} 否认")
        return Text(f"denial to terminal {terminal}", f"否认终端 {terminal}")
    return None


def _units_words(units: list[dict[str, Any]]) -> Text:
    points = ["" if unit["pn"] == 0 else f"p{unit['pn']} " for unit in units]
    return _listed(
        [
            Text(f"{point}{unit['name']}", f"{point}{unit['name_zh']}")
            for point, unit in zip(points, units, strict=True)
        ]
    )


def _forwarded_line(frame: qgdw1376.Frame, inner: bytes) -> Text:
    meter_frame = _forwarded_frame(frame)
    if meter_frame is not None:
        words = _meter_line(meter_frame)
    elif inner:
        words = _no_frame(inner)
    else:
        words = Text("no answer from the meter", "电能表无应答")
    terminal = frame.address.text
    return Text(f"{words.en}, through terminal {terminal}", f"{words.zh}（经终端 {terminal}）")


def _meter_line(frame: dlt645.Frame) -> Text:
    view = describe_meter_frame(frame)
    meter = _meter_words(frame.address)
    if view["error"] is not None:
        return Text(f"{meter.en} refuses: {view['error']}", f"{meter.zh} 拒绝：{view['error_zh']}")
    items = _listed([_item_words(item) for item in view["items"]])
    if frame.from_meter:
        done = Text(f"answers: {items.en}", f"应答：{items.zh}")
        if not items.en:
            done = Text(f"confirms: {view['function']}", f"确认：{view['function_zh']}")
        return Text(f"{meter.en} {done.en}", f"{meter.zh} {done.zh}")
    asked = view["data_name"], view["data_name_zh"]
    if asked[0] is None:
        return Text(f"{view['function']}: {meter.en}", f"{view['function_zh']}：{meter.zh}")
    return Text(
        f"{view['function']}: {meter.en}, {asked[0]}",
        f"{view['function_zh']}：{meter.zh}，{asked[1]}",
    )


def _meter_words(address: str) -> Text:
    if address == dlt645.BROADCAST:
        return Text("all meters", "所有电能表")
    if address == dlt645.WILDCARD:
        return Text("any meter", "任意电能表")
    return Text(f"meter {address}", f"电能表 {address}")


def _item_words(item: dict[str, Any]) -> Text:
    value = item["value"]
    if value is None:
        return Text(f"{item['name']} without a value", f"{item['name_zh']}无值")
    amount = f"{value} {item['unit']}".rstrip()
    return Text(f"{item['name']} {amount}", f"{item['name_zh']} {amount}")


def _listed(words: list[Text]) -> Text:
    """Return the first few, and how many more there are."""
    named, more = words[:NAMED_MAX], len(words) - NAMED_MAX
    english = ", ".join(word.en for word in named)
    chinese = "，".join(word.zh for word in named)
    if more > 0:
        return Text(f"{english} and {more} more", f"{chinese}等 {len(words)} 项")
    return Text(english, chinese)
