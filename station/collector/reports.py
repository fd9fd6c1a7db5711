"""What devices send on their own account, taken from the links and stored.

A link hands a report over and goes on at once. Reports wait in a bounded queue, also while the
database is down; each is stored in full or tried again, and storing it twice changes nothing. One
that cannot be understood is told in the log and dropped, and keeps nobody waiting.
"""

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from station import tasks
from station.collector.events import events_in
from station.collector.report_readings import Finder
from station.errors import DatabaseDown
from station.frontend.link import Report
from station.live import Feed
from station.store.objects.events import Event, Events
from station.store.objects.meters import Meter, Meters
from station.store.objects.readings import Reading, Readings

log = logging.getLogger(__name__)

QUEUE_MAX = 20_000  # One from each terminal of a large station after a power cut; some 20 MB.
BATCH_MAX = 200  # Reports stored at once: some thousand points.
METERS_KEPT_S = 30.0  # How late a change of the archive is noticed here.
LINKS_KEPT_MAX = 20_000
RETRY_S = 2.0
STOP_TIMEOUT_S = 3.0  # For the last ones, when the station stops.
LOSS_TOLD_S = 60.0  # Between two words in the log about reports that were lost.


@dataclass(frozen=True, slots=True)
class LinkMeters:
    """The meters of one link: by address, and by measuring point where the point is one meter's."""

    by_address: Mapping[str, Meter]
    by_point: Mapping[int, Meter]
    until: float

    def at(self, point: int) -> str | None:
        """Return the address of the meter at a measuring point."""
        meter = self.by_point.get(point)
        return None if meter is None else meter.address


class Reports:
    """Takes reports from the links, and stores the events and readings in them."""

    def __init__(
        self,
        *,
        meters: Meters,
        events: Events,
        readings: Readings,
        feed: Feed,
        station: str,
        zone: ZoneInfo,
        on_events: Callable[[Sequence[Event]], None] = lambda _: None,
    ) -> None:
        """`on_events` hears of events once they are stored; it must return at once."""
        self._on_events = on_events
        self._meters = meters
        self._events = events
        self._readings = readings
        self._feed = feed
        self._station = station
        self._zone = zone
        self._waiting: deque[Report] = deque()
        self._something = asyncio.Event()
        self._links: dict[str, LinkMeters] = {}
        self._worker: asyncio.Task[None] | None = None
        self._all_stored = asyncio.Event()
        self._all_stored.set()
        self.lost = 0  # Reports that found the queue full, since the start.
        self._loss_told = 0.0

    def start(self) -> None:
        """Begin to store."""
        self._worker = tasks.spawn(self._work(), name="reports")

    async def stop(self) -> None:
        """Store what waits, if the database takes it soon, and stop."""
        try:
            await asyncio.wait_for(self._all_stored.wait(), STOP_TIMEOUT_S)
        except asyncio.TimeoutError:
            log.warning("%d reports were not stored", len(self._waiting))
        await tasks.cancel(self._worker)

    async def all_stored(self) -> None:
        """Return once nothing waits any more."""
        await self._all_stored.wait()

    @property
    def waiting(self) -> int:
        """Return how many reports are not stored yet."""
        return len(self._waiting)

    def take(self, report: Report) -> None:
        """Take a report; when too many wait, the oldest is lost and counted. Never raises."""
        if len(self._waiting) >= QUEUE_MAX:
            self._waiting.popleft()
            self._lose()
        self._waiting.append(report)
        self._all_stored.clear()
        self._something.set()

    def _lose(self) -> None:
        self.lost += 1
        now = time.monotonic()
        if now - self._loss_told >= LOSS_TOLD_S:
            self._loss_told = now
            log.error("%d reports were lost since the start: too many waited", self.lost)

    async def _work(self) -> None:
        while True:
            await self._something.wait()
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_MAX))]
            if not self._waiting:
                self._something.clear()
            await self._store_surely(batch)
            if not self._waiting:
                self._all_stored.set()

    async def _store_surely(self, batch: list[Report]) -> None:
        """Store a batch, however long the database is down."""
        is_told = False
        while True:
            try:
                await self._store(batch)
            except DatabaseDown as error:
                if not is_told:
                    log.warning("%d reports wait for the database: %s", len(batch), error)
                is_told = True
                await asyncio.sleep(RETRY_S)
            except Exception:  # The border of a batch: the next reports are stored.
                log.exception("%d reports could not be stored", len(batch))
                return
            else:
                return

    async def _store(self, batch: list[Report]) -> None:
        events: list[Event] = []
        readings: list[Reading] = []
        for report in batch:
            meters = await self._meters_of(report.link)
            try:
                events += events_in(report, meters.at, self._station, self._zone)
                finder = Finder(meters.by_address, meters.by_point, report.at, self._zone)
                readings += finder.readings(report)
            except Exception:  # Whatever a device sends, the others' reports are stored.
                log.exception("a report of %s cannot be understood", report.link)
        await self._events.save_many(events)
        if readings:
            await self._readings.save(readings)
        self._announce(events, readings)
        self._on_events(events)

    async def _meters_of(self, link: str) -> LinkMeters:
        held = self._links.get(link)
        now = time.monotonic()
        if held is not None and now < held.until:
            return held
        meters = await self._meters.on_link(link)
        points = Counter(meter.point for meter in meters)
        self._links.pop(link, None)
        self._links[link] = made = LinkMeters(
            {meter.address: meter for meter in meters},
            {meter.point: meter for meter in meters if points[meter.point] == 1},
            now + METERS_KEPT_S,
        )
        while len(self._links) > LINKS_KEPT_MAX:
            del self._links[next(iter(self._links))]
        return made

    def _announce(self, events: list[Event], readings: list[Reading]) -> None:
        for event in events:
            message = {"id": event.id, "link": event.link, "meter": event.meter}
            self._feed.announce("events", {**message, "code": event.code})
        for meter, count in Counter(reading.meter for reading in readings).items():
            self._feed.announce("readings", {"meter": meter, "count": count})
