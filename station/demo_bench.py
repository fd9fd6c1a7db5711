"""The reader of the demonstration's bench, as selling knows readers."""

from station.errors import CardFailed, NoCard, NoReader
from station.prepaid.cards.apdu import Response
from station.prepaid.readers.base import Condition, ReaderIdentity
from station.simulator.bench import Bench

MODEL = "Virtual reader"


class BenchReader:
    """A `CardReader` whose cards people move on the page of the bench."""

    def __init__(self, bench: Bench) -> None:
        self.identity = ReaderIdentity(MODEL, "Reader of the bench", serial="1", port="bench")
        self._bench = bench

    def connect(self) -> "BenchChannel":
        """Power the card. Raises NoReader, NoCard."""
        if self.sense() == "no_card" or (atr := self._bench.power_on()) is None:
            raise NoCard(f"{self.identity.name}: no card lies in it")
        return BenchChannel(self._bench, self.identity.name, atr)

    def sense(self) -> Condition:
        """Tell whether a card is there. Raises NoReader."""
        if not self._bench.is_attached:
            raise NoReader(f"{self.identity.name} is not attached: connect it")
        return "no_card" if self._bench.inserted is None else "card"

    def close(self) -> None:
        """Nothing is held."""


class BenchChannel:
    """A conversation with the card that lies in the reader of the bench."""

    def __init__(self, bench: Bench, name: str, atr: bytes) -> None:
        self.atr = atr
        self._bench = bench
        self._name = name

    def transmit(self, apdu: bytes) -> Response:
        """Ask the card. Raises CardFailed once it is out."""
        answer = self._bench.transmit(self.atr, apdu)
        if answer is None:
            raise CardFailed(f"{self._name}: the card was removed or reset", code="removed")
        return Response(answer[:-2], int.from_bytes(answer[-2:], "big"))

    def disconnect(self) -> None:
        """Leave the card as it is."""
