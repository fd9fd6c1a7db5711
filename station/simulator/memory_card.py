"""Virtual memory cards SLE4442 and SLE4428 behind a reader that knows the ACS pseudo commands.

The source is the digest prepaid_card, section 12. Anybody reads; a write needs the right PIN since
the card got power. A wrong PIN costs one of the tries; with none left the card is locked for ever.
What PRESENT answers is 90 and the counter: 90 07 or 90 FF is right, and 90 00 means locked.
"""

from collections.abc import Callable
from dataclasses import dataclass

OK = b"\x90\x00"
WRONG_LENGTH = b"\x67\x00"
WRONG_PLACE = b"\x6b\x00"
NOT_SELECTED = b"\x69\x85"
NOT_ALLOWED = b"\x69\x82"
NO_INSTRUCTION = b"\x6d\x00"
PROTECTABLE = 32  # The first bytes of an SLE4442; on the other card every byte.


@dataclass(frozen=True)
class Kind:
    """What differs between the two cards."""

    size: int
    head: bytes
    select: int
    pin_size: int
    counters: tuple[int, ...]  # By the tries that are used up.
    counter_dummies: int
    protectable: int


SLE4442 = Kind(256, bytes.fromhex("A2131091"), 0x06, 3, (0x07, 0x03, 0x01, 0x00), 3, PROTECTABLE)
SLE4428 = Kind(
    1024, bytes.fromhex("92231091"), 0x05, 2,
    (0xFF, 0x7F, 0x3F, 0x1F, 0x0F, 0x07, 0x03, 0x01, 0x00), 2, 1024,
)  # fmt: skip


class MemoryCard:
    """One memory card; `memory` is what it holds."""

    def __init__(self, kind: Kind = SLE4442, pin: bytes | None = None) -> None:
        self._kind = kind
        self.memory = bytearray(kind.head.ljust(kind.size, b"\xff"))
        self.protected: set[int] = set()
        self.atr = bytes.fromhex("3B04") + kind.head
        self._pin = bytes(b"\xff" * kind.pin_size) if pin is None else pin
        self._used_up = 0
        self.power_on()

    @property
    def counter(self) -> int:
        """The error counter as the reader tells it; 0 is locked."""
        return self._kind.counters[self._used_up]

    def power_on(self) -> None:
        """Begin anew: nothing is selected and no PIN was presented."""
        self._is_selected = False
        self._is_open = False

    def transmit(self, apdu: bytes) -> bytes:
        """Return what the reader answers to a pseudo command."""
        if len(apdu) < 5 or apdu[0] != 0xFF:
            return NO_INSTRUCTION
        if apdu[1] == 0xA4:
            return self._select(apdu)
        if not self._is_selected:
            return NOT_SELECTED
        command = self._commands().get(apdu[1])
        return NO_INSTRUCTION if command is None else command(apdu)

    def _commands(self) -> dict[int, Callable[[bytes], bytes]]:
        return {
            0xB0: self._read,
            0xB1: self._read_counter,
            0x20: self._present,
            0xD0: self._write,
            0xD1: self._protect,
            0xD2: self._change_pin,
        }

    def _select(self, apdu: bytes) -> bytes:
        if apdu[4:] != bytes([1, self._kind.select]):
            return NOT_ALLOWED
        self._is_selected = True
        return OK

    def _read(self, apdu: bytes) -> bytes:
        place = self._place(apdu)
        if len(apdu) != 5:
            return WRONG_LENGTH
        if place + apdu[4] > self._kind.size:
            return WRONG_PLACE
        return bytes(self.memory[place : place + apdu[4]]) + OK

    def _read_counter(self, apdu: bytes) -> bytes:
        if apdu[4] != 1 + self._kind.counter_dummies:
            return WRONG_LENGTH
        return bytes([self.counter]) + bytes(self._kind.counter_dummies) + OK

    def _present(self, apdu: bytes) -> bytes:
        if apdu[4] != self._kind.pin_size or len(apdu) != 5 + apdu[4]:
            return WRONG_LENGTH
        if self.counter:
            self._is_open = apdu[5:] == self._pin
            self._used_up = 0 if self._is_open else self._used_up + 1
        return bytes([0x90, self.counter])

    def _write(self, apdu: bytes) -> bytes:
        return self._checked(apdu, self._put)

    def _put(self, place: int, data: bytes) -> bytes:
        for offset, byte in enumerate(data):
            if place + offset not in self.protected:
                self.memory[place + offset] = byte
        return OK

    def _protect(self, apdu: bytes) -> bytes:
        return self._checked(apdu, self._lock)

    def _lock(self, place: int, data: bytes) -> bytes:
        places = range(place, place + len(data))
        if places.stop > self._kind.protectable:
            return WRONG_PLACE
        self.protected |= {at for at in places if self.memory[at] == data[at - place]}
        return OK

    def _change_pin(self, apdu: bytes) -> bytes:
        if self._kind.pin_size != 3 or apdu[2:5] != bytes.fromhex("000103") or len(apdu) != 8:
            return WRONG_LENGTH
        if not self._is_open:
            return NOT_ALLOWED
        self._pin = apdu[5:]
        return OK

    def _checked(self, apdu: bytes, change: Callable[[int, bytes], bytes]) -> bytes:
        place, data = self._place(apdu), apdu[5:]
        if len(data) != apdu[4] or not data:
            return WRONG_LENGTH
        if place + len(data) > self._kind.size:
            return WRONG_PLACE
        return change(place, data) if self._is_open else NOT_ALLOWED

    def _place(self, apdu: bytes) -> int:
        return int.from_bytes(apdu[2:4], "big")
