"""AFN0E, class 3 data: event records (digest, section 14).

Up: EC1, EC2, Pm, Pn, then as many records as lie from Pm up to Pn, each {ERC, Le, Le bytes}. A
record of an ERC that is not in the table, or whose bytes do not fit its row, keeps its bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from station.protocols.qgdw1376.formats import (
    A2,
    A3,
    A5,
    A7,
    A11,
    A12,
    A14,
    A15,
    A22,
    A23,
    A25,
    BS8,
    BS16,
    BS24,
    U8,
    U32,
    Characters,
    Octets,
)
from station.protocols.qgdw1376.fragments import EVENT_POINT, Function, phases
from station.protocols.qgdw1376.layout import (
    Bit,
    Field,
    Layout,
    Packed,
    Part,
    Row,
    Unfit,
    Values,
    take,
)
from station.protocols.qgdw1376.lists import TO_END, Group, Series, counted, fixed
from station.protocols.qgdw1376.units import IDENTIFICATION
from station.words import Text

POINTERS = 256  # Pm and Pn run in a ring.
RECORD_HEAD_SIZE = 2


@dataclass(frozen=True, slots=True)
class Event:
    """One ERC; the layout is that of the Le bytes."""

    erc: int
    name: Text
    layout: Layout


_TIME = Field("time", "发生时间", A15)
_FLAGS = Field("flags", "标志", BS8)
_GROUP = Field("group", "总加组号", U8)
_ROUNDS = Field("rounds", "轮次", BS8)
_KIND = Field("kind", "类别", BS8)
_VOLTAGES = phases("voltage", "发生时电压", A7, "V")
_CURRENTS = phases("current", "发生时电流", A25, "A")
_ENERGY = Field("energy", "发生时正向有功总电能示值", A14, "kWh")
_CIRCUIT = Packed(1, Bit("phases", "发生异常的相位", 0, 3), Bit("kind", "异常标志", 6, 2))
_LIMIT_KINDS = {1: Text("upper upper", "越上上限"), 2: Text("lower lower", "越下下限")}
_VOLTAGE_LIMIT = Packed(
    1,
    Bit("phases", "越限的相位", 0, 3),
    Bit("kind", "越限标志", 6, 2, meanings=_LIMIT_KINDS),
)
_METER_FAULTS = Packed(
    1,
    Bit("programming_or_demand_count", "编程次数或最大需量清零次数发生变化", 0),
    Bit("phase_loss_count", "断相次数增加", 1),
    Bit("voltage_loss_count", "失压次数增加", 2),
    Bit("outage_count", "停电次数增加", 3),
    Bit("battery_low", "电池欠压", 4),
)
_TERMINAL_FAULTS = {
    1: Text("memory", "主板内存故障"),
    2: Text("clock", "时钟故障"),
    3: Text("board link", "主板通信故障"),
    4: Text("RS-485", "485抄表故障"),
    5: Text("display", "显示板故障"),
    6: Text("carrier", "载波通道异常"),
}
_PURCHASES = {0x55: Text("add", "追加"), 0xAA: Text("replace", "刷新")}


def _event(erc: int, en: str, zh: str, *content: Part) -> Event:
    return Event(erc, Text(en, zh), Layout(_TIME, *content))


EVENTS = (
    _event(
        1,
        "initialised or version changed",
        "数据初始化和版本变更记录",
        _FLAGS,
        Field("old_version", "变更前软件版本号", Characters(4)),
        Field("new_version", "变更后软件版本号", Characters(4)),
    ),
    _event(2, "parameters lost", "参数丢失记录", _FLAGS),
    _event(
        3,
        "parameters changed",
        "参数变更记录",
        Field("master", "启动站地址", U8),
        Series("parameters", "变更参数数据单元标识", IDENTIFICATION, TO_END),
    ),
    _event(
        4,
        "status input changed",
        "状态量变位记录",
        Field("changed", "状态变位", BS8),
        Field("state", "变位后状态", BS8),
    ),
    _event(
        5,
        "remote trip",
        "遥控跳闸记录",
        _ROUNDS,
        Field("power", "跳闸时功率", A2),
        Field("power_after", "跳闸后2分钟的功率", A2),
    ),
    _event(
        6,
        "power control trip",
        "功控跳闸记录",
        _GROUP,
        _ROUNDS,
        _KIND,
        Series("powers", "功率", A2, fixed(3)),
    ),
    _event(
        7,
        "energy control trip",
        "电控跳闸记录",
        _GROUP,
        _ROUNDS,
        _KIND,
        Series("energies", "电能量", A3, fixed(2)),
    ),
    _event(8, "meter parameters changed", "电能表参数变更", EVENT_POINT, _FLAGS),
    _event(
        9,
        "current circuit fault",
        "电流回路异常",
        EVENT_POINT,
        _CIRCUIT,
        _VOLTAGES,
        _CURRENTS,
        _ENERGY,
    ),
    _event(
        10,
        "voltage circuit fault",
        "电压回路异常",
        EVENT_POINT,
        _CIRCUIT,
        _VOLTAGES,
        _CURRENTS,
        _ENERGY,
    ),
    _event(
        11,
        "phase order",
        "相序异常",
        EVENT_POINT,
        phases("voltage_angle", "电压相位角", A5, "°"),
        phases("current_angle", "电流相位角", A5, "°"),
        _ENERGY,
    ),
    _event(12, "meter clock off", "电能表时间超差", EVENT_POINT),
    _event(13, "meter fault", "电表故障信息", EVENT_POINT, _METER_FAULTS),
    Event(
        14,
        Text("terminal outage", "终端停/上电事件"),
        Layout(Field("off", "停电时间", A15), Field("on", "上电时间", A15)),
    ),
    _event(
        15,
        "harmonics over the limit",
        "谐波越限告警",
        EVENT_POINT,
        _FLAGS,
        Field("harmonics", "越限谐波次数", BS24),
        Series("values", "谐波含有率/有效值", Octets(2), fixed(19)),
    ),
    _event(
        16,
        "DC analogue over the limit",
        "直流模拟量越限记录",
        Field("port", "直流模拟量端口号", U8),
        _FLAGS,
        Field("value", "越限时直流模拟量数据", A2),
    ),
    _event(
        17,
        "imbalance",
        "电压/电流不平衡度越限记录",
        EVENT_POINT,
        _FLAGS,
        Field("voltage_imbalance", "电压不平衡度", A5, "%"),
        Field("current_imbalance", "电流不平衡度", A5, "%"),
        _VOLTAGES,
        _CURRENTS,
    ),
    _event(
        18,
        "capacitor locked",
        "电容器投切自锁记录",
        EVENT_POINT,
        _FLAGS,
        Field("groups", "电容器组标志", BS16),
        Field("power_factor", "越限发生时功率因数", A5, "%"),
        # The digest has A.23 in 2 bytes, which A.23 does not have: not settled.
        Field("reactive_power", "越限发生时无功功率", Octets(2)),
        Field("voltage", "越限发生时电压", A7, "V"),
    ),
    _event(
        19,
        "purchase set",
        "购电参数设置记录",
        _GROUP,
        Field("number", "购电单号", U32),
        Field("kind", "追加/刷新标志", U8, meanings=_PURCHASES),
        Series("values", "购电量值、报警门限、跳闸门限、购电前后剩余电量（费）", A3, fixed(5)),
    ),
    _event(
        20,
        "message authentication failed",
        "消息认证错误记录",
        Field("password", "消息认证码PW", Octets(16)),
        Field("master", "启动站地址", U8),
    ),
    _event(
        21,
        "terminal fault",
        "终端故障记录",
        Field("fault", "终端故障编码", U8, meanings=_TERMINAL_FAULTS),
    ),
    _event(
        22,
        "differential energy over the limit",
        "有功总电能量差动越限事件记录",
        Field("group", "差动组号", U8),
        Field("compared", "对比总加组有功总电能量", A3),
        Field("reference", "参照总加组有功总电能量", A3),
        Field("relative_deviation", "差动越限相对偏差值", U8),
        Field("absolute_deviation", "差动越限绝对偏差值", A3),
        Series("compared_registers", "对比总加组测量点示值", A14, counted(U8), "kWh"),
        Series("reference_registers", "参照总加组测量点示值", A14, counted(U8), "kWh"),
    ),
    _event(
        23,
        "control warning",
        "电控告警事件记录",
        _GROUP,
        _ROUNDS,
        _KIND,
        Field("energy", "告警时电能量", A3),
        Field("limit", "告警时电控定值", A3),
    ),
    _event(24, "voltage over the limit", "电压越限记录", EVENT_POINT, _VOLTAGE_LIMIT, _VOLTAGES),
    _event(25, "current over the limit", "电流越限记录", EVENT_POINT, _CIRCUIT, _CURRENTS),
    _event(
        26,
        "apparent power over the limit",
        "视在功率越限记录",
        EVENT_POINT,
        _FLAGS,
        Field("apparent_power", "发生时视在功率", A23, "kVA"),
        Field("limit", "发生时视在功率限值", A23, "kVA"),
    ),
    _event(
        27,
        "reading went down",
        "电能表示度下降记录",
        EVENT_POINT,
        Field("before", "下降前示值", A14, "kWh"),
        Field("after", "下降后示值", A14, "kWh"),
    ),
    _event(
        28,
        "energy out of range",
        "电能量超差记录",
        EVENT_POINT,
        Field("before", "发生前示值", A14, "kWh"),
        Field("after", "发生后示值", A14, "kWh"),
        Field("threshold", "阈值", A22),
    ),
    _event(
        29,
        "meter runs away",
        "电能表飞走记录",
        EVENT_POINT,
        Field("before", "发生前示值", A14, "kWh"),
        Field("after", "发生后示值", A14, "kWh"),
        Field("threshold", "阈值", A22),
    ),
    _event(
        30,
        "meter stands still",
        "电能表停走记录",
        EVENT_POINT,
        Field("energy", "停走发生时示值", A14, "kWh"),
        Field("threshold", "停走阈值", U8),
    ),
    _event(
        31,
        "meter not readable",
        "终端485抄表失败事件记录",
        EVENT_POINT,
        Field("last_good", "最近一次抄表成功时间", A15),
        Field("active_energy", "最近一次抄表成功正向有功总电能示值", A14, "kWh"),
        Field("reactive_energy", "最近一次抄表成功正向无功总电能示值", A11, "kvarh"),
    ),
    _event(
        32,
        "traffic over the limit",
        "终端与主站通信流量超门限事件记录",
        Field("month", "当月已发生的通信流量", U32),
        Field("limit", "月通信流量门限", U32),
    ),
    _event(
        33,
        "meter status words changed",
        "电能表运行状态字变位事件记录",
        EVENT_POINT,
        Series("changed", "变位标志", BS16, fixed(7)),
        Series("status", "运行状态字", BS16, fixed(7)),
    ),
    _event(34, "CT fault", "CT异常事件记录", EVENT_POINT, _FLAGS),
    _event(
        35,
        "unknown meters found",
        "发现未知电表事件记录",
        Field("port", "通信端口号", U8),
        Group(
            "meters",
            "未知电表",
            Layout(
                Field("address", "通信地址", A12),
                Field("phase_and_quality", "相别及信号品质", BS8),
                Field("protocol", "通信协议", U8),
            ),
            counted(U8),
        ),
    ),
)

EVENT_BY_ERC = {event.erc: event for event in EVENTS}
assert len(EVENT_BY_ERC) == len(EVENTS), "an ERC stands twice"


class Records(Part):
    """The records of a frame: `records` is a list of dicts with `erc`, and `values` or `raw`."""

    def read(self, data: bytes, at: int, values: Values) -> int:
        """Read as many records as the pointers count."""
        count = (values["end_pointer"] - values["start_pointer"]) % POINTERS
        records = values["records"] = []
        for _ in range(count):
            erc, size = take(data, at, RECORD_HEAD_SIZE)
            raw = take(data, at + RECORD_HEAD_SIZE, size)
            records.append(read_record(erc, raw))
            at += RECORD_HEAD_SIZE + size
        return at

    def write(self, values: Mapping[str, Any]) -> bytes:
        """Write every record."""
        return b"".join(_write_record(record) for record in values["records"])

    def rows(self, values: Mapping[str, Any]) -> list[Row]:
        """Return a row for each record; its value is a list of rows, or None."""
        return [_record_row(record) for record in values["records"]]


def read_record(erc: int, raw: bytes) -> Values:
    """Return one record; its bytes when they do not fit the row of its ERC."""
    event = EVENT_BY_ERC.get(erc)
    if event is None:
        return {"erc": erc, "raw": raw}
    try:
        return {"erc": erc, "values": event.layout.decode(raw)}
    except Unfit:
        return {"erc": erc, "raw": raw}


def _write_record(record: Mapping[str, Any]) -> bytes:
    erc: int = record["erc"]
    raw: bytes | None = record.get("raw")
    if raw is None:
        raw = EVENT_BY_ERC[erc].layout.encode(record["values"])
    return bytes((erc, len(raw))) + raw


def _record_row(record: Mapping[str, Any]) -> Row:
    erc: int = record["erc"]
    event = EVENT_BY_ERC.get(erc)
    name = event.name if event is not None else Text("not in the standard", "标准外事件")
    row: Row = {"name": f"ERC{erc}: {name.en}", "name_zh": f"ERC{erc}：{name.zh}", "unit": ""}
    if event is None or "raw" in record:
        return row | {"value": None, "raw": record["raw"].hex().upper()}
    return row | {"value": event.layout.rows(record["values"])}


_POINTERS = Layout(Field("start_pointer", "起始指针Pm", U8), Field("end_pointer", "结束指针Pn", U8))
_COUNTERS = Layout(
    Field("important_counter", "重要事件计数器EC1", U8),
    Field("general_counter", "一般事件计数器EC2", U8),
)
ANSWER = _COUNTERS + _POINTERS + Layout(Records())

FUNCTIONS = (
    Function(1, Text("important events", "重要事件"), _POINTERS, ANSWER),
    Function(2, Text("general events", "一般事件"), _POINTERS, ANSWER),
)
