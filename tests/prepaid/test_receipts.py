"""Receipts: numbers without gaps whoever is cut off, one original, and what stands on the paper."""

import asyncio
import io
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from drawer_helpers import ZONE, Journal
from pypdf import PdfReader

from station.errors import Conflict, InvalidValue, NotFound
from station.prepaid import paper, receipt_pdf
from station.prepaid.receipt_words import capital_amount, money_text
from station.prepaid.receipts import Receipts, ReceiptStores
from station.store.database import Database
from station.store.objects.customers import Customer
from station.store.objects.receipts import Print, Receipt
from station.units import UTC

AT = datetime(2026, 11, 23, 3, 4, tzinfo=UTC)
WRITER = Path(__file__).with_name("receipt_writer.py")
RECEIPT = Receipt(
    "order", 42, "purchase", 1_234_56, AT, AT, "clerk", site="示范站 Demo", count=3,
    card_amount_fen=1_234_56, customer="000000001001", customer_name="Test customer 测试用户",
    customer_address="示例路 12 号 3 单元 401 室，靠近变电站，地址很长，一行写不下，要写成两行才行",
    meter="000000123456", card_serial="0102030405060708", tariff="居民 Household (3)",
)  # fmt: skip


@pytest.fixture
async def journal(mongo_uri: str, database: Database) -> AsyncIterator[Journal]:
    """The journal of orders."""
    journal = Journal(mongo_uri, database.name)
    yield journal
    journal.close()


def office(database: Database) -> Receipts:
    """Return the receipts as a station makes them."""
    stores = ReceiptStores(
        orders=database.orders,
        accounts=database.accounts,
        customers=database.customers,
        tariffs=database.tariffs,
        approvals=database.approvals,
        receipts=database.receipts,
        prints=database.prints,
    )
    return Receipts(stores, site="Test site", zone=ZONE, simulation=False)


@pytest.fixture
def receipts(database: Database) -> Receipts:
    """The receipts of the site."""
    return office(database)


async def held_numbers(database: Database, journal: Journal) -> list[int]:
    """Return the numbers of all receipts, once the journal's own notes agree with them."""
    held, total = await database.receipts.list(limit=1000)
    assert len(held) == total
    noted = {each["_id"]: each["receipt"] async for each in journal.orders.find({})}
    assert {each.order: each.number for each in held} == noted
    return sorted(each.number for each in held)


async def test_many_at_once_leave_no_gap(
    database: Database, journal: Journal, mongo_uri: str
) -> None:
    orders = [await journal.put(None, 100) for _ in range(60)]
    second = await Database.connect(mongo_uri, database.name, zone=ZONE)
    try:
        issued = await asyncio.gather(
            *(office(each).issue(order) for order in orders for each in (database, second))
        )
    finally:
        await second.close()
    assert len({(each.order, each.number) for each in issued}) == 60
    assert await held_numbers(database, journal) == [*range(1, 61)]


async def test_cut_off_at_any_moment_leaves_no_gap(
    database: Database, journal: Journal, receipts: Receipts
) -> None:
    orders = [await journal.put(None, 100) for _ in range(50)]
    cut = 0
    for number, order in enumerate(orders):
        issuing = asyncio.ensure_future(receipts.issue(order))
        await asyncio.wait({issuing}, timeout=number * 0.0003)
        cut += issuing.cancel()
        await asyncio.gather(issuing, return_exceptions=True)
    assert cut > 10
    for order in reversed(orders):
        await receipts.issue(order)
    assert await held_numbers(database, journal) == [*range(1, 51)]


