"""Objects that are set or operated: parameters, collection, control, ports (digest, section 14)."""

from station.words import Text

from .data import DataType
from .shapes import Array, Axis, ObjectRow, Secret, Shape, Structure, Value, single

_MOMENT = DataType.DATE_TIME_S

PARAMETERS = (
    ObjectRow(
        0x4000,
        Text("clock", "日期时间"),
        single(_MOMENT),
        attributes={
            3: Text("mode of time setting", "校时模式"),
            4: Text("precise time setting", "精准校时参数"),
        },
        methods={127: Text("broadcast time setting", "广播校时")},
    ),
    ObjectRow(0x4001, Text("communication address", "通信地址"), single(DataType.OCTET_STRING)),
    ObjectRow(0x4002, Text("meter number", "表号"), single(DataType.OCTET_STRING)),
    ObjectRow(0x4003, Text("customer number", "客户编号"), single(DataType.OCTET_STRING)),
    ObjectRow(0x4004, Text("position of the device", "设备地理位置")),
    ObjectRow(0x4005, Text("group addresses", "组地址")),
    ObjectRow(0x4006, Text("clock source", "时钟源")),
    ObjectRow(0x4007, Text("display parameters", "LCD参数")),
    ObjectRow(0x4008, Text("zone table switch time", "备用套时区表切换时间"), single(_MOMENT)),
    ObjectRow(0x4009, Text("period table switch time", "备用套日时段表切换时间"), single(_MOMENT)),
    ObjectRow(0x400A, Text("tariff switch time", "备用套分时费率切换时间"), single(_MOMENT)),
    ObjectRow(0x400B, Text("step switch time", "备用套阶梯电价切换时间"), single(_MOMENT)),
    ObjectRow(0x400C, Text("counts of zones, periods and tariffs", "时区时段数")),
    ObjectRow(0x400D, Text("count of steps", "阶梯数")),
    ObjectRow(0x4010, Text("count of metering elements", "计量元件数")),
    ObjectRow(0x4014, Text("zone table, main set", "当前套时区表")),
    ObjectRow(0x4015, Text("zone table, backup set", "备用套时区表")),
    ObjectRow(0x4016, Text("day period tables, main set", "当前套日时段表")),
    ObjectRow(0x4017, Text("day period tables, backup set", "备用套日时段表")),
    ObjectRow(0x4018, Text("tariff prices, main set", "当前套费率电价")),
    ObjectRow(0x4019, Text("tariff prices, backup set", "备用套费率电价")),
    ObjectRow(0x401A, Text("step prices, main set", "当前套阶梯电价")),
    ObjectRow(0x401B, Text("step prices, backup set", "备用套阶梯电价")),
    ObjectRow(0x401C, Text("CT ratio", "电流互感器变比")),
    ObjectRow(0x401D, Text("PT ratio", "电压互感器变比")),
    ObjectRow(0x401E, Text("alarm amounts", "报警金额限值")),
    ObjectRow(0x401F, Text("other limits of money", "其它金额限值")),
    ObjectRow(0x4100, Text("demand period", "最大需量周期")),
    ObjectRow(0x4101, Text("demand slip time", "滑差时间")),
    ObjectRow(0x4103, Text("asset number", "资产管理编码")),
    ObjectRow(0x4104, Text("rated voltage", "额定电压")),
    ObjectRow(0x4105, Text("rated current", "额定电流")),
    ObjectRow(0x4106, Text("maximum current", "最大电流")),
    ObjectRow(0x4107, Text("active accuracy class", "有功准确度等级")),
    ObjectRow(0x4108, Text("reactive accuracy class", "无功准确度等级")),
    ObjectRow(0x4109, Text("active meter constant", "电能表有功常数")),
    ObjectRow(0x410A, Text("reactive meter constant", "电能表无功常数")),
    ObjectRow(0x410B, Text("meter model", "电能表型号")),
    ObjectRow(0x4116, Text("settlement days", "结算日")),
    ObjectRow(
        0x4204,
        Text("terminal broadcast time setting", "终端广播校时"),
        attributes={
            2: Text("to all", "广播校时参数"),
            3: Text("to single meters", "单地址广播校时参数"),
        },
    ),
    ObjectRow(
        0x4300,
        Text("device", "电气设备"),
        attributes={
            2: Text("name", "设备名称"),
            3: Text("version", "版本信息"),
            4: Text("date of manufacture", "生产日期"),
            5: Text("sub-devices", "子设备列表"),
            6: Text("protocols", "支持规约列表"),
            7: Text("follow report allowed", "允许跟随上报"),
            8: Text("active report allowed", "允许主动上报"),
            9: Text("talk to master station allowed", "允许与主站通话"),
            10: Text("report channels", "上报通道"),
        },
        methods={
            1: Text("reset", "复位"),
            3: Text("data initialisation", "数据初始化"),
            4: Text("restore factory settings", "恢复出厂参数"),
            5: Text("event initialisation", "事件初始化"),
            6: Text("demand initialisation", "需量初始化"),
        },
    ),
    ObjectRow(0x4400, Text("application association", "应用连接")),
    ObjectRow(0x4401, Text("association password", "应用连接认证密码"), {2: Secret()}),
)

