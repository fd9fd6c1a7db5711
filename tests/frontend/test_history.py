"""What became of the links, and what went over them, in a real database."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from frontend_peers import NOW, TERMINAL, AbsentStore, soon

from station.errors import Conflict, DatabaseDown, InvalidValue, NotFound
from station.frontend import history as frontend_history
from station.frontend.blocking import Blocking
from station.frontend.guard import Guard
from station.frontend.history import History
from station.frontend.registry import Registry
from station.frontend.traffic import TrafficLog
from station.live import Feed
from station.store.database import Database
from station.store.objects.blocks import Block
from station.store.objects.links import LinkState
from station.store.objects.terminals import Terminal
from station.store.objects.traffic import Counts
from station.units import utc_now

DAY = date(2026, 3, 1)
NOON = datetime(2026, 3, 1, 4, tzinfo=NOW.tzinfo)  # In the zone of the tests, UTC+8.


class StandIn:
    """A link that does nothing but be there."""

    def __init__(self, remote: str = "192.0.2.1:50000") -> None:
        self.remote = remote
        self.closed: str | None = None

    def bus(self, _meter: Any) -> Any:
        return self

    def terminal(self) -> Any:
        return self

    def close(self, reason: str) -> None:
        self.closed = reason


@dataclass
class Clock:
    """A clock that is set by hand."""

    at: datetime = NOON

    def __call__(self) -> datetime:
        return self.at


def registry_of(links: Any = None, *known: str) -> Registry:
    registry = Registry(Feed(), links or AbsentStore(), "station-1")
    registry.set_terminals([Terminal(address, "") for address in known])
    return registry


def up(registry: Registry, address: str = TERMINAL, remote: str = "192.0.2.1:50000") -> StandIn:
    link = StandIn(remote)
    registry.up(address, link, "terminal", "qgdw1376", utc_now())
    return link


async def told(database: Database, address: str = TERMINAL) -> list[tuple[str, str]]:
    events, total = await database.link_events.list(address)
    assert total == len(events)
    return [(event.state, event.reason) for event in events]


async def test_every_up_and_down_is_kept_with_its_reason(database: Database) -> None:
    registry = registry_of(None, TERMINAL)
    history = History(registry, database.link_events)
    first, second = up(registry), up(registry, remote="192.0.2.2:50000")
    registry.down(TERMINAL, first, "it is not the one that stands here", utc_now())
    registry.up(TERMINAL, second, "terminal", "qgdw1376", utc_now())  # Logged in again.
    registry.down(TERMINAL, second, "silent for 1800 s", utc_now())
    registry.not_opened("hall", "dlt645", "/dev/ttyUSB0", "Permission denied", utc_now())
    registry.not_opened("hall", "dlt645", "/dev/ttyUSB0", "Permission denied", utc_now())
    await history.stop()
    assert await told(database) == [
        ("offline", "silent for 1800 s"),
        ("online", "took the place of 192.0.2.1:50000"),
        ("online", "logged in"),
    ]
    assert await told(database, "hall") == [("offline", "Permission denied")]
    (latest, *_), _ = await database.link_events.list(TERMINAL, skip=0, limit=1)
    assert (latest.remote, latest.station) == ("192.0.2.2:50000", "station-1")


async def test_links_that_were_up_when_the_station_died_went_down(database: Database) -> None:
    old = LinkState(TERMINAL, "station-1", "terminal", "qgdw1376", "online", NOW)
    await database.links.save_many([old, replace(old, address="02000002", station="station-2")])
    registry = registry_of(database.links)
    history = History(registry, database.link_events)
    await registry.flush()
    await registry.flush()
    await history.stop()
    assert await told(database) == [("offline", "the station was stopped")]
    assert await told(database, "02000002") == [], "it is another station's"


async def test_strangers_do_not_fill_the_history(
    monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    monkeypatch.setattr(frontend_history, "STRANGERS_PER_HOUR_MAX", 2)
    registry = registry_of(None, TERMINAL)
    history = History(registry, database.link_events)
    for number in range(4):
        up(registry, f"0200{number:04}")
    up(registry)
    await history.stop()
    kept = [bool(await told(database, f"0200{number:04}")) for number in range(4)]
    assert kept == [True, True, False, False]
    assert await told(database) == [("online", "logged in")]


async def test_history_waits_for_a_database_that_is_away(database: Database) -> None:
    class Comes:
        is_there = False

        async def save_many(self, events: Any) -> None:
            if not self.is_there:
                raise DatabaseDown("the database does not answer")
            await database.link_events.save_many(events)
            await database.link_events.save_many(events)  # As after a lost acknowledgement.

    registry, comes = registry_of(None, TERMINAL), Comes()
    history = History(registry, comes)
    up(registry)
    await history.flush()
    comes.is_there = True
    await history.flush()
    assert await told(database) == [("online", "logged in")]


# --- traffic --------------------------------------------------------------------------------------


async def days(database: Database) -> dict[date, Counts]:
    found = await database.traffic.of_link(TERMINAL, DAY - timedelta(3), DAY + timedelta(3))
    return {each.day: each.counts for each in found}


async def test_traffic_is_counted_by_local_day(database: Database, zone: ZoneInfo) -> None:
    clock = Clock()
    registry = registry_of(None, TERMINAL)
    traffic = TrafficLog(registry, database.traffic, zone, clock)
    up(registry)
    entry = registry.entries[TERMINAL]
    registry.heard(entry, NOON, 100)
    registry.sent(entry, 20)
    registry.count(entry, "late")
    await traffic.flush()
    await traffic.flush()
    first = Counts(bytes_in=100, bytes_out=20, frames_in=1, frames_out=1, logins=1, late=1)
    assert await days(database) == {DAY: first}
    registry.heard(entry, NOON, 1)
    clock.at = NOON + timedelta(hours=12)  # Half past midnight at the site.
    await traffic.flush()
    first = replace(first, bytes_in=101, frames_in=2)
    assert await days(database) == {DAY: first}
    registry.heard(entry, NOON, 7)
    await traffic.stop()
    assert await days(database) == {DAY: first, date(2026, 3, 2): Counts(bytes_in=7, frames_in=1)}


async def test_traffic_of_several_starts_adds_up(database: Database, zone: ZoneInfo) -> None:
    for _ in range(2):
        registry = registry_of(None, TERMINAL)
        traffic = TrafficLog(registry, database.traffic, zone, Clock())
        up(registry)
        registry.heard(registry.entries[TERMINAL], NOON, 100)
        await traffic.stop()
    assert await days(database) == {DAY: Counts(bytes_in=200, frames_in=2, logins=2)}


async def test_every_link_is_looked_at_in_its_turn(
    database: Database, zone: ZoneInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("station.frontend.traffic.WRITE_PERIOD_S", 0.005)
    addresses = [f"0200{number:04}" for number in range(30)]
    registry = registry_of(None, *addresses)
    traffic = TrafficLog(registry, database.traffic, zone, Clock())
    for address in addresses:
        up(registry, address)
        registry.heard(registry.entries[address], NOON, 1)
    up(registry, "0200FFFE")
    traffic.start()

    async def all_written() -> None:
        for address in addresses:
            while not await database.traffic.of_link(address, DAY, DAY):
                pass

    await soon(all_written())
    await traffic.stop()
    assert not await database.traffic.of_link("0200FFFE", DAY, DAY), "nobody knows it"


async def test_traffic_waits_for_a_database_that_is_away(
    database: Database, zone: ZoneInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    save: Callable[..., Any] = database.traffic.save_many

    async def away(*_given: Any) -> None:
        raise DatabaseDown("the database does not answer")

    registry = registry_of(None, TERMINAL)
    traffic = TrafficLog(registry, database.traffic, zone, Clock())
    up(registry)
    registry.heard(registry.entries[TERMINAL], NOON, 5)
    monkeypatch.setattr(database.traffic, "save_many", away)
    await traffic.flush()
    monkeypatch.setattr(database.traffic, "save_many", save)
    await traffic.flush()
    assert await days(database) == {DAY: Counts(bytes_in=5, frames_in=1, logins=1)}


# --- blocks ---------------------------------------------------------------------------------------


async def test_a_block_takes_effect_at_once_and_after_a_start(database: Database) -> None:
    registry, guard = registry_of(None, TERMINAL), Guard()
    blocking = Blocking(database.blocks, guard, registry)
    own, near, far = (
        up(registry),
        up(registry, "02000002", "10.1.2.3:4000"),
        up(registry, "02000003", "[2001:db8::7]:4000"),
    )
    await blocking.add(Block(TERMINAL, "address", "  stolen in  March ", "ann"))
    assert own.closed == f"terminal {TERMINAL} is blocked: stolen in March"
    await blocking.add(Block("10.1.2.9/16", "ip", "old APN", "ann"))
    await blocking.add(Block("2001:DB8::7", "ip", "scans", "ann"))
    assert near.closed == "10.1.2.3 is blocked: old APN"
    assert far.closed == "2001:db8::7 is blocked: scans"
    kept = {block.key: (block.kind, block.by) for block in await database.blocks.all()}
    assert kept == {
        TERMINAL: ("address", "ann"),
        "10.1.0.0/16": ("ip", "ann"),
        "2001:db8::7": ("ip", "ann"),
    }
    later = Guard()
    await Blocking(database.blocks, later, registry_of()).load()
    assert later.address_refusal(TERMINAL) is not None
    await blocking.remove(TERMINAL)
    await blocking.remove("10.1.0.0/16")
    assert guard.address_refusal(TERMINAL) is None
    assert guard.ip_refusal("10.1.2.3") is None


async def test_what_cannot_be_blocked_is_refused(database: Database) -> None:
    blocking = Blocking(database.blocks, Guard(), registry_of())
    for block, field in (
        (Block("nowhere", "ip", "why", "ann"), "key"),
        (Block(" ", "address", "why", "ann"), "key"),
        (Block(TERMINAL, "address", "  ", "ann"), "reason"),
    ):
        with pytest.raises(InvalidValue) as caught:
            await blocking.add(block)
        assert caught.value.field == field
    await blocking.add(Block("0200abcd", "address", "why", "ann"))
    with pytest.raises(Conflict, match="block 0200ABCD exists already"):
        await blocking.add(Block("0200ABCD", "address", "why", "ann"))
    with pytest.raises(NotFound):
        await blocking.remove(TERMINAL)
