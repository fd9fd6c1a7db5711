"""The site that tests of alarms stand on."""

from collections.abc import AsyncIterator

import pytest
from alarm_yard import Yard

from station.store.database import Database


@pytest.fixture
async def yard(database: Database) -> AsyncIterator[Yard]:
    made = Yard(database)
    await made.fill()
    yield made
    await made.alarms.stop()
