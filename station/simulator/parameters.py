"""The parameters of a simulated terminal of Q/GDW 1376.1, and its clock.

It is set by AFN04, tells what it holds by AFN0A, shows its clock in AFN0C F2 and sets it by AFN05
F31. What was set is kept for as long as the simulation runs; what it has no layout for it denies.
It starts out as a factory sends it, with its own meters in the list that it reads.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from station.protocols.dlt645.frame import Version
from station.protocols.line import LineSettings
from station.protocols.qgdw1376 import requests
from station.protocols.qgdw1376.formats import Clock
from station.protocols.qgdw1376.frame import (
    CLASS_1,
    CONTROL,
    QUERY_PARAMETERS,
    SET_PARAMETERS,
    Frame,
)
from station.protocols.qgdw1376.functions import layout_of, make_unit, units_of
from station.protocols.qgdw1376.layout import Unfit
from station.protocols.qgdw1376.units import DataUnit
from station.simulator.site import TerminalSite

SHOW_CLOCK, SET_CLOCK = (CLASS_1, 2), (CONTROL, 31)
CONFIRMED, DENIED = 1, 2  # Fn of AFN00.
CONFIRMATION = 0x00

# Fn whose entries are kept one by one: the list, the number of an entry, the field that deletes it.
LISTS = {10: ("meters", "index", "point"), 33: ("ports", "port", "")}

SPEEDS = {600: 1, 1200: 2, 2400: 3, 4800: 4, 7200: 5, 9600: 6, 19200: 7}
PROTOCOLS = {Version.V1997: 1, Version.V2007: 30}

Values = dict[str, Any]

# As a factory sends it. It reports what is important, and reads its meters every hour.
FACTORY: Mapping[int, Values] = {
    1: {
        "rts_time": 20, "allowed_delay": 1, "timeout": 30, "repeats": 2, "confirm_reports": 4,
        "heartbeat_period": 5,
    },
    3: {
        "main_ip": "10.0.0.1", "main_port": 7000, "spare_ip": "10.0.0.2", "spare_port": 0,
        "apn": "CMNET",
    },
    4: {"master_phone": "", "sms_centre": ""},
    8: {
        "client_mode": 1, "role": 1, "transport": 0, "redial_interval": 60, "passive_redials": 3,
        "idle_disconnect": 10, "hours_allowed": 0xFFFFFF,
    },
    9: {"valid": 0x2001, "important": 0x2000},
    36: {"limit": 0},
}  # fmt: skip


class HeldParameters:
    """What one terminal holds."""

    def __init__(self, site: TerminalSite, zone: ZoneInfo) -> None:
        self._zone = zone
        self._offset = timedelta(seconds=site.clock_offset_s)
        self._units: dict[tuple[int, int], bytes] = {
            (0, fn): make_unit(SET_PARAMETERS, 0, fn, values).data for fn, values in FACTORY.items()
        }
        self._entries: dict[int, dict[int, Values]] = {10: _meters_of(site), 33: {}}

    def answer(self, request: Frame, now: datetime) -> Frame | None:
        """Return the answer to a request about parameters or the clock; None if it is neither."""
        if request.afn == SET_PARAMETERS:
            return self._confirmed(request, all(map(self._set, units_of(request).units)))
        if request.afn == QUERY_PARAMETERS:
            found = [self._asked(unit) for unit in units_of(request).units]
            units = [unit for unit in found if unit is not None]
            return requests.answer(request, units) if units else self._confirmed(request, False)
        units_asked = [(request.afn, unit.fn) for unit in units_of(request).units]
        if units_asked == [SHOW_CLOCK]:
            clock = {"clock": Clock.of(self._clock(now))}
            return requests.answer(request, [make_unit(CLASS_1, 0, 2, clock, up=True)])
        if units_asked == [SET_CLOCK]:
            return self._confirmed(request, self._set_clock(units_of(request).units[0], now))
        return None

    def _clock(self, now: datetime) -> datetime:
        return now.astimezone(self._zone).replace(tzinfo=None) + self._offset

    def _set_clock(self, unit: DataUnit, now: datetime) -> bool:
        shown = layout_of(CONTROL, unit.fn, up=False).decode(unit.data)["clock"]
        if not isinstance(shown, Clock):
            return False
        self._offset += shown.time - self._clock(now)
        return True

    def _set(self, unit: DataUnit) -> bool:
        try:
            values = layout_of(SET_PARAMETERS, unit.fn, up=False).decode(unit.data)
        except Unfit:
            return False
        if unit.fn not in LISTS:
            self._units[unit.pn, unit.fn] = unit.data
            return True
        key, number, deletes = LISTS[unit.fn]
        for entry in values[key]:
            if deletes and not entry[deletes]:
                self._entries[unit.fn].pop(entry[number], None)
            else:
                self._entries[unit.fn][entry[number]] = entry
        return True

    def _asked(self, unit: DataUnit) -> DataUnit | None:
        if unit.fn in LISTS:
            return self._listed(unit)
        held = self._units.get((unit.pn, unit.fn))
        return None if held is None else DataUnit(unit.pn, unit.fn, held)

    def _listed(self, unit: DataUnit) -> DataUnit | None:
        key, _, _ = LISTS[unit.fn]
        asked = layout_of(QUERY_PARAMETERS, unit.fn, up=False).decode(unit.data)
        entries = self._entries[unit.fn]
        found = [entries[number] for number in asked.get("indexes", entries) if number in entries]
        if not found:
            return None
        return make_unit(QUERY_PARAMETERS, 0, unit.fn, {key: found}, up=True)

    def _confirmed(self, request: Frame, is_done: bool) -> Frame:
        unit = DataUnit(0, CONFIRMED if is_done else DENIED)
        return requests.answer(request, [unit], CONFIRMATION)


def _meters_of(site: TerminalSite) -> dict[int, Values]:
    """Return the list of the terminal's own meters, by index: those that it can read."""
    found: dict[int, Values] = {}
    point = 0
    for line in site.lines:
        for meter in line.meters:
            point += 1
            protocol = meter.protocol if isinstance(meter.protocol, Version) else None
            if protocol is None:
                continue
            found[point] = {
                "index": point,
                "point": point,
                "port": line.port,
                "speed": SPEEDS.get(LineSettings.parse(line.settings).speed, 0),
                "protocol": PROTOCOLS[protocol],
                "address": meter.address,
                "password": "0" * 12,
                "tariffs": meter.tariffs,
                "decimals_less_1": 1,
                "integer_digits_less_4": 2,
                "collector": "0" * 12,
                "small_class": 0,
                "big_class": 0,
            }
    return found
