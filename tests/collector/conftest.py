"""The collecting half of a station over real sockets: front-end, archive, scheduler, reader."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from station import tasks
from station.collector.archive import Archive
from station.collector.budget import Budget
from station.collector.completeness import Completeness
from station.collector.keeper import Keeper
from station.collector.memory import Memory
from station.collector.planner import Planner
from station.collector.reader import Reader
from station.collector.run import Runner
from station.collector.scheduler import Scheduler
from station.config import FrontendConfig
from station.frontend.channels import Channels
from station.frontend.registry import Registry
from station.frontend.server import FrontServer
from station.frontend.trace import Trace
from station.live import Feed
from station.simulator.site import Site
from station.simulator.terminal import run_site
from station.store.database import Database
from station.store.objects.meters import Meter
from station.store.objects.terminals import Terminal

WAIT_S = 20.0


@dataclass
class Collecting:
    """The parts, and what they announced."""

    database: Database
    registry: Registry
    trace: Trace
    front: FrontServer
    scheduler: Scheduler
    archive: Archive
    reader: Reader
    completeness: Completeness
    feed: Feed
    memory: Memory
    budget: Budget
    runner: Runner
    keeper: Keeper
    announced: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    running: list["asyncio.Task[None]"] = field(default_factory=list)

    async def enter(self, site: Site) -> None:
        """Put a simulated site into the archive."""
        known = site.archive()
        for terminal in known["terminals"]:
            await self.archive.add_terminal(Terminal(**terminal))
        for meter in known["meters"]:
            await self.archive.add_meter(Meter(**meter))

    async def dial_in(self, site: Site) -> None:
        """Let a simulated site dial in, and wait until it is online."""
        work = run_site(site, "127.0.0.1", self.front.port)
        self.running.append(tasks.spawn(work, name="simulated site"))
        for terminal in site.terminals:
            await self.until(lambda address=terminal.address: self.registry.find(address))

    async def until(self, check: Any) -> Any:
        """Return what `check` returns once that is true."""
        deadline = asyncio.get_running_loop().time() + WAIT_S
        while not (found := check()):
            assert asyncio.get_running_loop().time() < deadline, "it did not come about"
            await asyncio.sleep(0.01)
        return found

    async def next_announcement(self) -> None:
        """Return once something more was announced."""
        seen = len(self.announced)
        await self.until(lambda: len(self.announced) > seen)

    async def ended(self, run_id: str) -> Any:
        """Return a run once it has ended, and its ledger is closed."""
        await self.until(lambda: all(run.id != run_id for run in self.scheduler.active_runs()))
        deadline = asyncio.get_running_loop().time() + WAIT_S
        while (run := await self.database.runs.find(run_id)) is None or run.state == "running":
            assert asyncio.get_running_loop().time() < deadline, "its ledger is not closed"
            await asyncio.sleep(0.01)
        return run


@pytest.fixture
async def collecting(database: Database, zone: ZoneInfo) -> AsyncIterator[Collecting]:
    """Everything but the ticking: a test that wants ticks starts the scheduler."""
    feed = Feed()
    registry = Registry(feed, database.links, "test")
    registry.start()
    trace = Trace(feed, database.frames)
    trace.start()
    settings = FrontendConfig().model_copy(
        update={"host": "127.0.0.1", "port": 0, "connections_max": 100}
    )
    front = FrontServer(settings, registry, trace)
    await front.start()
    channels = Channels(registry, trace)
    memory = Memory(database.meter_health, database.meter_days, zone)
    await memory.start()
    keeper = Keeper(database.readings, database.coverage, database.runs, feed)
    runner = Runner(registry, keeper, memory, feed, zone)
    planner = Planner(database.meters, database.terminals, database.readings, memory, zone)
    scheduler = Scheduler(
        registry=registry,
        runner=runner,
        planner=planner,
        memory=memory,
        tasks=database.tasks,
        runs=database.runs,
        station="test",
        zone=zone,
    )
    made = Collecting(
        database,
        registry,
        trace,
        front,
        scheduler,
        Archive(database, registry, channels, scheduler, memory),
        Reader(registry, database.meters, database.readings, feed, zone),
        Completeness(database, zone, planner.roll),
        feed,
        memory,
        Budget(database.tasks, planner, runner, memory, zone),
        runner,
        keeper,
    )
    with feed.listening(lambda topic, message: made.announced.append((topic, message))):
        yield made
    await tasks.cancel(*made.running)
    await scheduler.stop()
    await keeper.stop()
    await memory.stop()
    await channels.stop()
    await front.stop()
    await trace.stop()
    await registry.stop()
