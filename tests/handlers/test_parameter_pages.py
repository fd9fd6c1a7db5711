"""Parameters through the pages: wanted, read, shown before they are sent, set, and read back."""

import asyncio
from dataclasses import replace
from typing import Any

from web_helpers import Office, Visitor, text_of, words_of

from station.store.objects.terminals import Terminal

TERMINAL, METER, OLD = "02001234", "000000000161", "000000000162"
AT = f"/api/terminals/{TERMINAL}/parameters"
SET = {"request_id": "r1", "purpose": "new server", "devices": [TERMINAL]}
WAIT_S = 10.0


async def batch_ended(visitor: Visitor, batch: str, count: int = 0) -> dict[str, Any]:
    """Return a batch once all of its commands, or so many, have ended."""
    deadline = asyncio.get_running_loop().time() + WAIT_S
    while True:
        status, view = await visitor.json("GET", f"/api/parameters/batches/{batch}")
        assert status == 200, view
        counts = view["counts"]
        is_open = sum(counts.get(state, 0) for state in ("queued", "sent"))
        if not is_open or (count and sum(counts.values()) - is_open >= count):
            return view
        assert asyncio.get_running_loop().time() < deadline, view
        await asyncio.sleep(0.02)


async def rows(visitor: Visitor, path: str = AT) -> dict[str, Any]:
    return {row["code"]: row for row in (await visitor.json("GET", path))[1]["items"]}


async def test_a_terminal_from_wanted_to_held(site: Office) -> None:
    boss = await site.somebody("technician")
    wanted = {"values": {"main_ip": "203.0.113.9", "main_port": "7001"}}
    status, row = await boss.json("PUT", f"{AT}/F3", wanted)
    assert (status, row["state"]) == (200, "unread")
    status, taken = await boss.json(
        "POST", "/api/parameters/read", {"devices": [TERMINAL], "request_id": "r0"}
    )
    assert (status, taken["total"]) == (201, 1)
    read = await batch_ended(boss, taken["batch"])
    assert read["counts"] == {"confirmed": 1}
    known = await rows(boss)
    assert known["F3"]["state"] == "different"
    assert [field["key"] for field in known["F3"]["fields"] if field["differs"]] == [
        "main_ip",
        "main_port",
    ]
    assert (known["F8"]["fields"][0]["held_words"], known["F10.1"]["state"]) == (
        "always on line",
        "same",
    )

    status, plan = await boss.json("POST", "/api/parameters/dry_run", {"devices": [TERMINAL]})
    assert (status, plan["frames"], plan["items"][0]["parameters"][0]["code"]) == (200, 1, "F3")
    shown = bytes.fromhex(plan["items"][0]["frames"][0]["hex"])
    assert (await rows(boss))["F3"]["state"] == "different", "nothing was sent"

    status, taken = await boss.json("POST", "/api/parameters/set", SET)
    assert (status, taken["total"], taken["refused"]) == (201, 1, {})
    again = await boss.json("POST", "/api/parameters/set", SET)
    assert again[1]["batch"] == taken["batch"]
    done = await batch_ended(boss, taken["batch"])
    assert done["counts"] == {"confirmed": 1}, done
    assert done["items"][0]["title"] == "Set Station address"
    assert (await rows(boss))["F3"]["state"] == "same"
    sent = [record.raw for record in site.parts.trace.recent(TERMINAL)]
    assert any(without_sequence(raw) == without_sequence(shown) for raw in sent)
    page = await boss.get(f"/commands/{done['items'][0]['id']}")
    assert "203.0.113.9" not in words_of(page)
    assert f'href="/terminals/{TERMINAL}"' in text_of(page)


def without_sequence(raw: bytes) -> bytes:
    """Return a frame without what is given when it is sent: the sequence and the checksum."""
    return raw[:13] + raw[14:-2]


async def test_a_set_waits_for_the_link_and_goes_on_after_a_restart(office: Office) -> None:
    await office.parts.archive.add_terminal(Terminal(TERMINAL, "North"))
    boss = await office.somebody()
    wanted = {"values": {"limit": "1000000"}}
    assert (await boss.json("PUT", f"{AT}/F36", wanted))[0] == 200
    _, taken = await boss.json("POST", "/api/parameters/set", SET)
    assert taken["counts"] == {"queued": 1}
    await office.parts.commands.stop()
    await office.parts.commands.start()
    _, view = await boss.json("GET", f"/api/parameters/batches/{taken['batch']}")
    assert view["counts"] == {"queued": 1}, "a terminal's set needs no password and is not lost"


