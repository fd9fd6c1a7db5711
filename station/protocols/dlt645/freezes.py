"""Identifiers of 2007, class 05: what the meter froze at a moment (digest 10).

DI2 says why it froze, DI1 what, DI0 how many freezes ago. A frozen value bears the identifier of
the quantity it is a copy of, so that it can be found like a present one.
"""

from .axes import TARIFF, TARIFF_OF_DEMAND, numbered
from .formats import LocalTime
from .measurements import POWER, QUANTITIES, demand_format, demand_unit, energy_format
from .tables import Axis, Part, Row

# DI2, code, English, Chinese, how many the meter keeps. 05 and 07 are unconfirmed.
KINDS = (
    ("00", "timed", "Timed freeze", "定时冻结", 0x0C),
    ("01", "instant", "Instant freeze", "瞬时冻结", 0x03),
    ("02", "zone_switch", "Zone table switch freeze", "两套时区表切换冻结", 0x02),
    ("03", "slot_switch", "Slot table switch freeze", "两套日时段表切换冻结", 0x02),
    ("04", "hourly", "Hourly freeze", "整点冻结", 0xFE),
    ("05", "price_switch", "Tariff price switch freeze", "两套费率电价切换冻结", 0x02),
    ("06", "daily", "Daily freeze", "日冻结", 0x3E),
    ("07", "ladder_switch", "Ladder switch freeze", "两套阶梯切换冻结", 0x02),
)

_POWERS = tuple(
    Part(f"{code}_{phase}", POWER, unit, f"{en}, {phase_en}", f"{phase_zh}{zh}",
         f"{group}{place:02X}00")
    for group, code, unit, en, zh in (
        ("0203", "power", "kW", "active power", "有功功率"),
        ("0204", "reactive_power", "kvar", "reactive power", "无功功率"),
    )
    for place, phase, phase_en, phase_zh in (
        (0, "total", "total", "总"),
        (1, "a", "phase A", "A相"),
        (2, "b", "phase B", "B相"),
        (3, "c", "phase C", "C相"),
    )
)  # fmt: skip


def _rows_of(di2: str, kind: str, kind_en: str, kind_zh: str, count: int) -> list[Row]:
    number: Axis = numbered("n", 1, count, ("{}", "{} back", "上{}次"))
    code, en, zh = f"freeze_{kind}_{{n}}", f"{kind_en} {{n}}", f"({{n}}){kind_zh}"

    def row(di1: str, what: str, what_en: str, what_zh: str, parts: tuple[Part, ...],
            repeated: Axis | None = None) -> Row:  # fmt: skip
        return Row(f"05{di2}{di1}nn", f"{code}_{what}", f"{en}: {what_en}", f"{zh}{what_zh}",
                   parts, repeated, axes=(number,))  # fmt: skip

    moment = Part("", LocalTime("YYMMDDhhmm"), "", "", "")
    rows = [row("00", "time", "time", "时间", (moment,))]
    for quantity, name, name_en, name_zh, unit, signed in QUANTITIES[1:9]:
        energy = Part("", energy_format(signed=signed), unit, "", "", f"00{quantity:02X}tt00")
        rows.append(row(f"{quantity:02X}", f"energy_{name}_{{t}}", f"{name_en} energy, {{t}}",
                        f"{name_zh}{{t}}电能", (energy,), TARIFF))  # fmt: skip
    for di1, (quantity, name, name_en, name_zh, unit, signed) in zip(
        ("09", "0A"), QUANTITIES[1:3], strict=True
    ):
        demand = Part("", demand_format(signed=signed), demand_unit(unit), "", "",
                      f"01{quantity:02X}uu00")  # fmt: skip
        rows.append(row(di1, f"demand_{name}{{u}}", f"{name_en} maximum demand, {{u}}",
                        f"{name_zh}{{u}}最大需量", (demand,), TARIFF_OF_DEMAND))  # fmt: skip
    rows.append(row("10", "variables", "variables", "变量", _POWERS))
    everything = Row(f"05{di2}FFnn", f"{code}_all", f"{en}: everything", f"{zh}数据块",
                     sections=tuple(rows), axes=(number,))  # fmt: skip
    return [*rows, everything]


FREEZES = tuple(row for kind in KINDS for row in _rows_of(*kind))
