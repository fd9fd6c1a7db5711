"""Every byte of a frame of Q/GDW 1376.1 (digest, sections 1 to 6 for the envelope)."""

from station.protocols.explain.spans import Spans, joined
from station.protocols.qgdw1376.events import EVENT_BY_ERC, Records
from station.protocols.qgdw1376.formats import A16
from station.protocols.qgdw1376.frame import (
    ACCESS_DEMAND,
    DATA_START,
    ENVELOPE_SIZE,
    FORWARDING,
    FUNCTION_MASK,
    IDENTIFICATION_SIZE,
    PROTOCOL_2009,
    Frame,
    TimeTag,
)
from station.protocols.qgdw1376.functions import (
    AFN_NAMES,
    FUNCTIONS,
    find_function,
    layout_of,
)
from station.protocols.qgdw1376.layout import (
    Layout,
    Optional,
    Part,
    Row,
    Sized,
    Unfit,
    Values,
    name_of,
    value_words,
)
from station.protocols.qgdw1376.lists import Group, Series
from station.protocols.qgdw1376.units import IDENTIFICATION, decode_identification
from station.words import Text

_START = Text("start", "起始符")
_LENGTH = Text("length", "长度L")
_CONTROL = Text("control", "控制域C")
_REGION = Text("region", "行政区划码A1")
_TERMINAL = Text("terminal address", "终端地址A2")
_MASTER = Text("master station and group", "主站地址和组地址标志A3")
_AFN = Text("application function (AFN)", "应用层功能码AFN")
_SEQ = Text("sequence (SEQ)", "帧序列域SEQ")
_IDENTIFICATION = Text("data unit identification", "数据单元标识")
_PASSWORD = Text("message authentication (PW)", "消息认证码PW")
_IMPORTANT = Text("important events (EC1)", "重要事件计数器EC1")
_GENERAL = Text("general events (EC2)", "一般事件计数器EC2")
_COUNTER = Text("time tag: frame counter (PFC)", "时间标签Tp：启动帧帧序号计数器PFC")
_SENT = Text("time tag: sent at", "时间标签Tp：启动帧发送时标")
_DELAY = Text("time tag: allowed delay", "时间标签Tp：允许发送传输延时时间")
_CHECKSUM = Text("checksum", "校验和CS")
_END = Text("end", "结束符")
_REST = Text("not decoded", "未解析")
_NO_VALUE = Text("no value", "无值")
_CLEARED = Text("no data unit", "无数据单元")
_ERC = Text("event code (ERC)", "事件代码ERC")
_EVENT_SIZE = Text("length of the event", "事件记录长度Le")
_EVENT = Text("event", "事件记录")
_UNKNOWN = Text("not in the standard", "标准外")

_EDITIONS = {
    1: Text("Q/GDW 130-2005", "Q/GDW 130-2005"),
    2: Text("Q/GDW 1376.1", "Q/GDW 1376.1"),
}
_DOWN = Text("from the station", "下行")
_UP = Text("from the terminal", "上行")
_INITIATES = Text("opens the exchange", "启动站")
_ANSWERS = Text("answers", "从动站")
_EVENTS_WAIT = Text("important events wait (ACD)", "请求访问ACD")
_FCB = Text("frame count bit (FCB)", "帧计数位FCB")
_FCV = Text("frame count valid (FCV)", "帧计数有效位FCV")

# Section 2: by PRM and D3-D0.
_LINK_FUNCTIONS = {
    (True, 1): Text("reset", "复位命令"),
    (True, 4): Text("user data, no answer", "用户数据，无回答"),
    (True, 9): Text("link test", "链路测试"),
    (True, 10): Text("request class 1", "请求1级数据"),
    (True, 11): Text("request class 2", "请求2级数据"),
    (False, 0): Text("acknowledge", "认可"),
    (False, 8): Text("user data", "用户数据"),
    (False, 9): Text("requested data not available", "否认：无所召唤数据"),
    (False, 11): Text("link status", "链路状态"),
}
_SEQ_BITS = (
    (0x80, Text("time tag (TpV)", "有时间标签TpV")),
    (0x40, Text("first frame (FIR)", "首帧FIR")),
    (0x20, Text("last frame (FIN)", "末帧FIN")),
    (0x10, Text("to be confirmed (CON)", "需要确认CON")),
)


