"""What collection remembers of each meter: silence, refusals, how long its answers take.

Kept in this process and written behind to the store, so that a database that is down delays
nothing. A *dead* meter was silent in several runs in a row: it gets one question per run, and gap
filling asks it less and less often. It is dead no longer as soon as it answers.
"""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from station import tasks
from station.collector.outcome import Cause
from station.errors import DatabaseDown
from station.protocols.line import LineSettings
from station.store.objects.base import new_id
from station.store.objects.meter_days import MeterDay, MeterDays
from station.store.objects.meter_health import MeterHealth, MeterHealths
from station.store.objects.meters import Meter
from station.units import local_day, utc_now

Key = TypeVar("Key")

log = logging.getLogger(__name__)

DEAD_AFTER = 3  # Runs in a row without an answer: three rounds each, so it is no accident.
WRITE_PERIOD_S = 10.0  # How old the store's picture may be while the database is well.
SUCCESS_KEPT = timedelta(hours=1)  # How much older a stored last success may be than the real one.
DRIFT = 0.5  # An answer time is written again when it has changed by this share.
STOP_TIMEOUT_S = 3.0  # For the last write.

TIMEOUT_UNKNOWN_S = 5.0  # A 200-byte answer takes 1 s at 2400 bit/s; a terminal adds its own.
TIMEOUT_MAX_S = 10.0  # Slower carriers exist, but nobody waits for them on a shared bus.
# A learned time-out leaves room for the longest answer, which may never have been seen: so many
# bytes with preamble (digest dlt645.md section 1.3), of so many bits, and some time to think.
ANSWER_SIZE_MAX = 216
BITS_PER_BYTE = 11
THINKING_S = 0.9
LEARNING_RATE = 1 / 8  # As TCP learns its round trips (RFC 6298), and how far they spread:
SPREAD_RATE = 1 / 4
SPREADS = 4

PROBE_PAUSE_MIN = timedelta(minutes=15)  # Of gap filling, after a meter has become dead;
PROBE_PAUSE_MAX = timedelta(hours=12)  # doubled with each failure: one that is back is found soon.
GAP_PAUSE_MIN = timedelta(minutes=1)  # After a gap run that gave nothing; doubled each time.
GAP_PAUSE_MAX = timedelta(hours=2)  # Of a meter that answers, but does not have what is missing.
DOUBLINGS_MAX = 10  # More would only make large numbers.
REFUSED_MAX = 50  # Blocks that are remembered of a meter; drivers know far fewer.
METERS_AT_ONCE = 250  # In one write: some milliseconds, between which links are heard.
DAYS_KEPT = 3  # Local days whose counts are still written in this process.


class _Times:
    """How long answers take: the usual time and how far they spread around it."""

    __slots__ = ("spread_s", "usual_s")

    def __init__(self, usual_s: float, spread_s: float) -> None:
        self.usual_s = usual_s
        self.spread_s = spread_s

    def learn(self, waited_s: float) -> None:
        self.spread_s += SPREAD_RATE * (abs(waited_s - self.usual_s) - self.spread_s)
        self.usual_s += LEARNING_RATE * (waited_s - self.usual_s)


