"""How serial card readers speak: bytes of a command in, bytes of the answer out.

The source is the digest prepaid_card, section 13. A framing takes one whole command off the front
of what has arrived, has the slot obey it, and says what the reader says: that it has heard, at
once, and later the answer. A reader that is spoken to wrongly says so in its own way.
"""

from collections.abc import Callable
from typing import Protocol

HEADER_SIZE = 10
POWER_ON, POWER_OFF, SLOT_STATUS, EXCHANGE, ESCAPE = 0x62, 0x63, 0x65, 0x6F, 0x6B
DATA, STATUS, ESCAPED = 0x80, 0x81, 0x83
ANSWERS = {POWER_ON: DATA, POWER_OFF: STATUS, SLOT_STATUS: STATUS, EXCHANGE: DATA, ESCAPE: ESCAPED}
ACTIVE, INACTIVE, NO_CARD = 0, 1, 2
FAILED = 0x40
MUTE = 0xFE
ERROR_ON_SUCCESS = 0x81  # As the manual's examples show: nobody may judge by it.
FIRMWARE = b"GemTwin-V2.00"

Say = Callable[[bytes], None]


class Slot(Protocol):
    """The slot behind the line: what holds the card."""

    @property
    def state(self) -> int:
        """ACTIVE, INACTIVE or NO_CARD."""

    def power_on(self) -> bytes | None:
        """Return the ATR, or None without a card."""

    def power_off(self) -> None:
        """Switch the card off."""

    def exchange(self, apdu: bytes) -> bytes | None:
        """Return the card's answer, or None when there is none."""


class Framing(Protocol):
    """A manner of speaking on a line."""

    def take(self, heard: bytearray, slot: Slot, say: Say) -> bool:
        """Take one command off the front and answer it; False while it is not whole."""

    def moved(self, *, inserted: bool) -> bytes:
        """Return what the reader says of its own when a card moves."""


class Acr1281s:
    """Framing A: `02 | CCID message | XOR | 03`; every command is acknowledged first."""

    def __init__(self) -> None:
        self._last = b""

    def take(self, heard: bytearray, slot: Slot, say: Say) -> bool:
        """Take one command off the front and answer it; False while it is not whole."""
        del heard[: _noise(heard, 0x02)]
        if len(heard) < 1 + HEADER_SIZE:
            return False
        end = 1 + HEADER_SIZE + _size(heard[1:])
        if len(heard) < end + 2:
            return False
        message, check, mark = bytes(heard[1:end]), heard[end], heard[end + 1]
        del heard[: end + 2]
        if mark != 0x03 or check != _xor(message):
            refusal = 0xFF if mark == 0x03 else 0xFD
            say(bytes([0x02, refusal, refusal, 0x03]))
            return True
        if any(message):  # All zeros ask for the last answer again.
            say(bytes.fromhex("02000003"))
            reply = _ccid(message, slot)
            self._last = b"\x02" + reply + bytes([_xor(reply), 0x03])
        say(self._last)
        return True

    def moved(self, *, inserted: bool) -> bytes:
        """Return the message of a card's movement."""
        bits = 0x03 if inserted else 0x02
        return bytes([0x02, 0x50, bits, 0x50 ^ bits, 0x03])


class GemPcTwin:
    """Framing C: `03 06 | CCID message | XOR of all before`; commands are echoed."""

    def take(self, heard: bytearray, slot: Slot, say: Say) -> bool:
        """Take one command off the front and answer it; False while it is not whole."""
        del heard[: _noise(heard, 0x03)]
        if len(heard) < 2 + HEADER_SIZE:
            return False
        end = 2 + HEADER_SIZE + _size(heard[2:])
        if len(heard) < end + 1:
            return False
        frame = bytes(heard[: end + 1])
        del heard[: end + 1]
        say(frame)
        if _xor(frame) or frame[1] != 0x06:
            say(bytes.fromhex("031516"))
            return True
        message = frame[2:-1]
        if message[0] == POWER_ON:
            say(b"\x80")  # A card takes its time to wake.
        reply = b"\x03\x06" + _ccid(message, slot)
        say(reply + bytes([_xor(reply)]))
        return True

    def moved(self, *, inserted: bool) -> bytes:
        """Return the message of a card's movement."""
        return bytes([0x50, 0x03 if inserted else 0x02])


