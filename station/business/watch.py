"""What the station notices by itself: which links are down, who said that power goes, who fails.

A link counts as down when it has been for a while, so that a terminal that dials in again is no
alarm; after a start of the station each gets that while anew. One that was never up is not missed.
Only what is active in the archive is missed at all.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from station.business.alarm_kinds import KIND_BY_KEY, POWER_OFF, SILENT, UNREAD, kind_of
from station.business.causes import Picture, Seat, Subject
from station.frontend.link_writer import STOPPED
from station.frontend.registry import Registry
from station.store.database import Database
from station.store.objects.alarms import Alarm
from station.store.objects.events import Event
from station.store.objects.link_events import LinkEvent
from station.store.objects.places import PlaceTree
from station.store.objects.stages import ACTIVE
from station.units import utc_now

LINKS_MAX = 200_000  # Twice what one front-end can be configured to hold.
METERS_MAX = 1_000_000
TOLD_MAX = 20_000  # Events that are looked through at a start: one from each terminal.
TOLD_KEPT = timedelta(days=3)  # What a device told of itself holds no longer than that.
ARCHIVE_AGE = timedelta(seconds=30)  # How late a change of the archive is noticed here.


class Watch:
    """Keeps what it hears, and makes a picture of it."""

    def __init__(
        self, database: Database, registry: Registry, *, dead_after: int, silent_after: timedelta
    ) -> None:
        """A meter fails after so many runs in a row without an answer, a link after a while."""
        self._database = database
        self._registry = registry
        self._dead_after = dead_after
        self._silent_after = silent_after
        self._started_at = utc_now()
        self._seen: set[str] = set()  # Links that were ever up.
        self._down: dict[str, datetime] = {}
        self._dark_links: dict[str, datetime] = {}
        self._dark_meters: dict[str, datetime] = {}
        self._unread: frozenset[str] = frozenset()  # As collection found them.
        self._told_unread: dict[str, datetime] = {}  # As their terminals told it.
        self._meters: Mapping[str, Seat] = {}
        self._tree = PlaceTree(())
        self._looked_at: datetime | None = None
        self._links: dict[str, Seat] | None = None  # What is to be heard; None: look again.
        registry.when_changed(self.note_link)
        registry.when_terminals_change(self._forget_links)

    async def load(self) -> None:
        """Learn what was so before this start. Raises DatabaseDown."""
        links = self._database.links
        states, _ = await links.list(known=True, limit=LINKS_MAX)
        for state in states:
            if state.since is not None:
                self._seen.add(state.address)
            if state.state == "offline" and state.since is not None:
                since = self._started_at if state.reason == STOPPED else state.since
                self._down.setdefault(state.address, since)
        for address, entry in self._registry.entries.items():
            if entry.link is not None:
                self._down.pop(address, None)
        events, _ = await self._database.events.list(
            codes=[*KIND_BY_KEY[POWER_OFF].codes, *KIND_BY_KEY[UNREAD].codes],
            since=self._started_at - TOLD_KEPT,
            limit=TOLD_MAX,
        )
        for event in reversed(events):
            self.note_told(event)

    def note_link(self, event: LinkEvent) -> None:
        """A link came up or went down."""
        if event.address not in self._seen:
            self._seen.add(event.address)
            self._forget_links()
        if event.state == "offline":
            self._down[event.address] = event.at
            return
        self._down.pop(event.address, None)
        told_at = self._dark_links.get(event.address)
        if told_at is not None and told_at < event.at:
            del self._dark_links[event.address]

    def note_told(self, event: Event) -> None:
        """A device said that its power goes, or its terminal that it does not answer; or an end."""
        told = self._told_in(event)
        if told is None:
            return
        key = event.meter or event.link
        if event.over:
            told.pop(key, None)
        elif not self._has_come_up_since(event.link, event.received_at):
            told[key] = event.received_at
            if event.meter is not None and event.meter not in self._meters:
                self._looked_at = None  # The next picture has to know where it hangs.

    def may_forget(self, alarm: Alarm) -> bool:
        """Tell whether an alarm stands on nothing but what devices told."""
        own = alarm.kind == UNREAD and not self._unread.isdisjoint(alarm.members)
        return alarm.kind != SILENT and not own

    def forget(self, alarm: Alarm) -> None:
        """Somebody says that what devices told is over."""
        devices = {*alarm.members}
        devices.update(meter for meter, seat in self._meters.items() if seat.link in devices)
        for told in (self._dark_links, self._dark_meters, self._told_unread):
            for device in devices.intersection(told):
                del told[device]

    def _told_in(self, event: Event) -> dict[str, datetime] | None:
        kind = kind_of(event.code)
        if kind is None or kind.key not in (POWER_OFF, UNREAD):
            return None
        if kind.key == POWER_OFF:
            return self._dark_links if event.meter is None else self._dark_meters
        return None if event.meter is None else self._told_unread

    def reason(self, link: str) -> str:
        """Return why a link is down, in a sentence."""
        state = self._registry.state(link)
        return "" if state is None else state.reason

    async def picture(self, standing: Collection[Subject], now: datetime) -> Picture:
        """Return the site as it is. Raises DatabaseDown."""
        if self._links is None:
            self._links = self._links_to_hear()
        down = {
            address
            for address, since in self._down.items()
            if now - since >= self._silent_after and address in self._links
        }
        if self._looked_at is None or now - self._looked_at >= ARCHIVE_AGE:
            await self._look_at_meters(now)
        return Picture(
            self._links,
            down,
            frozenset(self._dark_links),
            self._meters,
            frozenset(self._dark_meters),
            self._unread | self._told_unread.keys(),
            self._tree,
            standing,
        )

    def _links_to_hear(self) -> dict[str, Seat]:
        links = {
            address: Seat(address, terminal.place)
            for address, terminal in self._registry.terminals.items()
            if terminal.stage == ACTIVE and address in self._seen
        }
        for address, entry in self._registry.entries.items():
            if entry.kind == "channel":
                links[address] = Seat(address)
        return links

    def _forget_links(self) -> None:
        self._links = None

    def seat_of(self, meter: str) -> Seat | None:
        """Return where a meter hangs that was in the last picture."""
        return self._meters.get(meter)

    @property
    def tree(self) -> PlaceTree:
        """Return the places of the last picture."""
        return self._tree

    async def _look_at_meters(self, now: datetime) -> None:
        failing, _ = await self._database.meter_health.failing(self._dead_after, limit=METERS_MAX)
        self._unread = frozenset(health.meter for health in failing)
        for told in (self._dark_meters, self._told_unread):
            heard = await self._database.meter_health.heard([*told])
            for meter, at in heard.items():
                if meter in told and at > told[meter]:
                    del told[meter]
        for told in (self._dark_links, self._dark_meters, self._told_unread):
            for device in [each for each, at in told.items() if now - at > TOLD_KEPT]:
                del told[device]
        self._tree = await self._database.places.tree()
        self._meters = await self._seats() if self._of_meters else {}
        self._looked_at = now

    @property
    def _of_meters(self) -> bool:
        """Whether anything is wrong with a meter."""
        return bool(self._unread or self._dark_meters or self._told_unread)

    async def _seats(self) -> dict[str, Seat]:
        """Return where every meter hangs that is to be heard."""
        seats: dict[str, Seat] = {}
        last, page = "", 10_000
        while True:
            spots = await self._database.meters.spots(last, page)
            for spot in spots:
                if spot.stage == ACTIVE:
                    seats[spot.address] = Seat(spot.link, spot.place or self._place_of(spot.link))
            if len(spots) < page:
                return seats
            last = spots[-1].address

    def _place_of(self, link: str) -> str:
        terminal = self._registry.terminals.get(link)
        return "" if terminal is None else terminal.place

    def _has_come_up_since(self, link: str, at: datetime) -> bool:
        entry = self._registry.entries.get(link)
        return entry is not None and entry.link is not None and entry.since > at
