"""AFN0C, class 1 data: what holds now (digest, section 12). Down a data unit is empty."""

from station.protocols.qgdw1376.formats import (
    A1,
    A2,
    A3,
    A4,
    A5,
    A7,
    A9,
    A11,
    A12,
    A13,
    A14,
    A25,
    A27,
    BS8,
    BS16,
    BS64,
    U8,
    U16,
    U32,
    Bcd,
    Octets,
)
from station.protocols.qgdw1376.fragments import (
    ACTIVE,
    ACTIVE_DEMAND,
    ACTIVE_ENERGY,
    CHANGES,
    FORWARD_REGISTERS,
    FOUR_DEMANDS,
    OPERATIONS,
    PHASE_LOSS,
    PHASES,
    PREPAID,
    REACTIVE,
    REACTIVE_DEMAND,
    REACTIVE_ENERGY,
    READ_TIME,
    REVERSE_REGISTERS,
    SETTLEMENT,
    SWITCH,
    Function,
    M,
    hour,
    phases,
    phases_and_zero,
    registers,
    total_and_phases,
)
from station.protocols.qgdw1376.layout import EMPTY, Bit, Field, Layout, Packed
from station.protocols.qgdw1376.lists import Group, Series, as_told_by, counted, fixed
from station.words import Text

_ALLOWED = {1: Text("allowed", "允许"), 2: Text("forbidden", "禁止")}

LINK_STATE = Packed(
    1,
    Bit("talk", "通话状态", 0, 2, meanings=_ALLOWED),
    Bit("report", "主动上报状态", 2, 2, meanings=_ALLOWED),
)

# F5 and F6: D7-0 of `groups` say for which adding groups a block follows. They are not in the
# digest; two terminals' and two stations' public sources agree on them.
_GROUPS = Field("groups", "总加组有效标志位", BS8)
_ONE_EACH = as_told_by("groups", of={flags: flags.bit_count() for flags in range(256)})

CONTROL_SETTINGS = Layout(
    Packed(
        1,
        Bit("keep_power", "保电状态", 0),
        Bit("isolated", "剔除状态", 1),
        Bit("fee_alarm", "催费告警状态", 2),
    ),
    _GROUPS,
    Group(
        "group_settings",
        "总加组控制设置状态",
        Layout(
            Field("plan", "功控定值方案号", U8),
            Field("periods", "功控时段有效标志位", BS8),
            Field("power_control", "功控状态", BS8),
            Field("energy_control", "电控状态", BS8),
            Field("power_rounds", "功控轮次状态", BS8),
            Field("energy_rounds", "电控轮次状态", BS8),
        ),
        _ONE_EACH,
    ),
)

CONTROL_STATE = Layout(
    Field("rounds_open", "遥控跳闸输出状态", BS8),  # D0 is round 1.
    Packed(1, Bit("fee_alarm", "当前催费告警状态", 0)),
    _GROUPS,
    Group(
        "group_states",
        "总加组当前控制状态",
        Layout(
            Field("limit", "当前功控定值", A2),
            Field("factor", "当前功率下浮控浮动系数", A4, "%"),
            Field("power_trips", "功控跳闸输出状态", BS8),
            Field("month_trips", "月电控跳闸输出状态", BS8),
            Field("purchase_trips", "购电控跳闸输出状态", BS8),
            Field("power_alarms", "功控越限告警状态", BS8),
            Field("energy_alarms", "电控越限告警状态", BS8),
        ),
        _ONE_EACH,
    ),
)

READING_STATE = Layout(
    Field("port", "通信端口号", U8),
    Field("meters", "要抄电表总数", U16),
    Packed(1, Bit("busy", "正在抄表", 0), Bit("done", "当前轮抄完成", 1)),
    Field("read", "抄表成功块数", U16),
    Field("key_meters_read", "抄重点表成功块数", U8),
    Field("start", "抄表开始时间", A1),
    Field("end", "抄表结束时间", A1),
)

INSTANT = Layout(
    READ_TIME,
    total_and_phases("power", "有功功率", A9, "kW"),
    total_and_phases("reactive_power", "无功功率", A9, "kvar"),
    total_and_phases("power_factor", "功率因数", A5, "%"),
    phases("voltage", "电压", A7, "V"),
    phases_and_zero("current", "电流", A25, "A"),
    total_and_phases("apparent_power", "视在功率", A9, "kVA"),
)

