"""Every page of the routes in a real browser: readable by everybody, at every width, by itself.

Each is judged by axe-core in light and in dark, at the width of a desktop and of a phone; no page
may note an error, or ask anybody but the station. A new page is found in the routes by itself. If
there is nothing to show on it yet, `live_in` makes something.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from browsing import PHONE, Watched, base_of, chromium, demonstration, is_too_wide, log_in
from playwright.sync_api import Page
from stations import StationProcess, until
from tornado.web import RequestHandler

from station.handlers.routes import routes

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
GRAVE = ("serious", "critical")
ROWS_MAX = 12  # Of a table that axe looks at: the others are made the same way.

WIDE = {"width": 1280, "height": 800}
# The menu is the same everywhere, and is judged on the first page that is looked at.
TRIM = """(most) => {
  for (const row of document.querySelectorAll(`tbody tr:nth-child(n+${most + 1})`)) row.remove();
  if (location.pathname !== "/") document.querySelector("aside")?.remove();
}"""

TERMINAL, METER = "99000001", "990000000201"
SITE = """
terminals:
  - {protocol: dlt698.45, address: "000000005001", event_every_s: 2, lines: []}
  - {address: "02005002", lines: []}
"""

# These answer with a file, with a part of a page, or with nothing to look at.
NO_PAGES = {
    "/accounts/*/preview", "/agents/link", "/api/openapi.json", "/api/overview", "/approvals/new",
    "/completeness/fills",
    "/exports/*", "/healthz", "/live", "/login/code", "/parameters/choose", "/places/offered",
    "/consumption", "/shifts/*/report", "/tariffs/*/preview", "/tasks/*/plan", "/totp/confirm",
    "/totp/off", "/tree/branch",
}  # fmt: skip
# What stands in an address where the first thing of the list above it would not do.
EXAMPLES = {
    "/terminals/*": TERMINAL, "/links/*": TERMINAL, "/meters/*": METER, "/limits/*": "admin",
    "/terminals/*/parameters/*": "F1", "/meters/*/parameters/*": "04000103",
}  # fmt: skip
QUERIES = {
    "/consumption": f"?meter={METER}&item=energy_import_total",
    "/meters/*/commands/confirm": "?kind=control&order=trip",
    "/controls/dry_run": f"?kind=terminal&devices={TERMINAL}&order=trip",
    "/readings": f"?meter={METER}&item=power_total",
    "/search": "?text=shop",
    "/tasks/new": "?template=load-curve",
}
KEYS = ("sequence", "id", "number", "address", "name", "bus")

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StationProcess]:
    """A demonstration where somebody has worked a while, with a site of our own beside its own."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "site.yaml").write_text(SITE)
    with demonstration(folder) as running:
        running.call("/api/terminals", {"address": "000000005001", "protocol": "dlt698.45"})
        place = ["--connect", f"127.0.0.1:{running.front_port}"]
        command = [sys.executable, "-m", "station", "simulate", *place]
        simulated = subprocess.Popen([*command, "--site", folder / "site.yaml"])
        try:
            live_in(running)
            yield running
        finally:
            simulated.terminate()
            simulated.wait()


def live_in(station: StationProcess) -> None:
    """Make one of everything that a page may show."""
    call = station.call
    call("/api/channels", {"name": "hall-1", "url": "socket://127.0.0.1:9"})
    call("/api/blocks", {"key": "02009999", "reason": "test device"})
    call("/api/commands", {"request_id": "1", "kind": "read", "meter": METER, "items": ["clock"]})
    read = {"request_id": "2", "kind": "terminal", "devices": [TERMINAL], "codes": ["F1"]}
    call("/api/parameters/read", read)
    call(f"/api/terminals/{TERMINAL}/parameters/F1", {"values": {"heartbeat_period": "5"}}, "PUT")
    call("/api/parameters/templates", {"name": "Homes", "like": TERMINAL})
    trip = {"kind": "terminal", "devices": [TERMINAL], "order": "trip", "purpose": "test"}
    call("/api/controls", {**trip, "request_id": "3"})  # It waits for a second person.
    call("/api/clock/check", {"kind": "meter", "link": TERMINAL})
    call("/api/alarms/rules", {"name": "Night", "targets": ["someone@example.org"]})
    changed = {"ct": 2, "pt": 1, "registers": {"energy_import_total": "1.0"}, "reason": "test"}
    call("/api/meters/990000000301/ratio", changed)
    call("/api/tokens", {"label": "program", "permissions": ["view"], "days": 1})
    until(lambda: call("/api/alarms")["total"], "an alarm")
    until(lambda: call("/api/events")["total"], "an event")
    until(lambda: call("/api/runs")["total"], "a run")
    until(lambda: call("/api/links?known=false")["total"], "an unknown terminal")


