"""The objects of a simulated terminal of DL/T 698.45: its parameters, lists and clock.

It is asked by GET, set by SET, and its lists take entries by their methods: 127 and 128 add or
replace, 128 or 131 delete, 129 or 134 clear. What was set is kept for as long as the simulation
runs. What is not of the type that it holds it refuses. It starts out as a factory sends it, with
its own meters in its archive.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from station.protocols.dlt645.frame import Version
from station.protocols.dlt698 import action, get
from station.protocols.dlt698 import set as writing
from station.protocols.dlt698.dar import SUCCESS, Dar
from station.protocols.dlt698.data import AllMeters, BitString, Data, DataType
from station.protocols.dlt698.envelope import Apdu, AttributeResult
from station.protocols.dlt698.identifiers import BAUD_RATES, Oad, Omd, Road, Ti, Tsa
from station.protocols.dlt698.moments import DateTimeS, Time
from station.protocols.line import LineSettings
from station.simulator.site import MeterSite, TerminalSite

CLOCK = Oad.of(0x4000)
UNDEFINED, MISMATCH, OUT_OF_RANGE = Dar(4), Dar(7), Dar(8)

METERS, TASKS, SCHEMES = 0x6000, 0x6012, 0x6014
NUMBER_TYPES = {
    METERS: DataType.LONG_UNSIGNED,
    TASKS: DataType.UNSIGNED,
    SCHEMES: DataType.UNSIGNED,
}
PARTS = {METERS: 4, TASKS: 12, SCHEMES: 6}  # Of an entry (digest, section 14).

# What methods do: object and method, and whether it takes one entry, several, numbers or nothing.
ADD_ONE, ADD, DELETE_ONE, DELETE, CLEAR = "add one", "add", "delete one", "delete", "clear"
METHODS = {
    (METERS, 127): ADD_ONE, (METERS, 128): ADD, (METERS, 131): DELETE_ONE, (METERS, 134): CLEAR,
    (TASKS, 127): ADD, (TASKS, 128): DELETE, (TASKS, 129): CLEAR,
    (SCHEMES, 127): ADD, (SCHEMES, 128): DELETE, (SCHEMES, 129): CLEAR,
}  # fmt: skip

PROTOCOLS = {Version.V1997: 1, Version.V2007: 2}
OBJECT_METER = 3
RS485, CARRIER, CARRIER_PORT = 0xF201, 0xF209, 31


def _enum(number: int) -> Data:
    return Data(DataType.ENUM, number)


def _small(number: int) -> Data:
    return Data(DataType.UNSIGNED, number)


def _long(number: int) -> Data:
    return Data(DataType.LONG_UNSIGNED, number)


def _octets(value: bytes = b"") -> Data:
    return Data(DataType.OCTET_STRING, value)


def _letters(text: str = "") -> Data:
    return Data(DataType.VISIBLE_STRING, text)


def _flag(value: bool) -> Data:
    return Data(DataType.BOOL, value)


def _array(*items: Data) -> Data:
    return Data(DataType.ARRAY, items)


def _structure(*parts: Data) -> Data:
    return Data(DataType.STRUCTURE, parts)


def _server(address: str) -> Data:
    return Data(DataType.TSA, Tsa.of(address))


def _objects(*codes: str) -> Data:
    return _array(*(Data(DataType.OAD, Oad.from_text(code)) for code in codes))


_TIMEOUT = _small(30 << 2 | 3)  # As many devices have it; the standard says a bit-string.
_STATION = _structure(_octets(bytes((10, 0, 0, 1))), _long(7000))
_MIDNIGHT = Data(DataType.TIME, Time(0, 0, 0))

# As a factory sends it: OAD to value.
FACTORY = {
    "45000200": _structure(
        _enum(1), _enum(0), _enum(0), _enum(0), _array(), _letters("CMNET"), _letters("CARD"),
        _letters("secret"), _octets(), _long(0), _TIMEOUT, _long(300),
    ),
    "45000300": _array(_STATION),
    "45000400": _structure(_letters(), _array(), _array()),
    "45100200": _structure(
        _enum(1), _enum(0), _enum(0), _array(), _octets(), _long(0),
        Data(DataType.BIT_STRING, BitString(8, bytes((30 << 2 | 3,)))), _long(60),
    ),
    "45100300": _array(_STATION),
    "45100400": _structure(
        _enum(1), _octets(bytes((192, 0, 2, 10))), _octets(bytes((255, 255, 255, 0))),
        _octets(bytes((192, 0, 2, 1))), _letters(), _letters(),
    ),
    "40000300": _enum(1),
    "40000400": _structure(_small(10), _small(1), _small(1), _small(5), _small(5)),
    "42040200": _structure(_MIDNIGHT, _flag(False)),
    "42040300": _structure(Data(DataType.INTEGER, 120), _MIDNIGHT, _flag(False)),
    "43000700": _flag(False),
    "43000800": _flag(True),
    "43000900": _flag(False),
    "43000A00": _objects("45000200", "45100200"),
    "31050600": _structure(_long(300), _small(1)),
    "31060800": _enum(3),
    "31060900": _flag(True),
}  # fmt: skip


class HeldObjects:
    """What one terminal holds."""

    def __init__(self, site: TerminalSite, zone: ZoneInfo) -> None:
        self._zone = zone
        self._offset = timedelta(seconds=site.clock_offset_s)
        self._values = {Oad.from_text(code): data for code, data in FACTORY.items()}
        self._lists = {METERS: dict(_meters_of(site)), TASKS: {1: _task()}, SCHEMES: {1: _scheme()}}

    def reply(self, asked: Apdu, now: datetime) -> Apdu | None:
        """Return the answer to a service of its own objects, or None for one it does not know."""
        if isinstance(asked, get.GetRequestNormal):
            return get.GetResponseNormal(asked.piid, self._asked(asked.oad, now))
        if isinstance(asked, get.GetRequestNormalList):
            results = tuple(self._asked(oad, now) for oad in asked.oads)
            return get.GetResponseNormalList(asked.piid, results)
        if isinstance(asked, writing.SetRequestNormal):
            dar = self._set(asked.item.oad, asked.item.data, now)
            return writing.SetResponseNormal(asked.piid, writing.SetResult(asked.item.oad, dar))
        if isinstance(asked, action.ActionRequestNormal):
            dar = self._do(asked.item.omd, asked.item.parameter)
            return action.ActionResponseNormal(asked.piid, action.ActionResult(asked.item.omd, dar))
        return None

    def _asked(self, oad: Oad, now: datetime) -> AttributeResult:
        if oad == CLOCK:
            time = DateTimeS.of(now.astimezone(self._zone) + self._offset)
            return AttributeResult(oad, Data(DataType.DATE_TIME_S, time))
        if oad.oi in self._lists and oad == Oad.of(oad.oi):
            return AttributeResult(oad, _array(*self._lists[oad.oi].values()))
        return AttributeResult(oad, self._values.get(oad, UNDEFINED))

    def _set(self, oad: Oad, data: Data, now: datetime) -> Dar:
        if oad == CLOCK:
            shown = data.value.local if isinstance(data.value, DateTimeS) else None
            if shown is None:
                return OUT_OF_RANGE
            self._offset = shown - now.astimezone(self._zone).replace(tzinfo=None)
            return SUCCESS
        held = self._values.get(oad)
        if held is None:
            return UNDEFINED
        if not _is_alike(held, data):
            return MISMATCH
        self._values[oad] = data
        return SUCCESS

    def _do(self, omd: Omd, parameter: Data) -> Dar:
        deed = METHODS.get((omd.oi, omd.method))
        if deed is None:
            return UNDEFINED
        entries = self._lists[omd.oi]
        if deed == CLEAR:
            entries.clear()
            return SUCCESS
        told = [parameter] if deed in (ADD_ONE, DELETE_ONE) else _items(parameter)
        if deed in (ADD, ADD_ONE):
            if not all(_is_entry(omd.oi, each) for each in told):
                return MISMATCH
            entries.update((each.value[0].value, each) for each in told)
            return SUCCESS
        for number in told:
            entries.pop(number.value, None)
        return SUCCESS


def _items(data: Data) -> tuple[Data, ...]:
    items: tuple[Data, ...] = data.value if data.type is DataType.ARRAY else (data,)
    return items


def _is_entry(oi: int, data: Data) -> bool:
    return (
        data.type is DataType.STRUCTURE
        and len(data.value) == PARTS[oi]
        and data.value[0].type is NUMBER_TYPES[oi]
    )


def _is_alike(held: Data, given: Data) -> bool:
    """Tell whether values have the same types, part by part; arrays may differ in length."""
    if held.type is not given.type:
        return False
    if held.type is DataType.STRUCTURE:
        pairs = list(zip(held.value, given.value, strict=False))
        return len(held.value) == len(given.value) and all(_is_alike(*pair) for pair in pairs)
    if held.type is DataType.ARRAY and held.value:
        return all(_is_alike(held.value[0], each) for each in given.value)
    return True


def _meters_of(site: TerminalSite) -> Iterable[tuple[int, Data]]:
    """Yield the archive of the terminal's own meters, by number."""
    point = 0
    for line in site.lines:
        settings = LineSettings.parse(line.settings)
        for meter in line.meters:
            point += 1
            if settings.speed in BAUD_RATES:
                yield point, _meter(point, meter, line.port, settings)


