"""What a DL/T 645-2007 meter recorded: its load profile and its daily freezes.

A record's own time says which moment it belongs to. Times that cannot be, in the future or running
backwards, mean that the meter's clock is wrong: none of its records is believed then.
"""

from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby, pairwise

from station.collector.drivers.base import is_ahead
from station.collector.drivers.dlt645_talk import NoSuchData, Talk645, refused
from station.collector.outcome import Cause, Got, Outcome
from station.collector.plan import FREEZE_DAYS_MAX, Want
from station.errors import BadAnswer, Refused
from station.protocols.dlt645 import items, profile
from station.units import from_local, local_day, utc_now

ANSWER_SIZE = 196  # Of an answer's 200 bytes, those behind the identifier (digest section 1.3).
RECORDS_MAX = 12  # A few quantities only; more would help little.
RECORDS_OF_ALL = 2  # Records of all six classes that fit into one answer.
NO_RECORD_MAX = 3  # Spans without any record in a row, after which the meter has none.
FREEZE_STEPS_MAX = 3  # Looks at freeze times before a day counts as not frozen.
SET_BACK_MAX = timedelta(hours=1)  # An hour that comes twice, in autumn, is no wrong clock.

_RECORD_SIZE = 16  # Mark, length, time, six separators, sum and end, without the sections.
_SECTION_SIZES = [sum(layout.size for _, layout in section) for section in profile.SECTIONS]
_CLASS_OF = {
    data_id: number
    for number, section in enumerate(profile.SECTIONS, start=1)
    for data_id, _ in section
}
_PROFILE, _BY_CLASS, _FREEZES = "06", "06 by class", "0506"  # As the refusals call them.
_FREEZE_TIME = 0x05060000  # Daily freeze: class, then n, the n-th last (digest section 10).


class ClockWrong(Exception):
    """The meter's records bear times that cannot be; never leaves this module."""


# The load profile.


async def read_profile(talk: Talk645, wants: Sequence[Want]) -> AsyncIterator[list[Outcome]]:
    """Read points of the load profile, span by span."""
    if _PROFILE in talk.refusals:
        yield [talk.missed(want, Cause.REFUSED, "its load profile is refused") for want in wants]
        return
    if lost := [want for want in wants if _quantity(talk, want) in talk.refusals]:
        yield [_not_recorded(talk, want) for want in lost]
        wants = [want for want in wants if _quantity(talk, want) not in talk.refusals]
    whole = _BY_CLASS in talk.refusals
    for data_class, members in _by_class(talk, wants, whole=whole).items():
        async for outcomes in _Profile(talk, data_class).read(members):
            yield outcomes


def exchanges_of_profile(wants: Iterable[Want]) -> int:
    """Return how many exchanges points of a load profile take."""
    by_class: dict[int, list[Want]] = defaultdict(list)
    for want in wants:
        by_class[_CLASS_OF.get(want.item.id_2007 or 0, profile.ALL_CLASSES)].append(want)
    singly = sum(_exchanges(data_class, members) for data_class, members in by_class.items())
    return min(singly, _exchanges(profile.ALL_CLASSES, wants))


def _by_class(talk: Talk645, wants: Sequence[Want], *, whole: bool) -> Mapping[int, list[Want]]:
    """Return the points by the class that is asked for: each by itself, or all at once."""
    by_class: dict[int, list[Want]] = defaultdict(list)
    for want in wants:
        by_class[_CLASS_OF[talk.id_of(want.item)]].append(want)
    singly = sum(_exchanges(data_class, members) for data_class, members in by_class.items())
    if whole or _exchanges(profile.ALL_CLASSES, wants) < singly:
        return {profile.ALL_CLASSES: list(wants)}
    return by_class


