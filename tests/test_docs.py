"""What the documents say is true: commands run, answers come, words stand on the pages.

Each command is carried out as it is written, but in a folder, on ports and on a station of the
test: `/var/lib/station` lies below that folder, `systemctl` starts and stops that station, `curl`
becomes a request. A command that nobody here knows fails.
"""

import configparser
import contextlib
import ipaddress
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, get_args, get_origin
from zoneinfo import ZoneInfo

import annotated_types
import pytest
import yaml
from babel.messages.pofile import read_po
from documents import DOCUMENTS, LANGUAGES, NAMES, REPOSITORY, Block, Document, alike, bold, form
from pydantic import BaseModel
from whole.stations import StationProcess, free_port, until

from station import config, demo
from station.__main__ import _parser as command_line
from station.collector import memory, plan
from station.collector.archive_checks import BACKFILL_DAYS_MAX
from station.collector.items import ITEMS
from station.collector.outcome import CAUSE_NAMES, Cause
from station.collector.run import ROUND_PAUSES_S
from station.config import Config
from station.frontend import guard, server, trace
from station.handlers import (
    base,
    download,
)
from station.handlers.access import people
from station.handlers.access.identity import STATUSES, permission_of
from station.handlers.access.people import ROLES
from station.handlers.collection import (
    item_groups,
    readings,
)
from station.handlers.collection.runs import KIND_NAMES
from station.handlers.communication import (
    frame_search,
    frames,
)
from station.handlers.control import command_views
from station.handlers.language import LOCALE_DIRECTORY, Language
from station.handlers.routes import FORMS, routes
from station.simulator.demo_site import DEMO_SITE
from station.store import embedded
from station.store.objects import link_events, traffic
from station.store.objects.meters import Meter
from station.store.objects.runs import FAILURES_MAX
from station.units import UTC
from station.words import Text

ALL = [Document(name, language) for name in NAMES for language in LANGUAGES]
PAIRS = [pytest.param(Document(name, "en"), Document(name, "zh"), id=name) for name in NAMES]
SITE_ZONE = ZoneInfo("Asia/Shanghai")
PASSWORD = "a long password"
PROGRAM = "/opt/station"
ANSWER_TIMEOUT_S = 15.0  # For what comes by itself: a login, readings, the end of a run.
LINE_PLACE = ("127.0.0.1", 4001)
UNIT = REPOSITORY / "systemd" / "station.service"
# These would change the program's own folder; what they name is checked, and that is all.
PROGRAM_FOLDER_STEPS = {
    f"cp -r . {PROGRAM}",
    f"rm -rf {PROGRAM}/.venv {PROGRAM}/demo-data",
    f"mv {PROGRAM} {PROGRAM}-old",
    f"{PROGRAM}/script/bootstrap server",
}


# --- both languages say the same --------------------------------------------------------------


@pytest.mark.parametrize(("english", "chinese"), PAIRS)
def test_both_languages_have_the_same_parts(english: Document, chinese: Document) -> None:
    assert [level for level, _ in english.headings] == [level for level, _ in chinese.headings]
    assert english.blocks == chinese.blocks
    pictures = [name.replace("-en.png", "-zh.png") for name in english.pictures]
    assert pictures == chinese.pictures
    for one, other in zip(english.sections, chinese.sections, strict=True):
        assert one.count("\n| ") == other.count("\n| "), one  # Rows of tables.
        assert len(re.findall(r"^(?:-|\d\.) ", one, re.MULTILINE)) == len(
            re.findall(r"^(?:-|\d\.) ", other, re.MULTILINE)
        ), one


@pytest.mark.parametrize("document", ALL, ids=lambda each: f"{each.name}-{each.language}")
def test_links_and_pictures_lead_somewhere(document: Document) -> None:
    for target in document.links + document.pictures:
        path, _, anchor = target.partition("#")
        found = (document.path.parent / path).resolve() if path else document.path
        assert found.is_file(), target
        if anchor:
            assert anchor in Document(found.stem, found.parent.name).anchors, target
    for picture in document.pictures:
        assert picture.endswith(f"-{document.language}.png"), picture
    if document.name == "integrator":
        assert (REPOSITORY / "station/simulator/site.py").is_file()  # It is named in the text.


