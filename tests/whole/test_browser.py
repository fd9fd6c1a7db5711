"""A newcomer's first minutes in a real browser; leaves the screenshots that the documents show.

The site is the simulated one, in another process, over real sockets; the browser is Chromium.
"""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from browsing import DESKTOP, PHONE, Watched, base_of, chromium, is_too_wide, log_in, shoot
from playwright.sync_api import Browser, Page, expect
from stations import StationProcess, until

from station.simulator.demo_site import DEMO_SITE

METER = "990000000201"
PAGES = {
    "overview": "/",
    "links": "/links",
    "frames": "/frames",
    "buses": "/buses",
    "tasks": "/tasks",
    "task-form": "/tasks/new?template=load-curve",
    "runs": "/runs",
    "completeness": "/completeness",
    "failures": "/failures",
    "success": "/success",
    "commands": "/commands",
    "events": "/events",
    "blocks": "/blocks",
    "terminals": "/terminals",
    "meter": f"/meters/{METER}",
    "command-form": f"/meters/{METER}/commands/new",
}

# Of these the documents show a picture; the English one of some is taken as the site grows.
SHOWN = {"overview", "links", "frames", "buses", "task-form", "runs", "completeness", "failures",
         "commands", "meter"}  # fmt: skip
TAKEN = {("links", "en"), ("meter", "en"), ("task-form", "en"), ("frames", "en")}
ON_PHONE = ("overview", "meter", "tasks", "buses", "failures")

FRAME = "FE FE FE FE 68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16"  # V-003: 0.26 kWh

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open a page that has to stay free of script errors and of requests to anywhere else."""
    watches: list[Watched] = []

    def open_one(station: StationProcess, language: str, size: dict[str, int]) -> Page:
        context = browser.new_context(viewport=size, locale=language)
        watches.append(Watched(context, base_of(station)))
        page = context.new_page()
        log_in(page, station)
        return page

    yield open_one
    assert [fault for watched in watches for fault in watched.faults] == []


def go(page: Page, path: str) -> None:
    page.goto(re.sub(r"(//[^/]+).*", rf"\1{path}", page.url))


@pytest.fixture
def archive(station: StationProcess) -> StationProcess:
    """A station that knows the simulated site, which has not dialled in yet."""
    known = DEMO_SITE.archive()
    for terminal in known["terminals"]:
        station.call("/api/terminals", terminal)
    for meter in known["meters"]:
        station.call("/api/meters", meter)
    return station


@pytest.fixture
def dial_in(archive: StationProcess) -> Iterator[Callable[[], None]]:
    """Let the simulated site dial in."""
    running: list[subprocess.Popen[bytes]] = []
    connect = f"127.0.0.1:{archive.front_port}"

    def start() -> None:
        command = [sys.executable, "-m", "station", "simulate", "--connect", connect]
        running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))

    yield start
    for process in running:
        process.terminate()
        process.wait()


def points_drawn(page: Page) -> int:
    """Return how many points the curve shows."""
    return page.evaluate(
        """() => {
            const chart = window.echarts?.getInstanceByDom(document.getElementById("chart"));
            const series = chart?.getOption().series ?? [];
            return series.reduce((sum, one) => sum + one.data.length, 0);
        }"""
    )


def completeness(station: StationProcess) -> float:
    """Return the share of today's points that are stored."""
    today = station.call("/api/overview")
    return today["stored"] / max(today["expected"], 1)


def explain(page: Page, name: str) -> None:
    """Have a pasted frame explained: a field lights its bytes, and a byte its field."""
    go(page, "/frames/decode")
    page.fill("textarea[name=hex]", FRAME)
    page.click("form.parser-form button.btn-primary")
    field = page.locator("button.span", has_text="0.26")
    field.hover()
    expect(page.locator("button.byte.is-lit")).to_have_text(["59", "33", "33", "33"])
    shoot(page, name)
    page.locator("button.byte", has_text="8A").focus()
    expect(page.locator("button.span.is-lit")).to_contain_text("8A")
    expect(page.locator("button.byte.is-lit")).to_have_count(1)


def test_every_byte_of_a_pasted_frame_is_explained(
    station: StationProcess, open_page: Callable[..., Page]
) -> None:
    explain(open_page(station, "en-US", DESKTOP), "parser-en")
    explain(open_page(station, "zh-CN", DESKTOP), "parser-zh")


