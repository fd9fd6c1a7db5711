"""What came of reading a point: a value, or the cause why there is none."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from station.collector.plan import Want
from station.errors import BadAnswer, LinkDown, MeterTimeout, Refused, StationError
from station.words import Text


class Cause(Enum):
    """Why a point has no value."""

    NO_ANSWER = "no_answer"
    BAD_ANSWER = "bad_answer"
    REFUSED = "refused"
    LINK_DOWN = "link_down"
    NO_RECORD = "no_record"
    NOT_A_NUMBER = "not_a_number"


CAUSE_NAMES = {
    Cause.NO_ANSWER: Text("no answer", "无应答"),
    Cause.BAD_ANSWER: Text("broken answer", "应答错误"),
    Cause.REFUSED: Text("refused by the meter", "电能表拒绝"),
    Cause.LINK_DOWN: Text("link down", "链路断开"),
    Cause.NO_RECORD: Text("not recorded yet", "尚无记录"),
    Cause.NOT_A_NUMBER: Text("not a number", "数值无效"),
}


@dataclass(frozen=True, slots=True)
class Got:
    """A value for a point; None when the meter says that it has none."""

    want: Want
    value: int | None
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Missed:
    """No value for a point this time."""

    want: Want
    cause: Cause
    text: str


Outcome = Got | Missed


def cause_of(error: StationError) -> Cause:
    """Return the cause that an error of an exchange stands for."""
    if isinstance(error, MeterTimeout):
        return Cause.NO_ANSWER
    if isinstance(error, BadAnswer):
        return Cause.BAD_ANSWER
    if isinstance(error, Refused):
        return Cause.REFUSED
    if isinstance(error, LinkDown):
        return Cause.LINK_DOWN
    raise error
