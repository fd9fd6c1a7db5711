"""Alarms over HTTP: what stands, who may act, what others' areas are, what is told."""

import json
import re
from typing import Any

import pytest
from test_live_page import heard, listen
from web_helpers import Office, Visitor, text_of, words_of

from station.store.objects.events import Event, event_id
from station.store.objects.meters import Meter
from station.store.objects.places import Place
from station.store.objects.terminals import Terminal
from station.units import utc_now

TERMINAL, METER = "02001234", "000000000161"


def told(code: str, meter: str | None = METER) -> Event:
    """An event that a device tells now."""
    at = utc_now()
    identity = event_id(code, str(meter), at.isoformat())
    return Event(
        identity, code, TERMINAL, meter, None, at, b"", station="test", protocol="qgdw1376"
    )


@pytest.fixture
async def yard(office: Office) -> Office:
    """An office with a meter in one area, whose cover was opened."""
    database = office.database
    await database.places.add(Place("mill", "area", "Mill <lane>"))
    await database.places.add(Place("hill", "area", "Hill road"))
    await office.parts.archive.add_terminal(Terminal(TERMINAL, "North", place="mill"))
    await office.parts.archive.add_meter(Meter(METER, "Shop <1>", link=TERMINAL))
    office.parts.alarms.take([told("645-report-10")])
    await office.parts.alarms.all_taken()
    return office


async def only(visitor: Visitor) -> dict[str, Any]:
    """Return the one alarm that stands."""
    status, listed = await visitor.json("GET", "/api/alarms")
    assert (status, listed["total"]) == (200, 1)
    alarm: dict[str, Any] = listed["items"][0]
    return alarm


async def test_what_needs_a_person(yard: Office) -> None:
    ann = await yard.somebody("clerk")
    alarm = await only(ann)
    assert (alarm["title"], alarm["severity"], alarm["state"]) == ("Cover opened", "major", "open")
    assert (alarm["subject"], alarm["name"], alarm["place_path"]) == (
        METER, "Shop <1>", "Mill <lane>"
    )  # fmt: skip
    page = await ann.get("/alarms")
    for words in ("Cover opened", "Shop &lt;1&gt;", "Mill &lt;lane&gt;", "Acknowledge", "major"):
        assert words in text_of(page)
    assert "Nothing matches this filter" in words_of(await ann.get("/alarms?severity=minor"))
    table = text_of(await ann.get("/alarms?format=csv"))
    assert "Cover opened" in table
    assert "Mill <lane>" in table
    assert (await ann.get("/alarms?format=xlsx")).code == 200
    ann.cookies["language"] = "zh"
    assert "开盖" in words_of(await ann.get(f"/alarms/{alarm['id']}"))


async def test_the_overview_counts_what_stands(yard: Office) -> None:
    ann = await yard.somebody("clerk")
    _, view = await ann.json("GET", "/api/overview")
    assert view["alarms"] == {"critical": 0, "major": 1, "minor": 0, "open": 1}
    assert "0 critical, 1 major, 0 minor" in words_of(await ann.get("/"))


async def test_acknowledge_comment_mute_and_clear(yard: Office) -> None:
    ann = await yard.somebody("clerk")
    path = f"/alarms/{(await only(ann))['id']}"
    socket = await listen(ann, "topics=alarms")
    answer = await ann.post(f"{path}/acknowledge", comment="<b>I go</b>")
    assert (answer.code, answer.headers["Location"]) == (303, path)
    message = await heard(socket)
    assert (message["topic"], message["state"], message["kind"]) == (
        "alarms", "acknowledged", "cover"
    )  # fmt: skip
    socket.close()
    page = await ann.get(path)
    assert "&lt;b&gt;I go&lt;/b&gt;" in text_of(page)
    assert "The alarm is acknowledged." in words_of(page)
    status, refused = await ann.json("POST", f"/api{path}/acknowledge")
    assert (status, refused["error"]["code"]) == (409, "conflict")
    assert (await ann.post(f"{path}/comment", comment=" ")).code == 400
    assert (await ann.json("POST", f"/api{path}/comment", {"comment": "key at office"}))[0] == 200
    status, muted = await ann.json("POST", f"/api{path}/mute", {"minutes": 60})
    assert (status, muted["muted_until"] > muted["raised_at"]) == (200, True)
    assert (await ann.json("POST", f"/api{path}/mute", {"minutes": -1}))[0] == 400
    assert "muted" in words_of(await ann.get("/alarms"))
    status, cleared = await ann.json("POST", f"/api{path}/clear", {"comment": "new seal"})
    assert (status, cleared["state"]) == (200, "cleared")
    assert [step["name"] for step in cleared["history"]] == [
        "raised", "acknowledged", "commented", "muted", "cleared"
    ]  # fmt: skip
    assert (await ann.json("GET", "/api/alarms"))[1]["total"] == 0
    assert (await ann.json("GET", "/api/alarms?state=cleared"))[1]["total"] == 1
    assert (await ann.json("POST", "/api/alarms/nothing/clear"))[0] == 404


