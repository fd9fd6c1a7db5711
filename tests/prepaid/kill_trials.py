"""Trials whose cut is a real kill, and lanes that take them, several at once.

The operations, the ways to go on and the comparison are those of `trials`.
"""

import asyncio
import contextlib
import queue
import random
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from math import ceil
from pathlib import Path
from typing import Any

import pytest
from cuts import Call, ProcessDied
from kill_site import KilledCounter, Lane
from killing import DATABASES, TOGETHER, Kill, Moment, Victim, kills_of
from sale_site import Counter, Home, Town
from sales_process import nursery
from trials import Ending, Operation, Trial
from virtual_pcscd import SLOTS, virtual_pcscd

from station.store.objects.accounts import Account
from station.store.objects.orders import Order

OTHER_ENDINGS = (Ending.CARRIED, Ending.GIVEN_UP, Ending.LOST)
SECOND_SHARE = 0.25  # So many ways to the end are cut, too.
TRIAL_TIMEOUT_S = 120.0
FAILED = pytest.fail.Exception  # What was to be refused was not.


@dataclass(frozen=True)
class KillTrial:
    """One operation, cut by a kill, and brought to an end; a second kill cuts the end, too."""

    operation: Operation
    ending: Ending
    kill: Kill | None
    second: Kill | None = None

    def __str__(self) -> str:
        second = "" if self.second is None else f", then {self.second}"
        return f"{self.operation.name}: {self.kill}{second}, {self.ending.name}"

    async def run(self, lane: Lane) -> "Report":
        """Do it and compare."""
        report = Report(self)
        try:
            report.calls = await self._try(lane)
        except (Exception, ProcessDied, FAILED) as trouble:  # noqa: BLE001  All of it is reported.
            report.difference = f"{self}: {trouble!r}"
        report.struck, lane.struck = lane.struck, []
        return report

    async def _try(self, lane: Lane) -> list[Call]:
        town = _KillTown(lane)
        cuts: Any = (self.kill, self.second)
        trial = Trial(town, self.operation, self.ending, *cuts)
        try:
            return (await asyncio.wait_for(trial.run(), TRIAL_TIMEOUT_S)).process.calls
        finally:
            for counter in town.counters:
                await counter.stop()
            lane.revive()
            await lane.up()


@dataclass
class Report:
    """What a trial found: a difference in words, or none; the steps; who was killed."""

    trial: KillTrial
    difference: str = ""
    calls: Sequence[Call] = ()
    struck: list[Victim] = field(default_factory=list)


class _KillTown(Town):
    """The homes of one trial; its first counter, which prepares and compares, is in memory."""

    def __init__(self, lane: Lane) -> None:
        super().__init__(lane.database)
        self._lane = lane
        self.counters: list[Counter | KilledCounter] = []

    def counter(self, cut: Any = None) -> Any:
        made = KilledCounter(self._lane, cut) if self.counters else super().counter()
        self.counters.append(made)
        return made

    async def journal_of(self, home: Home) -> list[Order]:
        await self._lane.up()
        return await super().journal_of(home)

    async def account_of(self, home: Home) -> Account | None:
        await self._lane.up()
        return await super().account_of(home)


def trials_of(
    operation: Operation,
    calls: Sequence[Call],
    chance: random.Random,
    victims: Sequence[Victim] = TOGETHER,
) -> Iterator[KillTrial]:
    """Give the trials of an operation that took these steps.

    For each kill of the station, and of the database, the order is written again, and in a second
    trial another way is taken; a database comes back at once in the one and late in the other. The
    other faults take one way, each in its turn.
    """
    kills = [*kills_of(calls, victims)]
    others, all_ways = cycle(OTHER_ENDINGS), cycle(Ending)
    for kill in kills:
        if kill.victim is Victim.STATION:
            endings = [Ending.AGAIN, next(others)]
        elif kill.victim in (Victim.DATABASE, Victim.DATABASE_AWAY):
            is_odd = (kill.number + (kill.moment is Moment.AFTER)) % 2
            is_again = bool(is_odd) == (kill.victim is Victim.DATABASE)
            endings = [Ending.AGAIN if is_again else next(others)]
        else:
            endings = [next(all_ways)]
        for ending in endings:
            second: Kill | None = None
            # The card is lost once: the next replacement would be another story.
            if ending is not Ending.LOST and chance.random() < SECOND_SHARE:
                second = chance.choice(kills)
            yield KillTrial(operation, ending, kill, second)


class Lanes:
    """Lanes, each in a thread with a loop of its own, that take trials one after the other."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._work: queue.SimpleQueue[KillTrial | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Report | BaseException] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._live, args=(lane,)) for lane in lanes]
        for thread in self._threads:
            thread.start()

    def run(self, trials: Sequence[KillTrial]) -> Iterator[Report]:
        """Give the report of each trial as it ends."""
        for trial in trials:
            self._work.put(trial)
        for _ in trials:
            report = self._done.get()
            if isinstance(report, BaseException):
                raise report
            yield report

    def dry_runs(self, operations: Sequence[Operation]) -> dict[str, Sequence[Call]]:
        """Return the steps of each operation, nobody being killed."""
        reports = [*self.run([KillTrial(each, Ending.AGAIN, None) for each in operations])]
        assert not any(report.difference for report in reports), reports
        steps = {report.trial.operation.name: report.calls for report in reports}
        return {each.name: steps[each.name] for each in operations}

    def stop(self) -> None:
        """End them all; what was not begun is left."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._work.get_nowait()
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join()

    def _live(self, lane: Lane) -> None:
        try:
            asyncio.run(self._take_turns(lane))
        except BaseException as trouble:  # noqa: BLE001  The border of a thread.
            self._done.put(trouble)

    async def _take_turns(self, lane: Lane) -> None:
        async with lane.open():
            while (trial := await asyncio.to_thread(self._work.get)) is not None:
                self._done.put(await trial.run(lane))


@contextlib.contextmanager
def kill_lanes(folder: Path, count: int) -> Iterator[Lanes]:
    """Run so many lanes over one real pcscd."""
    readers = [f"Counter {number}" for number in range(ceil(count / SLOTS))]
    with virtual_pcscd(folder, readers) as pcscd, nursery(folder) as path:
        slots = [*pcscd.slots][:count]
        lanes = Lanes([Lane(folder / slot, pcscd, slot, path) for slot in slots])
        try:
            yield lanes
        finally:
            lanes.stop()


def tally(reports: Sequence[Report]) -> dict[str, int]:
    """Return how often who was killed, and what differed."""
    struck = [victim for report in reports for victim in report.struck]
    stations = sum(victim in (Victim.STATION, Victim.BOTH) for victim in struck)
    databases = sum(victim in DATABASES for victim in struck)
    return {
        "kills": stations + databases,
        "station_kills": stations,
        "mongod_kills": databases,
        "cards_pulled": struck.count(Victim.CARD),
        "readers_killed": struck.count(Victim.READERS),
        "differences": sum(bool(report.difference) for report in reports),
    }
