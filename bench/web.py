"""How fast the pages of a large site are, while it is collected: every page and its JSON twin.

A station in a process of its own, with a real mongod, that has been at work for a month: a thousand
terminals and ten thousand meters, their readings, events, alarms, frames, commands, accounts and
orders (`browsing` makes them). The terminals are simulated and linked over real sockets, and a task
whose run takes minutes is run again and again. Meanwhile people open pages, one after the other, in
an order that is drawn: every page that the routes know, with examples of what stands in its
address; lists are also searched and turned far behind their first page.

A real Chromium then opens each page with an empty cache: what comes over the wire is its first
load, and any request to elsewhere is counted. On the overview it waits for the number of links
online to change after terminals have logged in or gone: from the first byte of the login, or from
the end of the connection, to the number on the screen.

Limits: of each page 95 of 100 within 300 ms, the overview's number after 1 s, 500 KB of a first
load, nobody else asked. Files and what goes through the whole audit log are shown apart.
"""

import argparse
import asyncio
import json
import math
import random
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from itertools import cycle
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from browsing import collected, sold, told
from browsing.addresses import Page, pages
from browsing.examples import Examples
from browsing.past import Past
from browsing.people import Person
from browsing.watching import chromium, pushes, weigh
from collect import cpu_seconds, free_port, process
from motor.motor_asyncio import AsyncIOMotorClient

from station.handlers.access.people import hash_password
from station.simulator.generated import generate
from station.simulator.site import Site
from station.simulator.terminal import run_site
from station.store.database import Database
from station.store.embedded import EmbeddedMongo
from station.store.objects.base import new_id
from station.store.objects.tasks import Task
from station.store.objects.terminals import Terminal
from station.store.objects.users import User
from station.units import day_start

