"""The simulated meter: what it answers, refuses, and does not hear."""

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from station.protocols.dlt645 import (
    BROADCAST,
    WILDCARD,
    Frame,
    LongAnswer,
    Version,
    data_id_of,
    error_words,
    items,
    payload,
    profile,
    read,
    read_address,
    requests,
)
from station.simulator.meter import DATA_SIZE_MAX, Meter, hears
from station.simulator.site import MeterSite
from station.units import UTC

ZONE = ZoneInfo("Asia/Shanghai")
ADDRESS = "990000000161"
NOW = datetime(2026, 11, 22, 4, 7, 30, tzinfo=UTC)  # 12:07:30 in Shanghai, a Sunday.
LOCAL = datetime.fromisoformat("2026-11-22T12:07:30")
V2007, V1997 = Version.V2007, Version.V1997


def local(text):
    """A time by the meter's clock."""
    return datetime.fromisoformat(text)


def meter(**options):
    return Meter(MeterSite(address=ADDRESS, **options), ZONE)


def three_phases(**options):
    return meter(shape="workshop", phases=3, **options)


def ask(simulated, request, now=NOW):
    """Return the joined data of an answer; each frame is one that the parser accepts."""
    answer = LongAnswer(request)
    while request is not None:
        frame = simulated.answer(request, now)
        assert Frame.from_bytes(frame.to_bytes()) == frame
        assert len(frame.data) <= DATA_SIZE_MAX
        assert requests.is_answer(request, frame)
        request = answer.add(frame)
    assert answer.is_complete
    return answer.data


def each_id(text):
    return [pytest.param(int(digits, 16), id=digits) for digits in text.split()]


def values(simulated, data_id, now=NOW, version=V2007):
    data = ask(simulated, read(version, ADDRESS, data_id), now)
    found = items.decode(version, data_id, data)
    assert all(one.valid for one in found)
    return [one.value for one in found]


def refusal(simulated, request, now=NOW):
    frame = simulated.answer(request, now)
    assert frame.is_error
    return frame.data[0]


# One moment, one value.


def test_live_value_is_what_profile_and_freeze_tell_later():
    later = NOW + timedelta(hours=9)
    for at in (local("2026-11-22T12:00"), local("2026-11-22T00:00"), local("2026-11-18T00:00")):
        moment = at.replace(tzinfo=ZONE).astimezone(UTC)
        live = values(three_phases(), 0x0001FF00, moment)
        request = profile.request(ADDRESS, start=at)
        (record,) = profile.decode(ask(three_phases(), request, later))
        assert record.time == at
        assert record.values[0x00010000] == live[0]
        for block, ids in (
            (0x0201FF00, (0x02010100, 0x02010200, 0x02010300)),
            (0x0202FF00, (0x02020100, 0x02020200, 0x02020300)),
            (0x0203FF00, (0x02030000, 0x02030100, 0x02030200, 0x02030300)),
            (0x0204FF00, (0x02040000, 0x02040100, 0x02040200, 0x02040300)),
            (0x0206FF00, (0x02060000, 0x02060100, 0x02060200, 0x02060300)),
        ):
            assert [record.values[one] for one in ids] == values(three_phases(), block, moment)
        assert [record.values[0x02800002]] == values(three_phases(), 0x02800002, moment)
        assert [record.values[0x02800004]] == values(three_phases(), 0x02800004, moment)
        if at.hour == 0:
            number = (later.astimezone(ZONE).date() - at.date()).days + 1
            assert values(three_phases(), 0x05060000 | number, later) == [at]
            assert values(three_phases(), 0x05060100 | number, later) == live


def test_hourly_freeze_is_the_total_at_the_full_hour():
    (frozen_at,) = values(meter(), 0x05040003)
    assert frozen_at == local("2026-11-22T10:00")
    moment = NOW - timedelta(hours=2, minutes=7, seconds=30)
    assert values(meter(), 0x05040103) == values(meter(), 0x00010000, moment)


