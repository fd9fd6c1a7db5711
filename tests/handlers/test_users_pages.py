"""Pages of people and roles: who may be given what, and what an administrator cannot break."""

import asyncio
import re

import pytest
from web_helpers import PASSWORD, Office, Visitor, text_of, words_of

from station.handlers.access.people import Permission
from station.store.objects.places import Place
from station.store.objects.users import User


async def put(visitor: Visitor, path: str, **body: object) -> int:
    return (await visitor.json("PUT", path, body))[0]


async def test_a_new_person_gets_a_password_for_one_login(office: Office) -> None:
    boss = await office.somebody()
    assert "Nothing matches" in words_of(await boss.get("/users?text=nobody"))
    page = await boss.post("/users", name="ann", full_name="Test person", role="clerk")
    assert page.code == 201
    assert page.headers["Cache-Control"] == "no-store"
    found = re.search(r'<pre class="address secret">([^<]+)</pre>', text_of(page))
    assert found
    password = found.group(1)
    ann = office.visitor()
    assert (await ann.log_in("ann", password)).code == 303
    refused = await ann.get("/customers")
    assert (refused.code, refused.headers["Location"]) == (303, "/password")
    status, body = await ann.json("GET", "/api/customers")
    assert (status, body["error"]["code"]) == (403, "password_change_needed")
    assert (await ann.get("/password")).code == 200
    same = {"password": password, "new_password": password, "again": password}
    assert (await ann.post("/password", **same)).code == 400
    new = {"password": password, "new_password": PASSWORD, "again": PASSWORD}
    assert (await ann.post("/password", **new)).code == 303
    assert (await ann.get("/customers")).code == 200
    assert (await ann.get("/users")).code == 403
    page = await boss.get("/users?role=clerk")
    assert "Test person" in words_of(page)
    assert "ann" in text_of(await boss.get("/users?format=csv"))


async def test_a_reset_ends_every_login_and_a_one_time_password_runs_out(office: Office) -> None:
    boss, ann = await office.somebody(), await office.somebody("reader")
    status, made = await boss.json("POST", "/api/users/reader1/reset")
    assert status == 200
    assert (await ann.json("GET", "/api/meters"))[0] == 401
    assert (await office.visitor().log_in("reader1")).code == 401
    users = office.database.users
    user = await users.get("reader1")
    assert user.one_time_until is not None
    await users.set_password("reader1", user.password_hash, one_time_until=user.created_at)
    late = await office.visitor().log_in("reader1", made["password"])
    assert late.code == 401
    assert "has run out" in words_of(late)


async def test_who_is_kept_out_is_out_at_once_and_stays_on_record(office: Office) -> None:
    boss, ann = await office.somebody(), await office.somebody("reader")
    assert (await boss.post("/users/reader1/disable")).code == 303
    assert (await ann.json("GET", "/api/meters"))[0] == 401
    refused = await office.visitor().log_in("reader1")
    assert refused.code == 401
    assert "the name or the password is not right" in words_of(refused)  # Tells no stranger.
    assert "kept out" in words_of(await boss.get("/users/reader1"))
    assert (await boss.post("/users/reader1/enable")).code == 303
    assert (await office.visitor().log_in("reader1")).code == 303


async def test_nobody_shuts_themselves_out_and_one_administrator_stays(office: Office) -> None:
    boss = await office.somebody()
    for path, body in (
        ("/api/users/administrator0/disable", None),
        ("/api/users/administrator0/reset", None),
    ):
        status, answer = await boss.json("POST", path, body)
        assert status == 403, path
        assert "another administrator" in answer["error"]["message"]
    assert await put(boss, "/api/users/administrator0", role="reader") == 403
    assert await put(boss, "/api/users/administrator0", role="administrator", full_name="A") == 200
    other = await office.somebody()
    results = await asyncio.gather(
        boss.json("POST", "/api/users/administrator1/disable"),
        other.json("POST", "/api/users/administrator0/disable"),
    )
    assert sorted(status for status, _ in results) in ([200, 401], [200, 409])
    assert await office.database.users.count_active("administrator") == 1


