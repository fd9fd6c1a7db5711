"""Clock rounds: every clock is looked at once, each day at a time that is set, or when told.

A round goes from device to device behind everything else on each line, on some links at once. What
is not on line waits until the round ends; a device that gave no answer is not asked again in it. A
round that a restart ends is not taken up: the next one begins at its time.
"""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from station.collector.clocks import Clocks, check_clock
from station.collector.parameter_dialects import Device
from station.errors import Conflict, DatabaseDown, ExchangeError, InvalidValue, LinkDown
from station.frontend.link import Priority
from station.frontend.registry import Registry
from station.store.database import Database
from station.store.objects.meters import Meter
from station.store.objects.stages import ACTIVE, is_read
from station.tasks import cancel, spawn
from station.units import from_local, utc_now

log = logging.getLogger(__name__)

TICK_S = 20.0  # Between two looks at which links have come up.
LASTS = timedelta(hours=4)  # Then a round ends: who was not on line in a night needs a person.
LINKS_AT_ONCE = 20  # Each has one question on its line; that is a small part of collection.


@dataclass(frozen=True, slots=True)
class Progress:
    """A round that is under way, or the last one."""

    began: datetime
    ends: datetime
    total: int
    left: int
    is_running: bool


class ClockRounds:
    """The rounds of this station."""

    def __init__(
        self,
        database: Database,
        registry: Registry,
        clocks: Clocks,
        zone: ZoneInfo,
        check_at: time | None,
    ) -> None:
        """`check_at` is the time of day at the site; None: only when told."""
        self._database = database
        self._registry = registry
        self._clocks = clocks
        self._zone = zone
        self.check_at = check_at
        self._ticked_at = utc_now()
        self._left: dict[str, list[Device]] = {}
        self._progress: Progress | None = None
        self._begun = asyncio.Event()
        self._ticker: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch the time."""
        self._ticked_at = utc_now()
        self._ticker = spawn(self._work(), name="clocks")

    async def stop(self) -> None:
        """End the round that is under way."""
        await cancel(self._ticker)

    @property
    def progress(self) -> Progress | None:
        """Return how far the last round is."""
        if self._progress is None:
            return None
        left = sum(map(len, self._left.values()))
        before = self._progress
        return Progress(before.began, before.ends, before.total, left, bool(left))

    def next_round(self, now: datetime) -> datetime | None:
        """Return when a round begins by itself."""
        if self.check_at is None:
            return None
        today = now.astimezone(self._zone).date()
        days = (today, today + timedelta(days=1))
        return next(due for day in days if (due := self._due(day)) > now)

    async def begin(self) -> Progress:
        """Begin a round. Raises Conflict while one is under way, and DatabaseDown."""
        if self._left:
            raise Conflict("a round of clocks is under way already")
        devices = await self._devices()
        now = utc_now()
        total = sum(map(len, devices.values()))
        self._left = devices
        self._progress = Progress(now, now + LASTS, total, total, is_running=bool(total))
        log.info("clocks: a round of %d devices begins", total)
        self._begun.set()
        return self._progress

    async def _work(self) -> None:
        while True:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._begun.wait(), TICK_S)
            self._begun.clear()
            try:
                await self.tick()
            except Exception:  # The border of a tick.
                log.exception("clocks could not be looked at")

    async def tick(self) -> None:
        """Begin a round that is due, and go on with the one under way."""
        now, before = utc_now(), self._ticked_at
        self._ticked_at = now
        due = None if self.check_at is None else self._due(now.astimezone(self._zone).date())
        if due is not None and before < due <= now and not self._left:
            await self.begin()
        if not self._left or self._progress is None:
            return
        if now >= self._progress.ends:
            log.info("clocks: %d devices were not reached", sum(map(len, self._left.values())))
            self._left = {}
            return
        await self.go_on()

    async def go_on(self) -> None:
        """Look at the clocks on every link that is up."""
        places = asyncio.Semaphore(LINKS_AT_ONCE)
        links = [link for link in self._left if self._registry.find(link) is not None]
        await asyncio.gather(*(self._look_on(link, places) for link in links))

    async def _look_on(self, link: str, places: asyncio.Semaphore) -> None:
        async with places:
            while devices := self._left.get(link):
                try:
                    await self._clocks.check(devices[0], priority=Priority.GAP)
                except (LinkDown, DatabaseDown):
                    return  # It waits for the next tick.
                except (ExchangeError, InvalidValue):
                    pass  # The clock's own state says why, or nothing can be asked there.
                devices.pop(0)
            self._left.pop(link, None)

    async def _devices(self) -> dict[str, list[Device]]:
        """Return the devices whose clocks can be looked at, by link."""
        terminals = self._registry.terminals
        found: dict[str, list[Device]] = defaultdict(list)
        for terminal in terminals.values():
            if terminal.stage == ACTIVE and has_clock(terminal):
                found[terminal.address].append(terminal)
        meters: Sequence[Meter] = await self._database.meters.many()
        for meter in meters:
            if is_read(meter, terminals) and has_clock(meter):
                found[meter.link].append(meter)
        return dict(found)

    def _due(self, day: date) -> datetime:
        assert self.check_at is not None, "only asked for where it is set"
        return from_local(datetime.combine(day, self.check_at), self._zone)


def has_clock(device: Device) -> bool:
    """Tell whether a device's clock is looked at: one that is the link itself is its terminal's."""
    try:
        check_clock(device)
    except InvalidValue:
        return False
    return not isinstance(device, Meter) or device.point > 0
