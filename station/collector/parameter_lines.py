"""Parameters over the wire: a device is asked what it holds, and told what to hold.

A device that refuses one parameter is asked for the next; one that is silent is not. Nothing here
repeats what changes a device.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from station.collector.control import MeterLine, encoded_value, value_text
from station.collector.meter_catalogue import VALUE, meter_spec, version_of
from station.collector.parameter_catalogue import terminal_code
from station.collector.parameter_units import Secrets, held_in, query_units, set_units
from station.errors import BadAnswer, InvalidValue, Refused
from station.frontend.link import Priority, TerminalPort
from station.protocols.dlt645.requests import Authority
from station.protocols.qgdw1376.frame import QUERY_PARAMETERS, SET_PARAMETERS
from station.store.objects.parameters import Values
from station.units import utc_now

TERMINAL_TIMEOUT_S = 30.0  # For each frame of an answer (digest qgdw1376_1.md, section 8).


@dataclass(frozen=True, slots=True)
class Told:
    """What a device said of one parameter; `problem` is why it gave no value."""

    values: Values = field(default_factory=dict)
    at: datetime = field(default_factory=utc_now)
    problem: str = ""
    exchange: int | None = None


class ParameterLine(Protocol):
    """A device whose parameters are read and set."""

    async def read(self, codes: Iterable[str]) -> dict[str, Told]:
        """Return what the device holds, by code. Raises LinkDown, MeterTimeout, BadAnswer."""
        ...

    async def write(self, values: Mapping[str, Values], authority: Authority, /) -> int:
        """Set whole values and return the last exchange in which the device accepted.

        Raises Refused when it accepted none; after another error nobody knows what it holds.
        """
        ...


class TerminalParameters:
    """A terminal of Q/GDW 1376.1, asked by AFN0A and set by AFN04."""

    def __init__(self, port: TerminalPort, *, priority: Priority = Priority.CONTROL) -> None:
        self._port = port
        self._priority = priority

    async def read(self, codes: Iterable[str]) -> dict[str, Told]:
        told, _ = await self._read([*codes])
        return told

    async def write(self, values: Mapping[str, Values], _authority: Authority, /) -> int:
        """Set; what must not be shown, as the passwords of F10, stays as the terminal has it."""
        secrets: Secrets = {}
        hidden = [code for code in values if terminal_code(code).row.secret]
        if hidden:
            _, secrets = await self._read(hidden)
        refusals: list[Refused] = []
        exchange: int | None = None
        for asked in set_units(values, secrets):
            try:
                answer = await self._port.ask(
                    SET_PARAMETERS,
                    [asked.unit],
                    priority=self._priority,
                    timeout_s=TERMINAL_TIMEOUT_S,
                )
            except Refused as refusal:
                refusals.append(refusal)
            else:
                exchange = answer.exchange
        return accepted(exchange, refusals)

    async def _read(self, codes: Sequence[str]) -> tuple[dict[str, Told], Secrets]:
        told: dict[str, Told] = {}
        secrets: dict[str, object] = {}
        for asked in query_units(codes):
            try:
                answer = await self._port.ask(
                    QUERY_PARAMETERS,
                    [asked.unit],
                    priority=self._priority,
                    timeout_s=TERMINAL_TIMEOUT_S,
                )
            except Refused as refusal:
                told |= {code: Told(problem=str(refusal)) for code in asked.codes}
                continue
            held, found = held_in(answer.frames, asked.codes)
            secrets |= found
            for code in asked.codes:
                missing = "" if code in held else f"terminal {self._port.name}: it has no {code}"
                told[code] = Told(held.get(code, {}), answer.at, missing, answer.exchange)
        return told, secrets


class MeterParameters:
    """A meter of DL/T 645, read by 11H and set by 14H; one of 1997 by 01H and 04H."""

    def __init__(self, line: MeterLine) -> None:
        self._line = line

    async def read(self, codes: Iterable[str]) -> dict[str, Told]:
        told = {}
        for code in codes:
            data_id = int(meter_spec(code).code, 16)
            try:
                data, answer = await self._line.read(data_id)
            except Refused as refusal:
                told[code] = Told(problem=str(refusal))
                continue
            text = value_text(version_of(code), data_id, data) or data.hex().upper()
            told[code] = Told({VALUE: text}, answer.at, "", answer.exchange)
        return told

    async def write(self, values: Mapping[str, Values], authority: Authority, /) -> int:
        refusals: list[Refused] = []
        exchange: int | None = None
        for code, texts in values.items():
            data = meter_data(code, texts)
            try:
                answer = await self._line.write(int(code, 16), data, authority)
            except Refused as refusal:
                refusals.append(refusal)
            else:
                exchange = answer.exchange
        return accepted(exchange, refusals)


def meter_data(code: str, texts: Values) -> bytes:
    """Return the bytes of a meter's parameter. Raises InvalidValue."""
    return encoded_value(version_of(code), int(meter_spec(code).code, 16), texts.get(VALUE, ""))


def normal_meter_values(code: str, texts: Mapping[str, str]) -> dict[str, str]:
    """Return the text of a parameter as the meter's own would be shown. Raises InvalidValue."""
    if unknown := set(texts) - {VALUE}:
        raise InvalidValue(VALUE, f"there is no field {min(unknown)!r}")
    if not texts.get(VALUE, "").strip():
        return {}
    data = meter_data(code, {VALUE: texts[VALUE].strip()})
    return {VALUE: value_text(version_of(code), int(code, 16), data) or data.hex().upper()}


def accepted(exchange: int | None, refusals: Sequence[Refused]) -> int:
    """Return the last exchange in which a device accepted; raise its refusal if it did not."""
    if exchange is None:
        raise refusals[0] if refusals else BadAnswer("there was nothing to set")
    return exchange
