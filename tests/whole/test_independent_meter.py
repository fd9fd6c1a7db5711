"""Reads the meter of the independent package `dlt645`: directly, and behind a terminal.

Its deviations from the standard are known (it answers any address; units of distortion; baud word)
and none of them is met here.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dlt645 import MeterServerService
from stations import StationProcess, until

ADDRESS = "000000202611"
TERMINAL = "99000009"
PASSWORD = "000000"
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
def meter() -> Iterator[MeterServerService]:
    """A meter that knows the values of EXPECTED."""
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
    yield service
    service.stop()


@pytest.fixture
def meter_port(meter: MeterServerService) -> int:
    """The TCP port of the meter."""
    return int(meter.server.port)


def check_reading(station: StationProcess) -> None:
    """Read the meter now, by a task, and compare what was stored."""
    answer = station.call(f"/api/meters/{ADDRESS}/read", {"items": list(EXPECTED)})
    assert {item["item"]: item.get("value") for item in answer["items"]} == EXPECTED
    task = {"name": "all", "items": list(EXPECTED), "period_min": 15, "target_kind": "all"}
    made = station.call("/api/tasks", task)
    station.call(f"/api/tasks/{made['id']}/run", {})
    stored = until(lambda: readings(station) == EXPECTED, "readings stored")
    assert stored


def ended(station: StationProcess, command: dict[str, Any]) -> dict[str, Any]:
    """Return a command once it has ended."""

    def look() -> dict[str, Any] | None:
        now = station.call(f"/api/commands/{command['id']}")
        return now if now["state"] in ("confirmed", "failed", "expired") else None

    return until(look, "the command has ended")


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


def test_takes_a_clock_a_password_and_an_address(
    station: StationProcess, meter_port: int, meter: MeterServerService
) -> None:
    """Its clock stands still and shows what was written; its levels begin without a password."""
    assert meter.password_manager.set_password(bytearray.fromhex("02000000"))
    wrong = datetime.now(ZoneInfo("Asia/Shanghai")) - timedelta(minutes=20)
    meter.set_04(0x04000101, wrong.strftime("%y%m%d0") + str(wrong.isoweekday() % 7))
    meter.set_04(0x04000102, wrong.strftime("%H%M%S"))
    station.call("/api/channels", {"name": "line-1", "url": f"socket://127.0.0.1:{meter_port}"})
    station.call("/api/meters", {"address": ADDRESS, "name": "peer", "link": "line-1"})
    station.wait_online("line-1")

    targets = {"kind": "meter", "devices": [ADDRESS]}
    (look,) = station.call("/api/clock/check", targets)["items"]
    off_s = ended(station, look)["result"]["deviation_s"]
    assert -1230 < off_s < -1195
    order = {"purpose": "test", "request_id": "clock", "way": "set", "even_now": True}
    order |= {"level": 2, "password": PASSWORD, **targets}
    (command,) = station.call("/api/clock/synchronise", order)["items"]
    set_to = ended(station, command)
    assert (set_to["state"], abs(set_to["result"]["deviation_s"]) < 6) == ("confirmed", True)

    change = {"kind": "set", "meter": ADDRESS, "purpose": "test", "level": 2}
    new = {"request_id": "pw", "parameter": "password", "new_password": "765432"}
    command = station.call("/api/commands", {**change, **new, "password": PASSWORD})
    assert ended(station, command)["state"] == "confirmed"
    again = {**new, "request_id": "pw2", "password": PASSWORD}
    assert ended(station, station.call("/api/commands", {**change, **again}))["state"] == "failed"

    move = {"request_id": "ad", "parameter": "address", "value": "000000202699"}
    command = station.call("/api/commands", {**change, **move})
    assert ended(station, command)["result"]["address"] == "000000202699"
    assert bytes(meter.address[:6]) == bytes.fromhex("992620000000")
