"""One DL/T 645 meter on a bus: questions, whole answers, and what they are worth."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from station.collector.drivers.base import (
    ATTEMPTS_MAX,
    Memory,
    Refusals,
    conversation,
    transfer_s,
)
from station.collector.items import Item
from station.collector.outcome import Cause, Got, Missed, Outcome
from station.collector.plan import Want
from station.errors import BadAnswer, Refused
from station.frontend.inquiries import Inquiry645, asked_text
from station.frontend.link import Answer, Bus, Priority
from station.protocols.dlt645 import Frame, LongAnswer, Version, errors, items, requests
from station.protocols.dlt645.formats import Value
from station.protocols.dlt645.items import ItemValue
from station.store.objects.meters import Meter
from station.store.objects.readings import Quality

LONG_ANSWER_SIZE = 216  # 200 bytes of data in a frame (digest section 1.3), with its preamble.


class Heard(NamedTuple):
    """The whole data behind the identifier, and when its first part came."""

    data: bytes
    read_at: datetime


class NoSuchData(Refused):
    """The meter says that it has no such data: never, or not for this time."""


class Talk645:
    """A conversation with one meter."""

    def __init__(
        self, bus: Bus, meter: Meter, *, priority: Priority, zone: ZoneInfo, memory: Memory
    ) -> None:
        self.meter = meter
        self.zone = zone
        self.version = Version(meter.protocol)
        self.refusals = Refusals(memory, meter.address, zone)
        self._bus = bus
        self._priority = priority
        self._memory = memory

    async def ask(self, data_id: int) -> Heard:
        """Read a data item. Raises as `converse`."""
        return await self.converse(requests.read(self.version, self.meter.address, data_id))

    async def converse(self, request: Frame, *, is_long: bool = False) -> Heard:
        """Ask, and hear the answer out; one that is known to be long has more time.

        Raises Refused with the meter's words, and what `Bus.exchange` raises.
        """
        async with conversation(self._bus.name, self.meter.address):
            reply = await self._exchange(request, is_long=is_long)
            if reply.frame.is_error:
                raise self._refusal(request, reply.frame)
            answer = LongAnswer(request)
            following = answer.add(reply.frame)
            while following is not None:
                reply_to = await self._exchange(following, is_long=True)
                following = answer.add(reply_to.frame)
            return Heard(answer.data, reply.at)

    def _refusal(self, request: Frame, reply: Frame) -> Refused:
        words = [word.en for word in errors.error_words(self.version, reply)]
        text = f"meter {self.meter.address}: {asked_text(request)} refused: {', '.join(words)}"
        return NoSuchData(text) if reply.data[:1] == _NO_REQUESTED_DATA else Refused(text)

    async def _exchange(self, request: Frame, *, is_long: bool) -> Answer[Frame]:
        for _ in range(ATTEMPTS_MAX - 1):
            try:
                return await self._once(request, is_long=is_long)
            except BadAnswer:
                continue
        return await self._once(request, is_long=is_long)

    async def _once(self, request: Frame, *, is_long: bool) -> Answer[Frame]:
        timeout_s = self._memory.answer_timeout_s(self.meter.address)
        if is_long:  # What was learned from short answers is too short for this one.
            timeout_s += transfer_s(self.meter.line, LONG_ANSWER_SIZE)
        answer = await self._bus.exchange(
            Inquiry645(request), priority=self._priority, timeout_s=timeout_s
        )
        self._memory.note_wait(self.meter.address, answer.waited_s)
        return answer

    # From what was decoded to what is stored.

    def id_of(self, item: Item) -> int:
        """Return the item's data identifier; the plan wants no item that has none."""
        data_id = item.id_2007 if self.version is Version.V2007 else item.id_1997
        assert data_id is not None, f"{item.code} is not an item of {self.version.value}"
        return data_id

    def found_in(self, data_id: int, data: bytes) -> Mapping[int, ItemValue]:
        """Return the values in an answer by their own identifiers."""
        return {one.data_id: one for one in items.decode(self.version, data_id, data)}

    def outcome(
        self, want: Want, found: ItemValue | None, read_at: datetime, quality: Quality
    ) -> Outcome:
        """Return what an answer says of a point."""
        if found is None:
            return self.missed(want, Cause.NOT_A_NUMBER, f"{want.item.code} is not in its answer")
        if not found.valid:
            digits = found.raw.hex(" ").upper()
            return self.missed(want, Cause.NOT_A_NUMBER, f"{want.item.code} is {digits}")
        return self.value(want, found.value, read_at, quality)

    def value(self, want: Want, value: Value, read_at: datetime, quality: Quality) -> Outcome:
        """Return a decoded value as that of a point."""
        if value is None:
            return Got(want, None, read_at, quality)
        try:
            return Got(want, want.item.to_value(value, self.zone), read_at, quality)
        except ValueError as error:
            return self.missed(want, Cause.NOT_A_NUMBER, f"{want.item.code}: {error}")

    def missed(self, want: Want, cause: Cause, text: str) -> Missed:
        """Return why a point has no value, in words that name the meter."""
        return Missed(want, cause, f"meter {self.meter.address}: {text}")


def refused(wants: Sequence[Want], refusal: Refused) -> list[Outcome]:
    """Return the refusal of points in the meter's own words."""
    return [Missed(want, Cause.REFUSED, str(refusal)) for want in wants]


_NO_REQUESTED_DATA = b"\x02"  # Bit 1 alone, digest section 2.4.
