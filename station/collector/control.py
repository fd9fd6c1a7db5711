"""What a meter can be ordered to do over DL/T 645, and how to learn whether it has done it.

A *deed* knows what to send and which question tells its outcome: a parameter is read back and
compared, the relay shows in status word 3 (digest dlt645.md, sections 2.3 and 8.3), a clock must
lie within a tolerance. Every deed asks; none repeats by itself what changes a meter.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, Protocol
from zoneinfo import ZoneInfo

from station.collector.drivers.base import conversation
from station.errors import BadAnswer, ExchangeError, InvalidValue, Refused
from station.frontend.inquiries import Inquiry645
from station.frontend.link import Answer, Bus, Priority
from station.protocols.dlt645 import Frame, Version, errors, items, requests
from station.protocols.dlt645.formats import Content
from station.protocols.dlt645.requests import Authority, Command
from station.store.objects.commands import CommandKind
from station.store.objects.meters import Meter
from station.units import from_local, utc_now
from station.words import Text

ANSWER_TIMEOUT_S = 10.0  # Meters with a security chip take several seconds (digest section 1.3).
CLOCK_TOLERANCE_S = 30  # A slow carrier line delays the time by half a minute at most.
VALUE_SIZE_MAX = 200  # Characters of a value; an answer carries no more bytes.

DIGITS_MAX = 20  # Of a number, on either side of the point: twice what any parameter holds.

STATUS_WORD_3 = 0x04000503
RELAY_OPEN, ORDERED_OPEN, POWER_KEPT = 1 << 4, 1 << 6, 1 << 12
CLOCK_PARTS = {Version.V2007: (0x04000101, 0x04000102), Version.V1997: (0xC010, 0xC011)}

Verdict = Literal["done", "under way", "not done"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What the meter's answer says of a deed: `result` in figures, `words` for a person."""

    verdict: Verdict
    result: Mapping[str, Any] = field(default_factory=dict)
    words: str = ""
    exchange: int | None = None


@dataclass(frozen=True, slots=True)
class Mandate:
    """By what right a deed is ordered, and until when; it is only ever held in memory.

    `secret` is a new password with its level, where that is what is ordered.
    """

    authority: Authority
    until: datetime
    secret: Authority | None = None


class Deed(Protocol):
    """Something that changes a meter."""

    async def perform(self, line: "MeterLine", mandate: "Mandate") -> int:
        """Send it once and return the number of the exchange in which the meter accepted it.

        Raises Refused when the meter will not; after any other error nobody knows what happened.
        """
        ...

    async def outcome(self, line: "MeterLine") -> Finding:
        """Ask the meter whether it has happened. Raises what `Bus.exchange` raises, and Refused."""
        ...


class MeterLine:
    """One meter on its bus, asked ahead of everything else unless a priority says otherwise."""

    def __init__(
        self, bus: Bus, meter: Meter, zone: ZoneInfo, priority: Priority = Priority.CONTROL
    ) -> None:
        self.meter = meter.address
        self.version = Version(meter.protocol)
        self.zone = zone
        self._bus = bus
        self._priority = priority

    async def say(self, request: Frame) -> Answer[Frame]:
        """Send a request once and return the answer. Raises Refused with the meter's words."""
        inquiry = Inquiry645(request)
        async with conversation(self._bus.name, self.meter):  # A long answer is heard out first.
            answer = await self._bus.exchange(
                inquiry, priority=self._priority, timeout_s=ANSWER_TIMEOUT_S
            )
        if answer.frame.is_error:
            found = errors.error_words(self.version, answer.frame)
            words = ", ".join(word.en for word in found) or "no reason given"
            raise Refused(f"meter {self.meter}: {inquiry.asked} refused: {words}")
        return answer

    async def tell(self, request: Frame, *, wait_s: float) -> None:
        """Say what nobody answers, such as a broadcast. Raises LinkDown."""
        with contextlib.suppress(ExchangeError):  # Silence; or a terminal that reports it.
            await self._bus.exchange(
                Inquiry645(request), priority=Priority.CONTROL, timeout_s=wait_s
            )

    async def read(self, data_id: int) -> tuple[bytes, Answer[Frame]]:
        """Return what stands under an identifier, and the answer that brought it."""
        answer = await self.say(requests.read(self.version, self.meter, data_id))
        return requests.payload(answer.frame), answer

    async def write(self, data_id: int, data: bytes, authority: Authority) -> Answer[Frame]:
        """Set what stands under an identifier."""
        return await self.say(requests.write(self.version, self.meter, data_id, data, authority))


# The relay.


@dataclass(frozen=True, slots=True)
class RelayOrder:
    """One order of 1CH: `wanted` are bits of status word 3 that must be 1, `unwanted` 0.

    `promised` bits alone say that the meter will do it later, as with a delayed trip.
    """

    command: Command
    name: Text
    wanted: int = 0
    unwanted: int = 0
    promised: int = 0
    unpromised: int = 0


