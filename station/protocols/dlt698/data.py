"""`Data`, a value with its type, and the selections of records and meters that hold it (digest 7).

A `Data` says its type on the wire: one tag byte, then the value in the coding of the table below.
The same coding is used without the tag where an APDU declares the type of a field.
"""

import math
import struct
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import Annotated, Any

from station.protocols.faults import FrameError

from .axdr import (
    DEPTH_MAX,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    Choice,
    Reader,
    Utf8String,
    VisibleString,
    Wire,
    codec_of,
    write_length,
)
from .identifiers import Comdcb, Csd, Oad, Omd, Rcsd, Road, ScalerUnit, Sid, SidMac, Ti, Tsa
from .moments import Date, DateTime, DateTimeS, Time


class DataType(IntEnum):
    """The tags of `Data`; 97 (VQDS of a later edition) and the reserved ones are not read."""

    NULL = 0x00
    ARRAY = 0x01
    STRUCTURE = 0x02
    BOOL = 0x03
    BIT_STRING = 0x04
    DOUBLE_LONG = 0x05
    DOUBLE_LONG_UNSIGNED = 0x06
    OCTET_STRING = 0x09
    VISIBLE_STRING = 0x0A
    UTF8_STRING = 0x0C
    INTEGER = 0x0F
    LONG = 0x10
    UNSIGNED = 0x11
    LONG_UNSIGNED = 0x12
    LONG64 = 0x14
    LONG64_UNSIGNED = 0x15
    ENUM = 0x16
    FLOAT32 = 0x17
    FLOAT64 = 0x18
    DATE_TIME = 0x19
    DATE = 0x1A
    TIME = 0x1B
    DATE_TIME_S = 0x1C
    OI = 0x50
    OAD = 0x51
    ROAD = 0x52
    OMD = 0x53
    TI = 0x54
    TSA = 0x55
    MAC = 0x56
    RN = 0x57
    REGION = 0x58
    SCALER_UNIT = 0x59
    RSD = 0x5A
    CSD = 0x5B
    MS = 0x5C
    SID = 0x5D
    SID_MAC = 0x5E
    COMDCB = 0x5F
    RCSD = 0x60


@dataclass(frozen=True, slots=True)
class Data(Wire):
    """A value of a type: what Python value it is says the table `KINDS`."""

    type: DataType
    value: Any

    @classmethod
    def read(cls, reader: Reader) -> "Data":
        """Return the next value. Raises FrameError."""
        tag = reader.byte()
        found = _CODECS.get(tag)
        if found is None:
            raise FrameError(f"data type {tag:02X}H is unknown", reader.at - 1)
        if reader.depth == DEPTH_MAX:
            raise FrameError(f"more than {DEPTH_MAX} values in each other", reader.at - 1)
        reader.depth += 1
        data_type, codec = found
        data = cls(data_type, codec.read(reader))
        reader.depth -= 1
        return data

    def write(self) -> bytes:
        """Return the tag and the value. Raises ValueError if the value cannot be sent."""
        return bytes((self.type,)) + _CODECS[self.type][1].write(self.value)


NULL = Data(DataType.NULL, None)


