"""The one writer of the audit log in this process: nothing that was begun is left out of it.

Entries are written one behind the other. While the database does not answer, what has happened
waits in memory, and its note in the store; the acts themselves are refused meanwhile, because they
cannot be noted. What a crash has cut off is written at the next start, as of unknown outcome.
"""

import asyncio
import contextlib
import logging
import os
import pwd
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

from station import tasks
from station.errors import DatabaseDown, StationError
from station.store.objects.audit import AuditLog, Entry, values_text

log = logging.getLogger(__name__)

SETTLE_WAIT_S = 5.0  # For how long an answer waits for its entry; then the entry comes later.
RETRY_S = 1.0  # Between two attempts while the database is down.
STOP_WAIT_S = 5.0  # For the last entries, when the station stops.
REFUSALS_EACH_MIN = 30  # A person mistypes less often; a flood must not fill the disk.
MINUTE_S = 60.0


class AuditWriter:
    """Begins acts, and writes what became of them."""

    def __init__(self, audit_log: AuditLog, station: str) -> None:
        self._log = audit_log
        self.station = station
        self._queue: asyncio.Queue[tuple[Entry, asyncio.Future[None]]] = asyncio.Queue()
        self._writing: asyncio.Task[None] | None = None
        self._refusals = 0  # In this minute.
        self._unwritten = 0
        self._minute: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Write what the last run has left behind, and say in the system's log where it ends.

        Raises DatabaseDown.
        """
        for entry in await self._log.begun(self.station):
            await self._log.append(replace(entry, outcome="unknown"))
            await self._log.forget(entry.id)
            log.warning("audit log: %s by %s was cut off", entry.act, entry.who or "nobody")
        head = await self._log.head()
        if head is not None:
            log.info("audit log: entry %d has hash %s", head.sequence, head.hash)
        self._writing = tasks.spawn(self._write(), name="audit log")

    async def stop(self) -> None:
        """Write what is left, within a bound."""
        if self._minute is not None:
            self._minute.cancel()
            self._end_minute()
        try:
            await asyncio.wait_for(self._queue.join(), STOP_WAIT_S)
        except asyncio.TimeoutError:
            log.error("audit log: %d entries wait for the next start", self._queue.qsize())
        await tasks.cancel(self._writing)

    async def begin(self, entry: Entry) -> None:
        """Note an act before it is done. Raises DatabaseDown: then it must not be done."""
        await self._log.begin(entry)

    async def settle(self, entry: Entry) -> None:
        """Write the entry of an act that was begun; return when it stands, or waits for long."""
        await asyncio.wait((self._put(entry),), timeout=SETTLE_WAIT_S)

    def drop(self, entry: Entry) -> None:
        """Drop an act that was begun and changed nothing; it was only mistyped."""
        self._put(replace(entry, outcome="begun"))

    def refuse(self, entry: Entry) -> None:
        """Write an attempt that was turned away; of too many in a minute only the number."""
        if self._minute is None:
            loop = asyncio.get_running_loop()
            self._minute = loop.call_later(MINUTE_S, self._end_minute)
        self._refusals += 1
        if self._refusals > REFUSALS_EACH_MIN:
            self._unwritten += 1
        else:
            self._put(entry)

    async def settled(self) -> None:
        """Return when all that was said so far stands in the log, or waits for long."""
        try:
            await asyncio.wait_for(self._queue.join(), SETTLE_WAIT_S)
        except asyncio.TimeoutError:
            return

    def _end_minute(self) -> None:
        if self._unwritten:
            detail = f"{self._unwritten} more attempts were turned away in this minute"
            self._put(
                Entry(
                    "refusals", "", "", station=self.station, via="station",
                    outcome="refused", detail=detail,
                )
            )  # fmt: skip
        self._refusals = self._unwritten = 0
        self._minute = None

    def _put(self, entry: Entry) -> "asyncio.Future[None]":
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((entry, done))
        return done

    async def _write(self) -> None:
        while True:
            entry, done = await self._queue.get()
            try:
                await self._write_one(entry)
            except Exception:  # One entry must not keep the others out; its note is still there.
                log.exception("audit log: the entry of %s is not written", entry.act)
            finally:
                self._queue.task_done()
                if not done.done():
                    done.set_result(None)

    async def _write_one(self, entry: Entry) -> None:
        while True:
            try:
                if entry.outcome != "begun":
                    await self._log.append(entry)
                await self._log.forget(entry.id)
            except DatabaseDown as error:
                log.warning("audit log: %s; trying again", error)
                await asyncio.sleep(RETRY_S)
            else:
                return


@contextlib.asynccontextmanager
async def act_of_command_line(
    audit_log: AuditLog, station: str, act: str, thing: str, after: Mapping[str, Any] | None = None
) -> AsyncIterator[None]:
    """Write what is done inside the block as an act of the command line; a refusal leaves nothing.

    Who it was is the box's own user. Raises DatabaseDown: then nothing was done.
    """
    begun = Entry(
        act, thing, _user_of_box(), station=station, via="command line", after=values_text(after)
    )
    await audit_log.begin(begun)
    try:
        yield
    except StationError:
        await audit_log.forget(begun.id)
        raise
    await audit_log.append(replace(begun, outcome="done"))
    await audit_log.forget(begun.id)


def _user_of_box() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # A container's users need not have names.
        return str(os.getuid())