async def test_a_meter_takes_parameters_a_password_and_an_address(site: Office) -> None:
    boss = await site.somebody()
    path = f"/api/meters/{METER}/parameters"
    for code, value in (("04001001", "50"), ("04010001", "00:00 04, 07:30 02, 21:00 04")):
        status, row = await boss.json("PUT", f"{path}/{code}", {"values": {"value": value}})
        assert status == 200, row
    order = {**SET, "kind": "meter", "devices": [METER], "codes": ["04001001", "04010001"]}
    status, plan = await boss.json("POST", "/api/parameters/dry_run", order)
    assert (status, plan["frames"]) == (200, 2)
    status, refused = await boss.json("POST", "/api/parameters/set", order)
    assert (status, refused["error"]["field"]) == (400, "password")
    status, taken = await boss.json("POST", "/api/parameters/set", {**order, "password": "000000"})
    assert status == 201
    assert (await batch_ended(boss, taken["batch"]))["counts"] == {"confirmed": 1}
    known = await rows(boss, path)
    assert (known["04001001"]["held"], known["04001001"]["state"]) == ({"value": "50.00"}, "same")
    assert known["04010001"]["held"]["value"] == "00:00 04, 07:30 02, 21:00 04"

    ordered = {"kind": "set", "meter": METER, "purpose": "key", "password": "000000"}
    status, other = await boss.json(
        "POST", "/api/commands",
        {**ordered, "request_id": "a1", "parameter": "address", "value": "000000000999"},
    )  # fmt: skip
    assert (status, other["error"]["field"]) == (400, "parameter")
    assert "2 other meters" in other["error"]["message"]
    new = {"request_id": "p1", "parameter": "password", "new_password": "123456", "level": 2}
    status, command = await boss.json("POST", "/api/commands", {**ordered, **new})
    assert status == 201, command
    assert "123456" not in str(command)
    ended = await command_ended(boss, command["id"])
    assert (ended["state"], ended["result"]) == ("confirmed", {"verified": True}), ended
    assert "123456" not in str(ended)
    wrong = {**new, "request_id": "p2", "new_password": "654321"}
    _, command = await boss.json("POST", "/api/commands", {**ordered, **wrong})
    assert (await command_ended(boss, command["id"]))["state"] == "failed"


async def command_ended(visitor: Visitor, command_id: str) -> dict[str, Any]:
    deadline = asyncio.get_running_loop().time() + WAIT_S
    while True:
        _, view = await visitor.json("GET", f"/api/commands/{command_id}")
        if view["state"] not in ("queued", "sent"):
            return view
        assert asyncio.get_running_loop().time() < deadline, view
        await asyncio.sleep(0.02)


async def test_pages_and_forms(site: Office) -> None:
    boss = await site.somebody()
    assert "Nothing is known yet" in words_of(await boss.get("/parameters"))
    page = await boss.get(f"/terminals/{TERMINAL}/parameters")
    assert "Station address" in words_of(page)
    assert "Q/GDW 1376.1, AFN04 F3" in words_of(page)
    chosen = await boss.get(f"/parameters/choose?kind=terminal&device={TERMINAL}&code=F65&number=3")
    assert chosen.headers["Location"] == f"/terminals/{TERMINAL}/parameters/F65.3"
    form = await boss.get(f"/terminals/{TERMINAL}/parameters/F8")
    assert "always on line" in words_of(form)
    wrong = await boss.post(f"/terminals/{TERMINAL}/parameters/F3", **{"value.main_ip": "<b>"})
    assert wrong.code == 400
    assert "does not fit" in words_of(wrong)
    assert "<b>" not in text_of(wrong).split("<main", 1)[1].split("placeholder")[0]
    right = await boss.post(f"/terminals/{TERMINAL}/parameters/F36", **{"value.limit": "5"})
    assert right.code == 303
    dry = await boss.post("/parameters/dry_run", devices=TERMINAL)
    assert "Nothing has been sent yet" in words_of(dry)
    assert "Monthly traffic limit" in words_of(dry)
    refused = await boss.post("/parameters/set", devices=TERMINAL, request_id="f1", purpose="")
    assert refused.code == 400
    taken = await boss.post("/parameters/set", devices=TERMINAL, request_id="f1", purpose="why")
    assert taken.code == 303
    await batch_ended(boss, taken.headers["Location"].rsplit("/", 1)[1])
    assert "1 of 1 have ended" in words_of(await boss.get(taken.headers["Location"]))
    assert "Monthly traffic limit" in words_of(await boss.get("/parameters?state=same"))
    table = text_of(await boss.get("/parameters?format=csv"))
    assert "as wanted" in table
    old = words_of(await boss.get(f"/meters/{OLD}/parameters"))
    assert "Automatic reading day" in old
    reader = await site.somebody("reader")
    assert (await reader.get("/parameters")).code == 200
    assert "Read all" not in words_of(await reader.get(f"/terminals/{TERMINAL}/parameters"))
    zh = words_of(await (await site.somebody(language="zh")).get("/parameters"))
    assert "一致" in zh


