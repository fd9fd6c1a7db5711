"""Split frames made and joined; answers to GET that come in blocks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies698 import ADDRESSES
from vectors698 import wire_of

from station.protocols.dlt698.blocks import BLOCKS_MAX, LongAnswer
from station.protocols.dlt698.dar import Dar
from station.protocols.dlt698.data import Data, DataType
from station.protocols.dlt698.envelope import AttributeResult, AttributeResults, RecordResults
from station.protocols.dlt698.frame import Frame, ServerAddress
from station.protocols.dlt698.get import GetRequestNext, GetResponseNext
from station.protocols.dlt698.identifiers import Oad
from station.protocols.dlt698.segments import (
    Joined,
    Joiner,
    Kind,
    acknowledgement,
    acknowledges,
    kind_of,
    number_of,
    split,
)

TERMINAL = ServerAddress("000000000001")
ANSWER = Frame(0xC3, TERMINAL, 0x10, bytes(range(200)))
PIECES = split(ANSWER, 60)
VECTORS = [Frame.from_bytes(wire_of(f"fragment-{kind}")) for kind in ("first", "middle", "last")]


def join(pieces):
    joiner = Joiner()
    return [joiner.add(piece) for piece in pieces]


def test_vectors_are_joined():
    """Their numbers begin with 261, and one has reserved bits set."""
    first, middle, last = join(VECTORS)
    assert [number_of(first.acknowledgement), number_of(middle.acknowledgement)] == [261, 262]
    assert last.acknowledgement is None
    whole = Frame(0x83, ServerAddress("000000000002"), 0x10, bytes.fromhex("050115F101020000"))
    assert last.whole == whole


def test_acknowledgement_is_that_of_the_vector():
    """C of the master's acknowledgement is 63H, to a piece of an answer with C = E3H."""
    piece = Frame(0xE3, ServerAddress("000000098613"), 0x10, b"\x85", word=0)
    assert acknowledgement(piece).to_bytes() == wire_of("fragment-ack")
    assert acknowledges(acknowledgement(piece), piece)


def test_pieces_have_kinds_and_numbers():
    assert [kind_of(piece) for piece in PIECES] == [
        Kind.FIRST,
        *[Kind.MIDDLE] * (len(PIECES) - 2),
        Kind.LAST,
    ]
    assert [number_of(piece) for piece in PIECES] == [*range(len(PIECES))]
    assert {piece.control for piece in PIECES} == {0xE3}
    assert max(len(piece.to_bytes()) for piece in PIECES) == 62
    assert (kind_of(ANSWER), number_of(ANSWER)) == (None, None)


def test_each_piece_is_acknowledged_but_the_last():
    joined = join(PIECES)
    assert [one.acknowledgement for one in joined[:-1]] == [
        acknowledgement(piece) for piece in PIECES[:-1]
    ]
    assert joined[-1] == Joined(ANSWER)
    assert all(acknowledges(acknowledgement(piece), piece) for piece in PIECES)
    assert not acknowledges(acknowledgement(PIECES[0]), PIECES[1])
    assert not acknowledges(PIECES[0], PIECES[0])


@given(
    st.binary(min_size=1, max_size=400), ADDRESSES, st.sampled_from([0x43, 0xC3, 0x4B]), st.data()
)
def test_round_trip(apdu, server, control, data):
    frame = Frame(control, server, 0, apdu)
    overhead = len(frame.to_bytes()) - 2 - len(apdu)
    pieces = split(frame, overhead + data.draw(st.integers(3, 420)))
    assert b"".join(piece.apdu for piece in pieces) == apdu
    if len(pieces) == 1:
        assert pieces == (frame,)
    else:
        wires = [Frame.from_bytes(piece.to_bytes()) for piece in pieces]
        assert join(wires)[-1].whole == frame


def test_numbers_wrap():
    frame = Frame(0xC3, TERMINAL, 0, bytes(5000))
    pieces = split(frame, 10 + 5 + 2 + 1)
    assert len(pieces) == 5000
    assert number_of(pieces[4096]) == 0
    assert join(pieces)[-1].whole == frame


def test_a_piece_must_have_a_byte_of_the_apdu():
    assert split(ANSWER, 15 + 2 + 1)[0].apdu == b"\x00"
    with pytest.raises(ValueError, match="no piece fits into a frame with L of 17"):
        split(ANSWER, 17)


