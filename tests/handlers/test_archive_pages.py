"""Terminals, channels, meters and tasks: entered, changed and removed by forms and by JSON."""

from typing import Any

import pytest
from web_helpers import Office, text_of, words_of

METER: dict[str, Any] = {"address": "000000000161", "name": "Shop", "link": "02001234"}
TASK: dict[str, Any] = {"name": "Curve", "items": ["power_total", "voltage_a"], "period_min": 15}


async def test_terminal_by_form(office: Office) -> None:
    ann = await office.somebody("technician")
    assert "No terminal yet" in text_of(await ann.get("/terminals"))
    assert (await ann.get("/terminals/new?address=0200abcd")).code == 200
    saved = await ann.post("/terminals", address="0200abcd", name="  North   gate ")
    assert (saved.code, saved.headers["Location"]) == (303, "/terminals/0200ABCD")
    page = await ann.get("/terminals/0200ABCD")
    assert "Terminal 0200ABCD is saved." in text_of(page)
    assert "North gate" in text_of(page)
    assert "never seen" in text_of(page)
    assert "is saved" not in text_of(await ann.get("/terminals/0200ABCD"))  # Told once.
    assert (await ann.get("/terminals/0200ABCD/edit")).code == 200
    assert (await ann.post("/terminals/0200ABCD", name="South")).code == 303
    assert "South" in text_of(await ann.get("/terminals"))
    removed = await ann.send(
        "DELETE", "/terminals/0200ABCD", headers={"X-Xsrftoken": ann.cookies["_xsrf"]}
    )
    assert removed.code == 303
    assert (await ann.get("/terminals/0200ABCD")).code == 404


async def test_removal_by_htmx_leads_to_the_list(office: Office) -> None:
    ann = await office.somebody("technician")
    await ann.post("/terminals", address="02001234")
    headers = {"X-Xsrftoken": ann.cookies["_xsrf"], "HX-Request": "true"}
    removed = await ann.send("DELETE", "/terminals/02001234", headers=headers)
    assert (removed.code, removed.headers["HX-Redirect"]) == (204, "/terminals")
    assert "Terminal 02001234 is removed." in text_of(await ann.get("/terminals"))
    again = await ann.send("DELETE", "/terminals/02001234", headers=headers)
    assert again.code == 404
    assert again.headers["HX-Retarget"] == "#notices"
    assert "there is no terminal 02001234" in text_of(again)


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ({"address": "0200123"}, "is not 8 hex digits"),
        ({"address": "0200123G"}, "is not 8 hex digits"),
        ({"address": ""}, "is needed"),
        ({}, "is needed"),
        ({"address": "02000000"}, "0000 is no terminal"),
        ({"address": "02001234", "name": "x" * 65}, "may have at most 64 characters"),
    ],
)
async def test_refused_terminal_keeps_what_was_typed(
    office: Office, typed: dict[str, str], problem: str
) -> None:
    ann = await office.somebody("technician")
    name = typed.get("name", "Kept <name>")
    refused = await ann.post("/terminals", **{"name": name, **typed})
    assert refused.code == 400
    assert problem in words_of(refused)
    assert 'aria-invalid="true"' in text_of(refused)
    assert name.replace("<", "&lt;").replace(">", "&gt;") in text_of(refused)
    status, body = await ann.json("POST", "/api/terminals", {"name": name, **typed})
    assert (status, body["error"]["code"]) == (400, "invalid_value")
    assert body["error"]["field"] == ("name" if len(name) > 64 else "address")