async def test_killed_writers_leave_no_gap(
    database: Database, journal: Journal, receipts: Receipts, mongo_uri: str
) -> None:
    orders = [await journal.put(None, 100) for _ in range(200)]
    writers = [
        await asyncio.create_subprocess_exec(
            sys.executable, str(WRITER), mongo_uri, database.name, *orders[start::3], orders[0],
            stdout=asyncio.subprocess.PIPE,
        )
        for start in range(3)
    ]  # fmt: skip
    for lines, writer in zip((5, 17, 30), writers, strict=True):
        assert writer.stdout is not None
        for _ in range(lines):
            assert await asyncio.wait_for(writer.stdout.readline(), 20)
        writer.send_signal(signal.SIGKILL)
    ends = [await asyncio.wait_for(writer.wait(), 20) for writer in writers]
    assert ends == [-signal.SIGKILL] * 3
    cut_at = (await database.receipts.list())[1]
    assert 5 + 17 + 30 <= cut_at < 200
    for order in orders:
        await receipts.issue(order)
    assert await held_numbers(database, journal) == [*range(1, 201)]


async def test_only_a_written_order_has_a_receipt(receipts: Receipts, journal: Journal) -> None:
    with pytest.raises(Conflict, match="is not finished; finish it first"):
        await receipts.issue(await journal.put(None, 100, state="reserved"))
    with pytest.raises(Conflict, match="was abandoned; it has no receipt"):
        await receipts.issue(await journal.put(None, 100, state="abandoned"))
    with pytest.raises(NotFound):
        await receipts.issue("no such order")
    order = await journal.put(None, 100)
    assert (await receipts.issue(order)).number == 1
    with pytest.raises(InvalidValue, match="expected one of a4, 80mm, got a3"):
        await receipts.print(order, size="a3", language="en", by="clerk")
    with pytest.raises(InvalidValue, match="expected one of en, zh, got fr"):
        await receipts.print(order, size="a4", language="fr", by="clerk")


async def test_one_original_and_every_print_recorded(
    receipts: Receipts, journal: Journal, database: Database
) -> None:
    order = await journal.put(None, 100)
    printed = await asyncio.gather(
        *(receipts.print(order, size="80mm", language="en", by=f"clerk {n}") for n in range(5))
    )
    marked = ["COPY" in text_of(each.pdf) for each in printed]
    assert sorted(marked) == [False, True, True, True, True]
    recorded = await database.prints.of(1)
    assert [each.ordinal for each in recorded] == [1, 2, 3, 4, 5]
    assert {each.by for each in recorded} == {f"clerk {number}" for number in range(5)}


async def test_a_copy_says_what_the_original_said(
    receipts: Receipts, journal: Journal, database: Database
) -> None:
    await database.customers.add(Customer("000000001001", "Old name", address="Old road"))
    first = await journal.put(None, 10_000, customer="000000001001", meter="000000123456")
    undone = await journal.put(None, -10_000, kind="reversal", reverses=first, reason="wrong one")
    original = await receipts.print(first, size="a4", language="en", by="clerk")
    await database.customers.save(Customer("000000001001", "New name", address="New road"))
    copy = await receipts.print(first, size="a4", language="en", by="other")
    assert copy.receipt == original.receipt
    assert "Old name" in text_of(copy.pdf)
    assert "print 2 on" in text_of(copy.pdf)
    refund = text_of((await receipts.print(undone, size="a4", language="en", by="clerk")).pdf)
    assert "Refund receipt" in refund
    assert "Reverses receipt 00000001" in refund
    assert "wrong one" in refund


