"""The ledger of a run: what was due, what was done, what is missing and why. No I/O."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

from station.collector.outcome import Got, Missed, Outcome
from station.collector.plan import Want
from station.store.objects.coverage import HoleCause
from station.store.objects.meters import Meter
from station.store.objects.runs import FAILURES_MAX, Failure, Run, RunState
from station.units import local_day, utc_now


class Ledger:
    """What a run has come to so far."""

    def __init__(self, run: Run, due: int) -> None:
        self._run = run
        self._due = due
        self._done = self._success = self._first_round = self._rounds = 0
        self._missed: dict[tuple[str, Want], Missed] = {}

    def enter(self, meter: Meter, outcomes: Sequence[Outcome], round_number: int) -> int:
        """Enter what came of some points of a meter in a round, counted from 1.

        Returns how many of them have a value.
        """
        got = 0
        for outcome in outcomes:
            key = meter.address, outcome.want
            known = self._missed.pop(key, None)
            if known is None:
                self._done += 1
            if isinstance(outcome, Got):
                got += 1
            else:
                self._missed[key] = outcome
        self._success += got
        if round_number == 1:
            self._first_round += got
        self._rounds = max(self._rounds, round_number)
        return got

    @property
    def run(self) -> Run:
        """The run as it stands, with the causes of what is missing by now."""
        return replace(
            self._run,
            due=self._due,
            done=self._done,
            success=self._success,
            first_round=self._first_round,
            rounds=self._rounds,
            causes=dict(Counter(missed.cause.value for missed in self._missed.values())),
        )

    def closed(self, state: RunState) -> Run:
        """Return the run as it ended."""
        return replace(self.run, state=state, ended_at=utc_now(), failures=self._failures())

    def holes(self, zone: ZoneInfo) -> list[HoleCause]:
        """Return why points are missing, by meter, item and day: the last cause of each."""
        at = utc_now()
        found = {}
        for (meter, want), missed in self._missed.items():
            day = local_day(want.moment, zone)
            cause = HoleCause(meter, want.item.code, day, missed.cause.value, at)
            found[meter, want.item.code, day] = cause
        return list(found.values())

    def _failures(self) -> tuple[Failure, ...]:
        """Return one failure for each meter, item and cause, the first ones if too many."""
        seen: dict[tuple[str, str, str], Failure] = {}
        for (address, want), outcome in self._missed.items():
            key = (address, want.item.code, outcome.cause.value)
            seen.setdefault(key, Failure(*key, outcome.text))
            if len(seen) >= FAILURES_MAX:
                break
        return tuple(seen.values())