class Memory:
    """What is known of the meters; `load` brings back what the last process knew."""

    def __init__(self, healths: MeterHealths, days: MeterDays, zone: ZoneInfo) -> None:
        self._healths = healths
        self._days = days
        self._zone = zone
        self._known: dict[str, MeterHealth] = {}
        self._times: dict[str, _Times] = {}  # Of meters, and of buses by their names.
        self._written: dict[str, MeterHealth] = {}
        self._floors: dict[str, float] = {}  # The shortest time-out of a meter's line.
        self._bus_of: dict[str, str] = {}
        self._fruitless: dict[str, tuple[int, datetime]] = {}  # Gap runs, and the last of them.
        self._changed: set[str] = set()
        self._counts: dict[tuple[str, date], tuple[int, int]] = {}
        self._counted: set[tuple[str, date]] = set()
        self._start = new_id()
        self._writer: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Load what is remembered and begin to write. Raises DatabaseDown."""
        for health in await self._healths.all():
            self._known[health.meter] = self._written[health.meter] = health
            if health.waited_s:
                self._times[health.meter] = _Times(health.waited_s, health.spread_s)
        self._writer = tasks.spawn(
            tasks.periodically(WRITE_PERIOD_S, self.write, name="memory"), name="memory"
        )

    async def stop(self) -> None:
        """Write what has changed, if the database takes it soon."""
        await tasks.cancel(self._writer)
        try:
            await asyncio.wait_for(self.write(), STOP_TIMEOUT_S)
        except asyncio.TimeoutError:
            log.warning("what was learned of %d meters was not written", len(self._changed))

    def health(self, meter: str) -> MeterHealth:
        """Return what is known of a meter."""
        known, times = self._known.get(meter) or MeterHealth(meter), self._times.get(meter)
        if times is None:
            return known
        return replace(known, waited_s=times.usual_s, spread_s=times.spread_s)

    # Refused blocks.

    def refuses(self, meter: str, block: str) -> bool:
        """Tell whether the meter has refused this block before."""
        known = self._known.get(meter)
        return known is not None and block in known.refused

    def note_refusal(self, meter: str, block: str) -> None:
        """Remember that the meter refuses a block."""
        health = self._known.get(meter) or MeterHealth(meter)
        if block not in health.refused:
            self._keep(replace(health, refused=(*health.refused, block)[-REFUSED_MAX:]))

    def forget(self, meter: str) -> None:
        """Forget everything about a meter: it was exchanged, or its settings were changed."""
        self._times.pop(meter, None)
        self._floors.pop(meter, None)
        self._bus_of.pop(meter, None)
        self._fruitless.pop(meter, None)
        self._keep(MeterHealth(meter))

    def forget_if_known(self, meter: str) -> None:
        """Forget a meter of which something was learned; there is nothing to write of others."""
        if meter in self._known or meter in self._times:
            self.forget(meter)

    # Silence.

    def note_round(
        self, meter: str, answered: bool, cause: Cause | None = None, waited_s: float = 0.0
    ) -> None:
        """Remember how a meter did in a run, and how long its answer took if it gave one."""
        health, now = self._known.get(meter) or MeterHealth(meter), utc_now()
        if answered:
            health = replace(
                health, failures=0, failing_since=None, last_try=now, last_success=now,
                last_cause="" if cause is None else cause.value,
            )  # fmt: skip
        elif cause is not Cause.LINK_DOWN:  # The meter itself was not asked.
            health = replace(
                health,
                failures=health.failures + 1,
                failing_since=health.failing_since or now,
                last_try=now,
                last_cause="" if cause is None else cause.value,
            )
        self._keep(health)
        if waited_s > 0:
            self.note_wait(meter, waited_s)

    def meet(self, meter: Meter, bus: str) -> None:
        """Learn on which bus a meter is, and how slow its line may be."""
        if meter.address not in self._floors:
            self._floors[meter.address] = floor_s(meter.line)
        self._bus_of[meter.address] = bus

    def note_wait(self, meter: str, waited_s: float) -> None:
        """Remember how long an answer took, from its question's sending on."""
        for name in (meter, self._bus_of.get(meter)):
            if name is None:
                continue
            times = self._times.get(name)
            if times is None:
                self._times[name] = _Times(waited_s, waited_s / 2)
            else:
                times.learn(waited_s)

    def is_dead(self, meter: str) -> bool:
        """Tell whether a meter was silent in so many runs that it gets one question per run."""
        known = self._known.get(meter)
        return known is not None and known.failures >= DEAD_AFTER

    def note_gap(self, meter: str, *, fruitful: bool) -> None:
        """Remember whether filling the gaps of a meter gave anything."""
        if fruitful:
            self._fruitless.pop(meter, None)
        else:
            times, _ = self._fruitless.get(meter, (0, None))
            self._fruitless[meter] = times + 1, utc_now()

    def probe_due(self, meter: str, now: datetime) -> bool:
        """Tell whether gap filling asks this meter now.

        It waits longer and longer with a dead meter, and with one that does not have what is asked.
        """
        known = self._known.get(meter)
        if known is not None and known.failures >= DEAD_AFTER and known.last_try is not None:
            pause = min(PROBE_PAUSE_MIN * _doubled(known.failures - DEAD_AFTER), PROBE_PAUSE_MAX)
            return now - known.last_try >= pause
        if meter in self._fruitless:
            times, last = self._fruitless[meter]
            return now - last >= min(GAP_PAUSE_MIN * _doubled(times - 1), GAP_PAUSE_MAX)
        return True

    def answer_timeout_s(self, meter: str) -> float:
        """Return how long to wait for an answer of this meter.

        It is learned from its answers, or from those of its bus, and bounded by what its line needs
        for the longest answer.
        """
        times = self._times.get(self._bus_of.get(meter, ""))
        if not self.is_dead(meter):
            times = self._times.get(meter, times)
        if times is None:
            return TIMEOUT_UNKNOWN_S
        floor = self._floors.get(meter, TIMEOUT_UNKNOWN_S)
        return max(floor, min(times.usual_s + SPREADS * times.spread_s, TIMEOUT_MAX_S))

    def exchange_s(self, meter: str, bus: str) -> float | None:
        """Return how long an exchange with this meter, or on its bus, takes, if it is known."""
        times = self._times.get(meter) or self._times.get(bus)
        return None if times is None else times.usual_s

    # Counts of a day.

    def count(self, meter: str, now: datetime, asked: int, answered: int) -> None:
        """Add to the points that a meter was asked for, and answered, on the local day of now."""
        key = meter, local_day(now, self._zone)
        before = self._counts.get(key, (0, 0))
        self._counts[key] = before[0] + asked, before[1] + answered
        self._counted.add(key)

    async def write(self) -> None:
        """Write what has changed; what the database does not take now is tried again later."""
        changed, self._changed = self._changed, set()
        counted, self._counted = self._counted, set()
        try:
            for some in _chunks(list(changed)):
                if differing := [self.health(meter) for meter in some if self._differs(meter)]:
                    await self._healths.save_many(differing)
                    self._written.update((health.meter, health) for health in differing)
                await asyncio.sleep(0)
            for keys in _chunks(list(counted)):
                rows = [MeterDay(*key, *self._counts[key]) for key in keys]
                await self._days.save_many(self._start, rows)
        except BaseException as error:
            self._changed |= changed
            self._counted |= counted
            if not isinstance(error, DatabaseDown):
                raise
            log.warning("what is known of the meters waits for the database: %s", error)
        self._drop_old_counts()

    def _drop_old_counts(self) -> None:
        oldest = local_day(utc_now(), self._zone) - timedelta(days=DAYS_KEPT)
        old = [key for key in self._counts if key[1] < oldest and key not in self._counted]
        for key in old:
            del self._counts[key]

    def _differs(self, meter: str) -> bool:
        """Tell whether the store's picture of a meter is too old; most successes change nothing."""
        written, health = self._written.get(meter), self._known.get(meter)
        if not (written and health and written.last_success and health.last_success):
            return self.health(meter) != written
        if health.last_success - written.last_success > SUCCESS_KEPT:
            return True
        times = self._times.get(meter)
        if times and abs(times.usual_s - written.waited_s) > DRIFT * written.waited_s:
            return True
        return (health.failures, health.last_cause, health.refused) != (
            written.failures, written.last_cause, written.refused
        )  # fmt: skip

    def _keep(self, health: MeterHealth) -> None:
        self._known[health.meter] = health
        self._changed.add(health.meter)


def _chunks(all_of_them: list[Key]) -> Iterator[list[Key]]:
    for start in range(0, len(all_of_them), METERS_AT_ONCE):
        yield all_of_them[start : start + METERS_AT_ONCE]


def floor_s(line: str) -> float:
    """Return the shortest time-out on a line with these settings: for its longest answer."""
    return ANSWER_SIZE_MAX * BITS_PER_BYTE / LineSettings.parse(line).speed + THINKING_S


def _doubled(times: int) -> int:
    return int(2 ** min(times, DOUBLINGS_MAX))
