"""What is different about parameters from protocol to protocol, one dialect for each.

A code says by its form which dialect it is of: "F3" of Q/GDW 1376.1, "45000200" of DL/T 698.45,
"04001001" of DL/T 645-2007, "C111" of 1997. So what a template wants goes to those devices of a
group that know it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from station.collector.control import MeterLine
from station.collector.items import DLT698
from station.collector.meter_catalogue import (
    METER_MAIN,
    METER_MAIN_1997,
    METER_MORE,
    METER_MORE_1997,
    VALUE,
    meter_spec,
    version_of,
)
from station.collector.object_catalogue import (
    CODE_SIZE,
    OBJECT_MAIN,
    OBJECT_ROWS,
    object_code,
    object_spec,
)
from station.collector.object_lines import (
    ObjectParameters,
    archived_code,
    archived_object,
    queries,
    requests_of,
)
from station.collector.object_lists import METERS
from station.collector.parameter_catalogue import (
    QGDW1376,
    TERMINAL_MAIN,
    TERMINAL_ROWS,
    terminal_spec,
)
from station.collector.parameter_lines import (
    MeterParameters,
    ParameterLine,
    TerminalParameters,
    meter_data,
    normal_meter_values,
)
from station.collector.parameter_texts import ParameterSpec
from station.collector.parameter_units import (
    archived_entry,
    complete,
    normal_values,
    query_units,
    set_units,
)
from station.errors import InvalidValue
from station.frontend.link import Priority
from station.frontend.registry import Registry
from station.protocols.dlt645 import Version, requests
from station.protocols.dlt645.requests import Authority
from station.protocols.dlt698 import requests as object_requests
from station.protocols.dlt698.frame import NO_CLIENT, ServerAddress
from station.protocols.qgdw1376 import requests as terminal_requests
from station.protocols.qgdw1376.frame import SET_PARAMETERS, Address
from station.protocols.secrecy import without_passwords
from station.store.objects.meters import Meter
from station.store.objects.parameters import DeviceKind, Values
from station.store.objects.terminals import Terminal

Device = Terminal | Meter


@dataclass(frozen=True, slots=True)
class PlannedFrame:
    """A frame that would be sent, and the parameters that it sets; passwords in it are hidden."""

    codes: tuple[str, ...]
    raw: bytes


@dataclass(frozen=True, slots=True)
class Offer:
    """A parameter that may be chosen; with `numbered` a number follows behind its code."""

    code: str
    example: str
    numbered: bool = False


@dataclass(frozen=True, slots=True)
class Sending:
    """What frames are made with beside their values."""

    master: int = 1
    authority: Authority | None = None


@dataclass(frozen=True, slots=True)
class Dialect:
    """The parameters of devices of one kind and protocol.

    `main` are shown for every device, `offers` may be chosen. `normal` makes of typed texts those
    that a device would tell, `complete` whole values of what is wanted and held. `together` parts
    codes into questions. `archived` is what the archive wants in a list of meters.
    """

    kind: DeviceKind
    protocol: str
    main: Sequence[str]
    offers: Sequence[Offer]
    has: Callable[[str], bool]
    spec: Callable[[str], ParameterSpec]
    normal: Callable[[str, Values], dict[str, str]]
    complete: Callable[[str, Values, Values], dict[str, str]]
    together: Callable[[Sequence[str]], list[Sequence[str]]]
    frames: Callable[[str, Mapping[str, Values], Sending], list[PlannedFrame]]
    line: Callable[[Registry, Device, ZoneInfo, Priority], ParameterLine]
    archived: Callable[[Meter], tuple[str, Values] | None]
    archived_head: str = ""  # What the codes of the list of meters begin with.

    def follows_archive(self, code: str) -> bool:
        """Tell whether what is wanted of a parameter follows from the archive."""
        return bool(self.archived_head) and code.startswith(self.archived_head)


# Terminals of Q/GDW 1376.1.


def _is_fn(code: str) -> bool:
    return code[:1] == "F" and len(code.partition(".")[0]) <= len("F248")


def _archived_1376(meter: Meter) -> tuple[str, Values] | None:
    entry = archived_entry(meter)
    return None if entry is None else (f"F10.{meter.point}", entry)


def _frames_1376(address: str, whole: Mapping[str, Values], sending: Sending) -> list[PlannedFrame]:
    to = Address.from_text(address)
    return [
        PlannedFrame(
            asked.codes,
            terminal_requests.ask(
                SET_PARAMETERS, to, [asked.unit], sequence=0, master=sending.master
            ).to_bytes(),
        )
        for asked in set_units(whole)
    ]


def _line_1376(
    registry: Registry, device: Device, _zone: ZoneInfo, priority: Priority
) -> ParameterLine:
    return TerminalParameters(registry.terminal(device.address), priority=priority)


OF_1376 = Dialect(
    kind="terminal",
    protocol=QGDW1376,
    main=TERMINAL_MAIN,
    offers=[
        Offer(f"F{row.fn}", f"F{row.fn}.1" if row.numbered else f"F{row.fn}", bool(row.numbered))
        for row in TERMINAL_ROWS
        if row.entries != "meters"
    ],
    has=_is_fn,
    spec=terminal_spec,
    normal=normal_values,
    complete=complete,
    together=lambda codes: [asked.codes for asked in query_units(codes)],
    frames=_frames_1376,
    line=_line_1376,
    archived=_archived_1376,
    archived_head="F10.",
)


# Terminals of DL/T 698.45.


def _is_object(code: str) -> bool:
    return len(code.partition(".")[0]) == CODE_SIZE


def _normal_object(code: str, texts: Values) -> dict[str, str]:
    part = object_code(code).row.part
    known = {field.key for field in part.fields()}
    for key in texts:
        if key not in known:
            raise InvalidValue(key, f"there is no field {key!r}")
    return part.normal(texts)


def _complete_object(code: str, wanted: Values, held: Values) -> dict[str, str]:
    row = object_code(code).row
    whole = {**row.defaults, **held, **wanted}
    empty = {key for key in row.part.may_be_empty() if key in whole}
    for each in row.part.fields():
        if not whole.get(each.key) and each.key not in empty:
            raise InvalidValue(
                each.key, f"{code}: {each.name.en} is neither wanted nor known; read it first"
            )
    return {each.key: whole.get(each.key, "") for each in row.part.fields()}


def _frames_698(address: str, whole: Mapping[str, Values], _sending: Sending) -> list[PlannedFrame]:
    server = ServerAddress.from_text(address)
    return [
        PlannedFrame(codes, object_requests.request(server, NO_CLIENT, make(0)).to_bytes())
        for codes, make in requests_of(whole, {})
    ]


def _archived_698(meter: Meter) -> tuple[str, Values] | None:
    entry = archived_object(meter)
    return None if entry is None else (archived_code(meter), entry)


def _line_698(
    registry: Registry, device: Device, _zone: ZoneInfo, priority: Priority
) -> ParameterLine:
    return ObjectParameters(registry.terminal(device.address), priority=priority)


OF_698 = Dialect(
    kind="terminal",
    protocol=DLT698,
    main=OBJECT_MAIN,
    offers=[
        Offer(row.oad.text, f"{row.oad.text}.1" if row.is_list else row.oad.text, row.is_list)
        for row in OBJECT_ROWS
        if row.oad != METERS
    ],
    has=_is_object,
    spec=object_spec,
    normal=_normal_object,
    complete=_complete_object,
    together=lambda codes: [asked.codes for asked in queries(codes)],
    frames=_frames_698,
    line=_line_698,
    archived=_archived_698,
    archived_head=f"{METERS.text}.",
)


# Meters of DL/T 645.


def _frames_645(address: str, whole: Mapping[str, Values], sending: Sending) -> list[PlannedFrame]:
    who = sending.authority or Authority()
    frames = []
    for code, texts in whole.items():
        data = meter_data(code, texts)
        request = requests.write(version_of(code), address, int(code, 16), data, who)
        frames.append(PlannedFrame((code,), without_passwords(request.to_bytes())))
    return frames


def _line_645(
    registry: Registry, device: Device, zone: ZoneInfo, _priority: Priority
) -> ParameterLine:
    assert isinstance(device, Meter), "a terminal has a dialect of its own"
    return MeterParameters(MeterLine(registry.bus(device), device, zone))


def _of_645(version: Version, main: Sequence[str], more: Sequence[str]) -> Dialect:
    return Dialect(
        kind="meter",
        protocol=version.value,
        main=main,
        offers=[Offer(code, code) for code in (*main, *more)],
        has=lambda code: version_of(code) is version,
        spec=meter_spec,
        normal=normal_meter_values,
        complete=lambda _code, wanted, _held: {VALUE: wanted[VALUE]},
        together=lambda codes: [[code] for code in codes],
        frames=_frames_645,
        line=_line_645,
        archived=lambda _meter: None,
    )


OF_2007 = _of_645(Version.V2007, METER_MAIN, METER_MORE)
OF_1997 = _of_645(Version.V1997, METER_MAIN_1997, METER_MORE_1997)

DIALECTS = (OF_1376, OF_698, OF_2007, OF_1997)
_BY_PROTOCOL = {(each.kind, each.protocol): each for each in DIALECTS}


def kind_of(device: Device) -> DeviceKind:
    """Return which kind a device is of."""
    return "terminal" if isinstance(device, Terminal) else "meter"


def dialect_of(device: Device) -> Dialect:
    """Return a device's dialect. Raises InvalidValue for one that is not set from here."""
    found = _BY_PROTOCOL.get((kind_of(device), device.protocol))
    if found is None:
        word = "terminals" if isinstance(device, Terminal) else "meters"
        raise InvalidValue(
            "protocol", f"parameters of {word} of {device.protocol} are not set from here"
        )
    return found