def test_single_items_are_those_of_their_block():
    for block, singles in (
        (0x0001FF00, [0x00010000 | tariff << 8 for tariff in range(5)]),
        (0x0101FF00, [0x01010000 | tariff << 8 for tariff in range(5)]),
        (0x0201FF00, [0x02010100, 0x02010200, 0x02010300]),
        (0x040005FF, [0x04000500 + word for word in range(1, 8)]),
    ):
        whole = values(three_phases(), block)
        assert [values(three_phases(), single)[0] for single in singles] == whole


def test_settlement_holds_the_state_at_the_beginning_of_the_month():
    start = datetime(2026, 10, 31, 16, tzinfo=UTC)
    assert values(meter(), 0x00010001) == values(meter(), 0x00010000, start)
    assert values(meter(), 0x0001FF02) == values(meter(), 0x0001FF00, start - timedelta(days=31))


def test_demand_has_its_time_and_starts_anew_each_month():
    data = ask(three_phases(), read(V2007, ADDRESS, 0x01010000))
    (demand,) = items.decode(V2007, 0x01010000, data)
    assert demand.value > 0
    assert local("2026-11-01") < demand.time <= LOCAL
    moment = demand.time.replace(tzinfo=ZONE).astimezone(UTC)
    assert values(three_phases(), 0x02800004, moment) == [demand.value]
    first_day = datetime(2026, 10, 31, 16, 5, tzinfo=UTC)
    assert values(three_phases(), 0x01010000, first_day) == [0]
    assert values(three_phases(), 0x01010001)[0] != demand.value
    assert values(three_phases(), 0x0102FF00) == [0] * 5


def test_clock_shows_the_zone_and_its_own_offset():
    assert values(meter(), 0x0400010C) == [LOCAL]
    fast = meter(clock_offset_s=130)
    assert values(fast, 0x0400010C) == [LOCAL + timedelta(seconds=130)]
    assert values(fast, 0x04000101) == [LOCAL.date()]
    assert values(fast, 0x04000102) == [(LOCAL + timedelta(seconds=130)).time()]
    assert Meter(MeterSite(address=ADDRESS), ZoneInfo("Europe/Berlin")).answer(
        read(V2007, ADDRESS, 0x04000102), NOW
    ).data[4:] == bytes.fromhex("300705")


def test_fast_clock_records_what_flowed_by_its_own_time():
    fast = meter(clock_offset_s=130)
    (record,) = profile.decode(ask(fast, profile.request(ADDRESS, start=local("2026-11-22T12:00"))))
    moment = datetime(2026, 11, 22, 3, 57, 50, tzinfo=UTC)
    assert [record.values[0x00010000]] == values(meter(), 0x00010000, moment)


# Shapes of answers.


def test_single_phase_has_ff_for_phases_b_and_c():
    assert ask(meter(), read(V2007, ADDRESS, 0x0201FF00))[2:] == b"\xff" * 4
    assert ask(meter(), read(V2007, ADDRESS, 0x0203FF00))[6:] == b"\xff" * 6
    assert values(meter(), 0x02020200) == [None]
    (record,) = profile.decode(ask(meter(), profile.request_latest(ADDRESS)))
    assert record.values[0x02010100] > 200
    assert record.values[0x02010200] is None


def test_blocks_hold_the_tariffs_that_the_meter_has():
    assert len(values(meter(tariffs=1), 0x0001FF00)) == 2
    assert len(values(meter(tariffs=4), 0x0001FF00)) == 5
    total, *tariffs = values(meter(tariffs=2), 0x0001FF00)
    assert total == sum(tariffs)
    assert refusal(meter(tariffs=2), read(V2007, ADDRESS, 0x00010300)) == 0b10
    assert values(meter(tariffs=2), 0x04000204) == [2]