_CHANNEL_ATTRIBUTES = {
    2: Text("communication parameters", "通信配置"),
    3: Text("master station addresses", "主站通信参数表"),
}
_NUMBER = Value(DataType.UNSIGNED)
_MODE = Value(DataType.ENUM)
_TEXT = Value(DataType.VISIBLE_STRING)
_PORT = Value(DataType.LONG_UNSIGNED)
_LISTEN_PORTS = Array(_PORT)
_PROXY = (Value(DataType.OCTET_STRING), _PORT)
_TIMEOUT_AND_HEARTBEAT = (_NUMBER, Value(DataType.LONG_UNSIGNED, "s"))
# Work, online, connection and application mode, listen ports, APN, user, password, proxy, time-out
# with retries, heartbeat.
_MOBILE_SHAPES: dict[int, Shape] = {
    2: Structure(
        (_MODE,) * 4 + (_LISTEN_PORTS, _TEXT, _TEXT, Secret(), *_PROXY, *_TIMEOUT_AND_HEARTBEAT)
    ),
    9: Value(DataType.LONG, "dBm"),
}
# The same less the online mode, APN, user and password.
_ETHERNET_SHAPES: dict[int, Shape] = {
    2: Structure((_MODE, _MODE, _MODE, _LISTEN_PORTS, *_PROXY, *_TIMEOUT_AND_HEARTBEAT)),
    # How it gets its address, the address, mask and gateway, user and password of PPPoE.
    4: Structure((_MODE, *(Value(DataType.OCTET_STRING),) * 3, _TEXT, Secret())),
}
_MOBILE_ATTRIBUTES = {
    **_CHANNEL_ATTRIBUTES,
    4: Text("SMS parameters", "短信通信参数"),
    5: Text("version", "版本信息"),
    7: Text("ICCID", "SIM卡的ICCID"),
    8: Text("IMSI", "IMSI"),
    9: Text("signal strength", "信号强度"),
    10: Text("SIM number", "SIM卡号码"),
    11: Text("dial-up IP address", "拨号IP"),
}
_ETHERNET_ATTRIBUTES = {
    **_CHANNEL_ATTRIBUTES,
    4: Text("IP settings", "网络配置"),
    5: Text("MAC address", "MAC地址"),
}

COMMUNICATION = (
    ObjectRow(
        0x4500,
        Text("mobile module 1", "公网通信模块1"),
        _MOBILE_SHAPES,
        attributes=_MOBILE_ATTRIBUTES,
    ),
    ObjectRow(
        0x4501,
        Text("mobile module 2", "公网通信模块2"),
        _MOBILE_SHAPES,
        attributes=_MOBILE_ATTRIBUTES,
    ),
    *(
        ObjectRow(
            0x4510 + number,
            Text(f"ethernet module {number + 1}", f"以太网通信模块{number + 1}"),
            _ETHERNET_SHAPES,
            attributes=_ETHERNET_ATTRIBUTES,
        )
        for number in range(8)
    ),
)

