"""The clock of a terminal or a meter of DL/T 698.45: attribute 2 of 4000, read and set."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from station.collector.clock import Look, look_of, rounded
from station.collector.drivers.dlt698_talk import ANOTHER_SERVICE, Talk698
from station.errors import BadAnswer, Refused
from station.protocols.dlt645.requests import Authority
from station.protocols.dlt698 import get
from station.protocols.dlt698 import set as writing
from station.protocols.dlt698.dar import RETRY, SUCCESS, Dar
from station.protocols.dlt698.data import Data, DataType
from station.protocols.dlt698.envelope import Apdu
from station.protocols.dlt698.identifiers import Oad
from station.protocols.dlt698.moments import DateTimeS
from station.units import utc_now

CLOCK = Oad.of(0x4000)
TIMEOUT_S = 30.0  # Of a terminal; what a meter may take knows its conversation.


class ObjectClock:
    """One clock; `word` is what the device is called in messages."""

    def __init__(
        self, talk: Talk698, zone: ZoneInfo, word: str, timeout_s: float | None = None
    ) -> None:
        self._talk = talk
        self._zone = zone
        self._name = f"{word} {talk.meter}"
        self._timeout_s = timeout_s

    async def look(self) -> Look:
        told, at = await self._talk.ask(
            lambda piid: get.GetRequestNormal(piid, CLOCK), timeout_s=self._timeout_s
        )
        if not isinstance(told, get.GetResponseNormal):
            raise BadAnswer(f"{self._name}: {ANOTHER_SERVICE}")
        result = told.result.result
        if isinstance(result, Dar):
            raise Refused(f"{self._name}: {CLOCK.text} refused: {result.words.en}")
        shown = result.value.local if isinstance(result.value, DateTimeS) else None
        if shown is None or self._talk.last is None:
            raise BadAnswer(f"{self._name}: its clock shows no time")
        last = self._talk.last
        return look_of(shown, at, last.waited_s, last.exchange, self._zone)

    async def set(self, delay: timedelta, _authority: Authority, /) -> int:
        def make(piid: int) -> Apdu:
            local = rounded((utc_now() + delay).astimezone(self._zone))
            data = Data(DataType.DATE_TIME_S, DateTimeS.of(local))
            return writing.SetRequestNormal(piid, writing.SetItem(CLOCK, data))

        told, _ = await self._talk.ask(make, timeout_s=self._timeout_s, once=True)
        if not isinstance(told, writing.SetResponseNormal):
            raise BadAnswer(f"{self._name}: {ANOTHER_SERVICE}")
        dar = told.result.dar
        if dar != SUCCESS:
            words = f"{self._name}: {CLOCK.text} refused: {dar.words.en}"
            raise BadAnswer(words) if dar.code in RETRY else Refused(words)
        assert self._talk.last is not None, "it has just answered"
        return self._talk.last.exchange
