"""The database: what it refuses to open, and that it says so without giving secrets away."""

from station.store.database import Database


async def test_a_fresh_database_answers(database: Database) -> None:
    await database.ping()
    assert await database.settings.get("schema") == 1
