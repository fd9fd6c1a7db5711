"""A load as one meter sees it: by its own clock, which may be wrong. Pure.

Times are naive and by the meter's clock; a value of 10:15 on a clock that is two minutes fast is
what flowed at 10:13. Protocol modules ask here and know nothing of zones.
"""

from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from station.protocols.dlt645.formats import Timed
from station.simulator.load import Demand, Load, State
from station.simulator.site import MeterSite
from station.units import from_local, unscaled

DEMAND_DECIMALS = 4
STATES_KEPT = 4  # A block or a record asks for many quantities of one time.
MIDNIGHT = time()


class Metering:
    """What one meter can tell."""

    def __init__(self, site: MeterSite, zone: ZoneInfo, *, seed: int) -> None:
        self.site = site
        self._zone = zone
        self._offset = timedelta(seconds=site.clock_offset_s)
        self._load = Load(
            site.address,
            site.shape,
            zone,
            seed=seed,
            phases=site.phases,
            tariffs=site.tariffs,
            photovoltaic=site.photovoltaic,
        )
        self._states = lru_cache(STATES_KEPT)(lambda at: self._load.state(self._moment(at)))

    def clock(self, now: datetime) -> datetime:
        """Return what the meter's clock shows at a moment."""
        return now.astimezone(self._zone).replace(tzinfo=None) + self._offset

    def state(self, at: datetime) -> State:
        """Return what the meter measures when its clock shows a time."""
        return self._states(at)

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


def settlement(at: datetime, back: int) -> datetime:
    """Return the n-th last beginning of a month as a time, or the time itself for 0."""
    if back == 0:
        return at
    months = at.year * 12 + at.month - back
    return datetime.combine(date(months // 12, months % 12 + 1, 1), MIDNIGHT)