RELAY_ORDERS = {
    "trip": RelayOrder(
        Command.TRIP, Text("trip", "跳闸"), wanted=RELAY_OPEN, promised=ORDERED_OPEN
    ),
    # The customer closes by the button, so that the relay may stay open; the order counts.
    "permit_closing": RelayOrder(
        Command.PERMIT_CLOSING, Text("permit closing", "合闸允许"), unwanted=ORDERED_OPEN
    ),
    "close": RelayOrder(
        Command.CLOSE,
        Text("close", "直接合闸"),
        unwanted=RELAY_OPEN | ORDERED_OPEN,
        unpromised=ORDERED_OPEN,
    ),
    "keep_power": RelayOrder(Command.KEEP_POWER, Text("keep power", "保电"), wanted=POWER_KEPT),
    "end_keep_power": RelayOrder(
        Command.END_KEEP_POWER, Text("end keep power", "保电解除"), unwanted=POWER_KEPT
    ),
}


@dataclass(frozen=True, slots=True)
class Relay:
    """Trip, close, keep power."""

    order: RelayOrder

    async def perform(self, line: MeterLine, mandate: Mandate) -> int:
        local = mandate.until.astimezone(line.zone)
        request = requests.control(line.meter, self.order.command, local, mandate.authority)
        return (await line.say(request)).exchange

    async def outcome(self, line: MeterLine) -> Finding:
        data, answer = await line.read(STATUS_WORD_3)
        if len(data) != 2:
            raise BadAnswer(f"meter {line.meter}: status word 3 has {len(data)} bytes")
        word = int.from_bytes(data, "little")
        relay = "open" if word & RELAY_OPEN else "closed"
        result = {
            "status_word_3": f"{word:04X}",
            "relay": relay,
            "ordered": "open" if word & ORDERED_OPEN else "closed",
            "keep_power": bool(word & POWER_KEPT),
        }
        verdict = self._verdict(word)
        words = "" if verdict == "done" else f"its relay is {relay}"
        return Finding(verdict, result, words, answer.exchange)

    def _verdict(self, word: int) -> Verdict:
        order = self.order
        if word & order.wanted == order.wanted and not word & order.unwanted:
            return "done"
        if order.promised and word & order.promised:
            return "under way"
        if order.unpromised and not word & order.unpromised:
            return "under way"
        return "not done"


# Parameters and the clock.


@dataclass(frozen=True, slots=True)
class Parameter:
    """Set what stands under a data identifier."""

    data_id: int
    data: bytes

    async def perform(self, line: MeterLine, mandate: Mandate) -> int:
        return (await line.write(self.data_id, self.data, mandate.authority)).exchange

    async def outcome(self, line: MeterLine) -> Finding:
        held, answer = await line.read(self.data_id)
        result = {"held": held.hex().upper(), "value": value_text(line.version, self.data_id, held)}
        if held == self.data or self._reads_the_same(line.version, held):
            return Finding("done", result, "", answer.exchange)
        words = f"it holds {result['value'] or result['held']}"
        return Finding("not done", result, words, answer.exchange)

    def _reads_the_same(self, version: Version, held: bytes) -> bool:
        """Tell whether bytes that differ mean the same, as texts do whatever they are padded by."""
        mine = items.decode(version, self.data_id, self.data)
        its = items.decode(version, self.data_id, held)
        return all(one.valid for one in (*mine, *its)) and (
            [one.value for one in mine] == [one.value for one in its]
        )


@dataclass(frozen=True, slots=True)
class Clock:
    """Set the clock: the date, then the time, as far as the meter's own password allows."""

    async def perform(self, line: MeterLine, mandate: Mandate) -> int:
        day_id, time_id = CLOCK_PARTS[line.version]
        local = utc_now().astimezone(line.zone)
        day = items.encode(line.version, day_id, [local.date()])
        await line.write(day_id, day, mandate.authority)
        local = utc_now().astimezone(line.zone)  # Later by an exchange; a new day is found below.
        hour = items.encode(line.version, time_id, [local.time()])
        return (await line.write(time_id, hour, mandate.authority)).exchange

    async def outcome(self, line: MeterLine) -> Finding:
        found: list[object] = []
        for data_id in CLOCK_PARTS[line.version]:
            data, answer = await line.read(data_id)
            found += [one.value for one in items.decode(line.version, data_id, data)]
        match found:
            case [date() as day, time() as hour]:
                shown = datetime.combine(day, hour)
            case _:
                return Finding("not done", {}, "its clock shows no time", answer.exchange)
        late_s = round((from_local(shown, line.zone) - answer.at).total_seconds())
        result = {"clock": shown.isoformat(sep=" "), "deviation_s": late_s}
        if abs(late_s) <= CLOCK_TOLERANCE_S:
            return Finding("done", result, "", answer.exchange)
        return Finding("not done", result, f"its clock is off by {late_s} s", answer.exchange)


