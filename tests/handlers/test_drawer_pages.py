"""Shifts, limits, approvals and receipts over HTTP: pages and JSON, and what each refuses."""

import asyncio
import io
import re
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pypdf import PdfReader
from web_helpers import PASSWORD, Office, Visitor, text_of, words_of

from station.store.objects.base import new_id
from station.store.objects.orders import Order
from station.units import utc_now

SECRET = "not the right battery"


@pytest.fixture
async def clerk(office: Office) -> Visitor:
    """A clerk who has logged in."""
    return await office.somebody("clerk")


@pytest.fixture
async def supervisor(office: Office) -> Visitor:
    """A supervisor who has logged in."""
    return await office.somebody("supervisor")


@pytest.fixture
async def journal(office: Office, mongo_uri: str) -> AsyncIterator["Journal"]:
    """The journal of orders, behind the counter."""
    client: AsyncIOMotorClient = AsyncIOMotorClient(mongo_uri)
    yield Journal(office, client)
    client.close()


class Journal:
    """Puts written orders into the office's journal."""

    def __init__(self, office: Office, client: AsyncIOMotorClient) -> None:
        self._office = office
        self._orders = client[office.database.name]["orders"]

    async def put(self, shift: str | None, amount_fen: int) -> str:
        """Insert a written purchase and return its id."""
        order_id = new_id()
        order = Order(
            order_id, f"request {order_id}", "", f"account {order_id}", "purchase", amount_fen,
            "clerk", utc_now(), meter="000000000161", customer="000000001001", shift=shift,
        )  # fmt: skip
        await self._office.database.orders.enter(order, ())
        await self._orders.update_one({"_id": order_id}, {"$set": {"state": "written"}})
        return order_id


async def test_a_shift_from_float_to_report(clerk: Visitor, journal: Journal) -> None:
    assert "Open a shift" in words_of(await clerk.get("/shifts"))
    assert (await clerk.post("/shifts", float="200.00")).headers["Location"] == "/shifts"
    page = words_of(await clerk.get("/shifts"))
    assert "The shift is open." in page
    assert "Count the drawer and close" in page
    _, listed = await clerk.json("GET", "/api/shifts")
    [shift] = listed["items"]
    assert (shift["state"], shift["float_fen"]) == ("open", 20_000)
    await journal.put(shift["id"], 7_777)
    await journal.put(shift["id"], 4_321)
    for path in ("/shifts", f"/shifts/{shift['id']}", "/shifts?format=csv"):
        for prefix in ("", "/api"):
            told = text_of(await clerk.get(prefix + path))
            for blind in ("120.98", "320.98", "12098", "32098", "77.77", "7777"):
                assert blind not in told, (prefix + path, blind)
    closing = await clerk.post(f"/shifts/{shift['id']}/close", counted="320.00", note="short")
    assert closing.headers["Location"] == f"/shifts/{shift['id']}"
    report = words_of(await clerk.get(closing.headers["Location"]))
    for wanted in (
        "Close report 000001",
        "Expected money",
        "0.98 missing",
        "320.98",
        "320.00",
        "120.98",
        "short",
    ):
        assert wanted in report, wanted
    _, told = await clerk.json("GET", f"/api/shifts/{shift['id']}")
    assert (told["number"], told["expected_fen"], told["difference_fen"]) == (1, 32_098, -98)
    assert told["lines"] == [{"kind": "purchase", "orders": 2, "taken_fen": 12_098, "given_fen": 0}]
    assert "320.98" in text_of(await clerk.get("/shifts?format=csv"))


async def test_what_is_entered_stands(clerk: Visitor) -> None:
    status, shift = await clerk.json("POST", "/api/shifts", {"float_fen": 100})
    assert status == 201
    path = f"/api/shifts/{shift['id']}/close"
    status, closed = await clerk.json("POST", path, {"counted_fen": 100})
    assert (status, closed["difference_fen"]) == (200, 0)
    assert await clerk.json("POST", path, {"counted_fen": 100}) == (200, closed)
    status, refused = await clerk.json("POST", path, {"counted_fen": 101})
    assert status == 409
    assert refused["error"]["message"] == "this shift is closed already, with report 1"


