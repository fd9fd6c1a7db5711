"""Joins an answer to GET that comes in blocks, each asked for with GET-Request Next (digest 8.5).

A block holds whole objects or whole rows. Numbers go up by one, from 0 or from 1.
"""

from .dar import Dar
from .envelope import ACCESS_DEMAND, AttributeResult, RecordResult
from .get import GetRequestNext, GetResponseNext

BLOCKS_MAX = 4096  # Of 1 KiB; the records of a day of the largest terminal are a tenth of that.


class LongAnswer:
    """Give it each block in turn and send what `add` returns, until that is None.

    `results` are those of all blocks, in order; a store may be in more than one of them.
    `is_complete` stays False when the device refused (`dar` says why) or lost a block.
    """

    def __init__(self) -> None:
        self.results: list[AttributeResult | RecordResult] = []
        self.dar: Dar | None = None
        self.is_complete = False
        self._block: int | None = None
        self._received = 0

    def add(self, response: GetResponseNext) -> GetRequestNext | None:
        """Take a block; return the request for the next one, or None at the end."""
        self._received += 1
        if isinstance(response.content, Dar):
            self.dar = response.content
            return None
        if self._received > BLOCKS_MAX:
            return None
        if response.block != self._block:  # One that comes again has been taken already.
            if not self._is_next(response.block):
                return None
            self.results += response.content.results
            self._block = response.block
        if response.last:
            self.is_complete = True
            return None
        return GetRequestNext(response.piid & ~ACCESS_DEMAND, response.block)

    def _is_next(self, block: int) -> bool:
        return block in (0, 1) if self._block is None else block == self._block + 1
