"""Accounts over HTTP: opening, the preview of a sale, sales by money and energy, a new card."""

from typing import Any

import pytest
from counter_site import CUSTOMER, METER, OTHER_METER, CounterSite, opening, purchase
from web_helpers import Visitor, text_of, words_of

from bench import new_card
from station.store.objects.base import new_id

UNKNOWN = "0" * 24


async def refused(visitor: Visitor, path: str, body: dict[str, Any]) -> tuple[int, str, str]:
    """Return status, field and message of a refusal."""
    status, answer = await visitor.json("POST", path, body)
    error = answer["error"]
    return status, error.get("field", ""), error["message"]


async def test_opening_reserves_and_the_same_request_is_the_same_order(
    counter: CounterSite,
) -> None:
    ann = await counter.office.somebody("clerk")
    body = opening(amount="100.00", alarm1="20", overdraft_fen=500)
    status, order = await ann.json("POST", "/api/accounts", body)
    assert (status, order["state"], order["kind"]) == (201, "reserved", "opening")
    assert (order["amount_fen"], order["count"], order["needs_card"]) == (10_000, 1, True)
    again = await ann.json("POST", "/api/accounts", body)
    assert (again[0], again[1]["id"]) == (201, order["id"])
    status, _, message = await refused(ann, "/api/accounts", {**body, "amount": "200"})
    assert (status, message) == (409, f"request {body['request_id']} was another order")

    _, account = await ann.json("GET", f"/api/accounts/{order['account']}")
    assert (account["state"], account["alarm1_fen"], account["overdraft_fen"]) == (
        "opening",
        2_000,
        500,
    )
    assert account["unfinished"]["id"] == order["id"]
    counter.reader.insert(new_card())
    _, order = await ann.json("POST", f"/api/orders/{order['id']}/write", {})
    assert (order["state"], order["reader_model"]) == ("written", "memory")
    _, account = await ann.json("GET", f"/api/accounts/{order['account']}")
    assert (account["state"], account["card_serial"]) == ("open", order["card_serial"])
    status, listed = await ann.json("GET", f"/api/accounts?text={METER}&state=open")
    assert (status, listed["total"], listed["items"][0]["name"]) == (200, 1, "Test <customer>")
    table = text_of(await ann.get("/accounts?format=csv"))
    assert f"{METER},{CUSTOMER},Test <customer>" in table


async def test_opening_enters_a_customer_whom_nobody_knows(counter: CounterSite) -> None:
    ann = await counter.office.somebody("clerk")
    body = opening(customer="42", name="New customer", phone="555-0199")
    assert (await ann.json("POST", "/api/accounts", body))[0] == 201
    status, customer = await ann.json("GET", "/api/customers/000000000042")
    assert (status, customer["name"], customer["phone"]) == (200, "New customer", "555-0199")
    assert customer["accounts"][0]["meter"] == METER
    nameless = opening(meter=OTHER_METER, customer="43")
    assert (await refused(ann, "/api/accounts", nameless))[:2] == (400, "name")
    other = opening(meter=OTHER_METER, customer="42", name="Somebody else")
    assert await refused(ann, "/api/accounts", other) == (
        400,
        "customer",
        "number 000000000042 is New customer",
    )


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"meter": "161x"}, 400, "meter"),
        ({"meter": "999"}, 400, "meter"),
        ({"customer": ""}, 400, "customer"),
        ({"tariff": "NONE"}, 404, ""),
        ({"amount": "1.005"}, 400, "amount"),
        ({"amount": "-1"}, 400, "amount_fen"),
        ({"ct": 0}, 400, "ct"),
        ({"request_id": ""}, 400, "request_id"),
    ],
)
async def test_opening_refuses_what_cannot_be(
    counter: CounterSite, change: dict[str, Any], status: int, field: str
) -> None:
    ann = await counter.office.somebody("clerk")
    assert (await refused(ann, "/api/accounts", opening(**change)))[:2] == (status, field)
    assert (await counter.office.database.orders.list())[1] == 0


async def test_refused_form_keeps_what_was_typed_and_its_request(counter: CounterSite) -> None:
    ann = await counter.office.somebody("clerk")
    await ann.get("/accounts/new")
    sent = opening(amount="1.005", name="", profile="")
    answer = await ann.post("/accounts", **sent)
    page = text_of(answer)
    assert (answer.code, 'value="1.005"' in page) == (400, True)
    assert f'value="{sent["request_id"]}"' in page
    assert "an amount has at most two decimals" in page


async def test_preview_says_what_an_amount_buys_and_an_energy_costs(counter: CounterSite) -> None:
    ann = await counter.office.somebody("clerk")
    account, card = await counter.opened(ann)
    counter.meter.insert(card)
    await ann.json("POST", "/api/cards/read", {})
    status, view = await ann.json("GET", f"/api/accounts/{account}/preview?amount=50")
    assert (status, view["amount_fen"], view["energy"]) == (200, 5_000, "100.00")
    assert view["balance_fen"] == 15_000
    _, view = await ann.json("GET", f"/api/accounts/{account}/preview?energy=99.5")
    assert (view["amount_fen"], view["energy"]) == (4_975, "99.50")
    part = await ann.get(f"/accounts/{account}/preview?amount=50")
    assert 'data-fen="5000"' in text_of(part)
    assert "<html" not in text_of(part)
    wrong = await ann.get(f"/accounts/{account}/preview?amount=much")
    assert "data-fen" not in text_of(wrong)
    assert "expected an amount such as 100.00" in words_of(wrong)
    assert (await ann.json("GET", f"/api/accounts/{account}/preview"))[0] == 400


