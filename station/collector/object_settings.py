"""Parameters of DL/T 698.45 terminals that are no lists: links, clock, reports, events. Pure."""

from station.collector.object_forms import (
    Flag,
    Host,
    Interval,
    Letters,
    Number,
    Object,
    Pair,
    Several,
    TimeOfDay,
)
from station.collector.object_parts import (
    Kept,
    ObjectParameter,
    One,
    Parts,
    TimeoutAndRepeats,
    choices,
)
from station.protocols.dlt698.data import Data, DataType
from station.protocols.dlt698.identifiers import Oad
from station.words import Text

_ENUM, _LONG = Number(DataType.ENUM), Number(DataType.LONG_UNSIGNED)
_SMALL = Number(DataType.UNSIGNED)
_YES_NO = choices((0, "no", "否"), (1, "yes", "是"))
_WORK = One(
    "work", Text("Working mode", "工作模式"), _ENUM,
    choices=choices((0, "mixed", "混合模式"), (1, "client", "客户机模式"),
                     (2, "server", "服务器模式")),
)  # fmt: skip
_ONLINE = One(
    "online", Text("Online", "在线方式"), _ENUM,
    choices=choices((0, "always", "永久在线"), (1, "on demand", "被动激活")),
)  # fmt: skip
_TRANSPORT = One(
    "transport", Text("Transport", "连接方式"), _ENUM,
    choices=choices((0, "TCP", "TCP"), (1, "UDP", "UDP")),
)  # fmt: skip
_MANY = One(
    "connections", Text("Connections", "连接应用方式"), _ENUM,
    choices=choices((0, "main and spare", "主备模式"), (1, "several at once", "多连接模式")),
)  # fmt: skip
_LISTEN = One("listen", Text("Ports it listens on", "侦听端口列表"), Several(_LONG))
_APN = One("apn", Text("APN", "APN"), Letters("CMIOT"))
_USER = One("user", Text("User of the APN", "APN用户名"), Letters())
_PASSWORD = Kept(Data(DataType.VISIBLE_STRING, ""))
_PROXY = (
    One("proxy", Text("Proxy", "代理服务器地址"), Host()),
    One("proxy_port", Text("Port of the proxy", "代理端口"), _LONG),
)
_HEARTBEAT = One("heartbeat", Text("Heartbeat period", "心跳周期"), _LONG, "s")
_CONNECTION_HELP = Text(
    "How the terminal dials in, the access point of the mobile network, and how often it says that"
    " it is there. A heartbeat of 60 to 300 s keeps mobile links open. A mistake here cuts the"
    " terminal off.",
    "终端的连接方式、APN和心跳周期。心跳60至300秒可保持无线链路。填错会使终端失联。",
)
_STATIONS_HELP = Text(
    "Where the terminal dials in to: address and port of this station, then those of spare ones. A"
    " mistake here cuts the terminal off.",
    "终端登录的主站地址和端口，先主用后备用。填错会使终端失联。",
)
_STATIONS = One(
    "stations",
    Text("Master stations", "主站地址和端口"),
    Several(Pair((Host(), Number(DataType.LONG_UNSIGNED, example="7001")))),
)


def _mobile(oi: int) -> tuple[ObjectParameter, ...]:
    parts = (_WORK, _ONLINE, _TRANSPORT, _MANY, _LISTEN, _APN, _USER, _PASSWORD, *_PROXY,
             TimeoutAndRepeats(), _HEARTBEAT)  # fmt: skip
    letters = Several(Letters("13900000000"))
    messages = Parts(
        (
            One("centre", Text("Message centre", "短信中心号码"), Letters("13800000000")),
            One("master_numbers", Text("Numbers of the station", "主站号码"), letters),
            One("notified", Text("Numbers that are told", "短信通知目的号码"), letters),
        )
    )
    return (
        ObjectParameter(Oad.of(oi, 2), Parts(parts), _CONNECTION_HELP),
        ObjectParameter(Oad.of(oi, 3), _STATIONS, _STATIONS_HELP),
        ObjectParameter(
            Oad.of(oi, 4),
            messages,
            Text("Telephone numbers for short messages.", "短信通信使用的号码。"),
        ),
    )


def _ethernet(oi: int) -> tuple[ObjectParameter, ...]:
    connection = Parts(
        (_WORK, _TRANSPORT, _MANY, _LISTEN, *_PROXY, TimeoutAndRepeats(), _HEARTBEAT)
    )
    modes = choices((0, "DHCP", "DHCP"), (1, "fixed", "静态"), (2, "PPPoE", "PPPoE"))
    network = Parts(
        (
            One("mode", Text("Address from", "IP配置方式"), _ENUM, choices=modes),
            One("ip", Text("IP address", "IP地址"), Host()),
            One("mask", Text("Subnet mask", "子网掩码"), Host("255.255.255.0")),
            One("gateway", Text("Gateway", "网关地址"), Host("203.0.113.1")),
            One("pppoe_user", Text("PPPoE user", "PPPoE用户名"), Letters()),
            Kept(Data(DataType.VISIBLE_STRING, "")),
        )
    )
    return (
        ObjectParameter(Oad.of(oi, 2), connection, _CONNECTION_HELP),
        ObjectParameter(Oad.of(oi, 3), _STATIONS, _STATIONS_HELP),
        ObjectParameter(
            Oad.of(oi, 4),
            network,
            Text(
                "The terminal's own address in its network. A mistake here cuts the terminal off.",
                "终端自身的网络地址。填错会使终端失联。",
            ),
        ),
    )


