"""A demonstration in a process of its own, and a real browser whose pages have to stay sound.

The pictures of the documents are taken only when `STATION_SCREENSHOTS` is set, so that running the
tests leaves the checkout as it is.
"""

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright
from stations import StationProcess, free_port, until

SCREENSHOTS = Path(__file__).parents[2] / "docs" / "screenshots"
TAKES_SCREENSHOTS = "STATION_SCREENSHOTS" in os.environ
COLOURS = 255  # Of a picture: nobody sees the difference, and it has a third of the bytes.

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}


@contextlib.contextmanager
def demonstration(folder: Path) -> Iterator[StationProcess]:
    """Run `station demo`; the station's settings are the demonstration's own."""
    station = StationProcess(folder)
    station.web_port = free_port()
    command = [sys.executable, "-m", "station", "demo", "--data", folder / "data"]
    with station.log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--port", str(station.web_port)], stdout=output, stderr=output
        )
    try:
        until(lambda: "ready at" in station.log.read_text(), "the demonstration is ready")
        said = station.log.read_text()
        station.password = said.split("   password ")[1].split()[0]
        station.front_port = int(re.findall(r"dial in on \S+ port (\d+)", said)[0])
        yield station
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Run Debian's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Watched:
    """What goes wrong on the pages of a context: script errors, and requests to anywhere else."""

    def __init__(self, context: BrowserContext, base: str) -> None:
        self.faults: list[str] = []
        self._own = (base, "data:", "blob:", f"ws{base.removeprefix('http')}")
        context.on("page", self._watch)

    def _watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.faults.append(f"{page.url}: {error}"))
        page.on("console", self._hear)
        page.on("request", lambda asked: self._asked(asked.url))

    def _hear(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            self.faults.append(f"{said.page.url if said.page else ''}: {said.text}")

    def _asked(self, url: str) -> None:
        if not url.startswith(self._own):
            self.faults.append(f"a request to {url}")


def base_of(station: StationProcess) -> str:
    return f"http://127.0.0.1:{station.web_port}"


def log_in(page: Page, station: StationProcess, name: str = "admin", password: str = "") -> None:
    """Log in as the administrator, or as somebody else."""
    base = base_of(station)
    page.goto(f"{base}/login")
    page.fill("input[name=username]", name)
    page.fill("input[name=password]", password or station.password)
    page.press("input[name=password]", "Enter")
    page.wait_for_url(re.compile(f"^{base}/(password.*)?$"))  # A one-time password is changed.


def is_too_wide(page: Page) -> bool:
    """Tell whether a page has to be scrolled sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))


def shoot(page: Page, name: str) -> None:
    """Leave a screenshot for the documents, if they are to be taken."""
    if not TAKES_SCREENSHOTS:
        return
    page.wait_for_timeout(400)  # Charts draw themselves with a short movement.
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    small = picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    small.save(SCREENSHOTS / f"{name}.png", optimize=True)
