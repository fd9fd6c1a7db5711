"""AFN0D, class 2 data: what was frozen (digest, section 13).

Down a data unit is the time mark alone; up it repeats the mark and the values follow. The mark is
Td_d, a day; Td_m, a month; or Td_c, a start, a density and a number of points.
"""

from station.protocols.qgdw1376.formats import (
    A2,
    A3,
    A5,
    A7,
    A9,
    A11,
    A13,
    A14,
    A17,
    A18,
    A23,
    A25,
    U16,
    U32,
    Format,
    Octets,
)
from station.protocols.qgdw1376.fragments import (
    ACTIVE,
    ACTIVE_DEMAND,
    ACTIVE_ENERGY,
    CHANGES,
    CURVE,
    DAY,
    FORWARD_REGISTERS,
    FOUR_DEMANDS,
    MONTH,
    OPERATIONS,
    PHASE_LOSS,
    PHASES,
    PHASES_AND_ZERO,
    PREPAID,
    REACTIVE,
    REACTIVE_DEMAND,
    REACTIVE_ENERGY,
    READ_TIME,
    REVERSE_REGISTERS,
    SETTLEMENT,
    SWITCH,
    TOTAL_AND_PHASES,
    Function,
    curve,
    extreme,
    phases,
    unknown,
)
from station.protocols.qgdw1376.layout import Field, Layout
from station.protocols.qgdw1376.lists import Group, Series, as_told_by, fixed
from station.words import Text

_DAY = Layout(DAY)
_MONTH = Layout(MONTH)


def _day(fn: int, en: str, zh: str, layout: Layout) -> Function:
    return Function(fn, Text(f"day freeze: {en}", f"日冻结{zh}"), _DAY, _DAY + layout)


def _reading_day(fn: int, en: str, zh: str, layout: Layout) -> Function:
    return Function(fn, Text(f"reading day freeze: {en}", f"抄表日冻结{zh}"), _DAY, _DAY + layout)


def _month(fn: int, en: str, zh: str, layout: Layout) -> Function:
    return Function(fn, Text(f"month freeze: {en}", f"月冻结{zh}"), _MONTH, _MONTH + layout)


def _curve(fn: int, en: str, zh: str, layout: Layout) -> Function:
    return Function(fn, Text(f"curve: {en}", f"{zh}曲线"), CURVE, layout)


MAX_POWER = Layout(
    Group(
        "maxima",
        "最大有功功率",
        extreme("power", "最大有功功率", A23, "kW"),
        fixed(4),
        TOTAL_AND_PHASES,
    ),
    Series("zero_power_minutes", "有功功率为零时间", U16, fixed(4), "min", TOTAL_AND_PHASES),
)
MAX_DEMAND = Layout(
    Group(
        "maxima",
        "有功最大需量",
        extreme("demand", "有功最大需量", A23, "kW"),
        fixed(4),
        TOTAL_AND_PHASES,
    ),
)

_VOLTAGE_MINUTES = Layout(
    Field("over_upper_upper", "越上上限累计时间", U16, "min"),
    Field("under_lower_lower", "越下下限累计时间", U16, "min"),
    Field("over_upper", "越上限累计时间", U16, "min"),
    Field("under_lower", "越下限累计时间", U16, "min"),
    Field("in_range", "合格累计时间", U16, "min"),
)
_VOLTAGE_EXTREMES = extreme("maximum", "电压最大值", A7, "V") + extreme(
    "minimum", "电压最小值", A7, "V"
)
VOLTAGES = Layout(
    Group("minutes", "电压累计时间", _VOLTAGE_MINUTES, fixed(3), PHASES),
    Group("extremes", "电压极值", _VOLTAGE_EXTREMES, fixed(3), PHASES),
    phases("mean", "平均电压", A7, "V"),
)


