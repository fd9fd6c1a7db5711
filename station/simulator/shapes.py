"""The shapes of a day: who uses how much at which hour, and which hour is which tariff. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of customer; hours are per cent of the meter's own scale at 00:00 .. 23:00."""

    watts: tuple[int, int]  # The scale (100 per cent) of a meter lies between these.
    workday: tuple[int, ...]
    weekend: tuple[int, ...]
    noise: float  # How far a five-minute mean strays from the curve; 0.1 is ten per cent.
    bursts: float  # Share of the five-minute spans in which something big runs.
    burst_factor: float
    tangent: float  # Reactive power per active power.


def _hours(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split()))


# A workshop stays well below 79.9999 kW, bursts included: the signed powers of 2007 end there.
SHAPES = {
    "home": Shape(
        watts=(700, 2200),
        workday=_hours("24 20 18 17 18 24 46 62 48 32 28 34 48 40 30 28 34 52 82 100 98 84 60 36"),
        weekend=_hours("30 24 20 18 18 22 32 48 60 62 58 64 72 62 52 48 52 66 88 100 96 84 64 42"),
        noise=0.35,
        bursts=0.03,
        burst_factor=2.4,
        tangent=0.22,
    ),
    "shop": Shape(
        watts=(2500, 5500),
        workday=_hours("12 12 11 11 12 14 20 36 62 80 86 90 92 90 88 88 90 96 100 98 88 66 34 16"),
        weekend=_hours("14 12 12 11 12 14 18 30 58 82 92 96 98 98 96 96 98 100 100 98 92 74 40 18"),
        noise=0.12,
        bursts=0.01,
        burst_factor=1.4,
        tangent=0.33,
    ),
    "workshop": Shape(
        watts=(9000, 22000),
        workday=_hours("8 8 8 8 8 9 14 40 86 98 100 92 48 82 98 100 96 80 40 22 14 10 8 8"),
        weekend=_hours("8 8 8 8 8 8 10 16 28 34 34 28 16 22 24 22 18 12 10 8 8 8 8 8"),
        noise=0.18,
        bursts=0.02,
        burst_factor=1.5,
        tangent=0.52,
    ),
    "pump": Shape(
        watts=(6000, 15000),
        workday=_hours("92 96 100 98 92 80 44 30 26 24 24 26 28 26 24 24 28 40 52 48 40 44 64 84"),
        weekend=_hours("92 96 100 98 92 82 50 36 32 30 30 32 34 32 30 30 34 46 56 52 46 48 66 84"),
        noise=0.22,
        bursts=0.0,
        burst_factor=1.0,
        tangent=0.62,
    ),
}

# What a photovoltaic roof gives, in per cent of its peak.
SUN = (0, 0, 0, 0, 0, 0, 2, 12, 32, 56, 78, 92, 100, 96, 84, 64, 40, 18, 4, 0, 0, 0, 0, 0)
SUN_PEAK = 2.2  # Times the scale of the meter, so that it delivers at noon.
CLOUDS = 0.3  # As `Shape.noise`; nothing bursts in the sky.

# The tariff of each hour, by the number of tariffs; four are sharp, peak, flat, valley.
TARIFF_OF_HOUR = {
    1: (1,) * 24,
    2: (2,) * 7 + (1,) * 16 + (2,),
    3: (3,) * 7 + (2,) * 2 + (1,) * 3 + (2,) * 5 + (1,) * 4 + (2,) * 2 + (3,),
    4: (4,) * 7 + (3,) * 2 + (2,) * 3 + (3,) * 5 + (2,) * 2 + (1,) * 2 + (3,) * 2 + (4,),
}