def send_in(page: Page, station: StationProcess) -> None:
    """Send a table in, whose preview then is there to be looked at."""
    base = base_of(station)
    page.goto(f"{base}/imports")
    table = b"address,name\n990000000201,Corner shop\n990000000202,\n"
    page.select_option("select[name=kind]", "meters")
    file = {"name": "meters.csv", "mimeType": "text/csv", "buffer": table}
    page.set_input_files("input[type=file]", file)
    page.click("main form button.btn-primary")
    page.wait_for_url("**/imports/*")


def pages() -> list[str]:
    """Return the pattern of every page, `*` for what varies."""
    found = []
    for pattern, handler in routes():
        path = pattern.removeprefix("(?:/api)?").replace("([^/]+)", "*")
        if handler.get is not RequestHandler.get and path not in NO_PAGES:
            found.append(path)
    return found


def example(station: StationProcess, pattern: str) -> str:
    """Return an address of a page; what varies is the first thing of the list above it."""
    if not pattern.count("*"):
        return pattern
    head, _, rest = pattern.partition("*")
    known = EXAMPLES.get(f"{head}*")
    if head == "/parameters/batches/":
        known = next(each["batch"] for each in station.call("/api/commands")["items"])
    elif known is None:
        items = station.call(f"/api{head.rstrip('/')}")["items"]
        assert items, f"{pattern}: nothing is there to look at; let live_in make something"
        known = str(next(items[0][key] for key in KEYS if key in items[0]))
    path = f"{head}{known}{rest}"
    if "*" in rest:
        path = path.replace("*", EXAMPLES[pattern])
    return path


def query_of(station: StationProcess, pattern: str) -> str:
    """Return what a page has to be asked with."""
    if pattern != "/meters/*/frames":
        return QUERIES.get(pattern, "")
    readings = f"/api/readings?meter={METER}&item=power_total"
    newest = until(lambda: station.call(readings)["items"], "a reading")[-1]
    return "?" + urlencode({"read_at": newest["read_at"]})


def look_at(page: Page, address: str) -> list[str]:
    """Return what is wrong with a page."""
    answer = page.goto(address)
    assert answer is not None
    wrong = [] if answer.status == 200 else [f"status {answer.status}"]
    if "text/html" not in answer.headers.get("content-type", ""):
        return [*wrong, "no page"]
    wrong += ["wider than a desktop"] * is_too_wide(page)
    page.set_viewport_size(PHONE)
    wrong += ["wider than a phone"] * is_too_wide(page)
    page.set_viewport_size(WIDE)
    page.evaluate(TRIM, ROWS_MAX)
    page.evaluate(AXE.read_text())
    wrong += judged(page, {"resultTypes": ["violations"]}, "light")
    page.evaluate("document.documentElement.dataset.bsTheme = 'dark'")
    wrong += judged(page, {"resultTypes": ["violations"], "runOnly": ["color-contrast"]}, "dark")
    return wrong


def judged(page: Page, options: dict[str, Any], theme: str) -> list[str]:
    """Return what axe finds on a page that keeps somebody from using it."""
    found = page.evaluate("(options) => axe.run(document, options)", options)
    return [
        f"{theme}: {rule['id']}: {node['html'][:200]}"
        for rule in found["violations"]
        if rule["impact"] in GRAVE
        for node in rule["nodes"]
    ]


@pytest.mark.timeout(300)
def test_every_page_is_fit_to_be_used(station: StationProcess) -> None:
    wrong: dict[str, list[str]] = {}
    with chromium() as browser:
        context = browser.new_context(viewport=WIDE, locale="en-US", reduced_motion="reduce")
        watched = Watched(context, base_of(station))
        page = context.new_page()
        log_in(page, station)
        send_in(page, station)
        for pattern in pages():
            address = example(station, pattern) + query_of(station, pattern)
            found = look_at(page, base_of(station) + address)
            if found + watched.faults:
                wrong[address] = found + watched.faults
            watched.faults.clear()
    assert not wrong, "\n".join(f"{at}: {each}" for at, found in wrong.items() for each in found)


def test_what_is_no_page_is_in_the_routes() -> None:
    known = {pattern.removeprefix("(?:/api)?").replace("([^/]+)", "*") for pattern, _ in routes()}
    assert known >= NO_PAGES
