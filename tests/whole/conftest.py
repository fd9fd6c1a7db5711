"""Whole stations and simulated sites, each a process of its own."""

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stations import StationProcess


@pytest.fixture
def station(tmp_path: Path) -> Iterator[StationProcess]:
    """A station that is ready, with an empty archive."""
    process = StationProcess(tmp_path)
    process.start()
    yield process
    with contextlib.suppress(ProcessLookupError):
        process.stop()


@pytest.fixture
def simulate(tmp_path: Path) -> Iterator[Callable[[StationProcess, str], None]]:
    """Start simulated sites, described in YAML, that dial in to a station."""
    running: list[subprocess.Popen[bytes]] = []

    def start(station: StationProcess, site: str) -> None:
        file = tmp_path / f"site-{len(running)}.yaml"
        file.write_text(site)
        command = [sys.executable, "-m", "station", "simulate", "--with-parent"]
        command += ["--connect", f"127.0.0.1:{station.front_port}", "--site", str(file)]
        running.append(subprocess.Popen(command))

    yield start
    for process in running:
        process.terminate()
        process.wait()
