"""Logins that stand, of browsers and of programs; of the token only a hash is kept."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from station.store.objects.base import Objects
from station.units import utc_now


@dataclass(frozen=True, slots=True)
class Session:
    """One login; it ends by itself at `expires_at`."""

    token_hash: str = field(repr=False)
    user: str
    created_at: datetime
    last_seen: datetime
    expires_at: datetime
    kind: Literal["browser", "token"] = "browser"


class Sessions(Objects[Session]):
    """The logins that stand."""

    shape = Session
    key = "token_hash"
    word = "session"

    async def create(self, session: Session) -> None:
        """Keep a new login. Raises Conflict when its token is taken."""
        await self.add(session)

    async def find(self, key: str) -> Session | None:
        """Return the login of this token, unless it has expired."""
        session = await super().find(key)
        return session if session is not None and session.expires_at > utc_now() else None

    async def touch(self, key: str, last_seen: datetime, expires_at: datetime) -> None:
        """Note that the login was used; one that has gone meanwhile stays gone."""
        change = {"$set": {"last_seen": last_seen, "expires_at": expires_at}}
        await self._collection.update({"_id": key}, change)

    async def remove(self, key: str) -> None:
        """End a login; one that is not there is no error."""
        await self._collection.remove({"_id": key})

    async def remove_of_user(self, user: str) -> int:
        """End every login of a person and return how many that were."""
        return await self._collection.remove({"user": user})
