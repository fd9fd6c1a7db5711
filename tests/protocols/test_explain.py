"""Every byte is explained, once, in order, in both languages; and rightly."""

from datetime import datetime
from decimal import Decimal

import pytest
import vectors645
import vectors698
import vectors1376
from hypothesis import given
from hypothesis import strategies as st

from station.protocols import dlt645
from station.protocols.describe import describe, find_frame
from station.protocols.dlt645 import Version, functions, profile, requests
from station.protocols.dlt698 import frame as dlt698
from station.protocols.dlt698.apdu import decode_apdu
from station.protocols.dlt698.axdr import write_length
from station.protocols.dlt698.data import Data, DataType
from station.protocols.dlt698.envelope import RecordResult
from station.protocols.dlt698.get import GetResponseRecord
from station.protocols.dlt698.identifiers import Oad, Road
from station.protocols.explain import DEPTH_MAX, Span, explain, explain_frame
from station.protocols.explain.apdus import WRAPPERS_MAX
from station.protocols.line import LineSettings
from station.protocols.qgdw1376.forward import forward_answer, forward_request
from station.protocols.qgdw1376.frame import Address, Frame

METER = "000000000161"
WIRES = (
    [vectors645.wire(entry) for entry in vectors645.ENTRIES]
    + [vectors1376.wire(entry) for entry in vectors1376.ENTRIES.values()]
    + [vectors698.wire(entry) for entry in vectors698.FRAMES + vectors698.BAD_FRAMES]
)


def check(raw):
    """Return the spans after a look at what all of them have to be."""
    spans = explain(raw)
    at = 0
    for span in spans:
        assert span.start == at
        assert span.end > at
        assert span.name.en
        assert span.name.zh
        assert 0 <= span.depth <= DEPTH_MAX + 1
        at = span.end
    assert at == len(raw)
    return spans


def rows(raw, start=0, end=None):
    """Return bytes, name, value and words of the spans that lie between two offsets."""
    return [
        (
            raw[span.start : span.end].hex().upper(),
            span.name.en,
            span.value,
            span.words.en if span.words else None,
        )
        for span in check(raw)
        if span.start >= start and span.end <= (len(raw) if end is None else end)
    ]


def named(raw, name):
    """Return value and words of the one span with a name."""
    (found,) = [span for span in check(raw) if span.name.en == name]
    return found.value, found.words.en if found.words else None


@pytest.mark.parametrize("raw", WIRES, ids=range(len(WIRES)))
def test_vectors_are_covered(raw):
    check(raw)


@pytest.mark.parametrize("raw", WIRES, ids=range(len(WIRES)))
def test_a_frame_is_explained_where_it_stands(raw):
    found = find_frame(raw)
    if found is not None:
        spans = explain_frame(found.frame, found.start)
        assert spans == [span for span in explain(raw) if span.start >= found.start][: len(spans)]
        assert (spans[0].start, spans[-1].end) == (found.start, found.end)


@given(st.sampled_from(WIRES), st.data())
def test_mutated_vectors_are_covered(raw, data):
    at = data.draw(st.integers(0, len(raw)))
    check(raw[:at] + data.draw(st.binary(max_size=3)) + raw[at + data.draw(st.integers(0, 3)) :])


@given(st.binary(max_size=200))
def test_random_bytes_are_covered(raw):
    check(raw)


@given(
    st.sampled_from([0x03, *range(0x01, 0x20), 0x81, 0x83, 0x91, 0x92, 0xB1, 0xB2, 0xD1, 0xC3]),
    st.one_of(
        st.binary(max_size=60),
        st.tuples(
            st.sampled_from(
                [
                    "00000100",
                    "0000FF02",
                    "0001FF05",
                    "01000006",
                    "00FF0000",
                    "0101FF1D",
                    "FF000007",
                    "FF010107",
                    "010C0004",
                    "00000104",
                    "0100000401020304",
                    "1F90",
                ]
            ).map(bytes.fromhex),
            st.binary(max_size=100),
        ).map(b"".join),
    ),
)
def test_meter_frames_with_random_contents_are_covered(control, data):
    check(dlt645.Frame(METER, control, data).to_bytes())


