"""Which parameters devices have: their codes, names, fields, help and source. Pure.

A terminal's parameter is "F3"; with a number behind the point it is that of a measuring point
("F25.1"), of a report task ("F65.1"), or one entry of a list: a meter of the archive ("F10.1", by
its index), a port ("F33.2"). A meter's is its data identifier ("04001001"). Passwords and the
address are no values to compare; see `parameter_deeds`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from station.collector.parameter_texts import FieldSpec, fields_of
from station.errors import InvalidValue
from station.protocols.dlt645 import Version, items
from station.protocols.qgdw1376.layout import Layout
from station.protocols.qgdw1376.lists import Group
from station.protocols.qgdw1376.parameters import PARAMETERS
from station.protocols.qgdw1376.units import POINT_MAX
from station.words import Text

QGDW1376 = "qgdw1376"
VALUE = "value"  # The only field of a meter's parameter.

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
class ParameterSpec:
    """One parameter: `source` is the clause that defines it."""

    code: str
    name: Text
    fields: tuple[FieldSpec, ...]
    help: Text
    source: str


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


# Meters of DL/T 645-2007: identifiers that may be set, the ones shown for every meter first.

_NO_HELP = Text("", "")
_BLOCK = Text(", block", "数据块")  # Tables of entries are read and written whole.
_METER_HELP = {
    "04000103": Text("Minutes over which demand is averaged.", "需量积算的周期。"),
    "04000204": Text("How many tariffs the meter counts by.", "电能表计量的费率数。"),
    "04000106": Text(
        "When the second set of year zones takes over.", "切换到第二套时区表的时间。"
    ),
    "04000108": Text("When the spare prices take over.", "切换到备用套费率电价的时间。"),
    "04001001": Text(
        "Below this remaining amount the meter warns for the first time.",
        "剩余金额低于此值时第一次报警。",
    ),
    "04001002": Text(
        "Below this remaining amount the meter warns for the second time, mostly by a trip that a"
        " card takes back.",
        "剩余金额低于此值时第二次报警，通常跳闸，插卡恢复。",
    ),
    "04001003": Text("How far the account may go below zero.", "允许透支的金额。"),
    "04001004": Text("The most that may be on the meter.", "表内允许的最大剩余金额。"),
    "04010000": Text(
        "The seasons: the day on which each begins and its slot table, parted by commas.",
        "各时区起始日期及日时段表号，逗号分隔。",
    ),
    "04010001": Text(
        "A day's slots: the time at which each begins and its tariff, parted by commas.",
        "日时段表：各时段起始时间及费率号，逗号分隔。",
    ),
}  # fmt: skip
METER_MAIN = (
    "04000103", "04000201", "04000202", "04000203", "04000204", "04010000", "04010001",
    "04000106", "04000108", "04001001", "04001002", "04001003", "04001004",
)  # fmt: skip
METER_MORE = (
    "04000104", "04000107", "04000109", "04000205", "04000207", "04000301", "04000302",
    "04000305", "04000306", "04000307", "04000801", "04000802", "04000901", "04000A01",
    *(f"04000A{place:02X}" for place in range(2, 8)),
    "04000B01", "04000B02", "04000B03", "04000E01", "04000E02", "04000E03", "04000E04",
    "04000F01", "04000F02", "04000F03", "04000F04", "04001005",
    *(f"040100{table:02X}" for table in range(2, 9)),
    "04020000", *(f"040200{table:02X}" for table in range(1, 9)),
    *(f"040501{tariff:02X}" for tariff in range(1, 5)),
    *(f"040502{tariff:02X}" for tariff in range(1, 5)),
)  # fmt: skip
_METER_CODES = frozenset((*METER_MAIN, *METER_MORE))
assert len(_METER_CODES) == len(METER_MAIN) + len(METER_MORE), "a parameter stands twice"


def meter_spec(code: str) -> ParameterSpec:
    """Return what is known of a meter's parameter. Raises InvalidValue."""
    if code not in _METER_CODES:
        raise InvalidValue("code", f"there is no parameter {code!r}")
    found = items.find(Version.V2007, int(code, 16))
    name = Text(found[0].name.en.removesuffix(_BLOCK.en), found[0].name.zh.removesuffix(_BLOCK.zh))
    layout = found[0].layout
    unit = layout.fields[0].unit if layout is not None else ""
    value = FieldSpec(VALUE, Text("Value", "数值"), unit, example=_METER_EXAMPLES.get(code, ""))
    source = f"DL/T 645-2007, {code[:2]} {code[2:4]} {code[4:6]} {code[6:]}"
    return ParameterSpec(code, name, (value,), _METER_HELP.get(code, _NO_HELP), source)


_ZONES, _SLOTS, _SWITCH = "01-01 01, 07-01 02", "00:00 03, 06:00 02, 22:00 04", "2026-01-31T00:00"
_METER_EXAMPLES = {
    "04010000": _ZONES,
    "04020000": _ZONES,
    **{f"0401{table:04X}": _SLOTS for table in range(1, 9)},
    **{f"0402{table:04X}": _SLOTS for table in range(1, 9)},
    **{f"0400010{place}": _SWITCH for place in range(6, 10)},
    **{f"04000B0{day}": "01 00" for day in range(1, 4)},
    "04000A01": "01-01 00:00",
}
assert set(_METER_EXAMPLES) <= _METER_CODES, "an example of no parameter"


def spec_of(kind: str, code: str) -> ParameterSpec:
    """Return what is known of a parameter of a kind of device. Raises InvalidValue."""
    return terminal_spec(code) if kind == "terminal" else meter_spec(code)


def _is_number(text: str) -> bool:
    return text.isdecimal() and text.isascii() and len(text) <= len(str(POINT_MAX))
