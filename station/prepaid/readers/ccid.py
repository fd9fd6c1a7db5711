"""The messages inside the framings of ACR1281S and GemPC Twin: those of USB CCID, header of 10.

    type | length (4, least significant first) | slot | sequence | 3 parameters or status | data

An answer's 8th byte says in bits 7..6 whether it worked (0 yes, 1 no, 2 more time is needed) and in
bits 1..0 whether a card is there (0 active, 1 inactive, 2 none). The 9th is only looked at after a
failure: readers put other things there on success (digest section 13 A).
"""

from dataclasses import dataclass

from station.errors import CardError, CardFailed, NoCard, ReaderFailed

HEADER_SIZE = 10
DATA_MAX = 512  # An answer of a card is 258 bytes at most, an ATR 33.

POWER_ON, POWER_OFF, SLOT_STATUS, EXCHANGE, ESCAPE = 0x62, 0x63, 0x65, 0x6F, 0x6B
DATA_ANSWER, STATUS_ANSWER, ESCAPE_ANSWER = 0x80, 0x81, 0x83
ANSWERS = {
    POWER_ON: DATA_ANSWER,
    POWER_OFF: STATUS_ANSWER,
    SLOT_STATUS: STATUS_ANSWER,
    EXCHANGE: DATA_ANSWER,
    ESCAPE: ESCAPE_ANSWER,
}

WORKED, FAILED, MORE_TIME = 0, 1, 2
NO_CARD_THERE = 2


@dataclass(frozen=True)
class Answer:
    """What a reader answered."""

    type: int
    slot: int
    sequence: int
    status: int
    error: int
    data: bytes

    @property
    def outcome(self) -> int:
        """WORKED, FAILED or MORE_TIME."""
        return self.status >> 6

    @property
    def is_card_there(self) -> bool:
        """Whether the reader sees a card."""
        return self.status & 3 != NO_CARD_THERE

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Answer":
        """Take a whole message apart."""
        return cls(raw[0], raw[5], raw[6], raw[7], raw[8], raw[HEADER_SIZE:])


def command(kind: int, slot: int, sequence: int, data: bytes = b"") -> bytes:
    """Return a command with its three parameters zero (power: automatic)."""
    size = len(data).to_bytes(4, "little")
    return bytes([kind]) + size + bytes([slot, sequence, 0, 0, 0]) + data


def size_of(header: bytes) -> int:
    """Return how many bytes of data follow a header. Raises ReaderFailed for nonsense."""
    size = int.from_bytes(header[1:5], "little")
    if size > DATA_MAX:
        raise ReaderFailed(f"the reader announces {size} bytes, more than any card sends")
    return size


def check(answer: Answer, kind: int, sequence: int, name: str) -> None:
    """See that an answer is one to this command, and that it worked.

    Raises ReaderFailed, NoCard when powering finds none, CardFailed otherwise.
    """
    if answer.type != ANSWERS[kind] or answer.sequence != sequence:
        raise ReaderFailed(
            f"{name} answered {answer.type:02X} (number {answer.sequence}) to {kind:02X}"
            f" (number {sequence})"
        )
    if answer.outcome != WORKED:
        raise _refusal(answer, kind, name)


def _refusal(answer: Answer, kind: int, name: str) -> CardError:
    if kind in (POWER_ON, SLOT_STATUS) and not answer.is_card_there:
        return NoCard(f"{name}: no card lies in it")
    if kind == POWER_ON:
        return CardFailed(
            f"{name}: the card does not answer: is the chip on the right side?", code="mute"
        )
    if not answer.is_card_there:
        return CardFailed(f"{name}: the card was removed or reset", code="removed")
    return CardFailed(f"{name}: the card does not answer any more (error {answer.error:02X})")
