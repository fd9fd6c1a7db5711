"""Load profile: requests, blocks, and what a meter's simulator needs."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.protocols.dlt645 import profile
from station.protocols.dlt645.frame import Frame
from station.protocols.dlt645.profile import PROFILE_IDS, SECTIONS, ProfileRecord

METER = "000000000161"
START = datetime.fromisoformat("2024-05-06T07:15")


def record_at(moment: datetime, *sections: int) -> ProfileRecord:
    values = {
        data_id: Decimal(place).scaleb(-len(layout.picture.partition(".")[2]))
        for section in sections
        for place, (data_id, layout) in enumerate(SECTIONS[section], 1)
    }
    return ProfileRecord(moment, values)


def test_request_from_a_time() -> None:
    frame = profile.request(METER, start=START, count=3)
    assert frame == Frame(METER, 0x11, bytes.fromhex("01000006 03 1507060524"))
    assert profile.parse_request(frame) == (profile.FROM_TIME, 3, START)


def test_request_of_the_oldest_and_the_latest() -> None:
    oldest = profile.request_oldest(METER, count=2, data_class=4)
    latest = profile.request_latest(METER, data_class=1)
    assert oldest.data == bytes.fromhex("00000406 02")
    assert latest.data == bytes.fromhex("02000106")
    assert profile.parse_request(oldest) == (profile.OLDEST, 2, None)
    assert profile.parse_request(latest) == (profile.LATEST, 1, None)


@pytest.mark.parametrize("data", ["01000006", "0000010002", "01000006031507", "00010006"])
def test_what_asks_for_no_profile(data: str) -> None:
    with pytest.raises(ValueError):
        profile.parse_request(Frame(METER, 0x11, bytes.fromhex(data)))


def test_block_as_the_digest_draws_it() -> None:
    body = bytes.fromhex(
        "1507060524"
        "0122 0222 0322 015000 025080 FFFFFF 0150 AA"
        "AA"
        "0010 0090 9909 FFFF AA"
        "34120000 00000000 01000080 00000000 AA"
        "AA"
        "000100 000200 AA"
    )
    block = b"\xa0\xa0" + bytes((len(body),)) + body
    block += bytes((sum(block) & 0xFF, 0xE5))
    (record,) = profile.decode(block)
    assert record == ProfileRecord(
        START,
        {
            0x02010100: Decimal("220.1"),
            0x02010200: Decimal("220.2"),
            0x02010300: Decimal("220.3"),
            0x02020100: Decimal("5.001"),
            0x02020200: Decimal("-5.002"),
            0x02020300: None,
            0x02800002: Decimal("50.01"),
            0x02060000: Decimal("1.000"),
            0x02060100: Decimal("-1.000"),
            0x02060200: Decimal("0.999"),
            0x02060300: None,
            0x00010000: Decimal("12.34"),
            0x00020000: Decimal("0.00"),
            0x00030000: Decimal("-0.01"),
            0x00040000: Decimal("0.00"),
            0x02800004: Decimal("0.0100"),
            0x02800005: Decimal("0.0200"),
        },
    )
    assert profile.encode([record]) == block


def test_sections_are_as_long_as_the_digest_says() -> None:
    sizes = [sum(layout.size for _, layout in section) for section in SECTIONS]
    assert sizes == [17, 24, 8, 16, 16, 6]
    assert len(PROFILE_IDS) == sum(map(len, SECTIONS))


def test_no_data_is_no_record() -> None:
    assert profile.decode(b"") == []


def test_answer_that_breaks_off_keeps_its_whole_blocks() -> None:
    records = [record_at(START, 0), record_at(START + timedelta(minutes=15), 0)]
    payload = profile.encode(records)
    first = len(profile.encode(records[:1]))
    for size in range(len(payload) + 1):
        whole = (size >= first) + (size == len(payload))
        assert profile.decode(payload[:size]) == records[:whole]


@pytest.mark.parametrize("place", [0, 1, 5, -2, -1])
def test_damaged_block_is_refused(place: int) -> None:
    payload = bytearray(profile.encode([record_at(START, 0)]))
    payload[place] ^= 0x01
    with pytest.raises(ValueError, match="offset 0"):
        profile.decode(bytes(payload))


def test_digits_that_mean_nothing_are_left_out() -> None:
    record = record_at(START, 5)
    payload = bytearray(profile.encode([record]))
    place = 3 + 5 + 5  # Behind the head, the time and five empty sections.
    payload[place] = 0x0A
    payload[-2] = sum(payload[:-2]) & 0xFF
    (damaged,) = profile.decode(bytes(payload))
    assert set(damaged.values) == {0x02800005}


def test_section_of_another_length_is_left_out() -> None:
    body = bytes.fromhex("1507060524 0122AA AA AA AA AA AA")
    block = b"\xa0\xa0" + bytes((len(body),)) + body
    block += bytes((sum(block) & 0xFF, 0xE5))
    assert profile.decode(block) == [ProfileRecord(START, {})]


def test_block_without_a_time_is_no_record() -> None:
    body = b"\xff" * 5 + b"\xaa" * 6
    block = b"\xa0\xa0" + bytes((len(body),)) + body
    block += bytes((sum(block) & 0xFF, 0xE5))
    assert profile.decode(block) == []


@given(st.lists(st.sets(st.integers(0, 5)), max_size=5))
def test_round_trip(sections: list[set[int]]) -> None:
    records = [
        record_at(START + timedelta(minutes=15 * number), *wanted)
        for number, wanted in enumerate(sections)
    ]
    assert profile.decode(profile.encode(records)) == records


@given(st.binary(max_size=120))
def test_any_bytes_are_records_or_a_value_error(data: bytes) -> None:
    body = b"\xa0\xa0" + bytes((len(data),)) + data
    block = body + bytes((sum(body) & 0xFF, 0xE5))
    for payload in (data, block):
        try:
            records = profile.decode(payload)
        except ValueError:
            continue
        assert all(isinstance(record.time, datetime) for record in records)
