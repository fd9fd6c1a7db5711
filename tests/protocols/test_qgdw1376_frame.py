"""One frame, both ways: the vectors, every corruption, every truncation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vectors1376 import (
    ENTRIES,
    OLD_EDITION,
    REJECTED,
    SOUND,
    frame_bytes,
    password_size,
)

from station.protocols.qgdw1376.formats import A16
from station.protocols.qgdw1376.frame import (
    PROTOCOL_2005,
    Address,
    Frame,
    FrameError,
    TimeTag,
)


def of_id(entry):
    return entry["id"]


@pytest.mark.parametrize("entry", SOUND, ids=of_id)
def test_vector_decodes_to_its_stated_fields(entry):
    frame = Frame.from_bytes(frame_bytes(entry), password_size(entry))
    stated = entry["decoded"]
    assert frame.control == int(stated["control"], 16)
    assert frame.from_terminal is (stated["direction"] == "up")
    assert frame.from_initiator is bool(stated["prm"])
    assert frame.access_demand is bool(stated.get("acd", 0))
    assert frame.address.region == stated["region_bcd"].upper()
    assert frame.address.terminal == stated["terminal_address"]
    assert frame.address.text == stated["region_bcd"].upper() + stated["terminal_address_hex"]
    assert frame.address.master == stated["msa"]
    assert frame.address.group is bool(stated["group"])
    assert frame.afn == int(stated["afn"], 16)
    assert frame.seq == int(stated["seq"], 16)
    assert frame.first is bool(stated["fir"])
    assert frame.last is bool(stated["fin"])
    assert frame.wants_confirmation is bool(stated["con"])
    assert frame.sequence == stated["pseq_rseq"]
    assert frame.password.hex().upper() == stated.get("pw_hex", "")
    assert frame.events == (tuple(stated["ec"]) if "ec" in stated else None)


@pytest.mark.parametrize("entry", SOUND, ids=of_id)
def test_vector_decodes_to_its_time_tag(entry):
    frame = Frame.from_bytes(frame_bytes(entry), password_size(entry))
    tag = entry["decoded"].get("tp")
    if tag is None:
        assert frame.time_tag is None
    else:
        assert frame.time_tag is not None
        assert frame.time_tag.counter == tag["pfc"]
        assert str(A16.decode(frame.time_tag.sent)) == tag["sent"]
        assert frame.time_tag.delay_min == tag["allowed_delay_min"]


@pytest.mark.parametrize("entry", SOUND + OLD_EDITION, ids=of_id)
@pytest.mark.parametrize("size", [0, 2, 16])
def test_vector_is_written_again_byte_for_byte(entry, size):
    raw = frame_bytes(entry)
    assert Frame.from_bytes(raw, size, accept_2005=True).to_bytes() == raw


@pytest.mark.parametrize("entry", REJECTED, ids=of_id)
def test_invalid_vector_is_refused(entry):
    with pytest.raises(FrameError):
        Frame.from_bytes(frame_bytes(entry), accept_2005=True)


@pytest.mark.parametrize("entry", OLD_EDITION, ids=of_id)
def test_older_edition_is_refused_unless_switched_on(entry):
    raw = frame_bytes(entry)
    with pytest.raises(FrameError, match="old protocol identification 1"):
        Frame.from_bytes(raw)
    assert Frame.from_bytes(raw, accept_2005=True).protocol == PROTOCOL_2005


@pytest.mark.parametrize("entry", SOUND, ids=of_id)
def test_every_corruption_of_one_byte_is_refused(entry):
    """The sum, both L and both 68H leave no single byte free."""
    raw = frame_bytes(entry)
    for at in range(len(raw)):
        for flip in (0x01, 0x80, 0xFF):
            broken = raw[:at] + bytes((raw[at] ^ flip,)) + raw[at + 1 :]
            with pytest.raises(FrameError):
                Frame.from_bytes(broken)


@pytest.mark.parametrize("entry", SOUND, ids=of_id)
def test_every_truncation_and_every_tail_is_refused(entry):
    raw = frame_bytes(entry)
    for size in range(len(raw)):
        with pytest.raises(FrameError):
            Frame.from_bytes(raw[:size])
    with pytest.raises(FrameError):
        Frame.from_bytes(raw + b"\x16")


@pytest.mark.parametrize(
    ("change", "reason", "offset"),
    [
        ((0, 0x69), "no 68H", 0),
        ((1, 0x4E), "the two L differ", 3),
        ((5, 0x69), "no second 68H", 5),
        ((20, 0x00), "checksum is 93H, sum is 7FH", 24),
        ((25, 0x17), "no 16H", 25),
    ],
)
def test_error_names_reason_and_offset(change, reason, offset):
    raw = bytearray(frame_bytes(ENTRIES["V-010"]))
    raw[change[0]] = change[1]
    with pytest.raises(FrameError) as caught:
        Frame.from_bytes(bytes(raw))
    assert caught.value.reason == reason
    assert caught.value.offset == offset


def test_time_tag_and_events_are_absent_where_they_would_eat_the_identification():
    """Terminals set ACD or TpV on a login and append nothing."""
    address = Address("0834", 0x0494)
    raw = Frame(0xE9, address, 0x02, 0xF1, b"\0\0\x01\0").to_bytes()
    frame = Frame.from_bytes(raw)
    assert (frame.events, frame.time_tag, frame.data) == (None, None, b"\0\0\x01\0")
    assert frame.access_demand


def test_password_size_is_a_setting_of_the_terminal():
    raw = frame_bytes(ENTRIES["V-050"])
    assert Frame.from_bytes(raw, 2).password == b"\x60\x04"
    # With the usual 16 bytes there is no room for a PW, so its bytes stay with the data.
    assert Frame.from_bytes(raw).password == b""
    assert Frame.from_bytes(raw).data.endswith(b"\x60\x04")


def test_address_is_written_and_read_as_eight_digits():
    address = Address.from_text("02001a34")
    assert address == Address("0200", 0x1A34)
    assert address.text == "02001A34"
    assert address.with_master(1) == Address("0200", 0x1A34, 1)


@pytest.mark.parametrize("text", ["", "0200123", "020012345", "0200 123", "0200123G", "G2001234"])
def test_other_texts_are_no_address(text):
    with pytest.raises(ValueError):
        Address.from_text(text)


@pytest.mark.parametrize(
    "fields", [("020", 1, 0), ("02aa", 1, 0), ("0200", -1, 0), ("0200", 65536, 0), ("0200", 1, 128)]
)
def test_address_out_of_range_is_refused(fields):
    with pytest.raises(ValueError):
        Address(*fields)


@pytest.mark.parametrize("fields", [("0200", 0, 0), ("FFFF", 65535, 127)])
def test_address_at_the_edge_is_accepted(fields):
    address = Address(*fields)
    assert Address.from_bytes(address.to_bytes()) == address


def test_frame_that_is_too_long_is_refused():
    address = Address("0200", 1)
    longest = Frame(0x88, address, 0x0C, 0x60, bytes(16383 - 8))
    assert Frame.from_bytes(longest.to_bytes()) == longest
    with pytest.raises(ValueError, match="16383"):
        Frame(0x88, address, 0x0C, 0x60, bytes(16383 - 7)).to_bytes()


addresses = st.builds(
    Address,
    st.integers(0, 0xFFFF).map(lambda number: f"{number:04X}"),
    st.integers(0, 0xFFFF),
    st.integers(0, 127),
    st.booleans(),
)


@st.composite
def frames(draw):
    """Frames whose closing fields stand where C, SEQ and AFN announce them."""
    up = draw(st.booleans())
    afn = draw(st.sampled_from([0, 1, 2, 4, 5, 6, 9, 10, 11, 12, 13, 14, 15, 16]))
    acd = draw(st.booleans())
    tagged = draw(st.booleans())
    low = draw(st.integers(0, 0x1F))
    closed = afn == 6 if up else afn in (1, 4, 5, 6, 15, 16)
    return Frame(
        up << 7 | acd << 5 | low | draw(st.booleans()) << 6,
        draw(addresses),
        afn,
        draw(st.integers(0, 0x7F)) | tagged << 7,
        draw(st.binary(min_size=4, max_size=200)),
        draw(st.binary(min_size=16, max_size=16)) if closed else b"",
        draw(st.tuples(st.integers(0, 255), st.integers(0, 255))) if up and acd else None,
        draw(
            st.builds(
                TimeTag,
                st.integers(0, 255),
                st.binary(min_size=4, max_size=4),
                st.integers(0, 255),
            )
        )
        if tagged
        else None,
    )


@given(frames())
def test_frame_comes_back_from_its_bytes(frame):
    assert Frame.from_bytes(frame.to_bytes()) == frame


@given(st.binary(max_size=80))
def test_random_bytes_are_a_frame_or_an_error(raw):
    try:
        frame = Frame.from_bytes(raw, accept_2005=True)
    except FrameError:
        return
    assert frame.to_bytes() == raw
