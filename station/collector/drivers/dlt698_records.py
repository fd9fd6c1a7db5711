"""Records of a DL/T 698.45 meter: its day freeze and its minute freeze (digest, section 8).

Records are selected by their freeze time, several in one question where the meter selects ranges.
The columns of the answer govern: what a store does not hold comes as NULL or not at all.
"""

from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from station.collector.drivers.base import is_ahead
from station.collector.drivers.dlt698_forms import Asked698, Forms
from station.collector.drivers.dlt698_values import (
    is_refusal,
    missed_of,
    moment_in,
    oad_of,
    outcome_of,
    whole_of,
)
from station.collector.outcome import Cause, Got, Missed, Outcome
from station.collector.plan import Want
from station.errors import Refused
from station.protocols.dlt698.dar import OTHER, Dar
from station.protocols.dlt698.data import Data, DataType, RecordEqual, RecordRange
from station.protocols.dlt698.envelope import RecordResult
from station.protocols.dlt698.get import RecordQuery
from station.protocols.dlt698.identifiers import DAY, MINUTE, Oad, Ti
from station.protocols.dlt698.moments import DateTimeS

RECORDS_SIZE = 480  # Of one answer's rows; longer ones come in blocks, which are more questions.
ROW_SIZE = 9  # The freeze time of a row,
COLUMN_SIZE = 27  # and an energy with four tariffs, the longest of its columns.
DAY_FREEZE = Oad.of(0x5004)
MINUTE_FREEZE = Oad.of(0x5002)
FREEZE_TIME = Oad.of(0x2021)
ONE_DAY = timedelta(days=1)

_RANGE = "range"  # As the refusals call it.


