"""What came of reading a point: a value, or the cause why there is none."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from station.collector.plan import Want
from station.errors import (
    BadAnswer,
    BadChecksum,
    ExchangeError,
    LinkDown,
    MeterTimeout,
    Refused,
    StationError,
    WrongAddress,
)
from station.store.objects.readings import Quality
from station.words import Text


class Cause(Enum):
    """Why a point has no value."""

    NO_ANSWER = "no_answer"
    WRONG_ADDRESS = "wrong_address"
    BAD_CHECKSUM = "bad_checksum"
    BAD_ANSWER = "bad_answer"
    REFUSED = "refused"
    LINK_DOWN = "link_down"
    NO_RECORD = "no_record"
    CLOCK_WRONG = "clock_wrong"  # Its records bear times that cannot be.
    NOT_A_NUMBER = "not_a_number"
    WINDOW_OVER = "window_over"  # Not asked: the task's window had ended.


CAUSE_NAMES = {
    Cause.NO_ANSWER: Text("no answer", "无应答"),
    Cause.WRONG_ADDRESS: Text("another meter answered", "其他电能表应答"),
    Cause.BAD_CHECKSUM: Text("broken checksum", "校验错误"),
    Cause.BAD_ANSWER: Text("broken answer", "应答错误"),
    Cause.REFUSED: Text("refused by the meter", "电能表拒绝"),
    Cause.LINK_DOWN: Text("link down", "链路断开"),
    Cause.NO_RECORD: Text("not recorded yet", "尚无记录"),
    Cause.CLOCK_WRONG: Text("clock wrong", "时钟错误"),
    Cause.NOT_A_NUMBER: Text("value rejected", "数值无效"),
    Cause.WINDOW_OVER: Text("window over", "采集时段已过"),
}


@dataclass(frozen=True, slots=True)
class Got:
    """A value for a point; None when the meter says that it has none."""

    want: Want
    value: int | None
    read_at: datetime
    quality: Quality = "live"


@dataclass(frozen=True, slots=True)
class Missed:
    """No value for a point this time."""

    want: Want
    cause: Cause
    text: str


Outcome = Got | Missed


def cause_of(error: StationError) -> Cause:
    """Return the cause that an error of an exchange stands for."""
    for kind, cause in _CAUSES:
        if isinstance(error, kind):
            return cause
    raise error


_CAUSES: tuple[tuple[type[StationError], Cause], ...] = (
    (MeterTimeout, Cause.NO_ANSWER),
    (WrongAddress, Cause.WRONG_ADDRESS),
    (BadChecksum, Cause.BAD_CHECKSUM),
    (BadAnswer, Cause.BAD_ANSWER),
    (Refused, Cause.REFUSED),
    (LinkDown, Cause.LINK_DOWN),
    (ExchangeError, Cause.NO_ANSWER),  # Too many waited for the line already.
)
