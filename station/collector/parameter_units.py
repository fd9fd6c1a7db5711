"""Parameters of a Q/GDW 1376.1 terminal as data units: to set, to ask for, and out of an answer.

Pure. Entries of a list (F10, F33) go together, as many as small buffers take; every other parameter
goes in a unit of its own, so that one that a terminal denies does not take the others with it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from station.collector.parameter_catalogue import TerminalCode, terminal_code, terminal_spec
from station.collector.parameter_texts import normal, texts_of, values_of
from station.errors import InvalidValue
from station.protocols.dlt645 import Version
from station.protocols.line import LineSettings
from station.protocols.qgdw1376.frame import QUERY_PARAMETERS, SET_PARAMETERS, Frame
from station.protocols.qgdw1376.functions import make_unit, units_of
from station.protocols.qgdw1376.functions import values_of as unit_values
from station.protocols.qgdw1376.layout import Unfit
from station.protocols.qgdw1376.units import DataUnit
from station.store.objects.meters import Meter
from station.store.objects.parameters import Values

ENTRIES_MAX = 20  # Of one frame; above about 30 small buffers overflow (digest, section 9, F10).

# Codes of F10: speed in D7-D5, protocol of the meter.
METER_SPEEDS = {600: 1, 1200: 2, 2400: 3, 4800: 4, 7200: 5, 9600: 6, 19200: 7}
METER_PROTOCOLS = {Version.V1997.value: 1, Version.V2007.value: 30}

Secrets = Mapping[str, Any]  # By code: what a secret field holds, as its layout decodes it.


@dataclass(frozen=True, slots=True)
class AskedUnit:
    """One data unit and the parameters in it."""

    codes: tuple[str, ...]
    unit: DataUnit


def normal_values(code: str, texts: Mapping[str, str]) -> dict[str, str]:
    """Return texts of a parameter as the device's would be shown; empty ones are left out.

    Raises InvalidValue that names the field.
    """
    known = {field.key for field in terminal_spec(code).fields}
    for key in texts:
        if key not in known:
            raise InvalidValue(key, f"there is no field {key!r}")
    return normal(terminal_code(code).layout, texts)


def complete(code: str, wanted: Values, held: Values) -> dict[str, str]:
    """Return a value for every field: the wanted one, else that held, else the usual one.

    Raises InvalidValue where there is none, because the device was never read.
    """
    spec, row = terminal_spec(code), terminal_code(code).row
    whole = {**row.defaults, **held, **wanted}
    for each in spec.fields:
        if not whole.get(each.key) and not _may_be_empty(each.example, each.key, whole):
            raise InvalidValue(
                each.key, f"{code}: {each.name.en} is neither wanted nor known; read it first"
            )
    return {each.key: whole.get(each.key, "") for each in spec.fields}


def _may_be_empty(example: str, key: str, whole: Values) -> bool:
    """Tell whether a field is a list or a text, which the device may have told to be empty."""
    return key in whole and (not example or "…" in example or ";" in example)


def set_units(wanted: Mapping[str, Values], secrets: Secrets | None = None) -> list[AskedUnit]:
    """Return the units that set these whole values. Raises InvalidValue."""
    found = []
    for codes in _together(wanted):
        first = terminal_code(codes[0])
        values = [_values(code, wanted[code], secrets or {}) for code in codes]
        held = {first.row.entries: values} if first.row.entries else values[0]
        try:
            unit = make_unit(SET_PARAMETERS, first.pn, first.row.fn, held)
        except ValueError as error:
            raise InvalidValue("value", f"{codes[0]}: {error}") from None
        found.append(AskedUnit(tuple(codes), unit))
    return found


def query_units(codes: Iterable[str]) -> list[AskedUnit]:
    """Return the units that ask for parameters. Raises InvalidValue for a code that is none."""
    found = []
    for together in _together(codes):
        first = terminal_code(together[0])
        numbers = {"indexes": [terminal_code(code).number for code in together]}
        values = numbers if first.row.entries else {}
        unit = make_unit(QUERY_PARAMETERS, first.pn, first.row.fn, values)
        found.append(AskedUnit(tuple(together), unit))
    return found


def held_in(frames: Sequence[Frame], codes: Iterable[str]) -> tuple[dict[str, Values], Secrets]:
    """Return what an answer says of parameters, by code, and what stands in their secret fields."""
    wanted = {code: terminal_code(code) for code in codes}
    held: dict[str, Values] = {}
    secrets: dict[str, Any] = {}
    for code, found, values in _entries_of(frames, wanted):
        secrets[code] = values.get(found.row.secret)
        shown = texts_of(found.layout, values)
        hidden = (found.row.index, found.row.secret)
        held[code] = {key: text for key, text in shown.items() if key not in hidden}
    return held, secrets


def _entries_of(
    frames: Sequence[Frame], wanted: Mapping[str, TerminalCode]
) -> Iterator[tuple[str, TerminalCode, dict[str, Any]]]:
    """Yield the values of each wanted parameter that the frames hold."""
    for frame in frames:
        for unit in units_of(frame).units:
            try:
                values = unit_values(frame, unit)
            except Unfit:
                continue
            for code, found in wanted.items():
                if (found.pn, found.row.fn) != (unit.pn, unit.fn):
                    continue
                if not found.row.entries:
                    yield code, found, values
                for entry in values.get(found.row.entries, ()):
                    if entry[found.row.index] == found.number:
                        yield code, found, entry


def _values(code: str, texts: Values, secrets: Secrets) -> dict[str, Any]:
    found = terminal_code(code)
    row = found.row
    whole = dict(texts)
    if row.index:
        whole[row.index] = str(found.number)
    if row.secret:
        whole[row.secret] = "0" * 12  # As a device that has none yet.
    values = values_of(found.layout, whole)
    if row.secret and secrets.get(code) is not None:
        values[row.secret] = secrets[code]
    return values


def _together(codes: Iterable[str]) -> Iterator[list[str]]:
    """Yield the codes that go in one unit, in the order given."""
    lists: dict[int, list[str]] = defaultdict(list)
    for code in dict.fromkeys(codes):
        row = terminal_code(code).row
        if not row.entries:
            yield [code]
            continue
        lists[row.fn].append(code)
        if len(lists[row.fn]) == ENTRIES_MAX:
            yield lists.pop(row.fn)
    yield from lists.values()


def archived_entry(meter: Meter) -> dict[str, str] | None:
    """Return what the archive wants a terminal to hold of a meter in F10.

    None for a meter that has no place in such a list: that of another protocol or of no point.
    """
    protocol = METER_PROTOCOLS.get(meter.protocol)
    if protocol is None or not meter.point:
        return None
    speed = METER_SPEEDS.get(LineSettings.parse(meter.line).speed, 0)
    return {
        "point": str(meter.point),
        "port": str(meter.port),
        "speed": str(speed),
        "protocol": str(protocol),
        "address": meter.address,
        "tariffs": str(meter.tariffs),
    }
