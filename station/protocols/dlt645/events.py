"""Identifiers of 2007, classes 03, 10 to 1A, 1D and 1E: what the meter recorded (digest 7, 9).

A count has three bytes, a total has a count and minutes, a record is the n-th last. Records that
the digest gives by length alone are laid out as that length demands; what is unconfirmed says so.
"""

from collections.abc import Sequence

from .formats import Bcd, Digits, LocalTime, Raw, Secret, Written
from .measurements import (
    CURRENT,
    DEMAND,
    ENERGY,
    POWER,
    POWER_FACTOR,
    SIGNED_ENERGY,
    VOLTAGE,
)
from .tables import Part, Row, item

_MOMENT = LocalTime("YYMMDDhhmmss")
_MINUTE = LocalTime("YYMMDDhhmm")
_NUMBER = Bcd("XXXXXX")
_PHASES = (("a", "phase A", "A相"), ("b", "phase B", "B相"), ("c", "phase C", "C相"))
_EACH_PHASE = (("", "total", "总"), *((f"_{code}", en, zh) for code, en, zh in _PHASES))

_START = Part("start", _MOMENT, "", "start", "发生时刻")
_END = Part("end", _MOMENT, "", "end", "结束时刻")
_TIME = Part("time", _MOMENT, "", "time", "发生时刻")
_OPERATOR = Part("operator", Digits(4), "", "operator code", "操作者代码")
_COUNT = Part("count", _NUMBER, "", "count", "总次数")
_DURATION = Part("minutes", _NUMBER, "min", "duration", "总累计时间")

_TOTALS_BY_PHASE = tuple(
    Part(f"{part.code}_{code}", part.format, part.unit, f"{part.en}, {en}", f"{zh}{part.zh}")
    for code, en, zh in _PHASES
    for part in (_COUNT, _DURATION)
)


def _increments(code: str, en: str, zh: str) -> tuple[Part, ...]:
    """Return the four energies that a phase or the total gained during an event."""
    return (
        Part(f"import{code}", ENERGY, "kWh", f"forward active, {en}", f"{zh}正向有功电能增量"),
        Part(f"export{code}", ENERGY, "kWh", f"reverse active, {en}", f"{zh}反向有功电能增量"),
        Part(f"reactive_1{code}", SIGNED_ENERGY, "kvarh", f"combined reactive 1, {en}",
             f"{zh}组合无功1电能增量"),
        Part(f"reactive_2{code}", SIGNED_ENERGY, "kvarh", f"combined reactive 2, {en}",
             f"{zh}组合无功2电能增量"),
    )  # fmt: skip


def _moment_values(code: str, en: str, zh: str) -> tuple[Part, ...]:
    """Return what a phase measured when an event began."""
    return (
        Part(f"voltage{code}", VOLTAGE, "V", f"voltage, {en}", f"{zh}电压"),
        Part(f"current{code}", CURRENT, "A", f"current, {en}", f"{zh}电流"),
        Part(f"power{code}", POWER, "kW", f"active power, {en}", f"{zh}有功功率"),
        Part(f"reactive_power{code}", POWER, "kvar", f"reactive power, {en}", f"{zh}无功功率"),
        Part(f"power_factor{code}", POWER_FACTOR, "", f"power factor, {en}", f"{zh}功率因数"),
    )  # fmt: skip


def _registers(suffix: str, en: str, zh: str) -> tuple[Part, ...]:
    """Return six energies: forward, reverse and the four quadrants."""
    quadrants = zip(("q1", "q2", "q3", "q4"), ("I", "II", "III", "IV"), "一二三四", strict=True)
    return (
        Part(f"import{suffix}", ENERGY, "kWh", f"forward active{en}", f"{zh}正向有功电能"),
        Part(f"export{suffix}", ENERGY, "kWh", f"reverse active{en}", f"{zh}反向有功电能"),
        *(
            Part(f"{code}{suffix}", ENERGY, "kvarh", f"quadrant {name} reactive{en}",
                 f"{zh}第{number}象限无功电能")
            for code, name, number in quadrants
        ),
    )  # fmt: skip


