"""The demonstration: a whole station with a simulated site that dials in over real sockets.

Nothing has to be configured. Its administrator gets a new password at every start, because there
is nothing real to protect and nobody should have to remember one.
"""

import os
import socket
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Literal

from station import demo_counter, demo_places
from station.app import Station, run_until_stopped
from station.collector.archive import Archive
from station.config import Config, DatabaseConfig, FrontendConfig, SiteConfig, WebConfig
from station.demo_bench import BenchReader
from station.errors import Conflict
from station.prepaid.cards.security import TEST_ROOT
from station.prepaid.readers.base import FixedReaders
from station.simulator.bench import Bench
from station.simulator.demo_site import DEMO_SITE
from station.store.objects.base import new_id
from station.store.objects.meters import Meter
from station.store.objects.tasks import Task
from station.store.objects.terminals import Terminal
from station.units import utc_now
from station.words import Text

HOST = "127.0.0.1"
PORT = 8080
SIMULATOR_STOP_TIMEOUT_S = 5.0

SITE_NAME = Text("Demonstration site", "演示站点")
TASKS = (
    (Text("Load curve", "负荷曲线"), 15, 1,
     ("power_total", "voltage_a", "current_a", "power_factor_total", "energy_import_total")),
    (Text("Power every minute", "每分钟功率"), 1, 0, ("power_total",)),
    (Text("Daily freeze", "日冻结电能"), 1440, 7,
     ("energy_import_total", "energy_import_t1", "energy_import_t2", "energy_import_t3",
      "energy_import_t4", "energy_export_total")),
)  # fmt: skip


def demo_config(data: Path, port: int | None, language: Literal["en", "zh"]) -> Config:
    """Return the demonstration's configuration: this box only, and a free port for terminals."""
    web = WebConfig().model_copy(update={"host": HOST, "port": port or _port_or_any(PORT)})
    front = FrontendConfig().model_copy(update={"host": HOST, "port": 0, "connections_max": 1000})
    name = SITE_NAME.zh if language == "zh" else SITE_NAME.en
    return Config(
        station="demo",
        site=SiteConfig(name=name, language=language, simulation=True),
        web=web,
        frontend=front,
        database=DatabaseConfig(data=data.resolve()),
    )


async def run(config: Config) -> None:
    """Run the station and its simulated site until SIGTERM or SIGINT."""
    bench = _bench(config)
    reader = FixedReaders(BenchReader(bench))
    station = Station(config, readers=[reader], bench=bench)
    simulators: list[subprocess.Popen[bytes]] = []

    async def ready() -> None:
        await _fill(station.archive, config.site.language)
        await demo_places.fill(station.archive, config.site.language)
        await demo_counter.fill(station, bench)
        simulators.append(_start_simulator(station.front.port, config.site.language))
        administrator = await station.give_password("admin")
        print(
            f"Station is ready at http://{HOST}:{station.web_port}/"
            f"   user {administrator.name}   password {administrator.password}",
            flush=True,
        )

    try:
        await run_until_stopped(station, ready)
    finally:
        for simulator in simulators:
            simulator.terminate()
            simulator.wait(SIMULATOR_STOP_TIMEOUT_S)


def _bench(config: Config) -> Bench:
    """Return the cards, the reader and the meters as they were left at the last start."""
    zone = config.site.zone_info

    def clock() -> datetime:
        return utc_now().astimezone(zone).replace(tzinfo=None)

    meters = [*demo_counter.METERS]
    return Bench(config.database.data / "bench.json", TEST_ROOT, meters, clock)


async def _fill(archive: Archive, language: Literal["en", "zh"]) -> None:
    """Enter the simulated site and its tasks, unless an earlier start has."""
    site = DEMO_SITE.archive(language)
    try:
        for terminal in site["terminals"]:
            await archive.add_terminal(Terminal(**terminal))
        for meter in site["meters"]:
            await archive.add_meter(Meter(**meter))
        for name, period_min, backfill_days, items in TASKS:
            text = name.zh if language == "zh" else name.en
            task = Task(new_id(), text, items, period_min, backfill_days=backfill_days)
            await archive.add_task(task)
    except Conflict:
        return


def _start_simulator(port: int, language: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "station", "simulate", "--with-parent", str(os.getpid())]
    return subprocess.Popen([*command, "--connect", f"{HOST}:{port}", "--language", language],
                            stdout=subprocess.DEVNULL)  # fmt: skip


def _port_or_any(port: int) -> int:
    """Return a port if it is free, or else 0, which lets the system choose one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return 0
    return port
