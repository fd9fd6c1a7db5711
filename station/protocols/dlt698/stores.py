"""Objects that keep records: freezes, events of meters and terminals (digest, section 14)."""

from station.words import Text

from .data import DataType
from .shapes import Array, Axis, ObjectRow, Structure, Value

_COLUMNS = Text("columns", "关联对象属性表")

_FREEZE_METHODS = {
    3: Text("trigger", "触发一次冻结"),
    4: Text("add columns", "添加关联对象"),
    5: Text("delete columns", "删除关联对象"),
    7: Text("add columns in a batch", "批量添加关联对象"),
    8: Text("clear columns", "清除关联对象"),
}
_FREEZE_COLUMNS = Array(
    Structure(
        (
            Value(DataType.LONG_UNSIGNED),
            Value(DataType.OAD),
            Value(DataType.LONG_UNSIGNED),
        )
    )
)

FREEZES = tuple(
    ObjectRow(
        oi,
        name,
        {3: _FREEZE_COLUMNS},
        Axis.RECORDS,
        {3: _COLUMNS},
        _FREEZE_METHODS,
    )
    for oi, name in (
        (0x5000, Text("instant freeze", "瞬时冻结")),
        (0x5001, Text("second freeze", "秒冻结")),
        (0x5002, Text("minute freeze", "分钟冻结")),
        (0x5003, Text("hour freeze", "小时冻结")),
        (0x5004, Text("day freeze", "日冻结")),
        (0x5005, Text("settlement day freeze", "结算日冻结")),
        (0x5006, Text("month freeze", "月冻结")),
        (0x5007, Text("year freeze", "年冻结")),
        (0x5008, Text("freeze at zone table switch", "时区表切换冻结")),
        (0x5009, Text("freeze at period table switch", "日时段表切换冻结")),
        (0x500A, Text("freeze at tariff switch", "费率电价切换冻结")),
        (0x500B, Text("freeze at step switch", "阶梯切换冻结")),
        (0x5011, Text("step settlement freeze", "阶梯结算冻结")),
    )
)

# Class 24: one record unit each for the phases and the total; which is which is not confirmed.
_PHASE_EVENT_ATTRIBUTES = {
    2: _COLUMNS,
    3: Text("counts", "当前记录数"),
    4: Text("maximum counts", "最大记录数"),
    5: Text("configuration", "配置参数"),
    6: Text("records 1", "事件记录表1"),
    7: Text("records 2", "事件记录表2"),
    8: Text("records 3", "事件记录表3"),
    9: Text("records 4", "事件记录表4"),
    10: Text("present values", "当前值记录表"),
    11: Text("report flag", "上报标识"),
    12: Text("valid flag", "有效标识"),
}
# Class 7.
_EVENT_ATTRIBUTES = {
    3: _COLUMNS,
    4: Text("count", "当前记录数"),
    5: Text("maximum count", "最大记录数"),
    6: Text("configuration", "配置参数"),
    8: Text("report flag", "上报标识"),
    9: Text("valid flag", "有效标识"),
}

PHASE_EVENTS = tuple(
    ObjectRow(oi, name, {}, Axis.NONE, _PHASE_EVENT_ATTRIBUTES)
    for oi, name in (
        (0x3000, Text("loss of voltage", "电能表失压事件")),
        (0x3001, Text("under voltage", "电能表欠压事件")),
        (0x3002, Text("over voltage", "电能表过压事件")),
        (0x3003, Text("phase failure", "电能表断相事件")),
        (0x3004, Text("loss of current", "电能表失流事件")),
        (0x3005, Text("over current", "电能表过流事件")),
        (0x3006, Text("no current", "电能表断流事件")),
        (0x3007, Text("reverse power", "电能表功率反向事件")),
        (0x3008, Text("overload", "电能表过载事件")),
        (0x300B, Text("reactive demand above limit", "电能表无功需量超限事件")),
    )
)

EVENTS = tuple(
    ObjectRow(oi, name, {}, Axis.RECORDS, _EVENT_ATTRIBUTES)
    for oi, name in (
        (0x300D, Text("loss of all voltages", "电能表全失压事件")),
        (0x300F, Text("reverse voltage sequence", "电能表电压逆相序事件")),
        (0x3011, Text("meter power-down", "电能表掉电事件")),
        (0x3012, Text("meter programming", "电能表编程事件")),
        (0x3013, Text("meter clear", "电能表清零事件")),
        (0x3014, Text("demand clear", "电能表需量清零事件")),
        (0x3015, Text("event clear", "电能表事件清零事件")),
        (0x3016, Text("meter time setting", "电能表校时事件")),
        (0x301B, Text("cover opened", "电能表开盖事件")),
        (0x301C, Text("terminal cover opened", "电能表开端钮盒事件")),
        (0x301F, Text("relay tripped", "电能表跳闸事件")),
        (0x3020, Text("relay closed", "电能表合闸事件")),
        (0x3028, Text("purchase", "电能表购电事件")),
        (0x302A, Text("magnetic field", "电能表恒定磁场干扰事件")),
        (0x302B, Text("load switch fault", "电能表负荷开关误动作事件")),
        (0x302E, Text("meter clock fault", "电能表时钟故障事件")),
        (0x3100, Text("terminal initialisation", "终端初始化事件")),
        (0x3101, Text("terminal version change", "终端版本变更事件")),
        (0x3104, Text("terminal input change", "终端状态量变位事件")),
        (0x3105, Text("meter clock deviation", "电能表时钟超差事件")),
        (0x3106, Text("terminal power off and on", "终端停/上电事件")),
        (0x3109, Text("terminal authentication error", "终端消息认证错误事件")),
        (0x310A, Text("device fault", "设备故障记录")),
        (0x310B, Text("meter register decreased", "电能表示度下降事件")),
        (0x310C, Text("meter energy deviation", "电能量超差事件")),
        (0x310D, Text("meter runs away", "电能表飞走事件")),
        (0x310E, Text("meter stands still", "电能表停走事件")),
        (0x310F, Text("meter reading failed", "终端抄表失败事件")),
        (0x3110, Text("month traffic above limit", "月通信流量超限事件")),
        (0x3111, Text("unknown meter found", "发现未知电能表事件")),
        (0x3112, Text("meter of another transformer area", "跨台区电能表事件")),
        (0x3114, Text("terminal time setting", "终端对时事件")),
        (0x3115, Text("remote trip", "遥控跳闸记录")),
        (0x3118, Text("terminal programming", "终端编程记录")),
        (0x311C, Text("archive change", "档案变更事件")),
    )
)

EVENT_COLUMNS = (ObjectRow(0x3300, Text("report state by channel", "通道上报状态")),)

STORES = FREEZES + PHASE_EVENTS + EVENTS + EVENT_COLUMNS
