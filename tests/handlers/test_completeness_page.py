"""The completeness calendar: what it counts, what it says of holes, and that a click fills them."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from web_helpers import CONFIG, Office, Visitor, open_office, text_of, words_of

from station.store.database import Database
from station.store.objects.coverage import HoleCause
from station.store.objects.meters import Meter
from station.store.objects.readings import Reading
from station.store.objects.runs import Run
from station.store.objects.tasks import Task
from station.store.objects.terminals import Terminal
from station.units import day_start, local_day, moment_of, utc_now

ZONE = CONFIG.site.zone_info
TODAY = local_day(utc_now(), ZONE)
MONTH = (TODAY.replace(day=1) - timedelta(days=1)).replace(day=1)  # The last one, which is over.
MADE = day_start(MONTH, ZONE)
DAY = MONTH + timedelta(days=9)
NORTH, SOUTH = "02001234", "02005678"
METERS = [f"00000000016{number}" for number in range(1, 4)]
ENERGY, POWER = "energy_import_total", "power_total"
TASK = Task("1", "Hours", (ENERGY, POWER), 60, created_at=MADE)


class Filling:
    """Scheduler that notes what it was asked to fill."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.runs: list[Run] = []

    async def fill(self, *asked: Any) -> Run:
        self.asked.append(asked)
        run = Run("7", "1", "Hours", MADE, utc_now(), station="test", kind="fill", due=4)
        self.runs = [run]
        return run

    def active_runs(self) -> list[Run]:
        return self.runs


class Reckoned:
    """Budget that knows when every run is done."""

    async def finish_of(self, _: Run) -> datetime:
        return moment_of(TODAY, 14 * 60 + 32, ZONE)


@pytest.fixture
def filling() -> Filling:
    return Filling()


@pytest.fixture
async def calendar(database: Database, filling: Filling) -> AsyncIterator[Office]:
    """An office with three meters over two links; of one day of one meter two hours are missing."""
    await database.terminals.add(Terminal(NORTH, "North", created_at=MADE))
    await database.terminals.add(Terminal(SOUTH, "South", created_at=MADE, groups=("far",)))
    for address, link in zip(METERS, (NORTH, NORTH, SOUTH), strict=True):
        await database.meters.add(Meter(address, "Shop", link=link, created_at=MADE))
    await database.tasks.add(TASK)
    days = [MONTH + timedelta(days=number) for number in range(31)]
    await database.readings.save(
        Reading(METERS[0], code, moment_of(day, slot, ZONE), 1, MADE)
        for code in TASK.items
        for day in days
        if day.month == MONTH.month
        for slot in range(0, 1440, 60)
        if (code, day, slot // 120) != (POWER, DAY, 3)
    )
    await database.coverage.note_causes([HoleCause(METERS[0], POWER, DAY, "no_answer", MADE)])
    parts = {"scheduler": filling, "budget": Reckoned()}
    async with open_office(database, **parts) as office:
        yield office


async def asked(visitor: Visitor, **query: str) -> Any:
    address = "&".join(f"{name}={value}" for name, value in query.items())
    status, view = await visitor.json("GET", f"/api/completeness?{address}")
    assert status == 200, view
    return view


async def test_counts_and_causes(calendar: Office) -> None:
    ann = await calendar.somebody("reader")
    view = await asked(ann, month=f"{MONTH:%Y-%m}", task="1")
    assert view["total"] == 3
    first, second, _ = view["items"]
    days = len(view["days"])
    assert (first["expected"], first["stored"]) == (48 * days, 48 * days - 2)
    (hole,) = first["days"][9]["holes"]
    assert (first["days"][9]["expected"], first["days"][9]["stored"]) == (48, 46)
    assert (hole["item"], hole["missing"], hole["cause"]) == (POWER, 2, "no_answer")
    assert first["days"][8]["holes"] == []
    assert second["stored"] == 0
    assert view["causes"] == {"": 2 * 48 * days, "no_answer": 2}
    only = await asked(ann, month=f"{MONTH:%Y-%m}", item=ENERGY)
    assert only["items"][0]["stored"] == only["items"][0]["expected"] == 24 * days


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"link": SOUTH}, METERS[2:]),
        ({"group": "far"}, METERS[2:]),
        ({"text": METERS[1]}, METERS[1:2]),
        ({"size": "2", "page": "2"}, METERS[2:]),
        ({"group": "near"}, []),
    ],
)
async def test_filters_and_pages(calendar: Office, query: dict[str, str], found: list[str]) -> None:
    ann = await calendar.somebody("reader")
    view = await asked(ann, **query)
    assert [row["meter"] for row in view["items"]] == found


async def test_the_page_says_it_without_colour(calendar: Office) -> None:
    ann = await calendar.somebody("clerk")
    page = await ann.get(f"/completeness?month={MONTH:%Y-%m}&task=1")
    assert page.code == 200
    text = text_of(page)
    assert f'is-most" tabindex="-1" data-day="{DAY}" title="46 of 48\n' in text
    assert "Active power, total: 2 no answer" in text
    assert ">95</button>" in text
    assert ">✓</button>" in text
    assert ">0</button>" in text
    assert "no cause noted" in words_of(page)
    chinese = await (await calendar.somebody("reader", language="zh")).get(
        f"/completeness?month={MONTH:%Y-%m}"
    )
    assert "总有功功率: 2 无应答" in text_of(chinese)
    assert "fill-page" not in text_of(chinese), "a reader fills nothing"


