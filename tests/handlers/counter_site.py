"""A counter to be visited: the pages, a reader in memory, a tariff, a customer and two meters."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from web_helpers import CONFIG, Office, Visitor, open_office

from bench import TEST_ROOT, MemoryReader, new_card
from station.config import Config
from station.prepaid.readers.base import FixedReaders
from station.simulator.card import VirtualCard
from station.simulator.prepaid_meter import VirtualMeter
from station.store.database import Database
from station.store.objects.base import new_id
from station.store.objects.customers import Customer
from station.store.objects.meters import Meter
from station.store.objects.tariffs import PriceSet, TariffVersion
from station.store.objects.terminals import Terminal
from station.units import utc_now

TERMINAL = "02001234"
METER, OTHER_METER, CUSTOMER, TARIFF = "000000000161", "000000000162", "000000700001", "HOME"
PRICE = Decimal("0.5")


@dataclass
class CounterSite:
    """The pages with what a sale needs."""

    office: Office
    reader: MemoryReader
    meter: VirtualMeter

    async def opened(self, clerk: Visitor, amount_fen: int = 10_000) -> tuple[str, VirtualCard]:
        """Open an account on a blank card; return its id and the card, which lies in the reader."""
        card = new_card()
        self.reader.insert(card)
        body = opening(amount_fen=amount_fen)
        status, order = await clerk.json("POST", "/api/accounts", body)
        assert status == 201, order
        status, order = await clerk.json("POST", f"/api/orders/{order['id']}/write", {})
        assert (status, order["state"]) == (200, "written"), order
        return order["account"], card


def opening(**more: Any) -> dict[str, Any]:
    """Return the body of an opening."""
    return {
        "request_id": new_id(), "meter": METER, "customer": CUSTOMER, "tariff": TARIFF, **more,
    }  # fmt: skip


def purchase(amount_fen: int, request_id: str = "") -> dict[str, Any]:
    """Return the body of a purchase."""
    return {"request_id": request_id or new_id(), "amount_fen": amount_fen}


@contextlib.asynccontextmanager
async def open_counter(database: Database, config: Config = CONFIG) -> AsyncIterator[CounterSite]:
    """Open the pages of a counter."""
    async with open_office(database, config) as office:
        reader = MemoryReader()
        office.parts.workplaces.add(FixedReaders(reader))
        await settle(database)
        yield CounterSite(office, reader, VirtualMeter(METER, TEST_ROOT))


async def settle(database: Database) -> None:
    """Enter what a sale needs: meters, a customer, an approved tariff."""
    await database.terminals.add(Terminal(TERMINAL, "North"))
    for point, address in enumerate((METER, OTHER_METER), 1):
        house = Meter(address, f"House {point}", link=TERMINAL, point=point)
        await database.meters.add(house)
    await database.customers.add(
        Customer(CUSTOMER, "Test <customer>", phone="555-0101", address="1 Test Street")
    )
    now = utc_now()
    version = TariffVersion(
        new_id(), TARIFF, "Homes", PriceSet((PRICE,)), date(2020, 1, 1), "author", now
    )
    await database.tariffs.add_version(version)
    await database.tariffs.submit(version.id, "author", now)
    await database.tariffs.approve(version.id, "second person", now)
