"""Tariffs over HTTP: versions, their form, the preview, and the second person."""

import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from web_helpers import Office, Visitor, text_of, words_of

from station.store.objects.accounts import Account
from station.store.objects.base import new_id
from station.store.objects.tariffs import PriceSet, TariffVersion
from station.units import local_day, utc_now


def day(office: Office, days: int) -> str:
    today = local_day(utc_now(), office.parts.config.site.zone_info)
    return (today + timedelta(days=days)).isoformat()


def a_tariff(office: Office, **changes: Any) -> dict[str, Any]:
    body = {
        "request_id": new_id(),
        "tariff": "HOME-1",
        "name": "Homes",
        "effective_on": day(office, 0),
        "main_rates": ["0.5283"],
        "main_period": "year",
        "main_thresholds": ["230", "400"],
        "main_step_prices": ["0", "0.05", "0.3"],
        "main_settlement_days": ["01-01 00"],
        "alarm1_fen": 5000,
        "alarm2_fen": 2000,
        "hoarding_fen": 100000,
    }
    return {**body, **changes}


@pytest.fixture
async def ann(office: Office) -> Visitor:
    """A technician, who writes tariffs."""
    return await office.somebody("technician")


@pytest.fixture
async def sue(office: Office) -> Visitor:
    """A supervisor, who approves them."""
    return await office.somebody("supervisor")


async def add(visitor: Visitor, body: dict[str, Any]) -> dict[str, Any]:
    status, version = await visitor.json("POST", "/api/tariffs", body)
    assert status == 201, version
    return version


async def test_a_version_goes_from_draft_to_approved(
    office: Office, ann: Visitor, sue: Visitor
) -> None:
    version = await add(ann, a_tariff(office))
    assert (version["state"], version["number"], version["accounts"]) == ("draft", 1, 0)
    assert version["main"]["rates"] == ["0.5283"]
    assert version["main"]["ends"] == ["2760.00", "4800.00"]
    assert (await ann.json("POST", "/api/tariffs", a_tariff(office, request_id=version["id"])))[
        1
    ] == version
    path = f"/api/tariffs/{version['id']}"
    status, refused = await sue.json("POST", f"{path}/approve")
    assert (status, refused["error"]["message"]) == (
        409,
        "version 1 of HOME-1 is not submitted yet",
    )
    assert (await ann.json("POST", f"{path}/submit"))[1]["state"] == "submitted"
    assert (await ann.json("POST", f"{path}/approve"))[0] == 403
    status, approved = await sue.json("POST", f"{path}/approve")
    assert (status, approved["state"], approved["is_current"]) == (200, "approved", True)
    status, refused = await ann.json("POST", f"{path}/withdraw", {"reason": "too late"})
    assert (status, refused["error"]["message"]) == (
        409,
        "version 1 of HOME-1 is approved already",
    )


async def test_nobody_approves_their_own(office: Office) -> None:
    """An administrator may both write and approve, but not the same version."""
    one, other = await office.somebody(), await office.somebody()
    version = await add(one, a_tariff(office))
    path = f"/tariffs/{version['id']}"
    assert (await one.post(f"{path}/submit")).code == 303
    page = await one.get(path)
    assert "A second person must approve" in words_of(page)
    assert "approve-version" not in text_of(page)
    refused = await one.post(f"{path}/approve")
    assert (refused.code, "a second person must approve" in words_of(refused)) == (409, True)
    assert "Approve for 0 accounts" in words_of(await other.get(path))
    approved = await other.post(f"{path}/approve")
    assert approved.code == 303
    assert "It holds from" in words_of(await other.get(path))


async def test_who_may_do_what(office: Office, ann: Visitor, sue: Visitor) -> None:
    clerk = await office.somebody("clerk")
    version = await add(ann, a_tariff(office))
    path = f"/api/tariffs/{version['id']}"
    for visitor in (clerk, sue):
        assert (await visitor.json("GET", "/api/tariffs"))[1]["total"] == 1
        assert (await visitor.json("POST", "/api/tariffs", a_tariff(office)))[0] == 403
        assert (await visitor.get("/tariffs/new")).code == 403
        assert (await visitor.json("POST", f"{path}/submit"))[0] == 403
    assert (await clerk.json("POST", f"{path}/approve"))[0] == 403
    assert (await clerk.json("POST", f"{path}/withdraw", {"reason": "no"}))[0] == 403
    status, withdrawn = await sue.json("POST", f"{path}/withdraw", {"reason": " a  wrong day "})
    assert (status, withdrawn["state"], withdrawn["reason"]) == (200, "withdrawn", "a wrong day")
    assert (await sue.json("POST", f"{path}/withdraw", {"reason": ""}))[0] == 400


