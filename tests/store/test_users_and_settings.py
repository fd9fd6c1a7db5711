"""People, logins and small values."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from station.errors import Conflict, NotFound
from station.store.database import Database
from station.store.objects.sessions import Session
from station.store.objects.users import User
from station.units import utc_now

NOW = utc_now()
HOUR = timedelta(hours=1)
CLERK = User("clerk", "hash-1", "operator", "zh", NOW)
LOGIN = Session("token-hash", "clerk", NOW, NOW, NOW + HOUR)


async def test_users(database: Database) -> None:
    users = database.users
    assert await users.count() == 0
    await users.add(CLERK)
    with pytest.raises(Conflict, match="user clerk exists already"):
        await users.add(replace(CLERK, password_hash="hash-2"))
    admin = replace(CLERK, name="admin", role="admin")
    await users.add(admin)
    assert await users.find("clerk") == CLERK
    assert await users.find("nobody") is None
    assert await users.list() == [admin, CLERK]
    assert await users.count() == 2


async def test_new_password(database: Database) -> None:
    await database.users.add(CLERK)
    await database.users.set_password("clerk", "hash-2")
    assert await database.users.find("clerk") == replace(CLERK, password_hash="hash-2")
    with pytest.raises(NotFound, match="there is no user nobody"):
        await database.users.set_password("nobody", "hash-2")


async def test_new_language(database: Database) -> None:
    await database.users.add(CLERK)
    await asyncio.gather(  # Neither takes back what the other changed.
        database.users.set_language("clerk", "en"), database.users.set_password("clerk", "hash-2")
    )
    changed = replace(CLERK, language="en", password_hash="hash-2")
    assert await database.users.find("clerk") == changed
    await database.users.set_language("clerk", "en")  # To what it is already: no error.
    with pytest.raises(NotFound, match="there is no user nobody"):
        await database.users.set_language("nobody", "en")


def test_secrets_stay_out_of_logs() -> None:
    assert "hash-1" not in repr(CLERK)
    assert "token-hash" not in repr(LOGIN)


async def test_sessions(database: Database) -> None:
    sessions = database.sessions
    await sessions.create(LOGIN)
    with pytest.raises(Conflict):
        await sessions.create(LOGIN)
    assert await sessions.find("token-hash") == LOGIN
    assert await sessions.find("other") is None
    later = NOW + timedelta(minutes=5)
    await sessions.touch("token-hash", later, later + HOUR)
    assert await sessions.find("token-hash") == replace(
        LOGIN, last_seen=later, expires_at=later + HOUR
    )
    await sessions.remove("token-hash")
    await sessions.remove("token-hash")
    assert await sessions.find("token-hash") is None
    await sessions.touch("token-hash", later, later + HOUR)
    assert await sessions.find("token-hash") is None, "a login that has ended stays ended"


async def test_expired_session_is_not_found(database: Database) -> None:
    await database.sessions.create(replace(LOGIN, expires_at=NOW - timedelta(milliseconds=1)))
    assert await database.sessions.find("token-hash") is None


async def test_sessions_of_a_user(database: Database) -> None:
    other = replace(LOGIN, token_hash="other", user="admin", kind="token")
    for session in (LOGIN, replace(LOGIN, token_hash="second"), other):
        await database.sessions.create(session)
    assert await database.sessions.remove_of_user("clerk") == 2
    assert await database.sessions.find("token-hash") is None
    assert await database.sessions.find("other") == other


async def test_settings(database: Database) -> None:
    settings = database.settings
    assert await settings.get("language") is None
    await settings.set("language", "en")
    await settings.set("language", "zh")
    assert await settings.get("language") == "zh"
    assert await settings.claim("language", "en") == "zh"


async def test_settings_claimed_at_once(database: Database) -> None:
    claims = await asyncio.gather(*(database.settings.claim("secret", n) for n in range(8)))
    assert len(set(claims)) == 1
    assert await database.settings.get("secret") == claims[0]