def test_whole_freeze_comes_in_parts_and_decodes():
    data = ask(three_phases(), read(V2007, ADDRESS, 0x0506FF01))
    assert len(data) > DATA_SIZE_MAX
    found = items.decode(V2007, 0x0506FF01, data)
    assert found[0].value == local("2026-11-22")
    assert [one.value for one in found[1:6]] == values(three_phases(), 0x05060101)
    assert all(one.valid for one in found)
    hourly = items.decode(V2007, 0x0504FF02, ask(meter(), read(V2007, ADDRESS, 0x0504FF02)))
    assert [hourly[0].value, hourly[1].value] == [
        local("2026-11-22T11:00"),
        *values(meter(), 0x05040102),
    ]


@pytest.mark.parametrize(("kind", "kept"), [(0x06, 62), (0x04, 254)])
def test_freezes_are_as_deep_as_the_standard_says(kind, kept):
    step = timedelta(days=1) if kind == 0x06 else timedelta(hours=1)
    (newest,) = values(meter(), 0x05000001 | kind << 16)
    assert values(meter(), 0x05000000 | kind << 16 | kept) == [newest - (kept - 1) * step]
    for number in (0, kept + 1):
        assert refusal(meter(), read(V2007, ADDRESS, 0x05000100 | kind << 16 | number)) == 0b10


def test_prepaid_meter_alone_has_a_remaining_amount():
    (amount,) = values(meter(prepaid=True), 0x00900200)
    assert Decimal(0) < amount <= 200
    assert values(meter(prepaid=True), 0x00900201) == [0]
    assert values(meter(prepaid=True), 0x04000503)[0] >> 8 == 0b10
    assert refusal(meter(), read(V2007, ADDRESS, 0x00900200)) == 0b10
    assert values(meter(), 0x04000503) == [0]


def test_status_words_tell_that_a_roof_delivers():
    words = values(meter(photovoltaic=True), 0x040005FF)
    assert values(meter(photovoltaic=True), 0x02030000)[0] < 0
    assert words == [1 << 4, 1, 0, 0, 0, 0, 0]
    assert values(meter(), 0x040005FF) == [0] * 7
    combined = values(meter(photovoltaic=True), 0x00000000)[0]
    assert (
        combined
        == values(meter(photovoltaic=True), 0x00010000)[0]
        + (values(meter(photovoltaic=True), 0x00020000)[0])
    )


@pytest.mark.parametrize(
    "data_id",
    each_id(
        """
        00110000 0001000D 00010500 01030000 02010000 02010101 02080100 02810001 03110000
        04000508 04FF0001 05050001 05061101 0504FF00 05040901 06070000 06000003 07000000
        FFFFFFFF
        """
    ),
)
def test_what_it_does_not_have_is_refused_as_no_data(data_id):
    assert refusal(meter(), read(V2007, ADDRESS, data_id)) == 0b10


@pytest.mark.parametrize(
    "data_id",
    each_id(
        """
        04000103 04000306 04000401 04000405 04000409 0400040D 04000601 04000A02 04000B01
        02800001 02800003 02800005 02800007 02800008 0207FF00 0205FF00 0008FF00 00030100
        """
    ),
)
def test_everything_it_has_decodes(data_id):
    assert None not in values(three_phases(), data_id)


# The load profile.


def test_profile_gives_records_in_ascending_time():
    start = local("2026-11-22T09:30")
    data = ask(meter(), profile.request(ADDRESS, start=start, count=8))
    records = profile.decode(data)
    assert [record.time for record in records] == [
        start + number * timedelta(minutes=15) for number in range(8)
    ]
    assert len(data) > 4 * DATA_SIZE_MAX


def test_profile_ends_with_the_newest_record():
    start = local("2026-11-22T11:40")  # Between two records.
    records = profile.decode(ask(meter(), profile.request(ADDRESS, start=start, count=20)))
    assert [record.time.strftime("%H:%M") for record in records] == ["11:45", "12:00"]
    (latest,) = profile.decode(ask(meter(), profile.request_latest(ADDRESS)))
    assert latest == records[-1]


def test_time_without_record_is_answered_with_the_identifier_alone():
    for start in (local("2026-11-22T12:15"), local("2026-09-01")):
        request = profile.request(ADDRESS, start=start, count=4)
        frame = meter().answer(request, NOW)
        assert not frame.is_error
        assert not frame.has_more
        assert frame.data == request.data[:4]