def _imbalance(time: Format) -> Layout:
    minutes = Layout(
        Field("current_minutes", "电流不平衡度越限累计时间", U16, "min"),
        Field("voltage_minutes", "电压不平衡度越限累计时间", U16, "min"),
    )
    current = extreme("current_maximum", "电流不平衡最大值", A5, "%", time)
    return minutes + current + extreme("voltage_maximum", "电压不平衡最大值", A5, "%", time)


def _load_factor(time: Format) -> Layout:
    largest = extreme("maximum", "负载率最大值", A5, "%", time)
    return largest + extreme("minimum", "负载率最小值", A5, "%", time)


_CURRENT_MINUTES = Layout(
    Field("over_upper_upper", "越上上限累计时间", U16, "min"),
    Field("over_upper", "越上限累计时间", U16, "min"),
)
CURRENTS = Layout(
    Group("minutes", "电流越限累计时间", _CURRENT_MINUTES, fixed(3), PHASES),
    Field("zero_over_upper", "零序电流越上限累计时间", U16, "min"),
    Group(
        "maxima",
        "电流最大值",
        extreme("maximum", "电流最大值", A25, "A"),
        fixed(4),
        PHASES_AND_ZERO,
    ),
)
APPARENT_POWER = Layout(
    Field("over_upper_upper", "越上上限累计时间", U16, "min"),
    Field("over_upper", "越上限累计时间", U16, "min"),
)
FACTOR_ZONES = Layout(
    Field("zone_1", "区段1累计时间", U16, "min"),
    Field("zone_2", "区段2累计时间", U16, "min"),
    Field("zone_3", "区段3累计时间", U16, "min"),
)
LOSSES = Layout(
    Field("copper_loss", "铜损有功电能示值", A14, "kWh"),
    Field("iron_loss", "铁损有功电能示值", A14, "kWh"),
)
SUPPLY = Layout(
    Field("powered_minutes", "供电时间", U16, "min"), Field("resets", "复位累计次数", U16)
)
TRAFFIC = Layout(Field("traffic", "通信流量", U32))

PHASES_ACTIVE = Layout(READ_TIME, phases("energy", "有功电能示值", A14, "kWh"))
PHASES_REACTIVE = Layout(READ_TIME, phases("energy", "无功电能示值", A11, "kvarh"))

GROUP_POWER_CURVE = curve("power", "总加功率", A2, "")
GROUP_ENERGY_CURVE = curve("energy", "总加电能量", A3, "")
POWER_CURVE = curve("power", "有功功率", A9, "kW")
REACTIVE_POWER_CURVE = curve("reactive_power", "无功功率", A9, "kvar")
VOLTAGE_CURVE = curve("voltage", "电压", A7, "V")
CURRENT_CURVE = curve("current", "电流", A25, "A")
SPARE_CURVE = curve("spare", "备用", Octets(2), "")
ACTIVE_ENERGY_CURVE = curve("energy", "有功电能量", A13, "kWh")
REACTIVE_ENERGY_CURVE = curve("energy", "无功电能量", A13, "kvarh")
ACTIVE_CURVE = curve("energy", "有功电能示值", A11, "kWh")
REACTIVE_CURVE = curve("energy", "无功电能示值", A11, "kvarh")
FACTOR_CURVE = curve("power_factor", "功率因数", A5, "%")


def _angle_curve(key: str, zh: str) -> Layout:
    entry = Layout(phases(key, zh, A5, "°"))
    return CURVE + Layout(Group("points_of_angles", zh, entry, as_told_by("points")))