# 16 energies: total and phases.
_ALL_INCREMENTS = tuple(part for phase in _EACH_PHASE for part in _increments(*phase))
# 87 bytes: the total's energies, then energies and measurements of each phase.
_INCREMENTS_AND_VALUES = (
    *_increments("", "total", "总"),
    *(
        part
        for code, en, zh in _PHASES
        for part in (*_increments(f"_{code}", en, zh), *_moment_values(f"_{code}", en, zh))
    ),
)
_AMPERE_HOURS = tuple(
    Part(f"ampere_hours{code}", ENERGY, "Ah", f"ampere-hours, {en}", f"{zh}安时数")
    for code, en, zh in _EACH_PHASE
)
_ALL_REGISTERS = tuple(
    part
    for code, en, zh in _EACH_PHASE
    for part in _registers(code, f", {en}", "" if zh == "总" else zh)
)
_ALL_DEMANDS = tuple(
    Part(one.code, DEMAND, one.unit.removesuffix("h"), one.en, one.zh.replace("电能", "最大需量"))
    for one in _ALL_REGISTERS
)
_RATIO = Part("ratio", Bcd("XX.XX"), "%", "greatest unbalance", "最大不平衡率")
_BEFORE_AND_AFTER = (
    *_registers("_before", ", before", "事前"),
    *_registers("_after", ", after", "事后"),
)


def _event(
    pattern: str, code: str, en: str, zh: str, totals: Sequence[Part], record: Sequence[Part]
) -> tuple[Row, ...]:
    """Return the rows of one kind of event: its totals and its n-th last record."""
    phase = ("_{p}", ", {p}", "{p}") if "pp" in pattern else ("", "", "")
    return (
        Row(pattern.replace("pp", "00") + "00", code, en, zh, tuple(totals)),
        Row(
            f"{pattern}nn",
            f"{code}{phase[0]}{{n}}",
            f"{en}{phase[1]}{{n}}",
            f"{{n}}{phase[2]}{zh}",
            tuple(record),
            may_be_shorter=True,
        ),
    )


_BY_PHASE_LONG = (_START, _END, *_INCREMENTS_AND_VALUES, *_AMPERE_HOURS)  # 131 bytes.
_BY_PHASE = (_START, _END, *_INCREMENTS_AND_VALUES)  # 115 bytes.
_SEQUENCE = (_START, _END, *_ALL_INCREMENTS)  # 76 bytes.
_UNBALANCE = (_START, _END, _RATIO, *_ALL_INCREMENTS)  # 78 bytes.
_TOTAL = (_COUNT, _DURATION)

_POWER_QUALITY = (
    *_event("0301pp", "voltage_loss", "Voltage loss", "失压", _TOTALS_BY_PHASE, _BY_PHASE_LONG),
    *_event("0302pp", "under_voltage", "Under-voltage", "欠压", _TOTALS_BY_PHASE, _BY_PHASE_LONG),
    *_event("0303pp", "over_voltage", "Over-voltage", "过压", _TOTALS_BY_PHASE, _BY_PHASE_LONG),
    *_event("0304pp", "phase_loss", "Phase loss", "断相", _TOTALS_BY_PHASE, _BY_PHASE_LONG),
    *_event("030500", "all_voltage_loss", "All-phase voltage loss", "全失压", _TOTAL,
            (_START, Part("current", CURRENT, "A", "current", "电流值"), _END)),
    *_event("030600", "auxiliary_loss", "Auxiliary supply loss", "辅助电源失电", _TOTAL,
            (_START, _END)),
    *_event("030700", "voltage_sequence", "Voltage reverse sequence", "电压逆相序", _TOTAL,
            _SEQUENCE),
    *_event("030800", "current_sequence", "Current reverse sequence", "电流逆相序", _TOTAL,
            _SEQUENCE),
    *_event("030900", "voltage_unbalance", "Voltage unbalance", "电压不平衡", _TOTAL, _UNBALANCE),
    *_event("030A00", "current_unbalance", "Current unbalance", "电流不平衡", _TOTAL, _UNBALANCE),
    *_event("030Bpp", "current_loss", "Current loss", "失流", _TOTALS_BY_PHASE, _BY_PHASE),
    *_event("030Cpp", "over_current", "Over-current", "过流", _TOTALS_BY_PHASE, _BY_PHASE),
    *_event("030Dpp", "current_break", "Current break", "断流", _TOTALS_BY_PHASE, _BY_PHASE),
    *_event("030Epp", "power_reversal", "Power reversal", "潮流反向", _TOTALS_BY_PHASE, _SEQUENCE),
    *_event("030Fpp", "overload", "Overload", "过载", _TOTALS_BY_PHASE, _SEQUENCE),
    Row("0310qqmm", "voltage_quality_{q}{m}", "Voltage quality, {q}{m}", "{m}{q}电压合格率统计", (
        Part("minutes", _NUMBER, "min", "time watched", "监测时间"),
        Part("pass", Bcd("XXXX.XX"), "%", "within limits", "合格率"),
        Part("over", Bcd("XXXX.XX"), "%", "beyond limits", "超限率"),
        Part("above", _NUMBER, "min", "time above the upper limit", "超上限时间"),
        Part("below", _NUMBER, "min", "time below the lower limit", "超下限时间"),
        Part("highest", VOLTAGE, "V", "highest voltage", "最高电压"),
        Part("highest_time", Written("MM-DD hh:mm"), "", "time of the highest",
             "最高电压出现时间"),
        Part("lowest", VOLTAGE, "V", "lowest voltage", "最低电压"),
        Part("lowest_time", Written("MM-DD hh:mm"), "", "time of the lowest",
             "最低电压出现时间"),
    )),
    *_event("031100", "power_off", "Power-off", "掉电", (_COUNT,), (_START, _END)),
)  # fmt: skip

