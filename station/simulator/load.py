"""What a simulated meter measures: believable, and the same whenever it is asked. Pure.

A `Load` is a function from a moment to a `State`. It depends on the meter's address and the seed
alone, so a value read now, later from the load profile, or from a freeze is one value.

The energy of each day and tariff is drawn in order from EPOCH on and added up once (a few
microseconds a day); the day's curve is made when it is asked for and stretched to hold exactly
that energy. So registers never run back and no moment costs a walk through the past. Days are the
24 hours of the zone's standard time: a clock change neither repeats nor skips energy.
"""

import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import count, pairwise
from operator import add, sub
from random import Random
from zoneinfo import ZoneInfo

from station.simulator.curve import (
    DAY_S,
    HOUR_S,
    SEGMENT_S,
    SEGMENTS,
    SEGMENTS_PER_HOUR,
    Curve,
    Knots,
    Periods,
    energies_of,
)
from station.simulator.shapes import CLOUDS, SHAPES, SUN, SUN_PEAK, TARIFF_OF_HOUR, Shape

EPOCH = date(2025, 1, 1)  # Before it, registers stand at their first values.
DEMAND_S = 900  # The usual demand period.
PERIODS_PER_DAY = DAY_S // DEMAND_S
DAYS_KEPT = 40  # Day curves kept per meter: a month's demand and some; about 20 kB each.

RATED_V = 220.0
LOSS_V_PER_KW = 0.25  # The voltage falls a little with the load of its phase.
PRICE = 56  # 0.01 yuan per kWh.
TOP_UP = 20_000  # 0.01 yuan; a prepaid meter is topped up whenever this much is used.

ACTIVE, REACTIVE = 0, 1  # The columns of import; those of export follow where there is one.
MWH_PER_HUNDREDTH = 10_000  # mWh in 0.01 kWh.
MWH_PER_DEMAND_DIGIT = 25  # mWh in a demand period at 0.0001 kW.


@dataclass(frozen=True, slots=True)
class State:
    """What a meter measures at one moment, as whole numbers of the last digit.

    Energies are 0.01 kWh and kvarh: the total, then tariffs 1..n, which add up to it. Powers are
    0.0001 kW, kvar and kVA: total, A, B, C; the phases of the first two add up to the total, and a
    power that is delivered is negative. Voltages are 0.1 V, currents 0.001 A, power factors
    0.001, angles 0.1 degree, frequency 0.01 Hz, the remaining amount 0.01 yuan. A single-phase
    meter has None for phases B and C.
    """

    energy_import: tuple[int, ...]
    energy_export: tuple[int, ...]
    reactive_quadrant_1: tuple[int, ...]
    reactive_quadrant_2: tuple[int, ...]
    power: tuple[int | None, ...]
    reactive_power: tuple[int | None, ...]
    apparent_power: tuple[int | None, ...]
    power_factor: tuple[int | None, ...]
    voltage: tuple[int | None, ...]
    current: tuple[int | None, ...]
    angle: tuple[int | None, ...]
    frequency: int
    remaining_amount: int


@dataclass(frozen=True, slots=True)
class Demand:
    """A mean power (0.0001 kW) and the moment at which its period ended; None if there is none."""

    value: int
    at: datetime | None