async def test_terminal_by_json(office: Office) -> None:
    ann = await office.somebody("technician")
    body = {"address": "02001234", "name": "North"}
    status, terminal = await ann.json("POST", "/api/terminals", body)
    assert status == 201
    assert terminal["link"]["state"] == "offline"
    assert terminal["meters"] == 0
    status, answer = await ann.json("POST", "/api/terminals", body)
    assert (status, answer["error"]["code"]) == (409, "conflict")
    assert "02001234" in answer["error"]["message"]
    status, terminal = await ann.json("PUT", "/api/terminals/02001234", {"name": "South"})
    assert (status, terminal["name"]) == (200, "South")
    status, found = await ann.json("GET", "/api/terminals?text=sou")
    assert (status, found["total"]) == (200, 1)
    assert found["items"] == [terminal]
    assert (await ann.json("DELETE", "/api/terminals/02001234")) == (200, {})
    for method in ("GET", "PUT", "DELETE"):
        status, answer = await ann.json(
            method, "/api/terminals/02001234", {} if method == "PUT" else None
        )
        assert (status, answer["error"]["code"]) == (404, "not_found"), method


async def test_accept_header_asks_for_json_at_a_page_address(office: Office) -> None:
    ann = await office.somebody()
    for accept, is_json in (
        ("application/json", True),
        ("application/json, text/html;q=0.9", True),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
        ("application/json;q=0.1, text/html", False),
        ("application/json;q=nonsense", False),
        ("*/*", False),
    ):
        answer = await ann.get("/terminals", Accept=accept)
        assert answer.code == 200
        assert answer.headers["Content-Type"].startswith("application/json") == is_json, accept


async def test_meter_by_form_and_json(office: Office) -> None:
    ann = await office.somebody("technician")
    assert "there is none yet" in words_of(await ann.get("/meters/new"))
    status, answer = await ann.json("POST", "/api/meters", METER)
    assert (status, answer["error"]["field"]) == (400, "link")
    await ann.json("POST", "/api/terminals", {"address": "02001234", "name": "North"})
    assert 'value="02001234" selected' in text_of(await ann.get("/meters/new?link=02001234"))
    saved = await ann.post("/meters", **METER, protocol="dlt645-2007", profile_interval_min="15")
    assert (saved.code, saved.headers["Location"]) == (303, "/meters/000000000161")
    page = text_of(await ann.get("/meters/000000000161"))
    assert "every 15 min" in page
    assert "Nothing was read from this meter yet" in page
    status, meter = await ann.json("GET", "/api/meters/000000000161")
    assert (status, meter["address"], meter["profile_interval_min"]) == (200, "000000000161", 15)
    assert meter["link_state"]["address"] == "02001234"
    for change, field in (
        ({"line": "fast"}, "line"),
        ({"port": 99}, "port"),
        ({"port": "two"}, "port"),
        ({"point": 0}, "point"),
        ({"tariffs": 64}, "tariffs"),
        ({"profile_interval_min": 7}, "profile_interval_min"),
        ({"protocol": "modbus"}, "protocol"),
        ({"link": "nowhere"}, "link"),
        ({"link": ""}, "link"),
    ):
        status, answer = await ann.json("PUT", "/api/meters/000000000161", {**METER, **change})
        assert (status, answer["error"]["field"]) == (400, field), change
        refused = await ann.post("/meters/000000000161", **{**METER, **change})
        assert refused.code == 400
        assert 'aria-invalid="true"' in text_of(refused) or 'is-invalid"' in text_of(refused)
    assert (await ann.post("/meters/000000000161", **METER, line="9600 8n1")).code == 303
    assert (await ann.json("GET", "/api/meters/000000000161"))[1]["line"] == "9600 8N1"
    status, answer = await ann.json("DELETE", "/api/terminals/02001234")
    assert (status, answer["error"]["code"]) == (409, "conflict")
    assert "000000000161" in answer["error"]["message"]
    assert (await ann.json("DELETE", "/api/meters/000000000161")) == (200, {})
    assert (await ann.json("DELETE", "/api/terminals/02001234")) == (200, {})


