"""Clocks of devices: how wrong one is, and setting it, with what the way takes reckoned in.

A device shows whole seconds, and its answer is under way for a while: what it shows is taken for
half a second later, at the middle between question and answer. So a deviation is known to half the
wait and half a second. A clock is not set near the hour, where freezes and tariffs switch: a
correction as large as the guard never steps over an hour.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from station.collector.control import CLOCK_PARTS, Finding, Mandate, MeterLine
from station.errors import BadAnswer, Refused
from station.frontend.link import Priority, TerminalPort
from station.protocols.dlt645 import Version, items, requests
from station.protocols.dlt645.requests import Authority
from station.protocols.qgdw1376.formats import Clock as WireClock
from station.protocols.qgdw1376.frame import CLASS_1, CONTROL
from station.protocols.qgdw1376.functions import make_unit, units_of
from station.protocols.qgdw1376.functions import values_of as unit_values
from station.protocols.qgdw1376.layout import Unfit
from station.units import from_local, utc_now

CLOCK_WORD = "clock"  # The parameter of orders.
BROADCAST, SET = "broadcast", "set"  # Ways to set a meter's clock.

GUARD_MIN = 5  # Beside an hour, and
MIDNIGHT_GUARD_MIN = 15  # beside midnight, where devices freeze and close their days.
BROADCAST_MAX_S = 300  # Meters take no larger correction from a broadcast (digest dlt645.md, 2.1).
GOOD_S = 5.0  # What is left of a deviation after a clock was set, beside what the way takes.
HALF_SECOND = timedelta(milliseconds=500)
TERMINAL_TIMEOUT_S = 30.0
BROADCAST_WAIT_S = 1.0  # Nobody answers; the line is quiet by then.

DATE_AND_TIME = 0x0400010C
SHOW_CLOCK, SET_CLOCK = 2, 31  # Fn of AFN0C and of AFN05.
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Look:
    """What a clock shows: `deviation` is positive for one that is fast, known to `uncertainty`."""

    shown: datetime
    at: datetime
    deviation: timedelta
    uncertainty: timedelta
    exchange: int

    @property
    def deviation_s(self) -> float:
        """Return the deviation in s, to a tenth."""
        return round(self.deviation.total_seconds(), 1)

    @property
    def delay(self) -> timedelta:
        """Return how long a frame is under way to the device."""
        return self.uncertainty - HALF_SECOND


class ClockLine(Protocol):
    """A device whose clock is looked at and set."""

    async def look(self) -> Look:
        """Ask for the time. Raises Refused, and what an exchange raises."""
        ...

    async def set(self, delay: timedelta, authority: Authority, /) -> int:
        """Set it to this moment, the delay reckoned in; return the exchange that accepted it."""
        ...


class TerminalClock:
    """The clock of a terminal of Q/GDW 1376.1."""

    def __init__(self, port: TerminalPort, zone: ZoneInfo, priority: Priority) -> None:
        self._port = port
        self._zone = zone
        self._priority = priority

    async def look(self) -> Look:
        answer = await self._port.ask(
            CLASS_1,
            [make_unit(CLASS_1, 0, SHOW_CLOCK)],
            priority=self._priority,
            timeout_s=TERMINAL_TIMEOUT_S,
        )
        for frame in answer.frames:
            for unit in units_of(frame).units:
                if unit.fn != SHOW_CLOCK:
                    continue
                try:
                    shown = unit_values(frame, unit)["clock"]
                except Unfit:
                    continue
                if isinstance(shown, WireClock):
                    return look_of(
                        shown.time, answer.at, answer.waited_s, answer.exchange, self._zone
                    )
        raise BadAnswer(f"terminal {self._port.name}: its clock shows no time")

    async def set(self, delay: timedelta, _authority: Authority, /) -> int:
        local = (utc_now() + delay).astimezone(self._zone).replace(tzinfo=None)
        unit = make_unit(CONTROL, 0, SET_CLOCK, {"clock": WireClock.of(rounded(local))})
        answer = await self._port.ask(
            CONTROL, [unit], priority=self._priority, timeout_s=TERMINAL_TIMEOUT_S
        )
        return answer.exchange


class MeterClock:
    """The clock of a meter of DL/T 645."""

    def __init__(self, line: MeterLine, way: str = SET) -> None:
        self._line = line
        self._way = way

    async def look(self) -> Look:
        line = self._line
        if line.version is Version.V2007:
            try:
                data, answer = await line.read(DATE_AND_TIME)
            except Refused:  # Older meters tell date and time apart.
                pass
            else:
                match [one.value for one in items.decode(line.version, DATE_AND_TIME, data)]:
                    case [datetime() as shown]:
                        return look_of(
                            shown, answer.at, answer.waited_s, answer.exchange, line.zone
                        )
        return await self._look_apart()

    async def _look_apart(self) -> Look:
        """Read the date, the time, and the date again if a new day may have begun in between."""
        line = self._line
        day_id, time_id = CLOCK_PARTS[line.version]
        day = await self._part(day_id, date)
        data, answer = await line.read(time_id)
        match [one.value for one in items.decode(line.version, time_id, data)]:
            case [time() as hour]:
                if hour < time(0, 1):
                    day = await self._part(day_id, date)
                shown = datetime.combine(day, hour)
                return look_of(shown, answer.at, answer.waited_s, answer.exchange, line.zone)
        raise BadAnswer(f"meter {line.meter}: its clock shows no time")

    async def _part(self, data_id: int, kind: type[date]) -> date:
        data, _ = await self._line.read(data_id)
        match [one.value for one in items.decode(self._line.version, data_id, data)]:
            case [date() as value] if isinstance(value, kind):
                return value
        raise BadAnswer(f"meter {self._line.meter}: its clock shows no date")

    async def set(self, delay: timedelta, authority: Authority, /) -> int:
        line = self._line
        if self._way == BROADCAST:
            return await self._broadcast(delay)
        day_id, time_id = CLOCK_PARTS[line.version]
        local = rounded((utc_now() + delay).astimezone(line.zone))
        day = items.encode(line.version, day_id, [local.date()])
        await line.write(day_id, day, authority)
        local = rounded((utc_now() + delay).astimezone(line.zone))
        hour = items.encode(line.version, time_id, [local.time()])
        return (await line.write(time_id, hour, authority)).exchange

    async def _broadcast(self, delay: timedelta) -> int:
        local = rounded((utc_now() + delay).astimezone(self._line.zone))
        await self._line.tell(requests.broadcast_time(local), wait_s=BROADCAST_WAIT_S)
        return 0


class ClockErrand:
    """Set a clock, unless it is right already, and look at it again."""

    def __init__(
        self, line: ClockLine, way: str, on_look: Callable[[Look], Awaitable[None]]
    ) -> None:
        self._line = line
        self._way = way
        self._on_look = on_look

    async def perform(self, mandate: Mandate) -> int:
        look = await self._line.look()
        if is_good(look):  # Another one's broadcast has set it, or somebody else.
            return look.exchange
        if self._way == BROADCAST and abs(look.deviation_s) > BROADCAST_MAX_S:
            raise Refused(
                f"its clock is off by {look.deviation_s:.0f} s: a broadcast corrects"
                f" {BROADCAST_MAX_S} s at most"
            )
        return await self._line.set(look.delay, mandate.authority) or look.exchange

    async def outcome(self, _mandate: Mandate | None) -> Finding:
        look = await self._line.look()
        await self._on_look(look)
        result = told(look)
        if is_good(look):
            return Finding("done", result, "", look.exchange)
        words = f"its clock is off by {look.deviation_s:.0f} s"
        return Finding("not done", result, words, look.exchange)


def look_of(shown: datetime, at: datetime, waited_s: float, exchange: int, zone: ZoneInfo) -> Look:
    """Return what a shown time means; `at` is when its answer came, after so long a wait."""
    half = timedelta(seconds=waited_s) / 2
    deviation = from_local(shown, zone) + HALF_SECOND - (at - half)
    return Look(shown, at, deviation, half + HALF_SECOND, exchange)


def told(look: Look) -> Mapping[str, Any]:
    """Return what a command keeps of a look."""
    return {
        "clock": look.shown.isoformat(sep=" "),
        "deviation_s": look.deviation_s,
        "uncertainty_s": round(look.uncertainty.total_seconds(), 1),
    }


def is_good(look: Look) -> bool:
    """Tell whether a clock is as right as can be seen from here."""
    return abs(look.deviation) <= timedelta(seconds=GOOD_S) + look.uncertainty


def pause_before(now: datetime, zone: ZoneInfo) -> timedelta:
    """Return how long to wait before a clock may be set: nothing away from the hour."""
    local = now.astimezone(zone).replace(tzinfo=None)
    hour = local.replace(minute=0, second=0, microsecond=0)
    for boundary in (hour, hour + _HOUR):
        minutes = GUARD_MIN if boundary.hour else MIDNIGHT_GUARD_MIN
        guard = timedelta(minutes=minutes)
        if boundary - guard <= local < boundary + guard:
            return boundary + guard - local
    return timedelta()


def rounded(local: datetime) -> datetime:
    """Return the nearest whole second: the wire carries no more."""
    return (local + HALF_SECOND).replace(microsecond=0)