CLOCK_AND_COUNTS = Layout(
    READ_TIME,
    Field("clock", "电能表日历时钟", A1),
    Field("battery_minutes", "电池工作时间", A27, "min"),
    Group(
        "counts",
        "次数及最近一次时刻",
        Layout(Field("count", "次数", Bcd("XXXXXX")), Field("last", "最近一次时刻", A1)),
        fixed(5),
        (
            Text("programming", "编程"),
            Text("meter clear", "电表清零"),
            Text("demand clear", "需量清零"),
            Text("event clear", "事件清零"),
            Text("clock set", "校时"),
        ),
    ),
)

_WORDS = tuple(Text(f"word {n}", f"状态字{n}") for n in range(1, 8))
STATUS_WORDS = Layout(
    READ_TIME,
    Series("changed", "变位标志", BS16, fixed(7), labels=_WORDS),
    Series("status", "运行状态字", BS16, fixed(7), labels=_WORDS),
)

PHASE_REGISTERS = Layout(
    READ_TIME,
    Group(
        "phases",
        "分相电能示值",
        Layout(
            Field("active_forward", "正向有功电能示值", A14, "kWh"),
            Field("active_reverse", "反向有功电能示值", A14, "kWh"),
            Field("combined_reactive_1", "组合无功1电能示值", A11, "kvarh"),
            Field("combined_reactive_2", "组合无功2电能示值", A11, "kvarh"),
        ),
        fixed(3),
        PHASES,
    ),
)

ROUTES = Layout(
    Field("port", "通信端口号", U8),
    Group(
        "routes",
        "中继路由",
        Layout(Series("relays", "中继节点地址", A12, counted(U8))),
        counted(U8),
    ),
)

READING_INFO = Layout(
    Field("port", "通信端口号", U8),
    Field("levels", "中继级别", U8),
    Field("phases", "载波抄读相位", BS8),
    Field("quality", "载波信号品质", BS8),
    Field("succeeded", "最近一次抄表成功/失败标志", U8),
    Field("last_success", "最近一次抄表成功时间", A1),
    Field("last_failure", "最近一次抄表失败时间", A1),
    Field("failures", "最近连续失败累计次数", U8),
)

GROUP_ENERGY = Layout(M, registers("energy", "总加电能量", A3, ""))


def _up(fn: int, en: str, zh: str, layout: Layout) -> Function:
    return Function(fn, Text(en, zh), EMPTY, layout)


def _hour(fn: int, en: str, zh: str, layout: Layout) -> Function:
    return _up(fn, f"hour freeze: {en}", f"小时冻结{zh}", layout)


_GROUP_POWER = Layout(Field("power", "总加功率", A2, ""))
_HOUR_POWER = hour("power", "有功功率", A9, "kW")
_HOUR_REACTIVE = hour("reactive_power", "无功功率", A9, "kvar")
_HOUR_VOLTAGE = hour("voltage", "电压", A7, "V")
_HOUR_CURRENT = hour("current", "电流", A25, "A")
_HOUR_ACTIVE_ENERGY = hour("energy", "有功总电能量", A13, "kWh")
_HOUR_REACTIVE_ENERGY = hour("energy", "无功总电能量", A13, "kvarh")
_HOUR_ACTIVE_REGISTER = hour("register", "有功总电能示值", A11, "kWh")
_HOUR_REACTIVE_REGISTER = hour("register", "无功总电能示值", A11, "kvarh")
_HOUR_FACTOR = hour("power_factor", "功率因数", A5, "%")

