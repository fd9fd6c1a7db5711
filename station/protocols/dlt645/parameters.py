"""Identifiers of 2007, class 04: how a meter is set, and its status words (digest 8)."""

from station.words import Text

from .axes import ENTRY
from .formats import (
    Ascii,
    Bcd,
    Bits,
    Day,
    Digits,
    Format,
    LocalTime,
    Raw,
    Secret,
    TimeOfDay,
    Written,
)
from .tables import Part, Row, item

_NUMBER = Bcd("XX")
_MINUTE = LocalTime("YYMMDDhhmm")
_LIMIT = Bcd("XXXXXX.XX")
_PRICE = Bcd("XXXX.XXXX")

_CLOCK_AND_SWITCHING = (
    item("04000101", "date", Day("YYMMDDWW"), "", "Date and weekday", "日期及星期"),
    item("04000102", "time", TimeOfDay("hhmmss"), "", "Time", "时间"),
    item("0400010C", "clock", LocalTime("YYMMDDWWhhmmss"), "", "Clock", "日期时间"),
    item("04000103", "demand_period", _NUMBER, "min", "Demand period", "最大需量周期"),
    item("04000104", "demand_step", _NUMBER, "min", "Demand sliding step", "滑差时间"),
    item("04000105", "pulse_width", Bcd("XXXX"), "ms", "Pulse width", "校表脉冲宽度"),
    item("04000106", "zone_switch_time", _MINUTE, "",
         "Switch time of zone tables", "两套时区表切换时间"),
    item("04000107", "slot_switch_time", _MINUTE, "",
         "Switch time of slot tables", "两套日时段表切换时间"),
    item("04000108", "price_switch_time", _MINUTE, "",
         "Switch time of tariff prices", "两套费率电价切换时间"),
    item("04000109", "ladder_switch_time", _MINUTE, "",
         "Switch time of ladders", "两套阶梯切换时间"),
    item("04000201", "zone_count", _NUMBER, "", "Year zones", "年时区数"),
    item("04000202", "slot_table_count", _NUMBER, "", "Slot tables", "日时段表数"),
    item("04000203", "slot_count", _NUMBER, "", "Slots a day", "日时段数"),
    item("04000204", "tariff_count", _NUMBER, "", "Tariffs", "费率数"),
    item("04000205", "holiday_count", Bcd("XXXX"), "", "Public holidays", "公共假日数"),
    item("04000207", "ladder_count", _NUMBER, "", "Ladder steps", "阶梯数"),
)  # fmt: skip

_DISPLAY_AND_IDENTITY = (
    item("04000301", "auto_screens", _NUMBER, "", "Auto-scroll screens", "自动循环显示屏数"),
    item("04000302", "screen_seconds", _NUMBER, "s", "Seconds a screen", "每屏显示时间"),
    item("04000305", "key_screens", _NUMBER, "", "Key-scroll screens", "按键循环显示屏数"),
    item("04000306", "ct_ratio", Bcd("XXXXXX"), "", "CT ratio", "电流互感器变比"),
    item("04000307", "pt_ratio", Bcd("XXXXXX"), "", "PT ratio", "电压互感器变比"),
    item("04000401", "address", Digits(6), "", "Communication address", "通信地址"),
    item("04000402", "meter_number", Digits(6), "", "Meter number", "表号"),
    item("04000403", "asset_code", Ascii(32), "", "Asset code", "资产管理编码"),
    item("04000404", "rated_voltage", Ascii(6), "", "Rated voltage", "额定电压"),
    item("04000405", "basic_current", Ascii(6), "", "Basic current", "额定电流/基本电流"),
    item("04000406", "maximum_current", Ascii(6), "", "Maximum current", "最大电流"),
    item("04000407", "active_class", Ascii(4), "", "Active accuracy class", "有功准确度等级"),
    item("04000408", "reactive_class", Ascii(4), "", "Reactive accuracy class", "无功准确度等级"),
    item("04000409", "pulse_constant_active", Bcd("XXXXXX"), "imp/kWh",
         "Active pulse constant", "有功常数"),
    item("0400040A", "pulse_constant_reactive", Bcd("XXXXXX"), "imp/kvarh",
         "Reactive pulse constant", "无功常数"),
    item("0400040B", "model", Ascii(10), "", "Model", "电表型号"),
    item("0400040C", "manufacture_date", Ascii(10), "", "Date of manufacture", "生产日期"),
    item("0400040D", "protocol_version", Ascii(16), "", "Protocol version", "协议版本号"),
    item("0400040E", "customer_number", Digits(6), "", "Customer number", "客户编号"),
    item("04800001", "software_version", Ascii(32), "",
         "Maker's software version", "厂家软件版本号"),
    item("04800002", "hardware_version", Ascii(32), "",
         "Maker's hardware version", "厂家硬件版本号"),
    item("04800003", "maker_code", Ascii(32), "", "Maker code", "厂家编号"),
)  # fmt: skip

