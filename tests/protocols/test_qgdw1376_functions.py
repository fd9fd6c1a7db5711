"""The tables: what real frames carry, and that every row writes what it reads."""

from datetime import date, datetime
from decimal import Decimal
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vectors1376 import ENTRIES, SOUND, frame_bytes, password_size

from station.protocols.qgdw1376.events import EVENT_BY_ERC, EVENTS
from station.protocols.qgdw1376.formats import Clock, PartTime
from station.protocols.qgdw1376.frame import (
    CLASS_1,
    CLASS_2,
    CLASS_3,
    CONFIRMATION,
    CONTROL,
    FORWARDING,
    QUERY_PARAMETERS,
    SET_PARAMETERS,
    Address,
    Frame,
)
from station.protocols.qgdw1376.functions import (
    FUNCTIONS,
    find_function,
    layout_of,
    make_unit,
    units_of,
    values_of,
)
from station.protocols.qgdw1376.layout import NoValue, Unfit
from station.protocols.qgdw1376.requests import Answer, answer, ask
from station.protocols.qgdw1376.units import (
    IDENTIFICATION,
    DataUnit,
    decode_identification,
    encode_identification,
    join,
)

TERMINAL = Address("0200", 0x1234)

ROWS = [
    (afn, row.fn, up, layout)
    for afn, rows in FUNCTIONS.items()
    for row in rows
    for up, layout in ((False, row.down), (True, row.up))
    if layout is not None
]


# F89 and F92 of V-032 stand behind one DA DT.
SHARED_IDENTIFICATIONS = {"V-032"}


def of_id(entry):
    return entry["id"]


def of_row(row):
    afn, fn, up, _ = row
    return f"AFN{afn:02X}-F{fn}-{'up' if up else 'down'}"


def frame_of(name):
    entry = ENTRIES[name]
    return Frame.from_bytes(frame_bytes(entry), password_size(entry))


def at(text):
    return datetime.fromisoformat(text)


# Section 5.


@pytest.mark.parametrize(
    ("pn", "fn", "wire"),
    [
        (1, 33, "01010104"),  # The four examples of the digest,
        (0, 10, "00000201"),
        (6, 129, "20010110"),
        (31, 161, "40040114"),
        (8, 8, "80018000"),  # and the multiples of 8, which public codecs get wrong.
        (9, 9, "01020101"),
        (2040, 248, "80FF801E"),
    ],
)
def test_identification(pn, fn, wire):
    raw = bytes.fromhex(wire)
    assert encode_identification(pn, fn) == raw
    assert decode_identification(raw) == ((pn, fn),)


@given(st.integers(0, 2040), st.integers(1, 248))
def test_identification_comes_back(pn, fn):
    assert decode_identification(encode_identification(pn, fn)) == ((pn, fn),)


@pytest.mark.parametrize(("pn", "fn"), [(-1, 1), (2041, 1), (1, 0), (1, 249)])
def test_identification_out_of_range_is_refused(pn, fn):
    with pytest.raises(ValueError):
        encode_identification(pn, fn)


def test_several_bits_name_units_in_order():
    """All Fn of the lowest pn, then those of the next."""
    pairs = decode_identification(bytes.fromhex("05010310"))
    assert pairs == ((1, 129), (1, 130), (3, 129), (3, 130))


def test_cleared_bits_name_nothing():
    assert decode_identification(bytes.fromhex("00010110")) == ()
    assert decode_identification(bytes.fromhex("01010010")) == ()


@pytest.mark.parametrize("wire", ["01000100", "0000801F", "0000FFFF"])
def test_identification_that_means_nothing_is_refused(wire):
    """DA1 without a group (V-052), DT2 above 30."""
    with pytest.raises(ValueError):
        decode_identification(bytes.fromhex(wire))
    assert IDENTIFICATION.words(wire) == wire


# What real frames carry.


