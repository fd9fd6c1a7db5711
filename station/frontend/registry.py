"""Who is online: the address of a terminal or the name of a channel to its live link.

The newest link of an address wins and the older one is closed. Every up and down is announced at
once and written to the store later, in the background: a slow or absent database delays nothing
here, and holds back no more than one state for each address.

A link that comes up again and again is flapping: it is answered as ever, but who waits for it to
come up is told only when it has stayed up for a while.
"""

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal, Protocol

from station import tasks
from station.errors import DatabaseDown, LinkDown
from station.frontend.guard import Flapping
from station.frontend.link import Bus, TerminalPort
from station.live import Feed
from station.store.objects.links import LinkState
from station.store.objects.meters import Meter
from station.store.objects.terminals import Terminal
from station.units import utc_now

log = logging.getLogger(__name__)

WRITE_PERIOD_S = 1.0  # How old the store's picture may be while the database is well.
WRITE_TIMEOUT_S = 30.0  # Then the write is given up and tried again with the newer states.
WRITE_BATCH_MAX = 1000  # Documents in one write: some 300 kB.
STOP_TIMEOUT_S = 3.0  # For the last states; the next start marks every link offline anyway.

# A scanner may log in with one made-up address after the other; the oldest of them are forgotten.
UNKNOWN_OFFLINE_MAX = 1000

Kind = Literal["terminal", "channel"]

# What goes wrong on a link that is up: an answer nobody waits for any more, one that came twice, a
# question without an answer, bytes that are no sound frame, the answer of another device.
Fault = Literal["late", "duplicate", "timeouts", "bad", "wrong_address"]


class LiveLink(Protocol):
    """A link that is up, as the registry holds it."""

    @property
    def remote(self) -> str:
        """Return the other end: host and port, or a URL."""
        ...

    def bus(self, meter: Meter) -> Bus:
        """Return the bus on which this meter answers."""
        ...

    def terminal(self) -> TerminalPort:
        """Return the terminal itself. Raises InvalidValue where there is none: on a channel."""
        ...

    def close(self, reason: str) -> None:
        """Close the link."""
        ...


class LinkStore(Protocol):
    """What the registry asks of the store; `station.store.objects.links.Links` is one."""

    async def save_many(self, states: Sequence[LinkState]) -> None:
        """Keep these states."""
        ...

    async def all_offline(self, station: str, reason: str, at: datetime) -> int:
        """Mark everything that this station had online as offline."""
        ...

    async def forget(self, address: str) -> None:
        """Remove a state."""
        ...


class Entry:
    """What is known of one address in this process; only the registry changes it."""

    __slots__ = (
        "address",
        "bad",
        "bytes_in",
        "bytes_out",
        "duplicate",
        "flapping",
        "frames_in",
        "frames_out",
        "hold_off",
        "kind",
        "last_seen",
        "late",
        "link",
        "logins",
        "protocol",
        "reason",
        "remote",
        "replaced",
        "sequence",
        "since",
        "timeouts",
        "wrong_address",
    )

    def __init__(self, address: str, kind: Kind, protocol: str, since: datetime) -> None:
        self.address = address
        self.kind: Kind = kind
        self.protocol = protocol
        self.link: LiveLink | None = None
        self.since = since
        self.last_seen: datetime | None = None
        self.remote = ""
        self.reason = ""
        self.bytes_in = 0
        self.bytes_out = 0
        self.logins = 0
        self.replaced = 0
        self.frames_in = 0
        self.frames_out = 0
        self.late = 0
        self.duplicate = 0
        self.timeouts = 0
        self.bad = 0
        self.wrong_address = 0
        self.flapping = Flapping()
        self.hold_off: asyncio.TimerHandle | None = None  # While it is taken as flapping.
        self.sequence = 0  # PFC: counts the requests to a terminal, over all its connections.

    def next_sequence(self) -> int:
        """Return the sequence number of the next request."""
        self.sequence = (self.sequence + 1) & 0xFF
        return self.sequence


