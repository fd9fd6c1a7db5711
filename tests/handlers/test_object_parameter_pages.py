"""Parameters and clocks of DL/T 698.45 and 1997 through the pages, on a site that takes them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from test_parameter_pages import batch_ended
from web_helpers import Office, text_of, words_of

from station import tasks
from station.protocols.dlt645 import Version
from station.simulator.site import LineSite, MeterSite, Site, TerminalSite
from station.simulator.terminal import run_site
from station.store.objects.meters import Meter
from station.store.objects.terminals import Terminal

TERMINAL, METER, OLD = "99000698", "990000000701", "990000000702"
SITE = Site(
    terminals=(
        TerminalSite(
            address=TERMINAL,
            protocol="dlt698.45",
            delay_ms=(1, 3),
            clock_offset_s=400,
            lines=(
                LineSite(
                    meters=(
                        MeterSite(address=METER, protocol="dlt698.45"),
                        MeterSite(address=OLD, protocol=Version.V1997, profile_interval_min=0),
                    )
                ),
            ),
        ),
    )
)
AT = f"/api/terminals/{TERMINAL}/parameters"
SET = {"purpose": "new server", "devices": [TERMINAL]}


@pytest.fixture
async def objects(office: Office) -> AsyncIterator[Office]:
    """The office with a terminal of DL/T 698.45 that is online."""
    archive = SITE.archive()
    await office.parts.archive.add_terminal(Terminal(**archive["terminals"][0]))
    for meter in archive["meters"]:
        await office.parts.archive.add_meter(Meter(**meter))
    up = asyncio.Event()

    def heard(topic: str, message: dict[str, Any]) -> None:
        if topic == "links" and message["state"] == "online":
            up.set()

    with office.parts.feed.listening(heard):
        running = tasks.spawn(run_site(SITE, "127.0.0.1", office.front.port), name="simulated site")
        await asyncio.wait_for(up.wait(), 10)
    yield office
    await tasks.cancel(running)


async def test_a_terminal_takes_what_a_template_wants(objects: Office) -> None:
    boss = await objects.somebody("technician")
    values = {
        "F1": {"heartbeat_period": "5"},  # Of another protocol: it goes past this terminal.
        "45000200": {"heartbeat": "120", "apn": "CMIOT"},
        "45000300": {"stations": "203.0.113.9:7001"},
        "60120200.3": {"period": "1 h", "scheme_kind": "1", "scheme": "1",
                       "begin": "2026-01-31 00:00:00", "end": "2099-09-09 09:09:09"},
    }  # fmt: skip
    status, template = await boss.json(
        "POST", "/api/parameters/templates", {"name": "North", "values": values}
    )
    assert status == 201, template
    order = {**SET, "template": template["id"]}
    status, plan = await boss.json("POST", "/api/parameters/dry_run", order)
    assert "read it first" in plan["items"][0]["problem"], plan
    _, taken = await boss.json(
        "POST", "/api/parameters/read", {"devices": [TERMINAL], "request_id": "r0"}
    )
    assert (await batch_ended(boss, taken["batch"]))["counts"] == {"confirmed": 1}
    status, plan = await boss.json("POST", "/api/parameters/dry_run", order)
    assert (status, plan["frames"], plan["items"][0]["problem"]) == (200, 3, "")
    assert all(frame["hex"].startswith("68") for frame in plan["items"][0]["frames"])
    page = words_of(
        await boss.post("/parameters/dry_run", devices=TERMINAL, template=template["id"])
    )
    assert "203.0.113.9:7001" in page

    _, taken = await boss.json("POST", "/api/parameters/set", {**order, "request_id": "s1"})
    assert (await batch_ended(boss, taken["batch"]))["counts"] == {"confirmed": 1}
    _, view = await boss.json("GET", AT)
    rows = {row["code"]: row for row in view["items"]}
    assert {code: rows[code]["state"] for code in values if code != "F1"} == dict.fromkeys(
        ("45000200", "45000300", "60120200.3"), "same"
    )
    assert rows["60000200.1"]["follows_archive"]
    refused = await boss.json("PUT", f"{AT}/60000200.1", {"values": {"address": METER}})
    assert refused[0] == 400
    page = text_of(await boss.get(f"/terminals/{TERMINAL}/parameters"))
    assert f"/terminals/{TERMINAL}/parameters/45000300" in page
    assert f"/terminals/{TERMINAL}/parameters/60000200.1" not in page
    kept, _ = await objects.database.frames.list(TERMINAL, limit=200)
    assert kept
    assert not any(b"secret" in record.raw for record in kept)


async def test_clocks_are_looked_at_in_a_round_and_set(objects: Office) -> None:
    boss = await objects.somebody("technician")
    status, begun = await boss.json("POST", "/api/clock/round", {})
    assert (status, begun["total"], begun["is_running"]) == (201, 3, True)
    assert (await boss.json("POST", "/api/clock/round", {}))[0] == 409
    page = words_of(await boss.get("/clock"))
    assert "0 of 3 clocks were looked at" in page
    assert "Begin a round" not in page
    await objects.parts.clock_rounds.tick()
    _, clocks = await boss.json("GET", "/api/clock?sort=-drift")
    assert (clocks["round"]["left"], clocks["total"]) == (0, 3)
    _, clocks = await boss.json("GET", "/api/clock")
    worst = clocks["items"][0]
    assert (worst["device"], worst["drift_s_a_day"]) == (TERMINAL, None)
    assert worst["deviation_s"] == pytest.approx(400, abs=3)

    order = {**SET, "request_id": "c1", "over_s": 60, "even_now": True}
    _, taken = await boss.json("POST", "/api/clock/synchronise", order)
    assert (await batch_ended(boss, taken["batch"]))["counts"] == {"confirmed": 1}
    _, clocks = await boss.json("GET", f"/api/clock?text={TERMINAL}")
    assert abs(clocks["items"][0]["deviation_s"]) < 5


async def test_a_meter_of_1997_takes_a_parameter(objects: Office) -> None:
    boss = await objects.somebody("technician")
    path = f"/api/meters/{OLD}/parameters"
    assert (await boss.json("PUT", f"{path}/C111", {"values": {"value": "30"}}))[0] == 200
    order = {**SET, "kind": "meter", "devices": [OLD], "request_id": "m1", "password": "000000"}
    _, taken = await boss.json("POST", "/api/parameters/set", order)
    assert (await batch_ended(boss, taken["batch"]))["counts"] == {"confirmed": 1}
    _, view = await boss.json("GET", path)
    assert {row["code"]: row["state"] for row in view["items"]}["C111"] == "same"
