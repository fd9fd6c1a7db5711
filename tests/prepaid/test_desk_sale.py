"""A sale in one go: entered only while its card lies there, and written in one conversation."""

import asyncio
import time
from typing import Any

import pytest
from cuts import WRITE
from sale_site import CLERKS, DESKS, Counter, Home, Town, open_home

from bench import MemoryChannel, MemoryReader, new_card
from station.errors import (
    CardFailed,
    DatabaseDown,
    InvalidValue,
    NoCard,
    ReaderFailed,
    WrongCard,
)
from station.prepaid.desk_sale import Desk
from station.prepaid.readers import workplace
from station.prepaid.readers.base import FixedReaders
from station.store.objects.base import new_id
from station.store.objects.orders import Order

INTERNAL_AUTHENTICATE = 0x88
CLERK, DESK = CLERKS[0], Desk(DESKS[0])


@pytest.fixture
async def home(town: Town, counter: Counter) -> Home:
    """A home whose opening card has been in its meter, and is on the desk now."""
    home = await town.new_home()
    await open_home(counter, home, 100_00)
    assert home.carry().code == 0
    counter.insert(home.card)
    return home


async def sell(counter: Counter, home: Home, request_id: str = "", amount_fen: int = 7_00) -> Order:
    return await counter.sales.sell(
        home.account, amount_fen, request_id=request_id or new_id(), by=CLERK, desk=DESK
    )


async def purchases(town: Town, home: Home) -> list[Order]:
    return [order for order in await town.journal_of(home) if order.kind == "purchase"]


async def test_entered_and_written_in_one_conversation(
    town: Town, counter: Counter, home: Home
) -> None:
    steps: list[str] = []
    counter.process.calls.clear()
    order = await counter.sales.sell(
        home.account, 7_00, request_id=new_id(), by=CLERK, desk=Desk(DESKS[0], steps.append)
    )
    assert (order.state, order.count, order.reader_model) == ("written", 2, "memory")
    assert await purchases(town, home) == [order]
    assert [call.name for call in counter.process.calls].count("connect") == 1
    assert (steps[0], steps[-1]) == ("select", "write wallet")
    assert len(steps) == len({*steps}), "each step is told once"
    account = await town.database.accounts.get(home.account)
    assert (account.balance_fen, account.purchase_count) == (100_00, 2), "the proof was taken"
    assert home.carry().credited_fen == 7_00


async def test_nothing_is_sold_without_the_right_card(
    town: Town, counter: Counter, home: Home
) -> None:
    request_id = new_id()
    counter.readers[0].pull()
    with pytest.raises(NoCard):
        await sell(counter, home, request_id)
    counter.insert(new_card())
    with pytest.raises(WrongCard):
        await sell(counter, home, request_id)
    assert await purchases(town, home) == []
    counter.insert(home.card)
    assert (await sell(counter, home, request_id)).state == "written"


async def test_what_is_wrong_with_the_sale_goes_before_the_card(
    town: Town, counter: Counter, home: Home
) -> None:
    counter.readers[0].pull()
    with pytest.raises(InvalidValue, match="expected"):
        await sell(counter, home, amount_fen=0)


async def test_an_order_that_was_cut_comes_back_as_far_as_it_came(
    town: Town, counter: Counter, home: Home
) -> None:
    def pull(number: int, apdu: bytes) -> None:
        if apdu[1] == WRITE:
            raise CardFailed("the card was pulled")

    counter.readers[0].after_apdu = pull
    request_id = new_id()
    order = await sell(counter, home, request_id)
    assert (order.state, order.card_serial) == ("reserved", home.card.serial.hex().upper())
    counter.readers[0].calm()
    assert await sell(counter, home, request_id) == order, "it is finished by `write`"
    assert (await counter.sales.write(order.id, DESKS[0], by=CLERK)).state == "written"
    assert home.carry().credited_fen == 7_00


async def test_the_same_request_many_times_at_once_is_one_sale(
    town: Town, counter: Counter, home: Home
) -> None:
    request_id = new_id()
    made = await asyncio.gather(*(sell(counter, home, request_id) for _ in range(4)))
    assert {(order.id, order.state) for order in made} == {(made[0].id, "written")}
    assert home.carry().credited_fen == 7_00
    assert await sell(counter, home, request_id) == made[0], "its card could be sold on again"


async def test_no_byte_is_written_when_the_order_cannot_be_entered(
    counter: Counter, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = dict(home.card.files)

    async def enter(*given: Any) -> Order:
        raise DatabaseDown("the database does not answer")

    monkeypatch.setattr(counter.database.orders, "enter", enter)
    with pytest.raises(DatabaseDown):
        await sell(counter, home)
    assert home.card.files == files


@pytest.mark.parametrize("is_late", [False, True], ids=["while entering", "before entering"])
async def test_a_reader_that_is_given_up_sells_nothing_behind_our_back(
    town: Town, counter: Counter, home: Home, monkeypatch: pytest.MonkeyPatch, is_late: bool
) -> None:
    files = dict(home.card.files)
    enter = counter.database.orders.enter

    async def slowly(*given: Any) -> Order:
        await asyncio.sleep(0.6)
        return await enter(*given)

    def hang(_number: int, apdu: bytes) -> None:
        if apdu[1] == INTERNAL_AUTHENTICATE:  # The last command before it is decided.
            time.sleep(0.6)

    monkeypatch.setattr(workplace, "CARD_TIMEOUT_S", 0.3)
    if is_late:
        counter.readers[0].before_apdu = hang
        with pytest.raises(ReaderFailed):
            await sell(counter, home)
    else:
        monkeypatch.setattr(counter.database.orders, "enter", slowly)
        assert (await sell(counter, home)).state == "reserved", "it was entered, and comes back"
    await asyncio.sleep(0.6)
    assert len(await purchases(town, home)) == (0 if is_late else 1)
    assert home.card.files == files


async def test_the_reader_that_wrote_the_accounts_card_is_tried_first(
    town: Town, counter: Counter, home: Home
) -> None:
    connected: list[str] = []

    class Watched(MemoryReader):
        def connect(self) -> MemoryChannel:
            connected.append(self.identity.name)
            return super().connect()

    first, second = Watched(name="First"), Watched(name="Second")
    counter.workplaces.add(FixedReaders(first, second), "two readers")
    desk = Desk("two readers")

    async def sell_on(reader: Watched, own: Home) -> None:
        reader.insert(own.card)
        connected.clear()
        order = await counter.sales.sell(
            own.account, 7_00, request_id=new_id(), by=CLERK, desk=desk
        )
        assert (order.state, order.reader_name) == ("written", reader.identity.name)
        assert own.carry().credited_fen == 7_00

    await sell_on(second, home)
    assert connected == ["First", "Second"], "none is known for this card yet"
    second.pull()
    other = await town.new_home()
    await open_home(counter, other, 100_00)
    other.carry()
    await sell_on(first, other)
    await sell_on(second, home)
    assert connected == ["Second"], "although the desk used the first one last"
