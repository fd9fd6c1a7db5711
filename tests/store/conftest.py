"""A mongod of its own for the tests that kill, stop or starve it."""

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from store_helpers import kill

from station.store.embedded import EmbeddedMongo


@pytest.fixture
async def mongo(tmp_path: Path) -> AsyncIterator[EmbeddedMongo]:
    """A mongod that is not running yet; stopped after the test, whatever became of it."""
    mongo = EmbeddedMongo(tmp_path / "data")
    try:
        yield mongo
    finally:
        if mongo.pid is not None:
            with suppress(ProcessLookupError):
                kill(mongo.pid)  # A clean stop takes a second, and nobody needs this data.
        await mongo.stop()
