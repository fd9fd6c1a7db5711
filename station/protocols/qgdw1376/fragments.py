"""The row of a function table, and the pieces that many rows share (digest, sections 12 and 13)."""

from dataclasses import dataclass

from station.protocols.qgdw1376.formats import (
    A11,
    A13,
    A14,
    A15,
    A17,
    A18,
    A20,
    A21,
    A23,
    U8,
    Bcd,
    Format,
)
from station.protocols.qgdw1376.layout import EMPTY, Bit, Field, Layout, Packed
from station.protocols.qgdw1376.lists import Group, Series, as_told_by, fixed
from station.words import Text


@dataclass(frozen=True, slots=True)
class Function:
    """One Fn of one AFN: the data unit that goes down and the one that comes up.

    None says that the digest does not give the layout: such a unit is shown as raw bytes.
    """

    fn: int
    name: Text
    down: Layout | None = EMPTY
    up: Layout | None = EMPTY


def unknown(fn: int, en: str, zh: str) -> Function:
    """Return the row of a function whose layout the digest does not give."""
    return Function(fn, Text(en, zh), None, None)


TARIFFS_MAX = 63  # Six bits hold the number of tariffs in a meter's archive.

TOTAL = Text("total", "总")
PHASES = (Text("A", "A相"), Text("B", "B相"), Text("C", "C相"))
TOTAL_AND_PHASES = (TOTAL, *PHASES)
PHASES_AND_ZERO = (*PHASES, Text("zero", "零序"))
TARIFF_LABELS = (TOTAL, *(Text(f"tariff {n}", f"费率{n}") for n in range(1, TARIFFS_MAX + 1)))

READ_TIME = Field("read_time", "抄表时间", A15)
M = Field("tariffs", "费率数", U8)

# D15 begin or recovered, D11-0 pn: the measuring point of an event.
HAPPENED = {0: Text("recovered", "恢复"), 1: Text("begun", "发生")}
EVENT_POINT = Packed(
    2, Bit("point", "测量点", 0, 12), Bit("state", "起止标志", 15, meanings=HAPPENED)
)

# Td_d, Td_m
DAY = Field("day", "日冻结日期", A20)
MONTH = Field("month", "月冻结日期", A21)

DENSITIES = {
    0: Text("none", "不冻结"),
    1: Text("15 min", "15分钟"),
    2: Text("30 min", "30分钟"),
    3: Text("60 min", "60分钟"),
    254: Text("5 min", "5分钟"),
    255: Text("1 min", "1分钟"),
}
POINTS_IN_AN_HOUR = {0: 0, 1: 4, 2: 2, 3: 1, 254: 12, 255: 60}
DENSITY = Field("density", "冻结密度", U8, meanings=DENSITIES)

# Td_c
CURVE = Layout(Field("start", "起始时间", A15), DENSITY, Field("points", "数据点数", U8))

# Td_h
HOUR = Layout(Field("hour", "冻结小时", Bcd("XX")), DENSITY)


def registers(key: str, zh: str, layout: Format, unit: str) -> Series:
    """Return the total and M tariffs of a quantity."""
    return Series(key, zh, layout, as_told_by("tariffs", more=1), unit, TARIFF_LABELS)


def phases(key: str, zh: str, layout: Format, unit: str = "") -> Series:
    """Return the three phases of a quantity."""
    return Series(key, zh, layout, fixed(3), unit, PHASES)


def total_and_phases(key: str, zh: str, layout: Format, unit: str = "") -> Series:
    """Return the total and the three phases of a quantity."""
    return Series(key, zh, layout, fixed(4), unit, TOTAL_AND_PHASES)


def phases_and_zero(key: str, zh: str, layout: Format, unit: str = "") -> Series:
    """Return the three phases and the zero sequence of a quantity."""
    return Series(key, zh, layout, fixed(4), unit, PHASES_AND_ZERO)


def curve(key: str, zh: str, layout: Format, unit: str) -> Layout:
    """Return Td_c and its points."""
    return CURVE + Layout(Series(key, zh, layout, as_told_by("points"), unit))


def hour(key: str, zh: str, layout: Format, unit: str) -> Layout:
    """Return Td_h and its points."""
    points = as_told_by("density", of=POINTS_IN_AN_HOUR)
    return HOUR + Layout(Series(key, zh, layout, points, unit))


def extreme(key: str, zh: str, layout: Format, unit: str, time: Format = A18) -> Layout:
    """Return an extreme value and when it occurred."""
    return Layout(Field(key, zh, layout, unit), Field(f"{key}_time", f"{zh}发生时间", time))


def active_registers() -> Layout:
    """Return M and the active energy registers."""
    return Layout(M, registers("energy", "有功电能示值", A14, "kWh"))


