"""Whole stations in trouble: what goes wrong on the way, at the other end, and beside them.

Whatever happened, afterwards every point is there once with the value that the simulated meters
had, every link is what it really is, and memory is back at its level: MEMORY_TOLERANCE_MB more than
before, for what the interpreter keeps and for the last frames of each link. Deaths of the station
and its database in the midst of collection are in `test_crash`; `bench/faults.py` has longer ones.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from stations import Refusal, StationProcess, until
from terminal_peers import beating, knock, send_noise, send_nothing_but_noise
from test_crash import ITEMS, ZONE, Point, expected, stored

from station.simulator.site import Site, load
from station.units import local_day, utc_now

MEMORY_TOLERANCE_MB = 25
ANSWER_P99_S = 0.5  # Of a heartbeat while something is wrong elsewhere, on a busy box.

# Every kind of fault, each often enough to happen, and every protocol that brings meters.
TROUBLED = """
terminals:
  - address: '99000001'
    delay_ms: [5, 10]
    redial_s: 0.2
    silence_ms: 50
    faults: {split: 0.2, merged: 0.1, duplicate: 0.1, noise: 0.1}
    lines: [{meters: [{address: '990000000101'}, {address: '990000000102', wrong_meter: 0.02}]}]
  - address: '99000002'
    delay_ms: [5, 10]
    redial_s: 0.2
    silence_ms: 50
    faults: {corrupt: 0.01, drop: 0.01}
    lines: [{meters: [{address: '990000000201', corrupt: 0.02, lost: 0.02}]}]
  - address: '99000003'
    delay_ms: [5, 10]
    redial_s: 0.2
    faults: {late: 0.01, late_ms: 6000}
    lines: [{meters: [{address: '990000000301'}]}]
  - address: '990000000004'
    protocol: dlt698.45
    delay_ms: [5, 10]
    redial_s: 0.2
    silence_ms: 50
    faults: {split: 0.2, duplicate: 0.1, noise: 0.1}
    lines: [{meters: [{address: '990000000401', protocol: dlt698.45, lost: 0.02}]}]
  - address: cellar
    protocol: dtu
    registration: '44545530303031'
    heartbeat: 'FEFE'
    delay_ms: [5, 10]
    redial_s: 0.2
    faults: {split: 0.2, duplicate: 0.1, noise: 0.1}
    lines: [{meters: [{address: '990000000501', wrong_meter: 0.02}]}]
"""

HALF = """
terminals:
  - address: '990000{half}1'
    delay_ms: [10, 20]
    redial_s: 0.2
    lines: [{{meters: [{{address: '9900000{half}0101'}}, {{address: '9900000{half}0102'}}]}}]
  - address: '990000{half}2'
    delay_ms: [10, 20]
    redial_s: 0.2
    lines: [{{meters: [{{address: '9900000{half}0201'}}, {{address: '9900000{half}0202'}}]}}]
