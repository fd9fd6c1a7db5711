"""A frame in one line of words, in both languages."""

from typing import Any

from station.protocols import dlt645
from station.protocols.detect import AnyFrame
from station.protocols.dlt645.describe import describe as describe_meter_frame
from station.protocols.dlt698.describe import describe as describe_object_frame
from station.protocols.qgdw1376 import frame as qgdw1376
from station.protocols.qgdw1376.confirmation import is_confirmation, is_denial
from station.protocols.qgdw1376.describe import describe as describe_terminal_frame
from station.protocols.qgdw1376.link import LinkFunction, link_function
from station.words import Text

NAMED_MAX = 3  # Items or data units that one line names.

View = dict[str, Any]

_COMMA = Text(", ", "，")
_SEMICOLON = Text("; ", "；")  # Between what has commas in its names and values.


def line_of(frame: AnyFrame) -> Text:
    """Return a frame in one line."""
    if isinstance(frame, dlt645.Frame):
        return _meter_line(describe_meter_frame(frame))
    if isinstance(frame, qgdw1376.Frame):
        return _terminal_line(frame)
    return _object_line(describe_object_frame(frame))


def no_frame_line(size: int) -> Text:
    """Return what is said of bytes that hold no frame."""
    return Text(f"{size} bytes that are no frame", f"{size} 字节，不是完整报文")


_LINK_WORDS = {
    LinkFunction.LOGIN: Text("login", "登录"),
    LinkFunction.LOGOUT: Text("logout", "退出登录"),
    LinkFunction.HEARTBEAT: Text("heartbeat", "心跳"),
}


def _terminal_line(frame: qgdw1376.Frame) -> Text:
    terminal = frame.address.text
    function = link_function(frame)
    if function is not None:
        return _link_line(_LINK_WORDS[function], terminal)
    verdict = _verdict(frame)
    if verdict is not None:
        return verdict
    view = describe_terminal_frame(frame)
    if "forwarded" in view:
        return _forwarded_line(view["forwarded"], terminal)
    who = _who(frame)
    units = _units_words(view["units"])
    return Text(
        f"{who.en} {view['function']}{': ' if units.en else ''}{units.en}",
        f"{who.zh}{view['function_zh']}{'：' if units.zh else ''}{units.zh}",
    )


def _link_line(words: Text, terminal: str) -> Text:
    return Text(f"{words.en} of terminal {terminal}", f"终端 {terminal} {words.zh}")


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


def _units_words(units: list[View]) -> Text:
    points = ["" if unit["pn"] == 0 else f"p{unit['pn']} " for unit in units]
    return _listed(
        [
            Text(f"{point}{unit['name']}", f"{point}{unit['name_zh']}")
            for point, unit in zip(points, units, strict=True)
        ]
    )


