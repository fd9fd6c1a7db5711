"""Memory cards SLE4442 and SLE4428 in PC/SC readers of ACS: raw reading and writing.

No public layout of a prepayment meter on these cards is known, so none is assumed here (digest
section 12). Rules: the type is chosen first after insertion; the status of presenting the PIN is
the error counter, so 90 07 (SLE4442) and 90 FF (SLE4428) mean success and 90 00 means that the card
is LOCKED; a PIN is never sent when a single try is left, and never stands in a text.
"""

from dataclasses import dataclass

from station.errors import CardFailed, InvalidValue, WrongCard
from station.prepaid.cards.apdu import OK
from station.prepaid.readers.base import CardChannel

CLASS = 0xFF
SELECT, READ, COUNTER, PROTECTION = 0xA4, 0xB0, 0xB1, 0xB2
PRESENT_PIN, WRITE, PROTECT, CHANGE_PIN = 0x20, 0xD0, 0xD1, 0xD2
COUNTED = 0x90  # SW1 of presenting a PIN; SW2 is the counter.
PART_MAX = 0x20  # Bytes of one command: every reader takes that many.
TRIES_KEPT = 1  # The last try is for somebody who is sure of the PIN, with another tool.


@dataclass(frozen=True, slots=True)
class MemoryType:
    """What differs between the types; `open_counter` is the counter after the right PIN."""

    name: str
    code: int
    size: int
    pin_size: int
    open_counter: int
    counter_size: int
    header: bytes


SLE4442 = MemoryType("SLE4442", 0x06, 256, 3, 0x07, 4, bytes.fromhex("A2131091"))
SLE4428 = MemoryType("SLE4428", 0x05, 1024, 2, 0xFF, 3, bytes.fromhex("92231091"))
PROTECTABLE_4442 = 32  # Bytes at the beginning.


class MemoryCard:
    """A memory card behind a channel of a reader."""

    def __init__(self, channel: CardChannel, kind: MemoryType) -> None:
        """Choose the type, and see that the card is of it. Raises WrongCard, CardFailed."""
        self._channel = channel
        self.kind = kind
        self._ask(bytes([CLASS, SELECT, 0, 0, 1, kind.code]))
        header = self.read(0, len(kind.header))
        if header != kind.header:
            raise WrongCard(f"this is no {kind.name}: it begins with {header.hex().upper()}")

    def read(self, address: int, size: int) -> bytes:
        """Return so many bytes from an address. Raises InvalidValue, CardFailed."""
        self._check_range(address, size)
        data = b""
        while len(data) < size:
            part = min(PART_MAX, size - len(data))
            command = bytes([CLASS, READ, *self._place(address + len(data)), part])
            # Some readers append four protection bytes.
            data += self._ask(command, at_least=part)[:part]
        return data

    def tries_left(self) -> int:
        """Return how many wrong PINs the card would still bear. Raises CardFailed."""
        size = self.kind.counter_size
        counter = self._ask(bytes([CLASS, COUNTER, 0, 0, size]), at_least=1)[0]
        return bin(counter & self.kind.open_counter).count("1")

    def present_pin(self, pin: bytes) -> None:
        """Open the card for writing. Raises InvalidValue, CardFailed when it stays closed."""
        self._check_pin(pin)
        left = self.tries_left()
        if left <= TRIES_KEPT:
            said = "is locked" if left == 0 else "has a single try left, which is not used up"
            raise CardFailed(f"the card {said}", code="locked")
        command = bytes([CLASS, PRESENT_PIN, 0, 0, len(pin)]) + pin
        response = self._channel.transmit(command)
        sw1, counter = response.sw >> 8, response.sw & 0xFF
        if sw1 != COUNTED:
            raise CardFailed(f"the reader refused the PIN with {response.sw:04X}")
        if counter != self.kind.open_counter:
            left = bin(counter).count("1")
            raise CardFailed(f"the PIN is wrong, {left} tries left", code="pin")

    def write(self, address: int, data: bytes) -> None:
        """Write and read back; the PIN has been presented. Raises InvalidValue, CardFailed."""
        self._check_range(address, len(data))
        self._send(WRITE, address, data)
        if self.read(address, len(data)) != data:
            raise CardFailed(
                f"the card does not hold what was written at {address}: is the PIN presented, or"
                " the place protected?",
                may_have_written=True,
                code="read_back",
            )

    def protect(self, address: int, data: bytes) -> None:
        """Protect bytes for ever; `data` has to be what stands there. Raises as `write`."""
        self._check_range(address, len(data))
        if self.kind is SLE4442 and address + len(data) > PROTECTABLE_4442:
            raise InvalidValue("address", f"only bytes 0..{PROTECTABLE_4442 - 1} can be protected")
        if self.read(address, len(data)) != data:
            raise InvalidValue("data", "only what stands on the card already can be protected")
        self._send(PROTECT, address, data)

    def change_pin(self, pin: bytes) -> None:
        """Give an SLE4442 another PIN, after the old was presented. Raises as `present_pin`."""
        if self.kind is not SLE4442:
            raise InvalidValue("pin", f"the PIN of an {self.kind.name} is not changed this way")
        self._check_pin(pin)
        self._ask(bytes([CLASS, CHANGE_PIN, 0, 1, len(pin)]) + pin)

    def _send(self, instruction: int, address: int, data: bytes) -> None:
        for begin in range(0, len(data), PART_MAX):
            part = data[begin : begin + PART_MAX]
            place = self._place(address + begin)
            self._ask(bytes([CLASS, instruction, *place, len(part)]) + part)

    def _place(self, address: int) -> bytes:
        return address.to_bytes(2, "big")

    def _check_range(self, address: int, size: int) -> None:
        if address < 0 or size < 1 or address + size > self.kind.size:
            raise InvalidValue("address", f"{address} + {size} is beyond {self.kind.size} bytes")

    def _check_pin(self, pin: bytes) -> None:
        if len(pin) != self.kind.pin_size:
            kind = self.kind
            raise InvalidValue("pin", f"the PIN of an {kind.name} has {kind.pin_size} bytes")

    def _ask(self, command: bytes, at_least: int = 0) -> bytes:
        response = self._channel.transmit(command)
        if response.sw != OK or len(response.data) < at_least:
            raise CardFailed(f"the reader answered {response.sw:04X} to {command[1]:02X}")
        return response.data
