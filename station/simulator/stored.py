"""What a simulated terminal of Q/GDW 1376.1 has collected of its meters by itself.

It reads all of them every quarter of an hour, keeps curves and daily freezes for DAYS_KEPT days,
and answers questions for class 1 and class 2 data. What it lacks it leaves out of its answer; a
question of which it has nothing is denied.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from station.protocols.qgdw1376 import requests
from station.protocols.qgdw1376.fragments import POINTS_IN_AN_HOUR
from station.protocols.qgdw1376.frame import CLASS_1, CLASS_2, Frame
from station.protocols.qgdw1376.functions import layout_of, make_unit, units_of
from station.protocols.qgdw1376.units import DataUnit
from station.simulator.load import State
from station.simulator.metering import MIDNIGHT, Metering
from station.simulator.recorder import record_time
from station.simulator.site import TerminalSite
from station.units import from_local, unscaled

DAYS_KEPT = 31
READS_EVERY = timedelta(minutes=15)
READS_AFTER_MIDNIGHT = timedelta(minutes=3)
HOUR_MIN = 60

Register = Sequence[int | None]
Values = dict[str, Any]

# Fn of class 1 and of the daily freeze to the registers of an energy.
ENERGIES: dict[tuple[int, int], Callable[[State], Register]] = {
    (CLASS_1, 129): lambda state: state.energy_import,
    (CLASS_1, 131): lambda state: state.energy_export,
    (CLASS_2, 161): lambda state: state.energy_import,
    (CLASS_2, 163): lambda state: state.energy_export,
}
INSTANT = (CLASS_1, 25)

Curve = tuple[str, int, Callable[[State], int | None]]


def _curves(
    first: int, count: int, key: str, decimals: int, register: Callable[[State], Register]
) -> dict[int, Curve]:
    """Return the curves of a register's values, which have Fn in a row."""

    def value(place: int) -> Callable[[State], int | None]:
        return lambda state: register(state)[place]

    return {first + place: (key, decimals, value(place)) for place in range(count)}


# Fn of a curve to the key of its points, their decimals, and the value.
CURVES: dict[int, Curve] = {
    **_curves(81, 4, "power", 4, lambda state: state.power),
    **_curves(85, 1, "reactive_power", 4, lambda state: state.reactive_power),
    **_curves(89, 3, "voltage", 1, lambda state: state.voltage),
    **_curves(92, 3, "current", 3, lambda state: state.current),
    **_curves(101, 1, "energy", 2, lambda state: state.energy_import),
    **_curves(103, 1, "energy", 2, lambda state: state.energy_export),
    **_curves(105, 1, "power_factor", 1, lambda state: state.power_factor),  # Per cent.
}


class Stored:
    """What one terminal holds, by the number of the point."""

    def __init__(self, site: TerminalSite, zone: ZoneInfo, *, seed: int) -> None:
        meters = [meter for line in site.lines for meter in line.meters]
        self._zone = zone
        self._meters = {
            point: Metering(meter, zone, seed=seed)
            for point, meter in enumerate(meters, 1)
            if not meter.dead
        }

    def answer(self, request: Frame, now: datetime) -> Frame | None:
        """Return the answer to a question for class 1 or class 2 data; None to deny it."""
        if request.afn not in (CLASS_1, CLASS_2):
            return None
        found = [self._unit(request.afn, unit, now) for unit in units_of(request).units]
        units = [unit for unit in found if unit is not None]
        return requests.answer(request, units) if units else None

    def _unit(self, afn: int, unit: DataUnit, now: datetime) -> DataUnit | None:
        metering = self._meters.get(unit.pn)
        if metering is None:
            return None
        mark = layout_of(afn, unit.fn, up=False).decode(unit.data)
        clock = now.astimezone(self._zone).replace(tzinfo=None)
        values: Values | None = None
        if (afn, unit.fn) == INSTANT:
            values = self._instant(metering, clock)
        elif (afn, unit.fn) in ENERGIES:
            values = self._energies(metering, ENERGIES[afn, unit.fn], mark, clock)
        elif afn == CLASS_2 and unit.fn in CURVES:
            values = self._curve(metering, unit.fn, mark, clock)
        return None if values is None else make_unit(afn, unit.pn, unit.fn, values, up=True)

    def _state(self, metering: Metering, local: datetime) -> State:
        """Return what a meter measured when the terminal's clock showed a time."""
        return metering.state(metering.clock(from_local(local, self._zone)))

    def _instant(self, metering: Metering, clock: datetime) -> Values:
        read = record_time(clock, READS_EVERY)
        state = self._state(metering, read)
        return {
            "read_time": read,
            "power": _decimals(state.power, 4),
            "reactive_power": _decimals(state.reactive_power, 4),
            "power_factor": _decimals(state.power_factor, 1),
            "voltage": _decimals(state.voltage, 1),
            "current": [*_decimals(state.current, 3), None],
            "apparent_power": _decimals(state.apparent_power, 4),
        }

    def _energies(
        self,
        metering: Metering,
        register: Callable[[State], Register],
        mark: Mapping[str, Any],
        clock: datetime,
    ) -> Values | None:
        if "day" not in mark:
            at = read = record_time(clock, READS_EVERY)
        else:
            day = mark["day"]
            if not isinstance(day, date):
                return None
            at = datetime.combine(day, MIDNIGHT) + timedelta(days=1)  # At its end.
            read = at + READS_AFTER_MIDNIGHT
        if not self._keeps(at, read, clock):
            return None
        energies = _decimals(register(self._state(metering, at)), 2)
        return {
            **mark,
            "read_time": read,
            "tariffs": len(energies) - 1,
            "energy": energies,
        }

    def _curve(
        self, metering: Metering, fn: int, mark: Mapping[str, Any], clock: datetime
    ) -> Values | None:
        start, per_hour = mark["start"], POINTS_IN_AN_HOUR.get(mark["density"], 0)
        if not isinstance(start, datetime) or not per_hour or per_hour > 4:
            return None  # It reads every quarter of an hour, and no more often.
        key, decimals, value = CURVES[fn]
        points: list[Decimal | None] = []
        for number in range(mark["points"]):
            at = start + number * timedelta(minutes=HOUR_MIN // per_hour)
            known = self._keeps(at, at, clock) and at == record_time(at, READS_EVERY)
            number_of = value(self._state(metering, at)) if known else None
            points.append(None if number_of is None else unscaled(number_of, decimals))
        if all(point is None for point in points):
            return None
        return {**mark, key: points}

    def _keeps(self, at: datetime, read: datetime, clock: datetime) -> bool:
        oldest = datetime.combine(clock.date(), time()) - timedelta(days=DAYS_KEPT)
        return oldest <= at and read <= clock


def _decimals(register: Register, decimals: int) -> list[Decimal | None]:
    return [None if value is None else unscaled(value, decimals) for value in register]