@dataclass(frozen=True, slots=True)
class BitString(Wire):
    """Bits, the first one highest; those that fill up the last byte are kept as they came."""

    size: int
    data: bytes

    @classmethod
    def read(cls, reader: Reader) -> "BitString":
        """Return the next bit-string. Raises FrameError."""
        size = reader.length()
        return cls(size, reader.take(_bytes_of(size)))

    def write(self) -> bytes:
        """Return the bytes of the value. Raises ValueError unless the data has that size."""
        if len(self.data) != _bytes_of(self.size):
            raise ValueError(f"{len(self.data)} bytes for {self.size} bits")
        return write_length(self.size) + self.data

    def is_set(self, bit: int) -> bool:
        """Tell whether a bit, counted from the first, is 1."""
        return bool(self.data[bit // 8] << bit % 8 & 0x80)


def _bytes_of(bits: int) -> int:
    return (bits + 7) // 8


class Null:
    """No value, and no byte."""

    def read(self, _reader: Reader) -> None:
        return None

    def write(self, _value: None) -> bytes:
        return b""


class Float:
    """An IEEE 754 number as a decimal with all its digits; None is a NaN."""

    def __init__(self, layout: str, digits: int) -> None:
        self.layout = struct.Struct(layout)
        self.digits = digits  # As many as tell any two numbers of this size apart.

    def read(self, reader: Reader) -> Decimal | None:
        (number,) = self.layout.unpack(reader.take(self.layout.size))
        return None if math.isnan(number) else Decimal(f"{number:.{self.digits}g}")

    def write(self, value: Decimal | None) -> bytes:
        try:
            return self.layout.pack(math.nan if value is None else float(value))
        except OverflowError:
            raise ValueError(f"{value} does not fit into {self.layout.size} bytes") from None


@dataclass(frozen=True, slots=True)
class Region(Wire):
    """A range; `kind` says which ends belong to it: 0 [a,b), 1 (a,b], 2 [a,b], 3 (a,b)."""

    kind: U8
    begin: Data
    end: Data


# MS, which meters (digest 7.2).


@dataclass(frozen=True, slots=True)
class NoMeters(Wire):
    """No meter."""


@dataclass(frozen=True, slots=True)
class AllMeters(Wire):
    """All meters."""


@dataclass(frozen=True, slots=True)
class MeterTypes(Wire):
    """Meters of some user types."""

    types: tuple[U8, ...]


@dataclass(frozen=True, slots=True)
class MeterAddresses(Wire):
    """Meters by address."""

    addresses: tuple[Tsa, ...]


@dataclass(frozen=True, slots=True)
class MeterNumbers(Wire):
    """Meters by their number in the terminal's archive."""

    numbers: tuple[U16, ...]


@dataclass(frozen=True, slots=True)
class MeterTypeRegions(Wire):
    """Meters by ranges of user types."""

    regions: tuple[Region, ...]


@dataclass(frozen=True, slots=True)
class MeterAddressRegions(Wire):
    """Meters by ranges of addresses."""

    regions: tuple[Region, ...]


@dataclass(frozen=True, slots=True)
class MeterNumberRegions(Wire):
    """Meters by ranges of numbers."""

    regions: tuple[Region, ...]


Ms = Annotated[
    NoMeters
    | AllMeters
    | MeterTypes
    | MeterAddresses
    | MeterNumbers
    | MeterTypeRegions
    | MeterAddressRegions
    | MeterNumberRegions,
    Choice(
        "MS",
        {
            0: NoMeters,
            1: AllMeters,
            2: MeterTypes,
            3: MeterAddresses,
            4: MeterNumbers,
            5: MeterTypeRegions,
            6: MeterAddressRegions,
            7: MeterNumberRegions,
        },
    ),
]


# RSD, which records (digest 7.1).


@dataclass(frozen=True, slots=True)
class NoSelection(Wire):
    """Choice 0: no selection."""


@dataclass(frozen=True, slots=True)
class RecordEqual(Wire):
    """Choice 1: the record whose column has this value, such as 20210200, the freeze time."""

    oad: Oad
    value: Data


@dataclass(frozen=True, slots=True)
class RecordRange(Wire):
    """Choice 2: records whose column lies from `begin` up to `end`; `interval` is a TI or NULL."""

    oad: Oad
    begin: Data
    end: Data
    interval: Data


@dataclass(frozen=True, slots=True)
class RecordRanges(Wire):
    """Choice 3: several ranges together."""

    ranges: tuple[RecordRange, ...]


@dataclass(frozen=True, slots=True)
class StartedAt(Wire):
    """Choice 4: records whose acquisition started at a time."""

    time: DateTimeS
    meters: Ms


@dataclass(frozen=True, slots=True)
class StoredAt(Wire):
    """Choice 5: records that were stored at a time."""

    time: DateTimeS
    meters: Ms


@dataclass(frozen=True, slots=True)
class StartedBetween(Wire):
    """Choice 6: records whose acquisition started in a time; the interval of Ti(0, 0) is none."""

    begin: DateTimeS
    end: DateTimeS
    interval: Ti
    meters: Ms


@dataclass(frozen=True, slots=True)
class StoredBetween(Wire):
    """Choice 7: records that were stored in a time."""

    begin: DateTimeS
    end: DateTimeS
    interval: Ti
    meters: Ms


@dataclass(frozen=True, slots=True)
class SucceededBetween(Wire):
    """Choice 8: records whose acquisition succeeded in a time."""

    begin: DateTimeS
    end: DateTimeS
    interval: Ti
    meters: Ms


@dataclass(frozen=True, slots=True)
class NthLast(Wire):
    """Choice 9: the n-th last record."""

    number: U8


@dataclass(frozen=True, slots=True)
class LastRecords(Wire):
    """Choice 10: the last n records."""

    count: U8
    meters: Ms


Rsd = Annotated[
    NoSelection
    | RecordEqual
    | RecordRange
    | RecordRanges
    | StartedAt
    | StoredAt
    | StartedBetween
    | StoredBetween
    | SucceededBetween
    | NthLast
    | LastRecords,
    Choice(
        "RSD",
        {
            0: NoSelection,
            1: RecordEqual,
            2: RecordRange,
            3: RecordRanges,
            4: StartedAt,
            5: StoredAt,
            6: StartedBetween,
            7: StoredBetween,
            8: SucceededBetween,
            9: NthLast,
            10: LastRecords,
        },
    ),
]

# What the value of each type is; an enum and an OI are plain numbers.
KINDS: dict[DataType, Any] = {
    DataType.NULL: Annotated[None, Null()],
    DataType.ARRAY: tuple[Data, ...],
    DataType.STRUCTURE: tuple[Data, ...],
    DataType.BOOL: bool,
    DataType.BIT_STRING: BitString,
    DataType.DOUBLE_LONG: I32,
    DataType.DOUBLE_LONG_UNSIGNED: U32,
    DataType.OCTET_STRING: bytes,
    DataType.VISIBLE_STRING: VisibleString,
    DataType.UTF8_STRING: Utf8String,
    DataType.INTEGER: I8,
    DataType.LONG: I16,
    DataType.UNSIGNED: U8,
    DataType.LONG_UNSIGNED: U16,
    DataType.LONG64: I64,
    DataType.LONG64_UNSIGNED: U64,
    DataType.ENUM: U8,
    DataType.FLOAT32: Annotated[Decimal | None, Float(">f", 9)],
    DataType.FLOAT64: Annotated[Decimal | None, Float(">d", 17)],
    DataType.DATE_TIME: DateTime,
    DataType.DATE: Date,
    DataType.TIME: Time,
    DataType.DATE_TIME_S: DateTimeS,
    DataType.OI: U16,
    DataType.OAD: Oad,
    DataType.ROAD: Road,
    DataType.OMD: Omd,
    DataType.TI: Ti,
    DataType.TSA: Tsa,
    DataType.MAC: bytes,
    DataType.RN: bytes,
    DataType.REGION: Region,
    DataType.SCALER_UNIT: ScalerUnit,
    DataType.RSD: Rsd,
    DataType.CSD: Csd,
    DataType.MS: Ms,
    DataType.SID: Sid,
    DataType.SID_MAC: SidMac,
    DataType.COMDCB: Comdcb,
    DataType.RCSD: Rcsd,
}
assert set(KINDS) == set(DataType), "a data type without its coding"

_CODECS = {int(data_type): (data_type, codec_of(kind)) for data_type, kind in KINDS.items()}
