"""Local days and slots, also on days of 23 and 25 hours; scaled numbers."""

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station import units

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")  # Clocks change on 2026-03-29 and 2026-10-25.


@pytest.mark.parametrize(
    ("day", "zone", "minutes"),
    [
        (date(2026, 3, 29), SHANGHAI, 1440),
        (date(2026, 3, 29), BERLIN, 1380),
        (date(2026, 10, 25), BERLIN, 1500),
    ],
)
def test_length_of_a_day(day: date, zone: ZoneInfo, minutes: int) -> None:
    assert units.day_minutes(day, zone) == minutes


def test_a_day_begins_at_local_midnight() -> None:
    assert units.day_start(date(2026, 11, 22), SHANGHAI) == datetime(
        2026, 11, 21, 16, tzinfo=timezone.utc
    )


@pytest.mark.parametrize("zone", [SHANGHAI, BERLIN])
@given(
    moment=st.datetimes(
        min_value=datetime(2000, 1, 1),  # noqa: DTZ001  hypothesis adds the zone.
        max_value=datetime(2099, 1, 1),  # noqa: DTZ001  As above.
        timezones=st.just(timezone.utc),
    )
)
def test_a_moment_is_found_again_by_its_slot(zone: ZoneInfo, moment: datetime) -> None:
    minute = moment.replace(second=0, microsecond=0)
    day, slot = units.slot_of(minute, zone)
    assert 0 <= slot < units.day_minutes(day, zone)
    assert units.moment_of(day, slot, zone) == minute


def test_the_hour_that_comes_twice_has_two_slots() -> None:
    first = datetime(2026, 10, 25, 0, 30, tzinfo=timezone.utc)  # 02:30 in summer time
    second = first + timedelta(hours=1)  # 02:30 again
    assert units.slot_of(first, BERLIN) == (date(2026, 10, 25), 150)
    assert units.slot_of(second, BERLIN) == (date(2026, 10, 25), 210)


@given(number=st.integers(-(10**12), 10**12), decimals=st.integers(0, 4))
def test_scaled_numbers_come_back(number: int, decimals: int) -> None:
    assert units.scaled(units.unscaled(number, decimals), decimals) == number


def test_scaling_loses_no_digit() -> None:
    assert units.scaled(Decimal("12.34"), 2) == 1234
    with pytest.raises(ValueError, match=r"12\.345 has more than 2 decimals"):
        units.scaled(Decimal("12.345"), 2)
    assert str(units.unscaled(1230, 2)) == "12.30"


def test_now_has_the_milliseconds_of_the_database() -> None:
    assert units.utc_now().microsecond % 1000 == 0
