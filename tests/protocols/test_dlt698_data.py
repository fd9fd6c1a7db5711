"""Values with their types, dates and times, identifiers: both ways, and what none of them is."""

from datetime import date, datetime, time
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies698 import ANY

from station.protocols.dlt698.axdr import Reader, codec_of, write_length
from station.protocols.dlt698.dar import RETRY, SUCCESS, WORDS, Dar
from station.protocols.dlt698.data import BitString, Data, DataType
from station.protocols.dlt698.identifiers import Comdcb, Oad, Omd, Tsa
from station.protocols.dlt698.moments import Date, DateTime, DateTimeS, Time
from station.protocols.faults import FrameError
from station.protocols.line import LineSettings


@pytest.mark.parametrize("kind", DataType)
def test_round_trip(kind):
    @settings(max_examples=60, deadline=None)
    @given(ANY.data_of(kind))
    def holds(data):
        raw = data.to_bytes()
        assert raw[0] == kind
        assert Data.from_bytes(raw) == data

    holds()


# One value of each type, by the table of the digest (section 7).
EXAMPLES = {
    "00": (DataType.NULL, None),
    "01 02 11 01 00": (DataType.ARRAY, (Data(DataType.UNSIGNED, 1), Data(DataType.NULL, None))),
    "02 01 11 01": (DataType.STRUCTURE, (Data(DataType.UNSIGNED, 1),)),
    "03 01": (DataType.BOOL, True),
    "04 0B FF E0": (DataType.BIT_STRING, BitString(11, b"\xff\xe0")),
    "05 FF FF FF FE": (DataType.DOUBLE_LONG, -2),
    "06 FF FF FF FE": (DataType.DOUBLE_LONG_UNSIGNED, 0xFFFFFFFE),
    "09 02 AB CD": (DataType.OCTET_STRING, b"\xab\xcd"),
    "0A 02 4F 4B": (DataType.VISIBLE_STRING, "OK"),
    "0C 03 E7 94 B5": (DataType.UTF8_STRING, "电"),
    "0F FF": (DataType.INTEGER, -1),
    "10 80 00": (DataType.LONG, -32768),
    "11 FF": (DataType.UNSIGNED, 255),
    "12 01 00": (DataType.LONG_UNSIGNED, 256),
    "14 FF FF FF FF FF FF FF FF": (DataType.LONG64, -1),
    "15 00 00 00 01 00 00 00 00": (DataType.LONG64_UNSIGNED, 1 << 32),
    "16 04": (DataType.ENUM, 4),
    "17 3F C0 00 00": (DataType.FLOAT32, Decimal("1.5")),
    "18 BF F8 00 00 00 00 00 00": (DataType.FLOAT64, Decimal("-1.5")),
    "19 07E0 05 13 04 08 05 00 00A4": (
        DataType.DATE_TIME,
        DateTime.of(datetime.fromisoformat("2016-05-19T08:05:00.164")),
    ),
    "1A 07E0 05 13 04": (DataType.DATE, Date.of(date(2016, 5, 19))),
    "1B 08 05 09": (DataType.TIME, Time.of(time(8, 5, 9))),
    "1C 07E0 05 13 08 05 00": (
        DataType.DATE_TIME_S,
        DateTimeS.of(datetime.fromisoformat("2016-05-19T08:05:00.900")),
    ),
    "50 40 00": (DataType.OI, 0x4000),
    "51 40 00 02 00": (DataType.OAD, Oad.of(0x4000)),
    "53 80 00 81 00": (DataType.OMD, Omd.of(0x8000, 129)),
    "55 07 05 00 00 00 00 00 01": (DataType.TSA, Tsa.of("000000000001")),
    "5F 06 02 08 01 00": (DataType.COMDCB, Comdcb.of(LineSettings.parse("9600 8E1"))),
}


@pytest.mark.parametrize("raw", EXAMPLES)
def test_example(raw):
    data = Data(*EXAMPLES[raw])
    assert Data.from_bytes(bytes.fromhex(raw)) == data
    assert data.to_bytes() == bytes.fromhex(raw)


@pytest.mark.parametrize("tag", sorted(set(range(256)) - set(DataType)))
def test_other_types_are_refused(tag):
    with pytest.raises(FrameError, match=f"data type {tag:02X}H is unknown at byte 0"):
        Data.from_bytes(bytes((tag,)) + bytes(20))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (DataType.UNSIGNED, 256),
        (DataType.UNSIGNED, -1),
        (DataType.INTEGER, 128),
        (DataType.DOUBLE_LONG, 1 << 31),
        (DataType.BIT_STRING, BitString(9, b"\x00")),
        (DataType.FLOAT32, Decimal("1e39")),
        (DataType.VISIBLE_STRING, "电"),
        (DataType.CSD, 5),
    ],
)
def test_value_that_does_not_fit(kind, value):
    with pytest.raises(ValueError):
        Data(kind, value).to_bytes()