async def test_an_alarm_is_given_to_a_person(yard: Office) -> None:
    ann, bob = await yard.somebody("clerk"), await yard.somebody("technician")
    reader, hill = await yard.somebody("reader"), await yard.somebody("clerk")
    users = {user.name for user in await yard.database.users.list()}
    assert users == {"clerk0", "technician1", "reader2", "clerk3"}
    await yard.database.users.set_duty("clerk3", role="clerk", areas=("hill",), full_name="")
    path = f"/alarms/{(await only(ann))['id']}"
    for person in ("nobody-at-all", "reader2", "clerk3"):  # The last one works elsewhere.
        status, refused = await ann.json("POST", f"/api{path}/assign", {"person": person})
        assert (status, refused["error"]["field"]) == (400, "person"), person
    assert (await reader.json("POST", f"/api{path}/assign", {"person": "clerk0"}))[0] == 403
    assert (await hill.json("POST", f"/api{path}/assign", {"person": "clerk3"}))[0] == 404
    page = text_of(await ann.get(path))
    assert '<option value="technician1">' in page
    assert 'value="reader2"' not in page
    answer = await ann.post(f"{path}/assign", person="technician1", comment="look at the seal")
    assert answer.code == 303
    assert "The alarm is given to technician1." in words_of(await ann.get(path))
    for visitor, query, found in (
        (bob, "me", 1), (ann, "me", 0), (ann, "technician1", 1), (ann, "nobody", 0),
    ):  # fmt: skip
        assert (await visitor.json("GET", f"/api/alarms?assigned={query}"))[1]["total"] == found
    assert "technician1" in text_of(await ann.get("/alarms?format=csv"))
    assert "technician1" in words_of(await bob.get("/alarms?assigned=me"))
    status, given_back = await bob.json("POST", f"/api{path}/assign", {})
    assert (status, given_back["assigned_to"]) == (200, "")
    assert [step["to"] for step in given_back["history"]] == ["", "technician1", ""]
    assert (await ann.json("GET", "/api/alarms?assigned=nobody"))[1]["total"] == 1
    entries, _ = await yard.database.audit.list(act="alarms.assign", outcome="done")
    assert (entries[0].before, entries[1].before) == (
        '{"assigned_to": "technician1"}', '{"assigned_to": ""}'
    )  # fmt: skip
    await ann.json("POST", f"/api{path}/clear", {})
    assert (await ann.json("POST", f"/api{path}/assign", {"person": "clerk0"}))[0] == 409


async def test_a_reader_looks_only(yard: Office) -> None:
    ann = await yard.somebody("reader")
    path = f"/alarms/{(await only(ann))['id']}"
    for act in ("acknowledge", "comment", "mute", "clear"):
        assert (await ann.json("POST", f"/api{path}/{act}", {"comment": "x", "minutes": 1}))[
            0
        ] == 403
    for page in ("/alarms", path):
        assert "/acknowledge" not in text_of(await ann.get(page))


async def test_alarms_of_other_areas_are_not_seen(yard: Office) -> None:
    ann, bob = await yard.somebody("clerk"), await yard.somebody("clerk")
    users = await yard.database.users.list()
    for user, area in zip(users, ("mill", "hill"), strict=True):
        await yard.database.users.set_duty(user.name, role="clerk", areas=(area,), full_name="")
    alarm = await only(ann)
    assert (await bob.json("GET", "/api/alarms"))[1] == {
        "items": [], "total": 0, "standing": {"critical": 0, "major": 0, "minor": 0, "open": 0}
    }  # fmt: skip
    assert METER not in text_of(await bob.get("/alarms?format=csv"))
    assert (await bob.json("GET", f"/api/alarms/{alarm['id']}"))[0] == 404
    for act in ("acknowledge", "comment", "mute", "clear"):
        body = {"comment": "x", "minutes": 1}
        assert (await bob.json("POST", f"/api/alarms/{alarm['id']}/{act}", body))[0] == 404
    assert (await only(ann))["state"] == "open"


async def test_an_alarm_says_what_to_do(yard: Office) -> None:
    ann = await yard.somebody("clerk")
    alarm = await only(ann)
    page = await ann.get(f"/alarms/{alarm['id']}")
    assert re.search(r'<form[^>]*action="/alarms/[0-9a-f]{24}/clear"', text_of(page))
    assert json.loads((await ann.get(f"/api/alarms/{alarm['id']}")).body)["advice"].startswith(
        "Nobody was sent?"
    )
