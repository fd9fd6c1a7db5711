"""Identifiers of 2007, classes 00 to 02: energies, demands, measurements (digest 4 to 6)."""

from .formats import Bcd, LocalTime, SignedBcd, WithTime
from .tables import Row, item

ENERGY = Bcd("XXXXXX.XX")
SIGNED_ENERGY = SignedBcd("XXXXXX.XX")
POWER = SignedBcd("XX.XXXX")
APPARENT_POWER = Bcd("XX.XXXX")
POWER_FACTOR = SignedBcd("X.XXX")
VOLTAGE = Bcd("XXX.X")
CURRENT = SignedBcd("XXX.XXX")
DEMAND = WithTime(Bcd("XX.XXXX"), LocalTime("YYMMDDhhmm"))
SIGNED_DEMAND = WithTime(SignedBcd("XX.XXXX"), LocalTime("YYMMDDhhmm"))

_PLAIN, _SIGNED = False, True

# DI2, code, English, Chinese (the tariff stands in between), unit of the energy, sign.
QUANTITIES = (
    (0x00, "combined", "Combined active", "组合有功", "kWh", _SIGNED),
    (0x01, "import", "Forward active", "正向有功", "kWh", _PLAIN),
    (0x02, "export", "Reverse active", "反向有功", "kWh", _PLAIN),
    (0x03, "reactive_1", "Combined reactive 1", "组合无功1", "kvarh", _SIGNED),
    (0x04, "reactive_2", "Combined reactive 2", "组合无功2", "kvarh", _SIGNED),
    (0x05, "q1", "Quadrant I reactive", "第一象限无功", "kvarh", _PLAIN),
    (0x06, "q2", "Quadrant II reactive", "第二象限无功", "kvarh", _PLAIN),
    (0x07, "q3", "Quadrant III reactive", "第三象限无功", "kvarh", _PLAIN),
    (0x08, "q4", "Quadrant IV reactive", "第四象限无功", "kvarh", _PLAIN),
    (0x09, "apparent_import", "Forward apparent", "正向视在", "kVAh", _PLAIN),
    (0x0A, "apparent_export", "Reverse apparent", "反向视在", "kVAh", _PLAIN),
)

# The same from forward active on, for each phase; they have no tariffs.
PHASES = ((0x15, "a", "A"), (0x29, "b", "B"), (0x3D, "c", "C"))

# DI2 of the total, then of the phases A, B, C in steps.
_OTHER_ENERGIES = (
    ("80", "94", "A8", "BC", "associated", "Associated total", "关联总", _SIGNED),
    (
        "81",
        "95",
        "A9",
        "BD",
        "fundamental_import",
        "Fundamental forward",
        "正向有功基波",
        _PLAIN,
    ),
    (
        "82",
        "96",
        "AA",
        "BE",
        "fundamental_export",
        "Fundamental reverse",
        "反向有功基波",
        _PLAIN,
    ),
    ("83", "97", "AB", "BF", "harmonic_import", "Harmonic forward", "正向有功谐波", _PLAIN),
    ("84", "98", "AC", "C0", "harmonic_export", "Harmonic reverse", "反向有功谐波", _PLAIN),
    ("85", "99", "AD", "C1", "copper_loss", "Copper loss", "铜损有功", _PLAIN),
    ("86", "9A", "AE", "C2", "iron_loss", "Iron loss", "铁损有功", _PLAIN),
)


def energy_format(*, signed: bool) -> Bcd:
    """Return the format of an energy."""
    return SIGNED_ENERGY if signed else ENERGY


def demand_format(*, signed: bool) -> WithTime:
    """Return the format of a maximum demand with its time."""
    return SIGNED_DEMAND if signed else DEMAND


def demand_unit(energy_unit: str) -> str:
    """Return the unit of the power that an energy is made of: kW of kWh."""
    return energy_unit.removesuffix("h")


def _energies() -> list[Row]:
    rows = [
        item(
            f"00{di2:02X}ttdd",
            f"energy_{code}_{{t}}{{d}}",
            energy_format(signed=signed),
            unit,
            f"{en} energy, {{t}}{{d}}",
            f"{{d}}{zh}{{t}}电能",
        )
        for di2, code, en, zh, unit, signed in QUANTITIES
    ]
    for first, phase, name in PHASES:
        for place, (_, code, en, zh, unit, signed) in enumerate(QUANTITIES[1:]):
            rows.append(
                item(
                    f"00{first + place:02X}00dd",
                    f"energy_{code}_{phase}{{d}}",
                    energy_format(signed=signed),
                    unit,
                    f"{en} energy, phase {name}{{d}}",
                    f"{{d}}{name}相{zh}电能",
                )
            )
    for total, *phases, code, en, zh, signed in _OTHER_ENERGIES:
        names = (("", "", ""), ("_a", ", phase A", "A相"), ("_b", ", phase B", "B相"),
                 ("_c", ", phase C", "C相"))  # fmt: skip
        for di2, (suffix, phase_en, phase_zh) in zip((total, *phases), names, strict=True):
            rows.append(
                item(
                    f"00{di2}00dd",
                    f"energy_{code}{suffix}{{d}}",
                    energy_format(signed=bool(signed)),
                    "kWh",
                    f"{en} energy{phase_en}{{d}}",
                    f"{{d}}{phase_zh}{zh}电能",
                )
            )
    return rows


