"""Events out of the frames that devices send on their own account. Pure.

The same record reported again gives an event of the same id: it is made of the link, the code and
the bytes of the record. An active report status carries no time, so it counts once a day.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from station.collector.event_names import REPORT_BITS
from station.frontend.link import Report
from station.protocols import bcd
from station.protocols.detect import Parser
from station.protocols.dlt645 import frame as dlt645
from station.protocols.dlt645.describe import describe as describe_645
from station.protocols.dlt645.functions import READ, data_id_of
from station.protocols.dlt645.items import values_of as values_645
from station.protocols.dlt645.requests import ACTIVE_REPORT, payload
from station.protocols.dlt698 import frame as dlt698
from station.protocols.dlt698.apdu import decode_apdu
from station.protocols.dlt698.data import Data, DataType
from station.protocols.dlt698.describe import describe as describe_698
from station.protocols.dlt698.envelope import Apdu, AttributeResult, RecordResult
from station.protocols.dlt698.identifiers import Oad
from station.protocols.dlt698.report import (
    ReportNotificationList,
    ReportNotificationRecordList,
    ReportNotificationTransData,
)
from station.protocols.dlt698.security import plain_bytes
from station.protocols.qgdw1376 import frame as qgdw1376
from station.protocols.qgdw1376.events import EVENT_BY_ERC
from station.protocols.qgdw1376.forward import inner_bytes
from station.protocols.qgdw1376.functions import units_of
from station.protocols.qgdw1376.functions import values_of as values_1376
from station.store.objects.events import Event, event_id
from station.units import from_local

RECOVERED = 0  # The bit of an event's point that tells begin or end, section 14.
STATUS_SIZE = 12  # Bytes of the active report status; a count of one byte follows for each set bit.
EVENT_OBJECTS = range(0x3000, 0x3400)  # OI of events, digest dlt698_45.md section 14.
HAPPENED_AT = 0x201E0200  # The column of a record that tells when an event began.
ENDED_AT = 0x20200200  # And the one that tells when it ended.
RECORD_CLASSES = frozenset((0x03, 0x10, 0x11, 0x12, 0x13, 0x18, 0x1A, 0x1D, 0x1E))  # Of DL/T 645.

MeterAt = Callable[[int], str | None]  # From a point of the link to its meter's address.
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """One event as a frame tells it; `record` are the bytes that make it itself."""

    code: str
    record: bytes
    meter: str | None = None
    happened_at: datetime | None = None  # By the device's clock, without zone.
    values: tuple[Row, ...] = ()
    once_a_day: bool = False
    over: bool = False  # The frame tells its end.


def events_in(report: Report, meter_at: MeterAt, station: str, zone: ZoneInfo) -> list[Event]:
    """Return the events that a report tells. Raises ValueError for bytes that cannot be read."""
    day = f"{report.at:%Y-%m-%d}"
    return [
        Event(
            event_id(
                report.link,
                each.code,
                each.meter or "",
                each.record,
                day if each.once_a_day else "",
            ),
            each.code,
            report.link,
            each.meter,
            None if each.happened_at is None else from_local(each.happened_at, zone),
            report.at,
            report.frame.to_bytes(),
            station=station,
            protocol=report.protocol,
            exchange=report.exchange,
            values=each.values,
            over=each.over,
        )
        for each in _found_in(report.frame, meter_at)
    ]


def _found_in(frame: object, meter_at: MeterAt) -> Iterator[Found]:
    if isinstance(frame, qgdw1376.Frame):
        if frame.afn == qgdw1376.CLASS_3:
            yield from _in_class_3(frame, meter_at)
        elif inner := inner_bytes(frame):
            yield from _in_bytes(inner, meter_at)
    elif isinstance(frame, dlt698.Frame):
        yield from _in_apdu(frame, meter_at)
    elif isinstance(frame, dlt645.Frame):
        yield from _in_645(frame)


def _in_bytes(data: bytes, meter_at: MeterAt) -> Iterator[Found]:
    """Yield the events in the frames that lie in what a terminal passed on."""
    parser = Parser()
    parser.receive_data(data)
    parser.give_up()
    for event in iter(parser.next_event, None):
        if isinstance(event, dlt645.Frame | dlt698.Frame):
            yield from _found_in(event, meter_at)


# Q/GDW 1376.1.


def _in_class_3(frame: qgdw1376.Frame, meter_at: MeterAt) -> Iterator[Found]:
    for unit in units_of(frame).units:
        for record in values_1376(frame, unit).get("records", ()):
            yield _of_record(record, meter_at)


def _of_record(record: Mapping[str, Any], meter_at: MeterAt) -> Found:
    erc: int = record["erc"]
    code = f"1376-{erc}"
    if "raw" in record:
        row = {
            "name": "content",
            "name_zh": "数据",
            "value": None,
            "raw": record["raw"].hex().upper(),
        }
        return Found(code, record["raw"], values=({**row, "unit": ""},))
    values, layout = record["values"], EVENT_BY_ERC[erc].layout
    point = values.get("point")
    return Found(
        code,
        layout.encode(values),
        meter_at(point) if isinstance(point, int) and point else None,
        _latest(value for value in values.values() if isinstance(value, datetime)),
        tuple(layout.rows(values)),
        over=values.get("state") == RECOVERED or _power_is_back(values),
    )


def _power_is_back(values: Mapping[str, Any]) -> bool:
    """Tell whether an outage (ERC 14) has ended; while it lasts there is no time of its end."""
    off, on = values.get("off"), values.get("on")
    return isinstance(on, datetime) and (not isinstance(off, datetime) or on >= off)


# DL/T 645.


def _in_645(frame: dlt645.Frame) -> Iterator[Found]:
    data_id = data_id_of(frame)
    if not frame.from_meter or frame.is_error or frame.function != READ or data_id is None:
        return
    if data_id == ACTIVE_REPORT:
        yield from _in_report_status(frame)
    elif data_id >> 24 in RECORD_CLASSES and data_id & 0xFF:
        told = values_645(frame)
        rows = tuple(describe_645(frame)["items"])
        happened_at = next((one.value for one in told if isinstance(one.value, datetime)), None)
        over = any(one.code.endswith("end") and one.value is not None for one in told)
        code = f"645-{data_id >> 8:06X}"
        yield Found(code, payload(frame), frame.address, happened_at, rows, over=over)


def _in_report_status(frame: dlt645.Frame) -> Iterator[Found]:
    """Yield an event for each bit of the active report status that is set."""
    data = payload(frame)
    status, counts = int.from_bytes(data[:STATUS_SIZE], "little"), data[STATUS_SIZE:]
    bits = [bit for bit in range(8 * STATUS_SIZE) if status >> bit & 1]
    for place, bit in enumerate(bits):
        count = bcd.to_text(counts[place : place + 1])
        row = {
            "name": "new since the last report",
            "name_zh": "新增次数",
            "value": count,
            "unit": "",
        }
        rows = (row,) if count else ()
        if bit in REPORT_BITS:
            code = f"645-report-{bit}"
            yield Found(code, data, frame.address, None, rows, once_a_day=True)


# DL/T 698.45.


def _in_apdu(frame: dlt698.Frame, meter_at: MeterAt) -> Iterator[Found]:
    apdu: Apdu = decode_apdu(frame.apdu)
    inner = plain_bytes(apdu)
    if inner is not None:
        apdu = decode_apdu(inner)
    if isinstance(apdu, ReportNotificationTransData):
        for block in apdu.blocks:
            yield from _in_bytes(block, meter_at)
    if not isinstance(apdu, ReportNotificationList | ReportNotificationRecordList):
        return
    views = describe_698(frame)["objects"]
    for result in apdu.results:
        if result.oad.oi not in EVENT_OBJECTS:
            continue
        if isinstance(result, RecordResult):
            yield from _of_rows(result, views, meter_at)
        else:
            yield _of_object(result, views, meter_at)


def _of_rows(result: RecordResult, views: Sequence[Row], meter_at: MeterAt) -> Iterator[Found]:
    if not isinstance(result.rows, tuple):
        return
    for number, row in enumerate(result.rows):
        told = [
            view
            for view in views
            if (view.get("record"), view.get("row")) == (result.oad.text, number)
        ]
        begun = ended = None
        for column, data in zip(result.columns, row, strict=True):
            if isinstance(column, Oad) and column.code == HAPPENED_AT:
                begun = _moment(data)
            if isinstance(column, Oad) and column.code == ENDED_AT:
                ended = _moment(data)
        yield Found(
            f"698-{result.oad.oi:04X}",
            b"".join(data.write() for data in row),
            _meter_in(row, meter_at),
            begun or _latest(moment for data in row if (moment := _moment(data))),
            tuple(_plain_row(view) for view in told),
            over=ended is not None,
        )


def _of_object(result: AttributeResult, views: Sequence[Row], meter_at: MeterAt) -> Found:
    told = [view for view in views if view.get("oad") == result.oad.text]
    data = result.result
    parts = (data,) if isinstance(data, Data) else ()
    moments = (_moment(part) for part in _flat(parts))
    return Found(
        f"698-{result.oad.oi:04X}",
        result.write(),
        _meter_in(parts, meter_at),
        next((moment for moment in moments if moment is not None), None),
        tuple(_plain_row(view) for view in told),
        once_a_day=not any(_moment(part) for part in _flat(parts)),
    )


def _plain_row(view: Row) -> Row:
    """Return what a description says of a value, without where it stood."""
    return {name: view[name] for name in view if name not in ("record", "row", "oad", "store")}


def _meter_in(parts: Sequence[Data], meter_at: MeterAt) -> str | None:
    """Return the meter that a record names, or the one that the link itself is."""
    for data in _flat(parts):
        if data.type is DataType.TSA and len(data.value.address) == 12:
            return str(data.value.address)
    return meter_at(0)


def _flat(parts: Sequence[Data]) -> Iterator[Data]:
    for data in parts:
        if data.type in (DataType.ARRAY, DataType.STRUCTURE):
            yield from _flat(data.value)
        else:
            yield data


def _moment(data: Data) -> datetime | None:
    if data.type is DataType.DATE_TIME_S:
        moment: datetime | None = data.value.local
        return moment
    return None


def _latest(moments: Iterator[datetime]) -> datetime | None:
    return max(moments, default=None)
