"""A newcomer sells in the demonstration: card into the reader, money onto it, card to the meter.

Everything by clicking and typing, in a real browser, on a station of its own; it leaves the picture
that the documents show.
"""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from stations import free_port, until
from test_browser import DESKTOP, FLAGS, SCREENSHOTS

pytestmark = pytest.mark.browser


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """The demonstration in a browser, as its administrator."""
    port, log = free_port(), tmp_path / "log"
    command = [sys.executable, "-m", "station", "demo", "--data", tmp_path / "data"]
    with log.open("wb") as output:
        station = subprocess.Popen([*command, "--port", str(port)], stdout=output)
    try:
        until(lambda: "ready at" in log.read_text(), "the demonstration is ready")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
            page = browser.new_page(
                base_url=f"http://127.0.0.1:{port}", viewport=DESKTOP, locale="en"
            )
            page.goto("/login")
            page.fill("input[name=username]", "admin")
            page.fill("input[name=password]", log.read_text().split("password ")[1].split()[0])
            page.keyboard.press("Enter")
            expect(page).to_have_title("Overview · Demonstration site")
            yield page
            browser.close()
    finally:
        station.send_signal(signal.SIGINT)
        assert station.wait(30) == 0


def test_from_the_reader_to_the_meter(page: Page) -> None:
    page.goto("/bench")
    page.get_by_role("button", name="Insert card 1", exact=True).click()
    page.goto("/counter")
    expect(page.locator("#counter-text")).to_be_focused()
    page.keyboard.press("F2")
    expect(page.locator("#sale-amount")).to_be_focused()
    for language in ("zh", "en"):
        page.context.add_cookies([{"name": "language", "value": language, "url": page.url}])
        page.reload()
        page.fill("#sale-amount", "100")
        expect(page.locator("#preview .preview-sum").first).to_contain_text("100.00")
        page.screenshot(path=SCREENSHOTS / f"account-{language}.png")
    page.keyboard.press("Enter")
    expect(page.locator("#sale-yes")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".write-title")).to_have_text("Done: the card carries it")

    page.goto("/bench")
    page.get_by_role("button", name="Carry to the meter").first.click()
    expect(page.locator("main")).to_contain_text("100.00 yuan credited")