def _demands() -> list[Row]:
    rows = [
        item(
            f"01{di2:02X}uudd",
            f"demand_{code}{{u}}{{d}}",
            demand_format(signed=signed),
            demand_unit(unit),
            f"{en} maximum demand, {{u}}{{d}}",
            f"{{d}}{zh}{{u}}最大需量",
        )
        for di2, code, en, zh, unit, signed in QUANTITIES[1:]
    ]
    for first, phase, name in PHASES:
        for place, (_, code, en, zh, unit, signed) in enumerate(QUANTITIES[1:]):
            rows.append(
                item(
                    f"01{first + place:02X}00dd",
                    f"demand_{code}_{phase}{{d}}",
                    demand_format(signed=signed),
                    demand_unit(unit),
                    f"{en} maximum demand, phase {name}{{d}}",
                    f"{{d}}{name}相{zh}最大需量",
                )
            )
    return rows


BALANCES = (
    item("000B0000", "energy_used_period", ENERGY, "kWh",
         "Energy used in this settlement period", "当前结算周期用电量"),
    item("000B0001", "energy_used_last_period", ENERGY, "kWh",
         "Energy used in the last settlement period", "上一结算周期用电量"),
    item("00900100", "remaining_energy", ENERGY, "kWh",
         "Remaining energy", "剩余电量"),
    item("00900101", "overdraft_energy", ENERGY, "kWh",
         "Overdraft energy", "透支电量"),
    item("00900200", "remaining_amount", SIGNED_ENERGY, "yuan",
         "Remaining amount", "剩余金额"),
    item("00900201", "overdraft_amount", ENERGY, "yuan",
         "Overdraft amount", "透支金额"),
)  # fmt: skip

VARIABLES = (
    item("0201pp00", "voltage_{p}", VOLTAGE, "V",
         "Voltage, {p}", "{p}电压"),
    item("0202pp00", "current_{p}", CURRENT, "A",
         "Current, {p}", "{p}电流"),
    item("0203qq00", "power_{q}", POWER, "kW",
         "Active power, {q}", "{q}有功功率"),
    item("0204qq00", "reactive_power_{q}", POWER, "kvar",
         "Reactive power, {q}", "{q}无功功率"),
    item("0205qq00", "apparent_power_{q}", APPARENT_POWER, "kVA",
         "Apparent power, {q}", "{q}视在功率"),
    item("0206qq00", "power_factor_{q}", POWER_FACTOR, "",
         "Power factor, {q}", "{q}功率因数"),
    item("0207pp00", "phase_angle_{p}", Bcd("XXX.X"), "°",
         "Phase angle, {p}", "{p}相角"),
    item("0208pp00", "voltage_distortion_{p}", Bcd("XX.XX"), "%",
         "Voltage distortion, {p}", "{p}电压波形失真度"),
    item("0209pp00", "current_distortion_{p}", Bcd("XX.XX"), "%",
         "Current distortion, {p}", "{p}电流波形失真度"),
    item("020Apphh", "voltage_harmonic_{p}_{h}", Bcd("XX.XX"), "%",
         "Voltage, {p}, {h}", "{p}电压{h}含量"),
    item("020Bpphh", "current_harmonic_{p}_{h}", Bcd("XX.XX"), "%",
         "Current, {p}, {h}", "{p}电流{h}含量"),
    item("02800001", "current_neutral", CURRENT, "A",
         "Neutral current", "零线电流"),
    item("02800002", "frequency", Bcd("XX.XX"), "Hz",
         "Frequency", "电网频率"),
    item("02800003", "power_mean_minute", APPARENT_POWER, "kW",
         "One-minute mean active power", "一分钟有功总平均功率"),
    item("02800004", "demand_present", APPARENT_POWER, "kW",
         "Present active demand", "当前有功需量"),
    item("02800005", "demand_present_reactive", APPARENT_POWER, "kvar",
         "Present reactive demand", "当前无功需量"),
    item("02800006", "demand_present_apparent", APPARENT_POWER, "kVA",
         "Present apparent demand", "当前视在需量"),
    item("02800007", "temperature", SignedBcd("XXX.X"), "°C",
         "Temperature in the meter", "表内温度"),
    item("02800008", "clock_battery", Bcd("XX.XX"), "V",
         "Clock battery voltage", "时钟电池电压"),
    item("02800009", "outage_battery", Bcd("XX.XX"), "V",
         "Outage-reading battery voltage", "停电抄表电池电压"),
    item("0280000A", "battery_minutes", Bcd("XXXXXXXX"), "min",
         "Battery service time", "内部电池工作时间"),
    item("0280000B", "ladder_price", Bcd("XXXX.XXXX"), "yuan/kWh",
         "Present ladder price", "当前阶梯电价"),
    item("02800020", "price", Bcd("XXXX.XXXX"), "yuan/kWh",
         "Present price", "当前电价"),
    item("02800021", "tariff_price", Bcd("XXXX.XXXX"), "yuan/kWh",
         "Present tariff price", "当前费率电价"),
)  # fmt: skip

MEASUREMENTS = (*_energies(), *BALANCES, *_demands(), *VARIABLES)
