"""What all APDUs have in common (digest, section 4).

    tag 1 | choice 1 (some) | PIID 1 | fields of the service | follow report? | time tag?

What a server sends may carry a follow report, and both sides' a time tag; LINK and SECURITY have
neither. `TAG` of a class is the tag with the choice.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, TypeVar

from station.protocols.faults import FrameError

from .axdr import Choice, Reader, Wire, codec_of, write_length
from .dar import Dar
from .data import Data
from .identifiers import Oad, Rcsd, Ti
from .moments import DateTimeS

# PIID. Tools set bit 6 in requests too, where it means nothing.
PRIORITY = 0x80
ACCESS_DEMAND = 0x40  # ACD, in what a server sends: events wait to be read.
NUMBER_MASK = 0x3F

ApduType = TypeVar("ApduType", bound="Apdu")


class Apdu(Wire):
    """One application protocol data unit."""

    __slots__ = ()
    TAG: ClassVar[bytes]

    @classmethod
    def from_bytes(cls: type[ApduType], raw: bytes) -> ApduType:
        """Return the APDU of this class that exactly these bytes hold. Raises FrameError."""
        if not raw.startswith(cls.TAG):
            raise FrameError(f"no {cls.__name__}", 0)
        reader = Reader(raw)
        reader.at = len(cls.TAG)
        apdu = cls.read(reader)
        reader.finish()
        return apdu

    def to_bytes(self) -> bytes:
        """Return the bytes of the APDU. Raises ValueError if a field cannot be sent."""
        return self.TAG + self.write()


@dataclass(frozen=True, slots=True)
class TimeTag(Wire):
    """When a request was sent, and for how long it holds; an answer repeats that of its request."""

    sent: DateTimeS
    delay: Ti


Result = Annotated[Dar | Data, Choice("result", {0: Dar, 1: Data})]


@dataclass(frozen=True, slots=True)
class AttributeResult(Wire):
    """A-ResultNormal: an object with its value, or with why there is none."""

    oad: Oad
    result: Result


_COLUMNS = codec_of(Rcsd)
Row = tuple[Data, ...]


@dataclass(frozen=True, slots=True)
class RecordResult(Wire):
    """A-ResultRecord: rows of a store, each with one `Data` per column, or why there are none.

    The columns are those of the answer; a device may return others than it was asked for.
    """

    oad: Oad
    columns: Rcsd
    rows: Dar | tuple[Row, ...]

    @classmethod
    def read(cls, reader: Reader) -> "RecordResult":
        """Return the next record result. Raises FrameError."""
        oad = Oad.read(reader)
        columns = _COLUMNS.read(reader)
        choice = reader.byte()
        if choice == 0:
            return cls(oad, columns, Dar.read(reader))
        if choice != 1:
            raise FrameError(f"choice {choice} of record result is unknown", reader.at - 1)
        at = reader.at
        count = reader.count()
        if count and not columns:
            raise FrameError(f"{count} rows without columns", at)
        rows = [tuple([Data.read(reader) for _ in columns]) for _ in range(count)]
        return cls(oad, columns, tuple(rows))

    def write(self) -> bytes:
        """Return the bytes of the value. Raises ValueError if a row has not one value a column."""
        head = self.oad.write() + _COLUMNS.write(self.columns)
        if isinstance(self.rows, Dar):
            return head + b"\x00" + self.rows.write()
        if any(len(row) != len(self.columns) or not row for row in self.rows):
            raise ValueError(f"a row has not {len(self.columns)} values, one for each column")
        values = b"".join(value.write() for row in self.rows for value in row)
        return head + b"\x01" + write_length(len(self.rows)) + values


@dataclass(frozen=True, slots=True)
class AttributeResults(Wire):
    """SEQUENCE OF A-ResultNormal."""

    results: tuple[AttributeResult, ...]


@dataclass(frozen=True, slots=True)
class RecordResults(Wire):
    """SEQUENCE OF A-ResultRecord."""

    results: tuple[RecordResult, ...]


# Events that a device adds to an answer about something else.
FollowReport = Annotated[
    AttributeResults | RecordResults,
    Choice("follow report", {1: AttributeResults, 2: RecordResults}),
]
