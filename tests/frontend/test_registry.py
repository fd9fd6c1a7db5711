"""Who is online, and how the store learns of it."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from frontend_peers import NOW, TERMINAL, AbsentStore, Ear, meter_on, soon

from station.errors import DatabaseDown, LinkDown
from station.frontend import registry as frontend_registry
from station.frontend.registry import Registry
from station.live import Feed
from station.store.database import Database
from station.store.objects.links import Links, LinkState


class StandIn:
    """A link that does nothing but be there."""

    def __init__(self, remote: str = "192.0.2.1:50000") -> None:
        self.remote = remote
        self.closed: str | None = None

    def bus(self, _meter: Any) -> Any:
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
    registry.set_known(["02000001"])
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
    registry.set_known([TERMINAL])
    await registry.stop()
    assert [state.known for state in (await database.links.list())[0]] == [True]
