"""What the tests of selling and of card readers need."""

from collections.abc import AsyncIterator, Iterator

import pytest
from sale_site import Counter, Town
from virtual_pcscd import VirtualPcscd, virtual_pcscd

from station.store.database import Database

READER_NAMES = ("ACS ACR38U", "ACS ACR39U ICC Reader", "Generic CCID Reader")


@pytest.fixture(scope="module")
def pcscd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VirtualPcscd]:
    """A real pcscd with three virtual readers of two slots each, all empty."""
    with virtual_pcscd(tmp_path_factory.mktemp("pcscd"), READER_NAMES) as running:
        yield running


@pytest.fixture
async def town(database: Database) -> Town:
    """A database with a tariff."""
    town = Town(database)
    await town.settle()
    return town


@pytest.fixture
async def counter(town: Town) -> AsyncIterator[Counter]:
    """A station that sells."""
    counter = town.counter()
    yield counter
    await counter.stop()
