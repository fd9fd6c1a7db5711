"""Whatever bytes come: no byte is lost, nothing but the documented errors, and always an answer.

The inputs are random bytes; the vectors of all protocols, changed, cut, repeated and mixed; and
frames whose contents were changed and whose checksums were made right again.
"""

import json

import pytest
import vectors645
import vectors698
import vectors1376
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from station.protocols import detect, dlt645
from station.protocols.describe import describe, describe_frame, meter_of, summary
from station.protocols.dlt645 import functions, profile
from station.protocols.dlt698 import frame as dlt698
from station.protocols.dlt698 import link as object_link
from station.protocols.dlt698.apdu import decode_apdu, piid_of
from station.protocols.dlt698.parser import Parser as ObjectParser
from station.protocols.explain import explain
from station.protocols.faults import FrameError
from station.protocols.noise import Noise
from station.protocols.qgdw1376 import forward, link
from station.protocols.qgdw1376 import frame as qgdw1376
from station.protocols.qgdw1376.confirmation import item_errors
from station.protocols.qgdw1376.functions import units_of, values_of
from station.protocols.qgdw1376.parser import Parser as TerminalParser

METER_FRAMES = [
    dlt645.Frame.from_bytes(vectors645.frame_bytes(entry)) for entry in vectors645.SOUND
]
TERMINAL_FRAMES = [
    qgdw1376.Frame.from_bytes(vectors1376.frame_bytes(entry)) for entry in vectors1376.SOUND
]
OBJECT_FRAMES = [dlt698.Frame.from_bytes(vectors698.wire(entry)) for entry in vectors698.FRAMES]
WIRES = [
    *(vectors645.wire(entry) for entry in vectors645.ENTRIES),
    *(vectors1376.wire(entry) for entry in vectors1376.ENTRIES.values()),
    *(vectors698.wire(entry) for entry in vectors698.FRAMES + vectors698.BAD_FRAMES),
]
REGISTRATIONS = [b"DTU00001", b"\x68beat"]

THOROUGH = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def changed(contents):
    """Return the contents with a few bytes replaced, left out or put in."""

    def change(contents, edits):
        for at, size, instead in edits:
            place = at % (len(contents) + 1)
            contents = contents[:place] + instead + contents[place + size :]
        return contents

    edit = st.tuples(st.integers(0, 2000), st.integers(0, 3), st.binary(max_size=3))
    return st.builds(change, contents, st.lists(edit, max_size=3))


METERS = st.builds(
    dlt645.Frame,
    st.sampled_from([*{frame.address for frame in METER_FRAMES}]),
    st.sampled_from([*{frame.control for frame in METER_FRAMES}]) | st.integers(0, 255),
    changed(st.sampled_from([frame.data for frame in METER_FRAMES])).map(lambda data: data[:255]),
)
TERMINALS = st.builds(
    lambda frame, control, afn, seq, data: qgdw1376.Frame(
        frame.control if control is None else control,
        frame.address,
        frame.afn if afn is None else afn,
        frame.seq if seq is None else seq,
        data[: qgdw1376.USER_SIZE_MAX - qgdw1376.USER_SIZE_MIN],
    ),
    st.sampled_from(TERMINAL_FRAMES),
    st.none() | st.integers(0, 255),
    st.none() | st.integers(0, 16),
    st.none() | st.integers(0, 255),
    changed(st.sampled_from([frame.data for frame in TERMINAL_FRAMES])),
)
OBJECTS = st.builds(
    lambda frame, apdu: dlt698.Frame(
        frame.control, frame.server, frame.client, apdu, None if frame.word is None else 0x4001
    ),
    st.sampled_from(OBJECT_FRAMES),
    changed(st.sampled_from([frame.apdu for frame in OBJECT_FRAMES])),
)
SEALED = st.one_of(METERS, TERMINALS, OBJECTS).map(lambda frame: frame.to_bytes())
STREAMS = st.lists(
    st.one_of(st.binary(max_size=60), changed(st.sampled_from(WIRES)), SEALED), max_size=5
).map(b"".join)

PARSERS = {
    "dlt645": (dlt645.Parser, dlt645.Parser.give_up),
    "qgdw1376": (TerminalParser, TerminalParser.give_up),
    "dlt698": (ObjectParser, ObjectParser.give_up),
    "detect": (lambda: detect.Parser(REGISTRATIONS, accept_2005=True), detect.Parser.give_up),
}


def events_of(name, chunks):
    make, end = PARSERS[name]
    parser = make()
    events = []
    for chunk in chunks:
        parser.receive_data(chunk)
        events += iter(parser.next_event, None)
    end(parser)
    return events + list(iter(parser.next_event, None))