def test_any_byte_but_0_is_true():
    assert Data.from_bytes(b"\x03\x02").value is True
    assert Data.from_bytes(b"\x03\x00").value is False


def test_what_is_no_number():
    assert Data.from_bytes(bytes.fromhex("17 7FC00001")).value is None
    assert Data(DataType.FLOAT64, None).to_bytes() == bytes.fromhex("18 7FF8000000000000")
    assert Data.from_bytes(bytes.fromhex("17 FF800000")).value == Decimal("-Infinity")


def test_bits():
    word = BitString(11, b"\x80\x20")
    assert [bit for bit in range(11) if word.is_set(bit)] == [0, 10]


@pytest.mark.parametrize(
    ("length", "raw"),
    [(0, "00"), (127, "7F"), (128, "8180"), (255, "81FF"), (256, "820100"), (65536, "83010000")],
)
def test_length(length, raw):
    assert write_length(length) == bytes.fromhex(raw)
    assert Reader(bytes.fromhex(raw)).length() == length


@pytest.mark.parametrize("raw", ["8107", "820007", "83000007", "8400000007"])
def test_length_that_is_longer_than_needed(raw):
    assert Reader(bytes.fromhex(raw)).length() == 7


def test_annotation_without_a_coding_is_a_type_error():
    with pytest.raises(TypeError, match="says not how it is coded"):
        codec_of(int)


LOCAL = st.datetimes(datetime.fromisoformat("1990-01-01"), datetime.fromisoformat("2099-12-31"))


@given(LOCAL)
def test_moments(moment):
    milliseconds = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert DateTime.of(moment).local == milliseconds
    assert DateTime.of(moment).text == milliseconds.isoformat(timespec="milliseconds")
    assert DateTimeS.of(moment).local == moment.replace(microsecond=0)
    assert DateTimeS.of(moment).text == moment.isoformat(timespec="seconds")
    assert Date.of(moment).local == moment.date()
    assert Date.of(moment).text == moment.date().isoformat()
    assert Time.of(moment.time()).local == moment.time().replace(microsecond=0)
    assert Time.of(moment.time()).text == moment.time().isoformat("seconds")


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (DateTimeS(0, 0, 0, 0, 0, 0), "0000-00-00T00:00:00"),
        (DateTimeS(0xFFFF, 0xFF, 1, 0, 0, 0xFF), "****-**-01T00:00:**"),
        (DateTime(2023, 2, 29, 1, 0, 0, 0, 0), "2023-02-29T00:00:00.000"),
        (DateTime(2023, 2, 28, 1, 0, 0, 0, 1000), "2023-02-28T00:00:00.1000"),
        (Date(2023, 13, 1, 1), "2023-13-01"),
        (Time(24, 0, 0), "24:00:00"),
    ],
)
def test_what_is_no_moment(moment, text):
    assert moment.local is None
    assert moment.text == text


def test_milliseconds_may_be_unspecified():
    moment = DateTime(2023, 2, 28, 0xFF, 1, 2, 3, 0xFFFF)
    assert moment.local == datetime.fromisoformat("2023-02-28T01:02:03")
    assert moment.text == "2023-02-28T01:02:03.***"


def test_sunday_is_7():
    assert Date.of(date(2024, 6, 9)).weekday == 7
    assert Date.of(date(2024, 6, 10)).weekday == 1


def test_oad():
    oad = Oad.from_text("2010a203")
    assert oad == Oad.of(0x2010, 0xA2, 3)
    assert (oad.oi, oad.attribute, oad.feature, oad.index) == (0x2010, 2, 5, 3)
    assert oad.text == "2010A203"


def test_omd():
    omd = Omd.from_text("80008100")
    assert omd == Omd.of(0x8000, 129)
    assert (omd.oi, omd.method, omd.mode, omd.text) == (0x8000, 129, 0, "80008100")


@pytest.mark.parametrize("text", ["", "0010020", "001002000", "0010020g"])
def test_text_that_is_no_descriptor(text):
    for kind in (Oad, Omd):
        with pytest.raises(ValueError):
            kind.from_text(text)


@pytest.mark.parametrize("text", ["300 8N1", "2400 8E1", "115200 7O2"])
def test_port_settings(text):
    line = LineSettings.parse(text)
    assert Comdcb.of(line).line == line


def test_port_settings_that_are_none():
    assert Comdcb(255, 2, 8, 1).line is None
    assert Comdcb(3, 3, 8, 1).line is None
    assert Comdcb(3, 2, 9, 1).line is None
    with pytest.raises(ValueError, match="a port runs at"):
        Comdcb.of(LineSettings.parse("14400 8E1"))


def test_results_in_words():
    assert set(WORDS) == {*range(37), 255}
    assert all(words.en and words.zh for words in WORDS.values())
    assert SUCCESS.words.en == "success"
    assert Dar(6).words == ("object does not exist", "对象不存在")
    assert Dar(99).words == ("unknown error 99", "未知错误99")
    assert set(WORDS) >= RETRY
