"""Dates and times, by the local clock of the device and without a zone (digest, section 7).

A field whose bits are all ones is not specified. What is no real date, such as all zeros from a
device that never knew the time, is kept as it came; `local` is then None.
"""

from dataclasses import dataclass
from datetime import date, datetime, time

from .axdr import U8, U16, Wire

UNSPECIFIED = 0xFF
UNSPECIFIED_16 = 0xFFFF


@dataclass(frozen=True, slots=True)
class DateTimeS(Wire):
    """date_time_s: a moment in whole seconds."""

    year: U16
    month: U8
    day: U8
    hour: U8
    minute: U8
    second: U8

    @classmethod
    def of(cls, moment: datetime) -> "DateTimeS":
        """Return a local date and time as it is sent; what is less than a second is cut off."""
        return cls(*moment.timetuple()[:6])

    @property
    def local(self) -> datetime | None:
        """Return the local date and time, or None if it is none."""
        try:
            day = date(self.year, self.month, self.day)
            return datetime.combine(day, time(self.hour, self.minute, self.second))
        except ValueError:
            return None

    @property
    def text(self) -> str:
        """Return `2016-05-19T08:05:00`, with stars for what is not specified."""
        return f"{_date_text(self)}T{_time_text(self)}"


@dataclass(frozen=True, slots=True)
class DateTime(Wire):
    """date_time: a moment in milliseconds; the weekday is not relied on (devices differ)."""

    year: U16
    month: U8
    day: U8
    weekday: U8
    hour: U8
    minute: U8
    second: U8
    millisecond: U16

    @classmethod
    def of(cls, moment: datetime) -> "DateTime":
        """Return a local date and time as it is sent; Sunday is weekday 7."""
        year, month, day, hour, minute, second = moment.timetuple()[:6]
        millisecond = moment.microsecond // 1000
        return cls(year, month, day, moment.isoweekday(), hour, minute, second, millisecond)

    @property
    def local(self) -> datetime | None:
        """Return the local date and time, or None if it is none."""
        known = self.millisecond != UNSPECIFIED_16
        seconds = DateTimeS(
            self.year, self.month, self.day, self.hour, self.minute, self.second
        ).local
        if seconds is None or (known and self.millisecond > 999):
            return None
        return seconds.replace(microsecond=self.millisecond * 1000) if known else seconds

    @property
    def text(self) -> str:
        """Return `2016-05-19T08:05:00.164`, with stars for what is not specified."""
        return f"{_date_text(self)}T{_time_text(self)}.{_digits(self.millisecond, 3)}"


@dataclass(frozen=True, slots=True)
class Date(Wire):
    """A day."""

    year: U16
    month: U8
    day: U8
    weekday: U8

    @classmethod
    def of(cls, day: date) -> "Date":
        """Return a day as it is sent; Sunday is weekday 7."""
        return cls(day.year, day.month, day.day, day.isoweekday())

    @property
    def local(self) -> date | None:
        """Return the day, or None if it is none."""
        try:
            return date(self.year, self.month, self.day)
        except ValueError:
            return None

    @property
    def text(self) -> str:
        """Return `2016-05-19`, with stars for what is not specified."""
        return _date_text(self)


@dataclass(frozen=True, slots=True)
class Time(Wire):
    """A time of day."""

    hour: U8
    minute: U8
    second: U8

    @classmethod
    def of(cls, moment: time) -> "Time":
        """Return a time of day as it is sent."""
        return cls(moment.hour, moment.minute, moment.second)

    @property
    def local(self) -> time | None:
        """Return the time of day, or None if it is none."""
        try:
            return time(self.hour, self.minute, self.second)
        except ValueError:
            return None

    @property
    def text(self) -> str:
        """Return `08:05:00`, with stars for what is not specified."""
        return _time_text(self)


def _date_text(value: DateTime | DateTimeS | Date) -> str:
    return f"{_digits(value.year, 4)}-{_digits(value.month, 2)}-{_digits(value.day, 2)}"


def _time_text(value: DateTime | DateTimeS | Time) -> str:
    return ":".join(_digits(part, 2) for part in (value.hour, value.minute, value.second))


def _digits(value: int, width: int) -> str:
    unspecified = UNSPECIFIED if width == 2 else UNSPECIFIED_16
    return "*" * width if value == unspecified else f"{value:0{width}d}"
