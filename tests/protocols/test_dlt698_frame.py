"""The frame of DL/T 698.45: addresses, checksums, scrambling, what is no frame."""

import pytest
from hypothesis import given
from strategies698 import ADDRESSES, frames
from vectors698 import BAD_FRAMES, FRAMES, of_id, wire, wire_of

from station.protocols.dlt698.frame import (
    FRAME_SIZE_MAX,
    LINK_MANAGEMENT,
    USER_DATA,
    Frame,
    ServerAddress,
    checksum,
)
from station.protocols.dlt698.identifiers import BROADCAST, GROUP, SINGLE, WILDCARD, Tsa
from station.protocols.faults import FrameError

HEARTBEAT = wire_of("link-heartbeat-300s")
SCRAMBLED = wire_of("scrambled-get-clock")
FRAGMENT = wire_of("fragment-middle")


def sealed(header, user):
    """Return a frame with right checksums around anything."""
    body = header + checksum(header) + user
    return b"\x68" + body + checksum(body) + b"\x16"


@pytest.mark.parametrize("entry", FRAMES, ids=of_id)
def test_vector(entry):
    raw, stated = wire(entry), entry["decoded"]
    frame = Frame.from_bytes(raw)
    assert frame.to_bytes() == raw
    assert len(raw) == stated["length"] + 2
    assert f"{frame.control:02X}" == stated["control"]
    assert frame.from_terminal == (stated["dir"] == "server")
    assert frame.from_initiator == (frame.from_terminal != bool(stated["prm"]))
    assert frame.is_split == stated["split"]
    assert frame.is_scrambled == stated["scrambled"]
    assert frame.function == stated["func"]
    assert (frame.server.kind, frame.server.logical) == (stated["sa_type"], stated["sa_logical"])
    assert frame.server.text == stated["sa"]
    assert f"{frame.client:02X}" == stated["ca"]
    if stated["split"]:
        assert f"{frame.word:04X}" == stated["fragment"]["raw"]
        assert frame.apdu.hex().upper() == stated["fragment"]["data"]
    else:
        assert frame.apdu.hex().upper() == stated["apdu"]


@pytest.mark.parametrize("entry", BAD_FRAMES, ids=of_id)
def test_bad_vector_is_rejected(entry):
    with pytest.raises(FrameError):
        Frame.from_bytes(wire(entry))


@given(frames())
def test_round_trip(frame):
    assert Frame.from_bytes(frame.to_bytes()) == frame


def test_checksum_is_that_of_ppp():
    assert checksum(b"123456789") == bytes.fromhex("6E90")
    assert checksum(b"") == b"\x00\x00"


@pytest.mark.parametrize("raw", [HEARTBEAT, SCRAMBLED, FRAGMENT])
def test_every_corruption_of_one_byte_is_refused(raw):
    for at in range(len(raw)):
        for wrong in set(range(256)) - {raw[at]}:
            with pytest.raises(FrameError) as caught:
                Frame.from_bytes(raw[:at] + bytes((wrong,)) + raw[at + 1 :])
            assert 0 <= caught.value.offset <= len(raw)


@pytest.mark.parametrize("raw", [HEARTBEAT, SCRAMBLED, FRAGMENT])
def test_every_truncation_is_refused(raw):
    for size in range(len(raw)):
        with pytest.raises(FrameError):
            Frame.from_bytes(raw[:size])


@pytest.mark.parametrize(
    ("raw", "reason", "offset"),
    [
        (b"\x68\x1e\x00", "the header is cut off", 3),
        (HEARTBEAT[:12], "the header is cut off", 12),
        (b"\x67" + HEARTBEAT[1:], "no 68H", 0),
        (HEARTBEAT[:2] + b"\x40" + HEARTBEAT[3:], "L is 401EH, its two top bits belong to", 1),
        (b"\x68\x10\x00\x81\x0f" + bytes(30), "L says 16 bytes, its header has more", 1),
        (HEARTBEAT[:13] + b"\xb7" + HEARTBEAT[14:], "wrong HCS", 12),
        (HEARTBEAT + b"\x16", "L says 32 bytes, 33 are here", 32),
        (HEARTBEAT[:-1] + b"\x17", "no 16H", 31),
        (HEARTBEAT[:-2] + b"\x00\x16", "wrong FCS", 29),
        (
            sealed(bytes.fromhex("10 00 A3 05 020000000000 10"), b"\x05")[:-1] + b"\x16",
            "a split frame without a format word",
            14,
        ),
    ],
)
def test_refusal_says_what_and_where(raw, reason, offset):
    with pytest.raises(FrameError, match=reason) as caught:
        Frame.from_bytes(raw)
    assert caught.value.offset == offset


