"""Any frame in words: the right protocol, the meter inside, and what is wrong with what is none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vectors698 import BAD_FRAMES, FRAMES, wire_of
from vectors698 import wire as object_wire
from vectors1376 import ENTRIES, REJECTED, SOUND, frame_bytes, wire

from station.protocols import dlt645
from station.protocols.describe import describe, find_frame, meter_of, summary
from station.protocols.dlt698 import frame as dlt698
from station.protocols.line import LineSettings
from station.protocols.qgdw1376.forward import forward_answer, forward_request
from station.protocols.qgdw1376.frame import Address, Frame

# DL/T 645: a read of 00010000 and its answer; V-002 and V-003 of tests/vectors/dlt645.json.
READ = dlt645.read(dlt645.Version.V2007, "000000000161", 0x00010000).to_bytes()
READ_ANSWER = dlt645.Frame("000000000161", 0x91, bytes.fromhex("0000010026000000")).to_bytes()

TERMINAL = Address("0200", 0x1234)


def of_id(entry):
    return entry["id"]


def forwarded(inner):
    """Return a request that forwards, and its answer."""
    request = forward_request(
        TERMINAL,
        2,
        LineSettings(2400, "E", 8, 1),
        READ,
        frame_timeout_s=10,
        byte_timeout_ms=500,
        sequence=3,
        master=1,
    )
    return request.to_bytes(), forward_answer(request, inner).to_bytes()


@pytest.mark.parametrize("entry", SOUND, ids=of_id)
def test_every_sound_vector_is_described(entry):
    view = describe(wire(entry))
    stated = entry["decoded"]
    assert view["protocol"] == "qgdw1376.1"
    assert view["direction"] == stated["direction"]
    assert view["prm"] is bool(stated["prm"])
    assert view["address"] == {
        "text": Frame.from_bytes(frame_bytes(entry)).address.text,
        "region": stated["region_bcd"].upper(),
        "terminal": stated["terminal_address"],
        "master": stated["msa"],
        "group": bool(stated["group"]),
    }
    assert view["afn"] == stated["afn"]
    assert view["seq"] == {
        "tpv": bool(stated["tpv"]),
        "fir": bool(stated["fir"]),
        "fin": bool(stated["fin"]),
        "con": bool(stated["con"]),
        "number": stated["pseq_rseq"],
    }
    json.dumps(view)


@pytest.mark.parametrize("entry", FRAMES, ids=of_id)
def test_every_object_vector_is_described(entry):
    view = describe(object_wire(entry))
    assert view["protocol"] == "dlt698.45"
    assert view["address"] == entry["decoded"]["sa"]
    json.dumps(view)


@pytest.mark.parametrize("entry", BAD_FRAMES, ids=of_id)
def test_rejected_object_vector_gives_an_error(entry):
    assert set(describe(object_wire(entry))) == {"error", "offset"}


@pytest.mark.parametrize("entry", REJECTED, ids=of_id)
def test_rejected_vector_gives_an_error(entry):
    view = describe(wire(entry))
    assert set(view) == {"error", "offset"}
    assert summary(wire(entry)).en.endswith("bytes that are no frame")


def test_older_edition_shows_its_envelope_and_raw_contents():
    """Section 16, rule 7: the link drops it; a person who asks sees what is sure."""
    view = describe(wire(ENTRIES["V-045"]))
    assert view["protocol"] == "qgdw130-2005"
    assert view["address"]["text"] == "37022345"
    assert view["units"] == []
    assert view["rest"].startswith("000001004E425358")


def test_meter_frame_is_described_alone_and_inside():
    alone = describe(READ)
    assert alone["protocol"] == "dlt645-2007"
    request, answer = forwarded(READ_ANSWER)
    assert describe(request)["forwarded"] == alone
    assert describe(request)["password_size"] == 16
    assert describe(answer)["forwarded"]["items"][0]["value"] == "0.26"


def test_what_is_forwarded_and_no_frame_is_shown_as_such():
    broken = READ_ANSWER[:-2] + b"\x00\x16"
    view = describe(forwarded(broken)[1])["forwarded"]
    assert view == {"error": "wrong checksum", "data": broken.hex().upper()}
    assert describe(forwarded(b"")[1])["forwarded"] is None


def test_object_frame_is_described_inside_a_terminal_frame():
    asked = wire_of("get-voltage-request")
    answered = wire_of("get-voltage-response")
    raw = forwarded(answered)[1]
    assert describe(raw)["forwarded"] == describe(answered)
    assert meter_of(raw) == "012503200001"
    assert summary(raw).en == (
        "device 012503200001 answers: Voltage 224.1, 0.0, 0.0 V, through terminal 02001234"
    )
    assert meter_of(asked) is None  # Alone it may be a terminal's.


def test_terminal_frame_is_no_frame_of_a_meter():
    raw = forwarded(wire(ENTRIES["V-001"]))[1]
    assert describe(raw)["forwarded"]["error"] == "no frame of a meter"


def test_bytes_around_a_frame_are_shown():
    view = describe(b"\xfe\xfe" + READ + b"\x55")
    assert view["before"] == "FEFE"
    assert view["after"] == "55"
    assert view["address"] == "000000000161"


def test_closing_fields_are_shown():
    view = describe(wire(ENTRIES["V-005"]))
    assert view["event_counters"] == {"important": 17, "general": 0}
    assert view["time_tag"] == {"counter": 0, "sent": "day 07 13:52:27", "allowed_delay_min": 5}


@pytest.mark.parametrize(
    ("raw", "reason", "offset"),
    [
        ("", "no start of a frame", 0),
        ("55AA", "no start of a frame", 0),
        ("5568", "no start of a frame", 1),
        ("683200320068C9", "L says 20 bytes, 7 are here", 7),
        ("FE683200320068C900023412000271000001008616", "checksum is 86H, sum is 85H", 19),
        ("FE6861010000000068110433333433B017", "no 16H", 16),
    ],
)
def test_error_names_reason_and_offset(raw, reason, offset):
    assert describe(bytes.fromhex(raw)) == {"error": reason, "offset": offset}


def test_meter_frame_inside_a_broken_frame_does_not_hide_the_fault():
    raw = bytearray(forwarded(READ_ANSWER)[1])
    raw[-2] ^= 1
    assert describe(bytes(raw))["error"].startswith("checksum is")
    assert describe(bytes(raw[:-1]))["error"].startswith("L says")
    assert meter_of(bytes(raw)) is None


def test_meter_frame_whose_address_looks_like_a_terminal_header_is_found():
    """68 34 12 34 12 68: the address 016812341234, and equal L at the same time."""
    raw = dlt645.Frame("016812341234", 0x11, bytes(4)).to_bytes()
    found = find_frame(raw)
    assert found is not None
    assert isinstance(found.frame, dlt645.Frame)


@pytest.mark.parametrize(
    ("raw", "english", "chinese"),
    [
        (wire(ENTRIES["V-001"]), "login of terminal 02001234", "终端 02001234 登录"),
        (wire(ENTRIES["V-010"]), "heartbeat of terminal 08340494", "终端 08340494 心跳"),
        (wire(ENTRIES["V-011"]), "confirmation to terminal 08340494", "确认终端 08340494"),
        (wire(ENTRIES["V-005"]), "terminal 02001234 confirms", "终端 02001234 确认"),
        (
            wire(ENTRIES["V-015"]),
            "terminal 96123456 reports class 3 data: important events",
            "终端 96123456 主动上报：3类数据（事件）：重要事件",
        ),
        (
            wire(ENTRIES["V-017"]),
            "terminal 96123456 answers class 1 data: p5 power, power factor, voltage, current",
            "终端 96123456 应答：1类数据（实时）：p5 当前三相及总有功、无功功率，功率因数，"
            "电压，电流，视在功率",
        ),
        (
            wire(ENTRIES["V-041"]),
            "to terminal 00000001: class 1 data: terminal clock",
            "至终端 00000001：1类数据（实时）：终端日历时钟",
        ),
        (
            wire(ENTRIES["V-051"]),
            "terminal 10000001 reports class 2 data: p2 curve: active power, "
            "p2 curve: active power A, p2 curve: active power B and 17 more",
            "终端 10000001 主动上报：2类数据（历史）：p2 有功功率曲线，p2 A相有功功率曲线，"
            "p2 B相有功功率曲线等 20 项",
        ),
        (wire(ENTRIES["V-048"]), "to terminal 00000000: not in the standard", None),
        (
            READ_ANSWER,
            "meter 000000000161 answers: Forward active energy, total 0.26 kWh",
            "电能表 000000000161 应答：正向有功总电能 0.26 kWh",
        ),
        (
            READ,
            "read data: meter 000000000161, Forward active energy, total",
            "读数据：电能表 000000000161，正向有功总电能",
        ),
        (
            forwarded(READ_ANSWER)[1],
            "meter 000000000161 answers: Forward active energy, total 0.26 kWh, "
            "through terminal 02001234",
            "电能表 000000000161 应答：正向有功总电能 0.26 kWh（经终端 02001234）",
        ),
        (
            forwarded(b"")[1],
            "no answer from the meter, through terminal 02001234",
            "电能表无应答（经终端 02001234）",
        ),
        (
            forwarded(b"\x68\x16")[1],
            "2 bytes that are no frame, through terminal 02001234",
            "2 字节，不是完整报文（经终端 02001234）",
        ),
        (
            dlt645.Frame("000006605518", 0xD1, b"\x02").to_bytes(),
            "meter 000006605518 refuses: no requested data",
            "电能表 000006605518 拒绝：无请求数据",
        ),
        (dlt645.read_address().to_bytes(), "read address: any meter", "读通信地址：任意电能表"),
        (
            dlt645.Frame("000006605518", 0x94).to_bytes(),
            "meter 000006605518 confirms: write data",
            "电能表 000006605518 确认：写数据",
        ),
        (
            Frame(0x00, TERMINAL, 0x00, 0x60, b"\0\0\2\0").to_bytes(),
            "denial to terminal 02001234",
            "否认终端 02001234",
        ),
        (
            Frame(0x89, TERMINAL, 0x00, 0x60, b"\0\0\2\0").to_bytes(),
            "terminal 02001234 denies",
            "终端 02001234 否认",
        ),
        (b"\x01\x02", "2 bytes that are no frame", "2 字节，不是完整报文"),
        (wire_of("link-login-2025"), "login of terminal 111111111111", "终端 111111111111 登录"),
        (
            wire_of("link-login-response-trusted"),
            "confirmation to terminal 000000000322",
            "确认终端 000000000322",
        ),
        (
            wire_of("get-address-wildcard"),
            "GET-Request: any device; Communication address",
            "读取请求：任意设备；通信地址",
        ),
        (
            wire_of("get-energy-response"),
            "device 001812040002 answers: Forward active energy 1.02, 0.36, 0.64, 0.00, 0.01 kWh",
            "设备 001812040002 应答：正向有功电能 1.02, 0.36, 0.64, 0.00, 0.01 kWh",
        ),
        (
            wire_of("set-clock-response"),
            "device 000000000322 answers: Clock: done",
            "设备 000000000322 应答：日期时间：成功",
        ),
        (
            wire_of("action-response-dar4"),
            "device 000000000322 answers: Mobile module 1, reset: object undefined",
            None,
        ),
        (wire_of("connect-response"), "device 111111111111: CONNECT-Response", None),
        (
            wire_of("report-recordlist"),
            "device 111111111111 reports: Event record number 24; "
            "Event start time 2025-04-10T11:29:38; Event end time and 3 more",
            None,
        ),
        (
            wire_of("proxy-set-list"),
            "PROXY-Request: meter 000000000001; Clock 2017-07-02T13:34:02, "
            "through terminal 000000000004",
            "代理请求：电能表 000000000001；日期时间 2017-07-02T13:34:02（经终端 000000000004）",
        ),
        (
            wire_of("proxy-trans-698"),
            "GET-Request: device 012503200001; Current, phase A, through any terminal",
            "读取请求：设备 012503200001；电流 A相（经任意终端）",
        ),
        (
            wire_of("security-request-rn"),
            "GET-Request: device 000000000001; Device, version",
            "读取请求：设备 000000000001；电气设备 版本信息",
        ),
        (wire_of("fragment-ack"), "acknowledgement of piece 0: device 000000098613", None),
        (wire_of("fragment-last"), "device 000000000002: last piece 263", None),
        (
            dlt698.Frame(0xC3, dlt698.ServerAddress("01"), 0, b"\x85\x01").to_bytes(),
            "device 01: GET-Response that cannot be decoded (1 bytes are needed, 0 are left)",
            "设备 01：读取应答（无法解析）",
        ),
        (
            dlt698.Frame(
                0x01, dlt698.ServerAddress("01"), 0, b"\x81\x00\x01" + bytes(30)
            ).to_bytes(),
            "refusal to terminal 01: address duplicated",
            None,
        ),
    ],
)
def test_summary(raw, english, chinese):
    words = summary(raw)
    assert words.en == english
    assert chinese is None or words.zh == chinese


@pytest.mark.parametrize(
    ("raw", "meter"),
    [
        (READ, "000000000161"),
        (b"\xfe\xfe\xfe\xfe" + READ, "000000000161"),
        (wire(ENTRIES["V-006"]), "151230011061"),
        (wire(ENTRIES["V-018"]), "000100727012"),
        (wire(ENTRIES["V-010"]), None),
        (forwarded(b"\x68\x16")[1], None),
        (dlt645.Frame(dlt645.WILDCARD, 0x13).to_bytes(), None),
        (dlt645.Frame(dlt645.BROADCAST, 0x08, bytes(6)).to_bytes(), None),
        (b"", None),
        (wire_of("proxy-get-list"), "222222222222"),
        (wire_of("proxy-trans-645-response"), "000000000161"),
        (wire_of("proxy-trans-698"), "012503200001"),
        (wire_of("get-energy-response"), None),
    ],
)
def test_meter_of(raw, meter):
    assert meter_of(raw) == meter


@given(st.binary(max_size=60))
def test_random_bytes_are_described(raw):
    view = describe(raw)
    assert "protocol" in view or 0 <= view["offset"] <= len(raw)
    assert summary(raw).en
    meter_of(raw)


@given(
    st.integers(0, 255),
    st.sampled_from([0, 1, 2, 4, 5, 6, 8, 9, 0x0A, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F, 0x10, 0xFE]),
    st.integers(0, 255),
    st.binary(max_size=120),
)
def test_sound_frames_with_random_contents_are_described(control, afn, seq, data):
    """Nothing of the contents is lost: what no table explains stands in `rest`."""
    raw = Frame(control, TERMINAL, afn, seq, data).to_bytes()
    view = describe(raw)
    json.dumps(view)
    assert view["address"]["text"] == "02001234"
    assert summary(raw).zh
