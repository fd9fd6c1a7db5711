"""Who may not dial in: terminals by address, and IP addresses or networks."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from station.store.objects.base import Many, Objects
from station.units import utc_now


@dataclass(frozen=True, slots=True)
class Block:
    """One refusal; `key` is a terminal's address, an IP address, or a network as 10.1.0.0/16."""

    key: str
    kind: Literal["address", "ip"]
    reason: str
    by: str
    created_at: datetime = field(default_factory=utc_now)


class Blocks(Objects[Block]):
    """All refusals."""

    shape = Block
    key = "key"
    word = "block"

    async def all(self) -> Many[Block]:
        """Return every block, the newest first."""
        return await self._all({}, order=[("created_at", -1), ("_id", 1)])
