"""A simulated meter of DL/T 698.45: objects, day freezes and minute freezes. The clock is the
caller's.

It answers GET for single objects, lists of them and records of its two stores, which it selects by
their freeze time; it keeps as many as the 2007 meter. Its relay obeys, its clock is set. Everything
else it does not know.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from station.protocols.dlt645.formats import Timed
from station.protocols.dlt698 import get, requests
from station.protocols.dlt698 import set as writing
from station.protocols.dlt698.apdu import decode_apdu
from station.protocols.dlt698.association import ServerError
from station.protocols.dlt698.dar import SUCCESS, Dar
from station.protocols.dlt698.data import (
    NULL,
    BitString,
    Data,
    DataType,
    LastRecords,
    NthLast,
    RecordEqual,
    RecordRange,
    Rsd,
)
from station.protocols.dlt698.envelope import Apdu, AttributeResult, RecordResult
from station.protocols.dlt698.frame import Frame, ServerAddress
from station.protocols.dlt698.identifiers import Oad
from station.protocols.dlt698.moments import DateTimeS
from station.protocols.faults import FrameError
from station.simulator.load import State
from station.simulator.metering import DEMAND_DECIMALS, MIDNIGHT, Metering
from station.simulator.object_rounds import ObjectRounds
from station.simulator.recorder import DAYS_KEPT, record_time
from station.simulator.site import MeterSite
from station.units import scaled

NOT_SUPPORTED = 2  # Kind of an ERROR-Response.
UNDEFINED = Dar(4)
OUT_OF_RANGE = Dar(8)
ROWS_MAX = 120  # Of one answer, in one frame.

FREEZE_TIME = 0x2021
MINUTE_FREEZE, DAY_FREEZE = 0x5002, 0x5004
ONE_DAY = timedelta(days=1)

_D, _DU = DataType.DOUBLE_LONG, DataType.DOUBLE_LONG_UNSIGNED
_L, _LU = DataType.LONG, DataType.LONG_UNSIGNED

# OI to the type and the values of attribute 2; their decimals are those of the object table.
ARRAYS: dict[int, tuple[DataType, Callable[[State], tuple[int | None, ...]]]] = {
    0x0010: (_DU, lambda state: state.energy_import),
    0x0020: (_DU, lambda state: state.energy_export),
    0x0050: (_DU, lambda state: state.reactive_quadrant_1),
    0x0060: (_DU, lambda state: state.reactive_quadrant_2),
    0x2000: (_LU, lambda state: state.voltage),
    0x2001: (_D, lambda state: state.current),
    0x2004: (_D, lambda state: state.power),
    0x2005: (_D, lambda state: state.reactive_power),
    0x200A: (_L, lambda state: state.power_factor),
}
STATUS_WORDS = 7


class ObjectMeter:
    """One meter of a site."""

    def __init__(self, site: MeterSite, zone: ZoneInfo, *, seed: int = 1) -> None:
        self.site = site
        self._metering = Metering(site, zone, seed=seed)
        self._address = ServerAddress.from_text(site.address)
        self._relay = ObjectRounds(1)

    def answer(self, request: Frame, now: datetime) -> Frame | None:
        """Return the answer to a request at an aware moment, or None for silence."""
        if self.site.dead or request.is_split or not request.server.is_met_by(self._address):
            return None
        try:
            asked = decode_apdu(request.apdu)
        except FrameError:
            return None
        return requests.answer(request, self.reply(asked, now), self._address)

    def reply(self, asked: Apdu, now: datetime) -> Apdu:
        """Return what it says to a service."""
        of_relay = self._relay.reply(asked, self._metering.clock(now))
        if of_relay is not None:
            return of_relay
        if isinstance(asked, get.GetRequestNormal):
            return get.GetResponseNormal(asked.piid, self.result(asked.oad, now))
        if isinstance(asked, get.GetRequestNormalList):
            results = tuple(self.result(oad, now) for oad in asked.oads)
            return get.GetResponseNormalList(asked.piid, results)
        if isinstance(asked, get.GetRequestRecord):
            return get.GetResponseRecord(asked.piid, self.records(asked.query, now))
        if isinstance(asked, writing.SetRequestNormal):
            dar = self._set(asked.item, now)
            return writing.SetResponseNormal(asked.piid, writing.SetResult(asked.item.oad, dar))
        return ServerError(getattr(asked, "piid", 0), NOT_SUPPORTED)

    def _set(self, item: writing.SetItem, now: datetime) -> Dar:
        """Set the clock, which is all that it lets itself be set."""
        if item.oad != Oad.of(0x4000):
            return UNDEFINED
        local = item.data.value.local if isinstance(item.data.value, DateTimeS) else None
        if local is None:
            return OUT_OF_RANGE
        self._metering.set_clock(now, local)
        return SUCCESS

    def result(self, oad: Oad, now: datetime) -> AttributeResult:
        """Return an object as it is at a moment."""
        value = self._value(oad, self._metering.clock(now))
        return AttributeResult(oad, UNDEFINED if value is None else value)

    def records(self, query: get.RecordQuery, now: datetime) -> RecordResult:
        """Return records of a store, with the columns that were asked for."""
        columns = tuple(column for column in query.columns if isinstance(column, Oad))
        step = self._step(query.oad.oi)
        if step is None or len(columns) != len(query.columns):
            return RecordResult(query.oad, query.columns, UNDEFINED)
        clock = self._metering.clock(now)
        times = list(_selected(query.selection, clock, step))
        if not times and isinstance(query.selection, RecordEqual):
            return RecordResult(query.oad, columns, OUT_OF_RANGE)
        rows = tuple(
            tuple(self._value(column, time) or NULL for column in columns)
            for time in times[:ROWS_MAX]
        )
        return RecordResult(query.oad, columns, rows)

    def _step(self, store: int) -> timedelta | None:
        if store == DAY_FREEZE:
            return ONE_DAY
        interval = self.site.profile_interval_min
        return timedelta(minutes=interval) if store == MINUTE_FREEZE and interval else None

    def _value(self, oad: Oad, at: datetime) -> Data | None:
        """Return attribute 2 of an object, or one element of it, by the meter's clock."""
        if oad.attribute != 2:
            return None
        if oad.oi in ARRAYS:
            kind, values = ARRAYS[oad.oi]
            parts = [
                Data(kind, value) for value in values(self._metering.state(at)) if value is not None
            ]
            return _element(oad, parts)
        if oad.oi == 0x2014:
            return _element(
                oad, [Data(DataType.BIT_STRING, BitString(16, bytes(2)))] * STATUS_WORDS
            )
        if oad.oi == 0x1010:
            return _element(oad, self._demands(at))
        single = self._single(oad.oi, at)
        return single if oad.index == 0 else None

    def _single(self, oi: int, at: datetime) -> Data | None:
        if oi in (FREEZE_TIME, 0x4000):
            return _time(at)
        if oi == 0x200F:
            return Data(_LU, self._metering.state(at).frequency)
        if oi == 0x2017:
            return Data(_D, self._metering.demand(at)[0])
        if oi == 0x202C and self.site.prepaid:
            amount = self._metering.state(at).remaining_amount
            return Data(DataType.STRUCTURE, (Data(_DU, amount), Data(_DU, 1)))
        if oi == 0x4001:
            return Data(DataType.OCTET_STRING, bytes.fromhex(self.site.address))
        return None

    def _demands(self, at: datetime) -> list[Data]:
        return [_demand(demand) for demand in self._metering.max_demands(at)]