async def test_nobody_gives_more_than_they_have(office: Office) -> None:
    boss = await office.somebody()
    may = [Permission.VIEW.value, Permission.ADMINISTER.value, Permission.SELL.value]
    status, _ = await boss.json("POST", "/api/roles", {"name": "hr", "permissions": may})
    assert status == 201
    hr = await office.somebody("hr")
    assert (await hr.json("POST", "/api/users", {"name": "x", "role": "administrator"}))[0] == 403
    assert (await hr.json("POST", "/api/users", {"name": "x", "role": "technician"}))[0] == 403
    assert (await hr.json("POST", "/api/users", {"name": "x", "role": "reader"}))[0] == 201
    assert (await hr.json("POST", "/api/users/administrator0/reset"))[0] == 403
    assert (await hr.json("POST", "/api/users/administrator0/disable"))[0] == 403
    assert await put(hr, "/api/roles/reader", permissions=["control"]) == 403
    assert (await hr.json("POST", "/api/roles", {"name": "y", "permissions": ["audit"]}))[0] == 403
    assert await put(hr, "/api/roles/reader", permissions=["sell"]) == 200


async def test_who_works_in_an_area_gives_no_wider_one(office: Office) -> None:
    boss = await office.somebody()
    places = office.database.places
    await places.add(Place("north", "organisation", "North"))
    await places.add(Place("north-1", "substation", "North 1", parent="north"))
    await places.add(Place("south", "organisation", "South"))
    status, _ = await boss.json(
        "POST", "/api/roles", {"name": "local", "permissions": ["view", "administer"]}
    )
    assert status == 201
    local = await office.somebody("local")
    assert await put(boss, "/api/users/local1", role="local", areas=["nowhere"]) == 400
    assert await put(boss, "/api/users/local1", role="local", areas=["north"]) == 200
    assert "North / North 1" in text_of(await local.get("/users/new"))
    for areas, wanted in (
        ([], 403),
        (["south"], 403),
        (["north", "south"], 403),
        (["north-1"], 201),
    ):
        body = {"name": "x", "role": "reader", "areas": areas}
        assert (await local.json("POST", "/api/users", body))[0] == wanted, areas


async def test_roles_are_the_sites_to_change_but_for_the_administrator(office: Office) -> None:
    boss, clerk = await office.somebody(), await office.somebody("clerk")
    assert (await clerk.get("/commands")).code == 200
    assert (await clerk.get("/channels/new")).code == 403
    saved = await boss.post("/roles/clerk", permissions=["sell", "configure"], note="here")
    assert (saved.code, saved.headers["Location"]) == (303, "/roles")
    assert (await clerk.get("/channels/new")).code == 200  # At once, in a login that stands.
    assert await office.database.roles.find("clerk") is not None
    assert "here" in words_of(await boss.get("/roles"))
    assert await put(boss, "/api/roles/administrator", permissions=["view"]) == 409
    assert (await boss.json("DELETE", "/api/roles/administrator"))[0] == 409
    assert await put(boss, "/api/roles/clerk", permissions=["everything"]) == 400
    status, role = await boss.json("DELETE", "/api/roles/clerk")
    assert (status, role["permissions"]) == (200, ["view", "collect", "sell"])
    assert (await clerk.get("/channels/new")).code == 403
    assert "always do everything" in words_of(await boss.get("/roles/administrator"))


async def test_a_role_goes_only_when_nobody_has_it(office: Office) -> None:
    boss = await office.somebody()
    form = await boss.post("/roles", name="bad name", permissions=["sell"], note="kept")
    assert form.code == 400
    assert 'value="kept"' in text_of(form)
    assert (await boss.post("/roles", name="fitter", permissions=["collect"])).code == 303
    assert (await boss.json("POST", "/api/roles", {"name": "fitter"}))[0] == 409
    fitter = await office.somebody("fitter")
    assert (await fitter.get("/meters")).code == 200
    assert (await boss.json("DELETE", "/api/roles/fitter"))[0] == 409
    assert await put(boss, "/api/users/fitter1", role="reader") == 200
    assert (await boss.json("DELETE", "/api/roles/fitter"))[0] == 200
    assert await put(boss, "/api/users/fitter1", role="fitter") == 400


@pytest.mark.parametrize("role", ["gone", ""])
async def test_a_role_that_is_gone_may_nothing(office: Office, role: str) -> None:
    ann = await office.somebody("reader")
    await office.database.users.save(
        User("reader0", (await office.database.users.get("reader0")).password_hash, role=role)
    )
    assert (await ann.get("/")).code == 403