@given(
    st.integers(0, 255),
    st.sampled_from([0, 1, 2, 4, 5, 6, 8, 9, 0x0A, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F, 0x10, 0xFE]),
    st.integers(0, 255),
    st.tuples(
        st.binary(max_size=2), st.integers(0, 7), st.integers(0, 30), st.binary(max_size=120)
    ).map(lambda parts: parts[0].ljust(2, b"\0") + bytes((1 << parts[1], parts[2])) + parts[3]),
)
def test_terminal_frames_with_random_contents_are_covered(control, afn, seq, data):
    check(Frame(control, Address("0200", 0x1234), afn, seq, data).to_bytes())


@given(st.sampled_from(vectors698.FRAMES + vectors698.APDUS), st.data())
def test_object_frames_with_changed_contents_are_covered(entry, data):
    apdu = bytearray.fromhex(entry.get("decoded", {}).get("apdu", entry["hex"]))
    for _ in range(data.draw(st.integers(0, 2))):
        at = data.draw(st.integers(0, len(apdu)))
        apdu[at : at + 1] = data.draw(st.binary(max_size=2))
    control = data.draw(st.sampled_from([0xC3, 0x43, 0xCB]))
    check(dlt698.Frame(control, dlt698.ServerAddress(METER), 0, bytes(apdu)).to_bytes())


def test_meter_answer():
    raw = b"\xfe\xfe" + vectors645.frame_bytes(vectors645.SOUND[2])
    assert rows(raw) == [
        ("FEFE", "wake-up bytes", "FE FE", None),
        ("68", "start", "68", None),
        ("610100000000", "address", METER, None),
        ("68", "start", "68", None),
        ("91", "control code", "91", "from the meter, read data"),
        ("08", "length", "8", "33H is added to each byte of the data"),
        ("33333433", "data identifier", "00010000", "Forward active energy, total"),
        ("59333333", "Forward active energy, total", "0.26 kWh", None),
        ("8A", "checksum", "8A", None),
        ("16", "end", "16", None),
    ]


def test_refusal_of_a_meter_and_wildcard_address():
    raw = dlt645.Frame("AAAAAAAAAAAA", 0xD1, b"\x06").to_bytes()
    assert named(raw, "address") == ("AAAAAAAAAAAA", "whoever is on the line")
    assert named(raw, "control code")[1] == "from the meter, refused, read data"
    assert named(raw, "error word") == (
        "06",
        "no requested data; wrong password or not authorised",
    )


def test_following_answer_with_its_sequence_number():
    request = requests.read_following(Version.V2007, METER, 0x0001FF00, 7)
    raw = requests.answer(request, bytes.fromhex("1122334444332211"), has_more=True).to_bytes()
    assert [row[1] for row in rows(raw, 10, len(raw) - 2)] == [
        "data identifier",
        "Forward active energy, total",
        "Forward active energy, tariff 1",
        "sequence number",
    ]
    assert named(raw, "sequence number") == ("7", None)
    assert named(request.to_bytes(), "sequence number") == ("07", None)


def test_what_closes_blocks_and_sections():
    block = dlt645.Frame(METER, 0x91, bytes.fromhex("00FF0100" + "26000000" * 2 + "AA"))
    assert [row[0] for row in rows(block.to_bytes(), 14, 23)] == ["59333333", "59333333", "DD"]
    day = bytes.fromhex("01FF0605" + "0000110826AA" + "26000000AA" + "AA" * 10)
    found = rows(dlt645.Frame(METER, 0x91, day).to_bytes(), 14)
    assert [row[1] for row in found if row[0] == "DD"] == ["end of a block or section"] * 12
    assert [row[2] for row in found if row[0] != "DD"][:2] == ["2026-08-11T00:00:00", "0.26 kWh"]


