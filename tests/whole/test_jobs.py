"""The main jobs of technicians and clerks in a real browser, with the pages used as a person does.

Each is done in English at a desk and in Chinese on a telephone, on one demonstration with a site of
our own beside its own. With `STATION_SCREENSHOTS` set they are done in both languages at both
widths, and leave the pictures that the guides show.
"""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from browsing import (
    DESKTOP,
    PHONE,
    TAKES_SCREENSHOTS,
    Watched,
    base_of,
    chromium,
    demonstration,
    log_in,
    shoot,
)
from playwright.sync_api import Browser, Page, expect
from stations import StationProcess, until

CLOCK_FAST_S = 200
SECOND, SECOND_PASSWORD = "second", "a password of their own"
TIMEOUT_MS = 30_000  # Nothing takes long but on a box that has much else to do.

expect.set_options(timeout=TIMEOUT_MS)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@dataclass(frozen=True)
class Way:
    """How somebody works: the language, the width, and the devices that are left to them."""

    number: int
    language: str
    is_phone: bool

    @property
    def terminal(self) -> str:
        return f"0200700{self.number}"

    @property
    def meter(self) -> str:
        return f"00000000700{self.number}"

    @property
    def suffix(self) -> str:
        return f"{'-phone' if self.is_phone else ''}-{self.language}"


WAYS = [Way(1, "en", False), Way(2, "zh", True)]
if TAKES_SCREENSHOTS:
    WAYS += [Way(3, "zh", False), Way(4, "en", True)]
HOMES = {1: "990000000101", 2: "990000000102", 3: "990000000201", 4: "990000000501"}


def site() -> str:
    """Return a site with a terminal for each way to work, which reports events and has a clock."""
    return "terminals:\n" + "".join(
        f"""  - address: "{way.terminal}"
    clock_offset_s: {CLOCK_FAST_S}
    delay_ms: [5, 10]
    lines: [{{meters: [{{address: "{way.meter}"}}]}}]
  - address: "00000000710{way.number}"
    protocol: dlt698.45
    event_every_s: 5
    lines: []
"""
        for way in WAYS
    )


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StationProcess]:
    """The demonstration, and our own site, whose terminals for 1376.1 nobody knows yet."""
    folder = tmp_path_factory.mktemp("jobs")
    (folder / "site.yaml").write_text(site())
    with demonstration(folder) as running:
        for way in WAYS:
            reporting = {"address": f"00000000710{way.number}", "protocol": "dlt698.45"}
            running.call("/api/terminals", reporting)
        command = [sys.executable, "-m", "station", "simulate", "--site", folder / "site.yaml"]
        command += ["--connect", f"127.0.0.1:{running.front_port}"]
        simulated = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            yield running
        finally:
            simulated.terminate()
            simulated.wait()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="module")
def open_page(browser: Browser, station: StationProcess) -> Callable[[Way], tuple[Page, Watched]]:
    """Return the page of somebody who works in a way; they log in once."""
    opened: dict[Way, tuple[Page, Watched]] = {}

    def open_one(way: Way) -> tuple[Page, Watched]:
        if way not in opened:
            context = browser.new_context(
                base_url=base_of(station),
                viewport=PHONE if way.is_phone else DESKTOP,
                locale="zh-CN" if way.language == "zh" else "en-US",
                has_touch=way.is_phone,
            )
            watched = Watched(context, base_of(station))
            page = context.new_page()
            page.set_default_timeout(TIMEOUT_MS)
            log_in(page, station)
            opened[way] = (page, watched)
        return opened[way]

    return open_one


@pytest.fixture(params=WAYS, ids=lambda way: way.suffix.strip("-"))
def way(request: pytest.FixtureRequest) -> Way:
    return request.param


@pytest.fixture
def page(way: Way, open_page: Callable[[Way], tuple[Page, Watched]]) -> Iterator[Page]:
    """A page that has to stay free of errors."""
    page, watched = open_page(way)
    page.goto("/")
    yield page
    assert watched.faults == []
    watched.faults.clear()


@pytest.fixture
def adopted(station: StationProcess, way: Way) -> str:
    """A terminal that is known and online, with its meter; its address."""
    known = [each["address"] for each in station.call("/api/terminals?size=100")["items"]]
    if way.terminal not in known:
        until(lambda: station.link_state(way.terminal), "the terminal has dialled in")
        station.call(f"/api/links/{way.terminal}/adopt", {})
    meters = [each["address"] for each in station.call("/api/meters?size=100")["items"]]
    if way.meter not in meters:
        station.call("/api/meters", {"address": way.meter, "link": way.terminal, "point": 1})
    station.wait_online(way.terminal)
    return way.terminal


