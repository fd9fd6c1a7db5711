"""A trace that keeps no passwords of meters.

What a question carries is sent as it is; what is kept of it, in memory and in the log, and shown to
whoever may look at frames, has its passwords hidden.
"""

from datetime import datetime

from station.frontend.trace import Direction, Trace
from station.protocols.secrecy import without_passwords

ECHO = "echo"  # The note of a question that came back from a half-duplex line.


class DiscreetTrace(Trace):
    """Hides passwords before anything is kept."""

    def record(
        self,
        link: str,
        direction: Direction,
        raw: bytes,
        at: datetime,
        meter: str | None = None,
        exchange: int | None = None,
        note: str = "",
    ) -> None:
        """Keep one frame; only questions, and their echoes, can carry a password."""
        if exchange is not None or note == ECHO:
            raw = without_passwords(raw)
        super().record(link, direction, raw, at, meter, exchange, note)