def test_load_profile():
    values = {0x02010100: Decimal("220.1"), 0x02010200: None, 0x02010300: Decimal("0.0")}
    values |= {data_id: Decimal("1.5") for data_id, _ in profile.SECTIONS[0][3:6]}
    values |= {0x02800002: Decimal("50.01")}
    time = datetime.fromisoformat("2026-08-11T10:15")
    record = profile.ProfileRecord(time, values)
    data = b"\x01\x00\x00\x06" + profile.encode([record, record]) + b"\x01\x02"
    found = rows(dlt645.Frame(METER, 0x91, data).to_bytes(), 14)
    assert [row[1:3] for row in found[:9]] == [
        ("start of a record", "A0 A0"),
        ("length of the record", "28"),
        ("record time", "2026-08-11T10:15:00"),
        ("Voltage, phase A", "220.1 V"),
        ("Voltage, phase B", "FF FF"),
        ("Voltage, phase C", "0.0 V"),
        ("Current, phase A", "1.500 A"),
        ("Current, phase B", "1.500 A"),
        ("Current, phase C", "1.500 A"),
    ]
    assert found[4][3] == "no value"
    assert [row[1] for row in found].count("end of the record") == 2
    assert found[-3][1:] == ("content", "01 02", "cannot be decoded")


def test_write_to_a_meter_hides_no_byte_and_shows_no_password():
    authority = requests.Authority(2, "123456", "87654321")
    frame = requests.write(Version.V2007, METER, 0x04000103, b"\x15", authority)
    assert [row[1:3] for row in rows(frame.to_bytes(), 10, 23)] == [
        ("data identifier", "04000103"),
        ("password level", "02"),
        ("password", "***"),
        ("operator code", "87654321"),
        ("Demand period", "15 min"),
    ]


@pytest.mark.parametrize("entry", vectors645.SOUND, ids=lambda entry: entry["id"])
def test_meter_frames_are_explained_as_they_are_described(entry):
    raw = vectors645.wire(entry)
    found = check(raw)
    for item in describe(raw)["items"]:
        if item["value"] is not None:
            assert any(
                span.name.en == item["name"] and span.value.startswith(item["value"])
                for span in found
            )


def test_maker_s_function_keeps_its_bytes():
    raw = dlt645.Frame(METER, 0x1F, b"\x01\x02").to_bytes()
    assert named(raw, "control code")[1].endswith("a maker's own function")
    assert named(raw, "content") == ("01 02", "cannot be decoded")
    assert functions.find_function(Version.V2007, 0x1F) is None


def test_heartbeat_of_a_terminal():
    raw = vectors1376.frame_bytes(vectors1376.ENTRIES["V-010"])
    assert rows(raw) == [
        ("68", "start", "68", None),
        ("4A00", "length", "18", "Q/GDW 1376.1"),
        ("4A00", "length", "18", "Q/GDW 1376.1"),
        ("68", "start", "68", None),
        ("C9", "control", "C9", "from the terminal, opens the exchange, link test"),
        ("3408", "region", "0834", None),
        ("9404", "terminal address", "0494", "1172"),
        ("00", "master station and group", "0", None),
        ("02", "application function (AFN)", "02", "link test"),
        (
            "75",
            "sequence (SEQ)",
            "5",
            "first frame (FIR), last frame (FIN), to be confirmed (CON)",
        ),
        ("00000400", "data unit identification", "p0 F3", "heartbeat"),
        ("33301412D220", "clock", "2020-12-12T14:30:33", None),
        ("93", "checksum", "93", None),
        ("16", "end", "16", None),
    ]


def test_closing_fields_of_a_terminal_frame():
    raw = vectors1376.frame_bytes(vectors1376.ENTRIES["V-005"])
    assert named(raw, "important events (EC1)") == ("17", None)
    assert named(raw, "general events (EC2)") == ("0", None)
    assert named(raw, "time tag: sent at") == ("day 07 13:52:27", None)
    assert named(raw, "time tag: allowed delay") == ("5 min", None)
    reset = vectors1376.frame_bytes(vectors1376.ENTRIES["V-004"])
    assert named(reset, "message authentication (PW)")[0] == " ".join(["00"] * 16)


