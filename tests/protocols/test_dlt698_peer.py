"""Against an independent implementation: the package `dlt698` (CPython 3.11 and later).

Both encode the same values to the same bytes, and it decodes what ours encodes. It is strict where
the digest asks to be lenient with devices; the last tests say where, with the bytes.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from peer698 import peer, theirs
from strategies698 import APDU_CLASSES, SERVER, Values
from vectors698 import FRAMES, NOT_MINIMAL, of_id, wire, wire_of

from station.protocols.dlt698 import association, data, get, proxy, segments
from station.protocols.dlt698.apdu import decode_apdu
from station.protocols.dlt698.axdr import Utf8String, VisibleString, codec_of
from station.protocols.dlt698.dar import Dar
from station.protocols.dlt698.data import BitString, Data, DataType, Region
from station.protocols.dlt698.frame import BY_CLIENT, SPLIT, UP, USER_DATA, Frame, ServerAddress
from station.protocols.dlt698.identifiers import Comdcb, Ti, Tsa

PRINTABLE = st.characters(min_codepoint=0x20, max_codepoint=0x7E)


def printable(size):
    return st.text(PRINTABLE, min_size=size, max_size=size)


def addresses(kinds):
    digits = st.binary(min_size=1, max_size=16).map(bytes.hex)
    return st.builds(Tsa.of, digits, kinds, st.integers(0, 3))


def regions(kind, values):
    side = st.builds(Data, st.just(kind), values)
    region = st.builds(Region, st.integers(0, 3), side, side)
    return st.lists(region, min_size=1, max_size=3).map(tuple)


ONE_METER = addresses(st.just(0))
TIMEOUT = st.integers(1, 0xFFFF)
RESULT_OF_LINK = st.sampled_from([0, 1, 2, 3, 0x80, 0x81, 0x82, 0x83])
ERROR = st.sampled_from([1, 2, 255])
PROXY_REQUESTS = [cls for cls in APDU_CLASSES if cls.TAG[0] == 0x09]

# What the peer takes.
STRICT = Values(
    {
        Ti: st.builds(Ti, st.integers(0, 5), st.integers(0, 0xFFFF)),
        Tsa: addresses(st.integers(0, 3)),
        Comdcb: st.builds(
            Comdcb,
            st.sampled_from([*range(11), 255]),
            st.integers(0, 2),
            st.integers(5, 8),
            st.integers(1, 2),
            st.integers(0, 2),
        ),
        BitString: st.binary(max_size=4).map(lambda raw: BitString(8 * len(raw), raw)),
        codec_of(VisibleString): st.text(PRINTABLE, max_size=8),
        codec_of(Utf8String): st.text(max_size=8),
        association.FactoryVersion: st.builds(
            association.FactoryVersion, *[printable(size) for size in (4, 4, 6, 4, 6, 8)]
        ),
        (Region, "kind"): st.integers(0, 3),
        (data.MeterTypeRegions, "regions"): regions(DataType.UNSIGNED, st.integers(0, 255)),
        (data.MeterAddressRegions, "regions"): regions(DataType.TSA, addresses(st.integers(0, 3))),
        (data.MeterNumberRegions, "regions"): regions(
            DataType.LONG_UNSIGNED, st.integers(0, 0xFFFF)
        ),
        (0, "piid"): st.integers(0, 255).map(lambda piid: piid & 0xBF),
        (association.LinkResponse, "piid"): st.integers(0, 63),
        (association.ServerError, "piid"): st.integers(0, 63),
        (association.LinkRequest, "kind"): st.integers(0, 2),
        (association.LinkResponse, "result"): RESULT_OF_LINK,
        (association.ConnectResponse, "result"): st.sampled_from([0, 1, 2, 3, 4, 5, 255]),
        (association.ReleaseResponse, "result"): st.just(0),
        (association.ClientError, "kind"): ERROR,
        (association.ServerError, "kind"): ERROR,
        (get.GetResponseNext, "last"): st.just(True),
        (get.GetResponseMd5, "reply"): st.binary(min_size=16, max_size=16)
        | st.builds(Dar, st.integers(0, 255)),
        **{(cls, "timeout_s"): TIMEOUT for cls in PROXY_REQUESTS},
        **{
            (cls, "meter"): ONE_METER
            for cls in vars(proxy).values()
            if isinstance(cls, type) and "meter" in getattr(cls, "__annotations__", {})
        },
    },
    items_min=1,
)


@pytest.mark.parametrize("kind", DataType)
def test_same_bytes_for_a_value(kind):
    @settings(max_examples=40, deadline=None)
    @given(STRICT.data_of(kind, 1))
    def holds(value):
        raw = value.to_bytes()
        assert peer.encode_data(theirs(value)) == raw
        assert peer.encode_data(peer.decode_data(raw)) == raw

    holds()


@pytest.mark.parametrize("cls", APDU_CLASSES)
def test_same_bytes_for_an_apdu(cls):
    is_wrapper = cls.TAG[0] & ~SERVER == 0x10
    encode = peer.encode_security if is_wrapper else peer.encode_apdu
    decode = peer.decode_security if is_wrapper else peer.decode_apdu

    @settings(max_examples=30, deadline=None)
    @given(STRICT.of(cls, 1))
    def holds(apdu):
        raw = apdu.to_bytes()
        assert encode(theirs(apdu)) == raw
        assert encode(decode(raw)) == raw

    holds()


KINDS = [peer.AddressType(kind) for kind in range(4)]


@settings(deadline=None)
@given(
    st.integers(0, 1),
    st.integers(0, 1),
    st.booleans(),
    st.binary(min_size=1, max_size=16),
    st.integers(0, 3),
    st.integers(0, 255),
    st.binary(min_size=1, max_size=300),
)
def test_same_frame(up, by_client, scrambled, digits, logical, client, apdu):
    control = up << 7 | by_client << 6 | scrambled << 3 | USER_DATA
    ours = Frame(control, ServerAddress(digits.hex().upper(), 0, logical), client, apdu)
    address = peer.ServerAddress(bytes=digits[::-1], logical=logical, type=KINDS[0])
    frame = peer.Frame(control=control, server=address, client=client, payload=apdu)
    raw = ours.to_bytes()
    assert peer.encode_frame(frame) == raw
    decoded = peer.decode_frame(raw)
    assert (decoded.control, decoded.client, decoded.payload) == (control, client, apdu)
    assert (decoded.server.bytes, decoded.server.logical) == (address.bytes, logical)


@pytest.mark.parametrize("entry", FRAMES, ids=of_id)
def test_same_frame_for_a_vector(entry):
    frame = Frame.from_bytes(wire(entry))
    decoded = peer.decode_frame(wire(entry))
    word = b"" if frame.word is None else frame.word.to_bytes(2, "little")
    assert decoded.payload == word + frame.apdu
    assert decoded.server.bytes == bytes.fromhex(frame.server.digits)[::-1]
    assert decoded.server.type == KINDS[frame.server.kind]
    assert peer.encode_frame(decoded) == frame.to_bytes()


@settings(deadline=None)
@given(st.binary(min_size=30, max_size=400), st.integers(16, 60))
def test_it_joins_our_pieces(apdu, length):
    whole = Frame(BY_CLIENT | USER_DATA, ServerAddress("000000000001"), 0, apdu)
    pieces = segments.split(whole, length + 20)
    if len(pieces) == 1:
        return
    joiner = peer.LinkReassembler(0xFFFF)
    for piece in pieces:
        fragment = peer.decode_fragment(peer.decode_frame(piece.to_bytes()).payload)
        joined = joiner.accept(fragment)
    assert joined.apdu == apdu


@settings(deadline=None)
@given(st.binary(min_size=30, max_size=400), st.integers(5, 25))
def test_we_join_its_pieces(apdu, size):
    fragmenter = peer.LinkFragmenter(apdu, size, 0xFFFF)
    joiner = segments.Joiner()
    server = ServerAddress("000000000001")
    control = UP | BY_CLIENT | SPLIT | USER_DATA
    whole = None
    while whole is None:
        payload = peer.encode_fragment(fragmenter.current())
        word = int.from_bytes(payload[:2], "little")
        joined = joiner.add(Frame(control, server, 0, payload[2:], word))
        whole = joined.whole
        if joined.acknowledgement is not None:
            fragmenter.acknowledge(segments.number_of(joined.acknowledgement))
    assert (whole.apdu, whole.control) == (apdu, UP | BY_CLIENT | USER_DATA)


REFUSED = {
    "PIID bit 6 in a request": "05 01 7D 00 10 02 01 00",
    "unit of a TI above 5": "06 01 00 40 00 02 00 54 06 00 01 00",
    "no item in a list": "05 02 00 00 00",
    "empty TSA": "06 01 00 40 00 02 00 55 00 00",
    "bits beyond the end of a bit-string": "85 01 00 20 14 02 01 01 04 04 0F 00 00",
    "control characters in a visible-string": "85 01 00 43 00 03 00 01 0A 01 00 00 00",
    "a whole time of 0 for a proxy": "09 01 00 00 00 01 02 00 01 00 00 01 00 10 02 00 00",
    "a DAR in a block that is not the last": "85 05 00 00 00 01 00 09 00 00",
    "result of CONNECT 6": "82 00" + "30" * 32 + "0010" + "00" * 24 + "0000" * 2 + "00"
    "0000 00000000 06 00 00 00",
    "port settings that are no number": "06 01 00 F2 01 02 01 5F 00 00 00 00 00 00",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_peer_refuses_and_we_read(name):
    raw = bytes.fromhex(REFUSED[name])
    assert decode_apdu(raw).to_bytes() == raw
    with pytest.raises(Exception, match="invalid"):
        peer.decode_apdu(raw)


def test_length_longer_than_needed_is_refused_by_the_peer():
    raw = Frame.from_bytes(wire_of(NOT_MINIMAL)).apdu
    with pytest.raises(Exception, match="non-minimal"):
        peer.decode_apdu(raw)
    assert peer.decode_apdu(decode_apdu(raw).to_bytes()) is not None
