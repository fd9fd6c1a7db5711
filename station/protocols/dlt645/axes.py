"""What identifiers count along: tariffs, settlement days, phases, records (digest 4 to 12)."""

from .tables import Axis, Label

_PHASES = ("A", "B", "C")
_TOTAL = Label("total", "total", "总")


def numbered(
    letter: str, first: int, last: int, label: tuple[str, str, str], *, has_block: bool = False
) -> Axis:
    """Return an axis whose places are told apart by their number alone."""
    code, en, zh = label
    labels = {
        place: Label(code.format(place), en.format(place), zh.format(place))
        for place in range(first, last + 1)
    }
    return Axis(letter, labels, has_block)


def _tariffs(letter: str, last: int, total: Label, prefix: str) -> Axis:
    numbers = {n: Label(f"{prefix}t{n}", f"tariff {n}", f"费率{n}") for n in range(1, last + 1)}
    return Axis(letter, {0: total, **numbers}, has_block=True)


def _phases(letter: str, first: int, *, total: bool) -> Axis:
    labels = {
        first + place: Label(name.lower(), f"phase {name}", f"{name}相")
        for place, name in enumerate(_PHASES)
    }
    return Axis(letter, {0: _TOTAL, **labels} if total else labels, has_block=True)


TARIFF = _tariffs("t", 0x3F, _TOTAL, "")
TARIFF_OF_DEMAND = _tariffs("u", 0x3F, Label("", "total", "总"), "_")
SETTLEMENT = Axis(
    "d",
    {
        0: Label("", "", ""),
        **{
            n: Label(f"_settlement_{n}", f", settlement day {n} back", f"(上{n}结算日)")
            for n in range(1, 0x0C + 1)
        },
    },
    has_block=True,
)
PHASE = _phases("p", 1, total=False)
TOTAL_AND_PHASE = _phases("q", 1, total=True)
RECORD = numbered("n", 0x01, 0x0A, ("_{}", ", {} back", "(上{}次)"))

AXES_2007 = (
    TARIFF,
    TARIFF_OF_DEMAND,
    SETTLEMENT,
    PHASE,
    TOTAL_AND_PHASE,
    RECORD,
    numbered("h", 0x01, 0x15, ("{}", "harmonic {}", "{}次谐波"), has_block=True),
    numbered("m", 0x00, 0x0C, ("_month_{}", ", month {} back", "(上{}月)")),
    numbered("w", 0x01, 0x07, ("{}", "{}", "{}"), has_block=True),  # Status words.
    numbered("k", 0x01, 0x3F, ("{}", "{}", "{}"), has_block=True),  # Prices of tariffs.
    numbered("s", 0x01, 0xFE, ("{}", "{}", "{}")),  # Holidays and display screens.
    numbered("z", 0x01, 0x08, ("{}", "{}", "{}")),  # Slot tables.
    numbered("l", 0x01, 0x0E, ("{}", "{}", "{}"), has_block=True),  # Ladder steps.
)
ENTRY = numbered("e", 1, 14, ("{}", "{}", "{}"))  # Zones of a year and slots of a day: up to 14.

# 1997 counts in half bytes.
TARIFF_1997 = _tariffs("t", 0xE, _TOTAL, "")
TARIFF_OF_DEMAND_1997 = _tariffs("u", 0xE, Label("", "total", "总"), "_")
AXES_1997 = (
    TARIFF_1997,
    TARIFF_OF_DEMAND_1997,
    _phases("p", 1, total=False),
    _phases("q", 1, total=True),
    _phases("g", 0, total=False),
    Axis("z", {n + 2: Label(f"{n}", f"{n}", f"{n}") for n in range(1, 9)}),  # C33x is table 1.
    numbered("e", 0x1, 0xE, ("{}", "{}", "{}"), has_block=True),  # Zones and slots.
)
