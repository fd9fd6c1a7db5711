"""Commands and events over HTTP: who may order what, what is shown, what is kept secret."""

import re
from datetime import timedelta
from typing import Any

import pytest
from web_helpers import Office, Visitor, text_of, words_of

from station.store.objects.events import Event, event_id
from station.store.objects.meters import Meter
from station.store.objects.terminals import Terminal
from station.units import local_day, utc_now

TERMINAL, METER, OLD = "02001234", "000000000161", "000000000162"
TRIP = {"kind": "control", "meter": METER, "order": "trip", "purpose": "unpaid", "request_id": "r1"}


@pytest.fixture
async def yard(office: Office) -> Office:
    """An office with a 2007 and a 1997 meter behind a terminal that is offline."""
    await office.parts.archive.add_terminal(Terminal(TERMINAL, "North"))
    await office.parts.archive.add_meter(Meter(METER, "Shop <1>", link=TERMINAL))
    await office.parts.archive.add_meter(
        Meter(OLD, "Mill", link=TERMINAL, protocol="dlt645-1997", point=2)
    )
    return office


async def order(visitor: Visitor, **body: Any) -> tuple[int, Any]:
    return await visitor.json("POST", "/api/commands", {**TRIP, **body})


async def test_order_list_look_and_cancel(yard: Office) -> None:
    boss = await yard.somebody()
    status, command = await order(boss, password="123456")
    assert status == 201
    assert (command["state"], command["title"], command["by"]) == (
        "queued",
        "Trip",
        "administrator0",
    )
    again = await order(boss, password="123456")
    assert (again[0], again[1]["id"]) == (201, command["id"])
    status, other = await order(boss, password="123456", order="close")
    assert (status, other["error"]["code"]) == (409, "conflict")

    status, listed = await boss.json("GET", "/api/commands?state=queued&kind=control")
    assert (status, listed["total"]) == (200, 1)
    assert (await boss.json("GET", f"/api/commands?meter={OLD}"))[1]["total"] == 0
    page = await boss.get(f"/commands/{command['id']}")
    assert "unpaid" in words_of(page)
    assert "Cancel this command" in words_of(page)
    table = await boss.get("/commands?format=csv")
    assert table.headers["Content-Type"].startswith("text/csv")
    assert "Trip" in text_of(table)

    status, cancelled = await boss.json("POST", f"/api/commands/{command['id']}/cancel")
    assert (status, cancelled["state"]) == (200, "failed")
    assert cancelled["reason"] == "cancelled by administrator0"
    status, refused = await boss.json("POST", f"/api/commands/{command['id']}/cancel")
    assert (status, refused["error"]["code"]) == (409, "conflict")
    assert (await boss.json("GET", "/api/commands/nothing"))[0] == 404
    _, whole = await boss.json("GET", f"/api/commands/{command['id']}")
    assert [step["name"] for step in whole["steps"]] == ["queued", "failed"]


async def test_roles(yard: Office) -> None:
    technician, reader = await yard.somebody("technician"), await yard.somebody("reader")
    read = {"kind": "read", "items": ["energy_import_total"], "request_id": "r2"}
    status, command = await order(technician, **read)
    assert (status, command["title"]) == (201, "Read Forward active energy, total")
    assert (await order(technician, password="123456"))[0] == 403
    assert (await order(reader, **read))[0] == 403
    assert (await reader.get("/commands")).code == 200
    assert (await reader.get("/events")).code == 200
    path = f"/meters/{METER}/commands"
    assert (await reader.get(f"{path}/new")).code == 403
    page = await technician.get(f"{path}/new")
    assert "order=trip" not in text_of(page)
    assert "Set a parameter" in words_of(page)
    assert (await technician.get(f"{path}/confirm?kind=control&order=trip")).code == 403
    clerk = await yard.somebody("clerk")
    assert "Your role may neither set nor control." in words_of(await clerk.get(f"{path}/new"))
    boss = await yard.somebody("supervisor")
    assert (await boss.get(f"{path}/confirm?kind=set&parameter=clock")).code == 403
    assert (await order(boss, kind="set", parameter="clock", password="123456"))[0] == 403

    boss = await yard.somebody()
    status, trip = await order(boss, password="123456")
    assert status == 201
    assert (await technician.json("POST", f"/api/commands/{trip['id']}/cancel"))[0] == 403
    assert (await technician.json("POST", f"/api/commands/{command['id']}/cancel"))[0] == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"password": ""}, "password"),
        ({"password": "12345"}, "password"),
        ({"password": "123456", "operator": "x"}, "operator"),
        ({"password": "123456", "purpose": " "}, "purpose"),
        ({"password": "123456", "order": "explode"}, "order"),
        ({"password": "123456", "meter": OLD}, "order"),
        ({"password": "123456", "valid_min": 0}, "valid_min"),
        ({"password": "123456", "level": 99}, "level"),
        ({"kind": "read"}, "items"),
        ({"kind": "read", "items": ["nonsense"]}, "items"),
        ({"kind": "set", "parameter": "clocks", "password": "123456"}, "parameter"),
        ({"request_id": ""}, "request_id"),
    ],
)
async def test_what_is_refused(yard: Office, body: dict[str, Any], field: str) -> None:
    boss = await yard.somebody()
    status, answer = await order(boss, **body)
    assert (status, answer["error"]["field"]) == (400, field)
    assert "123456" not in str(answer)
    assert (await yard.database.commands.list())[1] == 0


