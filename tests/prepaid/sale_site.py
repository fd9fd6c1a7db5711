"""A counter in memory: real Sales and a real database, virtual cards and meters, desks to cut.

A `Town` is what outlives the station: the database, the homes with their meters and cards. A
`Counter` is one run of the station in it, with a desk for each clerk; any of its calls may be cut.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from cuts import Cut, CuttingReader, Process, ProcessDied, cutting_database

from bench import TEST_ROOT, MemoryReader, new_card
from station.live import Feed
from station.prepaid.cards.security import Roots, Soft3Des
from station.prepaid.readers.base import FixedReaders
from station.prepaid.readers.remembered import Remembered
from station.prepaid.readers.workplace import Workplaces
from station.prepaid.sales import Sales
from station.prepaid.terms import OpeningRequest
from station.simulator.card import VirtualCard
from station.simulator.prepaid_meter import MeterResult, VirtualMeter
from station.store.database import Database
from station.store.objects.accounts import Account
from station.store.objects.base import new_id
from station.store.objects.customers import Customer
from station.store.objects.orders import Order
from station.store.objects.tariffs import PriceSet, TariffVersion
from station.units import utc_now

SECURITY = Soft3Des(Roots.same(TEST_ROOT))
ZONE = ZoneInfo("Asia/Shanghai")
TARIFF = "HOME"
DESKS = ("box", "annex")
MEMORY = "memory of"  # Tasks that keep which reader was used.
CLERKS = ("clerk", "other clerk")

_numbers = count(1)
FIRST_METER, FIRST_CUSTOMER = 885_500_000_000, 447_700_000_000


@dataclass
class Home:
    """A customer with a meter; `cards` are all that were ever theirs, the last one is in use."""

    meter: VirtualMeter
    customer: str
    cards: list[VirtualCard] = field(default_factory=list)
    account: str = ""
    credited_fen: int = 0

    @property
    def card(self) -> VirtualCard:
        return self.cards[-1]

    def new_card(self) -> VirtualCard:
        """Take a blank card from the stock; it is this home's from now on."""
        self.cards.append(new_card())
        return self.card

    def carry(self, card: VirtualCard | None = None) -> MeterResult:
        """Put a card into the meter."""
        result = self.meter.insert(card or self.card)
        self.credited_fen += result.credited_fen
        return result


class Counter:
    """One run of the station: Sales over a database and desks that the cut of a process may hit."""

    def __init__(self, client: Any, database: str, cut: Cut | None = None) -> None:
        self.process = Process(cut)
        self.database = cutting_database(client, database, ZONE, self.process)
        remembered = Remembered(self.database.reader_uses, "test")
        self.workplaces = Workplaces(SECURITY, remembered)
        self.readers: list[MemoryReader] = []
        for desk in DESKS:
            reader = MemoryReader(name=f"Reader of {desk}")
            self.readers.append(reader)
            self.workplaces.add(FixedReaders(CuttingReader(reader, self.process)), desk)
        self.sales = Sales(self.database, self.workplaces, Feed(), ZONE)

    def insert(self, card: VirtualCard, desk: int = 0) -> None:
        """Put a card into the reader of a desk."""
        self.readers[desk].insert(card)

    async def live(self, work: Awaitable[Any]) -> Any:
        """Do this, and what goes on behind it; return its result, or the error it ended with."""
        try:
            return await work
        except (ProcessDied, Exception) as error:  # noqa: BLE001  The caller asserts on it.
            return error
        finally:
            behind = [task for task in asyncio.all_tasks() if task.get_name().startswith(MEMORY)]
            await asyncio.gather(*behind, return_exceptions=True)

    async def stop(self) -> None:
        """End the threads of the readers."""
        await self.workplaces.stop()


class Town:
    """The database with what selling needs, and the homes."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.client = database._client

    async def settle(self) -> None:
        """Enter the tariff."""
        now = utc_now()
        version = TariffVersion(
            id=new_id(),
            tariff=TARIFF,
            name="Homes",
            main=PriceSet((Decimal("0.5"),)),
            backup=PriceSet((Decimal("0.6"),)),
            effective_on=date(2020, 1, 1),
            created_by="author",
            created_at=now,
        )
        await self.database.tariffs.add_version(version)
        await self.database.tariffs.submit(version.id, "author", now)
        await self.database.tariffs.approve(version.id, "second person", now)

    async def new_home(self) -> Home:
        """Enter a customer and a meter."""
        number = next(_numbers)
        home = Home(
            VirtualMeter(str(FIRST_METER + number), TEST_ROOT), str(FIRST_CUSTOMER + number)
        )
        await self.database.customers.add(Customer(home.customer, "Test customer"))
        await self.enter_meter(home.meter.meter)
        return home

    async def enter_meter(self, number: str) -> None:
        """Put a meter into the archive; no link leads to it."""
        meters = self.database.meters
        await meters._collection.insert({"_id": number, "name": "Test meter", "link": "none"})

    def counter(self, cut: Cut | None = None) -> Counter:
        """Start the station."""
        return Counter(self.client, self.database.name, cut)

    async def journal_of(self, home: Home) -> list[Order]:
        """Return every order of a home, the oldest first, whatever account it has."""
        orders, total = await self.database.orders.list(home.customer, limit=1000)
        assert total == len(orders)
        return orders[::-1]

    async def account_of(self, home: Home) -> Account | None:
        """Return the living account of a home, if there is one."""
        found = await self.database.accounts.of_meter(home.meter.meter)
        home.account = "" if found is None else found.id
        return found


def opening_of(home: Home, amount_fen: int) -> OpeningRequest:
    return OpeningRequest(home.meter.meter, home.customer, TARIFF, amount_fen)


async def open_home(counter: Counter, home: Home, amount_fen: int) -> Order:
    """Open an account and write its card."""
    counter.insert(home.new_card())
    request = opening_of(home, amount_fen)
    order = await counter.sales.open_account(request, request_id=new_id(), by=CLERKS[0])
    home.account = order.account
    return await counter.sales.write(order.id, DESKS[0], by=CLERKS[0])


async def sell_home(counter: Counter, home: Home, amount_fen: int) -> Order:
    """Sell to a home and write its card."""
    counter.insert(home.card)
    order = await counter.sales.sell(home.account, amount_fen, request_id=new_id(), by=CLERKS[0])
    return await counter.sales.write(order.id, DESKS[0], by=CLERKS[0])
