"""Objects that are measured: energy, demand, instantaneous values, states (digest, section 14).

The scales are those that hold unless a Scaler_Unit has been read.
"""

from station.words import Text

from .data import DataType
from .shapes import Array, Axis, ObjectRow, Shape, Structure, Value, array, single

LONG64 = DataType.LONG64
LONG64_UNSIGNED = DataType.LONG64_UNSIGNED
DOUBLE = DataType.DOUBLE_LONG
DOUBLE_UNSIGNED = DataType.DOUBLE_LONG_UNSIGNED
LONG = DataType.LONG
LONG_UNSIGNED = DataType.LONG_UNSIGNED
BITS = DataType.BIT_STRING
MOMENT = DataType.DATE_TIME_S

_SIGNED = True
_UNSIGNED = False
# The quantities that have an energy (OI 00x0) and a maximum demand (OI 10x0); the unit is that of
# the demand.
_KINDS = (
    (0x0000, Text("combined active", "组合有功"), "kW", _SIGNED),
    (0x0010, Text("forward active", "正向有功"), "kW", _UNSIGNED),
    (0x0020, Text("reverse active", "反向有功"), "kW", _UNSIGNED),
    (0x0030, Text("combined reactive 1", "组合无功1"), "kvar", _SIGNED),
    (0x0040, Text("combined reactive 2", "组合无功2"), "kvar", _SIGNED),
    (0x0050, Text("quadrant 1 reactive", "第一象限无功"), "kvar", _UNSIGNED),
    (0x0060, Text("quadrant 2 reactive", "第二象限无功"), "kvar", _UNSIGNED),
    (0x0070, Text("quadrant 3 reactive", "第三象限无功"), "kvar", _UNSIGNED),
    (0x0080, Text("quadrant 4 reactive", "第四象限无功"), "kvar", _UNSIGNED),
    (0x0090, Text("forward apparent", "正向视在"), "kVA", _UNSIGNED),
    (0x00A0, Text("reverse apparent", "反向视在"), "kVA", _UNSIGNED),
)
_DEMAND_BASE = 0x1000

# Added to the OI, the quantity of all phases together or of one.
_PHASES = (
    (0, Text("", "")),
    (1, Text(", phase A", "A相")),
    (2, Text(", phase B", "B相")),
    (3, Text(", phase C", "C相")),
)


def _energy_shapes(unit: str, *, signed: bool) -> dict[int, Shape]:
    return {
        2: Array(Value(DOUBLE if signed else DOUBLE_UNSIGNED, unit, 2)),
        4: Array(Value(LONG64 if signed else LONG64_UNSIGNED, unit, 4)),
    }


def _demand_shapes(unit: str, *, signed: bool) -> dict[int, Shape]:
    maximum = Value(DOUBLE if signed else DOUBLE_UNSIGNED, unit, 4)
    return {2: Array(Structure((maximum, Value(MOMENT))))}


ENERGIES = tuple(
    ObjectRow(
        oi + offset,
        Text(f"{name.en} energy{phase.en}", f"{phase.zh}{name.zh}电能"),
        _energy_shapes(unit + "h", signed=signed),
        Axis.TARIFFS,
        {4: Text("high precision", "高精度")},
    )
    for oi, name, unit, signed in _KINDS
    for offset, phase in _PHASES
)

DEMANDS = tuple(
    ObjectRow(
        _DEMAND_BASE + oi + offset,
        Text(f"{name.en} maximum demand{phase.en}", f"{phase.zh}{name.zh}最大需量"),
        _demand_shapes(unit, signed=signed),
        Axis.TARIFFS,
    )
    for oi, name, unit, signed in _KINDS
    for offset, phase in _PHASES
    if oi  # There is no demand of what is combined from both directions.
)

_MONEY = Value(DOUBLE_UNSIGNED, "yuan", 2)
_BY_DAY_AND_MONTH: dict[int, Shape] = {
    2: Structure((Value(DOUBLE_UNSIGNED), Value(DOUBLE_UNSIGNED)))
}