def choose(page: Page, address: str) -> None:
    """Go by the menu, which a telephone hides behind a button."""
    toggler = page.locator(".navbar-toggler")
    if toggler.is_visible():
        toggler.click()
    page.locator(f"#menu a[href='{address}']").click()
    page.wait_for_url(f"**{address}")


def press(page: Page) -> None:
    """Press the main button of the form on the page."""
    page.locator("main form button.btn-primary").last.click()


def test_adopt_a_terminal(page: Page, way: Way, station: StationProcess) -> None:
    choose(page, "/links")
    page.click("a.chip[href*='known=false']")
    row = page.locator(f"#link-{way.terminal}")
    expect(row).to_be_visible()
    shoot(page, f"adopt{way.suffix}")
    row.locator(f"#adopt-{way.terminal}").click()
    page.goto(f"/terminals/{way.terminal}/edit")
    page.fill("#field-name", f"Field {way.number}")
    press(page)
    expect(page.locator("h1")).to_have_text(f"Field {way.number}")
    assert station.call(f"/api/terminals/{way.terminal}")["link"]["state"] == "online"


def test_add_a_meter(page: Page, way: Way, station: StationProcess) -> None:
    known = station.call("/api/meters?size=100")["items"]
    assert way.meter not in [each["address"] for each in known]
    page.goto(f"/terminals/{way.terminal}")
    page.locator("main a[href^='/meters/new']").first.click()
    page.fill("#field-address", way.meter)
    page.fill("#field-name", f"House {way.number}")
    page.fill("#field-point", "1")
    shoot(page, f"add-meter{way.suffix}")
    press(page)
    expect(page.locator("h1")).to_contain_text(f"House {way.number}")
    meter = station.call(f"/api/meters/{way.meter}")
    assert (meter["link"], meter["point"]) == (way.terminal, 1)


@pytest.mark.usefixtures("adopted")
def test_read_now_with_the_frames(page: Page, way: Way) -> None:
    page.goto(f"/meters/{way.meter}")
    page.check("#read-form input[value=voltage_a]")
    page.click("#read-form .btn-primary")
    results = page.locator("#read-results")
    expect(results.locator("tbody tr.is-fresh")).to_have_count(3)
    expect(results.locator("details .frames tr").first).to_contain_text("68 ")
    shoot(page, f"read-now{way.suffix}")
    results.locator("button.value-button").first.click()
    expect(page.locator("#evidence-body .exchange-frame").first).to_be_visible()
    expect(page.locator("#evidence.show:not(.showing)")).to_be_visible()  # It has come in whole.
    page.keyboard.press("Escape")
    expect(page.locator("#evidence")).to_be_hidden()


@pytest.mark.usefixtures("adopted")
def test_a_task_its_run_and_its_holes(page: Page, way: Way, station: StationProcess) -> None:
    choose(page, "/tasks")
    page.locator("main a[href='/tasks/templates']").first.click()
    page.click("#template-load-curve")
    page.fill("#field-name", f"Reverse {way.number}")
    chosen = page.locator("input[name=items]:checked")
    while chosen.count():
        chosen.first.uncheck()
    # Frozen at midnight, so that something is missing at any time of the hour.
    page.check("input[name=items][value=energy_export_total]")
    page.check("input[name=target_kind][value=meters]")
    page.locator(f"#meters-list input[value='{way.meter}']").check()
    page.fill("#field-backfill_days", "1")
    expect(page.locator("#plan .budget tbody tr")).to_have_count(1)
    press(page)
    page.wait_for_url(re.compile(r"/tasks/[0-9a-f]{24}$"))
    task = page.url.rpartition("/")[2]

    page.click(f"form[action='/tasks/{task}/run'] button")
    runs = f"/api/runs?task={task}"
    run = until(lambda: station.call(runs)["items"], "a run")[-1]["id"]
    page.goto(f"/runs/{run}")
    expect(page.locator("#run .status-green").first).to_be_visible()

    page.goto(f"/completeness?task={task}")
    row = page.locator(f"tr[data-meter='{way.meter}']")
    if row.locator("button[name=meter]").is_visible():  # Unless gap filling was there first.
        row.locator("button[name=meter]").click()
    expect(row.locator("button.cell.is-full").first).to_be_visible(timeout=2 * TIMEOUT_MS)
    shoot(page, f"fill-holes{way.suffix}")


