"""A sale at the counter in a real browser, by keyboard alone, with a virtual card in a reader."""

import json
import re
import time
from collections.abc import AsyncIterator

import pytest
from browsing import CHROMIUM, DESKTOP, FLAGS
from counter_site import CounterSite, open_counter
from playwright.async_api import Page, async_playwright, expect
from web_helpers import PASSWORD

from station.prepaid.readers.workplace import UPDATE_BINARY
from station.store.database import Database

pytestmark = pytest.mark.browser

EXPECTED_FAULT = "status of 409"  # A refused write; the browser notes every such answer.


@pytest.fixture
async def counter(database: Database) -> AsyncIterator[CounterSite]:
    """A counter with a reader in memory."""
    async with open_counter(database) as opened:
        yield opened


@pytest.fixture
async def page(counter: CounterSite) -> AsyncIterator[Page]:
    """A clerk's browser at the counter; its pages have to stay free of errors."""
    await counter.office.somebody("clerk")
    faults: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = await browser.new_context(viewport=DESKTOP, locale="en")
        page = await context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: said.type == "error" and faults.append(said.text))
        await page.goto(f"{counter.office.url}/login?next=/counter")
        await page.fill("input[name=username]", "clerk0")
        await page.fill("input[name=password]", PASSWORD)
        await page.keyboard.press("Enter")
        await expect(page.locator("#counter-text")).to_be_focused()
        yield page
        await browser.close()
    assert [fault for fault in faults if EXPECTED_FAULT not in fault] == []


async def test_whole_sale_by_keyboard_with_the_steps_shown(
    counter: CounterSite, page: Page
) -> None:
    ann = await counter.office.somebody("clerk")
    account, card = await counter.opened(ann)
    counter.meter.insert(card)
    counter.reader.before_apdu = answer_slowly
    seen = record_steps(page)

    await page.keyboard.type("555-0101")
    await page.keyboard.press("Enter")
    await expect(page.locator("#sale-amount")).to_be_focused()
    await page.keyboard.type("88.5")
    await expect(page.locator("#preview .preview-sum").nth(1)).to_have_text("177.00")
    await page.keyboard.press("Enter")
    await expect(page.locator("#sale-yes")).to_be_focused()
    await expect(page.locator("#sale-card")).to_contain_text("may be written")
    assert (await ann.json("GET", "/api/orders"))[1]["total"] == 1  # Only the opening so far.
    await page.keyboard.press("Enter")
    await expect(page.locator("#next-customer")).to_be_focused()
    await expect(page.locator(".write-title")).to_have_text("Done: the card carries it")

    assert counter.meter.insert(card).credited_fen == 8_850
    _, journal = await ann.json("GET", f"/api/orders?account={account}")
    assert [(order["kind"], order["state"]) for order in journal["items"]] == [
        ("purchase", "written"),
        ("opening", "written"),
    ]
    assert "write wallet" in seen
    await page.keyboard.press("Enter")
    await expect(page.locator("#counter-text")).to_be_focused()


async def test_without_its_card_nothing_is_sold(counter: CounterSite, page: Page) -> None:
    ann = await counter.office.somebody("clerk")
    account, card = await counter.opened(ann)
    counter.meter.insert(card)
    counter.reader.pull()
    await page.keyboard.type("555-0101")
    await page.keyboard.press("Enter")
    await expect(page.locator("#sale-amount")).to_be_focused()
    await page.keyboard.type("7")
    await page.keyboard.press("Enter")
    await expect(page.locator("#sale-card")).to_contain_text("no card")
    await expect(page.locator("#sale-yes")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#sale-card")).to_contain_text("Nothing was sold.")
    await expect(page.locator("#sale-yes")).to_be_focused()
    purchases = f"/api/orders?account={account}&kind=purchase"
    assert (await ann.json("GET", purchases))[1]["total"] == 0

    counter.reader.insert(card)
    await page.keyboard.press("Enter")
    await expect(page.locator("#next-customer")).to_be_focused()
    assert (await ann.json("GET", purchases))[1]["total"] == 1
    assert counter.meter.insert(card).credited_fen == 700


async def test_sale_that_is_cut_stays_in_sight_until_it_is_finished(
    counter: CounterSite, page: Page
) -> None:
    ann = await counter.office.somebody("clerk")
    _, card = await counter.opened(ann)
    counter.meter.insert(card)
    await page.keyboard.type("555-0101")
    await page.keyboard.press("Enter")
    await expect(page.locator("#sale-amount")).to_be_focused()
    await page.keyboard.type("7")
    await page.keyboard.press("Enter")
    await expect(page.locator("#sale-card")).to_contain_text("may be written")

    def pull_at_the_first_write(_number: int, apdu: bytes) -> None:
        if apdu[1] == UPDATE_BINARY:
            counter.reader.pull()

    counter.reader.after_apdu = pull_at_the_first_write
    await page.keyboard.press("Enter")
    await expect(page.locator("#write-problem")).to_contain_text("no card")
    await expect(page.locator("#write-go")).to_be_focused()

    await page.goto(f"{counter.office.url}/counter")
    first = page.locator("main a.unfinished")
    await expect(first).to_contain_text("Unfinished: purchase of 7.00 yuan")
    counter.reader.calm()
    counter.reader.insert(card)
    await page.keyboard.press("F2")  # The card leads to its unfinished order.
    await expect(page.locator("#write-go")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#next-customer")).to_be_focused()
    assert counter.meter.insert(card).credited_fen == 700


async def test_two_clicks_and_the_way_back_are_one_sale(counter: CounterSite, page: Page) -> None:
    ann = await counter.office.somebody("clerk")
    account, card = await counter.opened(ann)
    counter.meter.insert(card)
    await page.goto(f"{counter.office.url}/accounts/{account}")
    await page.fill("#sale-amount", "9")
    # Past the question, sent twice in one moment as a hasty double click does.
    await page.evaluate("() => { const form = document.getElementById('sale');"
                        " HTMLFormElement.prototype.submit.call(form);"
                        " HTMLFormElement.prototype.submit.call(form); }")  # fmt: skip
    await page.wait_for_url(re.compile("/orders/"))
    await expect(page.locator("#next-customer")).to_be_visible()
    await page.go_back()
    await page.goto(f"{counter.office.url}/accounts/{account}")
    _, journal = await ann.json("GET", f"/api/orders?account={account}&kind=purchase")
    assert [order["amount_fen"] for order in journal["items"]] == [900]


def answer_slowly(_number: int, _apdu: bytes) -> None:
    """Take the time of a real card; steps that come faster are shown as one."""
    time.sleep(0.03)


def record_steps(page: Page) -> list[str]:
    """Return a list that fills with the steps that the page hears over its socket."""
    seen: list[str] = []

    def hear(payload: str | bytes) -> None:
        seen.append(json.loads(payload).get("step", ""))

    page.on("websocket", lambda socket: socket.on("framereceived", hear))
    return seen
