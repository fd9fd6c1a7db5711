"""The small function lists (digest, sections 7, 8, 11, 15): AFN00, 01, 02, 09, 0B, 0F and 10."""

from station.protocols.qgdw1376.formats import (
    A1,
    A12,
    A15,
    A20,
    BS8,
    U8,
    U16,
    U32,
    Characters,
    Octets,
)
from station.protocols.qgdw1376.fragments import Function, unknown
from station.protocols.qgdw1376.layout import (
    EMPTY,
    Bit,
    Field,
    Layout,
    Optional,
    Packed,
    Rest,
    Sized,
)
from station.protocols.qgdw1376.lists import TO_END, Count, Group, Series
from station.protocols.qgdw1376.units import IDENTIFICATION
from station.words import Text

# AFN00. The text of 2009 knows ERR 0 and 1; other numbers are shown as they are.
_ERRORS = {0: Text("right", "正确"), 1: Text("error", "错误")}
ITEM_BY_ITEM = Layout(
    Field("afn", "要确认的报文的AFN", BS8),
    Group(
        "items",
        "数据单元标识",
        Layout(
            Field("unit", "数据单元标识", IDENTIFICATION),
            Field("error", "确认/否认", U8, meanings=_ERRORS),
        ),
        TO_END,
    ),
)
CONFIRMATIONS = (
    Function(1, Text("all confirmed", "全部确认")),
    Function(2, Text("all denied", "全部否认")),
    Function(
        3, Text("confirmed item by item", "按数据单元标识确认和否认"), ITEM_BY_ITEM, ITEM_BY_ITEM
    ),
)

# AFN01
RESETS = (
    Function(1, Text("hardware restart", "硬件初始化")),
    Function(2, Text("clear the data area", "数据区初始化")),
    Function(3, Text("factory state", "参数及全体数据区初始化（恢复至出厂配置）")),
    Function(
        4,
        Text(
            "factory state but for the link to the station",
            "参数（除与系统主站通信有关的）及全体数据区初始化",
        ),
    ),
)

CLOCK = Layout(Field("clock", "终端时钟", A1))

# AFN02. Some terminals append bytes to a login; newer ones their clock to a heartbeat.
LINK_TESTS = (
    Function(1, Text("login", "登录"), EMPTY, Layout(Rest("appended", "附加数据"))),
    Function(2, Text("logout", "退出登录")),
    Function(
        3,
        Text("heartbeat", "心跳"),
        EMPTY,
        Layout(Optional(Layout(Field("clock", "终端时钟", A1)))),
    ),
)

# AFN09
VERSION = Layout(
    Field("vendor", "厂商代号", Characters(4)),
    Field("device", "设备编号", Characters(8)),
    Field("software_version", "终端软件版本号", Characters(4)),
    Field("software_date", "终端软件发布日期", A20),
    Field("capacity", "终端配置容量信息码", Characters(11)),
    Field("protocol_version", "终端通信协议版本号", Characters(4)),
    Field("hardware_version", "终端硬件版本号", Characters(4)),
    Field("hardware_date", "终端硬件发布日期", A20),
)
CONFIGURATIONS = (
    Function(1, Text("terminal version", "终端版本信息"), EMPTY, VERSION),
    unknown(2, "supported inputs and ports", "终端支持的输入、输出及通信端口配置"),
    unknown(3, "other supported configuration", "终端支持的其他配置"),
    unknown(4, "supported parameters", "终端支持的参数配置"),
    unknown(5, "supported controls", "终端支持的控制配置"),
    unknown(6, "supported class 1 data", "终端支持的1类数据配置"),
    unknown(7, "supported class 2 data", "终端支持的2类数据配置"),
    unknown(8, "supported events", "终端支持的事件记录配置"),
)

# AFN0B; the answer is AFN0C or AFN0D.
TASK_REQUESTS = (
    Function(1, Text("task data, class 1", "请求定时上报1类数据任务")),
    Function(
        2,
        Text("task data, class 2", "请求定时上报2类数据任务"),
        Layout(Field("start", "起始时间", A15)),
    ),
)

# AFN0F
FILE_SEGMENT = Layout(
    Field("file", "文件标识", U8),
    Field("attributes", "文件属性", BS8),
    Field("command", "文件指令", U8),
    Field("segments", "总段数n", U16),
    Field("segment", "第i段标识或偏移", U32),
    Sized("content", "文件数据", U16),
)
FILE_ANSWER = Layout(Field("segment", "收到的段标识", U32))
FILE_TRANSFERS = (Function(1, Text("file transfer", "文件传输方式1"), FILE_SEGMENT, FILE_ANSWER),)

