"""A bench for tests that write cards: readers in memory whose card can be pulled at any APDU."""

from collections.abc import Callable
from itertools import count

from station.errors import CardFailed, NoCard, NoReader
from station.prepaid.cards.apdu import Response
from station.prepaid.cards.layout import Profile
from station.prepaid.readers.base import ReaderIdentity
from station.simulator.card import VirtualCard

TEST_ROOT = bytes(range(16))  # The digest's own test key (section 11).
FIRST_SERIAL = 0x3100000000000001

_serials = count(FIRST_SERIAL)

Hook = Callable[[int, bytes], None]


def new_card(profile: Profile = Profile.GW13, *, issued: bool = True) -> VirtualCard:
    """Return a card with a serial that no other card of this run has."""
    return VirtualCard(next(_serials).to_bytes(8, "big"), TEST_ROOT, profile, issued=issued)


def _nothing(number: int, apdu: bytes) -> None:
    """Let the APDU pass."""


class MemoryReader:
    """A `CardReader` without a device.

    `before_apdu` and `after_apdu` are called with the APDU's number since the reader was made (from
    0) and its bytes: before the card sees it, and after it obeyed but before the answer is heard.
    A hook may raise, pull the card (`pull`) or unplug the reader (`unplug`); a command that was
    under way then ends as it does on a real reader. `apdus` holds every APDU the card obeyed.
    """

    def __init__(self, card: VirtualCard | None = None, name: str = "Memory reader") -> None:
        self.identity = ReaderIdentity(model="memory", name=name, serial="1", port="memory")
        self.card = card
        self.attached = True
        self.before_apdu: Hook = _nothing
        self.after_apdu: Hook = _nothing
        self.apdus: list[bytes] = []
        self.asked = 0

    def insert(self, card: VirtualCard) -> None:
        """Put a card in; a card that was there is pulled."""
        card.power_on()
        self.card = card

    def pull(self) -> VirtualCard | None:
        """Take the card out and return it."""
        card, self.card = self.card, None
        return card

    def unplug(self) -> None:
        """Take the reader from its port, the card still in it."""
        self.attached = False

    def plug_in(self) -> None:
        """Attach the reader again."""
        self.attached = True

    def calm(self) -> None:
        """Have no hooks any more."""
        self.before_apdu = self.after_apdu = _nothing

    def connect(self) -> "MemoryChannel":
        """Power the card. Raises NoReader, NoCard."""
        if not self.attached:
            raise NoReader(f"{self.identity.name} is not attached")
        if self.card is None:
            raise NoCard(f"{self.identity.name}: no card")
        self.card.power_on()
        return MemoryChannel(self, self.card)

    def sense(self) -> str:
        """Tell whether a card is there. Raises NoReader."""
        if not self.attached:
            raise NoReader(f"{self.identity.name} is not attached")
        return "no_card" if self.card is None else "card"

    def close(self) -> None:
        """Nothing is held."""


class MemoryChannel:
    """A conversation with the card in a `MemoryReader`."""

    def __init__(self, reader: MemoryReader, card: VirtualCard) -> None:
        self.atr = card.atr
        self._reader = reader
        self._card = card

    def transmit(self, apdu: bytes) -> Response:
        """Ask the card. Raises CardFailed when it is gone by the time its answer is due."""
        reader, number = self._reader, self._reader.asked
        reader.asked += 1
        reader.before_apdu(number, apdu)
        self._check_there()
        answer = self._card.transmit(apdu)
        reader.apdus.append(apdu)
        reader.after_apdu(number, apdu)
        self._check_there()
        return Response(answer[:-2], int.from_bytes(answer[-2:], "big"))

    def disconnect(self) -> None:
        """Leave the card as it is."""

    def _check_there(self) -> None:
        if not self._reader.attached or self._reader.card is not self._card:
            raise CardFailed(f"{self._reader.identity.name}: the card was removed", code="removed")
