"""The exception tree: the name says whose fault it is and what to do.

A message names the thing and the value, and never holds a password or a key. `handlers/base.py`
turns each class into one HTTP status; everything outside this tree is a defect of ours.
"""


class StationError(Exception):
    """Anything Station says on purpose."""


class ConfigError(StationError):
    """The configuration cannot be used; the message holds one line per error."""


class StartError(StationError):
    """A part could not start (a port in use, a database that is down)."""


class InvalidValue(StationError):
    """Somebody gave a value that cannot be; `field` names it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class NotFound(StationError):
    """There is no such thing."""


class Conflict(StationError):
    """It contradicts what is already there."""


class NeedsShift(Conflict):
    """The clerk has no open shift: open one first."""


class LimitReached(Conflict):
    """It is more than this clerk may do."""


class NeedsApproval(Conflict):
    """A second person has to agree to it first."""


class Protected(Conflict):
    """The device stands on the keep-power list: it is not cut off from here."""


class DatabaseDown(StationError):
    """The database does not answer; try again later."""


class LinkDown(StationError):
    """The link to a terminal or a line is not up, or went down during an exchange."""


class TooLate(StationError):
    """It may not be sent any more: the time for which it was ordered is over."""


class ExchangeError(StationError):
    """An exchange over a link that is up did not give what was asked."""


class MeterTimeout(ExchangeError):
    """No answer came in time."""


class BadAnswer(ExchangeError):
    """Something came back that is not an answer."""


class WrongAddress(BadAnswer):
    """Another meter's frame came back."""


class BadChecksum(BadAnswer):
    """A frame came back whose checksum is wrong."""


class Refused(ExchangeError):
    """The device answered that it will not; the message holds its reasons."""


class NotDelivered(StationError):
    """Somebody outside did not take a message; the text says why."""


class CardError(StationError):
    """Something about a card or its reader; `code` names it for programs, the text for people."""

    code = "card_error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class NoReader(CardError):
    """No reader is there, or none of the configured ones answers."""

    code = "no_reader"


class NoCard(CardError):
    """The reader is there, and no card lies in it."""

    code = "no_card"


class WrongCard(CardError):
    """The card is sound, but not for this; `code` says why and the text what to do."""

    code = "wrong_card"


class CardFailed(CardError):
    """The card refused, or was cut off during a conversation.

    `may_have_written` is true once a write was sent: then only the card itself can tell.
    """

    code = "card_failed"

    def __init__(
        self, message: str, *, may_have_written: bool = False, code: str | None = None
    ) -> None:
        super().__init__(message, code=code)
        self.may_have_written = may_have_written


class ReaderFailed(CardError):
    """The reader answers with nonsense, or not at all."""

    code = "reader_failed"
