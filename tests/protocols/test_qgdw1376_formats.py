"""The data formats both ways: bytes worked out by hand from the digest, section 15."""

from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from station.protocols.qgdw1376 import formats
from station.protocols.qgdw1376.formats import (
    A1,
    A2,
    A3,
    A4,
    A5,
    A6,
    A7,
    A8,
    A9,
    A10,
    A11,
    A12,
    A13,
    A14,
    A15,
    A16,
    A17,
    A18,
    A19,
    A20,
    A21,
    A22,
    A23,
    A24,
    A25,
    A26,
    A27,
    BS16,
    IP,
    REGION,
    U16,
    Bcd,
    Characters,
    Clock,
    Format,
    Nibbles,
    Octets,
    PartTime,
    Unsigned,
)

ALL = {name: one for name, one in vars(formats).items() if isinstance(one, Format)} | {
    "Characters": Characters(12),
    "Nibbles": Nibbles(8),
    "Octets": Octets(3),
}
NUMBERS = {name: one for name, one in ALL.items() if isinstance(one, Bcd)}


def at(text):
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("layout", "wire", "value", "words"),
    [
        (A1, "33301412D220", Clock(at("2020-12-12 14:30:33"), 6), "2020-12-12T14:30:33"),
        (A1, "000000010101", Clock(at("2001-01-01 00:00:00"), 0), "2001-01-01T00:00:00"),
        (A2, "2301", Decimal("1230000"), "1230000"),
        (A2, "2381", Decimal("123"), "123"),
        (A2, "23F1", Decimal("-0.123"), "-0.123"),
        (A2, "05E0", Decimal("0.005"), "0.005"),
        (A2, "99A9", Decimal("99.9"), "99.9"),
        (A3, "67452301", Decimal("1234567"), "1234567"),
        (A3, "67452351", Decimal("-1234567000"), "-1234567000"),
        (A4, "79", Decimal("79"), "79"),
        (A4, "85", Decimal("-5"), "-5"),
        (A5, "0090", Decimal("-100.0"), "-100.0"),
        (A5, "9979", Decimal("799.9"), "799.9"),
        (A6, "3482", Decimal("-2.34"), "-2.34"),
        (A7, "0022", Decimal("220.0"), "220.0"),
        (A8, "3412", Decimal("1234"), "1234"),
        (A9, "731101", Decimal("1.1173"), "1.1173"),
        (A9, "563492", Decimal("-12.3456"), "-12.3456"),
        (A10, "563412", Decimal("123456"), "123456"),
        (A11, "78563412", Decimal("123456.78"), "123456.78"),
        (A12, "785634129001", "019012345678", "019012345678"),
        (A12, "AAAAAAAAAAAA", "AAAAAAAAAAAA", "AAAAAAAAAAAA"),
        (A13, "78563412", Decimal("1234.5678"), "1234.5678"),
        (A14, "9078563412", Decimal("123456.7890"), "123456.7890"),
        (A15, "2614010810", at("2010-08-01 14:26:00"), "2010-08-01T14:26:00"),
        (A16, "28531307", PartTime(day=7, hour=13, minute=53, second=28), "day 07 13:53:28"),
        (A17, "30172803", PartTime(month=3, day=28, hour=17, minute=30), "03-28 17:30"),
        (A18, "301700", PartTime(day=0, hour=17, minute=30), "day 00 17:30"),
        (A19, "0023", PartTime(hour=23, minute=0), "23:00"),
        (A20, "251211", date(2011, 12, 25), "2011-12-25"),
        (A21, "1211", PartTime(year=2011, month=12), "2011-12"),
        (A22, "15", Decimal("1.5"), "1.5"),
        (A23, "563492", Decimal("92.3456"), "92.3456"),
        (A24, "1725", PartTime(day=25, hour=17), "day 25 17 h"),
        (A25, "001780", Decimal("-1.700"), "-1.700"),
        (A26, "3412", Decimal("1.234"), "1.234"),
        (A27, "78563412", Decimal("12345678"), "12345678"),
        (U16, "3412", 0x1234, "4660"),
        (BS16, "3F00", 0x3F, "003F"),
        (IP, "C0A80001", "192.168.0.1", "192.168.0.1"),
        (REGION, "3408", "0834", "0834"),
        (Characters(4), "4E425300", "NBS", "NBS"),
        (Characters(4), "D6D0B9FA", "中国", "中国"),
        (Nibbles(4), "13800FFF", "13800", "13800"),
        (Octets(2), "1234", "1234", "1234"),
    ],
)
def test_value_and_bytes(layout, wire, value, words):
    raw = bytes.fromhex(wire)
    assert len(raw) == layout.size
    decoded = layout.decode(raw)
    assert decoded == value
    assert layout.words(decoded) == words
    assert layout.encode(value) == raw


@pytest.mark.parametrize("filler", [0xEE, 0xEF, 0xFE, 0xFF])
@pytest.mark.parametrize("layout", [*NUMBERS.values(), A1, A2, A3, A4, A15, A16, A19, A20])
def test_filler_is_no_value(layout, filler):
    """Terminals fill missing values with EEH, and with others."""
    assert layout.decode(bytes((filler,)) * layout.size) is None


