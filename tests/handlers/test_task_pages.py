"""Tasks by the calendar, their preview and templates; buses; failures and success."""

import re
from datetime import timedelta
from typing import Any

import pytest
from web_helpers import Office, Visitor, text_of, words_of

from station.collector.outcome import Cause
from station.handlers.archive import terminals
from station.handlers.collection import tasks as task_pages
from station.handlers.collection.task_templates import TEMPLATES
from station.store.objects.meter_days import MeterDay
from station.units import local_day, utc_now

TASK: dict[str, Any] = {"name": "Curve", "items": ["power_total"], "period_min": 15}
SHOP, MILL = "000000000161", "000000000162"


@pytest.fixture
async def ann(office: Office) -> Visitor:
    """A technician in an archive of two terminals with a meter each."""
    visitor = await office.somebody("technician")
    for address, meter, group in (
        ("02001234", SHOP, "Area 1"),
        ("02005678", MILL, "Area 2, Mills"),
    ):
        await visitor.json("POST", "/api/terminals", {"address": address, "name": f"T{address}"})
        body = {"address": meter, "name": f"M{meter}", "link": address, "groups": [group]}
        status, answer = await visitor.json("POST", "/api/meters", body)
        assert status == 201, answer
    return visitor


async def test_task_by_the_calendar_is_kept_and_shown(office: Office, ann: Visitor) -> None:
    fields = {
        **TASK, "rhythm": "cron", "cron": " 0  0 1 * * ", "window_from": "23:00",
        "window_to": "05:30",
        "priority": "high", "missed": "once", "target_kind": "groups", "targets": "Mills",
        "backfill_days": "31", "enabled": ["false", "true"],
    }  # fmt: skip
    saved = await ann.post("/tasks", **fields)
    assert saved.code == 303, words_of(saved)
    page = words_of(await ann.get(saved.headers["Location"]))
    for words in ("on the 1st of each month, 00:00", "23:00 – 05:30", "high", "1 group", "Mills",
                  "read the newest one only", "31 days back", "02005678"):  # fmt: skip
        assert words in page, words
    (task,) = (await ann.json("GET", "/api/tasks"))[1]["items"]
    assert (task["cron"], task["priority"], task["missed"]) == ("0 0 1 * *", "high", "once")
    assert (task["window_from"], task["window_to"]) == ("23:00", "05:30")
    stored = await office.database.tasks.get(task["id"])
    assert stored.window == (23 * 60, 5 * 60 + 30)
    form = text_of(await ann.get(f"/tasks/{task['id']}/edit"))
    assert 'value="0 0 1 * *"' in form
    assert re.search(r'value="cron" checked', form)
    assert re.search(r'value="Mills" checked', form)
    moments = (await ann.json("GET", f"/api/tasks/{task['id']}/plan"))[1]["moments"]
    assert len(moments) == 5
    assert all(re.search(r"-(30|31|28|29)T16:00:00Z$", each) for each in moments)  # Of Shanghai.


async def test_one_shot_is_meant_in_the_time_of_the_site(office: Office, ann: Visitor) -> None:
    saved = await ann.post("/tasks", **TASK, rhythm="once", once_at="2031-05-06T07:08")
    task_id = saved.headers["Location"].rsplit("/", 1)[1]
    stored = await office.database.tasks.get(task_id)
    assert stored.once_at is not None
    assert stored.once_at.isoformat() == "2031-05-05T23:08:00+00:00"
    assert "once, 2031-05-06 07:08" in words_of(await ann.get(f"/tasks/{task_id}"))
    assert 'value="2031-05-06T07:08"' in text_of(await ann.get(f"/tasks/{task_id}/edit"))
    _, task = await ann.json("GET", f"/api/tasks/{task_id}")
    again = {**TASK, "once_at": task["once_at"]}
    _, after = await ann.json("PUT", f"/api/tasks/{task_id}", again)
    assert after["once_at"] == task["once_at"] == "2031-05-05T23:08:00Z"


