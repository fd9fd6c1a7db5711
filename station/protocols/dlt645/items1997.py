"""The identifiers of 1997 (digest 12).

The low digit of an identifier is 0 for the total, 1..E for tariffs, F for the block. Codes are
those of 2007 where the quantity is the same.
"""

from .axes import AXES_1997
from .formats import Bcd, Bits, Day, Digits, SignedBcd, TimeOfDay, Written
from .tables import Row, Table, item

_ENERGY = Bcd("XXXXXX.XX")
_DEMAND = Bcd("XX.XXXX")
_MOMENT = Written("MM-DD hh:mm")
_NUMBER = Bcd("XX")
_COUNT = Bcd("XXXX")
_MINUTES = Bcd("XXXXXX")

# DI1 in the present month (the last one +4, the one before +8), DI0's high digit.
_QUANTITIES = (
    (0x0, "1", "import", "Forward active", "正向有功", "kWh"),
    (0x0, "2", "export", "Reverse active", "反向有功", "kWh"),
    (0x1, "1", "reactive_import", "Forward reactive", "正向无功", "kvarh"),
    (0x1, "2", "reactive_export", "Reverse reactive", "反向无功", "kvarh"),
    (0x1, "3", "q1", "Quadrant I reactive", "第一象限无功", "kvarh"),
    (0x1, "4", "q4", "Quadrant IV reactive", "第四象限无功", "kvarh"),
    (0x1, "5", "q2", "Quadrant II reactive", "第二象限无功", "kvarh"),
    (0x1, "6", "q3", "Quadrant III reactive", "第三象限无功", "kvarh"),
)
_MONTHS = ((0, "", "", ""), (4, "_settlement_1", ", last month", "(上月)"),
           (8, "_settlement_2", ", month before last", "(上上月)"))  # fmt: skip


def _energies_and_demands() -> list[Row]:
    """Return 90xx to 99xx, A0xx to A9xx and B0xx to B9xx; A5, A9, B5 and B9 are by analogy."""
    rows = []
    for offset, suffix, month_en, month_zh in _MONTHS:
        for group, digit, code, en, zh, unit in _QUANTITIES:
            di1, power = group + offset, unit.removesuffix("h")
            rows += [
                item(f"9{di1:X}{digit}t", f"energy_{code}_{{t}}{suffix}", _ENERGY, unit,
                     f"{en} energy, {{t}}{month_en}", f"{month_zh}{zh}{{t}}电能"),
                item(f"A{di1:X}{digit}u", f"demand_{code}{{u}}{suffix}", _DEMAND, power,
                     f"{en} maximum demand, {{u}}{month_en}", f"{month_zh}{zh}{{u}}最大需量"),
                item(f"B{di1:X}{digit}u", f"demand_{code}_time{{u}}{suffix}", _MOMENT, "",
                     f"{en} maximum demand, {{u}}{month_en}: time",
                     f"{month_zh}{zh}{{u}}最大需量发生时间"),
            ]  # fmt: skip
    return rows


