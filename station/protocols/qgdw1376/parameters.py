"""AFN04 and AFN0A, parameters (digest, sections 9 and 11).

AFN04 sets a parameter, AFN0A asks for it and answers in the layout of AFN04. A query mostly carries
no data unit; a few name the entries that they want.
"""

from dataclasses import dataclass

from station.protocols.qgdw1376.formats import (
    A12,
    REGION,
    U8,
    U16,
    U32,
    Characters,
    Nibbles,
    Octets,
)
from station.protocols.qgdw1376.layout import (
    EMPTY,
    Field,
    Layout,
    Optional,
)
from station.protocols.qgdw1376.lists import Count, Group, Series, counted, fixed
from station.protocols.qgdw1376.parameter_layouts import (
    ADDING_GROUP,
    ANALOGUE,
    CLASS_CONFIGURATION,
    EVENT_MASKS,
    METER,
    MODULE,
    NETWORK,
    POINT,
    POINT_LIMITS,
    PULSE,
    PW_SCHEMES,
    READING_PORT,
    RELAY,
    REPORT_TASK,
    STATION_ADDRESS,
    TASK_SWITCH,
    UPLINK,
    UPLINK_MODE,
    InputMasks,
)
from station.words import Text


@dataclass(frozen=True, slots=True)
class Parameter:
    """One Fn: the layout of its values, and of the data unit of a query.

    Without a layout the digest names the parameter only.
    """

    fn: int
    name: Text
    layout: Layout | None = None
    query: Layout = EMPTY


def _entries(count: Count, key: str = "indexes", zh: str = "序号") -> Layout:
    """Return a query that may name the entries it wants."""
    index = U8 if count.leading is U8 else U16
    return Layout(Optional(Layout(Series(key, zh, index, count))))


# A query without entries ends at once, so a count of none would be something else.
_BY_BYTE = _entries(counted(U8, least=1))
_BY_WORD = _entries(counted(U16, least=1))
_BY_CLASS = Layout(
    Optional(
        Layout(
            Field("big_class", "用户大类号", U8),
            Series("small_classes", "用户小类号", U8, counted(U8)),
        )
    )
)