_DIRECTIONS = (
    (1, "import", "forward active", "正向有功", "kW"),
    (2, "export", "reverse active", "反向有功", "kW"),
    (3, "q1", "quadrant I reactive", "第一象限无功", "kvar"),
    (4, "q2", "quadrant II reactive", "第二象限无功", "kvar"),
    (5, "q3", "quadrant III reactive", "第三象限无功", "kvar"),
    (6, "q4", "quadrant IV reactive", "第四象限无功", "kvar"),
)
_DEMAND_OVERRUN = (
    Row("03120000", "demand_overrun", "Demand overrun", "需量超限", tuple(
        Part(f"count_{code}", _NUMBER, "", f"count, {en}", f"{zh}总次数")
        for _, code, en, zh, _ in _DIRECTIONS
    )),
    *(
        Row(f"0312{place:02X}nn", f"demand_overrun_{code}{{n}}", f"Demand overrun, {en}{{n}}",
            f"{{n}}{zh}需量超限",
            (_START, _END, Part("demand", DEMAND, unit, "maximum demand", "最大需量")))
        for place, code, en, zh, unit in _DIRECTIONS
    ),
)  # fmt: skip

_IDENTIFIERS = tuple(
    Part(f"data_id_{n}", Digits(4), "", f"identifier {n}", f"数据标识{n}") for n in range(1, 11)
)
_PROGRAMMING = (
    *_event("033000", "programming", "Programming", "编程", (_COUNT,),
            (_TIME, _OPERATOR, *_IDENTIFIERS)),
    *_event("033001", "meter_clear", "Meter clear", "电表清零", (_COUNT,),
            (_TIME, _OPERATOR, *_ALL_REGISTERS)),
    *_event("033002", "demand_reset", "Demand reset", "需量清零", (_COUNT,),
            (_TIME, _OPERATOR, *_ALL_DEMANDS)),
    *_event("033003", "event_clear", "Event clear", "事件清零", (_COUNT,),
            (_TIME, _OPERATOR, Part("data_id", Digits(4), "", "identifier", "数据标识"))),
    *_event("033004", "clock_set", "Clock set", "校时", (_COUNT,),
            (_OPERATOR, Part("before", _MOMENT, "", "time before", "校时前时间"),
             Part("after", _MOMENT, "", "time after", "校时后时间"))),
    # The tables before the change follow; makers differ in how many (94 or 682 bytes in all).
    *_event("033005", "slot_programming", "Slot table programming", "时段表编程", (_COUNT,),
            (_TIME, _OPERATOR, Part("tables", Raw(), "", "tables before", "编程前时段表"))),
    *_event("033006", "zone_programming", "Zone table programming", "时区表编程", (_COUNT,),
            (_TIME, _OPERATOR, Part("tables", Raw(), "", "tables before", "编程前时区表"))),
    *_event("03300D", "cover_open", "Meter cover open", "开表盖", (_COUNT,),
            (_START, _END, *_BEFORE_AND_AFTER)),
    *_event("03300E", "terminal_cover_open", "Terminal cover open", "开端钮盒", (_COUNT,),
            (_START, _END, *_BEFORE_AND_AFTER)),
    *_event("033500", "magnetic_field", "Constant magnetic field", "恒定磁场干扰", (_COUNT,),
            (_START, _END, *(Part(f"energy_{n}", ENERGY, "kWh", f"energy {n}", f"电能{n}")
                             for n in range(1, 5)))),
)  # fmt: skip