def test_the_readme_leads_to_every_document() -> None:
    targets = re.findall(r"\]\((docs/[^)]+)\)", (REPOSITORY / "README.md").read_text("utf-8"))
    assert {f"docs/{each.language}/{each.name}.md" for each in ALL} <= set(targets)
    assert all((REPOSITORY / target).is_file() for target in targets)
    assert {path.stem for path in DOCUMENTS.glob("*/*.md")} == set(NAMES)


# --- the words of the pages -------------------------------------------------------------------


@pytest.fixture(scope="module")
def chinese_words() -> dict[str, set[str]]:
    """What each English word of the pages may be in Chinese."""
    words: dict[str, set[str]] = {name: {name} for name in ("CSV", "XLSX", "PNG", "SVG")}
    with (LOCALE_DIRECTORY / "zh/LC_MESSAGES/station.po").open("rb") as file:
        for message in read_po(file, locale="zh"):
            if isinstance(message.id, str) and message.id:
                words.setdefault(message.id, set()).add(str(message.string))
    texts: list[Text] = [item.name for item in ITEMS]
    texts += [*CAUSE_NAMES.values(), *KIND_NAMES.values(), *readings.SOURCE_NAMES.values()]
    texts += [*readings.QUALITY_NAMES.values(), *command_views.STATE_NAMES.values()]
    texts += [group.name for group in item_groups.GROUPS] + [task[0] for task in demo.TASKS]
    for terminal in DEMO_SITE.terminals:
        texts += [terminal.name, *(meter.name for line in terminal.lines for meter in line.meters)]
    for text in texts:
        words.setdefault(text.en, set()).add(text.zh)
    return words


@pytest.mark.parametrize(("english", "chinese"), PAIRS)
def test_bold_words_stand_on_the_pages(
    english: Document, chinese: Document, chinese_words: dict[str, set[str]]
) -> None:
    say = Language("zh").sentence
    for one, other in zip(english.sections, chinese.sections, strict=True):
        quoted = bold(other)
        expected: set[str] = set()
        for words in bold(one):
            known = chinese_words.get(words) or {say(words)} - {words}
            assert known, f"{words!r} does not stand on any page"
            assert known & quoted, f"{words!r} is {known} on the pages, not one of {quoted}"
            expected |= known
        assert quoted <= expected, f"without English: {quoted - expected}"


# --- tables and figures are those of the program ------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_table_of_the_configuration(language: str) -> None:
    document = Document("administrator", language)
    told = {row[0].strip("`"): row[1:3] for row in document.rows("config.yaml") if "`" in row[0]}
    none, more_than = {"en": ("none", "more than "), "zh": ("无", "大于 ")}[language]
    assert list(told) == [key for key, _ in keys_of(Config)]
    for key, field in keys_of(Config):
        default, allowed = told[key]
        value = field.default
        assert default == (none if value is None else f"`{str(value).lower()}`") or (
            default == f"`{value}`"
        ), key
        limits = {type(each): each for each in field.metadata}
        if highest := limits.get(annotated_types.Le):
            ge, gt = limits.get(annotated_types.Ge), limits.get(annotated_types.Gt)
            lowest = str(ge.ge) if ge else f"{more_than}{gt.gt}"
            assert allowed == f"{lowest}..{highest.le}", key
        elif get_origin(field.annotation) is Literal:
            assert set(re.findall(r"`(\w+)`", allowed)) == set(get_args(field.annotation)), key


