"""Every function of every AFN, and a frame's data as units with values.

The lists themselves stand in `services`, `parameters`, `controls`, `class1`, `class2` and `events`.
An Fn that is in none of them, or has no layout, ends the reading of a frame: where its unit stops
is not known, so the rest of the data stays raw.
"""

from collections.abc import Mapping
from typing import Any

from station.protocols.qgdw1376 import class1, class2, controls, events, services
from station.protocols.qgdw1376.fragments import Function
from station.protocols.qgdw1376.frame import (
    AUTHENTICATION,
    CASCADE,
    CLASS_1,
    CLASS_2,
    CLASS_3,
    CONFIGURATION,
    CONFIRMATION,
    CONTROL,
    FILE_TRANSFER,
    FORWARDING,
    LINK_TEST,
    PROTOCOL_2009,
    QUERY_PARAMETERS,
    RELAY_STATION,
    RESET,
    SET_PARAMETERS,
    TASK_DATA,
    Frame,
)
from station.protocols.qgdw1376.layout import EMPTY, Layout, Unfit, Values
from station.protocols.qgdw1376.parameters import PARAMETERS
from station.protocols.qgdw1376.units import DataUnit, Split, split
from station.words import Text

AFN_NAMES = {
    CONFIRMATION: Text("confirm or deny", "确认/否认"),
    RESET: Text("reset", "复位"),
    LINK_TEST: Text("link test", "链路接口检测"),
    RELAY_STATION: Text("relay station command", "中继站命令"),
    SET_PARAMETERS: Text("set parameters", "设置参数"),
    CONTROL: Text("control", "控制命令"),
    AUTHENTICATION: Text("authentication and keys", "身份认证及密钥协商"),
    CASCADE: Text("ask cascaded terminals to report", "请求被级联终端主动上报"),
    CONFIGURATION: Text("terminal configuration", "终端配置及信息"),
    QUERY_PARAMETERS: Text("query parameters", "查询参数"),
    TASK_DATA: Text("task data", "任务数据"),
    CLASS_1: Text("class 1 data", "1类数据（实时）"),
    CLASS_2: Text("class 2 data", "2类数据（历史）"),
    CLASS_3: Text("class 3 data", "3类数据（事件）"),
    FILE_TRANSFER: Text("file transfer", "文件传输"),
    FORWARDING: Text("data forwarding", "数据转发"),
}

FUNCTIONS: dict[int, tuple[Function, ...]] = {
    CONFIRMATION: services.CONFIRMATIONS,
    RESET: services.RESETS,
    LINK_TEST: services.LINK_TESTS,
    SET_PARAMETERS: tuple(
        Function(row.fn, row.name, down=row.layout, up=EMPTY) for row in PARAMETERS
    ),
    CONTROL: controls.FUNCTIONS,
    CONFIGURATION: services.CONFIGURATIONS,
    QUERY_PARAMETERS: tuple(
        Function(row.fn, row.name, down=row.query, up=row.layout) for row in PARAMETERS
    ),
    TASK_DATA: services.TASK_REQUESTS,
    CLASS_1: class1.FUNCTIONS,
    CLASS_2: class2.FUNCTIONS,
    CLASS_3: events.FUNCTIONS,
    FILE_TRANSFER: services.FILE_TRANSFERS,
    FORWARDING: services.FORWARDINGS,
}

# A request for any Fn of these is its identification alone; what differs stands in a row.
ASKED_WITHOUT_DATA = frozenset((CLASS_1, QUERY_PARAMETERS))

_BY_NUMBER = {(afn, row.fn): row for afn, rows in FUNCTIONS.items() for row in rows}
assert len(_BY_NUMBER) == sum(map(len, FUNCTIONS.values())), "an Fn stands twice"


def find_function(afn: int, fn: int) -> Function | None:
    """Return the row of a function, or None if the digest does not list it."""
    return _BY_NUMBER.get((afn, fn))


def layout_of(afn: int, fn: int, *, up: bool) -> Layout:
    """Return the layout of a data unit. Raises Unfit if it is not known."""
    function = find_function(afn, fn)
    if function is None and not up and afn in ASKED_WITHOUT_DATA:
        return EMPTY
    layout = None if function is None else function.up if up else function.down
    if layout is None:
        raise Unfit(f"the layout of AFN{afn:02X} F{fn} is not known")
    return layout


def units_of(frame: Frame) -> Split:
    """Return the data units of a frame, as far as the layouts are known."""
    if frame.protocol != PROTOCOL_2009:
        return Split((), rest=frame.data, reason="the contents of Q/GDW 130-2005 are not known")
    if frame.afn not in FUNCTIONS:
        reason = f"the contents of AFN{frame.afn:02X} are not known"
        return Split((), rest=frame.data, reason=reason)

    def measure(fn: int, data: bytes) -> int:
        return layout_of(frame.afn, fn, up=frame.from_terminal).read(data)[1]

    return split(frame.data, measure)


def values_of(frame: Frame, unit: DataUnit) -> Values:
    """Return the values of a unit that `units_of` found in a frame."""
    return layout_of(frame.afn, unit.fn, up=frame.from_terminal).decode(unit.data)


def make_unit(
    afn: int, pn: int, fn: int, values: Mapping[str, Any] | None = None, *, up: bool = False
) -> DataUnit:
    """Return a data unit that holds these values. Raises ValueError, naming what does not fit."""
    return DataUnit(pn, fn, layout_of(afn, fn, up=up).encode(values or {}))
