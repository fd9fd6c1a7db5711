"""The counter over HTTP: finding a customer, selling, and writing the card once."""

import re
from urllib.parse import urlencode

import pytest
from counter_site import CUSTOMER, METER, OTHER_METER, CounterSite, open_counter, opening, purchase
from web_helpers import CONFIG, text_of, words_of

from bench import new_card
from station.store.database import Database


def request_id_on(page: str) -> str:
    found = re.search(r'name="request_id" value="([0-9a-f]{32})"', page)
    assert found, "a form of an order has an id of its own"
    return found[1]


async def test_sale_from_search_to_card_through_the_pages(counter: CounterSite) -> None:
    ann = await counter.office.somebody("clerk")
    account, card = await counter.opened(ann)
    assert counter.meter.insert(card).code == 0

    found = await ann.get("/counter?" + urlencode({"text": "555-0101"}))
    assert (found.code, found.headers["Location"]) == (303, f"/accounts/{account}")
    page = text_of(await ann.get(f"/accounts/{account}"))
    assert "Test &lt;customer&gt;" in page
    sent = {"request_id": request_id_on(page), "amount": "50.00", "energy": ""}
    first = await ann.post(f"/accounts/{account}/purchases", **sent)
    again = await ann.post(f"/accounts/{account}/purchases", **sent)
    assert first.code == again.code == 303
    assert first.headers["Location"] == again.headers["Location"]
    order = first.headers["Location"].removesuffix("#write")

    counter_page = words_of(await ann.get("/counter"))
    assert "Unfinished: purchase of 50.00 yuan" in counter_page
    assert "Nothing else is sold here" in words_of(await ann.get(f"/accounts/{account}"))
    written = await ann.post(f"{order}/write")
    assert written.code == 303
    assert "Done: the card carries it" in words_of(await ann.get(order))
    assert "Unfinished" not in words_of(await ann.get("/counter"))
    result = counter.meter.insert(card)
    assert (result.code, result.credited_fen, counter.meter.balance_fen) == (0, 5_000, 15_000)
    assert (await ann.json("POST", f"/api{order}/write", {}))[1]["state"] == "written"
    assert counter.meter.insert(card).credited_fen == 0


@pytest.mark.parametrize(
    "text", [METER, CUSTOMER, "test <", "555-0101", "CARD"], ids=lambda text: text
)
async def test_one_box_finds_by_card_meter_number_name_and_phone(
    counter: CounterSite, text: str
) -> None:
    ann = await counter.office.somebody("clerk")
    account, card = await counter.opened(ann)
    wanted = card.serial.hex().upper() if text == "CARD" else text
    status, view = await ann.json("GET", "/api/counter?" + urlencode({"text": wanted}))
    assert status == 200
    assert [each["id"] for each in view["accounts"]] == [account]


async def test_box_offers_to_open_for_customers_and_meters_without_account(
    counter: CounterSite,
) -> None:
    ann = await counter.office.somebody("clerk")
    status, view = await ann.json("GET", "/api/counter?text=000000")
    assert status == 200
    assert {each["page"] for each in view["others"]} == {
        f"/accounts/new?customer={CUSTOMER}",
        f"/accounts/new?meter={METER}",
        f"/accounts/new?meter={OTHER_METER}",
    }
    form = text_of(await ann.get(f"/accounts/new?customer={CUSTOMER}"))
    assert 'value="Test &lt;customer&gt;"' in form
    assert "Nothing found" in words_of(await ann.get("/counter?text=nobody"))