PARAMETERS = (
    Parameter(1, Text("up-link communication", "终端上行通信口通信参数"), UPLINK),
    Parameter(2, Text("relay on radio", "终端上行通信口无线中继转发"), RELAY),
    Parameter(3, Text("station address", "主站IP地址和端口"), STATION_ADDRESS),
    Parameter(
        4,
        Text("station phone and SMS centre", "主站电话号码和短信中心号码"),
        Layout(
            Field("master_phone", "主站电话号码", Nibbles(8)),
            Field("sms_centre", "短信中心号码", Nibbles(8)),
        ),
    ),
    Parameter(
        5,
        Text("message authentication", "终端上行通信消息认证参数"),
        Layout(
            Field("scheme", "消息认证方案号", U8, meanings=PW_SCHEMES),
            Field("parameter", "消息认证方案参数", Octets(2)),
        ),
    ),
    Parameter(
        6,
        Text("group addresses", "终端组地址"),
        Layout(Series("groups", "组地址", U16, fixed(8))),
    ),
    Parameter(7, Text("terminal address on the network", "终端IP地址和端口"), NETWORK),
    Parameter(8, Text("up-link mode", "终端上行通信工作方式"), UPLINK_MODE),
    Parameter(9, Text("event configuration", "终端事件记录配置"), EVENT_MASKS),
    Parameter(
        10,
        Text("meter archive", "终端电能表/交流采样装置配置参数"),
        Layout(Group("meters", "电能表", METER, counted(U16))),
        _BY_WORD,
    ),
    Parameter(
        11,
        Text("pulse inputs", "终端脉冲配置参数"),
        Layout(Group("pulses", "脉冲", PULSE, counted(U8))),
        _BY_BYTE,
    ),
    Parameter(12, Text("status inputs", "终端状态量输入参数"), Layout(InputMasks())),
    Parameter(
        13,
        Text("analogue inputs", "终端电压/电流模拟量配置参数"),
        Layout(Group("analogues", "模拟量", ANALOGUE, counted(U8))),
        _BY_BYTE,
    ),
    Parameter(
        14,
        Text("adding groups", "终端总加组配置参数"),
        Layout(Group("groups", "总加组", ADDING_GROUP, counted(U8))),
        _BY_BYTE,
    ),
    Parameter(
        15, Text("differential energy limit", "有功总电能量差动越限事件参数"), query=_BY_BYTE
    ),
    Parameter(
        16,
        Text("VPN user", "虚拟专网用户名、密码"),
        Layout(Field("user", "用户名", Characters(32)), Field("password", "密码", Characters(32))),
    ),
    Parameter(17, Text("security power limit", "终端保安定值")),
    Parameter(18, Text("power control periods", "终端功控时段")),
    Parameter(19, Text("floating factor of the power limit", "终端时段功控定值浮动系数")),
    Parameter(20, Text("floating factor of the energy limit", "终端月电能量控定值浮动系数")),
    Parameter(21, Text("tariff periods", "终端电能量费率时段和费率数")),
    Parameter(22, Text("tariffs", "终端电能量费率")),
    Parameter(23, Text("dunning alarm", "终端催费告警参数")),
    Parameter(25, Text("basic data of a point", "测量点基本参数"), POINT),
    Parameter(26, Text("limits of a point", "测量点限值参数"), POINT_LIMITS),
    Parameter(27, Text("copper and iron loss", "测量点铜损、铁损参数")),
    Parameter(28, Text("power factor limits", "测量点功率因数分段限值")),
    Parameter(
        29,
        Text("local display number", "终端当地电能表显示号"),
        Layout(Field("number", "显示号", Characters(12))),
    ),
    Parameter(
        30,
        Text("stop or resume reading of a point", "台区集中抄表停抄/投抄设置"),
        Layout(
            Field(
                "stopped",
                "停抄/投抄标志",
                U8,
                meanings={1: Text("stopped", "停抄"), 0: Text("resumed", "投抄")},
            )
        ),
    ),
    Parameter(
        31,
        Text("nodes behind a carrier node", "载波从节点附属节点地址"),
        Layout(Series("nodes", "附属节点地址", A12, counted(U8, most=20))),
    ),
    Parameter(
        33,
        Text("reading run", "终端抄表运行参数"),
        Layout(Group("ports", "端口", READING_PORT, counted(U8))),
        _BY_BYTE,
    ),
    Parameter(
        34,
        Text("down-link modules", "集中器下行通信模块的参数"),
        Layout(Group("modules", "通信模块", MODULE, counted(U8))),
        _BY_BYTE,
    ),
    Parameter(
        35,
        Text("key users", "台区集中抄表重点户"),
        Layout(Series("indexes", "电能表序号", U16, counted(U8, most=20))),
    ),
    Parameter(
        36,
        Text("monthly traffic limit", "终端上行通信流量门限"),
        Layout(Field("limit", "月通信流量门限", U32)),
    ),
    Parameter(37, Text("cascade port and partners", "终端级联通信参数")),
    Parameter(
        38, Text("class 1 data of user classes", "1类数据配置"), CLASS_CONFIGURATION, _BY_CLASS
    ),
    Parameter(
        39, Text("class 2 data by user class", "2类数据配置"), CLASS_CONFIGURATION, _BY_CLASS
    ),
    Parameter(41, Text("period power limits", "时段功控定值")),
    Parameter(42, Text("rest day power control", "厂休功控参数")),
    Parameter(43, Text("sliding time of the power", "功率控制的功率计算滑差时间")),
    Parameter(44, Text("business suspension power control", "营业报停控参数")),
    Parameter(45, Text("rounds of the power control", "功控轮次设定")),
    Parameter(46, Text("monthly energy limit", "月电量控定值")),
    Parameter(47, Text("purchase control", "购电量（费）控参数")),
    Parameter(48, Text("rounds of the energy control", "电控轮次设定")),
    Parameter(49, Text("power control warning time", "功控告警时间")),
    Parameter(57, Text("sound alarms", "终端声音告警允许/禁止")),
    Parameter(58, Text("automatic protection", "终端自动保电参数")),
    Parameter(59, Text("meter fault limits", "电能表异常判别阈值")),
    Parameter(60, Text("harmonics limits", "谐波限值")),
    Parameter(61, Text("DC analogue inputs", "直流模拟量接入参数")),
    Parameter(65, Text("class 1 report task", "定时上报1类数据任务"), REPORT_TASK),
    Parameter(66, Text("class 2 report task", "定时上报2类数据任务"), REPORT_TASK),
    Parameter(
        67, Text("start or stop class 1 reports", "定时上报1类数据任务启动/停止"), TASK_SWITCH
    ),
    Parameter(
        68, Text("start or stop class 2 reports", "定时上报2类数据任务启动/停止"), TASK_SWITCH
    ),
    Parameter(73, Text("capacitors", "电容器参数")),
    Parameter(74, Text("capacitor switching", "电容器投切运行参数")),
    Parameter(75, Text("capacitor protection", "电容器保护参数")),
    Parameter(76, Text("capacitor control", "电容器投切控制方式")),
    Parameter(81, Text("DC analogue ratio", "直流模拟量输入变比")),
    Parameter(82, Text("DC analogue limits", "直流模拟量限值")),
    Parameter(83, Text("DC analogue freeze", "直流模拟量冻结参数")),
    Parameter(
        89,
        Text("terminal address", "终端地址"),
        Layout(Field("region", "行政区划码", REGION), Field("terminal", "终端地址", U16)),
    ),
)
