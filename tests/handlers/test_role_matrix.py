"""Every address, every method and every role: who gets in is written down here and in a table.

`role_matrix.txt` names the permission that each method of each address needs; a new address needs
its line. Here stands what each role may. Both are held to the code, and then every combination is
tried over HTTP: a change without a form's token is refused for the token by whom the permission
lets in, and for the role by whom it does not, so that nothing is changed by the attempts.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_routes import METHODS, addresses, methods_of
from tornado.web import RequestHandler
from web_helpers import Office, Visitor, text_of

from station.handlers.access.identity import permission_of
from station.handlers.access.people import ROLES, Permission
from station.handlers.routes import routes

TABLE = Path(__file__).with_name("role_matrix.txt")
MAY = {
    "administrator": "view collect sell approve configure control approve_control audit administer",
    "supervisor": "view collect sell approve control approve_control",
    "technician": "view collect configure",
    "clerk": "view collect sell",
    "reader": "view",
}
AT_ONCE = 16  # Requests; one connection each.


def needed(handler: type[RequestHandler], method: str) -> str:
    permission = permission_of(handler, method)
    return "open" if permission is None else permission.value


def written() -> dict[str, dict[str, str]]:
    """Return what the table says: address to method to permission."""
    table = {}
    for line in TABLE.read_text().splitlines():
        pattern, *pairs = line.split()
        table[pattern] = dict(pair.split(":") for pair in pairs)
    return table


def found() -> dict[str, dict[str, str]]:
    """Return what the code says, in the same shape."""
    return {
        pattern.replace("(?:/api)?", "").replace("([^/]+)", "*"): {
            method: needed(handler, method) for method in methods_of(handler)
        }
        for pattern, handler in routes()
    }


def test_what_each_role_may() -> None:
    assert {role: set(names.split()) for role, names in MAY.items()} == {
        role: {each.value for each in permissions} for role, permissions in ROLES.items()
    }
    assert set(MAY["administrator"].split()) == {each.value for each in Permission}


def test_each_address_needs_what_the_table_says() -> None:
    """When this fails, look hard at who should get in; then change the table by hand."""
    assert found() == written()


def attempts(role: str) -> Iterator[tuple[str, str, bool]]:
    """Yield every method and address, and whether the role is let in."""
    for path, handler in addresses():
        for method in methods_of(handler):
            permission = needed(handler, method)
            if permission != "open":
                yield method, path, permission in MAY[role].split()


async def attempt(visitor: Visitor, method: str, path: str, is_let_in: bool) -> None:
    """Try one address with a login and without a form's token."""
    body = None if method in ("GET", "DELETE") else ""
    cookies = {"Cookie": f"session={visitor.cookies['session']}"}
    answer = await visitor.send(method, path, body, cookies)
    what = f"{method} {path}: {answer.code}"
    if not is_let_in:
        assert answer.code == 403, what
        assert "does not allow this" in text_of(answer), what
    elif method == "GET":
        assert answer.code not in (401, 403, 405), what
    else:
        assert answer.code == 403, what
        assert "the page is too old" in text_of(answer), what


@pytest.mark.parametrize("role", MAY)
async def test_each_role_gets_in_where_it_may_and_nowhere_else(office: Office, role: str) -> None:
    visitor = await office.somebody(role)
    waiting = [
        each for each in attempts(role) if each[0] != "GET" or not each[1].startswith("/api/")
    ]
    assert len(waiting) > 200
    assert {method for method, _, _ in waiting} <= set(METHODS)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(method: str, path: str, is_let_in: bool) -> None:
        async with gate:
            await attempt(visitor, method, path, is_let_in)

    await asyncio.gather(*(one(*each) for each in waiting))
