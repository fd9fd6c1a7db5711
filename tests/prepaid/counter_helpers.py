"""What the tests of selling share: one desk, homes with opened meters, short words."""

from collections.abc import Sequence

import pytest
from sale_site import CLERKS, DESKS, Counter, Home, Town, open_home

from station.errors import WrongCard
from station.simulator.card import VirtualCard
from station.store.objects.accounts import Account
from station.store.objects.base import new_id
from station.store.objects.orders import Order

CLERK, DESK = CLERKS[0], DESKS[0]


async def opened(town: Town, counter: Counter, amount_fen: int = 100_00) -> Home:
    """Return a home whose opening card has been in its meter."""
    home = await town.new_home()
    await open_home(counter, home, amount_fen)
    assert home.carry().code == 0
    return home


async def reserved(counter: Counter, home: Home, amount_fen: int = 50_00) -> Order:
    """Reserve a purchase."""
    return await counter.sales.sell(home.account, amount_fen, request_id=new_id(), by=CLERK)


async def written(counter: Counter, order: Order, card: VirtualCard) -> Order:
    """Put a card on the desk and write an order on it."""
    counter.insert(card)
    return await counter.sales.write(order.id, DESK, by=CLERK)


async def refused(counter: Counter, order: Order, card: VirtualCard) -> str:
    """Return the code with which a card is refused for an order."""
    with pytest.raises(WrongCard) as refusal:
        await written(counter, order, card)
    return refusal.value.code


async def account_of(town: Town, home: Home) -> Account:
    """Return a home's account."""
    return await town.database.accounts.get(home.account)


async def journal(town: Town, home: Home) -> Sequence[Order]:
    """Return the orders of a home's account, the newest first."""
    return (await town.database.orders.list(account=home.account))[0]


async def paid_fen(town: Town, home: Home) -> int:
    """Return what a home has paid by the journal, less what was given back."""
    return sum(order.amount_fen for order in await journal(town, home) if order.state == "written")