# Trips and closes. The whole record (34 bytes) is unconfirmed, count and time are agreed.
_SWITCHING = tuple(
    row
    for di3, code, en, zh in (("1D", "trip", "Trip", "跳闸"), ("1E", "close", "Close", "合闸"))
    for row in (
        Row(f"{di3}000001", code, en, zh, (_COUNT,)),
        Row(f"{di3}00FFnn", f"{code}{{n}}", f"{en}{{n}}", f"{{n}}{zh}",
            (_TIME, _OPERATOR, *_registers("", "", ""))),
        Row(f"{di3}0001nn", f"{code}{{n}}", f"{en}{{n}}", f"{{n}}{zh}", (_TIME,)),
    )
)  # fmt: skip

# The 2013 profile asks for the same events field by field; 11, 12 and 18 are unconfirmed.
_SHORT_FORMS = (
    ("10", "voltage_loss", "Voltage loss", "失压"),
    ("11", "under_voltage", "Under-voltage", "欠压"),
    ("12", "over_voltage", "Over-voltage", "过压"),
    ("13", "phase_loss", "Phase loss", "断相"),
    ("18", "current_loss", "Current loss", "失流"),
    ("1A", "current_break", "Current break", "断流"),
)
_FIELD_BY_FIELD = tuple(
    row
    for di3, code, en, zh in _SHORT_FORMS
    for row in (
        Row(f"{di3}pp0001", f"{code}_{{p}}", f"{en}, {{p}}", f"{{p}}{zh}", (_COUNT,)),
        Row(f"{di3}pp0002", f"{code}_{{p}}", f"{en}, {{p}}", f"{{p}}{zh}", (_DURATION,)),
        Row(f"{di3}pp01nn", f"{code}_{{p}}{{n}}", f"{en}, {{p}}{{n}}", f"{{n}}{{p}}{zh}",
            (_START,)),
        Row(f"{di3}pp25nn", f"{code}_{{p}}{{n}}", f"{en}, {{p}}{{n}}", f"{{n}}{{p}}{zh}",
            (_END,)),
    )
)  # fmt: skip


def _purchases(di2: str, what: str, en: str, zh: str, unit: str) -> tuple[Row, ...]:
    """Return the records of the last ten purchases, in money or in energy."""
    parts = (
        Part("time", _MINUTE, "", "time", "购电日期"),
        Part("count", Bcd("XXXX"), "", "count after it", "购电后总次数"),
        Part("bought", ENERGY, unit, "bought", "购电量"),
        Part("before", ENERGY, unit, "remaining before", "购电前剩余"),
        Part("after", ENERGY, unit, "remaining after", "购电后剩余"),
        Part("total", ENERGY, unit, "total bought", "购电后累计"),
    )
    singles = (
        Row(f"03{di2}{place:02X}nn", f"purchase_{what}{{n}}", f"Purchase of {en}{{n}}",
            f"{{n}}{zh}", (part,))
        for place, part in enumerate(parts, 1)
    )  # fmt: skip
    whole = Row(f"03{di2}FFnn", f"purchase_{what}{{n}}", f"Purchase of {en}{{n}}",
                f"{{n}}{zh}", parts)  # fmt: skip
    return (*singles, whole)


_PURCHASES = (
    *_purchases("32", "energy", "energy", "购电量记录", "kWh"),
    *_purchases("33", "money", "money", "购电金额记录", "yuan"),
    # One source; its content is not known.
    item("03340001", "refund", Raw(), "", "Last refund", "上1次退费记录"),
)

EVENTS = (
    *_POWER_QUALITY,
    *_DEMAND_OVERRUN,
    *_PROGRAMMING,
    *_PURCHASES,
    *_FIELD_BY_FIELD,
    *_SWITCHING,
)

# One project keeps password changes where others keep purchases of energy.
PASSWORD_CHANGES = (
    Row("03320300", "password_change", "Password change", "密钥更新", (_COUNT,)),
    Row("033203nn", "password_change{n}", "Password change{n}", "{n}密钥更新",
        (_TIME, Part("old_password", Secret(4), "", "old password", "原密码"))),
)  # fmt: skip