@pytest.mark.parametrize("entry", SOUND, ids=of_id)
def test_units_of_vector(entry):
    """The units are those stated; but AFN FEH is a private extension and stays raw."""
    frame = Frame.from_bytes(frame_bytes(entry), password_size(entry))
    found = units_of(frame)
    if frame.afn == 0xFE:
        assert (found.units, found.rest) == ((), frame.data)
        return
    stated = [(item["pn"], item["fn"]) for item in entry["decoded"]["items"]]
    assert [(unit.pn, unit.fn) for unit in found.units] == stated
    assert found.rest == b""
    size = sum(len(unit.data) for unit in found.units)
    identifications = len(frame.data) - size
    if entry["id"] not in SHARED_IDENTIFICATIONS:
        assert identifications == 4 * (len(found.units) + len(found.cleared))
    for unit in found.units:
        layout = layout_of(frame.afn, unit.fn, up=frame.from_terminal)
        assert layout.encode(values_of(frame, unit)) == unit.data


def stated_values(item):
    """Return the numbers and times of a stated item; None for what is missing or no BCD."""
    for one in item["values"]:
        value = one["value"]
        if value is None or str(value).startswith("not BCD"):
            yield None
        else:
            yield str(value)


def plain(rows):
    for row in rows:
        if isinstance(row["value"], list):
            yield from row["value"]
        else:
            yield row["value"]


def same(ours, stated):
    if ours is None or stated is None:
        return ours is stated
    if "-" in stated and ":" in stated:
        return at(ours) == at(stated)
    return Decimal(ours) == Decimal(stated)


@pytest.mark.parametrize("name", ["V-016", "V-017", "V-024", "V-032", "V-051"])
def test_values_of_vector(name):
    """Every number of the curves and of F25, in order. F96 is spare: two bytes as they are."""
    frame = frame_of(name)
    items = [item for item in ENTRIES[name]["decoded"]["items"] if item["fn"] != 96]
    units = [unit for unit in units_of(frame).units if unit.fn != 96]
    for unit, item in zip(units, items, strict=True):
        rows = layout_of(frame.afn, unit.fn, up=True).rows(values_of(frame, unit))
        pairs = list(zip(plain(rows), stated_values(item), strict=True))
        assert all(same(ours, stated) for ours, stated in pairs), pairs


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("V-009", {"afn": 2, "items": [{"unit": "00000100", "error": 0}]}),
        ("V-010", {"clock": Clock(at("2020-12-12 14:30:33"), 6)}),
        ("V-022", {"indexes": [22]}),
        (
            "V-025",
            {
                "rts_time": 10,  # x 20 ms
                "allowed_delay": 20,
                "timeout": 798,
                "repeats": 0,
                "confirm_reports": 7,
                "heartbeat_period": 15,
            },
        ),
        (
            "V-026",
            {
                "main_ip": "192.168.0.1",
                "main_port": 8080,
                "spare_ip": "192.168.0.2",
                "spare_port": 8080,
                "apn": "ZJDL.ZJ",
            },
        ),
        (
            "V-028",
            {
                "ports": [
                    {
                        "port": 1,
                        "no_automatic_reading": 1,
                        "key_meters_only": 1,
                        "send_freeze": 1,
                        "send_clock": 1,
                        "search_meters": 1,
                        "read_status_words": 1,
                        "days": 0xFFFFFFFF,
                        "time": PartTime(hour=0, minute=0),
                        "interval": 1,
                        "clock_broadcast": PartTime(day=0, hour=0, minute=0),
                        "periods": [
                            {
                                "start": PartTime(hour=0, minute=0),
                                "end": PartTime(hour=23, minute=0),
                            }
                        ],
                    }
                ]
            },
        ),
        (
            "V-029",
            {
                "meters": [
                    {
                        "index": 1,
                        "point": 1,
                        "port": 1,
                        "speed": 1,
                        "protocol": 0,
                        "address": "112233445566",
                        "password": "222222111111",
                        "tariffs": 0,
                        "integer_digits_less_4": 1,
                        "decimals_less_1": 1,
                        "collector": "112233666666",
                        "big_class": 3,
                        "small_class": 1,
                    }
                ]
            },
        ),
        ("V-042", {"clock": Clock(at("2015-12-15 11:48:49"), 2)}),
        (
            "V-046",
            {
                "vendor": "NBSX",
                "device": "10020001",
                "software_version": "CQ02",
                "software_date": date(2014, 8, 8),
                "capacity": "GZ3DJGZ23",
                "protocol_version": "CQ13",
                "hardware_version": "CQ09",
                "hardware_date": date(2010, 7, 26),
            },
        ),
        ("V-047", {"start_pointer": 0, "end_pointer": 255}),
        ("V-050", {"clock": Clock(at("2015-03-12 10:30:55"), 4)}),
        (
            "V-014",
            {
                "important_counter": 3,
                "general_counter": 0,
                "start_pointer": 0,
                "end_pointer": 1,
                "records": [
                    {
                        "erc": 36,
                        "raw": bytes.fromhex("1814020810000101000000000088FFFF54171401020810"),
                    }
                ],
            },
        ),
        (
            "V-015",
            {
                "important_counter": 1,
                "general_counter": 0,
                "start_pointer": 0,
                "end_pointer": 1,
                "records": [
                    {
                        "erc": 14,
                        "values": {"off": at("2010-07-31 14:40"), "on": at("2010-08-03 11:31")},
                    }
                ],
            },
        ),
        (
            "V-023",
            {
                "important_counter": 110,
                "general_counter": 0,
                "start_pointer": 0,
                "end_pointer": 1,
                "records": [
                    {
                        "erc": 24,
                        "values": {
                            "time": at("2010-12-07 22:09"),
                            "point": 1,
                            "state": 0,
                            "phases": 0,
                            "kind": 0,
                            "voltage": [Decimal("219.0"), Decimal("220.0"), Decimal("220.0")],
                        },
                    }
                ],
            },
        ),
    ],
)
def test_contents_of_vector(name, values):
    frame = frame_of(name)
    (unit,) = units_of(frame).units
    assert values_of(frame, unit) == values
    assert make_unit(frame.afn, unit.pn, unit.fn, values, up=frame.from_terminal) == unit