async def test_on_a_large_site_meters_are_typed(
    office: Office, ann: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 'type="checkbox" name="targets" value="000000000161"' in text_of(
        await ann.get("/tasks/new")
    )
    monkeypatch.setattr(task_pages, "METERS_LISTED_MAX", 1)
    form = text_of(await ann.get("/tasks/new"))
    assert 'name="targets" value="000000000161"' not in form
    assert '<textarea class="form-control address" id="field-targets"' in form
    typed = {"target_kind": "meters", "targets": " 000000000161\r\n\r\n000000000162 "}
    saved = await ann.post("/tasks", **TASK, **typed)
    task_id = saved.headers["Location"].rsplit("/", 1)[1]
    task = await office.database.tasks.get(task_id)
    assert task.targets == ("000000000161", "000000000162")
    shown = text_of(await ann.get(f"/tasks/{task_id}/edit"))
    assert ">000000000161\n000000000162</textarea>" in shown


async def test_times_that_cannot_be_are_refused(ann: Visitor) -> None:
    for change, field in (
        ({"cron": "every day"}, "cron"),
        ({"cron": "0 0 31 2 *"}, "cron"),
        ({"cron": "99 * * * *"}, "cron"),
        ({"window_from": "25:00", "window_to": "05:00"}, "window_from"),
        ({"window_from": "23:00"}, "window_to"),
        ({"window_from": "05:00", "window_to": "05:00"}, "window"),
        ({"priority": "urgent"}, "priority"),
        ({"missed": "some"}, "missed"),
        ({"once_at": "soon"}, "once_at"),
        ({"target_kind": "groups"}, "targets"),
    ):
        status, answer = await ann.json("POST", "/api/tasks", {**TASK, **change})
        assert (status, answer["error"]["field"]) == (400, field), change
        refused = await ann.post("/tasks", **TASK, **change)
        assert refused.code == 400, change
        assert "Not saved" in words_of(refused)
    assert (await ann.json("GET", "/api/tasks"))[1]["total"] == 0


async def test_preview_tells_moments_and_load_before_saving(ann: Visitor) -> None:
    unnamed = {**TASK, "name": "", "period_min": 1}
    status, plan = await ann.json("POST", "/api/tasks/preview", unnamed)
    assert status == 200
    assert len(plan["moments"]) == 5
    assert {bus["bus"] for bus in plan["buses"]} == {"02001234", "02005678"}
    bus = plan["buses"][0]
    assert bus["meters"] == bus["exchanges"] == 1
    assert bus["available_s"] == 60
    assert 0 < bus["seconds"] < 5
    assert bus["share"] == pytest.approx(bus["seconds"] / 60, abs=1e-3)
    assert (plan["late"], bus["fits"]) == (0, True)
    many = {**TASK, "period_min": 1, "items": ["power_total"]}
    for number in range(300, 400):
        meter = {"address": f"{number:012}", "link": "02001234"}
        assert (await ann.json("POST", "/api/meters", meter))[0] == 201
    _, plan = await ann.json("POST", "/api/tasks/preview", many)
    assert plan["late"] == 1
    shown = words_of(await ann.post("/tasks/preview", **many))
    assert "1 bus cannot finish a cycle before the next begins" in shown
    assert (await ann.json("GET", "/api/tasks"))[1]["total"] == 0
    nothing = await ann.post("/tasks/preview", name="", items=[])
    assert (nothing.code, "Choose items" in words_of(nothing)) == (200, True)
    bad = await ann.post("/tasks/preview", **TASK, cron="9 9")
    assert (bad.code, "fields" in words_of(bad)) == (200, True)
    assert (await ann.json("POST", "/api/tasks/preview", {**TASK, "cron": "9 9"}))[0] == 400


async def test_every_template_fills_a_form_that_can_be_saved(ann: Visitor) -> None:
    page = text_of(await ann.get("/tasks/templates"))
    status, found = await ann.json("GET", "/api/tasks/templates")
    assert (status, found["total"]) == (200, len(TEMPLATES))
    for template in found["items"]:
        assert f"/tasks/new?template={template['key']}" in page
        form = text_of(await ann.get(f"/tasks/new?template={template['key']}"))
        assert f'value="{template["name"]}"' in form
        for code in template["body"]["items"]:
            assert f'value="{code}" checked' in form
        status, task = await ann.json("POST", "/api/tasks", template["body"])
        assert status == 201, task
        assert task["next_run"] is not None
    assert "New from template" in words_of(await ann.get("/tasks"))


async def test_buses_tell_who_fills_them(ann: Visitor) -> None:
    assert "No bus is asked yet" in words_of(await ann.get("/buses"))
    _, task = await ann.json("POST", "/api/tasks", {**TASK, "period_min": 1})
    rare = {"name": "Rare", "period_min": 60, "target_kind": "links", "targets": ["02005678"]}
    await ann.json("POST", "/api/tasks", {**TASK, **rare})
    status, buses = await ann.json("GET", "/api/buses")
    assert (status, buses["total"], buses["overfull"]) == (200, 2, 0)
    full, other = buses["items"]
    assert (full["bus"], other["bus"]) == ("02005678", "02001234")
    assert [each["name"] for each in full["tasks"]] == ["Curve", "Rare"]
    assert full["seconds"] == pytest.approx(
        sum(each["seconds"] for each in full["tasks"]), abs=0.01
    )
    assert full["share"] == pytest.approx(full["seconds"] / 86_400, abs=1e-3)
    assert [each["meter"] for each in full["slowest"]] == [MILL]
    assert (await ann.json("GET", "/api/buses?text=1234"))[1]["total"] == 1
    assert (await ann.json("GET", f"/api/buses?task={task['id']}"))[1]["total"] == 2
    page = text_of(await ann.get("/buses"))
    assert page.index("02005678") < page.index("02001234")
    assert 'style="' not in page
    assert MILL in words_of(await ann.get("/buses/02005678"))
    assert (await ann.get("/buses/nowhere")).code == 404
    csv = text_of(await ann.get("/buses?format=csv"))
    assert csv.startswith("\ufeffBus,Link,Port,Share of its time,")
    listed = (await ann.json("GET", "/api/tasks"))[1]["items"]
    assert listed[0]["load"] == pytest.approx(full["tasks"][0]["seconds"] / 86_400, abs=1e-3)


async def test_failures_and_what_to_do_about_them(office: Office, ann: Visitor) -> None:
    assert "No meter fails" in words_of(await ann.get("/failures"))
    memory = office.parts.memory
    for _ in range(4):
        memory.note_round(MILL, answered=False, cause=Cause.NO_ANSWER)
    memory.note_round(SHOP, answered=False, cause=Cause.WRONG_ADDRESS)
    memory.note_refusal(MILL, "02FF")
    await memory.write()
    status, found = await ann.json("GET", "/api/failures")
    assert (status, found["total"]) == (200, 2)
    assert [row["meter"] for row in found["items"]] == [MILL, SHOP]
    mill = found["items"][0]
    assert (mill["failures"], mill["cause"], mill["refused"]) == (4, "no_answer", ["02FF"])
    assert mill["since"] is not None
    assert (await ann.json("GET", "/api/failures?least=3"))[1]["total"] == 1
    assert (await ann.json("GET", "/api/failures?text=161"))[1]["total"] == 1
    assert (await ann.json("GET", "/api/failures?link=02001234"))[1]["total"] == 1
    page = words_of(await ann.get("/failures"))
    assert "no answer" in page
    assert "another meter answered" in page
    assert text_of(await ann.get("/failures?format=csv")).count("\r\n") == 3
    meter = words_of(await ann.get(f"/meters/{MILL}"))
    assert "02FF" in meter
    forgotten = await ann.post(f"/meters/{MILL}/forget")
    assert (forgotten.code, forgotten.headers["Location"]) == (303, f"/meters/{MILL}")
    assert not memory.refuses(MILL, "02FF")
    assert (await ann.json("GET", f"/api/meters/{MILL}"))[1]["health"]["failures"] == 0
    for path in ("refill", "forget"):
        assert (await ann.json("POST", f"/api/meters/000000000999/{path}", {}))[0] == 404
    assert (await ann.json("POST", f"/api/meters/{MILL}/refill", {"days": 0}))[0] == 400


async def test_refill_starts_a_run_for_the_meter(ann: Visitor) -> None:
    await ann.json("POST", "/api/tasks", {**TASK, "backfill_days": 1})
    status, run = await ann.json("POST", f"/api/meters/{SHOP}/refill", {"days": 2})
    assert (status, run["kind"]) == (201, "fill")
    assert "holes filled by hand" in words_of(await ann.get(f"/runs/{run['id']}"))


async def test_success_by_day_group_link_and_protocol(office: Office, ann: Visitor) -> None:
    assert "Nothing was asked in these days" in words_of(await ann.get("/success"))
    today = local_day(utc_now(), office.parts.config.site.zone_info)
    yesterday = today - timedelta(days=1)
    rows = [
        MeterDay(SHOP, today, 10, 10), MeterDay(MILL, today, 10, 4),
        MeterDay(SHOP, yesterday, 5, 5), MeterDay("000000000999", yesterday, 3, 0),
    ]  # fmt: skip
    await office.database.meter_days.save_many("start", rows)
    for by, expected in (
        ("day", [(str(today), 2, 20, 14), (str(yesterday), 2, 8, 5)]),
        ("group", [("Area 2", 1, 10, 4), ("Mills", 1, 10, 4), ("Area 1", 1, 15, 15)]),
        ("terminal", [("02005678", 1, 10, 4), ("02001234", 1, 15, 15)]),
        ("protocol", [("dlt645-2007", 2, 25, 19)]),
    ):
        status, found = await ann.json("GET", f"/api/success?by={by}")
        assert (status, found["asked"], found["answered"]) == (200, 28, 19), by
        assert len(found["days"]) == 14
        assert found["days"][-1] == {"day": str(today), "asked": 20, "answered": 14}
        seen = [
            (row["key"], row["meters"], row["asked"], row["answered"]) for row in found["items"]
        ]
        assert [row for row in seen if row[0] != "no longer in the archive"] == expected
        page = text_of(await ann.get(f"/success?by={by}"))
        assert page.count('class="column-ground"') == 14
        assert text_of(await ann.get(f"/success?by={by}&format=csv")).count("\r\n") == len(seen) + 1
    assert (await ann.json("GET", f"/api/success?from={today}&to={today}"))[1]["asked"] == 20
    for query in (f"from={today}&to={yesterday}", "from=2020-01-01", "by=colour"):
        assert (await ann.json("GET", f"/api/success?{query}"))[0] == 400


async def test_terminals_of_each_kind_by_form(office: Office, ann: Visitor) -> None:
    fields: dict[str, Any] = {
        "protocol": "dtu", "address": "dtu-mill", "name": "Mill", "registration": "13800001111",
        "registration_as": "text", "heartbeat": "FE FE", "heartbeat_as": "hex",
        "echo": ["false", "true"], "groups": "Mills，Area 2",
    }  # fmt: skip
    saved = await ann.post("/terminals", **fields)
    assert saved.code == 303, words_of(saved)
    stored = await office.database.terminals.get("dtu-mill")
    assert stored.registration == b"13800001111".hex().upper()
    assert (stored.heartbeat, stored.echo, stored.groups) == ("FEFE", True, ("Mills", "Area 2"))
    form = text_of(await ann.get("/terminals/dtu-mill/edit"))
    assert 'value="13800001111"' in form
    assert 'value="FEFE"' in form
    body = {"protocol": "dtu", "name": "Old mill", "registration": stored.registration}
    _, after = await ann.json("PUT", "/api/terminals/dtu-mill", body)
    assert (after["name"], after["registration"]) == ("Old mill", stored.registration)
    assert (after["heartbeat"], after["groups"]) == ("", [])  # What is left out is as at first.
    missing = await ann.post("/terminals", protocol="dtu", address="dtu-2")
    assert missing.code == 400
    assert 'name="registration"' in text_of(missing)
    newer = {"protocol": "dlt698.45", "address": "0000000002ab", "collects": True}
    status, terminal = await ann.json("POST", "/api/terminals", newer)
    assert status == 201, terminal
    assert (terminal["address"], terminal["collects"]) == ("0000000002AB", True)
    page = words_of(await ann.get("/terminals/0000000002AB"))
    assert "DL/T 698.45" in page
    direct = {
        "address": "0000000002AB",
        "protocol": "dlt698.45",
        "link": "0000000002AB",
        "point": 0,
    }
    assert (await ann.json("POST", "/api/meters", direct))[0] == 201


async def test_a_long_list_of_terminals_is_the_same_as_a_short_one(
    office: Office, ann: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = (await ann.json("GET", "/api/terminals"))[1]
    assert [row["meters"] for row in short["items"]] == [1, 1]
    monkeypatch.setattr(terminals, "ONE_BY_ONE_MAX", 1)
    assert (await ann.json("GET", "/api/terminals"))[1] == short
