"""The relays of a simulated device of DL/T 698.45: the objects 8000 and 8001.

An order without a time tag, or one whose time is over by the device's clock, is not obeyed (DAR 32;
digest, section 4).
"""

from datetime import datetime, timedelta

from station.protocols.dlt698 import get
from station.protocols.dlt698.action import ActionRequestNormal, ActionResponseNormal, ActionResult
from station.protocols.dlt698.dar import SUCCESS, Dar
from station.protocols.dlt698.data import BitString, Data, DataType
from station.protocols.dlt698.envelope import Apdu, AttributeResult, TimeTag
from station.protocols.dlt698.identifiers import MINUTE, SECOND, Oad
from station.simulator.rounds import COUNT, Rounds

REMOTE_CONTROL, KEEP_POWER, RELAY = 0x8000, 0x8001, 0xF205
ON, OFF, TRIP, CLOSE = 127, 128, 129, 130  # Methods.
OBJECTS = frozenset((REMOTE_CONTROL, KEEP_POWER))
RELAYS_OPEN, RELAYS_ORDERED, POWER_KEPT = 3, 5, 2  # Attributes.

UNDEFINED, NOT_ALLOWED, BAD_TIME_TAG = Dar(4), Dar(3), Dar(32)
_UNITS = {SECOND: timedelta(seconds=1), MINUTE: timedelta(minutes=1)}


class ObjectRounds:
    """The relays of one device; moments are those of its clock, without a zone."""

    def __init__(self, count: int = COUNT) -> None:
        self._rounds = Rounds(count)

    def reply(self, asked: Apdu, clock: datetime) -> Apdu | None:
        """Return what the device says to a request about its relays, None for any other."""
        if isinstance(asked, ActionRequestNormal) and asked.item.omd.code >> 16 in OBJECTS:
            return self._act(asked, clock)
        if isinstance(asked, get.GetRequestNormal) and asked.oad.oi in OBJECTS:
            return get.GetResponseNormal(asked.piid, self._result(asked.oad, clock))
        if isinstance(asked, get.GetRequestNormalList) and all(
            oad.oi in OBJECTS for oad in asked.oads
        ):
            results = tuple(self._result(oad, clock) for oad in asked.oads)
            return get.GetResponseNormalList(asked.piid, results)
        return None

    def _result(self, oad: Oad, clock: datetime) -> AttributeResult:
        return AttributeResult(oad, self._value(oad, clock) or UNDEFINED)

    def _act(self, asked: ActionRequestNormal, clock: datetime) -> ActionResponseNormal:
        omd = asked.item.omd
        if _is_late(asked.time_tag, clock):
            dar = BAD_TIME_TAG
        else:
            dar = self._obey(omd.code >> 16, omd.code >> 8 & 0xFF, asked.item.parameter, clock)
        return ActionResponseNormal(asked.piid, ActionResult(omd, dar), time_tag=asked.time_tag)

    def _value(self, oad: Oad, clock: datetime) -> Data | None:
        if oad.oi == KEEP_POWER and oad.attribute == POWER_KEPT:
            return Data(DataType.ENUM, int(self._rounds.keeps_power(clock)))
        if oad.oi == REMOTE_CONTROL and oad.attribute in (RELAYS_OPEN, RELAYS_ORDERED):
            flags = sum(1 << COUNT - number for number in self._rounds.open(clock))
            return Data(DataType.BIT_STRING, BitString(COUNT, bytes((flags,))))
        return None

    def _obey(self, oi: int, method: int, parameter: Data, clock: datetime) -> Dar:
        if (oi, method) == (KEEP_POWER, ON):
            self._rounds.keep_power(clock, timedelta())
            return SUCCESS
        if (oi, method) == (KEEP_POWER, OFF):
            self._rounds.end_keep_power()
            return SUCCESS
        if oi != REMOTE_CONTROL or method not in (TRIP, CLOSE):
            return UNDEFINED
        entries = parameter.value if parameter.type is DataType.ARRAY else ()
        done = [self._switch(method, entry, clock) for entry in entries]
        return SUCCESS if done and all(done) else NOT_ALLOWED

    def _switch(self, method: int, entry: Data, clock: datetime) -> bool:
        fields = [each.value for each in entry.value] if isinstance(entry.value, tuple) else []
        if not fields or not isinstance(fields[0], Oad) or fields[0].oi != RELAY:
            return False
        if method == CLOSE:
            return self._rounds.close(fields[0].index)
        delay, limit = timedelta(minutes=fields[1]), timedelta(minutes=fields[2])
        return self._rounds.trip(fields[0].index, clock, delay, limit)


def _is_late(tag: TimeTag | None, clock: datetime) -> bool:
    sent = None if tag is None else tag.sent.local
    unit = None if tag is None else _UNITS.get(tag.delay.unit)
    if tag is None or sent is None or unit is None:
        return True
    return bool(tag.delay.count) and clock > sent + tag.delay.count * unit
