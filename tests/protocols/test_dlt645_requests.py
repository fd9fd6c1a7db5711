"""Requests byte for byte, who answers whom, long answers and refusals in words."""

from datetime import datetime

import pytest

from station.protocols.dlt645 import requests
from station.protocols.dlt645.errors import error_words
from station.protocols.dlt645.following import LongAnswer
from station.protocols.dlt645.frame import BROADCAST, WILDCARD, Frame, Version
from station.protocols.dlt645.functions import data_id_of, version_of
from station.protocols.dlt645.requests import Authority, Command

METER = "000000000161"
V2007, V1997 = Version.V2007, Version.V1997
ZERO = Authority(0x00, "000000", "00000000")
LEVEL_2 = Authority(0x02, "123456", "00000012")
MIDNIGHT_2099 = datetime.fromisoformat("2099-01-01")

# What a builder makes, and the captured frame (ids are those of the vectors).
BUILT = [
    (requests.read_address(), "68AAAAAAAAAAAA681300DF16"),  # V-001
    (requests.read(V2007, METER, 0x00010000), "68610100000000681104333334331416"),  # V-002
    (
        requests.broadcast_time(datetime.fromisoformat("2017-06-05T10:22:51")),
        "6899999999999968080684554338394A4B16",
    ),  # V-014
    (
        requests.broadcast_time(
            datetime.fromisoformat("2017-06-05T10:40:25"), address="111111111111"
        ),
        "6811111111111168080658734338394A0D16",
    ),  # V-015
    (
        requests.control(
            "000000000003", Command.TRIP, MIDNIGHT_2099, Authority(0x03, "000000", "00000012")
        ),
        "68030000000000681C1036333333453333334D333333333434CCF916",
    ),  # V-016
    (
        requests.read_following(V2007, "123456789012", 0x03300001),
        "681290785634126812053433633634D116",
    ),  # V-031
    (requests.change_baud(V2007, "201901120001", 2400), "680100120119206817013B7016"),  # V-041
    (requests.read(V1997, "000000000003", 0xB611), "6803000000000068010244E90316"),  # V-043
    (requests.read(V1997, BROADCAST, 0x9010), "6899999999999968010243C36F16"),  # V-045
    (
        requests.write(V1997, BROADCAST, 0xC010, bytes.fromhex("06060719"), ZERO),
        "6899999999999968040A43F33333333339393A4C6E16",
    ),  # V-057
]

# What a builder makes, its control code, and its data in wire order without the 33H.
LAID_OUT = [
    (requests.read(V2007, METER, 0x06000001, b"\x01"), 0x11, "01000006 01"),
    (
        requests.write(V2007, METER, 0x04000103, b"\x15", LEVEL_2),
        0x14,
        "03010004 02563412 12000000 15",
    ),
    (requests.write_address(V2007, "123456789012"), 0x15, "129078563412"),
    (requests.write_address(V1997, "123456789012", address=BROADCAST), 0x0A, "129078563412"),
    (requests.freeze(METER), 0x16, "99999999"),
    (requests.freeze(METER, "99010030"), 0x16, "30000199"),
    (requests.change_baud(V1997, METER, 1200), 0x0C, "04"),
    (
        requests.change_password(METER, 0x04000C03, LEVEL_2, Authority(0x02, "654321")),
        0x18,
        "030C0004 02563412 02214365",
    ),
    (requests.reset_demand(METER, LEVEL_2), 0x19, "02563412 12000000"),
    (requests.clear_meter(METER, LEVEL_2), 0x1A, "02563412 12000000"),
    (requests.clear_events(METER, LEVEL_2), 0x1B, "02563412 12000000 FFFFFFFF"),
    (requests.clear_events(METER, LEVEL_2, 0x033001FF), 0x1B, "02563412 12000000 FF013003"),
    (
        requests.control_ciphered(METER, "00000012", bytes(16), b"\x01\x02\x03\x04"),
        0x1C,
        "98000000 12000000" + "00" * 16 + "01020304",
    ),
    (requests.terminal_output(METER, 1), 0x1D, "01"),
    (requests.security(METER, 0x070002FF, "00000012", b""), 0x03, "FF020007 12000000"),
    (requests.read_following(V1997, METER, 0x901F), 0x02, "1F90"),
    (requests.read_again_1997(METER), 0x03, ""),
    (requests.change_password_1997(METER, ZERO, LEVEL_2), 0x0F, "00000000 02563412"),
    (requests.reset_demand_1997(METER), 0x10, ""),
]