_WORDS_AND_RECORDING = (
    item("040005ww", "status_word_{w}", Bits(2), "", "Status word {w}", "电表运行状态字{w}"),
    item("04000601", "active_combination", Bits(1), "",
         "Active combination word", "有功组合方式特征字"),
    item("04000602", "reactive_1_combination", Bits(1), "",
         "Reactive combination word 1", "无功组合方式1特征字"),
    item("04000603", "reactive_2_combination", Bits(1), "",
         "Reactive combination word 2", "无功组合方式2特征字"),
    item("04000701", "baud_infrared_modulated", Bits(1), "",
         "Baud word, modulated infrared", "调制型红外光口通信速率特征字"),
    item("04000702", "baud_infrared_contact", Bits(1), "",
         "Baud word, contact infrared", "接触式红外光口通信速率特征字"),
    item("04000703", "baud_port_1", Bits(1), "", "Baud word, port 1", "通信口1通信速率特征字"),
    item("04000704", "baud_port_2", Bits(1), "", "Baud word, port 2", "通信口2通信速率特征字"),
    item("04000705", "baud_port_3", Bits(1), "", "Baud word, port 3", "通信口3通信速率特征字"),
    item("04000801", "weekend_word", Bits(1), "", "Weekend word", "周休日特征字"),
    item("04000802", "weekend_slot_table", _NUMBER, "",
         "Slot table of weekends", "周休日采用的日时段表号"),
    item("04000901", "profile_mode", Bits(1), "", "Load-record mode", "负荷记录模式字"),
    item("04000902", "timed_freeze_mode", Bits(1), "", "Timed-freeze mode", "定时冻结数据模式字"),
    item("04000903", "instant_freeze_mode", Bits(1), "",
         "Instant-freeze mode", "瞬时冻结数据模式字"),
    item("04000904", "agreed_freeze_mode", Bits(1), "",
         "Agreed-freeze mode", "约定冻结数据模式字"),
    item("04000905", "hourly_freeze_mode", Bits(1), "",
         "Hourly-freeze mode", "整点冻结数据模式字"),
    item("04000906", "daily_freeze_mode", Bits(1), "", "Daily-freeze mode", "日冻结数据模式字"),
    item("04000A01", "profile_start", Written("MM-DD hh:mm"), "",
         "Load-record start", "负荷记录起始时间"),
    *(
        item(f"04000A{place + 1:02X}", f"profile_interval_{place}", Bcd("XXXX"), "min",
             f"Interval of load class {place}", f"第{place}类负荷记录间隔时间")
        for place in range(1, 7)
    ),
    *(
        item(f"04000B{day:02X}", f"settlement_day_{day}", Written("DD hh"), "",
             f"Settlement day {day}", f"每月第{day}结算日")
        for day in (1, 2, 3)
    ),
    *(
        item(f"04000C{level + 1:02X}", f"password_{level}", Secret(4), "",
             f"Password of level {level}", f"{level}级密码")
        for level in range(10)
    ),
)  # fmt: skip

_LIMITS = (
    item("04000E01", "power_limit_import", Bcd("XX.XXXX"), "kW",
         "Forward power limit", "正向有功功率上限值"),
    item("04000E02", "power_limit_export", Bcd("XX.XXXX"), "kW",
         "Reverse power limit", "反向有功功率上限值"),
    item("04000E03", "voltage_upper", Bcd("XXX.X"), "V", "Upper voltage limit", "电压上限值"),
    item("04000E04", "voltage_lower", Bcd("XXX.X"), "V", "Lower voltage limit", "电压下限值"),
    item("04000F01", "energy_alarm_1", _LIMIT, "kWh", "Alarm energy 1", "报警电量1限值"),
    item("04000F02", "energy_alarm_2", _LIMIT, "kWh", "Alarm energy 2", "报警电量2限值"),
    # By analogy with the limits in money.
    item("04000F03", "energy_hoarding", _LIMIT, "kWh", "Hoarding energy limit", "囤积电量限值"),
    item("04000F04", "energy_overdraft", _LIMIT, "kWh", "Overdraft energy limit", "透支电量限值"),
    item("04001001", "amount_alarm_1", _LIMIT, "yuan", "Alarm amount 1", "报警金额1限值"),
    item("04001002", "amount_alarm_2", _LIMIT, "yuan", "Alarm amount 2", "报警金额2限值"),
    item("04001003", "amount_overdraft", _LIMIT, "yuan", "Overdraft limit", "透支金额限值"),
    item("04001004", "amount_hoarding", _LIMIT, "yuan", "Hoarding limit", "囤积金额限值"),
    item("04001005", "amount_close_permit", _LIMIT, "yuan",
         "Close-permit limit", "合闸允许金额限值"),
    item("04001006", "amount_refund", _LIMIT, "yuan", "Refund", "退费金额"),
    item("04001101", "run_feature_word", Bits(1), "", "Meter run feature word", "电表运行特征字1"),
    item("04001501", "active_report", Raw(), "", "Active report status", "主动上报状态字"),
    item("04001503", "active_report_reset", Raw(), "",
         "Reset of the active report status", "复位主动上报状态字"),
)  # fmt: skip


