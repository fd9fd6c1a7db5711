"""Split frames (分帧): an APDU in pieces, each acknowledged before the next (digest, section 3).

In front of each piece stands a format word: bits 15-14 the kind, bits 11-0 a number that goes up by
one and wraps. The last piece is not acknowledged, the answer to the whole is. A sender repeats what
is not acknowledged. This is not GET-Next, where the application cuts an answer (see `blocks`).
"""

from dataclasses import replace
from enum import IntEnum
from typing import NamedTuple

from .frame import FORMAT_WORD_SIZE, LENGTH_MAX, SPLIT, UP, Frame, ServerAddress

APDU_SIZE_MAX = 0xFFFF  # CONNECT has two bytes for the largest APDU.

NUMBER_MASK = 0x0FFF
_KIND_SHIFT = 14


class Kind(IntEnum):
    """What a split frame holds."""

    FIRST = 0b00
    LAST = 0b01
    ACKNOWLEDGEMENT = 0b10
    MIDDLE = 0b11


def kind_of(frame: Frame) -> Kind | None:
    """Return what a split frame holds, or None for a frame that is not split."""
    return None if frame.word is None else Kind(frame.word >> _KIND_SHIFT)


def number_of(frame: Frame) -> int | None:
    """Return the number of a piece or of the piece acknowledged, or None if it is not split."""
    return None if frame.word is None else frame.word & NUMBER_MASK


def split(frame: Frame, length_max: int = LENGTH_MAX) -> tuple[Frame, ...]:
    """Return the frames that carry an APDU without one whose L is above `length_max`.

    That is the frame itself if it is short enough. Raises ValueError if no byte would fit in.
    """
    overhead = len(replace(frame, apdu=b"").to_bytes()) - 2
    if overhead + len(frame.apdu) <= length_max:
        return (frame,)
    size = length_max - overhead - FORMAT_WORD_SIZE
    if size < 1:
        raise ValueError(f"no piece fits into a frame with L of {length_max}")
    starts = range(0, len(frame.apdu), size)
    return tuple(
        replace(
            frame,
            control=frame.control | SPLIT,
            apdu=frame.apdu[start : start + size],
            word=_piece_kind(index, len(starts)) << _KIND_SHIFT | index & NUMBER_MASK,
        )
        for index, start in enumerate(starts)
    )


def _piece_kind(index: int, count: int) -> Kind:
    if index == 0:
        return Kind.FIRST
    return Kind.LAST if index == count - 1 else Kind.MIDDLE


def acknowledgement(piece: Frame) -> Frame:
    """Return what the receiver of a piece sends back. Raises ValueError if it is no piece."""
    if piece.word is None:
        raise ValueError("only a piece of a split frame is acknowledged")
    word = Kind.ACKNOWLEDGEMENT << _KIND_SHIFT | piece.word & NUMBER_MASK
    return replace(piece, control=piece.control ^ UP, apdu=b"", word=word)


def acknowledges(frame: Frame, piece: Frame) -> bool:
    """Tell whether a frame says that a piece has come, so that the next may go."""
    return (
        kind_of(frame) is Kind.ACKNOWLEDGEMENT
        and number_of(frame) == number_of(piece)
        and frame.from_terminal != piece.from_terminal
        and frame.server == piece.server
    )


class Joined(NamedTuple):
    """What became of a piece: the whole frame if it was the last, and what to send back."""

    whole: Frame | None = None
    acknowledgement: Frame | None = None


class Joiner:
    """Joins the pieces that one side of a link sends; it holds one APDU at most.

    A piece that comes again is acknowledged again. After a gap nothing is joined until the next
    first piece.
    """

    def __init__(self, apdu_size_max: int = APDU_SIZE_MAX) -> None:
        self._apdu_size_max = apdu_size_max
        self._last: Frame | None = None
        self._apdu = bytearray()

    def add(self, piece: Frame) -> Joined:
        """Take the next split frame of the link."""
        kind = kind_of(piece)
        if kind is None or kind is Kind.ACKNOWLEDGEMENT:
            return Joined()
        if kind is Kind.FIRST:
            self._apdu.clear()
        elif kind is Kind.MIDDLE and self._is_repeated(piece):
            return Joined(acknowledgement=acknowledgement(piece))
        elif not self._is_next(piece):
            return self._end()
        self._apdu += piece.apdu
        if len(self._apdu) > self._apdu_size_max:
            return self._end()
        if kind is Kind.LAST:
            control, apdu = piece.control & ~SPLIT, bytes(self._apdu)
            return self._end(replace(piece, control=control, apdu=apdu, word=None))
        self._last = piece
        return Joined(acknowledgement=acknowledgement(piece))

    def _end(self, whole: Frame | None = None) -> Joined:
        """Keep nothing: thousands of links have one of these each."""
        self._last = None
        self._apdu.clear()
        return Joined(whole)

    def _is_repeated(self, piece: Frame) -> bool:
        return self._last is not None and self._last == piece

    def _is_next(self, piece: Frame) -> bool:
        last = self._last
        if last is None or last.word is None or piece.word is None:
            return False
        number = (last.word + 1) & NUMBER_MASK
        return piece.word & NUMBER_MASK == number and _way(piece) == _way(last)


def _way(frame: Frame) -> tuple[int, ServerAddress, int]:
    return frame.control, frame.server, frame.client