"""


class Collection:
    """A task that goes back a day over a site, and what has to come of it."""

    def __init__(self, station: StationProcess, site: Site, task: str) -> None:
        self.station = station
        self.site = site
        self.task = task
        self.first = local_day(utc_now(), ZONE) - timedelta(days=1)
        # The newest moment of the grid may be read live; older ones are the meters' own record.
        self.wanted = expected(site, self.first, utc_now() - timedelta(minutes=15))

    def found(self) -> dict[Point, tuple[str | None, str]]:
        """Return what is stored; fail if a point is there twice."""
        return stored(self.station, self.site, self.first)

    def until_under_way(self) -> None:
        until(lambda: len(self.found()) > 50, "collection is under way")

    def missing(self) -> dict[str, int]:
        """Return how many points of each meter are not there; of all when nobody can be asked."""
        try:
            found = self.found()
        except (OSError, Refusal):
            found = {}
        return dict(Counter(meter for meter, *_ in self.wanted.keys() - found.keys()))

    def is_whole(self) -> bool:
        """Whether every point is there; if not, and nothing is under way, what is missing is asked
        for again, as a person would who looks: the next turn of the task is minutes away."""
        if not self.missing():
            return True
        with contextlib.suppress(OSError, Refusal):  # Nobody can be asked right now.
            runs = self.station.call("/api/runs")["items"]
            if runs and not any(run["state"] == "running" for run in runs):
                self.station.call(f"/api/tasks/{self.task}/run", {})
        return False

    def until_whole(self) -> None:
        """Return once every point is there; fail if one is there twice or is another value."""
        until(self.is_whole, "all points are there", 50)
        found = self.found()
        wrong = {
            point: (found[point][0], value)
            for point, value in self.wanted.items()
            if found[point][0] != value
        }
        assert wrong == {}


def collect(station: StationProcess, *texts: str) -> Collection:
    """Put sites into the archive, with a task that goes back a day."""
    terminals = []
    for number, text in enumerate(texts):
        file = station.folder / f"archive-{number}.yaml"
        file.write_text(text)
        terminals += load(file).terminals
    site = Site(terminals=tuple(terminals))
    archive = site.archive()
    for kind in ("terminals", "meters"):
        for one in archive[kind]:
            station.call(f"/api/{kind}", one)
    task = {"name": "curve", "items": list(ITEMS), "period_min": 15, "backfill_days": 1}
    made = station.call("/api/tasks", task)
    return Collection(station, site, made["id"])


def states(station: StationProcess) -> dict[str, str]:
    """Return the state of every link."""
    return {
        link["address"]: link["state"] for link in station.call("/api/links?size=1000")["items"]
    }


def p99(waited_s: list[float]) -> float:
    assert len(waited_s) > 50
    return sorted(waited_s)[int(len(waited_s) * 0.99)]


@pytest.fixture
def simulator(
    tmp_path: Path,
) -> Iterator[Callable[[StationProcess, str], "subprocess.Popen[bytes]"]]:
    """Start simulated sites in processes that can be killed."""
    running: list[subprocess.Popen[bytes]] = []

    def start(station: StationProcess, text: str) -> "subprocess.Popen[bytes]":
        file = tmp_path / f"half-{len(running)}.yaml"
        file.write_text(text)
        command = [sys.executable, "-m", "station", "simulate", "--site", str(file)]
        command += ["--connect", f"127.0.0.1:{station.front_port}", "--with-parent"]
        running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()


@pytest.mark.timeout(90)
def test_answers_that_go_wrong_and_a_station_that_dies(
    station: StationProcess, simulate: Callable[[StationProcess, str], None]
) -> None:
    collection = collect(station, TROUBLED)
    simulate(station, TROUBLED)
    collection.until_under_way()
    station.kill()
    station.start()
    collection.until_whole()
    online = {terminal.address: "online" for terminal in collection.site.terminals}
    until(lambda: states(station) == online, "every link is online")
    qualities = [link["quality"] for link in station.call("/api/links?size=100")["items"]]
    for trouble in ("bad", "duplicate"):  # Those that are too frequent to have been missed.
        assert sum(quality[trouble] for quality in qualities) > 0


@pytest.mark.timeout(90)
@pytest.mark.parametrize("fault", [signal.SIGSTOP, signal.SIGKILL], ids=["stopped", "killed"])
def test_a_database_that_is_away_for_a_while(
    station: StationProcess,
    simulate: Callable[[StationProcess, str], None],
    fault: signal.Signals,
) -> None:
    site = HALF.format(half="1")
    collection = collect(station, site)
    simulate(station, site)
    collection.until_under_way()
    database = station.mongod_pid()
    with beating(station.front_port, 20) as terminals:
        until(lambda: len(terminals.waited_s) > 20, "the terminals beat")
        began = len(terminals.waited_s)
        os.kill(database, fault)
        if fault is signal.SIGSTOP:
            time.sleep(6)  # Not a wait for something: so long is it away.
            os.kill(database, signal.SIGCONT)
        collection.until_whole()
        assert p99(terminals.waited_s[began:]) < ANSWER_P99_S
        assert states(station).items() >= dict.fromkeys(terminals.addresses, "online").items()


@pytest.mark.timeout(90)
def test_half_the_links_are_cut_at_once(
    station: StationProcess,
    simulator: Callable[[StationProcess, str], "subprocess.Popen[bytes]"],
) -> None:
    halves = [HALF.format(half=half) for half in "12"]
    collection = collect(station, *halves)
    for half in halves[:1]:
        simulator(station, half)
    cut = simulator(station, halves[1])
    collection.until_under_way()
    cut.kill()
    wanted = {f"990000{half}{n}": "online" if half == 1 else "offline"
              for half in (1, 2) for n in (1, 2)}  # fmt: skip
    until(lambda: states(station) == wanted, "the half that was cut is offline, the other is not")
    simulator(station, halves[1])
    until(lambda: states(station) == dict.fromkeys(wanted, "online"), "all are back")
    collection.until_whole()


@pytest.mark.timeout(90)
def test_noise_and_strangers_hurt_nobody(station: StationProcess) -> None:
    with beating(station.front_port, 20) as terminals:
        send_noise(station.front_port, 1_000_000)  # So that both levels have seen some.
        before_mb = station.resident_mb()
        begin = len(terminals.waited_s)
        send_noise(station.front_port, 10_000_000)
        send_nothing_but_noise(station.front_port)
        strangers = knock(station.front_port, 500, 5)
        assert p99(terminals.waited_s[begin:]) < ANSWER_P99_S
        for stranger in strangers:
            stranger.close()
        wanted = dict.fromkeys(terminals.addresses, "online") | {"96000001": "offline"}
        until(lambda: states(station) == wanted, "only terminals are links")
        until(lambda: station.resident_mb() < before_mb + MEMORY_TOLERANCE_MB, "memory is back", 20)
