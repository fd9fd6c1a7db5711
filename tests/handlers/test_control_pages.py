"""Control orders and the keep-power list over HTTP: who orders, who agrees, who is protected."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from web_helpers import Office, Visitor, text_of, words_of

from station.store.objects.meters import Meter
from station.store.objects.places import Place
from station.store.objects.terminals import Terminal
from station.units import utc_now

TERMINAL, FAR = "02001234", "02005678"
SHOP, MILL, FARM = "000000000161", "000000000162", "000000000163"
ORDER = {
    "request_id": "r1",
    "devices": [SHOP, MILL],
    "order": "trip",
    "purpose": "unpaid",
    "password": "123456",
}


@pytest.fixture
async def yard(office: Office) -> Office:
    """Two meters behind one terminal and one behind another; all are offline."""
    archive = office.parts.archive
    await archive.add_place(Place("p-near", "organisation", "Near"))
    await archive.add_place(Place("p-far", "organisation", "Far"))
    await archive.add_terminal(Terminal(TERMINAL, "North", place="p-near", groups=("shed",)))
    await archive.add_terminal(Terminal(FAR, "South", place="p-far"))
    await archive.add_meter(Meter(SHOP, "Shop <1>", link=TERMINAL, groups=("shed",)))
    await archive.add_meter(Meter(MILL, "Mill", link=TERMINAL, point=2, ct=20))
    await archive.add_meter(Meter(FARM, "Farm", link=FAR, groups=("shed",)))
    return office


async def order(visitor: Visitor, **body: Any) -> tuple[int, Any]:
    return await visitor.json("POST", "/api/controls", {**ORDER, **body})


async def test_ordered_by_one_approved_by_another(yard: Office) -> None:
    first, second = await yard.somebody("supervisor"), await yard.somebody("administrator")
    status, made = await order(first)
    assert status == 201
    assert (made["state"], made["title"], made["devices"]) == ("waiting", "Trip", 2)
    assert made["why_approval"] == "it is ordered of 2 devices"
    assert "123456" not in str(made)
    path = f"/controls/{made['id']}"
    assert (await order(first))[1]["id"] == made["id"]
    assert (await order(first, order="close"))[0] == 409
    assert (await yard.database.commands.list())[1] == 0, "nothing is ordered before that"

    page = words_of(await first.get("/commands"))
    assert "Waiting for a second person" in page
    assert "somebody else has to agree" in page
    own = await first.get(path)
    assert "You ordered this: somebody else has to agree." in words_of(own)
    assert "approve-order" not in text_of(own)
    status, refused = await first.json("POST", f"/api{path}/approve", {})
    assert (status, refused["error"]["code"]) == (409, "conflict")
    technician = await yard.somebody("technician")
    assert (await technician.json("POST", f"/api{path}/approve", {}))[0] == 403
    assert "approve-order" not in text_of(await technician.get(path))

    shown = await second.get(path)
    assert "approve-order" in text_of(shown)
    assert text_of(shown).count("exchange-frame") == 2, "with the frames as they will be"
    assert "AA AA AA" in text_of(shown) or "DD DD DD" in text_of(shown)
    taken = await second.post(f"{path}/approve")
    assert (taken.code, taken.headers["Location"]) == (303, path)
    _, approved = await second.json("GET", f"/api{path}")
    assert (approved["state"], approved["decided_by"]) == ("approved", "administrator1")
    assert approved["counts"] == {"queued": 2}
    assert [each["state"] for each in approved["items"]] == ["queued", "queued"]
    command = await second.get(f"/commands/{approved['items'][0]['command']}")
    assert "Approved by administrator1" in words_of(command)
    assert f'href="{path}"' in text_of(command)
    assert (await second.json("POST", f"/api{path}/refuse", {"reason": "no"}))[0] == 409
    table = text_of(await second.get(f"{path}?format=csv"))
    assert SHOP in table
    assert "queued" in table

    status, cancelled = await first.json("POST", f"/api{path}/cancel")
    assert (status, cancelled["counts"]) == (200, {"failed": 2})
    _, listed = await first.json("GET", "/api/controls?state=approved")
    assert (listed["total"], listed["items"][0]["id"]) == (1, made["id"])
    assert (await first.json("GET", "/api/controls?text=nothing"))[1]["total"] == 0
    entries, _ = await yard.database.audit.list()
    acts = {entry.act: entry for entry in entries if entry.outcome == "done"}
    assert {"controls.add", "controls.approve", "controls.cancel"} <= set(acts)
    assert acts["controls.approve"].who == "administrator1"
    assert "waiting" in str(acts["controls.approve"].before)
    assert "approved" in str(acts["controls.approve"].after)
    assert "123456" not in str(acts["controls.add"])


async def test_refused_with_a_reason(yard: Office) -> None:
    first, second = await yard.somebody("supervisor"), await yard.somebody("administrator")
    _, made = await order(first)
    path = f"/controls/{made['id']}"
    assert (await second.json("POST", f"/api{path}/refuse", {}))[0] == 400
    status, refused = await second.json("POST", f"/api{path}/refuse", {"reason": "they paid"})
    assert (status, refused["state"], refused["decision"]) == (200, "refused", "they paid")
    assert "they paid" in words_of(await first.get(path))
    assert "Waiting for a second person" not in words_of(await first.get("/commands"))
    _, withdrawn = await order(first, request_id="r2")
    status, gone = await first.json("POST", f"/api/controls/{withdrawn['id']}/cancel")
    assert (status, gone["state"]) == (200, "withdrawn")


async def test_programs_order_single_meters_as_ever(yard: Office) -> None:
    boss = await yard.somebody("supervisor")
    body = {**ORDER, "kind": "control", "meter": SHOP}
    body.pop("devices")
    status, command = await boss.json("POST", "/api/commands", body)
    assert (status, command["state"], command["approved_by"]) == (201, "queued", "")
    status, refused = await boss.json(
        "POST", "/api/commands", {**body, "meter": MILL, "request_id": "r2"}
    )
    assert (status, refused["error"]["code"]) == (409, "needs_approval")
    assert "the meter's ratio is 20, above 1" in refused["error"]["message"]
    assert (await yard.database.commands.list(meter=MILL))[1] == 0


async def test_the_dry_run(yard: Office) -> None:
    boss = await yard.somebody("supervisor")
    form = await boss.get("/controls/new?devices=" + SHOP)
    assert SHOP in text_of(form)
    assert '<option value="shed"' in text_of(form)
    page = await boss.get(f"/controls/dry_run?devices={SHOP}&order=trip")
    assert f"Trip: meter {SHOP}?" in words_of(page)
    assert "A second person" not in words_of(page)
    typed = {
        "kind": "terminal", "devices": f"{TERMINAL}, {FAR}\n", "order": "trip", "round": "2",
        "limit_min": "60", "delay_min": "1",
    }  # fmt: skip
    page = await boss.post("/controls/dry_run", **typed)
    words = words_of(page)
    assert page.code == 200
    assert "Trip, round 2, for 60 min, in 1 min: 2 devices?" in words
    assert "A second person has to agree before anything is sent" in words
    assert text_of(page).count("exchange-frame") == 2
    status, plan = await boss.json(
        "POST", "/api/controls/dry_run", {"group": "shed", "order": "trip"}
    )
    assert (status, plan["total"], plan["why_approval"]) == (
        200,
        2,
        "it is ordered of the group shed",
    )
    assert all(item["frames"] for item in plan["items"])
    assert (await yard.database.control_orders.list())[1] == 0
    for wrong, field in (
        ({"devices": ""}, "choose at least one device, or a group"),
        ({"devices": "nothing"}, "there is no terminal nothing"),
        ({"order": "explode"}, "is none of trip"),
    ):
        answer = await boss.post("/controls/dry_run", **{**typed, **wrong})
        assert answer.code == 400
        assert field in words_of(answer)

    request_id = re.search(r'name="request_id" value="(\w{32})"', text_of(page))
    assert request_id is not None
    refused = await boss.post("/controls", **typed, request_id=request_id[1], purpose=" ")
    assert refused.code == 400
    assert "say why this is ordered" in words_of(refused)
    taken = await boss.post("/controls", **typed, request_id=request_id[1], purpose="too much load")
    assert taken.code == 303
    assert "It waits until somebody else agrees." in words_of(
        await boss.get(taken.headers["Location"])
    )
    status, batch = await boss.json("POST", "/api/controls/look", {"devices": [SHOP, MILL]})
    assert (status, batch["counts"]) == (201, {"queued": 2})
    assert batch["items"][0]["title"] == "Look at the relays"


async def test_the_keep_power_list(yard: Office) -> None:
    boss, technician = await yard.somebody("supervisor"), await yard.somebody("technician")
    empty = await technician.get("/protected")
    assert "Nobody is protected" in words_of(empty)
    assert (await technician.post("/protected", device=SHOP, reason="x")).code == 403
    assert (await boss.post("/protected", device=SHOP, reason=" ")).code == 400
    wrong = await boss.post("/protected", device="nobody", reason="x")
    assert wrong.code == 400
    assert "there is no meter nobody" in words_of(wrong)
    taken = await boss.post("/protected", device=SHOP, reason="<b>dialysis</b>", until="")
    assert taken.code == 303
    page = await technician.get("/protected")
    assert "&lt;b&gt;dialysis&lt;/b&gt;" in text_of(page)
    assert "until it is lifted" in words_of(page)
    tomorrow = (utc_now() + timedelta(days=1)).isoformat()
    body = {"kind": "terminal", "device": FAR, "reason": "fair", "until": tomorrow}
    for far in ("0001-01-01T00:00:00", "9999-12-31T23:59:59-23:00"):
        assert (await boss.json("POST", "/api/protected", {**body, "until": far}))[0] == 400
    assert (await boss.json("POST", "/api/protected", body))[0] == 201
    assert (await boss.json("POST", "/api/protected", body))[0] == 409

    words = "it stands on the keep-power list: <b>dialysis</b>"
    status, refused = await order(boss, devices=[SHOP])
    assert (status, refused["error"]["code"]) == (409, "protected")
    assert refused["error"]["message"] == words
    status, single = await boss.json(
        "POST",
        "/api/commands",
        {"request_id": "x", "kind": "control", "meter": SHOP, "order": "trip", "purpose": "y",
         "password": "123456"},
    )  # fmt: skip
    assert (status, single["error"]["code"]) == (409, "protected")
    _, made = await order(boss)
    assert {each["address"]: each["problem"] for each in made["items"]} == {SHOP: words, MILL: ""}
    plan = words_of(await boss.get(f"/controls/dry_run?devices={SHOP}&order=trip"))
    assert "it stands on the keep-power list" in plan
    assert "Order it" not in plan

    _, listed = await boss.json("GET", "/api/protected?state=standing")
    assert listed["total"] == 2
    entry = next(each for each in listed["items"] if each["address"] == SHOP)
    assert (await technician.json("POST", f"/api/protected/{entry['id']}/lift", {}))[0] == 403
    assert (await boss.json("POST", f"/api/protected/{entry['id']}/lift", {}))[0] == 400
    status, lifted = await boss.json(
        "POST", f"/api/protected/{entry['id']}/lift", {"reason": "moved away"}
    )
    assert (status, lifted["state"], lifted["lifted_by"]) == (200, "lifted", "supervisor0")
    assert (await order(boss, request_id="r3", devices=[SHOP]))[0] == 201
    assert "dialysis" in text_of(await boss.get("/protected?format=csv&state=lifted"))


async def test_people_with_areas_see_and_order_their_own(yard: Office) -> None:
    boss = await yard.somebody("administrator")
    near = await yard.somebody("supervisor")
    user = await yard.database.users.get("supervisor1")
    await yard.database.users.save(replace(user, areas=("p-near",)))
    _, wide = await order(boss, devices=[SHOP, FARM])
    _, narrow = await order(boss, request_id="r2")
    await yard.parts.keep_power.protect("meter", FARM, "hens", None, "x")
    _, listed = await near.json("GET", "/api/controls")
    assert [each["id"] for each in listed["items"]] == [narrow["id"]]
    for path in ("", "/approve", "/refuse", "/cancel"):
        body = {"reason": "x"} if path in ("/approve", "/refuse") else None
        method = "POST" if path else "GET"
        assert (await near.json(method, f"/api/controls/{wide['id']}{path}", body))[0] == 404
    assert (await near.json("GET", f"/api/controls/{narrow['id']}"))[0] == 200
    assert (await near.json("POST", f"/api/controls/{narrow['id']}/approve", {}))[0] == 200
    assert (await order(near, request_id="r4", devices=[FARM]))[0] == 404
    shed = {"group": "shed", "order": "trip"}
    _, plan = await near.json("POST", "/api/controls/dry_run", shed)
    assert [each["address"] for each in plan["items"]] == [SHOP], "the group's that lie there"
    assert (await near.json("GET", "/api/protected"))[1]["total"] == 0
    assert (await near.json("POST", "/api/protected", {"device": FARM, "reason": "x"}))[0] == 404
    assert (await near.get("/commands")).code == 200


async def test_in_chinese(yard: Office) -> None:
    boss = await yard.somebody("supervisor", language="zh")
    _, made = await order(boss)
    page = words_of(await boss.get(f"/controls/{made['id']}"))
    assert "这是您下的令，需由他人审批。" in page
    assert "命令涉及 2 台设备" in page
    assert "保电名单为空" in words_of(await boss.get("/protected"))
