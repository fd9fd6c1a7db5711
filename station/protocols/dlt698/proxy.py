"""PROXY: a terminal asks meters on behalf of the client (digest, section 11).

Times are in seconds and 0 is left to the terminal; the whole one bounds those of the targets.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from .action import ActionItem, ActionResult, ActionThenGetItem, ActionThenGetResult
from .axdr import U8, U16, Choice, Wire
from .dar import Dar
from .envelope import Apdu, AttributeResult, FollowReport, RecordResult, TimeTag
from .get import RecordQuery
from .identifiers import Comdcb, Oad, Tsa
from .set import SetItem, SetResult, SetThenGetItem, SetThenGetResult


@dataclass(frozen=True, slots=True)
class ProxyGetTarget(Wire):
    """A meter and what to read of it."""

    meter: Tsa
    timeout_s: U16
    oads: tuple[Oad, ...]


@dataclass(frozen=True, slots=True)
class ProxySetTarget(Wire):
    """A meter and what to write to it."""

    meter: Tsa
    timeout_s: U16
    items: tuple[SetItem, ...]


@dataclass(frozen=True, slots=True)
class ProxySetThenGetTarget(Wire):
    """A meter, what to write to it and what to read then."""

    meter: Tsa
    timeout_s: U16
    items: tuple[SetThenGetItem, ...]


@dataclass(frozen=True, slots=True)
class ProxyActionTarget(Wire):
    """A meter and which methods to call."""

    meter: Tsa
    timeout_s: U16
    items: tuple[ActionItem, ...]


@dataclass(frozen=True, slots=True)
class ProxyActionThenGetTarget(Wire):
    """A meter, which methods to call and what to read then."""

    meter: Tsa
    timeout_s: U16
    items: tuple[ActionThenGetItem, ...]


@dataclass(frozen=True, slots=True)
class ProxyRequestGetList(Apdu):
    """Reads objects of meters."""

    TAG: ClassVar[bytes] = b"\x09\x01"
    piid: U8
    timeout_s: U16
    targets: tuple[ProxyGetTarget, ...]
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class ProxyRequestGetRecord(Apdu):
    """Reads records of one meter."""

    TAG: ClassVar[bytes] = b"\x09\x02"
    piid: U8
    timeout_s: U16
    meter: Tsa
    query: RecordQuery
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class ProxyRequestSetList(Apdu):
    """Writes objects of meters."""

    TAG: ClassVar[bytes] = b"\x09\x03"
    piid: U8
    timeout_s: U16
    targets: tuple[ProxySetTarget, ...]
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class ProxyRequestSetThenGetList(Apdu):
    """Writes objects of meters and reads others."""

    TAG: ClassVar[bytes] = b"\x09\x04"
    piid: U8
    timeout_s: U16
    targets: tuple[ProxySetThenGetTarget, ...]
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class ProxyRequestActionList(Apdu):
    """Calls methods of meters."""

    TAG: ClassVar[bytes] = b"\x09\x05"
    piid: U8
    timeout_s: U16
    targets: tuple[ProxyActionTarget, ...]
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class ProxyRequestActionThenGetList(Apdu):
    """Calls methods of meters and reads objects."""

    TAG: ClassVar[bytes] = b"\x09\x06"
    piid: U8
    timeout_s: U16
    targets: tuple[ProxyActionThenGetTarget, ...]
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class ProxyRequestTransCommand(Apdu):
    """Sends bytes out of a port and waits for those that come in."""

    TAG: ClassVar[bytes] = b"\x09\x07"
    piid: U8
    port: Oad
    settings: Comdcb
    timeout_s: U16
    byte_timeout_ms: U16
    command: bytes
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class ProxyGetResult(Wire):
    """A meter and what was read of it."""

    meter: Tsa
    results: tuple[AttributeResult, ...]


@dataclass(frozen=True, slots=True)
class ProxySetResult(Wire):
    """A meter and what was written to it."""

    meter: Tsa
    results: tuple[SetResult, ...]


@dataclass(frozen=True, slots=True)
class ProxySetThenGetResult(Wire):
    """A meter, what was written to it and what was read then."""

    meter: Tsa
    results: tuple[SetThenGetResult, ...]


@dataclass(frozen=True, slots=True)
class ProxyActionResult(Wire):
    """A meter and which methods were done."""

    meter: Tsa
    results: tuple[ActionResult, ...]


@dataclass(frozen=True, slots=True)
class ProxyActionThenGetResult(Wire):
    """A meter, which methods were done and what was read then."""

    meter: Tsa
    results: tuple[ActionThenGetResult, ...]


@dataclass(frozen=True, slots=True)
class ProxyResponseGetList(Apdu):
    """Objects of meters."""

    TAG: ClassVar[bytes] = b"\x89\x01"
    piid: U8
    targets: tuple[ProxyGetResult, ...]
    follow_report: FollowReport | None = None
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class ProxyResponseGetRecord(Apdu):
    """Records of one meter."""

    TAG: ClassVar[bytes] = b"\x89\x02"
    piid: U8
    meter: Tsa
    result: RecordResult
    follow_report: FollowReport | None = None
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class ProxyResponseSetList(Apdu):
    """What was written to meters."""

    TAG: ClassVar[bytes] = b"\x89\x03"
    piid: U8
    targets: tuple[ProxySetResult, ...]
    follow_report: FollowReport | None = None
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class ProxyResponseSetThenGetList(Apdu):
    """What was written to meters and what was read then."""

    TAG: ClassVar[bytes] = b"\x89\x04"
    piid: U8
    targets: tuple[ProxySetThenGetResult, ...]
    follow_report: FollowReport | None = None
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class ProxyResponseActionList(Apdu):
    """Which methods of meters were done."""

    TAG: ClassVar[bytes] = b"\x89\x05"
    piid: U8
    targets: tuple[ProxyActionResult, ...]
    follow_report: FollowReport | None = None
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class ProxyResponseActionThenGetList(Apdu):
    """Which methods of meters were done and what was read then."""

    TAG: ClassVar[bytes] = b"\x89\x06"
    piid: U8
    targets: tuple[ProxyActionThenGetResult, ...]
    follow_report: FollowReport | None = None
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class ProxyResponseTransCommand(Apdu):
    """What came in on a port, or why nothing did."""

    TAG: ClassVar[bytes] = b"\x89\x07"
    piid: U8
    port: Oad
    reply: Annotated[Dar | bytes, Choice("reply", {0: Dar, 1: bytes})]
    follow_report: FollowReport | None = None
    time_tag: TimeTag | None = None
