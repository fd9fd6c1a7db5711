"""Five reader models, one after another and three at once: the right one writes and is recorded."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

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
    """A workplace of five reader models; those on serial ports are plugged in and out."""

    def __init__(self, pcscd: VirtualPcscd, database: Database, ports: Path) -> None:
        self.remembered = Remembered(database.reader_uses, "station-1")
        self.workplaces = Workplaces(SECURITY, self.remembered)
        self.place = self.workplaces.get(BOX)
        self.place.add(PcscReaders())
        self._pcscd = pcscd
        self._ports = {name: ports / key for name, key in SERIAL.items()}
        self._lines: dict[str, PtyReader] = {}
        readers = [SerialReader(SERIAL[name], str(port)) for name, port in self._ports.items()]
        self.place.add(FixedReaders(*readers))

    def port_of(self, model: str) -> str:
        return str(self._ports.get(model, "PC/SC 00 00"))

    def insert(self, model: str, card: VirtualCard) -> None:
        """Plug a reader in, if it is a serial one, and put a card into it."""
        if model in PC_SC:
            self._pcscd.insert(PC_SC[model], card)
            return
        line = self._lines[model] = PtyReader(SERIAL[model])
        self._ports[model].symlink_to(line.path)
        line.insert(card)

    def pull(self, model: str) -> None:
        """Take the card out, and unplug a serial reader."""
        if model in PC_SC:
            self._pcscd.pull(PC_SC[model])
            return
        self._ports[model].unlink()
        self._lines.pop(model).close()

    async def close(self) -> None:
        await self.workplaces.stop()
        for model in [*PC_SC, *self._lines]:
            self.pull(model)


@pytest.fixture
async def desk(pcscd: VirtualPcscd, database: Database, tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(pcscd, database, tmp_path)
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


async def test_what_is_attached_is_listed_with_its_card(desk: Desk) -> None:
    desk.insert("ACS ACR38U", new_card())
    desk.insert("ACS ACR30S", new_card())
    states = {state.identity.name: state.state for state in await desk.place.readers()}
    assert states["ACS ACR38U 00 00"] == "card"
    assert states["ACS ACR39U ICC Reader 00 00"] == "no_card"
    assert states[f"ACS ACR30S on {desk.port_of('ACS ACR30S')}"] == "ready"
    assert states[f"ACS ACR1281S on {desk.port_of('ACS ACR1281S')}"] == "failed"
    assert len(states) == 6 + 3