@pytest.mark.usefixtures("adopted")
def test_set_a_parameter_after_a_dry_run(page: Page, way: Way, station: StationProcess) -> None:
    page.goto(f"/terminals/{way.terminal}/parameters/F1")
    page.fill("#field-heartbeat_period", "7")
    press(page)
    page.wait_for_url("**/parameters")
    page.click("form[action='/parameters/read'] button")
    held = f"/api/terminals/{way.terminal}/parameters/F1"
    until(lambda: station.call(held)["state"] == "different", "the terminal was read")
    page.reload()
    page.click("form[action='/parameters/dry_run'] button")
    page.locator("main details summary").first.click()
    expect(page.locator("main .exchange-frame .hex").first).to_contain_text("68 ")
    shoot(page, f"dry-run{way.suffix}")
    page.fill("#field-purpose", "heartbeat too rare")
    press(page)
    page.wait_for_url("**/parameters/batches/*")
    expect(page.locator("main .status-green")).to_be_visible()
    fields = station.call(held)["fields"]
    assert [each["held"] for each in fields if each["key"] == "heartbeat_period"] == ["7"]


@pytest.mark.usefixtures("adopted")
def test_synchronise_a_clock(page: Page, way: Way, station: StationProcess) -> None:
    def deviation() -> float:
        clocks = station.call("/api/clock?kind=terminal&size=100")["items"]
        return next(each["deviation_s"] for each in clocks if each["device"] == way.terminal)

    group = f"clocks-{way.number}"
    station.call(f"/api/terminals/{way.terminal}", {"groups": [group]}, "PUT")
    choose(page, "/clock")
    page.select_option("#check-kind", "terminal")
    page.click("form[action='/clock/check'] button")
    row = page.locator("tr", has=page.locator(f"a[href='/terminals/{way.terminal}']"))
    expect(row.locator(".text-danger")).to_contain_text("+")
    assert abs(deviation() - CLOCK_FAST_S) < 5
    shoot(page, f"clocks{way.suffix}")
    page.select_option("#set-kind", "terminal")
    page.fill("#set-group", group)
    page.check("input[name=even_now][type=checkbox]")
    page.fill("#field-purpose", "clocks are fast")
    press(page)
    page.wait_for_url("**/parameters/batches/*")
    ordered = page.locator("tr", has=page.locator(f"a[href='/terminals/{way.terminal}']"))
    expect(ordered.locator(".status-green")).to_be_visible()
    assert abs(deviation()) < 5


def test_acknowledge_an_alarm(page: Page, way: Way, station: StationProcess) -> None:
    device = f"00000000710{way.number}"
    found = until(lambda: station.call(f"/api/alarms?link={device}")["items"], "an alarm")
    choose(page, "/alarms")
    page.locator(f"main a[href='/alarms/{found[0]['id']}']").first.click()
    shoot(page, f"alarm{way.suffix}")
    page.fill("form[action$='/acknowledge'] input[name=comment]", "somebody is on the way")
    page.click("#alarm-acknowledge")
    expect(page.locator("#alarm .status-blue")).to_be_visible()
    expect(page.locator(".steps-taken")).to_contain_text("somebody is on the way")
    alarm = station.call(f"/api/alarms/{found[0]['id']}")
    assert (alarm["state"], alarm["acknowledged_by"]) == ("acknowledged", "admin")


@pytest.mark.usefixtures("adopted")
def test_import_a_table_and_undo_it(
    page: Page, way: Way, station: StationProcess, tmp_path: Path
) -> None:
    def name() -> str:
        return station.call(f"/api/meters/{way.meter}")["name"]

    before = name()
    choose(page, "/imports")
    with page.expect_download() as download:
        page.locator("main a[href='/exports/meters?format=csv']").click()
    edited = tmp_path / "meters.csv"
    lines = download.value.path().read_text("utf-8-sig").splitlines()
    mine = next(line for line in lines if line.startswith(way.meter))
    edited.write_text("\n".join([lines[0], mine.replace(f",{before},", ",Mill,", 1)]), "utf-8")
    page.select_option("select[name=kind]", "meters")
    page.set_input_files("input[type=file]", edited)
    press(page)
    page.wait_for_url("**/imports/*")
    expect(page.locator("#row-2 del")).to_have_text(before or "–")
    assert name() == before
    shoot(page, f"import{way.suffix}")
    page.click("#apply-import")
    expect(page.locator("#undo-import")).to_be_visible()
    assert name() == "Mill"
    page.wait_for_load_state("networkidle")  # The last look at what was done may still come in.
    page.click("#undo-import")
    expect(page.locator("#undo-import")).to_have_count(0)
    until(lambda: name() == before, "it is undone")