def explain(frame: Frame, spans: Spans) -> None:
    """Explain each byte of a frame."""
    address = frame.address
    size = str(spans.left - ENVELOPE_SIZE)
    spans.take(1, _START)
    for _ in range(2):
        spans.take(2, _LENGTH, size, _EDITIONS[frame.protocol])
    spans.take(1, _START)
    spans.take(1, _CONTROL, f"{frame.control:02X}", _control_words(frame))
    spans.take(2, _REGION, address.region)
    number = str(address.terminal)
    spans.take(2, _TERMINAL, f"{address.terminal:04X}", Text(number, number))
    spans.take(1, _MASTER, str(address.master), _master_words(frame))
    spans.take(1, _AFN, f"{frame.afn:02X}", AFN_NAMES.get(frame.afn, _UNKNOWN))
    spans.take(1, _SEQ, str(frame.sequence), _sequence_words(frame))
    _explain_units(frame, spans)
    _explain_closing(frame, spans)
    spans.take(1, _CHECKSUM)
    spans.take(1, _END)


def _control_words(frame: Frame) -> Text | None:
    control = frame.control
    words = [_UP if frame.from_terminal else _DOWN]
    words.append(_INITIATES if frame.from_initiator else _ANSWERS)
    if control & ACCESS_DEMAND:
        words.append(_EVENTS_WAIT if frame.from_terminal else _FCB)
    if control & 0x10 and not frame.from_terminal:
        words.append(_FCV)
    number = control & FUNCTION_MASK
    unknown = Text(f"function {number}", f"功能码{number}")
    return joined([*words, _LINK_FUNCTIONS.get((frame.from_initiator, number), unknown)])


def _master_words(frame: Frame) -> Text | None:
    return Text("group address", "组地址") if frame.address.group else None


def _sequence_words(frame: Frame) -> Text | None:
    return joined([words for bit, words in _SEQ_BITS if frame.seq & bit])


def _explain_closing(frame: Frame, spans: Spans) -> None:
    spans.take(len(frame.password), _PASSWORD)
    if frame.events is not None:
        spans.take(1, _IMPORTANT, str(frame.events[0]))
        spans.take(1, _GENERAL, str(frame.events[1]))
    if frame.time_tag is not None:
        _explain_time_tag(frame.time_tag, spans)


def _explain_time_tag(tag: TimeTag, spans: Spans) -> None:
    spans.take(1, _COUNTER, str(tag.counter))
    sent = value_words(A16, A16.decode(tag.sent))
    spans.take(4, _SENT, sent, None if sent else _NO_VALUE)
    spans.take(1, _DELAY, f"{tag.delay_min} min")


def _explain_units(frame: Frame, spans: Spans) -> None:
    """Explain the data units as far as their layouts are known; the rest is one span."""
    data = frame.data
    at = 0
    try:
        while at < len(data):
            at = _explain_identified(frame, at, spans)
    except ValueError as error:
        reason = Text(str(error), "布局未知或不符")
        spans.take(DATA_START + len(data) - spans.at, _REST, None, reason)


def _explain_identified(frame: Frame, at: int, spans: Spans) -> int:
    """Explain an identification and its units; return where they end. Raises ValueError."""
    if frame.protocol != PROTOCOL_2009 or frame.afn not in FUNCTIONS:
        raise Unfit("the contents of this function or edition are not known")
    data = frame.data
    identification = data[at : at + IDENTIFICATION_SIZE]
    pairs = decode_identification(identification)
    value = IDENTIFICATION.words(identification.hex())
    spans.take(IDENTIFICATION_SIZE, _IDENTIFICATION, value, _function_words(frame, pairs))
    at += IDENTIFICATION_SIZE
    for _, fn in pairs:
        layout = layout_of(frame.afn, fn, up=frame.from_terminal)
        size = layout.read(data[at:])[1]
        unit = _Unit(data[at : at + size], spans, forwards=frame.afn == FORWARDING and fn == 1)
        unit.explain(layout)
        at += size
    return at


