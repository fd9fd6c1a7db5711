"""What crossed the links: the last frames in memory, and, later, in the frame log.

Recording never waits and costs next to nothing: records are made of what is kept only when somebody
looks or when they are written. Heartbeats and their confirmations stay in memory unless the
settings say otherwise: of 15,000 terminals they would be forty million records a day, in which
nobody looks for anything. The passwords of meters are sent, and hidden in what is kept.
"""

import asyncio
import itertools
import logging
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from station import tasks
from station.errors import DatabaseDown
from station.frontend.behind import WriteBehind
from station.frontend.keys import is_heartbeat, keys_of, may_name_a_meter
from station.live import Feed
from station.protocols.describe import meter_of
from station.protocols.noise import Noise
from station.protocols.secrecy import without_passwords
from station.store.objects.frames import FrameRecord

log = logging.getLogger(__name__)

RECENT_PER_LINK = 200
RECENT_MAX = (
    100_000  # Of all links: some 50 MB. The links that were quiet longest lose theirs first.
)
# Who knocks from a new port each time is a link of its own: those quiet longest are forgotten.
RECENT_LINKS_MAX = 25_000
LATEST_MAX = 2000  # Of all links together: what the frame monitor begins with.
UNSAVED_MAX = 50_000  # Some 25 MB: twenty minutes of 10,000 terminals while the database is away.
WRITE_PERIOD_S = 0.5
STOP_TIMEOUT_S = 3.0
FRAMES_MAX = 10_000_000  # In the log: some 3 GB with their indexes.
CLEAN_PERIOD_S = 60.0
NOISE_SHOWN_MAX = 256  # Bytes of one piece of noise; the note says how many there were.
ASKED_MAX = 10_000  # Exchanges whose meter is remembered; no more can be under way at once.

HEARTBEAT = "heartbeat"  # The note of a heartbeat that its bytes do not tell: a DTU's packet.

Direction = Literal["in", "out"]


class FrameStore(Protocol):
    """What the trace asks of the store; `station.store.objects.frames.Frames` is one."""

    async def save_many(self, records: Sequence[FrameRecord]) -> None:
        """Keep these records; keeping them again changes nothing."""
        ...

    async def drop_oldest(self, kept_max: int) -> int:
        """Remove some of the oldest records if there are more than may be kept."""
        ...


class _Kept(NamedTuple):
    """What is kept of one frame; the rest is worked out when somebody looks."""

    number: int
    at: datetime
    link: str
    direction: Direction
    raw: bytes
    meter: str | None
    exchange: int | None
    note: str
    is_beat: bool


