"""Random values of everything that DL/T 698.45 sends, made from the layouts themselves."""

from typing import Any

from hypothesis import strategies as st

from station.protocols.dlt698.apdu import SERVICES
from station.protocols.dlt698.axdr import (
    Boolean,
    Characters,
    Choice,
    Fixed,
    Maybe,
    Number,
    Octets,
    Reader,
    SequenceOf,
    codec_of,
    layout_of,
)
from station.protocols.dlt698.dar import Dar
from station.protocols.dlt698.data import KINDS, BitString, Data, DataType, Float, Null
from station.protocols.dlt698.envelope import Apdu, RecordResult
from station.protocols.dlt698.frame import SPLIT, Frame, ServerAddress
from station.protocols.dlt698.identifiers import Oad, Rcsd

DEPTH = 3  # Of values in values; layouts that can hold themselves end there.
ITEMS_MAX = 3
SERVER = 0x80  # The bit of a tag that says who sends the APDU.

APDU_CLASSES = [cls for service in SERVICES for cls in service.choices.values()]


class Values:
    """Makes strategies; `own` has those that are not made from the layout.

    Its keys are codecs or classes, a class with a field, the bit of the sender with a field.
    """

    def __init__(self, own: dict[Any, st.SearchStrategy[Any]] | None = None, items_min: int = 0):
        self._own = own or {}
        self._items_min = items_min

    def of(self, codec: Any, depth: int = DEPTH) -> st.SearchStrategy[Any]:
        """Return the values that a codec, such as a class, can write."""
        own = self._own.get(codec, self._own.get(type(codec)))
        if own is not None:
            return own
        match codec:
            case SequenceOf():
                return self._several(self.of(codec.item, depth))
            case Maybe():
                return st.none() | self.of(codec.item, depth)
            case Choice():
                return st.one_of([self.of(codec_of(kind), depth) for kind in codec.kinds.values()])
            case type():
                return self._wires(codec, depth)
        return _simple(codec)

    def data(self, depth: int = DEPTH) -> st.SearchStrategy[Data]:
        """Return values with their types."""
        types = [kind for kind in DataType if depth > 0 or kind not in _CONTAINERS]
        return st.sampled_from(types).flatmap(lambda kind: self.data_of(kind, depth))

    def data_of(self, kind: DataType, depth: int = DEPTH) -> st.SearchStrategy[Data]:
        """Return values of one type."""
        return st.builds(Data, st.just(kind), self.of(codec_of(KINDS[kind]), depth))

    def _wires(self, wire: Any, depth: int) -> st.SearchStrategy[Any]:
        if wire is Data:
            return self.data(depth - 1)
        if wire is BitString:
            return st.binary(max_size=4).flatmap(_bit_strings)
        if wire is RecordResult:
            return self.of(codec_of(Rcsd)).flatmap(lambda columns: self._records(columns, depth))
        return st.builds(wire, *[self._field(wire, *field, depth) for field in layout_of(wire)])

    def _field(self, wire: Any, name: str, codec: Any, depth: int) -> st.SearchStrategy[Any]:
        own = self._own.get((wire, name))
        if own is None and issubclass(wire, Apdu):
            own = self._own.get((wire.TAG[0] & SERVER, name))
        return self.of(codec, depth) if own is None else own

    def _records(self, columns: Any, depth: int) -> st.SearchStrategy[RecordResult]:
        """Return records whose rows have as many values as there are columns."""
        rows = st.just(())
        if columns:
            rows = self._several(st.tuples(*[self.data(depth - 2) for _ in columns]))
        return st.builds(RecordResult, self.of(Oad), st.just(columns), self.of(Dar) | rows)

    def _several(self, items: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.lists(items, min_size=self._items_min, max_size=ITEMS_MAX).map(tuple)


def _simple(codec: Any) -> st.SearchStrategy[Any]:
    match codec:
        case Number():
            bits = 8 * codec.size - codec.signed
            return st.integers(-(1 << bits) if codec.signed else 0, (1 << bits) - 1)
        case Boolean():
            return st.booleans()
        case Octets():
            return st.binary(max_size=20)
        case Fixed():
            return st.binary(min_size=codec.size, max_size=codec.size)
        case Characters():
            raw = _simple(codec.octets)
            return raw.map(lambda raw: raw.decode(codec.encoding, "surrogateescape"))
        case Float():
            size = codec.layout.size
            raw = st.binary(min_size=size, max_size=size)
            return raw.map(lambda raw: codec.read(Reader(raw)))
    assert isinstance(codec, Null)
    return st.none()


def _bit_strings(raw: bytes) -> st.SearchStrategy[BitString]:
    size_max = 8 * len(raw)
    return st.builds(BitString, st.integers(max(0, size_max - 7), size_max), st.just(raw))


# What can hold a `Data`.
_CONTAINERS = {DataType.ARRAY, DataType.STRUCTURE, DataType.REGION, DataType.RSD, DataType.MS}

ANY = Values()

ADDRESSES = st.builds(
    ServerAddress,
    st.binary(min_size=1, max_size=16).map(lambda raw: raw.hex().upper()),
    st.integers(0, 3),
    st.integers(0, 3),
)


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    """Return frames; a split one has a format word."""
    control = draw(st.integers(0, 255))
    word = draw(st.integers(0, 0xFFFF)) if control & SPLIT else None
    return Frame(
        control, draw(ADDRESSES), draw(st.integers(0, 255)), draw(st.binary(max_size=60)), word
    )
