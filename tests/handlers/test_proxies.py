"""Behind a proxy: who asks is the client, and nobody else says who that is; from http to https."""

from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient
from tornado.testing import bind_unused_port
from web_helpers import Office, open_office

from station.handlers.proxies import Proxies
from station.handlers.redirect import make_redirect
from station.handlers.server import make_server
from station.store.database import Database

TRUSTED = Proxies([ip_network("127.0.0.1/32"), ip_network("10.1.0.0/16"), ip_network("fd00::/8")])


@pytest.fixture
async def behind(database: Database) -> AsyncIterator[Office]:
    """The pages behind a proxy on this box."""
    limits: dict[str, Any] = {"networks": [ip_network("127.0.0.1/32")]}
    async with open_office(database, limits=limits) as office:
        yield office


@pytest.mark.parametrize(
    ("host", "chain", "client"),
    [
        ("127.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("127.0.0.1", "203.0.113.7, 10.1.2.3", "203.0.113.7"),
        ("127.0.0.1", "198.51.100.1, 203.0.113.7", "203.0.113.7"),  # The first is the client's.
        ("127.0.0.1", "203.0.113.7, 192.0.2.1, 10.1.2.3", "192.0.2.1"),
        ("::ffff:127.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("fd00::1", "::ffff:203.0.113.7", "203.0.113.7"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.7, nobody", "127.0.0.1"),
        ("127.0.0.1", "10.1.0.1, 10.1.0.2", "10.1.0.1"),
        ("127.0.0.1", "203.0.113.7" + ", 10.1.0.1" * 1000, "10.1.0.1"),
        ("192.0.2.9", "203.0.113.7", "192.0.2.9"),
    ],
)
def test_the_last_address_that_no_proxy_is(host: str, chain: str, client: str) -> None:
    assert TRUSTED.client_of(host, chain) == client


async def test_lockout_and_log_see_the_client(behind: Office) -> None:
    await behind.somebody()
    bad, good = behind.visitor(), behind.visitor()
    bad.headers = {"X-Forwarded-For": "198.51.100.9, 203.0.113.66", "X-Real-Ip": "192.0.2.1"}
    good.headers = {"X-Forwarded-For": "203.0.113.7"}
    codes = [(await bad.log_in("administrator0", "wrong")).code for _ in range(8)]
    assert codes[-1] == 429  # From there one waits,
    assert (await good.log_in("administrator0")).code == 303  # and from elsewhere not.
    entries, _ = await behind.database.audit.list(act="login")
    assert {entry.address for entry in entries if entry.outcome == "refused"} == {"203.0.113.66"}
    assert next(entry.address for entry in entries if entry.outcome == "done") == "203.0.113.7"
    _, sessions = await good.json("GET", "/api/sessions")
    assert "203.0.113.7" in {each["address"] for each in sessions["items"]}
    plain = await behind.visitor().log_in("administrator0")  # On the same kept connections.
    entries, _ = await behind.database.audit.list(act="login", outcome="done")
    assert (plain.code, entries[0].address) == (303, "127.0.0.1")


async def test_cookies_stay_with_https_that_the_proxy_serves(behind: Office) -> None:
    for protocol, secure in (("https", True), ("http", False), ("http, https", True), ("x", False)):
        page = await behind.visitor(**{"X-Forwarded-Proto": protocol}).get("/login")
        cookies = page.headers.get_list("Set-Cookie")
        assert cookies
        assert all(("; Secure" in each) is secure for each in cookies), protocol


async def test_without_a_proxy_nobody_says_who_asks(office: Office) -> None:
    ann = office.visitor(**{"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"})
    await office.somebody()
    assert (await ann.log_in("administrator0")).code == 303
    entries, _ = await office.database.audit.list(act="login", outcome="done")
    assert {entry.address for entry in entries} == {"127.0.0.1"}


async def test_http_leads_to_https_and_nowhere_else() -> None:
    server = make_server(make_redirect(8443))
    listening, port = bind_unused_port()
    server.add_socket(listening)
    client = AsyncHTTPClient(force_instance=True)
    url = f"http://127.0.0.1:{port}"

    async def ask(path: str, method: str = "GET", **headers: str) -> Any:
        return await client.fetch(
            url + path, method=method, headers=headers, follow_redirects=False, raise_error=False,
            allow_nonstandard_methods=True,
        )  # fmt: skip

    answer = await ask("/meters?text=a%20b&page=2", Host="station.example:80")
    wanted = "https://station.example:8443/meters?text=a%20b&page=2"
    assert (answer.code, answer.headers["Location"]) == (307, wanted)
    assert (
        (await ask("//evil.example/x")).headers["Location"].startswith("https://127.0.0.1:8443//")
    )
    assert (await ask("/login", "POST", Host="station.example")).code == 403
    for host in ("a b", "evil.example/", "x@evil.example", "-", "a" * 300):
        answer = await ask("/", Host=host)
        assert answer.code == 400, host
        assert "Location" not in answer.headers
    server.stop()
    await server.close_all_connections()
