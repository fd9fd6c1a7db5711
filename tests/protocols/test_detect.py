"""All protocols on one port: whoever speaks is understood, and no byte is lost."""

import random

import pytest
import vectors645
import vectors698
import vectors1376
from hypothesis import given
from hypothesis import strategies as st

from station.protocols import dlt645
from station.protocols.detect import REGISTRATION_SIZE_MAX, Broken, Parser, Registration
from station.protocols.dlt698 import frame as dlt698
from station.protocols.line import LineSettings
from station.protocols.noise import Noise
from station.protocols.qgdw1376 import frame as qgdw1376
from station.protocols.qgdw1376.forward import forward_answer, forward_request
from station.protocols.qgdw1376.parser import FRAME_SIZE_MAX

FRAMES = {
    f"645 {entry['id']}": vectors645.frame_bytes(entry) for entry in vectors645.SOUND
} | {
    f"1376 {entry['id']}": vectors1376.frame_bytes(entry) for entry in vectors1376.SOUND
} | {
    f"698 {entry['id']}": vectors698.wire(entry) for entry in vectors698.FRAMES
}  # fmt: skip
TYPES = {"645": dlt645.Frame, "1376": qgdw1376.Frame, "698": dlt698.Frame}
REJECTED = {
    f"645 {entry['id']}": vectors645.wire(entry)
    for entry in vectors645.ENTRIES
    if entry["expect"] == "invalid"
} | {
    f"1376 {entry['id']}": vectors1376.wire(entry) for entry in vectors1376.REJECTED
} | {
    f"698 {entry['id']}": vectors698.wire(entry) for entry in vectors698.BAD_FRAMES
}  # fmt: skip
NOISE = bytes.fromhex("00FF6855AA16FE4F4B0D0A")

METER_READ = FRAMES["645 V-002"]
METER_ANSWER = FRAMES["645 V-003"]
LOGIN = FRAMES["1376 V-001"]
LINK_LOGIN = FRAMES["698 link-login-2025"]


def forwarded(inner: bytes) -> bytes:
    """Return a terminal's answer that carries a meter's frame."""
    request = forward_request(
        qgdw1376.Address("0200", 0x1234),
        2,
        LineSettings(2400, "E", 8, 1),
        METER_READ,
        frame_timeout_s=10,
        byte_timeout_ms=500,
        sequence=3,
        master=1,
    )
    return forward_answer(request, inner).to_bytes()


def drain(parser):
    return list(iter(parser.next_event, None))


def feed(parser, *chunks):
    """Return all events, those after the last byte too."""
    events = []
    for chunk in chunks:
        parser.receive_data(chunk)
        events += drain(parser)
    parser.give_up()
    return events + drain(parser)


def wire_of(events):
    parts = [
        one.data if isinstance(one, Noise | Registration) else one.to_bytes() for one in events
    ]
    return b"".join(parts)


def frames_of(events):
    return [one.to_bytes() for one in events if not isinstance(one, Noise | Registration)]


def bytewise(raw):
    return [raw[at : at + 1] for at in range(len(raw))]


@pytest.mark.parametrize("name", FRAMES)
def test_every_vector_is_found_as_what_it_is(name):
    raw = FRAMES[name]
    for chunks in ([raw], bytewise(raw), [NOISE + raw], [raw + raw], bytewise(NOISE + raw)):
        events = feed(Parser(), *chunks)
        found = [one for one in events if not isinstance(one, Noise)]
        assert [type(one) for one in found] == [TYPES[name.split()[0]]] * len(found)
        assert frames_of(events) == [raw] * (2 if chunks == [raw + raw] else 1)
        assert wire_of(events) == b"".join(chunks)


@pytest.mark.parametrize("name", REJECTED)
def test_rejected_vector_is_noise(name):
    events = feed(Parser(), REJECTED[name])
    assert all(isinstance(one, Noise) for one in events)
    assert wire_of(events) == REJECTED[name]


def test_older_edition_is_broken_unless_accepted():
    old = vectors1376.frame_bytes(vectors1376.OLD_EDITION[0])
    (event,) = feed(Parser(), old)
    assert event == Broken(old, "old protocol identification 1 (Q/GDW 130-2005)", 1)
    (frame,) = feed(Parser(accept_2005=True), old)
    assert frame.protocol == qgdw1376.PROTOCOL_2005