async def test_an_unknown_meter(yard: Office) -> None:
    status, answer = await order(await yard.somebody(), meter="000000000999", password="123456")
    assert (status, answer["error"]["code"]) == (404, "not_found")


async def test_forms_from_the_meter_to_the_command(yard: Office) -> None:
    boss = await yard.somebody()
    form = await boss.get(f"/meters/{METER}/commands/new")
    dry_run = f"/controls/dry_run?devices={METER}"
    assert f"{dry_run}&amp;order=trip" in text_of(form)
    moved = await boss.get(f"/meters/{METER}/commands/confirm?kind=control&order=trip")
    assert (moved.code, moved.headers["Location"]) == (303, f"{dry_run}&order=trip")
    path = f"/meters/{METER}/commands/confirm?kind=set&parameter=04000103&value=30"
    confirm = await boss.get(path)
    assert "Shop &lt;1&gt;" in text_of(confirm)
    request_id = re.search(r'name="request_id" value="(\w{32})"', text_of(confirm))
    assert request_id is not None
    typed = {
        "kind": "set", "parameter": "04000103", "value": "30", "meter": METER,
        "request_id": request_id[1], "purpose": "", "password": "123456",
    }  # fmt: skip
    refused = await boss.post("/commands", **typed)
    assert refused.code == 400
    assert "say why this is ordered" in words_of(refused)
    assert "123456" not in text_of(refused), "a password is not shown again"
    taken = await boss.post("/commands", **{**typed, "purpose": "unpaid", "level": "4"})
    assert taken.code == 303
    assert taken.headers["Location"].startswith("/commands/")
    page = await boss.get(taken.headers["Location"])
    assert "The command is taken." in words_of(page)
    assert "123456" not in text_of(page)

    wrong = await boss.get(
        f"/meters/{METER}/commands/confirm?kind=set&parameter=04000103&value=1.5"
    )
    assert wrong.code == 400
    assert "1.5 has more than 0 decimals" in words_of(wrong)
    right = await boss.get(f"/meters/{METER}/commands/confirm?kind=set&parameter=04000103&value=30")
    assert f"Set Demand period to 30: meter {METER}?" in words_of(right)
    old = await boss.get(f"/meters/{OLD}/commands/new")
    assert "order=trip" not in text_of(old)


async def test_commands_in_chinese(yard: Office) -> None:
    boss = await yard.somebody(language="zh")
    _, command = await order(boss, password="123456")
    await boss.json("POST", f"/api/commands/{command['id']}/cancel")
    page = words_of(await boss.get(f"/commands/{command['id']}"))
    assert "跳闸" in page
    assert "被 administrator0 取消" in page


async def test_events(yard: Office) -> None:
    now = utc_now()
    row = {"name": "off", "name_zh": "停电时间", "value": "2026-01-01T10:00:00", "unit": ""}
    events = [
        Event(
            event_id(code),
            code,
            TERMINAL,
            meter,
            now,
            now,
            bytes.fromhex("6816"),
            station="test",
            protocol="qgdw1376",
            values=(row,),
        )
        for code, meter in (
            ("1376-14", None),
            ("645-03300D", METER),
            ("645-report-10", METER),
            ("1376-200", None),
        )
    ]
    await yard.database.events.save_many(events)
    reader = await yard.somebody("reader")
    _, listed = await reader.json("GET", "/api/events")
    assert listed["total"] == 4
    _, covers = await reader.json("GET", "/api/events?code=645-report-10")
    assert {event["code"] for event in covers["items"]} == {"645-03300D", "645-report-10"}
    assert covers["items"][0]["name"] == "Meter cover open"
    assert (await reader.json("GET", f"/api/events?meter={METER}&link={TERMINAL}"))[1]["total"] == 2
    today = local_day(now, yard.parts.config.site.zone_info)
    for days, total in ((0, 4), (1, 0)):
        day = today + timedelta(days=days)
        assert (await reader.json("GET", f"/api/events?from={day}"))[1]["total"] == total
    assert (await reader.json("GET", f"/api/events?to={today}"))[1]["total"] == 4
    assert (await reader.json("GET", "/api/events?from=nonsense"))[0] == 400
    page = await reader.get("/events")
    assert "Terminal outage" in words_of(page)
    assert "event 1376-200" in words_of(page)
    assert 'name="hex" value="6816"' in text_of(page)
    table = text_of(await reader.get("/events?format=csv"))
    assert len(table.strip().splitlines()) == 5