def _function_words(frame: Frame, pairs: tuple[tuple[int, int], ...]) -> Text | None:
    if not pairs:
        return _CLEARED
    functions = (find_function(frame.afn, fn) for fn in dict.fromkeys(fn for _, fn in pairs))
    return joined([_UNKNOWN if function is None else function.name for function in functions])


class _Unit:
    """One data unit: its layout is walked through, and each value takes its bytes."""

    def __init__(self, data: bytes, spans: Spans, *, forwards: bool) -> None:
        self._data = data
        self._spans = spans
        self._forwards = forwards

    def explain(self, layout: Layout, at: int = 0) -> int:
        """Explain the values of a layout; return where they end."""
        values: Values = {}
        for part in layout.parts:
            at = self._explain_part(part, at, values)
        return at

    def _explain_part(self, part: Part, at: int, values: Values) -> int:
        if isinstance(part, Optional):
            return self.explain(part.layout, at) if at < len(self._data) else at
        if isinstance(part, Group):
            return self._explain_group(part, at, values)
        if isinstance(part, Records):
            return self._explain_records(part, at, values)
        end = part.read(self._data, at, values)
        if isinstance(part, Series):
            self._explain_series(part, at, end, values)
        elif isinstance(part, Sized):
            self._explain_sized(part, end - at, values)
        else:
            self._take_rows(part.rows(values), end - at)
        return end

    def _explain_series(self, part: Series, at: int, end: int, values: Values) -> None:
        entries = values[part.key]
        head = end - at - len(entries) * part.layout.size
        self._take_count(part, head, len(entries))
        if part.labels:
            rows = part.rows(values)
        else:
            rows = [
                {
                    "name": f"{name_of(part.key)} {number}",
                    "name_zh": f"{part.zh}{number}",
                    "value": value_words(part.layout, entry),
                    "unit": part.unit,
                }
                for number, entry in enumerate(entries, 1)
            ]
        for row in rows:
            self._take_rows([row], part.layout.size)

    def _explain_group(self, part: Group, at: int, values: Values) -> int:
        end = part.read(self._data, at, values)
        head = part.count.read(self._data, at, values)[1] - at
        self._take_count(part, head, len(values[part.key]))
        at += head
        for _ in values[part.key]:
            at = self.explain(part.layout, at)
        return end

    def _explain_sized(self, part: Sized, size: int, values: Values) -> None:
        length = part.length.size
        name = Text(f"length of {name_of(part.key)}", f"{part.zh}长度")
        self._spans.take(length, name, str(size - length))
        if self._forwards:
            self._spans.take_inside(size - length)
        else:
            self._take_rows(part.rows(values), size - length)

    def _explain_records(self, part: Records, at: int, values: Values) -> int:
        end = part.read(self._data, at, values)
        for record in values["records"]:
            erc: int = record["erc"]
            size = self._data[at + 1]
            event = EVENT_BY_ERC.get(erc)
            self._spans.take(1, _ERC, str(erc), _UNKNOWN if event is None else event.name)
            self._spans.take(1, _EVENT_SIZE, str(size))
            raw = self._data[at + 2 : at + 2 + size]
            if event is None or "raw" in record:
                self._spans.take(size, _EVENT, None, _REST)
            else:
                _Unit(raw, self._spans, forwards=False).explain(event.layout)
            at += 2 + size
        return end

    def _take_count(self, part: Series | Group, size: int, count: int) -> None:
        name = Text(f"number of {name_of(part.key)}", f"{part.zh}个数")
        self._spans.take(size, name, str(count))

    def _take_rows(self, rows: list[Row], size: int) -> None:
        """Take the bytes that hold the values of these rows, of several if bits share a byte."""
        name = joined([Text(row["name"], row["name_zh"]) for row in rows])
        values = [f"{row['value']} {row['unit']}".rstrip() for row in rows if row["value"]]
        meanings = [Text(row["meaning"], row["meaning_zh"]) for row in rows if "meaning" in row]
        words = joined(meanings) if values else _NO_VALUE
        self._spans.take(size, name or _REST, ", ".join(values), words)
