"""Programs that the station starts: they die with it, and ones left behind are found and ended."""

import asyncio
import ctypes
import logging
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from station.errors import StartError

log = logging.getLogger(__name__)

STOP_TIMEOUT_S = 20.0  # A checkpoint of a full cache on a slow disk; then it is killed.
KILL_TIMEOUT_S = 5.0  # The kernel needs no more to take away a killed process.
POLL_PERIOD_S = 0.01

PR_SET_PDEATHSIG = 1  # prctl(2)

_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Between fork and exec: ask the kernel for a SIGTERM when the thread that forked ends."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


async def end(process: "subprocess.Popen[bytes]") -> None:
    """End a program of ours: politely, then not."""
    process.terminate()
    if not await _comes_true(lambda: process.poll() is not None, STOP_TIMEOUT_S):
        log.error("process %d did not stop in %.0f s; killed", process.pid, STOP_TIMEOUT_S)
        process.kill()
        await _comes_true(lambda: process.poll() is not None, KILL_TIMEOUT_S)


async def end_orphans(program: str, option: str, value: str) -> None:
    """End every process that runs this program with this option, whoever started it.

    Raises StartError when one cannot be ended.
    """
    for entry in _all_processes():
        with suppress(ProcessLookupError), _handle(int(entry.name)) as process:
            # Looked at only now: while the handle is open the number names no other process.
            if _runs(entry, program, option, value):
                await _end_orphan(process, f"{program} {entry.name}")


async def _end_orphan(process: int, name: str) -> None:
    log.warning("stopping %s, left behind by a station that died", name)
    try:
        signal.pidfd_send_signal(process, signal.SIGTERM)
        if not await _comes_true(lambda: _has_ended(process), STOP_TIMEOUT_S):
            signal.pidfd_send_signal(process, signal.SIGKILL)
    except PermissionError:
        raise StartError(f"{name} belongs to another user; stop it first") from None
    if not await _comes_true(lambda: _has_ended(process), KILL_TIMEOUT_S):
        raise StartError(f"{name} runs on our data and cannot be stopped")


def _all_processes() -> list[Path]:
    return [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]


@contextmanager
def _handle(pid: int) -> Iterator[int]:
    """Open a process as a file (pidfd_open(2)). Raises ProcessLookupError when it has gone."""
    handle = os.pidfd_open(pid)
    try:
        yield handle
    finally:
        os.close(handle)


def _has_ended(process: int) -> bool:
    """Whether the process of this handle has given back its files, ports and locks."""
    poll = select.poll()
    poll.register(process, select.POLLIN)
    return bool(poll.poll(0))


def _runs(entry: Path, program: str, option: str, value: str) -> bool:
    try:
        words = (entry / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    if Path(os.fsdecode(words[0])).name != program or os.fsencode(option) not in words:
        return False
    return words[words.index(os.fsencode(option)) + 1] == os.fsencode(value)


async def _comes_true(check: Callable[[], bool], timeout_s: float) -> bool:
    """Wait until the check holds, within a bound, and return whether it does."""
    deadline = time.monotonic() + timeout_s
    while not check():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(POLL_PERIOD_S)
    return True
