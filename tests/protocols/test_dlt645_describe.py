"""Frames as JSON."""

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.protocols.dlt645 import profile, requests
from station.protocols.dlt645.describe import describe
from station.protocols.dlt645.frame import Frame, Version
from station.protocols.dlt645.requests import Authority

METER = "000000000161"
V2007, V1997 = Version.V2007, Version.V1997
LEVEL_2 = Authority(0x02, "123456", "00000012")
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "dlt645.json").read_text("utf-8"))
VALID = [
    pytest.param(entry, id=entry["id"])
    for entry in VECTORS["entries"]
    if entry["expect"] == "valid"
]


def described(frame: Frame) -> list[tuple[str, str | None]]:
    return [(item["code"], item["value"]) for item in describe(frame)["items"]]


def test_answer() -> None:
    raw = bytes.fromhex("6861010000000068910833333433593333338A16")
    assert describe(Frame.from_bytes(raw)) == {
        "protocol": "dlt645-2007",
        "direction": "up",
        "address": "000000000161",
        "control": "91",
        "function": "read data",
        "function_zh": "读数据",
        "error": None,
        "error_zh": None,
        "more": False,
        "data_id": "00010000",
        "data_name": "Forward active energy, total",
        "data_name_zh": "正向有功总电能",
        "items": [
            {
                "data_id": "00010000",
                "code": "energy_import_total",
                "name": "Forward active energy, total",
                "name_zh": "正向有功总电能",
                "value": "0.26",
                "unit": "kWh",
            }
        ],
    }


@pytest.mark.parametrize("entry", VALID)
def test_vector(entry: dict) -> None:
    decoded = entry["decoded"]
    raw = bytes.fromhex(entry["frame_hex"])[decoded["preamble_fe"] :]
    view = describe(Frame.from_bytes(raw))
    assert json.loads(json.dumps(view)) == view
    assert view["protocol"].endswith(entry["version"])
    assert view["address"] == decoded["address"]
    assert view["control"] == decoded["control"]
    assert view["direction"] == ("up" if decoded["direction"] == "slave" else "down")
    assert view["more"] == decoded["follow_up"]
    assert view["data_id"] == decoded.get("di")
    assert (view["error"] is not None) == decoded["error_reply"]
    for error in decoded.get("errors", ()):
        assert error in view["error"]
    values = [item for item in view["items"] if item["code"] not in ("level", "password")]
    for item, stated in zip(values, decoded.get("values", ()), strict=False):
        text = stated["value"]
        text = text["ascii"] if isinstance(text, dict) else text.partition(" weekday")[0]
        assert item["value"] == text.replace(" ", "T")
        assert item["unit"] == stated.get("unit", "")
    assert len(view["items"]) >= len(decoded.get("values", ()))


def test_control_names_the_command_and_hides_the_password() -> None:
    raw = bytes.fromhex("68030000000000681C1036333333453333334D333333333434CCF916")  # V-016
    view = describe(Frame.from_bytes(raw))
    assert [(item["code"], item["value"]) for item in view["items"]] == [
        ("level", "03"),
        ("password", "***"),
        ("operator", "00000012"),
        ("command", "1A"),
        ("option", "00"),
        ("until", "2099-01-01T00:00:00"),
    ]
    assert view["items"][3]["meaning"] == "trip"
    assert view["items"][3]["meaning_zh"] == "跳闸"


