"""The layouts of parameters (digest, section 9), in the order of their Fn."""

from collections.abc import Mapping
from typing import Any

from station.protocols.qgdw1376.formats import (
    A1,
    A5,
    A7,
    A12,
    A18,
    A19,
    A22,
    A23,
    A25,
    BS8,
    BS24,
    BS32,
    BS64,
    IP,
    U8,
    U16,
    U32,
    Characters,
    Format,
    Octets,
)
from station.protocols.qgdw1376.layout import (
    Bit,
    Field,
    Layout,
    Packed,
    Part,
    Row,
    Sized,
    Unfit,
    Values,
)
from station.protocols.qgdw1376.lists import Count, Group, Series, counted
from station.protocols.qgdw1376.units import IDENTIFICATION
from station.words import Text

_PORT = Field("port", "端口号", U8)
_POINT_8 = Field("point", "测量点", U8)

UPLINK = Layout(
    Field("rts_time", "RTS延时", U8, "×20 ms"),
    Field("allowed_delay", "作为启动站允许发送传输延时时间", U8, "min"),
    Packed(
        2,
        Bit("timeout", "等待从动站响应的超时时间", 0, 12, "s"),
        Bit("repeats", "重发次数", 12, 2),
    ),
    Field("confirm_reports", "需要主站确认的通信服务", BS8),
    Field("heartbeat_period", "心跳周期", U8, "min"),
)

RELAY = Layout(
    Packed(1, Bit("count", "被转发终端个数", 0, 7), Bit("allowed", "允许转发", 7)),
    Series("terminals", "被转发终端地址", U16, Count(key="count")),
)

STATION_ADDRESS = Layout(
    Field("main_ip", "主用IP地址", IP),
    Field("main_port", "主用端口", U16),
    Field("spare_ip", "备用IP地址", IP),
    Field("spare_port", "备用端口", U16),
    Field("apn", "APN", Characters(16)),
)

_PROXIES = {
    0: Text("none", "不使用代理"),
    1: Text("HTTP connect", "http connect"),
    2: Text("SOCKS4", "socks4"),
    3: Text("SOCKS5", "socks5"),
}
NETWORK = Layout(
    Field("ip", "终端IP地址", IP),
    Field("mask", "子网掩码", IP),
    Field("gateway", "网关地址", IP),
    Field("proxy", "代理类型", U8, meanings=_PROXIES),
    Field("proxy_ip", "代理服务器地址", IP),
    Field("proxy_port", "代理服务器端口", U16),
    Field("proxy_authentication", "代理服务器连接方式", U8),
    Sized("user", "用户名", U8, is_text=True, most=20),
    Sized("password", "密码", U8, is_text=True, most=20),
    Field("listen_port", "终端侦听端口", U16),
)

UPLINK_MODE = Layout(
    Packed(
        1,
        Bit(
            "client_mode",
            "客户机在线模式",
            0,
            2,
            meanings={
                1: Text("always on line", "永久在线"),
                2: Text("passive", "被动激活"),
                3: Text("by time window", "时段在线"),
            },
        ),
        Bit(
            "role",
            "工作模式",
            4,
            2,
            meanings={
                0: Text("mixed", "混合模式"),
                1: Text("client", "客户机模式"),
                2: Text("server", "服务器模式"),
            },
        ),
        Bit("transport", "通信协议", 7, meanings={0: Text("TCP", "TCP"), 1: Text("UDP", "UDP")}),
    ),
    Field("redial_interval", "重拨间隔", U16, "s"),
    Field("passive_redials", "被动激活重拨次数", U8),
    Field("idle_disconnect", "无通信自动断线时间", U8, "min"),
    Field("hours_allowed", "允许在线时段标志", BS24),
)

EVENT_MASKS = Layout(
    Field("valid", "事件记录有效标志位", BS64), Field("important", "事件重要性等级标志位", BS64)
)