def test_forward_request_of_vector():
    frame = frame_of("V-006")
    (unit,) = units_of(frame).units
    values = values_of(frame, unit)
    assert (values["port"], values["speed"], values["parity_on"], values["parity"]) == (31, 3, 1, 0)
    assert (values["frame_timeout"], values["frame_timeout_unit"]) == (60, 1)
    assert values["content"] == "68611001301215681104333334337B16"


# Frames worked out by hand from the digest.


@pytest.mark.parametrize(
    ("afn", "fn", "up", "wire", "values"),
    [
        (
            CLASS_1,
            129,
            True,
            "2614010810 02 0000100000 0000040000 0000060000",
            {
                "read_time": at("2010-08-01 14:26"),
                "tariffs": 2,
                "energy": [Decimal("10.0000"), Decimal("4.0000"), Decimal("6.0000")],
            },
        ),
        (
            CLASS_1,
            33,
            True,
            "2614010810 01 0000100000 0000100000 00010000 00010000 EEEEEEEE EEEEEEEE"
            "25000000 25000000",
            {
                "read_time": at("2010-08-01 14:26"),
                "tariffs": 1,
                "active_forward": [Decimal("10.0000")] * 2,
                "reactive_forward": [Decimal("1.00")] * 2,
                "reactive_q1": [NoValue(b"\xee" * 4)] * 2,
                "reactive_q4": [Decimal("0.25")] * 2,
            },
        ),
        (
            CLASS_1,
            89,
            True,  # Hour 14, four points of 15 minutes.
            "14 01 000001 000002 000003 FFFFFF",
            {
                "hour": Decimal(14),
                "density": 1,
                "power": [Decimal(1), Decimal(2), Decimal(3), NoValue(b"\xff" * 3)],
            },
        ),
        (
            CLASS_1,
            145,
            True,
            "2614010810 00 563412 30172803",
            {
                "read_time": at("2010-08-01 14:26"),
                "tariffs": 0,
                "demands": [
                    {
                        "demand": Decimal("12.3456"),
                        "demand_time": PartTime(month=3, day=28, hour=17, minute=30),
                    }
                ],
            },
        ),
        (
            CLASS_1,
            168,
            True,
            "2614010810 0000 0000100000 0000200000",
            {
                "read_time": at("2010-08-01 14:26"),
                "tariffs": Decimal(0),
                "settled": [Decimal(10)],
                "open": [Decimal(20)],
            },
        ),
        (CLASS_2, 161, False, "251211", {"day": date(2011, 12, 25)}),
        (
            CLASS_2,
            161,
            True,
            "251211 0500261211 00 0000100000",
            {
                "day": date(2011, 12, 25),
                "read_time": at("2011-12-26 00:05"),
                "tariffs": 0,
                "energy": [Decimal(10)],
            },
        ),
        (CLASS_2, 177, False, "1211", {"month": PartTime(year=2011, month=12)}),
        (
            CLASS_2,
            89,
            False,
            "0000251211 01 60",
            {"start": at("2011-12-25 00:00"), "density": 1, "points": 96},
        ),
        (
            CLASS_2,
            109,
            True,
            "0000251211 03 01 0000 0012 0024",
            {
                "start": at("2011-12-25 00:00"),
                "density": 3,
                "points": 1,
                "points_of_angles": [{"voltage_angle": [Decimal(0), Decimal(120), Decimal(240)]}],
            },
        ),
        (CONTROL, 1, False, "2A", {"alarm_delay": 2, "limit_time": 10}),
        (CONTROL, 32, False, "13 04 D6D0B9FA", {"kind": 1, "number": 3, "text": "中国"}),
        (
            SET_PARAMETERS,
            12,
            False,
            "FF03 0100",
            {"connected": "03FF", "normally_open": "0001"},
        ),
        (SET_PARAMETERS, 12, False, "0F 01", {"connected": "0F", "normally_open": "01"}),
        (
            SET_PARAMETERS,
            2,
            False,
            "82 0100 0200",
            {"allowed": 1, "count": 2, "terminals": [1, 2]},
        ),
        (SET_PARAMETERS, 89, False, "3408 9404", {"region": "0834", "terminal": 0x0494}),
        (
            SET_PARAMETERS,
            65,
            False,
            "4F 000000010101 01 01 01010104",
            {
                "period": 15,
                "period_unit": 1,
                "base_time": Clock(at("2001-01-01 00:00:00"), 0),
                "sampling": 1,
                "units": ["01010104"],
            },
        ),
        (
            QUERY_PARAMETERS,
            38,
            False,
            "05 02 01 02",
            {"big_class": 5, "small_classes": [1, 2]},
        ),
        (QUERY_PARAMETERS, 10, False, "", {}),
        (
            FORWARDING,
            9,
            False,
            "02 01 010000000000 020000000000 01 00000100",
            {
                "port": 2,
                "relay_count": 1,
                "relays": ["000000000001"],
                "target": "000000000002",
                "protocol": 1,
                "data_id": "00000100",
            },
        ),
        (
            FORWARDING,
            10,
            False,
            "02 FF 020000000000 AA 03 123456",
            {
                "port": 2,
                "relay_count": 255,
                "relays": [],
                "target": "000000000002",
                "flag": 0xAA,
                "password": "123456",
            },
        ),
    ],
)
def test_row(afn, fn, up, wire, values):
    raw = bytes.fromhex(wire)
    layout = layout_of(afn, fn, up=up)
    assert layout.decode(raw) == values
    assert layout.encode(values) == raw
    assert all("name_zh" in row for row in layout.rows(values))


