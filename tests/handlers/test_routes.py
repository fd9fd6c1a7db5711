"""Every address of the web room: closed unless it is open on purpose, and safe in its headers."""

import re
from collections.abc import Iterator

import pytest
from tornado.web import RequestHandler
from web_helpers import Office, text_of

from station.handlers.access.identity import CONTENT_SECURITY_POLICY, permission_of
from station.handlers.access.people import ROLES, Permission
from station.handlers.base import Handler
from station.handlers.routes import FORMS, PAGES, routes

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# An agent of readers shows a code, then a token of its own.
OPEN = {"/login", "/login/code", "/language", "/healthz", "/agents/pair", "/agents/link"}
ADDRESS_FOR = {
    "/channels": "hall-2",
    "/terminals": "02001234",
    "/runs": "0" * 24,
    "/tasks": "0" * 24,
}


def methods_of(handler: type[RequestHandler]) -> Iterator[str]:
    """Yield the methods that a handler answers to."""
    for method in METHODS:
        if getattr(handler, method.lower()) is not getattr(RequestHandler, method.lower()):
            yield method


def addresses() -> Iterator[tuple[str, type[RequestHandler]]]:
    """Yield each address, with something in place of what varies, and its handler."""
    for pattern, handler in routes():
        for prefix in ("/api", "") if pattern.startswith("(?:/api)?") else ("",):
            path = prefix + pattern.removeprefix("(?:/api)?")
            yield (
                path.replace("([^/]+)", ADDRESS_FOR.get(path.split("/(")[0], "000000000161")),
                handler,
            )


def plain(path: str) -> str:
    return path.removeprefix("/api")


def test_every_method_names_a_permission_or_is_open_on_purpose() -> None:
    seen = 0
    for path, handler in addresses():
        for method in methods_of(handler):
            seen += 1
            is_open = getattr(handler, "open_to_all", False)
            assert is_open == (plain(path) in OPEN), f"{method} {path}"
            assert is_open or permission_of(handler, method), f"{method} {path} names no permission"
    assert seen > 60


def test_what_changes_the_station_needs_more_than_viewing() -> None:
    # These change nothing of the station.
    own = {
        "/logout",
        "/theme",
        "/columns",
        "/password",
        "/frames/decode",
        "/tokens",
        "/sessions/end",
    }
    own |= {"/totp", "/totp/confirm", "/totp/off"}
    own.add("/sessions/000000000161")  # Another person's need more; the handler asks.
    for path, handler in addresses():
        for method in methods_of(handler):
            permission = permission_of(handler, method)
            if method != "GET" and plain(path) not in own | OPEN:
                assert permission not in (None, Permission.VIEW), f"{method} {path}"


async def test_nobody_gets_in_without_a_login(office: Office) -> None:
    stranger = office.visitor()
    for path, handler in addresses():
        if plain(path) in OPEN:
            continue
        for method in methods_of(handler):
            body = None if method in ("GET", "DELETE") else ""
            answer = await stranger.send(method, path, body)
            if path.startswith("/api/") or path == "/live":
                assert answer.code == 401, f"{method} {path}"
                assert '"login_needed"' in text_of(answer)
            else:
                assert answer.code == 303, f"{method} {path}"
                assert answer.headers["Location"].startswith("/login?next=")


async def test_reader_may_look_and_nothing_else(office: Office) -> None:
    ann = await office.somebody("reader")
    for path, handler in addresses():
        for method in methods_of(handler):
            permission = permission_of(handler, method)
            if permission is None or permission in ROLES["reader"] or not path.startswith("/api"):
                continue  # The pages themselves are tried with every role by test_role_matrix.
            answer = await ann.send(method, path, None if method in ("GET", "DELETE") else "")
            assert answer.code == 403, f"{method} {path}"
    page = text_of(await ann.get("/terminals/new"))
    assert "the role reader does not allow this" in page
    for path in ("/links", "/terminals", "/meters", "/tasks"):
        page = text_of(await ann.get(path))
        assert not re.search(r'href="/[a-z]+/new', page), path  # Nothing is offered in vain.
        assert 'method="post" action="/tasks' not in page


async def test_unknown_role_may_do_nothing(office: Office) -> None:
    ann = await office.somebody("gardener")
    assert (await ann.json("GET", "/api/meters"))[0] == 403


async def test_every_answer_has_the_safe_headers(office: Office) -> None:
    ann = await office.somebody()
    for path in ("/", "/login", "/api/meters", "/nothing", "/healthz", "/static/station.css"):
        answer = await ann.get(path)
        assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY, path
        assert answer.headers["X-Content-Type-Options"] == "nosniff", path
        assert answer.headers["X-Frame-Options"] == "DENY", path
        assert "Server" not in answer.headers, path
    assert "unsafe" not in CONTENT_SECURITY_POLICY


async def test_static_files_are_kept_for_years_and_compressed(office: Office) -> None:
    ann = await office.somebody()
    page = text_of(await ann.get("/"))
    links = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert len(links) >= 5
    for link in links:
        assert "?v=" in link
        plain_file = await ann.get(link)
        packed = await ann.get(link, **{"Accept-Encoding": "gzip"})
        assert plain_file.code == packed.code == 200
        assert "max-age=315360000" in packed.headers["Cache-Control"]
        assert "Accept-Encoding" in packed.headers["Vary"]
        assert plain_file.body == packed.body  # The client unpacks it.
        assert packed.headers.get("X-Consumed-Content-Encoding") == "gzip"
    again = await ann.get(
        links[0], **{"Accept-Encoding": "gzip", "If-None-Match": plain_file.headers["Etag"]}
    )
    assert again.code in (200, 304)
    assert (await ann.get("/static/../base.py")).code in (403, 404)
    assert (await ann.get("/static/nothing.css")).code == 404


def test_pages_and_forms_are_handlers_of_both_kinds() -> None:
    assert all(issubclass(handler, Handler) for _, handler in (*PAGES, *FORMS))


@pytest.mark.parametrize("path", ["/nothing", "/api/nothing"])
async def test_unknown_addresses_are_not_found(office: Office, path: str) -> None:
    for visitor in (office.visitor(), await office.somebody()):
        answer = await visitor.get(path)
        assert answer.code == 404
        if path.startswith("/api"):
            assert text_of(answer) == (
                '{"error": {"code": "not_found", "message": "there is no such page"}}'
            )
        else:
            assert "there is no such page" in text_of(answer)
