"""What a 2007 meter answers to an identifier of the classes 00, 01, 02, 04 and 05. Pure.

`read` gives the values of an identifier in the order in which they lie in the data, as
`dlt645.items.encode` takes them; None when the meter has no such identifier. Blocks (FFH) hold the
total and the tariffs that the meter has, or all three phases, absent ones as None.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from station.protocols.dlt645.formats import Content, Timed
from station.simulator.load import State
from station.simulator.metering import MIDNIGHT, Metering, settlement
from station.units import unscaled

Register = Sequence[int | None]

BLOCK = 0xFF
SETTLEMENTS_KEPT = 12


@dataclass(frozen=True, slots=True)
class Quantity:
    """Where a quantity stands in a `State`; `first` is the place on DI1 of its first value."""

    register: Callable[[State], Register]
    decimals: int
    first: int = 0

    def pick(self, state: State, place: int) -> list[Content] | None:
        """Return all values for the block, or the one of a place; None where there is none."""
        register = self.register(state)
        if place != BLOCK:
            register = register[place - self.first :][:1] if place >= self.first else ()
        return [
            None if value is None else unscaled(value, self.decimals) for value in register
        ] or None


def _nothing(state: State) -> Register:
    return (0,) * len(state.energy_import)


def _combined(state: State) -> Register:
    """Forward plus reverse, as combination words are set at the factory."""
    return [sum(pair) for pair in zip(state.energy_import, state.energy_export, strict=True)]


# DI2 of class 00. Nothing flows in quadrants III and IV here: loads are inductive.
ENERGIES = {
    0x00: Quantity(_combined, 2),
    0x01: Quantity(lambda state: state.energy_import, 2),
    0x02: Quantity(lambda state: state.energy_export, 2),
    0x03: Quantity(lambda state: state.reactive_quadrant_1, 2),
    0x04: Quantity(lambda state: state.reactive_quadrant_2, 2),
    0x05: Quantity(lambda state: state.reactive_quadrant_1, 2),
    0x06: Quantity(lambda state: state.reactive_quadrant_2, 2),
    0x07: Quantity(_nothing, 2),
    0x08: Quantity(_nothing, 2),
}

# DI2 of class 02.
VARIABLES = {
    0x01: Quantity(lambda state: state.voltage, 1, first=1),
    0x02: Quantity(lambda state: state.current, 3, first=1),
    0x03: Quantity(lambda state: state.power, 4),
    0x04: Quantity(lambda state: state.reactive_power, 4),
    0x05: Quantity(lambda state: state.apparent_power, 4),
    0x06: Quantity(lambda state: state.power_factor, 3),
    0x07: Quantity(lambda state: state.angle, 1, first=1),
}

# Class 04, what hardly ever changes. Settlement is on the 1st at 00:00.
_PARAMETERS: dict[int, Content] = {
    0x04000103: 15,  # Demand period and step, minutes.
    0x04000104: 15,
    0x04000306: 1,  # CT and PT ratio.
    0x04000307: 1,
    0x04000404: "220V",
    0x0400040B: "SIMULATED",
    0x0400040D: "DL/T645-2007",
    0x04000601: 0x05,  # Combined active is forward plus reverse.
    0x04000B01: "01 00",
    0x04000201: 1,  # Year zones, slot tables, slots, holidays, ladder steps.
    0x04000202: 1,
    0x04000203: 3,
    0x04000205: 0,
    0x04000207: 0,
    0x04001001: 20,  # Alarm amounts, overdraft and hoarding limits, yuan.
    0x04001002: 10,
    0x04001003: 0,
    0x04001004: 5000,
}
_SWITCH_TIMES = range(0x04000106, 0x0400010A)
# The whole day of every season: valley, flat, valley.
_TABLES: dict[int, list[Content]] = {
    0x04010000: ["01-01 01"],
    0x04010001: ["00:00 04", "08:00 03", "22:00 04"],
    0x04020000: ["01-01 01"],
    0x04020001: ["00:00 04", "08:00 03", "22:00 04"],
}
_NO_SWITCH = datetime(2000, 1, 1)  # noqa: DTZ001  Long past, by a clock without a zone.
TABLES = frozenset(_TABLES)  # Of as many entries as are written.
_SINGLE_PHASE: dict[int, Content] = {0x04000405: "5A", 0x04000406: "60A", 0x04000409: 1200}
_THREE_PHASE: dict[int, Content] = {0x04000405: "10A", 0x04000406: "100A", 0x04000409: 400}
_STATUS_WORDS = 0x04000500
_PROFILE_INTERVALS = range(0x04000A02, 0x04000A08)

ACTIVE_REVERSE = 1 << 4  # Status word 1.
PREPAID_MONEY = 0b10 << 8  # Status word 3; both accounts opened.


def read(metering: Metering, data_id: int, at: datetime) -> list[Content] | None:
    """Return the values of an identifier when the meter's clock shows a time."""
    reader = _READERS.get(data_id >> 24)
    return None if reader is None else reader(metering, data_id, at)


def _energy(metering: Metering, data_id: int, at: datetime) -> list[Content] | None:
    _, di2, tariff, back = data_id.to_bytes(4, "big")
    if di2 == 0x90:
        return _balance(metering, data_id, at)
    if di2 not in ENERGIES or back > SETTLEMENTS_KEPT:
        return None
    return ENERGIES[di2].pick(metering.state(settlement(at, back)), tariff)