def test_open_an_account_and_sell_by_keyboard(
    page: Page, way: Way, station: StationProcess
) -> None:
    meter = HOMES[way.number]
    card = next(
        each["number"] for each in station.call("/api/bench")["cards"] if each["state"] == "blank"
    )
    page.goto("/bench")
    page.locator(f"button[name=card][value='{card}']").click()
    expect(page.locator("tr.is-inserted")).to_be_visible()

    page.goto("/accounts/new")
    expect(page.locator("#field-meter")).to_be_focused()
    page.keyboard.type(meter)
    page.keyboard.press("Tab")
    page.keyboard.type(f"100{meter[-9:]}")
    page.fill("#field-amount", "50")
    page.keyboard.press("Enter")
    expect(page.locator("#next-customer")).to_be_focused()
    page.goto("/bench")
    carried = page.locator("tr.is-inserted .bench-carry")
    carried.locator("select").select_option(meter)
    carried.locator("button").click()
    shown = page.locator(".bench-meter", has_text=meter).locator(".bench-display")
    expect(shown).to_contain_text("50.00")
    page.locator(f"button[name=card][value='{card}']").click()
    expect(page.locator("tr.is-inserted")).to_be_visible()

    page.goto("/counter")
    expect(page.locator("#counter-text")).to_be_focused()
    page.keyboard.press("F2")
    expect(page.locator("#sale-amount")).to_be_focused()
    page.keyboard.type("100")
    expect(page.locator("#preview .preview-sum").first).to_contain_text("100.00")
    shoot(page, f"account{way.suffix}")
    page.keyboard.press("Enter")
    expect(page.locator("#sale-yes")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#next-customer")).to_be_focused()
    page.goto("/bench")
    carried.locator("button").click()
    expect(shown).to_contain_text("150.00")


@pytest.fixture
def second(browser: Browser, station: StationProcess) -> Iterator[Page]:
    """The page of a second person, who has changed the one-time password."""
    context = browser.new_context(base_url=base_of(station), locale="en-US", viewport=DESKTOP)
    watched = Watched(context, base_of(station))
    page = context.new_page()
    known = [each["name"] for each in station.call("/api/users")["items"]]
    if SECOND in known:
        log_in(page, station, SECOND, SECOND_PASSWORD)
    else:
        added = station.call("/api/users", {"name": SECOND, "role": "supervisor"})
        log_in(page, station, SECOND, added["password"])
        page.fill("#field-password", added["password"])
        page.fill("#field-new_password", SECOND_PASSWORD)
        page.fill("#field-again", SECOND_PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("/")
    yield page
    assert watched.faults == []
    context.close()


@pytest.mark.usefixtures("adopted")
def test_a_control_order_that_a_second_person_approves(
    page: Page, second: Page, way: Way, station: StationProcess
) -> None:
    page.goto("/controls/new")
    page.select_option("#field-order", "trip")
    page.select_option("#field-kind", "terminal")
    page.fill("#field-devices", way.terminal)
    press(page)
    expect(page.locator("main .exchange-frame .hex").first).to_contain_text("68 ")
    page.fill("#field-purpose", "fire at the mill")
    page.click("#give-order")
    page.wait_for_url(re.compile(r"/controls/[0-9a-f]{24}$"))
    place = page.url.removeprefix(base_of(station))
    expect(page.locator("#approve-order")).to_have_count(0)  # It is their own.
    assert station.call(f"/api{place}")["state"] == "waiting"

    second.goto("/commands")
    second.locator(f"main a[href='{place}']").first.click()
    expect(second.locator("#approve-order")).to_be_visible()
    if not way.is_phone:
        shoot(second, f"approve{way.suffix}")
    second.click("#approve-order")
    expect(second.locator("#order tbody .status-green")).to_be_visible()
    expect(page.locator("#order tbody .status-green")).to_be_visible()  # By itself.
    order = station.call(f"/api{place}")
    assert (order["by"], order["decided_by"], order["state"]) == ("admin", SECOND, "approved")
    shoot(page, f"control{way.suffix}")
