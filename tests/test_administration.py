"""What the command line does with people: added, let back in, and given tokens for programs."""

import asyncio

import pytest

from station.__main__ import main
from station.administration import add_user, make_token, reset_password
from station.config import Config, DatabaseConfig
from station.errors import InvalidValue, NotFound, StartError
from station.handlers.access.people import hash_token, password_is_right
from station.store.database import Database


@pytest.fixture
def config(database: Database, mongo_uri: str) -> Config:
    return Config(database=DatabaseConfig(uri=mongo_uri, name=database.name))


async def test_a_person_is_added_and_let_back_in_whatever_was_lost(
    database: Database, config: Config
) -> None:
    await add_user(config, "ann", "clerk", "correct horse")
    with pytest.raises(InvalidValue, match="there is no role 'boss'"):
        await add_user(config, "bob", "boss", "correct horse")
    with pytest.raises(InvalidValue, match="is not a user name"):
        await add_user(config, "a b", "clerk", "correct horse")
    await database.users.set_disabled("ann", True)
    await database.users.offer_totp("ann", "SECRET")
    assert await database.users.start_totp("ann", "SECRET", 1, ())
    made = await reset_password(config, "ann")
    user = await database.users.get("ann")
    assert password_is_right(user.password_hash, made.password)
    assert (user.one_time_until, user.is_disabled, user.has_totp) == (made.good_until, False, False)
    with pytest.raises(NotFound):
        await reset_password(config, "nobody")


async def test_a_token_is_made_with_no_more_than_the_person_has(
    database: Database, config: Config
) -> None:
    await add_user(config, "export", "reader", "correct horse")
    token = await make_token(config, "export", label="nightly", permissions=("view",), days=7)
    session = await database.sessions.find(hash_token(token))
    assert session is not None
    assert (session.user, session.kind, session.scope) == ("export", "token", ("view",))
    for permissions, days in ((("sell",), 7), (("nothing",), 7), (None, 0), (None, 367)):
        with pytest.raises(InvalidValue):
            await make_token(config, "export", label="", permissions=permissions, days=days)


async def test_the_commands_say_what_they_did(
    database: Database, mongo_uri: str, tmp_path, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"database:\n  uri: {mongo_uri}\n  name: {database.name}\n")
    monkeypatch.setattr("station.__main__._ask_password", lambda: "correct horse")

    async def run(*words: str) -> tuple[int, str]:
        arguments = [*words, "--config", str(file)]
        status = await asyncio.to_thread(main, arguments)
        return status, capsys.readouterr().out

    assert await run("user", "add", "ann", "--role", "reader") == (0, "user ann added as reader\n")
    status, told = await run("user", "reset", "ann")
    assert status == 0
    assert told.startswith("user ann   password ")
    status, token = await run("token", "ann", "--permissions", "view", "--label", "x")
    assert status == 0
    assert await database.sessions.find(hash_token(token.strip())) is not None
    assert (await run("token", "nobody"))[0] == 1


async def test_no_database_is_made_for_the_command_line(tmp_path) -> None:
    config = Config(database=DatabaseConfig(data=tmp_path / "nothing"))
    with pytest.raises(StartError, match="there is no database"):
        await add_user(config, "ann", "clerk", "correct horse")