async def test_an_approval_that_comes_too_late(office: Office, ann: Visitor, sue: Visitor) -> None:
    yesterday = local_day(utc_now(), office.parts.config.site.zone_info) - timedelta(days=1)
    late = TariffVersion(
        new_id(), "OLD", "Old", PriceSet((Decimal("0.5"),)), yesterday, "somebody", utc_now()
    )
    await office.database.tariffs.add_version(late)
    await office.database.tariffs.submit(late.id, "somebody", utc_now())
    status, refused = await sue.json("POST", f"/api/tariffs/{late.id}/approve")
    assert (status, refused["error"]["field"]) == (400, "effective_on")
    status, refused = await ann.json(
        "POST", "/api/tariffs", a_tariff(office, effective_on=yesterday.isoformat())
    )
    assert (status, refused["error"]["field"]) == (400, "effective_on")


FORM: dict[str, Any] = {
    "tariff": "SHOP",
    "name": " Shops  and offices ",
    "main_rates": ["1.2", "0.9", "0.6", "0.3"] + [""] * 28,
    "main_period": "",
    "has_backup": "yes",
    "backup_rates": ["1.3", "1.0", "0.7", "0.4"],
    "backup_period": "month",
    "backup_thresholds": ["200", "", "", "", "", ""],
    "backup_step_prices": ["0", "0.1", "", "", "", "", ""],
    "alarm1": "50",
    "alarm2": "20.00",
    "overdraft": "",
    "hoarding": "1000",
}


async def test_the_form_keeps_what_was_typed(office: Office, ann: Visitor) -> None:
    form = {**FORM, "effective_on": day(office, 1), "switch_at": f"{day(office, 30)}T00:00"}
    saved = await ann.post("/tariffs", **form, ladder_switch_at="")
    assert saved.code == 303, words_of(saved)
    page = words_of(await ann.get(saved.headers["Location"]))
    for words in ("Tariff SHOP, version 1", "Shops and offices", "Sharp 1.2000", "Valley 0.3000",
                  "200.00", "never begin it anew", "ladder of the backup set has no switch time",
                  "50.00 yuan", "0 accounts have", "100.00 yuan buy 133.33 kWh"):  # fmt: skip
        assert words in page, words
    version = await office.database.tariffs.get(saved.headers["Location"].rsplit("/", 1)[1])
    assert version.main == PriceSet(tuple(map(Decimal, ("1.2", "0.9", "0.6", "0.3"))))
    assert version.backup is not None
    assert version.backup.thresholds == (Decimal(200),)
    assert (version.alarm1_fen, version.overdraft_fen) == (5000, 0)
    assert str(version.switch_at) == f"{day(office, 30)} 00:00:00"
    copy = text_of(await ann.get(f"/tariffs/new?copy_of={version.id}"))
    for value in ('value="SHOP"', 'value="1.2000"', 'value="0.1000"', 'value="50.00"',
                  'value="yes" checked', f'value="{day(office, 30)}T00:00"'):  # fmt: skip
        assert value in copy, value


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"main_rates": ["0.5", "", "0.3"]}, "main_rates", "number 2 is empty"),
        ({"main_rates": ["cheap"]}, "main_rates", "expected numbers such as 0.5283"),
        ({"main_rates": ["NaN"]}, "main_rates", "expected numbers such as 0.5283"),
        ({"main_rates": [""]}, "main_rates", "a set has 1 to 32 rates"),
        ({"backup_rates": ["12345"]}, "backup_rates", "expected 0 to 9999.9999, got 12345"),
        ({"backup_step_prices": ["0"]}, "backup_step_prices", "1 ends of steps need 2"),
        ({"tariff": "TWO WORDS"}, "tariff", "a code is 1 to 16"),
        ({"effective_on": "soon"}, "effective_on", "expected a date such as 2026-01-31"),
        ({"alarm2": "50.01"}, "alarm2", "lies above alarm amount 1"),
        ({"alarm1": "0.001"}, "alarm1", "at most two decimals"),
        ({"switch_at": "2020-01-01T00:00"}, "switch_at", "after the first day"),
    ],
)
async def test_a_form_that_cannot_be_is_shown_again(
    office: Office, ann: Visitor, changes: dict[str, Any], field: str, words: str
) -> None:
    refused = await ann.post("/tariffs", **{**FORM, "effective_on": day(office, 1), **changes})
    assert refused.code == 400
    assert words in words_of(refused), words_of(refused)
    assert f'id="field-{field}' in text_of(refused)
    assert 'value="0.7"' in text_of(refused) or "backup_rates" in changes
    assert (await ann.json("GET", "/api/tariffs"))[1]["total"] == 0


async def test_numbers_without_end_are_refused(office: Office, ann: Visitor) -> None:
    for field in ("main_rates", "main_thresholds", "main_step_prices"):
        for number in ("9e999999", "-1", "1e-30", "Infinity"):
            body = a_tariff(
                office, **{field: [number] * 3 if field != "main_thresholds" else ["1", number]}
            )
            status, refused = await ann.json("POST", "/api/tariffs", body)
            assert (status, refused["error"]["field"]) == (400, field), (field, number)
    sample = {"used": "9e999999"}
    status, _ = await ann.json("POST", "/api/tariffs/preview", {**a_tariff(office), **sample})
    assert status == 400


