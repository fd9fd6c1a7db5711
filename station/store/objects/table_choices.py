"""Which columns people chose of which tables."""

from collections.abc import Sequence

from station.errors import Conflict
from station.store.driver import Collection

TABLES_MAX = 200  # Of one person; the pages have some fifty.


class TableChoices:
    """The columns that people chose, by person and table."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def find(self, user: str, table: str) -> Sequence[str]:
        """Return the columns that a person chose of a table; nothing when they chose none."""
        found = await self._collection.find_one(_key(user, table))
        return found["columns"] if found else ()

    async def remember(self, user: str, table: str, columns: Sequence[str]) -> None:
        """Keep the columns of a table; none stands for the usual ones.

        Raises Conflict when too many tables are remembered already.
        """
        key = _key(user, table)
        if not columns:
            await self._collection.remove(key)
            return
        if await self._collection.count({"user": user}, limit=TABLES_MAX) >= TABLES_MAX:
            raise Conflict(f"the columns of {TABLES_MAX} tables are remembered already")
        choice = {"user": user, "columns": [*columns]}
        await self._collection.replace(key, choice, upsert=True)


def _key(user: str, table: str) -> dict[str, str]:
    return {"_id": f"{user} {table}"}