async def test_meters_are_found_by_text_and_by_link(office: Office) -> None:
    ann = await office.somebody("technician")
    for link in ("02001234", "02005678"):
        await ann.json("POST", "/api/terminals", {"address": link, "name": f"T{link}"})
    for number in range(1, 61):
        meter = {"address": f"{number:012}", "name": f"Home {number}", "link": "02001234"}
        assert (await ann.json("POST", "/api/meters", meter))[0] == 201
    other = {**METER, "link": "02005678"}
    assert (await ann.json("POST", "/api/meters", other))[0] == 201
    assert (await ann.json("GET", "/api/meters?link=02005678"))[1]["total"] == 1
    status, found = await ann.json("GET", "/api/meters?text=home%206")
    assert [meter["name"] for meter in found["items"]] == ["Home 6", "Home 60"]
    status, first = await ann.json("GET", "/api/meters?size=50")
    status, second = await ann.json("GET", "/api/meters?size=50&page=2")
    assert (len(first["items"]), len(second["items"]), second["total"]) == (50, 11, 61)
    page = words_of(await ann.get("/meters?page=2"))
    assert "51 to 61 of 61" in page
    assert "Nothing matches this filter" in text_of(await ann.get("/meters?text=nowhere"))
    for query in ("page=0", "page=x", "size=1001", f"text={'x' * 101}"):
        status, answer = await ann.json("GET", f"/api/meters?{query}")
        assert (status, answer["error"]["field"]) == (400, query.split("=")[0])
        assert (await ann.get(f"/meters?{query}")).code == 400


async def test_channel_by_form_and_json(office: Office) -> None:
    ann = await office.somebody("technician")
    assert (await ann.get("/channels/new")).code == 200
    refused = await ann.post("/channels", name="hall 2", url="ftp://x", line="2400 8E1")
    assert refused.code == 400
    assert 'value="ftp://x"' in text_of(refused)
    fields = {"name": "hall-2", "url": "/dev/ttyNOTHERE", "line": "2400 8E1"}
    status, answer = await ann.json("POST", "/api/channels", {**fields, "url": "ftp://x"})
    assert (status, answer["error"]["field"]) == (400, "url")
    saved = await ann.post("/channels", **fields, enabled=["false", "true"])
    assert (saved.code, saved.headers["Location"]) == (303, "/channels/hall-2")
    status, channel = await ann.json("GET", "/api/channels/hall-2")
    assert (status, channel["enabled"], channel["link"]["kind"]) == (200, True, "channel")
    status, link = await ann.json("GET", "/api/links/hall-2")
    assert (status, link["state"]) == (200, "offline")
    assert (await ann.get("/links/hall-2")).headers["Location"] == "/channels/hall-2"
    assert (await ann.get("/channels/hall-2/edit")).code == 200
    for name, wrong in (("wait_ms", "60001"), ("gap_ms", "19"), ("retry_max_s", "0")):
        refused = await ann.post("/channels/hall-2", **fields, **{name: wrong})
        assert (refused.code, f'value="{wrong}"' in text_of(refused)) == (400, True)
    waits = {"wait_ms": "3000", "gap_ms": "100", "reopen_after": "5", "retry_max_s": "10"}
    off = await ann.post("/channels/hall-2", **fields, **waits, enabled="false")
    assert off.code == 303
    status, channel = await ann.json("GET", "/api/channels/hall-2")
    assert {name: str(channel[name]) for name in waits} == waits
    assert "5 questions without an answer" in text_of(await ann.get("/channels/hall-2"))
    assert "switched off" in text_of(await ann.get("/channels/hall-2"))
    status, channels = await ann.json("GET", "/api/channels")
    assert (channels["total"], channels["items"][0]["enabled"]) == (1, False)
    assert (await ann.get("/channels")).headers["Location"] == "/links?kind=channel"
    status, answer = await ann.json("POST", "/api/terminals", {"address": "02001234"})
    assert status == 201
    assert (await ann.json("DELETE", "/api/channels/hall-2")) == (200, {})
    assert (await ann.get("/channels/hall-2")).code == 404


