"""What the station and a reader agent say to each other: JSON texts over one WebSocket.

The agent says `Lent` whenever its readers change, and one `Answer` to each `Asked` of the station.
Only commands for cards and their answers pass: no key ever reaches the agent. Whatever does not
have these shapes raises BadMessage, and the connection ends.
"""

from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from station.errors import (
    CardError,
    CardFailed,
    NoCard,
    NoReader,
    ReaderFailed,
    StationError,
)
from station.prepaid.readers.base import READERS_MAX, Condition

MESSAGE_SIZE_MAX = 16 * 1024  # Bytes: sixteen readers with long names fill half of it.
COMMAND_SIZE_MAX = 262  # Bytes: five of head, 256 of data, one of Le.
ANSWER_TIMEOUT_S = 10.0  # A slow card thinks for seconds; the way to it takes milliseconds.

PAIRING_PATH = "/api/agents/pair"
LINK_PATH = "/agents/link"

Kind = Literal["no_reader", "no_card", "card_failed", "reader_failed"]
KINDS: dict[Kind, type[CardError]] = {
    "no_reader": NoReader,
    "no_card": NoCard,
    "card_failed": CardFailed,
    "reader_failed": ReaderFailed,
}
HEX = r"^(?:[0-9A-Fa-f]{2})*$"
Hex = Annotated[str, StringConstraints(pattern=HEX, max_length=2 * COMMAND_SIZE_MAX)]
Short = Annotated[str, StringConstraints(max_length=200)]


class BadMessage(StationError):
    """The other side said something that does not belong here."""


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LentReader(_Message):
    """A reader of the agent's; `key` names it as long as it stays attached."""

    key: int
    model: Short
    name: Short
    serial: Short = ""
    port: Short = ""


class Lent(_Message):
    """Every reader that the agent has now."""

    readers: Annotated[tuple[LentReader, ...], Field(max_length=READERS_MAX)]


class Asked(_Message):
    """What a reader is to do; `command` only with "transmit"."""

    id: int
    do: Literal["connect", "sense", "transmit", "disconnect"]
    reader: int
    command: Hex = ""


class Problem(_Message):
    """Why it was not done."""

    kind: Kind
    code: Short
    text: Annotated[str, StringConstraints(max_length=1000)]

    @classmethod
    def of(cls, error: CardError) -> "Problem":
        """Return an error as it is told; one that has no kind of its own is the reader's."""
        kind = next(
            (kind for kind, shape in KINDS.items() if isinstance(error, shape)), "reader_failed"
        )
        return cls(kind=kind, code=error.code[:200], text=str(error)[:1000])

    def error(self) -> CardError:
        """Return what was told as the error that it is."""
        return KINDS[self.kind](self.text, code=self.code)


class Answer(_Message):
    """What came of an `Asked`: the ATR, what is sensed, or data and a status word."""

    id: int
    data: Hex = ""
    sw: Annotated[int, Field(ge=0, le=0xFFFF)] = 0
    serial: Short = ""  # Of the reader, which some tell only once they are open.
    condition: Condition = "ready"
    problem: Problem | None = None


class PairingAsked(_Message):
    """The code that a person read from the page, typed at the computer with the readers."""

    code: Annotated[str, StringConstraints(max_length=40)]


class Paired(_Message):
    """What the agent keeps: its workplace, and the token that proves it from now on."""

    workplace: str
    token: str


Message = TypeVar("Message", bound=_Message)


def parsed(shape: type[Message], text: str | bytes) -> Message:
    """Return a message of this shape. Raises BadMessage."""
    try:
        return shape.model_validate_json(text)
    except ValidationError as error:
        raise BadMessage(f"no {shape.__name__}: {error.error_count()} things are wrong") from None


def answer_or_lent(text: str | bytes) -> Answer | Lent:
    """Return what an agent said. Raises BadMessage."""
    try:
        return parsed(Answer, text)
    except BadMessage:
        return parsed(Lent, text)
