"""What a card reader is to the rest of Station: something that connects to a card and passes APDUs.

A reader blocks, so each is used by its own worker thread and by nothing else. A channel is a
conversation with one card: it ends with `disconnect`, at once, because dropping it late would reset
the next card (digest section 14). Errors are those of `station.errors`: `NoReader` the device is
not there, `NoCard` it holds no card, `CardFailed` the card was pulled or does not answer,
`ReaderFailed` the device broke down.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from station.prepaid.cards.apdu import Response

READERS_MAX = 16  # Of one workplace; pcscd knows no more than 16 itself.

Condition = Literal["ready", "no_card", "card", "failed"]  # "ready": it cannot say about the card.


@dataclass(frozen=True, slots=True)
class ReaderIdentity:
    """Which reader: its model, the name it tells, its serial number, where it is plugged in."""

    model: str
    name: str
    serial: str = ""
    port: str = ""

    def is_same(self, other: "ReaderIdentity | None") -> bool:
        """Whether two identities mean one reader; a serial number may be known only later."""
        if other is None:
            return False
        mine, others = (self.model, self.name, self.port), (other.model, other.name, other.port)
        return mine == others and (
            self.serial == other.serial or not (self.serial and other.serial)
        )


@dataclass(frozen=True, slots=True)
class ReaderState:
    """What a reader is doing; `text` says why it failed."""

    identity: ReaderIdentity
    state: Condition
    text: str = ""


class CardChannel(Protocol):
    """A conversation with the card in a reader."""

    @property
    def atr(self) -> bytes:
        """The card's answer to reset. Raises as `CardReader.connect`."""

    def transmit(self, apdu: bytes) -> Response:
        """Send one APDU and return the answer. Raises CardFailed or ReaderFailed."""

    def disconnect(self) -> None:
        """Let go of the card; it never raises."""


class CardReader(Protocol):
    """One reader; its methods block and are called in its worker thread only."""

    @property
    def identity(self) -> ReaderIdentity:
        """Which reader it is; connecting may add its serial number."""

    def connect(self) -> CardChannel:
        """Power the card and return the channel. Raises NoReader, NoCard or ReaderFailed."""

    def close(self) -> None:
        """Let go of the device."""


@runtime_checkable
class SensingReader(Protocol):
    """A reader that can tell whether a card is in it without touching the card."""

    def sense(self) -> Condition:
        """Return what it sees. Raises NoReader or ReaderFailed."""


class ReaderSource(Protocol):
    """Where readers come from: the PC/SC daemon, the configured lines, an agent.

    A reader that stays attached stays the same object.
    """

    def find(self) -> Sequence[CardReader]:
        """Return the readers that are there now; blocks for a moment at most."""

    def close(self) -> None:
        """Let go of what the list needed; no reader is found any more."""


class FixedReaders:
    """Readers that are always there."""

    def __init__(self, *readers: CardReader) -> None:
        self._readers = readers

    def find(self) -> Sequence[CardReader]:
        """Return them all."""
        return self._readers

    def close(self) -> None:
        """Hold nothing, so nothing is let go of."""