async def test_a_file_has_a_row_for_each_day(calendar: Office) -> None:
    ann = await calendar.somebody("reader")
    response = await ann.get(f"/completeness?month={MONTH:%Y-%m}&format=csv")
    rows = list(csv.reader(io.StringIO(text_of(response).removeprefix("\ufeff"))))
    days = len({row[3] for row in rows[1:]})
    assert rows[0] == ["Meter", "Name", "Link", "Day", "Expected", "Stored", "Missing", "Causes"]
    assert len(rows) == 1 + 3 * days
    (row,) = [row for row in rows if row[0] == METERS[0] and row[3] == str(DAY)]
    assert row[4:] == ["48", "46", "2", "no answer 2"]


@pytest.mark.parametrize(
    ("what", "meters", "first", "last"),
    [
        ({"meter": METERS[0]}, METERS[:1], MONTH, None),
        ({"day": str(DAY)}, METERS, DAY, DAY),
        ({"meter": METERS[1], "day": str(DAY)}, METERS[1:2], DAY, DAY),
        ({"link": NORTH}, METERS[:2], MONTH, None),
    ],
)
async def test_one_click_fills(
    calendar: Office,
    filling: Filling,
    what: dict[str, str],
    meters: list[str],
    first: date,
    last: date | None,
) -> None:
    ann = await calendar.somebody("clerk")
    view = await asked(ann, month=f"{MONTH:%Y-%m}")
    last = last or date.fromisoformat(view["days"][-1])
    body = {"month": f"{MONTH:%Y-%m}", "task": "1", **what}
    status, fill = await ann.json("POST", "/api/completeness/fill", body)
    assert (status, fill["run"], fill["due"]) == (201, "7", 4)
    assert datetime.fromisoformat(fill["finish_at"]) == moment_of(TODAY, 872, ZONE)
    assert filling.asked == [(meters, first, last, "1")]


async def test_after_a_click_the_page_says_when_it_is_done(
    calendar: Office, filling: Filling
) -> None:
    ann = await calendar.somebody("clerk")
    await ann.get("/completeness")
    sent = await ann.post("/completeness/fill", month=f"{MONTH:%Y-%m}", task="1", link=NORTH)
    assert sent.code == 303
    location = sent.headers["Location"]
    assert location == f"/completeness?month={MONTH:%Y-%m}&task=1&link={NORTH}"
    page = words_of(await ann.get(location))
    assert f"Filling 4 points; done at about {TODAY} 14:32." in page
    assert f"Filling holes of Hours 0 of 4 done at about {TODAY} 14:32" in page
    filling.runs = []
    _, fills = await ann.json("GET", "/api/completeness/fills")
    assert fills == {"items": [], "total": 0}


async def test_refusals(calendar: Office, filling: Filling) -> None:
    clerk, reader = await calendar.somebody("clerk"), await calendar.somebody("reader")
    for query, status in (
        ("month=2026-13", 400),
        ("month=yesterday", 400),
        ("task=9", 404),
        ("item=voltage_a", 400),
        ("size=1000", 400),
    ):
        assert (await clerk.json("GET", f"/api/completeness?{query}"))[0] == status, query
    assert (await reader.json("POST", "/api/completeness/fill", {"task": "1"}))[0] == 403
    unknown = {"task": "1", "meter": "000000000999"}
    assert (await clerk.json("POST", "/api/completeness/fill", unknown))[0] == 404
    assert filling.asked == []


async def test_without_a_task_it_says_what_to_do(database: Database) -> None:
    async with open_office(database) as office:
        ann = await office.somebody("clerk")
        assert "No task yet" in words_of(await ann.get("/completeness"))
        assert (await ann.json("GET", "/api/completeness"))[0] == 404


async def test_a_hole_is_really_filled(site: Office) -> None:
    """A click on yesterday asks the meter for its freeze of midnight, and the hole is gone."""
    ann = await site.somebody("technician")
    yesterday = TODAY - timedelta(days=1)
    await site.database.tasks.add(
        Task("1", "Daily", (ENERGY,), 1440, backfill_days=5, enabled=False, created_at=MADE)
    )
    page = {"month": f"{yesterday:%Y-%m}", "task": "1", "text": METERS[0]}
    before = (await asked(ann, **page))["items"][0]["days"][yesterday.day - 1]
    assert (before["expected"], before["stored"]) == (1, 0)
    body = {**page, "meter": METERS[0], "day": str(yesterday)}
    status, fill = await ann.json("POST", "/api/completeness/fill", body)
    assert (status, fill["due"]) == (201, 1)
    assert utc_now() - timedelta(minutes=1) < datetime.fromisoformat(fill["finish_at"])
    for _ in range(500):
        if not (await ann.json("GET", "/api/completeness/fills"))[1]["total"]:
            break
        await asyncio.sleep(0.02)
    after = (await asked(ann, **page))["items"][0]["days"][yesterday.day - 1]
    assert (after["expected"], after["stored"], after["holes"]) == (1, 1, [])
