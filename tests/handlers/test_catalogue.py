"""The catalogue of the pages: every message is there in Chinese, with the same values in it."""

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po

from station.errors import InvalidValue
from station.handlers.language import LOCALE_DIRECTORY, Language, load_languages, preferred_language
from station.handlers.sentences import PHRASES, SENTENCES
from station.protocols.line import LineSettings

HANDLERS = Path(__file__).parents[2] / "station" / "handlers"
KEYWORDS = {"_": None, "ngettext": (1, 2), "N_": None, "say": None}


@pytest.fixture(scope="module")
def languages() -> dict[str, Language]:
    return load_languages()


def extracted() -> Catalog:
    """Return every message of the handlers and the templates."""
    catalogue = Catalog()
    files = [("python", path) for path in HANDLERS.glob("**/*.py")]
    files += [("jinja2", path) for path in HANDLERS.glob("templates/**/*.html")]
    for method, path in files:
        for _, message, _, _ in extract_from_file(method, str(path), keywords=KEYWORDS):
            catalogue.add(message)
    return catalogue


def written() -> Catalog:
    with (LOCALE_DIRECTORY / "zh" / "LC_MESSAGES" / "station.po").open("rb") as file:
        return read_po(file, locale="zh")


def texts(message: Message) -> list[str]:
    return list(message.string) if isinstance(message.string, tuple) else [message.string]


def test_every_message_is_there_in_chinese_and_none_is_left_over() -> None:
    wanted = {message.id for message in extracted() if message.id}
    there = {message.id for message in written() if message.id and all(texts(message))}
    assert len(wanted) > 400
    assert wanted - there == set()
    assert there - wanted == set()


def test_translations_hold_the_same_values() -> None:
    for message in written():
        if not message.id:
            continue
        own = message.id[-1] if isinstance(message.id, tuple) else message.id
        for text in texts(message):
            assert set(re.findall(r"%\(\w+\)s", text)) == set(re.findall(r"%\(\w+\)s", own)), own
            assert not message.fuzzy, own


def test_templates_say_nothing_outside_the_catalogue() -> None:
    """Words between tags would stay English on a Chinese page."""
    known = {"CSV", "PNG", "SVG", "XLSX", "kW", "kWh"}
    for path in HANDLERS.glob("templates/**/*.html"):
        text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", path.read_text(), flags=re.DOTALL)
        text = re.sub(r"<(style|script|title).*?</\1>", "", text, flags=re.DOTALL)
        for words in re.findall(r">([^<>]*[A-Za-z]{2,}[^<>]*)<", text):
            is_attributes = '="' in words  # Of a macro that gives no element.
            assert is_attributes or words.strip() in known, f"{path.name}: {words.strip()!r}"


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB,en;q=0.9", "en"),
        ("de-DE,zh;q=0.5,en;q=0.4", "zh"),
        ("fr, *;q=0.1", None),
        ("en;q=0, zh;q=0.1", "zh"),
        ("zh;q=nonsense", None),
        ("", None),
    ],
)
def test_browser_language(header: str, language: str | None) -> None:
    assert preferred_language(header) == language


def test_sentences_of_other_rooms_are_said_in_chinese(languages: dict[str, Language]) -> None:
    zh = languages["zh"]
    assert zh.sentence("there is no meter 000000000161") == "没有电能表 000000000161"
    nested = (
        "meter 000000000161: link 02001234 is down, offline since 2026-01-01 00:00:00 UTC"
        " (replaced by a newer connection from 10.0.0.1:4000)"
    )
    assert zh.sentence(nested) == (
        "电能表 000000000161：链路 02001234 断开，自 2026-01-01 00:00:00 UTC 起离线"
        "（被来自 10.0.0.1:4000 的新连接取代）"
    )
    refused = (
        "meter 000000000161: 0203FF00 refused: no requested data, wrong password or not authorised"
    )
    assert zh.sentence(refused) == "电能表 000000000161：拒绝 0203FF00：无请求数据、密码错或未授权"
    assert zh.sentence("something new") == "something new"
    assert languages["en"].sentence(nested) == nested


def test_sentence_about_a_line_comes_from_the_line(languages: dict[str, Language]) -> None:
    with pytest.raises(ValueError, match="line settings") as caught:
        LineSettings.parse("fast")
    assert languages["zh"].sentence(str(caught.value)).startswith("线路参数的写法如“2400 8E1”")
    error = InvalidValue("name", "a name has at most 64 characters, not 70")
    assert languages["zh"].sentence(str(error)) == "名称最多 64 个字符，现为 70 个"


def test_no_sentence_hides_a_narrower_one_behind_it(languages: dict[str, Language]) -> None:
    """Each form, filled in, is found as itself and not as a wider one that stands before it."""
    zh = languages["zh"]
    for form in SENTENCES:
        filled = re.sub(r"%\((\w+)\)s", "17", form)
        wanted = re.sub(r"%\((\w+)\)s", "17", zh.say(form))
        assert zh.sentence(filled) == wanted, form
    assert all(zh.sentence(english) == chinese for english, chinese in PHRASES.items())
