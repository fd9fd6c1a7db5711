"""Connections of which nobody knows yet whose they are: how many there may be. Pure.

Who connects and never logs in takes room from those who do. So there is room for so many in all and
from one IP address, and the one that has been silent for longest leaves it to a newer one.
"""

from typing import Generic, TypeVar

UNNAMED_MAX = 4096  # As many as the kernel holds for us after a power cut, see BACKLOG.
UNNAMED_PER_IP_MAX = 2048  # Of a gateway with thousands of terminals, or of a scanner.

ConnectionT = TypeVar("ConnectionT")


class Unnamed(Generic[ConnectionT]):
    """The connections without a name, the oldest first."""

    def __init__(
        self, maximum: int = UNNAMED_MAX, per_ip_maximum: int = UNNAMED_PER_IP_MAX
    ) -> None:
        self._maximum = maximum
        self._per_ip_maximum = per_ip_maximum
        self._all: dict[ConnectionT, str] = {}
        self._by_ip: dict[str, dict[ConnectionT, None]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def add(self, connection: ConnectionT, ip: str) -> ConnectionT | None:
        """Take a connection and return the one that has to leave for it, which is removed."""
        same = self._by_ip.setdefault(ip, {})
        same[connection] = None
        self._all[connection] = ip
        if len(same) > self._per_ip_maximum:
            return self._removed(next(iter(same)))
        return self.oldest() if len(self._all) > self._maximum else None

    def oldest(self) -> ConnectionT | None:
        """Remove and return the oldest connection, if there is one."""
        return self._removed(next(iter(self._all))) if self._all else None

    def remove(self, connection: ConnectionT) -> None:
        """A connection has a name now, or has ended."""
        ip = self._all.pop(connection, None)
        if ip is not None:
            same = self._by_ip[ip]
            del same[connection]
            if not same:
                del self._by_ip[ip]

    def _removed(self, connection: ConnectionT) -> ConnectionT:
        self.remove(connection)
        return connection