async def test_purchase_by_energy_costs_what_the_preview_said(counter: CounterSite) -> None:
    ann = await counter.office.somebody("clerk")
    account, card = await counter.opened(ann)
    counter.meter.insert(card)
    body = {"request_id": "energy", "energy": "99.5"}
    status, order = await ann.json("POST", f"/api/accounts/{account}/purchases", body)
    assert (status, order["amount_fen"]) == (201, 4_975)
    other = await refused(ann, f"/api/accounts/{account}/purchases", purchase(100))
    assert other[0] == 409
    assert "unfinished order" in other[2]
    assert (await ann.json("GET", f"/api/accounts/{account}"))[1]["orders"][0]["id"] == order["id"]


async def test_everything_is_entered_and_written_by_one_request(counter: CounterSite) -> None:
    ann = await counter.office.somebody("clerk")
    counter.reader.insert(card := new_card())
    status, order = await ann.json("POST", "/api/accounts", opening(amount="10", write=True))
    assert (status, order["state"]) == (201, "written")
    counter.meter.insert(card)
    path = f"/api/accounts/{order['account']}"

    async def at_once(where: str, **body: Any) -> dict[str, Any]:
        body = {"request_id": new_id(), "write": True, **body}
        status, made = await ann.json("POST", where, body)
        assert (status, made["state"]) == (201, "written"), made
        return made

    counter.reader.pull()
    sold = {**purchase(700), "write": True}
    assert (await refused(ann, f"{path}/purchases", sold))[2] == "Memory reader: no card"
    assert (await ann.json("GET", path))[1]["unfinished"] is None
    counter.reader.insert(card)
    bought = await at_once(f"{path}/purchases", **sold)
    await at_once(f"/api/orders/{bought['id']}/reversal", reason="wrong amount")
    bought = await at_once(f"{path}/purchases", amount="5")
    assert counter.meter.insert(card).credited_fen == 500
    counter.reader.insert(new := new_card())
    made = await at_once(f"{path}/replacements", reason="broken")
    assert made["card_serial"] == new.serial.hex().upper()
    counter.reader.insert(fresh := new_card())
    moved = await at_once(
        f"{path}/meter_change", meter=OTHER_METER, amount="15", meter_count=2, reason="exchange"
    )
    path = f"/api/accounts/{moved['account']}"
    await at_once(f"{path}/closing", amount_fen=1_500, reason="moves away")
    assert fresh.files[2] == bytes(8), "the card is blank"


@pytest.mark.parametrize(
    ("body", "status"),
    [({"amount_fen": 0}, 400), ({"amount": "0.001"}, 400), ({}, 400), ({"energy": "-1"}, 400)],
)
async def test_purchase_refuses_what_cannot_be(
    counter: CounterSite, body: dict[str, Any], status: int
) -> None:
    ann = await counter.office.somebody("clerk")
    account, _ = await counter.opened(ann)
    path = f"/api/accounts/{account}/purchases"
    assert (await refused(ann, path, {"request_id": "r", **body}))[0] == status
    unknown = f"/api/accounts/{UNKNOWN}/purchases"
    assert (await refused(ann, unknown, purchase(100)))[0] == 404
    page = await ann.post(f"/accounts/{account}/purchases", request_id="r", amount="0")
    assert page.code == 400
    assert 'id="sale"' in text_of(page)


async def test_form_that_was_another_order_gets_a_fresh_request(counter: CounterSite) -> None:
    ann = await counter.office.somebody("clerk")
    account, card = await counter.opened(ann)
    counter.meter.insert(card)
    path = f"/accounts/{account}/purchases"
    first = await ann.post(path, request_id="the same", amount="10")
    await ann.post(first.headers["Location"].removesuffix("#write") + "/write")
    other = await ann.post(path, request_id="the same", amount="20")
    assert other.code == 409
    assert "request the same was another order" in words_of(other)
    assert 'value="the same"' not in text_of(other)


async def test_lost_card_is_replaced_by_a_blank_one(counter: CounterSite) -> None:
    ann = await counter.office.somebody("clerk")
    account, lost = await counter.opened(ann)
    form = text_of(await ann.get(f"/accounts/{account}/replacements"))
    assert lost.serial.hex().upper() in form
    body = {"request_id": "lost", "reason": "lost, says the customer"}
    status, order = await ann.json("POST", f"/api/accounts/{account}/replacements", body)
    assert (status, order["kind"], order["state"], order["amount_fen"]) == (
        201,
        "replacement",
        "reserved",
        0,
    )
    status, _ = await ann.json("POST", f"/api/orders/{order['id']}/write", {})
    assert status == 409, "the lost card is no blank one"
    fresh = new_card()
    counter.reader.insert(fresh)
    _, order = await ann.json("POST", f"/api/orders/{order['id']}/write", {})
    assert (order["state"], order["card_serial"]) == ("written", fresh.serial.hex().upper())
    assert counter.meter.insert(fresh).credited_fen == 10_000
    assert counter.meter.insert(lost).credited_fen == 0
    nothing = {"request_id": "r2", "reason": ""}
    assert (await refused(ann, f"/api/accounts/{account}/replacements", nothing))[:2] == (
        400,
        "reason",
    )


async def test_account_offers_every_other_change_and_each_opens(counter: CounterSite) -> None:
    ann = await counter.office.somebody("clerk")
    account, _ = await counter.opened(ann)
    page = text_of(await ann.get(f"/accounts/{account}"))
    page += text_of(await ann.get(f"/accounts/{account}/meter_change"))
    for kind in ("meter_change", "transfer", "correction", "closing", "replacements"):
        assert f'href="/accounts/{account}/{kind}"' in page, kind
        assert (await ann.get(f"/accounts/{account}/{kind}")).code == 200, kind
