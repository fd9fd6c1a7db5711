"""Meters and transformers are exchanged: nothing is lost of what the old ones showed."""

from typing import Any

import pytest
from counter_site import CounterSite
from web_helpers import Office, text_of, words_of

OLD, NEW = "000000000161", "000000000999"
TOTAL = "energy_import_total"
BODY: dict[str, Any] = {
    "address": NEW,
    "ct": 20,
    "at": "2026-03-01T10:00:00Z",
    "old_registers": {TOTAL: "1234.56", "energy_import_t1": "100.00"},
    "new_registers": {TOTAL: "0.03"},
    "reason": "Display dead",
}
TASK = {"name": "One", "items": [TOTAL], "period_min": 15, "target_kind": "meters"}


async def test_a_meter_is_exchanged_by_json(site: Office) -> None:
    ann = await site.somebody("technician")
    status, task = await ann.json("POST", "/api/tasks", {**TASK, "targets": [OLD]})
    assert status == 201
    status, made = await ann.json("POST", f"/api/meters/{OLD}/exchange", BODY)
    assert status == 201, made
    assert (made["old"], made["new"], made["by"]) == (OLD, NEW, "technician0")
    assert made["old_registers"] == {TOTAL: "1234.56", "energy_import_t1": "100.00"}
    _, old = await ann.json("GET", f"/api/meters/{OLD}")
    _, new = await ann.json("GET", f"/api/meters/{NEW}")
    assert (old["stage"], old["stage_since"]) == ("removed", "2026-03-01T10:00:00Z")
    assert (new["stage"], new["ct"], new["pt"]) == ("active", 20, 1)
    for name in ("link", "point", "port", "line", "name"):
        assert new[name] == old[name]
    _, followed = await ann.json("GET", f"/api/tasks/{task['id']}")
    assert followed["targets"] == [NEW]
    status, answer = await ann.json("POST", f"/api/meters/{OLD}/read", {"items": [TOTAL]})
    assert (status, answer["error"]["message"]) == (
        409, f"{OLD} is removed: nothing is sent to it",
    )  # fmt: skip
    status, _ = await ann.json("POST", f"/api/meters/{OLD}/exchange", {**BODY, "address": "1" * 12})
    assert status == 409
    _, changes = await ann.json("GET", f"/api/changes?object=meter&key={OLD}")
    assert changes["items"][0]["reason"] == "Display dead"


async def test_a_meter_is_exchanged_by_form(site: Office) -> None:
    ann = await site.somebody("technician")
    assert (await ann.get(f"/meters/{OLD}/exchange")).code == 200
    form = {"address": NEW, "protocol": "dlt645-2007", "reason": "Burnt"}
    written = {f"old_registers-{TOTAL}": "17.5", f"new_registers-{TOTAL}": "0"}
    refused = await ann.post(f"/meters/{OLD}/exchange", **form)
    assert refused.code == 400
    assert "the total register is needed" in words_of(refused)
    assert NEW in text_of(refused)
    saved = await ann.post(f"/meters/{OLD}/exchange", **form, **written)
    assert (saved.code, saved.headers["Location"]) == (303, f"/meters/{NEW}")
    assert "set its list of meters" in words_of(await ann.get(f"/meters/{NEW}"))
    listed = words_of(await ann.get(f"/exchanges?meter={NEW}"))
    assert "17.5" in listed
    assert "Burnt" in text_of(await ann.get("/exchanges?format=csv"))


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"address": "000000000162"}, 409, "is in use; it cannot replace another"),
        ({"address": OLD}, 409, "is in use; it cannot replace another"),
        ({"address": "12"}, 400, "is not 12 digits"),
        ({"at": "2999-01-01T00:00:00Z"}, 400, "this moment has not come yet"),
        ({"old_registers": {}}, 400, "the total register is needed"),
        ({"new_registers": {TOTAL: "1000000"}}, 400, "0 to 999999.99"),
        ({"new_registers": {TOTAL: "-1"}}, 400, "0 to 999999.99"),
        ({"new_registers": {TOTAL: "1.23456"}}, 400, "at most 4 decimals"),
        ({"new_registers": {TOTAL: "NaN"}}, 400, ""),
        ({"new_registers": {TOTAL: "1", "voltage_a": "1"}}, 400, "voltage_a is no register"),
    ],
)
async def test_refused_exchanges_change_nothing(
    site: Office, change: dict[str, Any], status: int, message: str
) -> None:
    ann = await site.somebody("technician")
    got, answer = await ann.json("POST", f"/api/meters/{OLD}/exchange", {**BODY, **change})
    assert got == status
    assert message in answer["error"]["message"]
    assert (await ann.json("GET", "/api/exchanges"))[1]["total"] == 0
    assert (await ann.json("GET", f"/api/meters/{OLD}"))[1]["stage"] == "active"
    assert (await ann.json("GET", f"/api/meters/{NEW}"))[0] == 404


async def test_ratios_change_by_a_record(site: Office) -> None:
    ann = await site.somebody("technician")
    assert (await ann.get(f"/meters/{OLD}/ratio")).code == 200
    body = {"ct": 40, "pt": 1, "at": "2026-03-01T10:00:00Z", "registers": {TOTAL: "5"}}
    status, made = await ann.json("POST", f"/api/meters/{OLD}/ratio", body)
    assert (status, made["ct"], made["new_ct"], made["new_registers"]) == (201, 1, 40, {TOTAL: "5"})
    assert (await ann.json("GET", f"/api/meters/{OLD}"))[1]["ct"] == 40
    status, answer = await ann.json("POST", f"/api/meters/{OLD}/ratio", body)
    assert (status, answer["error"]["field"]) == (400, "at")
    later = {"ct": "40", "pt": "1", "at": "2026-03-02T10:00", f"registers-{TOTAL}": "6"}
    assert "these are its ratios already" in words_of(
        await ann.post(f"/meters/{OLD}/ratio", **later)
    )
    form = {**later, "ct": "60"}
    assert (await ann.post(f"/meters/{OLD}/ratio", **form)).code == 303
    form = {"link": "02001234", "ct": "1", "name": "Shop"}
    assert (await ann.post(f"/meters/{OLD}", **form)).code == 303
    assert (await ann.json("GET", f"/api/meters/{OLD}"))[1]["ct"] == 60  # No plain edit.
    _, listed = await ann.json("GET", f"/api/exchanges?meter={OLD}")
    assert [each["new_ct"] for each in listed["items"]] == [60, 40]


async def test_a_meter_with_an_account_says_whose_it_is(counter: CounterSite) -> None:
    clerk = await counter.office.somebody("clerk")
    account, _ = await counter.opened(clerk)
    ann = await counter.office.somebody("technician")
    page = text_of(await ann.get(f"/meters/{OLD}"))
    assert f'href="/accounts/{account}"' in page
    form = {"address": NEW, f"old_registers-{TOTAL}": "1", f"new_registers-{TOTAL}": "0"}
    assert (await ann.post(f"/meters/{OLD}/exchange", **form)).code == 303
    notice = words_of(await ann.get(f"/meters/{NEW}"))
    assert "Its prepaid account has to be moved at the counter." in notice
