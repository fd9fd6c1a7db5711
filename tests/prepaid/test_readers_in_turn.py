"""Five reader models, one after another and three at once: the right one writes and is recorded."""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from sale_site import CLERKS, SECURITY, ZONE, Home, Town, opening_of
from virtual_pcscd import VirtualPcscd

from bench import new_card
from station.errors import NoCard, WrongCard
from station.live import Feed
from station.prepaid.cards.dialog import CardContents, CardFiles
from station.prepaid.cards.layout import Parameters, PriceFile, Profile, Wallet
from station.prepaid.readers.base import FixedReaders
from station.prepaid.readers.pcsc import PcscReaders
from station.prepaid.readers.remembered import Remembered
from station.prepaid.readers.serial_reader import MODELS, SerialReader
from station.prepaid.readers.workplace import BOX, Workplaces
from station.prepaid.sales import Sales
from station.simulator.card import VirtualCard
from station.simulator.serial_reader import PtyReader
from station.store.database import Database
from station.store.objects.base import new_id
from station.store.objects.orders import Order

CLERK = CLERKS[0]
PC_SC = {"ACS ACR38U": "ACS ACR38U 00 00", "ACS ACR39U ICC Reader": "ACS ACR39U ICC Reader 00 00"}
SERIAL = {MODELS[key].name: key for key in MODELS}
FIVE = [*PC_SC, *SERIAL]


FILES = CardFiles(
    Profile.GW13,
    Parameters(
        "000000123456", "000000654321", card_type=1, user_type=1, update_flag=0x8F, ct=1, pt=1
    ),
    Wallet(100_00, 1),
    PriceFile((Decimal("0.5"),)),
    PriceFile((Decimal("0.6"),)),
)


def blank(contents: CardContents) -> CardFiles | None:
    if contents.state != "blank":
        raise WrongCard("this card is not blank", code="not_blank")
    return FILES


class Desk:
    """A workplace with five reader models, each of which has a card or none."""

    def __init__(self, pcscd: VirtualPcscd, database: Database) -> None:
        self.remembered = Remembered(database.reader_uses, "station-1")
        self.workplaces = Workplaces(SECURITY, self.remembered)
        self.place = self.workplaces.get(BOX)
        self.place.add(PcscReaders())
        self.lines = {name: PtyReader(key) for name, key in SERIAL.items()}
        self.place.add(
            FixedReaders(
                *(SerialReader(SERIAL[name], line.path) for name, line in self.lines.items())
            )
        )
        self._pcscd = pcscd

    def insert(self, model: str, card: VirtualCard) -> None:
        if model in PC_SC:
            self._pcscd.insert(PC_SC[model], card)
        else:
            self.lines[model].insert(card)

    def port_of(self, model: str) -> str:
        return self.lines[model].path if model in self.lines else "PC/SC 00 00"

    def pull(self, model: str) -> None:
        if model in PC_SC:
            self._pcscd.pull(PC_SC[model])
        else:
            self.lines[model].pull()

    async def close(self) -> None:
        await self.workplaces.stop()
        for name in PC_SC.values():
            self._pcscd.pull(name)
        for line in self.lines.values():
            line.close()


@pytest.fixture
async def desk(pcscd: VirtualPcscd, database: Database) -> AsyncIterator[Desk]:
    made = Desk(pcscd, database)
    yield made
    await made.close()


async def test_five_models_in_turn(desk: Desk, database: Database) -> None:
    """An opening on the first, then a purchase on each: every order tells where it was written."""
    town = Town(database)
    await town.settle()
    home = await town.new_home()
    card = home.new_card()
    sales = Sales(database, desk.workplaces, Feed(), ZONE)
    for number, model in enumerate(FIVE, start=1):
        order = await reserve(sales, home)
        with pytest.raises(NoCard):
            await sales.write(order.id, BOX, by=CLERK)
        desk.insert(model, card)
        order = await sales.write(order.id, BOX, by=CLERK)
        assert (order.state, order.reader_model, order.count) == ("written", model, number)
        assert order.reader_port == desk.port_of(model)
        assert order.workplace == BOX
        read = await desk.place.read()
        assert read.reader.model == model, "the remembered one is asked first"
        assert read.contents.wallet == Wallet(order.card_amount_fen, number)
        desk.pull(model)
        assert home.carry().credited_fen == 100_00
    assert home.credited_fen == 500_00
    used = await desk.remembered.used(BOX)
    assert [reader.model for reader in used] == FIVE[::-1]


async def reserve(sales: Sales, home: Home) -> Order:
    """Reserve the opening of a home, or a purchase once it is open."""
    if not home.account:
        request = opening_of(home, 100_00)
        order = await sales.open_account(request, request_id=new_id(), by=CLERK)
        home.account = order.account
        return order
    return await sales.sell(home.account, 100_00, request_id=new_id(), by=CLERK)


@pytest.mark.parametrize("right", FIVE[1:4])
async def test_three_hold_a_card_and_the_right_one_is_written(desk: Desk, right: str) -> None:
    three = FIVE[1:4]
    cards = {model: new_card() for model in three}
    for model, card in cards.items():
        if model != right:
            desk.insert(model, card)
            await desk.place.write(blank)
            assert card.files[2] == FILES.wallet.to_bytes()
    desk.insert(right, cards[right])
    done = await desk.place.write(blank)
    assert done.reader.model == right
    assert done.written.contents.serial == cards[right].serial.hex().upper()
    with pytest.raises(WrongCard) as caught:
        await desk.place.write(blank)
    assert caught.value.code == "not_blank"
    last = await desk.remembered.last_used(BOX)
    assert last is not None
    assert last.model == right
    for model in three:
        desk.pull(model)


async def test_what_is_attached_is_listed_with_its_card(desk: Desk) -> None:
    desk.insert("ACS ACR38U", new_card())
    states = {state.identity.name: state.state for state in await desk.place.readers()}
    assert states["ACS ACR38U 00 00"] == "card"
    assert states["ACS ACR39U ICC Reader 00 00"] == "no_card"
    line = desk.lines["ACS ACR30S"]
    assert states[f"ACS ACR30S on {line.path}"] == "ready"
    assert len(states) == 6 + 3
