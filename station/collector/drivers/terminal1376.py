"""What a Q/GDW 1376.1 terminal stored of its meters: class 1 and class 2 data (digest, 12 and 13).

Points of many meters and functions go into one question, as much as its answer can hold. A terminal
clears what it lacks out of its answer, or denies the whole: then the question is halved until it is
clear which part it denies. What it denies of a time long past it will not have tomorrow either.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from station.collector.drivers.base import LIVE_WITHIN, Memory, Refusals, Work
from station.collector.drivers.places1376 import (
    HEAD_SIZE,
    POINT_SIZE,
    Asked,
    Spot,
    spots_of,
    units_for,
    value_of,
)
from station.collector.items import Item, Place
from station.collector.outcome import Cause, Got, Missed, Outcome
from station.collector.plan import LIVE_WINDOW_MAX, Want
from station.errors import BadAnswer, MeterTimeout, Refused
from station.frontend.link import Priority, TerminalPort
from station.protocols.qgdw1376.formats import Clock
from station.protocols.qgdw1376.frame import CLASS_1
from station.protocols.qgdw1376.functions import units_of, values_of
from station.protocols.qgdw1376.layout import NoValue, Unfit, Values
from station.store.objects.meters import Meter
from station.store.objects.readings import Quality
from station.units import from_local, utc_now

ANSWER_SIZE_MAX = 900  # Field front ends have buffers of 2 kB (digest, section 1); frames add up.
UNITS_MAX = 40  # Of one question: 440 bytes with the marks of curves.
TIMEOUT_S = 30.0  # For each frame of an answer (digest, section 8).
DENIALS_MAX = 8  # Single units denied in a row, after which the terminal has none of them.
DENIED_FOR_GOOD = timedelta(hours=6)  # Sooner after a moment a terminal may not have it yet.


@dataclass(frozen=True, slots=True)
class _Unit:
    """The values of one data unit, and when they came."""

    values: Values
    read_at: datetime


_Found = dict[tuple[int, int], list[_Unit]]  # By pn and Fn.


class Terminal1376:
    """Reads what one terminal stored of any of its meters."""

    def __init__(
        self, port: TerminalPort, *, priority: Priority, zone: ZoneInfo, memory: Memory
    ) -> None:
        self._port = port
        self._priority = priority
        self._zone = zone
        self._memory = memory
        self._refusals: dict[str, Refusals] = {}
        self._silent: str | None = None
        self._denials = 0  # Of single units, one after the other.

    async def read(self, works: Sequence[Work]) -> AsyncIterator[list[tuple[Meter, Outcome]]]:
        """Yield what came of points of meters, question by question. Raises LinkDown."""
        left: dict[tuple[str, Want], _Point] = {}
        now = utc_now()
        for meter, wants in works:
            for want in wants:
                spots = spots_of(want, self._zone, now)
                left[meter.address, want] = _Point(meter, want, spots, self._lacks(want))
        while left:
            asked, without = self._units(left.values())
            for point in without:
                del left[point.meter.address, point.want]
            if without:
                yield [(point.meter, point.missed) for point in without]
            for batch in _batches(asked):
                done = []
                async for point, outcome in self._ask_batch(batch, left):
                    if isinstance(outcome, Missed) and outcome.cause in _NEXT_SPOT:
                        point.missed = outcome
                        del point.spots[:1]
                    else:
                        del left[point.meter.address, point.want]
                        done.append((point.meter, outcome))
                if done:
                    yield done

    def _units(self, points: "Iterable[_Point]") -> "tuple[list[Asked], list[_Point]]":
        """Return what to ask for points at their best spot, and the points that have none left."""
        without = []
        by_meter: dict[str, list[tuple[Want, Spot]]] = defaultdict(list)
        meters = {}
        for point in points:
            address = point.meter.address
            refusals = self._refusals_of(address)
            while point.spots and point.spots[0].block in refusals:
                point.spots.pop(0)
            if point.spots:
                meters[address] = point.meter
                by_meter[address].append((point.want, point.spots[0]))
            else:
                without.append(point)
        asked = [
            unit
            for address, members in by_meter.items()
            for unit in units_for(meters[address], members, self._zone)
        ]
        return asked, without

    async def _ask_batch(
        self, batch: Sequence[Asked], left: "Mapping[tuple[str, Want], _Point]"
    ) -> "AsyncIterator[tuple[_Point, Outcome]]":
        found: _Found = {}
        if self._silent is None:
            try:
                found = await self._find(batch)
            except MeterTimeout as timeout:  # One is enough: what else is left is not asked for.
                self._silent = str(timeout)
        for asked in batch:
            for want, spot in asked.members:
                point = left[asked.meter.address, want]
                if self._silent is None:
                    yield point, self._outcome(want, spot, found.get(asked.key, []))
                else:
                    point.spots.clear()
                    yield point, Missed(want, Cause.NO_ANSWER, self._silent)

    # Questions.

    async def _find(self, batch: Sequence[Asked]) -> "_Found":
        """Return the units that the terminal gives.

        Some terminals send each unit in a frame of its own that claims to be the last: where one
        came of several, the others are asked for again.
        """
        found: _Found = {}
        left = list(batch)
        while left and self._denials < DENIALS_MAX:
            try:
                more = await self._ask(left)
            except (Refused, BadAnswer) as error:
                if len(left) == 1:
                    self._denials += 1
                    if isinstance(error, Refused):
                        self._note_denial(left[0])
                    break
                half = len(left) // 2
                parts = await self._find(left[:half]), await self._find(left[half:])
                return _joined(found, *parts)
            self._denials = 0
            found = _joined(found, more)
            came = [asked for asked in left if self._is_in(more, asked)]
            if len(came) != 1:
                break
            left.remove(came[0])
        return found

    async def _ask(self, batch: Sequence[Asked]) -> "_Found":
        answer = await self._port.ask(
            batch[0].afn,
            [asked.unit for asked in batch],
            priority=self._priority,
            timeout_s=TIMEOUT_S,
        )
        wanted = {asked.key for asked in batch}
        found: _Found = {}
        for frame in answer.frames:
            for unit in units_of(frame).units:
                if (unit.pn, unit.fn) not in wanted:
                    continue
                with suppress(Unfit):
                    values = values_of(frame, unit)
                    found.setdefault((unit.pn, unit.fn), []).append(_Unit(values, answer.at))
        return found

    def _is_in(self, found: "_Found", asked: Asked) -> bool:
        """Tell whether an answer holds a unit, be its values missing or not."""
        units = found.get(asked.key, ())
        return any(asked.is_in(unit.values, self._zone) for unit in units)

    def _note_denial(self, asked: Asked) -> None:
        newest = max(want.moment for want, _ in asked.members)
        if utc_now() - newest > DENIED_FOR_GOOD or asked.afn == CLASS_1:
            self._refusals_of(asked.meter.address).note(asked.members[0][1].block)

    def _refusals_of(self, address: str) -> Refusals:
        found = self._refusals.get(address)
        if found is None:
            found = self._refusals[address] = Refusals(self._memory, address, self._zone)
        return found

    # Values.

    def _outcome(self, want: Want, spot: Spot, units: "list[_Unit]") -> Outcome:
        for unit in units:
            value = value_of(unit.values, want, spot.place, self._zone)
            quality = self._quality(want, spot, unit.values)
            if value is None or isinstance(value, NoValue) or quality is None:
                continue
            try:
                number = want.item.to_value(_decoded(value, spot.place, want.item), self._zone)
            except ValueError as error:
                return Missed(want, Cause.NOT_A_NUMBER, f"terminal {self._port.name}: {error}")
            return Got(want, number, unit.read_at, quality)
        return self._lacks(want)

    def _quality(self, want: Want, spot: Spot, values: Values) -> Quality | None:
        """Return the quality by when the terminal read the meter; None is too far off.

        A freeze that was read before its midnight is not quite that of the midnight.
        """
        read = values.get("read_time")
        read_time = from_local(read, self._zone) if isinstance(read, datetime) else None
        if spot.afn == CLASS_1:
            if read_time is None or abs(read_time - want.moment) > LIVE_WINDOW_MAX:
                return None
            return "live" if abs(read_time - want.moment) <= LIVE_WITHIN else "late"
        return "recorded" if read_time is None or read_time >= want.moment else "doubtful"

    def _lacks(self, want: Want) -> Missed:
        local = want.moment.astimezone(self._zone)
        text = f"terminal {self._port.name}: no {want.item.code} of {local:%Y-%m-%d %H:%M}"
        return Missed(want, Cause.NO_RECORD, text)


@dataclass
class _Point:
    """One point, where it may still be found, and why it was not yet."""

    meter: Meter
    want: Want
    spots: list[Spot]
    missed: Missed


_NEXT_SPOT = (Cause.NO_RECORD, Cause.NO_ANSWER)


def _batches(asked: Sequence[Asked]) -> Iterator[list[Asked]]:
    """Return the units in parts, each of one AFN and of an answer that is not too long."""
    for afn in sorted({one.afn for one in asked}):
        batch: list[Asked] = []
        size = 0
        for one in asked:
            if one.afn != afn:
                continue
            if batch and (size + one.size > ANSWER_SIZE_MAX or len(batch) == UNITS_MAX):
                yield batch
                batch, size = [], 0
            batch.append(one)
            size += one.size
        yield batch


def _joined(*parts: _Found) -> _Found:
    found: _Found = defaultdict(list)
    for part in parts:
        for key, units in part.items():
            found[key] += units
    return found


def _decoded(value: object, place: Place, item: Item) -> object:
    if isinstance(value, Clock):
        return value.time
    if isinstance(value, Decimal):
        return value.scaleb(place.exponent)
    if isinstance(value, int) and item.kind == "bits":
        return value
    raise ValueError(f"{item.code} is {value!r}")


def exchanges_of(wants: Iterable[Want]) -> int:
    """Return about how many questions these points of a meter take."""
    moments: dict[int, set[datetime]] = defaultdict(set)
    for want in wants:
        places = want.item.fn_1376
        for place in (places.curve or places.day or places.now)[:1]:
            moments[place.fn].add(want.moment)
    size = sum(HEAD_SIZE + POINT_SIZE * len(points) for points in moments.values())
    return -(-size // ANSWER_SIZE_MAX)