def forwarded(inner):
    request = forward_request(
        Address("0200", 0x1234),
        2,
        LineSettings(2400, "E", 8, 1),
        inner,
        frame_timeout_s=10,
        byte_timeout_ms=500,
        sequence=3,
        master=1,
    )
    return request.to_bytes(), forward_answer(request, inner).to_bytes()


@pytest.mark.parametrize("name", ["get-voltage-response", "proxy-trans-645-response"])
def test_frames_inside_are_explained_in_place(name):
    inner = vectors698.wire_of(name)
    for raw, start in zip(forwarded(b"\xfe" + inner), (24, 21), strict=True):
        found = [span for span in check(raw) if span.depth]
        assert found[0] == Span(start, start + 1, found[0].name, "FE", None, 1)
        assert [
            Span(one.start - start - 1, one.end - start - 1, one.name, one.value, one.words,
                 one.depth - 1)
            for one in found[1:]
        ] == explain(inner)  # fmt: skip


def test_frames_in_frames_end_somewhere():
    raw = dlt645.read_address().to_bytes()
    for _ in range(DEPTH_MAX + 2):
        raw = forwarded(raw)[1]
    spans = check(raw)
    assert max(span.depth for span in spans) == DEPTH_MAX + 1
    assert [span.name.en for span in spans].count("content") == 1


@pytest.mark.parametrize("wrappers", [1, 3, 4, 1000])
def test_apdus_in_apdus_end_somewhere(wrappers):
    apdu = bytes.fromhex("0501010010020000")
    for _ in range(wrappers):
        apdu = b"\x10\x00" + write_length(len(apdu)) + apdu + b"\x01\x00"
    spans = check(dlt698.Frame(0x43, dlt698.ServerAddress("01"), 0, apdu).to_bytes())
    services = [span.words.en for span in spans if span.name.en == "service"]
    expected = ["SECURITY-Request"] * min(wrappers, WRAPPERS_MAX + 1)
    assert services == expected + ["GET-Request"] * (wrappers <= WRAPPERS_MAX)


def test_unit_of_unknown_layout_is_one_span():
    raw = Frame(0x88, Address("0200", 1), 0x0C, 0x60, bytes.fromhex("0000026401020304")).to_bytes()
    (found,) = [span for span in check(raw) if span.name.en == "not decoded"]
    assert found.value == "00 00 02 64 01 02 03 04"
    assert found.words is not None


def test_events_of_a_terminal():
    raw = vectors1376.frame_bytes(vectors1376.ENTRIES["V-015"])
    names = [span.name.en for span in check(raw)]
    assert names.count("event code (ERC)") >= 1
    assert names.count("event code (ERC)") == names.count("length of the event")


def test_objects_of_an_answer():
    raw = vectors698.wire_of("get-energy-response")
    found = rows(raw, 14)
    assert found[:6] == [
        ("85", "service", "85", "GET-Response"),
        ("01", "kind of service", "1", "Normal"),
        ("1D", "PIID", "29", "number 29"),
        ("00100200", "object attribute (OAD)", "00100200", "Forward active energy"),
        ("01", "result: kind", "1", "data"),
        ("0105", "Forward active energy", "5", "elements in an array"),
    ]
    assert [row[1:3] for row in found[6:11]] == [
        ("Forward active energy, total", "1.02 kWh"),
        ("Forward active energy, tariff 1", "0.36 kWh"),
        ("Forward active energy, tariff 2", "0.64 kWh"),
        ("Forward active energy, tariff 3", "0.00 kWh"),
        ("Forward active energy, tariff 4", "0.01 kWh"),
    ]


