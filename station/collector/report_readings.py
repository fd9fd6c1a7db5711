"""Readings out of the frames that devices send on their own account. Pure.

Only meters of the link that sent the frame are believed. A value that cannot be an item's is left
out: what a device volunteers is an extra, and collection reads what is due.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from station.collector.items import ITEMS, Item, Place
from station.frontend.link import Report
from station.protocols.dlt645 import frame as dlt645
from station.protocols.dlt645.functions import READ
from station.protocols.dlt645.items import values_of as values_645
from station.protocols.qgdw1376 import frame as qgdw1376
from station.protocols.qgdw1376.functions import units_of
from station.protocols.qgdw1376.functions import values_of as values_1376
from station.protocols.qgdw1376.layout import NoValue
from station.store.objects.meters import Meter
from station.store.objects.readings import Quality, Reading
from station.units import from_local

_BY_ID_2007 = {item.id_2007: item for item in ITEMS if item.id_2007 is not None}
_CLASS_1 = [(place, item) for item in ITEMS for place in item.fn_1376.now]


@dataclass(frozen=True, slots=True)
class _Source:
    """Whose values a frame brings, and when."""

    meter: Meter
    at: datetime
    zone: ZoneInfo

    def reading(
        self, item: Item, moment: datetime, decoded: object, quality: Quality
    ) -> Iterator[Reading]:
        """Yield the reading of a value, or nothing where it cannot be one of the item's."""
        try:
            value = None if decoded is None else item.to_value(decoded, self.zone)
        except ValueError:
            return
        minute = moment.replace(second=0, microsecond=0)
        yield Reading(self.meter.address, item.code, minute, value, self.at, "report", quality)


def readings_in(
    report: Report,
    by_address: Mapping[str, Meter],
    by_point: Mapping[int, Meter],
    zone: ZoneInfo,
) -> list[Reading]:
    """Return the readings that a report brings. Raises ValueError for bytes that mean nothing."""
    frame = report.frame
    if isinstance(frame, dlt645.Frame):
        meter = by_address.get(frame.address)
        return [] if meter is None else [*_in_645(frame, _Source(meter, report.at, zone))]
    if isinstance(frame, qgdw1376.Frame) and frame.afn == qgdw1376.CLASS_1:
        return [*_in_class_1(frame, by_point, report.at, zone)]
    return []


def _in_645(frame: dlt645.Frame, source: _Source) -> Iterator[Reading]:
    """Yield what a meter shows now, of items that are in the catalogue."""
    if not frame.from_meter or frame.is_error or frame.function != READ:
        return
    for one in values_645(frame):
        item = _BY_ID_2007.get(one.data_id)
        if item is not None and one.valid:
            yield from source.reading(item, source.at, one.value, "live")


def _in_class_1(
    frame: qgdw1376.Frame, by_point: Mapping[int, Meter], at: datetime, zone: ZoneInfo
) -> Iterator[Reading]:
    """Yield what a terminal read last of its meters, at the time that it says."""
    for unit in units_of(frame).units:
        meter = by_point.get(unit.pn)
        if meter is None:
            continue
        values = values_1376(frame, unit)
        told = values.get("read_time")
        moment = from_local(told, zone) if isinstance(told, datetime) else at
        source = _Source(meter, at, zone)
        for place, item in _CLASS_1:
            if place.fn == unit.fn and (found := _at(values, place)) is not None:
                decoded = None if isinstance(found, NoValue) else found
                yield from source.reading(item, moment, decoded, "live")


def _at(values: Mapping[str, Any], place: Place) -> Any:
    """Return what stands at a place of a data unit, a number in the item's unit."""
    found = values.get(place.key)
    if place.index is not None:
        entries = found if isinstance(found, list) else []
        found = entries[place.index] if place.index < len(entries) else None
    if place.inner and isinstance(found, Mapping):
        found = found.get(place.inner)
    return found.scaleb(place.exponent) if isinstance(found, Decimal) else found