@dataclass(frozen=True, slots=True)
class _Store:
    """A store of records: how far they are apart, as a time and as 698.45 writes it."""

    oad: Oad
    step: timedelta
    interval: Ti

    @property
    def text(self) -> str:
        """Return how refusals call it; the name of a column follows."""
        return f"{self.oad.oi:04X} "

    def selection(self, moments: Sequence[datetime], zone: ZoneInfo) -> RecordEqual | RecordRange:
        """Return the selection of the records of these moments.

        A range holds its begin; whether its end is not settled, so it ends a second later.
        """
        if len(moments) == 1:
            return RecordEqual(FREEZE_TIME, time_of(moments[0], zone))
        end = time_of(moments[-1] + timedelta(seconds=1), zone)
        interval = Data(DataType.TI, self.interval)
        return RecordRange(FREEZE_TIME, time_of(moments[0], zone), end, interval)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Records by their freeze time, each with its columns."""

    found: Mapping[datetime, Mapping[Oad, Data]]
    read_at: datetime


async def read_day(asked: Asked698, wants: Sequence[Want]) -> AsyncIterator[list[Outcome]]:
    """Read points of the day freeze; a wanted moment is the midnight of its freeze."""
    async for outcomes in _Records(asked, _Store(DAY_FREEZE, ONE_DAY, Ti(DAY, 1))).read(wants):
        yield outcomes


async def read_minute(asked: Asked698, wants: Sequence[Want]) -> AsyncIterator[list[Outcome]]:
    """Read points of the minute freeze, the load profile of these meters."""
    interval_min = max(asked.meter.profile_interval_min, 1)
    step = timedelta(minutes=interval_min)
    store = _Store(MINUTE_FREEZE, step, Ti(MINUTE, interval_min))
    async for outcomes in _Records(asked, store).read(wants):
        yield outcomes


def exchanges_of_records(wants: Iterable[Want]) -> int:
    """Return how many exchanges points of a store take."""
    moments = {want.moment for want in wants}
    return -(-len(moments) // _rows_at_once(wants))


def _rows_at_once(wants: Iterable[Want]) -> int:
    columns = len({whole_of(oad_of(want.item)) for want in wants})
    return max(RECORDS_SIZE // (ROW_SIZE + COLUMN_SIZE * columns), 1)


class _Records:
    """Reads one store of one meter."""

    def __init__(self, asked: Asked698, store: _Store) -> None:
        self._asked = asked
        self._store = store
        self._singly = False  # Column by column, since one of several is refused.

    async def read(self, wants: Sequence[Want]) -> AsyncIterator[list[Outcome]]:
        """Yield what came of points, oldest first."""
        left = deque(sorted(wants, key=lambda want: want.moment))
        while left:
            rows = _rows_at_once(left)
            if self._store.text + _RANGE in self._asked.refusals:
                rows = 1
            span = [left.popleft()]
            while left and left[0].moment < span[0].moment + rows * self._store.step:
                span.append(left.popleft())
            async for outcomes in self._read_span(span):
                yield outcomes

    async def _read_span(self, wants: Sequence[Want]) -> AsyncIterator[list[Outcome]]:
        """Read points of a few moments; what is not given in one form is asked for in the other."""
        left = list(wants)
        while left:
            forms = self._asked.forms(left, self._store.text)
            if forms.gone:
                yield [*forms.gone]
            left = []
            for part in self._parts(forms):
                members = [want for oad in part for want in forms.asked[oad]]
                records = await self._ask(part, members)
                if isinstance(records, _Rows):
                    outcomes, again = self._recorded(forms, part, records)
                    left += again
                else:
                    outcomes = self._final(records, members)
                    left += [] if outcomes else members
                    if not outcomes and len({want.moment for want in members}) > 1:
                        self._asked.refusals.note(self._store.text + _RANGE)
                        async for some in self.read(left):
                            yield some
                        left = []
                    elif not outcomes:
                        self._note_refusal(part)
                if outcomes:
                    yield outcomes

    def _parts(self, forms: Forms) -> list[list[Oad]]:
        oads = list(forms.asked)
        return [[oad] for oad in oads] if self._singly else [oads] if oads else []

    def _note_refusal(self, columns: Sequence[Oad]) -> None:
        if len(columns) > 1:
            self._singly = True
        else:
            self._asked.refusals.note(self._store.text + columns[0].text)

    def _final(self, dar: Dar, wants: Iterable[Want]) -> list[Outcome]:
        """Return what a DAR says of points, nothing if another question may help."""
        missed = [missed_of(self._asked.meter.address, want, dar) for want in wants]
        helps = is_refusal(dar) and missed[0].cause is not Cause.NO_RECORD
        return [] if helps else [*missed]

    async def _ask(self, columns: Sequence[Oad], wants: Sequence[Want]) -> _Rows | Dar:
        zone = self._asked.zone
        moments = sorted({want.moment for want in wants})
        selection = self._store.selection(moments, zone)
        query = RecordQuery(self._store.oad, selection, (FREEZE_TIME, *columns))
        try:
            results, read_at = await self._asked.asker.records(query)
        except Refused:
            return Dar(OTHER)
        for result in results:
            if isinstance(result.rows, Dar):
                return result.rows
        only = moments[0] if len(moments) == 1 else None
        return _Rows(dict(_rows_of(results, zone, only)), read_at)

    def _recorded(
        self, forms: Forms, part: Sequence[Oad], records: _Rows
    ) -> tuple[list[Outcome], list[Want]]:
        """Return what records say of points, and the points of columns that are not stored."""
        outcomes: list[Outcome] = []
        again: list[Want] = []
        for oad in part:
            wants = forms.asked[oad]
            given = [row[oad] for row in records.found.values() if oad in row]
            if any(is_ahead(moment, records.read_at) for moment in records.found):
                text = f"its record bears {max(records.found)}"
                outcomes += [self._missed(want, Cause.CLOCK_WRONG, text) for want in wants]
            elif records.found and all(data.type is DataType.NULL for data in given):
                self._asked.refusals.note(self._store.text + oad.text)
                again += wants
            else:
                outcomes += [self._outcome(want, oad, records) for want in wants]
        return outcomes, again

    def _outcome(self, want: Want, oad: Oad, records: _Rows) -> Outcome:
        """Return what records say of a point; a later record proves that it has none."""
        meter, zone = self._asked.meter.address, self._asked.zone
        data = records.found.get(want.moment, {}).get(oad)
        if data is not None:
            return outcome_of(meter, want, oad, data, records.read_at, "recorded", zone)
        if any(moment > want.moment for moment in records.found):
            return Got(want, None, records.read_at, "recorded")
        text = f"no record at {want.moment.astimezone(zone)}"
        return self._missed(want, Cause.NO_RECORD, text)

    def _missed(self, want: Want, cause: Cause, text: str) -> Missed:
        return Missed(want, cause, f"meter {self._asked.meter.address}: {text}")


def time_of(moment: datetime, zone: ZoneInfo) -> Data:
    """Return a moment as a meter's clock shows it."""
    return Data(DataType.DATE_TIME_S, DateTimeS.of(moment.astimezone(zone)))


def _rows_of(
    results: Iterable[RecordResult], zone: ZoneInfo, only: datetime | None
) -> Iterable[tuple[datetime, Mapping[Oad, Data]]]:
    """Return each record with its freeze time, by the columns that the answer names.

    One that says no time is that of `only`, the single moment asked for.
    """
    for result in results:
        for row in () if isinstance(result.rows, Dar) else result.rows:
            columns = {
                column: data
                for column, data in zip(result.columns, row, strict=True)
                if isinstance(column, Oad)
            }
            moment = moment_in(columns[FREEZE_TIME], zone) if FREEZE_TIME in columns else only
            if moment is not None:
                yield moment, columns
