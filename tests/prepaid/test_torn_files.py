"""A card that is pulled in the middle of a file: half of it new, half of it old, no order lost.

Real cards promise no whole writes. Whatever is torn, the order is finished on the card or given up,
a further card serves, and the meter credits what the journal says.
"""

import pytest
from sale_site import CLERKS, DESKS, Counter, Home, Town, open_home, opening_of, sell_home

from station.errors import CardFailed
from station.prepaid.cards import apdu
from station.prepaid.terms import ReplacementRequest
from station.simulator.card import VirtualCard
from station.store.objects.base import new_id

PARAMETERS_WRITE = bytes.fromhex("04D681")
WALLET_WRITE = bytes.fromhex("04D682")
PRICES_WRITE = bytes.fromhex("04D683")
DESK, CLERK = DESKS[0], CLERKS[0]


def tear(counter: Counter, head: bytes, file: int, new: int) -> None:
    """Pull the card in a write of this file, when so many of its bytes are new."""
    reader = counter.readers[0]
    before: dict[int, bytes] = {}

    def remember(_: int, command: bytes) -> None:
        if command.startswith(head) and reader.card is not None:
            before[file] = reader.card.files[file]

    def pull(_: int, command: bytes) -> None:
        if command.startswith(head):
            card = reader.pull()
            assert card is not None
            card.files[file] = card.files[file][:new] + before[file][new:]

    reader.before_apdu, reader.after_apdu = remember, pull


def mend(counter: Counter, card: VirtualCard) -> None:
    """Put the card in again, and let nothing more happen to it."""
    counter.readers[0].calm()
    counter.insert(card)


@pytest.mark.parametrize("new", [1, 4, 6, 36, 43, 44])
async def test_parameters_torn_in_a_purchase(town: Town, counter: Counter, new: int) -> None:
    home = await opened(town, counter)
    order = await counter.sales.sell(home.account, 5_000, request_id=new_id(), by=CLERK)
    counter.insert(home.card)
    tear(counter, PARAMETERS_WRITE, apdu.PARAMETERS, new)
    with pytest.raises(CardFailed) as failure:
        await counter.sales.write(order.id, DESK, by=CLERK)
    assert failure.value.may_have_written
    mend(counter, home.card)
    given_up = await counter.sales.abandon(order.id, DESK, by=CLERK, reason="card torn")
    assert given_up.state == "abandoned"
    await replace_and_check(counter, home)


async def replace_and_check(counter: Counter, home: Home) -> None:
    """The torn card credits nothing; a new card brings the next purchase."""
    assert home.carry().credited_fen == 0
    request = ReplacementRequest("torn", 3_000, meter_count=1)
    order = await counter.sales.replace(home.account, request, request_id=new_id(), by=CLERK)
    counter.insert(home.new_card())
    assert (await counter.sales.write(order.id, DESK, by=CLERK)).state == "written"
    assert home.carry().credited_fen == 3_000
    assert home.carry(home.cards[0]).credited_fen == 0
    assert home.meter.balance_fen == 13_000


@pytest.mark.parametrize("head", [PRICES_WRITE, PARAMETERS_WRITE])
async def test_a_file_torn_in_an_opening(town: Town, counter: Counter, head: bytes) -> None:
    home = await town.new_home()
    order = await counter.sales.open_account(
        opening_of(home, 10_000), request_id=new_id(), by=CLERK
    )
    card = home.new_card()
    counter.insert(card)
    tear(counter, head, head[2] & 0x1F, 20)
    with pytest.raises(CardFailed):
        await counter.sales.write(order.id, DESK, by=CLERK)
    mend(counter, card)
    given_up = await counter.sales.abandon(order.id, DESK, by=CLERK, reason="card torn")
    assert given_up.state == "abandoned"
    again = await counter.sales.open_account(
        opening_of(home, 10_000), request_id=new_id(), by=CLERK
    )
    written = await counter.sales.write(again.id, DESK, by=CLERK)  # On the very card: it is blank.
    assert written.state == "written"
    assert home.carry().credited_fen == 10_000


@pytest.mark.parametrize("new", range(1, 8))
async def test_a_torn_wallet_credits_nothing_and_is_written_again(
    town: Town, counter: Counter, new: int
) -> None:
    home = await opened(town, counter)
    order = await counter.sales.sell(home.account, 70_000, request_id=new_id(), by=CLERK)
    counter.insert(home.card)
    tear(counter, WALLET_WRITE, apdu.WALLET, new)
    with pytest.raises(CardFailed):
        await counter.sales.write(order.id, DESK, by=CLERK)
    counter.readers[0].calm()
    assert home.carry().credited_fen == 0
    mend(counter, home.card)
    assert (await counter.sales.write(order.id, DESK, by=CLERK)).state == "written"
    assert home.carry().credited_fen == 70_000
    assert home.carry().credited_fen == 0
    assert home.meter.balance_fen == 80_000


async def opened(town: Town, counter: Counter) -> Home:
    """A home whose opening has entered its meter."""
    home = await town.new_home()
    await open_home(counter, home, 10_000)
    assert home.carry().credited_fen == 10_000
    return home


async def test_a_card_that_was_not_torn_sells_as_ever(town: Town, counter: Counter) -> None:
    home = await opened(town, counter)
    assert (await sell_home(counter, home, 5_000)).state == "written"
    assert home.carry().credited_fen == 5_000
