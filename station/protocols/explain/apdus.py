"""Every byte of an APDU of DL/T 698.45 (digest, sections 4 to 12).

It is walked along the classes that read it: each of their fields takes its bytes. One that breaks
off or goes on too long is explained as far as it can be read.
"""

from typing import Any, NamedTuple

from station.protocols.dlt698.action import ActionItem, ActionThenGetItem
from station.protocols.dlt698.apdu import LATER_SERVICES, SERVICES
from station.protocols.dlt698.association import (
    CLOCK_TRUSTED,
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
from station.protocols.dlt698.axdr import (
    Choice,
    Codec,
    Maybe,
    Octets,
    Reader,
    SequenceOf,
    Wire,
    codec_of,
    layout_of,
)
from station.protocols.dlt698.dar import Dar
from station.protocols.dlt698.data import KINDS, BitString, Data, DataType
from station.protocols.dlt698.envelope import (
    ACCESS_DEMAND,
    NUMBER_MASK,
    PRIORITY,
    AttributeResult,
    RecordResult,
)
from station.protocols.dlt698.identifiers import (
    Comdcb,
    Csd,
    Oad,
    Omd,
    Road,
    ScalerUnit,
    Ti,
    Tsa,
)
from station.protocols.dlt698.moments import Date, DateTime, DateTimeS, Time
from station.protocols.dlt698.objects import argument_shape_of, method_name, name_of, shape_of
from station.protocols.dlt698.proxy import ProxyRequestTransCommand, ProxyResponseTransCommand
from station.protocols.dlt698.report import ReportNotificationTransData
from station.protocols.dlt698.security import Plain
from station.protocols.dlt698.set import SetItem, SetThenGetItem
from station.protocols.dlt698.shapes import Array, Secret, Shape
from station.protocols.dlt698.values import HIDDEN, parts_of, plain, units_of, value_of
from station.protocols.explain.object_names import FIELD_NAMES, KIND_NAMES
from station.protocols.explain.spans import Spans, joined
from station.protocols.faults import FrameError
from station.words import Text

WRAPPERS_MAX = 3  # A wrapped APDU in a wrapped APDU in a wrapped APDU: more are nobody's.

_SERVICE = Text("service", "服务类型")
_CHOICE = Text("kind of service", "服务数据类型")
_REST = Text("not decoded", "未解析")
_ROWS = Text("number of records", "记录数")
_ANSWER_KIND = Text("kind of result", "结果类型")
_ABSENT = Text("absent", "无")
_PRESENT = Text("present", "有")
_NO_VALUE = Text("no value", "无值")
_PRIORITY = Text("high priority", "高优先级")
_EVENTS_WAIT = Text("events wait (ACD)", "请求访问ACD")
_TRUSTED = Text("its clock is trusted", "时钟可信")
_LISTS = {
    DataType.ARRAY: Text("elements in an array", "数组元素个数"),
    DataType.STRUCTURE: Text("elements in a structure", "结构元素个数"),
}

_CLASSES = {
    apdu_class.TAG: (apdu_class, service.text, choice)
    for service in SERVICES
    for choice, apdu_class in service.choices.items()
}

# Fields whose bytes are a frame for or from a meter.
_FRAMES_INSIDE = {
    (ProxyRequestTransCommand, "command"),
    (ProxyResponseTransCommand, "reply"),
    (ReportNotificationTransData, "blocks"),
}

# Fields whose numbers have a meaning.
_MEANINGS = {
    (LinkRequest, "kind"): LINK_KINDS,
    (ConnectResponse, "result"): CONNECT_RESULTS,
    (ClientError, "kind"): ERROR_KINDS,
    (ServerError, "kind"): ERROR_KINDS,
}

# Fields that hold the value of the object named before them, or the parameter of the method.
_VALUES = {(AttributeResult, "result"), (SetItem, "data"), (SetThenGetItem, "data")}
_PARAMETERS = {(ActionItem, "parameter"), (ActionThenGetItem, "parameter")}

_INDEX_MAX = 0xFF  # Of an OAD.

_UNITS = {"_s": "s", "_ms": "ms"}  # By the end of a field's name.


class Place(NamedTuple):
    """Where a value stands: the class and the field that it belongs to, and its name."""

    wire: type
    field: str
    name: Text


def explain_apdu(raw: bytes, spans: Spans, wrappers: int = 0) -> None:
    """Explain each byte of an APDU that lies in so many others."""
    _Apdu(raw, spans, wrappers).explain()


class _Apdu:
    """One APDU: a reader goes ahead, and what it has read is explained."""

    def __init__(self, raw: bytes, spans: Spans, wrappers: int) -> None:
        self._reader = Reader(raw)
        self._spans = spans
        self._wrappers = wrappers
        self._explained = 0
        self._oad: Oad | None = None  # The last object or method that was named.
        self._omd: Omd | None = None

    def explain(self) -> None:
        """Explain all bytes, those that cannot be read as one span at the end."""
        raw = self._reader.raw
        found = _CLASSES.get(raw[:2]) or _CLASSES.get(raw[:1])
        if found is None:
            tag = raw[0] if raw else 0
            self._spans.take(len(raw), _REST, None, LATER_SERVICES.get(tag))
            return
        apdu_class, service, choice = found
        self._reader.at = 1
        self._take(_SERVICE, raw[:1].hex().upper(), service)
        if len(apdu_class.TAG) > 1:
            self._reader.at = 2
            self._take(_CHOICE, str(raw[1]), Text(choice, choice))
        try:
            self._explain_fields(apdu_class)
            self._reader.finish()
        except FrameError as error:
            left = len(raw) - self._explained
            self._spans.take(left, _REST, None, Text(error.reason, "无法解析"))

    def _take(self, name: Text, value: str | None = None, words: Text | None = None) -> None:
        """Explain what has been read since the last time."""
        self._spans.take(self._reader.at - self._explained, name, value, words)
        self._explained = self._reader.at

    def _explain_fields(self, wire: Any) -> None:
        for field, codec in layout_of(wire):
            name = FIELD_NAMES.get(field, Text(field, field))
            self._explain_value(codec, Place(wire, field, name))

    def _explain_value(self, codec: Codec, place: Place) -> None:
        if codec is Data:
            self._explain_data(place)
        elif codec is RecordResult:
            self._explain_record()
        elif isinstance(codec, SequenceOf):
            self._explain_sequence(codec, place)
        elif isinstance(codec, Maybe):
            self._explain_optional(codec, place)
        elif isinstance(codec, Choice):
            self._explain_choice(codec, place)
        elif _is_divided(codec):
            self._explain_fields(codec)
        elif isinstance(codec, Octets) and (place.wire, place.field) in _FRAMES_INSIDE:
            self._explain_frame_inside(place.name)
        elif (place.wire, place.field) == (Plain, "apdu"):
            self._explain_apdu_inside(place.name)
        else:
            self._explain_single(codec, place)

    def _explain_sequence(self, codec: SequenceOf, place: Place) -> None:
        count = self._reader.count()
        name = place.name
        self._take(Text(f"number of: {name.en}", f"{name.zh}个数"), str(count))
        for number in range(1, count + 1):
            numbered = Text(f"{name.en} {number}", f"{name.zh}{number}")
            self._explain_value(codec.item, place._replace(name=numbered))

    def _explain_optional(self, codec: Maybe, place: Place) -> None:
        present = self._reader.byte()
        if present > 1:
            raise FrameError(f"OPTIONAL byte {present:02X}H", self._reader.at - 1)
        self._take(place.name, str(present), _PRESENT if present else _ABSENT)
        if present:
            self._explain_value(codec.item, place)

    def _explain_choice(self, codec: Choice, place: Place) -> None:
        number = self._reader.byte()
        kind = codec.kinds.get(number)
        if kind is None:
            raise FrameError(f"choice {number} of {codec.name} is unknown", self._reader.at - 1)
        name = Text(f"{place.name.en}: kind", f"{place.name.zh}类型")
        self._take(name, str(number), KIND_NAMES.get(kind.__name__))
        self._explain_value(codec_of(kind), place)

    def _explain_frame_inside(self, name: Text) -> None:
        size = self._explain_length(name)
        self._reader.take(size)
        self._spans.take_inside(size)
        self._explained = self._reader.at

    def _explain_apdu_inside(self, name: Text) -> None:
        size = self._explain_length(name)
        apdu = self._reader.take(size)
        if self._wrappers == WRAPPERS_MAX:
            self._take(name, apdu.hex(" ").upper())
            return
        explain_apdu(apdu, self._spans, self._wrappers + 1)
        self._explained = self._reader.at

    def _explain_length(self, name: Text) -> int:
        size = self._reader.length()
        self._take(Text(f"length of: {name.en}", f"{name.zh}长度"), str(size))
        return size

    def _explain_single(self, codec: Codec, place: Place) -> None:
        value = codec.read(self._reader)
        if isinstance(value, Oad):
            self._oad, self._omd = value, None
        elif isinstance(value, Omd):
            self._oad, self._omd = None, value
        text = _flat(plain(value))
        if (place.wire, place.field) == (PasswordAccess, "password"):
            text = HIDDEN
        elif isinstance(value, Dar):
            text = str(value.code)
        ending = place.field[place.field.rfind("_") :]
        text = f"{text} {_UNITS.get(ending, '')}".rstrip()
        self._take(place.name, text, _words_of(value, place))

    def _explain_data(self, place: Place) -> None:
        """Explain a `Data`: it is read whole, then gone through again."""
        start = self._reader.at
        data = Data.read(self._reader)
        self._reader.at = start
        key = (place.wire, place.field)
        name, shape = place.name, None
        if key in _VALUES and self._oad is not None:
            name, shape = name_of(self._oad), shape_of(self._oad)
        elif key in _PARAMETERS and self._omd is not None:
            shape = argument_shape_of(self._omd)
        self._go_through(data, shape, name, self._oad if key in _VALUES else None)

    def _go_through(self, data: Data, shape: Shape | None, name: Text, oad: Oad | None) -> None:
        """Explain a value that is known; `oad` gives the elements of its array their names."""
        reader = self._reader
        reader.byte()
        words: Text | None = Text(*[data.type.name.lower().replace("_", "-")] * 2)
        if data.type in _LISTS and not isinstance(shape, Secret):
            self._take(name, str(reader.count()), _LISTS[data.type])
            for number, (item, part) in enumerate(parts_of(data, shape), 1):
                self._go_through(item, part, _element_name(name, number, shape, oad), None)
            return
        codec_of(KINDS[data.type]).read(reader)
        unit = "".join(units_of(data, shape))
        text = _flat(value_of(data, shape))
        if data.type is DataType.OAD:
            words = name_of(data.value)
        elif not text:
            words = _NO_VALUE
        self._take(name, f"{text} {unit}".rstrip(), words)

    def _explain_record(self) -> None:
        """Explain an A-ResultRecord: it is read whole, then gone through again."""
        start = self._reader.at
        record = RecordResult.read(self._reader)
        self._reader.at = start
        self._explain_single(codec_of(Oad), _place("oad"))
        columns = SequenceOf(codec_of(Csd))
        self._explain_sequence(columns, _place("columns"))
        kind = self._reader.byte()
        name = KIND_NAMES["Dar" if isinstance(record.rows, Dar) else "Data"]
        self._take(_ANSWER_KIND, str(kind), name)
        if isinstance(record.rows, Dar):
            self._explain_single(codec_of(Dar), _place("dar"))
            return
        self._take(_ROWS, str(self._reader.count()))
        for number, row in enumerate(record.rows, 1):
            for column, data in zip(record.columns, row, strict=True):
                self._explain_cell(column, data, number)

    def _explain_cell(self, column: Oad | Road, data: Data, row: int) -> None:
        """Explain the value of a column; that of a store holds one for each of its columns."""
        oad = column if isinstance(column, Oad) else column.oad
        name = _in_row(name_of(oad), row)
        kept = column.columns if isinstance(column, Road) and data.type in _LISTS else ()
        if not kept or len(data.value) != len(kept):
            self._go_through(data, shape_of(oad), name, oad)
            return
        self._reader.byte()
        self._take(name, str(self._reader.count()), _LISTS[data.type])
        for one, part in zip(kept, data.value, strict=True):
            self._go_through(part, shape_of(one), _in_row(name_of(one), row), one)


def _is_divided(codec: Any) -> bool:
    """Tell whether a value is explained field by field, and not as one."""
    return isinstance(codec, type) and issubclass(codec, Wire) and codec not in _WHOLE


_WHOLE = frozenset(
    (BitString, Comdcb, Dar, Date, DateTime, DateTimeS, Oad, Omd, ScalerUnit, Ti, Time, Tsa)
)


def _place(field: str) -> Place:
    """Return the place of a part of an A-ResultRecord, which reads itself."""
    return Place(RecordResult, field, FIELD_NAMES[field])


def _flat(value: Any) -> str:
    """Return what JSON would hold in one line of text."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(map(_flat, value))
    if isinstance(value, dict):
        return ", ".join(f"{key} {_flat(part)}" for key, part in value.items())
    return str(value)


def _words_of(value: Any, place: Place) -> Text | None:
    if isinstance(value, Oad):
        return name_of(value)
    if isinstance(value, Omd):
        return method_name(value)
    if isinstance(value, Dar):
        return value.words
    if place.field == "piid":
        return _piid_words(value)
    if (place.wire, place.field) == (LinkResponse, "result"):
        return _link_result_words(value)
    meanings = _MEANINGS.get((place.wire, place.field))
    return meanings.get(value) if meanings else None


def _piid_words(piid: int) -> Text | None:
    number = piid & NUMBER_MASK
    words = [Text(f"number {number}", f"服务序号{number}")]
    words += [_PRIORITY] if piid & PRIORITY else []
    words += [_EVENTS_WAIT] if piid & ACCESS_DEMAND else []
    return joined(words)


def _link_result_words(result: int) -> Text | None:
    words = LINK_RESULTS.get(result & LINK_RESULT_MASK)
    return joined(([words] if words else []) + ([_TRUSTED] if result & CLOCK_TRUSTED else []))


def _element_name(name: Text, number: int, shape: Shape | None, oad: Oad | None) -> Text:
    """Return what an element is called: as the object names it, or by its number."""
    if oad is not None and not oad.index and isinstance(shape, Array) and number <= _INDEX_MAX:
        return name_of(Oad(oad.code + number))
    return Text(f"{name.en}, {number}", f"{name.zh} {number}")


def _in_row(name: Text, row: int) -> Text:
    return Text(f"{name.en}, record {row}", f"{name.zh}，记录{row}")
