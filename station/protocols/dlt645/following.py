"""Joins a long answer: the first reply says that more follows, 12H (1997: 02H) asks for each part.

The first reply has no sequence number, every later one of 2007 ends with it (digest 2.1).
"""

from . import functions
from .frame import Frame
from .functions import data_id_of, identifier_size, version_of
from .requests import payload, read_following

SEQUENCE_MAX = 255  # One byte; after it comes 1 again.
PARTS_MAX = 1024  # 200 KiB; the longest record known is 682 bytes, so more is a meter gone wrong.


class LongAnswer:
    """Give it each reply in turn and send what `add` returns, until that is None.

    `data` is what follows the identifier, joined. `is_complete` stays False when the meter refused
    or lost a part; what came before then stands in `data`.
    """

    def __init__(self, request: Frame) -> None:
        self._request = request
        self._parts = 0
        self.data = b""
        self.is_complete = False

    def add(self, reply: Frame) -> Frame | None:
        """Take the answer to the last request; return the next request, or None at the end."""
        if reply.is_error or not self._is_next(reply):
            return None
        self.data += payload(reply)
        self._parts += 1
        if not reply.has_more:
            self.is_complete = True
            return None
        data_id = data_id_of(self._request)
        if data_id is None or self._parts == PARTS_MAX:
            return None
        sequence = (self._parts - 1) % SEQUENCE_MAX + 1
        version = version_of(self._request)
        return read_following(version, self._request.address, data_id, sequence)

    def _is_next(self, reply: Frame) -> bool:
        """A sequence number other than the one asked ends the read."""
        if reply.function != functions.READ_FOLLOWING:
            return True
        sequence = (self._parts - 1) % SEQUENCE_MAX + 1
        return reply.data[identifier_size(reply) :][-1:] == bytes((sequence,))