def test_profile_is_62_days_deep():
    records = profile.decode(ask(meter(), profile.request_oldest(ADDRESS, count=3)))
    assert records[0].time == local("2026-09-21T12:15")
    request = profile.request(ADDRESS, start=records[0].time)
    assert profile.decode(ask(meter(), request)) == records[:1]


def test_profile_of_one_class_and_another_interval():
    hourly = meter(profile_interval_min=60)
    request = profile.request(ADDRESS, start=local("2026-11-22"), count=5, data_class=4)
    records = profile.decode(ask(hourly, request))
    assert [record.time.hour for record in records] == [0, 1, 2, 3, 4]
    assert set(records[0].values) == {0x00010000, 0x00020000, 0x00030000, 0x00040000}
    assert values(hourly, 0x04000A02) == [60]


def test_meter_without_profile_refuses():
    request = profile.request(ADDRESS, start=local("2026-11-22"))
    assert refusal(meter(profile_interval_min=0), request) == 0b10


# Following data.


def test_lost_part_can_be_asked_for_again():
    simulated = meter()
    request = profile.request(ADDRESS, start=local("2026-11-22"), count=5)
    first = simulated.answer(request, NOW)
    assert first.has_more
    data_id = data_id_of(request)
    one = simulated.answer(requests.read_following(V2007, ADDRESS, data_id, 1), NOW)
    again = simulated.answer(requests.read_following(V2007, ADDRESS, data_id, 1), NOW)
    last = simulated.answer(requests.read_following(V2007, ADDRESS, data_id, 2), NOW)
    assert one == again
    assert (one.has_more, last.has_more) == (True, False)
    assert one.data[-1] == 1
    for sequence in (0, 9):
        request = requests.read_following(V2007, ADDRESS, data_id, sequence)
        assert refusal(simulated, request) == 0b10


def test_following_data_of_nothing_is_refused():
    request = requests.read_following(V2007, ADDRESS, 0x06000001, 1)
    assert refusal(meter(), request) == 0b10
    simulated = meter()
    simulated.answer(profile.request(ADDRESS, start=local("2026-11-22"), count=3), NOW)
    simulated.answer(read(V2007, ADDRESS, 0x00010000), NOW)
    assert refusal(simulated, request) == 0b10
    short = Frame(ADDRESS, 0x12, bytes.fromhex("01000006"))
    assert refusal(simulated, short) == 0b10


# Who is meant, and what is not for reading.


def test_address_is_told_to_whoever_asks_with_aa():
    frame = meter().answer(read_address(), NOW)
    assert requests.learned_address(frame) == ADDRESS
    assert frame.address == ADDRESS
    frame = meter().answer(read(V2007, WILDCARD, 0x00010000), NOW)
    assert frame.address == ADDRESS
    assert meter().answer(read(V2007, "AAAAAAAA0161", 0x00010000), NOW) == frame
    assert meter().answer(read(V2007, "AAAAAAAA0162", 0x00010000), NOW) is None


@pytest.mark.parametrize(
    ("asked", "heard"),
    [(ADDRESS, True), (WILDCARD, True), (BROADCAST, False), ("990000000162", False)],
)
def test_hears_its_own_address(asked, heard):
    assert hears(ADDRESS, asked) is heard
    assert (meter().answer(read(V2007, asked, 0x00010000), NOW) is not None) is heard


def test_stays_silent_when_it_should():
    request = read(V2007, ADDRESS, 0x00010000)
    answer = meter().answer(request, NOW)
    assert meter(dead=True).answer(request, NOW) is None
    assert meter().answer(answer, NOW) is None
    assert meter().answer(requests.broadcast_time(LOCAL), NOW) is None
    assert meter().answer(requests.freeze(BROADCAST), NOW) is None
    assert meter().answer(Frame(ADDRESS, 0x1E), NOW) is None
    assert meter().answer(read(V1997, ADDRESS, 0x9010), NOW) is None


