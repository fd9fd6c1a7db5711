"""Every page of the station with examples of what stands in its address, taken from the routes.

A page is told from its address: what stands for the first group is an example of the things whose
list the address begins with. A route for which nothing is known is named, so that a new page is
either measured or seen to be missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from tornado.web import RequestHandler
from tornado.websocket import WebSocketHandler

from station.handlers.routes import routes

GROUP = "([^/]+)"
TWIN = "(?:/api)?"

# Files, and what a person waits for with a word on the page; they are shown, and have no limit.
NO_LIMIT: Mapping[str, str] = {
    "/exports/*": "a whole table as a file",
    "/shifts/*/report": "a PDF",
    "/orders/*/receipt": "a PDF",
    "/audit/verify": "goes through the whole log",
}
# No pages of somebody who is logged in and sells nothing for real, or they lead to another one.
LEFT_OUT = frozenset(
    {
        "/healthz", "/metrics", "/parameters/choose", "/agents/link", "/login", "/login/code",
        "/totp/confirm", "/totp/off", "/bench", "/channels", "/meters/*/commands/confirm",
    }
)  # fmt: skip
SEARCHED = frozenset(
    {
        "/links", "/frames", "/runs", "/completeness", "/failures", "/events", "/alarms",
        "/commands", "/terminals", "/meters", "/customers", "/accounts", "/orders", "/receipts",
        "/changes", "/clock", "/parameters", "/audit", "/anomalies", "/buses",
    }
)  # fmt: skip
TURNED = SEARCHED - {"/buses", "/anomalies", "/failures"}  # Lists with at least so many pages.
PAGE_TURNED = 20


@dataclass(frozen=True, slots=True)
class Page:
    """One page or twin to measure; `name` is what the table calls it, `paths` are taken in turn."""

    name: str
    paths: tuple[str, ...]
    is_json: bool
    no_limit: str = ""  # Why it may take longer than a page.


def pages(
    examples: Mapping[str, Sequence[str]], queries: Mapping[str, Sequence[Mapping[str, str]]]
) -> tuple[list[Page], list[str]]:
    """Return every page, and the routes for which there is no example.

    `examples` are by "/meters/*"; `queries` are by the same names, where a page needs some.
    """
    found: list[Page] = []
    unknown: list[str] = []
    for pattern, handler in routes():
        if not _is_read(handler):
            continue
        name = pattern.removeprefix(TWIN).replace(GROUP, "*")
        if name in LEFT_OUT:
            continue
        paths = _paths(name, examples)
        if not paths:
            unknown.append(name)
            continue
        asked = [
            path + ("?" + urlencode(query) if query else "")
            for path in paths
            for query in queries.get(name, ({},))
        ]
        ways = [("", False), ("/api", True)] if pattern.startswith(TWIN) else [("", False)]
        for prefix, is_json in ways:
            is_json = is_json or name.startswith("/api/")
            found.append(
                Page(
                    prefix + name,
                    tuple(prefix + each for each in asked),
                    is_json,
                    NO_LIMIT.get(name, ""),
                )
            )
            for title, query in _more(name):
                more = tuple(f"{prefix}{path}?{urlencode(query)}" for path in paths)
                found.append(Page(f"{prefix}{name} {title}", more, is_json))
    return found, unknown


def _more(name: str) -> list[tuple[str, dict[str, str]]]:
    """Return how a list is asked for besides: by a text, and far behind its first page."""
    more = []
    if name in SEARCHED:
        more.append(("?text", {"text": "98002"}))
    if name in TURNED:
        more.append((f"?page={PAGE_TURNED}", {"page": str(PAGE_TURNED)}))
    return more


def _is_read(handler: type[RequestHandler]) -> bool:
    return handler.get is not RequestHandler.get and not issubclass(handler, WebSocketHandler)


def _paths(name: str, examples: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the addresses of a page: one for each example of what stands in it."""
    if "*" not in name:
        return [name]
    if name.count("*") > 1:  # Then the example is the whole address.
        return list(examples.get(name, ()))
    keys = examples.get(name[: name.index("*") + 1], ())
    return [name.replace("*", quote(key, safe="")) for key in keys]
