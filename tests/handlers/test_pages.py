"""Every page in both languages, and what each person chooses for it."""

import re
from datetime import datetime
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest
from web_helpers import CONFIG, Office, Visitor, open_office, text_of, words_of

from station.config import SiteConfig
from station.handlers.language import load_languages
from station.store.database import Database
from station.store.objects.readings import Reading
from station.units import utc_now

METER = "000000000161"
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "path", "rect"}
CHINESE = re.compile(r"[\u4e00-\u9fff]")


class Checker(HTMLParser):
    """Finds what a page must not have: inline code, fields without a label, open tags."""

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.labels: set[str] = set()
        self.fields: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        for name, value in attrs:
            if name == "style" or name.startswith("on"):
                self.problems.append(f"<{tag} {name}={value!r}>")
        if tag == "script" and not given.get("src"):
            self.problems.append("inline script")
        if (own := given.get("id")) and "template" not in self.open:
            if own in self.ids:
                self.problems.append(f"id {own} twice")
            self.ids.add(own)
        if tag == "label" and given.get("for"):
            self.labels.add(given["for"] or "")
        if tag in ("input", "select", "textarea") and "label" not in self.open:
            self.fields.append(given)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> closes nothing")

    def all_problems(self) -> list[str]:
        unlabelled = [
            f"no label: {field}"
            for field in self.fields
            if field.get("type") != "hidden"
            and not field.get("aria-label")
            and field.get("id") not in self.labels
        ]
        return self.problems + unlabelled + [f"<{tag}> is left open" for tag in self.open]


async def fill(office: Office) -> dict[str, str]:
    """Put one of everything into the archive, and return the addresses of all pages."""
    ann = await office.somebody("administrator")
    await ann.json("POST", "/api/terminals", {"address": "02001234", "name": "North"})
    await ann.json("POST", "/api/channels", {"name": "hall", "url": "/dev/ttyX", "enabled": False})
    await ann.json("POST", "/api/meters", {"address": METER, "name": "Shop", "link": "02001234"})
    now = utc_now()
    values = {"energy_import_total": 1234, "voltage_b": None, "clock": int(now.timestamp()),
              "status_word_1": 255, "remaining_amount": 5000}  # fmt: skip
    await office.database.readings.save(
        [Reading(METER, code, now, value, now) for code, value in values.items()]
    )
    task = {"name": "Curve", "items": ["power_total"], "backfill_days": 2}
    task_id = (await ann.json("POST", "/api/tasks", task))[1]["id"]
    run_id = (await ann.json("POST", f"/api/tasks/{task_id}/run"))[1]["id"]
    for _ in range(100):  # It ends soon: the link is down.
        if (await ann.get(f"/runs/{run_id}")).code == 200:
            break
    reading = f"meter={METER}&item=energy_import_total"
    return {
        "overview": "/",
        "login": "/login",
        "links": "/links",
        "channel": "/channels/hall",
        "channel form": "/channels/hall/edit",
        "new channel": "/channels/new",
        "terminals": "/terminals",
        "terminal": "/terminals/02001234",
        "terminal form": "/terminals/02001234/edit",
        "new terminal": "/terminals/new",
        "meters": "/meters",
        "silent meters": "/meters?silent=true",
        "meter": f"/meters/{METER}",
        "meter form": f"/meters/{METER}/edit",
        "new meter": "/meters/new",
        "evidence": f"/meters/{METER}/frames?read_at=2020-01-01T00:00:00Z",
        "readings": f"/readings?{reading}",
        "no readings": f"/readings?{reading}&from=2020-01-01",
        "tasks": "/tasks",
        "task form": f"/tasks/{task_id}/edit",
        "new task": "/tasks/new",
        "runs": f"/runs?task={task_id}",
        "run": f"/runs/{run_id}",
        "frames": "/frames",
        "parser": "/frames/decode",
        "search": "/search?text=0",
        "password": "/password",
        "missing": "/nothing",
        "refused": "/meters?page=x",
    }


async def check(name: str, path: str, visitor: Visitor, language: str) -> str:
    answer = await visitor.get(path)
    assert answer.code in (200, 303, 400, 404), name
    page = text_of(answer)
    if answer.code != 303:
        checker = Checker()
        checker.feed(page)
        assert checker.all_problems() == [], name
        assert f'<html lang="{language}"' in page, name
    return page


async def test_every_page_is_sound_and_in_both_languages(office: Office) -> None:
    pages = await fill(office)
    zh = load_languages()["zh"]
    ann, wei = await office.somebody("administrator"), await office.somebody("administrator")
    wei.cookies["language"] = "zh"
    for name, path in pages.items():
        english = await check(name, path, ann, "en")
        # The other language's name stands in the menu, on purpose.
        assert not CHINESE.search(english.replace("中文", "")), name
        chinese = await check(name, path, wei, "zh-CN")
        if name != "login":
            assert zh.say("Overview") in chinese, name
            assert ">Overview<" not in chinese, name