# AFN10
_PARITIES = {0: Text("even", "偶校验"), 1: Text("odd", "奇校验")}
_SPEEDS = {
    code: Text(f"{speed} bit/s", f"{speed} bit/s")
    for code, speed in enumerate((300, 600, 1200, 2400, 4800, 7200, 9600, 19200))
}
_TIMEOUT_UNITS = {0: Text("10 ms", "10 ms"), 1: Text("1 s", "1 s")}
FORWARD = Layout(
    Field("port", "终端通信端口号", U8),
    Packed(
        1,
        Bit("data_bits_less_5", "数据位数减5", 0, 2),
        Bit("parity", "校验方式", 2, meanings=_PARITIES),
        Bit("parity_on", "有校验", 3),
        Bit("two_stop_bits", "2停止位", 4),
        Bit("speed", "波特率", 5, 3, meanings=_SPEEDS),
    ),
    Packed(
        1,
        Bit("frame_timeout", "透明转发接收等待报文超时时间", 0, 7),
        Bit("frame_timeout_unit", "超时时间单位", 7, meanings=_TIMEOUT_UNITS),
    ),
    Field("byte_timeout", "透明转发接收等待字节超时时间", U8, "×10 ms"),
    Sized("content", "透明转发内容", U16),
)
FORWARDED = Layout(Field("port", "终端通信端口号", U8), Sized("content", "透明转发内容", U16))

_RESULTS = {
    0: Text("cannot be forwarded", "不能执行转发"),
    1: Text("timeout", "转发接收超时"),
    2: Text("bad answer", "转发接收错误"),
    3: Text("confirmed", "转发接收确认"),
    4: Text("denied", "转发接收否认"),
    5: Text("data", "转发接收数据"),
}
_METER_PROTOCOLS = {
    0: Text("DL/T 645-1997", "DL/T 645-1997"),
    1: Text("DL/T 645-2007", "DL/T 645-2007"),
}
_FLAGS = {
    0xAA: Text("trip", "拉闸"),
    0x55: Text("allow closing", "允许合闸"),
    0xFF: Text("power on", "送电"),
}
RELAYS_UNSPECIFIED = 0xFF
RELAYS_MAX = 32
_RELAYS = {count: count for count in range(RELAYS_MAX + 1)} | {RELAYS_UNSPECIFIED: 0}
_PATH = Layout(
    Field("port", "终端通信端口号", U8),
    Field(
        "relay_count",
        "转发中继级数",
        U8,
        meanings={RELAYS_UNSPECIFIED: Text("unspecified", "不指定")},
    ),
    Series(
        "relays",
        "中继地址",
        A12,
        Count(key="relay_count", of=_RELAYS),
    ),
    Field("target", "转发目标地址", A12),
)
_SWITCH = _PATH + Layout(
    Field("flag", "拉合闸标志", U8, meanings=_FLAGS), Sized("password", "开关控制密码", U8)
)
_RESULT = Layout(
    Field("port", "终端通信端口号", U8),
    Field("target", "转发目标地址", A12),
    Field("result", "转发结果标志", U8, meanings=_RESULTS),
)
_SWITCHED = _RESULT + Layout(Field("flag", "拉合闸标志", U8, meanings=_FLAGS))

FORWARDINGS = (
    Function(1, Text("transparent forwarding", "透明转发"), FORWARD, FORWARDED),
    Function(
        9,
        Text("read a meter directly", "转发主站直接对电表的抄读数据命令"),
        _PATH
        + Layout(
            Field("protocol", "转发直接抄读的电表类型", U8, meanings=_METER_PROTOCOLS),
            Field("data_id", "数据标识", Octets(4)),
        ),
        # The identifier is 2 bytes for 1997; for 2007 4 are expected but not settled: both stay
        # together here.
        _RESULT + Layout(Sized("identifier_and_data", "数据标识及数据内容", U8)),
    ),
    Function(
        10, Text("switch a meter", "转发主站直接对电表的遥控跳闸/允许合闸命令"), _SWITCH, _SWITCHED
    ),
    Function(11, Text("power on a meter", "转发主站直接对电表的遥控送电命令"), _SWITCH, _SWITCHED),
)
