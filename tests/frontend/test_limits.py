"""Who is let in, and what those cost who never say who they are."""

import asyncio
import gc
import time
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from frontend_peers import PATIENCE_S, TERMINAL, Front, running_front

from station.frontend import server as front_server
from station.frontend.guard import Guard
from station.frontend.unnamed import Unnamed
from station.protocols.qgdw1376.link import login

STORM = 500
UNNAMED_MAX = 40


class SmallRoom(Unnamed):
    """Room for few connections without a login."""

    def __init__(self) -> None:
        super().__init__(UNNAMED_MAX, UNNAMED_MAX)


def test_the_oldest_leaves_when_there_are_too_many() -> None:
    unnamed: Unnamed[int] = Unnamed(3, 2)
    assert [unnamed.add(1, "a"), unnamed.add(2, "a")] == [None, None]
    assert unnamed.add(3, "a") == 1
    assert unnamed.add(4, "b") is None
    assert unnamed.add(5, "c") == 2
    unnamed.remove(3)
    unnamed.remove(3)
    assert unnamed.add(6, "a") is None
    assert len(unnamed) == 3
    assert [unnamed.oldest() for _ in range(4)] == [4, 5, 6, None]


async def dial(front: Front) -> asyncio.StreamWriter:
    _, writer = await asyncio.open_connection("127.0.0.1", front.server.port)
    return writer


@asynccontextmanager
async def storm(front: Front) -> AsyncIterator[None]:
    """Many connections that never log in, all at once, and gone again at the end."""
    writers = await asyncio.gather(*(dial(front) for _ in range(STORM)))
    yield
    for writer in writers:
        writer.close()
    await front_is_quiet(front)


async def front_is_quiet(front: Front) -> None:
    """Wait until nobody is there but those who have logged in."""
    deadline = time.monotonic() + PATIENCE_S
    while len(front.server.connections) > len(front.terminals):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_a_storm_of_connections_without_a_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_server, "Unnamed", SmallRoom)
    async with running_front(connections_max=1000) as front:
        terminal = await front.online()
        tracemalloc.start()
        try:
            async with storm(front):
                pass
            gc.collect()
            before = tracemalloc.get_traced_memory()[0]
            async with storm(front):
                assert (await terminal.heartbeat()).afn == 0
                late = await front.online("02005678")
            gc.collect()
            assert tracemalloc.get_traced_memory()[0] - before < 200_000
        finally:
            tracemalloc.stop()
        assert (await late.heartbeat()).afn == 0
        assert len(front.server.connections) == 2


@pytest.mark.parametrize("has_login", [True, False])
async def test_noise_costs_no_memory(has_login: bool) -> None:
    async with running_front() as front:
        terminal = await front.online()

        async def make_noise() -> None:
            noisy = await (front.online if has_login else front.dial)("02005678")
            front.terminals.remove(noisy)
            with pytest.raises(ConnectionError):
                await noisy.send_again(bytes(range(256)) * 256, times=160)
            noisy.hang_up()
            await front_is_quiet(front)

        tracemalloc.start()
        try:
            await make_noise()
            gc.collect()
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(3):
                await make_noise()
            gc.collect()
            assert tracemalloc.get_traced_memory()[0] - before < 500_000  # What the trace keeps.
        finally:
            tracemalloc.stop()
        assert (await terminal.heartbeat()).afn == 0


async def test_who_has_no_login_leaves_its_place_to_others() -> None:
    async with running_front(connections_max=2) as front:
        first = await front.dial("02000001")
        second = await front.online("02000002")
        third = await front.online("02000003")
        assert await first.closed() == b""
        assert front.server.refused == 0
        fourth = await front.dial("02000004")
        assert await fourth.closed() == b""
        assert front.server.refused == 1
        assert (await second.heartbeat()).afn == (await third.heartbeat()).afn == 0


async def test_blocked_addresses_and_networks() -> None:
    guard = Guard()
    async with running_front(guard=guard) as front:
        guard.set_blocks([(TERMINAL, "stolen")], [])
        blocked = await front.dial()
        await blocked.send(login(blocked.address, 1))
        assert await blocked.closed() == b""
        assert front.registry.find(TERMINAL) is None
        assert front.trace.recent(limit=1)[0].note == "blocked"
        allowed = await front.online("02005678")
        await allowed.send(login(blocked.address, 1))
        assert await allowed.closed() == b""
        guard.set_blocks([], [("127.0.0.0/8", "a scanner")])
        assert await (await front.dial()).closed() == b""
        assert front.server.refused == 1