def _entries(pattern: str, code: str, picture: str, en: str, zh: str) -> Row:
    """Return a table of up to 14 entries; a writer sends as many as the meter is set to hold."""
    part = Part("", Written(picture), "", "", "")
    return Row(pattern, f"{code}_{{e}}", f"{en}, {{e}}", f"{zh}{{e}}", (part,), ENTRY)


_SETS = ((1, "first", "第一套"), (2, "second", "第二套"))
_TIME_TABLES = (
    *(
        _entries(f"040{number}0000", f"zone_{number}", "MM-DD NN",
                 f"Zones of the {en} set: start, slot table", f"{zh}时区表")
        for number, en, zh in _SETS
    ),
    *(
        _entries(f"040{number}00zz", f"slot_table_{number}_{{z}}", "hh:mm NN",
                 f"Slot table {{z}} of the {en} set: start, tariff", f"{zh}第{{z}}日时段表")
        for number, en, zh in _SETS
    ),
    item("040300ss", "holiday_{s}", Written("YY-MM-DD NN"), "",
         "Public holiday {s}: date, slot table", "第{s}公共假日日期及日时段表号"),
)  # fmt: skip


def _screens(pattern: str, code: str, en: str, zh: str) -> tuple[Row, ...]:
    """Return a display screen: an identifier, in newer meters with a sub-number behind it."""
    data_id = Part("data_id", Digits(4), "", "identifier", "数据标识")
    number = Part("number", _NUMBER, "", "sub-number", "序号")
    return (
        Row(pattern, code, en, zh, (data_id,)),
        Row(pattern, code, en, zh, (data_id, number)),
    )


_SCREENS = (
    *_screens("040401ss", "auto_screen_{s}", "Auto-scroll screen {s}", "自动循环显示第{s}屏"),
    *_screens("040402ss", "key_screen_{s}", "Key-scroll screen {s}", "按键循环显示第{s}屏"),
)


def _steps(di1: str, code: str, value: Format, unit: str, en: str, zh: str) -> Row:
    return item(f"0406{di1}ll", f"{code}_{{l}}", value, unit, f"{en} {{l}}", f"{zh}{{l}}")


def _ladders(values_1: str, prices_1: str, values_2: str, prices_2: str) -> tuple[Row, ...]:
    """Return values and prices of both sets, by the DI1 that holds each."""
    return (
        _steps(values_1, "ladder_1_value", _LIMIT, "kWh", "First ladder, value", "第一套阶梯值"),
        _steps(prices_1, "ladder_1_price", _PRICE, "yuan/kWh", "First ladder, price",
               "第一套阶梯电价"),
        _steps(values_2, "ladder_2_value", _LIMIT, "kWh", "Second ladder, value", "第二套阶梯值"),
        _steps(prices_2, "ladder_2_price", _PRICE, "yuan/kWh", "Second ladder, price",
               "第二套阶梯电价"),
    )  # fmt: skip


