"""Pages and JSON over a small simulated site: links, reading now, curves, runs and frames."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from web_helpers import Office, Visitor, text_of, words_of

METER = "000000000161"


async def until(look: Callable[[], Awaitable[Any]], wanted: Callable[[Any], bool]) -> Any:
    """Look again and again until what is seen is wanted; fail after a while."""
    seen = None
    for _ in range(200):
        seen = await look()
        if wanted(seen):
            return seen
        await asyncio.sleep(0.05)
    raise AssertionError(f"still {seen}")


async def read(visitor: Visitor, *items: str) -> list[dict[str, Any]]:
    status, body = await visitor.json("POST", f"/api/meters/{METER}/read", {"items": items})
    assert status == 200, body
    return body["items"]


async def test_links_tell_who_is_online_and_who_is_unknown(site: Office) -> None:
    ann = await site.somebody("technician")
    status, links = await ann.json("GET", "/api/links")
    assert (status, links["total"]) == (200, 2)
    known, unknown = links["items"]
    assert (known["address"], known["state"], known["known"]) == ("02001234", "online", True)
    assert (known["name"], known["kind"], known["protocol"]) == ("North", "terminal", "qgdw1376")
    assert known["last_seen"].endswith("Z")
    assert known["traffic"]["bytes_in"] > 0
    assert known["remote"].startswith("127.0.0.1:")
    assert (unknown["address"], unknown["known"]) == ("02005678", False)
    assert links["counts"] == {"all": 2, "online": 2, "offline": 0, "unknown": 1}
    for query, addresses in (
        ("state=online", ["02001234", "02005678"]),
        ("state=offline", []),
        ("known=false", ["02005678"]),
        ("kind=channel", []),
        ("text=nor", ["02001234"]),
        ("text=5678&known=false", ["02005678"]),
    ):
        status, found = await ann.json("GET", f"/api/links?{query}")
        assert [link["address"] for link in found["items"]] == addresses, query
        page = text_of(await ann.get(f"/links?{query}"))
        assert all((f'id="link-{a}"' in page) == (a in addresses) for a in ("02001234", "02005678"))
    assert (await ann.json("GET", "/api/links?state=asleep"))[0] == 400


async def test_unknown_terminal_is_adopted_with_one_click(site: Office) -> None:
    reader = await site.somebody("reader")
    assert "/adopt" not in text_of(await reader.get("/links"))
    ann = await site.somebody("technician")
    assert 'action="/links/02005678/adopt"' in text_of(await ann.get("/links"))
    assert "Adopt" in text_of(await ann.get("/links/02005678"))
    adopted = await ann.post("/links/02005678/adopt")
    assert (adopted.code, adopted.headers["Location"]) == (303, "/terminals/02005678")
    assert "Terminal 02005678 is in the archive." in text_of(await ann.get("/terminals/02005678"))
    _status, link = await ann.json("GET", "/api/links/02005678")
    assert (link["known"], link["state"]) == (True, "online")
    assert (await ann.json("POST", "/api/links/02005678/adopt"))[0] == 409
    assert (await ann.json("POST", "/api/links/0200FFFF/adopt"))[0] == 404
    assert (await ann.json("GET", "/api/links/0200FFFF"))[0] == 404


async def test_read_now_tells_values_and_the_frames_behind_them(site: Office) -> None:
    ann = await site.somebody("clerk")
    voltage, missing = await read(ann, "voltage_a", "voltage_b")
    assert voltage["item"] == "voltage_a"
    assert voltage["name"] == "Voltage, phase A"
    assert voltage["unit"] == "V"
    assert 180 < float(voltage["value"]) < 260
    time, read_at = (datetime.fromisoformat(voltage[name][:19]) for name in ("time", "read_at"))
    assert time <= read_at
    assert missing["value"] is None  # A single-phase meter says that it has none.
    status, frames = await ann.json(
        "GET", f"/api/meters/{METER}/frames?read_at={voltage['read_at']}"
    )
    assert (status, [frame["direction"] for frame in frames["items"]]) == (200, ["out", "in"])
    question, answer = frames["items"]
    assert question["meter"] == answer["meter"] == METER
    items = answer["decoded"]["forwarded"]["items"]
    assert voltage["value"] in [item["value"] for item in items]
    part = await ann.get(
        f"/meters/{METER}/frames?read_at={voltage['read_at']}", **{"HX-Request": "true"}
    )
    assert "<html" not in text_of(part)
    assert voltage["value"] in words_of(part)
    assert answer["hex"][:8] == "".join(text_of(part).split('<code class="hex">')[2].split()[:4])
    await until(
        lambda: site.database.frames.list(meter=METER), lambda found: found[1] >= 2
    )  # Now from the log.
    stored = await ann.json("GET", f"/api/meters/{METER}/frames?read_at={voltage['read_at']}")
    assert stored == (200, frames)


async def test_read_now_page_shows_rows_and_frames(site: Office) -> None:
    ann = await site.somebody("clerk")
    page = await ann.send(
        "POST",
        f"/meters/{METER}/read",
        "items=energy_import_total&items=clock",
        {
            "HX-Request": "true",
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Xsrftoken": ann.cookies["_xsrf"],
        },
    )
    assert page.code == 200
    words = words_of(page)
    assert "Forward active energy, total" in words
    assert "kWh" in words
    assert "frames were exchanged" in words
    assert "<html" not in text_of(page)
    whole = text_of(await ann.get(f"/meters/{METER}"))
    assert "Last values" in whole
    assert f"/meters/{METER}/frames?read_at=" in whole


async def test_read_now_tells_why_not(site: Office) -> None:
    ann = await site.somebody("clerk")
    status, body = await ann.json("POST", "/api/meters/000000000163/read", {"items": ["voltage_a"]})
    assert (status, body["error"]["code"]) == (504, "meter_timeout")
    assert "000000000163" in body["error"]["message"]
    for path, items, wanted in (
        ("/api/meters/999999999999/read", ["voltage_a"], (404, "not_found")),
        (f"/api/meters/{METER}/read", [], (400, "invalid_value")),
        (f"/api/meters/{METER}/read", ["nonsense"], (400, "invalid_value")),
        ("/api/meters/000000000162/read", ["frequency"], (400, "invalid_value")),
    ):
        status, body = await ann.json("POST", path, {"items": items})
        assert (status, body["error"]["code"]) == wanted, items
    await site.front.stop()
    status, body = await ann.json("POST", f"/api/meters/{METER}/read", {"items": ["voltage_a"]})
    assert (status, body["error"]["code"]) == (503, "link_down")
    page = await ann.post(f"/meters/{METER}/read", items=["voltage_a"])
    assert page.code == 503
    assert "is down" in words_of(page)
    ann.cookies["language"] = "zh"
    page = await ann.post(f"/meters/{METER}/read", items=["voltage_a"])
    assert "链路 02001234 断开" in words_of(page)


async def test_readings_are_listed_with_times_and_source(site: Office) -> None:
    ann = await site.somebody("clerk")
    (value,) = await read(ann, "energy_import_total")
    status, found = await ann.json("GET", f"/api/readings?meter={METER}&item=energy_import_total")
    assert (status, found["total"]) == (200, 1)
    assert found["items"] == [
        {
            "meter": METER,
            "item": "energy_import_total",
            "time": value["time"],
            "value": value["value"],
            "unit": "kWh",
            "read_at": value["read_at"],
            "source": "read_now",
            "quality": "live",
            "former": [],
        }
    ]
    page = await ann.get(f"/readings?meter={METER}&item=energy_import_total")
    assert value["value"] in text_of(page)
    csv = text_of(await ann.get(f"/readings?meter={METER}&item=energy_import_total&format=csv"))
    assert f",{value['value']},kWh," in csv
    assert (await ann.json("GET", f"/api/readings?meter={METER}&item=voltage_a"))[1]["total"] == 0
    status, row = await ann.json("GET", f"/api/meters?text={METER}")
    assert row["items"][0]["energy"]["value"] == value["value"]
    assert row["items"][0]["power"] is None


async def test_run_by_hand_is_followed_to_its_end(site: Office) -> None:
    ann = await site.somebody("technician")
    status, task = await ann.json(
        "POST",
        "/api/tasks",
        {"name": "Volts", "items": ["voltage_a"], "target_kind": "meters",
         "targets": [METER], "enabled": False},
    )  # fmt: skip
    status, run = await ann.json("POST", f"/api/tasks/{task['id']}/run")
    assert (status, run["state"], run["kind"]) == (201, "running", "manual")

    async def look() -> Any:
        return (await ann.json("GET", f"/api/runs/{run['id']}"))[1]

    ended = await until(look, lambda seen: seen.get("state") == "finished")
    assert (ended["due"], ended["done"], ended["success"]) == (1, 1, 1)
    assert ended["failures"] == []
    assert "Nothing failed" in text_of(await ann.get(f"/runs/{run['id']}"))
    status, refused = await ann.json("POST", f"/api/runs/{run['id']}/refill")
    assert (status, refused["error"]["code"]) == (409, "conflict")
    status, runs = await ann.json("GET", f"/api/runs?task={task['id']}")
    assert runs["items"][-1]["id"] == run["id"]
    assert (await ann.json("POST", f"/api/runs/{run['id']}/cancel"))[0] == 404
    status, seen = await ann.json("GET", "/api/tasks")
    assert seen["items"][0]["last_run"]["id"] == run["id"]
    started = await ann.post(f"/tasks/{task['id']}/run")
    assert started.headers["Location"].startswith("/runs/")


async def test_run_that_leaves_holes_names_them(site: Office) -> None:
    ann = await site.somebody("technician")
    status, task = await ann.json(
        "POST",
        "/api/tasks",
        {"name": "Volts", "items": ["voltage_a"], "target_kind": "meters",
         "targets": ["000000000163"], "enabled": False},
    )  # fmt: skip
    status, run = await ann.json("POST", f"/api/tasks/{task['id']}/run")

    async def look() -> Any:
        return (await ann.json("GET", f"/api/runs/{run['id']}"))[1]

    await until(look, lambda seen: seen.get("done") == 1)
    status, _ = await ann.json("POST", f"/api/runs/{run['id']}/cancel")
    assert status == 200
    ended = await until(look, lambda seen: seen["state"] == "cancelled")
    assert ended["causes"] == {"no_answer": 1}
    (failure,) = ended["failures"]
    assert (failure["meter"], failure["cause"]) == ("000000000163", "no_answer")
    page = words_of(await ann.get(f"/runs/{run['id']}"))
    assert "no answer" in page
    csv = text_of(await ann.get(f"/runs/{run['id']}?format=csv"))
    assert csv.splitlines()[1].startswith('000000000163,"Voltage, phase A",no answer,')
    status, fill = await ann.json("POST", f"/api/runs/{run['id']}/refill")
    assert (status, fill["kind"], fill["task"]) == (201, "fill", task["id"])
    ann.cookies["language"] = "zh"
    assert "无应答" in words_of(await ann.get(f"/runs/{run['id']}"))
    assert "手动补采" in words_of(await ann.get(f"/runs/{fill['id']}"))


async def test_frames_are_listed_filtered_and_downloaded(site: Office) -> None:
    ann = await site.somebody("reader")
    await read(await site.somebody("clerk"), "voltage_a")
    status, frames = await ann.json("GET", f"/api/frames?terminal=02001234&meter={METER}")
    assert status == 200
    assert [frame["direction"] for frame in frames["items"]] == ["in", "out"]  # Newest first.
    assert all(frame["link"] == "02001234" for frame in frames["items"])
    assert frames["items"][0]["decoded"]["forwarded"]["address"] == METER
    for query, count in (
        (f"meter={METER}&direction=in", 1),
        (f"meter={METER}&text=voltage", 2),
        (f"meter={METER}&text=nowhere", 0),
        ("terminal=0200FFFF", 0),
        (f"meter={METER}&until=2020-01-01T00:00:00Z", 0),
        (f"meter={METER}&since=2020-01-01T00:00:00Z", 2),
    ):
        assert (await ann.json("GET", f"/api/frames?{query}"))[1]["total"] == count, query
    every = (await ann.json("GET", "/api/frames?terminal=02001234"))[1]["items"]
    words = " ".join(frame["words"] for frame in every)
    assert "02001234" in words
    page = text_of(await ann.get("/frames"))
    assert frames["items"][0]["hex"] in page
    text = await ann.get(f"/frames?meter={METER}&format=text")
    assert text.headers["Content-Disposition"] == 'attachment; filename="frames.txt"'
    lines = text_of(text).splitlines()
    assert [line.split()[2] for line in lines] == ["->", "<-"]  # Oldest first.
    csv = text_of(await ann.get(f"/frames?meter={METER}&format=csv")).splitlines()
    assert len(csv) == 3
    assert (await ann.json("GET", "/api/frames?since=yesterday"))[0] == 400


async def test_stored_and_fresh_frames_are_told_once(site: Office) -> None:
    ann = await site.somebody("reader")
    await read(await site.somebody("clerk"), "voltage_a")
    for _ in range(40):  # While the log is being written behind.
        _status, frames = await ann.json("GET", "/api/frames")
        keys = [(frame["at"], frame["hex"]) for frame in frames["items"]]
        assert len(set(keys)) == len(keys)
        times = [frame["at"] for frame in frames["items"]]
        assert times == sorted(times, reverse=True)
        if (await site.database.frames.list())[1] == len(keys):
            break
        await asyncio.sleep(0.05)
    else:
        raise AssertionError("the log was never complete")


async def test_hex_is_put_in_words(office: Office) -> None:
    ann = await office.somebody("reader")
    request = "FE FE 68 61 01 00 00 00 00 68 11 04 33 33 34 33 14 16"
    status, body = await ann.json("POST", "/api/frames/decode", {"hex": request})
    assert status == 200
    assert body["items"][0]["address"] == "000000000161"
    assert body["items"][0]["data_id"] == "00010000"
    page = await ann.post("/frames/decode", hex=request)
    assert "000000000161" in words_of(page)
    assert request in text_of(page)
    status, body = await ann.json("POST", "/api/frames/decode", {"hex": "01 02"})
    assert "error" in body["items"][0]
    assert "not a frame" in words_of(await ann.post("/frames/decode", hex="0102"))
    for hostile in ("", "6", "zz", "<script>"):
        status, body = await ann.json("POST", "/api/frames/decode", {"hex": hostile})
        assert (status, body["error"]["field"]) == (400, "hex"), hostile
        page = await ann.post("/frames/decode", hex=hostile)
        assert page.code == 400
        assert "<script>" not in text_of(page).split("</head>")[1]


async def test_every_known_frame_can_be_shown(office: Office) -> None:
    """Frames of the standards' examples, of every protocol, in both languages."""
    vectors = Path(__file__).parents[1] / "vectors"
    frames = {
        text
        for file in vectors.glob("*.json")
        for text in re.findall(r'"((?:[0-9A-Fa-f]{2} ?){8,})"', file.read_text())
    }
    assert len(frames) > 100
    ann = await office.somebody("reader")
    for number, frame in enumerate(sorted(frames)):
        ann.cookies["language"] = ("en", "zh")[number % 2]
        page = await ann.post("/frames/decode", hex=frame)
        assert page.code == 200, frame
        assert "{'" not in text_of(page), frame