class Trace:
    """The frames of all links of this station."""

    def __init__(
        self,
        feed: Feed,
        frames: FrameStore,
        per_link: int = RECENT_PER_LINK,
        *,
        frames_max: int = FRAMES_MAX,
        log_heartbeats: bool = False,
    ) -> None:
        self._feed = feed
        self._per_link = per_link
        self._log_heartbeats = log_heartbeats
        self._recent: OrderedDict[str, deque[_Kept]] = OrderedDict()
        self._recent_count = 0
        self._latest: deque[_Kept] = deque(maxlen=LATEST_MAX)
        self._asked: dict[int, str] = {}  # Exchange to meter.
        # Both begin with the microseconds of the start: no station records as many frames as these
        # go by, so a later start has numbers of its own, and a browser still counts so far.
        start = time.time_ns() // 1000
        self._exchanges = itertools.count(start)
        self._numbers = itertools.count(start)
        self._own = secrets.token_hex(3)  # Two stations may start in one microsecond.
        self._frames = frames
        self._frames_max = frames_max
        self._cleaner: asyncio.Task[None] | None = None
        self._log: WriteBehind[_Kept] = WriteBehind(
            "frames", self._save, UNSAVED_MAX, WRITE_PERIOD_S
        )

    @property
    def dropped_total(self) -> int:
        """Return how many frames the log has missed since the start."""
        return self._log.dropped_total

    def start(self) -> None:
        """Begin to write records to the store, and to keep their number within its bound."""
        self._log.start()
        work = tasks.periodically(CLEAN_PERIOD_S, self._drop_oldest, name="old frames")
        self._cleaner = tasks.spawn(work, name="old frames")

    async def stop(self) -> None:
        """Write what waits, if the database takes it soon, and end the writing."""
        await tasks.cancel(self._cleaner)
        await self._log.stop(STOP_TIMEOUT_S)

    async def flush(self) -> None:
        """Write what waits now, if the database takes it."""
        await self._log.flush()

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
        """Keep one frame.

        When `meter` is not given it is the one that was asked in this exchange, or else one that
        the frame itself names.
        """
        if exchange is not None:
            meter = self._meter_asked(exchange, meter, direction)
        if meter is None and may_name_a_meter(raw):
            meter = meter_of(raw)
        raw = without_passwords(raw)
        records = self._records_of(link)
        if exchange is not None:
            is_beat = False
        elif direction == "in":
            is_beat = is_heartbeat(raw) or note == HEARTBEAT
        else:  # The confirmation right behind a heartbeat.
            is_beat = bool(records) and records[-1].is_beat and records[-1].direction == "in"
        number = next(self._numbers)
        self._keep(records, _Kept(number, at, link, direction, raw, meter, exchange, note, is_beat))

    def record_beat(self, link: str, raw: bytes, reply: bytes, at: datetime) -> None:
        """Keep a heartbeat and its confirmation, as `record` does in three times the time."""
        records = self._records_of(link)
        for direction, frame in (("in", raw), ("out", reply)):
            values = (next(self._numbers), at, link, direction, frame, None, None, "", True)
            self._keep(records, tuple.__new__(_Kept, values))  # Half the time of _Kept's own.

    def record_noise(self, link: str, noise: Noise, at: datetime) -> None:
        """Keep bytes that came in and are no frame."""
        shown = without_passwords(noise.data)[:NOISE_SHOWN_MAX]
        note = f"noise, {len(noise.data)} bytes: {noise.reason}"
        number = next(self._numbers)
        kept = _Kept(number, at, link, "in", shown, None, None, note, is_beat=False)
        self._keep(self._records_of(link), kept)

    def recent(self, link: str | None = None, limit: int = 100) -> list[FrameRecord]:
        """Return the last frames of one link or of all, newest first."""
        return [self._record_of(kept) for kept in itertools.islice(self._newest(link), limit)]

    def unlogged(self, link: str | None = None, limit: int = 100) -> list[FrameRecord]:
        """Return those of the last frames that the log will not hold, newest first."""
        beats = (kept for kept in self._newest(link) if kept.is_beat and not self._log_heartbeats)
        return [self._record_of(kept) for kept in itertools.islice(beats, limit)]

    # Helpers.

    def _newest(self, link: str | None) -> Iterable[_Kept]:
        return reversed(self._latest if link is None else self._recent.get(link, deque()))

    def _meter_asked(self, exchange: int, meter: str | None, direction: Direction) -> str | None:
        """Remember whom an exchange is with when it begins; return it when an answer comes."""
        if direction == "in":
            return meter or self._asked.get(exchange)
        if meter is not None:
            self._asked[exchange] = meter
            if len(self._asked) > ASKED_MAX:
                del self._asked[next(iter(self._asked))]
        return meter

    def _records_of(self, link: str) -> deque[_Kept]:
        """Return what is kept of a link, which has something to say now."""
        records = self._recent.get(link)
        if records is None:
            if len(self._recent) >= RECENT_LINKS_MAX:
                _, forgotten = self._recent.popitem(last=False)
                self._recent_count -= len(forgotten)
            records = self._recent[link] = deque(maxlen=self._per_link)
        else:
            self._recent.move_to_end(link)
        return records

    def _keep(self, records: deque[_Kept], kept: _Kept) -> None:
        self._latest.append(kept)
        if len(records) < self._per_link:
            self._recent_count += 1
        records.append(kept)
        if self._recent_count > RECENT_MAX:
            self._forget_oldest()
        if self._log_heartbeats or not kept.is_beat:
            self._log.put(kept)
        if self._feed.has_listeners("frames"):
            self._announce(kept)

    def _forget_oldest(self) -> None:
        link, records = next(iter(self._recent.items()))
        records.popleft()
        self._recent_count -= 1
        if not records:
            del self._recent[link]

    def _announce(self, kept: _Kept) -> None:
        self._feed.announce(
            "frames",
            {
                "at": kept.at.isoformat(),
                "link": kept.link,
                "direction": kept.direction,
                "hex": kept.raw.hex().upper(),
                "meter": kept.meter,
                "note": kept.note,
            },
        )

    async def _drop_oldest(self) -> None:
        try:
            while await self._frames.drop_oldest(self._frames_max):
                pass
        except DatabaseDown as error:
            log.debug("old frames stay for now: %s", error)

    async def _save(self, batch: Sequence[_Kept]) -> None:
        await self._frames.save_many([self._record_of(kept) for kept in batch])

    def _record_of(self, kept: _Kept) -> FrameRecord:
        protocol, functions = keys_of(kept.raw)
        return FrameRecord(
            at=kept.at,
            link=kept.link,
            direction=kept.direction,
            raw=kept.raw,
            meter=kept.meter,
            exchange=kept.exchange,
            note=kept.note,
            protocol=protocol,
            functions=functions,
            id=f"{kept.number:014x}{self._own}",
        )
