"""The load profile of a simulated 2007 meter: which records it has, and what is in them. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from station.protocols.dlt645 import profile
from station.protocols.dlt645.frame import Frame
from station.protocols.dlt645.profile import SECTIONS, ProfileRecord
from station.simulator import registers
from station.simulator.metering import MIDNIGHT, Metering

DAYS_KEPT = 62  # As many as daily freezes.


def read(metering: Metering, request: Frame, at: datetime) -> bytes | None:
    """Return the blocks that a request asks for when the clock shows a time; none is an answer too.

    None is returned when the meter keeps no load profile, or not this one.
    """
    interval = timedelta(minutes=metering.site.profile_interval_min)
    data_class = request.data[2]
    if not interval or data_class > len(SECTIONS):
        return None
    try:
        kind, count, start = profile.parse_request(request)
    except ValueError:
        return None
    newest = record_time(at, interval)
    oldest = record_time(at - timedelta(days=DAYS_KEPT), interval) + interval
    if kind == profile.LATEST:
        start = newest
    elif start is None:
        start = oldest
    times = _times(start, count, interval) if start >= oldest else iter(())
    return profile.encode(_record(metering, time, data_class) for time in times if time <= newest)


def record_time(at: datetime, interval: timedelta) -> datetime:
    """Return the last time at or before another at which a record is made."""
    midnight = datetime.combine(at.date(), MIDNIGHT)
    return midnight + (at - midnight) // interval * interval


def _times(start: datetime, count: int, interval: timedelta) -> Iterator[datetime]:
    """Yield the times of the records from a time on, which itself may lie between two."""
    first = record_time(start + interval - timedelta.resolution, interval)
    return (first + number * interval for number in range(count))


def _record(metering: Metering, time: datetime, data_class: int) -> ProfileRecord:
    values = {
        data_id: _value(metering, data_id, time)
        for number, section in enumerate(SECTIONS, 1)
        if data_class in (profile.ALL_CLASSES, number)
        for data_id, _ in section
    }
    return ProfileRecord(time, values)


def _value(metering: Metering, data_id: int, time: datetime) -> Decimal | None:
    """Return what the meter would have told of a quantity at that time."""
    values = registers.read(metering, data_id, time)
    value = values[0] if values else None
    return value if isinstance(value, Decimal) else None
