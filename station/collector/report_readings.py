"""Readings out of the frames that devices send on their own account. Pure.

Only meters of the link that sent the frame are believed. A value that cannot be an item's is left
out: what a device volunteers is an extra, and collection reads what is due.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from station.collector.drivers.dlt698_values import moment_in, oad_of, outcome_of, whole_of
from station.collector.items import ITEMS, Item, Place
from station.collector.outcome import Got
from station.collector.plan import Want
from station.frontend.link import Report
from station.protocols.detect import Parser
from station.protocols.dlt645 import frame as dlt645
from station.protocols.dlt645.functions import READ
from station.protocols.dlt645.items import values_of as values_645
from station.protocols.dlt698 import frame as dlt698
from station.protocols.dlt698.apdu import decode_apdu
from station.protocols.dlt698.data import Data, DataType
from station.protocols.dlt698.envelope import AttributeResult, RecordResult
from station.protocols.dlt698.identifiers import Oad, Road, Tsa
from station.protocols.dlt698.report import (
    ReportNotificationList,
    ReportNotificationRecordList,
    ReportNotificationTransData,
)
from station.protocols.dlt698.security import plain_bytes
from station.protocols.qgdw1376 import frame as qgdw1376
from station.protocols.qgdw1376.formats import Clock
from station.protocols.qgdw1376.forward import inner_bytes
from station.protocols.qgdw1376.fragments import POINTS_IN_AN_HOUR
from station.protocols.qgdw1376.functions import units_of
from station.protocols.qgdw1376.functions import values_of as values_1376
from station.protocols.qgdw1376.layout import Values
from station.store.objects.meters import Meter
from station.store.objects.readings import Quality, Reading
from station.units import day_start, from_local

FREEZE_TIME, STORED_AT, METER_ADDRESS = Oad.of(0x2021), Oad.of(0x6042), Oad.of(0x202A)

_BY_ID_2007 = {item.id_2007: item for item in ITEMS if item.id_2007 is not None}
_ITEMS_698 = [item for item in ITEMS if item.id_698 is not None]
_HOUR = timedelta(hours=1)
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Finder:
    """Makes readings of what a frame of one link holds.

    `by_point` has the meters whose measuring point is theirs alone.
    """

    by_address: Mapping[str, Meter]
    by_point: Mapping[int, Meter]
    at: datetime
    zone: ZoneInfo

    def readings(self, report: Report) -> Iterator[Reading]:
        """Yield the readings of a report. Raises ValueError for bytes that mean nothing."""
        yield from self._in_frame(report.frame)

    def _in_frame(self, frame: object) -> Iterator[Reading]:
        if isinstance(frame, dlt645.Frame):
            yield from self._in_645(frame)
        elif isinstance(frame, dlt698.Frame):
            yield from self._in_apdu(frame)
        elif isinstance(frame, qgdw1376.Frame):
            if frame.afn in (qgdw1376.CLASS_1, qgdw1376.CLASS_2):
                yield from self._in_1376(frame)
            elif inner := inner_bytes(frame):
                yield from self._in_bytes(inner)

    def _in_bytes(self, data: bytes) -> Iterator[Reading]:
        """Yield the readings of frames that a terminal passed on."""
        parser = Parser()
        parser.receive_data(data)
        parser.give_up()
        for event in iter(parser.next_event, None):
            if isinstance(event, dlt645.Frame | dlt698.Frame):
                yield from self._in_frame(event)

    def _in_645(self, frame: dlt645.Frame) -> Iterator[Reading]:
        """Yield what a meter shows now."""
        meter = self.by_address.get(frame.address)
        if meter is None or not frame.from_meter or frame.is_error or frame.function != READ:
            return
        for one in values_645(frame):
            item = _BY_ID_2007.get(one.data_id)
            if item is not None and one.valid:
                yield from self._reading(meter, item, self.at, one.value, "live")

    # Q/GDW 1376.1, digest sections 12 and 13.

    def _in_1376(self, frame: qgdw1376.Frame) -> Iterator[Reading]:
        for unit in units_of(frame).units:
            meter = self.by_point.get(unit.pn)
            if meter is None:
                continue
            yield from self._in_unit(meter, unit.fn, frame.afn, values_1376(frame, unit))

    def _in_unit(self, meter: Meter, fn: int, afn: int, values: Values) -> Iterator[Reading]:
        """Yield the readings of one data unit.

        A daily freeze bears the day at whose end it was made; read before that it is not quite it.
        """
        told = values.get("read_time")
        read = from_local(told, self.zone) if isinstance(told, datetime) else None
        day = values.get("day")
        moment = read or self.at
        quality: Quality = "live"
        if isinstance(day, date):
            moment = day_start(day + _ONE_DAY, self.zone)
            quality = "recorded" if read is None or read >= moment else "doubtful"
        for item in ITEMS:
            places = item.fn_1376
            if afn == qgdw1376.CLASS_1:
                yield from self._at_place(
                    meter, item, _own(places.now, fn), values, moment, quality
                )
            elif "density" in values:
                yield from self._on_curve(meter, item, _own(places.curve, fn), values)
            elif isinstance(day, date):
                yield from self._at_place(
                    meter, item, _own(places.day, fn), values, moment, quality
                )

    def _at_place(
        self,
        meter: Meter,
        item: Item,
        places: Iterable[Place],
        values: Values,
        moment: datetime,
        quality: Quality,
    ) -> Iterator[Reading]:
        for place in places:
            found = values.get(place.key)
            if isinstance(found, list):
                index = place.index or 0
                found = found[index] if index < len(found) else None
            if isinstance(found, Mapping):
                found = found.get(place.inner)
            yield from self._number(meter, item, moment, found, place, quality)

    def _on_curve(
        self, meter: Meter, item: Item, places: Iterable[Place], values: Values
    ) -> Iterator[Reading]:
        start, points = values.get("start"), POINTS_IN_AN_HOUR.get(values["density"])
        if not points or not isinstance(start, datetime):
            return
        begin = from_local(start, self.zone)
        for place in places:
            found = values.get(place.key)
            for number, value in enumerate(found if isinstance(found, list) else ()):
                moment = begin + number * _HOUR / points
                yield from self._number(meter, item, moment, value, place, "recorded")

    def _number(
        self,
        meter: Meter,
        item: Item,
        moment: datetime,
        found: object,
        place: Place,
        quality: Quality,
    ) -> Iterator[Reading]:
        if isinstance(found, Decimal):
            yield from self._reading(meter, item, moment, found.scaleb(place.exponent), quality)
        elif isinstance(found, Clock):
            yield from self._reading(meter, item, moment, found.time, quality)
        elif isinstance(found, int) and item.kind == "bits":
            yield from self._reading(meter, item, moment, found, quality)

    # DL/T 698.45, digest sections 8 and 10.

    def _in_apdu(self, frame: dlt698.Frame) -> Iterator[Reading]:
        apdu = decode_apdu(frame.apdu)
        inner = plain_bytes(apdu)
        if inner is not None:
            apdu = decode_apdu(inner)
        if isinstance(apdu, ReportNotificationTransData):
            for block in apdu.blocks:
                yield from self._in_bytes(block)
        elif isinstance(apdu, ReportNotificationList):
            yield from self._in_objects(apdu.results)
        elif isinstance(apdu, ReportNotificationRecordList):
            for result in apdu.results:
                yield from self._in_records(result)

    def _in_objects(self, results: Sequence[AttributeResult]) -> Iterator[Reading]:
        meter = self.by_point.get(0)
        for result in results:
            if meter is not None and isinstance(result.result, Data):
                yield from self._objects(meter, {result.oad: result.result}, self.at, "live")

    def _in_records(self, result: RecordResult) -> Iterator[Reading]:
        rows = result.rows if isinstance(result.rows, tuple) else ()
        for row in rows:
            columns = dict(zip(result.columns, row, strict=True))
            plain = {oad: data for oad, data in columns.items() if isinstance(oad, Oad)}
            meter = self._meter_in(plain.get(METER_ADDRESS))
            if meter is None:
                continue
            stored_at = plain.get(STORED_AT)
            yield from self._record(meter, plain, stored_at)
            for road, data in columns.items():
                if isinstance(road, Road):
                    for values in _records_in(data, len(road.columns)):
                        record = dict(zip(road.columns, values, strict=True))
                        yield from self._record(meter, record, stored_at)

    def _record(
        self, meter: Meter, columns: Mapping[Oad, Data], stored_at: Data | None
    ) -> Iterator[Reading]:
        """Yield the readings of a record at its freeze time; a time of storing is a makeshift."""
        frozen = columns.get(FREEZE_TIME)
        moment = None if frozen is None else moment_in(frozen, self.zone)
        quality: Quality = "recorded"
        if moment is None and stored_at is not None:
            moment, quality = moment_in(stored_at, self.zone), "doubtful"
        if moment is not None:
            yield from self._objects(meter, columns, moment, quality)

    def _objects(
        self, meter: Meter, columns: Mapping[Oad, Data], moment: datetime, quality: Quality
    ) -> Iterator[Reading]:
        for item in _ITEMS_698:
            own = oad_of(item)
            for oad in (own, whole_of(own)):
                data = columns.get(oad)
                if data is None:
                    continue
                want = Want(item, moment.replace(second=0, microsecond=0), ())
                outcome = outcome_of(meter.address, want, oad, data, self.at, quality, self.zone)
                if isinstance(outcome, Got) and outcome.value is not None:
                    yield self._stored(meter, item, want.moment, outcome.value, quality)
                break

    def _meter_in(self, address: Data | None) -> Meter | None:
        if address is None:
            return self.by_point.get(0)
        value: Any = address.value
        digits = value.address if isinstance(value, Tsa) else ""
        return self.by_address.get(digits)

    # From what was decoded to what is stored.

    def _reading(
        self, meter: Meter, item: Item, moment: datetime, decoded: object, quality: Quality
    ) -> Iterator[Reading]:
        """Yield the reading of a value, or nothing where it cannot be one of the item's."""
        try:
            value = None if decoded is None else item.to_value(decoded, self.zone)
        except ValueError:
            return
        yield self._stored(meter, item, moment, value, quality)

    def _stored(
        self, meter: Meter, item: Item, moment: datetime, value: int | None, quality: Quality
    ) -> Reading:
        minute = moment.replace(second=0, microsecond=0)
        return Reading(meter.address, item.code, minute, value, self.at, "report", quality)


def _own(places: Sequence[Place], fn: int) -> Iterator[Place]:
    return (place for place in places if place.fn == fn)


def _records_in(data: Data, count: int) -> list[tuple[Data, ...]]:
    """Return the records in a ROAD's column: one, or an array of structures."""
    if data.type not in (DataType.ARRAY, DataType.STRUCTURE):
        return []
    parts: tuple[Data, ...] = data.value
    if parts and all(part.type is DataType.STRUCTURE for part in parts):
        return [part.value for part in parts if len(part.value) == count]
    return [parts] if len(parts) == count else []