FUNCTIONS = (
    _up(2, "terminal clock", "终端日历时钟", Layout(Field("clock", "日历时钟", A1))),
    _up(
        3, "which parameters are set", "终端参数状态", Layout(Field("set", "参数状态", Octets(31)))
    ),
    _up(4, "up-link state", "终端上行通信状态", Layout(LINK_STATE)),
    _up(5, "control settings", "终端控制设置状态", CONTROL_SETTINGS),
    _up(6, "control state", "终端当前控制状态", CONTROL_STATE),
    _up(
        7,
        "event counters",
        "终端事件计数器当前值",
        Layout(Field("important", "重要事件计数器", U8), Field("general", "一般事件计数器", U8)),
    ),
    _up(8, "event flags", "终端事件标志状态", Layout(Field("flags", "事件标志", BS64))),
    _up(
        9,
        "status inputs",
        "终端状态量及变位标志",
        Layout(Field("state", "状态", BS8), Field("changed", "变位", BS8)),
    ),
    _up(
        10,
        "traffic",
        "终端与主站当日、月通信流量",
        Layout(Field("today", "当日流量", U32, "B"), Field("this_month", "当月流量", U32, "B")),
    ),
    _up(
        11,
        "reading state of the ports",
        "终端集中抄表状态信息",
        Layout(Group("ports", "端口抄表状态", READING_STATE, counted(U8))),
    ),
    _up(17, "adding group: active power", "当前总加有功功率", _GROUP_POWER),
    _up(18, "adding group: reactive power", "当前总加无功功率", _GROUP_POWER),
    _up(19, "adding group: active energy today", "当日总加有功电能量", GROUP_ENERGY),
    _up(20, "adding group: reactive energy today", "当日总加无功电能量", GROUP_ENERGY),
    _up(21, "adding group: active energy this month", "当月总加有功电能量", GROUP_ENERGY),
    _up(22, "adding group: reactive energy this month", "当月总加无功电能量", GROUP_ENERGY),
    _up(
        23,
        "energy or money left",
        "终端当前剩余电量（费）",
        Layout(Field("left", "剩余电量（费）", A3)),
    ),
    _up(
        24,
        "frozen power of the running-down control",
        "当前功率下浮控控后总加有功功率冻结值",
        _GROUP_POWER,
    ),
    _up(
        25,
        "power, power factor, voltage, current",
        "当前三相及总有功、无功功率，功率因数，电压，电流，视在功率",
        INSTANT,
    ),
    _up(26, "phase loss", "A、B、C三相断相统计数据及最近一次断相记录", PHASE_LOSS),
    _up(
        27,
        "meter clock and operation counts",
        "电能表日历时钟、编程次数及其最近一次操作时间",
        CLOCK_AND_COUNTS,
    ),
    _up(28, "meter status words", "电表运行状态字及其变位标志", STATUS_WORDS),
    _up(
        31,
        "energy registers of the phases",
        "当前A、B、C三相正向/反向有功电能示值、组合无功1/2电能示值",
        PHASE_REGISTERS,
    ),
    _up(
        32,
        "energy registers of the phases, last settlement day",
        "上一结算日A、B、C三相正向/反向有功电能示值、组合无功1/2电能示值",
        PHASE_REGISTERS,
    ),
    _up(
        33,
        "forward energy registers",
        "当前正向有功、无功电能示值，一、四象限无功电能示值",
        FORWARD_REGISTERS,
    ),
    _up(
        34,
        "reverse energy registers",
        "当前反向有功、无功电能示值，二、三象限无功电能示值",
        REVERSE_REGISTERS,
    ),
    _up(
        35,
        "forward maximum demand of the month",
        "当月正向有功、无功最大需量及发生时间",
        FOUR_DEMANDS,
    ),
    _up(
        36,
        "reverse maximum demand of the month",
        "当月反向有功、无功最大需量及发生时间",
        FOUR_DEMANDS,
    ),
    _up(
        37,
        "forward energy registers, last settlement day",
        "上月（上一结算日）正向有功、无功电能示值，一、四象限无功电能示值",
        FORWARD_REGISTERS,
    ),
    _up(
        38,
        "reverse energy registers, last settlement day",
        "上月（上一结算日）反向有功、无功电能示值，二、三象限无功电能示值",
        REVERSE_REGISTERS,
    ),
    _up(
        39,
        "forward maximum demand, last settlement day",
        "上月（上一结算日）正向有功、无功最大需量及发生时间",
        FOUR_DEMANDS,
    ),
    _up(
        40,
        "reverse maximum demand, last settlement day",
        "上月（上一结算日）反向有功、无功最大需量及发生时间",
        FOUR_DEMANDS,
    ),
    _up(41, "forward active energy today", "当日正向有功电能量", ACTIVE_ENERGY),
    _up(42, "forward reactive energy today", "当日正向无功电能量", REACTIVE_ENERGY),
    _up(43, "reverse active energy today", "当日反向有功电能量", ACTIVE_ENERGY),
    _up(44, "reverse reactive energy today", "当日反向无功电能量", REACTIVE_ENERGY),
    _up(45, "forward active energy this month", "当月正向有功电能量", ACTIVE_ENERGY),
    _up(46, "forward reactive energy this month", "当月正向无功电能量", REACTIVE_ENERGY),
    _up(47, "reverse active energy this month", "当月反向有功电能量", ACTIVE_ENERGY),
    _up(48, "reverse reactive energy this month", "当月反向无功电能量", REACTIVE_ENERGY),
    _up(
        49,
        "phase angles",
        "当前电压、电流相位角",
        Layout(
            phases("voltage_angle", "电压相位角", A5, "°"),
            phases("current_angle", "电流相位角", A5, "°"),
        ),
    ),
    _hour(81, "adding group, active power", "总加有功功率", hour("power", "总加有功功率", A2, "")),
    _hour(
        82, "adding group, reactive power", "总加无功功率", hour("power", "总加无功功率", A2, "")
    ),
    _hour(
        83,
        "adding group, active energy",
        "总加有功总电能量",
        hour("energy", "总加有功总电能量", A3, ""),
    ),
    _hour(
        84,
        "adding group, reactive energy",
        "总加无功总电能量",
        hour("energy", "总加无功总电能量", A3, ""),
    ),
    _hour(89, "active power", "有功功率", _HOUR_POWER),
    _hour(90, "active power A", "A相有功功率", _HOUR_POWER),
    _hour(91, "active power B", "B相有功功率", _HOUR_POWER),
    _hour(92, "active power C", "C相有功功率", _HOUR_POWER),
    _hour(93, "reactive power", "无功功率", _HOUR_REACTIVE),
    _hour(94, "reactive power A", "A相无功功率", _HOUR_REACTIVE),
    _hour(95, "reactive power B", "B相无功功率", _HOUR_REACTIVE),
    _hour(96, "reactive power C", "C相无功功率", _HOUR_REACTIVE),
    _hour(97, "voltage A", "A相电压", _HOUR_VOLTAGE),
    _hour(98, "voltage B", "B相电压", _HOUR_VOLTAGE),
    _hour(99, "voltage C", "C相电压", _HOUR_VOLTAGE),
    _hour(100, "current A", "A相电流", _HOUR_CURRENT),
    _hour(101, "current B", "B相电流", _HOUR_CURRENT),
    _hour(102, "current C", "C相电流", _HOUR_CURRENT),
    _hour(103, "zero sequence current", "零序电流", _HOUR_CURRENT),
    _hour(105, "forward active energy", "正向有功总电能量", _HOUR_ACTIVE_ENERGY),
    _hour(106, "forward reactive energy", "正向无功总电能量", _HOUR_REACTIVE_ENERGY),
    _hour(107, "reverse active energy", "反向有功总电能量", _HOUR_ACTIVE_ENERGY),
    _hour(108, "reverse reactive energy", "反向无功总电能量", _HOUR_REACTIVE_ENERGY),
    _hour(109, "forward active register", "正向有功总电能示值", _HOUR_ACTIVE_REGISTER),
    _hour(110, "forward reactive register", "正向无功总电能示值", _HOUR_REACTIVE_REGISTER),
    _hour(111, "reverse active register", "反向有功总电能示值", _HOUR_ACTIVE_REGISTER),
    _hour(112, "reverse reactive register", "反向无功总电能示值", _HOUR_REACTIVE_REGISTER),
    _hour(113, "power factor", "总功率因数", _HOUR_FACTOR),
    _hour(114, "power factor A", "A相功率因数", _HOUR_FACTOR),
    _hour(115, "power factor B", "B相功率因数", _HOUR_FACTOR),
    _hour(116, "power factor C", "C相功率因数", _HOUR_FACTOR),
    _up(129, "forward active energy register", "当前正向有功电能示值", ACTIVE),
    _up(130, "forward reactive energy register", "当前正向无功（组合无功1）电能示值", REACTIVE),
    _up(131, "reverse active energy register", "当前反向有功电能示值", ACTIVE),
    _up(132, "reverse reactive energy register", "当前反向无功（组合无功2）电能示值", REACTIVE),
    _up(133, "reactive energy register, quadrant 1", "当前一象限无功电能示值", REACTIVE),
    _up(134, "reactive energy register, quadrant 2", "当前二象限无功电能示值", REACTIVE),
    _up(135, "reactive energy register, quadrant 3", "当前三象限无功电能示值", REACTIVE),
    _up(136, "reactive energy register, quadrant 4", "当前四象限无功电能示值", REACTIVE),
    _up(
        137,
        "forward active energy register, last settlement day",
        "上月（上一结算日）正向有功电能示值",
        ACTIVE,
    ),
    _up(
        138,
        "forward reactive energy register, last settlement day",
        "上月（上一结算日）正向无功（组合无功1）电能示值",
        REACTIVE,
    ),
    _up(
        139,
        "reverse active energy register, last settlement day",
        "上月（上一结算日）反向有功电能示值",
        ACTIVE,
    ),
    _up(
        140,
        "reverse reactive energy register, last settlement day",
        "上月（上一结算日）反向无功（组合无功2）电能示值",
        REACTIVE,
    ),
    _up(
        141,
        "reactive energy register, quadrant 1, last settlement day",
        "上月（上一结算日）一象限无功电能示值",
        REACTIVE,
    ),
    _up(
        142,
        "reactive energy register, quadrant 2, last settlement day",
        "上月（上一结算日）二象限无功电能示值",
        REACTIVE,
    ),
    _up(
        143,
        "reactive energy register, quadrant 3, last settlement day",
        "上月（上一结算日）三象限无功电能示值",
        REACTIVE,
    ),
    _up(
        144,
        "reactive energy register, quadrant 4, last settlement day",
        "上月（上一结算日）四象限无功电能示值",
        REACTIVE,
    ),
    _up(
        145,
        "forward active maximum demand of the month",
        "当月正向有功最大需量及发生时间",
        ACTIVE_DEMAND,
    ),
    _up(
        146,
        "forward reactive maximum demand of the month",
        "当月正向无功最大需量及发生时间",
        REACTIVE_DEMAND,
    ),
    _up(
        147,
        "reverse active maximum demand of the month",
        "当月反向有功最大需量及发生时间",
        ACTIVE_DEMAND,
    ),
    _up(
        148,
        "reverse reactive maximum demand of the month",
        "当月反向无功最大需量及发生时间",
        REACTIVE_DEMAND,
    ),
    _up(
        149,
        "forward active maximum demand of last month",
        "上月（上一结算日）正向有功最大需量及发生时间",
        ACTIVE_DEMAND,
    ),
    _up(
        150,
        "forward reactive maximum demand of last month",
        "上月（上一结算日）正向无功最大需量及发生时间",
        REACTIVE_DEMAND,
    ),
    _up(
        151,
        "reverse active maximum demand of last month",
        "上月（上一结算日）反向有功最大需量及发生时间",
        ACTIVE_DEMAND,
    ),
    _up(
        152,
        "reverse reactive maximum demand of last month",
        "上月（上一结算日）反向无功最大需量及发生时间",
        REACTIVE_DEMAND,
    ),
    _up(153, "forward active energy, zone freeze 1", "第一时区冻结正向有功电能示值", ACTIVE),
    _up(154, "forward active energy, zone freeze 2", "第二时区冻结正向有功电能示值", ACTIVE),
    _up(155, "forward active energy, zone freeze 3", "第三时区冻结正向有功电能示值", ACTIVE),
    _up(156, "forward active energy, zone freeze 4", "第四时区冻结正向有功电能示值", ACTIVE),
    _up(157, "forward active energy, zone freeze 5", "第五时区冻结正向有功电能示值", ACTIVE),
    _up(158, "forward active energy, zone freeze 6", "第六时区冻结正向有功电能示值", ACTIVE),
    _up(159, "forward active energy, zone freeze 7", "第七时区冻结正向有功电能示值", ACTIVE),
    _up(160, "forward active energy, zone freeze 8", "第八时区冻结正向有功电能示值", ACTIVE),
    _up(161, "meter switch state", "电能表远程控制通断电状态信息", SWITCH),
    _up(165, "programming and cover opening", "电能表编程、开盖次数及时间", OPERATIONS),
    _up(166, "clock and tariff changes", "电能表参数修改次数及时间", CHANGES),
    _up(167, "prepaid balance", "电能表购、用电信息", PREPAID),
    _up(168, "settlement", "电能表结算信息", SETTLEMENT),
    _up(169, "routes of a node", "载波节点中继路由信息", ROUTES),
    _up(170, "how a meter was read", "集中抄表电表抄读信息", READING_INFO),
)
