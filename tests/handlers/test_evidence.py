"""Why this number: from a stored value to the frames it came in, whatever way it came."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from web_helpers import Office, Visitor

from station import tasks
from station.simulator.site import Site
from station.simulator.terminal import run_site
from station.store.objects.meters import Meter
from station.store.objects.terminals import Terminal
from station.units import utc_now

FORWARDED, COLLECTED, OBJECTS, BEHIND_MODEM = (f"990000000{n}01" for n in range(1, 5))

SITE = Site.model_validate(
    {
        "terminals": [
            {
                "address": "99000001",
                "delay_ms": [0, 1],
                "lines": [{"meters": [{"address": FORWARDED}]}],
            },
            {
                "address": "99000002",
                "collects": True,
                "delay_ms": [0, 1],
                "lines": [{"meters": [{"address": COLLECTED}]}],
            },
            {
                "address": "990000000003",
                "protocol": "dlt698.45",
                "delay_ms": [0, 1],
                "lines": [{"meters": [{"address": OBJECTS, "protocol": "dlt698.45"}]}],
            },
            {
                "address": "modem-1",
                "protocol": "dtu",
                "registration": b"HERE IS MODEM-1".hex(),
                "delay_ms": [0, 1],
                "lines": [{"meters": [{"address": BEHIND_MODEM}]}],
            },
        ]
    }
)


@contextlib.asynccontextmanager
async def whole_site(office: Office) -> AsyncIterator[None]:
    """Everything in the archive, and all terminals online."""
    archive, now = SITE.archive(), utc_now()
    for terminal in archive["terminals"]:
        await office.parts.archive.add_terminal(Terminal(**terminal, created_at=now))
    for meter in archive["meters"]:
        await office.parts.archive.add_meter(Meter(**meter, created_at=now))
    online: set[str] = set()
    all_online = asyncio.Event()

    def heard(_topic: str, message: dict[str, str]) -> None:
        online.add(message["address"])
        if len(online) == len(SITE.terminals):
            all_online.set()

    with office.parts.feed.listening(heard, ["links"]):
        running = tasks.spawn(run_site(SITE, "127.0.0.1", office.front.port), name="simulated site")
        try:
            await asyncio.wait_for(all_online.wait(), 10)
            yield
        finally:
            await tasks.cancel(running)


@pytest.fixture
async def whole(office: Office) -> AsyncIterator[Office]:
    async with whole_site(office):
        yield office


async def frames_behind(ann: Visitor, meter: str, read_at: str) -> list[dict[str, Any]]:
    status, frames = await ann.json("GET", f"/api/meters/{meter}/frames?read_at={read_at}")
    assert status == 200, frames
    return frames["items"]


async def test_a_value_read_now_leads_to_its_exchange(whole: Office) -> None:
    ann = await whole.somebody("clerk")
    for meter, protocols in (
        (FORWARDED, {"qgdw1376"}),
        (COLLECTED, {"qgdw1376"}),
        (OBJECTS, {"dlt698.45"}),
        (BEHIND_MODEM, {"dlt645"}),
    ):
        status, result = await ann.json(
            "POST", f"/api/meters/{meter}/read", {"items": ["energy_import_total"]}
        )
        assert status == 200, result
        (reading,) = result["items"]
        await whole.parts.trace.flush()
        frames = await frames_behind(ann, meter, reading["read_at"])
        assert [frame["direction"] for frame in frames] == ["out", "in"], meter
        assert {frame["protocol"] for frame in frames} == protocols, meter
        assert {frame["meter"] for frame in frames} == {meter}, meter
        assert frames[1]["at"] == reading["read_at"]
        assert len({frame["exchange"] for frame in frames}) == 1


async def test_a_value_that_a_terminal_stored_leads_to_its_exchange(whole: Office) -> None:
    ann = await whole.somebody("technician")
    task = {
        "name": "Daily",
        "items": ["energy_import_total"],
        "target_kind": "meters",
        "targets": [COLLECTED],
        "period_min": 1440,
        "backfill_days": 2,
    }
    status, made = await ann.json("POST", "/api/tasks", task)
    assert status == 201, made
    status, run = await ann.json("POST", f"/api/tasks/{made['id']}/run")
    assert status in (200, 201, 202), run
    ended: dict[str, Any] = {"state": "running"}
    while ended["state"] == "running":
        _, ended = await ann.json("GET", f"/api/runs/{run['id']}")
    await whole.parts.trace.flush()
    today = utc_now().date()
    days = f"from={today - timedelta(days=4)}&to={today + timedelta(days=1)}"
    _, readings = await ann.json(
        "GET", f"/api/readings?meter={COLLECTED}&item=energy_import_total&{days}"
    )
    ways = set()
    for reading in readings["items"]:
        frames = await frames_behind(ann, COLLECTED, reading["read_at"])
        assert [frame["direction"] for frame in frames] == ["out", "in"], reading
        assert len({frame["exchange"] for frame in frames}) == 1
        ways.add(frames[1]["functions"][0])
    assert "qgdw1376 0D" in ways, "the terminal's own data"