def refusal(documented, call, *arguments):
    """Return the documented error that a call raises, or None; any other one goes on."""
    try:
        call(*arguments)
    except documented as error:
        return error
    return None


def bytes_of(event):
    has_data = isinstance(event, Noise | detect.Registration)
    return event.data if has_data else event.to_bytes()


@pytest.mark.parametrize("name", PARSERS)
def test_parser_accounts_for_every_byte_however_they_come(name):
    @THOROUGH
    @given(STREAMS, st.lists(st.integers(1, 50), max_size=8))
    def holds(stream, sizes):
        whole = events_of(name, [stream])
        assert b"".join(map(bytes_of, whole)) == stream
        pieces, rest = [], stream
        for size in sizes:
            pieces.append(rest[:size])
            rest = rest[size:]
        cut = events_of(name, [*pieces, rest])
        assert b"".join(map(bytes_of, cut)) == stream
        frames = [[one for one in found if not isinstance(one, Noise)] for found in (whole, cut)]
        assert frames[0] == frames[1]

    holds()


@THOROUGH
@given(STREAMS)
def test_anything_is_described_and_explained(stream):
    view = describe(stream)
    json.dumps(view)
    assert "protocol" in view or 0 <= view["offset"] <= len(stream)
    words = summary(stream)
    assert words.en
    assert words.zh
    meter = meter_of(stream)
    assert meter is None or meter.isdecimal()
    at = 0
    for span in explain(stream):
        assert (span.start, span.end > at) == (at, True)
        at = span.end
    assert at == len(stream)


@THOROUGH
@given(st.one_of(METERS, TERMINALS, OBJECTS))
def test_a_sealed_frame_is_read_as_it_was_written(frame):
    assert type(frame).from_bytes(frame.to_bytes()).to_bytes() == frame.to_bytes()
    json.dumps(describe_frame(frame))


@THOROUGH
@given(METERS)
def test_functions_for_frames_of_meters_take_any(frame):
    dlt645.values_of(frame)
    dlt645.error_words(dlt645.version_of(frame), frame)
    functions.identifier_size(frame)
    error = refusal(ValueError, profile.decode, dlt645.payload(frame))
    assert error is None or "load profile" in str(error)


@THOROUGH
@given(TERMINALS)
def test_functions_for_frames_of_terminals_take_any(frame):
    found = units_of(frame)
    for unit in found.units:
        values_of(frame, unit)
    link.link_function(frame)
    link.heartbeat_clock(frame)
    link.is_confirmation(frame)
    item_errors(frame)
    link.confirm(frame).to_bytes()
    forward.inner_bytes(frame)
    forward.forwarded_port(frame)
    forward.forwarded_line(frame)


@THOROUGH
@given(OBJECTS)
def test_functions_for_frames_of_objects_take_any(frame):
    object_link.link_function(frame)
    object_link.heartbeat_s(frame)
    object_link.is_confirmation(frame)
    error = refusal(dlt698.FrameError, decode_apdu, frame.apdu)
    if error is None:
        apdu = decode_apdu(frame.apdu)
        assert decode_apdu(apdu.to_bytes()) == apdu
        piid_of(frame.apdu)
    else:
        assert 0 <= error.offset <= len(frame.apdu)
    if object_link.wants_confirmation(frame):
        error = refusal(ValueError, lambda: object_link.confirm(frame).to_bytes())
        assert error is None or str(error)


@THOROUGH
@given(STREAMS)
def test_exact_decoders_raise_nothing_but_frame_errors(raw):
    for decode in (dlt645.Frame, qgdw1376.Frame, dlt698.Frame):
        error = refusal(FrameError, decode.from_bytes, raw)
        if error is None:
            assert decode.from_bytes(raw).to_bytes() == raw
        else:
            assert 0 <= error.offset <= len(raw)
            assert error.reason


@pytest.mark.parametrize("raw", WIRES, ids=range(len(WIRES)))
def test_every_truncation_and_every_changed_byte(raw):
    """Each is read without a failure; an end cut off never gives the frame that was meant."""
    whole = [one for one in events_of("detect", [raw]) if not isinstance(one, Noise)]
    for size in range(len(raw)):
        explain(raw[:size])
        changed_byte = raw[:size] + bytes((raw[size] ^ 0x01,)) + raw[size + 1 :]
        describe(changed_byte)
        cut = [one for one in events_of("detect", [raw[:size]]) if not isinstance(one, Noise)]
        if whole:
            tail = raw.rfind(whole[-1].to_bytes()) + len(whole[-1].to_bytes())
            assert (cut == whole) == (size >= tail)
