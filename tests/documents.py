"""The documents as data: headings, fenced blocks, pictures, tables, words of the pages.

An answer in a document was given by a station once. One that is given now is *alike* when it has
the same keys, the same kinds of values, and the same texts but for moments, decimals, ids and
secrets. In an object the key `…` stands for keys left out, in a text `…` for a part left out; of a
list the document shows some elements, in any order.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
DOCUMENTS = REPOSITORY / "docs"
LANGUAGES = ("en", "zh")
NAMES = ("first-steps", "clerk", "technician", "administrator", "integrator")

_FENCED = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(!?)\[[^\]]*\]\(([^)\s]+)\)")

# What differs from one answer to the next, and what stands for it. The first that fits counts.
_VARYING = (
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,]?\d*Z?", "MOMENT"),
    (r"^\d{4}-\d\d-\d\d$", "DAY"),
    (r"\b127\.0\.0\.1:\d+", "PLACE"),
    (r"\b[0-9a-f]{24}\b", "ID"),
    (r"\b[0-9A-F]{60,}\b", "HEX"),
    (r"^[\w-]{43}$", "TOKEN"),
    (r"(?<=password )[\w-]{16}(?!\S)", "PASSWORD"),
    (r"\b\d+\.\d+\b", "NUMBER"),
)
_COUNTERS = {
    "total", "bytes_in", "bytes_out", "frames_in", "frames_out", "lasted_s", "exchange",
    "seconds", "available_s", "share", "exchanges", "asked", "answered",
}  # fmt: skip
LEFT_OUT = "…"


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file to save its text as or "", and the text."""

    kind: str
    file: str
    text: str

    @property
    def commands(self) -> list[str]:
        """The commands of a shell block, a line each."""
        return [line for line in self.text.splitlines() if line.strip()]


@dataclass(frozen=True)
class Document:
    """One document in one language."""

    name: str
    language: str

    @property
    def path(self) -> Path:
        return DOCUMENTS / self.language / f"{self.name}.md"

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def prose(self) -> str:
        """The text without its fenced blocks."""
        return _FENCED.sub("", self.text)

    @property
    def blocks(self) -> list[Block]:
        return [Block(*found) for found in _FENCED.findall(self.text)]

    @property
    def headings(self) -> list[tuple[int, str]]:
        """The level and the text of each heading."""
        return [
            (len(level), text)
            for level, text in re.findall(r"^(#+) (.+)$", self.prose, re.MULTILINE)
        ]

    @property
    def anchors(self) -> set[str]:
        """What a link may name after `#`, as GitHub makes it of the headings."""
        plain = (re.sub(r"[^\w\- ]", "", text.lower()) for _, text in self.headings)
        return {text.replace(" ", "-") for text in plain}

    @property
    def links(self) -> list[str]:
        """The targets of links that are no pictures."""
        return [target for picture, target in _LINK.findall(self.prose) if not picture]

    @property
    def pictures(self) -> list[str]:
        return [target for picture, target in _LINK.findall(self.prose) if picture]

    @property
    def sections(self) -> list[str]:
        """The prose between the headings."""
        return re.split(r"^#+ .+$", self.prose, flags=re.MULTILINE)

    def rows(self, heading: str) -> Iterator[list[str]]:
        """Yield the cells of the table rows below a heading, up to the next one."""
        section = self.prose.split(f"# {heading}\n", 1)[1]
        for line in re.split(r"^#", section, maxsplit=1, flags=re.MULTILINE)[0].splitlines():
            if line.startswith("| ") and not line.startswith("|-"):
                yield [cell.strip() for cell in line.strip("|").split("|")]


def bold(text: str) -> set[str]:
    """Return the words of the pages that a text quotes: what it prints in bold."""
    return {" ".join(words.split()) for words in re.findall(r"\*\*([^*]+)\*\*", text)}


def alike(told: Any, given: Any, key: str = "") -> bool:
    """Tell whether an answer that a document shows and one that is given now are alike."""
    if isinstance(told, dict):
        keys = told.keys() - {LEFT_OUT}
        complete = isinstance(given, dict) and keys == given.keys()
        partly = isinstance(given, dict) and LEFT_OUT in told and keys <= given.keys()
        return (complete or partly) and all(alike(told[name], given[name], name) for name in keys)
    if isinstance(told, list):
        same_kind = isinstance(given, list) and bool(told) == bool(given)
        return same_kind and all(any(alike(one, other) for other in given) for one in told)
    if isinstance(told, str):
        return isinstance(given, str) and (LEFT_OUT in told or form(told) == form(given))
    if key in _COUNTERS:
        return type(told) is type(given)
    return bool(told == given)


def form(text: str) -> str:
    """Return a text with names in place of what differs from one answer to the next."""
    for pattern, name in _VARYING:
        text = re.sub(pattern, name, text)
    return text
