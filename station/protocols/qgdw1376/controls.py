"""AFN05, control (digest, section 10). Up there is only AFN00."""

from station.protocols.qgdw1376.formats import A1, BS8, BS16, U8, Octets
from station.protocols.qgdw1376.fragments import Function
from station.protocols.qgdw1376.layout import EMPTY, Bit, Field, Layout, Packed, Sized
from station.words import Text

TRIP = Layout(
    Packed(
        1,
        Bit("limit_time", "限电时间", 0, 4, "×0.5 h"),  # 0 until released
        Bit("alarm_delay", "告警延时时间", 4, 4, "min"),  # 0 at once
    )
)

_TEXT_KINDS = {0: Text("normal", "普通信息"), 1: Text("important", "重要信息")}
MESSAGE = Layout(
    Packed(
        1,
        Bit("number", "信息编号", 0, 4),
        Bit("kind", "信息种类", 4, 4, meanings=_TEXT_KINDS),
    ),
    Sized("text", "汉字信息", U8, is_text=True, most=200),
)

PERIOD_CONTROL = Layout(
    Field("periods", "时段功控投入标志", BS8), Field("plan", "时段功控定值方案号", U8)
)
RUNNING_DOWN = Layout(Field("parameters", "当前功率下浮控参数", Octets(8)))
PROTECTION = Layout(Field("duration", "自动保电持续时间", U8, "×0.5 h"))  # 0 unlimited
CAPACITORS = Layout(Field("groups", "电容器组", BS16))
CLOCK = Layout(Field("clock", "对时时间", A1))
PORT = Layout(Field("port", "通信端口号", U8))


def _control(fn: int, en: str, zh: str, layout: Layout = EMPTY) -> Function:
    return Function(fn, Text(en, zh), layout, EMPTY)


FUNCTIONS = (
    _control(1, "trip", "遥控跳闸", TRIP),
    _control(2, "allow closing", "允许合闸"),
    _control(9, "period power control on", "时段功控投入", PERIOD_CONTROL),
    _control(10, "rest day power control on", "厂休功控投入"),
    _control(11, "business suspension power control on", "营业报停功控投入"),
    _control(12, "running-down power control on", "当前功率下浮控投入", RUNNING_DOWN),
    _control(15, "monthly energy control on", "月电控投入"),
    _control(16, "purchase control on", "购电控投入"),
    _control(17, "period power control off", "时段功控解除"),
    _control(18, "rest day power control off", "厂休功控解除"),
    _control(19, "business suspension power control off", "营业报停功控解除"),
    _control(20, "running-down power control off", "当前功率下浮控解除"),
    _control(23, "monthly energy control off", "月电控解除"),
    _control(24, "purchase control off", "购电控解除"),
    _control(25, "terminal protection on", "终端保电投入", PROTECTION),
    _control(26, "dunning alarm on", "催费告警投入"),
    _control(27, "talk allowed", "允许终端与主站通话"),
    _control(28, "isolation on", "终端剔除投入"),
    _control(29, "reports allowed", "允许终端主动上报"),
    _control(31, "set the clock", "对时命令", CLOCK),
    _control(32, "Chinese text", "中文信息", MESSAGE),
    _control(33, "terminal protection off", "终端保电解除"),
    _control(34, "dunning alarm off", "催费告警解除"),
    _control(35, "talk forbidden", "禁止终端与主站通话"),
    _control(36, "isolation off", "终端剔除解除"),
    _control(37, "reports forbidden", "禁止终端主动上报"),
    _control(38, "connect to the station", "激活终端连接主站"),
    _control(39, "disconnect", "命令终端断开连接"),
    _control(41, "capacitors on", "电容器控制投入", CAPACITORS),
    _control(42, "capacitors off", "电容器控制切除", CAPACITORS),
    _control(49, "stop reading on a port", "命令指定通信端口暂停抄表", PORT),
    _control(50, "resume reading on a port", "命令指定通信端口恢复抄表", PORT),
    _control(51, "restart reading on a port", "命令指定通信端口重新抄表", PORT),
    _control(52, "clear the routes of a port", "初始化指定通信端口下的全部中继路由信息", PORT),
    _control(53, "delete the meters of a port", "删除指定通信端口下的全部电表", PORT),
)
