"""The journal over HTTP: one order and its end, giving it up, taking it back, filters and CSV."""

from urllib.parse import urlencode

from counter_site import CUSTOMER, METER, CounterSite, purchase
from web_helpers import Visitor, text_of, words_of

from bench import new_card
from station.units import local_day, utc_now


async def reserved(counter: CounterSite, ann: Visitor, amount_fen: int = 700) -> str:
    """Reserve a purchase at a fresh account; return the order's id."""
    account, card = await counter.opened(ann)
    counter.meter.insert(card)
    _, order = await ann.json("POST", f"/api/accounts/{account}/purchases", purchase(amount_fen))
    return str(order["id"])


async def test_refused_write_says_why_and_leaves_the_order_to_be_finished(
    counter: CounterSite,
) -> None:
    ann = await counter.office.somebody("clerk")
    order = await reserved(counter, ann)
    own = counter.reader.pull()
    status, body = await ann.json("POST", f"/api/orders/{order}/write", {})
    assert (status, body["error"]["code"]) == (409, "no_card")
    page = await ann.post(f"/orders/{order}/write")
    assert page.code == 409
    assert "The card does not carry this order yet" in words_of(page)
    assert body["error"]["message"] in words_of(page)
    counter.reader.insert(new_card())
    status, body = await ann.json("POST", f"/api/orders/{order}/write", {})
    assert status == 409
    assert body["error"]["code"] not in ("conflict", "no_card")
    assert own is not None
    counter.reader.insert(own)
    status, body = await ann.json("POST", f"/api/orders/{order}/write", {"workplace": "box"})
    assert (status, body["state"], body["workplace"]) == (200, "written", "box")
    assert (body["reader_name"], body["reader_port"]) == ("Memory reader", "memory")


async def test_cut_write_is_finished_by_another_clerk_and_counts_once(
    counter: CounterSite,
) -> None:
    ann, bob = [await counter.office.somebody("clerk") for _ in range(2)]
    order = await reserved(counter, ann)
    card = counter.reader.card
    assert card is not None

    def pull_at_the_wallet(_: int, apdu: bytes) -> None:
        if apdu[:3] == bytes.fromhex("04D682"):
            counter.reader.pull()

    counter.reader.after_apdu = pull_at_the_wallet
    status, body = await ann.json("POST", f"/api/orders/{order}/write", {})
    assert (status, body["error"]["code"]) == (502, "removed")
    counter.reader.calm()
    counter.reader.insert(card)
    assert "Writing was tried on card" in words_of(await bob.get(f"/orders/{order}"))
    status, body = await bob.json(
        "POST", f"/api/orders/{order}/abandon", {"reason": "the customer left"}
    )
    assert (status, body["error"]["code"]) == (409, "conflict")  # The card carries it.
    status, body = await bob.json("POST", f"/api/orders/{order}/write", {})
    assert (status, body["state"], body["ended_by"]) == (200, "written", "clerk1")
    assert counter.meter.insert(card).credited_fen == 700
    assert counter.meter.balance_fen == 10_700


async def test_order_that_the_card_does_not_carry_is_abandoned(counter: CounterSite) -> None:
    ann = await counter.office.somebody("clerk")
    order = await reserved(counter, ann)
    assert (await ann.json("POST", f"/api/orders/{order}/abandon", {}))[0] == 400
    status, body = await ann.json(
        "POST", f"/api/orders/{order}/abandon", {"reason": "wrong amount"}
    )
    assert (status, body["state"], body["end_reason"]) == (200, "abandoned", "wrong amount")
    page = words_of(await ann.get(f"/orders/{order}"))
    assert "Abandoned: the card does not carry it" in page
    assert "7.00 yuan were to be given back" in page
    assert (await ann.json("POST", f"/api/orders/{order}/write", {}))[0] == 409
    assert (await ann.json("GET", "/api/counter"))[1]["unfinished"] == []


async def test_written_order_is_reversed_with_the_card_that_proves_it(
    counter: CounterSite,
) -> None:
    ann = await counter.office.somebody("clerk")
    order = await reserved(counter, ann)
    await ann.json("POST", f"/api/orders/{order}/write", {})
    assert "Reverse" in words_of(await ann.get(f"/orders/{order}"))
    asked = urlencode({"approved_by": "approval-1", "reason": "typed wrong"})
    form = text_of(await ann.get(f"/orders/{order}/reversal?{asked}"))
    assert 'value="approval-1"' in form
    assert 'value="typed wrong"' in form
    body = {"request_id": "r1", "reason": "typed wrong"}
    status, back = await ann.json("POST", f"/api/orders/{order}/reversal", body)
    assert (status, back["kind"], back["amount_fen"], back["reverses"]) == (
        201,
        "reversal",
        -700,
        order,
    )
    _, back = await ann.json("POST", f"/api/orders/{back['id']}/write", {})
    assert back["state"] == "written"
    assert "Give back to the customer" in words_of(await ann.get(f"/orders/{back['id']}"))
    status, first = await ann.json("GET", f"/api/orders/{order}")
    assert (status, first["reversed_by"], first["state"]) == (200, back["id"], "written")
    again = {"request_id": "r2", "reason": "once more"}
    assert (await ann.json("POST", f"/api/orders/{order}/reversal", again))[0] == 409
    refused = await ann.post(f"/orders/{order}/reversal", **again)
    assert refused.code == 409
    assert 'value="once more"' in text_of(refused)


async def test_inserted_purchase_cannot_be_reversed(counter: CounterSite) -> None:
    ann = await counter.office.somebody("clerk")
    order = await reserved(counter, ann)
    await ann.json("POST", f"/api/orders/{order}/write", {})
    assert counter.reader.card is not None
    counter.meter.insert(counter.reader.card)
    body = {"request_id": "r1", "reason": "typed wrong"}
    status, back = await ann.json("POST", f"/api/orders/{order}/reversal", body)
    assert status == 201  # Only the card can tell.
    status, refused = await ann.json("POST", f"/api/orders/{back['id']}/write", {})
    assert (status, refused["error"]["code"]) == (409, "inserted")
    assert (await ann.json("GET", f"/api/orders/{order}"))[1]["reversed_by"] is None


async def test_journal_is_filtered_and_downloaded(counter: CounterSite) -> None:
    ann = await counter.office.somebody("clerk")
    order = await reserved(counter, ann)
    today = local_day(utc_now(), counter.office.parts.config.site.zone_info)
    for query, total in (
        ("", 2),
        ("kind=purchase", 1),
        ("state=reserved&by=clerk0", 1),
        ("state=abandoned", 0),
        (f"text={METER}", 2),
        (f"first={today}&last={today}", 2),
        ("last=2020-01-01", 0),
    ):
        status, view = await ann.json("GET", f"/api/orders?{query}")
        assert (status, view["total"]) == (200, total), query
    _, view = await ann.json("GET", "/api/orders")
    assert view["amount_fen"] == 10_700
    assert view["items"][0]["id"] == order  # The newest first.
    table = text_of(await ann.get("/orders?format=csv&kind=purchase"))
    assert f"{METER},{CUSTOMER},Test <customer>,7.00,7.00,2" in table
    page = words_of(await ann.get("/orders?state=reserved"))
    assert "7.00 yuan on this page" in page
    assert (await ann.json("GET", "/api/orders?state=lost"))[0] == 400
    assert (await ann.get("/orders?first=yesterday")).code == 400
    for method, path in (("GET", ""), ("POST", "/write"), ("POST", "/abandon")):
        body = None if method == "GET" else {"reason": "why"}
        assert (await ann.json(method, f"/api/orders/{'0' * 24}{path}", body))[0] == 404