@pytest.mark.parametrize("size", ["a4", "80mm"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_all_that_matters_is_on_the_paper(size: str, language: str) -> None:
    text = text_of(receipt_pdf.to_pdf(RECEIPT, a_print(1, size, language), zone=ZONE))
    for wanted in (
        "00000042", "示范站 Demo", "2026-11-23 11:04", "000000001001", "Test customer 测试用户",
        "000000123456", "0102030405060708", "居民 Household (3)", "¥1,234.56",
    ):  # fmt: skip
        assert wanted in text, wanted
    assert "".join(RECEIPT.customer_address.split()) in "".join(text.split())
    assert "COPY" not in text
    words = ("Purchase", "Paid") if language == "en" else ("购电", "壹仟贰佰叁拾肆元伍角陆分")
    assert all(word in text for word in words)
    copy = text_of(receipt_pdf.to_pdf(RECEIPT, a_print(2, size, language), zone=ZONE))
    assert "COPY" in copy
    practice = replace(RECEIPT, simulation=True)
    assert ("not a real payment" if language == "en" else "非真实收款") in text_of(
        receipt_pdf.to_pdf(practice, a_print(1, size, language), zone=ZONE)
    )


def test_paper_and_fonts() -> None:
    a4 = PdfReader(io.BytesIO(receipt_pdf.to_pdf(RECEIPT, a_print(1, "a4", "zh"), zone=ZONE)))
    till = PdfReader(io.BytesIO(receipt_pdf.to_pdf(RECEIPT, a_print(1, "80mm", "zh"), zone=ZONE)))
    assert [len(each.pages) for each in (a4, till)] == [1, 1]
    assert [round(side) for side in a4.pages[0].mediabox[2:]] == [595, 842]
    width, height = (float(side) / 72 * 25.4 for side in till.pages[0].mediabox[2:])
    assert round(width) == 80
    assert 100 < height < 250
    if paper.chinese_font() == paper.FONT:
        fonts = till.pages[0]["/Resources"]["/Font"].get_object().values()
        embedded = [font.get_object()["/FontDescriptor"] for font in fonts
                    if "/FontDescriptor" in font.get_object()]  # fmt: skip
        assert all("/FontFile2" in each.get_object() for each in embedded)
        assert embedded


def test_without_a_font_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper, "FONT_FILES", ())
    elsewhere = paper.chinese_font.__wrapped__()
    assert elsewhere == paper.FONT_ELSEWHERE
    made = a_print(1, "a4", "zh")
    text = text_of(receipt_pdf.to_pdf(RECEIPT, made, zone=ZONE, fonts=elsewhere))
    assert "000000123456" in text


@pytest.mark.parametrize("letters", ["N", "名", "N ", "名 a"])
def test_names_of_any_length_stay_on_the_paper(letters: str) -> None:
    long = replace(RECEIPT, customer_name=(letters * 200)[:200], customer_address="")
    for size in ("a4", "80mm"):
        pdf = receipt_pdf.to_pdf(long, a_print(1, size, "en"), zone=ZONE)
        text = "".join(text_of(pdf).split())
        assert "".join(long.customer_name.split()) in text


# Amounts in capitals: Measures for Payment and Settlement, annex 1, and its own examples.
@pytest.mark.parametrize(("amount_fen", "capitals"), [
    (0, "零元整"), (5, "伍分"), (50, "伍角整"), (105, "壹元零伍分"), (100, "壹元整"),
    (140_950, "壹仟肆佰零玖元伍角整"), (600_714, "陆仟零柒元壹角肆分"),
    (168_032, "壹仟陆佰捌拾元叁角贰分"),
    (1_640_902, "壹万陆仟肆佰零玖元零贰分"), (32_504, "叁佰贰拾伍元零肆分"),
    (10_000_000, "壹拾万元整"), (10_000_100, "壹拾万零壹元整"),
    (99_999_999, "玖拾玖万玖仟玖佰玖拾玖元玖角玖分"),
    (1_000_000_001_00, "壹拾亿零壹元整"), (-1_002_003, "壹万零贰拾元零叁分"),
])  # fmt: skip
def test_amounts_in_capitals(amount_fen: int, capitals: str) -> None:
    assert capital_amount(amount_fen) == capitals


def test_amounts_in_digits() -> None:
    assert [money_text(each) for each in (0, 5, -123_456_789)] == [
        "¥0.00", "¥0.05", "¥1,234,567.89",
    ]  # fmt: skip


def a_print(ordinal: int, size: str, language: str) -> Print:
    """Return the record of a print."""
    return Print(f"42-{ordinal}", 42, ordinal, "clerk", AT, size, language)


def text_of(pdf: bytes) -> str:
    """Return the text that a reader of the document finds."""
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)
