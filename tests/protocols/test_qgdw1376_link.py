"""Login, logout, heartbeat and their confirmation; forwarding; which frame answers which."""

from datetime import datetime

import pytest
from vectors1376 import ENTRIES, frame_bytes

from station.protocols.line import LineSettings
from station.protocols.qgdw1376.confirmation import item_errors
from station.protocols.qgdw1376.forward import (
    deny,
    forward_answer,
    forward_request,
    forwarded_line,
    forwarded_port,
    inner_bytes,
    is_denial,
)
from station.protocols.qgdw1376.frame import Address, Frame
from station.protocols.qgdw1376.link import (
    LinkFunction,
    confirm,
    heartbeat,
    heartbeat_clock,
    is_confirmation,
    link_function,
    login,
    logout,
)
from station.protocols.qgdw1376.requests import is_answer, is_further_answer

TERMINAL = Address("0200", 0x1234)
LINE = LineSettings(2400, "E", 8, 1)


def frame_of(name):
    return Frame.from_bytes(frame_bytes(ENTRIES[name]))


@pytest.mark.parametrize(
    ("up", "down", "item_by_item", "master"),
    [
        ("V-001", "V-002", False, None),
        ("V-008", "V-009", True, 1),
        ("V-010", "V-011", True, 1),
        ("V-033", "V-034", False, None),
        ("V-035", "V-036", True, None),
    ],
)
def test_confirmation_is_that_of_real_stations(up, down, item_by_item, master):
    answer = confirm(frame_of(up), item_by_item, master)
    assert answer.to_bytes() == frame_bytes(ENTRIES[down])
    assert is_confirmation(answer)
    assert not is_denial(answer)


@pytest.mark.parametrize("name", ["V-014", "V-032"])
def test_report_is_confirmed_as_a_whole(name):
    """Section 8: AFN00 F1 with the same sequence, C = 00H."""
    report = frame_of(name)
    answer = confirm(report)
    assert answer == Frame(0x00, report.address, 0x00, 0x60 | report.sequence, b"\0\0\1\0")


def test_link_frame_without_identification_is_confirmed_as_a_whole():
    assert confirm(Frame(0xC9, TERMINAL, 0x02, 0x71, b"\0")).data == b"\0\0\1\0"


def test_terminal_confirms_upwards():
    answer = confirm(Frame(0x4A, TERMINAL.with_master(1), 0x05, 0x73, bytes.fromhex("00000204")))
    assert answer.control == 0x80
    assert answer.address.master == 1
    assert is_confirmation(answer)


def test_item_by_item_answer_with_an_error_is_a_denial():
    good = bytes.fromhex("00000400 04 00000100 00 00000400 00")
    bad = bytes.fromhex("00000400 04 00000100 00 00000400 01")
    assert is_confirmation(Frame(0x80, TERMINAL, 0x00, 0x61, good))
    refusal = Frame(0x80, TERMINAL, 0x00, 0x61, bad)
    assert item_errors(refusal) == (0, 1)
    assert is_denial(refusal)
    assert not is_confirmation(refusal)


def test_other_frames_confirm_and_deny_nothing():
    other = Frame(0x88, TERMINAL, 0x0C, 0x60, b"\0\0\1\0")
    assert not is_confirmation(other)
    assert not is_denial(Frame(0x88, TERMINAL, 0x0C, 0x60, b"\0\0\2\0"))
    assert item_errors(other) == ()


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("V-001", LinkFunction.LOGIN),
        ("V-003", LinkFunction.HEARTBEAT),
        ("V-010", LinkFunction.HEARTBEAT),
        ("V-030", LinkFunction.LOGIN),
        ("V-002", None),
        ("V-014", None),
    ],
)
def test_link_function_of_real_frames(name, function):
    assert link_function(frame_of(name)) is function


def test_link_frames_are_those_of_real_terminals():
    assert login(TERMINAL, 1).to_bytes() == frame_bytes(ENTRIES["V-001"])
    assert heartbeat(TERMINAL, 1).to_bytes() == frame_bytes(ENTRIES["V-003"])
    clock = datetime.fromisoformat("2020-12-12 14:30:33")
    with_clock = heartbeat(Address("0834", 0x0494), 5, clock)
    assert with_clock.to_bytes() == frame_bytes(ENTRIES["V-010"])
    assert heartbeat_clock(with_clock) == clock
    assert link_function(logout(TERMINAL, 16)) is LinkFunction.LOGOUT
    assert logout(TERMINAL, 16).sequence == 0


@pytest.mark.parametrize(
    "frame",
    [
        heartbeat(TERMINAL, 1),
        Frame(0xC9, TERMINAL, 0x02, 0x71, b"\0\0\4\0" + b"\xee" * 6),
        Frame(0xC9, TERMINAL, 0x02, 0x71, b"\0\0\1\0" + bytes.fromhex("33301412D220")),
    ],
)
def test_no_clock_where_none_is_sent(frame):
    assert heartbeat_clock(frame) is None


def test_link_function_is_only_said_by_terminals():
    assert link_function(Frame(0x4B, TERMINAL, 0x02, 0x71, b"\0\0\1\0")) is None


@pytest.mark.parametrize(
    ("name", "port", "inner"),
    [
        ("V-006", 31, "68611001301215681104333334337B16"),
        ("V-007", 31, "6861100130121568910833333433AB3933334916"),
        ("V-018", 0, "68127072000100688111A2E93373353333333333333333333396338416"),
        ("V-019", 0, "6801000000000068810E82F3C0A3333433343533383335334116"),
        ("V-021", 1, "68010000000000681B08433A333333333533A516"),
    ],
)
def test_inner_bytes_of_real_frames(name, port, inner):
    frame = frame_of(name)
    assert forwarded_port(frame) == port
    assert inner_bytes(frame) == bytes.fromhex(inner)


