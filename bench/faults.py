"""The longer faults: what is lost, doubled or wrong after them, and who felt them.

One station with its own database collects a day of quarter hours from simulated terminals while
others only beat. Then, one after the other: the database is stopped for 30 s (SIGSTOP), killed, the
station itself is killed, half the terminals are cut off at once, one sends 10 MB of noise, and 500
connections a second come for half a minute and never log in. Each fault of collection happens in
the midst of a collection of its own: new meters, so that there is something to do.

Limits: no value lost, doubled or wrong, no link that is not what it really is, 99 of 100 heartbeats
confirmed within half a second while the database is away, memory within 30 MB of its level before.
The station's and the terminals' processes are those of the fault tests, in `tests/whole`.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "whole"))

from stations import StationProcess, until
from terminal_peers import Beating, beating, knock, send_noise
from test_faults import Collection, collect, states

BEATING = 100
STOPPED_S = 30.0
NOISE_SIZE = 10_000_000
STRANGERS_PER_S = 500
MEMORY_TOLERANCE_MB = 30
CONFIRM_P99_LIMIT_MS = 500
WHOLE_TIMEOUT_S = 180.0

SITE = """
terminals:
  - address: '98{number:02d}0001'
    delay_ms: [10, 20]
    redial_s: 0.5
    lines: [{{meters: [{{address: '98{number:02d}00000101'}}, {{address: '98{number:02d}00000102'}}]}}]
  - address: '98{number:02d}0002'
    delay_ms: [10, 20]
    redial_s: 0.5
    lines: [{{meters: [{{address: '98{number:02d}00000201'}}, {{address: '98{number:02d}00000202'}}]}}]
"""  # noqa: E501  A line of the site.


class Trouble:
    """One station, and what came of the faults so far."""

    def __init__(self, folder: Path) -> None:
        self.station = StationProcess(folder)
        self.folder = folder
        self.simulators: list[subprocess.Popen[bytes]] = []
        self.rows: list[dict[str, Any]] = []
        self.addresses: set[str] = set()

    def simulate(self, text: str, name: str) -> "subprocess.Popen[bytes]":
        """Let a site dial in."""
        file = self.folder / f"{name}.yaml"
        file.write_text(text)
        command = [sys.executable, "-m", "station", "simulate", "--site", str(file)]
        command += ["--connect", f"127.0.0.1:{self.station.front_port}", "--with-parent"]
        self.simulators.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
        return self.simulators[-1]

    def collecting(self, name: str, fault: Callable[["subprocess.Popen[bytes]"], None]) -> None:
        """Let a fault happen while new meters are collected, and look at what is there then."""
        text = SITE.format(number=len(self.rows) + 1)
        collection = collect(self.station, text)
        simulator = self.simulate(text, name.replace(" ", "-"))
        collection.until_under_way()
        self.addresses |= {terminal.address for terminal in collection.site.terminals}
        began = time.monotonic()
        fault(simulator)
        self.rows.append({"fault": name, **self._judged(collection)})
        self.rows[-1]["whole_after_s"] = round(time.monotonic() - began, 1)

    def _judged(self, collection: Collection) -> dict[str, int]:
        with suppress(AssertionError):
            until(lambda: not collection.missing(), "all points", WHOLE_TIMEOUT_S)
        doubled = 0
        try:
            found = collection.found()
        except AssertionError:
            found, doubled = {}, 1
        lost = len(collection.wanted.keys() - found.keys())
        wrong = sum(found[point][0] != value for point, value in collection.wanted.items()
                    if point in found)  # fmt: skip
        return {"lost": lost, "doubled": doubled, "wrong": wrong}

    def links_wrong(self, beaters: Beating) -> int:
        """Return how many links are not online, or are none of the terminals'."""
        online = dict.fromkeys([*self.addresses, *beaters.addresses], "online")
        online["96000001"] = "offline"  # The one that made the noise.
        with suppress(AssertionError):
            until(lambda: states(self.station) == online, "links", 20)
        return len(states(self.station).items() ^ online.items())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=STOPPED_S, help="of each long fault")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        trouble = Trouble(Path(folder))
        trouble.station.start()
        try:
            result = measure(trouble, options.seconds)
        finally:
            for simulator in trouble.simulators:
                simulator.kill()
            trouble.station.kill()
    print(f"{'fault':<28}{'lost':>6}{'doubled':>9}{'wrong':>7}{'whole after s':>15}")
    for row in trouble.rows:
        print(f"{row['fault']:<28}{row['lost']:>6}{row['doubled']:>9}{row['wrong']:>7}"
              f"{row['whole_after_s']:>15}")  # fmt: skip
    print(json.dumps(result))
    bad = result["values_lost"] + result["values_doubled"] + result["values_wrong"]
    return int(
        bad + result["links_wrong"] > 0
        or result["memory_grown_mb"] > MEMORY_TOLERANCE_MB
        or result["confirm_p99_ms_database_stopped"] > CONFIRM_P99_LIMIT_MS
        or result["confirm_p99_ms_strangers"] > CONFIRM_P99_LIMIT_MS
    )


