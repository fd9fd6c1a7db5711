"""Alarms: raised by what the station notices and by what devices tell, one for each cause.

What lasts (a silent link, a power-off, an unread meter) is looked at every few seconds: an alarm
is raised when a cause appears, and cleared when it has gone or is part of a wider one. What a
device tells once is an alarm until a person clears it, or the device tells its end; told again it
is counted. Everything is in the store, and can be done again after a kill: an event is counted
once, and a cause has one alarm.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from station import tasks
from station.business.alarm_acts import (
    acknowledged,
    assigned,
    cleared,
    cleared_by_hand,
    commented,
    muted,
)
from station.business.alarm_kinds import POWER_OFF, SILENT, UNREAD, AlarmKind, kind_of
from station.business.alarm_records import (
    detail_of,
    key_of,
    of_cause,
    of_event,
    told_again,
)
from station.business.causes import Cause, Subject, causes
from station.business.watch import Watch
from station.errors import DatabaseDown
from station.frontend.registry import Registry
from station.live import Feed
from station.store.database import Database
from station.store.objects.alarm_rules import MessageAct
from station.store.objects.alarms import MEMBERS_MAX, Alarm
from station.store.objects.events import Event
from station.store.objects.meters import Meter
from station.units import utc_now

log = logging.getLogger(__name__)

PERIOD_S = 5.0  # How late a cause is noticed after its while.
EVENTS_WAITING_MAX = 20_000  # As many as wait in `collector.reports`.
BATCH_MAX = 200  # Events taken at once; a person's act waits for no more than these.
RAISED_MAX = 1000  # In one look; the rest comes with the next.
RETRY_S = 2.0
REPLAY_MAX = timedelta(days=1)  # What was told while the station stood still for longer is history.
REPLAY_OVERLAP = timedelta(minutes=1)  # An event is stored a moment after it is received.

OVER = "it is over"
PART_OF_WIDER = "part of a wider alarm now"
DEVICE_SAYS_OVER = "the device says that it is over"


class Teller(Protocol):
    """Who tells people of alarms; `station.business.outbox.Outbox` is one."""

    async def put(self, alarms: Sequence[Alarm], act: MessageAct) -> None:
        """Have these told to whom the rules name; telling one again changes nothing."""
        ...


class Alarms:
    """The alarms of this station."""

    def __init__(
        self,
        database: Database,
        watch: Watch,
        registry: Registry,
        feed: Feed,
        teller: Teller,
        station: str,
    ) -> None:
        self._database = database
        self._alarms = database.alarms
        self._watch = watch
        self._registry = registry
        self._feed = feed
        self._teller = teller
        self._station = station
        self._waiting: deque[Event] = deque(maxlen=EVENTS_WAITING_MAX)
        self._something = asyncio.Event()
        self._acting = asyncio.Lock()
        self._worker: asyncio.Task[None] | None = None
        self._mark: datetime | None = None

    def start(self) -> None:
        """Begin to look."""
        self._worker = tasks.spawn(self._work(), name="alarms")

    async def stop(self) -> None:
        """Look no more; events that wait are taken up at the next start."""
        await tasks.cancel(self._worker)

    def take(self, events: Sequence[Event]) -> None:
        """Take what devices told. Never raises."""
        self._waiting.extend(events)
        if events:
            self._something.set()

    # What people do.

    async def acknowledge(self, alarm_id: str, by: str, comment: str = "") -> Alarm:
        """Note that somebody takes care of it. Raises NotFound, and Conflict unless it is open."""
        return await self._act(alarm_id, lambda alarm, now: acknowledged(alarm, now, by, comment))

    async def assign(self, alarm_id: str, by: str, to: str, comment: str = "") -> Alarm:
        """Give it to a person to see to, or to nobody. Raises NotFound, Conflict when cleared."""
        return await self._act(alarm_id, lambda alarm, now: assigned(alarm, now, by, to, comment))

    async def comment(self, alarm_id: str, by: str, comment: str) -> Alarm:
        """Add a comment, also to a cleared one. Raises NotFound."""
        return await self._act(alarm_id, lambda alarm, now: commented(alarm, now, by, comment))

    async def mute(
        self, alarm_id: str, by: str, until: datetime | None, comment: str = ""
    ) -> Alarm:
        """Have nothing sent of this cause until a moment; None ends that.

        What is raised of the same cause meanwhile is muted, too. Raises NotFound and Conflict.
        """
        return await self._act(alarm_id, lambda alarm, now: muted(alarm, now, by, until, comment))

    async def clear(self, alarm_id: str, by: str, comment: str = "") -> Alarm:
        """Note that nobody has to care any more. Raises NotFound, and Conflict while it goes on."""

        def act(alarm: Alarm, now: datetime) -> Alarm:
            may_forget = self._watch.may_forget(alarm)
            return cleared_by_hand(alarm, now, by, comment, may_forget=may_forget)

        alarm = await self._act(alarm_id, act)
        self._watch.forget(alarm)
        await self._teller.put([alarm], "cleared")
        return alarm

    async def _act(self, alarm_id: str, change: Callable[[Alarm, datetime], Alarm]) -> Alarm:
        async with self._acting:
            before = await self._alarms.get(alarm_id)
            after = await self._alarms.advance(before, change(before, utc_now()))
        self._announce(after)
        return after

    # The work.

    async def _work(self) -> None:
        await self._surely(self._begin)
        while True:
            await self._surely(self._take_events)
            await self._surely(self.look)
            try:
                await asyncio.wait_for(self._something.wait(), PERIOD_S)
            except asyncio.TimeoutError:
                continue

    async def _surely(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it, however long the database is down; other failures are logged and left."""
        is_told = False
        while True:
            try:
                return await work()
            except DatabaseDown as error:
                if not is_told:
                    log.warning("alarms wait for the database: %s", error)
                is_told = True
                await asyncio.sleep(RETRY_S)
            except Exception:  # The border of a tick.
                log.exception("alarms could not be brought up to date")
                return None

    async def _begin(self) -> None:
        """Take up what was told but not looked at, or raised but not told, before this start."""
        now = utc_now()
        await self._watch.load()
        mark = await self._database.settings.get(self._mark_key)
        if mark is not None:
            since = max(mark - REPLAY_OVERLAP, now - REPLAY_MAX)
            missed, _ = await self._database.events.list(
                since=since, until=now, limit=EVENTS_WAITING_MAX
            )
            self._waiting.extendleft(missed)  # The newest first, so they end up in order.
        raised = await self._alarms.raised_since(self._station, now - REPLAY_MAX, RAISED_MAX)
        await self._teller.put(raised, "raised")
        await self._set_mark(mark or now)

    @property
    def _mark_key(self) -> str:
        return f"alarms_looked_at {self._station}"

    async def _set_mark(self, at: datetime) -> None:
        if self._mark is None or at > self._mark:
            await self._database.settings.set(self._mark_key, at)
            self._mark = at

    async def all_taken(self) -> None:
        """Take every event that waits, and look once. Raises DatabaseDown."""
        await self._take_events()
        await self.look()

    # What devices tell.

    async def _take_events(self) -> None:
        self._something.clear()
        while self._waiting:
            batch = [self._waiting[place] for place in range(min(len(self._waiting), BATCH_MAX))]
            async with self._acting:
                await self._take_batch(batch)
            await self._set_mark(batch[-1].received_at)
            for _ in batch:
                self._waiting.popleft()

    async def _take_batch(self, batch: Sequence[Event]) -> None:
        by_cause: dict[str, list[Event]] = {}
        for event in batch:
            kind = kind_of(event.code)
            if kind is None:
                continue
            if kind.key in (POWER_OFF, UNREAD):
                self._watch.note_told(event)
            else:
                by_cause.setdefault(key_of(kind, event), []).append(event)
        latest = await self._alarms.latest(self._station, [*by_cause])
        found = await self._database.meters.many(
            [*{event.meter for events in by_cause.values() for event in events if event.meter}]
        )
        meters = {meter.address: meter for meter in found}
        new: list[Alarm] = []
        changed: list[tuple[Alarm, Alarm]] = []
        for cause, events in by_cause.items():
            before, after = self._taken(events, latest.get(cause), meters)
            if before is not None and after is not None and after != before:
                changed.append((before, after))
            elif before is None and after is not None and after.stands:
                new.append(after)
        await self._change(changed)
        await self._raise(new)

    def _taken(
        self, events: list[Event], latest: Alarm | None, meters: Mapping[str, Meter]
    ) -> tuple[Alarm | None, Alarm | None]:
        """Return the alarm of one cause that stood, and what becomes of it or is to be raised.

        `latest` is the newest alarm of the cause. What is told and over at once raises none. What
        is told again after its end, in the same moment, takes up the same alarm.
        """
        known = () if latest is None else latest.events
        muted_until = None if latest is None else latest.muted_until
        before = latest if latest is not None and latest.stands else None
        alarm = before
        over = False
        for event in events:
            kind = kind_of(event.code)
            assert kind is not None, "it has a cause"
            if event.id in known:
                continue
            over = kind.passes and event.over
            if alarm is not None:
                alarm = told_again(alarm, event)
            elif not over:
                alarm = self._of_event(kind, event, meters, muted_until)
        if alarm is not None and over:
            alarm = cleared(alarm, alarm.last_at, "", DEVICE_SAYS_OVER)
        return before, alarm

    async def _change(self, changed: Sequence[tuple[Alarm, Alarm]]) -> None:
        """Write what alarms have become, and tell of those that are cleared."""
        await self._alarms.advance_all(changed)
        for _, alarm in changed:
            self._announce(alarm)
        over = [after for _, after in changed if not after.stands]
        await self._teller.put(over, "cleared")

    async def _raise(self, new: Sequence[Alarm]) -> None:
        for start in range(0, len(new), BATCH_MAX):
            raised = await self._alarms.raise_all(new[start : start + BATCH_MAX])
            for alarm in raised:
                self._announce(alarm)
            await self._teller.put(raised, "raised")

    def _of_event(
        self,
        kind: AlarmKind,
        event: Event,
        meters: Mapping[str, Meter],
        muted_until: datetime | None,
    ) -> Alarm:
        terminal = self._registry.terminals.get(event.link)
        place, name = ("", "") if terminal is None else (terminal.place, terminal.name)
        if event.meter is not None:
            meter = meters.get(event.meter)
            place, name = (place, "") if meter is None else (meter.place or place, meter.name)
        return of_event(kind, event, name, place, muted_until, self._station)

    # What the station notices.

    async def look(self) -> None:
        """Raise and clear what lasts. Raises DatabaseDown."""
        async with self._acting:
            now = utc_now()
            lasting = {alarm.cause: alarm for alarm in await self._alarms.lasting(self._station)}
            standing: set[Subject] = {
                (alarm.kind, alarm.scope, alarm.subject) for alarm in lasting.values()
            }
            picture = await self._watch.picture(standing, now)
            if not standing and picture.is_well:
                return
            loop = asyncio.get_running_loop()
            made = await loop.run_in_executor(None, causes, picture)  # The links go on meanwhile.
            found = {cause.key: cause for cause in made}
            await self._clear_gone(lasting, found, now)
            await self._change(
                [
                    (alarm, after)
                    for key, alarm in lasting.items()
                    if key in found and (after := self._up_to_date(alarm, found[key], now)) != alarm
                ]
            )
            new = [cause for key, cause in found.items() if key not in lasting]
            await self._raise_all(new[:RAISED_MAX], now)

    async def _clear_gone(
        self, lasting: dict[str, Alarm], found: dict[str, Cause], now: datetime
    ) -> None:
        explained = {device for cause in found.values() for device in cause.members}
        over: list[tuple[Alarm, Alarm]] = []
        part: list[tuple[Alarm, Alarm]] = []
        for key, alarm in lasting.items():
            if key in found:
                continue
            is_part = explained.issuperset(alarm.members)
            after = cleared(alarm, now, "", PART_OF_WIDER if is_part else OVER)
            (part if is_part else over).append((alarm, after))
        for start in range(0, len(part), BATCH_MAX):
            batch = part[start : start + BATCH_MAX]
            await self._alarms.advance_all(batch)  # Nobody is told: the trouble goes on.
            for _, alarm in batch:
                self._announce(alarm)
        for start in range(0, len(over), BATCH_MAX):
            await self._change(over[start : start + BATCH_MAX])

    def _up_to_date(self, alarm: Alarm, cause: Cause, now: datetime) -> Alarm:
        """Return the alarm of a cause that goes on, with the devices that it has now."""
        members, detail = cause.members[:MEMBERS_MAX], self._detail(cause)
        if alarm.scope == "meter" or (alarm.members, alarm.detail) == (members, detail):
            return alarm
        return replace(
            alarm,
            revision=alarm.revision + 1,
            members=members,
            members_all=len(cause.members),
            detail=detail,
            last_at=now,
        )

    async def _raise_all(self, new: Sequence[Cause], now: datetime) -> None:
        meters = [cause.subject for cause in new if cause.scope == "meter"]
        names = {meter.address: meter.name for meter in await self._database.meters.many(meters)}
        latest = await self._alarms.latest(self._station, [cause.key for cause in new])
        await self._raise(
            [
                self._of_cause(cause, names, known.muted_until if known else None, now)
                for cause in new
                for known in [latest.get(cause.key)]
            ]
        )

    def _of_cause(
        self, cause: Cause, names: dict[str, str], muted_until: datetime | None, now: datetime
    ) -> Alarm:
        link = name = place = ""
        if cause.scope == "meter":
            seat = self._watch.seat_of(cause.subject)
            link, place = ("", "") if seat is None else (seat.link, seat.place)
            name = names.get(cause.subject, "")
        elif cause.scope == "link":
            terminal = self._registry.terminals.get(cause.subject)
            link = cause.subject
            name, place = ("", "") if terminal is None else (terminal.name, terminal.place)
        elif cause.scope == "place":
            place, name = cause.subject, self._watch.tree.path_text(cause.subject)
        detail = self._detail(cause)
        alarm = of_cause(cause, detail, now, muted_until, self._station)
        return replace(alarm, name=name, link=link, place=place)

    def _detail(self, cause: Cause) -> str:
        is_link = cause.kind == SILENT and cause.scope == "link"
        return self._watch.reason(cause.subject) if is_link else detail_of(cause)

    def _announce(self, alarm: Alarm) -> None:
        message = {"id": alarm.id, "kind": alarm.kind, "severity": alarm.severity}
        self._feed.announce("alarms", {**message, "state": alarm.state, "place": alarm.place})
