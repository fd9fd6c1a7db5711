"""What a page is made of, and whether any of it is a script that somebody typed."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

PROBE = "xss-probe"  # An element of no page of ours.
TYPED = ("text", "search", "tel", "email", "hidden", "url", "password")


@dataclass
class Form:
    """A form of a page: where it goes, and what is in it."""

    action: str
    method: str
    values: dict[str, str] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)  # The names of what can be typed.


class PageReader(HTMLParser):
    """Reads the forms of a page, and notes what no page may have."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Form] = []
        self.faults: list[str] = []
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.faults += _faults(tag, given)
        name = given.get("name", "")
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
        elif not self.forms or (not name and tag != "option"):
            return
        elif tag == "input" and given.get("type", "text") not in ("checkbox", "radio", "file"):
            self.forms[-1].values[name] = given.get("value", "")
            if given.get("type", "text") in TYPED and name != "_xsrf":
                self.forms[-1].texts.append(name)
        elif tag == "textarea":
            self.forms[-1].values[name] = ""
            self.forms[-1].texts.append(name)
        elif tag == "select":
            self._select = name
            self.forms[-1].values[name] = ""
            self.forms[-1].texts.append(name)  # Nobody is bound to what is offered.
        elif tag == "option" and self._select and not self.forms[-1].values.get(self._select):
            self.forms[-1].values[self._select] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""


def _faults(tag: str, given: dict[str, str]) -> Iterator[str]:
    if tag == PROBE:
        yield f"an element that was typed: {given}"
    if tag == "script" and "src" not in given:
        yield "a script in the page"
    if tag in ("style", "base", "object", "embed", "iframe", "math"):
        yield f"a {tag}"
    for name, value in given.items():
        if name.startswith("on") or name in ("style", "srcdoc"):
            yield f"{tag} has {name}={value[:60]}"
        scheme = value.strip().lower()
        links = ("href", "src", "action", "formaction", "hx-get", "hx-post", "data-href")
        outside = scheme.startswith(("javascript:", "data:text", "vbscript:", "http", "//"))
        if name in links and outside:
            yield f"{tag} leads to {value[:60]}"


def read_page(text: str) -> PageReader:
    """Return what a page is made of."""
    reader = PageReader()
    reader.feed(text)
    reader.close()
    return reader
