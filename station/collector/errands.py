"""What a command does to a device, and how to learn whether it has been done.

An errand binds what is ordered to the line of its device: a deed of `control`, a set of parameters,
a new password, a new address. It sends what changes a device once each time it is performed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from station.collector.clock import BROADCAST, CLOCK_WORD, SET, ClockErrand
from station.collector.clocks import Clocks, check_clock, way_of
from station.collector.control import Deed, Finding, Mandate, MeterLine, deed_of
from station.collector.control_errands import check_control
from station.collector.parameter_dialects import Device
from station.collector.parameter_lines import ParameterLine, Told
from station.collector.parameters import Parameters, check_codes
from station.errors import BadAnswer, InvalidValue, MeterTimeout, Refused
from station.frontend.registry import Registry
from station.protocols.dlt645 import Version, requests
from station.protocols.dlt645.requests import Authority
from station.store.objects.commands import Command, CommandKind
from station.store.objects.meters import Meter
from station.store.objects.parameters import Values
from station.store.objects.terminals import Terminal

PARAMETERS, ADDRESS, PASSWORD = "parameters", "address", "password"
ADDRESS_ID = 0x04000401
PASSWORD_IDS = 0x04000C00  # Level 0 has the first identifier behind it (digest 8.1).
LEVEL_MAX = 9


class Errand(Protocol):
    """Something to do to one device."""

    async def perform(self, mandate: Mandate) -> int:
        """Do it once and return the number of the exchange in which the device accepted it.

        Raises Refused when the device will not; after any other error nobody knows what happened.
        """
        ...

    async def outcome(self, mandate: Mandate | None) -> Finding:
        """Ask the device whether it has happened.

        Raises Refused, and what an exchange raises. The mandate is gone after a restart.
        """
        ...


@dataclass(frozen=True, slots=True)
class DeedErrand:
    """A deed at a meter."""

    deed: Deed
    line: MeterLine

    async def perform(self, mandate: Mandate) -> int:
        return await self.deed.perform(self.line, mandate)

    async def outcome(self, _mandate: Mandate | None) -> Finding:
        return await self.deed.outcome(self.line)


class ParameterErrand:
    """Set parameters, and read them back."""

    def __init__(
        self,
        parameters: Parameters,
        device: Device,
        line: ParameterLine,
        wanted: Mapping[str, Values],
    ) -> None:
        self._parameters = parameters
        self._device = device
        self._line = line
        self._wanted = wanted

    async def perform(self, mandate: Mandate) -> int:
        return await self._line.write(self._wanted, mandate.authority)

    async def outcome(self, _mandate: Mandate | None) -> Finding:
        told = await self._line.read(self._wanted)
        await self._parameters.note(self._device, told)
        different = [code for code, each in told.items() if each.values != self._wanted[code]]
        exchange = max((each.exchange for each in told.values() if each.exchange), default=None)
        result = {"set": len(told) - len(different), PARAMETERS: held_of(told)}
        if not different:
            return Finding("done", result, "", exchange)
        words = f"it holds something else in {', '.join(different)}"
        return Finding("not done", result, words, exchange)


@dataclass(frozen=True, slots=True)
class PasswordErrand:
    """Change the password of a level (18H).

    A password cannot be read. The meter is asked to change the new one into itself: only a meter
    that has it already does so.
    """

    line: MeterLine
    level: int

    async def perform(self, mandate: Mandate) -> int:
        return await self._change(mandate.authority, _secret_of(mandate))

    async def outcome(self, mandate: Mandate | None) -> Finding:
        if mandate is None:
            raise Refused("the station was started again, and its password was only kept in memory")
        new = _secret_of(mandate)
        try:
            exchange = await self._change(new, new)
        except Refused:
            return Finding("not done", {}, "it does not take the new password")
        return Finding("done", {"verified": True}, "", exchange)

    async def _change(self, old: Authority, new: Authority) -> int:
        data_id = PASSWORD_IDS + self.level + 1
        request = requests.change_password(self.line.meter, data_id, old, new)
        return (await self.line.say(request)).exchange


@dataclass(frozen=True, slots=True)
class AddressErrand:
    """Give a meter another address (15H); it is heard by every meter on the line."""

    line: MeterLine
    address: str

    async def perform(self, _mandate: Mandate) -> int:
        request = requests.write_address(self.line.version, self.address)
        return (await self.line.say(request)).exchange

    async def outcome(self, _mandate: Mandate | None) -> Finding:
        request = requests.read(self.line.version, self.address, ADDRESS_ID)
        try:
            answer = await self.line.say(request)
        except (MeterTimeout, Refused):
            return Finding("not done", {}, f"nobody answers at {self.address}")
        if answer.frame.address != self.address:
            raise BadAnswer(f"meter {answer.frame.address} answered at {self.address}")
        return Finding("done", {ADDRESS: self.address}, "", answer.exchange)


@dataclass(frozen=True, slots=True)
class Tools:
    """What errands are made with."""

    parameters: Parameters
    clocks: Clocks
    registry: Registry
    zone: ZoneInfo


def errand_of(command: Command, device: Device, tools: Tools) -> Errand:
    """Return what a command does. Raises LinkDown, and InvalidValue for what cannot be."""
    what = command.what
    parameters = tools.parameters
    if is_clock(what):
        way = way_of(device, str(what["way"]))
        line_of_clock = tools.clocks.line(device, way=way)
        return ClockErrand(line_of_clock, way, partial(tools.clocks.note_set, device))
    if PARAMETERS in what:
        line = parameters.line(device)
        return ParameterErrand(parameters, device, line, wanted_of(what))
    if not isinstance(device, Meter):
        raise InvalidValue("parameter", "this is not ordered of a terminal")
    check_order(command.kind, what, device)
    meter_line = MeterLine(tools.registry.bus(device), device, tools.zone)
    if what.get("parameter") == PASSWORD:
        return PasswordErrand(meter_line, int(what["level"]))
    if what.get("parameter") == ADDRESS:
        return AddressErrand(meter_line, str(what["value"]))
    return DeedErrand(deed_of(command.kind, what, device), meter_line)


def check_order(kind: CommandKind, what: Mapping[str, Any], device: Device) -> None:
    """Check that a set or a control can be. Raises InvalidValue."""
    if PARAMETERS in what:
        check_codes(device, wanted_of(what))
    elif is_clock(what):
        check_clock(device)
        if what["way"] not in (SET, BROADCAST):
            raise InvalidValue("way", f"{what['way']!r} is none of {SET}, {BROADCAST}")
    elif kind == "control":
        check_control(device, what)
    elif isinstance(device, Terminal):
        raise InvalidValue("parameter", "this is not ordered of a terminal")
    elif kind == "set" and what.get("parameter") in (ADDRESS, PASSWORD):
        if device.protocol != Version.V2007.value:
            raise InvalidValue("parameter", f"meters of {device.protocol} are not changed so")
        _check_identity(what)
    else:
        deed_of(kind, what, device)


def needs_authority(kind: CommandKind, what: Mapping[str, Any], device_kind: str) -> bool:
    """Tell whether an order needs a password; what needs none goes on after a restart."""
    if kind == "read" or device_kind == "terminal" or what.get("keyless"):
        return False
    return what.get("parameter") != ADDRESS and what.get("way") != BROADCAST


def is_clock(what: Mapping[str, Any]) -> bool:
    """Tell whether a clock is looked at or set with the way reckoned in."""
    return what.get("parameter") == CLOCK_WORD and "way" in what


def wanted_of(what: Mapping[str, Any]) -> dict[str, Values]:
    """Return the values that a set of parameters orders, by code."""
    return {str(each["code"]): dict(each["values"]) for each in what[PARAMETERS]}


def ordered(wanted: Mapping[str, Values]) -> dict[str, Any]:
    """Return how a set of parameters is kept in its command."""
    return {PARAMETERS: [{"code": code, "values": dict(texts)} for code, texts in wanted.items()]}


def held_of(told: Mapping[str, Told]) -> Sequence[Mapping[str, Any]]:
    """Return what a device said of parameters, as a command keeps it."""
    return [
        {"code": code, "held": dict(each.values), "problem": each.problem}
        for code, each in told.items()
    ]


def _check_identity(what: Mapping[str, Any]) -> None:
    value = str(what.get("value", ""))
    if what["parameter"] == ADDRESS:
        if len(value) != 12 or not (value.isascii() and value.isdecimal()):
            raise InvalidValue("value", f"{value!r} is not 12 digits")
    elif not isinstance(what.get("level"), int) or not 0 <= what["level"] <= LEVEL_MAX:
        raise InvalidValue("level", f"{what.get('level')!r} is not in 0..{LEVEL_MAX}")


def _secret_of(mandate: Mandate) -> Authority:
    assert mandate.secret is not None, "a new password is ordered with its mandate"
    return mandate.secret
