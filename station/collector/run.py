"""One run: works its links side by side, meter after meter, in rounds, and keeps the ledger.

Each value is stored as it arrives, so a run that is cut loses nothing that was read. While the
database is down a run waits with what it holds; the line rests meanwhile.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from zoneinfo import ZoneInfo

from station import tasks
from station.collector.drivers.dlt645 import Dlt645Driver
from station.collector.outcome import Cause, Got, Missed, Outcome, cause_of
from station.collector.plan import Want
from station.errors import DatabaseDown, ExchangeError, LinkDown
from station.frontend.link import Priority
from station.frontend.registry import Registry
from station.live import Feed
from station.store.objects.meters import Meter
from station.store.objects.readings import Reading, Readings, Source
from station.store.objects.runs import FAILURES_MAX, Failure, Run, Runs, RunState
from station.units import utc_now

log = logging.getLogger(__name__)

ROUND_PAUSES_S = (0.0, 5.0, 20.0)  # A silent meter gets a little more time before each round.
SAVE_PAUSES_S = (0.5, 1.0, 2.0, 5.0)  # While the database is down; the last one repeats.
LEDGER_PERIOD_S = 1.0  # How often a run under way tells how far it is.

_RETRIED = {Cause.NO_ANSWER, Cause.BAD_ANSWER, Cause.LINK_DOWN, Cause.NO_RECORD}


@dataclass(frozen=True, slots=True)
class MeterWork:
    """The points to read from one meter."""

    meter: Meter
    wants: tuple[Want, ...]


class Ledger:
    """What a run has come to so far."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._missed: dict[tuple[str, Want], Missed] = {}

    def enter(self, meter: Meter, outcomes: Sequence[Outcome], round_number: int) -> None:
        """Enter what came of some points of a meter in a round, counted from 1."""
        run = self.run
        got = [outcome for outcome in outcomes if isinstance(outcome, Got)]
        known = sum((meter.address, outcome.want) in self._missed for outcome in outcomes)
        for outcome in outcomes:
            if isinstance(outcome, Missed):
                self._missed[meter.address, outcome.want] = outcome
            else:
                self._missed.pop((meter.address, outcome.want), None)
        self.run = replace(
            run,
            done=run.done + len(outcomes) - known,
            success=run.success + len(got),
            first_round=run.first_round + (len(got) if round_number == 1 else 0),
            rounds=max(run.rounds, round_number),
        )

    def closed(self, state: RunState) -> Run:
        """Return the run as it ended, with the causes of what is missing."""
        causes = Counter(missed.cause.value for missed in self._missed.values())
        failures = _failures(self._missed)
        self.run = replace(
            self.run, state=state, ended_at=utc_now(), causes=dict(causes), failures=failures
        )
        return self.run