PAGE_LIMIT_MS = 300.0
PUSH_LIMIT_S = 1.0
FIRST_LOAD_LIMIT_KB = 500.0
WAIT_MAX_S = 300.0
NAME = "web"
USER, PASSWORD = "bench", "a password of the bench"
KEPT = (("Midnight registers", 1440, collected.REGISTER), ("Load curve", 15, collected.CURVE))
CYCLED = ("voltage_a", "current_a", "power_total", "power_factor_total", "energy_import_total")
CYCLE = "Cycle"  # The task that is run again and again; what it reads is of no period.
PUSHED = 10  # Terminals that come and go while the overview is open.
STRAY = 0x9900_0001  # The first of their addresses.
SHOWN = 40  # The slowest pages, and
WEIGHTS_SHOWN = 10  # the heaviest.


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--terminals", type=int, default=1000)
    parser.add_argument("--meters", type=int, default=10, help="behind each terminal")
    parser.add_argument("--days", type=int, default=31, help="that the station has been at work")
    parser.add_argument("--delay-ms", type=int, default=2000, help="of an exchange with a meter")
    parser.add_argument("--samples", type=int, default=20, help="of each page")
    parser.add_argument("--people", type=int, default=2, help="who open pages at the same time")
    parser.add_argument("--only", default="", help="measure pages whose name holds this")
    parser.add_argument("--idle", action="store_true", help="without terminals and collection")
    parser.add_argument("--no-browser", action="store_true", help="only how long answers take")
    parser.add_argument("--profile", type=Path, help="keep the station's profile in this file")
    parser.add_argument("--keep", type=Path, help="keep the database there, and use it again")
    parser.add_argument("--simulate", type=int, metavar="PORT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    site = generate(options.terminals, options.meters, delay_ms=options.delay_ms)
    if options.simulate:
        asyncio.run(run_site(site, "127.0.0.1", options.simulate))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        result = Bench(options, site, Path(folder)).run()
    print(json.dumps(result))
    return int(
        result["p95_ms_worst_page"] > PAGE_LIMIT_MS
        or result.get("push_s", 0) > PUSH_LIMIT_S
        or result.get("first_load_kb", 0) > FIRST_LOAD_LIMIT_KB
        or bool(result.get("requests_outside"))
        or bool(result["refused"] or result["without_example"])
    )


class Bench:
    """One station with a past, its site, and what people see of it."""

    def __init__(self, options: argparse.Namespace, site: Site, folder: Path) -> None:
        self.options = options
        self.site = site
        self.folder = folder
        self.zone = ZoneInfo(site.zone)
        self.web, self.front = free_port(), free_port()
        self.person = Person(self.web)
        self.refused: dict[str, str] = {}
        self.only_forms: set[str] = set()  # Twins of pages that have a form and nothing to tell.
        self.cycles = 0

    def run(self) -> dict[str, Any]:
        with self._database() as uri, self._station(uri) as pid:
            examples = Examples(self.person)
            found, unknown = pages(examples.things(), examples.queries())
            found = [page for page in found if self.options.only in page.name]
            if self.options.idle:
                result = self._measure(pid, found)
            else:
                with self._collecting():
                    result = self._measure(pid, found)
        return {**result, "refused": self.refused, "without_example": unknown}

    def _measure(self, pid: int, found: Sequence[Page]) -> dict[str, Any]:
        cpu_s, began = cpu_seconds(pid), time.monotonic()
        spent = self._open_all(found)
        share = (cpu_seconds(pid) - cpu_s) / (time.monotonic() - began)
        rows = sorted(((percentile(times), page) for page, times in spent.items()), key=_slowest)
        print(f"{'page':<50}{'p95 ms':>9}{'median':>9}{'worst':>9}")
        for p95, page in rows[:SHOWN]:
            times = sorted(spent[page])
            words = (
                f"{1000 * p95:>9.0f}{1000 * times[len(times) // 2]:>9.0f}{1000 * times[-1]:>9.0f}"
            )
            print(
                f"{page.name:<50}{words}{f'   no limit: {page.no_limit}' if page.no_limit else ''}"
            )
        limited = [(1000 * p95, page) for p95, page in rows if not page.no_limit]
        every = [each for page, times in spent.items() if not page.no_limit for each in times]
        return {
            "terminals": self.options.terminals,
            "meters": self.options.terminals * self.options.meters,
            "pages": len(limited),
            "requests": len(every),
            "p95_ms_worst_page": round(limited[0][0], 1),
            "worst_page": limited[0][1].name,
            "p95_ms_limit": PAGE_LIMIT_MS,
            "pages_over_limit": sum(p95_ms > PAGE_LIMIT_MS for p95_ms, _ in limited),
            "p95_ms_all": round(1000 * percentile(every), 1),
            "station_cpu_share": round(share, 2),
            "cycles_begun": self.cycles,
            **({} if self.options.no_browser else self._watch(found)),
        }

    def _open_all(self, found: Sequence[Page]) -> dict[Page, list[float]]:
        """Open each page so often, in an order that is drawn; return the seconds by page."""
        visits: list[tuple[Page, str]] = []
        for page in found:
            self._open(self.person, page, page.paths[0])  # Once, so that its template is there.
            if page.name in self.only_forms:
                continue
            turns = cycle(page.paths)
            visits += [(page, next(turns)) for _ in range(self.options.samples)]
        random.Random(1).shuffle(visits)
        people = self.options.people

        def walk(number: int) -> list[tuple[Page, float]]:
            person = Person(self.web, self.person)
            own = visits[number::people]
            return [(page, self._open(person, page, path)) for page, path in own]

        spent: defaultdict[Page, list[float]] = defaultdict(list)
        with ThreadPoolExecutor(people) as walkers:
            for walked in walkers.map(walk, range(people)):
                for page, seconds in walked:
                    spent[page].append(seconds)
        return spent

    def _open(self, person: Person, page: Page, path: str) -> float:
        seconds, status, body = person.open(path)
        if status == HTTPStatus.METHOD_NOT_ALLOWED and page.is_json:
            self.only_forms.add(page.name)
        elif status != HTTPStatus.OK and page.name not in self.refused:
            said = body[:200].decode(errors="replace")
            self.refused[page.name] = f"{status} {path}: {said}"
        return seconds

    def _watch(self, found: Sequence[Page]) -> dict[str, Any]:
        """Return what a browser sees."""
        url, cookie = f"http://127.0.0.1:{self.web}", self.person.cookie
        paths = {page.paths[0]: None for page in found if not (page.is_json or page.no_limit)}
        with chromium() as browser:
            weights = [*weigh(browser, url, "", ["/login"]), *weigh(browser, url, cookie, [*paths])]
            strays = [f"{STRAY + number:08X}" for number in range(PUSHED)]
            spent = [] if self.options.idle else pushes(browser, url, cookie, self.front, strays)
        weights.sort(key=lambda weight: -weight.size)
        print(f"{'first load':<50}{'KB':>9}{'requests':>9}")
        for weight in weights[:WEIGHTS_SHOWN]:
            print(f"{weight.path:<50.50}{weight.size / 1000:>9.1f}{weight.requests:>9}")
        outside = sorted({each for weight in weights for each in weight.outside})
        print("".join(f"asked elsewhere: {each}\n" for each in outside), end="")
        print("the overview after a link changed, s:", *(f"{each:.2f}" for each in spent))
        return {
            "first_load_kb": round(weights[0].size / 1000, 1),
            "first_load_page": weights[0].path,
            "first_load_kb_median": round(weights[len(weights) // 2].size / 1000, 1),
            "first_load_kb_limit": FIRST_LOAD_LIMIT_KB,
            "requests_outside": len(outside),
            **({"push_s": round(percentile(spent), 2), "push_limit_s": PUSH_LIMIT_S}
               if spent else {}),
        }  # fmt: skip

    # --- the station and its site -------------------------------------------------------------

    @contextmanager
    def _database(self) -> Iterator[str]:
        folder = self.options.keep or self.folder / "data"
        filled = folder / "filled"
        mongo = EmbeddedMongo(folder)
        uri = asyncio.run(mongo.start())
        try:
            if not filled.exists():
                began = time.monotonic()
                asyncio.run(self._fill(uri))
                filled.touch()
                print(f"a past made in {time.monotonic() - began:.0f} s", flush=True)
            yield uri
        finally:
            asyncio.run(mongo.stop())

    async def _fill(self, uri: str) -> None:
        database = await Database.connect(uri, NAME, zone=self.zone)
        client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(uri)
        try:
            past = Past(self.site, client[NAME], database, self.options.days)
            made = day_start(past.days[0], past.zone)
            tasks = [
                Task(new_id(), name, (item,), period, created_at=made)
                for name, period, item in KEPT
            ]
            await collected.fill(past, tasks)
            await told.fill(past)
            await sold.fill(past)
            for number in range(PUSHED):
                stray = Terminal(f"{STRAY + number:08X}", f"Visitor {number + 1}")
                await database.terminals.add(stray)
        finally:
            client.close()
            await database.close()

    @contextmanager
    def _station(self, uri: str) -> Iterator[int]:
        config = self.folder / "config.yaml"
        config.write_text(
            f"site: {{zone: {self.zone.key}, simulation: true}}\n"
            f"web: {{host: 127.0.0.1, port: {self.web}}}\n"
            f"frontend: {{host: 127.0.0.1, port: {self.front}}}\n"
            f"database: {{uri: '{uri}', name: {NAME}}}\n"
        )
        profiled = ["-m", "cProfile", "-o", str(self.options.profile)]
        command = profiled if self.options.profile else []
        command += ["-m", "station", "run", "--config", str(config)]
        log = self.folder / "station.log"
        asyncio.run(self._let_in(uri))
        with process(command, log) as pid:
            self._until(lambda: "ready: pages" in log.read_text(), "the station")
            self.person.log_in(USER, PASSWORD)
            yield pid

    async def _let_in(self, uri: str) -> None:
        """Make the person who looks at everything, unless an earlier run has."""
        database = await Database.connect(uri, NAME, zone=self.zone)
        try:
            user = User(USER, hash_password(PASSWORD), role="administrator")
            if await database.users.find(USER) is None:
                await database.users.add(user)
        finally:
            await database.close()

    @contextmanager
    def _collecting(self) -> Iterator[None]:
        """Have the site dial in, and its meters read again and again."""
        simulator = [__file__, *sys.argv[1:], "--simulate", str(self.front)]
        over = threading.Event()
        with process(simulator, self.folder / "simulator.log"), ThreadPoolExecutor(1) as worker:
            self._until(self._all_online, "all terminals online")
            task = self._cycle_task()
            cycling = worker.submit(self._cycle, task, over)
            self._until(lambda: self.cycles > 0, "a cycle")
            try:
                yield
            finally:
                over.set()
                cycling.result()

    def _all_online(self) -> bool:
        online = self.person.get("/api/links?state=online&size=1")["total"]
        return bool(online >= self.options.terminals)

    def _cycle_task(self) -> str:
        """Return the task that is run again and again; it is not due by itself for a year."""
        for task in self.person.get("/api/tasks?size=100")["items"]:
            if task["name"] == CYCLE:
                return str(task["id"])
        body = {"name": CYCLE, "items": CYCLED, "cron": "0 0 1 1 *", "period_min": 1440}
        return str(self.person.post("/api/tasks", body)["id"])

    def _cycle(self, task: str, over: threading.Event) -> None:
        """Run a task, and again as soon as it has ended."""
        person = Person(self.web, self.person)
        while not over.is_set():
            run = person.post(f"/api/tasks/{task}/run", {})["id"]
            self.cycles += 1
            while not over.wait(1.0):
                _, status, body = person.open(f"/api/runs/{run}")
                if status == HTTPStatus.OK and json.loads(body)["state"] != "running":
                    break

    def _until(self, check: Any, what: str) -> None:
        deadline = time.monotonic() + WAIT_MAX_S
        while not check():
            if time.monotonic() > deadline:
                sys.exit(f"{what}: not within {WAIT_MAX_S:.0f} s")
            time.sleep(0.2)


def percentile(values: Sequence[float]) -> float:
    """Return the value that 95 of 100 do not exceed: of 20 the second largest."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


def _slowest(row: tuple[float, Page]) -> float:
    return -row[0]


if __name__ == "__main__":
    sys.exit(main())
