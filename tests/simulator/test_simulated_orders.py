"""What a simulated meter lets itself be ordered, and by whom."""

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from station.protocols.dlt645 import requests
from station.protocols.dlt645.frame import Version
from station.protocols.dlt645.requests import Authority, Command
from station.simulator.meter import Meter
from station.simulator.site import MeterSite

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 5, 6, 4, 0, tzinfo=timezone.utc)
LOCAL = datetime.fromisoformat("2026-05-06T12:00")
ADDRESS = "990000000161"
RIGHT = Authority(password="123456", operator="00000001")
STATUS_WORD_3 = 0x04000503
CLOCK = 0x0400010C


class Ordered:
    def __init__(self, **site):
        self.meter = Meter(MeterSite(address=ADDRESS, password="123456", **site), ZONE)

    def read(self, data_id, now=NOW):
        answer = self.meter.answer(requests.read(Version.V2007, ADDRESS, data_id), now)
        return requests.payload(answer)

    def status(self):
        return int.from_bytes(self.read(STATUS_WORD_3), "little")

    def order(self, command, *, authority=RIGHT, until=LOCAL + timedelta(minutes=5)):
        """Return the error word, or None when the order was taken."""
        answer = self.meter.answer(requests.control(ADDRESS, command, until, authority), NOW)
        return answer.data[0] if answer.is_error else None

    def write(self, data_id, data, authority=RIGHT):
        request = requests.write(Version.V2007, ADDRESS, data_id, data, authority)
        answer = self.meter.answer(request, NOW)
        return answer.data[0] if answer.is_error else None


def test_relay_shows_in_status_word_3():
    meter = Ordered(prepaid=True)
    before = meter.status()
    assert meter.order(Command.TRIP) is None
    assert meter.status() == before | 1 << 4 | 1 << 6
    assert meter.read(0x040005FF)[4:6] == meter.read(STATUS_WORD_3)
    assert meter.order(Command.CLOSE) is None
    assert meter.status() == before
    assert meter.order(Command.KEEP_POWER) is None
    assert meter.status() == before | 1 << 12
    assert meter.order(Command.TRIP) == 0b100
    assert meter.order(Command.END_KEEP_POWER) is None
    assert meter.order(Command.TRIP) is None


@pytest.mark.parametrize(
    "authority", [Authority(password="654321"), Authority(level=0x04, password="123456")]
)
def test_relay_wants_the_right_authority(authority):
    meter = Ordered()
    assert meter.order(Command.TRIP, authority=authority) == 0b100
    assert meter.status() == 0


def test_order_whose_time_has_passed():
    meter = Ordered()
    assert meter.order(Command.TRIP, until=LOCAL - timedelta(seconds=1)) == 0b001
    assert meter.status() == 0


def test_clock_is_set():
    meter = Ordered(clock_offset_s=3600)
    assert meter.read(CLOCK) != bytes.fromhex("000012060526")
    shown = meter.read(0x04000102)
    assert meter.write(0x04000102, bytes.fromhex("000012")) is None
    assert meter.read(0x04000102) == bytes.fromhex("000012") != shown
    assert meter.read(0x04000102, NOW + timedelta(seconds=30)) == bytes.fromhex("300012")


def test_parameter_is_kept():
    meter = Ordered()
    assert meter.read(0x04000103) == b"\x15"
    assert meter.write(0x04000103, b"\x30") is None
    assert meter.read(0x04000103) == b"\x30"


@pytest.mark.parametrize(
    ("data_id", "data", "error_bits"),
    [
        (0x04000103, b"\x30\x00", 0b001),  # Too long.
        (0x04009999, b"\x30", 0b010),  # Unknown.
        (STATUS_WORD_3, b"\x00\x00", 0b100),
        (0x00010000, bytes(4), 0b100),
        (0x04000102, bytes.fromhex("999999"), 0b001),  # No time.
    ],
)
def test_what_is_not_set(data_id, data, error_bits):
    assert Ordered().write(data_id, data) == error_bits


def test_write_wants_the_password():
    meter = Ordered()
    assert meter.write(0x04000103, b"\x30", Authority(password="000000")) == 0b100
    assert meter.read(0x04000103) == b"\x15"


def test_a_level_takes_a_new_password_from_who_knows_the_old_one():
    meter = Ordered()
    new = Authority(level=2, password="654321")

    def change(old, new, data_id=0x04000C03):
        request = requests.change_password(ADDRESS, data_id, old, new)
        answer = meter.meter.answer(request, NOW)
        return answer.data[0] if answer.is_error else answer.data

    assert change(Authority(password="000000"), new) == 0b100
    assert change(RIGHT, Authority(level=4, password="654321")) == 0b100
    assert change(RIGHT, new) == bytes.fromhex("02214365")
    assert change(new, new) == bytes.fromhex("02214365")
    assert change(RIGHT, new) == 0b100
    assert meter.order(Command.TRIP) == 0b100
    assert meter.order(Command.TRIP, authority=new) is None


def test_another_address_is_taken_and_shown():
    meter = Ordered().meter
    answer = meter.answer(requests.write_address(Version.V2007, "000000000042"), NOW)
    assert (answer.address, answer.is_error) == ("000000000042", False)
    assert meter.answer(requests.read(Version.V2007, ADDRESS, CLOCK), NOW) is None
    shown = meter.answer(requests.read(Version.V2007, "000000000042", 0x04000401), NOW)
    assert requests.payload(shown) == bytes.fromhex("420000000000")


@pytest.mark.parametrize(("fast_s", "is_taken"), [(0, True), (299, True), (301, False)])
def test_the_time_of_a_broadcast_is_taken_by_a_clock_that_is_nearly_right(fast_s, is_taken):
    ordered = Ordered(clock_offset_s=fast_s)
    assert ordered.meter.answer(requests.broadcast_time(LOCAL), NOW) is None
    shown = ordered.read(CLOCK)[:3].hex()
    assert (shown == "000012") == is_taken
