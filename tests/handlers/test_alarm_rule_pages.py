"""Rules of alarms over HTTP: made, refused, changed, tried out, muted, removed; by whom."""

from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler
from web_helpers import Office, Visitor, text_of, words_of

from station.business.webhook import Webhook

RULE = {"name": "Night crew", "way": "email", "targets": ["crew@example.org"]}


async def make(visitor: Visitor, **changes: Any) -> tuple[int, Any]:
    return await visitor.json("POST", "/api/alarms/rules", {**RULE, **changes})


async def test_make_change_mute_and_remove(office: Office) -> None:
    boss = await office.somebody()
    assert "Nobody is told" in words_of(await boss.get("/alarms/rules"))
    assert "Who is told" in words_of(await boss.get("/alarms"))
    form = await boss.get("/alarms/rules/new")
    assert "E-mail needs mail.host" in words_of(form)
    fields = {
        "name": "Night <crew>", "way": "email", "targets": "a@example.org\nb@example.org",
        "least": "critical", "kinds": ["cover", "silent"], "groups": "shops，mills",
        "quiet_from": "22:00", "quiet_to": "06:00", "critical_always": "false",
        "also_cleared": "true", "enabled": "true", "language": "zh",
    }  # fmt: skip
    answer = await boss.post("/alarms/rules", **fields)
    path = answer.headers["Location"]
    assert answer.code == 303
    status, rule = await boss.json("GET", f"/api{path}")
    assert status == 200
    assert (rule["targets"], rule["kinds"], rule["groups"]) == (
        ["a@example.org", "b@example.org"], ["cover", "silent"], ["shops", "mills"]
    )  # fmt: skip
    assert (rule["quiet_from"], rule["quiet_to"], rule["critical_always"]) == (
        "22:00", "06:00", False
    )  # fmt: skip
    page = text_of(await boss.get(path))
    assert "Night &lt;crew&gt;" in page
    assert "Night <crew>" not in page
    assert "22:00" in words_of(await boss.get("/alarms/rules"))
    status, changed = await boss.json("POST", f"/api{path}", {**RULE, "least": "minor"})
    assert (status, changed["least"], changed["quiet_from"]) == (200, "minor", "")
    status, muted = await boss.json("POST", f"/api{path}/mute", {"minutes": 60})
    assert status == 200
    assert muted["muted_until"] is not None
    assert "muted" in words_of(await boss.get("/alarms/rules"))
    assert "crew@example.org" in text_of(await boss.get("/alarms/rules?format=csv"))
    assert (await boss.json("DELETE", f"/api{path}"))[0] == 200
    assert (await boss.json("GET", f"/api{path}"))[0] == 404


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"targets": []}, "targets"),
        ({"targets": ["nobody"]}, "targets"),
        ({"targets": ["a@b\r\nBcc: c@d"]}, "targets"),
        ({"way": "webhook", "targets": ["file:///etc/passwd"]}, "targets"),
        ({"way": "webhook", "targets": ["https://"]}, "targets"),
        ({"kinds": ["nothing"]}, "kinds"),
        ({"areas": [{"$ne": ""}]}, "areas"),
        ({"areas": ["nowhere"]}, "areas"),
        ({"person": "nobody"}, "person"),
        ({"quiet_from": "22:00"}, "quiet_to"),
        ({"quiet_from": "25:00", "quiet_to": "06:00"}, "quiet_from"),
        ({"quiet_from": "06:00", "quiet_to": "06:00"}, "quiet_to"),
        ({"least": "loud"}, "least"),
        ({"name": ""}, "name"),
    ],
)
async def test_what_cannot_be_is_refused(
    office: Office, changes: dict[str, Any], field: str
) -> None:
    boss = await office.somebody()
    status, refused = await make(boss, **changes)
    assert (status, refused["error"]["field"]) == (400, field)
    assert (await boss.json("GET", "/api/alarms/rules"))[1]["total"] == 0


async def test_a_refused_form_keeps_what_was_typed(office: Office) -> None:
    boss = await office.somebody()
    answer = await boss.post(
        "/alarms/rules", name="Crew", way="email", targets="nobody", kinds=["cover"], least="minor"
    )
    assert answer.code == 400
    assert "nobody is not an e-mail address" in words_of(answer)
    assert '<option value="cover" selected>' in text_of(answer)


async def test_a_trial_is_sent_at_once_and_its_failure_told(office: Office) -> None:
    boss = await office.somebody()
    _, rule = await make(boss)
    status, refused = await boss.json("POST", f"/api/alarms/rules/{rule['id']}/test")
    assert (status, refused["error"]["code"]) == (502, "not_delivered")
    assert "email is not set up on this station" in refused["error"]["message"]


async def test_a_trial_of_a_webhook(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    posts: list[str] = []

    class Post(RequestHandler):
        def post(self) -> None:
            posts.append(self.request.headers["X-Station-Signature"])

    server = HTTPServer(Application([("/hook", Post)]))
    socket, port = bind_unused_port()
    server.add_socket(socket)
    webhook = Webhook("key", site="Site", station="test", url="")
    monkeypatch.setattr(office.parts.outbox, "_carriers", {"webhook": webhook})
    boss = await office.somebody()
    _, rule = await make(boss, way="webhook", targets=[f"http://127.0.0.1:{port}/hook"])
    assert len(rule["secret"]) == 64
    answer = await boss.post(f"/alarms/rules/{rule['id']}/test")
    assert answer.code == 303
    assert "A trial was sent and taken." in words_of(await boss.get(answer.headers["Location"]))
    server.stop()
    await server.close_all_connections()
    assert len(posts) == 1


async def test_rules_are_the_administrators(office: Office) -> None:
    boss, technician = await office.somebody(), await office.somebody("technician")
    _, rule = await make(boss)
    assert (await technician.json("GET", "/api/alarms/rules"))[0] == 403
    assert (await make(technician))[0] == 403
    assert (await technician.json("DELETE", f"/api/alarms/rules/{rule['id']}"))[0] == 403
    assert "/alarms/rules" not in text_of(await technician.get("/alarms"))
