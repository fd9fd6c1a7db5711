"""Reads DL/T 645 meters of both editions over any bus.

What the meter recorded is asked for in spans, what it shows now in blocks; a refused block is asked
for item by item, and not again that day. Each exchange's values are handed over at once, so that
nothing read is lost.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from station.collector.drivers import dlt645_records
from station.collector.drivers.base import Memory, NoMemory, quality_of_live, read_by_ways
from station.collector.drivers.dlt645_records import read_freezes, read_profile
from station.collector.drivers.dlt645_talk import Talk645, refused
from station.collector.outcome import Cause, Got, Missed, Outcome
from station.collector.plan import Want, Way
from station.errors import Refused
from station.frontend.link import Bus, Priority
from station.protocols.dlt645 import Version, items
from station.store.objects.meters import Meter
from station.units import from_local

_BLOCKS = {  # Identifiers that answer with several items at once (digest sections 4, 6 and 12).
    Version.V2007: {0x0001FF00, 0x0002FF00, 0x0201FF00, 0x0202FF00, 0x0203FF00, 0x0206FF00},
    Version.V1997: {0x901F, 0x902F, 0xB61F, 0xB62F, 0xB63F, 0xB65F},
}
_CLOCK_PARTS = {  # Meters without 0400010C: date with weekday, then time.
    Version.V2007: (0x04000101, 0x04000102),
    Version.V1997: (0xC010, 0xC011),
}


class Dlt645Driver:
    """Reads one meter in one round."""

    def __init__(
        self,
        bus: Bus,
        meter: Meter,
        *,
        priority: Priority,
        zone: ZoneInfo,
        memory: Memory | None = None,
    ) -> None:
        talk = Talk645(bus, meter, priority=priority, zone=zone, memory=memory or NoMemory())
        self._talk = talk
        self.ways = {
            Way.LIVE: self._read_live,
            Way.FREEZE: lambda wants: read_freezes(talk, wants),
            Way.PROFILE: lambda wants: read_profile(talk, wants),
        }

    async def read(self, wants: Sequence[Want]) -> AsyncIterator[list[Outcome]]:
        """Yield what came of the points, exchange by exchange.

        Raises MeterTimeout, BadAnswer or LinkDown; the points not yielded are then still open.
        """
        async for outcomes in read_by_ways(self.ways, wants):
            yield outcomes

    async def _read_live(self, wants: Sequence[Want]) -> AsyncIterator[list[Outcome]]:
        for block, members in self._blocks_of(wants).items():
            singles = members
            if len({want.item.code for want in members}) > 1 and self._is_given(block):
                outcomes = await self._read_items(block, members)
                singles = [one.want for one in outcomes if isinstance(one, Missed)]
                if len(singles) < len(members):
                    yield [one for one in outcomes if isinstance(one, Got)]
            for data_id, same in self._by_id(singles).items():
                yield await self._read_items(data_id, same)
        if clocks := [want for want in wants if want.item.kind == "clock"]:
            yield await self._read_clock(clocks)

    def _blocks_of(self, wants: Iterable[Want]) -> dict[int, list[Want]]:
        blocks: dict[int, list[Want]] = defaultdict(list)
        for want in wants:
            if want.item.kind != "clock":
                blocks[_block_of(self._talk.version, self._talk.id_of(want.item))].append(want)
        return blocks

    def _by_id(self, wants: Iterable[Want]) -> dict[int, list[Want]]:
        found: dict[int, list[Want]] = defaultdict(list)
        for want in wants:
            found[self._talk.id_of(want.item)].append(want)
        return found

    def _is_given(self, data_id: int) -> bool:
        return f"{data_id:04X}" not in self._talk.refusals

    async def _read_items(self, data_id: int, wants: Sequence[Want]) -> list[Outcome]:
        """Read one identifier and return what came of the wanted items in it."""
        talk = self._talk
        if not self._is_given(data_id):
            return [talk.missed(want, Cause.REFUSED, f"{data_id:04X} is refused") for want in wants]
        try:
            data, read_at = await talk.ask(data_id)
        except Refused as refusal:
            talk.refusals.note(f"{data_id:04X}")
            return refused(wants, refusal)
        found = talk.found_in(data_id, data)
        return [
            talk.outcome(
                want, found.get(talk.id_of(want.item)), read_at, quality_of_live(want, read_at)
            )
            for want in wants
        ]

    async def _read_clock(self, wants: Sequence[Want]) -> list[Outcome]:
        talk = self._talk
        if talk.version is Version.V2007:
            outcomes = await self._read_items(talk.id_of(wants[0].item), wants)
            if all(isinstance(one, Got) for one in outcomes):
                return outcomes
        values = []
        for data_id in _CLOCK_PARTS[talk.version]:
            try:
                data, read_at = await talk.ask(data_id)
            except Refused as refusal:
                return refused(wants, refusal)
            values += [one.value for one in items.decode(talk.version, data_id, data)]
        match values:
            case [date() as day, time() as hour]:
                moment = int(from_local(datetime.combine(day, hour), talk.zone).timestamp())
                return [
                    Got(want, moment, read_at, quality_of_live(want, read_at)) for want in wants
                ]
        text = f"its clock shows {values}"
        return [talk.missed(want, Cause.NOT_A_NUMBER, text) for want in wants]


def exchanges_of(meter: Meter, wants: Sequence[Want], way: Way) -> int:
    """Return how many exchanges these points take in one way when the meter refuses nothing."""
    if way is Way.PROFILE:
        return dlt645_records.exchanges_of_profile(wants)
    if way is Way.FREEZE:
        return dlt645_records.exchanges_of_freezes(wants)
    version = Version(meter.protocol)
    blocks = set()
    for want in wants:
        data_id = want.item.id_2007 if version is Version.V2007 else want.item.id_1997
        blocks.add(0 if data_id is None else _block_of(version, data_id))
    return len(blocks) + (version is Version.V1997 and 0 in blocks)  # Its clock comes in two.


def _block_of(version: Version, data_id: int) -> int:
    """Return the block that an item is part of, or the item itself."""
    block = data_id & 0xFFFF00FF | 0xFF00 if version is Version.V2007 else data_id | 0x000F
    return block if block in _BLOCKS[version] else data_id