@pytest.mark.parametrize("size", [1, 2, 7, 64, 100_000])
def test_protocols_mixed_with_noise_in_one_stream(size):
    shuffled = random.Random(size)
    parts = []
    for raw in shuffled.sample(list(FRAMES.values()), len(FRAMES)):
        parts += [shuffled.choice([b"", b"\xfe\xfe\xfe\xfe", b"\x55", b"\x00\x16"]), raw]
    stream = b"".join(parts)
    events = feed(Parser(), *(stream[at : at + size] for at in range(0, len(stream), size)))
    assert frames_of(events) == parts[1::2]
    assert wire_of(events) == stream
    assert not any(isinstance(one, Broken) for one in events)


def test_preamble_is_told_from_other_noise():
    assert feed(Parser(), b"\xfe\xfe" + METER_READ)[0] == Noise(b"\xfe\xfe", "preamble")
    assert feed(Parser(), b"\xfe\x00" + METER_READ)[0] == Noise(b"\xfe\x00", "no start of a frame")


def test_a_frame_is_handed_out_with_its_last_byte():
    for raw in FRAMES.values():
        parser = Parser()
        parser.receive_data(raw[:-1])
        assert drain(parser) == []
        assert parser.waiting == len(raw) - 1
        parser.receive_data(raw[-1:])
        assert frames_of(drain(parser)) == [raw]
        assert parser.waiting == 0


def test_the_shorter_of_two_protocols_at_one_start_is_taken():
    """68 34 12 34 12 68: the address 016812341234, and a header of 1376.1 at the same time."""
    raw = dlt645.Frame("016812341234", 0x11, bytes(4)).to_bytes()
    terminal_size = (0x1234 >> 2) + 8
    for tail in (b"", bytes(terminal_size), LOGIN):
        events = feed(Parser(), raw + tail)
        assert frames_of(events)[0] == raw
        assert wire_of(events) == raw + tail


def test_a_start_that_fits_none_is_waited_for_until_given_up():
    cut = LOGIN[:-3]
    parser = Parser()
    parser.receive_data(cut)
    assert drain(parser) == []
    assert drain(parser) == []
    parser.give_up()
    reason = f"L says {len(LOGIN)} bytes, {len(cut)} are here"
    assert drain(parser) == [Broken(cut, reason, len(cut))]
    parser.receive_data(METER_ANSWER)
    assert frames_of(drain(parser)) == [METER_ANSWER]


def test_given_up_holds_until_the_next_bytes():
    parser = Parser()
    parser.receive_data(LOGIN[:5])
    parser.give_up()
    assert drain(parser) == [Noise(LOGIN[:5], "no start of a frame")]
    parser.receive_data(LOGIN[:9])
    assert drain(parser) == []
    parser.receive_data(LOGIN[9:])
    assert frames_of(drain(parser)) == [LOGIN]


@pytest.mark.parametrize("raw", [METER_ANSWER, LOGIN, LINK_LOGIN])
def test_broken_frame_names_reason_and_offset_and_hides_no_frame_behind(raw):
    wrong = raw[:-2] + bytes((raw[-2] ^ 1,)) + raw[-1:]
    events = feed(Parser(), b"\x55" + wrong + LOGIN)
    assert events[0] == Noise(b"\x55", "no start of a frame")
    assert isinstance(events[1], Broken)
    assert events[1].data == wrong
    assert len(wrong) - 3 <= events[1].offset <= len(wrong) - 2
    assert frames_of(events) == [LOGIN]


def test_wrong_length_does_not_swallow_the_frames_behind():
    swelled = b"\x68\x32\x01\x32\x01\x68" + LOGIN[6:]
    events = feed(Parser(), swelled + LOGIN + LINK_LOGIN + METER_ANSWER * 5 + LOGIN)
    assert isinstance(events[0], Broken)
    found = frames_of(events)
    assert found[:2] == [LOGIN, LINK_LOGIN]
    assert found[-2:] == [METER_ANSWER, LOGIN]