@pytest.mark.parametrize(
    ("name", "field", "value", "words"),
    [
        ("link-login-2025", "kind", "0", "login"),
        ("link-login-2025", "heartbeat", "180 s", None),
        ("link-login-response-trusted", "result", "128", "success, its clock is trusted"),
        ("action-response-dar4", "result (DAR)", "4", "object undefined"),
        ("action-response-dar4", "object method (OMD)", "45000100", "Mobile module 1, reset"),
        ("get-address-wildcard", "kind of address (AF)", "45",
         "wildcard address, logical address 0, 6 bytes"),
        ("fragment-middle", "format word", "262", "middle piece"),
        ("fragment-middle", "piece of an APDU", "F1 01 02", None),
        ("scrambled-get-clock", "object attribute (OAD)", "40000200", "Clock"),
        ("scrambled-get-clock", "control", "4B",
         "from the client, opened by the client, "
         "33H is added to each byte of the user data, user data"),
        ("report-recordlist", "control", "83",
         "from the server, opened by the server, user data"),
        ("proxy-trans-698", "port settings (COMDCB)", "9600 8E1", None),
        ("security-request-rn", "secured data: kind", "0", "plain"),
        ("security-request-rn", "object attribute (OAD)", "43000300", "Device, version"),
        ("connect-response", "result", "0", "allowed"),
        ("get-response-nonminimal-length", "Unknown object", "NO TEST", "visible-string"),
        ("get-record-response-minute", "Freeze time, record 1", "2017-04-25T00:15:00",
         "date-time-s"),
    ],
)  # fmt: skip
def test_fields_of_object_frames(name, field, value, words):
    assert named(vectors698.wire_of(name), field) == (value, words)


def test_values_of_a_store_in_a_record():
    energy = Oad.of(0x0010)
    row = (
        Data(
            DataType.STRUCTURE,
            (Data(DataType.DOUBLE_LONG_UNSIGNED, 1234), Data(DataType.NULL, None)),
        ),
    )
    record = RecordResult(
        Oad.of(0x6012, 3), (Road(Oad.of(0x5004), (Oad.of(0x0010, 2, 1), energy)),), (row,)
    )
    apdu = GetResponseRecord(0, record)
    assert decode_apdu(apdu.to_bytes()) == apdu
    raw = dlt698.Frame(0xC3, dlt698.ServerAddress("01"), 0, apdu.to_bytes()).to_bytes()
    assert named(raw, "Forward active energy, total, record 1") == (
        "12.34 kWh",
        "double-long-unsigned",
    )
    assert named(raw, "Forward active energy, record 1") == ("", "no value")


def test_port_that_did_not_answer():
    apdu = bytes.fromhex("890704F2010201" + "0021" + "0000")
    raw = dlt698.Frame(0xC3, dlt698.ServerAddress("01"), 0, apdu).to_bytes()
    assert named(raw, "reply: kind") == ("0", "error (DAR)")
    assert named(raw, "reply") == ("33", "request timed out")


def test_password_of_an_association_is_not_shown():
    apdu = bytes.fromhex("0200" + "0016" + "FF" * 24 + "0400" * 2 + "01" + "0400" + "00000064")
    apdu += bytes.fromhex("0103313233" + "00")
    raw = dlt698.Frame(0x43, dlt698.ServerAddress("01"), 0, apdu).to_bytes()
    assert named(raw, "password") == ("***", None)


def test_apdu_is_explained_as_far_as_it_can_be_read():
    raw = dlt698.Frame(
        0xC3, dlt698.ServerAddress("01"), 0, bytes.fromhex("85010000100200" + "010106")
    ).to_bytes()
    found = rows(raw, 9)
    assert [row[1] for row in found[:5]] == [
        "service",
        "kind of service",
        "PIID",
        "object attribute (OAD)",
        "result: kind",
    ]
    assert found[5] == ("0106", "not decoded", "01 06", found[5][3])


def test_damaged_frame_says_what_is_wrong():
    raw = bytearray(vectors645.frame_bytes(vectors645.SOUND[2]))
    raw[-2] ^= 1
    assert rows(bytes(raw)) == [
        (
            raw.hex().upper(),
            "damaged frame",
            raw.hex(" ").upper(),
            "wrong checksum at byte 18",
        )
    ]