async def test_what_is_refused(site: Office) -> None:
    boss = await site.somebody()
    for body, field in (
        ({"devices": []}, "devices"),
        ({"devices": [TERMINAL], "codes": ["F3"]}, None),
        ({"devices": [TERMINAL], "codes": ["F999"]}, "code"),
        ({"devices": ["1"], "kind": "nonsense"}, "kind"),
    ):
        status, answer = await boss.json("POST", "/api/parameters/dry_run", body)
        if field is None:
            assert "nothing is wanted" in answer["items"][0]["problem"]
        else:
            assert (status, answer["error"]["field"]) == (400, field)
    status, _ = await boss.json("POST", "/api/parameters/dry_run", {"devices": ["02009999"]})
    assert status == 404
    assert (await boss.json("GET", "/api/parameters/batches/nothing"))[0] == 404
    assert (await boss.json("GET", f"{AT}/F2"))[0] == 400


async def test_clocks_are_looked_at_and_set(site: Office) -> None:
    boss = await site.somebody("technician")
    assert "No clock was looked at yet" in words_of(await boss.get("/clock"))
    body = {"kind": "meter", "devices": [METER, OLD]}
    status, taken = await boss.json("POST", "/api/clock/check", body)
    assert (status, taken["total"]) == (201, 2)
    looked = await batch_ended(boss, taken["batch"])
    assert "Look at the clock" in {item["title"] for item in looked["items"]}
    _, clocks = await boss.json("GET", "/api/clock?kind=meter")
    known = {row["device"]: row["deviation_s"] for row in clocks["items"]}
    assert all(abs(known[meter]) < 3 for meter in (METER, OLD))

    order = {"purpose": "drift", "kind": "meter", "all": True, "request_id": "c1"}
    status, none = await boss.json("POST", "/api/clock/synchronise", order)
    assert (status, none["error"]["field"]) == (400, "over_s")
    now = {**order, "over_s": 0, "even_now": True, "request_id": "c2"}
    status, taken = await boss.json("POST", "/api/clock/synchronise", now)
    assert (status, taken["total"]) == (201, 2)
    assert (await batch_ended(boss, taken["batch"]))["counts"] == {"confirmed": 2}
    status, refused = await boss.json("POST", "/api/clock/synchronise", {**now, "way": "set"})
    assert (status, refused["error"]["field"]) == (400, "password")

    body = {"kind": "terminal", "devices": [TERMINAL]}
    _, taken = await boss.json("POST", "/api/clock/check", body)
    await batch_ended(boss, taken["batch"])
    page = words_of(await boss.get("/clock?kind=terminal"))
    assert TERMINAL in page
    assert "up to 5 s" in page
    refused = await boss.post("/clock/synchronise", kind="terminal", all="true", request_id="c3")
    assert refused.code == 400
    assert (await boss.get("/clock?format=csv")).body.count(b"\n") >= 3


async def test_a_template_for_a_group(site: Office) -> None:
    boss = await site.somebody("technician")
    terminal = await site.database.terminals.get(TERMINAL)
    far = Terminal("02007777", "Far", groups=("district",))
    await site.parts.archive.add_terminal(far)
    await site.parts.archive.save_terminal(replace(terminal, groups=("district",)))
    body = {"name": "server", "values": {"F36": {"limit": "10"}, "F3": {"main_port": "7009"}}}
    status, template = await boss.json("POST", "/api/parameters/templates", body)
    assert (status, set(template["values"])) == (201, {"F36", "F3"})
    assert (await boss.json("POST", "/api/parameters/templates", body))[0] == 400
    own = {"values": {"F10.1": {"port": "2"}}}
    status, refused = await boss.json("POST", "/api/parameters/templates", {**body, **own})
    assert (status, refused["error"]["field"]) == (400, "code")
    path = f"/parameters/templates/{template['id']}"
    assert (await boss.post(path, code="F3", **{"value.main_port": ""})).code == 303
    assert "Monthly traffic limit" in words_of(await boss.get(path))
    assert "Up-link mode" in words_of(await boss.get(f"{path}?code=F8"))

    targets = {"group": "district", "template": template["id"]}
    status, plan = await boss.json("POST", "/api/parameters/dry_run", targets)
    assert (status, plan["total"], plan["frames"]) == (200, 2, 2)
    assert not {row["device"]: row["online"] for row in plan["items"]}["02007777"]
    order = {**targets, "request_id": "t1", "purpose": "limit"}
    status, taken = await boss.json("POST", "/api/parameters/set", order)
    assert (status, taken["total"]) == (201, 2)
    view = await batch_ended(boss, taken["batch"], count=1)
    states = {item["meter"]: item["state"] for item in view["items"]}
    assert states == {TERMINAL: "confirmed", "02007777": "queued"}
    row = (await rows(boss))["F36"]
    assert (row["state"], row["wanted_by"]) == ("same", "template server")
    assert (await boss.json("DELETE", f"/api{path}"))[0] == 200
    page = await boss.post("/parameters/templates", name="like", like=TERMINAL)
    assert page.code == 303
    assert "Monthly traffic limit" in words_of(await boss.get(page.headers["Location"]))
