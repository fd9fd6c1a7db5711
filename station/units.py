"""Moments, local days and scaled numbers. Pure: no clock is read but in `utc_now`.

Moments are UTC and aware. A *local day* is a date in the site's zone; a *slot* is the number of
minutes elapsed since that day began, so a day with a clock change simply has 1380 or 1500 slots.
"""

from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

UTC = timezone.utc
MINUTE = timedelta(minutes=1)


def utc_now() -> datetime:
    """Return this moment, cut to the milliseconds that the database keeps."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


@lru_cache(maxsize=1024)  # Plans ask for the same few days over and over.
def day_start(day: date, zone: ZoneInfo) -> datetime:
    """Return the moment at which a local day begins."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def day_minutes(day: date, zone: ZoneInfo) -> int:
    """Return the length of a local day: 1440, or 1380 and 1500 when clocks change."""
    return (day_start(day + timedelta(days=1), zone) - day_start(day, zone)) // MINUTE


def local_day(moment: datetime, zone: ZoneInfo) -> date:
    """Return the local day that holds a moment."""
    return moment.astimezone(zone).date()


def slot_of(moment: datetime, zone: ZoneInfo) -> tuple[date, int]:
    """Return the local day of a moment and its slot in that day."""
    day = local_day(moment, zone)
    return day, (moment - day_start(day, zone)) // MINUTE


def moment_of(day: date, slot: int, zone: ZoneInfo) -> datetime:
    """Return the moment of a slot."""
    return day_start(day, zone) + slot * MINUTE


def from_local(naive: datetime, zone: ZoneInfo) -> datetime:
    """Return the moment of a device's local time; the first of two when the clock is set back."""
    return naive.replace(tzinfo=zone).astimezone(UTC)


def scaled(value: Decimal, decimals: int) -> int:
    """Return a decimal as a whole number of its last digit. Raises ValueError if digits go."""
    number = value.scaleb(decimals)
    if number != number.to_integral_value():
        raise ValueError(f"{value} has more than {decimals} decimals")
    return int(number)


def unscaled(value: int, decimals: int) -> Decimal:
    """Return the decimal that `scaled` made a whole number of, with all its decimals."""
    return Decimal(value).scaleb(-decimals)
