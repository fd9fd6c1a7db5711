"""Control over DL/T 698.45: the objects 8000 (remote control) and 8001 (keep power).

A terminal may have eight relays, a meter one. An order carries a time tag: a device that gets it
later than that does not obey (digest, sections 4 and 14). Of the command to close, the digest has
both meanings of its number as unconfirmed; the public firmware found has 0 for a permission
and 1 for closing at once. Devices whose security mode asks for a cipher refuse: this is plain text.
"""

import itertools
import math
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from station.collector.control import Mandate
from station.collector.drivers.base import NoMemory, conversation
from station.collector.drivers.dlt698_talk import ANOTHER_SERVICE, Port698, Talk698
from station.collector.terminal_control import ROUNDS, Rounds, TerminalOrder
from station.errors import BadAnswer, Refused
from station.frontend.inquiries import Inquiry698
from station.frontend.link import Priority
from station.protocols.dlt698 import get, requests
from station.protocols.dlt698.action import ActionItem, ActionRequestNormal, ActionResponseNormal
from station.protocols.dlt698.apdu import decode_apdu
from station.protocols.dlt698.association import ServerError
from station.protocols.dlt698.dar import SUCCESS
from station.protocols.dlt698.data import NULL, BitString, Data, DataType
from station.protocols.dlt698.envelope import NUMBER_MASK, AttributeResult, TimeTag
from station.protocols.dlt698.frame import NO_CLIENT, ServerAddress
from station.protocols.dlt698.identifiers import MINUTE, SECOND, Oad, Omd, Ti
from station.protocols.dlt698.moments import DateTimeS
from station.protocols.faults import FrameError
from station.units import utc_now

TIMEOUT_S = 30.0
REMOTE_CONTROL, KEEP_POWER, RELAY = 0x8000, 0x8001, 0xF205
TRIP, CLOSE, ON, OFF = 129, 130, 127, 128  # Methods.
RELAYS_OPEN = Oad.of(REMOTE_CONTROL, 3)
POWER_KEPT = Oad.of(KEEP_POWER, 2)
PERMIT_CLOSING, CLOSE_AT_ONCE = 0, 1
COUNT_MAX = 0xFFFF  # Of a time tag's units.

_numbers = itertools.count()


class Rounds698:
    """The relays of a server of DL/T 698.45."""

    def __init__(self, port: Port698, address: str, zone: ZoneInfo) -> None:
        self._port = port
        self._address = address
        self._zone = zone
        self._talk = Talk698(port, address, address, priority=Priority.CONTROL, memory=NoMemory())

    async def order(self, order: TerminalOrder, mandate: Mandate, /) -> int:
        """Look first, which also opens an association where one is wanted; then send once."""
        await self.look()
        request = control_request(order, next(_numbers) & NUMBER_MASK, mandate.until, self._zone)
        frame = requests.request(ServerAddress.from_text(self._address), NO_CLIENT, request)
        async with conversation(self._port.name, self._address):
            answer = await self._port.exchange(
                Inquiry698(frame), priority=Priority.CONTROL, timeout_s=TIMEOUT_S
            )
        try:
            told = decode_apdu(answer.frame.apdu)
        except FrameError as error:
            raise BadAnswer(f"meter {self._address}: {error}") from None
        if isinstance(told, ServerError):
            raise Refused(f"meter {self._address}: it answered with error {told.kind}")
        if not isinstance(told, ActionResponseNormal):
            raise BadAnswer(f"meter {self._address}: {ANOTHER_SERVICE}")
        if told.result.dar != SUCCESS:
            asked = f"{request.item.omd.code:08X}"
            raise Refused(f"meter {self._address}: {asked} refused: {told.result.dar.words.en}")
        return answer.exchange

    async def look(self) -> Rounds:
        wanted = (RELAYS_OPEN, POWER_KEPT)
        told, _ = await self._talk.ask(
            lambda piid: get.GetRequestNormalList(piid, wanted), timeout_s=TIMEOUT_S
        )
        if not isinstance(told, get.GetResponseNormalList):
            raise BadAnswer(f"meter {self._address}: {ANOTHER_SERVICE}")
        found = {each.oad: each for each in told.results}
        opened = _opened(found.get(RELAYS_OPEN))
        keeps = _keeps(found.get(POWER_KEPT))
        if opened is None and keeps is None:
            raise Refused(f"meter {self._address}: it does not tell how its relays stand")
        return Rounds(opened, keeps, None)


def control_request(
    order: TerminalOrder, piid: int, until: datetime, zone: ZoneInfo
) -> ActionRequestNormal:
    """Return the request of an order that is good until a moment."""
    now = utc_now()
    tag = TimeTag(DateTimeS.of(now.astimezone(zone)), _allowed(until - now))
    return ActionRequestNormal(piid, _item(order), tag)


def control_frame(address: str, order: TerminalOrder, until: datetime, zone: ZoneInfo) -> bytes:
    """Return the frame of an order; its number and its time tag are given when it is sent."""
    request = control_request(order, 0, until, zone)
    return requests.request(ServerAddress.from_text(address), NO_CLIENT, request).to_bytes()


def _item(order: TerminalOrder) -> ActionItem:
    if order.order == "keep_power":
        return ActionItem(Omd.of(KEEP_POWER, ON), NULL)
    if order.order == "end_keep_power":
        return ActionItem(Omd.of(KEEP_POWER, OFF), NULL)
    relay = Data(DataType.OAD, Oad.of(RELAY, 2, order.round))
    if order.order == "trip":
        fields = (
            relay,
            Data(DataType.UNSIGNED, order.delay_min),
            Data(DataType.LONG_UNSIGNED, order.limit_min),
            Data(DataType.BOOL, False),
        )
        return ActionItem(Omd.of(REMOTE_CONTROL, TRIP), _list_of(fields))
    how = CLOSE_AT_ONCE if order.order == "close" else PERMIT_CLOSING
    return ActionItem(Omd.of(REMOTE_CONTROL, CLOSE), _list_of((relay, Data(DataType.ENUM, how))))


def _list_of(fields: tuple[Data, ...]) -> Data:
    return Data(DataType.ARRAY, (Data(DataType.STRUCTURE, fields),))


def _allowed(left: timedelta) -> Ti:
    """Return a time that is no longer than what is left; 0 would be no limit at all."""
    seconds = max(1, math.floor(left.total_seconds()))
    if seconds <= COUNT_MAX:
        return Ti(SECOND, seconds)
    return Ti(MINUTE, min(seconds // 60, COUNT_MAX))


def _opened(told: AttributeResult | None) -> tuple[int, ...] | None:
    """Return the open relays; the first bit is the first relay, and 1 is open."""
    value = told.result.value if told is not None and isinstance(told.result, Data) else None
    if not isinstance(value, BitString):
        return None
    bits = "".join(f"{byte:08b}" for byte in value.data)[: min(value.size, ROUNDS)]
    return tuple(place for place, bit in enumerate(bits, start=1) if bit == "1")


def _keeps(told: AttributeResult | None) -> bool | None:
    """Return whether power is kept: 0 it is not, 1 by order, 2 by itself."""
    value = told.result.value if told is not None and isinstance(told.result, Data) else None
    return None if not isinstance(value, int) else value != 0