def measure(trouble: Trouble, seconds: float) -> dict[str, Any]:
    """Let every fault happen and return the figures."""
    station = trouble.station

    def kill_station(_simulator: "subprocess.Popen[bytes]") -> None:
        station.kill()
        station.start()

    def kill_database(_simulator: "subprocess.Popen[bytes]") -> None:
        os.kill(station.mongod_pid(), signal.SIGKILL)

    def cut(simulator: "subprocess.Popen[bytes]") -> None:
        simulator.kill()
        trouble.simulate(SITE.format(number=len(trouble.rows) + 1), "again")

    trouble.collecting("station killed", kill_station)
    trouble.collecting("database killed", kill_database)
    trouble.collecting("half the links cut", cut)
    with beating(station.front_port, BEATING) as terminals:
        until(lambda: len(terminals.waited_s) > BEATING, "all terminals beat")
        usual = _p99_ms(terminals.waited_s)

        def stop_database(_simulator: "subprocess.Popen[bytes]") -> None:
            database = station.mongod_pid()
            os.kill(database, signal.SIGSTOP)
            time.sleep(seconds)
            os.kill(database, signal.SIGCONT)

        begin = len(terminals.waited_s)
        trouble.collecting("database stopped", stop_database)
        stopped = _p99_ms(terminals.waited_s[begin:])
        send_noise(station.front_port, NOISE_SIZE // 5)  # Both levels have seen some.
        before_mb = station.resident_mb()
        begin = len(terminals.waited_s)
        began = time.monotonic()
        send_noise(station.front_port, NOISE_SIZE)
        noise_s = time.monotonic() - began
        until(lambda: len(terminals.waited_s) > begin + BEATING, "all terminals beat")
        noisy = _p99_ms(terminals.waited_s[begin:])
        begin = len(terminals.waited_s)
        for stranger in knock(station.front_port, STRANGERS_PER_S, seconds):
            stranger.close()
        strange = _p99_ms(terminals.waited_s[begin:])
        links_wrong = trouble.links_wrong(terminals)
        with suppress(AssertionError):
            until(lambda: station.resident_mb() < before_mb + MEMORY_TOLERANCE_MB, "memory")
    return {
        "values_lost": sum(row["lost"] for row in trouble.rows),
        "values_doubled": sum(row["doubled"] for row in trouble.rows),
        "values_wrong": sum(row["wrong"] for row in trouble.rows),
        "links_wrong": links_wrong,
        "confirm_p99_ms": usual,
        "confirm_p99_ms_database_stopped": stopped,
        "confirm_p99_ms_noise": noisy,
        "confirm_p99_ms_strangers": strange,
        "noise_mb_per_s": round(NOISE_SIZE / noise_s / 1e6, 1),
        "memory_grown_mb": round(station.resident_mb() - before_mb, 1),
    }


def _p99_ms(waited_s: list[float]) -> float:
    waited = sorted(waited_s)
    return round(waited[int(len(waited) * 0.99)] * 1000, 1) if waited else 0.0


if __name__ == "__main__":
    sys.exit(main())
