"""Lists in DL/T 698.45 terminals whose entries are parameters: meters, tasks, schemes. Pure."""

from station.collector.object_forms import Digits, Interval, Moment, Number, Object, Server, Several
from station.collector.object_parts import Kept, ObjectParameter, One, Parts, Place, choices
from station.collector.object_scheme_forms import Column, HowToRead, MeterSet, Span
from station.protocols.dlt698.data import Data, DataType
from station.protocols.dlt698.identifiers import BAUD_AUTO, BAUD_RATES, Oad, Omd
from station.words import Text

METERS, TASKS, SCHEMES = Oad.of(0x6000), Oad.of(0x6012), Oad.of(0x6014)
METERS_MAX, TASKS_MAX, SCHEMES_MAX = 2040, 255, 255  # A long-unsigned; two unsigned.

_ENUM, _LONG = Number(DataType.ENUM), Number(DataType.LONG_UNSIGNED)
_SMALL = Number(DataType.UNSIGNED)

_SPEEDS = (
    *((str(place), Text(str(speed), str(speed))) for place, speed in enumerate(BAUD_RATES)),
    (str(BAUD_AUTO), Text("automatic", "自适应")),
)
_PROTOCOLS = choices(
    (0, "unknown", "未知"), (1, "DL/T 645-1997", "DL/T 645-1997"),
    (2, "DL/T 645-2007", "DL/T 645-2007"), (3, "DL/T 698.45", "DL/T 698.45"),
    (4, "CJ/T 188", "CJ/T 188"),
)  # fmt: skip
_WIRINGS = choices((0, "unknown", "未知"), (1, "single phase", "单相"),
                    (2, "three phases, three wires", "三相三线"),
                    (3, "three phases, four wires", "三相四线"))  # fmt: skip
_METER = Parts(
    (
        Place(DataType.LONG_UNSIGNED),
        Parts(
            (
                One("address", Text("Address", "通信地址"), Server()),
                One("speed", Text("Speed", "波特率"), _ENUM, choices=_SPEEDS),
                One("protocol", Text("Protocol", "规约类型"), _ENUM, choices=_PROTOCOLS),
                One("port", Text("Port", "端口"), Object("F2010201")),
                Kept(Data(DataType.OCTET_STRING, b"")),
                One("tariffs", Text("Tariffs", "费率个数"), _SMALL),
                One("user_type", Text("User type", "用户类型"), _SMALL),
                One("wiring", Text("Wiring", "接线方式"), _ENUM, choices=_WIRINGS),
                One(
                    "rated_voltage", Text("Rated voltage", "额定电压"),
                    Number(DataType.LONG_UNSIGNED, 1, "220.0"), "V",
                ),
                One(
                    "rated_current", Text("Rated current", "额定电流"),
                    Number(DataType.LONG_UNSIGNED, 1, "5.0"), "A",
                ),
            )
        ),
        Parts(
            (
                One("collector", Text("Collector", "采集器地址"), Server("000000000000")),
                One("asset", Text("Asset number", "资产号"), Digits()),
                One("pt", Text("PT ratio", "PT"), _LONG),
                One("ct", Text("CT ratio", "CT"), _LONG),
            )
        ),
        Kept(Data(DataType.ARRAY, ())),
    )
)  # fmt: skip
_METER_DEFAULTS = {
    "user_type": "0",
    "wiring": "0",
    "rated_voltage": "220.0",
    "rated_current": "5.0",
    "collector": "0" * 12,
    "asset": "",
}

