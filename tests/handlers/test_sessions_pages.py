"""Logins and tokens: seen and ended by their person or an administrator; tokens with a scope."""

from dataclasses import replace
from datetime import timedelta

from web_helpers import Office, text_of, words_of

from station.handlers.access.people import hash_token
from station.units import utc_now


async def test_a_person_sees_the_own_logins_and_ends_the_others(office: Office) -> None:
    ann, boss = await office.somebody("reader"), await office.somebody()
    elsewhere = office.visitor(**{"User-Agent": "A browser <b>elsewhere</b>"})
    assert (await elsewhere.log_in("reader0")).code == 303
    page = await ann.get("/sessions")
    assert "&lt;b&gt;elsewhere&lt;/b&gt;" in text_of(page)
    assert "administrator1" not in text_of(page)
    for secret in (ann.cookies["session"], hash_token(ann.cookies["session"])):
        assert secret not in text_of(page)
    _, listed = await ann.json("GET", "/api/sessions")
    assert listed["total"] == 2
    (own,) = [each for each in listed["items"] if each["is_this"]]
    (other,) = [each for each in listed["items"] if not each["is_this"]]
    assert (await ann.json("DELETE", f"/api/sessions/{other['id']}"))[0] == 200
    assert (await elsewhere.get("/")).code == 303
    assert (await ann.get("/")).code == 200
    assert (await elsewhere.log_in("reader0")).code == 303
    assert (await ann.json("POST", "/api/sessions/end"))[1] == {"ended": 1}
    assert (await elsewhere.get("/")).code == 303
    for path in ("/api/sessions?everybody=true", "/api/sessions?user=administrator1"):
        assert (await ann.json("GET", path))[0] == 403
    _, everybody = await boss.json("GET", "/api/sessions?everybody=true")
    assert {each["user"] for each in everybody["items"]} == {"reader0", "administrator1"}
    (his,) = [each for each in everybody["items"] if each["user"] == "administrator1"]
    assert (await ann.json("DELETE", f"/api/sessions/{his['id']}"))[0] == 403
    assert (await boss.json("DELETE", f"/api/sessions/{own['id']}"))[0] == 200
    assert (await ann.get("/")).code == 303
    for nothing in ("0" * 16, "$regex", ".*", "z" * 16, own["id"][:8]):
        assert (await boss.json("DELETE", f"/api/sessions/{nothing}"))[0] == 404


async def test_an_administrator_ends_every_login_of_a_person(office: Office) -> None:
    ann, boss = await office.somebody("reader"), await office.somebody()
    assert "Logins of reader0" in words_of(await boss.get("/sessions?user=reader0"))
    assert (await boss.json("DELETE", "/api/users/reader0/sessions"))[1] == {"ended": 1}
    assert (await ann.get("/")).code == 303


async def test_a_token_may_no_more_than_its_scope_and_its_person(office: Office) -> None:
    ann = await office.somebody("technician")
    body = {"label": "export", "permissions": ["view"], "days": 30}
    page = await ann.post("/tokens", **body)
    assert page.code == 201
    assert page.headers["Cache-Control"] == "no-store"
    status, made = await ann.json("POST", "/api/tokens", {**body, "permissions": ["configure"]})
    assert (status, made["permissions"]) == (201, ["configure", "view"])
    for path in ("/tokens", "/sessions", "/sessions?kind=token"):
        assert "export configure look" in words_of(await ann.get(path)), path
    program = office.visitor(Authorization=f"Bearer {made['token']}")
    terminal = {"address": "02001234", "name": "North"}
    assert (await program.json("GET", "/api/meters"))[0] == 200
    assert (await program.json("POST", "/api/terminals", terminal))[0] == 201
    assert (await program.json("POST", "/api/completeness/fill", {}))[0] == 403  # Not in its scope.
    narrow = (await ann.json("POST", "/api/tokens", body))[1]["token"]
    reader = office.visitor(Authorization=f"Bearer {narrow}")
    assert (await reader.json("POST", "/api/terminals", {**terminal, "address": "02001235"}))[
        0
    ] == 403
    assert (await ann.json("POST", "/api/tokens", {**body, "permissions": ["sell"]}))[0] == 400
    assert (await ann.json("POST", "/api/tokens", {**body, "days": 367}))[0] == 400
    await office.database.users.set_duty("technician0", role="reader", areas=(), full_name="")
    assert (await program.json("DELETE", "/api/terminals/02001234"))[0] == 403  # Nor a reader's.
    await office.database.users.set_disabled("technician0", True)
    assert (await program.json("GET", "/api/meters"))[0] == 401


async def test_a_token_cannot_change_the_login_of_its_person(office: Office) -> None:
    ann = await office.somebody()
    everything = (await ann.json("POST", "/api/tokens", {"label": "x", "permissions": ["view"]}))[1]
    program = office.visitor(Authorization=f"Bearer {everything['token']}")
    for method, path in (
        ("POST", "/api/tokens"),
        ("GET", "/api/tokens"),
        ("POST", "/api/password"),
        ("POST", "/api/sessions/end"),
        ("DELETE", f"/api/sessions/{everything['id']}"),
    ):
        status, answer = await program.json(method, path, {} if method == "POST" else None)
        assert status == 403, path
        assert "log in" in answer["error"]["message"]


async def test_a_token_ends_by_itself_and_use_does_not_prolong_it(office: Office) -> None:
    ann = await office.somebody()
    _, made = await ann.json("POST", "/api/tokens", {"label": "x", "days": 7})
    program = office.visitor(Authorization=f"Bearer {made['token']}")
    sessions, key = office.database.sessions, hash_token(made["token"])
    session = await sessions.find(key)
    assert session is not None
    assert session.expires_at - session.created_at == timedelta(days=7)
    await sessions.save(replace(session, last_seen=utc_now() - timedelta(hours=1)))
    assert (await program.json("GET", "/api/meters"))[0] == 200
    used = await sessions.find(key)
    assert used is not None
    assert used.expires_at == session.expires_at
    assert utc_now() - used.last_seen < timedelta(minutes=1)
    await sessions.save(replace(session, expires_at=utc_now()))
    assert (await program.json("GET", "/api/meters"))[0] == 401


async def test_a_session_that_was_planted_is_not_taken_over(office: Office) -> None:
    eve = await office.somebody("reader")
    planted = eve.cookies["session"]
    victim = office.visitor()
    victim.cookies["session"] = planted
    await victim.get("/password")  # Sees eve's pages, and logs out of them by logging in.
    await office.somebody()
    assert (await victim.post("/logout")).code in (303, 403)
    victim.cookies["session"] = "planted by a stranger"
    assert (await victim.log_in("administrator1")).code == 303
    assert victim.cookies["session"] not in (planted, "planted by a stranger")
    stranger = office.visitor()
    for token in (planted, "planted by a stranger"):
        stranger.cookies["session"] = token
        assert (await stranger.json("GET", "/api/sessions"))[0] == 401
