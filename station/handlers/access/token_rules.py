"""Tokens of programs: each works as a person, with no more than some of that person's permissions.

A token ends by itself; it never lasts longer than a year. It can do nothing to the login of its
person: neither the password, nor the codes, nor further tokens.
"""

from dataclasses import dataclass
from datetime import timedelta

from station.errors import Conflict, InvalidValue
from station.handlers.access.people import (
    Permission,
    hash_token,
    known_permissions,
    new_token,
    permissions_of,
)
from station.store.database import Database
from station.store.objects.sessions import Session
from station.store.objects.users import User
from station.units import utc_now

TOKENS_MAX = 20  # Of one person; each program needs one.
DAYS = 90  # Unless said otherwise: somebody looks at it again each quarter.
DAYS_MAX = 366
LABEL_SIZE_MAX = 64


@dataclass(frozen=True)
class NewToken:
    """A token, which is told this once, and what is kept of it."""

    token: str
    session: Session


async def new_api_token(
    database: Database,
    user: User,
    *,
    label: str,
    permissions: tuple[str, ...] | None,
    lasts: timedelta = timedelta(days=DAYS),
    address: str = "",
) -> NewToken:
    """Make a token of a person; without permissions it has what the person has, whenever used.

    Raises InvalidValue for a permission that the person has not, Conflict for too many tokens.
    """
    if user.is_disabled:
        raise Conflict(f"{user.name} is kept out")
    own = permissions_of(user.role, await database.roles.find(user.role))
    scope = None
    if permissions is not None:
        scope = _checked(permissions, own)
    if not timedelta(days=1) <= lasts <= timedelta(days=DAYS_MAX):
        raise InvalidValue("days", f"expected 1 to {DAYS_MAX} days")
    if len(await database.sessions.list(user.name, kind="token")) >= TOKENS_MAX:
        raise Conflict(f"{user.name} has {TOKENS_MAX} tokens already: end one first")
    token, now = new_token(), utc_now()
    session = Session(
        token_hash=hash_token(token),
        user=user.name,
        created_at=now,
        last_seen=now,
        expires_at=now + lasts,
        kind="token",
        scope=scope,
        label=label[:LABEL_SIZE_MAX],
        address=address,
    )
    await database.sessions.create(session)
    return NewToken(token, session)


def _checked(names: tuple[str, ...], own: frozenset[Permission]) -> tuple[str, ...]:
    for name in names:
        if not known_permissions([name]):
            raise InvalidValue("permissions", f"there is no permission {name}")
        if not known_permissions([name]) <= own:
            raise InvalidValue("permissions", f"the person has no permission {name}")
    return tuple(sorted({*names, Permission.VIEW.value}))
