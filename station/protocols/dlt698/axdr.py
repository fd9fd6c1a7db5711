"""A-XDR, how values of the application layer lie on the wire (digest, section 7).

Numbers are sent highest byte first. A class that is sent is a dataclass made a `Wire`: the order of
its fields is the order on the wire, and their annotations say how each is coded. So a class can be
laid beside the printed standard:

    int with a size     U8, U16, U32, I8 ...
    bytes               length, then the bytes; `Fixed(n)` has no length
    bool                one byte
    tuple[X, ...]       SEQUENCE OF: count, then the items
    X | None            OPTIONAL: 00, or 01 and the value
    Choice              one byte, then what it selects
    another Wire        its fields

A `Wire` class is its own codec: it has `read` and `write` like the codecs below. Reading raises
FrameError; writing raises ValueError for a value that cannot be sent.
"""

import dataclasses
from collections.abc import Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

from station.protocols.faults import FrameError

LENGTH_SHORT_MAX = 0x7F
LENGTH_BYTES_MAX = 4  # A frame holds 16 KiB, so no sound length needs more.
DEPTH_MAX = 32  # Of arrays in arrays; the deepest parameters of the standard have six levels.


class Reader:
    """Bytes, and how far they have been read."""

    __slots__ = ("at", "depth", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.at = 0
        self.depth = 0

    def take(self, size: int) -> bytes:
        """Return the next bytes."""
        at = self.at
        end = at + size
        if end > len(self.raw):
            raise FrameError(f"{size} bytes are needed, {len(self.raw) - at} are left", at)
        self.at = end
        return self.raw[at:end]

    def byte(self) -> int:
        """Return the next byte."""
        return self.take(1)[0]

    def length(self) -> int:
        """Return a length; one that is longer than it needs to be is met and accepted."""
        at = self.at
        first = self.byte()
        if first <= LENGTH_SHORT_MAX:
            return first
        size = first & LENGTH_SHORT_MAX
        if not 1 <= size <= LENGTH_BYTES_MAX:
            raise FrameError(f"length byte {first:02X}H", at)
        return int.from_bytes(self.take(size), "big")

    def count(self) -> int:
        """Return the number of items of a sequence; each takes a byte at least."""
        at = self.at
        count = self.length()
        if count > len(self.raw) - self.at:
            raise FrameError(f"{count} items, {len(self.raw) - self.at} bytes are left", at)
        return count

    def finish(self) -> None:
        """Check that nothing is left."""
        left = len(self.raw) - self.at
        if left:
            raise FrameError(f"{left} bytes too many", self.at)


def write_length(length: int) -> bytes:
    """Return the shortest coding of a length or a count."""
    if length <= LENGTH_SHORT_MAX:
        return bytes((length,))
    size = (length.bit_length() + 7) // 8
    return bytes((0x80 | size,)) + length.to_bytes(size, "big")


class Codec(Protocol):
    """What reads and writes one kind of value."""

    def read(self, reader: Reader, /) -> Any:
        """Return the next value. Raises FrameError."""

    def write(self, value: Any, /) -> bytes:
        """Return the bytes of a value. Raises ValueError."""


class Number:
    """A whole number of a fixed size."""

    def __init__(self, size: int, *, signed: bool = False) -> None:
        self.size = size
        self.signed = signed

    def read(self, reader: Reader) -> int:
        return int.from_bytes(reader.take(self.size), "big", signed=self.signed)

    def write(self, value: int) -> bytes:
        try:
            return value.to_bytes(self.size, "big", signed=self.signed)
        except OverflowError:
            sign = "" if self.signed else " without sign"
            raise ValueError(f"{value} does not fit into {self.size} bytes{sign}") from None


class Boolean:
    """One byte; any but 0 is taken as true."""

    def read(self, reader: Reader) -> bool:
        return reader.byte() != 0

    def write(self, value: bool) -> bytes:
        return b"\x01" if value else b"\x00"


class Octets:
    """Bytes, with their length in front."""

    def read(self, reader: Reader) -> bytes:
        return reader.take(reader.length())

    def write(self, value: bytes) -> bytes:
        return write_length(len(value)) + value


class Fixed:
    """Bytes of a fixed size, without a length."""

    def __init__(self, size: int) -> None:
        self.size = size

    def read(self, reader: Reader) -> bytes:
        return reader.take(self.size)

    def write(self, value: bytes) -> bytes:
        if len(value) != self.size:
            raise ValueError(f"{len(value)} bytes; the field holds {self.size}")
        return value


class Characters:
    """Text; bytes that are none in its encoding become surrogates, and go back as they came."""

    def __init__(self, encoding: str, octets: Octets | Fixed) -> None:
        self.encoding = encoding
        self.octets = octets

    def read(self, reader: Reader) -> str:
        return self.octets.read(reader).decode(self.encoding, "surrogateescape")

    def write(self, value: str) -> bytes:
        return self.octets.write(value.encode(self.encoding, "surrogateescape"))


class SequenceOf:
    """A count, then the items."""

    def __init__(self, item: Codec) -> None:
        self.item = item

    def read(self, reader: Reader) -> tuple[Any, ...]:
        read = self.item.read
        return tuple([read(reader) for _ in range(reader.count())])

    def write(self, value: tuple[Any, ...]) -> bytes:
        return write_length(len(value)) + b"".join(map(self.item.write, value))


class Maybe:
    """OPTIONAL."""

    def __init__(self, item: Codec) -> None:
        self.item = item

    def read(self, reader: Reader) -> Any:
        present = reader.byte()
        if present > 1:
            raise FrameError(f"OPTIONAL byte {present:02X}H", reader.at - 1)
        return self.item.read(reader) if present else None

    def write(self, value: Any) -> bytes:
        return b"\x00" if value is None else b"\x01" + self.item.write(value)


class Choice:
    """One byte that says which kind of value follows; written by the type of the value."""

    def __init__(self, name: str, kinds: Mapping[int, Any]) -> None:
        self.name = name
        self.kinds = kinds
        self.numbers = {kind: number for number, kind in kinds.items()}

    def read(self, reader: Reader) -> Any:
        number = reader.byte()
        if number not in self.kinds:
            raise FrameError(f"choice {number} of {self.name} is unknown", reader.at - 1)
        return codec_of(self.kinds[number]).read(reader)

    def write(self, value: Any) -> bytes:
        number = self.numbers.get(type(value))
        if number is None:
            raise ValueError(f"{type(value).__name__} is no {self.name}")
        return bytes((number,)) + codec_of(self.kinds[number]).write(value)


WireType = TypeVar("WireType", bound="Wire")


class Wire:
    """A dataclass whose fields are its layout."""

    __slots__ = ()

    @classmethod
    def read(cls: type[WireType], reader: Reader) -> WireType:
        """Return the next value of this class. Raises FrameError."""
        return cls(*[codec.read(reader) for _, codec in layout_of(cls)])

    def write(self) -> bytes:
        """Return the bytes of the value. Raises ValueError if a field cannot be sent."""
        layout = layout_of(type(self))
        return b"".join([codec.write(getattr(self, name)) for name, codec in layout])

    @classmethod
    def from_bytes(cls: type[WireType], raw: bytes) -> WireType:
        """Return the value that exactly these bytes hold. Raises FrameError."""
        reader = Reader(raw)
        value = cls.read(reader)
        reader.finish()
        return value

    def to_bytes(self) -> bytes:
        """Return the bytes of the value. Raises ValueError if a field cannot be sent."""
        return self.write()


Layout = tuple[tuple[str, Codec], ...]
_layouts: dict[Any, Layout] = {}


def layout_of(wire: type[Any]) -> Layout:
    """Return the names and the codecs of the fields, in the order in which they are sent."""
    layout = _layouts.get(wire)
    if layout is None:
        hints = get_type_hints(wire, include_extras=True)
        fields = dataclasses.fields(wire)
        layout = tuple((field.name, codec_of(hints[field.name])) for field in fields)
        _layouts[wire] = layout
    return layout


@cache
def codec_of(hint: Any) -> Codec:
    """Return what reads and writes a field with this annotation."""
    origin = get_origin(hint)
    if origin is Annotated:
        codec: Codec = hint.__metadata__[0]
        return codec
    if origin is tuple:
        return SequenceOf(codec_of(get_args(hint)[0]))
    if origin in (Union, UnionType):
        (item,) = (kind for kind in get_args(hint) if kind is not NoneType)
        return Maybe(codec_of(item))
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    if issubclass(hint, Wire):
        wire: type[Wire] = hint
        return wire
    raise TypeError(f"{hint!r} says not how it is coded")


_SIMPLE: dict[Any, Codec] = {bool: Boolean(), bytes: Octets()}

U8 = Annotated[int, Number(1)]
U16 = Annotated[int, Number(2)]
U32 = Annotated[int, Number(4)]
U64 = Annotated[int, Number(8)]
I8 = Annotated[int, Number(1, signed=True)]
I16 = Annotated[int, Number(2, signed=True)]
I32 = Annotated[int, Number(4, signed=True)]
I64 = Annotated[int, Number(8, signed=True)]
VisibleString = Annotated[str, Characters("ascii", Octets())]
Utf8String = Annotated[str, Characters("utf-8", Octets())]
