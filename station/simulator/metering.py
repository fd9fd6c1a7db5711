"""A load as one meter sees it: by its own clock, which may be wrong. Pure.

Times are naive and by the meter's clock; a value of 10:15 on a clock that is two minutes fast is
what flowed at 10:13. Protocol modules ask here and know nothing of zones.
"""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from station.protocols.dlt645.formats import Timed
from station.simulator.load import Demand, Load, State
from station.simulator.site import MeterSite
from station.units import from_local, unscaled

DEMAND_DECIMALS = 4
LOADS_KEPT = 1000  # Sites with more meters let them share loads.
STATES_KEPT = 200  # A block asks for many quantities of one time, a day's profile for 96 times.
MIDNIGHT = time()


class Metering:
    """What one meter can tell."""

    def __init__(self, site: MeterSite, zone: ZoneInfo, *, seed: int) -> None:
        self.site = site
        self._zone = zone
        self._offset = timedelta(seconds=site.clock_offset_s)
        self._load, self._state_at = _measuring(
            site.load_of or site.address,
            site.shape,
            zone,
            seed,
            site.phases,
            site.tariffs,
            site.photovoltaic,
        )

    def clock(self, now: datetime) -> datetime:
        """Return what the meter's clock shows at a moment; it has whole seconds."""
        return now.astimezone(self._zone).replace(tzinfo=None, microsecond=0) + self._offset

    def set_clock(self, now: datetime, shown: datetime) -> None:
        """Set the meter's clock: at the moment `now` it shows the naive time `shown`."""
        self._offset = shown - now.astimezone(self._zone).replace(tzinfo=None, microsecond=0)

    def state(self, at: datetime) -> State:
        """Return what the meter measures when its clock shows a time."""
        return self._state_at(self._moment(at))

    def demand(self, at: datetime) -> tuple[int, int]:
        """Return the active and reactive demand of the last whole period, 0.0001 kW, kvar."""
        return self._load.demand(self._moment(at))

    def max_demands(self, at: datetime, *, months_back: int = 0) -> list[Timed]:
        """Return the maximum demand of a month until a time, over all, then of each tariff."""
        start, end = settlement(at, months_back + 1), settlement(at, months_back)
        demands = self._load.max_demand(self._moment(start), self._moment(end))
        return [self._timed(demand) for demand in demands]

    def _moment(self, at: datetime) -> datetime:
        return from_local(at - self._offset, self._zone)

    def _timed(self, demand: Demand) -> Timed:
        value = unscaled(demand.value, DEMAND_DECIMALS)
        return Timed(value, None if demand.at is None else self.clock(demand.at))


@lru_cache(LOADS_KEPT)
def _measuring(
    address: str,
    shape: str,
    zone: ZoneInfo,
    seed: int,
    phases: int,
    tariffs: int,
    photovoltaic: bool,
) -> tuple[Load, Callable[[datetime], State]]:
    """Return a load and its last states; meters with the same load share both."""
    load = Load(
        address,
        shape,
        zone,
        seed=seed,
        phases=phases,
        tariffs=tariffs,
        photovoltaic=photovoltaic,
    )
    return load, lru_cache(STATES_KEPT)(load.state)


def settlement(at: datetime, back: int) -> datetime:
    """Return the n-th last beginning of a month as a time, or the time itself for 0."""
    if back == 0:
        return at
    months = at.year * 12 + at.month - back
    return datetime.combine(date(months // 12, months % 12 + 1, 1), MIDNIGHT)
