"""Where a Q/GDW 1376.1 terminal keeps a point, as data units to ask for (digest, sections 12, 13).

A daily freeze is marked with the day at whose end, 24:00, it was made: the point of a midnight is
in the freeze of the day before. A curve is marked with its first moment, its density and how many
points it has. Class 1 has no mark, but the time at which the terminal read the meter.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from station.collector.items import Place
from station.collector.plan import LIVE_WINDOW_MAX, Want
from station.protocols.qgdw1376.fragments import POINTS_IN_AN_HOUR
from station.protocols.qgdw1376.frame import CLASS_1, CLASS_2
from station.protocols.qgdw1376.functions import make_unit
from station.protocols.qgdw1376.layout import Values
from station.protocols.qgdw1376.units import DataUnit
from station.store.objects.meters import Meter
from station.units import MINUTE, from_local, slot_of

POINTS_MAX = 96  # Of one curve: a day of quarter hours, 500 bytes of the longest format.
HEAD_SIZE = 11  # Identification, and the mark of a curve.
POINT_SIZE = 5  # The longest format, A.14.
DAY_SIZE = 40  # A daily freeze of an energy with four tariffs,
FOUR_SIZE = 110  # of four energies, or all instantaneous values.

_HOUR_MIN = 60
# From coarse to fine: what a terminal keeps in quarter hours holds the hours too.
_DENSITIES = sorted(
    ((_HOUR_MIN // points, code) for code, points in POINTS_IN_AN_HOUR.items() if points),
    reverse=True,
)
_FOUR = frozenset((1, 2, 3, 4, 25, 33, 34, 35))


@dataclass(frozen=True, slots=True)
class Spot:
    """One place of one point: in class 1, in a daily freeze or on a curve."""

    afn: int
    place: Place
    on_curve: bool = False

    @property
    def block(self) -> str:
        """Return how the memory of refusals calls it."""
        return f"AFN{self.afn:02X} F{self.place.fn}"


def spots_of(want: Want, zone: ZoneInfo, now: datetime) -> list[Spot]:
    """Return where a point can stand, best first."""
    places = want.item.fn_1376
    _, slot = slot_of(want.moment, zone)
    spots = [Spot(CLASS_2, place) for place in places.day] if slot == 0 else []
    if now > want.moment:
        spots += [Spot(CLASS_2, place, on_curve=True) for place in places.curve]
    if abs(now - want.moment) <= LIVE_WINDOW_MAX:
        spots += [Spot(CLASS_1, place) for place in places.now]
    return spots


@dataclass(frozen=True, slots=True)
class Asked:
    """One data unit to ask for, and the points that it holds."""

    meter: Meter
    unit: DataUnit
    afn: int
    members: tuple[tuple[Want, Spot], ...]
    size: int  # Of its answer, in bytes.

    @property
    def key(self) -> tuple[int, int]:
        """Return the pn and the Fn, which the answer repeats."""
        return self.unit.pn, self.unit.fn

    def is_in(self, values: Values, zone: ZoneInfo) -> bool:
        """Tell whether an answer's values are of one of these points' moments."""
        return any(_holds(values, want.moment, zone) for want, _ in self.members)


def value_of(values: Values, want: Want, place: Place, zone: ZoneInfo) -> object:
    """Return what an answer's values say of a point; None if they do not hold its moment.

    The mark of the answer governs: a terminal may have other points than it was asked for.
    """
    if not _holds(values, want.moment, zone):
        return None
    found = values.get(place.key)
    index = _index_on_curve(values, want.moment, zone) if "density" in values else place.index
    if isinstance(found, list):
        found = found[index] if index is not None and index < len(found) else None
    return found.get(place.inner) if isinstance(found, dict) else found


def _holds(values: Values, moment: datetime, zone: ZoneInfo) -> bool:
    if "density" in values:
        index = _index_on_curve(values, moment, zone)
        return index is not None and index < values["points"]
    return "day" not in values or values["day"] == _day_before(moment, zone)


def _index_on_curve(values: Values, moment: datetime, zone: ZoneInfo) -> int | None:
    points = POINTS_IN_AN_HOUR.get(values["density"])
    start = values["start"]
    if not points or not isinstance(start, datetime):
        return None
    index, off = divmod(moment - from_local(start, zone), _HOUR_MIN // points * MINUTE)
    return index if index >= 0 and not off else None


def _day_before(midnight: datetime, zone: ZoneInfo) -> date:
    return slot_of(midnight, zone)[0] - timedelta(days=1)


def units_for(
    meter: Meter, members: Iterable[tuple[Want, Spot]], zone: ZoneInfo
) -> Iterator[Asked]:
    """Return the data units that hold these points of a meter."""
    by_fn: dict[tuple[int, int, bool], list[tuple[Want, Spot]]] = defaultdict(list)
    for want, spot in members:
        by_fn[spot.afn, spot.place.fn, spot.on_curve].append((want, spot))
    for (afn, fn, on_curve), same in by_fn.items():
        if on_curve:
            yield from _curves(meter, fn, same, zone)
        elif afn == CLASS_2:
            yield from _days(meter, fn, same, zone)
        else:
            unit = make_unit(afn, meter.point, fn)
            yield Asked(meter, unit, afn, tuple(same), FOUR_SIZE)


def _days(
    meter: Meter, fn: int, members: Iterable[tuple[Want, Spot]], zone: ZoneInfo
) -> Iterator[Asked]:
    by_moment: dict[datetime, list[tuple[Want, Spot]]] = defaultdict(list)
    for want, spot in members:
        by_moment[want.moment].append((want, spot))
    for moment, same in sorted(by_moment.items()):
        unit = make_unit(CLASS_2, meter.point, fn, {"day": _day_before(moment, zone)})
        yield Asked(meter, unit, CLASS_2, tuple(same), FOUR_SIZE if fn in _FOUR else DAY_SIZE)


def _curves(
    meter: Meter, fn: int, members: Sequence[tuple[Want, Spot]], zone: ZoneInfo
) -> Iterator[Asked]:
    ordered = sorted(members, key=lambda member: member[0].moment)
    step, density = _density([slot_of(want.moment, zone)[1] for want, _ in ordered])
    while ordered:
        start = ordered[0][0].moment
        same = [member for member in ordered if member[0].moment < start + POINTS_MAX * step]
        ordered = ordered[len(same) :]
        points = (same[-1][0].moment - start) // step + 1
        local = start.astimezone(zone).replace(tzinfo=None)
        mark = {"start": local, "density": density, "points": points}
        unit = make_unit(CLASS_2, meter.point, fn, mark)
        yield Asked(meter, unit, CLASS_2, tuple(same), HEAD_SIZE + POINT_SIZE * points)


def _density(slots: Iterable[int]) -> tuple[timedelta, int]:
    """Return the coarsest density whose points meet all these slots, and its number."""
    common = math.gcd(_HOUR_MIN, *slots)
    for minutes, code in _DENSITIES:
        if common % minutes == 0:
            return minutes * MINUTE, code
    raise ValueError("no density holds a point of every minute")
