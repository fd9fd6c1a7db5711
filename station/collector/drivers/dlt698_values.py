"""From a `Data` of DL/T 698.45 to what an item's point is stored as. Pure.

Numbers have the decimals of the object table, which hold where no Scaler_Unit was read (digest,
section 14). Where an object is a structure its first part is the value: a maximum demand before its
time, the money of a wallet before the purchases.
"""

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from station.collector.items import Item
from station.collector.outcome import Cause, Got, Missed, Outcome
from station.collector.plan import Want
from station.protocols.dlt698.dar import RETRY, Dar
from station.protocols.dlt698.data import BitString, Data, DataType
from station.protocols.dlt698.envelope import Result
from station.protocols.dlt698.identifiers import Oad
from station.protocols.dlt698.moments import DateTime, DateTimeS
from station.protocols.dlt698.objects import shape_of
from station.protocols.dlt698.shapes import Structure, Value
from station.store.objects.readings import Quality
from station.units import from_local

_INTEGERS = frozenset(
    (
        DataType.DOUBLE_LONG,
        DataType.DOUBLE_LONG_UNSIGNED,
        DataType.INTEGER,
        DataType.LONG,
        DataType.UNSIGNED,
        DataType.LONG_UNSIGNED,
        DataType.LONG64,
        DataType.LONG64_UNSIGNED,
    )
)
_TO_KILO = {("W", "kW"): -3, ("var", "kvar"): -3}
_NOT_NOW = frozenset((8, 9))  # Out of range, data block unavailable: there is no such record.
_TIMED_OUT = 33


def oad_of(item: Item) -> Oad:
    """Return the item's OAD; the plan wants no item that has none."""
    assert item.id_698 is not None, f"{item.code} is not an item of DL/T 698.45"
    return Oad.from_text(item.id_698)


def whole_of(oad: Oad) -> Oad:
    """Return the whole attribute of which an OAD may be one element."""
    return Oad(oad.code & ~0xFF)


def outcome_of(
    meter: str, want: Want, oad: Oad, data: Data, read_at: datetime, quality: Quality,
    zone: ZoneInfo,
) -> Outcome:  # fmt: skip
    """Return what an object's value, or that of its whole attribute, says of a point."""
    wanted = oad_of(want.item)
    part: Data | None = data
    if wanted != oad and data.type is DataType.ARRAY:
        part = data.value[wanted.index - 1] if wanted.index <= len(data.value) else None
    if part is None:
        return _rejected(meter, want, f"{want.item.code} is not in its answer")
    if part.type is DataType.STRUCTURE and part.value:
        part = part.value[0]
    if part.type is DataType.NULL:
        return Got(want, None, read_at, quality)
    try:
        return Got(want, want.item.to_value(_decoded(part, want.item), zone), read_at, quality)
    except (ValueError, OverflowError) as error:  # A clock may show the year 1.
        return _rejected(meter, want, f"{want.item.code}: {error}")


def missed_of(meter: str, want: Want, dar: Dar) -> Missed:
    """Return why there is no value, as the result of an access says it."""
    text = f"meter {meter}: {want.item.id_698} refused: {dar.words.en}"
    if dar.code == _TIMED_OUT:
        return Missed(want, Cause.NO_ANSWER, text)
    if dar.code in RETRY:
        return Missed(want, Cause.BAD_ANSWER, text)
    return Missed(want, Cause.NO_RECORD if dar.code in _NOT_NOW else Cause.REFUSED, text)


def is_refusal(result: Result) -> bool:
    """Tell whether a device does not give an object, so that asking again would not help."""
    return isinstance(result, Dar) and result.code not in RETRY


def moment_in(data: Data, zone: ZoneInfo) -> datetime | None:
    """Return the moment that a value says, or None if it says none."""
    local = data.value.local if isinstance(data.value, DateTimeS | DateTime) else None
    try:
        return None if local is None else from_local(local, zone)
    except OverflowError:  # The year 1, or 9999.
        return None


def _decoded(data: Data, item: Item) -> object:
    if isinstance(data.value, BitString):  # Bit n of a status word is the n-th from the first on.
        return sum(data.value.is_set(bit) << bit for bit in range(data.value.size))
    if isinstance(data.value, DateTimeS | DateTime):
        return data.value.local
    if data.type not in _INTEGERS:
        raise ValueError(f"type {data.type.name} for {item.code}")
    shape = shape_of(oad_of(item))
    if isinstance(shape, Structure):
        shape = shape.parts[0]
    if not isinstance(shape, Value):
        return Decimal(data.value)
    exponent = _TO_KILO.get((shape.unit, item.unit), 0) - shape.decimals
    return Decimal(data.value).scaleb(exponent)


def _rejected(meter: str, want: Want, text: str) -> Missed:
    return Missed(want, Cause.NOT_A_NUMBER, f"meter {meter}: {text}")