def _exchanges(data_class: int, wants: Iterable[Want]) -> int:
    return -(-len({want.moment for want in wants}) // _records_at_once(data_class))


def _records_at_once(data_class: int) -> int:
    """Return how many records fit into one answer."""
    if data_class == profile.ALL_CLASSES:
        return RECORDS_OF_ALL
    return min(ANSWER_SIZE // (_RECORD_SIZE + _SECTION_SIZES[data_class - 1]), RECORDS_MAX)


class _Profile:
    """Reads one class of a load profile, or all."""

    def __init__(self, talk: Talk645, data_class: int) -> None:
        self._talk = talk
        self._data_class = data_class
        self._at_once = _records_at_once(data_class)
        self._empty = 0

    async def read(self, wants: Sequence[Want]) -> AsyncIterator[list[Outcome]]:
        """Yield what came of points, oldest first."""
        step = timedelta(minutes=self._talk.meter.profile_interval_min)
        left = deque(sorted(wants, key=lambda want: want.moment))
        while left:
            span = [left.popleft()]
            while left and left[0].moment < span[0].moment + self._at_once * step:
                span.append(left.popleft())
            try:
                records = await self._records(span, step)
            except ClockWrong as wrong:
                yield _clock_wrong(self._talk, [*span, *left], wrong)
                return
            except Refused as refusal:
                self._talk.refusals.note(_PROFILE)
                yield refused([*span, *left], refusal)
                return
            yield [_recorded(self._talk, want, records) for want in span]

    async def _records(self, span: Sequence[Want], step: timedelta) -> "_Records":
        if self._empty >= NO_RECORD_MAX:
            return self._none(span[0].moment)
        start = span[0].moment
        records = await self._ask(start, (span[-1].moment - start) // step + 1)
        self._empty = 0 if records.found else self._empty + 1
        if records.found:  # From now on as many as fit into one answer.
            fitting = ANSWER_SIZE * len(records.found) // records.size
            self._at_once = min(max(fitting, 1), RECORDS_MAX)
        return records

    async def _ask(self, start: datetime, count: int) -> "_Records":
        """Return the records from a moment on; refused for one class, all are asked for."""
        try:
            return await self._ask_once(start, count)
        except Refused as refusal:
            if self._data_class == profile.ALL_CLASSES:
                if isinstance(refusal, NoSuchData):  # Not for this time (digest section 11).
                    return self._none(start)
                raise
        self._data_class = profile.ALL_CLASSES
        records = await self._ask(start, count)
        if records.found:
            self._talk.refusals.note(_BY_CLASS)
        return records

    def _none(self, start: datetime) -> "_Records":
        return _Records({}, utc_now(), f"no record at {start.astimezone(self._talk.zone)}")

    async def _ask_once(self, start: datetime, count: int) -> "_Records":
        talk = self._talk
        local = start.astimezone(talk.zone).replace(tzinfo=None)
        request = profile.request(
            talk.meter.address, start=local, count=count, data_class=self._data_class
        )
        data, read_at = await talk.converse(request, is_long=True)
        try:
            records = profile.decode(data)
        except ValueError as error:
            raise BadAnswer(f"meter {talk.meter.address}: {error}") from None
        found = {from_local(record.time, talk.zone): record.values for record in records}
        _check_times([from_local(record.time, talk.zone) for record in records], start, read_at)
        return _Records(found, read_at, f"no record at {local}", len(data))


@dataclass(frozen=True, slots=True)
class _Records:
    """What a load profile answer held; `none` says in words that a record is missing."""

    found: Mapping[datetime, Mapping[int, Decimal | None]]
    read_at: datetime
    none: str
    size: int = 0


def _check_times(moments: Sequence[datetime], start: datetime, read_at: datetime) -> None:
    """Check that records run forward from the moment asked for. Raises ClockWrong."""
    for earlier, later in pairwise([start, *moments]):
        if later < earlier - SET_BACK_MAX or is_ahead(later, read_at):
            raise ClockWrong(f"its load profile gave {later} after {earlier}")


def _recorded(talk: Talk645, want: Want, records: _Records) -> Outcome:
    """Return what the load profile says of a point; a later record proves that it has none."""
    values = records.found.get(want.moment)
    data_id = talk.id_of(want.item)
    if values is not None and data_id in values:
        return talk.value(want, values[data_id], records.read_at, "recorded")
    if records.found and not any(data_id in found for found in records.found.values()):
        talk.refusals.note(_quantity(talk, want))
        return _not_recorded(talk, want)
    if any(moment > want.moment for moment in records.found):
        return Got(want, None, records.read_at, "recorded")
    return talk.missed(want, Cause.NO_RECORD, records.none)


def _quantity(talk: Talk645, want: Want) -> str:
    """Return how the refusals call a quantity that the load profile does not hold."""
    return f"{_PROFILE} {talk.id_of(want.item):08X}"


def _not_recorded(talk: Talk645, want: Want) -> Outcome:
    return talk.missed(want, Cause.REFUSED, f"its load profile does not hold {want.item.code}")


def _clock_wrong(talk: Talk645, wants: Iterable[Want], wrong: ClockWrong) -> list[Outcome]:
    return [talk.missed(want, Cause.CLOCK_WRONG, str(wrong)) for want in wants]


# Daily freezes.


async def read_freezes(talk: Talk645, wants: Sequence[Want]) -> AsyncIterator[list[Outcome]]:
    """Read points of the daily freezes, day by day; a wanted moment is the beginning of its day."""
    days: dict[date, list[Want]] = defaultdict(list)
    for want in wants:
        days[local_day(want.moment, talk.zone)].append(want)
    freezes = _Freezes(talk)
    for day in _outside_in(days):
        try:
            number = await freezes.find(day)
        except ClockWrong as wrong:
            yield _clock_wrong(talk, _points_of(days), wrong)
            return
        except Refused as refusal:
            yield refused(_points_of(days), refusal)
            return
        members = days.pop(day)
        if number is None:
            yield [talk.missed(w, Cause.NO_RECORD, f"no daily freeze of {day}") for w in members]
            continue
        members.sort(key=lambda want: talk.id_of(want.item))
        for quantity, same in groupby(members, key=lambda want: talk.id_of(want.item) >> 16):
            yield await _read_frozen(talk, quantity, number, list(same))


def exchanges_of_freezes(wants: Iterable[Want]) -> int:
    """Return how many exchanges points of daily freezes take."""
    days = {want.moment for want in wants}
    values = {(want.moment, (want.item.id_2007 or 0) >> 16) for want in wants}
    return min(len(days), 2) + len(values)


def _outside_in(days: Iterable[date]) -> list[date]:
    """Return the newest day, the oldest one, and the others: those follow from the first two."""
    oldest, *others = sorted(days)
    return [others.pop(), oldest, *others] if others else [oldest]


def _points_of(days: Mapping[date, Sequence[Want]]) -> list[Want]:
    return [want for members in days.values() for want in members]


class _Freezes:
    """Knows which of the last daily freezes is that of a day."""

    def __init__(self, talk: Talk645) -> None:
        self._talk = talk
        self._dates: dict[int, date] = {}

    async def find(self, day: date) -> int | None:
        """Return the number of a day's freeze, or None if the meter has none.

        Raises Refused if the meter has no freezes at all, and ClockWrong.
        """
        if _FREEZES in self._talk.refusals:
            raise Refused(f"meter {self._talk.meter.address}: its daily freezes are refused")
        number = self._between(day)
        if number is not None:
            return number
        number = self._guess(day)
        for _ in range(FREEZE_STEPS_MAX):
            if not 1 <= number <= FREEZE_DAYS_MAX:
                return None
            frozen = await self._date_of(number)
            if frozen == day:
                return number
            if frozen is None and (number == 1 or 1 in self._dates):
                return None
            number = 1 if frozen is None else number + (frozen - day).days
        return None

    def _between(self, day: date) -> int | None:
        """Return the number if it follows: so many freezes as days lie between two known ones."""
        if not self._dates:
            return None
        first, last = min(self._dates), max(self._dates)
        newest, oldest = self._dates[first], self._dates[last]
        whole = last - first == (newest - oldest).days
        return first + (newest - day).days if whole and oldest <= day <= newest else None

    def _guess(self, day: date) -> int:
        """Return the number if no day is missing."""
        for number, known in self._dates.items():
            return number + (known - day).days
        return 1 + (local_day(utc_now(), self._talk.zone) - day).days

    async def _date_of(self, number: int) -> date | None:
        """Return the day of a freeze, or None if the meter keeps no such one."""
        talk = self._talk
        data_id = _FREEZE_TIME | number
        try:
            data, read_at = await talk.ask(data_id)
        except Refused:
            if number > 1:
                return None
            talk.refusals.note(_FREEZES)
            raise
        frozen = items.decode(talk.version, data_id, data)[0].value if data else None
        if not isinstance(frozen, datetime):
            return None
        if is_ahead(from_local(frozen, talk.zone), read_at):
            raise ClockWrong(f"its daily freeze {number} bears {frozen}")
        for known, day in self._dates.items():
            if known != number and (known < number) != (day > frozen.date()):
                raise ClockWrong(f"its daily freezes {known} and {number} bear {day} and {frozen}")
        self._dates[number] = frozen.date()
        return frozen.date()


async def _read_frozen(
    talk: Talk645, quantity: int, number: int, wants: Sequence[Want]
) -> list[Outcome]:
    """Read the frozen total and tariffs of an energy; each bears the energy's identifier."""
    data_id = _FREEZE_TIME | quantity << 8 | number
    try:
        data, read_at = await talk.ask(data_id)
    except Refused as refusal:
        return refused(wants, refusal)
    found = talk.found_in(data_id, data)
    return [
        talk.outcome(want, found.get(talk.id_of(want.item)), read_at, "recorded") for want in wants
    ]