def test_event_record_is_as_long_as_it_says():
    wire = "02 00 05 07 0C 07 0922071210 0180 02 03 112233 0E 02 0102"
    values = layout_of(CLASS_3, 1, up=True).decode(bytes.fromhex("0200FF02") + records(wire))
    twelve, two, fourteen = values["records"]
    assert twelve["values"] == {"time": at("2010-12-07 22:09"), "point": 1, "state": 1}
    assert two == {"erc": 2, "raw": bytes.fromhex("112233")}  # Too short for its row.
    assert fourteen == {"erc": 14, "raw": bytes.fromhex("0102")}


def records(wire):
    """Drop the counters and pointers: Pm = FFH and Pn = 02H count three records over the ring."""
    return bytes.fromhex(wire)[4:]


@pytest.mark.parametrize(
    ("afn", "fn", "wire", "reason"),
    [
        (CLASS_1, 129, "2614010810EE", "the data unit is cut off"),  # 239 registers, none here.
        (CLASS_1, 89, "1407", "density is 7"),
        (CLASS_1, 168, "2614010810EEEE", "tariffs is missing"),
        (CLASS_1, 11, "01", "the data unit is cut off"),
        (CLASS_3, 1, "000000010E0A00", "the data unit is cut off"),
    ],
)
def test_bytes_that_do_not_fit(afn, fn, wire, reason):
    with pytest.raises(Unfit, match=reason):
        layout_of(afn, fn, up=True).decode(bytes.fromhex(wire))