FUNCTIONS = (
    _day(
        1,
        "forward energy registers",
        "正向有功、无功电能示值，一、四象限无功电能示值",
        FORWARD_REGISTERS,
    ),
    _day(
        2,
        "reverse energy registers",
        "反向有功、无功电能示值，二、三象限无功电能示值",
        REVERSE_REGISTERS,
    ),
    _day(3, "forward maximum demand", "正向有功、无功最大需量及发生时间", FOUR_DEMANDS),
    _day(4, "reverse maximum demand", "反向有功、无功最大需量及发生时间", FOUR_DEMANDS),
    _day(5, "forward active energy", "正向有功电能量", ACTIVE_ENERGY),
    _day(6, "forward reactive energy", "正向无功电能量", REACTIVE_ENERGY),
    _day(7, "reverse active energy", "反向有功电能量", ACTIVE_ENERGY),
    _day(8, "reverse reactive energy", "反向无功电能量", REACTIVE_ENERGY),
    _reading_day(
        9,
        "forward energy registers",
        "正向有功、无功电能示值，一、四象限无功电能示值",
        FORWARD_REGISTERS,
    ),
    _reading_day(
        10,
        "reverse energy registers",
        "反向有功、无功电能示值，二、三象限无功电能示值",
        REVERSE_REGISTERS,
    ),
    _reading_day(11, "forward maximum demand", "正向有功、无功最大需量及发生时间", FOUR_DEMANDS),
    _reading_day(12, "reverse maximum demand", "反向有功、无功最大需量及发生时间", FOUR_DEMANDS),
    _month(
        17,
        "forward energy registers",
        "正向有功、无功电能示值，一、四象限无功电能示值",
        FORWARD_REGISTERS,
    ),
    _month(
        18,
        "reverse energy registers",
        "反向有功、无功电能示值，二、三象限无功电能示值",
        REVERSE_REGISTERS,
    ),
    _month(19, "forward maximum demand", "正向有功、无功最大需量及发生时间", FOUR_DEMANDS),
    _month(20, "reverse maximum demand", "反向有功、无功最大需量及发生时间", FOUR_DEMANDS),
    _month(21, "forward active energy", "正向有功电能量", ACTIVE_ENERGY),
    _month(22, "forward reactive energy", "正向无功电能量", REACTIVE_ENERGY),
    _month(23, "reverse active energy", "反向有功电能量", ACTIVE_ENERGY),
    _month(24, "reverse reactive energy", "反向无功电能量", REACTIVE_ENERGY),
    _day(25, "maximum active power", "总及分相最大有功功率及发生时间、有功功率为零时间", MAX_POWER),
    _day(26, "maximum demand", "总及分相最大需量及发生时间", MAX_DEMAND),
    _day(27, "voltage statistics", "电压统计数据", VOLTAGES),
    _day(28, "imbalance", "不平衡度越限累计时间", _imbalance(A18)),
    _day(29, "current statistics", "电流越限统计", CURRENTS),
    _day(30, "apparent power over its limits", "视在功率越限累计时间", APPARENT_POWER),
    _day(31, "load factor", "负载率统计", _load_factor(A18)),
    _day(32, "phase loss", "断相数据", PHASE_LOSS),
    _month(
        33, "maximum active power", "总及分相最大有功功率及发生时间、有功功率为零时间", MAX_POWER
    ),
    _month(34, "maximum demand", "总及分相最大需量及发生时间", MAX_DEMAND),
    _month(35, "voltage statistics", "电压统计数据", VOLTAGES),
    _month(36, "imbalance", "不平衡度越限累计时间", _imbalance(A17)),
    _month(37, "current statistics", "电流越限统计", CURRENTS),
    _month(38, "apparent power over its limits", "视在功率越限累计时间", APPARENT_POWER),
    _month(39, "load factor", "负载率统计", _load_factor(A17)),
    _day(43, "power factor zones", "功率因数区段累计时间", FACTOR_ZONES),
    _month(44, "power factor zones", "功率因数区段累计时间", FACTOR_ZONES),
    _day(45, "copper and iron loss", "铜损、铁损有功电能示值", LOSSES),
    _month(46, "copper and iron loss", "铜损、铁损有功电能示值", LOSSES),
    _day(49, "terminal supply time and resets", "终端供电时间、复位累计次数", SUPPLY),
    _month(51, "terminal supply time and resets", "终端供电时间、复位累计次数", SUPPLY),
    _day(53, "traffic", "终端与主站通信流量", TRAFFIC),
    _month(54, "traffic", "终端与主站通信流量", TRAFFIC),
    unknown(
        57,
        "day: adding group maximum and minimum power",
        "总加组日最大、最小有功功率及其发生时间，有功功率为零日累计时间",
    ),
    unknown(58, "day: adding group active energy", "总加组日累计有功电能量"),
    unknown(59, "day: adding group reactive energy", "总加组日累计无功电能量"),
    unknown(
        60,
        "month: adding group maximum and minimum power",
        "总加组月最大、最小有功功率及其发生时间，有功功率为零月累计时间",
    ),
    unknown(61, "month: adding group active energy", "总加组月累计有功电能量"),
    unknown(62, "month: adding group reactive energy", "总加组月累计无功电能量"),
    unknown(65, "adding group over its power limit", "总加组超功率定值的月累计时间、月累计电能量"),
    unknown(
        66, "adding group over its energy limit", "总加组超月电能量定值的月累计时间、累计电能量"
    ),
    _curve(73, "adding group active power", "总加组有功功率", GROUP_POWER_CURVE),
    _curve(74, "adding group reactive power", "总加组无功功率", GROUP_POWER_CURVE),
    _curve(75, "adding group active energy", "总加组有功电能量", GROUP_ENERGY_CURVE),
    _curve(76, "adding group reactive energy", "总加组无功电能量", GROUP_ENERGY_CURVE),
    _curve(81, "active power", "有功功率", POWER_CURVE),
    _curve(82, "active power A", "A相有功功率", POWER_CURVE),
    _curve(83, "active power B", "B相有功功率", POWER_CURVE),
    _curve(84, "active power C", "C相有功功率", POWER_CURVE),
    _curve(85, "reactive power", "无功功率", REACTIVE_POWER_CURVE),
    _curve(86, "reactive power A", "A相无功功率", REACTIVE_POWER_CURVE),
    _curve(87, "reactive power B", "B相无功功率", REACTIVE_POWER_CURVE),
    _curve(88, "reactive power C", "C相无功功率", REACTIVE_POWER_CURVE),
    _curve(89, "voltage A", "A相电压", VOLTAGE_CURVE),
    _curve(90, "voltage B", "B相电压", VOLTAGE_CURVE),
    _curve(91, "voltage C", "C相电压", VOLTAGE_CURVE),
    _curve(92, "current A", "A相电流", CURRENT_CURVE),
    _curve(93, "current B", "B相电流", CURRENT_CURVE),
    _curve(94, "current C", "C相电流", CURRENT_CURVE),
    _curve(95, "zero sequence current", "零序电流", CURRENT_CURVE),
    _curve(96, "spare", "备用", SPARE_CURVE),
    _curve(97, "forward active energy", "正向有功总电能量", ACTIVE_ENERGY_CURVE),
    _curve(98, "forward reactive energy", "正向无功总电能量", REACTIVE_ENERGY_CURVE),
    _curve(99, "reverse active energy", "反向有功总电能量", ACTIVE_ENERGY_CURVE),
    _curve(100, "reverse reactive energy", "反向无功总电能量", REACTIVE_ENERGY_CURVE),
    _curve(101, "forward active energy register", "正向有功总电能示值", ACTIVE_CURVE),
    _curve(102, "forward reactive energy register", "正向无功总电能示值", REACTIVE_CURVE),
    _curve(103, "reverse active energy register", "反向有功总电能示值", ACTIVE_CURVE),
    _curve(104, "reverse reactive energy register", "反向无功总电能示值", REACTIVE_CURVE),
    _curve(105, "power factor", "总功率因数", FACTOR_CURVE),
    _curve(106, "power factor A", "A相功率因数", FACTOR_CURVE),
    _curve(107, "power factor B", "B相功率因数", FACTOR_CURVE),
    _curve(108, "power factor C", "C相功率因数", FACTOR_CURVE),
    _curve(109, "voltage angles", "电压相位角", _angle_curve("voltage_angle", "电压相位角")),
    _curve(110, "current angles", "电流相位角", _angle_curve("current_angle", "电流相位角")),
    unknown(113, "day: harmonic current maxima A", "A相2～19次谐波电流日最大值及发生时间"),
    unknown(114, "day: harmonic current maxima B", "B相2～19次谐波电流日最大值及发生时间"),
    unknown(115, "day: harmonic current maxima C", "C相2～19次谐波电流日最大值及发生时间"),
    unknown(
        116,
        "day: harmonic voltage maxima A",
        "A相2～19次谐波电压含有率及总畸变率日最大值及发生时间",
    ),
    unknown(
        117,
        "day: harmonic voltage maxima B",
        "B相2～19次谐波电压含有率及总畸变率日最大值及发生时间",
    ),
    unknown(
        118,
        "day: harmonic voltage maxima C",
        "C相2～19次谐波电压含有率及总畸变率日最大值及发生时间",
    ),
    unknown(121, "day: harmonics over their limits A", "A相谐波越限日统计数据"),
    unknown(122, "day: harmonics over their limits B", "B相谐波越限日统计数据"),
    unknown(123, "day: harmonics over their limits C", "C相谐波越限日统计数据"),
    _curve(145, "reactive energy register, quadrant 1", "一象限无功总电能示值", REACTIVE_CURVE),
    _curve(146, "reactive energy register, quadrant 4", "四象限无功总电能示值", REACTIVE_CURVE),
    _curve(147, "reactive energy register, quadrant 2", "二象限无功总电能示值", REACTIVE_CURVE),
    _curve(148, "reactive energy register, quadrant 3", "三象限无功总电能示值", REACTIVE_CURVE),
    _day(
        153, "forward active energy registers of the phases", "分相正向有功电能示值", PHASES_ACTIVE
    ),
    _day(
        154,
        "forward reactive energy registers of the phases",
        "分相正向无功电能示值",
        PHASES_REACTIVE,
    ),
    _day(
        155, "reverse active energy registers of the phases", "分相反向有功电能示值", PHASES_ACTIVE
    ),
    _day(
        156,
        "reverse reactive energy registers of the phases",
        "分相反向无功电能示值",
        PHASES_REACTIVE,
    ),
    _month(
        157, "forward active energy registers of the phases", "分相正向有功电能示值", PHASES_ACTIVE
    ),
    _month(
        158,
        "forward reactive energy registers of the phases",
        "分相正向无功电能示值",
        PHASES_REACTIVE,
    ),
    _month(
        159, "reverse active energy registers of the phases", "分相反向有功电能示值", PHASES_ACTIVE
    ),
    _month(
        160,
        "reverse reactive energy registers of the phases",
        "分相反向无功电能示值",
        PHASES_REACTIVE,
    ),
    _day(161, "forward active energy register", "正向有功电能示值", ACTIVE),
    _day(162, "forward reactive energy register", "正向无功（组合无功1）电能示值", REACTIVE),
    _day(163, "reverse active energy register", "反向有功电能示值", ACTIVE),
    _day(164, "reverse reactive energy register", "反向无功（组合无功2）电能示值", REACTIVE),
    _day(165, "reactive energy register, quadrant 1", "一象限无功电能示值", REACTIVE),
    _day(166, "reactive energy register, quadrant 2", "二象限无功电能示值", REACTIVE),
    _day(167, "reactive energy register, quadrant 3", "三象限无功电能示值", REACTIVE),
    _day(168, "reactive energy register, quadrant 4", "四象限无功电能示值", REACTIVE),
    _reading_day(169, "forward active energy register", "正向有功电能示值", ACTIVE),
    _reading_day(
        170, "forward reactive energy register", "正向无功（组合无功1）电能示值", REACTIVE
    ),
    _reading_day(171, "reverse active energy register", "反向有功电能示值", ACTIVE),
    _reading_day(
        172, "reverse reactive energy register", "反向无功（组合无功2）电能示值", REACTIVE
    ),
    _reading_day(173, "reactive energy register, quadrant 1", "一象限无功电能示值", REACTIVE),
    _reading_day(174, "reactive energy register, quadrant 2", "二象限无功电能示值", REACTIVE),
    _reading_day(175, "reactive energy register, quadrant 3", "三象限无功电能示值", REACTIVE),
    _reading_day(176, "reactive energy register, quadrant 4", "四象限无功电能示值", REACTIVE),
    _month(177, "forward active energy register", "正向有功电能示值", ACTIVE),
    _month(178, "forward reactive energy register", "正向无功（组合无功1）电能示值", REACTIVE),
    _month(179, "reverse active energy register", "反向有功电能示值", ACTIVE),
    _month(180, "reverse reactive energy register", "反向无功（组合无功2）电能示值", REACTIVE),
    _month(181, "reactive energy register, quadrant 1", "一象限无功电能示值", REACTIVE),
    _month(182, "reactive energy register, quadrant 2", "二象限无功电能示值", REACTIVE),
    _month(183, "reactive energy register, quadrant 3", "三象限无功电能示值", REACTIVE),
    _month(184, "reactive energy register, quadrant 4", "四象限无功电能示值", REACTIVE),
    _day(185, "forward active maximum demand", "正向有功最大需量及发生时间", ACTIVE_DEMAND),
    _day(186, "forward reactive maximum demand", "正向无功最大需量及发生时间", REACTIVE_DEMAND),
    _day(187, "reverse active maximum demand", "反向有功最大需量及发生时间", ACTIVE_DEMAND),
    _day(188, "reverse reactive maximum demand", "反向无功最大需量及发生时间", REACTIVE_DEMAND),
    _reading_day(189, "forward active maximum demand", "正向有功最大需量及发生时间", ACTIVE_DEMAND),
    _reading_day(
        190, "forward reactive maximum demand", "正向无功最大需量及发生时间", REACTIVE_DEMAND
    ),
    _reading_day(191, "reverse active maximum demand", "反向有功最大需量及发生时间", ACTIVE_DEMAND),
    _reading_day(
        192, "reverse reactive maximum demand", "反向无功最大需量及发生时间", REACTIVE_DEMAND
    ),
    _month(193, "forward active maximum demand", "正向有功最大需量及发生时间", ACTIVE_DEMAND),
    _month(194, "forward reactive maximum demand", "正向无功最大需量及发生时间", REACTIVE_DEMAND),
    _month(195, "reverse active maximum demand", "反向有功最大需量及发生时间", ACTIVE_DEMAND),
    _month(196, "reverse reactive maximum demand", "反向无功最大需量及发生时间", REACTIVE_DEMAND),
    _month(201, "forward active energy, zone freeze 1", "第一时区冻结正向有功电能示值", ACTIVE),
    _month(202, "forward active energy, zone freeze 2", "第二时区冻结正向有功电能示值", ACTIVE),
    _month(203, "forward active energy, zone freeze 3", "第三时区冻结正向有功电能示值", ACTIVE),
    _month(204, "forward active energy, zone freeze 4", "第四时区冻结正向有功电能示值", ACTIVE),
    _month(205, "forward active energy, zone freeze 5", "第五时区冻结正向有功电能示值", ACTIVE),
    _month(206, "forward active energy, zone freeze 6", "第六时区冻结正向有功电能示值", ACTIVE),
    _month(207, "forward active energy, zone freeze 7", "第七时区冻结正向有功电能示值", ACTIVE),
    _month(208, "forward active energy, zone freeze 8", "第八时区冻结正向有功电能示值", ACTIVE),
    _day(209, "meter switch state", "电能表远程控制通断电状态信息", SWITCH),
    _month(213, "programming and cover opening", "电能表编程、开盖次数及时间", OPERATIONS),
    _month(214, "clock and tariff changes", "电能表参数修改次数及时间", CHANGES),
    _month(215, "prepaid balance", "电能表购、用电信息", PREPAID),
    _month(216, "settlement", "电能表结算信息", SETTLEMENT),
)
