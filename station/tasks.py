"""Background work: named, kept and cancelled; and the word to the service manager.

Every coroutine that outlives its caller is started with `spawn`, so that none is lost to the
garbage collector, each has a name in the log, and `cancel` ends it within a bound.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from station.errors import StationError

log = logging.getLogger(__name__)

# Longer than any clean-up here takes. Before Python 3.12, wait_for loses a cancellation that comes
# in the moment its work is done, so there is a second one; then the stop goes on without it.
CANCEL_TIMEOUTS_S = (4.0, 1.0)

_running: set["asyncio.Task[Any]"] = set()


def spawn(work: Coroutine[Any, Any, Any], *, name: str) -> "asyncio.Task[Any]":
    """Start background work that logs its own failure."""
    task = asyncio.get_running_loop().create_task(work, name=name)
    _running.add(task)
    task.add_done_callback(_finished)
    return task


def _finished(task: "asyncio.Task[Any]") -> None:
    _running.discard(task)
    error = None if task.cancelled() else task.exception()
    if isinstance(error, StationError):
        log.warning("%s: %s", task.get_name(), error)
    elif error is not None:
        log.error("%s failed", task.get_name(), exc_info=error)


async def cancel(*tasks: "asyncio.Task[Any] | None") -> None:
    """Cancel background work and wait, within a bound, until it has ended."""
    waiting = {task for task in tasks if task is not None and not task.done()}
    for timeout_s in CANCEL_TIMEOUTS_S:
        for task in waiting:
            task.cancel()
        if waiting:
            _, waiting = await asyncio.wait(waiting, timeout=timeout_s)
    for task in waiting:
        log.error("%s did not end within %.0f s", task.get_name(), sum(CANCEL_TIMEOUTS_S))


async def periodically(period_s: float, work: Callable[[], Awaitable[None]], *, name: str) -> None:
    """Run `work` for ever, `period_s` apart; one failure is logged and the next run happens."""
    while True:
        await asyncio.sleep(period_s)
        try:
            await work()
        except Exception:  # The border of a tick.
            log.exception("%s failed; it runs again in %.0f s", name, period_s)


def notify_service_manager(message: str) -> None:
    """Tell systemd, if it started this process, such as `READY=1` (sd_notify(3))."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify_socket:
        notify_socket.sendto(message.encode(), address)
