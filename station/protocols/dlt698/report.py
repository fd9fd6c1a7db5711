"""REPORT: a server sends on its own account, the client confirms (digest, section 10)."""

from dataclasses import dataclass
from typing import ClassVar

from .axdr import U8
from .envelope import Apdu, AttributeResult, FollowReport, RecordResult, TimeTag
from .identifiers import Oad


@dataclass(frozen=True, slots=True)
class ReportNotificationList(Apdu):
    """Objects."""

    TAG: ClassVar[bytes] = b"\x88\x01"
    piid: U8
    results: tuple[AttributeResult, ...]
    follow_report: FollowReport | None = None
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class ReportNotificationRecordList(Apdu):
    """Records: events, results of tasks."""

    TAG: ClassVar[bytes] = b"\x88\x02"
    piid: U8
    results: tuple[RecordResult, ...]
    follow_report: FollowReport | None = None
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class ReportNotificationTransData(Apdu):
    """What came in on a port, as it is."""

    TAG: ClassVar[bytes] = b"\x88\x03"
    piid: U8
    port: Oad
    blocks: tuple[bytes, ...]
    follow_report: FollowReport | None = None
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class ReportResponseList(Apdu):
    """Confirms a report of objects, naming them."""

    TAG: ClassVar[bytes] = b"\x08\x01"
    piid: U8
    oads: tuple[Oad, ...]
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class ReportResponseRecordList(Apdu):
    """Confirms a report of records, naming their stores."""

    TAG: ClassVar[bytes] = b"\x08\x02"
    piid: U8
    oads: tuple[Oad, ...]
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class ReportResponseTransData(Apdu):
    """Confirms a report of what came in on a port."""

    TAG: ClassVar[bytes] = b"\x08\x03"
    piid: U8
    time_tag: TimeTag | None = None