REQUESTS = [
    (requests.read(V2007, METER, 0x00010000), []),
    (requests.freeze(METER), [("moment", "99-99 99:99")]),
    (requests.change_baud(V2007, METER, 2400), [("baud", "08")]),
    (requests.write_address(V2007, "123456789012"), [("address", "123456789012")]),
    (
        requests.clear_events(METER, LEVEL_2),
        [("level", "02"), ("password", "***"), ("operator", "00000012"), ("events", None)],
    ),
    (
        requests.write(V2007, METER, 0x04000103, b"\x15", LEVEL_2),
        [("level", "02"), ("password", "***"), ("operator", "00000012"), ("demand_period", "15")],
    ),
    (
        requests.change_password(METER, 0x04000C03, LEVEL_2, LEVEL_2),
        [("level", "02"), ("password", "***"), ("new_level", "02"), ("new_password", "***")],
    ),
    (
        requests.control_ciphered(METER, "00000012", bytes(16), b"\x01\x02\x03\x04"),
        [
            ("level", "98"),
            ("password", "***"),
            ("operator", "00000012"),
            ("cipher", "00" * 16),
            ("mac", "01020304"),
        ],
    ),
    (
        requests.security(METER, 0x070102FF, "00000012", bytes.fromhex(
            "10270000 05000000 A1A2A3A4 123456789012 B1B2B3B4")),
        [
            ("operator", "00000012"),
            ("top_up_amount", "100.00"),
            ("top_up_count", "5"),
            ("top_up_mac", "A1A2A3A4"),
            ("top_up_customer", "129078563412"),
            ("top_up_mac_2", "B1B2B3B4"),
        ],
    ),
    (requests.security(METER, 0x070002FF, "00000012", b""), [("operator", "00000012")]),
    (
        profile.request(METER, start=datetime.fromisoformat("2024-05-06T07:15"), count=3),
        [("count", "03"), ("start", "2024-05-06T07:15:00")],
    ),
    (requests.reset_demand_1997(METER), []),
    (Frame(METER, 0x1E, b"\x01\x02"), [("", None)]),
    (Frame(METER, 0x08, b"\x01\x02"), [("", None)]),
]  # fmt: skip


@pytest.mark.parametrize(("frame", "items"), REQUESTS)
def test_request(frame: Frame, items: list) -> None:
    assert describe(frame)["direction"] == "down"
    assert described(frame) == items


def test_load_profile_records() -> None:
    moment = datetime.fromisoformat("2024-05-06T07:15")
    record = profile.ProfileRecord(moment, {0x02800004: Decimal("0.0100"), 0x02800005: None})
    request = profile.request(METER, start=moment, count=1)
    view = describe(requests.answer(request, profile.encode([record])))
    assert [(one["data_id"], one["value"], one["unit"]) for one in view["items"]] == [
        (None, "2024-05-06T07:15:00", ""),
        ("02800004", "0.0100", "kW"),
        ("02800005", None, "kvar"),
    ]
    broken = describe(requests.answer(request, b"\x01\x02\x03"))
    assert broken["items"][0]["raw"] == "010203"


def test_demand_shows_its_time() -> None:
    request = requests.read(V2007, METER, 0x01010000)
    view = describe(requests.answer(request, bytes.fromhex("5634123008010124")))
    assert (view["items"][0]["value"], view["items"][0]["time"]) == (
        "12.3456",
        "2024-01-01T08:30:00",
    )


def test_status_word_and_weekday_have_a_meaning() -> None:
    request = requests.read(V2007, METER, 0x04000503)
    (item,) = describe(requests.answer(request, b"\x50\x00"))["items"]
    assert (item["value"], item["meaning"]) == ("0050", "relay open; relay ordered open")
    (item,) = describe(requests.answer(request, b"\x00\x00"))["items"]
    assert "meaning" not in item
    request = requests.read(V2007, METER, 0x0400010C)
    (item,) = describe(requests.answer(request, bytes.fromhex("32531806291218")))["items"]
    assert (item["value"], item["meaning"]) == ("2018-12-29T18:53:32", "Saturday")


def test_refusals_in_words() -> None:
    request = requests.read(V2007, METER, 0x00010000)
    assert describe(requests.refuse(request, 0x06))["error"] == (
        "no requested data; wrong password or not authorised"
    )
    assert describe(requests.refuse(request, 0))["error"] == "no reason given"


def test_what_cannot_be_decoded_is_shown_raw() -> None:
    request = requests.read(V2007, METER, 0x00010000)
    (item,) = describe(requests.answer(request, b"\x0a\x00\x00\x00"))["items"]
    assert (item["value"], item["raw"]) == (None, "0A000000")
    request = requests.read(V2007, METER, 0x7F000000)
    view = describe(requests.answer(request, b"\x01"))
    assert (view["data_name"], view["items"][0]["raw"]) == ("unknown item", "01")


ENERGY_DATA = st.binary(max_size=30).map(lambda data: b"\xff\x00\x01\x00" + data)


@given(
    st.sampled_from([0x00, 0x20, 0x40, 0x80, 0xA0, 0xC0]),
    st.integers(0, 0x1F),
    st.one_of(
        st.binary(max_size=60), st.binary(max_size=30).map(lambda b: b"\xff\x00\x01\x00" + b)
    ),
)
def test_any_frame_can_be_described(flags: int, function: int, data: bytes) -> None:
    view = describe(Frame(METER, flags | function, data))
    assert json.loads(json.dumps(view)) == view