async def test_card_on_the_reader_leads_to_its_account_or_says_what_it_is(
    counter: CounterSite,
) -> None:
    ann = await counter.office.somebody("clerk")
    status, body = await ann.json("POST", "/api/cards/read", {})
    assert (status, body["error"]["code"]) == (409, "no_card")
    counter.reader.insert(new_card())
    status, view = await ann.json("POST", "/api/cards/read", {})
    assert (status, view["state"], view["account"]) == (200, "blank", None)
    assert "Open an account with this card" in words_of(await ann.post("/cards/read"))

    account, card = await counter.opened(ann)
    counter.meter.insert(card)
    status, view = await ann.json("POST", "/api/cards/read", {})
    assert (status, view["account"]["id"], view["count"]) == (200, account, 1)
    assert (view["returned"]["remaining_fen"], view["account"]["balance_fen"]) == (10_000, 10_000)
    answer = await ann.post("/cards/read")
    assert (answer.code, answer.headers["Location"]) == (303, f"/accounts/{account}")

    _, order = await ann.json("POST", f"/api/accounts/{account}/purchases", purchase(700))
    answer = await ann.post("/cards/read")
    assert answer.headers["Location"] == f"/orders/{order['id']}"  # What is unfinished comes first.
    counter.reader.insert(new_card(issued=False))
    assert "never issued" in words_of(await ann.post("/cards/read"))
    counter.reader.unplug()
    assert (await ann.json("POST", "/api/cards/read", {}))[1]["error"]["code"] == "no_reader"
    nowhere = await ann.json("POST", "/api/cards/read", {"workplace": "nowhere"})
    assert nowhere[0] == 404


async def test_steps_of_a_write_are_told_to_open_pages(counter: CounterSite) -> None:
    ann = await counter.office.somebody("clerk")
    account, card = await counter.opened(ann)
    counter.meter.insert(card)
    _, order = await ann.json("POST", f"/api/accounts/{account}/purchases", purchase(700))
    page = text_of(await ann.get(f"/orders/{order['id']}"))
    known = {step for each in re.findall(r'data-step="([^"]+)"', page) for step in each.split("|")}
    heard: list[dict[str, str]] = []
    with counter.office.parts.feed.listening(lambda _, told: heard.append(told), ["orders"]):
        await ann.json("POST", f"/api/orders/{order['id']}/write", {})
    assert {told["id"] for told in heard} == {order["id"]}
    steps = [told["step"] for told in heard if told["step"]]
    assert {*steps} - known <= {"challenge", "read back"}  # Which stand beside the step before.
    assert [step for step in steps if step.startswith("write ")][-1] == "write wallet"
    assert heard[-1]["state"] == "written"


async def test_without_card_keys_nothing_is_sold(database: Database) -> None:
    real = CONFIG.model_copy(update={"site": CONFIG.site.model_copy(update={"simulation": False})})
    async with open_counter(database, real) as counter:
        ann = await counter.office.somebody("clerk")
        assert "Selling is off" in words_of(await ann.get("/counter"))
        status, body = await ann.json("POST", "/api/accounts", opening())
        assert (status, body["error"]["code"]) == (409, "conflict")
        assert "no keys for cards" in body["error"]["message"]
        assert (await database.orders.list())[1] == 0


async def test_who_may_not_sell_sees_and_does_not(counter: CounterSite) -> None:
    ann = await counter.office.somebody("clerk")
    account, _ = await counter.opened(ann)
    for role in ("reader", "technician"):
        bob = await counter.office.somebody(role)
        page = await bob.get(f"/accounts/{account}")
        assert page.code == 200
        assert 'id="sale"' not in text_of(page)
        assert "Replace the card" not in words_of(page)
        assert (await bob.get("/counter")).code == 403
        for path in (f"/api/accounts/{account}/purchases", "/api/accounts", "/api/cards/read"):
            assert (await bob.json("POST", path, purchase(100)))[0] == 403, path


async def test_counter_speaks_chinese(counter: CounterSite) -> None:
    ann = await counter.office.somebody("clerk", language="zh")
    account, _ = await counter.opened(ann)
    for path in ("/counter", f"/accounts/{account}", "/accounts/new", "/orders", "/customers"):
        assert "售电" in text_of(await ann.get(path)), path
    _, body = await ann.json("POST", f"/api/accounts/{account}/purchases", {"request_id": "r"})
    assert body["error"]["message"] == "请填写金额或电量"