def reactive_registers() -> Layout:
    """Return M and the reactive energy registers."""
    return Layout(M, registers("energy", "无功电能示值", A11, "kvarh"))


def demand_registers(unit: str) -> Layout:
    """Return M, then each maximum demand with its time."""
    entry = extreme("demand", "最大需量", A23, unit, A17)
    count = as_told_by("tariffs", more=1)
    return Layout(M, Group("demands", "最大需量", entry, count, TARIFF_LABELS))


def four_registers(first: str, second: str, direction: str, direction_zh: str) -> Layout:
    """Return active and reactive energy of one direction and of its two quadrants."""
    return Layout(
        READ_TIME,
        M,
        registers(f"active_{direction}", f"{direction_zh}有功电能示值", A14, "kWh"),
        registers(f"reactive_{direction}", f"{direction_zh}无功电能示值", A11, "kvarh"),
        registers(f"reactive_q{first}", f"第{first}象限无功电能示值", A11, "kvarh"),
        registers(f"reactive_q{second}", f"第{second}象限无功电能示值", A11, "kvarh"),
    )


FORWARD_REGISTERS = four_registers("1", "4", "forward", "正向")
REVERSE_REGISTERS = four_registers("2", "3", "reverse", "反向")

# Values first, then their times: F35, F36 of AFN0C.
FOUR_DEMANDS = Layout(
    READ_TIME,
    M,
    registers("active_demand", "有功最大需量", A23, "kW"),
    registers("active_demand_time", "有功最大需量发生时间", A17, ""),
    registers("reactive_demand", "无功最大需量", A23, "kvar"),
    registers("reactive_demand_time", "无功最大需量发生时间", A17, ""),
)

ACTIVE_ENERGY = Layout(M, registers("energy", "有功电能量", A13, "kWh"))
REACTIVE_ENERGY = Layout(M, registers("energy", "无功电能量", A13, "kvarh"))

TIMED = Layout(READ_TIME)
ACTIVE = TIMED + active_registers()
REACTIVE = TIMED + reactive_registers()
ACTIVE_DEMAND = TIMED + demand_registers("kW")
REACTIVE_DEMAND = TIMED + demand_registers("kvar")

# AFN0C F26, AFN0D F32.
PHASE_LOSS = Layout(
    READ_TIME,
    total_and_phases("loss_count", "断相次数", Bcd("XXXX")),
    total_and_phases("loss_minutes", "断相时间累计", Bcd("XXXXXX"), "min"),
    total_and_phases("last_loss_start", "最近一次断相起始时刻", A17),
    total_and_phases("last_loss_end", "最近一次断相结束时刻", A17),
)

# AFN0C F161, F165 to F168; AFN0D F209, F213 to F216.
SWITCH_STATES = {0x00: Text("off", "断电"), 0x11: Text("on", "通电")}
SWITCH = Layout(
    READ_TIME,
    Field("state", "通断电状态", U8, meanings=SWITCH_STATES),
    Field("last_on", "最近一次通电时间", A15),
    Field("last_off", "最近一次断电时间", A15),
)
OPERATIONS = Layout(
    READ_TIME,
    Field("programming_count", "编程次数", Bcd("XXXX")),
    Field("programming_time", "最近一次编程时间", A15),
    Field("cover_opened_count", "开盖次数", Bcd("XXXX")),
    Field("cover_opened_time", "最近一次开盖时间", A15),
)
CHANGES = Layout(
    READ_TIME,
    Field("clock_change_count", "校时次数", Bcd("XXXX")),
    Field("clock_change_time", "最近一次校时时间", A15),
    Field("tariff_change_count", "时段参数修改次数", Bcd("XXXX")),
    Field("tariff_change_time", "最近一次时段参数修改时间", A15),
)
PREPAID = Layout(
    READ_TIME,
    Field("purchases", "购电次数", Bcd("XXXX")),
    Field("money_left", "剩余金额", A14, "yuan"),
    Field("money_bought", "累计购电金额", A14, "yuan"),
    Field("energy_left", "剩余电量", A11, "kWh"),
    Field("energy_overdrawn", "透支电量", A11, "kWh"),
    Field("energy_bought", "累计购电量", A11, "kWh"),
    Field("energy_credit_limit", "赊欠门限电量", A11, "kWh"),
    Field("energy_alarm", "报警电量", A11, "kWh"),
    Field("energy_fault", "故障电量", A11, "kWh"),
)
SETTLEMENT = Layout(
    READ_TIME,
    Field("tariffs", "费率数", Bcd("XXXX")),
    registers("settled", "已结有功总电能", A14, "kWh"),
    registers("open", "未结有功总电能", A14, "kWh"),
)
