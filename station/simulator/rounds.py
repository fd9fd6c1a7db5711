"""The rounds of a simulated terminal: what it was ordered to trip, to close, and to keep on.

A trip may come after a delay and end by itself; keeping power closes all rounds and takes no trip
until it is ended, or its time is over. What is ordered lasts for as long as the simulation runs.
"""

from datetime import datetime, timedelta

from station.protocols.qgdw1376 import requests
from station.protocols.qgdw1376.frame import CLASS_1, CONFIRMATION, CONTROL, Frame
from station.protocols.qgdw1376.functions import layout_of, make_unit, units_of
from station.protocols.qgdw1376.layout import Unfit
from station.protocols.qgdw1376.units import DataUnit

COUNT = 8
CONFIRMED, DENIED = 1, 2  # Fn of AFN00.
HALF_HOUR = timedelta(minutes=30)
SETTINGS, STATE = 5, 6  # Fn of AFN0C.
TRIP, PERMIT_CLOSING, KEEP_POWER, END_KEEP_POWER = 1, 2, 25, 33  # Fn of AFN05.


class Rounds:
    """The rounds of one device, by their numbers from 1; times are aware."""

    def __init__(self, count: int = COUNT) -> None:
        self._count = count
        self._tripped: dict[int, tuple[datetime, timedelta]] = {}  # From when, and for how long.
        self._kept: tuple[datetime, timedelta] | None = None

    def trip(self, number: int, now: datetime, delay: timedelta, limit: timedelta) -> bool:
        """Trip a round and tell whether it will; no limit is for ever."""
        if not 1 <= number <= self._count or self.keeps_power(now):
            return False
        self._tripped[number] = (now + delay, limit)
        return True

    def close(self, number: int) -> bool:
        """Close a round: whoever is permitted to press the button does so at once."""
        if not 1 <= number <= self._count:
            return False
        self._tripped.pop(number, None)
        return True

    def keep_power(self, now: datetime, limit: timedelta) -> None:
        """Keep power; no limit is for ever."""
        self._tripped.clear()
        self._kept = (now, limit)

    def end_keep_power(self) -> None:
        """Let rounds be tripped again."""
        self._kept = None

    def open(self, now: datetime) -> frozenset[int]:
        """Return the rounds that are open at a moment."""
        return frozenset(
            number
            for number, (begins, limit) in self._tripped.items()
            if begins <= now and _lasts(begins, limit, now)
        )

    def keeps_power(self, now: datetime) -> bool:
        """Tell whether power is kept at a moment."""
        return self._kept is not None and _lasts(*self._kept, now)


def _lasts(begins: datetime, limit: timedelta, now: datetime) -> bool:
    return not limit or now < begins + limit


class Rounds1376:
    """Rounds that are ordered by AFN05 and shown in AFN0C F5 and F6."""

    def __init__(self) -> None:
        self._rounds = Rounds()

    def answer(self, request: Frame, now: datetime) -> Frame | None:
        """Return the answer to a request about the rounds; None if it is about something else."""
        units = units_of(request).units
        if request.afn == CONTROL and all(unit.fn in _ORDERS for unit in units):
            done = [self._obey(unit, now) for unit in units]
            is_done = bool(done) and all(done)
            told = DataUnit(0, CONFIRMED if is_done else DENIED)
            return requests.answer(request, [told], CONFIRMATION)
        if request.afn == CLASS_1 and units and all(unit.fn in (SETTINGS, STATE) for unit in units):
            return requests.answer(request, [self._shown(unit.fn, now) for unit in units])
        return None

    def _obey(self, unit: DataUnit, now: datetime) -> bool:
        try:
            values = layout_of(CONTROL, unit.fn, up=False).decode(unit.data)
        except Unfit:
            return False
        if unit.fn == TRIP:
            delay = timedelta(minutes=values["alarm_delay"])
            return self._rounds.trip(unit.pn, now, delay, values["limit_time"] * HALF_HOUR)
        if unit.fn == PERMIT_CLOSING:
            return self._rounds.close(unit.pn)
        if unit.fn == KEEP_POWER:
            self._rounds.keep_power(now, values["duration"] * HALF_HOUR)
        else:
            self._rounds.end_keep_power()
        return True

    def _shown(self, fn: int, now: datetime) -> DataUnit:
        if fn == SETTINGS:
            kept = {"keep_power": int(self._rounds.keeps_power(now)), "isolated": 0, "fee_alarm": 0}
            return make_unit(CLASS_1, 0, fn, {**kept, "groups": 0, "group_settings": []}, up=True)
        flags = sum(1 << number - 1 for number in self._rounds.open(now))
        state = {"rounds_open": flags, "fee_alarm": 0, "groups": 0, "group_states": []}
        return make_unit(CLASS_1, 0, fn, state, up=True)


_ORDERS = frozenset((TRIP, PERMIT_CLOSING, KEEP_POWER, END_KEEP_POWER))