def test_a_frame_that_is_short_enough_stays_whole():
    length = len(ANSWER.to_bytes()) - 2
    assert split(ANSWER, length) == (ANSWER,)
    assert len(split(ANSWER, length - 1)) == 2


def test_a_repeated_piece_is_acknowledged_and_not_joined_again():
    first, middle, *rest = PIECES
    joined = join([first, first, middle, middle, *rest])
    assert joined[-1].whole == ANSWER
    assert [one.acknowledgement for one in joined[:4]] == [
        acknowledgement(piece) for piece in (first, first, middle, middle)
    ]


def test_a_new_first_piece_begins_anew():
    assert join([*PIECES[:2], *PIECES])[-1].whole == ANSWER


@pytest.mark.parametrize("missing", range(len(PIECES)))
def test_after_a_gap_nothing_is_joined(missing):
    pieces = PIECES[:missing] + PIECES[missing + 1 :]
    joined = join(pieces)
    assert all(one.whole is None for one in joined)
    assert joined[missing:] == [Joined()] * (len(pieces) - missing)


def test_a_last_piece_that_comes_again_is_ignored():
    assert join([*PIECES, PIECES[-1]])[-1] == Joined()


@pytest.mark.parametrize(
    "field", [{"client": 1}, {"server": ServerAddress("02")}, {"control": 0xA3}]
)
def test_pieces_of_others_are_not_joined(field):
    fields = {"control": 0xE3, "server": TERMINAL, "client": 0x10} | field
    other = Frame(apdu=PIECES[1].apdu, word=PIECES[1].word, **fields)
    assert join([PIECES[0], other])[-1] == Joined()


def test_whole_frames_and_acknowledgements_are_not_joined():
    assert join([PIECES[0], acknowledgement(PIECES[0]), ANSWER])[1:] == [Joined(), Joined()]
    with pytest.raises(ValueError):
        acknowledgement(ANSWER)


def test_the_joined_size_is_limited():
    joiner = Joiner(apdu_size_max=len(ANSWER.apdu) - 1)
    assert [joiner.add(piece) for piece in PIECES][-1] == Joined()
    joiner = Joiner(apdu_size_max=len(ANSWER.apdu))
    assert [joiner.add(piece) for piece in PIECES][-1] == Joined(ANSWER)


def result(number):
    return AttributeResult(Oad(number), Data(DataType.UNSIGNED, number))


def block(number, *, last=False, content=None):
    content = content or AttributeResults((result(number),))
    return GetResponseNext(0x45, last, number, content)


@pytest.mark.parametrize("first", [0, 1])
def test_blocks_are_joined(first):
    answer = LongAnswer()
    assert answer.add(block(first)) == GetRequestNext(0x05, first)
    assert answer.add(block(first + 1)) == GetRequestNext(0x05, first + 1)
    assert answer.add(block(first + 2, last=True)) is None
    assert answer.is_complete
    assert answer.results == [result(first), result(first + 1), result(first + 2)]


def test_blocks_of_records_are_joined():
    answer = LongAnswer()
    assert answer.add(block(0, content=RecordResults(()))) is not None
    assert answer.add(block(1, content=RecordResults(()), last=True)) is None
    assert answer.is_complete


def test_a_block_that_comes_again_is_taken_once():
    answer = LongAnswer()
    assert answer.add(block(0)) == answer.add(block(0)) == GetRequestNext(0x05, 0)
    answer.add(block(1, last=True))
    assert answer.results == [result(0), result(1)]


@pytest.mark.parametrize("wrong", [0, 2])
def test_a_lost_block_ends_the_read(wrong):
    answer = LongAnswer()
    answer.add(block(0) if wrong == 2 else block(1))
    assert answer.add(block(wrong, last=True)) is None
    assert not answer.is_complete


def test_the_first_block_is_0_or_1():
    answer = LongAnswer()
    assert answer.add(block(2)) is None
    assert not answer.is_complete


def test_a_refusal_ends_the_read():
    answer = LongAnswer()
    answer.add(block(0))
    assert answer.add(GetResponseNext(0, True, 1, Dar(10))) is None
    assert (answer.is_complete, answer.dar) == (False, Dar(10))


def test_blocks_are_bounded():
    """Also those of a device that sends the same one for ever."""
    answer = LongAnswer()
    asked = 0
    while answer.add(block(0)) is not None:
        asked += 1
    assert asked == BLOCKS_MAX
    assert not answer.is_complete
