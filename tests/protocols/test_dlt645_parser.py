"""Frames out of bytes: vectors (their file names the sources), cuts, noise, corruption."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.protocols.dlt645.frame import FRAME_SIZE_MAX, Frame, FrameError
from station.protocols.dlt645.parser import Parser
from station.protocols.noise import Noise

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "dlt645.json").read_text("utf-8"))[
    "entries"
]
VALID = [pytest.param(entry, id=entry["id"]) for entry in VECTORS if entry["expect"] == "valid"]
INVALID = [pytest.param(entry, id=entry["id"]) for entry in VECTORS if entry["expect"] == "invalid"]

Chunks = Callable[[bytes], Iterator[bytes]]


def whole(wire: bytes) -> Iterator[bytes]:
    yield wire


def bytewise(wire: bytes) -> Iterator[bytes]:
    for value in wire:
        yield bytes((value,))


def after_noise(wire: bytes) -> Iterator[bytes]:
    yield bytes.fromhex("0068112233445566AA16") + wire


def in_threes(wire: bytes) -> Iterator[bytes]:
    for place in range(0, len(wire), 3):
        yield wire[place : place + 3]


def events_of(chunks: Iterator[bytes], *, expire: bool = False) -> list[Frame | Noise]:
    """Feed chunks, and check that the events account for every byte."""
    parser = Parser()
    events: list[Frame | Noise] = []
    fed = b""
    for chunk in chunks:
        fed += chunk
        parser.receive_data(chunk)
        while event := parser.next_event():
            events.append(event)
    if expire:
        parser.give_up()
        while event := parser.next_event():
            events.append(event)
        assert raw_of(events) == fed
    else:
        assert fed.startswith(raw_of(events))
        assert len(fed) - len(raw_of(events)) < FRAME_SIZE_MAX
    return events


def raw_of(events: list[Frame | Noise]) -> bytes:
    return b"".join(e.to_bytes() if isinstance(e, Frame) else e.data for e in events)


def frames_of(events: list[Frame | Noise]) -> list[Frame]:
    return [event for event in events if isinstance(event, Frame)]


def frame_of(entry: dict) -> Frame:
    decoded = entry["decoded"]
    return Frame(
        decoded["address"], int(decoded["control"], 16), bytes.fromhex(decoded["data_hex"])
    )


@pytest.mark.parametrize("chunks", [whole, bytewise, in_threes, after_noise])
@pytest.mark.parametrize("entry", VALID)
def test_valid_vector(entry: dict, chunks: Chunks) -> None:
    wire = bytes.fromhex(entry["frame_hex"])
    preamble = entry["decoded"]["preamble_fe"]
    events = events_of(chunks(wire))
    assert frames_of(events) == [frame_of(entry)]
    noise = b"".join(event.data for event in events if isinstance(event, Noise))
    assert noise.endswith(wire[:preamble])
    assert frame_of(entry).to_bytes() == wire[preamble:]
    assert Frame.from_bytes(wire[preamble:]) == frame_of(entry)


@pytest.mark.parametrize("entry", VALID)
def test_valid_vector_twice(entry: dict) -> None:
    wire = bytes.fromhex(entry["frame_hex"])
    assert frames_of(events_of(whole(wire + wire))) == [frame_of(entry)] * 2


@pytest.mark.parametrize("chunks", [whole, bytewise, in_threes, after_noise])
@pytest.mark.parametrize("entry", INVALID)
def test_invalid_vector(entry: dict, chunks: Chunks) -> None:
    wire = bytes.fromhex(entry["frame_hex"])
    assert frames_of(events_of(chunks(wire), expire=True)) == []
    with pytest.raises(FrameError):
        Frame.from_bytes(wire)


@pytest.mark.parametrize("entry", INVALID)
def test_frame_behind_an_invalid_one(entry: dict) -> None:
    good = Frame("000000000161", 0x11, bytes(4))
    events = events_of(whole(bytes.fromhex(entry["frame_hex"]) + good.to_bytes()), expire=True)
    assert frames_of(events) == [good]


@pytest.mark.parametrize("entry", VALID)
def test_every_truncation(entry: dict) -> None:
    wire = bytes.fromhex(entry["frame_hex"])
    for size in range(len(wire)):
        assert frames_of(events_of(whole(wire[:size]))) == []
        assert frames_of(events_of(whole(wire[:size]), expire=True)) == []


@pytest.mark.parametrize("entry", VALID)
def test_every_corruption_of_one_byte(entry: dict) -> None:
    """No wrong byte passes, and the frame behind is still found."""
    wire = frame_of(entry).to_bytes()
    good = Frame("123456789012", 0x91, b"\x00\x00\x01\x00")
    for place, value in enumerate(wire):
        for wrong in {0x00, 0x16, 0x68, 0xFE, 0xFF, value ^ 0x01, value ^ 0x80} - {value}:
            damaged = wire[:place] + bytes((wrong,)) + wire[place + 1 :]
            events = events_of(whole(damaged + good.to_bytes()), expire=True)
            assert frames_of(events) == [good]


def test_capture_with_thirteen_frames_in_one_read() -> None:
    capture = [e for e in VECTORS if "V-020" <= e["id"] <= "V-030"]
    wire = bytes.fromhex("".join(entry["frame_hex"] for entry in capture))
    for chunks in (whole, bytewise, in_threes):
        assert frames_of(events_of(chunks(wire))) == [frame_of(entry) for entry in capture]


def test_noise_names_its_reason() -> None:
    good = Frame("000000000161", 0x11, bytes(4)).to_bytes()
    wrong_sum = good[:-2] + bytes((good[-2] ^ 1, 0x16))
    events = events_of(whole(b"\x01\x02" + b"\xfe\xfe" + good + wrong_sum + good))
    reasons = [(e.data, e.reason) for e in events if isinstance(e, Noise)]
    assert reasons == [
        (b"\x01\x02", "no start byte"),
        (b"\xfe\xfe", "preamble"),
        (wrong_sum, "wrong checksum"),
    ]


def test_frame_inside_a_false_beginning_comes_out_when_the_line_is_quiet() -> None:
    good = Frame("000000000161", 0x11, bytes(4))
    false_beginning = bytes.fromhex("68 111111111111 68 91 C8")
    parser = Parser()
    parser.receive_data(false_beginning + good.to_bytes())
    assert parser.next_event() is None
    parser.give_up()
    assert parser.next_event() == Noise(false_beginning, "incomplete frame")
    assert parser.next_event() == good
    assert parser.next_event() is None


@pytest.mark.parametrize(
    ("change", "reason", "offset"),
    [
        (lambda raw: raw[:9], "too short for a frame", 9),
        (lambda raw: b"\x67" + raw[1:], "no start byte", 0),
        (lambda raw: raw[:7] + b"\x69" + raw[8:], "no second start byte", 7),
        (lambda raw: raw + b"\x00", "length does not fit", 9),
        (lambda raw: raw[:-1] + b"\x17", "no end byte", 15),
        (lambda raw: raw[:-2] + b"\x00\x16", "wrong checksum", 14),
    ],
)
def test_from_bytes_says_what_is_wrong_and_where(
    change: Callable[[bytes], bytes], reason: str, offset: int
) -> None:
    raw = change(Frame("000000000161", 0x11, bytes(4)).to_bytes())
    with pytest.raises(FrameError) as caught:
        Frame.from_bytes(raw)
    assert (caught.value.reason, caught.value.offset) == (reason, offset)


@pytest.mark.parametrize(
    "frame",
    [Frame("0161", 0x11), Frame("00000000016X", 0x11), Frame("000000000161", 0x11, bytes(256))],
)
def test_to_bytes_refuses_what_no_frame_can_hold(frame: Frame) -> None:
    with pytest.raises(ValueError):
        frame.to_bytes()


def test_control_code_bits() -> None:
    names = ("from_meter", "is_error", "has_more")
    bits = {
        control: tuple(getattr(Frame("000000000161", control), name) for name in names)
        for control in (0x11, 0x91, 0xB1, 0xD1)
    }
    assert bits == {
        0x11: (False, False, False),
        0x91: (True, False, False),
        0xB1: (True, False, True),
        0xD1: (True, True, False),
    }
    assert {Frame("000000000161", control).function for control in bits} == {0x11}


FRAMES = st.builds(
    Frame,
    st.text("0123456789ABCDEF", min_size=12, max_size=12),
    st.integers(0, 255),
    st.binary(max_size=255),
)


@pytest.mark.parametrize("size", range(240, 256))
def test_longest_frames_of_the_largest_bytes(size: int) -> None:
    frame = Frame("FFFFFFFFFFFF", 0xFF, b"\xcc" * size)  # FFH as sent.
    wire = frame.to_bytes()
    assert sum(wire[:-2]) & 0xFF == wire[-2]
    assert Frame.from_bytes(wire) == frame
    assert frames_of(events_of(whole(wire))) == [frame]


@given(FRAMES)
def test_frame_round_trip(frame: Frame) -> None:
    assert Frame.from_bytes(frame.to_bytes()) == frame


@given(st.lists(FRAMES, max_size=4), st.integers(1, 50))
def test_stream_of_frames_cut_anywhere(frames: list[Frame], step: int) -> None:
    wire = b"".join(frame.to_bytes() for frame in frames)
    chunks = (wire[place : place + step] for place in range(0, len(wire), step))
    assert frames_of(events_of(chunks)) == frames


@given(
    st.lists(st.one_of(st.binary(max_size=40), st.just(b"\x68" * 9), FRAMES.map(Frame.to_bytes)))
)
def test_any_bytes_are_accounted_for(chunks: list[bytes]) -> None:
    events_of(iter(chunks))
    events_of(iter(chunks), expire=True)


@pytest.mark.parametrize(
    "pattern", ["68", "FE", "00", "68FE", "6800000000000068FF", "68686868686868680B16"]
)
def test_a_megabyte_of_noise_takes_linear_time(pattern: str) -> None:
    unit = bytes.fromhex(pattern)

    def seconds(size: int) -> float:
        noise = unit * (size // len(unit))
        started = time.perf_counter()
        events = events_of(iter([noise]), expire=True)
        assert raw_of(events) == noise
        return time.perf_counter() - started

    small = min(seconds(65_536) for _ in range(2))
    assert seconds(1_048_576) < 16 * 6 * small + 0.2