async def test_empty_pages_say_what_to_do_first(office: Office) -> None:
    ann = await office.somebody("technician")
    for path, words in (
        ("/", "Start with the links"),
        ("/links", "Let terminals dial in to this station"),
        ("/terminals", "Add a terminal by its address"),
        ("/meters", "Add a terminal or a channel first"),
        ("/tasks", "A task reads chosen items"),
        ("/runs", "Add a task, or run one now"),
        ("/frames", "Frames appear here by themselves"),
    ):
        page = await ann.get(path)
        assert words in words_of(page), path
        assert "<tbody>\n        </tbody>" not in text_of(page)


async def test_every_list_is_downloaded_as_it_is_filtered(office: Office) -> None:
    pages = await fill(office)
    ann = await office.somebody("reader")
    for name in ("links", "terminals", "meters", "readings", "tasks", "runs", "run", "frames"):
        path = pages[name] + ("&" if "?" in pages[name] else "?") + "format=csv"
        answer = await ann.get(path)
        assert answer.code == 200, name
        assert answer.headers["Content-Type"] == "text/csv; charset=UTF-8", name
        assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
        head = text_of(answer).removeprefix("\ufeff").splitlines()[0]
        assert not CHINESE.search(head)
        ann.cookies["language"] = "zh"
        assert CHINESE.search(text_of(await ann.get(path)).splitlines()[0]), name
        del ann.cookies["language"]
    assert "hall" not in text_of(await ann.get("/links?kind=terminal&format=csv"))
    assert len(text_of(await ann.get("/links?format=csv")).splitlines()) == 3
    api = await ann.get("/api/links?format=csv")
    assert api.headers["Content-Disposition"] == 'attachment; filename="links.csv"'


async def test_language_is_the_persons_choice_then_the_browsers(office: Office) -> None:
    ann = await office.somebody("reader")
    zh = {"Accept-Language": "zh-CN,zh;q=0.9"}
    assert "概览" in text_of(await ann.get("/", **zh))
    assert "Overview" in text_of(await ann.get("/"))
    chosen = await ann.post("/language", language="zh", next="/meters?text=a")
    assert (chosen.code, chosen.headers["Location"]) == (303, "/meters?text=a")
    assert "电能表" in text_of(await ann.get("/meters"))
    (user,) = await office.database.users.list()
    assert user.language == "zh"
    elsewhere = office.visitor()  # Another computer, the same person.
    await elsewhere.log_in(user.name)
    assert "概览" in text_of(await elsewhere.get("/"))
    stranger = office.visitor()
    await stranger.get("/login")
    assert (await stranger.post("/language", language="zh", next="/login")).code == 303
    assert "登录" in text_of(await stranger.get("/login"))
    assert (await stranger.post("/language", language="fr")).code == 400
    away = await stranger.post("/language", language="en", next="//evil.example")
    assert away.headers["Location"] == "/"
    _status, body = await ann.json("GET", "/api/terminals/02001234")
    assert body["error"]["message"] == "没有终端 02001234"


async def test_theme_is_kept_in_a_cookie(office: Office) -> None:
    ann = await office.somebody("reader")
    assert 'data-bs-theme="light"' in text_of(await ann.get("/")).split("<body")[0]
    assert (await ann.post("/theme", theme="dark", next="/links")).code == 303
    assert 'data-bs-theme="dark"' in text_of(await ann.get("/")).split("<body")[0]
    assert (await ann.post("/theme", theme="pink")).code == 400


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_real_site_has_no_banner_and_speaks_the_sites_language(
    database: Database, language: str
) -> None:
    site = SiteConfig.model_validate({"name": "Real", "language": language})
    async with open_office(database, CONFIG.model_copy(update={"site": site})) as office:
        page = text_of(await office.visitor().get("/login"))
        assert "simulation" not in page
        assert ("登录" in page) == (language == "zh")


async def test_times_are_shown_in_the_sites_zone(office: Office, zone: ZoneInfo) -> None:
    ann = await office.somebody("technician")
    await ann.json("POST", "/api/terminals", {"address": "02001234"})
    meter = {"address": METER, "link": "02001234"}
    await ann.json("POST", "/api/meters", meter)
    _status, seen = await ann.json("GET", f"/api/meters/{METER}")
    created = seen["created_at"]
    page = text_of(await ann.get(f"/meters/{METER}"))
    found = re.search(r'since</dt><dd><time datetime="([^"]+)"><span>([^<]+)</span> ([^<]+)<', page)
    assert found is not None
    utc, day, time = found.groups()
    assert utc[:19] == created[:19]
    at_site = datetime.fromisoformat(utc.replace("Z", "+00:00")).astimezone(zone)
    assert f"{day} {time}" == at_site.strftime("%Y-%m-%d %H:%M:%S")