_SPEEDS = {
    0: Text("default", "默认"),
    1: Text("600 bit/s", "600 bit/s"),
    2: Text("1200 bit/s", "1200 bit/s"),
    3: Text("2400 bit/s", "2400 bit/s"),
    4: Text("4800 bit/s", "4800 bit/s"),
    5: Text("7200 bit/s", "7200 bit/s"),
    6: Text("9600 bit/s", "9600 bit/s"),
    7: Text("19200 bit/s", "19200 bit/s"),
}
_METER_PROTOCOLS = {
    0: Text("none", "无"),
    1: Text("DL/T 645-1997", "DL/T 645-1997"),
    2: Text("AC sampling", "交流采样"),
    30: Text("DL/T 645-2007", "DL/T 645-2007"),
    31: Text("carrier module by serial", "串行接口连接窄带低压载波通信模块"),
}
METER = Layout(
    Field("index", "电能表/交流采样装置序号", U16),
    Field("point", "所属测量点号", U16),
    Packed(1, Bit("port", "通信端口号", 0, 5), Bit("speed", "通信速率", 5, 3, meanings=_SPEEDS)),
    Field("protocol", "通信协议类型", U8, meanings=_METER_PROTOCOLS),
    Field("address", "通信地址", A12),
    Field("password", "通信密码", Octets(6)),
    Packed(1, Bit("tariffs", "电能费率个数", 0, 6)),
    Packed(
        1,
        Bit("decimals_less_1", "小数位个数减1", 0, 2),
        Bit("integer_digits_less_4", "整数位个数减4", 2, 2),
    ),
    Field("collector", "所属采集器通信地址", A12),
    Packed(1, Bit("small_class", "用户小类号", 0, 4), Bit("big_class", "用户大类号", 4, 4)),
)

_PULSES = {
    0: Text("active forward", "正向有功"),
    1: Text("reactive forward", "正向无功"),
    2: Text("active reverse", "反向有功"),
    3: Text("reactive reverse", "反向无功"),
}
PULSE = Layout(
    _PORT,
    _POINT_8,
    Field("kind", "脉冲属性", U8, meanings=_PULSES),
    Field("constant", "电表常数", U16),
)

ANALOGUE = Layout(
    _PORT,
    _POINT_8,
    Field(
        "kind",
        "电压/电流模拟量属性",
        U8,
        meanings={
            number: Text(name, name)
            for number, name in enumerate(("Ua", "Ub", "Uc", "Ia", "Ib", "Ic"))
        },
    ),
)

ADDING_GROUP = Layout(
    Field("group", "总加组序号", U8),
    Group(
        "members",
        "测量点",
        Layout(
            Packed(
                1,
                Bit("point_less_1", "测量点号减1", 0, 6),
                Bit("reverse", "反向", 6),
                Bit("subtract", "减", 7),
            )
        ),
        counted(U8),
    ),
)

_WIRINGS = {
    1: Text("3-phase 3-wire", "三相三线"),
    2: Text("3-phase 4-wire", "三相四线"),
    3: Text("single phase", "单相表"),
}
_METER_PHASES = {
    0: Text("unknown", "不确定"),
    1: Text("A", "A相"),
    2: Text("B", "B相"),
    3: Text("C", "C相"),
}
POINT = Layout(
    Field("pt_ratio", "电压互感器倍率", U16),
    Field("ct_ratio", "电流互感器倍率", U16),
    Field("rated_voltage", "额定电压", A7, "V"),
    Field("rated_current", "额定电流", A22, "A"),
    Field("rated_load", "额定负荷", A23, "kVA"),
    Packed(
        1,
        Bit("wiring", "电源接线方式", 0, 2, meanings=_WIRINGS),
        Bit("phase", "单相表接线相", 2, 2, meanings=_METER_PHASES),
    ),
)


def _limit(key: str, zh: str, layout: Format, unit: str) -> Layout:
    """Return a limit with the time it has to last and the factor of its recovery."""
    return Layout(
        Field(key, zh, layout, unit),
        Field(f"{key}_time", f"{zh}越限持续时间", U8, "min"),
        Field(f"{key}_recovery", f"{zh}越限恢复系数", A5, "%"),
    )