_THRESHOLD = Text("Threshold", "阈值")
_ENABLED = One("enabled", Text("Switched on", "是否启用"), Flag(), choices=_YES_NO)
_START = One("start", Text("Time of day", "启动时间"), TimeOfDay())
_CLOCK = (
    ObjectParameter(
        Oad.of(0x4000, 3),
        One(
            "mode", Text("Time from", "校时模式"), _ENUM,
            choices=choices((0, "the master station", "主站授时"),
                             (1, "heartbeats", "终端精确校时"),
                             (2, "satellites", "北斗/GPS"), (255, "elsewhere", "其它")),
        ),
        Text("Whom the terminal takes the time from.", "终端时钟的来源。"),
    ),
    ObjectParameter(
        Oad.of(0x4000, 4),
        Parts(
            (
                One("heartbeats", Text("Heartbeats that count", "最近心跳时间总个数"), _SMALL),
                One("drop_high", Text("Highest left out", "最大值剔除个数"), _SMALL),
                One("drop_low", Text("Lowest left out", "最小值剔除个数"), _SMALL),
                One("delay", Text("Longest delay", "通讯延时阈值"), _SMALL, "s"),
                One("least", Text("Fewest that suffice", "最少有效个数"), _SMALL),
            )
        ),
        Text(
            "How the terminal sets its clock by the times in the answers to its heartbeats.",
            "终端按心跳应答中的时间精确校时的参数。",
        ),
    ),
    ObjectParameter(
        Oad.of(0x4204, 2),
        Parts((_START, _ENABLED)),
        Text(
            "When the terminal broadcasts the time to its meters each day.",
            "终端每日向电能表广播校时的时间。",
        ),
    ),
    ObjectParameter(
        Oad.of(0x4204, 3),
        Parts((One("threshold", _THRESHOLD, Number(DataType.INTEGER), "s"), _START, _ENABLED)),
        Text(
            "When the terminal sets, one by one, the clocks of meters that are off by more than the"
            " threshold.",
            "终端对时钟误差超过阈值的电能表单地址校时的时间。",
        ),
    ),
)  # fmt: skip
_REPORTING = tuple(
    ObjectParameter(Oad.of(0x4300, attribute), part, Text(english, chinese))
    for attribute, part, english, chinese in (
        (7, _ENABLED, "Whether answers may carry events along.", "是否允许应答中跟随上报事件。"),
        (8, _ENABLED, "Whether the terminal may report by itself.", "是否允许终端主动上报。"),
        (9, _ENABLED, "Whether the terminal may call the station.", "是否允许终端与主站通话。"),
        (
            10,
            One("channels", Text("Channels", "上报通道"), Several(Object())),
            "Over which of its modules the terminal reports: 45000200 mobile, 45100200 ethernet.",
            "终端上报使用的通道：45000200公网，45100200以太网。",
        ),
    )
)

_REPORT_FLAGS = choices(
    (0, "not at all", "不上报"), (1, "when it happens", "事件发生上报"),
    (2, "when it is over", "事件恢复上报"), (3, "both", "发生恢复均上报"),
)  # fmt: skip
_EVENT_HELP = Text(
    "Whether the terminal reports this event by itself, and when.",
    "该事件是否主动上报以及何时上报。",
)
_VALID_HELP = Text("Whether the terminal records this event.", "终端是否记录该事件。")
_EVENTS = (
    0x3100, 0x3101, 0x3104, 0x3105, 0x3106, 0x3109, 0x310A, 0x310B, 0x310C, 0x310D, 0x310E,
    0x310F, 0x3110, 0x3111, 0x3112, 0x3114, 0x3115, 0x3118,
)  # fmt: skip


def _event(oi: int) -> tuple[ObjectParameter, ...]:
    flag = One("report", Text("Reported", "上报标识"), _ENUM, choices=_REPORT_FLAGS)
    valid = One("valid", Text("Recorded", "有效标识"), Flag(), choices=_YES_NO)
    return (
        ObjectParameter(Oad.of(oi, 8), flag, _EVENT_HELP),
        ObjectParameter(Oad.of(oi, 9), valid, _VALID_HELP),
    )


_OF_TASK = One("task", Text("Task that brings the data", "关联采集任务号"), _SMALL)
_PERCENT = One("threshold", _THRESHOLD, Number(DataType.DOUBLE_LONG_UNSIGNED), "%")
_EVENT_LIMITS = tuple(
    ObjectParameter(
        Oad.of(oi, 6),
        Parts(parts),
        Text("From where on the terminal sees this event.", "终端判断该事件的条件。"),
    )
    for oi, parts in (
        (0x3105, (One("threshold", _THRESHOLD, _LONG, "s"), _OF_TASK)),
        (0x310B, (_OF_TASK,)),
        (0x310C, (_PERCENT, _OF_TASK)),
        (0x310D, (_PERCENT, _OF_TASK)),
        (0x310E, (One("threshold", _THRESHOLD, Interval()), _OF_TASK)),
        (0x310F, (One("rounds", Text("Rounds", "重试轮次"), _SMALL), _OF_TASK)),
        (
            0x3110,
            (
                One(
                    "limit",
                    Text("Limit", "通信流量门限"),
                    Number(DataType.DOUBLE_LONG_UNSIGNED),
                    "B",
                ),
            ),
        ),
    )
)

# Shown for every terminal, and such as may be chosen.
ALWAYS = _mobile(0x4500)[:2] + _ethernet(0x4510)[:2] + _CLOCK + _REPORTING
CHOSEN = (
    *_mobile(0x4500)[2:],
    *_mobile(0x4501),
    *_ethernet(0x4510)[2:],
    *_ethernet(0x4511),
    *_EVENT_LIMITS,
    *(row for oi in _EVENTS for row in _event(oi)),
)