async def test_preview_before_a_version_is_kept(office: Office, ann: Visitor) -> None:
    body = a_tariff(office, tariff="", name="", amount_fen=20_000, used="2700")
    status, found = await ann.json("POST", "/api/tariffs/preview", body)
    assert status == 200, found
    preview = found["main_preview"]
    assert [step["energy"] for step in preview["steps"]] == ["60.00", "291.02"]
    assert sum(step["amount_fen"] for step in preview["steps"]) + preview["remainder_fen"] == 20_000
    assert (found["backup"], found["accounts"]) == (None, 0)
    over = await ann.json("POST", "/api/tariffs/preview", {**body, "amount_fen": 100_001})
    assert [each["code"] for each in over[1]["main_preview"]["warnings"]] == ["hoarding"]
    form = {**FORM, "effective_on": day(office, 1), "amount": "50"}
    shown = words_of(await ann.post("/tariffs/preview", **form))
    assert "50.00 yuan buy 66.66 kWh" in shown
    empty = words_of(await ann.post("/tariffs/preview", effective_on=day(office, 1)))
    assert empty == "type the prices, and what they give is shown here"
    assert (await ann.json("GET", "/api/tariffs"))[1]["total"] == 0


async def test_preview_of_a_purchase_at_a_version(office: Office, ann: Visitor) -> None:
    version = await add(ann, a_tariff(office, backup_rates=["1"]))
    clerk = await office.somebody("clerk")
    path = f"/api/tariffs/{version['id']}/preview"
    _, found = await clerk.json("GET", f"{path}?amount=100&balance_fen=-5000")
    assert (found["settled_fen"], found["energy"]) == (5000, "94.64")
    _, found = await clerk.json("GET", f"{path}?energy=100")
    assert (found["amount_fen"], found["energy"]) == (5283, "100.00")
    _, found = await clerk.json("GET", f"{path}?amount_fen=1000&prices=backup")
    assert found["energy"] == "10.00"
    assert (await clerk.json("GET", f"{path}?amount=ten"))[0] == 400
    page = words_of(await clerk.get(f"/tariffs/{version['id']}/preview?amount=20"))
    assert page.startswith("20.00 yuan buy 37.85 kWh")
    assert "below alarm amount 1 (50.00): the meter warns at once" in page


async def test_a_change_tells_how_many_accounts_it_touches(
    office: Office, ann: Visitor, sue: Visitor
) -> None:
    for number in range(1, 4):
        meter = f"{number:012}"
        account = Account(new_id(), meter, meter, tariff="HOME-1", state="open")
        await office.database.accounts.add(account)
    closed = Account(new_id(), f"{4:012}", f"{4:012}", tariff="HOME-1", state="closed")
    await office.database.accounts.add(closed)
    await office.database.accounts.add(replace(closed, id=new_id(), tariff="SHOP", state="open"))
    body = a_tariff(office, backup_rates=["0.6"], switch_at=f"{day(office, 30)}T00:00")
    assert (await ann.json("POST", "/api/tariffs/preview", body))[1]["accounts"] == 3
    version = await add(ann, body)
    assert version["accounts"] == 3
    await ann.json("POST", f"/api/tariffs/{version['id']}/submit")
    page = words_of(await sue.get(f"/tariffs/{version['id']}"))
    assert "Approve for 3 accounts" in page
    assert "3 accounts have this tariff." in page


async def test_list_download_and_chinese(office: Office, ann: Visitor, sue: Visitor) -> None:
    version = await add(ann, a_tariff(office))
    await ann.json("POST", f"/api/tariffs/{version['id']}/submit")
    await sue.json("POST", f"/api/tariffs/{version['id']}/approve")
    await add(ann, a_tariff(office, tariff="SHOP", effective_on=day(office, 5)))
    assert (await ann.json("GET", "/api/tariffs?state=approved"))[1]["total"] == 1
    page = words_of(await ann.get("/tariffs"))
    for words in ("HOME-1", "holds today", "0.5283", "3 steps by the year", "draft"):
        assert words in page, words
    download = await ann.get("/tariffs?format=csv")
    assert download.headers["Content-Type"].startswith("text/csv")
    rows = text_of(download).splitlines()
    assert rows[0].startswith("\ufeffTariff,Version,Name,First day,State")
    assert "0.5283,2760.00 / 4800.00,0.0000 / 0.0500 / 0.3000,by the year" in rows[1]
    chinese = await office.somebody("technician", language="zh")
    for path in ("/tariffs", f"/tariffs/{version['id']}", "/tariffs/new"):
        shown = await chinese.get(path)
        assert shown.code == 200
        assert re.search("电价", text_of(shown))
    _, refused = await chinese.json("POST", "/api/tariffs", a_tariff(office, alarm2_fen=6000))
    assert refused["error"]["message"] == "报警金额2 大于报警金额1"


async def test_what_is_not_there(ann: Visitor) -> None:
    assert (await ann.json("GET", "/api/tariffs/nothing"))[0] == 404
    assert (await ann.get("/tariffs/new?copy_of=nothing")).code == 404
    assert (await ann.json("POST", "/api/tariffs/nothing/submit"))[0] == 404