class Runner:
    """Executes runs over the links of a registry."""

    def __init__(
        self, registry: Registry, readings: Readings, runs: Runs, feed: Feed, zone: ZoneInfo
    ) -> None:
        self._registry = registry
        self._readings = readings
        self._runs = runs
        self._feed = feed
        self._zone = zone

    async def execute(
        self, run: Run, work: Sequence[MeterWork], *, priority: Priority, source: Source
    ) -> Run:
        """Read the work, round by round, and return the closed run."""
        ledger = Ledger(replace(run, due=sum(len(one.wants) for one in work)))
        reporter = tasks.spawn(self._report(ledger), name=f"ledger of run {run.id}")
        state: RunState = "cancelled"
        try:
            links = groupby(sorted(work, key=_link), key=_link)
            await asyncio.gather(
                *(self._work_link(list(own), ledger, priority, source) for _, own in links)
            )
            state = "finished"
        finally:
            await tasks.cancel(reporter)
            await self._close(ledger.closed(state))
        return ledger.run

    async def _work_link(
        self, work: Sequence[MeterWork], ledger: Ledger, priority: Priority, source: Source
    ) -> None:
        """Read the meters of one link, round by round; its failure does not end the others."""
        try:
            await self._work_rounds(work, ledger, priority, source)
        except Exception:
            log.exception("run %s: link %s is left", ledger.run.id, work[0].meter.link)

    async def _work_rounds(
        self, work: Sequence[MeterWork], ledger: Ledger, priority: Priority, source: Source
    ) -> None:
        for number, pause_s in enumerate(ROUND_PAUSES_S, start=1):
            if not work:
                break
            await asyncio.sleep(pause_s)
            work = [
                MeterWork(one.meter, again)
                for one in work
                if (again := await self._work_meter(one, ledger, number, priority, source))
            ]

    async def _work_meter(
        self, work: MeterWork, ledger: Ledger, number: int, priority: Priority, source: Source
    ) -> tuple[Want, ...]:
        """Read one meter and return the points worth another round."""
        meter = work.meter
        left = dict.fromkeys(work.wants)
        again = []
        try:
            driver = Dlt645Driver(
                self._registry.bus(meter), meter, priority=priority, zone=self._zone
            )
            async for outcomes in driver.read(work.wants):
                await self._keep(meter, outcomes, source)
                ledger.enter(meter, outcomes, number)
                for outcome in outcomes:
                    left.pop(outcome.want, None)
                    if isinstance(outcome, Missed) and outcome.cause in _RETRIED:
                        again.append(outcome.want)
        except (ExchangeError, LinkDown) as error:
            cause = cause_of(error)
            ledger.enter(meter, [Missed(want, cause, str(error)) for want in left], number)
            again.extend(left)
        return tuple(again)

    async def _keep(self, meter: Meter, outcomes: Sequence[Outcome], source: Source) -> None:
        readings = [
            reading_of(meter, outcome, source) for outcome in outcomes if isinstance(outcome, Got)
        ]
        if readings:
            await self._until_stored(lambda: self._readings.save(readings))
            self._feed.announce("readings", {"meter": meter.address, "count": len(readings)})

    async def _until_stored(self, write: Callable[[], Awaitable[object]]) -> None:
        """Repeat a write until the database has it; writing the same twice changes nothing."""
        attempt = 0
        while True:
            try:
                await write()
                return
            except DatabaseDown as error:
                pause_s = SAVE_PAUSES_S[min(attempt, len(SAVE_PAUSES_S) - 1)]
                log.warning("%s; collection waits %.1f s", error, pause_s)
                await asyncio.sleep(pause_s)
                attempt += 1

    async def _report(self, ledger: Ledger) -> None:
        """Tell and enter how far the run is, from its beginning on."""
        told = None
        while True:
            if ledger.run is not told:
                told = ledger.run
                self._announce(told)
                await self._until_stored(partial(self._runs.enter, told))
            await asyncio.sleep(LEDGER_PERIOD_S)

    async def _close(self, run: Run) -> None:
        self._announce(run)
        try:
            await self._runs.enter(run)
        except DatabaseDown as error:
            log.warning("%s; run %s is marked as interrupted at the next start", error, run.id)

    def _announce(self, run: Run) -> None:
        self._feed.announce(
            "runs",
            {
                "id": run.id,
                "task": run.task_id,
                "state": run.state,
                "due": run.due,
                "done": run.done,
                "success": run.success,
            },
        )


def reading_of(meter: Meter, got: Got, source: Source) -> Reading:
    """Return the reading that a value of a point is stored as."""
    return Reading(
        meter.address, got.want.item.code, got.want.moment, got.value, got.read_at, source
    )


def _link(work: MeterWork) -> str:
    return work.meter.link


def _failures(missed: Mapping[tuple[str, Want], Missed]) -> tuple[Failure, ...]:
    """Return one failure for each meter, item and cause, the first ones if there are too many."""
    seen: dict[tuple[str, str, str], Failure] = {}
    for (address, want), outcome in missed.items():
        key = (address, want.item.code, outcome.cause.value)
        seen.setdefault(key, Failure(*key, outcome.text))
        if len(seen) >= FAILURES_MAX:
            break
    return tuple(seen.values())
