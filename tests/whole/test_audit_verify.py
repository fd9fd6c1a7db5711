"""`station audit verify` on a station that runs, that is stopped, and whose log was bent."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from stations import StationProcess

from station.__main__ import main
from station.store.embedded import EmbeddedMongo


@dataclass
class Ended:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str


@pytest.fixture
def verify(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run the command in this process: it is another than the station's."""

    def run(station: StationProcess, *more: str) -> Ended:
        status = main(["audit", "verify", "--config", str(station.config), *more])
        said = capsys.readouterr()
        return Ended(status, said.out, said.err)

    return run


def bend(folder: Path) -> None:
    """Change one name in the log, behind the station's back."""

    async def change() -> None:
        uri = EmbeddedMongo(folder / "data").running_uri()
        client: AsyncIOMotorClient = AsyncIOMotorClient(uri)
        changed = await client["station"].audit.update_one({"_id": 2}, {"$set": {"who": "bob"}})
        client.close()
        assert changed.modified_count == 1

    asyncio.run(change())


def test_the_command_proves_the_log_or_names_the_first_broken_entry(
    station: StationProcess, verify: Callable[..., Ended]
) -> None:
    for number in range(1, 4):
        station.call("/api/terminals", {"address": f"9900000{number}", "name": "Area"})
    running = verify(station)
    assert (running.status, running.err) == (0, "")
    found = re.search(r"all (\d+) entries hold\nnote it down: (\d+):([0-9a-f]{64})", running.out)
    assert found is not None, running.out
    assert int(found[1]) == int(found[2]) >= 4  # A login and three terminals.
    noted = f"{found[2]}:{found[3]}"
    assert verify(station, "--noted", noted).status == 0
    other = verify(station, "--noted", f"{found[2]}:{'0' * 64}")
    assert other.status == 2
    assert f"entry {found[2]}: its hash is another" in other.err
    assert verify(station, "--noted", "nonsense").status == 1

    bend(station.folder)
    station.stop()
    bent = verify(station)
    assert bent.status == 2
    assert "BROKEN: entry 2: what it says is not what its hash was made of" in bent.err
    assert "entries 1 to 1 hold" in bent.out