def _demand(demand: Timed) -> Data:
    value = scaled(demand.value, DEMAND_DECIMALS) if isinstance(demand.value, Decimal) else 0
    time = _time(demand.time) if isinstance(demand.time, datetime) else NULL
    return Data(DataType.STRUCTURE, (Data(_DU, value), time))


def _element(oad: Oad, parts: list[Data]) -> Data | None:
    if oad.index == 0:
        return Data(DataType.ARRAY, tuple(parts))
    return parts[oad.index - 1] if oad.index <= len(parts) else None


def _time(at: datetime) -> Data:
    return Data(DataType.DATE_TIME_S, DateTimeS.of(at))


def _selected(selection: Rsd, clock: datetime, step: timedelta) -> Iterator[datetime]:
    """Yield the times of the records that are selected, oldest first."""
    newest = record_time(clock, step)
    oldest = datetime.combine(clock.date(), MIDNIGHT) - timedelta(days=DAYS_KEPT)
    if isinstance(selection, RecordEqual):
        first = last = _local(selection.value)
    elif isinstance(selection, RecordRange):
        first, last = _local(selection.begin), _local(selection.end)
    elif isinstance(selection, NthLast):
        first = last = newest - (selection.number - 1) * step
    elif isinstance(selection, LastRecords):
        first, last = newest - (selection.count - 1) * step, newest
    else:
        return
    if first is None or last is None:
        return
    time = record_time(max(first, oldest) + step - timedelta.resolution, step)
    while time <= min(last, newest):
        yield time
        time += step


def _local(value: Data) -> datetime | None:
    return value.value.local if isinstance(value.value, DateTimeS) else None
