"""An open office, and one with a small site that is simulated on real sockets."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from counter_site import CounterSite, open_counter
from web_helpers import Office, open_office

from station import tasks
from station.simulator.site import Site
from station.simulator.terminal import run_site
from station.store.database import Database
from station.store.objects.meters import Meter
from station.store.objects.terminals import Terminal
from station.units import utc_now

SITE = Site.model_validate(
    {
        "terminals": [
            {
                "address": "02001234",
                "name": "North",
                "delay_ms": [0, 1],
                "lines": [
                    {
                        "meters": [
                            {"address": "000000000161", "name": "Shop"},
                            {"address": "000000000162", "protocol": "dlt645-1997"},
                            {"address": "000000000163", "dead": True},
                        ]
                    }
                ],
            },
            {"address": "02005678", "lines": []},
        ]
    }
)


@pytest.fixture
async def office(database: Database) -> AsyncIterator[Office]:
    """Pages on real parts, with nothing in the archive."""
    async with open_office(database) as opened:
        yield opened


@pytest.fixture
async def site(office: Office) -> AsyncIterator[Office]:
    """The office with a terminal that is known and online, and one that is not known."""
    archive = SITE.archive()
    now = utc_now()
    known, _ = archive["terminals"]
    await office.parts.archive.add_terminal(Terminal(**known, created_at=now))
    for meter in archive["meters"]:
        await office.parts.archive.add_meter(Meter(**meter, created_at=now))
    online: set[str] = set()
    all_online = asyncio.Event()

    def heard(topic: str, message: dict[str, str]) -> None:
        if topic == "links" and message["state"] == "online":
            online.add(message["address"])
        if len(online) == len(SITE.terminals):
            all_online.set()

    with office.parts.feed.listening(heard):
        running = tasks.spawn(run_site(SITE, "127.0.0.1", office.front.port), name="simulated site")
        await asyncio.wait_for(all_online.wait(), 10)
    yield office
    await tasks.cancel(running)


@pytest.fixture
async def counter(database: Database) -> AsyncIterator[CounterSite]:
    """A counter with a reader in memory."""
    async with open_counter(database) as opened:
        yield opened