def test_line_of_a_real_request():
    assert forwarded_line(frame_of("V-006")) == LINE
    assert forwarded_line(frame_of("V-007")) is None


def test_forward_request_is_that_of_a_real_station():
    """V-006 but for its time tag."""
    frame = forward_request(
        TERMINAL,
        31,
        LINE,
        bytes.fromhex("68611001301215681104333334337B16"),
        frame_timeout_s=60,
        byte_timeout_ms=100,
        sequence=0,
        master=2,
    )
    real = frame_of("V-006")
    assert (frame.data, frame.password) == (real.data, real.password)
    assert (frame.control, frame.address) == (real.control, real.address)
    assert frame.seq == 0x60


def test_forward_answer_repeats_port_address_and_sequence():
    request = frame_of("V-006")
    answer = forward_answer(request, b"\x68\x16")
    assert answer.data == bytes.fromhex("00000100 1F 0200 6816")
    assert inner_bytes(answer) == b"\x68\x16"
    assert is_answer(request, answer)


def test_silence_of_the_meter_is_an_empty_answer_or_a_denial():
    request = frame_of("V-006")
    assert inner_bytes(forward_answer(request, b"")) == b""
    denial = deny(request)
    assert is_denial(denial)
    assert not is_confirmation(denial)
    assert is_answer(request, denial)
    assert inner_bytes(denial) is None


def test_inner_size_decides_over_the_password_size():
    """A vendor's request without PW, read with the usual setting."""
    inner = bytes(range(0x30, 0x50))
    frame = forward_request(
        TERMINAL,
        2,
        LINE,
        inner,
        frame_timeout_s=5,
        byte_timeout_ms=95,
        sequence=1,
        master=1,
        password=b"",
    )
    read = Frame.from_bytes(frame.to_bytes())
    assert read.password == inner[-16:]
    assert inner_bytes(read) == inner


@pytest.mark.parametrize(
    "data", [b"", b"\0\0\1\0", b"\0\0\1\0\x02\x6b", bytes.fromhex("00000002 0203")]
)
def test_forward_frame_cut_short_forwards_nothing(data):
    assert inner_bytes(Frame(0x4B, TERMINAL, 0x10, 0x60, data)) is None
    assert inner_bytes(Frame(0x88, TERMINAL, 0x10, 0x60, data[:6])) is None


def test_cut_forward_frame_has_no_port_and_no_line():
    assert forwarded_port(Frame(0x4B, TERMINAL, 0x10, 0x60, b"\0\0\1\0")) is None
    assert forwarded_line(Frame(0x4B, TERMINAL, 0x10, 0x60, b"\0\0\1\0\2")) is None
    assert forwarded_port(frame_of("V-001")) is None


@pytest.mark.parametrize(
    ("frame_timeout_s", "byte_timeout_ms"), [(0, 100), (128, 100), (60, 0), (60, 2551)]
)
def test_timeouts_that_do_not_fit_are_refused(frame_timeout_s, byte_timeout_ms):
    with pytest.raises(ValueError, match="timeout"):
        forward_request(
            TERMINAL,
            2,
            LINE,
            b"",
            frame_timeout_s=frame_timeout_s,
            byte_timeout_ms=byte_timeout_ms,
            sequence=0,
            master=1,
        )


REQUEST = Frame(0x4B, TERMINAL.with_master(1), 0x0C, 0x65, bytes.fromhex("02010110"))


def answer_with(**changes):
    fields = {
        "control": 0x88,
        "address": TERMINAL.with_master(1),
        "afn": 0x0C,
        "seq": 0x65,
        "data": b"",
    }
    return Frame(**(fields | changes))


@pytest.mark.parametrize(
    "frame",
    [
        answer_with(),
        answer_with(control=0x98),
        answer_with(control=0xA8, seq=0x45),
        answer_with(afn=0x00, control=0x80),
    ],
)
def test_answer_is_recognised(frame):
    assert is_answer(REQUEST, frame)


@pytest.mark.parametrize(
    "frame",
    [
        answer_with(control=0x08),  # Not from the terminal.
        answer_with(control=0xC8),  # The terminal begins something of its own.
        answer_with(address=TERMINAL),  # Another master station asked.
        answer_with(address=Address("0200", 0x1235, 1)),
        answer_with(address=Address("0201", 0x1234, 1)),
        answer_with(afn=0x0D),
        answer_with(seq=0x66),
        answer_with(afn=0x00, seq=0x64),
    ],
)
def test_other_frames_are_no_answer(frame):
    assert not is_answer(REQUEST, frame)


def test_task_data_comes_as_class_1_or_2():
    request = Frame(0x4B, TERMINAL.with_master(1), 0x0B, 0x65, b"")
    assert is_answer(request, answer_with(afn=0x0C))
    assert is_answer(request, answer_with(afn=0x0D))
    assert not is_answer(request, answer_with(afn=0x0E))


def test_further_frames_count_on_modulo_16():
    request = Frame(0x4B, TERMINAL.with_master(1), 0x0C, 0x6F, b"")
    assert is_further_answer(request, answer_with(seq=0x4F), 0)
    assert is_further_answer(request, answer_with(seq=0x00), 1)
    assert is_further_answer(request, answer_with(seq=0x21), 2)
    assert not is_further_answer(request, answer_with(seq=0x21), 1)
