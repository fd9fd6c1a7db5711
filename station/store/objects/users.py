"""People who may log in."""

from dataclasses import dataclass, field
from datetime import datetime

from station.store.objects.base import Many, Objects
from station.units import utc_now


@dataclass(frozen=True, slots=True)
class User:
    """A person: `password_hash` is an Argon2 hash in its own text form.

    `language` is en or zh, or empty for the language that the browser asks for.
    """

    name: str
    password_hash: str = field(repr=False)
    role: str
    language: str = ""
    created_at: datetime = field(default_factory=utc_now)


class Users(Objects[User]):
    """The people who may log in."""

    shape = User
    key = "name"
    word = "user"

    async def set_password(self, name: str, password_hash: str) -> None:
        """Replace a person's password. Raises NotFound."""
        change = {"$set": {"password_hash": password_hash}}
        if not await self._collection.update({"_id": name}, change):
            raise self._missing(name)

    async def set_language(self, name: str, language: str) -> None:
        """Replace a person's language. Raises NotFound."""
        if not await self._collection.update({"_id": name}, {"$set": {"language": language}}):
            raise self._missing(name)

    async def list(self) -> Many[User]:
        """Return everybody, by name."""
        return await self._all({})

    async def count(self) -> int:
        """Return how many there are."""
        return await self._collection.count({})