# Six values, seven prices, and settlement days up to a length that makers choose.
_LADDER_TABLE = (
    *(Part(f"value_{n}", _LIMIT, "kWh", f"value {n}", f"阶梯值{n}") for n in range(1, 7)),
    *(Part(f"price_{n}", _PRICE, "yuan/kWh", f"price {n}", f"阶梯电价{n}") for n in range(1, 8)),
    Part("settlement_days", Raw(), "", "settlement days", "年结算日"),
)
_LADDER_TABLES = tuple(
    Row(f"0406{di1}FF", code, en, zh, _LADDER_TABLE)
    for di1, code, en, zh in (
        ("04", "ladder_table_1", "Ladder table in use", "当前套阶梯表"),
        ("05", "ladder_table_2", "Spare ladder table", "备用套阶梯表"),
        ("06", "ladder_table_1b", "Second ladder table in use", "当前套第2张阶梯表"),
        ("07", "ladder_table_2b", "Second spare ladder table", "备用套第2张阶梯表"),
        ("0A", "ladder_table_1c", "Third ladder table in use", "当前套第3张阶梯表"),
        ("0B", "ladder_table_2c", "Third spare ladder table", "备用套第3张阶梯表"),
    )
)
_PRICES = (
    item("040501kk", "price_1_t{k}", _PRICE, "yuan/kWh",
         "Price of tariff {k} in use", "当前套费率{k}电价"),
    item("040502kk", "price_2_t{k}", _PRICE, "yuan/kWh",
         "Spare price of tariff {k}", "备用套费率{k}电价"),
)  # fmt: skip

PARAMETERS = (
    *_CLOCK_AND_SWITCHING,
    *_DISPLAY_AND_IDENTITY,
    *_WORDS_AND_RECORDING,
    *_LIMITS,
    *_TIME_TABLES,
    *_SCREENS,
    *_PRICES,
    *_ladders("00", "01", "02", "03"),
    *_LADDER_TABLES,
)

# Other makers have the values of both sets first, then the prices of both.
LADDERS_VALUES_FIRST = _ladders("00", "02", "01", "03")

_PHASE_FAULTS = (
    Text("voltage loss", "失压"),
    Text("under-voltage", "欠压"),
    Text("over-voltage", "过压"),
    Text("current loss", "失流"),
    Text("over-current", "过流"),
    Text("overload", "过载"),
    Text("power reversal", "潮流反向"),
    Text("phase loss", "断相"),
    Text("current break", "断流"),
)
_FAULTS = (
    Text("reverse voltage sequence", "电压逆相序"),
    Text("reverse current sequence", "电流逆相序"),
    Text("voltage unbalance", "电压不平衡"),
    Text("current unbalance", "电流不平衡"),
    Text("auxiliary supply loss", "辅助电源失电"),
    Text("power-off", "掉电"),
    Text("demand overrun", "需量超限"),
    Text("power factor low", "总功率因数超下限"),
)


def _of_phase(phase: str) -> dict[int, Text]:
    return {
        bit: Text(f"phase {phase} {fault.en}", f"{phase}相{fault.zh}")
        for bit, fault in enumerate(_PHASE_FAULTS)
    }


# What a set bit of each status word says (digest 8.3). Word 7 is unconfirmed but for bit 7; the
# bits that only a newer profile has in word 1 are left out, being unconfirmed too.
STATUS_BITS = {
    1: {
        1: Text("demand by interval, not sliding", "需量积算方式为区间"),
        2: Text("clock battery low", "时钟电池欠压"),
        3: Text("outage-reading battery low", "停电抄表电池欠压"),
        4: Text("active power reverse", "有功功率方向反向"),
        5: Text("reactive power reverse", "无功功率方向反向"),
    },
    2: {
        0: Text("phase A active power reverse", "A相有功功率反向"),
        1: Text("phase B active power reverse", "B相有功功率反向"),
        2: Text("phase C active power reverse", "C相有功功率反向"),
        4: Text("phase A reactive power reverse", "A相无功功率反向"),
        5: Text("phase B reactive power reverse", "B相无功功率反向"),
        6: Text("phase C reactive power reverse", "C相无功功率反向"),
    },
    3: {
        0: Text("second slot set in use", "运行第二套时段"),
        1: Text("auxiliary supply", "辅助电源供电"),
        2: Text("battery supply", "电池供电"),
        3: Text("programming permitted", "编程允许"),
        4: Text("relay open", "继电器断开"),
        5: Text("second zone set in use", "运行第二套时区"),
        6: Text("relay ordered open", "继电器命令状态断"),
        7: Text("pre-trip alarm", "预跳闸报警"),
        8: Text("energy prepayment", "电量型预付费"),
        9: Text("money prepayment", "电费型预付费"),
        10: Text("second price set in use", "运行第二套费率电价"),
        11: Text("second ladder set in use", "运行第二套阶梯"),
        12: Text("keep power", "保电"),
        13: Text("identity authentication valid", "身份认证有效"),
        14: Text("local account not opened", "本地未开户"),
        15: Text("remote account not opened", "远程未开户"),
    },
    4: _of_phase("A"),
    5: _of_phase("B"),
    6: _of_phase("C"),
    7: dict(enumerate(_FAULTS)),
}
