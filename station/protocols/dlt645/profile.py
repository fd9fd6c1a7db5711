"""The load profile of 2007, class 06: requests, and records from blocks (digest 11).

    A0 A0  n  mm hh DD MM YY  section AA ... section AA  sum  E5

n counts the bytes from the time to the last AAH; the sum runs from the first A0H to that AAH. There
are six sections, empty where the meter does not record that class.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from .formats import Bcd, LocalTime
from .frame import Frame, Version
from .measurements import CURRENT, ENERGY, POWER, POWER_FACTOR, SIGNED_ENERGY, VOLTAGE
from .requests import read
from .tables import SEPARATOR

ALL_CLASSES = 0  # 1 to 6 ask for one section alone, in the order below.
OLDEST, FROM_TIME, LATEST = 0, 1, 2
COUNT_MAX = 255  # N is one byte.

_MARK = b"\xa0\xa0"
_END = 0xE5
_HEAD_SIZE = 3
_TAIL_SIZE = 2
_TIME = LocalTime("YYMMDDhhmm")
_DEMAND = Bcd("XX.XXXX")

# The sections in order: identifiers of the quantities, and how each value lies in the block.
SECTIONS: tuple[tuple[tuple[int, Bcd], ...], ...] = (
    (
        *((0x02010000 | phase << 8, VOLTAGE) for phase in (1, 2, 3)),
        *((0x02020000 | phase << 8, CURRENT) for phase in (1, 2, 3)),
        (0x02800002, Bcd("XX.XX")),
    ),
    tuple(
        (group | phase << 8, POWER) for group in (0x02030000, 0x02040000) for phase in range(4)
    ),
    tuple((0x02060000 | phase << 8, POWER_FACTOR) for phase in range(4)),
    ((0x00010000, ENERGY), (0x00020000, ENERGY), (0x00030000, SIGNED_ENERGY),
     (0x00040000, SIGNED_ENERGY)),
    tuple((quadrant << 16, ENERGY) for quadrant in (5, 6, 7, 8)),
    ((0x02800004, _DEMAND), (0x02800005, _DEMAND)),
)  # fmt: skip
PROFILE_IDS = frozenset(data_id for section in SECTIONS for data_id, _ in section)


@dataclass(frozen=True, slots=True)
class ProfileRecord:
    """One record: the meter's local time, and values by the 2007 identifier of the quantity.

    A quantity that the meter does not record is missing; one that it has no value for is None.
    """

    time: datetime
    values: dict[int, Decimal | None]


def request(
    address: str, *, start: datetime, count: int = 1, data_class: int = ALL_CLASSES
) -> Frame:
    """Ask for `count` records from a local time on. Raises ValueError for a count over one byte."""
    tail = bytes((count,)) + _TIME.encode(start)
    return read(Version.V2007, address, _identifier(data_class, FROM_TIME), tail)


def request_oldest(address: str, *, count: int = 1, data_class: int = ALL_CLASSES) -> Frame:
    """Ask for the oldest records that the meter still has."""
    return read(Version.V2007, address, _identifier(data_class, OLDEST), bytes((count,)))


def request_latest(address: str, *, data_class: int = ALL_CLASSES) -> Frame:
    """Ask for the newest record."""
    return read(Version.V2007, address, _identifier(data_class, LATEST))


def parse_request(frame: Frame) -> tuple[int, int, datetime | None]:
    """Return what a read of class 06 asks for: kind, count and start (None but for FROM_TIME).

    Raises ValueError if it is none. The meter's side of the requests above.
    """
    data = frame.data
    if len(data) < 4 or data[3] != 0x06 or data[1] != 0:
        raise ValueError(f"{data[3::-1].hex().upper()} is no load profile")
    kind = data[0]
    sizes = {OLDEST: 5, FROM_TIME: 10, LATEST: 4}
    if sizes.get(kind) != len(data):
        raise ValueError(f"{len(data)} bytes do not ask for a load profile of kind {kind:02X}")
    count = data[4] if len(data) > 4 else 1
    return kind, count, _TIME.decode(data[5:10]) if kind == FROM_TIME else None


def decode(payload: bytes) -> list[ProfileRecord]:
    """Return the records in an answer's data, joined over its frames and without the identifier.

    Nothing in it means that the meter has no record for that time. An answer that breaks off ends
    with the last whole block. Raises ValueError for bytes that are no block.
    """
    records = []
    place = 0
    while len(payload) - place >= _HEAD_SIZE:
        if payload[place : place + 2] != _MARK:
            raise ValueError(f"no load profile block at offset {place}")
        end = place + _HEAD_SIZE + payload[place + 2]
        if len(payload) < end + _TAIL_SIZE:
            break
        if sum(payload[place:end]) & 0xFF != payload[end] or payload[end + 1] != _END:
            raise ValueError(f"the load profile block at offset {place} is damaged")
        record = _record(payload[place + _HEAD_SIZE : end])
        if record is not None:
            records.append(record)
        place = end + _TAIL_SIZE
    return records


def encode(records: Iterable[ProfileRecord]) -> bytes:
    """Return the blocks of records. A section is empty unless the record has all its quantities.

    Raises ValueError for a value that does not fit.
    """
    return b"".join(map(_block, records))


def _block(record: ProfileRecord) -> bytes:
    body = _TIME.encode(record.time)
    for section in SECTIONS:
        if all(data_id in record.values for data_id, _ in section):
            body += b"".join(layout.encode(record.values[data_id]) for data_id, layout in section)
        body += SEPARATOR
    block = _MARK + bytes((len(body),)) + body
    return block + bytes((sum(block) & 0xFF, _END))


def _record(body: bytes) -> ProfileRecord | None:
    """Return the record in the n bytes of a block, or None where no record was made."""
    time = _TIME.decode(body[: _TIME.size])
    if time is None:
        return None
    values: dict[int, Decimal | None] = {}
    for section, data in zip(SECTIONS, body[_TIME.size :].split(SEPARATOR), strict=False):
        if len(data) == sum(layout.size for _, layout in section):
            values.update(_values(section, data))
    return ProfileRecord(time, values)


def _values(section: Sequence[tuple[int, Bcd]], data: bytes) -> dict[int, Decimal | None]:
    """Return the values of one section, without those whose digits mean nothing."""
    values = {}
    place = 0
    for data_id, layout in section:
        raw = data[place : place + layout.size]
        place += layout.size
        with suppress(ValueError):
            values[data_id] = layout.decode(raw)
    return values


def _identifier(data_class: int, kind: int) -> int:
    return 0x06000000 | data_class << 16 | kind
