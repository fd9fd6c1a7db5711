"""Bytes of a link in, frames and noise out (digest, section 1).

A frame starts where a header with the right HCS stands, so a false start is seen within 24 bytes
and its L is never waited for; then 16H and FCS decide. After a bad candidate the search goes on one
byte further. Every byte that came in goes out again, in a frame or in a `Noise`.
"""

from station.protocols.faults import FrameError
from station.protocols.noise import Noise

from .frame import (
    END,
    FRAME_SIZE_MAX,
    HEADER_SIZE_MAX,
    HEADER_SIZE_MIN,
    HEADER_START_SIZE,
    PREAMBLE,
    START,
    Frame,
    frame_size,
)

NO_START = "no start of a frame"

_START = bytes((START,))
_PREAMBLE = bytes((PREAMBLE,))


class Parser:
    """Call `next_event` until it returns None after each `receive_data`.

    Then no more than `frame_size_max` bytes are held back.
    """

    __slots__ = ("_at", "_buffer", "_frame_size_max", "_given_up")

    def __init__(self, frame_size_max: int = FRAME_SIZE_MAX) -> None:
        self._frame_size_max = frame_size_max
        self._buffer = b""
        self._at = 0  # Everything before has been handed out.
        self._given_up = False

    def receive_data(self, data: bytes | memoryview) -> None:
        """Take the next bytes of the link."""
        rest = self._buffer[self._at :]
        self._buffer = rest + data if rest else bytes(data)
        self._at = 0
        self._given_up = False

    @property
    def waiting(self) -> int:
        """Return how many bytes are held back because a frame may begin with them."""
        return len(self._buffer) - self._at

    def next_event(self) -> Frame | Noise | None:
        """Return the next frame, the bytes before it that are none, or None for "need more"."""
        buffer, begin = self._buffer, self._at
        reason = NO_START
        at = begin
        while (at := buffer.find(_START, at)) >= 0:
            try:
                raw = self._candidate(at)
                frame = Frame.from_bytes(raw) if raw else None
            except FrameError as error:
                if reason is NO_START:
                    reason = str(error)
                at += 1
                continue
            if at > begin:
                return self._noise(at, reason)
            if frame is not None:
                self._advance(at + len(raw))
            return frame
        return self._noise(len(buffer), reason) if begin < len(buffer) else None

    def give_up(self) -> None:
        """Say that the rest of what is held back does not come: `next_event` then hands it out.

        For a link that stays silent inside a frame.
        """
        self._given_up = True

    def _candidate(self, at: int) -> bytes:
        """Return the bytes of the frame that may start here, none while they are not all there."""
        buffer = self._buffer
        here = len(buffer) - at
        size = HEADER_START_SIZE
        if here >= size:
            size = HEADER_SIZE_MIN + (buffer[at + HEADER_START_SIZE - 1] & 0x0F)
        if here >= size:
            size = frame_size(buffer[at : at + HEADER_SIZE_MAX])
        if size > self._frame_size_max:
            raise FrameError(f"L says {size} bytes, {self._frame_size_max} are allowed", 1)
        if here < size:
            if self._given_up:
                raise FrameError("the rest of the frame did not come", here)
            return b""
        if buffer[at + size - 1] != END:  # Cheap, and settles most false starts.
            raise FrameError("no 16H", size - 1)
        return buffer[at : at + size]

    def _noise(self, end: int, reason: str) -> Noise:
        data = self._buffer[self._at : end]
        self._advance(end)
        return Noise(data, "preamble" if not data.strip(_PREAMBLE) else reason)

    def _advance(self, end: int) -> None:
        if end == len(self._buffer):
            self._buffer, end = b"", 0
        self._at = end
