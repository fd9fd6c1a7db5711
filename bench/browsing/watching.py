"""What a real browser sees: what a page weighs when it is opened first, and when a number moves."""

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from station.protocols.qgdw1376 import link
from station.protocols.qgdw1376.frame import Address

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip
SETTLED_MS = 250  # After a page is loaded, for what its scripts ask for.
SEEN_TIMEOUT_S = 15.0
LOOK_MS = 20
QUIET_S = 1.5  # Between two changes, so that each is one of its own.

# Notes when the number of links online on the overview becomes another one.
WATCH = """() => {
  window.seen = [];
  const number = () => document.querySelector('a[href="/links"] .number-value')?.textContent.trim();
  let last = number();
  new MutationObserver(() => {
    const now = number();
    if (now && now !== last) window.seen.push(Date.now());
    last = now ?? last;
  }).observe(document.getElementById("main"), {childList: true, subtree: true});
}"""


@dataclass(frozen=True, slots=True)
class Weight:
    """The bytes that a page takes over the wire, with an empty cache, and who else was asked."""

    path: str
    size: int
    requests: int
    outside: tuple[str, ...]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def weigh(browser: Browser, url: str, cookie: str, paths: Sequence[str]) -> list[Weight]:
    """Open each page with an empty cache and return what came over the wire."""
    return [_weight(browser, url, cookie, path) for path in paths]


def _weight(browser: Browser, url: str, cookie: str, path: str) -> Weight:
    context = _context(browser, url, cookie)
    try:
        page = context.new_page()
        asked: list[str] = []
        sizes: list[float] = []
        page.on("request", lambda request: asked.append(request.url))
        network = context.new_cdp_session(page)
        network.send("Network.enable")
        network.on("Network.loadingFinished", lambda said: sizes.append(said["encodedDataLength"]))
        page.goto(url + path, wait_until="load")
        page.wait_for_timeout(SETTLED_MS)
        own = (url, "data:", f"ws{url[4:]}")
        outside = tuple(each for each in asked if not each.startswith(own))
        return Weight(path, round(sum(sizes)), len(asked), outside)
    finally:
        context.close()


def pushes(
    browser: Browser, url: str, cookie: str, front_port: int, addresses: Sequence[str]
) -> list[float]:
    """Let terminals log in and go; return after how many seconds the overview showed each."""
    context = _context(browser, url, cookie)
    try:
        page = context.new_page()
        page.goto(url + "/", wait_until="load")
        page.wait_for_selector("#live-state.is-live", state="attached")
        page.evaluate(WATCH)
        spent = []
        for address in addresses:
            terminal = socket.create_connection(("127.0.0.1", front_port))
            changed = time.time()
            terminal.sendall(link.login(Address.from_text(address), 0).to_bytes())
            terminal.recv(4096)
            spent.append(_seen(page, changed))
            changed = time.time()
            terminal.close()
            spent.append(_seen(page, changed))
        return spent
    finally:
        context.close()


def _seen(page: Page, changed: float) -> float:
    """Return how long after a change the page showed another number, or the time waited for it."""
    since = 1000 * changed - 1
    at = None
    while at is None and time.time() - changed < SEEN_TIMEOUT_S:
        page.wait_for_timeout(LOOK_MS)
        at = page.evaluate("(since) => window.seen.find((at) => at >= since) ?? null", since)
    time.sleep(QUIET_S)
    return SEEN_TIMEOUT_S if at is None else float(at) / 1000 - changed


def _context(browser: Browser, url: str, cookie: str) -> BrowserContext:
    context = browser.new_context(locale="en", viewport={"width": 1440, "height": 900})
    if cookie:
        name, value = cookie.split("=", 1)
        context.add_cookies([{"name": name, "value": value, "url": url}])
    return context
