"""Finds frames in a stream of bytes that may be cut anywhere and hold noise.

The receiver rules of digest 1.1. Every byte received comes out again, in a frame or as noise. After
a bad candidate the search goes on one byte further, because 68H and 16H occur inside addresses and
data.
"""

from station.protocols.noise import Noise

from .frame import HEADER_SIZE, OVERHEAD, START, Frame, FrameError

_PREAMBLE_BYTE = b"\xfe"


class Parser:
    """Bytes in, frames and noise out. Between reads it holds less than one frame (267 bytes)."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._expired = False

    def receive_data(self, data: bytes | memoryview) -> None:
        """Take bytes from the line; then call `next_event` until it returns None."""
        self._buffer += data
        self._expired = False

    def expire(self) -> None:
        """The line has been quiet for too long: what waits for its end is no frame.

        `next_event` then gives it up, with whatever frames lie inside it.
        """
        self._expired = True

    def next_event(self) -> Frame | Noise | None:
        """Return the next frame, or bytes that start none, or None for "need more"."""
        buffer = self._buffer
        position = 0
        reason = "no start byte"
        while (start := buffer.find(START, position)) >= 0:
            size = self._candidate_size(start)
            if size is None:
                if not self._expired:
                    break
                fault = "incomplete frame"
            elif size == 0:
                fault = "no second start byte"
            else:
                try:
                    frame = Frame.from_bytes(bytes(buffer[start : start + size]))
                except FrameError as error:
                    fault = error.reason
                else:
                    if start > 0:  # Tell of the noise in front of it first.
                        break
                    del buffer[:size]
                    return frame
            if position == 0:
                reason = fault
            position = start + 1
        return self._take_noise(len(buffer) if start < 0 else start, reason)

    def _candidate_size(self, start: int) -> int | None:
        """Return the size of the frame that may start here, 0 if none can, None for "need more"."""
        available = len(self._buffer) - start
        if available > 7 and self._buffer[start + 7] != START:
            return 0
        if available < HEADER_SIZE:
            return None
        size = OVERHEAD + self._buffer[start + 9]
        return size if size <= available else None

    def _take_noise(self, size: int, reason: str) -> Noise | None:
        """Remove bytes from the front, those of a preamble apart from others."""
        if size == 0:
            return None
        data = bytes(self._buffer[:size])
        before_preamble = len(data.rstrip(_PREAMBLE_BYTE))
        if before_preamble:
            data = data[:before_preamble]
        else:
            reason = "preamble"
        del self._buffer[: len(data)]
        return Noise(data, reason)
