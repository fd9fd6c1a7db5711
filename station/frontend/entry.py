"""What is known of one link in this process."""

import asyncio
from datetime import datetime
from typing import Literal, Protocol

from station.frontend.guard import Flapping
from station.frontend.link import Bus, TerminalPort
from station.store.objects.meters import Meter
from station.store.objects.traffic import Counts

Kind = Literal["terminal", "channel"]

# What goes wrong on a link that is up: an answer nobody waits for any more, one that came twice, a
# question without an answer, bytes that are no sound frame, the answer of another device.
Fault = Literal["late", "duplicate", "timeouts", "bad", "wrong_address"]

NEVER_SAVED = -1


class LiveLink(Protocol):
    """A link that is up, as the registry holds it."""

    @property
    def remote(self) -> str:
        """Return the other end: host and port, or a URL."""
        ...

    def bus(self, meter: Meter) -> Bus:
        """Return the bus on which this meter answers."""
        ...

    def terminal(self) -> TerminalPort:
        """Return the terminal itself. Raises InvalidValue where there is none: on a channel."""
        ...

    def close(self, reason: str) -> None:
        """Close the link."""
        ...


class Entry:
    """What is known of one address; only the registry changes it, and the writer `saved`."""

    __slots__ = (
        "address",
        "bad",
        "bytes_in",
        "bytes_out",
        "duplicate",
        "flapping",
        "frames_in",
        "frames_out",
        "hold_off",
        "kind",
        "last_seen",
        "late",
        "link",
        "logins",
        "protocol",
        "reason",
        "remote",
        "replaced",
        "saved",
        "sequence",
        "since",
        "timeouts",
        "wrong_address",
    )

    def __init__(self, address: str, kind: Kind, protocol: str, since: datetime) -> None:
        self.address = address
        self.kind: Kind = kind
        self.protocol = protocol
        self.link: LiveLink | None = None
        self.since = since
        self.last_seen: datetime | None = None
        self.remote = ""
        self.reason = ""
        self.bytes_in = 0
        self.bytes_out = 0
        self.frames_in = 0
        self.frames_out = 0
        self.logins = 0
        self.replaced = 0
        self.late = 0
        self.duplicate = 0
        self.timeouts = 0
        self.bad = 0
        self.wrong_address = 0
        self.flapping = Flapping()
        self.hold_off: asyncio.TimerHandle | None = None  # While it is taken as flapping.
        self.sequence = 0  # PFC: counts the requests to a terminal, over all its connections.
        self.saved = NEVER_SAVED  # Its `moved` when it was written to the store.

    @property
    def moved(self) -> int:
        """Return a number that grows with whatever happens on the link."""
        return self.frames_in + self.frames_out + self.timeouts

    def counts(self) -> Counts:
        """Return what was counted since the start of the process."""
        return Counts(
            self.bytes_in,
            self.bytes_out,
            self.frames_in,
            self.frames_out,
            self.logins,
            self.late,
            self.duplicate,
            self.timeouts,
            self.bad,
            self.wrong_address,
        )

    def next_sequence(self) -> int:
        """Return the sequence number of the next request."""
        self.sequence = (self.sequence + 1) & 0xFF
        return self.sequence
