"""Which parameters meters of DL/T 645 have: their identifiers, names, help and source. Pure.

A code is the data identifier: 8 hex digits of 2007 ("04001001"), 4 of 1997 ("C111"). Passwords and
the address are no values to compare; see `errands`.
"""

from station.collector.parameter_texts import FieldSpec, ParameterSpec
from station.errors import InvalidValue
from station.protocols.dlt645 import Version, items
from station.words import Text

VALUE = "value"  # The only field of a meter's parameter.

# Identifiers of 2007 that may be set, the ones shown for every meter first.

_NO_HELP = Text("", "")
_BLOCK = Text(", block", "数据块")  # Tables of entries are read and written whole.
_METER_HELP = {
    "04000103": Text("Minutes over which demand is averaged.", "需量积算的周期。"),
    "04000204": Text("How many tariffs the meter counts by.", "电能表计量的费率数。"),
    "04000106": Text(
        "When the second set of year zones takes over.", "切换到第二套时区表的时间。"
    ),
    "04000108": Text("When the spare prices take over.", "切换到备用套费率电价的时间。"),
    "04001001": Text(
        "Below this remaining amount the meter warns for the first time.",
        "剩余金额低于此值时第一次报警。",
    ),
    "04001002": Text(
        "Below this remaining amount the meter warns for the second time, mostly by a trip that a"
        " card takes back.",
        "剩余金额低于此值时第二次报警，通常跳闸，插卡恢复。",
    ),
    "04001003": Text("How far the account may go below zero.", "允许透支的金额。"),
    "04001004": Text("The most that may be on the meter.", "表内允许的最大剩余金额。"),
    "04010000": Text(
        "The seasons: the day on which each begins and its slot table, parted by commas.",
        "各时区起始日期及日时段表号，逗号分隔。",
    ),
    "04010001": Text(
        "A day's slots: the time at which each begins and its tariff, parted by commas.",
        "日时段表：各时段起始时间及费率号，逗号分隔。",
    ),
}  # fmt: skip
METER_MAIN = (
    "04000103", "04000201", "04000202", "04000203", "04000204", "04010000", "04010001",
    "04000106", "04000108", "04001001", "04001002", "04001003", "04001004",
)  # fmt: skip
METER_MORE = (
    "04000104", "04000107", "04000109", "04000205", "04000207", "04000301", "04000302",
    "04000305", "04000306", "04000307", "04000801", "04000802", "04000901", "04000A01",
    *(f"04000A{place:02X}" for place in range(2, 8)),
    "04000B01", "04000B02", "04000B03", "04000E01", "04000E02", "04000E03", "04000E04",
    "04000F01", "04000F02", "04000F03", "04000F04", "04001005",
    *(f"040100{table:02X}" for table in range(2, 9)),
    "04020000", *(f"040200{table:02X}" for table in range(1, 9)),
    *(f"040501{tariff:02X}" for tariff in range(1, 5)),
    *(f"040502{tariff:02X}" for tariff in range(1, 5)),
)  # fmt: skip
_CODES_2007 = frozenset((*METER_MAIN, *METER_MORE))
assert len(_CODES_2007) == len(METER_MAIN) + len(METER_MORE), "a parameter stands twice"

# Those of 1997 (digest dlt645.md, section 12). Tables of entries are read and written as blocks.

METER_MAIN_1997 = ("C111", "C112", "C117", "C310", "C311", "C312", "C313", "C314", "C32F", "C33F")
METER_MORE_1997 = ("C022", *(f"C3{table + 2:X}F" for table in range(2, 9)))
_CODES_1997 = frozenset((*METER_MAIN_1997, *METER_MORE_1997))
_NAMES_1997 = {
    "C32F": Text("Year zones: start, slot table", "年时区表：起始日期及日时段表号"),
    **{
        f"C3{table + 2:X}F": Text(
            f"Slot table {table}: start, tariff", f"第{table}日时段表：起始时间及费率号"
        )
        for table in range(1, 9)
    },
}
_HELP_1997 = {
    "C111": _METER_HELP["04000103"],
    "C117": Text("Day and hour at which the meter closes a month.", "电能表每月结算的日、时。"),
    "C313": _METER_HELP["04000204"],
    "C32F": _METER_HELP["04010000"],
    **{f"C3{table + 2:X}F": _METER_HELP["04010001"] for table in range(1, 9)},
}

_ZONES, _SLOTS, _SWITCH = "01-01 01, 07-01 02", "00:00 03, 06:00 02, 22:00 04", "2026-01-31T00:00"
_METER_EXAMPLES = {
    "04010000": _ZONES,
    "04020000": _ZONES,
    **{f"0401{table:04X}": _SLOTS for table in range(1, 9)},
    **{f"0402{table:04X}": _SLOTS for table in range(1, 9)},
    **{f"0400010{place}": _SWITCH for place in range(6, 10)},
    **{f"04000B0{day}": "01 00" for day in range(1, 4)},
    "04000A01": "01-01 00:00",
    "C117": "01 00",
    "C32F": _ZONES,
    **{f"C3{table + 2:X}F": _SLOTS for table in range(1, 9)},
}
assert set(_METER_EXAMPLES) <= _CODES_2007 | _CODES_1997, "an example of no parameter"


def version_of(code: str) -> Version:
    """Return the version whose identifier a code is."""
    return Version.V1997 if len(code) == 4 else Version.V2007


def meter_spec(code: str) -> ParameterSpec:
    """Return what is known of a meter's parameter. Raises InvalidValue."""
    if code not in _CODES_2007 | _CODES_1997:
        raise InvalidValue("code", f"there is no parameter {code!r}")
    version = version_of(code)
    found = items.find(version, int(code, 16))
    name = _NAMES_1997.get(code, found[0].name)
    name = Text(name.en.removesuffix(_BLOCK.en), name.zh.removesuffix(_BLOCK.zh))
    layout = found[0].layout
    unit = layout.fields[0].unit if layout is not None else ""
    value = FieldSpec(VALUE, Text("Value", "数值"), unit, example=_METER_EXAMPLES.get(code, ""))
    digits = " ".join(code[at : at + 2] for at in range(0, len(code), 2))
    source = f"DL/T 645-{version.value[-4:]}, {digits}"
    help_text = (_METER_HELP if version is Version.V2007 else _HELP_1997).get(code, _NO_HELP)
    return ParameterSpec(code, name, (value,), help_text, source)
