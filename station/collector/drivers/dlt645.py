"""Reads DL/T 645 meters of both editions over any bus.

What the meter recorded is asked for in spans, what it shows now in blocks; a refused block is asked
for item by item. Each exchange's values are handed over at once, so that nothing read is lost.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import groupby
from weakref import WeakValueDictionary
from zoneinfo import ZoneInfo

from station.collector.items import Item
from station.collector.outcome import Cause, Got, Missed, Outcome
from station.collector.plan import FREEZE_DAYS_MAX, Want, Way
from station.errors import BadAnswer, Refused
from station.frontend.inquiries import Inquiry645, asked_text
from station.frontend.link import Answer, Bus, Priority
from station.protocols.dlt645 import Frame, LongAnswer, Version, errors, items, profile, requests
from station.protocols.dlt645.formats import Value
from station.protocols.dlt645.items import ItemValue
from station.store.objects.meters import Meter
from station.units import from_local, local_day, utc_now

ANSWER_TIMEOUT_S = 5.0  # A 200-byte answer takes 1 s at 2400 bit/s; a terminal adds its own time.
ATTEMPTS_MAX = 2  # A broken answer is asked for once more; silence waits for the next round.
PROFILE_SIZE = 196  # Of an answer's 200 bytes, those behind the identifier (digest section 1.3).
PROFILE_RECORDS = 2  # Records of all six classes that fit into one answer.
PROFILE_RECORDS_MAX = 12  # A few quantities only; more would help little.
NO_RECORD_MAX = 3  # Spans without any record in a row, after which the meter has none.
FREEZE_STEPS_MAX = 3  # Looks at freeze times before a day counts as not frozen.

_FREEZE_TIME = 0x05060000  # Daily freeze: class, then n, the n-th last (digest section 10).
_BLOCKS = {  # Identifiers that answer with several items at once (digest sections 4, 6 and 12).
    Version.V2007: {0x0001FF00, 0x0002FF00, 0x0201FF00, 0x0202FF00, 0x0203FF00, 0x0206FF00},
    Version.V1997: {0x901F, 0x902F, 0xB61F, 0xB62F, 0xB63F, 0xB65F},
}
_CLOCK_PARTS = {  # Meters without 0400010C: date with weekday, then time.
    Version.V2007: (0x04000101, 0x04000102),
    Version.V1997: (0xC010, 0xC011),
}


# A new question makes a meter forget the rest of a long answer, so that one is heard out first.
_under_way: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()


def _conversation(bus: str, address: str) -> asyncio.Lock:
    return _under_way.setdefault((bus, address), asyncio.Lock())


class Dlt645Driver:
    """Reads one meter in one round."""

    def __init__(self, bus: Bus, meter: Meter, *, priority: Priority, zone: ZoneInfo) -> None:
        self._bus = bus
        self._meter = meter
        self._version = Version(meter.protocol)
        self._priority = priority
        self._zone = zone
        self._records_at_once = PROFILE_RECORDS

    async def read(self, wants: Sequence[Want]) -> AsyncIterator[list[Outcome]]:
        """Yield what came of the points, exchange by exchange.

        Raises MeterTimeout, BadAnswer or LinkDown; the points not yielded are then still open.
        """
        ways = {Way.LIVE: self._read_live, Way.FREEZE: self._read_freezes,
                Way.PROFILE: self._read_profile}  # fmt: skip
        rank = 0
        while wants:
            again: list[Want] = []
            for way, read in ways.items():
                mine = [want for want in wants if want.ways[rank] is way]
                if not mine:
                    continue
                async for outcomes in read(mine):
                    final = [one for one in outcomes if not _has_other_way(one, rank)]
                    again += [one.want for one in outcomes if _has_other_way(one, rank)]
                    if final:
                        yield final
            wants = again
            rank += 1

    # What the meter shows now.

    async def _read_live(self, wants: Sequence[Want]) -> AsyncIterator[list[Outcome]]:
        clocks = [want for want in wants if want.item.kind == "clock"]
        blocks: dict[int, list[Want]] = defaultdict(list)
        for want in wants:
            if want.item.kind != "clock":
                blocks[_block_of(self._version, self._id(want.item))].append(want)
        for block, members in blocks.items():
            singles = members
            if len({want.item.code for want in members}) > 1:
                outcomes = await self._read_items(block, members)
                singles = [one.want for one in outcomes if isinstance(one, Missed)]
                if len(singles) < len(members):
                    yield [one for one in outcomes if isinstance(one, Got)]
            for want in singles:
                yield await self._read_items(self._id(want.item), [want])
        if clocks:
            yield await self._read_clock(clocks)

    async def _read_items(self, data_id: int, wants: Sequence[Want]) -> list[Outcome]:
        """Read one identifier and return what came of the wanted items in it."""
        try:
            data, read_at = await self._ask(data_id)
        except Refused as refusal:
            return [Missed(want, Cause.REFUSED, str(refusal)) for want in wants]
        found = {one.data_id: one for one in items.decode(self._version, data_id, data)}
        return [self._outcome(want, found.get(self._id(want.item)), read_at) for want in wants]

    async def _read_clock(self, wants: Sequence[Want]) -> list[Outcome]:
        if self._version is Version.V2007:
            outcomes = await self._read_items(self._id(wants[0].item), wants)
            if all(isinstance(one, Got) for one in outcomes):
                return outcomes
        values = []
        for data_id in _CLOCK_PARTS[self._version]:
            try:
                data, read_at = await self._ask(data_id)
            except Refused as refusal:
                return [Missed(want, Cause.REFUSED, str(refusal)) for want in wants]
            values += [one.value for one in items.decode(self._version, data_id, data)]
        match values:
            case [date() as day, time() as hour]:
                moment = from_local(datetime.combine(day, hour), self._zone)
                return [Got(want, int(moment.timestamp()), read_at) for want in wants]
        text = f"meter {self._meter.address}: its clock shows {values}"
        return [Missed(want, Cause.NOT_A_NUMBER, text) for want in wants]

    # What the meter recorded.

    async def _read_profile(self, wants: Sequence[Want]) -> AsyncIterator[list[Outcome]]:
        step = timedelta(minutes=self._meter.profile_interval_min)
        left = deque(sorted(wants, key=lambda want: want.moment))
        empty = 0
        while left:
            start = left[0].moment
            end = start + self._records_at_once * step
            span = [left.popleft()]
            while left and left[0].moment < end:
                span.append(left.popleft())
            if empty < NO_RECORD_MAX:
                records = await self._ask_profile(start, (span[-1].moment - start) // step + 1)
                empty = 0 if records.found else empty + 1
            yield [self._recorded(want, records) for want in span]

    async def _ask_profile(self, start: datetime, count: int) -> "_Records":
        local = start.astimezone(self._zone).replace(tzinfo=None)
        request = profile.request(self._meter.address, start=local, count=count)
        try:
            data, read_at = await self._converse(request)
            records = profile.decode(data)
        except Refused as refusal:
            return _Records({}, utc_now(), str(refusal))
        except ValueError as error:
            raise BadAnswer(f"meter {self._meter.address}: {error}") from None
        if records:  # From now on as many as fit into one answer.
            fitting = PROFILE_SIZE * len(records) // len(data)
            self._records_at_once = min(max(fitting, 1), PROFILE_RECORDS_MAX)
        found = {from_local(record.time, self._zone): record.values for record in records}
        return _Records(found, read_at, f"meter {self._meter.address}: no record at {local}")

    async def _read_freezes(self, wants: Sequence[Want]) -> AsyncIterator[list[Outcome]]:
        by_day = groupby(wants, key=lambda want: local_day(want.moment, self._zone))
        for day, wanted in by_day:
            members = list(wanted)
            try:
                number = await self._find_freeze(day)
            except Refused as refusal:
                yield [Missed(want, Cause.REFUSED, str(refusal)) for want in members]
                continue
            if number is None:
                text = f"meter {self._meter.address}: no daily freeze of {day}"
                yield [Missed(want, Cause.NO_RECORD, text) for want in members]
                continue
            for quantity, same in groupby(members, key=lambda want: self._id(want.item) >> 16):
                yield await self._read_frozen(quantity, number, list(same))

    async def _find_freeze(self, day: date) -> int | None:
        """Return which of the last daily freezes is that of a day, or None."""
        number = 1
        for _ in range(FREEZE_STEPS_MAX):
            data, _ = await self._ask(_FREEZE_TIME | number)
            frozen = items.decode(self._version, _FREEZE_TIME | number, data)[0].value
            if not isinstance(frozen, datetime):
                return None
            if frozen.date() == day:
                return number
            number += (frozen.date() - day).days
            if not 1 <= number <= FREEZE_DAYS_MAX:
                return None
        return None

    async def _read_frozen(
        self, quantity: int, number: int, wants: Sequence[Want]
    ) -> list[Outcome]:
        """Read the frozen total and tariffs of an energy; each bears the energy's identifier."""
        data_id = _FREEZE_TIME | quantity << 8 | number
        try:
            data, read_at = await self._ask(data_id)
        except Refused as refusal:
            return [Missed(want, Cause.REFUSED, str(refusal)) for want in wants]
        found = {one.data_id: one for one in items.decode(self._version, data_id, data)}
        return [self._outcome(want, found.get(self._id(want.item)), read_at) for want in wants]

    # One exchange, or a few for a long answer.

    async def _ask(self, data_id: int) -> tuple[bytes, datetime]:
        return await self._converse(requests.read(self._version, self._meter.address, data_id))

    async def _converse(self, request: Frame) -> tuple[bytes, datetime]:
        """Return the whole data behind the identifier, and when its first part came.

        Raises Refused with the meter's words, and what `Bus.exchange` raises.
        """
        async with _conversation(self._bus.name, self._meter.address):
            return await self._hear_out(request)

    async def _hear_out(self, request: Frame) -> tuple[bytes, datetime]:
        reply = await self._exchange(request)
        if reply.frame.is_error:
            words = ", ".join(word.en for word in errors.error_words(self._version, reply.frame))
            raise Refused(f"meter {self._meter.address}: {asked_text(request)} refused: {words}")
        answer = LongAnswer(request)
        following = answer.add(reply.frame)
        while following is not None:
            following = answer.add((await self._exchange(following)).frame)
        return answer.data, reply.at

    async def _exchange(self, request: Frame) -> Answer[Frame]:
        for _ in range(ATTEMPTS_MAX - 1):
            try:
                return await self._once(request)
            except BadAnswer:
                continue
        return await self._once(request)

    async def _once(self, request: Frame) -> Answer[Frame]:
        return await self._bus.exchange(
            Inquiry645(request), priority=self._priority, timeout_s=ANSWER_TIMEOUT_S
        )

    # From what was decoded to what is stored.

    def _id(self, item: Item) -> int:
        data_id = item.id_2007 if self._version is Version.V2007 else item.id_1997
        assert data_id is not None, f"{item.code} is not an item of {self._version.value}"
        return data_id

    def _recorded(self, want: Want, records: "_Records") -> Outcome:
        """Return what the load profile says of a point; a later record proves that it has none."""
        values = records.found.get(want.moment)
        if values is not None:
            return self._value(want, values.get(self._id(want.item)), records.read_at)
        if any(moment > want.moment for moment in records.found):
            return Got(want, None, records.read_at)
        return Missed(want, Cause.NO_RECORD, records.none)

    def _outcome(self, want: Want, found: ItemValue | None, read_at: datetime) -> Outcome:
        if found is None:
            text = f"meter {self._meter.address}: {want.item.code} is not in its answer"
            return Missed(want, Cause.NOT_A_NUMBER, text)
        if not found.valid:
            text = f"meter {self._meter.address}: {want.item.code} is {found.raw.hex(' ').upper()}"
            return Missed(want, Cause.NOT_A_NUMBER, text)
        return self._value(want, found.value, read_at)

    def _value(self, want: Want, value: Value, read_at: datetime) -> Outcome:
        if value is None:
            return Got(want, None, read_at)
        try:
            return Got(want, want.item.to_value(value, self._zone), read_at)
        except ValueError as error:
            text = f"meter {self._meter.address}: {want.item.code}: {error}"
            return Missed(want, Cause.NOT_A_NUMBER, text)


@dataclass(frozen=True, slots=True)
class _Records:
    """What a load profile answer held; `none` says in words that a record is missing."""

    found: Mapping[datetime, Mapping[int, Decimal | None]]
    read_at: datetime
    none: str


def _has_other_way(outcome: Outcome, rank: int) -> bool:
    return (
        isinstance(outcome, Missed)
        and outcome.cause in (Cause.REFUSED, Cause.NO_RECORD)
        and len(outcome.want.ways) > rank + 1
    )


def _block_of(version: Version, data_id: int) -> int:
    """Return the block that an item is part of, or the item itself."""
    block = data_id & 0xFFFF00FF | 0xFF00 if version is Version.V2007 else data_id | 0x000F
    return block if block in _BLOCKS[version] else data_id
