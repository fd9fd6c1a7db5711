"""Reads DL/T 698.45 meters: on a bus, over a terminal that asks them, or being the link itself.

What is shown now is asked for in lists of objects, what is stored in records of the day freeze and
the minute freeze.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from station.collector.drivers.base import Refusals, quality_of_live, read_by_ways
from station.collector.drivers.dlt698_forms import Asked698
from station.collector.drivers.dlt698_records import exchanges_of_records, read_day, read_minute
from station.collector.drivers.dlt698_talk import Asker
from station.collector.drivers.dlt698_values import (
    is_refusal,
    missed_of,
    oad_of,
    outcome_of,
    whole_of,
)
from station.collector.outcome import Outcome
from station.collector.plan import Want, Way
from station.errors import Refused
from station.protocols.dlt698.dar import OTHER, Dar
from station.protocols.dlt698.envelope import Result
from station.protocols.dlt698.identifiers import Oad
from station.store.objects.meters import Meter
from station.units import utc_now

OBJECTS_MAX = 12  # In one list: some 30 bytes each, and every meter takes APDUs of 512.

_LIST = "list"  # As the refusals call it.


class Dlt698Driver:
    """Reads one meter in one round."""

    def __init__(self, asker: Asker, meter: Meter, *, zone: ZoneInfo, refusals: Refusals) -> None:
        asked = Asked698(asker, meter, zone, refusals)
        self._asked = asked
        self.ways = {
            Way.LIVE: self._read_live,
            Way.FREEZE: lambda wants: read_day(asked, wants),
            Way.PROFILE: lambda wants: read_minute(asked, wants),
        }

    async def read(self, wants: Sequence[Want]) -> AsyncIterator[list[Outcome]]:
        """Yield what came of the points, exchange by exchange.

        Raises MeterTimeout, BadAnswer or LinkDown; the points not yielded are then still open.
        """
        async for outcomes in read_by_ways(self.ways, wants):
            yield outcomes

    async def _read_live(self, wants: Sequence[Want]) -> AsyncIterator[list[Outcome]]:
        left = list(wants)
        while left:
            forms = self._asked.forms(left)
            if forms.gone:
                yield [*forms.gone]
            left = []
            oads = list(forms.asked)
            while oads:
                count = 1 if _LIST in self._asked.refusals else OBJECTS_MAX
                part, oads = oads[:count], oads[count:]
                found, read_at = await self._objects(part)
                if found is None:  # Not together: one by one.
                    oads = [*part, *oads]
                    continue
                outcomes: list[Outcome] = []
                for oad in part:
                    result = found.get(oad, Dar(OTHER))
                    if is_refusal(result):
                        self._asked.refusals.note(oad.text)
                        left += forms.asked[oad]
                    else:
                        outcomes += self._shown(forms.asked[oad], oad, result, read_at)
                if outcomes:
                    yield outcomes

    async def _objects(self, oads: Sequence[Oad]) -> tuple[Mapping[Oad, Result] | None, datetime]:
        """Return the objects; none where the meter refuses a list as such."""
        try:
            results, read_at = await self._asked.asker.objects(oads)
        except Refused:
            now = utc_now()
            if len(oads) == 1:
                return {}, now
            self._asked.refusals.note(_LIST)
            return None, now
        return {one.oad: one.result for one in results}, read_at

    def _shown(
        self, wants: Sequence[Want], oad: Oad, result: Result, read_at: datetime
    ) -> list[Outcome]:
        meter, zone = self._asked.meter.address, self._asked.zone
        if isinstance(result, Dar):
            return [missed_of(meter, want, result) for want in wants]
        return [
            outcome_of(meter, want, oad, result, read_at, quality_of_live(want, read_at), zone)
            for want in wants
        ]


def exchanges_of(wants: Sequence[Want], way: Way) -> int:
    """Return how many exchanges these points take in one way when the meter refuses nothing."""
    if way is not Way.LIVE:
        return exchanges_of_records(wants)
    return -(-len({whole_of(oad_of(want.item)) for want in wants}) // OBJECTS_MAX)
