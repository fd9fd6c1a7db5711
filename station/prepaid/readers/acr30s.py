"""Framing B: ACR30S on RS-232 (digest section 13 B).

    02 | body as ASCII hex digits | 03        body: 01 | INS | LEN | data | XOR of all before

An answer's body is 01 SW1 SW2 LEN data XOR; after a LEN of FF come two bytes of length. 90 is good,
60 a command that cannot be, 67 one that failed. 01 FF tells of a card's movement at any moment.
Over T=0 a command carries data or asks for some, never both; what a card holds it announces (61xx).
"""

from typing import NamedTuple

from station.errors import CardFailed, NoCard, ReaderFailed
from station.prepaid.readers.serial_line import (
    CARD_TIMEOUT_S,
    POWER_TIMEOUT_S,
    Line,
    LineSettings,
    xor,
)

SETTINGS = LineSettings(baud=9600)

START, END = b"\x02", b"\x03"
HEADER = 0x01
RESET, POWER_OFF, APDU = 0x80, 0x81, 0xA0
GOOD, MOVEMENT = 0x90, 0xFF
NO_CARD, NOT_POWERED = (0x60, 0x02), (0x60, 0x04)  # ACR30 manual 3.3, appendix B.
EXTENDED = 0xFF
BODY_MAX = 600  # Bytes; an answer of a card is 258 at most.
EVENTS_MAX = 20


class Body(NamedTuple):
    """What the reader answered."""

    sw1: int
    sw2: int
    data: bytes


def framed(instruction: int, data: bytes = b"") -> bytes:
    """Return a command as it goes over the line."""
    size = bytes([len(data)])
    if len(data) >= EXTENDED:
        size = bytes([EXTENDED]) + len(data).to_bytes(2, "big")
    body = bytes([HEADER, instruction]) + size + data
    return START + (body + bytes([xor(body)])).hex().upper().encode("ascii") + END


class Acr30s:
    """A conversation with a card over this framing."""

    def __init__(self, line: Line, name: str) -> None:
        self._line = line
        self._name = name

    def power_on(self) -> bytes:
        """Reset the card and return its ATR. Raises NoCard, CardFailed, ReaderFailed."""
        answer = _carry(self._line, framed(RESET), POWER_TIMEOUT_S)
        if (answer.sw1, answer.sw2) == NO_CARD:
            raise NoCard(f"{self._name}: no card lies in it")
        if answer.sw1 != GOOD:
            raise CardFailed(
                f"{self._name}: the card does not answer: is the chip on the right side?",
                code="mute",
            )
        return answer.data

    def exchange(self, apdu: bytes) -> bytes:
        """Return what the card answers, its status last. Raises CardFailed, ReaderFailed."""
        answer = _carry(self._line, framed(APDU, _with_both_lengths(apdu)), CARD_TIMEOUT_S)
        if answer.sw1 == GOOD:
            return answer.data
        if (answer.sw1, answer.sw2) in (NO_CARD, NOT_POWERED):
            raise CardFailed(f"{self._name}: the card was removed or reset", code="removed")
        said = f"{answer.sw1:02X}{answer.sw2:02X}"
        raise CardFailed(f"{self._name} could not pass the command ({said})")

    def power_off(self) -> None:
        """Switch the card off. Raises ReaderFailed."""
        _carry(self._line, framed(POWER_OFF), POWER_TIMEOUT_S)


def _with_both_lengths(apdu: bytes) -> bytes:
    """Return a command as CLA INS P1 P2 Lc data Le, one of Lc and Le being zero."""
    if len(apdu) <= 5:
        le = apdu[4:5] or b"\0"
        return apdu[:4] + b"\0" + le
    return apdu[: 5 + apdu[4]] + b"\0"


def _carry(line: Line, frame: bytes, timeout_s: float) -> Body:
    line.send(frame)
    for _ in range(EVENTS_MAX):
        body = _parsed(_between_marks(line, timeout_s), line.port)
        if body.sw1 != MOVEMENT:
            return body
    raise ReaderFailed(f"the reader on {line.port} answers with nonsense")


def _between_marks(line: Line, timeout_s: float) -> bytes:
    if line.receive(1, timeout_s) != START:
        raise _nonsense(line.port)
    digits = b""
    while (digit := line.receive(1)) != END:
        digits += digit
        if len(digits) > 2 * BODY_MAX:
            raise _nonsense(line.port)
    return digits


def _parsed(digits: bytes, port: str) -> Body:
    try:
        raw = bytes.fromhex(digits.decode("ascii"))
    except ValueError:
        raise _nonsense(port) from None
    if len(raw) < 5 or xor(raw) != 0 or raw[0] != HEADER:
        raise _nonsense(port)
    if raw[1] == MOVEMENT:
        return Body(MOVEMENT, raw[2], b"")
    begin, size = 4, raw[3]
    if size == EXTENDED:
        begin, size = 6, int.from_bytes(raw[4:6], "big")
    data = raw[begin:-1]
    if len(data) != size:
        raise _nonsense(port)
    return Body(raw[1], raw[2], data)


def _nonsense(port: str) -> ReaderFailed:
    return ReaderFailed(f"the reader on {port} answers with nonsense")