_ADD = Text("add or update", "添加或更新")
_DELETE = Text("delete", "删除")
_CLEAR = Text("clear", "清空")
_LIST_METHODS = {127: _ADD, 128: _DELETE, 129: _CLEAR}

_ADDRESS = Value(DataType.TSA)
_RATIO = Value(DataType.LONG_UNSIGNED)
# Address, baud rate, protocol, port, password, tariffs, user type, wiring, rated voltage, current.
_BASIC_DATA = Structure(
    (
        _ADDRESS,
        _MODE,
        _MODE,
        Value(DataType.OAD),
        Secret(),
        _NUMBER,
        _NUMBER,
        _MODE,
        Value(DataType.LONG_UNSIGNED, "V", 1),
        Value(DataType.LONG_UNSIGNED, "A", 1),
    )
)
# Collector, asset number, PT and CT ratio.
_EXTENDED_DATA = Structure((_ADDRESS, Value(DataType.OCTET_STRING), _RATIO, _RATIO))
_ARCHIVE_UNIT = Structure((Value(DataType.LONG_UNSIGNED), _BASIC_DATA, _EXTENDED_DATA))

COLLECTION = (
    ObjectRow(
        0x6000,
        Text("archive of meters", "采集档案配置表"),
        {2: Array(_ARCHIVE_UNIT)},
        methods={
            127: Text("add", "添加"),
            128: Text("add in a batch", "批量添加"),
            129: Text("update basic data", "更新基本信息"),
            130: Text("update extended data", "更新扩展信息"),
            131: Text("delete by number", "按配置序号删除"),
            132: Text("delete by basic data", "按基本信息删除"),
            133: Text("delete by address and port", "按地址和端口删除"),
            134: _CLEAR,
        },
        arguments={
            127: _ARCHIVE_UNIT,
            128: Array(_ARCHIVE_UNIT),
            129: Structure((Value(DataType.LONG_UNSIGNED), _BASIC_DATA)),
        },
    ),
    ObjectRow(0x6001, Text("archive unit", "采集档案配置单元"), {2: _ARCHIVE_UNIT}),
    ObjectRow(
        0x6002,
        Text("meter search", "搜表"),
        methods={
            127: Text("start", "实时搜表"),
            128: Text("clear results", "清空搜表结果"),
            129: Text("clear records", "清空跨台区搜表结果"),
        },
    ),
    ObjectRow(
        0x6012,
        Text("tasks", "任务配置表"),
        attributes={3: Text("results", "采集任务记录")},
        methods={**_LIST_METHODS, 130: Text("set state", "更新任务状态")},
    ),
    ObjectRow(0x6013, Text("task unit", "任务配置单元")),
    ObjectRow(
        0x6014,
        Text("ordinary collection schemes", "普通采集方案集"),
        methods={**_LIST_METHODS, 130: Text("set columns", "重新设置记录列选择")},
    ),
    ObjectRow(0x6015, Text("ordinary collection scheme", "普通采集方案")),
    ObjectRow(0x6016, Text("event collection schemes", "事件采集方案集"), methods=_LIST_METHODS),
    ObjectRow(0x6018, Text("transparent schemes", "透明方案集"), methods=_LIST_METHODS),
    ObjectRow(0x601C, Text("report schemes", "上报方案集"), methods=_LIST_METHODS),
    ObjectRow(0x601D, Text("report scheme", "上报方案")),
    ObjectRow(0x601E, Text("collection rules", "采集规则库")),
    ObjectRow(0x6032, Text("collection states", "采集状态集")),
    ObjectRow(0x6034, Text("task monitor", "采集任务监控集")),
    ObjectRow(0x6035, Text("task monitor unit", "采集任务监控单元")),
    ObjectRow(0x6040, Text("collection start time", "采集启动时标"), single(_MOMENT)),
    ObjectRow(0x6041, Text("collection success time", "采集成功时标"), single(_MOMENT)),
    ObjectRow(0x6042, Text("collection store time", "采集存储时标"), single(_MOMENT)),
)

