"""Customers over HTTP: entering, finding, changing."""

import pytest
from counter_site import CUSTOMER, METER, CounterSite
from web_helpers import Office, text_of, words_of


async def test_customer_is_entered_found_and_changed(counter: CounterSite) -> None:
    ann = await counter.office.somebody("clerk")
    body = {"number": "42", "name": "New <customer>", "phone": "555-0142"}
    status, customer = await ann.json("POST", "/api/customers", body)
    assert (status, customer["number"], customer["created_by"]) == (201, "000000000042", "clerk0")
    assert (await ann.json("POST", "/api/customers", body))[0] == 409
    for text in ("42", "new <", "555-0142"):
        status, found = await ann.json("GET", f"/api/customers?text={text.replace(' ', '+')}")
        assert [each["number"] for each in found["items"]] == ["000000000042"], text
    status, changed = await ann.json(
        "PUT", "/api/customers/000000000042", {"name": "Renamed", "note": "moved"}
    )
    assert (status, changed["name"], changed["note"]) == (200, "Renamed", "moved")
    page = words_of(await ann.get("/customers/000000000042"))
    assert "Renamed" in page
    assert "No account yet." in page


async def test_customers_list_their_meters_and_can_be_downloaded(counter: CounterSite) -> None:
    ann = await counter.office.somebody("clerk")
    account, _ = await counter.opened(ann)
    _, view = await ann.json("GET", "/api/customers")
    assert view["items"][0]["meters"] == [METER]
    assert f"/accounts/{account}" in text_of(await ann.get(f"/customers/{CUSTOMER}"))
    table = text_of(await ann.get("/customers?format=csv"))
    assert f"{CUSTOMER},Test <customer>,555-0101" in table
    found = await ann.json("GET", "/api/search?text=555-0101")
    assert [hit["page"] for hit in found[1]["items"]] == [f"/customers/{CUSTOMER}"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"number": "12x"}, "number"),
        ({"number": "0"}, "number"),
        ({"number": "1234567890123"}, "number"),
        ({"name": ""}, "name"),
        ({"phone": "5" * 33}, "phone"),
    ],
)
async def test_customer_form_refuses_and_keeps_what_was_typed(
    office: Office, change: dict[str, str], field: str
) -> None:
    ann = await office.somebody("clerk")
    body = {"number": "42", "name": "New customer", "phone": "", **change}
    status, answer = await ann.json("POST", "/api/customers", body)
    assert (status, answer["error"]["field"]) == (400, field)
    await ann.get("/customers/new")
    page = await ann.post("/customers", **body)
    assert page.code == 400
    assert all(f'value="{value}"' in text_of(page) for value in body.values())
    assert (await ann.json("GET", "/api/customers"))[1]["total"] == 0


async def test_reader_sees_customers_and_changes_none(office: Office) -> None:
    ann = await office.somebody("reader")
    page = await ann.get("/customers")
    assert page.code == 200
    assert "/customers/new" not in text_of(page)
    assert (await ann.json("POST", "/api/customers", {"number": "1", "name": "N"}))[0] == 403
    assert (await ann.json("GET", "/api/customers/000000000009"))[0] == 404
