"""SET: write objects (digest, section 9). Items stand alone; a list is not undone as a whole."""

from dataclasses import dataclass
from typing import ClassVar

from .axdr import U8, Wire
from .dar import Dar
from .data import Data
from .envelope import Apdu, AttributeResult, FollowReport, TimeTag
from .identifiers import Oad


@dataclass(frozen=True, slots=True)
class SetItem(Wire):
    """An object and what to write."""

    oad: Oad
    data: Data


@dataclass(frozen=True, slots=True)
class SetThenGetItem(Wire):
    """An object, what to write, and what to read after a delay (0: as the device likes)."""

    oad: Oad
    data: Data
    read_oad: Oad
    delay_s: U8


@dataclass(frozen=True, slots=True)
class SetResult(Wire):
    """An object and whether it was written."""

    oad: Oad
    dar: Dar


@dataclass(frozen=True, slots=True)
class SetThenGetResult(Wire):
    """An object, whether it was written, and what was read then."""

    oad: Oad
    dar: Dar
    reading: AttributeResult


@dataclass(frozen=True, slots=True)
class SetRequestNormal(Apdu):
    """Writes one object."""

    TAG: ClassVar[bytes] = b"\x06\x01"
    piid: U8
    item: SetItem
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class SetRequestNormalList(Apdu):
    """Writes objects."""

    TAG: ClassVar[bytes] = b"\x06\x02"
    piid: U8
    items: tuple[SetItem, ...]
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class SetThenGetRequestNormalList(Apdu):
    """Writes objects and reads others."""

    TAG: ClassVar[bytes] = b"\x06\x03"
    piid: U8
    items: tuple[SetThenGetItem, ...]
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class SetResponseNormal(Apdu):
    """Whether one object was written."""

    TAG: ClassVar[bytes] = b"\x86\x01"
    piid: U8
    result: SetResult
    follow_report: FollowReport | None = None
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class SetResponseNormalList(Apdu):
    """Which objects were written."""

    TAG: ClassVar[bytes] = b"\x86\x02"
    piid: U8
    results: tuple[SetResult, ...]
    follow_report: FollowReport | None = None
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class SetThenGetResponseNormalList(Apdu):
    """Which objects were written, and what was read then."""

    TAG: ClassVar[bytes] = b"\x86\x03"
    piid: U8
    results: tuple[SetThenGetResult, ...]
    follow_report: FollowReport | None = None
    time_tag: TimeTag | None = None