# From an order to a deed.

_CLOCK_IDS = frozenset((0x04000101, 0x04000102, 0x0400010C, 0xC010, 0xC011))
_NOT_SETTABLE = (  # First digits of identifiers; digest sections 8.1, 8.3 and 12.
    "04000401",  # The address: the meter would be another one.
    "040005",  # Status words.
    "04000C",  # Passwords have a function of their own.
    "04001006",  # A refund is money.
    "040015",  # Cannot be read back.
    "C02",
    "C032",
)
_PARAMETER_CLASSES = {Version.V2007: "04", Version.V1997: "C"}


def deed_of(kind: CommandKind, what: Mapping[str, Any], meter: Meter) -> Deed:
    """Return the deed of a set or a control. Raises InvalidValue for one that cannot be."""
    try:
        version = Version(meter.protocol)
    except ValueError:
        raise InvalidValue("meter", f"meters of {meter.protocol} can only be read") from None
    if kind == "control":
        order = RELAY_ORDERS.get(str(what.get("order", "")))
        if order is None:
            names = ", ".join(RELAY_ORDERS)
            raise InvalidValue("order", f"{what.get('order')!r} is none of {names}")
        if version is not Version.V2007:
            raise InvalidValue("order", f"meters of {meter.protocol} have no relay to order")
        return Relay(order)
    if what.get("parameter") == "clock":
        return Clock()
    return _parameter(version, str(what.get("parameter", "")), str(what.get("value", "")))


def parameter_name(protocol: str, parameter: str) -> Text:
    """Return what a parameter is called; one that is not in the tables names itself."""
    if parameter == "clock":
        return Text("Clock", "时钟")
    try:
        found = items.find(Version(protocol), int(parameter, 16))
    except ValueError:
        found = []
    return found[0].name if found else Text(parameter, parameter)


def value_text(version: Version, data_id: int, data: bytes) -> str:
    """Return the values in data as people write them; nothing where the tables know none."""
    values = items.decode(version, data_id, data)
    if not all(one.valid for one in values):
        return ""
    return ", ".join(_text(one.value, len(one.raw)) for one in values)


def _text(value: object, size: int) -> str:
    if isinstance(value, int):
        return f"{value:0{2 * size}X}"
    return "" if value is None else str(value)


def _parameter(version: Version, parameter: str, value: str) -> Parameter:
    digits = 8 if version is Version.V2007 else 4
    text = parameter.upper()
    try:
        data_id = int(text, 16) if len(text) == digits else -1
    except ValueError:
        data_id = -1
    if data_id < 0:
        raise InvalidValue("parameter", f"{parameter!r} is not {digits} hex digits")
    if data_id in _CLOCK_IDS:
        raise InvalidValue("parameter", f"{text} is part of the clock: set the clock instead")
    if not text.startswith(_PARAMETER_CLASSES[version]) or text.startswith(_NOT_SETTABLE):
        raise InvalidValue("parameter", f"{text} is no parameter that is set from here")
    return Parameter(data_id, encoded_value(version, data_id, value))


def encoded_value(version: Version, data_id: int, value: str) -> bytes:
    """Return a value as the tables lay it out; where they know none, its bytes are told in hex.

    Raises InvalidValue.
    """
    if not 0 < len(value) <= VALUE_SIZE_MAX:
        raise InvalidValue("value", f"a value has 1 to {VALUE_SIZE_MAX} characters")
    if not items.find(version, data_id):
        try:
            return bytes.fromhex(value)
        except ValueError:
            raise InvalidValue("value", f"{value!r} is not bytes in hex") from None
    reasons = []
    for content in _readings_of(value):
        try:
            return items.encode(version, data_id, content)
        except ValueError as error:
            reasons.append(str(error))
    raise InvalidValue("value", reasons[0])  # What is most like it comes first.


def _readings_of(value: str) -> list[list[Content]]:
    """Return what a text may mean: the format of the identifier takes one of them."""
    parts = [part.strip() for part in value.split(",")]
    found: list[list[Content]] = []
    for read in (_number, datetime.fromisoformat, date.fromisoformat, time.fromisoformat, _bits):
        try:
            found.append([read(part) for part in parts])
        except ValueError:
            continue
    return [*found, [*parts], [value]]


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(text) from None
    if not number.is_finite() or abs(number.adjusted()) > DIGITS_MAX:
        raise ValueError(text)
    return number


def _bits(text: str) -> int:
    return int(text, 16)
