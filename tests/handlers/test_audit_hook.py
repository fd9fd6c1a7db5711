"""Every change through the pages leaves its entry, with who, what, before and after."""

import json

import pytest
from tornado.web import RequestHandler
from web_helpers import PASSWORD, Office, text_of, words_of

from station.errors import DatabaseDown
from station.handlers.access.act_names import ACT_NAMES
from station.handlers.access.auditing import CHANGING, Audited, act_code
from station.handlers.routes import routes
from station.store.objects.audit import Entry


async def newest(office: Office) -> Entry:
    await office.parts.audit.settled()
    entries, _ = await office.database.audit.list(limit=1)
    return entries[0]


async def test_an_addition_is_an_entry_when_its_answer_has_come(office: Office) -> None:
    ann = await office.somebody("technician")
    answer = await ann.post("/terminals", address="02001234", name="North")
    assert answer.code == 303, answer.body
    entries, _ = await office.database.audit.list(limit=1)
    entry = entries[0]
    assert (entry.act, entry.object, entry.outcome) == (
        "terminals.add", "/terminals/02001234", "done",
    )  # fmt: skip
    assert (entry.who, entry.via, entry.address) == ("technician0", "browser", "127.0.0.1")
    assert json.loads(entry.after)["name"] == "North"
    assert await office.database.audit.begun("test") == []
    assert (await office.database.audit.verify()).broken is None


async def test_the_page_tells_and_narrows(office: Office) -> None:
    ann = await office.somebody()
    await ann.post("/terminals", address="02001234", name="North")
    await ann.post("/terminals", address="02005678", name="South")
    page = words_of(await ann.get("/audit"))
    assert "terminal added" in page
    assert "/terminals/02001234" in page
    assert "logged in" in page
    status, listed = await ann.json("GET", "/api/audit?text=02005678")
    assert (status, listed["total"]) == (200, 1)
    entry = listed["items"][0]
    assert (entry["who"], entry["act"], entry["after"]["name"]) == (
        "administrator0", "terminals.add", "South",
    )  # fmt: skip
    for query, total in (
        ("who=administrator0", 3),
        ("who=nobody", 0),
        ("act=login", 1),
        ("outcome=refused", 0),
        ("from=2020-01-01&to=2020-01-02", 0),
        ("from=2020-01-01", 3),
        ("size=1&page=2", 3),
    ):
        assert (await ann.json("GET", f"/api/audit?{query}"))[1]["total"] == total, query
    one = words_of(await ann.get(f"/audit/{entry['sequence']}"))
    assert entry["hash"] in one
    table = text_of(await ann.get("/audit?format=csv")).splitlines()
    assert len(table) == 4
    for number in ("0", "99", "x", "9" * 30, "-1"):
        assert (await ann.json("GET", f"/api/audit/{number}"))[0] == 404


async def test_the_page_proves_the_log(office: Office) -> None:
    ann = await office.somebody()
    status, verdict = await ann.json("GET", "/api/audit/verify")
    assert (status, verdict["holds"], verdict["count"]) == (200, True, 1)
    good = f"sequence=1&hash={verdict['head']}"
    assert "agrees with what was noted" in words_of(await ann.get(f"/audit/verify?{good}"))
    page = words_of(await ann.get(f"/audit/verify?sequence=1&hash={'0' * 64}"))
    assert "its hash is another than the one that was noted" in page


async def test_only_who_may_see_the_log_sees_it(office: Office) -> None:
    for role in ("technician", "supervisor", "clerk", "reader"):
        bob = await office.somebody(role)
        for path in ("/api/audit", "/api/audit/1", "/api/audit/verify"):
            assert (await bob.json("GET", path))[0] == 403, (role, path)
        assert 'href="/audit"' not in text_of(await bob.get("/meters"))


async def test_an_edit_tells_before_and_after(office: Office) -> None:
    ann = await office.somebody()
    await ann.post("/terminals", address="02001234", name="North")
    await ann.post("/terminals/02001234", address="02001234", name="Northern")
    entry = await newest(office)
    assert (entry.act, entry.object) == ("terminals.change", "/terminals/02001234")
    assert json.loads(entry.before)["name"] == "North"
    assert json.loads(entry.after)["name"] == "Northern"


async def test_a_mistyped_form_leaves_nothing_and_a_refused_act_its_reason(office: Office) -> None:
    ann = await office.somebody()
    before = (await newest(office)).sequence
    assert (await ann.post("/terminals", address="", name="North")).code == 400
    assert (await ann.post("/terminals/99999999", name="North")).code == 404
    assert (await newest(office)).sequence == before
    assert await office.database.audit.begun("test") == []
    await ann.post("/terminals", address="02001234", name="North")
    assert (await ann.post("/terminals", address="02001234", name="North")).code == 409
    entry = await newest(office)
    assert (entry.outcome, entry.detail) == (
        "refused",
        "the name 02001234 is taken by a terminal or a channel",
    )
    bob = await office.somebody("reader")
    assert (await bob.post("/terminals", address="02009999", name="Mine")).code == 403
    entry = await newest(office)
    assert (entry.who, entry.act, entry.outcome) == ("reader1", "terminals.add", "refused")


async def test_logins_are_told_and_what_was_typed_is_not(office: Office) -> None:
    ann = await office.somebody()
    stranger = office.visitor()
    await stranger.log_in("administrator0", "not-the-password")
    entry = await newest(office)
    assert (entry.act, entry.who, entry.object, entry.outcome) == (
        "login", "", "/users/administrator0", "refused",
    )  # fmt: skip
    await stranger.log_in("my-secret-typed-here", "x" * 10)
    entry = await newest(office)
    assert (entry.object, entry.outcome) == ("/login", "refused")
    await ann.post("/logout")
    entry = await newest(office)
    assert (entry.act, entry.who, entry.outcome) == ("logout", "administrator0", "done")
    told = [str(each) async for each in office.database.audit.all()]
    for secret in ("not-the-password", "my-secret", PASSWORD, *ann.cookies.values()):
        assert not any(secret in each for each in told)


async def test_without_the_log_nothing_is_done(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await office.somebody()

    async def gone(_: Entry) -> None:
        raise DatabaseDown("the database does not answer")

    monkeypatch.setattr(office.database.audit, "begin", gone)
    assert (await ann.post("/terminals", address="02001234", name="North")).code == 503
    assert await office.database.terminals.find("02001234") is None
    stranger = office.visitor()
    assert (await stranger.log_in("administrator0")).code == 503
    assert "session" not in stranger.cookies


async def test_an_act_that_breaks_is_told(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = await office.somebody()

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(office.parts.archive, "add_terminal", broken)
    assert (await ann.post("/terminals", address="02001234", name="North")).code == 500
    entry = await newest(office)
    assert (entry.outcome, entry.detail) == ("failed", "RuntimeError")


def test_every_act_has_a_name() -> None:
    unnamed = set()
    for pattern, handler in routes():
        path = pattern.removeprefix("(?:/api)?").replace("([^/]+)", "thing")
        varying = ["thing"] * path.count("thing")
        for method in CHANGING:
            is_there = getattr(handler, method.lower()) is not getattr(
                RequestHandler, method.lower()
            )
            if is_there and issubclass(handler, Audited) and handler.is_act:
                code = act_code(method, path, varying)
                unnamed |= {code} - ACT_NAMES.keys()
    assert unnamed == set()
