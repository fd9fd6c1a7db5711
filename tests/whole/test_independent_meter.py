"""Reads the meter of the independent package `dlt645`: directly, and behind a terminal.

Its deviations from the standard are known (it answers any address; units of distortion; baud word)
and none of them is met here.
"""

from collections.abc import Callable, Iterator

import pytest
from dlt645 import MeterServerService
from stations import StationProcess, until

ADDRESS = "000000202611"
TERMINAL = "99000009"
EXPECTED = {
    "energy_import_total": "12345.67",
    "energy_import_t1": "1000.01",
    "voltage_a": "221.5",
    "voltage_b": "219.9",
    "voltage_c": "0.0",
    "current_a": "5.123",
    "power_total": "1.1000",
    "power_factor_total": "0.987",
    "frequency": "50.02",
}


@pytest.fixture
def meter_port() -> Iterator[int]:
    """The TCP port of a meter that knows the values of EXPECTED."""
    service = MeterServerService.new_tcp_server("127.0.0.1", 0, timeout=60.0)
    service.set_address(bytes.fromhex(ADDRESS)[::-1])  # As on the wire, lowest digits first.
    service.set_00(0x00010000, 12345.67)
    service.set_00(0x00010100, 1000.01)
    service.set_02(0x02010100, 221.5)
    service.set_02(0x02010200, 219.9)
    service.set_02(0x02010300, 0.0)
    service.set_02(0x02020100, 5.123)
    service.set_02(0x02030000, 1.1)
    service.set_02(0x02060000, 0.987)
    service.set_02(0x02800002, 50.02)
    assert service.start()
    yield service.server.port
    service.stop()


def check_reading(station: StationProcess) -> None:
    """Read the meter now, by a task, and compare what was stored."""
    answer = station.call(f"/api/meters/{ADDRESS}/read", {"items": list(EXPECTED)})
    assert {item["item"]: item.get("value") for item in answer["items"]} == EXPECTED
    task = {"name": "all", "items": list(EXPECTED), "period_min": 15, "target_kind": "all"}
    made = station.call("/api/tasks", task)
    station.call(f"/api/tasks/{made['id']}/run", {})
    stored = until(lambda: readings(station) == EXPECTED, "readings stored")
    assert stored


def readings(station: StationProcess) -> dict[str, str]:
    """Return the last stored value of each item."""
    found = {}
    for item in EXPECTED:
        points = station.call(f"/api/readings?meter={ADDRESS}&item={item}")["items"]
        if points:
            found[item] = points[-1]["value"]
    return found


def test_through_a_link_that_the_station_opens(station: StationProcess, meter_port: int) -> None:
    url = f"socket://127.0.0.1:{meter_port}"
    station.call("/api/channels", {"name": "line-1", "url": url, "line": "2400 8E1"})
    station.call("/api/meters", {"address": ADDRESS, "name": "peer", "link": "line-1"})
    station.wait_online("line-1")
    check_reading(station)


def test_behind_a_terminal(
    station: StationProcess, meter_port: int, simulate: Callable[[StationProcess, str], None]
) -> None:
    simulate(
        station,
        f"""
terminals:
  - address: '{TERMINAL}'
    name: Bridge
    lines:
      - meters:
          - {{address: '{ADDRESS}', name: peer, tcp: '127.0.0.1:{meter_port}'}}
""",
    )
    station.wait_online(TERMINAL)
    station.call("/api/terminals", {"address": TERMINAL, "name": "Bridge"})
    station.call("/api/meters", {"address": ADDRESS, "name": "peer", "link": TERMINAL})
    check_reading(station)
