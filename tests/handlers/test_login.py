"""Logging in: who gets in, who does not, and what another site can make a browser do."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from web_helpers import PASSWORD, PASSWORD_HASH, Office, text_of

from station.handlers.access import gate
from station.handlers.access.people import hash_token
from station.store.objects.users import User
from station.units import utc_now


async def test_login_page_leads_to_the_page_that_was_asked_for(office: Office) -> None:
    await office.database.users.add(User("ann", PASSWORD_HASH, role="reader"))
    ann = office.visitor()
    refused = await ann.get("/meters?text=shop")
    assert (refused.code, refused.headers["Location"]) == (
        303,
        "/login?next=%2Fmeters%3Ftext%3Dshop",
    )
    page = text_of(await ann.get(refused.headers["Location"]))
    assert 'value="/meters?text=shop"' in page
    assert "Test &lt;site&gt;" in page
    entered = await ann.log_in("ann", next="/meters?text=shop")
    assert (entered.code, entered.headers["Location"]) == (303, "/meters?text=shop")
    assert (await ann.get("/meters?text=shop")).code == 200
    assert (await ann.get("/login")).code == 303  # Nothing to do there any more.


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example/",
        "https://evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/a\tb",
        "x",
    ],
)
async def test_login_leads_nowhere_else(office: Office, target: str) -> None:
    await office.database.users.add(User("ann", PASSWORD_HASH, role="reader"))
    entered = await office.visitor().log_in("ann", next=target)
    assert (entered.code, entered.headers["Location"]) == (303, "/")


async def test_session_cookie_is_out_of_reach_and_the_store_keeps_no_token(office: Office) -> None:
    await office.database.users.add(User("ann", PASSWORD_HASH, role="reader"))
    ann = office.visitor()
    entered = await ann.log_in("ann")
    (line,) = [
        each for each in entered.headers.get_list("Set-Cookie") if each.startswith("session=")
    ]
    assert "HttpOnly" in line
    assert "SameSite=Lax" in line
    token = ann.cookies["session"]
    session = await office.database.sessions.find(hash_token(token))
    assert session is not None
    assert session.user == "ann"
    assert token not in repr(session)


async def test_wrong_name_and_wrong_password_are_told_the_same(office: Office) -> None:
    await office.database.users.add(User("ann", PASSWORD_HASH, role="reader"))
    answers = []
    for name in ("ann", "nobody"):
        visitor = office.visitor()
        answer = await visitor.log_in(name, "wrong password")
        assert answer.code == 401
        assert "session" not in visitor.cookies
        assert f'value="{name}"' in text_of(answer)  # What was typed is kept, but no password.
        assert "wrong password" not in text_of(answer)
        status, body = await office.visitor().json(
            "POST", "/api/login", {"username": name, "password": "wrong"}
        )
        answers.append((status, body))
    assert answers[0] == answers[1]
    assert answers[0][0] == 401
    assert answers[0][1]["error"]["code"] == "login_needed"


async def test_guessing_is_slowed_down_for_that_name_only(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = utc_now()
    monkeypatch.setattr(gate, "utc_now", lambda: now)  # However long a check may take here.
    await office.database.users.add(User("ann", PASSWORD_HASH, role="reader"))
    visitor = office.visitor()
    statuses = []
    for _ in range(5):
        answer = await visitor.send(
            "POST",
            "/api/login",
            '{"username": "ann", "password": "guess"}',
            {"Content-Type": "application/json"},
        )
        statuses.append(answer.code)
    assert statuses == [401, 401, 401, 401, 429]
    assert int(answer.headers["Retry-After"]) >= 1
    status, _ = await visitor.json("POST", "/api/login", {"username": "ann", "password": PASSWORD})
    assert status == 429  # Even the right one waits, or guesses could go on.
    assert (await office.visitor().log_in("ann")).code == 429
    await office.database.users.add(User("reader-1", PASSWORD_HASH, role="reader"))
    assert (await office.visitor().log_in("reader-1")).code == 303


async def test_token_of_the_api_needs_no_cookie_and_no_xsrf(office: Office) -> None:
    await office.database.users.add(User("ann", PASSWORD_HASH, role="technician"))
    client = office.visitor()
    status, body = await client.json(
        "POST", "/api/login", {"username": "ann", "password": PASSWORD}
    )
    assert status == 200
    assert client.cookies["session"] == body["token"]
    program = office.visitor(Authorization=f"Bearer {body['token']}")
    assert (await program.json("GET", "/api/meters"))[0] == 200
    status, body = await program.json(
        "POST", "/api/terminals", {"address": "02001234", "name": "North"}
    )
    assert (status, body["address"]) == (201, "02001234")
    assert (await program.json("POST", "/api/logout"))[0] == 200
    assert (await program.json("GET", "/api/meters"))[0] == 401


async def test_a_wrong_token_is_not_helped_by_a_cookie(office: Office) -> None:
    ann = await office.somebody()
    status, _ = await ann.json("GET", "/api/meters")
    assert status == 200
    answer = await ann.get("/api/meters", Authorization="Bearer of nothing")
    assert answer.code == 401


async def test_forms_without_the_xsrf_token_change_nothing(office: Office) -> None:
    ann = await office.somebody()
    token = ann.cookies["_xsrf"]
    ann.cookies["_xsrf"] = ""
    refused = await ann.post("/terminals", address="02001234", _xsrf=token)
    assert refused.code == 403
    ann.cookies["_xsrf"] = token
    assert (await ann.post("/terminals", address="02001234", _xsrf="")).code == 403
    assert (await ann.json("POST", "/api/logout"))[0] == 200
    assert await office.database.terminals.list() == ([], 0)
    await office.database.users.add(User("eve", PASSWORD_HASH, role="reader"))
    stranger = office.visitor()  # Another site's form, which logs the victim in as eve.
    answer = await stranger.post("/login", username="eve", password=PASSWORD)
    assert answer.code == 403
    assert "session" not in stranger.cookies


async def test_logging_out_ends_the_session_for_good(office: Office) -> None:
    ann = await office.somebody()
    cookies = dict(ann.cookies)
    left = await ann.post("/logout")
    assert (left.code, left.headers["Location"]) == (303, "/login")
    ann.cookies = cookies
    assert (await ann.get("/")).code == 303


async def test_session_ends_after_twelve_idle_hours_and_lives_on_when_used(office: Office) -> None:
    ann = await office.somebody()
    key = hash_token(ann.cookies["session"])
    sessions = office.database.sessions
    session = await sessions.find(key)
    assert session is not None
    assert session.expires_at - session.created_at == timedelta(hours=12)
    early = utc_now() - timedelta(hours=1)
    await sessions.save(replace(session, last_seen=early, expires_at=early + timedelta(hours=12)))
    assert (await ann.get("/meters")).code == 200
    used = await sessions.find(key)
    assert used is not None
    assert used.expires_at > session.expires_at - timedelta(seconds=1)
    await sessions.save(replace(session, expires_at=utc_now() - timedelta(seconds=1)))
    assert (await ann.get("/meters")).code == 303


async def test_removed_user_is_out_at_once(office: Office) -> None:
    ann = await office.somebody()
    (user,) = await office.database.users.list()
    await office.database.users.remove(user.name)
    assert (await ann.json("GET", "/api/meters"))[0] == 401


async def test_changing_ones_password_ends_the_other_logins(office: Office) -> None:
    ann = await office.somebody("reader")
    other = office.visitor()
    assert (await other.log_in("reader0")).code == 303
    assert (await ann.get("/password")).code == 200
    new = "another horse entirely"
    for fields, named in (
        ({"password": "wrong", "new_password": new, "again": new}, "this is not the password"),
        ({"password": PASSWORD, "new_password": new, "again": "x"}, "the two are not the same"),
        ({"password": PASSWORD, "new_password": "short", "again": "short"}, "expected 8 to 200"),
    ):
        refused = await ann.post("/password", **fields)
        assert refused.code == 400
        assert named in text_of(refused)
        assert new not in text_of(refused)
    changed = await ann.post("/password", password=PASSWORD, new_password=new, again=new)
    assert changed.code == 303
    assert (await ann.get("/")).code == 200
    assert (await other.get("/")).code == 303
    assert (await office.visitor().log_in("reader0")).code == 401
    assert (await office.visitor().log_in("reader0", new)).code == 303


async def test_many_logins_at_once_leave_the_loop_free(office: Office) -> None:
    await office.database.users.add(User("ann", PASSWORD_HASH, role="reader"))
    logins = [asyncio.ensure_future(office.visitor().log_in("ann")) for _ in range(4)]
    answered = 0
    while not all(login.done() for login in logins):
        assert (await office.visitor().get("/healthz")).code == 200
        answered += 1
    assert answered > 4
    assert [login.result().code for login in logins].count(303) >= 1
