"""What crossed the links: the last frames in memory, and all of them, later, in the frame log.

Recording never waits. Records go to the store in the background; while the database is away they
are held up to a limit, and beyond it the oldest are dropped, counted and told in the log.
"""

import asyncio
import itertools
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol

from station import tasks
from station.errors import DatabaseDown
from station.live import Feed
from station.protocols.describe import meter_of
from station.protocols.noise import Noise
from station.store.objects.frames import FrameRecord

log = logging.getLogger(__name__)

RECENT_PER_LINK = 200
RECENT_MAX = (
    100_000  # Of all links: some 50 MB. The links that were quiet longest lose theirs first.
)
LATEST_MAX = 2000  # Of all links together: what the frame monitor begins with.
UNSAVED_MAX = 50_000  # Some 25 MB: twenty minutes of 10,000 terminals while the database is away.
WRITE_PERIOD_S = 0.5
WRITE_BATCH_MAX = 1000
WRITE_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 3.0
NOISE_SHOWN_MAX = 256  # Bytes of one piece of noise; the note says how many there were.

Direction = Literal["in", "out"]

_START = b"\x68"  # At byte 5 of a frame of 1376.1, at byte 7 of one of 645.
_FORWARDING = b"\x10"  # AFN of 1376.1 at byte 12: the only one whose frames hold a meter's.


class FrameStore(Protocol):
    """What the trace asks of the store; `station.store.objects.frames.Frames` is one."""

    async def save_many(self, records: Sequence[FrameRecord]) -> None:
        """Keep these records; keeping them again changes nothing."""
        ...


class Trace:
    """The frames of all links of this station."""

    def __init__(self, feed: Feed, frames: FrameStore, per_link: int = RECENT_PER_LINK) -> None:
        self._feed = feed
        self._frames = frames
        self._per_link = per_link
        self._recent: OrderedDict[str, deque[FrameRecord]] = OrderedDict()
        self._recent_count = 0
        self._latest: deque[FrameRecord] = deque(maxlen=LATEST_MAX)
        self._unsaved: deque[FrameRecord] = deque()
        self._dropped = 0  # Since the database went away.
        self._database_down = False
        self._writer: asyncio.Task[None] | None = None
        # Begins with the microseconds of the start: no station makes as many exchanges as these
        # go by, so a later start has numbers of its own, and a browser still counts so far.
        self._exchanges = itertools.count(time.time_ns() // 1000)
        self.dropped_total = 0

    def start(self) -> None:
        """Begin to write records to the store."""
        self._writer = tasks.spawn(
            tasks.periodically(WRITE_PERIOD_S, self._write, name="frame log"), name="frame log"
        )

    async def stop(self) -> None:
        """Write what waits, if the database takes it soon, and end the writing."""
        await tasks.cancel(self._writer)
        try:
            await asyncio.wait_for(self._write(), STOP_TIMEOUT_S)
        except asyncio.TimeoutError:
            log.warning("%d frames were not written to the frame log", len(self._unsaved))

    def new_exchange(self) -> int:
        """Return the number of a new exchange."""
        return next(self._exchanges)

    def record(
        self,
        link: str,
        direction: Direction,
        raw: bytes,
        at: datetime,
        meter: str | None = None,
        exchange: int | None = None,
        note: str = "",
    ) -> None:
        """Keep one frame; `meter` is found in it when it is not given."""
        if meter is None:
            meter = _meter_in(raw)
        self._keep(FrameRecord(at, link, direction, raw, meter, exchange, note))

    def record_noise(self, link: str, noise: Noise, at: datetime) -> None:
        """Keep bytes that came in and are no frame."""
        shown = noise.data[:NOISE_SHOWN_MAX]
        note = f"noise, {len(noise.data)} bytes: {noise.reason}"
        self._keep(FrameRecord(at, link, "in", shown, None, None, note))

    def recent(self, link: str | None = None, limit: int = 100) -> list[FrameRecord]:
        """Return the last frames of one link or of all, newest first."""
        records = self._latest if link is None else self._recent.get(link, ())
        return list(itertools.islice(reversed(records), limit))

    def _keep(self, record: FrameRecord) -> None:
        self._keep_recent(record)
        self._unsaved.append(record)
        while len(self._unsaved) > UNSAVED_MAX:
            self._unsaved.popleft()
            self._dropped += 1
            self.dropped_total += 1
        self._feed.announce(
            "frames",
            {
                "at": record.at.isoformat(),
                "link": record.link,
                "direction": record.direction,
                "hex": record.raw.hex().upper(),
                "meter": record.meter,
                "note": record.note,
            },
        )

    def _keep_recent(self, record: FrameRecord) -> None:
        self._latest.append(record)
        records = self._recent.get(record.link)
        if records is None:
            records = self._recent[record.link] = deque(maxlen=self._per_link)
        else:
            self._recent.move_to_end(record.link)
        if len(records) < self._per_link:
            self._recent_count += 1
        records.append(record)
        if self._recent_count > RECENT_MAX:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        link, records = next(iter(self._recent.items()))
        records.popleft()
        self._recent_count -= 1
        if not records:
            del self._recent[link]

    async def _write(self) -> None:
        """Write what waits; what the database does not take now is tried again later."""
        try:
            while self._unsaved:
                await asyncio.wait_for(self._write_batch(), WRITE_TIMEOUT_S)
        except (DatabaseDown, asyncio.TimeoutError) as error:
            if not self._database_down:
                log.warning("frames wait for the database: %s", error or "no answer")
            self._database_down = True
            return
        if self._database_down:
            log.info("frames are written again; %d were dropped meanwhile", self._dropped)
        self._database_down = False
        self._dropped = 0

    async def _write_batch(self) -> None:
        batch = [self._unsaved.popleft() for _ in range(min(len(self._unsaved), WRITE_BATCH_MAX))]
        try:
            await self._frames.save_many(batch)
        except BaseException:
            self._unsaved.extendleft(reversed(batch))
            raise


def _meter_in(raw: bytes) -> str | None:
    """Return the meter a frame speaks of; a terminal's own frames are told at a glance."""
    if raw[5:6] == _START != raw[7:8] and raw[12:13] != _FORWARDING:
        return None
    return meter_of(raw)