CONTROL = (
    ObjectRow(
        0x8000,
        Text("remote control", "远程控制"),
        attributes={
            2: Text("parameters", "配置参数"),
            3: Text("relay state", "继电器输出状态"),
            4: Text("alarm state", "告警状态"),
            5: Text("command state", "命令状态"),
        },
        methods={
            127: Text("alarm", "触发告警"),
            128: Text("end alarm", "解除报警"),
            129: Text("trip", "跳闸"),
            130: Text("close", "合闸"),
        },
    ),
    ObjectRow(
        0x8001,
        Text("keep power", "保电"),
        methods={127: Text("on", "投入保电"), 128: Text("off", "解除保电")},
    ),
    ObjectRow(0x8002, Text("fee alarm", "催费告警")),
    ObjectRow(0x8003, Text("ordinary Chinese text", "一般中文信息")),
    ObjectRow(0x8004, Text("important Chinese text", "重要中文信息")),
    ObjectRow(0x8100, Text("power kept to the customer", "终端保安定值")),
    ObjectRow(0x8101, Text("power control periods", "终端功控时段")),
    ObjectRow(0x8102, Text("power control alarm time", "功控告警时间")),
    ObjectRow(0x8103, Text("power control by period", "时段功控")),
    ObjectRow(0x8104, Text("power control on rest days", "厂休控")),
    ObjectRow(0x8105, Text("power control in suspension", "营业报停控")),
    ObjectRow(0x8106, Text("power control below present power", "当前功率下浮控")),
    ObjectRow(0x8107, Text("energy control by purchase", "购电控")),
    ObjectRow(0x8108, Text("energy control by month", "月电控")),
)

PORTS = (
    ObjectRow(0xF000, Text("files", "文件")),
    ObjectRow(
        0xF001,
        Text("file transfer in blocks", "文件分块传输管理"),
        attributes={4: Text("blocks received", "传输块状态字")},
        methods={7: Text("start", "启动传输"), 8: Text("write a block", "写文件")},
    ),
    ObjectRow(0xF002, Text("extended file transfer", "文件扩展传输管理")),
    ObjectRow(0xF100, Text("ESAM", "ESAM")),
    ObjectRow(
        0xF101,
        Text("security mode", "安全模式参数"),
        attributes={
            2: Text("mode", "安全模式选择"),
            3: Text("rules by object", "显式安全模式参数"),
        },
    ),
    ObjectRow(0xF200, Text("RS-232 port", "RS232"), axis=Axis.PORTS),
    ObjectRow(0xF201, Text("RS-485 port", "RS485"), axis=Axis.PORTS),
    ObjectRow(0xF202, Text("infrared port", "红外"), axis=Axis.PORTS),
    ObjectRow(0xF203, Text("input", "开关量输入"), axis=Axis.PORTS),
    ObjectRow(0xF205, Text("relay", "继电器输出"), axis=Axis.PORTS),
    ObjectRow(0xF206, Text("alarm output", "告警输出"), axis=Axis.PORTS),
    ObjectRow(0xF207, Text("multi-function terminal", "多功能端子"), axis=Axis.PORTS),
    ObjectRow(0xF208, Text("AC sampling", "交采接口"), axis=Axis.PORTS),
    ObjectRow(
        0xF209,
        Text("carrier or radio port", "本地载波/微功率无线接口"),
        axis=Axis.PORTS,
        methods={127: Text("forward", "透明转发")},
    ),
    ObjectRow(0xF20B, Text("bluetooth", "蓝牙"), axis=Axis.PORTS),
    ObjectRow(0xF300, Text("display lists", "自动轮显")),
)

SETTINGS = PARAMETERS + COMMUNICATION + COLLECTION + CONTROL + PORTS
