"""GET: read objects and records (digest, section 8)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from .axdr import U8, U16, Choice, Wire
from .dar import Dar
from .data import Rsd
from .envelope import (
    Apdu,
    AttributeResult,
    AttributeResults,
    FollowReport,
    RecordResult,
    RecordResults,
    TimeTag,
)
from .identifiers import Oad, Rcsd


@dataclass(frozen=True, slots=True)
class RecordQuery(Wire):
    """Which records of a store, and which of their columns."""

    oad: Oad
    selection: Rsd
    columns: Rcsd


@dataclass(frozen=True, slots=True)
class GetRequestNormal(Apdu):
    """Reads one object."""

    TAG: ClassVar[bytes] = b"\x05\x01"
    piid: U8
    oad: Oad
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class GetRequestNormalList(Apdu):
    """Reads objects."""

    TAG: ClassVar[bytes] = b"\x05\x02"
    piid: U8
    oads: tuple[Oad, ...]
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class GetRequestRecord(Apdu):
    """Reads records of one store."""

    TAG: ClassVar[bytes] = b"\x05\x03"
    piid: U8
    query: RecordQuery
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class GetRequestRecordList(Apdu):
    """Reads records of several stores."""

    TAG: ClassVar[bytes] = b"\x05\x04"
    piid: U8
    queries: tuple[RecordQuery, ...]
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class GetRequestNext(Apdu):
    """Asks for the block after `block`, the last one received."""

    TAG: ClassVar[bytes] = b"\x05\x05"
    piid: U8
    block: U16
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class GetRequestMd5(Apdu):
    """Reads the MD5 of an object."""

    TAG: ClassVar[bytes] = b"\x05\x06"
    piid: U8
    oad: Oad
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class GetResponseNormal(Apdu):
    """One object."""

    TAG: ClassVar[bytes] = b"\x85\x01"
    piid: U8
    result: AttributeResult
    follow_report: FollowReport | None = None
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class GetResponseNormalList(Apdu):
    """Objects, in the order in which they were asked for."""

    TAG: ClassVar[bytes] = b"\x85\x02"
    piid: U8
    results: tuple[AttributeResult, ...]
    follow_report: FollowReport | None = None
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class GetResponseRecord(Apdu):
    """Records of one store."""

    TAG: ClassVar[bytes] = b"\x85\x03"
    piid: U8
    result: RecordResult
    follow_report: FollowReport | None = None
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class GetResponseRecordList(Apdu):
    """Records of several stores."""

    TAG: ClassVar[bytes] = b"\x85\x04"
    piid: U8
    results: tuple[RecordResult, ...]
    follow_report: FollowReport | None = None
    time_tag: TimeTag | None = None


BlockContent = Annotated[
    Dar | AttributeResults | RecordResults,
    Choice("block", {0: Dar, 1: AttributeResults, 2: RecordResults}),
]


@dataclass(frozen=True, slots=True)
class GetResponseNext(Apdu):
    """One block of an answer that is too long for one APDU; see `blocks`."""

    TAG: ClassVar[bytes] = b"\x85\x05"
    piid: U8
    last: bool
    block: U16
    content: BlockContent
    follow_report: FollowReport | None = None
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class GetResponseMd5(Apdu):
    """The MD5 of an object."""

    TAG: ClassVar[bytes] = b"\x85\x06"
    piid: U8
    oad: Oad
    reply: Annotated[Dar | bytes, Choice("MD5", {0: Dar, 1: bytes})]
    follow_report: FollowReport | None = None
    time_tag: TimeTag | None = None
