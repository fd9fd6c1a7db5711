"""What the command line does with a station's database, whether the station is running or not."""

import contextlib
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

from station.config import Config
from station.errors import StartError
from station.handlers.access.audit_writer import act_of_command_line
from station.handlers.access.staff import COMMAND_LINE, OneTimePassword, Staff
from station.handlers.access.token_rules import new_api_token
from station.store.database import Database
from station.store.embedded import EmbeddedMongo


@contextlib.asynccontextmanager
async def opened_database(config: Config) -> AsyncIterator[Database]:
    """Open the station's database, and start the private one if no station has done so.

    Raises StartError when the database is not there, or not this user's to start.
    """
    address = config.database.address()
    embedded = EmbeddedMongo(config.database.data, config.database.cache_mb)
    started = address is None and embedded.running_uri() is None
    if started:
        _check_own(config.database.data)
        address = await embedded.start()
    try:
        uri = address or embedded.running_uri() or ""
        database = await Database.connect(uri, config.database.name, zone=config.site.zone_info)
        try:
            yield database
        finally:
            await database.close()
    finally:
        if started:
            await embedded.stop()


async def add_user(config: Config, name: str, role: str, password: str) -> None:
    """Add a person who may log in. Raises InvalidValue, Conflict, StartError."""
    async with opened_database(config) as database:
        act = act_of_command_line(
            database.audit, config.station, "users.add", f"/users/{name}", {"role": role}
        )
        async with act:
            await Staff(database).add(COMMAND_LINE, name, role, password=password)


async def reset_password(config: Config, name: str) -> OneTimePassword:
    """Give a person a password for one login, and let in who was kept out.

    The login codes are asked for no more: this is the way back in for the last administrator.
    Raises NotFound, StartError.
    """
    async with opened_database(config) as database:
        staff = Staff(database)
        act = act_of_command_line(database.audit, config.station, "users.reset", f"/users/{name}")
        async with act:
            made = await staff.reset_password(COMMAND_LINE, name)
            await staff.stop_totp(COMMAND_LINE, name)
            await staff.set_disabled(COMMAND_LINE, name, is_disabled=False)
    return made


async def make_token(
    config: Config, name: str, *, label: str, permissions: tuple[str, ...] | None, days: int
) -> str:
    """Return a new token with which a program works as a person.

    Raises NotFound, InvalidValue, Conflict, StartError.
    """
    async with opened_database(config) as database:
        user = await database.users.get(name)
        wanted = {"label": label, "permissions": permissions, "days": days}
        act = act_of_command_line(
            database.audit, config.station, "tokens.add", f"/users/{name}", wanted
        )
        async with act:
            made = await new_api_token(
                database, user, label=label, permissions=permissions, lasts=timedelta(days=days)
            )
    return made.token


def _check_own(data: Path) -> None:
    """Refuse to start a database that is not there yet, or that another user's station owns."""
    if not data.is_dir():
        raise StartError(
            f"there is no database in {data}: start the station once before adding people; for the"
            " service, set STATE_DIRECTORY to its folder"
        )
    if data.stat().st_uid != os.geteuid():
        raise StartError(f"the database in {data} is another user's: start its station first")
