"""Who is online: the address of a terminal or the name of a channel to its live link.

The newest link of an address wins and the older one is closed. Every up and down is announced at
once and written to the store later, in the background: a slow or absent database delays nothing
here, and holds back no more than one state for each address.

A link that comes up again and again is flapping: it is answered as ever, but who waits for it to
come up is told only when it has stayed up for a while.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from station.errors import LinkDown
from station.frontend.entry import Entry as Entry
from station.frontend.entry import Fault, Kind, LiveLink
from station.frontend.link import Bus, TerminalPort
from station.frontend.link_writer import STOPPED, LinkStore, LinkWriter
from station.live import Feed
from station.store.objects.link_events import LinkEvent
from station.store.objects.links import NEVER_SEEN, LinkState
from station.store.objects.meters import Meter
from station.store.objects.terminals import Terminal
from station.units import utc_now

log = logging.getLogger(__name__)

WRITE_PERIOD_S = 1.0  # How old the store's picture may be while the database is well.
STOP_TIMEOUT_S = 3.0  # For the last states; the next start marks every link offline anyway.

# A scanner may log in with one made-up address after the other; the oldest of them are forgotten.
UNKNOWN_OFFLINE_MAX = 1000

# Why a link came up, in its history.
UP_REASONS: Mapping[Kind, str] = {"terminal": "logged in", "channel": "the port is open"}


class Registry:
    """All links of this station."""

    def __init__(self, feed: Feed, links: LinkStore, station: str) -> None:
        self._feed = feed
        self._station = station
        self._entries: dict[str, Entry] = {}
        self._terminals: dict[str, Terminal] = {}
        self._up_callbacks: list[Callable[[str], None]] = []
        self._terminal_callbacks: list[Callable[[], None]] = []
        self._event_callbacks: list[Callable[[LinkEvent], None]] = []
        self._unknown_offline: dict[str, None] = {}  # In the order of their going down.
        self._writer = LinkWriter(links, station, self._entries, self._state_of, self._was_online)

    def start(self) -> None:
        """Begin to write states to the store."""
        self._writer.start(WRITE_PERIOD_S)

    async def stop(self) -> None:
        """Write the last states, if the database takes them soon, and end the writing."""
        await self._writer.stop(STOP_TIMEOUT_S)

    async def flush(self) -> None:
        """Write what has changed now, if the database takes it."""
        await self._writer.flush()

    # What others ask.

    def find(self, address: str) -> LiveLink | None:
        """Return the live link of a terminal or channel, or None when it is offline."""
        entry = self._entries.get(address)
        return None if entry is None else entry.link

    def bus(self, meter: Meter) -> Bus:
        """Return the bus that leads to a meter. Raises LinkDown when its link is not up."""
        entry = self._entries.get(meter.link)
        if entry is not None and entry.link is not None:
            return entry.link.bus(meter)
        raise LinkDown(f"meter {meter.address}: link {meter.link} is down, {_why_down(entry)}")

    def terminal(self, address: str) -> TerminalPort:
        """Return a terminal to ask itself. Raises LinkDown, and InvalidValue for a channel."""
        entry = self._entries.get(address)
        if entry is not None and entry.link is not None:
            return entry.link.terminal()
        raise LinkDown(f"terminal {address}: its link is down, {_why_down(entry)}")

    def state(self, address: str) -> LinkState | None:
        """Return the state of one link, if it was ever up in this process."""
        entry = self._entries.get(address)
        return None if entry is None else self._state_of(entry)

    def states(self) -> list[LinkState]:
        """Return the state of every link, by address."""
        return [self._state_of(self._entries[address]) for address in sorted(self._entries)]

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Return what is known of each link that was up in this process, by address."""
        return self._entries

    @property
    def terminals(self) -> Mapping[str, Terminal]:
        """Return the terminals of the archive by address."""
        return self._terminals

    def is_known(self, address: str) -> bool:
        """Tell whether a link is in the archive: every channel is."""
        entry = self._entries.get(address)
        return address in self._terminals or (entry is not None and entry.kind == "channel")

    def set_terminals(self, terminals: Iterable[Terminal]) -> None:
        """Say which terminals are in the archive; all others are held, and shown as unknown."""
        wanted = {each.address: each for each in terminals}
        changed = [each for each in wanted.values() if self._terminals.get(each.address) != each]
        removed = [address for address in self._terminals if address not in wanted]
        self.change_terminals(changed, removed)

    def change_terminals(self, changed: Sequence[Terminal], removed: Sequence[str] = ()) -> None:
        """Say which terminals are new or other ones in the archive, and which are in it no more."""
        terminals = {**self._terminals, **{each.address: each for each in changed}}
        for address in removed:
            terminals.pop(address, None)
        self._terminals = terminals
        self._writer.archived([self._unseen(terminal) for terminal in changed], removed)
        for address in (*(each.address for each in changed), *removed):
            self._unknown_offline.pop(address, None)
            entry = self._entries.get(address)
            if entry is not None:
                self._writer.changed(entry)
                self._announce(entry, utc_now())
        for callback in self._terminal_callbacks:
            callback()

    def when_terminals_change(self, callback: Callable[[], None]) -> None:
        """Have `callback()` called, at once, whenever `terminals` may have changed."""
        self._terminal_callbacks.append(callback)

    def when_changed(self, callback: Callable[[LinkEvent], None]) -> None:
        """Have `callback(event)` called, at once, for every coming up and going down."""
        self._event_callbacks.append(callback)

    def when_up(self, callback: Callable[[str], None]) -> None:
        """Have `callback(address)` called, a moment later, whenever a link comes up.

        For one that is flapping that is when it has stayed up for its hold-off.
        """
        self._up_callbacks.append(callback)

    # What the links tell.

    def up(self, address: str, link: LiveLink, kind: Kind, protocol: str, at: datetime) -> Entry:
        """A link has come up, or its terminal has logged in again; return its entry."""
        entry = self._entries.get(address)
        if entry is None:
            entry = self._entries[address] = Entry(address, kind, protocol, at)
        self._unknown_offline.pop(address, None)
        self._writer.changed(entry)
        older, entry.link = entry.link, link
        entry.logins += 1
        if older is link:
            return entry
        entry.since = entry.last_seen = at
        entry.remote = link.remote
        entry.kind, entry.protocol, entry.reason = kind, protocol, ""
        if older is not None:
            entry.replaced += 1
            entry.reason = f"took the place of {older.remote}"
            log.warning("%s: %s %s", address, link.remote, entry.reason)
            older.close(f"replaced by a newer connection from {link.remote}")
        self._stop_hold_off(entry)
        hold_off_s = entry.flapping.came_up(time.monotonic())
        loop = asyncio.get_running_loop()
        if hold_off_s:
            log.info("%s: flapping; taken as up after %.0f s", address, hold_off_s)
            entry.hold_off = loop.call_later(hold_off_s, self._stayed_up, entry)
        self._announce(entry, at)
        self._tell(entry, entry.reason or UP_REASONS[kind], at)
        if not hold_off_s:
            self._tell_up(address)
        return entry

    def down(self, address: str, link: LiveLink | None, reason: str, at: datetime) -> None:
        """A link has gone down; nothing happens if it is not the one that stands here."""
        entry = self._entries.get(address)
        if entry is None or entry.link is not link:
            return
        entry.link = None
        entry.since = at
        entry.reason = reason
        self._stop_hold_off(entry)
        self._writer.changed(entry)
        self._announce(entry, at)
        self._tell(entry, reason, at)
        if not self.is_known(address):
            self._unknown_offline[address] = None
            if len(self._unknown_offline) > UNKNOWN_OFFLINE_MAX:
                self._forget(next(iter(self._unknown_offline)))

    def not_opened(self, name: str, protocol: str, remote: str, reason: str, at: datetime) -> None:
        """A channel could not be opened; show it as offline and why."""
        entry = self._entries.get(name)
        if entry is None:
            entry = self._entries[name] = Entry(name, "channel", protocol, at)
        entry.remote = remote
        if entry.reason != reason:
            self.down(name, None, reason, at)

    def remove(self, address: str) -> None:
        """Forget a link that is no longer in the archive."""
        if address in self._entries:
            self._forget(address)

    def heard(self, entry: Entry, at: datetime, size: int) -> None:
        """A frame, or other bytes, have come over a link."""
        entry.last_seen = at
        entry.bytes_in += size
        entry.frames_in += 1

    def sent(self, entry: Entry, size: int) -> None:
        """A frame has been sent over a link."""
        entry.bytes_out += size
        entry.frames_out += 1

    def beat(self, entry: Entry, at: datetime, size_in: int, size_out: int) -> None:
        """A heartbeat has come and its confirmation has been sent: `heard` and `sent` in one."""
        entry.last_seen = at
        entry.bytes_in += size_in
        entry.bytes_out += size_out
        entry.frames_in += 1
        entry.frames_out += 1

    def count(self, entry: Entry, fault: Fault) -> None:
        """Something has gone wrong on a link that is up."""
        setattr(entry, fault, getattr(entry, fault) + 1)

    # Helpers.

    def _tell_up(self, address: str) -> None:
        for callback in self._up_callbacks:
            asyncio.get_running_loop().call_soon(callback, address)

    def _stayed_up(self, entry: Entry) -> None:
        """A flapping link has been up for its hold-off."""
        entry.hold_off = None
        self._writer.changed(entry)
        self._announce(entry, utc_now())
        self._tell_up(entry.address)

    def _stop_hold_off(self, entry: Entry) -> None:
        if entry.hold_off is not None:
            entry.hold_off.cancel()
            entry.hold_off = None

    def _forget(self, address: str) -> None:
        entry = self._entries.pop(address)
        self._stop_hold_off(entry)
        self._unknown_offline.pop(address, None)
        self._writer.forgotten(entry)

    def _unseen(self, terminal: Terminal) -> LinkState:
        """Return the state of a terminal that never dialled in."""
        return LinkState(
            address=terminal.address,
            station=self._station,
            kind="terminal",
            protocol=terminal.protocol,
            state="offline",
            since=None,
            reason=NEVER_SEEN,
            name=terminal.name,
        )

    def _was_online(self, state: LinkState) -> None:
        """A link was up when the station last ended, without a word."""
        assert state.since is not None, "it was marked as offline then"
        event = LinkEvent(
            state.address, state.since, "offline", STOPPED, state.remote, self._station
        )
        for callback in self._event_callbacks:
            callback(event)

    def _tell(self, entry: Entry, reason: str, at: datetime) -> None:
        if self._event_callbacks:
            event = LinkEvent(
                address=entry.address,
                at=at,
                state="offline" if entry.link is None else "online",
                reason=reason,
                remote=entry.remote,
                station=self._station,
            )
            for callback in self._event_callbacks:
                callback(event)

    def _state_of(self, entry: Entry) -> LinkState:
        terminal = self._terminals.get(entry.address)
        return LinkState(
            address=entry.address,
            station=self._station,
            kind=entry.kind,
            protocol=entry.protocol,
            state="offline" if entry.link is None else "online",
            since=entry.since,
            last_seen=entry.last_seen,
            remote=entry.remote,
            reason=entry.reason,
            known=self.is_known(entry.address),
            bytes_in=entry.bytes_in,
            bytes_out=entry.bytes_out,
            logins=entry.logins,
            replaced=entry.replaced,
            frames_in=entry.frames_in,
            frames_out=entry.frames_out,
            late=entry.late,
            duplicate=entry.duplicate,
            timeouts=entry.timeouts,
            bad=entry.bad,
            wrong_address=entry.wrong_address,
            flapping=entry.hold_off is not None,
            name="" if terminal is None else terminal.name,
        )

    def _announce(self, entry: Entry, at: datetime) -> None:
        state = "offline" if entry.link is None else "online"
        message = {"address": entry.address, "state": state, "reason": entry.reason}
        self._feed.announce("links", {**message, "at": at.isoformat()})


def _why_down(entry: Entry | None) -> str:
    if entry is None:
        return "it has not been online since the station started"
    return f"offline since {entry.since:%Y-%m-%d %H:%M:%S} UTC ({entry.reason})"
