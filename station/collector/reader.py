"""Reads for people: what does the meter say at this moment?

Goes ahead of collection on its bus and never interrupts an exchange. Equal questions asked while
one is under way share its answer.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from station.collector.drivers import Memory, driver_for
from station.collector.drivers.base import AskedAgain
from station.collector.items import ITEM_BY_CODE
from station.collector.outcome import Cause, Got, Missed, Outcome, cause_of
from station.collector.plan import Want, Way, has_item
from station.collector.run import reading_of
from station.errors import ExchangeError, InvalidValue, LinkDown
from station.frontend.link import Priority
from station.frontend.registry import Registry
from station.live import Feed
from station.store.objects.meters import Meter, Meters
from station.store.objects.readings import Reading, Readings
from station.store.objects.stages import check_there
from station.store.objects.terminals import Terminals
from station.tasks import spawn
from station.units import utc_now

ITEMS_MAX = len(ITEM_BY_CODE)  # A question for every item there is.


@dataclass(frozen=True, slots=True)
class ReadResult:
    """What came of one item: the stored reading, or the cause and its words."""

    item: str
    reading: Reading | None
    cause: Cause | None = None
    text: str | None = None


class Reader:
    """Reads meters on demand and stores what they say."""

    def __init__(
        self,
        registry: Registry,
        meters: Meters,
        readings: Readings,
        feed: Feed,
        zone: ZoneInfo,
        terminals: Terminals | None = None,
        memory: Memory | None = None,
    ) -> None:
        """Without `terminals` no terminal is asked for what it stored of its meters."""
        self._registry = registry
        self._terminals = terminals
        self._memory = AskedAgain(memory)
        self._meters = meters
        self._readings = readings
        self._feed = feed
        self._zone = zone
        self._under_way: dict[tuple[str, tuple[str, ...]], asyncio.Task[list[ReadResult]]] = {}

    async def read_now(self, address: str, items: Sequence[str]) -> list[ReadResult]:
        """Read items of a meter and return a result for each, in the order asked.

        Raises NotFound, Conflict, InvalidValue("items"), LinkDown, or the error of the first
        exchange when the meter gave nothing at all.
        """
        meter = await self._meters.get(address)
        check_there(meter)
        codes = tuple(dict.fromkeys(items))
        _check(meter, codes)
        key = (address, codes)
        task = self._under_way.get(key)
        if task is None:
            task = spawn(self._read(meter, codes), name=f"read {address} now")
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(task)

    async def _read(self, meter: Meter, codes: Sequence[str]) -> list[ReadResult]:
        now = utc_now().replace(second=0, microsecond=0)
        terminal = None if self._terminals is None else await self._terminals.find(meter.link)
        ways = (Way.LIVE, Way.TERMINAL) if terminal and terminal.collects else (Way.LIVE,)
        wants = [Want(ITEM_BY_CODE[code], now, ways) for code in codes]
        driver = driver_for(
            meter, terminal, self._registry,
            priority=Priority.RECALL, zone=self._zone, memory=self._memory,
        )  # fmt: skip
        outcomes: dict[Want, Outcome] = {}
        try:
            async for some in driver.read(wants):
                outcomes.update((outcome.want, outcome) for outcome in some)
        except (ExchangeError, LinkDown) as error:
            if not outcomes:
                raise
            for want in wants:
                outcomes.setdefault(want, Missed(want, cause_of(error), str(error)))
        results = [_result(meter, outcomes[want]) for want in wants]
        if readings := [result.reading for result in results if result.reading is not None]:
            await self._readings.save(readings)
            self._feed.announce("readings", {"meter": meter.address, "count": len(readings)})
        return results


def _check(meter: Meter, codes: Sequence[str]) -> None:
    if not codes:
        raise InvalidValue("items", "name at least one item to read")
    if len(codes) > ITEMS_MAX:
        raise InvalidValue("items", f"{len(codes)} items are too many; at most {ITEMS_MAX}")
    for code in codes:
        if code not in ITEM_BY_CODE:
            raise InvalidValue("items", f"there is no item {code!r}")
        if not has_item(meter, ITEM_BY_CODE[code]):
            raise InvalidValue("items", f"meters of {meter.protocol} have no item {code!r}")


def _result(meter: Meter, outcome: Outcome) -> ReadResult:
    code = outcome.want.item.code
    if isinstance(outcome, Got):
        return ReadResult(code, reading_of(meter, outcome, "read_now"))
    return ReadResult(code, None, outcome.cause, outcome.text)