@pytest.mark.parametrize(("frame", "wire"), BUILT)
def test_request_is_the_captured_frame(frame: Frame, wire: str) -> None:
    assert frame.to_bytes().hex().upper() == wire


@pytest.mark.parametrize(("frame", "control", "data"), LAID_OUT)
def test_request_layout(frame: Frame, control: int, data: str) -> None:
    assert (frame.control, frame.data) == (control, bytes.fromhex(data))


@pytest.mark.parametrize("frame", [row[0] for row in LAID_OUT + BUILT])
def test_every_answer_and_refusal_answers_its_request(frame: Frame) -> None:
    reply = requests.answer(frame, b"\x01\x02", address="000000000161")
    refusal = requests.refuse(frame, 0x02, address=reply.address)
    asked_one_meter = "A" not in frame.address and frame.address != BROADCAST
    fits = frame.address == reply.address or not asked_one_meter
    assert requests.is_answer(frame, reply) == fits
    assert requests.is_answer(frame, refusal) == fits
    assert version_of(reply) == version_of(refusal) == version_of(frame)


@pytest.mark.parametrize(
    "call",
    [
        lambda: requests.change_baud(V2007, METER, 115200),
        lambda: requests.freeze(METER, "9999"),
        lambda: requests.write_address(V2007, "161"),
        lambda: requests.reset_demand(METER, Authority(0x02, "1234")),
        lambda: requests.reset_demand(METER, Authority(0x02, "123456", "12")),
    ],
)
def test_a_field_that_does_not_fit_is_refused(call) -> None:
    with pytest.raises(ValueError):
        call()


def test_password_is_not_shown() -> None:
    assert "123456" not in repr(LEVEL_2)


@pytest.mark.parametrize(
    ("asked", "answering", "fits"),
    [
        (METER, METER, True),
        (METER, "000000000162", False),
        (METER, WILDCARD, False),
        (WILDCARD, METER, True),
        (WILDCARD, WILDCARD, True),  # V-039: the meter keeps the wildcard.
        ("AAAAAAAA0161", METER, True),
        ("AAAAAAAA0161", "AAAAAAAA0161", True),
        ("AAAAAAAA0161", "000000000162", False),
        (BROADCAST, "201708176934", True),  # V-045, V-046.
    ],
)
def test_addresses(asked: str, answering: str, fits: bool) -> None:
    request = requests.read(V2007, asked, 0x02010100)
    assert requests.is_answer(request, Frame(answering, 0x91, request.data + b"\0\0")) == fits


@pytest.mark.parametrize(
    ("reply", "fits"),
    [
        (Frame(METER, 0x91, bytes.fromhex("000001000000")), True),
        (Frame(METER, 0xB1, bytes.fromhex("00000100")), True),
        (Frame(METER, 0xD1, b"\x02"), True),
        (Frame(METER, 0x11, bytes.fromhex("00000100")), False),  # An echo.
        (Frame(METER, 0x92, bytes.fromhex("00000100")), False),
        (Frame(METER, 0x91, bytes.fromhex("00000200")), False),  # Late, of another request.
        (Frame(METER, 0x91, bytes.fromhex("0000")), False),
        (Frame(METER, 0x91, bytes.fromhex("01150004") + bytes(12)), False),
    ],
)
def test_answer_to_a_read(reply: Frame, fits: bool) -> None:
    assert requests.is_answer(requests.read(V2007, METER, 0x00010000), reply) == fits


def test_active_report_in_place_of_an_answer() -> None:
    report = Frame(METER, 0x91, bytes.fromhex("01150004") + bytes(12))
    request = requests.read(V2007, METER, 0x00010000)
    assert requests.is_active_report(request, report)
    assert not requests.is_active_report(request, Frame(METER, 0x91, bytes.fromhex("00000100")))
    assert not requests.is_active_report(requests.freeze(METER), report)


@pytest.mark.parametrize(
    ("reply", "address"),
    [
        (Frame(WILDCARD, 0x93, bytes.fromhex("129078563412")), "123456789012"),  # V-032
        (Frame(METER, 0x91, bytes(6)), METER),
        (Frame(WILDCARD, 0x91, bytes(6)), None),  # V-039
        (Frame(BROADCAST, 0x81, bytes(6)), None),
    ],
)
def test_learned_address(reply: Frame, address: str | None) -> None:
    assert requests.learned_address(reply) == address