@pytest.mark.parametrize(
    ("afn", "fn", "values", "reason"),
    [
        (SET_PARAMETERS, 1, {}, "rts_time is missing"),
        (SET_PARAMETERS, 35, {"indexes": [1] * 21}, "21 entries"),
        (SET_PARAMETERS, 6, {"groups": [1]}, "8 entries are needed, got 1"),
        (SET_PARAMETERS, 2, {"allowed": 1, "count": 2, "terminals": [1]}, "2 entries are needed"),
        (SET_PARAMETERS, 12, {"connected": "0F", "normally_open": "0001"}, "two masks"),
        (CONTROL, 1, {"alarm_delay": 16, "limit_time": 0}, "alarm_delay must be 0..15"),
        (CONTROL, 32, {"kind": 0, "number": 0, "text": "x" * 201}, "201 bytes, 200 are allowed"),
        (CONTROL, 99, {}, "AFN05 F99 is not known"),
    ],
)
def test_values_that_do_not_fit(afn, fn, values, reason):
    with pytest.raises(ValueError, match=reason):
        make_unit(afn, 0, fn, values)


def test_none_is_written_as_missing():
    unit = make_unit(CLASS_1, 0, 2, {"clock": None}, up=True)
    assert unit == DataUnit(0, 2, b"\xee" * 6)
    frame = answer(ask(CLASS_1, TERMINAL, [DataUnit(0, 2)], sequence=1, master=1), [unit])
    assert values_of(frame, unit) == {"clock": NoValue(b"\xee" * 6)}


# Reading a whole frame.


def test_nothing_behind_an_unknown_function_is_guessed():
    """F13 of class 1 has no row: its size is not known, so F2 behind it is not read."""
    clock = make_unit(CLASS_1, 0, 2, {"clock": at("2020-12-12 14:30:33")}, up=True)
    unknown = DataUnit(0, 13, b"\x01\x02")
    frame = Frame(0x88, TERMINAL, CLASS_1, 0x60, join([clock, unknown, clock]))
    found = units_of(frame)
    assert found.units == (clock,)
    assert found.rest == join([unknown, clock])
    assert found.reason == "the layout of AFN0C F13 is not known"


