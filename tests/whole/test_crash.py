"""The station and its database are killed during collection: nothing is lost, nothing doubled.

What every point must be is taken from the simulated load itself, not from what was read.
"""

import os
import signal
from collections.abc import Callable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from stations import StationProcess, until

from station.simulator.metering import Metering
from station.simulator.site import Site, load
from station.units import local_day, moment_of, utc_now

ZONE = ZoneInfo("Asia/Shanghai")
ITEMS = {"power_total": 4, "voltage_a": 1, "energy_import_total": 2}
SITE = """
terminals:
  - address: '99000001'
    delay_ms: [10, 20]
    redial_s: 0.2
    lines:
      - meters:
          - {address: '990000000101', shape: home}
          - {address: '990000000102', shape: shop}
  - address: '99000002'
    delay_ms: [10, 20]
    redial_s: 0.2
    lines:
      - noise: 0.05
        meters:
          - {address: '990000000201', shape: workshop}
          - {address: '990000000202', shape: pump, phases: 3}
"""

Point = tuple[str, str, datetime]


def enter(station: StationProcess, site: Site) -> None:
    """Put the site into the archive, with a task that goes back two days."""
    archive = site.archive()
    for terminal in archive["terminals"]:
        station.call("/api/terminals", terminal)
    for meter in archive["meters"]:
        station.call("/api/meters", meter)
    task = {"name": "curve", "items": list(ITEMS), "period_min": 15, "backfill_days": 2}
    station.call("/api/tasks", task)


def stored(station: StationProcess, site: Site, first: date) -> dict[Point, tuple[str | None, str]]:
    """Return every stored point with its value and when it was read; fail on a double."""
    points: dict[Point, tuple[str | None, str]] = {}
    for meter in site.archive()["meters"]:
        for item in ITEMS:
            path = f"/api/readings?meter={meter['address']}&item={item}&from={first}"
            for point in station.call(path)["items"]:
                key = (meter["address"], item, datetime.fromisoformat(point["time"]))
                assert key not in points, f"{key} is there twice"
                points[key] = (point["value"], point["read_at"])
    return points


def expected(site: Site, first: date, until_moment: datetime) -> dict[Point, str]:
    """Return the value of every point since the first day, from the simulated load."""
    found = {}
    for terminal in site.terminals:
        for meter in (meter for line in terminal.lines for meter in line.meters):
            metering = Metering(meter, ZONE, seed=1)
            moment = moment_of(first, 0, ZONE)
            while moment <= until_moment:
                state = metering.state(metering.clock(moment))
                values = (state.power[0], state.voltage[0], state.energy_import[0])
                for (item, decimals), value in zip(ITEMS.items(), values, strict=True):
                    found[meter.address, item, moment] = f"{value / 10**decimals:.{decimals}f}"
                moment += timedelta(minutes=15)
    return found


@pytest.mark.timeout(240)
def test_kill_9_of_station_and_database(
    station: StationProcess, simulate: Callable[[StationProcess, str], None]
) -> None:
    simulate(station, SITE)
    site = load(station.folder / "site-0.yaml")
    first = local_day(utc_now(), ZONE) - timedelta(days=2)
    # The newest moment of the grid may be read live; older ones come from the meters' own record.
    settled = utc_now() - timedelta(minutes=15)
    enter(station, site)

    def count() -> int:
        return len(stored(station, site, first))

    until(lambda: count() > 100, "some points stored")
    before_station = stored(station, site, first)
    station.kill()
    station.start()
    kept = stored(station, site, first)
    assert before_station.items() <= kept.items()

    until(lambda: count() > len(kept) + 100, "collection goes on")
    before_database = stored(station, site, first)
    os.kill(station.mongod_pid(), signal.SIGKILL)
    wanted = expected(site, first, settled)
    found = until(lambda: complete(station, site, first, wanted), "every hole filled", 120)
    assert before_database.items() <= found.items()
    wrong = {
        point: (found[point][0], value)
        for point, value in wanted.items()
        if found[point][0] != value
    }
    assert wrong == {}


def complete(
    station: StationProcess, site: Site, first: date, wanted: dict[Point, str]
) -> dict[Point, tuple[str | None, str]] | None:
    """Return what is stored once every wanted point is; None before, or with no database."""
    try:
        found = stored(station, site, first)
    except OSError:
        return None
    return found if wanted.keys() <= found.keys() else None