@pytest.mark.parametrize(("typed", "wanted"), [
    ("", "is needed"), ("1.005", "at most two decimals"), ("ten", "an amount such as 100.00"),
    ("-1", "expected 0 to 100000.00 yuan"), ("200000", "expected 0 to 100000.00 yuan"),
])  # fmt: skip
async def test_a_float_that_cannot_be(clerk: Visitor, typed: str, wanted: str) -> None:
    refused = await clerk.post("/shifts", float=typed)
    assert refused.code == 400
    assert wanted in words_of(refused)
    assert f'value="{typed}"' in text_of(refused)
    assert (await clerk.json("GET", "/api/shifts"))[1]["total"] == 0


async def test_one_open_shift_and_only_the_own(clerk: Visitor, supervisor: Visitor) -> None:
    _, shift = await clerk.json("POST", "/api/shifts", {"float_fen": 0})
    again = await clerk.post("/shifts", float="1.00")
    assert again.code == 409
    assert "has an open shift already; close it first" in words_of(again)
    _, theirs = await supervisor.json("POST", "/api/shifts", {"float_fen": 0})
    status, refused = await clerk.json("GET", f"/api/shifts/{theirs['id']}")
    assert (status, refused["error"]["message"]) == (403, "this is another clerk's shift")
    status, _ = await clerk.json("POST", f"/api/shifts/{theirs['id']}/close", {"counted_fen": 0})
    assert status == 403
    assert (await clerk.json("GET", "/api/shifts"))[1]["total"] == 1
    assert (await supervisor.json("GET", "/api/shifts"))[1]["total"] == 2
    status, closed = await supervisor.json(
        "POST", f"/api/shifts/{shift['id']}/close", {"counted_fen": 0}
    )
    assert (status, closed["closed_by"]) == (200, "supervisor1")
    assert (await clerk.json("GET", "/api/shifts/unknown"))[0] == 404


