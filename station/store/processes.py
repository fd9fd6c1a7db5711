"""Programs that the station starts: they die with it, and ones left behind are found and ended."""

import asyncio
import ctypes
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable
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

    for pid in _running(program, option, value):

        def is_gone(pid: int = pid) -> bool:
            return not _runs(pid, program, option, value)

        log.warning("stopping %s %d, left behind by a station that died", program, pid)
        _signal(pid, signal.SIGTERM)
        if await _comes_true(is_gone, STOP_TIMEOUT_S):
            continue
        _signal(pid, signal.SIGKILL)
        if not await _comes_true(is_gone, KILL_TIMEOUT_S):
            raise StartError(f"{program} {pid} with {option} {value} cannot be stopped")


def _running(program: str, option: str, value: str) -> list[int]:
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if _runs(pid, program, option, value)]


def _runs(pid: int, program: str, option: str, value: str) -> bool:
    """Whether a process is that program; a dead one has no command line."""
    try:
        words = Path("/proc", str(pid), "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    if Path(os.fsdecode(words[0])).name != program or os.fsencode(option) not in words:
        return False
    return words[words.index(os.fsencode(option)) + 1] == os.fsencode(value)


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
    except PermissionError:
        raise StartError(f"process {pid} belongs to another user; stop it first") from None


async def _comes_true(check: Callable[[], bool], timeout_s: float) -> bool:
    """Wait until the check holds, within a bound, and return whether it does."""
    deadline = time.monotonic() + timeout_s
    while not check():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(POLL_PERIOD_S)
    return True