class Load:
    """What one meter measures at any moment."""

    def __init__(
        self,
        address: str,
        shape: str,
        zone: ZoneInfo,
        *,
        seed: int = 1,
        phases: int = 1,
        tariffs: int = 4,
        photovoltaic: bool = False,
    ) -> None:
        """`shape` is a key of SHAPES, `phases` 1 or 3, `tariffs` 1..4."""
        self._zone = zone
        self._name = f"{seed}/{address}"
        self._shape = SHAPES[shape]
        self._periods = Periods(TARIFF_OF_HOUR[tariffs])
        random = Random(self._name)
        self._shares = _phase_shares(phases, random)
        self._voltages = [RATED_V + random.uniform(-2.5, 2.5) for _ in range(phases)]
        scale = 1000 * random.uniform(*self._shape.watts)
        self._workday = _columns(self._shape, self._shape.workday, scale, photovoltaic)
        self._weekend = _columns(self._shape, self._shape.weekend, scale, photovoltaic)
        self._registers = _Registers(self._workday, self._weekend, self._periods, random)
        self._day = lru_cache(DAYS_KEPT)(self._draw_day)
        self._demands = lru_cache(DAYS_KEPT)(self._demands_of_day)

    def state(self, moment: datetime) -> State:
        """Return what the meter measures at an aware moment."""
        day, second = divmod(self._standard_second(moment), DAY_S)
        curves = self._day(day).curves
        powers = [curve.power(second) for curve in curves] + [0.0, 0.0]
        flow = _Flow(powers[0] - powers[2], powers[1] + powers[3], self._shares)
        voltages = self._voltages_at(day, second, flow)
        registers = [_hundredths(mwh) for mwh in self._mwh(day, second)]
        registers += [(0,) * len(registers[0])] * 2
        return State(
            energy_import=registers[0],
            energy_export=registers[2],
            reactive_quadrant_1=registers[1],
            reactive_quadrant_2=registers[3],
            power=flow.power,
            reactive_power=flow.reactive_power,
            apparent_power=flow.apparent_power(),
            power_factor=flow.power_factor(),
            voltage=_three(round(10 * volts) for volts in voltages),
            current=_three(flow.currents(voltages)),
            angle=_three([flow.angle()] * len(voltages)),
            frequency=_frequency(day * DAY_S + second),
            remaining_amount=TOP_UP - registers[0][0] * PRICE // 100 % TOP_UP,
        )

    def demand(self, moment: datetime) -> tuple[int, int]:
        """Return the active and reactive demand of the last whole period, 0.0001 kW and kvar."""
        period = max(self._standard_second(moment) // DEMAND_S - 1, 0)
        day, period = divmod(period, PERIODS_PER_DAY)
        return self._demands(day, ACTIVE)[period], self._demands(day, REACTIVE)[period]

    def max_demand(self, since: datetime, until: datetime) -> tuple[Demand, ...]:
        """Return the highest import demand between two moments: over all, then of each tariff."""
        first = -(-self._standard_second(since) // DEMAND_S)
        now = self._standard_second(until)
        highest = [(0, now)] * (self._periods.count + 1)
        for number in range(first, now // DEMAND_S):
            day, period = divmod(number, PERIODS_PER_DAY)
            value = self._demands(day, ACTIVE)[period]
            tariff = self._periods.of_hour[period * DEMAND_S // HOUR_S]
            for row in (0, tariff + 1):
                if value > highest[row][0]:
                    highest[row] = (value, (number + 1) * DEMAND_S)
        at = until.replace(microsecond=0)
        return tuple(
            Demand(value, at - timedelta(seconds=now - second) if value else None)
            for value, second in highest
        )

    def _standard_second(self, moment: datetime) -> int:
        """Return the seconds of standard time since EPOCH began, or 0 before it."""
        local = moment.astimezone(self._zone)
        if saving := local.dst():
            local = local.replace(tzinfo=None) - saving
        days = local.toordinal() - EPOCH.toordinal()
        return max(days * DAY_S + local.hour * HOUR_S + local.minute * 60 + local.second, 0)

    def _mwh(self, day: int, second: int) -> list[list[int]]:
        """Return the registers: for each column, the mWh of each tariff."""
        return [
            [start + used for start, used in zip(starts, curve.energies(second), strict=True)]
            for starts, curve in zip(self._registers.at(day), self._day(day).curves, strict=True)
        ]

    def _draw_day(self, day: int) -> "_Day":
        random = Random(f"{self._name}/{day}")
        shape = self._shape
        use = _noise(random, shape.noise, shape.bursts, shape.burst_factor)
        sun = _noise(random, CLOUDS)
        columns = self._weekend if _is_weekend(day) else self._workday
        curves = [
            Curve(
                [int(knot * by) for knot, by in zip(knots, noise, strict=True)],
                energies,
                self._periods,
            )
            for knots, noise, energies in zip(
                columns, (use, use, sun, sun), self._registers.drawn(day), strict=False
            )
        ]
        return _Day(tuple(curves), _voltage_drift(random))

    def _demands_of_day(self, day: int, column: int) -> tuple[int, ...]:
        curve = self._day(day).curves[column]
        reached = [sum(curve.energies(second)) for second in range(0, DAY_S, DEMAND_S)]
        reached.append(sum(self._registers.drawn(day)[column]))
        return tuple((end - start) // MWH_PER_DEMAND_DIGIT for start, end in pairwise(reached))

    def _voltages_at(self, day: int, second: int, flow: "_Flow") -> list[float]:
        drift = self._day(day).voltage_drift
        segment, inside = divmod(second, SEGMENT_S)
        common = drift[segment] + (drift[segment + 1] - drift[segment]) * inside / SEGMENT_S
        return [
            own + common - LOSS_V_PER_KW * watts / 1000
            for own, watts in zip(self._voltages, flow.watts, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _Day:
    """One day: its curves by column, and how far the voltage is off (V, at each knot)."""

    curves: tuple[Curve, ...]
    voltage_drift: tuple[float, ...]


class _Registers:
    """What each register holds at the start of each day, drawn in order and kept."""

    def __init__(
        self, workday: Sequence[Knots], weekend: Sequence[Knots], periods: Periods, random: Random
    ) -> None:
        self._tariffs = periods.count
        self._usual = [
            [energy for knots in columns for energy in energies_of(knots, periods)]
            for columns in (workday, weekend)
        ]
        first = [int(energy * random.uniform(100, 900)) for energy in self._usual[0]]
        self._starts = [array("q", first)]
        self._factors = _day_factors(2 * self._tariffs, random)

    def at(self, day: int) -> list[list[int]]:
        """Return the mWh at the start of a day: for each column, of each tariff."""
        while len(self._starts) <= day:
            usual = self._usual[_is_weekend(len(self._starts) - 1)]
            drawn = [
                int(energy * by) for energy, by in zip(usual, next(self._factors), strict=False)
            ]
            self._starts.append(array("q", map(add, self._starts[-1], drawn)))
        return self._by_column(self._starts[day])

    def drawn(self, day: int) -> list[list[int]]:
        """Return the mWh that a day adds."""
        self.at(day + 1)
        return self._by_column(array("q", map(sub, self._starts[day + 1], self._starts[day])))

    def _by_column(self, flat: "array[int]") -> list[list[int]]:
        return [list(flat[at : at + self._tariffs]) for at in range(0, len(flat), self._tariffs)]


class _Flow:
    """What flows at one moment, in watts and vars, shared among the phases."""

    def __init__(self, active: float, reactive: float, shares: Sequence[float]) -> None:
        self.watts = [active * share for share in shares]
        self.power = _split(active, shares)
        self.reactive_power = _split(reactive, shares)
        self._apparent = math.hypot(active, reactive)
        self._shares = shares
        self._angle = math.atan2(reactive, active)

    def apparent_power(self) -> tuple[int | None, ...]:
        return _split(self._apparent, self._shares)

    def power_factor(self) -> tuple[int | None, ...]:
        factor = round(1000 * math.cos(self._angle))
        return (factor, *_three([factor] * len(self._shares)))

    def angle(self) -> int:
        return round(math.degrees(self._angle) * 10) % 3600

    def currents(self, voltages: Sequence[float]) -> list[int]:
        """Return 0.001 A for each phase, negative when it delivers."""
        sign = -1 if abs(self._angle) > math.pi / 2 else 1
        return [
            sign * round(1000 * self._apparent * share / voltage)
            for share, voltage in zip(self._shares, voltages, strict=True)
        ]


def _split(total: float, shares: Sequence[float]) -> tuple[int | None, ...]:
    """Return a power of watts as total, A, B, C in 0.0001 kW, the phases adding up to the total."""
    whole = round(10 * total)
    phases = [round(10 * total * share) for share in shares]
    phases[-1] = whole - sum(phases[:-1])
    return (whole, *_three(phases))


def _three(phases: Iterable[int]) -> tuple[int | None, ...]:
    """Return A, B, C, where None stands for a phase that the meter does not have."""
    known = tuple(phases)
    return (*known, *[None] * (3 - len(known)))


def _hundredths(register: Sequence[int]) -> tuple[int, ...]:
    tariffs = [mwh // MWH_PER_HUNDREDTH for mwh in register]
    return (sum(tariffs), *tariffs)


def _frequency(second: int) -> int:
    """Return 0.01 Hz; the same for every meter, as it is in one grid."""
    return 5000 + round(2.4 * math.sin(second / 97) + 1.6 * math.sin(second / 531))


def _phase_shares(phases: int, random: Random) -> list[float]:
    weights = [random.uniform(0.85, 1.15) for _ in range(phases)]
    return [weight / sum(weights) for weight in weights]


def _columns(
    shape: Shape, hours: Sequence[int], scale: float, photovoltaic: bool
) -> list[list[int]]:
    """Return the usual knots (mW, mvar) of import, and of export where the sun gives."""
    use = _between_hours(hours)
    sun = (
        [SUN_PEAK * height for height in _between_hours(SUN)] if photovoltaic else [0.0] * len(use)
    )
    net = [scale * (used - given) for used, given in zip(use, sun, strict=True)]
    flows = [[max(power, 0.0) for power in net]]
    if photovoltaic:
        flows.append([max(-power, 0.0) for power in net])
    return [
        [int(power * by) for power, by in zip(flow, factors, strict=True)]
        for flow in flows
        for factors in ([1.0] * len(flow), _tangents(shape))
    ]


def _between_hours(hours: Sequence[int]) -> list[float]:
    """Return the knots of a day from per cent at each whole hour, straight in between."""
    knots = []
    for hour, (left, right) in enumerate(zip(hours, (*hours[1:], hours[0]), strict=True)):
        steps = SEGMENTS_PER_HOUR + (hour == 23)
        knots += [(left + (right - left) * step / SEGMENTS_PER_HOUR) / 100 for step in range(steps)]
    return knots


def _tangents(shape: Shape) -> list[float]:
    """Return reactive per active power at each knot; motors run by day."""
    return [
        shape.tangent * (1 - 0.2 * math.cos(2 * math.pi * knot / SEGMENTS))
        for knot in range(SEGMENTS + 1)
    ]


def _noise(random: Random, spread: float, bursts: float = 0.0, factor: float = 1.0) -> list[float]:
    """Return by how much each knot of a day is more or less than usual."""
    noise = []
    drift = 0.0
    for _ in range(SEGMENTS + 1):
        drift = 0.7 * drift + spread * (random.random() - 0.5)
        burst = factor if random.random() < bursts else 1.0
        noise.append(max(0.3, min(1.6, 1 + drift)) * burst)
    return noise


def _voltage_drift(random: Random) -> tuple[float, ...]:
    """Return volts at each knot of a day, lower in the evening."""
    drift = []
    wander = 0.0
    for knot in range(SEGMENTS + 1):
        wander = 0.9 * wander + 1.4 * (random.random() - 0.5)
        drift.append(wander + 2 * math.cos(2 * math.pi * (knot / SEGMENTS - 0.15)))
    return tuple(drift)


def _day_factors(size: int, random: Random) -> Iterator[list[float]]:
    """Yield for each day the factor of each register: `size` of import, `size` of export."""
    weather = 0.0
    for day in count():
        season = 0.15 * math.cos(2 * math.pi * (day - 200) / 365.25)
        weather = 0.6 * weather + 0.2 * (random.random() - 0.5)
        yield [1 + season + weather] * size + [random.uniform(0.35, 1.0)] * size


def _is_weekend(day: int) -> bool:
    return (EPOCH.weekday() + day) % 7 >= 5
