"""Another meter, closing, another owner and corrections over HTTP, and their forms."""

from dataclasses import replace
from typing import Any

from counter_site import CUSTOMER, METER, OTHER_METER, CounterSite, purchase
from web_helpers import Visitor, text_of, words_of

from bench import new_card
from station.store.objects.base import new_id
from station.store.objects.customers import Customer


async def change(
    clerk: Visitor, account: str, kind: str, **body: Any
) -> tuple[int, dict[str, Any]]:
    """Ask for a change; return the status and the order, or the error."""
    wanted = {"request_id": new_id(), "reason": "test", **body}
    status, answer = await clerk.json("POST", f"/api/accounts/{account}/{kind}", wanted)
    return status, answer if status == 201 else answer["error"]


async def test_another_meter_gets_what_the_old_one_held(counter: CounterSite) -> None:
    ann = await counter.office.somebody("clerk")
    account, card = await counter.opened(ann)
    counter.meter.insert(card)
    wanted = {"meter": OTHER_METER, "amount": "60.00", "meter_count": 1}
    status, order = await change(ann, account, "meter_change", **wanted)
    assert (status, order["kind"], order["card_amount_fen"]) == (201, "meter_change", 6_000)
    counter.reader.insert(new_card())
    status, order = await ann.json("POST", f"/api/orders/{order['id']}/write", {})
    assert (status, order["state"], order["meter"]) == (200, "written", OTHER_METER)
    _, old = await ann.json("GET", f"/api/accounts/{account}")
    assert old["state"] == "closed"


async def test_closing_makes_the_card_blank(counter: CounterSite) -> None:
    ann = await counter.office.somebody("clerk")
    account, _ = await counter.opened(ann)
    status, error = await change(ann, account, "closing", amount="100.01")
    assert (status, error["field"]) == (400, "amount_fen")
    assert (await change(ann, account, "closing"))[1]["field"] == "amount"
    status, order = await change(ann, account, "closing", amount="100.00")
    assert (status, order["amount_fen"]) == (201, -10_000)
    status, order = await ann.json("POST", f"/api/orders/{order['id']}/write", {})
    assert (status, order["state"]) == (200, "written")
    status, error = await ann.json("POST", f"/api/accounts/{account}/purchases", purchase(100))
    assert (status, error["error"]["message"]) == (409, "this account is closed")


async def test_closing_proposes_what_the_meter_told_and_the_card_still_carries(
    counter: CounterSite,
) -> None:
    ann = await counter.office.somebody("clerk")
    account, card = await counter.opened(ann)
    path = f"/accounts/{account}/closing"
    status, told = await ann.json("GET", f"/api{path}")
    assert (status, told["balance_fen"], told["on_card_fen"]) == (200, None, 10_000)
    assert told["amount_fen"] == 10_000  # Nobody knows better: the card has not come back.
    counter.meter.insert(card)
    counter.meter.balance_fen = 3_750
    counter.meter.insert(card)
    await ann.json("POST", "/api/cards/read", {})
    _, told = await ann.json("GET", f"/api{path}")
    assert (told["balance_fen"], told["on_card_fen"], told["amount_fen"]) == (3_750, 0, 3_750)
    _, order = await ann.json("POST", f"/api/accounts/{account}/purchases", purchase(2_000))
    await ann.json("POST", f"/api/orders/{order['id']}/write", {})
    page = await ann.get(path)
    words = words_of(page)
    assert "37.50 yuan at " in words
    assert f"{told['balance_at'][:10]} {told['balance_at'][11:16]} by the meter's clock" in words
    assert "On the card, not in the meter yet 20.00 yuan Left in all 57.50 yuan" in words
    assert 'value="57.50"' in text_of(page)
    assert "&amp;amount_fen=5750" in text_of(page)
    refused = text_of(await ann.post(path, request_id=new_id(), reason="moves", amount="57.51"))
    assert 'value="57.51"' in refused  # What was typed stays.
    status, order = await change(
        ann, account, "closing", amount="50.00"
    )  # Less is the clerk's to say.
    assert (status, order["amount_fen"]) == (201, -5_000)
    reader = await counter.office.somebody("reader")
    assert (await reader.json("GET", f"/api{path}"))[0] == 403


async def test_an_overdraft_is_to_be_paid_when_the_account_ends(counter: CounterSite) -> None:
    ann = await counter.office.somebody("clerk")
    account_id, _ = await counter.opened(ann)
    accounts = counter.office.database.accounts
    account = await accounts.get(account_id)
    overdrawn = replace(
        account, returned_count=1, balance_fen=0, overdrawn_fen=1_230, revision=account.revision + 1
    )
    assert await accounts.change(account, overdrawn)
    _, told = await ann.json("GET", f"/api/accounts/{account_id}/closing")
    assert (told["amount_fen"], told["overdrawn_fen"]) == (-1_230, 1_230)
    page = text_of(await ann.get(f"/accounts/{account_id}/closing"))
    assert 'value="-12.30"' in page
    assert "amount_fen=" not in page  # Nothing is given back, so nobody has to approve it.


async def test_owner_and_corrections_are_entries_of_the_journal(counter: CounterSite) -> None:
    ann = await counter.office.somebody("clerk")
    account, _ = await counter.opened(ann)
    await counter.office.database.customers.add(Customer("000000000042", "Other customer"))
    status, order = await change(ann, account, "transfer", customer="42")
    assert (status, order["state"], order["needs_card"]) == (201, "written", False)
    _, view = await ann.json("GET", f"/api/accounts/{account}")
    assert (view["owner"], view["customer"], view["meter"]) == ("000000000042", CUSTOMER, METER)
    status, order = await change(ann, account, "correction", amount="-5.00")
    assert (status, order["state"], order["amount_fen"]) == (201, "written", -500)
    assert (await change(ann, account, "correction", amount_fen=0))[1]["field"] == "amount_fen"
    reader = await counter.office.somebody("reader")
    assert (await change(reader, account, "correction", amount="1"))[0] == 403


async def test_forms_of_changes_keep_what_was_typed(counter: CounterSite) -> None:
    ann = await counter.office.somebody("clerk")
    account, _ = await counter.opened(ann)
    for kind in ("meter_change", "closing", "transfer", "correction"):
        page = await ann.get(f"/accounts/{account}/{kind}?reason=asked+for")
        assert (page.code, "asked for" in text_of(page)) == (200, True)
    page = await ann.post(
        f"/accounts/{account}/closing", request_id=new_id(), reason="moves", amount="500.00"
    )
    text = text_of(page)
    assert page.code == 400
    assert 'value="500.00"' in text
    assert "may still carry 100.00" in text
