"""Finds frames in a stream of bytes that may be cut anywhere and hold noise.

The receiver rules of digest 1.1. Every byte received comes out again, in a frame or as noise. After
a bad candidate the search goes on one byte further, because 68H and 16H occur inside addresses and
data.
"""

from station.protocols.checksum import byte_sum
from station.protocols.noise import Noise

from .frame import END, FRAME_SIZE_MAX, HEADER_SIZE, OVERHEAD, PREAMBLE, START, Frame

_PREAMBLE_BYTE = PREAMBLE[0]


class Parser:
    """Bytes in, frames and noise out. Between reads it holds less than one frame (267 bytes)."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._given_up = False

    def receive_data(self, data: bytes | memoryview) -> None:
        """Take bytes from the line; then call `next_event` until it returns None."""
        self._buffer += data
        self._given_up = False

    def give_up(self) -> None:
        """The line has been quiet for too long: what waits for its end is no frame.

        `next_event` then gives it up, with whatever frames lie inside it.
        """
        self._given_up = True

    def next_event(self) -> Frame | Noise | None:
        """Return the next frame, or bytes that start none, or None for "need more"."""
        if not self._buffer:
            return None
        if self._buffer[0] == _PREAMBLE_BYTE:
            return self._take_noise(self._preamble_size(), "preamble")
        return self._search()

    def _search(self) -> Frame | Noise | None:
        """Return the frame that the buffer begins with, or what stands before the next one."""
        buffer = self._buffer
        position = 0
        reason = "no start byte"
        while (start := buffer.find(START, position)) >= 0:
            found = self._frame_at(start)
            if isinstance(found, str):
                if position == 0:
                    reason = found
                position = start + 1
                continue
            if found is None or start > 0:  # Tell of the noise in front of a frame first.
                break
            del buffer[: OVERHEAD + len(found.data)]
            return found
        return self._take_noise(len(buffer) if start < 0 else start, reason)

    def _frame_at(self, start: int) -> Frame | str | None:
        """Return the frame that starts here, why there is none, or None while it is not all there.

        Most starts in noise are false, so what costs little is looked at first.
        """
        buffer = self._buffer
        available = len(buffer) - start
        if available > 7 and buffer[start + 7] != START:
            return "no second start byte"
        size = OVERHEAD + (buffer[start + 9] if available >= HEADER_SIZE else 0)
        if size > available:
            return "incomplete frame" if self._given_up else None
        if buffer[start + size - 1] != END:
            return "no end byte"
        raw = bytes(buffer[start : start + size])
        if byte_sum(raw[:-2]) != raw[-2]:
            return "wrong checksum"
        return Frame.from_bytes(raw)

    def _preamble_size(self) -> int:
        """Return how many FEH the buffer begins with, as far as one frame's length."""
        head = bytes(self._buffer[:FRAME_SIZE_MAX])
        return len(head) - len(head.lstrip(PREAMBLE))

    def _take_noise(self, size: int, reason: str) -> Noise | None:
        """Remove bytes from the front; a preamble behind them stays for the next event."""
        if size == 0:
            return None
        data = bytes(self._buffer[:size])
        if reason != "preamble":
            data = data.rstrip(PREAMBLE)
        del self._buffer[: len(data)]
        return Noise(data, reason)