class Acr30s:
    """Framing B: `02 | 01 INS LEN data XOR, as hex digits | 03`."""

    def take(self, heard: bytearray, slot: Slot, say: Say) -> bool:
        """Take one command off the front and answer it; False while it is not whole."""
        del heard[: _noise(heard, 0x02)]
        end = heard.find(b"\x03")
        if end < 0:
            return False
        digits = bytes(heard[1:end])
        del heard[: end + 1]
        say(self._answer(digits, slot))
        return True

    def moved(self, *, inserted: bool) -> bytes:
        """Return the message of a card's movement."""
        return self._said(0xFF, 0x01 if inserted else 0x02)

    def _answer(self, digits: bytes, slot: Slot) -> bytes:
        try:
            body = bytes.fromhex(digits.decode("ascii"))
        except ValueError:
            return self._said(0x60, 0x00)
        size_at = 3 if len(body) < 4 or body[2] != 0xFF else 5
        data = body[size_at:-1]
        announced = int.from_bytes(body[3:5], "big") if size_at == 5 else body[2:3] and body[2]
        if len(body) < 4 or body[0] != 0x01 or _xor(body) or announced != len(data):
            return self._said(0x60, 0x01)
        return self._obey(body[1], data, slot)

    def _obey(self, instruction: int, data: bytes, slot: Slot) -> bytes:
        if slot.state == NO_CARD:
            return self._said(0x60, 0x02)
        if instruction == 0x80:
            return self._answered(slot.power_on(), 0x03)
        if instruction == 0x81:
            slot.power_off()
            return self._said(0x90, 0x00)
        if instruction != 0xA0:
            return self._said(0x60, 0x01)
        if slot.state == INACTIVE:
            return self._said(0x60, 0x04)
        apdu = _one_length(data)
        return self._said(0x67, 0x01) if apdu is None else self._answered(slot.exchange(apdu), 2)

    def _answered(self, answer: bytes | None, failure: int) -> bytes:
        return self._said(0x60, failure) if answer is None else self._said(0x90, 0x00, answer)

    def _said(self, sw1: int, sw2: int, data: bytes = b"") -> bytes:
        size = bytes([len(data)])
        if len(data) >= 0xFF:
            size = b"\xff" + len(data).to_bytes(2, "big")
        body = bytes([0x01, sw1, sw2]) + size + data
        return b"\x02" + (body + bytes([_xor(body)])).hex().upper().encode() + b"\x03"


FRAMINGS: dict[str, type[Acr1281s] | type[Acr30s] | type[GemPcTwin]] = {
    "acr1281s": Acr1281s,
    "acr30s": Acr30s,
    "gempc-twin": GemPcTwin,
}


def _ccid(message: bytes, slot: Slot) -> bytes:
    """Return the CCID answer to a CCID command."""
    kind, data = message[0], message[HEADER_SIZE:]
    answer: bytes | None = b""
    if kind == POWER_ON:
        answer = slot.power_on()
    elif kind == POWER_OFF:
        slot.power_off()
    elif kind == EXCHANGE:
        answer = slot.exchange(data) if slot.state == ACTIVE else None
    elif kind == ESCAPE:
        answer = FIRMWARE if data == b"\x02" else b""
    elif kind != SLOT_STATUS:
        answer = None
    failed = answer is None
    body = answer or b""
    status = slot.state | (FAILED if failed else 0)
    error = MUTE if failed else ERROR_ON_SUCCESS
    head = bytes([ANSWERS.get(kind, STATUS)]) + len(body).to_bytes(4, "little")
    return head + message[5:7] + bytes([status, error, 0]) + body


def _one_length(data: bytes) -> bytes | None:
    """Return the command of CLA INS P1 P2 Lc data Le; over T=0 one of the lengths is zero."""
    if len(data) < 6 or len(data) != 6 + data[4] or (data[4] and data[-1]):
        return None
    return data[:-1] if data[4] else data[:4] + data[-1:]


def _noise(heard: bytearray, start: int) -> int:
    """Return how many bytes come before a frame can begin."""
    at = heard.find(bytes([start]))
    return len(heard) if at < 0 else at


def _size(header: bytes | bytearray) -> int:
    return int.from_bytes(header[1:5], "little")


def _xor(data: bytes) -> int:
    result = 0
    for byte in data:
        result ^= byte
    return result
