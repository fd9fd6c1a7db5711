"""Five reader models, one after another and three at once: the right one writes and is recorded."""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from virtual_pcscd import VirtualPcscd

from bench import new_card
from station.errors import NoCard, WrongCard
from station.prepaid.cards.checks import check_own
from station.prepaid.cards.dialog import CardContents, CardFiles
from station.prepaid.cards.keys import simulated
from station.prepaid.cards.layout import Parameters, PriceFile, Profile, Wallet
from station.prepaid.readers.base import FixedReaders
from station.prepaid.readers.pcsc import PcscReaders
from station.prepaid.readers.remembered import Remembered
from station.prepaid.readers.serial_reader import MODELS, SerialReader
from station.prepaid.readers.workplace import BOX, Workplace
from station.simulator.card import VirtualCard
from station.simulator.serial_reader import PtyReader
from station.store.database import Database

METER, CUSTOMER = "000000123456", "000000654321"
PC_SC = {"ACS ACR38U": "ACS ACR38U 00 00", "ACS ACR39U ICC Reader": "ACS ACR39U ICC Reader 00 00"}
SERIAL = {MODELS[key].name: key for key in MODELS}
FIVE = [*PC_SC, *SERIAL]


def files(count: int) -> CardFiles:
    """What an opening (count 1) or a purchase writes."""
    return CardFiles(
        Profile.GW13,
        Parameters(
            METER, CUSTOMER, card_type=min(count, 2), user_type=1, update_flag=0, ct=1, pt=1
        ),
        Wallet(10_000 * count, count),
        PriceFile((Decimal("0.5"),)) if count == 1 else None,
        PriceFile((Decimal("0.6"),)) if count == 1 else None,
    )


def blank(contents: CardContents) -> CardFiles | None:
    if contents.state != "blank":
        raise WrongCard("this card is not blank", code="not_blank")
    return files(1)


class Desk:
    """A workplace with five reader models, each of which has a card or none."""

    def __init__(self, pcscd: VirtualPcscd, database: Database) -> None:
        self.remembered = Remembered(database.reader_uses, "station-1")
        self.place = Workplace(BOX, simulated(), self.remembered)
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

    def pull(self, model: str) -> None:
        if model in PC_SC:
            self._pcscd.pull(PC_SC[model])
        else:
            self.lines[model].pull()

    async def close(self) -> None:
        await self.place.stop()
        for name in PC_SC.values():
            self._pcscd.pull(name)
        for line in self.lines.values():
            line.close()


@pytest.fixture
async def desk(pcscd: VirtualPcscd, database: Database) -> AsyncIterator[Desk]:
    made = Desk(pcscd, database)
    yield made
    await made.close()


async def test_five_models_in_turn(desk: Desk) -> None:
    card = new_card()
    with pytest.raises(NoCard):
        await desk.place.write(blank)
    for count, model in enumerate(FIVE, start=1):
        desk.insert(model, card)

        def purchase(contents: CardContents, count: int = count) -> CardFiles | None:
            if count == 1:
                return blank(contents)
            check_own(contents, METER, CUSTOMER, Profile.GW13)
            return files(count)

        steps: list[str] = []
        done = await desk.place.write(purchase, steps.append)
        assert done.reader.model == model
        assert "write wallet" in steps
        last = await desk.remembered.last_used(BOX)
        assert last is not None
        assert last.is_same(done.reader)
        read = await desk.place.read()
        assert read.reader.model == model, "the remembered one is asked first"
        assert read.contents.wallet == Wallet(10_000 * count, count)
        assert card.files[2] == files(count).wallet.to_bytes()
        desk.pull(model)
    used = await desk.remembered.used(BOX)
    assert [reader.model for reader in used] == FIVE[::-1]


@pytest.mark.parametrize("right", FIVE[1:4])
async def test_three_hold_a_card_and_the_right_one_is_written(desk: Desk, right: str) -> None:
    three = FIVE[1:4]
    cards = {model: new_card() for model in three}
    for model, card in cards.items():
        if model != right:
            desk.insert(model, card)
            await desk.place.write(blank)
            before = bytes(card.files[2])
            assert before == files(1).wallet.to_bytes()
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