async def test_overview_counts_and_names_what_is_wrong(site: Office) -> None:
    ann = await site.somebody("reader")
    await read(await site.somebody("clerk"), "voltage_a")
    status, view = await ann.json("GET", "/api/overview")
    assert status == 200
    assert (view["links_all"], view["links_online"]) == (1, 1)
    assert view["unknown"] == {"total": 1, "items": ["02005678"]}
    assert (view["offline"]["total"], view["failing"]["total"], view["commands"]) == (0, 0, 0)
    assert (view["meters"], view["readings"]) == (3, 1)
    page = words_of(await ann.get("/"))
    assert "1 unknown terminal is held 02005678" in page
    assert "SIMULATION no real meters" in page
    by_accept = await ann.get("/", Accept="application/json")
    assert json.loads(by_accept.body)["meters"] == 3


async def test_search_finds_by_address_and_name(site: Office) -> None:
    ann = await site.somebody("reader")
    _status, found = await ann.json("GET", "/api/search?text=shop")
    assert [(hit["kind"], hit["key"], hit["page"]) for hit in found["items"]] == [
        ("meter", METER, f"/meters/{METER}")
    ]
    assert (await ann.get("/search?text=shop")).headers["Location"] == f"/meters/{METER}"
    several = await ann.get("/search?text=0000000001")
    assert several.code == 200
    part = text_of(await ann.get("/search?text=north", **{"HX-Request": "true"}))
    assert 'id="found" class="found"' in part
    assert "/terminals/02001234" in part
    assert "Nothing found" in text_of(await ann.get("/search?text=nowhere"))
    assert (await ann.json("GET", "/api/search"))[1] == {"items": [], "total": 0}
