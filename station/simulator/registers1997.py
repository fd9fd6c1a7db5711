"""What a 1997 meter answers to an identifier (digest 12). Pure.

The high digit says what: 9 energy, A demand, B its time or a variable, C a parameter. For energies
and demands bits 3-2 of the second digit count months back and bit 0 tells reactive from active; the
third digit is the direction or the quadrant, the fourth the tariff (F: the block).
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from station.protocols.dlt645.formats import Content, Timed
from station.simulator.metering import Metering, settlement
from station.simulator.registers import BLOCK, ENERGIES, VARIABLES

# For each digit of the direction the same energy's DI2 of 2007: active, then reactive.
_ENERGIES = (
    {1: 0x01, 2: 0x02},
    {1: 0x03, 2: 0x04, 3: 0x05, 4: 0x08, 5: 0x06, 6: 0x07},
)

# DI0's high digit of B6xx: the same variable's DI2 of 2007, and the decimals that are left of it.
_VARIABLES = {1: (0x01, 0), 2: (0x02, 2), 3: (0x03, 4), 4: (0x04, 2), 5: (0x06, 3)}


def read(metering: Metering, data_id: int, at: datetime) -> list[Content] | None:
    """Return the values of an identifier when the meter's clock shows a time."""
    what, month, direction, place = (data_id >> shift & 0xF for shift in (12, 8, 4, 0))
    if data_id >> 8 == 0xB6:
        return _variable(metering, direction, place, at)
    if what == 0xC:
        return _parameter(metering, data_id, at)
    back, group = month >> 2, month & 0b11
    if group not in (0, 1) or back > 2 or direction not in _ENERGIES[group]:
        return None
    if what == 0x9:
        energy = ENERGIES[_ENERGIES[group][direction]]
        return energy.pick(metering.state(settlement(at, back)), _tariff(place))
    if what in (0xA, 0xB) and group == 0 and direction == 1:
        demands = metering.max_demands(at, months_back=back)
        return _picked([_part(demand, what) for demand in demands], place)
    return None


def _tariff(place: int) -> int:
    return BLOCK if place == 0xF else place


def _picked(values: Sequence[Content], place: int) -> list[Content] | None:
    if place == 0xF:
        return list(values)
    return [values[place]] if place < len(values) else None


def _part(demand: Timed, what: int) -> Content:
    """Return the value (A0xx) or the time (B0xx) of a demand."""
    if what == 0xA:
        return demand.value
    return demand.time.strftime("%m-%d %H:%M") if isinstance(demand.time, datetime) else None


def _variable(metering: Metering, quantity: int, place: int, at: datetime) -> list[Content] | None:
    if quantity not in _VARIABLES:
        return None
    di2, decimals = _VARIABLES[quantity]
    values = VARIABLES[di2].pick(metering.state(at), _tariff(place))
    digit = Decimal(1).scaleb(-decimals)
    return values and [
        value.quantize(digit) if isinstance(value, Decimal) else value for value in values
    ]


def _parameter(metering: Metering, data_id: int, at: datetime) -> list[Content] | None:
    values: dict[int, Content] = {
        0xC010: at.date(),
        0xC011: at.time(),
        0xC020: 0,
        0xC021: 0,
        0xC030: 1200 if metering.site.phases == 1 else 400,
        0xC032: metering.site.address,
        0xC111: 15,
        0xC112: 15,
        0xC022: 0x7F,
        0xC117: "01 00",
        0xC310: 1,
        0xC311: 1,
        0xC312: 1,
        0xC313: metering.site.tariffs,
        0xC314: 0,
        0xC32F: "01-01 01",
        0xC33F: "00:00 03",
    }
    return [values[data_id]] if data_id in values else None