def _balance(metering: Metering, data_id: int, at: datetime) -> list[Content] | None:
    if not metering.site.prepaid:
        return None
    if data_id == 0x00900200:
        return [unscaled(metering.state(at).remaining_amount, 2)]
    return [0] if data_id == 0x00900201 else None


def _demand(metering: Metering, data_id: int, at: datetime) -> list[Content] | None:
    _, di2, tariff, back = data_id.to_bytes(4, "big")
    if di2 not in (0x01, 0x02) or back > SETTLEMENTS_KEPT:
        return None
    demands: list[Content] = [Timed(0, None)] * (metering.site.tariffs + 1)
    if di2 == 0x01:
        demands = list(metering.max_demands(at, months_back=back))
    if tariff == BLOCK:
        return demands
    return [demands[tariff]] if tariff < len(demands) else None


def _variable(metering: Metering, data_id: int, at: datetime) -> list[Content] | None:
    _, di2, place, di0 = data_id.to_bytes(4, "big")
    if di2 in VARIABLES and di0 == 0:
        return VARIABLES[di2].pick(metering.state(at), place)
    if data_id in (0x02800004, 0x02800005):
        return [unscaled(metering.demand(at)[data_id & 1], 4)]
    single = _SINGLES.get(data_id)
    return None if single is None else single.pick(metering.state(at), 0)


def _parameter(metering: Metering, data_id: int, at: datetime) -> list[Content] | None:
    site = metering.site
    if data_id & ~0xFF == _STATUS_WORDS:
        words = _status_words(metering, at)
        place = data_id & 0xFF
        if place == BLOCK:
            return words
        return [words[place - 1]] if 1 <= place <= len(words) else None
    if data_id in _TABLES:
        return _TABLES[data_id]
    if data_id in _SWITCH_TIMES:
        return [_NO_SWITCH]
    if data_id in _PROFILE_INTERVALS:
        return [site.profile_interval_min]
    moving: dict[int, Content] = {
        0x04000101: at.date(),
        0x04000102: at.time(),
        0x0400010C: at,
        0x04000204: site.tariffs,
        0x04000401: site.address,
        0x04000402: site.address,
    }
    by_phases = _SINGLE_PHASE if site.phases == 1 else _THREE_PHASE
    for values in (moving, by_phases, _PARAMETERS):
        if data_id in values:
            return [values[data_id]]
    return None


def _status_words(metering: Metering, at: datetime) -> list[Content]:
    """Return words 1 to 7; words 4 to 7 tell faults, and there are none."""
    delivers = [power is not None and power < 0 for power in metering.state(at).power]
    first = ACTIVE_REVERSE if delivers[0] else 0
    second = sum(1 << phase for phase, reverse in enumerate(delivers[1:]) if reverse)
    third = PREPAID_MONEY if metering.site.prepaid else 0
    return [first, second, third, 0, 0, 0, 0]


def _frozen(metering: Metering, data_id: int, at: datetime) -> list[Content] | None:
    """Return one part of a freeze."""
    _, kind, part, number = data_id.to_bytes(4, "big")
    if kind not in _FREEZES or not 1 <= number <= _FREEZES[kind].kept:
        return None
    frozen = _FREEZES[kind].last(at) - (number - 1) * _FREEZES[kind].apart
    if part == 0x00:
        return [frozen]
    state = metering.state(frozen)
    if part in ENERGIES:
        return ENERGIES[part].pick(state, 0 if kind == HOURLY else BLOCK)
    if kind == HOURLY:
        return None
    if part in (0x09, 0x0A):
        return _demand(metering, 0x0100FF00 | part - 0x08 << 16, frozen)
    if part == 0x10:
        powers = [VARIABLES[di2].pick(state, BLOCK) for di2 in (0x03, 0x04)]
        return [value for values in powers for value in values or ()]
    return None


def freeze_parts(data_id: int) -> list[int]:
    """Return the identifiers whose data one that asks for a whole freeze holds; else none."""
    _, kind, part, number = data_id.to_bytes(4, "big")
    if data_id >> 24 != FREEZE or part != BLOCK or kind not in _FREEZES:
        return []
    return [FREEZE << 24 | kind << 16 | one << 8 | number for one in FREEZE_PARTS]


@dataclass(frozen=True, slots=True)
class _Freezes:
    """How often a meter freezes, how many it keeps, and when the last one was."""

    apart: timedelta
    kept: int
    last: Callable[[datetime], datetime]


FREEZE = 0x05
FREEZE_PARTS = (*range(0x0B), 0x10)  # DI1: time, energies, demands, powers.
HOURLY, DAILY = 0x04, 0x06  # DI2 of class 05.
_FREEZES = {
    HOURLY: _Freezes(
        timedelta(hours=1), 254, lambda at: at.replace(minute=0, second=0, microsecond=0)
    ),
    DAILY: _Freezes(timedelta(days=1), 62, lambda at: datetime.combine(at.date(), MIDNIGHT)),
}

_SINGLES = {
    0x02800001: Quantity(lambda state: [abs(state.current[0] or 0)], 3),  # Neutral.
    0x02800002: Quantity(lambda state: [state.frequency], 2),
    0x02800003: Quantity(lambda state: [abs(state.power[0] or 0)], 4),
    0x02800007: Quantity(lambda _: [253], 1),  # Temperature in the meter.
    0x02800008: Quantity(lambda _: [360], 2),  # Clock battery.
}

_READERS = {0x00: _energy, 0x01: _demand, 0x02: _variable, 0x04: _parameter, FREEZE: _frozen}
