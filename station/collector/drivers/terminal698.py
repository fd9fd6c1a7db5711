"""What a DL/T 698.45 terminal stored of its meters by its own tasks (digest, section 8.4).

Its records are selected by when they were stored, which may lie a day beside what they hold. So a
wider time is asked for, and the freeze time that comes with the values decides. Where a terminal
does not give it, the time of storing must do: such a value is doubtful.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from station.collector.drivers.base import Memory, NoMemory, Refusals, Work
from station.collector.drivers.dlt698_records import DAY_FREEZE, FREEZE_TIME, MINUTE_FREEZE, ONE_DAY
from station.collector.drivers.dlt698_talk import ANOTHER_SERVICE, Port698, Talk698
from station.collector.drivers.dlt698_values import moment_in, oad_of, outcome_of, whole_of
from station.collector.outcome import Cause, Missed, Outcome
from station.collector.plan import Want
from station.errors import BadAnswer, MeterTimeout, Refused
from station.frontend.link import Priority
from station.protocols.dlt698.dar import Dar
from station.protocols.dlt698.data import Data, DataType, MeterAddresses, StoredBetween
from station.protocols.dlt698.envelope import RecordResult
from station.protocols.dlt698.frame import ServerAddress
from station.protocols.dlt698.get import GetRequestRecord, GetResponseRecord, RecordQuery
from station.protocols.dlt698.identifiers import SECOND, Oad, Road, Ti, Tsa
from station.protocols.dlt698.moments import DateTimeS
from station.store.objects.meters import Meter
from station.store.objects.readings import Quality
from station.units import MINUTE, slot_of

TASK_RECORDS = Oad.of(0x6012, 3)
METER_ADDRESS = Oad.of(0x202A)
STORED_AT = Oad.of(0x6042)

ROWS_MAX = 96  # Of one question: a day of quarter hours of a meter, some 6 kB in blocks.
METERS_MAX = 16
TIMEOUT_S = 30.0  # A terminal looks through its flash (digest, section 16).

_RECORDS = "6012"  # As the refusals call it.
_ANY_INTERVAL = Ti(SECOND, 0)


@dataclass(frozen=True, slots=True)
class _Entry:
    """What a terminal holds of a meter at a moment."""

    columns: Mapping[Oad, Data]
    quality: Quality
    read_at: datetime


_Found = Mapping[tuple[str, datetime], _Entry]


class Terminal698:
    """Reads what one terminal stored of any of its meters."""

    def __init__(
        self, port: Port698, address: str, *, priority: Priority, zone: ZoneInfo, memory: Memory
    ) -> None:
        self._talk = Talk698(port, address, address, priority=priority, memory=NoMemory())
        self._zone = zone
        self._memory = memory

    async def read(self, works: Sequence[Work]) -> AsyncIterator[list[tuple[Meter, Outcome]]]:
        """Yield what came of points of meters, question by question. Raises LinkDown."""
        for store, beside in ((DAY_FREEZE, ONE_DAY), (MINUTE_FREEZE, MINUTE)):
            mine = [(meter, [want for want in wants if self._store_of(want) == store])
                    for meter, wants in works]  # fmt: skip
            for batch in _batches([(meter, wants) for meter, wants in mine if wants]):
                yield await self._read_batch(store, beside, batch)

    def _store_of(self, want: Want) -> Oad:
        is_midnight = slot_of(want.moment, self._zone)[1] == 0
        return (
            DAY_FREEZE
            if is_midnight and want.item.kind in ("register", "demand")
            else MINUTE_FREEZE
        )

    async def _read_batch(
        self, store: Oad, beside: timedelta, batch: Sequence[Work]
    ) -> list[tuple[Meter, Outcome]]:
        refusals = {meter.address: Refusals(self._memory, meter.address, self._zone)
                    for meter, _ in batch}  # fmt: skip
        asked = [
            (meter, wants) for meter, wants in batch if _RECORDS not in refusals[meter.address]
        ]
        found: _Found = {}
        cause, text = Cause.REFUSED, f"terminal {self._talk.server}: it keeps no records"
        if asked:
            try:
                found = await self._find(store, beside, asked)
                cause, text = (
                    Cause.NO_RECORD,
                    f"terminal {self._talk.server}: it has no such record",
                )
            except Refused as refusal:
                text = str(refusal)
                for meter, _ in asked:
                    refusals[meter.address].note(_RECORDS)
            except MeterTimeout as timeout:
                cause, text = Cause.NO_ANSWER, str(timeout)
        return [
            (meter, self._outcome(meter, want, found, Missed(want, cause, text)))
            for meter, wants in batch
            for want in wants
        ]

    def _outcome(self, meter: Meter, want: Want, found: _Found, missed: Missed) -> Outcome:
        entry = found.get((meter.address, want.moment))
        whole = whole_of(oad_of(want.item))
        if entry is None:
            return missed
        for oad in (whole, oad_of(want.item)):
            data = entry.columns.get(oad)
            if data is not None and data.type is not DataType.NULL:
                address, at, quality = meter.address, entry.read_at, entry.quality
                return outcome_of(address, want, oad, data, at, quality, self._zone)
        return Missed(
            want, Cause.NO_RECORD, f"terminal {self._talk.server}: its {whole.text} is empty"
        )

    async def _find(self, store: Oad, beside: timedelta, batch: Sequence[Work]) -> _Found:
        """Return what the terminal stored around the wanted moments. Raises Refused."""
        moments = [want.moment for _, wants in batch for want in wants]
        wanted = sorted({whole_of(oad_of(want.item)).code for _, wants in batch for want in wants})
        meters = tuple(ServerAddress.from_text(meter.address).tsa for meter, _ in batch)
        selection = StoredBetween(
            self._time(min(moments) - beside),
            self._time(max(moments) + beside + ONE_DAY / 24),
            _ANY_INTERVAL,
            MeterAddresses(meters),
        )
        road = Road(store, (FREEZE_TIME, *map(Oad, wanted)))
        query = RecordQuery(TASK_RECORDS, selection, (METER_ADDRESS, STORED_AT, road))
        answer, read_at = await self._talk.ask_long(
            lambda piid: GetRequestRecord(piid, query), timeout_s=TIMEOUT_S
        )
        results = [answer.result] if isinstance(answer, GetResponseRecord) else answer
        if not isinstance(results, list):
            raise BadAnswer(f"terminal {self._talk.server}: {ANOTHER_SERVICE}")
        found: dict[tuple[str, datetime], _Entry] = {}
        for result in results:
            if isinstance(result, RecordResult):
                found.update(self._entries(result, read_at))
        return found

    def _entries(
        self, result: RecordResult, read_at: datetime
    ) -> Iterator[tuple[tuple[str, datetime], _Entry]]:
        if isinstance(result.rows, Dar):
            raise Refused(f"terminal {self._talk.server}: 60120300 refused: {result.rows.words.en}")
        for row in result.rows:
            by_column = dict(zip(result.columns, row, strict=True))
            address = _address_in(by_column.get(METER_ADDRESS))
            stored_at = by_column.get(STORED_AT)
            for column, data in by_column.items():
                if address is None or not isinstance(column, Road):
                    continue
                for values in _records_in(data, len(column.columns)):
                    columns = dict(zip(column.columns, values, strict=True))
                    if (found := self._moment_of(columns, stored_at)) is not None:
                        moment, quality = found
                        yield (address, moment), _Entry(columns, quality, read_at)

    def _moment_of(
        self, columns: Mapping[Oad, Data], stored_at: Data | None
    ) -> tuple[datetime, Quality] | None:
        if FREEZE_TIME in columns and (moment := moment_in(columns[FREEZE_TIME], self._zone)):
            return moment, "recorded"
        moment = None if stored_at is None else moment_in(stored_at, self._zone)
        if moment is None:
            return None
        after = moment + MINUTE  # 23:59 is the midnight that follows.
        is_midnight = slot_of(after, self._zone)[1] == 0
        return after if is_midnight else moment, "doubtful"

    def _time(self, moment: datetime) -> DateTimeS:
        return DateTimeS.of(moment.astimezone(self._zone))


def _batches(works: Iterable[Work]) -> Iterator[list[Work]]:
    """Return the works in parts that one question may ask for."""
    batch: list[Work] = []
    rows = 0
    for meter, wants in works:
        moments = sorted({want.moment for want in wants})
        for start in range(0, len(moments), ROWS_MAX):
            span = set(moments[start : start + ROWS_MAX])
            if batch and (rows + len(span) > ROWS_MAX or len(batch) == METERS_MAX):
                yield batch
                batch, rows = [], 0
            batch.append((meter, [want for want in wants if want.moment in span]))
            rows += len(span)
    if batch:
        yield batch


def _address_in(data: Data | None) -> str | None:
    if data is None:
        return None
    if isinstance(data.value, Tsa):
        return data.value.address
    return data.value.hex().upper() if isinstance(data.value, bytes) else None


def _records_in(data: Data, count: int) -> list[tuple[Data, ...]]:
    """Return the records in a ROAD's column: one, or an array of structures."""
    if data.type not in (DataType.ARRAY, DataType.STRUCTURE):
        return []
    parts: tuple[Data, ...] = data.value
    if parts and all(part.type is DataType.STRUCTURE for part in parts):
        return [part.value for part in parts if len(part.value) == count]
    return [parts] if len(parts) == count else []


def exchanges_of(wants: Iterable[Want]) -> int:
    """Return how many questions these points of a meter take."""
    return -(-len({want.moment for want in wants}) // ROWS_MAX)
