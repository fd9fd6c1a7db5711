"""Framing A: ACR1281S and its kin on RS-232 (digest section 13 A).

    02 | CCID message | XOR of the message | 03

The reader first acknowledges with 02 00 00 03, or refuses with 02 FF FF 03 (checksum), FE (length),
FD (end mark), FC (time): then nothing was done, and the command is sent again. An answer that
arrives broken is asked for again; the command itself is not repeated. 02 50 bits XOR 03 tells of a
card's movement at any moment.
"""

from station.errors import ReaderFailed
from station.prepaid.readers.ccid import HEADER_SIZE, MORE_TIME, Answer, size_of
from station.prepaid.readers.serial_line import Line, LineSettings, xor

SETTINGS = LineSettings(baud=9600)
SLOT = 1  # Contact; 0 is contactless.

START, END = 0x02, 0x03
MOVEMENT = 0x50
ACKNOWLEDGED = 0x00
REFUSALS = (0xFF, 0xFE, 0xFD, 0xFC)
AGAIN = bytes([START, *bytes(11), END])  # "Send your last answer again."
ATTEMPTS_MAX = 3  # Of a refused command, and of a broken answer.
EVENTS_MAX = 20  # Movements and waits within one exchange; a card is not moved more often.


def framed(message: bytes) -> bytes:
    """Return a message as it goes over the line."""
    return bytes([START]) + message + bytes([xor(message), END])


def carry(line: Line, message: bytes, timeout_s: float) -> Answer:
    """Send a message and return the answer. Raises ReaderFailed."""
    for _ in range(ATTEMPTS_MAX):
        line.send(framed(message))
        if _is_acknowledged(line):
            return _answer(line, timeout_s)
    raise ReaderFailed(f"the reader on {line.port} refuses the command")


def _is_acknowledged(line: Line) -> bool:
    for _ in range(EVENTS_MAX):
        first, code = line.receive(2)
        if code == MOVEMENT:
            line.receive(3)
            continue
        again, end = line.receive(2)
        if (first, again, end) == (START, code, END):
            if code == ACKNOWLEDGED:
                return True
            if code in REFUSALS:
                return False
        break
    raise ReaderFailed(f"the reader on {line.port} answers with nonsense")


def _answer(line: Line, timeout_s: float) -> Answer:
    attempts = 1
    for _ in range(EVENTS_MAX):
        head = line.receive(2, timeout_s)
        if head[1] == MOVEMENT:
            line.receive(3)
            continue
        header = head[1:] + line.receive(HEADER_SIZE - 1)
        rest = line.receive(size_of(header) + 2)
        message = header + rest[:-2]
        if (head[0], rest[-2], rest[-1]) == (START, xor(message), END):
            answer = Answer.from_bytes(message)
            if answer.outcome != MORE_TIME:
                return answer
        elif attempts < ATTEMPTS_MAX:
            attempts += 1
            line.send(AGAIN)
        else:
            break
    raise ReaderFailed(f"the reader on {line.port} answers with nonsense")