@pytest.mark.timeout(300)
def test_first_light(
    archive: StationProcess, dial_in: Callable[[], None], open_page: Callable[..., Page]
) -> None:
    page = open_page(archive, "en-US", DESKTOP)

    # A terminal comes online before one's eyes.
    go(page, "/links")
    row = page.locator("tr", has_text="99000002")
    expect(row).to_contain_text("offline")
    page.evaluate("window.notReloaded = true")
    dial_in()
    expect(row).to_contain_text("online", timeout=15_000)
    assert page.evaluate("window.notReloaded") is True
    shoot(page, "links-en")

    # A task is made from a template, and tells before it is saved what it will do.
    go(page, "/tasks/templates")
    page.click("#template-load-curve")
    plan = page.locator("#plan")
    expect(plan.locator(".moments li")).to_have_count(5)
    expect(plan.locator("tbody tr").first).to_contain_text("900")
    page.check("input[name=rhythm][value=cron]")
    expect(page.locator("select[name=period_min]")).to_be_hidden()
    page.click("button.chip[value='0 8 * * *']")
    expect(plan.locator(".moments li").first).to_contain_text("08:00")
    page.check("input[name=rhythm][value=period]")
    expect(plan.locator(".moments li", has_text="08:00")).not_to_have_count(5)
    page.fill("input[name=backfill_days]", "1")
    page.evaluate("window.scrollTo(0, 0)")
    shoot(page, "task-form-en")
    page.click("form.task-form button.btn-primary")
    expect(page.locator("h1")).to_contain_text("Load curve")
    expect(page.locator(".budget tbody tr").first).to_be_visible()

    # Its readings make a curve.
    go(page, f"/meters/{METER}")
    page.select_option("select[name=item]", "power_total")
    page.click("button[data-days='2']")
    expect(page.locator("#chart canvas").first).to_be_visible(timeout=60_000)
    until(lambda: points_drawn(page) > 0, "points on the curve")

    # A value read now comes with its frames in words.
    page.check("#read-form input[value=frequency]")  # No task reads it.
    page.click("#read-form .btn-primary")
    results = page.locator("#read-results")
    expect(results).to_contain_text("kWh", timeout=20_000)
    expect(results).to_contain_text("Forward active energy, total")
    expect(results).to_contain_text("68 ")
    row = page.locator(".latest tr:not(.group-row)", has_text="Frequency")
    expect(row).to_contain_text("read now", timeout=10_000)
    page.evaluate("window.scrollTo(0, 0)")
    shoot(page, "meter-en")

    # The frames go by.
    go(page, "/frames")
    expect(page.locator("tbody tr").first).to_be_visible(timeout=20_000)
    shoot(page, "frames-en")

    go(page, "/runs")
    expect(page.locator("tbody tr").first).to_contain_text("Load curve")
    go(page, "/")
    expect(page.locator("body")).to_contain_text("SIMULATION")
    until(lambda: completeness(archive) > 0.8, "most of today is there", 120)
    page.wait_for_timeout(1500)  # The page follows by itself.

    # Commands are ordered and carried out.
    order = {"request_id": "walk-1", "kind": "read", "meter": METER, "items": ["clock"]}
    archive.call("/api/commands", order)
    order = {"request_id": "walk-2", "kind": "set", "meter": METER, "parameter": "clock",
             "purpose": "clock was slow", "password": "000000", "level": 2}  # fmt: skip
    archive.call("/api/commands", order)
    go(page, "/commands")
    expect(page.locator("tbody .status-green")).to_have_count(2, timeout=20_000)

    # Every page in both languages, and on a phone.
    chinese = open_page(archive, "zh-CN", DESKTOP)
    expect(chinese.locator("html")).to_have_attribute("lang", re.compile("^zh"))
    phone, small = open_page(archive, "en-US", PHONE), open_page(archive, "zh-CN", PHONE)
    for name, path in PAGES.items():
        for opened, code in ((page, "en"), (chinese, "zh")):
            go(opened, path)
            expect(opened.locator("h1")).to_be_visible()
            if name in SHOWN and (name, code) not in TAKEN:
                shoot(opened, f"{name}-{code}")
        for opened, code in ((phone, "en"), (small, "zh")):
            go(opened, path)
            assert not is_too_wide(opened), f"{path} is wider than a phone"
            if name in ON_PHONE:
                shoot(opened, f"{name}-phone-{code}")


def test_the_form_of_a_terminal_asks_what_its_protocol_needs(
    station: StationProcess, open_page: Callable[..., Page]
) -> None:
    page = open_page(station, "en-US", DESKTOP)
    go(page, "/terminals/new")
    expect(page.locator("#field-registration")).to_be_hidden()
    page.select_option("select[name=protocol]", "dtu")
    expect(page.locator("#field-registration")).to_be_visible()
    expect(page.locator("input[name=collects][type=checkbox]")).to_be_hidden()
    page.fill("input[name=address]", "dtu-mill")
    page.fill("#field-registration", "13800001111")
    page.fill("#field-heartbeat", "ping")
    page.click("form.form-card button.btn-primary")
    expect(page.locator("body")).to_contain_text("31 33 38 30 30 30 30 31 31 31 31")
    terminal = station.call("/api/terminals/dtu-mill")
    assert (terminal["protocol"], terminal["heartbeat"]) == ("dtu", b"ping".hex().upper())
