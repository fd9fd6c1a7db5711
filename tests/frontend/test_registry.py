"""Who is online, and how the store learns of it."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from frontend_peers import NOW, TERMINAL, AbsentStore, Ear, meter_on, soon

from station.errors import DatabaseDown, LinkDown
from station.frontend import guard, link_writer
from station.frontend import registry as frontend_registry
from station.frontend.registry import Registry
from station.live import Feed
from station.store.database import Database
from station.store.objects.links import Links, LinkState
from station.store.objects.terminals import Terminal


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


class Comes:
    """A database that is away until it is told to come."""

    def __init__(self, links: Links) -> None:
        self.is_there = False
        self.refused = asyncio.Event()
        self._links = links

    def __getattr__(self, verb: str) -> Any:
        if not self.is_there:
            self.refused.set()
            raise DatabaseDown("the database does not answer")
        return getattr(self._links, verb)


def up(registry: Registry, address: str = TERMINAL, link: StandIn | None = None) -> StandIn:
    link = link or StandIn()
    registry.up(address, link, "terminal", "qgdw1376", NOW)
    return link


def down(registry: Registry, address: str, link: StandIn) -> None:
    registry.down(address, link, "gone", NOW)


async def test_up_and_down() -> None:
    feed, ear = Feed(), Ear()
    registry = Registry(feed, AbsentStore(), "station-1")
    came_up: list[str] = []
    with feed.listening(ear.listen):
        registry.when_up(came_up.append)
        link = up(registry)
        assert registry.find(TERMINAL) is link
        assert registry.bus(meter_on(TERMINAL)) is link
        registry.down(TERMINAL, link, "silent", NOW + timedelta(minutes=1))
        assert registry.find(TERMINAL) is None
        with pytest.raises(LinkDown, match=r"offline since 2026-03-01 00:01:00 UTC \(silent\)$"):
            registry.bus(meter_on(TERMINAL))
        with pytest.raises(LinkDown, match="link 02005678 is down, it has not been online since"):
            registry.bus(meter_on("02005678"))
        first = await ear.hear("links", state="online")
        second = await ear.hear("links", state="offline")
    assert first == {
        "address": TERMINAL,
        "state": "online",
        "reason": "",
        "at": "2026-03-01T00:00:00+00:00",
    }
    assert second["reason"] == "silent"
    assert came_up == [TERMINAL]


async def test_a_link_that_was_replaced_takes_nobody_down() -> None:
    registry = Registry(Feed(), AbsentStore(), "station-1")
    older, newer = up(registry), StandIn("192.0.2.2:50000")
    up(registry, link=newer)
    assert older.closed == "replaced by a newer connection from 192.0.2.2:50000"
    down(registry, TERMINAL, older)
    assert registry.find(TERMINAL) is newer
    state = registry.state(TERMINAL)
    assert state is not None
    assert (state.logins, state.replaced) == (2, 1)


async def test_a_second_login_of_the_same_connection_changes_nothing_but_the_count() -> None:
    registry = Registry(Feed(), AbsentStore(), "station-1")
    link = up(registry)
    up(registry, link=link)
    state = registry.state(TERMINAL)
    assert state is not None
    assert (state.logins, state.replaced, link.closed) == (2, 0, None)


async def test_only_the_last_unknown_terminals_are_remembered(
    monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    monkeypatch.setattr(frontend_registry, "UNKNOWN_OFFLINE_MAX", 3)
    registry = Registry(Feed(), database.links, "station-1")
    registry.set_terminals([Terminal("02000001", "")])
    for number in range(1, 7):
        address = f"0200{number:04}"
        down(registry, address, up(registry, address))
        await registry.stop()  # Writes what there is.
    remembered = [state.address for state in registry.states()]
    assert remembered == ["02000001", "02000004", "02000005", "02000006"]
    kept, _ = await database.links.list()
    assert [state.address for state in kept] == remembered


async def test_what_was_online_before_the_start_is_offline(database: Database) -> None:
    old = LinkState("02000001", "station-1", "terminal", "qgdw1376", "online", NOW)
    other = LinkState("02000002", "station-2", "terminal", "qgdw1376", "online", NOW)
    await database.links.save_many([old, other])
    registry = Registry(Feed(), database.links, "station-1")
    up(registry)
    await registry.stop()
    states, _ = await database.links.list()
    assert [(state.address, state.state) for state in states] == [
        ("02000001", "offline"),
        ("02000002", "online"),
        (TERMINAL, "online"),
    ]
    assert states[0].reason == "the station was stopped"


async def test_states_wait_for_a_database_that_is_away(
    monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    monkeypatch.setattr(frontend_registry, "WRITE_PERIOD_S", 0.01)
    away = Comes(database.links)
    registry = Registry(Feed(), away, "station-1")
    registry.start()
    link = up(registry)
    up(registry, "02005678")
    down(registry, TERMINAL, link)
    await soon(away.refused.wait())
    away.is_there = True

    async def written() -> list[str]:
        while True:
            states, _ = await database.links.list()
            if len(states) == 2:
                return [state.state for state in states]

    assert await soon(written()) == ["offline", "online"]
    await registry.stop()


async def test_becoming_known_is_written(database: Database) -> None:
    registry = Registry(Feed(), database.links, "station-1")
    up(registry)
    await registry.stop()
    assert [state.known for state in (await database.links.list())[0]] == [False]
    registry.set_terminals([Terminal(TERMINAL, "North")])
    await registry.stop()
    (state,), _ = await database.links.list()
    assert (state.known, state.name) == (True, "North")


async def test_terminals_are_listed_before_they_dial_in(database: Database) -> None:
    registry = Registry(Feed(), database.links, "station-1")
    told: list[set[str]] = []
    registry.when_terminals_change(lambda: told.append({*registry.terminals}))
    seen = LinkState("02000001", "station-1", "terminal", "qgdw1376", "offline", NOW, reason="gone")
    await database.links.save_many([seen])
    first, second = Terminal("02000001", "North"), Terminal("02000002", "South", "dlt698.45")
    registry.set_terminals([first, second])
    await registry.flush()
    states, _ = await database.links.list()
    assert [(each.name, each.reason, each.since) for each in states] == [
        ("North", "gone", NOW),
        ("South", "never seen", None),
    ]
    assert states[1].protocol == "dlt698.45"
    registry.set_terminals([replace(first, name="West", protocol="dtu")])
    await registry.flush()
    (state,), total = await database.links.list()
    assert (total, state.name, state.protocol) == (1, "West", "dtu")
    registry.set_terminals([])
    await registry.flush()
    (state,), _ = await database.links.list()
    assert (state.known, state.name) == (False, "")
    assert told == [{"02000001", "02000002"}, {"02000001"}, set()]


async def test_a_terminal_is_asked_itself_while_it_is_online() -> None:
    registry = Registry(Feed(), AbsentStore(), "station-1")
    with pytest.raises(LinkDown, match="terminal 02001234: its link is down, it has not been"):
        registry.terminal(TERMINAL)
    link = up(registry)
    assert registry.terminal(TERMINAL) is link
    down(registry, TERMINAL, link)
    with pytest.raises(LinkDown, match=r"\(gone\)$"):
        registry.terminal(TERMINAL)


async def test_what_goes_wrong_is_counted() -> None:
    registry = Registry(Feed(), AbsentStore(), "station-1")
    up(registry)
    entry = registry.entries[TERMINAL]
    registry.heard(entry, NOW, 10)
    registry.sent(entry, 5)
    for fault in ("late", "late", "duplicate", "timeouts", "bad", "wrong_address"):
        registry.count(entry, fault)
    state = registry.state(TERMINAL)
    assert state is not None
    assert (state.late, state.duplicate, state.timeouts, state.bad, state.wrong_address) == (
        2,
        1,
        1,
        1,
        1,
    )
    assert (state.frames_in, state.frames_out, state.faults) == (1, 1, 6)


async def test_a_flapping_link_is_up_at_once_but_told_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guard, "HOLD_OFF_FIRST_S", 0.02)
    feed, ear = Feed(), Ear()
    registry = Registry(feed, AbsentStore(), "station-1")
    came_up: list[str] = []
    registry.when_up(came_up.append)
    for _ in range(guard.FLAPS_MAX):
        down(registry, TERMINAL, up(registry))
    await asyncio.sleep(0)
    assert came_up == [TERMINAL] * guard.FLAPS_MAX
    came_up.clear()
    broken = up(registry)
    assert is_flapping(registry)
    down(registry, TERMINAL, broken)
    assert not is_flapping(registry), "it is offline"
    with feed.listening(ear.listen):
        link = up(registry)
        assert registry.find(TERMINAL) is link
        assert is_flapping(registry)
        assert came_up == []
        await ear.hear("links", state="online")
        await ear.hear("links", state="online")  # It has stayed up.
    assert not is_flapping(registry)
    await asyncio.sleep(0)
    assert came_up == [TERMINAL]


def is_flapping(registry: Registry) -> bool:
    state = registry.state(TERMINAL)
    assert state is not None
    return state.flapping


async def test_quiet_traffic_reaches_the_store_in_turns(
    monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    monkeypatch.setattr(frontend_registry, "WRITE_PERIOD_S", 0.005)
    monkeypatch.setattr(link_writer, "QUIET_WRITES", 4)
    registry = Registry(Feed(), database.links, "station-1")
    addresses = [f"0200{number:04}" for number in range(10)]
    for address in addresses:
        up(registry, address)
    await registry.flush()
    later = NOW + timedelta(minutes=1)
    for address in addresses:
        registry.heard(registry.entries[address], later, 7)
    registry.start()

    async def all_seen() -> None:
        while {each.last_seen for each in (await database.links.list())[0]} != {later}:
            pass

    await soon(all_seen())
    await registry.stop()