def test_long_answer_of_2007() -> None:
    request = requests.read(V2007, METER, 0x03300001)
    parts = [b"\x01\x02", b"\x03", b"\x04"]
    long_answer = LongAnswer(request)
    for number, part in enumerate(parts):
        reply = requests.answer(request, part, has_more=part != parts[-1])
        assert requests.is_answer(request, reply)
        following = long_answer.add(reply)
        if part != parts[-1]:
            assert following == requests.read_following(V2007, METER, 0x03300001, number + 1)
            request = following
    assert following is None
    assert long_answer.is_complete
    assert long_answer.data == b"\x01\x02\x03\x04"


def test_long_answer_of_1997_has_no_sequence() -> None:
    request = requests.read(V1997, METER, 0x901F)
    long_answer = LongAnswer(request)
    following = long_answer.add(requests.answer(request, b"\x01", has_more=True))
    assert following == Frame(METER, 0x02, bytes.fromhex("1F90"))
    assert long_answer.add(requests.answer(following, b"\x02")) is None
    assert (long_answer.data, long_answer.is_complete) == (b"\x01\x02", True)


def test_sequence_wraps_from_255_to_1() -> None:
    request = requests.read(V2007, METER, 0x03300001)
    long_answer = LongAnswer(request)
    sequences = []
    for _ in range(257):
        request = long_answer.add(requests.answer(request, b"\x00", has_more=True))
        sequences.append(request.data[4])
    assert sequences == [*range(1, 256), 1, 2]


@pytest.mark.parametrize("end", ["refused", "wrong sequence", "no sequence", "empty"])
def test_long_answer_that_breaks_off_keeps_what_came(end: str) -> None:
    request = requests.read(V2007, METER, 0x03300001)
    long_answer = LongAnswer(request)
    following = long_answer.add(requests.answer(request, b"\x01", has_more=True))
    last = requests.refuse(following, 0x02)
    if end == "wrong sequence":
        last = Frame(METER, 0x92, following.data[:4] + b"\x09\x07")
    elif end != "refused":
        last = Frame(METER, 0x92, following.data[:4] if end == "no sequence" else b"")
    assert long_answer.add(last) is None
    assert (long_answer.data, long_answer.is_complete) == (b"\x01", False)


def test_long_answer_without_end_is_given_up() -> None:
    request = requests.read(V2007, METER, 0x03300001)
    long_answer = LongAnswer(request)
    count = 0
    while request is not None and count < 5000:
        request = long_answer.add(requests.answer(request, b"\x00", has_more=True))
        count += 1
    assert (count, long_answer.is_complete) == (1024, False)


@pytest.mark.parametrize(
    ("version", "control", "data", "words"),
    [
        (V2007, 0xD1, "02", ["no requested data"]),  # V-020
        (V2007, 0xD4, "06", ["no requested data", "wrong password or not authorised"]),
        (V2007, 0xD7, "08", ["baud rate cannot be changed"]),
        (V1997, 0xC1, "02", ["no requested data (wrong identifier)"]),  # V-052
        (V1997, 0xC4, "01", ["other error (illegal data)"]),  # V-058
        (V2007, 0xC3, "0A00", ["repeated top-up", "identity authentication failed"]),
        (V2007, 0xC3, "0001", ["error bit 8"]),
        (V2007, 0xDC, "0200", ["error bit 1"]),  # A later profile; the bits have no names here.
        (V2007, 0xD1, "", []),
        (V2007, 0xD1, "FF" * 255, []),  # No error word is that long.
        (V2007, 0x91, "02", []),
    ],
)
def test_error_words(version: Version, control: int, data: str, words: list[str]) -> None:
    frame = Frame(METER, control, bytes.fromhex(data))
    assert [word.en for word in error_words(version, frame)] == words


@pytest.mark.parametrize(
    ("frame", "version", "data_id"),
    [
        (Frame(METER, 0x03), V1997, None),
        (Frame(METER, 0x03, bytes.fromhex("FF00000700000000")), V2007, 0x070000FF),
        (Frame(METER, 0x83, bytes.fromhex("1F9000000000")), V1997, 0x901F),
        (Frame(METER, 0xC3, b"\x01\x00"), V2007, None),
        (Frame(METER, 0xC3, b"\x01"), V1997, None),
        (Frame(METER, 0x94), V2007, None),
        (Frame(METER, 0x1F, b"\x01\x02\x03\x04"), V2007, None),
    ],
)
def test_version_and_identifier(frame: Frame, version: Version, data_id: int | None) -> None:
    assert (version_of(frame), data_id_of(frame)) == (version, data_id)
