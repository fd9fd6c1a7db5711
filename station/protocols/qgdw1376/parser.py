"""Bytes of a link in, frames and noise out (digest, sections 1 and 16).

A frame starts where 68 L L 68 stands with equal and sane L; then CS and 16H decide. After a bad
candidate the search goes on one byte further, because its L may be wrong and swallow a good frame.
Every byte that came in goes out again, in a frame or in a `Noise`.
"""

from station.protocols.checksum import byte_sum
from station.protocols.faults import FrameError
from station.protocols.noise import Noise
from station.protocols.qgdw1376.frame import (
    END,
    ENVELOPE_SIZE,
    HEADER_SIZE,
    PASSWORD_SIZE,
    PREAMBLE,
    PROTOCOL_2009,
    START,
    Frame,
    check_protocol,
    read_header,
)

# Field front-ends hold 2 kB of user data; a larger L is taken for noise.
FRAME_SIZE_MAX = 2048 + ENVELOPE_SIZE

NO_START = "no start of a frame"

_START = bytes((START,))
_PREAMBLE = bytes((PREAMBLE,))


class Parser:
    """Call `next_event` until it returns None after each `receive_data`.

    Then no more than `frame_size_max` bytes are held back.
    """

    __slots__ = ("_accept_2005", "_at", "_buffer", "_frame_size_max", "_given_up", "_password_size")

    def __init__(
        self,
        password_size: int = PASSWORD_SIZE,
        frame_size_max: int = FRAME_SIZE_MAX,
        accept_2005: bool = False,
    ) -> None:
        self._password_size = password_size
        self._frame_size_max = frame_size_max
        self._accept_2005 = accept_2005
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
            # Why the first start is false is told; the others in the same noise only cost time.
            if reason is not NO_START and not self._is_plausible(at):
                at += 1
                continue
            try:
                frame, size = self._frame_at(at)
            except FrameError as error:
                if reason is NO_START:
                    reason = str(error)
                at += 1
                continue
            if at > begin:
                return self._noise(at, reason)
            if frame is not None:
                self._advance(at + size)
            return frame
        return self._noise(len(buffer), reason) if begin < len(buffer) else None

    def give_up(self) -> None:
        """Say that the rest of what is held back does not come: `next_event` then hands it out.

        For a link that stays silent inside a frame; 5 s are customary (section 16).
        """
        self._given_up = True

    def _is_plausible(self, at: int) -> bool:
        """Tell at little cost whether a frame may start here: most starts in noise are false."""
        buffer = self._buffer
        if at + HEADER_SIZE > len(buffer):
            return True
        if buffer[at + 5] != START or buffer[at + 1 : at + 3] != buffer[at + 3 : at + 5]:
            return False
        size = ((buffer[at + 1] | buffer[at + 2] << 8) >> 2) + ENVELOPE_SIZE
        end = at + size
        if size > self._frame_size_max:
            return False
        if end > len(buffer):
            return True
        if buffer[end - 1] != END:
            return False
        return byte_sum(buffer[at + HEADER_SIZE : end - 2]) == buffer[end - 2]

    def _frame_at(self, at: int) -> tuple[Frame | None, int]:
        """Return the frame that starts here, or None while it is not all there, and its size."""
        buffer = self._buffer
        here = len(buffer) - at
        size = HEADER_SIZE if here < HEADER_SIZE else self._frame_size(at)
        if size > self._frame_size_max:
            raise FrameError(f"L says {size} bytes, {self._frame_size_max} are allowed", 1)
        if here < size:
            if self._given_up:
                raise FrameError("the rest of the frame did not come", here)
            return None, size
        if buffer[at + size - 1] != END:  # Cheap, and settles most false starts.
            raise FrameError("no 16H", size - 1)
        raw = buffer[at : at + size]
        return Frame.from_bytes(raw, self._password_size, self._accept_2005), size

    def _frame_size(self, at: int) -> int:
        user_size, protocol = read_header(self._buffer[at : at + HEADER_SIZE])
        if protocol != PROTOCOL_2009:
            check_protocol(protocol, self._accept_2005)
        return user_size + ENVELOPE_SIZE

    def _noise(self, end: int, reason: str) -> Noise:
        data = self._buffer[self._at : end]
        self._advance(end)
        return Noise(data, "preamble" if not data.strip(_PREAMBLE) else reason)

    def _advance(self, end: int) -> None:
        if end == len(self._buffer):
            self._buffer, end = b"", 0
        self._at = end