VARIABLES = (
    ObjectRow(0x2000, Text("voltage", "电压"), array(LONG_UNSIGNED, "V", 1), Axis.PHASES),
    ObjectRow(
        0x2001,
        Text("current", "电流"),
        {2: Array(Value(DOUBLE, "A", 3)), 4: Value(DOUBLE, "A", 3)},
        Axis.PHASES,
        {4: Text("neutral", "零线")},
    ),
    ObjectRow(
        0x2002, Text("voltage phase angle", "电压相角"), array(LONG_UNSIGNED, "°", 1), Axis.PHASES
    ),
    ObjectRow(
        0x2003,
        Text("voltage to current phase angle", "电压电流相角"),
        array(LONG_UNSIGNED, "°", 1),
        Axis.PHASES,
    ),
    ObjectRow(
        0x2004,
        Text("active power", "有功功率"),
        array(DOUBLE, "W", 1),
        Axis.TOTAL_AND_PHASES,
    ),
    ObjectRow(
        0x2005,
        Text("reactive power", "无功功率"),
        array(DOUBLE, "var", 1),
        Axis.TOTAL_AND_PHASES,
    ),
    ObjectRow(
        0x2006,
        Text("apparent power", "视在功率"),
        array(DOUBLE, "VA", 1),
        Axis.TOTAL_AND_PHASES,
    ),
    ObjectRow(
        0x2007,
        Text("one-minute average active power", "一分钟平均有功功率"),
        array(DOUBLE, "W", 1),
        Axis.TOTAL_AND_PHASES,
    ),
    ObjectRow(
        0x2008,
        Text("one-minute average reactive power", "一分钟平均无功功率"),
        array(DOUBLE, "var", 1),
        Axis.TOTAL_AND_PHASES,
    ),
    ObjectRow(
        0x2009,
        Text("one-minute average apparent power", "一分钟平均视在功率"),
        array(DOUBLE, "VA", 1),
        Axis.TOTAL_AND_PHASES,
    ),
    ObjectRow(0x200A, Text("power factor", "功率因数"), array(LONG, "", 3), Axis.TOTAL_AND_PHASES),
    ObjectRow(0x200F, Text("frequency", "电网频率"), single(LONG_UNSIGNED, "Hz", 2)),
    ObjectRow(0x2010, Text("temperature inside", "表内温度"), single(LONG, "°C", 1)),
    ObjectRow(0x2011, Text("clock battery voltage", "时钟电池电压"), single(LONG_UNSIGNED, "V", 2)),
    ObjectRow(
        0x2012,
        Text("outage reading battery voltage", "停电抄表电池电压"),
        single(LONG_UNSIGNED, "V", 2),
    ),
    ObjectRow(
        0x2013,
        Text("clock battery working time", "时钟电池工作时间"),
        single(DOUBLE_UNSIGNED, "min"),
    ),
    ObjectRow(0x2014, Text("meter status words", "电能表运行状态字"), array(BITS)),
    ObjectRow(0x2015, Text("follow-report status word", "跟随上报状态字"), single(BITS)),
    ObjectRow(0x2017, Text("present active demand", "当前有功需量"), single(DOUBLE, "kW", 4)),
    ObjectRow(0x2018, Text("present reactive demand", "当前无功需量"), single(DOUBLE, "kvar", 4)),
    ObjectRow(0x2019, Text("present apparent demand", "当前视在需量"), single(DOUBLE, "kVA", 4)),
    ObjectRow(0x201A, Text("present price", "当前电价"), single(DOUBLE_UNSIGNED, "yuan/kWh", 4)),
    ObjectRow(
        0x201B, Text("present tariff price", "当前费率电价"), single(DOUBLE_UNSIGNED, "yuan/kWh", 4)
    ),
    ObjectRow(
        0x201C, Text("present step price", "当前阶梯电价"), single(DOUBLE_UNSIGNED, "yuan/kWh", 4)
    ),
    ObjectRow(0x201E, Text("event start time", "事件发生时间"), single(MOMENT)),
    ObjectRow(0x2020, Text("event end time", "事件结束时间"), single(MOMENT)),
    ObjectRow(0x2021, Text("freeze time", "数据冻结时间"), single(MOMENT)),
    ObjectRow(0x2022, Text("event record number", "事件记录序号"), single(DOUBLE_UNSIGNED)),
    ObjectRow(0x2023, Text("freeze record number", "冻结记录序号"), single(DOUBLE_UNSIGNED)),
    ObjectRow(0x2024, Text("event source", "事件发生源"), single(DataType.ENUM)),
    ObjectRow(0x202A, Text("address of the target server", "目标服务器地址"), single(DataType.TSA)),
    ObjectRow(
        0x202C,
        Text("wallet", "当前钱包文件"),
        {2: Structure((_MONEY, Value(DOUBLE_UNSIGNED)))},
    ),
    ObjectRow(0x202D, Text("overdraft", "当前透支金额"), {2: _MONEY}),
    ObjectRow(0x202E, Text("accumulated purchase", "累计购电金额"), {2: _MONEY}),
    ObjectRow(
        0x2031, Text("consumption of the month", "月度用电量"), single(DOUBLE_UNSIGNED, "kWh", 2)
    ),
    ObjectRow(
        0x2032, Text("consumption of the step", "阶梯结算用电量"), single(DOUBLE_UNSIGNED, "kWh", 2)
    ),
    ObjectRow(0x2040, Text("control command status word", "控制命令执行状态字"), single(BITS)),
    ObjectRow(0x2041, Text("control command error word", "控制命令错误状态字"), single(BITS)),
    ObjectRow(0x2200, Text("traffic of day and month", "通信流量"), _BY_DAY_AND_MONTH),
    ObjectRow(0x2203, Text("power-on time of day and month", "供电时间"), _BY_DAY_AND_MONTH),
    ObjectRow(0x2204, Text("resets of day and month", "复位次数"), _BY_DAY_AND_MONTH),
    ObjectRow(0x2401, Text("pulse metering 1", "脉冲计量1")),
)
