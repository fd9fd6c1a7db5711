"""Framing C: GemPC Twin on RS-232 (digest section 13 C).

    03 06 | CCID message | XOR of all before

The reader echoes every command before it answers. 03 15 16 refuses it: then nothing was done, and
it is sent again. 50 02 and 50 03 tell that a card went out or in, bytes from 80 ask for more time.
"""

from station.errors import ReaderFailed
from station.prepaid.readers.ccid import HEADER_SIZE, MORE_TIME, Answer, size_of
from station.prepaid.readers.serial_line import Line, LineSettings, xor

SETTINGS = LineSettings(baud=115200, stop_bits=2, rts=False)
SLOT = 0

SYNC, ACK, NAK = 0x03, 0x06, 0x15
MOVEMENT = 0x50
TIME_REQUEST = 0x80  # And everything above.
ATTEMPTS_MAX = 3
EVENTS_MAX = 200  # Time requests come every 0.1 to 0.5 s while a card computes.


def framed(message: bytes) -> bytes:
    """Return a message as it goes over the line."""
    sent = bytes([SYNC, ACK]) + message
    return sent + bytes([xor(sent)])


def carry(line: Line, message: bytes, timeout_s: float) -> Answer:
    """Send a message and return the answer. Raises ReaderFailed."""
    sent = framed(message)
    for _ in range(ATTEMPTS_MAX):
        line.send(sent)
        if line.receive(len(sent)) != sent:
            raise ReaderFailed(f"the reader on {line.port} answers with nonsense")
        answer = _answer(line, timeout_s)
        if answer is not None:
            return answer
    raise ReaderFailed(f"the reader on {line.port} refuses the command")


def _answer(line: Line, timeout_s: float) -> Answer | None:
    """Return the answer, or None when the command was refused."""
    for _ in range(EVENTS_MAX):
        first = line.receive(1, timeout_s)[0]
        if first >= TIME_REQUEST:
            continue
        second = line.receive(1)[0]
        if first == MOVEMENT:
            continue
        if (first, second) == (SYNC, NAK):
            line.receive(1)
            return None
        if (first, second) != (SYNC, ACK):
            break
        header = line.receive(HEADER_SIZE)
        rest = line.receive(size_of(header) + 1)
        message = header + rest[:-1]
        if rest[-1] != xor(bytes([first, second]) + message):
            break
        answer = Answer.from_bytes(message)
        if answer.outcome != MORE_TIME:
            return answer
    raise ReaderFailed(f"the reader on {line.port} answers with nonsense")
