"""What a terminal can be ordered to do: trip a round, permit its closing, keep power, end that.

A round is one of the outputs by which a load-control terminal switches its customer. Orders go by
AFN05 of Q/GDW 1376.1 (digest, section 10) or to the objects 8000 and 8001 of DL/T 698.45, and the
terminal is asked what has become of its rounds: AFN0C F5 and F6, or the same objects.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from station.collector.control import RELAY_ORDERS, Finding, Mandate, Verdict
from station.errors import BadAnswer, InvalidValue, Refused
from station.frontend.link import Priority, TerminalPort
from station.protocols.qgdw1376 import requests
from station.protocols.qgdw1376.frame import CLASS_1, CONTROL, Address
from station.protocols.qgdw1376.functions import make_unit, units_of
from station.protocols.qgdw1376.functions import values_of as unit_values
from station.protocols.qgdw1376.layout import Unfit
from station.protocols.qgdw1376.units import DataUnit

TIMEOUT_S = 30.0  # As for its parameters (digest, section 8).
ROUNDS = 8
HALF_HOUR_MIN = 30
DELAY_MAX_MIN = 15  # Four bits (F1).
LIMIT_MAX_MIN = 15 * HALF_HOUR_MIN
KEEP_MAX_MIN = 48 * HALF_HOUR_MIN
SETTINGS, STATE = 5, 6  # Fn of AFN0C.

# Which orders a terminal takes, by its protocol: Q/GDW 1376.1 closes nothing by itself.
ORDERS_OF: Mapping[str, tuple[str, ...]] = {
    "qgdw1376": ("trip", "permit_closing", "keep_power", "end_keep_power"),
    "dlt698.45": tuple(RELAY_ORDERS),
}
# What each order says besides, with the least, the most and the step of it.
FIELDS_OF: Mapping[str, tuple[str, ...]] = {
    "trip": ("round", "delay_min", "limit_min"),
    "permit_closing": ("round",),
    "close": ("round",),
    "keep_power": ("keep_min",),
    "end_keep_power": (),
}
RANGES: Mapping[str, tuple[int, int, int]] = {
    "round": (1, ROUNDS, 1),
    "delay_min": (0, DELAY_MAX_MIN, 1),
    "limit_min": (0, LIMIT_MAX_MIN, HALF_HOUR_MIN),
    "keep_min": (0, KEEP_MAX_MIN, HALF_HOUR_MIN),
}


@dataclass(frozen=True, slots=True)
class TerminalOrder:
    """An order; a `limit_min` or `keep_min` of 0 holds until it is ended."""

    order: str
    round: int = 1
    delay_min: int = 0
    limit_min: int = 0
    keep_min: int = 0


def terminal_order(what: Mapping[str, Any], protocol: str) -> TerminalOrder:
    """Return what is ordered of a terminal. Raises InvalidValue for what cannot be."""
    orders = ORDERS_OF.get(protocol, ())
    order = str(what.get("order", ""))
    if order not in orders:
        if not orders:
            raise InvalidValue("order", f"terminals of {protocol} switch nothing from here")
        raise InvalidValue("order", f"{order!r} is none of {', '.join(orders)}")
    values = {name: what.get(name, RANGES[name][0]) for name in FIELDS_OF[order]}
    for name, value in values.items():
        low, high, step = RANGES[name]
        if type(value) is not int or not low <= value <= high:
            raise InvalidValue(name, f"{value!r} is not in {low}..{high}")
        if value % step:
            raise InvalidValue(name, f"{value} is no multiple of {step}")
    return TerminalOrder(order, **values)


@dataclass(frozen=True, slots=True)
class Rounds:
    """What a terminal shows: the numbers of its open rounds, and whether it keeps power.

    None is what it does not tell.
    """

    open: tuple[int, ...] | None
    keeps_power: bool | None
    exchange: int | None

    def result(self) -> dict[str, Any]:
        """Return it as a command keeps it."""
        found: dict[str, Any] = {}
        if self.open is not None:
            found["rounds_open"] = ", ".join(map(str, self.open)) or "0"
        if self.keeps_power is not None:
            found["keep_power"] = self.keeps_power
        return found


class RoundsLine(Protocol):
    """A device with rounds."""

    async def order(self, order: TerminalOrder, mandate: Mandate, /) -> int:
        """Send an order once and return the exchange in which it was accepted.

        Raises Refused when the device will not; after any other error nobody knows what happened.
        """
        ...

    async def look(self) -> Rounds:
        """Ask what its rounds show. Raises Refused, and what an exchange raises."""
        ...


class RoundsErrand:
    """Have an order done, and look whether it was."""

    def __init__(self, line: RoundsLine, order: TerminalOrder) -> None:
        self._line = line
        self._order = order

    async def perform(self, mandate: Mandate) -> int:
        return await self._line.order(self._order, mandate)

    async def outcome(self, _mandate: Mandate | None) -> Finding:
        rounds = await self._line.look()
        verdict, words = self._verdict(rounds)
        return Finding(verdict, rounds.result(), words, rounds.exchange)

    def _verdict(self, rounds: Rounds) -> tuple[Verdict, str]:
        order = self._order
        if order.order in ("keep_power", "end_keep_power"):
            if rounds.keeps_power is None:
                raise Refused("it does not tell whether it keeps power")
            words = "it keeps power" if rounds.keeps_power else "it does not keep power"
            is_done = rounds.keeps_power == (order.order == "keep_power")
            return ("done", "") if is_done else ("not done", words)
        if rounds.open is None:
            raise Refused("it does not tell how its rounds stand")
        is_open = order.round in rounds.open
        if is_open == (order.order == "trip"):
            return "done", ""
        words = f"its round {order.round} is {'open' if is_open else 'closed'}"
        return ("under way" if order.delay_min else "not done"), words


class Rounds1376:
    """The rounds of a terminal of Q/GDW 1376.1."""

    def __init__(self, port: TerminalPort) -> None:
        self._port = port

    async def order(self, order: TerminalOrder, mandate: Mandate, /) -> int:
        """Send it, if its turn comes in time: nothing in the frame says until when it is good."""
        answer = await self._port.ask(
            CONTROL,
            [control_unit(order)],
            priority=Priority.CONTROL,
            timeout_s=TIMEOUT_S,
            not_after=mandate.until,
        )
        return answer.exchange

    async def look(self) -> Rounds:
        """Ask F6 and F5 apart: a concentrator may know only one of them."""
        state, exchange = await self._told(STATE)
        settings, later = await self._told(SETTINGS)
        if state is None and settings is None:
            raise Refused(f"terminal {self._port.name}: it does not tell how its rounds stand")
        opened = None if state is None else _numbers(state["rounds_open"])
        keeps = None if settings is None else bool(settings["keep_power"])
        return Rounds(opened, keeps, exchange or later)

    async def _told(self, fn: int) -> tuple[dict[str, Any] | None, int | None]:
        with suppress(Refused):
            answer = await self._port.ask(
                CLASS_1,
                [make_unit(CLASS_1, 0, fn)],
                priority=Priority.CONTROL,
                timeout_s=TIMEOUT_S,
            )
            for frame in answer.frames:
                for unit in units_of(frame).units:
                    if unit.fn == fn:
                        return _values(frame, unit, self._port.name), answer.exchange
            raise BadAnswer(f"terminal {self._port.name}: it answered something else")
        return None, None


def control_unit(order: TerminalOrder) -> DataUnit:
    """Return the data unit of AFN05 for an order."""
    if order.order == "trip":
        values = {"limit_time": order.limit_min // HALF_HOUR_MIN, "alarm_delay": order.delay_min}
        return make_unit(CONTROL, order.round, 1, values)
    if order.order == "permit_closing":
        return make_unit(CONTROL, order.round, 2)
    if order.order == "keep_power":
        return make_unit(CONTROL, 0, 25, {"duration": order.keep_min // HALF_HOUR_MIN})
    return make_unit(CONTROL, 0, 33)


def control_frame(address: str, order: TerminalOrder, master: int) -> bytes:
    """Return the frame of an order; its sequence number is given when it is sent, here it is 0."""
    return requests.ask(
        CONTROL, Address.from_text(address), [control_unit(order)], sequence=0, master=master
    ).to_bytes()


def _values(frame: Any, unit: DataUnit, terminal: str) -> dict[str, Any]:
    try:
        return unit_values(frame, unit)
    except Unfit as error:
        raise BadAnswer(f"terminal {terminal}: F{unit.fn}: {error}") from None


def _numbers(flags: Any) -> tuple[int, ...]:
    return tuple(bit + 1 for bit in range(ROUNDS) if int(flags) >> bit & 1)
