"""The bytes of a link in any pieces: frames come out, and every other byte as noise."""

from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vectors698 import BAD_FRAMES, FRAMES, of_id, wire, wire_of

from station.protocols.dlt698.frame import FRAME_SIZE_MAX, Frame, ServerAddress, checksum
from station.protocols.dlt698.parser import Parser
from station.protocols.noise import Noise

LOGIN = wire_of("link-login-2025")
JUNK = bytes.fromhex("FE5516FF0068166868004A004A0068")


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
@pytest.mark.parametrize("entry", FRAMES, ids=of_id)
def test_frame_is_found(entry, chunks):
    expected = Frame.from_bytes(wire(entry))
    found = frames_of(events_of(Parser(), chunks(wire(entry))))
    assert found == [expected] * (2 if chunks is twice else 1)


@pytest.mark.parametrize("chunks", [whole, bytewise, after_noise])
@pytest.mark.parametrize("entry", BAD_FRAMES, ids=of_id)
def test_frame_that_is_none_becomes_noise(entry, chunks):
    assert frames_of(events_of(Parser(), chunks(wire(entry)))) == []


@pytest.mark.parametrize("entry", FRAMES, ids=of_id)
def test_a_frame_behind_every_corruption_is_found(entry):
    """And nothing else is: a frame inside a spoilt one may be."""
    raw = wire(entry)
    for at in range(len(raw)):
        for wrong in {0x16, 0x68, 0xFE, raw[at] ^ 0x01, raw[at] ^ 0x80} - {raw[at]}:
            broken = raw[:at] + bytes((wrong,)) + raw[at + 1 :]
            found = frames_of(events_of(Parser(), [broken + LOGIN]))
            assert found[-1].to_bytes() == LOGIN
            assert all(frame.to_bytes() in raw[1:] for frame in found[:-1])


@pytest.mark.parametrize("entry", FRAMES, ids=of_id)
def test_a_frame_behind_every_truncation_is_found(entry):
    raw = wire(entry)
    for size in range(len(raw)):
        found = frames_of(events_of(Parser(), [raw[:size], LOGIN]))
        assert found[-1].to_bytes() == LOGIN
        assert all(frame.to_bytes() in raw[1:] for frame in found[:-1])


def test_two_frames_of_one_segment():
    answer = wire_of("connect-response")
    found = frames_of(events_of(Parser(), [LOGIN + answer]))
    assert [frame.to_bytes() for frame in found] == [LOGIN, answer]


def test_preamble_is_noise_of_its_own_kind():
    parser = Parser()
    parser.receive_data(b"\xfe\xfe\xfe\xfe" + LOGIN)
    assert parser.next_event() == Noise(b"\xfe\xfe\xfe\xfe", "preamble")
    assert parser.next_event() == Frame.from_bytes(LOGIN)
    assert parser.next_event() is None


def test_noise_says_why():
    broken = LOGIN[:-3] + b"\x00\x00\x16"
    parser = Parser()
    parser.receive_data(broken + LOGIN)
    assert parser.next_event() == Noise(broken, "wrong FCS at byte 29")
    assert parser.next_event() == Frame.from_bytes(LOGIN)


def test_a_frame_that_is_not_all_there_waits():
    parser = Parser()
    parser.receive_data(b"\x55" + LOGIN[:20])
    assert parser.next_event() == Noise(b"\x55", "no start of a frame")
    assert parser.next_event() is None
    assert parser.waiting == 20
    parser.receive_data(LOGIN[20:])
    assert parser.next_event() == Frame.from_bytes(LOGIN)
    assert parser.waiting == 0


def test_a_false_length_is_not_waited_for():
    """HCS is checked when the header is there, not when L bytes are."""
    false_start = bytes.fromhex("68 FF3F 81 05 111111111111 00 0000")
    parser = Parser()
    parser.receive_data(false_start + LOGIN)
    assert parser.next_event() == Noise(false_start, "wrong HCS at byte 12")
    assert parser.next_event() == Frame.from_bytes(LOGIN)


def test_frames_of_other_protocols_are_noise():
    others = bytes.fromhex(
        "68610100000000681104333334333516683200320068C900023412000271000001008516"
    )
    found = frames_of(events_of(Parser(), [others + LOGIN + others]))
    assert found == [Frame.from_bytes(LOGIN)]


def test_a_memoryview_may_be_overwritten_afterwards():
    shared = bytearray(LOGIN)
    parser = Parser()
    parser.receive_data(memoryview(shared))
    shared[:] = bytes(len(shared))
    assert parser.next_event() == Frame.from_bytes(LOGIN)


def test_size_is_limited():
    frame = Frame(0xC3, ServerAddress("000000000001"), 0, bytes(1000))
    size = len(frame.to_bytes())
    assert frames_of(events_of(Parser(size), [frame.to_bytes()])) == [frame]
    assert frames_of(events_of(Parser(size - 1), [frame.to_bytes()])) == []


def header_of_largest_frame():
    header = bytes.fromhex("FF3F C3 00 01 00")
    return b"\x68" + header + checksum(header)


def test_no_more_than_one_frame_is_held_back():
    parser = Parser()
    for _ in range(30):
        parser.receive_data(header_of_largest_frame() * 300)
        list(iter(parser.next_event, None))
        assert parser.waiting <= FRAME_SIZE_MAX


def noise_of(unit, size):
    return unit * (size // len(unit))


@pytest.mark.parametrize(
    "unit",
    [
        b"\x68",
        b"\x55",
        bytes.fromhex("681E008105"),
        header_of_largest_frame(),  # Every ninth byte starts a candidate of the largest size;
        header_of_largest_frame() + b"\x16" * 8,  # here 16H stands where it should end.
    ],
)
def test_noise_costs_time_in_proportion(unit):
    """The worst noise there is: each byte starts at most one candidate of bounded size."""

    def seconds(size):
        noise = noise_of(unit, size)
        parser = Parser()
        started = perf_counter()
        for at in range(0, len(noise), 65536):
            parser.receive_data(noise[at : at + 65536])
            list(iter(parser.next_event, None))
        parser.receive_data(bytes(FRAME_SIZE_MAX) + LOGIN)
        events = list(iter(parser.next_event, None))
        assert events[-1] == Frame.from_bytes(LOGIN)
        return perf_counter() - started

    small = min(seconds(50_000) for _ in range(2))
    assert seconds(400_000) < 8 * 4 * small + 0.2


@settings(deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=8))
def test_random_bytes_never_raise(chunks):
    events_of(Parser(), chunks)


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from([wire(entry) for entry in FRAMES]),
            st.binary(max_size=12),
            st.sampled_from([b"\x68", b"\xfe", b"\x16", header_of_largest_frame()]),
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