def test_cleared_identification_is_kept_and_read_past():
    """V-024 ends with four zero bytes: an identification that names nothing."""
    assert units_of(frame_of("V-024")).cleared == (bytes(4),)
    frame = Frame(0x88, TERMINAL, CLASS_1, 0x60, bytes.fromhex("01010010 00000200") + bytes(6))
    found = units_of(frame)
    assert found.cleared == (bytes.fromhex("01010010"),)
    assert found.units == (DataUnit(0, 2, bytes(6)),)


def test_shared_identification_names_the_units_one_behind_the_other():
    """p1 and p2, F89 and F90 of class 2 under one DA DT."""
    one = bytes.fromhex("00002512110101")
    points = [one + bytes.fromhex(value) for value in ("0022", "0122", "0222", "0322")]
    frame = Frame(0x88, TERMINAL, CLASS_2, 0x60, bytes.fromhex("0301030B") + b"".join(points))
    found = units_of(frame)
    assert found.units == tuple(
        DataUnit(pn, fn, raw)
        for (pn, fn), raw in zip(((1, 89), (1, 90), (2, 89), (2, 90)), points, strict=True)
    )


def test_what_stands_before_an_unknown_function_is_read():
    """F12 (no row) shares the identification of F11: ports, of which there are none."""
    frame = Frame(0x88, TERMINAL, CLASS_1, 0x60, bytes.fromhex("00000C01 00 AABB"))
    found = units_of(frame)
    assert found.units == (DataUnit(0, 11, b"\0"),)
    assert found.rest == b"\xaa\xbb"
    assert found.reason == "the layout of AFN0C F12 is not known"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("0000", "too short for a data unit identification"),
        ("01000100", "DA 01 00 names a point in no group"),
        ("0000FFFF", "DT2 255 is above 30"),
    ],
)
def test_identification_that_means_nothing_ends_the_reading(data, reason):
    raw = bytes.fromhex(data)
    found = units_of(Frame(0x88, TERMINAL, CLASS_1, 0x60, raw))
    assert (found.units, found.rest, found.reason) == ((), raw, reason)


def test_request_for_a_function_without_a_row_is_its_identification():
    """V-027 asks F13 of class 1; such requests are the identification alone."""
    found = units_of(frame_of("V-027"))
    assert found.units == (DataUnit(0, 11), DataUnit(0, 13))


@pytest.mark.parametrize("row", ROWS, ids=of_row)
def test_every_row_writes_what_it_reads(row):
    for filler in (0x00, 0x01, 0x10, 0x55, 0xEE):
        check_row(row, bytes((filler,)) * 400)


@settings(max_examples=1000)
@given(
    st.sampled_from(ROWS),
    # Digits and small counts, so that most layouts are filled to their end.
    st.lists(st.sampled_from([0, 1, 2, 9, 0x10, 0x12, 0x68, 0xEE, 0xFF]), max_size=120),
)
def test_any_row_writes_what_it_reads(row, content):
    check_row(row, bytes(content))


def check_row(row, raw):
    layout = row[3]
    try:
        values, end = layout.read(raw)
    except Unfit:
        return
    assert layout.encode(values) == raw[:end]
    assert all({"name", "name_zh", "value", "unit"} <= set(row) for row in layout.rows(values))


@pytest.mark.parametrize(
    ("afn", "fn", "up", "size"),
    [
        (SET_PARAMETERS, 1, False, 6),
        (SET_PARAMETERS, 3, False, 28),
        (SET_PARAMETERS, 9, False, 16),
        (SET_PARAMETERS, 10, False, 2),  # And 27 for each meter.
        (SET_PARAMETERS, 25, False, 11),
        (CLASS_1, 3, True, 31),
        (CLASS_1, 25, True, 67),
        (0x09, 1, True, 41),
        (CLASS_2, 1, False, 3),
        (CLASS_2, 17, False, 2),
        (CLASS_2, 81, False, 7),
    ],
)
def test_sizes_are_those_of_the_digest(afn, fn, up, size):
    assert layout_of(afn, fn, up=up).read(bytes(100))[1] == size