def _meter(point: int, meter: MeterSite, port: int, settings: LineSettings) -> Data:
    protocol = PROTOCOLS[meter.protocol] if isinstance(meter.protocol, Version) else OBJECT_METER
    oad = Oad.of(CARRIER, index=1) if port == CARRIER_PORT else Oad.of(RS485, index=port)
    return _structure(
        _long(point),
        _structure(
            _server(meter.address), _enum(BAUD_RATES.index(settings.speed)), _enum(protocol),
            Data(DataType.OAD, oad), _octets(bytes(6)), _small(meter.tariffs), _small(0),
            _enum(1 if meter.phases == 1 else 3), _long(2200), _long(50),
        ),
        _structure(_server("0" * 12), _octets(), _long(1), _long(1)),
        _array(),
    )  # fmt: skip


def _task() -> Data:
    """Return task 1: scheme 1 each day, as the factory has it."""
    return _structure(
        _small(1), Data(DataType.TI, Ti(3, 1)), _enum(1), _small(1),
        Data(DataType.DATE_TIME_S, DateTimeS(2020, 1, 1, 0, 0, 0)),
        Data(DataType.DATE_TIME_S, DateTimeS(2099, 9, 9, 9, 9, 9)),
        Data(DataType.TI, Ti(0, 0)), _small(2), _enum(1), _long(0), _long(0),
        _structure(_enum(0), _array(_structure(_small(0), _small(0), _small(23), _small(59)))),
    )  # fmt: skip


def _scheme() -> Data:
    """Return scheme 1: the energies of the day freeze, of all meters (a frame of the digest)."""
    day_freeze = Road(Oad.of(0x5004), (Oad.of(0x0010),))
    return _structure(
        _small(1), _long(256), _structure(_small(1), _small(1)),
        _array(Data(DataType.CSD, day_freeze)), Data(DataType.MS, AllMeters()), _enum(4),
    )  # fmt: skip