def dialects_of(kind: str) -> list[Dialect]:
    """Return the dialects of a kind of device."""
    return [each for each in DIALECTS if each.kind == kind]


def dialect_with(kind: str, code: str) -> Dialect:
    """Return the dialect that a code is of. Raises InvalidValue."""
    for each in dialects_of(kind):
        if each.has(code):
            return each
    raise InvalidValue("code", f"there is no parameter {code!r}")


def spec_of(kind: str, code: str) -> ParameterSpec:
    """Return what is known of a parameter of a kind of device. Raises InvalidValue."""
    return dialect_with(kind, code).spec(code)


def follows_archive(kind: str, code: str) -> bool:
    """Tell whether what is wanted of a parameter is what the archive says."""
    return any(each.has(code) and each.follows_archive(code) for each in dialects_of(kind))


def normal_texts(kind: str, code: str, texts: Values) -> dict[str, str]:
    """Return texts of a parameter as a device's would be shown. Raises InvalidValue."""
    return dialect_with(kind, code).normal(code, texts)


def order_of(code: str) -> tuple[int, ...]:
    """Return the place of a parameter in its list: by Fn, object or identifier, then number."""
    head, _, tail = code.removeprefix("F").partition(".")
    base = 10 if code[:1] == "F" else 16
    return (int(head, base), int(tail or 0))
