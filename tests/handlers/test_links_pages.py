"""Pages and JSON about links: lists, history, blocks; and the frames that were said on them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from web_helpers import Office, text_of, words_of

from station.handlers.communication import frame_search
from station.handlers.communication.frame_search import CHOICES, NAMES, keys_for, keys_of_function
from station.protocols.dlt645.frame import Version
from station.protocols.dlt645.requests import read
from station.protocols.qgdw1376 import link
from station.protocols.qgdw1376.frame import Address
from station.store.objects.frames import FrameRecord
from station.store.objects.links import LinkState
from station.store.objects.terminals import Terminal
from station.units import utc_now

TERMINAL = "02001234"
STRANGER = "02005678"
METER = "000000000161"
REQUEST = read(Version.V2007, METER, 0x00010000).to_bytes()
LOGIN = link.login(Address.from_text(TERMINAL), 1).to_bytes()
BEAT = link.heartbeat(Address.from_text(TERMINAL), 2, None).to_bytes()

Check = Callable[[], Awaitable[Any]]


async def test_links_are_sorted_and_filtered_by_the_store(office: Office) -> None:
    ann = await office.somebody("reader")
    now = utc_now()
    for number in range(1, 61):
        protocol = "dlt698.45" if number == 7 else "qgdw1376"
        terminal = Terminal(f"0200{number:04}", f"North {number}", protocol=protocol)
        await office.parts.archive.add_terminal(terminal)
    await office.parts.registry.flush()
    await office.database.links.save_many(
        [
            LinkState("02000007", "test", "terminal", "dlt698.45", "offline", now, bad=4, name="x"),
            LinkState("02000009", "test", "terminal", "qgdw1376", "offline", now, flapping=True),
        ]
    )
    status, first = await ann.json("GET", "/api/links")
    assert (status, first["total"], len(first["items"])) == (200, 60, 50)
    assert first["counts"] == {"all": 60, "online": 0, "offline": 60, "unknown": 0}
    assert first["flapping"] == 1
    assert first["items"][0]["reason"] == "never seen"
    second = (await ann.json("GET", "/api/links?page=2"))[1]["items"]
    assert [each["address"] for each in second] == [f"0200{n:04}" for n in range(51, 61)]
    for query, address in (
        ("sort=-address", "02000060"),
        ("sort=-faults", "02000007"),
        ("protocol=dlt698.45", "02000007"),
        ("flapping=true", "02000009"),
        ("text=north+33", "02000033"),
    ):
        found = (await ann.json("GET", f"/api/links?{query}"))[1]["items"]
        assert found[0]["address"] == address, query
        assert f'id="link-{address}"' in text_of(await ann.get(f"/links?{query}")), query
    assert (await ann.json("GET", "/api/links"))[1]["items"][6]["quality"]["bad"] == 4
    assert (await ann.json("GET", "/api/links?sort=colour"))[0] == 400
    assert len(text_of(await ann.get("/links?format=csv")).splitlines()) == 61


async def test_history_tells_every_up_and_down_and_the_traffic(site: Office) -> None:
    ann = await site.somebody("reader")
    site.parts.registry.find(TERMINAL).close("tried")  # The simulated terminal dials in again.

    async def history() -> dict[str, Any]:
        return (await ann.json("GET", f"/api/links/{TERMINAL}/history"))[1]

    view = await until(history, lambda view: view["total"] == 3)
    assert [each["state"] for each in view["items"]] == ["online", "offline", "online"]
    assert [each["reason"] for each in view["items"]] == ["logged in", "tried", "logged in"]
    assert all(each["lasted_s"] >= 0 for each in view["items"])
    (today,) = view["traffic"]
    assert today["logins"] == 2
    assert today["bytes_in"] > 0 < today["frames_out"]
    assert view["link"]["state"] == "online"
    page = words_of(await ann.get(f"/links/{TERMINAL}/history"))
    assert "tried" in page
    assert "Traffic by day" in page
    ann.cookies["language"] = "zh"
    page = words_of(await ann.get(f"/links/{TERMINAL}/history?page=1&size=1"))
    assert "登录" in page
    assert "每日流量" in page
    second = await ann.json("GET", f"/api/links/{TERMINAL}/history?size=1&page=2")
    assert [each["state"] for each in second[1]["items"]] == ["offline"]
    csv = text_of(await ann.get(f"/links/{TERMINAL}/history?format=csv")).splitlines()
    assert len(csv) == 4
    assert (await ann.json("GET", "/api/links/0200FFFF/history"))[0] == 404


async def test_who_is_blocked_is_thrown_out(site: Office) -> None:
    ann = await site.somebody("technician")
    assert "/blocks?key=02005678" in text_of(await ann.get(f"/links/{STRANGER}"))
    assert 'value="02005678"' in text_of(await ann.get(f"/blocks?key={STRANGER}"))
    answer = await ann.post("/blocks", kind="address", key=STRANGER, reason="not ours")
    assert (answer.code, answer.headers["Location"]) == (303, "/blocks")
    page = words_of(await ann.get("/blocks"))
    assert "not ours technician0" in page

    async def link_view() -> dict[str, Any]:
        return (await ann.json("GET", f"/api/links/{STRANGER}"))[1]

    view = await until(link_view, lambda view: view["state"] == "offline")
    assert view["reason"] == "terminal 02005678 is blocked: not ours"
    status, error = await ann.json(
        "POST", "/api/blocks", {"kind": "ip", "key": "here", "reason": "why"}
    )
    assert (status, error["error"]["field"]) == (400, "key")
    again = await ann.post("/blocks", kind="address", key=STRANGER, reason="twice")
    assert again.code == 409
    assert "block 02005678 exists already" in words_of(again)
    network = {"kind": "ip", "key": "203.0.113.9/24", "reason": "scans"}
    status, block = await ann.json("POST", "/api/blocks", network)
    assert (status, block["key"], block["by"]) == (201, "203.0.113.0/24", "technician0")
    assert (await ann.json("GET", "/api/blocks?text=scans"))[1]["total"] == 1
    assert (await ann.json("DELETE", "/api/blocks/203.0.113.0%2F24"))[0] == 200
    assert (await ann.json("DELETE", f"/api/blocks/{STRANGER}"))[0] == 200
    assert (await ann.json("DELETE", f"/api/blocks/{STRANGER}"))[0] == 404
    await until(link_view, lambda view: view["state"] == "online")


async def test_only_who_may_configure_blocks(office: Office) -> None:
    reader = await office.somebody("reader")
    assert "Nobody is blocked" in words_of(await reader.get("/blocks"))
    body = {"kind": "address", "key": STRANGER, "reason": "why"}
    assert (await reader.json("POST", "/api/blocks", body))[0] == 403
    assert (await reader.json("DELETE", f"/api/blocks/{STRANGER}"))[0] == 403


# --- frames ---------------------------------------------------------------------------------------


def say(office: Office, raw: bytes, seconds: float, **more: Any) -> None:
    at = utc_now() - timedelta(hours=1) + timedelta(seconds=seconds)
    office.parts.trace.record(TERMINAL, "in", raw, at, **more)


async def found(office: Office, query: str) -> list[dict[str, Any]]:
    ann = await office.somebody("reader")
    status, frames = await ann.json("GET", f"/api/frames?{query}")
    assert status == 200, frames
    return frames["items"]


async def test_frames_are_found_by_function_time_and_text(office: Office) -> None:
    ann = await office.somebody("reader")
    began = utc_now()
    say(office, LOGIN, 0)
    say(office, BEAT, 1)
    say(office, REQUEST, 2, meter=METER)
    say(office, LOGIN, 3)
    for query, kinds in (
        ("", "LRBL"),
        ("function=qgdw1376+02", "LBL"),
        ("function=dlt645+11", "R"),
        ("function=dlt645+91", ""),
        ("text=heartbeat", "B"),
        ("text=read+data", "R"),
        ("text=%E8%AF%BB%E6%95%B0%E6%8D%AE", "R"),
        (f"text={METER}", "R"),
        ("text=61+01+00", "R"),
        ("text=login", "LL"),
        ("text=nothing+of+it", ""),
        ("text=login&function=dlt645+11", ""),
    ):
        status, frames = await ann.json("GET", f"/api/frames?{query}")
        assert (status, frames["total"]) == (200, len(kinds)), query
        named = {LOGIN.hex().upper(): "L", BEAT.hex().upper(): "B", REQUEST.hex().upper(): "R"}
        assert "".join(named[each["hex"]] for each in frames["items"]) == kinds, query
    (frame,) = (await ann.json("GET", f"/api/frames?meter={METER}"))[1]["items"]
    assert (frame["protocol"], frame["functions"]) == ("dlt645", ["dlt645 11"])
    zone = office.parts.config.site.zone_info
    at = (began - timedelta(hours=1) + timedelta(seconds=1.5)).astimezone(zone)
    for name, count in (("since", 2), ("until", 2)):
        local = at.replace(tzinfo=None).isoformat()
        assert (await ann.json("GET", f"/api/frames?{name}={local}"))[1]["total"] == count
        page = text_of(await ann.get(f"/frames?{name}={local}"))
        assert f'value="{local[:16]}"' in page
        assert 'data-first="false"' in page


async def test_what_only_memory_holds_stands_on_its_page(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await office.somebody("reader")
    for number in range(23):
        say(office, BEAT if number % 3 else LOGIN, number)
    every = (await ann.json("GET", "/api/frames?size=100"))[1]["items"]
    assert len(every) == 23
    paged = []
    for page in range(1, 9):
        part = (await ann.json("GET", f"/api/frames?size=3&page={page}"))[1]
        assert part["total"] == 23
        paged += part["items"]
    assert [each["at"] for each in paged] == [each["at"] for each in every]
    monkeypatch.setattr(frame_search, "UNLOGGED_MAX", 2)
    assert (await ann.json("GET", "/api/frames?size=100"))[1]["total"] == 10


async def test_functions_are_found_in_all_of_the_log(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the newest frames, which are put in words, the index of functions goes on."""
    monkeypatch.setattr(frame_search, "WORDED_MAX", 4)
    monkeypatch.setattr(frame_search, "HEX_SEARCHED_MAX", 6)
    monkeypatch.setattr(frame_search, "BATCH_MAX", 2)
    at = utc_now() - timedelta(hours=1)
    records = [
        FrameRecord(
            at + timedelta(seconds=number),
            TERMINAL,
            "in",
            LOGIN if number % 2 else REQUEST,
            functions=("qgdw1376 02", "qgdw1376 02 F1") if number % 2 else ("dlt645 11",),
        )
        for number in range(20)
    ]
    await office.database.frames.save_many(records)
    logins = [each.at for each in reversed(records) if each.raw == LOGIN]
    ann = await office.somebody("reader")
    paged = []
    for page in (1, 2, 3):
        part = (await ann.json("GET", f"/api/frames?text=login&size=4&page={page}"))[1]
        assert part["total"] == 10
        paged += part["items"]
    assert [each["at"] for each in paged] == [
        at.isoformat().replace("+00:00", "Z") for at in logins
    ]
    assert len(await found(office, "text=61010000")) == 3, "hex is looked for in the newest"


def test_names_lead_to_keys() -> None:
    assert keys_for("heartbeat") == ("qgdw1376 02 F3",)
    assert "dlt645 91" in keys_for("Read Data")
    assert "dlt698 85" in keys_for("读取应答")
    assert keys_for("eartbeat") == keys_for("") == keys_for("  ") == ()
    assert keys_of_function("dlt645 11") == ("dlt645 11", "dlt645 91", "dlt645 B1", "dlt645 D1")
    assert keys_of_function("dlt698 05") == ("dlt698 05", "dlt698 85")
    assert keys_of_function("dlt645 91") == ("dlt645 91",)
    assert keys_of_function("qgdw1376 0C F25") == ("qgdw1376 0C F25",)
    assert all(key in NAMES for _, choices in CHOICES for key, _ in choices)


async def until(check: Check, holds: Callable[[Any], bool]) -> Any:
    """Return what a check gives once it holds; fail if it does not within the bound."""

    async def wait() -> Any:
        while not holds(found := await check()):
            pass
        return found

    return await asyncio.wait_for(wait(), 10)