class Registry:
    """All links of this station."""

    def __init__(self, feed: Feed, links: LinkStore, station: str) -> None:
        self._feed = feed
        self._links = links
        self._station = station
        self._entries: dict[str, Entry] = {}
        self._known: frozenset[str] = frozenset()
        self._terminals: dict[str, Terminal] = {}
        self._up_callbacks: list[Callable[[str], None]] = []
        self._terminal_callbacks: list[Callable[[], None]] = []
        self._unsaved: dict[str, Entry] = {}
        self._unknown_offline: dict[str, None] = {}  # In the order of their going down.
        self._forgotten: set[str] = set()
        self._past_is_offline = False
        self._database_down = False
        self._writer: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write states to the store."""
        self._writer = tasks.spawn(
            tasks.periodically(WRITE_PERIOD_S, self._write, name="link states"), name="link states"
        )

    async def stop(self) -> None:
        """Write the last states, if the database takes them soon, and end the writing."""
        await tasks.cancel(self._writer)
        try:
            await asyncio.wait_for(self._write(), STOP_TIMEOUT_S)
        except asyncio.TimeoutError:
            log.warning("the last states of %d links were not written", len(self._unsaved))

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
    def terminals(self) -> Mapping[str, Terminal]:
        """Return the terminals of the archive by address."""
        return self._terminals

    def set_terminals(self, terminals: Iterable[Terminal]) -> None:
        """Say which terminals are in the archive; all others are held, and shown as unknown."""
        self._terminals = {terminal.address: terminal for terminal in terminals}
        self.set_known(self._terminals)
        for callback in self._terminal_callbacks:
            callback()

    def when_terminals_change(self, callback: Callable[[], None]) -> None:
        """Have `callback()` called, at once, whenever `terminals` may have changed."""
        self._terminal_callbacks.append(callback)

    def set_known(self, addresses: Iterable[str]) -> None:
        """Say which terminals are known, by address alone."""
        known = frozenset(addresses)
        for address in known ^ self._known:
            entry = self._entries.get(address)
            if entry is not None:
                self._unsaved[address] = entry
                self._announce(entry, utc_now())
        self._known = known
        for address in known & self._unknown_offline.keys():
            del self._unknown_offline[address]

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
        self._forgotten.discard(address)
        self._unsaved[address] = entry
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
        self._unsaved[address] = entry
        self._announce(entry, at)
        if not self._is_known(entry):
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
        self._unsaved[entry.address] = entry

    def sent(self, entry: Entry, size: int) -> None:
        """A frame has been sent over a link."""
        entry.bytes_out += size
        entry.frames_out += 1
        self._unsaved[entry.address] = entry

    def count(self, entry: Entry, fault: Fault) -> None:
        """Something has gone wrong on a link that is up."""
        setattr(entry, fault, getattr(entry, fault) + 1)
        self._unsaved[entry.address] = entry

    # Helpers.

    def _tell_up(self, address: str) -> None:
        for callback in self._up_callbacks:
            asyncio.get_running_loop().call_soon(callback, address)

    def _stayed_up(self, entry: Entry) -> None:
        """A flapping link has been up for its hold-off."""
        entry.hold_off = None
        self._unsaved[entry.address] = entry
        self._announce(entry, utc_now())
        self._tell_up(entry.address)

    def _stop_hold_off(self, entry: Entry) -> None:
        if entry.hold_off is not None:
            entry.hold_off.cancel()
            entry.hold_off = None

    def _is_known(self, entry: Entry) -> bool:
        return entry.kind == "channel" or entry.address in self._known

    def _forget(self, address: str) -> None:
        self._stop_hold_off(self._entries.pop(address))
        self._unknown_offline.pop(address, None)
        self._unsaved.pop(address, None)
        self._forgotten.add(address)

    def _state_of(self, entry: Entry) -> LinkState:
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
            known=self._is_known(entry),
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
        )

    def _announce(self, entry: Entry, at: datetime) -> None:
        state = "offline" if entry.link is None else "online"
        message = {"address": entry.address, "state": state, "reason": entry.reason}
        self._feed.announce("links", {**message, "at": at.isoformat()})

    async def _write(self) -> None:
        """Write what has changed; what the database does not take now is tried again later."""
        try:
            await asyncio.wait_for(self._write_all(), WRITE_TIMEOUT_S)
        except (DatabaseDown, asyncio.TimeoutError) as error:
            if not self._database_down:
                log.warning("link states wait for the database: %s", error or "no answer")
            self._database_down = True
        else:
            if self._database_down:
                log.info("link states are written again")
            self._database_down = False

    async def _write_all(self) -> None:
        if not self._past_is_offline:
            await self._links.all_offline(self._station, "the station was stopped", utc_now())
            self._past_is_offline = True
        while self._forgotten:
            address = next(iter(self._forgotten))
            await self._links.forget(address)
            self._forgotten.discard(address)
        unsaved, self._unsaved = self._unsaved, {}
        try:
            while unsaved:
                batch = list(itertools.islice(unsaved.values(), WRITE_BATCH_MAX))
                await self._links.save_many([self._state_of(entry) for entry in batch])
                for entry in batch:
                    del unsaved[entry.address]
        finally:
            for address, entry in unsaved.items():
                if self._entries.get(address) is entry:
                    self._unsaved[address] = entry


def _why_down(entry: Entry | None) -> str:
    if entry is None:
        return "it has not been online since the station started"
    return f"offline since {entry.since:%Y-%m-%d %H:%M:%S} UTC ({entry.reason})"
