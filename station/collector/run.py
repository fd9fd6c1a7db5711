"""One run: works its buses side by side, meter after meter, in rounds, and keeps the ledger.

Two meters of a bus are in hand at a time, so that the next question is ready when an answer comes;
the line itself carries one. What was read goes to the keeper, which stores it behind the run.
A dead meter gets one question per run.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from station import tasks
from station.collector.drivers import driver_for
from station.collector.gate import Gate
from station.collector.keeper import Keeper
from station.collector.ledger import Ledger
from station.collector.memory import Memory
from station.collector.outcome import Cause, Got, Missed, Outcome, cause_of
from station.collector.plan import Want
from station.collector.rounds import BusQueue, MeterWork, Turn
from station.errors import ExchangeError, InvalidValue, LinkDown
from station.frontend.link import Priority
from station.frontend.registry import Registry
from station.live import Feed
from station.store.objects.meters import Meter
from station.store.objects.readings import Reading, Source
from station.store.objects.runs import Run, RunState
from station.units import utc_now

log = logging.getLogger(__name__)

# Before each round, from the meter's own failure on: it gets a little more time each time.
ROUND_PAUSES_S = (0.0, 5.0, 20.0)
METERS_IN_HAND = 2  # Of one bus: one is asked while the other's answer is worked on.
LEDGER_PERIOD_S = 1.0  # How often a run under way tells how far it is.

_RETRIED = {
    Cause.NO_ANSWER,
    Cause.WRONG_ADDRESS,
    Cause.BAD_CHECKSUM,
    Cause.BAD_ANSWER,
    Cause.LINK_DOWN,
    Cause.NO_RECORD,
}
# What shows that the meter itself was not heard.
_SILENT = {Cause.NO_ANSWER, Cause.WRONG_ADDRESS, Cause.LINK_DOWN}


class _MeterCount:
    """What one meter has come to in a run."""

    __slots__ = ("answered", "asked", "cause", "got")

    def __init__(self) -> None:
        self.answered = False
        self.asked = 0
        self.cause: Cause | None = None
        self.got = 0


class _UnderWay:
    """What the workers of one run share."""

    def __init__(
        self, ledger: Ledger, priority: Priority, source: Source, until: datetime | None
    ) -> None:
        self.ledger = ledger
        self.priority = priority
        self.source: Source = source
        self._until = until
        self.counts: defaultdict[str, _MeterCount] = defaultdict(_MeterCount)

    @property
    def window_over(self) -> bool:
        return self._until is not None and utc_now() >= self._until


class Runner:
    """Executes runs over the links of a registry."""

    def __init__(
        self, registry: Registry, keeper: Keeper, memory: Memory, feed: Feed, zone: ZoneInfo
    ) -> None:
        self._registry = registry
        self._keeper = keeper
        self._memory = memory
        self._feed = feed
        self._zone = zone
        self._gate = Gate()
        self._queues: dict[str, list[BusQueue]] = {}  # Of the runs under way.

    def left(self, run_id: str) -> list[MeterWork] | None:
        """Return what a run under way has not read yet, or None if it is not under way."""
        queues = self._queues.get(run_id)
        return None if queues is None else [one for queue in queues for one in queue.left()]

    async def execute(
        self,
        run: Run,
        work: Sequence[MeterWork],
        *,
        priority: Priority,
        source: Source,
        until: datetime | None = None,
    ) -> Run:
        """Read the work, round by round, and return the closed run.

        What is not read at `until`, the end of the task's window, is left.
        """
        ledger = Ledger(run, sum(len(one.wants) for one in work))
        shared = _UnderWay(ledger, priority, source, until)
        reporter = tasks.spawn(self._report(ledger), name=f"ledger of run {run.id}")
        state: RunState = "cancelled"
        queues = [BusQueue(own, ROUND_PAUSES_S) for own in self._by_bus(work)]
        self._queues[run.id] = queues
        try:
            await asyncio.gather(*(self._work_bus(queue, shared) for queue in queues))
            await self._keeper.settle()
            state = "finished"
        finally:
            del self._queues[run.id]
            await tasks.cancel(reporter)
            closed = ledger.closed(state)
            self._announce(closed)
            self._keeper.enter(closed)
            self._keeper.note_causes(ledger.holes(self._zone))
        return closed

    def _by_bus(self, work: Sequence[MeterWork]) -> list[list[MeterWork]]:
        """Return the work of each bus, meters that have long been silent last."""
        buses: defaultdict[str, list[MeterWork]] = defaultdict(list)
        for one in work:
            buses[bus_of(one)].append(one)
        for own in buses.values():
            own.sort(key=lambda one: self._memory.is_dead(one.meter.address))
        return list(buses.values())

    async def _work_bus(self, queue: BusQueue, shared: _UnderWay) -> None:
        hands = (self._work_turns(queue, shared) for _ in range(METERS_IN_HAND))
        await asyncio.gather(*hands)
        for turn in queue.rest():
            text = f"meter {turn.work.meter.address}: the window of the task was over"
            missed = [Missed(want, Cause.WINDOW_OVER, text) for want in turn.work.wants]
            shared.ledger.enter(turn.work.meter, missed, turn.round_number)

    async def _work_turns(self, queue: BusQueue, shared: _UnderWay) -> None:
        while not shared.window_over and (turn := await queue.next()) is not None:
            meter = turn.work.meter
            left: tuple[Want, ...] = ()
            try:
                left = await self._work_meter(turn, shared)
            except Exception:  # A defect ends neither the other meters nor the other buses.
                log.exception("meter %s is left in this run", meter.address)
            if not queue.ended(turn, left):
                self._meter_ended(meter, shared)
            if not self._registry.find(meter.link):
                await asyncio.sleep(0)  # A bus that is down fails at once; others have their turn.

    async def _work_meter(self, turn: Turn, shared: _UnderWay) -> tuple[Want, ...]:
        """Read one meter in one round and return the points worth another one."""
        await self._gate.enter()
        work, meter = turn.work, turn.work.meter
        self._memory.meet(meter, bus_of(work))
        count = shared.counts[meter.address]
        count.asked = max(count.asked, len(work.wants))
        left = dict.fromkeys(work.wants)
        again: list[Want] = []
        try:
            driver = driver_for(
                meter, work.terminal, self._registry,
                priority=shared.priority, zone=self._zone, memory=self._memory,
            )  # fmt: skip
            async for outcomes in driver.read(work.wants):
                await self._take(turn, outcomes, shared)
                for outcome in outcomes:
                    left.pop(outcome.want, None)
                    if isinstance(outcome, Missed) and outcome.cause in _RETRIED:
                        again.append(outcome.want)
                if shared.window_over:
                    text = f"meter {meter.address}: the window of the task was over"
                    missed = [Missed(want, Cause.WINDOW_OVER, text) for want in left]
                    await self._take(turn, missed, shared)
                    return ()
                if left:
                    await self._gate.enter()
        except (ExchangeError, LinkDown, InvalidValue) as error:
            cause = Cause.REFUSED if isinstance(error, InvalidValue) else cause_of(error)
            await self._take(turn, [Missed(want, cause, str(error)) for want in left], shared)
            if cause in _RETRIED:
                again.extend(left)
        if self._memory.is_dead(meter.address) and not count.answered:
            return ()  # One question per run.
        return tuple(again)

    async def _take(self, turn: Turn, outcomes: Sequence[Outcome], shared: _UnderWay) -> None:
        """Keep and count what came of some points."""
        meter = turn.work.meter
        count = shared.counts[meter.address]
        count.got += shared.ledger.enter(meter, outcomes, turn.round_number)
        readings = []
        for outcome in outcomes:
            if isinstance(outcome, Got):
                count.answered = True
                readings.append(reading_of(meter, outcome, shared.source))
            else:
                count.cause = outcome.cause
                if outcome.cause not in _SILENT and outcome.cause is not Cause.WINDOW_OVER:
                    count.answered = True
        if readings:
            await self._keeper.put(readings)

    def _meter_ended(self, meter: Meter, shared: _UnderWay) -> None:
        """Remember how a meter did in this run."""
        count = shared.counts[meter.address]
        self._memory.note_round(meter.address, count.answered, count.cause)
        if shared.source == "gap":
            self._memory.note_gap(meter.address, fruitful=count.got > 0)
        else:
            self._memory.count(meter.address, utc_now(), count.asked, count.got)

    async def _report(self, ledger: Ledger) -> None:
        """Tell and enter how far the run is, from its beginning on."""
        told = None
        while True:
            run = ledger.run
            if run != told:
                told = run
                self._announce(run)
                self._keeper.enter(run)
            await asyncio.sleep(LEDGER_PERIOD_S)

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
                "first_round": run.first_round,
                "rounds": run.rounds,
            },
        )


def bus_of(work: MeterWork) -> str:
    """Return the name of the bus that a meter hangs on: `LINK`, or `LINK:PORT`."""
    meter = work.meter
    if work.terminal is not None and work.terminal.parallel_ports:
        return f"{meter.link}:{meter.port}"
    return meter.link


def reading_of(meter: Meter, got: Got, source: Source) -> Reading:
    """Return the reading that a value of a point is stored as."""
    return Reading(
        meter.address,
        got.want.item.code,
        got.want.moment,
        got.value,
        got.read_at,
        source,
        got.quality,
    )
