"""Logins that stand, of browsers and of programs; of the token only a hash is kept."""

from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from typing import Literal

from station.store.objects.base import Many, Objects
from station.units import utc_now

HEX_DIGITS = frozenset("0123456789abcdef")
ID_SIZE = 16  # Hex digits of the hash by which a page names a login; they open nothing.


@dataclass(frozen=True, slots=True)
class Session:
    """One login; it ends by itself at `expires_at`.

    `scope` are the names of the permissions that a program's token has, None for all of the
    person's. `label` is what the token is for; `address` and `agent` say from where it was made.
    """

    token_hash: str = field(repr=False)
    user: str
    created_at: datetime
    last_seen: datetime
    expires_at: datetime
    kind: Literal["browser", "token"] = "browser"
    _: KW_ONLY
    scope: tuple[str, ...] | None = None
    label: str = ""
    address: str = ""
    agent: str = ""

    @property
    def id(self) -> str:
        """The name of the login on pages."""
        return self.token_hash[:ID_SIZE]


class Sessions(Objects[Session]):
    """The logins that stand."""

    shape = Session
    key = "token_hash"
    word = "login"

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

    async def list(self, user: str | None = None, kind: str | None = None) -> Many[Session]:
        """Return the logins that stand, of one person or of everybody, the latest seen first."""
        query: dict[str, object] = {"expires_at": {"$gt": utc_now()}}
        if user is not None:
            query["user"] = user
        if kind is not None:
            query["kind"] = kind
        return await self._all(query, [("last_seen", -1), ("_id", 1)])

    async def named(self, name: str) -> Session:
        """Return the login of this id. Raises NotFound."""
        if len(name) != ID_SIZE or not set(name) <= HEX_DIGITS:
            raise self._missing(name)
        found = await self._all({"_id": {"$regex": f"^{name}"}})
        if len(found) != 1:
            raise self._missing(name)
        return found[0]

    async def remove(self, key: str) -> None:
        """End a login; one that is not there is no error."""
        await self._collection.remove({"_id": key})

    async def remove_of_user(
        self, user: str, *, kind: str | None = None, but: str | None = None
    ) -> int:
        """End every login of a person, or those of a kind, but for one; return how many."""
        query: dict[str, object] = {"user": user, "_id": {"$ne": but}}
        if kind is not None:
            query["kind"] = kind
        return await self._collection.remove(query)
