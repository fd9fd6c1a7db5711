"""The bytes of a link in any pieces: frames come out, and every other byte as noise."""

from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vectors1376 import (
    ENTRIES,
    OLD_EDITION,
    REJECTED,
    SOUND,
    STREAMS,
    frame_bytes,
    password_size,
    wire,
)

from station.protocols.noise import Noise
from station.protocols.qgdw1376.frame import Address, Frame
from station.protocols.qgdw1376.parser import FRAME_SIZE_MAX, Parser

LOGIN = bytes.fromhex("683200320068C900023412000271000001008516")
JUNK = bytes.fromhex("FE5516FF0068166868004A004A0068")


def of_id(entry):
    return entry["id"]


def events_of(parser, chunks):
    """Feed the pieces; return every event, after the last piece also what was held back."""
    events = []
    for chunk in chunks:
        parser.receive_data(chunk)
        events += iter(parser.next_event, None)
    parser.give_up()
    events += iter(parser.next_event, None)
    assert parser.waiting == 0
    assert b"".join(map(bytes_of, events)) == b"".join(chunks), "a byte is unaccounted for"
    return events


def bytes_of(event):
    return event.data if isinstance(event, Noise) else event.to_bytes()


def frames_of(events):
    return [event for event in events if isinstance(event, Frame)]


def whole(raw):
    return [raw]


def bytewise(raw):
    return [raw[at : at + 1] for at in range(len(raw))]


def after_noise(raw):
    return [JUNK + raw]


def twice(raw):
    return [raw + raw]


@pytest.mark.parametrize("chunks", [whole, bytewise, after_noise, twice])
@pytest.mark.parametrize("entry", SOUND, ids=of_id)
def test_frame_is_found(entry, chunks):
    expected = Frame.from_bytes(frame_bytes(entry), password_size(entry))
    found = frames_of(events_of(Parser(password_size(entry)), chunks(wire(entry))))
    assert found == [expected] * (2 if chunks is twice else 1)


@pytest.mark.parametrize("entry", REJECTED + OLD_EDITION, ids=of_id)
def test_frame_that_is_none_becomes_noise(entry):
    assert frames_of(events_of(Parser(), [wire(entry)])) == []


@pytest.mark.parametrize("entry", OLD_EDITION, ids=of_id)
def test_older_edition_is_found_when_switched_on(entry):
    raw = wire(entry)
    found = frames_of(events_of(Parser(accept_2005=True), [raw]))
    assert [frame.to_bytes() for frame in found] == [raw]


@pytest.mark.parametrize("split", ["as stated", "joined", "bytewise"])
@pytest.mark.parametrize("stream", STREAMS.values(), ids=of_id)
def test_stream(stream, split):
    chunks = [bytes.fromhex(chunk) for chunk in stream["chunks_hex"]]
    if split == "joined":
        chunks = whole(b"".join(chunks))
    elif split == "bytewise":
        chunks = bytewise(b"".join(chunks))
    found = frames_of(events_of(Parser(), chunks))
    assert [frame.to_bytes().hex().upper() for frame in found] == stream["expect_frames"]


@pytest.mark.parametrize("entry", SOUND, ids=of_id)
def test_a_frame_behind_every_corruption_is_found(entry):
    """A corrupt L may make the parser wait; giving up finds the good frame."""
    raw = frame_bytes(entry)
    for at in range(len(raw)):
        broken = raw[:at] + bytes((raw[at] ^ 0x40,)) + raw[at + 1 :]
        found = frames_of(events_of(Parser(), [broken + LOGIN]))
        assert [frame.to_bytes() for frame in found] == [LOGIN]


@pytest.mark.parametrize("entry", SOUND, ids=of_id)
def test_a_frame_behind_every_truncation_is_found(entry):
    raw = frame_bytes(entry)
    for size in range(len(raw)):
        found = frames_of(events_of(Parser(), [raw[:size], LOGIN]))
        assert [frame.to_bytes() for frame in found] == [LOGIN]