def test_meter_frame_inside_a_broken_terminal_frame_does_not_count():
    whole = forwarded(METER_ANSWER)
    wrong = whole[:-2] + bytes((whole[-2] ^ 1,)) + whole[-1:]
    for chunks in ([wrong + METER_READ], bytewise(wrong + METER_READ)):
        events = feed(Parser(), *chunks)
        assert frames_of(events) == [METER_READ]
        assert wire_of(events) == wrong + METER_READ
        assert isinstance(events[0], Broken)


def test_meter_frame_after_a_terminal_frame_that_was_cut_off_counts():
    parser = Parser()
    parser.receive_data(forwarded(METER_ANSWER)[:-1])
    parser.give_up()
    assert frames_of(drain(parser)) == []
    parser.receive_data(METER_READ)
    assert frames_of(drain(parser)) == [METER_READ]


REGISTRATIONS = (b"DTU00000001", b"heartbeat", b"\x68\x00\x16")


@pytest.mark.parametrize("cut", [lambda raw: [raw], bytewise], ids=["whole", "bytewise"])
@pytest.mark.parametrize("registration", REGISTRATIONS)
def test_registration_comes_first_or_between(registration, cut):
    stream = b"\r\n" + registration + METER_ANSWER + registration + LOGIN + registration
    events = feed(Parser(REGISTRATIONS), *cut(stream))
    known = [one for one in events if not isinstance(one, Noise)]
    assert [one for one in known if isinstance(one, Registration)] == [
        Registration(registration)
    ] * 3
    assert [one for one in known if not isinstance(one, Registration)] == [
        dlt645.Frame.from_bytes(METER_ANSWER),
        qgdw1376.Frame.from_bytes(LOGIN),
    ]
    assert wire_of(events) == stream


def test_registration_that_is_none_after_all():
    parser = Parser([b"DTU1"])
    parser.receive_data(b"DTU")
    assert drain(parser) == []
    parser.receive_data(b"2" + METER_READ)
    assert drain(parser) == [
        Noise(b"DTU2", "no start of a frame"),
        dlt645.Frame.from_bytes(METER_READ),
    ]
    parser.receive_data(b"DT")
    assert drain(parser) == []
    parser.give_up()
    assert drain(parser) == [Noise(b"DT", "no start of a frame")]


def test_registration_inside_a_frame_is_a_part_of_it():
    inner = METER_ANSWER[3:9]
    assert frames_of(feed(Parser([inner]), METER_ANSWER)) == [METER_ANSWER]


@pytest.mark.parametrize(
    ("registrations", "reason"),
    [
        ([b""], "has 1..256 bytes"),
        ([bytes(REGISTRATION_SIZE_MAX + 1)], "has 1..256 bytes"),
        ([b"DTU10", b"DTU2", b"DTU1"], "begins with"),
    ],
)
def test_registrations_that_cannot_be_told_apart(registrations, reason):
    with pytest.raises(ValueError, match=reason):
        Parser(registrations)


def test_what_is_held_back_is_bounded():
    header = qgdw1376.Frame(0x4B, qgdw1376.Address("0200", 1), 0x0C, 0x60, bytes(1900)).to_bytes()
    parser = Parser()
    most = 0
    for chunk in bytewise(header[:-1] * 2):
        parser.receive_data(chunk)
        drain(parser)
        most = max(most, parser.waiting)
    assert most <= FRAME_SIZE_MAX
    too_long = b"\x68\xfe\xff\xfe\xff\x68"
    parser = Parser()
    parser.receive_data(too_long + bytes(100))
    assert wire_of(drain(parser)) == too_long + bytes(100)


@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([*FRAMES.values()])), max_size=6))
def test_no_byte_is_lost_however_the_stream_is_cut(parts):
    stream = b"".join(parts)
    whole = feed(Parser(REGISTRATIONS), stream)
    cut = feed(Parser(REGISTRATIONS), *bytewise(stream))
    assert wire_of(whole) == wire_of(cut) == stream
    assert frames_of(whole) == frames_of(cut)


@given(st.sampled_from([*FRAMES.values()]), st.data())
def test_changed_and_cut_frames_are_never_lost(raw, data):
    at = data.draw(st.integers(0, len(raw) - 1))
    changed = raw[:at] + data.draw(st.binary(min_size=1, max_size=2)) + raw[at + 1 :]
    cut = raw[: data.draw(st.integers(0, len(raw)))]
    events = feed(Parser(), changed, cut, LOGIN)
    assert wire_of(events) == changed + cut + LOGIN