async def test_task_by_form_and_json(office: Office) -> None:
    ann = await office.somebody("technician")
    assert "No task yet" in text_of(await ann.get("/tasks"))
    assert (await ann.get("/tasks/new")).code == 200
    for change, field in (
        ({"name": ""}, "name"),
        ({"items": []}, "items"),
        ({"items": ["nonsense"]}, "items"),
        ({"period_min": 7}, "period_min"),
        ({"backfill_days": 63}, "backfill_days"),
        ({"target_kind": "some"}, "target_kind"),
        ({"target_kind": "meters", "targets": []}, "targets"),
    ):
        status, answer = await ann.json("POST", "/api/tasks", {**TASK, **change})
        assert (status, answer["error"]["field"]) == (400, field), change
    refused = await ann.post("/tasks", name="Kept", items=["voltage_a"], period_min="7")
    assert refused.code == 400
    assert 'value="Kept"' in text_of(refused)
    assert 'value="voltage_a" checked' in text_of(refused)
    saved = await ann.post("/tasks", **TASK, target_kind="all", enabled=["false", "true"])
    status, found = await ann.json("GET", "/api/tasks")
    (task,) = found["items"]
    assert (saved.code, saved.headers["Location"]) == (303, f"/tasks/{task['id']}")
    assert task["items"] == ["power_total", "voltage_a"]
    assert task["next_run"] is not None
    assert task["last_run"] is None
    assert "every 15 minutes" in words_of(await ann.get(f"/tasks/{task['id']}"))
    assert (await ann.get(f"/tasks/{task['id']}/edit")).code == 200
    paused = await ann.post(f"/tasks/{task['id']}/pause", enabled="false")
    assert paused.code == 303
    assert "is paused." in text_of(await ann.get("/tasks"))
    status, task = await ann.json("GET", f"/api/tasks/{task['id']}")
    assert (task["enabled"], task["next_run"]) == (False, None)
    status, task = await ann.json("PUT", f"/api/tasks/{task['id']}", {**TASK, "name": "Renamed"})
    assert (status, task["name"], task["enabled"]) == (200, "Renamed", True)
    assert (await ann.json("DELETE", f"/api/tasks/{task['id']}")) == (200, {})
    assert (await ann.json("GET", f"/api/tasks/{task['id']}"))[0] == 404


async def test_bodies_that_cannot_be(office: Office) -> None:
    ann = await office.somebody("technician")
    headers = {"Content-Type": "application/json", "X-Xsrftoken": ann.cookies["_xsrf"]}
    for body in ("{", "[]", '"text"', "null", b"\xff".decode("latin1")):
        answer = await ann.send("POST", "/api/terminals", body, headers)
        assert answer.code == 400, body
        assert '"field": "body"' in text_of(answer)


async def test_names_are_shown_and_never_run(office: Office) -> None:
    ann = await office.somebody("technician")
    hostile = "<script>alert(1)</script>\"'&{{7*7}}"
    await ann.json("POST", "/api/terminals", {"address": "02001234", "name": hostile})
    await ann.json("POST", "/api/meters", {**METER, "name": hostile})
    await ann.json("POST", "/api/tasks", {**TASK, "name": hostile})
    pages = ("/", "/links", "/terminals", "/terminals/02001234", "/terminals/02001234/edit",
             "/meters", "/meters/000000000161", "/meters/000000000161/edit", "/meters/new",
             "/tasks", "/tasks/new", "/search?text=script", "/links?text=%3Cscript%3E",
             "/meters?text=%22%3E%3Cscript%3E")  # fmt: skip
    for path in pages:
        page = text_of(await ann.get(path))
        assert "<script>alert" not in page, path
        assert '"><script>' not in page, path
        assert "{{7*7}}" in page or hostile not in page
    _status, body = await ann.json("GET", "/api/terminals/02001234")
    assert body["name"] == hostile
    csv = text_of(await ann.get("/meters?format=csv"))
    assert hostile.replace('"', '""') in csv


async def test_name_that_looks_like_a_formula_stays_a_name_in_csv(office: Office) -> None:
    ann = await office.somebody("technician")
    await ann.json("POST", "/api/terminals", {"address": "02001234", "name": "=1+1"})
    answer = await ann.get("/terminals?format=csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="terminals.csv"'
    assert answer.headers["Content-Type"] == "text/csv; charset=UTF-8"
    text = text_of(answer)
    assert text.startswith("\ufeffAddress,Name,State,")
    assert "02001234,'=1+1,offline," in text