def test_scrambling_covers_the_user_data_only():
    plain = Frame(0x43, ServerAddress("000000000002"), 0x10, bytes.fromhex("0501154000020000"))
    scrambled = Frame(0x4B, plain.server, plain.client, plain.apdu)
    assert scrambled.to_bytes() == SCRAMBLED
    assert [a - b & 0xFF for a, b in zip(SCRAMBLED, plain.to_bytes(), strict=True)][14:22] == [
        0x33
    ] * 8
    assert Frame.from_bytes(SCRAMBLED).apdu == plain.apdu


def test_smallest_and_largest_frame():
    smallest = Frame(0x43, ServerAddress("01"), 0, b"")
    assert len(smallest.to_bytes()) == 12
    assert Frame.from_bytes(smallest.to_bytes()) == smallest
    largest = Frame(0x43, ServerAddress("01"), 0, bytes(FRAME_SIZE_MAX - 12))
    assert len(largest.to_bytes()) == FRAME_SIZE_MAX == 16385
    assert Frame.from_bytes(largest.to_bytes()) == largest
    with pytest.raises(ValueError, match="a frame has 16385 bytes at most, this one 16386"):
        Frame(0x43, ServerAddress("01"), 0, bytes(FRAME_SIZE_MAX - 11)).to_bytes()


@pytest.mark.parametrize(
    "frame",
    [
        Frame(0x43, ServerAddress("01"), 0, b"", word=1),
        Frame(0x63, ServerAddress("01"), 0, b""),
        Frame(0x63, ServerAddress("01"), 0, b"", word=0x10000),
        Frame(0x143, ServerAddress("01"), 0, b""),
        Frame(0x43, ServerAddress("01"), 256, b""),
    ],
)
def test_what_no_frame_can_hold_is_refused(frame):
    with pytest.raises(ValueError):
        frame.to_bytes()


def test_functions():
    assert Frame.from_bytes(HEARTBEAT).function == LINK_MANAGEMENT
    assert Frame.from_bytes(SCRAMBLED).function == USER_DATA


@given(ADDRESSES)
def test_address_round_trip(address):
    assert ServerAddress.from_bytes(address.to_bytes()) == address
    assert address.tsa.address == address.text
    assert (address.tsa.kind, address.tsa.logical) == (address.kind, address.logical)


@pytest.mark.parametrize(
    ("address", "raw"),
    [
        (ServerAddress("123456789012"), "05 129078563412"),
        (ServerAddress("AAAAAAAAAAAA", WILDCARD), "45 AAAAAAAAAAAA"),
        (ServerAddress("AA", BROADCAST), "C0 AA"),
        (ServerAddress("0001", GROUP), "81 0100"),
        (ServerAddress("000000000001", SINGLE, 1), "15 010000000000"),
        (ServerAddress("11" * 16, SINGLE, 3), "3F" + "11" * 16),
    ],
)
def test_address_of_every_kind(address, raw):
    assert address.to_bytes() == bytes.fromhex(raw)
    assert ServerAddress.from_bytes(bytes.fromhex(raw)) == address


@pytest.mark.parametrize(
    "fields",
    [("1",), ("",), ("0g",), ("0a",), ("00" * 17,), ("01", 4), ("01", -1), ("01", 0, 4)],
)
def test_address_that_cannot_be(fields):
    with pytest.raises(ValueError):
        ServerAddress(*fields)


def test_address_from_text():
    assert ServerAddress.from_text("00abcdef0012").text == "00ABCDEF0012"
    assert ServerAddress.from_text("12345").text == "12345F"
    with pytest.raises(ValueError):
        ServerAddress.from_text("12-45")


def test_wildcards():
    meter = ServerAddress("000039200933")
    for asked in (
        meter,
        ServerAddress("AAAAAAAAAAAA", WILDCARD),
        ServerAddress("AAAAAAAAAAAA"),  # As bench tools send it.
        ServerAddress("AAAAAAAA0933", WILDCARD),
    ):
        assert asked.is_met_by(meter)
    for asked in (
        ServerAddress("000039200934"),
        ServerAddress("AAAAAAAA0934", WILDCARD),
        ServerAddress("AAAAAAAA0933"),  # Digits of one device, whatever they look like.
        ServerAddress("AAAAAAAA", WILDCARD),
        ServerAddress("AA", BROADCAST),
        ServerAddress("000039200933", SINGLE, 1),
        ServerAddress("AAAAAAAAAAAA", WILDCARD, 1),
    ):
        assert not asked.is_met_by(meter)


def test_tsa_is_not_reversed():
    assert Tsa.of("000000000001").to_bytes() == bytes.fromhex("07 05 000000000001")
    assert (Tsa(b"").address, Tsa(b"").kind, Tsa(b"").logical) == ("", SINGLE, 0)
