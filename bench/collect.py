"""How well a full site is collected: cycle time, success, the station's CPU, reads in between.

A station in a process of its own, with a real mongod, reads a simulated site over real sockets:
every exchange with a meter takes 50 ms, some meters are dead, some answers are lost, and the
terminals say nothing of either, so that each costs the station's whole time-out. A cycle reads the
five registers of forward energy of every meter, which is one exchange each. Cycles before the
measured ones let the station learn who is dead.

The least time of a cycle is that of its longest bus: for each living meter one exchange, for each
question without an answer (as the station counts them for the link) the time-out. The clicks are
reads of one item through the web, a few at a time, during a cycle of their own. A click waits for
the exchange under way and for its own.
Then a task with two days to fill is entered, and its gap filling waited for.

Limits: cycle 1.15 times the least, 0.97 of the points of living meters in the first round, every
point of a living meter there after gap filling, 95 of 100 clicks within the two exchanges of their
bus and 200 ms: 50 ms each where nobody is silent, else one of them a time-out.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from motor.motor_asyncio import AsyncIOMotorClient

from station.collector.memory import floor_s
from station.simulator.generated import generate
from station.simulator.site import Site
from station.simulator.terminal import run_site
from station.store.database import Database
from station.store.embedded import EmbeddedMongo
from station.store.objects.meters import Meter
from station.store.objects.terminals import Terminal
from station.units import local_day, utc_now

CYCLE_LIMIT = 1.15
FIRST_ROUND_LIMIT = 0.97
CLICK_EXTRA_S = 0.2
WAIT_MAX_S = 600.0
REST_MAX_S = 180.0  # For answers that were lost three times in a row.
ITEMS = [f"energy_import_{each}" for each in ("total", "t1", "t2", "t3", "t4")]
CLICKERS = 4
CLICKED = "voltage_a"
GAP_DAYS = 2
LINE = "2400 8E1"
ZONE = ZoneInfo("Asia/Shanghai")
NAME = "collect"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--terminals", type=int, default=200)
    parser.add_argument("--meters", type=int, default=50, help="behind each terminal")
    parser.add_argument("--delay-ms", type=int, default=50, help="of an exchange with a meter")
    parser.add_argument("--dead", type=float, default=0.01, help="share of the meters")
    parser.add_argument("--lost", type=float, default=0.02, help="share of the answers")
    parser.add_argument("--warm-up", type=int, default=3, help="cycles before the measured ones")
    parser.add_argument("--cycles", type=int, default=3, help="cycles to measure")
    parser.add_argument("--profile", type=Path, help="keep the station's profile in this file")
    parser.add_argument("--simulate", type=int, metavar="PORT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    site = site_of(options)
    if options.simulate:
        asyncio.run(run_site(site, "127.0.0.1", options.simulate))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        result = Bench(options, site, Path(folder)).run()
    print(json.dumps(result))
    return int(
        result["cycle_over_least"] > CYCLE_LIMIT
        or result["first_round_success"] < FIRST_ROUND_LIMIT
        or result["living_complete"] < 1
        or result["read_now_p95_over_limit"] > 1
    )


def site_of(options: argparse.Namespace) -> Site:
    """Return the simulated site, whose terminals say nothing of a silent meter."""
    site = generate(
        options.terminals, options.meters, delay_ms=options.delay_ms, dead=options.dead,
        lost=options.lost,
    )  # fmt: skip
    silent = {"silence": "nothing", "silence_ms": 0}
    terminals = tuple(each.model_copy(update=silent) for each in site.terminals)
    return site.model_copy(update={"terminals": terminals})


class Click(NamedTuple):
    """A read of a person; it is quiet when nobody on its bus was silent in that cycle."""

    seconds: float
    over_limit: float
    is_quiet: bool


class Bench:
    """One station, one site, and what is measured of them."""

    def __init__(self, options: argparse.Namespace, site: Site, folder: Path) -> None:
        self.options = options
        self.folder = folder
        self.archive = site.archive()
        self.exchange_s = options.delay_ms / 1000
        self.timeout_s = floor_s(LINE)
        self.living: dict[str, list[str]] = {}
        self.dead = 0
        for terminal in site.terminals:
            meters = [meter for line in terminal.lines for meter in line.meters]
            self.living[terminal.address] = [each.address for each in meters if not each.dead]
            self.dead += sum(each.dead for each in meters)
        self.url = self.token = ""

    def run(self) -> dict[str, Any]:
        simulator = [__file__, *sys.argv[1:], "--simulate"]
        with (
            self._database() as uri,
            self._station(uri) as (pid, front),
            process([*simulator, str(front)], self.folder / "simulator.log"),
        ):
            self._until(self._all_online, "all terminals online")
            return self._measure(pid)

    def _measure(self, pid: int) -> dict[str, Any]:
        task = {"name": "Energy", "items": ITEMS, "period_min": 1440}
        self.task = self.call("/api/tasks", task)["id"]
        print(f"{'cycle':<10}{'seconds':>9}{'least':>9}{'over':>7}{'first round':>13}{'rounds':>8}")
        rows = []
        for number in range(self.options.warm_up + self.options.cycles):
            measured = number >= self.options.warm_up
            row = self._cycle(pid)
            rows += [row] if measured else []
            self._print(f"{number + 1}" if measured else "warm-up", row)
        clicks: list[Click] = []
        for _ in range(self.options.cycles):
            row, own = self._cycle_with_clicks(pid)
            clicks += own
            self._print("clicks", row)
        complete, gap_s = self._gap_filling()
        quiet = [click.seconds for click in clicks if click.is_quiet]
        print(f"{len(clicks)} clicks, {len(quiet)} of them where nobody was silent")
        return {
            "meters": sum(map(len, self.living.values())) + self.dead,
            "dead": self.dead,
            "cycle_s": median(rows, "seconds"),
            "least_s": median(rows, "least"),
            "cycle_over_least": round(median(rows, "over"), 3),
            "cycle_limit": CYCLE_LIMIT,
            "first_round_success": round(median(rows, "first_round"), 4),
            "first_round_limit": FIRST_ROUND_LIMIT,
            "living_complete": complete,
            "gap_filling_s": round(gap_s, 1),
            "cpu_us_per_reading": round(median(rows, "cpu_us")),
            "cpu_us_per_exchange": round(median(rows, "cpu_us") * len(ITEMS)),
            "cpu_share": round(median(rows, "cpu_share"), 2),
            "clicks": len(clicks),
            "read_now_p50_ms": round(statistics.median(each.seconds for each in clicks) * 1000),
            "read_now_p95_ms": round(percentile([each.seconds for each in clicks]) * 1000),
            "read_now_p95_without_silence_ms": round(percentile(quiet) * 1000),
            "read_now_p95_over_limit": round(percentile([each.over_limit for each in clicks]), 2),
        }

    def _cycle_with_clicks(self, pid: int) -> tuple[dict[str, Any], list[Click]]:
        """Run the task once while people read meters now, without a pause."""
        over = threading.Event()

        def clicker() -> list[tuple[str, float]]:
            clicked = []
            while not over.is_set():
                clicked.append(self._click())
            return clicked

        with ThreadPoolExecutor(CLICKERS) as clickers:
            clicking = [clickers.submit(clicker) for _ in range(CLICKERS)]
            try:
                row = self._cycle(pid)
            finally:
                over.set()
            clicked = [click for each in clicking for click in each.result()]
        limit_s = 2 * self.exchange_s + CLICK_EXTRA_S
        return row, [
            Click(
                seconds,
                seconds / (limit_s + (self.timeout_s if link in row["silent"] else 0)),
                link not in row["silent"],
            )
            for link, seconds in clicked
            if seconds
        ]

    def _cycle(self, pid: int) -> dict[str, Any]:
        """Run the task once and return what came of it."""
        before, cpu_s = self._timeouts(), cpu_seconds(pid)
        began = time.monotonic()
        run_id = self.call(f"/api/tasks/{self.task}/run", {})["id"]
        while (run := self._ended(run_id)) is None:
            if time.monotonic() - began > WAIT_MAX_S:
                sys.exit(f"run {run_id} did not end")
            time.sleep(0.2)
        cpu_s = cpu_seconds(pid) - cpu_s
        seconds = seconds_of(run)
        silent = {link: count - before.get(link, 0) for link, count in self._timeouts().items()}
        least = max(
            len(meters) * self.exchange_s + silent.get(link, 0) * self.timeout_s
            for link, meters in self.living.items()
        )
        due = sum(map(len, self.living.values())) * len(ITEMS)
        return {
            "seconds": seconds,
            "least": least,
            "over": seconds / least,
            "first_round": run["first_round"] / due,
            "rounds": run["rounds"],
            "cpu_us": cpu_s / run["success"] * 1e6,
            "cpu_share": cpu_s / seconds,
            "silent": {link for link, count in silent.items() if count},
        }

    def _print(self, name: str, row: dict[str, Any]) -> None:
        print(
            f"{name:<10}{row['seconds']:>9.2f}{row['least']:>9.2f}{row['over']:>7.2f}"
            f"{row['first_round']:>13.4f}{row['rounds']:>8}   CPU {row['cpu_us']:.0f} us a reading,"
            f" {row['cpu_share']:.0%} of a core",
            flush=True,
        )

    def _click(self) -> tuple[str, float]:
        """Read one item of a living meter now; return its link and the seconds to the value.

        0 seconds: its answer was one of those that are lost.
        """
        link = random.choice(list(self.living))
        meter = random.choice(self.living[link])
        began = time.monotonic()
        try:
            self.call(f"/api/meters/{meter}/read", {"items": [CLICKED]})
        except urllib.error.HTTPError as error:
            if error.code != 504:
                raise
            return link, 0.0
        return link, time.monotonic() - began

    def _gap_filling(self) -> tuple[float, float]:
        """Enter a task with holes, and return how complete living meters become, and when."""
        began = time.monotonic()
        task = {"name": "Noon", "items": ["power_total"], "cron": "0 12 * * *", "period_min": 1440,
                "backfill_days": GAP_DAYS}  # fmt: skip
        task_id = self.call("/api/tasks", task)["id"]
        living = [meter for meters in self.living.values() for meter in meters]

        def filled() -> bool:
            runs = self.call(f"/api/runs?task={task_id}&size=100")["items"]
            return bool(runs) and all(run["state"] != "running" for run in runs)

        self._until(filled, "gap filling")
        deadline = time.monotonic() + REST_MAX_S
        while (complete := asyncio.run(self._complete(living))) < 1 and time.monotonic() < deadline:
            time.sleep(1)  # Holes that stayed are looked at again after a minute.
        return complete, time.monotonic() - began

    async def _complete(self, living: list[str]) -> float:
        """Return the share of the past days' noons that the store holds."""
        database = await Database.connect(self.uri, NAME, zone=ZONE)
        today = local_day(utc_now(), ZONE)
        first, last = today - timedelta(days=GAP_DAYS), today - timedelta(days=1)
        stored = await database.readings.stored_slots(living, ["power_total"], first, last)
        await database.close()
        return sum(len(slots) for slots in stored.values()) / (len(living) * GAP_DAYS)

    # The station and what it is asked.

    @contextmanager
    def _database(self) -> Iterator[str]:
        mongo = EmbeddedMongo(self.folder / "data")
        self.uri = asyncio.run(mongo.start())
        asyncio.run(self._fill_archive())
        try:
            yield self.uri
        finally:
            asyncio.run(mongo.stop())

    async def _fill_archive(self) -> None:
        """Enter the site, all at once: one by one would take minutes."""
        await (await Database.connect(self.uri, NAME, zone=ZONE)).close()
        client: AsyncIOMotorClient = AsyncIOMotorClient(self.uri)
        ends = [document(Terminal(**each)) for each in self.archive["terminals"]]
        meters = [document(Meter(**each)) for each in self.archive["meters"]]
        await client[NAME].ends.insert_many([{**end, "kind": "terminal"} for end in ends])
        await client[NAME].meters.insert_many(meters)
        client.close()

    @contextmanager
    def _station(self, uri: str) -> Iterator[tuple[int, int]]:
        web, front = free_port(), free_port()
        config = self.folder / "config.yaml"
        config.write_text(
            f"site: {{zone: {ZONE.key}, simulation: true}}\n"
            f"web: {{host: 127.0.0.1, port: {web}}}\n"
            f"frontend: {{host: 127.0.0.1, port: {front}}}\n"
            f"database: {{uri: '{uri}', name: {NAME}}}\n"
        )
        self.url = f"http://127.0.0.1:{web}"
        profiled = ["-m", "cProfile", "-o", str(self.options.profile)]
        command = profiled if self.options.profile else []
        command += ["-m", "station", "run", "--config", str(config)]
        log = self.folder / "station.log"
        with process(command, log) as pid:
            self._until(lambda: "ready: pages" in log.read_text(), "the station")
            password = log.read_text().split("password ")[1].split()[0]
            login = {"username": "admin", "password": password}
            self.token = self.call("/api/login", login)["token"]
            yield pid, front

    def _all_online(self) -> bool:
        links = self.call("/api/links?size=1")
        online = self.call("/api/links?state=online&size=1")["total"]
        return bool(links["total"]) and online >= len(self.living)

    def _timeouts(self) -> dict[str, int]:
        """Return the questions without an answer of each link so far."""
        links = self.call(f"/api/links?size={len(self.living)}")["items"]
        counts = {link["address"]: link["quality"]["timeouts"] for link in links}
        assert counts.keys() == self.living.keys(), "the list of links is not whole"
        return counts

    def _ended(self, run_id: str) -> dict[str, Any] | None:
        try:
            run = self.call(f"/api/runs/{run_id}")
        except urllib.error.HTTPError as error:
            if error.code != 404:  # It is entered a moment after its beginning.
                raise
            return None
        return None if run["state"] == "running" else run

    def call(self, path: str, body: object = None) -> Any:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def _until(self, check: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + WAIT_MAX_S
        while not check():
            if time.monotonic() > deadline:
                sys.exit(f"{what}: not within {WAIT_MAX_S:.0f} s")
            time.sleep(0.2)


@contextmanager
def process(arguments: list[str], log: Path) -> Iterator[int]:
    """Run Python with these arguments, and end it as a service manager does."""
    with log.open("ab") as out:
        started = subprocess.Popen([sys.executable, *arguments], stdout=out, stderr=out)
    try:
        yield started.pid
    finally:
        started.send_signal(signal.SIGTERM)
        try:
            started.wait(30)
        except subprocess.TimeoutExpired:
            started.kill()


def document(thing: Terminal | Meter) -> dict[str, Any]:
    fields = asdict(replace(thing))
    return {"_id": fields.pop("address"), **fields}


def seconds_of(run: dict[str, Any]) -> float:
    begin, end = (datetime.fromisoformat(run[key]) for key in ("started_at", "ended_at"))
    return (end - begin).total_seconds()


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used, in user mode and in the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def median(rows: list[dict[str, Any]], name: str) -> float:
    return round(statistics.median(row[name] for row in rows), 3)


def percentile(values: list[float]) -> float:
    """Return the value that 95 of 100 do not exceed; 0 without values."""
    if not values:
        return 0.0
    return sorted(values)[min(len(values) - 1, int(0.95 * len(values)))]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