_SCHEME_KINDS = choices(
    (1, "ordinary", "普通采集方案"), (2, "events", "事件采集方案"), (3, "transparent", "透明方案"),
    (4, "reports", "上报方案"), (5, "script", "脚本方案"), (6, "real-time", "实时监控方案"),
)  # fmt: skip
_TASK_STATES = choices((1, "normal", "正常"), (2, "stopped", "停用"))
_SLOT_KINDS = choices(
    (0, "with its begin", "前闭后开"), (1, "with its end", "前开后闭"),
    (2, "with both", "前闭后闭"), (3, "without either", "前开后开"),
)  # fmt: skip
_TASK = Parts(
    (
        Place(DataType.UNSIGNED),
        One("period", Text("Period", "执行频率"), Interval("1 day")),
        One("scheme_kind", Text("Kind of scheme", "方案类型"), _ENUM, choices=_SCHEME_KINDS),
        One("scheme", Text("Number of the scheme", "方案编号"), _SMALL),
        One("begin", Text("From", "开始时间"), Moment()),
        One("end", Text("Until", "结束时间"), Moment("2099-12-31 00:00:00")),
        One("delay", Text("Delay", "延时"), Interval("0 s")),
        One(
            "priority", Text("Priority", "执行优先级"), _SMALL,
            choices=choices((1, "1: first of all", "1 首要"), (2, "2: needed", "2 必要"),
                             (3, "3: wanted", "3 需要"), (4, "4: may be", "4 可能")),
        ),
        One("state", Text("State", "状态"), _ENUM, choices=_TASK_STATES),
        One("before", Text("Script before", "任务开始前脚本"), _LONG),
        One("after", Text("Script after", "任务完成后脚本"), _LONG),
        Parts(
            (
                One("slot_kind", Text("A slot counts", "运行时段类型"), _ENUM, choices=_SLOT_KINDS),
                One("slots", Text("Slots of the day", "运行时段"), Several(Span())),
            )
        ),
    )
)  # fmt: skip
_TASK_DEFAULTS = {
    "delay": "0 s",
    "priority": "2",
    "state": "1",
    "before": "0",
    "after": "0",
    "slot_kind": "0",
    "slots": "00:00-23:59",
}
_STAMPS = choices(
    (0, "undefined", "未定义"), (1, "begin of the task", "任务开始时间"),
    (2, "today 00:00", "相对当日0点0分"), (3, "yesterday 23:59", "相对上日23点59分"),
    (4, "yesterday 00:00", "相对上日0点0分"), (5, "first of the month 00:00", "相对当月1日0点0分"),
    (6, "of the freeze", "数据冻结时标"),
)  # fmt: skip
_SCHEME = Parts(
    (
        Place(DataType.UNSIGNED),
        One("depth", Text("Records kept", "存储深度"), _LONG),
        One("how", Text("How it reads", "采集方式"), HowToRead()),
        One("columns", Text("Columns", "记录列选择"), Several(Column())),
        One("meters", Text("Meters", "电能表集合"), MeterSet()),
        One("stamp", Text("Time of a record", "存储时标选择"), _ENUM, choices=_STAMPS),
    )
)
_SCHEME_DEFAULTS = {"depth": "62", "meters": "all"}
LISTS = (
    ObjectParameter(
        METERS,
        _METER,
        Text(
            "A meter in the terminal's own archive, under its number. What is wanted follows the"
            " archive of the station: address, speed, protocol, port, tariffs and ratios.",
            "终端采集档案中的一块电能表。期望值取自主站档案：地址、波特率、规约、端口、费率数和变比。",
        ),
        add=Omd.of(0x6000, 128),
        together=10,  # Some 70 bytes each: a frame stays below the 1024 bytes of small devices.
        most=METERS_MAX,
        defaults=_METER_DEFAULTS,
    ),
    ObjectParameter(
        TASKS,
        _TASK,
        Text(
            "What the terminal does by itself: a scheme, how often, from when until when.",
            "终端自行执行的任务：方案、执行频率和起止时间。",
        ),
        add=Omd.of(0x6012, 127),
        together=10,
        most=TASKS_MAX,
        defaults=_TASK_DEFAULTS,
    ),
    ObjectParameter(
        SCHEMES,
        _SCHEME,
        Text(
            "What the terminal reads of its meters, and how it keeps it. How it reads: 0 present"
            " values, 1 N the last record but N, 2 by freeze, 3 and an interval. A column is an"
            " object, or a store, the sign > and the objects in it. Meters: all, none, or such as"
            " types 1; 2, numbers [1, 20], meters 202601000001.",
            "终端采集电能表的内容及保存方式。采集方式：0实时，1 N上第N次，2按冻结时标，"
            "3加时间间隔。记录列：一个对象，或存储对象>其中的对象。电能表：all、none、"
            "types 1; 2、numbers [1, 20]、meters 202601000001。",
        ),
        add=Omd.of(0x6014, 127),
        together=5,
        most=SCHEMES_MAX,
        defaults=_SCHEME_DEFAULTS,
    ),
)