def test_a_meter_of_the_archive_takes_27_bytes():
    layout = layout_of(SET_PARAMETERS, 10, up=False)
    assert layout.read(b"\x02\x00" + bytes(100))[1] == 2 + 2 * 27


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: f"ERC{event.erc}")
@settings(max_examples=20)
@given(data=st.data())
def test_every_event_writes_what_it_reads(event, data):
    raw = data.draw(st.binary(max_size=120))
    try:
        values, end = event.layout.read(raw)
    except Unfit:
        return
    assert event.layout.encode(values) == raw[:end]
    assert event.layout.rows(values)


def test_lists_are_complete():
    """The ranges that the digest names."""
    for afn, numbers in {
        CONFIRMATION: range(1, 4),
        CLASS_1: chain(range(33, 50), range(81, 85), range(89, 104), range(105, 117),
                       range(129, 162), range(165, 171)),
        CLASS_2: chain(range(1, 13), range(17, 40), range(81, 111), range(145, 149),
                       range(153, 197), range(201, 210), range(213, 217)),
        CONTROL: chain((1, 2), range(9, 13), range(15, 21), range(23, 30), range(31, 40),
                       (41, 42), range(49, 54)),
        SET_PARAMETERS: chain(range(1, 24), range(25, 32), range(33, 40), range(41, 50),
                              range(57, 62), range(65, 69), range(73, 77), range(81, 84)),
        FORWARDING: (1, 9, 10, 11),
    }.items():  # fmt: skip
        missing = [fn for fn in numbers if find_function(afn, fn) is None]
        assert missing == [], f"AFN{afn:02X}"
    assert sorted(EVENT_BY_ERC) == list(range(1, 36))


# Requests and answers.


def test_requests_are_those_of_real_stations():
    read = ask(CLASS_1, Address("5801", 0x2811), [DataUnit(2, 129)], sequence=0, master=1)
    real = frame_of("V-043")  # FCV and FCB set.
    assert (read.data, read.address, read.seq, read.afn) == (
        real.data,
        real.address,
        real.seq,
        real.afn,
    )
    assert read.control == 0x4B
    assert read.password == b""


@pytest.mark.parametrize(("afn", "control"), [(0x01, 0x41), (0x04, 0x4A), (0x05, 0x4A)])
def test_writing_requests_close_with_a_password(afn, control):
    frame = ask(afn, TERMINAL, [DataUnit(0, 1)], sequence=17, master=1)
    assert (frame.control, frame.password, frame.sequence) == (control, bytes(16), 1)
    assert Frame.from_bytes(frame.to_bytes()) == frame


def part(seq, data=b""):
    return Frame(0x88, TERMINAL.with_master(1), CLASS_2, seq, data)


def test_answer_of_several_frames_is_joined():
    collected = Answer(ask(CLASS_2, TERMINAL, [], sequence=15, master=1))
    parts = [part(0x4F), part(0x00), part(0x21)]
    assert [collected.add(frame) for frame in parts] == [True] * 3
    assert collected.complete
    assert collected.frames == parts
    assert not collected.add(part(0x22))


def test_frame_that_is_not_the_next_is_not_joined():
    collected = Answer(ask(CLASS_2, TERMINAL, [], sequence=5, master=1))
    assert not collected.add(part(0x46))
    assert collected.add(part(0x45))
    assert not collected.add(part(0x45))  # The terminal repeats itself.
    assert not collected.add(part(0x27))
    assert not collected.complete
    assert collected.add(part(0x26))
    assert collected.complete


def test_single_frame_and_denial_complete_an_answer():
    request = ask(CLASS_2, TERMINAL, [], sequence=5, master=1)
    single = Answer(request)
    assert single.add(part(0x65))
    assert single.complete
    denied = Answer(request)
    assert denied.add(Frame(0x89, TERMINAL.with_master(1), 0x00, 0x65, b"\0\0\2\0"))
    assert denied.complete
