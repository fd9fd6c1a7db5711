"""Roles that the site has changed or made; those that it left alone stand in the code."""

from dataclasses import dataclass, field
from datetime import datetime

from station.store.objects.base import Many, Objects
from station.units import utc_now


@dataclass(frozen=True, slots=True)
class Role:
    """What the people of a role may do: `permissions` are names of permissions."""

    name: str
    permissions: tuple[str, ...]
    note: str = ""
    changed_by: str = ""
    changed_at: datetime = field(default_factory=utc_now)


class Roles(Objects[Role]):
    """The roles of the site's own."""

    shape = Role
    key = "name"
    word = "role"

    async def put(self, role: Role) -> None:
        """Keep a role in place of the one that had its name."""
        document = self._to_document(role)
        await self._collection.replace({"_id": role.name}, document, upsert=True)

    async def list(self) -> Many[Role]:
        """Return them by name."""
        return await self._all({})