def _forwarded_line(inner: View | None, terminal: str) -> Text:
    """Return the line of what a terminal forwards, told by its view."""
    if inner is None:
        words = Text("no answer from the meter", "电能表无应答")
    elif "protocol" not in inner:
        words = no_frame_line(len(inner["data"]) // 2)
    elif inner["protocol"] == "dlt698.45":
        words = _object_line(inner)
    else:
        words = _meter_line(inner)
    return _through(words, terminal)


def _through(words: Text, terminal: str) -> Text:
    if not terminal.strip("A"):
        return Text(f"{words.en}, through any terminal", f"{words.zh}（经任意终端）")
    return Text(f"{words.en}, through terminal {terminal}", f"{words.zh}（经终端 {terminal}）")


def _meter_line(view: View) -> Text:
    """Return the line of a DL/T 645 frame, told by its view."""
    meter = _meter_words(view["address"])
    if view["error"] is not None:
        return Text(f"{meter.en} refuses: {view['error']}", f"{meter.zh} 拒绝：{view['error_zh']}")
    items = _listed([_item_words(item) for item in view["items"]])
    if view["direction"] == "up":
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


def _item_words(item: View) -> Text:
    if item["value"] is None:
        return Text(f"{item['name']} without a value", f"{item['name_zh']}无值")
    amount = f"{item['value']} {item['unit']}".rstrip()
    return Text(f"{item['name']} {amount}", f"{item['name_zh']} {amount}")


_PIECES = {
    "first": Text("first piece", "首帧"),
    "middle": Text("middle piece", "中间帧"),
    "last": Text("last piece", "末帧"),
    "acknowledgement": Text("acknowledgement of piece", "确认帧"),
}
_REFUSAL = 0x07  # Bits of the result of a LINK-Response; all 0 is success.


def _object_line(view: View) -> Text:
    """Return the line of a DL/T 698.45 frame, told by its view."""
    address = view["address"]
    view = view | view.get("inner", {})  # What SECURITY wraps is what is said.
    if view["apdu"] in ("LINK-Request", "LINK-Response") and "meaning" in view.get("fields", {}):
        return _session_line(view, address)
    if "forwarded" in view:
        return _forwarded_line(view["forwarded"], address)
    meters = {one["meter"] for one in view["objects"] if "meter" in one}
    if len(meters) != 1:
        return _service_line(view, _device_words(address))
    return _through(_service_line(view, _meter_words(meters.pop())), address)


def _session_line(view: View, terminal: str) -> Text:
    meaning = Text(view["fields"]["meaning"], view["fields"]["meaning_zh"])
    if view["apdu"] == "LINK-Request":
        return _link_line(meaning, terminal)
    if not view["fields"]["result"] & _REFUSAL:
        return Text(f"confirmation to terminal {terminal}", f"确认终端 {terminal}")
    return Text(
        f"refusal to terminal {terminal}: {meaning.en}", f"拒绝终端 {terminal}：{meaning.zh}"
    )


def _service_line(view: View, who: Text) -> Text:
    """Return what an APDU asks of a device or what the device answers."""
    service = _service_words(view)
    objects = _listed([_object_words(one) for one in view["objects"]], _SEMICOLON)
    is_up = view["direction"] == "up"
    if is_up and objects.en:
        done = Text("answers", "应答")
        if view["apdu"] == "REPORT-Notification":
            done = Text("reports", "主动上报")
        return Text(f"{who.en} {done.en}: {objects.en}", f"{who.zh} {done.zh}：{objects.zh}")
    said = (who, service) if is_up else (service, who)
    words = Text(f"{said[0].en}: {said[1].en}", f"{said[0].zh}：{said[1].zh}")
    if not objects.en:
        return words
    return Text(f"{words.en}; {objects.en}", f"{words.zh}；{objects.zh}")


def _service_words(view: View) -> Text:
    piece = view.get("fragment")
    if piece is not None:
        words = _PIECES[piece["kind"]]
        return Text(f"{words.en} {piece['number']}", f"{words.zh} {piece['number']}")
    name = Text(view["apdu"], view["apdu_zh"])
    if "error" not in view:
        return name
    return Text(f"{name.en} that cannot be decoded ({view['error']})", f"{name.zh}（无法解析）")


def _device_words(address: str) -> Text:
    """A server may be a terminal or a meter; its address does not tell."""
    if address == "AA":
        return Text("all devices", "所有设备")
    if not address.strip("A"):
        return Text("any device", "任意设备")
    return Text(f"device {address}", f"设备 {address}")


def _object_words(one: View) -> Text:
    name = Text(one["name"], one["name_zh"])
    if "error" in one:
        return Text(f"{name.en}: {one['error']}", f"{name.zh}：{one['error_zh']}")
    if one.get("dar") == 0:
        return Text(f"{name.en}: done", f"{name.zh}：成功")
    amount = _amount_words(one)
    return Text(f"{name.en} {amount}".rstrip(), f"{name.zh} {amount}".rstrip())


def _amount_words(one: View) -> str:
    """Return a value, or values side by side; what has parts of its own is too long for a line."""
    value = one.get("value")
    values: list[Any] = value if isinstance(value, list) else [value]
    if not all(isinstance(part, str) for part in values):
        return ""
    return f"{', '.join(filter(None, values))} {one.get('unit', '')}".rstrip()


def _listed(words: list[Text], between: Text = _COMMA) -> Text:
    """Return the first few, and how many more there are."""
    named, more = words[:NAMED_MAX], len(words) - NAMED_MAX
    english = between.en.join(word.en for word in named)
    chinese = between.zh.join(word.zh for word in named)
    if more > 0:
        return Text(f"{english} and {more} more", f"{chinese}等 {len(words)} 项")
    return Text(english, chinese)