def test_refuses_who_does_not_know_its_password():
    authority = requests.Authority(password="111111")
    for request in (
        requests.write(V2007, ADDRESS, 0x04000103, b"\x30", authority),
        requests.control(ADDRESS, requests.Command.TRIP, LOCAL, authority),
        requests.clear_meter(ADDRESS, authority),
        requests.freeze(ADDRESS),
    ):
        frame = meter().answer(request, NOW)
        assert frame.control == request.control | 0xC0
        assert [words.en for words in error_words(V2007, frame)] == [
            "wrong password or not authorised"
        ]


def test_request_without_identifier_is_an_error():
    assert refusal(meter(), Frame(ADDRESS, 0x11, b"\x00")) == 0b1
    assert refusal(meter(protocol=V1997), Frame(ADDRESS, 0x01)) == 0b1


# 1997.


def old(**options):
    return meter(protocol=V1997, **options)


@pytest.mark.parametrize(
    ("old_id", "new_id", "decimals"),
    [
        (0x901F, 0x0001FF00, 2),
        (0x9011, 0x00010100, 2),
        (0x941F, 0x0001FF01, 2),
        (0x981F, 0x0001FF02, 2),
        (0x902F, 0x0002FF00, 2),
        (0x913F, 0x0005FF00, 2),
        (0xB611, 0x02010100, 0),
        (0xB61F, 0x0201FF00, 0),
        (0xB62F, 0x0202FF00, 2),
        (0xB63F, 0x0203FF00, 4),
        (0xB640, 0x02040000, 2),
        (0xB65F, 0x0206FF00, 3),
        (0xC010, 0x04000101, None),
        (0xC011, 0x04000102, None),
        (0xC032, 0x04000402, None),
    ],
)
def test_1997_tells_the_same_as_2007_would(old_id, new_id, decimals):
    for phases in (1, 3):
        new = values(meter(phases=phases), new_id)
        if decimals is not None:
            digit = Decimal(1).scaleb(-decimals)
            new = [value and value.quantize(digit) for value in new]
        assert values(old(phases=phases), old_id, version=V1997) == new


def test_1997_tells_demand_and_time_apart():
    data = ask(three_phases(), read(V2007, ADDRESS, 0x01010000))
    (demand,) = items.decode(V2007, 0x01010000, data)
    simulated = three_phases(protocol=V1997)
    assert values(simulated, 0xA010, version=V1997) == [demand.value]
    assert values(simulated, 0xB010, version=V1997) == [demand.time.strftime("%m-%d %H:%M")]
    assert len(values(simulated, 0xA41F, version=V1997)) == 5


def test_1997_answers_reads_only():
    assert old().answer(read(V2007, ADDRESS, 0x00010000), NOW) is None
    assert old().answer(read_address(), NOW) is None
    assert old().answer(requests.read_again_1997(ADDRESS), NOW) is None
    assert old().answer(read(V1997, "990000000162", 0x9010), NOW) is None
    assert old(dead=True).answer(read(V1997, ADDRESS, 0x9010), NOW) is None
    assert old().answer(read(V1997, BROADCAST, 0x9010), NOW).address == ADDRESS
    assert payload(old().answer(read(V1997, WILDCARD, 0xC032), NOW)) == bytes.fromhex(ADDRESS)[::-1]


@pytest.mark.parametrize(
    "data_id",
    each_id(
        """
        9015 9030 9210 9C10 A020 A110 A015 B310 B610 B614 B661 C099 DEAD 0000
        """
    ),
)
def test_1997_refuses_what_it_does_not_have(data_id):
    assert refusal(old(), read(V1997, ADDRESS, data_id)) == 0b10


def test_value_that_does_not_fit_is_refused_as_other_error():
    site = MeterSite(address="990000000306", shape="workshop", protocol=V1997)
    monday = datetime(2026, 11, 23, 2, tzinfo=UTC)
    too_much = Meter(site, ZONE)  # One phase of a workshop: over the 79.99 A that 1997 can write.
    assert refusal(too_much, read(V1997, site.address, 0xB621), monday) == 0b1
