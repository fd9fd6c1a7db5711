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


class DatabaseDown(StationError):
    """The database does not answer; try again later."""


class LinkDown(StationError):
    """The link to a terminal or a line is not up, or went down during an exchange."""


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