# Rows of one pattern differ in length: the first that fits the answer is taken.
VARIABLES = (
    item("907g", "energy_import_{g}", _ENERGY, "kWh",
         "Forward active energy, {g}", "{g}正向有功电能"),
    item("908g", "energy_export_{g}", _ENERGY, "kWh",
         "Reverse active energy, {g}", "{g}反向有功电能"),
    item("9000", "energy_combined_total", _ENERGY, "kWh",
         "Combined active energy, total", "组合有功总电能"),
    item("B210", "last_programming", _MOMENT, "", "Last programming", "最近一次编程时间"),
    item("B211", "last_demand_reset", _MOMENT, "",
         "Last demand reset", "最近一次最大需量清零时间"),
    item("B212", "programming_count", _COUNT, "", "Programming count", "编程次数"),
    item("B213", "demand_reset_count", _COUNT, "", "Demand reset count", "最大需量清零次数"),
    item("B214", "battery_minutes", _MINUTES, "min", "Battery service time", "电池工作时间"),
    item("B31q", "phase_loss_count_{q}", _COUNT, "", "Phase loss count, {q}", "{q}断相次数"),
    item("B31q", "phase_loss_count_{q}", Bcd("XXXXXX"), "",
         "Phase loss count, {q}", "{q}断相次数"),
    item("B32q", "phase_loss_minutes_{q}", _MINUTES, "min",
         "Phase loss time, {q}", "{q}断相时间累计值"),
    item("B33q", "phase_loss_start_{q}", _MOMENT, "",
         "Phase loss start, {q}", "{q}断相起始时刻"),
    item("B34q", "phase_loss_end_{q}", _MOMENT, "", "Phase loss end, {q}", "{q}断相结束时刻"),
    item("B61p", "voltage_{p}", Bcd("XXX"), "V", "Voltage, {p}", "{p}电压"),
    item("B62p", "current_{p}", SignedBcd("XX.XX"), "A", "Current, {p}", "{p}电流"),
    item("B63q", "power_{q}", SignedBcd("XX.XXXX"), "kW", "Active power, {q}", "{q}有功功率"),
    item("B64q", "reactive_power_{q}", SignedBcd("XX.XX"), "kvar",
         "Reactive power, {q}", "{q}无功功率"),
    item("B64q", "reactive_power_{q}", SignedBcd("XX.XXXX"), "kvar",
         "Reactive power, {q}", "{q}无功功率"),
    item("B65q", "power_factor_{q}", SignedBcd("X.XXX"), "", "Power factor, {q}", "{q}功率因数"),
    item("C010", "date", Day("YYMMDDWW"), "", "Date and weekday", "日期及周次"),
    item("C011", "time", TimeOfDay("hhmmss"), "", "Time", "时间"),
    item("C020", "meter_status", Bits(1), "", "Meter status", "电表运行状态字"),
    item("C021", "network_status", Bits(1), "", "Network status", "电网状态字"),
    item("C022", "weekend_word", Bits(1), "", "Weekend word", "周休日状态字"),
    item("C030", "pulse_constant_active", Bcd("XXXXXX"), "imp/kWh",
         "Active pulse constant", "有功电表常数"),
    item("C031", "pulse_constant_reactive", Bcd("XXXXXX"), "imp/kvarh",
         "Reactive pulse constant", "无功电表常数"),
    item("C032", "meter_number", Digits(6), "", "Meter number", "表号"),
    item("C033", "customer_number", Digits(6), "", "Customer number", "用户号"),
    item("C034", "device_code", Digits(6), "", "Device code", "设备码"),
    item("C111", "demand_period", _NUMBER, "min", "Demand period", "最大需量周期"),
    item("C112", "demand_step", _NUMBER, "min", "Demand sliding step", "滑差时间"),
    item("C117", "reading_day", Written("DD hh"), "", "Automatic reading day", "自动抄表日期"),
    item("C310", "zone_count", _NUMBER, "", "Year zones", "年时区数"),
    item("C311", "slot_table_count", _NUMBER, "", "Slot tables", "日时段表数"),
    item("C312", "slot_count", _NUMBER, "", "Slots a day", "日时段数"),
    item("C313", "tariff_count", _NUMBER, "", "Tariffs", "费率数"),
    item("C314", "holiday_count", _NUMBER, "", "Public holidays", "公共假日数"),
    item("C32e", "zone_{e}", Written("MM-DD NN"), "",
         "Year zone {e}: start, slot table", "第{e}时区起始日期及日时段表号"),
    item("C3ze", "slot_table_{z}_slot_{e}", Written("hh:mm NN"), "",
         "Slot table {z}, slot {e}: start, tariff", "第{z}日时段表第{e}时段起始时间及费率号"),
)  # fmt: skip

TABLE_1997 = Table((*_energies_and_demands(), *VARIABLES), AXES_1997, digits=4)

# Makers disagree on B66x. The number formats are those of their neighbours (by analogy).
B66_APPARENT_POWER = (
    item("B66q", "apparent_power_{q}", Bcd("XX.XX"), "kVA",
         "Apparent power, {q}", "{q}视在功率"),
)  # fmt: skip
B66_PHASE_ANGLE = (
    item("B66p", "phase_angle_{p}", Bcd("XXX.X"), "°", "Phase angle, {p}", "{p}相角"),
)  # fmt: skip
