"""Waiting and killing, for the tests that take the database away."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from station.errors import DatabaseDown
from station.store.database import Database
from station.store.embedded import EmbeddedMongo

EVENT_TIMEOUT_S = 20.0


async def comes_true(check: Callable[[], object]) -> None:
    """Wait until the check holds; fail if it does not within the bound."""

    deadline = time.monotonic() + EVENT_TIMEOUT_S
    while not check():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.01)


async def comes_back(database: Database) -> None:
    """Wait until the database answers again; fail if it does not within the bound."""

    async def wait() -> None:
        while True:
            try:
                return await database.ping()
            except DatabaseDown:
                await asyncio.sleep(0.01)

    await asyncio.wait_for(wait(), EVENT_TIMEOUT_S)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and is not yet taken away does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def cut_off(mongo: EmbeddedMongo) -> None:
    """Stop it as a power cut would, which is also much faster than a clean stop."""
    assert mongo.pid is not None
    kill(mongo.pid)
    await mongo.stop()


def kill(pid: int) -> None:
    """Kill a process as a power cut would."""
    os.kill(pid, signal.SIGKILL)
