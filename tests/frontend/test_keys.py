"""The keys of frames of every protocol, alone and one inside another."""

import pytest
from frontend_peers import NOW, REPLY, REQUEST, TERMINAL

from station.frontend.keys import NO_KEYS, is_heartbeat, keys_of, may_name_a_meter
from station.protocols.dlt698 import link as link698
from station.protocols.dlt698.frame import ServerAddress
from station.protocols.line import LineSettings
from station.protocols.qgdw1376 import link
from station.protocols.qgdw1376.forward import forward_answer, forward_request
from station.protocols.qgdw1376.frame import Address, Frame

OWN = Address.from_text(TERMINAL)
LOGIN = link.login(OWN, 1)
HEARTBEAT = link.heartbeat(OWN, 2, None)
FORWARDED = forward_request(
    OWN,
    2,
    LineSettings.parse("2400 8E1"),
    REQUEST.to_bytes(),
    frame_timeout_s=5,
    byte_timeout_ms=100,
    sequence=1,
    master=1,
)
# AFN0C F25 of p1, whose answer is not decoded here.
CLASS_1 = Frame(0x88, OWN, 0x0C, 0x60, bytes.fromhex("01010103") + bytes(4))
DEVICE = ServerAddress("000000000101")
CLOCK = NOW.replace(tzinfo=None)
GET_698 = bytes.fromhex(
    "68 24 00 C3 05 01 00 20 03 25 01 00 0E 29 85 01 00 20 00 02 00 01 01 03 12 08"
    "C1 12 00 00 12 00 00 00 00 F2 EC 16"
)


@pytest.mark.parametrize(
    ("raw", "protocol", "functions"),
    [
        (LOGIN.to_bytes(), "qgdw1376", ("qgdw1376 02", "qgdw1376 02 F1")),
        (HEARTBEAT.to_bytes(), "qgdw1376", ("qgdw1376 02", "qgdw1376 02 F3")),
        (CLASS_1.to_bytes(), "qgdw1376", ("qgdw1376 0C", "qgdw1376 0C F25")),
        (
            FORWARDED.to_bytes(),
            "qgdw1376",
            ("qgdw1376 10", "qgdw1376 10 F1", "dlt645 11"),
        ),
        (
            forward_answer(FORWARDED, b"\xfe\xfe" + REPLY.to_bytes()).to_bytes(),
            "qgdw1376",
            ("qgdw1376 10", "qgdw1376 10 F1", "dlt645 91"),
        ),
        (REQUEST.to_bytes(), "dlt645", ("dlt645 11",)),
        (b"\xfe\xfe\xfe\xfe" + REPLY.to_bytes(), "dlt645", ("dlt645 91",)),
        (GET_698, "dlt698.45", ("dlt698 85", "dlt698 85 01")),
        (link698.login(DEVICE, CLOCK, 60).to_bytes(), "dlt698.45", ("dlt698 01",)),
        (b"", *NO_KEYS),
        (b"\x68", *NO_KEYS),
        (b"\x00" * 40, *NO_KEYS),
    ],
)
def test_keys(raw: bytes, protocol: str, functions: tuple[str, ...]) -> None:
    assert keys_of(raw) == (protocol, functions)


def test_whatever_bytes_come_have_keys_or_none() -> None:
    for frame in (FORWARDED.to_bytes(), GET_698, CLASS_1.to_bytes(), REPLY.to_bytes()):
        for size in range(len(frame)):
            assert keys_of(frame[:size]).protocol in ("", "qgdw1376", "dlt645", "dlt698.45")
            assert isinstance(is_heartbeat(frame[:size]), bool)
            assert isinstance(may_name_a_meter(frame[:size]), bool)


def test_heartbeats_are_told_at_a_glance() -> None:
    assert is_heartbeat(HEARTBEAT.to_bytes())
    assert is_heartbeat(link698.heartbeat(DEVICE, CLOCK, 60).to_bytes())
    assert not is_heartbeat(link698.login(DEVICE, CLOCK, 60).to_bytes())
    for frame in (LOGIN, FORWARDED, CLASS_1, link.confirm(HEARTBEAT, True)):
        assert not is_heartbeat(frame.to_bytes())
    assert not is_heartbeat(REPLY.to_bytes())
    assert not is_heartbeat(GET_698)


def test_a_terminals_own_frames_name_no_meter() -> None:
    assert not any(may_name_a_meter(frame.to_bytes()) for frame in (LOGIN, HEARTBEAT, CLASS_1))
    assert may_name_a_meter(FORWARDED.to_bytes())
    assert may_name_a_meter(b"\xfe" + REPLY.to_bytes())
    assert not may_name_a_meter(GET_698)
