"""What the tests of card readers need."""

from collections.abc import Iterator

import pytest
from virtual_pcscd import VirtualPcscd, virtual_pcscd

READER_NAMES = ("ACS ACR38U", "ACS ACR39U ICC Reader", "Generic CCID Reader")


@pytest.fixture(scope="module")
def pcscd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VirtualPcscd]:
    """A real pcscd with three virtual readers of two slots each, all empty."""
    with virtual_pcscd(tmp_path_factory.mktemp("pcscd"), READER_NAMES) as running:
        yield running