POINT_LIMITS = (
    Layout(
        Field("voltage_pass_upper", "电压合格上限", A7, "V"),
        Field("voltage_pass_lower", "电压合格下限", A7, "V"),
        Field("phase_loss_voltage", "电压断相门限", A7, "V"),
    )
    + _limit("over_voltage", "电压上上限", A7, "V")
    + _limit("under_voltage", "电压下下限", A7, "V")
    + _limit("current_upper_upper", "相电流上上限", A25, "A")
    + _limit("current_upper", "相电流上限", A25, "A")
    + _limit("zero_current", "零序电流上限", A25, "A")
    + _limit("apparent_power_upper_upper", "视在功率上上限", A23, "kVA")
    + _limit("apparent_power_upper", "视在功率上限", A23, "kVA")
    + _limit("voltage_imbalance", "三相电压不平衡限值", A5, "%")
    + _limit("current_imbalance", "三相电流不平衡限值", A5, "%")
    + Layout(Field("voltage_loss_time", "连续失压时间限值", U8, "min"))
)

READING_PORT = Layout(
    _PORT,
    Packed(
        2,
        Bit("no_automatic_reading", "不允许自动抄表", 0),
        Bit("key_meters_only", "只抄重点表", 1),
        Bit("send_freeze", "广播冻结", 2),
        Bit("send_clock", "定时广播校时", 3),
        Bit("search_meters", "搜寻新增或更换的电表", 4),
        Bit("read_status_words", "抄读电表状态字", 5),
    ),
    Field("days", "抄表日", BS32),
    Field("time", "抄表时间", A19),
    Field("interval", "抄表间隔时间", U8, "min"),
    Field("clock_broadcast", "广播校时定时时间", A18),
    Group(
        "periods",
        "允许抄表时段",
        Layout(Field("start", "开始时间", A19), Field("end", "结束时间", A19)),
        counted(U8, most=24),
    ),
)

MODULE = Layout(_PORT, Field("control", "通信控制字", BS8), Field("speed", "速率", U32, "bit/s"))

CLASS_CONFIGURATION = Layout(
    Field("big_class", "用户大类号", U8),
    Group(
        "small_classes",
        "用户小类",
        Layout(
            Field("small_class", "用户小类号", U8),
            Series("functions", "信息类组标志", BS8, counted(U8, most=31)),
        ),
        counted(U8),
    ),
)

_PERIOD_UNITS = {
    0: Text("minutes", "分"),
    1: Text("hours", "时"),
    2: Text("days", "日"),
    3: Text("months", "月"),
}
REPORT_TASK = Layout(
    Packed(
        1,
        Bit("period", "定时上报周期", 0, 6),
        Bit("period_unit", "周期单位", 6, 2, meanings=_PERIOD_UNITS),
    ),
    Field("base_time", "上报基准时间", A1),
    Field("sampling", "曲线数据抽取倍率", U8),
    Series("units", "数据单元标识", IDENTIFICATION, counted(U8)),
)

_STARTED = {0x55: Text("start", "启动"), 0xAA: Text("stop", "停止")}
TASK_SWITCH = Layout(Field("state", "启动/停止标志", U8, meanings=_STARTED))

PW_SCHEMES = {0: Text("none", "不认证"), 255: Text("hardware", "硬件认证")}


class InputMasks(Part):
    """Two masks of equal size up to the end: 16 inputs in one source of the digest, 8 in another.

    Values are hex digits, because their number tells the size.
    """

    def read(self, data: bytes, at: int, values: Values) -> int:
        """Read both masks. Raises Unfit unless 2 or 4 bytes are left."""
        size, odd = divmod(len(data) - at, 2)
        if odd or size not in (1, 2):
            raise Unfit(f"two masks take 2 or 4 bytes, {len(data) - at} are left")
        values["connected"] = data[at : at + size][::-1].hex().upper()
        values["normally_open"] = data[at + size :][::-1].hex().upper()
        return len(data)

    def write(self, values: Mapping[str, Any]) -> bytes:
        """Write both masks. Raises ValueError if their sizes differ."""
        connected = bytes.fromhex(values["connected"])[::-1]
        normally_open = bytes.fromhex(values["normally_open"])[::-1]
        if len(connected) != len(normally_open) or len(connected) not in (1, 2):
            raise ValueError("two masks of 1 or 2 bytes are needed")
        return connected + normally_open

    def rows(self, values: Mapping[str, Any]) -> list[Row]:
        """Return a row for each mask."""
        size = len(values["connected"]) // 2
        masks = (("connected", "状态量接入标志位"), ("normally_open", "状态量属性标志位"))
        return [row for key, zh in masks for row in Field(key, zh, Octets(size)).rows(values)]
