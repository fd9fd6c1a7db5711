"""Who may do what: permissions, roles, passwords and sessions.

A session is a random token; the store holds only its SHA-256, so a stolen database opens no door.
Checking a password takes the same time whether the user exists or not.
"""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import Enum

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from station.errors import InvalidValue, StationError
from station.store.objects.roles import Role
from station.store.objects.sessions import Session

SESSION_IDLE = timedelta(hours=12)  # One working day with its breaks.
SESSION_TOUCH = timedelta(minutes=1)  # The store learns of a visit at most this often.
TOKEN_SIZE = 32  # Bytes of randomness; nobody guesses 256 bits.
AGENT_SIZE_MAX = 200  # Characters of what a browser says of itself.
PASSWORD_SIZE_MIN = 8  # Characters; the shortest that NIST SP 800-63B allows.
PASSWORD_SIZE_MAX = 200  # Characters; a longer one only costs time to hash.


class Permission(Enum):
    """What a person may do; each handler method names one."""

    VIEW = "view"
    COLLECT = "collect"
    SELL = "sell"
    APPROVE = "approve"
    CONFIGURE = "configure"
    CONTROL = "control"
    APPROVE_CONTROL = "approve_control"
    AUDIT = "audit"
    ADMINISTER = "administer"


ADMINISTRATOR = "administrator"
# What the five built-in roles may until the site says otherwise; an administrator may always all.
ROLES: dict[str, frozenset[Permission]] = {
    ADMINISTRATOR: frozenset(Permission),
    "technician": frozenset({Permission.VIEW, Permission.COLLECT, Permission.CONFIGURE}),
    "supervisor": frozenset(
        {
            Permission.VIEW,
            Permission.COLLECT,
            Permission.SELL,
            Permission.APPROVE,
            Permission.CONTROL,
            Permission.APPROVE_CONTROL,
        }
    ),
    "clerk": frozenset({Permission.VIEW, Permission.COLLECT, Permission.SELL}),
    "reader": frozenset({Permission.VIEW}),
}


def permissions_of(role: str, changed: Role | None) -> frozenset[Permission]:
    """Return what a role may do; `changed` is what the site made of it, None if nothing.

    Everybody with a role may at least look. A role that is gone may nothing.
    """
    if role == ADMINISTRATOR or changed is None:
        return ROLES.get(role, frozenset())
    return known_permissions(changed.permissions) | {Permission.VIEW}


def known_permissions(names: Iterable[str]) -> frozenset[Permission]:
    """Return the permissions of these names; a newer station's are left out."""
    known = {permission.value for permission in Permission}
    return frozenset(Permission(name) for name in names if name in known)


class Forbidden(StationError):
    """The person's role does not allow this."""


class PasswordChangeNeeded(Forbidden):
    """The password was made by somebody else: it has to be changed before anything else."""


_hasher = PasswordHasher()
# Nobody's password: checked when the user does not exist, so that this takes as long. It was drawn
# and thrown away; to draw one at each start would take a quarter of a second.
_NOBODY = (
    "$argon2id$v=19$m=65536,t=3,p=4$9lLazJrJp1VM5Yr43qkCSA"
    "$cl9I5nD6R/9EiOQufwW3yiOE8W/bkETGZ4JGqDksTyE"
)


def hash_password(password: str) -> str:
    """Return what the store keeps of a password. Raises InvalidValue for one of a wrong length."""
    if not PASSWORD_SIZE_MIN <= len(password) <= PASSWORD_SIZE_MAX:
        raise InvalidValue(
            "password",
            f"expected {PASSWORD_SIZE_MIN} to {PASSWORD_SIZE_MAX} characters, got {len(password)}",
        )
    return _hasher.hash(password)


def password_is_right(password_hash: str | None, password: str) -> bool:
    """Tell whether a password is the one that was hashed; None stands for a user who is not."""
    try:
        _hasher.verify(password_hash or _NOBODY, password)
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


def new_token() -> str:
    """Return a token that opens a session; only the person gets to see it."""
    return secrets.token_urlsafe(TOKEN_SIZE)


def hash_token(token: str) -> str:
    """Return the form of a token that the store keeps: SHA-256 in hex."""
    return hashlib.sha256(token.encode()).hexdigest()


def browser_session(
    user: str, token: str, now: datetime, *, address: str = "", agent: str = ""
) -> Session:
    """Return the session of someone who has just logged in."""
    return Session(
        token_hash=hash_token(token),
        user=user,
        created_at=now,
        last_seen=now,
        expires_at=now + SESSION_IDLE,
        kind="browser",
        address=address,
        agent=agent[:AGENT_SIZE_MAX],
    )
