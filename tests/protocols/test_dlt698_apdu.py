"""Every APDU both ways: the vectors, random ones, random bytes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies698 import ANY, APDU_CLASSES
from vectors698 import APDUS, FRAMES, NOT_MINIMAL, of_id, stated, wire

from station.protocols.dlt698.apdu import SERVICES, decode_apdu, piid_of, service_of
from station.protocols.dlt698.dar import Dar
from station.protocols.dlt698.data import Data, DataType
from station.protocols.dlt698.envelope import AttributeResult, RecordResult
from station.protocols.dlt698.frame import Frame
from station.protocols.dlt698.get import GetRequestNormal, GetResponseNormal
from station.protocols.dlt698.identifiers import Oad
from station.protocols.faults import FrameError

WHOLE = [entry for entry in FRAMES if not entry["decoded"]["split"]]
RAW = {entry["id"]: Frame.from_bytes(wire(entry)).apdu for entry in WHOLE}
RAW |= {entry["id"]: wire(entry) for entry in APDUS}
ENERGY = RAW["get-energy-response"]


@pytest.mark.parametrize("entry", WHOLE + APDUS, ids=of_id)
def test_vector_means_what_is_stated(entry):
    expected = entry["decoded"]["decoded"] if entry in WHOLE else entry["decoded"]
    assert stated(decode_apdu(RAW[entry["id"]])) == expected


@pytest.mark.parametrize("entry", WHOLE + APDUS, ids=of_id)
def test_vector_is_encoded_again(entry):
    raw = RAW[entry["id"]]
    again = decode_apdu(raw).to_bytes()
    if entry["id"] == NOT_MINIMAL:
        assert len(again) == len(raw) - 2
        assert decode_apdu(again) == decode_apdu(raw)
    else:
        assert again == raw


@pytest.mark.parametrize("name", RAW)
def test_every_truncation_is_refused(name):
    """Also where the rest would do: an APDU has its trailers."""
    for size in range(len(RAW[name])):
        with pytest.raises(FrameError) as caught:
            decode_apdu(RAW[name][:size])
        assert 0 <= caught.value.offset <= size


@pytest.mark.parametrize("name", RAW)
def test_every_byte_too_many_is_refused(name):
    with pytest.raises(FrameError) as caught:
        decode_apdu(RAW[name] + b"\x00")
    assert (caught.value.reason, caught.value.offset) == ("1 bytes too many", len(RAW[name]))


@pytest.mark.parametrize("name", RAW)
def test_every_corruption_of_one_byte(name):
    """It is another APDU or none; what can be read is written and read again alike."""
    raw = RAW[name]
    for at in range(len(raw)):
        for value in {0x00, 0x01, 0x5B, 0x80, 0xFF, raw[at] ^ 0x01} - {raw[at]}:
            check_stable(raw[:at] + bytes((value,)) + raw[at + 1 :])


def check_stable(raw):
    fault = None
    try:
        apdu = decode_apdu(raw)
    except FrameError as error:
        fault = error
    if fault is None:
        assert decode_apdu(apdu.to_bytes()) == apdu
    else:
        assert 0 <= fault.offset <= len(raw)


@pytest.mark.parametrize("cls", APDU_CLASSES)
def test_round_trip(cls):
    @settings(max_examples=25, deadline=None)
    @given(ANY.of(cls))
    def holds(apdu):
        raw = apdu.to_bytes()
        assert decode_apdu(raw) == apdu
        assert cls.from_bytes(raw) == apdu

    holds()


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_random_bytes_give_an_apdu_or_a_frame_error(raw):
    check_stable(raw)


@settings(deadline=None)
@given(
    st.sampled_from([cls.TAG for cls in APDU_CLASSES]),
    st.lists(st.one_of(st.binary(max_size=9), st.sampled_from([bytes(4), b"\x01\x02\x01\x5a"]))),
)
def test_random_bytes_behind_a_tag(tag, parts):
    check_stable(tag + b"".join(parts))


@pytest.mark.parametrize(
    ("raw", "reason", "offset"),
    [
        ("", "no APDU", 0),
        ("04 00", "APDU tag 04H is unknown", 0),
        ("05", "the APDU is cut off", 1),
        ("05 07 00", "choice 7 of GET-Request is unknown", 1),
        (
            "45 01 00",
            "compact GET-Request belongs to a later edition and is not supported",
            0,
        ),
        ("05 01 00 40 00", "4 bytes are needed, 2 are left", 3),
        ("05 01 00 40 00 02 00 02", "OPTIONAL byte 02H", 7),
        ("85 01 00 40 00 02 00 02", "choice 2 of result is unknown", 7),
        ("85 01 00 40 00 02 00 01 61 00 00 00", "data type 61H is unknown", 8),
        ("85 01 00 40 00 02 00 01 01 05 00 00", "5 items, 2 bytes are left", 9),
        ("85 01 00 40 00 02 00 01 09 80 00 00", "length byte 80H", 9),
        ("85 01 00 40 00 02 00 01 09 85 00 00 00 00 00", "length byte 85H", 9),
        ("85 03 00 50 04 02 00 00 01 05 00 00", "5 rows without columns", 9),
    ],
)
def test_refusal_says_what_and_where(raw, reason, offset):
    data = bytes.fromhex(raw)
    if reason.startswith("5 rows"):
        data += bytes(5)
    with pytest.raises(FrameError) as caught:
        decode_apdu(data)
    assert (caught.value.reason, caught.value.offset) == (reason, offset)


def test_values_in_values_are_bounded():
    head = bytes.fromhex("85 01 00 40 00 02 00 01")
    deep = decode_apdu(head + b"\x01\x01" * 31 + bytes(3))
    assert deep.to_bytes() == head + b"\x01\x01" * 31 + bytes(3)
    with pytest.raises(FrameError, match="more than 32 values in each other"):
        decode_apdu(head + b"\x01\x01" * 32 + bytes(3))
    with pytest.raises(FrameError, match="more than 32 values in each other"):
        decode_apdu(head + b"\x01\x01" * 5000)


def test_an_apdu_of_another_class_is_refused():
    with pytest.raises(FrameError, match="no GetRequestNormal"):
        GetRequestNormal.from_bytes(ENERGY)


def test_what_cannot_be_sent_is_a_value_error():
    oad = Oad(0x00100200)
    for apdu in (
        GetRequestNormal(256, oad),
        GetRequestNormal(0, Oad(-1)),
        GetResponseNormal(0, AttributeResult(oad, 5)),
    ):
        with pytest.raises(ValueError):
            apdu.to_bytes()
    with pytest.raises(ValueError, match="2 values, one for each column"):
        RecordResult(oad, (oad, oad), ((Data(DataType.NULL, None),),)).to_bytes()
    with pytest.raises(ValueError, match="0 values, one for each column"):
        RecordResult(oad, (), ((),)).to_bytes()
    assert RecordResult(oad, (), Dar(6)).to_bytes() == bytes.fromhex("00100200 00 00 06")


def test_number_of_an_apdu_is_found_without_decoding_it():
    for name, raw in RAW.items():
        piid = getattr(decode_apdu(raw), "piid", None)
        if piid is not None:
            assert piid_of(raw) == piid, name
    assert piid_of(RAW["security-request-energy"]) == 0x7D
    assert piid_of(bytes.fromhex("10 01 02 AA BB 01 01 00")) is None
    assert piid_of(b"\x05") is None


def test_names():
    assert service_of(ENERGY) == (("GET-Response", "读取应答"), "Normal")
    assert service_of(b"\xc5\x01\x00") == (("compact GET-Response", "紧凑读取应答"), "")
    assert service_of(b"\x04") == (("unknown", "未知"), "")
    assert len({service.text for service in SERVICES}) == len(SERVICES) - 1  # Two ERROR-Response.
