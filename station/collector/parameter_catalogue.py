"""Which parameters terminals of Q/GDW 1376.1 have: codes, names, fields, help and source. Pure.

A parameter is "F3"; with a number behind the point it is that of a measuring point ("F25.1"), of a
report task ("F65.1"), or one entry of a list: a meter of the archive ("F10.1", by its index), a
port ("F33.2").
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from station.collector.parameter_texts import ParameterSpec, fields_of
from station.errors import InvalidValue
from station.protocols.qgdw1376.layout import Layout
from station.protocols.qgdw1376.lists import Group
from station.protocols.qgdw1376.parameters import PARAMETERS
from station.protocols.qgdw1376.units import POINT_MAX
from station.words import Text

QGDW1376 = "qgdw1376"

TASKS_MAX = 64  # pn of F65 to F68 (digest qgdw1376_1.md, section 9).
PORTS_MAX = 31

Numbered = Literal["", "point", "task", "entry"]


@dataclass(frozen=True, slots=True)
class TerminalRow:
    """One Fn of AFN04 that is set from here.

    `entries` is the group whose entries are parameters of their own, `index` their number's field.
    `defaults` are values of fields that nobody wants and that no device has told; `secret` is a
    field that is never shown or kept: the device keeps what it has there.
    """

    fn: int
    help: Text
    numbered: Numbered = ""
    most: int = 0
    entries: str = ""
    index: str = ""
    defaults: Mapping[str, str] = field(default_factory=dict)
    secret: str = ""


METER_DEFAULTS = {
    "tariffs": "4",
    "decimals_less_1": "1",
    "integer_digits_less_4": "2",
    "collector": "0" * 12,
    "small_class": "0",
    "big_class": "0",
}

TERMINAL_ROWS = (
    TerminalRow(
        1,
        Text(
            "How long the terminal waits for this station, how often it repeats, and how often it"
            " says that it is there. A heartbeat of 1 to 5 minutes keeps mobile links open.",
            "终端等待主站应答的时间、重发次数和心跳周期。心跳1至5分钟可保持无线链路。",
        ),
    ),
    TerminalRow(
        3,
        Text(
            "Where the terminal dials in to: this station's address and port, a spare one, and the"
            " access point of the mobile network. A mistake here cuts the terminal off.",
            "终端登录的主站地址、端口、备用地址和APN。填错会使终端失联。",
        ),
    ),
    TerminalRow(
        4,
        Text(
            "Numbers for calls and short messages of terminals with a telephone modem.",
            "拨号或短信终端使用的主站电话号码和短信中心号码。",
        ),
    ),
    TerminalRow(
        8,
        Text(
            "TCP or UDP, client or server, and when the terminal stays on line. A mistake here cuts"
            " the terminal off.",
            "TCP或UDP、客户机或服务器模式以及在线时段。填错会使终端失联。",
        ),
    ),
    TerminalRow(
        9,
        Text(
            "Which events the terminal records, and which of them it reports at once. The numbers"
            " are those of the ERC.",
            "终端记录哪些事件、哪些作为重要事件主动上报。数字为ERC号。",
        ),
    ),
    TerminalRow(
        10,
        Text(
            "A meter in the terminal's own list, under its index. What is wanted follows the"
            " archive: point, port, speed, protocol, address and tariffs.",
            "终端内电能表档案中的一条。期望值取自主站档案：测量点、端口、速率、规约、地址和费率数。",
        ),
        "entry",
        POINT_MAX,
        "meters",
        "index",
        METER_DEFAULTS,
        "password",
    ),
    TerminalRow(
        25,
        Text(
            "Ratios, rated values and wiring of a measuring point.",
            "测量点的互感器倍率、额定值和接线方式。",
        ),
        "point",
        POINT_MAX,
    ),
    TerminalRow(
        26,
        Text(
            "The limits by which the terminal judges voltage, current and power of a point.",
            "终端判断测量点电压、电流、功率越限的限值。",
        ),
        "point",
        POINT_MAX,
    ),
    TerminalRow(
        33,
        Text(
            "When and how often the terminal reads the meters on a port, and whether it sends them"
            " the time.",
            "终端在该端口抄表的时间、间隔以及是否广播校时。",
        ),
        "entry",
        PORTS_MAX,
        "ports",
        "port",
    ),
    TerminalRow(
        36,
        Text(
            "So many bytes a month may go up; 0 is no limit.",
            "终端每月上行通信流量门限（字节），0为不限。",
        ),
    ),
    *(
        TerminalRow(fn, Text(english, chinese), "task", TASKS_MAX)
        for fn, english, chinese in (
            (65, "Data of class 1 that the terminal reports.", "终端定时上报的1类数据。"),
            (66, "Data of class 2 that the terminal reports.", "终端定时上报的2类数据。"),
            (67, "Starts or stops a task of F65.", "启动或停止F65定义的任务。"),
            (68, "Starts or stops a task of F66.", "启动或停止F66定义的任务。"),
        )
    ),
)

_ROWS = {row.fn: row for row in TERMINAL_ROWS}
_PARAMETERS = {row.fn: row for row in PARAMETERS}

# Shown for every terminal; of the numbered ones those that are in use or were added.
TERMINAL_MAIN = tuple(f"F{row.fn}" for row in TERMINAL_ROWS if not row.numbered)


@dataclass(frozen=True, slots=True)
class TerminalCode:
    """A terminal's parameter taken apart: its row, its number (0: none), and its layout."""

    row: TerminalRow
    number: int
    layout: Layout

    @property
    def pn(self) -> int:
        """Return the pn of its data unit."""
        return self.number if self.row.numbered in ("point", "task") else 0


def terminal_code(code: str) -> TerminalCode:
    """Return a terminal's parameter taken apart. Raises InvalidValue for one that is not here."""
    head, _, tail = code.partition(".")
    row = _ROWS.get(int(head[1:])) if head[:1] == "F" and _is_number(head[1:]) else None
    if row is None or (bool(tail) != bool(row.numbered)) or (tail and not _is_number(tail)):
        raise InvalidValue("code", f"there is no parameter {code!r}")
    number = int(tail or 0)
    if row.numbered and not 1 <= number <= row.most:
        raise InvalidValue("code", f"{number} is not in 1..{row.most}")
    layout = _PARAMETERS[row.fn].layout
    assert layout is not None, f"F{row.fn} has no layout"
    if row.entries:
        group = next(part for part in layout.parts if getattr(part, "key", "") == row.entries)
        assert isinstance(group, Group), f"{row.entries} is no group"
        layout = group.layout
    return TerminalCode(row, number, layout)


def terminal_spec(code: str) -> ParameterSpec:
    """Return what is known of a terminal's parameter. Raises InvalidValue."""
    found = terminal_code(code)
    name = _PARAMETERS[found.row.fn].name
    english = name.en[0].upper() + name.en[1:]
    label = Text(english, name.zh)
    if found.number:
        label = Text(f"{english}, {found.number}", f"{name.zh}（{found.number}）")
    hidden = (found.row.index, found.row.secret)
    fields = tuple(each for each in fields_of(found.layout) if each.key not in hidden)
    source = f"Q/GDW 1376.1, AFN04 F{found.row.fn}"
    return ParameterSpec(code, label, fields, found.row.help, source)


def _is_number(text: str) -> bool:
    return text.isdecimal() and text.isascii() and len(text) <= len(str(POINT_MAX))