async def test_a_second_person_approves(
    office: Office, clerk: Visitor, supervisor: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    form = await clerk.get("/approvals/new?kind=reversal&amount_fen=-12000&subject=o1&next=/orders")
    assert 'value="120.00"' in text_of(form)
    fields = {"kind": "reversal", "amount": "120.00", "subject": "o1", "reason": "wrong meter"}
    given = await clerk.post(
        "/approvals", **fields, next="/orders/o1/reversal", approver="supervisor1",
        password=PASSWORD,
    )  # fmt: skip
    target = urlsplit(given.headers["Location"])
    approval_id = parse_qs(target.query)["approved_by"][0]
    assert target.path == "/orders/o1/reversal"
    approval = await office.database.approvals.get(approval_id)
    assert (approval.by, approval.approved_by) == ("clerk0", "supervisor1")
    assert (approval.kind, approval.amount_fen, approval.subject) == ("reversal", 12_000, "o1")
    status, view = await clerk.json(
        "POST", "/api/approvals",
        {"kind": "closing", "amount_fen": -5_000, "reason": "moves away",
         "approver": "supervisor1", "password": PASSWORD},
    )  # fmt: skip
    assert (status, view["amount_fen"], view["approved_by"]) == (201, 5_000, "supervisor1")
    listed = words_of(await supervisor.get("/approvals"))
    assert "wrong meter" in listed
    assert "moves away" in listed
    assert (await clerk.get("/approvals")).code == 403
    assert PASSWORD not in caplog.text


async def test_who_may_not_approve(office: Office, clerk: Visitor, supervisor: Visitor) -> None:
    await office.somebody("clerk")
    wanted = {"kind": "reversal", "amount": "120.00", "reason": "wrong meter"}
    cases = [
        ("supervisor1", SECRET, 400, "the name or the password is not right"),
        ("nobody", PASSWORD, 400, "the name or the password is not right"),
        ("clerk2", PASSWORD, 400, "clerk2 may not approve; ask a supervisor"),
    ]
    for approver, password, status, words in cases:
        refused = await clerk.post("/approvals", **wanted, approver=approver, password=password)
        assert (refused.code, words in words_of(refused)) == (status, True), approver
        assert password not in text_of(refused)
        assert "wrong meter" in text_of(refused)
    own = await supervisor.post("/approvals", **wanted, approver="supervisor1", password=PASSWORD)
    assert own.code == 400
    assert "another person has to approve this" in words_of(own)
    elsewhere = await clerk.post(
        "/approvals", **wanted, approver="supervisor1", password=PASSWORD,
        next="https://elsewhere.example/",
    )  # fmt: skip
    assert elsewhere.headers["Location"].startswith("/?approved_by=approval-")
    guesses = [clerk.post("/approvals", **wanted, approver="admin", password=SECRET)
               for _ in range(8)]  # fmt: skip
    assert {guess.code for guess in await asyncio.gather(*guesses)} == {400, 429}


async def test_a_receipt_as_page_json_and_paper(
    office: Office, clerk: Visitor, journal: Journal
) -> None:
    order = await journal.put(None, 10_000)
    path = f"/orders/{order}/receipt"
    assert "Not printed yet." in words_of(await clerk.get(path))
    status, view = await clerk.json("GET", f"/api{path}")
    assert (status, view["number"], view["amount_fen"], view["prints"]) == (200, 1, 10_000, [])
    first = await clerk.post(path, size="80mm", language="zh")
    assert first.headers["Content-Type"] == "application/pdf"
    assert "receipt-00000001.pdf" in first.headers["Content-Disposition"]
    assert "收据" in paper(first.body)
    assert "COPY" not in paper(first.body)
    second = await clerk.get(f"/api{path}?size=a4")
    assert "COPY" in paper(second.body)
    assert "Paid" in paper(second.body)
    _, view = await clerk.json("GET", f"/api{path}")
    assert [(each["ordinal"], each["size"]) for each in view["prints"]] == [
        (1, "80mm"), (2, "a4"),
    ]  # fmt: skip
    assert re.search(r"original .* copy 1 ", words_of(await clerk.get(path)))
    reader = await office.somebody("reader")
    assert "00000001" in words_of(await reader.get("/receipts"))
    assert (await reader.get(f"{path}?size=a4")).code == 403
    assert "000000000161" in text_of(await reader.get("/receipts?format=csv"))
    assert (await clerk.get("/orders/unknown/receipt?size=a4")).code == 404
    assert (await clerk.get(f"{path}?size=a3")).code == 400


async def test_limits_are_an_administrator_s(office: Office, clerk: Visitor) -> None:
    administrator = await office.somebody()
    assert (await clerk.get("/limits")).code == 403
    assert (await clerk.post("/limits/clerk0", sale_max="9999.00")).code == 403
    page = words_of(await administrator.get("/limits"))
    assert "clerk0" in page
    assert "10,000.00 site" in page
    done = await administrator.post(
        "/limits/clerk0", sale_max="500.00", shift_max="", approval_above="0"
    )
    assert done.headers["Location"] == "/limits"
    _, view = await administrator.json("GET", "/api/limits/clerk0")
    assert (view["sale_max_fen"], view["own_shift_max_fen"]) == (50_000, None)
    assert (view["approval_above_fen"], view["changed_by"]) == (0, "administrator1")
    refused = await administrator.post("/limits/clerk0", shift_max="600000")
    assert refused.code == 400
    assert "expected 0 to 500000.00 yuan" in words_of(refused)
    assert (await administrator.get("/limits/nobody")).code == 404


def paper(pdf: bytes) -> str:
    """Return the text on a receipt."""
    return "".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)