def keys_of(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the keys of the configuration file with their fields."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from keys_of(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name, field


@pytest.mark.parametrize(("language", "heading"), [("en", "Items"), ("zh", "数据项")])
def test_the_table_of_items(language: str, heading: str) -> None:
    yes, profile, freeze, comma, yuan = {
        "en": ("yes", "load profile", "daily freeze", ", ", "yuan"),
        "zh": ("有", "负荷曲线", "日冻结", "、", "元"),
    }[language]
    names = {plan.Way.PROFILE: profile, plan.Way.FREEZE: freeze}
    old = Meter("000000000097", "", protocol="dlt645-1997", link="x")
    new = Meter("000000000007", "", link="x", profile_interval_min=15)
    now = datetime(2026, 11, 22, 12, tzinfo=SITE_ZONE)
    midnight = now.replace(hour=0) - timedelta(days=3)
    expected = []
    for item in ITEMS:
        kept = plan.ways(new, item, midnight, period=timedelta(days=1), now=now, zone=SITE_ZONE)
        expected.append(
            [
                getattr(item.name, language),
                f"`{item.code}`",
                {"": "–", "yuan": yuan}.get(item.unit, item.unit),
                yes if plan.has_item(old, item) else "–",
                comma.join(name for way, name in names.items() if way in kept) or "–",
            ]
        )
    assert list(Document("technician", language).rows(heading))[1:] == expected


@pytest.mark.parametrize(("language", "heading"), [("en", "Causes"), ("zh", "失败原因")])
def test_the_table_of_causes(language: str, heading: str) -> None:
    rows = list(Document("technician", language).rows(heading))[1:]
    assert [row[0].strip("*") for row in rows] == [
        getattr(name, language) for name in CAUSE_NAMES.values()
    ]
    runs = {"en": "Runs", "zh": "执行记录"}[language]
    codes = [row[0].strip("`") for row in Document("integrator", language).rows(runs)][1:]
    assert codes == [cause.value for cause in Cause]


@pytest.mark.parametrize(("language", "heading"), [("en", "People"), ("zh", "用户")])
def test_the_table_of_roles(language: str, heading: str) -> None:
    rows = list(Document("administrator", language).rows(heading))[1:]
    roles = [row[0].strip("`") for row in rows]
    assert set(roles) == set(ROLES)
    assert not any(ROLES[later] < ROLES[sooner] for sooner, later in combinations(roles, 2))


@pytest.mark.parametrize(("language", "heading"), [("en", "Errors"), ("zh", "错误")])
def test_the_table_of_errors(language: str, heading: str) -> None:
    rows = list(Document("integrator", language).rows(heading))[1:]
    told = {(int(status), code.strip("`")) for status, code, _ in rows}
    assert told == {*STATUSES.values(), (405, "method_not_allowed"), (500, "internal_error")}


@pytest.mark.parametrize(("language", "heading"), [("en", "All addresses"), ("zh", "全部地址")])
def test_the_table_of_addresses(language: str, heading: str) -> None:
    for_people = {"/", "/language", "/theme", *(path for path, _ in FORMS)}
    handlers = {}
    for pattern, handler in routes():
        path = pattern.replace("(?:/api)?", "/api")
        if pattern not in for_people and path.removeprefix("/api") not in for_people:
            handlers[re.sub(r"\(\[\^/\]\+\)", "*", path)] = handler
    told = set()
    for method, address, _, role in list(Document("integrator", language).rows(heading))[1:]:
        path = re.sub(r"\b[A-Z]+\b", "*", address.strip("`"))
        told.add(path)
        permission = permission_of(handlers[path], method)
        sizes = {name: len(each) for name, each in ROLES.items() if permission in each}
        assert role in {"none", "无"} or sizes[role] == min(sizes.values()), path
        assert (role in {"none", "无"}) == (permission is None), path
    assert told == set(handlers)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_table_of_the_simulated_site(language: str) -> None:
    heading = {"en": "What is simulated", "zh": "哪些是模拟的"}[language]
    told = [row[:2] for row in Document("first-steps", language).rows(heading)][1:]
    assert told == [[each.address, getattr(each.name, language)] for each in DEMO_SITE.terminals]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("name", "figure"),
    [
        ("technician", plan.RECORDING_TIME.seconds),
        ("technician", round(ROUND_PAUSES_S[1])),
        ("technician", round(ROUND_PAUSES_S[2])),
        ("technician", BACKFILL_DAYS_MAX),
        ("technician", frame_search.WORDED_MAX),
        ("technician", frame_search.HEX_SEARCHED_MAX),
        ("technician", link_events.KEPT_DAYS),
        ("technician", guard.FLAPS_MAX),
        ("technician", memory.DEAD_AFTER),
        ("administrator", server.LOW_DESCRIPTORS + server.SPARE_DESCRIPTORS),
        ("administrator", trace.UNSAVED_MAX),
        ("administrator", guard.UNNAMED_MAX),
        ("administrator", link_events.KEPT_DAYS),
        ("administrator", traffic.KEPT_DAYS),
        ("administrator", embedded.PORTS[0]),
        ("administrator", embedded.PORTS[-1]),
        ("administrator", embedded.LOG_SIZE_MAX // 2**20),
        ("administrator", people.SESSION_IDLE // timedelta(hours=1)),
        ("administrator", people.PASSWORD_SIZE_MIN),
        ("administrator", people.PASSWORD_SIZE_MAX),
        ("integrator", people.SESSION_IDLE // timedelta(hours=1)),
        ("integrator", BACKFILL_DAYS_MAX),
        ("integrator", readings.SPAN_MAX.days),
        ("integrator", download.ROWS_MAX),
        ("integrator", FAILURES_MAX),
        ("integrator", base.ListQuery().size),
        ("integrator", frames.FramesQuery().size),
    ],
)
def test_figures_are_the_limits_of_the_program(name: str, figure: int, language: str) -> None:
    assert re.search(rf"(?<!\d){figure}(?!\d)", Document(name, language).prose)


@pytest.mark.parametrize("document", ALL, ids=lambda each: f"{each.name}-{each.language}")
def test_commands_within_the_text_exist(document: Document) -> None:
    for words in re.findall(r"`(station|script/)( ?[a-z-]+)", document.prose):
        if words[0] == "station":
            usage = command_line().format_help()
            assert re.search(rf"^ +{words[1].strip()}\b", usage, re.MULTILINE), words
        else:
            assert os.access(REPOSITORY / "".join(words), os.X_OK), words


# --- commands and their answers ---------------------------------------------------------------


class Walk:
    """Carries out a document's commands, block by block, in a folder of the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.station = StationProcess(folder)
        self.variables: dict[str, str] = {}
        self.answers: list[tuple[str, Any]] = []  # The path that was asked, and its JSON.
        self.simulators: list[subprocess.Popen[bytes]] = []
        self.line_port = free_port()  # In place of 4001, where a serial server listens.
        self.ask_again: Callable[[], Any] | None = None  # For an answer that comes after a while.
        self.refused = ""  # The last request, if its answer is an error that is not told yet.
        self.output = ""  # Of the last command that is no request.

    def carry_out(self, blocks: list[Block]) -> Iterator[Block]:
        """Carry out one block after the other, and yield each when it is done."""
        for block in blocks:
            if block.file:
                (self.folder / block.file).write_text(block.text)
            elif block.kind == "sh":
                for command in block.commands:
                    self.ask_again = None
                    self.run(command)
            elif block.kind == "json":
                self._compare(json.loads(block.text))
                self.refused = ""
            elif block.kind == "text":
                for line in block.text.splitlines():
                    self._find(line)
            yield block
        assert not self.refused, f"the document does not say that this fails: {self.refused}"

    def end(self) -> None:
        """End what was started."""
        for simulator in self.simulators:
            simulator.terminate()
            simulator.wait()
        self.station.stop()

    def run(self, command: str) -> None:
        """Carry out one command. Fails if it is not known."""
        assert not self.refused, f"the document does not say that this fails: {self.refused}"
        if assignment := re.fullmatch(r"([A-Z]+)=(\.\.\.|\$\(.+\))", command):
            self._set(*assignment.groups())
            return
        words = [self._filled_in(word) for word in shlex.split(command)]
        words = words[1:] if words[0] == "sudo" else words
        environment = {}
        while "=" in words[0]:
            name, value = words.pop(0).split("=", 1)
            environment[name] = str(self.mapped(value))
        if " ".join(words) in PROGRAM_FOLDER_STEPS:
            self._check_program_folder(words)
            return
        program = Path(words[0]).name
        method = getattr(self, f"_run_{program.replace('-', '_')}", None)
        assert method is not None, f"nobody knows how to check: {command}"
        method(words, environment)

    # Paths, variables and answers.

    def mapped(self, path: str) -> Path:
        """Return where a path of the document is in the test."""
        if path.startswith(PROGRAM):
            return REPOSITORY / path.removeprefix(PROGRAM).strip("/")
        return self.folder / path.lstrip("/")

    def _filled_in(self, word: str) -> str:
        word = re.sub(r"\$([A-Z]+)", lambda found: self.variables[found[1]], word)
        word = word.replace("127.0.0.1:4001", f"127.0.0.1:{self.line_port}")
        return word.replace('"PASSWORD"', json.dumps(self.station.password))

    def _set(self, name: str, value: str) -> None:
        """Set a variable, from an answer if the document leaves its value open."""
        if name == "DAY":
            assert value == "$(date -d yesterday +%F)"
            yesterday = datetime.now(UTC).astimezone(SITE_ZONE) - timedelta(days=1)
            self.variables[name] = f"{yesterday:%Y-%m-%d}"
            return
        assert value == "...", f"{name}={value}"
        ending, pick = {
            "TOKEN": ("/login", lambda answer: answer["token"]),
            "TASK": ("/tasks", lambda answer: answer["id"]),
            "RUN": ("/run", lambda answer: answer["id"]),
            "COMMAND": ("/commands", lambda answer: answer["id"]),
            "MOMENT": ("/read", lambda answer: answer["items"][0]["read_at"]),
        }[name]
        given = [one for path, one in self.answers if path.endswith(ending) and "error" not in one]
        self.variables[name] = pick(given[-1])

    def _compare(self, told: Any) -> None:
        ask = self.ask_again
        if ask is not None and not alike(told, self.answers[-1][1]):
            with contextlib.suppress(AssertionError):
                until(lambda: alike(told, ask()), "an answer that is alike", ANSWER_TIMEOUT_S)
        given = self.answers[-1][1]
        assert alike(told, given), f"the document says {told}, the station {given}"

    def _find(self, line: str) -> None:
        """Find a line of the document in the output of the last command, as soon as it is there."""
        output = self.folder / "output"
        until(
            lambda: form(line) in map(form, (self.output or output.read_text()).splitlines()),
            f"{line!r} in {self.output or output.read_text()}",
            timeout_s=10,
        )

    # Programs. Each method checks or carries out one, as it is written.

    def _run_curl(self, words: list[str], _: object) -> None:
        parser = ArgumentParser()
        parser.add_argument("-s", action="store_true", required=True)
        parser.add_argument("-X", default=None)
        parser.add_argument("-H", action="append", default=[])
        parser.add_argument("-d")
        parser.add_argument("-o")
        parser.add_argument("url")
        told = parser.parse_args(words[1:])
        start = "http://127.0.0.1:8080"
        assert told.url.startswith(start)
        path = told.url.removeprefix(start)
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.station.web_port}{path}",
            None if told.d is None else told.d.encode(),
            dict(header.split(": ", 1) for header in told.H),
            method=told.X,
        )

        def ask() -> Any:
            succeeded, body = _answer(request)
            self.refused = "" if succeeded else path
            if told.o is not None:
                (self.folder / told.o).write_bytes(body)
                return None
            self.answers.append((path.partition("?")[0], json.loads(body)))
            return self.answers[-1][1]

        ask()
        self.ask_again = ask if request.get_method() == "GET" else None

    def _run_station(self, words: list[str], environment: dict[str, str]) -> None:
        options = command_line().parse_args(words[1:])
        if words[1] == "run":
            self._start_station(self.mapped(str(options.config)))
        elif words[1] == "simulate":
            how = ["--listen", str(self.line_port)]
            if options.listen is None:
                how = ["--connect", f"127.0.0.1:{self.station.front_port}"]
            assert (options.connect or options.listen) in (("127.0.0.1", 7001), LINE_PLACE)
            site = self.mapped(str(options.site))
            command = [sys.executable, "-m", "station", "simulate", *how, "--site", str(site)]
            with (self.folder / "output").open("wb") as output:
                self.simulators.append(subprocess.Popen(command, stdout=output))
            self.output = ""
        else:
            arguments = [
                str(self.mapped(word)) if word.startswith("/") else word for word in words[1:]
            ]
            plain = {name: each for name, each in os.environ.items() if name != "STATE_DIRECTORY"}
            ended = subprocess.run(
                [sys.executable, "-m", "station", *arguments],
                env={**plain, **environment},
                input=f"{PASSWORD}\n",
                capture_output=True,
                text=True,
                check=True,
            )
            self.output = ended.stdout.replace(str(self.folder), "")

    def _start_station(self, file: Path) -> None:
        """Start a station with a file of the document, on ports of the test."""
        told = yaml.safe_load(file.read_text())
        told["web"] |= {"host": "127.0.0.1", "port": self.station.web_port}
        told["frontend"] |= {"host": "127.0.0.1", "port": self.station.front_port}
        file.write_text(yaml.safe_dump(told))
        self.station.config = file
        self.station.start()
        self.output = self.station.log.read_text()

    def _run_systemctl(self, words: list[str], _: object) -> None:
        unit = configparser.ConfigParser(strict=False)
        unit.optionxform = str
        unit.read_string(self.mapped("/etc/systemd/system/station.service").read_text())
        assert unit["Service"]["StateDirectory"] == "station"
        match words[1:]:
            case ["daemon-reload"]:
                pass
            case ["enable", "--now", "station"] | ["start", "station"]:
                command = shlex.split(unit["Service"]["ExecStart"])
                assert command[0] == f"{PROGRAM}/.venv/bin/station"
                self._start_station(self.mapped(command[-1]))
            case ["stop", "station"]:
                self.station.stop()
            case _:
                pytest.fail(f"nobody knows how to check: {words}")

    def _run_journalctl(self, words: list[str], _: object) -> None:
        assert words[1:3] == ["-u", "station"]
        lines = self.station.log.read_text().splitlines()
        match words[3:]:
            case ["|", "grep", pattern]:
                self.output = "\n".join(line for line in lines if pattern in line)
                assert self.output
            case ["--since", "today"]:
                assert lines
            case _:
                pytest.fail(f"nobody knows how to check: {words}")

    def _run_files(self, words: list[str], _: object) -> None:
        """Carry out what touches files alone."""
        arguments = []
        for word in words[1:]:
            option, equals, path = word.partition("=")
            if equals:
                arguments.append(f"{option}={self.mapped(path)}")
            else:
                arguments.append(str(self.mapped(word)) if word.startswith("/") else word)
        assert arguments[-1].startswith(str(self.folder)), f"outside of the test: {words}"
        Path(arguments[-1]).parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([words[0], *arguments], check=True)

    _run_cp = _run_mv = _run_mkdir = _run_chown = _run_files

    def _run_ufw(self, words: list[str], _: object) -> None:
        match words[1:]:
            case ["allow", "from", network, "to", "any", "port", port, "proto", "tcp"]:
                ipaddress.ip_network(network)
                assert int(port) in (Config().web.port, Config().frontend.port)
            case _:
                pytest.fail(f"nobody knows how to check: {words}")

    def _check_program_folder(self, words: list[str]) -> None:
        ignored = (REPOSITORY / ".gitignore").read_text().replace("/", "").split()
        if words[0] == "rm":
            assert {Path(word).name for word in words[2:]} <= set(ignored)
        elif words[0].endswith("bootstrap"):
            assert os.access(self.mapped(words[0]), os.X_OK)


def _answer(request: urllib.request.Request) -> tuple[bool, bytes]:
    """Return whether a request succeeded, and the body of its answer."""
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return True, answer.read()
    except urllib.error.HTTPError as error:
        return False, error.read()


@pytest.fixture
def walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Walk]:
    walk = Walk(tmp_path)
    yield walk
    walk.end()


def test_what_the_integrator_is_told(walk: Walk) -> None:
    for block in walk.carry_out(Document("integrator", "en").blocks):
        assert block.kind in {"sh", "json", "text", "yaml"}
    assert (walk.folder / "readings.csv").read_bytes().count(b"\n") > 1
    assert {path for path, _ in walk.answers} >= {"/api/links", "/api/readings", "/api/frames"}


def test_what_the_technician_is_told(walk: Walk) -> None:
    blocks = Document("technician", "en").blocks
    assert list(walk.carry_out(blocks)) == blocks


def test_what_the_administrator_is_told(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    state = walk.mapped("/var/lib/station")
    state.mkdir(parents=True)
    walk.mapped("/etc/systemd/system").mkdir(parents=True)
    monkeypatch.setenv("STATE_DIRECTORY", str(state))  # As the service manager does.
    for block in walk.carry_out(Document("administrator", "en").blocks):
        if "user add" in block.text:
            login = {"username": "technician-1", "password": PASSWORD}
            assert walk.station.call("/api/login", login)["token"]
            assert walk.station.call("/api/terminals")["total"] == 0
        if "/var/backups/station-1\n" in block.text:
            walk.station.call("/api/terminals", {"address": "02001234"})
        if "--reference" in block.text:
            assert walk.station.call("/api/terminals")["total"] == 0  # As it was at the copy.
        if block.kind == "yaml":
            file = walk.folder / "some.yaml"
            file.write_text(block.text)
            assert config.load(file).database != Config().database
    assert _credential(Document("administrator", "en").blocks)


def _credential(blocks: list[Block]) -> bool:
    """Tell whether the file that the configuration names is the one that systemd hands over."""
    drop_in = configparser.ConfigParser()
    drop_in.optionxform = str
    drop_in.read_string(next(block.text for block in blocks if block.kind == "ini"))
    name = drop_in["Service"]["LoadCredential"].split(":")[0]
    path = f"/run/credentials/{UNIT.name}/{name}"
    return any(f"uri_file: {path}\n" in block.text for block in blocks if block.kind == "yaml")


def test_the_commands_of_the_first_steps() -> None:
    blocks = Document("first-steps", "en").blocks
    commands = [each for block in blocks if block.kind == "sh" for each in block.commands]
    assert "script/server" in commands
    for words in map(shlex.split, commands):
        if words[0] == "script/server":
            command_line().parse_args(["demo", *words[1:]])
        else:
            assert words == ["rm", "-rf", str(command_line().parse_args(["demo"]).data)]


@pytest.fixture
def demonstration(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The line that `script/server` says when it is ready, and its data; it ends with Ctrl-C."""
    data, log = tmp_path / "data", tmp_path / "log"
    with log.open("wb") as output:
        command = ["script/server", "--data", data]
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=output)
    try:
        until(lambda: "ready at" in log.read_text(), "the demonstration is ready", 60)
        yield log.read_text().splitlines()[-1], data
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_the_first_steps(demonstration: tuple[str, Path], tmp_path: Path) -> None:
    ready, data = demonstration
    told = next(each for each in Document("first-steps", "en").blocks if each.kind == "text")
    assert form(ready) == form(told.text.strip())
    found = re.search(r":(\d+)/ +user (\S+) +password (\S+)", ready)
    assert found is not None
    station = StationProcess(tmp_path)
    station.web_port, station.password = int(found[1]), found[3]
    until(
        lambda: station.call("/api/overview")["links_online"] == len(DEMO_SITE.terminals),
        "all online",
    )
    until(lambda: station.call("/api/overview")["readings"] > 0, "readings")
    tasks = station.call("/api/tasks")["items"]
    assert {task["name"] for task in tasks} == {text.en for text, *_ in demo.TASKS}

    rows = list(Document("administrator", "en").rows("The private database"))[1:]
    files = {name for row in rows for name in re.findall(r"`([\w.]+)/?`", row[0])}
    assert files == {path.name for path in data.iterdir()} | {"mongod.log.1"}
