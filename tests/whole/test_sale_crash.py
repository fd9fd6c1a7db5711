"""The station is killed, and its database too, while a card is written: each sale happens once.

A real station, asked through its JSON, with a virtual card in a reader of a real pcscd. What breaks
does so inside an APDU: while the card's answer is waited for.
"""

import asyncio
import http.client
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from counter_site import CUSTOMER, METER, opening, purchase, settle
from stations import Refusal, StationProcess, until
from virtual_pcscd import VirtualPcscd, virtual_pcscd

from bench import TEST_ROOT, new_card
from station.simulator.prepaid_meter import VirtualMeter
from station.store.database import Database
from station.store.embedded import EmbeddedMongo

READER = "ACS ACR39U ICC Reader 00 00"
WALLET_WRITE = bytes.fromhex("04D682")
PARAMETERS_WRITE = bytes.fromhex("04D681")
NEVER = b"\xff"  # No command begins so.
DATABASE_DOWN = 503


@pytest.fixture
def pcscd(tmp_path: Path) -> Iterator[VirtualPcscd]:
    folder = tmp_path / "pcscd"
    folder.mkdir()
    with virtual_pcscd(folder, [READER.removesuffix(" 00 00")]) as running:
        yield running


@pytest.fixture
def station(tmp_path: Path, pcscd: VirtualPcscd) -> Iterator[StationProcess]:
    """A station with a customer, a meter and a tariff, beside a reader."""
    process = StationProcess(tmp_path)
    asyncio.run(fill(tmp_path / "data"))
    process.start()
    yield process
    process.stop()


async def fill(data: Path) -> None:
    mongo = EmbeddedMongo(data)
    uri = await mongo.start()
    database = await Database.connect(uri, "station", zone=ZoneInfo("Asia/Shanghai"))
    await settle(database)
    await database.close()
    await mongo.stop()


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


class Counter:
    """A clerk with a reader, and the customer's card and meter."""

    def __init__(self, station: StationProcess, pcscd: VirtualPcscd) -> None:
        self.station = station
        self.pcscd = pcscd
        self.slot = pcscd.slots[READER]
        self.card = new_card()
        self.meter = VirtualMeter(METER, TEST_ROOT)
        self.writes = 0

    def lay(self) -> None:
        """Put the card into the reader."""
        self.pcscd.pull(READER)
        self.pcscd.insert(READER, self.card)

    def write(self, order: dict[str, Any]) -> dict[str, Any]:
        """Write, or finish, and return the order."""
        written: dict[str, Any] = self.station.call(f"/api/orders/{order['id']}/write", {})
        return written

    def write_in_vain(self, order: dict[str, Any]) -> None:
        """Write an order while the station is killed."""
        with pytest.raises((OSError, http.client.HTTPException)):
            self.write(order)
        self.station.kill()  # It is dead; this takes note.

    def sell(self, account: str, amount_fen: int) -> dict[str, Any]:
        """Confirm a purchase."""
        sold: dict[str, Any] = self.station.call(
            f"/api/accounts/{account}/purchases", purchase(amount_fen)
        )
        return sold

    def break_at(self, when: str, head: bytes, deed: Callable[[], None]) -> None:
        """Do something once, inside the APDU that begins so."""

        def hook(number: int, apdu: bytes) -> None:
            self.writes += apdu[1] == 0xD6
            if apdu.startswith(head):
                self.slot.calm()
                deed()

        setattr(self.slot, when, hook)

    def carried_fen(self) -> int:
        """Put the card into the meter, and return what it credited."""
        result = self.meter.insert(self.card)
        assert result.code == 0
        return result.credited_fen

    def unfinished(self) -> list[str]:
        """Return the ids of the unfinished orders."""
        found = self.station.call("/api/orders?state=reserved")["items"]
        return [order["id"] for order in found]


def test_station_and_database_are_killed_while_a_card_is_written(
    station: StationProcess, pcscd: VirtualPcscd
) -> None:
    counter = Counter(station, pcscd)
    station.call("/api/shifts", {"float_fen": 0})
    counter.lay()
    opened = counter.write(station.call("/api/accounts", opening(amount_fen=100_00)))
    account = opened["account"]
    assert (opened["state"], counter.carried_fen()) == ("written", 100_00)

    # Killed when the card has obeyed the last write: it is found there, and not written again.
    order = counter.sell(account, 50_01)
    counter.break_at("after_apdu", WALLET_WRITE, lambda: kill(station.pid))
    counter.write_in_vain(order)
    station.start()
    assert counter.unfinished() == [order["id"]]
    counter.writes = 0
    counter.break_at("after_apdu", NEVER, counter.slot.pull)
    assert counter.write(order)["state"] == "written"
    assert counter.writes == 0
    assert counter.carried_fen() == 50_01

    # Killed, and the card pulled, before the first write arrived: it is written afterwards.
    order = counter.sell(account, 30_99)

    def killed_and_pulled() -> None:
        kill(station.pid)
        counter.slot.pull()

    counter.break_at("before_apdu", PARAMETERS_WRITE, killed_and_pulled)
    counter.write_in_vain(order)
    station.start()
    assert counter.unfinished() == [order["id"]]
    counter.lay()
    assert counter.write(order)["state"] == "written"
    assert counter.carried_fen() == 30_99

    # The database is killed when the card carries the order: refused for now, then found there.
    order = counter.sell(account, 7)
    counter.break_at("after_apdu", WALLET_WRITE, lambda: kill(station.mongod_pid()))

    def finished() -> bool:
        try:
            return bool(counter.write(order)["state"] == "written")
        except Refusal as refusal:
            if refusal.status != DATABASE_DOWN:
                raise
            return False

    until(finished, "the order is written")
    assert counter.carried_fen() == 7

    orders = station.call("/api/orders?size=100")["items"]
    assert [each["state"] for each in orders] == ["written"] * 4
    journal_fen = sum(each["amount_fen"] for each in orders)
    assert journal_fen == counter.meter.balance_fen == 100_00 + 50_01 + 30_99 + 7
    assert counter.meter.count == 4
    assert orders[0]["customer"] == CUSTOMER
