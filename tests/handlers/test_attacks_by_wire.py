"""Attacks on the way to a page: paths, sizes, slowness, guessing, planted and forged requests.

Each says how many tries it makes; none of them may get in, and none may keep the others out.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from raw_requests import get, post, raw, status_of
from test_routes import addresses, methods_of, plain
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect
from web_helpers import PASSWORD, Office, open_office, text_of

from station.handlers.server import (
    BODY_SIZE_MAX,
    CONNECTIONS_EACH_MAX,
    HEADER_SIZE_MAX,
)
from station.store.database import Database

JSON = "Content-Type: application/json"
UPS = ("..", "%2e%2e", "%2E%2e", ".%2e", "..%00", "....", "..;", "%252e%252e", "%c0%ae%c0%ae")
SLASHES = ("/", "%2f", "%5c", "\\", "%252f")
STARTS = ("/static/", "/static/vendor/", "/", "/api/", "/meters/", "/orders/")
TARGETS = ("etc/passwd", "handlers/access/identity.py", "config.yaml")
SECRETS = (b"root:", b"SESSION_COOKIE", b"prepaid:")


async def test_no_path_leads_out_of_the_pages(office: Office) -> None:
    ann = await office.somebody()
    cookie = f"Cookie: session={ann.cookies['session']}"
    paths = [
        f"{start}{(up + slash) * 6}{target}"
        for start in STARTS
        for up in UPS
        for slash in SLASHES
        for target in TARGETS
    ]
    paths += ["/static//etc/passwd", "//etc/passwd", "/static/%00", "/static/.", "/static/~root"]
    paths += ["http://elsewhere/etc/passwd", "/static/station.css%00.py", "/static/C:%5cboot.ini"]
    tries = 0
    for begin in range(0, len(paths), 20):
        group = paths[begin : begin + 20]
        answers = await asyncio.gather(*(raw(office, get(path, cookie)) for path in group))
        for path, answer in zip(group, answers, strict=True):
            tries += 1
            assert status_of(answer) in (0, 400, 403, 404), path
            assert not any(secret in answer for secret in SECRETS), path
    assert tries > 800


async def test_what_is_too_large_or_makes_no_sense_is_turned_away(office: Office) -> None:
    ann = await office.somebody()
    lines = (f"Cookie: session={ann.cookies['session']}; _xsrf={ann.cookies['_xsrf']}",)
    lines = (*lines, f"X-Xsrftoken: {ann.cookies['_xsrf']}")
    long, deep = "x" * (BODY_SIZE_MAX + 1), "[" * 100_000
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    form = "Content-Type: application/x-www-form-urlencoded"
    parts = "Content-Type: multipart/form-data; boundary=b"
    many_parts = b"".join(
        b'--b\r\nContent-Disposition: form-data; name="%d"\r\n\r\nx\r\n' % n for n in range(5000)
    )
    fields = "&".join(f"f{n}=1" for n in range(100_000))
    tries = {
        "long address": get("/" + "x" * HEADER_SIZE_MAX, *lines),
        "long header": get("/meters", *lines, "X: " + "x" * HEADER_SIZE_MAX),
        "many headers": get("/meters", *lines, *(f"X{n}: y" for n in range(5000))),
        "long body": post("/terminals", long.encode(), *lines, form),
        "long JSON": post("/api/terminals", f'"{long}"'.encode(), *lines, JSON),
        "deep JSON": post("/api/terminals", deep.encode(), *lines, JSON),
        "deep object": post("/api/terminals", b'{"a":' * 50_000, *lines, JSON),
        "number of digits": post(
            "/api/terminals", b'{"port":' + b"9" * 900_000 + b"}", *lines, JSON
        ),
        "not a number": post("/api/terminals", b'{"address": NaN}', *lines, JSON),
        "no object": post("/api/terminals", b"[]", *lines, JSON),
        "no UTF-8": post("/api/terminals", b'{"address": "\xff\xfe"}', *lines, JSON),
        "half a letter": post("/api/terminals", b'{"address": "\\ud800"}', *lines, JSON),
        "zeros": post("/api/terminals", b'{"address": "0200\\u00001234"}', *lines, JSON),
        "many fields": post("/terminals", fields.encode(), *lines, form),
        "many parts": post("/terminals", many_parts + b"--b--\r\n", *lines, parts),
        "no boundary": post("/terminals", b"--b", *lines, "Content-Type: multipart/form-data"),
        "no length": post("/terminals", b"", *lines).replace(b"Length: 0", b"Length: x"),
        "below zero": post("/terminals", b"", *lines).replace(b"Length: 0", b"Length: -5"),
        "two lengths": post("/terminals", b"ab", *lines, "Content-Length: 9"),
        "two encodings": post("/terminals", b"0\r\n\r\n", *lines, "Transfer-Encoding: chunked"),
        "too many chunks": post("/terminals", chunk * 3, *lines).replace(
            b"Content-Length", b"Transfer-Encoding: chunked\r\nX"
        ),
        "unknown method": b"BREW / HTTP/1.1\r\nHost: station\r\nConnection: close\r\n\r\n",
        "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 600 + b"\r\n\r\n",
        "no lines": b"\x00" * (HEADER_SIZE_MAX + 10),
        "control letters": get("/meters?text=%00%0d%0aSet-Cookie:%20a=b", *lines),
        "odd escapes": get("/meters?text=%ff%fe&page=%zz", *lines),
        "odd path": get("/meters/%ff%fe", *lines),
        "huge page": get("/meters?page=" + "9" * 5000, *lines),
        "folded header": get("/meters", *lines, "X: a\r\n b"),
        "header injected": get("/login?next=/%0d%0aSet-Cookie:%20a=b", *lines),
    }
    for name, request in tries.items():
        answer = await raw(office, request)
        assert status_of(answer) < 500, (name, answer[:300])
        assert b"Set-Cookie: a=b" not in answer, name
    assert len(tries) == 30
    for name in ("long body", "long JSON", "long header", "many headers", "too many chunks"):
        assert status_of(await raw(office, tries[name])) in (0, 400), name
    assert (await office.visitor().get("/login")).code == 200


@pytest.fixture
async def hasty(database: Database) -> AsyncIterator[Office]:
    """Pages that wait for nobody longer than a moment."""
    limits = {"header_time_s": 0.5, "body_time_s": 0.5}
    async with open_office(database, limits=limits) as opened:
        yield opened


async def test_slow_requests_end_and_hold_up_nobody(hasty: Office) -> None:
    office = hasty
    tries = (
        [
            b"",  # Says nothing at all.
            b"G",
            b"GET /login HTTP/1.1\r\nHost: station\r\nX: ",
            post("/login", b"username=a", "Content-Type: application/x-www-form-urlencoded")[:-3],
            post("/login", b"x" * 1000)[:-999],
            b"POST /login HTTP/1.1\r\nHost: station\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        ]
        * 25
    )
    began = time.monotonic()
    slow = [asyncio.ensure_future(raw(office, data)) for data in tries]
    answers = [await office.visitor().get("/login") for _ in range(5)]
    assert [answer.code for answer in answers] == [200] * 5
    await asyncio.gather(*slow)  # Each is closed by the server.
    assert time.monotonic() - began < 10
    assert len(tries) == 150


async def test_one_address_cannot_take_all_connections(office: Office) -> None:
    port = urlsplit(office.url).port
    held = []
    try:
        for _ in range(CONNECTIONS_EACH_MAX + 50):
            connection = await asyncio.open_connection("127.0.0.1", port)
            held.append(connection)
        turned_away = [reader for reader, _ in held[CONNECTIONS_EACH_MAX:]]
        ends = [await asyncio.wait_for(reader.read(1), 5) for reader in turned_away]
        assert ends == [b""] * 50
    finally:
        for _, writer in held:
            writer.close()
    for _ in range(100):  # There is room again as soon as the server has seen them go.
        if status_of(await raw(office, get("/login"))) == 200:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("nobody gets in any more")


async def test_guessing_gets_slow_and_locks_nobody_else_out(office: Office) -> None:
    await office.somebody()
    began, checked, refused = time.monotonic(), 0, 0
    stranger = office.visitor()
    for number in range(200):
        body = {"username": "administrator0", "password": f"guess number {number}"}
        status, _ = await stranger.json("POST", "/api/login", body)
        checked += status == 401
        refused += status == 429
    took_s = time.monotonic() - began
    assert checked + refused == 200
    assert checked <= 5 + took_s  # Three at once, then after 1, 2, 4 … seconds.
    right = {"username": "administrator0", "password": PASSWORD}
    assert (await stranger.json("POST", "/api/login", right))[0] == 429  # Found too late.
    other = await office.somebody("clerk")
    assert (await other.json("GET", "/api/meters"))[0] == 200
    told, _ = await office.database.audit.list(outcome="refused", limit=1000)
    assert 3 <= len(told) < 60


async def test_a_planted_session_opens_nothing(office: Office) -> None:
    await office.somebody()
    planted = ["", "x", "0" * 43, "a.b.c", "session", "'; drop", "{}", "\u00fc" * 20, "A" * 4000]
    for token in planted:
        victim = office.visitor()
        await victim.get("/login")
        victim.cookies["session"] = token
        assert (await victim.json("GET", "/api/meters"))[0] in (400, 401), token
        answer = await victim.log_in("administrator0")
        assert answer.code in (303, 400), token
        if answer.code == 303:  # Whoever logs in gets a token that nobody knew before.
            assert victim.cookies["session"] != token
        attacker = office.visitor()
        attacker.cookies["session"] = token
        assert (await attacker.json("GET", "/api/meters"))[0] in (400, 401), token

    twice = office.visitor()
    await twice.log_in("administrator0")
    first = twice.cookies.pop("session")
    await twice.log_in("administrator0")
    assert twice.cookies["session"] != first
    gone = twice.cookies["session"]
    await twice.post("/logout")
    twice.cookies["session"] = gone
    assert (await twice.json("GET", "/api/meters"))[0] == 401  # Logged out is logged out.


async def test_no_other_site_can_make_a_browser_change_anything(office: Office) -> None:
    ann = await office.somebody()
    kinds = ("application/x-www-form-urlencoded", "text/plain", "application/json")
    tries = 0
    for path, handler in addresses():
        for method in methods_of(handler):
            if method == "GET" or plain(path) in ("/login", "/login/code", "/agents/pair"):
                continue  # These use no login; the first is tried below.
            for kind in kinds if method != "DELETE" else kinds[:1]:
                tries += 1
                body = None if method == "DELETE" else ("{}" if kind == kinds[2] else "a=b")
                headers = {"Content-Type": kind, "Origin": "https://elsewhere.example"}
                answer = await ann.send(method, path, body, headers)
                assert answer.code in (403, 404), f"{method} {path} {kind}: {answer.code}"
    assert tries > 250
    stranger = office.visitor()
    await stranger.get("/login")
    form = f"username=administrator0&password={PASSWORD}"
    for kind in kinds[:2]:  # Logging somebody in as the attacker is a change, too.
        answer = await stranger.send("POST", "/login", form, {"Content-Type": kind})
        assert answer.code == 403
    other = await office.somebody("clerk")  # A token of somebody else's page does not fit.
    ann.cookies["_xsrf"], mine = other.cookies["_xsrf"], ann.cookies["_xsrf"]
    headers = {"X-Xsrftoken": mine, "Content-Type": "application/json"}
    assert (await ann.send("POST", "/api/terminals", "{}", headers)).code == 403
    told, _ = await office.database.audit.list(outcome="done", limit=1000)
    assert {entry.act for entry in told} == {"login"}


async def test_no_other_site_can_listen(office: Office) -> None:
    ann = await office.somebody()
    url = office.url.replace("http", "ws") + "/live?topics=links"
    host = urlsplit(office.url).netloc
    origins = (
        "https://elsewhere.example", "http://elsewhere.example", "null", "file://", f"https://{host}.elsewhere",
        f"http://elsewhere.example/{host}", f"http://{host}@elsewhere.example", "http://127.0.0.1:1",
        "chrome-extension://abc", "http://localhost", "",
    )  # fmt: skip
    cookie = {"Cookie": f"session={ann.cookies['session']}"}
    for origin in origins:
        with pytest.raises(HTTPClientError) as refused:
            await websocket_connect(HTTPRequest(url, headers={**cookie, "Origin": origin}))
        assert refused.value.code == 403, origin
    with pytest.raises(HTTPClientError) as refused:
        await websocket_connect(HTTPRequest(url, headers={"Origin": office.url}))
    assert refused.value.code == 401
    own = await websocket_connect(HTTPRequest(url, headers={**cookie, "Origin": office.url}))
    own.close()
    assert len(origins) == 11


async def test_pages_cannot_be_framed_or_sniffed_and_are_not_kept_by_proxies(
    office: Office,
) -> None:
    ann = await office.somebody()
    for path in ("/", "/meters", "/audit", "/api/audit", "/login"):
        answer = await ann.get(path)
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "private" in answer.headers["Cache-Control"]
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert "<script" in text_of(await ann.get("/"))