@pytest.mark.parametrize(
    ("layout", "wire"),
    [
        (A7, "FE68"),  # Half of it is BCD: V-016.
        (A15, "0000000000"),  # Day 0 of month 0: no such time.
        (A15, "0060010101"),
        (A15, "0000310211"),
        (A20, "300211"),
        (A19, "6000"),
        (A1, "60000001C120"),
        (A3, "67452381"),  # D7 is not used.
        (Characters(2), "D6FF"),
        (Nibbles(2), "1F23"),
        (A12, "EEEEEEEEEEEE"),
    ],
)
def test_bytes_without_a_value(layout, wire):
    assert layout.decode(bytes.fromhex(wire)) is None


def test_zero_bytes_pad_a_text_and_may_stand_inside():
    assert Characters(4).decode(b"A\0B\0") == "A\0B"


@pytest.mark.parametrize(
    ("layout", "value"),
    [
        (A7, Decimal("1000.0")),
        (A7, Decimal("220.05")),
        (A7, Decimal("-1")),
        (A7, Decimal("NaN")),
        (A7, Decimal("Infinity")),
        (A7, "220.0"),
        (A7, True),
        (A5, Decimal("800.0")),
        (A5, Decimal("-800.0")),
        (A2, Decimal("1234")),
        (A2, Decimal("10000000")),
        (A2, Decimal("0.0001")),
        (A3, Decimal("0.5")),
        (A3, Decimal("12345678")),
        (A4, Decimal("80")),
        (A12, "1234"),
        (A12, "12345678901G"),
        (A15, date(2011, 12, 25)),
        (A15, at("1999-12-31 23:59:00")),
        (A15, at("2100-01-01 00:00:00")),
        (A1, "2020-12-12"),
        (A1, Clock(at("2020-12-12 14:30:33"), 8)),
        (A18, PartTime(day=32, hour=0, minute=0)),
        (U16, 65536),
        (U16, -1),
        (U16, Decimal("1")),
        (IP, "192.168.0"),
        (IP, "192.168.0.256"),
        (IP, 5),
        (REGION, "834"),
        (Characters(4), "12345"),
        (Characters(4), 1234),
        (Nibbles(1), "123"),
        (Nibbles(2), "1F"),
        (Octets(2), "123456"),
        (Octets(2), 1),
    ],
)
def test_value_that_does_not_fit_is_refused(layout, value):
    with pytest.raises(ValueError):
        layout.encode(value)


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        (Decimal("123"), "2381"),  # Its own exponent, 0.
        (Decimal("1.5"), "15A0"),  # Its own exponent, -1.
        (Decimal("5000"), "0065"),  # Exponent 0 has not the digits: the finest that has, 1.
        (Decimal("1230000"), "2301"),
        (Decimal("1.5000"), "50C1"),
    ],
)
def test_a2_finds_a_scale_for_any_number(value, wire):
    assert A2.decode(bytes.fromhex(wire)) == value
    assert A2.encode(value).hex().upper() == wire


def test_a3_goes_to_megawatt_hours_when_it_must():
    assert A3.encode(Decimal("1234567000")) == bytes.fromhex("67452341")
    assert A3.encode(Decimal("1234000")) == bytes.fromhex("00402301")


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=40)
@given(data=st.data())
def test_bytes_come_back(name, data):
    """Whatever was read as a value is written as the same bytes."""
    layout = ALL[name]
    nibble = st.sampled_from(range(10)) if data.draw(st.booleans()) else st.integers(0, 15)
    digits = data.draw(st.lists(nibble, min_size=2 * layout.size, max_size=2 * layout.size))
    raw = bytes(high << 4 | low for high, low in zip(digits[::2], digits[1::2], strict=True))
    value = layout.decode(raw)
    if value is not None:
        assert layout.encode(value) == raw
        assert isinstance(layout.words(value), str)


@pytest.mark.parametrize("name", NUMBERS)
@settings(max_examples=40)
@given(data=st.data())
def test_numbers_come_back(name, data):
    layout = NUMBERS[name]
    top = 10**layout.digits - 1 if not layout.signed else 8 * 10 ** (layout.digits - 1) - 1
    number = data.draw(st.integers(-top if layout.signed else 0, top))
    value = Decimal(number).scaleb(-layout.decimals)
    assert layout.decode(layout.encode(value)) == value


@given(st.datetimes(at("2000-01-01"), at("2099-12-31")))
def test_times_come_back(moment):
    moment = moment.replace(microsecond=0)
    assert A1.decode(A1.encode(moment)) == Clock.of(moment)
    minute = moment.replace(second=0)
    assert A15.decode(A15.encode(minute)) == minute
    assert A20.decode(A20.encode(moment.date())) == moment.date()
    assert A16.decode(A16.encode(moment)) == PartTime(
        day=moment.day, hour=moment.hour, minute=moment.minute, second=moment.second
    )


@given(st.integers(0, 999), st.integers(-3, 4), st.booleans())
def test_a2_comes_back(digits, exponent, negative):
    value = Decimal((int(negative), tuple(map(int, str(digits))), exponent))
    assert str(A2.decode(A2.encode(value))) == str(value)


def test_widths_are_those_of_the_standard():
    """The column "bytes" of the table in section 15."""
    sizes = [6, 2, 4, 1, 2, 2, 2, 2, 3, 3, 4, 6, 4, 5, 5, 4, 4, 3, 2, 3, 2, 1, 3, 2, 3, 2, 4]
    named = [ALL[f"A{number}"] for number in range(1, 28)]
    assert [one.size for one in named] == sizes


def test_unsigned_takes_every_byte():
    assert Unsigned(1).decode(b"\xee") == 0xEE