def test_preamble_is_noise_of_its_own_kind():
    parser = Parser()
    parser.receive_data(b"\xfe\xfe\xfe\xfe" + LOGIN)
    assert parser.next_event() == Noise(b"\xfe\xfe\xfe\xfe", "preamble")
    assert parser.next_event() == Frame.from_bytes(LOGIN)
    assert parser.next_event() is None


def test_noise_says_why():
    broken = LOGIN[:-2] + b"\x86\x16"
    parser = Parser()
    parser.receive_data(broken + LOGIN)
    assert parser.next_event() == Noise(broken, "checksum is 86H, sum is 85H at byte 18")
    assert parser.next_event() == Frame.from_bytes(LOGIN)


def test_a_frame_that_is_not_all_there_waits():
    parser = Parser()
    parser.receive_data(b"\x55" + LOGIN[:10])
    assert parser.next_event() == Noise(b"\x55", "no start of a frame")
    assert parser.next_event() is None
    assert parser.waiting == 10
    parser.receive_data(LOGIN[10:])
    assert parser.next_event() == Frame.from_bytes(LOGIN)
    assert parser.waiting == 0


def test_a_memoryview_may_be_overwritten_afterwards():
    shared = bytearray(LOGIN)
    parser = Parser()
    parser.receive_data(memoryview(shared))
    shared[:] = bytes(len(shared))
    assert parser.next_event() == Frame.from_bytes(LOGIN)


def test_size_is_limited():
    address = Address("0200", 1)
    biggest = Frame(0x88, address, 0x0C, 0x60, bytes(2048 - 8))
    too_big = Frame(0x88, address, 0x0C, 0x60, bytes(2048 - 7))
    assert len(biggest.to_bytes()) == FRAME_SIZE_MAX
    assert frames_of(events_of(Parser(), [biggest.to_bytes()])) == [biggest]
    assert frames_of(events_of(Parser(), [too_big.to_bytes()])) == []


def test_no_more_than_one_frame_is_held_back():
    parser = Parser()
    header = bytes.fromhex("680220022068")  # L1 = 2048, the largest that is waited for.
    for _ in range(50):
        parser.receive_data(header * 100)
        while parser.next_event() is not None:
            pass
        assert parser.waiting <= FRAME_SIZE_MAX


@pytest.mark.parametrize(
    "unit",
    [
        b"\x68",
        b"\x55",
        bytes.fromhex("683200320068"),
        bytes.fromhex("6802200220"),  # Every fifth byte starts a candidate of the largest size.
        bytes.fromhex("6816161616"),  # The same, and 16H stands where its end should be.
    ],
)
def test_noise_costs_time_in_proportion(unit):
    """A megabyte of the worst noise: each byte starts at most one candidate of bounded size."""
    noise = unit * (1_000_000 // len(unit))
    parser = Parser()
    started = perf_counter()
    for at in range(0, len(noise), 65536):
        parser.receive_data(noise[at : at + 65536])
        while parser.next_event() is not None:
            pass
    parser.receive_data(b"\x00" * FRAME_SIZE_MAX + LOGIN)
    events = list(iter(parser.next_event, None))
    assert events[-1] == Frame.from_bytes(LOGIN)
    assert perf_counter() - started < 20


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_random_bytes_never_raise(chunks):
    events_of(Parser(accept_2005=True), chunks)


@given(
    st.lists(
        st.one_of(
            st.sampled_from([frame_bytes(entry) for entry in ENTRIES.values()]),
            st.binary(max_size=12),
            st.sampled_from([b"\x68", b"\xfe", b"\x16", bytes.fromhex("683200320068")]),
        ),
        max_size=6,
    ),
    st.lists(st.integers(1, 40), min_size=1, max_size=20),
)
def test_pieces_make_no_difference(parts, sizes):
    """However the same bytes are cut, the same frames come out."""
    stream = b"".join(parts)
    chunks, at = [], 0
    for size in sizes * (len(stream) + 1):
        if at >= len(stream):
            break
        chunks.append(stream[at : at + size])
        at += size
    assert frames_of(events_of(Parser(), chunks)) == frames_of(events_of(Parser(), [stream]))
