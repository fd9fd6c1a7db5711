"""ACTION: call methods (digest, section 9). Items stand alone; a list is not undone as a whole."""

from dataclasses import dataclass
from typing import ClassVar

from .axdr import U8, Wire
from .dar import Dar
from .data import Data
from .envelope import Apdu, AttributeResult, FollowReport, TimeTag
from .identifiers import Oad, Omd


@dataclass(frozen=True, slots=True)
class ActionItem(Wire):
    """A method and its parameter."""

    omd: Omd
    parameter: Data


@dataclass(frozen=True, slots=True)
class ActionThenGetItem(Wire):
    """A method, its parameter, and what to read after a delay (0: as the device likes)."""

    omd: Omd
    parameter: Data
    read_oad: Oad
    delay_s: U8


@dataclass(frozen=True, slots=True)
class ActionResult(Wire):
    """A method, whether it was done, and what it returned."""

    omd: Omd
    dar: Dar
    data: Data | None = None


@dataclass(frozen=True, slots=True)
class ActionThenGetResult(Wire):
    """A method, whether it was done, what it returned, and what was read then."""

    omd: Omd
    dar: Dar
    data: Data | None
    reading: AttributeResult


@dataclass(frozen=True, slots=True)
class ActionRequestNormal(Apdu):
    """Calls one method."""

    TAG: ClassVar[bytes] = b"\x07\x01"
    piid: U8
    item: ActionItem
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class ActionRequestNormalList(Apdu):
    """Calls methods."""

    TAG: ClassVar[bytes] = b"\x07\x02"
    piid: U8
    items: tuple[ActionItem, ...]
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class ActionThenGetRequestNormalList(Apdu):
    """Calls methods and reads objects."""

    TAG: ClassVar[bytes] = b"\x07\x03"
    piid: U8
    items: tuple[ActionThenGetItem, ...]
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class ActionResponseNormal(Apdu):
    """Whether one method was done."""

    TAG: ClassVar[bytes] = b"\x87\x01"
    piid: U8
    result: ActionResult
    follow_report: FollowReport | None = None
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class ActionResponseNormalList(Apdu):
    """Which methods were done."""

    TAG: ClassVar[bytes] = b"\x87\x02"
    piid: U8
    results: tuple[ActionResult, ...]
    follow_report: FollowReport | None = None
    time_tag: TimeTag | None = None


@dataclass(frozen=True, slots=True)
class ActionThenGetResponseNormalList(Apdu):
    """Which methods were done, and what was read then."""

    TAG: ClassVar[bytes] = b"\x87\x03"
    piid: U8
    results: tuple[ActionThenGetResult, ...]
    follow_report: FollowReport | None = None
    time_tag: TimeTag | None = None
